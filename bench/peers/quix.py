"""quix.py BROKERS TOPIC RECORDS [FILE]: the windowed aggregation on Quix Streams, its tumbling windows in RocksDB, and River.

The topic has no keys. An event gets its entity as the key within the process: Quix's own `group_by` would send every record
through one more topic. Windows are those of each partition; there are no changelog topics.
"""
import json
import os
import shutil
import sys
import tempfile
import uuid

from quixstreams import Application, message_context
from river import drift

from windows import LATENESS_MS, NUMBERS, WINDOW_MS, Cost, Kept, parse

brokers, topic, records = sys.argv[1], sys.argv[2], int(sys.argv[3])
detectors = {}
kept = Kept()
folded = {"rows": 0, "windows": 0}


def by_entity(value, key, timestamp, headers):
    time_ms, entity, features = parse(value)
    folded["rows"] += 1
    if folded["rows"] == records:
        application.stop()  # after this record: `count` of `run` would count closed windows
    return features, entity, time_ms, headers


def start(features):
    """State is kept as JSON: lists, and no infinities."""
    numbers = [[features[name], 0.0, features[name], features[name]] for name in NUMBERS]
    return {"rows": 1, "numbers": numbers, "countries": {features["country"]: 1}}


def add(aggregate, features):
    aggregate["rows"] += 1
    for name, number in zip(NUMBERS, aggregate["numbers"]):
        value = features[name]
        delta = value - number[0]
        number[0] += delta / aggregate["rows"]
        number[1] += delta * (value - number[0])
        if value < number[2]:
            number[2] = value
        if value > number[3]:
            number[3] = value
    countries = aggregate["countries"]
    countries[features["country"]] = countries.get(features["country"], 0) + 1
    return aggregate


def close(result, key, timestamp, headers):
    aggregate = result["value"]
    folded["windows"] += 1
    entity = key.decode() if isinstance(key, bytes) else key
    kept.add(message_context().partition, result["start"], entity, aggregate["rows"], aggregate["numbers"], aggregate["countries"])
    for name, number in zip(NUMBERS, aggregate["numbers"]):
        detector = detectors.get((key, name))
        if detector is None:
            detector = detectors[(key, name)] = drift.ADWIN()
        detector.update(number[0])


folder = tempfile.mkdtemp(prefix="bench-quix-")
application = Application(
    broker_address=brokers,
    consumer_group=f"bench-quix-{uuid.uuid4()}",
    auto_offset_reset="earliest",
    state_dir=folder,
    use_changelog_topics=False,
    auto_create_topics=False,
    loglevel="WARNING",
)
frame = application.dataframe(application.topic(topic, value_deserializer="bytes"))
frame = frame.__dataframe_clone__(stream=frame.stream.add_transform(by_entity))
frame = frame.tumbling_window(WINDOW_MS, grace_ms=LATENESS_MS).reduce(add, start).final(closing_strategy="partition")
frame.update(close, metadata=True)
cost = Cost()
application.run()
print(json.dumps(cost.result(records, folded)), flush=True)
kept.write()
shutil.rmtree(folder, ignore_errors=True)
os._exit(0)
