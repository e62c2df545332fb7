# SPDX-License-Identifier: Apache-2.0
"""The loop of a node: Ctrl-C, exceptions of handlers, loops of one's own, asyncio."""
import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import edgeops

MANIFEST = {"format": 1, "name": "w", "version": "1.0.0", "description": "t", "python": {"module": "w_m", "requires": ">=3.9"},
            "inputs": [{"name": "x", "type": "float64", "unit": "1"}], "window": {"rows": 1},
            "label": {"name": "class", "classes": ["good", "bad"]},
            "outputs": [{"name": "class", "type": "string"}, {"name": "twice", "type": "float64"}],
            "limits": {"train_timeout": "60s", "predict_timeout": "5s"}}
MODULE = """
import time

def train(dataset, params, run):
    for i in range(20):
        run.metric("step", i, i)
    time.sleep(SLEEP)
    return 1

def predict(model, window, params):
    x = float(window.values[-1, 0])
    return {"class": "good" if x < 5 else "bad", "twice": 2 * x}
"""


def prepare(node, folder, sleep=0.0):
    """A dataset `d` and a workflow `w` whose training sleeps."""
    folder.mkdir()
    (folder / "workflow.json").write_text(json.dumps(MANIFEST))
    (folder / "w_m.py").write_text(MODULE.replace("SLEEP", str(sleep)))
    node.call("workflow.add", path=str(folder))
    node.store.append("m", np.arange(10) * 10**9, {"x": np.arange(10.0)})
    node.store.label("m", "good", 0, 5 * 10**9)
    node.store.label("m", "bad", 5 * 10**9, 10**10)
    node.store.create_dataset("d", ["m"], labelled_only=True)


def child(tmp_path, body, *signals):
    """Runs a program that prints `ready`, sends it SIGINT after that many seconds each; gives its exit code, output and time."""
    program = "import sys, time, edgeops\n" + textwrap.dedent(body)
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    for after in signals:
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
    out, _ = process.communicate(timeout=30)
    return process.returncode, out, time.monotonic() - started


def test_ctrl_c_ends_run_and_the_node_goes_on(tmp_path):
    code, out, took = child(tmp_path, """
        with edgeops.Node(sys.argv[1] + "/home", mode="local") as node:
            print("ready", flush=True)
            try:
                node.run()
            except KeyboardInterrupt:
                node.store.append("a", [1], {"x": [1.0]})
                node.run(0.1)
                print(node.call("asset.ls")["items"][0]["rows"])
        """, 0.3)
    assert (code, out) == (0, "1\n") and took < 3


def test_ctrl_c_ends_a_training_and_says_how_it_ended(tmp_path):
    with edgeops.Node(tmp_path / "home", mode="local") as node:
        prepare(node, tmp_path / "w", 30)
    code, out, took = child(tmp_path, """
        node = edgeops.Node(sys.argv[1] + "/home", mode="local")
        print("ready", flush=True)
        try:
            node.train("w", "d")
        except edgeops.Interrupted as reason:
            print(reason.operation, type(reason.error).__name__, reason.result)
        run = node.call("run.ls")["items"][0]
        print(run["state"])
        node.close()
        """, 1.0)
    assert code == 0 and out.split("\n")[0] == "train CanceledError None" and "cancel" in out.split("\n")[1], out
    assert took < 6


def test_ctrl_c_ends_the_wait_for_a_home(tmp_path):
    with edgeops.Node(tmp_path / "home", mode="local") as node:
        code, out, took = child(tmp_path, """
            print("ready", flush=True)
            try:
                edgeops.Node(sys.argv[1] + "/home", mode="local", wait=60)
            except KeyboardInterrupt:
                print("ended")
            """, 0.5)
        assert (code, out) == (0, "ended\n") and took < 3
        started = time.monotonic()
        with pytest.raises(edgeops.BusyError):
            edgeops.Node(tmp_path / "home", mode="local", wait=0.5)
        assert 0.4 < time.monotonic() - started < 5
        with pytest.raises(edgeops.BusyError):
            edgeops.Node(tmp_path / "home", mode="local", wait=0)
    again = edgeops.Node(tmp_path / "home", mode="local")
    threading.Timer(0.5, again.close).start()
    edgeops.Node(tmp_path / "home", mode="local", wait=20).close()


