"""MySQL's binary JSON and its differences, decoded slowly: a document becomes Python values first.

Independent of calve: written from MySQL's documentation (json_binary.h describes the layout). An
object is a dict, an array a list, a string a str, a literal None or a bool, an integer an int; a
double, a decimal and whatever else JSON does not have are objects of their own.
"""

import base64
import math
import re
import struct
from decimal import Decimal


class Malformed(ValueError):
    """Bytes that are not what their place says."""


class Double(float):
    """A double: it keeps its point when it is whole."""


class Plain(str):
    """Text that is printed as it stands: decimals."""


class Strange(str):
    """What JSON does not have; printed as a string."""


# ---- reading -----------------------------------------------------------------------------------


def varlen(data, at):
    """(number, where it ends): groups of seven bits, low ones first."""
    number = 0
    for i in range(5):
        byte = data[at + i]
        number |= (byte & 0x7F) << 7 * i
        if not byte & 0x80:
            return number, at + i + 1
    raise Malformed("a length of more than five bytes")


def decimal_text(data, precision, scale):
    """The packed form of NEWDECIMAL as text with all its fraction digits."""
    size_of = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
    whole, left = divmod(precision - scale, 9)
    parts, rest = divmod(scale, 9)
    sizes = [(size_of[left], left)] * (left > 0) + [(4, 9)] * whole
    fraction = [(4, 9)] * parts + [(size_of[rest], rest)] * (rest > 0)
    total = sum(s for s, _ in sizes + fraction)
    if len(data) != total:
        raise Malformed(f"DECIMAL({precision},{scale}) of {len(data)} bytes")
    raw = bytearray(data)
    negative = not raw[0] & 0x80
    raw[0] ^= 0x80
    if negative:
        raw = bytearray(b ^ 0xFF for b in raw)
    at, digits = 0, ["", ""]
    for side, groups in enumerate((sizes, fraction)):
        for size, count in groups:
            group = int.from_bytes(raw[at:at + size], "big")
            if group >= 10 ** count:
                raise Malformed(f"{group} where a DECIMAL has {count} digits")
            digits[side] += f"{group:0{count}d}"
            at += size
    text = (digits[0].lstrip("0") or "0") + ("." + digits[1] if scale else "")
    return "-" + text if negative and Decimal(text) != 0 else text


def packed_size(precision, scale):
    size_of = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
    whole, part = precision - scale, scale
    return 4 * (whole // 9) + size_of[whole % 9] + 4 * (part // 9) + size_of[part % 9]


def _packed_time(kind, data):
    packed = struct.unpack("<q", data)[0]
    sign, packed = ("-", -packed) if packed < 0 else ("", packed)
    micros, rest = packed & 0xFFFFFF, packed >> 24
    hms, ymd = rest & 0x1FFFF, rest >> 17
    if kind == 11:
        hms = rest
        return f"{sign}{hms >> 12:02d}:{hms >> 6 & 63:02d}:{hms & 63:02d}.{micros:06d}"
    date = f"{(ymd >> 5) // 13:04d}-{(ymd >> 5) % 13:02d}-{ymd & 31:02d}"
    if kind == 10:
        return date
    return f"{date} {hms >> 12:02d}:{hms >> 6 & 63:02d}:{hms & 63:02d}.{micros:06d}"


def _opaque(data, at):
    kind = data[at]
    length, at = varlen(data, at + 1)
    raw = data[at:at + length]
    if len(raw) != length:
        raise Malformed("an opaque value that is cut")
    if kind == 246:
        return Plain(decimal_text(raw[2:], raw[0], raw[1]))
    if kind in (7, 10, 11, 12):
        return Strange(_packed_time(kind, raw))
    text = base64.b64encode(raw).decode()
    lines = "\n".join(text[i:i + 76] for i in range(0, len(text), 76))
    return Strange(f"base64:type{kind}:{lines}")


def _container(data, at, large, is_object):
    start, size = at, 4 if large else 2
    unit = "<I" if large else "<H"

    def number(where):
        return struct.unpack_from(unit, data, where)[0]

    count = number(at)
    at += 2 * size
    keys = []
    for _ in range(count if is_object else 0):
        offset, length = number(at), struct.unpack_from("<H", data, at + size)[0]
        keys.append(data[start + offset:start + offset + length].decode("utf-8"))
        at += size + 2
    values = []
    for _ in range(count):
        kind = data[at]
        if kind in (4, 5, 6) or (large and kind in (7, 8)):
            values.append(_value(kind, data, at + 1))
        else:
            values.append(_value(kind, data, start + number(at + 1)))
        at += 1 + size
    return dict(zip(keys, values)) if is_object else values


_NUMBERS = {5: "<h", 6: "<H", 7: "<i", 8: "<I", 9: "<q", 10: "<Q"}


def _value(kind, data, at):
    if kind in (0, 1, 2, 3):
        return _container(data, at, kind in (1, 3), kind < 2)
    if kind == 4:
        return {0: None, 1: True, 2: False}[data[at]]
    if kind in _NUMBERS:
        return struct.unpack_from(_NUMBERS[kind], data, at)[0]
    if kind == 11:
        return Double(struct.unpack_from("<d", data, at)[0])
    if kind == 12:
        length, at = varlen(data, at)
        return data[at:at + length].decode("utf-8")
    if kind == 15:
        return _opaque(data, at)
    raise Malformed(f"JSON of type {kind}")


def parse(data):
    """A document; an empty one is null."""
    return _value(data[0], data, 1) if data else None


# ---- printing ----------------------------------------------------------------------------------

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text):
    return '"' + re.sub(r'["\\\x00-\x1f]', lambda m: _ESCAPES.get(m[0]) or f"\\u{ord(m[0]):04x}", text) + '"'


