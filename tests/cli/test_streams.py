# SPDX-License-Identifier: Apache-2.0
"""Descriptors that fail: an error of an input is not its end, an output that takes nothing is an error, and a
terminal that goes away ends the daemon cleanly."""
import fcntl
import os
import pty
import signal
import socket
import struct
import subprocess
import threading

import pytest

from harness import CTL, Node, wait_until, write_workflow

SIOCOUTQ, FIONREAD = 0x5411, 0x541b
ROWS = b"time,x\n" + b"".join(b"%d,%d\n" % (1700000000000 + i, i) for i in range(1500))
ECHO = """
def train(dataset, params, run):
    return {"n": 1}
def predict(model, window, params):
    return {"y": float(window.values[-1, 0])}
"""


@pytest.fixture
def node(tmp_path):
    with Node(tmp_path) as made:
        made.run("node", "init")
        yield made


def run(node, *arguments, **options):
    return subprocess.run([CTL, *arguments], env=node.environment(), capture_output=True, text=True, timeout=60,
                          **options)


def reset_after(data):
    """The reading end of a TCP connection whose sender dies (RST) once `data` was taken."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader = socket.create_connection(listener.getsockname())
        sender, _ = listener.accept()

    def send():
        sender.sendall(data)
        wait_until(lambda: waiting(sender, SIOCOUTQ) + waiting(reader, FIONREAD) == 0, what="the reader to take all")
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sender.close()
    thread = threading.Thread(target=send)
    thread.start()
    return reader, thread


def waiting(sock, queue):
    """Bytes in a queue of it."""
    return struct.unpack("i", fcntl.ioctl(sock, queue, bytes(4)))[0]


def test_a_reset_connection_is_not_the_end_of_an_import(node):
    reader, thread = reset_after(ROWS + b"1700000009999,12")  # the last number was to become longer
    done = run(node, "data", "import", "a", "--input", "-", stdin=reader)
    thread.join()
    assert done.returncode == 1 and "Connection reset" in done.stderr, done
    assert "1000 rows before it are stored: importing all of it again is safe" in done.stderr
    assert node.json("asset", "show", "a")["rows"] == 1000
    again = node.run("--json", "data", "import", "a", "--input", "-", input=ROWS.decode())
    assert '"appended":500,"merged":0,"duplicates":1000' in again.stdout


@pytest.mark.parametrize("arguments", [
    ["data", "import", "a", "--input", "-"],
    ["data", "import", "a", "--format", "jsonl", "--input", "-"],
    ["data", "import", "a", "--format", "npy", "--start", "0", "--input", "-"],
    ["label", "import", "-"],
    ["workflow", "add", "-"],
])
def test_an_input_that_cannot_be_read_is_an_error(node, arguments):
    with open("/proc/self/mem", "rb") as memory:  # address 0: EIO
        done = run(node, *arguments, stdin=memory)
    assert done.returncode == 1 and "cannot read" in done.stderr and "Input/output error" in done.stderr, done
    folder = os.open("/", os.O_RDONLY)
    done = run(node, *arguments, stdin=folder)
    os.close(folder)
    assert done.returncode == 1 and "cannot read" in done.stderr and "Is a directory" in done.stderr, done
    assert node.json("asset", "ls")["items"] == []


def test_a_batch_prediction_fails_with_its_input(node, tmp_path):
    write_workflow(tmp_path, "echo", ECHO)
    node.run("data", "import", "a", "--input", "-", input=ROWS.decode())
    node.run("workflow", "add", str(tmp_path / "echo"))
    node.run("dataset", "create", "d", "--asset", "a")
    node.run("train", "echo", "--dataset", "d", "--name", "m")
    reader, thread = reset_after(ROWS)
    done = run(node, "predict", "m", "--input", "-", stdin=reader)
    thread.join()
    assert done.returncode == 1 and "Connection reset" in done.stderr, done


def test_a_terminal_that_is_gone_is_not_the_end_of_an_import(node):
    master, slave = pty.openpty()
    os.close(master)
    done = run(node, "data", "import", "a", "--input", "-", stdin=slave)
    os.close(slave)
    assert done.returncode == 1 and "the terminal is gone" in done.stderr, done


def test_input_that_does_not_block_is_waited_for(node, tmp_path):
    for arguments, data in ((["data", "import", "a", "--input", "-"], ROWS[:4000]),
                            (["label", "import", "-"], b"asset,start,label\na,1970-01-01T00:00:00Z,l\n")):
        out, into = os.pipe()
        os.set_blocking(out, False)
        process = subprocess.Popen([CTL, *arguments], env=node.environment(), stdin=out, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        os.close(out)
        for at in range(0, len(data), 500):
            os.write(into, data[at:at + 500])
            wait_until(lambda: blocked(process) or process.poll() is not None, what="the reader to wait")
        os.close(into)
        said = process.communicate(timeout=60)
        assert process.returncode == 0, said


def blocked(process):
    """Whether all its threads sleep."""
    try:
        states = {open(f"/proc/{process.pid}/task/{t}/stat").read().rsplit(")", 1)[1].split()[0]
                  for t in os.listdir(f"/proc/{process.pid}/task")}
    except OSError:
        return True
    return states <= {"S", "Z"}


@pytest.mark.parametrize("arguments", [
    ["data", "export", "a"], ["data", "export", "a", "--format", "jsonl"], ["data", "export", "a", "--output", "/dev/full"],
    ["data", "head", "a"], ["data", "stats", "a"], ["--json", "asset", "ls"], ["asset", "ls"], ["node", "status"],
    ["doctor"], ["--help"], ["--version"], ["completion", "bash"], ["label", "ls"], ["source", "ls"],
])
def test_an_output_that_takes_nothing_is_an_error(node, arguments):
    node.run("data", "import", "a", "--input", "-", input=ROWS.decode())
    with open("/dev/full", "w") as full:
        done = subprocess.run([CTL, *arguments], env=node.environment(), stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=60)
    assert done.returncode == 1, done
    assert "No space left" in done.stderr or "standard output" in done.stderr, done
    assert done.stderr.count("error:") == 1, done


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_a_daemon_cleanly(node, number):
    node.serve()
    for _ in range(3 if number == signal.SIGHUP else 1):  # the kernel and a shell both send it
        node.process.send_signal(number)
    assert node.process.wait(timeout=15) == 0, node.tail()
    assert not (node.home / "edgeops.sock").exists()
    node.process.stdout.close()
    node.process = None


def test_a_daemon_under_nohup_does_not_end_by_a_hang_up(node):
    node.process = subprocess.Popen([CTL, "node", "serve"], env=node.environment(), stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True,
                                    preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert "ready" in node.process.stdout.readline()
    node.process.send_signal(signal.SIGHUP)
    assert node.json("node", "status")["mode"] == "daemon"
    assert node.stop() == 0


def test_a_daemon_ends_cleanly_with_its_terminal(node):
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(node.environment())
        os.execv(CTL, [str(CTL), "node", "serve"])
    told = b""
    while b"ready" not in told:
        told += os.read(master, 1000)
    os.close(master)
    wait_until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG), what="its end")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert not (node.home / "edgeops.sock").exists()


def test_what_a_client_began_goes_on_without_its_terminal(node, tmp_path):
    slow = ECHO.replace('    return {"n": 1}', '    import time; run.log("begun"); time.sleep(1); return {"n": 1}', 1)
    write_workflow(tmp_path, "slow", slow)
    node.run("data", "import", "a", "--input", "-", input=ROWS.decode())
    node.run("workflow", "add", str(tmp_path / "slow"))
    node.run("dataset", "create", "d", "--asset", "a")
    node.serve()
    client = subprocess.Popen([CTL, "train", "slow", "--dataset", "d", "--name", "m"], env=node.environment(),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: "begun" in node.run("run", "log", "1", check=False).stdout, what="the training")
    client.send_signal(signal.SIGHUP)
    assert client.wait(timeout=15) == -signal.SIGHUP
    wait_until(lambda: node.json("run", "show", "1")["state"] != "running", what="its end")
    assert node.json("run", "show", "1")["state"] == "succeeded"
    assert node.stop() == 0
