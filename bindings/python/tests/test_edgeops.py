# SPDX-License-Identifier: Apache-2.0
import gc
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

import edgeops
from edgeops import _ffi

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def node(tmp_path):
    with edgeops.Node(tmp_path / "home", mode="local") as opened:
        yield opened


def test_option_structs_have_the_size_that_the_library_knows():
    for struct, name in ((_ffi.NodeOptions, "node_options"), (_ffi.CallOptions, "call_options"), (_ffi.Query, "query")):
        # One byte beyond: a library that knew a larger struct would write over it.
        memory = (_ffi.c_char * (_ffi.ctypes.sizeof(struct) + 64))(*([b"\x5a"] * (_ffi.ctypes.sizeof(struct) + 64)))
        init = getattr(_ffi.lib, f"edgeops_{name}_init")
        init(_ffi.ctypes.cast(memory, _ffi.POINTER(struct)), _ffi.ctypes.sizeof(struct))
        assert struct.from_buffer(memory).struct_size == _ffi.ctypes.sizeof(struct)
        assert bytes(memory)[_ffi.ctypes.sizeof(struct):] == b"\x5a" * 64


def test_values_come_back_bit_exact(node):
    bits = np.array([0, 1 << 63, 0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000123, 0x3FB999999999999A], np.uint64)
    floats = bits.view(np.float64)
    big = np.array([-2**63, 2**63 - 1, 2**53 + 1, 0, -1, 7], np.int64)
    flags = np.array([True, False, True, True, False, False])
    words = ["", "a", "übergröße", "x" * 1000, "0", None]
    result = node.store.append("m", np.arange(6) * 1000, {"f": floats, "i": big, "b": flags, "s": np.array(words, object)})
    assert result == edgeops.Appended(6, 0, 0, 0)
    table = node.store.read("m")
    assert (table["f"].view(np.uint64) == bits).all()
    assert (table["i"] == big).all()
    assert (table["b"] == flags).all()
    assert list(table["s"]) == words
    assert table.types == {"f": "float64", "i": "int64", "b": "bool", "s": "string"}
    assert not table["f"].flags.writeable and not table["f"].flags.owndata


