#include "mysql/statement.h"

#include <stdlib.h>

#include "base/str.h"
#include "test.h"

/* Touched tables as "schema.table schema.table", sorted by first appearance, without repetition. */
struct touches {
    char text[4096];
};

static void note(void *ctx, const char *schema, const char *table)
{
    struct touches *to = ctx;
    char name[600];
    const char *at = to->text;

    (void)snprintf(name, sizeof name, "%s.%s ", schema, table);
    while ((at = strstr(at, name)) != NULL) {
        if (at == to->text || at[-1] == ' ') {
            return;
        }
        at++;
    }
    assert_true(strlen(to->text) + strlen(name) < sizeof to->text);
    (void)strncat(to->text, name, sizeof to->text - strlen(to->text) - 1);
}

struct touch_case {
    const char *sql;
    const char *touched; /* names parted by spaces */
};

static void check_touched(const struct touch_case *cases, size_t count, bool ansi_quotes)
{
    for (size_t i = 0; i < count; i++) {
        struct touches got = {""};
        char want[1024] = "";
        struct span sql = span_str(cases[i].sql);
        /* Without a byte behind it, so that a sanitizer sees a read past the end. */
        char *exact = malloc(sql.len + (sql.len == 0));

        assert_non_null(exact);
        memcpy(exact, sql.data, sql.len);
        statement_touched(span_of(exact, sql.len), ansi_quotes, "shop", note, &got);
        if (cases[i].touched[0] != '\0') {
            (void)snprintf(want, sizeof want, "%s ", cases[i].touched);
        }
        if (strcmp(got.text, want) != 0) {
            fail_msg("%s\n  touches '%s', not '%s'", cases[i].sql, got.text, want);
        }
        /* What touches is looked at only if it is classified as DDL. */
        if (want[0] != '\0' &&
            statement_classify(span_of(exact, sql.len), ansi_quotes) != STATEMENT_DDL) {
            fail_msg("%s is not classified as DDL", cases[i].sql);
        }
        free(exact);
    }
}

#define CHECK_TOUCHED(cases) check_touched(cases, sizeof(cases) / sizeof(cases)[0], false)

