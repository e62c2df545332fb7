# SPDX-License-Identifier: Apache-2.0
"""Reads into NumPy's own memory, counts and aggregates: what Store has beside tables."""
from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import (POINTER, Structure, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p)
from typing import Any, NamedTuple, Union

import numpy as np

from . import _ffi
from ._ffi import check, lib
from .errors import LimitError

TimeLike = Union[int, str, np.datetime64]
_COMPARE = {"==": 1, "!=": 2, "<": 3, "<=": 4, ">": 5, ">=": 6, "is null": 7, "is not null": 8}


def nanoseconds(time: TimeLike) -> int:
    """A time as nanoseconds since 1970 UTC: an int is taken as it is, a str or datetime64 is converted."""
    if isinstance(time, (int, np.integer)):
        return int(time)
    return int(np.datetime64(time.rstrip("Z") if isinstance(time, str) else time, "ns").astype(np.int64))


class _Condition(Structure):
    _fields_ = [("channel", c_char_p), ("compare", c_int), ("value", _ffi.Value)]


class _Query(Structure):
    _fields_ = _ffi.Query._fields_ + [("conditions", POINTER(_Condition)), ("condition_count", c_size_t)]


class _Layout(Structure):
    _fields_ = [("struct_size", c_size_t), ("capacity", c_uint64), ("times", c_void_p), ("seqs", c_void_p),
                ("ordinals", c_void_p), ("values", c_void_p), ("targets", c_void_p), ("channel_count", c_size_t)]


class _DatasetLayout(Structure):
    _fields_ = [("struct_size", c_size_t), ("capacity", c_uint64), ("channels", c_void_p), ("channel_count", c_size_t),
                ("times", c_void_p), ("seqs", c_void_p), ("values", c_void_p), ("targets", c_void_p),
                ("labels", c_void_p), ("groups", c_void_p), ("subsets", c_void_p)]


class _DatasetPart(Structure):
    _fields_ = [("table", POINTER(_ffi.TableHeader)), ("labels", c_void_p), ("subsets", c_void_p)]


class _DatasetHead(Structure):
    _fields_ = [("name", c_char_p), ("digest", c_char_p), ("rows", c_uint64), ("part_count", c_size_t),
                ("parts", POINTER(_DatasetPart)), ("label_count", c_size_t), ("label_names", POINTER(c_char_p))]


class _Aggregate(Structure):
    _fields_ = [("count", c_uint64), ("nulls", c_uint64), ("non_finite", c_uint64), ("min", _ffi.Value),
                ("max", _ffi.Value), ("sum", c_double), ("mean", c_double)]


class _Bucket(Structure):
    _fields_ = [("start", c_int64), ("end", c_int64), ("rows", c_uint64), ("first", c_int64), ("last", c_int64),
                ("channels", POINTER(_Aggregate))]


class _ChannelInfo(Structure):
    _fields_ = [("name", c_char_p), ("unit", c_char_p), ("type", c_int), ("length", c_uint32)]


class _Summary(Structure):
    _fields_ = [("asset", c_char_p), ("channel_count", c_size_t), ("channels", POINTER(_ChannelInfo)),
                ("bucket_count", c_size_t), ("buckets", POINTER(_Bucket))]


for _name, _arguments in {
    "edgeops_store_count": [POINTER(c_uint64), c_void_p, POINTER(_Query)],
    "edgeops_store_read_into": [POINTER(c_uint64), c_void_p, POINTER(_Query), POINTER(_Layout)],
    "edgeops_store_aggregate": [POINTER(POINTER(_Summary)), c_void_p, POINTER(_Query), c_int64],
    "edgeops_dataset_head": [POINTER(POINTER(_DatasetHead)), c_void_p, c_char_p],
    "edgeops_dataset_read_into": [c_void_p, c_char_p, POINTER(_DatasetLayout)],
}.items():
    getattr(lib, _name).restype = c_int
    getattr(lib, _name).argtypes = _arguments
for _name, _struct in (("edgeops_summary_free", _Summary), ("edgeops_dataset_free", _DatasetHead)):
    getattr(lib, _name).restype = None
    getattr(lib, _name).argtypes = [POINTER(_struct)]


class Aggregate(NamedTuple):
    """What the values of a channel come to; min, max and mean are None where there is no number."""

    count: int
    nulls: int
    non_finite: int  # of count: NaN and infinities, in none of the following
    min: float | int | None
    max: float | int | None
    sum: float
    mean: float | None


class Bucket(NamedTuple):
    """The rows with a time in [start, end), ns since 1970 UTC."""

    start: int
    end: int
    rows: int
    first: int
    last: int
    channels: dict[str, Aggregate]


