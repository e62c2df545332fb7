# SPDX-License-Identifier: Apache-2.0
"""Imports one CSV file side by side: csv_import.py [--rows N] [--rounds N] [--beside EDGEOPSCTL]... [--smoke].

1 M rows of a time and three channels go into a fresh home by edgeopsctl (whole processes, durable when they end), into a new
DuckDB file, and into a pandas frame with parsed times (the last two where the interpreter has them, without their start). Sides
take turns in each round; medians are printed. --beside: another edgeopsctl, such as that of an earlier commit.
"""
import argparse
import datetime
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(os.environ.get("EDGEOPS_SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("EDGEOPS_BUILD_ROOT", ROOT / "build"))


def write(path, rows):
    pick = random.Random(7)
    start = datetime.datetime(2024, 1, 1)
    with open(path, "w") as out:
        out.write("time,temp,load,count\n")
        for i in range(rows):
            when = (start + datetime.timedelta(seconds=i)).isoformat()
            out.write(f"{when}Z,{pick.gauss(20, 3):.3f},{pick.random() * 100:.2f},{pick.randrange(1000)}\n")


class Clock:
    """Seconds that passed, and seconds of processors, of this process and its children."""

    def __init__(self):
        self.began = self.now()

    @staticmethod
    def now():
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return time.perf_counter(), sum(u.ru_utime + u.ru_stime for u in used)

    def read(self):
        return tuple(b - a for a, b in zip(self.began, self.now()))


def edgeops(program):
    def run(path, folder):
        home = folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([program, "--home", home, "-q", "node", "init"], check=True)
        clock = Clock()
        subprocess.run([program, "--home", home, "-q", "data", "import", "asset", "--input", path], check=True,
                       stdout=subprocess.DEVNULL)
        return clock.read()
    return run


def with_duckdb(path, folder):
    import duckdb
    (folder / "duck.db").unlink(missing_ok=True)
    clock = Clock()
    with duckdb.connect(str(folder / "duck.db")) as base:
        base.execute(f"CREATE TABLE t AS SELECT * FROM read_csv('{path}')")
    return clock.read()


def with_pandas(path, folder):
    import pandas
    clock = Clock()
    pandas.read_csv(path, parse_dates=["time"])
    return clock.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--beside", action="append", default=[])
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    if given.smoke:
        given.rows, given.rounds = 1000, 1
    sides = {"EdgeOps": edgeops(BUILD / "cli/edgeopsctl"), **{name: edgeops(name) for name in given.beside}}
    for name, run in {"DuckDB": with_duckdb, "pandas": with_pandas}.items():
        try:
            __import__(name.lower())
            sides[name] = run
        except ImportError:
            print(f"{name} is not there: left out")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write(folder / "in.csv", given.rows)
        seconds = {name: [] for name in sides}
        for _ in range(given.rounds):
            for name, run in sides.items():
                seconds[name].append(run(folder / "in.csv", folder))
    for name, series in seconds.items():
        passed, used = zip(*series)
        print(f"{name}: {statistics.median(passed):.3f} s for {given.rows:,} rows ({min(passed):.3f}..{max(passed):.3f}), "
              f"processors {statistics.median(used):.3f} s ({min(used):.3f}..{max(used):.3f})")


if __name__ == "__main__":
    sys.exit(main())
