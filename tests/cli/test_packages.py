# SPDX-License-Identifier: Apache-2.0
"""Packages as tar.gz, tar.zst, tar.xz and zip: one policy, one digest, whatever the form and whoever wrote it."""
import bz2
import gzip
import io
import json
import lzma
import os
import random
import shutil
import subprocess
import tarfile
import zipfile
import zlib

import pytest

from harness import CTL, Node

MANIFEST = json.dumps({
    "format": 1, "name": "packed", "version": "1.0.0", "python": {"module": "packed"},
    "inputs": [{"name": "x", "type": "float64"}], "outputs": [{"name": "y", "type": "float64"}]}).encode()
MODULE = b"def train(dataset, params, run):\n    return 1\n\n\ndef predict(model, window, params):\n    return {'y': 1.0}\n"
FILES = {"workflow.json": MANIFEST, "packed.py": MODULE, "data/größe/a.bin": bytes(range(256)) * 40, "empty": b""}


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


PACKERS = {"gz": gzip.compress, "xz": lzma.compress}
if shutil.which("zstd"):
    PACKERS["zst"] = zstd


def member(name, data=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar(members, format=tarfile.PAX_FORMAT, **options):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format, **options) as t:
        for info, data in members:
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def good(*more):
    return [member(name, data) for name, data in FILES.items()] + list(more)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with Node(tmp_path_factory.mktemp("packages")) as made:
        made.run("node", "init")
        yield made


def check(node, path):
    """Exit code and what was said."""
    done = node.run("workflow", "check", path, check=False)
    return done.returncode, done.stdout + done.stderr


def digest(node, path):
    return node.json("workflow", "check", path)["digest"]


@pytest.fixture(scope="module")
def zipped(tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "packed.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in FILES.items():
            z.writestr(name, data)
    return path


@pytest.mark.parametrize("packing", ["gz", "xz", "zst"])
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_tar_has_the_digest_of_the_zip(node, zipped, tmp_path, packing, format):
    if packing not in PACKERS:
        pytest.skip("zstd is not installed")
    path = tmp_path / "named-as-it-likes.zip"  # what it is, its content tells
    path.write_bytes(PACKERS[packing](tar(good(member("folder", type=tarfile.DIRTYPE)), format)))
    assert digest(node, path) == digest(node, zipped)


def test_tools_of_the_system_make_packages(node, zipped, tmp_path):
    source = tmp_path / "source"
    for name, data in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    for flag, ending in (("-z", "gz"), ("-J", "xz"), ("--zstd", "zst")):
        if ending == "zst" and "zst" not in PACKERS:
            continue
        for what in (["."], sorted(os.listdir(source))):
            path = tmp_path / f"packed.tar.{ending}"
            subprocess.run(["tar", flag, "-C", source, "-cf", path, *what], check=True)
            assert digest(node, path) == digest(node, zipped)


def test_a_tar_of_an_installed_zip_is_installed_already(zipped, tmp_path):
    path = tmp_path / "packed.tar.gz"
    path.write_bytes(gzip.compress(tar(good())))
    with Node(tmp_path) as node:
        node.run("node", "init")
        first = node.json("workflow", "add", zipped)
        again = node.json("workflow", "add", path)
        assert first["installed"] and not again["installed"] and again["digest"] == first["digest"]
        assert len(node.run("workflow", "ls").stdout.strip().splitlines()) == 2  # a heading and one workflow
        node.run("workflow", "rm", "packed")
        node.run("workflow", "add", path)
        installed = next((node.home / "store/workflows/objects").glob(first["digest"]))
        for name, data in FILES.items():
            assert (installed / name).read_bytes() == data


LONG = "/".join(["level" * 10] * 4)  # 203 bytes: more than a plain tar header holds

@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read_in_every_dialect(node, tmp_path, format):
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(tar(good(member(LONG, b"x")), format)))
    with zipfile.ZipFile(tmp_path / "b", "w") as z:
        for name, data in [*FILES.items(), (LONG, b"x")]:
            z.writestr(name, data)
    assert digest(node, path) == digest(node, tmp_path / "b")


