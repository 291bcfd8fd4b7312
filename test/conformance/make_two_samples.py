"""Writes the vectors of detectors that compare two samples: what scipy, scikit-learn and numpy answer on seeded inputs.

    python -m venv .venv && .venv/bin/pip install -r test/conformance/requirements.txt
    .venv/bin/python test/conformance/make_two_samples.py

Inputs are rounded as in make_fixtures.py; the same versions on the same machine write the same bytes.
"""

import math

import numpy as np
from make_fixtures import bin_counts, numeric_pairs, rounded, write
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.ensemble import IsolationForest


# -- numbers -------------------------------------------------------------------------------------------------------


def bridge_tail(reference, window, cells=50):
    """p of W1 by the law of the integral of |B(F)| over the central cells, F the pooled sample's: by bisection."""
    n, m = len(reference), len(window)
    values = np.unique(np.concatenate([reference, window]))
    i = np.searchsorted(np.sort(reference), values[:-1], side="right")
    j = np.searchsorted(np.sort(window), values[:-1], side="right")
    gaps = np.diff(values)
    cell = np.floor((i + j) * (cells / (n + m))).astype(int)
    inner = (cell > 0) & (cell < cells - 1)
    central = np.sum(np.abs(i / n - j / m)[inner] * gaps[inner])
    if central == 0:
        return 1.0
    width = np.bincount(cell[inner], gaps[inner], cells)
    area = np.bincount(cell[inner], ((i + j) / (n + m) * gaps)[inner], cells)
    width, share = width[width > 0], area[width > 0] / width[width > 0]
    covariance = np.minimum.outer(share, share) * (1 - np.maximum.outer(share, share))
    sd = math.sqrt(width @ covariance @ width)
    along = covariance @ width / sd
    across = np.sqrt(np.maximum(0, share * (1 - share) - along**2))

    def mean_given(z):
        with np.errstate(divide="ignore", invalid="ignore"):
            q = z * along / across
            excess = across * stats.norm.pdf(q) - z * along * stats.norm.sf(q)
        return sd * z + 2 * np.sum(width * np.where(across < 1e-9, 0, excess))

    target = central / math.sqrt(1 / n + 1 / m)
    if mean_given(0) >= target:
        return 1.0
    low, high = 0.0, target / sd
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_given(middle) < target else (low, middle)
    return min(1.0, 2 * float(stats.norm.sf(low)))


def wasserstein():
    cases = []
    for name, reference, window in numeric_pairs(np.random.default_rng(11)):
        reference, window = rounded(reference), rounded(window)
        expected = {
            "statistic": float(stats.wasserstein_distance(reference, window)),
            "effect": float(stats.wasserstein_distance(reference, window) / np.std(reference)),
            "pValue": bridge_tail(reference, window),
        }
        cases.append({"name": name, **expected, "reference": sorted(reference), "window": sorted(window)})
    write("wasserstein", {"cases": cases})


def shannon(reference, window, smoothing=0.5):
    """scipy's distance in bits; p by the chi-square law of 8 times the divergence in nats of the smoothed shares."""
    reference, window = np.asarray(reference, float), np.asarray(window, float)
    filled = reference + window > 0
    smoothed = jensenshannon(reference[filled] + smoothing, window[filled] + smoothing) ** 2
    sizes = 1 / reference.sum() + 1 / window.sum()
    p_value = stats.chi2.sf(8 * smoothed / sizes, filled.sum() - 1) if filled.sum() > 1 else 1.0
    return {"statistic": float(jensenshannon(reference, window, base=2)), "pValue": float(p_value)}


def jensen_shannon():
    cases = []
    for name, reference, window in numeric_pairs(np.random.default_rng(12)):
        reference, window = rounded(reference), rounded(window)
        for bins in (10, 4) if len(reference) < 1000 else (10,):
            values, repeats = np.unique(np.quantile(reference, np.arange(1, bins) / bins), return_counts=True)
            edges = np.repeat(values, np.minimum(repeats, 2))
            counts = [bin_counts(np.array(side), edges, len(edges) + 1) for side in (reference, window)]
            case = {"name": name, "config": {"bins": bins}, **shannon(*counts)}
            cases.append({**case, "reference": sorted(reference), "window": sorted(window)})
    write("jensen-shannon", {"cases": cases})


# -- categories ----------------------------------------------------------------------------------------------------


