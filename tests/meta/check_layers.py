# SPDX-License-Identifier: Apache-2.0
"""Fails when a file includes a room it may not know, or a third-party header that belongs to another room.

check_layers.py ROOT ROOM=BELOW,BELOW...

A room is a folder of lib/. A folder in it may be a room of its own, such as node/home; the files beside such folders then
are the room that knows them.
"""
import pathlib
import re
import sys

MAY_USE = {room: set(filter(None, below.split(","))) for room, below in (arg.split("=") for arg in sys.argv[2:])}
# Third-party headers and the rooms that may see each.
OWNERS = {
    "uv.h": {"platform"}, "dlfcn.h": {"platform"},
    "cjson/cJSON.h": {"codec"}, "zlib.h": {"codec"},
    "sqlite3.h": {"catalog", "store"}, "zstd.h": {"column", "codec"}, "zstd_errors.h": {"codec"},
    "bzlib.h": {"codec"}, "lzma.h": {"codec"},
    "archive.h": {"workflow"}, "archive_entry.h": {"workflow"},
    "Python.h": {"worker"},
}
PREFIX_OWNERS = {"MQTT": {"ingest"}, "openssl/": {"base"}}

root = pathlib.Path(sys.argv[1])
bad = []


def room_of(parts):
    """The room of a path below lib/: the longest folder that is one."""
    folders = ["/".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]
    return next((folder for folder in folders if folder in MAY_USE), folders[0] if folders else "")


files = [p for top in ("lib", "cli", "examples", "bindings") for p in sorted(root.glob(f"{top}/**/*.[ch]"))]
for path in files:
    rel = path.relative_to(root)
    room = room_of(rel.parts[1:]) if rel.parts[0] == "lib" else rel.parts[0]
    if rel.parts[0] == "lib" and room not in MAY_USE:
        bad.append(f"{rel}: {room} is no room of the design")
        continue
    allowed = MAY_USE.get(room, set())
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
        if not match:
            continue
        name = match[1]
        target = room_of(name.split("/"))
        if target in MAY_USE and target != room and target not in allowed:
            bad.append(f"{rel}:{number}: {room} may not include {name}")
        owners = OWNERS.get(name)
        for prefix, who in PREFIX_OWNERS.items():
            if name.startswith(prefix):
                owners = who
        if owners is not None and room not in owners:
            bad.append(f"{rel}:{number}: {name} belongs to {', '.join(sorted(owners))}")
for header in [root / "include/edgeops.h", *sorted((root / "include/edgeops").glob("*.h"))]:
    for number, line in enumerate(header.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
        if match and match[1] not in ("stddef.h", "stdint.h") and not match[1].startswith("edgeops/"):
            bad.append(f"{header.relative_to(root)}:{number}: a public header may not include {match[1]}")
print("\n".join(bad) or f"{len(files)} files keep to their rooms")
sys.exit(bool(bad))
