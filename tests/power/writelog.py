# SPDX-License-Identifier: Apache-2.0
"""What a disk of the virtual machine was told: its write log, the promises in it, and the disks that a cut can leave.

The log is that of qemu's blklogwrites (the format of dm-log-writes): a superblock, then entries, each a header of a
sector and its data. Whatever was written before a flush that is in the log stays; of what came after the last one
before the cut, a disk with a cache of its own keeps any part, in any order, a write perhaps only in part.
"""
import dataclasses
import os
import struct
import zlib

SECTOR = 512
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8

PROMISE_MAGIC = 0x31524557504F4545
PROMISE_SLOTS = 32768
PROMISE_AREA = PROMISE_SLOTS * SECTOR
PROMISE = struct.Struct("<QQQII3QQQQQII64s344sII")
DURABLE = 1
MAKING, MADE, REMOVING, REMOVED = 1, 2, 3, 4
ASSETS = ("rows", "table", "camera")


@dataclasses.dataclass(frozen=True)
class Promise:
    """What the writer knew when it wrote this sector; see promise.h."""

    number: int
    time: float  # seconds since the boot of its life
    life: int
    durable: bool
    acknowledged: tuple
    labels: int
    sets: int
    set: int
    set_rows: int
    set_state: int
    gone: bool
    digest: str

    @classmethod
    def parse(cls, sector):
        """Gives None for anything but a whole promise."""
        if len(sector) != SECTOR or zlib.crc32(sector[:-4]) != int.from_bytes(sector[-4:], "little"):
            return None
        magic, number, time, life, flags, *rest = PROMISE.unpack(sector)
        if magic != PROMISE_MAGIC:
            return None
        labels, sets, of, rows, state, gone, digest = rest[3:10]
        return cls(number, time / 1e9, life, bool(flags & DURABLE), tuple(rest[:3]), labels, sets, of, rows, state,
                   bool(gone), digest.rstrip(b"\0").decode())

    def bytes(self):
        """The sector, as the writer makes it."""
        sector = PROMISE.pack(PROMISE_MAGIC, self.number, round(self.time * 1e9), self.life, DURABLE * self.durable,
                              *self.acknowledged, self.labels, self.sets, self.set, self.set_rows, self.set_state,
                              self.gone, self.digest.encode(), b"", 0, 0)[:-4]
        return sector + zlib.crc32(sector).to_bytes(4, "little")


def promises_of(image, at):
    """The promises on a disk, in the order in which they were given."""
    with open(image, "rb") as disk:
        disk.seek(at)
        area = disk.read(PROMISE_AREA)
    magic = PROMISE_MAGIC.to_bytes(8, "little")
    found = [Promise.parse(area[i:i + SECTOR]) for i in range(0, len(area), SECTOR) if area.startswith(magic, i)]
    return sorted((p for p in found if p is not None), key=lambda p: p.number)


@dataclasses.dataclass(frozen=True)
class Write:
    """An entry of the log: `size` bytes at `at` of the disk, which are at `data` in the log."""

    at: int
    size: int
    data: int
    flags: int


class WriteLog:
    def __init__(self, path):
        self.file = open(path, "rb")
        self.entries = list(self._entries(os.fstat(self.file.fileno()).st_size))

    def close(self):
        self.file.close()

    def _entries(self, end):
        magic, version, count, sector = struct.unpack("<QQQI", self.file.read(28))
        if magic != MAGIC or version != 1:
            raise ValueError("this is no write log")
        at = sector
        for _ in range(count):
            self.file.seek(at)
            header = self.file.read(32)
            if len(header) < 32:
                return
            where, sectors, flags, _ = struct.unpack("<QQQQ", header)
            # A discard has no data, and none is made here: the disks of power.py take no discards.
            size = 0 if flags & DISCARD else sectors * sector
            if at + sector + size > end:
                return
            yield Write(where * sector, size, at + sector, flags)
            at += sector + size

    def data(self, write):
        self.file.seek(write.data)
        return self.file.read(write.size)

    def promises(self, area):
        """(index of the entry, promise), in the order of the log."""
        for i, write in enumerate(self.entries):
            if write.at >= area and write.size:
                data = self.data(write)
                for k in range(0, len(data), SECTOR):
                    promise = Promise.parse(data[k:k + SECTOR])
                    if promise is not None:
                        yield i, promise

    def apply(self, disk, first, end):
        """Writes the entries first..end-1 to an open disk."""
        for write in self.entries[first:end]:
            if write.size:
                disk.seek(write.at)
                disk.write(self.data(write))

    def flushed(self, cut):
        """How many of the entries before `cut` are on the disk for sure."""
        for i in range(cut, 0, -1):
            if self.entries[i - 1].flags & FLUSH:
                return i
        return 0

    def volatile(self, cut):
        """Indices of the writes that a cut at `cut` may lose."""
        return [i for i in range(self.flushed(cut), cut) if self.entries[i].size]


# What becomes of the writes in the disk's cache.
KINDS = ("all", "none", "most", "half", "few", "torn", "newest")


def survivors(kind, volatile, sizes, dice, whole=SECTOR):
    """Of the writes with these indices and sizes those that reach the disk, as (index, bytes), in their order.

    all: the machine dies, the disk does not; none: the cache is lost; most, half, few: a random part; torn: as half,
    and one of three is cut off at a multiple of `whole` bytes; newest: the last ones before the cut, not those before.
    """
    if kind == "all":
        return [(i, sizes[i]) for i in volatile]
    if kind == "none":
        return []
    if kind == "newest":
        return [(i, sizes[i]) for i in volatile[dice.randrange(len(volatile) + 1):]]
    share = {"most": 0.9, "half": 0.5, "few": 0.1, "torn": 0.5}[kind]
    kept = [(i, sizes[i]) for i in volatile if dice.random() < share]
    if kind == "torn":
        kept = [(i, dice.randrange(0, size, whole)) if size > whole and dice.random() < 1 / 3 else (i, size)
                for i, size in kept]
    return kept


def keep(log, disk, kept):
    """Writes what survives to an open disk on which all that was flushed is."""
    for i, size in kept:
        disk.seek(log.entries[i].at)
        disk.write(log.data(log.entries[i])[:size])
