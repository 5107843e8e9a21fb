/*
 * status_lake.c - which tables the lake has, and how far each is.
 */
#include <stdlib.h>

#include "app/status_int.h"
#include "pipeline/changelog.h"
#include "pipeline/checkpoint.h"
#include "pipeline/watermark_file.h"

struct reading {
    struct status_report *r;
    struct lake *lake;
    struct watermarks *watermarks;
    struct watermark_rows rows; /* all of the watermarks table */
};

/* ---- which tables ---- */

static bool is_ours(const struct reading *reading, const struct watermark *row)
{
    const struct config *c = reading->r->config;

    return strcmp(row->connection_name, c->connection_name) == 0 &&
           row->server_id == (int64_t)c->mysql.server_id;
}

enum err_code status_read_watermarks(struct lake *lake, struct watermark_rows *out, struct err *e)
{
    struct catalog_table table;
    struct iceberg_data_file **files = NULL;
    uint32_t count = 0;
    enum err_code rc = catalog_load(
        lake->catalog, (struct table_ident){WATERMARKS_NAMESPACE, WATERMARKS_TABLE}, &table, e);

    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    rc = catalog_data_files(lake->catalog, &table, &files, &count, e);
    for (uint32_t i = 0; i < count; i++) {
        if (rc == ERR_OK) {
            rc = watermark_file_read(lake->store, files[i]->path, out, e);
        }
        iceberg_data_file_free(files[i]);
    }
    free(files);
    catalog_table_deinit(&table);
    return rc;
}

/* Without globs every table counts; whether it is this connection's is seen when it is read. */
static enum err_code add_if_chosen(struct status_report *r, const char *schema, const char *name,
                                   struct err *e)
{
    if (strcmp(schema, WATERMARKS_NAMESPACE) == 0 ||
        (r->config->tables.count > 0 &&
         !table_is_chosen(r->config, schema, name, r->source.icase))) {
        return ERR_OK;
    }
    return table_choice_add(&r->names, schema, name, e);
}

static enum err_code on_listed(void *ctx, struct table_ident id, struct err *e)
{
    return add_if_chosen(ctx, id.ns, id.name, e);
}

/* The schemas to list, each once; a table without a name of its own stands for its schema. */
static enum err_code collect_schemas(const struct reading *reading, struct table_choice *schemas,
                                     struct err *e)
{
    const struct status_report *r = reading->r;

    for (uint32_t i = 0; i < reading->rows.count; i++) {
        if (is_ours(reading, &reading->rows.items[i])) {
            ERR_TRY(table_choice_add(schemas, reading->rows.items[i].schema, "", e));
        }
    }
    for (uint32_t i = 0; i < r->names.count; i++) {
        ERR_TRY(table_choice_add(schemas, r->names.tables[i].schema, "", e));
    }
    for (uint32_t i = 0; i < r->config->tables.count; i++) {
        const char *glob = r->config->tables.items[i];
        size_t len = strcspn(glob, ".");

        if (memchr(glob, '*', len) == NULL && memchr(glob, '?', len) == NULL) {
            char *schema = str_ndup(glob, len);
            enum err_code rc =
                schema == NULL ? err_nomem(e) : table_choice_add(schemas, schema, "", e);

            free(schema);
            ERR_TRY(rc);
        }
    }
    return ERR_OK;
}

/* A table that is named in full is shown wherever it is, or is not. */
static enum err_code add_named(struct status_report *r, struct err *e)
{
    for (uint32_t i = 0; i < r->config->tables.count; i++) {
        const char *glob = r->config->tables.items[i];
        const char *dot = strchr(glob, '.');
        char *schema = NULL;
        bool is_name = dot != NULL && strpbrk(glob, "*?") == NULL;

        /* The source knows how its names are really written. */
        if (is_name && !r->source.icase) {
            schema = str_ndup(glob, (size_t)(dot - glob));
            enum err_code rc = schema == NULL ? err_nomem(e) : add_if_chosen(r, schema, dot + 1, e);

            free(schema);
            ERR_TRY(rc);
        }
    }
    return ERR_OK;
}

