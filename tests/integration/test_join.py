# SPDX-License-Identifier: Apache-2.0
"""Rows across assets, live: two sources, joins of each kind, a deployment on one of them, kill -9 of the node in between.
What was made live is what a join of the same inputs makes of history: nothing lost, nothing doubled, nothing else."""
import json
import os
import random
import subprocess
import time

import paho.mqtt.client as mqtt

from field import Pourer, rows_of
from harness import CTL, Broker, Node, wait_until, write_workflow

KILLS = int(os.environ.get("EDGEOPS_KILLS", "6"))
START_NS = 1_760_000_000_000_000_000

SUM = """
def train(dataset, params, run):
    return {}


def predict(model, window, params):
    return {"y": float(window.values[-1, 0]) + float(window.values[-1, 1])}
"""

RULES = {"exact": [], "rate": ["--rate", "50Hz", "--wait", "20s"], "near": ["--tolerance", "7ms", "--wait", "20s"]}


class Line(Pourer):
    """Samples of the press every 4 ms and of the oven every 10 ms; both end at one time."""

    def __init__(self, port):
        super().__init__(port)
        self.millisecond = 0
        self.pressed = self.baked = 0

    def even(self):
        return self.millisecond % 20 == 1

    def pour(self, seconds):
        while self.millisecond < int(seconds * 1000) and (not self.done.is_set() or not self.even()):
            time_ns = START_NS + self.millisecond * 1_000_000
            if self.millisecond % 4 == 0:
                self.pressed += 1
                self.publish("line/press", time=time_ns, force=self.millisecond / 8)
            if self.millisecond % 10 == 0:
                self.baked += 1
                self.publish("line/oven", time=time_ns, temp=self.millisecond / 4)
            self.millisecond += 1


def exported(node, asset):
    return node.run("data", "export", asset, "--format", "csv").stdout.splitlines()


def channels():
    return ["--channel", "press:force", "--channel", "oven:temp"]


def test_live_and_history_make_the_same_rows_over_kills(tmp_path):
    random.seed(4)
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.run("data", "import", "seed", "--input", "-", input="time,force,temp\n2025-01-01T00:00:00Z,1,2\n2025-01-01T00:00:01Z,2,3\n")
        node.run("dataset", "create", "seed", "--asset", "seed")
        node.run("workflow", "add", write_workflow(tmp_path, "sum", SUM, inputs=[
            {"name": "force", "type": "float64"}, {"name": "temp", "type": "float64"}]))
        node.run("train", "sum", "--dataset", "seed", "--name", "sum")
        node.serve()
        for name in ("press", "oven"):
            node.run("source", "add", name, "--driver", "mqtt", "--url", broker.url, "--topic", f"line/{name}", "--asset", name,
                     "--time", "time")
        for name, rule in RULES.items():
            made = node.json("asset", "join", f"live/{name}", *channels(), *rule, "--allow-missing")
            assert made["made"] and made["join"]["state"] == "waiting", made
        node.run("deploy", "sum", "--asset", "live/rate", "--name", "both", "--source", "press", "--publish", "out/both")
        wait_until(lambda: all(node.json("source", "show", n)["state"] == "running" for n in ("press", "oven")), what="the sources")
        pourer = Line(broker.port)
        pourer.start()
        try:
            for _ in range(KILLS):
                time.sleep(random.uniform(0.3, 1.5))
                node.kill()
                node.serve()
            time.sleep(0.5)
        finally:
            pourer.done.set()
            pourer.join()
        wait_until(lambda: rows_of(node, "press") >= pourer.pressed and rows_of(node, "oven") >= pourer.baked, 60, "the samples")
        points = (pourer.millisecond - 1) // 20 + 1
        wait_until(lambda: rows_of(node, "live/rate") >= points, 60, lambda: str(node.json("asset", "show", "live/rate")))
        wait_until(lambda: rows_of(node, "predictions/both") >= points, 60, "the predictions")
        for name in RULES:
            wait_until(lambda: node.json("asset", "show", f"live/{name}")["join"]["behind"] == 0, 60, f"live/{name}")
        assert node.stop() == 0

        for name, rule in RULES.items():
            node.run("asset", "join", f"history/{name}", *channels(), *rule)
            live, history = exported(node, f"live/{name}"), exported(node, f"history/{name}")
            if name == "near":  # the last rows still wait, there as here
                live, history = live[:len(history)], history[:len(live)]
                assert len(live) >= pourer.pressed - 3
            assert live == history
            assert node.json("asset", "show", f"live/{name}")["join"]["late"] == 0
        by_time = {}
        for line in exported(node, "live/exact")[1:]:
            at, force, temp = line.split(",")
            by_time[at] = (force, temp)
        assert len(by_time) == sum(1 for ms in range(pourer.millisecond) if ms % 4 == 0 or ms % 10 == 0)
        assert sum(1 for force, temp in by_time.values() if force and temp) == (pourer.millisecond - 1) // 20 + 1
        rate = [line.split(",") for line in exported(node, "live/rate")[1:]]
        assert len(rate) == points
        predictions = [line.split(",") for line in exported(node, "predictions/both")[1:]]
        assert [p[0] for p in predictions] == [r[0] for r in rate]
        assert [float(p[1]) for p in predictions] == [float(r[1]) + float(r[2]) for r in rate]
        assert all(float(r[2]) == 2 * float(r[1]) for r in rate)  # both at the point itself: the same time


