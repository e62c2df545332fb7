# SPDX-License-Identifier: Apache-2.0
"""The parts of the power cuts that need no machine: the write log, what a cut leaves, promises, verdicts, archive."""
import io
import pathlib
import random
import struct
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import judge  # noqa: E402
import machine  # noqa: E402
import writelog  # noqa: E402
from writelog import DISCARD, FLUSH, MADE, MAKING, REMOVED, SECTOR, Promise  # noqa: E402


def promise(number, time=0.0, durable=False, rows=(0, 0, 0), labels=0, of=0, state=0, set_rows=0, gone=False,
            digest=""):
    return Promise(number, time, 1, durable, rows, labels, of, of, set_rows, state, gone, digest)


def make_log(path, entries):
    """entries: (sector, bytes, flags)."""
    out = bytearray(struct.pack("<QQQI", writelog.MAGIC, 1, len(entries), SECTOR).ljust(SECTOR, b"\0"))
    for sector, data, flags in entries:
        out += struct.pack("<QQQQ", sector, len(data) // SECTOR, flags, 0).ljust(SECTOR, b"\0")
        out += b"" if flags & DISCARD else data
    path.write_bytes(out)
    return writelog.WriteLog(path)


@pytest.fixture
def log(tmp_path):
    log = make_log(tmp_path / "log", [
        (0, b"a" * SECTOR, 0), (1, b"b" * 2 * SECTOR, 0), (0, b"", FLUSH), (1, b"c" * SECTOR, 0),
        (8, b"x" * 4 * SECTOR, DISCARD), (4, promise(1).bytes(), 0), (2, b"d" * 3 * SECTOR, 0)])
    yield log
    log.close()


def test_log_is_read_to_its_last_whole_entry(log, tmp_path):
    assert [(w.at // SECTOR, w.size // SECTOR) for w in log.entries] == [(0, 1), (1, 2), (0, 0), (1, 1), (8, 0), (4, 1),
                                                                         (2, 3)]
    torn = tmp_path / "torn"
    torn.write_bytes((tmp_path / "log").read_bytes()[:-1])
    log = writelog.WriteLog(torn)
    assert len(log.entries) == 6
    log.close()
    (tmp_path / "none").write_bytes(b"\0" * 4096)
    with pytest.raises(ValueError):
        writelog.WriteLog(tmp_path / "none")


def test_what_was_flushed_stays_and_the_rest_is_volatile(log):
    assert [log.flushed(cut) for cut in range(8)] == [0, 0, 0, 3, 3, 3, 3, 3]
    assert log.volatile(2) == [0, 1]
    assert log.volatile(3) == []
    assert log.volatile(7) == [3, 5, 6]


def test_a_later_write_wins_and_a_torn_one_ends_at_a_sector(log):
    disk = io.BytesIO(b"\0" * 10 * SECTOR)
    log.apply(disk, 0, 4)
    writelog.keep(log, disk, [(6, SECTOR)])
    assert disk.getvalue()[:5 * SECTOR] == b"a" * SECTOR + b"c" * SECTOR + b"d" * SECTOR + b"\0" * 2 * SECTOR


@pytest.mark.parametrize("kind", writelog.KINDS)
def test_survivors_are_writes_of_the_cache_in_their_order(kind):
    sizes = {i: SECTOR * (1 + i % 9) for i in range(100)}
    kept = writelog.survivors(kind, list(sizes), sizes, random.Random(1))
    indices = [i for i, _ in kept]
    assert indices == sorted(set(indices)) and set(indices) <= set(sizes)
    assert all(size <= sizes[i] and size % SECTOR == 0 for i, size in kept)
    assert {"all": len(kept) == 100, "none": not kept, "most": 80 < len(kept) < 100, "half": 30 < len(kept) < 70,
            "few": 0 < len(kept) < 30, "torn": any(size < sizes[i] for i, size in kept),
            "newest": indices == list(range(100 - len(kept), 100))}[kind]
    assert kept == writelog.survivors(kind, list(sizes), sizes, random.Random(1))
    larger = writelog.survivors(kind, list(sizes), sizes, random.Random(1), 4096)
    assert all(size == sizes[i] or size % 4096 == 0 for i, size in larger)


def test_promises_come_back_and_a_changed_one_does_not(log, tmp_path):
    told = promise(7, 1.5, True, (1, 2, 3), 4, 5, MADE, 6, True, "ab" * 32)
    sector = told.bytes()
    assert len(sector) == SECTOR and Promise.parse(sector) == told
    assert Promise.parse(sector[:100] + b"\1" + sector[101:]) is None and Promise.parse(b"\0" * SECTOR) is None
    assert [(i, p.number) for i, p in log.promises(4 * SECTOR)] == [(5, 1)]
    disk = tmp_path / "disk"
    disk.write_bytes(b"\0" * SECTOR + promise(9).bytes() + b"\0" * SECTOR + sector)
    assert [p.number for p in writelog.promises_of(disk, SECTOR)] == [7, 9]


def test_without_durability_only_what_is_old_or_frozen_is_promised():
    life = [promise(1, 0.0, True, (5, 0, 0)), promise(2, 1.0, False, (9, 0, 0)), promise(3, 6.0, False, (20, 3, 0), 2),
            promise(4, 7.0, False, (20, 3, 0), of=1, state=MADE, set_rows=20, digest="d")]
    assert judge.Ledger().after(life).rows == [5, 0, 0]
    assert judge.Ledger(bound=5).after(life).rows == [9, 0, 0]
    assert judge.Ledger(bound=0).after(life).rows == [20, 3, 0]
    assert judge.Ledger().after(life).text() == "rows 0 5\nrows 1 0\nrows 2 0\nlabels 0\nset 1 made 20 d\n"


def test_a_ledger_goes_on_over_the_lives_of_a_home():
    first = judge.Ledger().after([promise(1, 1.0, True, (5, 6, 7), 2, 1, MADE, 3, digest="d")])
    second = first.after([promise(2, 0.5, True, (5, 6, 9), 1, 2, MAKING),
                          promise(3, 0.6, True, (6, 6, 9), 2, 1, REMOVED, gone=True)])
    assert second.text() == "rows 0 6\nrows 1 6\nrows 2 9\nlabels 2\nset 1 removed\nset 2 maybe\ngone\n"
    assert first.after([]).text() == first.text() and first.sets[1][0] == MADE


def seen(lost=0, wrong=0, missing=0, bad=0, problems=0, prefix=10):
    asset = {"rows": 10, "promised": 10, "lost": lost, "prefix": prefix, "wrong": wrong, "bytes_missing": missing}
    rest = {"rows": 0, "promised": 0, "lost": 0, "prefix": 0, "wrong": 0, "bytes_missing": 0}
    return {"assets": [asset, rest, rest], "labels": {"promised": 2, "lost": 0}, "sets": {"promised": 1, "bad": bad},
            "problems": problems, "told": ""}


def test_each_fault_makes_a_verdict_bad():
    blob = {"name": "blobs of image", "detail": "1 of 2 samples have lost their bytes", "asset": "line/camera"}
    other = {"name": "blob abcd", "detail": "has other content than its name says"}
    store = {"name": "store", "detail": "1 places of the stored samples are damaged"}
    assert judge.rate(seen(), [], []).good
    assert judge.rate(seen(), [], []).acknowledged == 13
    for bad in ({"lost": 1}, {"wrong": 1}, {"bad": 1}, {"problems": 1}):
        assert not judge.rate(seen(**bad), [], []).good
    assert not judge.rate(seen(), [store], []).good and not judge.rate(seen(), [blob], []).good
    # The image was not promised: its row may be without bytes, and doctor says so.
    assert judge.rate(seen(missing=1), [blob], []).good
    assert judge.rate(seen(missing=1), [blob, {"name": "samples", "detail": "read 0 columns"}], []).good
    assert judge.rate(seen(missing=1), [blob, store], []).false_damage == [f"store: {store['detail']}"]
    assert not judge.rate(seen(missing=1), [other], []).good


def test_youth_is_the_time_from_the_first_row_that_is_gone():
    given = [promise(1, 1.0, rows=(5, 0, 0)), promise(2, 2.0, rows=(12, 0, 0)), promise(3, 3.5, rows=(13, 0, 0))]
    assert judge.rate(seen(prefix=10), [], given).young == 1.5
    assert judge.rate(seen(prefix=13), [], given).young == 0


def test_modules_load_after_those_they_need(tmp_path):
    def module(name, needs=b"", likes=b""):
        path = tmp_path / f"{name}.ko"
        path.write_bytes(b"\x7fELF\0depends=" + needs + b"\0" + (b"softdep=pre: " + likes + b"\0" if likes else b""))
        return path
    paths = [module("xfs", b"libcrc32c"), module("libcrc32c", likes=b"crc32c"),
             module("virtio_blk", b"virtio,virtio_ring"), module("virtio_ring", b"virtio"), module("virtio")]
    order = machine.in_order(("virtio_blk", "ext4", "xfs"), {path.stem.replace("_", "-"): path for path in paths})
    assert [path.stem for path in order] == ["virtio", "virtio_ring", "virtio_blk", "libcrc32c", "xfs"]


def test_archive_is_what_the_kernel_reads():
    data = machine.archive([("dev", 0o755, None), ("init", 0o755, b"#!")])
    assert len(data) % 4 == 0
    at, names = 0, []
    while at < len(data):
        assert data[at:at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110:at + 110 + fields[11] - 1].decode()
        begin = (at + 110 + fields[11] + 3) // 4 * 4
        names.append((name, fields[1], data[begin:begin + fields[6]]))
        at = (begin + fields[6] + 3) // 4 * 4
    assert names == [("dev", 0o040755, b""), ("init", 0o100755, b"#!"), ("TRAILER!!!", 0o100000, b"")]
