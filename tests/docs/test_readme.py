# SPDX-License-Identifier: Apache-2.0
"""Runs every command of the README as a reader would, in a clone of this checkout."""
import os
import re
import shutil
import subprocess

import pytest

from harness import ROOT, Broker, wait_until

TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.M | re.S)
COMMANDS, EMBED, OFFLINE, IMPORT, SERVE, LIVE, KEEP, WORKFLOW, PYTHON, BENCHMARK = range(10)


class Reader:
    """Somebody who types what the README says, with a broker and an installation folder of their own."""

    def __init__(self, folder):
        self.clone = folder / "edgeops"
        subprocess.run(["git", "clone", "--quiet", "--local", "--no-hardlinks", ROOT, self.clone], check=True)
        # What is not committed yet is read as well, so that a mistake shows before it is committed.
        changed = subprocess.run(["git", "diff", "--name-only", "HEAD"], cwd=ROOT, check=True, capture_output=True,
                                 text=True).stdout.split()
        for name in changed:
            if (ROOT / name).is_file():
                shutil.copy(ROOT / name, self.clone / name)
        self.broker = Broker(folder).start()
        self.environment = {**os.environ, "EDGEOPS_HOME": str(self.clone / "home"), "DESTDIR": str(folder / "installed"),
                            "PATH": f"{self.clone}/build/cli:{os.environ['PATH']}"}
        self.environment.pop("EDGEOPS_WORKER", None)

    def type(self, block):
        """Runs a block; gives what it printed."""
        block = block.replace("127.0.0.1:1883", f"127.0.0.1:{self.broker.port}")
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=self.clone, env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{block}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    made = Reader(tmp_path_factory.mktemp("readme"))
    yield made
    made.broker.stop()


def test_the_first_block_is_the_two_commands():
    assert BLOCKS[COMMANDS].splitlines() == ["sh examples/demo.sh", "sh tests/run.sh"]
    assert TEXT.index("```sh") == TEXT.index("```"), "the first fenced block holds the two commands"
    assert len(BLOCKS) == 10


def test_the_program_shown_is_the_one_that_is_built():
    shown = re.search(r"^```c\n(.*?)^```$", TEXT, re.M | re.S)[1]
    assert shown == (ROOT / "examples/host.c").read_text()


def test_the_first_command(reader):
    out = reader.type(BLOCKS[COMMANDS].splitlines()[0])
    figures = re.search(r"accuracy\D*([\d.]+)\D+macro F1\D*([\d.]+)", out)
    assert figures, out[-3000:]
    assert float(figures[1]) > 0.93 and float(figures[2]) > 0.90
    assert "predictions/s" in out and "message in to prediction out p50" in out
    again = reader.type(BLOCKS[COMMANDS].splitlines()[0])
    assert "done" in again
    left = subprocess.run(["git", "status", "--porcelain"], cwd=reader.clone, capture_output=True, text=True).stdout
    assert not [line for line in left.splitlines() if line.startswith("??")], left


def test_embedding(reader):
    folder = reader.environment["DESTDIR"]
    prefix = f"{folder}/usr/local"
    reader.environment["PKG_CONFIG_SYSROOT_DIR"] = folder
    reader.environment["PKG_CONFIG_PATH"] = ":".join(
        f"{prefix}/{lib}/pkgconfig" for lib in ("lib", ))
    reader.type(BLOCKS[EMBED])
    assert (reader.clone / "host").exists()


def test_the_command_line(reader):
    out = reader.type(BLOCKS[OFFLINE])
    assert "accuracy" in out


def test_what_the_field_sends(reader):
    out = reader.type(BLOCKS[IMPORT])
    assert "has the units" in out
    assert "2026-10-24T21:30:00Z" in out and "NA=1" in out
    assert (reader.clone / "refused.csv").read_text().splitlines()[1].startswith("3,temp,")


def test_live_data(reader):
    process = subprocess.Popen(BLOCKS[SERVE].split(), cwd=reader.clone, env=reader.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        assert "ready" in process.stdout.readline()
        lines = BLOCKS[LIVE].splitlines()
        after = next(i for i, line in enumerate(lines) if line.startswith("edgeopsctl source show"))
        reader.type("\n".join(lines[:after]))
        wait_until(lambda: "2000" in reader.type("edgeopsctl --json asset ls"), what="the samples")
        reader.type("\n".join(lines[after:]))
    finally:
        process.terminate()
        assert process.wait(timeout=15) == 0
        process.stdout.close()


def test_keeping_data(reader):
    out = reader.type(BLOCKS[KEEP])
    assert "no damage was found" in out and "test_assets" in out and "accuracy" in out


def test_writing_a_workflow(reader):
    out = reader.type(BLOCKS[WORKFLOW])
    assert "my-workflow" in out


def test_python(reader):
    out = reader.type(BLOCKS[PYTHON])
    assert "accuracy" in out and "source.add" in out


def test_the_benchmarks_are_listed(reader):
    # Running them takes minutes and is no test; that the command finds them is.
    setup, run = BLOCKS[BENCHMARK].splitlines()
    reader.type(setup)
    out = reader.type(run.replace(" -v", " --list --no-rebuild"))
    assert all(name in out for name in ("ingest", "predict", "install", "idle", "store")), out
