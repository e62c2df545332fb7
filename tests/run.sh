#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need and runs them all. Options go to tests/run.py (--help).
set -eu
cd "$(dirname "$0")/.."
sh .ci/setup tests
exec /usr/bin/python3 tests/run.py "$@"
