# SPDX-License-Identifier: Apache-2.0
"""Parquet and Arrow through the program, with pyarrow in an environment of its own: EDGEOPS_PYTHON, or BUILD/pyarrow, which is
made where CI=true."""
import json
import os
import subprocess
import sys

import pytest

from harness import BUILD, Node

MAKE = """
import datetime, decimal, sys
import pyarrow as pa, pyarrow.parquet as pq
at = [1_700_000_000_123_456_789 + i * 1000 for i in range(3)]
table = pa.table({
    "time": pa.array(at, pa.timestamp("ns", "Europe/Vienna")),
    "x": pa.array([1.5, None, float("nan")]), "f": pa.array([0.1, -0.0, float("-inf")], pa.float32()),
    "i": pa.array([2**53 + 1, None, -5]), "u": pa.array([2**64 - 1, 0, 1], pa.uint64()), "b": pa.array([True, None, False]),
    "s": pa.array(['a,b"q\\n', "", None]), "digits": pa.array(["007", "NA", "1"]), "word": pa.array(["k", "m", "k"]).dictionary_encode(),
    "dec": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("2.50")]), "day": pa.array([datetime.date(2024, 1, 1)] * 3),
    "when": pa.array([1, 2, None], pa.timestamp("us")), "lasts": pa.array([1, 2, 3], pa.duration("ms")),
    "block": pa.array([[1.0, 2.5], [float("nan"), 3], None]), "pair": pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int16(), 2)),
    "in": pa.array([{"a": 1, "b": "x"}, None, {"a": 3, "b": "z"}]), "half": pa.array([1.5, 2, None], pa.float16()), "none": pa.nulls(3),
    "x:float32": pa.array([1.0, 2.0, 3.0]), "blob": pa.array([b"1", b"2", b"3"]),
})
table = table.cast(pa.schema([f.with_metadata({"unit": "degC"}) if f.name == "x" else f for f in table.schema]))
folder = sys.argv[1]
pq.write_table(table, folder + "/a.parquet")
with pa.ipc.new_file(folder + "/a.arrow", table.schema) as out:
    out.write_table(table)
with pa.ipc.new_stream(folder + "/a.ipc", table.schema) as out:
    out.write_table(table)
pq.write_table(pa.table({"stamp": pa.array([1, 2], pa.timestamp("s")), "v": [1, 2]}), folder + "/naive.parquet")
pq.write_table(pa.table({"time": pa.array(range(300_000)), "v": pa.array([float(i) for i in range(300_000)])}), folder + "/long.parquet")
"""
TYPES = {"x": "float64", "f": "float32", "i": "int64", "u": "uint64", "b": "bool", "s": "string", "digits": "string",
         "word": "string", "dec": "float64", "day": "string", "when": "int64", "lasts": "int64", "block": "float64[2]",
         "pair": "int16[2]", "in.a": "int64", "in.b": "string", "half": "float32", "x:float32": "float64"}


@pytest.fixture(scope="module")
def python():
    given, made = os.environ.get("EDGEOPS_PYTHON"), BUILD / "pyarrow"
    if not given and not made.exists():
        if os.environ.get("CI") != "true":
            pytest.skip(f"pyarrow is not there: /usr/bin/python3 -m venv {made} && {made}/bin/pip install pyarrow")
        subprocess.run(["/usr/bin/python3", "-m", "venv", made], check=True)
        subprocess.run([made / "bin/pip", "install", "-q", "pyarrow"], check=True)
    return given or str(made / "bin/python3")


@pytest.fixture
def node(tmp_path, python, monkeypatch):
    monkeypatch.setenv("EDGEOPS_PYTHON", python)
    subprocess.run([python, "-c", MAKE, str(tmp_path)], check=True)
    with Node(tmp_path) as node:
        node.run("node", "init", "-q")
        yield node


def rows_of(node, asset):
    answer = node.json("data", "head", asset)
    return [dict(zip(answer["columns"], row)) for row in answer["rows"]]


@pytest.mark.parametrize("served", [False, True])
@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.ipc"])
def test_a_file_comes_in_as_it_is(node, tmp_path, name, served):
    if served:
        node.serve()
    answer = node.json("data", "import", "a", tmp_path / name, "--skip-column", "blob")
    assert answer["appended"] == 3
    assert any("decimal" in note for note in answer["notes"]) and any("'none'" in note for note in answer["notes"])
    channels = {c["name"]: c for c in node.json("asset", "show", "a")["channels"]}
    assert {name: c["type"] for name, c in channels.items()} == TYPES
    assert (channels["x"]["unit"], channels["when"]["unit"], channels["i"]["unit"]) == ("degC", "ns", "")
    first, second, third = rows_of(node, "a")
    assert first["time"] == "2023-11-14T22:13:20.123456789Z"
    assert (first["x"], second["x"], third["x"]) == (1.5, None, "NaN")
    assert (first["i"], second["i"], first["u"]) == ("9007199254740993", None, "18446744073709551615")
    assert (first["s"], second["s"], third["s"]) == ('a,b"q\n', "", None)
    assert [r["digits"] for r in (first, second, third)] == ["007", "NA", "1"]
    assert (first["block"], third["block"], third["pair"]) == ([1, 2.5], None, [5, 6])
    assert (second["in.a"], second["half"], third["f"], first["lasts"]) == (None, 2, "-Infinity", 1000000)


