# SPDX-License-Identifier: Apache-2.0
"""What Node, Store and Cursor have in common: an object of the library that is used and closed from any thread.

close() waits for those who are inside a call and lets nobody in any more; what was made from a handle is inside it while it is
used, and closed with it. A handle that is dropped closes itself with a ResourceWarning. A handle that was opened before a fork
is refused in the child, and closing it there does nothing: its threads, locks and files are the parent's.
"""
from __future__ import annotations

import atexit
import os
import threading
import time
import warnings
import weakref
from types import TracebackType
from typing import Optional, TypeVar

from .errors import ClosedError, InvalidError

_OPEN, _CLOSING, _CLOSED = range(3)
_EXIT_WAIT_S = 5.0
_alive: "weakref.WeakSet[Handle]" = weakref.WeakSet()
H = TypeVar("H", bound="Handle")


class Handle:
    """Counts who is inside; `_release()` is called once, when nobody is."""

    _what = "handle"

    def __init__(self, parent: "Optional[Handle]" = None) -> None:
        self._gate = threading.Condition()
        self._inside: dict[int, int] = {}  # thread -> how many calls deep
        self._children: "weakref.WeakSet[Handle]" = weakref.WeakSet()
        self._parent = parent
        self._pid = os.getpid()
        self._state = _OPEN
        if parent is not None:
            parent._children.add(self)
        else:
            _alive.add(self)

    def _release(self) -> None:
        """Gives the object back to the library."""
        raise NotImplementedError

    def _interrupt(self) -> None:
        """Makes those who wait inside come out."""

    @property
    def closed(self) -> bool:
        """True once it was closed, and in a forked child."""
        return self._state != _OPEN or self._pid != os.getpid() or (self._parent is not None and self._parent.closed)

    def _enter(self) -> None:
        if self._pid != os.getpid():
            raise InvalidError(f"this {self._what} was opened before a fork; open one in this process", subsystem="python")
        if self._parent is not None:
            self._parent._enter()
        me = threading.get_ident()
        with self._gate:
            open_to_me = self._state == _OPEN or (self._state == _CLOSING and me in self._inside)
            if open_to_me:
                self._inside[me] = self._inside.get(me, 0) + 1
        if not open_to_me:
            if self._parent is not None:
                self._parent._leave()
            raise ClosedError(f"this {self._what} is closed", subsystem=self._what)

    def _leave(self) -> None:
        me = threading.get_ident()
        with self._gate:
            self._inside[me] -= 1
            if self._inside[me] == 0:
                del self._inside[me]
                self._gate.notify_all()
        if self._parent is not None:
            self._parent._leave()

    def _using(self) -> "_Using":
        """`with self._using():` is a call inside."""
        return _Using(self)

    def close(self) -> None:
        """Closes; again is fine. Any thread: waits until calls in other threads have come to their end, and raises
        InvalidError inside a callback of this object."""
        self._close(None, False)

    def _close(self, timeout: Optional[float], by_parent: bool) -> None:
        if self._pid != os.getpid() or not self._begin_close():
            return
        until = None if timeout is None else time.monotonic() + timeout
        try:
            self._interrupt()
            if self._wait_idle(until):
                self._give_back(by_parent)
        finally:
            with self._gate:
                if self._state == _CLOSING:  # Ctrl-C while it waited, no time left, or the parent does it: as before
                    self._state = _OPEN
                self._gate.notify_all()

    def _begin_close(self) -> bool:
        with self._gate:
            if threading.get_ident() in self._inside:
                raise InvalidError(f"this {self._what} cannot be closed from inside one of its own calls", subsystem="python")
            while self._state == _CLOSING:
                self._gate.wait()
            if self._state == _CLOSED:
                return False
            self._state = _CLOSING
            return True

    def _wait_idle(self, until: Optional[float]) -> bool:
        with self._gate:
            while self._inside:
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._gate.wait(left)
            return True

    def _give_back(self, by_parent: bool) -> None:
        """Nobody is inside or comes in."""
        for child in list(self._children):
            child._close(None, True)
        if self._parent is not None and not by_parent:
            try:
                self._parent._enter()
            except ClosedError:  # it is being closed, and closes this one; or it is, and has taken this one along
                if self._parent._state == _CLOSED:
                    self._state = _CLOSED
                return
            try:
                self._release()
            finally:
                self._parent._leave()
        else:
            self._release()
        self._state = _CLOSED

    def __enter__(self: H) -> H:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_state", _CLOSED) == _OPEN and self._pid == os.getpid():
            try:
                self._warn()
            finally:
                self.close()

    def _warn(self) -> None:
        warnings.warn(f"{self!r} was not closed", ResourceWarning, stacklevel=3, source=self)


class _Using:
    __slots__ = ("handle",)

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    def __enter__(self) -> None:
        self.handle._enter()

    def __exit__(self, *_: object) -> None:
        self.handle._leave()


def _close_all() -> None:
    """At the end of the process: what is still open is closed, unless a thread stays inside."""
    refused: Optional[Warning] = None  # where warnings are errors
    for handle in list(_alive):
        if handle._state == _OPEN and handle._pid == os.getpid():
            try:
                handle._warn()
            except Warning as reason:
                refused = reason
            handle._close(_EXIT_WAIT_S, False)
    if refused is not None:
        raise refused


atexit.register(_close_all)
