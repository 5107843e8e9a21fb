#!/usr/bin/env python3
"""count.py WAREHOUSE SCHEMA TABLE: rows and sum of ids for each event type, counted by DuckDB, as JSON."""

import json
import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "tests/e2e")]

from lake import Lake  # pylint: disable=wrong-import-position


def main():
    warehouse, schema, table = sys.argv[1:]
    rows = Lake(warehouse).duckdb(schema, table, "event_type, count(*), sum((payload->>'id')::HUGEINT)",
                                  "true GROUP BY event_type")
    print(json.dumps({kind: (count, int(total)) for kind, count, total in rows}))


if __name__ == "__main__":
    main()
