# SPDX-License-Identifier: Apache-2.0
"""Bad input gets a clear error and nothing is lost: what plants really send, from the outside."""
import json
import os
import sqlite3
import subprocess
import time

import paho.mqtt.client as mqtt
import pytest

from harness import Broker, Node, wait_until, write_workflow

T0 = 1_760_000_000_000  # ms

GOOD = """
def train(dataset, params, run):
    return 2.0


def predict(model, window, params):
    return {"y": float(window.values[-1, 0]) * model}
"""


def publisher(port):
    client = mqtt.Client(client_id="asset")
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def send(client, topic, payload):
    body = payload if isinstance(payload, (bytes, str)) else json.dumps(payload)
    client.publish(topic, body, qos=1).wait_for_publish(20)


def shown(node, name="plant"):
    return node.json("source", "show", name)


def add_source(node, broker, *more):
    node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "plant/#", "--asset", "{2}",
             "--time", "time", *more)
    wait_until(lambda: shown(node)["state"] == "running", what="the source")


def seeded(node, folder, name="double", source=GOOD, **manifest):
    """A node with a small dataset and a workflow installed."""
    if not node.home.exists():
        node.run("node", "init")
    node.run("data", "import", "seed", "--input", "-", input="time,x\n2025-01-01T00:00:00Z,1\n2025-01-01T00:00:01Z,2\n")
    if "seed" not in node.run("dataset", "ls").stdout:
        node.run("dataset", "create", "seed", "--asset", "seed")
    node.run("workflow", "add", write_workflow(folder, name, source, **manifest))


def test_what_cannot_be_taken_is_counted_kept_and_told(tmp_path):
    letters = {
        "broken": ('{"time": 1, "x":', "ends too early"),
        "word": ("hello", "byte 0"),
        "nan": ('{"time": %d, "x": NaN}' % T0, ""),
        "list": ("[1, 2, 3]", ""),
        "empty": ("", ""),
        "nothing": ('{"time": %d}' % T0, ""),
        "time": ('{"time": "yesterday", "x": 1}', "time"),
        "huge": ('{"time": %d, "x": 1e999}' % T0, "x"),
        "binary": (b"\xff\xfe\x00\x01", ""),
        "doubled": ('{"time": %d, "x": 1, "x": 2}' % T0, "x"),
    }
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        add_source(node, broker)
        client = publisher(broker.port)
        send(client, "plant/a", {"time": T0, "x": 1.0})
        for name, (payload, _) in letters.items():
            send(client, f"plant/{name}", payload)
        send(client, "plant/a", {"time": T0 + 1, "x": "text now"})
        send(client, "plant/a", {"time": T0 + 2, "x": 2.0, "new": True})
        send(client, "plant/a", {"time": T0 + 3})
        send(client, "plant/a", {"time": T0 + 4, "new": False})
        wait_until(lambda: shown(node)["stats"]["messages"] >= len(letters) + 5, what="the messages")
        source = wait_until(lambda: (lambda s: s if len(s["dead_letters"]) == len(letters) + 2 else None)(
            node.json("source", "show", "plant", "--dead-letters", "50")), what="the dead letters")
        by_topic = {letter["topic"]: letter for letter in source["dead_letters"]}
        for name, (_, word) in letters.items():
            letter = by_topic[f"plant/{name}"]
            assert letter["reason"] and word in letter["reason"], (name, letter)
            assert "\n" not in letter["reason"]
        reasons = [letter["reason"] for letter in source["dead_letters"] if letter["topic"] == "plant/a"]
        assert any("'x'" in reason for reason in reasons), reasons
        assert source["stats"]["dead"] == len(letters) + 2
        text = node.run("source", "show", "plant").stdout
        assert "dead" in text and "plant/broken" in text
        head = node.json("data", "head", "a", "--rows", "10")
        assert head["columns"] == ["time", "x", "new"] or head["columns"][-2:] == ["x", "new"]
        assert len(head["rows"]) == 3
        client.loop_stop()
        client.disconnect()


