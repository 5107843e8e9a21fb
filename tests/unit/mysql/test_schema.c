#include "schema_fixture.h"

#include "base/str.h"
#include "mysql/statement.h"

static void check_def(const struct schema *s, const char *database, const char *table,
                      const char *sql, const char *want)
{
    char got[8192] = "";
    const struct table_def *def = schema_find(s, database, table);

    if (def != NULL) {
        show_def(def, got, sizeof got);
    }
    if (strcmp(got, want) != 0) {
        fail_msg("%s\n  %s is\n  %s\nnot\n  %s", sql, table, got, want);
    }
}

struct step {
    const char *sql;
    const char *changes;
    const char *t; /* the definition of shop.t afterwards; NULL: whatever */
};

static void run_steps(struct schema *s, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct schema_changes changes;
        struct err e = {0};
        char got[4096];
        enum err_code rc = apply(s, steps[i].sql, &changes, &e);

        if (rc != ERR_OK) {
            fail_msg("%s\n  %s", steps[i].sql, e.msg);
        }
        show_changes(&changes, got, sizeof got);
        if (strcmp(got, steps[i].changes) != 0) {
            fail_msg("%s\n  gives '%s', not '%s'", steps[i].sql, got, steps[i].changes);
        }
        if (steps[i].t != NULL) {
            check_def(s, "shop", "t", steps[i].sql, steps[i].t);
        }
    }
}

#define RUN_STEPS(s, steps) run_steps(s, steps, sizeof(steps) / sizeof(steps)[0])

TEST(test_schema__creates_alters_renames_and_drops)
{
    static const struct step steps[] = {
        {"CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10))", "created shop.t",
         "id int not null, a varchar(10) utf8mb4 | id"},
        {"ALTER TABLE t ADD COLUMN b BIGINT UNSIGNED NOT NULL AFTER id, ADD c TEXT FIRST",
         "altered shop.t",
         "c text utf8mb4, id int not null, b bigint unsigned not null, a varchar(10) utf8mb4 | id"},
        {"ALTER TABLE t CHANGE a b INT, CHANGE b a INT, DROP c", "altered shop.t",
         "id int not null, a int, b int | id"},
        {"ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a", "altered shop.t",
         "id int not null, b int, a int | id"},
        {"ALTER TABLE t MODIFY a INT AFTER id, ADD z INT AFTER a", "altered shop.t",
         "id int not null, a int, z int, b int | id"},
        {"ALTER TABLE t DROP z", "altered shop.t", "id int not null, a int, b int | id"},
        {"ALTER TABLE t ADD INDEX (a)", "", "id int not null, a int, b int | id"},
        {"ALTER TABLE t FORCE, COMMENT 'x', ALGORITHM=COPY", "", NULL},
        {"ALTER TABLE t", "", NULL},
        {"CREATE TABLE IF NOT EXISTS t (x INT)", "", "id int not null, a int, b int | id"},
        {"CREATE TABLE u LIKE t", "created shop.u", "id int not null, a int, b int | id"},
        {"CREATE TABLE v (LIKE shop.t)", "created shop.v", NULL},
        {"TRUNCATE t", "truncated shop.t", "id int not null, a int, b int | id"},
        {"TRUNCATE TABLE `shop`.`t`", "truncated shop.t", NULL},
        {"RENAME TABLE t TO t2, u TO t", "renamed shop.t to shop.t2; renamed shop.u to shop.t",
         "id int not null, a int, b int | id"},
        {"RENAME TABLE t TO x, t2 TO t, x TO t2",
         "renamed shop.t to shop.x; renamed shop.t2 to shop.t; renamed shop.x to shop.t2", NULL},
        {"ALTER TABLE t RENAME TO other.t", "renamed shop.t to other.t", ""},
        {"ALTER TABLE other.t ADD c INT, RENAME shop.t",
         "altered other.t; renamed other.t to shop.t", "id int not null, a int, b int, c int | id"},
        {"ALTER TABLE t DROP PRIMARY KEY", "altered shop.t",
         "id int not null, a int, b int, c int"},
        {"ALTER TABLE t ADD PRIMARY KEY (b, id)", "altered shop.t",
         "id int not null, a int, b int not null, c int | b, id"},
        {"DROP INDEX `PRIMARY` ON t", "altered shop.t",
         "id int not null, a int, b int not null, c int"},
        {"DROP INDEX a ON t", "", NULL},
        {"ALTER TABLE t ENGINE=MyISAM", "altered shop.t", NULL},
        {"ALTER TABLE t DEFAULT CHARSET latin1", "altered shop.t", NULL},
        {"ALTER TABLE t ADD d CHAR(2)", "altered shop.t",
         "id int not null, a int, b int not null, c int, d char(2) latin1"},
        {"ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4", "altered shop.t",
         "id int not null, a int, b int not null, c int, d char(2) utf8mb4"},
        {"DROP TABLE t2, t", "dropped shop.t2; dropped shop.t", ""},
        {"DROP TABLE IF EXISTS t", "", ""},
        {"CREATE TABLE IF NOT EXISTS t (x INT)", "created shop.t", "x int"},
        {"DROP DATABASE shop", "dropped shop.t; dropped shop.v; dropped shop.", ""},
        {"DROP DATABASE IF EXISTS shop", "", ""},
    };
    struct schema *s = schema_of(false, MYSQL_8);

    RUN_STEPS(s, steps);
    schema_free(s);
}

TEST(test_schema__says_which_rows_went)
{
    static const struct step steps[] = {
        {"CREATE TABLE t (a INT) PARTITION BY HASH (a) PARTITIONS 4", "created shop.t", "a int"},
        {"CREATE TABLE u (a INT)", "created shop.u", NULL},
        {"ALTER TABLE t DROP PARTITION p0, p1", "removed shop.t", NULL},
        {"ALTER TABLE t TRUNCATE PARTITION ALL", "removed shop.t", NULL},
        {"ALTER TABLE t EXCHANGE PARTITION p2 WITH TABLE u WITHOUT VALIDATION",
         "replaced shop.t; replaced shop.u", NULL},
        {"ALTER TABLE t DISCARD TABLESPACE", "replaced shop.t", NULL},
        {"ALTER TABLE t IMPORT PARTITION p0 TABLESPACE", "replaced shop.t", NULL},
        {"ALTER IGNORE TABLE t ADD UNIQUE (a)", "replaced shop.t", NULL},
        {"ALTER TABLE t ADD PARTITION PARTITIONS 2", "", NULL},
        {"ALTER TABLE t COALESCE PARTITION 2", "", NULL},
        {"ALTER TABLE t REORGANIZE PARTITION p0 INTO (PARTITION p1 VALUES LESS THAN (5))", "",
         NULL},
        {"ALTER TABLE t REBUILD PARTITION p0", "", NULL},
        {"ALTER TABLE t REMOVE PARTITIONING", "", NULL},
        {"ALTER TABLE t PARTITION BY KEY (a)", "", NULL},
        {"REPAIR TABLE t, u", "replaced shop.t; replaced shop.u", NULL},
        {"ALTER TABLE t ENGINE=InnoDB", "altered shop.t", NULL},
        {"REPAIR NO_WRITE_TO_BINLOG TABLE t QUICK", "", NULL},
        {"ALTER TABLE t REPAIR PARTITION p0", "", NULL},
        {"ALTER TABLE u REPAIR PARTITION ALL", "replaced shop.u", NULL},
        {"TRUNCATE unseen.x", "truncated unseen.x unknown", NULL},
    };
    struct schema *s = schema_of(false, MYSQL_8);

    RUN_STEPS(s, steps);
    schema_free(s);
}

