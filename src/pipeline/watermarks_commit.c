/*
 * watermarks_commit.c - rows and notes that change, by commits of their own or in one with tables.
 *
 * What is due is kept until a commit is through, as rows are read anew when another process came
 * first.
 */
#include <stdlib.h>

#include "base/str.h"
#include "pipeline/watermarks_int.h"
#include "storage/outbox.h"

#define FILE_BYTES_MAX ((size_t)64 << 20) /* of the rows of half a million tables */

static const struct table_ident ident = WATERMARKS_IDENT;

/* ---- what is due ---- */

static void due_row_deinit(struct due_row *d)
{
    free((void *)(uintptr_t)d->update.schema);
    free((void *)(uintptr_t)d->update.table);
    watermark_place_deinit(&d->at);
}

void watermarks_drop_due(struct watermarks *w)
{
    for (uint32_t i = 0; i < w->due_count; i++) {
        due_row_deinit(&w->due[i]);
    }
    w->due_count = 0;
}

static enum err_code grow_due(struct watermarks *w, struct err *e)
{
    if (w->due_count < w->due_capacity) {
        return ERR_OK;
    }
    uint32_t capacity = w->due_capacity == 0 ? 16 : w->due_capacity * 2;
    struct due_row *due = realloc(w->due, capacity * sizeof *due);

    if (due == NULL) {
        return err_nomem(e);
    }
    w->due = due;
    w->due_capacity = capacity;
    return ERR_OK;
}

enum err_code watermarks_owe(struct watermarks *w, const struct watermark_update *update,
                             const struct log_place *at, struct err *e)
{
    ERR_TRY(grow_due(w, e));
    struct due_row d = {.update = *update};
    enum err_code rc = watermark_place_copy(at, &d.at, e);

    d.update.schema = str_dup(update->schema);
    d.update.table = str_dup(update->table);
    if (rc == ERR_OK && (d.update.schema == NULL || d.update.table == NULL)) {
        rc = err_nomem(e);
    }
    if (rc != ERR_OK) {
        due_row_deinit(&d);
        return rc;
    }
    w->due[w->due_count++] = d;
    return ERR_OK;
}

enum err_code watermarks_owe_notes(struct watermarks *w, const char *const texts[WATERMARK_NOTES],
                                   struct err *e)
{
    for (int i = 0; i < WATERMARK_NOTES; i++) {
        if (texts[i] != NULL) {
            free(w->due_notes[i]);
            w->due_notes[i] = str_dup(texts[i]);
            ERR_TRY(w->due_notes[i] == NULL ? err_nomem(e) : ERR_OK);
        }
    }
    return ERR_OK;
}

static bool notes_are_due(const struct watermarks *w)
{
    bool any = false;

    for (int i = 0; i < WATERMARK_NOTES; i++) {
        any = any || w->due_notes[i] != NULL;
    }
    return any;
}

/* The commit with all that was due is through. */
static enum err_code settle_due(struct watermarks *w, struct err *e)
{
    watermarks_drop_due(w);
    for (int i = 0; i < WATERMARK_NOTES; i++) {
        if (w->due_notes[i] != NULL) {
            ERR_TRY(watermarks_set_note(w, i, w->due_notes[i], e));
            free(w->due_notes[i]);
            w->due_notes[i] = NULL;
        }
    }
    return ERR_OK;
}

/* ---- rows ---- */

static enum err_code row_for(struct watermarks *w, const struct watermark_update *u,
                             struct watermark **out, struct err *e)
{
    struct watermark *row = watermarks_row(w, u->schema, u->table);

    if (row == NULL) {
        /* watermark_rows_add copies the texts. */
        struct watermark fresh = {
            .connection_name = w->connection,
            .server_id = w->options.server_id,
            .schema = str_dup(u->schema),
            .table = str_dup(u->table),
        };
        enum err_code rc = fresh.schema == NULL || fresh.table == NULL
                               ? err_nomem(e)
                               : watermark_rows_add(&w->rows, &fresh, e);

        free(fresh.schema);
        free(fresh.table);
        ERR_TRY(rc);
        row = &w->rows.items[w->rows.count - 1];
    }
    *out = row;
    return ERR_OK;
}

