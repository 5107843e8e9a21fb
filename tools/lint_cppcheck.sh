#!/bin/bash
# cppcheck over src/.
set -u
cd "$(dirname "$0")/.." || exit 1

cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr -j 2 -I src \
    --error-exitcode=1 --suppress=missingInclude --suppress=missingIncludeSystem \
    -D__BYTE_ORDER__=1234 -D__ORDER_LITTLE_ENDIAN__=1234 -DCALVE_VERSION='"0"' src
