# SPDX-License-Identifier: Apache-2.0
"""Handles: closed from any thread, dropped, forked, and at the end of the process."""
import gc
import os
import subprocess
import sys
import threading
import time
import warnings
import weakref

import numpy as np
import pytest

import edgeops


def closed_by(thread_work, close, threads=3, seconds=0.1):
    """Runs the work over and over on some threads, closes meanwhile; gives what ended each thread."""
    ended = []

    def work():
        try:
            while True:
                thread_work()
        except BaseException as reason:
            ended.append(reason)
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    time.sleep(seconds)
    close()
    for thread in running:
        thread.join(10)
        assert not thread.is_alive()
    assert len(ended) == threads
    return ended


@pytest.mark.parametrize("work", [
    lambda s: s.read_array("a", ["x"]), lambda s: s.read("a", last=1000), lambda s: s.count("a", where=[("x", ">", 0.5)]),
    lambda s: s.append("b", np.arange(1000), {"x": np.arange(1000.0)}), lambda s: s.assets(), lambda s: s.aggregate("a", every=100),
    lambda s: s.labels(), lambda s: s.durability, lambda s: s.cursor("a").close(),
])
def test_close_beside_a_call_waits_and_the_caller_is_told(tmp_path, work):
    node = edgeops.Node(tmp_path / "home", mode="local")
    store = node.store
    store.append("a", np.arange(30000), {"x": np.random.default_rng(1).random(30000)})
    for reason in closed_by(lambda: work(store), node.close):
        assert isinstance(reason, edgeops.ClosedError), reason
    with edgeops.Store.open(tmp_path / "home") as alone:
        for reason in closed_by(lambda: work(alone), alone.close):
            assert isinstance(reason, edgeops.ClosedError), reason


def test_close_ends_run_and_calls_of_other_threads(tmp_path):
    node = edgeops.Node(tmp_path / "home", mode="local")
    for reason in closed_by(lambda: node.run(), node.close):
        assert isinstance(reason, edgeops.ClosedError), reason
    node = edgeops.Node(tmp_path / "home", mode="local")
    for reason in closed_by(lambda: node.call("node.status"), node.close):
        assert isinstance(reason, (edgeops.ClosedError, edgeops.CanceledError)), reason


