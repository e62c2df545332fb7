# SPDX-License-Identifier: Apache-2.0
"""What senders really send, with a real broker: who it is of, lists, bare values, and what a message lacks."""
import json
import pathlib

import pytest

from field import Field
from harness import wait_until

DATABUS = pathlib.Path(__file__).resolve().parents[3] / "shared/spec/databus-examples"


class Payloads(Field):
    """A field with sources."""

    def add(self, name, *options):
        self.node.run("source", "add", name, "--driver", "mqtt", "--url", self.broker.url, *options)
        wait_until(lambda: self.show(name)["state"] == "running", what="the link")

    def show(self, name):
        return self.node.json("source", "show", name, "--dead-letters", "100")

    def send(self, name, topic, *payloads):
        """Sends and waits until the source has taken or refused all of it."""
        before = self.show(name)["stats"]["messages"]
        for payload in payloads:
            body = payload if isinstance(payload, str) else json.dumps(payload)
            self.client.publish(topic, body, qos=1).wait_for_publish(20)
        wait_until(lambda: self.show(name)["stats"]["messages"] == before + len(payloads), what="the messages")

    def rows(self, asset):
        head = self.node.json("data", "head", asset, "--rows", "100")
        return [{k: v for k, v in zip(head["columns"], row) if v is not None} for row in head["rows"]]


@pytest.fixture
def field(tmp_path):
    with Payloads(tmp_path) as field:
        yield field


def test_a_member_says_whose_it_is(field):
    field.add("s", "--topic", "plant/#", "--asset", "{1}/{device}/{meta.line}", "--time", "ts")
    field.send("s", "plant/all", {"ts": 1700000000, "x": 1.5, "meta": {"line": 7, "fw": "1.2"}, "device": "p1"},
               {"ts": 1700000001, "x": 2, "device": "p1", "meta": {"line": 7}},
               {"ts": 1700000001, "x": 2, "device": "p1"}, {"ts": 1700000001, "x": 2, "device": "", "meta": {"line": 7}},
               {"ts": 1700000001, "x": 2, "device": "n" * 300, "meta": {"line": 7}})
    rows = field.rows("plant/p1/7")
    assert [row["x"] for row in rows] == [1.5, 2] and rows[0]["meta.fw"] == "1.2" and "device" not in rows[0]
    reasons = [letter["reason"] for letter in field.show("s")["dead_letters"]]
    assert len(reasons) == 3
    assert all("meta.line" in r or "device" in r or "200 bytes" in r for r in reasons), reasons


def test_readings_have_their_own_times_and_share_what_is_around_them(field):
    field.add("s", "--topic", "b/+", "--asset", "{device}", "--values", "readings", "--time", "ts")
    field.send("s", "b/1", {"readings": [{"ts": "2024-01-01T00:00:00Z", "temp": 1}, {"temp": 2, "ts": "2024-01-01T01:00:01+01:00"},
                                         {"temp": 3}], "ts": 1704067202, "device": "p1"},
               {"device": "p1", "readings": []}, {"device": "p1", "readings": [{"temp": 1}]})
    assert [(row["time"][11:19], row["temp"]) for row in field.rows("p1")] == [("00:00:00", 1), ("00:00:01", 2), ("00:00:02", 3)]
    assert field.show("s")["stats"]["dead"] == 2


def test_elements_of_a_list_are_channels_by_name(field):
    field.add("s", "--topic", "db/+", "--asset", "{2}", "--values", "vals", "--time", "ts", "--list-name", "Tagname",
              "--list-value", "value", "--list-quality", "q")
    field.send("s", "db/d1", {"vals": [{"Tagname": "b", "value": 2, "q": 192, "ts": 1700000000}, {"value": 1, "ts": 1700000000, "Tagname": "a"}]},
               {"vals": [{"Tagname": "b", "value": 3, "ts": 1700000001}]},
               {"ts": 1700000002, "vals": [{"Tagname": 7, "value": True, "ts": None}, {"Tagname": "x", "value": None}]})
    rows = field.rows("d1")
    assert [{k: v for k, v in row.items() if k in ("a", "b", "7", "x")} for row in rows] == [{"a": 1, "b": 2}, {"b": 3}, {"7": True}]
    field.send("s", "db/d1", {"ts": 1, "vals": [{"value": 3}]}, {"ts": 1, "vals": [{"Tagname": "b", "value": 3}, {"Tagname": "b", "value": 4}]})
    assert [letter["reason"].split(": ", 1)[1][:20] for letter in field.show("s")["dead_letters"]] == ["element 0 of the lis"]
    assert sorted(row["b"] for row in field.rows("d1") if row["time"].startswith("1970")) == [3, 4], "the next of its time"


def test_times_that_the_clocks_left_out_are_told_once(field):
    field.add("s", "--topic", "w/+", "--asset", "{2}", "--time-zone", "Europe/Vienna")
    field.send("s", "w/a", {"time": "2024-03-31 01:59", "x": 1}, {"time": "2024-03-31 02:30", "x": 2}, {"time": "2024-03-31 02:31", "x": 3})
    assert [row["time"][11:16] for row in field.rows("a")] == ["00:59", "01:30", "01:31"]
    assert field.node.log.read_text().count("that the clocks left out, the first on topic 'w/a'") == 1


