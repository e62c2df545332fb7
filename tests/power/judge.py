# SPDX-License-Identifier: Apache-2.0
"""What a home was promised until a cut, and whether a disk keeps it."""
import contextlib
import copy
import dataclasses
import json
import subprocess

from writelog import ASSETS, MADE, MAKING, REMOVED, REMOVING

# Checks of doctor that are not about the data.
NOT_DATA = {"worker", "clock", "mqtt", "disk", "home"}


class Ledger:
    """The promises to one home over all its lives.

    bound: seconds after which also a home with durability PROCESS keeps what it acknowledged; None: never.
    """

    def __init__(self, bound=None):
        self.bound = bound
        self.rows = [0] * len(ASSETS)
        self.labels = 0
        self.sets = {}  # number: (state, rows, digest)
        self.gone = False  # the asset that comes and goes

    def after(self, promises):
        """The ledger at a cut, by the promises of one life, all of them given before the cut."""
        out = copy.deepcopy(self)
        end = promises[-1].time if promises else 0
        for p in promises:
            if p.durable or (self.bound is not None and p.time <= end - self.bound):
                out.rows = [max(pair) for pair in zip(out.rows, p.acknowledged)]
                out.labels = max(out.labels, p.labels)
            if p.set_state:  # frozen or removed for good, whatever the durability
                out.sets[p.set] = (p.set_state, p.set_rows, p.digest)
            out.gone = p.gone
        return out

    def text(self):
        """As power-look reads it."""
        lines = [f"rows {i} {rows}" for i, rows in enumerate(self.rows)] + [f"labels {self.labels}"]
        words = {MAKING: "maybe", REMOVING: "maybe", REMOVED: "removed"}
        for number, (state, rows, digest) in sorted(self.sets.items()):
            lines.append(f"set {number} made {rows} {digest}" if state == MADE else f"set {number} {words[state]}")
        return "\n".join(lines + ["gone"] * self.gone) + "\n"


@dataclasses.dataclass
class Verdict:
    """What one disk was after a cut."""

    acknowledged: int = 0  # rows, labels and datasets that were promised
    lost: int = 0  # of these
    corrupted: int = 0  # wrong or doubled rows, bad datasets, a home that does not open
    young: float = 0.0  # seconds of acknowledged rows that are gone and were not promised to stay
    unread: int = 0  # rows of images that were not promised, and whose bytes are gone
    false_damage: list = dataclasses.field(default_factory=list)
    unmountable: bool = False
    detail: str = ""

    @property
    def good(self):
        return not (self.lost or self.corrupted or self.false_damage or self.unmountable)

    def __str__(self):
        bad = [f"{self.lost} lost"] * bool(self.lost) + [f"{self.corrupted} corrupted"] * bool(self.corrupted)
        bad += [f"false damage: {text}" for text in self.false_damage[:1]]
        bad += [f"{len(self.false_damage) - 1} more"] * (len(self.false_damage) > 1)
        bad += [self.detail] * bool(self.detail)
        return f"{self.acknowledged} promised, " + ("; ".join(bad)[:400] if bad else "all there")


def youth(promises, prefixes):
    """Seconds from the first acknowledgement of a row that is gone to the last promise before the cut."""
    gone = [p.time for p in promises for i, prefix in enumerate(prefixes) if p.acknowledged[i] > prefix]
    return promises[-1].time - min(gone) if gone else 0.0


def false_alarms(failing, unread):
    """Of the failing checks of doctor those that are not about samples whose image may be gone, where there are any."""
    findings = [c for c in failing if c["name"] != "samples"] or failing  # it sums up the others
    return [f"{c['name']}: {c['detail']}" for c in findings
            if not (unread and c.get("asset") and "blob" in c["name"] + c["detail"])]


def rate(seen, failing, promises):
    """A verdict from the answer of power-look and the failing checks of doctor."""
    verdict = Verdict()
    assets, labels, sets = seen["assets"], seen["labels"], seen["sets"]
    verdict.acknowledged = sum(a["promised"] for a in assets) + labels["promised"] + sets["promised"]
    verdict.lost = sum(a["lost"] for a in assets) + labels["lost"]
    verdict.corrupted = sum(a["wrong"] for a in assets) + sets["bad"]
    verdict.corrupted += bool(seen["problems"]) and not verdict.corrupted
    verdict.unread = sum(a["bytes_missing"] for a in assets)
    verdict.young = youth(promises, [a["prefix"] for a in assets])
    verdict.detail = seen["told"]
    if not verdict.corrupted:
        verdict.false_damage = false_alarms(failing, verdict.unread)
    return verdict


@contextlib.contextmanager
def mounted(image, file_system, folder):
    """Mounting replays the file system's own journal, as the next boot does."""
    options = "loop,nouuid" if file_system == "xfs" else "loop"
    subprocess.run(["mount", "-t", file_system, "-o", options, image, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


class Judge:
    """Looks at disks with the programs of one build."""

    def __init__(self, build, folder):
        self.look = build / "tests/power/power-look"
        self.ctl = build / "cli/edgeopsctl"
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def failing(self, home):
        """The checks of the data that fail; doctor is the first one who opens the home."""
        answer = subprocess.run([self.ctl, "--home", home, "--json", "doctor", "--deep"], text=True, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            checks = json.loads(answer.stdout)["checks"]
        except (ValueError, KeyError):
            return [{"name": "doctor", "detail": f"exit {answer.returncode}: {answer.stderr[-400:]}"}]
        failing = [c for c in checks if c["state"] == "fail" and c["name"] not in NOT_DATA]
        if answer.returncode != 0 and not any(c["state"] == "fail" for c in checks):
            failing.append({"name": "doctor", "detail": f"exit {answer.returncode}"})
        return failing

    def judge(self, image, file_system, ledger, promises):
        """Changes the image."""
        try:
            with mounted(image, file_system, self.folder) as folder:
                home = folder / "home"
                # Cut while it was made, it is no home yet.
                failing = self.failing(home) if (home / "catalog.db").exists() else []
                seen = subprocess.run([self.look, home], input=ledger.text(), text=True, check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except subprocess.CalledProcessError as error:
            return Verdict(unmountable=True, detail=f"the file system cannot be mounted: {error}")
        if seen.returncode != 0:
            return Verdict(corrupted=1, detail=f"the home does not open: {seen.stdout.strip()[-400:]}")
        return rate(json.loads(seen.stdout), failing, promises)
