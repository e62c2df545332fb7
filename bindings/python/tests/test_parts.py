# SPDX-License-Identifier: Apache-2.0
"""What else the store has: labels, datasets, cursors, watches, assets, durability."""
import importlib.util
import sys
import threading

import numpy as np
import pytest

import edgeops
from edgeops import NewLabel


@pytest.fixture
def filled(store):
    for asset in ("m/1", "m/2"):
        store.declare(asset, "x", "float64", "mm")
        store.append(asset, np.arange(100), {"x": np.arange(100.0)})
    return store


def test_labels_are_added_corrected_found_and_taken_back(filled):
    first = filled.label("m/1", "good", 10, 20, author="me")
    ids = filled.label_all([NewLabel("m/1", "bad", 30, 40), NewLabel("m/2", "good", "1970-01-01T00:00:00.00000005Z")])
    assert ids == [first + 1, first + 2] and filled.label_all([]) == []
    assert [(one.asset, one.start, one.end, one.label, one.author, one.source) for one in filled.labels()] == [
        ("m/1", 10, 20, "good", "me", "api"), ("m/1", 30, 40, "bad", "", "api"), ("m/2", 50, 50, "good", "", "api")]
    new = filled.correct(ids[0], NewLabel("m/1", "good", 30, 41, source="test"))
    assert [one.label for one in filled.labels("m/1")] == ["good", "good"] and filled.labels(id=new)[0].id == ids[0]
    assert filled.labels("m/1", history=True)[1].withdrawn > 0 and filled.labels(start=41, end=60)[0].asset == "m/2"
    assert [one.id for one in filled.labels(author="me")] == [first] and filled.labels(label="none") == []
    page = filled.labels(limit=2)
    assert [one.id for one in filled.labels(after=page[-1].id)] == [ids[1]]
    again = [NewLabel("m/1", "good", 10, 20, "me"), NewLabel("m/1", "new", 1)]
    assert filled.label_new(again) == (1, 1) and filled.label_new(again) == (0, 2)
    version = filled.labels()[0].version
    filled.unlabel(first)
    assert first not in [one.id for one in filled.labels()] and first in [one.id for one in filled.labels(version=version)]
    for use, kind in ((lambda: filled.label("absent", "l", 1), edgeops.NotFoundError), (lambda: filled.unlabel(999), edgeops.NotFoundError),
                      (lambda: filled.label("m/1", "l", 5, 4), edgeops.InvalidError), (lambda: filled.labels(version=10**6), edgeops.InvalidError),
                      (lambda: filled.label("m/1", "", 5), edgeops.InvalidError), (lambda: filled.label("m/1", "l", 1.5), TypeError),
                      (lambda: filled.correct(999, again[0]), edgeops.NotFoundError)):
        with pytest.raises(kind):
            use()


def test_datasets_are_made_read_and_removed(filled):
    filled.label_all([NewLabel("m/1", "good", 0, 50), NewLabel("m/2", "bad", 50, 100)])
    filled.create_dataset("d", ["m/*"], ["x"], start=10, end=90, labelled_only=True, filter="x >= 20", split="group", test=0.5, seed=7)
    data = filled.dataset("d")
    assert data.values[:, 0].tolist() == list(range(20, 50)) + list(range(50, 90)) and sorted(set(data.subsets)) == [0, 1]
    filled.verify_dataset("d")
    with pytest.raises(edgeops.ExistsError):
        filled.create_dataset("d", ["m/1"])
    for bad in ({"split": "half"}, {"fill": "next"}, {"period": -1}):
        with pytest.raises(ValueError):
            filled.create_dataset("e", ["m/1"], **bad)
    with pytest.raises(edgeops.BusyError):
        filled.remove_asset("m/1")
    filled.remove_dataset("d")
    filled.remove_asset("m/1")
    assert [asset.name for asset in filled.assets()] == ["m/2"]
    for use in (lambda: filled.dataset("d"), lambda: filled.verify_dataset("d"), lambda: filled.remove_dataset("d"),
                lambda: filled.remove_asset("m/1"), lambda: filled.create_dataset("e", ["absent"])):
        with pytest.raises(edgeops.NotFoundError):
            use()


