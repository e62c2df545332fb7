# SPDX-License-Identifier: Apache-2.0
"""A node beside a broker of some maker, driven by its command line, and independent clients of that broker."""
import json
import threading
import time

import paho.mqtt.client as mqtt

from harness import wait_until

class Client:
    """An independent MQTT client; remembers what came as (topic, payload, retained)."""

    def __init__(self, broker, name, version="3.1.1", clean=True, keep=False, user=None):
        v5 = version == "5"
        self.got, self.gone, self.granted = [], threading.Event(), None
        self.c = mqtt.Client(client_id=name, protocol=mqtt.MQTTv5) if v5 else mqtt.Client(client_id=name, clean_session=clean)
        if user:
            self.c.username_pw_set(*user)
        self.c.max_inflight_messages_set(20)  # more than 20 with QoS 2, and mosquitto hangs up
        self.c.on_message = lambda c, u, m: self.got.append((m.topic, bytes(m.payload), bool(m.retain)))
        self.c.on_subscribe = lambda c, u, mid, granted, *more: setattr(self, "granted", granted)
        self.c.on_disconnect = lambda *_: self.gone.set()
        self.c.reconnect_delay_set(1, 1)
        self.c.connect("127.0.0.1", broker.port)
        self.c.loop_start()
        wait_until(self.c.is_connected, 10, f"client {name} to connect")

    def listen(self, topic, qos=1):
        self.granted = None
        self.c.subscribe(topic, qos)
        wait_until(lambda: self.granted, 10, "the subscription")
        return self

    def send(self, topic, payloads, qos=1, retain=False, seconds=30):
        """Publishes and waits until the broker has all."""
        sent = [self.c.publish(topic, payload, qos, retain) for payload in payloads]
        wait_until(lambda: all(info.is_published() for info in sent), seconds, "the broker to take the messages")
        return self

    def close(self):
        self.c.disconnect()
        self.c.loop_stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class World:
    """A broker and a node of one MQTT version with what tests do to them."""

    def __init__(self, broker, node, version):
        self.broker, self.node, self.version = broker, node, version

    def add(self, name, topic, *options, run=True, port=None, **config):
        """Adds a source whose asset has its name; gives what `source add` answered."""
        config = {"url": f"mqtt://127.0.0.1:{port or self.broker.port}", "topics": [topic], "version": self.version, **config}
        done = self.node.run("source", "add", name, "--driver", "mqtt", "--config", json.dumps(config), "--asset", name,
                             "--time", "time", "--seq", "seq", *options)
        if run:
            self.running(name)
        return done

    def show(self, name):
        return self.node.json("source", "show", name)

    def state(self, name):
        return self.show(name)["state"]

    def running(self, *names, seconds=10):
        for name in names:
            wait_until(lambda name=name: self.state(name) == "running", seconds, f"{name} to run: {self.show(name)}")

    def deploy(self, name, topic, *options, model="double", asset):
        self.node.run("deploy", model, "--asset", asset, "--name", name, "--publish", topic, *options)
        wait_until(lambda: self.deployment(name)["state"] in ("running", "waiting"), 20, f"{name} to run")

    def deployment(self, name):
        return self.node.json("deployment", "show", name)

    def settled(self, *deployments):
        """Waits until they have predicted and sent all there is."""
        for name in deployments:
            wait_until(lambda name=name: (d := self.deployment(name))["lag"] == 0 == d["outbox"], 20, f"{name} to have sent all")

    def rows(self, asset):
        return {a["name"]: a["rows"] for a in self.node.json("asset", "ls")["items"]}.get(asset, 0)

    def stored(self, asset):
        """The numbers of the samples of an asset, in order."""
        lines = self.node.run("data", "export", asset, "--format", "csv").stdout.splitlines()
        column = lines[0].split(",").index("x")
        return [round(float(line.split(",")[column]) * 8) for line in lines[1:]]

    def arrives(self, asset, count, seconds=20):
        """Waits for that many rows and a moment for more."""
        wait_until(lambda: self.rows(asset) >= count, seconds, f"{count} rows of {asset}, not {self.rows(asset)}; {self.show(asset)}")
        time.sleep(0.2)
        stored = self.stored(asset)
        assert len(stored) == len(set(stored)) == count, f"{len(stored)} rows of {len(set(stored))} samples, not {count}"
        return stored

    def drop(self, *sources):
        for name in sources:
            self.node.run("source", "rm", name)


class Samples(threading.Thread):
    """Asks for the state of a source every 100 ms until it is stopped: a list of (asked, answered, state)."""

    def __init__(self, world, name):
        super().__init__(daemon=True)
        self.world, self.source, self.taken, self.done = world, name, [], threading.Event()
        self.start()

    def run(self):
        due = time.monotonic()
        while not self.done.is_set():
            asked = time.monotonic()
            answer = self.world.node.run("--json", "source", "show", self.source, check=False)
            try:
                state = json.loads(answer.stdout)["state"]
            except (ValueError, KeyError):
                state = None  # nobody answered, or the node serves no more
            self.taken.append((asked, time.monotonic(), state if state != "stopped" else None))
            due += 0.1
            time.sleep(max(0, due - time.monotonic()))

    def stop(self):
        self.done.set()
        self.join()
        return self.taken
