# SPDX-License-Identifier: Apache-2.0
"""CSV as others write it: dialects, ends of lines, preambles, compression, and rows with quotes in the wrong place."""
import bz2
import csv
import gzip
import io
import lzma
import shutil
import subprocess
import zipfile

import pytest

from harness import Node

TABLE = "time,a,b\n2026-02-01T00:00:00Z,1,x\n2026-02-01T00:00:01Z,2,\"y, z\"\n"


@pytest.fixture
def node(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init", "-q")
        yield node


def exported(node, asset):
    return node.run("data", "export", asset).stdout


@pytest.mark.parametrize("text, options", [
    (TABLE.replace(",", ";").replace('"y; z"', "y, z"), ["--separator", ";"]),
    (TABLE.replace(",", "\t").replace('"y\t z"', "y, z"), ["--separator", "tab"]),
    (TABLE.replace(",", "||").replace('"y|| z"', "y, z"), ["--separator", "||"]),
    (TABLE.replace(",", ", ").replace('"y,  z"', '"y, z"'), ["--separator", ", "]),
    ("  " + TABLE.replace(",", " \t ").replace('"y \t  z"', '"y, z"  '), ["--separator", "blank"]),
    (TABLE.replace('"', "'"), ["--quote", "'"]),
    (TABLE.replace('"y, z"', "y\\, z"), ["--escape", "\\"]),
    ("# made by 'logger\"\n" + TABLE.replace("\n2026-02-01T00:00:01", "\n# \"\n\n2026-02-01T00:00:01"), ["--comment", "#"]),
    ("Logger \"7\n\nserial,\"12, x\n" + TABLE, ["--skip-rows", "3"]),
    ("\ufeff" + TABLE.replace("\n", "\r\n"), []),
    (TABLE.replace("\n", "\r"), []),
    ("Logger\r\"\r" + TABLE.replace("\n", "\r"), ["--skip-rows", "2"]),
    (TABLE.replace("\n", "\r\r\n"), []),
    (TABLE.rstrip("\n"), []),
], ids=lambda value: "" if isinstance(value, str) else " ".join(value) or "plain")
def test_a_dialect_reads_as_the_plain_file(node, tmp_path, text, options):
    (tmp_path / "in.csv").write_text(text, newline="")
    node.run("data", "import", "a", tmp_path / "in.csv", "-q", *options)
    assert exported(node, "a") == TABLE


def test_a_carriage_return_in_a_line_is_refused(node):
    """Three lines that end so are a file of them; a single one is a stray one, wherever it is."""
    for text in (TABLE.replace("1,x", "1,x\rq"), TABLE.replace("time,a,b", "time,a\rx,b"), "time,a\r2026-02-01T00:00:00Z,1\r"):
        done = node.run("data", "import", "a", "-", "--format", "csv", input=text, check=False)
        assert done.returncode == 1 and "a carriage return inside a field" in done.stderr, done


def zstd(data):
    if shutil.which("zstd") is None:
        pytest.skip("zstd is not there")
    return subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize("ending, pack", [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstd)])
def test_packed_tables_are_read_and_cuts_are_seen(node, tmp_path, ending, pack):
    rows = "".join(f"2026-02-01T01:{m:02d}:{s:02d}Z,{m * s},{m}\n" for m in range(60) for s in range(60))
    data = pack(TABLE.encode()) + pack(rows.encode())
    path = tmp_path / f"in.csv.{ending}"
    path.write_bytes(data)
    done = node.run("data", "import", "a", path, "-q", check=False)
    if "which this build does not read" in done.stderr:
        pytest.skip(f"the build does not read {ending}")
    assert exported(node, "a") == TABLE + rows
    lines = tmp_path / f"in.jsonl.{ending}"
    lines.write_bytes(pack(b'{"time": "2026-02-01T00:00:00Z", "x": 1.5}\n'))
    node.run("data", "import", "b", lines, "-q")
    assert exported(node, "b") == "time,x\n2026-02-01T00:00:00Z,1.5\n"
    for broken, reason in ((data[:-9], "ends too early"), (data + b"x", "something behind")):
        path.write_bytes(broken)
        done = node.run("data", "import", "c", path, check=False)
        assert done.returncode == 1 and reason in done.stderr, done


def test_what_is_no_text_is_named_with_the_next_step(node, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("in.csv", TABLE)
    for name, data, reason in (("a.csv", packed.getvalue(), "zip archive; unpack it"),
                               ("b.csv", b"PAR1\x15\x00", "Parquet file"), ("c.csv", b"\x1f\x9d\x90x", "uncompress FILE")):
        (tmp_path / name).write_bytes(data)
        done = node.run("data", "import", "a", tmp_path / name, check=False)
        assert done.returncode == 1 and reason in done.stderr, done
    assert node.json("asset", "ls")["items"] == []


def test_a_stray_quote_costs_its_line_and_says_so(node, tmp_path):
    """Not the lines behind it up to the next quote, which would come in as one text."""
    lines = [f"2026-02-01T00:00:{i:02d}Z,{i},text {i}" for i in range(20)]
    lines[3] = lines[3].replace("text", '"text')         # opens and finds its end in line 9
    lines[9] += ' of 5"x'
    lines[12] += ',"'                                    # opens and never ends
    lines[15] = "2026-02-01T00:00:15Z,15"
    (tmp_path / "in.csv").write_text("time,a,b\n" + "\n".join(lines) + "\n")
    answer = node.json("data", "import", "a", tmp_path / "in.csv", "--bad-rows-file", tmp_path / "bad.csv")
    assert (answer["rows"], answer["skipped"]) == (16, 4)
    with open(tmp_path / "bad.csv", newline="") as bad:
        listed = {int(row["line"]): row["text"] for row in csv.DictReader(bad)}
    assert listed == {i + 2: lines[i] for i in (3, 9, 12, 15)}
    good = [line for i, line in enumerate(lines) if i not in (3, 9, 12, 15)]
    assert exported(node, "a").splitlines()[1:] == good


def test_lines_that_two_stray_quotes_join_are_no_row(node):
    text = "time,a,b\n" + "".join(f"2026-02-01T00:00:{i:02d}Z,{i},{'' if i != 2 else chr(34)}t{'' if i != 5 else chr(34)}\n"
                                  for i in range(8))
    answer = node.json("data", "import", "a", "-", "--bad-rows", "skip", input=text)
    assert answer["skipped"] == 1 and "quotes make one record of lines" in answer["reasons"][0]["reason"]
    assert [line.split(",")[1] for line in exported(node, "a").splitlines()[1:]] == ["0", "1", "6", "7"]
