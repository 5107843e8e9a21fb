#include "model/table_def.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {
    [COLUMN_TYPE_TINYINT] = "tinyint",
    [COLUMN_TYPE_SMALLINT] = "smallint",
    [COLUMN_TYPE_MEDIUMINT] = "mediumint",
    [COLUMN_TYPE_INT] = "int",
    [COLUMN_TYPE_BIGINT] = "bigint",
    [COLUMN_TYPE_DECIMAL] = "decimal",
    [COLUMN_TYPE_FLOAT] = "float",
    [COLUMN_TYPE_DOUBLE] = "double",
    [COLUMN_TYPE_BIT] = "bit",
    [COLUMN_TYPE_YEAR] = "year",
    [COLUMN_TYPE_DATE] = "date",
    [COLUMN_TYPE_TIME] = "time",
    [COLUMN_TYPE_DATETIME] = "datetime",
    [COLUMN_TYPE_TIMESTAMP] = "timestamp",
    [COLUMN_TYPE_CHAR] = "char",
    [COLUMN_TYPE_VARCHAR] = "varchar",
    [COLUMN_TYPE_TEXT] = "text",
    [COLUMN_TYPE_BINARY] = "binary",
    [COLUMN_TYPE_VARBINARY] = "varbinary",
    [COLUMN_TYPE_BLOB] = "blob",
    [COLUMN_TYPE_ENUM] = "enum",
    [COLUMN_TYPE_SET] = "set",
    [COLUMN_TYPE_JSON] = "json",
    [COLUMN_TYPE_GEOMETRY] = "geometry",
    [COLUMN_TYPE_VECTOR] = "vector",
    [COLUMN_TYPE_UUID] = "uuid",
    [COLUMN_TYPE_INET4] = "inet4",
    [COLUMN_TYPE_INET6] = "inet6",
};

const char *column_type_name(enum column_type type)
{
    return type_names[type];
}

bool column_type_from_name(const char *name, enum column_type *out)
{
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (strcmp(type_names[i], name) == 0) {
            *out = (enum column_type)i;
            return true;
        }
    }
    return false;
}

static const char *copy_text(struct arena *arena, const char *text, bool *failed)
{
    if (text == NULL) {
        return NULL;
    }
    char *copy = arena_strdup(arena, text);

    *failed |= copy == NULL;
    return copy;
}

static bool copy_column(struct column_def *out, const struct column_def *in, struct arena *arena)
{
    bool failed = false;

    *out = *in;
    out->name = copy_text(arena, in->name, &failed);
    out->charset = copy_text(arena, in->charset, &failed);
    out->type_text = copy_text(arena, in->type_text, &failed);
    if (in->label_count > 0) {
        out->labels = arena_alloc(arena, in->label_count, sizeof *out->labels);
        if (out->labels == NULL) {
            return false;
        }
        for (uint32_t i = 0; i < in->label_count; i++) {
            out->labels[i] = copy_text(arena, in->labels[i], &failed);
        }
    }
    return !failed;
}

bool column_label_in_doubt(const struct column_def *column, uint32_t label)
{
    static const char *const wide[] = {"utf8mb4", "utf16", "utf16le", "utf32", "gb18030"};

    if (column->charset == NULL || strchr(column->labels[label], '?') == NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        if (str_ieq(column->charset, wide[i])) {
            return true;
        }
    }
    return false;
}

struct table_def *table_def_copy(const struct table_def *def, struct arena *arena)
{
    struct table_def *copy = arena_alloc(arena, 1, sizeof *copy);

    if (copy == NULL) {
        return NULL;
    }
    bool failed = false;

    *copy = *def;
    copy->schema = copy_text(arena, def->schema, &failed);
    copy->name = copy_text(arena, def->name, &failed);
    copy->charset = copy_text(arena, def->charset, &failed);
    copy->engine = copy_text(arena, def->engine, &failed);
    copy->columns = arena_alloc(arena, def->column_count, sizeof *copy->columns);
    copy->key = arena_alloc(arena, def->key_count, sizeof *copy->key);
    if (failed || copy->columns == NULL || copy->key == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (!copy_column(&copy->columns[i], &def->columns[i], arena)) {
            return NULL;
        }
    }
    if (def->key_count > 0) {
        memcpy(copy->key, def->key, def->key_count * sizeof *copy->key);
    }
    return copy;
}

static bool text_differs(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
}

static bool column_differs(const struct column_def *a, const struct column_def *b)
{
    if (a->type != b->type || a->is_unsigned != b->is_unsigned || a->length != b->length ||
        a->precision != b->precision || a->scale != b->scale || a->fsp != b->fsp ||
        a->label_count != b->label_count || a->row_end != b->row_end ||
        text_differs(a->name, b->name) || text_differs(a->charset, b->charset)) {
        return true;
    }
    for (uint32_t i = 0; i < a->label_count; i++) {
        if (text_differs(a->labels[i], b->labels[i])) {
            return true;
        }
    }
    return false;
}

static const char *shown_type(const struct column_def *c)
{
    return c->type_text == NULL ? column_type_name(c->type) : c->type_text;
}

bool table_def_differ(const struct table_def *was, const struct table_def *is, char *why,
                      size_t why_bytes)
{
    if (was->column_count != is->column_count) {
        (void)snprintf(why, why_bytes, "%u columns, were %u", is->column_count, was->column_count);
        return true;
    }
    if (was->versioned != is->versioned) {
        (void)snprintf(why, why_bytes, "it is %sa system-versioned table, was %s",
                       is->versioned ? "" : "not ", was->versioned ? "one" : "none");
        return true;
    }
    for (uint32_t i = 0; i < is->column_count; i++) {
        const struct column_def *a = &was->columns[i];
        const struct column_def *b = &is->columns[i];

        if (column_differs(a, b)) {
            (void)snprintf(why, why_bytes, "column %u is '%s' %s, was '%s' %s", i + 1, b->name,
                           shown_type(b), a->name, shown_type(a));
            return true;
        }
    }
    return false;
}
