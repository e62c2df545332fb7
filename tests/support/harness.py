# SPDX-License-Identifier: Apache-2.0
"""What the Python tests share: a broker, a node and the command line, each with its own port, folder and pid."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(os.environ.get("EDGEOPS_SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("EDGEOPS_BUILD_ROOT", ROOT / "build"))
CTL = BUILD / "cli/edgeopsctl"
WORKER = BUILD / "lib/worker/edgeops-worker"


def free_port():
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, seconds=20, what="condition"):
    """Polls until the condition holds and gives its value; fails after some seconds. `what` may be a function."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"gave up after {seconds} s waiting for {what() if callable(what) else what}")
        time.sleep(0.05)


class Broker:
    """A real mosquitto on a port of its own. start/stop as often as wanted; the port stays."""

    def __init__(self, folder, lines=()):
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.folder = pathlib.Path(folder)
        self.config = self.folder / f"broker-{self.port}.conf"
        auth = [] if any("password_file" in line for line in lines) else ["allow_anonymous true"]
        self.config.write_text("\n".join([
            f"listener {self.port} 127.0.0.1", "max_queued_messages 0", *auth,
            *(["user root"] if os.geteuid() == 0 else []), *lines]) + "\n")
        self.process = None

    def start(self):
        program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        with open(self.folder / f"broker-{self.port}.log", "ab") as log:
            self.process = subprocess.Popen([program, "-c", self.config], stdout=log, stderr=log)
        wait_until(self.answers, what="the broker to listen")
        return self

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            self.process.send_signal(sig)
            self.process.wait()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Node:
    """A node home and the command line on it; serve() runs the daemon."""

    def __init__(self, folder, name="home"):
        self.home = pathlib.Path(folder) / name
        self.log = pathlib.Path(folder) / f"{name}.log"
        self.process = None

    def environment(self):
        return {**os.environ, "EDGEOPS_HOME": str(self.home), "EDGEOPS_WORKER": str(WORKER)}

    def run(self, *arguments, check=True, input=None, timeout=120):
        """Runs edgeopsctl; gives the finished process."""
        done = subprocess.run([CTL, *map(str, arguments)], env=self.environment(), input=input,
                              capture_output=True, text=True, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"edgeopsctl {' '.join(map(str, arguments))} exited with {done.returncode}: "
                                 f"{done.stderr}\n{self.tail()}")
        return done

    def json(self, *arguments, **options):
        """Runs edgeopsctl --json; gives the result."""
        return json.loads(self.run("--json", *arguments, **options).stdout)

    def tail(self):
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def serve(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([CTL, "node", "serve"], env=self.environment(),
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self.process.stdout:
            if "ready" in line:
                return self
        raise AssertionError(f"the node ended with {self.process.wait()}: {self.tail()}")

    def kill(self):
        """kill -9, as a power switch would for this process."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def stop(self):
        """A clean end; gives the exit code."""
        if not self.process:
            return 0
        self.process.terminate()
        code = self.process.wait(timeout=15)
        self.process.stdout.close()
        self.process = None
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        if self.process:
            self.kill()


def write_workflow(folder, name, source, **manifest):
    """Writes a workflow folder with one module."""
    folder = pathlib.Path(folder) / name
    folder.mkdir(parents=True)
    module = name.replace("-", "_")
    document = {"format": 1, "name": name, "version": "1.0.0", "python": {"module": module},
                "inputs": [{"name": "x", "type": "float64"}], "window": {"rows": 1},
                "outputs": [{"name": "y", "type": "float64"}], **manifest}
    (folder / "workflow.json").write_text(json.dumps(document))
    (folder / f"{module}.py").write_text(source)
    return folder
