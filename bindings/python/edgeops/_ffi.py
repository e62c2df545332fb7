# SPDX-License-Identifier: Apache-2.0
"""All that the bindings know of the C headers, in one place: structs, functions, and how a status becomes an exception.

STRUCTS and FUNCTIONS stand for what is declared in include/edgeops; tests/test_ffi.py holds them against the headers, and
LEFT_OUT says which functions have no use here.
"""
from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import (CFUNCTYPE, POINTER, Structure, Union, c_char, c_char_p, c_double, c_float, c_int, c_int32, c_int64,
                    c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p)
from typing import Any, Optional

from .errors import Error, make_error

FOREVER = 2**63 - 1


class ErrorDetail(Structure):
    _fields_ = [("code", c_int), ("os_errno", c_int32), ("subsystem", c_char_p), ("message", c_char_p)]


class Payload(Union):
    _fields_ = [("f64", c_double), ("f32", c_float), ("i64", c_int64), ("u64", c_uint64), ("str", c_void_p),
                ("data", c_void_p)]


class Value(Structure):
    """edgeops_value; its union is called `as` in C, which is a keyword here."""

    _fields_ = [("type", c_int), ("size", c_uint32), ("as_", Payload)]


class Sample(Structure):
    _fields_ = [("asset", c_char_p), ("time", c_int64), ("seq", c_int64), ("count", c_size_t), ("channels", c_void_p),
                ("values", c_void_p), ("qualities", c_void_p)]


class Verdict(Structure):
    _fields_ = [("outcome", c_int), ("marks", c_uint32), ("ordinal", c_uint64), ("channel", c_char_p), ("stored", Value),
                ("quality", c_uint16), ("reserved16", c_uint16 * 3), ("reserved", c_uint64 * 2)]


class AppendResult(Structure):
    _fields_ = [("struct_size", c_size_t), ("appended", c_uint64), ("duplicates", c_uint64), ("conflicts", c_uint64),
                ("late", c_uint64), ("expired", c_uint64), ("ahead", c_uint64), ("merged", c_uint64),
                ("verdicts", POINTER(Verdict)), ("verdict_count", c_uint64)]


class AppendOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("wait", c_int64), ("verdicts", c_uint32), ("reserved", c_uint32)]


class StoreOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("segment_bytes", c_uint64), ("free_floor_bytes", c_uint64),
                ("durability", c_int), ("ahead_limit", c_int64), ("sync_interval", c_int64)]


class Column(Structure):
    _fields_ = [("name", c_char_p), ("unit", c_char_p), ("type", c_int), ("f64", c_void_p), ("i64", c_void_p),
                ("u8", c_void_p), ("offsets", c_void_p), ("bytes", c_void_p), ("valid", c_void_p), ("nulls", c_uint64),
                ("data", c_void_p), ("length", c_uint32), ("quality", c_void_p)]


class TableHeader(Structure):
    _fields_ = [("asset", c_char_p), ("rows", c_uint64), ("times", c_void_p), ("seqs", c_void_p), ("ordinals", c_void_p),
                ("column_count", c_size_t), ("columns", POINTER(Column)), ("parts", c_void_p), ("reserved", c_void_p * 2)]


class Condition(Structure):
    _fields_ = [("channel", c_char_p), ("compare", c_int), ("value", Value)]


class Query(Structure):
    _fields_ = [("struct_size", c_size_t), ("asset", c_char_p), ("start", c_int64), ("end", c_int64),
                ("channels", POINTER(c_char_p)), ("channel_count", c_size_t), ("max_ordinal", c_uint64),
                ("limit", c_uint64), ("last", c_uint64), ("conditions", POINTER(Condition)), ("condition_count", c_size_t)]


PROGRESS_FN = CFUNCTYPE(c_int, c_double, c_void_p)


class RetypeOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("asset", c_char_p), ("channel", c_char_p), ("type", c_int),
                ("length", c_uint32), ("nulls", POINTER(c_char_p)), ("null_count", c_size_t), ("dry_run", c_uint32),
                ("reserved", c_uint32), ("progress", PROGRESS_FN), ("user_data", c_void_p)]


