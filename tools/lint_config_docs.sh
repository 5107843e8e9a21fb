#!/bin/bash
# docs/config.md is what `calve config --markdown` prints. Usage: lint_config_docs.sh BUILD_DIR
set -u
cd "$(dirname "$0")/.." || exit 1

calve=${1:?build folder}/calve
[ -x "$calve" ] || { echo "$calve is not built"; exit 1; }
"$calve" config --markdown | diff -u docs/config.md - ||
    { echo "docs/config.md differs from the table in src/app/config_table.c: run"
      echo "  $calve config --markdown > docs/config.md"
      exit 1; }
