# SPDX-License-Identifier: Apache-2.0
"""One list for each broker and MQTT version: connect, refuse, quality of service, sessions, retained, will, large,
limits, takeover, restart. All through the command line; what a broker has no means for is skipped with the reason."""
import concurrent.futures
import json
import os
import re
import time

import pytest

from harness import wait_until
from pourer import START_NS, sample
from starters import KINDS, SCARCE
from world import Client, Samples, World

CHOSEN = os.environ.get("EDGEOPS_TEST_BROKER", "").split() or [name for name in KINDS if name != "hivemq"]
PAIRS = [(name, version) for name in CHOSEN for version in KINDS[name].versions]


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: "-".join(pair))
def world(request, tmp_path_factory):
    """A broker, a served node with a source for each quality of service, and a deployment for each."""
    name, version = request.param
    KINDS[name].here()
    new_node = request.getfixturevalue("new_node")
    folder = tmp_path_factory.mktemp(f"{name}-{version}")
    with KINDS[name](folder) as broker, new_node(folder) as node:
        node.serve()
        w = World(broker, node, version)
        w.folder = folder
        for qos in broker.qos:
            w.add(f"q{qos}", f"in/{qos}", qos=qos)
            w.deploy(f"d{qos}", f"out/{qos}", "--qos", qos, "--source", f"q{qos}", asset=f"q{qos}")
        yield w


@pytest.fixture()
def client(world):
    with Client(world.broker, "asset") as c:
        yield c


def needs(world, item):
    why = world.broker.cannot.get(item) or world.broker.cannot.get(f"{item} {world.version}")
    if why:
        pytest.skip(f"{world.broker.name}: {why}")


def text_of(shown):
    """What a person reads, without the configuration."""
    return json.dumps({key: value for key, value in shown.items() if key != "config"}).lower()


def test_a_source_connects_and_says_so(world):
    answer = world.add("connects", "in/connects", run=False, user="u", password="pw").stdout
    assert world.state("connects") == "running", answer
    world.drop("connects")


def test_a_refused_login_or_subscription_is_named(world):
    refused = {"wrong": ["in/wrong", {"user": "u", "password": "guess"}, "refuses user name or password|not authorised"]}
    unable = world.broker.cannot.get("refused subscription")
    if not unable:
        refused["denied"] = ["deny/in", {}, "deny/in"]
    with concurrent.futures.ThreadPoolExecutor() as threads:  # each `source add` waits 3 s for its link
        added = [threads.submit(world.add, name, topic, run=False, **config) for name, (topic, config, _) in refused.items()]
    for one in added:
        one.result()
    for name, (_, _, words) in refused.items():
        shown = wait_until(lambda name=name, words=words: re.search(words, (s := world.show(name))["detail"] or "") and s, 10,
                           lambda name=name: f"a reason: {world.show(name)}")
        assert shown["state"] != "running"
    assert world.state("q1") == "running"
    world.drop(*refused)
    if unable:
        pytest.skip(f"{world.broker.name}: {unable}; a wrong password is refused and named")


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_of_each_quality_arrive_once(world, client, qos):
    if qos not in world.broker.qos:
        pytest.skip(f"{world.broker.name}: {world.broker.cannot['QoS 2']}")
    before = world.rows(f"q{qos}")
    client.send(f"in/{qos}", map(sample, range(before, before + 200)), qos)
    world.arrives(f"q{qos}", before + 200)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_predictions_of_each_quality_arrive_once(world, client, qos):
    """One quality at a time: aedes loses messages for a subscriber that come in at once with several."""
    if qos not in world.broker.qos:
        pytest.skip(f"{world.broker.name}: {world.broker.cannot['QoS 2']}")
    first = world.rows(f"q{qos}")
    world.settled(f"d{qos}")
    with Client(world.broker, "reader") as reader:
        reader.listen(f"out/{qos}", qos)
        client.send(f"in/{qos}", map(sample, range(first, first + 100)), qos)
        wait_until(lambda: len(set(reader.got)) >= 100, 20, lambda: f"the predictions, not {len(set(reader.got))}")
        world.settled(f"d{qos}")
        values = [json.loads(payload)["outputs"]["y"] for _, payload, _ in reader.got]
    assert values == [n / 4 for n in range(first, first + 100)]
    assert world.deployment(f"d{qos}")["state"] in ("running", "waiting")