TEST(test_statement__classifies)
{
    static const struct {
        const char *sql;
        enum statement_kind want;
    } cases[] = {
        {"BEGIN", STATEMENT_BEGIN},
        {"begin", STATEMENT_BEGIN},
        {"BEGIN WORK", STATEMENT_BEGIN},
        {"START TRANSACTION", STATEMENT_BEGIN},
        {"START /* now */ TRANSACTION WITH CONSISTENT SNAPSHOT", STATEMENT_BEGIN},
        {"/* c */ BEGIN", STATEMENT_BEGIN},
        {"START SLAVE", STATEMENT_OTHER},
        {"COMMIT", STATEMENT_COMMIT},
        {"COMMIT WORK", STATEMENT_COMMIT},
        {"commit and chain", STATEMENT_COMMIT},
        {"ROLLBACK", STATEMENT_ROLLBACK},
        {"ROLLBACK WORK", STATEMENT_ROLLBACK},
        {"ROLLBACK AND NO CHAIN RELEASE", STATEMENT_ROLLBACK},
        {"ROLLBACK TO a", STATEMENT_ROLLBACK_TO},
        {"ROLLBACK TO SAVEPOINT a", STATEMENT_ROLLBACK_TO},
        {"ROLLBACK TO `a`", STATEMENT_ROLLBACK_TO},
        {"ROLLBACK WORK TO SAVEPOINT a", STATEMENT_ROLLBACK_TO},
        {"rollback /* x */ work -- y\n to a", STATEMENT_ROLLBACK_TO},
        {"SAVEPOINT `a`", STATEMENT_SAVEPOINT},
        {"SAVEPOINT commit", STATEMENT_SAVEPOINT},
        {"RELEASE SAVEPOINT a", STATEMENT_SAVEPOINT},
        {"XA START X'61',X'',1", STATEMENT_XA},
        {"XA BEGIN 'a'", STATEMENT_XA},
        {"XA END X'61',X'',1", STATEMENT_XA},
        {"XA PREPARE 'a'", STATEMENT_XA},
        {"XA COMMIT X'61',X'',1", STATEMENT_XA},
        {"XA COMMIT 'a' ONE PHASE", STATEMENT_XA},
        {"XA ROLLBACK 'a'", STATEMENT_XA},
        {"INSERT INTO t VALUES (1)", STATEMENT_DML},
        {"INSERT INTO t SELECT * FROM u", STATEMENT_DML},
        {"insert ignore into t set a=1", STATEMENT_DML},
        {"REPLACE INTO t VALUES (1)", STATEMENT_DML},
        {"UPDATE t SET a=1", STATEMENT_DML},
        {"DELETE FROM t", STATEMENT_DML},
        {"DELETE HISTORY FROM t", STATEMENT_DML},
        {"LOAD DATA INFILE 'x' INTO TABLE t", STATEMENT_DML},
        {"LOAD XML INFILE 'x' INTO TABLE t", STATEMENT_DML},
        {"CALL p(1)", STATEMENT_DML},
        {"DO f(1)", STATEMENT_DML},
        {"SELECT `shop`.`f`(1)", STATEMENT_DML}, /* how a function that writes is logged */
        {"WITH c AS (SELECT 1) UPDATE t, c SET a=1", STATEMENT_DML},
        {"WITH RECURSIVE c AS (SELECT 1) DELETE FROM t", STATEMENT_DML},
        {"ANALYZE UPDATE t SET a=1", STATEMENT_DML},
        {"ANALYZE FORMAT=JSON DELETE FROM t", STATEMENT_DML},
        {"/*!50000 INSERT */ INTO t VALUES (1)", STATEMENT_DML},
        {"/*M!100000 INSERT */ INTO t VALUES (1)", STATEMENT_DML},
        {"SET STATEMENT max_statement_time=1 FOR INSERT INTO t VALUES (1)", STATEMENT_DML},
        {"CREATE TABLE t (a INT)", STATEMENT_DDL},
        {"ALTER TABLE t ADD a INT", STATEMENT_DDL},
        {"DROP TABLE t", STATEMENT_DDL},
        {"RENAME TABLE a TO b", STATEMENT_DDL},
        {"TRUNCATE t", STATEMENT_DDL},
        {"/* a *//* b */ -- c\n # d\n\t DROP TABLE t", STATEMENT_DDL},
        {"--\nDROP TABLE t", STATEMENT_DDL},
        {"/*+ hint */ DROP TABLE t", STATEMENT_DDL},
        {"/*!DROP*/ TABLE t", STATEMENT_DDL},
        {"/*!40000 DROP TABLE t */", STATEMENT_DDL},
        {"/*!080016 DROP TABLE t */", STATEMENT_DDL},
        {"/*/ BEGIN */ DROP TABLE t", STATEMENT_DDL},
        {"/* /*!40000 BEGIN */ DROP TABLE t", STATEMENT_DDL},
        {"/*M!100100 SET STATEMENT a=1 FOR */ DROP TABLE t", STATEMENT_DDL},
        {"SET STATEMENT lock_wait_timeout=5, x='FOR' FOR ALTER TABLE t ADD a INT", STATEMENT_DDL},
        {"SET STATEMENT a=1 FOR SET STATEMENT b=2 FOR DROP TABLE t", STATEMENT_DDL},
        {"SET STATEMENT a=1", STATEMENT_OTHER},
        {"SET STATEMENT a=1 FOR", STATEMENT_OTHER},
        {"SET @a = 1", STATEMENT_OTHER},
        {"SET PASSWORD FOR 'a'@'b' = 'c'", STATEMENT_OTHER},
        {"GRANT ALL ON *.* TO a", STATEMENT_OTHER},
        {"REVOKE ALL ON *.* FROM a", STATEMENT_OTHER},
        {"FLUSH TABLES", STATEMENT_OTHER},
        {"ANALYZE TABLE t", STATEMENT_OTHER},
        {"ANALYZE LOCAL TABLE t", STATEMENT_OTHER},
        {"OPTIMIZE TABLE t", STATEMENT_OTHER},
        {"CHECK TABLE t", STATEMENT_OTHER},
        {"INSTALL PLUGIN a SONAME 'a.so'", STATEMENT_OTHER},
        {"UNINSTALL PLUGIN a", STATEMENT_OTHER},
        {"# Dummy event replacing event type 160 that slave cannot handle.", STATEMENT_OTHER},
        {"# DROP TABLE t", STATEMENT_OTHER},
        {"-- DROP TABLE t", STATEMENT_OTHER},
        {"/* DROP TABLE t */", STATEMENT_OTHER},
        {"/* DROP TABLE t", STATEMENT_OTHER},
        {"`DROP` TABLE t", STATEMENT_OTHER},
        {"'DROP'", STATEMENT_OTHER},
        {"BEGINNING", STATEMENT_OTHER},
        {"", STATEMENT_OTHER},
        {" ", STATEMENT_OTHER},
        {"(", STATEMENT_OTHER},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum statement_kind got = statement_classify(span_str(cases[i].sql), false);

        if (got != cases[i].want) {
            fail_msg("%s is %d, not %d", cases[i].sql, got, cases[i].want);
        }
    }
    assert_int_equal(statement_classify((struct span){NULL, 0}, false), STATEMENT_OTHER);
}

