# SPDX-License-Identifier: Apache-2.0
"""The store: samples in, tables out, and what is known of its assets."""
from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional, Union

import numpy as np

from . import _ffi
from ._ffi import check, lib
from ._handle import Handle
from ._signals import Shield
from .columns import TYPE_NAMES, TYPES, Array, Blob, Typed, bytes_of, column_of, samples_of, table_of, with_quality
from .cursor import Cursor
from .datasets import Datasets
from .errors import NotFoundError
from .labels import Labels
from .query import make_query, value_of
from .reads import Reads
from .table import Table
from .times import TimeLike, nanoseconds, numbers_of, times_of
from .walk import collect
from .watch import Watch, calling_back

_DURABILITIES = {"process": 1, "power": 2}
_TABLE_BYTES = 128 << 20  # more than this goes in as samples, of which one call takes more


class Verdict(NamedTuple):
    """What became of one sample."""

    outcome: str
    """ "appended", "duplicate", "merged", "conflict" or "expired"."""
    late: bool
    ahead: bool
    ordinal: int
    """Of an appended or merged sample in its asset, else 0."""
    channel: Optional[str]
    """Of a conflict: a channel that differs."""
    stored: Union[float, int, bool, str, Blob, Array, None]
    """Of a conflict: what is stored of that channel, None for nothing."""
    quality: int
    """Of a conflict: the quality code that is stored."""


class Retyped(NamedTuple):
    """What a change of type met."""

    was: str
    """The type before, such as "int64"."""
    rows: int
    """Samples of the asset."""
    values: int
    """Of the channel, that are not null."""
    nulled: int
    """Of them: texts that became null."""
    respelled: int
    """Of them: texts that are written in another way now, "1.50" as 1.5."""


def _type_of(type: str) -> tuple[int, int]:
    match = re.fullmatch(r"([a-z0-9]+)(?:\[([1-9]\d{0,5})\])?", type)
    if match is None or match[1] not in TYPES:
        raise ValueError(f"'{type}' is not a type: {', '.join(TYPES)}, or such as float32[4096]")
    return TYPES[match[1]], int(match[2] or 1)


class Appended(NamedTuple):
    """What an append did with its samples."""

    appended: int
    """New rows."""
    duplicates: int
    """Left out: all of their values are there already."""
    conflicts: int
    """Left out: a value contradicts what is there of their asset, time and seq; what came first stays."""
    late: int
    """Of the appended and merged ones: older than the newest of their asset."""
    expired: int = 0
    """Left out: not newer than what retention dropped."""
    ahead: int = 0
    """Of the appended and merged ones: further ahead of the clock than the store's limit."""
    merged: int = 0
    """Later parts of rows that were there: they brought values of other channels."""
    verdicts: Optional[tuple[Verdict, ...]] = None
    """One for each sample, where they were asked for."""


class Channel(NamedTuple):
    """A channel of an asset: its type such as "float64" or "float32[4096]", and its unit, "" for none."""

    name: str
    type: str
    unit: str


class Asset(NamedTuple):
    """What is known of an asset. Times are ns since 1970 UTC, 0 without samples."""

    name: str
    rows: int
    last_ordinal: int
    first: int
    last: int
    channels: list[Channel]
    dropped: int
    """Samples that retention dropped; `rows` does not count them."""
    dropped_until: int
    parts: int
    """Later parts that it ever got: they completed samples, which `rows` counts once. 0: they come whole."""


_OUTCOMES = {1: "appended", 2: "duplicate", 3: "merged", 4: "conflict", 5: "expired"}


def _stored(value: _ffi.Value) -> Union[float, int, bool, str, Blob, Array, None]:
    kind = TYPE_NAMES.get(value.type)
    raw = ctypes.string_at(value.as_.data, value.size) if kind is not None and kind != "string" and value.size else b""
    if kind == "blob":
        return Blob(raw[:32].hex(), int.from_bytes(raw[32:40], "little"))
    return np.frombuffer(raw, kind) if raw else value_of(value)


