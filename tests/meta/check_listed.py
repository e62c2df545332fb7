# SPDX-License-Identifier: Apache-2.0
"""Fails when a source of tests is named in no meson.build, so that nobody runs it.

check_listed.py TESTS_FOLDER
"""
import pathlib
import re
import sys

tests = pathlib.Path(sys.argv[1])
words = set(re.findall(r"\w+", "\n".join(path.read_text() for path in tests.rglob("meson.build"))))
sources = [*tests.glob("*/test_*.py"), *(path for folder in ("unit", "fuzz", "embed") for path in tests.glob(f"{folder}/*.c"))]
lost = [str(path.relative_to(tests)) for path in sorted(sources) if not words & {path.stem, path.stem.removeprefix("test_")}]
for path in lost:
    print(f"tests/{path} is in no meson.build")
sys.exit(f"{len(lost)} sources of tests are never run" if lost or not sources else 0)
