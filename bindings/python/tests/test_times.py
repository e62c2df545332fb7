# SPDX-License-Identifier: Apache-2.0
"""Times and whole numbers come in exactly, or are refused."""
import datetime
import time

import numpy as np
import pytest

import edgeops
from edgeops import from_seconds, nanoseconds
from edgeops.times import numbers_of, times_of

T = 1_700_000_000_123_456_789
ZONE = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize("given", [
    [T], (T,), np.array([T]), np.array([T], np.uint64), np.array([T], ">i8"), np.array([T, 0])[:1], [np.int64(T)],
    np.array([T], "datetime64[ns]"), np.array([T], "datetime64[ns]").astype(">M8[ns]"), np.array([T], object),
    ["2023-11-14T22:13:20.123456789Z"], np.array(["2023-11-15T00:13:20.123456789+02:00"]), T, np.datetime64(T, "ns"),
    np.ma.array([T], mask=[False]),
])
def test_times_of_all_forms_are_the_same(given):
    assert times_of(given).tolist() == [T] and times_of(given).dtype == np.int64


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "25us"])
def test_datetime64_of_any_unit(unit):
    assert times_of(np.array([12], f"datetime64[{unit}]")).tolist() == [
        int(np.array([12], f"datetime64[{unit}]").astype("datetime64[ns]").astype(np.int64)[0])]
    assert times_of(np.array([12000], "datetime64[ps]")).tolist() == [12]


@pytest.mark.parametrize("given, kind", [
    ([time.time()], TypeError), (np.array([1.7e18]), TypeError), ([1, 2.0], TypeError), ([float("nan")], TypeError),
    (np.array([True]), TypeError), ([True], TypeError), (np.array([1j]), TypeError), ([b"2026-01-01"], TypeError),
    (np.array([2**63], np.uint64), ValueError), ([-2**63 - 1], (TypeError, ValueError)), ([2**64], ValueError),
    (np.array(["NaT"], "datetime64[ns]"), ValueError), (np.array(["3024-01-01"], "datetime64[s]"), ValueError),
    (np.array(["0001-01-01"], "datetime64[D]"), ValueError), (np.array([1], "datetime64[ps]"), ValueError),
    (np.array([-1], "datetime64[as]"), ValueError), (np.array([1], "timedelta64[s]"), TypeError),
    ([datetime.datetime(2026, 1, 1)], ValueError), ([datetime.date(2026, 1, 1)], TypeError), ([None], TypeError),
    (["yesterday"], ValueError), (["now"], ValueError), (["3000-01-01"], ValueError), (np.ma.array([1, 2], mask=[0, 1]), ValueError),
    (np.zeros((2, 2), int), ValueError), ([[1, 2]], ValueError), (np.array([("a", 1)], "U1,i8"), TypeError),
])
def test_what_is_no_time_is_refused(given, kind):
    with pytest.raises(kind):
        times_of(given)


@pytest.mark.parametrize("given, ns", [
    (["2024-01-01", 5], [1704067200 * 10**9, 5]), ([np.datetime64("2024-01-01"), 5], [1704067200 * 10**9, 5]),
    ([np.datetime64("1970-01-02"), np.datetime64(7, "ns")], [86400 * 10**9, 7]), ([5, np.uint64(2**63 - 1)], [5, 2**63 - 1]),
    (np.array([5, "2024-01-01"], object), [5, 1704067200 * 10**9]), (np.arange(6, dtype=">i8")[::-2], [5, 3, 1]),
    (np.asfortranarray(np.arange(6, dtype=np.uint16).reshape(2, 3))[1], [3, 4, 5]),
])
def test_each_time_of_a_mixed_list_goes_by_its_own_rule(given, ns):
    assert times_of(given).tolist() == ns


@pytest.mark.parametrize("given, words", [
    ([True, 5], "not a bool"), ([5, 2.5], "from_seconds"), ([5, None], "not NoneType"),
    ([np.datetime64("9999", "Y"), np.datetime64(7, "ns")], "outside 1677 to 2262"),
    ([np.datetime64("2024-01-01"), datetime.datetime(2024, 1, 1)], "no time zone"),
    ([datetime.date(2024, 1, 1)], r"np\.datetime64\(value\)"), ([np.datetime64("NaT"), 5], "NaT"),
    (np.ma.array(["2024"], "datetime64[Y]", mask=[1]), "masked"), (np.float16([1]), "from_seconds"), ([2**70, 5], "outside 1677"),
])
def test_a_mixed_list_hides_no_time_that_is_none(given, words):
    with pytest.raises((TypeError, ValueError), match=words):
        times_of(given)


def test_floats_are_refused_with_advice(store):
    with pytest.raises(TypeError, match="from_seconds"):
        store.append("a", [1.7e9], {"x": [1.0]})
    with pytest.raises(TypeError, match="from_seconds"):
        store.read("a", start=1.7e9)


def test_seconds_are_converted_to_the_nearest_nanosecond():
    assert from_seconds([1.7e9, 1.7e9 + 0.25, 0.1, -0.5, 0.0000000005]).tolist() == [
        1_700_000_000_000_000_000, 1_700_000_000_250_000_000, 100_000_000, -500_000_000, 0]
    assert from_seconds(1_700_000_000).tolist() == [1_700_000_000_000_000_000]
    assert from_seconds(np.float32(0.5)).tolist() == [500_000_000]
    for bad, kind in ((float("nan"), ValueError), (float("inf"), ValueError), (1e11, ValueError), (-1e11, ValueError),
                      ("1", TypeError), (True, TypeError)):
        with pytest.raises(kind):
            from_seconds(bad)


