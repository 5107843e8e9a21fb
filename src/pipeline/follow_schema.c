/* follow_schema.c - definitions as of the place of the stream. */
#include <stdlib.h>

#include "base/str.h"
#include "mysql/snapshot.h"
#include "mysql/source_catalog.h"
#include "pipeline/follow_int.h"
#include "pipeline/schema_note.h"

/* Tables that nobody follows; what is longest untouched of more than these is forgotten. */
#define OTHER_TABLES_MAX 256u

bool follow_keeps_database(const struct follow *f, const char *database)
{
    const struct run_options *o = f->run->options;

    for (uint32_t i = 0; i < o->table_count; i++) {
        const char *dot = strchr(o->tables[i], '.');
        char *pattern =
            dot == NULL ? NULL : str_format("%.*s", (int)(dot - o->tables[i]), o->tables[i]);
        /* Without memory it is kept: once too often beats once too seldom. */
        bool keeps = pattern == NULL || str_glob(pattern, database, f->options.icase);

        free(pattern);
        if (keeps) {
            return true;
        }
    }
    return false;
}

static bool keeps_database(void *ctx, const char *database)
{
    return follow_keeps_database(ctx, database);
}

static enum err_code take_database(void *ctx, const char *database, const char *charset,
                                   struct err *e)
{
    struct follow *f = ctx;

    return follow_keeps_database(f, database) ? schema_set_database(f->schema, database, charset, e)
                                              : ERR_OK;
}

static enum err_code new_schema(struct follow *f, struct mysql_conn *conn, struct err *e)
{
    const struct mysql_server *server = mysql_conn_server(conn);
    char charset[64];

    ERR_TRY(source_catalog_default_charset(conn, charset, sizeof charset, e));
    return schema_new(
        &(struct schema_options){
            .mariadb = server->is_mariadb,
            .version_number = server->version_number,
            .icase = f->options.icase,
            .default_charset = charset,
            .tables_max = OTHER_TABLES_MAX,
            .keeps = keeps_database,
            .ctx = f,
        },
        &f->schema, e);
}

static struct schema_place place_of(const struct follow *f)
{
    return (struct schema_place){f->end, f->executed, f->source};
}

/* What all tables have; the stream may start further back, for prepared transactions only. */
static struct schema_place start_of(const struct follow *f)
{
    return (struct schema_place){f->options.start, f->options.start_gtids, f->source};
}

/* Since 8.0.1 MySQL's table maps have the charset of each column, whatever a definition says. */
#define MYSQL_LOGS_CHARSETS 80001u

/*
 * What the server says now about databases, where nothing is noted. From a place in the past on it
 * is not known, and would show where the table maps do not have it.
 */
static enum err_code assume_charsets(struct follow *f, struct mysql_conn *conn, bool past,
                                     struct err *e)
{
    const struct mysql_server *server = mysql_conn_server(conn);

    return past && (server->is_mariadb || server->version_number < MYSQL_LOGS_CHARSETS)
               ? ERR_OK
               : source_catalog_database_charsets(conn, take_database, f, e);
}

/* Whether how some table looked at the start nobody knows. */
static bool starts_in_the_past(const struct follow *f)
{
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        if (f->options.tables[i]->source.assumed) {
            return true;
        }
    }
    return false;
}

/* A place that is nobody's but the start's: its state is noted before any table goes on from it. */
static enum err_code first_note(struct follow *f, struct mysql_conn *conn, struct buf *state,
                                char **note, struct err *e)
{
    struct schema_place start = start_of(f);
    struct buf out = {0};

    ERR_TRY(assume_charsets(f, conn, starts_in_the_past(f), e));
    ERR_TRY(schema_note_state(f->schema, &start, state, e));
    enum err_code rc = schema_note_print(&(struct schema_note){.now = buf_cstr(state)}, &out, e);

    if (rc == ERR_OK) {
        *note = buf_take_text(&out);
        rc = *note == NULL ? err_nomem(e) : ERR_OK;
    }
    buf_deinit(&out);
    return rc;
}

/*
 * There is a note, and it is of later places: other tables went on while this start's were left
 * out. How those looked here is not known, and the note stays until the stream is past it.
 */
static enum err_code no_note(struct follow *f, struct mysql_conn *conn, struct buf *state,
                             struct err *e)
{
    struct schema_place start = start_of(f);
    bool later = false;

