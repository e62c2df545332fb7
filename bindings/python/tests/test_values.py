# SPDX-License-Identifier: Apache-2.0
"""Values come in with their nulls or are refused, and what was read goes back in as it was."""
import datetime
import decimal
import mmap

import numpy as np
import pytest

import edgeops
from edgeops import Blob
from edgeops.columns import window_of

NAN_BITS = 0x7FF8000000000123


def fill(store, asset="all"):
    """An asset that has all there is: types, arrays, nulls, NaN, texts, blobs, qualities, seqs."""
    store.append(asset, [1, 2, 2, 9], {
        "f": np.ma.array(np.array([1.5, np.nan, -0.0, 7], np.float64), mask=[0, 0, 0, 1]),
        "f32": np.array([0.1, 2, 3, 4], np.float32), "i": np.ma.array([2**60 + 1, -1, 0, 5], mask=[0, 1, 0, 0]),
        "u8": np.array([0, 255, 3, 4], np.uint8), "b": np.ma.array([True, False, True, True], mask=[0, 0, 1, 0]),
        "s": ["", None, "übergröße", "x\ny"], "a": np.ma.array(np.arange(12, dtype=np.float32).reshape(4, 3),
                                                            mask=[[0] * 3, [1] * 3, [0] * 3, [0] * 3]),
        "blob": [b"", None, b"\x00\xff", b"abc"], "none": [None] * 4,
    }, seqs=[0, 0, 1, 5], qualities={"f": [0, 192, edgeops.NO_QUALITY, 1], "s": [7, 7, 7, 7]})
    return store.read(asset)


def same(left, right):
    assert list(left) == list(right) and left.rows == right.rows
    assert left.times_ns.tolist() == right.times_ns.tolist() and left.seqs.tolist() == right.seqs.tolist()
    for name in left:
        a, b = left[name], right[name]
        assert left.types[name] == right.types[name], name
        assert a.tobytes() == b.tobytes() if a.dtype != object else list(a) == list(b), name
        for mine, its in ((left.valid[name], right.valid[name]), (left.quality[name], right.quality[name])):
            assert (mine is None) == (its is None) and (mine is None or mine.tolist() == its.tolist()), name


def test_masked_values_are_null(store):
    table = fill(store)
    assert table.valid["f"].tolist() == [True, True, True, False] and np.isnan(table["f"][1])
    assert table.valid["i"].tolist() == [True, False, True, True] and table["i"][0] == 2**60 + 1
    assert table.valid["a"].tolist() == [True, False, True, True] and table.types["a"] == "float32[3]"
    assert table["s"].tolist() == ["", None, "übergröße", "x\ny"] and "none" not in table
    assert table.quality["f"].tolist() == [0, 192, 0xFFFF, 0xFFFF], "a null has no quality"
    with pytest.raises(ValueError, match="as a whole"):
        store.append("m", [1], {"a": np.ma.array([[1.0, 2.0]], mask=[[0, 1]])})


def test_a_table_goes_back_in_as_it_was(store):
    table = fill(store)
    assert store.append_table(table, "copy").appended == 4
    same(table, store.read("copy"))
    assert store.append("again", table.times, table, seqs=table.seqs).appended == 4
    same(table, store.read("again"))
    assert store.append_table(table) == edgeops.Appended(0, 4, 0, 0), "all of them are there"
    assert [verdict.outcome for verdict in store.append_table(table, verdicts=True).verdicts] == ["duplicate"] * 4


