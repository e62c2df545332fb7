# SPDX-License-Identifier: Apache-2.0
"""A node: everything the command line can do, and live predictions."""
from __future__ import annotations

import ctypes
import itertools
import json
import os
import tempfile
import time
import weakref
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional, Union

import numpy as np

from . import _ffi, aio
from ._ffi import check, lib
from ._handle import Handle
from ._loop import Loop
from .call import Call, Done, Event
from .columns import Typed, column_of
from .errors import BusyError, Interrupted, UnsupportedError
from .predictor import Predictor
from .query import value_of
from .store import Store
from .times import times_of

Path = Union[str, "os.PathLike[str]"]
_OPEN_STEP_S = 0.2
_MODES = {"auto": 0, "local": 1, "remote": 2}


class Prediction(NamedTuple):
    """An answer of a deployment. `outputs` is empty when there was nothing to say; `message` says why after an error."""

    deployment: str
    asset: str
    time_ns: int
    seq: int
    outputs: dict[str, Union[float, int, bool, str, None]]
    message: str
    latency_ns: int


Receiver = Callable[[Prediction], object]


class Node(Handle):
    """A node home: in this process, or the running daemon's where there is one.

    mode: "auto", "local" (this process owns the home) or "remote" (a daemon must run). worker: path of edgeops-worker, default
    where it was installed. must_exist: NotFoundError instead of making a home. wait: seconds for a home that another process
    has before BusyError comes, None for the default of 10 s with "local" and 3 s else.

    Any thread; the library sees one at a time. Handlers are called on a thread that turns the loop: inside run(), call() and
    what waits for an operation. What a handler raises comes out of the call that ran it. Inside a handler nothing that waits
    is allowed (InvalidError); call_start() is. Ctrl-C ends run() and call() at once, see there. Close it, or use it in `with`.
    """

    _what = "node"

    def __init__(self, home: Path, mode: str = "auto", worker: Optional[Path] = None, must_exist: bool = False,
                 wait: Optional[float] = None) -> None:
        if mode not in _MODES:
            raise ValueError(f"'{mode}' is not a mode: {', '.join(_MODES)}")
        self.home = os.fsdecode(home)
        self._calls: dict[int, Call] = {}
        self._receiver: Optional[Receiver] = None
        self._wakes = 0
        self._wakes_taken = 0
        self._number = next(_numbers)
        pointer = ctypes.c_void_p()
        options = _ffi.options(_ffi.NodeOptions, lib.edgeops_node_options_init)
        options.mode = _MODES[mode]
        options.worker = None if worker is None else _ffi.path_bytes(worker, "a worker")
        options.must_exist = int(must_exist)
        given = _ffi.path_bytes(home, "a home")
        self._loop = Loop()
        try:
            self._open(pointer, given, options, (10.0 if mode == "local" else 3.0) if wait is None else wait)
        except BaseException:
            self._loop.free()
            raise
        _nodes[self._number] = self
        super().__init__(pointer)

    def _open(self, pointer: ctypes.c_void_p, home: bytes, options: Any, wait: float) -> None:
        """Waits for a home that another process has in small steps, so that Ctrl-C is seen."""
        until = time.monotonic() + wait
        while True:
            began = time.monotonic()
            step = min(_OPEN_STEP_S, max(0.0, until - began))
            options.wait = int(step * 1e9) or -1
            status = lib.edgeops_node_open(ctypes.byref(pointer), self._loop.ctx, home, ctypes.byref(options))
            at_once = time.monotonic() - began < step / 2  # a daemon has it
            if status != BusyError.code or at_once or time.monotonic() >= until:
                check(status)
                return

    def _interrupt(self) -> None:
        for call in list(self._calls.values()):
            call.cancel()
        self._loop.wake()

    def _release(self) -> None:
        with self._loop.lock:
            with self._loop.calling_back():
                lib.edgeops_node_close(self._raw)
            self._loop.free()
        self._calls.clear()

    def __repr__(self) -> str:
        return f"<Node of {self.home!r}{', closed' if self.closed else ''}>"

    @property
    def remote(self) -> bool:
        """True when calls go to a daemon."""
        with self._using():
            return bool(lib.edgeops_node_is_remote(self._pointer))

    @property
    def store(self) -> Store:
        """The store of a local node; it closes with the node. UnsupportedError for a remote one."""
        with self._using():
            handle = lib.edgeops_node_store(self._pointer)
            if not handle:
                raise UnsupportedError("a daemon owns this home; stop it, or move the data with data.import and data.export",
                                       subsystem="node")
            return Store(handle, self)

    # -- running -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts sources and deployments of a local node; turn run() for them to work."""
        with self._using(), self._loop.lock:
            check(lib.edgeops_node_start(self._pointer))
            self._loop.wake()

    def stop(self) -> None:
        """Stops sources and deployments, and waits up to 2 s for predictions that are under way; inside a handler it does not
        wait. Again is fine."""
        if not self.closed:
            with self._using(), self._loop.lock:
                with self._loop.calling_back():
                    lib.edgeops_node_stop(self._pointer)

    def serve(self) -> None:
        """Answers other processes of this user on the home's socket, as a daemon does, while run() turns. Local only."""
        with self._using(), self._loop.lock:
            check(lib.edgeops_node_serve(self._pointer))
            self._loop.wake()

    def run(self, seconds: Optional[float] = None) -> None:
        """Turns the loop for so long, None for ever, or until wake(). Raises what a handler raised.

        Ctrl-C ends it at once with KeyboardInterrupt; the node is as before and can go on. close() in another thread ends it,
        too; the next run() raises ClosedError.
        """
        with self._using():
            self._loop.refuse_nested()
            taken = self._wakes_taken
            self._loop.turn_until(lambda: self._wakes != taken or bool(self._loop.failures) or self._is_shut(), seconds)
            self._wakes_taken = self._wakes
            self._loop.raise_failure()

    def wake(self) -> None:
        """Ends run(), all that are under way or else the next one. Any thread; a signal handler, too."""
        self._wakes += 1
        if not self.closed:
            self._loop.wake()

    def fileno(self) -> int:
        """For a loop of your own: the descriptor that is readable when dispatch() has work. asyncio: see edgeops.aio."""
        with self._using():
            return self._loop.fileno()

    def timeout(self) -> Optional[float]:
        """For a loop of your own: seconds after which dispatch() is due although nothing is readable; None: none are.

        Ask again, and dispatch(), after each other call on the node.
        """
        with self._using():
            left = self._loop.timeout_ns()
            return None if left == _ffi.FOREVER else left / 1e9

    def dispatch(self) -> None:
        """For a loop of your own: one turn that does not block. Handlers are called in it; it raises what they raise."""
        with self._using():
            self._loop.dispatch()
            self._loop.raise_failure()

    def on_prediction(self, function: Optional[Receiver]) -> None:
        """Sets the one receiver of all live predictions of a local node, None for none."""
        with self._using(), self._loop.lock:
            self._receiver = function
            lib.edgeops_node_on_prediction(self._pointer, _PREDICTION if function else _ffi.PREDICTION_FN(), self._number)

    # -- operations ----------------------------------------------------------------------------------

    def call_start(self, operation: str, on_event: Optional[Event] = None, on_done: Optional[Done] = None,
                   input: Optional[int] = None, output: Optional[int] = None, **arguments: Any) -> Call:
        """Starts an operation and gives it; it goes on while the loop is turned. Allowed inside a handler, too.

        Arguments as call(). on_event is given each event as a dict, on_done the Call when it has ended; what they raise comes
        out of whatever turns the loop, and ends the operation. NotFoundError for an unknown operation, InvalidError for its
        arguments, BusyError with 256 under way.
        """
        with self._using():
            call = Call(self, operation, on_event, on_done, False)
            call._start(self, _given(arguments), input, output)
            return call

    def call(self, operation: str, on_event: Optional[Event] = None, input: Optional[int] = None,
             output: Optional[int] = None, **arguments: Any) -> dict[str, Any]:
        """Runs an operation of the node's table ("node.ops" lists them) and gives its result.

        Arguments that are None are left out; one whose name is a Python keyword takes a trailing "_". input, output: file
        descriptors for bulk data. on_event is given each event as a dict; what it raises ends the operation and comes out here.

        Ctrl-C ends the operation, waits until it has ended and raises Interrupted, a KeyboardInterrupt that has the result
        where there is one. A second Ctrl-C does not wait.
        """
        with self._using():
            self._loop.refuse_nested()
            call = Call(self, operation, on_event, None, True)
            try:
                call._start(self, _given(arguments), input, output)
                self._loop.turn_until(lambda: call.done or call.failure is not None)
            except BaseException as reason:
                self._end(call)
                if isinstance(reason, KeyboardInterrupt) and call.done:
                    raise Interrupted(operation, call._result, call.error) from None
                raise
            if call.failure is not None:
                self._end(call)
                if isinstance(call.failure, KeyboardInterrupt):  # in on_event
                    raise Interrupted(operation, call._result, call.error) from None
                raise call.failure
            self._loop.raise_failure()
            return call.result()

    def _end(self, call: Call) -> None:
        """Ends an operation that nobody wants any more."""
        call.cancel()
        if call._pointer:
            self._loop.turn_until(lambda: call.done)

    async def call_async(self, operation: str, on_event: Optional[Event] = None, input: Optional[int] = None,
                         output: Optional[int] = None, **arguments: Any) -> dict[str, Any]:
        """call() for asyncio: the running loop turns the node's. A task that is cancelled ends the operation and waits for
        its end."""
        with aio.attach(self) as attached:
            return await attached.call(operation, on_event, input, output, **arguments)

    def train(self, workflow: str, dataset: str, params: Optional[dict[str, Any]] = None, name: Optional[str] = None,
              on_event: Optional[Event] = None) -> dict[str, Any]:
        """Trains; gives {"run", "model", "metrics", "usage"}. WorkerError when the workflow failed. Ctrl-C: as call()."""
        return self.call("train", on_event, workflow=workflow, dataset=dataset, params=params, name=name)

    async def train_async(self, workflow: str, dataset: str, params: Optional[dict[str, Any]] = None,
                          name: Optional[str] = None, on_event: Optional[Event] = None) -> dict[str, Any]:
        """train() for asyncio."""
        return await self.call_async("train", on_event, workflow=workflow, dataset=dataset, params=params, name=name)

    def predict(self, model: str, dataset: Optional[str] = None, asset: Optional[str] = None,
                csv_file: Optional[Path] = None, **arguments: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Predicts on a dataset, an asset or a CSV file; gives the rows (one dict a prediction) and the summary."""
        source = os.open(csv_file, os.O_RDONLY | os.O_CLOEXEC) if csv_file is not None else None
        try:
            with tempfile.TemporaryFile() as out:
                summary = self.call("predict", input=source, output=out.fileno(), model=model, dataset=dataset,
                                    asset=asset, format="jsonl", **arguments)
                out.seek(0)
                return [json.loads(line) for line in out], summary
        finally:
            if source is not None:
                os.close(source)

    def predictor(self, model: str) -> Predictor:
        """Holds a model ready in a worker, for predictions on arrays of your own, one window at a time. Local only.

        NotFoundError (model); UnsupportedError for a remote node. Close it, or use it in `with`.
        """
        return Predictor(self, model)

    def predict_arrays(self, model: str, channels: Mapping[str, Any], times: Any = None,
                       ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Predicts on arrays: name of an input -> n numbers, bools or texts; gives rows and summary as predict().

        channels: values as Store.append() takes them; a NaN, a None and what is masked are null, and a row of nulls alone gets
        no prediction. times: as Store.append(), None where the workflow cuts its windows by rows: a second apart from 1970 on.
        Inputs that are arrays are read from the store: append them and predict on the asset.
        """
        n = len(next(iter(channels.values()), ()))
        columns = [column_of(name, values, n, _no_blob) for name, values in channels.items()]
        if not columns or any(column.length != 1 or column.kind == "blob" or column.data.ndim != 1 for column in columns):
            raise ValueError("the channels are numbers, bools or texts, one for each row; predict on an asset where they are arrays")
        if "time" in channels:
            raise ValueError("an input that is called time would stand for the times; predict on an asset")
        cells = [_cells(column) for column in columns]
        if len(columns) == 1 and times is None:  # an empty line would be no row
            cells = [[cell or '""' for cell in cells[0]]]
        heads = [_quoted(column.name) for column in columns]
        if times is not None:
            stamps = times_of(times)
            if len(stamps) != len(cells[0]):
                raise ValueError(f"there are {len(stamps)} times for {len(cells[0])} rows")
            heads.insert(0, "time")
            cells.insert(0, [f"{text}Z" for text in np.datetime_as_string(stamps.view("datetime64[ns]")).tolist()])
        with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8") as file:
            file.writelines(",".join(row) + "\n" for row in itertools.chain([heads], zip(*cells)))
            file.flush()
            return self.predict(model, csv_file=file.name)


_numbers = itertools.count(1)
_nodes: "weakref.WeakValueDictionary[int, Node]" = weakref.WeakValueDictionary()


def _no_blob(blob: Any) -> bytes:
    raise TypeError("a blob is no input of predict_arrays(); append it and predict on the asset")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _cells(column: Typed) -> list[str]:
    """The fields of a CSV file. A null is an empty one, a text is always quoted."""
    if column.kind == "string":
        ends = column.data.tolist()
        cells = [_quoted(column.text[start:end].decode()) for start, end in zip(ends, ends[1:])]
    elif column.kind == "bool":
        cells = [("false", "true")[value] for value in column.data.tolist()]
    else:
        cells = ["" if value != value else repr(value) for value in column.data.tolist()]
    return cells if column.valid is None else [cell if valid else "" for cell, valid in zip(cells, column.valid.tolist())]


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key.rstrip("_"): value for key, value in arguments.items() if value is not None}


