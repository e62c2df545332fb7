# SPDX-License-Identifier: Apache-2.0
"""Checks the JSON files of the operations and makes C of them: table.py table|help|schema OUT... -- FILE...

table OUT.c OUT.h   what the node knows of each operation; every one must be bound to a function in one of the C files
help OUT.c          what the command line says of them and their arguments
schema OUT.c SYMBOL HEADER   one schema with an "include" (of a driver's configuration) as a C array

An operation has a summary, a role, an effect, the schemas of its arguments, its result and its events, and flags. One that
lacks any of these, or whose schemas leave open what may come, does not build. $refs are resolved here, so that each schema
stands for itself; #/$defs/NAME is found in the same file or in common.json. "include": ["NAME"] adds the properties of
#/$defs/NAME to the arguments, within a result to that; those of the operation itself win.
"""
import json
import pathlib
import re
import sys

ROLES = ("viewer", "operator", "engineer", "admin")
EFFECTS = ("read", "change", "remove")
FLAGS = ("input", "output", "optional", "daemon", "detached")
MEMBERS = {"summary", "role", "effect", "flags", "include", "args", "result", "events"}
# Those that codec/schema.c checks, and annotations.
KEYWORDS = {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "default", "minimum", "maximum",
            "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems",
            "description", "format"}


def fail(where, text):
    sys.exit(f"{where}: {text}")


def resolve(schema, defs, where, depth=0):
    """The schema without $refs. Members beside a $ref win over those of what it refers to."""
    if depth > 32:
        fail(where, "a $ref leads back to itself")
    if isinstance(schema, list):
        return [resolve(item, defs, where, depth) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name not in defs:
            fail(where, f"there is no {schema['$ref']}")
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**resolve(defs[name], defs, where, depth + 1), **resolve(rest, defs, where, depth)}
    return {key: resolve(value, defs, where, depth) for key, value in schema.items()}


def included(schema, names, defs, where):
    """The schema of an object with the properties of others behind its own."""
    if not names:
        return schema
    properties = dict(schema.get("properties", {}))
    for name in names:
        if "properties" not in defs.get(name, {}):
            fail(where, f"there is no object #/$defs/{name} to include")
        properties = {**properties, **{key: value for key, value in defs[name]["properties"].items() if key not in properties}}
    return {**schema, "properties": properties}


def is_object(schema):
    types = schema.get("type")
    return types == "object" or isinstance(types, list) and "object" in types


def check_schema(schema, where, closed):
    """closed: every object must say whether other members may come."""
    if isinstance(schema, bool):
        return
    unknown = set(schema) - KEYWORDS
    if unknown:
        fail(where, f"unknown keywords: {', '.join(sorted(unknown))}")
    if not {"type", "enum", "const", "description"} & set(schema):
        fail(where, "says neither type, enum nor const, nor why it may be anything")
    properties = schema.get("properties", {})
    if closed and is_object(schema) and "additionalProperties" not in schema:
        fail(where, "an object says with additionalProperties whether more may come")
    for name in schema.get("required", []):
        if name not in properties:
            fail(where, f"'{name}' is required and is no property")
    for name, value in properties.items():
        check_schema(value, f"{where}/{name}", closed)
    for key in ("items", "additionalProperties"):
        if key in schema:
            check_schema(schema[key], f"{where}/{key}", closed)


def check_args(args, where):
    check_schema(args, where, False)
    if args.get("type") != "object" or args.get("additionalProperties") is not False:
        fail(where, "arguments are an object without additionalProperties")
    for name, schema in args.get("properties", {}).items():
        if not schema.get("description"):
            fail(where, f"'{name}' has no description")
        if "default" in schema and "enum" in schema and schema["default"] not in schema["enum"]:
            fail(where, f"the default of '{name}' is none of its values")


def check_operation(op, where):
    for member in ("summary", "role", "effect", "args", "result"):
        if not op.get(member):
            fail(where, f"has no {member}")
    if set(op) - MEMBERS:
        fail(where, f"unknown members: {', '.join(sorted(set(op) - MEMBERS))}")
    for member, allowed in (("role", ROLES), ("effect", EFFECTS)):
        if op[member] not in allowed:
            fail(where, f"{member} '{op[member]}' is none of {', '.join(allowed)}")
    for flag in op.get("flags", []):
        if flag not in FLAGS:
            fail(where, f"flag '{flag}' is none of {', '.join(FLAGS)}")
    check_args(op["args"], f"{where} args")
    check_schema(op["result"], f"{where} result", True)
    if not is_object(op["result"]):
        fail(where, "the result is an object")
    for event in op.get("events", []):
        check_schema(event, f"{where} event", True)
        if "const" not in event.get("properties", {}).get("type", {}) or "type" not in event.get("required", []):
            fail(where, "an event has a type, which is a constant")