TEST(test_schema__reads_what_only_mariadb_has)
{
    static const struct step steps[] = {
        {"CREATE TABLE t (a INT, b UUID, c JSON, d INET6 NOT NULL)", "created shop.t",
         "a int(11), b uuid, c longtext utf8mb4, d inet6 not null"},
        {"CREATE OR REPLACE TABLE t (a INT PRIMARY KEY)", "dropped shop.t; created shop.t",
         "a int(11) not null | a"},
        {"ALTER TABLE t ADD COLUMN IF NOT EXISTS a BIGINT, ADD IF NOT EXISTS b INT",
         "altered shop.t", "a int(11) not null, b int(11) | a"},
        {"ALTER TABLE t DROP COLUMN IF EXISTS z, MODIFY IF EXISTS z INT", "",
         "a int(11) not null, b int(11) | a"},
        {"ALTER TABLE IF EXISTS nothing ADD a INT", "", NULL},
        {"ALTER TABLE t WAIT 5 ADD c TEXT COMPRESSED", "altered shop.t",
         "a int(11) not null, b int(11), c text /*M!100301 COMPRESSED*/ utf8mb4 | a"},
        {"ALTER ONLINE TABLE t NOWAIT DROP c", "altered shop.t", NULL},
        {"SET STATEMENT max_statement_time=1, a=(SELECT 1) FOR ALTER TABLE t DROP b",
         "altered shop.t", "a int(11) not null | a"},
        {"RENAME TABLE IF EXISTS nothing TO b, t WAIT 3 TO u", "renamed shop.t to shop.u", ""},
        {"RENAME TABLE u NOWAIT TO t", "renamed shop.u to shop.t", "a int(11) not null | a"},
        {"TRUNCATE t WAIT 2", "truncated shop.t", NULL},
        {"ALTER TABLE t CONVERT PARTITION p TO TABLE u", "created shop.u filled; removed shop.t",
         NULL},
        {"ALTER TABLE t CONVERT TABLE u TO PARTITION p VALUES LESS THAN (5)",
         "replaced shop.t; dropped shop.u", NULL},
        {"CREATE SEQUENCE t", "", NULL},
        {"CREATE OR REPLACE SEQUENCE t", "dropped shop.t", ""},
        {"CREATE TABLE t (next_not_cached_value BIGINT) SEQUENCE=1", "", ""},
        {"CREATE TABLE t (a INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) "
         "GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e), PRIMARY KEY (a)) WITH SYSTEM "
         "VERSIONING",
         "created shop.t",
         "a int(11) not null, s timestamp(6) not null generated, e timestamp(6) not null generated "
         "| a, e"},
        {"ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a)", "altered shop.t unknown", ""},
        {"DROP TABLE t NOWAIT, u", "dropped shop.t", ""},
        {"CREATE TABLE t (a INT, s DATE, e DATE, PERIOD FOR p (s, e), PRIMARY KEY (a, p WITHOUT "
         "OVERLAPS))",
         "created shop.t", "a int(11) not null, s date not null, e date not null | a, e, s"},
        {"ALTER TABLE t DROP PERIOD FOR p, DROP SYSTEM VERSIONING", "", NULL},
        {"CREATE OR REPLACE DATABASE shop CHARACTER SET latin1", "dropped shop.t; dropped shop.",
         ""},
        {"CREATE TABLE t (a VARCHAR(3), b VARCHAR(3) COLLATE uca1400_ai_ci)", "created shop.t",
         "a varchar(3) latin1, b varchar(3) latin1"},
    };
    struct schema *s = schema_of(true, MARIA_11);

    RUN_STEPS(s, steps);
    schema_free(s);
}

/* ---- types ---- */

struct type_case {
    const char *type;
    const char *want; /* as show_def() has it */
};

static void check_types(bool mariadb, unsigned version, uint64_t mode,
                        const struct type_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct schema *s = schema_of(mariadb, version);
        struct schema_changes changes;
        struct err e = {0};
        char sql[1024];
        char want[1100];
        struct binlog_query q = {.sql_mode = mode, .explicit_timestamps = -1};

        (void)snprintf(sql, sizeof sql, "CREATE TABLE t (a %s)", cases[i].type);
        (void)snprintf(want, sizeof want, "a %s", cases[i].want);
        if (apply_query(s, span_str(sql), q, &changes, &e) != ERR_OK) {
            fail_msg("%s\n  %s", sql, e.msg);
        }
        check_def(s, "shop", "t", sql, want);
        schema_free(s);
    }
}

#define CHECK_TYPES(mariadb, version, mode, cases) \
    check_types(mariadb, version, mode, cases, sizeof(cases) / sizeof(cases)[0])

