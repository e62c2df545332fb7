# SPDX-License-Identifier: Apache-2.0
"""Samples in and out as NumPy arrays."""
from __future__ import annotations

import ctypes
import re
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Iterator, NamedTuple

import numpy as np

from . import _ffi
from ._ffi import check, lib
from .errors import ClosedError
from .reads import Reads, TimeLike, nanoseconds, table_to_pandas

_TYPE_NAMES = dict(enumerate(("float64", "int64", "bool", "string", "float32", "int8", "int16", "int32", "uint8", "uint16",
                              "uint32", "uint64", "blob"), 1))
_TYPES = {name: code for code, name in _TYPE_NAMES.items()}
_FLOAT64, _INT64, _BOOL, _STRING, _UINT64, _BLOB = (_TYPES[name] for name in
                                                    ("float64", "int64", "bool", "string", "uint64", "blob"))
_BLOB_ROW = np.dtype([("digest", "V32"), ("size", np.uint64)])
NO_QUALITY = 0xFFFF

# The layouts of edgeops_value and edgeops_sample, so that NumPy fills whole arrays of them.
_VALUE = np.dtype([("type", np.int32), ("size", np.uint32), ("bits", np.int64)])
_SAMPLE = np.dtype([("asset", np.uintp), ("time", np.int64), ("seq", np.int64), ("count", np.uintp),
                    ("channels", np.uintp), ("values", np.uintp), ("qualities", np.uintp)])
assert _VALUE.itemsize == ctypes.sizeof(_ffi.Value) and _SAMPLE.itemsize == ctypes.sizeof(_ffi.Sample)


class Appended(NamedTuple):
    """What an append did: new samples, repeated ones, contradicting ones, and new ones older than the newest."""

    appended: int
    duplicates: int
    conflicts: int
    late: int


class Blob(NamedTuple):
    """What a row holds of a blob; `Store.blob(blob)` reads its bytes."""

    digest: str  # SHA-256, 64 hex digits
    size: int


class Table(Mapping[str, np.ndarray]):
    """Rows of one asset: a read-only mapping from channel to array, all of one length.

    Arrays of numbers and bools are views of the library's memory (no copy), in the channel's own type; those of a channel of
    arrays such as "float32[4096]" are [rows, 4096]. Strings, and blobs as `Blob`, become object arrays. Nulls are NaN, 0,
    False or None; `valid[channel]` tells them, None where there are none. `quality[channel]` has the uint16 codes that the
    source gave, NO_QUALITY for none, and is None where no value has one. The memory lives as long as the table or any of its
    arrays.
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
        self.quality: dict[str, np.ndarray | None] = {}
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
        length = max(column.length, 1)
        self.types[name] = _TYPE_NAMES[column.type] + (f"[{length}]" if length > 1 else "")
        self.valid[name] = self._view(column.valid, np.bool_) if column.valid else None
        self.quality[name] = self._view(column.quality, np.uint16) if column.quality else None
        if column.type == _STRING:
            array = self._strings(column, self.valid[name])
        elif column.type == _BLOB:
            array = self._blobs(column, self.valid[name])
        else:
            array = self._view(column.data, np.dtype(_TYPE_NAMES[column.type]), self.rows * length)
            array = array.reshape(self.rows, length) if length > 1 else array
        self._columns[name] = array

    def _blobs(self, column: _ffi.Column, valid: np.ndarray | None) -> np.ndarray:
        out = np.empty(self.rows, object)
        stored = self._view(column.data, _BLOB_ROW)
        for i in range(self.rows):
            if valid is None or valid[i]:
                out[i] = Blob(stored["digest"][i].tobytes().hex(), int(stored["size"][i]))
        return out

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

    def to_pandas(self) -> Any:
        """A DataFrame by time whose columns are the channels."""
        return table_to_pandas(self)

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


class Store(Reads):
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

    def append(self, asset: str, times: Any, channels: Mapping[str, Any], seqs: Any = None,
               qualities: Mapping[str, Any] | None = None) -> Appended:
        """Appends n samples of one asset: all or none.

        times: n time stamps, int64 ns since 1970 UTC or datetime64. channels: name -> n values (arrays of any float or int
        type, bool or str, which decide the type of a new channel; in an object array None is null and bytes are a blob, in a
        float array NaN stays NaN), or [n, length] numbers for a channel of arrays. seqs: n sequence numbers, default 0.
        qualities: name -> n codes 0..65534, NO_QUALITY for none.
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
            if column.shape[:1] != (n,) or column.ndim > 2:
                raise ValueError(f"channel '{name}' has the shape {column.shape}, expected ({n},) or ({n}, length)")
            (_fill if column.ndim == 1 else _fill_arrays)(values[:, i], name, column, keep)
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
        if qualities and n:
            codes = _codes(n, list(channels), qualities)
            samples["qualities"] = codes.ctypes.data + np.arange(n, dtype=np.uintp) * np.uintp(codes.strides[0])
        result = _ffi.AppendResult(_ffi.ctypes.sizeof(_ffi.AppendResult))
        check(lib.edgeops_store_append(ctypes.byref(result), self._handle, samples.ctypes.data, n, None))
        return Appended(result.appended, result.duplicates, result.conflicts, result.late)

    def declare(self, asset: str, channel: str, type: str, unit: str = "") -> None:
        """Declares a channel or sets the unit of one that exists.

        type: "float64", "float32", "int8" to "int64", "uint8" to "uint64", "bool", "string", "blob", or such as
        "float32[4096]" for a channel of arrays.
        """
        match = re.fullmatch(r"([a-z0-9]+)(?:\[([1-9]\d{0,5})\])?", type)
        if match is None or match[1] not in _TYPES:
            raise ValueError(f"'{type}' is no type: {', '.join(_TYPES)}, or such as float32[4096]")
        name, count = match[1], int(match[2] or 1)
        info = _ffi.ChannelInfo(channel.encode(), unit.encode(), _TYPES[name], count)
        check(lib.edgeops_store_declare(self._handle, asset.encode(), ctypes.byref(info)))

    def blob(self, blob: Blob | str) -> bytes:
        """The bytes of a blob, checked: a `Blob` of a row, or its digest in hex."""
        digest = bytes.fromhex(blob.digest if isinstance(blob, Blob) else blob)
        if len(digest) != 32:
            raise ValueError("a digest has 64 hex digits")
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        check(lib.edgeops_blob_read(ctypes.byref(data), ctypes.byref(size), self._handle, digest))
        try:
            return ctypes.string_at(data, size.value)
        finally:
            lib.edgeops_free(data)

    def rename_asset(self, name: str, to: str) -> None:
        """Gives an asset another name; its samples, labels and datasets stay."""
        check(lib.edgeops_asset_rename(self._handle, name.encode(), to.encode()))

    def rename_channel(self, asset: str, name: str, to: str) -> None:
        """Gives a channel of an asset another name."""
        check(lib.edgeops_channel_rename(self._handle, asset.encode(), name.encode(), to.encode()))

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
    if kind in "fiu":
        column = _native(name, column)
        out["type"] = _TYPES[column.dtype.name]
        if kind == "f":
            out["bits"] = column.view(f"u{column.dtype.itemsize}").astype(np.uint64).view(np.int64)
        else:
            out["bits"] = column.astype(np.uint64 if kind == "u" else np.int64).view(np.int64)
    elif kind == "b":
        out["type"] = _BOOL
        out["bits"] = column
    elif kind in "UO":
        for i, item in enumerate(column):
            _fill_one(out, i, name, item, keep)
    else:
        raise TypeError(f"channel '{name}' has the type {column.dtype}, expected numbers, bool or str")