TEST(test_statement__create)
{
    static const struct touch_case cases[] = {
        {"CREATE TABLE t (a INT)", "shop.t"},
        {"create table t(a int)", "shop.t"},
        {"CREATE TABLE `t` (a INT)", "shop.t"},
        {"CREATE TABLE db.t (a INT)", "db.t"},
        {"CREATE TABLE `db`.`t` (a INT)", "db.t"},
        {"CREATE TABLE db . t (a INT)", "db.t"},
        {"CREATE TABLE t LIKE u", "shop.t"},
        {"CREATE TABLE t (LIKE u)", "shop.t"},
        {"CREATE TABLE t SELECT * FROM u", "shop.t"},
        {"CREATE TABLE t AS SELECT * FROM u", "shop.t"},
        {"CREATE TABLE `t` (\n  `a` int DEFAULT NULL\n) START TRANSACTION", "shop.t"},
        {"CREATE TABLE t SEQUENCE=1", "shop.t"},
        {"CREATE OR REPLACE TABLE t (a INT)", "shop.t"},
        {"CREATE OR REPLACE TABLE db.t SELECT 1", "db.t"},
        {"CREATE /*!99999 OR REPLACE */ TABLE t (a INT)", "shop.t"},
        {"CREATE EXTERNAL TABLE t (a INT)", "shop.t"},
        /* A table that is there stays as it is. */
        {"CREATE TABLE IF NOT EXISTS t (a INT)", ""},
        {"CREATE TABLE /*!32312 IF NOT EXISTS*/ `t` (a INT)", ""},
        {"CREATE TABLE IF NOT EXISTS t SELECT * FROM u", ""},
        {"CREATE TEMPORARY TABLE t (a INT)", ""},
        {"CREATE TEMPORARY TABLE IF NOT EXISTS t (a INT)", ""},
        {"CREATE OR REPLACE TEMPORARY TABLE t (a INT)", ""},
        {"CREATE /*!40005 TEMPORARY */ TABLE t (a INT)", ""},
        {"CREATE INDEX i ON t (a)", ""},
        {"CREATE UNIQUE INDEX i ON t (a)", ""},
        {"CREATE FULLTEXT INDEX i ON t (a)", ""},
        {"CREATE SPATIAL INDEX i ON t (a)", ""},
        {"CREATE DATABASE shop", ""},
        {"CREATE SCHEMA IF NOT EXISTS shop", ""},
        {"CREATE OR REPLACE DATABASE shop", "shop."},
        {"CREATE OR REPLACE SCHEMA `other`", "other."},
        {"CREATE SEQUENCE t START WITH 1", ""},
        {"CREATE OR REPLACE SEQUENCE t", "shop.t"},
        {"CREATE VIEW t AS SELECT 1", ""},
        {"CREATE OR REPLACE VIEW t AS SELECT 1", ""},
        {"CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`%` SQL SECURITY DEFINER VIEW t AS SELECT 1", ""},
        {"CREATE DEFINER=`a`@`%` TRIGGER g AFTER INSERT ON t FOR EACH ROW DELETE FROM t", ""},
        {"CREATE DEFINER=`a`@`%` PROCEDURE p() BEGIN DROP TABLE t; END", ""},
        {"CREATE OR REPLACE PROCEDURE p() TRUNCATE TABLE t", ""},
        {"CREATE FUNCTION f() RETURNS INT RETURN 1", ""},
        {"CREATE AGGREGATE FUNCTION f RETURNS INT SONAME 'f.so'", ""},
        {"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO TRUNCATE TABLE t", ""},
        {"CREATE USER 'a'@'%' IDENTIFIED WITH 'x' AS '$A$005$\x01\x02'", ""},
        {"CREATE ROLE r", ""},
        {"CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'h')", ""},
        {"CREATE TABLESPACE ts ADD DATAFILE 'x.ibd'", ""},
        {"CREATE UNDO TABLESPACE u ADD DATAFILE 'x.ibu'", ""},
        {"CREATE", ""},
        {"CREATE TABLE", "shop."},
        {"CREATE TABLE (", "shop."},
        {"CREATE TABLE db.", "shop."},
        {"CREATE OR REPLACE TABLE", "shop."},
    };

    CHECK_TOUCHED(cases);
}

TEST(test_statement__drop)
{
    static const struct touch_case cases[] = {
        {"DROP TABLE t", "shop.t"},
        {"DROP TABLES t", "shop.t"},
        {"DROP TABLE IF EXISTS t", "shop.t"},
        {"DROP TABLE `t` /* generated by server */", "shop.t"},
        {"DROP TABLE IF EXISTS `shop`.`t` /* Generated to handle failed CREATE OR REPLACE */",
         "shop.t"},
        {"DROP TABLE a, b,c , db.d", "shop.a shop.b shop.c db.d"},
        {"DROP TABLE `a`,`b`", "shop.a shop.b"},
        {"DROP TABLE a RESTRICT", "shop.a"},
        {"DROP TABLE a, b CASCADE", "shop.a shop.b"},
        {"DROP TABLE a WAIT 5", "shop.a"},
        {"DROP TABLE a NOWAIT", "shop.a"},
        {"DROP TABLE a, wait, nowait", "shop.a shop.wait shop.nowait"},
        {"DROP TABLE wait WAIT 5", "shop.wait"},
        {"DROP TABLE restrict_, cascade_", "shop.restrict_ shop.cascade_"},
        {"DROP TABLE `IF`, `TO`", "shop.IF shop.TO"},
        {"DROP TABLE .t", "shop.t"},
        {"DROP TABLE [a], [b]", "shop.a shop.b"}, /* MariaDB, sql_mode=MSSQL */
        {"DROP TABLE \"a\", \"db\".\"b\"", "shop.a db.b"},
        {"DROP TABLE a /*!50000 , b */, c", "shop.a shop.b shop.c"},
        {"DROP TABLE a /*!50000 , b /*!50001 , c */ */, d", "shop.a shop.b shop.c shop.d"},
        {"DROP TABLE a /* , b */", "shop.a"},
        {"DROP TABLE a -- , b\n, c", "shop.a shop.c"},
        {"DROP TABLE a # , b\n, c", "shop.a shop.c"},
        {"DROP TABLE a --, b", "shop.a shop.b"}, /* two minus signs without a blank: no comment */
        {"DROP TABLE `a``b`, `c.d`", "shop.a`b shop.c.d"},
        {"DROP TABLE `a\\`, `b`", "shop.a\\ shop.b"},
        {"DROP EXTERNAL TABLE t", "shop.t"},
        {"DROP TEMPORARY TABLE t", ""},
        {"DROP TEMPORARY TABLE IF EXISTS a, b", ""},
        {"DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `t`", ""},
        {"DROP DATABASE shop", "shop."},
        {"DROP SCHEMA IF EXISTS `other`", "other."},
        {"DROP DATABASE", "shop."},
        {"DROP TABLE", "shop."},
        {"DROP TABLE IF EXISTS", "shop."},
        {"DROP INDEX i ON t", ""},
        {"DROP INDEX IF EXISTS i ON t", ""},
        {"DROP INDEX `PRIMARY` ON t", "shop.t"},
        {"DROP ONLINE INDEX `primary` ON db.t", "db.t"},
        {"DROP VIEW t", ""},
        {"DROP VIEW IF EXISTS t, u", ""},
        {"DROP PROCEDURE IF EXISTS t", ""},
        {"DROP FUNCTION t", ""},
        {"DROP TRIGGER t", ""},
        {"DROP EVENT t", ""},
        {"DROP USER t", ""},
        {"DROP ROLE t", ""},
        {"DROP SERVER t", ""},
        {"DROP SEQUENCE t", ""},
        {"DROP TABLESPACE t", ""},
        {"DROP PREPARE t", ""},
        {"DROP", ""},
    };

    CHECK_TOUCHED(cases);
}

