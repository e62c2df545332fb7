# SPDX-License-Identifier: Apache-2.0
"""The C declarations of libedgeops that the bindings use, and the way from a status to an exception."""
from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import (CFUNCTYPE, POINTER, Structure, Union, c_char, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint8,
                    c_uint32, c_uint64, c_void_p)

from .errors import Error, error_for


class ErrorDetail(Structure):
    _fields_ = [("code", c_int), ("os_errno", ctypes.c_int32), ("subsystem", c_char_p), ("message", c_char_p)]


class Payload(Union):
    _fields_ = [("f64", c_double), ("i64", c_int64), ("str", c_void_p)]


class Value(Structure):
    _fields_ = [("type", c_int), ("size", c_uint32), ("data", Payload)]


class Sample(Structure):
    _fields_ = [("asset", c_char_p), ("time", c_int64), ("seq", c_int64), ("count", c_size_t),
                ("channels", c_void_p), ("values", c_void_p), ("qualities", c_void_p)]


class AppendResult(Structure):
    _fields_ = [("struct_size", c_size_t), ("appended", c_uint64), ("duplicates", c_uint64), ("conflicts", c_uint64),
                ("late", c_uint64), ("expired", c_uint64), ("ahead", c_uint64), ("merged", c_uint64),
                ("verdicts", c_void_p), ("verdict_count", c_uint64)]


class ChannelInfo(Structure):
    _fields_ = [("name", c_char_p), ("unit", c_char_p), ("type", c_int), ("length", c_uint32)]


class Column(Structure):
    _fields_ = [("name", c_char_p), ("unit", c_char_p), ("type", c_int), ("f64", c_void_p), ("i64", c_void_p),
                ("u8", c_void_p), ("offsets", c_void_p), ("bytes", c_void_p), ("valid", c_void_p), ("nulls", c_uint64),
                ("data", c_void_p), ("length", c_uint32), ("quality", c_void_p)]


class TableHeader(Structure):
    _fields_ = [("asset", c_char_p), ("rows", c_uint64), ("times", c_void_p), ("seqs", c_void_p),
                ("ordinals", c_void_p), ("column_count", c_size_t), ("columns", POINTER(Column)), ("parts", c_void_p),
                ("reserved", c_void_p * 2)]


class Query(Structure):
    _fields_ = [("struct_size", c_size_t), ("asset", c_char_p), ("start", c_int64), ("end", c_int64),
                ("channels", POINTER(c_char_p)), ("channel_count", c_size_t), ("max_ordinal", c_uint64),
                ("limit", c_uint64), ("last", c_uint64)]


class NodeOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("mode", c_int), ("worker", c_char_p), ("layer", c_char_p),
                ("must_exist", c_uint32), ("wait", c_int64)]


EVENT_FN = CFUNCTYPE(None, c_char_p, c_void_p)


class CallOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("input", c_int), ("output", c_int), ("on_event", EVENT_FN),
                ("user_data", c_void_p)]


class NodePrediction(Structure):
    _fields_ = [("deployment", c_char_p), ("asset", c_char_p), ("time", c_int64), ("seq", c_int64), ("status", c_int),
                ("message", c_char_p), ("count", c_size_t), ("names", POINTER(c_char_p)), ("values", POINTER(Value)),
                ("latency", c_int64)]


PREDICTION_FN = CFUNCTYPE(None, POINTER(NodePrediction), c_void_p)

