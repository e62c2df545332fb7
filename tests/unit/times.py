# SPDX-License-Identifier: Apache-2.0
"""Times read by the library and by Python: local times in zones (zoneinfo, from the same zone files, half of them near changes
of the clocks), times by formats (strptime) and ISO 8601 (fromisoformat). What both read is the same.

times.py zones|formats|iso PROGRAM [SEED]. Exit 77: there are no zone files, or this Python does not read that.
"""
import datetime
import os
import random
import re
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


def read(program, lines):
    env = {key: value for key, value in os.environ.items() if key != "TZDIR"}
    run = subprocess.run([program], input="".join(line + "\n" for line in lines), text=True, capture_output=True, env=env,
                         check=False)
    if run.returncode != 0:
        raise SystemExit(run.stderr)
    got = run.stdout.splitlines()
    if len(got) != len(lines):
        raise SystemExit(f"{len(got)} answers to {len(lines)} lines")
    return got


def zones(program, seed):
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
            lines.append(f"{name}\t\t{local:%Y-%m-%d %H:%M:%S}")
            wanted.append(expected(zone, local))
    got = read(program, lines)
    wrong = [f"{line}: {have}, not {want}" for line, have, want in zip(lines, got, wanted) if have != want]
    for word in labels:
        labels[word] = sum(word in want for want in wanted)
    print("\n".join(wrong[:20]))
    print(f"seed {seed}: {len(lines)} times, {labels}, {len(wrong)} differ")
    return bool(wrong) or min(labels.values()) < 20


def nanoseconds(moment):
    passed = (moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)) - EPOCH.replace(
        tzinfo=datetime.timezone.utc)
    return (passed.days * 86400 + passed.seconds) * 10**9 + passed.microseconds * 1000


def any_moment(rng):
    return datetime.datetime(1700, 1, 1) + datetime.timedelta(seconds=rng.randint(0, 550 * 31556952),
                                                              microseconds=rng.choice([0, rng.randint(0, 999999)]))


def maybe_spoiled(text, rng, signs):
    if rng.random() < 0.2:
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice(signs) + text[at + rng.choice([0, 1]):]
    return text.strip()


def compare(program, seed, cases, refused):
    """cases: (format, text, nanoseconds or None). refused: what is sound for Python may be refused here."""
    got = read(program, [f"\t{form}\t{text}" for form, text, _ in cases])
    both, wrong = 0, []
    for (form, text, want), have in zip(cases, got):
        sound = want is not None and -2**63 <= want < 2**63
        both += sound and have != "refused"
        if sound and have != str(want) and not (have == "refused" and refused(text)):
            wrong.append(f"'{form}' '{text}': {have}, not {want}")
    print("\n".join(wrong[:20]))
    print(f"seed {seed}: {len(cases)} times, {both} read by both, {len(wrong)} differ")
    return bool(wrong) or both < len(cases) // 2


def formats(program, seed):
    rng = random.Random(seed)
    shapes = [["%d", "%m", "%Y", "%H", "%M", "%S"], ["%b", "%d", "%Y", "%H", "%M"], ["%A", "%d", "%B", "%y", "%H", "%M", "%S"],
              ["%Y", "%j", "%H", "%M"], ["%m", "%d", "%y", "%I", "%M", "%S", "%p"], ["%Y", "%m", "%d", "%H", "%M", "%S", "%f", "%z"]]
    cases = []
    for _ in range(1500):
        words = rng.sample(shape := rng.choice(shapes), len(shape))
        form = rng.choice(["/", " ", "-", "_", "T", "; "]).join(words)
        for _ in range(4):
            moment = any_moment(rng)
            if "%y" in words:
                moment = moment.replace(year=rng.randint(1969, 2068), day=min(moment.day, 28))
            if "%z" in words:
                moment = moment.replace(tzinfo=datetime.timezone(datetime.timedelta(minutes=rng.randint(-56, 56) * 15)))
            text = maybe_spoiled(moment.strftime(form), rng, "0123456789/ ")
            try:
                want = nanoseconds(datetime.datetime.strptime(text, form))
            except ValueError:
                want = None
            cases.append((form, text, want))
    # strptime() takes the 366th day of any year.
    return compare(program, seed, cases, lambda text: "366" in text)


def iso(program, seed):
    if sys.version_info < (3, 11):
        print("skipped: fromisoformat() of this Python reads little of ISO 8601")
        return 77
    rng = random.Random(seed)
    cases = []
    while len(cases) < 20000:
        moment = any_moment(rng)
        text = moment.strftime(rng.choice(["%Y-%m-%d", "%G-W%V-%u", "%GW%V%u", "%G-W%V"]))
        clock = rng.choice(["", "%H", "%H:%M", "%H%M", "%H:%M:%S", "%H%M%S", "%H:%M:%S.%f", "%H%M%S,%f"])
        if clock:
            text += rng.choice("T ") + moment.strftime(clock) + rng.choice(["", "Z", "+02", "-0830", "+05:45", "+01:05:21"])
        text = maybe_spoiled(text, rng, "0123456789-:.TZ+ ")
        try:
            want = nanoseconds(datetime.datetime.fromisoformat(text))
        except ValueError:
            want = None
        cases.append(("", text, want))
    # Not compared: Python takes any sign between date and clock, so that an offset behind a date is a clock, cuts behind
    # microseconds, and reads eight digits of any year as a date.
    apart = re.compile(r"[.,]\d{7}|^\d{8}$|(^....-..-..|W\d\d(-?\d)?)[+-]\d\d")
    cases = [case for case in cases if not apart.search(case[1])]
    usual = re.compile(r"(\d{4}-?W\d\d(-?\d)?|\d{4}-\d\d-\d\d)([T ]\d\d(:?\d\d(:?\d\d([.,]\d+)?)?)?(Z|[+-]\d\d(:?[0-5]\d){0,2})?)?$")
    return compare(program, seed, cases, lambda text: not usual.match(text) or "W" in text)


if __name__ == "__main__":
    sys.exit({"zones": zones, "formats": formats, "iso": iso}[sys.argv[1]](
        sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(10**6)))
