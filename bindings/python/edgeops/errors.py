# SPDX-License-Identifier: Apache-2.0
"""One exception for each status code of libedgeops."""
from __future__ import annotations


class Error(Exception):
    """Anything that libedgeops refused. `code` is the status (negative), `subsystem` the room that said so."""

    def __init__(self, message: str, code: int = -18, subsystem: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.subsystem = subsystem


class InvalidError(Error, ValueError):
    """An argument, state or document that the contract forbids."""


class OutOfMemoryError(Error, MemoryError):
    """Out of memory; nothing was changed."""


class NotFoundError(Error, LookupError):
    """The named thing does not exist."""


class ExistsError(Error):
    """The name is taken."""


class BusyError(Error):
    """Held by someone else; retry later."""


class AgainError(Error):
    """A queue is full or nothing is ready."""


class DeadlineError(Error, TimeoutError):
    """A deadline passed."""


class CanceledError(Error):
    """Ended on request."""


class ClosedError(Error):
    """The object was stopped or the peer is gone."""


class IoError(Error, OSError):
    """The operating system refused."""


class CorruptError(Error):
    """Bytes do not match their format or checksum."""


class ProtocolError(Error):
    """A peer broke the wire contract."""


class VersionError(Error):
    """A home, package or plug-in of a version that is not supported."""


class LimitError(Error):
    """A limit, or the disk, is exhausted."""


class DeniedError(Error, PermissionError):
    """Policy or permission."""


class UnsupportedError(Error):
    """Built without the feature."""


class WorkerError(Error):
    """The workflow's own code failed; the message is its own."""


class InternalError(Error):
    """A bug in libedgeops; please report it."""


_BY_CODE = {
    -1: InvalidError, -2: OutOfMemoryError, -3: NotFoundError, -4: ExistsError, -5: BusyError, -6: AgainError,
    -7: DeadlineError, -8: CanceledError, -9: ClosedError, -10: IoError, -11: CorruptError, -12: ProtocolError,
    -13: VersionError, -14: LimitError, -15: DeniedError, -16: UnsupportedError, -17: WorkerError, -18: InternalError,
}


def error_for(code: int) -> type[Error]:
    """The exception class of a status code."""
    return _BY_CODE.get(code, Error)
