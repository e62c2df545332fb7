# SPDX-License-Identifier: Apache-2.0
"""What data.export and dataset.export write comes back through data.import, bit for bit: random assets of every type, with
names and texts that a reader might take for something else. EDGEOPS_TEST_SEED repeats one, EDGEOPS_TEST_ROUNDS makes more."""
import csv
import io
import json
import os
import random
import struct
import sys
import tempfile

import pytest

from harness import BUILD, ROOT, WORKER

np = pytest.importorskip("numpy")
sys.path.insert(0, str(ROOT / "bindings/python"))
os.environ.setdefault("EDGEOPS_LIBRARY", str(BUILD / "lib/libedgeops.so"))
edgeops = pytest.importorskip("edgeops")

ROUNDS = int(os.environ.get("EDGEOPS_TEST_ROUNDS", "0")) or 250
SEEDS = [int(os.environ["EDGEOPS_TEST_SEED"])] if "EDGEOPS_TEST_SEED" in os.environ else range(ROUNDS)
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
TYPES = ["float64"] * 4 + ["float32", "bool", "bool", "string", "string", "string"] + INTEGERS + ["array", "array"]
NAMES = ["time", "times", "seq", "seqs", "label", "labels", "asset", "group", "split", "error", "a", "b", "x", "x:quality", "a:int64",
         "a:int64:float64", "a:float32[3]", "b:bool", "v:blob", "n:null", "x:", "a,b", 'say "x"', " x", "x ", "it's", "1.5", "7",
         "2024-01-01", "true", "NA", "nan", "-", "?", "Unnamed: 0", "column_2", "c1", "channel", "value", "valid/x", "quality/x",
         "channel/x", "temp [C]", "p (bar)", "#x", "a;b", "a|b", "é", "温度", "x.y/z", "{x}", "timestamp", "date", "index", "name"]
TEXTS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", "-", "true", "false", "True", "1", "0", "007", "42", "-1", "1.5",
         "1e5", "1,5", "1.234,5", " 1 ", " ", "\t", "a,b", 'say "x"', '"', '""', "'", "two\nlines", "two\r\nlines", "\r", "\n", "x\ty",
         "2024-01-01", "2024-01-01T00:00:00Z", "20240131", "#no comment", "//", "\\", "\\n", "[1,2]", "{}", "{\"a\":1}", "é", "温度",
         "\U0001f600", "\ufeffx", "Infinity", "-Infinity", "inf", "+1", "0x10", "sha256:abc", "x" * 300, ";", "|", "word", "Word two"]
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.1, 1e300, -1e-300, 5e-324, 1e15, 123456789.0, 5142800.0, 9007199254740993.0, 1.8446744073709552e19,
          20240131.0, 1704067200.0, float("nan"), float("-inf"), float("inf")]
WORDS = ["ok", "high", "NA", "null", "-", " late ", "a,b", 'x"y', "two\nlines", "1", "true", "é"]


def floats(rng, n, kind, special):
    """Of all magnitudes, some rows random bits; special: NaN and infinities too."""
    out = []
    for _ in range(n):
        way = rng.random()
        if way < 0.3:
            x = rng.choice(FLOATS)
        elif way < 0.5:
            x = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
        else:
            x = round(rng.uniform(-1000, 1000), rng.randrange(0, 6))
        out.append(x if special or np.isfinite(x) else 1.25)
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.array(out, np.float64).astype(kind)
    if not special:
        array[~np.isfinite(array)] = 2.5
    return array


def integers(rng, n, kind):
    info = np.iinfo(kind)
    edges = [0, 1, info.min, info.max, info.max - 1]
    return np.array([rng.choice(edges) if rng.random() < 0.3 else rng.randint(info.min, info.max) for _ in range(n)], kind)


