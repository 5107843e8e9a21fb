"""Random tables of all types, and random statements that change their rows.

All that is random comes from one random.Random: the same seed gives the same tables and statements.
Statements are meant for a session without strict mode: what does not fit is bent by the server, and
what comes out is read back from it. Nothing here knows what a payload looks like.
"""

import dataclasses
import string

from type_tables import SHAPES, blob, name_of, text

CHARACTERS = {
    "ascii": string.ascii_letters + string.digits + " .,-_%'\"\\/\t\n",
    "latin": "äöüßéèñçÅØ¿£€þÿŠž",
    "cyrillic": "абвгдежзЯШЩё",
    "greek": "αβγδεΩΣς",
    "hebrew": "אבגדה",
    "thai": "กขคงจ",
    "japanese": "日本語テキストあいう",
    "chinese": "中文汉字漢字",
    "korean": "한국어가나",
    "control": "".join(map(chr, range(32))) + "\x7f\x80\x9f",
    "special": "\u2028\u2029\ufeff\ufffd\uffff\u200d\u0301",
    "high": "🧊👩𝒳𠀀\U0010ffff",
}
# Characters of labels must be in the charset: what is not would become a question mark.
LABEL_CHARACTERS = {
    "utf8mb4": "äß日本中한яΩ", "utf8mb3": "äß日本中한яΩ", "ucs2": "äß日Ω", "utf16": "äß日Ω", "utf32": "äß日Ω",
    "utf16le": "äß日Ω", "latin1": "äöß€", "gbk": "中文", "gb2312": "中文", "gb18030": "中文日", "big5": "中文",
    "sjis": "日本ア", "cp932": "日本ア", "ujis": "日本", "eucjpms": "日本", "euckr": "한국", "cp1251": "яШ",
    "koi8r": "яШ", "greek": "αβ", "hebrew": "אב", "tis620": "กข", "latin2": "Šž",
}
WORDS = ["", " ", "a", "A", "0", "null", "trailing  ", " leading", "\0", "it's", 'quo"te', "back\\slash", "%_", "{}", "😀"]
NAMES = ["id", "Name", "it's", 'quo"te', "back\\slash", "tick`", "日本", "a b", "select", "Ünï", "new\nline", "x,y", "{}",
         "@1", "#", "key", "%s", "äÄ", ".", "a.b", "(", "'", "`", "--", "/*", "\t"]


@dataclasses.dataclass
class Column:
    name: str
    kind: str  # of the type, for counting
    type: str
    value: object = None  # function that makes an SQL expression; None: generated
    bytes: int = 8  # what it takes of a row
    number: bool = False
    prefix: bool = False  # as part of a key it needs a length
    in_key: bool = True
    nullable: bool = True
    must: bool = False  # has no default that the server makes up
    attributes: str = ""

    def sql(self):
        return f"{name_of(self.name)} {self.type}{self.attributes}"


@dataclasses.dataclass
class Table:
    name: str
    columns: list
    keys: list
    options: str
    stable_key: str = None  # the column that is the primary key and that no UPDATE names
    moves: bool = False  # it may change all the same: REPLACE of a row with the same other unique key is an update
    parts: str = ""
    after: list = dataclasses.field(default_factory=list)

    @property
    def written(self):
        return [c for c in self.columns if c.value is not None]

    def create(self):
        return (f"CREATE TABLE {name_of(self.name)} ("
                + ", ".join([c.sql() for c in self.columns] + self.keys) + f") {self.options} {self.parts}")