static bool forget_row(struct watermark *row, int64_t now_us)
{
    if (row->position.file[0] == '\0' && !row->backfill_complete) {
        return false;
    }
    row->position = (struct binlog_position){.offset = 0};
    row->backfill_complete = false;
    row->has_updated_at = true;
    row->updated_at_us = now_us;
    return true;
}

/* Whether a row goes to the place, or is further already. */
static enum err_code moves(const struct watermarks *w, const struct watermark *row,
                           const struct watermark_update *u, const struct log_place *at, bool *out,
                           struct err *e)
{
    int order = binlog_position_compare(&at->position, &row->position);
    bool same_source = w->places.count == 0 || strcmp(w->places.items[0].source, at->source) == 0;
    struct log_place was;

    *out = true;
    if (row->position.file[0] == '\0') {
        return ERR_OK;
    }
    if (u->restart) {
        *out = order != 0;
        return ERR_OK;
    }
    if (!watermarks_place(w, &row->position, &was)) {
        *out = order > 0 || (order < 0 && !same_source);
        return ERR_OK;
    }
    if (strcmp(was.source, at->source) == 0) {
        *out = order > 0;
        return ERR_OK;
    }
    /* After a failover: to the new server's place, unless that is behind. */
    return was.gtids == NULL || at->gtids == NULL ? ERR_OK : log_place_reaches(at, &was, out, e);
}

/* Applies one update to its row; sets *changed unless the row said so already. */
static enum err_code apply_one(struct watermarks *w, const struct watermark_update *u,
                               const struct log_place *at, bool *changed, struct err *e)
{
    int64_t now_us = clock_wall_us(&w->options.clock);
    struct watermark *row;
    bool move;

    ERR_TRY(row_for(w, u, &row, e));
    if (u->forget) {
        *changed = forget_row(row, now_us) || *changed;
        return ERR_OK;
    }
    ERR_TRY(moves(w, row, u, at, &move, e));
    bool complete = u->backfill_complete || (row->backfill_complete && !u->restart);

    if (!move && row->has_backfill_complete && row->backfill_complete == complete) {
        return ERR_OK;
    }
    if (move) {
        row->position = at->position;
    }
    row->has_backfill_complete = true;
    row->backfill_complete = complete;
    row->has_updated_at = true;
    row->updated_at_us = now_us;
    *changed = true;
    return ERR_OK;
}

/* Applies the updates to the rows; sets *changed unless all of them said so already. */
static enum err_code apply(struct watermarks *w, const struct watermark_update *updates,
                           uint32_t count, const struct log_place *at, bool *changed, struct err *e)
{
    bool here = false;

    for (uint32_t i = 0; i < count; i++) {
        ERR_TRY(apply_one(w, &updates[i], at, &here, e));
    }
    if (here && at != NULL) {
        ERR_TRY(watermark_places_put(&w->places, at, e));
    }
    *changed = *changed || here;
    return ERR_OK;
}

static enum err_code apply_all(struct watermarks *w, const struct watermarks_move *m, bool *changed,
                               struct err *e)
{
    *changed = false;
    for (uint32_t i = 0; i < w->due_count; i++) {
        const struct log_place at = watermark_place_of(&w->due[i].at);

        ERR_TRY(apply(w, &w->due[i].update, 1, &at, changed, e));
    }
    ERR_TRY(apply(w, m->updates, m->update_count, m->at, changed, e));
    if (*changed) {
        watermark_places_prune(&w->places, watermarks_some_row_stands, w);
    }
    return ERR_OK;
}

/* ---- one commit ---- */

