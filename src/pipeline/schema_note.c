#include "pipeline/schema_note.h"

#include <stdlib.h>

#include "base/str.h"
#include "pipeline/def_json_int.h"

#define NOTE_VERSION   1
#define DEFS_BYTES_MAX ((size_t)256 << 20)
#define CANNOT_READ    "schema note: it cannot be read"
#define NOT_UTF8       "schema note: '%s' is not UTF-8"

/* ---- printing ---- */

struct state_out {
    struct json_fields_out out;
    json_t *tables;
    json_t *databases;
    json_t *temporary;
};

static enum err_code put_table(void *ctx, const struct table_def *def, bool pinned, struct err *e)
{
    struct state_out *s = ctx;

    (void)e;
    if (!pinned) {
        s->out.failed |= json_array_append_new(s->tables, def_to_json(&s->out, def)) != 0;
    }
    return ERR_OK;
}

static enum err_code put_database(void *ctx, const char *database, const char *charset,
                                  struct err *e)
{
    struct state_out *s = ctx;

    (void)e;
    s->out.failed |= json_object_set_new(s->databases, database,
                                         json_fields_text(&s->out, "databases", charset)) != 0;
    return ERR_OK;
}

static enum err_code put_temporary(void *ctx, uint32_t thread, const char *database,
                                   const char *table, struct err *e)
{
    struct state_out *s = ctx;
    json_t *o = json_object();

    (void)e;
    json_fields_set_uint(&s->out, o, "thread", thread);
    json_fields_set_text(&s->out, o, "schema", database);
    json_fields_set_text(&s->out, o, "name", table);
    s->out.failed |= json_array_append_new(s->temporary, o) != 0;
    return ERR_OK;
}

/* Takes o over. */
static enum err_code print_object(json_t *o, const struct json_fields_out *p, struct buf *out,
                                  struct err *e)
{
    char *text = p->failed ? NULL : json_dumps(o, JSON_COMPACT);

    json_decref(o);
    if (p->not_utf8 != NULL) {
        free(text);
        return err_set(e, ERR_CORRUPT, NOT_UTF8, p->not_utf8);
    }
    if (text == NULL) {
        return err_nomem(e);
    }
    buf_append_str(out, text);
    free(text);
    return buf_check(out, e, "schema note");
}

enum err_code schema_note_state(const struct schema *s, const struct schema_place *at,
                                struct buf *out, struct err *e)
{
    struct state_out state = {
        .tables = json_array(), .databases = json_object(), .temporary = json_array()};
    struct buf gtids = {0};
    json_t *o = json_object();

    json_fields_set_text(&state.out, o, "source", at->source);
    json_fields_set_text(&state.out, o, "file", at->position.file);
    json_fields_set_uint(&state.out, o, "pos", at->position.offset);
    if (at->gtids != NULL) {
        gtid_set_print(at->gtids, &gtids);
        state.out.failed |= buf_cstr(&gtids) == NULL;
        json_fields_set_text(&state.out, o, "gtid", buf_cstr(&gtids));
    }
    buf_deinit(&gtids);
    enum err_code rc = schema_each_table(s, put_table, &state, e);

    if (rc == ERR_OK) {
        rc = schema_each_database(s, put_database, &state, e);
    }
    if (rc == ERR_OK) {
        rc = schema_each_temporary(s, put_temporary, &state, e);
    }
    state.out.failed |= json_object_set_new(o, "tables", state.tables) != 0;
    state.out.failed |= json_object_set_new(o, "databases", state.databases) != 0;
    if (json_array_size(state.temporary) > 0) {
        state.out.failed |= json_object_set(o, "temporary", state.temporary) != 0;
    }
    json_decref(state.temporary);
    if (rc != ERR_OK) {
        json_decref(o);
        return rc;
    }
    return print_object(o, &state.out, out, e);
}

static json_t *was_to_json(struct json_fields_out *p, const struct schema_was *was)
{
    json_t *o = was->def == NULL ? json_object() : def_to_json(p, was->def);

    if (was->def == NULL) {
        json_fields_set_text(p, o, "schema", was->schema);
        json_fields_set_text(p, o, "name", was->name);
    }
    return o;
}

static json_t *list_to_json(struct json_fields_out *p, const struct schema_was_list *list)
{
    json_t *tables = json_array();

    for (uint32_t i = 0; i < list->count; i++) {
        p->failed |= json_array_append_new(tables, was_to_json(p, &list->at[i])) != 0;
    }
    return tables;
}

enum err_code schema_note_print(const struct schema_note *note, struct buf *out, struct err *e)
{
    struct json_fields_out p = {0};
    json_t *o = json_object();

    json_fields_set_uint(&p, o, "version", NOTE_VERSION);
    p.failed |= json_object_set_new(o, "now", json_loads(note->now, 0, NULL)) != 0;
    if (note->ahead.count > 0) {
        p.failed |= json_object_set_new(o, "ahead", list_to_json(&p, &note->ahead)) != 0;
    }
    if (note->before != NULL) {
        p.failed |= json_object_set_new(o, "before", json_loads(note->before, 0, NULL)) != 0;
    }
    p.failed |= json_object_set_new(o, "was", list_to_json(&p, &note->was)) != 0;
    return print_object(o, &p, out, e);
}

