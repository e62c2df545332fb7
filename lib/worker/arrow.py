# SPDX-License-Identifier: Apache-2.0
"""Parquet and Arrow files for data.import and data.export: between them and CSV that the node reads and writes.

edgeops-arrow.py read OPTIONS     descriptor 0: the file; 1: CSV; 3: what is known of the columns, as JSON, before the first row
edgeops-arrow.py write OPTIONS    descriptor 0: CSV with a header as data.export writes it; 1: the file

OPTIONS is JSON. The last line on standard error says what is wrong, with exit code 1 for the file and 3 without pyarrow.
"""
import csv
import io
import json
import os
import re
import resource
import shutil
import sys
import tempfile

MEMORY_MAX = 8 << 30  # of data, against files that unfold
ROWS = 65536
NUMBERS = "float64 float32 int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
SUFFIX = re.compile(r"^(.*):(?:((?:float|u?int)[0-9]+(?:\[([0-9]+)\])?|bool|string)|(quality))$", re.S)
MAX_LENGTH = 65536
TIMES = ["time", "timestamp", "datetime", "date", "ts", "index", "__index_level_0__"]
MAX_COLUMNS = 4096


class Wrong(Exception):
    """The file, not the program."""


def load():
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.csv
        import pyarrow.ipc
    except ImportError as error:
        print(f"Parquet and Arrow need the Python package pyarrow, which {sys.executable} does not have ({error}): "
              "make it an environment with `python3 -m venv DIR && DIR/bin/pip install pyarrow` and name that with "
              "EDGEOPS_PYTHON=DIR/bin/python3 where the node runs", file=sys.stderr)
        sys.exit(3)
    return pyarrow


def seekable(file):
    """The file itself, or what a pipe gives, in an unnamed file."""
    try:
        file.seek(0, io.SEEK_CUR)
        return file
    except OSError:
        copy = tempfile.TemporaryFile()
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.seek(0)
        return copy


def batches_of(pa, file):
    """Schema, an iterator of record batches and the number of rows, None if unknown, of a Parquet file, or an Arrow file or
    stream."""
    head = file.read(6)
    file.seek(0)
    if head[:4] == b"PAR1":
        import pyarrow.parquet
        parquet = pyarrow.parquet.ParquetFile(file, memory_map=False)
        return parquet.schema_arrow, parquet.iter_batches(batch_size=ROWS), parquet.metadata.num_rows
    if head[:4] == b"FEA1":
        raise Wrong("this is the first version of Feather, which is no longer written: save it again as Parquet")
    if head == b"ARROW1":
        reader = pa.ipc.open_file(file)
        return reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches)), None
    if head[:4] != b"\xff\xff\xff\xff":
        raise Wrong("this is neither Parquet nor Arrow")
    reader = pa.ipc.open_stream(file)
    return reader.schema, iter(reader), None


# -- reading: each column becomes one that CSV holds exactly -------------------------------------


class Column:
    """A column on its way: `kind` is the channel's type, None for a text or time of a role."""

    def __init__(self, name, path, unit):
        self.name, self.path, self.unit, self.kind, self.steps = name, path, unit, None, []


def unit_of(field):
    metadata = {key.lower(): value for key, value in (field.metadata or {}).items()}
    for key in (b"unit", b"units"):
        if key in metadata:
            return metadata[key].decode("utf-8", "replace")[:64]
    return None


def leaves(pa, fields, path=(), prefix=""):
    """The columns of structs as a.b, where they are."""
    for index, field in enumerate(fields):
        name, here = prefix + field.name, path + (index,)
        kind = field.type
        if pa.types.is_struct(kind):
            yield from leaves(pa, [kind.field(i) for i in range(kind.num_fields)], here, name + ".")
        else:
            yield name, here, field


def pick(batch, path):
    array = batch.column(path[0])
    for index in path[1:]:
        array = array.flatten()[index]
    return array