/* What the other servers' live tests do not reach: servers that show widths. */
TEST(test_schema__shows_types_as_each_version_does)
{
    static const struct type_case old[] = {
        {"INT", "int(11)"},
        {"INT UNSIGNED", "int(10) unsigned"},
        {"INTEGER(5) ZEROFILL", "int(5) unsigned zerofill"},
        {"BOOL", "tinyint(1)"},
        {"BIGINT", "bigint(20)"},
        {"SERIAL", "bigint(20) unsigned not null"},
        {"YEAR", "year(4)"},
        {"GEOMETRYCOLLECTION", "geometrycollection"},
        {"TIMESTAMP", "timestamp not null"},
        {"TIMESTAMP NULL", "timestamp"},
        {"VARCHAR(5) CHARACTER SET utf8mb3", "varchar(5) utf8"},
        {"NCHAR(3)", "char(3) utf8"},
        {"JSON", "json"},
    };
    static const struct type_case now[] = {
        {"INT(11)", "int"},
        {"TINYINT(1)", "tinyint(1)"},
        {"TINYINT(1) UNSIGNED", "tinyint unsigned"},
        {"TINYINT(1) ZEROFILL", "tinyint(1) unsigned zerofill"},
        {"INT ZEROFILL", "int(10) unsigned zerofill"},
        {"YEAR(4)", "year"},
        {"GEOMETRYCOLLECTION", "geomcollection"},
        {"TIMESTAMP", "timestamp"},
        {"VARCHAR(5) CHARSET utf8", "varchar(5) utf8mb3"},
        {"TEXT(0)", "tinytext utf8mb4"},
        {"VECTOR", "vector(2048)"},
        {"ENUM('a','b') CHARACTER SET binary", "enum('a','b')"},
        {"FLOAT(25)", "double"},
        {"FLOAT(24)", "float"},
        {"DOUBLE PRECISION(5,2) UNSIGNED", "double(5,2) unsigned"},
        {"DEC", "decimal(10,0)"},
        {"FIXED(5) ZEROFILL", "decimal(5,0) unsigned zerofill"},
        {"BIT", "bit(1)"},
        {"CHAR BYTE", "binary(1)"},
        {"VARCHAR(3) CHARACTER SET binary", "varbinary(3)"},
        {"TEXT COLLATE binary", "blob"},
        {"LONG VARBINARY", "mediumblob"},
        {"LONG", "mediumtext utf8mb4"},
        {"VARCHAR(70000)", "mediumtext utf8mb4"},
        {"VARCHAR(65535) CHARACTER SET latin1", "varchar(65535) latin1"},
        {"CHAR(3) ASCII", "char(3) latin1"},
        {"CHAR(3) BINARY UNICODE", "char(3) ucs2"},
        {"TEXT(63)", "tinytext utf8mb4"},
        {"TEXT(64)", "text utf8mb4"},
        {"BLOB(65536)", "mediumblob"},
        {"NATIONAL CHARACTER VARYING(5)", "varchar(5) utf8mb3"},
        {"SET('x ','y''','\\\\', \"q\\n\")", "set('x','y''','\\\\','q\\n') utf8mb4"},
        {"ENUM(0xe9,b'01100001') CHARACTER SET latin1", "enum('\xc3\xa9','a') latin1"},
        {"ENUM(0x61) CHARACTER SET utf32", "enum('a') utf32"},
        {"ENUM('\xe6\xbc\xa2x') CHARACTER SET latin1", "enum('?x') latin1"},
        {"ENUM('\xe6\xbc\xa2\xc3\xa9') CHARACTER SET sjis", "enum('\xe6\xbc\xa2?') sjis"},
        {"ENUM('\xf0\x9f\x98\x80') CHARACTER SET utf8mb3", "enum('?') utf8mb3"},
        {"ENUM('\xf0\x9f\x98\x80') CHARACTER SET gb18030", "enum('\xf0\x9f\x98\x80') gb18030"},
        {"TIME(3) NOT NULL", "time(3) not null"},
        {"DATETIME(0)", "datetime"},
        {"INT AS (1 + (2)) STORED", "int generated"},
        {"INT GENERATED ALWAYS AS (f(')')) VIRTUAL NOT NULL", "int not null generated"},
        {"POINT NOT NULL SRID 4326", "point not null"},
        {"INT COLUMN_FORMAT FIXED STORAGE DISK INVISIBLE CHECK (a > 1) NOT ENFORCED", "int"},
        {"INT REFERENCES b (c) MATCH FULL ON DELETE SET NULL ON UPDATE NO ACTION", "int"},
        {"INT DEFAULT -1 COMMENT 'x' UNIQUE KEY", "int"},
        {"INT DEFAULT (1 + (2)) NOT NULL", "int not null"},
        {"DATETIME DEFAULT NOW() ON UPDATE CURRENT_TIMESTAMP(0)", "datetime"},
        {"INT NOT SECONDARY ENGINE_ATTRIBUTE '{}'", "int"},
        {"VARCHAR(5) COLUMN_FORMAT COMPRESSED WITH COMPRESSION_DICTIONARY d", "varchar(5) utf8mb4"},
    };
    static const struct type_case maria[] = {
        {"INT(0)", "int(11)"},
        {"TINYINT(1) UNSIGNED", "tinyint(1) unsigned"},
        {"YEAR(2)", "year(2)"},
        {"YEAR", "year(4)"},
        {"BIT(0)", "bit(1)"},
        {"FLOAT(0,0)", "float"},
        {"TEXT(0)", "text utf8mb4"},
        {"VARCHAR(65533) CHARACTER SET latin1", "text latin1"},
        {"VARCHAR(65532) CHARACTER SET latin1", "varchar(65532) latin1"},
        {"ENUM('a') CHARACTER SET binary", "enum('a') binary"},
        {"VARCHAR(9) COMPRESSED CHARACTER SET latin1", "varchar(9) /*M!100301 COMPRESSED*/ latin1"},
        {"BLOB COMPRESSED=zlib", "blob /*M!100301 COMPRESSED*/"},
        {"POINT REF_SYSTEM_ID=101", "point"},
        {"INT DEFAULT NEXT VALUE FOR x.y", "int(11)"},
        {"INT option='x' NOT NULL", "int(11) not null"},
        {"TIMESTAMP", "timestamp not null"},
        {"oracle_schema.DATE", "datetime"},
        {"maxdb_schema.TIMESTAMP", "datetime"},
        {"INT WITHOUT SYSTEM VERSIONING", "int(11)"},
        {"INET4", "inet4"},
    };
    static const struct type_case oracle[] = {
        {"VARCHAR2(5)", "varchar(5) utf8mb4"},
        {"NUMBER", "double"},
        {"NUMBER(5,2)", "decimal(5,2)"},
        {"RAW(16)", "varbinary(16)"},
        {"CLOB", "longtext utf8mb4"},
        {"BLOB", "longblob"},
        {"DATE", "datetime"},
        {"mariadb_schema.DATE", "date"},
    };
    static const struct type_case floats[] = {{"REAL", "float"}, {"DOUBLE", "double"}};

    CHECK_TYPES(false, MYSQL_57, 0, old);
    CHECK_TYPES(false, MYSQL_8, 0, now);
    CHECK_TYPES(true, MARIA_10, 0, maria);
    CHECK_TYPES(true, MARIA_10, ORACLE, oracle);
    CHECK_TYPES(false, MYSQL_8, 1, floats);
}

/* ---- text ---- */