def _native(name: str, column: np.ndarray) -> np.ndarray:
    """A contiguous array of a type that a channel has."""
    dtype = column.dtype.newbyteorder("=")
    if dtype.name not in _TYPES:
        if column.dtype.kind != "f" or column.dtype.itemsize > 8:
            raise TypeError(f"channel '{name}' has the type {column.dtype}, expected numbers, bool or str")
        dtype = np.dtype(np.float32)  # from float16
    return np.ascontiguousarray(column, dtype)


def _fill_arrays(out: np.ndarray, name: str, column: np.ndarray, keep: list[Any]) -> None:
    """The same for a channel of arrays, [n, length]."""
    if column.dtype.kind not in "fiu" or column.shape[1] == 0:
        raise TypeError(f"channel '{name}': arrays have numbers and at least one element")
    column = _native(name, column)
    keep.append(column)
    out["type"] = _TYPES[column.dtype.name]
    out["size"] = column.shape[1] * column.dtype.itemsize
    out["bits"] = column.ctypes.data + np.arange(len(column), dtype=np.int64) * column.strides[0]


def _codes(n: int, names: list[str], qualities: Mapping[str, Any]) -> np.ndarray:
    codes = np.full((n, len(names)), NO_QUALITY, np.uint16)
    for name, given in qualities.items():
        if name not in names:
            raise ValueError(f"there are qualities of '{name}', which is no channel of this append")
        codes[:, names.index(name)] = given
    return codes


def _fill_one(out: np.ndarray, i: int, name: str, item: Any, keep: list[Any]) -> None:
    if item is None:
        return
    if isinstance(item, str):
        text = ctypes.create_string_buffer(item.encode())
        keep.append(text)
        out[i] = (_STRING, len(text) - 1, ctypes.addressof(text))
    elif isinstance(item, (bytes, bytearray, memoryview)):
        data = (ctypes.c_char * max(len(item), 1)).from_buffer_copy(bytes(item) or b"\0")
        keep.append(data)
        out[i] = (_BLOB, len(item), ctypes.addressof(data))
    elif isinstance(item, (bool, np.bool_)):
        out[i] = (_BOOL, 0, int(item))
    elif isinstance(item, (int, np.integer)):
        if int(item) > np.iinfo(np.int64).max:
            out[i] = (_UINT64, 0, int(item) - (1 << 64))
        else:
            out[i] = (_INT64, 0, int(item))
    elif isinstance(item, (float, np.floating)):
        out[i] = (_FLOAT64, 0, int(np.float64(item).view(np.int64)))
    else:
        raise TypeError(f"channel '{name}' has a {type(item).__name__} at {i}, expected a number, bool, str, bytes or None")
