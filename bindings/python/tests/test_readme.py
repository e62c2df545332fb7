# SPDX-License-Identifier: Apache-2.0
"""Runs every program of the binding's README."""
import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT

BLOCKS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "bindings/python/README.md").read_text(), re.M | re.S)


def test_there_are_programs():
    assert len(BLOCKS) == 3


@pytest.mark.parametrize("block", BLOCKS)
def test_a_program_of_the_readme_runs(block, tmp_path):
    if "asyncio.timeout" in block and sys.version_info < (3, 11):
        pytest.skip("asyncio.timeout() came with Python 3.11")
    if "to_pandas" in block:
        pytest.importorskip("pandas")
    done = subprocess.run([sys.executable, "-W", "error", "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(ROOT / "bindings/python")})
    assert done.returncode == 0 and done.stdout and not done.stderr, done.stdout + done.stderr