def test_one_time():
    assert nanoseconds(datetime.datetime(2026, 1, 1, 2, tzinfo=ZONE)) == nanoseconds("2026-01-01T00:00:00Z")
    assert nanoseconds(datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, datetime.timezone.utc)) == -1000
    assert nanoseconds("2026-01-01 00:00:00.000000001") == nanoseconds("2026-01-01") + 1
    assert nanoseconds("2026-01-01T01:30-0130") == nanoseconds("2026-01-01T03:00Z")
    assert nanoseconds("2026-01-01 02:00+02") == nanoseconds("20260101") == nanoseconds("1767225600.0")
    assert nanoseconds("2026-01-01T00:00:00.0000000019") == nanoseconds("2026-01-01") + 1
    assert abs(nanoseconds("now-1h") - (time.time_ns() - 3600 * 10**9)) < 60 * 10**9
    for bad in ("soon", "", "2026", "2026-13-01", "2026-01-01\0", "2026-01-01T00:00:00 CET"):
        with pytest.raises(ValueError, match="is not a time"):
            nanoseconds(bad)
    assert nanoseconds(-2**63) == -2**63 and nanoseconds(2**63 - 1) == 2**63 - 1
    with pytest.raises(ValueError, match="time zone"):
        nanoseconds(datetime.datetime(2026, 1, 1))
    with pytest.raises(ValueError):
        nanoseconds(2**63)


def test_pandas_times():
    pandas = pytest.importorskip("pandas")
    index = pandas.date_range("2026-01-01", periods=3, freq="s", tz="Europe/Berlin")
    utc = [nanoseconds("2025-12-31T23:00:00Z") + i * 10**9 for i in range(3)]
    for given in (index, index.to_series(), list(index), index.tz_convert("UTC"), index.tz_convert("UTC").tz_localize(None),
                  pandas.Series(index.tz_convert("UTC").tz_localize(None))):
        assert times_of(given).tolist() == utc
    assert nanoseconds(pandas.Timestamp("2026-01-01T00:00:00.000000001Z")) == nanoseconds("2026-01-01") + 1
    for bad in (pandas.NaT, pandas.Timestamp("2026-01-01")):
        with pytest.raises(ValueError):
            nanoseconds(bad)
    with pytest.raises(ValueError):
        times_of(pandas.Series([pandas.Timestamp("2026-01-01", tz="UTC"), pandas.NaT]))


@pytest.mark.parametrize("given, words", [
    (np.ma.array([1, 2], mask=[0, 1]), "a seq is masked"), ([1, True], "not bools"), ([2**63, 1], "at most"), ([-2**63 - 1, 1], "at most"),
    ([1.0, 2], "cuts fractions off"), (np.array([1, 2], "datetime64[s]"), "whole numbers"), ([None, 1], "whole numbers"),
])
def test_seqs_that_are_not_there_or_no_numbers_are_refused(given, words):
    with pytest.raises((TypeError, ValueError), match=words):
        numbers_of(given, 2, "seqs")


def test_nullable_seqs_times_and_codes_of_pandas(store):
    pandas = pytest.importorskip("pandas")
    for kind in ("Int64", "UInt16"):
        assert numbers_of(pandas.array([1, 2], kind), 2, "seqs").tolist() == [1, 2]
        assert times_of(pandas.Series(pandas.array([1, 2], kind))).tolist() == [1, 2]
        for call in (lambda given: numbers_of(given, 2, "seqs"), times_of):
            with pytest.raises(ValueError, match="is missing; leave its row out"):
                call(pandas.array([1, None], kind))
    with pytest.raises(ValueError, match="missing"):
        times_of(pandas.Series([pandas.Timestamp("2024-01-01"), None]))
    with pytest.raises(ValueError, match="missing"):
        from_seconds(pandas.array([1.5, None], "Float64"))
    with pytest.raises(TypeError, match="not Period"):
        times_of(pandas.period_range("2024", periods=2, freq="D"))
    store.append("p", [1, 2, 3], {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.0]}, qualities={
        "x": pandas.array([5, None, 7], "Int64"), "y": np.ma.array([5, 6, 7], mask=[0, 1, 0])})
    for name in "xy":
        assert store.read("p").quality[name].tolist() == [5, edgeops.NO_QUALITY, 7]


def test_seconds_hide_no_bool_and_nothing_masked():
    for bad in ([True, 1.5], np.ma.array([1.5], mask=[1]), np.array([1.5], np.longdouble), ["1.5"], [1j]):
        with pytest.raises((TypeError, ValueError)):
            from_seconds(bad)


def test_seqs_and_codes_are_whole_numbers(store):
    assert numbers_of(7, 3, "seqs").tolist() == [7, 7, 7]
    for bad in ([0.2, 0.4], np.array([1.0, 2.0]), ["1", "2"], [True, False], [1], [[1, 2]], np.array([2**63, 0], np.uint64)):
        with pytest.raises((TypeError, ValueError)):
            store.append("a", [1, 2], {"x": [1.0, 2.0]}, seqs=bad)
    for bad in ([0.5, 1], [-1, 0], [65536, 0], [1], [True, 1]):
        with pytest.raises((TypeError, ValueError)):
            store.append("a", [1, 2], {"x": [1.0, 2.0]}, qualities={"x": bad})
    assert store.assets() == []


def test_nothing_and_one_time(store):
    assert store.append("a", [], {"x": []}) == edgeops.Appended(0, 0, 0, 0)
    assert store.append("a", np.int64(5), {"x": [1.0]}).appended == 1
