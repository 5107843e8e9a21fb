#include "pipeline/watermarks.h"

#include <stdlib.h>

#include "base/str.h"
#include "pipeline/changelog.h"
#include "pipeline/watermark_file.h"
#include "pipeline/watermark_places.h"

#define NO_TABLE (-2) /* no snapshot has this id */

struct watermarks {
    struct watermarks_options options;
    char *location;
    char *connection;
    char *property; /* calve.watermark.<connection>.<server_id> */
    struct rand rand;
    bool loaded;
    int64_t snapshot_id; /* what `rows` were read from or written to */
    char *table_location;
    struct watermark_rows rows;
    char *property_prefix;          /* of the properties of all server ids */
    struct watermark_places places; /* what the property says */
    struct watermark_places former; /* what those of other server ids say of our rows */
    char *note_properties[WATERMARK_NOTES];
    char *notes[WATERMARK_NOTES]; /* NULL: none */
};

static const char *const note_names[WATERMARK_NOTES] = {
    [WATERMARK_NOTE_SCHEMA] = "schema",
    [WATERMARK_NOTE_PREPARED] = "prepared",
};

static const struct table_ident ident = {WATERMARKS_NAMESPACE, WATERMARKS_TABLE};

enum err_code watermarks_new(const struct watermarks_options *options, struct watermarks **out,
                             struct err *e)
{
    struct watermarks *w = calloc(1, sizeof *w);

    if (w == NULL) {
        return err_nomem(e);
    }
    w->options = *options;
    w->snapshot_id = NO_TABLE;
    rand_init(&w->rand);
    w->location = str_dup(options->location);
    w->connection = str_dup(options->connection);
    w->property =
        str_format("calve.watermark.%s.%lld", options->connection, (long long)options->server_id);
    w->property_prefix = str_format("calve.watermark.%s.", options->connection);
    bool named = true;

    for (int i = 0; i < WATERMARK_NOTES; i++) {
        w->note_properties[i] = str_format("calve.%s.%s.%lld", note_names[i], options->connection,
                                           (long long)options->server_id);
        named = named && w->note_properties[i] != NULL;
    }
    if (w->location == NULL || w->connection == NULL || w->property == NULL ||
        w->property_prefix == NULL || !named) {
        watermarks_free(w);
        return err_nomem(e);
    }
    *out = w;
    return ERR_OK;
}

void watermarks_free(struct watermarks *w)
{
    if (w != NULL) {
        watermark_rows_deinit(&w->rows);
        free(w->location);
        free(w->connection);
        free(w->property);
        free(w->table_location);
        free(w->property_prefix);
        watermark_places_deinit(&w->places);
        watermark_places_deinit(&w->former);
        for (int i = 0; i < WATERMARK_NOTES; i++) {
            free(w->note_properties[i]);
            free(w->notes[i]);
        }
        free(w);
    }
}

/* ---- the property ---- */

static bool some_row_stands(void *ctx, const struct binlog_position *position)
{
    const struct watermarks *w = ctx;

    for (uint32_t i = 0; i < w->rows.count; i++) {
        const struct watermark *row = &w->rows.items[i];

        if (row->server_id == w->options.server_id && row->position.offset == position->offset &&
            strcmp(row->position.file, position->file) == 0 &&
            strcmp(row->connection_name, w->connection) == 0) {
            return true;
        }
    }
    return false;
}

static enum err_code parse_property(const char *key, const char *text, struct watermark_places *out,
                                    struct err *e)
{
    enum err_code rc = watermark_places_parse(text, out, e);

    if (rc != ERR_OK) {
        err_wrap(e, "%s.%s: the property %s cannot be read", ident.ns, ident.name, key);
    }
    return rc;
}

/* Of the places that stand under another server id those that are a row's of ours. */
static enum err_code take_former(void *ctx, const char *key, const char *text, struct err *e)
{
    struct watermarks *w = ctx;
    struct watermark_places its = {.count = 0};
    uint64_t id;

    /* A connection's name may have dots, too. */
    if (strcmp(key, w->property) == 0 ||
        !str_to_u64(span_str(key + strlen(w->property_prefix)), &id)) {
        return ERR_OK;
    }
    enum err_code rc = parse_property(key, text, &its, e);

