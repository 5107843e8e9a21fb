"""Text in every charset and collation of a server, character by character as the server converts it."""

import pytest

from test_types import LOOSE, check_payloads

CHUNK = 256
LETTERS = "_utf8mb4 X'c3a961'"  # é, a
MULTI_BYTE = ("big5", "cp932", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "sjis", "ujis")


def charsets(source):
    return sorted(r[0] for r in source.sql("SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS")
                  if r[0] != "binary")


def unicode_chunks():
    """All of the basic plane, and some of what lies above it."""
    points = [p for p in range(1, 0x10000) if not 0xD800 <= p < 0xE000]
    points += [*range(0x1F300, 0x1F700), *range(0x20000, 0x2A6D7, 61), 0x2F800, 0x10FFFF]
    return ["".join(map(chr, points[i:i + CHUNK])) for i in range(0, len(points), CHUNK)]


def numbers(source):
    source.sql("CREATE TABLE numbers (n INT PRIMARY KEY)",
               "INSERT INTO numbers WITH d AS (SELECT 0 i UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4"
               " UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9 UNION SELECT 10"
               " UNION SELECT 11 UNION SELECT 12 UNION SELECT 13 UNION SELECT 14 UNION SELECT 15)"
               " SELECT a.i + b.i * 16 + c.i * 256 + d.i * 4096 FROM d a, d b, d c, d")


def write_characters(source, names):
    """Each character in each charset; where a charset lacks one the server writes a question mark."""
    columns = ", ".join(f"`{n}` TEXT CHARACTER SET {n}" for n in names)
    source.sql(f"CREATE TABLE characters (id INT PRIMARY KEY, {columns})")
    for i, chunk in enumerate(unicode_chunks()):
        source.sql(f"SET @s = _utf8mb4 X'{chunk.encode().hex()}'",
                   f"INSERT INTO characters VALUES ({i}{', @s' * len(names)})")


def write_bytes(source, names):
    """Each sequence of one or two bytes (or 8F and two) that is a character of a charset."""
    some = [n for n in names if not n.startswith(("utf", "ucs"))]
    columns = ", ".join(f"`{n}` MEDIUMTEXT CHARACTER SET {n}" for n in some)
    source.sql(f"CREATE TABLE bytes (id INT AUTO_INCREMENT PRIMARY KEY, {columns})")
    for name in some:
        forms = [("LPAD(HEX(n), 2, '0')", 0, 256)]
        if name in MULTI_BYTE:
            forms.append(("LPAD(HEX(n), 4, '0')", 0x8000, 65536))
        if name in ("ujis", "eucjpms"):
            forms.append(("CONCAT('8F', LPAD(HEX(n), 4, '0'))", 0x8000, 65536))
        for form, least, limit in forms:
            # What stands for no character comes as a question mark, what is cut comes shorter.
            found = source.sql(
                f"SELECT {form} h, CONVERT(UNHEX({form}) USING {name}) c FROM numbers"
                f" WHERE n >= {least} AND n < {limit} HAVING CHAR_LENGTH(c) = 1 AND HEX(c) = h")
            good = [h for h, c in found if c != "?" or h == "3F"]
            assert len(good) > 90, (name, form)
            for i in range(0, len(good), CHUNK):
                chunk = "".join(good[i:i + CHUNK])
                source.sql(f"INSERT INTO bytes (`{name}`) VALUES (CONVERT(X'{chunk}' USING {name}))")


def write_collations(source):
    """A column per collation: its number travels in the binlog and stands for a charset."""
    name = "FULL_COLLATION_NAME" if source.family == "mariadb" else "COLLATION_NAME"
    found = source.sql(f"SELECT {name}, CHARACTER_SET_NAME FROM"
                       " information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
                       " WHERE CHARACTER_SET_NAME <> 'binary' ORDER BY 1")
    tables = []
    for start in range(0, len(found), 250):
        part = found[start:start + 250]
        tables.append(f"collations{len(tables)}")
        columns = ", ".join(f"`{c}` VARCHAR(2) CHARACTER SET {cs} COLLATE {c}" for c, cs in part)
        source.sql(f"CREATE TABLE {tables[-1]} (id INT PRIMARY KEY, {columns})",
                   f"INSERT INTO {tables[-1]} VALUES (1{(', ' + LETTERS) * len(part)})")
    return tables


def check_every_charset(source, make_calve, oracle):
    names = charsets(source)
    source.sql(LOOSE, "SET SESSION innodb_strict_mode = OFF")
    start = source.place()
    numbers(source)
    write_characters(source, names)
    write_bytes(source, names)
    tables = ["characters", "bytes", *write_collations(source)]

    options = {"exclude-table": f"{source.schema}.numbers"}
    copied = make_calve(source, options=options)
    copied.ok("backfill")
    followed = make_calve(source, options=options | {"ddl-accept": "all"})
    followed.ok("run", snapshot="never", **{"from": start, "until": "current"})
    wrong = []
    for table in tables:
        expected = oracle.rows(source.schema, table)
        assert expected, table
        wrong += check_payloads(f"{table}, insert", followed.lake.payloads(source.schema, table, "insert"), expected)
        wrong += check_payloads(f"{table}, backfill", copied.lake.payloads(source.schema, table, "backfill"), expected)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("flavor,metadata", [("mysql-9", "MINIMAL"), ("mariadb-10.11", "MINIMAL"),
                                             ("mariadb-11.8", "NO_LOG")])
def test_V9_every_charset(flavor, metadata, make_source, make_calve, make_oracle):
    """V9: every charset of the server, one beside the other."""
    source = make_source(flavor)
    with source.globals(binlog_row_metadata=metadata):
        source.reconnect()
        check_every_charset(source, make_calve, make_oracle(source))
