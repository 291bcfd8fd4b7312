#!/usr/bin/env bash
# Syslog lines by util-linux's logger and by rsyslog's own templates, as they go over the wire: a datagram a line.
# Needs: apt-get install rsyslog bsdutils socat; root, for a host name of its own. Writes the .log files beside it.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
work=$(mktemp -d)
trap 'kill "$rsyslog" 2> /dev/null || true; rm -rf "$work"' EXIT

cat > "$work/rsyslog.conf" <<CONF
global(localHostname="web-1" workDirectory="$work")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="15514")
template(name="json" type="list" option.jsonf="on") {
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="severity" name="syslogseverity-text" format="jsonf")
  property(outname="facility" name="syslogfacility-text" format="jsonf")
  property(outname="programname" name="programname" format="jsonf")
  property(outname="procid" name="procid" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}
action(type="omfile" file="$work/protocol23.log" template="RSYSLOG_SyslogProtocol23Format")
action(type="omfile" file="$work/forward.log" template="RSYSLOG_ForwardFormat")
action(type="omfile" file="$work/traditional-forward.log" template="RSYSLOG_TraditionalForwardFormat")
action(type="omfile" file="$work/traditional-file.log" template="RSYSLOG_TraditionalFileFormat")
action(type="omfile" file="$work/file.log" template="RSYSLOG_FileFormat")
action(type="omfile" file="$work/json.log" template="json")
CONF
rsyslogd -n -f "$work/rsyslog.conf" -i "$work/pid" &
rsyslog=$!
sleep 1

# a datagram ends where the next priority begins
split() { sed 's/\(.\)\(<[0-9]\{1,3\}>\)/\1\n\2/g' "$1" | sed -e '$a\'; }

say() { # logger's arguments, without a message
  logger --server 127.0.0.1 --port 15514 --udp "$@" --priority user.info --tag payment --id=412 'paid 12.50 EUR in 31 ms'
  logger --server 127.0.0.1 --port 15514 --udp "$@" --priority daemon.err --tag postfix/smtpd 'connect to db: timed out'
  logger --server 127.0.0.1 --port 15514 --udp "$@" --priority auth.crit --tag sshd --id=99 'fatal: no hostkeys available -- exiting.'
}
export -f say
unshare --uts bash -c '
  hostname web-1
  say --rfc3164
  say --rfc5424
  logger --server 127.0.0.1 --port 15514 --udp --rfc5424 --tag gateway --priority local0.warning --msgid REQ \
    --sd-id http@32473 --sd-param "status_code=\"503\"" --sd-param "duration_ms=\"812.5\"" --sd-param "note=\"a \\\"quoted\\\" one\"" "GET /pay"
'
# what logger itself writes, without rsyslog in between
for format in rfc3164 rfc5424; do
  timeout 3 socat -u UDP-RECV:15515 - > "$work/logger-$format.raw" & listener=$!
  sleep 0.5
  unshare --uts bash -c "hostname web-1
    for priority in user.info daemon.err auth.crit; do
      logger --server 127.0.0.1 --port 15515 --udp --$format --priority \$priority --tag payment --id=412 'card declined'
      sleep 0.1
    done"
  wait "$listener" || true
  split "$work/logger-$format.raw" > "$here/logger-$format.log"
done
sleep 1
cp "$work"/{protocol23,traditional-file,file}.log "$here/"
for format in forward traditional-forward; do split "$work/$format.log" > "$here/$format.log"; done
sed 's/}{/}\n{/g' "$work/json.log" > "$here/json.log"
