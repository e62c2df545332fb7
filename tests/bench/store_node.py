# SPDX-License-Identifier: Apache-2.0
"""The sections of store.py that take a whole node: datasets on their way into the worker, and memory."""
import os
import pathlib
import shutil
import subprocess
import sys
import time

import store_rivals as rivals
import store_sets as sets
from store_report import BENCH, BUILD, PROGRAMS, Series
from harness import ROOT, WORKER, Broker, Node, wait_until, write_workflow

TRAIN = """
import time

def train(dataset, params, run):
    values = dataset.values
    run.metric("ready", time.monotonic())
    run.metric("rows", float(len(values)))
    run.metric("sum", float(values.sum()))
    return "none"

def predict(model, window, params):
    return {"y": 0.0}
"""

IN_PROCESS = """
import json, sys, time
import edgeops
with edgeops.Store.open(sys.argv[1]) as store:
    begun = time.monotonic()
    tables = [store.read(f"plant/{a:06}") for a in range(int(sys.argv[2]))]
    arrays = [table[name] for table in tables for name in table]
    seconds = time.monotonic() - begun
print(json.dumps({"seconds": seconds, "points": sum(array.size for array in arrays)}))
"""


def _training(data, workflow, home):
    """Gives train(name, rows): seconds until the worker has its array, and until the call is back."""
    import edgeops
    expected = sum(float(values.sum()) for _, values in data.assets)
    node = edgeops.Node(home)
    node.call("workflow.add", path=str(workflow))
    node.call("dataset.create", name="all", assets=["plant/*"])
    node.call("dataset.create", name="one", assets=["plant/000000"], end=str(int(data.assets[0][0][1])))

    def train(name, rows):
        # CLOCK_MONOTONIC is one for all processes of a machine.
        begun = time.monotonic()
        metrics = node.train("take", name)["metrics"]
        ended = time.monotonic()
        if metrics["rows"] != rows or (rows == data.rows and abs(metrics["sum"] - expected) > 1e-9 * abs(expected) + 1e-3):
            raise SystemExit(f"the worker saw another dataset: {metrics}")
        return metrics["ready"] - begun, ended - begun

    return node, train


def dataset(bench):
    """10 M values from the train call to the array in the worker, with the worker's start and without it."""
    data = (sets.decimal(20, 1000, "dataset") if bench.smoke else sets.decimal(100, 33_334, "dataset")).save(bench.folder)
    home = bench.folder / "home-dataset"
    shutil.rmtree(home, ignore_errors=True)
    os.environ.update({"PYTHONPATH": str(ROOT / "bindings/python"), "EDGEOPS_WORKER": str(WORKER),
                       "EDGEOPS_LIBRARY": str(BUILD / "lib/libedgeops.so.0")})
    sys.path.insert(0, os.environ["PYTHONPATH"])
    Node(bench.folder, home.name).run("node", "init")
    rivals.answer(BENCH, "write", data.path, home, "table", "process", 10_000)
    inputs = [{"name": f"c{c + 1}", "type": "float64"} for c in range(data.channels)]
    workflow = write_workflow(bench.folder, "take", TRAIN, inputs=inputs, limits={"memory": "1GiB"})
    rows = bench.folder / "dataset.sqlite"
    if bench.has("pandas"):
        bench.sqlite.write(data, rows, "plain")
    share = Series("EdgeOps, worker, beyond that for one row")
    whole = Series("EdgeOps, worker, from the train call", compare=False)
    call = Series("EdgeOps, the train call", compare=False)
    binding = Series("EdgeOps, in process through Python", compare=False)
    fresh = Series("memcpy into fresh memory")
    pandas = Series("pandas.read_sql from SQLite rows")
    for turn in range(bench.rounds):
        node, train = _training(data, workflow, home) if turn == 0 else (node, train)
        small, _ = train("one", 1)
        ready, ended = train("all", data.rows)
        share.add(max(ready - small, 1e-6))
        whole.add(ready)
        call.add(ended)
        fresh.add(rivals.answer(BENCH, "copy", data.path)["seconds"])
        if bench.has("pandas") and turn < 3:
            pandas.add(rivals.pandas_read_sql(data, rows)["seconds"])
    node.close()
    for _ in range(bench.rounds):
        binding.add(rivals.answer("/usr/bin/python3", "-c", IN_PROCESS, home, len(data.assets))["seconds"])
    bench.report(f"dataset of {data.points} values to NumPy", "s", [share, whole, call, binding, fresh, pandas],
                 ("<= 1.5x the memcpy", lambda value: value <= 1.5 * fresh.median), best="low")
    if pandas.figures:
        bench.report("the same beside pandas", "s", [share, pandas],
                     (">= 20x pandas.read_sql", lambda value: pandas.median / value >= 20), best="low")


