# SPDX-License-Identifier: Apache-2.0
"""What the command line says about itself: help on every level, usage errors, exit codes, completion, version."""
import json
import os
import re
import subprocess

import pytest

from harness import CTL, Node


def ctl(*arguments, home="/nonexistent/home", **options):
    return subprocess.run([CTL, *arguments], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "EDGEOPS_HOME": str(home)}, **options)


def commands_in(text):
    """First words of the lines under 'Commands:'."""
    block = text.split("Commands:\n", 1)[1].split("\n\n", 1)[0]
    return [line.split()[0] for line in block.splitlines() if re.match(r"  \S", line)]


def every_command():
    for noun in commands_in(ctl("--help").stdout):
        text = ctl(noun, "--help").stdout
        if "Commands:" in text:
            yield from ([noun, verb] for verb in commands_in(text))
        else:
            yield [noun]


def test_help_on_every_level_exits_with_0():
    commands = list(every_command())
    assert len(commands) > 50
    for command in commands:
        done = ctl(*command, "--help")
        assert done.returncode == 0 and done.stderr == "", command
        assert done.stdout.startswith("usage: edgeopsctl " + " ".join(command)), command
        assert "For all commands:" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 100, command
        assert ctl("help", *command).stdout == done.stdout
        assert ctl(*command, "-h").stdout == done.stdout
    for noun in {command[0] for command in commands if len(command) == 2}:
        assert ctl(noun, "--help").stdout == ctl("help", noun).stdout


def test_no_command_shows_help_as_an_error():
    for arguments in ([], ["source"]):
        done = ctl(*arguments)
        assert done.returncode == 2 and done.stdout == "" and "usage: edgeopsctl" in done.stderr


@pytest.mark.parametrize("arguments, words", [
    (["sorce", "ls"], ["'sorce'", "did you mean 'source'"]),
    (["source", "lst"], ["'lst'", "did you mean 'ls'"]),
    (["asset", "--json", "ls"], ["--json"]),
    (["zzzzzz"], ["'zzzzzz' is not a command"]),
    (["asset", "ls", "--jsn"], ["--jsn", "--json"]),
    (["asset", "ls", "-x"], ["'-x'"]),
    (["asset", "ls", "a", "b"], ["'b'", "too many"]),
    (["asset", "show"], ["NAME"]),
    (["run", "show", "one"], ["'one'", "whole number"]),
    (["train", "w"], ["--dataset"]),
    (["train", "w", "--dataset"], ["--dataset", "value"]),
    (["train", "w", "--dataset", "d", "--param", "trees"], ["NAME=VALUE", "'trees'"]),
    (["data", "export", "a", "--format", "xml"], ["'xml'", "csv"]),
    (["data", "head", "a", "--rows", "many"], ["--rows", "'many'"]),
    (["data", "head", "a", "--last=1"], ["--last", "no value"]),
    (["data", "import", "a"], ["--input"]),
    (["data", "import", "a", "-", "--column", "x=decimal"], ["'decimal'", "float64"]),
    (["data", "export", "a", "--json"], ["--output"]),
    (["predict", "m"], ["--input", "--dataset", "--asset"]),
    (["predict", "m", "--dataset", "d", "--asset", "a"], ["--input", "--dataset", "--asset"]),
    (["predict", "m", "--dataset", "d", "--follow"], ["--follow", "--asset"]),
    (["source", "add", "s"], ["--driver"]),
    (["source", "add", "s", "--driver", "mqtt", "--topic", "a"], ["--url URL is missing"]),
    (["source", "add", "s", "--driver", "mqtt", "--url", "mqtt://h"], ["--topic FILTER is missing"]),
    (["source", "test", "--driver", "mqtt", "--url", "mqtt://h"], ["--topic FILTER is missing"]),
    (["label", "add", "a", "odd", "--start", "yesterday"], ["--start", "'yesterday'"]),
    (["label", "add", "a", "odd", "--start", "2025-01-01T00:00:00Z", "--end", "2025-13-01T00:00:00Z"], ["--end"]),
    (["data", "import", "a", "-", "--period", "20"], ["--period", "'20'", "20ms"]),
    (["simulate", "pcb", "--rate", "1e99"], ["rate"]),
    (["simulate", "pcb", "--json"], ["--json", "--broker", "jsonl"]),
    (["simulate", "replay", "-", "--json"], ["--json", "--broker"]),
    (["workflow", "init", "/nonexistent/Not A Name"], ["not a workflow name"]),
    (["asset", "ls", "--jsn", "--json"], ["--jsn"]),
    (["source", "add", "s", "--driver", "mqtt", "--config", "{\"a\": }"], ["--config", "byte"]),
    (["source", "add", "s", "--driver", "mqtt", "--qos", "3"], ["--qos", "'3'"]),
    (["simulate", "pcb", "--count", "x"], ["--count"]),
    (["simulate", "pcb", "--start", "yesterday"], ["--start"]),
    (["simulate", "pcb", "--seed", "0"], ["--seed"]),
    (["simulate", "replay", "-", "--speed", "-1"], ["--speed"]),
    (["node", "init", "--layer", "sky"], ["'sky'", "edge"]),
])
def test_wrong_usage_exits_with_2_and_names_what_is_wrong(arguments, words):
    done = ctl(*arguments, input="")
    assert done.returncode == 2, done
    told = json.loads(done.stdout)["error"] if "--json" in arguments else None
    assert told is not None or done.stdout == ""
    if told:
        assert told["code"] == "EDGEOPS_E_INVALID" and told["message"] in done.stderr and told["hint"] in done.stderr
    assert done.stderr.startswith("edgeopsctl: error: ")
    for word in words:
        assert word in done.stderr, done.stderr


