# SPDX-License-Identifier: Apache-2.0
"""Label files and inputs of predictions: the same rules and options as an import of data."""
import csv
import gzip
import io
import json
import os

import pytest
from harness import Node, write_workflow
from test_offline import PARAMETERS, ROWS, THRESHOLD

VIENNA = os.path.exists("/usr/share/zoneinfo/Europe/Vienna")


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A home with assets m/1 and m/2, and a model that takes x."""
    folder = tmp_path_factory.mktemp("inputs")
    with Node(folder) as node:
        node.run("node", "init")
        for asset in ("m/1", "m/2"):
            node.run("data", "import", asset, "--input", "-", "--label-column", "level", input="time,x,level\n" + ROWS)
        node.run("dataset", "create", "d", "--asset", "m/1", "--labelled-only")
        node.run("workflow", "add", write_workflow(
            folder, "threshold", THRESHOLD, parameters=PARAMETERS, label={"name": "class", "classes": ["low", "high"]},
            outputs=[{"name": "class", "type": "string"}, {"name": "score", "type": "float64"}]))
        node.run("train", "threshold", "--dataset", "d", "--name", "limit")
        yield node


def labels_of(node, label):
    items = node.json("label", "ls", "--label", label)["items"]
    return sorted((item["start"], item["end"], item["asset"], item["author"]) for item in items)


# -- labels --

def test_labels_of_a_shift_book(node, tmp_path):
    file = tmp_path / "shift.csv"
    file.write_text("shift book of line 3\nMaschine;Von;Bis;Befund;Wer;Notiz\n"
                    "m/1;02.03.2026 06:00;02.03.2026 06:30;riss;anna;ok\n"
                    "m/2;02.03.2026 07:00;N/A;riss;-;\n"
                    "m/1;02.03.2026 08:00;weg;riss;n.n.;7\n")
    options = ["--separator", ";", "--skip-rows", "1", "--asset-column", "Maschine", "--start-column", "Von", "--end-column",
               "Bis", "--label-column", "Befund", "--author-column", "Wer", "--time-format", "%d.%m.%Y %H:%M", "--time-zone",
               "+01:00", "--null", "weg", "--null", "n.n."]
    assert node.json("label", "import", file, *options)["labels"] == 3
    assert labels_of(node, "riss") == [
        ("2026-03-02T05:00:00Z", "2026-03-02T05:30:00Z", "m/1", "anna"),
        ("2026-03-02T06:00:00Z", "2026-03-02T06:00:00Z", "m/2", ""),
        ("2026-03-02T07:00:00Z", "2026-03-02T07:00:00Z", "m/1", "")]
    again = node.json("label", "import", file, *options)
    assert (again["labels"], again["duplicates"], again["skipped"]) == (0, 3, 0)
    assert again["times"]["form"] == "format" and again["times"]["zone"] == "+01:00"


def test_labels_of_whole_years(node, tmp_path):
    file = tmp_path / "years.csv"
    file.write_text("asset,start,end,label\nm/1,1970,1971,old\nm/1,1999,2003,old\n")
    assert node.json("label", "import", file)["labels"] == 2
    assert [row[:2] for row in labels_of(node, "old")] == [
        ("1970-01-01T00:00:00Z", "1971-01-01T00:00:00Z"), ("1999-01-01T00:00:00Z", "2003-01-01T00:00:00Z")]


def test_columns_that_no_label_takes_are_said(node, tmp_path):
    file = tmp_path / "durations.csv"
    file.write_text("asset,start,duration,label,note\nm/1,2026-03-05,3600,knack,\nm/1,2026-03-05,7200,kratz,x\n")
    notes = node.json("label", "import", file)["notes"]
    assert "columns that no label takes: duration, note" in notes and not any("seq" in note for note in notes)


def test_a_dry_run_of_a_label_file_adds_nothing(node, tmp_path):
    """What it says is what the import then does, also of labels that the file has twice."""
    file = tmp_path / "tried.csv"
    file.write_text("asset,start,label\n" + "".join(f"m/1,2026-05-0{day}T00:00:00Z,tried\n" for day in (1, 2, 2, 3)))
    version = node.json("label", "ls")["version"]
    told = node.json("label", "import", file, "--dry-run")
    assert (told["dry_run"], told["labels"], told["duplicates"], told["first"]) == (True, 3, 1, "2026-05-01T00:00:00Z")
    assert labels_of(node, "tried") == [] and node.json("label", "ls")["version"] == version
    done = node.json("label", "import", file)
    assert "dry_run" not in done and (done["labels"], done["duplicates"]) == (3, 1) and len(labels_of(node, "tried")) == 3
    again = node.json("label", "import", file, "--dry-run")
    assert (again["labels"], again["duplicates"]) == (0, 4)
    file.write_text("asset,start,label\nm/9,2026-05-01T00:00:00Z,tried\n")
    assert node.run("label", "import", file, "--dry-run", check=False).returncode != 0


def test_the_list_of_bad_rows_of_a_label_file_has_all_of_them(node, tmp_path):
    file, listed = tmp_path / "listed.csv", tmp_path / "bad.csv"
    file.write_text("asset,start,label\n" + "".join(
        f"m/{1 if i % 2 else 9},{'soon' if i % 3 == 0 else f'2026-06-01T00:{i % 60:02}:00Z'},listed\n" for i in range(240)))
    told = node.json("label", "import", file, "--bad-rows-file", listed)
    rows = list(csv.DictReader(listed.open()))
    assert told["skipped"] == len(rows) == 160 and len(told["bad_rows"]) == 100
    assert {(row["column"], row["text"]) for row in rows} == {("start", "soon"), ("asset", "m/9")}
    done = node.run("label", "import", file, "--bad-rows", "error", "--bad-rows-file", listed, check=False)
    assert done.returncode == 2 and "--bad-rows skip" in done.stderr


def test_bad_rows_of_a_label_file(node, tmp_path):
    file = tmp_path / "some.csv"
    file.write_text("start,end,label,asset\n2026-04-01,2026-04-02,good,m/1\nsoon,,late,m/1\n2026-04-03,later,late,m/1\n"
                    "2026-04-03,2026-04-01,late,m/1\n2026-04-03,,,m/1\n2026-04-03,,late,nobody\n2026-04-04,,good,m/2,x\n"
                    "2026-04-05 06:00,,good,m/2\n")
    done = node.run("label", "import", file, check=False)
    assert done.returncode == 1 and "some.csv:3" in done.stderr and "'soon'" in done.stderr
    assert "no label was added" in done.stderr and labels_of(node, "good") == []
    told = node.json("label", "import", file, "--bad-rows", "skip")
    assert (told["labels"], told["skipped"]) == (2, 6)
    assert [(row["line"], row.get("column"), row["reason"]) for row in told["bad_rows"]] == [
        (3, "start", "not a time (ISO 8601 or a number)"), (4, "end", "not a time (ISO 8601 or a number)"),
        (5, "end", "before the start"), (6, "label", "no label"), (7, "asset", "not an asset of this home"),
        (8, None, "too many fields")]
    assert labels_of(node, "good") == [("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z", "m/1", ""),
                                       ("2026-04-05T06:00:00Z", "2026-04-05T06:00:00Z", "m/2", "")]
    done = node.run("label", "import", file, "--bad-rows", "skip")
    assert "left out    6" in done.stdout and "before the start" in done.stdout
    assert "taken as UTC" in done.stdout


def test_labels_as_json_lines_packed_and_without_a_header(node, tmp_path):
    file = tmp_path / "l.jsonl.gz"
    file.write_bytes(gzip.compress(b'\xef\xbb\xbf{"start":1772323200,"end":null,"label":7,"asset":"m/1"}\n'
                                   b'{"end":"20260302","start":"20260301","label":"7","author":"eva","asset":"m/1","more":[1]}\n'))
    assert node.json("label", "import", file)["labels"] == 2
    assert labels_of(node, "7") == [("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "m/1", ""),
                                    ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", "m/1", "eva")]
    assert node.json("label", "import", "-", "--asset", "m/2", "--no-header", "--names", "day,at,label", "--start-column",
                     "day+at", input="2026-03-05,7:05,bare\n")["labels"] == 1
    assert labels_of(node, "bare") == [("2026-03-05T07:05:00Z", "2026-03-05T07:05:00Z", "m/2", "")]
    done = node.run("label", "import", "-", "--asset", "m/2", input="start,what\n2026-03-05,x\n", check=False)
    assert done.returncode == 1 and "no column 'label'" in done.stderr


@pytest.mark.skipif(not VIENNA, reason="no zone files are installed (package tzdata)")
def test_labels_in_the_hour_that_comes_twice(node):
    text = ("start,end,label\n2024-01-01 00:00,2024-01-01 01:00,winter\n2023-10-29 02:40,2023-10-29 02:20,twice\n"
            "2023-10-29 02:30,2023-10-29 02:50,twice\n")
    told = node.json("label", "import", "-", "--asset", "m/1", "--time-zone", "Europe/Vienna", input=text)
    assert told["times"]["repeated"] == 2
    assert labels_of(node, "twice") == [("2023-10-29T00:40:00Z", "2023-10-29T01:20:00Z", "m/1", ""),
                                        ("2023-10-29T01:30:00Z", "2023-10-29T01:50:00Z", "m/1", "")]
    assert labels_of(node, "winter") == [("2023-12-31T23:00:00Z", "2024-01-01T00:00:00Z", "m/1", "")]


@pytest.mark.skipif(not VIENNA, reason="no zone files are installed (package tzdata)")
def test_local_times_around_changes_of_the_clocks(node):
    autumn = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    text = "time,x\n" + "".join(f"2023-10-29 {clock},{i}\n" for i, clock in enumerate(autumn))
    done = node.run("data", "import", "autumn", "--input", "-", "--time-zone", "Europe/Vienna", input=text)
    assert "4 times lie in an hour that the clocks showed twice" in done.stdout
    rows = [line.split(",") for line in node.run("data", "export", "autumn").stdout.splitlines()[1:]]
    assert rows == [[f"2023-10-2{day}T{clock}:00Z", str(i)] for i, (day, clock) in enumerate(
        [(8, "23:30"), (9, "00:00"), (9, "00:30"), (9, "01:00"), (9, "01:30"), (9, "02:00")])]
    text = "time,x\n2024-03-31 01:30,1\n2024-03-31 02:15,2\n2024-03-31 03:30,3\n"
    done = node.run("data", "import", "spring", "--input", "-", "--time-zone", "Europe/Vienna", input=text)
    assert "warning: 1 times lie in an hour that the clocks left out" in done.stderr
    rows = [line.split(",")[0] for line in node.run("data", "export", "spring").stdout.splitlines()[1:]]
    assert rows == ["2024-03-31T00:30:00Z", "2024-03-31T01:15:00Z", "2024-03-31T01:30:00Z"]


def test_a_replay_of_local_times_sends_utc(node):
    text = "when,x\n28.01.2018 00:15,1\n28.01.2018 00:16,2\n"
    done = node.run("simulate", "replay", "-", "--time-column", "when", "--time-format", "%d.%m.%Y %H:%M", "--time-zone",
                    "+01:00", input=text)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"time": "2018-01-27T23:15:00Z", "x": 1}, {"time": "2018-01-27T23:16:00Z", "x": 2}]


def test_a_replay_reads_a_recording_as_an_import_does(node):
    """Lines above the header, other signs, two columns for the time, and rows that are bad."""
    text = ("logger 7\n# first\ndate;clock;x;note\n2026-01-05;06:00;1,5;'a;b'\n2026-01-05;06:01;2\n2026-01-05;soon;3;c\n"
            "# last\n2026-01-05;06:02;4;\n")
    options = ["--separator", ";", "--quote", "'", "--comment", "#", "--skip-rows", "1", "--time-column", "date", "--time-column", "clock"]
    done = node.run("simulate", "replay", "-", *options, "--bad-rows", "skip", input=text)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"time": "2026-01-05T06:00:00Z", "x": "1,5", "note": "a;b"}, {"time": "2026-01-05T06:02:00Z", "x": 4}]
    assert "2 bad rows are left out, the first: line 5" in done.stderr, done.stderr
    done = node.run("simulate", "replay", "-", *options, input=text, check=False)
    assert done.returncode == 1 and "stdin:5: 3 fields" in done.stderr
    done = node.run("simulate", "replay", "-", "--no-header", "--names", "time,x", input="5,1\n6,2\n")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"time": 5, "x": 1}, {"time": 6, "x": 2}]


# -- predictions --

def classes(done):
    return [row["class"] for row in csv.DictReader(io.StringIO(done.stdout))]


def test_predict_on_csv_of_another_dialect(node, tmp_path):
    file = tmp_path / "new.txt"
    file.write_text("export of logger 7\ntime;x;level;note\n05.02.2026 01:00;1,5;low;free text\n"
                    "05.02.2026 02:00;-;low;7\n05.02.2026 03:00;50,25;high;\n")
    done = node.run("predict", "limit", "--input", file, "--separator", ";", "--decimal", ",", "--skip-rows", "1",
                    "--time-format", "%d.%m.%Y %H:%M", "--time-zone", "+01:00", "--label-column", "level")
    assert classes(done) == ["low", "low", "high"]  # of no value: NaN is not over the limit
    assert done.stdout.splitlines()[1].startswith("2026-02-05T00:00:00Z,")


def test_predict_leaves_bad_rows_out_and_says_so(node, tmp_path):
    file = tmp_path / "some.csv"
    file.write_text("time,x\n2026-02-05T00:00:00Z,1\nsoon,2\n2026-02-05T00:00:02Z,x\n2026-02-05T00:00:03Z,50\n")
    done = node.run("predict", "limit", "--input", file, check=False)
    assert done.returncode == 1 and "some.csv:3" in done.stderr and "'soon'" in done.stderr
    done = node.run("predict", "limit", "--input", file, "--bad-rows", "skip")
    assert classes(done) == ["low", "high"]
    assert "rows left out  2" in done.stderr and "not a time" in done.stderr
    told = node.json("predict", "limit", "--input", file, "--bad-rows", "skip", "--output", tmp_path / "p.csv")
    assert told["input"]["skipped"] == 2 and [row["line"] for row in told["input"]["bad_rows"]] == [3, 4]
    assert "2 rows of the input were left out" in node.run("run", "log", str(told["run"])).stdout


@pytest.mark.parametrize("name, options", [("new.jsonl", []), ("new.ndjson.gz", []), ("-", ["--input-format", "jsonl"])])
def test_predict_on_json_lines(node, tmp_path, name, options):
    rows = [{"time": "2026-02-05 00:00", "x": 1, "note": "a", "level": "low"}, {"x": 50, "time": 1770249601, "level": "low"},
            {"time": "2026-02-05T00:00:02Z", "x": "NA", "level": None}, {"time": "2026-02-05T00:00:03Z", "x": "4", "note": 7}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    file = tmp_path / name
    if name.endswith(".gz"):
        file.write_bytes(gzip.compress(text.encode()))
    elif name != "-":
        file.write_text(text)
    done = node.run("predict", "limit", "--input", "-" if name == "-" else file, "--label-column", "level", *options,
                    input=text if name == "-" else None)
    assert classes(done) == ["low", "high", "low", "low"]
    assert "taken as UTC" in done.stderr


def test_predict_says_what_a_file_lacks(node, tmp_path):
    file = tmp_path / "y.jsonl"
    file.write_text('{"time":"2026-02-05","y":1}\n')
    done = node.run("predict", "limit", "--input", file, check=False)
    assert done.returncode == 1 and "no record has 'x'" in done.stderr
    done = node.run("predict", "limit", "--input", tmp_path / "y.npz", check=False)
    assert done.returncode == 2 and "--input-format" in done.stderr
    for options in (["--null", "x"], ["--time-zone", "UTC"]):
        done = node.run("predict", "limit", "--dataset", "d", *options, check=False)
        assert done.returncode != 0 and "input" in done.stderr, options


# -- rows that come in parts --

SUM = """
def train(dataset, params, run):
    return {}


