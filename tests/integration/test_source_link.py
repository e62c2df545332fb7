# SPDX-License-Identifier: Apache-2.0
"""What a broker grants, keeps and loses is said: in `source show`, in the lists, in `doctor`."""
import json
import subprocess
import time

import pytest

from harness import CTL, Broker, Node, wait_until
from scripted_broker import ScriptedBroker

T0 = 1_760_000_000_000  # ms


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with Node(tmp_path_factory.mktemp("link")) as node:
        node.run("node", "init")
        node.serve()
        yield node


@pytest.fixture
def add(node):
    names = []

    def add_source(name, broker, *more, version="5", topics=("in/x",), running=True):
        topics = [part for topic in topics for part in ("--topic", topic)]
        node.run("source", "add", name, "--driver", "mqtt", "--url", broker.url, "--mqtt-version", version, "--time", "time",
                 *topics, *more)
        names.append(name)
        if running:
            wait_until(lambda: shown(node, name)["state"] == "running", what="the source")
        return shown(node, name)

    yield add_source
    for name in names:
        node.run("source", "rm", name)


def shown(node, name):
    return node.json("source", "show", name)


def doctor(node, name):
    return [c for c in node.json("doctor", check=False)["checks"] if c["name"] == f"source {name}"]


def config(**members):
    return ("--config", json.dumps(members))


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_lower_grant_is_said_everywhere(node, add, version):
    with ScriptedBroker(v5=version == "5", grant=lambda topic, asked: 0 if topic == "in/x" else asked) as broker:
        now = add("lower", broker, "--qos", "1", version=version, topics=("in/x", "in/y"))
        assert now["connection"]["filters"] == [{"filter": "in/x", "asked": 1, "granted": 0},
                                                {"filter": "in/y", "asked": 1, "granted": 1}]
        assert now["connection"]["guarantee"] == "messages may be lost: QoS 0 granted"
        [warning] = now["warnings"]
        assert "grants QoS 0 for 'in/x', asked for was 1: messages may be lost" in warning
        for text in (node.run("source", "ls").stdout, node.run("node", "status").stdout, node.run("source", "show", "lower").stdout):
            assert "grants QoS 0 for 'in/x'" in text
        [check] = doctor(node, "lower")
        assert check["state"] == "warn" and check["detail"] == warning


def test_all_is_well_without_a_word(node, add, tmp_path):
    with Broker(tmp_path) as broker:
        now = add("well", broker, "--qos", "2")
        assert now["warnings"] == [] and doctor(node, "well")[0]["state"] == "ok"
        connection = now["connection"]
        assert connection["up"] is True and connection["protocol"] == "MQTT 5" and connection["session"] == "new"
        assert connection["session_expiry_s"] == 7 * 86400 and connection["keep_alive_s"] == 20
        assert connection["guarantee"] == "each message at least once, if this source is not away for over 7d"
        assert connection["broker"] == f"127.0.0.1:{broker.port}" and connection["client_id_assigned"] is False
        node.run("source", "stop", "well")
        stopped = shown(node, "well")["connection"]
        assert stopped["up"] is False and "session" not in stopped and "filters" not in stopped and "guarantee" not in stopped
        node.run("source", "start", "well")
        wait_until(lambda: shown(node, "well")["state"] == "running", what="the source")
        assert shown(node, "well")["connection"]["session"] == "resumed"
        broker.stop()
        wait_until(lambda: shown(node, "well")["state"] == "connecting", what="the loss")
        assert shown(node, "well")["connection"]["up"] is False


def test_a_refused_filter_is_named_with_the_reason(node, add):
    with ScriptedBroker(grant=lambda topic, asked: 0x87 if topic == "secret/#" else asked) as broker:
        now = add("refused", broker, topics=("in/x", "secret/#"))
        assert now["connection"]["filters"][1] == {"filter": "secret/#", "asked": 1, "refused": "not authorized (0x87)"}
        assert any("refuses the filter 'secret/#': not authorized (0x87)" in w for w in now["warnings"])


def test_a_test_of_a_source_warns_too(node):
    with ScriptedBroker(grant=0) as broker:
        done = node.run("source", "test", "--driver", "mqtt", "--url", broker.url, "--topic", "in/x", "--mqtt-version", "5",
                        "--seconds", "1")
        assert "grants QoS 0 for 'in/x'" in done.stdout


def test_what_the_broker_shortens_is_said(node, add):
    properties = b"\x11\x00\x00\x0e\x10" + b"\x13\x00\x07" + b"\x12\x00\x04mine"  # expiry 1 h, keep-alive 7 s, client id
    with ScriptedBroker(properties=properties) as broker:
        now = add("short", broker)
        connection = now["connection"]
        assert connection["session_expiry_s"] == 3600 and connection["keep_alive_s"] == 7
        assert connection["client_id"] == "mine" and connection["client_id_assigned"] is True
        assert any("keeps the session for 1h only, asked for was 7d" in w for w in now["warnings"])


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_lost_session_is_said_and_counted(node, add, version):
    with ScriptedBroker(v5=version == "5", present=[0, 1, 0]) as broker:
        now = add("lost", broker, version=version)
        assert now["connection"]["session"] == "new"
        for count, session, lost in ((2, "resumed", 0), (3, "lost", 1), (4, "lost", 2)):
            broker.hang_up()
            wait_until(lambda: broker.connects == count and shown(node, "lost")["state"] == "running", what="the next connection")
            now = shown(node, "lost")["connection"]
            assert (now["session"], now["lost_sessions"]) == (session, lost)
        warning = [w for w in shown(node, "lost")["warnings"] if "lost the session" in w]
        assert len(warning) == 1 and "2 times so far" in warning[0]
        node.run("source", "stop", "lost")
        node.run("source", "start", "lost")
        wait_until(lambda: shown(node, "lost")["state"] == "running", what="the source")
        assert shown(node, "lost")["connection"]["lost_sessions"] == 3, "also when this side went away"