def test_a_second_ctrl_c_does_not_wait(tmp_path):
    """The operation cannot be cancelled here: its end is held up in a handler of the same loop."""
    code, out, took = child(tmp_path, """
        from edgeops import call, _ffi
        call.Call.cancel = lambda self: None  # one that does not end
        node = edgeops.Node(sys.argv[1] + "/home", mode="local")
        print("ready", flush=True)
        try:
            node.call("predict.follow", model="absent", asset="a") if 0 else node._loop.turn_until(lambda: False)
        except KeyboardInterrupt as reason:
            print(type(reason).__name__)
        node.close()
        """, 0.3)
    assert code == 0 and out == "KeyboardInterrupt\n" and took < 3


def test_ctrl_c_ends_a_handler_that_does_not_end(tmp_path):
    with edgeops.Node(tmp_path / "home", mode="local") as node:
        prepare(node, tmp_path / "w", 30)
    code, out, took = child(tmp_path, """
        node = edgeops.Node(sys.argv[1] + "/home", mode="local")
        print("ready", flush=True)
        try:
            node.train("w", "d", on_event=lambda event: time.sleep(30))
        except edgeops.Interrupted as reason:
            print(type(reason.error).__name__)
        node.close()
        """, 1.5)
    assert (code, out) == (0, "CanceledError\n") and took < 6


STORM = """
import os, random, signal, threading
node = edgeops.Node(sys.argv[1] + "/home", mode="local")
store, ends, stop = node.store, {}, []
store.append("a", [1], {"x": [1.0]})
cursor, watch = store.cursor("a"), store.watch(lambda *_: None)
works = [lambda: node.call("node.status"), lambda: node.run(0.01), lambda: store.read("a", last=10), cursor.read,
         lambda: store.append("a", [random.getrandbits(40)], {"x": [1.0]}), lambda: store.label("a", "l", 1),
         lambda: store.assets(), lambda: node.call_start("node.status").result(5), lambda: store.labels(limit=20)]

go = threading.Event()

def fire():
    go.wait()
    while not stop:
        time.sleep(random.random() * 0.004)
        os.kill(os.getpid(), signal.SIGINT)

def beside():
    while not stop:
        try:
            node.call("node.status")
        except edgeops.BusyError:
            time.sleep(0.01)

def storm(done):
    while not stop:
        try:
            go.set()
            while time.monotonic() < end:
                random.choice(works)()
                done.append(1)
            stop.append(1)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        except KeyboardInterrupt as reason:
            try:
                ends[type(reason).__name__] = ends.get(type(reason).__name__, 0) + 1
            except KeyboardInterrupt:
                pass
        except edgeops.BusyError:
            pass

threads = [threading.Thread(target=fire), threading.Thread(target=beside)]
for thread in threads:
    thread.start()
end, done = time.monotonic() + 4, []
while signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
    try:
        storm(done)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        pass # it came between two statements of the storm
for thread in threads:
    thread.join()
done = len(done)
assert ends["KeyboardInterrupt"] > 100 and ends["Interrupted"] > 10 and done > 100, (ends, done)
assert node.call("node.status")["home"]
cursor.close()
watch.close()
node.close()
print("whole")
"""


def test_a_storm_of_ctrl_c_leaves_the_node_whole(tmp_path):
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", "import sys, time, edgeops\n" + STORM, tmp_path],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout == "whole\n", done.stderr[-3000:]


def test_ctrl_c_in_a_call_keeps_its_result(node, monkeypatch):
    """The signal comes when the operation is done and its result not yet given."""
    turn = node._loop.turn_until

    def interrupted(done, seconds=None):
        turn(done, seconds)
        raise KeyboardInterrupt
    monkeypatch.setattr(node._loop, "turn_until", interrupted)
    with pytest.raises(edgeops.Interrupted) as caught:
        node.call("node.status")
    assert caught.value.result["home"] and caught.value.error is None and isinstance(caught.value, KeyboardInterrupt)


def test_a_signal_handler_may_wake(node):
    before = signal.signal(signal.SIGALRM, lambda *_: node.wake())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        started = time.monotonic()
        node.run(20)
        assert time.monotonic() - started < 5
    finally:
        signal.signal(signal.SIGALRM, before)


