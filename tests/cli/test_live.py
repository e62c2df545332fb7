# SPDX-License-Identifier: Apache-2.0
"""The command line with a daemon and a broker: serve, sources, deployments, following predictions."""
import datetime
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import tarfile
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from harness import CTL, Broker, Node, wait_until, write_workflow

DOUBLE = """
def train(dataset, params, run):
    return {"factor": 2.0}


def predict(model, window, params):
    return {"y": float(window.values[-1, 0]) * model["factor"]}
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A broker, a served node with a source, and a model."""
    folder = tmp_path_factory.mktemp("live")
    with Broker(folder) as broker, Node(folder) as node:
        node.folder, node.broker = folder, broker
        node.run("node", "init")
        node.serve()
        node.run("data", "import", "seed", "--input", "-", input="time,x\n2025-01-01T00:00:00Z,1\n2025-01-01T00:00:01Z,2\n")
        node.run("dataset", "create", "seed", "--asset", "seed")
        node.run("workflow", "add", write_workflow(folder, "double", DOUBLE))
        node.run("train", "double", "--dataset", "seed", "--name", "double")
        node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "plant/+/pcb", "--topic",
                 "demo/#", "--asset", "{2}", "--time", "time")
        wait_until(lambda: node.json("source", "show", "plant")["state"] == "running", what="the source")
        yield node


def rows_of(node, asset):
    return {a["name"]: a["rows"] for a in node.json("asset", "ls")["items"]}.get(asset, 0)


def recording(folder, name, rows):
    file = folder / name
    file.write_text("time,x\n" + "".join(f"{1_760_000_000_000 + 10 * i},{i}\n" for i in range(rows)))
    return file


def test_the_daemon_owns_the_home_and_others_talk_to_it(live):
    assert live.json("node", "status")["mode"] == "daemon"
    done = live.run("node", "serve", check=False)
    assert done.returncode == 4 and str(live.process.pid) in done.stderr


