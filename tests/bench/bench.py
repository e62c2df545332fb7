# SPDX-License-Identifier: Apache-2.0
"""Compares EdgeOps with what one would write without it, side by side in one run: bench.py [ingest|predict|install|idle|parts]...

Runs of both sides take turns; medians and their ratio are printed. Absolute figures of a shared machine mean little.
"""
import http.client
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import BUILD, CTL, ROOT, WORKER, Broker, Node, free_port, wait_until  # noqa: E402

PROGRAMS = BUILD / "tests/bench"
ROUNDS = int(os.environ.get("EDGEOPS_BENCH_ROUNDS", "5"))


def report(what, unit, ours, theirs, name, more_is_better):
    """Prints medians, spread and ratio of two interleaved series."""
    a, b = statistics.median(ours), statistics.median(theirs)
    ratio = a / b if more_is_better else b / a
    spread = [f"{min(s):.4g}..{max(s):.4g}" for s in (ours, theirs)]
    print(f"{what}: EdgeOps {a:.4g} {unit} ({spread[0]}), {name} {b:.4g} {unit} ({spread[1]}): "
          f"{ratio:.2f}x {'as many' if more_is_better else 'as fast'}", flush=True)


def plain(folder, broker, turn, mode, count):
    """Messages a second that the program without EdgeOps stores."""
    client = f"{mode}{turn}"
    # A session that has subscribed and is away: the broker keeps what comes.
    subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-i", client, "-c", "-q", "1",
                    "-t", "plain/plant", "-E"], check=True)
    tcp = broker.url.replace("mqtt", "tcp")
    subprocess.run([PROGRAMS / "blast", tcp, "plain/plant", str(count)], check=True)
    done = subprocess.run([PROGRAMS / "paho_sqlite", tcp, client, "plain/plant", folder / f"{client}.db", str(count), mode],
                          check=True, capture_output=True, text=True)
    # The session ends, or the next round's messages would be kept for it, too.
    subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-i", client, "-t", "x", "-E"], check=True)
    return float(done.stdout)


def drained(folder, broker, turn, count):
    """Messages a second that a node stores: the same waiting session, seen through the node's own counters."""
    sys.path.insert(0, str(ROOT / "bindings/python"))
    os.environ["EDGEOPS_LIBRARY"] = str(BUILD / "lib/libedgeops.so.0")
    import edgeops
    with Node(folder, f"home{turn}") as node:
        node.run("node", "init")
        node.serve()
        with edgeops.Node(node.home, mode="remote") as remote:
            def samples():
                return remote.call("source.show", name="plant")["stats"]["samples"]
            remote.call("source.add", name="plant", driver="mqtt", config={
                "url": broker.url, "topics": ["edgeops/plant"], "client_id": f"edgeops{turn}",
                "payload": {"asset": "plant", "time": "time", "time_unit": "ms"}})
            wait_until(lambda: remote.call("source.show", name="plant")["state"] == "running", what="the source")
            remote.call("source.stop", name="plant")
            before = samples()
            subprocess.run([PROGRAMS / "blast", broker.url.replace("mqtt", "tcp"), "edgeops/plant", str(count)], check=True)
            # The start answers once the source runs, with much of the session drained: it is left to another process.
            starter = subprocess.Popen([CTL, "source", "start", "plant"], env=node.environment(), stdout=subprocess.DEVNULL)
            first = samples()
            while first <= before:
                first = samples()
            begun = time.monotonic()
            last = first
            while last < before + count and time.monotonic() < begun + 120:
                time.sleep(0.002)
                last = samples()
            seconds = time.monotonic() - begun
            starter.wait()
            remote.call("source.rm", name="plant")
            if last < before + count:
                raise SystemExit(f"only {last - before} of {count} messages were stored")
            return (last - first) / seconds


