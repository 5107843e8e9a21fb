#include "schema_fixture.h"

static void check_t(const struct schema *s, const char *before, const char *sql, const char *want)
{
    char got[1024] = "";
    const struct table_def *def = schema_find(s, "shop", "t");

    if (def != NULL) {
        show_def(def, got, sizeof got);
    }
    if (strcmp(got, want) != 0) {
        fail_msg("%s; %s\n  t is\n  %s\nnot\n  %s", before, sql, got, want);
    }
}

/* CONVERT TO CHARACTER SET leaves the bytes of labels as they are, as both servers do. */
TEST(test_ddl_label__leaves_the_bytes_in_another_charset)
{
    static const struct {
        const char *labels;
        const char *was;
        const char *is;
        const char *want; /* NULL: it cannot be told */
    } cases[] = {
        /* the same characters */
        {"'a','it''s'", "latin1", "utf8mb4", "'a','it''s'"},
        {"'\xc3\xa9','\xe6\x97\xa5'", "utf8mb4", "utf8mb3", "'\xc3\xa9','\xe6\x97\xa5'"},
        {"'\xc3\xa9','\xe6\x97\xa5'", "utf8mb3", "utf8mb4", "'\xc3\xa9','\xe6\x97\xa5'"},
        {"'\xc3\xa9'", "latin1", "latin2", "'\xc3\xa9'"},
        {"'\xe2\x82\xac','\xc5\xbd'", "latin1", "cp1250", "'\xe2\x82\xac','\xc5\xbd'"},
        {"'\xe4\xb8\xad'", "gbk", "gb18030", "'\xe4\xb8\xad'"},
        {"'\xe6\x97\xa5'", "sjis", "cp932", "'\xe6\x97\xa5'"},
        {"'\xe6\x97\xa5'", "ujis", "eucjpms", "'\xe6\x97\xa5'"},
        {"'a','\xe6\x97\xa5'", "ucs2", "utf16", "'a','\xe6\x97\xa5'"},
        {"'a','\xe6\x97\xa5'", "utf16", "ucs2", "'a','\xe6\x97\xa5'"},
        {"'/\\\\'", "cp932", "utf8mb4", "'/\\\\'"},
        {"'/\\\\','\xe6\x97\xa5'", "sjis", "sjis", "'/\\\\','\xe6\x97\xa5'"},
        {"'?'", "utf8mb3", "utf8mb4", "'?'"},
        {"''", "utf8mb4", "utf16", "''"},
        /* other ones */
        {"'\xc3\xa9','\xc3\xbc'", "latin1", "koi8r", "'\xd0\x98','\xd0\xad'"},
        {"'\xc3\xa9'", "utf8mb4", "latin1", "'\xc3\x83\xc2\xa9'"},
        {"'\xc3\xa9','\xc3\xa9'", "utf8mb4", "gbk", "'\xe8\x8c\x85','\xe8\x8c\x85'"},
        {"'\xc3\xa9'", "utf8mb4", "sjis", "'\xef\xbe\x83\xef\xbd\xa9'"},
        {"'\xe4\xb8\xad'", "gbk", "latin1", "'\xc3\x96\xc3\x90'"},
        {"'b2'", "utf8mb4", "utf16", "'\xe6\x88\xb2'"},
        {"'{}'", "utf8mb4", "swe7", "'\xc3\xa4\xc3\xa5'"},
        {"'\xc3\xa4\xc3\xa5'", "swe7", "utf8mb4", "'{}'"},
        {"'\xc3\xb0\xc5\xb8\xcb\x9c\xe2\x82\xac'", "latin1", "utf8mb4", "'\xf0\x9f\x98\x80'"},
        {"'\xc3\x83\xc2\xa9'", "latin1", "binary", "'\xc3\xa9'"},
        /* bytes that are no text */
        {"'\xc3\xa9'", "latin1", "utf8mb4", NULL},
        {"'\xc3\xa9'", "latin1", "ascii", NULL},
        {"'\xc3\xa9'", "latin1", "binary", NULL},
        {"'\xe4\xb8\xad'", "gbk", "utf8mb4", NULL},
        {"'a'", "utf8mb4", "utf16", NULL},
        {"'b','c','\xf0\x9f\x98\x80'", "utf8mb4", "utf8mb3", NULL},
        {"'\xf0\x9f\x98\x80'", "utf16", "ucs2", NULL},
        {"'\xc3\xb0\xc5\xb8\xcb\x9c\xe2\x82\xac'", "latin1", "utf8mb3", NULL},
        /* bytes that are not known */
        {"'/\\\\'", "sjis", "utf8mb4", NULL},
        {"'a','?'", "utf8mb4", "latin1", NULL},
        {"'a'", "utf16", "latin1", NULL},
        {"'\xf0\x9f\x98\x80'", "gb18030", "latin1", NULL},
    };

    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        bool mariadb = i % 2 == 1;
        const char *type = mariadb ? "set" : "enum";
        const char *is = cases[i / 2].is;
        /* MySQL shows no charset then. */
        const char *shown = !mariadb && strcmp(is, "binary") == 0 ? "" : is;
        struct schema *s = schema_of(mariadb, mariadb ? MARIA_11 : MYSQL_8);
        char create[256];
        char convert[256];
        char want[256] = "";

        (void)snprintf(create, sizeof create, "CREATE TABLE t (a %s(%s) CHARACTER SET %s)", type,
                       cases[i / 2].labels, cases[i / 2].was);
        (void)snprintf(convert, sizeof convert, "ALTER TABLE t CONVERT TO CHARACTER SET %s", is);
        if (cases[i / 2].want != NULL) {
            (void)snprintf(want, sizeof want, "a %s(%s)%s%s", type, cases[i / 2].want,
                           shown[0] == '\0' ? "" : " ", shown);
        }
        apply_all(s, (const char *const[]){create, convert, NULL});
        check_t(s, create, convert, want);
        schema_free(s);
    }
}