class RetypeResult(Structure):
    _fields_ = [("struct_size", c_size_t), ("rows", c_uint64), ("values", c_uint64), ("nulled", c_uint64),
                ("respelled", c_uint64), ("was", c_int), ("was_length", c_uint32)]


class CursorOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("asset", c_char_p), ("channels", POINTER(c_char_p)),
                ("channel_count", c_size_t), ("after", c_uint64)]


class Layout(Structure):
    _fields_ = [("struct_size", c_size_t), ("capacity", c_uint64), ("times", c_void_p), ("seqs", c_void_p),
                ("ordinals", c_void_p), ("values", c_void_p), ("targets", c_void_p), ("channel_count", c_size_t)]


class ChannelInfo(Structure):
    _fields_ = [("name", c_char_p), ("unit", c_char_p), ("type", c_int), ("length", c_uint32)]


class AssetInfo(Structure):
    _fields_ = [("name", c_char_p), ("rows", c_uint64), ("last_ordinal", c_uint64), ("first", c_int64), ("last", c_int64),
                ("channel_count", c_size_t), ("channels", POINTER(ChannelInfo)), ("dropped", c_uint64),
                ("dropped_until", c_int64), ("parts", c_uint64)]


class Aggregate(Structure):
    _fields_ = [("count", c_uint64), ("nulls", c_uint64), ("non_finite", c_uint64), ("min", Value), ("max", Value),
                ("sum", c_double), ("mean", c_double)]


class Bucket(Structure):
    _fields_ = [("start", c_int64), ("end", c_int64), ("rows", c_uint64), ("first", c_int64), ("last", c_int64),
                ("channels", POINTER(Aggregate))]


class Summary(Structure):
    _fields_ = [("asset", c_char_p), ("channel_count", c_size_t), ("channels", POINTER(ChannelInfo)),
                ("bucket_count", c_size_t), ("buckets", POINTER(Bucket))]


class Label(Structure):
    _fields_ = [("id", c_int64), ("asset", c_char_p), ("start", c_int64), ("end", c_int64), ("label", c_char_p),
                ("author", c_char_p), ("created", c_int64), ("source", c_char_p), ("version", c_uint64),
                ("replaces", c_int64), ("withdrawn", c_uint64), ("place", c_int64)]


class LabelResult(Structure):
    _fields_ = [("struct_size", c_size_t), ("added", c_uint64), ("duplicates", c_uint64)]


class LabelQuery(Structure):
    _fields_ = [("struct_size", c_size_t), ("asset", c_char_p), ("label", c_char_p), ("author", c_char_p),
                ("start", c_int64), ("end", c_int64), ("version", c_uint64), ("id", c_int64), ("history", c_uint32),
                ("limit", c_uint64), ("after", c_int64), ("exact", c_uint32), ("reserved", c_uint32)]


class DatasetOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("assets", POINTER(c_char_p)), ("asset_count", c_size_t),
                ("channels", POINTER(c_char_p)), ("channel_count", c_size_t), ("start", c_int64), ("end", c_int64),
                ("labelled_only", c_uint32), ("fill", c_int), ("filter", c_char_p), ("period", c_int64),
                ("tolerance", c_int64), ("window_rows", c_uint32), ("window_step", c_uint32), ("window", c_int64),
                ("step", c_int64), ("split", c_int), ("reserved", c_uint32), ("test", c_double),
                ("validation", c_double), ("test_from", c_int64), ("validation_from", c_int64),
                ("test_assets", POINTER(c_char_p)), ("test_asset_count", c_size_t),
                ("validation_assets", POINTER(c_char_p)), ("validation_asset_count", c_size_t), ("seed", c_uint64),
                ("block", c_int64), ("channel_assets", POINTER(c_char_p)), ("mixed", c_int), ("reserved32", c_uint32)]


