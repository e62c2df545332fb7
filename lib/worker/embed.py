# SPDX-License-Identifier: Apache-2.0
"""Makes a C source of a text file: embed.py INPUT OUTPUT; the array is called eop_worker_glue."""
import pathlib
import sys

data = pathlib.Path(sys.argv[1]).read_bytes()
rows = [", ".join(str(b) for b in data[i : i + 20]) for i in range(0, len(data), 20)]
pathlib.Path(sys.argv[2]).write_text(
    '#include "worker/worker.h"\n\nconst char eop_worker_glue[] = {\n    '
    + ",\n    ".join(rows)
    + ", 0};\n"
)