    for (uint32_t i = 0; i < f->options.table_count; i++) {
        f->options.tables[i]->source.changed_since = true;
    }
    ERR_TRY(schema_note_is_later(f->options.schema_note, &start, &later, e));
    if (later) {
        f->later_note = str_dup(f->options.schema_note);
        if (f->later_note == NULL) {
            return err_nomem(e);
        }
    }
    ERR_TRY(assume_charsets(f, conn, true, e));
    return schema_note_state(f->schema, &start, state, e);
}

/* A followed table whose definition at the start is the note's. The next cut's note is without it,
 * unless it is ahead of there, too; and it may not be followed any more. */
static enum err_code note_was(void *ctx, const char *schema, const char *name, struct err *e)
{
    struct follow *f = ctx;
    struct followed_table *t = follow_find_table(f, span_str(schema), span_str(name));

    (void)e;
    f->defs_changed = true;
    if (t != NULL) {
        t->source.changed_since = true;
    }
    return ERR_OK;
}

static enum err_code load_note(struct follow *f, struct mysql_conn *conn, char **note,
                               struct err *e)
{
    struct schema_place start = start_of(f);
    struct buf state = {0};
    enum err_code rc = ERR_OK;

    if (f->options.schema_note != NULL) {
        rc = schema_note_load(f->options.schema_note, &start, f->schema, &state, note_was, f, e);
    }
    if (rc == ERR_OK && state.len == 0) {
        /* The first start: what holds now is what held there, or the table maps will say no. */
        rc = f->options.schema_note == NULL ? first_note(f, conn, &state, note, e)
                                            : no_note(f, conn, &state, e);
    }
    if (rc == ERR_OK) {
        rc = follow_charsets_read(f, conn, e);
    }
    if (rc == ERR_OK) {
        f->schema_state = buf_take_text(&state);
        rc = f->schema_state == NULL ? err_nomem(e) : ERR_OK;
    }
    buf_deinit(&state);
    return rc;
}

/* A table that is there, and of which nobody knows more than its name. */
static enum err_code note_name(void *ctx, const char *database, const char *name, struct err *e)
{
    struct follow *f = ctx;
    const struct followed_table *t = follow_find_table(f, span_str(database), span_str(name));

    /* One that is gone at the start, and there now, is made in between. */
    if (!follow_keeps_database(f, database) || schema_find(f->schema, database, name) != NULL ||
        (t != NULL && t->source.def == NULL)) {
        return ERR_OK;
    }
    return schema_set_unknown(f->schema, database, name, e);
}

static enum err_code note_whole(void *ctx, const char *database, const char *charset, struct err *e)
{
    struct follow *f = ctx;

    (void)charset;
    return follow_keeps_database(f, database) ? schema_set_whole(f->schema, database, e) : ERR_OK;
}

/*
 * Whether nothing came after the start yet. An account that may not ask gets no answer: then it
 * counts as no.
 */
static bool starts_now(const struct follow *f, struct mysql_conn *conn)
{
    const struct follow_options *o = &f->options;
    struct low_watermark now = {.gtids = NULL};
    bool current = strcmp(mysql_conn_server(conn)->identity, f->source) == 0 &&
                   o->start.file[0] != '\0' &&
                   snapshot_current_position(conn, &now, NULL) == ERR_OK &&
                   binlog_position_compare(&now.position, &o->start) <= 0;

    if (current && o->start_gtids != NULL && now.gtids != NULL) {
        current = gtid_set_is_subset(now.gtids, o->start_gtids);
    }
    low_watermark_deinit(&now);
    return current;
}

/*
 * The names that are taken, so that CREATE TABLE IF NOT EXISTS makes all others. They are those of
 * now: what they were at a start that lies behind, nobody knows. The place is looked at after them.
 */
static enum err_code note_names(struct follow *f, struct mysql_conn *conn, struct err *e)
{
    ERR_TRY(source_catalog_tables(conn, note_name, f, e));
    return starts_now(f, conn) ? source_catalog_database_charsets(conn, note_whole, f, e) : ERR_OK;
}

/* Whether the table is where the stream starts: a later one joins when the stream gets there. */
static bool is_at_start(const struct follow *f, const struct followed_table *t)
{
    if (t->source.gtids != NULL && f->options.start_gtids != NULL &&
        (gtid_set_flavor(t->source.gtids) == GTID_FLAVOR_MYSQL || t->source.foreign)) {
        return !t->commit.ahead;
    }
    return binlog_position_compare(&t->source.position, &f->options.start) <= 0;
}

static void note_defs(struct follow *f)
{
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        t->source.cut_def = t->source.def;
        t->source.cut_assumed = t->source.assumed;
        t->source.cut_joined = t->source.joined;
    }
}