def ingest(folder):
    """Messages a second stored: a persistent QoS 1 session with waiting messages is drained, from the first to the last."""
    count = int(os.environ.get("EDGEOPS_BENCH_MESSAGES", "100000"))
    ours, tuned, default = [], [], []
    with Broker(folder, ["max_inflight_messages 1000"]) as broker:
        for turn in range(ROUNDS):
            default.append(plain(folder, broker, turn, "default", max(count // 20, 1000)))
            tuned.append(plain(folder, broker, turn, "tuned", count))
            ours.append(drained(folder, broker, turn, count))
    report("messages stored, QoS 1", "msg/s", ours, default, "paho -> SQLite, a commit each", True)
    report("messages stored, QoS 1", "msg/s", ours, tuned, "the same with WAL and synchronous=NORMAL", True)


SERVER = """
import importlib, pickle, sys, types
import numpy as np
from fastapi import FastAPI
sys.path[:0] = sys.argv[2].split(":")
workflow = importlib.import_module("imu_activity")
model = workflow.load(sys.argv[1]) if hasattr(workflow, "load") else pickle.load(open(sys.argv[1] + "/model.pkl", "rb"))
app = FastAPI()

@app.post("/predict")
def predict(body: dict):
    values = np.asarray(body["values"])
    return workflow.predict(model, types.SimpleNamespace(values=values, times=None), {})

import uvicorn
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[3]), log_level="warning")
"""


def predict(folder):
    """One window of 50 x 6 values to its class and back, the same model and the same predict()."""
    requests = 500
    with Node(folder, "predict") as node:
        node.run("node", "init")
        data = ROOT / "examples/data/imu-watch/watch_train.csv.gz"
        node.run("data", "import", "watch/{subject}", "--input", data, "--time-column", "unixtime_ms",
                 "--skip-column", "run", "--label-column", "label", timeout=300)
        node.run("dataset", "create", "watch", "--asset", "watch/*", "--labelled-only")
        node.run("workflow", "add", ROOT / "examples/workflows/imu-activity")
        node.run("train", "imu-activity", "--dataset", "watch", "--name", "m", timeout=300)
        shown = node.json("workflow", "show", "imu-activity")
        store = node.home / "store"
        layer = next(p.parent for p in store.rglob("workflow.json")
                     if json.loads(p.read_text())["name"] == "imu-activity")
        model_dir = node.home / "models/m"
        model_files = model_dir / "files"
        path = ":".join(str(layer / p) for p in [*shown["manifest"]["python"].get("path", []), "."])
    server_file = folder / "server.py"
    server_file.write_text(SERVER)
    port = free_port()
    window = [[float((i * 7 + c * 3) % 11 - 5) for c in range(6)] for i in range(50)]
    body = json.dumps({"values": window})
    server = subprocess.Popen(["/usr/bin/python3", server_file, model_files, path, str(port)],
                              env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
    try:
        def listening():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        wait_until(listening, 60, "uvicorn")
        ours, ours99, theirs, theirs99 = [], [], [], []
        for turn in range(ROUNDS):
            run_dir = folder / f"run{turn}"
            run_dir.mkdir()
            done = subprocess.run([PROGRAMS / "lane", store, model_dir, run_dir, str(requests)], check=True,
                                  capture_output=True, text=True, env={**os.environ, "EDGEOPS_WORKER": str(WORKER)})
            p50, p99 = map(float, done.stdout.split())
            ours.append(p50)
            ours99.append(p99)
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            times = []
            for _ in range(requests):
                begun = time.perf_counter()
                connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
                connection.getresponse().read()
                times.append((time.perf_counter() - begun) * 1e6)
            times.sort()
            theirs.append(times[requests // 2])
            theirs99.append(times[requests * 99 // 100])
        report("predict round trip, median", "us", ours, theirs, "FastAPI + uvicorn", False)
        report("predict round trip, 99th percentile", "us", ours99, theirs99, "FastAPI + uvicorn", False)
    finally:
        server.terminate()
        server.wait()


def make_package(folder):
    """The same 38 MB as a workflow folder and as a wheel."""
    source = folder / "big-package"
    library = source / "biglib"
    library.mkdir(parents=True)
    blob = os.urandom(36_300)
    for i in range(1200):
        text = textwrap.dedent(f"def f{i}():\n    return {i}\n").encode()
        name = f"part{i}.py" if i % 8 == 0 else f"data{i}.bin"
        (library / name).write_bytes(text if i % 8 == 0 else blob[i % 97:] + bytes([i % 256]) * 6200)
    (library / "__init__.py").write_text("")
    (source / "workflow.json").write_text(json.dumps({
        "format": 1, "name": "big", "version": "1.0.0", "python": {"module": "big"},
        "inputs": [{"name": "x", "type": "float64"}], "window": {"rows": 1}, "outputs": [{"name": "y", "type": "float64"}]}))
    (source / "big.py").write_text("import biglib\n\ndef train(dataset, params, run):\n    return 1\n\n"
                                   "def predict(model, window, params):\n    return {'y': 1.0}\n")
    wheel = folder / "biglib-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as z:
        record = []
        for path in sorted(library.iterdir()):
            z.write(path, f"biglib/{path.name}")
            record.append(f"biglib/{path.name},,")
        info = "biglib-1.0.dist-info"
        z.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: biglib\nVersion: 1.0\n")
        z.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/METADATA,,", f"{info}/WHEEL,,", f"{info}/RECORD,,"]))
    return source, wheel


def install(folder):
    """First and second install of a package of 38 MB."""
    source, wheel = make_package(folder)
    with Node(folder, "pack") as node:
        node.run("node", "init")
        node.run("workflow", "pack", source, "--output", folder / "big.zip")
    size = (folder / "big.zip").stat().st_size / 1e6
    first, second, venv_first, venv_second = [], [], [], []
    for turn in range(ROUNDS):
        with Node(folder, f"install{turn}") as node:
            node.run("node", "init")
            for series in (first, second):
                begun = time.monotonic()
                node.run("workflow", "add", folder / "big.zip")
                series.append(time.monotonic() - begun)
        target = folder / f"venv{turn}"
        for series in (venv_first, venv_second):
            begun = time.monotonic()
            if not target.exists():
                subprocess.run(["/usr/bin/python3", "-m", "venv", target], check=True)
            subprocess.run([target / "bin/pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", wheel],
                           check=True)
            series.append(time.monotonic() - begun)
        shutil.rmtree(target)
    print(f"package of {size:.1f} MB zipped, command line included")
    report("first install", "s", first, venv_first, "venv + pip", False)
    report("second install", "s", second, venv_second, "pip again", False)


def idle(folder):
    """Resident memory of a node with one connected source and nothing to do."""
    def resident(pid):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0
    with Broker(folder) as broker, Node(folder, "idle") as node:
        node.run("node", "init")
        node.serve()
        node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "plant/#")
        wait_until(lambda: node.json("source", "show", "plant")["state"] == "running", what="the source")
        time.sleep(2)
        mine, brokers = resident(node.process.pid), resident(broker.process.pid)
        print(f"idle node with one connected source: {mine:.1f} MiB resident (mosquitto beside it {brokers:.1f} MiB; "
              f"published for the framework of Keusch et al.: 1,138 MiB, {1138 / mine:.0f} times as much)")


def parts(folder):
    """Reads of an asset whose rows came as two files, four channels each, and of the same rows as one file.

    EDGEOPS_BENCH_BEFORE names a folder with another version of the library: it reads the one file, too.
    """
    rows = os.environ.get("EDGEOPS_BENCH_ROWS", "1000000")
    before = os.environ.get("EDGEOPS_BENCH_BEFORE")
    sides = {"two files": ("halves", None), "one file": ("whole", None)}
    if before:
        sides["one file before"] = ("whole", before)

    def call(side, *args):
        library = sides[side][1]
        env = {**os.environ, "LD_LIBRARY_PATH": library} if library else None
        done = subprocess.run([PROGRAMS / "read_parts", args[0], folder / side.replace(" ", "-"), args[1], rows],
                              check=True, capture_output=True, text=True, env=env)
        return done.stdout.split()

    for side, (how, _) in sides.items():
        call(side, "make", how)
    for how in ("into", "table", "count", "last", "aggregate"):
        taken = {side: [] for side in sides}
        memory = {side: [] for side in sides}
        for turn in range(ROUNDS):
            for side in list(sides)[::1 if turn % 2 else -1]:
                seconds, grown = call(side, "read", how)
                taken[side].append(float(seconds) * 1e3)
                memory[side].append(int(grown) / 1024)
        for side in list(sides)[1:]:
            mine = "two files" if side == "one file" else "one file"
            report(f"{how}, {mine}", "ms", taken[mine], taken[side], side, False)
        print(f"{how}: memory on top, MiB: " +
              ", ".join(f"{side} {statistics.median(memory[side]):.1f}" for side in sides), flush=True)


def main():
    wanted = sys.argv[1:] or ["ingest", "predict", "install", "idle"]
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            {"ingest": ingest, "predict": predict, "install": install, "idle": idle,
             "parts": parts}[name](pathlib.Path(folder))


if __name__ == "__main__":
    main()