/* ---- loading ---- */

enum order { ORDER_UNKNOWN, ORDER_NOT_AFTER, ORDER_AFTER };

static enum order order_by_gtids(const char *gtids, const struct gtid_set *start, bool *corrupt)
{
    struct gtid_set *set = NULL;

    if (gtid_set_parse(gtids, gtid_set_flavor(start), &set, NULL) != ERR_OK) {
        *corrupt = true;
        return ORDER_UNKNOWN;
    }
    bool holds = gtid_set_is_subset(set, start);

    gtid_set_free(set);
    return holds ? ORDER_NOT_AFTER : ORDER_AFTER;
}

/* Whether the state's place is at or before `start`. */
static enum order order_of(const json_t *state, const struct schema_place *start, bool *corrupt)
{
    const char *source = json_string_value(json_object_get(state, "source"));
    const char *gtids = json_string_value(json_object_get(state, "gtid"));
    struct binlog_position position = {
        .offset = (uint64_t)json_integer_value(json_object_get(state, "pos"))};
    const char *file = json_string_value(json_object_get(state, "file"));
    bool same = source != NULL && strcmp(source, start->source) == 0;

    if (file == NULL || strlen(file) >= sizeof position.file) {
        *corrupt = true;
        return ORDER_UNKNOWN;
    }
    memcpy(position.file, file, strlen(file) + 1);
    if (gtids != NULL && start->gtids != NULL &&
        (gtid_set_flavor(start->gtids) == GTID_FLAVOR_MYSQL || !same ||
         start->position.file[0] == '\0')) {
        return order_by_gtids(gtids, start->gtids, corrupt);
    }
    if (!same || file[0] == '\0' || start->position.file[0] == '\0') {
        return ORDER_UNKNOWN;
    }
    return binlog_position_compare(&position, &start->position) <= 0 ? ORDER_NOT_AFTER
                                                                     : ORDER_AFTER;
}

static bool holds_at(const json_t *state, const struct schema_place *start, bool *corrupt)
{
    return order_of(state, start, corrupt) == ORDER_NOT_AFTER;
}

static enum err_code load_table(struct json_fields_in *p, const json_t *o, bool pinned,
                                struct schema *s, struct err *e)
{
    const struct table_def *def = def_from_json(p, o);

    if (p->no_room) {
        return arena_fail(p->arena, e, "schema note");
    }
    if (def == NULL || json_fields_failed(p)) {
        return err_set(e, ERR_CORRUPT, "schema note: '%s' is missing or wrong",
                       p->wrong == NULL ? "tables" : p->wrong);
    }
    return schema_set_table(s, def, pinned, e);
}

static enum err_code load_tables(const json_t *tables, struct schema *s, struct err *e)
{
    struct arena arena;
    enum err_code rc = ERR_OK;

    arena_init(&arena, DEFS_BYTES_MAX);
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(tables); i++) {
        struct json_fields_in p = {.arena = &arena};

        rc = load_table(&p, json_array_get(tables, i), false, s, e);
    }
    arena_deinit(&arena);
    return rc;
}

struct changed {
    enum err_code (*each)(void *ctx, const char *schema, const char *name, struct err *e);
    void *ctx;
};

static enum err_code load_was(const json_t *o, struct arena *arena, const struct changed *changed,
                              struct schema *s, struct err *e)
{
    const char *schema = json_string_value(json_object_get(o, "schema"));
    const char *name = json_string_value(json_object_get(o, "name"));
    struct json_fields_in p = {.arena = arena};

    if (schema == NULL || name == NULL) {
        return err_set(e, ERR_CORRUPT, "schema note: a followed table has no name");
    }
    if (json_object_get(o, "columns") != NULL) {
        ERR_TRY(load_table(&p, o, true, s, e));
    }
    return changed->each(changed->ctx, schema, name, e);
}

static enum err_code load_all_was(const json_t *was, const struct changed *changed,
                                  struct schema *s, struct err *e)
{
    struct arena arena;
    enum err_code rc = ERR_OK;

    arena_init(&arena, DEFS_BYTES_MAX);
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(was); i++) {
        rc = load_was(json_array_get(was, i), &arena, changed, s, e);
    }
    arena_deinit(&arena);
    return rc;
}

static enum err_code load_databases(json_t *databases, struct schema *s, struct err *e)
{
    const char *database;
    json_t *charset;

    json_object_foreach(databases, database, charset)
    {
        if (!json_is_string(charset)) {
            return err_set(e, ERR_CORRUPT, "schema note: the charset of %s is no text", database);
        }
        ERR_TRY(schema_set_database(s, database, json_string_value(charset), e));
    }
    return ERR_OK;
}

static enum err_code load_temporary(const json_t *all, struct schema *s, struct err *e)
{
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *o = json_array_get(all, i);
        json_int_t thread = json_integer_value(json_object_get(o, "thread"));
        const char *database = json_string_value(json_object_get(o, "schema"));
        const char *table = json_string_value(json_object_get(o, "name"));