def test_a_frame_goes_back_in_as_it_was(store):
    pandas = pytest.importorskip("pandas")
    table = fill(store)
    frame = table.to_pandas(seqs=True, quality=True)
    assert frame["i"].dtype == "Int64" and frame["b"].dtype == "boolean" and frame["f"].dtype == np.float64
    assert int(frame["i"].iloc[0]) == 2**60 + 1 and frame["i"].iloc[1] is pandas.NA and frame["a"].iloc[1] is None
    frame["z"] = frame["f"] * 2
    frame.loc[frame["u8"] > 3, "f32"] = 0.0  # it can be worked on
    frame = table.to_pandas(seqs=True, quality=True)
    assert store.append_table(frame, asset="copy").appended == 4
    back = store.read("copy")
    assert back.seqs.tolist() == [0, 0, 1, 5] and back.quality["f"].tolist() == [0, 0xFFFF, 0xFFFF, 0xFFFF]
    for name in ("f32", "i", "u8", "b", "s", "a", "blob"):
        assert back.types[name] == table.types[name]
        assert list(map(str, back[name])) == list(map(str, table[name])), name
    assert back.valid["f"].tolist() == [True, False, True, False], "pandas says NaN for a missing number"
    assert store.append("series", frame.index[:2], {"x": frame["f"][:2]}).appended == 2
    assert store.append("whole", frame.index, frame[["f32", "u8"]], seqs=table.seqs).appended == 4
    with pytest.raises(TypeError, match="give asset"):
        store.append_table(frame)
    with pytest.raises(TypeError, match="DatetimeIndex"):
        store.append_table(frame.reset_index(), "x")
    with pytest.raises(TypeError, match="DataFrame"):
        store.append_table({"x": [1]}, "x")
    with pytest.raises(ValueError, match="two columns of the name 'x'"):
        store.append_table(pandas.DataFrame([[1.0, 2.0]], columns=["x", "x"], index=frame.index[:1]), "x")


def test_nullable_arrays_of_pandas(store):
    pandas = pytest.importorskip("pandas")
    store.append("p", [1, 2, 3], {
        "i": pandas.array([1, None, 3], "Int16"), "b": pandas.array([True, None, False], "boolean"),
        "s": pandas.array(["a", None, "c"], "string"), "c": pandas.Categorical(["u", None, "v"]),
        "o": pandas.Series(["a", np.nan, "c"], dtype=object), "f": pandas.array([1.5, None, 2.5], "Float64")})
    table = store.read("p")
    assert table.types == {"i": "int16", "b": "bool", "s": "string", "c": "string", "o": "string", "f": "float64"}
    for name in table:
        assert table.valid[name].tolist() == [True, False, True], name
    with pytest.raises(TypeError, match="nanoseconds"):
        store.append("p", [4], {"t": pandas.Series([pandas.Timestamp("2026-01-01")])})


def test_a_table_as_an_array_and_in_a_notebook(store):
    pandas = pytest.importorskip("pandas")
    table = fill(store)
    assert pandas.DataFrame(table).shape == (4, 8)
    numbers = store.read("all", ["f", "u8", "b"])
    assert np.asarray(numbers).dtype == np.float64 and np.isnan(np.asarray(numbers)[3, 0])
    shown = table._repr_html_()
    assert "übergröße" in shown and "2 bytes" in shown and shown.count("<tr>") == 5
    store.append("<b>", np.arange(100), {"<i>": np.arange(100)})
    shown = store.read("<b>")._repr_html_()
    assert "<i>" not in shown and "&lt;i&gt;" in shown and shown.count("<tr>") == 12


@pytest.mark.parametrize("values", [
    [1, "a"], [True, 1.0], [b"x", "x"], [1j, 2j], [object(), 1], [{}, {}], [[1, 2], [1]], [2**64, 0], [-1, 2**63],
    [2**53 + 1, 0.5], np.array(["2026-01-01", "2026-01-02"], "datetime64[s]"), np.array([1, 2], "timedelta64[s]"),
    np.array([1, 2], np.longdouble), np.array([b"a", b"b"]), np.zeros((2, 0)), np.zeros((2, 2), bool), np.zeros((2, 2, 2)),
    [1.0], [1.0, 2.0, 3.0], 5.0, "ab", ["\ud800", "a"],
])
def test_values_that_no_channel_holds_are_refused(store, values):
    with pytest.raises((TypeError, ValueError)):
        store.append("a", [1, 2], {"x": values})
    assert store.assets() == []


