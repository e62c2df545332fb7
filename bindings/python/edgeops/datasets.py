# SPDX-License-Identifier: Apache-2.0
"""Datasets: frozen selections, made, read into arrays, verified and removed."""
from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import POINTER
from typing import Any, NamedTuple, Optional

import numpy as np
import numpy.typing as npt

from . import _ffi
from ._ffi import check, lib
from .reads import StoreBase
from .table import the_pandas
from .times import TimeLike, nanoseconds

_FILLS = ("previous", "linear", "none")
_SPLITS = ("none", "time", "group", "fraction")


class DatasetArrays(NamedTuple):
    """A frozen dataset, rows sorted by asset and time."""

    values: npt.NDArray[np.float64]
    """float64[rows, columns]; a null is NaN."""
    columns: list[str]
    times_ns: npt.NDArray[np.int64]
    label_codes: npt.NDArray[np.int32]
    """int32[rows]: index into label_names, -1 for none."""
    label_names: list[str]
    group_codes: npt.NDArray[np.int32]
    """int32[rows]: index into group_names, the assets."""
    group_names: list[str]
    subsets: npt.NDArray[np.uint8]
    """uint8[rows]: 0 train, 1 test, 2 validation."""
    digest: str

    def to_pandas(self) -> Any:
        """A DataFrame by time, with the columns `asset` and `label` behind the channels."""
        pandas = the_pandas()
        frame = pandas.DataFrame(self.values, columns=self.columns, copy=True)
        frame.index = pandas.DatetimeIndex(self.times_ns, tz="UTC", name="time")
        frame["asset"] = pandas.Categorical.from_codes(self.group_codes, self.group_names)
        frame["label"] = pandas.Categorical.from_codes(self.label_codes, self.label_names)
        return frame


class _Head(NamedTuple):
    rows: int
    columns: list[str]
    groups: list[str]
    labels: list[str]
    digest: str


def _choice(word: str, words: Sequence[str], what: str) -> int:
    if word not in words:
        raise ValueError(f"'{word}' is not a {what}: {', '.join(words)}")
    return words.index(word)


class Datasets(StoreBase):
    """Mixed into Store. All methods: any thread."""

    def create_dataset(self, name: str, assets: Sequence[str], channels: Optional[Sequence[str]] = None,
                       start: Optional[TimeLike] = None, end: Optional[TimeLike] = None, labelled_only: bool = False,
                       filter: Optional[str] = None, period: int = 0, tolerance: int = 0, fill: str = "previous",
                       split: str = "none", test: float = 0.0, validation: float = 0.0, seed: int = 0) -> None:
        """Freezes a dataset: later samples and labels do not change it.

        assets: names or patterns with '*'. channels: None for those that all the assets have. [start, end): range of times.
        labelled_only: leaves rows out that no label covers. filter: such as "temp >= 20 and state == 'run'". period: ns of a
        common rate, with `fill` ("previous", "linear", "none") and `tolerance` (ns after which a value is too old, 0: never).
        split: "time", "group" or "fraction", with the parts `test` and `validation` (0..1) and a seed; what else a split can
        have is an argument of the operation "dataset.create". ExistsError; NotFoundError (asset, channel); InvalidError.
        """
        options = _ffi.options(_ffi.DatasetOptions, lib.edgeops_dataset_options_init)
        options.name = _ffi.name_bytes(name, "a dataset")
        options.assets, options.asset_count = _ffi.name_list(assets, "assets"), len(assets)
        if channels is not None:
            options.channels, options.channel_count = _ffi.name_list(channels, "channels"), len(channels)
        if start is not None:
            options.start = nanoseconds(start)
        if end is not None:
            options.end = nanoseconds(end)
        options.labelled_only = int(labelled_only)
        options.filter = _ffi.optional_bytes(filter, "a filter")
        options.period = _ffi.whole(period, "period", 0, _ffi.FOREVER)
        options.tolerance = _ffi.whole(tolerance, "tolerance", 0, _ffi.FOREVER)
        options.fill = _choice(fill, _FILLS, "fill")
        options.split = _choice(split, _SPLITS, "split")
        options.test, options.validation = float(test), float(validation)
        options.seed = _ffi.whole(seed, "seed")
        with self._using():
            check(lib.edgeops_dataset_create(self._pointer, ctypes.byref(options)))

    def _head(self, name: bytes) -> _Head:
        pointer = POINTER(_ffi.Dataset)()
        check(lib.edgeops_dataset_head(ctypes.byref(pointer), self._pointer, name))
        try:
            head = pointer.contents
            first = head.parts[0].table.contents
            return _Head(head.rows, [first.columns[k].name.decode() for k in range(first.column_count)],
                         [head.parts[i].table.contents.asset.decode() for i in range(head.part_count)],
                         [head.label_names[i].decode() for i in range(head.label_count)], head.digest.decode())
        finally:
            lib.edgeops_dataset_free(pointer)

    def dataset(self, name: str, channels: Optional[Sequence[str]] = None) -> DatasetArrays:
        """A frozen dataset of numbers as arrays; channels: only these, in this order. NotFoundError; InvalidError for text."""
        given = _ffi.name_bytes(name, "a dataset")
        with self._using():
            head = self._head(given)
            columns = head.columns if channels is None else list(channels)
            rows = head.rows
            out = DatasetArrays(np.empty((rows, len(columns))), columns, np.empty(rows, np.int64), np.empty(rows, np.int32),
                                head.labels, np.empty(rows, np.int32), head.groups, np.empty(rows, np.uint8), head.digest)
            names = _ffi.name_list(columns, "channels")
            layout = _ffi.options(_ffi.DatasetLayout, lib.edgeops_dataset_layout_init)
            layout.capacity = rows
            layout.channels, layout.channel_count = ctypes.cast(ctypes.pointer(names), ctypes.c_void_p), len(columns)
            layout.times, layout.values = out.times_ns.ctypes.data, out.values.ctypes.data
            layout.labels, layout.groups = out.label_codes.ctypes.data, out.group_codes.ctypes.data
            layout.subsets = out.subsets.ctypes.data
            check(lib.edgeops_dataset_read_into(self._pointer, given, ctypes.byref(layout)))
        return out

    def verify_dataset(self, name: str) -> None:
        """Compares a frozen dataset with its digest. NotFoundError; CorruptError if the values are not the frozen ones."""
        given = _ffi.name_bytes(name, "a dataset")
        with self._using():
            check(lib.edgeops_dataset_verify(self._pointer, given))

    def remove_dataset(self, name: str) -> None:
        """Removes a dataset, not its samples. NotFoundError."""
        given = _ffi.name_bytes(name, "a dataset")
        with self._using():
            check(lib.edgeops_dataset_remove(self._pointer, given))


__all__ = ["DatasetArrays", "Datasets"]