def test_with_json_a_missing_command_is_an_error_too():
    for arguments in (["--json"], ["--json", "source"]):
        done = ctl(*arguments)
        assert done.returncode == 2 and "missing" in json.loads(done.stdout)["error"]["message"], done


def test_options_stand_anywhere_after_the_command_and_before_it():
    for arguments in (["--json", "version"], ["version", "--json"]):
        assert json.loads(ctl(*arguments).stdout)["version"]
    assert ctl("--version").stdout == ctl("version").stdout


def test_a_home_that_is_not_there_is_told_with_the_next_step(tmp_path):
    done = ctl("asset", "ls", home=tmp_path / "none")
    assert done.returncode == 3
    assert str(tmp_path / "none") in done.stderr and "node init" in done.stderr
    assert not (tmp_path / "none").exists()
    done = ctl("--home", str(tmp_path / "other"), "node", "serve")
    assert done.returncode == 3 and str(tmp_path / "other") in done.stderr


def test_the_home_is_found_by_rule(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k not in ("EDGEOPS_HOME", "XDG_DATA_HOME")}

    def told(extra=None, *arguments):
        done = subprocess.run([CTL, *arguments, "asset", "ls"], cwd=tmp_path, capture_output=True, text=True,
                              env={**environment, "HOME": "/h", **(extra or {})})
        return re.search(r"node home at '(.*)'", done.stderr)[1]

    assert told() == "/h/.local/share/edgeops"
    assert told({"XDG_DATA_HOME": "/x"}) == "/x/edgeops"
    (tmp_path / ".edgeops").mkdir()
    assert told({"XDG_DATA_HOME": "/x"}) == ".edgeops"
    assert told({"EDGEOPS_HOME": "/e"}) == "/e"
    assert told({"EDGEOPS_HOME": "/e"}, "--home", "/o") == "/o"


def complete(line, home="/nonexistent/home"):
    """What bash offers at the end of a line."""
    words = line.replace("edgeopsctl", str(CTL), 1).split(" ")
    script = (f'source <("{CTL}" completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _edgeopsctl; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", *words], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "EDGEOPS_HOME": str(home)})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return set(done.stdout.split())


def test_completion_loads_and_knows_nouns_verbs_options_and_choices(tmp_path):
    assert {"source", "train", "simulate"} <= complete("edgeopsctl ")
    assert complete("edgeopsctl sour") == {"source"}
    assert {"add", "rm", "test"} <= complete("edgeopsctl source ")
    assert complete("edgeopsctl --home /x --json workflow pa") == {"pack"}
    assert {"--driver", "--topic", "--json"} <= complete("edgeopsctl source add x --")
    assert complete("edgeopsctl train w --data") == {"--dataset"}
    assert complete("edgeopsctl data export a --format ") == {"arrow", "csv", "jsonl", "npy", "npz", "parquet"}
    (tmp_path / "recording.csv").touch()
    assert complete(f"edgeopsctl simulate replay {tmp_path}/rec") == {f"{tmp_path}/recording.csv"}


def test_completion_offers_the_names_of_the_node(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        assert complete("edgeopsctl asset show ", node.home) == set()
        for name in ("line/1", "line/2", "press", "odd name", "$(touch gone)"):
            node.run("data", "import", name, "-", input="time,x\n2025-01-01T00:00:00Z,1\n")
        node.run("dataset", "create", "all", "--asset", "press")
        node.run("source", "add", "plant", "--driver", "mqtt", "--url", "mqtt://127.0.0.1:1", "--topic", "a")
        assert complete("edgeopsctl asset show ", node.home) == {"line/1", "line/2", "press"}
        assert complete("edgeopsctl data export --format csv line/", node.home) == {"line/1", "line/2"}
        assert complete(f"edgeopsctl --home {node.home} asset show p") == {"press"}
        assert complete("edgeopsctl data export press ", node.home) == set()
        assert complete("edgeopsctl train w --dataset ", node.home) == {"all"}
        assert complete("edgeopsctl dataset show ", node.home) == {"all"}
        assert complete("edgeopsctl dataset create ", node.home) == set()
        assert complete("edgeopsctl source rm ", node.home) == {"plant"}
        assert complete("edgeopsctl driver show ", node.home) == {"mqtt", "replay"}
        assert complete("edgeopsctl predict m --input x --asset pr", node.home) == {"press"}


def test_a_full_standard_output_is_an_error():
    with open("/dev/full", "w") as full:
        done = subprocess.run([CTL, "version"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "standard output" in done.stderr


def test_a_missing_file_exits_with_3(tmp_path):
    with Node(tmp_path) as node:
        node.run("node", "init")
        for arguments in (["data", "import", "a", "--input", "none.csv"], ["label", "import", "none.csv"],
                          ["workflow", "add", "none.zip"], ["workflow", "check", "none.zip"],
                          ["simulate", "replay", "none.csv"]):
            done = node.run(*arguments, check=False)
            assert done.returncode == 3 and "none." in done.stderr, (arguments, done.stderr)