struct base_check {
    int64_t snapshot_id;
    bool moved; /* somebody else committed: the rows are to be merged anew */
};

static enum commit_verdict check_base(void *ctx, const struct iceberg_metadata *current,
                                      struct err *e)
{
    struct base_check *b = ctx;

    if (iceberg_metadata_snapshot_id(current) != b->snapshot_id) {
        /* Not ERR_CONFLICT, which would be tried again with the same rows. */
        b->moved = true;
        (void)err_set(e, ERR_FENCED, "another process has changed %s.%s", ident.ns, ident.name);
        return COMMIT_REFUSE;
    }
    return COMMIT_PROCEED;
}

struct watermarks_change {
    struct outbox *outbox; /* holds the file */
    struct iceberg_data_file *file;
    char *places;
    struct iceberg_property properties[1 + WATERMARK_NOTES];
    struct iceberg_property summary;
    struct base_check check;
    struct catalog_change change;
};

static void change_free(struct watermarks_change *p)
{
    if (p != NULL) {
        iceberg_data_file_free(p->file);
        outbox_free(p->outbox);
        free(p->places);
        free(p);
    }
}

/* A file with the rows as they are now, and the property with their places. */
static enum err_code write_rows(struct watermarks *w, struct watermarks_change *p, struct err *e)
{
    struct iceberg_change *c = &p->change.change;

    ERR_TRY(outbox_new(w->options.store, FILE_BYTES_MAX, &p->outbox, e));
    ERR_TRY(watermark_file_write(outbox_store(p->outbox), w->table_location, w->options.zstd_level,
                                 rand_u64(&w->rand), &w->rows, &p->file, e));
    p->change.objects = outbox_objects(p->outbox, &p->change.object_count);
    c->added = &p->file;
    c->added_count = 1;
    c->replace_all = true;
    if (w->places.count > 0) {
        p->places = watermark_places_print(&w->places);
        if (p->places == NULL) {
            return err_nomem(e);
        }
        p->properties[c->property_count++] = (struct iceberg_property){w->property, p->places};
    }
    return ERR_OK;
}

static enum err_code make_change(struct watermarks *w, bool with_rows, struct watermarks_change *p,
                                 struct err *e)
{
    p->summary = (struct iceberg_property){"calve.connection", w->connection};
    p->check = (struct base_check){.snapshot_id = w->snapshot_id};
    p->change = (struct catalog_change){
        .change = {.summary = &p->summary,
                   .summary_count = 1,
                   .properties = p->properties,
                   .retention = w->options.retention},
        .check = check_base,
        .check_ctx = &p->check,
        .cancelled = w->options.cancelled,
        .cancelled_ctx = w->options.cancelled_ctx,
    };
    if (with_rows) {
        ERR_TRY(write_rows(w, p, e));
    }
    for (int i = 0; i < WATERMARK_NOTES; i++) {
        if (w->due_notes[i] != NULL) {
            p->properties[p->change.change.property_count++] =
                (struct iceberg_property){w->note_properties[i], w->due_notes[i]};
        }
    }
    return ERR_OK;
}

static enum err_code prepare(struct watermarks *w, struct watermarks_move *m, struct err *e)
{
    bool changed;

    m->change = NULL;
    if (m->update_count == 0 && w->due_count == 0 && !notes_are_due(w)) {
        return ERR_OK;
    }
    if (!w->loaded || w->snapshot_id == WATERMARKS_NO_TABLE) {
        ERR_TRY(watermarks_load(w, true, e));
    }
    /* From here on rows and places are ahead of the table until the commit is through. */
    w->loaded = false;
    ERR_TRY(apply_all(w, m, &changed, e));
    if (!changed && !notes_are_due(w)) {
        w->loaded = true;
        return settle_due(w, e);
    }
    struct watermarks_change *p = calloc(1, sizeof *p);

