# SPDX-License-Identifier: Apache-2.0
"""Values in: whatever holds the values of a channel becomes one typed column, or an exception that names the channel.

What is null: None, what a masked array masks, what a nullable array of pandas or Arrow has as missing, and in a pandas Series
also NaN, which is how pandas marks a missing number. In a NumPy array NaN is a value like any other.
"""
from __future__ import annotations

import ctypes
import datetime
from typing import Any, Callable, NamedTuple, Optional

import numpy as np
import numpy.typing as npt

from . import _ffi

TYPE_NAMES: dict[int, str] = dict(enumerate(
    ("float64", "int64", "bool", "string", "float32", "int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64", "blob"),
    1))
TYPES: dict[str, int] = {name: code for code, name in TYPE_NAMES.items()}
_NUMBERS = {np.dtype(name): name for name in TYPES if name not in ("bool", "string", "blob")}
NO_QUALITY = 0xFFFF
"""The quality code of a value that came without one."""

Array = npt.NDArray[Any]
Fetch = Callable[[Any], bytes]

# The layouts of edgeops_value and edgeops_sample, so that NumPy fills whole arrays of them.
_VALUE = np.dtype([("type", np.int32), ("size", np.uint32), ("bits", np.int64)])
_SAMPLE = np.dtype([("asset", np.uintp), ("time", np.int64), ("seq", np.int64), ("count", np.uintp), ("channels", np.uintp),
                    ("values", np.uintp), ("qualities", np.uintp)])
_SCALARS = ((bool, np.bool_, "bool"), (int, np.integer, "int"), (float, np.floating, "float"), (str, np.str_, "str"))


# What to do about values that no channel holds, by the kind of their dtype.
_ADVICE = {"M": "; times go in as int64 nanoseconds: edgeops.times.times_of(values)",
           "m": "; durations go in as numbers of a unit that you choose: values / np.timedelta64(1, 's')",
           "c": "; make two channels of it, of values.real and of values.imag",
           "f": "; values.astype(np.float64) rounds them", "S": "; values.astype(str) makes text of them"}


def _advice(item: Any) -> str:
    if isinstance(item, (datetime.datetime, datetime.date, np.datetime64)):
        return "; times go in as int64 nanoseconds: edgeops.nanoseconds(value)"
    if isinstance(item, (datetime.timedelta, np.timedelta64)):
        return _ADVICE["m"]
    if isinstance(item, (complex, np.complexfloating)):
        return _ADVICE["c"]
    return "; float(value) rounds it, str(value) keeps it" if type(item).__name__ in ("Decimal", "Fraction") else ""


class Blob(NamedTuple):
    """What a row holds of a blob; `Store.blob(blob)` reads its bytes."""

    digest: str
    """SHA-256, 64 hex digits."""
    size: int
    """Bytes."""


class Typed(NamedTuple):
    """A column as the store takes it: contiguous, in the machine's byte order."""

    name: str
    kind: str  # "float64", ..., of an element
    length: int  # elements of a row
    data: Array  # [n] or [n, length]; of strings their n + 1 offsets, of blobs object[n] of bytes
    text: bytes  # of strings
    valid: Optional[npt.NDArray[np.uint8]]
    quality: Optional[npt.NDArray[np.uint16]]


