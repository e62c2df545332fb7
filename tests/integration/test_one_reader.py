# SPDX-License-Identifier: Apache-2.0
"""One reader: the same rows through every format, dialect and way in give the same store.

A random model of rows is written in many ways; each is imported as an asset of its own, and what the store then holds is compared
with the model, values and types. EDGEOPS_TEST_SEED repeats a run, EDGEOPS_TEST_SEEDS makes more of them.
"""
import csv
import datetime
import io
import json
import math
import os
import pathlib
import random
import sys
import zoneinfo

import numpy as np
import paho.mqtt.client as mqtt
import pytest

from harness import BUILD, ROOT, Broker, Node, wait_until

sys.path.insert(0, str(ROOT / "bindings/python"))
os.environ.setdefault("EDGEOPS_LIBRARY", str(BUILD / "lib/libedgeops.so"))

FIRST = int(os.environ.get("EDGEOPS_TEST_SEED", 1))
SEEDS = range(FIRST, FIRST + int(os.environ.get("EDGEOPS_TEST_SEEDS", 3)))
SECOND = 1_000_000_000
NULL_WORDS = ["", "NA", "N/A", "NaN", "null", "None", "?", "-"]
TEXTS = ["ok", "a,b", 'say "x"', "two\nlines", "x;y", " blanks ", "NA", "", "12", "true", "grüße", "-", "semi|tab\t."]


def model(rng):
    """(times in ns, {channel: values}, types): whole seconds, so that every form of time can hold them."""
    n = rng.randrange(3, 80)
    start = rng.randrange(500_000_000, 1_900_000_000)
    times, at = [], start
    for _ in range(n):
        times.append(at * SECOND)
        at += rng.randrange(1, 5000)
    channels, types = {}, {}

    def add(name, type, make):
        values = [None if rng.random() < 0.2 else make() for _ in range(n)]
        values[0] = make() if type != "string" else "first text"
        channels[name], types[name] = values, type

    add("temp", "float64", lambda: round(rng.uniform(-50, 150), rng.randrange(0, 6)))
    add("big value", "float64", lambda: rng.choice([5142800.0, 1e-9, -2.5e30, 0.1, 1e16, -0.0, float(rng.randrange(2**40))]))
    add("on", "bool", lambda: rng.random() < 0.5)
    add("state", "string", lambda: rng.choice(TEXTS))
    keep = [i for i in range(n) if any(values[i] is not None for values in channels.values())]
    return [times[i] for i in keep], {name: [values[i] for i in keep] for name, values in channels.items()}, types


# -- forms of time -------------------------------------------------------------------------------------