REFUSED = {
    "up": (member("../up", b"x"), "leads out"),
    "up in the middle": (member("a/../../up", b"x"), "leads out"),
    "up behind the dot": (member("./../up", b"x"), "leads out"),
    "absolute": (member("/abs", b"x"), "absolute"),
    "absolute behind the dot": (member(".//abs", b"x"), "absolute"),
    "backslash": (member("..\\up", b"x"), "backslash"),
    "drive": (member("C:/x", b"x"), "drive"),
    "control": (member("a\nb", b"x"), "control"),
    "dot inside": (member("a/./b", b"x"), "'.' level"),
    "two dots in front": (member("././b", b"x"), "'.' level"),
    "deep": (member("d/" * 17 + "x", b"x"), "16 levels"),
    "wide": (member("a" * 101, b"x"), "100 bytes"),
    "twice": (member("packed.py", b"x"), "twice"),
    "twice with a dot": (member("./packed.py", b"x"), "twice"),
    "case": (member("PACKED.py", b"x"), "case only"),
    "below a file": (member("packed.py/x", b"x"), "below it"),
    "symlink": (member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "symbolic link"),
    "hard link": (member("link", type=tarfile.LNKTYPE, linkname="packed.py"), "hard link"),
    "hard link out": (member("link", type=tarfile.LNKTYPE, linkname="/etc/passwd"), "hard link"),
    "fifo": (member("fifo", type=tarfile.FIFOTYPE), "FIFO"),
    "character device": (member("tty", type=tarfile.CHRTYPE, devmajor=5), "device"),
    "block device": (member("disk", type=tarfile.BLKTYPE, devmajor=8), "device"),
    "no UTF-8": (member("a\udcff", b"x"), "UTF-8"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_policy_is_that_of_zips(node, tmp_path, case, format):
    entry, text = REFUSED[case]
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar(good(entry), format)))
    code, said = check(node, path)
    assert code == 1 and text in said, said
    assert node.run("workflow", "add", path, check=False).returncode == 1
    assert not list((node.home / "store/workflows/objects").glob("*"))


def test_a_link_of_a_file_that_is_replaced_by_a_folder(node, tmp_path):
    """The classic: a link, then a file below it."""
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar(good(
        member("out", type=tarfile.SYMTYPE, linkname="/tmp"), member("out/x", b"x")))))
    code, said = check(node, path)
    assert code == 1 and "symbolic link" in said


def pax(records, inner):
    """An extended header with these records in front of a member."""
    body = b""
    for key, value in records:
        line = f" {key}=".encode() + value + b"\n"
        size = len(line) + 1
        while len(str(size)) + len(line) != size:
            size = len(str(size)) + len(line)
        body += str(size).encode() + line
    info = tarfile.TarInfo("pax")
    info.type = tarfile.XHDTYPE
    info.size = len(body)
    return info.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % 512) + inner


def plain(name, data, type=tarfile.REGTYPE, size=None):
    info = tarfile.TarInfo(name)
    info.type = type
    info.size = len(data) if size is None else size
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


ALL = b"".join(plain(name, data) for name, data in FILES.items() if name.isascii())
END = bytes(1024)

TRICKS = {
    "path leads out": (pax([("path", b"../../up")], plain("fine", b"x")), "leads out"),
    "path is absolute": (pax([("path", b"/abs")], plain("fine", b"x")), "absolute"),
    "path is twice, the last counts": (pax([("path", b"ok"), ("path", b"../up")], plain("fine", b"x")), "leads out"),
    "path is no UTF-8": (pax([("path", b"a\xff")], plain("fine", b"x")), ""),
    "linkpath makes no link": (pax([("linkpath", b"/etc/passwd")], plain("fine", b"", b"1")), ""),
    "size is larger than the tar": (pax([("size", b"999999999")], plain("fine", b"x")), ""),
    "size is negative": (pax([("size", b"-1")], plain("fine", b"x")), ""),
    "size is huge": (pax([("size", b"9223372036854775807")], plain("fine", b"x")), ""),
    "sparse 0.0": (pax([("GNU.sparse.size", b"1000000"), ("GNU.sparse.numblocks", b"1"),
                        ("GNU.sparse.offset", b"0"), ("GNU.sparse.numbytes", b"1")], plain("fine", b"x")), "sparse"),
    "sparse 0.1": (pax([("GNU.sparse.size", b"1000000"), ("GNU.sparse.numblocks", b"1"), ("GNU.sparse.map", b"0,1")],
                       plain("fine", b"x")), "sparse"),
    "sparse 1.0": (pax([("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.name", b"../up"),
                        ("GNU.sparse.realsize", b"1000000")],
                       plain("fine", b"1\n0\n1\n".ljust(512, b"\0") + b"x")), ""),
    "a record that runs over": (pax([("path", b"x")], b"").replace(b"9 path", b"99 path") + plain("fine", b"x"), ""),
    "a header without a member": (pax([("path", b"x")], b""), ""),
    "another volume": (plain("fine", b"x", b"M"), ""),
    "a checksum that is wrong": (plain("fine", b"x").replace(b"fine", b"fune"), ""),
    "a long name without a member": (plain("././@LongLink", b"../up\0", tarfile.GNUTYPE_LONGNAME), ""),
    "a long name that leads out": (plain("././@LongLink", b"../up\0", tarfile.GNUTYPE_LONGNAME) + plain("fine", b"x"), "leads out"),
    "a long name of 1 GiB": (plain("././@LongLink", b"x", tarfile.GNUTYPE_LONGNAME, 1 << 30) + plain("fine", b"x"), ""),
    "a long link": (plain("././@LongLink", b"/etc/passwd\0", tarfile.GNUTYPE_LONGLINK) + plain("l", b"", b"2"), "symbolic link"),
}