/* Statements in modes and charsets; each makes t (a int) or t with the label `want`. */
TEST(test_schema__reads_the_text_as_the_session_wrote_it)
{
    static const struct {
        const char *sql;
        uint64_t mode;
        uint16_t collation;
        bool mariadb;
        const char *want;
    } cases[] = {
        {"CREATE TABLE \"t\" (\"a\" INT)", ANSI, 0, false, "a int"},
        {"CREATE TABLE t (a INT COMMENT \"x\")", 0, 0, false, "a int"},
        {"CREATE TABLE t (a INT COMMENT 'x\\')", NO_ESCAPE, 0, false, "a int"},
        {"CREATE TABLE t (a INT COMMENT 'x\\'), b INT')", 0, 0, false, "a int"},
        {"CREATE TABLE t (a INT COMMENT 'x''), b INT')", 0, 0, false, "a int"},
        {"CREATE TABLE [t] ([a b]]] INT)", MSSQL, 0, true, "a b] int(11)"},
        {"CREATE /* ( */ TABLE -- (\n t # (\n (a INT /*!50000 UNSIGNED */)", 0, 0, false,
         "a int unsigned"},
        {"/*!50000 CREATE TABLE t (a INT) */", 0, 0, false, "a int"},
        {"CREATE TABLE t (a INT /*M!100000 UNSIGNED */)", 0, 0, false, "a int"},
        {"CREATE TABLE t (a INT /*M!100000 UNSIGNED */)", 0, 0, true, "a int(10) unsigned"},
        {"CREATE TABLE t (a INT--1\n)", 0, 0, false, NULL},
        {"CREATE TABLE t (a INT) -- end", 0, 0, false, "a int"},
        {"CREATE TABLE t (a INT);", 0, 0, false, "a int"},
        {"CREATE TABLE t (1a INT, 2e5x INT, $ INT, shop.t.b INT)", 0, 0, false,
         "1a int, 2e5x int, $ int, b int"},
        {"CREATE TABLE shop.1t (a INT)", 0, 0, false, ""},
        /* 0x835c is a letter of sjis whose second byte is a backslash, 0x8160 one of gbk with a
         * backtick. */
        {"CREATE TABLE t (a ENUM('\x83\x5c'))", 0, 13, false, "a enum('\xe3\x82\xbd') utf8mb4"},
        {"CREATE TABLE t (`\x81\x60` INT)", 0, 28, false, "\xe4\xb9\xa3 int"},
        {"CREATE TABLE t (a ENUM('\xe9'))", 0, 8, false, "a enum('\xc3\xa9') utf8mb4"},
        {"CREATE TABLE t (a ENUM('\xe9') CHARACTER SET latin1)", 0, 63, false,
         "a enum('\xc3\xa9') latin1"},
        /* In words of the server's own: UTF-8 beside another charset. */
        {"CREATE TABLE `t` (\n  `\xc3\xa9` int\n) START TRANSACTION", 0, 8, false, "\xc3\xa9 int"},
        {"CREATE TABLE `t` (\n  `\xc3\xa9` int\n) START TRANSACTION ", 0, 8, false, ""},
        {"CREATE TABLE `t` (\n  `my_row_id` int,\n  `\xc3\xa9` int\n)", 0, 8, false,
         "my_row_id int, \xc3\xa9 int"},
        {"CREATE TABLE `t` (\n  `\xe9` int\n)", 0, 8, false, "\xc3\xa9 int"},
        /* Or a client's, which wrote as servers do: nobody can tell. */
        {"CREATE TABLE `t` (\n  `\xc3\xa9` int\n)", 0, 8, false, ""},
        {"CREATE TABLE `t` (\n  `a` enum('\xc3\xa9')\n)", 0, 63, false, ""},
        {"CREATE TABLE `t` (\n  `\xc3\xa9` int\n)", 0, 45, false, "\xc3\xa9 int"},
        {"CREATE TABLE `t` (\n  `\xe8\xa1\xa8` int\n)", 0, 12, false, "\xe8\xa1\xa8 int"},
        {"CREATE TABLE `\xc3\xa9` (\n  `a` int\n)", 0, 8, false, NULL},
        {"CREATE TABLE `t` (`\xc3\xa9` int)", 0, 8, false, "\xc3\x83\xc2\xa9 int"},
        {"CREATE TABLE t (a ENUM('\xff'))", 0, 28, false, NULL},
        {"CREATE TABLE t (`\xe9` INT)", 0, 45, false, NULL},
        {"CREATE TABLE t (\xe9 INT)", 0, 9999, false, NULL},
        {"CREATE TABLE t (a INT COMMENT 'x", 0, 0, false, NULL},
        {"CREATE TABLE t (a INT /* x", 0, 0, false, NULL},
        {"CREATE TABLE t (a INT /*!50000 )", 0, 0, false, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct schema *s = schema_of(cases[i].mariadb, cases[i].mariadb ? MARIA_10 : MYSQL_8);
        struct binlog_query q = {.sql_mode = cases[i].mode,
                                 .client_collation = cases[i].collation,
                                 .explicit_timestamps = -1};
        struct schema_changes changes;
        struct err e = {0};
        enum err_code rc = apply_query(s, span_str(cases[i].sql), q, &changes, &e);

        if ((rc == ERR_OK) != (cases[i].want != NULL) || (rc != ERR_OK && rc != ERR_UNSUPPORTED)) {
            fail_msg("%s\n  %s: %s", cases[i].sql, err_code_name(rc), e.msg);
        }
        if (rc == ERR_OK) {
            check_def(s, "shop", "t", cases[i].sql, cases[i].want);
        }
        schema_free(s);
    }
}

/* Heads that concern no tables never fail, whatever the text holds. */
TEST(test_schema__passes_over_what_concerns_no_tables)
{
    static const char *const statements[] = {
        "",
        ";",
        "BEGIN",
        "COMMIT",
        "# Dum",
        "GRANT ALL ON *.* TO 'a'@'%' IDENTIFIED BY PASSWORD '*\xff\xfe'",
        "ALTER USER 'a'@'%' IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$\x01\x80`\\'",
        "CREATE USER a IDENTIFIED BY 'x",
        "CREATE DEFINER=`a`@`b` PROCEDURE p() BEGIN DROP TABLE t; END",
        "CREATE DEFINER=`a`@`b` TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = ';",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "CREATE OR REPLACE VIEW t AS SELECT 1",
        "ALTER VIEW t AS SELECT 1",
        "DROP VIEW t",
        "CREATE UNIQUE INDEX i ON t (a)",
        "CREATE FULLTEXT INDEX i ON t (a)",
        "DROP PROCEDURE t",
        "RENAME USER a TO b",
        "ANALYZE TABLE t",
        "OPTIMIZE TABLE t",
        "FLUSH TABLES",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DROP TABLE t",
        "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x')",
        "CREATE LIBRARY l LANGUAGE JAVASCRIPT AS $$ '; DROP TABLE t; $$",
        "INSERT INTO t VALUES ('DROP TABLE t')",
        "XA START 'x'",
        "\xff\xfe",
        "'CREATE TABLE",
    };
    struct schema *s = schema_of(false, MYSQL_8);
    struct schema_changes changes;
    struct err e = {0};

    apply_all(s, (const char *const[]){"CREATE TABLE t (a INT)", NULL});
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        for (uint16_t collation = 0; collation < 64; collation = (uint16_t)(collation + 28)) {
            struct binlog_query q = {.client_collation = collation, .explicit_timestamps = -1};
            enum err_code rc = apply_query(s, span_str(statements[i]), q, &changes, &e);

            if (rc != ERR_OK || changes.count > 0) {
                fail_msg("%s\n  %u changes, %s", statements[i], changes.count, e.msg);
            }
        }
    }
    check_def(s, "shop", "t", "", "a int");
    schema_free(s);
}