def test_history_that_is_killed_goes_on_where_it_was(tmp_path):
    random.seed(5)
    with Node(tmp_path) as node:
        node.run("node", "init")
        n = 120_000
        for name, channel, step in (("press", "force", 1_000_000), ("oven", "temp", 1_500_000)):
            lines = "".join(f"{START_NS + i * step},{i % 1000}\n" for i in range(n))
            node.run("data", "import", name, "--input", "-", input=f"time,{channel}\n" + lines)
        for name, rule in {"exact": [], "rate": ["--rate", "1kHz"], "near": ["--tolerance", "1ms"]}.items():
            killed = 0
            for soon in range(6):  # a whole join takes a fifth of a second
                process = subprocess.Popen([CTL, "asset", "join", f"torn/{name}", *channels(), *rule], env=node.environment(),
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(random.uniform(0.01, 0.03) * (soon + 1))
                killed += process.poll() is None
                process.kill()
                process.wait()
            assert killed > 0
            torn = node.json("asset", "join", f"torn/{name}", *channels(), *rule)
            whole = node.json("asset", "join", f"whole/{name}", *channels(), *rule)
            assert torn["rows"] == whole["rows"] and torn["join"]["conflicts"] == 0
            assert exported(node, f"torn/{name}") == exported(node, f"whole/{name}")


def test_a_source_does_not_write_to_a_derived_asset(tmp_path):
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        node.run("data", "import", "press", "--input", "-", input="time,force\n2026-01-01T00:00:00Z,1\n")
        node.run("asset", "join", "both", "--channel", "press:force")
        node.run("source", "add", "line", "--driver", "mqtt", "--url", broker.url, "--topic", "line/#", "--asset", "{2}")
        wait_until(lambda: node.json("source", "show", "line")["state"] == "running", what="the source")
        client = mqtt.Client(client_id="sender")
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        for name in ("both", "press"):
            client.publish(f"line/{name}", json.dumps({"force": 5}), qos=1).wait_for_publish(10)
        letters = wait_until(lambda: node.json("source", "show", "line")["dead_letters"], what="the dead letter")
        assert "asset 'both' is joined of other assets, and nothing else writes to it" in letters[0]["reason"]
        wait_until(lambda: rows_of(node, "both") == rows_of(node, "press") == 2, what="the row of the input")
        client.loop_stop()
        client.disconnect()