def joined_list(pa, array, length, number):
    """[1,2.5,NaN] of each row."""
    def text(value):
        if value is None:
            return None
        if len(value) != length or None in value:
            raise Wrong(f"an array of {len(value)} elements{' with nulls' if None in value else ''}, where the first one has {length}")
        return "[" + ",".join(map(number, value)) + "]"
    return pa.array([text(value) for value in array.to_pylist()], pa.string())


def list_of(pa, kind):
    return kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind) else None


def word(pa, kind):
    """float64 and the like; None: no number."""
    names = {"double": "float64", "float": "float32"}
    name = names.get(str(kind), str(kind))
    return name if name in NUMBERS else None


def decide(pa, column, kind, role, notes, sample):
    """Adds the steps that make a column of this type one of CSV."""
    types, compute = pa.types, pa.compute
    steps = column.steps
    if isinstance(kind, pa.ExtensionType) or hasattr(kind, "storage_type"):
        steps.append(lambda a: a.storage)
        return decide(pa, column, kind.storage_type, role, notes, sample)
    if types.is_dictionary(kind):
        steps.append(lambda a: a.dictionary_decode())
        return decide(pa, column, kind.value_type, role, notes, sample)
    if types.is_run_end_encoded(kind):
        steps.append(compute.run_end_decode)
        return decide(pa, column, kind.value_type, role, notes, sample)
    if types.is_null(kind):
        return False
    if types.is_boolean(kind):
        column.kind = "bool"
    elif types.is_float16(kind):
        steps.append(lambda a: a.cast(pa.float32()))
        column.kind = "float32"
    elif word(pa, kind):
        column.kind = word(pa, kind)
    elif types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view":
        steps.append(lambda a: a.cast(pa.large_string()))
        column.kind = "string"
    elif types.is_decimal(kind):
        steps.append(lambda a: a.cast(pa.float64()))
        column.kind = "float64"
        lost = ", which loses digits" if kind.precision > 15 else ""
        notes.append(f"column '{column.name}' is {kind} and read as float64{lost}")
    elif types.is_timestamp(kind) and role:
        zoned = kind.tz is not None
        steps.append(lambda a: a.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit)) if zoned else a)
        steps.append(lambda a: compute.binary_join_element_wise(a.cast(pa.string()), "Z", "") if zoned else a.cast(pa.string()))
    elif types.is_timestamp(kind) or types.is_duration(kind):
        wide = pa.timestamp("ns", kind.tz) if types.is_timestamp(kind) else pa.duration("ns")
        steps.append(lambda a: a.cast(wide).cast(pa.int64()))
        column.kind, column.unit = "int64", column.unit or "ns"
        notes.append(f"column '{column.name}' is {kind} and read as int64 in ns")
    elif types.is_date(kind):
        steps.append(lambda a: a.cast(pa.date32()).cast(pa.string()))
        column.kind = "string"
    elif types.is_time(kind):
        steps.append(lambda a: a.cast(pa.string()))
        column.kind = "string"
    elif list_of(pa, kind) is not None and word(pa, list_of(pa, kind)):
        array_of_numbers(pa, column, kind, sample)
    else:
        raise Wrong(f"column '{column.name}' is {kind}, which no channel holds: leave it out with --skip-column")
    return True


def array_of_numbers(pa, column, kind, sample):
    length = kind.list_size if pa.types.is_fixed_size_list(kind) else sample(column)
    element = word(pa, list_of(pa, kind))
    if length is None or length == 0:
        raise Wrong(f"column '{column.name}' is {kind} and the first rows have no element that would say how many: "
                    "leave it out with --skip-column")
    if length > MAX_LENGTH:
        raise Wrong(f"column '{column.name}' has arrays of {length} elements; a channel has at most {MAX_LENGTH}")
    number = special if element.startswith("float") else str
    if element == "float32":
        number = lambda value: special(float(str(pa.scalar(value, pa.float32()).cast(pa.string()))))  # noqa: E731
    if length == 1:
        column.steps.append(lambda a: pa.array([v[0] if v else None for v in a.to_pylist()], list_of(pa, kind)))
        column.kind = element
        return
    column.steps.append(lambda a: joined_list(pa, a, length, number))
    column.kind = f"{element}[{length}]"


