# SPDX-License-Identifier: Apache-2.0
"""One run of store.py: its folder, its rounds, who takes part, and the tables that come out."""
import os
import pathlib
import shutil
import statistics
import sys

import store_rivals as rivals
import store_sets as sets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import BUILD  # noqa: E402

PROGRAMS = BUILD / "tests/bench"
BENCH = PROGRAMS / "store_bench"
VENV = pathlib.Path(os.environ.get("EDGEOPS_BENCH_VENV", PROGRAMS / "venv"))


class Series:
    """What one side gave in each round."""

    def __init__(self, name, note="", compare=True):
        self.name = name
        self.note = note
        self.compare = compare  # whether ours is told as a multiple of it
        self.figures = []

    def add(self, figure):
        self.figures.append(figure)
        return self

    @property
    def median(self):
        return statistics.median(self.figures)


class Bench:
    def __init__(self, folder, smoke=False):
        self.folder = pathlib.Path(folder)
        self.smoke = smoke
        self.rounds = 1 if smoke else max(1, int(os.environ.get("EDGEOPS_BENCH_ROUNDS", "5")))
        self.sqlite = rivals.Sqlite(PROGRAMS)
        self.duckdb = rivals.DuckDb(VENV)
        self.victoria = rivals.VictoriaMetrics()
        self.absent = {}
        self.results = {}
        for name, missing in (("duckdb", self.duckdb.missing), ("victoria", self.victoria.missing),
                              ("pandas", rivals.pandas_missing)):
            reason = "left out of the smoke test" if smoke else missing()
            if reason:
                self.absent[name] = reason
        self._decimal = None

    def has(self, rival):
        return rival not in self.absent

    def decimal(self):
        """The decimal set, made once."""
        if self._decimal is None:
            self._decimal = (sets.decimal(20, 1000) if self.smoke else sets.decimal()).save(self.folder)
        return self._decimal

    def home(self, data, name=None, order="table", durability="power", rows=10_000):
        """Writes a home anew, at most so many rows a call; gives its path and what the writer said."""
        home = self.folder / (name or f"home-{data.name}")
        shutil.rmtree(home, ignore_errors=True)
        return home, rivals.answer(BENCH, "write", data.path, home, order, durability, rows)

    def report(self, what, unit, series, goal=None, best="high"):
        """Prints the sides, the first one ours, as a table. goal: (text, condition on our median)."""
        series = [side for side in series if side.figures]
        ours = series[0].median
        width = max(len(side.name) for side in series)
        print(f"\n{what} [{unit}]", flush=True)
        for side in series:
            spread = f"{_short(min(side.figures))} .. {_short(max(side.figures))}" if len(side.figures) > 1 else ""
            ratio = ""
            if side.compare and side is not series[0] and min(side.median, ours) > 0:
                times = ours / side.median if best == "high" else side.median / ours
                ratio = f"{_short(times)}x"
            print(f"  {side.name:{width}} {_short(side.median):>9}  {spread:20} {ratio:>7}  {side.note}".rstrip(), flush=True)
        met = None
        if goal:
            met = bool(goal[1](ours))
            print(f"  wanted {goal[0]}: " + ("means nothing in a smoke test" if self.smoke else "met" if met else "missed"))
        self.results[what] = {"unit": unit, "sides": {side.name: side.figures for side in series}, "goal_met": met}


def _short(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def rate(reply):
    """Millions of points a second."""
    return reply["points"] / reply["seconds"] / 1e6


def per_processor(reply):
    """The same by the time of all threads on a processor: steadier where others use the machine, too."""
    return reply["points"] / reply["processor"] / 1e6