def column_of(name: str, given: Any, n: int, fetch: Fetch) -> Typed:
    """The values of a channel as a column of n rows. fetch: gives the bytes of a Blob. TypeError, ValueError."""
    mask: Optional[Array] = None
    if isinstance(given, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(given)
        given = given.data
    elif hasattr(given, "isna") and hasattr(given, "to_numpy"):
        given, mask = _from_pandas(given)
    elif hasattr(given, "is_null") and (hasattr(given, "to_pylist") or hasattr(given, "to_list")):
        given = given.to_pylist() if hasattr(given, "to_pylist") else given.to_list()  # Arrow, polars
    # NumPy would make one type of what is mixed in a list: all of it text, or floats of large ints.
    array = _objects(list(given)) if isinstance(given, (list, tuple)) else np.asarray(given)
    if array.shape[:1] != (n,) or array.ndim > 2:
        raise ValueError(f"channel '{name}' has the shape {array.shape}, expected ({n},) or ({n}, length)")
    if mask is not None and mask.ndim == 2:
        mask = _whole_rows(name, mask)
    if array.dtype.kind in "OUT":
        return _from_objects(name, array, mask, fetch)
    return _from_numbers(name, array, mask)


def with_quality(column: Typed, codes: Any) -> Typed:
    """The column with the quality codes of its rows, 0..65535. TypeError, ValueError."""
    n = len(column.data) - (column.kind == "string")
    given = _with_missing(codes, NO_QUALITY)
    if given.dtype.kind not in "iu" and given.size:
        raise TypeError(f"channel '{column.name}': quality codes are whole numbers, not {given.dtype}")
    if given.shape not in ((), (n,)):
        raise ValueError(f"channel '{column.name}': the quality codes have the shape {given.shape}, expected ({n},)")
    if given.size and not 0 <= int(given.min()) <= int(given.max()) <= NO_QUALITY:
        raise ValueError(f"channel '{column.name}': quality codes are 0 to {NO_QUALITY}")
    return column._replace(quality=np.ascontiguousarray(np.broadcast_to(given.astype(np.uint16), (n,))))


def _with_missing(given: Any, instead: int) -> Array:
    """Whole numbers as an array, with `instead` for those that are masked or missing."""
    if isinstance(given, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(given), instead, given.data) if given.dtype.kind in "iu" else np.asarray(given.data)
    if hasattr(given, "isna") and hasattr(given, "to_numpy"):
        values, mask = _from_pandas(given)
        values = np.asarray(values)
        return np.where(mask, instead, values) if mask.any() and values.dtype.kind in "iu" else values
    if isinstance(given, (list, tuple)) and any(isinstance(item, (bool, np.bool_)) for item in given):
        return np.zeros(len(given), np.bool_)
    return np.asarray(given)


def _objects(items: list[Any]) -> Array:
    """Items as they are, without a try to make a second dimension of them."""
    out = np.empty(len(items), object)
    out[:] = items
    return out


def _from_pandas(given: Any) -> tuple[Any, Array]:
    """Values and which are missing, of a Series, Index or extension array."""
    mask = np.asarray(given.isna(), np.bool_)
    kind = getattr(given, "dtype", None)  # a frame has none
    if kind is None or isinstance(kind, np.dtype):
        return given.to_numpy(), mask
    number = getattr(kind, "numpy_dtype", None)
    if isinstance(number, np.dtype) and number.kind in "fiub":
        return given.to_numpy(dtype=number, na_value=number.type(0)), mask
    return given.to_numpy(dtype=object, na_value=None), mask


def _whole_rows(name: str, mask: Array) -> Array:
    """A row of a channel of arrays is null as a whole."""
    rows = np.asarray(mask.all(axis=1))
    if (mask.any(axis=1) != rows).any():
        raise ValueError(f"channel '{name}': an array is null as a whole, but some elements of a row are masked and some not")
    return rows


def _valid(mask: Optional[Array]) -> Optional[npt.NDArray[np.uint8]]:
    return None if mask is None or not mask.any() else np.ascontiguousarray(~mask).view(np.uint8)


def _from_numbers(name: str, array: Array, mask: Optional[Array]) -> Typed:
    kind = array.dtype.kind
    if kind == "b" and array.ndim == 1:
        return Typed(name, "bool", 1, np.ascontiguousarray(array).view(np.uint8), b"", _valid(mask), None)
    if array.ndim == 2 and (kind not in "fiu" or array.shape[1] == 0):
        raise TypeError(f"channel '{name}': arrays have numbers and at least one element")
    dtype = array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")
    number = _NUMBERS.get(dtype)
    if number is None:
        if kind != "f" or dtype.itemsize > 8:
            raise TypeError(f"channel '{name}' has the type {array.dtype}, expected numbers, bool or str{_ADVICE.get(kind, '')}")
        dtype, number = np.dtype(np.float32), "float32"  # of float16, exactly
    data = np.ascontiguousarray(array, dtype)
    return Typed(name, number, data.shape[1] if data.ndim == 2 else 1, data, b"", _valid(mask), None)


def _missing(item: Any) -> bool:
    return item is None or item is np.ma.masked or type(item).__name__ in ("NAType", "NaTType")


def _kind(name: str, row: int, item: Any) -> str:
    for plain, numpy_kind, word in _SCALARS:
        if isinstance(item, (plain, numpy_kind)):
            return word
    if isinstance(item, (bytes, bytearray, memoryview, Blob)):
        return "blob"
    if isinstance(item, (np.ndarray, list, tuple)):
        return "array"
    raise TypeError(f"channel '{name}' has a {type(item).__name__} at {row}, expected a number, bool, str, bytes or None"
                    f"{_advice(item)}")


def _from_objects(name: str, array: Array, mask: Optional[Array], fetch: Fetch) -> Typed:
    """Of objects and text, the values of which have to be looked at one by one."""
    items: list[Any] = list(array)
    for i, item in enumerate(items):
        if _missing(item) or (mask is not None and mask[i]):
            items[i] = None
    kinds = {_kind(name, i, item) for i, item in enumerate(items) if item is not None}
    if kinds == {"str", "float"}:  # the NaN of a text is how pandas marks a missing one
        items = [None if isinstance(item, (float, np.floating)) and item != item else item for item in items]
        kinds = {_kind(name, i, item) for i, item in enumerate(items) if item is not None}
    missing = np.fromiter((item is None for item in items), np.bool_, len(items))
    if kinds == {"str"}:
        return _from_texts(name, items, missing)
    if kinds == {"blob"}:
        data = _objects([fetch(item) if isinstance(item, Blob) else None if item is None else bytes(item) for item in items])
        return Typed(name, "blob", 1, data, b"", _valid(missing), None)
    if kinds == {"array"}:
        return _from_rows(name, items, missing)
    if len(kinds) > 1 and kinds != {"int", "float"}:
        raise TypeError(f"channel '{name}' mixes {' and '.join(sorted(kinds))}; the values of a channel have one type")
    return _from_numbers(name, _numbers(name, items, kinds), missing)


def _is_double(number: Any) -> bool:
    """Whether a whole number is one that float64 has."""
    try:
        return int(float(number)) == int(number)
    except OverflowError:
        return False


def _numbers(name: str, items: list[Any], kinds: set[str]) -> Array:
    """Python numbers as an array; nulls are 0."""
    if kinds == {"bool"}:
        return np.array([bool(item) for item in items], np.bool_)
    if kinds == {"int"}:
        whole = [0 if item is None else int(item) for item in items]
        least, greatest = min(whole), max(whole)
        if not -2**63 <= least <= greatest < 2**64 or (least < 0 and greatest >= 2**63):
            raise ValueError(f"channel '{name}' has whole numbers that neither int64 nor uint64 holds")
        return np.array(whole, np.uint64 if greatest >= 2**63 else np.int64)
    for item in items:
        if isinstance(item, (int, np.integer)) and not _is_double(item):
            raise ValueError(f"channel '{name}' mixes floats with {item}, which a float64 cannot hold")
        if isinstance(item, np.longdouble) and float(item) != item and item == item:
            raise ValueError(f"channel '{name}' has {item}, which a float64 cannot hold; float(value) rounds it")
    return np.array([0.0 if item is None else float(item) for item in items], np.float64)


def _from_texts(name: str, items: list[Any], missing: Array) -> Typed:
    texts = [b"" if item is None else str(item).encode("utf-8") for item in items]
    ends = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=ends[1:])
    if ends[-1] >= 2**32:
        raise ValueError(f"channel '{name}' has {ends[-1]} bytes of text; one call takes less than 4 GiB")
    return Typed(name, "string", 1, ends.astype(np.uint32), b"".join(texts), _valid(missing), None)


