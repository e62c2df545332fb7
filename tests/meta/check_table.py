# SPDX-License-Identifier: Apache-2.0
"""Fails when table.py lets an operation pass that it must refuse: check_table.py TABLE.

A sound operation builds; each fault that is put into it alone must end the build, with a text that names the operation.
"""
import copy
import json
import pathlib
import subprocess
import sys
import tempfile

PLACES = {"type": "object", "description": "where", "properties": {"floor": {"type": "integer", "description": "which floor"},
                                                                   "room": {"type": "integer", "description": "never taken"}}}
SOUND = {
    "summary": "count the lamps", "role": "viewer", "effect": "read", "flags": ["output"], "include": ["places"],
    "args": {"type": "object", "additionalProperties": False, "required": ["room"],
             "properties": {"room": {"$ref": "#/$defs/text", "description": "which room"},
                            "unit": {"enum": ["piece", "pair"], "default": "piece", "description": "what is counted"}}},
    "result": {"type": "object", "additionalProperties": False, "required": ["lit"],
               "properties": {"lit": {"type": "integer"}, "by": {"type": "object", "additionalProperties": {"type": "integer"}}}},
    "events": [{"type": "object", "additionalProperties": False, "required": ["type"], "properties": {"type": {"const": "on"}}}],
}
FUNCTION = "const eop_op eop_lamp_ops[] = {\n    {&eop_spec_lamp_count, .run = run_count},\n    {0},\n};\n"


def without(*path):
    def fault(op):
        for key in path[:-1]:
            op = op[key]
        del op[path[-1]]
    return fault


def with_value(value, *path):
    def fault(op):
        for key in path[:-1]:
            op = op[key]
        op[path[-1]] = value
    return fault


FAULTS = {
    "no summary": without("summary"), "no role": without("role"), "no effect": without("effect"), "no result": without("result"),
    "no arguments": without("args"), "a role that there is not": with_value("guest", "role"),
    "an effect that there is not": with_value("write", "effect"), "a flag that there is not": with_value(["streams"], "flags"),
    "a member that there is not": with_value("x", "colour"), "open arguments": without("args", "additionalProperties"),
    "an argument without a text": without("args", "properties", "room", "description"),
    "a default that is not a value": with_value("dozen", "args", "properties", "unit", "default"),
    "an empty result": with_value({}, "result"), "an open result": without("result", "additionalProperties"),
    "an open object in the result": without("result", "properties", "by", "additionalProperties"),
    "a required member that there is not": with_value(["dark"], "result", "required"),
    "a keyword that is not checked": with_value({"type": "integer", "multipleOf": 2}, "result", "properties", "lit"),
    "a result that is a list": with_value({"type": "array", "items": {"type": "integer"}}, "result"),
    "an event without a type": with_value({"type": "object", "additionalProperties": False}, "events", 0),
    "something to include that there is not": with_value(["lamps"], "include"),
    "a reference to nothing": with_value({"$ref": "#/$defs/lamp"}, "result", "properties", "lit"),
}


def build(folder, op, function=FUNCTION):
    """How table.py ends for one operation."""
    (folder / "common.json").write_text(json.dumps({"$defs": {"text": {"type": "string", "minLength": 1},
                                                              "places": PLACES}}))
    (folder / "lamp.json").write_text(json.dumps({"operations": {"lamp.count": op}}))
    (folder / "lamp.c").write_text(function)
    return subprocess.run([sys.executable, sys.argv[1], "table", folder / "out.c", folder / "out.h", "--", folder / "common.json",
                           folder / "lamp.json", folder / "lamp.c"], capture_output=True, text=True)


def made(folder):
    """The arguments as the node will read them."""
    text = (folder / "out.c").read_text()
    start = text.index("args_lamp_count[] = {") + len("args_lamp_count[] = {")
    return bytes(int(n) for n in text[start:text.index("}", start)].split(",")).decode()


def main():
    bad = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        done = build(folder, SOUND)
        if done.returncode != 0:
            bad.append(f"a sound operation: {done.stderr}")
        elif not all(text in made(folder) for text in ('"floor"', "which floor", "which room")) or "never taken" in made(folder):
            bad.append("what is included is not among the arguments, or wins over them")
        faults = {fault: (change, FUNCTION) for fault, change in FAULTS.items()}
        faults["no function"] = (lambda op: None, "{0},\n")
        faults["two functions"] = (lambda op: None, FUNCTION + FUNCTION)
        for fault, (change, function) in faults.items():
            op = copy.deepcopy(SOUND)
            change(op)
            done = build(folder, op, function)
            if done.returncode == 0 or "lamp.count" not in done.stderr or "Traceback" in done.stderr:
                bad.append(f"{fault}: {done.stderr or 'it builds'}")
    print("\n".join(bad) or f"{len(FAULTS) + 2} faults end the build")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
