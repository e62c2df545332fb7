#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a test so that a leak in it fails it: Criterion alone prints the leak and exits with 0.
d=$(mktemp -d) || exit 2
ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$d/san" \
    UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}log_path=$d/san" "$@"
rc=$?
for f in "$d"/san.*; do
    if [ -f "$f" ]; then
        cat "$f" >&2
        rc=1
    fi
done
rm -rf "$d"
exit $rc
