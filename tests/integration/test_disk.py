# SPDX-License-Identifier: Apache-2.0
"""A home on a disk without a free byte or inode, on one that cannot be written to, and in a folder of somebody else:
after a clean close and after kill -9 it opens or says why, reads what it read before, makes room and loses nothing.

The disks are mounted in a mount namespace of this process, and of a user namespace where it is not root. A user
without the rights of root is played by a program without capabilities."""
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import subprocess

import paho.mqtt.client as mqtt
import pytest

from harness import CTL, Broker, Node, wait_until, write_workflow

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
SIZE = 150 << 20
ECHO = """
def train(dataset, params, run):
    return {"n": 1}
def predict(model, window, params):
    return {"y": float(window.values[-1, 0])}
"""
READS = [["asset", "ls"], ["asset", "show", "a"], ["data", "head", "a"], ["data", "export", "a"], ["data", "export", "b"],
         ["data", "export", "late"], ["data", "stats", "a"], ["data", "aggregate", "a", "--every", "1s"], ["dataset", "ls"],
         ["dataset", "show", "d"], ["dataset", "export", "d"], ["label", "ls"], ["label", "stats"], ["run", "ls"],
         ["run", "log", "1"], ["model", "ls"], ["model", "show", "m"], ["workflow", "ls"], ["source", "ls"],
         ["deployment", "ls"], ["retention", "ls"]]
CHANGES = [["data", "import", "z", "--input", "-"], ["label", "add", "a", "q", "--start", "2023-11-14T22:13:20Z"],
           ["asset", "rm", "b"], ["asset", "rename", "a", "n"], ["dataset", "create", "e", "--asset", "a"],
           ["dataset", "rm", "d"],
           ["model", "rm", "m"], ["workflow", "rm", "echo"], ["train", "echo", "--dataset", "d"],
           ["predict", "m", "--dataset", "d"], ["retention", "set", "*", "--max-age", "1d"], ["retention", "run"],
           ["data", "compact"], ["node", "serve"]]