@pytest.mark.parametrize("values, words", [
    ([np.longdouble("0.1"), 1.0], "float64 cannot hold"), ([np.datetime64("2026-01-01"), 1], r"edgeops\.nanoseconds"),
    ([datetime.datetime(2026, 1, 1), None], r"edgeops\.nanoseconds"), ([datetime.timedelta(1), None], "of a unit"),
    ([decimal.Decimal("0.1"), 1], "rounds it"), ([1j, 2], "two channels"), (np.array([1j, 2]), "two channels"),
    (np.array(["2026", "2027"], "datetime64[Y]"), "times_of"), (np.array([1, 2], "timedelta64[s]"), "of a unit"),
    (np.array([b"a", b"b"]), r"astype\(str\)"), (np.array([1, 2], np.longdouble), "rounds them"), ([True, 1], "mixes bool and int"),
    ([[1, True], [1, 2]], "bools and numbers"), ([[2**53 + 1, 0.5], [1, 2]], "float64 cannot hold"),
    ([np.array([2**64 - 1], np.uint64), np.array([0.5])], "float64 cannot hold"), ([np.array([True]), np.array([5])], "not bool"),
    ([np.ma.array([1, 2], mask=[1, 0]), [3, 4]], "masked and some not"), ([["1", "2"], ["3", "4"]], "not <U1"),
])
def test_what_would_change_in_secret_is_refused_with_advice(store, values, words):
    with pytest.raises((TypeError, ValueError), match=words):
        store.append("a", [1, 2], {"x": values})
    assert store.assets() == []


def test_kinds_that_go_in_as_they_are(store):
    store.append("k", [1, 2], {
        "masked": [np.ma.array([1, 2], mask=[1, 1]), [3, 4]], "large": np.array([2**63, 1], ">u8"), "whole": [2**63, None],
        "mixed": [1, 0.5], "flags": np.array([1, 0, 1], bool)[::2], "object": np.array([np.int8(3), None], object),
        "half": np.float16([1.5, -0.0]), "texts": np.array(["\u00fc", ""]), "narrow": np.array([1, 2], ">f4")[::-1]})
    table = store.read("k")
    assert table.types == {"masked": "int64[2]", "large": "uint64", "whole": "uint64", "mixed": "float64", "flags": "bool",
                           "object": "int64", "half": "float32", "texts": "string", "narrow": "float32"}
    assert table.valid["masked"].tolist() == [False, True] and table["large"].tolist() == [2**63, 1]
    assert table["half"].tolist() == [1.5, 0.0] and np.signbit(table["half"][1]) and table["narrow"].tolist() == [2.0, 1.0]
    assert table["mixed"].tolist() == [1.0, 0.5] and table["texts"].tolist() == ["\u00fc", ""]


def test_windows_are_exact():
    nan = float("nan")
    for given, wanted in (([1, 2.5], [1, 2.5]), ([None, True], [nan, 1]), (np.ma.array([1, 2], mask=[0, 1]), [1, nan]),
                          (np.float16([1.5]), [1.5]), (np.array([2**63], np.uint64), [2.0**63]), (np.array([3, 4], ">i2"), [3, 4]),
                          (np.asfortranarray([[1, 2], [3, 4]]), [[1, 2], [3, 4]])):
        made = window_of(given)
        assert made.dtype == np.float64 and made.flags.c_contiguous and np.array_equal(made, wanted, equal_nan=True)
    for bad, words in (([2**53 + 1], "cannot hold"), (np.array([2**53 + 1]), "cannot hold"), (["1"], "text '1'"),
                       (np.array(["2026"], "datetime64[s]"), "times_of"), ([1j], "two channels"), (np.array([1j]), "two channels"),
                       ([decimal.Decimal(1)], "rounds it"), (np.array([1], np.longdouble), "rounds them"), ([np.longdouble("0.1")], "cannot hold")):
        with pytest.raises((TypeError, ValueError), match=words):
            window_of(bad)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": pandas.array([1, None], "Int64"), "b": [1.5, 2]})
    assert np.array_equal(window_of(frame), [[1, 1.5], [nan, 2]], equal_nan=True)


