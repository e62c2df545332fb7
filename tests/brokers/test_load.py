# SPDX-License-Identifier: Apache-2.0
"""Load, kill -9 of the node and orderly restarts of the broker at once, judged by a relay that read what was promised.

By default 500 messages a second for 3 s, a kill and a restart, with aedes and mosquitto. EDGEOPS_TEST_ROUNDS=1 takes
what the promise is about: 2,000 a second for 20 s, 5 kills and 2 restarts, with each broker that can be had;
EDGEOPS_TEST_BROKER names some of them. EDGEOPS_TEST_SEED repeats a run.
"""
import bisect
import os
import pathlib
import random
import subprocess
import sys
import time

import pytest

from harness import free_port, wait_until
from starters import KINDS
from world import Samples, World

FULL = "EDGEOPS_TEST_ROUNDS" in os.environ
RATE, SECONDS, KILLS, RESTARTS = (2000, 20, 5, 2) if FULL else (500, 3, 1, 1)
CHOSEN = os.environ.get("EDGEOPS_TEST_BROKER", "").split() or (
    [name for name in KINDS if name != "hivemq"] if FULL else ["aedes", "mosquitto"])
RUNS = [(name, version, 1) for name in CHOSEN for version in (KINDS[name].versions if FULL else KINDS[name].versions[-1:])]
if FULL and "aedes" in CHOSEN:
    RUNS.append(("aedes", "3.1.1", 2))  # which passes what it had queued on with 2, to a subscription with 1
HERE = pathlib.Path(__file__).resolve().parent
GRACE_S = 0.3  # from a change to the first answer that tells of it
BACK_S = 2.0   # from the broker's listening to the node's SUBACK


class Log:
    """What the relay noted."""

    def __init__(self, file):
        lines = [line.split() for line in file.read_text().splitlines()]
        self.acknowledged = {int(words[2]) for words in lines if words[0] == "ack"}
        self.left = {int(words[2]) for words in lines if words[0] == "left"} - self.acknowledged
        self.listens = [float(words[1]) for words in lines if words[0] == "listens"]
        self.ups = [float(words[1]) for words in lines if words[0] == "up"]
        # When the node went from no connection to one or more, and back.
        self.changes, count = [(0.0, False)], 0
        for words in lines:
            if words[0] in ("up", "down"):
                before, count = count, count + (1 if words[0] == "up" else -1)
                if (before > 0) != (count > 0):
                    self.changes.append((float(words[1]), count > 0))

    def untruth(self, asked, answered, state):
        """For how long the opposite of a state was true before it was asked for; 0 where it may have changed meanwhile."""
        at = bisect.bisect_right(self.changes, (asked, True)) - 1
        since, up = self.changes[at]
        changed = at + 1 < len(self.changes) and self.changes[at + 1][0] < answered
        return 0.0 if changed or up == (state == "running") else asked - since

    def returns(self):
        """Seconds from each return of the broker to the node's next SUBACK."""
        return [min((up - listens for up in self.ups if up > listens), default=float("inf")) for listens in self.listens[1:]]


def disturb(w, dice):
    """Kills and restarts in some order, spread over the time."""
    begun = time.monotonic()
    events = ["kill"] * KILLS + ["restart"] * RESTARTS
    dice.shuffle(events)
    for i, event in enumerate(events):
        due = begun + (i + dice.uniform(0.2, 0.5)) * SECONDS / len(events)
        time.sleep(max(0, due - time.monotonic()))
        if event == "kill":
            w.node.kill()
            w.node.serve()
        else:
            w.broker.stop()
            time.sleep(dice.uniform(0.2, 1))
            w.broker.start()
            w.running("in", seconds=5)


@pytest.mark.parametrize("name,version,qos", RUNS)
def test_what_was_acknowledged_is_stored_once_and_states_are_true(name, version, qos, tmp_path, new_node):
    KINDS[name].here()
    seed = int(os.environ.get("EDGEOPS_TEST_SEED", time.time_ns() % 1_000_000))
    print(f"EDGEOPS_TEST_SEED={seed}")
    relay_port, log = free_port(), tmp_path / "relay.log"
    with KINDS[name](tmp_path, **KINDS[name].under_load) as broker, new_node(tmp_path) as node:
        relay = subprocess.Popen([sys.executable, HERE / "relay.py", str(relay_port), str(broker.port), log])
        pourer = None
        try:
            wait_until(lambda: log.exists() and "listens" in log.read_text(), 10, "the relay")
            node.serve()
            w = World(broker, node, version)
            w.add("in", "plant/in", port=relay_port)
            samples = Samples(w, "in")
            pourer = subprocess.Popen([sys.executable, HERE / "pourer.py", *map(str, [broker.port, "plant/in", RATE, SECONDS, qos])],
                                      stdout=subprocess.PIPE, text=True)
            disturb(w, random.Random(seed))
            acknowledged, reached = map(int, pourer.communicate(timeout=SECONDS + 90)[0].split())
            w.running("in")
            # What the broker passes on is its affair; what it has passed on is ours.
            rows = -1
            while rows < acknowledged and rows != (rows := w.rows("in")):
                time.sleep(3)
            taken = samples.stop()
        finally:
            for process in filter(None, (pourer, relay)):
                process.kill()
                process.wait()
        stored = w.stored("in")
    told = Log(log)
    lost = told.acknowledged - set(stored)
    untruths = [told.untruth(*one) for one in taken if one[2] is not None]
    print(f"{name} {version} QoS {qos}: {acknowledged} messages the broker took, {reached} a second; {len(told.acknowledged)} "
          f"of them acknowledged by the node, {len(stored)} stored, {len(lost)} lost, {len(stored) - len(set(stored))} doubled; "
          f"{len(told.left)} that the broker did not pass on again; "
          f"{len(untruths)} samples, longest untruth {max(untruths):.2f} s; back after "
          f"{', '.join(f'{s:.2f}' for s in told.returns())} s")
    assert not lost and len(stored) == len(set(stored))
    assert len(told.acknowledged) >= RATE * SECONDS // 2, "most of it came through"
    assert max(untruths) <= GRACE_S
    assert len(told.returns()) == RESTARTS and max(told.returns()) <= BACK_S
