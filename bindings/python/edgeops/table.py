# SPDX-License-Identifier: Apache-2.0
"""Rows of one asset that were read: arrays over the library's memory, and the ways from there to pandas and Arrow."""
from __future__ import annotations

import ctypes
import html
import importlib
import weakref
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from . import _ffi, arrow
from ._ffi import lib
from .columns import NO_QUALITY, TYPE_NAMES, Array, Blob

_BLOB_ROW = np.dtype([("digest", "V32"), ("size", np.uint64)])
_SHOWN_ROWS = 10


class _Owner:
    """Frees a table of the library once nothing refers to it."""

    def __init__(self, pointer: Any) -> None:
        self.pointer = pointer
        # Not at the end of the process: an array may be looked at in a later exit handler.
        weakref.finalize(self, _free, pointer).atexit = False


def _free(pointer: Any) -> None:
    lib.edgeops_table_free(pointer)
    arrow.sweep()


class Table:
    """Rows of one asset, sorted by time: channel -> array, all of one length, with keys(), values() and items() as a dict has.

    Arrays of numbers and bools are views of the library's memory (no copy, not writable), in the channel's own type; those of
    a channel of arrays such as "float32[4096]" are [rows, 4096]. Strings, and blobs as `Blob`, become object arrays. Nulls are
    NaN, 0, False or None; `valid[channel]` (bool[rows]) tells them, None where there are none. `quality[channel]` has the
    uint16 codes that the source gave, NO_QUALITY for none, and is None where no value has one. The memory lives as long as the
    table, any of its arrays, or what Arrow made of it. Any thread.

    A row that came in parts is one row where it is read, with the ordinal of its first part. A cursor gives each part as a row
    of its own, in order of arrival; there `parts` (bool[rows]) tells the later ones, None where there are none.

    What takes Arrow takes a table: pyarrow.table(t), polars.DataFrame(t), and DuckDB by its name in a query. (So it is not a
    collections.abc.Mapping, which polars would take for a dict, without its times.)
    """

    def __init__(self, pointer: Any) -> None:
        header = pointer.contents
        # Every array keeps the owner through its buffer; the table goes when the last one does.
        self._owner = _Owner(pointer)
        self.asset: str = header.asset.decode()
        self.rows: int = header.rows
        self.times_ns: npt.NDArray[np.int64] = self._view(header.times, np.int64)
        self.seqs: npt.NDArray[np.int64] = self._view(header.seqs, np.int64)
        self.ordinals: npt.NDArray[np.uint64] = self._view(header.ordinals, np.uint64)
        self.parts: Optional[npt.NDArray[np.bool_]] = self._view(header.parts, np.bool_) if header.parts else None
        self.units: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.valid: dict[str, Optional[npt.NDArray[np.bool_]]] = {}
        self.quality: dict[str, Optional[npt.NDArray[np.uint16]]] = {}
        self._columns: dict[str, Array] = {}
        for i in range(header.column_count):
            self._add(header.columns[i])

    def _view(self, address: Optional[int], dtype: Any, count: Optional[int] = None) -> Array:
        count = self.rows if count is None else count
        if count == 0 or not address:
            return np.empty(0, dtype)
        buffer = (ctypes.c_char * (count * np.dtype(dtype).itemsize)).from_address(address)
        buffer.owner = self._owner
        array: Array = np.frombuffer(buffer, dtype)
        array.flags.writeable = False
        return array

    def _add(self, column: _ffi.Column) -> None:
        name = column.name.decode()
        self.units[name] = column.unit.decode()
        length = max(column.length, 1)
        kind = TYPE_NAMES[column.type]
        self.types[name] = kind + (f"[{length}]" if length > 1 else "")
        valid = self._view(column.valid, np.bool_) if column.valid else None
        self.valid[name] = valid
        self.quality[name] = self._view(column.quality, np.uint16) if column.quality else None
        if kind == "string":
            array = self._strings(column, valid)
        elif kind == "blob":
            array = self._blobs(column, valid)
        else:
            array = self._view(column.data, np.dtype(kind), self.rows * length)
            array = array.reshape(self.rows, length) if length > 1 else array
        self._columns[name] = array

    def _blobs(self, column: _ffi.Column, valid: Optional[Array]) -> Array:
        out = np.empty(self.rows, object)
        stored = self._view(column.data, _BLOB_ROW)
        for i in range(self.rows):
            if valid is None or valid[i]:
                out[i] = Blob(stored["digest"][i].tobytes().hex(), int(stored["size"][i]))
        return out

    def _strings(self, column: _ffi.Column, valid: Optional[Array]) -> Array:
        out = np.empty(self.rows, object)
        if self.rows:
            ends = self._view(column.offsets, np.uint32, self.rows + 1).tolist()
            text = ctypes.string_at(column.bytes, ends[-1]) if ends[-1] else b""
            for i in range(self.rows):
                if valid is None or valid[i]:
                    out[i] = text[ends[i]:ends[i + 1]].decode("utf-8")
        return out

    @property
    def times(self) -> npt.NDArray[np.datetime64]:
        """Time stamps as datetime64[ns], UTC; a view."""
        return self.times_ns.view("datetime64[ns]")

    def to_pandas(self, seqs: bool = False, quality: bool = False) -> Any:
        """A DataFrame by time (UTC) whose columns are the channels; a copy, to be worked on as any frame.

        A null is NaN in floats, pandas.NA in whole numbers and bools (then of the types Int64, ..., boolean, which hold every
        value exactly), None in texts, blobs and arrays. A row of a channel of arrays is an array. seqs: also a column `seq`;
        quality: also a column "<channel>:quality" for each channel that has codes. `Store.append_table` takes the frame back.
        """
        pandas = the_pandas()
        columns: dict[str, Any] = {name: _series(array, self.valid[name]) for name, array in self.items()}
        for name, codes in self.quality.items():
            if quality and codes is not None:
                columns[f"{name}:quality"] = codes.copy()
        if seqs:
            if "seq" in columns:
                raise ValueError("there is a channel 'seq', so that the seqs cannot be a column of that name; take table.seqs")
            columns["seq"] = self.seqs.copy()
        index = pandas.DatetimeIndex(self.times_ns.copy(), tz="UTC", name="time")
        return pandas.DataFrame(columns, index=index, copy=True)

    def __arrow_c_schema__(self) -> Any:
        """Arrow's names and types of the columns: `time`, `seq` where there are seqs, the channels. PyCapsule."""
        return arrow.schema(self._owner.pointer)

    def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[Any, Any]:
        """The rows as an Arrow record batch, numbers and texts without a copy: two PyCapsules."""
        return arrow.batch(self._owner.pointer)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The rows as an Arrow stream of one record batch. PyCapsule."""
        return arrow.stream(self._owner.pointer)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> Array:
        """[rows, channels], of objects unless all are numbers or bools; a null is NaN there and None here. A copy."""
        if copy is False:
            raise ValueError("a table is columns: an array of its rows is a copy")
        plain = all(array.dtype.kind in "fiub" and array.ndim == 1 for array in self.values())
        holes = any(valid is not None for valid in self.valid.values())
        kinds = [array.dtype for array in self.values()] + ([np.dtype(np.float64)] if holes else [])
        out = np.empty((self.rows, len(self)), np.result_type(*kinds) if plain and kinds else object)
        for k, (name, array) in enumerate(self.items()):
            valid = self.valid[name]
            out[:, k] = array if array.ndim == 1 else _rows(array)
            if valid is not None:
                out[~valid, k] = np.nan if plain else None
        return out if dtype is None else out.astype(dtype)

    def __getitem__(self, channel: str) -> Array:
        return self._columns[channel]

    def __contains__(self, channel: object) -> bool:
        return channel in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def keys(self) -> KeysView[str]:
        """The channels."""
        return self._columns.keys()

    def values(self) -> ValuesView[Array]:
        """Their arrays."""
        return self._columns.values()

    def items(self) -> ItemsView[str, Array]:
        """Channels and their arrays."""
        return self._columns.items()

    def get(self, channel: str, default: Optional[Array] = None) -> Optional[Array]:
        """The array of a channel, or the default where there is none."""
        return self._columns.get(channel, default)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"<Table {self.asset!r}: {self.rows} rows of {', '.join(self._columns)}>"

    def _repr_html_(self) -> str:
        """The first and last rows, for a notebook."""
        def cells(tag: str, texts: list[str]) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts) + "</tr>"

        heads = [name + (f" [{self.units[name]}]" if self.units[name] else "") for name in self]
        lines = [cells("th", ["time"] + heads)]
        half = _SHOWN_ROWS // 2
        for i in range(self.rows):
            if self.rows > _SHOWN_ROWS and i == half:
                lines.append(cells("td", ["…"] * (1 + len(self))))
            if i < half or i >= self.rows - half:
                lines.append(cells("td", [str(self.times[i])] + [self._shown(name, i) for name in self]))
        return (f"<table><caption>{html.escape(self.asset)}, {self.rows} rows</caption>" + "".join(lines) + "</table>")

    def _shown(self, name: str, row: int) -> str:
        valid = self.valid[name]
        if valid is not None and not valid[row]:
            return ""
        value = self._columns[name][row]
        text = f"{value.size} bytes" if isinstance(value, Blob) else str(value)
        return text if len(text) <= 40 else text[:39] + "…"


def the_pandas() -> Any:
    """pandas, which is needed for frames only and has no types of its own."""
    return importlib.import_module("pandas")


def _rows(array: Array) -> Array:
    """[n, length] as n arrays."""
    out = np.empty(len(array), object)
    for i in range(len(array)):
        out[i] = array[i].copy()
    return out


def _series(array: Array, valid: Optional[Array]) -> Any:
    """A column as pandas holds it, with its nulls."""
    pandas = the_pandas()
    if array.ndim == 2:
        out = _rows(array)
        if valid is not None:
            out[~valid] = None
        return out
    if valid is not None and array.dtype.kind in "iu":
        return pandas.arrays.IntegerArray(array.copy(), ~valid)
    if valid is not None and array.dtype.kind == "b":
        return pandas.arrays.BooleanArray(array.copy(), ~valid)
    return array


__all__ = ["NO_QUALITY", "Blob", "Table"]
