# SPDX-License-Identifier: Apache-2.0
"""The Python half of edgeops-worker: what a workflow sees, and the loop that serves the host.

A workflow's module has train(dataset, params, run) and predict(model, window, params); optional are
load(path) and predict_batch(model, windows, params). `_edgeops` is the C half (module.c).
"""
import faulthandler
import gc
import importlib
import json
import os
import pickle
import signal
import sys
import time
import traceback

import _edgeops

WIRE_VERSION = 1
JOB, PREDICT = 1, 2
READY, NONE, ERROR, BATCH, DONE = 16, 18, 19, 20, 23  # ANSWER is made by _edgeops.answer()
SINGLE = 1
MAX_BATCH = 64
FLOAT64, INT64, BOOL, STRING = 1, 2, 3, 4
DTYPES = {1: "f8", 2: "i8", 3: "?", 5: "f4", 6: "i1", 7: "i2", 8: "i4", 9: "u1", 10: "u2", 11: "u4", 12: "u8"}
TYPES = {"float64": FLOAT64, "int64": INT64, "bool": BOOL, "string": STRING}
E_LIMIT, E_WORKER = -14, -17
HERE = "<edgeops>"

np = None  # numpy, imported once the workflow's own folders are on sys.path


class OutputError(Exception):
    """predict() returned what the manifest does not say."""


# -- what a workflow sees ------------------------------------------------------------------------


def _array(memory, dtype, shape, offset):
    return np.ndarray(shape, dtype, memory, offset)


def _exact(memory, rows, extra):
    """A column that is not scalar float64, as it came; with nulls floats have NaN, integers and bools become float64 with NaN,
    and texts have None."""
    _, kind, data, text, length, valid = extra
    present = _array(memory, np.bool_, (rows,), valid) if valid else None
    if kind == STRING:
        ends = _array(memory, np.uint64, (rows + 1,), data).tolist()
        texts = bytes(memory[text : text + length])
        column = np.empty(rows, dtype=object)
        column[:] = [texts[a:b].decode() for a, b in zip(ends, ends[1:])]
        if present is not None:
            column[~present] = None
        return column
    column = _array(memory, DTYPES[kind], (rows, length) if length > 1 else (rows,), data)
    if present is not None and column.dtype.kind != "f":
        column = np.where(present if length <= 1 else present[:, None], column.astype(np.float64), np.nan)
    return column


def _index(columns, name):
    try:
        return columns.index(name)
    except ValueError:
        raise KeyError(f"no input '{name}'; the manifest has {', '.join(columns)}") from None


class _Block:
    """Rows of the manifest's inputs, as views into memory shared with the host."""

    __slots__ = ("_memory", "_block", "columns", "_values")

    def __init__(self, memory, block, columns):
        self._memory = memory
        self._block = block
        self.columns = columns
        self._values = None

    def __len__(self):
        return self._block[0]

    @property
    def values(self):
        """float64[rows, channels], read-only; NaN for null, for texts and for arrays."""
        values = self._values
        if values is None:
            block = self._block
            values = self._values = np.ndarray(block[:2], np.float64, self._memory, block[3])
        return values

    @property
    def times(self):
        """int64[rows], nanoseconds since 1970, UTC."""
        block = self._block
        return np.ndarray(block[:1], np.int64, self._memory, block[2])

    def column(self, name):
        """One channel in its own type, [rows], or [rows, length] of one of arrays. Nulls: NaN in numbers (integers become
        float64 then), None in texts."""
        index = _index(self.columns, name)
        for extra in self._block[4]:
            if extra[0] == index:
                return _exact(self._memory, self._block[0], extra)
        return self.values[:, index]


class Window(_Block):
    """The rows that one prediction sees."""

    __slots__ = ()


class Windows:
    """n windows: values float64[n, rows, channels]; labels, groups and times (of the newest row) [n]."""

    def __init__(self, columns, rows, times, labels, groups, values, column):
        self.columns = columns
        self.rows = rows
        self.times = times
        self.labels = labels
        self.groups = groups
        self._make_values = values
        self._make_column = column
        self._values = None

    @property
    def values(self):
        if self._values is None:
            self._values = self._make_values()
        return self._values

    def column(self, name):
        """One channel in its own type, [n, rows], or [n, rows, length] of one of arrays."""
        return self._make_column(name)

    def __len__(self):
        return len(self.times)

    def __getitem__(self, index):
        return self.values[index]

    def __iter__(self):
        return iter(self.values)


