# SPDX-License-Identifier: Apache-2.0
"""The data that store.py measures with: made from a seed, or read from the CSV files of a folder.

A set is a list of assets, each (times int64 ns, values float64[channels, rows]); store_set.h tells how it stands in a file.
"""
import csv
import datetime
import gzip
import os
import pathlib

import numpy as np

START_MS = 1_760_000_000_000
SECOND = 1_000_000_000
MILLISECOND = 1_000_000


class Set:
    """Assets with times and values, and where the file with them is."""

    def __init__(self, name, assets, decimals=None, note=""):
        self.name = name
        self.assets = assets
        self.decimals = decimals  # of each channel, where the values are decimal numbers
        self.note = note
        self.path = None
        self.channels = len(assets[0][1])
        self.rows = sum(len(times) for times, _ in assets)
        self.points = self.rows * self.channels
        self.raw = 8 * self.rows * (self.channels + 1)  # a time and the values of each row, 8 bytes each

    def save(self, folder):
        """Writes the file that the C programs read."""
        self.path = pathlib.Path(folder) / f"{self.name}.set"
        with open(self.path, "wb") as out:
            out.write(b"EOPSET1\n")
            np.array([len(self.assets), self.channels, *(len(t) for t, _ in self.assets)], np.uint64).tofile(out)
            for times, values in self.assets:
                np.ascontiguousarray(times, np.int64).tofile(out)
                np.ascontiguousarray(values, np.float64).tofile(out)
        return self

    def entropy(self):
        """Bytes a point that the first differences carry, as far as they are independent: what to compare a codec with.

        None where values are no decimal numbers."""
        if self.decimals is None:
            return None
        bits = _entropy(np.concatenate([np.diff(times) for times, _ in self.assets]))
        for c, decimals in enumerate(self.decimals):
            scaled = [np.rint(values[c] * 10.0 ** decimals).astype(np.int64) for _, values in self.assets]
            bits += _entropy(np.concatenate([np.diff(column) for column in scaled]))
        return bits / 8 / self.channels


def _entropy(symbols):
    _, counts = np.unique(symbols, return_counts=True)
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum())


def _jittered(random, rows):
    """1 Hz with 10 % jitter: steps of 900..1,100 whole milliseconds, all equally likely."""
    return (START_MS + np.cumsum(random.integers(900, 1101, rows))) * MILLISECOND


def decimal(assets=100, rows=10_000, name="decimal", seed=1):
    """Random walks with 2, 4 and 3 decimals: whole steps of the last digit, normal with sigma 2 (3.05 bits a value)."""
    random = np.random.default_rng(seed)
    decimals = (2, 4, 3)
    made = []
    for _ in range(assets):
        walks = random.integers(-20_000, 20_000, (3, 1)) + np.cumsum(np.rint(random.normal(0, 2, (3, rows))), axis=1)
        # Divided, not multiplied: so a value is the double that its decimal text means.
        made.append((_jittered(random, rows), walks / np.array([[10.0 ** d] for d in decimals])))
    return Set(name, made, decimals)


def noise(assets=100, rows=10_000, seed=2):
    """White noise: doubles of 64 random bits, but for those that are no finite number, which SQLite cannot hold."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(assets):
        bits = random.integers(0, 2**64, (3, rows), np.uint64)
        values = bits.view(np.float64).copy()
        values[~np.isfinite(values)] = 1.5
        made.append((_jittered(random, rows), values))
    return Set("noise", made)


def _read(path, time_column, time, columns, group=None):
    opener = gzip.open if path.suffix == ".gz" else open
    groups = {}
    with opener(path, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            groups.setdefault(row[group] if group else "", []).append((time(row[time_column]), *(float(row[c]) for c in columns)))
    assets = []
    for rows in groups.values():
        times = np.array([row[0] for row in rows], np.int64)
        times, first = np.unique(times, return_index=True)  # sorted; the first of rows with one time
        assets.append((times, np.array([row[1:] for row in rows], np.float64)[first].T.copy()))
    return assets


def _iso(text):
    moment = datetime.datetime.fromisoformat(text[:26])  # all are UTC; down to the microsecond
    moment = moment.replace(tzinfo=datetime.timezone.utc)
    whole = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (moment - whole) // datetime.timedelta(microseconds=1) * 1000


def _ms(text):
    return int(text) * MILLISECOND


REAL = {
    # name: (in $EDGEOPS_SHARED, file, time column, its reader, columns, group)
    "watch": (False, "examples/data/imu-watch/watch_train.csv.gz", "unixtime_ms", _ms,
              ["x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro"], "subject"),
    "wrists": (True, "data/imu-openpack-both-wrists/openpack_u0209_s0500_boxes01-13.csv.gz", "unixtime_ms", _ms,
               [f"{side}_{what}_{axis}" for side in "rl" for what in ("acc", "gyro") for axis in "xyz"], None),
    "screw": (True, "data/siemens-permissive/screw-6axis.csv", "Timestamp", _iso, ["Fx", "Fy", "Fz", "Tx", "Ty", "Tz"], None),
    "phases": (True, "data/siemens-permissive/si-sample.csv", "DateTime", _iso, ["ph1", "ph2", "ph3"], None),
}


def real(root):
    """The real sets that are there, and a line for each that is not."""
    shared = os.environ.get("EDGEOPS_SHARED")
    sets, missing = [], []
    for name, (is_shared, file, time_column, time, columns, group) in REAL.items():
        folder = shared if is_shared else root
        if folder is None:
            missing.append(f"{name}: not measured, EDGEOPS_SHARED names no folder with {file}")
        elif not (pathlib.Path(folder) / file).exists():
            missing.append(f"{name}: not measured, there is no {pathlib.Path(folder) / file}")
        else:
            sets.append(Set(name, _read(pathlib.Path(folder) / file, time_column, time, columns, group)))
    return sets, missing
