# SPDX-License-Identifier: Apache-2.0
"""What a source takes from a broker that anybody may publish to has bounds: assets, memory, what is printed."""
import json
import re
import resource
import sqlite3
import subprocess
import time

import paho.mqtt.client as mqtt
import pytest

from harness import CTL, Broker, Node, wait_until

T0 = 1_760_000_000_000  # ms


@pytest.fixture
def publish():
    clients = []

    def send(broker, messages):
        client = mqtt.Client(client_id=f"asset-{len(clients)}")
        client.max_inflight_messages_set(1000)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        clients.append(client)
        sent = [client.publish(topic, body if isinstance(body, bytes) else json.dumps(body), qos=1)
                for topic, body in messages]
        for message in sent:
            message.wait_for_publish(30)

    yield send
    for client in clients:
        client.disconnect()
        client.loop_stop()


def shown(node, name="plant"):
    return node.json("source", "show", name)


def wait_messages(node, count):
    wait_until(lambda: shown(node)["stats"]["messages"] >= count, what=f"{count} messages")
    return shown(node)


def add_source(node, broker, *more):
    node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "plant/#", "--time", "time", *more)
    wait_until(lambda: shown(node)["state"] == "running", what="the source")


def assets(node):
    return {a["name"]: a["rows"] for a in node.json("asset", "ls")["items"]}


def test_a_source_makes_no_more_assets_than_it_may(tmp_path, publish):
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.run("data", "import", "old", "--input", "-", input="time,x\n2025-01-01T00:00:00Z,1\n")
        node.serve()
        add_source(node, broker, "--asset", "{2}", "--max-assets", "20")
        publish(broker, [(f"plant/a{i}", {"time": T0, "x": i}) for i in range(300)])
        now = wait_messages(node, 300)
        assert now["stats"]["samples"] == 20 and now["stats"]["dead"] == 280
        assert now["dead_letters"][0]["reason"] == "would make asset 21; max_assets is 20"
        assert now["config"]["max_assets"] == 20
        assert len(re.findall("made 20 assets, as many as max_assets allows", node.log.read_text())) == 1, "said once"
        # Those that are there go on, whoever made them; and a name that the store refuses costs nothing.
        publish(broker, [("plant/a7", {"time": T0 + 1, "x": 7}), ("plant/old", {"time": T0, "x": 2}),
                         ("plant/" + "n" * 300, {"time": T0, "x": 2})])
        now = wait_messages(node, 303)
        assert now["stats"]["samples"] == 22 and assets(node)["a7"] == 2 and assets(node)["old"] == 2
        for end in (node.stop, node.kill):
            end()
            node.serve()
            wait_until(lambda: shown(node)["state"] == "running", what="the source")
            publish(broker, [("plant/new", {"time": T0, "x": 1}), ("plant/a3", {"time": T0 + 2, "x": 1})])
            now = wait_messages(node, 2)
            assert now["stats"]["dead"] == 1, "the count survives"
            assert now["dead_letters"][0]["reason"] == "would make asset 21; max_assets is 20"
        assert len(assets(node)) == 21 and assets(node)["a3"] == 2


def test_the_limit_is_raised_while_it_runs_and_what_is_removed_counts_no_more(tmp_path, publish):
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        add_source(node, broker, "--asset", "{2}", "--max-assets", "2")
        publish(broker, [(f"plant/a{i}", {"time": T0, "x": i}) for i in range(3)])
        [warning] = wait_messages(node, 3)["warnings"]
        assert "made 2 assets, max_assets is 2" in warning and "source set plant --max-assets N" in warning
        assert any(c["detail"] == warning and c["state"] == "warn" for c in node.json("doctor", check=False)["checks"])
        node.run("asset", "rm", "a0")
        assert shown(node)["warnings"] == []
        publish(broker, [(f"plant/{name}", {"time": T0 + 1, "x": 1}) for name in ("b0", "b1")])
        assert wait_messages(node, 5)["stats"]["dead"] == 2 and set(assets(node)) == {"a1", "b0"}
        assert "max assets  3" in node.run("source", "set", "plant", "--max-assets", "3").stdout
        publish(broker, [(f"plant/{name}", {"time": T0 + 2, "x": 1}) for name in ("b1", "b2")])
        assert wait_messages(node, 7)["stats"]["dead"] == 3 and set(assets(node)) == {"a1", "b0", "b1"}
        node.run("source", "stop", "plant")
        node.stop()
        node.serve()
        assert shown(node)["config"]["max_assets"] == 3 and shown(node)["state"] == "stopped"
        assert "made 3 assets, max_assets is 3" in shown(node)["warnings"][0]


