#!/usr/bin/env bash
# timescale.sh start [--for PID] | release PID | stop | status | info | destroy
# PostgreSQL 17 with TimescaleDB (Apache edition) from Debian trixie, in a debootstrap directory: no mounts, no
# containers. Needs root and Debian. Prints the URL once it answers; one that already runs is used again. Without --for it
# runs until `stop`. `destroy` removes its data.
# env: TIMESCALE_ROOT, TIMESCALE_PORT (else the first free one from 15433), TIMESCALE_PASSWORD (else a random one is made
#      and kept), TIMESCALE_DB (sentinel)
set -euo pipefail
# shellcheck source=deploy/local/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
root=${TIMESCALE_ROOT:-$cache/timescale}
port=${TIMESCALE_PORT:-}
database=${TIMESCALE_DB:-sentinel}
bin=/usr/lib/postgresql/17/bin
data=/var/lib/postgresql/sentinel${port:+-$port}
log=$data.log
state=$root$data.state
leases=$state/users
parse "$@"

# env -i: the host's TZ, LANG and PG* do not leak into the other system
inside() {
  env -i PATH="$bin:/usr/sbin:/usr/bin:/bin" HOME=/var/lib/postgresql LANG=C.UTF-8 PGPASSWORD="${password:-}" \
    chroot --userspec=postgres:postgres "$root" "$@" 9>&-
}
pidfile=$root$data/postmaster.pid
pid() { head -1 "$pidfile" 2> /dev/null || true; }
alive() { runs "$(pid)" "$data"; }
running_port() { sed -n 4p "$pidfile"; }
ready() { alive && inside "$bin/pg_isready" -q -h 127.0.0.1 -p "$(running_port)"; }
sql() { inside "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(running_port)" -U postgres "$@"; }
stop() { if alive; then inside "$bin/pg_ctl" -D "$data" -m fast -w stop >&2; fi; }

install_system() {
  [ ! -e "$root/.complete" ] || return 0
  [ "$(readlink -m "$root")" != / ] || die 'TIMESCALE_ROOT is /'
  if ! command -v debootstrap > /dev/null; then
    say 'installing debootstrap'
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
      --no-install-recommends debootstrap; } >&2 9>&- < /dev/null ||
      die 'debootstrap could not be installed by apt-get (see above). Or set DATABASE_URL to a database of your own.'
  fi
  say 'downloading PostgreSQL 17 with TimescaleDB from Debian trixie (about a minute, 400 MB on disk, once)'
  rm -rf --one-file-system "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase --include=postgresql-17,postgresql-17-timescaledb trixie "$root" >&2 9>&- < /dev/null ||
    die "Debian trixie could not be set up in $root (see above). Check that the Debian mirror can be reached, and try again." \
      'Or set DATABASE_URL to a database of your own.'
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
  touch "$root/.complete"
}

install_cluster() {
  mkdir -p "$state"
  chmod 700 "$state"
  [ -n "${TIMESCALE_PASSWORD:-}" ] || [ -s "$state/password" ] || (umask 077; password > "$state/password")
  password=${TIMESCALE_PASSWORD:-$(cat "$state/password")}
  [ ! -s "$root$data/PG_VERSION" ] || return 0
  say 'creating the database cluster'
  chmod 1777 "$root/dev/shm" # otherwise initdb settles for sysv shared memory, and parallel queries fail
  rm -rf "${root:?}$data"
  install -d -m 700 "$root$data"
  chroot "$root" chown postgres:postgres "$data"
  (umask 077; printf '%s' "$password" > "$root/tmp/.pw")
  chroot "$root" chown postgres /tmp/.pw
  inside "$bin/initdb" -D "$data" -U postgres -E UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 --pwfile=/tmp/.pw >&2
  rm -f "$root/tmp/.pw"
  cat >> "$root$data/postgresql.conf" <<CONF
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
listen_addresses = '127.0.0.1'
unix_socket_directories = '/tmp'
max_worker_processes = 16
timescaledb.max_background_workers = 8
CONF
}

start() {
  [ -z "$port" ] || alive || ! taken "$port" ||
    die "port $port is taken by something else: leave TIMESCALE_PORT out for a free one, or set DATABASE_URL to use it"
  # the pid of a postmaster that a crash of the machine ended may be another process's now, and PostgreSQL would refuse
  if [ -s "$pidfile" ] && [ -n "$(tr '\0' ' ' 2> /dev/null < "/proc/$(pid)/cmdline")" ] && ! alive; then rm -f "$pidfile"; fi
  rm -rf "$leases"
  local try=${port:-15433}
  # again: after a kill -9 the dead postmaster can linger as a zombie that pg_ctl and postgres take for alive, or somebody
  # else took the port in between
  for _ in $(seq 60); do
    ! ready || return 0
    if ! inside "$bin/pg_ctl" -D "$data" status > /dev/null 2>&1; then
      [ -n "$port" ] || try=$(free_port "$try")
      say "starting PostgreSQL 17 with TimescaleDB on 127.0.0.1:$try"
      inside "$bin/pg_ctl" -D "$data" -l "$log" -o "-p $try" -w -t 60 start >&2 < /dev/null || true
    fi
    ready || sleep 0.5
  done
  ready || { tail -20 "$root$log" >&2; die "PostgreSQL is not ready; its log is $root$log"; }
}

need_root() { [ "$(id -u)" = 0 ] || die 'needs root: it runs PostgreSQL of another Debian release by chroot. Or set DATABASE_URL.'; }

case $action in
info)
  echo 'version=17 with TimescaleDB'
  if [ -e "$root/.complete" ]; then echo downloaded=yes; else echo downloaded=no; fi
  if alive; then echo "running=127.0.0.1:$(running_port)"; else echo running=; fi
  ;;
status) if alive; then echo "127.0.0.1:$(running_port)"; else echo 'not running'; exit 3; fi ;;
stop) need_root; lock "$root.lock"; stop ;;
release) need_root; lock "$root.lock"; if release; then stop; fi ;;
destroy) need_root; lock "$root.lock"; stop; rm -rf "${root:?}$data" "${root:?}$log" "$state" ;;
start)
  need_root
  lock "$root.lock"
  install_system
  install_cluster
  ready || start
  [ "$(sql -d postgres -Atc "select 1 from pg_database where datname = '$database'")" = 1 ] ||
    sql -d postgres -c "create database \"$database\"" >&2
  sql -d "$database" -c 'set client_min_messages = warning; create extension if not exists timescaledb' >&2
  lease
  echo "postgres://postgres:$password@127.0.0.1:$(running_port)/$database"
  ;;
*) usage ;;
esac
