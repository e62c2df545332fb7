# SPDX-License-Identifier: Apache-2.0
"""Fails when a public function is called by no test, no example, not by the CLI and not by the Python binding.

A function that nobody drives is one of which nobody knows whether it works. Calls count, declarations, comments and
addresses do not: so tests/headers, which takes the address of each, and the binding's table of functions do not count.
"""
import pathlib
import re
import sys

import public_api

IGNORED = {"bindings/python/edgeops/_ffi.py"}
TEXT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", re.S)
# The names that api_abi.c makes of a kind: OPTIONS(query, QUERY, ...) calls edgeops_query_init().
MADE = re.compile(r"\bOPTIONS\((\w+), \w+,")


def calls(root):
    """Gives (function, file) of each call outside lib/."""
    for folder in ("tests", "examples", "cli", "bindings"):
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix not in (".c", ".cpp", ".h", ".py") or name in IGNORED or name.startswith("tests/headers/"):
                continue
            text = path.read_text()
            if path.suffix != ".py":
                text = TEXT.sub(" ", text)
                for kind in MADE.findall(text):
                    yield f"edgeops_{kind}_init", name
            # In the binding an init function is handed on: options(Struct, lib.edgeops_x_init).
            for function in re.findall(r"\b(edgeops_\w+)\s*\(|\blib\.(edgeops_\w+)", text):
                yield function[0] or function[1], name


def main(root):
    root = pathlib.Path(root)
    api = public_api.Api(root)
    drivers = {}
    for function, name in calls(root):
        drivers.setdefault(function, set()).add(name)
    undriven = [function for function in api.functions if function not in drivers]
    if len(api.functions) < 100:
        sys.exit(f"only {len(api.functions)} functions found in include/edgeops: this check reads the headers wrong")
    for function in undriven:
        print(f"{function}(): no test, example or command calls it: write a test, or delete the function")
    print(f"{len(api.functions)} public functions, {len(undriven)} of them driven by nobody")
    return bool(undriven)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
