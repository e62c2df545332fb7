# SPDX-License-Identifier: Apache-2.0
"""What a broker keeps for us: retained values are stored once, sessions of others are not ours, ids are not shared. And
what is said of samples whose time or values cannot be right."""
import json
import shutil
import sqlite3
import subprocess
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from harness import Broker, Node, wait_until

PERSIST = ("persistence true", "autosave_interval 1", "autosave_on_changes true")


@pytest.fixture
def world(tmp_path):
    """A served node, and brokers as asked for."""
    brokers = []
    with Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()

        def broker(*lines):
            if lines:
                lines += (f"persistence_location {tmp_path}/",)
            brokers.append(Broker(tmp_path, lines).start())
            return brokers[-1]

        yield node, broker
        for b in brokers:
            b.stop()


def publish(broker, topic, payload, qos=1, retain=False):
    client = mqtt.Client(client_id="publisher")
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.publish(topic, payload if isinstance(payload, (bytes, str)) else json.dumps(payload), qos, retain).wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def shown(node, name="s"):
    return node.json("source", "show", name)


def stats(node, name="s"):
    return shown(node, name)["stats"]


def running(node, name="s"):
    wait_until(lambda: shown(node, name)["state"] == "running", what=lambda: f"the source: {shown(node, name)['detail']}")


def add(node, broker, *more, name="s", topic="in/#", version="3.1.1", wait=True, check=True):
    done = node.run("source", "add", name, "--driver", "mqtt", "--url", broker.url, "--topic", topic, "--mqtt-version", version,
                    *more, check=check)
    if wait and done.returncode == 0:
        running(node, name)
    return done


def values(node, asset, channel="v"):
    done = node.run("--json", "data", "head", asset, "--rows", "1000", check=False)
    if done.returncode != 0:
        return []
    data = json.loads(done.stdout)
    return [row[data["columns"].index(channel)] for row in data["rows"]]


def assets(node):
    return sorted(a["name"] for a in node.json("asset", "ls")["items"])


def again(node, broker, end):
    """A new connection, and with it the retained value once more, for a reason of this kind; returns when it came."""
    if end == "source":
        node.run("source", "stop", "s")
        node.run("source", "start", "s")
    elif end == "broker":
        before = stats(node)["reconnects"]
        broker.stop()
        wait_until(lambda: shown(node)["state"] == "connecting", what="the loss")
        broker.start()
        wait_until(lambda: stats(node)["reconnects"] > before, what="the next connection")
    else:
        getattr(node, end)()
        node.serve()
    running(node)


ENDS = ("source", "broker", "stop", "kill")


@pytest.mark.parametrize("version, qos", [("3.1.1", 0), ("3.1.1", 1), ("3.1.1", 2), ("5", 0), ("5", 1), ("5", 2)])
def test_a_retained_value_is_stored_once_per_new_value(world, version, qos):
    node, new_broker = world
    broker = new_broker(*PERSIST)
    publish(broker, "in/a", {"v": 1}, retain=True)
    add(node, broker, "--qos", qos, version=version)
    wait_until(lambda: values(node, "in/a") == [1], what="the value that was there before")

    def comes_again(end, expected):
        before = stats(node)["retained_repeats"] if end in ("source", "broker") else 0
        again(node, broker, end)
        wait_until(lambda: stats(node)["retained_repeats"] == before + 1, what=lambda: f"it again after {end}: {stats(node)}")
        assert values(node, "in/a") == expected, end

    for end in ENDS:
        comes_again(end, [1])
    publish(broker, "in/a", {"v": 2}, retain=True)
    wait_until(lambda: values(node, "in/a") == [1, 2], what="the new value, as it is published")
    for end in ENDS:
        comes_again(end, [1, 2])
    # What changed while the node was away; where there is no queue for it, it is there as a retained message only.
    for n, end in ((3, node.stop), (4, node.kill)):
        end()
        publish(broker, "in/a", {"v": n}, qos=0, retain=True)
        node.serve()
        running(node)
        wait_until(lambda: values(node, "in/a")[-1] == n, what="what changed in between")
        assert values(node, "in/a") == list(range(1, n + 1))
    # The same value once more as a message is a new sample: only what the broker kept is a repeat.
    publish(broker, "in/a", {"v": 4})
    wait_until(lambda: values(node, "in/a") == [1, 2, 3, 4, 4], what="the same value again")
    comes_again("kill", [1, 2, 3, 4, 4])