def test_foreign_layouts_are_taken_as_what_they_say(store):
    whole = np.arange(12.0).reshape(6, 2)
    store.append("a", np.arange(6)[::-1], {
        "strided": whole[:, 1], "swapped": np.arange(6, dtype=">i4"), "half": np.arange(6, dtype=np.float16),
        "fortran": np.asfortranarray(whole), "fixed": np.array(list("abcdef")), "tuple": tuple(range(6)),
        "rows": [[1, 2], [3, 4], None, [5, 6], np.array([7, 8]), (9, 10)]})
    table = store.read("a")
    assert table["strided"].tolist() == [11, 9, 7, 5, 3, 1] and table["swapped"].tolist() == [5, 4, 3, 2, 1, 0]
    assert table.types["half"] == "float32" and table["fortran"].tolist() == whole[::-1].tolist()
    assert table["fixed"].tolist() == list("fedcba") and table["rows"][0].tolist() == [9, 10]
    assert table.valid["rows"].tolist() == [True, True, True, False, True, True]


def test_nul_in_names_is_refused(node, store):
    store.append("a", [1], {"x": [1.0]})
    for use in (lambda: store.append("a\0b", [1], {"x": [1.0]}), lambda: store.append("a", [1], {"x\0y": [1.0]}),
                lambda: store.read("a\0"), lambda: store.read("a", ["x\0"]), lambda: store.declare("a", "x", "float64", "u\0"),
                lambda: store.rename_asset("a", "b\0"), lambda: store.label("a", "l\0", 1), lambda: store.cursor("a\0"),
                lambda: store.count("a", where=[("x\0", ">", 1)]), lambda: store.create_dataset("d", ["a\0"]),
                lambda: edgeops.Store.open("/tmp/x\0y"), lambda: edgeops.Node("/tmp/x\0y"), lambda: node.call("node.status\0"),
                lambda: store.assets("*\0"), lambda: store.remove_asset("a\0"), lambda: edgeops.workflow_check("/x\0")):
        with pytest.raises(ValueError, match="NUL"):
            use()
    for use in (lambda: store.read(b"a"), lambda: store.read("a", "x"), lambda: store.append(5, [1], {"x": [1.0]}),
                lambda: store.append("a", [1], {5: [1.0]})):
        with pytest.raises(TypeError):
            use()
    with pytest.raises(edgeops.InvalidError):
        store.append("a", [2], {"s": ["a\0b"]})


def test_arrays_that_cannot_be_filled_are_refused(store):
    store.append("a", np.arange(100), {"x": np.arange(100.0), "y": np.arange(100.0)})
    both = np.zeros(300)
    readonly = np.zeros((100, 1))
    readonly.flags.writeable = False
    bad = [np.frombuffer(bytes(800)).reshape(100, 1), readonly, np.zeros((100, 1), np.float32), np.zeros((100, 1), ">f8"),
           np.zeros((100, 1), int), np.zeros((200, 1))[::2], np.zeros((1, 100)).T[::2], np.zeros(100), np.zeros((100, 2)),
           np.ma.zeros((100, 1)), [[0.0]] * 100, np.zeros((100, 1), object),
           np.frombuffer(bytearray(801), np.uint8)[1:].view(np.float64).reshape(100, 1)]
    for out in bad:
        with pytest.raises(ValueError, match="out must be a writable, C-contiguous float64 array"):
            store.read_array("a", ["x"], out=out)
    for times in (np.zeros(100, "M8[us]"), np.zeros(100, ">i8"), np.zeros(100, np.uint64), np.zeros((100, 1), int),
                  np.zeros(200, int)[::2], np.frombuffer(bytes(800), np.int64), np.zeros(100, "m8[ns]"), np.zeros(100, "M8")):
        with pytest.raises(ValueError, match="times_out"):
            store.read_array("a", ["x"], times_out=times)
    with pytest.raises(ValueError, match="share memory"):
        store.read_array("a", ["x"], out=both[:100].reshape(100, 1), times_out=both[50:150].view(np.int64))
    assert not both.any() and not readonly.any()
    times, values = store.read_array("a", ["x", "y"], out=both[:200].reshape(100, 2), times_out=both[200:].view("M8[ns]"))
    assert values[:, 1].tolist() == list(range(100)) and times.view(int).tolist() == list(range(100))
    shared = np.frombuffer(mmap.mmap(-1, 800)).reshape(100, 1)
    assert store.read_array("a", ["x"], out=shared)[1].base is not None and shared[99, 0] == 99


