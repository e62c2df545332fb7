# SPDX-License-Identifier: Apache-2.0
"""Measures the store beside what one would take instead: store.py [SECTION]... [--smoke] [--json FILE] [--keep DIR]

Sections, all of them by default:
  size       bytes a point on disk of the whole home: decimal set, white noise, real sets
  write      points a second from memory to chunks
  read       values a second of one series after the other into float64 arrays
  dataset    10 M values from the train call to a NumPy array in the worker
  aggregate  min, max and mean of each channel of each asset
  memory     resident memory while 40,000 samples a second are written: an embedding program, and a node fed by MQTT
  scale      the same at 10x the assets and 10x the rows
  assets     what a sample of few values costs where 100 to 10,000 assets send in turn, opening after a kill and reading too
  setup      not a measurement: makes the virtual environment with DuckDB (network)

The sides take turns within each round; medians, the smallest and the greatest are printed, and what the project wants.
Absolute figures of a shared machine mean little. What is read is in the page cache, for everybody.

The decimal set has the form of 1 M rows of 3 values: 100 assets, 1 Hz with 10 % jitter in whole milliseconds, random
walks with 2, 4 and 3 decimals; its entropy is printed. Rivals that are not installed are named and left out:
victoria-metrics (Debian), DuckDB (`store.py setup`), pandas (Debian). SQLite is always there.

EDGEOPS_BENCH_ROUNDS rounds, default 5       EDGEOPS_SHARED  folder with data/ of further real sets
EDGEOPS_BENCH_DIR    where to write (a disk) EDGEOPS_BENCH_VENV  environment with DuckDB, default BUILD/tests/bench/venv
--smoke: 20,000 rows, one round, SQLite only, and an error when a section prints no figure. --keep: leaves its files there.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import store_rivals as rivals
import store_sets as sets
from store_node import dataset, memory
from store_report import BENCH, PROGRAMS, VENV, Bench, Series, per_processor, rate
from harness import ROOT, free_port


def _parts(home):
    """What the bytes of a home are, in words."""
    data = home / "data"
    parts = {"chunks": rivals.disk(data / "telemetry.db"), "WAL": rivals.disk(*data.glob("telemetry.db-*"), *home.glob("catalog.db-*")),
             "catalog": rivals.disk(home / "catalog.db"), "journal": rivals.disk(data / "journal")}
    parts["other"] = rivals.disk(home) - sum(parts.values())
    return parts


def size(bench):
    """The home after flush and close: everything in it counts, reserved space too, in whole blocks of the file system."""
    found, missing = sets.real(ROOT)
    every = [bench.decimal(), sets.noise(*((20, 1000) if bench.smoke else ())).save(bench.folder),
             *(data.save(bench.folder) for data in found[:1 if bench.smoke else None])]
    for line in missing:
        print(line)
    for data in every:
        entropy = data.entropy()
        home, _ = bench.home(data)
        parts = _parts(home)
        sides = [Series("EdgeOps, whole home").add(sum(parts.values()) / data.points)]
        note = "bytes: " + ", ".join(f"{name} {value:,}" for name, value in parts.items())
        sides.append(Series("EdgeOps, chunks alone", note, compare=False).add(parts["chunks"] / data.points))
        arrived, _ = bench.home(data, "home-arrived", "time", "process", 100)
        sides.append(Series("EdgeOps, whole home, as samples arrive", compare=False).add(rivals.disk(arrived) / data.points))
        if entropy is not None:
            sides.append(Series("entropy of the differences", "times and values").add(entropy))
        if bench.has("victoria") and data.name == "noise":
            print("\nnoise: VictoriaMetrics is left out, it keeps about 15 digits only")
        elif bench.has("victoria"):
            for cut in (None, 8192):
                size = bench.victoria.size(data, bench.folder, free_port(), cut)
                sides.append(Series("VictoriaMetrics" + (", series cut at 8,192 rows" if cut else "")).add(size / data.points))
        if bench.has("duckdb"):
            bench.duckdb.write(data, bench.folder / "size.duckdb")
            sides.append(Series("DuckDB").add(rivals.disk(bench.folder / "size.duckdb") / data.points))
        for index in ("plain", "indexed"):
            bench.sqlite.write(data, bench.folder / "size.sqlite", index)
            sides.append(Series(f"SQLite rows, {index}").add(rivals.disk(bench.folder / "size.sqlite") / data.points))
        sides.append(Series("raw", "8 bytes a value, 8 a time").add(data.raw / data.points))
        goal = {"decimal": ("<= 0.95 B/point", lambda value: value <= 0.95),
                "noise": ("<= 1.02x raw", lambda value: value <= 1.02 * data.raw / data.points)}.get(data.name)
        bench.report(f"size of {data.name}: {len(data.assets)} assets, {data.rows} rows x {data.channels}", "B/point", sides, goal,
                     best="low")


def write(bench):
    """From memory until all of it is in chunks; the rivals until their last commit. All but `process` survive the plug."""
    data = bench.decimal()
    ours, process = Series("EdgeOps, power, tables"), Series("EdgeOps, process, tables", compare=False)
    samples = Series("EdgeOps, power, samples", compare=False)
    busy = Series("EdgeOps, by processor time", "all its threads on one processor", compare=False)
    plain, indexed, duck = Series("SQLite rows"), Series("SQLite rows, indexed"), Series("DuckDB, from NumPy arrays")
    arrival, cycles = Series("EdgeOps, power, 10,000 rows a call"), Series("EdgeOps, process, 100 rows a call", compare=False)
    arriving = Series("SQLite rows, indexed")
    for _ in range(bench.rounds):
        reply = bench.home(data)[1]
        ours.add(rate(reply))
        busy.add(per_processor(reply))
        plain.add(rate(bench.sqlite.write(data, bench.folder / "write.sqlite", "plain")))
        process.add(rate(bench.home(data, durability="process")[1]))
        samples.add(rate(bench.home(data, order="asset")[1]))
        indexed.add(rate(bench.sqlite.write(data, bench.folder / "write.sqlite", "indexed")))
        if bench.has("duckdb"):
            duck.add(rate(bench.duckdb.write(data, bench.folder / "write.duckdb")))
        arrival.add(rate(bench.home(data, "home-arrival", "time")[1]))
        arriving.add(rate(bench.sqlite.write(data, bench.folder / "write.sqlite", "indexed", "time")))
        cycles.add(rate(bench.home(data, "home-arrival", "time", "process", 100)[1]))
    bench.report("write from memory to chunks, in order of assets, 10,000 rows a commit", "M points/s",
                 [ours, busy, process, samples, plain, indexed, duck], (">= 20 M points/s", lambda value: value >= 20))
    bench.report("write from memory to chunks, as samples arrive", "M points/s", [arrival, cycles, arriving])


def read(bench):
    """Each series of each asset; every value that comes back is compared with what went in, off the clock."""
    long = sets.decimal(1, 20_000 if bench.smoke else 1_000_000, "long").save(bench.folder)
    for data in (bench.decimal(), long):
        home, _ = bench.home(data)
        bench.sqlite.write(data, bench.folder / "read.sqlite", "indexed")
        if bench.has("duckdb"):
            bench.duckdb.write(data, bench.folder / "read.duckdb")
        ours, tables = Series("EdgeOps, into an array"), Series("EdgeOps, tables", compare=False)
        busy = Series("EdgeOps, by processor time", compare=False)
        rows, duck = Series("SQLite rows, indexed"), Series("DuckDB sums", "adds up, hands out no values")
        fresh, touched = Series("memcpy into fresh memory"), Series("memcpy into touched memory")
        for _ in range(bench.rounds):
            reply = rivals.answer(BENCH, "read", data.path, home, "into")
            ours.add(rate(reply))
            busy.add(per_processor(reply))
            tables.add(rate(rivals.answer(BENCH, "read", data.path, home, "table")))
            rows.add(rate(bench.sqlite.read(data, bench.folder / "read.sqlite")))
            if bench.has("duckdb"):
                duck.add(rate(bench.duckdb.call("read", data, bench.folder / "read.duckdb")))
            copy = rivals.answer(BENCH, "copy", data.path)
            fresh.add(rate(copy))
            touched.add(copy["points"] / copy["touched"] / 1e6)
        bench.report(f"read one series to float64: {len(data.assets) * data.channels} of {data.rows // len(data.assets)} rows",
                     "M values/s", [ours, busy, tables, rows, duck, fresh, touched], (">= 300 M values/s", lambda value: value >= 300))


def aggregate(bench):
    """Min, max and mean of each channel of each asset."""
    data = bench.decimal()
    home, _ = bench.home(data)
    bench.sqlite.write(data, bench.folder / "read.sqlite", "plain")
    if bench.has("duckdb"):
        bench.duckdb.write(data, bench.folder / "read.duckdb")
    ours, scan, rows, duck = Series("EdgeOps"), Series("EdgeOps, scan"), Series("SQLite rows"), Series("DuckDB")
    for _ in range(bench.rounds):
        ours.add(1000 * rivals.answer(BENCH, "aggregate", data.path, home)["seconds"])
        scan.add(1000 * rivals.answer(BENCH, "scan", data.path, home)["seconds"])
        rows.add(1000 * bench.sqlite.aggregate(data, bench.folder / "read.sqlite")["seconds"])
        if bench.has("duckdb"):
            duck.add(1000 * bench.duckdb.call("aggregate", data, bench.folder / "read.duckdb")["seconds"])
    bench.report("aggregate over all: min, max, mean of each channel of each asset", "ms", [ours, scan, rows, duck],
                 (">= 50x the scan", lambda value: scan.median / value >= 50), best="low")


def scale(bench):
    """How cost grows: the decimal set, ten times its assets, ten times its rows. The first figure of each table is the base."""
    assets, rows = (20, 1000) if bench.smoke else (100, 10_000)
    factor = 2 if bench.smoke else 10
    made = {f"{a} assets x {r} rows": (a, r) for a, r in ((assets, rows), (assets * factor, rows), (assets, rows * factor))}
    tables = {"write": ("M points/s", {}), "as samples arrive": ("M points/s", {}), "read": ("M values/s", {}),
              "scan": ("M values/s", {}), "aggregate": ("ms", {}), "whole home": ("B/point", {}), "open": ("ms", {})}
    for name, (a, r) in made.items():
        data = sets.decimal(a, r, "scale").save(bench.folder)
        for _ in range(min(bench.rounds, 3)):
            home, arrived = bench.home(data, "home-scale-time", "time")
            home, written = bench.home(data, "home-scale")
            seen = rivals.answer(BENCH, "read", data.path, home, "into")
            figures = {"write": rate(written), "as samples arrive": rate(arrived), "read": rate(seen),
                       "scan": rate(rivals.answer(BENCH, "scan", data.path, home)),
                       "aggregate": 1000 * rivals.answer(BENCH, "aggregate", data.path, home)["seconds"],
                       "whole home": rivals.disk(home) / data.points, "open": seen["open"] * 1000}
            for what, figure in figures.items():
                tables[what][1].setdefault(name, Series(name)).add(figure)
        data.path.unlink()
    for what, (unit, series) in tables.items():
        bench.report(f"scale, {what}", unit, list(series.values()), best="low" if unit in ("B/point", "ms") else "high")


def assets(bench):
    """Each asset sends in turn: a segment of the journal has few rows of each."""
    counts, rows = ((20, 300), 6000) if bench.smoke else ((100, 1000, 3000, 10_000), 4_800_000)
    program = PROGRAMS / "store_assets"
    for channels in (1, 8):
        tables = {"processor time": "us/point", "written": "B/sample", "memory": "MiB", "longest call": "ms",
                  "open after a kill": "ms", "read, processor time": "ns/value"}
        found = {what: {} for what in tables}
        for _ in range(min(bench.rounds, 3)):
            for count in counts:
                home = bench.folder / "home-assets"
                shape = count, channels, rows // channels
                shutil.rmtree(home, ignore_errors=True)
                rivals.answer(program, "kill", home, *shape, 1000)
                opened = rivals.answer(program, "look", home, *shape)
                shutil.rmtree(home, ignore_errors=True)
                fed = rivals.answer(program, "feed", home, *shape, 1000)
                seen = rivals.answer(program, "look", home, *shape)
                figures = {"processor time": fed["points_us"], "written": fed["written"], "memory": fed["memory_mib"],
                           "longest call": 1000 * fed["longest"], "open after a kill": 1000 * opened["open"],
                           "read, processor time": 1000 * seen["read_us"]}
                for what, figure in figures.items():
                    found[what].setdefault(count, Series(f"{count} assets")).add(figure)
        for what, unit in tables.items():
            sides = [*found[what].values()]
            base = sides[0].median
            goal = {"processor time": ("<= 2x with 3,000 assets", lambda _: all(side.median <= 2 * base for side in sides[1:3])),
                    "written": ("<= 200 B/sample with 3,000 assets", lambda _: all(side.median <= 200 for side in sides[1:3]))}
            bench.report(f"assets of {channels} channels, {what}", unit, sides, goal.get(what), best="low")


def setup():
    """The virtual environment with DuckDB; NumPy is Debian's."""
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--system-site-packages", VENV], check=True)
    subprocess.run([VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "duckdb"], check=True)
    print(f"DuckDB is in {VENV}")


