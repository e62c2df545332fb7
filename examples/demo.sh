#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The whole life of a workflow on real recordings, on this machine, in one go: installs, builds, takes data in over MQTT,
# trains, deploys, predicts live, and leaves nothing running.
set -eu
cd "$(dirname "$0")/.."

step() {
    printf '\n== %s\n' "$*"
}

step "set-up: packages and build (the first run takes a few minutes)"
sh .ci/setup demo
if [ ! -f build/build.ninja ]; then
    meson setup build --buildtype=release -Dtests=disabled -Dexamples=disabled >build-setup.log 2>&1 || {
        tail -n 20 build-setup.log >&2
        exit 1
    }
    rm -f build-setup.log
fi
ninja -C build --quiet

# Everything the demonstration makes lives in one temporary folder; what it starts is ended by pid, whatever happens.
work=$(mktemp -d)
broker_pid=""
node_pid=""
listener_pid=""
clean_up() {
    status=$?
    trap - EXIT INT TERM
    for pid in $listener_pid $node_pid $broker_pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    if [ $status -ne 0 ]; then
        echo "demo failed; the last lines of the node and the broker:" >&2
        tail -n 15 "$work/node.log" "$work/broker.log" >&2 2>/dev/null || true
    fi
    rm -rf "$work"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM

export EDGEOPS_HOME="$work/home"
ctl=$PWD/build/cli/edgeopsctl
edgeopsctl() {
    printf '$ edgeopsctl %s\n' "$*" >&2
    "$ctl" "$@"
}
value() { # value KEY.KEY: one value of the JSON on standard input
    /usr/bin/python3 -c 'import functools, json, sys
print(functools.reduce(lambda d, k: d[int(k)] if isinstance(d, list) else d[k], sys.argv[1].split("."), json.load(sys.stdin)))' "$1"
}
wait_until() { # wait_until SECONDS COMMAND...: until the command succeeds
    seconds=$1
    shift
    for _ in $(seq $((seconds * 5))); do
        if "$@"; then
            return 0
        fi
        sleep 0.2
    done
    echo "gave up after $seconds s waiting for: $*" >&2
    return 1
}

step "1. a broker on a free loopback port, a node and its MQTT source"
port=$(/usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
broker="mqtt://127.0.0.1:$port"
printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n' "$port" >"$work/broker.conf"
PATH="$PATH:/usr/sbin" mosquitto -c "$work/broker.conf" >"$work/broker.log" 2>&1 &
broker_pid=$!
edgeopsctl node init
"$ctl" node serve >"$work/node.out" 2>"$work/node.log" &
node_pid=$!
wait_until 10 grep -q ready "$work/node.out"
edgeopsctl source add watch --driver mqtt --url "$broker" --topic 'watch/+/imu' --asset 'watch/{2}' --time time
source_runs() {
    test "$("$ctl" --json source show watch | value state)" = running
}
wait_until 10 source_runs

step "2. wrist-watch recordings of people at work, one JSON message a sample, faster than real time"
data=examples/data/imu-watch
edgeopsctl simulate replay "$data/watch_train.csv.gz" --broker "$broker" --topic 'watch/{subject}/imu' \
    --asset 'watch/{subject}' --time-column unixtime_ms --skip-column run --label-column label --labels "$work/labels.csv" --speed 0
rows=$(gzip -dc "$data/watch_train.csv.gz" | tail -n +2 | wc -l)
all_in() { # all_in PATTERN ROWS
    total=$("$ctl" --json asset ls "$1" | /usr/bin/python3 -c 'import json, sys
print(sum(a["rows"] for a in json.load(sys.stdin)["items"]))')
    test "$total" -ge "$2"
}
wait_until 60 all_in 'watch/*' "$rows"
edgeopsctl source show watch
edgeopsctl label import "$work/labels.csv"

step "3. a frozen dataset, a workflow package, a model, and what it is worth on people it has not seen"
edgeopsctl dataset create watch-train --asset 'watch/*' --labelled-only
edgeopsctl workflow pack examples/workflows/imu-activity --output "$work/imu-activity.zip"
edgeopsctl workflow add "$work/imu-activity.zip"
edgeopsctl train imu-activity --dataset watch-train --name activity
edgeopsctl predict activity --input "$data/watch_unseen.csv.gz" --time-column unixtime_ms --group-column subject \
    --label-column label --output "$work/unseen.csv"
echo "(plain scikit-learn, the same features and people: accuracy 0.973, macro F1 0.956; see $data/README.md)"

step "4. the model live on people it has not seen; predictions as an independent client receives them"
people=$(gzip -dc "$data/watch_unseen.csv.gz" | tail -n +2 | cut -d, -f1 | sort -u)
for person in $people; do
    edgeopsctl deploy activity --asset "watch/$person" --name "activity-$person" --publish "predictions/$person"
done
mosquitto_sub -h 127.0.0.1 -p "$port" -q 1 -t 'predictions/#' -v >"$work/received" 2>"$work/listener.log" &
listener_pid=$!
deployments_run() {
    for person in $people; do
        case "$("$ctl" --json deployment show "activity-$person" | value state)" in
        running | waiting) ;; # waiting: for the first sample of its asset
        *) return 1 ;;
        esac
    done
}
wait_until 30 deployments_run
edgeopsctl simulate replay "$data/watch_unseen.csv.gz" --broker "$broker" --topic 'watch/{subject}/imu' \
    --time-column unixtime_ms --skip-column run --skip-column label --speed 200
caught_up() {
    for person in $people; do
        "$ctl" --json deployment show "activity-$person" | /usr/bin/python3 -c 'import json, sys
d = json.load(sys.stdin)
sys.exit(not (d["predictions"] > 0 and d["lag"] == 0 and d["outbox"] == 0))' || return 1
    done
}
wait_until 60 caught_up
echo "$(wc -l <"$work/received") predictions received; the last of each person:"
for person in $people; do
    grep "^predictions/$person " "$work/received" | tail -n 1
done
for person in $people; do
    "$ctl" --json deployment show "activity-$person" | /usr/bin/python3 -c 'import json, sys
d = json.load(sys.stdin)
l = d["latency_us"]
print("%s: message in to prediction out p50 %.2f ms, p99 %.2f ms (%d predictions)"
      % (d["name"], l["p50"] / 1000, l["p99"] / 1000, l["count"]))'
done

step "5. the node"
edgeopsctl node status
step "done: stopping the node and the broker"