def special(value):
    """As JSON does not write it, but we do."""
    return "NaN" if value != value else "Infinity" if value == float("inf") else "-Infinity" if value == -float("inf") else repr(value)


def header_of(column):
    """The name as it stands in the header: one that looks as if it had a suffix gets its own."""
    match = SUFFIX.match(column.name)
    if match and match[4] is None and column.kind and column.kind != match[2]:
        return f"{column.name}:{column.kind}"
    return column.name


def find_time(pa, schema, options):
    """The column with the time, where nobody names it."""
    found = [(name, field.type) for name, _, field in leaves(pa, list(schema)) if name not in options.get("skip", [])]
    stamps = [name for name, kind in found if pa.types.is_timestamp(kind) or pa.types.is_date(kind)]
    for wanted in TIMES:
        for name, _ in found:
            if name.lower() == wanted and (name in stamps or wanted == "time"):
                return name
    return stamps[0] if len(stamps) == 1 else None


def plan(pa, schema, options, first):
    """The columns that are wanted, and what is said of them; the column with the time, if it was looked for."""
    roles, skip, notes, columns = set(options.get("roles", [])), set(options.get("skip", [])), [], []
    time = find_time(pa, schema, options) if options.get("find_time") else None
    if time and time != "time":
        notes.append(f"the time is in column '{time}'")
    roles |= {time} if time else set()
    there = [name for name, _, _ in leaves(pa, list(schema))]
    for name in sorted(skip - set(there)):
        raise Wrong(f"there is no column '{name}'; it has {', '.join(there[:20])}{', ...' if len(there) > 20 else ''}")

    def sample(column):
        for value in (pick(first, column.path).to_pylist() if first is not None else []):
            if value is not None:
                return len(value)
        return None

    for name, path, field in leaves(pa, list(schema)):
        if name in skip:
            continue
        column = Column(name, path, unit_of(field))
        if not decide(pa, column, field.type, name in roles, notes, sample):
            notes.append(f"column '{name}' has no type and no value: it is left out")
            continue
        if name in roles or SUFFIX.match(name) and SUFFIX.match(name)[4]:
            column.kind = None  # a time, a label, a quality code: as it is written
        columns.append(column)
    if not columns or len(columns) > MAX_COLUMNS:
        raise Wrong(f"{len(columns)} columns; 1 to {MAX_COLUMNS} can be read")
    return columns, notes, time


def read(options):
    pa = load()
    schema, batches, rows = batches_of(pa, seekable(os.fdopen(0, "rb")))
    first = next(batches, None)
    columns, notes, time = plan(pa, schema, options, first)
    stored, cells = {}, {header_of(column) for column in columns}
    for column in columns:
        match = SUFFIX.match(header_of(column))
        typed = bool(match and match[2])  # the header says its type; a plain column may have the bare name
        name = match[1] if typed else header_of(column)
        said = {key: value for key, value in (("type", None if typed else column.kind), ("unit", column.unit)) if value}
        if said and not (typed and name in cells):
            stored[name] = said
    with os.fdopen(3, "w", encoding="utf-8") as out:
        json.dump({"columns": stored, "notes": notes, "time": time, "rows": rows}, out)
    target = os.fdopen(1, "wb")
    with io.StringIO(newline="") as line:
        csv.writer(line, lineterminator="\n").writerow([header_of(column) for column in columns] + [""] * (len(columns) == 1))
        target.write(line.getvalue().encode())
    write_options = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
    while first is not None:
        write_batch(pa, target, columns, first, write_options)
        first = next(batches, None)
    target.flush()


def write_batch(pa, target, columns, batch, write_options):
    arrays = []
    for column in columns:
        array = pick(batch, column.path)
        try:
            for step in column.steps:
                array = step(array)
        except Wrong as error:
            raise Wrong(f"column '{column.name}': {error}") from None
        arrays.append(array)
    if len(arrays) == 1:
        arrays.append(pa.nulls(batch.num_rows, pa.string()))  # a null alone would be an empty line, which is no row
    table = pa.record_batch(arrays, names=[f"c{i}" for i in range(len(arrays))])
    pa.csv.write_csv(table, target, write_options)


