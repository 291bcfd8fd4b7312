# shellcheck shell=bash
# common.sh: what kafka.sh, timescale.sh and postgres.sh share; sourced, not run.
# Who uses a service: `start --for PID` leaves a lease in $leases, `release PID` takes it back and stops the service when
# it was the last one. A plain `start` keeps it running until `stop`. Leases of processes that are gone do not count.
script=$(basename "$0")
# shellcheck disable=SC2034 # used by the scripts
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sentinel-stream

say() { echo "$script: $*" >&2; }
die() { say "$*"; exit 1; }

usage() { echo "usage: $script start [--for PID] | release PID | stop | status | info" >&2; exit 2; }

# Reads the command line into $action and $user (a PID, or nothing).
parse() {
  action=${1:-start}; user=
  case $action in
  start) if [ "${2:-}" = --for ]; then user=${3:-}; [ -n "$user" ] || usage; elif [ $# -gt 1 ]; then usage; fi ;;
  release) user=${2:-}; [ -n "$user" ] || usage ;;
  stop | status | info | destroy) [ $# -le 1 ] || usage ;;
  *) usage ;;
  esac
}

# One process at a time starts or stops a service. The lock lives as long as fd 9 is open somewhere, so a service must be
# started with `9>&-`. Without flock (not Linux) there is no lock.
lock() {
  mkdir -p "$(dirname "$1")"
  exec 9> "$1"
  command -v flock > /dev/null || return 0
  flock -n 9 || { say 'another process is starting or stopping it: waiting'; flock 9; }
}

taken() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# The first free port from $1 on.
free_port() {
  local port=$1
  while taken "$port"; do port=$((port + 1)); done
  echo "$port"
}

# Is $1 a running process with $2 in its command line? A bare PID may be somebody else's after a restart.
runs() {
  [ -n "$1" ] && kill -0 "$1" 2> /dev/null || return 1
  if [ -d /proc/self ]; then tr '\0' ' ' 2> /dev/null < "/proc/$1/cmdline" | grep -qF -- "$2"
  else ps -p "$1" -o args= | grep -qF -- "$2"; fi
}

# shellcheck disable=SC2154 # leases and user are the script's
lease() { mkdir -p "$leases"; : > "$leases/${user:-kept}"; }

in_use() {
  local lease
  for lease in "$leases"/*; do
    case ${lease##*/} in
    kept) return 0 ;;
    '*') ;;
    *) if kill -0 "${lease##*/}" 2> /dev/null; then return 0; else rm -f "$lease"; fi ;;
    esac
  done
  return 1
}

# Takes the lease of $user back; true when nobody is left.
release() { rm -f "$leases/$user"; ! in_use; }

password() { head -c 512 /dev/urandom | LC_ALL=C tr -dc 'a-zA-Z0-9' | cut -c 1-24; }
