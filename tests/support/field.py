# SPDX-License-Identifier: Apache-2.0
"""What the tests that publish over MQTT share: a served node with its broker and a client, and a thread that pours samples in."""
import json
import threading
import time

import paho.mqtt.client as mqtt

from harness import Broker, Node


def connected(port, name):
    client = mqtt.Client(client_id=name)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


class Field:
    """A broker, a node that serves, and a client."""

    def __init__(self, folder):
        self.broker, self.node = Broker(folder), Node(folder)

    def __enter__(self):
        self.broker.__enter__()
        self.node.__enter__()
        self.node.run("node", "init")
        self.node.serve()
        self.client = connected(self.broker.port, "field")
        return self

    def __exit__(self, *error):
        self.client.loop_stop()
        self.client.disconnect()
        self.node.__exit__(*error)
        self.broker.__exit__(*error)


class Pourer(threading.Thread):
    """Publishes what pour(seconds since the start) does until `done` is set and the pourer is even; the broker acknowledges all."""

    def __init__(self, port):
        super().__init__()
        self.client = connected(port, "pourer")
        self.done = threading.Event()
        self.last = None

    def pour(self, seconds):
        raise NotImplementedError

    def even(self):
        return True

    def publish(self, topic, **members):
        self.last = self.client.publish(topic, json.dumps(members), qos=1)

    def run(self):
        begun = time.monotonic()
        while not self.done.is_set() or not self.even():
            self.pour(time.monotonic() - begun)
            time.sleep(0.002)
        self.last.wait_for_publish(30)
        self.client.loop_stop()
        self.client.disconnect()


def rows_of(node, asset):
    """Rows of an asset, 0 before it exists."""
    return {a["name"]: a["rows"] for a in node.json("asset", "ls")["items"]}.get(asset, 0)
