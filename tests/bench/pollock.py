# SPDX-License-Identifier: Apache-2.0
"""Loads the polluted CSV files of the Pollock benchmark and scores what came in: pollock.py FOLDER [--output FOLDER].

FOLDER holds csv/, clean/ and parameters/ as the benchmark's polluted_files does (Vitagliano et al., "Pollock: a data loading
benchmark", PVLDB 16, 2023), and pollock_weights.json beside or above it. Nothing of it is part of this project. Each file is
imported as texts, with the dialect that its parameters name, its own header row and bad rows left out, and exported again.

The score is the published one: the sum over success, and precision, recall and F1 of header cells, records and cells as bags,
each the mean over all files; at most 10. Cells of header and records compare without case and as numbers where they are; dates
and prices only as they are written, so that the score is never above the published formula's. A foreign record is one that the
loaded file has more often than the clean file.

pollock.py --smoke: a small folder of own files, to see that none of this rots.
"""
import argparse
import collections
import csv
import io
import json
import os
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(os.environ.get("EDGEOPS_SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("EDGEOPS_BUILD_ROOT", ROOT / "build"))
os.environ.setdefault("EDGEOPS_LIBRARY", str(BUILD / "lib/libedgeops.so"))
sys.path.insert(0, str(ROOT / "bindings/python"))
import edgeops  # noqa: E402

MEASURES = ["success", *(f"{what} {how}" for what in ("header", "record", "cell") for how in ("precision", "recall", "F1"))]


def arguments_of(parameters):
    """The options of data.import that the benchmark's parameters of a file ask for."""
    quote = parameters["quotechar"] or '"'
    given = {"separator": parameters["delimiter"] or ",", "skip_rows": parameters["preamble_lines"]}
    if quote != '"':
        given["quote"] = quote
    if parameters["escapechar"] not in ("", quote):
        given["escape"] = parameters["escapechar"]
    if parameters["header_lines"] == 0:
        given["no_header"] = True
    else:
        given["skip_rows"] += parameters["header_lines"] - 1
    return {name: value for name, value in given.items() if value != 0}


class Loader:
    """A home with an asset for each file."""

    def __init__(self, folder):
        self.node = edgeops.Node(pathlib.Path(folder) / "home")
        self.count = 0

    def load(self, path, parameters):
        """The text of what was loaded, header first, without the generated time; or the error."""
        self.count += 1
        asset = f"file{self.count}"
        with open(path, "rb") as source, tempfile.TemporaryFile() as out:
            try:
                answer = self.node.call("data.import", input=source.fileno(), asset=asset, format="csv", as_text=True,
                                        start="2024-01-01T00:00:00Z", period="1s", bad_rows="skip",
                                        **arguments_of(parameters))
                # In the order of the file: an asset has its channels in the order in which they got values.
                self.node.call("data.export", output=out.fileno(), asset=asset, plain_names=True,
                               channels=[c["name"] for c in answer["channels"]])
            except edgeops.Error as error:
                return None, str(error)
            out.seek(0)
            rows = [row[1:] for row in csv.reader(io.TextIOWrapper(out, "utf-8", newline=""))]
        return rows, answer


def same(cell):
    """A cell as header and records compare it."""
    try:
        if re.fullmatch(r"[ +-]*\d+ *", cell):
            return str(int(cell))
        if cell.lower() in ("true", "false"):
            return str(int(cell.lower() == "true"))
        return str(float(cell))
    except ValueError:
        return cell.lower()


def agreement(clean, loaded):
    """Precision, recall and F1 as the benchmark counts them."""
    if not clean:
        return 1.0, 1.0, 1.0
    both = sum((collections.Counter(clean) & collections.Counter(loaded)).values())
    if both == 0:
        return 0.0, 0.0, 0.0
    p, r = both / len(clean), both / len(loaded)
    return p, r, 2 * p * r / (p + r)


def score(clean, loaded):
    """The ten measures of a file, and how many foreign records it has."""
    if loaded is None:
        return [0.0] * 10, 0
    if not clean:
        return [1.0] * 10, len(loaded[1:])
    header = agreement([same(c) for c in clean[0]], [same(c) for c in loaded[0]] if loaded else [])
    records = [["".join(map(same, row)) for row in rows[1:]] for rows in (clean, loaded)]
    cells = agreement([c for row in clean for c in row], [c for row in loaded for c in row])
    foreign = collections.Counter(records[1]) - collections.Counter(records[0])
    return [1.0, *header, *agreement(*records), *cells], sum(foreign.values())


def kind_of(name):
    """The pollution without its place."""
    return re.sub(r"\d+(?=_|\.)|(?<=row)\d+|(?<=col)\d+|(?<=quote)\d+", "N", name.removesuffix(".csv")) \
        if name.startswith("row") else name.removesuffix(".csv")


def run(folder, output=None):
    """Loads and scores all files; gives the simple and the weighted score and the names with foreign records."""
    folder = pathlib.Path(folder)
    names = sorted(path.name for path in (folder / "csv").glob("*.csv"))
    if not names:
        sys.exit(f"{folder}/csv holds no .csv files; name the folder polluted_files of the benchmark")
    scores, foreign, lost = {}, [], collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as home:
        loader = Loader(home)
        for name in names:
            parameters = json.loads((folder / "parameters" / f"{name}_parameters.json").read_text())
            rows, answer = loader.load(folder / "csv" / name, parameters)
            with open(folder / "clean" / name, encoding="utf-8-sig", newline="") as source:
                clean = list(csv.reader(source))
            scores[name], strangers = score(clean, rows)
            if strangers:
                foreign.append(name)
            if sum(scores[name]) < 9.9 or strangers:
                lost[kind_of(name)].append((sum(scores[name]), strangers, name, answer if rows is None else ""))
            if output is not None:
                with open(pathlib.Path(output) / f"{name}_converted.csv", "w", newline="") as out:
                    if rows is None:
                        out.write(f"Application Error\n{answer}")
                    else:
                        csv.writer(out).writerows(rows)
        loader.node.close()
    means = [sum(s[i] for s in scores.values()) / len(scores) for i in range(10)]
    weighted = None
    for place in (folder, folder.parent):
        if (place / "pollock_weights.json").exists():
            weights = json.loads((place / "pollock_weights.json").read_text())
            total = sum(weights.get(name, -1) for name in names)
            weighted = sum(sum(scores[name]) * weights.get(name, -1) for name in names) / total
    for kind, files in sorted(lost.items(), key=lambda item: sum(10 - f[0] for f in item[1]), reverse=True):
        worst = min(files)
        print(f"{kind}: {len(files)} files below 9.9 or with foreign records, {sum(f[0] for f in files) / len(files):.3f} "
              f"in the mean, {sum(1 for f in files if f[1])} with foreign records; {worst[2]} {worst[0]:.3f} {worst[3]}")
    print(", ".join(f"{what} {mean:.4f}" for what, mean in zip(MEASURES, means)))
    print(f"{len(names)} files, {sum(1 for s in scores.values() if s[0])} loaded: simple {sum(means):.4f}, weighted "
          f"{'unknown' if weighted is None else format(weighted, '.4f')}; {len(foreign)} files with foreign records: "
          f"{' '.join(foreign[:20])}")
    return sum(means), weighted, foreign


def smoke():
    """Four files of its own: a plain one, one with a stray quote, one without a header, one that ends lines with CR."""
    rows = [["DAY", "Name", "n"], ["1/2", 'a "b"', "7"], ["2/2", "x, y", ""], ["3/2", "z", "0.50"]]
    text = "\n".join(",".join('"' + c.replace('"', '""') + '"' if set('",') & set(c) else c for c in row) for row in rows)
    usual = {"delimiter": ",", "quotechar": '"', "escapechar": '"', "preamble_lines": 0, "header_lines": 1}
    files = {
        "plain.csv": (text + "\n", rows, usual),
        "quote.csv": (text.replace("x", '"x', 1).replace('""x', '""x"') + "\n", rows, usual),
        "none.csv": ("\n".join(text.split("\n")[1:]), rows[1:], {**usual, "header_lines": 0}),
        "returns.csv": (text.replace("\n", "\r") + "\r", rows, usual),
    }
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for part in ("csv", "clean", "parameters"):
            (folder / part).mkdir()
        for name, (polluted, clean, parameters) in files.items():
            (folder / "csv" / name).write_text(polluted, newline="")
            with open(folder / "clean" / name, "w", newline="") as out:
                csv.writer(out).writerows(clean)
            (folder / "parameters" / f"{name}_parameters.json").write_text(json.dumps(parameters))
        simple, weighted, foreign = run(folder)
    # Without a header the first record counts as one: so does the benchmark.
    assert weighted is None and foreign == ["none.csv"] and 8.5 < simple < 10, (simple, weighted, foreign)
    assert same("007") == "7" and same("1.50") == "1.5" and same("True") == "1" and same("Ab") == "ab"
    assert agreement(["a", "a"], ["a", "b"]) == (0.5, 0.5, 0.5) and score([["h"], ["1"]], [["h"], ["1"], ["2"]])[1] == 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="polluted_files of the benchmark")
    parser.add_argument("--output", help="a folder for what was loaded, as the benchmark's own evaluation takes it")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        smoke()
    elif options.folder is None:
        parser.error("the folder is missing")
    else:
        run(options.folder, options.output)


if __name__ == "__main__":
    main()