class DatasetArrays(NamedTuple):
    """A frozen dataset, rows sorted by asset and time."""

    values: np.ndarray  # float64[rows, columns], a null is NaN
    columns: list[str]
    times_ns: np.ndarray
    label_codes: np.ndarray  # int32[rows], index into label_names, -1 for none
    label_names: list[str]
    group_codes: np.ndarray  # int32[rows], index into group_names
    group_names: list[str]
    subsets: np.ndarray  # uint8[rows]: 0 train, 1 test, 2 validation
    digest: str

    def to_pandas(self) -> Any:
        """A DataFrame by time, with the columns `asset` and `label` behind the channels."""
        import pandas

        frame = pandas.DataFrame(self.values, columns=self.columns, copy=False)
        frame.index = pandas.DatetimeIndex(self.times_ns, tz="UTC", name="time")
        frame["asset"] = pandas.Categorical.from_codes(self.group_codes, self.group_names)
        frame["label"] = pandas.Categorical.from_codes(self.label_codes, self.label_names)
        return frame


def _value(value: Any, keep: list[Any]) -> _ffi.Value:
    out = _ffi.Value()
    if isinstance(value, (bool, np.bool_)):
        out.type, out.data.i64 = 3, int(value)
    elif isinstance(value, (int, np.integer)):
        out.type, out.data.i64 = 2, int(value)
    elif isinstance(value, (float, np.floating)):
        out.type, out.data.f64 = 1, float(value)
    elif isinstance(value, str):
        text = ctypes.create_string_buffer(value.encode())
        keep.append(text)
        out.type, out.size, out.data.str = 4, len(text) - 1, ctypes.addressof(text)
    else:
        raise TypeError(f"a condition has a {type(value).__name__}, expected a number, bool or str")
    return out


def _number(value: _ffi.Value) -> float | int | None:
    """The value of an aggregate by its type; numbers of edgeops_type."""
    bits = value.data.i64
    if value.type == 0:
        return None
    if value.type == 1:
        return value.data.f64
    if value.type == 5:
        return float(np.array([bits & 0xFFFFFFFF], np.uint32).view(np.float32)[0])
    return bits & 0xFFFFFFFFFFFFFFFF if value.type in (9, 10, 11, 12) else bits


def _query(asset: str, channels: Sequence[str] | None, start: TimeLike | None, end: TimeLike | None,
           where: Sequence[tuple] = ()) -> _Query:
    query = _Query()
    keep: list[Any] = []
    lib.edgeops_query_init(ctypes.cast(ctypes.byref(query), POINTER(_ffi.Query)), ctypes.sizeof(query))
    query.asset = asset.encode()
    if start is not None:
        query.start = nanoseconds(start)
    if end is not None:
        query.end = nanoseconds(end)
    if channels is not None:
        query.channels = (c_char_p * max(len(channels), 1))(*[name.encode() for name in channels])
        query.channel_count = len(channels)
    conditions = (_Condition * max(len(where), 1))()
    for condition, (channel, compare, *value) in zip(conditions, where):
        if compare not in _COMPARE:
            raise ValueError(f"'{compare}' is no comparison; there are {', '.join(_COMPARE)}")
        condition.channel = channel.encode()
        condition.compare = _COMPARE[compare]
        if value:
            condition.value = _value(value[0], keep)
    query.conditions = conditions
    query.condition_count = len(where)
    query._keep = keep
    return query


