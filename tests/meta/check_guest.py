# SPDX-License-Identifier: Apache-2.0
"""What a guest in somebody's process does not do: calls that lib/ makes through one place of base only, or never.

The worker is a process of its own and may. A line that must may say so in CALLS below, with its file.
"""
import pathlib
import re
import sys

THREADS = "use base/thread.h: helper threads block the host's signals"
DESCRIPTORS = "use base/fd.h: 0 to 2 are the host's, open or closed"
LOCALE = "use base/locale.h, base/str.h or codec/number.h: nothing depends on the host's locale"
ZONES = "use codec/zone.h: the host's time zone plays no part, and TZ is not ours"
ABORTS = "return an error: a guest does not end the host"
CALLS = {
    "pthread_create": (THREADS, {"base/thread.c"}),
    "thrd_create": (THREADS, set()),
    **{name: (DESCRIPTORS, {"base/fd.c"}) for name in (
        "open", "openat", "creat", "mkostemp", "mkstemp", "dup", "pipe", "pipe2", "socket", "socketpair", "accept4",
        "memfd_create", "eventfd", "opendir", "fopen", "freopen", "tmpfile", "popen", "epoll_create1",
        "timerfd_create", "signalfd", "inotify_init1")},
    **{name: (LOCALE, {"base/locale.c"}) for name in (
        "strtod", "strtof", "strtold", "atof", "strtod_l", "strtof_l", "vsnprintf", "sprintf", "vsprintf", "isalpha",
        "isalnum", "isdigit", "isspace", "isupper", "islower", "isprint", "ispunct", "isxdigit", "toupper", "tolower",
        "strcasecmp", "strncasecmp", "strcoll", "strxfrm", "strftime", "strptime", "localeconv", "nl_langinfo",
        "strerror", "strerror_r", "strsignal", "strerrordesc_np", "mbstowcs", "wcstombs", "mbrtowc", "towlower",
        "towupper")},
    **{name: (ZONES, set()) for name in ("tzset", "localtime", "localtime_r", "mktime", "timelocal", "ctime", "ctime_r")},
    **{name: (ABORTS, set()) for name in ("assert", "abort", "exit", "_exit", "quick_exit", "raise")},
    **{name: ("the host's process is not ours to change", set()) for name in (
        "setlocale", "chdir", "fchdir", "umask", "setenv", "putenv", "signal", "setrlimit", "fork", "vfork", "daemon",
        "system", "alarm", "setitimer")},
}
COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
# A number with a fraction, written or read with the host's decimal sign.
FRACTION = re.compile(r"""(?<![\w])(snprintf|sscanf|fprintf|printf)\s*\((?:[^;"]|"(?:\\.|[^"\\])*")*?"(?:\\.|[^"\\%]|%%)*"""
                      r"""%[-+ #0-9.*]*[lL]?[aAeEfFgG]""")
CALL = re.compile(r"(?<![\w.>])(" + "|".join(CALLS) + r")\s*\(")


def main(root):
    found = []
    lib = pathlib.Path(root) / "lib"
    for path in sorted([*lib.rglob("*.c"), *lib.rglob("*.h")]):
        name = path.relative_to(lib).as_posix()
        if name.startswith("worker/"):
            continue
        whole = path.read_text()
        for match in FRACTION.finditer(whole):
            found.append(f"lib/{name}:{whole.count(chr(10), 0, match.start()) + 1}: {match[1]}() of a fraction: {LOCALE}")
        # Comments and texts become as many lines of nothing.
        text = COMMENT_OR_TEXT.sub(lambda m: "\n" * m[0].count("\n"), whole)
        for number, line in enumerate(text.split("\n"), 1):
            for call in CALL.findall(line):
                why, allowed = CALLS[call]
                if name not in allowed:
                    found.append(f"lib/{name}:{number}: {call}(): {why}")
    print("\n".join(found) or "no call that a guest does not make")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