/* The text of a statement is put into the charset that the column has behind it. */
TEST(test_ddl_label__writes_those_of_the_same_statement_anew)
{
    static const struct {
        const char *sql;
        const char *want;
    } cases[] = {
        {"ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4, MODIFY a ENUM('\xc3\xa9') CHARACTER SET "
         "latin1",
         "a enum('\xc3\xa9') utf8mb4"},
        {"ALTER TABLE t CHANGE a b ENUM('\xe6\x97\xa5') CHARACTER SET latin1, CONVERT TO CHARACTER "
         "SET utf8mb4",
         "b enum('\xe6\x97\xa5') utf8mb4"},
        {"ALTER TABLE t DROP a, ADD b SET('/\\\\') CHARACTER SET sjis, CONVERT TO CHARACTER SET "
         "utf8mb4",
         "b set('/\\\\') utf8mb4"},
        {"ALTER TABLE t ADD b ENUM('\xc3\xa9','\xe6\x97\xa5') CHARACTER SET utf8mb4, CONVERT TO "
         "CHARACTER SET latin1",
         "a enum('\xc3\xa9') latin1, b enum('\xc3\xa9','?') latin1"},
        {"ALTER TABLE t RENAME COLUMN a TO b, CONVERT TO CHARACTER SET latin2",
         "b enum('\xc3\xa9') latin2"},
        {"ALTER TABLE t RENAME COLUMN a TO b, CONVERT TO CHARACTER SET utf8mb4", ""},
    };
    static const char create[] = "CREATE TABLE t (a ENUM('\xc3\xa9') CHARACTER SET latin1)";

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct schema *s = schema_of(false, MYSQL_8);

        apply_all(s, (const char *const[]){create, cases[i].sql, NULL});
        check_t(s, create, cases[i].sql, cases[i].want);
        schema_free(s);
    }
}

TEST_MAIN(test_case(test_ddl_label__leaves_the_bytes_in_another_charset),
          test_case(test_ddl_label__writes_those_of_the_same_statement_anew))
