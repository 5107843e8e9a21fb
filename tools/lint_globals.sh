#!/bin/bash
# No mutable variables outside of functions and no static ones inside, except the flag of app/signals.c.
# Usage: lint_globals.sh BUILD_DIR
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

build=${1:?build folder}
objects=$(find "$build"/CMakeFiles -path '*/calve*.dir/src/*' -name '*.o' |
    grep -v '/src/app/signals\.c\.o$' | LC_ALL=C sort)
[ -n "$objects" ] || { echo "$build: no object files of src/"; exit 1; }

# Constants with pointers are in .data.rel.ro: written by the loader only.
failed=0
for object in $objects; do
    found=$(objdump -t "$object" |
        awk 'NF < 4 || $NF == $(NF - 2) { next }
             $(NF - 2) == "*COM*" || ($(NF - 2) ~ /^\.(data|bss|tdata|tbss)/ &&
                                      $(NF - 2) !~ /^\.data\.rel\.ro/) { print $NF }')
    for name in $found; do
        source=src/${object#*/src/}
        echo "${source%.o}: '$name' is a variable that outlives its function"
        failed=1
    done
done
exit $failed
