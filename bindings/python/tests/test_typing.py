# SPDX-License-Identifier: Apache-2.0
"""The package is fully typed: mypy --strict finds nothing in it, nor in a program that uses it."""
import subprocess

from conftest import ROOT

PROGRAM = """
import edgeops
import numpy as np


def work(home: str) -> float:
    with edgeops.Node(home) as node, edgeops.Store.open("other") as store:
        done: edgeops.Appended = node.store.append("a", np.arange(3), {"x": [1.0, None, 3.0]})
        buckets: list[edgeops.Bucket] = store.aggregate("a", every=1000)
        table: edgeops.Table = store.read("a", start="2026-01-01")
        labels: list[edgeops.Label] = store.labels()
        node.on_prediction(lambda prediction: print(prediction.outputs))
        call: edgeops.Call = node.call_start("node.status")
        mean = buckets[0].channels["x"].mean
        print(done.appended, labels, call.result(), table.times_ns.sum())
        return 0.0 if mean is None else mean


async def wait(node: edgeops.Node) -> None:
    with edgeops.aio.attach(node) as attached:
        async for prediction in attached.predictions():
            print(prediction.asset)
"""


def mypy(python, *arguments):
    done = subprocess.run([python, "-m", "mypy", "--strict", *arguments], capture_output=True, text=True,
                          cwd=ROOT / "bindings/python")
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_strict_finds_nothing(environment, tmp_path):
    python = environment("mypy", ["mypy", "numpy"])
    (tmp_path / "program.py").write_text(PROGRAM)
    mypy(python, "--cache-dir", tmp_path / "cache", "edgeops", tmp_path / "program.py")


def test_no_module_is_longer_than_one_can_read():
    for path in (ROOT / "bindings/python/edgeops").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 700, path