class DatasetLayout(Structure):
    _fields_ = [("struct_size", c_size_t), ("capacity", c_uint64), ("channels", c_void_p), ("channel_count", c_size_t),
                ("times", c_void_p), ("seqs", c_void_p), ("values", c_void_p), ("targets", c_void_p),
                ("labels", c_void_p), ("groups", c_void_p), ("subsets", c_void_p)]


class DatasetPart(Structure):
    _fields_ = [("table", POINTER(TableHeader)), ("labels", c_void_p), ("subsets", c_void_p)]


class Dataset(Structure):
    _fields_ = [("name", c_char_p), ("digest", c_char_p), ("rows", c_uint64), ("part_count", c_size_t),
                ("parts", POINTER(DatasetPart)), ("label_count", c_size_t), ("label_names", POINTER(c_char_p)),
                ("period", c_int64), ("fill", c_int), ("split", c_int), ("window_rows", c_uint32),
                ("window_step", c_uint32), ("window", c_int64), ("step", c_int64)]


class NodeOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("mode", c_int), ("worker", c_char_p), ("layer", c_char_p),
                ("must_exist", c_uint32), ("wait", c_int64)]


EVENT_FN = CFUNCTYPE(None, c_char_p, c_void_p)
DONE_FN = CFUNCTYPE(None, c_int, c_char_p, c_char_p, c_void_p)


class CallOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("input", c_int), ("output", c_int), ("on_event", EVENT_FN),
                ("user_data", c_void_p)]


class NodePrediction(Structure):
    _fields_ = [("deployment", c_char_p), ("asset", c_char_p), ("time", c_int64), ("seq", c_int64), ("status", c_int),
                ("message", c_char_p), ("count", c_size_t), ("names", POINTER(c_char_p)), ("values", POINTER(Value)),
                ("latency", c_int64)]


class WindowSpec(Structure):
    _fields_ = [("rows", c_uint32), ("step", c_uint32), ("max_gap", c_int64), ("period", c_int64), ("fill", c_int),
                ("missing", c_int), ("wait", c_int64), ("mixed", c_int), ("reserved32", c_uint32), ("reserved", c_uint64 * 2)]


class Port(Structure):
    _fields_ = [("name", c_char_p), ("unit", c_char_p), ("type", c_int), ("length", c_uint32)]


class Manifest(Structure):
    _fields_ = [("name", c_char_p), ("version", c_char_p), ("description", c_char_p), ("module", c_char_p),
                ("requires_python", c_char_p), ("path", POINTER(c_char_p)), ("path_count", c_size_t),
                ("inputs", POINTER(Port)), ("input_count", c_size_t), ("outputs", POINTER(Port)),
                ("output_count", c_size_t), ("window", WindowSpec), ("label", c_char_p), ("classes", POINTER(c_char_p)),
                ("class_count", c_size_t), ("parameters_json", c_char_p), ("memory_bytes", c_uint64),
                ("train_timeout", c_int64), ("predict_timeout", c_int64), ("json", c_char_p)]


class ModelInfo(Structure):
    _fields_ = [("directory", c_char_p), ("manifest", POINTER(Manifest)), ("workflow", c_char_p),
                ("workflow_version", c_char_p), ("workflow_digest", c_char_p), ("dataset", c_char_p),
                ("dataset_digest", c_char_p), ("params_json", c_char_p), ("metrics_json", c_char_p), ("created", c_int64),
                ("size_bytes", c_uint64), ("json", c_char_p)]


class LanePrediction(Structure):
    _fields_ = [("id", c_uint64), ("status", c_int), ("message", c_char_p), ("count", c_size_t),
                ("values", POINTER(Value)), ("duration", c_int64)]


LANE_PREDICTION_FN = CFUNCTYPE(None, POINTER(LanePrediction), c_void_p)
STATE_FN = CFUNCTYPE(None, c_int, c_char_p, c_void_p)


class LaneOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("depth", c_uint32), ("run_dir", c_char_p),
                ("on_prediction", LANE_PREDICTION_FN), ("on_state", STATE_FN), ("on_drain", c_void_p),
                ("user_data", c_void_p)]


class ArrowSchema(Structure):
    pass


