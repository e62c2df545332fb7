# SPDX-License-Identifier: Apache-2.0
"""data import as a user sees it: its options, what it answers, what it refuses, and pipes between two commands."""
import csv
import json
import os
import re
import signal
import struct
import subprocess
import time
import zipfile

import pytest

from harness import CTL, Node

HEAD = "time,temp,state\n"


def row(second, temp, state="on"):
    return f"2026-02-01T00:{second // 60:02d}:{second % 60:02d}Z,{temp},{state}\n"


@pytest.fixture
def node(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init", "-q")
        yield node


def count(node, asset):
    return node.json("asset", "show", asset)["rows"]


@pytest.mark.parametrize("options", [
    ["--separator", "xyz"], ["--separator", ""], ["--quote", "''"], ["--comment", "##"], ["--decimal", "x"], ["--batch", "0"],
    ["--start", "2026-01-01T00:00:00Z", "--time-column", "t"], ["--period", "1s"], ["--channel-column", "c"],
    ["--time-format", "%Y", "--time-unit", "s"], ["--column-pattern", "{asset}"], ["--column", "x=float31"],
    ["--time-column", "a", "--time-column", "b", "--time-column", "c"], ["--bad-rows", "error", "--bad-rows-file", "bad.csv"],
    ["--bad-rows-file", "-"], ["--skip-rows", "-1"], ["--on-conflict", "merge"],
])
def test_options_that_cannot_be_are_wrong_usage(node, tmp_path, options):
    table = tmp_path / "a.csv"
    table.write_text(HEAD + row(1, 20))
    done = node.run("data", "import", "a", table, *options, check=False)
    assert done.returncode == 2, done
    assert node.json("asset", "ls")["items"] == []


def test_what_may_separate_is_readable(node, tmp_path):
    """A tab that is made harmless looks like a blank."""
    done = node.run("data", "import", "a", "-", "--separator", "abc", input=HEAD, check=False)
    assert "tab" in done.stderr and "' '" not in done.stderr and "\t" not in done.stderr


@pytest.mark.parametrize("name, separator", [("a.tsv", "\t"), ("a.TAB", "\t"), ("a.txt", ","), ("A.CSV", ","), ("plain", ",")])
def test_the_ending_says_the_format(node, tmp_path, name, separator):
    table = tmp_path / name
    table.write_text((HEAD + row(1, 20)).replace(",", separator))
    done = node.run("data", "import", "a", table)
    assert ("--format says otherwise" in done.stderr) == (name == "plain")
    assert node.json("data", "head", "a")["columns"] == ["time", "temp", "state"]


def test_an_ending_that_says_nothing_is_refused_both_ways(node, tmp_path):
    table = tmp_path / "a.xlsx"
    table.write_text(HEAD + row(1, 20))
    done = node.run("data", "import", "a", table, check=False)
    assert done.returncode == 2 and "--format" in done.stderr and ".jsonl" in done.stderr
    node.run("data", "import", "a", table, "--format", "csv")
    for name in ("out.xlsx", "out.csv.bz2", "out.json"):
        done = node.run("data", "export", "a", "-o", tmp_path / name, check=False)
        assert done.returncode == 2 and ".npz" in done.stderr and not (tmp_path / name).exists()
    node.run("dataset", "create", "d", "--asset", "a")
    done = node.run("dataset", "export", "d", "-o", tmp_path / "out.jsonl.bz2", check=False)
    assert done.returncode == 2 and ".csv" in done.stderr and not (tmp_path / "out.jsonl.bz2").exists()


def test_a_unit_may_come_without_a_type(node):
    node.run("data", "import", "a", "-", "--column", "temp=:degC", input=HEAD + row(1, 20.5))
    shown = {c["name"]: (c["type"], c["unit"]) for c in node.json("asset", "show", "a")["channels"]}
    assert shown["temp"] == ("float64", "degC")


def test_rows_before_a_bad_one_are_stored_and_counted(node, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text(HEAD + "".join(row(i, i) for i in range(7)) + row(8, "hot") + row(9, 9))
    done = node.run("data", "import", "a", table, "--column", "temp=float64", check=False)
    assert done.returncode == 1 and "a.csv:9" in done.stderr and "7 rows before it are stored" in done.stderr
    assert count(node, "a") == 7


def test_other_values_of_a_time_are_told_and_fail(node, tmp_path):
    node.run("data", "import", "a", "-", input=HEAD + row(1, 20) + row(2, 21))
    again = HEAD + row(1, 20) + row(2, 99) + row(3, 22)
    done = node.run("data", "import", "a", "-", input=again, check=False)
    assert done.returncode == 1
    assert "2026-02-01T00:00:02Z" in done.stderr and "'temp'" in done.stderr and "stored 21, new 99" in done.stderr
    assert count(node, "a") == 3, "all others are stored"
    done = node.run("--json", "data", "import", "a", "-", input=again, check=False)
    answer = json.loads(done.stdout)
    assert done.returncode == 1 and answer["conflicts"] == 1 and len(answer["warnings"]) == 1
    first = answer["conflicting"][0]
    assert (first["stored"], first["new"], first["channel"], first["line"]) == (21, 99, "temp", 3)
    assert node.run("data", "import", "a", "-", "--on-conflict", "keep", input=again).returncode == 0


def test_a_conflict_of_quality_codes_shows_them(node):
    head = "time,temp,temp:quality\n"
    node.run("data", "import", "a", "-", input=head + "2026-02-01T00:00:01Z,20,192\n2026-02-01T00:00:02Z,21,\n")
    again = head + "2026-02-01T00:00:01Z,20,0\n2026-02-01T00:00:02Z,21,64\n"
    done = node.run("data", "import", "a", "-", input=again, check=False)
    assert done.returncode == 1
    assert "stored 20 (quality code 192), new 20 (quality code 0)" in done.stderr
    assert "NEW QUALITY" in done.stdout
    answer = json.loads(node.run("--json", "data", "import", "a", "-", input=again, check=False).stdout)
    assert [(c.get("stored_quality"), c.get("new_quality")) for c in answer["conflicting"]] == [(192, 0), (None, 64)]


def test_conflicts_are_shown_up_to_ten(node):
    node.run("data", "import", "a", "-", input=HEAD + "".join(row(i, 1) for i in range(50)))
    done = node.run("--json", "data", "import", "a", "-", "--batch", "7", input=HEAD + "".join(row(i, 2) for i in range(50)),
                    check=False)
    answer = json.loads(done.stdout)
    assert answer["conflicts"] == 50 and len(answer["conflicting"]) == 10


def values_at(node, asset):
    exported = [json.loads(line) for line in node.run("data", "export", asset, "--format", "jsonl", "--seq").stdout.splitlines()]
    return {(r["time"][17:19], r.get("seq", 0)): {k: v for k, v in r.items() if k not in ("time", "seq") and v is not None} for r in exported}


@pytest.mark.parametrize("packed", ["csv", "jsonl", "npz"])
@pytest.mark.parametrize("batch", [1, 2, 3, 1000])
def test_rows_in_conflict_take_the_next_seq_of_their_time(node, tmp_path, packed, batch):
    node.run("data", "import", "a", "-", input=HEAD + row(1, 10) + row(2, 20) + row(2, 21) + row(3, 30))
    node.run("data", "import", "b", "-", input=HEAD + row(1, 11) + row(2, 20) + row(2, 29) + row(2, 29) + row(3, 30) + row(4, 40))
    table = tmp_path / f"b.{packed}"
    node.run("data", "export", "b", "--output", table)
    if packed == "csv":  # without numbers of its own
        table.write_text(HEAD + row(1, 11) + row(2, 20) + row(2, 29) + row(2, 29) + row(3, 30) + row(4, 40))
    answer = node.json("data", "import", "a", table, "--on-conflict", "seq", "--batch", str(batch))
    assert (answer["appended"], answer["duplicates"], answer["conflicts"], answer["renumbered"]) == (4, 2, 0, 3)
    on = {"state": "on"}
    wanted = {("01", 0): 10, ("01", 1): 11, ("02", 0): 20, ("02", 1): 21, ("02", 2): 29, ("02", 3): 29, ("03", 0): 30, ("04", 0): 40}
    assert values_at(node, "a") == {key: {"temp": temp, **on} for key, temp in wanted.items()}
    for batch in "2", "1000":
        answer = node.json("data", "import", "a", table, "--on-conflict", "seq", "--batch", batch)
        assert (answer["appended"], answer["duplicates"], answer["renumbered"]) == (0, 6, 3), "the same again changes nothing"
    assert len(values_at(node, "a")) == 8


def test_one_file_a_sensor_makes_whole_rows(node, tmp_path):
    at = "2026-02-01T00:00:0{}Z".format
    node.run("data", "import", "a", "-", input="time,temp\n" + "".join(f"{at(i)},{i}\n" for i in range(5)))
    press = "time,press\n" + "".join(f"{at(i)},{i + 10}\n" for i in (3, 1, 1, 4))
    answer = node.json("data", "import", "a", "-", input=press)
    assert [answer[k] for k in ("appended", "merged", "duplicates", "conflicts")] == [1, 3, 0, 0]
    assert values_at(node, "a")["01", 0] == {"temp": 1, "press": 11} and values_at(node, "a")["01", 1] == {"press": 11}
    assert count(node, "a") == 6 and node.json("asset", "show", "a")["parts"] == 3
    told = node.run("data", "import", "a", "-", input=press.replace("11", "12"), check=False)
    assert told.returncode == 1 and "'press': stored 11, new 12" in told.stderr
    told = node.json("data", "import", "a", "-", input="time,temp,flow\n" + f"{at(2)},,7\n{at(2)},2,\n{at(2)},2,\n{at(9)},9,\n")
    assert [told[k] for k in ("appended", "merged", "duplicates", "conflicts")] == [2, 1, 1, 0]
    assert "complete another row" in " ".join(told["notes"])


def test_predictions_are_whole_rows(node):
    at = "2026-02-01T00:00:01Z"
    node.run("data", "import", "predictions/p", "-", input=f"time,class\n{at},low\n")
    for target, text in (("predictions/p", f"time,score\n{at},0.5\n"), ("predictions/{asset}", f"time,p.score\n{at},0.5\n")):
        options = ["--column-pattern", "{asset}.{channel}"] if "{" in target else []
        told = node.run("data", "import", target, "-", *options, input=text, check=False)
        assert told.returncode == 1 and "predictions are stored as whole rows" in told.stderr and "'score'" in told.stderr
    assert values_at(node, "predictions/p") == {("01", 0): {"class": "low"}}
    assert node.run("data", "import", "predictions/p", "-", input=f"time,class\n{at},low\n").returncode == 0, "a duplicate"


@pytest.mark.parametrize("packed", ["csv", "jsonl", "npz"])
def test_a_dry_run_stores_nothing(node, tmp_path, packed):
    node.run("data", "import", "seed", "-", "--label-column", "state", input=HEAD + row(1, 20) + row(2, 21))
    table = tmp_path / f"seed.{packed}"
    node.run("data", "export", "seed", "-o", table)
    answer = node.json("data", "import", "other", table, "--dry-run")
    assert answer["dry_run"] is True and answer["rows"] == 2
    assert not {"appended", "merged", "duplicates", "conflicts", "late", "ahead", "expired"} & answer.keys(), "not compared"
    assert [a["name"] for a in node.json("asset", "ls")["items"]] == ["seed"]
    answer = node.json("data", "import", "other", table)
    assert "dry_run" not in answer and answer["appended"] == 2


def test_a_dry_run_asks_the_assets_for_their_types(node, tmp_path):
    node.run("data", "import", "a", "-", "--column", "temp=int16", input=HEAD + row(1, 20))
    for name, text in (("a.csv", HEAD + row(2, 20.5)), ("a.jsonl", json.dumps({"time": 5, "temp": 70000}) + "\n")):
        table = tmp_path / name
        table.write_text(text)
        done = node.run("data", "import", "a", table, "--dry-run", check=False)
        assert done.returncode == 1 and "temp" in done.stderr and "int16" in done.stderr, done
    node.run("data", "import", "b", "-", input=HEAD + row(1, 20.5))
    node.run("data", "export", "b", "--channel", "temp", "-o", tmp_path / "b.npz")
    done = node.run("data", "import", "a", tmp_path / "b.npz", "--dry-run", check=False)
    assert done.returncode == 1 and "temp" in done.stderr and "int16" in done.stderr, done


def pipe(node, export, importing):
    """export | import on one home; both exit codes and what the import said."""
    left = subprocess.Popen([CTL, *export], env=node.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    right = subprocess.Popen([CTL, *importing], env=node.environment(), stdin=left.stdout, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    left.stdout.close()
    out, err = right.communicate(timeout=120)
    return left.wait(timeout=60), right.returncode, out, err + left.stderr.read().decode()


@pytest.mark.parametrize("served", [False, True])
@pytest.mark.parametrize("rows", [3, 400_000])
def test_an_export_flows_into_an_import_of_the_same_home(node, served, rows):
    text = "time,x,y\n" + "".join(f"{1_700_000_000_000 + i},{i * 0.37},{i % 97}\n" for i in range(rows))
    node.run("data", "import", "from", "-", input=text)
    if served:
        node.serve()
    left, right, out, err = pipe(node, ["data", "export", "from"], ["--json", "data", "import", "to", "-"])
    assert (left, right) == (0, 0), err
    assert json.loads(out)["appended"] == rows
    left, right, out, err = pipe(node, ["data", "export", "to"], ["--json", "data", "import", "from", "-"])
    assert (left, right) == (0, 0) and json.loads(out)["duplicates"] == rows, err


def test_what_does_not_fit_into_the_temporary_folder_is_said(node, tmp_path):
    environment = {**node.environment(), "TMPDIR": str(tmp_path / "none")}
    text = HEAD + row(1, 20) * 400_000
    done = subprocess.run([CTL, "data", "import", "a", "-"], env=environment, input=text, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and "TMPDIR" in done.stderr and os.fspath(tmp_path / "none") in done.stderr
    done = subprocess.run([CTL, "data", "import", "a", "-"], env=environment, input=HEAD + row(1, 20), capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, "a small input stays in memory"


def test_the_list_of_bad_rows_has_all_of_them(node, tmp_path):
    table, listed = tmp_path / "a.csv", tmp_path / "bad.csv"
    table.write_text(HEAD + "".join(row(i % 3600, "x,y" if i % 2 else i) for i in range(300)))
    done = node.run("--json", "data", "import", "a", table, "--column", "temp=float64", "--bad-rows-file", listed, check=False)
    answer = json.loads(done.stdout)
    assert answer["skipped"] == 150 and len(answer["bad_rows"]) == 100 and count(node, "a") == 150
    rows = list(csv.DictReader(listed.open()))
    assert len(rows) == 150 and rows[0]["line"] == "3" and rows[0]["reason"]


def npy(descr, values, code):
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({len(values)},), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + struct.pack(f"<{len(values)}{code}", *values)


def test_bad_rows_of_arrays_are_left_out_and_listed(node, tmp_path):
    file, listed = tmp_path / "a.npz", tmp_path / "bad.csv"
    times = [1_767_225_600 + i if i % 3 else -2**63 for i in range(200)]
    with zipfile.ZipFile(file, "w") as zip:
        zip.writestr("times.npy", npy("<M8[s]", times, "q"))
        zip.writestr("x.npy", npy("<f8", range(200), "d"))
    done = node.run("data", "import", "a", file, check=False)
    assert done.returncode == 1 and "row 1 of array 'times'" in done.stderr and "skip" in done.stderr
    tried = node.json("data", "import", "a", file, "--bad-rows", "skip", "--dry-run")
    assert (tried["rows"], tried["skipped"]) == (133, 67) and node.json("asset", "ls")["items"] == []
    told = node.json("data", "import", "a", file, "--bad-rows-file", listed)
    assert (told["appended"], told["skipped"], told["bad_rows"][1]["line"]) == (133, 67, 4) and count(node, "a") == 133
    rows = list(csv.DictReader(listed.open()))
    assert [int(row["line"]) for row in rows] == list(range(1, 200, 3)) and rows[0]["text"] == "NaT"


def test_a_new_asset_has_its_channels_in_the_order_of_the_file(node):
    """Also where the first rows lack some: whoever exports again gets the columns as they were."""
    node.run("data", "import", "a", "-", input="time,c,a,b\n" + "2026-02-01T00:00:00Z,,,3\n2026-02-01T00:00:01Z,1,2,3\n")
    assert node.json("data", "head", "a")["columns"] == ["time", "c", "a", "b"]
    node.run("data", "import", "a", "-", input="time,x,a\n" + "2026-02-01T00:00:02Z,,3\n2026-02-01T00:00:03Z,1,2\n")
    assert node.json("data", "head", "a")["columns"] == ["time", "c", "a", "b", "x"]


def test_exports_for_other_programs_have_plain_names(node, tmp_path):
    text = "time,n:int64,empty:string,seq:float64\n2026-02-01T00:00:00Z,12,,5\n"
    node.run("data", "import", "a", "-", input=text)
    node.run("dataset", "create", "d", "--asset", "a")
    assert node.run("data", "export", "a").stdout == text
    plain = node.run("data", "export", "a", "--plain-names").stdout
    assert plain.splitlines()[0] == "time,n,empty,seq:float64"  # two columns of one name are never written
    assert json.loads(node.run("data", "export", "a", "--plain-names", "--format", "jsonl").stdout)["n"] == 12
    header = node.run("dataset", "export", "d", "--plain-names").stdout.splitlines()[0].split(",")
    assert "n" in header and "n:int64" not in header


def test_an_import_that_is_canceled_says_what_stays(node, tmp_path):
    table = tmp_path / "long.csv"
    table.write_text("time,x\n" + "".join(f"{1700000000000 + i},{i}\n" for i in range(400000)))
    process = subprocess.Popen([CTL, "data", "import", "a", table, "--batch", "1"], env=node.environment(), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1 and errors.startswith("edgeopsctl: canceled; "), errors
    told = re.search(r"(\d+) rows? before it (is|are) stored: importing all of it again is safe", errors)
    assert told or "no row was stored" in errors, errors
    done = node.json("data", "import", "a", table)
    assert done["duplicates"] == (int(told[1]) if told else 0) and done["appended"] == 400000 - done["duplicates"]


def test_types_that_the_asset_has_decided_are_asked_first_and_tried(node):
    """Also in the long format of several assets; a dry run says what the import then does."""
    def take(asset, text, *options):
        return node.run("data", "import", asset, "-", *options, input=text, check=False)
    long = ("--channel-column", "tag", "--value-column", "value")
    take("q/{dev}", "time,dev,tag,value\n1793000000,a,s,on\n1793000000,b,s,off\n", *long)
    assert take("q/{dev}", "time,dev,tag,value\n1793000001,a,s,1\n1793000001,c,s,1\n", *long).returncode == 0
    out = node.run("data", "export", "q/a").stdout
    assert out == "time,s\n2026-10-26T07:33:20Z,on\n2026-10-26T07:33:21Z,1\n"
    take("n", "time,y\n1793000000,1.5\n")
    for text, option in (("abc", "y=string"), ("9007199254740993", "y=int64")):
        for more in ([], ["--dry-run"]):
            done = take("n", f"time,y\n1793000002,{text}\n", "--column", option, *more)
            assert done.returncode == 1 and "channel 'y'" in done.stderr and "float64" in done.stderr, done.stderr
    done = take("n", "time,y\n1793000002,abc\n")
    assert "asset set --type string" in done.stderr and "--column y=string" not in done.stderr
    done = take("n", "time,y\n1793000002,7\n", "--column", "y=int64")
    assert done.returncode == 0 and "channel 'y' of 'n' is float64 and stays so, whatever the input says (int64)" in done.stderr