def texts(rng, n):
    pool = rng.choice([TEXTS, TEXTS, ["1", "2", "42"], ["true", "false"], ["NA", "null", "-"], ["NaN", "1.5"], ["", "x"], ["", " "],
                       ["20240131", "7"], ["a", "b", "c"]])
    late = n > 520 and rng.random() < 0.5  # a word comes only behind what a reader looks at
    return [rng.choice(["1", "2"]) if late and i < 515 else rng.choice(pool) for i in range(n)]


def column(rng, n, kind):
    """Values and which of them are there."""
    there = np.array([rng.random() >= 0.3 for _ in range(n)]) if rng.random() < 0.5 else np.ones(n, bool)
    if n > 520 and rng.random() < 0.3:
        there[:rng.randrange(510, 520)] = False
    if rng.random() < 0.05:
        there[:] = False
    if kind == "string":
        return [text if ok else None for text, ok in zip(texts(rng, n), there)], there
    if kind == "array":
        of, length = rng.choice(["float64", "float32", *INTEGERS]), rng.randrange(2, 5)
        make = floats(rng, n * length, of, rng.random() < 0.5) if of.startswith("float") else integers(rng, n * length, of)
        values = make.reshape(n, length)
        return np.ma.array(values, mask=np.repeat(~there[:, None], length, 1)), there
    values = (np.array([rng.random() < 0.5 for _ in range(n)]) if kind == "bool" else
              integers(rng, n, kind) if kind in INTEGERS else floats(rng, n, kind, rng.random() < 0.4))
    return np.ma.array(values, mask=~there), there


def places(rng, n):
    """Times and seqs, sorted, different."""
    way = rng.random()
    start = rng.choice([0, 1_700_000_000_000_000_000, -2**62, 1])
    steps = [rng.choice([0, 0, 1, 1000, 10**9]) if way < 0.6 else 10**9 for _ in range(n)]
    times = start + np.cumsum(np.array(steps, np.int64))
    counted = np.zeros(n, np.int64)
    for i in range(1, n):
        counted[i] = counted[i - 1] + 1 if times[i] == times[i - 1] else 0
    if rng.random() < 0.5:
        return times, counted
    return times, np.array(sorted(rng.sample(range(-n, 3 * n), n))) * rng.choice([1, 2**40])


def fill(rng, store, asset, names, kinds):
    """An asset of random content; gives the rows that have a value."""
    n = rng.choice([1, 2, 3, 5, 8, 13, 40]) if rng.random() < 0.93 else rng.choice([512, 530, 700])
    times, seqs = places(rng, n)
    columns, masks = {}, []
    for name, kind in zip(names, kinds):
        columns[name], there = column(rng, n, kind)
        masks.append(there)
    qualities = {}
    for name, there in zip(names, masks):
        if rng.random() < 0.2:
            codes = np.array([rng.choice([0, 192, 65534, 7]) if rng.random() < 0.7 else edgeops.NO_QUALITY for _ in range(n)], np.uint16)
            codes[~there] = edgeops.NO_QUALITY
            qualities[name] = codes
    for name, kind in zip(names, kinds):  # a column without a value makes no channel by itself
        of = columns[name]
        type_name = "string" if kind == "string" else f"{of.dtype}[{of.shape[1]}]" if kind == "array" else str(of.dtype)
        store.declare(asset, name, type_name)
    store.append(asset, times, columns, seqs, qualities)
    for _ in range(rng.choice([0, 0, 1, 3])):
        i, k = sorted([rng.randrange(n), rng.randrange(n)])
        edgeops_label(store, asset, int(times[i]), int(times[k]) + 1, rng.choice(WORDS))


def edgeops_label(store, asset, start, end, label):
    store.node_for_tests.call("label.add", asset=asset, label=label, start=str(np.datetime64(start, "ns")) + "Z",
                              end=str(np.datetime64(end, "ns")) + "Z")