def test_a_session_that_is_gone_when_the_node_comes_back_is_said(tmp_path):
    with ScriptedBroker(present=[0, 1, 0]) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "in/x", "--mqtt-version", "5")
        for session, lost in (("new", 0), ("resumed", 0), ("lost", 1)):
            wait_until(lambda: shown(node, "plant")["state"] == "running", what="the source")
            now = shown(node, "plant")
            assert (now["connection"]["session"], now["connection"]["lost_sessions"]) == (session, lost)
            assert any("when the node came back" in w for w in now["warnings"]) == (lost == 1)
            time.sleep(1.5)  # what is kept is written by the node's tick
            node.stop()
            node.serve()
        node.run("source", "rm", "plant")
        node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "in/x", "--mqtt-version", "5")
        wait_until(lambda: shown(node, "plant")["state"] == "running", what="the source")
        assert shown(node, "plant")["connection"]["session"] == "new", "another source, though of the same name"


def test_a_share_that_may_be_taken_literally_is_said(node, add):
    with ScriptedBroker(v5=False) as broker:
        now = add("share", broker, version="3.1.1", topics=("$share/g/in/+",))
        assert any("no message came through '$share/g/in/+' so far" in w for w in now["warnings"])
        broker.publish("other/x", b'{"x": 1}')
        wait_until(lambda: shown(node, "share")["stats"]["messages"] == 1, what="the message")
        assert any("$share/g/in/+" in w for w in shown(node, "share")["warnings"])
        broker.publish("in/x", b'{"x": 1, "time": "2025-01-01T00:00:00Z"}')
        wait_until(lambda: shown(node, "share")["stats"]["messages"] == 2, what="the message")
        now = shown(node, "share")
        assert not any("$share" in w for w in now["warnings"])
        assert now["stats"]["unmatched"] == 1 and now["stats"]["samples"] == 1, "no filter asks for other/x"


def test_a_client_of_the_same_id_is_said(node, add):
    with ScriptedBroker() as broker:
        add("twin", broker, "--client-id", "press")
        broker.say_disconnect(0x8E)
        wait_until(lambda: any("another client uses the client id 'press' and took" in w for w in shown(node, "twin")["warnings"]),
                   what="the warning")
        wait_until(lambda: broker.connects == 2 and shown(node, "twin")["state"] == "running", what="the next connection")
        assert any("client id 'press'" in w for w in shown(node, "twin")["warnings"]), "it is said for a while"


def test_with_3_1_1_a_client_of_the_same_id_is_guessed(node, add):
    with ScriptedBroker(v5=False, present=[0, 1, 1, 1]) as broker:
        add("twin", broker, "--client-id", "press", version="3.1.1")
        for count in (2, 3, 4):
            assert shown(node, "twin")["warnings"] == []
            broker.hang_up()
            wait_until(lambda: broker.connects == count and shown(node, "twin")["state"] == "running", what="the next connection")
        assert any("most often another client uses the client id 'press'" in w for w in shown(node, "twin")["warnings"])


def test_a_state_is_never_better_than_the_link(node, add):
    """Sampled as fast as it goes while the broker hangs up and says DISCONNECT: running means that there is a connection."""
    with ScriptedBroker() as broker:
        add("true", broker)
        for end in (broker.hang_up, lambda: broker.say_disconnect(0x8B)):
            before = broker.connects
            end()
            time.sleep(0.05)
            now = shown(node, "true")
            assert now["state"] != "running" or broker.connects > before
            assert now["connection"]["up"] == (now["state"] == "running")
            wait_until(lambda: broker.connects > before and shown(node, "true")["state"] == "running", what="the next connection")


def test_what_a_broker_says_cannot_steer_a_terminal(node, add):
    properties = b"\x12\x00\x0bid\x1b[31mred!"
    with ScriptedBroker(properties=properties) as broker:
        add("rude", broker)
        assert "\x1b" not in node.run("source", "show", "rude").stdout
        broker.publish("in/x", b'{"time": "\x1b[2Jnow", "x": 1}')
        broker.publish("in/x", b"\x1b]0;title\x07")
        broker.publish("in/x", ('{"' + "k" * 5000 + '": "' + "\u009b2J" * 2000 + '"}').encode())
        wait_until(lambda: shown(node, "rude")["stats"]["messages"] == 3, what="the messages")
        text = node.run("source", "show", "rude").stdout
        assert not any(ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160 for c in text), repr(text)
        for letter in shown(node, "rude")["dead_letters"]:
            assert len(letter["reason"].encode()) < 256 and len(letter["payload"]) <= 4 * 512


def test_a_verbose_log_cannot_steer_a_terminal_either(tmp_path):
    with ScriptedBroker() as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "#", "--mqtt-version", "5")
        with open(node.log, "wb") as log:
            daemon = subprocess.Popen([CTL, "--verbose", "node", "serve"], env=node.environment(), stdout=log, stderr=log)
        try:
            wait_until(lambda: broker.connects == 1 and shown(node, "plant")["state"] == "running", what="the source")
            broker.publish("in/\x1b[31mred\u009b2J", b'{"x": 1}')
            wait_until(lambda: b"refused from" in node.log.read_bytes(), what="the line")
            line = [text for text in node.log.read_text().split("\n") if "refused from" in text][0]
            assert "?[31mred" in line and not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in line)
        finally:
            daemon.terminate()
            daemon.wait()
