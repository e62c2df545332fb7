# SPDX-License-Identifier: Apache-2.0
"""Tables as PyCapsules of the Arrow C data interface, so that pyarrow, polars and DuckDB take them; nothing is needed here.

A capsule's destructor would run Python code while an exception may be on its way, which CPython does not allow. So there is
none: who takes a capsule moves the struct out of it, and what nobody took is released once nobody holds the capsule any more,
at the next export or when the next table goes.
"""
from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import Any

from . import _ffi
from ._ffi import check, lib

_new = ctypes.pythonapi.PyCapsule_New
_new.restype = ctypes.py_object
_new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_NAMES = {_ffi.ArrowSchema: ctypes.c_char_p(b"arrow_schema"), _ffi.ArrowArray: ctypes.c_char_p(b"arrow_array"),
          _ffi.ArrowArrayStream: ctypes.c_char_p(b"arrow_array_stream")}

_lock = threading.RLock()
_given: list[tuple[Any, Any]] = []  # a capsule and the struct it points to
_HELD_HERE = 2  # the list's tuple, and the argument of getrefcount


def _after_fork() -> None:
    """Another thread may have held it."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


def _capsule(struct: Any) -> Any:
    made = _new(ctypes.addressof(struct), _NAMES[type(struct)], None)
    with _lock:
        _given.append((made, struct))
    return made


def sweep() -> None:
    """Lets go of what was given and is not held any more."""
    with _lock:
        kept: list[tuple[Any, Any]] = []
        gone: list[tuple[Any, Any]] = []
        while _given:
            entry = _given.pop()
            (kept if sys.getrefcount(entry[0]) > _HELD_HERE else gone).append(entry)
        _given.extend(kept)
    for _, struct in gone:
        if struct.release:
            struct.release(ctypes.byref(struct))


def schema(table: Any) -> Any:
    """A capsule "arrow_schema" of a table of the library."""
    sweep()
    made = _ffi.ArrowSchema()
    check(lib.edgeops_table_arrow(ctypes.byref(made), None, table))
    return _capsule(made)


def batch(table: Any) -> tuple[Any, Any]:
    """Capsules "arrow_schema" and "arrow_array"."""
    sweep()
    names, values = _ffi.ArrowSchema(), _ffi.ArrowArray()
    check(lib.edgeops_table_arrow(ctypes.byref(names), ctypes.byref(values), table))
    return _capsule(names), _capsule(values)


def stream(table: Any) -> Any:
    """A capsule "arrow_array_stream"."""
    sweep()
    made = _ffi.ArrowArrayStream()
    check(lib.edgeops_table_arrow_stream(ctypes.byref(made), table))
    return _capsule(made)
