# SPDX-License-Identifier: Apache-2.0
"""Reads into NumPy's own memory, counts and aggregates: what Store has beside tables."""
from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, c_uint64
from typing import Any, NamedTuple, Optional, Union

import numpy as np
import numpy.typing as npt

from . import _ffi
from ._ffi import check, lib
from ._handle import Handle
from .errors import LimitError
from .query import Condition, make_query, value_of
from .times import TimeLike

Number = Union[float, int, None]


class Aggregate(NamedTuple):
    """What the values of a channel come to; min, max and mean are None where there is no number."""

    count: int  # type: ignore[assignment]  # a tuple has a count(), which is of no use here
    nulls: int
    non_finite: int
    """Of count: NaN and infinities, which are in none of the following."""
    min: Number
    max: Number
    sum: float
    mean: Optional[float]


class Bucket(NamedTuple):
    """The rows with a time in [start, end), ns since 1970 UTC."""

    start: int
    end: int
    rows: int
    first: int
    last: int
    channels: dict[str, Aggregate]


class StoreBase(Handle):
    """What the parts of Store need of it."""


def fillable(array: Any, dtypes: Sequence[str], shape: tuple[Optional[int], ...], what: str) -> None:
    """Refuses an array that C cannot fill: ValueError says what is wrong with it. None in shape: any length."""
    shown = "x".join("n" if size is None else str(size) for size in shape)
    wanted = f"{what} must be a writable, C-contiguous {' or '.join(dtypes)} array of shape {shown}"
    if type(array) not in (np.ndarray, np.memmap):
        raise ValueError(f"{wanted}, not a {type(array).__name__}")
    if array.dtype not in [np.dtype(name) for name in dtypes] or not array.dtype.isnative:
        raise ValueError(f"{wanted}; its type is {array.dtype}")
    if array.ndim != len(shape) or any(size not in (None, got) for size, got in zip(shape, array.shape)):
        raise ValueError(f"{wanted}; its shape is {array.shape}")
    if not array.flags.c_contiguous or not array.flags.aligned:
        raise ValueError(f"{wanted}; it is not contiguous")
    if not array.flags.writeable:
        raise ValueError(f"{wanted}; it is read-only")


def _bucket(bucket: _ffi.Bucket, names: list[str]) -> Bucket:
    found: dict[str, Aggregate] = {}
    for name, a in zip(names, bucket.channels[:len(names)]):
        least: Any = value_of(a.min)
        greatest: Any = value_of(a.max)
        found[name] = Aggregate(a.count, a.nulls, a.non_finite, least, greatest, a.sum, None if least is None else a.mean)
    return Bucket(bucket.start, bucket.end, bucket.rows, bucket.first, bucket.last, found)


class Reads(StoreBase):
    """Mixed into Store."""

    def count(self, asset: str, start: Optional[TimeLike] = None, end: Optional[TimeLike] = None,
              where: Sequence[Condition] = ()) -> int:
        """How many samples there are; where: as read_array()."""
        rows = c_uint64()
        query = make_query(asset, None, start, end, where)
        with self._using():
            check(lib.edgeops_store_count(ctypes.byref(rows), self._pointer, ctypes.byref(query)))
        return rows.value

    def read_array(self, asset: str, channels: Sequence[str], start: Optional[TimeLike] = None,
                   end: Optional[TimeLike] = None, where: Sequence[Condition] = (),
                   out: Optional[npt.NDArray[np.float64]] = None, times_out: Optional[npt.NDArray[Any]] = None,
                   ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        """Times (int64 ns) and values (float64[rows, channels]) straight from the store, sorted by time; a null is NaN.

        where: conditions that all hold, such as ("temp", ">=", 20), ("state", "==", "run") or ("x", "is not null"). out:
        float64[n, channels], times_out: int64[n] or datetime64[ns][n], to fill instead of new ones; what comes back are their
        first rows. They are written in place, so that ValueError refuses what is read-only, not contiguous, of another type or
        byte order, or shares memory with the other one; LimitError when they are too short (what is in them then is not
        defined). An integer beyond 2^53 is rounded to the nearest double.
        """
        query = make_query(asset, channels, start, end, where)
        if out is not None:
            fillable(out, ["float64"], (None, len(channels)), "out")
        if times_out is not None:
            fillable(times_out, ["int64", "datetime64[ns]"], (None,), "times_out")
        if out is not None and times_out is not None and np.may_share_memory(out, times_out):
            raise ValueError("out and times_out share memory")
        while True:
            values, times = out, times_out
            if values is None:
                known = self.count(asset, start, end, where) if times is None else len(times)
                values = np.empty((known, len(channels)))
            if times is None:
                times = np.empty(len(values), np.int64)
            layout = _ffi.options(_ffi.Layout, lib.edgeops_layout_init)
            layout.capacity = min(len(values), len(times))
            layout.times = times.ctypes.data
            layout.values = values.ctypes.data
            layout.channel_count = len(channels)
            rows = c_uint64()
            try:
                with self._using():
                    check(lib.edgeops_store_read_into(ctypes.byref(rows), self._pointer, ctypes.byref(query),
                                                      ctypes.byref(layout)))
            except LimitError:
                if out is not None or times_out is not None:
                    raise
                continue  # samples came in between
            return times[:rows.value], values[:rows.value]

    def aggregate(self, asset: str, channels: Optional[Sequence[str]] = None, start: Optional[TimeLike] = None,
                  end: Optional[TimeLike] = None, every: int = 0, where: Sequence[Condition] = ()) -> list[Bucket]:
        """Counts, least, greatest and mean values from the store's statistics: of all samples, or for each stretch of `every` ns.

        Stretches begin at multiples of their length since 1970; those without a sample are left out.
        """
        summary = POINTER(_ffi.Summary)()
        query = make_query(asset, channels, start, end, where)
        length = _ffi.whole(every, "every", 0, _ffi.FOREVER)
        with self._using():
            check(lib.edgeops_store_aggregate(ctypes.byref(summary), self._pointer, ctypes.byref(query), length))
        try:
            head = summary.contents
            names = [head.channels[k].name.decode() for k in range(head.channel_count)]
            return [_bucket(bucket, names) for bucket in head.buckets[:head.bucket_count]]
        finally:
            lib.edgeops_summary_free(summary)
