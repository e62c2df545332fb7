# SPDX-License-Identifier: Apache-2.0
"""Samples in and out as NumPy arrays."""
from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Iterator, NamedTuple, Union

import numpy as np

from . import _ffi
from ._ffi import check, lib
from .errors import ClosedError

_FLOAT64, _INT64, _BOOL, _STRING = 1, 2, 3, 4
_TYPES = {"float64": _FLOAT64, "int64": _INT64, "bool": _BOOL, "string": _STRING}
_TYPE_NAMES = {code: name for name, code in _TYPES.items()}

# The layouts of edgeops_value and edgeops_sample, so that NumPy fills whole arrays of them.
_VALUE = np.dtype([("type", np.int32), ("size", np.uint32), ("bits", np.int64)])
_SAMPLE = np.dtype([("asset", np.uintp), ("time", np.int64), ("seq", np.int64), ("count", np.uintp),
                    ("channels", np.uintp), ("values", np.uintp), ("qualities", np.uintp)])
assert _VALUE.itemsize == ctypes.sizeof(_ffi.Value) and _SAMPLE.itemsize == ctypes.sizeof(_ffi.Sample)

TimeLike = Union[int, str, np.datetime64]


class Appended(NamedTuple):
    """What an append did: new samples, repeated ones, contradicting ones, and new ones older than the newest."""

    appended: int
    duplicates: int
    conflicts: int
    late: int


def nanoseconds(time: TimeLike) -> int:
    """A time as nanoseconds since 1970 UTC: an int is taken as it is, a str or datetime64 is converted."""
    if isinstance(time, (int, np.integer)):
        return int(time)
    return int(np.datetime64(time.rstrip("Z") if isinstance(time, str) else time, "ns").astype(np.int64))


class Table(Mapping[str, np.ndarray]):
    """Rows of one asset: a read-only mapping from channel to array, all of one length.

    Arrays of float64, int64 and bool channels are views of the library's memory (no copy); strings become an object array.
    The memory lives as long as the table or any of its arrays.
    """

    def __init__(self, pointer: Any) -> None:
        header = pointer.contents
        # Every array keeps the owner through its buffer; the table goes when the last one does.
        self._owner = _Owner(pointer)
        self.asset: str = header.asset.decode()
        self.rows: int = header.rows
        self.times_ns: np.ndarray = self._view(header.times, np.int64)
        self.seqs: np.ndarray = self._view(header.seqs, np.int64)
        self.units: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.valid: dict[str, np.ndarray | None] = {}
        self._columns: dict[str, np.ndarray] = {}
        for i in range(header.column_count):
            self._add(header.columns[i])

    def _view(self, address: int | None, dtype: Any, count: int | None = None) -> np.ndarray:
        count = self.rows if count is None else count
        if count == 0 or not address:
            return np.empty(0, dtype)
        size = count * np.dtype(dtype).itemsize
        buffer = (ctypes.c_char * size).from_address(address)
        buffer.owner = self._owner  # type: ignore[attr-defined]
        array = np.frombuffer(buffer, dtype)
        array.flags.writeable = False
        return array

    def _add(self, column: _ffi.Column) -> None:
        name = column.name.decode()
        self.units[name] = column.unit.decode()
        self.types[name] = _TYPE_NAMES[column.type]
        self.valid[name] = self._view(column.valid, np.bool_) if column.valid else None
        if column.type == _FLOAT64:
            array = self._view(column.f64, np.float64)
        elif column.type == _INT64:
            array = self._view(column.i64, np.int64)
        elif column.type == _BOOL:
            array = self._view(column.u8, np.bool_)
        else:
            array = self._strings(column, self.valid[name])
        self._columns[name] = array

    def _strings(self, column: _ffi.Column, valid: np.ndarray | None) -> np.ndarray:
        out = np.empty(self.rows, object)
        if self.rows:
            ends = self._view(column.offsets, np.uint32, self.rows + 1)
            text = ctypes.string_at(column.bytes, int(ends[-1])) if ends[-1] else b""
            for i in range(self.rows):
                if valid is None or valid[i]:
                    out[i] = text[ends[i]:ends[i + 1]].decode("utf-8")
        return out

    @property
    def times(self) -> np.ndarray:
        """Time stamps as datetime64[ns], UTC; a view."""
        return self.times_ns.view("datetime64[ns]")

    def __getitem__(self, channel: str) -> np.ndarray:
        return self._columns[channel]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"<Table {self.asset!r}: {self.rows} rows of {', '.join(self._columns)}>"


class _Owner:
    """Frees a table of the library once nothing refers to it."""

    def __init__(self, pointer: Any) -> None:
        self._finalizer = weakref.finalize(self, lib.edgeops_table_free, pointer)