def predict(model, window, params):
    return {"y": float(window.values[-1, 0]) * 100 + float(window.values[-1, 1])}
"""


@pytest.fixture(scope="module")
def summing(node, tmp_path_factory):
    """A model that takes a and b."""
    folder = tmp_path_factory.mktemp("summing")
    node.run("data", "import", "two", "-", input="time,a,b\n2026-02-05T00:00:00Z,1,2\n2026-02-05T00:00:01Z,3,4\n")
    node.run("dataset", "create", "two", "--asset", "two")
    node.run("workflow", "add", write_workflow(folder, "sum", SUM, inputs=[{"name": c, "type": "float64"} for c in "ab"]))
    node.run("train", "sum", "--dataset", "two", "--name", "sum")
    return node


def sums(done):
    return [(row["time"][17:19], float(row["y"])) for row in csv.DictReader(io.StringIO(done.stdout))]


def test_predict_joins_the_parts_of_a_row(summing, tmp_path):
    at = "2026-02-05T00:00:0{}Z".format
    wanted = [("00", 102.0), ("01", 304.0), ("01", 506.0), ("02", 708.0)]
    file = tmp_path / "parts.csv"
    rows = [(0, 1, 2), (1, 3, ""), (1, "", 4), (1, "", 6), (1, 5, ""), (2, "", 8), (2, 7, "")]
    file.write_text("time,a,b\n" + "".join(f"{at(t)},{a},{b}\n" for t, a, b in rows))
    assert sums(summing.run("predict", "sum", "--input", file)) == wanted
    file = tmp_path / "parts.jsonl"
    file.write_text("".join(json.dumps({"time": at(t), "a": a or None, "b": b or None}) + "\n" for t, a, b in rows))
    assert sums(summing.run("predict", "sum", "--input", file)) == wanted


def test_predict_says_where_parts_of_a_row_stand_apart(summing, tmp_path):
    file = tmp_path / "apart.csv"
    file.write_text("time,a,b\n2026-02-05T00:00:00Z,1,\n2026-02-05T00:00:01Z,3,4\n2026-02-05T00:00:00Z,,2\n2026-02-05T00:00:02Z,5,6\n")
    done = summing.run("predict", "sum", "--input", file, check=False)
    assert done.returncode == 1 and "apart.csv:4" in done.stderr and "sort the file by time, or import it" in done.stderr
    done = summing.run("predict", "sum", "--input", file, "--bad-rows", "skip")
    assert sums(done)[1:] == [("01", 304.0), ("02", 506.0)] and "rows left out  1" in done.stderr


def test_predict_numbers_the_rows_of_each_group(summing, tmp_path):
    file = tmp_path / "groups.csv"
    file.write_text("time,who,a,b\n2026-02-05T00:00:00Z,x,1,\n2026-02-05T00:00:00Z,y,,3\n2026-02-05T00:00:00Z,y,4,\n")
    done = summing.run("predict", "sum", "--input", file, "--group-column", "who")
    assert [row["y"] for row in csv.DictReader(io.StringIO(done.stdout))][1:] == ["403"], "what another group has completes nothing"
