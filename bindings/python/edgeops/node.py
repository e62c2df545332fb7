# SPDX-License-Identifier: Apache-2.0
"""A node: everything the command line can do, and live predictions."""
from __future__ import annotations

import ctypes
import json
import os
import tempfile
from typing import Any, Callable, NamedTuple, Union

from . import _ffi
from ._ffi import check, lib
from .errors import ClosedError, UnsupportedError
from .store import Store

FOREVER = 2**63 - 1
Event = Callable[[dict], None]


class Prediction(NamedTuple):
    """An answer of a deployment. `outputs` is empty when there was nothing to say; `message` tells of an error."""

    deployment: str
    asset: str
    time_ns: int
    seq: int
    outputs: dict[str, Union[float, int, bool, str, None]]
    message: str
    latency_ns: int


class Node:
    """A node home: in this process, or the running daemon's where there is one.

    mode: "auto", "local" (this process owns the home) or "remote" (a daemon must run). worker: path of edgeops-worker, default
    where it was installed. One thread at a time; callbacks fire inside run() and inside calls.
    """

    def __init__(self, home: Union[str, "os.PathLike[str]"], mode: str = "auto", worker: str | None = None,
                 must_exist: bool = False) -> None:
        self._ctx: ctypes.c_void_p = ctypes.c_void_p()
        self._node: ctypes.c_void_p = ctypes.c_void_p()
        self._callback: Any = None
        self._failure: BaseException | None = None
        options = _ffi.NodeOptions()
        lib.edgeops_node_options_init(ctypes.byref(options), ctypes.sizeof(options))
        options.mode = {"auto": 0, "local": 1, "remote": 2}[mode]
        options.worker = worker.encode() if worker else None
        options.must_exist = int(must_exist)
        check(lib.edgeops_ctx_new(ctypes.byref(self._ctx), None))
        try:
            check(lib.edgeops_node_open(ctypes.byref(self._node), self._ctx, os.fsencode(home), ctypes.byref(options)))
        except BaseException:
            lib.edgeops_ctx_free(self._ctx)
            self._ctx = ctypes.c_void_p()
            raise

    def close(self) -> None:
        """Stops and closes; again is fine."""
        if self._node:
            lib.edgeops_node_close(self._node)
            self._node = ctypes.c_void_p()
        if self._ctx:
            lib.edgeops_ctx_free(self._ctx)
            self._ctx = ctypes.c_void_p()

    def _handle(self) -> ctypes.c_void_p:
        if not self._node:
            raise ClosedError("this node is closed", code=-9, subsystem="node")
        return self._node

    def __enter__(self) -> "Node":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def remote(self) -> bool:
        """True when calls go to a daemon."""
        return bool(lib.edgeops_node_is_remote(self._handle()))

    @property
    def store(self) -> Store:
        """The store of a local node. UnsupportedError for a remote one."""
        handle = lib.edgeops_node_store(self._handle())
        if not handle:
            raise UnsupportedError("a daemon owns this home; stop it, or move the data with data.import and data.export",
                                   code=-16, subsystem="node")
        return Store(handle, keep=self)

    def start(self) -> None:
        """Starts sources and deployments of a local node; turn run() for them to work."""
        check(lib.edgeops_node_start(self._handle()))

    def stop(self) -> None:
        """Stops sources and deployments. Again is fine."""
        if self._node:
            lib.edgeops_node_stop(self._node)

    def run(self, seconds: float | None = None) -> None:
        """Turns the loop for so long, or until another thread calls wake(). Raises what a callback raised."""
        timeout = FOREVER if seconds is None else int(seconds * 1e9)
        self._handle()
        status = lib.edgeops_ctx_run(self._ctx, timeout)
        self._raise_failure()
        if status < 0 and status != -7:
            raise _ffi.last_error()

    def wake(self) -> None:
        """Ends run(). Any thread."""
        lib.edgeops_ctx_stop(self._ctx)

    def call(self, operation: str, on_event: Event | None = None, input: int | None = None,
             output: int | None = None, **arguments: Any) -> dict:
        """Runs an operation of the node's table ("node.ops" lists them) and gives its result.

        Arguments that are None are left out; one whose name is a Python keyword takes a trailing "_". input, output: file
        descriptors for bulk data. on_event is given each event as a dict.
        """
        options = _ffi.CallOptions()
        lib.edgeops_call_options_init(ctypes.byref(options), ctypes.sizeof(options))
        options.input = -1 if input is None else input
        options.output = -1 if output is None else output
        if on_event is not None:
            options.on_event = _ffi.EVENT_FN(lambda text, _: self._guard(lambda: on_event(json.loads(text))))
        given = {key.rstrip("_"): value for key, value in arguments.items() if value is not None}
        result = ctypes.POINTER(ctypes.c_char)()
        status = lib.edgeops_node_call(ctypes.byref(result), self._handle(), operation.encode(),
                                       json.dumps(given).encode(), ctypes.byref(options))
        check(status)
        text = _ffi.take_text(result)
        self._raise_failure()
        return json.loads(text)

    def train(self, workflow: str, dataset: str, params: dict | None = None, name: str | None = None,
              on_event: Event | None = None) -> dict:
        """Trains; gives {"run", "model", "metrics", "usage"}."""
        return self.call("train", on_event, workflow=workflow, dataset=dataset, params=params, name=name)

    def predict(self, model: str, dataset: str | None = None, asset: str | None = None,
                csv_file: str | None = None, **arguments: Any) -> tuple[list[dict[str, Any]], dict]:
        """Predicts on a dataset, an asset or a CSV file; gives the rows (one dict a prediction) and the summary."""
        source = os.open(csv_file, os.O_RDONLY | os.O_CLOEXEC) if csv_file else None
        try:
            with tempfile.TemporaryFile() as out:
                summary = self.call("predict", input=source, output=out.fileno(), model=model, dataset=dataset,
                                    asset=asset, format="jsonl", **arguments)
                out.seek(0)
                rows = [json.loads(line) for line in out]
        finally:
            if source is not None:
                os.close(source)
        return rows, summary

    def on_prediction(self, function: Callable[[Prediction], None] | None) -> None:
        """Sets the one receiver of all live predictions of a local node."""
        def receive(pointer: Any, _: Any) -> None:
            p = pointer.contents
            outputs = {p.names[i].decode(): _value(p.values[i]) for i in range(p.count)}
            made = Prediction(p.deployment.decode(), p.asset.decode(), p.time, p.seq, outputs,
                              (p.message or b"").decode("utf-8", "replace") if p.status < 0 else "", p.latency)
            self._guard(lambda: function(made))  # type: ignore[misc]
        self._callback = _ffi.PREDICTION_FN(receive) if function else _ffi.PREDICTION_FN()
        lib.edgeops_node_on_prediction(self._handle(), self._callback, None)

    def _guard(self, function: Callable[[], None]) -> None:
        """An exception must not pass through C: it is kept, the loop ends, and run() or call() raises it."""
        try:
            function()
        except BaseException as failure:  # noqa: B902, re-raised in _raise_failure
            self._failure = self._failure or failure
            lib.edgeops_ctx_stop(self._ctx)

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


