# SPDX-License-Identifier: Apache-2.0
"""MQTT brokers of several makers behind one interface: start, stop in order, kill, listen again on the same port.

What aedes and mochi need is fetched once per build into BUILD/brokers, under a lock; nothing is written to the source
tree or the user's home. Each broker knows the user "u" with the password "pw", lets in who names no user, and refuses
topics under deny/, each in its maker's way. `cannot` names the items of the list that it has no means for, and why.
"""
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

from harness import BUILD, free_port, wait_until

HERE = pathlib.Path(__file__).resolve().parent
STORE = BUILD / "brokers"
PATH = os.environ["PATH"] + ":/usr/sbin:/usr/local/go/bin"
SCARCE = {"receive_maximum": 10, "maximum_packet": 2000, "maximum_qos": 1, "retain": False}


def missing(why, always=False):
    """Skips with the reason; what must always be there fails the tests where they are the last word."""
    if always and os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def once(name, inputs, command, environment, always=False):
    """Runs a command over a copy of the inputs in STORE/NAME, unless it ran on just these before; gives the folder."""
    STORE.mkdir(exist_ok=True)
    digest = hashlib.sha256(b"\0".join((HERE / name / file).read_bytes() for file in inputs)).hexdigest()
    folder = STORE / name
    with open(STORE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "made-of"
        if stamp.exists() and stamp.read_text() == digest:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for file in inputs:
            shutil.copy(HERE / name / file, folder)
        try:
            done = subprocess.run(command, cwd=folder, env={**os.environ, "PATH": PATH, **environment}, text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400)
            said = done.stdout.strip().splitlines()[-1:] if done.returncode else None
        except subprocess.TimeoutExpired:
            said = ["no end after 400 s"]
        if said is not None:
            missing(f"{name}: '{' '.join(command)}' failed: {' '.join(said)}", always)
        stamp.write_text(digest)
    return folder


class Broker:
    """What all have in common. `versions`: of MQTT, as the node's configuration names them."""

    name = ""
    versions = ("3.1.1", "5")
    cannot = {}
    qos = (0, 1, 2)
    patience = 20  # seconds to listen
    under_load = {}  # limits to run with when many messages are on their way

    def __init__(self, folder, **limits):
        """limits: some of the members of SCARCE."""
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.folder = pathlib.Path(folder) / f"{self.name}-{self.port}"
        self.folder.mkdir()
        self.limits = limits
        self.process = None

    @classmethod
    def here(cls):
        """Makes sure that it can be started, or skips."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def launch(self):
        """Starts it without waiting until it listens."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([str(word) for word in self.command()], cwd=self.folder, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, "PATH": PATH, **self.environment()})

    def start(self):
        self.launch()
        wait_until(self.answers, self.patience, f"{self.name} to listen")
        return self

    def answers(self):
        assert self.process.poll() is None, f"{self.name} ended: {self.log()[-1000:]}"
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def end(self, sig):
        if self.process:
            self.process.send_signal(sig)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
            finally:
                self.process = None

    def stop(self):
        self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()


class Mosquitto(Broker):
    """Debian's, with persistence. Topics are denied with the limit "deny" only: with an access list it does not queue for
    sessions that it read from its file."""

    name = "mosquitto"
    cannot = {"refused subscription": "its access list grants each subscription and then sends nothing"}

    @classmethod
    def here(cls):
        if not shutil.which("mosquitto", path=PATH):
            missing("mosquitto is not installed", always=True)

    def command(self):
        users = self.folder / "users"
        if not users.exists():
            users.touch(mode=0o600)
            subprocess.run(["mosquitto_passwd", "-b", users, "u", "pw"], check=True, capture_output=True)
        lines = ["persistence true", f"persistence_location {self.folder}/", "allow_anonymous true",
                 f"password_file {users}", "max_queued_messages 0"]
        if self.limits.get("deny"):
            (self.folder / "access").write_text("topic deny deny/#\ntopic readwrite #\n")
            lines.append(f"acl_file {self.folder}/access")
        if os.geteuid() == 0:
            lines.insert(0, "user root")
        names = {"receive_maximum": "max_inflight_messages", "maximum_packet": "max_packet_size",
                 "maximum_qos": "max_qos", "retain": "retain_available", "deny": "# denies"}
        first = [f"listener {self.port} 127.0.0.1"]
        for limit, value in self.limits.items():
            line = f"{names[limit]} {str(value).lower()}"
            (first if limit == "maximum_qos" else lines).append(line)
        (self.folder / "conf").write_text("\n".join(lines + first) + "\n")
        return ["mosquitto", "-c", self.folder / "conf"]


class Aedes(Broker):
    """From the npm registry; server.js keeps sessions over an orderly restart."""

    name = "aedes"
    versions = ("3.1.1",)
    cannot = {"limits": "it announces none", "granted QoS": "it grants what is asked for"}

    @classmethod
    def here(cls):
        for program in ("node", "npm"):
            if not shutil.which(program, path=PATH):
                missing(f"aedes: {program} is not installed", always=True)
        cls.made = once("aedes", ["package.json", "package-lock.json", "server.js"],
                        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"],
                        {"npm_config_cache": str(STORE / "npm-cache")}, always=True)

    def command(self):
        return ["node", self.made / "server.js", self.port, self.folder / "state.json"]


class Mochi(Broker):
    """From the Go module proxy, where Go is there."""

    name = "mochi"
    cannot = {"a session under load": "it drops messages that a node acknowledges late or comes back for",
              "some limits": "it does not announce its maximum packet and that it retains nothing"}
    # What it drops like that comes back from its store without a packet id, and the session can never be used again.
    under_load = {"store": ""}

    @classmethod
    def here(cls):
        if not shutil.which("go", path=PATH):
            missing("mochi: go is not installed")
        places = {"GOPATH": "go", "GOCACHE": "go-cache", "GOTMPDIR": "go-tmp", "XDG_CONFIG_HOME": "go-config"}
        for place in places.values():
            (STORE / place).mkdir(parents=True, exist_ok=True)
        cls.made = once("mochi", ["go.mod", "go.sum", "main.go"], ["go", "build", "-o", "mochi", "."],
                        {**{key: str(STORE / place) for key, place in places.items()},
                         "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"})

    def command(self):
        return [self.made / "mochi", f"-address=127.0.0.1:{self.port}", f"-store={self.folder}/store",
                *(f"-{limit.replace('_', '-')}={str(value).lower()}" for limit, value in self.limits.items())]


class Nats(Broker):
    """Debian's nats-server 2.9: MQTT 3.1.1, quality of service 0 and 1; it hangs up on a publish with 2."""

    name = "nats"
    versions = ("3.1.1",)
    qos = (0, 1)
    cannot = {"limits": "it announces none", "QoS 2": "it does not have it and hangs up",
              "granted QoS": "a filter with 2 is subscribed as 1 with MQTT 3.1.1, which it grants"}

    @classmethod
    def here(cls):
        if not shutil.which("nats-server", path=PATH):
            missing("nats-server is not installed")

    def command(self):
        self.inner = getattr(self, "inner", None) or free_port()
        denied = '{ publish: { deny: ["deny.>"] }, subscribe: { deny: ["deny.>"] } }'
        (self.folder / "conf").write_text(f"""
server_name: tests
listen: 127.0.0.1:{self.inner}
max_payload: 8MB
jetstream {{ store_dir: "{self.folder}/jetstream" }}
authorization {{ users: [
  {{ user: nobody, password: nobody, permissions: {denied} }}
  {{ user: u, password: pw, permissions: {denied} }}
] }}
no_auth_user: nobody
mqtt {{ host: 127.0.0.1, port: {self.port}, no_auth_user: nobody, max_ack_pending: 10000, ack_wait: "2s" }}
""")
        return ["nats-server", "-c", self.folder / "conf"]


class Hive(Broker):
    """HiveMQ CE from Maven Central, where EDGEOPS_TEST_HIVEMQ is set: some 110 MB, and a Java of 11 or later."""

    name = "hivemq"
    cannot = {"granted QoS": "its maximum is of what is published, a subscription gets what it asks for"}
    patience = 60

    @classmethod
    def here(cls):
        if "EDGEOPS_TEST_HIVEMQ" not in os.environ:
            missing("hivemq: set EDGEOPS_TEST_HIVEMQ=1 to fetch and try it")
        for program in ("java", "mvn"):
            if not shutil.which(program, path=PATH):
                missing(f"hivemq: {program} is not installed")
        cls.made = once("hivemq", ["pom.xml", "Hive.java"],
                        ["mvn", "-q", "-B", f"-Dmaven.repo.local={STORE / 'maven'}", "dependency:build-classpath",
                         "-Dmdep.outputFile=classpath"], {})

    def command(self):
        given = self.limits
        (self.folder / "config.xml").write_text(f"""<?xml version="1.0"?>
<hivemq>
  <listeners><tcp-listener><port>{self.port}</port><bind-address>127.0.0.1</bind-address></tcp-listener></listeners>
  <anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics>
  <mqtt>
    <queued-messages><max-queue-size>1000000</max-queue-size></queued-messages>
    <receive-maximum><server-receive-maximum>{given.get("receive_maximum", 1000)}</server-receive-maximum></receive-maximum>
    <packets><max-packet-size>{given.get("maximum_packet", 1 << 24)}</max-packet-size></packets>
    <quality-of-service><max-qos>{given.get("maximum_qos", 2)}</max-qos></quality-of-service>
    <retained-messages><enabled>{str(given.get("retain", True)).lower()}</enabled></retained-messages>
  </mqtt>
</hivemq>
""")
        classpath = (self.made / "classpath").read_text().strip()
        return ["java", "-Xmx512m", "-cp", classpath, self.made / "Hive.java", self.folder]


KINDS = {kind.name: kind for kind in (Mosquitto, Aedes, Mochi, Nats, Hive)}