@pytest.mark.parametrize("case", TRICKS)
def test_tricks_of_extended_headers(node, tmp_path, case):
    trick, text = TRICKS[case]
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(ALL + trick + END))
    code, said = check(node, path)
    assert code == 1 and text in said, said
    assert "Traceback" not in said and "a.tar.gz" in said


@pytest.mark.parametrize("format", ["gnu", "posix --sparse-version=0.0", "posix --sparse-version=0.1", "posix"])
def test_sparse_files_are_refused(node, tmp_path, format):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("workflow.json", "packed.py"):
        (source / name).write_bytes(FILES[name])
    with open(source / "holes", "wb") as f:
        f.seek(400_000)
        f.write(b"x")
        f.truncate(500_000)
    path = tmp_path / "a.tar.gz"
    subprocess.run(["tar", "-C", source, "-czSf", path, "--format", *format.split(), "."], check=True)
    code, said = check(node, path)
    assert code == 1 and "sparse" in said, said


def test_what_is_no_kind_of_its_own_is_a_file(node, tmp_path):
    """As POSIX has it for a type that a reader does not know, and as all readers do it."""
    seen = set()
    for data in (plain("a", b"x"), plain("a", b"x", b"Z"), plain("a", b"x", b"\0"), plain("a", b"x", b"7"),
                 pax([("mtime", b"1.5"), ("comment", b"a\0b"), ("SCHILY.xattr.user.x", b"1")], plain("a", b"x"))):
        path = tmp_path / "a.tar.gz"
        path.write_bytes(gzip.compress(ALL + data + END))
        seen.add(digest(node, path))
    assert len(seen) == 1


def test_what_git_archive_puts_in_front_does_no_harm(node, tmp_path):
    body = b"52 comment=0123456789012345678901234567890123456789\n"
    head = plain("pax_global_header", body, tarfile.XGLTYPE)
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(head + ALL + END))
    assert check(node, path)[0] == 0