    for (uint32_t i = its.count; i > 0 && rc == ERR_OK; i--) {
        const struct watermark_place *p = &its.items[i - 1];

        if (some_row_stands(w, &p->position) && !watermark_places_has(&w->places, &p->position)) {
            const struct log_place at = watermark_place_of(p);

            rc = watermark_places_put(&w->former, &at, e);
        }
    }
    watermark_places_deinit(&its);
    return rc;
}

/* After the rows. */
static enum err_code read_properties(struct watermarks *w, const struct iceberg_metadata *metadata,
                                     struct err *e)
{
    const char *text = iceberg_metadata_property(metadata, w->property);

    watermark_places_deinit(&w->places);
    watermark_places_deinit(&w->former);
    if (text != NULL) {
        ERR_TRY(parse_property(w->property, text, &w->places, e));
    }
    return iceberg_metadata_each_property(metadata, w->property_prefix, take_former, w, e);
}

bool watermarks_place(const struct watermarks *w, const struct binlog_position *position,
                      struct log_place *out)
{
    const struct watermark_place *found = watermark_places_find(&w->places, position);

    if (found == NULL) {
        found = watermark_places_find(&w->former, position);
    }
    if (found != NULL) {
        *out = watermark_place_of(found);
    }
    return found != NULL;
}

/* Also where it cannot be told which server's. */
static bool is_noted(const struct watermarks *w, const struct binlog_position *position)
{
    return watermark_places_has(&w->places, position) || watermark_places_has(&w->former, position);
}

static bool is_source(const char *server, const char *source)
{
    return server[0] == '\0' || source[0] == '\0' || strcmp(server, source) == 0;
}

/*
 * Positions are those of one server if that is the checkpoint's, is followed now, and none else was
 * meanwhile.
 */
static bool compares(const struct watermarks *w, const struct log_place *checkpoint,
                     const char *source)
{
    const char *last = w->places.count == 0 ? "" : w->places.items[0].source;

    return checkpoint->position.file[0] != '\0' && is_source(checkpoint->source, source) &&
           is_source(checkpoint->source, last);
}

static enum err_code compare_others(const struct watermarks *w, const struct watermark *row,
                                    const struct log_place *checkpoint, const char *source,
                                    enum watermark_standing *out, struct err *e)
{
    int order = binlog_position_compare(&row->position, &checkpoint->position);

    *out = order > 0 ? WATERMARK_OTHERS : WATERMARK_NOT_LATER;
    if (order == 0 || compares(w, checkpoint, source)) {
        return ERR_OK;
    }
    return err_set(e, ERR_SOURCE,
                   "the watermark of %s.%s (%s:%llu) was written by another program, and calve's "
                   "checkpoint of the table (%s:%llu) is of another server (%s) than the one that "
                   "was followed since: which of them is later cannot be told. Drop the Iceberg "
                   "table and copy it again; or, if no program but calve has written to the table "
                   "since the checkpoint, remove the row, and the checkpoint counts",
                   row->schema, row->table, row->position.file,
                   (unsigned long long)row->position.offset, checkpoint->position.file,
                   (unsigned long long)checkpoint->position.offset, checkpoint->source);
}

enum err_code watermarks_compare(const struct watermarks *w, const struct watermark *row,
                                 const struct log_place *checkpoint, const char *source,
                                 enum watermark_standing *out, struct err *e)
{
    int order = binlog_position_compare(&row->position, &checkpoint->position);
    struct log_place at;
    bool later = false;

    if (!watermarks_place(w, &row->position, &at)) {
        if (!is_noted(w, &row->position)) {
            return compare_others(w, row, checkpoint, source, out, e);
        }
        later = checkpoint->gtids == NULL && order > 0;
    } else if (strcmp(at.source, checkpoint->source) != 0 || order != 0) {
        ERR_TRY(log_place_reaches(&at, checkpoint, &later, e));
    }
    *out = later ? WATERMARK_LATER : WATERMARK_NOT_LATER;
    return ERR_OK;
}

static enum err_code set_note(struct watermarks *w, int which, const char *text, struct err *e)
{
    free(w->notes[which]);
    w->notes[which] = NULL;
    if (text != NULL && text[0] != '\0') {
        w->notes[which] = str_dup(text);
        return w->notes[which] == NULL ? err_nomem(e) : ERR_OK;
    }
    return ERR_OK;
}

static enum err_code read_notes(struct watermarks *w, const struct iceberg_metadata *metadata,
                                struct err *e)
{
    for (int i = 0; i < WATERMARK_NOTES; i++) {
        ERR_TRY(set_note(w, i, iceberg_metadata_property(metadata, w->note_properties[i]), e));
    }
    return ERR_OK;
}