def test_repeated_late_and_jumping_samples(tmp_path):
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        add_source(node, broker)
        client = publisher(broker.port)
        for offset, x in ((0, 1.0), (10, 2.0), (10, 2.0), (10, 3.0), (5, 4.0), (-3_600_000, 5.0), (20, 6.0)):
            send(client, "plant/a", {"time": T0 + offset, "x": x})
        stats = wait_until(lambda: (lambda s: s if s["messages"] == 7 else None)(shown(node)["stats"]))
        assert (stats["samples"], stats["duplicates"], stats["conflicts"], stats["late"]) == (5, 1, 1, 2)
        rows = node.json("data", "head", "a", "--rows", "10")["rows"]
        assert [row[-1] for row in rows] == [5.0, 1.0, 4.0, 2.0, 6.0]
        client.loop_stop()
        client.disconnect()


def test_a_dead_letter_says_that_only_the_quality_code_differs(tmp_path):
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "plant/+",
                 "--asset", "{2}", "--time", "time", "--values", "vals", "--list-name", "tag", "--list-value", "value",
                 "--list-quality", "q")
        client = publisher(broker.port)
        for code in ({"q": 192}, {"q": 0}, {}):
            send(client, "plant/a", {"time": T0, "vals": [{"tag": "x", "value": 7, **code}]})
        letters = wait_until(lambda: (lambda found: found if len(found) == 2 else None)(shown(node)["dead_letters"]))
        reasons = " ".join(letter["reason"] for letter in letters)
        assert "has 7 of quality code 192 in channel 'x', and 7 of quality code 0 came" in reasons
        assert "and 7 without a quality code came" in reasons
        client.loop_stop()
        client.disconnect()


def test_a_payload_of_a_megabyte_is_told_and_the_next_one_is_taken(tmp_path):
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        add_source(node, broker)
        client = publisher(broker.port)
        send(client, "plant/a", json.dumps({"time": T0, "x": "y" * 1_000_000}))
        send(client, "plant/b", "[" * 1_000_000)
        send(client, "plant/c", json.dumps({"time": T0, **{f"c{i}": i for i in range(5000)}}))
        send(client, "plant/d", {"time": T0, "x": 1.0})
        wait_until(lambda: shown(node)["stats"]["samples"] == 1)
        source = wait_until(lambda: (lambda s: s if len(s["dead_letters"]) == 3 else None)(shown(node)))
        assert all(len(letter["payload"]) < 4096 for letter in source["dead_letters"])
        client.loop_stop()
        client.disconnect()


