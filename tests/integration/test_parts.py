# SPDX-License-Identifier: Apache-2.0
"""Random rows, cut into random parts, come by topic, by message and by file, in any order and some twice, while the node is
killed: each export equals the rows, and a dataset that was frozen on the way stays as it was. EDGEOPS_TEST_SEED repeats one,
EDGEOPS_TEST_ROUNDS makes more."""
import csv
import datetime
import io
import json
import os
import random

import pytest

from field import Field
from harness import Node, wait_until

ROUNDS = int(os.environ.get("EDGEOPS_TEST_ROUNDS", "0")) or 2
SEEDS = [int(os.environ["EDGEOPS_TEST_SEED"])] if "EDGEOPS_TEST_SEED" in os.environ else range(ROUNDS)
ROWS = 400
START = datetime.datetime(2026, 3, 1)
CHANNELS = {"force": float, "temp": float, "ok": bool, "state": str, "flow": float}


def draw(rng, kind):
    if kind is float:
        return rng.randrange(-8000, 8000) + 0.125
    return rng.random() < 0.5 if kind is bool else rng.choice(["run", "idle", "a, b", "stop"])


def make_cells(rng):
    """All cells of all rows as (time, channel) -> value; some are never there."""
    cells = {}
    for row in range(ROWS):
        time = (START + datetime.timedelta(milliseconds=row * 250)).isoformat(timespec="milliseconds") + "Z"
        cells.update({(time, channel): draw(rng, kind) for channel, kind in CHANNELS.items() if rng.random() < 0.9})
    return cells


def rows_of(cells):
    """time -> the row's cells."""
    rows = {}
    for (time, channel), value in cells.items():
        rows.setdefault(time, {})[channel] = value
    return dict(sorted(rows.items()))


def take(rng, left):
    """A batch of cells: of one sensor, of some time, or any."""
    way = rng.random()
    if way < 0.3:
        channel = rng.choice(left)[1]
        batch = [cell for cell in left if cell[1] == channel]
    elif way < 0.6:
        at = rng.randrange(len(left))
        batch = sorted(left)[at:at + 60]
    else:
        batch = list(left)
    rng.shuffle(batch)
    return batch[:rng.randrange(1, 80)]


def stamp(text):
    return datetime.datetime.fromisoformat(text.rstrip("Z")).isoformat(timespec="milliseconds") + "Z"


class Plant(Field):
    """A served node with a source, its broker, and the ways in which cells come."""

    def __init__(self, folder, rng):
        super().__init__(folder)
        self.folder, self.rng = folder, rng
        self.files = 0

    def __enter__(self):
        super().__enter__()
        self.node.run("source", "add", "s", "--driver", "mqtt", "--url", self.broker.url, "--topic", "plant/#", "--asset", "{2}",
                      "--time", "ts")
        wait_until(lambda: self.node.json("source", "show", "s")["state"] == "running", what="the source")
        return self

    def publish(self, topic, payload):
        self.client.publish(topic, json.dumps(payload), qos=1).wait_for_publish(20)

    def by_topic(self, rows):
        for time, row in rows.items():
            for channel, value in row.items():
                self.publish(f"plant/press/{channel}", {"ts": time, channel: value})

    def by_message(self, rows):
        for time, row in rows.items():
            self.publish("plant/press", {"ts": time, **row})

    def by_list(self, rows):
        """Elements of one message may be parts of one row."""
        parts = [{"ts": time, channel: value} for time, row in rows.items() for channel, value in row.items()]
        self.rng.shuffle(parts)
        self.publish("plant/press", parts)

    def load(self, text, ending, *options):
        self.files += 1
        path = self.folder / f"{self.files}.{ending}"
        path.write_text(text)
        self.node.run("data", "import", "press", "--input", path, *options)

    def by_wide_file(self, rows):
        names = sorted({channel for row in rows.values() for channel in row})
        out = io.StringIO()
        write = csv.writer(out)
        write.writerow(["time", *names])
        lines = [(time, part) for time, row in rows.items() for part in self.halves(row)]
        self.rng.shuffle(lines)
        for time, row in lines:
            write.writerow([time, *[json.dumps(row[n]) if isinstance(row.get(n), bool) else row.get(n, "") for n in names]])
        self.load(out.getvalue(), "csv")

    def halves(self, row):
        if self.rng.random() < 0.7:
            return [row]
        chosen = {channel for channel in row if self.rng.random() < 0.5}
        halves = [{c: v for c, v in row.items() if (c in chosen) == half} for half in (False, True)]
        return [half for half in halves if half]

    def by_long_file(self, rows):
        """One kind of values, for they share a column."""
        for kind in (float, bool, str):
            lines = [(time, c, json.dumps(v) if kind is bool else v) for time, row in rows.items() for c, v in row.items()
                     if isinstance(v, kind)]
            if lines:
                self.rng.shuffle(lines)
                out = io.StringIO()
                csv.writer(out).writerows([("time", "tag", "val"), *lines])
                self.load(out.getvalue(), "csv", "--channel-column", "tag", "--value-column", "val")

    def by_lines(self, rows):
        lines = [json.dumps({"time": time, **part}) for time, row in rows.items() for part in self.halves(row)]
        self.rng.shuffle(lines)
        self.load("\n".join(lines) + "\n", "jsonl")

    def export(self, node=None):
        """time -> the cells that are there; a time that comes twice is an error."""
        rows = {}
        for line in (node or self.node).run("data", "export", "press", "--format", "jsonl").stdout.splitlines():
            row = json.loads(line)
            time = stamp(row.pop("time"))
            assert row.pop("seq", 0) == 0 and time not in rows, line
            rows[time] = {channel: value for channel, value in row.items() if value is not None}
        return rows

    def wait_for(self, rows):
        wait_until(lambda: self.there() and self.export() == rows, 60, "all parts that were sent")

    def there(self):
        return any(asset["name"] == "press" for asset in self.node.json("asset", "ls")["items"])

    def restart(self):
        self.node.kill()
        self.node.serve()
        wait_until(lambda: self.node.json("source", "show", "s")["state"] == "running", what="the source")