static enum err_code find_tables(struct reading *reading, struct err *e)
{
    struct status_report *r = reading->r;
    struct table_choice schemas = {0};
    enum err_code rc = collect_schemas(reading, &schemas, e);

    for (uint32_t i = 0; i < reading->rows.count && rc == ERR_OK; i++) {
        const struct watermark *row = &reading->rows.items[i];

        rc = is_ours(reading, row) ? add_if_chosen(r, row->schema, row->table, e) : ERR_OK;
    }
    for (uint32_t i = 0; i < schemas.count && rc == ERR_OK; i++) {
        rc = catalog_list(reading->lake->catalog, schemas.tables[i].schema, on_listed, r, e);
        rc = rc == ERR_NOT_FOUND ? ERR_OK : rc; /* nothing was written there yet */
    }
    table_choice_deinit(&schemas);
    return rc == ERR_OK ? add_named(r, e) : rc;
}

/* ---- one table ---- */

static enum err_code keep_text(struct status_report *r, const char *text, const char **out,
                               struct err *e)
{
    *out = arena_strdup(&r->arena, text);
    return *out == NULL ? arena_fail(&r->arena, e, "the report") : ERR_OK;
}

static enum err_code take_checkpoint(struct status_report *r, const struct iceberg_metadata *m,
                                     struct status_table *t, uint64_t *ordinal, struct err *e)
{
    struct checkpoint c = {0};
    bool found;
    enum err_code rc = checkpoint_load(m, r->config->connection_name, &c, &found, e);

    if (rc == ERR_OK && found) {
        t->position = c.position;
        t->copied = c.copied;
        t->gone = c.gone;
        t->cut_us = c.time_us;
        t->log_created_s = c.log_created_s;
        t->anonymous = c.anonymous;
        *ordinal = c.ordinal;
        rc = keep_text(r, c.source, &t->source, e);
        if (rc == ERR_OK && c.gtids != NULL) {
            rc = keep_text(r, c.gtids, &t->gtids, e);
        }
    }
    checkpoint_deinit(&c);
    return rc;
}

static void take_metadata(const struct iceberg_metadata *m, struct status_table *t)
{
    int64_t snapshot_id = iceberg_metadata_snapshot_id(m);
    const char *rows =
        snapshot_id < 0 ? "0" : iceberg_metadata_summary(m, snapshot_id, "total-records");

    t->has_rows = rows != NULL && str_to_u64(span_str(rows), &t->rows);
    t->committed_ms = iceberg_metadata_last_updated_ms(m);
    t->snapshots = iceberg_metadata_snapshot_count(m);
}

/* The row counts where it is further than the checkpoint, as for a run (pipeline/table_state.h). */
static enum err_code take_watermark(const struct reading *reading, struct status_table *t,
                                    bool *moved, struct err *e)
{
    const struct watermark *row = watermarks_find(reading->watermarks, t->schema, t->name);
    struct status_report *r = reading->r;

    if (row == NULL) {
        return ERR_OK;
    }
    t->copied = t->copied || row->backfill_complete;
    if (row->has_updated_at && row->updated_at_us > t->cut_us) {
        t->cut_us = row->updated_at_us;
    }
    const struct log_place was = {.source = t->source, .position = t->position, .gtids = t->gtids};
    bool none = was.position.file[0] == '\0' && was.gtids == NULL;
    enum watermark_standing standing = WATERMARK_OTHERS;
    struct log_place at = {.source = t->source, .position = row->position};

    if (row->position.file[0] != '\0' && !none) {
        ERR_TRY(watermarks_compare(reading->watermarks, row, &was, "", &standing, e));
    }
    if (row->position.file[0] == '\0' || standing == WATERMARK_NOT_LATER) {
        return ERR_OK;
    }
    (void)watermarks_place(reading->watermarks, &row->position, &at);
    *moved = true;
    t->position = at.position;
    t->log_created_s = at.log_created_s;
    t->anonymous = at.anonymous;
    t->gtids = NULL;
    ERR_TRY(keep_text(r, at.source, &t->source, e));
    return at.gtids == NULL ? ERR_OK : keep_text(r, at.gtids, &t->gtids, e);
}

