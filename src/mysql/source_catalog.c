/*
 * COLUMN_TYPE of INFORMATION_SCHEMA, as read here:
 *   enum('a','it''s','back\\slash','new\nline')
 *   int(10) unsigned zerofill
 */
#include "mysql/source_catalog.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "mysql/ddl_lexer_int.h"

/* ---- one column ---- */

enum {
    FIELD_TABLE,
    FIELD_NAME,
    FIELD_DATA_TYPE,
    FIELD_COLUMN_TYPE,
    FIELD_NULLABLE,
    FIELD_CHARACTERS,
    FIELD_PRECISION,
    FIELD_SCALE,
    FIELD_FSP,
    FIELD_CHARSET,
    FIELD_GENERATION,
    FIELD_COUNT,
};

static const char columns_sql[] = "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, "
                                  "IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH, "
                                  "NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, "
                                  "CHARACTER_SET_NAME, GENERATION_EXPRESSION "
                                  "FROM information_schema.COLUMNS";

static const struct {
    const char *name;
    enum column_type type;
} type_names[] = {
    {"tinyint", COLUMN_TYPE_TINYINT},
    {"smallint", COLUMN_TYPE_SMALLINT},
    {"mediumint", COLUMN_TYPE_MEDIUMINT},
    {"int", COLUMN_TYPE_INT},
    {"bigint", COLUMN_TYPE_BIGINT},
    {"decimal", COLUMN_TYPE_DECIMAL},
    {"float", COLUMN_TYPE_FLOAT},
    {"double", COLUMN_TYPE_DOUBLE},
    {"bit", COLUMN_TYPE_BIT},
    {"year", COLUMN_TYPE_YEAR},
    {"date", COLUMN_TYPE_DATE},
    {"time", COLUMN_TYPE_TIME},
    {"datetime", COLUMN_TYPE_DATETIME},
    {"timestamp", COLUMN_TYPE_TIMESTAMP},
    {"char", COLUMN_TYPE_CHAR},
    {"varchar", COLUMN_TYPE_VARCHAR},
    {"tinytext", COLUMN_TYPE_TEXT},
    {"text", COLUMN_TYPE_TEXT},
    {"mediumtext", COLUMN_TYPE_TEXT},
    {"longtext", COLUMN_TYPE_TEXT},
    {"binary", COLUMN_TYPE_BINARY},
    {"varbinary", COLUMN_TYPE_VARBINARY},
    {"tinyblob", COLUMN_TYPE_BLOB},
    {"blob", COLUMN_TYPE_BLOB},
    {"mediumblob", COLUMN_TYPE_BLOB},
    {"longblob", COLUMN_TYPE_BLOB},
    {"enum", COLUMN_TYPE_ENUM},
    {"set", COLUMN_TYPE_SET},
    {"json", COLUMN_TYPE_JSON},
    {"geometry", COLUMN_TYPE_GEOMETRY},
    {"point", COLUMN_TYPE_GEOMETRY},
    {"linestring", COLUMN_TYPE_GEOMETRY},
    {"polygon", COLUMN_TYPE_GEOMETRY},
    {"multipoint", COLUMN_TYPE_GEOMETRY},
    {"multilinestring", COLUMN_TYPE_GEOMETRY},
    {"multipolygon", COLUMN_TYPE_GEOMETRY},
    {"geomcollection", COLUMN_TYPE_GEOMETRY},
    {"geometrycollection", COLUMN_TYPE_GEOMETRY},
    {"vector", COLUMN_TYPE_VECTOR},
    {"uuid", COLUMN_TYPE_UUID},
    {"inet4", COLUMN_TYPE_INET4},
    {"inet6", COLUMN_TYPE_INET6},
};

static bool find_type(struct span name, enum column_type *out)
{
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (span_ieq_str(name, type_names[i].name)) {
            *out = type_names[i].type;
            return true;
        }
    }
    return false;
}

/* One quoted label at *at, without its quotes, into out with a NUL; moves *at behind it. */
static bool read_label(const char **at, struct buf *out)
{
    const char *p = *at;

    if (*p++ != '\'') {
        return false;
    }
    for (;; p++) {
        if (*p == '\'' && p[1] == '\'') {
            p++;
        } else if (*p == '\'') {
            break;
        } else if (*p == '\\') {
            p++;
            if (*p == '0') {
                return false; /* a label with a NUL: texts here end with one */
            }
            buf_u8(out, sql_unescaped((uint8_t)*p));
            if (*p == '\0') {
                return false;
            }
            continue;
        } else if (*p == '\0') {
            return false;
        }
        buf_u8(out, (uint8_t)*p);
    }
    buf_u8(out, '\0');
    *at = p + 1;
    return true;
}

