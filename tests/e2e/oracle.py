"""The payload of a row, computed from the source's own SELECT: what calve's bytes are judged by.

Independent of calve: it goes by INFORMATION_SCHEMA, the text protocol and Python's own arithmetic.
The form is described in docs/types.md.
"""

import base64
import json
import re
import struct
from decimal import Decimal
from fractions import Fraction

INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint", "year"}
FLOATS = {"float", "double"}
TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "uuid", "inet4", "inet6"}
BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"}
GEOMETRIES = {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
              "multipolygon", "geometrycollection", "geomcollection"}


# ---- numbers -----------------------------------------------------------------------------------


def _float32_bits(x):
    return struct.unpack("<I", struct.pack("<f", x))[0]


def _reads_as(number, bits):
    """Whether a decimal number, rounded once, is the positive float32 of these bits.

    Going by way of a double would round twice.
    """
    def value(b):  # above the greatest: as if the exponents went on
        return Fraction((b & 0x7FFFFF) | (0x800000 if b >> 23 else 0)) * Fraction(2) ** (max(b >> 23, 1) - 150)

    low = (value(bits - 1) + value(bits)) / 2
    high = (value(bits) + value(bits + 1)) / 2
    even = bits % 2 == 0
    n = Fraction(number)
    return (low < n or (even and low == n)) and (n < high or (even and n == high))


def _place(digits, exponent):
    """A number d.ddd * 10^exponent in the JSON form; digits is a text without zeros at its end."""
    if -7 <= exponent <= 20:
        if exponent < 0:
            return "0." + "0" * (-exponent - 1) + digits
        if len(digits) <= exponent + 1:
            return digits + "0" * (exponent + 1 - len(digits))
        return digits[:exponent + 1] + "." + digits[exponent + 1:]
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{exponent}"


def _split(text):
    """Digits and exponent of a positive decimal number."""
    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    assert sign == 0
    digits = "".join(map(str, digits))
    return digits, exponent + len(digits) - 1


def double_json(x):
    if x == 0:
        return "-0.0" if struct.pack("<d", x)[7] & 0x80 else "0"
    sign = "-" if x < 0 else ""
    return sign + _place(*_split(repr(abs(x))))


def float_json(x):
    """x is the exact value of a float32. The fewest digits that lead back to it, and of those the nearest."""
    if x == 0:
        return double_json(x)
    exact = Decimal(abs(x))
    for precision in range(1, 10):
        near = Decimal(f"{exact:.{precision - 1}e}")
        step = Decimal(1).scaleb(near.adjusted() - precision + 1)
        fits = [c for c in (near, near - step, near + step)  # near is first: of two as near it is the even one
                if c > 0 and _reads_as(c, _float32_bits(abs(x)))]
        if fits:
            # Two may be as near: the last digit is then the even one, as in near.
            best = min(fits, key=lambda c: (abs(c - exact), c != near))
            return ("-" if x < 0 else "") + _place(*_split(str(best)))
    raise AssertionError(f"{x!r} is no float32")


# ---- the other forms ---------------------------------------------------------------------------

_WHITE = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+', re.S)


def minified(text):
    """JSON text without the white space between tokens."""
    return _WHITE.sub(lambda m: m.group(1) or "", text)


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def b64(data):
    return '"' + base64.b64encode(data).decode() + '"'


_LABEL_ESCAPES = {"\\0": "\0", "\\n": "\n", "\\r": "\r", "\\t": "\t", "\\Z": "\x1a"}


def _labels(column_type):
    """The labels of enum('a','b') or set(…)."""
    inside = column_type[column_type.index("(") + 1:column_type.rindex(")")]
    found = re.findall(r"'((?:[^'\\]|''|\\.)*)'", inside, re.S)
    return [re.sub(r"''|\\.", lambda m: _LABEL_ESCAPES.get(m[0], m[0][1]), label, flags=re.S) for label in found]


def _name(text):
    return "`" + text.replace("`", "``") + "`"


