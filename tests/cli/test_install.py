# SPDX-License-Identifier: Apache-2.0
"""What is installed works where it is put: the program finds the library of its own prefix."""
import os
import pathlib
import shutil
import subprocess

import pytest

from harness import BUILD, ROOT


def test_an_installed_program_finds_its_library_after_a_move(tmp_path):
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", tmp_path / "stage"],
                   check=True, capture_output=True, timeout=300)
    program = next((tmp_path / "stage").rglob("edgeopsctl"))
    prefix = program.parents[1]
    moved = tmp_path / "elsewhere"
    shutil.move(prefix, moved)
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    library = subprocess.run(["ldd", moved / "bin/edgeopsctl"], check=True, capture_output=True, text=True,
                             env=environment).stdout
    path = next(line.split()[2] for line in library.splitlines() if "libedgeops.so" in line)
    assert pathlib.Path(path).resolve().is_relative_to(moved.resolve())
    done = subprocess.run([moved / "bin/edgeopsctl", "version"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and done.stdout.startswith("edgeopsctl ")


def test_a_host_links_the_static_library(tmp_path):
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", tmp_path],
                   check=True, capture_output=True, timeout=300)
    archive = next(tmp_path.rglob("libedgeops.a"), None)
    if archive is None:
        pytest.skip("built without the static library: -Ddefault_library=both")
    prefix = archive.parents[1]
    environment = {**os.environ, "PKG_CONFIG_PATH": str(archive.parent / "pkgconfig")}
    flags = subprocess.run(["pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", "--static",
                            "--print-errors", "edgeops"], capture_output=True, text=True, env=environment)
    assert flags.returncode == 0, flags.stderr
    wanted = [flag for flag in flags.stdout.split() if flag != "-ledgeops"]
    host = tmp_path / "host"
    subprocess.run(["cc", "-std=c99", ROOT / "examples/host.c", "-o", host, archive, *wanted], check=True)
    needed = subprocess.run(["ldd", host], check=True, capture_output=True, text=True).stdout
    assert "libedgeops" not in needed
    assert "HOME SOURCE DEPLOYMENT?" in subprocess.run([host], capture_output=True, text=True).stdout
