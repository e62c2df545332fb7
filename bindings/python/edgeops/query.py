# SPDX-License-Identifier: Apache-2.0
"""What to read, as the library takes it, and values on their way out of it."""
from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Optional, Union

import numpy as np

from . import _ffi
from ._ffi import lib
from .columns import TYPE_NAMES
from .times import TimeLike, nanoseconds

Condition = Union[tuple[str, str], tuple[str, str, Union[float, int, bool, str]]]
_COMPARE = {"==": 1, "!=": 2, "<": 3, "<=": 4, ">": 5, ">=": 6, "is null": 7, "is not null": 8}
_WITHOUT_VALUE = ("is null", "is not null")
_MASKS = {"uint8": 0xFF, "uint16": 0xFFFF, "uint32": 0xFFFFFFFF, "uint64": 0xFFFFFFFFFFFFFFFF}


def _value(value: Any, keep: list[Any]) -> _ffi.Value:
    out = _ffi.Value()
    if isinstance(value, (bool, np.bool_)):
        out.type, out.as_.i64 = 3, int(value)
    elif isinstance(value, (int, np.integer)):
        if _ffi.whole(value, "the value of a condition", -2**63) >= 2**63:
            out.type, out.as_.u64 = 12, int(value)
        else:
            out.type, out.as_.i64 = 2, int(value)
    elif isinstance(value, (float, np.floating)):
        out.type, out.as_.f64 = 1, float(value)
    elif isinstance(value, str):
        text = ctypes.create_string_buffer(_ffi.name_bytes(value, "the value of a condition"))
        keep.append(text)
        out.type, out.size, out.as_.str = 4, len(text) - 1, ctypes.addressof(text)
    else:
        raise TypeError(f"a condition has a {type(value).__name__}, expected a number, bool or str")
    return out


def _conditions(where: Sequence[Condition], keep: list[Any]) -> Any:
    made = (_ffi.Condition * max(len(where), 1))()
    for out, given in zip(made, where):
        if isinstance(given, str) or len(given) not in (2, 3):
            raise ValueError(f"{given!r} is not a condition such as ('temp', '>=', 20) or ('temp', 'is null')")
        channel, compare = given[0], given[1]
        if compare not in _COMPARE:
            raise ValueError(f"'{compare}' is not a comparison; there are {', '.join(_COMPARE)}")
        if (compare in _WITHOUT_VALUE) != (len(given) == 2):
            raise ValueError(f"{given!r}: '{compare}' {'takes no' if compare in _WITHOUT_VALUE else 'needs a'} value")
        out.channel = _ffi.name_bytes(channel, "a channel")
        out.compare = _COMPARE[compare]
        if len(given) == 3:
            out.value = _value(given[2], keep)
    return made


def make_query(asset: str, channels: Optional[Sequence[str]], start: Optional[TimeLike], end: Optional[TimeLike],
               where: Sequence[Condition] = (), limit: int = 0, last: int = 0) -> _ffi.Query:
    """An edgeops_query; what it points to lives as long as it does. TypeError, ValueError."""
    query: _ffi.Query = _ffi.options(_ffi.Query, lib.edgeops_query_init)
    keep: list[Any] = []
    query.asset = _ffi.name_bytes(asset, "an asset")
    if start is not None:
        query.start = nanoseconds(start)
    if end is not None:
        query.end = nanoseconds(end)
    if channels is not None:
        query.channels = _ffi.name_list(channels, "channels")
        query.channel_count = len(channels)
    query.conditions = _conditions(where, keep)
    query.condition_count = len(where)
    query.limit = _ffi.whole(limit, "limit")
    query.last = _ffi.whole(last, "last")
    query._keep = keep
    return query


def value_of(value: _ffi.Value) -> Union[float, int, bool, str, None]:
    """A scalar value of any type; None for a null."""
    kind = TYPE_NAMES.get(value.type)
    if kind is None:
        return None
    if kind == "string":
        return ctypes.string_at(value.as_.str, value.size).decode("utf-8", "replace") if value.size else ""
    if kind == "float64":
        return float(value.as_.f64)
    if kind == "float32":
        return float(value.as_.f32)
    if kind == "bool":
        return bool(value.as_.i64)
    return int(value.as_.u64) & _MASKS[kind] if kind in _MASKS else int(value.as_.i64)
