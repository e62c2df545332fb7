# SPDX-License-Identifier: Apache-2.0
"""Makes samples for examples/workflows/aoi-verdict from the records in ../shared/data/pcb-phme2022-aoi (CC BY-NC-SA 4.0, stays there).

    /usr/bin/python3 tests/data/make_aoi_samples.py aoi_training.csv.gz OUTPUT_FOLDER [FOLD]

Writes train.csv and test.csv: every fourth panel, in the order of the file, is a test panel, FOLD (0..3, default 3) says which ones. The records carry no time: panel k was
inspected at minute k here, its records follow one another by 1 ms. The counts are what the station knows once a panel is done.
"""
import collections
import csv
import datetime
import gzip
import pathlib
import sys

COLUMNS = [
    "time", "machine_id", "component_id", "pin_number", "aoi_label", "figure_id", "panel_records", "panel_components",
    "panel_component_records", "figure_records", "component_records", "pin_records", "class",
]
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def samples(path):
    """(panel's number, row) for each record, in the order of panels."""
    with gzip.open(path, "rt", newline="") as file:
        records = list(csv.DictReader(file))
    panels = collections.defaultdict(list)
    for record in records:
        panels[record["panel_id"]].append(record)
    for number, rows in enumerate(panels.values()):
        def count(*keys):
            return collections.Counter(tuple(row[key] for key in keys) for row in rows)

        figure = count("figure_id")
        component = count("figure_id", "component_id")
        pin = count("figure_id", "component_id", "pin_number")
        anywhere = count("component_id")
        for index, row in enumerate(rows):
            time = START + datetime.timedelta(minutes=number, milliseconds=index)
            f, c, p = row["figure_id"], row["component_id"], row["pin_number"]
            yield number, [
                time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), row["machine_id"], c, p, row["aoi_label"], f, len(rows), len(anywhere),
                anywhere[c,], figure[f,], component[f, c], pin[f, c, p], row["class"],
            ]


def main():
    target = pathlib.Path(sys.argv[2])
    fold = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    target.mkdir(parents=True, exist_ok=True)
    with open(target / "train.csv", "w", newline="") as train, open(target / "test.csv", "w", newline="") as test:
        writers = [csv.writer(file, lineterminator="\n") for file in (train, test)]
        for writer in writers:
            writer.writerow(COLUMNS)
        for number, row in samples(sys.argv[1]):
            writers[number % 4 == fold].writerow(row)


if __name__ == "__main__":
    main()