/* What cannot be read names its place, applies nothing, and leaves what it may touch unknown. */
TEST(test_schema__reports_what_cannot_be_read)
{
    static const struct {
        const char *sql;
        const char *place; /* part of the message */
        const char *gone;  /* tables that are unknown afterwards, of a, b, c */
    } cases[] = {
        {"ALTER TABLE a FROBNICATE", "byte 14 on, near 'FROBNICATE'", "a"},
        {"ALTER TABLE a ADD x FROB(3)", "near 'FROB(3)'", "a"},
        {"ALTER TABLE a ADD x INT, ADD", "a name", "a"},
        {"ALTER TABLE a ADD x INT DROP y", "near 'DROP y'", "a"},
        {"ALTER TABLE a ADD x VARCHAR", "a length", "a"},
        {"ALTER TABLE a ADD x INT CHARACTER SET foo", "near", "a"},
        {"ALTER TABLE a ADD x TEXT CHARACTER SET foo", "a charset that is known", "a"},
        {"ALTER TABLE a RENAME b c", "near 'c'", "ab"},
        {"RENAME TABLE a TO", "a name", "a"},
        {"RENAME TABLE a TO d, b TO", "a name", "ab"},
        {"DROP TABLE a, b c", "near 'c'", "abc"},
        {"DROP TABLE a,", "a name", "a"},
        {"TRUNCATE a b", "near 'b'", "ab"},
        {"DROP INDEX `PRIMARY` ON a FOO", "near 'FOO'", "a"},
        {"DROP DATABASE shop FOO", "near 'FOO'", "abc"},
        {"ALTER DATABASE shop FOO", "near 'FOO'", "abc"},
        {"CREATE TABLE a (x INT) FOO", "near 'FOO'", "a"},
        {"CREATE TABLE IF NOT EXISTS a (x FROB)", "near 'FROB)'", "a"},
        {"CREATE TABLE a (x INT", "')'", "a"},
        {"CREATE TABLE a", "", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct schema *s = schema_of(false, MYSQL_8);
        struct schema_changes changes = {NULL, 7};
        struct err e = {0};
        enum err_code rc;
        bool reported = cases[i].place[0] != '\0';

        apply_all(s, (const char *const[]){"CREATE TABLE a (x INT)", "CREATE TABLE b (x INT)",
                                           "CREATE TABLE c (x INT)", NULL});
        schema_keep(s);
        rc = apply(s, cases[i].sql, &changes, &e);
        if (rc != (reported ? ERR_UNSUPPORTED : ERR_OK) ||
            (reported && strstr(e.msg, cases[i].place) == NULL)) {
            fail_msg("%s\n  %s: %s", cases[i].sql, err_code_name(rc), e.msg);
        }
        if (!reported) {
            schema_free(s);
            continue;
        }
        assert_int_equal(changes.count, 0);
        for (const char *name = "abc"; *name != '\0'; name++) {
            char table[2] = {*name, '\0'};
            bool gone = schema_find(s, "shop", table) == NULL;

            if (gone != (strchr(cases[i].gone, *name) != NULL)) {
                fail_msg("%s\n  %s is %s", cases[i].sql, table, gone ? "unknown" : "known");
            }
        }
        schema_undo(s);
        assert_non_null(schema_find(s, "shop", "a"));
        schema_free(s);
    }
}

/* Each truncation is read whole or reported: it never leaves a definition in between. */
TEST(test_schema__reads_every_truncation_whole_or_reports_it)
{
    static const char *const statements[] = {
        "CREATE TABLE IF NOT EXISTS `n` (`id` BIGINT(20) UNSIGNED NOT NULL AUTO_INCREMENT COMMENT "
        "'it''s (', b ENUM('x','y\\'',0x41) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'x', c "
        "DECIMAL(10,2) AS (b + (1)) STORED, PRIMARY KEY USING BTREE (`id`, b(10) DESC), UNIQUE KEY "
        "u (b) COMMENT 'k', CONSTRAINT f FOREIGN KEY (b) REFERENCES x (y) ON DELETE SET NULL, "
        "CHECK "
        "(c > 1)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='a;b' PARTITION BY RANGE (id) "
        "(PARTITION p0 VALUES LESS THAN (10) ENGINE=InnoDB, PARTITION p1 VALUES LESS THAN "
        "MAXVALUE)",
        "ALTER TABLE t ADD COLUMN (a INT, b TEXT), CHANGE x `y` TIMESTAMP(6) NULL DEFAULT NOW(6) "
        "ON "
        "UPDATE NOW(6) FIRST, DROP COLUMN q, MODIFY z SET('a','b') AFTER y, DROP PRIMARY KEY, ADD "
        "CONSTRAINT p PRIMARY KEY (y), RENAME COLUMN r TO s, ALTER w SET DEFAULT (1), CONVERT TO "
        "CHARACTER SET latin1 COLLATE latin1_bin, ORDER BY a, b DESC, RENAME TO other.t",
        "RENAME TABLE /* gh-ost */ `shop`.`t` TO `shop`.`_t_del`, `shop`.`_t_gho` TO `shop`.`t`",
        "DROP TABLE IF EXISTS `shop`.`t`, b /* generated by server */",
    };

    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        for (size_t len = 0; len <= strlen(statements[i]); len++) {
            struct schema *s = schema_of(false, MYSQL_8);
            struct schema_changes changes;
            struct err e = {0};
            struct binlog_query q = {.explicit_timestamps = -1};

            apply_all(s, (const char *const[]){"CREATE TABLE t (x INT, q INT, z INT, r INT, w INT, "
                                               "PRIMARY KEY (z))",
                                               "CREATE TABLE _t_gho (g INT)", NULL});
            enum err_code rc = apply_query(s, span_of(statements[i], len), q, &changes, &e);

            if (rc != ERR_OK && rc != ERR_UNSUPPORTED) {
                fail_msg("%zu of %s: %s", len, statements[i], e.msg);
            }
            /* A clause that was cut off is not half there: an actionable head with an open
             * parenthesis, a comma or a keyword at its end is no statement. */
            const char *cut = statements[i] + (len == 0 ? 0 : len - 1);

            if (len > 20 && strchr("(,=", *cut) != NULL && rc == ERR_OK) {
                fail_msg("%zu of %s was read", len, statements[i]);
            }
            if (len == strlen(statements[i])) {
                assert_ok(rc, &e);
            }
            schema_free(s);
        }
    }
}

/* How servers find the columns of the old key, and what they make of types: seen on live ones. */
TEST(test_schema__alters_as_odd_as_servers_do)
{
    static const struct step steps[] = {
        {"CREATE TABLE t (a INT PRIMARY KEY, b INT)", "created shop.t",
         "a int not null, b int | a"},
        {"ALTER TABLE t DROP a, ADD a INT", "altered shop.t", "b int, a int not null | a"},
        {"ALTER TABLE t RENAME COLUMN a TO c, ADD a INT FIRST", "altered shop.t",
         "a int not null, b int, c int not null | a"},
        {"ALTER TABLE t DROP a, CHANGE b a INT", "altered shop.t", "a int, c int not null"},
        {"ALTER TABLE t MODIFY a BIGINT AFTER c, ADD e INT AFTER a", "altered shop.t",
         "c int not null, a bigint, e int"},
        {"ALTER TABLE t MODIFY c TEXT, CONVERT TO CHARACTER SET latin1", "altered shop.t unknown",
         ""},
        {"DROP TABLE t", "dropped shop.t", ""},
        {"CREATE TABLE t (my_row_id BIGINT UNSIGNED NOT NULL PRIMARY KEY, a INT)", "created shop.t",
         NULL},
        {"ALTER TABLE t ADD b INT AFTER my_row_id", "altered shop.t", NULL},
        {"ALTER TABLE t ADD c INT FIRST", "altered shop.t unknown", ""},
        {"CREATE TABLE l (a ENUM('x'), b TEXT, c VARCHAR(60000), d TINYTEXT) CHARSET latin1",
         "created shop.l", NULL},
        {"ALTER TABLE l CONVERT TO CHARACTER SET utf8mb4, DEFAULT CHARSET latin2", "altered shop.l",
         NULL},
        {"RENAME TABLE l TO t", "renamed shop.l to shop.t",
         "a enum('x') utf8mb4, b mediumtext utf8mb4, c mediumtext utf8mb4, d text utf8mb4"},
        {"ALTER TABLE t MODIFY a ENUM('\xc3\xa9')", "altered shop.t", NULL},
        {"ALTER TABLE t CONVERT TO CHARACTER SET ascii", "altered shop.t unknown", ""},
    };
    static const struct step maria[] = {
        {"CREATE TABLE t (a INT)", "created shop.t", NULL},
        {"ALTER TABLE t ADD b INT FIRST, MODIFY b BIGINT, ADD c INT", "altered shop.t",
         "a int(11), b bigint(20), c int(11)"},
    };
    struct schema *s = schema_of(false, MYSQL_8);

    RUN_STEPS(s, steps);
    schema_free(s);
    s = schema_of(true, MARIA_10);
    RUN_STEPS(s, maria);
    schema_free(s);
}

