# SPDX-License-Identifier: Apache-2.0
"""Verdict on a solder-paste deposit: a random forest on its 16 measurements and a few quantities derived from them."""
import numpy as np
from forest import Forest

COLUMNS = [
    "volume_pct", "height_um", "area_pct", "offset_x_pct", "offset_y_pct", "size_x_mm", "size_y_mm", "volume_um3",
    "area_um2", "shape_um", "pos_x_mm", "pos_y_mm", "paste_temp_c", "humidity_pct", "squeegee_force_n", "print_speed_mm_s",
]
AT = {name: index for index, name in enumerate(COLUMNS)}


def features(rows):
    """The measurements, how far the deposit is off the pad in all, and how full it is for its height and area."""
    offset = np.hypot(rows[:, AT["offset_x_pct"]], rows[:, AT["offset_y_pct"]])
    area = np.maximum(np.abs(rows[:, AT["area_pct"]]), 1e-6)
    fill = rows[:, AT["volume_pct"]] / area
    return np.column_stack([rows, offset, fill])


def train(dataset, params, run):
    from sklearn.ensemble import RandomForestClassifier

    rows, labels = np.asarray(dataset.values), dataset.labels
    known = (labels != "") & np.isfinite(rows).all(axis=1)
    if not known.any():
        raise ValueError("the dataset has no row with a label and all measurements")
    rows, labels = features(rows[known]), labels[known].astype(str)
    run.log(f"{len(rows)} deposits with a label")
    run.metric("deposits", len(rows))
    # scikit-learn's own "balanced" warns when trees are added one part at a time, as here.
    classes, counts = np.unique(labels, return_counts=True)
    weights = dict(zip(classes, len(labels) / (len(classes) * counts)))
    model = RandomForestClassifier(
        n_estimators=0,
        min_samples_leaf=params["min_samples_leaf"],
        class_weight=weights,
        random_state=params["seed"],
        warm_start=True,
        n_jobs=1,
    )
    for part in range(1, 11):
        model.n_estimators = max(1, params["trees"] * part // 10)
        model.fit(rows, labels)
        run.progress(part / 10)
    run.metric("train_accuracy", float(model.score(rows, labels)))
    return Forest(model)


def answers(model, rows):
    chances = model.predict_proba(features(rows))
    best = chances.argmax(axis=1)
    return [{"class": model.classes[i], "confidence": float(row[i])} for i, row in zip(best.tolist(), chances)]


def predict(model, window, params):
    rows = window.values[-1:]
    if not np.isfinite(rows).all():
        return None
    return answers(model, rows)[0]


def predict_batch(model, windows, params):
    rows = np.asarray(windows.values)[:, -1]
    good = np.isfinite(rows).all(axis=1)
    found = iter(answers(model, rows[good]) if good.any() else [])
    return [next(found) if known else None for known in good.tolist()]