def test_a_value_that_is_as_it_was_long_ago_is_new(world):
    """a, b live, a again while the node is dead: the last one must not be taken for the first."""
    node, new_broker = world
    broker = new_broker()
    publish(broker, "in/a", {"v": 1}, retain=True)
    add(node, broker, "--config", '{"clean_session": true}')
    wait_until(lambda: values(node, "in/a") == [1], what="the retained value")
    publish(broker, "in/a", {"v": 2}, retain=True)
    wait_until(lambda: values(node, "in/a") == [1, 2], what="the next one")
    node.kill()
    publish(broker, "in/a", {"v": 1}, retain=True)
    node.serve()
    wait_until(lambda: values(node, "in/a") == [1, 2, 1], what="the first value once more")


def test_a_value_with_a_time_and_one_without_on_a_topic(world):
    node, new_broker = world
    broker = new_broker()
    publish(broker, "in/a", {"v": 1}, retain=True)
    add(node, broker)
    wait_until(lambda: values(node, "in/a") == [1], what="the retained value")
    publish(broker, "in/a", {"v": 2, "time": "2020-01-01T00:00:00Z"}, retain=True)
    wait_until(lambda: stats(node)["samples"] == 2, what="one with a time")
    again(node, broker, "kill")
    wait_until(lambda: stats(node)["retained_repeats"] == 1, what="it again: the store knows it")
    assert stats(node)["duplicates"] == 0
    node.stop()
    publish(broker, "in/a", {"v": 1}, qos=0, retain=True)
    node.serve()
    wait_until(lambda: stats(node)["samples"] == 1, what="the value of before, which is new now")
    assert sorted(values(node, "in/a")) == [1, 1, 2]


def test_several_topics_of_one_asset_and_lists(world):
    node, new_broker = world
    broker = new_broker()
    publish(broker, "in/a", [{"v": 1}, {"v": 2}], retain=True)
    publish(broker, "in/b", {"v": 3}, retain=True)
    add(node, broker, "--asset", "all")
    wait_until(lambda: sorted(values(node, "all")) == [1, 2, 3], what="both")
    for end in ("source", "kill"):
        before = stats(node)["retained_repeats"] if end == "source" else 0
        again(node, broker, end)
        wait_until(lambda: stats(node)["retained_repeats"] == before + 2, what="both again")
    assert sorted(values(node, "all")) == [1, 2, 3]
    node.stop()
    publish(broker, "in/b", {"v": 2}, qos=0, retain=True)
    node.serve()
    wait_until(lambda: sorted(values(node, "all")) == [1, 2, 2, 3], what="a value that another topic had last")


def test_a_retained_message_that_cannot_be_read_is_one_dead_letter(world):
    node, new_broker = world
    broker = new_broker()
    publish(broker, "in/broken", "{not json", retain=True)
    publish(broker, "in/a", {"v": 1}, retain=True)
    add(node, broker)
    wait_until(lambda: stats(node)["dead"] == 1, what="the dead letter")
    for n in (1, 2, 3):
        again(node, broker, "source")
        wait_until(lambda: stats(node)["retained_repeats"] == 2 * n, what="both again")
    now = wait_until(lambda: (lambda s: s if s["dead_letters"] else None)(shown(node)), what="the letter")
    assert len(now["dead_letters"]) == 1 and now["stats"]["dead"] == 1
    publish(broker, "in/broken", "{not json")
    wait_until(lambda: stats(node)["dead"] == 2, what="a message of its own, which is told")


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_kill_at_any_moment_loses_no_retained_value(world, version):
    node, new_broker = world
    broker = new_broker()
    add(node, broker, version=version)
    sent = 0
    for round_ in range(6):
        go_on = threading.Event()

        def feed():
            nonlocal sent
            client = mqtt.Client(client_id="feed")
            client.connect("127.0.0.1", broker.port)
            client.loop_start()
            while not go_on.is_set():
                client.publish("in/a", json.dumps({"v": sent}), 1, True).wait_for_publish(20)
                sent += 1
            client.disconnect()
            client.loop_stop()

        feeder = threading.Thread(target=feed)
        feeder.start()
        time.sleep(0.15 + 0.07 * round_)
        node.kill()
        go_on.set()
        feeder.join()
        node.serve()
        running(node)
    publish(broker, "in/a", {"v": sent})
    wait_until(lambda: max(stored_all(node)) == sent, what="the last one")
    stored = stored_all(node)
    assert set(stored) == set(range(sent + 1)), "none is missing"
    twice = [v for v in set(stored) if stored.count(v) > 1]
    # A kill has the broker send again what was not acknowledged, 20 messages at most, and the retained one.
    assert len(twice) <= 6 * 21 and all(stored.count(v) <= 3 for v in twice), twice


