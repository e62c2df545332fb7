# SPDX-License-Identifier: Apache-2.0
"""A model that is ready in a worker and predicts on the caller's arrays."""
from __future__ import annotations

import ctypes
import itertools
import json
import time
import weakref
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _ffi
from ._ffi import check, lib
from ._handle import Handle
from .columns import window_of
from .errors import AgainError, ClosedError, Error, make_error
from .query import value_of
from .times import times_of

if TYPE_CHECKING:
    from .node import Node

Outputs = Optional[dict[str, Union[float, int, bool, str, None]]]

# The C functions are one for all lanes, so that none is called after it was freed; a lane is found by its number.
_lanes: "weakref.WeakValueDictionary[int, Predictor]" = weakref.WeakValueDictionary()
_numbers = itertools.count(1)


class Predictor(Handle):
    """Made by Node.predictor(). Any thread; windows of several threads are in flight together.

    `inputs` and `outputs` are the names of the workflow's, `rows` the rows of a window, `model` what the model says of itself.
    """

    _what = "predictor"

    def __init__(self, node: "Node", model: str) -> None:
        self._node = node
        pointer = ctypes.c_void_p()
        self._ids = itertools.count(1)
        self._waiting: set[int] = set()
        self._answers: dict[int, Union[Outputs, Error]] = {}
        self._ready = False
        self._broken: Optional[Error] = None  # the model does not load
        self._number = next(_numbers)
        name = _ffi.name_bytes(model, "a model")
        runtime, opened = ctypes.c_void_p(), ctypes.c_void_p()
        options = _ffi.options(_ffi.LaneOptions, lib.edgeops_lane_options_init)
        options.on_prediction, options.on_state, options.user_data = _PREDICTION, _STATE, self._number
        _lanes[self._number] = self
        with node._using(), node._loop.lock:
            check(lib.edgeops_node_runtime(ctypes.byref(runtime), node._pointer))
            check(lib.edgeops_node_model(ctypes.byref(opened), node._pointer, name))
            try:
                self._describe(lib.edgeops_model_info_of(opened).contents)
                check(lib.edgeops_lane_open(ctypes.byref(pointer), runtime, opened, ctypes.byref(options)))
            finally:
                lib.edgeops_model_close(opened)
            super().__init__(pointer, node)
        node._loop.wake()

    def _describe(self, info: _ffi.ModelInfo) -> None:
        manifest = info.manifest.contents
        self.inputs: list[str] = [port.name.decode() for port in manifest.inputs[:manifest.input_count]]
        self.outputs: list[str] = [port.name.decode() for port in manifest.outputs[:manifest.output_count]]
        self.rows: int = manifest.window.rows
        self.model: dict[str, Any] = json.loads(info.json)

    def _release(self) -> None:
        with self._node._loop.lock:
            lib.edgeops_lane_close(self._raw)

    def _interrupt(self) -> None:
        self._node._loop.wake()

    def __repr__(self) -> str:
        return f"<Predictor of {self.model.get('name', '')!r}{', closed' if self.closed else ''}>"

    def predict(self, values: Any, times: Any = None) -> Outputs:
        """Predicts on one window and waits: name of an output -> its value, None when there was nothing to say.

        values: [rows, inputs] numbers in the order of `inputs`, or [inputs] for a window of one row; NaN, None and what is
        masked is null; text, times and whole numbers that float64 does not have are refused. times: rows
        times, ascending, as Store.append() takes them; None, for a window of one row only: now. WorkerError (the workflow
        raised or died, or the model does not load); DeadlineError; InvalidError for a number that an input does not hold. Ctrl-C
        is KeyboardInterrupt at once, the answer is dropped.
        """
        window = window_of(values)
        if window.ndim == 1 and self.rows == 1:
            window = window.reshape(1, -1)
        if window.shape != (self.rows, len(self.inputs)):
            raise ValueError(f"the window has the shape {window.shape}, expected ({self.rows}, {len(self.inputs)})")
        if times is None and self.rows > 1:
            raise TypeError(f"a window of {self.rows} rows needs their times")
        stamps = times_of([time.time_ns()] if times is None else times)
        if len(stamps) != self.rows:
            raise ValueError(f"there are {len(stamps)} times for {self.rows} rows")
        with self._using():
            return self._wait(self._submit(window, stamps))

    def _submit(self, window: Any, stamps: Any) -> int:
        loop = self._node._loop
        loop.refuse_nested()
        while True:
            with loop.lock:
                number = next(self._ids)
                in_flight = len(self._waiting)
                try:
                    check(lib.edgeops_lane_submit_rows(self._pointer, number, window.ctypes.data, stamps.ctypes.data, self.rows))
                    self._waiting.add(number)
                    break
                except AgainError:
                    pass
            loop.turn_until(lambda: len(self._waiting) < in_flight or self._is_over())
            if self._is_over():
                break
        loop.wake()
        return number

    def _is_over(self) -> bool:
        return self._broken is not None or self._is_shut()

    def _wait(self, number: int) -> Outputs:
        loop = self._node._loop
        try:
            loop.turn_until(lambda: number in self._answers or self._is_over())
        finally:
            self._waiting.discard(number)
            answer: Any = self._answers.pop(number, _NONE)
        if answer is _NONE:
            raise self._broken or ClosedError("this predictor was closed", subsystem="python")
        if isinstance(answer, Error):
            raise answer
        outputs: Outputs = answer
        return outputs

    def _take(self, prediction: _ffi.LanePrediction) -> None:
        if prediction.id not in self._waiting:  # nobody waits for it any more
            return
        self._waiting.discard(prediction.id)
        if prediction.status < 0:
            self._answers[prediction.id] = make_error(prediction.status, (prediction.message or b"").decode("utf-8", "replace"),
                                                      "runtime")
        elif prediction.status > 0:
            self._answers[prediction.id] = None
        else:
            self._answers[prediction.id] = {name: value_of(value) for name, value in
                                            zip(self.outputs, prediction.values[:prediction.count])}


_NONE: Any = object()


def _on_prediction(pointer: Any, number: int) -> None:
    lane = _lanes.get(number)
    if lane is not None:
        lane._take(pointer.contents)


def _on_state(status: int, message: Optional[bytes], number: int) -> None:
    lane = _lanes.get(number)
    if lane is None:
        return
    if status >= 0:
        lane._ready, lane._broken = True, None
    elif not lane._ready:
        lane._broken = make_error(status, (message or b"").decode("utf-8", "replace"), "runtime")


_PREDICTION = _ffi.LANE_PREDICTION_FN(_on_prediction)
_STATE = _ffi.STATE_FN(_on_state)