ArrowSchema._fields_ = [("format", c_char_p), ("name", c_char_p), ("metadata", c_char_p), ("flags", c_int64),
                        ("n_children", c_int64), ("children", c_void_p), ("dictionary", c_void_p),
                        ("release", CFUNCTYPE(None, POINTER(ArrowSchema))), ("private_data", c_void_p)]


class ArrowArray(Structure):
    pass


ArrowArray._fields_ = [("length", c_int64), ("null_count", c_int64), ("offset", c_int64), ("n_buffers", c_int64),
                       ("n_children", c_int64), ("buffers", c_void_p), ("children", c_void_p), ("dictionary", c_void_p),
                       ("release", CFUNCTYPE(None, POINTER(ArrowArray))), ("private_data", c_void_p)]


class ArrowArrayStream(Structure):
    pass


ArrowArrayStream._fields_ = [("get_schema", c_void_p), ("get_next", c_void_p), ("get_last_error", c_void_p),
                             ("release", CFUNCTYPE(None, POINTER(ArrowArrayStream))), ("private_data", c_void_p)]

PREDICTION_FN = CFUNCTYPE(None, POINTER(NodePrediction), c_void_p)
ASSET_FN = CFUNCTYPE(c_int, POINTER(AssetInfo), c_void_p)
LABEL_FN = CFUNCTYPE(c_int, POINTER(Label), c_void_p)
WATCH_FN = CFUNCTYPE(None, c_char_p, c_uint64, c_void_p)

# The struct of each class; a field has the name that it has in C, but for a `_` behind a keyword.
STRUCTS: dict[str, type[Structure]] = {
    "edgeops_error": ErrorDetail, "edgeops_value": Value, "edgeops_sample": Sample,
    "edgeops_verdict": Verdict, "edgeops_append_result": AppendResult, "edgeops_append_options": AppendOptions,
    "edgeops_retype_options": RetypeOptions, "edgeops_retype_result": RetypeResult,
    "edgeops_cursor_options": CursorOptions, "edgeops_store_options": StoreOptions, "edgeops_column": Column,
    "edgeops_table": TableHeader, "edgeops_condition": Condition, "edgeops_query": Query, "edgeops_layout": Layout,
    "edgeops_channel_info": ChannelInfo, "edgeops_asset_info": AssetInfo, "edgeops_aggregate": Aggregate,
    "edgeops_bucket": Bucket, "edgeops_summary": Summary, "edgeops_label": Label, "edgeops_label_result": LabelResult,
    "edgeops_label_query": LabelQuery, "edgeops_dataset_options": DatasetOptions,
    "edgeops_dataset_layout": DatasetLayout, "edgeops_dataset_part": DatasetPart, "edgeops_dataset": Dataset,
    "edgeops_node_options": NodeOptions, "edgeops_call_options": CallOptions,
    "edgeops_node_prediction": NodePrediction, "edgeops_window_spec": WindowSpec, "edgeops_port": Port,
    "edgeops_manifest": Manifest, "edgeops_model_info": ModelInfo, "edgeops_prediction": LanePrediction,
    "edgeops_lane_options": LaneOptions, "struct ArrowSchema": ArrowSchema, "struct ArrowArray": ArrowArray,
    "struct ArrowArrayStream": ArrowArrayStream,
}

_OUT = POINTER(c_void_p)
_TEXT = POINTER(POINTER(c_char))