# -- memory ----------------------------------------------------------------------------------------


def _status(pid, *keys):
    """Lines of /proc/PID/status in KiB."""
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key in keys:
            found[key] = int(value.split()[0])
    return found


def _served(bench, turn, count, samples_a_message):
    """A node fed by MQTT; its greatest memory and the samples a second that reached it."""
    with Broker(bench.folder, ["max_inflight_messages 1000"]) as broker, Node(bench.folder, f"home-served{turn}") as node:
        node.run("node", "init")
        node.serve()
        node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "plant/#")
        wait_until(lambda: node.json("source", "show", "plant")["state"] == "running", what="the source")
        idle = _status(node.process.pid, "VmRSS")["VmRSS"]
        blast = subprocess.Popen([PROGRAMS / "blast", broker.url.replace("mqtt", "tcp"), "plant", str(count), str(bench.rate), "100",
                                  str(samples_a_message)], stdout=subprocess.PIPE, text=True)
        anon = 0
        while blast.poll() is None:
            anon = max(anon, _status(node.process.pid, "RssAnon")["RssAnon"])
            time.sleep(0.05)
        seconds = float(blast.stdout.read())
        wait_until(lambda: node.json("source", "show", "plant")["stats"]["samples"] >= count, what="all samples")
        peak = _status(node.process.pid, "VmHWM")["VmHWM"]
        return {"peak": peak, "anon": anon, "start": idle, "samples": count, "seconds": seconds}


def memory(bench):
    """VmHWM and the greatest RssAnon while 40,000 samples a second of three values over 100 assets are written."""
    bench.rate, seconds = (5000, 1) if bench.smoke else (40_000, float(os.environ.get("EDGEOPS_BENCH_SECONDS", "30")))
    count = int(bench.rate * seconds)
    sides = {"embedding program": [], "node, 10 samples a message": []}
    if not bench.smoke:
        sides["node, 1 sample a message"] = []
    for turn in range(min(bench.rounds, 3)):
        home = bench.folder / "home-feed"
        shutil.rmtree(home, ignore_errors=True)
        sides["embedding program"].append(rivals.answer(PROGRAMS / "store_feed", home, bench.rate, seconds, 100))
        sides["node, 10 samples a message"].append(_served(bench, f"{turn}-10", count, 10))
        if not bench.smoke:
            sides["node, 1 sample a message"].append(_served(bench, f"{turn}-1", count, 1))
    for name, replies in sides.items():
        peak, anon, start = Series("most resident"), Series("of it anonymous"), Series("before the first sample")
        for reply in replies:
            peak.add(reply["peak"] / 1024)
            anon.add(reply["anon"] / 1024)
            start.add(reply["start"] / 1024)
        peak.note = f"{min(reply['samples'] / reply['seconds'] for reply in replies):.0f} samples/s"
        anon.compare = start.compare = False
        bench.report(f"memory while writing, {name}", "MiB", [peak, anon, start], ("<= 12 MB", lambda value: value * 1.048576 <= 12),
                     best="low")
