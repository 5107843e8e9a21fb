#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "mysql/schema.h"

static void check(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "%s\n", what);
        abort();
    }
}

static void check_def(const struct table_def *def)
{
    check(def->column_count > 0 && def->key_count <= def->column_count, "no columns");
    check(str_is_utf8(span_str(def->schema)) && str_is_utf8(span_str(def->name)), "name");
    for (uint32_t i = 0; i < def->key_count; i++) {
        check(def->key[i] < def->column_count, "key");
        check(!def->columns[def->key[i]].nullable, "a key's column is nullable");
    }
    for (uint32_t i = 0; i < def->column_count; i++) {
        const struct column_def *c = &def->columns[i];

        check(str_is_utf8(span_str(c->name)) && str_is_utf8(span_str(c->type_text)), "column");
        for (uint32_t k = 0; k < c->label_count; k++) {
            check(str_is_utf8(span_str(c->labels[k])), "label");
        }
    }
}

static enum err_code add_table(void *ctx, const struct table_def *def, bool pinned, struct err *e)
{
    size_t *sum = ctx;

    (void)pinned;
    (void)e;
    check_def(def);
    *sum += 1000 * strlen(def->name) + def->column_count + def->key_count;
    for (uint32_t i = 0; i < def->column_count; i++) {
        *sum += strlen(def->columns[i].type_text) * (i + 1);
    }
    return ERR_OK;
}

static size_t sum_of(const struct schema *s)
{
    size_t sum = 0;

    check(schema_each_table(s, add_table, &sum, NULL) == ERR_OK, "each");
    return sum;
}

static void must_apply(struct schema *s, const char *sql)
{
    struct schema_changes changes;
    struct binlog_query q = {.thread_id = 1, .explicit_timestamps = -1};

    q.schema = span_str("shop");
    q.sql = span_str(sql);
    check(schema_apply(s, &q, &changes, NULL) == ERR_OK, sql);
}

static void apply(struct schema *s, const uint8_t *head, struct span sql)
{
    static const uint16_t collations[] = {0, 45, 8, 28, 13, 1, 63, 248, 95, 9999};
    static const uint64_t modes[] = {0, 0x4, 0x100000, 0x100004, 0x200, 0x40e, 0x1000, 0x1};
    struct schema_changes changes;
    struct err e = {0};
    struct binlog_query q = {.thread_id = head[0] >> 4 & 1,
                             .sql_mode = modes[head[1] & 7],
                             .client_collation = collations[head[2] % 10],
                             .explicit_timestamps = (head[1] >> 3) % 3 - 1,
                             .error_code = (head[1] & 0x80) != 0 ? 1051 : 0};

    q.schema = span_str((head[0] & 0x20) != 0 ? "" : "shop");
    q.sql = sql;
    enum err_code rc = schema_apply(s, &q, &changes, &e);

    check(rc == ERR_OK || rc == ERR_UNSUPPORTED || rc == ERR_LIMIT, e.msg);
    check(rc == ERR_OK || changes.count == 0, "half applied");
    check(str_is_utf8(span_str(e.msg)), "message");
    for (uint32_t i = 0; i < changes.count; i++) {
        const struct schema_change *c = &changes.changes[i];

        check(strlen(c->database) + strlen(c->table) + strlen(c->new_table) > 0, "change");
        if (c->def != NULL) {
            check_def(c->def);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Three bytes choose server, modes and charset; statements follow, parted by NULs. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned versions[] = {50744, 80018, 80403, 90700, 100528, 101102, 110803, 120302};
    struct schema *s = NULL;

    if (size < 3) {
        return 0;
    }
    struct schema_options options = {.version_number = versions[data[0] & 7],
                                     .mariadb = (data[0] & 4) != 0,
                                     .icase = (data[0] & 8) != 0,
                                     .default_charset = "latin1",
                                     .tables_max = (data[0] & 0x40) != 0 ? 2 : 0};

    check(schema_new(&options, &s, NULL) == ERR_OK, "schema_new");
    must_apply(s, "CREATE DATABASE shop CHARACTER SET utf8mb4");
    must_apply(s,
               "CREATE TABLE t (id INT, a VARCHAR(10), b TEXT, c ENUM('x','y'), PRIMARY KEY (id))");
    must_apply(s, "CREATE TABLE u (my_row_id BIGINT UNSIGNED NOT NULL PRIMARY KEY, d DATE)");
    schema_keep(s);
    size_t before = sum_of(s);

    for (size_t at = 3; at < size;) {
        const uint8_t *end = memchr(data + at, '\0', size - at);
        size_t len = end == NULL ? size - at : (size_t)(end - data) - at;

        apply(s, data, span_of(data + at, len));
        (void)sum_of(s);
        at += len + 1;
    }
    schema_undo(s);
    check(sum_of(s) == before, "schema_undo did not bring everything back");
    schema_free(s);
    return 0;
}
