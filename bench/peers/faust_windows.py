"""faust_windows.py BROKERS TOPIC RECORDS [FILE]: the windowed aggregation in an agent of Faust, and River.

Windows are kept in the process, those of each partition: a windowed table of Faust sends every change to a changelog, at a
third of the speed or less.
"""
import json
import os
import sys
import tempfile
import uuid

import faust

from windows import Cost, Kept, Windows, outcome, parse

brokers, topic, records = sys.argv[1], sys.argv[2], int(sys.argv[3])
kept = Kept()
sys.argv[1:] = []  # Faust reads what is left
application = faust.App(
    f"bench-faust-{uuid.uuid4()}",
    broker=f"kafka://{brokers}",
    consumer_auto_offset_reset="earliest",
    topic_allow_declare=False,
    topic_disable_leader=True,
    web_enabled=False,
    datadir=tempfile.mkdtemp(prefix="bench-faust-"),
    key_serializer="raw",
    value_serializer="raw",
)
source = application.topic(topic, key_type=bytes, value_type=bytes)
windows = {}


@application.agent(source)
async def fold(stream):
    left = records
    async for event in stream.events():
        partition = event.message.partition
        if partition not in windows:
            windows[partition] = Windows(partition, kept)
        windows[partition].add(parse(event.value))
        left -= 1
        if left == 0:
            done()


def done():
    sys.__stdout__.write(json.dumps(cost.result(records, outcome(windows))) + "\n")
    sys.__stdout__.flush()
    kept.write()
    os._exit(0)


cost = Cost()
faust.Worker(application, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()