def stored_all(node):
    lines = node.run("data", "export", "in/a", "--format", "csv").stdout.splitlines()
    column = lines[0].split(",").index("v")
    return [int(float(line.split(",")[column])) for line in lines[1:]]


# -- sessions and ids of others --


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize("clean_end", [True, False])
def test_a_source_takes_nothing_of_one_that_had_its_name(world, version, clean_end):
    node, new_broker = world
    broker = new_broker(*PERSIST)
    add(node, broker, topic="old/#", version=version)
    publish(broker, "old/a", {"v": 1})
    wait_until(lambda: values(node, "old/a") == [1], what="a sample")
    broker.stop()
    wait_until(lambda: shown(node)["state"] == "connecting", what="the loss")
    client_id = shown(node)["connection"]["client_id"]
    node.run("source", "rm", "s")
    assert f"of client id '{client_id}' at 127.0.0.1:{broker.port}" in node.tail()
    time.sleep(0.3)
    # The new one is there before the broker is, and outlives the node's end: it is still new at its first link.
    add(node, broker, topic="new/#", version=version, wait=False)
    node.stop() if clean_end else node.kill()
    broker.start()
    publish(broker, "old/b", {"v": 2})
    publish(broker, "new/b", {"v": 3})  # before it had ever subscribed: of the old session, or of nobody
    node.serve()
    running(node)
    publish(broker, "old/c", {"v": 4})
    publish(broker, "new/c", {"v": 5})
    wait_until(lambda: "new/c" in assets(node), what="the new one's sample")
    assert assets(node) == ["new/c", "old/a"] and stats(node)["unmatched"] == 0
    # From then on the session is its own: nothing of it is dropped, however the node ends.
    for n, end in ((6, node.stop), (7, node.kill)):
        end()
        publish(broker, "new/c", {"v": n})
        node.serve()
        running(node)
        wait_until(lambda: values(node, "new/c")[-1] == n, what="what waited in the session")
    assert values(node, "new/c") == [5, 6, 7]


def test_what_no_filter_asks_for_is_told_and_not_stored(world):
    node, new_broker = world
    broker = new_broker()
    add(node, broker, "--client-id", "press-1", "--no-start", wait=False)
    node.run("source", "start", "s")
    running(node)
    node.run("source", "stop", "s")
    other = mqtt.Client(client_id="press-1", clean_session=False)
    other.connect("127.0.0.1", broker.port)
    other.loop_start()
    subscribed = threading.Event()
    other.on_subscribe = lambda *_: subscribed.set()
    other.subscribe("other/#", 1)
    assert subscribed.wait(10)
    other.disconnect()
    other.loop_stop()
    publish(broker, "other/x", {"v": 1})
    publish(broker, "in/x", {"v": 2})
    node.run("source", "start", "s")
    wait_until(lambda: stats(node)["messages"] == 2, what="both messages")
    now = shown(node)
    assert now["stats"]["unmatched"] == 1 and assets(node) == ["in/x"]
    [letter] = now["dead_letters"]
    assert letter["topic"] == "other/x" and "topic filters" in letter["reason"] and "client id" in letter["reason"]
    assert any("no topic filter of this source asks for" in w for w in now["warnings"])
    assert "'other/x'" in node.tail()


