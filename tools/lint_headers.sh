#!/bin/bash
# Each header under src/ compiles alone.
set -u
cd "$(dirname "$0")/.." || exit 1

cflags="-std=c17 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -Isrc -Wall -Wextra -Wpedantic -Werror
        $(pkg-config --cflags libmariadb jansson yaml-0.1 sqlite3 libzstd libdeflate libcrypto libxxhash)"
check() {
    # Included twice by a file of its own: the guard counts too.
    printf '#include "%s"\n#include "%s"\n' "${1#src/}" "${1#src/}" |
        gcc $cflags -fsyntax-only -x c - || { echo "$1: does not compile alone"; return 1; }
}
export -f check
export cflags
find src -name '*.h' | LC_ALL=C sort | xargs -P 2 -I{} bash -c 'check {}'