def enter_namespace():
    """Why mounts of its own are not to be had, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid, root = os.geteuid(), os.getegid(), os.geteuid() == 0
    if libc.unshare(CLONE_NEWNS if root else CLONE_NEWNS | CLONE_NEWUSER) != 0:
        return f"no mount namespace: {os.strerror(ctypes.get_errno())}"
    with contextlib.suppress(OSError):
        if not root:
            pathlib.Path("/proc/self/setgroups").write_text("deny")
            pathlib.Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
            pathlib.Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    done = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, text=True)
    return None if done.returncode == 0 else f"no mounts: {done.stderr.strip()}"


ROOT = os.geteuid() == 0
REASON = enter_namespace()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount {arguments}: {done.stderr.strip()}")


class Disk:
    """A small file system with a home on it; the log of the node lies elsewhere."""

    def __init__(self, folder, kind, inodes=None):
        self.root = folder / "disk"
        self.root.mkdir()
        if kind == "tmpfs":
            mount("-t", "tmpfs", "-o", f"size={SIZE}" + (f",nr_inodes={inodes}" if inodes else ""), "tmpfs", self.root)
        else:
            image = folder / "image"
            with open(image, "wb") as file:
                file.truncate(SIZE)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", *(["-N", str(inodes)] if inodes else []), image], check=True)
            mount("-o", "loop", image, self.root)
        self.node = Node(self.root)
        self.node.log = folder / "log"

    def fill(self):
        """Until there is not a byte, or not an inode."""
        with open(self.root / "filler", "ab", buffering=0) as file:
            size = 1 << 16
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2
        assert os.statvfs(self.root).f_bavail == 0

    def fill_inodes(self):
        (self.root / "files").mkdir()
        with contextlib.suppress(OSError):
            for i in range(100000):
                (self.root / "files" / str(i)).touch()
        assert os.statvfs(self.root).f_favail == 0

    def empty(self):
        (self.root / "filler").unlink(missing_ok=True)
        shutil.rmtree(self.root / "files", ignore_errors=True)

    def remount(self, how):
        """The file system as root, else the mount of it alone."""
        mount("-o", f"remount,{how}" if ROOT else f"remount,bind,{how}", self.root)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.node.stop()
        if self.node.process:
            self.node.kill()
        subprocess.run(["umount", "-l", self.root], check=False)


def rows(n, step=0.37):
    return "time,x,s\n" + "".join(f"{1700000000000 + i},{i * step},t{i % 7}\n" for i in range(n))


def make_home(node, folder, killed):
    """Something of each kind. Killed: with samples and names that are in the journal and the WAL alone."""
    node.run("node", "init")
    for asset in ("a", "b"):
        node.run("data", "import", asset, "--input", "-", input=rows(5000))
    node.run("label", "add", "a", "l", "--start", "2023-11-14T22:13:20Z", "--end", "2023-11-14T22:13:22Z")
    node.run("workflow", "add", str(write_workflow(folder, "echo", ECHO)))
    node.run("dataset", "create", "d", "--asset", "b")
    node.run("train", "echo", "--dataset", "d", "--name", "m")
    node.serve()
    node.run("data", "import", "late", "--input", "-", input=rows(700))
    node.run("label", "add", "b", "l2", "--start", "2023-11-14T22:13:20Z")
    if killed:
        node.kill()
        assert (node.home / "catalog.db-wal").stat().st_size > 0
    else:
        assert node.stop() == 0


def run(node, *arguments, prefix=(), input=rows(3)):
    return subprocess.run([*prefix, CTL, *arguments], env=node.environment(), input=input, capture_output=True, text=True,
                          timeout=120)


def read_all(node, prefix=()):
    """What each command that reads says; it must say it without an error."""
    found = {}
    for command in READS:
        done = run(node, *command, prefix=prefix)
        assert done.returncode == 0 and done.stderr in ("", "700 rows written\n", "rows  700\n") or \
            command[1] == "export" and done.returncode == 0, (command, done.stdout[-300:], done.stderr)
        found[" ".join(command)] = done.stdout
    return found


def known(node, folder):
    """The same of a copy, which may be opened and changed."""
    copy = Node(folder, "copy")
    shutil.copytree(node.home, copy.home, ignore=lambda _, names: [n for n in names if n.endswith(".sock")])
    found = read_all(copy)
    shutil.rmtree(copy.home)
    return found


def tree(home):
    """All files with size and time of change; not the lock, which holds the number of a process."""
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(home.rglob("*"))
            if p.name != "lock"}


def check_read_only(node, before, words, prefix=()):
    files = tree(node.home)
    assert read_all(node, prefix) == before
    for deep in ([], ["--deep"]):
        done = run(node, "doctor", *deep, prefix=prefix)
        assert done.returncode == 0 and words in done.stdout, done
    status = json.loads(run(node, "--json", "node", "status", prefix=prefix).stdout)
    assert status["disk"]["state"] == "read-only" and words in status["disk"]["detail"]
    for command in CHANGES:
        done = run(node, *command, prefix=prefix)
        assert done.returncode == 1 and words in done.stderr and done.stderr.count("error:") == 1, (command, done)
    assert tree(node.home) == files


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_home_on_a_read_only_file_system_can_be_read(tmp_path, kind, killed):
    with Disk(tmp_path, kind) as disk:
        make_home(disk.node, tmp_path, killed)
        before = known(disk.node, tmp_path)
        disk.remount("ro")
        check_read_only(disk.node, before, "read-only file system")
        disk.remount("rw")
        assert read_all(disk.node) == before
        assert run(disk.node, "label", "rm", "1").returncode == 0


@pytest.mark.parametrize("killed", [False, True])
def test_a_home_that_this_user_may_not_write_to_can_be_read(tmp_path, killed):
    node = Node(tmp_path)
    make_home(node, tmp_path, killed)
    before = known(node, tmp_path)
    folders = [node.home, *(p for p in node.home.rglob("*") if p.is_dir())]
    for files_too in (False, True):
        for path in node.home.rglob("*") if files_too else folders:
            path.chmod(0o555 if path.is_dir() else 0o444)
        check_read_only(node, before, "may not write to", POWERLESS)
        for path in (node.home, *node.home.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    for name in ("catalog.db-shm", "data/telemetry.db-shm"):  # a copy may lack them
        (node.home / name).unlink(missing_ok=True)
    for path in folders:
        path.chmod(0o555)
    assert read_all(node, POWERLESS) == before
    for path in folders:
        path.chmod(0o755)


def test_nobody_writes_while_a_read_only_mount_of_the_home_is_read(tmp_path):
    with Disk(tmp_path, "tmpfs") as disk:
        make_home(disk.node, tmp_path, True)
        before = known(disk.node, tmp_path)
        (tmp_path / "view").mkdir()
        mount("--bind", disk.root, tmp_path / "view")
        mount("-o", "remount,ro,bind", tmp_path / "view")
        view = Node(tmp_path / "view")
        assert read_all(view) == before
        # Who does not get the daemon's socket must not read beside it.
        disk.node.serve()
        (disk.node.home / "edgeops.sock").unlink()
        done = run(view, "asset", "ls")
        assert done.returncode == 4 and "in use by process" in done.stderr, done
        assert disk.node.stop() == 0
        # A long read, whose output nobody takes, keeps a writer out; another reader may come.
        out, into = os.pipe()
        reader = subprocess.Popen([CTL, "data", "export", "a"], env=view.environment(), stdout=into,
                                  stderr=subprocess.DEVNULL)
        os.close(into)
        assert os.read(out, 10) == before["data export a"][:10].encode()
        assert run(view, "asset", "ls").stdout == before["asset ls"]
        done = run(disk.node, "label", "rm", "1")
        assert done.returncode == 4 and "in use by another process" in done.stderr, done
        with open(out, "rb") as rest:
            assert before["data export a"].endswith(rest.read().decode())
        assert reader.wait() == 0
        assert run(disk.node, "label", "rm", "1").returncode == 0
        subprocess.run(["umount", "-l", tmp_path / "view"], check=False)


def check_full(disk, before):
    """On a full disk: reads as before, refuses samples with the reason, also as a daemon."""
    node = disk.node
    assert read_all(node) == before
    done = run(node, "data", "import", "z", "--input", "-")
    assert done.returncode == 1 and "no row was stored" in done.stderr, done
    assert "make room" in done.stderr or "remove files" in done.stderr, done
    node.serve()
    assert node.json("node", "status")["disk"]["state"] == "full"
    assert read_all(node) == before
    done = run(node, "doctor")
    assert done.returncode == 1 and "must stay free" in done.stdout, done
    done = run(node, "data", "import", "z", "--input", "-")
    assert done.returncode == 1 and "must stay free" in done.stderr, done
    done = run(node, "workflow", "add", str(write_workflow(disk.root.parent, "another", ECHO)))
    assert done.returncode == 0 or "must stay free" in done.stderr, done  # what the ballast gave may be enough
    assert node.stop() == 0


def check_makes_room(disk, before):
    node = disk.node
    for command in (["label", "rm", "1"], ["retention", "set", "late", "--max-age", "1d"], ["retention", "run"],
                    ["asset", "rm", "late"], ["model", "rm", "m"], ["dataset", "rm", "d"], ["workflow", "rm", "echo"],
                    ["asset", "rm", "b"], ["retention", "rm", "late"]):
        done = run(node, *command)
        assert done.returncode == 0, (command, done)
    assert [a["name"] for a in node.json("asset", "ls")["items"]] == ["a"]
    assert node.run("data", "export", "a").stdout == before["data export a"]


def check_recovers(disk, before):
    """A daemon that started on the full disk goes on by itself, with a new ballast."""
    node = disk.node
    node.serve()
    disk.empty()
    wait_until(lambda: node.json("node", "status")["disk"]["state"] == "ok", what="the recovery")
    wait_until((node.home / "data" / "ballast").exists, what="the ballast")
    assert run(node, "data", "import", "z", "--input", "-", input=rows(5000)).returncode == 0
    assert node.run("data", "export", "a").stdout == before["data export a"]
    assert len(node.run("data", "export", "z").stdout.splitlines()) == 5001
    assert run(node, "doctor", "--deep").returncode == 0
    assert node.stop() == 0


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_home_on_a_disk_without_a_free_byte_opens_reads_and_makes_room(tmp_path, kind, killed):
    with Disk(tmp_path, kind) as disk:
        make_home(disk.node, tmp_path, killed)
        before = known(disk.node, tmp_path)
        disk.fill()
        check_full(disk, before)
        disk.fill()
        check_makes_room(disk, before)
        check_recovers(disk, before)


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_disk_that_fills_while_the_daemon_runs_keeps_what_was_acknowledged(tmp_path, kind, killed):
    with Disk(tmp_path, kind) as disk:
        node = disk.node
        make_home(node, tmp_path, False)
        node.serve()
        node.run("data", "import", "w", "--input", "-", input=rows(3000))
        disk.fill()
        before = read_all(node)
        wait_until(lambda: node.json("node", "status")["disk"]["state"] == "full", what="the pause")
        kept = node.run("data", "export", "w").stdout
        taken = 0
        many = "asset,start,label\n" + "".join(f"a,2023-11-14T22:13:20.{i:06}Z,m{i}\n" for i in range(20000))
        for i in range(20):  # pages of a WAL, and of its index: what the files have already is used
            taken += run(node, "label", "add", "a", "q", "--start", f"2023-11-14T22:14:{i + 20}Z").returncode == 0
            for command, text in ((["label", "import", "-"], many), (["data", "import", f"z{i}", "--input", "-"], rows(3))):
                done = run(node, *command, input=text)
                assert done.returncode == 1 and "make room" in done.stderr, (command, done)
        assert node.process.poll() is None, node.tail()
        if killed:
            node.kill()
        else:
            assert node.stop() == 0
        assert len(node.json("label", "ls")["items"]) == 2 + taken
        assert node.run("data", "export", "w").stdout == kept
        after = read_all(node)
        assert [k for k in before if before[k] != after[k]] == (["label ls", "label stats"] if taken else [])
        disk.fill()
        check_full(disk, after)
        assert run(node, "asset", "rm", "w").returncode == 0
        check_recovers(disk, after)


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_home_on_a_disk_without_a_free_inode_opens_reads_and_makes_room(tmp_path, kind, killed):
    with Disk(tmp_path, kind, inodes=400 if kind == "tmpfs" else 1024) as disk:
        make_home(disk.node, tmp_path, killed)
        before = known(disk.node, tmp_path)
        disk.fill_inodes()
        check_full(disk, before)
        check_makes_room(disk, before)
        check_recovers(disk, before)


def test_without_the_files_of_sqlite_the_ballast_makes_room_for_them(tmp_path):
    """As an earlier version closed a home, or a copy lacks them."""
    with Disk(tmp_path, "tmpfs") as disk:
        node = disk.node
        make_home(node, tmp_path, False)
        before = known(node, tmp_path)
        for path in [*node.home.glob("*-wal"), *node.home.glob("data/*-wal")]:
            path.unlink()
        disk.fill()
        assert read_all(node) == before
        check_makes_room(disk, before)
        check_recovers(disk, before)


def strip(home):
    """Takes away what helps on a full disk."""
    for path in [*home.glob("*-wal"), *home.glob("*-shm"), *home.glob("data/*-wal"), *home.glob("data/*-shm"),
                 home / "data" / "ballast"]:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_without_a_ballast_the_home_is_still_read_and_nothing_is_half_done(tmp_path, kind):
    with Disk(tmp_path, kind) as disk:
        node = disk.node
        make_home(node, tmp_path, False)
        before = known(node, tmp_path)
        strip(node.home)
        disk.fill()
        check_full(disk, before)
        for command in (["label", "add", "a", "q", "--start", "2023-11-14T22:13:20Z"],
                        ["dataset", "create", "e", "--asset", "a"],
                        ["train", "echo", "--dataset", "d"], ["predict", "m", "--dataset", "d"], ["model", "rm", "m"],
                        ["retention", "set", "*", "--max-age", "1d"], ["asset", "rename", "a", "n"], ["label", "rm", "1"],
                        ["workflow", "add", str(tmp_path / "echo")], ["source", "add", "s", "--driver", "mqtt",
                         "--url", "mqtt://127.0.0.1:1", "--topic", "t", "--no-start"]):
            done = run(node, *command)
            assert done.returncode in (0, 1), (command, done)
            assert done.returncode == 0 or "make room" in done.stderr or "No space left" in done.stderr, (command, done)
            assert command[0] in ("workflow",) or done.returncode == 1, (command, done)
        assert read_all(node) == before
        check_recovers(disk, before)
        assert run(node, "label", "rm", "1").returncode == 0


def test_without_an_inode_for_the_files_of_sqlite_the_home_can_be_read(tmp_path):
    with Disk(tmp_path, "tmpfs", inodes=400) as disk:
        node = disk.node
        make_home(node, tmp_path, False)
        before = known(node, tmp_path)
        strip(node.home)
        disk.fill_inodes()
        files = tree(node.home)
        assert read_all(node) == before
        for command in CHANGES:
            done = run(node, *command)
            assert done.returncode == 1 and "make room" in done.stderr, (command, done)
        assert tree(node.home) == files
        disk.empty()
        assert read_all(node) == before
        check_recovers(disk, before)


def test_a_home_is_not_half_made_on_a_full_disk(tmp_path):
    with Disk(tmp_path, "tmpfs") as disk:
        disk.node.home.mkdir()
        disk.fill()
        done = run(disk.node, "node", "init")
        assert done.returncode == 1 and "make room" in done.stderr, done
        disk.empty()
        assert run(disk.node, "node", "init").returncode == 0
        assert run(disk.node, "data", "import", "a", "--input", "-").returncode == 0
        assert run(disk.node, "doctor", "--deep").returncode == 0


def test_sources_and_deployments_that_start_on_a_full_disk_go_on_when_there_is_room(tmp_path):
    with Disk(tmp_path, "tmpfs") as disk, Broker(tmp_path) as broker:
        node = disk.node
        make_home(node, tmp_path, False)
        node.serve()
        node.run("source", "add", "plant", "--driver", "mqtt", "--url", broker.url, "--topic", "plant/#",
                 "--asset", "{2}", "--time", "time", "--client-id", "disk")
        node.run("deploy", "m", "--asset", "live")
        client = mqtt.Client(client_id="asset")
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        numbers = iter(range(1000))

        def send(n):
            for i in (next(numbers) for _ in range(n)):
                message = json.dumps({"time": 1700000000000 + i, "x": i})
                client.publish("plant/live", message, qos=1).wait_for_publish(20)
        send(100)
        wait_until(lambda: len(predictions(node)) == 100, what="the predictions")
        assert node.stop() == 0
        send(100)
        disk.fill()
        node.serve()
        send(100)
        wait_until(lambda: node.json("source", "show", "plant")["state"] == "paused", what="the pause")
        assert node.json("node", "status")["disk"]["state"] == "full"
        assert node.stop() == 0
        node.serve()
        disk.empty()
        wait_until(lambda: node.json("source", "show", "plant")["state"] == "running", what="the source")
        wait_until(lambda: len(predictions(node)) == 300, what="the predictions")
        assert predictions(node) == [float(i) for i in range(300)]
        assert node.json("deployment", "show", "m-live")["state"] == "running"
        client.loop_stop()
        client.disconnect()
        assert node.stop() == 0


def predictions(node):
    done = node.run("data", "export", "predictions/m-live", check=False)
    return [float(line.split(",")[-1]) for line in done.stdout.splitlines()[1:]]
