# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and functions that C calls: a KeyboardInterrupt there would be printed and lost, and with it what C came to say."""
from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Optional

# Those of the module make enums of what they are given and give, which takes longer than all the rest.
_set: Any = getattr(signal.signal, "__wrapped__", signal.signal)
_get: Any = getattr(signal.getsignal, "__wrapped__", signal.getsignal)
_SIGINT = int(signal.SIGINT)
_main = threading.main_thread().ident


class Shield:
    """In `with`, on the main thread: a SIGINT waits until the block has ended. Other threads do not see signals."""

    def __init__(self) -> None:
        self._before: Any = None
        self._came = False

    def _note(self, number: int, frame: Optional[FrameType]) -> None:
        self._came = True

    def __enter__(self) -> "Shield":
        if threading.get_ident() == _main:
            handler = _get(_SIGINT)
            if callable(handler):
                self._before = handler
                _set(_SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            _set(_SIGINT, self._before)
            if self._came:
                self._before(_SIGINT, None)

    def opened(self) -> "_Opened":
        """In `with`, inside: SIGINT comes at once again, for a handler of the caller's."""
        return _Opened(self)


class _Opened:
    def __init__(self, shield: Shield) -> None:
        self._shield = shield

    def __enter__(self) -> None:
        shield = self._shield
        if shield._before is not None:
            _set(_SIGINT, shield._before)
            if shield._came:
                shield._came = False
                shield._before(_SIGINT, None)

    def __exit__(self, *_: object) -> None:
        shield = self._shield
        if shield._before is not None:
            shield._before = _get(_SIGINT)
            _set(_SIGINT, shield._note)