def test_a_replay_is_bounded_too_and_keeps_what_may_be(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("time,id,x\n" + "".join(f"{T0 + i},{i % 5},{i}\n" for i in range(200)))
    with Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        node.run("source", "add", "plant", "--driver", "replay", "--max-assets", "3", "--config",
                 json.dumps({"path": str(file), "asset": "g{id}", "speed": 0}))
        wait_until(lambda: shown(node)["state"] == "done", what="its end")
        assert assets(node) == {"g0": 40, "g1": 40, "g2": 40}
        now = shown(node)
        assert now["stats"]["samples"] == 120 and now["stats"]["dead"] > 0
        assert now["dead_letters"][0]["reason"] == "would make asset 4; max_assets is 3"


def test_the_limit_of_assets_is_checked(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        for value in ("0", "100001"):
            done = node.run("source", "add", "plant", "--driver", "mqtt", "--url", "mqtt://127.0.0.1:1", "--topic", "a",
                            "--max-assets", value, "--no-start", check=False)
            assert done.returncode == 2 and "max_assets" in done.stderr


def test_letters_that_cannot_be_written_are_shown_and_wait(tmp_path, publish):
    """A limit on the size of files stands for the full disk: SIGXFSZ is ignored, so that writes fail."""
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        with open(node.log, "wb") as log:
            daemon = subprocess.Popen([CTL, "node", "serve"], env=node.environment(), stdout=log, stderr=log,
                                      restore_signals=False)
        try:
            wait_until(lambda: node.run("source", "ls", check=False).returncode == 0, what="the daemon")
            add_source(node, broker, "--asset", "{2}")
            before = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            publish(broker, [("plant/a", b"{broken"), ("plant/a", b"a" * 2_000_000)])
            now = wait_messages(node, 2)
            assert [x["reason"] for x in now["dead_letters"]][0] == "2000000 bytes are over max_payload (1048576)"
            assert len(now["dead_letters"]) == 2
            time.sleep(1.5)
            assert len(shown(node)["dead_letters"]) == 2, "none is forgotten"
            with sqlite3.connect(f"file:{node.home / 'catalog.db'}?mode=ro", uri=True) as catalog:
                assert catalog.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,), "none is written"
            catalog.close()
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, before)
            assert len(shown(node)["dead_letters"]) == 2, "and none comes twice"
        finally:
            daemon.kill()
            daemon.wait()
        node.serve()
        assert len(shown(node)["dead_letters"]) == 2, "they are written once that goes again"


def memory(node, member):
    text = re.search(rf"{member}:\s+(\d+) kB", open(f"/proc/{node.process.pid}/status").read())
    return int(text.group(1)) // 1024


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_the_memory_of_a_huge_message_is_given_back(tmp_path, publish, version):
    """With version 5 the broker drops it: nothing is spent at all. 3.1.1 has no such word, and Paho takes
    memory for a packet by its length before anybody sees it. So where a case from the field bounds what is
    spent for a moment with 3.1.1, too, this bounds what stays, and that the message is told as a dead letter."""
    with Broker(tmp_path, ["max_packet_size 100000000"]) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        node.serve()
        add_source(node, broker, "--asset", "{2}", "--mqtt-version", version)
        publish(broker, [("plant/a", {"time": T0, "x": 1})])
        wait_messages(node, 1)
        if re.search("lib[at]san", open(f"/proc/{node.process.pid}/maps").read()):
            pytest.skip("a sanitizer keeps what was freed")
        before = memory(node, "VmRSS")
        publish(broker, [("plant/a", b"a" * 60_000_000), ("plant/a", {"time": T0 + 1, "x": 1})])
        now = wait_messages(node, 2 if version == "5" else 3)
        if version == "5":
            assert now["stats"]["dead"] == 0 and memory(node, "VmHWM") < before + 16
            assert now["connection"]["maximum_packet"] == 1048576 + 131072
            assert now["connection"]["larger"] == "the broker drops a packet of over 1179648 bytes without telling"
        else:
            assert now["dead_letters"][0]["reason"] == "60000000 bytes are over max_payload (1048576)"
            assert now["connection"]["larger"] == "a message of over 1048576 bytes becomes a dead letter"
        wait_until(lambda: memory(node, "VmRSS") < before + 16, seconds=5, what="the memory")
        assert now["stats"]["samples"] == 2 and now["stats"]["reconnects"] == 0
