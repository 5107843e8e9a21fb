#!/bin/bash
# Includes go down the layers of tools/layers.txt only, and *_int.h stays in its folder.
set -u
cd "$(dirname "$0")/.." || exit 1

awk '
    function fail(text) { print text; failed = 1 }
    function may(layer, other) { return layer == other || index(" " allowed[layer] " ", " " other " ") }
    FNR == 1 { file++ }
    file == 1 {
        if ($0 !~ /^#/ && split($0, part, ":") == 2) {
            allowed[part[1]] = part[2]
            known[part[1]] = 1
        }
        next
    }
    FNR == 1 {
        # src/<layer>/f.c, tests/unit/<layer>/test_f.c, fuzz/fuzz_<layer>_f.c; else no layer of its own.
        n = split(FILENAME, path, "/")
        product = path[1] == "src"
        layer = product ? path[2] : path[1] == "fuzz" ? path[2] : path[2] == "unit" ? path[3] : ""
        if (path[1] == "fuzz") {
            sub(/^fuzz_/, "", layer)
            sub(/_.*/, "", layer)
        }
        if (layer != "" && !(layer in known)) {
            fail(FILENAME ": tools/layers.txt has no layer \x27" layer "\x27")
        }
        folder = FILENAME
        sub(/\/[^\/]*$/, "", folder)
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, part, "\"")
        name = part[2]
        split(name, to, "/")
        if (name !~ /\//) {
            if (product) {
                fail(FILENAME ": \"" name "\" must be \"layer/file.h\"")
            } else if ((getline line < (folder "/" name)) < 0 &&
                       (getline line < ("tests/support/" name)) < 0) {
                fail(FILENAME ": \"" name "\" is neither beside it nor in tests/support")
            }
            close(folder "/" name)
            close("tests/support/" name)
            next
        }
        if (!(to[1] in known)) {
            fail(FILENAME ": \x27" to[1] "/\x27 is no layer")
        } else if (layer != "" && !may(layer, to[1])) {
            fail(FILENAME ": layer \x27" layer "\x27 may not include \x27" to[1] "/\x27")
        }
        if (name ~ /_int\.h$/ && to[1] != layer) {
            fail(FILENAME ": \"" name "\" belongs to the folder " to[1] "/")
        }
    }
    END { exit failed }
' tools/layers.txt $(find src tests/unit tests/support fuzz bench -name '*.[ch]' | LC_ALL=C sort)