TEST(test_statement__rename_truncate_repair)
{
    static const struct touch_case cases[] = {
        {"RENAME TABLE a TO b", "shop.a shop.b"},
        {"RENAME TABLES a TO b", "shop.a shop.b"},
        {"RENAME TABLE IF EXISTS a TO b", "shop.a shop.b"},
        {"RENAME TABLE a TO db.b", "shop.a db.b"},
        {"RENAME TABLE a TO t, b TO a, t TO b", "shop.a shop.t shop.b"},
        {"rename /* gh-ost */ table `db`.`t` to `db`.`_t_del`, `db`.`_t_gho` to `db`.`t`",
         "db.t db._t_del db._t_gho"},
        {"RENAME TABLE `shop`.`t` TO `shop`.`_t_old`, `shop`.`_t_new` TO `shop`.`t`",
         "shop.t shop._t_old shop._t_new"},
        {"RENAME TABLE a WAIT 10 TO b, c NOWAIT TO d", "shop.a shop.b shop.c shop.d"},
        {"RENAME TABLE wait TO nowait", "shop.wait shop.nowait"},
        {"RENAME TABLE a", "shop.a"},
        {"RENAME TABLE", "shop."},
        {"RENAME USER a TO b", ""},
        {"TRUNCATE t", "shop.t"},
        {"TRUNCATE TABLE t", "shop.t"},
        {"TRUNCATE TABLE `db`.`t`", "db.t"},
        {"TRUNCATE TABLE t WAIT 3", "shop.t"},
        {"TRUNCATE TABLE t NOWAIT", "shop.t"},
        {"TRUNCATE TABLE t DROP STORAGE", "shop.t"},
        {"TRUNCATE TABLE t REUSE STORAGE", "shop.t"},
        {"TRUNCATE", "shop."},
        {"TRUNCATE TABLE", "shop."},
        {"TRUNCATE t u", "shop.t shop.u"}, /* no such statement: in doubt both */
        {"REPAIR TABLE t", "shop.t"},
        {"REPAIR LOCAL TABLE a, db.b QUICK EXTENDED", "shop.a db.b"},
        {"REPAIR NO_WRITE_TO_BINLOG TABLES a USE_FRM", "shop.a"},
        {"REPAIR VIEW t", ""},
        {"SET STATEMENT max_statement_time=0 FOR TRUNCATE t", "shop.t"},
        {"SET STATEMENT a='x' FOR SET STATEMENT b=1 FOR RENAME TABLE a TO b", "shop.a shop.b"},
        {"SET STATEMENT a=1 FOR INSERT INTO t VALUES (1)", ""},
        {"/*!50000 SET STATEMENT a=1 FOR */ DROP TABLE t", "shop.t"},
    };

    CHECK_TOUCHED(cases);
}

