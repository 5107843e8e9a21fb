#!/bin/bash
# Runs each fuzzer for some seconds, two at a time: fuzz.sh [SECONDS [NAME...]]. It starts from the
# committed corpus and keeps what it learns in build/fuzz/corpus; findings go to build/fuzz/found.
set -uo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-180}
shift
tools/build.sh fuzz || exit 1
found=$PWD/build/fuzz/found
mkdir -p "$found"
export seconds found

one() {
    local name=$1 kept=build/fuzz/corpus/$1 log=build/fuzz/$1.log
    mkdir -p "$kept"
    if "build/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -artifact_prefix="$found/$name-" -print_final_stats=1 "$kept" "tests/corpus/$name" \
        > "$log" 2>&1; then
        echo "ok    $name: $(grep -o 'number_of_executed_units: [0-9]*' "$log" | tail -1)"
    else
        echo "FOUND $name: see $log and $found/$name-*"
        tail -n 40 "$log"
        return 1
    fi
}
export -f one

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for source in fuzz/fuzz_*.c; do
        name=$(basename "$source" .c)
        names+=("${name#fuzz_}")
    done
fi
printf '%s\n' "${names[@]}" | xargs -P 2 -I{} bash -c 'one {}'
