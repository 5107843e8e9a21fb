#include "schema_fixture.h"

static void check_def(const struct schema *s, const char *table, const char *want)
{
    char got[4096] = "";
    const struct table_def *def = schema_find(s, "shop", table);

    if (def != NULL) {
        show_def(def, got, sizeof got);
    }
    if (strcmp(got, want) != 0) {
        fail_msg("%s is\n  %s\nnot\n  %s", table, got, want);
    }
}

TEST(test_schema__creates_alters_renames_and_drops)
{
    static const struct {
        const char *sql;
        const char *changes;
        const char *t;
    } steps[] = {
        {"CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10))", "created shop.t",
         "id int not null, a varchar(10) utf8mb4 | id"},
        {"ALTER TABLE t ADD COLUMN b BIGINT UNSIGNED NOT NULL AFTER id, ADD c TEXT FIRST",
         "altered shop.t",
         "c text utf8mb4, id int not null, b bigint unsigned not null, a varchar(10) utf8mb4 | id"},
        {"ALTER TABLE t CHANGE a b INT, CHANGE b a INT, DROP c", "altered shop.t",
         "id int not null, a int, b int | id"},
        {"ALTER TABLE t ADD INDEX (a)", "", "id int not null, a int, b int | id"},
        {"CREATE TABLE IF NOT EXISTS t (x INT)", "", "id int not null, a int, b int | id"},
        {"CREATE TABLE u LIKE t", "created shop.u", "id int not null, a int, b int | id"},
        {"TRUNCATE t", "truncated shop.t", "id int not null, a int, b int | id"},
        {"RENAME TABLE t TO t2, u TO t", "renamed shop.t to shop.t2; renamed shop.u to shop.t",
         "id int not null, a int, b int | id"},
        {"DROP TABLE t2, t", "dropped shop.t2; dropped shop.t", ""},
        {"CREATE TABLE IF NOT EXISTS t (x INT)", "created shop.t", "x int"},
        {"DROP DATABASE shop", "dropped shop.t; dropped shop.", ""},
    };
    struct schema *s = schema_of(false, MYSQL_8);

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
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
        check_def(s, "t", steps[i].t);
    }
    schema_free(s);
}

TEST_MAIN(test_case(test_schema__creates_alters_renames_and_drops))