def _row_of(name: str, item: Any) -> Optional[Array]:
    """One row of a channel of arrays; None: all of it is masked."""
    if isinstance(item, np.ma.MaskedArray):
        masked = _whole_rows(name, np.ma.getmaskarray(item).reshape(1, -1))
        return None if masked[0] else np.asarray(item.data)
    row = np.asarray(item)
    if isinstance(item, (list, tuple)) and row.ndim == 1:
        if row.dtype.kind != "b" and any(isinstance(value, (bool, np.bool_)) for value in item):
            raise TypeError(f"channel '{name}' mixes bools and numbers in an array")
        if row.dtype.kind == "f" and any(isinstance(value, (int, np.integer)) and not _is_double(value) for value in item):
            raise ValueError(f"channel '{name}' mixes floats with whole numbers that a float64 cannot hold")
    if row.dtype.kind not in "fiu" and row.ndim == 1 and row.size:
        raise TypeError(f"channel '{name}': arrays have numbers, not {row.dtype}")
    return row


def _from_rows(name: str, items: list[Any], missing: Array) -> Typed:
    """A list of arrays, of one length and type."""
    rows = [None if item is None else _row_of(name, item) for item in items]
    missing = missing | np.fromiter((row is None for row in rows), np.bool_, len(rows))
    held = [row for row in rows if row is not None]
    if not held:
        raise TypeError(f"channel '{name}': all arrays are masked, so that their type is not known")
    if {row.shape for row in held} != {held[0].shape} or held[0].ndim != 1:
        raise ValueError(f"channel '{name}' has arrays of shapes {sorted({row.shape for row in held})}, expected one length")
    stacked = np.stack(held)
    for row in held:
        if row.dtype.kind in "iu" and stacked.dtype.kind == "f" and not all(map(_is_double, row.tolist())):
            raise ValueError(f"channel '{name}' mixes floats with whole numbers that a float64 cannot hold")
    data = np.zeros((len(items), stacked.shape[1]), stacked.dtype)
    data[~missing] = stacked
    return _from_numbers(name, data, missing)


