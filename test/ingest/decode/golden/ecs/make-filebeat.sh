#!/usr/bin/env bash
# make-filebeat.sh BROKER FILEBEAT [TOPIC]
# What Filebeat's Kafka output writes of two log files -> filebeat.jsonl. FILEBEAT is built from the Go module
# github.com/elastic/beats/v7 v7.17.0 (a copy of it, `go build ./filebeat`). Needs kcat, and the topic with one partition.
set -euo pipefail
cd "$(dirname "$0")"
broker=$1 filebeat=$2 topic=${3:-golden-filebeat} work=$(mktemp -d)
trap 'kill "$pid" 2> /dev/null || true; rm -rf "$work"' EXIT
mkdir -p /var/log/shop
printf '%s\n' 'INFO paid' 'ERROR connect to db: timed out' > /var/log/shop/plain.log
cat > /var/log/shop/json.log <<'LOG'
{"service.name":"payment","log.level":"warn","message":"slow","event.duration":812500000,"http.response.status_code":200}
{"service":{"name":"payment"},"level":"error","message":"no stock","http":{"response":{"status_code":503}}}
not JSON
LOG
cat > "$work/filebeat.yml" <<YML
path: { data: $work/data, logs: $work/logs }
setup.template.enabled: false
filebeat.inputs:
  - { type: filestream, id: plain, paths: [/var/log/shop/plain.log] }
  - { type: log, paths: [/var/log/shop/json.log], json: { keys_under_root: true, add_error_key: true, overwrite_keys: true, expand_keys: true } }
output.kafka: { hosts: ["$broker"], topic: "$topic", version: "2.1.0", compression: snappy }
YML
"$filebeat" -c "$work/filebeat.yml" --strict.perms=false > "$work/out" 2>&1 & pid=$!
for _ in $(seq 150); do
  count=$(kcat -Q -b "$broker" -t "$topic:0:-1" | sed 's/.*offset //')
  [ "$count" -lt 5 ] || break
  sleep 0.2
done
kcat -C -q -e -b "$broker" -t "$topic" -p 0 > filebeat.jsonl
rm -rf /var/log/shop
