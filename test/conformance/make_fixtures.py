"""Writes vectors/*.json: what scipy and River answer on seeded inputs.

    python -m venv .venv && .venv/bin/pip install -r test/conformance/requirements.txt
    .venv/bin/python test/conformance/make_fixtures.py

Inputs are rounded to a few decimals to keep the files small; the expected numbers are taken after the rounding. The
same versions on the same machine write the same bytes.
"""

import json
import math
import pathlib

import numpy as np
from river import drift
from scipy import special, stats

VECTORS = pathlib.Path(__file__).parent / "vectors"


def write(name, content):
    VECTORS.mkdir(exist_ok=True)
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    (VECTORS / f"{name}.json").write_text(text + "\n")


def rounded(values, decimals=3):
    return [float(v) + 0.0 for v in np.round(values, decimals)]


# -- special functions ---------------------------------------------------------------------------------------------


def special_functions():
    beta, gamma, student, kolmogorov = [], [], [], []
    for a in (0.5, 1, 4.5, 49.5, 500, 5e3, 5e5):
        for b in (0.5, 1, 10, 300, 1e4):
            mean = a / (a + b)
            sd = math.sqrt(a * b / (a + b) ** 2 / (a + b + 1))
            for x in (mean * 1e-40, mean * 0.01, mean * 0.1, mean - 10 * sd, mean - 3 * sd, mean, mean + 5 * sd):
                if 0 < x < 1:
                    expected = float(special.betainc(a, b, x))
                    if expected > 1e-290:
                        beta.append([a, b, x, expected])
    for a in (0.5, 1, 4.5, 50, 500, 5e3):
        for x in (0.001 * a, 0.9 * a, a, a + math.sqrt(a), 1.5 * a, 2 * a + 10, 3 * a + 200):
            expected = float(special.gammaincc(a, x))
            if expected > 1e-290:
                gamma.append([a, x, expected])
    for df in (1, 2, 9, 59, 1000, 1e6):
        for t in (-20, -1, 0, 0.1, 1, 2, 5, 10, 30, 1e3, 1e10):
            expected = float(stats.t.sf(t, df))
            if expected > 1e-290:
                student.append([t, df, expected])
    # Every branch of Simard and L'Ecuyer: both sides of 140 rows and of each bound on n·d².
    for n in (1, 2, 5, 20, 50, 100, 140, 141, 150, 500, 3000, 10000, 20000):
        for z in (0.02, 0.2, 0.4, 0.5, 0.6, 0.8, 0.868, 0.87, 1, 1.2, 1.48, 1.49, 1.9, 1.99, 2.01, 3, 6, 10, 14, 18):
            d = z / math.sqrt(n)
            if d < 1:
                expected = float(stats.kstwo.sf(d, n))
                if expected > 1e-290:
                    kolmogorov.append([n, d, expected])
    write("special-functions", {"beta": beta, "gamma": gamma, "student": student, "kolmogorov": kolmogorov})


# -- two samples ---------------------------------------------------------------------------------------------------


def numeric_pairs(rng):
    normal = rng.normal
    yield "same law", normal(size=150), normal(size=130)
    yield "same odd size", normal(size=121), normal(size=121)
    yield "shift of half an sd", normal(size=200), normal(0.5, size=170)
    yield "shift of three sds", normal(size=300), normal(3, size=280)
    yield "apart", normal(size=150), normal(100, size=140)
    yield "wider", normal(size=250), normal(0, 2, size=101)
    yield "many ties", rng.integers(0, 6, size=240), rng.integers(0, 7, size=160)
    yield "mostly zero", rng.poisson(0.2, size=200), rng.poisson(0.6, size=180)
    yield "one size is a multiple of the other", normal(size=300), normal(0.2, size=100)
    yield "lognormal", rng.lognormal(size=400), rng.lognormal(0.3, size=350)
    yield "same sample", *(2 * [normal(size=110)])
    yield "beyond the exact bound", rng.normal(size=1500), rng.normal(0.08, size=1200)
    yield "beyond the exact bound, deep tail", rng.normal(size=1500), rng.normal(1.5, size=1300)


