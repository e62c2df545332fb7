# SPDX-License-Identifier: Apache-2.0
"""A topic for each value, parts in any order, some never, kill -9 again and again: each row is predicted once, whole or
after its wait, and as a batch predicts it."""
import json
import os
import random
import signal
import subprocess
import time

import pytest

from field import Field, rows_of
from harness import CTL, wait_until, write_workflow

KILLS = int(os.environ.get("EDGEOPS_KILLS", "8"))
ROWS = 600
START_NS = 1_760_000_000_000_000_000
CHANNELS = ("temp", "press", "flow")

LACKS = """
import math


def train(dataset, params, run):
    return {"factor": 2.0}


def predict(model, window, params):
    values = [float(v) for v in window.values[-1]]
    lacks = sum(1 << i for i, v in enumerate(values) if math.isnan(v))
    return {"lacks": float(lacks), "y": sum(v * model["factor"] ** i for i, v in enumerate(values) if not math.isnan(v))}
"""
INPUTS = [{"name": name, "type": "float64"} for name in CHANNELS]
OUTPUTS = [{"name": "lacks", "type": "float64"}, {"name": "y", "type": "float64"}]
SEED = "time,temp,press,flow\n2025-01-01T00:00:00Z,1,2,3\n2025-01-01T00:00:01Z,4,5,6\n"


@pytest.fixture(name="line")
def _line(tmp_path):
    """A served node with a source that takes a value a topic, and a model of three inputs."""
    with Field(tmp_path) as field:
        node = field.node
        node.run("data", "import", "seed", "--input", "-", input=SEED)
        node.run("dataset", "create", "seed", "--asset", "seed")
        for name, window in (("whole", {"rows": 1}), ("last", {"rows": 1, "missing": "previous"})):
            node.run("workflow", "add", write_workflow(tmp_path, name, LACKS, inputs=INPUTS, outputs=OUTPUTS, window=window))
            node.run("train", name, "--dataset", "seed", "--name", name)
        node.run("source", "add", "plant", "--driver", "mqtt", "--url", field.broker.url, "--topic", "plant/+/+", "--asset", "{2}",
                 "--time", "ts")
        wait_until(lambda: node.json("source", "show", "plant")["state"] == "running", what="the source")
        node.sensors = field.client
        yield node


def value(row, channel):
    return row + 0.125 * (1 + CHANNELS.index(channel))


def send(node, asset, row, channel):
    return node.sensors.publish(f"plant/{asset}/{channel}", json.dumps(
        {"ts": START_NS + row * 1_000_000, channel: value(row, channel)}), qos=1)


def records(text, *columns):
    lines = [line.split(",") for line in text.splitlines()]
    places = [lines[0].index(column) for column in columns]
    return [tuple(line[place] for place in places) for line in lines[1:]]


def predicted(node, deployment):
    text = node.run("data", "export", f"predictions/{deployment}", "--format", "csv").stdout
    return [(when, int(float(lacks)), float(y)) for when, lacks, y in records(text, "time", "lacks", "y")]


def wanted(row, missing):
    return sum(value(row, channel) * 2.0 ** i for i, channel in enumerate(CHANNELS) if not missing >> i & 1)


def test_each_row_is_predicted_once_whole_or_after_its_wait(line):
    """The order of the parts and the moments of the kills are random; the rows and what they lack are not."""
    dice = random.Random(11)
    never = {row: 1 << dice.randrange(3) for row in range(2, ROWS) if dice.random() < 0.05}
    line.run("deploy", "whole", "--asset", "press", "--name", "live", "--wait", "2s", "--publish", "out/press", "--source",
             "plant")
    sent, kills = None, 0
    backlog = []  # parts that wait for their turn
    for row in range(ROWS):
        parts = [channel for i, channel in enumerate(CHANNELS) if not never.get(row, 0) >> i & 1]
        dice.shuffle(parts)
        sent = send(line, "press", row, parts[0])
        backlog += [(row + dice.randrange(12), row, channel) for channel in parts[1:]]
        due = [part for part in backlog if part[0] <= row]
        backlog = [part for part in backlog if part[0] > row]
        dice.shuffle(due)
        for _, of, channel in due:
            send(line, "press", of, channel)
        time.sleep(0.004)
        if kills < KILLS and row >= (kills + 1) * ROWS // (KILLS + 1):
            kills += 1
            line.kill()
            line.serve()
    for _, of, channel in backlog:
        sent = send(line, "press", of, channel)
    sent.wait_for_publish(30)
    wait_until(lambda: rows_of(line, "predictions/live") >= ROWS, 60, "the last prediction")
    time.sleep(0.5)
    line.kill()
    line.serve()
    wait_until(lambda: line.json("deployment", "show", "live")["state"] == "running", what="the deployment")
    time.sleep(0.5)
    got = predicted(line, "live")
    samples = records(line.run("data", "export", "press", "--format", "csv").stdout, "time", *CHANNELS)
    assert [when for when, _, _ in got] == [sample[0] for sample in samples] and len(got) == ROWS
    show = line.json("deployment", "show", "live")
    assert show["predictions"] == ROWS and show["conflicts"] == 0 and show["errors"] == 0 and show["parts"]["held"] == 0
    # A part may come after its wait, when a node was away for long; then its row is predicted without it.
    lacking = {row: lacks for row, (_, lacks, _) in enumerate(got) if lacks}
    late = {row: lacks for row, lacks in lacking.items() if lacks != never.get(row, 0)}
    assert all(lacking[row] & missing for row, missing in never.items())
    assert sum(bin(lacks & ~never.get(row, 0)).count("1") for row, lacks in late.items()) == show["parts"]["late_parts"]
    assert show["parts"]["incomplete"] == len(lacking) and len(late) <= ROWS // 20
    for row, (_, lacks, y) in enumerate(got):
        assert y == wanted(row, lacks), row
    # A batch sees all parts that there are.
    batch = records(line.run("predict", "whole", "--asset", "press", "--format", "csv").stdout, "lacks", "y")
    for row, (lacks, y) in enumerate(batch):
        assert (int(float(lacks)), float(y)) == (never.get(row, 0), wanted(row, never.get(row, 0))), row
    print(f"{kills} kills, {ROWS} rows in parts, {len(never)} never whole, {len(late)} whole too late")