def _on_prediction(pointer: Any, number: int) -> None:
    """The C function is one for all nodes, which are found by number and not held by it."""
    node = _nodes.get(number)
    if node is None or node._receiver is None:
        return
    p = pointer.contents
    outputs = {p.names[i].decode(): value_of(p.values[i]) for i in range(p.count)}
    made = Prediction(p.deployment.decode(), p.asset.decode(), p.time, p.seq, outputs,
                      (p.message or b"").decode("utf-8", "replace") if p.status < 0 else "", p.latency)
    failure = node._loop.guard(node._receiver, made)
    if failure is not None:
        node._loop.failures.append(failure)


_PREDICTION = _ffi.PREDICTION_FN(_on_prediction)


def workflow_check(path: Path) -> None:
    """Reads and checks a workflow package or folder. InvalidError, CorruptError, DeniedError, LimitError."""
    check(lib.edgeops_workflow_check(None, _ffi.path_bytes(path, "a workflow")))


def workflow_pack(directory: Path, zip_file: Optional[Path] = None) -> str:
    """Packs a workflow folder; gives the path of the zip."""
    written = ctypes.POINTER(ctypes.c_char)()
    check(lib.edgeops_workflow_pack(ctypes.byref(written), _ffi.path_bytes(directory, "a folder"),
                                    None if zip_file is None else _ffi.path_bytes(zip_file, "a zip")))
    return _ffi.take_text(written)


def restore(backup: Path, home: Optional[Path] = None) -> dict[str, Any]:
    """Makes a home from a backup that the operation "node.backup" made, comparing every file with its digest; without a home
    it only checks the backup. Gives {"files", "bytes", "node", "created", ...}. NotFoundError, CorruptError, ExistsError."""
    result = ctypes.POINTER(ctypes.c_char)()
    check(lib.edgeops_node_restore(ctypes.byref(result), _ffi.path_bytes(backup, "a backup"),
                                   None if home is None else _ffi.path_bytes(home, "a home"), None, None))
    made: dict[str, Any] = json.loads(_ffi.take_text(result))
    return made