def _sliding(array, rows, starts):
    """array[start : start + rows] for each start; a view where the starts are evenly spaced."""
    if len(starts) == 0:
        return np.empty((0, rows) + array.shape[1:], array.dtype)
    view = np.lib.stride_tricks.sliding_window_view(array, rows, axis=0)
    view = np.moveaxis(view, -1, 1)
    step = int(starts[1] - starts[0]) if len(starts) > 1 else 1
    if len(starts) == 1 or bool((np.diff(starts) == step).all()):
        first = int(starts[0])
        return view[first : first + step * (len(starts) - 1) + 1 : step]
    return view[starts]


class Dataset(_Block):
    """A frozen dataset: rows sorted by asset and time.

    Of one with a split these are the rows to learn from; `test` and `validation` are datasets of their own, to
    measure with, or None. No window spans two of them.
    """

    __slots__ = (
        "name",
        "subset",
        "label_names",
        "group_names",
        "test",
        "validation",
        "_label_codes",
        "_group_codes",
        "_group_rows",
        "_count",
        "_window_count",
        "_rows",
        "_starts",
        "_wlabels",
    )

    def __init__(self, job, subset="train"):
        about = job["dataset"]
        memory, rows, windows, groups, labels, starts, wlabels, block = _edgeops.dataset(about["subsets"][subset])
        super().__init__(memory, block, [port["name"] for port in job["inputs"]])
        self.name = about["name"]
        self.subset = subset
        self.label_names = about["labels"]
        self.group_names = about["groups"]
        # What the host left out (offset 0) is made when it is asked for.
        self._label_codes = _array(memory, np.int32, (rows,), labels) if labels else None
        self._group_codes = _array(memory, np.int32, (rows,), groups) if groups else None
        self._group_rows = about["group_rows"]
        self._count = rows
        self._window_count = windows
        self._rows = job["window"]
        self._starts = _array(memory, np.int64, (windows,), starts) if starts else None
        self._wlabels = _array(memory, np.int32, (windows,), wlabels) if wlabels else None
        self.test = self.validation = None
        if subset == "train":
            for other in ("test", "validation"):
                if other in about["subsets"]:
                    setattr(self, other, Dataset(job, other))

    def _texts(self, names, codes):
        table = np.empty(len(names) + 1, dtype=object)
        table[:] = list(names) + [""]  # code -1 is the last one
        return table[codes]

    @property
    def label_codes(self):
        """int32[rows]: index into label_names, -1 where nobody said anything."""
        if self._label_codes is None:
            self._label_codes = np.full(self._count, -1, np.int32)
        return self._label_codes

    @property
    def group_codes(self):
        """int32[rows]: index into group_names."""
        if self._group_codes is None:
            self._group_codes = np.repeat(np.arange(len(self._group_rows), dtype=np.int32), self._group_rows)
        return self._group_codes

    @property
    def labels(self):
        """str[rows] (object array), "" where nobody said anything."""
        return self._texts(self.label_names, self.label_codes)

    @property
    def groups(self):
        """str[rows]: the asset each row comes from."""
        return self._texts(self.group_names, self.group_codes)

    def windows(self):
        """The windows that predictions will see, cut by the same code; label: the one all rows share, else ""."""
        starts, rows, labels = self._starts, self._rows, self._wlabels
        if starts is None:
            starts = np.arange(self._window_count)
        if labels is None:
            labels = np.full(self._window_count, -1, np.int32)
        return Windows(
            self.columns,
            rows,
            self.times[starts + (rows - 1)],
            self._texts(self.label_names, labels),
            self._texts(self.group_names, self.group_codes[starts]),
            lambda: _sliding(self.values, rows, starts),
            lambda name: _sliding(self.column(name), rows, starts),
        )

    def to_pandas(self):
        """A DataFrame by time, with the columns `asset` and `label` behind the inputs; a copy, to be worked on as any frame."""
        import pandas

        columns = {name: self.column(name) for name in self.columns}
        columns = {name: column if column.ndim == 1 else [row.copy() for row in column] for name, column in columns.items()}
        frame = pandas.DataFrame(columns, copy=True)
        frame.index = pandas.DatetimeIndex(self.times, tz="UTC", name="time")
        for name, column in (("asset", self.groups), ("label", self.labels)):
            if name not in frame.columns:
                frame[name] = column
        return frame


