# SPDX-License-Identifier: Apache-2.0
"""Times in: int64 nanoseconds since 1970 UTC, exactly, or an exception.

Taken are ints (nanoseconds), datetime64 of any unit (UTC), datetime and pandas.Timestamp with a time zone, and text by the
rules of all readers: ISO 8601 (UTC unless it has an offset), "now", "-1h" (edgeops_time_parse() in types.h). Floats are refused, since 1.7e9 could be seconds, and a double has no nanoseconds of this
century: from_seconds() converts them by a rule. NaT, what int64 nanoseconds do not reach (1677 to 2262) and fractions of a
nanosecond (but of text, where they are cut off) are refused.
"""
from __future__ import annotations

import ctypes
import datetime
import re
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from . import _ffi

TimeLike = Union[int, str, np.datetime64, np.integer[Any], datetime.datetime]
Times = npt.NDArray[np.int64]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_LEAST, _GREATEST = -2**63, 2**63 - 1
_FLOAT = ("times are int64 nanoseconds since 1970 UTC or datetime64, not floats; edgeops.from_seconds(times) converts "
          "seconds, to the nearest nanosecond")


def _fits(ns: int, given: object) -> int:
    if not _LEAST <= ns <= _GREATEST:
        raise ValueError(f"the time {given!r} is outside 1677 to 2262, which int64 nanoseconds reach")
    return ns


def _exact(times: Any) -> Times:
    """datetime64 of any unit as int64 ns."""
    unit, _ = np.datetime_data(times.dtype)
    if np.isnat(times).any():
        raise ValueError("a time is NaT; leave its row out")
    if unit == "generic":
        raise ValueError("datetime64 without a unit is not a time")
    try:  # newer NumPy raises where the older ones wrap, which the way back shows
        ns = times.astype("datetime64[ns]")
        exact = not np.isnat(ns).any() and bool((ns.astype(times.dtype) == times).all())
    except OverflowError:
        exact = False
    if not exact and unit in ("ps", "fs", "as"):
        raise ValueError("a time has a fraction of a nanosecond")
    if not exact:
        raise ValueError(f"a time of {times.dtype} is outside 1677 to 2262, which int64 nanoseconds reach")
    return np.ascontiguousarray(ns.view(np.int64) if ns.ndim else ns.reshape(1).view(np.int64))


def _text(text: str) -> int:
    """By the library's rules: what edgeops_time_parse() reads."""
    time = ctypes.c_int64()
    status = _ffi.lib.edgeops_time_parse(ctypes.byref(time), text.replace("\0", "?").encode(errors="replace"))
    if status != 0:
        raise ValueError(str(_ffi.last_error(status)))
    return time.value


def nanoseconds(time: TimeLike) -> int:
    """One time as nanoseconds since 1970 UTC: an int as it is, see the module. TypeError, ValueError."""
    if isinstance(time, (bool, np.bool_)):
        raise TypeError("a time is not a bool")
    if isinstance(time, (int, np.integer)):
        return _fits(int(time), time)
    if isinstance(time, (float, np.floating)):
        raise TypeError(_FLOAT)
    if isinstance(time, str):
        return _text(time)
    if isinstance(time, np.datetime64):
        return int(_exact(np.array(time))[0])
    if isinstance(time, datetime.datetime):
        return _moment(time)
    advice = "; np.datetime64(value) is its beginning, UTC" if isinstance(time, datetime.date) else ""
    raise TypeError(f"a time is an int of nanoseconds, datetime64, datetime or str, not {type(time).__name__}{advice}")


def _moment(time: datetime.datetime) -> int:
    """A datetime; pandas.Timestamp is one, with nanoseconds of its own."""
    if time != time:  # NaT
        raise ValueError("a time is NaT; leave its row out")
    if time.tzinfo is None:
        raise ValueError(f"{time!r} has no time zone, so that it may be local time; give it one: "
                         "time.replace(tzinfo=datetime.timezone.utc)")
    if hasattr(time, "to_datetime64"):
        return int(_exact(np.array(time.to_datetime64()))[0])
    passed = time - _EPOCH
    return _fits((passed.days * 86400 + passed.seconds) * 10**9 + passed.microseconds * 1000, time)


def _given(time: TimeLike) -> int:
    """The time of a sample is one that does not move."""
    if isinstance(time, str) and re.match(r"\s*(now|[+-].*[a-z]$)", time):
        raise ValueError(f"{time!r} is not the time of a sample; it counts from now")
    return nanoseconds(time)


def _is_mixed(items: Any) -> bool:
    """Whether NumPy would make one type of what is in a list: texts of ints, or one unit of several, which may wrap."""
    kinds = set(map(type, items))
    return len(kinds) > 1 or (kinds == {np.datetime64} and len({item.dtype for item in items}) > 1)


