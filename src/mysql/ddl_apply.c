/* ddl_apply.c - a table's definition after CREATE TABLE and ALTER TABLE. */
#include <stdio.h>

#include "base/str.h"
#include "mysql/ddl_int.h"

#define GENERATED_UNLOGGED_SINCE 110000u /* as in source_catalog.c */

/* A column on its way: id tells it from others whatever it is called by then. */
struct draft_column {
    struct column_def def;
    uint32_t id;
    const char *origin; /* what the old table calls it; an added one's own name */
};

struct draft {
    const struct ddl_dialect *dialect;
    const struct ddl_statement *s;
    struct arena *arena;
    struct err *e;
    struct draft_column *columns;
    uint32_t count;
    uint32_t capacity;
    uint32_t ids;  /* handed out so far */
    uint32_t *key; /* ids */
    uint32_t key_count;
    const char *charset;    /* of new text columns; NULL when not known */
    const char *convert_to; /* CONVERT TO CHARACTER SET */
    const char *why;        /* why the definition cannot be told */
};

static enum err_code no_room(const struct draft *d)
{
    return arena_fail(d->arena, d->e, "table definition");
}

/* Remembers the first reason. */
static void doubt(struct draft *d, const char *what, const char *name)
{
    char text[160];

    if (d->why == NULL) {
        (void)snprintf(text, sizeof text, "%s '%.80s'", what, name);
        const char *copy = arena_strdup(d->arena, text);

        d->why = copy == NULL ? what : copy;
    }
}