def load(paths):
    """All operations, by name."""
    paths = [pathlib.Path(path) for path in paths]
    common = next(path for path in paths if path.name == "common.json")
    shared = json.loads(common.read_text(encoding="utf-8"))["$defs"]
    found = {}
    for path in paths:
        if path == common:
            continue
        group = json.loads(path.read_text(encoding="utf-8"))
        if set(group) - {"$defs", "operations"}:
            fail(path, "has members beside $defs and operations")
        own = group.get("$defs", {})
        for name in set(own) & set(shared):
            fail(path, f"#/$defs/{name} is in common.json, too")
        for name, op in group["operations"].items():
            where = f"{path.name}: {name}"
            defs = {**shared, **own}
            if name in found or not re.fullmatch(r"[a-z]+(\.[a-z]+([-_][a-z]+)?)?", name):
                fail(where, "is there twice or has no sound name")
            if isinstance(op.get("args"), dict):
                op["args"] = included(op["args"], op.get("include", []), defs, where)
            if isinstance(op.get("result"), dict):
                op["result"] = included(op["result"], op["result"].pop("include", []), defs, where)
            found[name] = {key: resolve(value, defs, where) if key in ("args", "result", "events") else value
                           for key, value in op.items()}
            check_operation(found[name], where)
    return found


def symbol(name):
    return re.sub(r"[.-]", "_", name)


def quoted(text):
    return json.dumps(text, ensure_ascii=False) if text is not None else "NULL"


def array(name, value, kind="static const"):
    """A JSON text as a C array: C11 promises string literals of 4,095 bytes only."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\0"
    lines = [",".join(map(str, data[i:i + 40])) for i in range(0, len(data), 40)]
    return f"{kind} char {name}[] = {{\n" + ",\n".join(lines) + "};\n"


def flags_of(op):
    flags = [f"EOP_OP_{flag.upper()}" for flag in op.get("flags", [])] + (["EOP_OP_STREAMS"] if op.get("events") else [])
    return " | ".join(flags) or "0"


def check_functions(found, sources):
    text = "\n".join(pathlib.Path(path).read_text(encoding="utf-8") for path in sources)
    bound = re.findall(r"\{&eop_spec_(\w+),\s*\.(?:run|start) = \w+", text)
    for name in found:
        if bound.count(symbol(name)) != 1:
            fail(name, f"is bound to {bound.count(symbol(name))} functions, not 1: write {{&eop_spec_{symbol(name)}, ...}}")


def write_table(found, target_c, target_h):
    head = "/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by table.py. */\n"
    names = list(found)
    lines = [head, "#ifndef EOP_NODE_OPS_TABLE_H\n#define EOP_NODE_OPS_TABLE_H\n\n", '#include "node/control/operation.h"\n\n']
    lines += [f"extern const eop_op_spec eop_spec_{symbol(name)};\n" for name in names]
    lines.append("\n/** All of them, NULL at the end. */\nextern const eop_op_spec *const eop_op_specs[];\n\n#endif\n")
    pathlib.Path(target_h).write_text("".join(lines), encoding="utf-8")
    lines = [head, '#include "node/ops/ops_table.h"\n\n']
    for name in names:
        op = found[name]
        lines += [array(f"{part}_{symbol(name)}", op.get(part, [])) for part in ("args", "result", "events")]
        lines.append(f"const eop_op_spec eop_spec_{symbol(name)} = {{\n    .name = {quoted(name)},\n"
                     f"    .summary = {quoted(op['summary'])},\n    .args = args_{symbol(name)},\n"
                     f"    .result = result_{symbol(name)},\n    .events = events_{symbol(name)},\n"
                     f"    .role = EOP_ROLE_{op['role'].upper()},\n    .effect = EOP_EFFECT_{op['effect'].upper()},\n"
                     f"    .flags = {flags_of(op)}}};\n\n")
    lines.append("const eop_op_spec *const eop_op_specs[] = {\n" +
                 "".join(f"    &eop_spec_{symbol(name)},\n" for name in names) + "    NULL};\n")
    pathlib.Path(target_c).write_text("".join(lines), encoding="utf-8")


def default_text(schema):
    """The default where it says anything that the text does not."""
    default = schema.get("default")
    return None if default is None or isinstance(default, bool) or "default" in schema["description"] else str(default)


def write_help(found, target):
    lines = ["/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by table.py. */\n", '#include "operations.h"\n\n',
             "const cli_operation_argument cli_operation_arguments[] = {\n"]
    for name, op in sorted(found.items()):
        for argument, schema in op["args"].get("properties", {}).items():
            texts = (name, argument, schema["description"], default_text(schema))
            lines.append(f"    {{{', '.join(map(quoted, texts))}}},\n")
    lines.append("    {NULL, NULL, NULL, NULL}};\n\nconst cli_operation_summary cli_operation_summaries[] = {\n")
    lines += [f"    {{{quoted(name)}, {quoted(op['summary'])}}},\n" for name, op in sorted(found.items())]
    lines.append("    {NULL, NULL}};\n")
    pathlib.Path(target).write_text("".join(lines), encoding="utf-8")


def write_schema(target, name, header, paths):
    common, source = (json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in paths)
    schema = included(source, source.pop("include", []), common["$defs"], paths[1])
    schema = resolve(schema, common["$defs"], paths[1])
    check_args(schema, paths[1])
    pathlib.Path(target).write_text("/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by table.py. */\n"
                                    f'#include "{header}"\n\n{array(name, schema, "const")}', encoding="utf-8")


def main():
    split = sys.argv.index("--")
    mode, targets, files = sys.argv[1], sys.argv[2:split], sys.argv[split + 1:]
    if mode == "schema":
        write_schema(*targets, files)
        return
    found = load([path for path in files if path.endswith(".json")])
    if mode == "help":
        write_help(found, *targets)
        return
    check_functions(found, [path for path in files if path.endswith(".c")])
    write_table(found, *targets)


if __name__ == "__main__":
    main()
