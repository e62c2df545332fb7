# SPDX-License-Identifier: Apache-2.0
"""Labels: what a human or a system says about a time or an interval of an asset."""
from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any, NamedTuple, Optional

from . import _ffi
from ._ffi import check, lib
from .reads import StoreBase
from .times import TimeLike, nanoseconds
from .walk import collect


class Label(NamedTuple):
    """A label as the store has it. Times are ns since 1970 UTC; `end` is exclusive, the same as `start` for a point in time."""

    id: int
    asset: str
    start: int
    end: int
    label: str
    author: str
    created: int
    source: str
    version: int
    """Of all labels, when this one came."""
    replaces: int
    """Id of the label that it corrects, 0 for none."""
    withdrawn: int
    """Version from which on it counts no more, 0: it does."""
    place: int
    """Of labels that cover one instant the one with the highest place wins."""


class NewLabel(NamedTuple):
    """A label that is to be added. end: exclusive, None for a point in time."""

    asset: str
    label: str
    start: TimeLike
    end: Optional[TimeLike] = None
    author: str = ""
    source: str = "api"


class Labeled(NamedTuple):
    """What label_new() did."""

    added: int
    duplicates: int


def _label(label: _ffi.Label) -> Label:
    return Label(label.id, label.asset.decode(), label.start, label.end, label.label.decode(), label.author.decode(),
                 label.created, label.source.decode(), label.version, label.replaces, label.withdrawn, label.place)


def _new(label: NewLabel) -> _ffi.Label:
    start = nanoseconds(label.start)
    return _ffi.Label(asset=_ffi.name_bytes(label.asset, "an asset"), start=start,
                      end=start if label.end is None else nanoseconds(label.end),
                      label=_ffi.name_bytes(label.label, "a label"), author=_ffi.name_bytes(label.author, "an author"),
                      source=_ffi.name_bytes(label.source, "a source"))


def _array(labels: Iterable[NewLabel]) -> Any:
    made = [_new(label) for label in labels]
    return (_ffi.Label * max(len(made), 1))(*made), len(made)


class Labels(StoreBase):
    """Mixed into Store. All methods: any thread."""

    def label(self, asset: str, label: str, start: TimeLike, end: Optional[TimeLike] = None, author: str = "",
              source: str = "api") -> int:
        """Labels an interval of an asset, or a point in time without `end` (exclusive); gives the label's id.

        The newest of two labels that cover one instant wins. NotFoundError (asset); InvalidError (end before start, bad text).
        """
        return self.label_all([NewLabel(asset, label, start, end, author, source)])[0]

    def label_all(self, labels: Iterable[NewLabel]) -> list[int]:
        """Adds labels, all or none, and gives their ids. Errors as label()."""
        made, n = _array(labels)
        first = ctypes.c_int64()
        if n == 0:
            return []
        with self._using():
            check(lib.edgeops_label_add(ctypes.byref(first), self._pointer, made, n))
        return list(range(first.value, first.value + n))

    def label_new(self, labels: Iterable[NewLabel]) -> Labeled:
        """Adds those labels that are not there yet, all or none of them: it can be called again with the same ones."""
        made, n = _array(labels)
        result = _ffi.options(_ffi.LabelResult, lib.edgeops_label_result_init)
        with self._using():
            check(lib.edgeops_label_add_new(ctypes.byref(result), self._pointer, made, n))
        return Labeled(result.added, result.duplicates)

    def correct(self, id: int, label: NewLabel) -> int:
        """Puts a label in the place of one that is in force; gives its id. NotFoundError; InvalidError for another asset."""
        made = _new(label)
        new_id = ctypes.c_int64()
        given = _ffi.whole(id, "id", 0, 2**63 - 1)
        with self._using():
            check(lib.edgeops_label_correct(ctypes.byref(new_id), self._pointer, given, ctypes.byref(made)))
        return new_id.value

    def unlabel(self, id: int) -> None:
        """Takes a label back; what a dataset was frozen with stays. NotFoundError."""
        given = _ffi.whole(id, "id", 0, 2**63 - 1)
        with self._using():
            check(lib.edgeops_label_remove(self._pointer, given))

    def labels(self, asset: Optional[str] = None, label: Optional[str] = None, author: Optional[str] = None,
               start: Optional[TimeLike] = None, end: Optional[TimeLike] = None, version: int = 0, id: int = 0,
               history: bool = False, limit: int = 0, after: int = 0) -> list[Label]:
        """The labels in force, sorted by asset, start and id.

        asset: a name in which '*' stands for any characters. label, author: exactly these. start, end: those that cover an
        instant in [start, end). version: those in force at that version. id: this one with all that it corrects and that
        corrects it. history: also what is not in force any more. limit: the first ones, 0 for all; after: behind the label
        with this id. NotFoundError (id, after); InvalidError (version).
        """
        query = _ffi.options(_ffi.LabelQuery, lib.edgeops_label_query_init)
        query.asset = _ffi.optional_bytes(asset, "an asset")
        query.label = _ffi.optional_bytes(label, "a label")
        query.author = _ffi.optional_bytes(author, "an author")
        if start is not None:
            query.start = nanoseconds(start)
        if end is not None:
            query.end = nanoseconds(end)
        query.version = _ffi.whole(version, "version")
        query.id = _ffi.whole(id, "id", 0, 2**63 - 1)
        query.history = int(history)
        query.limit = _ffi.whole(limit, "limit")
        query.after = _ffi.whole(after, "after", 0, 2**63 - 1)
        with self._using():
            return collect(_ffi.LABEL_FN, _label, lambda fn: lib.edgeops_label_list(
                None, self._pointer, ctypes.byref(query), fn, None))