# name -> (result, arguments); a result of c_int that is a status is checked by check()
_FUNCTIONS = {
    "edgeops_version_string": (c_char_p, []),
    "edgeops_error_last": (POINTER(ErrorDetail), []),
    "edgeops_free": (None, [c_void_p]),
    "edgeops_ctx_new": (c_int, [POINTER(c_void_p), c_void_p]),
    "edgeops_ctx_run": (c_int, [c_void_p, c_int64]),
    "edgeops_ctx_stop": (None, [c_void_p]),
    "edgeops_ctx_fd": (c_int, [c_void_p]),
    "edgeops_ctx_timeout": (c_int64, [c_void_p]),
    "edgeops_ctx_dispatch": (c_int, [c_void_p]),
    "edgeops_ctx_free": (None, [c_void_p]),
    "edgeops_node_options_init": (None, [POINTER(NodeOptions), c_size_t]),
    "edgeops_node_open": (c_int, [POINTER(c_void_p), c_void_p, c_char_p, POINTER(NodeOptions)]),
    "edgeops_node_start": (c_int, [c_void_p]),
    "edgeops_node_stop": (None, [c_void_p]),
    "edgeops_node_serve": (c_int, [c_void_p]),
    "edgeops_node_close": (None, [c_void_p]),
    "edgeops_node_is_remote": (c_int, [c_void_p]),
    "edgeops_node_store": (c_void_p, [c_void_p]),
    "edgeops_call_options_init": (None, [POINTER(CallOptions), c_size_t]),
    "edgeops_node_call": (c_int, [POINTER(POINTER(c_char)), c_void_p, c_char_p, c_char_p, POINTER(CallOptions)]),
    "edgeops_node_on_prediction": (None, [c_void_p, PREDICTION_FN, c_void_p]),
    "edgeops_store_open": (c_int, [POINTER(c_void_p), c_char_p, c_void_p]),
    "edgeops_store_close": (None, [c_void_p]),
    "edgeops_store_append": (c_int, [POINTER(AppendResult), c_void_p, c_void_p, c_size_t, c_void_p]),
    "edgeops_store_declare": (c_int, [c_void_p, c_char_p, POINTER(ChannelInfo)]),
    "edgeops_blob_read": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p, c_char_p]),
    "edgeops_asset_rename": (c_int, [c_void_p, c_char_p, c_char_p]),
    "edgeops_channel_rename": (c_int, [c_void_p, c_char_p, c_char_p, c_char_p]),
    "edgeops_query_init": (None, [POINTER(Query), c_size_t]),
    "edgeops_store_read": (c_int, [POINTER(POINTER(TableHeader)), c_void_p, POINTER(Query)]),
    "edgeops_table_free": (None, [POINTER(TableHeader)]),
    "edgeops_workflow_check": (c_int, [POINTER(c_void_p), c_char_p]),
    "edgeops_workflow_pack": (c_int, [POINTER(POINTER(c_char)), c_char_p, c_char_p]),
    "edgeops_node_restore": (c_int, [POINTER(POINTER(c_char)), c_char_p, c_char_p, c_void_p, c_void_p]),
}


def _load() -> ctypes.CDLL:
    name = os.environ.get("EDGEOPS_LIBRARY") or ctypes.util.find_library("edgeops") or "libedgeops.so.0"
    try:
        library = ctypes.CDLL(name)
    except OSError as reason:
        raise ImportError(f"libedgeops cannot be loaded ({reason}); install it or set EDGEOPS_LIBRARY to the path of "
                          "libedgeops.so") from None
    for function, (result, arguments) in _FUNCTIONS.items():
        entry = getattr(library, function)
        entry.restype = result
        entry.argtypes = arguments
    return library


lib = _load()


def last_error() -> Error:
    """The calling thread's last error as an exception."""
    detail = lib.edgeops_error_last().contents
    return error_for(detail.code)((detail.message or b"").decode("utf-8", "replace"), code=detail.code,
                                  subsystem=(detail.subsystem or b"").decode())


def check(status: int) -> int:
    """Raises for an error; passes 0 and what is no error on."""
    if status < 0:
        raise last_error()
    return status


def take_text(pointer: ctypes._Pointer) -> str:
    """Text that the library gave away; frees it."""
    text = ctypes.cast(pointer, c_char_p).value or b""
    lib.edgeops_free(ctypes.cast(pointer, c_void_p))
    return text.decode("utf-8")