# Name -> (result, arguments). A result of c_int is a status, unless the header says otherwise.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "edgeops_version_string": (c_char_p, []),
    "edgeops_error_last": (POINTER(ErrorDetail), []),
    "edgeops_free": (None, [c_void_p]),
    "edgeops_time_parse": (c_int, [POINTER(c_int64), c_char_p]),
    "edgeops_ctx_new": (c_int, [_OUT, c_void_p]),
    "edgeops_ctx_stop": (None, [c_void_p]),
    "edgeops_ctx_fd": (c_int, [c_void_p]),
    "edgeops_ctx_timeout": (c_int64, [c_void_p]),
    "edgeops_ctx_dispatch": (c_int, [c_void_p]),
    "edgeops_ctx_free": (None, [c_void_p]),
    "edgeops_node_options_init": (None, [POINTER(NodeOptions), c_size_t]),
    "edgeops_node_open": (c_int, [_OUT, c_void_p, c_char_p, POINTER(NodeOptions)]),
    "edgeops_node_start": (c_int, [c_void_p]),
    "edgeops_node_stop": (None, [c_void_p]),
    "edgeops_node_serve": (c_int, [c_void_p]),
    "edgeops_node_close": (None, [c_void_p]),
    "edgeops_node_is_remote": (c_int, [c_void_p]),
    "edgeops_node_store": (c_void_p, [c_void_p]),
    "edgeops_node_restore": (c_int, [_TEXT, c_char_p, c_char_p, c_void_p, c_void_p]),
    "edgeops_node_on_prediction": (None, [c_void_p, PREDICTION_FN, c_void_p]),
    "edgeops_call_options_init": (None, [POINTER(CallOptions), c_size_t]),
    "edgeops_node_call_start": (c_int, [_OUT, c_void_p, c_char_p, c_char_p, POINTER(CallOptions), DONE_FN, c_void_p]),
    "edgeops_call_cancel": (None, [c_void_p]),
    "edgeops_store_options_init": (None, [POINTER(StoreOptions), c_size_t]),
    "edgeops_store_open": (c_int, [_OUT, c_char_p, POINTER(StoreOptions)]),
    "edgeops_store_close": (None, [c_void_p]),
    "edgeops_store_set_durability": (c_int, [c_void_p, c_int]),
    "edgeops_store_durability": (c_int, [c_void_p]),
    "edgeops_append_result_init": (None, [POINTER(AppendResult), c_size_t]),
    "edgeops_append_options_init": (None, [POINTER(AppendOptions), c_size_t]),
    "edgeops_store_append": (c_int, [POINTER(AppendResult), c_void_p, c_void_p, c_size_t, POINTER(AppendOptions)]),
    "edgeops_store_append_tables": (c_int, [POINTER(AppendResult), c_void_p, POINTER(TableHeader), c_size_t,
                                            POINTER(AppendOptions)]),
    "edgeops_store_declare": (c_int, [c_void_p, c_char_p, POINTER(ChannelInfo)]),
    "edgeops_blob_read": (c_int, [_OUT, POINTER(c_size_t), c_void_p, c_char_p]),
    "edgeops_asset_get": (c_int, [POINTER(POINTER(AssetInfo)), c_void_p, c_char_p]),
    "edgeops_asset_list": (c_int, [c_void_p, c_char_p, ASSET_FN, c_void_p]),
    "edgeops_asset_rename": (c_int, [c_void_p, c_char_p, c_char_p]),
    "edgeops_channel_rename": (c_int, [c_void_p, c_char_p, c_char_p, c_char_p]),
    "edgeops_channel_retype": (c_int, [POINTER(RetypeResult), c_void_p, POINTER(RetypeOptions)]),
    "edgeops_retype_options_init": (None, [POINTER(RetypeOptions), c_size_t]),
    "edgeops_retype_result_init": (None, [POINTER(RetypeResult), c_size_t]),
    "edgeops_asset_remove": (c_int, [c_void_p, c_char_p]),
    "edgeops_watch_open": (c_int, [_OUT, c_void_p, WATCH_FN, c_void_p]),
    "edgeops_watch_close": (None, [c_void_p]),
    "edgeops_query_init": (None, [POINTER(Query), c_size_t]),
    "edgeops_store_read": (c_int, [POINTER(POINTER(TableHeader)), c_void_p, POINTER(Query)]),
    "edgeops_store_count": (c_int, [POINTER(c_uint64), c_void_p, POINTER(Query)]),
    "edgeops_layout_init": (None, [POINTER(Layout), c_size_t]),
    "edgeops_store_read_into": (c_int, [POINTER(c_uint64), c_void_p, POINTER(Query), POINTER(Layout)]),
    "edgeops_store_aggregate": (c_int, [POINTER(POINTER(Summary)), c_void_p, POINTER(Query), c_int64]),
    "edgeops_summary_free": (None, [POINTER(Summary)]),
    "edgeops_table_copy": (c_int, [POINTER(POINTER(TableHeader)), POINTER(TableHeader)]),
    "edgeops_table_free": (None, [POINTER(TableHeader)]),
    "edgeops_table_arrow": (c_int, [POINTER(ArrowSchema), POINTER(ArrowArray), POINTER(TableHeader)]),
    "edgeops_table_arrow_stream": (c_int, [POINTER(ArrowArrayStream), POINTER(TableHeader)]),
    "edgeops_cursor_options_init": (None, [POINTER(CursorOptions), c_size_t]),
    "edgeops_cursor_open": (c_int, [_OUT, c_void_p, POINTER(CursorOptions)]),
    "edgeops_cursor_next": (c_int, [POINTER(POINTER(TableHeader)), c_void_p, c_size_t]),
    "edgeops_cursor_skipped": (c_uint64, [c_void_p]),
    "edgeops_cursor_close": (None, [c_void_p]),
    "edgeops_label_result_init": (None, [POINTER(LabelResult), c_size_t]),
    "edgeops_label_add": (c_int, [POINTER(c_int64), c_void_p, POINTER(Label), c_size_t]),
    "edgeops_label_add_new": (c_int, [POINTER(LabelResult), c_void_p, POINTER(Label), c_size_t]),
    "edgeops_label_correct": (c_int, [POINTER(c_int64), c_void_p, c_int64, POINTER(Label)]),
    "edgeops_label_query_init": (None, [POINTER(LabelQuery), c_size_t]),
    "edgeops_label_list": (c_int, [POINTER(c_uint64), c_void_p, POINTER(LabelQuery), LABEL_FN, c_void_p]),
    "edgeops_label_remove": (c_int, [c_void_p, c_int64]),
    "edgeops_dataset_options_init": (None, [POINTER(DatasetOptions), c_size_t]),
    "edgeops_dataset_create": (c_int, [c_void_p, POINTER(DatasetOptions)]),
    "edgeops_dataset_head": (c_int, [POINTER(POINTER(Dataset)), c_void_p, c_char_p]),
    "edgeops_dataset_layout_init": (None, [POINTER(DatasetLayout), c_size_t]),
    "edgeops_dataset_read_into": (c_int, [c_void_p, c_char_p, POINTER(DatasetLayout)]),
    "edgeops_dataset_verify": (c_int, [c_void_p, c_char_p]),
    "edgeops_dataset_free": (None, [POINTER(Dataset)]),
    "edgeops_dataset_remove": (c_int, [c_void_p, c_char_p]),
    "edgeops_node_runtime": (c_int, [_OUT, c_void_p]),
    "edgeops_node_model": (c_int, [_OUT, c_void_p, c_char_p]),
    "edgeops_model_info_of": (POINTER(ModelInfo), [c_void_p]),
    "edgeops_model_close": (None, [c_void_p]),
    "edgeops_lane_options_init": (None, [POINTER(LaneOptions), c_size_t]),
    "edgeops_lane_open": (c_int, [_OUT, c_void_p, c_void_p, POINTER(LaneOptions)]),
    "edgeops_lane_submit_rows": (c_int, [c_void_p, c_uint64, c_void_p, c_void_p, c_uint64]),
    "edgeops_lane_close": (None, [c_void_p]),
    "edgeops_workflow_check": (c_int, [_OUT, c_char_p]),
    "edgeops_workflow_pack": (c_int, [_TEXT, c_char_p, c_char_p]),
}

