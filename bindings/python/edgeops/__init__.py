# SPDX-License-Identifier: Apache-2.0
"""EdgeOps: machine-learning workflows next to the machine that makes the data. Bindings of libedgeops."""
from . import aio
from ._ffi import lib as _lib
from .call import Call
from .columns import NO_QUALITY, Blob
from .cursor import Cursor
from .datasets import DatasetArrays
from .errors import (AgainError, BusyError, CanceledError, ClosedError, CorruptError, DeadlineError, DeniedError, Error,
                     ExistsError, InternalError, Interrupted, InvalidError, IoError, LimitError, NotFoundError,
                     OutOfMemoryError, ProtocolError, UnsupportedError, VersionError, WorkerError)
from .labels import Label, Labeled, NewLabel
from .node import Node, Prediction, restore, workflow_check, workflow_pack
from .predictor import Predictor
from .reads import Aggregate, Bucket
from .store import Appended, Asset, Channel, Retyped, Store, Verdict
from .table import Table
from .times import from_seconds, nanoseconds
from .watch import Watch

__version__: str = _lib.edgeops_version_string().decode()

__all__ = [
    "AgainError", "Aggregate", "Appended", "Asset", "Blob", "Bucket", "BusyError", "Call", "CanceledError", "Channel",
    "ClosedError", "CorruptError", "Cursor", "DatasetArrays", "DeadlineError", "DeniedError", "Error", "ExistsError",
    "InternalError", "Interrupted", "InvalidError", "IoError", "Label", "Labeled", "LimitError", "NO_QUALITY", "NewLabel",
    "Node", "NotFoundError", "OutOfMemoryError", "Prediction", "Predictor", "ProtocolError", "Retyped", "Store", "Table", "UnsupportedError",
    "Verdict", "VersionError", "Watch", "WorkerError", "aio", "from_seconds", "nanoseconds", "restore", "workflow_check", "workflow_pack",
]
