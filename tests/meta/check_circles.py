# SPDX-License-Identifier: Apache-2.0
"""Fails when files of one room know each other in a circle, by the symbols that their objects define and want.

check_circles.py [--as-one] NM ROOM...

A file knows another one when it wants a symbol that the other one defines. Each argument is a room: a static library,
or a folder of objects (that of a program). Sources of the same name are told apart by the object's name.
--as-one takes all rooms for one, so that a circle over several rooms is found.
"""
import collections
import pathlib
import subprocess
import sys


def objects(room):
    """Gives (object name, its nm lines) of a room: a library, a folder of objects, or a list of such."""
    if isinstance(room, list):
        for one in room:
            yield from objects(one)
        return
    room = pathlib.Path(room)
    paths = sorted(map(str, room.glob("*.o"))) if room.is_dir() else [str(room)]
    if not paths:
        sys.exit(f"check_circles: no object in {room}")
    text = subprocess.run([sys.argv[1], "--no-sort", "--print-file-name", *paths], check=True, capture_output=True, text=True).stdout
    for line in text.splitlines():
        place, _, rest = line.rpartition(": " if ": " in line else ":")
        yield pathlib.Path(place.rsplit(":", 1)[-1]).name, rest.split()


def graph_of(room):
    """Who knows whom in a room: object -> {object: symbols}."""
    defines, wants = {}, collections.defaultdict(set)
    for name, fields in objects(room):
        kind, symbol = fields[-2:]
        if kind in "TDBRVWGS":
            defines[symbol] = name
        elif kind in "Uuwv":
            wants[name].add(symbol)
    knows = collections.defaultdict(lambda: collections.defaultdict(set))
    for name, symbols in wants.items():
        for symbol in symbols:
            if defines.get(symbol, name) != name:
                knows[name][defines[symbol]].add(symbol)
    return knows


def circles(knows):
    """Strongly connected components of more than one file (Tarjan 1972)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in list(knows[node]) if node in knows else []:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    sys.setrecursionlimit(10000)
    for node in list(knows):
        if node not in index:
            visit(node)
    return found


as_one = sys.argv[1] == "--as-one"
if as_one:
    del sys.argv[1]
rooms = [sys.argv[2:]] if as_one else sys.argv[2:]
bad = 0
for room in rooms:
    knows = graph_of(room)
    for group in circles(knows):
        bad += 1
        print(f"{room}: {len(group)} files know each other in a circle:")
        for name in group:
            for other in group:
                if other in knows[name]:
                    print(f"  {name} -> {other}: {', '.join(sorted(knows[name][other]))}")
print(f"{bad} circles in {len(rooms)} rooms")
sys.exit(bad != 0)