static bool find(const struct draft *d, const char *name, uint32_t *out)
{
    for (uint32_t i = 0; i < d->count; i++) {
        if (str_ieq(d->columns[i].def.name, name)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool has_column(const struct table_def *def, const char *name)
{
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (str_ieq(def->columns[i].name, name)) {
            return true;
        }
    }
    return false;
}

/*
 * Beyond ASCII servers take more letters for one than calve does: an a with and without its dots,
 * in either case. Both names have the same number of characters then, alike where both are ASCII.
 */
static bool may_be_one_name(const char *a, const char *b)
{
    struct span x = span_str(a);
    struct span y = span_str(b);

    while (x.len > 0 && y.len > 0) {
        size_t in_x = str_utf8_char(x);
        size_t in_y = str_utf8_char(y);

        if (in_x == 0 || in_y == 0) {
            return true; /* who knows */
        }
        if (in_x == 1 && in_y == 1 &&
            !span_ieq_str(span_of(x.data, 1), (char[]){(char)y.data[0], 0})) {
            return false;
        }
        x = span_of(x.data + in_x, x.len - in_x);
        y = span_of(y.data + in_y, y.len - in_y);
    }
    return x.len == 0 && y.len == 0;
}

/* For IF [NOT] EXISTS, which says nothing where it finds nothing. */
static void doubt_likeness(struct draft *d, const struct table_def *was, const char *name)
{
    for (uint32_t i = 0; was != NULL && i < was->column_count; i++) {
        if (!str_ieq(was->columns[i].name, name) && may_be_one_name(was->columns[i].name, name)) {
            doubt(d, "the server may take another column for", name);
        }
    }
}

/* ---- columns ---- */

static enum err_code insert(struct draft *d, uint32_t at, struct draft_column column)
{
    if (d->count == d->capacity) {
        uint32_t capacity = d->capacity == 0 ? 16 : d->capacity * 2;
        struct draft_column *columns = arena_alloc(d->arena, capacity, sizeof *columns);

        if (columns == NULL) {
            return no_room(d);
        }
        if (d->count > 0) {
            memcpy(columns, d->columns, d->count * sizeof *columns);
        }
        d->columns = columns;
        d->capacity = capacity;
    }
    memmove(d->columns + at + 1, d->columns + at, (d->count - at) * sizeof column);
    d->columns[at] = column;
    d->count++;
    return ERR_OK;
}

/* MySQL keeps a generated invisible primary key in front; whether it is one is not known here. */
static bool may_be_generated_key(const struct draft *d)
{
    const struct column_def *c = d->count == 0 ? NULL : &d->columns[0].def;

    return !d->dialect->mariadb && c != NULL && str_ieq(c->name, "my_row_id") &&
           c->type == COLUMN_TYPE_BIGINT && c->is_unsigned && !c->nullable;
}

static enum err_code place(struct draft *d, const struct ddl_column *column,
                           struct draft_column made)
{
    uint32_t at = d->count;

    if (column->place == DDL_PLACE_FIRST) {
        at = 0;
        if (may_be_generated_key(d)) {
            doubt(d, "it may come behind a generated invisible primary key:", column->name);
        }
    } else if (column->place == DDL_PLACE_AFTER) {
        if (find(d, column->after, &at)) {
            at++;
        } else {
            doubt(d, "there is no column to go AFTER", column->after);
        }
    }
    return insert(d, at, made);
}

static enum err_code make(struct draft *d, const struct ddl_column *column, uint32_t id,
                          const char *origin, struct draft_column *out)
{
    out->id = id;
    out->origin = origin;
    return ddl_column_def(d->dialect, column, d->charset, d->convert_to, d->arena, &out->def,
                          &d->why, d->e);
}

/* ---- key ---- */

#define KEY_EXTRA 3u /* a period's columns, a row's end */

static void add_key_part(struct draft *d, const char *name)
{
    uint32_t at;

    if (find(d, name, &at)) {
        d->key[d->key_count++] = d->columns[at].id;
    } else {
        doubt(d, "there is no column for the key:", name);
    }
}

static enum err_code set_key(struct draft *d, const char *const *names, uint32_t count)
{
    d->key = arena_alloc(d->arena, (size_t)count + KEY_EXTRA, sizeof *d->key);
    if (d->key == NULL) {
        return no_room(d);
    }
    d->key_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        add_key_part(d, names[i]);
    }
    return ERR_OK;
}

/* MariaDB: a period in the key stands for its end and its start, in this order. */
static void add_period_to_key(struct draft *d, const char *period)
{
    for (uint32_t i = 0; period != NULL && i < d->s->actions.count; i++) {
        const struct ddl_action *a = &d->s->actions.at[i];

        if (a->kind == DDL_ADD_PERIOD && str_ieq(a->old_name, period) && a->name_count == 2) {
            add_key_part(d, a->names[1]);
            add_key_part(d, a->names[0]);
            return;
        }
    }
    if (period != NULL) {
        doubt(d, "it is not known which columns make the period", period);
    }
}

/*
 * MariaDB: a row's end is part of the key where the table names such a column. Only those rows of a
 * versioned table are generated and yet NOT NULL.
 */
static void add_row_end_to_key(struct draft *d, bool new_key)
{
    bool written = false;

    for (uint32_t i = 0; i < d->s->actions.count; i++) {
        const struct ddl_action *a = &d->s->actions.at[i];

        if (a->kind == DDL_ADD_COLUMN && a->column.row_end && d->key_count > 0) {
            add_key_part(d, a->column.name);
            written = true;
        }
    }
    for (uint32_t i = 0; d->dialect->mariadb && new_key && !written && i < d->count; i++) {
        if (d->columns[i].def.generated && !d->columns[i].def.nullable) {
            doubt(d, "it may be a row's end and then belongs to the key:", d->columns[i].def.name);
        }
    }
}

static enum err_code add_keys(struct draft *d)
{
    const uint32_t *old_key = d->key;

    for (uint32_t i = 0; i < d->s->actions.count; i++) {
        const struct ddl_action *a = &d->s->actions.at[i];
        bool column = a->kind == DDL_ADD_COLUMN || a->kind == DDL_MODIFY_COLUMN;

        if (column && a->column.primary) {
            ERR_TRY(set_key(d, &a->column.name, 1));
        } else if (a->kind == DDL_ADD_PRIMARY && !(a->if_exists && d->key_count > 0)) {
            ERR_TRY(set_key(d, a->names, a->name_count));
            add_period_to_key(d, a->period);
        }
    }
    add_row_end_to_key(d, d->key != old_key);
    return ERR_OK;
}

static uint32_t resolve_key(const struct draft *d, uint32_t *out)
{
    uint32_t count = 0;

    for (uint32_t k = 0; k < d->key_count; k++) {
        for (uint32_t i = 0; i < d->count; i++) {
            if (d->columns[i].id == d->key[k]) {
                d->columns[i].def.nullable = false;
                out[count++] = i;
            }
        }
    }
    return count;
}

static void end_nullability(struct draft *d)
{
    for (uint32_t i = 0; i < d->s->actions.count; i++) {
        const struct ddl_action *a = &d->s->actions.at[i];
        uint32_t at;

        for (uint32_t k = 0; a->kind == DDL_ADD_PERIOD && k < a->name_count; k++) {
            if (find(d, a->names[k], &at)) {
                d->columns[at].def.nullable = false;
            }
        }
    }
}

/* ---- ALTER ---- */

/* The last clause that is about the old column; NULL when there is none. */
static const struct ddl_action *clause_of(const struct draft *d, const char *name)
{
    const struct ddl_action *found = NULL;

    for (uint32_t i = 0; i < d->s->actions.count; i++) {
        const struct ddl_action *a = &d->s->actions.at[i];
        bool column = a->kind == DDL_MODIFY_COLUMN || a->kind == DDL_DROP_COLUMN ||
                      a->kind == DDL_RENAME_COLUMN;

        if (column && str_ieq(a->old_name, name)) {
            found = a;
        }
    }
    return found;
}

/*
 * MySQL takes the type of MODIFY c TEXT from the length that the column had, when CONVERT TO
 * CHARACTER SET stands beside it.
 */
static bool follows_old_length(const struct draft *d, const struct ddl_type *t)
{
    bool text =
        t->kind == DDL_TYPE_TINYTEXT || t->kind == DDL_TYPE_TEXT || t->kind == DDL_TYPE_MEDIUMTEXT;

    return !d->dialect->mariadb && d->convert_to != NULL && text && !t->has_length &&
           (t->charset == NULL || !str_ieq(t->charset, "binary"));
}

/* An old column in its place; those that move go later. */
static enum err_code carry_over(struct draft *d, const struct column_def *old, uint32_t id)
{
    const struct ddl_action *a = clause_of(d, old->name);
    struct draft_column made = {.def = *old, .id = id, .origin = old->name};

    if (a != NULL && a->kind == DDL_DROP_COLUMN) {
        return ERR_OK;
    }
    if (a != NULL && a->kind == DDL_MODIFY_COLUMN) {
        ERR_TRY(make(d, &a->column, id, old->name, &made));
        if (follows_old_length(d, &a->column.type)) {
            doubt(d, "what CONVERT makes of the type is not known:", a->column.name);
        }
    } else {
        if (a != NULL) {
            made.def.name = a->new_name;
        }
        if (d->convert_to != NULL) {
            ERR_TRY(
                ddl_convert_column(d->dialect, &made.def, d->convert_to, d->arena, &d->why, d->e));
        }
    }
    return insert(d, d->count, made);
}

/* Clauses refer to columns of the old table: they must be there. */
static void check_clauses(struct draft *d, const struct table_def *was)
{
    for (uint32_t i = 0; i < d->s->actions.count; i++) {
        const struct ddl_action *a = &d->s->actions.at[i];
        bool column = a->kind == DDL_MODIFY_COLUMN || a->kind == DDL_DROP_COLUMN ||
                      a->kind == DDL_RENAME_COLUMN;

        if (column && a->if_exists && !has_column(was, a->old_name)) {
            doubt_likeness(d, was, a->old_name);
        }
        /* MariaDB lets MODIFY follow ADD. */
        if (column && !a->if_exists && !has_column(was, a->old_name) &&
            !(d->dialect->mariadb && a->kind == DDL_MODIFY_COLUMN)) {
            doubt(d, "there is no column", a->old_name);
        }
    }
}

static uint32_t old_id(const struct table_def *was, const char *name)
{
    uint32_t i = 0;

    while (i < was->column_count && !str_ieq(was->columns[i].name, name)) {
        i++;
    }
    return i;
}

static struct draft_column take_out(struct draft *d, uint32_t at)
{
    struct draft_column taken = d->columns[at];

    d->count--;
    memmove(d->columns + at, d->columns + at + 1, (d->count - at) * sizeof *d->columns);
    return taken;
}

static enum err_code add_column(struct draft *d, const struct ddl_column *column,
                                const struct table_def *was)
{
    struct draft_column made;
    uint32_t at;
    bool there = find(d, column->name, &at);

    if (column->if_exists && (there || (was != NULL && has_column(was, column->name)))) {
        return ERR_OK;
    }
    if (column->if_exists) {
        doubt_likeness(d, was, column->name);
    }
    if (there) {
        doubt(d, "there is a column already:", column->name);
    }
    ERR_TRY(make(d, column, d->ids++, column->name, &made));
    return place(d, column, made);
}

/* The column is in its old place already; or, on MariaDB, the same statement added it. */
static enum err_code move_column(struct draft *d, const struct ddl_action *a,
                                 const struct table_def *was)
{
    uint32_t id = old_id(was, a->old_name);
    bool old = id < was->column_count;
    uint32_t at = 0;

    if (old ? a->column.place == DDL_PLACE_LAST : a->if_exists) {
        return ERR_OK;
    }
    if (!find(d, a->column.name, &at) ||
        (old ? d->columns[at].id != id : d->columns[at].id < was->column_count)) {
        doubt(d, "there is no column", a->column.name);
        return ERR_OK;
    }
    struct draft_column moved = take_out(d, at);

    if (!old) {
        ERR_TRY(make(d, &a->column, moved.id, a->column.name, &moved));
    }
    return place(d, &a->column, moved);
}

static enum err_code add_columns(struct draft *d, const struct table_def *was)
{
    for (uint32_t i = 0; i < d->s->actions.count; i++) {
        const struct ddl_action *a = &d->s->actions.at[i];

        if (a->kind == DDL_ADD_COLUMN) {
            ERR_TRY(add_column(d, &a->column, was));
        } else if (a->kind == DDL_MODIFY_COLUMN && was != NULL) {
            ERR_TRY(move_column(d, a, was));
        }
    }
    return ERR_OK;
}

/*
 * Servers look for the old key's columns by name: the first that was called so, or is new and is
 * called so. Parts without any leave the key.
 */
static enum err_code carry_key_over(struct draft *d, const struct table_def *was)
{
    for (uint32_t i = 0; i < d->s->actions.count; i++) {
        if (d->s->actions.at[i].kind == DDL_DROP_PRIMARY) {
            return ERR_OK;
        }
    }
    d->key = arena_alloc(d->arena, (size_t)was->key_count + KEY_EXTRA, sizeof *d->key);
    if (d->key == NULL) {
        return no_room(d);
    }
    for (uint32_t k = 0; k < was->key_count; k++) {
        const char *name = was->columns[was->key[k]].name;
        uint32_t i = 0;

        while (i < d->count && !str_ieq(d->columns[i].origin, name)) {
            i++;
        }
        if (i < d->count) {
            d->key[d->key_count++] = d->columns[i].id;
        }
    }
    return ERR_OK;
}

static enum err_code alter(struct draft *d, const struct table_def *was)
{
    d->ids = was->column_count;
    check_clauses(d, was);
    for (uint32_t i = 0; i < was->column_count; i++) {
        ERR_TRY(carry_over(d, &was->columns[i], i));
    }
    ERR_TRY(add_columns(d, was));
    return carry_key_over(d, was);
}

/* ---- the whole ---- */

static void choose_charset(struct draft *d, const struct table_def *was,
                           const char *default_charset)
{
    d->charset = was == NULL ? default_charset : was->charset;
    for (uint32_t i = 0; i < d->s->actions.count; i++) {
        const struct ddl_action *a = &d->s->actions.at[i];

        if (a->kind == DDL_CONVERT_CHARSET) {
            d->convert_to = a->charset == NULL ? default_charset : a->charset;
            d->charset = d->convert_to;
            if (d->convert_to == NULL) {
                d->why = "the charset of the database is not known";
            }
        }
    }
    /* Wherever it stands, DEFAULT CHARSET is for what comes, CONVERT for what is there. */
    if (d->s->charset.given) {
        d->charset = d->s->charset.name == NULL ? default_charset : d->s->charset.name;
    }
}

static enum err_code finish(struct draft *d, const struct table_def *was,
                            const struct table_def **out)
{
    struct table_def *def = arena_alloc(d->arena, 1, sizeof *def);

    if (def == NULL) {
        return no_room(d);
    }
    *def = (struct table_def){.schema = d->s->table.database,
                              .name = d->s->table.table,
                              .column_count = d->count,
                              .charset = ddl_charset_shown(d->dialect, d->charset),
                              .engine = d->s->engine};
    def->generated_unlogged =
        d->dialect->mariadb && d->dialect->version_number >= GENERATED_UNLOGGED_SINCE;
    if (was != NULL) {
        def->schema = was->schema;
        def->name = was->name;
        def->engine = d->s->engine == NULL ? was->engine : d->s->engine;
        def->generated_unlogged = was->generated_unlogged;
    }
    def->columns = arena_alloc(d->arena, d->count, sizeof *def->columns);
    def->key = arena_alloc(d->arena, d->key_count, sizeof *def->key);
    if (def->columns == NULL || def->key == NULL) {
        return no_room(d);
    }
    def->key_count = resolve_key(d, def->key);
    for (uint32_t i = 0; i < d->count; i++) {
        def->columns[i] = d->columns[i].def;
    }
    *out = def;
    return ERR_OK;
}

enum err_code ddl_apply(const struct ddl_dialect *dialect, const struct ddl_statement *s,
                        const struct table_def *was, const char *default_charset,
                        struct arena *arena, const struct table_def **out, const char **why,
                        struct err *e)
{
    struct draft d = {.dialect = dialect, .s = s, .arena = arena, .e = e};

    *out = NULL;
    choose_charset(&d, was, default_charset);
    ERR_TRY(was == NULL ? add_columns(&d, NULL) : alter(&d, was));
    ERR_TRY(add_keys(&d));
    end_nullability(&d);
    if (d.why == NULL && d.count == 0) {
        d.why = "no column is written";
    }
    *why = d.why;
    return d.why == NULL ? finish(&d, was, out) : ERR_OK;
}

bool ddl_changes_definition(const struct ddl_statement *s)
{
    if (s->charset.given || s->engine != NULL) {
        return true;
    }
    for (uint32_t i = 0; i < s->actions.count; i++) {
        switch (s->actions.at[i].kind) {
        case DDL_RENAME_TABLE:
        case DDL_ROWS_REMOVED:
        case DDL_ROWS_REPLACED:
        case DDL_REPAIR_ROWS:
        case DDL_EXCHANGE_TABLE:
        case DDL_PARTITION_TO_TABLE:
        case DDL_TABLE_TO_PARTITION:
            break;
        case DDL_ADD_COLUMN:
        case DDL_MODIFY_COLUMN:
        case DDL_DROP_COLUMN:
        case DDL_RENAME_COLUMN:
        case DDL_ADD_PRIMARY:
        case DDL_DROP_PRIMARY:
        case DDL_ADD_PERIOD:
        case DDL_CONVERT_CHARSET:
        case DDL_VERSIONING:
            return true;
        }
    }
    return false;
}
