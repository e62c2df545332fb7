# SPDX-License-Identifier: Apache-2.0
"""The library in someone else's program: the examples, built against the installed prefix through pkg-config alone."""
import json
import os
import pathlib
import subprocess

import pytest

from harness import BUILD, ROOT, Broker, Node, wait_until, write_workflow

TELL = """
def train(dataset, params, run):
    return "warm"


def predict(model, window, params):
    return {"verdict": model if window.values[-1, 0] > 20 else "cold"}
"""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """Where `meson install` put things, and the flags that pkg-config gives for them."""
    folder = tmp_path_factory.mktemp("prefix")
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", folder], check=True)
    pc = next(folder.rglob("edgeops.pc"))
    environment = {**os.environ, "PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(folder)}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "edgeops"], check=True, env=environment,
                           capture_output=True, text=True).stdout.split()
    return next(folder.rglob("libedgeops.so")).parent, flags


def test_the_host_example_is_short():
    assert len((ROOT / "examples/host.c").read_text().splitlines()) <= 30


def test_only_the_public_interface_is_exported(prefix):
    names = subprocess.run(["nm", "-D", "--defined-only", prefix[0] / "libedgeops.so"], check=True, capture_output=True,
                           text=True).stdout.split("\n")
    foreign = [line.split()[-1] for line in names if line and " A " not in line
               and not line.split()[-1].startswith("edgeops_")]
    assert foreign == []


@pytest.mark.parametrize("name", ["host", "foreign_loop"])
@pytest.mark.parametrize("compiler", [["cc", "-std=c99", "-D_POSIX_C_SOURCE=200809L"], ["c++", "-x", "c++"]], ids=["c99", "c++"])
def test_example_takes_samples_and_shows_predictions(prefix, tmp_path, name, compiler):
    # c++ -x c++ would read the libraries as sources: the flag is reset after the source file.
    program = tmp_path / name
    arguments = [*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", ROOT / f"examples/{name}.c"]
    if "-x" in compiler:
        arguments += ["-x", "none"]
    subprocess.run([*arguments, "-o", program, *prefix[1]], check=True)
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.run("data", "import", "seed", "--input", "-", input="time,x\n2025-01-01T00:00:00Z,1\n")
        node.run("dataset", "create", "seed", "--asset", "seed")
        node.run("workflow", "add", write_workflow(tmp_path, "tell", TELL, outputs=[{"name": "verdict", "type": "string"}]))
        node.run("train", "tell", "--dataset", "seed", "--name", "tell")
        source = {"name": "plant", "driver": "mqtt", "config": {
            "url": broker.url, "topics": ["plant/#"], "payload": {"asset": "press"}}}
        deployment = {"name": "live", "model": "tell", "asset": "press"}
        process = subprocess.Popen(
            [program, node.home, json.dumps(source), json.dumps(deployment)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env={**node.environment(), "LD_LIBRARY_PATH": str(prefix[0])})
        log = pathlib.Path(broker.folder / f"broker-{broker.port}.log")
        wait_until(lambda: "edgeops" in log.read_text() or process.poll() is not None, what="the program to subscribe")
        for i in range(30):
            subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", "plant/press", "-m",
                            json.dumps({"time": 1760000000000 + i, "x": 10 + i})], check=True)
        seen = ""
        if name == "foreign_loop":
            process.stdin.write("hello\n")
            process.stdin.flush()
            while "press: warm" not in seen:
                line = process.stdout.readline()
                assert line, process.stderr.read()
                seen += line
            process.stdin.close()
            process.stdin = None
        out, err = process.communicate(timeout=60)
        out = seen + out
        assert process.returncode == 0, err
        assert "press: warm" in out and "press: cold" in out
        if name == "foreign_loop":
            assert "you typed 6 bytes" in out