def test_numbers_out_of_range_are_refused_and_not_wrapped(store):
    store.append("a", [1, 2, 3], {"x": [1.0, 2, 3]})
    for use in (lambda: store.read("a", limit=-1), lambda: store.read("a", last=2**64 + 1), lambda: store.read("a", start=2**63),
                lambda: store.aggregate("a", every=-1), lambda: store.cursor("a", after=-1), lambda: store.labels(limit=-1),
                lambda: store.unlabel(2**63), lambda: store.create_dataset("d", ["a"], period=2**64),
                lambda: store.count("a", where=[("x", ">", 2**64)]), lambda: store.read("a", where=[("x", ">")]),
                lambda: store.read("a", where=[("x", "is null", 1)]), lambda: store.read("a", where=[("x", "=", 1)])):
        with pytest.raises(ValueError):
            use()
    with pytest.raises(TypeError):
        store.read("a", limit=1.5)
    assert store.read("a", where=[("x", ">=", 2)]).rows == 2 and store.count("a", where=[("x", "<", 2**64 - 1)]) == 3


def test_what_became_of_each_sample(store):
    store.append("a", [10], {"x": [1.0], "s": ["old"]})
    done = store.append("a", [10, 10, 20, 5], {"x": [1.0, 2.0, 3.0, 4.0], "s": ["old", "old", "n", "n"]}, verdicts=True)
    assert done[:6] == (2, 1, 1, 1, 0, 0)
    assert [v.outcome for v in done.verdicts] == ["duplicate", "conflict", "appended", "appended"]
    assert done.verdicts[1].channel == "x" and done.verdicts[1].stored == 1.0
    assert [v.late for v in done.verdicts] == [False, False, False, True] and done.verdicts[2].ordinal > 0
    text = store.append("a", [10], {"x": [1.0], "s": ["new"]}, verdicts=True).verdicts[0]
    assert (text.channel, text.stored) == ("s", "old")
    ahead = store.append("a", ["2200-01-01"], {"x": [1.0]}, verdicts=True)
    assert ahead.ahead == 1 and ahead.verdicts[0].ahead
    store.append("b", [1], {"blob": [b"abc"], "v": [[1.0, 2.0]]})
    told = store.append("b", [1], {"blob": [b"xyz"]}, verdicts=True).verdicts[0]
    assert isinstance(told.stored, Blob) and store.blob(told.stored) == b"abc"
    told = store.append("b", [1], {"blob": [b"abc"], "v": [[1.0, 3.0]]}, verdicts=True).verdicts[0]
    assert told.channel == "v" and told.stored.tolist() == [1.0, 2.0]


def test_large_appends_and_blobs_beside_numbers(store, monkeypatch):
    from edgeops import store as module
    monkeypatch.setattr(module, "_TABLE_BYTES", 0)  # as samples, whatever the size
    same(fill(store, "samples"), store.read("samples"))
    monkeypatch.undo()
    same(store.read("samples"), fill(store, "tables"))
    store.append("n", [1, 2], {"x": np.array([NAN_BITS, 1 << 63], np.uint64).view(np.float64)})
    assert store.read("n")["x"].view(np.uint64).tolist() == [NAN_BITS, 1 << 63]