/* All labels of an enum or set, each with a NUL, one after another. */
static bool read_labels(const char *type_text, struct buf *out, uint32_t *count)
{
    const char *p = strchr(type_text, '(');

    *count = 0;
    if (p == NULL) {
        return false;
    }
    do {
        p++;
        if (!read_label(&p, out)) {
            return false;
        }
        ++*count;
    } while (*p == ',');
    return *p == ')';
}

static enum err_code keep_labels(struct column_def *column, const struct buf *texts, uint32_t count,
                                 struct arena *arena, struct err *e)
{
    const char *all = arena_strndup(arena, texts->data, texts->len);
    const char **labels = (const char **)arena_alloc(arena, count, sizeof *labels);

    if (all == NULL || labels == NULL) {
        return arena_fail(arena, e, "enum labels");
    }
    for (uint32_t i = 0; i < count; i++) {
        labels[i] = all;
        all += strlen(all) + 1;
    }
    column->labels = labels;
    column->label_count = count;
    return ERR_OK;
}

static enum err_code fill_labels(struct column_def *column, struct arena *arena, struct err *e)
{
    struct buf texts = {0};
    uint32_t count = 0;
    enum err_code rc = ERR_OK;

    if (!read_labels(column->type_text, &texts, &count)) {
        rc = err_set(e, ERR_UNSUPPORTED, "column '%s': the labels of %s cannot be read",
                     column->name, column->type_text);
    }
    if (rc == ERR_OK) {
        rc = buf_check(&texts, e, "enum labels");
    }
    if (rc == ERR_OK) {
        rc = keep_labels(column, &texts, count, arena, e);
    }
    buf_deinit(&texts);
    return rc;
}

static uint64_t number_of(struct span text)
{
    uint64_t v = 0;

    (void)str_to_u64(text, &v);
    return v;
}

static uint8_t small_number_of(struct span text)
{
    uint64_t v = number_of(text);

    return v > UINT8_MAX ? UINT8_MAX : (uint8_t)v;
}

static bool holds_text(enum column_type type)
{
    return type == COLUMN_TYPE_CHAR || type == COLUMN_TYPE_VARCHAR || type == COLUMN_TYPE_TEXT ||
           type == COLUMN_TYPE_ENUM || type == COLUMN_TYPE_SET;
}

