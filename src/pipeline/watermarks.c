#include <stdlib.h>

#include "base/str.h"
#include "pipeline/changelog.h"
#include "pipeline/watermarks_int.h"

static const char *const note_names[WATERMARK_NOTES] = {
    [WATERMARK_NOTE_SCHEMA] = "schema",
    [WATERMARK_NOTE_PREPARED] = "prepared",
};

static const struct table_ident ident = WATERMARKS_IDENT;

enum err_code watermarks_new(const struct watermarks_options *options, struct watermarks **out,
                             struct err *e)
{
    struct watermarks *w = calloc(1, sizeof *w);

    if (w == NULL) {
        return err_nomem(e);
    }
    w->options = *options;
    w->snapshot_id = WATERMARKS_NO_TABLE;
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
            free(w->due_notes[i]);
        }
        watermarks_drop_due(w);
        free(w->due);
        free(w);
    }
}

/* ---- the property ---- */

bool watermarks_some_row_stands(void *ctx, const struct binlog_position *position)
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

        if (watermarks_some_row_stands(w, &p->position) &&
            !watermark_places_has(&w->places, &p->position)) {
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

enum err_code watermarks_set_note(struct watermarks *w, int which, const char *text, struct err *e)
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
        ERR_TRY(watermarks_set_note(w, i,
                                    iceberg_metadata_property(metadata, w->note_properties[i]), e));
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
        w->snapshot_id = WATERMARKS_NO_TABLE;
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        err_wrap(e, "loading %s.%s", ident.ns, ident.name);
    }
    return rc;
}

enum err_code watermarks_create(struct watermarks *w, struct err *e)
{
    return w->loaded && w->snapshot_id == WATERMARKS_NO_TABLE ? watermarks_load(w, true, e)
                                                              : ERR_OK;
}

struct watermark *watermarks_row(const struct watermarks *w, const char *schema, const char *table)
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
    return watermarks_row(w, schema, table);
}

uint32_t watermarks_count(const struct watermarks *w)
{
    return w->rows.count;
}

const struct watermark *watermarks_at(const struct watermarks *w, uint32_t i)
{
    return &w->rows.items[i];
}
