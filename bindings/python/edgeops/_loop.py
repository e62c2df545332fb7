# SPDX-License-Identifier: Apache-2.0
"""The context of a node and its loop, turned from Python so that Ctrl-C is seen while it sleeps.

Any thread may wait for something of the loop: those who wait take turns at sleeping in poll() and dispatching. `lock` is held
around every call on the node, so that the library sees one thread at a time. All locks are taken by `with` on locks that are
written in C, which a KeyboardInterrupt cannot leave taken. An exception of a handler does not pass through C: it is kept, and
comes out of the call that ran it.
"""
from __future__ import annotations

import contextlib
import ctypes
import os
import select
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Callable, Deque, Optional

from ._ffi import check, lib
from ._signals import Shield
from .errors import InvalidError

_MAX_POLL_MS = 2**30
_TURN_MS = 50  # how long one of several sleeps before the next one has its turn
_HANDOVER_S = 0.0005


class Loop:
    """A context of the library."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.failures: Deque[BaseException] = deque()  # of handlers; each comes out of one run() or dispatch()
        self._dispatching = threading.RLock()  # owned by the thread that is inside edgeops_ctx_dispatch()
        self._shield: Optional[Shield] = None
        self._turn = threading.Lock()
        self._waiting = 0  # about how many want a turn
        self.ctx = ctypes.c_void_p()
        check(lib.edgeops_ctx_new(ctypes.byref(self.ctx), None))
        try:
            self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            lib.edgeops_ctx_free(self.ctx)
            raise

    def free(self) -> None:
        """What was made from the context is gone."""
        lib.edgeops_ctx_free(self.ctx)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def wake(self) -> None:
        """Has everybody who waits look again, and the loop take in what a call from outside of it has begun. Any thread; a
        signal handler, too."""
        try:
            os.write(self._wake_write, b"!")
        except BlockingIOError:
            pass  # it is full of wakes that were not taken yet

    def fileno(self) -> int:
        """The descriptor that is readable when dispatch() has work."""
        return int(lib.edgeops_ctx_fd(self.ctx))

    def wake_fileno(self) -> int:
        """The descriptor that is readable after wake()."""
        return self._wake_read

    def timeout_ns(self) -> int:
        """How long a foreign loop may sleep."""
        with self.lock:
            return int(lib.edgeops_ctx_timeout(self.ctx))

    def dispatch(self) -> None:
        """One turn that does not block. Handlers are called in it."""
        with self.lock:
            self.refuse_nested()
            self._drain()
            with self.calling_back():
                check(lib.edgeops_ctx_dispatch(self.ctx))

    @contextlib.contextmanager
    def calling_back(self) -> Iterator[None]:
        """Around what calls handlers, with the lock held."""
        before = self._shield
        with self._dispatching, Shield() as shield:
            try:
                self._shield = shield
                yield
            finally:
                self._shield = before

    def refuse_nested(self) -> None:
        """InvalidError inside a handler that the loop called."""
        if self._dispatching._is_owned():  # type: ignore[attr-defined]
            raise InvalidError("the loop cannot be turned from inside one of its own callbacks; use call_start() there",
                               subsystem="python")

    def raise_failure(self) -> None:
        """What a handler raised, one at a time."""
        if self.failures:
            raise self.failures.popleft()

    def turn_until(self, done: Callable[[], bool], seconds: Optional[float] = None) -> bool:
        """Turns the loop until done() says so or the time has passed, once at least; gives what done() says.
        KeyboardInterrupt, at any time."""
        self.refuse_nested()
        until = None if seconds is None else time.monotonic() + seconds
        self._waiting += 1
        try:
            if self._waiting > 1:
                self.wake()  # whoever sleeps now sleeps for too long
            while not done():
                with self._turn:
                    if not done():
                        self._sleep(until)
                        self.dispatch()
                if until is not None and time.monotonic() >= until:
                    break
                if self._waiting > 1:
                    time.sleep(_HANDOVER_S)
        finally:
            self._waiting -= 1
        return done()

    def _sleep(self, until: Optional[float]) -> None:
        left_ns = self.timeout_ns()
        if until is not None:
            left_ns = min(left_ns, max(0, int((until - time.monotonic()) * 1e9)))
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        poll.poll(min(-(-left_ns // 1_000_000), _TURN_MS if self._waiting > 1 else _MAX_POLL_MS))

    def _drain(self) -> None:
        """Takes the wakes; the turn that follows sees what they are about."""
        try:
            while len(os.read(self._wake_read, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    def guard(self, function: Callable[..., Any], *arguments: Any) -> Optional[BaseException]:
        """Calls a handler; gives what it raised."""
        try:
            if self._shield is not None:
                with self._shield.opened():
                    function(*arguments)
            else:
                function(*arguments)
        except BaseException as failure:  # re-raised by whoever turned the loop
            return failure
        return None