static uint32_t length_of(enum column_type type, const struct span *fields)
{
    uint64_t v = 0;

    if (type == COLUMN_TYPE_BIT) {
        v = number_of(fields[FIELD_PRECISION]);
    } else if (type == COLUMN_TYPE_BINARY || type == COLUMN_TYPE_VARBINARY ||
               type == COLUMN_TYPE_CHAR || type == COLUMN_TYPE_VARCHAR) {
        v = number_of(fields[FIELD_CHARACTERS]);
    }
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static enum err_code fill_column(struct column_def *column, const struct span *fields,
                                 struct arena *arena, struct err *e)
{
    bool has_charset = fields[FIELD_CHARSET].data != NULL;

    column->name = arena_strndup(arena, fields[FIELD_NAME].data, fields[FIELD_NAME].len);
    column->type_text =
        arena_strndup(arena, fields[FIELD_COLUMN_TYPE].data, fields[FIELD_COLUMN_TYPE].len);
    if (column->name == NULL || column->type_text == NULL) {
        return arena_fail(arena, e, "table definition");
    }
    if (!find_type(fields[FIELD_DATA_TYPE], &column->type)) {
        return err_set(e, ERR_UNSUPPORTED, "column '%s' has the type %s, which has no known form",
                       column->name, column->type_text);
    }
    if (holds_text(column->type) && has_charset) {
        column->charset =
            arena_strndup(arena, fields[FIELD_CHARSET].data, fields[FIELD_CHARSET].len);
        if (column->charset == NULL) {
            return arena_fail(arena, e, "table definition");
        }
    }
    column->nullable = span_ieq_str(fields[FIELD_NULLABLE], "YES");
    column->generated = fields[FIELD_GENERATION].len > 0;
    column->row_end = span_eq_str(fields[FIELD_GENERATION], "ROW END");
    column->length = length_of(column->type, fields);
    if (column->type == COLUMN_TYPE_DECIMAL) {
        column->precision = small_number_of(fields[FIELD_PRECISION]);
        column->scale = small_number_of(fields[FIELD_SCALE]);
    }
    if (column->type == COLUMN_TYPE_TIME || column->type == COLUMN_TYPE_DATETIME ||
        column->type == COLUMN_TYPE_TIMESTAMP) {
        column->fsp = small_number_of(fields[FIELD_FSP]);
    }
    if (column->type == COLUMN_TYPE_ENUM || column->type == COLUMN_TYPE_SET) {
        return fill_labels(column, arena, e);
    }
    /* A label could contain the word; no type but the numeric ones has it. */
    column->is_unsigned = strstr(column->type_text, " unsigned") != NULL;
    return ERR_OK;
}

/* ---- a table ---- */

struct loading {
    struct arena *arena;
    struct table_def *def;
    const char *table;
    bool exact; /* names differ by case */
    uint32_t capacity;
};

static bool same_table(const struct loading *l, struct span name)
{
    return l->exact ? span_eq_str(name, l->table) : span_ieq_str(name, l->table);
}

static enum err_code add_column(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct loading *l = ctx;
    struct table_def *def = l->def;

    if (!same_table(l, row->columns[FIELD_TABLE])) {
        return ERR_OK;
    }
    if (def->column_count == l->capacity) {
        uint32_t capacity = l->capacity == 0 ? 16 : l->capacity * 2;
        struct column_def *columns = arena_alloc(l->arena, capacity, sizeof *columns);

        if (columns == NULL) {
            return arena_fail(l->arena, e, "table definition");
        }
        if (def->column_count > 0) {
            memcpy(columns, def->columns, def->column_count * sizeof *columns);
        }
        def->columns = columns;
        l->capacity = capacity;
    }
    if (def->column_count == 0) {
        /* As the server writes it: with lower_case_table_names the caller may have it otherwise. */
        def->name =
            arena_strndup(l->arena, row->columns[FIELD_TABLE].data, row->columns[FIELD_TABLE].len);
        if (def->name == NULL) {
            return arena_fail(l->arena, e, "table definition");
        }
    }
    struct column_def *column = &def->columns[def->column_count];

    *column = (struct column_def){0};
    ERR_TRY(fill_column(column, row->columns, l->arena, e));
    def->column_count++;
    return ERR_OK;
}

static enum err_code add_key_part(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct loading *l = ctx;
    struct table_def *def = l->def;
    uint32_t i = 0;

    if (!same_table(l, row->columns[0])) {
        return ERR_OK;
    }
    while (i < def->column_count && !span_eq_str(row->columns[1], def->columns[i].name)) {
        i++;
    }
    if (i == def->column_count || def->key_count == def->column_count) {
        return err_set_retryable(e, ERR_SOURCE, "the table was altered while it was being read");
    }
    /* MariaDB adds it, so that rows of the past have keys of their own. */
    if (def->columns[i].row_end) {
        return ERR_OK;
    }
    def->key[def->key_count++] = i;
    return ERR_OK;
}

static void append_where(struct buf *sql, const char *schema, const char *table)
{
    buf_append_str(sql, " WHERE TABLE_SCHEMA = ");
    mysql_quote_text(sql, schema);
    buf_append_str(sql, " AND TABLE_NAME = ");
    mysql_quote_text(sql, table);
}

static enum err_code run(struct mysql_conn *c, struct buf *sql,
                         enum err_code (*each)(void *ctx, const struct mysql_row *row,
                                               struct err *e),
                         void *ctx, struct err *e)
{
    const char *text = buf_cstr(sql);
    enum err_code rc =
        text == NULL ? buf_check(sql, e, "a query") : mysql_query_rows(c, text, each, ctx, e);

    buf_deinit(sql);
    return rc;
}

/* What information_schema.TABLES tells. A collation's name starts with its charset's. */
static const char tables_sql[] = "SELECT TABLE_TYPE, ENGINE, SUBSTRING_INDEX(TABLE_COLLATION, '_', "
                                 "1) FROM information_schema.TABLES";

struct table_facts {
    struct loading *loading;
    char type[64];
};

static enum err_code take_facts(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct table_facts *facts = ctx;
    struct arena *arena = facts->loading->arena;
    struct table_def *def = facts->loading->def;
    const struct span *columns = row->columns;

    (void)snprintf(facts->type, sizeof facts->type, "%.*s", (int)columns[0].len,
                   (const char *)columns[0].data);
    /* Both are NULL for views and for tables whose engine cannot open them. */
    if (columns[1].data != NULL) {
        def->engine = arena_strndup(arena, columns[1].data, columns[1].len);
    }
    if (columns[2].data != NULL) {
        def->charset = arena_strndup(arena, columns[2].data, columns[2].len);
    }
    return (columns[1].data != NULL && def->engine == NULL) ||
                   (columns[2].data != NULL && def->charset == NULL)
               ? arena_fail(arena, e, "table definition")
               : ERR_OK;
}

static enum err_code load_facts(struct mysql_conn *c, const char *schema, struct loading *l,
                                struct err *e)
{
    struct buf sql = {0};
    struct table_facts facts = {.loading = l};

    buf_append_str(&sql, tables_sql);
    append_where(&sql, schema, l->table);
    ERR_TRY(run(c, &sql, take_facts, &facts, e));
    if (facts.type[0] == '\0') {
        return err_set(e, ERR_NOT_FOUND,
                       "there is no such table, or the account has no SELECT on it");
    }
    l->def->versioned = str_ieq(facts.type, "SYSTEM VERSIONED");
    if (!str_ieq(facts.type, "BASE TABLE") && !l->def->versioned) {
        return err_set(e, ERR_NOT_FOUND, "it is no table but a %s", facts.type);
    }
    return ERR_OK;
}

/* MariaDB 10.11 logs generated columns always, 11.8 for inserts only. */
#define MARIADB_UNLOGGED_GENERATED 110000u

static enum err_code load(struct mysql_conn *c, const char *schema, struct loading *l,
                          struct err *e)
{
    struct buf columns = {0};
    struct buf keys = {0};

    ERR_TRY(load_facts(c, schema, l, e));
    l->def->generated_unlogged = mysql_conn_server(c)->is_mariadb &&
                                 mysql_conn_server(c)->version_number >= MARIADB_UNLOGGED_GENERATED;
    buf_append_str(&columns, columns_sql);
    append_where(&columns, schema, l->table);
    buf_append_str(&columns, " ORDER BY ORDINAL_POSITION");
    ERR_TRY(run(c, &columns, add_column, l, e));
    if (l->def->column_count == 0) {
        /* Or it was dropped just now: the next look tells. */
        return err_set_retryable(e, ERR_SOURCE,
                                 "the account sees no column of it: grant SELECT on it");
    }
    l->def->key = arena_alloc(l->arena, l->def->column_count, sizeof *l->def->key);
    if (l->def->key == NULL) {
        return arena_fail(l->arena, e, "table definition");
    }
    buf_append_str(&keys, "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS");
    append_where(&keys, schema, l->table);
    buf_append_str(&keys, " AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX");
    return run(c, &keys, add_key_part, l, e);
}

/* Generated invisible primary keys are in the binlog, so they must be here too. */
static enum err_code show_hidden_keys(struct mysql_conn *c, struct err *e)
{
    const struct mysql_server *server = mysql_conn_server(c);

    return server->is_mariadb || server->version_number < 80030
               ? ERR_OK
               : mysql_exec(c, e,
                            "SET SESSION show_gipk_in_create_table_and_information_schema=ON");
}

enum err_code source_catalog_load(struct mysql_conn *c, const char *schema, const char *table,
                                  struct arena *arena, struct table_def **out, struct err *e)
{
    struct loading l = {.arena = arena,
                        .def = arena_alloc(arena, 1, sizeof *l.def),
                        .table = table,
                        .exact = mysql_conn_server(c)->lower_case_table_names == 0};

    if (l.def == NULL) {
        return arena_fail(arena, e, "table definition");
    }
    l.def->schema = arena_strdup(arena, schema);
    if (l.def->schema == NULL) {
        return arena_fail(arena, e, "table definition");
    }
    enum err_code rc = show_hidden_keys(c, e);

    if (rc == ERR_OK) {
        rc = load(c, schema, &l, e);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "reading the definition of %s.%s", schema, table);
        return rc;
    }
    *out = l.def;
    return ERR_OK;
}

