# SPDX-License-Identifier: Apache-2.0
"""What the tests of the binding share: a node of their own, the checkout, and virtual environments with foreign packages."""
import os
import pathlib
import subprocess
import sys

import pytest

import edgeops

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def node(tmp_path):
    with edgeops.Node(tmp_path / "home", mode="local") as opened:
        yield opened


@pytest.fixture
def store(node):
    return node.store


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """environment(name, packages): the Python of a virtual environment with packages of the index; skips without them.

    It is kept in the build folder, where there is one.
    """
    build = os.environ.get("EDGEOPS_BUILD_ROOT")
    folder = pathlib.Path(build) / "bindings" if build else tmp_path_factory.mktemp("environments")

    def make(name, packages):
        venv = folder / f"venv-{name}"
        python = venv / "bin/python"
        ready = venv / "ready"
        if not ready.exists() or ready.read_text() != " ".join(packages):
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
                                  capture_output=True, text=True)
            if done.returncode != 0:
                pytest.skip(f"{', '.join(packages)} cannot be installed: {(done.stderr.splitlines() or ['?'])[-1]}")
            ready.write_text(" ".join(packages))
        return python

    return make


@pytest.fixture
def run_python():
    """run_python(python, code, *arguments): runs a program with the binding; gives what it printed."""
    def run(python, code, *arguments, timeout=120):
        done = subprocess.run([python, "-X", "dev", "-c", code, *map(str, arguments)], capture_output=True, text=True,
                              timeout=timeout, env={**os.environ, "PYTHONPATH": str(ROOT / "bindings/python")})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    return run
