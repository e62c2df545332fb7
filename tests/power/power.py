#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the power of a virtual machine that writes a home, and looks at what its disk keeps.

A home lives through several cuts: qemu is killed at a random moment, the disk is looked at (a copy of it), and the
machine boots on with it. From each life's write log come more disks, those that the cut, or one at any other moment of
that life, could have left of a disk with a cache of its own. Each disk is mounted and judged: what was promised
before the cut must be there and right, and doctor must find no damage.

Needs root (mount), 2 GB of memory for the disks, the Debian packages of `.ci/setup power`, and on the first run the
package mirror for the kernel. All that is random comes from the seed; what fails is kept, with the command to look at
it again.
"""
import argparse
import collections
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import machine
import writelog
from judge import Judge, Ledger

ALONE = "EDGEOPS_POWER_SEED"
MODES = {"process": 0, "power": 1, "switch": 2}
KEEP_MAX = 3  # disks of one file system and one durability


def copy_disk(source, target):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, target], check=True)


class Tally(collections.Counter):
    """Figures of one file system and one durability."""

    def __init__(self):
        super().__init__()
        self.young = 0.0

    def add(self, what, verdict):
        self[what] += 1
        self["bad"] += not verdict.good
        self["promised"] += verdict.acknowledged
        self["lost"] += verdict.lost
        self["corrupted"] += verdict.corrupted
        self["false damage"] += bool(verdict.false_damage)
        self["unread"] += verdict.unread
        self["unmountable"] += verdict.unmountable
        self.young = max(self.young, verdict.young)


class Run:
    def __init__(self, options, work):
        self.options = options
        self.work = work
        self.judge = Judge(options.build, work / "mount")
        self.images_made = 0
        self.tallies = {}
        kernel, modules = machine.kernel(options.cache)
        self.kernel = kernel
        self.initrd = machine.first_disk(options.build / "tests/power/power-guest", modules, work / "initrd")

    def say(self, text):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def keep(self, image, name, file_system, ledger, verdict):
        """Takes a disk that failed aside, as it was before it was mounted."""
        tally = self.tallies[name.split("-")[0], name.split("-")[1]]
        self.say(f"  {name}: {verdict}")
        if tally["kept"] == KEEP_MAX:
            return
        tally["kept"] += 1
        self.options.keep.mkdir(parents=True, exist_ok=True)
        copy_disk(image, self.options.keep / f"{name}.img")
        (self.options.keep / f"{name}.promises").write_text(ledger.text())
        self.say(f"  look again: {sys.argv[0]} --build {self.options.build} --fs {file_system} "
                 f"--again {self.options.keep / name}.img")

    # -- one life --

    def live(self, image, log, file_system, mode, life, dice):
        """Boots the disk, cuts the power at a random moment; says when, or what the writer complained of."""
        settings = {"POWER_FS": file_system, "POWER_PROMISES_AT": machine.AREA_AT, "POWER_LIFE": life,
                    "POWER_MODE": MODES[mode], "POWER_SEED": dice.getrandbits(40)}
        early = dice.random() < 0.2
        after = dice.uniform(0, 0.8 if early else self.options.seconds)
        with machine.Machine(self.kernel, self.initrd, image, settings, log) as m:
            if m.wait_for("opening" if early else "living", self.options.boot):
                m.run_for(after)
            m.kill()
            failure = m.failure()
        return f"{after:.2f} s after it began {'to open' if early else 'to live'}", failure

    def images(self, base, log, name, ledger, mode_of, tally, dice):
        """Judges disks that a cut at some moment of a life could have left; base is changed."""
        file_system, _ = mode_of
        promises = list(log.promises(machine.AREA_AT))
        flushes = [i for i, write in enumerate(log.entries) if write.flags & writelog.FLUSH] or [0]
        cuts = sorted(dice.choice(flushes) if dice.random() < 0.3 else dice.randrange(len(log.entries) + 1)
                      for _ in range(self.options.images))
        done = 0
        for number, cut in enumerate(cuts):
            kind = writelog.KINDS[number % len(writelog.KINDS)]
            volatile = log.volatile(cut)
            with open(base, "r+b") as disk:
                log.apply(disk, done, log.flushed(cut))
            done = log.flushed(cut)
            kept = writelog.survivors(kind, volatile, {i: log.entries[i].size for i in volatile}, dice,
                                      machine.WHOLE[file_system])
            given = [p for i, p in promises if i < cut]
            then = ledger.after(given)
            verdict = self.judge.judge(self.leave(base, log, kept), file_system, then, given)
            tally.add("images", verdict)
            if not verdict.good:
                self.keep(self.leave(base, log, kept), f"{name}-{number}-{kind}-of-{len(volatile)}-at-{cut}",
                          file_system, then, verdict)

    def image_of(self, disk):
        """A copy under a name of its own, in the place of the last one: a loop device belongs to a file, and may be
        there a little longer than its mount."""
        for old in self.work.glob("image*"):
            old.unlink()
        self.images_made += 1
        image = self.work / f"image{self.images_made}"
        copy_disk(disk, image)
        return image

    def leave(self, base, log, kept):
        image = self.image_of(base)
        with open(image, "r+b") as disk:
            writelog.keep(log, disk, kept)
        return image

    # -- lives of homes --

    def combination(self, file_system, mode):
        tally = self.tallies[file_system, mode] = Tally()
        dice = random.Random(f"{self.options.seed} {file_system} {mode}")
        disk, base, log = (self.work / name for name in ("disk", "base", "log"))
        for number in range(self.options.cuts):
            life = number % self.options.lives
            if life == 0:
                machine.make_disk(disk, file_system)
                ledger = Ledger(None if mode == "power" else self.options.bound)
            name = f"{file_system}-{mode}-{self.options.seed}-{number}"
            copy_disk(disk, base)
            when, failure = self.live(disk, log, file_system, mode, life + 1, dice)
            if failure:
                tally["complaints"] += 1
                tally["bad"] += 1
                self.say(f"  {name}: the writer {failure.removeprefix('power: ')}")
            given = [p for p in writelog.promises_of(disk, machine.AREA_AT) if p.life == life + 1]
            then = ledger.after(given)
            verdict = self.judge.judge(self.image_of(disk), file_system, then, given)
            tally.add("cuts", verdict)
            self.say(f"{name}, life {life + 1}, cut {when}: {verdict}")
            if not verdict.good:
                self.keep(disk, name, file_system, then, verdict)
            written = writelog.WriteLog(log)
            tally["acknowledged"] += sum(given[-1].acknowledged) - sum(given[0].acknowledged) if given else 0
            if written.entries:
                self.images(base, written, name, ledger, (file_system, mode), tally, dice)
            written.close()
            ledger = then

    def table(self):
        columns = {"cuts": "cuts", "images": "crash images", "acknowledged": "rows acknowledged",
                   "promised": "promises checked", "lost": "lost", "corrupted": "corrupted",
                   "false damage": "disks with false damage", "complaints": "complaints of the writer",
                   "unmountable": "not mountable", "unread": "young images without bytes"}
        print("\n| file system, durability | " + " | ".join(columns.values()) + " | oldest young loss |\n"
              + "| --- " * (len(columns) + 2) + "|")
        for (file_system, mode), tally in self.tallies.items():
            print(f"| {file_system}, {mode} | " + " | ".join(f"{tally[c]:,}" for c in columns)
                  + f" | {tally.young:.1f} s |")
        bad = sum(tally["bad"] for tally in self.tallies.values())
        print(f"\nseed {self.options.seed}: {bad} bad" + f", the first ones are kept in {self.options.keep}" * bool(bad))
        return bad


def again(options, work):
    """Judges a disk that was kept."""
    image = work / "image"
    copy_disk(options.again, image)
    ledger = Ledger()
    ledger.text = options.again.with_suffix(".promises").read_text
    verdict = Judge(options.build, work / "mount").judge(image, options.fs[0], ledger, [])
    print(verdict)
    return 0 if verdict.good else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"), help="a build of the project")
    parser.add_argument("--fs", type=lambda text: text.split(","), default=["ext4", "xfs"])
    parser.add_argument("--durability", type=lambda text: text.split(","), default=list(MODES),
                        help="process, power, or switch: from process to power at a random moment")
    parser.add_argument("--cuts", type=int, default=8, help="of each file system and durability")
    parser.add_argument("--lives", type=int, default=5, help="cuts that a home lives through")
    parser.add_argument("--images", type=int, default=14, help="disks from the write log of each life")
    parser.add_argument("--seconds", type=float, default=12, help="the longest life")
    parser.add_argument("--boot", type=float, default=180, help="seconds that a boot may take")
    parser.add_argument("--bound", type=float, default=3,
                        help="seconds of acknowledged samples that durability process may lose; README says about 2")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/dev/shm"), help="where the disks are")
    parser.add_argument("--cache", type=pathlib.Path, help="where the kernel is unpacked; default BUILD/power")
    parser.add_argument("--keep", type=pathlib.Path, help="where disks that fail go; default BUILD/power-failures")
    parser.add_argument("--again", type=pathlib.Path, help="judge a disk that was kept")
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.cache = options.cache or options.build / "power"
    options.keep = options.keep or options.build / "power-failures"
    if options.seed is None:
        options.seed = int(os.environ.get(ALONE, random.SystemRandom().randrange(1 << 20)))
    return options


def main():
    options = arguments()
    missing = machine.missing()
    if missing or os.geteuid() != 0:
        print("skipped: " + (f"wants {', '.join(missing)}: .ci/setup power" if missing else "mounting wants root"))
        return 77
    if os.environ.get(ALONE) is None:
        # In mounts of its own: a program elsewhere on the machine that copies its mounts would keep a disk in use.
        os.execvpe("unshare", ["unshare", "--mount", sys.executable, *sys.argv],
                   {**os.environ, ALONE: str(options.seed)})
    work = pathlib.Path(tempfile.mkdtemp(prefix="edgeops-power-", dir=options.work))
    try:
        if options.again:
            return again(options, work)
        run = Run(options, work)
        run.say(f"seed {options.seed}")
        try:
            for file_system in options.fs:
                for mode in options.durability:
                    run.combination(file_system, mode)
        finally:
            bad = run.table()
        return 1 if bad else 0
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
