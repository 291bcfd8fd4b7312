"""Writes vectors/{ddm,hddm-a,kswin,cusum}.json: what River and the theory of CUSUM answer on the streams of streams.json.

    python -m venv .venv && .venv/bin/pip install -r test/conformance/requirements.txt
    .venv/bin/python test/conformance/make_sequential.py

`make_fixtures.py` writes streams.json. Detectors of errors take what is above 0 as an error. The same versions on the
same machine write the same bytes.
"""

import json
import pathlib
import random

import numpy as np
from river import drift
from scipy import stats

VECTORS = pathlib.Path(__file__).parent / "vectors"
STREAMS = json.loads((VECTORS / "streams.json").read_text())


def write(name, content):
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    (VECTORS / f"{name}.json").write_text(text + "\n")


def follow(detector, values):
    """Indices of the alarms, and of the values at which it warned."""
    found, warned = [], []
    for index, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            found.append(index)
        elif getattr(detector, "warning_detected", False):
            warned.append(index)
    return found, warned


# -- errors --------------------------------------------------------------------------------------------------------


def error_streams():
    rng = np.random.default_rng(20)
    rising = np.concatenate([rng.random(1000) < 0.02, rng.random(800) < 0.2, rng.random(800) < 0.05])
    return {
        **{name: [int(value > 0) for value in values] for name, values in STREAMS.items()},
        "no errors, then few": [0] * 1000 + [int(v) for v in rng.random(500) < 0.01],
        "rising and falling": [int(v) for v in rising],
        "getting better": [int(v) for v in rng.random(2000) < np.linspace(0.5, 0.01, 2000)],
    }


def errors(name, make, settings, names):
    cases = []
    for stream, values in error_streams().items():
        given = {} if stream in STREAMS else {"values": values}
        for setting in settings:
            found, warned = follow(make(**setting), values)
            config = {names[key]: value for key, value in setting.items()}
            case = {"stream": stream, **given, "config": config, "alarms": found, "warnings": len(warned)}
            cases.append(case)
    write(name, {"cases": cases})


def ddm():
    settings = [
        {},
        {"warm_start": 200},
        {"warning_threshold": 1.5, "drift_threshold": 2.0},
        {"warm_start": 10, "warning_threshold": 4.0, "drift_threshold": 6.0},
    ]
    names = {"warm_start": "warmStart", "warning_threshold": "warningThreshold", "drift_threshold": "driftThreshold"}
    errors("ddm", drift.binary.DDM, settings, names)


def hddm_a():
    settings = [
        {},
        {"two_sided_test": True},
        {"drift_confidence": 1e-6, "warning_confidence": 1e-3},
        {"drift_confidence": 0.05, "warning_confidence": 0.2, "two_sided_test": True},
    ]
    names = {
        "drift_confidence": "driftConfidence",
        "warning_confidence": "warningConfidence",
        "two_sided_test": "twoSided",
    }
    errors("hddm-a", drift.binary.HDDMA, settings, names)


# -- KSWIN ---------------------------------------------------------------------------------------------------------


class RecordingRandom(random.Random):
    def sample(self, population, k):
        self.last = super().sample(population, k)
        return self.last


class RecordingKSWIN(drift.KSWIN):
    """Keeps the places that it drew."""

    def _reset(self):
        super()._reset()
        self._rng = RecordingRandom(self.seed)


def kswin():
    # Half of the window: all older values are drawn, whatever the generator.
    whole = [
        {"alpha": 0.005, "window_size": 60, "stat_size": 30},
        {"alpha": 0.0001, "window_size": 100, "stat_size": 50},
        {"alpha": 0.3, "window_size": 200, "stat_size": 100},
        {"alpha": 0.02, "window_size": 20, "stat_size": 10},
    ]
    names = {"alpha": "alpha", "window_size": "windowSize", "stat_size": "statSize"}
    cases = []
    for stream, values in STREAMS.items():
        for setting in whole:
            detector = drift.KSWIN(**setting, seed=1)
            found, p_values = [], []
            for index, value in enumerate(values):
                detector.update(value)
                if detector.drift_detected:
                    found.append(index)
                if index % 101 == 0 and len(detector.window) == setting["window_size"]:
                    p_values.append([index, float(detector.p_value)])
            config = {names[key]: value for key, value in setting.items()}
            cases.append({"stream": stream, "config": config, "alarms": found, "pValues": p_values})

    drawn = []
    for setting, values in (
        ({}, STREAMS["steps"][300:700]),
        ({"alpha": 0.05, "window_size": 40, "stat_size": 10}, STREAMS["walk"][:300]),
        ({"alpha": 0.001, "window_size": 50, "stat_size": 20}, STREAMS["constant then step"][600:800]),
    ):
        detector = RecordingKSWIN(**setting, seed=7)
        places, found, p_values = [], [], []
        for index, value in enumerate(values):
            detector.update(value)
            # after an alarm River keeps the recent values, and drops them at the next update
            looked = detector.drift_detected or len(detector.window) == detector.window_size
            places.append(detector._rng.last if looked else [])
            p_values.append(float(detector.p_value) if looked else None)
            if detector.drift_detected:
                found.append(index)
        config = {names[key]: value for key, value in setting.items()}
        drawn.append({"values": values, "config": config, "places": places, "pValues": p_values, "alarms": found})
    write("kswin", {"cases": cases, "drawn": drawn})