def _verdict(v: _ffi.Verdict) -> Verdict:
    return Verdict(_OUTCOMES.get(v.outcome, str(v.outcome)), bool(v.marks & 1), bool(v.marks & 2), v.ordinal,
                   v.channel.decode() if v.channel else None, _stored(v.stored), v.quality)


def _asset(info: _ffi.AssetInfo) -> Asset:
    channels = [Channel(c.name.decode(), TYPE_NAMES[c.type] + (f"[{c.length}]" if c.length > 1 else ""), c.unit.decode())
                for c in info.channels[:info.channel_count]]
    return Asset(info.name.decode(), info.rows, info.last_ordinal, info.first, info.last, channels, info.dropped,
                 info.dropped_until, info.parts)


class Store(Reads, Labels, Datasets):
    """The store of a node, from `Node.store`, or of a home opened alone with `Store.open(home)`.

    All methods: any thread, also at the same time; close() waits for them. Times that come in: see edgeops.times.
    """

    _what = "store"

    def __init__(self, pointer: int, owner: Optional[Handle] = None) -> None:
        self._owner = owner  # the node that the store belongs to
        super().__init__(pointer, owner)

    @classmethod
    def open(cls, home: Union[str, "os.PathLike[str]"], durability: Optional[str] = None) -> "Store":
        """Opens the store of a home without a node, making it where absent. BusyError if another process has it.

        durability: "process" (what was acknowledged survives a kill) or "power" (also the plug), None as the home was last set.
        """
        options = _ffi.options(_ffi.StoreOptions, lib.edgeops_store_options_init)
        options.durability = 0 if durability is None else _durability(durability)
        out = ctypes.c_void_p()
        check(lib.edgeops_store_open(ctypes.byref(out), _ffi.path_bytes(home, "a home"), ctypes.byref(options)))
        return cls(out.value or 0)

    def _release(self) -> None:
        if self._owner is None:
            lib.edgeops_store_close(self._raw)

    def _warn(self) -> None:
        if self._owner is None:
            super()._warn()

    def __repr__(self) -> str:
        return f"<Store{' of ' + repr(self._owner) if self._owner is not None else ''}{', closed' if self.closed else ''}>"

    # -- in ------------------------------------------------------------------------------------------

    def append(self, asset: str, times: Any, channels: Union[Mapping[str, Any], Table], seqs: Any = None,
               qualities: Optional[Mapping[str, Any]] = None, verdicts: bool = False) -> Appended:
        """Appends n samples of one asset: all or none.

        times: n time stamps, int64 ns since 1970 UTC, datetime64 of any unit, or datetimes with a time zone; floats are
        refused (see edgeops.from_seconds). channels: name -> n values, or [n, length] numbers for a channel of arrays: arrays
        of any float or int type, bool, str or bytes (a blob), which decide the type of a new channel; pandas Series; masked
        arrays, whose masked values are null; lists. None is null; NaN is a value, in pandas it is null. A `Table` is taken with
        its nulls and qualities, a DataFrame of its columns, too. seqs: n whole numbers, default 0. qualities: name -> n codes
        0..65534, NO_QUALITY for none. verdicts: what became of each sample, too.

        A row's values may come in parts, in one call or many: a sample whose time and seq are there brings the values that the
        row lacks ("merged"). One that contradicts the row is left out whole ("conflict"). Nulls contradict nothing.

        Raises TypeError and ValueError for what cannot be a time, a value or a name, InvalidError for a value that its channel
        does not hold, LimitError over a limit or on a full disk, AgainError when the writer was behind for 10 s; nothing was
        appended then.
        """
        stamps = times_of(times)
        columns = self._columns_of(channels, len(stamps))
        for name, codes in (qualities or {}).items():
            at = next((k for k, column in enumerate(columns) if column.name == name), None)
            if at is None:
                raise ValueError(f"there are qualities of '{name}', which is not a channel of this append")
            columns[at] = with_quality(columns[at], codes)
        return self._append(asset, stamps, None if seqs is None else numbers_of(seqs, len(stamps), "seqs"), columns, verdicts)

    def append_table(self, table: Any, asset: Optional[str] = None, verdicts: bool = False) -> Appended:
        """Appends the rows of a `Table`, or of a DataFrame with a DatetimeIndex, such as Table.to_pandas() gives.

        asset: default the table's own; a DataFrame needs it. A frame's column "<channel>:quality" has the codes of that
        channel, and its column `seq` the seqs where no channel is called so in the store. verdicts, all or none, errors: as append().
        """
        if isinstance(table, Table):
            return self._append(table.asset if asset is None else asset, np.ascontiguousarray(table.times_ns),
                                np.ascontiguousarray(table.seqs), self._columns_of(table, table.rows), verdicts)
        if not hasattr(table, "index") or not hasattr(table, "columns"):
            raise TypeError(f"a table is a Table or a DataFrame, not {type(table).__name__}")
        if asset is None:
            raise TypeError("a DataFrame does not say of which asset it is: give asset")
        if getattr(table.index, "dtype", np.dtype(object)).kind != "M":
            raise TypeError("the DataFrame has no DatetimeIndex: table.set_index('time')")
        if not getattr(table.columns, "is_unique", True):
            raise ValueError(f"the DataFrame has two columns of the name '{table.columns[table.columns.duplicated()][0]}'")
        values, qualities, seqs = {}, {}, None
        for name in table.columns:
            if isinstance(name, str) and name.endswith(":quality") and name[:-8] in table.columns:
                qualities[name[:-8]] = table[name]
            elif name == "seq" and not self._has_channel(asset, "seq"):
                seqs = table[name]
            else:
                values[name] = table[name]
        return self.append(asset, table.index, values, seqs, qualities, verdicts)

    def _has_channel(self, asset: str, channel: str) -> bool:
        try:
            return any(known.name == channel for known in self.asset(asset).channels)
        except NotFoundError:
            return False

    def _columns_of(self, channels: Any, n: int) -> list[Typed]:
        columns = []
        for name, given in channels.items():
            _ffi.name_bytes(name, "a channel")
            column = column_of(name, given, n, self.blob)
            if isinstance(channels, Table):
                valid, codes = channels.valid[name], channels.quality[name]
                column = column._replace(valid=None if valid is None else np.ascontiguousarray(valid).view(np.uint8))
                column = column if codes is None else with_quality(column, codes)
            columns.append(column)
        return columns

    def _append(self, asset: str, times: Any, seqs: Any, columns: list[Typed], verdicts: bool) -> Appended:
        name = _ffi.name_bytes(asset, "an asset")
        result = _ffi.options(_ffi.AppendResult, lib.edgeops_append_result_init)
        options = _ffi.options(_ffi.AppendOptions, lib.edgeops_append_options_init)
        options.verdicts = int(verdicts)
        as_samples = any(column.kind == "blob" for column in columns) or bytes_of(columns, len(times)) > _TABLE_BYTES
        with self._using(), calling_back():
            if as_samples:
                samples, kept = samples_of(name, times, seqs, columns)
                check(lib.edgeops_store_append(ctypes.byref(result), self._pointer, samples.ctypes.data, len(times), ctypes.byref(options)))
            else:
                table, kept = table_of(name, times, seqs, columns)
                check(lib.edgeops_store_append_tables(ctypes.byref(result), self._pointer, ctypes.byref(table), 1,
                                                       ctypes.byref(options)))
        del kept
        told = None
        if result.verdicts:
            try:
                told = tuple(_verdict(verdict) for verdict in result.verdicts[:result.verdict_count])
            finally:
                lib.edgeops_free(result.verdicts)
        return Appended(result.appended, result.duplicates, result.conflicts, result.late, result.expired, result.ahead,
                        result.merged, told)

    def declare(self, asset: str, channel: str, type: str, unit: str = "") -> None:
        """Declares a channel or sets the unit of one that exists.

        type: "float64", "float32", "int8" to "int64", "uint8" to "uint64", "bool", "string", "blob", or such as
        "float32[4096]" for a channel of arrays.
        """
        info = _ffi.ChannelInfo(_ffi.name_bytes(channel, "a channel"), _ffi.name_bytes(unit, "a unit"),
                                *_type_of(type))
        with self._using():
            check(lib.edgeops_store_declare(self._pointer, _ffi.name_bytes(asset, "an asset"), ctypes.byref(info)))

    def set_type(self, asset: str, channel: str, type: str, nulls: Sequence[str] = (), dry_run: bool = False,
                 progress: Optional[Callable[[float], object]] = None) -> Retyped:
        """Gives a channel another type, such as one whose type was decided by a first value unlike the others.

        No value changes: 1.5 does not become an int64, 2**53 + 1 no float64, and texts become numbers only where an import
        would take them for numbers. Nulls, quality codes and the order of channels stay. InvalidError: a value does not
        fit, the message shows the first one; BusyError: a dataset holds the channel, the message names all that do;
        NotFoundError. Killed at any moment it leaves the old type or the new one.

        type: as for declare(); an array keeps its length.
        nulls: texts that become null where texts become numbers, such as ["NA"].
        dry_run: only look whether it can be done.
        progress: called now and then with 0..1; what it raises ends the change, and the channel stays as it was.
        """
        kind, length = _type_of(type)
        words = (ctypes.c_char_p * len(nulls))(*[_ffi.name_bytes(word, "a text that becomes null") for word in nulls])
        failures: list[BaseException] = []

        def report(part: float, _: Any) -> int:
            try:
                if progress is not None:
                    progress(part)
                return 0
            except BaseException as failure:  # it comes out below
                failures.append(failure)
                return -100  # EDGEOPS_E_USER: any but 0 ends the call

        options = _ffi.RetypeOptions(ctypes.sizeof(_ffi.RetypeOptions), _ffi.name_bytes(asset, "an asset"),
                                     _ffi.name_bytes(channel, "a channel"), kind, length, words, len(nulls), dry_run, 0,
                                     _ffi.PROGRESS_FN(report), None)
        result = _ffi.RetypeResult(ctypes.sizeof(_ffi.RetypeResult))
        with self._using(), Shield():
            status = lib.edgeops_channel_retype(ctypes.byref(result), self._pointer, ctypes.byref(options))
        if failures:
            raise failures.pop()
        check(status)
        was = TYPE_NAMES[result.was] + (f"[{result.was_length}]" if result.was_length > 1 else "")
        return Retyped(was, result.rows, result.values, result.nulled, result.respelled)

    # -- out -----------------------------------------------------------------------------------------

    def read(self, asset: str, channels: Optional[Sequence[str]] = None, start: Optional[TimeLike] = None,
             end: Optional[TimeLike] = None, limit: int = 0, last: int = 0, where: Sequence[Any] = ()) -> Table:
        """Reads samples sorted by time: start inclusive, end exclusive; the first `limit` or the `last` ones, 0 for all.

        where: conditions, as of read_array(). NotFoundError for an unknown asset or channel.
        """
        query = make_query(asset, channels, start, end, where, limit, last)
        table = ctypes.POINTER(_ffi.TableHeader)()
        with self._using():
            check(lib.edgeops_store_read(ctypes.byref(table), self._pointer, ctypes.byref(query)))
        return Table(table)

    def cursor(self, asset: str, channels: Optional[Sequence[str]] = None, after: Optional[int] = 0) -> Cursor:
        """A cursor over an asset in order of arrival, which goes on as samples come.

        The asset need not exist yet. after: ordinal behind which to begin (Table.ordinals), 0 for the first sample, None for
        what is yet to come. Close it, or use it in `with`.
        """
        return Cursor(self, asset, channels, 2**64 - 1 if after is None else _ffi.whole(after, "after"))

    def blob(self, blob: Union[Blob, str]) -> bytes:
        """The bytes of a blob, checked: a `Blob` of a row, or its digest in hex. NotFoundError, CorruptError."""
        digest = bytes.fromhex(blob.digest if isinstance(blob, Blob) else blob)
        if len(digest) != 32:
            raise ValueError("a digest has 64 hex digits")
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        with self._using():
            check(lib.edgeops_blob_read(ctypes.byref(data), ctypes.byref(size), self._pointer, digest))
        try:
            return ctypes.string_at(data, size.value) if size.value else b""
        finally:
            lib.edgeops_free(data)

    # -- assets --------------------------------------------------------------------------------------

    def assets(self, pattern: Optional[str] = None) -> list[Asset]:
        """The assets sorted by name; pattern: a name in which '*' stands for any characters, None for all."""
        given = _ffi.optional_bytes(pattern, "a pattern")
        with self._using():
            return collect(_ffi.ASSET_FN, _asset, lambda fn: lib.edgeops_asset_list(self._pointer, given, fn, None))

    def asset(self, name: str) -> Asset:
        """One asset. NotFoundError."""
        info = ctypes.POINTER(_ffi.AssetInfo)()
        with self._using():
            check(lib.edgeops_asset_get(ctypes.byref(info), self._pointer, _ffi.name_bytes(name, "an asset")))
        try:
            return _asset(info.contents)
        finally:
            lib.edgeops_free(info)

    def rename_asset(self, name: str, to: str) -> None:
        """Gives an asset another name; its samples, labels and datasets stay. NotFoundError, ExistsError."""
        with self._using():
            check(lib.edgeops_asset_rename(self._pointer, _ffi.name_bytes(name, "an asset"), _ffi.name_bytes(to, "a name")))

    def rename_channel(self, asset: str, name: str, to: str) -> None:
        """Gives a channel of an asset another name. NotFoundError, ExistsError."""
        with self._using():
            check(lib.edgeops_channel_rename(self._pointer, _ffi.name_bytes(asset, "an asset"),
                                                   _ffi.name_bytes(name, "a channel"), _ffi.name_bytes(to, "a name")))

    def remove_asset(self, name: str) -> None:
        """Removes an asset with its samples and labels. NotFoundError; BusyError while a dataset holds it."""
        with self._using():
            check(lib.edgeops_asset_remove(self._pointer, _ffi.name_bytes(name, "an asset")))

    def watch(self, function: Callable[[str, int], object]) -> Watch:
        """Calls function(asset, last_ordinal) after samples became durable, on the thread that appended them, until the watch
        is closed. A store has any number of them.

        It must be quick and must not use EdgeOps: wake a thread or a loop, which then reads with a cursor. What it raises
        comes out through sys.unraisablehook, since the samples are there whatever it says.
        """
        return Watch(self, function)

    # -- durability ----------------------------------------------------------------------------------

    @property
    def durability(self) -> str:
        """What is still there afterwards: "process" (what was acknowledged survives a kill) or "power" (also the plug; an
        append waits for the disk). Setting it is remembered by the home. IoError."""
        with self._using():
            code = lib.edgeops_store_durability(self._pointer)
        return next(name for name, number in _DURABILITIES.items() if number == code)

    @durability.setter
    def durability(self, name: str) -> None:
        with self._using():
            check(lib.edgeops_store_set_durability(self._pointer, _durability(name)))


def _durability(name: str) -> int:
    if name not in _DURABILITIES:
        raise ValueError(f"'{name}' is not a durability: {', '.join(_DURABILITIES)}")
    return _DURABILITIES[name]


__all__ = ["Appended", "Asset", "Channel", "Store", "nanoseconds"]
