# SPDX-License-Identifier: Apache-2.0
"""The virtual machine: Debian's cloud kernel, a file system in memory with the writer as its only program, one disk.

The kernel is unpacked into a folder, never installed. The machine runs without hardware help, so that it works inside
another virtual machine or a container, too.
"""
import gzip
import os
import pathlib
import re
import selectors
import shutil
import signal
import subprocess
import time

QEMU = "qemu-system-x86_64"
WANTED = {QEMU: "qemu-system-x86", "mkfs.ext4": "e2fsprogs", "mkfs.xfs": "xfsprogs", "dpkg-deb": "dpkg"}
FILE_SYSTEMS = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-K"],
}
# What of a write the disk does not tear. XFS wants its blocks of 4 KiB whole: it does not mount with a torn block of a
# folder, because the newest of its parts says that the journal holds nothing newer.
WHOLE = {"ext4": 512, "xfs": 4096}
MODULES = ("virtio_pci", "virtio_blk", "crc32c-intel", "ext4", "xfs")
AREA_AT = 448 << 20  # the promises; the file system is before it
DISK_BYTES = AREA_AT + (16 << 20)


def missing():
    """Debian packages without which nothing goes."""
    paths = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return sorted({package for program, package in WANTED.items() if shutil.which(program, path=paths) is None})