static enum status_state state_of(const struct status_table *t, bool exists, uint64_t ordinal,
                                  bool moved)
{
    bool has_position = t->position.file[0] != '\0' || t->gtids != NULL;

    if (!exists) {
        return has_position ? STATUS_DROPPED : STATUS_NEVER_COPIED;
    }
    if (!has_position) {
        return STATUS_NO_POSITION;
    }
    if (t->gone) {
        return STATUS_GONE;
    }
    /* The first commit is the copy; a watermark beyond it, or a second commit, came by following.
     */
    return t->copied && ordinal <= 1 && !moved ? STATUS_COPIED : STATUS_FOLLOWING;
}

static enum err_code read_table(const struct reading *reading, struct status_table *t,
                                struct err *e)
{
    struct catalog_table table = {0};
    uint64_t ordinal = 0;
    bool moved = false;
    enum err_code rc =
        catalog_load(reading->lake->catalog, (struct table_ident){t->schema, t->name}, &table, e);
    bool exists = rc == ERR_OK;

    if (exists) {
        take_metadata(table.metadata, t);
        rc = take_checkpoint(reading->r, table.metadata, t, &ordinal, e);
    } else if (rc == ERR_NOT_FOUND) {
        rc = ERR_OK;
    }
    catalog_table_deinit(&table);
    if (rc == ERR_OK) {
        /* Only a table with a checkpoint tells whether the row went beyond it. */
        rc = take_watermark(reading, t, &moved, e);
    }
    if (rc == ERR_OK) {
        t->state = state_of(t, exists, ordinal, moved && ordinal > 0);
        t->lag_bytes = status_lag_bytes(&reading->r->source, &t->position, t->source);
    }
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    const struct chosen_table *x = a;
    const struct chosen_table *y = b;
    int order = strcmp(x->schema, y->schema);

    return order != 0 ? order : strcmp(x->name, y->name);
}

static enum err_code read_tables(const struct reading *reading, struct err *e)
{
    struct status_report *r = reading->r;
    uint32_t kept = 0;

    r->tables = arena_alloc(&r->arena, r->names.count, sizeof *r->tables);
    if (r->tables == NULL) {
        return arena_fail(&r->arena, e, "the report");
    }
    if (r->names.count > 0) {
        qsort(r->names.tables, r->names.count, sizeof *r->names.tables, compare_names);
    }
    for (uint32_t i = 0; i < r->names.count; i++) {
        struct status_table t = {.schema = r->names.tables[i].schema,
                                 .name = r->names.tables[i].name,
                                 .source = "",
                                 .lag_bytes = -1};
        struct err why = {0};
        enum err_code rc = read_table(reading, &t, &why);

        if (rc == ERR_NOMEM) {
            return err_nomem(e);
        }
        if (rc != ERR_OK) {
            /* One table that cannot be read does not hide the others. */
            t.state = STATUS_UNREADABLE;
            ERR_TRY(keep_text(r, why.msg, &t.problem, e));
        }
        if (r->config->tables.count > 0 || t.state != STATUS_NO_POSITION) {
            r->names.tables[kept] = r->names.tables[i];
            r->tables[kept++] = t;
        }
    }
    r->names.count = kept;
    return ERR_OK;
}

enum err_code status_read_lake(struct status_report *r, struct lake *lake, struct err *e)
{
    struct reading reading = {.r = r, .lake = lake};
    const struct watermarks_options options = {
        .catalog = lake->catalog,
        .store = lake->store,
        .location = "",
        .connection = r->config->connection_name,
        .server_id = (int64_t)r->config->mysql.server_id,
        .clock = clock_system(),
    };
    enum err_code rc = watermarks_new(&options, &reading.watermarks, e);

    if (rc == ERR_OK) {
        rc = watermarks_load(reading.watermarks, false, e);
    }
    if (rc == ERR_OK) {
        rc = status_read_watermarks(lake, &reading.rows, e);
    }
    if (rc == ERR_OK) {
        rc = find_tables(&reading, e);
    }
    if (rc == ERR_OK) {
        rc = read_tables(&reading, e);
    }
    watermark_rows_deinit(&reading.rows);
    watermarks_free(reading.watermarks);
    return rc;
}