def content(store, asset, nan_bits, empty_rows):
    """All of an asset, comparable. nan_bits: NaNs differ by their bits; empty_rows: also rows of nulls alone."""
    table = store.read(asset)
    keep = np.zeros(table.rows, bool)
    for name in table.keys():
        keep |= np.ones(table.rows, bool) if table.valid[name] is None else table.valid[name]
    keep |= empty_rows
    out = {"": (table.times_ns[keep].tolist(), table.seqs[keep].tolist())}
    for name, values in table.items():
        there = np.ones(table.rows, bool) if table.valid[name] is None else table.valid[name]
        shown = []
        for value, ok in zip(values[keep], there[keep]):
            if not ok:
                shown.append(None)
            elif table.types[name].startswith("float") and not nan_bits:
                shown.append([struct.pack("<d", x) if x == x else "NaN" for x in np.atleast_1d(value).tolist()])
            else:
                shown.append(value if isinstance(value, str) else np.asarray(value).tobytes())
        codes = table.quality[name]
        codes = np.full(table.rows, edgeops.NO_QUALITY) if codes is None else codes
        out[name] = (table.types[name], shown, np.where(there, codes, edgeops.NO_QUALITY)[keep].tolist())
    return out


def first_difference(want, got):
    if sorted(want) != sorted(got):  # the order is that of first values, and may change
        return f"channels {list(want)} became {list(got)}"
    for name in want:
        if want[name] != got[name]:
            for part, (a, b) in enumerate(zip(want[name], got[name])):
                if a != b and isinstance(a, list):
                    i = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
                    return f"'{name}' part {part} row {i}: {a[i:i + 1]} became {b[i:i + 1]} ({len(a)} and {len(b)} rows)"
                if a != b:
                    return f"'{name}': {a} became {b}"
    return None


class Home:
    def __init__(self, folder):
        self.node = edgeops.Node(folder, worker=WORKER)
        self.store = self.node.store
        self.store.node_for_tests = self.node
        self.back = 0

    def export(self, operation, **arguments):
        with tempfile.TemporaryFile() as out:
            self.node.call(operation, output=out.fileno(), **arguments)
            out.seek(0)
            return out.read()

    def take(self, data, asset, **arguments):
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            return self.node.call("data.import", input=file.fileno(), asset=asset, **arguments)

    def fresh(self):
        self.back += 1
        return f"back{self.back}"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("round") / "home")
    yield home
    home.node.close()


def schema(rng):
    count = rng.randrange(1, 7)
    return rng.sample(NAMES, count), [rng.choice(TYPES) for _ in range(count)]


FORMATS = [("csv", {}), ("jsonl", {}), ("npz", {}), ("csv", {"gzip": True}), ("jsonl", {"gzip": True})]


def names_once(data, format):
    """No two columns, keys or arrays of one name."""
    if format == "csv":
        names = next(csv.reader(io.StringIO(data.decode(), newline="")))
        assert len(set(names)) == len(names), names
    elif format == "jsonl":
        for line in data.decode().split("\n")[:-1]:
            json.loads(line, object_pairs_hook=lambda pairs: names_differ([key for key, _ in pairs]), parse_constant=pytest.fail)
    else:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            names_differ(arrays.files)


def names_differ(names):
    assert len(set(names)) == len(names), names
    return names


@pytest.mark.parametrize("format,more", FORMATS, ids=["csv", "jsonl", "npz", "csv.gz", "jsonl.gz"])
def test_an_asset_comes_back_from(home, format, more):
    for seed in SEEDS if not more else list(SEEDS)[:25]:
        rng = random.Random(seed)
        asset, target = f"{format}{len(more)}-{seed}", home.fresh()
        fill(rng, home.store, asset, *schema(rng))
        data = home.export("data.export", asset=asset, format=format, **more)
        said = f"seed {seed}, {format}: {data[:600] if not more else ''!r}"
        if not more:
            names_once(data, format)
        exact = format == "npz"
        want = content(home.store, asset, exact, True)
        try:
            done = home.take(data, target, format=format)
        except edgeops.Error as error:
            pytest.fail(f"{error}: {said}")
        assert done["rows"] == done["appended"] == len(want[""][0]), said
        difference = first_difference(want, content(home.store, target, exact, True))
        assert difference is None, f"{difference}: {said}"


