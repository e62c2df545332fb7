# SPDX-License-Identifier: Apache-2.0
"""Is a defect that an optical inspection machine raised real? A forest on what the station knows when the panel is done.

Records of one panel follow one another within a second; a longer pause starts the next panel. Real errors come in clusters on few
panels, so everything that is chosen by trying is chosen over whole panels.
"""
import numpy as np
from forest import Forest

TEXTS = ["machine_id", "component_id", "pin_number", "aoi_label"]
COUNTS = [
    "figure_id", "panel_records", "panel_components", "panel_component_records", "figure_records", "component_records",
    "pin_records",
]
PANEL_GAP_NS = 1_000_000_000
FOLDS = 4


def letters(component):
    """Kind of a component, "C" for "C31", as a number."""
    kind = component.rstrip("0123456789")
    return float(sum(ord(c) * (i + 1) for i, c in enumerate(kind)))


class Encoder:
    """Texts to numbers, in the order of the alphabet; -1 for one that training has not seen."""

    def __init__(self, columns):
        self.codes = [{text: float(i) for i, text in enumerate(sorted(set(column)))} for column in columns]

    def rows(self, source):
        texts = [[text or "" for text in np.ravel(source.column(name))] for name in TEXTS]
        numbers = [np.ravel(source.column(name)).astype(np.float64) for name in COUNTS]
        encoded = [[codes.get(text, -1.0) for text in column] for codes, column in zip(self.codes, texts)]
        return np.column_stack(encoded + [[letters(text) for text in texts[1]]] + numbers)


def make(params):
    from sklearn.ensemble import ExtraTreesClassifier

    # Extra trees cut at random places: with errors on few panels they carry over to unseen panels better than a
    # random forest, which learns the very numbers of records of the panels it saw.
    return ExtraTreesClassifier(
        n_estimators=params["trees"],
        min_samples_leaf=params["min_samples_leaf"],
        class_weight="balanced_subsample",
        bootstrap=True,
        random_state=params["seed"],
        n_jobs=1,
    )


def best_threshold(scores, errors):
    """The score from which on calling it an error gives the highest F1 of class error."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(errors[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + errors.sum())
    last = np.append(scores[order][1:] != scores[order][:-1], True)  # equal scores fall together
    return float(scores[order][np.argmax(np.where(last, f1, -1.0))])


def train(dataset, params, run):
    labels = dataset.labels
    rows_known = labels != ""
    encoder = Encoder([[text or "" for text in dataset.column(name)] for name in TEXTS])
    rows = encoder.rows(dataset)[rows_known]
    errors = labels[rows_known] == "error"
    times = np.asarray(dataset.times)[rows_known]
    groups = np.asarray(dataset.group_codes)[rows_known]
    if not errors.any() or errors.all() or not np.isfinite(rows).all():
        raise ValueError("the dataset needs rows of both classes, with all counts")
    pause = np.diff(times)
    panels = np.concatenate([[0], np.cumsum((pause > PANEL_GAP_NS) | (pause < 0) | (groups[1:] != groups[:-1]))])
    run.log(f"{len(rows)} records of {panels[-1] + 1} panels, {int(errors.sum())} errors")
    run.metric("records", len(rows))
    run.metric("panels", int(panels[-1]) + 1)
    threshold = params["threshold"]
    if threshold == 0.0:
        scores = np.zeros(len(rows))
        fold = np.random.RandomState(params["seed"]).permutation(int(panels[-1]) + 1)[panels] % FOLDS
        for part in range(FOLDS):
            out = fold == part
            if out.any() and errors[~out].any() and not errors[~out].all():
                model = make(params).fit(rows[~out], errors[~out])
                scores[out] = model.predict_proba(rows[out])[:, 1]
            run.progress((part + 1) / (FOLDS + 1))
        threshold = best_threshold(scores, errors)
        called = scores >= threshold
        run.metric("cv_f1_error", 2 * float((called & errors).sum()) / float(called.sum() + errors.sum()))
    run.metric("threshold", threshold)
    forest = Forest(make(params).fit(rows, errors))
    return {"encoder": encoder, "forest": forest, "threshold": threshold}


def answers(model, source):
    rows = model["encoder"].rows(source)
    good = np.isfinite(rows).all(axis=1)
    scores = np.zeros(len(rows))
    if good.any():
        scores[good] = model["forest"].predict_proba(rows[good])[:, 1]
    names = np.where(scores >= model["threshold"], "error", "pseudo_error").tolist()
    return [
        {"class": name, "error_score": score} if known else None
        for name, score, known in zip(names, scores.tolist(), good.tolist())
    ]


def predict(model, window, params):
    return answers(model, window)[0]


def predict_batch(model, windows, params):
    return answers(model, windows)