def _all_there(given: Any, what: str) -> Any:
    """Without a mask; a masked or missing one is refused."""
    if isinstance(given, np.ma.MaskedArray):
        if np.ma.getmaskarray(given).any():
            raise ValueError(f"a {what} is masked; leave its row out")
        return given.data
    if hasattr(given, "isna") and hasattr(given, "to_numpy") and bool(np.any(given.isna())):
        raise ValueError(f"a {what} is missing; leave its row out")
    return given


def times_of(times: Any) -> Times:
    """Times of any of these forms as int64[n], contiguous. TypeError, ValueError."""
    times = _all_there(times, "time")
    if isinstance(times, (list, tuple)) and _is_mixed(times):
        return np.fromiter(map(_given, times), np.int64, len(times))
    kind = getattr(times, "dtype", None)
    if getattr(kind, "tz", None) is not None:  # pandas: UTC comes out where a datetime64 dtype is asked for
        times = np.asarray(times, f"datetime64[{getattr(kind, 'unit', 'ns')}]")
    array = np.asarray(times)
    if array.ndim > 1:
        raise ValueError(f"times have the shape {array.shape}, expected one dimension")
    array = array.reshape(-1)
    kind = array.dtype.kind
    if array.size == 0 and kind in "fO":
        return np.empty(0, np.int64)
    if kind == "M":
        return _exact(array)
    if kind == "u" and array.size and int(array.max()) > _GREATEST:
        _fits(int(array.max()), int(array.max()))
    if kind in "iu":
        return np.ascontiguousarray(array, np.int64)
    if kind in "OU":
        return np.fromiter(map(_given, array.tolist() if kind == "U" else array), np.int64, len(array))
    if kind == "f":
        raise TypeError(_FLOAT)
    raise TypeError(f"times have the type {array.dtype}, expected int64 nanoseconds since 1970 UTC or datetime64")


def numbers_of(given: Any, n: int, what: str) -> Times:
    """n whole numbers, such as seqs, as int64; floats are refused, since their fraction would be lost. TypeError, ValueError."""
    given = _all_there(given, what.rstrip("s"))
    if isinstance(given, (list, tuple)) and any(isinstance(item, (bool, np.bool_)) for item in given):
        raise TypeError(f"{what} are whole numbers, not bools")
    number = getattr(getattr(given, "dtype", None), "numpy_dtype", None)  # of a nullable array of pandas
    array = given.to_numpy(dtype=number) if isinstance(number, np.dtype) and number.kind in "iu" else np.asarray(given)
    if isinstance(given, (list, tuple)) and given and all(isinstance(item, (int, np.integer)) for item in given):
        if not _LEAST <= min(given) <= max(given) <= _GREATEST:
            raise ValueError(f"{what} must be at most {_GREATEST} and at least {_LEAST}")
        array = np.asarray([int(item) for item in given], np.int64)
    if array.dtype.kind not in "iu" and array.size:
        advice = "; np.asarray(values).astype(np.int64) cuts fractions off" if array.dtype.kind == "f" else ""
        raise TypeError(f"{what} are whole numbers, not {array.dtype}{advice}")
    if array.ndim > 1 or (array.ndim == 1 and len(array) != n):
        raise ValueError(f"{what} have the shape {array.shape}, expected ({n},)")
    if array.dtype.kind == "u" and array.size and int(array.max()) > _GREATEST:
        raise ValueError(f"{what} must be at most {_GREATEST}")
    return np.ascontiguousarray(np.broadcast_to(array.astype(np.int64), (n,)))


def from_seconds(seconds: Any) -> Times:
    """Seconds since 1970 UTC, such as of time.time(), as int64 ns[n]: each to the nearest nanosecond of what the float says.

    A float64 of today is a multiple of 2^-22 s, 238 ns: that is as near as a time can be that once was such a float.
    ValueError for NaN, infinities and what is outside 1677 to 2262.
    """
    seconds = _all_there(seconds, "time")
    if isinstance(seconds, (list, tuple)) and any(isinstance(item, (bool, np.bool_)) for item in seconds):
        raise TypeError("seconds are numbers, not bools")
    given = np.asarray(seconds)
    if given.dtype.kind not in "fiu" or given.dtype.itemsize > 8:
        raise TypeError(f"seconds are numbers, not {given.dtype}")
    given = np.atleast_1d(given)
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise ValueError("a time is not finite; leave its row out")
    whole = np.floor(given)
    if given.size and (float(whole.min()) < -9223372036 or float(whole.max()) > 9223372035):
        raise ValueError("a time is outside 1677 to 2262, which int64 nanoseconds reach")
    part = np.rint((given - whole).astype(np.float64) * 1e9).astype(np.int64)
    return np.asarray(whole.astype(np.int64) * 10**9 + part)