class Store:
    """The store of a node, from `Node.store`, or of a home opened alone with `Store.open(home)`."""

    def __init__(self, handle: int, keep: Any = None) -> None:
        self._pointer: int | None = handle
        self._keep = keep  # the node that owns the handle, None when it is ours

    @classmethod
    def open(cls, home: str) -> "Store":
        """Opens the store of a home without a node. BusyError if another process has it."""
        handle = ctypes.c_void_p()
        check(lib.edgeops_store_open(ctypes.byref(handle), str(home).encode(), None))
        return cls(handle.value or 0)

    def close(self) -> None:
        """Closes a store that was opened alone; a node's store closes with its node."""
        if self._pointer and self._keep is None:
            lib.edgeops_store_close(self._pointer)
        self._pointer = None

    @property
    def _handle(self) -> int:
        if self._keep is not None:
            self._keep._handle()  # a node that is closed has taken its store along
        if not self._pointer:
            raise ClosedError("this store is closed", code=-9, subsystem="store")
        return self._pointer

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, asset: str, times: Any, channels: Mapping[str, Any], seqs: Any = None) -> Appended:
        """Appends n samples of one asset: all or none.

        times: n time stamps, int64 ns since 1970 UTC or datetime64. channels: name -> n values (float, int, bool or str arrays;
        in an object array None is null, in a float array NaN stays NaN). seqs: n sequence numbers, default 0.
        """
        times = np.asarray(times)
        if times.dtype.kind == "M":
            times = times.astype("datetime64[ns]").view(np.int64)
        times = np.ascontiguousarray(times, np.int64).reshape(-1)
        n, width = len(times), len(channels)
        values = np.zeros((n, width), _VALUE)
        keep: list[Any] = []
        for i, (name, column) in enumerate(channels.items()):
            column = np.asarray(column)
            if column.shape != (n,):
                raise ValueError(f"channel '{name}' has the shape {column.shape}, expected ({n},)")
            _fill(values[:, i], name, column, keep)
        names = (ctypes.c_char_p * max(width, 1))(*[name.encode() for name in channels])
        label = ctypes.create_string_buffer(asset.encode())
        samples = np.zeros(n, _SAMPLE)
        samples["asset"] = ctypes.addressof(label)
        samples["time"] = times
        samples["seq"] = 0 if seqs is None else np.asarray(seqs, np.int64)
        samples["count"] = width
        samples["channels"] = ctypes.addressof(names)
        if n and width:
            samples["values"] = values.ctypes.data + np.arange(n, dtype=np.uintp) * np.uintp(values.strides[0])
        result = _ffi.AppendResult()
        check(lib.edgeops_store_append(self._handle, samples.ctypes.data, n, ctypes.byref(result)))
        return Appended(result.appended, result.duplicates, result.conflicts, result.late)

    def declare(self, asset: str, channel: str, type: str, unit: str = "") -> None:
        """Declares a channel ("float64", "int64", "bool", "string") or sets the unit of one that exists."""
        check(lib.edgeops_store_declare(self._handle, asset.encode(), channel.encode(), _TYPES[type], unit.encode()))

    def read(self, asset: str, channels: Sequence[str] | None = None, start: TimeLike | None = None,
             end: TimeLike | None = None, limit: int = 0, last: int = 0) -> Table:
        """Reads samples sorted by time: start inclusive, end exclusive; the first `limit` or the `last` so many, 0 for all."""
        query = _ffi.Query()
        lib.edgeops_query_init(ctypes.byref(query), ctypes.sizeof(query))
        query.asset = asset.encode()
        if start is not None:
            query.start = nanoseconds(start)
        if end is not None:
            query.end = nanoseconds(end)
        if channels is not None:
            query.channels = (ctypes.c_char_p * max(len(channels), 1))(*[name.encode() for name in channels])
            query.channel_count = len(channels)
        query.limit = limit
        query.last = last
        table = ctypes.POINTER(_ffi.TableHeader)()
        check(lib.edgeops_store_read(ctypes.byref(table), self._handle, ctypes.byref(query)))
        return Table(table)


def _fill(out: np.ndarray, name: str, column: np.ndarray, keep: list[Any]) -> None:
    """Writes one column into the values of all samples; what they point to goes into keep."""
    kind = column.dtype.kind
    if kind == "f":
        out["type"] = _FLOAT64
        out["bits"] = np.ascontiguousarray(column, np.float64).view(np.int64)
    elif kind == "b":
        out["type"] = _BOOL
        out["bits"] = column
    elif kind in "iu":
        if kind == "u" and column.size and int(column.max()) > np.iinfo(np.int64).max:
            raise ValueError(f"channel '{name}' has values beyond int64; pass them as str")
        out["type"] = _INT64
        out["bits"] = column.astype(np.int64)
    elif kind in "UO":
        for i, item in enumerate(column):
            _fill_one(out, i, name, item, keep)
    else:
        raise TypeError(f"channel '{name}' has the type {column.dtype}, expected numbers, bool or str")


def _fill_one(out: np.ndarray, i: int, name: str, item: Any, keep: list[Any]) -> None:
    if item is None:
        return
    if isinstance(item, str):
        text = ctypes.create_string_buffer(item.encode())
        keep.append(text)
        out[i] = (_STRING, len(text) - 1, ctypes.addressof(text))
    elif isinstance(item, (bool, np.bool_)):
        out[i] = (_BOOL, 0, int(item))
    elif isinstance(item, (int, np.integer)):
        out[i] = (_INT64, 0, int(item))
    elif isinstance(item, (float, np.floating)):
        out[i] = (_FLOAT64, 0, int(np.float64(item).view(np.int64)))
    else:
        raise TypeError(f"channel '{name}' has a {type(item).__name__} at {i}, expected a number, bool, str or None")