def test_two_sources_of_one_client_id_are_refused(world, tmp_path):
    node, new_broker = world
    broker = new_broker()
    twin = ("--client-id", "press-1")
    add(node, broker, *twin, name="first")

    def refused(*arguments):
        done = node.run(*arguments, check=False)
        assert done.returncode != 0 and "source 'first'" in done.stderr and "client id 'press-1'" in done.stderr, done.stderr
        assert "second" not in node.run("source", "ls").stdout and not (node.home / "sources/second").exists()

    new = ("source", "add", "second", "--driver", "mqtt", "--topic", "other/#")
    refused(*new, *twin, "--url", broker.url)
    refused(*new, *twin, "--url", f"LocalHost:{broker.port}")
    refused(*new, *twin, "--url", broker.url, "--no-start")
    refused(*new, "--client-id", "press-1-out", "--url", broker.url)  # what the first one publishes with
    node.run("source", "stop", "first")
    refused(*new, *twin, "--url", broker.url)  # its session is still there
    node.run("source", "start", "first")
    running(node, "first")
    elsewhere = new_broker()
    node.run(*new, *twin, "--url", elsewhere.url)  # another broker, another client
    running(node, "second")
    node.run("source", "rm", "second")
    add(node, broker, name="second", topic="other/#")  # an id of its own
    node.run("source", "rm", "first")
    add(node, broker, *twin, name="third")
    add(node, elsewhere, name="another")
    # A home of before, which has two: one of them runs, the other says why it does not.
    node.stop()
    with sqlite3.connect(node.home / "catalog.db") as db:
        [[text]] = db.execute("SELECT json FROM record WHERE kind = 'source' AND name = 'second'").fetchall()
        record = json.loads(text)
        record["config"]["client_id"] = "press-1"
        db.execute("UPDATE record SET json = ? WHERE kind = 'source' AND name = 'second'", [json.dumps(record)])
    node.serve()
    wait_until(lambda: {shown(node, name)["state"] for name in ("second", "third")} == {"running", "failed"}, what="one of both")
    [failed] = [s for s in node.json("source", "ls")["items"] if s["state"] == "failed"]
    assert "client id 'press-1'" in failed["detail"] and ("'second'" in failed["detail"] or "'third'" in failed["detail"])


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_another_node_with_the_client_id_is_named(world, tmp_path, version):
    node, new_broker = world
    broker = new_broker()
    with Node(tmp_path, "other") as other:
        other.run("node", "init")
        other.serve()
        for one in (node, other):
            add(one, broker, "--client-id", "press-1", version=version, wait=False)
        for one in (node, other):
            wait_until(lambda: "client id 'press-1'" in " ".join([shown(one)["detail"], *shown(one)["warnings"]]), 40, "the word")
            assert "client id 'press-1'" in one.run("source", "ls").stdout


# -- what cannot be right --