TEST(test_statement__alter_that_changes_columns_or_rows)
{
    static const struct touch_case cases[] = {
        {"ALTER TABLE t ADD COLUMN a INT", "shop.t"},
        {"ALTER TABLE t ADD a INT", "shop.t"},
        {"ALTER TABLE t ADD `index` INT", "shop.t"},
        {"ALTER TABLE t ADD (a INT, b INT)", "shop.t"},
        {"ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT AFTER b", "shop.t"},
        {"ALTER TABLE db.t DROP COLUMN a", "db.t"},
        {"ALTER TABLE t DROP a", "shop.t"},
        {"ALTER TABLE t DROP COLUMN IF EXISTS a", "shop.t"},
        {"ALTER TABLE t DROP `key`", "shop.t"},
        {"ALTER TABLE t MODIFY a BIGINT", "shop.t"},
        {"ALTER TABLE t CHANGE a b BIGINT", "shop.t"},
        {"ALTER TABLE t RENAME COLUMN a TO b", "shop.t"},
        {"ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a", "shop.t"},
        {"ALTER TABLE t ALTER COLUMN a SET DEFAULT 1", "shop.t"},
        {"ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4", "shop.t"},
        {"ALTER TABLE t DEFAULT CHARACTER SET utf8mb4", "shop.t"},
        {"ALTER TABLE t ORDER BY a", "shop.t"},
        {"ALTER TABLE t ADD PRIMARY KEY (a)", "shop.t"},
        {"ALTER TABLE t ADD CONSTRAINT PRIMARY KEY (a)", "shop.t"},
        {"ALTER TABLE t ADD CONSTRAINT pk PRIMARY KEY (a)", "shop.t"},
        {"ALTER TABLE t ADD CONSTRAINT `unique` PRIMARY KEY (a)", "shop.t"},
        {"ALTER TABLE t DROP PRIMARY KEY", "shop.t"},
        {"ALTER TABLE t DROP INDEX `PRIMARY`", "shop.t"},
        {"ALTER TABLE t DROP CONSTRAINT IF EXISTS `PRIMARY`", "shop.t"},
        {"ALTER TABLE t ADD SYSTEM VERSIONING", "shop.t"},
        {"ALTER TABLE t DROP SYSTEM VERSIONING", "shop.t"},
        {"ALTER TABLE t WITH SYSTEM VERSIONING", "shop.t"},
        {"ALTER TABLE t ADD PERIOD FOR SYSTEM_TIME (a, b)", "shop.t"},
        {"ALTER TABLE t DISCARD TABLESPACE", "shop.t"},
        {"ALTER TABLE t IMPORT TABLESPACE", "shop.t"},
        {"ALTER TABLE t TRUNCATE PARTITION p0", "shop.t"},
        {"ALTER TABLE t DROP PARTITION p0, p1", "shop.t"},
        {"ALTER TABLE t DISCARD PARTITION p0 TABLESPACE", "shop.t"},
        {"ALTER TABLE t REPAIR PARTITION p0", "shop.t"},
        {"ALTER TABLE t REORGANIZE PARTITION p0 INTO (PARTITION a VALUES LESS THAN (1))", "shop.t"},
        {"ALTER TABLE t COALESCE PARTITION 2", "shop.t"},
        {"ALTER TABLE t PARTITION BY HASH(a) PARTITIONS 4", "shop.t"},
        {"ALTER TABLE t REMOVE PARTITIONING", "shop.t"},
        {"ALTER TABLE t ENGINE=InnoDB PARTITION BY HASH(a)", "shop.t"},
        {"ALTER TABLE t ADD INDEX (a) PARTITION BY HASH(a)", "shop.t"},
        /* Both tables exchange their rows. */
        {"ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u", "shop.u shop.t"},
        {"ALTER TABLE t EXCHANGE PARTITION p WITH TABLE `db`.`u` WITHOUT VALIDATION",
         "db.u shop.t"},
        {"ALTER TABLE t CONVERT PARTITION p TO TABLE u", "shop.u shop.t"},
        {"ALTER TABLE t CONVERT TABLE db.u TO PARTITION p VALUES LESS THAN (5)", "db.u shop.t"},
        {"ALTER TABLE t EXCHANGE PARTITION p WITH TABLE", "shop. shop.t"},
        {"ALTER TABLE t RENAME u", "shop.u shop.t"},
        {"ALTER TABLE t RENAME TO u", "shop.u shop.t"},
        {"ALTER TABLE t RENAME AS db.u", "db.u shop.t"},
        {"ALTER TABLE t RENAME = u", "shop.u shop.t"},
        {"ALTER TABLE t RENAME", "shop. shop.t"},
        {"ALTER TABLE t ENGINE=InnoDB, RENAME TO u", "shop.u shop.t"},
        {"ALTER TABLE t ADD COLUMN a INT, RENAME TO u, ADD INDEX (a)", "shop.u shop.t"},
        /* Engines that keep no rows. */
        {"ALTER TABLE t ENGINE=BLACKHOLE", "shop.t"},
        {"ALTER TABLE t ENGINE MEMORY", "shop.t"},
        {"ALTER TABLE t ENGINE='MRG_MyISAM' UNION=(a,b)", "shop.t"},
        {"ALTER TABLE t ENGINE=InnoDB ENGINE=BLACKHOLE", "shop.t"},
        {"ALTER TABLE t COMMENT='x' ENGINE=BLACKHOLE", "shop.t"},
        {"ALTER TABLE t AUTO_INCREMENT=5 WITH SYSTEM VERSIONING", "shop.t"},
        {"ALTER TABLE t UNION=(a,b)", "shop.t"},
        /* IGNORE deletes rows that break a new unique key. */
        {"ALTER IGNORE TABLE t ADD UNIQUE (a)", "shop.t"},
        {"ALTER ONLINE IGNORE TABLE t ENGINE=InnoDB", "shop.t"},
        /* One harmful clause among harmless ones. */
        {"ALTER TABLE t ADD INDEX (a), ADD COLUMN b INT", "shop.t"},
        {"ALTER TABLE t ADD INDEX i (a, b), ALGORITHM=INPLACE, DROP c, LOCK=NONE", "shop.t"},
        {"ALTER TABLE t COMMENT='a, b', MODIFY a INT", "shop.t"},
        {"ALTER TABLE t FORCE, ADD COLUMN a INT", "shop.t"},
        {"ALTER TABLE t REBUILD PARTITION p0, ADD COLUMN c INT", "shop.t"},
        {"ALTER TABLE t ADD CHECK (a > 1)), ADD COLUMN b INT", "shop.t"},
        {"ALTER TABLE t COMMENT='it''s', DROP a", "shop.t"},
        {"ALTER TABLE t COMMENT=\"a\\\", ADD INDEX (b\", DROP a", "shop.t"},
        /* Heads and names in every dress. */
        {"ALTER ONLINE TABLE t DROP a", "shop.t"},
        {"ALTER OFFLINE TABLE t DROP a", "shop.t"},
        {"ALTER TABLE IF EXISTS t DROP a", "shop.t"},
        {"ALTER TABLE t WAIT 5 DROP a", "shop.t"},
        {"ALTER TABLE t NOWAIT DROP a", "shop.t"},
        {"ALTER TABLE wait WAIT 5 DROP a", "shop.wait"},
        {"alter/* a */table/* b */`t`/* c */drop/* d */a", "shop.t"},
        {"ALTER TABLE `db` . `t` DROP a", "db.t"},
        {"ALTER TABLE /*!50000 t */ DROP a", "shop.t"},
        {"ALTER TABLE t /*!50000 ADD INDEX (a), */ DROP b", "shop.t"},
        {"ALTER TABLE t ADD INDEX (a) /*!50000 , DROP b */", "shop.t"},
        {"ALTER TABLE t ADD INDEX (a) /*M!100000 , DROP b */", "shop.t"},
        {"/*!50000 ALTER TABLE t DROP a */", "shop.t"},
        {"/*M!100100 ALTER TABLE t DROP a */", "shop.t"},
        {"SET STATEMENT alter_algorithm='INSTANT' FOR ALTER TABLE t DROP a", "shop.t"},
        {"ALTER TABLE \"t\" DROP a", "shop.t"},
        {"ALTER TABLE t", "shop.t"},
        {"ALTER TABLE", "shop."},
        {"ALTER TABLE [t] DROP a", "shop."},
        {"ALTER TABLE .t DROP a", "shop."},
        {"ALTER TABLE t SOMETHING NEW", "shop.t"},
        {"ALTER TABLE t ADD", "shop.t"},
        {"ALTER TABLE t COMMENT", "shop.t"},
        {"ALTER TABLE t ENGINE=", "shop.t"},
    };

    CHECK_TOUCHED(cases);
}