def test_assets_are_known(filled):
    one = filled.asset("m/1")
    assert (one.name, one.rows, one.last_ordinal, one.first, one.last) == ("m/1", 100, 100, 0, 99)
    assert one.channels == [edgeops.Channel("x", "float64", "mm")] and one.dropped == 0
    assert [asset.name for asset in filled.assets("*2")] == ["m/2"] and filled.assets("absent") == []
    filled.declare("m/2", "wave", "int16[8]")
    assert filled.asset("m/2").channels[1].type == "int16[8]"
    with pytest.raises(edgeops.NotFoundError):
        filled.asset("m/*")


def test_a_cursor_follows_an_asset(store):
    with store.cursor("later", ["x", "y"]) as cursor:
        assert cursor.read() is None and list(cursor) == []
        store.append("later", [3, 1, 2], {"x": np.ma.array([3.0, 1.0, 2.0], mask=[0, 1, 0])})
        first = cursor.read(2)
        assert first.times_ns.tolist() == [3, 1] and first.ordinals.tolist() == [1, 2] and first.valid["x"].tolist() == [True, False]
        rest = list(cursor)
        store.append("later", [4], {"x": [4.0], "y": ["late"]})
        assert rest[0].times_ns.tolist() == [2] and cursor.read()["y"].tolist() == ["late"]
        assert first["x"][0] == 3.0 and cursor.skipped == 0, "a block is the caller's own"
        assert repr(cursor) == "<Cursor over 'later'>"
    with store.cursor("later", after=3) as cursor, store.cursor("later", after=None) as new:
        assert cursor.read().ordinals.tolist() == [4] and new.read() is None
        store.append("later", [9], {"x": [9.0]})
        assert new.read()["x"].tolist() == [9.0]
        for bad in (0, 65537, -1):
            with pytest.raises(ValueError):
                cursor.read(bad)


def test_a_row_in_parts_is_one_row_but_for_a_cursor(store):
    store.append("a", [1, 2], {"x": [1.5, 2.5]})
    with store.cursor("a") as cursor:
        assert cursor.read().parts is None, "no row is a later part"
        done = store.append("a", [2, 3, 1, 2], {"x": np.ma.array([0, 3.5, 9, 2.5], mask=[1, 0, 0, 0]), "y": np.ma.array(
            [20, 30, 10, 0], mask=[0, 0, 0, 1])}, verdicts=True)
        assert (done.appended, done.merged, done.conflicts, done.duplicates) == (1, 1, 1, 1)
        assert [(v.outcome, v.ordinal, v.channel, v.stored) for v in done.verdicts] == [
            ("merged", 3, None, None), ("appended", 4, None, None), ("conflict", 0, "x", 1.5), ("duplicate", 0, None, None)]
        block = cursor.read()
        assert block.parts.dtype == bool and block.parts.tolist() == [True, False] and not block.parts.flags.writeable
        assert block.times_ns.tolist() == [2, 3] and block.valid["x"].tolist() == [False, True] and block["y"].tolist() == [20, 30]
    with store.cursor("a") as cursor:
        copy = cursor.read()
        assert copy.parts.tolist() == [False, False, True, False] and copy.ordinals.tolist() == [1, 2, 3, 4]
        assert store.append_table(copy, "b")[:3] == (3, 0, 0), "what a cursor gave makes the same rows"
    frames = []
    for asset in ("a", "b"):
        table = store.read(asset)
        assert table.parts is None and table.ordinals[:2].tolist() == [1, 2] and table["x"].tolist() == [1.5, 2.5, 3.5]
        assert table.valid["y"].tolist() == [False, True, True] and store.count(asset) == 3
        assert (store.asset(asset).rows, store.asset(asset).parts) == (3, 1)
        assert store.read_array(asset, ["y"])[1][1:, 0].tolist() == [20, 30]
        frames.append(table.to_pandas() if importlib.util.find_spec("pandas") else None)
        schema, batch = table.__arrow_c_array__()
        assert schema and batch
    assert frames[0] is None or frames[0].equals(frames[1]) and len(frames[0]) == 3
    assert store.append("predictions/a", [1], {"x": [1.0]}).appended == 1
    assert store.append("predictions/a", [1], {"y": [1.0]}).conflicts == 1, "predictions come whole"


