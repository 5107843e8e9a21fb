#include "pipeline/watermarks.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/str.h"
#include "pipeline/changelog.h"
#include "pipeline/watermark_file.h"

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
    /* What the property says: the place of our last commit. */
    struct binlog_position position; /* file "" when there was none */
    char *gtids;                     /* NULL when unknown */
    char source[64];
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
    bool named = true;

    for (int i = 0; i < WATERMARK_NOTES; i++) {
        w->note_properties[i] = str_format("calve.%s.%s.%lld", note_names[i], options->connection,
                                           (long long)options->server_id);
        named = named && w->note_properties[i] != NULL;
    }
    if (w->location == NULL || w->connection == NULL || w->property == NULL || !named) {
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
        free(w->gtids);
        for (int i = 0; i < WATERMARK_NOTES; i++) {
            free(w->note_properties[i]);
            free(w->notes[i]);
        }
        free(w);
    }
}

/* ---- the property ---- */

static enum err_code read_property(struct watermarks *w, const struct iceberg_metadata *metadata,
                                   struct err *e)
{
    const char *text = iceberg_metadata_property(metadata, w->property);

    free(w->gtids);
    w->gtids = NULL;
    w->position = (struct binlog_position){.offset = 0};
    w->source[0] = '\0';
    if (text == NULL) {
        return ERR_OK;
    }
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *file = json_string_value(json_object_get(o, "file"));
    const char *source = json_string_value(json_object_get(o, "source"));
    const char *gtids = json_string_value(json_object_get(o, "gtid"));
    json_int_t offset = json_integer_value(json_object_get(o, "pos"));
    enum err_code rc = ERR_OK;

    if (file == NULL || source == NULL || offset < 0 || strlen(file) >= sizeof w->position.file ||
        strlen(source) >= sizeof w->source) {
        rc = err_set(e, ERR_CORRUPT, "%s.%s: the property %s cannot be read", ident.ns, ident.name,
                     w->property);
    } else {
        memcpy(w->position.file, file, strlen(file) + 1);
        memcpy(w->source, source, strlen(source) + 1);
        w->position.offset = (uint64_t)offset;
        w->gtids = gtids == NULL ? NULL : str_dup(gtids);
        rc = gtids != NULL && w->gtids == NULL ? err_nomem(e) : ERR_OK;
    }
    json_decref(o);
    return rc;
}

/* malloc'd; NULL when there is no memory. */
static char *print_property(const struct binlog_position *position, const char *gtids,
                            const char *source)
{
    json_t *o = json_pack("{s:s, s:I, s:s, s:s*}", "file", position->file, "pos",
                          (json_int_t)position->offset, "source", source, "gtid", gtids);
    char *text = json_dumps(o, JSON_COMPACT);

    json_decref(o);
    return text;
}

const char *watermarks_gtids(const struct watermarks *w, const struct binlog_position *position,
                             const char *source)
{
    return strcmp(w->source, source) == 0 && w->position.file[0] != '\0' &&
                   binlog_position_compare(&w->position, position) == 0
               ? w->gtids
               : NULL;
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
    rc = w->table_location == NULL ? err_nomem(e) : read_property(w, table.metadata, e);
    if (rc == ERR_OK) {
        rc = read_notes(w, table.metadata, e);
    }
    if (rc == ERR_OK) {
        rc = load_rows(w, &table, e);
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

/* Applies the updates to the rows; *changed is false when all of them said so already. */
static enum err_code apply(struct watermarks *w, const struct watermark_update *updates,
                           uint32_t count, const struct binlog_position *position,
                           const char *source, bool *changed, struct err *e)
{
    bool same_source = w->source[0] == '\0' || strcmp(w->source, source) == 0;
    int64_t now_us = clock_wall_us(&w->options.clock);

    *changed = false;
    for (uint32_t i = 0; i < count; i++) {
        struct watermark *row;

        ERR_TRY(row_for(w, &updates[i], &row, e));
        if (updates[i].forget) {
            *changed = forget_row(row, now_us) || *changed;
            continue;
        }
        int order =
            row->position.file[0] == '\0' ? 1 : binlog_position_compare(position, &row->position);
        bool move = order > 0 || (order < 0 && (!same_source || updates[i].restart));
        bool complete =
            updates[i].backfill_complete || (row->backfill_complete && !updates[i].restart);

        if (!move && row->has_backfill_complete && row->backfill_complete == complete) {
            continue;
        }
        if (move) {
            row->position = *position;
        }
        row->has_backfill_complete = true;
        row->backfill_complete = complete;
        row->has_updated_at = true;
        row->updated_at_us = now_us;
        *changed = true;
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
static enum err_code commit_rows(struct watermarks *w, const struct binlog_position *position,
                                 const char *gtids, const char *source, struct base_check *check,
                                 struct err *e)
{
    struct iceberg_data_file *file = NULL;
    struct catalog_commit_result result = {0};
    char *text = print_property(position, gtids, source);
    const struct iceberg_property property = {w->property, text};
    const struct iceberg_property summary = {"calve.connection", w->connection};

    if (text == NULL) {
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
                                        .property_count = 1,
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
        w->position = *position;
        (void)snprintf(w->source, sizeof w->source, "%s", source);
        free(w->gtids);
        w->gtids = gtids == NULL ? NULL : str_dup(gtids);
    } else if (file != NULL && check->moved) {
        /* Refused before anything was tried, so no snapshot can name the file. */
        (void)!store_remove(w->options.store, file->path, NULL);
    }
    iceberg_data_file_free(file);
    free(text);
    return rc;
}

enum err_code watermarks_commit(struct watermarks *w, const struct watermark_update *updates,
                                uint32_t update_count, const struct binlog_position *position,
                                const char *gtids, const char *source, struct err *e)
{
    for (;;) {
        bool changed;

        if (!w->loaded || w->snapshot_id == NO_TABLE) {
            ERR_TRY(watermarks_load(w, true, e));
        }
        /* From here on the rows are ahead of the table until the commit is through. */
        w->loaded = false;
        ERR_TRY(apply(w, updates, update_count, position, source, &changed, e));
        if (!changed) {
            w->loaded = true;
            return ERR_OK;
        }
        struct base_check check = {.snapshot_id = w->snapshot_id};
        enum err_code rc = commit_rows(w, position, gtids, source, &check, e);

        w->loaded = rc == ERR_OK;
        if (rc == ERR_OK) {
            return ERR_OK;
        }
        if (!check.moved) {
            err_wrap(e, "moving the watermarks to %s:%llu", position->file,
                     (unsigned long long)position->offset);
            return rc;
        }
    }
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
    /* The property stays as it is; the commit writes it anew, from copies. */
    struct binlog_position position = w->position;
    char source[sizeof w->source];
    char *gtids = w->gtids == NULL ? NULL : str_dup(w->gtids);

    if (w->gtids != NULL && gtids == NULL) {
        return err_nomem(e);
    }
    memcpy(source, w->source, sizeof source);
    enum err_code rc = watermarks_commit(w, &update, 1, &position, gtids, source, e);

    free(gtids);
    return rc;
}