/*
 * What the note will have to tell of followed tables as of now, if it is asked for by a start from
 * here. A table that is ahead has another definition than its checkpoint, perhaps.
 */
static enum err_code remember_defs(struct follow *f, struct err *e)
{
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];
        const struct table_def *def = t->source.assumed ? NULL : t->source.def;

        if (!t->source.joined) {
            def = schema_find(f->schema, t->schema, t->name);
        }
        if (!t->source.joined && def != NULL) {
            def = table_def_copy(def, &t->arena);
            if (def == NULL) {
                return arena_fail(&t->arena, e, "table definition");
            }
        }
        t->source.noted_def = def;
    }
    return ERR_OK;
}

/*
 * A table that is ahead has what it had at the start unless a statement in between changed it. The
 * note tells of those, as far as a cut led there, and of all that were ahead of its own place; a
 * copy came by no statement that is noted.
 */
static enum err_code set_at_start(struct follow *f, struct followed_table *t, struct err *e)
{
    t->source.joined = false;
    t->source.begins_later = false;
    f->apart++;
    if (is_at_start(f, t)) {
        return follow_schema_join(f, t, e);
    }
    t->source.begins_later = t->commit.expected.started;
    if (t->source.changed_since || t->commit.expected.started || t->source.assumed ||
        t->source.def == NULL) {
        return ERR_OK;
    }
    return schema_set_table(f->schema, t->source.def, true, e);
}

enum err_code follow_schema_open(struct follow *f, char **note, struct err *e)
{
    struct mysql_conn *conn = NULL;
    enum err_code rc = mysql_conn_open(&f->run->options->mysql, &conn, e);

    *note = NULL;
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        f->options.tables[i]->source.changed_since = false;
    }
    if (rc == ERR_OK) {
        rc = new_schema(f, conn, e);
    }
    if (rc == ERR_OK) {
        rc = load_note(f, conn, note, e);
    }
    if (rc == ERR_OK) {
        rc = note_names(f, conn, e);
    }
    mysql_conn_close(conn);
    bool outdated = f->defs_changed;

    for (uint32_t i = 0; rc == ERR_OK && i < f->options.table_count; i++) {
        rc = set_at_start(f, f->options.tables[i], e);
    }
    if (rc == ERR_OK) {
        schema_keep(f->schema);
        note_defs(f);
        f->defs_changed = outdated;
        rc = remember_defs(f, e);
    }
    return rc;
}

enum err_code follow_schema_join(struct follow *f, struct followed_table *t, struct err *e)
{
    if (t->source.joined) {
        return ERR_OK;
    }
    t->source.joined = true;
    f->apart--;
    f->defs_changed = true; /* the note has it among those that are ahead */
    if (t->source.assumed) {
        return ERR_OK;
    }
    return t->source.def == NULL ? schema_set_absent(f->schema, t->schema, t->name, e)
                                 : schema_set_table(f->schema, t->source.def, true, e);
}

bool follow_schema_is_open(const struct follow *f)
{
    return f->adopted_to.file[0] != '\0' && binlog_position_compare(&f->end, &f->adopted_to) < 0;
}

void follow_schema_settle(struct follow *f)
{
    f->adopted_to = (struct binlog_position){.offset = 0};
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        f->options.tables[i]->source.adopted_to = f->adopted_to;
    }
}

void follow_schema_rewind(struct follow *f)
{
    schema_undo(f->schema);
    follow_schema_settle(f); /* they were accepted behind the last cut */
    f->defs_changed = false;
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        t->source.def = t->source.cut_def;
        t->source.assumed = t->source.cut_assumed;
        if (t->source.joined && !t->source.cut_joined) {
            schema_forget(f->schema, t->schema, t->name);
        }
        f->apart += t->source.joined && !t->source.cut_joined ? 1 : 0;
        t->source.joined = t->source.cut_joined;
    }
}

static bool is_reached(const struct follow *f, const struct followed_table *t)
{
    if (!t->source.foreign && t->source.position.file[0] != '\0' && f->end.file[0] != '\0') {
        return binlog_position_compare(&f->end, &t->source.position) >= 0;
    }
    return f->executed != NULL && t->source.gtids != NULL &&
           gtid_set_is_subset(t->source.gtids, f->executed);
}

enum err_code follow_schema_catch_up(struct follow *f, struct err *e)
{
    for (uint32_t i = 0; f->apart > 0 && i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        if (t->source.joined || follow_schema_is_open(f) || !is_reached(f, t)) {
            continue;
        }
        if (f->moved) {
            ERR_TRY(follow_cut(f, e));
        }
        ERR_TRY(follow_schema_join(f, t, e));
    }
    return ERR_OK;
}

