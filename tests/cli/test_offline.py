# SPDX-License-Identifier: Apache-2.0
"""The command line on a home without a daemon: data, labels, datasets, workflows, training, prediction."""
import csv
import gzip
import io
import json
import os
import pty
import select
import signal
import subprocess
import time

import pytest

from harness import CTL, Node, write_workflow

THRESHOLD = """
import time


def train(dataset, params, run):
    run.log("hello from the workflow")
    for i in range(params.get("steps", 2)):
        run.progress((i + 1) / params.get("steps", 2))
        run.metric("loss", 1.0 / (i + 1), i)
        time.sleep(params.get("pause", 0.0))
    values, labels = dataset.values, list(dataset.labels)
    high = [v[0] for v, l in zip(values, labels) if l == "high"]
    low = [v[0] for v, l in zip(values, labels) if l == "low"]
    return {"limit": (min(high) + max(low)) / 2 if high and low else 0.5}


def predict(model, window, params):
    x = float(window.values[-1, 0])
    return {"class": "high" if x > model["limit"] else "low", "score": x}
"""
PARAMETERS = [{"name": "steps", "type": "integer", "default": 2, "minimum": 1, "maximum": 1000000},
              {"name": "pause", "type": "number", "default": 0.0}]
ROWS = "".join(f"2025-01-01T00:00:{i:02d}Z,{i},{'high' if i >= 30 else 'low'}\n" for i in range(60))


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A home with an asset, a dataset, a workflow and a model."""
    folder = tmp_path_factory.mktemp("offline")
    with Node(folder) as node:
        node.folder = folder
        node.run("node", "init")
        node.run("data", "import", "seed", "--input", "-", "--label-column", "level", "--column", "x=float64:mm",
                 input="time,x,level\n" + ROWS)
        node.run("dataset", "create", "seed", "--asset", "seed", "--labelled-only")
        node.run("workflow", "add", write_workflow(
            folder, "threshold", THRESHOLD, parameters=PARAMETERS,
            label={"name": "class", "classes": ["low", "high"]},
            outputs=[{"name": "class", "type": "string"}, {"name": "score", "type": "float64"}]))
        node.run("train", "threshold", "--dataset", "seed", "--name", "limit")
        yield node


def test_durability_is_set_kept_and_shown(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init", "--durability", "power")
        assert node.json("node", "status")["durability"] == "power"
        assert "power" in node.run("node", "status").stdout
        node.run("node", "init")
        assert node.json("node", "status")["durability"] == "power"
        assert "process" in node.run("node", "set", "--durability", "process").stdout
        assert node.json("node", "status")["durability"] == "process"


def test_init_is_repeatable_and_says_which_home(tmp_path):
    with Node(tmp_path) as node:
        assert str(node.home) in node.run("node", "init", "--layer", "fog").stdout
        assert "already" in node.run("node", "init").stdout
        assert node.run("--quiet", "node", "init").stdout == ""
        status = node.json("node", "status")
        assert (status["layer"], status["mode"]) == ("fog", "local")
        assert "fog" in node.run("node", "status").stdout


def test_json_is_one_line_and_text_is_aligned(node):
    out = node.run("asset", "ls", "--json").stdout
    assert out.count("\n") == 1 and json.loads(out)["items"][0]["rows"] == 60
    header, row = node.run("asset", "ls").stdout.splitlines()
    assert header.split() == ["NAME", "ROWS", "CHANNELS", "FIRST", "LAST"]
    assert row.split() == ["seed", "60", "1", "2025-01-01T00:00:00Z", "2025-01-01T00:00:59Z"]
    assert header.index("FIRST") == row.index("2025")
    assert "mm" in node.run("asset", "show", "seed").stdout
    assert node.run("asset", "ls", "nothing*").stdout.startswith("no assets")


def test_node_ops_lists_all_that_is_known_of_an_operation(node):
    items = {op["name"]: op for op in node.json("node", "ops")["items"]}
    text = node.run("node", "ops").stdout.splitlines()
    assert len(items) > 60 and len(text) == len(items) + 1
    assert text[0].split() == ["NAME", "ROLE", "EFFECT", "SUMMARY"]
    for op in items.values():
        assert op["role"] in ("viewer", "operator", "engineer", "admin"), op
        assert op["effect"] in ("read", "change", "remove"), op
        assert op["result"]["type"] == op["args"]["type"] == "object", op
        assert op["args"]["additionalProperties"] is False, op
        assert all(schema["description"] for schema in op["args"].get("properties", {}).values()), op
        assert all(event["properties"]["type"]["const"] for event in op["events"]), op
    assert items["source.rm"]["effect"] == "remove" and items["node.stop"]["role"] == "admin"
    assert items["data.head"]["args"]["properties"]["rows"]["default"] == 10
    assert {event["properties"]["type"]["const"] for event in items["train"]["events"]} == {"state", "progress", "metric", "log"}


def test_import_counts_what_is_there_already(node):
    done = node.json("data", "import", "twice", "--input", "-", input="time,x\n2025-01-01T00:00:00Z,1\n")
    assert (done["rows"], done["appended"], done["duplicates"]) == (1, 1, 0)
    done = node.json("data", "import", "twice", "-", input="time,x\n2025-01-01T00:00:00Z,1\n2025-01-01T00:00:01Z,2\n")
    assert (done["rows"], done["appended"], done["duplicates"]) == (2, 1, 1)
    done = node.run("data", "import", "twice", "-", check=False, input="time,x\nnonsense,1\n")
    assert done.returncode == 1 and "nonsense" in done.stderr
    node.run("asset", "rm", "twice")
    assert node.run("asset", "show", "twice", check=False).returncode == 3


def test_moments_are_given_as_people_write_them(node, tmp_path):
    now = int(time.time())
    (tmp_path / "recent.csv").write_text("time,x\n" + "".join(f"{now - 7200 + i * 600},{i}\n" for i in range(12)))
    node.run("data", "import", "recent", tmp_path / "recent.csv")

    def rows(*options):
        out = node.run("data", "export", "recent", "--format", "jsonl", *options).stdout
        return [json.loads(line)["x"] for line in out.splitlines()]
    assert rows("--end", "-1h") == rows("--start=now-1d", "--end=now-1h") == rows("--end", str(now - 3595)) == list(range(7))
    assert rows("--start", str((now - 3605) * 1000)) == [6, 7, 8, 9, 10, 11] and rows("--start", "+10m") == []
    for given in ("2025-01-01T00:00:58", "20250101T000058Z", "2025-01-01 01:00:58+01", "1735689658", "20250101000058"):
        lines = node.run("data", "export", "seed", "--format", "jsonl", "--start", given, "--end", "2025-01-02").stdout
        assert [json.loads(line)["x"] for line in lines.splitlines()] == [58, 59], given
    split = node.json("dataset", "create", "at-noon", "--asset", "seed", "--start", "20250101", "--split", "time:2025-01-01 00:00:40")
    assert split["profile"]["subsets"] == {"train": 40, "test": 20, "validation": 0}
    node.run("dataset", "rm", "at-noon")
    for unclear in ("2025", "1000", "yesterday", "2025-02-30"):
        done = node.run("data", "export", "seed", "--start", unclear, check=False)
        assert done.returncode == 2 and f"--start: '{unclear}' is not a time" in done.stderr


def test_export_head_and_stats_agree(node, tmp_path):
    rows = list(csv.DictReader(io.StringIO(node.run("data", "export", "seed").stdout)))
    assert [float(row["x"]) for row in rows] == list(range(60))
    lines = node.run("data", "export", "seed", "--format", "jsonl", "--start", "2025-01-01T00:00:58Z").stdout
    assert [json.loads(line)["x"] for line in lines.splitlines()] == [58, 59]
    target = tmp_path / "out.csv"
    assert node.json("data", "export", "seed", "--labels", "--output", target)["rows"] == 60
    assert target.read_text().splitlines()[-1].endswith("high")
    head = node.run("data", "head", "seed", "--last", "--rows", "2").stdout.splitlines()
    assert head[0].split() == ["time", "x"] and head[-1].split() == ["2025-01-01T00:00:59Z", "59"]
    channel = node.json("data", "stats", "seed")["channels"][0]
    assert (channel["min"], channel["max"], channel["count"], channel["unit"]) == (0, 59, 60, "mm")
    minutes = node.json("data", "aggregate", "seed", "--every", "30s", "--channel", "x")["items"]
    assert [(m["count"], m["min"], m["max"], m["mean"]) for m in minutes] == [(30, 0, 29, 14.5), (30, 30, 59, 44.5)]
    shown = node.run("data", "aggregate", "seed", "--start", "2025-01-01T00:00:50Z").stdout.splitlines()
    assert shown[-1].split()[-6:] == ["10", "0", "0", "50", "59", "54.5"]
    done = node.run("data", "export", "nope", check=False)
    assert done.returncode == 3 and "'nope'" in done.stderr


def test_retention_drops_what_is_due_and_says_so(node):
    rows = "time,x\n" + "".join(f"2025-01-{1 + i // 1440:02d}T{i // 60 % 24:02d}:{i % 60:02d}:00Z,{i}\n" for i in range(9000))
    node.run("data", "import", "kept/1", "-", input=rows)
    assert node.json("data", "compact", "kept/*")["assets"] == 1
    policy = node.json("retention", "set", "kept/*", "--max-age", "30d", "--rollup", "1h", "--rollup", "1m")
    assert policy == {"pattern": "kept/*", "max_age": "30d", "rollups": ["1m", "1h"]}
    node.run("retention", "set", "*", "--max-size", "10GB", "--min-free", "1MB")
    assert [p["pattern"] for p in node.json("retention", "ls")["items"]] == ["kept/*", "*"]
    would = node.json("retention", "run", "--dry-run")
    assert node.json("asset", "show", "kept/1")["dropped"] == 0
    done = node.json("retention", "run")
    assert done["rows"] == would["rows"] == 9000 and done["reached"] and done["assets"] == 1
    asset = node.json("asset", "show", "kept/1")
    assert (asset["rows"], asset["dropped"], asset["dropped_until"]) == (0, 9000, "2025-01-07T05:59:00Z")
    again = node.json("data", "import", "kept/1", "-", input=rows)
    assert (again["appended"], again["expired"]) == (0, 9000)
    for wrong in (["a"], ["a", "--max-size", "3 apples"], ["a", "--max-age", "1d", "--rollup", "soon"]):
        assert node.run("retention", "set", *wrong, check=False).returncode == 2
    node.run("retention", "rm", "kept/*")
    node.run("retention", "rm", "*")
    assert node.run("retention", "rm", "*", check=False).returncode == 3
    assert "everything is kept" in node.run("retention", "ls").stdout
    node.run("asset", "rm", "kept/1")


def test_arrays_are_what_numpy_loads(node, tmp_path):
    np = pytest.importorskip("numpy")
    rows = "time,x,n,ok,word\n" + "".join(
        f"{1700000000 + i},{i / 4},{i if i % 3 else ''},{'true' if i % 2 else 'false'},{'ä' * (i % 5)}x\n" for i in range(40000))
    node.run("data", "import", "arrays", "--column", "n=int32", "--input", "-", input=rows)
    node.run("label", "add", "arrays", "gut", "--start", "2023-11-14T22:13:20Z", "--end", "2023-11-14T22:13:25Z")
    target = tmp_path / "out.npz"
    assert node.json("data", "export", "arrays", "--labels", "--output", target)["rows"] == 40000
    with np.load(target, allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["labels", "n", "ok", "seqs", "times", "valid/n", "word", "x"]
        assert arrays["times"].dtype == np.int64 and (np.diff(arrays["times"]) == 10**9).all()
        assert (arrays["x"] == np.arange(40000) / 4).all() and arrays["n"].dtype == np.int32
        assert (arrays["valid/n"] == (np.arange(40000) % 3 != 0)).all() and arrays["ok"].dtype == bool
        assert list(arrays["word"][:3]) == ["x", "äx", "ääx"] and list(arrays["labels"][4:6]) == ["gut", ""]
    node.run("data", "export", "arrays", "--channel", "x", "--output", tmp_path / "x.npy")
    assert (np.load(tmp_path / "x.npy", allow_pickle=False) == np.arange(40000) / 4).all()
    done = node.run("data", "export", "arrays", "--output", tmp_path / "all.npy", check=False)
    assert done.returncode == 2 and "one channel" in done.stderr
    node.run("data", "export", "arrays", "--output", tmp_path / "out.csv.gz")
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).decode() == node.run("data", "export", "arrays").stdout
    # The same back again, from each format.
    plain = node.run("data", "export", "arrays", "--seq").stdout
    node.run("data", "export", "arrays", "--output", tmp_path / "out.jsonl.gz")
    for name in ("out.npz", "out.jsonl.gz"):
        done = node.json("data", "import", "back", tmp_path / name, "--column", "n=int32")
        assert (done["rows"], done["appended"]) == (40000, 40000)
        back = node.run("data", "export", "back", "--seq").stdout
        assert back == plain
        node.run("asset", "rm", "back")
    assert node.json("data", "import", "back", tmp_path / "out.npz", "--label-column", "labels")["labels"] == 1
    assert [(v["label"], v["start"]) for v in node.json("label", "ls", "back")["items"]] == [("gut", "2023-11-14T22:13:20Z")]
    node.run("asset", "rm", "back")
    np.savez_compressed(tmp_path / "own.npz", times=np.arange(5).astype("datetime64[s]"), a=np.arange(5, dtype=">f4"),
                        audio=np.arange(10, dtype=np.int16).reshape(5, 2), text=np.array(["ü", "", "c", "d", "e"]), junk=np.zeros(3))
    done = node.run("data", "import", "own", tmp_path / "own.npz", check=False)
    assert done.returncode == 1 and "junk" in done.stderr and "--skip-column" in done.stderr
    assert node.json("data", "import", "own", tmp_path / "own.npz", "--skip-column", "junk")["appended"] == 5
    assert node.run("data", "export", "own").stdout.splitlines()[:2] == ["time,a:float32,audio:int16[2],text", '1970-01-01T00:00:00Z,0,"[0,1]",ü']
    np.save(tmp_path / "one.npy", np.arange(3, dtype=np.uint64) + 2**63)
    node.run("data", "import", "one", tmp_path / "one.npy", "--start", "2025-01-01T00:00:00Z", "--period", "20ms")
    assert node.run("data", "export", "one").stdout.splitlines()[-1] == "2025-01-01T00:00:00.040Z,9223372036854775810"
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    done = node.run("data", "import", "one", tmp_path / "pickle.npy", "--start", "2025-01-01T00:00:00Z", check=False)
    assert done.returncode != 0 and "Python objects" in done.stderr
    for asset in ("own", "one"):
        node.run("asset", "rm", asset)
    node.run("dataset", "create", "arrays", "--asset", "arrays", "--channel", "x", "--channel", "n", "--split", "time:0.25")
    node.run("dataset", "export", "arrays", "--output", tmp_path / "set.npz")
    with np.load(tmp_path / "set.npz", allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["X", "columns", "groups", "split", "times", "y"]
        assert arrays["X"].shape == (40000, 2) and np.isnan(arrays["X"][:, list(arrays["columns"]).index("n")][0])
        assert set(arrays["split"]) == {"train", "test"} and set(arrays["groups"]) == {"arrays"} and arrays["y"][0] == "gut"
    node.run("dataset", "rm", "arrays")
    node.run("asset", "rm", "arrays")


def test_a_reader_that_leaves_early_hears_no_complaint(node):
    node.run("data", "import", "long", "--start", "2025-01-01T00:00:00Z", "--period", "1ms", "--input", "-",
             input="x\n" + "".join(f"{i}\n" for i in range(50000)))
    done = subprocess.run(["sh", "-c", f'"{CTL}" data export long | head -n 1'], env=node.environment(),
                          capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("time,x") and done.stderr == ""
    node.run("asset", "rm", "long")


def test_closed_standard_descriptors_harm_nothing(node):
    for redirection, command in ((">&-", "data export seed"), ("<&-", "data import seed --input -"),
                                 (">&- 2>&-", "data export seed"), (">&- 2>&- <&-", "asset ls"), (">&-", "asset ls --json")):
        done = subprocess.run(["sh", "-c", f'"{CTL}" {command} {redirection}'], env=node.environment(),
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 1, (redirection, command, done.stderr)
    assert node.json("asset", "show", "seed")["rows"] == 60
    assert node.json("doctor")["checks"][0]["state"] == "ok"


def test_labels_by_hand_and_from_a_file(node):
    number = node.json("label", "add", "seed", "odd", "--start", "2025-01-01T00:00:10Z",
                       "--end", "2025-01-01T00:00:11Z", "--author", "me")["id"]
    done = node.json("label", "import", "-", "--asset", "seed",
                     input="start,end,label\n2025-01-01T00:00:20Z,2025-01-01T00:00:21Z,even\n")
    assert done["labels"] == 1
    labels = {label["label"]: label for label in node.json("label", "ls", "seed")["items"]}
    assert labels["odd"]["author"] == "me" and "even" in labels and "low" in labels
    node.run("label", "rm", number)
    node.run("label", "rm", labels["even"]["id"])
    assert node.run("label", "rm", number, check=False).returncode == 3
    assert "odd" not in node.run("label", "ls", "seed").stdout


def test_labels_are_corrected_not_changed_and_compared(node):
    node.run("data", "import", "bench", "--input", "-", input="time,x\n" + "".join(
        f"2025-01-01T00:00:{i:02d}Z,{i}\n" for i in range(60)))

    def add(label, start, end, author):
        return node.json("label", "add", "bench", label, "--start", f"2025-01-01T00:00:{start:02d}Z",
                         "--end", f"2025-01-01T00:00:{end:02d}Z", "--author", author)["id"]

    first = add("good", 0, 30, "ann")
    add("good", 10, 50, "bea")
    add("bad", 30, 50, "ann")
    fixed = node.json("label", "correct", first, "--end", "2025-01-01T00:00:20Z")
    assert fixed["replaces"] == first
    chain = node.json("label", "history", fixed["id"])["items"]
    assert [item["id"] for item in chain] == [first, fixed["id"]] and chain[0]["withdrawn"] == chain[1]["version"]
    assert len(node.json("label", "history", "bench")["items"]) == 4
    assert first not in [item["id"] for item in node.json("label", "ls", "bench")["items"]]
    before = node.json("label", "ls", "bench", "--at-version", chain[0]["version"])["items"]
    assert [item["id"] for item in before] == [first]
    page = node.json("label", "ls", "--author", "ann", "--limit", "1")
    assert len(page["items"]) == 1 and page["next"] == page["items"][0]["id"]
    stats = node.json("label", "stats", "bench")
    assert stats["pairs"][0]["rows"] == 30 and abs(stats["pairs"][0]["agreement"] - 1 / 3) < 1e-9
    assert stats["conflicts"]["items"][0]["said"] == {"ann": "bad", "bea": "good"}
    text = node.run("label", "stats", "bench").stdout
    assert "KAPPA" in text and "ann=bad" in text
    done = node.run("label", "correct", first, "--label", "late", check=False)
    assert done.returncode == 3 and f"by label {fixed['id']}" in done.stderr


def test_a_dataset_has_a_filter_a_rate_and_a_split(node):
    options = ["--asset", "seed", "--split", "time:0.25", "--validation", "0.25", "--window", "1"]
    made = node.json("dataset", "create", "parted", *options)
    parts = made["profile"]["subsets"]
    assert sum(parts.values()) == made["rows"] and min(parts.values()) > 0
    text = node.run("dataset", "show", "parted").stdout
    assert "by=time" in text and "MEDIAN" in text and "warnings:" in text
    node.run("train", "threshold", "--dataset", "parted", "--name", "parted")
    windows = {
        part: node.json("predict", "parted", "--dataset", "parted", *part)["windows"]
        for part in ((), ("--part", "train"), ("--part", "all"))
    }
    assert windows[()] == parts["test"] and windows[("--part", "train")] == parts["train"]
    assert windows[("--part", "all")] == made["rows"]
    again = node.json("dataset", "create", "parted-again", *options)
    assert again["digest"] == made["digest"]
    assert node.json("dataset", "diff", "parted", "parted-again") == {
        "same": True, "digest_a": made["digest"], "digest_b": made["digest"], "items": [], "differences": 0
    }
    other = node.json("dataset", "diff", "parted", "seed")
    assert not other["same"] and "definition" in {item["what"] for item in other["items"]}
    assert "definition" in node.run("dataset", "diff", "parted", "seed").stdout
    for wrong in (
        ["--filter", "height >"],
        ["--filter", "nothing == 1"],
        ["--rate", "5"],
        ["--split", "rows:0.2"],
        ["--fill", "linear"],
        ["--validation", "0.2"],
    ):
        done = node.run("dataset", "create", "wrong", "--asset", "seed", *wrong, check=False)
        assert done.returncode in (1, 2, 3) and done.stderr.startswith("edgeopsctl: error: "), wrong


def test_a_dataset_is_frozen_and_exported(node):
    shown = node.json("dataset", "show", "seed")
    assert shown["rows"] == 60
    node.run("label", "add", "seed", "other", "--start", "2025-01-01T00:00:00Z", "--end", "2025-01-01T00:00:05Z")
    assert node.json("dataset", "show", "seed")["digest"] == shown["digest"]
    rows = list(csv.DictReader(io.StringIO(node.run("dataset", "export", "seed").stdout)))
    assert len(rows) == 60 and rows[0]["label"] == "low" and rows[0]["asset"] == "seed"
    node.run("label", "rm", next(l["id"] for l in node.json("label", "ls")["items"] if l["label"] == "other"))
    done = node.run("dataset", "create", "seed", "--asset", "seed", check=False)
    assert done.returncode == 1 and "'seed'" in done.stderr
    text = node.run("dataset", "show", "seed").stdout
    assert shown["digest"] in text and "high=30" in text


def test_workflows_are_made_checked_packed_and_installed(node, tmp_path):
    made = node.run("workflow", "init", tmp_path / "my-flow").stdout
    assert f"{tmp_path}/my-flow/my_flow_workflow.py" in made and f"workflow add {tmp_path}/my-flow\n" in made
    assert (tmp_path / "my-flow/my_flow_workflow.py").exists()
    assert "my_workflow.py" in node.run("workflow", "init", tmp_path / "my-workflow").stdout
    assert node.run("workflow", "init", tmp_path / "my-flow", check=False).returncode == 1
    assert "my-flow" in node.run("workflow", "check", tmp_path / "my-flow").stdout
    package = tmp_path / "flow.zip"
    packed = node.json("workflow", "pack", tmp_path / "my-flow", "--output", package)
    assert packed["path"] == str(package) and package.exists()
    added = node.json("workflow", "add", package)
    assert added["installed"] is True and added["digest"] == packed["digest"]
    assert node.json("workflow", "add", tmp_path / "my-flow")["installed"] is False
    assert "my-flow" in node.run("workflow", "ls").stdout
    assert node.json("workflow", "show", "my-flow")["manifest"]["name"] == "my-flow"
    node.run("workflow", "rm", "my-flow")
    assert node.run("workflow", "show", "my-flow", check=False).returncode == 3


def test_train_shows_progress_plainly_and_as_events(node):
    done = node.run("train", "threshold", "--dataset", "seed", "--param", "steps=3", "--name", "plain")
    assert "hello from the workflow" in done.stderr and "loss = " in done.stderr and "\033" not in done.stderr
    assert "plain" in done.stdout
    done = node.run("--json", "--events", "train", "threshold", "--dataset", "seed", "--name", "told")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"progress", "metric", "log"} <= {event["type"] for event in events}
    assert json.loads(done.stdout)["model"] == "told"
    assert node.run("--json", "train", "threshold", "--dataset", "seed", "--name", "silent").stderr == ""
    for name in ("plain", "told", "silent"):
        node.run("model", "rm", name)


def test_train_on_a_terminal_updates_one_line(node):
    parent, child = pty.openpty()
    process = subprocess.Popen([CTL, "train", "threshold", "--dataset", "seed", "--param", "steps=6", "--param",
                                "pause=0.15", "--name", "seen"], env=node.environment(), stdout=subprocess.PIPE,
                               stderr=child)
    os.close(child)
    text = b""
    while process.poll() is None or select.select([parent], [], [], 0)[0]:
        if select.select([parent], [], [], 0.1)[0]:
            try:
                text += os.read(parent, 4096)
            except OSError:
                break
    os.close(parent)
    process.stdout.close()
    assert process.wait() == 0
    assert b" %" in text and b"\r\033[K" in text, text
    node.run("model", "rm", "seen")


def test_wrong_parameters_and_names_are_told(node):
    done = node.run("train", "threshold", "--dataset", "seed", "--param", "steps=0", check=False)
    assert done.returncode == 2 and "steps" in done.stderr
    done = node.run("train", "threshold", "--dataset", "seed", "--param", "stepps=1", check=False)
    assert done.returncode == 2 and "stepps" in done.stderr
    done = node.run("train", "threshold", "--dataset", "nope", check=False)
    assert done.returncode == 3 and "'nope'" in done.stderr
    done = node.run("train", "nope", "--dataset", "seed", check=False)
    assert done.returncode == 3 and "nope" in done.stderr


def test_ctrl_c_cancels_a_training(node):
    process = subprocess.Popen([CTL, "train", "threshold", "--dataset", "seed", "--param", "steps=100000", "--param",
                                "pause=0.05"], env=node.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    for line in process.stderr:
        if "loss" in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    last = errors.splitlines()[-2:]
    assert process.returncode == 1 and last[0] == "edgeopsctl: canceled" and "run log" in last[1] and "error" not in errors
    run = node.json("run", "ls", "--limit", "1")["items"][0]
    assert (run["kind"], run["state"]) == ("train", "canceled")


def test_commands_at_once_wait_for_each_other(node):
    calls = [subprocess.Popen([CTL, "asset", "ls"], env=node.environment(), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) for _ in range(6)]
    for call in calls:
        _, errors = call.communicate(timeout=20)
        assert call.returncode == 0, errors


def test_a_second_process_does_not_wait_for_long_work(node):
    process = subprocess.Popen([CTL, "train", "threshold", "--dataset", "seed", "--param", "steps=100000", "--param",
                                "pause=0.05"], env=node.environment(), stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if "loss" in line:
                break
        done = node.run("asset", "ls", check=False)
        assert done.returncode == 4 and str(process.pid) in done.stderr and "node serve" in done.stderr
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def test_every_type_goes_in_and_out_and_names_change(node, tmp_path):
    table = tmp_path / "typed.csv"
    table.write_text('time,f,n,u,block\n1970-01-01T00:00:01Z,0.1,-128,18446744073709551615,"[1,-2.5]"\n'
                     '1970-01-01T00:00:02Z,,7,0,\n')
    columns = [f"--column={name}={kind}" for name, kind in
               (("f", "float32:um"), ("n", "int8"), ("u", "uint64"), ("block", "float32[2]"))]
    node.run("data", "import", "typed", "--input", table, *columns)
    shown = node.json("asset", "show", "typed")
    assert {c["name"]: c["type"] for c in shown["channels"]} == {
        "f": "float32", "n": "int8", "u": "uint64", "block": "float32[2]"}
    out = tmp_path / "out.csv"
    node.run("data", "export", "typed", "-o", out)
    header, *rows = out.read_text().splitlines()
    assert header == "time,f:float32,n:int8,u:uint64,block:float32[2]"
    rows = [dict(zip(("time", "f", "n", "u"), row.split(",")[:4])) for row in rows]
    assert [row["f"] for row in rows] == ["0.1", ""] and '"[1,-2.5]"' in out.read_text()
    assert "18446744073709551615" in out.read_text()
    for kind, code in (("float33", 2), ("float32[0]", 2)):
        done = node.run("data", "import", "x", "--input", table, f"--column=f={kind}", check=False)
        assert done.returncode == code and f"'{kind}' is not a type" in done.stderr
    for pattern in ("typed", "*typed"):
        node.run("retention", "set", pattern, "--max-age", "90000d")
    assert "'*' stands for anything" in node.run("asset", "rename", "typed", "a*b", check=False).stderr
    whole = node.json("data", "aggregate", "typed")["items"]
    assert whole[0]["start"] == node.json("asset", "show", "typed")["first"]
    renamed = node.json("asset", "rename", "typed", "line/typed")
    assert renamed["retention"] == ["typed"] and renamed["sources"] == []
    node.run("retention", "rm", "typed")
    node.run("retention", "rm", "*typed")
    assert node.json("asset", "rename", "line/typed", "typed")["retention"] == []
    node.run("asset", "rename", "typed", "line/typed")
    node.run("asset", "rename-channel", "line/typed", "f", "temperature")
    assert node.json("data", "stats", "line/typed")["rows"] == 2
    assert "temperature" in node.run("asset", "show", "line/typed").stdout
    assert node.run("asset", "rename", "typed", "other", check=False).returncode == 3
    node.run("asset", "rm", "line/typed")


def test_a_type_that_was_guessed_too_early_can_be_changed(node, tmp_path):
    node.run("data", "import", "early", "--input", "-", "--column", "n=int64:bar", "--column", "s=string",
             input="time,n,s\n2025-01-01T00:00:00Z,5,1.50\n2025-01-01T00:00:01Z,7,NA\n2025-01-01T00:00:02Z,-3,2\n")
    looked = node.json("asset", "set", "early", "--channel", "s", "--type", "float64", "--dry-run")
    assert looked["dry_run"] and len(looked["in_the_way"]) == 1
    assert "the value of 2025-01-01T00:00:01Z (seq 0): 'NA' is not a float64" in looked["in_the_way"][0]
    refused = node.run("asset", "set", "early", "--channel", "s", "--type", "float64", check=False)
    assert refused.returncode == 2 and "'NA' is not a float64" in refused.stderr
    done = node.json("asset", "set", "early", "--channel", "s", "--type", "float64", "--null", "NA", "--unit", "K")
    assert (done["was"], done["type"], done["unit"]) == ("string", "float64", "K")
    assert (done["rows"], done["values"], done["nulled"], done["respelled"]) == (3, 3, 1, 1)
    done = node.json("asset", "set", "early", "--channel", "n", "--type", "float64")
    assert done["unit"] == "bar" and done["in_the_way"] == [] and done["sources"] == []
    node.run("data", "import", "early", "--input", "-", input="time,n,s\n2025-01-01T00:00:03Z,0.5,4\n")
    out = tmp_path / "early.csv"
    node.run("data", "export", "early", "-o", out)
    lines = [line.split(",")[-2:] for line in out.read_text().splitlines()]
    assert [line[0] for line in lines[1:]] == ["5", "7", "-3", "0.5"]
    assert [line[1] for line in lines[1:]] == ["1.5", "", "2", "4"]
    node.run("dataset", "create", "early", "--asset", "early", "--channel", "n")
    held = node.run("asset", "set", "early", "--channel", "n", "--type", "float32", check=False)
    assert held.returncode == 4 and "these datasets hold it as it is: early;" in held.stderr
    assert "early" in node.json("asset", "set", "early", "--channel", "n", "--type", "float32", "--dry-run")["in_the_way"][0]
    node.run("asset", "set", "early", "--channel", "s", "--type", "string")
    assert node.run("asset", "set", "early", "--channel", "none", "--type", "string", check=False).returncode == 3
    for wrong in (["--type", "double"], []):
        assert node.run("asset", "set", "early", "--channel", "s", *wrong, check=False).returncode == 2
    missing = node.run("asset", "set", "early", "--type", "string", check=False)
    assert missing.returncode == 2 and "which channel? give --channel NAME, or --type NAME=TYPE" in missing.stderr
    required = node.run("source", "set", "none", check=False)
    assert required.returncode == 2 and "how many assets" in required.stderr
    done = node.json("asset", "set", "early", "--type", "s=float64", "--dry-run")
    assert (done["channel"], done["was"], done["type"]) == ("s", "string", "float64")
    assert node.run("doctor", "--deep").returncode == 0
    node.run("dataset", "rm", "early")
    node.run("asset", "rm", "early")


def test_tables_tell_of_values_that_are_not_finite(node, tmp_path):
    table = tmp_path / "odd.csv"
    table.write_text("time,a,b\n1970-01-01T00:00:01Z,-inf,1\n1970-01-01T00:00:02Z,inf,2\n"
                     "1970-01-01T00:00:03Z,5,3\n")
    node.run("data", "import", "odd", "--input", table, "--nan", "value")
    node.run("dataset", "create", "odd", "--asset", "odd")
    shown = (node.run("data", "stats", "odd").stdout, node.run("dataset", "show", "odd").stdout)
    for text in shown:
        lines = text.splitlines()
        at = next(i for i, line in enumerate(lines) if "NON-FINITE" in line)
        column = lines[at].index("NON-FINITE")
        rows = {line.split()[0]: line[column:].split()[0] for line in lines[at + 1:at + 3]}
        assert rows == {"a": "2", "b": "0"}, text
    node.run("dataset", "rm", "odd")
    node.run("asset", "rm", "odd")


def test_predict_on_a_file_a_dataset_and_an_asset(node, tmp_path):
    file = tmp_path / "new.csv"
    file.write_text("time,x,level\n2025-02-01T00:00:00Z,1,low\n2025-02-01T00:00:01Z,50,high\n2025-02-01T00:00:02Z,50,low\n")
    done = node.run("predict", "limit", "--input", file, "--label-column", "level")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["class"] for row in rows] == ["low", "high", "high"]
    assert "accuracy" in done.stderr and "0.667" in done.stderr
    result = node.json("predict", "limit", "--input", file, "--label-column", "level", "--output", tmp_path / "p.jsonl",
                       "--format", "jsonl")
    assert result["predictions"] == 3 and abs(result["metrics"]["accuracy"] - 2 / 3) < 1e-9
    assert len((tmp_path / "p.jsonl").read_text().splitlines()) == 3
    assert node.json("predict", "limit", "--dataset", "seed")["metrics"]["accuracy"] == 1
    assert node.json("predict", "limit", "--asset", "seed", "--start", "2025-01-01T00:00:50Z")["windows"] == 10
    text = node.run("predict", "limit", "--dataset", "seed", "--output", tmp_path / "p.csv").stdout
    assert "CLASS" in text and "high" in text
    done = node.run("predict", "nope", "--dataset", "seed", check=False)
    assert done.returncode == 3 and "nope" in done.stderr


def test_predictions_have_no_two_columns_of_one_name(node, tmp_path):
    code = THRESHOLD.replace('"class": "high"', '"label": "high"').replace('"score": x', '"error": x, "asset": 1')
    node.run("workflow", "add", write_workflow(
        node.folder, "names", code, parameters=PARAMETERS, label={"name": "label", "classes": ["low", "high"]},
        outputs=[{"name": "label", "type": "string"}, {"name": "error", "type": "float64"}, {"name": "asset", "type": "int64"}]))
    node.run("train", "names", "--dataset", "seed", "--name", "names")
    node.run("predict", "names", "--dataset", "seed", "--output", tmp_path / "p.csv")
    header, first = (tmp_path / "p.csv").read_text().splitlines()[:2]
    assert header == "time,asset,label:string,error:float64,asset:int64,label,error"
    assert first == "2025-01-01T00:00:00Z,seed,low,0,1,low,"
    node.run("workflow", "rm", "names", check=False)


def test_a_backup_is_checked_and_restored(node, tmp_path):
    target = tmp_path / "backup"
    done = node.json("node", "backup", target)
    assert done["files"] > 3 and (target / "manifest.json").exists()
    assert node.run("node", "backup", target, check=False).returncode == 1
    assert "sound backup" in node.run("node", "restore", target, "--check").stdout
    assert node.run("node", "restore", target, check=False).returncode == 1, "the home is not empty"
    copy = [CTL, "--home", tmp_path / "copy"]
    subprocess.run([*copy, "node", "restore", target], check=True, capture_output=True)
    shown = subprocess.run([*copy, "--json", "dataset", "show", "seed"], check=True, capture_output=True)
    assert json.loads(shown.stdout)["digest"] == node.json("dataset", "show", "seed")["digest"]
    subprocess.run([*copy, "predict", "limit", "--dataset", "seed"], check=True, capture_output=True)
    (target / "manifest.json").unlink()
    done = node.run("node", "restore", target, "--check", check=False)
    assert done.returncode == 3 and "manifest.json" in done.stderr


def test_a_home_without_its_catalog_is_damaged_not_absent(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        node.run("data", "import", "a", "--input", "-", input="time,x\n1,1\n2,2\n")
        (node.home / "catalog.db").rename(node.home / "kept")
        for words in (["doctor"], ["data", "export", "a"], ["node", "init"], ["node", "serve"]):
            done = node.run(*words, check=False)
            assert done.returncode == 1 and "is missing, but its home is in use" in done.stderr, words
        assert "node restore" in node.run("doctor", check=False).stderr
        (node.home / "kept").rename(node.home / "catalog.db")
        assert len(node.run("data", "export", "a").stdout.splitlines()) == 3
        (node.home / "catalog.db").write_bytes(b"x" * 4096)
        done = node.run("doctor", check=False)
        assert done.returncode == 1 and "not a database" in done.stderr and "node restore" in done.stderr


def test_samples_that_cannot_be_read_say_where_to_look(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        rows = "".join(f"{1700000000000 + i},{(i * 7919 % 1009) / 7},{i}\n" for i in range(30000))
        node.run("data", "import", "a", "--input", "-", input="time,x,n\n" + rows)
        node.run("data", "compact")
        db = node.home / "data" / "telemetry.db"
        data = bytearray(db.read_bytes())
        for at in range(len(data) // 2, len(data) - 4096, 4096):
            data[at + 2048] ^= 1
        db.write_bytes(data)
        done = node.run("data", "export", "a", check=False)
        assert done.returncode == 1 and "is damaged" in done.stderr and "doctor --deep" in done.stderr
        done = node.run("doctor", "--deep", check=False)
        assert done.returncode == 1 and "asset 'a' channel" in done.stdout


def test_models_and_runs_are_shown(node):
    assert "limit" in node.run("model", "ls").stdout
    shown = node.json("model", "show", "limit")
    assert shown["workflow"]["name"] == "threshold" and shown["dataset"]["name"] == "seed"
    assert "model.pkl" in node.run("model", "show", "limit").stdout
    run = str(shown["run"])
    assert "hello from the workflow" in node.run("run", "log", run).stdout
    text = node.run("run", "show", run).stdout
    assert "succeeded" in text and "loss" in text
    assert node.run("run", "show", "999999", check=False).returncode == 3
    assert node.run("run", "log", "999999", check=False).returncode == 3
    assert node.run("model", "rm", "nope", check=False).returncode == 3


def test_drivers_and_doctor(node):
    assert "mqtt" in node.run("driver", "ls").stdout
    assert "url" in node.run("driver", "show", "mqtt").stdout
    assert node.run("driver", "show", "nope", check=False).returncode == 3
    done = node.run("doctor", check=False)
    assert "worker" in done.stdout
    assert done.returncode == (0 if node.json("doctor")["ok"] else 1)
    checks = {check["name"]: check for check in node.json("doctor", "--deep")["checks"]}
    assert checks["samples"]["state"] == "ok" and "datasets" in checks["samples"]["detail"]


def test_a_source_is_added_stopped_with_options_over_the_config(node):
    config = {"url": "mqtt://127.0.0.1:1", "topics": ["a/#"], "payload": {"asset": "{topic}", "time_unit": "ms"},
              "tls": {"verify": False}}
    node.run("source", "add", "typed", "--driver", "mqtt", "--config", json.dumps(config), "--topic", "b/+", "--topic", "c",
             "--asset", "{2}", "--user", "me", "--ca", "certs/ca.pem", "--url", "mqtts://127.0.0.1:2", "--qos", "0",
             "--no-start")
    shown = node.json("source", "show", "typed")
    config = shown["config"]
    assert config["url"] == "mqtts://127.0.0.1:2" and config["topics"] == ["b/+", "c"] and config["qos"] == 0
    assert config["payload"] == {"asset": "{2}", "time_unit": "ms"} and config["user"] == "me"
    assert config["tls"]["verify"] is False and config["tls"]["ca"] == os.path.join(os.getcwd(), "certs/ca.pem")
    assert "labels" not in config
    config = {"url": "mqtt://127.0.0.1:1", "labels": {"topics": ["a"], "asset": "{2}", "time_unit": "ms"}}
    node.run("source", "add", "said", "--driver", "mqtt", "--config", json.dumps(config), "--labels-topic", "mes/+",
             "--labels-asset", "line/{2}", "--no-start")
    config = node.json("source", "show", "said")["config"]
    assert config["labels"] == {"topics": ["mes/+"], "asset": "line/{2}", "time_unit": "ms"} and "topics" not in config
    node.run("source", "rm", "said")
    assert shown["enabled"] is False
    done = node.run("source", "add", "typed", "--driver", "mqtt", "--url", "x", "--topic", "y", check=False)
    assert done.returncode == 1 and "typed" in done.stderr
    done = node.run("source", "add", "bad", "--driver", "mqtt", "--config", '{"urll": "x"}', check=False)
    assert done.returncode == 2 and "urll" in done.stderr
    done = node.run("source", "add", "bad", "--driver", "nope", check=False)
    assert done.returncode == 3 and "nope" in done.stderr
    node.run("source", "rm", "typed")
    assert node.run("source", "show", "typed", check=False).returncode == 3


# -- failures --

FAILING = """
def train(dataset, params, run):
    run.log("before")
    if params.get("sleep"):
        import time
        time.sleep(60)
    raise ValueError("no luck")


