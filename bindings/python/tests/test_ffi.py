# SPDX-License-Identifier: Apache-2.0
"""The declarations of the binding against the headers: names, arguments, sizes and offsets."""
import ctypes
import os
import re
import shutil
import subprocess

import pytest

from conftest import ROOT
from edgeops import _ffi

HEADERS = sorted((ROOT / "include/edgeops").glob("*.h"))


def declared():
    """name -> (result, number of arguments) of each function of the headers."""
    found = {}
    for header in HEADERS:
        text = re.sub(r"/\*.*?\*/", " ", header.read_text(), flags=re.S)
        text = re.sub(r"^\s*#.*?(?<!\\)$", " ", text, flags=re.M | re.S)
        for match in re.finditer(r"EDGEOPS_API\s+(?:EDGEOPS_NODISCARD\s+)?([^;{}]*?)\b(edgeops_\w+)\s*\(([^;]*?)\)\s*;", text, re.S):
            result, name, arguments = (" ".join(part.split()) for part in match.groups())
            found[name] = (result, 0 if arguments in ("", "void") else arguments.count(",") + 1)
    return found


def left_out(name):
    return any(name == given or (given.endswith("_") and name.startswith(given))
               for names in _ffi.LEFT_OUT.values() for given in names)


def test_every_function_of_the_headers_is_declared_or_left_out_on_purpose():
    known = declared()
    assert len(known) > 100, "the headers are not read"
    missing = [name for name in known if name not in _ffi.FUNCTIONS and not left_out(name)]
    assert not missing, "declare them in _ffi.py, or say there why they are left out"
    gone = [name for name in _ffi.FUNCTIONS if name not in known]
    assert not gone, "they are in no header"


def test_every_function_has_the_arguments_and_the_kind_of_result_of_its_header():
    known = declared()
    for name, (result, arguments) in _ffi.FUNCTIONS.items():
        header, count = known[name]
        assert len(arguments) == count, name
        if header == "void":
            assert result is None, name
        elif "*" in header:
            assert issubclass(result, (ctypes._Pointer, ctypes.c_char_p, ctypes.c_void_p)), name
        else:
            size = {"edgeops_duration": 8, "uint64_t": 8}.get(header, 4)
            assert ctypes.sizeof(result) == size, f"{name}: {header}"


def test_what_is_left_out_is_there():
    known = declared()
    for names in _ffi.LEFT_OUT.values():
        for given in names:
            assert any(name == given or (given.endswith("_") and name.startswith(given)) for name in known), given


def member(name):
    return name.rstrip("_")


def test_every_struct_has_the_size_and_the_offsets_of_c(tmp_path):
    compiler = shutil.which(os.environ.get("CC", "cc").split()[-1]) or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    lines = ["#include <edgeops.h>", "#include <stddef.h>", "#include <stdio.h>", "int main(void) {"]
    for c_name, struct in _ffi.STRUCTS.items():
        lines.append(f'printf("{c_name}|%zu", sizeof({c_name}));')
        lines += [f'printf("|%zu:%zu", offsetof({c_name}, {member(field)}), sizeof((({c_name} *)0)->{member(field)}));'
                  for field, *_ in struct._fields_]
        lines.append('printf("\\n");')
    (tmp_path / "sizes.c").write_text("\n".join(lines + ["}"]))
    subprocess.run([compiler, "-I", ROOT / "include", "-o", tmp_path / "sizes", tmp_path / "sizes.c"], check=True)
    out = subprocess.run([tmp_path / "sizes"], check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        c_name, size, *members = line.split("|")
        struct = _ffi.STRUCTS[c_name]
        assert ctypes.sizeof(struct) == int(size), c_name
        for (field, kind, *_), told in zip(struct._fields_, members):
            offset, width = map(int, told.split(":"))
            assert (getattr(struct, field).offset, ctypes.sizeof(kind)) == (offset, width), f"{c_name}.{field}"


def test_options_are_set_up_by_the_library():
    """One byte beyond: a library that knew a larger struct would write over it."""
    for name, struct in _ffi.STRUCTS.items():
        init = f"{name}_init"
        if init in _ffi.FUNCTIONS:
            size = ctypes.sizeof(struct)
            memory = (ctypes.c_char * (size + 64))(*([b"\x5a"] * (size + 64)))
            getattr(_ffi.lib, init)(ctypes.cast(memory, ctypes.POINTER(struct)), size)
            assert struct.from_buffer(memory).struct_size == size, name
            assert bytes(memory)[size:] == b"\x5a" * 64, name


def test_a_library_of_another_version_is_refused(tmp_path):
    (tmp_path / "old.c").write_text('const char *edgeops_version_string(void) { return "0"; }')
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "old.so", tmp_path / "old.c"], check=True)
    done = subprocess.run(["/usr/bin/python3", "-c", "import edgeops"], capture_output=True, text=True,
                          env={**os.environ, "EDGEOPS_LIBRARY": str(tmp_path / "old.so")})
    assert done.returncode != 0 and "ImportError" in done.stderr and "another version" in done.stderr