SECTIONS = {"size": size, "write": write, "read": read, "dataset": dataset, "aggregate": aggregate, "memory": memory, "scale": scale,
            "assets": assets}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS)
    parser.add_argument("sections", nargs="*", metavar="SECTION", choices=[*SECTIONS, "setup", []], help=argparse.SUPPRESS)
    parser.add_argument("--smoke", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", metavar="FILE", help="all figures of all rounds")
    parser.add_argument("--keep", metavar="DIR", help="works there and leaves its files")
    wanted = parser.parse_args()
    if wanted.sections == ["setup"]:
        return setup()
    with tempfile.TemporaryDirectory(dir=os.environ.get("EDGEOPS_BENCH_DIR")) as scratch:
        folder = pathlib.Path(wanted.keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder, wanted.smoke)
        print(f"{os.cpu_count()} processors, {bench.rounds} rounds, files in {folder}; x: how many times better EdgeOps is", flush=True)
        for name, reason in bench.absent.items():
            print(f"{name}: not measured, {reason}")
        for name in wanted.sections or SECTIONS:
            before = len(bench.results)
            SECTIONS[name](bench)
            if len(bench.results) == before:
                raise SystemExit(f"section {name} printed no figure")
    if wanted.json:
        pathlib.Path(wanted.json).write_text(json.dumps(bench.results, indent=1) + "\n")
    return None


if __name__ == "__main__":
    sys.exit(main())