def test_several_threads_close_at_once(tmp_path):
    for _ in range(5):
        node = edgeops.Node(tmp_path / "home", mode="local")
        cursor = node.store.cursor("a")
        threads = [threading.Thread(target=closing) for closing in (node.close, cursor.close, node.close, cursor.close)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert node.closed and cursor.closed


def test_a_handler_cannot_close_what_calls_it(node):
    def on_done(_):
        node.close()
    node.call_start("node.status", on_done=on_done)
    with pytest.raises(edgeops.InvalidError, match="closed from inside"):
        node.run(5)
    assert node.call("node.status")["home"]


def test_what_was_made_from_a_store_closes_with_it(tmp_path):
    store = edgeops.Store.open(tmp_path / "home")
    store.append("a", [1, 2], {"x": [1.0, 2.0]})
    cursor, watch = store.cursor("a"), store.watch(lambda *_: None)
    table = cursor.read(1)
    store.close()
    assert cursor.closed and watch.closed and table["x"].tolist() == [1.0]
    for use in (cursor.read, lambda: cursor.skipped, lambda: store.read("a"), lambda: store.watch(print)):
        with pytest.raises(edgeops.ClosedError):
            use()
    cursor.close()
    with edgeops.Store.open(tmp_path / "home") as store, store.cursor("a") as cursor:
        assert [t.rows for t in cursor] == [2]
    assert cursor.closed and store.closed


def test_dropped_handles_warn_and_close(tmp_path):
    node = edgeops.Node(tmp_path / "home", mode="local")
    seen = []
    node.on_prediction(lambda p: (seen.append(p), node.wake()))  # the handler knows the node
    call = node.call_start("node.status", on_done=lambda c: node.wake())
    gone = weakref.ref(node)
    with pytest.warns(ResourceWarning, match="was not closed"):
        node = call = None
        gc.collect()
    assert gone() is None or gone().closed, "the warning may hold it"
    store = edgeops.Store.open(tmp_path / "home")
    store.append("a", [1], {"x": [1.0]})
    with pytest.warns(ResourceWarning):
        watch = store.watch(print)
        watch = cursor = store.cursor("a")
        watch = cursor = None  # noqa: F841
    with pytest.warns(ResourceWarning):
        store = None
    edgeops.Store.open(tmp_path / "home").close()


def test_a_node_goes_with_its_last_reference_without_the_collector(tmp_path):
    gc.disable()
    try:
        node = edgeops.Node(tmp_path / "home", mode="local")
        store = node.store
        node.call("node.status", on_event=print)
        store.append("a", [1], {"x": [1.0]})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            node.on_prediction(lambda p: None)
        table = store.read("a")
        with pytest.warns(ResourceWarning):
            node = store = None  # noqa: F841
        assert table["x"].tolist() == [1.0]
        edgeops.Node(tmp_path / "home", mode="local").close()
    finally:
        gc.enable()


def test_a_store_keeps_its_node(tmp_path):
    store = edgeops.Node(tmp_path / "home", mode="local").store
    gc.collect()
    store.append("a", [1], {"x": [1.0]})
    assert repr(store).startswith("<Store of <Node")
    with pytest.warns(ResourceWarning):
        store = None


def test_a_home_that_cannot_be_opened_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    fds = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with pytest.raises(edgeops.IoError) as caught:
            edgeops.Node(tmp_path / "file" / "home", mode="local")
        assert caught.value.errno == 20 and caught.value.strerror == "Not a directory" and "home" in str(caught.value)
        with pytest.raises(ValueError):
            edgeops.Node(tmp_path / "h", mode="loca")
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == fds


def in_child(work):
    """What work() gives in a forked child, as text."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid == 0:
        try:
            os.write(write, str(work()).encode())
        except BaseException as reason:
            os.write(write, f"{type(reason).__name__}: {reason}".encode())
        finally:
            os._exit(0)
    os.close(write)
    try:
        assert os.waitpid(pid, 0)[1] == 0
        return os.read(read, 10000).decode()
    finally:
        os.close(read)


def test_a_forked_child_is_refused_and_harms_nothing(node, store):
    store.append("a", [1], {"x": [1.0]})
    cursor = store.cursor("a")
    for use in (lambda: store.append("a", [2], {"x": [1.0]}), lambda: store.read("a"), lambda: node.call("node.status"),
                lambda: node.run(0), cursor.read, lambda: node.store):
        assert in_child(use).startswith("InvalidError: this") and "fork" in in_child(use)
    assert in_child(lambda: (cursor.close(), store.close(), node.close(), node.closed)) == "(None, None, None, True)"
    held = threading.Thread(target=lambda: node.run(2))
    held.start()
    assert "fork" in in_child(lambda: node.call("node.status")), "also while another thread held the locks"
    node.wake()
    held.join()
    store.append("a", [2], {"x": [1.0]})
    assert cursor.read().rows == 2
    cursor.close()


def test_a_forked_child_opens_its_own(node, store, tmp_path):
    store.append("a", [1], {"x": [1.0]})
    table = store.read("a")
    held = table.__arrow_c_stream__()

    def work():
        with edgeops.Store.open(tmp_path / "other") as other:
            other.append_table(table)
            other.read("a").__arrow_c_stream__()
            return other.read("a").rows, table["x"].tolist()
    ready, done = threading.Event(), threading.Event()

    def hold():
        with edgeops.arrow._lock:
            ready.set()
            done.wait(30)
    thread = threading.Thread(target=hold)
    thread.start()
    ready.wait(10)
    try:
        assert in_child(work) == "(1, [1.0])", "although another thread held the lock when it was made"
    finally:
        done.set()
        thread.join()
    del held
    assert store.read("a").rows == 1


def test_the_end_of_the_process_closes_what_is_open(tmp_path):
    program = """
import sys, threading, edgeops, atexit
node = edgeops.Node(sys.argv[1], mode="local")
store = node.store
store.append("a", [1], {"x": [1.0]})
table = store.read("a")
atexit.register(lambda: print(table["x"][0]))
cursor = store.cursor("a")
if sys.argv[2] == "thread":
    threading.Thread(target=node.run, daemon=True).start()
if sys.argv[2] == "raise":
    raise SystemExit(3)
"""
    for how, code in (("plain", 0), ("thread", 0), ("raise", 3)):
        done = subprocess.run([sys.executable, "-W", "always::ResourceWarning", "-c", program, tmp_path / "home", how],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == code and done.stdout == "1.0\n", done.stderr
        assert "ResourceWarning" in done.stderr and "Traceback" not in done.stderr.replace("Object allocated", ""), done.stderr
    edgeops.Node(tmp_path / "home", mode="local").close()


def test_threads_append_and_read_at_once(store):
    def work(k):
        for i in range(20):
            store.append(f"a/{k}", np.arange(100) + i * 100, {"x": np.arange(100.0)})
            store.read(f"a/{k}", last=10)
            store.label(f"a/{k}", "l", i)
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [asset.rows for asset in store.assets()] == [2000] * 4 and len(store.labels("a/*")) == 80
