# SPDX-License-Identifier: Apache-2.0
"""The tests of the public interface as a whole leave nothing out: functions in api_null, structs in api_abi.

check_api.py ROOT
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
headers = "".join(p.read_text() for p in sorted((root / "include/edgeops").glob("*.h")))
headers = re.sub(r"/\*.*?\*/", "", headers, flags=re.S)
null = (root / "tests/unit/api_null.c").read_text()
abi = (root / "tests/unit/api_abi.c").read_text()
frozen = (root / "lib/base/abi_frozen.c").read_text()
missing = []
for name in re.findall(r"EDGEOPS_API\b[^;]*?\b(edgeops_\w+)\(", headers):
    if f"ENTRY({name[8:]})" not in null and f"{name}(NULL, 0)" not in null:
        missing.append(f"tests/unit/api_null.c does not call {name}()")
for name, body in re.findall(r"typedef struct edgeops_(\w+) \{(.*?)\n\} edgeops_\1;", headers, re.S):
    if not re.search(rf"\b(FROZEN|GROWS)\({name}, \d+\)", frozen) and not name.startswith("hld_"):
        missing.append(f"lib/base/abi_frozen.c does not say whether edgeops_{name} is FROZEN or GROWS")
    if "size_t struct_size;" in body and f"OPTIONS({name}, " not in abi:
        missing.append(f"tests/unit/api_abi.c has no older and newer callers of edgeops_{name}")
print("\n".join(missing) or "all functions and structs are there")
sys.exit(bool(missing))