/* ---- the registry ---- */

TEST(test_schema__takes_back_what_was_not_kept)
{
    struct schema *s = schema_of(false, MYSQL_8);

    apply_all(s, (const char *const[]){"CREATE TABLE t (a INT)", "CREATE TABLE u (b INT)", NULL});
    schema_undo(s);
    check_def(s, "shop", "t", "undo", "");
    apply_all(s, (const char *const[]){"CREATE TABLE t (a INT)", "CREATE TABLE u (b INT)", NULL});
    schema_keep(s);
    for (int round = 0; round < 3; round++) {
        apply_all(s, (const char *const[]){
                         "ALTER TABLE t ADD b INT", "RENAME TABLE t TO v, u TO t", "DROP TABLE t",
                         "CREATE TABLE w (c INT)", "ALTER DATABASE shop CHARACTER SET latin1",
                         "CREATE DATABASE other", "CREATE TABLE other.x (a TEXT)", NULL});
        check_def(s, "shop", "t", "before", "");
        check_def(s, "shop", "v", "before", "a int, b int");
        check_def(s, "other", "x", "before", "a text utf8mb4");
        schema_undo(s);
        check_def(s, "shop", "t", "undo", "a int");
        check_def(s, "shop", "u", "undo", "b int");
        check_def(s, "shop", "v", "undo", "");
        check_def(s, "shop", "w", "undo", "");
        check_def(s, "other", "x", "undo", "");
    }
    apply_all(s, (const char *const[]){"DROP DATABASE shop", NULL});
    schema_undo(s);
    check_def(s, "shop", "u", "undo", "b int");
    apply_all(s, (const char *const[]){"DROP TABLE u", NULL});
    schema_keep(s);
    schema_undo(s);
    check_def(s, "shop", "u", "keep", "");
    apply_all(s, (const char *const[]){"CREATE TABLE c (a CHAR(1))", NULL});
    check_def(s, "shop", "c", "charset", "a char(1) utf8mb4");
    schema_free(s);
}

static struct table_def small_def(const char *database, const char *name)
{
    return (struct table_def){.schema = database, .name = name};
}

static bool keeps(void *ctx, const char *database)
{
    return strcmp(database, *(const char **)ctx) == 0;
}

TEST(test_schema__forgets_what_was_untouched_the_longest)
{
    const char *kept = "shop";
    struct schema_options options = {
        .version_number = MYSQL_8, .tables_max = 2, .keeps = keeps, .ctx = &kept};
    struct schema *s = NULL;
    struct err e = {0};
    struct table_def pinned = small_def("shop", "pinned");
    struct schema_changes changes;
    char got[200];

    assert_ok(schema_new(&options, &s, &e), &e);
    assert_ok(schema_set_table(s, &pinned, true, &e), &e);
    apply_all(s, (const char *const[]){"CREATE TABLE a (x INT)", "CREATE TABLE b (x INT)", NULL});
    assert_non_null(schema_find(s, "shop", "a")); /* a pinned one takes no room */
    assert_non_null(schema_find(s, "shop", "b"));
    assert_non_null(schema_find(s, "shop", "pinned"));
    apply_all(s, (const char *const[]){"CREATE TABLE c (x INT)", NULL});
    assert_null(schema_find(s, "shop", "a"));
    assert_non_null(schema_find(s, "shop", "b"));
    assert_non_null(schema_find(s, "shop", "pinned"));
    /* What is not worth keeping is told all the same. */
    assert_ok(apply(s, "CREATE TABLE other.d (x INT)", &changes, &e), &e);
    show_changes(&changes, got, sizeof got);
    assert_string_equal(got, "created other.d");
    assert_null(schema_find(s, "other", "d"));
    schema_forget(s, "shop", "pinned");
    assert_null(schema_find(s, "shop", "pinned"));
    schema_free(s);
}

TEST(test_schema__does_not_guess_about_tables_it_never_saw)
{
    static const struct step steps[] = {
        {"ALTER TABLE unseen.t ADD a INT", "altered unseen.t unknown", NULL},
        {"ALTER TABLE unseen.t ADD INDEX (a), COMMENT 'x'", "", NULL},
        {"RENAME TABLE unseen.t TO t", "renamed unseen.t to shop.t unknown", ""},
        {"DROP TABLE unseen.u", "dropped unseen.u", NULL},
        {"CREATE TABLE IF NOT EXISTS unseen.u (a INT)", "created unseen.u", NULL},
        {"CREATE TABLE IF NOT EXISTS unseen.v (a INT)", "created unseen.v unknown", NULL},
        {"CREATE TABLE unseen.w (a INT, b TEXT)", "created unseen.w unknown", NULL},
        {"CREATE TABLE unseen.x (a INT, b TEXT) CHARSET latin1", "created unseen.x", NULL},
        {"CREATE TABLE unseen.y LIKE unseen.z", "created unseen.y unknown", NULL},
        {"CREATE TABLE unseen.y2 SELECT 1 AS a", "created unseen.y2 with rows unknown", NULL},
        {"CREATE TABLE t3 (a INT) START TRANSACTION", "created shop.t3 with rows", NULL},
        {"ALTER TABLE t3 DROP nope", "altered shop.t3 unknown", NULL},
        {"DROP DATABASE unseen", "dropped unseen.u; dropped unseen.x; dropped unseen.", NULL},
        {"CREATE DATABASE unseen", "", NULL},
        {"CREATE TABLE IF NOT EXISTS unseen.v (a TEXT)", "created unseen.v", NULL},
    };
    struct schema *s = schema_of(false, MYSQL_8);

    RUN_STEPS(s, steps);
    schema_free(s);
}

