# SPDX-License-Identifier: Apache-2.0
"""Tables in other libraries through the Arrow PyCapsule interface; they come from the index, into an environment of their own."""
import gc
import pathlib
import resource
import sys

import numpy as np
import pytest

from edgeops import arrow

FILL = """
import sys, warnings; warnings.simplefilter("error"); sys.path.insert(0, TESTS)
import edgeops, numpy as np
from test_values import fill
store = edgeops.Store.open(sys.argv[1])
table = fill(store)
"""

PYARROW = """
import pyarrow as pa
t = pa.table(table)
assert t.schema.field("time").type == pa.timestamp("ns", "UTC") and not t.schema.field("time").nullable
assert [str(field.type) for field in t.schema] == ["timestamp[ns, tz=UTC]", "int64", "double", "float", "int64", "uint8", "bool",
    "string", "fixed_size_list<item: float>[3]", "struct<digest: fixed_size_binary[32], size: uint64>"], t.schema
assert t["f"].to_pylist()[0] == 1.5 and t["f"].null_count == 1 and t["i"].to_pylist() == [2**60 + 1, None, 0, 5]
assert t["b"].to_pylist() == [True, False, None, True] and t["s"].to_pylist() == ["", None, "übergröße", "x\\ny"]
assert t["a"].to_pylist()[1] is None and t["a"].to_pylist()[3] == [9, 10, 11] and t["seq"].to_pylist() == [0, 0, 1, 5]
assert t["blob"].to_pylist()[3]["size"] == 3 and t["blob"].to_pylist()[3]["digest"].hex() == table["blob"][3].digest
assert t.schema.metadata == {b"asset": b"all"}
t.validate(full=True)
batch = pa.record_batch(table)
batch.validate(full=True)
assert batch.column("u8").buffers()[1].address == table["u8"].ctypes.data, "it was copied"
assert pa.schema(table) == t.schema
reader = pa.RecordBatchReader.from_stream(table)
assert sum(b.num_rows for b in reader) == 4
del table
import gc; gc.collect()
assert t["u8"].to_pylist() == [0, 255, 3, 4], "what Arrow has outlives the table"
back = {name: t[name] for name in t.column_names if name not in ("time", "seq", "blob")}
assert store.append("again", t["time"].cast(pa.int64()).to_numpy(), back, seqs=t["seq"].to_numpy()).appended == 4
again = store.read("again")
assert again.types["s"] == "string" and again.valid["a"].tolist() == [True, False, True, True]
store.close(); print("good")
"""

POLARS = """
import polars as pl
df = pl.DataFrame(table)
assert df.shape == (4, 10) and df["f"].null_count() == 1 and df["s"].to_list() == ["", None, "übergröße", "x\\ny"]
assert df["time"].dtype == pl.Datetime("ns", "UTC") and df["i"].to_list() == [2**60 + 1, None, 0, 5]
assert df["a"].to_list()[3] == [9.0, 10.0, 11.0]
del table
assert df.filter(pl.col("u8") > 2)["b"].to_list() == [False, None, True]
assert store.append("again", [1, 2, 3, 4], {"s": df["s"], "i": df["i"]}).appended == 4
assert store.read("again").valid["i"].tolist() == [True, False, True, True]
store.close(); print("good")
"""

DUCKDB = """
import duckdb
assert duckdb.sql("select count(*), count(f), sum(u8), max(i) from table_").fetchall() == [(4, 3, 262, 2**60 + 1)]
assert duckdb.sql("select s from table_ where b order by time").fetchall() == [("",), ("x\\ny",)]
assert duckdb.sql("select a[1] from table_ where u8 = 4").fetchall() == [(9.0,)]
store.append("big", np.arange(300000) * 1000, {"x": np.arange(300000.0), "s": np.array(["a", "b"] * 150000)})
big = store.read("big")
assert duckdb.sql("select s, avg(x) from big group by s order by s").fetchall() == [("a", 149999.0), ("b", 150000.0)]
store.close(); print("good")
"""


@pytest.mark.parametrize("body", [PYARROW, POLARS, "table_ = table\n" + DUCKDB], ids=["pyarrow", "polars", "duckdb"])
def test_a_table_is_taken_by(body, environment, run_python, tmp_path):
    python = environment("arrow", ["numpy", "pyarrow", "polars", "duckdb", "pytest"])
    tests = str(pathlib.Path(__file__).parent)
    assert run_python(python, f"TESTS = {tests!r}\n" + FILL + body, tmp_path / "home") == "good\n"


def test_capsules_that_nobody_takes_are_released(store):
    store.append("a", np.arange(200000), {"x": np.arange(200000.0)})
    for _ in range(3):
        store.read("a").__arrow_c_stream__()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):  # 100 x 3.2 MB would be seen
        table = store.read("a")
        capsules = table.__arrow_c_stream__(), table.__arrow_c_array__(), table.__arrow_c_schema__()
        assert len(capsules[1]) == 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000
    assert len(arrow._given) <= 8
    table = capsules = None
    gc.collect()
    arrow.sweep()
    assert not arrow._given


def test_a_capsule_outlives_its_table(store):
    store.append("a", [1], {"x": [1.0]})
    schema, array = store.read("a").__arrow_c_array__()
    stream = store.read("a").__arrow_c_stream__()
    gc.collect()
    store.read("a")
    assert len(arrow._given) == 3 and all("arrow_" in repr(capsule) for capsule in (schema, array, stream))
    assert sys.getrefcount(stream) == 3