def check_sums(plant, cells):
    """What is counted is what is there."""
    rows = rows_of(cells)
    asset = next(a for a in plant.node.json("asset", "ls")["items"] if a["name"] == "press")
    assert asset["rows"] == len(rows)
    head = plant.node.json("data", "head", "press", "--rows", "5")
    assert [stamp(row[head["columns"].index("time")]) for row in head["rows"]] == list(rows)[:5]
    for channel in plant.node.json("data", "stats", "press")["channels"]:
        values = [value for (_, name), value in cells.items() if name == channel["name"]]
        assert (channel["count"], channel["nulls"]) == (len(values), len(rows) - len(values)), channel


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_that_come_in_any_way_are_the_rows(tmp_path, seed):
    rng = random.Random(seed)
    cells = make_cells(rng)
    left, sent, half, frozen = list(cells), {}, None, None
    with Plant(tmp_path, rng) as plant:
        ways = [plant.by_topic, plant.by_message, plant.by_list, plant.by_wide_file, plant.by_long_file, plant.by_lines]
        while left:
            batch = {cell: cells[cell] for cell in take(rng, left)}
            again = {cell: sent[cell] for cell in rng.sample(list(sent), min(len(sent), 10))} if rng.random() < 0.2 else {}
            rng.choice(ways)(rows_of({**batch, **again}))
            sent.update(batch)
            left = [cell for cell in left if cell not in batch]
            if rng.random() < 0.1:
                plant.restart()
            if half is None and len(sent) > len(cells) // 2:
                half = rows_of(sent)
                plant.wait_for(half)
                plant.node.run("dataset", "create", "half", "--asset", "press")
                frozen = plant.node.run("dataset", "export", "half", "--format", "csv").stdout
                assert len(frozen.splitlines()) == len(half) + 1
        plant.wait_for(rows_of(cells))
        check_sums(plant, cells)
        show = plant.node.json("source", "show", "s")["stats"]
        assert show["dead"] == 0, show
        digest = plant.node.json("dataset", "show", "half")["digest"]
        plant.node.run("node", "backup", tmp_path / "backup")
        copy = Node(tmp_path, "copy")
        copy.run("node", "restore", tmp_path / "backup")
        assert plant.export(copy) == rows_of(cells)
        assert copy.run("dataset", "export", "half", "--format", "csv").stdout == frozen
        for _ in range(2):
            plant.restart()
            plant.node.run("data", "compact")
            assert plant.export() == rows_of(cells)
            check_sums(plant, cells)
            assert plant.node.run("dataset", "export", "half", "--format", "csv").stdout == frozen
            assert plant.node.json("dataset", "show", "half")["digest"] == digest
