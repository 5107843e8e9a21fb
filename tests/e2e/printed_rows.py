"""What the servers' own mysqlbinlog prints of rows, taken apart and compared with the slow decoder's values.

Only what it prints exactly is compared: not FLOAT (six digits) and the year 0 (it prints 1900).
"""

import json
import re
import struct
import subprocess

from oracle import minified
from slow_decoder import CHANGES, Malformed

_HEAD = re.compile(rb"### (INSERT INTO|UPDATE|DELETE FROM) `(.*)`\.`(.*)`$")
_VALUE = re.compile(rb"###   @(\d+)=(.*)$")
_COMMENT = re.compile(rb" /\* [A-Z0-9_/(), a-z]+ meta=\d+ nullable=[01] is_null=[01] \*/$")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.S)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"Z": b"\x1a"}
_KINDS = {b"INSERT INTO": "insert", b"UPDATE": "update", b"DELETE FROM": "delete"}


def printed(server, path, wanted):
    """[(change, table, where values, set values)] of a file, of wanted(schema, table); values as bytes."""
    done = subprocess.run([*server.programs.command("mysqlbinlog"), "--no-defaults", "-vv",
                           "--base64-output=DECODE-ROWS", str(path)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    rows, side, is_wanted = [], None, False
    for line in done.stdout.split(b"\n"):
        head = _HEAD.match(line)
        if head:
            schema, table = head[2].decode(), head[3].decode()
            is_wanted = wanted(schema, table)
            if is_wanted:
                rows.append((_KINDS[head[1]], table, [], []))
        elif line == b"### WHERE":
            side = 2
        elif line == b"### SET":
            side = 3
        else:
            value = _VALUE.match(line)
            if value and is_wanted:
                values = rows[-1][side]
                assert int(value[1]) == len(values) + 1, line
                text, comments = _COMMENT.subn(b"", value[2])
                assert comments == 1, line[-100:]
                values.append(text)
    return rows


def decoded(decoder, data, wanted):
    """The same of the decoder: [(change, table map, before, after)]."""
    rows = []
    for event in decoder.raw_events(data, wanted):
        if event.type in CHANGES:
            table, images = decoder.images(event)
            rows += [(CHANGES[event.type], table, before, after) for before, after in images]
    return rows


def _unquoted(text):
    assert text[:1] == text[-1:] == b"'", text[:80]

    def plain(found):
        word = found[1]
        return bytes([int(word[1:], 16)]) if len(word) == 3 else _LETTERS.get(word, word)
    return _ESCAPE.sub(plain, text[1:-1])


def _without_length(column, raw):
    if column.type in (252, 255, 245, 242, 140):
        return raw[column.meta[0]:]
    most = column.meta if column.type == 254 else int.from_bytes(column.meta, "little")
    return raw[1 if most < 256 else 2:]


def _integer(column, raw, text):
    """-1 (255) leaves the sign to the reader."""
    found = re.fullmatch(rb"(-?\d+)(?: \((\d+)\))?", text)
    number = int.from_bytes(raw, "little", signed=not column.unsigned)
    return number == int(found[2] if column.unsigned and found[2] else found[1])


def _moment(column, text):
    """A TIMESTAMP's seconds as the payload has them."""
    whole, _, part = text.decode().partition(".")
    raw = int(whole).to_bytes(4, "big" if column.type == 17 else "little")
    digits = column.meta[0] if column.type == 17 else 0
    assert len(part) == digits, text
    size = (digits + 1) // 2
    return raw + (int(part.ljust(2 * size, "0")) if size else 0).to_bytes(size, "big")


def same(column, raw, shown, text, family):
    """Whether a printed value is that of the decoder: its raw bytes, and the JSON made of them."""
    if raw is None or text == b"NULL":
        return raw is None and text == b"NULL"
    if column.form == "int":
        return _integer(column, raw, text) and shown == str(int.from_bytes(raw, "little", signed=not column.unsigned))
    if column.form == "float":
        return abs(float(text) - struct.unpack("<f", raw)[0]) <= abs(float(text)) * 1e-5 + 1e-44
    if column.form == "double":
        return float(text) == struct.unpack("<d", raw)[0] == float(shown)
    if column.form == "decimal":
        return shown == f'"{text.decode()}"' or (text[:1] == b"-" and not re.search(rb"[1-9]", text))
    if column.form == "bit":
        return int(text[2:-1], 2) == {"true": 1, "false": 0}.get(shown, shown.isdigit() and int(shown))
    if column.form == "year":
        return text.decode() == shown or (text, shown) == (b"1900", "0")
    if column.form == "enum":
        return int(text) == int.from_bytes(raw, "little")
    if column.form == "set":
        # Printed byte by byte, the lowest first.
        bits = text[2:-1]
        return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8)) == raw
    if column.form == "timestamp":
        return _moment(column, text) == raw
    if family == "mariadb" and column.form not in ("date", "time", "datetime"):
        # It leaves quotes and backslashes as they are, so that what it prints cannot be read back.
        return text == b"'" + re.sub(rb"[\0-\x1f]", lambda m: b"\\x%02x" % m[0][0], _without_length(column, raw)) + b"'"
    value = _unquoted(text)
    if column.form in ("date", "time", "datetime"):
        separators = {"date": (b":", b"-"), "datetime": (b" ", b"T"), "time": (b"", b"")}[column.form]
        return shown == f'"{value.replace(*separators).decode()}"'
    if column.form == "json":
        document = value.decode("utf-8")
        return document == json.loads(shown) if shown[:1] == '"' else minified(document) == shown
    return value == _without_length(column, raw)


def compare(server, path, decoder, data, schema, skipped=()):
    """Every row of a schema; returns how many values were compared."""
    def wanted(of, table):
        return of == schema and table not in skipped

    theirs, ours = printed(server, path, wanted), decoded(decoder, data, wanted)
    if [r[:2] for r in theirs] != [(r[0], r[1].name) for r in ours]:
        raise Malformed(f"mysqlbinlog has {len(theirs)} rows, the slow decoder {len(ours)}")
    count = 0
    for (_, name, where, after), (_, table, *images) in zip(theirs, ours):
        for values, image in zip((where, after), images):
            assert len(values) == len(image), f"{name}: {len(values)} of {len(image)} values are printed"
            for column, text in zip(table.columns, values):
                raw, shown = image[column.index]
                assert same(column, raw, shown, text, server.family), f"{name}.{column.name} ({column.form}): {shown} is {text!r}"
                count += 1
    return count