@pytest.mark.parametrize("served", [False, True])
@pytest.mark.parametrize("name", ["out.parquet", "out.arrow", "out.feather"])
def test_an_export_comes_back_as_it_was(node, tmp_path, name, served):
    node.run("data", "import", "a", tmp_path / "a.parquet", "--skip-column", "blob")
    odd = ('{"time":5,"seq":7,"label:string":"no","time:float64":4.5,"seq:int64":9,"q":1,"q:quality":192}\n'
           '{"time":5,"seq":8,"label:string":null,"time:float64":null,"seq:int64":-9,"q":2,"q:quality":null}\n')
    node.run("data", "import", "odd", "-", "--format", "jsonl", input=odd)
    node.run("label", "add", "a", "good", "--start", "2023-11-14T22:13:20.123457Z", "--end", "2023-11-15T00:00:00Z")
    if served:
        node.serve()
    for asset in ("a", "odd"):
        done = node.json("data", "export", asset, "--labels", "-o", tmp_path / name)
        assert done["rows"] == (3 if asset == "a" else 2)
        back = node.json("data", "import", f"{asset}-back", tmp_path / name, "--label-column", "label")
        assert back["labels"] == (1 if asset == "a" else 0), back
        assert node.run("data", "export", asset).stdout == node.run("data", "export", f"{asset}-back").stdout
        channels = [node.json("asset", "show", of)["channels"] for of in (asset, f"{asset}-back")]
        assert channels[0] == channels[1]


@pytest.mark.parametrize("name", ["d.parquet", "d.arrow"])
def test_a_dataset_comes_back_as_it_was(node, tmp_path, name):
    for asset in ("a", "b"):
        node.run("data", "import", asset, tmp_path / "a.parquet", "--skip-column", "blob")
    node.run("label", "add", "a", "good", "--start", "2023-11-14T22:13:20.123457Z", "--end", "2023-11-15T00:00:00Z")
    node.run("dataset", "create", "d", "--asset", "a", "--asset", "b")
    assert node.json("dataset", "export", "d", "-o", tmp_path / name)["rows"] == 6
    back = node.json("data", "import", "back/{asset}", tmp_path / name, "--label-column", "label")
    assert (back["appended"], back["labels"], back["assets"]) == (6, 1, ["back/a", "back/b"])
    for asset in ("a", "b"):
        whole = [node.run("data", "export", of, "--format", "jsonl", "--seq").stdout for of in (asset, f"back/{asset}")]
        assert [sorted(json.loads(line).items(), key=str) for line in whole[0].splitlines()] == \
            [sorted(json.loads(line).items(), key=str) for line in whole[1].splitlines()]
    done = node.run("dataset", "export", "nobody", "-o", tmp_path / f"no-{name}", check=False)
    assert done.returncode == 3 and not (tmp_path / f"no-{name}").exists()
    done = node.run("dataset", "export", "d", "--gzip", "-o", tmp_path / f"no-{name}", check=False)
    assert done.returncode == 2 and "gzip" in done.stderr


def test_an_export_without_rows_and_one_that_cannot_be_written(node, tmp_path):
    node.run("data", "import", "a", tmp_path / "naive.parquet")
    node.run("data", "export", "a", "--start", "2030-01-01T00:00:00Z", "-o", tmp_path / "none.parquet")
    assert node.json("data", "import", "b", tmp_path / "none.parquet")["rows"] == 0
    done = node.run("data", "export", "a", "--gzip", "-o", tmp_path / "x.parquet", check=False)
    assert done.returncode == 2 and "gzip" in done.stderr and not (tmp_path / "x.parquet").exists()
    done = node.run("data", "export", "nobody", "-o", tmp_path / "x.parquet", check=False)
    assert done.returncode == 3 and not (tmp_path / "x.parquet").exists()


def test_what_no_channel_holds_is_named(node, tmp_path):
    done = node.run("data", "import", "a", tmp_path / "a.parquet", check=False)
    assert done.returncode == 1 and "'blob' is binary" in done.stderr and "--skip-column" in done.stderr
    assert node.json("asset", "ls")["items"] == []


