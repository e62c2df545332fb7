# SPDX-License-Identifier: Apache-2.0
"""One exception for each status code of libedgeops."""
from __future__ import annotations

import os
from typing import Any, Optional


class Error(Exception):
    """Anything that libedgeops refused. `code` is the status (negative), `subsystem` the room that said so."""

    code: int = -18

    def __init__(self, message: str, code: Optional[int] = None, subsystem: str = "") -> None:
        super().__init__(message)
        self.code = type(self).code if code is None else code
        self.subsystem = subsystem

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class InvalidError(Error, ValueError):
    """An argument, state or document that the contract forbids."""

    code = -1


class OutOfMemoryError(Error, MemoryError):
    """Out of memory; nothing was changed."""

    code = -2


class NotFoundError(Error, LookupError):
    """The named thing does not exist."""

    code = -3


class ExistsError(Error):
    """The name is taken."""

    code = -4


class BusyError(Error):
    """Held by someone else; retry later."""

    code = -5


class AgainError(Error):
    """A queue is full or nothing is ready."""

    code = -6


class DeadlineError(Error, TimeoutError):
    """A deadline passed."""

    code = -7


class CanceledError(Error):
    """Ended on request."""

    code = -8


class ClosedError(Error):
    """The object was stopped or the peer is gone."""

    code = -9


class IoError(Error, OSError):
    """The operating system refused; `errno` and `strerror` say why, None where it gave no number."""

    code = -10


class CorruptError(Error):
    """Bytes do not match their format or checksum."""

    code = -11


class ProtocolError(Error):
    """A peer broke the wire contract."""

    code = -12


class VersionError(Error):
    """A home, package or plug-in of a version that is not supported."""

    code = -13


class LimitError(Error):
    """A limit, or the disk, is exhausted."""

    code = -14


class DeniedError(Error, PermissionError):
    """Policy or permission; `errno` is set where the operating system refused."""

    code = -15


class UnsupportedError(Error):
    """Built without the feature."""

    code = -16


class WorkerError(Error):
    """The workflow's own code failed; the message is its own."""

    code = -17


class InternalError(Error):
    """A bug in libedgeops; please report it."""

    code = -18


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during an operation. The operation has ended and the node can be used again.

    `result` is what the operation gave where it was done all the same, else None; `error` is how it ended otherwise, a
    `CanceledError` as a rule. `operation` is its name.
    """

    def __init__(self, operation: str, result: Optional[dict[str, Any]], error: Optional[Error]) -> None:
        super().__init__(f"{operation} was interrupted")
        self.operation = operation
        self.result = result
        self.error = error


_BY_CODE: dict[int, type[Error]] = {
    kind.code: kind for kind in (
        InvalidError, OutOfMemoryError, NotFoundError, ExistsError, BusyError, AgainError, DeadlineError, CanceledError,
        ClosedError, IoError, CorruptError, ProtocolError, VersionError, LimitError, DeniedError, UnsupportedError,
        WorkerError, InternalError)
}


def error_for(code: int) -> type[Error]:
    """The exception class of a status code."""
    return _BY_CODE.get(code, Error)


def make_error(code: int, message: str, subsystem: str = "", os_errno: int = 0) -> Error:
    """The exception of a status code. An OSError gets its errno and its text."""
    error = error_for(code)(message, code=code, subsystem=subsystem)
    if os_errno and isinstance(error, OSError):
        error.errno = os_errno
        error.strerror = os.strerror(os_errno)
    return error