class Run:
    """What train() says while it works."""

    def __init__(self, artifact_dir):
        self.artifact_dir = artifact_dir

    def log(self, *words):
        """A line in the run's log, as print() makes."""
        print(*words, flush=True)

    def metric(self, name, value, step=None):
        """A number to be kept with the run; the last one of a name is the model's."""
        name = str(name)
        if not 1 <= len(name.encode()) <= 128 or not name.isprintable():
            raise ValueError(f"a metric's name must have 1 to 128 printable bytes: {name!r}")
        if any(level in ("", ".", "..") for level in name.split("/")):
            raise ValueError(f"a metric's name must have no empty level: {name!r}")
        _edgeops.metric(name, float(value), -1 if step is None else int(step))

    def progress(self, part):
        """How much is done, 0..1."""
        part = float(part)
        _edgeops.progress(min(1.0, max(0.0, part)) if part == part else 0.0)


# -- errors --------------------------------------------------------------------------------------


def _inner(error):
    """The traceback without the frames of this file."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(HERE):
        tb = tb.tb_next
    return tb


def _place(error, directory):
    """file:line of the workflow where it went wrong."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.basename(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(_inner(error))
    own = [f for f in frames if f.filename.startswith(directory)]
    if not frames:
        return ""
    last = (own or frames)[-1]
    return f"{os.path.basename(last.filename)}:{last.lineno}"


def describe(error, directory):
    """One line: the last line of the traceback and where."""
    if isinstance(error, OutputError):
        return str(error)
    if isinstance(error, SystemExit):
        text = f"the workflow called sys.exit({error.code!r})"
    else:
        try:
            text = traceback.format_exception_only(type(error), error)[-1]
        except Exception:  # a __str__ that raises
            text = type(error).__name__
    text = " ".join(text.split())
    if isinstance(error, MemoryError):
        text += " (the manifest's limits.memory)" if ":" in text else ": over the manifest's limits.memory"
    if len(text) > 800:
        text = text[:800] + "..."
    place = _place(error, directory)
    return f"{text} ({place})" if place else text


def report(error):
    """The traceback, to the log."""
    try:
        if isinstance(error, OutputError):
            print(error, file=sys.stderr, flush=True)
        else:
            traceback.print_exception(type(error), error, _inner(error))
            sys.stderr.flush()
    except Exception:
        pass  # a workflow may have closed or replaced stderr; the message still goes to the host


def send_error(error, identity, directory):
    code = E_LIMIT if isinstance(error, MemoryError) else E_WORKER
    text = describe(error, directory).encode("utf-8", "replace").decode()
    _edgeops.send(ERROR, identity, code, text)


# -- the job -------------------------------------------------------------------------------------


def check_python(requires):
    compare = {
        "~=": lambda a, b: a >= b and a[: max(1, len(b) - 1)] == b[: max(1, len(b) - 1)],
        ">=": lambda a, b: a >= b,
        "<=": lambda a, b: a <= b,
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        ">": lambda a, b: a > b,
        "<": lambda a, b: a < b,
    }
    for clause in filter(None, (part.strip() for part in requires.split(","))):
        sign = next((s for s in ("~=", ">=", "<=", "==", "!=", ">", "<") if clause.startswith(s)), None)
        digits = clause[len(sign or "") :].strip().split(".")
        if sign is None or not all(d.isdigit() for d in digits):
            raise RuntimeError(f"the manifest's python.requires '{requires}' cannot be read")
        wanted = tuple(map(int, digits))
        if not compare[sign](tuple(sys.version_info[: len(wanted)]), wanted):
            have = ".".join(map(str, sys.version_info[:3]))
            raise RuntimeError(f"the workflow needs Python {requires}, this node has {have}")


def load_module(job):
    """Puts the workflow's folders before all others and imports its module."""
    global np
    check_python(job["requires"])
    root = job["directory"]
    folders = [os.path.join(root, part) for part in job["path"]]
    sys.path[:0] = folders + [root]
    try:
        np = importlib.import_module("numpy")
    except ImportError as error:
        raise ImportError("the worker needs NumPy (Debian: python3-numpy)") from error
    return importlib.import_module(job["module"])