def labels_in(data, format):
    if format == "csv":
        return [row["label"] for row in csv.DictReader(io.StringIO(data.decode(), newline=""))]
    if format == "jsonl":
        return [json.loads(line).get("label") for line in data.decode().split("\n")[:-1]]
    return np.load(io.BytesIO(data), allow_pickle=False)["labels"].tolist()


@pytest.mark.parametrize("format,column", [("csv", "label"), ("jsonl", "label"), ("npz", "labels")])
def test_labels_come_back_from(home, format, column):
    for seed in list(SEEDS)[:60]:
        rng = random.Random(seed + 10**6)
        asset, target = f"labels-{format}-{seed}", home.fresh()
        fill(rng, home.store, asset, *schema(rng))
        data = home.export("data.export", asset=asset, format=format, labels=True)
        said = f"seed {seed}, {format}: {data[:600]!r}"
        names_once(data, format)
        home.take(data, target, format=format, label_column=column)
        exact = format == "npz"
        want, got = content(home.store, asset, exact, True), content(home.store, target, exact, True)
        assert not want[""][0] or first_difference(want, got) is None, f"{first_difference(want, got)}: {said}"
        if len(set(want[""][0])) == len(want[""][0]) and len(home.store.read(asset).times_ns) == len(want[""][0]):
            again = home.export("data.export", asset=target, format=format, labels=True)
            assert labels_in(again, format) == labels_in(data, format), f"{again[:600]!r}: {said}"


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_dataset_comes_back_from(home, format):
    for seed in list(SEEDS)[:60]:
        rng = random.Random(seed + 2 * 10**6)
        names, kinds = schema(rng)
        kinds = [kind if kind != "array" else "float64" for kind in kinds]
        assets = [f"set-{format}-{seed}/{name}" for name in rng.sample(["a", "b c", "7", "NA", "x,y"], 3)]
        for asset in assets:
            fill(rng, home.store, asset, names, kinds)
        home.node.call("dataset.create", name=f"{format}-{seed}", assets=assets)
        data = home.export("dataset.export", name=f"{format}-{seed}", format=format)
        said = f"seed {seed}, {format}: {data[:600]!r}"
        names_once(data, format)
        back = home.fresh()
        home.take(data, back + "/{asset}", format=format, label_column="label")
        for asset in assets:
            want = content(home.store, asset, False, True)
            if want[""][0]:
                got = content(home.store, f"{back}/{asset}", False, True)
                want, got = ({key: c[key] for key in sorted(c) if key == "" or any(v is not None for v in c[key][1])}
                             for c in (want, got))
                assert first_difference(want, got) is None, f"{asset}: {first_difference(want, got)}: {said}"


def test_the_arrays_of_a_dataset_come_back_as_float64(home):
    for seed in list(SEEDS)[:40]:
        rng = random.Random(seed + 4 * 10**6)
        names = rng.sample(NAMES, 3)
        assets = [f"matrix-{seed}/{name}" for name in ("a", "b c")]
        for asset in assets:
            n = rng.randrange(1, 40)
            columns = {name: [rng.choice([None, round(rng.uniform(-9, 9), 3), 5142800.0]) for _ in range(n)] for name in names}
            for name in names:
                columns[name][0] = 1.5
            home.store.append(asset, np.cumsum([rng.choice([0, 10**9]) for _ in range(n)]), columns, range(n))
            edgeops_label(home.store, asset, 0, 5 * 10**9, rng.choice(WORDS))
        home.node.call("dataset.create", name=f"matrix-{seed}", assets=assets, split=rng.choice([None, "group:0.5"]))
        data, back = home.export("dataset.export", name=f"matrix-{seed}", format="npz"), home.fresh()
        done = home.take(data, back + "/{groups}", format="npz", label_column="y")
        assert any("this is a dataset" in note for note in done["notes"])
        for asset in assets:
            want, got = home.store.read(asset), home.store.read(f"{back}/{asset}")
            at = np.any([np.isfinite(want[name]) for name in names], axis=0)
            assert want.times_ns.tolist() == got.times_ns.tolist() and got.types.keys() <= set(names), seed
            for name in got.keys():
                assert np.array_equal(want[name][at], got[name][at], equal_nan=True), (seed, name)
                assert got.valid[name] is None or np.array_equal(got.valid[name], np.isfinite(got[name])), (seed, name)
            labels = [labels_in(home.export("data.export", asset=of, labels=True), "csv") for of in (asset, f"{back}/{asset}")]
            assert labels[0] == labels[1], seed