def test_serve_tells_readiness_and_ends_cleanly(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        reader, writer = os.pipe()
        process = subprocess.Popen([CTL, "node", "serve", "--ready-fd", str(writer)], pass_fds=[writer],
                                   env={**node.environment(), "NOTIFY_SOCKET": str(tmp_path / "notify")},
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        os.close(writer)
        with os.fdopen(reader) as ready:
            assert ready.read() == "ready\n"  # and then it is closed
        assert manager.recv(100) == b"READY=1"
        assert process.stdout.readline().startswith("ready: ")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 0
        assert manager.recv(100) == b"STOPPING=1"
        manager.close()
        assert not (node.home / "edgeops.sock").exists()
        assert node.json("node", "status")["mode"] == "local"


def test_node_stop_ends_the_daemon(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        node.run("node", "stop")
        assert node.process.wait(timeout=20) == 0
        assert node.stop() == 0


def test_a_replay_arrives_row_by_row_and_again_as_duplicates(live):
    file = recording(live.folder, "replay.csv", 500)
    sent = live.json("simulate", "replay", file, "--broker", live.broker.url, "--topic", "demo/replayed", "--speed", "0")
    assert sent["messages"] == 500
    wait_until(lambda: rows_of(live, "replayed") == 500, what="the rows")
    live.run("simulate", "replay", file, "--broker", live.broker.url, "--topic", "demo/replayed", "--speed", "0")
    wait_until(lambda: live.json("source", "show", "plant")["stats"]["duplicates"] == 500, what="the duplicates")
    assert rows_of(live, "replayed") == 500


def test_each_state_of_a_source_is_one_line_of_the_log(tmp_path):
    file = recording(tmp_path, "once.csv", 10)
    with Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        node.run("source", "add", "once", "--driver", "replay", "--config",
                 json.dumps({"path": str(file), "asset": "once", "speed": 0}))
        wait_until(lambda: node.json("source", "show", "once")["state"] == "done", what="the end of the file")
        node.stop()
        lines = [line for line in node.log.read_text().splitlines() if "'once'" in line]
    states = [line.split("'once' ")[1].split(":")[0] for line in lines]
    assert states == ["connecting", "running", "done"], lines


def test_a_sample_counts_as_ahead_where_the_store_says_so(live):
    file, now = live.folder / "ahead.csv", int(time.time())
    # One day is the limit, and what comes after a jump of the clock is not late.
    file.write_text(f"time,x\n{now - 1},1\n{now + 2 * 3600},2\n{now + 2 * 86400},3\n{now + 3 * 3600},4\n")
    before = live.json("source", "show", "plant")["stats"]
    for _ in range(2):  # the second time nothing is new
        live.run("simulate", "replay", file, "--broker", live.broker.url, "--topic", "demo/ahead", "--speed", "0")
    wait_until(lambda: live.json("source", "show", "plant")["stats"]["duplicates"] == before["duplicates"] + 4, what="the duplicates")
    stats = live.json("source", "show", "plant")["stats"]
    assert rows_of(live, "ahead") == 4
    assert stats["ahead"] == before["ahead"] + 1 and stats["late"] == before["late"]
    assert "ahead" in live.run("source", "show", "plant").stdout


def test_a_simulation_on_the_broker_is_of_now_and_labelled(live):
    labels = live.folder / "labels.csv"
    done = live.run("simulate", "pcb", "--broker", live.broker.url, "--topic", "plant/spi1/pcb", "--asset", "spi1",
                    "--count", "2000", "--labels", labels)
    assert "2000 samples" in done.stdout
    wait_until(lambda: rows_of(live, "spi1") == 2000, what="the samples")
    assert live.json("label", "import", labels)["labels"] > 1000
    assert live.json("dataset", "create", "boards", "--asset", "spi1", "--labelled-only")["rows"] > 1000
    last = datetime.datetime.fromisoformat(live.json("asset", "show", "spi1")["last"][:19] + "+00:00")
    age = datetime.datetime.now(datetime.timezone.utc) - last
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=2)


def test_a_restart_of_the_broker_loses_nothing_of_a_replay(live, tmp_path):
    file = recording(tmp_path, "long.csv", 3000)
    broker = Broker(tmp_path).start()
    live.run("source", "add", "second", "--driver", "mqtt", "--url", broker.url, "--topic", "x/#", "--asset", "restarted",
             "--time", "time")
    wait_until(lambda: live.json("source", "show", "second")["state"] == "running", what="the source")
    process = subprocess.Popen([CTL, "simulate", "replay", file, "--broker", broker.url, "--topic", "x/1", "--rate", "1500",
                                "--json"], env=live.environment(), stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: rows_of(live, "restarted") > 300, what="the first rows")
        broker.stop()
        broker.start()
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0 and json.loads(out)["messages"] == 3000
        # What the broker had taken and not passed on died with it: it has no persistence here. Send again.
        live.run("simulate", "replay", file, "--broker", broker.url, "--topic", "x/1", "--speed", "0")
        wait_until(lambda: rows_of(live, "restarted") == 3000, what="all rows")
    finally:
        process.kill()
        process.wait()
        live.run("source", "rm", "second")
        broker.stop()


def test_predictions_are_followed_until_ctrl_c(live):
    file = recording(live.folder, "follow.csv", 5)
    for json_flag in ([], ["--json"]):
        process = subprocess.Popen([CTL, *json_flag, "--events", "predict", "double", "--asset", "followed", "--follow",
                                    "--from", "start"], env=live.environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        live.run("simulate", "replay", file, "--broker", live.broker.url, "--topic", "demo/followed", "--speed", "0")
        lines = [process.stdout.readline() for _ in range(5)]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
        if json_flag:
            events = [json.loads(line) for line in lines]
            assert [event["outputs"]["y"] for event in events] == [0, 2, 4, 6, 8]
            assert all(event["asset"] == "followed" and "latency_us" in event for event in events)
        else:
            assert "y=8" in lines[4] and lines[4].startswith("2025-10-09T")


def test_a_rate_for_a_broker_is_that_of_the_wall_clock(live):
    begun = time.monotonic()
    live.run("simulate", "imu", "--broker", live.broker.url, "--topic", "rated/1", "--rate", "20", "--count", "21")
    assert time.monotonic() - begun >= 1
    begun = time.monotonic()
    live.run("simulate", "imu", "--broker", live.broker.url, "--topic", "rated/2", "--rate", "20", "--count", "100",
             "--speed", "0")
    assert time.monotonic() - begun < 4


def test_following_without_a_daemon_says_who_runs_the_node(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        done = node.run("predict", "m", "--asset", "a", "--follow", check=False)
        assert done.returncode == 3 and "other commands must wait" in done.stderr and "node serve" in done.stderr


def test_a_deployment_from_start_to_removal(live):
    file = recording(live.folder, "deploy.csv", 20)
    done = live.json("deploy", "double", "--asset", "line/2", "--publish", "out/2", "--source", "plant", "--name", "two")
    assert (done["name"], done["publish"], done["source"]) == ("two", "out/2", "plant")
    wait_until(lambda: live.json("deployment", "show", "two")["state"] in ("running", "waiting"), what="the deployment")
    received, subscribed = [], threading.Event()
    listener = mqtt.Client(client_id="listener")
    listener.on_subscribe = lambda *_: subscribed.set()
    listener.on_message = lambda c, u, message: received.append(json.loads(message.payload))
    listener.connect("127.0.0.1", live.broker.port)
    listener.loop_start()
    listener.subscribe("out/2", qos=1)
    assert subscribed.wait(20)
    live.run("data", "import", "line/2", "--input", file)
    wait_until(lambda: live.json("deployment", "show", "two")["predictions"] == 20, what="the predictions")
    text = live.run("deployment", "show", "two").stdout
    assert "running" in text and "latency p99" in text and "y=38" in text and "out/2" in text and "0 samples" in text
    assert "two" in live.run("deployment", "ls").stdout and "two" in live.run("node", "status").stdout
    assert live.run("model", "rm", "double", check=False).returncode == 4
    wait_until(lambda: len(received) == 20, what="the messages")
    assert [message["outputs"]["y"] for message in received] == [2 * i for i in range(20)]
    listener.loop_stop()
    listener.disconnect()
    live.run("deployment", "stop", "two")
    assert live.json("deployment", "show", "two")["state"] == "stopped"
    live.run("deployment", "start", "two")
    wait_until(lambda: live.json("deployment", "show", "two")["state"] == "running", what="the deployment again")
    failed = live.run("--json", "deployment", "show", "line/two", check=False)
    assert failed.returncode == 3 and "'line.two'" in json.loads(failed.stdout)["error"]["hint"]
    live.run("deployment", "rm", "two")
    assert live.run("deployment", "show", "two", check=False).returncode == 3
    assert live.run("deployment", "rm", "two", check=False).returncode == 3


def test_messages_that_wait_are_shown_and_skipped_by_hand(live):
    live.run("source", "add", "nobody", "--driver", "mqtt", "--url", "mqtt://127.0.0.1:1", "--topic", "none/#")
    live.run("deploy", "double", "--asset", "line/3", "--publish", "out/3", "--source", "nobody", "--name", "three")
    live.run("data", "import", "line/3", "--input", recording(live.folder, "waits.csv", 20))
    wait_until(lambda: live.json("deployment", "show", "three")["outbox"] == 20, what="the predictions")
    text = live.run("deployment", "show", "three").stdout
    assert "publishing" in text and "away" in text and "set aside" in text and "cannot connect to 127.0.0.1:1" in text
    for command in (["deployment", "ls"], ["node", "status"]):
        assert "publishing away: cannot connect to 127.0.0.1:1" in live.run(*command).stdout
    doctor = {check["name"]: check for check in live.json("doctor", check=False)["checks"]}["deployment three broker"]
    assert doctor["state"] == "warn" and "20 predictions are not published" in doctor["detail"] and "source show" in doctor["hint"]
    nothing = live.run("deployment", "skip", "three", check=False)
    assert nothing.returncode == 2 and "--count N" in nothing.stderr
    assert live.run("deployment", "skip", "three", "--count", "5").stdout.split() == ["dropped", "5", "outbox", "15"]
    assert live.json("deployment", "retry", "three") == {"again": 0, "now": False, "outbox": 15}
    assert live.json("deployment", "skip", "three", "--refused") == {"dropped": 0, "outbox": 15}
    assert live.json("deployment", "show", "three")["publishing"]["skipped"] == 5
    live.run("deployment", "stop", "three")
    assert live.json("deployment", "show", "three")["publishing"]["state"] == "stopped"
    doctor = {check["name"]: check for check in live.json("doctor", check=False)["checks"]}["deployment three broker"]
    assert doctor["state"] == "warn" and doctor["detail"] == "15 predictions wait and are not sent" and "deployment start" in doctor["hint"]
    removed = live.run("deployment", "rm", "three").stdout
    assert "removed deployment three" in removed and "15" in removed
    assert rows_of(live, "predictions/three") == 20
    live.run("source", "rm", "nobody")


def test_a_home_of_version_2_sends_what_waits_in_it(tmp_path):
    with tarfile.open(pathlib.Path(os.environ["EDGEOPS_SOURCE_ROOT"]) / "tests/data/homes/v2.tar.gz") as tar:
        tar.extractall(tmp_path)
    # With a limit on what is under way to the listener, mosquitto 2.0 lets a new message overtake those that it has queued.
    with Broker(tmp_path, ["max_inflight_messages 0"]) as broker, Node(tmp_path) as node:
        with sqlite3.connect(node.home / "catalog.db") as db:  # its broker was never there
            db.execute("UPDATE record SET json = replace(json, 'mqtt://127.0.0.1:1', ?) WHERE kind = 'source'", [broker.url])
        db.close()
        received, subscribed = [], threading.Event()
        listener = mqtt.Client(client_id="listener")
        listener.on_subscribe = lambda *_: subscribed.set()
        listener.on_message = lambda c, u, message: received.append((message.topic, json.loads(message.payload)["outputs"]["y"]))
        listener.connect("127.0.0.1", broker.port)
        listener.loop_start()
        listener.subscribe("out/#", qos=2)
        assert subscribed.wait(20)
        node.serve()
        # Those of the deployment that was removed, too.
        wait_until(lambda: len(received) >= 600, 30, lambda: f"600 messages, not {len(received)}")
        for name in ("live", "gone"):
            assert [y for topic, y in received if topic == f"out/{name}"] == [2 * i for i in range(300)]
        shown = node.json("deployment", "show", "live")
        assert shown["outbox"] == 0 and shown["publishing"]["state"] == "ok" and shown["predictions"] == 300
        listener.loop_stop()
        listener.disconnect()
        assert node.stop() == 0


def test_the_log_of_a_run_is_followed_and_the_run_canceled(live):
    source = DOUBLE.replace('    return {"factor": 2.0}', '''    import time
    for i in range(100000):
        print("round", i, flush=True)
        time.sleep(0.05)''')
    live.run("workflow", "add", write_workflow(live.folder, "endless", source))
    training = subprocess.Popen([CTL, "--quiet", "train", "endless", "--dataset", "seed"], env=live.environment(),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    run = wait_until(lambda: next((r for r in live.json("run", "ls")["items"] if r["workflow"] == "endless"), None))
    log = subprocess.Popen([CTL, "run", "log", str(run["id"]), "--follow"], env=live.environment(),
                           stdout=subprocess.PIPE, text=True)
    assert any("round 3" in line for line in log.stdout)
    live.run("run", "cancel", run["id"])
    log.communicate(timeout=20)
    assert log.returncode == 0
    _, errors = training.communicate(timeout=20)
    assert training.returncode == 1 and "cancel" in errors
    assert live.json("run", "show", run["id"])["state"] == "canceled"


def test_a_daemon_that_dies_is_an_error_not_a_wait(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        process = subprocess.Popen([CTL, "predict", "m", "--asset", "a", "--follow"], env=node.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        node.kill()
        _, errors = process.communicate(timeout=20)
        assert process.returncode != 0 and "edgeopsctl: error: " in errors
