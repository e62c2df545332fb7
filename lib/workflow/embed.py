# SPDX-License-Identifier: Apache-2.0
"""Makes a C array of a text file: embed.py INPUT OUTPUT SYMBOL HEADER. An array, because C11 promises string literals of 4,095 bytes only."""
import sys

source, target, symbol, header = sys.argv[1:5]
with open(source, "rb") as file:
    data = file.read()
if b"\0" in data:
    sys.exit(f"{source}: holds a NUL")
numbers = [str(byte) for byte in data] + ["0"]
lines = [", ".join(numbers[i:i + 24]) for i in range(0, len(numbers), 24)]
with open(target, "w", encoding="ascii") as file:
    file.write("/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by embed.py. */\n")
    file.write(f'#include "{header}"\n\n')
    file.write(f"const char {symbol}[] = {{\n    " + ",\n    ".join(lines) + "};\n")