def test_wake_ends_the_next_run_and_those_of_all_threads(node):
    node.wake()
    started = time.monotonic()
    node.run(20)
    threads = [threading.Thread(target=node.run, args=(20,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    node.wake()
    for thread in threads:
        thread.join(10)
    assert time.monotonic() - started < 5
    node.run(0)
    node.run(0.05)


def test_a_handlers_exception_comes_out_of_the_call_that_ran_it(node, tmp_path, capfd):
    prepare(node, tmp_path / "w")

    def fail(event):
        raise KeyError("mine")
    with pytest.raises(KeyError, match="mine"):
        node.train("w", "d", on_event=fail)
    assert node.train("w", "d")["model"], "the node goes on"
    node.call_start("train", on_event=fail, workflow="w", dataset="d")
    with pytest.raises(KeyError, match="mine"):
        node.run(30)
    node.call_start("node.status", on_done=fail)
    node.call_start("node.status", on_done=fail)
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            node.run(30)
    node.run(0.01)
    assert "mine" not in "".join(capfd.readouterr())
    assert "KeyError" not in node.call("run.ls")["items"][0].get("message", "")


def test_events_of_another_threads_call_come_out_there(node, tmp_path):
    prepare(node, tmp_path / "w")
    failures = []

    def train():
        try:
            node.train("w", "d", on_event=lambda event: 1 / 0)
        except ZeroDivisionError as reason:
            failures.append(reason)
    thread = threading.Thread(target=train)
    runner = threading.Thread(target=node.run, args=(30,))  # it turns the loop, and must not get the exception
    runner.start()
    thread.start()
    thread.join(20)
    node.wake()
    runner.join(20)
    assert len(failures) == 1


def test_inside_a_handler_only_what_does_not_wait_is_allowed(node):
    refused, started = [], []

    def on_done(call):
        for use in (lambda: node.call("node.status"), lambda: node.run(0), node.dispatch):
            try:
                use()
            except edgeops.InvalidError as reason:
                refused.append(reason)
        started.append(node.call_start("node.status"))
    node.call_start("node.status", on_done=on_done)
    node.run(0.2)
    assert len(refused) == 3 and started[0].result(5)["home"]


def test_calls_go_on_side_by_side(node):
    calls = [node.call_start("node.status") for _ in range(10)]
    assert not calls[0].done and repr(calls[0]) == "<Call node.status, under way>"
    assert all(call.result(10)["home"] for call in calls)
    with pytest.raises(edgeops.NotFoundError):
        node.call_start("no.such")
    with pytest.raises(edgeops.InvalidError):
        node.call_start("data.head", asset="x", rows=0)
    late = node.call_start("data.head", output=1, asset="absent")
    with pytest.raises(edgeops.NotFoundError):
        late.result(10)
    assert isinstance(late.error, edgeops.NotFoundError) and late.done


def test_calls_of_several_threads(node):
    found = []
    threads = [threading.Thread(target=lambda: found.extend(node.call("node.status")["home"] for _ in range(20)))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 80


def test_a_loop_of_ones_own(node):
    """select() on the descriptor, with the time that the node says."""
    call = node.call_start("node.status")
    ended = time.monotonic() + 10
    while not call.done and time.monotonic() < ended:
        wait = node.timeout()
        select.select([node.fileno()], [], [], 1.0 if wait is None else min(wait, 1.0))
        node.dispatch()
    assert call.result(0)["home"]


def test_asyncio(node, tmp_path):
    prepare(node, tmp_path / "w")

    async def work():
        ticks = []

        async def tick():
            while True:
                ticks.append(1)
                await asyncio.sleep(0.01)
        ticking = asyncio.ensure_future(tick())
        events = []
        trained, status = await asyncio.gather(node.train_async("w", "d", on_event=events.append), node.call_async("node.status"))
        ticking.cancel()
        assert status["home"] and len(ticks) > 5 and any("step" in json.dumps(event) for event in events)
        with pytest.raises(edgeops.NotFoundError):
            await node.call_async("model.show", model="absent")
        return trained["model"]
    model = asyncio.run(work())
    assert model in json.dumps(node.call("model.ls")) and not edgeops.aio._attached
    assert node.call("node.status")["home"], "the node can be used without asyncio again"


def test_a_cancelled_task_ends_its_operation(node, tmp_path):
    prepare(node, tmp_path / "w", 30)

    async def work():
        task = asyncio.ensure_future(node.train_async("w", "d"))
        await asyncio.sleep(1)
        task.cancel()
        started = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(node.train_async("w", "d"), 0.5)
        assert time.monotonic() - started < 8
    asyncio.run(work())
    assert "cancel" in node.call("run.ls")["items"][0]["state"]


def test_a_node_that_is_closed_beside_asyncio(tmp_path):
    node = edgeops.Node(tmp_path / "home", mode="local")
    prepare(node, tmp_path / "w", 30)

    async def work():
        task = asyncio.ensure_future(node.train_async("w", "d"))
        await asyncio.sleep(0.5)
        await asyncio.get_running_loop().run_in_executor(None, node.close)
        with pytest.raises(edgeops.ClosedError):
            await asyncio.wait_for(task, 10)
        with pytest.raises(edgeops.ClosedError):
            await node.call_async("node.status")
    asyncio.run(work())
    assert node.closed and not edgeops.aio._attached


def test_live_predictions_in_asyncio(node, tmp_path):
    prepare(node, tmp_path / "w")
    model = node.train("w", "d")["model"]
    node.call("deploy", name="live", model=model, asset="m")

    async def work():
        found = []
        with edgeops.aio.attach(node) as attached:
            stream = attached.predictions()
            node.start()

            async def append():
                for i in range(5):
                    await asyncio.sleep(0.05)
                    node.store.append("m", [10**11 + i * 10**9], {"x": [float(i + 3)]})
            appending = asyncio.ensure_future(append())
            async for prediction in stream:
                found.append(prediction)
                if len(found) == 5:
                    break
            await stream.aclose()
            await appending
        return found
    found = asyncio.run(asyncio.wait_for(work(), 30))
    assert [p.outputs["twice"] for p in found] == [6.0, 8.0, 10.0, 12.0, 14.0]
    assert found[0].asset == "m" and found[0].time_ns == 10**11 and found[4].outputs["class"] == "bad"
    node.stop()


def test_a_receiver_of_predictions_that_fails(node, tmp_path):
    prepare(node, tmp_path / "w")
    node.call("deploy", name="live", model=node.train("w", "d")["model"], asset="m")
    node.on_prediction(lambda p: 1 / 0)
    node.start()
    node.store.append("m", [10**11], {"x": [1.0]})
    with pytest.raises(ZeroDivisionError):
        node.run(20)
    node.on_prediction(None)
    node.run(0.1)
    node.stop()


def test_predictions_on_arrays(node, tmp_path):
    prepare(node, tmp_path / "w")
    model = node.train("w", "d")["model"]
    x = np.array([1.5, 7.25, 0.1])
    rows, summary = node.predict_arrays(model, {"x": x})
    assert [row["outputs"]["twice"] for row in rows] == (2 * x).tolist() and [row["outputs"]["class"] for row in rows] == ["good", "bad", "good"]
    rows, _ = node.predict_arrays(model, {"x": x}, times=np.arange(3) * 10**9 + 5)
    assert rows[2]["time"].startswith("1970-01-01T00:00:02.000000005")
    for bad in ({"x": [[1.0]]}, {"x": [1.0], "y": [1.0, 2.0]}, {}, {"time": [1]}):
        with pytest.raises(ValueError):
            node.predict_arrays(model, bad)
    for bad in ({"x": np.array(["2026"], "datetime64[Y]")}, {"x": [1, "a"]}, {"x": [1j]}, {"x": [b"a"]}):
        with pytest.raises((TypeError, ValueError)):
            node.predict_arrays(model, bad)
    rows, summary = node.predict_arrays(model, {"x": np.ma.array([1.5, 9.0, 0.25], mask=[0, 1, 0])})
    assert [row["outputs"]["twice"] for row in rows] == [3.0, 0.5] and rows[1]["time"] == "1970-01-01T00:00:02Z"
    assert summary["input"]["notes"] == ["rows without a value in any channel, which are not taken: 1"]
    with pytest.raises(ValueError):
        node.predict_arrays(model, {"x": x}, times=[1])


def test_descriptors_of_an_operation_are_its_own(node, tmp_path):
    node.store.append("a", [1, 2], {"x": [1.0, 2.0]})
    with open(tmp_path / "out.csv", "wb") as out:
        call = node.call_start("data.export", output=out.fileno(), asset="a")
    call.result(10)
    assert (tmp_path / "out.csv").read_text().count("\n") == 3
    fds = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with open(os.devnull, "wb") as out:
            node.call("data.export", output=out.fileno(), asset="a")
    assert len(os.listdir("/proc/self/fd")) == fds


def test_a_predictor_answers_on_arrays(node, tmp_path):
    prepare(node, tmp_path / "w")
    model = node.train("w", "d")["model"]
    with node.predictor(model) as predictor:
        assert (predictor.inputs, predictor.outputs, predictor.rows) == (["x"], ["class", "twice"], 1)
        assert predictor.predict([2.5]) == {"class": "good", "twice": 5.0}
        assert predictor.predict(np.array([[7.0]]), [5]) == {"class": "bad", "twice": 14.0}
        found = []
        threads = [threading.Thread(target=lambda k=k: found.extend(predictor.predict([k + i])["twice"] for i in range(50)))
                   for k in (0, 100, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(found) == [2.0 * (k + i) for k in (0, 100, 200) for i in range(50)]
        for bad in ([1.0, 2.0], [[[1.0]]], ["x"], [[1.0], [2.0]]):
            with pytest.raises(ValueError):
                predictor.predict(bad)
        with pytest.raises(ValueError):
            predictor.predict([1.0], [1, 2])
    with pytest.raises(edgeops.ClosedError):
        predictor.predict([1.0])
    with pytest.raises(edgeops.NotFoundError):
        node.predictor("absent")
    held = node.predictor(model)
    node.close()
    assert held.closed
    with pytest.raises(edgeops.ClosedError):
        held.predict([1.0])


def test_a_workflow_that_fails_or_does_not_load(node, tmp_path):
    prepare(node, tmp_path / "w")
    manifest = {**MANIFEST, "name": "bad", "python": {"module": "bad_m"}}
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/workflow.json").write_text(json.dumps(manifest))
    (tmp_path / "bad/bad_m.py").write_text(
        "import pathlib\ndef train(d, p, run): return 1\ndef predict(m, w, p):\n    if w.values[0, 0] == 1: return None\n"
        "    raise KeyError('mine')\n")
    node.call("workflow.add", path=str(tmp_path / "bad"))
    with node.predictor(node.train("bad", "d")["model"]) as predictor:
        assert predictor.predict([1.0]) is None
        with pytest.raises(edgeops.WorkerError, match="mine"):
            predictor.predict([2.0])
        assert predictor.predict([1.0]) is None, "it goes on"
    model = node.train("w", "d")["model"]
    for file in (tmp_path / "home/models").rglob("model.pkl"):
        file.write_bytes(b"no pickle")
    with node.predictor(model) as predictor:
        with pytest.raises(edgeops.Error):
            predictor.predict([1.0])


def test_ctrl_c_drops_a_prediction(tmp_path):
    with edgeops.Node(tmp_path / "home", mode="local") as node:
        prepare(node, tmp_path / "w")
        manifest = {**MANIFEST, "name": "slow", "python": {"module": "slow_m"}, "limits": {"predict_timeout": "60s"}}
        (tmp_path / "slow").mkdir()
        (tmp_path / "slow/workflow.json").write_text(json.dumps(manifest))
        (tmp_path / "slow/slow_m.py").write_text(
            "import time\ndef train(d, p, run): return 1\ndef predict(m, w, p):\n    time.sleep(30)\n")
        node.call("workflow.add", path=str(tmp_path / "slow"))
        model = node.train("slow", "d")["model"]
    code, out, took = child(tmp_path, f"""
        node = edgeops.Node(sys.argv[1] + "/home", mode="local")
        print("ready", flush=True)
        try:
            with node.predictor("{model}") as predictor:
                predictor.predict([1.0])
        except KeyboardInterrupt:
            print("ended")
        node.close()
        """, 1.0)
    assert (code, out) == (0, "ended\n") and took < 5


def test_a_node_that_another_process_serves(tmp_path):
    program = """
import sys, edgeops
with edgeops.Node(sys.argv[1], mode="local") as node:
    node.store.append("a", [1, 2], {"x": [1.0, 2.0]})
    node.serve()
    print("ready", flush=True)
    try:
        node.run()
    except KeyboardInterrupt:
        pass
"""
    daemon = subprocess.Popen([sys.executable, "-c", program, tmp_path / "home"], stdout=subprocess.PIPE, text=True)
    try:
        assert daemon.stdout.readline() == "ready\n"
        with edgeops.Node(tmp_path / "home") as node:
            assert node.remote and node.call("asset.ls")["items"][0]["rows"] == 2
            assert asyncio.run(node.call_async("node.status"))["home"]
            with open(tmp_path / "out.csv", "wb") as out:
                node.call("data.export", output=out.fileno(), asset="a")
            assert (tmp_path / "out.csv").read_text().count("\n") == 3
            for use in (lambda: node.store, lambda: node.predictor("m"), node.start):
                with pytest.raises(edgeops.Error):
                    use()
            with pytest.raises(edgeops.BusyError):
                edgeops.Node(tmp_path / "home", mode="local", wait=20)
            daemon.send_signal(signal.SIGINT)
            assert daemon.wait(20) == 0
            with pytest.raises(edgeops.Error):
                node.call("asset.ls")
    finally:
        daemon.kill()
        daemon.wait()
        daemon.stdout.close()
