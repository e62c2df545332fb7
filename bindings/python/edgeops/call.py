# SPDX-License-Identifier: Apache-2.0
"""One operation of a node that is under way."""
from __future__ import annotations

import ctypes
import itertools
import json
import os
import weakref
from typing import TYPE_CHECKING, Any, Callable, Optional

from . import _ffi
from ._ffi import lib
from .errors import Error, make_error

if TYPE_CHECKING:
    from .node import Node

Event = Callable[[dict[str, Any]], object]
Done = Callable[["Call"], object]

# The C functions are one for all calls, so that none is called after it was freed; a call is found by its number.
_calls: "weakref.WeakValueDictionary[int, Call]" = weakref.WeakValueDictionary()
_numbers = itertools.count(1)


class Call:
    """Made by Node.call_start(). It goes on while the node's loop is turned: by run(), another call, or asyncio."""

    def __init__(self, node: "Node", operation: str, on_event: Optional[Event], on_done: Optional[Done], waited: bool) -> None:
        self.operation = operation
        self.error: Optional[Error] = None
        """How it ended, None while it goes on and when it is done well."""
        self.done = False
        """True once it has ended."""
        self.failure: Optional[BaseException] = None  # of its handlers, where call() waits for it
        self._node = weakref.ref(node)
        self._on_event, self._on_done, self._waited = on_event, on_done, waited
        self._result: Optional[dict[str, Any]] = None
        self._pointer = ctypes.c_void_p()
        self._files: list[int] = []
        self._number = next(_numbers)
        _calls[self._number] = self

    def _start(self, node: "Node", arguments: dict[str, Any], input: Optional[int], output: Optional[int]) -> None:
        text = json.dumps(arguments).encode()
        name = _ffi.name_bytes(self.operation, "an operation")
        options = _ffi.options(_ffi.CallOptions, lib.edgeops_call_options_init)
        with node._loop.lock:
            node._calls[self._number] = self
            try:
                options.input, options.output = self._own(input), self._own(output)
                options.on_event, options.user_data = _EVENT, self._number
                _ffi.check(lib.edgeops_node_call_start(ctypes.byref(self._pointer), node._pointer, name, text,
                                                       ctypes.byref(options), _DONE, self._number))
            except BaseException:
                if not self._pointer:  # else the library has taken it
                    node._calls.pop(self._number, None)
                    self._close_files()
                raise
        node._loop.wake()

    def _own(self, fd: Optional[int]) -> int:
        """A descriptor of its own: whoever is interrupted closes his while the operation may still write."""
        if fd is None or fd < 0:
            return -1
        self._files.append(os.dup(fd))
        return self._files[-1]

    def _close_files(self) -> None:
        while self._files:
            os.close(self._files.pop())

    def _end(self, status: int, result: Optional[bytes], message: Optional[bytes]) -> None:
        self._pointer = ctypes.c_void_p()
        self._close_files()
        if status < 0:
            self.error = make_error(status, (message or b"").decode("utf-8", "replace"), "node")
        else:
            self._result = json.loads(result or b"{}")
        self.done = True
        node = self._node()
        if node is not None:
            node._calls.pop(self._number, None)
        if self._on_done is not None:
            self._handle(self._on_done, self)

    def _handle(self, handler: Callable[..., Any], argument: Any) -> None:
        """A handler's exception ends the operation, and comes out of call() or of whatever turns the loop."""
        node = self._node()
        if node is None:
            return
        failure = node._loop.guard(handler, argument)
        if failure is not None:
            if not self._waited:
                node._loop.failures.append(failure)
            elif self.failure is None:
                self.failure = failure
            self.cancel()

    def cancel(self) -> None:
        """Asks it to end; it has ended when `done` is True, as a rule with a CanceledError. Any thread."""
        node = self._node()
        if node is not None:
            with node._loop.lock:
                if self._pointer:
                    lib.edgeops_call_cancel(self._pointer)
            node._loop.wake()

    def result(self, seconds: Optional[float] = None) -> dict[str, Any]:
        """Its result, turning the node's loop until it has ended. Raises how it ended; DeadlineError when the time has passed.

        Ctrl-C leaves it going on; call() ends it.
        """
        node = self._node()
        if node is not None and not self.done:
            with node._using():
                node._loop.turn_until(lambda: self.done or node._is_shut(), seconds)
                node._loop.raise_failure()
        if self.error is not None:
            raise self.error
        if self._result is None:
            raise make_error(-7, f"{self.operation} has not ended yet", "node")
        return self._result

    def __repr__(self) -> str:
        state = "under way" if not self.done else "done" if self.error is None else f"ended: {self.error}"
        return f"<Call {self.operation}, {state}>"


def _on_event(text: bytes, number: int) -> None:
    call = _calls.get(number)
    if call is not None and call._on_event is not None and call.failure is None:
        call._handle(lambda raw: call._on_event(json.loads(raw)) if call._on_event is not None else None, text)


def _on_done(status: int, result: Optional[bytes], message: Optional[bytes], number: int) -> None:
    call = _calls.get(number)
    if call is not None:
        call._end(status, result, message)


_EVENT = _ffi.EVENT_FN(_on_event)
_DONE = _ffi.DONE_FN(_on_done)
