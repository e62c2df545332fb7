# SPDX-License-Identifier: Apache-2.0
"""Imports the CSV files that people ship with their packages: real_files.py [FOLDER]... [--keep-going] [--list].

Without a folder: those of statsmodels, pmdarima and vega_datasets, as far as they are installed (240 files in statsmodels
0.15.0, pmdarima 2.1.1 and vega_datasets 0.9.0); exit 77 where none is. Each file is imported with what a person sees in its
first lines and nothing else: the separator, a first row of numbers as "no header", ' as quote, lines above the header, and the
name of the column with the time where its first value is one (else a generated time). What came in is compared with the file
as Python's csv module reads it:
 - each file is imported with all its rows, except those with rows of other lengths than the header's, which are named;
 - a column of numbers and words for null is a channel of numbers;
 - the names of the channels are those of the header, and no row became a header;
 - times lie where the texts say, none in 1970 that is not written so.
Files that are not UTF-8, and those with over 1,024 columns, which no asset holds, count apart and must be refused by name.
"""
import csv
import importlib.util
import io
import os
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(os.environ.get("EDGEOPS_SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("EDGEOPS_BUILD_ROOT", ROOT / "build"))
os.environ.setdefault("EDGEOPS_LIBRARY", str(BUILD / "lib/libedgeops.so"))
sys.path.insert(0, str(ROOT / "bindings/python"))

PACKAGES = ["statsmodels", "pmdarima", "vega_datasets"]
NULLS = {"", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-"}
TIME = re.compile(r"(\d{4})([-/]?)(\d\d)\2(\d\d)([T ]\d\d:\d\d(:\d\d)?)?$")
TIME_NAMES = {"time", "date", "datetime", "timestamp", "month", "ds", "year", "period"}


def is_number(text):
    try:
        float(text)
        return "_" not in text and not re.fullmatch(r"\s*[+-]?(nan)\s*", text.lower())
    except ValueError:
        return False


def is_null(text):
    return text.strip().lower() in NULLS


class File:
    """A file as Python reads it, with the dialect that a person sees."""

    def __init__(self, path):
        self.path = path
        data = path.read_bytes()
        try:
            text = data.decode("utf-8-sig")
            self.encoded = True
        except UnicodeDecodeError:
            text = data.decode("latin-1")
            self.encoded = False
        lines = re.split(r"\r\n|\n|\r(?!\n)", text)
        self.skip = self._skip(lines)
        rest = [line for line in lines[self.skip:] if line.strip(" \t,;")]
        self.separator, self.quote = self._dialect(rest[:20])
        self.rows = self._read(rest if self.separator in (" ", ", ") else
                               re.sub(r"^(?:[^\n]*\n){%d}" % self.skip, "", text.replace("\r\n", "\n").replace("\r", "\n")))
        self.no_header = all(is_number(cell) or is_null(cell) for cell in self.rows[0])
        self.header = None if self.no_header else self.rows[0]
        self.data = self.rows if self.no_header else self.rows[1:]
        self.unnamed = self.header is not None and all(len(row) == len(self.header) + 1 and row[-1].strip() for row in self.data)
        if self.unnamed:
            self.header = ["row", *self.header]
        self.width = len(self.header or self.rows[0])
        while self.header is not None and not self.header[self.width - 1].strip() and not any(
                cell.strip() for row in self.data for cell in row[self.width - 1:self.width]):
            self.width -= 1

    @staticmethod
    def _skip(lines):
        """Lines above the header: the first that has as many separators as most lines, or one more, and so has the next."""
        full = [(i, re.sub('"[^"]*"', "q", line).count(",")) for i, line in enumerate(lines) if line.strip()]
        counts = [count for _, count in full]
        usual = max(set(counts) - {0}, key=counts.count, default=0)
        for (first, here), (_, below) in zip(full, full[1:]):
            if usual > 0 and here in (usual, usual + 1) and below == usual:
                return first if first > 1 else 0
        return 0

    @staticmethod
    def _dialect(lines):
        quote = "'" if lines[0].lstrip().startswith("'") else '"'
        bare = [re.sub(f"{quote}[^{quote}]*{quote}", "q", line) for line in lines]
        for separator in ",", "\t", ";":
            if all(separator in line for line in bare):
                spaced = separator == "," and all(", " in line and not re.search(r",[^ ]", line) for line in bare)
                return (", " if spaced and any(re.search(r', *"', line) for line in lines) else separator), quote
        if all(re.search(r"[^ ] +[^ ]", line) for line in bare):
            return " ", quote
        return ",", quote

    def _read(self, what):
        if self.separator == " ":
            one = [re.sub(r"[ \t]+", " ", line.strip()) for line in what]
            rows = csv.reader(one, delimiter=" ", quotechar=self.quote)
        elif self.separator == ", ":
            rows = csv.reader(what, quotechar=self.quote, skipinitialspace=True)
        else:
            rows = csv.reader(io.StringIO(what, newline=""), delimiter=self.separator, quotechar=self.quote)
        return [row for row in rows if any(cell.strip() for cell in row)]

    def options(self):
        given = {"separator": self.separator}
        if self.quote != '"':
            given["quote"] = self.quote
        if self.skip:
            given["skip_rows"] = self.skip
        if self.no_header:
            given["no_header"] = True
        if self.unnamed:
            given.update(no_header=True, names=self.header, skip_rows=self.skip + 1)
        column = self.time_column()
        if column is None:
            given.update(start="2024-01-01T00:00:00Z", period="1s")
        else:
            given["time_column"] = self.header[column]
        return given

    def time_column(self):
        for i, name in enumerate(self.header or []):
            if name.strip().lower() in TIME_NAMES and all(i < len(row) and TIME.match(row[i]) for row in self.data):
                return i
        return None

    def even_rows(self):
        """Rows of the header's length, empty fields at their end aside."""
        def stripped(row):
            while row and not row[-1].strip():
                row = row[:-1]
            return row
        width = self.width
        return [row for row in self.data if len(row) == width or len(row) > width >= len(stripped(row))]


def check(file, node, asset, edgeops):
    """What is wrong with the import of a file; [] when nothing is."""
    ragged = len(file.data) - len(file.even_rows())
    options = {**file.options(), **({"bad_rows": "skip"} if ragged else {})}
    with open(file.path, "rb") as source:
        try:
            answer = node.call("data.import", input=source.fileno(), asset=asset, format="csv", **options)
        except edgeops.Error as error:
            return [f"refused: {error}"]
    wrong = []
    if answer["rows"] == 0:
        return ["no row was taken"]
    info = node.call("asset.show", name=asset)
    channels = {c["name"]: c["type"] for c in info["channels"]}
    rows = file.even_rows()
    width = file.width
    time = file.time_column()
    with_values = [row for row in rows if any(not is_null(row[i]) for i in range(width) if i != time)]
    taken = answer["appended"] + answer["duplicates"] + answer["conflicts"]
    if not len(with_values) <= taken <= len(rows):
        wrong.append(f"{taken} rows, not {len(rows)}")
    for i in range(width):
        cells = [row[i] for row in rows]
        words = {cell.strip() for cell in cells if not is_number(cell)}
        name = file.header[i].strip() if file.header else f"c{i + 1}"
        if i == time or all(is_null(cell) for cell in cells):
            continue
        if name not in channels:
            # Of a repeated, unnamed or odd one the place is what counts.
            found = list(channels)[i - (time is not None and i > time)] if len(channels) >= width - (time is not None) else None
            if (name and file.header and file.header.count(file.header[i]) == 1 and re.fullmatch(r"[\w .()-]+", name) and name != "seq"):
                wrong.append(f"no channel '{name}'")
            name = found
        kind = channels.get(name)
        if kind == "string" and len(words) < len(set(cells)) and all(is_null(word) for word in words):
            wrong.append(f"'{name}' is text, its words are {sorted(words)[:5]}")
    if time is not None:
        first = min(re.sub(r"\D", "", row[time])[:8] for row in rows)
        stored = info["first"]
        if re.sub(r"\D", "", stored)[:8] != first:
            wrong.append(f"the first time is {stored}, not {first}")
    return wrong


def folders():
    found = [importlib.util.find_spec(name) for name in PACKAGES]
    return [pathlib.Path(spec.origin).parent for spec in found if spec is not None]


def main(arguments):
    given = [pathlib.Path(a) for a in arguments if not a.startswith("--")] or folders()
    if not given:
        print(f"skipped: none of {', '.join(PACKAGES)} is installed; name a folder that holds them")
        return 77
    import edgeops
    paths = sorted(path for folder in given for path in folder.rglob("*.csv"))
    good, bad, encoded, wide, ragged, timed = 0, [], [], [], [], 0
    with tempfile.TemporaryDirectory() as home:
        node = edgeops.Node(pathlib.Path(home) / "home")
        for number, path in enumerate(paths):
            file = File(path)
            if "--list" in arguments:
                print(path.name, file.options(), len(file.rows))
            wrong = check(file, node, f"file{number}", edgeops)
            name = "/".join(path.parts[-3:])
            timed += file.time_column() is not None
            if len(file.even_rows()) < len(file.data):
                ragged.append(name)
            if not file.encoded and wrong and "UTF-8" in wrong[0]:
                encoded.append(name)
            elif file.width > 1024 and re.search(r"over 4,096 fields|over 1024 channels", "".join(wrong)):
                wide.append(name)
            elif wrong:
                bad.append((name, wrong))
            else:
                good += 1
        node.close()
    for name, wrong in bad:
        print(f"{name}: {'; '.join(wrong)[:400]}")
    print(f"{len(paths)} files: {good} right ({timed} of all by a column of times), {len(bad)} wrong, {len(encoded)} not UTF-8 "
          f"({', '.join(encoded)}), {len(wide)} too wide ({', '.join(wide)}); rows of other lengths were left out of {len(ragged)}: {', '.join(ragged)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