def double_text(x):
    """As the server prints a double within JSON: plain while the point is near the digits."""
    if x == 0:
        return "-0.0" if math.copysign(1, x) < 0 else "0.0"
    sign, digits, exponent = Decimal(repr(abs(float(x)))).normalize().as_tuple()
    digits = "".join(map(str, digits))
    point = len(digits) + exponent
    minus = "-" if x < 0 else ""
    if not (-14 <= point <= 15 or 0 < point < len(digits)):
        tail = "." + digits[1:] if len(digits) > 1 else ""
        return f"{minus}{digits[0]}{tail}e{point - 1}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return f"{minus}{digits}{'0' * (point - len(digits))}.0"
    return f"{minus}{digits[:point]}.{digits[point:]}"


def text_of(value):
    """Compact JSON text; keys in MySQL's order."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Double):
        return double_text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Plain):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    keys = sorted(value, key=lambda k: (len(k.encode()), k.encode()))
    return "{" + ",".join(f"{quoted(k)}:{text_of(value[k])}" for k in keys) + "}"


# ---- differences -------------------------------------------------------------------------------

REPLACE, INSERT, REMOVE = 0, 1, 2
_LEG = re.compile(r'\s*(?:\.\s*(?:"((?:[^"\\]|\\.)*)"|([^\s.\["]+))|\[\s*(last(?:-\d+)?|\d+)\s*\])')


def path_legs(path):
    """$.a[3]."k" to ["a", 3, "k"]."""
    if not path.startswith("$"):
        raise Malformed(f"path {path!r}")
    legs, at = [], 1
    while at < len(path):
        found = _LEG.match(path, at)
        if found is None:
            raise Malformed(f"path {path!r} at {at}")
        if found[3] is not None and found[3].startswith("last"):
            legs.append(-1 - int(found[3][5:] or 0))  # as Python counts from the end
        elif found[3] is not None:
            legs.append(int(found[3]))
        elif found[2] is not None:
            legs.append(found[2])
        else:
            legs.append(re.sub(r"\\(u[0-9a-fA-F]{4}|.)", _unescape, found[1]))
        at = found.end()
    return legs


def _unescape(found):
    word = found[1]
    if word[0] == "u" and len(word) == 5:
        return chr(int(word[1:], 16))
    return {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}.get(word, word)


def apply(document, operation, path, value):
    """The document after one difference. Where a path leads nowhere, the log is wrong."""
    legs = path_legs(path)
    if not legs:
        if operation != REPLACE:
            raise Malformed(f"{operation} of the whole document")
        return value
    place = document
    for leg in legs[:-1]:
        place = place[leg]
    leg = legs[-1]
    if isinstance(place, list) != isinstance(leg, int):
        raise Malformed(f"{path} does not fit the document")
    if isinstance(place, list):
        if operation == INSERT:  # an index from the end that is before the start means the start
            place.insert(max(len(place) + leg, 0) if leg < 0 else leg, value)
        elif operation == REPLACE:
            place[leg] = value
        else:
            del place[leg]
    elif operation == REMOVE:
        del place[leg]
    else:
        if (leg in place) != (operation == REPLACE):
            raise Malformed(f"{operation} at {path}")
        place[leg] = value
    return document
