"""River and scipy: answers lines as work.ts does. The first argument is a file of its tasks."""

import json
import sys
import time
import warnings

import numpy as np
from river import drift
from scipy import stats

MAKE = {"page-hinkley": drift.PageHinkley, "adwin": drift.ADWIN, "kswin": drift.KSWIN}


def sequential(task):
    make, options, values = MAKE[task["kind"]], task["peer"], task["values"]

    def once():
        detector = make(**options)
        update = detector.update
        alarms = []
        for index, value in enumerate(values):
            update(value)
            if detector.drift_detected:
                alarms.append(index)
        return len(values), alarms

    return once


def two_sample(task):
    pairs = [(np.array(pair["reference"]), np.array(pair["window"])) for pair in task["pairs"]]
    if task["kind"] == "wasserstein":
        return lambda: (len(pairs), [[float(stats.wasserstein_distance(a, b))] for a, b in pairs])

    def once():
        answers = []
        for reference, window in pairs:
            result = stats.ks_2samp(reference, window, **task["peer"])
            answers.append([float(result.statistic), float(result.pvalue)])
        return len(pairs), answers

    return once


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with open(sys.argv[1]) as file:
        passes = [sequential(task) if task["kind"] in MAKE else two_sample(task) for task in json.load(file)]
    for line in sys.stdin:
        request = json.loads(line)
        once = passes[request["task"]]
        started = time.process_time()
        total = 0
        while True:
            count, answers = once()
            total += count
            cost = time.process_time() - started
            if cost * 1000 >= request["leastMs"]:
                break
        print(json.dumps({"count": total, "cpuUs": cost * 1e6, "answers": answers}), flush=True)
