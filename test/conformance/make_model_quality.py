"""Numbers of scikit-learn for the quality of labelled predictions: vectors/model-quality.json.

    python test/conformance/make_model_quality.py
"""

import json
import os

import numpy as np
import sklearn
from sklearn.metrics import accuracy_score, recall_score

BINS = 20
UNITS = 1_000_000


def expected_calibration_error(right, confidence):
    """Naeini, Cooper, Hauskrecht 2015: bins of equal width, the last one closed; confidences in whole millionths."""
    millionths = np.round(np.asarray(confidence) * UNITS).astype(int)
    bins = np.minimum(BINS - 1, millionths * BINS // UNITS)
    right = np.asarray(right, dtype=float)
    error = 0.0
    for b in range(BINS):
        inside = bins == b
        if inside.any():
            gap = abs(right[inside].mean() - (millionths[inside] / UNITS).mean())
            error += inside.mean() * gap
    return error


def case(seed, count, classes, skew):
    rng = np.random.default_rng(seed)
    names = [f"class {index}" for index in range(classes)]
    weights = np.arange(1, classes + 1, dtype=float) ** skew
    truth = rng.choice(names, size=count, p=weights / weights.sum())
    confidence = np.round(rng.uniform(0.3, 1.0, size=count), 4)
    right = rng.uniform(size=count) < confidence**1.4
    wrong = rng.choice(names, size=count)
    predicted = np.where(right, truth, wrong)
    labels = sorted(set(truth.tolist()))
    recall = recall_score(truth, predicted, labels=labels, average=None, zero_division=0.0)
    return {
        "rows": [[str(p), str(t), float(c)] for p, t, c in zip(predicted, truth, confidence)],
        "accuracy": float(accuracy_score(truth, predicted)),
        "recall": [[name, float(value)] for name, value in zip(labels, recall)],
        "calibrationError": float(expected_calibration_error(predicted == truth, confidence)),
    }


def main():
    cases = [case(1, 50, 2, 0.0), case(2, 400, 2, 2.0), case(3, 600, 7, 1.0), case(4, 1, 2, 0.0), case(5, 800, 40, 0.5)]
    path = os.path.join(os.path.dirname(__file__), "vectors", "model-quality.json")
    document = {"madeBy": {"scikit-learn": sklearn.__version__, "numpy": np.__version__}, "cases": cases}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.write("\n")


if __name__ == "__main__":
    main()