/* ---- all tables ---- */

static enum err_code add_pair(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct buf *names = ctx;

    (void)e;
    for (unsigned i = 0; i < 2; i++) {
        buf_append_span(names, row->columns[i]);
        buf_u8(names, '\0');
    }
    return ERR_OK;
}

/* All rows of two texts first, so that `each` may use the connection. */
static enum err_code each_pair(struct mysql_conn *c, const char *sql, const char *what,
                               enum err_code (*each)(void *ctx, const char *a, const char *b,
                                                     struct err *e),
                               void *ctx, struct err *e)
{
    struct buf names = {0};
    enum err_code rc = mysql_query_rows(c, sql, add_pair, &names, e);

    if (rc == ERR_OK) {
        rc = buf_check(&names, e, what);
    }
    for (size_t at = 0; rc == ERR_OK && at < names.len;) {
        const char *a = (const char *)names.data + at;
        const char *b = a + strlen(a) + 1;

        at += strlen(a) + strlen(b) + 2;
        rc = each(ctx, a, b, e);
    }
    buf_deinit(&names);
    return rc;
}

enum err_code source_catalog_tables(struct mysql_conn *c,
                                    enum err_code (*each)(void *ctx, const char *schema,
                                                          const char *table, struct err *e),
                                    void *ctx, struct err *e)
{
    return each_pair(
        c,
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES "
        "WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN "
        "('mysql', 'information_schema', 'performance_schema', 'sys') "
        "ORDER BY CAST(TABLE_SCHEMA AS BINARY), CAST(TABLE_NAME AS BINARY)",
        "the list of tables", each, ctx, e);
}

