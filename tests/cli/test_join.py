# SPDX-License-Identifier: Apache-2.0
"""Derived assets on the command line: made, shown, refused, renamed, removed, in datasets and backups."""
import csv
import io

import pytest

from harness import Node, wait_until, write_workflow

PRESS = "time,force,word\n2026-01-01T00:00:00Z,1,a\n2026-01-01T00:00:01Z,2,b\n2026-01-01T00:00:02Z,3,c\n"
OVEN = "time,temp\n2026-01-01T00:00:00.400Z,10\n2026-01-01T00:00:01Z,20\n2026-01-01T00:00:02.600Z,30\n"


@pytest.fixture
def node(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        node.run("data", "import", "line/press", "--input", "-", input=PRESS)
        node.run("asset", "set", "line/press", "--channel", "force", "--unit", "kN")
        node.run("data", "import", "line/oven", "--input", "-", input=OVEN)
        yield node


def rows(node, asset, *options):
    done = node.run("data", "export", asset, *options)
    return [list(row.values()) for row in csv.DictReader(io.StringIO(done.stdout))]


def join(node, name, *options):
    return node.json("asset", "join", name, "--channel", "line/press:force", "--channel", "line/oven:temp", *options)


def fails(node, *arguments, input=None):
    done = node.run(*arguments, check=False, input=input)
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_rows_of_one_time_are_one(node):
    made = join(node, "both")
    assert made["rows"] == 5 and made["made"] and made["join"]["rule"] == "rows of the same time"
    assert [r[1:] for r in rows(node, "both")] == [["1", ""], ["", "10"], ["2", "20"], ["3", ""], ["", "30"]]
    again = join(node, "both")
    assert again["rows"] == 5 and not again["made"]
    shown = node.json("asset", "show", "both")
    assert [(c["name"], c["type"], c["unit"]) for c in shown["channels"]] == [("force", "float64", "kN"), ("temp", "float64", "")]
    assert shown["join"]["channels"][1] == {"asset": "line/oven", "channel": "temp", "as": "temp"}
    listed = {a["name"]: a.get("joined") for a in node.json("asset", "ls")["items"]}
    assert listed == {"both": "rows of the same time", "line/oven": None, "line/press": None}


def test_a_rate_takes_the_values_before_each_point(node):
    join(node, "grid", "--rate", "2Hz")
    assert [r[1:] for r in rows(node, "grid")] == [
        ["1", ""], ["1", "10"], ["2", "20"], ["2", "20"], ["3", "20"], ["3", "20"]]
    join(node, "young", "--rate", "2Hz", "--tolerance", "300ms")
    assert [r[1:] for r in rows(node, "young")] == [
        ["1", ""], ["", "10"], ["2", "20"], ["", ""], ["3", ""], ["", ""]]


def test_a_rate_is_that_of_datasets_and_windows(node):
    join(node, "both")
    node.run("dataset", "create", "d", "--asset", "both", "--rate", "5Hz", "--tolerance", "700ms")
    of_dataset = [line.split(",")[1:4] for line in node.run("dataset", "export", "d").stdout.splitlines()[1:]]
    join(node, "grid", "--rate", "5Hz", "--tolerance", "700ms")
    assert rows(node, "grid") == of_dataset and len(of_dataset) == 14


def test_a_clock_that_jumped_does_not_run_ahead(node):
    node.run("data", "import", "line/oven", "--input", "-", input="time,temp\n2040-01-01T00:00:00Z,99\n")
    made = join(node, "grid", "--rate", "1Hz")
    assert made["rows"] == 3 and rows(node, "grid")[-1][1:] == ["3", "20"]


def test_a_pause_makes_no_points_and_values_stay(node):
    node.run("data", "import", "line/press", "--input", "-", input="time,force\n2026-01-09T00:00:00Z,9\n")
    made = join(node, "grid", "--rate", "1Hz")  # 8 days are 691,200 points
    assert made["rows"] == 4 and rows(node, "grid")[-1] == ["2026-01-09T00:00:00Z", "9", "30"]


def test_a_tolerance_takes_the_nearest_values(node):
    join(node, "near", "--tolerance", "600ms")
    assert [r[1:] for r in rows(node, "near")] == [["1", "10"], ["2", "20"], ["3", "30"]]
    join(node, "closer", "--tolerance", "100ms")
    assert [r[1:] for r in rows(node, "closer")] == [["1", ""], ["2", "20"], ["3", ""]]
    node.run("data", "import", "line/tie", "--input", "-", input="time,x\n2026-01-01T00:00:00.500Z,7\n2026-01-01T00:00:01.500Z,8\n")
    node.run("asset", "join", "tie", "--channel", "line/press:force", "--channel", "line/tie:x", "--tolerance", "500ms")
    assert [r[1:] for r in rows(node, "tie")] == [["1", "7"], ["2", "7"], ["3", "8"]]


def test_what_comes_later_is_joined_when_asked_for(node):
    join(node, "both")
    node.run("data", "import", "line/oven", "--input", "-", input="time,temp\n2026-01-01T00:00:02Z,25\n2026-01-01T00:00:03Z,40\n")
    assert len(rows(node, "both")) == 5
    assert node.json("asset", "join", "both")["rows"] == 6
    assert [r[1:] for r in rows(node, "both")][3:] == [["3", "25"], ["", "30"], ["", "40"]]
    shown = node.json("asset", "show", "both")["join"]
    assert shown["behind"] == shown["late"] == shown["conflicts"] == 0


def test_a_point_that_was_made_stays_and_late_samples_are_counted(node):
    join(node, "grid", "--rate", "1Hz")
    before = rows(node, "grid")
    node.run("data", "import", "line/oven", "--input", "-", input="time,temp\n2026-01-01T00:00:01.500Z,99\n2026-01-01T00:00:03Z,40\n")
    node.run("data", "import", "line/press", "--input", "-", input="time,force\n2026-01-01T00:00:03Z,4\n")
    shown = node.json("asset", "join", "grid")
    assert shown["join"]["late"] == 1
    said = [c for c in node.json("doctor")["checks"] if c["name"] == "asset grid"]
    assert [c["state"] for c in said] == ["ok", "warn"] and said[1]["detail"].startswith("1 samples")
    after = rows(node, "grid")
    assert after[:3] == before and after[3][1:] == ["4", "40"]


def test_names_of_channels(node):
    node.run("data", "import", "line/x", "--input", "-", input="time,force\n2026-01-01T00:00:00Z,5\n")
    made = node.json("asset", "join", "a", "--channel", "line/press:force", "--channel", "line/x:force", "--channel", "line/press:word=code")
    assert [c["as"] for c in made["join"]["channels"]] == ["line/press/force", "line/x/force", "code"]
    made = node.json("asset", "join", "b", "--channel", "line/press:force", "--channel", "line/x:force=other")
    assert [c["as"] for c in made["join"]["channels"]] == ["force", "other"]
    assert "two channels would be called 'temp'" in fails(
        node, "asset", "join", "c", "--channel", "line/press:force=temp", "--channel", "line/oven:temp=temp")
    assert "ASSET:CHANNEL" in fails(node, "asset", "join", "c", "--channel", "force")


def test_names_with_colons_and_equals_signs(node):
    node.run("data", "import", "a:b", "--input", "-", input='time,"x=1",y\n2026-01-01T00:00:00Z,5,6\n')
    made = node.json("asset", "join", "odd", "--channel", "a:b:x=1", "--channel", "a:b:y=z", "--channel", "a:b:x=1=w")
    assert [(c["asset"], c["channel"], c["as"]) for c in made["join"]["channels"]] == [
        ("a:b", "x=1", "x=1"), ("a:b", "y", "z"), ("a:b", "x=1", "w")]


def test_what_cannot_be_joined_is_refused(node):
    join(node, "both")
    assert "there is no asset 'line/none'; --allow-missing" in fails(node, "asset", "join", "c", "--channel", "line/none:x")
    assert "has no channel 'none'" in fails(node, "asset", "join", "c", "--channel", "line/press:none")
    assert "already" in fails(node, "asset", "join", "line/press", "--channel", "line/oven:temp")
    assert "already" in fails(node, "asset", "join", "both", "--channel", "line/oven:temp")
    assert "made by deployments" in fails(node, "asset", "join", "predictions/x", "--channel", "line/oven:temp")
    assert "made of itself" in fails(node, "asset", "join", "self", "--channel", "self:x", "--allow-missing")
    assert "no derived asset 'line/press'" in fails(node, "asset", "join", "line/press")
    assert "wait goes with a rate" in fails(node, "asset", "join", "c", "--channel", "line/oven:temp", "--wait", "1s")
    assert "rate goes with channels" in fails(node, "asset", "join", "both", "--rate", "1Hz")
    node.run("asset", "join", "first", "--channel", "second:x", "--allow-missing")
    assert "would be made of itself" in fails(node, "asset", "join", "second", "--channel", "first:x", "--allow-missing")


def test_nothing_else_writes_to_a_derived_asset(node):
    join(node, "both")
    said = fails(node, "data", "import", "both", "--input", "-", input="time,force\n2026-01-02T00:00:00Z,1\n")
    assert "asset 'both' is joined of other assets, and nothing else writes to it" in said
    said = fails(node, "data", "import", "{asset}", "--input", "-", input="asset,time,force\nboth,2026-01-02T00:00:00Z,1\n")
    assert "nothing else writes to it" in said
    assert len(rows(node, "both")) == 5


def test_a_join_of_a_join(node):
    join(node, "both")
    node.run("asset", "join", "grid", "--channel", "both:temp", "--rate", "1Hz")
    node.run("data", "import", "line/oven", "--input", "-", input="time,temp\n2026-01-01T00:00:04Z,50\n")
    node.run("dataset", "create", "d", "--asset", "grid")  # brings both up to date
    assert node.json("dataset", "show", "d")["rows"] == len(rows(node, "grid")) == 4
    assert rows(node, "grid")[-1][1] == "50"


def test_inputs_are_not_removed_and_renames_follow(node):
    join(node, "both")
    assert "asset 'both' is joined of asset 'line/oven'; remove it first" in fails(node, "asset", "rm", "line/oven")
    assert node.json("asset", "rename", "line/oven", "line/furnace")["joins"] == ["both"]
    assert node.json("asset", "rename-channel", "line/furnace", "temp", "heat")["joins"] == ["both"]
    assert node.json("asset", "rename-channel", "both", "temp", "warm")["joins"] == []
    node.run("asset", "rename", "both", "all")
    assert "line/press" in fails(node, "asset", "rename", "line/furnace", "line/press")
    node.run("data", "import", "line/furnace", "--input", "-", input="time,heat\n2026-01-01T00:00:09Z,90\n")
    assert node.json("asset", "join", "all")["rows"] == 6
    shown = node.json("asset", "show", "all")
    assert [c["name"] for c in shown["channels"]] == ["force", "warm"]
    assert shown["join"]["channels"][1] == {"asset": "line/furnace", "channel": "heat", "as": "warm"}
    assert [r[1:] for r in rows(node, "all")][-1] == ["", "90"]
    node.run("asset", "rm", "all")
    assert "no derived asset 'all'" in fails(node, "asset", "join", "all")
    node.run("asset", "rm", "line/furnace")


def test_a_dataset_puts_assets_side_by_side(node):
    made = node.json("dataset", "create", "d", "--asset", "line/*", "--rate", "1Hz", "--channel", "force", "--channel", "temp", "--join")
    assert made["joins"][0]["asset"] == "joined/d" and made["joins"][0]["period_ns"] == 1_000_000_000
    assert [c["name"] for c in made["channels"]] == ["force", "temp"]
    text = node.run("dataset", "export", "d").stdout.splitlines()
    assert text[0] == "asset,time,force,temp,label" and text[2].endswith(",2,20,")
    # Assets that have nothing in common are only of use side by side; the same join serves again.
    again = node.json("dataset", "create", "d2", "--asset", "line/*", "--rate", "1Hz")
    assert [a["name"] for a in again["assets"]] == ["joined/d2"]
    third = node.json("dataset", "create", "d3", "--asset", "line/*", "--rate", "1Hz")
    assert [a["name"] for a in third["assets"]] == ["joined/d2"] and third["digest"] == again["digest"]
    assert "exists already" in fails(node, "dataset", "create", "d2", "--asset", "line/*", "--rate", "7Hz", "--join")
    assert [a["name"] for a in node.json("asset", "ls")["items"] if "joined" in a] == ["joined/d", "joined/d2"]
    exact = node.json("dataset", "create", "d4", "--asset", "line/press", "--asset", "line/oven", "--join")
    assert exact["rows"] == 5 and "period_ns" not in exact["joins"][0]
    assert "fill is not for that" in fails(node, "dataset", "create", "d5", "--asset", "line/*", "--rate", "3Hz", "--fill", "linear", "--join")


def test_assets_with_common_channels_stay_apart(node):
    node.run("data", "import", "line/press2", "--input", "-", input=PRESS)
    made = node.json("dataset", "create", "d", "--asset", "line/press*", "--rate", "1Hz")
    assert [a["name"] for a in made["assets"]] == ["line/press", "line/press2"] and "joins" not in made


def test_a_model_names_what_its_rows_were_joined_of(node, tmp_path):
    join(node, "both", "--rate", "1Hz")
    node.run("dataset", "create", "d", "--asset", "both")
    node.run("workflow", "add", write_workflow(tmp_path, "one", "def train(d, p, r):\n    return {}\n\n\ndef predict(m, w, p):\n    return {'y': 1.0}\n",
                                               inputs=[{"name": "force", "type": "float64"}]))
    node.run("train", "one", "--dataset", "d", "--name", "m")
    assert node.json("model", "show", "m")["dataset"]["joins"][0]["rule"] == "every 1s"
    assert "every 1s" in node.run("dataset", "show", "d").stdout


def test_a_backup_has_the_joins(node, tmp_path):
    join(node, "both", "--rate", "1Hz")
    node.run("node", "backup", tmp_path / "copy.tar")
    with Node(tmp_path, "other") as other:
        other.run("node", "restore", tmp_path / "copy.tar")
        assert other.json("asset", "show", "both")["join"]["rule"] == "every 1s"
        for asset in ("line/press:force", "line/oven:temp"):
            name, channel = asset.split(":")
            other.run("data", "import", name, "--input", "-", input=f"time,{channel}\n2026-01-01T00:00:04Z,7\n")
        assert other.json("asset", "join", "both")["rows"] == 5


def test_a_daemon_keeps_it_up_to_date(node):
    node.serve()
    join(node, "both")
    join(node, "grid", "--rate", "1Hz", "--wait", "200ms")
    assert node.json("asset", "show", "both")["join"]["state"] == "running"
    node.run("data", "import", "line/oven", "--input", "-", input="time,temp\n2026-01-01T00:00:05Z,50\n")
    wait_until(lambda: len(rows(node, "both")) == 6, what="the row")
    wait_until(lambda: [r[1:] for r in rows(node, "grid")][-1] == ["3", "50"], what="the point, after its wait")
    assert node.stop() == 0
    node.run("data", "import", "line/press", "--input", "-", input="time,force\n2026-01-01T00:00:06Z,6\n")
    node.serve()
    wait_until(lambda: len(rows(node, "both")) == 7, what="what came while it was down")


def test_a_type_that_does_not_fit_any_more_is_said_and_can_be_mended(node):
    join(node, "both")
    node.run("data", "import", "line/oven", "--input", "-", input="time,temp\n2026-01-01T00:00:09Z,9\n")
    node.run("asset", "set", "line/oven", "--channel", "temp", "--type", "string")
    said = fails(node, "asset", "join", "both")
    assert "channel 'temp' of asset 'line/oven' is string, and float64 as 'temp' of asset 'both'" in said
    assert [c["state"] for c in node.json("doctor", check=False)["checks"] if c["name"] == "asset both"] == ["fail"]
    assert node.json("asset", "show", "both")["join"]["state"] == "failed"
    node.run("asset", "set", "both", "--channel", "temp", "--type", "string")
    assert node.json("asset", "join", "both")["rows"] == 6
    assert rows(node, "both")[-1][1:] == ["", "9"]


def test_inputs_may_come_later_with_types_of_their_own(node):
    made = node.json("asset", "join", "odd", "--channel", "line/press:word", "--channel", "line/new:n=count", "--channel", "line/press:state",
                     "--rate", "1Hz", "--allow-missing")
    assert made["join"]["state"] == "stopped" and made["join"]["detail"] == "asset 'line/new' has not come yet"
    node.run("data", "import", "line/new", "--column", "n=int16", "--input", "-", input="time,n\n2026-01-01T00:00:03Z,7\n")
    node.run("data", "import", "line/press", "--input", "-", input="time,state\n2026-01-01T00:00:03Z,on\n")
    node.run("asset", "join", "odd")
    assert [r[1:] for r in rows(node, "odd")][-1] == ["c", "7", "on"]
    assert {c["name"]: c["type"] for c in node.json("asset", "show", "odd")["channels"]} == {
        "word": "string", "count": "int16", "state": "string"}


def test_what_was_dropped_before_a_join_is_not_lost_to_it(node):
    for _ in range(2):
        join(node, "both")
        node.run("asset", "rm", "both")
    join(node, "both")
    for name, rule in {"of/both": [], "of/near": ["--tolerance", "1s"], "of/rate": ["--rate", "1Hz"]}.items():
        made = node.json("asset", "join", name, "--channel", "both:force", "--channel", "line/oven:temp", *rule)
        assert made["join"]["lost"] == 0 and made["rows"] > 0, made
