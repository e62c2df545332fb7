# SPDX-License-Identifier: Apache-2.0
"""Cuts examples/data/imu-watch from the wrist-watch set in ../shared/data/imu-watch-har-geotec.

    /usr/bin/python3 tests/data/make_imu_excerpt.py SOURCE.csv.gz examples/data/imu-watch [--baseline]

Whole people are kept or dropped, no row of a kept one is changed. The same source gives the same bytes.
--baseline also trains scikit-learn on the excerpt and prints the figures that its README states.
"""
import csv
import gzip
import hashlib
import io
import pathlib
import sys

TRAIN = ["s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08"]
UNSEEN = ["s18", "s19", "s20", "s21"]
COLUMNS = ["subject", "run", "unixtime_ms", "x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro", "label"]
CHANNELS = COLUMNS[3:9]
ROWS, STEP, MAX_GAP_MS = 50, 25, 1000


def write(path, rows):
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    out.writerows([row[c] for c in COLUMNS] for row in rows)
    # Neither the time nor the name of the file goes into the gzip header.
    data = gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0)
    path.write_bytes(data)
    print(f"{path.name}: {len(data)} bytes, {len(rows)} data rows, sha256 {hashlib.sha256(data).hexdigest()}")


def runs(rows, by_label):
    """Stretches of one person without a pause and, with by_label, of one label."""
    part = []
    for row in rows:
        if part:
            last = part[-1]
            pause = int(row["unixtime_ms"]) - int(last["unixtime_ms"]) > MAX_GAP_MS
            if row["subject"] != last["subject"] or pause or (by_label and row["label"] != last["label"]):
                yield part
                part = []
        part.append(row)
    if part:
        yield part


def windows(rows, by_label):
    """Features and labels of all windows that hold one label only."""
    import numpy as np
    values, labels = [], []
    for part in runs(rows, by_label):
        table = np.array([[float(row[c]) for c in CHANNELS] for row in part])
        for first in range(0, len(part) - ROWS + 1, STEP):
            names = {row["label"] for row in part[first:first + ROWS]}
            if len(names) == 1:
                values.append(table[first:first + ROWS])
                labels.append(names.pop())
    x = np.array(values)
    features = [x.mean(1), x.std(1), x.min(1), x.max(1), np.sqrt((x * x).mean(1)), np.abs(np.diff(x, axis=1)).mean(1)]
    return np.concatenate(features, axis=1), np.array(labels)


def baseline(train, unseen):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import accuracy_score, f1_score
    x, y = windows(train, True)
    model = RandomForestClassifier(200, random_state=0).fit(x, y)
    for by_label in (True, False):
        tx, ty = windows(unseen, by_label)
        guess = model.predict(tx)
        print(f"windows {'start anew at a label border' if by_label else 'on a fixed step, mixed ones left out'}: "
              f"{len(x)} train, {len(tx)} unseen: accuracy {accuracy_score(ty, guess):.4f}, "
              f"macro F1 {f1_score(ty, guess, average='macro'):.4f}")


def main():
    source, target = sys.argv[1], pathlib.Path(sys.argv[2])
    with gzip.open(source, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    train = [row for row in rows if row["subject"] in TRAIN]
    unseen = [row for row in rows if row["subject"] in UNSEEN]
    target.mkdir(parents=True, exist_ok=True)
    write(target / "watch_train.csv.gz", train)
    write(target / "watch_unseen.csv.gz", unseen)
    if "--baseline" in sys.argv:
        baseline(train, unseen)


main()
