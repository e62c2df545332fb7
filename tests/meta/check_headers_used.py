# SPDX-License-Identifier: Apache-2.0
"""The public headers, used and not only included: as C99 and as C++17, with every warning an error, linked and run.

check_headers_used.py ROOT STANDARD LIBRARY COMPILER...

The program is made from the headers, so that what is new in them is in it: each options struct from its INIT macro and
from its _init() function, which must agree; each enumerator, macro and callback type; the address of each function.
Its answer is the number of what it found wrong.
"""
import pathlib
import subprocess
import sys
import tempfile

import public_api

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wcast-qual", "-Wundef",
            "-Wmissing-field-initializers", "-Wwrite-strings", "-Werror"]
START = """#include <edgeops.h>
#include <string.h>
typedef void (*any_function)(void);
struct named { const char *name; any_function function; };
"""


def macro(struct):
    return struct.upper() + "_INIT"


def program(api):
    yield START
    yield "static const struct named functions[] = {"
    yield from (f'    {{"{name}", (any_function)&{name}}},' for name in api.functions)
    yield "};\nstatic const long long numbers[] = {"
    yield from (f"    (long long){name}," for name in api.enumerators)
    yield "};"
    for name in api.callbacks:
        yield f"static {name} a_{name};"
    for name in api.sized:
        yield f"""static int use_{name}(void) {{
    const {name} by_macro = {macro(name)};
    {name} by_function = {macro(name)};
    memset(&by_function, 0x5a, sizeof by_function);
    {name}_init(&by_function, sizeof by_function);
    return by_macro.struct_size != sizeof by_macro || memcmp(&by_macro.struct_size, &by_function.struct_size, sizeof(size_t)) != 0;
}}"""
    yield "int main(void) {\n    int wrong = 0;\n    size_t i;"
    yield "    for (i = 0; i < sizeof functions / sizeof functions[0]; i++) wrong += functions[i].function == NULL;"
    yield "    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) wrong += numbers[i] < -100;"
    yield from (f"    wrong += a_{name} != NULL;" for name in api.callbacks)
    yield from (f"    wrong += use_{name}();" for name in api.sized)
    yield from (f"    wrong += sizeof({name}) == 0;" for name in api.structs)
    yield from (f"    (void){name};" for name in api.values if not name.endswith("_INIT"))
    yield "    return wrong;\n}"


def main(root, standard, library, *compiler):
    root = pathlib.Path(root)
    api = public_api.Api(root)
    without = [name for name in api.sized if f"#define {macro(name)} " not in
               "".join(path.read_text() for path in (root / "include/edgeops").glob("*.h"))]
    if without or len(api.sized) < 15:
        sys.exit(f"of {len(api.sized)} structs with struct_size these have no INIT macro: {without}")
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "used.cpp" if "++" in standard else "used.c")
        source.write_text("\n".join(program(api)) + "\n")
        made = pathlib.Path(folder, "used")
        build = [*compiler, f"-std={standard}", *WARNINGS, f"-I{root / 'include'}", source, "-o", made, library,
                 f"-Wl,-rpath,{pathlib.Path(library).resolve().parent}"]
        if subprocess.run(build).returncode != 0:
            return 1
        print(f"{standard}: {len(api.functions)} functions, {len(api.sized)} sized structs, {len(api.enumerators)} enumerators, "
              f"{len(api.callbacks)} callback types")
        return subprocess.run([made]).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