def test_messages_wait_for_a_node_that_was_stopped_or_killed(world, client):
    names = [f"q{qos}" for qos in world.broker.qos if qos > 0]
    expected = {name: world.rows(name) for name in names}
    for end in (world.node.stop, world.node.kill):
        end()
        for name in names:
            client.send(f"in/{name[1]}", map(sample, range(expected[name], expected[name] + 50)), int(name[1]))
            expected[name] += 50
        world.node.serve()
        world.running(*names)
    for name in names:
        assert sorted(world.arrives(name, expected[name])) == list(range(expected[name]))


def test_a_retained_message_is_taken_once(world, client):
    client.send("in/kept", [sample(7)], retain=True)
    world.add("kept", "in/kept")
    world.arrives("kept", 1)
    world.node.stop()
    world.node.serve()
    world.running("kept")
    world.arrives("kept", 1)
    world.drop("kept")
    world.add("unwanted", "in/kept", retained="ignore")
    client.send("in/kept", [sample(8)])
    world.arrives("unwanted", 1)
    assert world.stored("unwanted") == [8]
    client.send("in/kept", [b""], retain=True)
    world.drop("unwanted")


def test_a_retained_value_without_a_time_is_taken_once(world, client):
    client.send("in/still", [b'{"x": 1}'], retain=True)
    world.add("still", "in/still", "--on-missing-time", "arrival")
    world.arrives("still", 1)
    for end in (world.node.stop, world.node.kill):
        end()
        world.node.serve()
        world.running("still")
        wait_until(lambda: world.show("still")["stats"]["retained_repeats"] == 1, 20, "it again")
        world.arrives("still", 1)
    world.node.stop()
    client.send("in/still", [b'{"x": 2}'], retain=True)
    world.node.serve()
    world.running("still")
    assert world.arrives("still", 2) == [8, 16]
    client.send("in/still", [b""], retain=True)
    world.drop("still")


def test_the_will_tells_of_a_death_and_of_no_other_end(world):
    world.add("mortal", "in/mortal", will={"topic": "wills/mortal", "payload": "gone", "qos": 1})
    with Client(world.broker, "mourner") as mourner:
        mourner.listen("wills/#")
        world.node.stop()
        world.node.serve()
        world.running("mortal")
        assert not mourner.got
        world.node.kill()
        wait_until(lambda: mourner.got, 10, "the will")
        assert [(topic, payload) for topic, payload, _ in mourner.got] == [("wills/mortal", b"gone")]
        world.node.serve()
        world.running("mortal", "q1")
    world.drop("mortal")


def test_a_large_message_is_taken_and_a_too_large_one_named(world, client):
    """Of 1 MiB; above max_payload it is refused by the node (3.1.1) or, being told of the limit, by the broker (5)."""
    world.add("large", "in/large", "--values", "v", max_payload="1MiB")
    large = [json.dumps({"time": 10**18 + n, "seq": n, "v": {"x": n / 8}, "pad": ""}).ljust(size)
             for n, size in enumerate([1, 1 << 20, 3 << 20, 2])]
    client.send("in/large", large)
    assert world.arrives("large", 3) == [0, 1, 3]
    shown = world.show("large")
    assert shown["state"] == "running"
    assert shown["stats"]["dead"] == 1 or "drop" in text_of(shown) or "larger" in text_of(shown), shown
    assert world.state("q1") == "running"
    world.drop("large")


def test_a_takeover_is_noticed_and_said(world, client):
    world.add("taken", "in/taken", client_id="one-name")
    before = world.show("taken")["stats"]["reconnects"]
    with Client(world.broker, "one-name", world.version, clean=False):
        wait_until(lambda: world.show("taken")["stats"]["reconnects"] > before or world.state("taken") != "running", 10,
                   "the node to notice")
    world.running("taken")
    assert world.show("taken")["stats"]["reconnects"] > before
    client.send("in/taken", map(sample, range(20)))
    world.arrives("taken", 20)
    world.drop("taken")


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_the_broker_leaves_and_returns(world, way):
    """Not "running" while it is away, running within 2 s of its return; what was predicted meanwhile then leaves."""
    qualities = [qos for qos in world.broker.qos if qos > 0]
    samples = Samples(world, "q1")
    with Client(world.broker, "absentee", clean=False) as reader:
        for qos in qualities:
            reader.listen(f"out/{qos}", qos)
    time.sleep(0.3)
    getattr(world.broker, way)()
    away = time.monotonic()
    expected = {f"out/{qos}": import_samples(world, f"q{qos}", 50) for qos in qualities}
    time.sleep(max(0, away + 1 - time.monotonic()))
    back = time.monotonic()
    world.broker.start()
    listens = time.monotonic()
    world.running("q1", seconds=5)
    took = time.monotonic() - listens
    false = [f"{asked - away:.2f} s" for asked, answered, state in samples.stop()
             if away + 0.3 < asked and answered < back and state == "running"]
    assert not false, f"said to be running after the broker was away for {false}"
    assert took <= 2, f"{took:.1f} s after the broker's return"
    world.settled(*(f"d{qos}" for qos in qualities))
    if way == "stop":  # a kill may take the session of the reader with it
        with Client(world.broker, "absentee", clean=False) as reader:
            wait_until(lambda: len(set(reader.got)) >= 50 * len(qualities), 10, lambda: f"predictions, not {len(set(reader.got))}")
            for topic, values in expected.items():
                # mochi hands them out in no order.
                assert sorted(json.loads(payload)["outputs"]["y"] for t, payload, _ in set(reader.got) if t == topic) == values
    before, first = world.rows("q1"), max(world.stored("q1")) + 1
    with Client(world.broker, "asset") as client, Client(world.broker, "reader") as reader:
        reader.listen("out/1")
        client.send("in/1", map(sample, range(first, first + 50)))
        world.arrives("q1", before + 50)
        wait_until(lambda: len(set(reader.got)) == 50, 10, lambda: f"predictions, not {len(set(reader.got))}")