def need(module, name):
    function = getattr(module, name, None)
    if not callable(function):
        raise AttributeError(f"module '{module.__name__}' has no function {name}()")
    return function


def save(job, module, model):
    folder = job["artifacts"]
    if hasattr(module, "load"):
        if not os.listdir(folder):
            raise RuntimeError(
                "the workflow has a load(), so train() must leave files in run.artifact_dir; there are none"
            )
    elif model is None:
        raise RuntimeError("train() returned None: it must return the model, or the workflow must have a load()")
    else:
        with open(os.path.join(folder, "model.pkl"), "wb") as file:
            pickle.dump(model, file, protocol=5 if sys.version_info >= (3, 8) else 4)
    for parent, _, files in os.walk(folder):
        for name in files + ["."]:
            fd = os.open(os.path.join(parent, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def versions():
    """The Python that trained and the libraries that had been imported, for model.json."""
    own = getattr(sys, "stdlib_module_names", ())
    found = {}
    for name, module in list(sys.modules.items()):
        version = getattr(module, "__version__", None)
        if "." not in name and name not in own and isinstance(version, str) and len(found) < 256:
            found[name] = version[:64]
    return json.dumps({"version": ".".join(map(str, sys.version_info[:3])), "libraries": found})


def train(job):
    try:
        module = load_module(job)
        function = need(module, "train")
        model = function(Dataset(job), job["params"], Run(job["artifacts"]))
        save(job, module, model)
        python = versions()
    except BaseException as error:
        report(error)
        send_error(error, 0, job["directory"])
        return
    _edgeops.send(DONE, 0, 0, python)


def load(job, module):
    folder = job["artifacts"]
    if hasattr(module, "load"):
        return module.load(folder)
    path = os.path.join(folder, "model.pkl")
    with open(path, "rb") as file:
        return pickle.load(file)


# -- predictions ---------------------------------------------------------------------------------


def _shown(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."


def convert(value, name, kind):
    """A value of the output's type, or None for null; NaN is a float64 like any other."""
    if value is None:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    elif isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if kind == STRING and isinstance(value, str):
        value = str(value)
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise OutputError(f"predict() returned '{name}' with characters that are not Unicode text") from None
        if "\0" in value or size > 65536:
            raise OutputError(f"predict() returned '{name}' with a NUL or over 64 KiB")
        return value
    if kind == BOOL and isinstance(value, bool):
        return value
    if not isinstance(value, bool):
        if kind == FLOAT64 and isinstance(value, (float, int)):
            try:
                return float(value)
            except OverflowError:
                pass
        if kind == INT64 and isinstance(value, int) and -(2**63) <= value < 2**63:
            return int(value)
    wanted = next(n for n, code in TYPES.items() if code == kind)
    raise OutputError(f"predict() returned '{name}': {_shown(value)}, the manifest says {wanted}")


class Server:
    """Answers windows in the order in which they come."""

    def __init__(self, job, module, model):
        self.directory = job["directory"]
        self.params = job["params"]
        self.columns = [port["name"] for port in job["inputs"]]
        self.names = [port["name"] for port in job["outputs"]]
        self.types = tuple(TYPES[port["type"]] for port in job["outputs"])
        self.rows = job["window"]
        self.model = model
        self.predict = need(module, "predict")
        self.predict_batch = getattr(module, "predict_batch", None)
        self.seen = {}  # what went wrong, how often
        self.limit = 4  # windows of a batch; the host gives a batch the time of at most four windows
        self.timeout = job["predict_timeout"]

    def values(self, result):
        if not isinstance(result, dict):
            raise OutputError(f"predict() must return a dict or None, not {_shown(result)}")
        values = []
        for name, kind in zip(self.names, self.types):
            try:
                value = result[name]
            except KeyError:
                raise OutputError(f"predict() returned no '{name}', which is an output in the manifest") from None
            if type(value) is not float or kind != FLOAT64:
                value = convert(value, name, kind)
            values.append(value)
        if len(result) != len(values):
            more = ", ".join(sorted(_shown(key) for key in result if key not in self.names))
            raise OutputError(f"predict() returned {more}, which is no output in the manifest")
        return values

    def answer(self, identity, result):
        if result is None:
            _edgeops.send(NONE, identity, 0, "")
        else:
            _edgeops.answer(identity, self.types, self.values(result))

    def failed(self, identity, error):
        """Full tracebacks for the first few of a kind, then ever rarer: a log is for reading."""
        text = describe(error, self.directory)
        key = text if len(self.seen) < 1000 else ""
        count = self.seen[key] = self.seen.get(key, 0) + 1
        if count <= 3 or count & (count - 1) == 0:
            report(error)
            if count > 3:
                print(f"edgeops: {count} windows have failed so", file=sys.stderr, flush=True)
        send_error(error, identity, self.directory)

    def one(self, frame):
        _, _, _, identity, memory, block = frame
        try:
            self.answer(identity, self.predict(self.model, Window(memory, block, self.columns), self.params))
        except ConnectionError:
            raise
        except BaseException as error:
            self.failed(identity, error)

    def many(self, frames):
        """With predict_batch(). When it fails, each window is tried alone, so that only the guilty ones fail."""
        _edgeops.send(BATCH, 0, len(frames), "")
        began = time.monotonic()
        try:
            windows = [Window(frame[4], frame[5], self.columns) for frame in frames]
            results = self.predict_batch(self.model, self.together(windows), self.params)
            results = list(results)
            if len(results) != len(frames):
                raise OutputError(f"predict_batch() returned {len(results)} results for {len(frames)} windows")
        except BaseException as error:
            key = "batch: " + describe(error, self.directory)
            if key not in self.seen and len(self.seen) < 1000:
                self.seen[key] = 1
                report(error)
            for frame in frames:
                self.one(frame)
            return
        self.resize(len(frames), time.monotonic() - began)
        for frame, result in zip(frames, results):
            try:
                self.answer(frame[3], result)
            except ConnectionError:
                raise
            except BaseException as error:
                self.failed(frame[3], error)

    def resize(self, count, seconds):
        """Keeps a batch to about half the time that one window may take."""
        if seconds > self.timeout / 2:
            self.limit = max(1, count // 2)
        elif seconds < self.timeout / 4 and count == self.limit:
            self.limit = min(MAX_BATCH, 2 * count)

    def together(self, windows):
        return Windows(
            self.columns,
            self.rows,
            np.array([window.times[-1] for window in windows]),
            None,
            None,
            lambda: np.stack([window.values for window in windows]),
            lambda name: np.stack([window.column(name) for window in windows]),
        )

    def drain(self, first):
        """The windows that have come meanwhile, up to the first one that must stay alone (given apart)."""
        frames = [first]
        while len(frames) < self.limit:
            frame = _edgeops.receive(False)
            if frame is None:
                break
            if frame[1] & SINGLE:
                return frames, frame
            frames.append(frame)
        return frames, None

    def serve(self):
        receive = _edgeops.receive
        while True:
            frame = receive(True)
            if self.predict_batch is None or frame[1] & SINGLE:
                self.one(frame)
                continue
            frames, alone = self.drain(frame)
            if len(frames) > 1:
                self.many(frames)
            else:
                self.one(frame)
            if alone is not None:
                self.one(alone)


def predict(job):
    try:
        module = load_module(job)
        server = Server(job, module, load(job, module))
    except BaseException as error:
        report(error)
        send_error(error, 0, job["directory"])
        return
    gc.collect()
    gc.freeze()  # what is there now stays: no collection walks through it again
    _edgeops.send(READY, 0, 0, "")
    server.serve()


def probe():
    """What a node can run, for `edgeopsctl doctor`."""
    found = {"python": ".".join(map(str, sys.version_info[:3])), "prefix": sys.prefix}
    for name in ("numpy", "pandas", "sklearn"):
        try:
            found[name] = importlib.import_module(name).__version__
        except Exception:
            found[name] = None
    print(json.dumps(found))


def main(mode):
    sys.argv = ["edgeops-worker"]
    if mode == "probe":
        probe()
        return
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace", line_buffering=True)
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)  # the host asks where the code hangs before it kills
    try:
        kind, _, version, _, _, text = _edgeops.receive(True)
        if kind != JOB or version != WIRE_VERSION:
            raise SystemExit("edgeops-worker and libedgeops are not of one version")
        job = json.loads(text)
        (train if mode == "train" else predict)(job)
        sys.stdout.flush()
    except ConnectionError:
        pass  # the host is gone, or the workflow closed the connection