def _literal(text):
    return f"_utf8mb4 X'{text.encode().hex()}'"


def _set_json(column, text):
    bits = int(text)
    labels = _labels(column["column_type"])
    return "[" + ",".join(quoted(l) for i, l in enumerate(labels) if bits >> i & 1) + "]"


def _geometry_json(data):
    srid = struct.unpack("<I", data[:4])[0] if len(data) >= 4 else 0
    return f'{{"srid":{srid},"wkb":{b64(data[4:])}}}'


def value_json(column, text):
    """The JSON of one value; text is what select_expression() gave, None for NULL."""
    kind = column["data_type"]
    if text is None:
        return "null"
    if kind in INTEGERS:
        return str(int(text))
    if kind == "decimal":
        number = Decimal(text)
        return f'"{abs(number) if number == 0 else number:f}"'
    if kind == "float":
        return float_json(float(text))
    if kind == "double":
        return double_json(float(text))
    if kind == "bit":
        number = int(text)
        return ("true" if number else "false") if column["column_type"] == "bit(1)" else str(number)
    if kind in TEXTS:
        return quoted(text)
    if kind == "set":
        return _set_json(column, text)
    if kind == "json":
        return minified(text)
    if kind in BYTES:
        return b64(bytes.fromhex(text))
    if kind in GEOMETRIES:
        return _geometry_json(bytes.fromhex(text))
    if kind in ("date", "time"):
        return f'"{text}"'
    if kind == "datetime":
        return f'"{text.replace(" ", "T")}"'
    if kind == "timestamp":
        return f'"{text.replace(" ", "T")}Z"'
    raise AssertionError(f"the oracle does not know the type {kind}")


def select_expression(column):
    """How to select a column so that nothing of its value is lost in the text protocol."""
    name = _name(column["column_name"])
    kind = column["data_type"]
    if kind in FLOATS:
        return f"CAST({name} AS DOUBLE)"
    if kind in ("bit", "set"):
        return f"CAST({name} AS UNSIGNED)"
    if kind in BYTES or kind in GEOMETRIES:
        return f"HEX({name})"
    return name


class Oracle:
    """Payloads of a server's tables."""

    def __init__(self, server, without_generated=False):
        import pymysql  # pylint: disable=import-outside-toplevel

        self.without_generated = without_generated
        self.connection = server.connect(conv={}, cursorclass=pymysql.cursors.SSCursor)
        self._run("SET time_zone='+00:00', sql_mode=''")

    def _run(self, sql, args=None):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, args)
            return list(cursor.fetchall())

    def columns(self, schema, table):
        without = " AND extra NOT LIKE '%% GENERATED%%'" if self.without_generated else ""
        rows = self._run(
            "SELECT column_name, data_type, column_type FROM information_schema.columns"
            f" WHERE table_schema = {_literal(schema)} AND table_name = {_literal(table)}{without}"
            " ORDER BY ordinal_position")
        assert rows, f"no table {schema}.{table}"
        return [{"column_name": n, "data_type": d.lower(), "column_type": c.lower() if d.lower()
                 not in ("enum", "set") else c} for n, d, c in rows]

    def rows(self, schema, table, where="1=1", order="1"):
        """[payload] of all rows of a table, as text."""
        columns = self.columns(schema, table)
        keys = [quoted(c["column_name"]) + ":" for c in columns]
        expressions = ", ".join(select_expression(c) for c in columns)
        found = []
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT {expressions} FROM {_name(schema)}.{_name(table)} WHERE {where}"
                           + (f" ORDER BY {order}" if order else ""))
            for row in cursor:
                values = (k + value_json(c, v) for k, c, v in zip(keys, columns, row))
                found.append("{" + ",".join(values) + "}")
        return found

    def by_key(self, schema, table, key=("id",), where="1=1"):
        """{key values: payload} of all rows of a table."""
        found = {}
        for payload in self.rows(schema, table, where, order=None):
            row = json.loads(payload)
            found[tuple(row[k] for k in key)] = payload
        return found

    def close(self):
        self.connection.close()