def predict(model, window, params):
    return {}
"""
PICKY = """
def train(dataset, params, run):
    return {}


def predict(model, window, params):
    x = float(window.values[-1, 0])
    if x > 1:
        raise ValueError("too high")
    return {"y": x}
"""


def failure(node, *arguments, **options):
    """The error of a failing command as JSON tells it, and the exit code."""
    done = node.run("--json", *arguments, check=False, **options)
    assert done.returncode != 0 and done.stdout.count("\n") == 1, done
    error = json.loads(done.stdout)["error"]
    assert set(error) == {"code", "message", "hint"} and error["message"] in done.stderr
    return done.returncode, error


@pytest.mark.parametrize("arguments, noun", [
    (["model", "show", "nope"], "model"), (["predict", "nope", "--dataset", "seed"], "model"),
    (["dataset", "show", "nope"], "dataset"), (["train", "threshold", "--dataset", "nope"], "dataset"),
    (["train", "nope", "--dataset", "seed"], "workflow"), (["workflow", "show", "nope"], "workflow"),
    (["run", "show", "999999"], "run"), (["run", "log", "999999", "--output", "/nonexistent"], "run"),
    (["asset", "show", "nope"], "asset"), (["dataset", "create", "d", "--asset", "nope"], "asset"),
    (["source", "show", "nope"], "source"), (["source", "start", "nope"], "source"),
    (["deployment", "show", "nope"], "deployment"), (["driver", "show", "nope"], "driver"),
    (["source", "add", "s", "--driver", "nope"], "driver")])
def test_what_is_not_found_is_told_with_where_to_look(node, tmp_path, arguments, noun):
    code, error = failure(node, *[tmp_path / "log" if a == "/nonexistent" else a for a in arguments])
    assert (code, error["code"], error["hint"]) == (3, "EDGEOPS_E_NOTFOUND", f"see 'edgeopsctl {noun} ls'")
    assert " ls" not in error["message"]


def test_a_deployment_called_by_its_asset_is_suggested_with_dots(node):
    code, error = failure(node, "deployment", "show", "limit-line/2")
    assert code == 3 and "'limit-line.2'" in error["hint"]


def test_exit_codes_tell_wrong_arguments_from_wrong_files(node, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("time,x\nnonsense,1\n")
    for arguments in (["data", "import", "bad", bad], ["label", "import", bad], ["predict", "limit", "--input", bad]):
        code, error = failure(node, *arguments)
        assert (code, error["code"]) == (1, "EDGEOPS_E_INVALID"), arguments
    (tmp_path / "workflow.json").write_text("{}")
    for verb in ("check", "add"):
        assert failure(node, "workflow", verb, tmp_path)[0] == 1
    for arguments in (["deploy", "limit", "--asset", "seed", "--qos", "7"], ["deploy", "limit", "--asset", "//"],
                      ["dataset", "create", "No Name", "--asset", "seed"], ["run", "ls", "--limit", "-1"]):
        code, error = failure(node, *arguments)
        assert (code, error["code"]) == (2, "EDGEOPS_E_INVALID"), arguments
    assert failure(node, "run", "cancel", "1") == (1, failure(node, "run", "cancel", "1")[1])
    code, error = failure(node, "node", "stop")
    assert code == 3 and "no daemon" in error["message"]
    assert failure(node, "dataset", "create", "seed", "--asset", "seed")[0] == 1


def test_a_failing_training_names_its_run_and_the_limit_that_was_passed(node):
    node.run("workflow", "add", write_workflow(node.folder, "failing", FAILING, limits={"train_timeout": "1s"},
                                               parameters=[{"name": "sleep", "type": "boolean", "default": False}]))
    code, error = failure(node, "train", "failing", "--dataset", "seed")
    run = node.json("run", "ls", "--limit", "1")["items"][0]["id"]
    assert (code, error["code"], error["hint"]) == (1, "EDGEOPS_E_WORKER", f"the whole log: edgeopsctl run log {run}")
    assert "no luck" in error["message"] and "before" in node.run("run", "log", run).stdout
    code, error = failure(node, "train", "failing", "--dataset", "seed", "--param", "sleep=true")
    assert code == 4 and "limits.train_timeout" in error["hint"] and f"run log {run + 1}" in error["hint"]
    text = node.run("train", "failing", "--dataset", "seed", check=False).stderr
    assert f"the whole log: edgeopsctl run log {run + 2}" in text


def test_predictions_that_fail_are_told_and_none_that_succeeds_is_a_failure(node, tmp_path):
    node.run("workflow", "add", write_workflow(node.folder, "picky", PICKY))
    node.run("train", "picky", "--dataset", "seed", "--name", "picky")
    done = node.run("predict", "picky", "--dataset", "seed")
    assert "58 of 60 predictions failed" in done.stderr and "too high" in done.stderr
    code, error = failure(node, "predict", "picky", "--asset", "seed", "--start", "2025-01-01T00:00:30Z")
    assert code == 1 and "too high" in error["message"]


def test_an_output_file_is_there_whole_or_as_it_was(node, tmp_path):
    target, link = tmp_path / "out.csv", tmp_path / "link.csv"
    target.write_text("mine")
    target.chmod(0o600)
    link.symlink_to(target)
    for arguments in (["data", "export", "nope"], ["predict", "nope", "--dataset", "seed"], ["run", "log", "999999"],
                      ["dataset", "export", "nope"]):
        assert node.run(*arguments, "--output", target, check=False).returncode == 3
        assert target.read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == [link, target]
    node.run("data", "export", "seed", "--output", link)
    assert link.is_symlink() and target.read_text().startswith("time,x") and target.stat().st_mode & 0o777 == 0o600
    assert sorted(tmp_path.iterdir()) == [link, target]
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE, text=True)
    node.run("data", "export", "seed", "--output", tmp_path / "pipe")
    assert reader.communicate(timeout=20)[0] == target.read_text()
    done = node.run("data", "export", "seed", "--output", tmp_path / "none/out.csv", check=False)
    assert done.returncode == 3 and "none/out.csv" in done.stderr


def test_without_a_daemon_it_is_said_what_does_not_run(node):
    assert "no daemon: sources and deployments do not run" in node.run("node", "status").stdout
    added = node.run("source", "add", "later", "--driver", "mqtt", "--url", "mqtt://127.0.0.1:1", "--topic", "a").stdout
    assert "node serve" in added
    started = node.run("source", "start", "later").stdout
    assert "node serve" in started and "started source" not in started
    deployed = node.run("deploy", "limit", "--asset", "Line/2").stdout
    assert "node serve" in deployed and "limit-line.2" in deployed
    shown = node.run("deployment", "show", "limit-line.2").stdout
    lines = dict(line.split("  ", 1) for line in shown.splitlines() if "  " in line)
    assert lines["latency p50"].strip() == "-" and lines["lag"].strip() == "0 samples"
    assert "0 samples" in node.run("deployment", "ls").stdout
    node.run("deployment", "rm", "limit-line.2")
    node.run("source", "rm", "later")
    node.run("deploy", "limit", "--asset", "Line/2", "--name", "silent")
    assert "not published" in node.run("deployment", "show", "silent").stdout
    node.run("deployment", "rm", "silent")


def test_many_metrics_are_few_lines(node):
    done = node.run("train", "threshold", "--dataset", "seed", "--param", "steps=500", "--name", "many")
    lines = [line for line in done.stderr.splitlines() if "loss" in line]
    assert 2 <= len(lines) <= 15 and "loss = 0.002 (step 499)" in lines[-1], done.stderr
    shown = node.run("run", "show", node.json("model", "show", "many")["run"]).stdout
    assert "metrics (the last 20 of 500):" in shown and shown.count("loss") <= 22
    node.run("model", "rm", "many")


# -- simulations without a broker --

def test_simulations_repeat_and_follow_their_options(node, tmp_path):
    for kind, columns in (("pcb", 16), ("imu", 12)):
        first = node.run("simulate", kind, "--count", "50", "--labels", tmp_path / "a.csv").stdout
        assert first == node.run("simulate", kind, "--count", "50").stdout
        assert first != node.run("simulate", kind, "--count", "50", "--seed", "2").stdout
        rows = list(csv.DictReader(io.StringIO(first)))
        assert len(rows) == 50 and len(rows[0]) == columns + 2
        assert rows[0]["time"] == "2026-01-01T00:00:00Z"
    lines = node.run("simulate", "imu", "--count", "3", "--format", "jsonl", "--asset", "worker/7", "--rate", "100",
                     "--start", "2026-05-01T06:00:00+02:00").stdout.splitlines()
    samples = [json.loads(line) for line in lines]
    assert samples[0]["asset"] == "worker/7" and samples[1]["time"] == "2026-05-01T04:00:00.010Z"
    assert len(samples[0]) == 14


def test_a_simulation_can_be_imported_labelled_and_frozen(node, tmp_path):
    labels, data = tmp_path / "labels.csv", tmp_path / "pcb.csv"
    data.write_text(node.run("simulate", "pcb", "--count", "3000", "--asset", "spi", "--labels", labels).stdout)
    assert node.json("data", "import", "{asset}", data)["appended"] == 3000
    given = node.json("label", "import", labels)["labels"]
    assert 2000 < given < 3000
    dataset = node.json("dataset", "create", "spi", "--asset", "spi", "--labelled-only")
    assert dataset["rows"] == given


def test_replay_fills_templates_filters_and_labels(node, tmp_path):
    file, labels = tmp_path / "r.csv", tmp_path / "l.csv"
    file.write_text("who,ms,x,note,label,split\n"
                    "a,1657533977810,1,\"say \"\"hi\"\", twice\",UP,train\n"
                    "a,1657533977829,.5,,UP,train\n"
                    "a,1657533977829,2,,DOWN,train\n"
                    "b,1657533977848,3,,UP,test\n"
                    "a,1657533977867,4,,,train\n")
    out = node.run("simulate", "replay", file, "--asset", "watch/{who}", "--time-column", "ms", "--skip-column", "split",
                   "--where", "split=train", "--label-column", "label", "--labels", labels).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows[0] == {"asset": "watch/a", "time": 1657533977810, "x": 1, "note": 'say "hi", twice'}
    assert rows[1]["x"] == 0.5 and "note" not in rows[1]
    assert rows[2]["seq"] == 1 and "seq" not in rows[3] and len(rows) == 4
    given = list(csv.DictReader(labels.open()))
    assert [(label["asset"], label["label"]) for label in given] == [("watch/a", "UP"), ("watch/a", "DOWN")]
    assert given[0]["start"] == "2022-07-11T10:06:17.810Z" and given[0]["end"] == "2022-07-11T10:06:17.829000001Z"


@pytest.mark.parametrize("text, word", [
    (b"", "header"), (b"a,b\n1\n", "line 2"), (b'a,b\n"1,2\n', "quotes"), (b'a,b\n"1"x,2\n', "quote"),
    (b"a,b\n1,\x002\n", "NUL"), (b"\x1f\x8bnot gzip", "gzip"),
])
def test_replay_tells_broken_files(node, tmp_path, text, word):
    file = tmp_path / "broken.csv"
    file.write_bytes(text)
    done = node.run("simulate", "replay", file, check=False)
    assert done.returncode == 1 and word in done.stderr and "broken.csv" in done.stderr, done.stderr


def test_replay_reads_gzip_quotes_over_lines_and_crlf(node, tmp_path):
    file = tmp_path / "r.csv"
    file.write_bytes('\ufefftime,x,text\r\n1,2,"two\r\nlines"\r\n\r\n3,4,é'.encode())
    subprocess.run(["gzip", file], check=True)
    rows = [json.loads(line) for line in node.run("simulate", "replay", f"{file}.gz").stdout.splitlines()]
    assert rows == [{"time": 1, "x": 2, "text": "two\r\nlines"}, {"time": 3, "x": 4, "text": "é"}]
    done = node.run("simulate", "replay", f"{file}.gz", "--topic", "a/{nobody}", check=False)
    assert done.returncode == 2 and "'nobody'" in done.stderr and "time, x, text" in done.stderr


def test_replay_refuses_columns_that_are_not_there_and_takes_those_that_are(node, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("time,a,b,seq\n1,12345678901234567,x,7\n1,0.10,,8\n")
    rows = node.run("simulate", "replay", file, "--column", "a", "--column", "seq").stdout.splitlines()
    assert rows == ['{"time":1,"a":12345678901234567,"seq":7}', '{"time":1,"a":0.10,"seq":8}']  # as written
    rows = node.run("simulate", "replay", file, "--topic", "x/{b}", "--skip-column", "seq", "--count", "1").stdout.splitlines()
    assert [json.loads(row) for row in rows] == [{"asset": "x/x", "time": 1, "a": 12345678901234567}]
    done = node.run("simulate", "replay", file, "--topic", "x/{b}", check=False)
    assert done.returncode == 1 and "line 3" in done.stderr and "column 'b'" in done.stderr
    for option in ("--column", "--skip-column", "--time-column", "--label-column", "--asset-column"):
        done = node.run("simulate", "replay", file, option, "nobody", check=False)
        assert done.returncode == 2 and "'nobody'" in done.stderr and "time, a, b, seq" in done.stderr, (option, done.stderr)
    done = node.run("simulate", "replay", file, "--where", "nobody=1", check=False)
    assert done.returncode == 2 and "'nobody'" in done.stderr


def test_replay_of_a_pipe_ends_with_the_last_row_that_is_wanted(node):
    process = subprocess.Popen([CTL, "simulate", "replay", "-", "--count", "2"], env=node.environment(), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    process.stdin.write("time,x\n1,1\n2,2\n3,3\n")
    process.stdin.flush()
    rows = [json.loads(process.stdout.readline()) for _ in range(2)]  # before the pipe is at its end
    assert rows == [{"time": 1, "x": 1}, {"time": 2, "x": 2}]
    assert process.wait(timeout=20) == 0
    process.stdin.close()
    process.stdout.close()


def test_replay_leaves_long_pauses_out_and_keeps_the_others(node, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("time,x\n0,1\n0.3,2\n86400,3\n86400.3,4\n")
    begun = time.monotonic()
    assert len(node.run("simulate", "replay", file, "--speed", "1").stdout.splitlines()) == 4
    assert 0.6 <= time.monotonic() - begun < 20


def test_speed_and_interrupt_of_a_simulation(node):
    begun = time.monotonic()
    node.run("simulate", "imu", "--count", "26", "--speed", "1")  # 25 steps of 20 ms
    assert time.monotonic() - begun >= 0.5
    process = subprocess.Popen([CTL, "simulate", "pcb", "--speed", "1"], env=node.environment(), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 0 and errors == ""


def test_a_broker_that_is_not_there_exits_with_4(node):
    begun = time.monotonic()
    done = node.run("simulate", "pcb", "--count", "1", "--broker", "mqtt://127.0.0.1:1", "--wait", "500ms", check=False)
    assert done.returncode == 4 and "127.0.0.1:1" in done.stderr and "broker" in done.stderr
    assert time.monotonic() - begun < 10
    done = node.run("source", "test", "--driver", "mqtt", "--url", "mqtt://127.0.0.1:1", "--topic", "x", "--seconds", "1",
                    check=False)
    assert done.returncode == 1 and "127.0.0.1" in done.stdout + done.stderr


def test_a_dataset_is_not_rounded_into_arrays(node, tmp_path):
    rows = "time,u,s,v\n2024-01-01T00:00:00Z,9007199254740993,a,1\n2024-01-01T00:00:01Z,3,b,2\n"
    node.run("data", "import", "wide", "-", "--column", "u=uint64", input=rows)
    for channel, said in (("u", "beyond 2^53"), ("s", "is not a number"), ("v", None)):
        node.run("dataset", "create", f"of-{channel}", "--asset", "wide", "--channel", channel)
        done = node.run("dataset", "export", f"of-{channel}", "--output", tmp_path / f"{channel}.npz", check=False)
        assert (done.returncode == 0) == (said is None) and (said is None or said in done.stderr), done.stderr
        assert (tmp_path / f"{channel}.npz").exists() == (said is None)
