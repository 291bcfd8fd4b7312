"""What every Python peer does with an event: windows of 10 s for each entity, and ADWIN over the means of closed ones.

Each keeps windows for each partition, whose watermark closes them. With a fourth argument, the name of a file, it writes its
closed windows there, a line of JSON each, after what it costs was measured.
"""
import json
import resource
import sys
import time
from datetime import datetime

import orjson
from river import drift

WINDOW_MS = 10_000
LATENESS_MS = 30_000
NUMBERS = ("amount", "tenure_days", "balance", "ratio")


def parse(value):
    event = orjson.loads(value)
    time_ms = int(datetime.fromisoformat(event["time"][:-1] + "+00:00").timestamp() * 1000 + 0.5)
    return time_ms, f"{event['model']}@{event['version']}#{event['segment']}", event["features"]


def closed_window(partition, start_ms, entity, rows, numbers, countries):
    """What the comparison reads of a window."""
    moments = {name: dict(zip(("mean", "m2", "min", "max"), number), count=rows) for name, number in zip(NUMBERS, numbers)}
    place = {"partition": partition, "startMs": start_ms, "entity": entity}
    return {**place, "rows": rows, "numbers": moments, "countries": countries}


class Kept:
    """Closed windows for the comparison: none are kept where no file is named."""

    def __init__(self):
        self.path = sys.argv[4] if len(sys.argv) > 4 else None
        self.windows = []

    def add(self, *window):
        if self.path is not None:
            self.windows.append(window)

    def write(self):
        if self.path is None:
            return
        with open(self.path, "w") as file:
            for window in self.windows:
                file.write(json.dumps(closed_window(*window)) + "\n")


class Aggregate:
    """Count, mean, M2, least and greatest of each number (Welford), and the counts of the category."""

    __slots__ = ("rows", "numbers", "countries")

    def __init__(self):
        self.rows = 0
        self.numbers = [[0.0, 0.0, float("inf"), float("-inf")] for _ in NUMBERS]
        self.countries = {}

    def add(self, features):
        self.rows += 1
        for name, number in zip(NUMBERS, self.numbers):
            value = features[name]
            delta = value - number[0]
            number[0] += delta / self.rows
            number[1] += delta * (value - number[0])
            if value < number[2]:
                number[2] = value
            if value > number[3]:
                number[3] = value
        country = features["country"]
        self.countries[country] = self.countries.get(country, 0) + 1


class Windows:
    """Open windows of a partition by (end, entity); the highest event time less the lateness closes them."""

    def __init__(self, partition, kept):
        self.partition = partition
        self.kept = kept
        self.open = {}
        self.highest_ms = 0
        self.detectors = {}
        self.closed_windows = 0
        self.rows = 0
        self.first_open_ms = None

    def add(self, parsed):
        time_ms, entity, features = parsed
        self.rows += 1
        end_ms = time_ms - time_ms % WINDOW_MS + WINDOW_MS
        key = (end_ms, entity)
        aggregate = self.open.get(key)
        if aggregate is None:
            aggregate = self.open[key] = Aggregate()
            if self.first_open_ms is None or end_ms < self.first_open_ms:
                self.first_open_ms = end_ms
        aggregate.add(features)
        if time_ms > self.highest_ms:
            self.highest_ms = time_ms
            if self.first_open_ms <= time_ms - LATENESS_MS:
                self.close(time_ms - LATENESS_MS)

    def close(self, watermark_ms):
        for key in sorted(key for key in self.open if key[0] <= watermark_ms):
            aggregate = self.open.pop(key)
            self.closed_windows += 1
            self.kept.add(self.partition, key[0] - WINDOW_MS, key[1], aggregate.rows, aggregate.numbers, aggregate.countries)
            for name, number in zip(NUMBERS, aggregate.numbers):
                detector = self.detectors.get((key[1], name))
                if detector is None:
                    detector = self.detectors[(key[1], name)] = drift.ADWIN()
                detector.update(number[0])
        self.first_open_ms = min((key[0] for key in self.open), default=None)

def outcome(windows):
    """Of all partitions together."""
    rows = sum(each.rows for each in windows.values())
    return {"rows": rows, "windows": sum(each.closed_windows for each in windows.values())}


class Cost:
    """CPU of this process from here on, all threads."""

    def __init__(self):
        self.cpu = self._cpu()
        self.started = time.monotonic()

    @staticmethod
    def _cpu():
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    def result(self, records, outcome):
        return {
            "records": records,
            "cpuUs": (self._cpu() - self.cpu) * 1e6,
            "wallMs": (time.monotonic() - self.started) * 1e3,
            "rssMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "outcome": outcome,
        }
