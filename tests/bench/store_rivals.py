# SPDX-License-Identifier: Apache-2.0
"""What the store is compared with: SQLite rows, DuckDB, VictoriaMetrics and pandas, each only where it is installed.

Run by store.py's private Python as `store_rivals.py write|read|aggregate SET DATABASE` it is the DuckDB side alone.
"""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve()


def disk(*paths):
    """Bytes that files and folders occupy, in whole blocks of the file system."""
    total = 0
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            total += disk(*path.iterdir())
        elif path.exists():
            total += path.stat().st_blocks * 512
    return total


def answer(*command, **options):
    """Runs a program that prints one line of JSON."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{pathlib.Path(str(command[0])).name} exited with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


class Sqlite:
    """Rows of (time, asset, values)."""

    def __init__(self, programs):
        self.program = programs / "store_sqlite"

    def write(self, data, path, index, order="asset"):
        for suffix in ("", "-wal", "-shm"):
            pathlib.Path(f"{path}{suffix}").unlink(missing_ok=True)
        return answer(self.program, "write", data.path, path, index, order)

    def read(self, data, path):
        return answer(self.program, "read", data.path, path)

    def aggregate(self, data, path):
        return answer(self.program, "aggregate", data.path, path)


class DuckDb:
    """One table sorted by asset and time, all threads, its own format; in a process of its own."""

    def __init__(self, venv):
        self.python = venv / "bin/python"

    def missing(self):
        """Why it is not measured, None when it is there."""
        if not self.python.exists():
            return "duckdb is not installed; `store.py setup` makes a virtual environment with it"
        if subprocess.run([self.python, "-c", "import duckdb, numpy"], capture_output=True).returncode != 0:
            return f"{self.python} cannot import duckdb and numpy"
        return None

    def call(self, what, data, path):
        return answer(self.python, HERE, what, data.path, path)

    def write(self, data, path):
        for suffix in ("", ".wal"):
            pathlib.Path(f"{path}{suffix}").unlink(missing_ok=True)
        return self.call("write", data, path)


class VictoriaMetrics:
    """One server for one set: filled, flushed, merged, stopped, and its folder measured."""

    program = shutil.which("victoria-metrics")

    def missing(self):
        return None if self.program else "victoria-metrics is not installed (Debian package; .ci/setup bench)"

    def size(self, data, folder, port, cut=None):
        """Bytes on disk of data and index, without the caches that it leaves behind.

        It keeps time stamps once for series side by side when each is one block, of 8,192 rows at most: cut=8192 makes other
        series of what is longer."""
        home = pathlib.Path(folder) / f"victoria-{data.name}-{cut}"
        with open(f"{home}.log", "wb") as log:
            server = subprocess.Popen([self.program, f"-storageDataPath={home}", f"-httpListenAddr=127.0.0.1:{port}",
                                       "-retentionPeriod=100y", "-loggerLevel=ERROR"], stdout=log, stderr=log)
        url = f"http://127.0.0.1:{port}"
        try:
            self._wait(server, lambda: self._get(f"{url}/health") == "OK")
            for number, (times, values) in enumerate(data.assets):
                # One name and these labels: then the series of an asset stand side by side, as it likes them.
                step = cut or len(times)
                lines = [json.dumps({"metric": {"__name__": "m", "asset": f"plant/{number:06}.{start}", "channel": f"c{c + 1}"},
                                     "values": values[c, start:start + step].tolist(),
                                     "timestamps": (times[start:start + step] // 1_000_000).tolist()})
                         for start in range(0, len(times), step) for c in range(data.channels)]
                request = urllib.request.Request(f"{url}/api/v1/import", "\n".join(lines).encode(), method="POST")
                with urllib.request.urlopen(request, timeout=60) as reply:
                    reply.read()
            self._get(f"{url}/internal/force_flush")
            self._get(f"{url}/internal/force_merge")
            self._wait(server, lambda: "vm_active_force_merges 0" in self._get(f"{url}/metrics"))
            count = self._get(f"{url}/metrics")
            rows = sum(int(float(line.split()[-1])) for line in count.splitlines()
                       if line.startswith(("vm_rows{type=\"storage/", "vm_rows{type=\"storage\"")))
        finally:
            server.terminate()
            server.wait()
        if rows != data.points:
            raise SystemExit(f"VictoriaMetrics has {rows} of {data.points} points; see {home}.log")
        return disk(home / "data", home / "indexdb")

    @staticmethod
    def _get(url):
        with urllib.request.urlopen(url, timeout=60) as reply:
            return reply.read().decode()

    @staticmethod
    def _wait(server, condition):
        end = time.monotonic() + 60
        while time.monotonic() < end and server.poll() is None:
            try:
                if condition():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise SystemExit("VictoriaMetrics does not answer")


PANDAS = """
import json, sqlite3, sys, time
import pandas
db = sqlite3.connect(sys.argv[1])
columns = ", ".join(f"c{c + 1}" for c in range(int(sys.argv[2])))
begun = time.monotonic()
values = pandas.read_sql(f"SELECT {columns} FROM sample", db).to_numpy()
print(json.dumps({"seconds": time.monotonic() - begun, "points": int(values.size)}))
"""


def pandas_missing():
    found = subprocess.run(["/usr/bin/python3", "-c", "import pandas"], capture_output=True).returncode == 0
    return None if found else "pandas is not installed (Debian package python3-pandas)"


def pandas_read_sql(data, path):
    return answer("/usr/bin/python3", "-c", PANDAS, path, data.channels)


# -- the DuckDB side -------------------------------------------------------------------------------


def _duck_load(path):
    import numpy as np
    with open(path, "rb") as file:
        assert file.read(8) == b"EOPSET1\n"
        assets, channels = struct.unpack("=QQ", file.read(16))
        rows = np.fromfile(file, np.uint64, assets).astype(np.int64)
        times, values = [], []
        for n in rows:
            times.append(np.fromfile(file, np.int64, n))
            values.append(np.fromfile(file, np.float64, n * channels).reshape(channels, n))
    columns = {"time": np.concatenate(times), "asset": np.repeat(np.arange(assets, dtype=np.int32), rows)}
    for c, column in enumerate(np.concatenate(values, axis=1)):
        columns[f"c{c + 1}"] = np.ascontiguousarray(column)
    return columns


def _duck_main(what, path, database):
    import duckdb
    columns = _duck_load(path)
    names = [name for name in columns if name.startswith("c")]
    points = len(columns["time"]) * len(names)
    db = duckdb.connect(database)
    begun = time.monotonic()
    if what == "write":
        # From NumPy arrays as they are: faster than its appender, which takes rows one by one.
        db.execute(f"CREATE TABLE sample(time BIGINT, asset INTEGER, {', '.join(n + ' DOUBLE' for n in names)})")
        db.register("given", columns)
        db.execute("INSERT INTO sample SELECT * FROM given")
        db.execute("CHECKPOINT")
    elif what == "read":
        db.execute(f"SELECT {', '.join(f'sum({n})' for n in names)} FROM sample").fetchall()
    else:
        found = db.execute(f"SELECT asset, {', '.join(f'min({n}), max({n}), avg({n})' for n in names)} FROM sample "
                           "GROUP BY asset").fetchall()
        assert len(found) == int(columns["asset"][-1]) + 1
    seconds = time.monotonic() - begun
    db.close()
    print(json.dumps({"seconds": seconds, "points": points, "version": duckdb.__version__, "threads": os.cpu_count()}))


if __name__ == "__main__":
    _duck_main(*sys.argv[1:])