TEST(test_statement__alter_that_changes_neither)
{
    static const struct touch_case cases[] = {
        {"ALTER TABLE t ADD INDEX (a)", ""},
        {"ALTER TABLE t ADD KEY k (a, b DESC) USING BTREE COMMENT 'x'", ""},
        {"ALTER TABLE t ADD UNIQUE INDEX IF NOT EXISTS u (a)", ""},
        {"ALTER TABLE t ADD FULLTEXT f (a), ADD SPATIAL KEY s (b)", ""},
        {"ALTER TABLE t ADD INDEX f ((a + 1))", ""},
        {"ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)", ""},
        {"ALTER TABLE t ADD CONSTRAINT UNIQUE (a)", ""},
        {"ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY IF NOT EXISTS (a) REFERENCES db.u (b)", ""},
        {"ALTER TABLE t ADD CONSTRAINT IF NOT EXISTS c CHECK (a > 1)", ""},
        {"ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (b) ON DELETE CASCADE", ""},
        {"ALTER TABLE t DROP INDEX i, DROP KEY k", ""},
        {"ALTER TABLE t DROP INDEX IF EXISTS i", ""},
        {"ALTER TABLE t DROP FOREIGN KEY f, DROP CONSTRAINT c, DROP CHECK d", ""},
        {"ALTER TABLE t RENAME INDEX a TO b, RENAME KEY c TO d", ""},
        {"ALTER TABLE t ALTER INDEX i INVISIBLE", ""},
        {"ALTER TABLE t ADD PARTITION (PARTITION p1 VALUES LESS THAN (10), PARTITION p2 VALUES "
         "LESS THAN MAXVALUE)",
         ""},
        {"ALTER TABLE t ADD PARTITION PARTITIONS 2", ""},
        {"ALTER TABLE t ANALYZE PARTITION p0", ""},
        {"ALTER TABLE t OPTIMIZE PARTITION LOCAL p0, p1", ""},
        {"ALTER TABLE t REBUILD PARTITION ALL", ""},
        {"ALTER TABLE t ENGINE=InnoDB", ""},
        {"ALTER TABLE t ENGINE InnoDB", ""},
        {"ALTER TABLE t engine = 'innodb' ROW_FORMAT=DYNAMIC", ""},
        {"ALTER TABLE t FORCE", ""},
        {"ALTER TABLE t FORCE, ALGORITHM=INPLACE, LOCK=NONE", ""},
        {"ALTER TABLE t AUTO_INCREMENT = 1000", ""},
        {"ALTER TABLE t COMMENT='it''s, DROP a'", ""},
        {"ALTER TABLE t COMMENT 'a\\\\'", ""},
        {"ALTER TABLE t COMMENT='DROP TABLE a, RENAME TO b'", ""},
        {"ALTER TABLE t ADD INDEX (a) COMMENT 'x) , DROP a'", ""},
        {"ALTER TABLE t STATS_PERSISTENT=1, STATS_AUTO_RECALC=0 STATS_SAMPLE_PAGES=5", ""},
        {"ALTER TABLE t DISABLE KEYS", ""},
        {"ALTER TABLE t ENABLE KEYS", ""},
        {"ALTER TABLE t ADD INDEX (a), WITHOUT VALIDATION", ""},
        {"ALTER TABLE t WAIT 5 ADD INDEX (a)", ""},
        {"ALTER TABLE t NOWAIT ENGINE=InnoDB", ""},
        {"ALTER ONLINE TABLE IF EXISTS t ADD INDEX (a)", ""},
        {"ALTER TABLE t ADD INDEX (a) /* , DROP b */", ""},
        {"ALTER DATABASE shop CHARACTER SET utf8mb4", ""},
        {"ALTER SCHEMA shop COLLATE utf8mb4_bin", ""},
        {"ALTER VIEW t AS SELECT 1", ""},
        {"ALTER ALGORITHM=MERGE VIEW t AS SELECT 1", ""},
        {"ALTER PROCEDURE t COMMENT 'x'", ""},
        {"ALTER FUNCTION t COMMENT 'x'", ""},
        {"ALTER EVENT t RENAME TO u", ""},
        {"ALTER DEFINER=`a`@`b` EVENT t DISABLE", ""},
        {"ALTER USER 'a'@'%' IDENTIFIED WITH 'x' AS '$A$005$\\'\x7f'", ""},
        {"ALTER SEQUENCE t RESTART 5", ""},
        {"ALTER TABLESPACE t RENAME TO u", ""},
        {"ALTER INSTANCE ROTATE INNODB MASTER KEY", ""},
        {"ALTER SERVER s OPTIONS (USER 'a')", ""},
        {"ALTER", ""},
    };

    CHECK_TOUCHED(cases);
}

