# SPDX-License-Identifier: Apache-2.0
"""Walks: functions of the library that call back for each item."""
from __future__ import annotations

from typing import Any, Callable, TypeVar

from ._ffi import check
from ._signals import Shield

_USER = -100  # EDGEOPS_E_USER: passed through the library untouched
T = TypeVar("T")


def collect(kind: Any, convert: Callable[[Any], T], walk: Callable[[Any], int]) -> list[T]:
    """What a walk gives, item by item, converted. walk: the call, given the C function. No exception passes through C, and
    none is lost."""
    found: list[T] = []
    failures: list[BaseException] = []

    def each(item: Any, _: Any) -> int:
        try:
            found.append(convert(item.contents))
            return 0
        except BaseException as failure:  # it comes out below
            failures.append(failure)
            return _USER

    with Shield():
        status = walk(kind(each))
    if failures:
        raise failures.pop()
    check(status)
    return found
