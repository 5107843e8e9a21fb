#!/bin/bash
# Every test there is, on private servers: `make check`. Goes on after a failure, so that one run shows
# all of them, and then fails.
set -uo pipefail
cd "$(dirname "$0")/.."

tools/deps.sh check || exit 1
jobs=$(nproc)
failed=()

step() {
    local name=$1 start=$SECONDS
    shift
    echo "== $name"
    "$@" || failed+=("$name")
    echo "== $name took $((SECONDS - start)) s"
}

# Unit tests, corpora and, where they are configured, lints.
tests() {
    tools/build.sh "$1" && ctest --test-dir "build/$1" -j "$jobs" --output-on-failure --no-tests=error
}

# In three parts at once, each with servers of its own: most of their time they wait for something.
end_to_end() {
    tools/build.sh release && ln -sf release/calve build/calve || return 1
    local python part folder status=0 pids=()
    local aws=(tests/e2e/test_aws*.py tests/e2e/test_takeover.py tests/e2e/test_services.py
        tests/e2e/test_engines.py tests/e2e/test_athena_docs.py tests/e2e/test_migration_docs.py
        tests/e2e/test_rest_access.py tests/e2e/test_s3_docs.py tests/e2e/test_signatures.py
        tests/e2e/test_random_*.py)
    local events=(tests/e2e/test_xa.py tests/e2e/test_fake_*.py tests/e2e/test_failover.py
        tests/e2e/test_differential.py tests/e2e/test_review_*.py)
    local others=("${aws[@]/#/--ignore=}" "${events[@]/#/--ignore=}")
    python=$(tools/deps.sh python)
    folder=$(mktemp -d)
    "$python" -m pytest --basetemp="$folder/aws" "${aws[@]}" > "$folder/aws.log" 2>&1 &
    pids+=($!)
    "$python" -m pytest --basetemp="$folder/events" "${events[@]}" > "$folder/events.log" 2>&1 &
    pids+=($!)
    "$python" -m pytest --basetemp="$folder/others" tests/e2e "${others[@]}" || status=1
    for part in "${pids[@]}"; do
        wait "$part" || status=1
    done
    cat "$folder/events.log" "$folder/aws.log"
    [ "$status" -ne 0 ] || rm -rf "$folder"
    return "$status"
}

step "dev: lints, unit tests, corpora" tests dev
step "asan: unit tests, corpora" tests asan
step "tsan: unit tests, corpora" tests tsan
step "end to end" end_to_end

if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}"
    exit 1
fi
echo "all checks passed in $SECONDS s"