        if (thread <= 0 || thread > UINT32_MAX || database == NULL || table == NULL) {
            return err_set(e, ERR_CORRUPT, "schema note: a temporary table is missing or wrong");
        }
        ERR_TRY(schema_set_temporary(s, (uint32_t)thread, database, table, e));
    }
    return ERR_OK;
}

/* Sessions are those of the server that the state was noted at. */
static bool same_server(const json_t *state, const struct schema_place *start)
{
    const char *source = json_string_value(json_object_get(state, "source"));

    return source != NULL && strcmp(source, start->source) == 0;
}

static enum err_code load_state(const json_t *state, const struct schema_place *start,
                                struct schema *s, struct buf *text, struct err *e)
{
    char *dumped = json_dumps(state, JSON_COMPACT);

    if (dumped == NULL) {
        return err_nomem(e);
    }
    buf_append_str(text, dumped);
    free(dumped);
    ERR_TRY(buf_check(text, e, "schema note"));
    ERR_TRY(load_databases(json_object_get(state, "databases"), s, e));
    if (same_server(state, start)) {
        ERR_TRY(load_temporary(json_object_get(state, "temporary"), s, e));
    }
    return load_tables(json_object_get(state, "tables"), s, e);
}

static enum err_code load_note(const json_t *note, const struct schema_place *start,
                               struct schema *s, struct buf *state, const struct changed *changed,
                               struct err *e)
{
    const json_t *now = json_object_get(note, "now");
    const json_t *before = json_object_get(note, "before");
    bool corrupt = json_integer_value(json_object_get(note, "version")) != NOTE_VERSION;

    if (!corrupt && holds_at(now, start, &corrupt)) {
        ERR_TRY(load_state(now, start, s, state, e));
        return load_all_was(json_object_get(note, "ahead"), changed, s, e);
    }
    if (!corrupt && before != NULL && holds_at(before, start, &corrupt)) {
        ERR_TRY(load_state(before, start, s, state, e));
        return load_all_was(json_object_get(note, "was"), changed, s, e);
    }
    return corrupt ? err_set(e, ERR_CORRUPT, CANNOT_READ) : ERR_OK;
}

static enum err_code parse_note(const char *note, json_t **out, struct err *e)
{
    json_error_t why;

    *out = json_loads(note, JSON_REJECT_DUPLICATES, &why);
    return *out == NULL
               ? err_set(e, ERR_CORRUPT, "schema note: %s at column %d", why.text, why.column)
               : ERR_OK;
}

enum err_code schema_note_is_later(const char *note, const struct schema_place *at, bool *out,
                                   struct err *e)
{
    json_t *o = NULL;
    bool corrupt = false;

    ERR_TRY(parse_note(note, &o, e));
    *out = order_of(json_object_get(o, "now"), at, &corrupt) == ORDER_AFTER;
    json_decref(o);
    return corrupt ? err_set(e, ERR_CORRUPT, CANNOT_READ) : ERR_OK;
}

/* Whether a place could be followed from: it is one of the same server, with as much as `start`. */
static bool take_place(const json_t *state, const struct schema_place *start,
                       struct binlog_position *position, struct gtid_set **gtids, bool *corrupt)
{
    const char *file = json_string_value(json_object_get(state, "file"));
    const char *text = json_string_value(json_object_get(state, "gtid"));

    if (!same_server(state, start) || file[0] == '\0' || (start->gtids != NULL && text == NULL)) {
        return false;
    }
    *position = (struct binlog_position){
        .offset = (uint64_t)json_integer_value(json_object_get(state, "pos"))};
    memcpy(position->file, file, strlen(file) + 1);
    if (binlog_position_compare(position, &start->position) >= 0) {
        return false;
    }
    if (start->gtids != NULL &&
        gtid_set_parse(text, gtid_set_flavor(start->gtids), gtids, NULL) != ERR_OK) {
        *corrupt = true;
        return false;
    }
    return true;
}

enum err_code schema_note_is_left(const char *note, const struct schema_place *start, bool *out,
                                  struct binlog_position *position, struct gtid_set **gtids,
                                  struct err *e)
{
    json_t *o = NULL;
    bool corrupt = false;

    *gtids = NULL;
    ERR_TRY(parse_note(note, &o, e));
    const json_t *now = json_object_get(o, "now");
    bool ahead = json_array_size(json_object_get(o, "ahead")) > 0;

    *out = ahead && holds_at(now, start, &corrupt) &&
           take_place(now, start, position, gtids, &corrupt);
    json_decref(o);
    return corrupt ? err_set(e, ERR_CORRUPT, CANNOT_READ) : ERR_OK;
}

enum err_code schema_note_load(const char *note, const struct schema_place *start, struct schema *s,
                               struct buf *state,
                               enum err_code (*changed)(void *ctx, const char *schema,
                                                        const char *name, struct err *e),
                               void *ctx, struct err *e)
{
    const struct changed to = {changed, ctx};
    json_t *o = NULL;

    ERR_TRY(parse_note(note, &o, e));
    enum err_code rc = load_note(o, start, s, state, &to, e);

    json_decref(o);
    return rc;
}