# What a Python program does otherwise: `why` -> the names, or the beginnings of names, of functions.
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "Python has a memory of its own": ("edgeops_set_allocator", "edgeops_ctx_options_init", "edgeops_column_value"),
    "json writes a message": ("edgeops_sample_encode",),
    "the package has one version, which is text": ("edgeops_version", "edgeops_status_name"),
    "a node turns its loop so that Ctrl-C is seen": ("edgeops_ctx_run", "edgeops_node_call"),
    "a dataset is read into NumPy's memory": ("edgeops_dataset_read", "edgeops_dataset_read_unchecked"),
    "the node has an operation for it": ("edgeops_workflow_", "edgeops_source_", "edgeops_driver_list", "edgeops_publisher_",
                                         "edgeops_runtime_", "edgeops_train_", "edgeops_training_",
                                         "edgeops_model_open", "edgeops_node_workflows"),
    "a node turns its loop while an answer is waited for": ("edgeops_lane_submit", "edgeops_lane_predict",
                                                            "edgeops_lane_predict_many"),
    "it is for measurements": ("edgeops_virtual_",),
}


def _load() -> ctypes.CDLL:
    name = os.environ.get("EDGEOPS_LIBRARY") or ctypes.util.find_library("edgeops") or "libedgeops.so.0"
    try:
        library = ctypes.CDLL(name)
    except OSError as reason:
        raise ImportError(f"libedgeops cannot be loaded ({reason}); install it or set EDGEOPS_LIBRARY to the path of "
                          "libedgeops.so") from None
    for function, (result, arguments) in FUNCTIONS.items():
        try:
            entry = getattr(library, function)
        except AttributeError:
            raise ImportError(f"{name} has no {function}: it is of another version than this package; install both from "
                              "one checkout") from None
        entry.restype = result
        entry.argtypes = arguments
    return library