def category_pairs():
    rng = np.random.default_rng(13)
    letters = [chr(97 + i) for i in range(20)]
    pairs = [
        ("same law", rng.multinomial(500, [1 / 8] * 8), rng.multinomial(400, [1 / 8] * 8)),
        ("moved", rng.multinomial(500, [0.5, 0.3, 0.2]), rng.multinomial(300, [0.3, 0.3, 0.4])),
        ("rare ones are pooled", [600, 380, 5, 4, 3, 2, 1], [500, 300, 0, 0, 30, 0, 2]),
        ("unseen ones are pooled", [300, 200, 100], [150, 120, 60, 40, 30]),
        ("few unseen ones", [300, 200, 100], [150, 120, 60, 1, 1]),
        ("small ones are expected below five", [900, 60, 30, 12, 12], [120, 9, 2, 4, 1]),
        ("all unseen", [300, 200, 0, 0], [0, 0, 250, 250]),
        ("one is gone", [200, 200, 100], [250, 240, 0]),
        ("only one", [400], [300]),
    ]
    for name, reference, window in pairs:
        left = {c: int(n) for c, n in zip(letters, reference) if n > 0}
        right = {c: int(n) for c, n in zip(letters, window) if n > 0}
        yield name, left, right


def category_counts(left, right, min_share):
    """Counts by category of the reference's common ones, then of all others."""
    kept = sorted(c for c, n in left.items() if n >= min_share * sum(left.values()))
    return [
        [side.get(c, 0) for c in kept] + [sum(n for c, n in side.items() if c not in kept)] for side in (left, right)
    ]


def jensen_shannon_categorical():
    cases = []
    for name, left, right in category_pairs():
        for min_share in (0.01, 0.25):
            case = {"name": name, "config": {"minShare": min_share}, **shannon(*category_counts(left, right, min_share))}
            cases.append({**case, "reference": left, "window": right})
    write("jensen-shannon-categorical", {"cases": cases})


def pool_expected(counts, least):
    """The smallest columns join the last until each is expected to hold `least` rows on either side."""
    table = np.array(counts)
    own, other = table[:, :-1], table[:, -1]
    share = table.sum(axis=1).min() / table.sum()
    own = own[:, own.sum(axis=0) > 0]
    own = own[:, np.argsort(own.sum(axis=0), kind="stable")]
    while own.shape[1] > 0:
        is_small = own[:, 0].sum() * share < least
        if not is_small and (other.sum() == 0 or other.sum() * share >= least):
            break
        other, own = other + own[:, 0], own[:, 1:]
    return np.column_stack([own, other]) if other.sum() > 0 else own


def chi_square():
    cases = []
    for name, left, right in category_pairs():
        for min_share, least in ((0.01, 5), (0.001, 1), (0.25, 20)):
            counts = category_counts(left, right, min_share)
            table = pool_expected(counts, least)
            expected = {"columns": table.shape[1], "statistic": 0.0, "pValue": 1.0}
            if table.shape[1] > 1:
                found = stats.chi2_contingency(table, correction=False)
                assert found.expected_freq.min() >= least
                expected |= {"statistic": float(found.statistic), "pValue": float(found.pvalue)}
            p, q = (np.array(side) / sum(side) for side in counts)
            filled = p + q > 0
            balanced = np.vstack([p[filled], q[filled]])
            found = stats.chi2_contingency(balanced, correction=False) if filled.sum() > 1 else None
            v = math.sqrt(float(found.statistic) / 2) if found else 0.0  # Cramer's, of a table that sums to 2
            config = {"minShare": min_share, "minExpected": least}
            cases.append({"name": name, "config": config, **expected, "effect": v, "reference": left, "window": right})
    write("chi-square", {"cases": cases})


# -- whole rows ----------------------------------------------------------------------------------------------------


class Xoshiro:
    """xoshiro128** 1.1, seeded by splitmix steps: the draws of stream/detect/random-draws.ts."""

    MASK = 0xFFFFFFFF

    def __init__(self, seed):
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B9) & self.MASK
            mixed = ((seed ^ seed >> 16) * 0x85EBCA6B) & self.MASK
            mixed = ((mixed ^ mixed >> 13) * 0xC2B2AE35) & self.MASK
            self.state.append(mixed ^ mixed >> 16)
        self.state[3] |= 1

    def rotate(self, value, bits):
        return (value << bits | value >> 32 - bits) & self.MASK

    def word(self):
        a, b, c, d = self.state
        result = (self.rotate((b * 5) & self.MASK, 7) * 9) & self.MASK
        shifted = (b << 9) & self.MASK
        c ^= a
        d ^= b
        self.state = [a ^ d, b ^ c, c ^ shifted, self.rotate(d, 11)]
        return result

    def integer(self, below):
        return self.word() * below >> 32


def energy_of(distances, group):
    rest = np.setdiff1d(np.arange(len(distances)), group)
    between = distances[np.ix_(group, rest)].mean()
    within = distances[np.ix_(group, group)].mean() + distances[np.ix_(rest, rest)].mean()
    return max(0.0, 2 * between - within), between