def import_samples(world, asset, count):
    """Adds samples without the broker; gives what is to be predicted of them."""
    first = max(world.stored(asset)) + 1
    numbers = range(first, first + count)
    world.node.run("data", "import", asset, "--input", "-", input="time,x\n" + "".join(
        f"{START_NS + n * 1_000_000},{n / 8}\n" for n in numbers))
    return [n / 4 for n in numbers]


def scarce_world(world, new_node, **limits):
    broker = KINDS[world.broker.name](world.folder, **limits)
    return broker, new_node(world.folder, f"home-{broker.port}")


def test_what_the_broker_announces_is_kept(world, new_node):
    """The neighbour runs at full speed; what is too large, too well secured or retained is held and named."""
    needs(world, "limits")
    if world.version != "5":
        pytest.skip("MQTT 3.1.1 announces nothing")
    broker, node = scarce_world(world, new_node, **SCARCE)
    with broker, node:
        node.serve()
        w = World(broker, node, world.version)
        w.add("a", "in/a")
        w.deploy("fine", "out/fine", asset="a")
        w.deploy("large", "out/large", model="wordy", asset="a")
        w.deploy("sure", "out/sure", "--qos", "2", asset="a")
        w.deploy("kept", "out/kept", "--retain", asset="a")
        with Client(broker, "asset") as client, Client(broker, "reader") as reader:
            reader.listen("out/#")
            client.send("in/a", [json.dumps({"time": 10**18 + n, "seq": n, "x": 5000 if n == 3 else n}) for n in range(600)])
            wait_until(lambda: node.json("deployment", "show", "fine")["predictions"] == 600, 20, "the predictions")
            begun = time.monotonic()
            came = lambda name: [payload for topic, payload, _ in list(reader.got) if topic == f"out/{name}"]  # noqa: E731
            wait_until(lambda: len(came("fine")) >= 600, 20, "the neighbour's predictions")
            assert time.monotonic() - begun < 2  # a window of 10 is refilled as it empties
            wait_until(lambda: len(came("large")) >= 599, 20, lambda: f"what is not too large, {w.deployment('large')}")
            time.sleep(0.5)
            assert len(came("fine")) == len(set(came("fine"))) == 600
            assert len(came("large")) == len(set(came("large"))) == 599
        said = {name: w.deployment(name)["publishing"] for name in ("large", "sure", "kept")}
        assert "at most QoS 1" in said["sure"]["reason"], said
        # mochi keeps to these limits without a word: it hangs up on the one, and does not retain the other.
        tells = "some limits" not in broker.cannot
        assert ("takes at most 2000" if tells else "hangs up on this message") in said["large"]["reason"], said
        assert ("no retained messages" in said["kept"]["reason"]) if tells else said["kept"]["state"] == "ok", said
        assert w.deployment("fine")["outbox"] == 0
        assert w.state("a") == "running"


def test_a_lower_granted_quality_is_said(world, new_node):
    needs(world, "granted QoS")
    broker, node = scarce_world(world, new_node, maximum_qos=0)
    with broker, node:
        node.serve()
        w = World(broker, node, world.version)
        w.add("a", "in/a", qos=1)
        assert "qos 0" in text_of(w.show("a")), w.show("a")