/* RENAME and ALTER IF EXISTS do nothing to what is absent; the new name tells when that is open. */
TEST(test_schema__does_not_guess_whether_if_exists_did)
{
    static const struct step steps[] = {
        {"CREATE TABLE t (a INT)", "created shop.t", NULL},
        {"RENAME TABLE IF EXISTS gone TO other", "", NULL},
        {"RENAME TABLE IF EXISTS unseen.t TO t", "", "a int(11)"},
        {"ALTER TABLE IF EXISTS unseen.t RENAME TO t", "", "a int(11)"},
        {"ALTER TABLE IF EXISTS unseen.t RENAME TO gone", "renamed unseen.t to shop.gone unknown",
         NULL},
        {"RENAME TABLE IF EXISTS unseen.u TO other", "renamed unseen.u to shop.other unknown",
         NULL},
        {"CREATE TABLE IF NOT EXISTS gone (a INT)", "created shop.gone unknown", NULL},
    };
    struct schema *s = schema_of(true, MARIA_11);
    struct schema *none = NULL;
    struct schema_changes changes;
    struct err e = {0};

    RUN_STEPS(s, steps);
    schema_free(s);
    assert_ok(schema_new(&(struct schema_options){.version_number = MYSQL_8}, &none, &e), &e);
    assert_ok(apply(none, "CREATE TABLE IF NOT EXISTS n (a INT)", &changes, &e), &e);
    assert_true(changes.count == 1 && changes.changes[0].maybe_there);
    assert_null(changes.changes[0].def);
    assert_ok(schema_set_absent(none, "shop", "m", &e), &e);
    assert_ok(apply(none, "CREATE TABLE IF NOT EXISTS m (a INT)", &changes, &e), &e);
    assert_true(changes.count == 1 && !changes.changes[0].maybe_there);
    assert_non_null(changes.changes[0].def);
    schema_free(none);
}

TEST(test_schema__lets_temporary_tables_hide_others)
{
    struct schema *s = schema_of(false, MYSQL_8);
    struct schema_changes changes;
    struct err e = {0};
    struct binlog_query other = {.thread_id = 8, .explicit_timestamps = -1};

    apply_all(s, (const char *const[]){"CREATE TABLE t (a INT)", "CREATE TEMPORARY TABLE t (x INT)",
                                       "ALTER TABLE t ADD y INT", "TRUNCATE t", NULL});
    check_def(s, "shop", "t", "hidden", "a int");
    assert_ok(apply_query(s, span_str("ALTER TABLE t ADD b INT"), other, &changes, &e), &e);
    check_def(s, "shop", "t", "another session", "a int, b int");
    apply_all(s, (const char *const[]){"DROP TABLE t", "ALTER TABLE t ADD c INT", NULL});
    check_def(s, "shop", "t", "seen again", "a int, b int, c int");
    apply_all(s, (const char *const[]){"CREATE TEMPORARY TABLE t (x INT)", NULL});
    schema_server_started(s);
    apply_all(s, (const char *const[]){"ALTER TABLE t ADD d INT", NULL});
    check_def(s, "shop", "t", "after a restart", "a int, b int, c int, d int");
    apply_all(s, (const char *const[]){"CREATE TEMPORARY TABLE t (x INT)", "ALTER TABLE t RENAME u",
                                       "ALTER TABLE t DROP d",
                                       "DROP /*!40005 TEMPORARY */ TABLE IF EXISTS u", NULL});
    check_def(s, "shop", "t", "renamed", "a int, b int, c int");
    schema_free(s);
}

TEST(test_schema__applies_alters_when_they_commit)
{
    struct schema *s = schema_of(true, MARIA_11);
    struct schema_changes changes;
    struct err e = {0};
    struct binlog_query q = {.explicit_timestamps = -1, .phase = BINLOG_ALTER_START};
    struct span sql = span_str("ALTER TABLE t ADD b INT");

    apply_all(s, (const char *const[]){"CREATE TABLE t (a INT)", NULL});
    assert_ok(apply_query(s, sql, q, &changes, &e), &e);
    q.phase = BINLOG_ALTER_ROLLBACK;
    assert_ok(apply_query(s, sql, q, &changes, &e), &e);
    check_def(s, "shop", "t", "rolled back", "a int(11)");
    q.phase = BINLOG_ALTER_COMMIT;
    assert_ok(apply_query(s, sql, q, &changes, &e), &e);
    check_def(s, "shop", "t", "committed", "a int(11), b int(11)");
    schema_free(s);
}

TEST(test_schema__applies_what_failed_statements_did)
{
    struct schema *s = schema_of(true, MARIA_11);
    struct schema_changes changes;
    struct err e = {0};
    struct binlog_query q = {.explicit_timestamps = -1, .error_code = 1051};

    apply_all(s, (const char *const[]){"CREATE TABLE t (a INT)", "CREATE TABLE u (a INT)", NULL});
    assert_ok(apply_query(s, span_str("DROP TABLE t, nothing"), q, &changes, &e), &e);
    check_def(s, "shop", "t", "dropped", "");
    q.error_code = 1291;
    assert_ok(apply_query(s, span_str("CREATE OR REPLACE TABLE u (x INT)"), q, &changes, &e), &e);
    check_def(s, "shop", "u", "dropped", "");
    apply_all(s, (const char *const[]){"CREATE TABLE u (a INT)", NULL});
    assert_err(apply_query(s, span_str("ALTER TABLE u ADD b INT"), q, &changes, &e),
               ERR_UNSUPPORTED, &e);
    check_def(s, "shop", "u", "unknown", "");
    schema_free(s);
}

TEST(test_schema__follows_the_charsets_of_databases)
{
    struct schema *s = schema_of(false, MYSQL_8);
    struct schema_changes changes;
    struct err e = {0};
    struct binlog_query latin = {.explicit_timestamps = -1, .server_collation = 8};

    apply_all(s, (const char *const[]){
                     "CREATE DATABASE d CHARACTER SET latin2", "CREATE TABLE d.a (x CHAR(1))",
                     "ALTER DATABASE d COLLATE utf8mb4_bin", "CREATE TABLE d.b (x CHAR(1))",
                     "CREATE DATABASE IF NOT EXISTS d CHARACTER SET greek",
                     "CREATE TABLE d.c (x CHAR(1))", "CREATE SCHEMA plain",
                     "CREATE TABLE plain.a (x CHAR(1))", NULL});
    check_def(s, "d", "a", "", "x char(1) latin2");
    check_def(s, "d", "b", "", "x char(1) utf8mb4");
    check_def(s, "d", "c", "", "x char(1) utf8mb4");
    check_def(s, "plain", "a", "", "x char(1) utf8mb4");
    assert_ok(apply_query(s, span_str("CREATE DATABASE l"), latin, &changes, &e), &e);
    apply_all(s, (const char *const[]){"CREATE TABLE l.a (x CHAR(1))",
                                       "ALTER DATABASE CHARACTER SET cp1251",
                                       "CREATE TABLE a (x CHAR(1))", NULL});
    check_def(s, "l", "a", "", "x char(1) latin1");
    check_def(s, "shop", "a", "", "x char(1) cp1251");
    schema_free(s);
}