def test_a_cursor_feeds_a_thread_that_a_watch_wakes(store):
    came, found = threading.Event(), []
    with store.watch(lambda asset, ordinal: came.set()), store.cursor("a") as cursor:
        def work():
            while len(found) < 50:
                came.wait(10)
                came.clear()
                found.extend(time for table in cursor for time in table.times_ns.tolist())
        thread = threading.Thread(target=work)
        thread.start()
        for i in range(50):
            store.append("a", [i], {"x": [1.0]})
        thread.join(20)
    assert found == list(range(50))


def test_watchers_are_many_and_their_failures_seen(store, monkeypatch):
    seen, failures = [], []
    monkeypatch.setattr("sys.unraisablehook", failures.append)
    one, two = store.watch(lambda *told: seen.append(told)), store.watch(lambda *told: 1 / 0)
    assert store.append("a", [1, 2], {"x": [1.0, 2.0]}).appended == 2
    assert seen == [("a", 2)] and failures[0].exc_type is ZeroDivisionError
    one.close()
    two.close()
    store.append("a", [3], {"x": [1.0]})
    assert len(seen) == 1 and len(failures) == 1


def test_failure_of_a_watcher_is_printed_by_the_hook_of_python(store, capsys, monkeypatch):
    monkeypatch.setattr("sys.unraisablehook", sys.__unraisablehook__)
    with store.watch(lambda *told: 1 / 0):
        assert store.append("a", [1], {"x": [1.0]}).appended == 1
    printed = capsys.readouterr().err
    assert "ZeroDivisionError" in printed and "UnraisableHookArgs" not in printed


def test_durability_is_set_and_kept(tmp_path):
    with edgeops.Store.open(tmp_path / "home") as store:
        assert store.durability == "process"
        store.durability = "power"
        store.append("a", [1], {"x": [1.0]})
        with pytest.raises(ValueError, match="process, power"):
            store.durability = "disk"
    with edgeops.Store.open(tmp_path / "home") as store:
        assert store.durability == "power"
    with edgeops.Store.open(tmp_path / "home", durability="process") as store:
        assert store.durability == "process" and store.read("a").rows == 1


def test_exceptions_in_a_walk_come_out(filled, monkeypatch):
    monkeypatch.setattr("edgeops.store._asset", lambda info: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        filled.assets()


def test_everything_public_is_exported():
    assert sorted(edgeops.__all__) == edgeops.__all__
    space = {}
    exec("from edgeops import *", space)
    assert all(space[name] is getattr(edgeops, name) for name in edgeops.__all__)
    undocumented = [name for name in edgeops.__all__ if isinstance(getattr(edgeops, name), type) and not getattr(edgeops, name).__doc__]
    assert not undocumented
    for kind in (edgeops.Node, edgeops.Store, edgeops.Table, edgeops.Cursor, edgeops.Call, edgeops.DatasetArrays):
        for name, member in vars(kind).items():
            if not name.startswith("_") and (callable(member) or isinstance(member, (property, classmethod))):
                assert getattr(kind, name).__doc__ or getattr(member, "__doc__", None), f"{kind.__name__}.{name}"


def test_an_error_is_what_its_base_says():
    for kind in vars(edgeops).values():
        if isinstance(kind, type) and issubclass(kind, edgeops.Error):
            error = kind("why")
            assert str(error) == "why" and (kind is edgeops.Error or error.code == kind.code < 0)
    assert issubclass(edgeops.IoError, OSError) and issubclass(edgeops.InvalidError, ValueError)
    assert issubclass(edgeops.DeadlineError, TimeoutError) and issubclass(edgeops.NotFoundError, LookupError)
