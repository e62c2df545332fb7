# SPDX-License-Identifier: Apache-2.0
"""A node in asyncio: the running event loop turns the node's.

    with edgeops.aio.attach(node) as attached:
        trained = await attached.call("train", workflow="w", dataset="d")
        async for prediction in attached.predictions():
            ...

While it is attached, handlers are called on the loop's thread, and live data flows (after node.start()). What a handler
raises goes to the loop's exception handler, since nobody called it.
"""
from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Optional

from .errors import CanceledError, ClosedError

if TYPE_CHECKING:
    from .call import Call, Event
    from .node import Node, Prediction

_attached: "weakref.WeakKeyDictionary[Node, Attached]" = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def attach(node: "Node") -> Iterator["Attached"]:
    """In `with`: the running event loop turns the node's; one inside the other is fine.

    RuntimeError without a running loop, or when the node is attached to another one.
    """
    loop = asyncio.get_running_loop()
    found = _attached.get(node)
    if found is not None and found._loop is not loop:
        raise RuntimeError("this node is attached to another event loop")
    attached = found or Attached(node, loop)
    attached._join()
    try:
        yield attached
    finally:
        attached._part()


class Attached:
    """What attach() gives. Use it on the loop's thread."""

    def __init__(self, node: "Node", loop: asyncio.AbstractEventLoop) -> None:
        self._node, self._loop = node, loop
        self._users = 0
        self._fds: list[int] = []
        self._timer: Optional[asyncio.TimerHandle] = None

    def _join(self) -> None:
        if self._users == 0:
            self._fds = [self._node.fileno(), self._node._loop.wake_fileno()]
            for fd in self._fds:
                self._loop.add_reader(fd, self._turn)
            _attached[self._node] = self
        self._users += 1
        self._arm()

    def _part(self) -> None:
        self._users -= 1
        if self._users == 0:
            self._detach()

    def _detach(self) -> None:
        for fd in self._fds:
            self._loop.remove_reader(fd)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        _attached.pop(self._node, None)

    def _arm(self) -> None:
        """The timer of the node's next deadline."""
        if self._timer is not None:
            self._timer.cancel()
        left = self._node.timeout()
        self._timer = None if left is None else self._loop.call_later(left, self._turn)

    def _turn(self) -> None:
        try:
            self._node.dispatch()
        except ClosedError:
            self._detach()
            return
        except Exception as failure:
            self._loop.call_exception_handler({"message": "a handler of a node failed", "exception": failure})
        self._arm()

    async def call(self, operation: str, on_event: "Optional[Event]" = None, input: Optional[int] = None,
                   output: Optional[int] = None, **arguments: Any) -> dict[str, Any]:
        """Node.call() without blocking. A task that is cancelled ends the operation and waits for its end."""
        ended: asyncio.Future[None] = self._loop.create_future()

        def end() -> None:
            if not ended.done():
                ended.set_result(None)

        def done(_: "Call") -> None:  # on whatever thread turns the node's loop, or closes the node
            self._loop.call_soon_threadsafe(end)

        with attach(self._node):
            call = self._node.call_start(operation, on_event, done, input, output, **arguments)
            self._arm()
            try:
                await asyncio.shield(ended)
            except asyncio.CancelledError:
                call.cancel()
                self._arm()
                await ended
                raise
        try:
            return call.result(0)
        except CanceledError:
            if self._node.closed:
                raise ClosedError("the node was closed", subsystem="node") from None
            raise

    async def predictions(self, limit: int = 1024) -> AsyncIterator["Prediction"]:
        """The live predictions of a local node as they come; it is the node's one receiver meanwhile.

        limit: predictions that may wait here; more raise asyncio.QueueFull in the loop's exception handler and are lost to this
        reader (they are stored all the same).
        """
        queue: "asyncio.Queue[Prediction]" = asyncio.Queue(limit)
        with attach(self._node):
            self._node.on_prediction(lambda made: self._loop.call_soon_threadsafe(queue.put_nowait, made))
            try:
                while True:
                    yield await queue.get()
            finally:
                if not self._node.closed:
                    self._node.on_prediction(None)