def kernel(cache):
    """The unpacked package of the kernel, fetched once: (kernel, folder of its modules)."""
    found = sorted(cache.glob("kernel/boot/vmlinuz-*"))
    if not found:
        cache.mkdir(parents=True, exist_ok=True)
        depends = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], check=True, text=True,
                                 stdout=subprocess.PIPE).stdout
        package = re.search(r"Depends: (linux-image-\S+)", depends)[1]
        subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package], check=True, cwd=cache,
                       stdout=subprocess.DEVNULL)
        deb = next(cache.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", deb, cache / "kernel.part"], check=True)
        (cache / "kernel.part").rename(cache / "kernel")
        deb.unlink()
        found = sorted(cache.glob("kernel/boot/vmlinuz-*"))
    version = found[0].name.removeprefix("vmlinuz-")
    return found[0], cache / "kernel/lib/modules" / version


def depends(data):
    """The names of the modules that a module (its bytes) needs, and of those it would like."""
    listed = [name for text in re.findall(rb"\0depends=([^\0]*)\0", b"\0" + data) for name in text.split(b",") if name]
    liked = [name for text in re.findall(rb"\0softdep=pre: ([^\0]*)\0", b"\0" + data) for name in text.split()]
    return [name.decode().replace("_", "-") for name in listed + liked]


def in_order(wanted, modules):
    """The paths of the wanted modules and of those they need, in the order in which they load.

    modules: path by name, with - for _. What is not there is built in.
    """
    order = []

    def add(name):
        path = modules.get(name.replace("_", "-"))
        if path is None or path in order:
            return
        for other in depends(path.read_bytes()):
            add(other)
        if path not in order:
            order.append(path)

    for name in wanted:
        add(name)
    return order


def archive(files):
    """A file system for the kernel (cpio, newc) of (path, mode, bytes); folders have the bytes None."""
    out = bytearray()
    for number, (path, mode, data) in enumerate([*files, ("TRAILER!!!", 0, b"")], 1):
        name = path.encode() + b"\0"
        kind = 0o040000 if data is None else 0o100000
        fields = (number, kind | mode, 0, 0, 1, 0, len(data or b""), 0, 0, 0, 0, len(name), 0)
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + name
        out += b"\0" * (-len(out) % 4) + (data or b"")
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def libraries(program):
    """The shared libraries of a program, with the dynamic linker, as the loader finds them."""
    out = subprocess.run(["ldd", program], check=True, text=True, stdout=subprocess.PIPE).stdout
    return [pathlib.Path(path) for path in re.findall(r"(?:=> )?(/\S+) \(0x", out)]


def first_disk(guest, modules, to):
    """Writes the file system in memory: the guest as /init, its libraries, the modules in their order."""
    ordered = in_order(MODULES, {path.stem.replace("_", "-"): path for path in modules.rglob("*.ko")})
    files = [("init", 0o755, guest.read_bytes())]
    for path in libraries(guest):
        # libedgeops is found by its folder in the build, the others where they are.
        files.append((str(path).lstrip("/") if path.parent.parts[1] in ("lib", "lib64", "usr") else f"lib/{path.name}",
                      0o755, path.read_bytes()))
    files += [(f"modules/{path.name}", 0o644, path.read_bytes()) for path in ordered]
    files.append(("modules/order", 0o644, "".join(f"/modules/{path.name}\n" for path in ordered).encode()))
    folders = {str(parent) for path, _, _ in files for parent in pathlib.PurePath(path).parents} - {"."}
    folders |= {"dev", "proc", "sys", "tmp", "disk"}
    to.write_bytes(gzip.compress(archive([(name, 0o755, None) for name in sorted(folders)] + files), 1))
    return to


def make_disk(image, file_system):
    """A disk with an empty file system and no promises."""
    image.unlink(missing_ok=True)
    with open(image, "wb") as disk:
        disk.truncate(AREA_AT)
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    subprocess.run([*FILE_SYSTEMS[file_system], image], check=True, env=environment, stdout=subprocess.DEVNULL)
    with open(image, "r+b") as disk:
        disk.truncate(DISK_BYTES)


class Machine:
    """One boot. Use as a context: whatever happens, the machine is dead at its end."""

    def __init__(self, kernel_image, initrd, image, settings, log=None):
        node = f"driver=file,node-name=image,filename={image}"
        blocks = ["-blockdev", node]
        if log is not None:
            log.write_bytes(b"")
            blocks += ["-blockdev", f"driver=file,node-name=log,filename={log}", "-blockdev",
                       "driver=blklogwrites,node-name=logged,file=image,log=log,log-super-update-interval=1"]
        drive = "logged" if log is not None else "image"
        words = " ".join(f"{name}={value}" for name, value in settings.items())
        command = ["nice", "-n", "10", QEMU, "-accel", "tcg", "-cpu", "max", "-m", "512", "-nodefaults", "-no-reboot",
                   "-display", "none", "-serial", "stdio", *blocks,
                   "-device", f"virtio-blk-pci,drive={drive},discard=off,write-zeroes=off",
                   "-kernel", kernel_image, "-initrd", initrd, "-append",
                   f"console=ttyS0 quiet panic=-1 random.trust_cpu=on {words}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.rest = b""
        self.lines = []  # (seconds since the start, text)
        self.started = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """The cut."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _read(self, timeout):
        if not self.selector.select(max(timeout, 0)):
            return False
        data = os.read(self.process.stdout.fileno(), 65536)
        if not data:
            raise RuntimeError("the machine ended by itself:\n" + self.text())
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.lines += [(time.monotonic() - self.started, line.decode(errors="replace").strip()) for line in lines]
        return True

    def text(self, last=30):
        return "\n".join(line for _, line in self.lines[-last:])

    def failure(self):
        """What the writer complained of, or None."""
        return next((line for _, line in self.lines if line.startswith("power: failed: ")), None)

    def wait_for(self, word, timeout):
        """Waits for a line of the writer; gives False when it complains before."""
        until = time.monotonic() + timeout
        while not any(line.startswith(f"power: {word}") for _, line in self.lines):
            if self.failure():
                return False
            if time.monotonic() > until:
                raise RuntimeError(f"no '{word}' in {timeout} s:\n" + self.text())
            self._read(until - time.monotonic())
        return True

    def run_for(self, seconds):
        """Lets it work; gives False when the writer complains."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.failure() is None:
            self._read(until - time.monotonic())
        return self.failure() is None
