# SPDX-License-Identifier: Apache-2.0
"""Cursors: the samples of an asset in order of arrival, as they come."""
from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Iterator, Optional

from . import _ffi
from ._ffi import check, lib
from ._handle import Handle
from .reads import StoreBase
from .table import Table


class Cursor(Handle):
    """Made by Store.cursor(). One thread reads at a time; others wait. It closes with its store, at the latest."""

    _what = "cursor"

    def __init__(self, store: StoreBase, asset: str, channels: Optional[Sequence[str]], after: int) -> None:
        self.asset = asset
        self._lock = threading.Lock()
        pointer = ctypes.c_void_p()
        options = _ffi.options(_ffi.CursorOptions, lib.edgeops_cursor_options_init)
        options.asset = _ffi.name_bytes(asset, "an asset")
        if channels is not None:
            options.channels, options.channel_count = _ffi.name_list(channels, "channels"), len(channels)
        options.after = after
        with store._using():
            check(lib.edgeops_cursor_open(ctypes.byref(pointer), store._pointer, ctypes.byref(options)))
            super().__init__(pointer, store)

    def _release(self) -> None:
        with self._lock:
            lib.edgeops_cursor_close(self._raw)

    def __repr__(self) -> str:
        return f"<Cursor over {self.asset!r}{', closed' if self.closed else ''}>"

    def read(self, max_rows: int = 65536) -> Optional[Table]:
        """The next rows in order of arrival, at most 1..65536; None when there are none now.

        Each part of a row is a row here, with the values that it brought: Table.parts tells the later ones.
        """
        most = _ffi.whole(max_rows, "max_rows", 1, 65536)
        block = ctypes.POINTER(_ffi.TableHeader)()
        copy = ctypes.POINTER(_ffi.TableHeader)()
        with self._using(), self._lock:
            if check(lib.edgeops_cursor_next(ctypes.byref(block), self._pointer, most)) != 0:
                return None
            check(lib.edgeops_table_copy(ctypes.byref(copy), block))
        return Table(copy)

    def __iter__(self) -> Iterator[Table]:
        """Tables until there are no rows now; to go on later, iterate again."""
        while True:
            table = self.read()
            if table is None:
                return
            yield table

    @property
    def skipped(self) -> int:
        """How many ordinals it passed over, since their rows are not there any more: retention dropped them."""
        with self._using(), self._lock:
            return int(lib.edgeops_cursor_skipped(self._pointer))