def test_the_time_is_found_and_has_a_zone(node, tmp_path):
    answer = node.json("data", "import", "a", tmp_path / "naive.parquet", "--time-zone", "+02:00")
    assert answer["first"] == "1969-12-31T22:00:01Z" and any("'stamp'" in note for note in answer["notes"])
    answer = node.json("data", "import", "b", tmp_path / "naive.parquet")
    assert answer["first"] == "1970-01-01T00:00:01Z"


def test_damage_is_told(node, tmp_path):
    whole = (tmp_path / "long.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:5000])
    (tmp_path / "no.parquet").write_bytes(b"time,x\n1,2\n")
    middle = len(whole) // 2
    (tmp_path / "bad.parquet").write_bytes(whole[:middle] + bytes(64) + whole[middle + 64:])
    for name in ("cut.parquet", "no.parquet"):
        done = node.run("data", "import", "a", tmp_path / name, check=False)
        assert done.returncode == 1 and name in done.stderr and "no row was stored" in done.stderr, done
    done = node.run("data", "import", "a", tmp_path / "bad.parquet", "--time-unit", "ms", check=False)
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr  # a page without a checksum may be read


NULLS = """
import sys
import pyarrow as pa, pyarrow.parquet as pq
folder = sys.argv[1]
pq.write_table(pa.table({"v": pa.array([1.0, None, 3.0, None])}), folder + "/one.parquet")
pq.write_table(pa.table({"v": pa.array([1.0, None, 3.0]), "w": pa.array([None, None, 5])}), folder + "/two.parquet")
pq.write_table(pa.table({"time": pa.array([1, None, 3, None]), "v": pa.array([1.0, None, 3.0, None])}), folder + "/timed.parquet")
"""


def test_rows_of_nulls_keep_their_place_and_are_counted(node, tmp_path, python):
    """One column of nulls is a CSV of empty lines, which are no rows: the times of all others would be wrong."""
    subprocess.run([python, "-c", NULLS, str(tmp_path)], check=True)
    for name, nulls in (("one", 2), ("two", 1)):
        answer = node.json("data", "import", name, tmp_path / f"{name}.parquet", "--start", "2026-01-01T00:00:00Z", "--period", "1s")
        assert any("without a value" in note and note.endswith(f": {nulls}") for note in answer["notes"]), answer
        rows = rows_of(node, name)
        assert [(row["time"][17:19], row["v"]) for row in rows] == [("00", 1), ("02", 3)]
        assert set(rows[0]) == {"time", *(("v", "w") if name == "two" else ("v",))}
    answer = node.json("data", "import", "timed", tmp_path / "timed.parquet", "--time-unit", "s")
    assert answer["rows"] == 2 and any("left out" in note and note.endswith(": 2") for note in answer["notes"]), answer


def test_options_of_texts_are_refused(node, tmp_path):
    done = node.run("data", "import", "a", tmp_path / "naive.parquet", "--separator", ";", check=False)
    assert done.returncode == 2 and "separator" in done.stderr


def test_a_bad_row_is_left_out_and_a_dry_run_stores_nothing(node, tmp_path):
    answer = node.json("data", "import", "a", tmp_path / "long.parquet", "--time-unit", "ms", "--dry-run", "--column", "v=int8",
                       "--bad-rows", "skip")
    assert answer["rows"] == 128 and answer["skipped"] == 300_000 - 128
    assert node.json("asset", "ls")["items"] == []


def test_a_pipe_is_read_too(node, tmp_path):
    with open(tmp_path / "long.parquet", "rb") as file:
        data = file.read()
    for format in ("parquet",):
        done = subprocess.run([os.fspath(BUILD / "cli/edgeopsctl"), "--json", "data", "import", "a", "-", "--format", format,
                               "--time-unit", "ms"], env=node.environment(), input=data, capture_output=True, timeout=120)
        assert done.returncode == 0 and json.loads(done.stdout)["appended"] == 300_000, done


def test_without_pyarrow_the_way_is_told(node, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEOPS_PYTHON", sys.executable if "pyarrow" not in sys.modules else "/usr/bin/python3")
    try:
        import pyarrow  # noqa: F401
        pytest.skip("this interpreter has pyarrow")
    except ImportError:
        pass
    node.run("data", "import", "a", "-", input="time,x\n1,2\n")
    for arguments in (["import", "a", tmp_path / "naive.parquet"], ["export", "a", "-o", tmp_path / "out.parquet"]):
        done = node.run("data", *arguments, check=False)
        assert done.returncode == 1 and "pip install pyarrow" in done.stderr and "EDGEOPS_PYTHON" in done.stderr
    assert not (tmp_path / "out.parquet").exists()
    monkeypatch.setenv("EDGEOPS_PYTHON", "/no/such/python")
    done = node.run("data", "import", "a", tmp_path / "naive.parquet", check=False)
    assert done.returncode != 0 and "/no/such/python" in done.stderr
