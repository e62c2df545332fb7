# SPDX-License-Identifier: Apache-2.0
"""Publishes numbered samples at a steady rate, through the broker's restarts.

    pourer.py PORT TOPIC RATE SECONDS QOS

Ends when the broker has all; prints how many those are, and how many a second it managed to send.
"""
import json
import sys
import time

import paho.mqtt.client as mqtt

START_NS = 1_760_000_000_000_000_000


def sample(n, **more):
    """The n-th sample: its time and its value say which one it is."""
    return json.dumps({"time": START_NS + n * 1_000_000, "seq": n, "x": n / 8, **more})


def main():
    port, topic, rate, seconds, qos = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
    # With QoS 2 a clean session publishes again what a restart of aedes made it forget; in a kept one it would be told of a
    # PUBREL that it does not know, and hang up each time.
    client = mqtt.Client(client_id="pourer", clean_session=qos == 2)
    client.max_inflight_messages_set(500 if qos < 2 else 20)  # with hundreds aedes overflows its stack
    client.reconnect_delay_set(1, 1)
    acknowledged = 0

    def published(*_):
        nonlocal acknowledged
        acknowledged += 1

    client.on_publish = published
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent, total, begun = 0, round(rate * seconds), time.monotonic()
    while sent < total:
        due = min(total, round((time.monotonic() - begun) * rate))
        while sent < due:
            client.publish(topic, sample(sent), qos)
            sent += 1
        time.sleep(0.002)
    reached = sent / (time.monotonic() - begun)
    while acknowledged < sent and time.monotonic() - begun < seconds + 60:
        time.sleep(0.01)
    client.disconnect()
    client.loop_stop()
    print(acknowledged, round(reached))


if __name__ == "__main__":
    main()
