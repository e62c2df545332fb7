# SPDX-License-Identifier: Apache-2.0
"""EdgeOps: machine-learning workflows next to the machine that makes the data. Bindings of libedgeops."""
from ._ffi import lib as _lib
from .errors import (AgainError, BusyError, CanceledError, ClosedError, CorruptError, DeadlineError, DeniedError, Error,
                     ExistsError, InternalError, InvalidError, IoError, LimitError, NotFoundError, OutOfMemoryError,
                     ProtocolError, UnsupportedError, VersionError, WorkerError)
from .node import Node, Prediction, restore, workflow_check, workflow_pack
from .reads import Aggregate, Bucket, DatasetArrays
from .store import NO_QUALITY, Appended, Blob, Store, Table

__version__: str = _lib.edgeops_version_string().decode()

__all__ = [
    "AgainError", "Appended", "Blob", "BusyError", "CanceledError", "ClosedError", "CorruptError", "DeadlineError",
    "DeniedError", "Error", "ExistsError", "InternalError", "InvalidError", "IoError", "LimitError", "NO_QUALITY", "Node", "NotFoundError",
    "OutOfMemoryError", "Prediction", "ProtocolError", "Store", "Table", "UnsupportedError", "VersionError", "WorkerError",
    "restore", "workflow_check", "workflow_pack",
]