def kolmogorov_smirnov():
    cases = []
    for name, reference, window in numeric_pairs(np.random.default_rng(1)):
        reference, window = rounded(reference), rounded(window)
        asymptotic = stats.ks_2samp(reference, window, method="asymp")
        case = {
            "name": name,
            "reference": sorted(reference),
            "window": sorted(window),
            "statistic": float(asymptotic.statistic),
            "asymptotic": float(asymptotic.pvalue),
        }
        if len(reference) * len(window) <= 1_000_000:
            case["exact"] = float(stats.ks_2samp(reference, window, method="exact").pvalue)
        if len(reference) * len(window) <= 100_000:
            case["auto"] = float(stats.ks_2samp(reference, window, method="auto").pvalue)
        cases.append(case)
    write("kolmogorov-smirnov", {"cases": cases})


def stability(reference, window, smoothing):
    """Index and p of counts over the same bins (Yurdakul 2018), smoothed over the bins that either side has filled."""
    reference, window = np.asarray(reference, float), np.asarray(window, float)
    n, m = reference.sum(), window.sum()
    filled = reference + window > 0
    q = (reference[filled] + smoothing) / (n + smoothing * filled.sum())
    p = (window[filled] + smoothing) / (m + smoothing * filled.sum())
    index = float(np.sum((p - q) * np.log(p / q)))
    p_value = stats.chi2.sf(index / (1 / n + 1 / m), filled.sum() - 1) if filled.sum() > 1 else 1.0
    return {"statistic": index, "pValue": float(p_value)}


def bin_counts(values, edges, bins):
    """Edges belong to the bin below; an edge that stands twice is a bin of its own."""
    doubled = {edge for edge in edges if np.sum(edges == edge) > 1}
    index = np.searchsorted(edges, values, side="left") + np.array([value in doubled for value in values], int)
    return np.bincount(index, minlength=bins)


def psi():
    cases = []
    for name, reference, window in numeric_pairs(np.random.default_rng(2)):
        reference, window = rounded(reference), rounded(window)
        for bins, smoothing in ((10, 0.5), (4, 1.0)) if len(reference) < 1000 else ((10, 0.5),):
            quantiles = np.quantile(reference, np.arange(1, bins) / bins)
            values, repeats = np.unique(quantiles, return_counts=True)
            edges = np.repeat(values, np.minimum(repeats, 2))
            counts = [bin_counts(np.array(side), edges, len(edges) + 1) for side in (reference, window)]
            case = {"name": name, "config": {"bins": bins, "smoothing": smoothing}, **stability(*counts, smoothing)}
            cases.append({**case, "reference": sorted(reference), "window": sorted(window)})
    write("psi", {"cases": cases})


def psi_categorical():
    rng = np.random.default_rng(3)
    letters = [chr(97 + i) for i in range(20)]
    pairs = [
        ("same law", rng.multinomial(500, [1 / 8] * 8), rng.multinomial(400, [1 / 8] * 8)),
        ("moved", rng.multinomial(500, [0.5, 0.3, 0.2]), rng.multinomial(300, [0.3, 0.3, 0.4])),
        ("rare ones are pooled", [600, 380, 5, 4, 3, 2, 1], [500, 300, 0, 0, 30, 0, 2]),
        ("unseen ones are pooled", [300, 200, 100], [150, 120, 60, 40, 30]),
        ("all unseen", [300, 200, 0, 0], [0, 0, 250, 250]),
        ("one is gone", [200, 200, 100], [250, 240, 0]),
        ("only one", [400], [300]),
    ]
    cases = []
    for name, reference, window in pairs:
        for min_share, smoothing in ((0.01, 0.5), (0.25, 1.0)):
            left = {c: int(n) for c, n in zip(letters, reference) if n > 0}
            right = {c: int(n) for c, n in zip(letters, window) if n > 0}
            kept = sorted(c for c, n in left.items() if n >= min_share * sum(left.values()))
            counts = [
                [side.get(c, 0) for c in kept] + [sum(n for c, n in side.items() if c not in kept)]
                for side in (left, right)
            ]
            config = {"minShare": min_share, "smoothing": smoothing}
            case = {"name": name, "config": config, **stability(*counts, smoothing)}
            cases.append({**case, "reference": left, "window": right})
    write("psi-categorical", {"cases": cases})


# -- sequences -----------------------------------------------------------------------------------------------------