    if (p == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = make_change(w, changed, p, e);

    if (rc != ERR_OK) {
        change_free(p);
        return rc;
    }
    m->change = p;
    return ERR_OK;
}

static enum err_code explain(const struct watermarks_move *m, enum err_code rc, struct err *e)
{
    if (rc != ERR_OK && m->at != NULL) {
        err_wrap(e, "moving the watermarks to %s:%llu", m->at->position.file,
                 (unsigned long long)m->at->position.offset);
    } else if (rc != ERR_OK) {
        err_wrap(e, "writing to %s.%s", ident.ns, ident.name);
    }
    return rc;
}

enum err_code watermarks_prepare(struct watermarks *w, struct watermarks_move *m, struct err *e)
{
    return explain(m, prepare(w, m, e), e);
}

bool watermarks_item(const struct watermarks_move *m, struct catalog_commit_item *out)
{
    if (m->change == NULL) {
        return false;
    }
    *out = (struct catalog_commit_item){.id = ident, .change = &m->change->change};
    return true;
}

/* *again: somebody else committed, and nothing of ours is there. */
static enum err_code settle(struct watermarks *w, struct watermarks_move *m,
                            const struct catalog_commit_item *item, bool *again, struct err *e)
{
    struct watermarks_change *p = m->change;
    enum err_code rc = ERR_OK;

    *again = !item->committed && p->check.moved;
    if (item->committed) {
        if (item->result.snapshot_id >= 0) { /* else it has only new properties */
            w->snapshot_id = item->result.snapshot_id;
        }
        w->loaded = true;
        rc = settle_due(w, e);
    }
    m->change = NULL;
    change_free(p);
    return rc;
}

static enum err_code commit_alone(struct watermarks *w, struct watermarks_move *m, struct err *e)
{
    struct catalog_commit_item item;
    bool again = true;

    while (again) {
        ERR_TRY(prepare(w, m, e));
        if (!watermarks_item(m, &item)) {
            return ERR_OK;
        }
        enum err_code rc = catalog_commit_all(w->options.catalog, &item, 1, e);

        ERR_TRY(settle(w, m, &item, &again, e));
        if (rc != ERR_OK && !again) {
            return rc;
        }
    }
    return ERR_OK;
}

enum err_code watermarks_settle(struct watermarks *w, struct watermarks_move *m,
                                const struct catalog_commit_item *item, enum err_code rc,
                                struct err *e)
{
    bool again;

    ERR_TRY(settle(w, m, item, &again, e));
    return explain(m, again ? commit_alone(w, m, e) : rc, e);
}

void watermarks_give_up(struct watermarks_move *m)
{
    change_free(m->change);
    m->change = NULL;
}

enum err_code watermarks_commit(struct watermarks *w, const struct watermark_update *updates,
                                uint32_t update_count, const struct log_place *at, struct err *e)
{
    struct watermarks_move m = {.updates = updates, .update_count = update_count, .at = at};

    return explain(&m, commit_alone(w, &m, e), e);
}

enum err_code watermarks_commit_due(struct watermarks *w, struct err *e)
{
    return watermarks_commit(w, NULL, 0, NULL, e);
}

enum err_code watermarks_put_notes(struct watermarks *w, const char *const texts[WATERMARK_NOTES],
                                   struct err *e)
{
    ERR_TRY(watermarks_owe_notes(w, texts, e));
    if (!notes_are_due(w)) {
        return ERR_OK;
    }
    enum err_code rc = watermarks_commit_due(w, e);

    if (rc != ERR_OK) {
        err_wrap(e, "noting the state of the source");
    }
    return rc;
}

enum err_code watermarks_forget(struct watermarks *w, const char *schema, const char *table,
                                struct err *e)
{
    const struct watermark_update update = {.schema = schema, .table = table, .forget = true};
    enum err_code rc = watermarks_commit(w, &update, 1, NULL, e);

    if (rc != ERR_OK) {
        err_wrap(e, "taking the watermark of %s.%s away", schema, table);
    }
    return rc;
}
