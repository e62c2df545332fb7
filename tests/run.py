# SPDX-License-Identifier: Apache-2.0
"""Runs every check of the project and ends with one line: N passed, N failed, N skipped.

Builds go to build-test/ and are kept, so that the next run is quick.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILDS = ROOT / "build-test"
GOOD = {"OK", "EXPECTEDFAIL"}


class Tally:
    """Counts outcomes and keeps what a reader of the log must see."""

    def __init__(self):
        self.count = collections.Counter()
        self.remarks = []

    def add(self, outcome, name, remark=""):
        self.count[outcome] += 1
        if outcome != "passed":
            self.remarks.append(f"{outcome.upper()}: {name}{': ' + remark if remark else ''}")


def run(arguments, **options):
    """Runs a command with its output on ours; gives its exit code."""
    print("$", " ".join(map(str, arguments)), flush=True)
    return subprocess.run(arguments, cwd=ROOT, **options).returncode


def step(tally, name, arguments, **options):
    """One check that is a whole command."""
    started = time.monotonic()
    good = run(arguments, **options) == 0
    tally.add("passed" if good else "failed", name)
    print(f"-- {name}: {'ok' if good else 'FAILED'} in {time.monotonic() - started:.0f} s", flush=True)
    return good


def build(tally, name, options=(), compiler=None, targets=()):
    """Configures and builds one variant, or some targets of it; gives its folder or None."""
    folder = BUILDS / name
    environment = {**os.environ, **({"CC": compiler} if compiler else {})}
    if not (folder / "build.ninja").exists():
        shutil.rmtree(folder, ignore_errors=True)
        arguments = ["meson", "setup", folder, "--fatal-meson-warnings", "-Dwerror=true", *options]
        if run(arguments, env=environment, stdout=subprocess.DEVNULL) != 0:
            tally.add("failed", f"configure {name}")
            print((folder / "meson-logs/meson-log.txt").read_text()[-3000:])
            return None
    return folder if step(tally, f"build {name}", ["ninja", "-C", folder, "--quiet", *targets]) else None


def meson_tests(tally, name, folder, arguments=()):
    """Runs the tests of a build and counts each one."""
    setup = arguments[arguments.index("--setup") + 1] if "--setup" in arguments else ""
    log = folder / "meson-logs" / f"testlog{'-' + setup if setup else ''}.json"
    name = f"{name} {setup}" if setup not in ("", name) else name
    log.unlink(missing_ok=True)
    started = time.monotonic()
    run(["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", *arguments])
    if not log.exists():
        tally.add("failed", f"tests of {name}", "no log was written")
        return
    for line in log.read_text().splitlines():
        record = json.loads(line)
        label = f"{name}: {record['name']}"
        if record["result"] in GOOD:
            tally.add("passed", label)
        elif record["result"] == "SKIP":
            lines = (record.get("stdout") or "").strip().splitlines()
            tally.add("skipped", label, lines[-1] if lines else "")
        else:
            tally.add("failed", label, record["result"])
    print(f"-- tests of {name} in {time.monotonic() - started:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true",
                        help="one build and its tests only: for the time between two edits")
    arguments = parser.parse_args()
    BUILDS.mkdir(exist_ok=True)
    tally = Tally()
    started = time.monotonic()

    sources = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, check=True,
                             capture_output=True, text=True).stdout.split()
    step(tally, "format", ["clang-format", "--dry-run", "-Werror", *sources])

    folder = build(tally, "gcc", ["-Ddefault_library=both"], compiler="gcc")
    if folder:
        meson_tests(tally, "gcc", folder)
    if not arguments.quick:
        build(tally, "minimal", ["-Dauto_features=disabled"], compiler="gcc")
        build(tally, "clang", compiler="clang")
        sanitized = build(tally, "asan", ["-Db_sanitize=address,undefined", "-Db_lundef=false",
                                          "-Dexamples=disabled"], compiler="gcc")
        if sanitized:
            meson_tests(tally, "asan", sanitized, ["--setup", "asan", "--suite", "unit", "--suite", "fuzz"])
        # Plain programs only: Criterion does not run under the thread sanitizer.
        threaded = build(tally, "tsan", ["-Db_sanitize=thread", "-Db_lundef=false", "-Dexamples=disabled"],
                         compiler="gcc", targets=["thread-tests"])
        if threaded:
            meson_tests(tally, "tsan", threaded, ["--suite", "threads"])
        if folder:
            meson_tests(tally, "gcc", folder, ["--setup", "helgrind", "--suite", "threads"])

    print()
    for remark in tally.remarks:
        print(remark)
    print(f"took {time.monotonic() - started:.0f} s")
    print(f"{tally.count['passed']} passed, {tally.count['failed']} failed, {tally.count['skipped']} skipped")
    return 1 if tally.count["failed"] or not tally.count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
