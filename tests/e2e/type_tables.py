"""Tables that together have every type of a server, and the values at the edges of each."""

import dataclasses


@dataclasses.dataclass
class Column:
    name: str
    type: str
    values: list  # SQL expressions; empty: generated, or left to the server


@dataclasses.dataclass
class Table:
    """id and ver come first unless head says otherwise; ver counts the updates of a row."""

    name: str
    columns: list
    tail: str = ""  # what follows the columns inside the parentheses
    options: str = ""  # what follows the parentheses
    head: str = "id INT NOT NULL PRIMARY KEY, ver INT NOT NULL DEFAULT 0"
    nulls: bool = True  # a last row of NULLs only
    before: list = dataclasses.field(default_factory=list)  # statements of the session that creates it
    after: list = dataclasses.field(default_factory=list)

    @property
    def written(self):
        return [c for c in self.columns if c.values]

    def create(self):
        columns = ", ".join([self.head, *(f"{name_of(c.name)} {c.type}" for c in self.columns)])
        tail = f", {self.tail}" if self.tail else ""
        return f"CREATE TABLE {name_of(self.name)} ({columns}{tail}) {self.options}"

    def rows(self):
        """[[SQL expression]]: each value of each column at least once."""
        count = max(len(c.values) for c in self.written)
        found = [[c.values[i % len(c.values)] for c in self.written] for i in range(count)]
        if self.nulls:
            found.append(["NULL"] * len(self.written))
        return found


def name_of(name):
    return "`" + name.replace("`", "``") + "`"


def text(value):
    """A text literal that needs no escaping."""
    return f"_utf8mb4 X'{value.encode().hex()}'" if value else "''"


def blob(value):
    return f"X'{value.hex()}'" if value else "''"


def quoted_list(labels):
    return ",".join("'" + l.replace("\\", "\\\\").replace("'", "''") + "'" for l in labels)


def strings(*values):
    return [f"'{v}'" for v in values]


# ---- numbers -----------------------------------------------------------------------------------