def test_values_that_are_sent_when_they_change_keep_their_last(line):
    for channel in CHANNELS:
        send(line, "valve", 0, channel).wait_for_publish(20)
    wait_until(lambda: rows_of(line, "valve") == 1, what="the first row")
    line.run("deploy", "last", "--asset", "valve", "--name", "valve")
    wait_until(lambda: line.json("deployment", "show", "valve")["state"] == "running", what="the deployment")
    last = {channel: value(0, channel) for channel in CHANNELS}
    expected = []
    dice = random.Random(5)
    for row in range(1, 60):
        channel = CHANNELS[dice.randrange(2)]  # flow never changes again
        send(line, "valve", row, channel).wait_for_publish(20)
        last[channel] = value(row, channel)
        expected.append(sum(last[c] * 2.0 ** i for i, c in enumerate(CHANNELS)))
        if row % 20 == 10:
            line.kill()
            line.serve()
    wait_until(lambda: rows_of(line, "predictions/valve") >= 59, what="the predictions")
    got = predicted(line, "valve")
    assert [(lacks, y) for _, lacks, y in got] == [(0, y) for y in expected]
    batch = records(line.run("predict", "last", "--asset", "valve", "--format", "csv").stdout, "lacks", "y")
    assert [(int(float(lacks)), float(y)) for lacks, y in batch[1:]] == [(0, y) for y in expected]


def test_following_holds_rows_as_a_deployment_does(line):
    for channel in CHANNELS:
        send(line, "oven", 0, channel).wait_for_publish(20)
    wait_until(lambda: rows_of(line, "oven") == 1, what="the first row")
    process = subprocess.Popen([CTL, "--json", "--events", "predict", "whole", "--asset", "oven", "--follow", "--from", "start"],
                               env=line.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert json.loads(process.stdout.readline())["outputs"] == {"lacks": 0, "y": wanted(0, 0)}
    begun = time.monotonic()
    for channel in ("flow", "temp"):
        send(line, "oven", 1, channel)
    for channel in CHANNELS:
        send(line, "oven", 2, channel)
    events = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert time.monotonic() - begun >= 0.9  # the default wait
    assert [event["outputs"] for event in events] == [{"lacks": 2, "y": wanted(1, 2)}, {"lacks": 0, "y": wanted(2, 0)}]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors


def test_what_waits_and_what_came_late_is_shown(line):
    for channel in CHANNELS:
        send(line, "mill", 0, channel).wait_for_publish(20)
    wait_until(lambda: rows_of(line, "mill") == 1, what="the first row")
    done = line.json("deploy", "whole", "--asset", "mill", "--name", "mill", "--wait", "300ms")
    assert done["parts"]["wait"] == "300ms"
    wait_until(lambda: line.json("deployment", "show", "mill")["state"] == "running", what="the deployment")
    send(line, "mill", 1, "temp").wait_for_publish(20)
    wait_until(lambda: rows_of(line, "predictions/mill") == 1, what="the row without two inputs")
    send(line, "mill", 1, "flow").wait_for_publish(20)
    wait_until(lambda: line.json("deployment", "show", "mill")["parts"]["late_parts"] == 1, what="the late part")
    text = " ".join(line.run("deployment", "show", "mill").stdout.split())
    assert "wait 300ms" in text and "late parts 1" in text and "incomplete 1" in text and "longer --wait" in text
    wait_until(lambda: "parts that came after their rows were predicted, which waited 300ms: 1" in line.log.read_text(), what="the log")
    assert line.run("deploy", "whole", "--asset", "mill", "--name", "m2", "--wait", "2d", check=False).returncode == 2
    assert "--wait DURATION" in line.run("deploy", "--help").stdout
    line.run("deployment", "stop", "mill")
    assert line.json("deployment", "show", "mill")["parts"] == {
        "wait": "300ms", "held": 0, "incomplete": 1, "late_parts": 1, "early": 0}
