# SPDX-License-Identifier: Apache-2.0
"""The example workflows by themselves: what they learn, and that their forest answers as scikit-learn does."""
import csv
import gzip
import importlib
import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

sklearn_ensemble = pytest.importorskip("sklearn.ensemble")

ROOT = pathlib.Path(os.environ.get("EDGEOPS_SOURCE_ROOT", pathlib.Path(__file__).parents[2]))
EXAMPLES = ROOT / "examples" / "workflows"
AOI = ROOT.parent / "shared" / "data" / "pcb-phme2022-aoi" / "aoi_training.csv.gz"
sys.path[:0] = [str(EXAMPLES / name) for name in ("common", "imu-activity", "pcb-quality", "aoi-verdict")]
forest = importlib.import_module("forest")


class Rows:
    """Rows as a worker shows them: values, times and columns in their own type."""

    def __init__(self, columns, times, labels, groups):
        self.columns = list(columns)
        self._data = columns
        self.times = np.asarray(times, np.int64)
        self.labels = np.asarray(labels, object)
        self.group_codes = np.asarray(groups, np.int32)

    @property
    def values(self):
        return np.column_stack([np.asarray(column, np.float64) for column in self._data.values()])

    def column(self, name):
        return np.asarray(self._data[name])


class Batch:
    """Windows, values [n, rows, channels]."""

    def __init__(self, values=None, rows=None):
        self.values = values
        self._rows = rows

    def column(self, name):
        return self._rows.column(name)[:, None]


class Run:
    def __init__(self):
        self.metrics = {}

    def log(self, *words):
        pass

    def metric(self, name, value, step=None):
        self.metrics[name] = float(value)

    def progress(self, part):
        assert 0 <= part <= 1


def defaults(name, **changes):
    manifest = json.loads((EXAMPLES / name / "workflow.json").read_text())
    params = {p["name"]: p["default"] for p in manifest["parameters"]}
    assert changes.keys() <= params.keys()
    return {**params, **changes}


@pytest.mark.parametrize("kind", ["RandomForestClassifier", "ExtraTreesClassifier"])
@pytest.mark.parametrize("classes", [2, 5])
def test_forest_answers_bit_for_bit_as_scikit_learn(kind, classes):
    random = np.random.RandomState(3)
    rows = random.normal(size=(800, 12))
    rows[:, 3] = np.round(rows[:, 3])
    labels = np.array([f"c{i}" for i in random.randint(classes, size=800)])
    for leaf, weight in ((1, None), (3, "balanced")):
        model = getattr(sklearn_ensemble, kind)(60, min_samples_leaf=leaf, class_weight=weight, random_state=1).fit(rows, labels)
        flat = forest.Forest(model)
        unseen = np.vstack([random.normal(size=(3000, 12)), rows[:50], model.estimators_[0].tree_.threshold[:12][None]])
        assert np.array_equal(flat.predict_proba(unseen), model.predict_proba(unseen))
        assert np.array_equal(flat.predict_proba(unseen[:1]), model.predict_proba(unseen[:1]))
    with pytest.raises(ValueError):
        flat.predict_proba(unseen[:, :5])


def test_forest_of_single_leaves():
    rows = np.zeros((10, 2))
    model = sklearn_ensemble.RandomForestClassifier(5, random_state=0).fit(rows, ["a"] * 5 + ["b"] * 5)
    assert np.array_equal(forest.Forest(model).predict_proba(rows), model.predict_proba(rows))


