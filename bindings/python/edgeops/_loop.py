# SPDX-License-Identifier: Apache-2.0
"""The context of a node and its loop, turned from Python so that Ctrl-C is seen while it sleeps.

Any thread may wait for something of the loop. One of them leads: it sleeps in poll() and dispatches; the others wait for a
condition and take over when the leader goes. `lock` is held around every call on the node, so that the library sees one
thread at a time. An exception of a handler does not pass through C: it is kept, and comes out of the call that ran it.
"""
from __future__ import annotations

import ctypes
import os
import select
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Optional

from ._ffi import check, lib
from .errors import InvalidError

_MAX_POLL_MS = 2**30


class Loop:
    """A context of the library."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.failures: Deque[BaseException] = deque()  # of handlers; each comes out of one run() or dispatch()
        self.dispatching: Optional[int] = None  # the thread that is inside edgeops_ctx_dispatch()
        self._turned = threading.Condition()
        self._leader: Optional[int] = None
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
        with self._turned:
            self._turned.notify_all()

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
            self.dispatching = threading.get_ident()
            try:
                check(lib.edgeops_ctx_dispatch(self.ctx))
            finally:
                self.dispatching = None
        with self._turned:
            self._turned.notify_all()

    def refuse_nested(self) -> None:
        """InvalidError inside a handler that the loop called."""
        if self.dispatching == threading.get_ident():
            raise InvalidError("the loop cannot be turned from inside one of its own callbacks; use call_start() there",
                               subsystem="python")

    def raise_failure(self) -> None:
        """What a handler raised, one at a time."""
        if self.failures:
            raise self.failures.popleft()

    def turn_until(self, done: Callable[[], bool], seconds: Optional[float] = None) -> bool:
        """Turns the loop until done() says so or the time has passed; gives what done() says. KeyboardInterrupt, at any time."""
        self.refuse_nested()
        me = threading.get_ident()
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            with self._turned:
                while True:
                    left = None if until is None else until - time.monotonic()
                    if done():
                        return True
                    if self._leader is None:
                        self._leader = me
                        break
                    if left is not None and left <= 0:
                        return False
                    self._turned.wait(left)
            try:
                if not self._lead(done, until):
                    return done()
            finally:
                with self._turned:
                    self._leader = None
                    self._turned.notify_all()

    def _lead(self, done: Callable[[], bool], until: Optional[float]) -> bool:
        """Sleeps and dispatches until done(); False when the time has passed, after one turn at least."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while not done():
            left_ns = self.timeout_ns()
            if until is not None:
                left_ns = min(left_ns, max(0, int((until - time.monotonic()) * 1e9)))
            poll.poll(min(-(-left_ns // 1_000_000), _MAX_POLL_MS))
            self.dispatch()
            if until is not None and time.monotonic() >= until:
                return False
        return True

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
            function(*arguments)
        except BaseException as failure:  # re-raised by whoever turned the loop
            return failure
        return None