TEST(test_statement__reads_ansi_quotes)
{
    static const struct touch_case cases[] = {
        {"DROP TABLE \"a\", \"db\".\"b\"", "shop.a db.b"},
        {"ALTER TABLE \"a\"\"b\" DROP c", "shop.a\"b"},
        {"ALTER TABLE \"a\\\" DROP c", "shop.a\\"}, /* no escape in a name */
        {"ALTER TABLE t ADD \"index\" INT", "shop.t"},
        {"ALTER TABLE t DROP \"index\"", "shop.t"},
        {"ALTER TABLE t COMMENT='x\"', ADD INDEX (\"a\")", ""},
        {"CREATE TABLE \"IF\" (a INT)", "shop.IF"},
    };

    check_touched(cases, sizeof cases / sizeof cases[0], true);
    /* The same text is a string without the mode; in the place of a name it is one all the same. */
    assert_true(statement_mentions(span_str("UPDATE \"t\" SET a=1"), true, "t"));
}

/* With NO_BACKSLASH_ESCAPES a quote behind a backslash ends the text; both readings count. */
TEST(test_statement__takes_the_worse_reading_of_a_backslash)
{
    static const struct touch_case cases[] = {
        {"ALTER TABLE t COMMENT='a\\', ADD COLUMN b INT COMMENT 'c'", "shop.t"},
        {"ALTER TABLE t COMMENT='a\\', RENAME TO u, COMMENT='c'", "shop.t shop.u"},
        {"ALTER TABLE t COMMENT='a\\\\', ADD INDEX (b)", ""},
        {"ALTER TABLE t COMMENT='C:\\temp'", ""},
        {"SET STATEMENT a='\\' FOR DROP TABLE t -- '", "shop.t"},
    };

    CHECK_TOUCHED(cases);
}

/* MySQL passes over what MariaDB runs; the log does not say which of them wrote. */
TEST(test_statement__takes_the_worse_reading_of_a_comment)
{
    static const struct touch_case cases[] = {
        {"DROP TABLE a /*M! , b */", "shop.a shop.b"},
        {"DROP TABLE /*M! IF EXISTS */ a", "shop.a"},
        {"ALTER TABLE /*M! x */ t DROP a", "shop.x shop.t"},
        {"CREATE /*M! TEMPORARY */ TABLE t (a INT)", "shop.t"},
        {"CREATE TABLE /*M! IF NOT EXISTS */ t (a INT)", "shop.t"},
        {"ALTER TABLE t COMMENT='\\' /*M!, DROP a */ -- '", "shop.t"},
    };

    CHECK_TOUCHED(cases);
    assert_int_equal(statement_classify(span_str("/*M! BEGIN */ DROP TABLE t"), false),
                     STATEMENT_DDL);
}

/* The text is in the client's charset: a name that is not UTF-8 may be any. */
TEST(test_statement__touches_all_where_a_name_cannot_be_read)
{
    char longer[400] = "DROP TABLE ";
    static const struct touch_case cases[] = {
        {"DROP TABLE caf\xc3\xa9", "shop.caf\xc3\xa9"},
        {"DROP TABLE caf\xe9", "shop."},
        {"DROP TABLE `caf\xe9`", "shop."},
        {"DROP TABLE db.caf\xe9", "db."},
        {"DROP TABLE \xb1\xed.t", "."},
        {"DROP DATABASE \xb1\xed", "."},
        {"ALTER TABLE `\x81\x60` DROP a", "shop."}, /* the second byte of this GBK letter is ` */
        {"RENAME TABLE a TO \xb1\xed", "shop.a shop."},
        {"DROP TABLE ``", "shop."},
        {"ALTER TABLE t COMMENT='\xb1\xed', ADD INDEX (a)", ""},
    };

    CHECK_TOUCHED(cases);
    memset(longer + 11, 'x', 300);
    const struct touch_case long_case = {longer, "shop."};

    check_touched(&long_case, 1, false);
    struct touches got = {""};

    statement_touched(span_of("DROP TABLE `a\0b`", 16), false, "shop", note, &got);
    assert_string_equal(got.text, "shop. ");
    got.text[0] = '\0';
    statement_touched(span_str("ALTER TABLE [t] DROP a"), false, "", note, &got);
    assert_string_equal(got.text, ". ");
}

