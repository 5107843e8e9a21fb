#!/bin/bash
# The table in docs/operations.md, "Logs", has every event that src/ logs, and each once.
# Usage: lint_event_docs.sh
set -u
cd "$(dirname "$0")/.." || exit 1

# Flat, as an event may stand on the line behind its log_warn(. Some are chosen by a variable.
logged=$(find src -name '*.c' -exec cat {} + | tr -d '\n' |
    grep -oE 'log_(debug|info|warn|error)\([^";]*"[a-z0-9_]+\.[a-z0-9_]+"' | grep -oE '"[^"]+"' |
    tr -d '"' | sort -u)
listed=$(sed -n '/^## Logs/,/^## Progress/p' docs/operations.md | grep '^| `' | cut -d'|' -f2 |
    grep -oE '`[^`]+`' | tr -d '`' | sort)
status=0

[ -n "$logged" ] || { echo "no events were found in src/"; exit 1; }
for event in $(comm -23 <(echo "$logged") <(echo "$listed" | uniq)); do
    echo "docs/operations.md: the event $event is not in the table below \"Logs\""
    status=1
done
for event in $(echo "$listed" | uniq -d); do
    echo "docs/operations.md: the event $event is in the table below \"Logs\" twice"
    status=1
done
for event in $(echo "$listed" | uniq); do
    grep -rqF "\"$event\"" src || { echo "docs/operations.md: nothing logs the event $event"; status=1; }
done
exit $status
