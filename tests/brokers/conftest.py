# SPDX-License-Identifier: Apache-2.0
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Node, write_workflow  # noqa: E402

DOUBLE = """
def train(dataset, params, run):
    return {}


def predict(model, window, params):
    return {"y": float(window.values[-1, 0]) * 2}
"""
WORDY = DOUBLE.replace('float(window.values[-1, 0]) * 2', '"a" * int(window.values[-1, 0])')


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A home with the models double (y = 2 x) and wordy (y is a text of x letters), to be copied."""
    folder = tmp_path_factory.mktemp("trained")
    with Node(folder) as node:
        node.run("node", "init")
        node.run("data", "import", "seed", "--input", "-", input="time,x\n2025-01-01T00:00:00Z,1\n2025-01-01T00:00:01Z,2\n")
        node.run("dataset", "create", "seed", "--asset", "seed")
        node.run("workflow", "add", write_workflow(folder, "double", DOUBLE))
        node.run("workflow", "add", write_workflow(folder, "wordy", WORDY, outputs=[{"name": "y", "type": "string"}]))
        for name in ("double", "wordy"):
            node.run("train", name, "--dataset", "seed", "--name", name)
    return node.home


@pytest.fixture(scope="session")
def new_node(trained):
    """new_node(folder): a node of its own with the trained models."""

    def make(folder, name="home"):
        node = Node(folder, name)
        shutil.copytree(trained, node.home)
        return node

    return make


def pytest_sessionfinish(session, exitstatus):
    """Skipped as a whole is a skip, not a pass; the last line says why."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and reporter and "skipped" in reporter.stats and "passed" not in reporter.stats:
        session.exitstatus = 77
        session.config.skipped_for = "; ".join(sorted({report.longrepr[2] for report in reporter.stats["skipped"]}))


def pytest_unconfigure(config):
    if hasattr(config, "skipped_for"):
        print(config.skipped_for.replace("Skipped: ", ""))