@pytest.mark.parametrize("packing", ["gz", "xz", "zst"])
def test_every_truncation_and_every_tail_is_refused(node, tmp_path, packing):
    if packing not in PACKERS:
        pytest.skip("zstd is not installed")
    whole = PACKERS[packing](tar(good()))
    path = tmp_path / "a"
    step = max(1, len(whole) // 60)
    for n in [*range(0, len(whole), step), len(whole) - 1, len(whole) - 4, len(whole) - 8]:
        path.write_bytes(whole[:n])
        code, said = check(node, path)
        assert code == 1, (n, said)
    for tail in (b"tail", b"x" * 10000, PACKERS[packing](b"hidden"), PACKERS[packing](tar(good(member("b", b"x"))))):
        path.write_bytes(whole + tail)
        assert check(node, path)[0] == 1


@pytest.mark.parametrize("packing", ["gz", "xz", "zst"])
def test_flipped_bits_are_refused_or_harmless(node, tmp_path, packing):
    if packing not in PACKERS:
        pytest.skip("zstd is not installed")
    whole = bytearray(PACKERS[packing](tar(good())))
    path = tmp_path / "a"
    path.write_bytes(whole)
    sound = digest(node, path)
    for at in range(0, len(whole), max(1, len(whole) // 80)):
        whole[at] ^= 0x10
        path.write_bytes(whole)
        done = node.run("--json", "workflow", "check", path, check=False)
        assert done.returncode == 1 or json.loads(done.stdout)["digest"] == sound, at
        whole[at] ^= 0x10


def test_content_that_is_stored_has_a_checksum_too(node, tmp_path):
    """libarchive's own gzip reader would pass this."""
    packer = zlib.compressobj(0, zlib.DEFLATED, 31)
    whole = bytearray(packer.compress(tar(good())) + packer.flush())
    whole[whole.index(b"return 1") + 7] = ord("2")
    path = tmp_path / "a.tar.gz"
    path.write_bytes(whole)
    code, said = check(node, path)
    assert code == 1 and "gzip" in said


def test_the_end_of_a_tar(node, tmp_path):
    path = tmp_path / "a.tar.gz"
    cases = [
        (ALL + END, 0, ""), (ALL + bytes(10240), 0, ""), (ALL + bytes(1 << 20), 0, ""),
        (ALL, 1, "cut short"), (ALL + bytes(512), 1, "cut short"), (ALL[:-512], 1, ""),
        (ALL + END + plain("hidden", b"x") + END, 1, "after its end"),
        (ALL + bytes(512) + plain("hidden", b"x") + END, 1, "after its end"),
        (ALL + END + bytes(5000) + b"x", 1, "after its end"),
        (ALL + bytes(8 << 20), 1, ""), (ALL + plain("noise", os.urandom(1 << 20)) + bytes(4 << 20), 1, "after its end"),
        (END, 1, "workflow.json"), (b"", 1, ""), (b"no tar at all", 1, ""), (b"x" * 5000, 1, ""),
    ]
    for data, wanted, text in cases:
        path.write_bytes(gzip.compress(data))
        code, said = check(node, path)
        assert code == wanted and text in said, (len(data), said)


def test_bombs_are_refused_before_they_unpack(node, tmp_path):
    path = tmp_path / "a.tar.gz"
    large = [member("zeros", bytes(300 << 20))]
    for name, pack in PACKERS.items():
        if name == "xz":
            continue  # lzma takes a minute to pack it
        path.write_bytes(pack(tar(good(*large))))
        code, said = check(node, path)
        assert code == 1 and "200 times" in said, (name, said)
    # The header alone says too much.
    for size in (3 << 30, 1 << 40):
        huge = tarfile.TarInfo("huge")
        huge.size = size
        path.write_bytes(gzip.compress(ALL + huge.tobuf(tarfile.GNU_FORMAT) + END))
        code, said = check(node, path)
        assert code == 1 and ("2 GiB" in said or "200 times" in said), said
    # Nothing but zeros behind the end.
    path.write_bytes(gzip.compress(ALL + bytes(300 << 20)))
    assert check(node, path)[0] == 1
    many = b"".join(plain(f"f{i}", b"") for i in range(20_001))
    path.write_bytes(gzip.compress(ALL + many + END))
    code, said = check(node, path)
    assert code == 1 and "20000 entries" in said


def test_what_unpacks_with_too_much_memory_is_refused(node, zipped, tmp_path):
    path = tmp_path / "a.tar.xz"

    def packed(size, **options):
        return lzma.compress(tar(good()), filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": size}], **options)

    for size in (4096, 64 << 20, 128 << 20):
        path.write_bytes(packed(size))
        assert digest(node, path) == digest(node, zipped)
    for size in (192 << 20, 1 << 30):
        path.write_bytes(packed(size))
        code, said = check(node, path)
        assert code == 1 and "dictionary of" in said and "128 MiB" in said, said
    # In any block, not in the first alone: xz makes blocks of 64 KiB here, and one is replaced.
    noise = tar(good(member("noise", random.Random(7).randbytes(300_000))))
    blocks = bytearray(subprocess.run(["xz", "-0", "--block-size=65536", "-T2"], input=noise, stdout=subprocess.PIPE, check=True).stdout)
    path.write_bytes(blocks)
    assert check(node, path)[0] == 0
    filters = bytes(blocks[blocks.index(b"\x21\x01", 12):][:3])
    place = blocks.rindex(filters)
    assert place > 65536
    blocks[place + 2] = 36  # 1 GiB
    path.write_bytes(blocks)
    code, said = check(node, path)
    assert code == 1 and "dictionary of 1024 MiB" in said, said
    # Two streams behind one another are not one.
    path.write_bytes(packed(4096) + packed(4096))
    code, said = check(node, path)
    assert code == 1 and "xz" in said
    if "zst" in PACKERS:
        path.write_bytes(subprocess.run(["zstd", "-q", "-c", "--ultra", "-22", "--long=31", "--no-check"], input=noise,
                                        stdout=subprocess.PIPE, check=True).stdout)
        code, said = check(node, path)
        assert code == 1 and "memory" in said, said


def test_many_small_files_are_no_bomb(node, tmp_path):
    path = tmp_path / "a"
    for pack in PACKERS.values():
        path.write_bytes(pack(tar(good(*[member(f"lib/m{i}/__init__.py", type=tarfile.REGTYPE) for i in range(5000)]))))
        code, said = check(node, path)
        assert code == 0, said


def test_other_archives_are_named(node, tmp_path):
    plain_tar = tmp_path / "a.tar"
    plain_tar.write_bytes(tar(good()))
    bz = tmp_path / "a.tar.bz2"
    bz.write_bytes(bz2.compress(tar(good())))
    for path in (plain_tar, bz):
        code, said = check(node, path)
        assert code == 1 and "gzip, zstd or xz" in said
    nested = tmp_path / "a.tar.gz"
    nested.write_bytes(gzip.compress(tar([member(f"top/{name}", data) for name, data in FILES.items()])))
    code, said = check(node, nested)
    assert code == 1 and "'top/workflow.json', but no workflow.json at its root" in said
    # A tar in front of a zip is one of both, by its first bytes.
    both = tmp_path / "both"
    with zipfile.ZipFile(tmp_path / "z", "w") as z:
        z.writestr("workflow.json", MANIFEST)
        z.writestr("packed.py", MODULE)
    both.write_bytes(gzip.compress(tar(good())) + (tmp_path / "z").read_bytes())
    assert check(node, both)[0] == 1


def test_the_help_names_the_forms(node):
    for words in (["workflow", "--help"], ["workflow", "add", "--help"], ["workflow", "check", "--help"]):
        said = node.run(*words).stdout
        assert all(form in said for form in ("zip", "tar.gz", "tar.zst", "tar.xz")), said


def test_libarchive_is_loaded_for_a_tar_alone(zipped, tmp_path):
    """In a process of its own; the loader says what it opens."""
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar(good())))
    for package, wanted in ((zipped, False), (path, True)):
        done = subprocess.run([CTL, "workflow", "check", package], capture_output=True, text=True,
                              env={**os.environ, "LD_DEBUG": "files", "EDGEOPS_HOME": str(tmp_path / "none")})
        assert done.returncode == 0
        assert ("libarchive.so" in done.stderr) == wanted


class Unseekable(io.RawIOBase):
    """A pipe, as zipfile sees it."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data)
        return len(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_zips_of_python_are_read(node, zipped, tmp_path, method, large, stream):
    out = Unseekable() if stream else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in FILES.items():
            with z.open(name, "w", force_zip64=large) as f:
                f.write(data)
        z.comment = b"a comment"
    path = tmp_path / "a.zip"
    path.write_bytes(out.data if stream else out.getvalue())
    assert digest(node, path) == digest(node, zipped)


def test_what_pack_writes_others_read(node, tmp_path):
    source = tmp_path / "source"
    for name, data in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    node.run("workflow", "pack", source, "--output", tmp_path / "a.zip")
    node.run("workflow", "pack", source, "--output", tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as z:
        assert z.testzip() is None
        assert {i.filename: z.read(i) for i in z.infolist()} == FILES
        assert all(i.external_attr >> 16 == 0o100644 and i.date_time == (1980, 1, 1, 0, 0, 0) for i in z.infolist())
    for tool in (["unzip", "-tq"], ["bsdtar", "-tf"]):
        if shutil.which(tool[0]):
            subprocess.run([*tool, tmp_path / "a.zip"], check=True, stdout=subprocess.DEVNULL)
