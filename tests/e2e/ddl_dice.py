"""Random DDL: statements over a few tables, most of which a server accepts."""

WORDS = ["a", "b", "c", "d", "e", "f", "id", "Name", "order_no", "größe", "`x y`", "`q``t`", "`select`",
         "comment", "first", "after", "time", "date", "status", "value", "type", "action", "`1`", "z9"]
CHARSETS = ["utf8mb4", "latin1", "utf8mb3", "ascii", "ucs2", "latin2", "gbk", "sjis", "cp1251", "utf16"]
COLLATIONS = ["utf8mb4_bin", "latin1_bin", "utf8mb4_general_ci", "latin1_german1_ci", "utf8mb3_bin"]
LABELS = ["'a'", "'b'", "'c '", "'it''s'", "'x\\\\y'", "'é'", "'漢'", "''", "'z,z'", "\"q\"", "0x41"]
NAMES = ["t1", "t2", "t3", "T4", "`order`", "tä"]


class Dice:
    """Knows roughly what tables there are, so that most statements fit."""

    def __init__(self, random, mariadb, databases):
        self.r = random
        self.mariadb = mariadb
        self.databases = databases
        self.columns = {}  # (database, table): names
        self.current = databases[0]

    def one_of(self, *choices):
        return self.r.choice(choices)

    def maybe(self, text, chance=0.5):
        return text if self.r.random() < chance else ""

    def table(self):
        """A table that is likely to be there, as it is written, and its key in columns."""
        if self.columns and self.r.random() < 0.95:
            key = self.r.choice(sorted(self.columns))
        else:
            key = self.r.choice(self.databases), self.r.choice(NAMES)
        return self.written(key), key

    def written(self, key):
        database, name = key
        if database != self.current or self.r.random() < 0.2:
            return f"{database}{self.maybe(' ', 0.05)}.{name}"
        return name

    def column(self, key):
        have = self.columns.get(key)
        return self.r.choice(have) if have and self.r.random() < 0.95 else self.r.choice(WORDS)

    # ---- columns ----

    def integer(self):
        word = self.one_of("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "INT1", "INT2", "INT3", "INT4",
                           "INT8", "INTEGER", "MIDDLEINT")
        sign = self.one_of("", "", "", " UNSIGNED", " ZEROFILL", " SIGNED", " UNSIGNED ZEROFILL")
        return word + self.maybe(f"({self.r.randint(0, 20)})", 0.3) + sign

    def number(self):
        m = self.r.randint(1, 40)
        d = self.r.randint(0, min(m, 30))
        word = self.one_of("DECIMAL", "NUMERIC", "DEC", "FIXED", "FLOAT", "DOUBLE", "REAL", "DOUBLE PRECISION", "FLOAT4")
        exact = word in ("DECIMAL", "NUMERIC", "DEC", "FIXED")
        size = self.one_of("", f"({m},{d})", f"({m})" if exact or word == "FLOAT" else "")
        return word + size + self.one_of("", "", " UNSIGNED", " ZEROFILL")

    def charset(self):
        return self.one_of("", "", "", f" CHARACTER SET {self.r.choice(CHARSETS)}",
                           f" CHARSET {self.r.choice(CHARSETS)}", " ASCII", " BINARY", " UNICODE",
                           f" COLLATE {self.r.choice(COLLATIONS)}")

    def text(self):
        n = self.r.choice([0, 1, 10, 63, 64, 85, 86, 127, 128, 255, 256, 300])
        return self.one_of(f"CHAR({min(n, 255)})", f"VARCHAR({n})", "TEXT", f"TEXT({n})", "TINYTEXT", "MEDIUMTEXT",
                           "LONGTEXT", f"CHARACTER VARYING({n})", f"NATIONAL CHAR({min(n, 255)})", f"NVARCHAR({n})",
                           "LONG VARCHAR", "CHAR", f"TEXT({n * 300})", f"NCHAR VARYING({n})")

    def charsetless(self, text):
        return text.startswith(("N", "NATIONAL"))

    def temporal(self):
        fsp = self.maybe(f"({self.r.randint(0, 6)})")
        return self.one_of("DATE", "TIME" + fsp, "DATETIME" + fsp, f"TIMESTAMP{fsp} NULL", "YEAR", "YEAR(4)")

    def binary(self):
        n = self.r.choice([1, 16, 255, 256, 70000])
        return self.one_of(f"BINARY({min(n, 255)})", f"VARBINARY({min(n, 300)})", "BLOB", f"BLOB({n})", "TINYBLOB",
                           "LONGBLOB", "LONG VARBINARY", f"CHAR({min(n, 255)}) BYTE", f"BIT({self.r.randint(1, 64)})")

    def labels(self):
        labels = self.r.sample(LABELS, self.r.randint(1, 5))
        return f"{self.one_of('ENUM', 'SET')}({','.join(x for x in labels if ',' not in x) or LABELS[0]})"

    def special(self):
        choices = ["JSON", "GEOMETRY", "POINT", "BOOL", "BOOLEAN", "POLYGON", "GEOMETRYCOLLECTION"]
        if self.mariadb:
            choices += ["UUID", "INET6", "INET4", "TEXT COMPRESSED"]
        return self.r.choice(choices)

    def type(self):
        kind = self.r.choice([self.integer, self.integer, self.number, self.text, self.text, self.temporal, self.binary,
                              self.labels, self.special])
        text = kind()
        if kind in (self.text, self.labels) and not self.charsetless(text):
            text += self.charset()
        return text

    def attributes(self):
        return self.one_of("", "", " NULL", " NOT NULL", " DEFAULT NULL", " COMMENT 'it''s; (a)'", " NOT NULL COMMENT \"x\"",
                           " /* c */", " INVISIBLE DEFAULT NULL", " NULL DEFAULT NULL")

    def definition(self):
        if self.r.random() < 0.05:
            return f"INT {self.one_of('', 'GENERATED ALWAYS ')}AS ({self.r.randint(1, 9)} + 1) {self.one_of('', 'VIRTUAL', 'STORED')}"
        return self.type() + self.attributes()

    # ---- statements ----

    def options(self):
        return self.maybe(self.one_of(" ENGINE=InnoDB", " ENGINE MyISAM", " engine = 'innodb'"), 0.4) + self.maybe(
            self.one_of(f" CHARSET={self.r.choice(CHARSETS)}", f" DEFAULT CHARACTER SET {self.r.choice(CHARSETS)}",
                        f" COLLATE {self.r.choice(COLLATIONS)}"), 0.4) + self.maybe(" COMMENT='o; p'", 0.2)

    def create(self):
        key = self.r.choice(self.databases), self.r.choice(NAMES)
        name = self.written(key)
        new = key not in self.columns
        guard = self.maybe(" IF NOT EXISTS", 0.2)
        replace = self.mariadb and not guard and self.r.random() < 0.2
        head = f"CREATE {'OR REPLACE ' if replace else ''}TABLE{guard} {name}"
        if self.columns and self.r.random() < 0.15:
            source, source_key = self.table()
            if new or replace:
                self.columns[key] = list(self.columns.get(source_key, []))
            return f"{head} {self.one_of(f'LIKE {source}', f'(LIKE {source})')}"
        names = self.r.sample(WORDS, self.r.randint(1, 8))
        parts = [f"{n} {self.definition()}" for n in names]
        pk = self.r.random()
        if pk < 0.3:
            parts[0] = f"{names[0]} INT{self.maybe(' UNSIGNED')} {self.one_of('PRIMARY KEY', 'KEY', 'NOT NULL PRIMARY KEY')}"
        elif pk < 0.6 and len(names) > 1:
            parts[:2] = [f"{names[0]} {self.integer()}", f"{names[1]} VARCHAR(20)"]
            columns = self.one_of(f"{names[0]}", f"{names[1]}, {names[0]}", f"{names[1]}(5)", f"{names[0]} DESC")
            parts.insert(self.r.randint(0, len(parts)), f"{self.maybe('CONSTRAINT pk ')}PRIMARY KEY ({columns})")
        elif pk < 0.7:
            parts[0] = f"{names[0]} SERIAL"
        if new or replace:
            self.columns[key] = names
        return f"{head} ({', '.join(parts)}){self.options()}"

    def place(self, key):
        return self.one_of("", "", "", " FIRST", f" AFTER {self.column(key)}")

    def clause(self, key):
        have = self.columns.get(key, [])
        kind = self.r.choice(["add", "add", "add", "drop", "modify", "modify", "change", "rename", "key", "other", "charset"])
        name = self.r.choice(WORDS)
        old = self.column(key)
        if kind == "add":
            if self.r.random() < 0.15:
                other = self.r.choice(WORDS)
                have += [name, other]
                return f"ADD {self.maybe('COLUMN ')}({name} {self.definition()}, {other} {self.definition()})"
            have.append(name)
            guard = "IF NOT EXISTS " if self.mariadb and self.r.random() < 0.2 else ""
            return f"ADD {self.maybe('COLUMN ')}{guard}{name} {self.definition()}{self.place(key)}"
        if kind == "drop":
            if old in have:
                have.remove(old)
            return f"DROP {self.maybe('COLUMN ')}{'IF EXISTS ' if self.mariadb and self.r.random() < 0.2 else ''}{old}"
        if kind == "modify":
            return f"MODIFY {self.maybe('COLUMN ')}{old} {self.definition()}{self.place(key)}"
        if kind == "change":
            if old in have:
                have[have.index(old)] = name
            return f"CHANGE {self.maybe('COLUMN ')}{old} {name} {self.definition()}{self.place(key)}"
        if kind == "rename":
            if old in have:
                have[have.index(old)] = name
            return f"RENAME COLUMN {old} TO {name}"
        if kind == "key":
            return self.one_of("DROP PRIMARY KEY", f"ADD PRIMARY KEY ({old})", f"ADD INDEX ({old})",
                               f"DROP PRIMARY KEY, ADD PRIMARY KEY ({old}, {self.column(key)})", f"ADD UNIQUE u{self.r.randint(1, 99)} ({old})")
        if kind == "charset":
            return self.one_of(f"CONVERT TO CHARACTER SET {self.r.choice(CHARSETS)} /* unknown */",
                               f"DEFAULT CHARSET {self.r.choice(CHARSETS)}", f"COLLATE = {self.r.choice(COLLATIONS)}")
        return self.one_of("ENGINE=InnoDB", "COMMENT 'x'", "FORCE", "ALGORITHM=COPY", f"ALTER {old} DROP DEFAULT",
                           f"ALTER COLUMN {old} SET DEFAULT NULL", f"ORDER BY {old}", "ENGINE=MyISAM", "AUTO_INCREMENT = 7")

    def alter(self):
        name, key = self.table()
        before = list(self.columns.get(key, []))
        text = ", ".join(self.clause(key) for _ in range(self.r.choice([1, 1, 1, 2, 3, 4])))
        # MariaDB leaves the file of such a name behind when it copies the table.
        if self.r.random() < 0.08 and key[1].isascii():
            other = self.r.choice(self.databases), self.r.choice(NAMES)
            if other not in self.columns and key in self.columns:
                self.columns[other] = self.columns.pop(key)
                text += f", RENAME {self.one_of('', 'TO ', 'AS ')}{self.written(other)}"
        return f"ALTER TABLE {name} {text}", key, before

    def rename(self):
        name, key = self.table()
        other = self.r.choice(self.databases), self.r.choice(NAMES)
        if key in self.columns and other in self.columns and key != other and self.r.random() < 0.7:
            self.columns[key], self.columns[other] = self.columns[other], self.columns[key]
            return f"RENAME TABLE {name} TO {self.databases[0]}.swap, {self.written(other)} TO {name}, {self.databases[0]}.swap TO {self.written(other)}"
        if key in self.columns and other not in self.columns:
            self.columns[other] = self.columns.pop(key)
        return f"RENAME TABLE {name} TO {self.written(other)}"

    def drop(self):
        name, key = self.table()
        self.columns.pop(key, None)
        return f"DROP TABLE{self.maybe(' IF EXISTS')} {name}"

    def database(self):
        return self.one_of(f"ALTER DATABASE {self.r.choice(self.databases)} CHARACTER SET {self.r.choice(CHARSETS[:4])}",
                           f"ALTER DATABASE {self.r.choice(self.databases)} COLLATE {self.r.choice(COLLATIONS)}")

    def mode(self):
        return f"SET SESSION sql_mode = '{self.one_of('', 'STRICT_TRANS_TABLES', 'REAL_AS_FLOAT', 'NO_BACKSLASH_ESCAPES')}'"

    def statement(self):
        """The next statement. Call refused() when the server did not take it."""
        before = {k: list(v) for k, v in self.columns.items()}
        was = self.current
        kind = self.r.choices(["create", "alter", "rename", "drop", "truncate", "database", "mode", "use"],
                              [20, 60, 6, 5, 2, 2, 3, 3])[0]
        if kind == "alter":
            text = self.alter()[0]
        elif kind == "truncate":
            text = f"TRUNCATE {self.maybe('TABLE ')}{self.table()[0]}"
        elif kind == "use":
            self.current = self.r.choice(self.databases)
            text = f"USE {self.current}"
        else:
            text = getattr(self, kind)()

        def refused():
            self.columns = before
            self.current = was

        return text, refused
