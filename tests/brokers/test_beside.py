# SPDX-License-Identifier: Apache-2.0
"""Two deployments on one broker, which refuses what one of them publishes, each broker in its way: the neighbour's
predictions arrive as if it were alone, and the refused ones are counted and named."""
import json
import os
import re
import time

import pytest

from harness import wait_until
from pourer import sample
from starters import KINDS, SCARCE
from world import Client, World

SAMPLES = 500
IN_FLIGHT = 256  # what a kill may have arrive twice
# How it is refused: broker, MQTT version, what the deployment is given, what the broker announces, what is said of it.
WAYS = {
    "acknowledged as not authorised": ("mochi", "5", ["deny/out"], {}, "authori[sz]ed"),
    "acknowledged as not authorised, and hung up on": ("mosquitto", "5", ["deny/out"], {"deny": True}, "authori[sz]ed"),
    "hung up on": ("aedes", "3.1.1", ["deny/out"], {}, "hangs up"),
    "hung up on by mochi": ("mochi", "3.1.1", ["deny/out"], {}, "hangs up"),
    "QoS 2 where there is none": ("nats", "3.1.1", ["out/sure", "--qos", "2"], {}, "hangs up"),
    "larger than announced": ("mosquitto", "5", ["out/large"], {"maximum_packet": SCARCE["maximum_packet"]}, "takes at most"),
    "QoS 2 over the announced 1": ("mochi", "5", ["out/sure", "--qos", "2"], {"maximum_qos": 1}, "qos"),
    "retained against the announcement": ("mosquitto", "5", ["out/kept", "--retain"], {"retain": False}, "retain"),
}
# One of each kind; EDGEOPS_TEST_ROUNDS=1 takes all.
KIND = ["acknowledged as not authorised", "hung up on", "QoS 2 where there is none", "larger than announced"]


@pytest.fixture(scope="module", params=WAYS if "EDGEOPS_TEST_ROUNDS" in os.environ else KIND)
def beside(request, tmp_path_factory):
    name, version, refused, limits, said = WAYS[request.param]
    KINDS[name].here()
    new_node = request.getfixturevalue("new_node")
    folder = tmp_path_factory.mktemp("beside")
    with KINDS[name](folder, **limits) as broker, new_node(folder) as node:
        node.serve()
        w = World(broker, node, version)
        w.add("a", "in/a")
        w.deploy("fine", "out/fine", asset="a")
        w.deploy("refused", *refused, model="wordy" if "large" in request.param else "double", asset="a")
        w.said = said
        # Wordy's text has as many letters as the value.
        w.payload = (lambda n: json.dumps({"time": 10**18 + n, "seq": n, "x": 5000 + n})) if "large" in request.param else sample
        w.sent = w.next = 0
        with Client(broker, "reader") as w.reader, Client(broker, "asset") as w.asset:
            w.reader.listen("out/fine")
            pour(w, 1)  # the first refusal may meet what is under way beside it
            wait_until(lambda: w.reader.got, 30, "the neighbour's first prediction")
            wait_until(lambda: re.search(said, shown(w)), 30, lambda: f"a refusal to be told: {shown(w)}")
            yield w


def shown(w):
    """Why the refused deployment's predictions are not published, as `deployment show` tells it."""
    return (w.deployment("refused")["publishing"]["reason"] or "").lower()


def pour(w, count, during=None):
    for at in range(0, count, 50):
        part = range(w.next, w.next + min(50, count - at))
        w.asset.send("in/a", map(w.payload, part))
        w.next = part.stop
        w.sent += len(part)
        if during and at == count // 2 // 50 * 50:
            during()
        elif count > 50:
            time.sleep(0.1)


def times(w):
    return [json.loads(payload)["time"] for _, payload, _ in w.reader.got]


def test_in_a_quiet_run_each_arrives_once(beside):
    before = len(beside.reader.got)
    pour(beside, SAMPLES)
    beside.settled("fine")
    time.sleep(1)
    came = times(beside)[before:]
    assert len(came) == len(set(came)) == SAMPLES
    neighbour = beside.deployment("fine")
    assert neighbour["state"] in ("running", "waiting") and neighbour["outbox"] == 0, neighbour


def test_after_a_kill_none_is_lost_and_few_come_twice(beside):
    before = len(beside.reader.got)
    pour(beside, SAMPLES, during=lambda: (beside.node.kill(), beside.node.serve()))
    if "a session under load" in beside.broker.cannot:
        time.sleep(2)
        beside.sent = beside.rows("a")
    beside.arrives("a", beside.sent, 40)
    wait_until(lambda: len(set(times(beside))) >= beside.sent, 40,
               lambda: f"{beside.sent} predictions, not {len(set(times(beside)))}")
    beside.settled("fine")
    time.sleep(1)
    came = times(beside)
    assert len(set(came)) == beside.sent
    assert len(came[before:]) - len(set(came[before:])) <= IN_FLIGHT


def test_what_was_refused_is_counted_and_named(beside):
    refused = wait_until(lambda: (d := beside.deployment("refused"))["predictions"] == beside.sent and d, 30, "the predictions")
    assert re.search(beside.said, shown(beside)), refused
    assert refused["publishing"]["refused"] > 0, refused
    assert refused["outbox"] == beside.sent, refused
    text = beside.node.run("doctor", check=False).stdout.lower()
    assert re.search(f"refused.*({beside.said})|({beside.said}).*refused", text, re.DOTALL), text