def read_imu(name):
    channels = ["x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro"]
    with gzip.open(ROOT / "examples" / "data" / "imu-watch" / f"watch_{name}.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    people = sorted({row["subject"] for row in rows})
    return Rows(
        {c: [float(row[c]) for row in rows] for c in channels},
        [int(row["unixtime_ms"]) * 1_000_000 for row in rows],
        [row["label"] for row in rows],
        [people.index(row["subject"]) for row in rows],
    )


def fixed_step_windows(data, rows=50, step=25, gap=1_000_000_000):
    """As a live asset is cut: anew after a pause; windows of mixed labels have none and are left out."""
    edges = (np.diff(data.group_codes) != 0) | (np.diff(data.times) > gap)
    edges = np.concatenate([[0], np.nonzero(edges)[0] + 1, [len(data.times)]])
    values = data.values
    starts = [s for a, b in zip(edges[:-1], edges[1:]) for s in range(a, b - rows + 1, step)]
    starts = [s for s in starts if (data.labels[s : s + rows] == data.labels[s]).all()]
    return np.array([values[s : s + rows] for s in starts]), data.labels[starts]


def test_imu_activity_matches_plain_scikit_learn_on_unseen_people(record_property):
    imu = importlib.import_module("imu_activity")
    metrics = importlib.import_module("sklearn.metrics")
    params = defaults("imu-activity")
    model = imu.train(read_imu("train"), params, Run())
    windows, labels = fixed_step_windows(read_imu("unseen"))
    found = imu.predict_batch(model, Batch(windows), params)
    guesses = [answer["class"] for answer in found]
    accuracy = metrics.accuracy_score(labels.astype(str), guesses)
    macro_f1 = metrics.f1_score(labels.astype(str), guesses, average="macro")
    record_property("accuracy", accuracy)
    record_property("macro_f1", macro_f1)
    assert abs(accuracy - 0.9733) < 0.005 and abs(macro_f1 - 0.9558) < 0.005, (accuracy, macro_f1)
    one = Batch(windows[7])
    assert imu.predict(model, one, params) == found[7]
    one.values = np.where(np.arange(50)[:, None] == 3, np.nan, windows[7])
    assert imu.predict(model, one, params) is None
    start = time.perf_counter()
    for window in windows[:200]:
        one.values = window
        imu.predict(model, one, params)
    print(f"accuracy {accuracy:.4f}, macro F1 {macro_f1:.4f}, {(time.perf_counter() - start) / 200 * 1e6:.0f} us a prediction")


def test_pcb_quality_learns():
    pcb = importlib.import_module("pcb_quality")
    random = np.random.RandomState(5)
    rows = random.normal(100.0, 5.0, size=(900, 16))
    labels = np.where(rows[:, 0] < 95, "error", np.where(rows[:, 9] > 106, "pseudo-error", "ok"))
    data = Rows(dict(zip(pcb.COLUMNS, rows.T)), np.arange(900) * 10**9, labels, np.zeros(900))
    params = defaults("pcb-quality", trees=30)
    model = pcb.train(data, params, Run())
    found = pcb.predict_batch(model, Batch(rows[:, None, :]), params)
    assert np.mean([answer["class"] == label for answer, label in zip(found, labels)]) > 0.97
    assert pcb.predict(model, Batch(rows[4:5]), params) == found[4]
    assert pcb.predict(model, Batch(np.full((1, 16), np.nan)), params) is None


def test_columns_of_pcb_quality_are_the_manifest_s():
    manifest = json.loads((EXAMPLES / "pcb-quality" / "workflow.json").read_text())
    assert [port["name"] for port in manifest["inputs"]] == importlib.import_module("pcb_quality").COLUMNS


def read_aoi(path):
    numbers = importlib.import_module("aoi_verdict").COUNTS
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {c: [row[c] for row in rows] for c in rows[0] if c not in ("time", "class")}
    for name in numbers:
        columns[name] = [int(value) for value in columns[name]]
    times = np.array([row["time"].rstrip("Z") for row in rows], "datetime64[ns]").astype(np.int64)
    return Rows(columns, times, [row["class"] for row in rows], np.zeros(len(rows)))


@pytest.mark.skipif(not AOI.exists(), reason="../shared/data/pcb-phme2022-aoi is not there")
def test_aoi_verdict_finds_errors_on_unseen_panels(tmp_path, record_property):
    aoi = importlib.import_module("aoi_verdict")
    metrics = importlib.import_module("sklearn.metrics")
    params = defaults("aoi-verdict")
    labels, guesses, folds = [], [], []
    # Errors sit on few panels, so one split says little (0.79 to 0.92): every panel is a test panel once.
    for fold in range(4):
        command = [sys.executable, ROOT / "tests" / "data" / "make_aoi_samples.py", AOI, tmp_path, str(fold)]
        subprocess.run(command, check=True)
        model = aoi.train(read_aoi(tmp_path / "train.csv"), params, Run())
        test = read_aoi(tmp_path / "test.csv")
        found = [answer["class"] for answer in aoi.predict_batch(model, Batch(rows=test), params)]
        folds.append(metrics.f1_score(test.labels.astype(str), found, pos_label="error"))
        labels.extend(test.labels)
        guesses.extend(found)
    f1 = metrics.f1_score(labels, guesses, pos_label="error")
    record_property("f1_error", f1)
    print(f"F1(error) {f1:.4f} on {len(guesses)} records, each fold {np.round(folds, 3)}")
    assert len(guesses) == 31617 and f1 >= 0.78, f1