def _value(value: _ffi.Value) -> Union[float, int, bool, str, None]:
    if value.type == 1:
        return value.data.f64
    if value.type == 2:
        return value.data.i64
    if value.type == 3:
        return bool(value.data.i64)
    if value.type == 4:
        return ctypes.string_at(value.data.str, value.size).decode("utf-8", "replace")
    return None


def workflow_check(path: str) -> None:
    """Reads and checks a workflow package or folder. InvalidError, CorruptError, DeniedError, LimitError."""
    check(lib.edgeops_workflow_check(None, os.fsencode(path)))


def workflow_pack(directory: str, zip_file: str | None = None) -> str:
    """Packs a workflow folder; gives the path of the zip."""
    written = ctypes.POINTER(ctypes.c_char)()
    check(lib.edgeops_workflow_pack(ctypes.byref(written), os.fsencode(directory),
                                    os.fsencode(zip_file) if zip_file else None))
    return _ffi.take_text(written)


def restore(backup: Union[str, "os.PathLike[str]"], home: Union[str, "os.PathLike[str]", None] = None) -> dict:
    """Makes a home from a backup that the operation "node.backup" made, comparing every file with its digest; without a home
    it only checks the backup. Gives {"files", "bytes", "node", "created", ...}. NotFoundError, CorruptError, ExistsError."""
    result = ctypes.POINTER(ctypes.c_char)()
    check(lib.edgeops_node_restore(ctypes.byref(result), os.fsencode(backup),
                                   os.fsencode(home) if home is not None else None, None, None))
    return json.loads(_ffi.take_text(result))