def integers():
    """V6: the least and the greatest of every width, with and without sign; YEAR in front of unsigned ones."""
    columns = []
    for bits, name in ((8, "TINYINT"), (16, "SMALLINT"), (24, "MEDIUMINT"), (32, "INT"), (64, "BIGINT")):
        top = 1 << bits
        # YEAR stands in front: servers disagree on whether it counts among the unsigned.
        columns += [
            Column(f"y{bits}", "YEAR", strings("0000", "1901", "2155", "1970", "2024")),
            Column(f"u{bits}", f"{name} UNSIGNED", [str(v) for v in (top - 1, 0, 1, top // 2, top // 2 - 1)]),
            Column(f"s{bits}", name, [str(v) for v in (-top // 2, -1, 0, 1, top // 2 - 1)]),
        ]
    columns += [Column("flag", "BOOL", ["TRUE", "FALSE"]),
                Column("z", "INT(8) ZEROFILL", ["42", "0", "4294967295"])]
    return Table("ints", columns)


def decimals():
    """V5: from (1,0) to (65,30), the greatest, the least above 0, groups with zeros in front."""
    columns = []
    for p, s in ((65, 30), (65, 0), (30, 30), (1, 0), (1, 1), (9, 0), (9, 9), (10, 9), (10, 0), (18, 9), (19, 2),
                 (20, 10), (28, 6), (38, 18), (38, 38 - 8), (39, 0)):
        whole, part = "9" * (p - s), "9" * s
        most = (whole or "0") + ("." + part if s else "")
        least = "0." + "0" * (s - 1) + "1" if s else "1"
        columns.append(Column(f"d{p}_{s}", f"DECIMAL({p},{s})", [
            most, "-" + most, least, "-" + least, "0", "-0.0", "1" if p > s else "0.5",
            "-1" if p > s else "-0.5", "10" if p - s > 1 else "0",
            "-1000000000" if p - s > 10 else "0", "100000000.000000001" if p - s > 9 and s > 8 else "0"]))
    columns += [Column("du", "DECIMAL(12,2) UNSIGNED", ["0", "9999999999.99", "0.01"]),
                Column("dz", "DECIMAL(12,2) ZEROFILL", ["0", "9999999999.99", "12.3"])]
    return Table("decimals", columns)


def floats():
    singles = ["0", "-0e0", "1", "-1", "0.1", "-0.1", "1e-45", "1.17549435e-38", "3.402823466e38",
               "-3.402823466e38", "16777217", "123456.789", "1e10", "1e-7", "1e20", "1e21", "9.999999e20",
               "8388608.5", "0.3", "1234567", "7.038531e-26", "33554430", "1e-10"]
    doubles = ["0", "-0e0", "1", "-1", "0.1", "-0.1", "4.9e-324", "-5e-324", "2.2250738585072014e-308",
               "1.7976931348623157e308", "-1.7976931348623157e308", "1e0/3e0", "1e15", "1e16", "1e17", "1e20",
               "1e21", "1e22", "1e23", "123456789012345678e0", "9007199254740993e0", "1e-6", "1e-7",
               "1.5e-7", "999999999999999900000e0", "5e-1", "0.30000000000000004e0"]
    return Table("floats", [
        Column("f", "FLOAT", singles), Column("d", "DOUBLE", doubles),
        Column("fu", "FLOAT UNSIGNED", ["0", "1.5", "3.4e38"]), Column("du", "DOUBLE UNSIGNED", ["0", "2.5"]),
        Column("f7_3", "FLOAT(7,3)", ["1234.567", "-0.001", "0"]),
        Column("d10_2", "DOUBLE(10,2)", ["12345678.91", "-0.01", "0"]),
        Column("f30", "FLOAT(30)", ["0.1", "1e300"]),
        Column("r", "REAL", ["0.2"])])


def bits():
    """V7: BIT, all ones and single bits."""
    columns = []
    for n in (1, 2, 7, 8, 9, 16, 17, 33, 63, 64):
        columns.append(Column(f"b{n}", f"BIT({n})", [
            "b'" + "1" * n + "'", "b'0'", "b'1'", "b'1" + "0" * (n - 1) + "'", "b'" + ("10" * n)[:n] + "'"]))
    return Table("bits", columns)


def enums():
    """V7: ENUM with one label to thousands, the value 0; V9: labels in other charsets."""
    plain = ["", "a", "it's", 'quo"te', "back\\slash", "com,ma)(", "é ü", "日本語", "x"]
    latin = ["é", "ü", "ß", "€", "plain"]
    many = 4000  # servers take seconds to look for doubles among more
    columns = [
        Column("e1", "ENUM('only')", ["'only'", "0"]),
        Column("e9", f"ENUM({quoted_list(plain)}) CHARACTER SET utf8mb4",
               [str(i) for i in range(len(plain) + 1)]),
        Column("el", f"ENUM({quoted_list(latin)}) CHARACTER SET latin1", [str(i) for i in range(6)]),
        Column("eg", "ENUM('中','文') CHARACTER SET gbk", ["1", "2"]),
        Column("e255", f"ENUM({quoted_list(f'l{i}' for i in range(1, 256))})", ["1", "255", "128", "0"]),
        Column("e256", f"ENUM({quoted_list(f'l{i}' for i in range(1, 257))})", ["256", "255", "1", "0"]),
        Column("many", f"ENUM({quoted_list(f'l{i}' for i in range(1, many + 1))})",
               [str(many), str(many - 1), "1", "3000"]),
    ]
    return Table("enums", columns)


def most_labels():
    """V7: as many as there can be. MySQL only: a definition of MariaDB has at most 64 KiB."""
    labels = quoted_list(f"l{i}" for i in range(1, 65536))
    return Table("most_labels", [Column("e", f"ENUM({labels}) CHARACTER SET latin1 COLLATE latin1_bin",
                                        ["65535", "65534", "32767", "32768", "256", "1", "0"])])


def sets():
    """V7: SET with up to 64 members, all of them and the last."""
    columns = []
    for n in (1, 8, 9, 16, 17, 24, 25, 32, 33, 64):
        labels = [f"m{i}" for i in range(n)]
        columns.append(Column(f"s{n}", f"SET({quoted_list(labels)})",
                              [str((1 << n) - 1), "0", "1", str(1 << (n - 1)), str(0x5555555555555555 % (1 << n))]))
    columns += [Column("sl", f"SET({quoted_list(['é', 'ü', 'a b', 'it' + chr(39) + 's'])}) CHARACTER SET latin1",
                       ["15", "0", "5", "8"]),
                Column("sj", "SET('日','本') CHARACTER SET sjis", ["3", "1", "2"])]
    return Table("sets", columns)


# ---- time --------------------------------------------------------------------------------------


def temporal(flavor):
    """V1: zero and partial dates; V2: negative times; V3: DATETIME; V4: TIMESTAMP, at both ends."""
    dates = ["0000-00-00", "2024-00-10", "2024-02-31", "2024-02-00", "1000-01-01", "9999-12-31", "0001-01-01",
             "2024-02-29", "1969-12-31", "0000-01-01"]
    times, datetimes, timestamps = [], [], []
    for f in range(7):
        part = ".999999"[:f + 1] if f else ""
        tick = "." + "0" * (f - 1) + "1" if f else ""
        half = ".5" if f else ""
        digits = f"({f})" if f else ""
        times.append(Column(f"t{f}", f"TIME{digits}", strings(
            "-838:59:59", "838:59:59", "00:00:00", "-00:00:01", f"-00:00:00{tick}", f"-00:00:01{tick}",
            f"-00:00:00{part}", f"-01:02:03{half}", f"838:59:58{part}", f"-838:59:58{part}", f"12:34:56{half}",
            "100:00:00", "-16:08:04.010123"[:9 + (f + 1 if f else 0)])))
        datetimes.append(Column(f"dt{f}", f"DATETIME{digits}", strings(
            "0000-00-00 00:00:00", "1000-01-01 00:00:00", f"9999-12-31 23:59:59{part}", "0001-01-01 00:00:00",
            f"2024-00-10 11:12:13{half}", f"2024-02-31 23:59:59{part}", f"2024-02-29 12:05:00{tick}",
            f"1969-12-31 23:59:59{part}")))
        timestamps.append(Column(f"ts{f}", f"TIMESTAMP{digits} NULL", strings(
            "0000-00-00 00:00:00", "1970-01-01 00:00:01", f"2038-01-19 03:14:07{part}",
            f"2024-02-29 12:05:00{tick}", f"2024-03-31 02:30:00{half}", "2001-09-09 01:46:40",
            *([f"2106-02-07 06:28:15{part}", "2038-01-19 03:14:08"] if flavor == "mariadb-11.8" else []))))
    return [Table("dates", [Column("d", "DATE", strings(*dates)), Column("y", "YEAR", strings("0000", "1901", "2155"))]),
            Table("times", times), Table("datetimes", datetimes), Table("timestamps", timestamps)]


OLD_FORMATS = {"before": ["SET GLOBAL mysql56_temporal_format=OFF"], "after": ["SET GLOBAL mysql56_temporal_format=ON"]}


def old_times():
    """V15: the formats of MariaDB before 5.6's, which an old table keeps; V2: negative times in them."""
    return Table("old_times", [
        Column("t", "TIME", strings("-838:59:59", "838:59:59", "00:00:00", "-00:00:01", "12:34:56")),
        Column("dt", "DATETIME", strings("0000-00-00 00:00:00", "1000-01-01 00:00:00", "9999-12-31 23:59:59",
                                         "2024-00-10 11:12:13")),
        Column("ts", "TIMESTAMP NULL", strings("0000-00-00 00:00:00", "1970-01-01 00:00:01", "2038-01-19 03:14:07"))],
        **OLD_FORMATS)


def old_fractions():
    """V15: the same with fractions, of which the log does not tell: only a definition can name the values."""
    times = strings("-838:59:59.999999", "838:59:59.999999", "00:00:00", "-00:00:00.000001", "-00:00:01.01",
                    "12:34:56.123456", "-00:59:59.5")
    moments = strings("0000-00-00 00:00:00", "1000-01-01 00:00:00.000001", "9999-12-31 23:59:59.999999",
                      "2024-00-10 11:12:13.5", "0001-01-01 00:00:00")
    stamps = strings("0000-00-00 00:00:00", "1970-01-01 00:00:01", "2038-01-19 03:14:07.999999",
                     "2024-02-29 12:34:56.123456")
    columns = []
    for fsp in range(7):
        columns += [Column(f"t{fsp}", f"TIME({fsp})", times), Column(f"dt{fsp}", f"DATETIME({fsp})", moments),
                    Column(f"ts{fsp}", f"TIMESTAMP({fsp}) NULL", stamps), Column(f"i{fsp}", "INT", ["-1"])]
    return Table("old_fractions", columns, **OLD_FORMATS)


# ---- texts and bytes ---------------------------------------------------------------------------

NASTY = ["", " ", "a", "trailing  ", " leading", "\t\n\r", 'quote " back \\ slash /', "".join(map(chr, range(32))),
         "\x7f\x80\x9f\u2028\u2029\ufeff", "äöüß€", "日本語テキスト", "𝒳🧊👩‍👩‍👧", "\ufffd\uffff\U0010ffff", "'); --", "null", "%_"]


def texts():
    """V8: lengths around the prefix of a second byte, spaces at the end, empty texts."""
    long = "€" * 255
    return Table("texts", [
        Column("c1", "CHAR(1)", [text(v) for v in ("", "a", "é", "🧊", " ")]),
        Column("c0", "CHAR(0)", ["''"]),
        Column("c64", "CHAR(64)", [text(v) for v in NASTY]),
        Column("c255", "CHAR(255)", [text(long), text("x" * 255), text("x" * 250 + "     "), "''"]),
        Column("v0", "VARCHAR(0)", ["''"]),
        Column("v63", "VARCHAR(63)", [text("🧊" * 63), "''", text("a" * 63)]),
        Column("v64", "VARCHAR(64)", [text("🧊" * 64), "''", text("a" * 64)]),
        Column("vl255", "VARCHAR(255) CHARACTER SET latin1", [text("ü" * 255), "''", text("a ")]),
        Column("vl256", "VARCHAR(256) CHARACTER SET latin1", [text("ü" * 256), "''", text("a ")]),
        Column("v4000", "VARCHAR(4000)", [text("日" * 4000), text(" " * 4000)]),
        Column("tt", "TINYTEXT", [text("x" * 255), "''", text("é" * 127)]),
        Column("tx", "TEXT", [text(v) for v in NASTY] + ["REPEAT('0123456789abcde\\n', 4095)"]),
        Column("tm", "MEDIUMTEXT", ["REPEAT('x€', 262144)", "''", "REPEAT('\\n', 70000)"]),
        Column("tl", "LONGTEXT", ["REPEAT('0123456789ABCDEF', 65536)", "''"]),
        Column("ci", "VARCHAR(40) COLLATE utf8mb4_unicode_ci", [text("Straße")]),
        Column("cb", "VARCHAR(40) COLLATE utf8mb4_bin", [text("Straße")]),
        Column("m3", "VARCHAR(40) CHARACTER SET utf8mb3", [text("Straße日本"), "''"]),
        Column("as", "VARCHAR(40) CHARACTER SET ascii", ["'ascii'", "''"]),
    ])


def blobs():
    """V8: BINARY that ends in zero bytes, VARBINARY that keeps them."""
    every = bytes(range(256))
    return Table("blobs", [
        Column("b1", "BINARY(1)", ["''", "X'00'", "X'ff'"]),
        Column("b16", "BINARY(16)", [blob(b"\1" * 14 + b"\0\0"), blob(b"\0" * 16), "''", blob(b"\0\1" * 8),
                                     blob(b"a"), blob(b"  ")]),
        Column("b255", "BINARY(255)", [blob(every[:255]), blob(every[1:] ), "''"]),
        Column("v10", "VARBINARY(10)", [blob(b"a\0\0"), blob(b"\0"), "''", blob(b"\xff" * 10)]),
        Column("v255", "VARBINARY(255)", [blob(every[1:]), "''"]),
        Column("v256", "VARBINARY(256)", [blob(every), "''"]),
        Column("v9000", "VARBINARY(9000)", ["REPEAT(X'00ff80', 3000)", "X'00'"]),
        Column("tb", "TINYBLOB", [blob(every[:255]), "''"]),
        Column("bl", "BLOB", [blob(every), "''", "REPEAT(X'0001', 32767)"]),
        Column("mb", "MEDIUMBLOB", ["REPEAT(X'c328', 100000)", "''"]),
        Column("lb", "LONGBLOB", ["REPEAT(X'00', 1048576)", "X'00'", "''"]),
        Column("bc", "VARCHAR(20) CHARACTER SET binary", ["X'80ff'", "''"]),
        Column("tb2", "TEXT CHARACTER SET binary", ["X'80ff00'", "''"]),
        Column("cb", "CHAR(4) CHARACTER SET binary", ["X'80'", "''"]),
    ])


# ---- documents, places, and what only one of the families has ----------------------------------


def json_values():
    """V10: every type, every number form, depth, keys of all kinds, large forms."""
    numbers = ["0", "-1", "32767", "32768", "-32768", "-32769", "65535", "65536", "2147483647", "2147483648",
               "-2147483648", "-2147483649", "4294967295", "4294967296", "9223372036854775807",
               "9223372036854775808", "-9223372036854775808", "18446744073709551615", "18446744073709551616",
               "1e308", "-0.0", "0.1", "1.0", "1e20", "1e21", "1.5e300", "1e-7", "100", "123456789.125", "2.0e-10"]
    plain = ["null", "true", "false", '""', '"str"', "{}", "[]", "[[]]", "[{}]", '{"":""}', '{"a":null}',
             '{"b":1,"a":2,"aa":3,"":4}', '{"it\\u0027s":"q\\"uote","back\\\\slash":"/"}',
             '"\\u0000\\u0001\\u001f\\u007f\\b\\f\\n\\r\\t"', '"äöü€日本語🧊"', '{"日本":"語","🧊":[1,2.5,"x"]}',
             '[1,2.5,"three",null,true,false,{"k":[{}]}]', "[" * 99 + "1" + "]" * 99,
             '{"a":' * 99 + "1" + "}" * 99, "[" + ",".join(numbers) + "]",
             "{" + ",".join(f'"k{i}":{i * 1000003}' for i in range(300)) + "}"]
    casts = [f"CAST({text(v)} AS JSON)" for v in numbers + plain]
    opaque = [
        "JSON_ARRAY(CAST(12.50 AS DECIMAL(10,2)), CAST(-0.01 AS DECIMAL(3,2)), CAST(0 AS DECIMAL(65,30)))",
        "JSON_ARRAY(99999999999999999999999999999999999.999999999999999999999999999999)",
        "CAST(CAST('123.456' AS DECIMAL(6,3)) AS JSON)",
        "CAST(CAST('2024-02-29' AS DATE) AS JSON)",
        "JSON_OBJECT('d', CAST('2024-02-29' AS DATE), 't', CAST('12:34:56' AS TIME), 'n', CAST('-01:02:03.000004' AS TIME(6)),"
        " 'dt', CAST('2024-02-29 12:34:56.123456' AS DATETIME(6)), 'dt0', CAST('2024-02-29 12:34:56' AS DATETIME))",
        "JSON_ARRAY(CAST('-838:59:59' AS TIME), CAST('838:59:59' AS TIME(3)), CAST('00:00:00' AS TIME))",
        "JSON_ARRAY(TIMESTAMP'2024-02-29 12:34:56.5', DATE'9999-12-31', DATE'1000-01-01')",
        "JSON_ARRAY(X'00ff', b'101', _binary'abc', CAST('x' AS BINARY(4)), X'')",
        "JSON_OBJECT('u', 18446744073709551615, 'f', 1e0/3e0, 'z', -0e0, 'y', CAST(2024 AS YEAR))",
        "JSON_ARRAY(ST_GeomFromText('POINT(1 2)'), JSON_OBJECT('nested', JSON_ARRAY(1, 'two', NULL, TRUE)))",
    ]
    large = [
        "CAST(CONCAT('[', REPEAT('\"0123456789abcdefghij\",', 5000), '1,-2,3000000000,null,true]') AS JSON)",
        "CAST(CONCAT('[', REPEAT('70000,', 20000), '[1,{\"a\":\"b\"}]]') AS JSON)",
        "JSON_QUOTE(REPEAT('a', 2097152))",
        "CAST(CONCAT('{\"a\":\"', REPEAT('é', 40000), '\",\"b\":{\"c\":[1,2,3]},\"d\":65536}') AS JSON)",
    ]
    return casts + opaque + large


def json_table():
    return Table("json_values", [Column("j", "JSON", json_values()), Column("k", "JSON", ["JSON_OBJECT('n', 1)"])])


def mariadb_json():
    values = [text(v) for v in ("null", "1", ' { "b" : 1 , "a" : [ 1 , 2 ] } ', '"x"', '{"a":1,"a":2}', "1.0", "[]")]
    return Table("json_values", [Column("j", "JSON", values), Column("k", "JSON", ["JSON_OBJECT('n', 1)"])])


SHAPES = {
    "POINT": ["POINT(1 2)", "POINT(-1.5 1e300)", "POINT(0 0)"],
    "LINESTRING": ["LINESTRING(0 0, 1 1, 2 0)"],
    "POLYGON": ["POLYGON((0 0, 10 0, 10 10, 0 10, 0 0),(1 1, 2 1, 2 2, 1 1))"],
    "MULTIPOINT": ["MULTIPOINT((0 0),(1 1))"],
    "MULTILINESTRING": ["MULTILINESTRING((0 0, 1 1),(2 2, 3 3))"],
    "MULTIPOLYGON": ["MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)),((5 5, 6 5, 6 6, 5 5)))"],
    "GEOMETRYCOLLECTION": ["GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))"],
}


def geometries(family):
    """V11: all seven types, with and without SRID."""
    every = [f"ST_GeomFromText('{v}')" for shapes in SHAPES.values() for v in shapes]
    every += [f"ST_GeomFromText('{v}', 4326)" for shapes in SHAPES.values() for v in shapes if "e300" not in v]
    if family == "mysql":
        every += ["ST_GeomFromText('GEOMETRYCOLLECTION EMPTY')", "ST_GeomFromText('POINT(1 2)', 3857)"]
    columns = [Column("g", "GEOMETRY", every)]
    for kind, shapes in SHAPES.items():
        columns.append(Column(kind.lower(), kind, [f"ST_GeomFromText('{v}')" for v in shapes]))
    if family == "mysql":
        columns.append(Column("p4326", "POINT SRID 4326", ["ST_GeomFromText('POINT(40 -75)', 4326)"]))
    # A text between them: whether geometries count among the columns with a charset differs.
    columns.insert(3, Column("between", "VARCHAR(20) CHARACTER SET latin1", [text("é")]))
    return Table("geometries", columns)


def vectors(family):
    """V11: VECTOR from one dimension to the most."""
    make = "STRING_TO_VECTOR" if family == "mysql" else "VEC_FromText"
    most = 16383 if family == "mysql" else 16000  # MariaDB's fills a row alone
    return Table("vectors", [
        Column("v3", "VECTOR(3)", [f"{make}('[1,-2.5,3e10]')", f"{make}('[0,0,0]')"]),
        Column("v1", "VECTOR(1)", [f"{make}('[0]')"]),
        Column("most", f"VECTOR({most})", [f"{make}(CONCAT('[', REPEAT('0.1,', {most - 1}), '0]'))"])])


def mariadb_only():
    """V11: UUID that ends in zero bytes, INET4, INET6 in all its short forms."""
    return Table("mariadb_only", [
        Column("u", "UUID", strings("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
                                    "123e4567-e89b-12d3-a456-426655440000", "0190e4c5-1f00-7000-8000-000000000000",
                                    "12345678-0000-0000-0000-000000000000")),
        Column("i4", "INET4", strings("0.0.0.0", "255.255.255.255", "192.0.2.0", "10.0.0.1")),
        Column("i6", "INET6", strings("::", "::1", "2001:db8::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                                      "::ffff:192.0.2.1", "::192.0.2.1", "1:0:0:2::3", "fe80::1:0:0", "1::", "0:1::")),
    ])


def compressed():
    """V15: MariaDB's COMPRESSED: short values are stored as they are, long ones deflated."""
    def texts_of(charset, most):
        values = ["", "a", "é" * (most // 4), "x" * (most // 2), "ab" * (most // 8), "'); --"]
        return [f"CONVERT({text(v)} USING {charset})" for v in values if charset != "latin1" or "€" not in v]

    blobs = [blob(bytes([0, 255, 0])), "''", blob(bytes(range(256))), blob(b"\0" * 200), blob(b"ab" * 130)]
    return Table("compressed", [
        Column("v99", "VARCHAR(99) COMPRESSED CHARACTER SET utf8mb4", texts_of("utf8mb4", 99)),
        Column("v254", "VARCHAR(254) COMPRESSED CHARACTER SET latin1", texts_of("latin1", 254)),
        Column("plain", "VARCHAR(20)", [text("between"), "''"]),
        Column("v255", "VARCHAR(255) COMPRESSED CHARACTER SET latin1", [*texts_of("latin1", 255), f"REPEAT({text('é')}, 255)"]),
        Column("v256", "VARCHAR(256) COMPRESSED CHARACTER SET latin1", [*texts_of("latin1", 256), "REPEAT('y', 256)"]),
        Column("v2000", "VARCHAR(2000) COMPRESSED CHARACTER SET gbk", [*texts_of("gbk", 200), "REPEAT('z', 2000)"]),
        Column("u", "VARCHAR(200) COMPRESSED CHARACTER SET utf16", texts_of("utf16", 200)),
        Column("vb", "VARBINARY(300) COMPRESSED", blobs),
        Column("must", "VARCHAR(300) COMPRESSED NOT NULL DEFAULT 'd'", ["''", text("é" * 300), text("short")]),
        Column("tt", "TINYTEXT COMPRESSED", [*texts_of("utf8mb4", 100), "REPEAT('t', 255)"]),
        Column("t", "TEXT COMPRESSED CHARACTER SET latin1", [*texts_of("latin1", 1000), "REPEAT('t', 65535)"]),
        Column("mt", "MEDIUMTEXT COMPRESSED", [*texts_of("utf8mb4", 5000), f"REPEAT({text('日本')}, 40000)"]),
        Column("lt", "LONGTEXT COMPRESSED", [*texts_of("utf8mb4", 300), "REPEAT('l', 300000)"]),
        Column("tb", "TINYBLOB COMPRESSED", blobs[:2] + [blob(b"q" * 255)]),
        Column("b", "BLOB COMPRESSED", [*blobs, "REPEAT(X'0001', 32000)"]),
        Column("mb", "MEDIUMBLOB COMPRESSED", [*blobs, "REPEAT(X'00010203', 25000)"]),
        Column("lb", "LONGBLOB COMPRESSED", blobs),
    ], nulls=False)


def compressed_nulls():
    """V15: the same with NULLs in it."""
    return Table("compressed_nulls", [
        Column("v", "VARCHAR(200) COMPRESSED", [text("a"), "NULL", text("x" * 150), "''"]),
        Column("b", "BLOB COMPRESSED", ["NULL", blob(b"abc" * 90), "''", blob(b"1")]),
        Column("t", "TEXT COMPRESSED CHARACTER SET latin1", [text("é" * 120), "''", "NULL"])])


# ---- shapes of tables --------------------------------------------------------------------------


def wide(count, options="", null_only=False):
    """V12: count columns in all."""
    columns = [Column(f"c{i}", "TINYINT", ["NULL"] if null_only else [str(i % 100), "NULL", str(-(i % 50))])
               for i in range(count - 2)]
    return Table(f"wide{count}", columns, options=options)


def odd_names():
    names = ["it's", 'quo"te', "back\\slash", "tick`", "日本", "a b", "select", "Ünï🧊"[:3], "new\nline", "x,y", "{}"]
    return Table("odd/na#mes? 100%", [Column(n, "INT", [str(i)]) for i, n in enumerate(names)])


def mixed_wide():
    kinds = [("INT UNSIGNED", ["4294967295", "0"]), ("VARCHAR(5) CHARACTER SET latin1", [text("é"), "''"]),
             ("DATETIME(3)", strings("2024-02-29 01:02:03.004")), ("BIT(3)", ["b'101'"]),
             ("DECIMAL(9,3)", ["-1.5"]), ("ENUM('a','b') CHARACTER SET latin1", ["1", "2"]),
             ("VARCHAR(5) CHARACTER SET utf16", [text("日")]), ("YEAR", strings("2024")), ("BINARY(3)", ["X'01'"])]
    columns = [Column(f"c{i}", kinds[i % len(kinds)][0], kinds[i % len(kinds)][1] + (["NULL"] if i % 3 else []))
               for i in range(400)]
    return Table("mixed_wide", columns)


def generated(family):
    """V13: virtual, stored and invisible columns, and the hidden one of a functional index."""
    columns = [
        Column("a", "INT", ["1", "-5", "2147483647"]),
        Column("v", "BIGINT AS (a * 2) VIRTUAL", []),
        Column("t", "VARCHAR(20)", [text("Ünïcode"), "''"]),
        Column("s", "VARCHAR(60) AS (CONCAT(t, '/', a)) STORED", []),
        Column("u", "VARCHAR(60) AS (UPPER(t)) VIRTUAL", []),
        Column("hidden", "INT INVISIBLE" if family == "mysql" else "INT INVISIBLE DEFAULT 7", ["3", "NULL"]),
        Column("z", "INT UNSIGNED DEFAULT 9", ["4294967295", "0"]),
    ]
    tail = "KEY ((a + 1)), KEY (v)" if family == "mysql" else "KEY (v)"
    return Table("generated_columns", columns, tail=tail)


def generated_primary_key():
    """V13: MySQL makes my_row_id, invisible."""
    return Table("generated_key", [Column("a", "INT", ["1", "2", "2"]), Column("b", "VARCHAR(9)", ["'x'", "'y'"])],
                 head="ver INT NOT NULL DEFAULT 0",
                 before=["SET sql_generate_invisible_primary_key=ON"],
                 after=["SET sql_generate_invisible_primary_key=OFF"])


def prefix_key():
    """V13: a primary key of prefixes, in another order than the columns."""
    return Table("prefix_key", [Column("t", "TEXT", [text("aéb"), "''"])],
                 head="id INT NOT NULL, name VARCHAR(50) NOT NULL DEFAULT 'n', ver INT NOT NULL DEFAULT 0,"
                      " PRIMARY KEY (name(3), id)")


def all_tables(flavor):
    family = flavor.split("-")[0]
    found = [integers(), decimals(), floats(), bits(), enums(), sets(), *temporal(flavor), texts(), blobs(),
             geometries(family), odd_names(), prefix_key(), mixed_wide()]
    found += [wide(n) for n in (8, 9, 65, 127, 128, 129, 256, 257, 1017)]
    # A definition of MariaDB is at most 64 KiB.
    found.append(wide(4096 if family == "mysql" else 2500, "ENGINE=MyISAM"))
    if flavor != "mariadb-11.8":  # it logs generated columns for inserts only: a test of its own
        found.append(generated(family))
    if family == "mysql":
        found += [json_table(), generated_primary_key(), vectors(family)]
    else:
        found += [mariadb_json(), mariadb_only(), old_times(), compressed(), compressed_nulls()]
        if flavor != "mariadb-10.11":
            found.append(vectors(family))
    return found