def test_contradicting_samples_are_dead_letters_and_repeated_ones_are_not(world):
    node, new_broker = world
    broker = new_broker()
    add(node, broker, "--asset", "{2}", "--time", "ts", topic="in/+/+")
    at = "2025-03-01T10:00:00Z"
    publish(broker, "in/m1/temp", {"ts": at, "temp": 1.5})
    publish(broker, "in/m1/temp", {"ts": at, "temp": 1.5})
    publish(broker, "in/m1/press", {"ts": at, "press": 2})
    publish(broker, "in/m1/press", {"ts": at, "press": 3, "flow": 1})
    publish(broker, "in/m2/name", {"ts": at, "name": "x"})
    publish(broker, "in/m2/name", [{"ts": at, "name": "y"}, {"ts": "2025-03-01T10:00:01Z", "name": "z"}])
    wait_until(lambda: stats(node)["messages"] == 6, what="all messages")
    now = wait_until(lambda: (lambda s: s if len(s["dead_letters"]) == 2 else None)(shown(node)), what="the dead letters")
    told = {key: now["stats"][key] for key in ("samples", "merged", "duplicates", "conflicts", "late", "dead")}
    assert told == {"samples": 3, "merged": 1, "duplicates": 1, "conflicts": 2, "late": 0, "dead": 2}
    [row] = [json.loads(line) for line in node.run("data", "export", "m1", "--format", "jsonl").stdout.splitlines()]
    assert row == {"time": at, "temp": 1.5, "press": 2}, "a message that contradicts adds nothing"
    newest, first = now["dead_letters"]
    assert first["topic"] == "in/m1/press" and "'m1' at 2025-03-01T10:00:00Z has 2 in channel 'press', and 3 came" in first["reason"]
    assert '"x"' in newest["reason"] and '"y"' in newest["reason"] and "'name'" in newest["reason"], newest
    [warning] = [w for w in now["warnings"] if "contradict" in w]
    assert warning.startswith("2 samples contradict") and "'m1' at 2025-03-01T10:00:00Z" in warning and "--asset" in warning
    assert any("contradict" in c["detail"] for c in node.json("doctor", check=False)["checks"] if c["name"] == "source s")
    assert "contradict" in node.run("source", "ls").stdout


def test_samples_without_a_time_are_counted_and_said_where_some_have_one(world):
    node, new_broker = world
    broker = new_broker()
    add(node, broker)
    publish(broker, "in/a", {"v": 1})
    wait_until(lambda: stats(node)["untimed"] == 1, what="the sample")
    assert shown(node)["warnings"] == [], "a source whose messages never have a time is as it should be"
    publish(broker, "in/a", {"v": 2, "time": "2025-03-01T10:00:00Z"})
    wait_until(lambda: stats(node)["samples"] == 2, what="the next one")
    assert any("1 of 2 samples had no time of their own" in w for w in shown(node)["warnings"])


SHIM = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
/* A clock that begins with 2001, as one does that nobody has set. */
int clock_gettime(clockid_t id, struct timespec *t) {
    int r = (int)syscall(SYS_clock_gettime, id, t);
    if (r == 0 && id == CLOCK_REALTIME) t->tv_sec = 978307200 + t->tv_sec % 86400;
    return r;
}
"""


def test_a_clock_that_is_not_set_is_said_wherever_one_looks(world, tmp_path):
    node, new_broker = world
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no C compiler for a clock that is wrong")
    (tmp_path / "clock.c").write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", tmp_path / "clock.so", tmp_path / "clock.c"], check=True)
    broker = new_broker()
    add(node, broker)
    assert node.json("node", "status")["clock"]["state"] == "ok" and "is not set" not in node.run("node", "status").stdout
    node.stop()
    plain = node.environment
    node.environment = lambda: {**plain(), "LD_PRELOAD": str(tmp_path / "clock.so")}
    node.serve()
    node.environment = plain
    running(node)
    publish(broker, "in/a", {"v": 1})
    publish(broker, "in/b", {"v": 2, "time": "1980-01-06T00:00:00Z"})
    publish(broker, "in/b", {"v": 2, "time": "2012-01-01T00:00:00Z"})  # long ago, and no clock's beginning
    wait_until(lambda: stats(node)["samples"] == 3, what="the samples")
    now = shown(node)
    assert now["stats"]["unset_clock"] == 2 and now["stats"]["untimed"] == 1
    assert any("clock says 2001-01-01" in w and "NTP" in w for w in now["warnings"])
    assert any(w.startswith("2 samples are stored under a clock that was not set") for w in now["warnings"])
    status = node.json("node", "status")
    assert status["clock"]["state"] == "unset" and "2001-01-01" in status["clock"]["detail"]
    # One whose clock is right is far ahead of this one.
    assert (status["clock"]["unset_samples"], status["clock"]["ahead_samples"]) == (2, 1) and status["sources"][0]["unset_clock"] == 2
    assert "clock" in node.run("node", "status").stdout and "clock says 2001-01-01" in node.tail()
    checks = node.json("doctor", check=False)["checks"]
    assert any(c["name"] == "source s" and "clock that was not set" in c["detail"] for c in checks)