TEST(test_schema__ignores_case_where_the_server_does)
{
    struct schema_options options = {.version_number = MYSQL_8, .icase = true};
    struct schema *s = NULL;
    struct err e = {0};

    assert_ok(schema_new(&options, &s, &e), &e);
    apply_all(s, (const char *const[]){"CREATE TABLE Tab (a INT)", "ALTER TABLE SHOP.TAB ADD b INT",
                                       NULL});
    assert_non_null(schema_find(s, "Shop", "tab"));
    assert_int_equal(schema_find(s, "shop", "tAB")->column_count, 2);
    apply_all(s, (const char *const[]){"DROP DATABASE SHOP", NULL});
    assert_null(schema_find(s, "shop", "tab"));
    schema_free(s);
}

static enum err_code count_table(void *ctx, const struct table_def *def, bool pinned, struct err *e)
{
    (void)def;
    (void)pinned;
    return ++*(unsigned *)ctx > 2 ? err_set(e, ERR_LIMIT, "three") : ERR_OK;
}

static enum err_code count_database(void *ctx, const char *database, const char *charset,
                                    struct err *e)
{
    (void)database;
    (void)e;
    *(unsigned *)ctx += strcmp(charset, "utf8mb4") == 0 ? 1 : 100;
    return ERR_OK;
}

TEST(test_schema__lists_what_it_knows)
{
    struct schema *s = schema_of(false, MYSQL_8);
    struct err e = {0};
    unsigned count = 0;

    apply_all(s, (const char *const[]){"CREATE TABLE a (x INT)", "CREATE TABLE b (x INT)",
                                       "CREATE DATABASE d", "DROP TABLE a",
                                       "CREATE TABLE c (x INT)", NULL});
    assert_ok(schema_each_table(s, count_table, &count, &e), &e);
    assert_int_equal(count, 2);
    assert_err(schema_each_table(s, count_table, &count, &e), ERR_LIMIT, &e);
    count = 0;
    assert_ok(schema_each_database(s, count_database, &count, &e), &e);
    assert_int_equal(count, 2);
    schema_free(s);
}

/* A name at its longest, many columns, a routine of a megabyte, deep parentheses. */
TEST(test_schema__takes_what_is_large)
{
    struct schema *s = schema_of(false, MYSQL_8);
    struct buf sql = {0};
    struct schema_changes changes;
    struct err e = {0};
    struct binlog_query q = {.explicit_timestamps = -1};

    buf_append_str(&sql, "CREATE TABLE t (");
    for (unsigned i = 0; i < 4096; i++) {
        buf_printf(&sql, "%sc%u INT DEFAULT (((((%u)))))", i == 0 ? "" : ", ", i, i);
    }
    buf_append_str(&sql, ")");
    assert_ok(apply_query(s, buf_span(&sql), q, &changes, &e), &e);
    assert_int_equal(schema_find(s, "shop", "t")->column_count, 4096);
    buf_reset(&sql);
    buf_append_str(&sql, "CREATE PROCEDURE p() BEGIN ");
    while (sql.len < (1u << 20)) {
        buf_append_str(&sql, "DROP TABLE t; -- ' \n");
    }
    assert_ok(apply_query(s, buf_span(&sql), q, &changes, &e), &e);
    assert_int_equal(changes.count, 0);
    buf_reset(&sql);
    buf_append_str(&sql, "CREATE TABLE u (a INT DEFAULT ");
    for (unsigned i = 0; i < (1u << 20); i++) {
        buf_u8(&sql, '(');
    }
    assert_err(apply_query(s, buf_span(&sql), q, &changes, &e), ERR_UNSUPPORTED, &e);
    buf_deinit(&sql);
    schema_free(s);
}

/* Whatever allocation fails, the registry is as it was. */
TEST(test_schema__survives_a_lack_of_memory)
{
    static const char *const statements[] = {
        "CREATE TABLE u (a ENUM('\\'x','\xe6\xbc\xa2') CHARACTER SET latin1, PRIMARY KEY (a))",
        "CREATE TABLE u (a ENUM('\xe6\xbc\xa2') CHARACTER SET gbk)",
        "ALTER TABLE t ADD z VARCHAR(5) FIRST, CHANGE a b SET('x'), RENAME v",
        "RENAME TABLE t TO u, u TO v",
        "DROP DATABASE shop",
        "CREATE DATABASE other",
        "CREATE TEMPORARY TABLE t (a INT)",
        "ALTER TABLE t NONSENSE",
        "CREATE TABLE l LIKE t",
        "ALTER TABLE t CONVERT TO CHARACTER SET gb18030",
    };
    static const char *const before[] = {
        "CREATE TABLE t (a INT, b TEXT, c ENUM('\xe6\xbc\xa2') CHARACTER SET gbk)", NULL};
    static const char was[] = "a int, b text utf8mb4, c enum('\xe6\xbc\xa2') gbk";

    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        TORTURE(nth)
        {
            torture_fail_at(0);
            struct schema *s = schema_of(false, MYSQL_8);
            struct schema_changes changes;
            struct binlog_query q = {.thread_id = 7,
                                     .explicit_timestamps = -1,
                                     .schema = span_str("shop"),
                                     .sql = span_str(statements[i])};
            struct err e = {0};

            apply_all(s, before);
            schema_keep(s);
            torture_fail_at(nth);
            enum err_code rc = schema_apply(s, &q, &changes, &e);

            torture_fail_at(0);
            if (rc == ERR_OK && i == 1) {
                check_def(s, "shop", "u", statements[i], "a enum('\xe6\xbc\xa2') gbk");
            }
            if (rc != ERR_OK && rc != ERR_UNSUPPORTED) {
                assert_int_equal(rc, ERR_NOMEM);
                assert_int_equal(changes.count, 0);
                if (strcmp(statements[i], "ALTER TABLE t NONSENSE") != 0) {
                    check_def(s, "shop", "t", statements[i], was);
                }
            }
            schema_undo(s);
            check_def(s, "shop", "t", statements[i], was);
            schema_free(s);
        }
    }
}

TEST_MAIN(test_case(test_schema__creates_alters_renames_and_drops),
          test_case(test_schema__says_which_rows_went),
          test_case(test_schema__reads_what_only_mariadb_has),
          test_case(test_schema__shows_types_as_each_version_does),
          test_case(test_schema__reads_the_text_as_the_session_wrote_it),
          test_case(test_schema__passes_over_what_concerns_no_tables),
          test_case(test_schema__reports_what_cannot_be_read),
          test_case(test_schema__reads_every_truncation_whole_or_reports_it),
          test_case(test_schema__alters_as_odd_as_servers_do),
          test_case(test_schema__takes_back_what_was_not_kept),
          test_case(test_schema__forgets_what_was_untouched_the_longest),
          test_case(test_schema__does_not_guess_about_tables_it_never_saw),
          test_case(test_schema__does_not_guess_whether_if_exists_did),
          test_case(test_schema__lets_temporary_tables_hide_others),
          test_case(test_schema__applies_alters_when_they_commit),
          test_case(test_schema__applies_what_failed_statements_did),
          test_case(test_schema__follows_the_charsets_of_databases),
          test_case(test_schema__ignores_case_where_the_server_does),
          test_case(test_schema__lists_what_it_knows), test_case(test_schema__takes_what_is_large),
          test_case(test_schema__survives_a_lack_of_memory))
