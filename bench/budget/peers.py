"""River's detectors at their defaults over series: reads a task (a file of JSON), writes the places of their alarms."""

import json
import random
import sys
import warnings

from river import drift

PEERS = {
    "ADWIN": lambda: drift.ADWIN(),
    "Page-Hinkley": lambda: drift.PageHinkley(),
    "KSWIN": lambda: drift.KSWIN(seed=1),
}


def alarms(make, values):
    detector = make()
    found = []
    for index, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            found.append(index)
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    random.seed(1)
    with open(sys.argv[1]) as file:
        task = json.load(file)
    # in standard deviations: they are not scale-free, and the series lie 10 apart about 100
    scale = [[(value - 100) / 10 for value in series] for series in task["quiet"]]
    answers = []
    for peer, make in PEERS.items():
        shifted = [
            {
                "shift": each["shift"],
                "alarms": [alarms(make, [(value - 100) / 10 for value in series]) for series in each["series"]],
            }
            for each in task["shifted"]
        ]
        answers.append({"peer": peer, "quiet": [alarms(make, series) for series in scale], "shifted": shifted})
    json.dump(answers, sys.stdout)