NUMBERS = ["float64", "float32", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def test_every_type_comes_back_as_it_was_given(node):
    raw = np.random.default_rng(1).integers(0, 256, 40 * 8, np.uint8)
    given = {}
    for name in NUMBERS:
        dtype = np.dtype(name)
        given[name] = raw[:40 * dtype.itemsize].view(dtype)[:10].copy()
        given[name + "s"] = raw[:40 * dtype.itemsize].view(dtype).reshape(10, 4).copy()
    given["u"] = np.array([2**64 - 1, 0] * 5, object)
    node.store.append("t", np.arange(10), given, qualities={"int8": np.arange(10)})
    table = node.store.read("t")
    for name in NUMBERS:
        assert table.types[name] == name and table.types[name + "s"] == name + "[4]"
        assert table[name].dtype == np.dtype(name) and table[name + "s"].shape == (10, 4)
        assert table[name].tobytes() == given[name].tobytes()
        assert table[name + "s"].tobytes() == given[name + "s"].tobytes()
    assert table["u"].tolist() == [2**64 - 1, 0] * 5 and table.types["u"] == "uint64"
    assert (table.quality["int8"] == np.arange(10)).all() and table.quality["int16"] is None


def test_declared_types_are_kept_and_nulls_have_one_form(node):
    node.store.declare("d", "audio", "float32[3]", "Pa")
    node.store.declare("d", "n", "uint8")
    node.store.append("d", [1], {"audio": [[0.1, 2, 3]], "n": [200]})
    node.store.append("d", [2], {"n": [7.0]})
    table = node.store.read("d")
    assert table.types == {"audio": "float32[3]", "n": "uint8"} and table.units["audio"] == "Pa"
    assert table["audio"][0].tolist() == [np.float32(0.1), 2, 3] and np.isnan(table["audio"][1]).all()
    assert table.valid["audio"].tolist() == [True, False]
    for bad in ("float33", "float32[", "float32[x]", "float32[0]"):
        with pytest.raises(ValueError):
            node.store.declare("d", "x", bad)
    with pytest.raises(edgeops.InvalidError):
        node.store.append("d", [3], {"n": [256]})
    with pytest.raises(ValueError):
        node.store.append("d", [3], {"n": [1]}, qualities={"m": [1]})


def test_blobs_are_read_back(node):
    images = [b"\x89PNG", b"", None, b"\x89PNG"]
    node.store.append("cam", np.arange(4), {"image": np.array(images, object)})
    column = node.store.read("cam")["image"]
    assert column[2] is None and column[0] == column[3] and column[0].size == 4
    assert [node.store.blob(b) for b in (column[0], column[1], column[3].digest)] == [b"\x89PNG", b"", b"\x89PNG"]
    with pytest.raises(edgeops.NotFoundError):
        node.store.blob("0" * 64)


def test_renamed_assets_and_channels_keep_their_samples(node):
    node.store.append("old", [1, 2], {"x": np.arange(2.0)})
    node.store.rename_asset("old", "new")
    node.store.rename_channel("new", "x", "y")
    assert node.store.read("new")["y"].tolist() == [0.0, 1.0]
    with pytest.raises(edgeops.NotFoundError):
        node.store.read("old")


def test_a_channel_gets_another_type(node):
    store = node.store
    store.append("t", [1, 2, 3], {"x": np.array([1, 2, 3]), "s": ["1.50", "NA", "3"]})
    parts = []
    done = store.set_type("t", "x", "float64", progress=parts.append)
    assert done == edgeops.Retyped("int64", 3, 3, 0, 0) and parts == sorted(parts) and parts
    assert store.read("t")["x"].tolist() == [1.0, 2.0, 3.0]
    assert [c.name for c in store.asset("t").channels] == ["x", "s"]
    with pytest.raises(edgeops.InvalidError, match="'NA' is not a float64"):
        store.set_type("t", "s", "float64")
    assert store.set_type("t", "s", "float64", nulls=["NA"], dry_run=True).nulled == 1
    assert store.read("t")["s"].tolist() == ["1.50", "NA", "3"]
    assert store.set_type("t", "s", "float64", nulls=["NA"]) == edgeops.Retyped("string", 3, 3, 1, 1)
    assert store.read("t").valid["s"].tolist() == [True, False, True]
    store.create_dataset("d", ["t"])
    with pytest.raises(edgeops.BusyError, match="hold it as it is: d;"):
        store.set_type("t", "x", "int64")
    with pytest.raises(ValueError, match="is not a type"):
        store.set_type("t", "x", "double")
    with pytest.raises(TypeError, match="a text that becomes null"):
        store.set_type("t", "x", "int64", nulls=[None])


def test_a_change_of_type_ends_with_what_its_progress_raises(node):
    node.store.append("t", [1], {"x": np.array([1])})

    def stop(part):
        raise KeyError(part)

    with pytest.raises(KeyError):
        node.store.set_type("t", "x", "float64", progress=stop)
    assert node.store.read("t")["x"].dtype == np.int64


def test_arrays_outlive_their_table(node):
    node.store.append("m", np.arange(100000), {"x": np.arange(100000.0)})
    x = node.store.read("m")["x"]
    gc.collect()
    assert x.sum() == 4999950000.0


def test_reads_go_into_arrays(node):
    n = np.arange(50000)
    node.store.append("m", n * 1000, {"x": n / 4, "i": n, "s": np.array([f"t{i % 3}" for i in n], object)})
    times, values = node.store.read_array("m", ["i", "x"], start=1000)
    assert (times == n[1:] * 1000).all() and (values == np.column_stack([n, n / 4])[1:]).all()
    out, stamps = np.zeros((10, 1)), np.zeros(10, "datetime64[ns]")
    times, values = node.store.read_array("m", ["x"], where=[("i", ">=", 49990), ("s", "!=", "t0")], out=out, times_out=stamps)
    assert values.base is out and list(values[:, 0] * 4) == [i for i in range(49990, 50000) if i % 3]
    with pytest.raises(edgeops.LimitError):
        node.store.read_array("m", ["x"], out=out)
    with pytest.raises(edgeops.InvalidError):
        node.store.read_array("m", ["s"])
    assert node.store.count("m", where=[("x", "is not null")]) == 50000
    whole, = node.store.aggregate("m", ["i", "s"])
    assert whole.rows == 50000 and whole.channels["i"][:5] == (50000, 0, 0, 0, 49999) and whole.channels["s"].min is None
    parts = node.store.aggregate("m", ["x"], every=10_000_000)
    assert [p.start for p in parts] == [0, 10**7, 2 * 10**7, 3 * 10**7, 4 * 10**7] and parts[1].channels["x"].mean == 3749.875


def test_datasets_and_tables_become_pandas(node):
    pandas = pytest.importorskip("pandas")
    for asset in ("m/1", "m/2"):
        node.store.append(asset, np.arange(100), {"x": np.arange(100.0), "i": np.array([None] + list(range(99)), object)})
    node.call("label.add", asset="m/1", label="good", start="1970-01-01T00:00:00.00000001Z",
              end="1970-01-01T00:00:00.00000002Z")
    node.call("dataset.create", name="d", assets=["m/*"])
    data = node.store.dataset("d", ["x"])
    assert data.values.shape == (200, 1) and data.group_names == ["m/1", "m/2"] and (data.label_codes == 0).sum() == 10
    frame = data.to_pandas()
    assert list(frame.columns) == ["x", "asset", "label"] and (frame["label"] == "good").sum() == 10
    table = node.store.read("m/1").to_pandas()
    assert isinstance(table.index, pandas.DatetimeIndex) and table["i"].iloc[0] is pandas.NA and table["i"].iloc[-1] == 98


def test_duplicates_conflicts_and_late_samples_are_told(node):
    node.store.append("m", [10, 20], {"x": np.array([1.0, 2.0])})
    assert node.store.append("m", [20, 20, 15], {"x": np.array([2.0, 3.0, 9.0])}) == edgeops.Appended(1, 1, 1, 1)
    assert list(node.store.read("m")["x"]) == [1.0, 9.0, 2.0]


def test_ranges_and_times(node):
    times = np.array(["2026-01-01T00:00:00", "2026-01-01T00:00:01", "2026-01-01T00:00:02"], "datetime64[ns]")
    node.store.append("m", times, {"x": np.arange(3.0)})
    table = node.store.read("m", start="2026-01-01T00:00:01Z", end=np.datetime64("2026-01-01T00:00:02"))
    assert list(table["x"]) == [1.0]
    assert (table.times == times[1:2]).all()
    assert list(node.store.read("m", last=2)["x"]) == [1.0, 2.0]


def test_errors_are_exceptions_by_code(node, tmp_path):
    with pytest.raises(edgeops.NotFoundError) as caught:
        node.store.read("nothing")
    assert caught.value.code == -3 and "nothing" in str(caught.value)
    with pytest.raises(edgeops.NotFoundError):
        node.call("no.such.operation")
    with pytest.raises(edgeops.InvalidError) as caught:
        node.call("asset.show", nme="x")
    assert "nme" in str(caught.value)
    with pytest.raises(edgeops.BusyError):
        edgeops.Node(tmp_path / "home", mode="local")
    with pytest.raises(edgeops.NotFoundError):
        edgeops.Node(tmp_path / "nowhere", must_exist=True)
    with pytest.raises(ValueError):
        node.store.append("m", [1, 2], {"x": [1.0]})
    with pytest.raises(edgeops.InvalidError):
        node.store.append("../m", [1], {"x": [1.0]})


def test_an_exception_in_a_callback_comes_out_of_the_call(node):
    (node_home,) = [node.call("node.status")["home"]]
    assert node_home
    node.store.append("m", [1, 2], {"x": np.arange(2.0)})
    node.call("dataset.create", name="d", assets=["m"])

    def fail(event):
        raise KeyError("mine")
    with pytest.raises((KeyError, edgeops.Error)):
        node.train("absent", "d", on_event=fail)


def test_closing_twice_is_fine(tmp_path):
    node = edgeops.Node(tmp_path / "h")
    store = node.store
    node.close()
    node.close()
    for use in (lambda: node.call("node.status"), lambda: store.read("m"), node.start, lambda: node.run(0)):
        with pytest.raises(edgeops.ClosedError):
            use()


def test_the_example_runs(tmp_path):
    done = subprocess.run([sys.executable, ROOT / "examples/script.py", tmp_path / "h"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split("accuracy ")[1].split()[0]) > 0.95, done.stdout


def test_the_package_installs_and_imports(tmp_path):
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", venv], check=True)
    site = subprocess.run([venv / "bin/python", "-c", "import site; print(site.getsitepackages()[0])"], check=True,
                          capture_output=True, text=True).stdout.strip()
    source = tmp_path / "source"  # setuptools builds inside the folder it is given
    shutil.copytree(ROOT / "bindings/python", source)
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps",
                           "--no-index", "--target", site, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([venv / "bin/python", "-I", "-c", "import edgeops; print(edgeops.__version__, edgeops.__file__)"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0.1.0") and str(venv) in done.stdout