enum err_code source_catalog_row_estimate(struct mysql_conn *c, const char *schema,
                                          const char *table, uint64_t *out, struct err *e)
{
    struct buf sql = {0};
    char rows[32] = "";

    buf_append_str(&sql, "SELECT TABLE_ROWS FROM information_schema.TABLES");
    append_where(&sql, schema, table);
    const char *text = buf_cstr(&sql);
    enum err_code rc = text == NULL ? buf_check(&sql, e, "a query")
                                    : mysql_query_text(c, text, rows, sizeof rows, e);

    buf_deinit(&sql);
    *out = rc == ERR_OK ? number_of(span_str(rows)) : 0;
    return rc;
}

enum err_code source_catalog_made(struct mysql_conn *c, const char *schema, const char *table,
                                  char *out, size_t out_bytes, struct err *e)
{
    struct buf sql = {0};

    buf_append_str(&sql, "SELECT COALESCE(CREATE_TIME, '') FROM information_schema.TABLES");
    append_where(&sql, schema, table);
    const char *text = buf_cstr(&sql);
    enum err_code rc =
        text == NULL ? buf_check(&sql, e, "a query") : mysql_query_text(c, text, out, out_bytes, e);

    buf_deinit(&sql);
    return rc;
}

enum err_code source_catalog_is_transactional(struct mysql_conn *c, const char *schema,
                                              const char *table, bool *out, struct err *e)
{
    struct buf sql = {0};
    char answer[8] = "";

    buf_append_str(&sql,
                   "SELECT TRANSACTIONS FROM information_schema.ENGINES WHERE ENGINE = (SELECT "
                   "ENGINE FROM information_schema.TABLES");
    append_where(&sql, schema, table);
    buf_append_str(&sql, ")");
    const char *text = buf_cstr(&sql);
    enum err_code rc = text == NULL ? buf_check(&sql, e, "a query")
                                    : mysql_query_text(c, text, answer, sizeof answer, e);

    buf_deinit(&sql);
    *out = str_ieq(answer, "YES");
    return rc == ERR_OK && answer[0] == '\0'
               ? err_set(e, ERR_NOT_FOUND, "%s.%s: the source does not tell its engine", schema,
                         table)
               : rc;
}

/* ---- charsets of databases ---- */

enum err_code source_catalog_database_charset(struct mysql_conn *c, const char *database, char *out,
                                              size_t out_bytes, struct err *e)
{
    struct buf sql = {0};

    buf_append_str(&sql, "SELECT DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA WHERE "
                         "SCHEMA_NAME = ");
    mysql_quote_text(&sql, database);
    const char *text = buf_cstr(&sql);
    enum err_code rc =
        text == NULL ? buf_check(&sql, e, "a query") : mysql_query_text(c, text, out, out_bytes, e);

    buf_deinit(&sql);
    ERR_TRY(rc);
    return out[0] == '\0'
               ? err_set(e, ERR_NOT_FOUND,
                         "there is no database %s, or the account has no rights on it", database)
               : ERR_OK;
}

enum err_code source_catalog_database_charsets(
    struct mysql_conn *c,
    enum err_code (*each)(void *ctx, const char *database, const char *charset, struct err *e),
    void *ctx, struct err *e)
{
    return each_pair(c,
                     "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME FROM "
                     "information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ('mysql', "
                     "'information_schema', 'performance_schema', 'sys') "
                     "ORDER BY CAST(SCHEMA_NAME AS BINARY)",
                     "the list of databases", each, ctx, e);
}

enum err_code source_catalog_default_charset(struct mysql_conn *c, char *out, size_t out_bytes,
                                             struct err *e)
{
    return mysql_query_text(c, "SELECT @@GLOBAL.character_set_server", out, out_bytes, e);
}
