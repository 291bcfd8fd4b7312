"""Writes vectors/{multiplicity,alarm-rate}.json.

    .venv/bin/python test/conformance/make_budget.py
"""

import math

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from make_fixtures import write


def multiplicity():
    rng = np.random.default_rng(5)
    cases = []
    for count in (1, 2, 3, 6, 20, 50):
        for share in (0, 0.2, 1):
            p = rng.uniform(size=count)
            low = rng.uniform(size=count) < share
            p[low] = 10 ** -rng.uniform(1, 12, size=low.sum())
            p = np.round(p, 15) + 1e-15
            p[: count // 4] = p[0]  # ties
            expected_bh = stats.false_discovery_control(p, method="bh")
            rejected = multipletests(p, method="fdr_bh")[1]
            assert np.allclose(expected_bh, rejected, rtol=1e-12)
            holm = multipletests(p, method="holm")[1]
            cases.append([p.tolist(), expected_bh.tolist(), holm.tolist()])
    write("multiplicity", {"columns": ["p", "benjamini-hochberg", "holm"], "cases": cases})


def alarm_rate():
    gamma, counts = [], []
    for shape in (0.1, 0.5, 1, 3.3, 16.5, 400.5, 5000):
        for probability in (0.0015, 0.025, 0.5, 0.975, 0.9985):
            gamma.append([shape, probability, float(stats.gamma.ppf(probability, shape))])
    for size in (0.3, 1, 7.7, 100.5, 1e5, math.inf):
        for mean in (0.2, 1, 16, 93.3, 2800):
            for probability in (0.0015, 0.025, 0.5, 0.975, 0.9985):
                law = stats.poisson(mean) if size == math.inf else stats.nbinom(size, size / (size + mean))
                counts.append([None if size == math.inf else size, mean, probability, int(law.ppf(probability))])
    write("alarm-rate", {"gamma": gamma, "counts": counts})


if __name__ == "__main__":
    multiplicity()
    alarm_rate()
