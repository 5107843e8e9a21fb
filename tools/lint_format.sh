#!/bin/bash
# clang-format decides.
set -u
cd "$(dirname "$0")/.." || exit 1

find src tests/unit tests/support fuzz bench -name '*.[ch]' | LC_ALL=C sort |
    xargs clang-format --dry-run -Werror --ferror-limit=1