def window_of(given: Any) -> Array:
    """The numbers of a window as float64, exactly; null is NaN. TypeError, ValueError."""
    mask: Optional[Array] = None
    if isinstance(given, np.ma.MaskedArray):
        mask, given = np.ma.getmaskarray(given), given.data
    elif hasattr(given, "isna") and hasattr(given, "to_numpy"):
        given, mask = _from_pandas(given)
    # NumPy would make floats of text, and of large whole numbers beside a float, in a list.
    array = np.asarray(given, object if isinstance(given, (list, tuple)) else None)
    kind = array.dtype.kind
    if kind in "OUT":
        items = [_window_item(item) for item in array.reshape(-1).tolist()]
        out = np.array(items, np.float64).reshape(array.shape)
    elif (kind in "iu" and array.size and max(-int(array.min()), int(array.max())) > 2**53
          and not all(map(_is_double, array.reshape(-1).tolist()))):
        raise ValueError("the window has whole numbers that a float64 cannot hold; values.astype(np.float64) rounds them")
    elif kind in "biu" or (kind == "f" and array.dtype.itemsize <= 8):
        out = np.array(array, np.float64)
    else:
        raise TypeError(f"the window has the type {array.dtype}, expected numbers{_ADVICE.get(kind, '')}")
    if mask is not None and mask.any():
        out = np.where(mask, np.nan, out)
    return np.ascontiguousarray(out)


def _window_item(item: Any) -> float:
    if _missing(item):
        return float("nan")
    if isinstance(item, (bool, np.bool_, int, np.integer)) and not _is_double(item):
        raise ValueError(f"the window has {item}, which a float64 cannot hold; float(value) rounds it")
    if isinstance(item, np.longdouble) and float(item) != item and item == item:
        raise ValueError(f"the window has {item}, which a float64 cannot hold; float(value) rounds it")
    if isinstance(item, (bool, np.bool_, int, np.integer, float, np.floating)):
        return float(item)
    if isinstance(item, str):
        raise ValueError(f"the window has the text {item!r}, expected numbers; float(value) reads it")
    raise TypeError(f"the window has a {type(item).__name__}, expected numbers{_advice(item)}")