class Reads:
    """Mixed into Store."""

    @property
    def _handle(self) -> int:
        raise NotImplementedError

    def count(self, asset: str, start: TimeLike | None = None, end: TimeLike | None = None, where: Sequence[tuple] = ()) -> int:
        """How many samples there are; where: as read_array()."""
        rows = c_uint64()
        check(lib.edgeops_store_count(ctypes.byref(rows), self._handle, ctypes.byref(_query(asset, None, start, end, where))))
        return rows.value

    def read_array(self, asset: str, channels: Sequence[str], start: TimeLike | None = None, end: TimeLike | None = None,
                   where: Sequence[tuple] = (), out: np.ndarray | None = None,
                   times_out: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Times (int64 ns) and values (float64[rows, channels]) straight from the store, sorted by time; a null is NaN.

        where: conditions that all hold, such as ("temp", ">=", 20), ("state", "==", "run") or ("x", "is not null"). out and
        times_out: C-contiguous arrays to fill instead of new ones; what comes back are their first rows, and LimitError when
        they are too short.
        """
        query = _query(asset, channels, start, end, where)
        while True:
            values, times = out, times_out
            if values is None:
                values = np.empty((self.count(asset, start, end, where), len(channels)))
            if times is None:
                times = np.empty(len(values), np.int64)
            if values.dtype != np.float64 or values.ndim != 2 or values.shape[1] != len(channels) or not values.flags.c_contiguous:
                raise ValueError(f"out must be a C-contiguous float64 array of shape (n, {len(channels)})")
            if times.dtype.itemsize != 8 or times.dtype.kind not in "iM" or times.ndim != 1 or not times.flags.c_contiguous:
                raise ValueError("times_out must be a contiguous int64 or datetime64[ns] array")
            layout = _Layout(ctypes.sizeof(_Layout), min(len(values), len(times)), times.ctypes.data, None, None,
                             values.ctypes.data, None, len(channels))
            rows = c_uint64()
            try:
                check(lib.edgeops_store_read_into(ctypes.byref(rows), self._handle, ctypes.byref(query), ctypes.byref(layout)))
            except LimitError:
                if out is not None or times_out is not None:
                    raise
                continue  # samples came in between
            return times[:rows.value], values[:rows.value]

    def aggregate(self, asset: str, channels: Sequence[str] | None = None, start: TimeLike | None = None,
                  end: TimeLike | None = None, every: int = 0, where: Sequence[tuple] = ()) -> list[Bucket]:
        """Counts, least, greatest and mean values from the store's statistics: of all samples, or for each stretch of `every` ns.

        Stretches begin at multiples of their length since 1970; those without a sample are left out.
        """
        summary = POINTER(_Summary)()
        query = _query(asset, channels, start, end, where)
        check(lib.edgeops_store_aggregate(ctypes.byref(summary), self._handle, ctypes.byref(query), every))
        try:
            head = summary.contents
            names = [head.channels[k].name.decode() for k in range(head.channel_count)]
            buckets = []
            for bucket in head.buckets[:head.bucket_count]:
                found: dict[str, Aggregate] = {}
                for name, a in zip(names, bucket.channels[:len(names)]):
                    least = _number(a.min)
                    found[name] = Aggregate(a.count, a.nulls, a.non_finite, least, _number(a.max), a.sum,
                                            None if least is None else a.mean)
                buckets.append(Bucket(bucket.start, bucket.end, bucket.rows, bucket.first, bucket.last, found))
            return buckets
        finally:
            lib.edgeops_summary_free(summary)

    def dataset(self, name: str, channels: Sequence[str] | None = None) -> DatasetArrays:
        """A frozen dataset of numbers as arrays; channels: only these, in this order."""
        pointer = POINTER(_DatasetHead)()
        check(lib.edgeops_dataset_head(ctypes.byref(pointer), self._handle, name.encode()))
        try:
            head = pointer.contents
            first = head.parts[0].table.contents
            columns = [first.columns[k].name.decode() for k in range(first.column_count)] if channels is None else list(channels)
            groups = [head.parts[i].table.contents.asset.decode() for i in range(head.part_count)]
            labels = [head.label_names[i].decode() for i in range(head.label_count)]
            rows, digest = head.rows, head.digest.decode()
        finally:
            lib.edgeops_dataset_free(pointer)
        out = DatasetArrays(np.empty((rows, len(columns))), columns, np.empty(rows, np.int64), np.empty(rows, np.int32), labels,
                            np.empty(rows, np.int32), groups, np.empty(rows, np.uint8), digest)
        names = (c_char_p * max(len(columns), 1))(*[column.encode() for column in columns])
        layout = _DatasetLayout(ctypes.sizeof(_DatasetLayout), rows, ctypes.addressof(names), len(columns), out.times_ns.ctypes.data,
                                None, out.values.ctypes.data, None, out.label_codes.ctypes.data, out.group_codes.ctypes.data,
                                out.subsets.ctypes.data)
        check(lib.edgeops_dataset_read_into(self._handle, name.encode(), ctypes.byref(layout)))
        return out


def table_to_pandas(table: Mapping[str, np.ndarray]) -> Any:
    """A DataFrame by time whose columns are the table's arrays; a null of a number is NaN, of a text None."""
    import pandas

    columns = {}
    for name, array in table.items():
        valid = table.valid[name]  # type: ignore[attr-defined]
        if valid is not None and array.dtype.kind in "iub" and array.ndim == 1:
            array = np.where(valid, array, np.nan)
        columns[name] = array if array.ndim == 1 else list(array)
    frame = pandas.DataFrame(columns, copy=False)
    frame.index = pandas.DatetimeIndex(table.times_ns, tz="UTC", name="time")  # type: ignore[attr-defined]
    return frame