# -- CUSUM ---------------------------------------------------------------------------------------------------------

# Montgomery, Introduction to Statistical Quality Control, table of average run lengths for k = 1/2: shift, h = 4, h = 5.
PUBLISHED = [
    (0.00, 168, 465),
    (0.25, 74.2, 139),
    (0.50, 26.6, 38.0),
    (0.75, 13.3, 17.0),
    (1.00, 8.38, 10.4),
    (1.50, 4.75, 5.75),
    (2.00, 3.34, 4.01),
    (2.50, 2.62, 3.11),
    (3.00, 2.19, 2.57),
    (4.00, 1.71, 2.01),
]


def one_sided_chain(k, h, shift, states):
    """Brook and Evans 1972: the sum in `states` classes, the first of them half as wide and around 0."""
    width = 2 * h / (2 * states - 1)
    centres = width * np.arange(states)
    upper = stats.norm.cdf(centres[None, :] + width / 2 - centres[:, None] + k - shift)
    moves = np.diff(upper, axis=1, prepend=0.0)
    return float(np.linalg.solve(np.eye(states) - moves, np.ones(states))[0])


def chain(k, h, shift):
    """Extrapolated from two numbers of classes: the error of one goes with the square of its width."""

    def extrapolated(shift):
        coarse, fine = (one_sided_chain(k, h, shift, states) for states in (400, 800))
        a, b = (2 * 400 - 1) ** 2, (2 * 800 - 1) ** 2
        return (b * fine - a * coarse) / (b - a)

    return 1 / (1 / extrapolated(shift) + 1 / extrapolated(-shift))


def one_sided_integral(k, h, shift, nodes=160):
    """L(z) = 1 + L(0)·F(k - z) + ∫ L(x)·f(x + k - z) dx over [0, h] (Goel and Wu 1971), by Gauss-Legendre."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    x, w = h * (x + 1) / 2, h * w / 2
    z = np.append(x, 0.0)
    matrix = np.eye(nodes + 1)
    matrix[:, :nodes] -= stats.norm.pdf(x[None, :] + k - z[:, None] - shift) * w[None, :]
    matrix[:, nodes] -= stats.norm.cdf(k - z - shift)
    return float(np.linalg.solve(matrix, np.ones(nodes + 1))[-1])


def average_run_length(k, h, shift):
    return 1 / (1 / one_sided_integral(k, h, shift) + 1 / one_sided_integral(k, h, -shift))


def cusum_alarms(values, k, h):
    up = down = 0.0
    found = []
    for index, value in enumerate(values):
        up, down = max(0.0, up + (value - k)), max(0.0, down + (-value - k))
        if max(up, down) > h:
            found.append(index)
            up = down = 0.0
    return found


def cusum():
    lengths = []
    for shift, four, five in PUBLISHED:
        for h, published in ((4, four), (5, five)):
            exact = average_run_length(0.5, h, shift)
            assert abs(chain(0.5, h, shift) / exact - 1) < 1e-6, (h, shift, exact, chain(0.5, h, shift))
            assert abs(exact / published - 1) < 0.01, (h, shift, exact, published)
            lengths.append({"allowance": 0.5, "threshold": h, "shift": shift, "published": published, "exact": exact})
    for k, h, shift in ((0.25, 8, 0), (0.25, 8, 0.5), (0.75, 3, 0), (1.0, 2.5, 2), (0.5, 11, 0.5), (0.5, 11, 1)):
        exact = average_run_length(k, h, shift)
        assert abs(chain(k, h, shift) / exact - 1) < 1e-5, (k, h, shift, exact, chain(k, h, shift))
        lengths.append({"allowance": k, "threshold": h, "shift": shift, "exact": exact})
    cases = []
    for stream, values in STREAMS.items():
        for k, h in ((0.5, 5.0), (0.5, 4.0), (0.25, 8.0), (0.5, 11.0), (1.0, 2.5)):
            config = {"allowance": k, "threshold": h}
            cases.append({"stream": stream, "config": config, "alarms": cusum_alarms(values, k, h)})
    write("cusum", {"lengths": lengths, "cases": cases})


if __name__ == "__main__":
    ddm()
    hddm_a()
    kswin()
    cusum()