const char *watermarks_note(const struct watermarks *w, enum watermark_note which)
{
    return w->notes[which];
}

/* ---- loading ---- */

static enum err_code load_rows(struct watermarks *w, const struct catalog_table *table,
                               struct err *e)
{
    struct iceberg_data_file **files = NULL;
    uint32_t count = 0;
    enum err_code rc = catalog_data_files(w->options.catalog, table, &files, &count, e);

    watermark_rows_deinit(&w->rows);
    for (uint32_t i = 0; i < count; i++) {
        if (rc == ERR_OK) {
            rc = watermark_file_read(w->options.store, files[i]->path, &w->rows, e);
        }
        iceberg_data_file_free(files[i]);
    }
    free(files);
    return rc;
}

static enum err_code load_table(struct watermarks *w, struct err *e)
{
    struct catalog_table table = {0};
    enum err_code rc = catalog_load(w->options.catalog, ident, &table, e);

    if (rc != ERR_OK) {
        return rc;
    }
    free(w->table_location);
    w->table_location = str_dup(iceberg_metadata_location(table.metadata));
    rc = w->table_location == NULL ? err_nomem(e) : read_notes(w, table.metadata, e);
    if (rc == ERR_OK) {
        rc = load_rows(w, &table, e);
    }
    if (rc == ERR_OK) {
        rc = read_properties(w, table.metadata, e);
    }
    w->loaded = rc == ERR_OK;
    w->snapshot_id = iceberg_metadata_snapshot_id(table.metadata);
    catalog_table_deinit(&table);
    return rc;
}

enum err_code watermarks_load(struct watermarks *w, bool create, struct err *e)
{
    const struct catalog_create_options options = {
        .location = w->location,
        .schema = watermarks_schema(),
    };
    enum err_code rc = load_table(w, e);

    if (rc == ERR_NOT_FOUND && create) {
        rc = catalog_create(w->options.catalog, ident, &options, e);
        /* Somebody else may have been faster. */
        if (rc == ERR_OK || rc == ERR_EXISTS) {
            rc = load_table(w, e);
        }
    } else if (rc == ERR_NOT_FOUND) {
        watermark_rows_deinit(&w->rows);
        w->loaded = true;
        w->snapshot_id = NO_TABLE;
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        err_wrap(e, "loading %s.%s", ident.ns, ident.name);
    }
    return rc;
}

static struct watermark *find_row(const struct watermarks *w, const char *schema, const char *table)
{
    for (uint32_t i = 0; i < w->rows.count; i++) {
        struct watermark *row = &w->rows.items[i];

        if (row->server_id == w->options.server_id && strcmp(row->table, table) == 0 &&
            strcmp(row->schema, schema) == 0 && strcmp(row->connection_name, w->connection) == 0) {
            return row;
        }
    }
    return NULL;
}

const struct watermark *watermarks_find(const struct watermarks *w, const char *schema,
                                        const char *table)
{
    return find_row(w, schema, table);
}

uint32_t watermarks_count(const struct watermarks *w)
{
    return w->rows.count;
}

const struct watermark *watermarks_at(const struct watermarks *w, uint32_t i)
{
    return &w->rows.items[i];
}

/* ---- committing ---- */

static enum err_code row_for(struct watermarks *w, const struct watermark_update *u,
                             struct watermark **out, struct err *e)
{
    struct watermark *row = find_row(w, u->schema, u->table);

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

/* Applies the updates to the rows; *changed is false when all of them said so already. */
static enum err_code apply(struct watermarks *w, const struct watermark_update *updates,
                           uint32_t count, const struct log_place *at, bool *changed, struct err *e)
{
    *changed = false;
    for (uint32_t i = 0; i < count; i++) {
        ERR_TRY(apply_one(w, &updates[i], at, changed, e));
    }
    if (*changed && at != NULL) {
        ERR_TRY(watermark_places_put(&w->places, at, e));
        watermark_places_prune(&w->places, some_row_stands, w);
    }
    return ERR_OK;
}

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

/* One snapshot with the rows as they are now. */
static enum err_code commit_rows(struct watermarks *w, struct base_check *check, struct err *e)
{
    struct iceberg_data_file *file = NULL;
    struct catalog_commit_result result = {0};
    bool placed = w->places.count > 0;
    char *text = placed ? watermark_places_print(&w->places) : NULL;
    const struct iceberg_property property = {w->property, text};
    const struct iceberg_property summary = {"calve.connection", w->connection};