def utc(ns):
    return datetime.datetime.fromtimestamp(ns // SECOND, datetime.timezone.utc)


def in_zone(name):
    return lambda ns: utc(ns).astimezone(zoneinfo.ZoneInfo(name)).strftime("%Y-%m-%d %H:%M:%S")


TIMES = {  # how a time is written, and the options that it needs
    "iso": (lambda ns: utc(ns).strftime("%Y-%m-%dT%H:%M:%SZ"), []),
    "no zone": (lambda ns: utc(ns).strftime("%Y-%m-%d %H:%M:%S"), []),
    "offset": (lambda ns: (utc(ns) + datetime.timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02"), []),
    "basic": (lambda ns: utc(ns).strftime("%Y%m%dT%H%M%SZ"), []),
    "digits": (lambda ns: utc(ns).strftime("%Y%m%d%H%M%S"), []),
    "fraction": (lambda ns: utc(ns).strftime("%Y-%m-%dT%H:%M:%S") + ".0000000000+0000", []),
    "s": (lambda ns: str(ns // SECOND), []),
    "exponent": (lambda ns: f"{ns // SECOND:.9E}", []),
    "ms": (lambda ns: str(ns // 1_000_000), ["--time-unit", "ms"]),
    "ns": (lambda ns: str(ns), []),
    "format": (lambda ns: utc(ns).strftime("%d.%m.%Y %H:%M:%S"), ["--time-format", "%d.%m.%Y %H:%M:%S"]),
    "english": (lambda ns: utc(ns).strftime("%b %d %Y %I.%M.%S %p"), ["--time-format", "%b %d %Y %I.%M.%S %p"]),
    "local": (in_zone("Asia/Tokyo"), ["--time-zone", "Asia/Tokyo"]),
}


# -- ways to write the rows ----------------------------------------------------------------------------

def number(value):
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 and math.copysign(1, value) > 0 else repr(value)


def text_of(value, null, decimal="."):
    if value is None:
        return null
    if isinstance(value, bool):
        return "true" if value else "false"
    return number(value).replace(".", decimal) if isinstance(value, float) else value


def field(text, separator, quote_all, quote='"'):
    needs = quote_all or text == "" or any(c in text for c in (separator, quote, "\n", "\r", '"')) or text != text.strip()
    return quote + text.replace(quote, quote * 2) + quote if needs else text


def csv_rows(rows, rng, options):
    """Rows of (text or None for nothing) as CSV in a random dialect; adds the options that it needs."""
    separator = rng.choice([",", ";", "|", "\t"])
    quote_all, end = rng.random() < 0.3, rng.choice(["\n", "\r\n", "\r"] if len(rows) > 3 else ["\n", "\r\n"])
    quote = rng.choice(['"', '"', "'"])
    if separator != ",":
        options += ["--separator", "tab" if separator == "\t" else separator]
    if quote != '"':
        options += ["--quote", quote]
    tail = separator if rng.random() < 0.2 else ""
    lines = [separator.join("" if cell is None else field(cell, separator, quote_all, quote) for cell in row) + tail
             for row in rows]
    if rng.random() < 0.3:
        at = rng.randrange(1, len(lines) + 1)
        lines.insert(at, separator * (len(rows[0]) - 1))  # a row of separators only
    head = ""
    if rng.random() < 0.3:
        head = "Logger 7, serial 12" + end + "exported by hand" + end
        options += ["--skip-rows", "2"]
    return ("\ufeff" if rng.random() < 0.3 else "") + head + end.join(lines) + (end if rng.random() < 0.8 else "")


def write_csv(folder, name, rng, times, channels, types):
    write_time, options = rng.choice(list(TIMES.values()))
    options = list(options)
    null = rng.choice(NULL_WORDS + ["missing"])
    decimal = rng.choice([".", ","])
    if null == "missing":
        options += ["--null", "missing"]
    if decimal == ",":
        options += ["--decimal", ","]
    # A text that is null is nothing at all: a word for null is a text there.
    rows = [[write_time(t)] + [None if v[i] is None and types[c] == "string" else
                               (text_of(v[i], null, decimal) or (None if v[i] is None else ""))
                               for c, v in channels.items()] for i, t in enumerate(times)]
    header = ["time", *channels]
    if rng.random() < 0.25:
        options += ["--no-header", "--names", ",".join(header)]
    else:
        units = ["s", *("degC" if types[c] == "float64" else "" for c in channels)]
        rows[:0] = [header, units] if rng.random() < 0.3 else [header]
    path = folder / f"{name}.csv"
    path.write_bytes(csv_rows(rows, rng, options).encode())
    return path, options


def write_lines(folder, name, rng, times, channels, types):
    write_time, options = rng.choice(list(TIMES.values()))
    words = rng.random() < 0.5

    def row(i):
        t = write_time(times[i])
        members = {"time": int(t) if t.isdigit() and rng.random() < 0.5 else t}
        for c, values in channels.items():
            value = values[i]
            if value is None:
                if rng.random() < 0.5:
                    members[c] = float("nan") if words and types[c] == "float64" else None
            else:
                members[c] = int(value) if isinstance(value, float) and value.is_integer() and number(value).isdigit() \
                    and rng.random() < 0.5 else value
        return members

    lines = [json.dumps(row(i), ensure_ascii=rng.random() < 0.5) for i in range(len(times))]
    mark = "\ufeff" if rng.random() < 0.3 else ""
    path = folder / f"{name}.jsonl"
    text = "[" + ",\n ".join(lines) + "]" if rng.random() < 0.3 else rng.choice(["\n", "\r\n", "\n\n"]).join(lines)
    path.write_bytes((mark + text).encode())
    return path, list(options)


def write_npz(folder, name, rng, times, channels, types):
    kinds = {"float64": "f8", "bool": "?", "string": None}
    arrays = {"times": np.array(times, "datetime64[ns]").astype("datetime64[s]") if rng.random() < 0.5 else np.array(times)}
    for c, values in channels.items():
        empty = {"float64": 0.0, "bool": False, "string": ""}[types[c]]
        arrays[c] = np.array([empty if v is None else v for v in values], kinds[types[c]])
        if any(v is None for v in values):
            arrays["valid/" + c] = np.array([v is not None for v in values])
    path = folder / f"{name}.npz"
    (np.savez if rng.random() < 0.5 else np.savez_compressed)(path, **arrays)
    return path, []


def write_long(folder, name, rng, times, channels, types):
    """A value a row: only the numbers, since a column has one type."""
    rows = [["time", "tag", "value"]]
    for i, t in enumerate(times):
        for c in (c for c in channels if types[c] == "float64" and channels[c][i] is not None):
            rows.append([TIMES["iso"][0](t), c, text_of(channels[c][i], "NA")])
    options = ["--channel-column", "tag", "--value-column", "value"]
    path = folder / f"{name}.csv"
    path.write_bytes(csv_rows(rows, rng, options).encode())
    return path, options


def write_wide(folder, name, rng, times, channels, types):
    rows = [["time", *(f"{name}.{c}" for c in channels), "other.x"]]
    for i, t in enumerate(times):
        rows.append([TIMES["iso"][0](t)] + [None if v[i] is None else text_of(v[i], "") for v in channels.values()] + ["1"])
    options = ["--column-pattern", "{asset}.{channel}"]
    path = folder / f"{name}.csv"
    path.write_bytes(csv_rows(rows, rng, options).encode())
    return path, options


def write_tagged(folder, name, rng, times, channels, types):
    """The asset's name in a column, between rows of another asset."""
    rows = [["device", "time", *channels]]
    for i, t in enumerate(times):
        rows.append([name, TIMES["iso"][0](t)] +
                    [None if v[i] is None else text_of(v[i], "") for v in channels.values()])
        if rng.random() < 0.3:
            rows.append(["another", TIMES["iso"][0](t), *("1" if types[c] == "float64" else None for c in channels)])
    options = []
    path = folder / f"{name}.csv"
    path.write_bytes(csv_rows(rows, rng, options).encode())
    return path, options


# -- the comparison ------------------------------------------------------------------------------------

def check(store, asset, times, channels, types, only=None):
    names = [c for c in channels if only is None or types[c] == only]
    rows = [i for i in range(len(times)) if any(channels[c][i] is not None for c in names)]
    table = store.read(asset)
    stored, wanted = [int(t) for t in table.times_ns], [times[i] for i in rows]
    assert stored == wanted, f"{asset}: of times {sorted(set(wanted) - set(stored))[:5]} are missing, " \
        f"{sorted(set(stored) - set(wanted))[:5]} are foreign"
    kinds = {c.name: c.type for c in store.asset(asset).channels}
    for c in names:
        want = [channels[c][i] for i in rows]
        if all(v is None for v in want):
            continue
        assert kinds[c] == types[c], f"{asset}: {c} is {kinds[c]}"
        valid = table.valid[c]
        got = [None if valid is not None and not valid[k] else v for k, v in enumerate(table[c])]
        for k, (g, w) in enumerate(zip(got, want)):
            same = g is None and w is None or g is not None and w is not None and g == w and \
                (not isinstance(w, float) or math.copysign(1, g) == math.copysign(1, w))
            assert same, f"{asset}, row {k}, {c}: {g!r}, not {w!r}"


@pytest.mark.parametrize("seed", SEEDS)
def test_files_of_every_form_give_one_store(tmp_path, seed):
    import edgeops

    rng = random.Random(seed)
    print("seed", seed)
    with Node(tmp_path) as node:
        node.run("node", "init")
        done = []
        for k in range(10):
            rows = model(rng)
            for write, only in ((write_csv, None), (write_csv, None), (write_lines, None), (write_npz, None),
                                (write_long, "float64"), (write_wide, None), (write_tagged, None)):
                name = f"{write.__name__[6:]}{len(done)}"
                path, options = write(tmp_path, name, rng, *rows)
                target = {"wide": "{asset}", "tagged": "{device}"}.get(write.__name__[6:], name)
                told = node.run("data", "import", target, "--input", path, *options, check=False)
                done.append((name, path, options, rows, only, told))
        wrong = []
        with edgeops.Store.open(node.home) as store:
            for name, path, options, rows, only, told in done:
                try:
                    assert told.returncode == 0, told.stderr
                    check(store, name, *rows, only=only)
                except (AssertionError, edgeops.Error) as error:
                    wrong.append(f"seed {seed}, {path} {' '.join(options)}: {error}")
        assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("seed", SEEDS)
def test_messages_and_arrays_give_the_same_store(tmp_path, seed):
    import edgeops

    rng = random.Random(seed)
    models = [model(rng) for _ in range(5)]
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        with node.serve():
            node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "m/+", "--asset", "{2}")
            wait_until(lambda: node.json("source", "show", "plant")["state"] == "running", what="the source")
            client = mqtt.Client(client_id="sender")
            client.connect("127.0.0.1", broker.port)
            client.loop_start()
            expected = 0
            for k, (times, channels, types) in enumerate(models):
                for i, t in enumerate(times):
                    text = TIMES[rng.choice(["iso", "offset", "basic", "s", "digits", "fraction"])][0](t)
                    members = {c: v[i] for c, v in channels.items() if v[i] is not None or rng.random() < 0.5}
                    client.publish(f"m/message{k}", json.dumps({"time": text, **members}), qos=1).wait_for_publish(20)
                    expected += 1
            wait_until(lambda: node.json("source", "show", "plant")["stats"]["samples"] == expected, 30,
                       lambda: f"{expected} samples: {node.run('source', 'show', 'plant').stdout}")
            client.disconnect()
            client.loop_stop()
        node.stop()
        with edgeops.Store.open(node.home) as store:
            for k, (times, channels, types) in enumerate(models):
                check(store, f"message{k}", times, channels, types)
                arrays = {c: np.ma.array([0.0 if x is None else x for x in v], mask=[x is None for x in v])
                          if types[c] == "float64" else v for c, v in channels.items()}
                store.append(f"array{k}", np.array(times, "datetime64[ns]"), arrays)
                check(store, f"array{k}", times, channels, types)


# -- rows that come in parts ---------------------------------------------------------------------------

def by_rule(rows):
    """{(time, seq): cells} of rows (time, cells) as they stand in a file: a row that repeats a channel of the newest row of its
    time is the next one, else it is a part of that row. Nulls say nothing, and rows without a value neither."""
    whole, newest = {}, {}
    for time, cells in rows:
        cells = {c: v for c, v in cells.items() if v is not None}
        if not cells:
            continue
        if time in newest and cells.keys() & whole[time, newest[time]].keys():
            newest[time] += 1
        seq = newest.setdefault(time, 0)
        whole.setdefault((time, seq), {}).update(cells)
    return whole


PARTS = ["a", "b", "c", "d e", "f"]


def parts_of(rng, names):
    """Rows of some channels, whose times come again at once and later, in any order."""
    times = [1_700_000_000 * SECOND + i * SECOND for i in range(rng.randrange(1, 30))]
    rows = []
    for _ in range(rng.randrange(1, 120)):
        cells = {c: round(rng.uniform(-9, 9), 3) if rng.random() < 0.7 else None for c in names if rng.random() < 0.6}
        if any(v is not None for v in cells.values()):
            rows.append((rng.choice(times), cells))
    for c in names:
        rows.append((rng.choice(times), {c: 1.5}))
    if rng.random() < 0.5:
        rows.sort(key=lambda row: row[0])
    return rows


def parts_csv(rng, rows, names):
    table = [["time", *names]]
    table += [[TIMES["iso"][0](t)] + [None if cells.get(c) is None else text_of(cells[c], "") for c in names] for t, cells in rows]
    return "csv", "\n".join(",".join("" if cell is None else cell for cell in row) for row in table).encode(), [], rows


def parts_lines(rng, rows, names):
    lines = [json.dumps({"time": TIMES["iso"][0](t), **cells}) for t, cells in rows]
    text = "[" + ",\n".join(lines) + "]" if rng.random() < 0.5 else "\n".join(lines)
    return "jsonl", text.encode(), [], rows


def parts_npz(rng, rows, names):
    arrays = {"times": np.array([t for t, _ in rows])}
    for c in names:
        arrays[c] = np.array([cells.get(c) or 0.0 for _, cells in rows])
        arrays["valid/" + c] = np.array([cells.get(c) is not None for _, cells in rows])
    file = io.BytesIO()
    np.savez(file, **arrays)
    return "npz", file.getvalue(), [], rows


def parts_long(rng, rows, names):
    values = [(t, {c: v}) for t, cells in rows for c, v in cells.items()]
    if rng.random() < 0.5:
        values.sort(key=lambda row: [*row[1]])  # one channel after the other
    table = [["time", "tag", "value"]]
    table += [[TIMES["iso"][0](t), c, text_of(v, "NA")] for t, cells in values for c, v in cells.items()]
    gathered = []  # values of one time that stand together are a row, until a channel comes again
    for t, cells in values:
        if gathered and gathered[-1][0] == t and not cells.keys() & gathered[-1][1].keys():
            gathered[-1][1].update(cells)
        else:
            gathered.append((t, dict(cells)))
    return "csv", "\n".join(map(",".join, table)).encode(), ["--channel-column", "tag", "--value-column", "value"], gathered


def stored_parts(store, asset):
    table = store.read(asset)
    rows = {}
    for k, key in enumerate(zip(map(int, table.times_ns), map(int, table.seqs))):
        assert key not in rows, f"{asset}: {key} is there twice"
        rows[key] = {c: table[c][k] for c in table.keys() if table.valid[c] is None or table.valid[c][k]}
    return rows


def merge(into, more):
    for key, cells in more.items():
        assert not cells.keys() & into.setdefault(key, {}).keys()
        into[key].update(cells)


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_in_parts_become_whole_in_files_of_every_form(tmp_path, seed):
    """Files of several channels each, as of sensors, in any order; each again changes nothing; and what is exported comes back."""
    import edgeops

    rng = random.Random(seed)
    with Node(tmp_path) as node:
        node.run("node", "init")
        wanted = {}
        for k in range(8):
            names, files, want = rng.sample(PARTS, len(PARTS)), [], {}
            while names:
                take = names[:rng.randrange(1, 4)]
                names = names[len(take):]
                write = rng.choice([parts_csv, parts_lines, parts_npz, parts_long])
                form, data, options, rows = write(rng, parts_of(rng, take), take)
                path = tmp_path / f"{k}-{len(files)}.{form}"
                path.write_bytes(data)
                files.append((path, [*options, "--batch", str(rng.choice([1, 7, 1000]))]))
                merge(want, by_rule(rows))
            for path, options in rng.sample(files, len(files)):
                told = node.json("data", "import", f"parts{k}", path, *options)
                assert told["conflicts"] == 0 and told["appended"] + told["merged"] + told["duplicates"] == told["rows"], path
            for path, options in files:
                told = node.json("data", "import", f"parts{k}", path, *options)
                assert (told["appended"], told["merged"], told["conflicts"]) == (0, 0, 0), f"seed {seed}: {path} again: {told}"
            wanted[f"parts{k}"] = want
            for form in ("csv", "jsonl", "npz"):
                out = tmp_path / f"out{k}.{form}"
                node.run("data", "export", f"parts{k}", "--output", out)
                told = node.json("data", "import", f"{form}{k}", out)
                assert (told["appended"], told["merged"], told["duplicates"]) == (len(want), 0, 0), f"seed {seed}: {out}: {told}"
                wanted[f"{form}{k}"] = want
        with edgeops.Store.open(node.home) as store:
            for asset, want in wanted.items():
                assert stored_parts(store, asset) == want, f"seed {seed}: {asset}"


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_in_parts_become_whole_from_messages_and_files_alike(tmp_path, seed):
    """Two sources, one topic a value, for one asset: bare values of a time, lists, retained messages; in any order, some twice."""
    import edgeops

    rng = random.Random(seed)
    wanted = {f"m{k}": {} for k in range(3)}
    messages = []
    for asset, want in wanted.items():
        for c in PARTS:
            rows = [(t, {c: cells[c]}) for t, cells in parts_of(rng, [c])]
            merge(want, by_rule(rows))
            by_time = {}
            for t, cells in rows:
                by_time.setdefault(t, []).append({"ts": TIMES["iso"][0](t), **cells})
            if rng.random() < 0.5:
                messages += [(f"{asset}/{c}", elements if len(elements) > 1 or rng.random() < 0.3 else elements[0])
                             for elements in by_time.values()]
            else:
                messages.append((f"{asset}/{c}", [e for elements in by_time.values() for e in elements]))
    rng.shuffle(messages)
    messages += rng.sample(messages, 10)
    with Broker(tmp_path) as broker, Node(tmp_path) as node:
        node.run("node", "init")
        client = mqtt.Client(client_id="sender")
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        kept = [k for k, (topic, _) in enumerate(messages) if rng.random() < 0.1]
        for k in kept:  # the broker gives the last one of each topic to who subscribes
            client.publish(f"p{k % 2}/{messages[k][0]}", json.dumps(messages[k][1]), qos=1, retain=True).wait_for_publish(20)
        with node.serve():
            for name in "p0", "p1":
                node.run("source", "add", name, "--driver", "mqtt", "--url", broker.url, "--topic", f"{name}/+/+",
                         "--asset", "{2}", "--time", "ts")
                wait_until(lambda: node.json("source", "show", name)["state"] == "running", what="the source")
            for k, (topic, payload) in enumerate(messages):
                client.publish(f"p{k % 2}/{topic}", json.dumps(payload), qos=1).wait_for_publish(20)
            wait_until(lambda: sum(node.json("source", "show", s)["stats"]["messages"] for s in ("p0", "p1")) >= len(messages),
                       what="the messages")
            for name in "p0", "p1":
                shown = node.json("source", "show", name)
                assert (shown["stats"]["dead"], shown["stats"]["conflicts"]) == (0, 0), f"seed {seed}: {shown}"
                assert shown["stats"]["merged"] > 0
            assert node.json("asset", "show", "m0")["parts"] > 0
        client.loop_stop()
        client.disconnect()
        node.stop()
        with edgeops.Store.open(node.home) as store:
            for asset, want in wanted.items():
                assert stored_parts(store, asset) == want, f"seed {seed}: {asset}"
