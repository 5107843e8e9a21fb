#!/bin/bash
# Configures and builds presets: build.sh PRESET... Builds go to build/PRESET.
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v ccache > /dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache
fi
jobs=$(nproc)
for preset in "$@"; do
    log=build/$preset.log
    mkdir -p build
    echo "building build/$preset ..."
    if ! { cmake --preset "$preset" && cmake --build --preset "$preset" -j "$jobs"; } > "$log" 2>&1; then
        cat "$log"
        echo "build.sh: preset $preset failed"
        exit 1
    fi
    echo "built build/$preset"
done
