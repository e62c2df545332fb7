# SPDX-License-Identifier: Apache-2.0
"""What Node, Store, Cursor, Watch and Predictor have in common: an object of the library that is used and closed from any thread.

A thread is inside a handle while it holds its own lock of the root (a Node, or a Store that was opened alone). close() lets
nobody in any more, goes through the locks of all threads, closes what was made from the root, and gives the object back. Locks
are taken by `with` on locks that are written in C: a KeyboardInterrupt cannot come between taking one and the block that gives
it back, so that Ctrl-C leaves no handle half used. The rule for callers: `with self._using():`, and `self._pointer` inside.

A handle that is dropped closes itself with a ResourceWarning. A handle that was opened before a fork is refused in the child,
and closing it there does nothing: its threads, locks and files are the parent's.
"""
from __future__ import annotations

import atexit
import os
import threading
import time
import warnings
import weakref
from types import TracebackType
from typing import Any, ContextManager, Optional, TypeVar

from .errors import ClosedError, InvalidError

_OPEN, _CLOSING, _CLOSED = range(3)
_EXIT_WAIT_S = 5.0
_alive: "weakref.WeakSet[Handle]" = weakref.WeakSet()
H = TypeVar("H", bound="Handle")


class Handle:
    """`_release()` is called once, when no thread is inside."""

    _what = "handle"

    def __init__(self, pointer: Any, parent: "Optional[Handle]" = None) -> None:
        self._raw = pointer
        self._closing = threading.Lock()
        self._pid = os.getpid()
        self._parent = parent
        self._locks: dict[int, Any] = {}  # of a root: thread -> its RLock
        self._children: "weakref.WeakSet[Handle]" = weakref.WeakSet()
        self._state = _OPEN
        (_alive if parent is None else self._root._children).add(self)

    @property
    def _root(self) -> "Handle":
        """Not kept by itself, which would be a cycle."""
        return self if self._parent is None else self._parent._root

    def _release(self) -> None:
        """Gives the object back to the library."""
        raise NotImplementedError

    def _interrupt(self) -> None:
        """Makes those who wait inside come out."""

    @property
    def closed(self) -> bool:
        """True once it was closed, and in a forked child."""
        return self._pid != os.getpid() or self._is_shut()

    def _is_shut(self) -> bool:
        """Whether it is closed or being closed."""
        return self._state != _OPEN or (self._parent is not None and self._parent._is_shut())

    def _using(self) -> ContextManager[Any]:
        """The lock of this thread; inside, `_pointer` is refused once it is being closed."""
        if self._pid != os.getpid():
            raise InvalidError(f"this {self._what} was opened before a fork; open one in this process", subsystem="python")
        if self._is_shut():
            raise ClosedError(f"this {self._what} is closed", subsystem=self._what)
        lock: ContextManager[Any] = self._root._locks.setdefault(threading.get_ident(), threading.RLock())
        return lock

    @property
    def _pointer(self) -> Any:
        """The object of the library, for a thread that is inside."""
        if self._is_shut():
            raise ClosedError(f"this {self._what} is closed", subsystem=self._what)
        return self._raw

    def close(self) -> None:
        """Closes; again is fine. Any thread: waits until calls in other threads have come to their end. A Node, or a Store
        that was opened alone, raises InvalidError inside one of its callbacks."""
        if self._pid != os.getpid():
            return
        if self._parent is None:
            self._close_root(None)
            return
        try:
            with self._using():
                if self._root._state == _OPEN:
                    self._close_child()
        except ClosedError:
            pass  # it is, or its root is being closed, which takes it along

    def _close_root(self, timeout: Optional[float]) -> None:
        mine = self._locks.get(threading.get_ident())
        if mine is not None and mine._is_owned():
            raise InvalidError(f"this {self._what} cannot be closed from inside one of its own calls", subsystem="python")
        with self._closing:
            if self._state == _CLOSED:
                return
            self._state = _CLOSING
            try:
                self._interrupt()
                if not self._wait_idle(timeout):
                    return
                for child in list(self._children):
                    child._close_child()
                self._release()
                self._state = _CLOSED
            finally:
                if self._state == _CLOSING:  # Ctrl-C while it waited, or no time left: it is as before
                    self._state = _OPEN

    def _wait_idle(self, timeout: Optional[float]) -> bool:
        """Goes through the locks: who comes later sees the state."""
        until = None if timeout is None else time.monotonic() + timeout
        for lock in list(self._locks.values()):
            if until is not None:
                if not lock.acquire(timeout=max(0.0, until - time.monotonic())):
                    return False
                lock.release()
            else:
                with lock:
                    pass
        return True

    def _close_child(self) -> None:
        """Inside the root, or by its close()."""
        with self._closing:
            if self._state == _CLOSED:
                return
            self._state = _CLOSING
            self._interrupt()
            self._release()
            self._state = _CLOSED

    def __enter__(self: H) -> H:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_state", _CLOSED) != _CLOSED and self._pid == os.getpid():
            try:
                if not self._is_shut():
                    self._warn()
            finally:
                self.close()

    def _warn(self) -> None:
        warnings.warn(f"{self!r} was not closed", ResourceWarning, stacklevel=3, source=self)


def _close_all() -> None:
    """At the end of the process: what is still open is closed, unless a thread stays inside."""
    refused: Optional[Warning] = None  # where warnings are errors
    for handle in list(_alive):
        if handle._state != _CLOSED and handle._pid == os.getpid():
            try:
                handle._warn()
            except Warning as reason:
                refused = reason
            handle._close_root(_EXIT_WAIT_S)
    if refused is not None:
        raise refused


atexit.register(_close_all)