lib: Any = _load()


def last_error(status: int) -> Error:
    """The calling thread's last error, which was `status`, as an exception."""
    detail = lib.edgeops_error_last().contents
    if detail.code != status:  # a handle that was collected meanwhile has called the library
        return make_error(status, "its detail is not there any more")
    return make_error(detail.code, (detail.message or b"").decode("utf-8", "replace"), (detail.subsystem or b"").decode(),
                      detail.os_errno)


def check(status: int) -> int:
    """Raises for an error; passes 0 and what is not an error on."""
    if status < 0:
        raise last_error(status)
    return status


def options(kind: type[Any], init: Any) -> Any:
    """An options struct with its defaults."""
    made = kind()
    init(ctypes.byref(made), ctypes.sizeof(made))
    return made


def take_text(pointer: Any) -> str:
    """Text that the library gave away; frees it."""
    text = ctypes.cast(pointer, c_char_p).value or b""
    lib.edgeops_free(ctypes.cast(pointer, c_void_p))
    return text.decode("utf-8")


def name_bytes(text: Any, what: str) -> bytes:
    """A name or other text on its way into C, where a NUL would end it: TypeError for what is not a str, ValueError for NUL."""
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{what} {text!r} has a NUL character in it")
    return text.encode("utf-8")


def optional_bytes(text: Optional[str], what: str) -> Optional[bytes]:
    """The same; None stays None."""
    return None if text is None else name_bytes(text, what)


def path_bytes(path: Any, what: str) -> bytes:
    """A path as the file system has it: str, bytes or os.PathLike without NUL."""
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError(f"{what} {path!r} has a NUL character in it")
    return encoded


def name_list(names: Any, what: str) -> Any:
    """A C array of names; a str alone is refused, since it would stand for its letters."""
    if isinstance(names, (str, bytes)):
        raise TypeError(f"{what} must be a list of names, not one {type(names).__name__}")
    return (c_char_p * max(len(names), 1))(*[name_bytes(name, what) for name in names])


def whole(number: Any, what: str, least: int = 0, most: int = 2**64 - 1) -> int:
    """An int in its bounds; ValueError instead of the wrapping of C."""
    try:
        value = number.__index__()
    except AttributeError:
        raise TypeError(f"{what} must be an int, not {type(number).__name__}") from None
    if not least <= value <= most:
        raise ValueError(f"{what} must be {least} to {most}, not {value}")
    return int(value)


__all__ = ["FUNCTIONS", "LEFT_OUT", "STRUCTS", "c_uint8", "c_uint16", "check", "last_error", "lib"]
