# SPDX-License-Identifier: Apache-2.0
"""What a person does, from the six channels of a watch: a random forest on simple features of 50 rows, about one second."""
import numpy as np
from forest import Forest

ROWS, STEP = 50, 25
MAX_GAP_NS = 1_000_000_000


def features(values):
    """float64[n, 6 x channels] of windows [n, rows, channels]: mean, std, min, max, rms, mean absolute difference."""
    mean = values.mean(axis=1)
    # By hand: np.std() and np.diff() cost more in Python than in arithmetic for one window.
    centered = values - mean[:, None, :]
    rows = values.shape[1]
    std = np.sqrt(np.einsum("nrc,nrc->nc", centered, centered) / rows)
    rms = np.sqrt(np.einsum("nrc,nrc->nc", values, values) / rows)
    step = np.abs(values[:, 1:] - values[:, :-1]).mean(axis=1)
    return np.concatenate([mean, std, values.min(axis=1), values.max(axis=1), rms, step], axis=1)


def training_windows(dataset):
    """Windows that start anew at each pause and at each label's border: more of the short activities than a fixed step gives."""
    values, times = np.asarray(dataset.values), np.asarray(dataset.times)
    labels, groups = dataset.labels, dataset.group_codes
    pause = np.diff(times)
    border = (labels[1:] != labels[:-1]) | (groups[1:] != groups[:-1]) | (pause > MAX_GAP_NS) | (pause < 0)
    edges = np.concatenate([[0], np.nonzero(border)[0] + 1, [len(values)]])
    starts = [first for a, b in zip(edges[:-1], edges[1:]) if labels[a] for first in range(a, b - ROWS + 1, STEP)]
    if not starts:
        raise ValueError(f"the dataset has no {ROWS} rows in a row with one label")
    starts = np.array(starts)
    windows = values[starts[:, None] + np.arange(ROWS)]
    good = np.isfinite(windows).all(axis=(1, 2))
    return windows[good], labels[starts][good].astype(str)


def train(dataset, params, run):
    from sklearn.ensemble import RandomForestClassifier

    windows, labels = training_windows(dataset)
    run.log(f"{len(windows)} windows of {ROWS} rows, {len(set(labels))} activities")
    run.metric("windows", len(windows))
    model = RandomForestClassifier(
        n_estimators=0,
        min_samples_leaf=params["min_samples_leaf"],
        random_state=params["seed"],
        warm_start=True,
        n_jobs=1,
    )
    rows = features(windows)
    for part in range(1, 11):
        model.n_estimators = max(1, params["trees"] * part // 10)
        model.fit(rows, labels)
        run.progress(part / 10)
    run.metric("train_accuracy", float(model.score(rows, labels)))
    return Forest(model)


def answers(model, values):
    chances = model.predict_proba(features(values))
    best = chances.argmax(axis=1)
    return [{"class": model.classes[i], "confidence": float(row[i])} for i, row in zip(best.tolist(), chances)]


def predict(model, window, params):
    values = window.values
    if not np.isfinite(values).all():
        return None
    return answers(model, values[None])[0]


def predict_batch(model, windows, params):
    values = np.asarray(windows.values)
    good = np.isfinite(values).all(axis=(1, 2))
    found = iter(answers(model, values[good]) if good.any() else [])
    return [next(found) if known else None for known in good.tolist()]