def bytes_of(columns: list[Typed], n: int) -> int:
    """About what the rows take one by one."""
    return n * 24 + sum(len(column.text) + n * 16 + (0 if column.kind in ("string", "blob") else column.data.nbytes)
                        for column in columns)


def _address(array: Array) -> Optional[int]:
    return array.ctypes.data if array.size else None


def table_of(asset: bytes, times: Array, seqs: Optional[Array], columns: list[Typed]) -> tuple[_ffi.TableHeader, Any]:
    """The columns as an edgeops_table, and what must live as long as it is used."""
    made = (_ffi.Column * max(len(columns), 1))()
    for c, column in zip(made, columns):
        c.name = _ffi.name_bytes(column.name, "a channel")
        c.unit = b""
        c.type = TYPES[column.kind]
        c.length = column.length
        if column.kind == "string":
            c.offsets, c.bytes = column.data.ctypes.data, ctypes.cast(ctypes.c_char_p(column.text), ctypes.c_void_p).value
        else:
            c.data = column.data.ctypes.data
        c.valid = None if column.valid is None else _address(column.valid)
        c.quality = None if column.quality is None else _address(column.quality)
    header = _ffi.TableHeader(asset, len(times), times.ctypes.data, None if seqs is None else _address(seqs), None,
                              len(columns), made)
    return header, (asset, times, seqs, columns, made)


def samples_of(asset: bytes, times: Array, seqs: Optional[Array], columns: list[Typed]) -> tuple[Array, Any]:
    """The same as edgeops_samples, which may hold blobs."""
    n, width = len(times), len(columns)
    keep: list[Any] = [asset, columns]
    names = (ctypes.c_char_p * max(width, 1))(*[_ffi.name_bytes(column.name, "a channel") for column in columns])
    label = ctypes.create_string_buffer(asset)
    values = np.zeros((n, width), _VALUE)
    codes = np.full((n, width), NO_QUALITY, np.uint16)
    for k, column in enumerate(columns):
        _fill(values[:, k], column, keep)
        if column.valid is not None:
            values["type"][column.valid == 0, k] = 0
        if column.quality is not None:
            codes[:, k] = column.quality
    samples = np.zeros(n, _SAMPLE)
    samples["asset"] = ctypes.addressof(label)
    samples["time"] = times
    samples["seq"] = 0 if seqs is None else seqs
    samples["count"] = width
    samples["channels"] = ctypes.addressof(names)
    if n and width:
        rows = np.arange(n, dtype=np.uintp)
        samples["values"] = values.ctypes.data + rows * np.uintp(values.strides[0])
        samples["qualities"] = codes.ctypes.data + rows * np.uintp(codes.strides[0])
    return samples, (keep, names, label, values, codes)


def _fill(out: Array, column: Typed, keep: list[Any]) -> None:
    """One column of the values of all samples; what they point to goes into keep."""
    data = column.data
    out["type"] = TYPES[column.kind]
    if column.kind == "string":
        text = ctypes.create_string_buffer(column.text, max(len(column.text), 1))
        keep.append(text)
        out["size"] = np.diff(data.astype(np.int64))
        out["bits"] = ctypes.addressof(text) + data[:-1].astype(np.int64)
    elif column.kind == "blob":
        for i, item in enumerate(data):
            if item is not None:
                held = ctypes.create_string_buffer(item, max(len(item), 1))
                keep.append(held)
                out["size"][i], out["bits"][i] = len(item), ctypes.addressof(held)
    elif column.length > 1 or data.ndim == 2:
        out["size"] = data.shape[1] * data.itemsize
        out["bits"] = data.ctypes.data + np.arange(len(data), dtype=np.int64) * data.strides[0]
    elif data.dtype.kind == "f":
        out["bits"] = data.view(f"u{data.itemsize}").astype(np.uint64).view(np.int64)
    else:
        out["bits"] = data.astype(np.uint64 if data.dtype.kind == "u" else np.int64).view(np.int64)