def test_a_place_in_a_list_never_stands_for_an_id(field):
    channels = {"t101": {"from": "0.val"}, "t102": {"from": "1.val"}}
    field.add("s", "--topic", "db/+", "--asset", "{2}", "--values", "vals",
              "--config", json.dumps({"payload": {"new_channels": "ignore", "channels": channels}}))
    field.send("s", "db/d1", {"time": 1700000000, "vals": [{"id": "102", "val": 23}]})
    assert field.show("s")["stats"]["dead"] == 1
    assert "102" in field.show("s")["dead_letters"][0]["reason"]


def test_bare_values(field):
    field.add("s", "--topic", "m/+/+", "--format", "value", "--asset", "{2}", "--channel", "{3}",
              "--config", '{"payload": {"channels": {"pump": {"type": "bool"}, "level": {"type": "float64"}}, "decimal": ","}}')
    for topic, payload in (("temp", "21.5"), ("pump", "ON"), ("mode", "auto"), ("level", "3,25"), ("level", "n/a"), ("temp", ""),
                           ("temp", '{"x": 1}')):
        field.send("s", f"m/m1/{topic}", payload)
    values = {}
    for row in field.rows("m1"):
        values.update({k: v for k, v in row.items() if k not in ("time", "seq")})
    assert values == {"temp": 21.5, "pump": True, "mode": "auto", "level": 3.25}
    assert field.show("s")["stats"]["untimed"] == 4
    assert field.show("s")["stats"]["dead"] == 3


@pytest.mark.parametrize("options, dead, untimed", [((), 1, 2), (("--time", "ts"), 3, 0),
                                                    (("--time", "ts", "--on-missing-time", "arrival"), 0, 3)])
def test_a_message_without_its_time_is_refused_or_counted(field, options, dead, untimed):
    name = "ts" if options else "time"
    field.add("s", "--topic", "a", *options)
    field.send("s", "a", {"x": 1}, {"x": 2, name: None}, {"x": 3, name: "soon"}, {"x": 4, name: 1700000000})
    stats = field.show("s")["stats"]
    assert (stats["dead"], stats["untimed"], stats["samples"]) == (dead, untimed, 4 - dead)


def test_texts_for_numbers_and_local_times(field):
    config = {"payload": {"channels": {"f": {}, "i": {"type": "int64"}, "b": {"type": "bool"}}}}
    field.add("s", "--topic", "a", "--time-zone", "Europe/Vienna", "--time-format", "%d.%m.%Y %H:%M:%S", "--decimal", ",",
              "--null", "kaputt", "--config", json.dumps(config))
    field.send("s", "a", {"time": "01.07.2024 12:00:00", "f": "1234,5", "i": "12", "b": "true"},
               {"time": "01.12.2024 12:00:00", "f": "kaputt", "i": "NA", "b": 1},
               {"time": "01.12.2024 12:00:01", "f": "warm"}, {"time": "2024-12-01", "f": 1})
    rows = field.rows("a")
    assert [row["time"][:19] for row in rows] == ["2024-07-01T10:00:00", "2024-12-01T11:00:00"]
    assert rows[0]["f"] == 1234.5 and rows[0]["i"] == 12 and rows[0]["b"] is True
    assert set(rows[1]) - {"time", "seq"} == {"b"}
    assert field.show("s")["stats"]["dead"] == 2


@pytest.mark.skipif(not DATABUS.is_dir(), reason="the databus' examples are not here (../shared)")
def test_the_databus_is_read_as_it_comes(field):
    field.add("s", "--topic", "ie/d/#", "--topic", "ie/test/#", "--format", "databus", "--asset", "{topic}")
    taken = refused = 0
    for path in sorted(DATABUS.glob("*.json")):
        example = json.loads(path.read_text())
        if example["topic"].startswith(("ie/d/", "ie/test/")):
            broken = not isinstance(example["payload"].get("vals", example["payload"].get("records")), list)
            refused += broken
            taken += not broken
            field.send("s", example["topic"], example["payload"])
    stats = field.show("s")["stats"]
    assert taken > 10 and stats["dead"] == refused and stats["messages"] == taken + refused
    rows = field.rows("ie/d/j/simatic/v1/s7c1/dp/r/1511_S7/default")
    assert len(rows) == 1 and rows[0]["825"] == 234.49998474121094
    rows = field.rows("ie/d/j/simatic/v1/eip1/dp/r/Compactlogix/500ms")
    assert [(row["time"], row["1"]) for row in rows] == [("2024-09-03T07:22:23.482050100Z", 335), ("2024-09-03T07:22:25.481842800Z", 336)]


def test_what_an_asset_has_decided_is_asked(field):
    """A channel that came as a number first takes numbers in quotes and words for null, and nothing else."""
    field.add("s", "--topic", "s/+", "--asset", "{2}")
    field.send("s", "s/a", {"time": 1700000000, "m": 1, "on": True},
               {"time": 1700000001, "m": "NA", "k": 2}, {"time": 1700000002, "m": "3.5", "on": "false"},
               {"time": 1700000003, "m": "broken", "k": 3})
    rows = field.rows("a")
    assert [row.get("m") for row in rows] == [1, None, 3.5] and rows[1]["k"] == 2 and rows[2]["on"] is False
    told = field.show("s")
    assert told["stats"]["samples"] == 3 and len(told["dead_letters"]) == 1
    assert "holds float64, not string" in told["dead_letters"][0]["reason"]