def streams():
    rng = np.random.default_rng(4)
    normal = rng.normal
    walk = np.cumsum(normal(0, 0.05, size=3000))
    return {
        "quiet": rounded(normal(size=3000)),
        "steps": rounded(np.concatenate([normal(level, 1, size=500) for level in (0, 1, -1, 0.5, 3, 0)])),
        "small step": rounded(np.concatenate([normal(size=1500), normal(0.4, size=1500)])),
        "ramp": rounded(normal(size=2500) + np.linspace(0, 3, 2500)),
        "walk": rounded(walk + normal(size=3000)),
        "errors": [int(v) for v in np.concatenate([rng.random(1500) < 0.05, rng.random(1500) < 0.25])],
        "outliers": rounded(np.where(rng.random(2500) < 0.01, 6, normal(size=2500))),
        "constant then step": [1] * 700 + [11] * 300 + [1] * 500,
        "wider": rounded(np.concatenate([normal(size=1000), normal(0, 3, size=1000)])),
    }


def alarms(detector, values):
    found = []
    for index, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            found.append(index)
    return found


def adwin_delta_of_first_look(values):
    """The least delta at which River alarms at the only look (clock = number of values), by bisection of its log."""

    def alarms_at(log_delta):
        return alarms(drift.ADWIN(delta=math.exp(log_delta), clock=len(values)), values) != []

    low, high = math.log(1e-250), math.log(0.5)
    assert alarms_at(high) and not alarms_at(low), "choose a shift whose critical delta lies between the bounds"
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if alarms_at(middle) else (middle, high)
    return math.exp((low + high) / 2)


def adwin(series):
    settings = [
        {},
        {"delta": 0.05},
        {"delta": 1e-6},
        {"clock": 1},
        {"clock": 7, "max_buckets": 3},
        {"max_buckets": 12, "min_window_length": 20},
        {"grace_period": 100, "clock": 10},
        {"min_window_length": 1, "clock": 1, "delta": 0.2},
    ]
    names = {
        "delta": "delta",
        "clock": "clock",
        "max_buckets": "maxBuckets",
        "min_window_length": "minWindowLength",
        "grace_period": "gracePeriod",
    }
    cases = []
    for stream, values in series.items():
        for setting in settings:
            config = {names[key]: value for key, value in setting.items()}
            cases.append({"stream": stream, "config": config, "alarms": alarms(drift.ADWIN(**setting), values)})
    rng = np.random.default_rng(5)
    deltas = []
    for count in (101, 256, 777):
        for shift in (2, 3, 6):
            before, after = rng.normal(size=count // 2), rng.normal(shift, 1, size=count - count // 2)
            values = rounded(np.concatenate([before, after]))
            deltas.append({"values": values, "delta": adwin_delta_of_first_look(values)})
    write("adwin", {"cases": cases, "deltas": deltas})


def page_hinkley(series):
    settings = [
        {},
        {"mode": "up"},
        {"mode": "down"},
        {"delta": 0.25, "threshold": 20, "alpha": 1.0},
        {"delta": 0.5, "threshold": 5, "min_instances": 10},
        {"threshold": 10, "alpha": 0.99, "delta": 0.1},
        {"min_instances": 200, "threshold": 15},
    ]
    river = {"min_instances": 30, "delta": 0.005, "threshold": 50.0, "alpha": 1 - 0.0001, "mode": "both"}
    cases = []
    for stream, values in series.items():
        for setting in settings:
            full = {**river, **setting}
            config = {("minInstances" if key == "min_instances" else key): value for key, value in full.items()}
            cases.append({"stream": stream, "config": config, "alarms": alarms(drift.PageHinkley(**full), values)})
    write("page-hinkley", {"cases": cases})


# -- anomalies -----------------------------------------------------------------------------------------------------


def student_t():
    rng = np.random.default_rng(6)
    cases = []
    for panes in (10, 12, 30, 60, 360):
        for shift in (0, 1, -3, 6, 20, 1000):
            means = rng.normal(50, 4, size=panes)
            value = 50 + 4 * shift + rng.normal()
            mean, sd = float(means.mean()), float(means.std(ddof=1))
            t = (value - mean) / (sd * math.sqrt(1 + 1 / panes))
            up = float(stats.t.sf(t, panes - 1))
            down = float(stats.t.cdf(t, panes - 1))
            expected = {"both": 2 * float(stats.t.sf(abs(t), panes - 1)), "up": up, "down": down}
            baseline = {"panes": panes, "mean": mean, "betweenM2": float(np.sum((means - mean) ** 2))}
            cases.append({"baseline": baseline, "mean": value, "statistic": t, "pValue": expected})
    write("student-t", {"cases": cases})


if __name__ == "__main__":
    special_functions()
    kolmogorov_smirnov()
    psi()
    psi_categorical()
    sequences = streams()
    write("streams", sequences)
    adwin(sequences)
    page_hinkley(sequences)
    student_t()