/* ---- cuts ---- */

static bool has_changed(const struct followed_table *t)
{
    return t->source.def != t->source.cut_def || t->source.assumed != t->source.cut_assumed;
}

static enum err_code list_changes(struct follow *f, struct cut *cut, struct err *e)
{
    cut->changes = calloc(f->options.table_count + 1u, sizeof *cut->changes);
    if (cut->changes == NULL) {
        return err_nomem(e);
    }
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        if (has_changed(t)) {
            cut->changes[cut->change_count++] =
                (struct def_change){.table = t,
                                    .def = t->source.assumed ? NULL : t->source.def,
                                    .gone = t->source.def == NULL};
        }
    }
    return ERR_OK;
}

/* Takes the state over as the latest one when the note is made. */
static enum err_code make_note(struct follow *f, struct schema_note *note, struct cut *cut,
                               struct err *e)
{
    struct schema_place at = place_of(f);
    struct buf now = {0};
    struct buf text = {0};
    char *state = NULL;
    enum err_code rc = schema_note_state(f->schema, &at, &now, e);

    if (rc == ERR_OK) {
        state = buf_take_text(&now);
        note->now = state;
        rc = state == NULL ? err_nomem(e) : schema_note_print(note, &text, e);
    }
    if (rc == ERR_OK && f->later_note == NULL) {
        cut->notes[WATERMARK_NOTE_SCHEMA] = buf_take_text(&text);
        rc = cut->notes[WATERMARK_NOTE_SCHEMA] == NULL ? err_nomem(e) : ERR_OK;
    }
    if (rc == ERR_OK) {
        free(f->schema_state);
        f->schema_state = state;
        state = NULL;
    }
    free(state);
    buf_deinit(&now);
    buf_deinit(&text);
    return rc;
}

/* Tables that the cut changed, or that were ahead, as of the note before. */
static struct schema_was_list list_was(const struct follow *f, struct schema_was *room)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < f->options.table_count; i++) {
        const struct followed_table *t = f->options.tables[i];

        if (t->source.noted_def != t->source.def) {
            room[count++] = (struct schema_was){t->schema, t->name, t->source.noted_def};
        }
    }
    return (struct schema_was_list){room, count};
}

/* Tables that are ahead, as the stream has them: their checkpoints are of later. */
static struct schema_was_list list_ahead(const struct follow *f, struct schema_was *room)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < f->options.table_count; i++) {
        const struct followed_table *t = f->options.tables[i];

        if (!t->source.joined) {
            room[count++] =
                (struct schema_was){t->schema, t->name, schema_find(f->schema, t->schema, t->name)};
        }
    }
    return (struct schema_was_list){room, count};
}

/* With `passed` the former note's place lies within this cut: what was before it holds for no start
 * that others left there. */
static enum err_code add_note(struct follow *f, bool passed, struct cut *cut, struct err *e)
{
    struct schema_was *room = calloc(2 * ((size_t)f->options.table_count + 1u), sizeof *room);

    if (room == NULL) {
        return err_nomem(e);
    }
    struct schema_note note = {.ahead = list_ahead(f, room)};

    if (!passed) {
        note.before = f->schema_state;
        note.was = list_was(f, room + note.ahead.count);
    }
    enum err_code rc = make_note(f, &note, cut, e);

    free(room);
    return rc == ERR_OK ? remember_defs(f, e) : rc;
}

bool follow_schema_changed(const struct follow *f)
{
    return f->defs_changed || schema_has_changed(f->schema);
}

/* Whether the place of a later note is reached; from then on notes are written. */
static enum err_code pass_later_note(struct follow *f, bool *passed, struct err *e)
{
    struct schema_place at = place_of(f);
    bool later = true;

    *passed = false;
    if (f->later_note == NULL) {
        return ERR_OK;
    }
    ERR_TRY(schema_note_is_later(f->later_note, &at, &later, e));
    if (!later) {
        free(f->later_note);
        f->later_note = NULL;
        *passed = true;
    }
    return ERR_OK;
}

enum err_code follow_schema_cut(struct follow *f, struct cut *cut, struct err *e)
{
    bool passed;

    ERR_TRY(pass_later_note(f, &passed, e));
    /* While tables are ahead the note is of each cut: see start_at_note(). */
    if (follow_schema_changed(f) || f->apart > 0) {
        ERR_TRY(list_changes(f, cut, e));
        ERR_TRY(add_note(f, passed, cut, e));
    }
    schema_keep(f->schema);
    note_defs(f);
    f->defs_changed = false;
    return ERR_OK;
}
