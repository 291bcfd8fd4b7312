#!/usr/bin/env bash
# make.sh BROKER OTELCOL PYTHON
# What the OpenTelemetry Collector's kafka exporter writes of what the SDK sends: a file for each message.
# OTELCOL is the Collector built from builder.yaml (go.opentelemetry.io/collector/cmd/builder v0.155.0), PYTHON one with the
# packages that produce.py names. Needs kcat, and the four topics "${PREFIX}logs-proto" … with one partition each.
set -euo pipefail
cd "$(dirname "$0")"
export BROKER=$1 PREFIX=${PREFIX:-golden.}
"$2" --config collector.yaml 2> collector.log &
collector=$!
trap 'kill "$collector" 2> /dev/null || true' EXIT
until grep -q 'Everything is ready' collector.log; do sleep 0.2; done
"$3" produce.py
sleep 3
for topic in logs-proto logs-json metrics-proto metrics-json; do
  count=$(kcat -Q -b "$BROKER" -t "$PREFIX$topic:0:-1" | sed 's/.*offset //')
  for ((offset = 0; offset < count; offset++)); do
    kcat -C -q -e -b "$BROKER" -t "$PREFIX$topic" -p 0 -o "$offset" -c 1 -D '' > "$topic-$offset.${topic#*-}"
  done
done
rm collector.log
gzip -9nf -- *.proto *.json
