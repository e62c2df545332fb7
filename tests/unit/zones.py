# SPDX-License-Identifier: Apache-2.0
"""Local times in zones: what the library makes of them is what Python's zoneinfo does, from the same zone files.

zones.py PROGRAM [SEED]: 2,000 times and more, half of them near changes of the clocks. Exit 77: no zone files.
"""
import datetime
import os
import random
import subprocess
import sys
import zoneinfo

ZONES = ["Europe/Vienna", "Europe/Dublin", "Europe/Lisbon", "Europe/Moscow", "America/New_York", "America/Sao_Paulo",
         "America/St_Johns", "America/Caracas", "America/Godthab", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tehran",
         "Asia/Gaza", "Asia/Pyongyang", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Africa/Casablanca",
         "Antarctica/Troll", "Africa/Monrovia", "America/Scoresbysund", "Etc/GMT+5", "EST5EDT"]
EPOCH = datetime.datetime(1970, 1, 1)
FIRST, LAST = datetime.datetime(1850, 1, 1), datetime.datetime(2261, 1, 1)


def offset_at(zone, utc):
    return utc.replace(tzinfo=datetime.timezone.utc).astimezone(zone).utcoffset()


def changes(zone):
    """Moments, to the minute, at which the offset changes."""
    step = datetime.timedelta(days=23)
    found, before = [], FIRST
    while before < LAST:
        low, high = before, before + step
        if offset_at(zone, low) != offset_at(zone, high):
            while high - low > datetime.timedelta(minutes=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if offset_at(zone, middle) == offset_at(zone, before) else (low, middle)
            found.append(high.replace(microsecond=0))
        before += step
    return found


def local_times(zone, n, rng):
    near = changes(zone)
    for i in range(n):
        if i % 2 and near:
            moment = rng.choice(near)
            yield moment + offset_at(zone, moment) + datetime.timedelta(seconds=rng.randint(-4 * 3600, 4 * 3600))
        else:
            yield FIRST + datetime.timedelta(seconds=rng.randint(0, int((LAST - FIRST).total_seconds())))


def expected(zone, local):
    first, second = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    nanoseconds = [(local - offset - EPOCH) // datetime.timedelta(seconds=1) * 10**9 for offset in (first, second)]
    word = f" repeated {nanoseconds[1]}" if second < first else " missing" if second > first else ""
    return f"{nanoseconds[0]}{word}"


def main(program, seed):
    folder = "/usr/share/zoneinfo"
    if not os.path.exists(f"{folder}/Europe/Vienna"):
        print(f"skipped: no zone files in {folder} (package tzdata)")
        return 77
    zoneinfo.reset_tzpath([folder])
    rng = random.Random(seed)
    lines, wanted, labels = [], [], {"repeated": 0, "missing": 0}
    for name in ZONES:
        if not os.path.exists(f"{folder}/{name}"):
            print(f"{name} is not installed here")
            continue
        zone = zoneinfo.ZoneInfo(name)
        for local in local_times(zone, 150, rng):
            lines.append(f"{name} {local:%Y-%m-%d %H:%M:%S}")
            wanted.append(expected(zone, local))
    env = {key: value for key, value in os.environ.items() if key != "TZDIR"}
    run = subprocess.run([program], input="\n".join(lines) + "\n", text=True, capture_output=True, env=env, check=False)
    if run.returncode != 0:
        print(run.stderr)
        return 1
    got = run.stdout.splitlines()
    wrong = [f"{line}: {have}, not {want}" for line, have, want in zip(lines, got, wanted) if have != want]
    for word in labels:
        labels[word] = sum(word in want for want in wanted)
    print("\n".join(wrong[:20]))
    print(f"seed {seed}: {len(lines)} times, {labels}, {len(wrong)} differ")
    return bool(wrong) or len(got) != len(lines) or min(labels.values()) < 20


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)))