    if (placed && text == NULL) {
        return err_nomem(e);
    }
    enum err_code rc =
        watermark_file_write(w->options.store, w->table_location, w->options.zstd_level,
                             rand_u64(&w->rand), &w->rows, &file, e);

    if (rc == ERR_OK) {
        rc = catalog_commit(w->options.catalog, ident,
                            &(struct catalog_change){
                                .change =
                                    {
                                        .added = &file,
                                        .added_count = 1,
                                        .replace_all = true,
                                        .summary = &summary,
                                        .summary_count = 1,
                                        .properties = &property,
                                        .property_count = placed ? 1 : 0,
                                        .retention = w->options.retention,
                                    },
                                .check = check_base,
                                .check_ctx = check,
                                .cancelled = w->options.cancelled,
                                .cancelled_ctx = w->options.cancelled_ctx,
                            },
                            &result, e);
    }
    if (rc == ERR_OK) {
        w->snapshot_id = result.snapshot_id;
    } else if (file != NULL && check->moved) {
        /* Refused before anything was tried, so no snapshot can name the file. */
        (void)!store_remove(w->options.store, file->path, NULL);
    }
    iceberg_data_file_free(file);
    free(text);
    return rc;
}

/* As watermarks_commit; without a place only what is to be forgotten changes. */
static enum err_code commit_updates(struct watermarks *w, const struct watermark_update *updates,
                                    uint32_t count, const struct log_place *at, struct err *e)
{
    for (;;) {
        bool changed;

        if (!w->loaded || w->snapshot_id == NO_TABLE) {
            ERR_TRY(watermarks_load(w, true, e));
        }
        /* From here on rows and places are ahead of the table until the commit is through. */
        w->loaded = false;
        ERR_TRY(apply(w, updates, count, at, &changed, e));
        if (!changed) {
            w->loaded = true;
            return ERR_OK;
        }
        struct base_check check = {.snapshot_id = w->snapshot_id};
        enum err_code rc = commit_rows(w, &check, e);

        w->loaded = rc == ERR_OK;
        if (rc == ERR_OK || !check.moved) {
            return rc;
        }
    }
}

enum err_code watermarks_commit(struct watermarks *w, const struct watermark_update *updates,
                                uint32_t update_count, const struct log_place *at, struct err *e)
{
    enum err_code rc = commit_updates(w, updates, update_count, at, e);

    if (rc != ERR_OK) {
        err_wrap(e, "moving the watermarks to %s:%llu", at->position.file,
                 (unsigned long long)at->position.offset);
    }
    return rc;
}

enum err_code watermarks_put_notes(struct watermarks *w, const char *const texts[WATERMARK_NOTES],
                                   struct err *e)
{
    struct iceberg_property properties[WATERMARK_NOTES];
    uint32_t count = 0;
    struct catalog_commit_result result = {0};

    for (int i = 0; i < WATERMARK_NOTES; i++) {
        if (texts[i] != NULL) {
            properties[count++] = (struct iceberg_property){w->note_properties[i], texts[i]};
        }
    }
    if (count == 0) {
        return ERR_OK;
    }
    if (w->snapshot_id == NO_TABLE) {
        ERR_TRY(watermarks_load(w, true, e));
    }
    enum err_code rc = catalog_commit(w->options.catalog, ident,
                                      &(struct catalog_change){
                                          .change = {.properties = properties,
                                                     .property_count = count,
                                                     .retention = w->options.retention},
                                          .cancelled = w->options.cancelled,
                                          .cancelled_ctx = w->options.cancelled_ctx,
                                      },
                                      &result, e);

    if (rc != ERR_OK) {
        err_wrap(e, "noting the state of the source in %s.%s", ident.ns, ident.name);
        return rc;
    }
    for (int i = 0; i < WATERMARK_NOTES; i++) {
        if (texts[i] != NULL) {
            ERR_TRY(set_note(w, i, texts[i], e));
        }
    }
    return ERR_OK;
}

enum err_code watermarks_forget(struct watermarks *w, const char *schema, const char *table,
                                struct err *e)
{
    const struct watermark_update update = {.schema = schema, .table = table, .forget = true};
    enum err_code rc = commit_updates(w, &update, 1, NULL, e);

    if (rc != ERR_OK) {
        err_wrap(e, "taking the watermark of %s.%s away", schema, table);
    }
    return rc;
}