def energy_expected(reference, window, permutations=999, seed=1):
    """Statistic, effect and p of standardised rows: energies by numpy, regroupings drawn as the detector draws them."""
    means, sds = reference.mean(axis=0), reference.std(axis=0)
    left, right = (
        np.floor(np.clip((rows - means) / sds, -20, 20) * 10_000 + 0.5) / 10_000 for rows in (reference, window)
    )
    joint = np.vstack([right, left])
    distances = np.sqrt(((joint[:, None, :] - joint[None, :, :]) ** 2).sum(axis=2))
    observed, between = energy_of(distances, np.arange(len(right)))
    if joint.shape[1] == 1:
        published = stats.energy_distance(left[:, 0], right[:, 0])
        assert math.isclose(math.sqrt(observed), published, rel_tol=1e-9, abs_tol=1e-7)
    draws, order = Xoshiro(seed), np.arange(len(joint))
    size, energies, reached = min(len(left), len(right)), [], 0
    while len(energies) < permutations and reached < 50:
        for at in range(size):
            chosen = at + draws.integer(len(joint) - at)
            order[[at, chosen]] = order[[chosen, at]]
        energies.append(energy_of(distances, order[:size])[0])
        reached += energies[-1] >= observed * (1 - 1e-12)
    made = len(energies)
    counted = reached / made if reached == 50 else (1 + reached) / (1 + made)
    p_value = counted
    if reached < 10:
        mean, sd, skew = np.mean(energies), np.std(energies), max(0.02, float(stats.skew(energies)))
        p_value = float(stats.pearson3.sf(observed, skew, loc=mean, scale=sd))
    # what random groups of these sizes have on average
    by_chance = distances.sum() / (len(joint) * (len(joint) - 1)) * (1 / len(left) + 1 / len(right))
    effect = math.sqrt(max(0.0, observed - by_chance) / (2 * between))
    return {"statistic": math.sqrt(observed), "effect": effect, "oraclePValue": counted, "pValue": p_value}


def row_pairs():
    rng = np.random.default_rng(14)
    normal = rng.normal
    turned = np.array([[1, 0.9], [0, math.sqrt(1 - 0.81)]])
    yield "one column, same law", normal(size=(110, 1)), normal(size=(100, 1))
    yield "one column, shifted", normal(size=(100, 1)), normal(0.6, size=(130, 1))
    yield "one column, wider", normal(size=(120, 1)), normal(0, 2, size=(120, 1))
    yield "two columns, same law", normal(5, 3, size=(120, 2)), normal(5, 3, size=(100, 2))
    yield "two columns, dependent as before they were not", normal(size=(150, 2)), normal(size=(150, 2)) @ turned
    yield "three columns, one shifted", normal(size=(140, 3)), normal((0.5, 0, 0), size=(110, 3))
    yield "ties", rng.integers(0, 3, size=(130, 2)), rng.integers(0, 4, size=(120, 2))
    yield "apart", normal(size=(100, 4)), normal(3, size=(100, 4))


def energy():
    cases = []
    for name, reference, window in row_pairs():
        reference, window = np.round(reference, 3) + 0.0, np.round(window, 3) + 0.0
        expected = energy_expected(reference, window)
        rows = {"reference": reference.tolist(), "window": window.tolist()}
        cases.append({"name": name, **expected, **rows})
    write("energy", {"cases": cases})


def preorder(tree, node=0):
    """A tree as plain numbers: a split is its column and threshold, a leaf -1 less its rows; left before right."""
    if tree.children_left[node] < 0:
        return [-1 - int(tree.n_node_samples[node])]
    split = [int(tree.feature[node]), float(tree.threshold[node])]
    return split + preorder(tree, tree.children_left[node]) + preorder(tree, tree.children_right[node])


def isolation_forest():
    rng = np.random.default_rng(15)
    cases = []
    for name, trees, reference, window in (
        ("three columns", 100, rng.normal(size=(400, 3)), rng.normal(0.7, 1.3, size=(60, 3))),
        ("ties and a constant", 20, rng.integers(0, 4, size=(300, 2)) * (1, 0), rng.integers(0, 6, size=(40, 2))),
        ("fewer rows than a tree takes", 15, rng.normal(size=(90, 2)), rng.normal(size=(30, 2)) * 4),
    ):
        # scikit-learn compares 32-bit floats: multiples of 1/256 are the same in either width.
        reference, window = (np.round(rows * 256) / 256 + 0.0 for rows in (reference, window))
        forest = IsolationForest(n_estimators=trees, random_state=1).fit(reference)
        reference_scores = forest.score_samples(reference)
        scores = forest.score_samples(window)
        found = stats.ks_2samp(np.round(reference_scores, 6), np.round(scores, 6), method="asymp")
        case = {
            "name": name,
            "treeRows": int(forest.max_samples_),
            "trees": [preorder(one.tree_) for one in forest.estimators_],
            "referenceScores": sorted(reference_scores.tolist()),
            "window": window.tolist(),
            "scores": scores.tolist(),
            "statistic": float(found.statistic),
            "pValue": float(found.pvalue),
        }
        cases.append(case)
    write("isolation-forest", {"cases": cases})


if __name__ == "__main__":
    wasserstein()
    jensen_shannon()
    jensen_shannon_categorical()
    chi_square()
    energy()
    isolation_forest()
