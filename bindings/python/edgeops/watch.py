# SPDX-License-Identifier: Apache-2.0
"""Watchers: being called when samples of a store became durable."""
from __future__ import annotations

import contextlib
import ctypes
import itertools
import weakref
from typing import Any, Callable, ContextManager

from . import _ffi
from ._ffi import check, lib
from ._handle import Handle
from ._signals import Shield
from .reads import StoreBase

# The C function is one for all watches, so that none is called after it was freed; a watch is found by its number.
_watches: "weakref.WeakValueDictionary[int, Watch]" = weakref.WeakValueDictionary()
_numbers = itertools.count(1)


class Watch(Handle):
    """Made by Store.watch(); it calls until it is closed, with its store at the latest."""

    _what = "watch"

    def __init__(self, store: StoreBase, function: Callable[[str, int], object]) -> None:
        self._function = function
        pointer = ctypes.c_void_p()
        number = next(_numbers)
        _watches[number] = self
        with store._using():
            check(lib.edgeops_watch_open(ctypes.byref(pointer), store._pointer, _CALL, number))
            super().__init__(pointer, store)

    def _release(self) -> None:
        lib.edgeops_watch_close(self._raw)


def calling_back() -> ContextManager[Any]:
    """Around an append, on whose thread watchers are called."""
    return Shield() if _watches else contextlib.nullcontext()


def _call(asset: bytes, last_ordinal: int, number: int) -> None:
    watch = _watches.get(number)
    if watch is not None:
        watch._function(asset.decode(), last_ordinal)  # what it raises ctypes gives to sys.unraisablehook


_CALL = _ffi.WATCH_FN(_call)