class Types:
    """Random types of a flavor of server and their values."""

    def __init__(self, dice, flavor, collations):
        self.dice = dice
        self.flavor = flavor
        self.mysql = flavor.startswith("mysql")
        self.collations = collations  # {charset: [collation]}
        self.kinds = [self.integer, self.integer, self.decimal, self.floating, self.bit, self.year, self.date, self.time,
                      self.datetime, self.timestamp, self.character, self.varying, self.varying, self.long_text, self.enum,
                      self.set, self.binary, self.varbinary, self.long_blob, self.json, self.geometry]
        if not self.mysql:
            self.kinds += [self.uuid, self.inet4, self.inet6]
        if flavor != "mariadb-10.11":
            self.kinds.append(self.vector)

    def column(self, name):
        return self.dice.choice(self.kinds)(name)

    # -- numbers --

    def integer(self, name):
        bits, word = self.dice.choice(((8, "TINYINT"), (16, "SMALLINT"), (24, "MEDIUMINT"), (32, "INT"), (64, "BIGINT"),
                                       (8, "BOOL")))
        sign = self.dice.choice(("", "", " UNSIGNED", " ZEROFILL")) if word != "BOOL" else ""
        low, high = (0, 2 ** bits - 1) if sign else (-2 ** (bits - 1), 2 ** (bits - 1) - 1)
        edges = [low, high, 0, 1, -1, low + 1, high - 1, 127, 128, 255, 256, high // 2]

        def value():
            n = self.dice.choice(edges) if self.dice.random() < 0.5 else self.dice.randint(low, high)
            return str(min(max(n, low), high))
        return Column(name, word.lower() + sign.lower(), word + sign, value, bits // 8, number=True)

    def decimal(self, name):
        p = self.dice.choice((1, 2, 9, 10, 18, 19, 27, 38, 39, 64, 65, self.dice.randint(1, 65)))
        s = min(self.dice.choice((0, 1, 2, 9, 10, 30, p, self.dice.randint(0, 30))), p, 30)
        sign = self.dice.choice(("", "", "", " UNSIGNED", " ZEROFILL"))

        def value():
            whole = "".join(self.dice.choices("0123456789", k=self.dice.randint(0, p - s))) or "0"
            part = "".join(self.dice.choices("0123456789", k=self.dice.randint(0, s)))
            if self.dice.random() < 0.3:
                whole, part = self.dice.choice((("9" * (p - s) or "0", "9" * s), ("0", "0" * max(s - 1, 0) + "1"[:s]),
                                                ("0", ""), ("1", ""), ("1000000000", ""), ("0", "000000001")))
            return self.dice.choice(("", "-")) + whole + ("." + part if part else "")
        return Column(name, "decimal", f"DECIMAL({p},{s}){sign}", value, p // 2 + 2, number=True)

    def floating(self, name):
        word, size = self.dice.choice((("FLOAT", 4), ("DOUBLE", 8)))
        form = self.dice.choice(("", "", "", "(7,3)", "(20,2)"))
        sign = self.dice.choice(("", "", "", " UNSIGNED"))
        top = 38 if size == 4 else 308

        def value():
            if self.dice.random() < 0.3:
                return self.dice.choice(("0", "-0e0", "1", "-1", "0.1", "1e-45", "3.402823466e38", "-3.402823466e38",
                                         "16777217", "1e20", "1e21", "1e-7", "4.9e-324", "1.7976931348623157e308",
                                         "2.2250738585072014e-308", "9007199254740993e0", "0.30000000000000004e0"))
            if self.dice.random() < 0.3:
                return f"{self.dice.uniform(-10, 10):.17f}e0"
            if self.dice.random() < 0.3:
                return f"{self.dice.randint(-10 ** 9, 10 ** 9)}e{self.dice.randint(-12, 12)}"
            return f"{self.dice.uniform(-10, 10):.17f}e{self.dice.randint(-top + 1, top - 1)}"
        return Column(name, word.lower(), word + form + sign, value, size, number=True)

    def bit(self, name):
        n = self.dice.choice((1, 1, 2, 7, 8, 9, 16, 17, 33, 63, 64))

        def value():
            return "b'" + self.dice.choice(("1" * n, "0", "1", "1" + "0" * (n - 1),
                                            "".join(self.dice.choices("01", k=n)))) + "'"
        return Column(name, "bit", f"BIT({n})", value, 8)

    def year(self, name):
        return Column(name, "year", "YEAR", lambda: f"'{self.dice.choice(('0000', '1901', '2155', '1970', '2024'))}'", 1)

    # -- time --

    def _moment(self, digits, first=1000, last=9999):
        d = self.dice
        day = d.choice((f"{d.randint(first, last):04d}-{d.randint(1, 12):02d}-{d.randint(1, 28):02d}", "2024-02-29"))
        part = f".{d.randint(0, 999999):06d}"[:digits + 1] if digits else ""
        clock = d.choice(("00:00:00", "23:59:59", f"{d.randint(0, 23):02d}:{d.randint(0, 59):02d}:{d.randint(0, 59):02d}"))
        return f"{day} {clock}{d.choice((part, part, '.999999'[:digits + 1] if digits else ''))}"

    def date(self, name):
        odd = ("0000-00-00", "2024-00-10", "2024-02-31", "2024-02-00", "1000-01-01", "9999-12-31", "0001-01-01",
               "0000-01-01", "1969-12-31")

        def value():
            return f"'{self.dice.choice(odd) if self.dice.random() < 0.5 else self._moment(0)[:10]}'"
        return Column(name, "date", "DATE", value, 3)

    def _digits(self):
        n = self.dice.randint(0, 6)
        return n, f"({n})" if n or self.dice.random() < 0.2 else ""

    def time(self, name):
        n, form = self._digits()
        odd = ("-838:59:59", "838:59:59", "00:00:00", "-00:00:00.000001", "-00:00:00.01", "-00:00:01.01", "-00:00:01",
               "838:59:58.999999", "-838:59:58.999999", "-00:00:00.999999", "-01:00:00", "-16:08:04.010123", "-00:00:00.5")

        def value():
            d = self.dice
            if d.random() < 0.5:
                return f"'{d.choice(odd)}'"
            return f"'{d.choice(('', '-'))}{d.randint(0, 838)}:{d.randint(0, 59):02d}:{d.randint(0, 59):02d}.{d.randint(0, 999999):06d}'"
        return Column(name, f"time({n})", "TIME" + form, value, 6)

    def datetime(self, name):
        n, form = self._digits()
        odd = ("0000-00-00 00:00:00", "1000-01-01 00:00:00", "0001-01-01 00:00:00", "2024-00-10 11:12:13",
               "2024-02-31 23:59:59.5", "9999-12-31 23:59:59", "1969-12-31 23:59:59.9")

        def value():
            return f"'{self.dice.choice(odd) if self.dice.random() < 0.4 else self._moment(n)}'"
        column = Column(name, f"datetime({n})", "DATETIME" + form, value, 8)
        self._clock(column, form)
        return column

    def timestamp(self, name):
        n, form = self._digits()
        odd = ["0000-00-00 00:00:00", "1970-01-02 00:00:01", "1970-01-01 00:00:00.53", "2038-01-18 03:14:07.999999", "2024-03-31 02:30:00.5",
               "2001-09-09 01:46:40"] + (["2106-02-06 06:28:15"] if self.flavor == "mariadb-11.8" else [])

        def value():
            return f"'{self.dice.choice(odd) if self.dice.random() < 0.4 else self._moment(n, 1971, 2037)}'"
        column = Column(name, f"timestamp({n})", f"TIMESTAMP{form}", value, 8)
        self._clock(column, form)
        if not column.attributes:
            column.attributes = " NULL"
        return column

    def _clock(self, column, form):
        roll = self.dice.random()
        if roll < 0.15:
            column.attributes = f" NULL DEFAULT CURRENT_TIMESTAMP{form}"
        elif roll < 0.3:
            column.attributes = f" NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP{form}"

    # -- text --

    def _charset(self):
        """(charset, its words in a definition)"""
        roll = self.dice.random()
        if roll < 0.3:
            return "utf8mb4", ""
        charset = "latin1" if roll < 0.4 else self.dice.choice(sorted(self.collations))
        words = f" CHARACTER SET {charset}"
        if self.dice.random() < 0.5:
            words += f" COLLATE {self.dice.choice(self.collations[charset])}"
        return charset, words

    def string(self, most):
        """A text of at most so many characters."""
        d = self.dice
        if d.random() < 0.3:
            return d.choice(WORDS)[:most]
        count = min(most, d.choice((0, 1, d.randint(0, 10), d.randint(0, 40), d.randint(0, 300), most)))
        pool = CHARACTERS["ascii"] if d.random() < 0.4 else "".join(CHARACTERS[d.choice(sorted(CHARACTERS))]
                                                                   for _ in range(d.randint(1, 4)))
        if count > 600:
            return (d.choice(pool) + "x") * (count // 2)
        return "".join(d.choices(pool, k=count))

    def character(self, name):
        n = self.dice.choice((0, 1, 2, 10, 63, 64, 85, 86, 127, 128, 255))
        _, charset = self._charset()
        return Column(name, "char", f"CHAR({n}){charset}", lambda: text(self.string(n)), n * 4, in_key=0 < n < 100)

    def varying(self, name):
        n = self.dice.choice((0, 1, 10, 63, 64, 85, 86, 127, 128, 255, 256, 300, 1000))
        _, charset = self._charset()
        packed = self._packed() if n else ""
        return Column(name, "varchar" + packed.lower(), f"VARCHAR({n}){packed}{charset}", lambda: text(self.string(n)),
                      n * 4 + 2, in_key=0 < n < 100 and not packed)

    def _packed(self):
        """MariaDB compresses values of such columns, if that makes them shorter."""
        return " COMPRESSED" if not self.mysql and self.dice.random() < 0.15 else ""

    def long_text(self, name):
        word, most = self.dice.choice((("TINYTEXT", 60), ("TEXT", 15000), ("MEDIUMTEXT", 20000), ("LONGTEXT", 20000)))
        _, charset = self._charset()

        def value():
            if most > 10000 and self.dice.random() < 0.03:
                return f"REPEAT({text(self.string(20))}, {self.dice.randint(1000, 3000)})"
            return text(self.string(self.dice.choice((60, most if self.dice.random() < 0.1 else 300))))
        packed = self._packed()
        return Column(name, word.lower() + packed.lower(), word + packed + charset, value, 12, prefix=True, in_key=not packed)

    def _labels(self, charset, count):
        pool = LABEL_CHARACTERS.get(charset, "") + "abcXYZ019_-. ';:()\"\\/"
        seen, labels = set(), []
        while len(labels) < count:
            label = "".join(self.dice.choices(pool, k=self.dice.randint(1, 6))).strip()
            plain = label if label and count < 20 else f"l{len(labels)}"
            if plain.lower() in seen:
                plain = f"{len(labels)}x"
            seen.add(plain.lower())
            labels.append(plain)
        return labels

    def _members(self, charset, count):
        # A charset's own collations may take two labels for one: numbers keep them apart.
        labels = [f"{l}{i}" for i, l in enumerate(self._labels(charset, count))]
        return ",".join("'" + l.replace("\\", "\\\\").replace("'", "''") + "'" for l in labels)

    def _label_charset(self):
        while True:
            charset, words = self._charset()
            if charset != "binary":
                return charset, words or " CHARACTER SET utf8mb4"

    def enum(self, name):
        count = self.dice.choice((1, 2, 3, 5, 12, 255, 256, 300))
        charset, words = self._label_charset()
        return Column(name, "enum", f"ENUM({self._members(charset, count)}){words}",
                      lambda: str(self.dice.choice((1, count, self.dice.randint(0, count)))), 2)

    def set(self, name):
        count = self.dice.choice((1, 2, 7, 8, 9, 16, 17, 24, 25, 32, 33, 63, 64))
        charset, words = self._label_charset()
        return Column(name, "set", f"SET({self._members(charset, count)}){words}",
                      lambda: str(self.dice.choice((0, 1, 2 ** count - 1, 2 ** (count - 1), self.dice.getrandbits(count)))), 8)

    # -- bytes --

    def raw(self, most):
        d = self.dice
        count = min(most, d.choice((0, 1, d.randint(0, 10), d.randint(0, 300), most)))
        roll = d.random()
        if roll < 0.2:
            return b"\0" * count
        if roll < 0.4:
            return bytes(d.getrandbits(8) for _ in range(count // 2)) + b"\0" * (count - count // 2)
        if count > 600:
            return bytes(d.getrandbits(8) for _ in range(16)) * (count // 16)
        return bytes(d.getrandbits(8) for _ in range(count))

    def binary(self, name):
        n = self.dice.choice((1, 2, 4, 8, 15, 16, 17, 64, 255))
        return Column(name, "binary", f"BINARY({n})", lambda: blob(self.raw(n)), n)

    def varbinary(self, name):
        n = self.dice.choice((0, 1, 10, 16, 255, 256, 1000))
        return Column(name, "varbinary", f"VARBINARY({n})", lambda: blob(self.raw(n)), n + 2, in_key=0 < n < 300)

    def long_blob(self, name):
        word, most = self.dice.choice((("TINYBLOB", 255), ("BLOB", 5000), ("MEDIUMBLOB", 9000), ("LONGBLOB", 9000)))

        def value():
            if most > 1000 and self.dice.random() < 0.03:
                return f"REPEAT({blob(self.raw(20) + b'x')}, {self.dice.randint(1000, 3000)})"
            return blob(self.raw(most if self.dice.random() < 0.1 else min(most, 300)))
        packed = self._packed()
        return Column(name, word.lower() + packed.lower(), word + packed, value, 12, prefix=True, in_key=not packed)

    # -- documents and places --

    def document(self, depth=0):
        """An SQL expression that makes a JSON value."""
        d = self.dice
        roll = d.random()
        if depth < 4 and roll < 0.25:
            return f"JSON_ARRAY({', '.join(self.document(depth + 1) for _ in range(d.choice((0, 1, 3, 8))))})"
        if depth < 4 and roll < 0.55:
            pairs = (f"{text(self.string(8))}, {self.document(depth + 1)}" for _ in range(d.choice((0, 1, 2, 6))))
            return f"JSON_OBJECT({', '.join(pairs)})"
        scalars = ["NULL", "TRUE", "FALSE", str(d.choice((0, -1, 32767, 32768, 65535, 65536, -32769, 2 ** 31, 2 ** 32,
                                                          2 ** 63 - 1, -2 ** 63, 2 ** 64 - 1))), str(d.randint(-10 ** 6, 10 ** 6)),
                   f"{d.uniform(-1, 1):.17f}e{d.randint(-300, 300)}", text(self.string(30)), text(self.string(400))]
        if self.mysql:
            scalars += ["-0e0", f"{d.randint(-99999, 99999)}.{d.randint(0, 999)}", f"{d.randint(0, 10 ** 15)}e0",
                        "DATE'2024-02-29'", "CAST('-12:34:56.7' AS TIME(3))", "TIMESTAMP'2024-02-29 01:02:03.000004'",
                        f"CAST({blob(self.raw(90))} AS BINARY)", "b'101'", "CAST(1.50 AS DECIMAL(60,30))",
                        "CAST(2024 AS YEAR)", "ST_GeomFromText('POINT(1 2)')"]
        return d.choice(scalars)

    def json_document(self):
        d = self.dice
        if not self.mysql and d.random() < 0.3:  # as it was written
            return d.choice(("' {\"b\" : 1 , \"a\":[ 1,2 ] } '", "'null'", "'1.0'", "'{\"a\":1,\"a\":2}'", "'\"x\\\\n\"'"))
        if d.random() < 0.03:
            return f"JSON_ARRAY(REPEAT({text(self.string(9) or 'x')}, {d.randint(5000, 40000)}), {self.document(1)}, 70000)"
        if d.random() < 0.15:
            if self.mysql:
                return f"CAST({self.document(9)} AS JSON)"
            return "'[[[[]]]]'"
        return f"JSON_{d.choice(('ARRAY', 'OBJECT'))}({text(self.string(5))}, {self.document()})"

    def json(self, name):
        return Column(name, "json", "JSON", self.json_document, 12, in_key=False)

    def geometry(self, name):
        kind = self.dice.choice(("GEOMETRY", "GEOMETRY", *SHAPES))
        srid = self.dice.choice(("", " SRID 4326", " SRID 0")) if self.mysql else ""

        def value():
            shape = self.dice.choice(SHAPES[kind if kind != "GEOMETRY" else self.dice.choice(sorted(SHAPES))])
            if self.mysql and kind in ("GEOMETRY", "GEOMETRYCOLLECTION") and self.dice.random() < 0.1:
                shape = "GEOMETRYCOLLECTION EMPTY"
            number = 4326 if "4326" in srid else 0 if srid else self.dice.choice((0, 0, 4326))
            if number and "e300" in shape:
                shape = "POINT(1 2)"
            return f"ST_GeomFromText('{shape}', {number})"
        return Column(name, kind.lower(), kind + srid, value, 12, in_key=False, must=True)

    def vector(self, name):
        n = self.dice.choice((1, 2, 3, 16, 100))
        make = "STRING_TO_VECTOR" if self.mysql else "VEC_FromText"

        def value():
            parts = (self.dice.choice(("0", "-0.0", "2e-38", "3e38", f"{self.dice.uniform(-2, 2):.6g}")) for _ in range(n))
            return f"{make}('[{','.join(parts)}]')"
        return Column(name, "vector", f"VECTOR({n})", value, 12 if self.mysql else n * 4, in_key=False, must=True)

    # -- MariaDB's own --

    def uuid(self, name):
        def value():
            h = self.raw(16).ljust(16, b"\0").hex()
            return f"'{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}'"
        return Column(name, "uuid", "UUID", value, 16, must=True)

    def inet4(self, name):
        return Column(name, "inet4", "INET4", lambda: f"'{'.'.join(str(b) for b in self.raw(4).ljust(4, bytes(1)))}'", 4, must=True)

    def inet6(self, name):
        def value():
            if self.dice.random() < 0.3:
                return self.dice.choice(("'::'", "'::1'", "'::ffff:192.0.2.1'", "'::192.0.2.1'", "'1:0:0:2::3'", "'fe80::'",
                                         "'::1:0'", "'::ffff:0:0'", "'0:1::'"))
            raw = self.raw(16).ljust(16, b"\0")
            return "'" + ":".join(raw[i:i + 2].hex() for i in range(0, 16, 2)) + "'"
        return Column(name, "inet6", "INET6", value, 16, must=True)


# ---- tables ------------------------------------------------------------------------------------


class Tables:
    """Random tables."""

    def __init__(self, dice, types, schema):
        self.dice = dice
        self.types = types
        self.schema = schema
        self.mysql = types.mysql
        self.number = 0
        # One engine for all: what a rollback undoes where they are mixed cannot be told from the log.
        self.engine = dice.choice(("", "", "", "", "", "ENGINE=MyISAM"))

    def name(self, index):
        base = self.dice.choice(NAMES)
        name = self.dice.choice((f"{base}{index}", f"{index}{base}", f"c{index}", f"c{index}", f"{base} {index}"))
        if self.dice.random() < 0.02:
            name = f"{index}".ljust(64, "é")
        return name

    def _generated(self, index, columns):
        base = self.dice.choice(columns)
        b = name_of(base.name)
        kind, expression = self.dice.choice((
            ("VARCHAR(40)", f"MD5({b})"), ("INT", f"LENGTH({b})"), ("VARCHAR(200)", f"HEX({b})"),
            ("BIGINT UNSIGNED", f"CRC32({b})"), ("BOOL", f"{b} IS NULL"), ("INT", f"COALESCE(LENGTH({b}), -1)"),
            ("VARCHAR(80) CHARACTER SET latin1", f"CONCAT('é', LENGTH({b}))"), ("DECIMAL(30,5)", f"LENGTH({b}) / 7"),
            ("DOUBLE", f"LENGTH({b}) * 0.1e0"), ("BINARY(20)", f"UNHEX(MD5({b}))")))
        column = Column(self.name(index), "generated", kind, None, 200, in_key=False)
        column.attributes = f" AS ({expression}) {self.dice.choice(('VIRTUAL', 'STORED'))}"
        if self.mysql:
            column.attributes = " GENERATED ALWAYS" + column.attributes
        return column

    def _attributes(self, column):
        d = self.dice
        if column.attributes or column.value is None:
            return
        roll = d.random()
        if roll < 0.35:
            column.nullable = False
            column.attributes = " NOT NULL"
        elif roll < 0.5 and not column.prefix and column.kind not in ("json", "vector") and not column.must:
            column.attributes = " DEFAULT NULL"
        elif roll < 0.6 and column.number:
            column.attributes = " DEFAULT 1"
        if d.random() < 0.05 and len(column.attributes) < 12 and column.nullable:
            column.attributes += " INVISIBLE"
        if d.random() < 0.1:
            column.attributes += " COMMENT 'it''s, (a) `comment` \"x\" enum(''a'')'"

    def columns(self, count):
        found, left = [], 24000
        for i in range(count):
            # What is made of a TIMESTAMP depends on the session's zone, of a CHAR on PAD_CHAR_TO_FULL_LENGTH.
            sound = [c for c in found if c.value is not None
                     and not c.kind.startswith(("auto", "vector", "timestamp", "char"))]
            if sound and self.dice.random() < 0.06:
                column = self._generated(i, sound)
            else:
                column = self.types.column(self.name(i))
                self._attributes(column)
            if column.bytes <= left:
                left -= column.bytes
                found.append(column)
        if all(" INVISIBLE" in c.attributes for c in found):
            found.append(self.types.integer(f"seen{count}"))
        return found

    def _part(self, column):
        return name_of(column.name) + (f"({self.dice.randint(1, 20)})" if column.prefix else "")

    def _parts(self, columns, most):
        usable = [c for c in columns if c.in_key and c.value is not None]
        chosen = self.dice.sample(usable, min(len(usable), self.dice.randint(1, most)))
        return chosen, ", ".join(map(self._part, chosen))

    def table(self):
        d = self.dice
        count = d.choice((1, 2, 3, d.randint(1, 12), d.randint(1, 30), d.randint(20, 60), d.choice((63, 64, 65, 129))))
        self.number += 1
        table = Table(d.choice((f"t{self.number}", f"t{self.number}", f"{d.choice(NAMES[2:12])}{self.number}")),
                      self.columns(count), [], "")
        roll = d.random()
        if roll < 0.55:
            self._counter(table)
        elif roll < 0.75:
            self._key(table)
        elif roll < 0.85 and self.mysql:
            table.after.append("gipk")
        for i in range(d.choice((0, 0, 1, 2))):
            chosen, parts = self._parts(table.columns, 3)
            if chosen:
                unique = "UNIQUE " if d.random() < 0.2 and not any(c.prefix for c in chosen) else ""
                table.moves = table.moves or unique != ""
                table.keys.append(f"{unique}KEY `k{i}` ({parts})")
        self._options(table)
        return table

    def _counter(self, table):
        column = Column(self.name(900), "auto", self.dice.choice(("INT", "BIGINT UNSIGNED", "MEDIUMINT UNSIGNED", "SMALLINT")),
                        None, 8)
        column.attributes = " NOT NULL AUTO_INCREMENT"
        table.columns.insert(self.dice.choice((0, 0, len(table.columns), len(table.columns) // 2)), column)
        table.keys.append(f"PRIMARY KEY ({name_of(column.name)})")
        table.stable_key = column.name
        if self.dice.random() < 0.15:
            table.parts = f"PARTITION BY HASH({name_of(column.name)}) PARTITIONS 3"

    def _key(self, table):
        chosen, parts = self._parts(table.columns, 3)
        if chosen:
            for c in chosen:
                c.attributes, c.nullable = " NOT NULL", False
            table.keys.append(f"{self.dice.choice(('PRIMARY KEY', 'UNIQUE KEY'))} ({parts})")

    def _options(self, table):
        d = self.dice
        options = [self.engine]
        if self.engine and self.mysql:
            table.parts = ""
        if not self.engine and d.random() < 0.3:
            options.append(f"ROW_FORMAT={d.choice(('DYNAMIC', 'COMPACT', 'REDUNDANT'))}")
        if d.random() < 0.4:
            charset = d.choice(sorted(self.types.collations))
            options.append(f"DEFAULT CHARSET={charset}")
        table.options = " ".join(options)


# ---- statements --------------------------------------------------------------------------------


class Statements:
    """Random statements that change the rows of some tables."""

    def __init__(self, dice, tables, mysql, most_rows=60):
        self.dice = dice
        self.tables = tables
        self.mysql = mysql
        self.most_rows = most_rows

    def _value(self, column, null=0.12):
        if self.dice.random() < null and (column.nullable or self.dice.random() < 0.1):
            return "NULL"
        return column.value()

    def insert(self, table, verb=None):
        d = self.dice
        chosen = [c for c in table.written if d.random() < 0.85 or (c.must and not c.nullable)]
        if not chosen:
            chosen = table.written[:1]
        if not chosen:
            return f"INSERT INTO {name_of(table.name)} () VALUES ()"
        head = [name_of(c.name) for c in chosen]
        numbered = table.stable_key is not None and d.random() < 0.3
        if numbered:
            head.append(name_of(table.stable_key))
        rows = []
        for _ in range(d.choice((1, 1, 2, 5, d.randint(1, 15)))):
            values = [self._value(c) for c in chosen]
            if numbered:
                values.append(str(d.randint(1, 2 * self.most_rows)))
            rows.append("(" + ", ".join(values) + ")")
        verb = verb or d.choice(("INSERT", "INSERT", "INSERT IGNORE", "REPLACE"))
        statement = f"{verb} INTO {name_of(table.name)} ({', '.join(head)}) VALUES {', '.join(rows)}"
        if verb == "INSERT" and d.random() < 0.3:
            column = d.choice(chosen)
            statement += f" ON DUPLICATE KEY UPDATE {name_of(column.name)} = {self._value(column)}"
        return statement

    def _some(self):
        return f"RAND({self.dice.randint(1, 10 ** 6)}) < {self.dice.choice((0.1, 0.3, 0.6, 1))}"

    def _assign(self, column, table):
        d, name = self.dice, name_of(column.name)
        roll = d.random()
        if roll < 0.1 and column.number:
            return f"{name} = {name} + {d.choice((1, -1))}"
        if roll < 0.1 and column.kind in ("varchar", "char", "text"):
            return f"{name} = CONCAT({name}, 'x')"
        if roll < 0.15:
            return f"{name} = {name}"
        twins = [c for c in table.written if c.kind == column.kind and c.type == column.type]
        if roll < 0.25 and len(twins) > 1:
            return f"{name} = {name_of(d.choice(twins).name)}"
        if column.kind == "json" and roll < 0.7:
            return f"{name} = {self._json_change(name)}"
        return f"{name} = {self._value(column)}"

    def _json_change(self, name):
        d = self.dice
        path = d.choice(("$[0]", "$[1]", "$[7]", "$.a", "$.x", '$."a b"', "$[1][0]", "$[1].a", "$.a[2]"))
        verb = d.choice(("JSON_SET", "JSON_SET", "JSON_REPLACE", "JSON_INSERT", "JSON_REMOVE"))
        if verb == "JSON_REMOVE":
            return f"JSON_REMOVE({name}, '{path}')"
        value = d.choice(("1", "'text'", "REPEAT('y', 90)", "JSON_ARRAY(1, 2.5)", "JSON_OBJECT('k', NULL)", "NULL", "TRUE", "1.5e0"))
        return f"{verb}({name}, '{path}', {value})"

    def update(self, table):
        d = self.dice
        columns = table.written
        if not columns:
            return self.insert(table)
        chosen = d.sample(columns, min(len(columns), d.choice((1, 1, 2, 3, len(columns)))))
        changes = ", ".join(self._assign(c, table) for c in chosen)
        tail = f" LIMIT {d.randint(1, 9)}" if d.random() < 0.4 else ""
        return f"UPDATE {d.choice(('', '', 'IGNORE '))}{name_of(table.name)} SET {changes} WHERE {self._some()}{tail}"

    def update_two(self):
        one, other = self.dice.sample(self.tables, 2)
        if not one.written or not other.written:
            return self.update(one)
        a, b = self.dice.choice(one.written), self.dice.choice(other.written)
        return (f"UPDATE {name_of(one.name)} AS p, {name_of(other.name)} AS q SET p.{name_of(a.name)} = {self._value(a)},"
                f" q.{name_of(b.name)} = {self._value(b)} WHERE RAND({self.dice.randint(1, 10 ** 6)}) < 0.05")

    def delete(self, table):
        tail = f" LIMIT {self.dice.randint(1, 12)}" if self.dice.random() < 0.7 else ""
        return f"DELETE FROM {name_of(table.name)} WHERE {self._some()}{tail}"

    def copy(self, table):
        """INSERT … SELECT of the table itself, few rows."""
        heads = ", ".join(name_of(c.name) for c in table.written)
        if not heads:
            return self.insert(table)
        return (f"INSERT IGNORE INTO {name_of(table.name)} ({heads}) SELECT {heads} FROM {name_of(table.name)}"
                f" WHERE {self._some()} LIMIT 5")

    def statement(self):
        table = self.dice.choice(self.tables)
        roll = self.dice.random()
        if roll < 0.4:
            return self.insert(table)
        if roll < 0.7:
            return self.update(table)
        if roll < 0.75 and len(self.tables) > 1:
            return self.update_two()
        if roll < 0.9:
            return self.delete(table)
        return self.copy(table)

    def settings(self, partial_json):
        """Random SETs of the session, outside of a transaction."""
        d = self.dice
        found = []
        if d.random() < 0.2:
            zone = d.choice(("+00:00", "+05:30", "-12:59", "+13:00"))
            found.append(f"SET SESSION time_zone = '{zone}'")
        if self.mysql:
            if d.random() < 0.3:
                found.append(f"SET SESSION binlog_transaction_compression = {d.choice(('ON', 'OFF'))}")
            if partial_json and d.random() < 0.3:
                found.append(f"SET SESSION binlog_row_value_options = '{d.choice(('', 'PARTIAL_JSON'))}'")
        if d.random() < 0.1:
            mode = d.choice(("", ",PAD_CHAR_TO_FULL_LENGTH", ",NO_BACKSLASH_ESCAPES", ",ANSI_QUOTES"))
            found.append(f"SET SESSION sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO{mode}'")
        if d.random() < 0.1:
            found.append(f"SET SESSION timestamp = {d.choice(('DEFAULT', '1000000000.5', '2000000000'))}")
        return found

    def transaction(self, partial_json=False):
        """A list of statements."""
        d = self.dice
        found = self.settings(partial_json)
        if d.random() < 0.4:
            return found + [self.statement()]
        found.append("BEGIN")
        saved = False
        for _ in range(d.randint(1, 6)):
            roll = d.random()
            if roll < 0.12:
                found.append("SAVEPOINT here")
                saved = True
            elif roll < 0.22 and saved:
                found.append("ROLLBACK TO here")
            else:
                found.append(self.statement())
        found.append("ROLLBACK" if d.random() < 0.15 else "COMMIT")
        return found