TEST(test_statement__finds_mentions)
{
    static const struct {
        const char *sql;
        bool want;
    } cases[] = {
        {"INSERT INTO t VALUES (1)", true},
        {"INSERT INTO `t` VALUES (1)", true},
        {"INSERT INTO T VALUES (1)", true},
        {"INSERT INTO shop.t VALUES (1)", true},
        {"INSERT INTO u SELECT * FROM t", true},
        {"WITH c AS (SELECT 1) UPDATE t, c SET a=1", true},
        {"/*!50000 INSERT INTO t */ VALUES (1)", true},
        {"/*M! INSERT INTO t */ VALUES (1)", true},
        {"LOAD DATA INFILE 'x' INTO TABLE t", true},
        {"INSERT INTO u VALUES ('\\', (SELECT 1 FROM t)) -- ')", true},
        {"INSERT INTO \xb1\xed VALUES (1)", true},
        {"INSERT INTO tt VALUES (1)", false},
        {"INSERT INTO u VALUES ('t')", false},
        {"INSERT INTO u VALUES (1) /* t */", false},
        {"INSERT INTO u VALUES (1) -- t", false},
        {"INSERT INTO u VALUES (1) # t", false},
        {"INSERT INTO u VALUES ('\xb1\xed')", false},
        {"", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (statement_mentions(span_str(cases[i].sql), false, "t") != cases[i].want) {
            fail_msg("%s: not %d", cases[i].sql, cases[i].want);
        }
    }
    /* A long number is no name, whatever it holds. */
    char sql[700] = "INSERT INTO u VALUES (0x";

    memset(sql + strlen(sql), 'f', 600);
    assert_false(statement_mentions(span_str(sql), false, "t"));
}

static void count(void *ctx, const char *schema, const char *table)
{
    assert_non_null(schema);
    assert_non_null(table);
    (*(size_t *)ctx)++;
}

/* A statement that is cut anywhere touches its table, or was cut before its name began. */
TEST(test_statement__reads_every_truncation)
{
    static const char *const statements[] = {
        "ALTER TABLE `shop`.`orders` ADD COLUMN `a` INT COMMENT 'x\\'y', RENAME TO `b` -- c",
        "DROP TABLE /*!50000 IF EXISTS */ `orders`, \"b\" /* generated by server */",
        "/*M!100100 SET STATEMENT a='b' FOR */ RENAME TABLE a TO b # c\n, d TO e",
        "CREATE OR REPLACE TABLE `a``b`.`c` (d INT)",
    };
    static const size_t heads[] = {11, 10, 50, 23};

    for (size_t i = 0; i < 4; i++) {
        size_t len = strlen(statements[i]);

        for (size_t cut = 0; cut <= len; cut++) {
            char *exact = malloc(cut + 1);
            size_t touched = 0;

            assert_non_null(exact);
            memcpy(exact, statements[i], cut);
            /* Against the end of the block. */
            memmove(exact + 1, exact, cut);
            statement_touched(span_of(exact + 1, cut), i % 2 == 0, "shop", count, &touched);
            (void)statement_classify(span_of(exact + 1, cut), false);
            (void)statement_mentions(span_of(exact + 1, cut), false, "orders");
            if (cut >= heads[i] && touched == 0) {
                fail_msg("%.*s touches nothing", (int)cut, statements[i]);
            }
            free(exact);
        }
    }
}

TEST(test_statement__reads_deep_and_long_statements)
{
    enum { BYTES = 1 << 20 };
    static const char *const parts[] = {
        "SET STATEMENT a=1 FOR ",       "/*!", "/*M! ", "(", "'\\'", "`", "a.",
        "ALTER TABLE t ADD INDEX (a), "};
    char *sql = malloc(BYTES);

    assert_non_null(sql);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t part = strlen(parts[i]);
        size_t touched = 0;

        for (size_t at = 0; at < BYTES; at++) {
            sql[at] = parts[i][at % part];
        }
        (void)statement_classify(span_of(sql, BYTES), false);
        statement_touched(span_of(sql, BYTES), false, "shop", count, &touched);
        (void)statement_mentions(span_of(sql, BYTES), false, "t");
    }
    free(sql);
}

TEST_MAIN(test_case(test_statement__classifies), test_case(test_statement__create),
          test_case(test_statement__drop), test_case(test_statement__rename_truncate_repair),
          test_case(test_statement__alter_that_changes_columns_or_rows),
          test_case(test_statement__alter_that_changes_neither),
          test_case(test_statement__reads_ansi_quotes),
          test_case(test_statement__takes_the_worse_reading_of_a_backslash),
          test_case(test_statement__takes_the_worse_reading_of_a_comment),
          test_case(test_statement__touches_all_where_a_name_cannot_be_read),
          test_case(test_statement__finds_mentions),
          test_case(test_statement__reads_every_truncation),
          test_case(test_statement__reads_deep_and_long_statements))
