# SPDX-License-Identifier: Apache-2.0
"""Ingests, trains and predicts from Python: script.py [HOME]

A press makes a force curve; a workflow written here on the spot learns which strokes are too weak.
"""
import json
import pathlib
import sys
import tempfile

import numpy as np

import edgeops

WORKFLOW = {
    "format": 1, "name": "weak-stroke", "version": "1.0.0", "description": "tells weak strokes from good ones",
    "python": {"module": "weak_stroke", "requires": ">=3.9"},
    "inputs": [{"name": "force", "type": "float64", "unit": "kN"}],
    "window": {"rows": 1},
    "label": {"name": "verdict", "classes": ["good", "weak"]},
    "outputs": [{"name": "verdict", "type": "string"}],
}
MODULE = '''
import numpy as np


def train(dataset, params, run):
    labels = np.asarray(dataset.labels)
    force = dataset.values[:, 0]
    border = (force[labels == "good"].min() + force[labels == "weak"].max()) / 2
    run.metric("border_kn", border)
    return float(border)


def predict(model, window, params):
    return {"verdict": "weak" if window.values[-1, 0] < model else "good"}
'''


def main(home):
    rng = np.random.default_rng(7)
    times = np.arange("2026-03-01T06:00", "2026-03-01T06:20", np.timedelta64(1, "s"), dtype="datetime64[ns]")
    weak = rng.random(len(times)) < 0.2
    force = np.where(weak, 60, 80) + rng.normal(0, 3, len(times))

    with edgeops.Node(home, mode="local") as node:
        node.store.declare("press", "force", "float64", "kN")
        print(node.store.append("press", times, {"force": force}))
        node.store.label_all(edgeops.NewLabel("press", "weak" if is_weak else "good", time, author="script")
                             for time, is_weak in zip(times, weak))
        dataset = node.call("dataset.create", name="strokes", assets=["press"], labelled_only=True)
        print("dataset of", dataset["rows"], "rows, digest", dataset["digest"][:12])

        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "workflow.json").write_text(json.dumps(WORKFLOW))
            (pathlib.Path(folder) / "weak_stroke.py").write_text(MODULE)
            node.call("workflow.add", path=folder)
        trained = node.train("weak-stroke", "strokes", on_event=lambda event: print("  ", event))
        rows, summary = node.predict(trained["model"], dataset="strokes")
        print(trained["model"], "predicts", len(rows), "strokes with accuracy", summary["metrics"]["accuracy"])

        table = node.store.read("press", last=5)
        print(table.times[-1], table["force"])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(temporary)
