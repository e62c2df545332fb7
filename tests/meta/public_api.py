# SPDX-License-Identifier: Apache-2.0
"""What the public headers declare, for the checks beside it: functions, structs with struct_size, enumerators, callbacks."""
import pathlib
import re

COMMENT = re.compile(r"/\*.*?\*/", re.S)


class Api:
    def __init__(self, root):
        folder = pathlib.Path(root) / "include/edgeops"
        text = "\n".join(COMMENT.sub(" ", path.read_text()) for path in sorted(folder.glob("*.h"))
                         if path.name != "export.h")
        self.functions = sorted(set(re.findall(r"EDGEOPS_API\b[^;{}()]*?\b(edgeops_\w+)\s*\(", text)))
        # Name of each struct that the caller makes with EDGEOPS_NAME_INIT.
        self.sized = sorted(set(re.findall(r"struct (edgeops_\w+) \{\s*size_t struct_size;", text)))
        self.structs = sorted(set(re.findall(r"typedef struct (edgeops_\w+) \{", text)))
        self.enumerators = sorted({name for body in re.findall(r"typedef enum \w+ \{(.*?)\}", text, re.S)
                                   for name in re.findall(r"\b(EDGEOPS_\w+)\s*=", body)})
        self.callbacks = sorted(set(re.findall(r"typedef [^;{}]*?\(\*(edgeops_\w+)\)\s*\(", text)))
        # Macros with a value that are neither guards nor attributes.
        self.values = sorted(set(re.findall(r"#define (EDGEOPS_\w+)[ \t]+(?!__)[(\w\"]", text)))