def test_a_zip_that_is_no_zip_and_a_manifest_with_a_wrong_key(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        (tmp_path / "no.zip").write_text("this is no zip")
        done = node.run("workflow", "add", tmp_path / "no.zip", check=False)
        assert done.returncode == 1 and "no.zip" in done.stderr and "zip" in done.stderr
        folder = write_workflow(tmp_path, "wrong", GOOD)
        (folder / "workflow.json").write_text(
            '{\n  "format": 1,\n  "name": "wrong",\n  "version": "1.0.0",\n  "python": {"module": "wrong"},\n'
            '  "inputs": [{"name": "x", "typ": "float64"}],\n  "outputs": [{"name": "y", "type": "float64"}]\n}\n')
        for verb in ("check", "add"):
            done = node.run("workflow", verb, folder, check=False)
            assert done.returncode == 1
            assert "workflow.json:6:" in done.stderr and "'typ'" in done.stderr and "type" in done.stderr, done.stderr
        assert node.json("workflow", "ls")["items"] == []


FAULTS = {
    "raises": ("def train(d, p, r):\n    raise ValueError('no such thing')\n", "ValueError: no such thing"),
    "imports": ("import not_there_at_all\ndef train(d, p, r):\n    return 1\n", "not_there_at_all"),
    "exits": ("import os\ndef train(d, p, r):\n    print('going', flush=True)\n    os._exit(3)\n", "3"),
    "sys-exits": ("import sys\ndef train(d, p, r):\n    sys.exit('enough')\n", "enough"),
    "segfaults": ("import ctypes\ndef train(d, p, r):\n    ctypes.string_at(0)\n", "SIGSEGV"),
    "loops": ("def train(d, p, r):\n    while True:\n        pass\n", "train_timeout"),
    "unpicklable": ("def train(d, p, r):\n    return lambda: 1\n", "pickle"),
    "prints": ("def train(d, p, r):\n    for i in range(200000):\n        print('line', i, 'x' * 200)\n    raise RuntimeError('full')\n",
               "RuntimeError: full"),
    "eats": ("def train(d, p, r):\n    return [bytes(1 << 20) for i in range(4000)]\n", "emory"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_training_that_fails_says_why_and_leaves_no_model(tmp_path, fault):
    source, words = FAULTS[fault]
    with Node(tmp_path) as node:
        seeded(node, tmp_path, fault, source + "\n\ndef predict(m, w, p):\n    return {'y': 1.0}\n",
               limits={"memory": "256MiB", "train_timeout": "3s" if fault == "loops" else "60s"})
        done = node.run("train", fault, "--dataset", "seed", check=False)
        assert done.returncode in (1, 4), done.stderr
        log = node.run("run", "log", "1").stdout
        assert words in done.stderr + log, done.stderr + log[-2000:]
        if "raise" in source:
            assert "Traceback" in log and f"{fault.replace('-', '_')}.py" in log
        assert len(log) < 20 * 2**20
        run = node.json("run", "ls")["items"][0]
        assert run["state"] == "failed" and run["message"]
        assert node.json("model", "ls")["items"] == []
        assert [p for p in (node.home / "models").iterdir()] == []


BAD_PREDICT = """
import ctypes, os, time


def train(dataset, params, run):
    return 1


def predict(model, window, params):
    x = window.values[-1, 0]
    if x == 1:
        raise ValueError("bad one")
    if x == 2:
        os._exit(7)
    if x == 3:
        ctypes.string_at(0)
    if x == 4:
        while True:
            pass
    if x == 5:
        return {"y": "text"}
    if x == 6:
        return {"z": 1.0}
    if x == 7:
        return [1, 2]
    if x == 8:
        return None
    return {"y": x}
"""


def test_a_deployment_survives_all_that_a_workflow_can_do_to_it(tmp_path):
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        seeded(node, tmp_path, "moody", BAD_PREDICT, limits={"predict_timeout": "300ms"})
        node.run("train", "moody", "--dataset", "seed", "--name", "moody")
        node.serve()
        add_source(node, broker)
        node.run("deploy", "moody", "--asset", "a", "--name", "live", "--publish", "out/a")
        client = publisher(broker.port)
        for i in range(20):
            send(client, "plant/a", {"time": T0 + i, "x": i % 10})
        send(client, "plant/a", {"time": T0 + 100, "x": 50.0})
        shown_deployment = wait_until(lambda: (lambda d: d if d["lag"] == 0 and d["predictions"] == 5 else None)(
            node.json("deployment", "show", "live")), 60, "the predictions")
        assert shown_deployment["errors"] == 14 and shown_deployment["timeouts"] == 2
        assert shown_deployment["restarts"] >= 6
        rows = node.json("data", "head", "predictions/live", "--rows", "20")["rows"]
        assert [row[-1] for row in rows] == [0.0, 9.0, 0.0, 9.0, 50.0]
        status = node.json("node", "status")
        assert status["samples"] >= 21
        log = node.run("run", "log", str(next(r["id"] for r in node.json("run", "ls")["items"] if r["kind"] == "deployment"))).stdout
        assert "ValueError: bad one" in log
        client.loop_stop()
        client.disconnect()


def test_a_broker_that_is_absent_restarts_or_refuses(tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "edge", "secret"], check=True)
    os.chmod(passwords, 0o644)
    with Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        broker = Broker(tmp_path, [f"password_file {passwords}", "allow_anonymous false", "persistence true",
                                   f"persistence_location {tmp_path}/"])
        (tmp_path / "wrong").write_text("guess\n")
        (tmp_path / "right").write_text("secret\n")
        node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "plant/#", "--asset", "{2}",
                 "--time", "time", "--user", "edge", "--password-file", str(tmp_path / "wrong"))
        source = wait_until(lambda: (lambda s: s if s["detail"] else None)(shown(node)))
        assert source["state"] == "connecting" and str(broker.port) in source["detail"]
        broker.start()
        try:
            source = wait_until(lambda: (lambda s: s if "user name or password" in s["detail"].lower()
                                         or "password" in s["detail"].lower() else None)(shown(node)), 40, "the refusal")
            assert "guess" not in json.dumps(source) + node.tail()
            (tmp_path / "wrong").write_text("secret\n")
            wait_until(lambda: shown(node)["state"] == "running", 40, "the right password")
            client = mqtt.Client(client_id="asset", clean_session=False)
            client.username_pw_set("edge", "secret")
            client.connect("127.0.0.1", broker.port)
            client.loop_start()
            send(client, "plant/a", {"time": T0, "x": 1.0})
            wait_until(lambda: shown(node)["stats"]["samples"] == 1)
            broker.stop()
            wait_until(lambda: shown(node)["state"] == "connecting", 20, "the loss")
            broker.start()
            wait_until(client.is_connected, 20, "the sender")
            wait_until(lambda: shown(node)["state"] == "running", 40, "the link again")
            send(client, "plant/a", {"time": T0 + 1, "x": 2.0})
            wait_until(lambda: shown(node)["stats"]["samples"] == 2, 20)
            client.loop_stop()
        finally:
            broker.stop()


def test_a_home_of_a_newer_version_and_two_daemons(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        second = Node(tmp_path)
        done = second.run("node", "serve", check=False)
        assert done.returncode == 4 and str(node.process.pid) in done.stderr, done.stderr
        assert node.json("node", "status")["mode"] == "daemon"
        assert node.stop() == 0
        with sqlite3.connect(node.home / "catalog.db") as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            db.execute(f"PRAGMA user_version = {version + 1}")
        for command in (["node", "serve"], ["asset", "ls"]):
            done = node.run(*command, check=False)
            assert done.returncode == 1 and "newer" in done.stderr and str(version + 1) in done.stderr, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_stops_taking_and_recovers_alone(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=220m", "tmpfs", small]).returncode != 0:
        pytest.skip("cannot mount a tmpfs here")
    try:
        with Broker(tmp_path) as broker, Node(tmp_path) as node:
            node.home = small / "home"
            node.run("node", "init")
            node.serve()
            add_source(node, broker)
            client = publisher(broker.port)
            for i in range(2000):
                client.publish("plant/a", json.dumps({"time": T0 + i, "x": i}), qos=1)
            wait_until(lambda: shown(node)["stats"]["samples"] == 2000)
            ballast = small / "ballast"
            with open(ballast, "wb") as f:
                try:
                    while True:
                        f.write(bytes(1 << 20))
                        f.flush()
                except OSError:
                    pass
            wait_until(lambda: shown(node)["state"] == "paused", 20, "the pause")
            assert node.json("node", "status")["disk"]["state"] == "full"
            for i in range(2000, 6000):
                client.publish("plant/a", json.dumps({"time": T0 + i, "x": i}), qos=1).wait_for_publish(20)
            time.sleep(1)  # nothing may be taken meanwhile: there is no event to wait for
            assert shown(node)["stats"]["samples"] <= 2100
            ballast.unlink()
            wait_until(lambda: shown(node)["state"] == "running", 15, "the recovery")
            wait_until(lambda: shown(node)["stats"]["samples"] == 6000, 30, "what the broker kept")
            rows = node.run("data", "export", "a", "--format", "csv").stdout.splitlines()
            assert [float(row.split(",")[-1]) for row in rows[1:]] == [float(i) for i in range(6000)]
            client.loop_stop()
            client.disconnect()
            assert node.stop() == 0
    finally:
        subprocess.run(["umount", "-l", small], check=False)