# -- writing --------------------------------------------------------------------------------------


class Rest(io.RawIOBase):
    """What follows the header."""

    def __init__(self, file):
        self.file, self.kept = file, b""

    def header(self):
        """The first record; a name may hold a line end."""
        while True:
            at = -1
            while (at := self.kept.find(b"\n", at + 1)) >= 0:
                if self.kept.count(b'"', 0, at) % 2 == 0:
                    line, self.kept = self.kept[:at], self.kept[at + 1:]
                    return next(csv.reader([line.decode()]))
            more = self.file.read(65536)
            if not more:
                raise Wrong("there is no header")
            self.kept += more

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self.kept:
            self.kept = self.file.read(len(buffer))
        size = min(len(buffer), len(self.kept))
        buffer[:size], self.kept = self.kept[:size], self.kept[size:]
        return size


def arrow_type(pa, kind):
    return {"float64": pa.float64, "float32": pa.float32, "bool": pa.bool_, "string": pa.string}.get(kind, None)() \
        if kind in ("float64", "float32", "bool", "string") else getattr(pa, kind)()


def described(pa, cell, channels):
    """Name, type of the file, type in the CSV, elements and unit of a column."""
    if cell == "time":
        return cell, pa.timestamp("ns", "UTC"), 0, None
    if cell == "seq":
        return cell, pa.int64(), 0, None
    match = SUFFIX.match(cell)
    if match and match[4]:
        return cell, pa.uint16(), 0, None
    name = match[1] if match else cell
    kind, unit = channels.get(name, ("string", ""))
    if "[" in kind:
        element, length = kind[:-1].split("[")
        return cell, pa.list_(arrow_type(pa, element), int(length)), int(length), unit
    return cell, arrow_type(pa, kind), 0, unit


def parsed(pa, array, kind):
    return pa.array([None if text is None else json.loads(text) for text in array.to_pylist()], kind)


def write(options):
    pa = load()
    rest = Rest(os.fdopen(0, "rb"))
    columns = [described(pa, cell, options["channels"]) for cell in rest.header()]
    schema = pa.schema([pa.field(name, kind, metadata={"unit": unit} if unit else None) for name, kind, _, unit in columns],
                       metadata={"edgeops": json.dumps({"asset": options.get("asset", "")})})
    names = [f"c{i}" for i in range(len(columns))]
    reader = pa.csv.open_csv(
        io.BufferedReader(rest, 1 << 20),
        read_options=pa.csv.ReadOptions(column_names=names, block_size=16 << 20),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.string() if c[2] else c[1] for name, c in zip(names, columns)},
            null_values=[""], true_values=["true"], false_values=["false"], strings_can_be_null=True,
            quoted_strings_can_be_null=False)) if has_rows(rest) else ()
    target = os.fdopen(1, "wb")
    with writer_of(pa, options["format"], target, schema) as out:
        for batch in reader:
            arrays = [parsed(pa, batch.column(i), c[1]) if c[2] else batch.column(i) for i, c in enumerate(columns)]
            out.write_batch(pa.record_batch(arrays, schema=schema))
    target.flush()


def has_rows(rest):
    rest.kept = rest.kept or rest.file.read(65536)
    return bool(rest.kept)


def writer_of(pa, kind, target, schema):
    if kind == "parquet":
        import pyarrow.parquet
        return pyarrow.parquet.ParquetWriter(target, schema, compression="snappy")
    return pa.ipc.new_file(target, schema)


def main():
    os.nice(5)  # what comes in and predictions go first
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MAX, MEMORY_MAX))
    mode, options = sys.argv[1], json.loads(sys.argv[2])
    try:
        {"read": read, "write": write}[mode](options)
    except BrokenPipeError:
        os._exit(1)  # who reads or writes the rest has gone, and says why
    except Exception as error:  # of pyarrow: on damaged files it raises all kinds
        text = " ".join(str(error).split()) or type(error).__name__
        print(text if isinstance(error, Wrong) else f"{type(error).__name__}: {text}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