def test_one_channel_comes_back_from_npy(home):
    for seed in list(SEEDS)[:60]:
        rng = random.Random(seed + 3 * 10**6)
        kind = rng.choice([kind for kind in TYPES if kind != "string"])
        asset, target = f"npy-{seed}", home.fresh()
        fill(rng, home.store, asset, ["x"], [kind])
        table = home.store.read(asset)
        if table.valid["x"] is not None:
            continue
        data = home.export("data.export", asset=asset, format="npy", channels=["x"])
        home.take(data, target, format="npy", start="2025-01-01T00:00:00Z", names=["x"])
        back = home.store.read(target)
        assert back.types == table.types and back["x"].tobytes() == table["x"].tobytes(), seed


def test_a_npy_has_no_nulls_but_of_floats(home):
    home.store.append("holes", [1, 2], {"n": np.ma.array([1, 2], np.int32, mask=[0, 1]), "f": [1.5, None]})
    with pytest.raises(edgeops.InvalidError, match="'n' has nulls"):
        home.export("data.export", asset="holes", format="npy", channels=["n"])
    array = np.load(io.BytesIO(home.export("data.export", asset="holes", format="npy", channels=["f"])))
    assert array[0] == 1.5 and np.isnan(array[1])


def test_a_row_of_over_a_mib_comes_back_from_arrays_and_is_named_else(home):
    home.store.append("wide", [1, 2], {"x": np.random.default_rng(1).standard_normal((2, 65536))})
    for format in ("csv", "jsonl"):
        with pytest.raises(edgeops.Error, match="1 MiB"):
            home.take(home.export("data.export", asset="wide", format=format), home.fresh(), format=format)
    target = home.fresh()
    home.take(home.export("data.export", asset="wide", format="npz"), target, format="npz")
    assert first_difference(content(home.store, "wide", True, True), content(home.store, target, True, True)) is None


def test_usual_exports_have_plain_names(home):
    home.store.append("usual", np.arange(3) * 10**9, {"temp": [20.5, None, 5142800.0], "on": [True, False, None],
                                                      "state": ["a", "NA", None], "n": np.arange(3, dtype=np.int16)})
    assert home.export("data.export", asset="usual").decode() == (
        "time,temp,on,state,n:int16\n1970-01-01T00:00:00Z,20.5,true,a,0\n1970-01-01T00:00:01Z,,false,NA,1\n"
        "1970-01-01T00:00:02Z,5142800,,,2\n")
    lines = [json.loads(line) for line in home.export("data.export", asset="usual", format="jsonl").decode().splitlines()]
    assert lines[0] == {"time": "1970-01-01T00:00:00Z", "temp": 20.5, "on": True, "state": "a", "n:int16": 0}


def test_a_blob_is_its_name_in_an_export(home):
    home.store.append("pictures", [1, 2], {"image": [b"abc", b""]})
    text = home.export("data.export", asset="pictures").decode().splitlines()
    assert text[0] == "time,image" and text[1].split(",")[1].startswith("sha256:") and text[1].endswith(":3")
    home.take("\n".join(text).encode() + b"\n", "names")
    assert home.store.read("names").types == {"image": "string"}
