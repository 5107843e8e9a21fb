#include "pipeline/table_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "pipeline/changelog.h"

static enum err_code set_place(struct followed_table *t, const struct log_place *place,
                               struct err *e)
{
    t->source.position = place->position;
    t->source.log_created_s = place->log_created_s;
    t->source.anonymous = place->anonymous;
    (void)snprintf(t->source.server, sizeof t->source.server, "%s", place->source);
    gtid_set_free(t->source.gtids);
    t->source.gtids = NULL;
    return place->gtids == NULL ? ERR_OK : log_place_parse_gtids(place, &t->source.gtids, e);
}

/* A position of another server says nothing; a GTID set is looked at before reading begins. */
static enum err_code refuse_foreign(const struct run *run, const struct followed_table *t,
                                    struct err *e)
{
    if (t->source.gtids != NULL || t->source.server[0] == '\0' ||
        strcmp(t->source.server, run->source) == 0) {
        return ERR_OK;
    }
    return err_set(e, ERR_SOURCE,
                   "%s was followed on another server (%s, up to %s:%llu) than this one (%s), and "
                   "without GTIDs: positions of the two do not compare. Connect to that server "
                   "again, or give this one a connection-name of its own and copy the table into "
                   "another warehouse",
                   t->full_name, t->source.server, t->source.position.file,
                   (unsigned long long)t->source.position.offset, run->source);
}

/* Takes the checkpoint that the table's metadata carries. */
static enum err_code take_checkpoint(struct run *run, struct followed_table *t,
                                     const struct iceberg_metadata *metadata, bool *found,
                                     struct err *e)
{
    struct checkpoint *c = &t->commit.expected;

    ERR_TRY(checkpoint_load(metadata, run->options->connection, c, found, e));
    if (!*found) {
        return ERR_OK;
    }
    t->commit.backfill_complete = c->copied;
    t->commit.gone = c->gone;
    t->commit.def = NULL;
    t->source.assumed = !c->gone && c->def == NULL;
    t->source.inside = c->inside;
    if (c->gone) {
        t->source.def = NULL;
    }
    /* The checkpoint ends with the next commit; its definition is needed as long as the table. */
    if (c->def != NULL) {
        struct table_def *def = table_def_copy(c->def, &t->arena);

        if (def == NULL) {
            return arena_fail(&t->arena, e, "table definition");
        }
        t->commit.def = def;
        t->source.def = def;
    }
    const struct log_place place = checkpoint_place(c);

    return set_place(t, &place, e);
}

static enum err_code take_metadata(struct run *run, struct followed_table *t, bool *found,
                                   bool *has_rows, struct err *e)
{
    struct catalog_table table = {0};
    char why[256];
    enum err_code rc = catalog_load(run->catalog, t->ident, &table, e);

    if (rc == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    ERR_TRY(rc);
    t->commit.exists = true;
    *has_rows = iceberg_metadata_snapshot_id(table.metadata) >= 0;
    char *location = str_dup(iceberg_metadata_location(table.metadata));

    if (location == NULL) {
        rc = err_nomem(e);
    } else if (!iceberg_metadata_has_fields(table.metadata, changelog_schema(), why, sizeof why)) {
        rc = err_set(e, ERR_CONFIG,
                     "the Iceberg table %s is no changelog table (%s): rename it, or use another "
                     "warehouse",
                     t->full_name, why);
    } else {
        rc = take_checkpoint(run, t, table.metadata, found, e);
    }
    if (location != NULL) {
        free(t->location);
        t->location = location;
    }
    catalog_table_deinit(&table);
    return rc;
}

/*
 * Somebody dropped the table to have it copied again: its old watermark says nothing, also when a
 * run made the table anew and was killed before it had rows.
 */
static bool is_begun_anew(const struct run *run, const struct followed_table *table, bool has_rows)
{
    return !table->commit.exists || (!has_rows && run->options->snapshot == RUN_SNAPSHOT_INITIAL);
}

static enum err_code take_row(const struct watermarks *watermarks, const struct watermark *row,
                              struct followed_table *table, struct err *e)
{
    struct log_place place = {.source = "", .position = row->position};

    (void)watermarks_place(watermarks, &row->position, &place);
    table->source.inside = false;
    return set_place(table, &place, e);
}

/*
 * The row is the Python service's, say. It may lie inside of a transaction, and how the table
 * looked there nobody has written down: `now` is how it looks on the server; NULL: it has none.
 */
static enum err_code take_others_row(const struct watermark *row, const char *source,
                                     const struct table_def *now, struct followed_table *table,
                                     struct err *e)
{
    const struct log_place place = {.source = source, .position = row->position};

    table->source.assumed = true;
    table->source.inside = true;
    if (now != NULL) {
        table->source.def = now;
        table->commit.gone = false;
    }
    table->commit.def = NULL;
    table->commit.outrun = table->commit.expected.ordinal > 0;
    return set_place(table, &place, e);
}

static enum err_code choose_place(const struct run *run, const struct watermarks *watermarks,
                                  const struct watermark *row, const struct table_def *now,
                                  struct followed_table *table, bool found, struct err *e)
{
    const struct log_place was = checkpoint_place(&table->commit.expected);
    enum watermark_standing standing = WATERMARK_OTHERS;

    if (found) {
        ERR_TRY(watermarks_compare(watermarks, row, &was, run->source, &standing, e));
    }
    if (standing == WATERMARK_OTHERS) {
        const char *server = found ? was.source : "";

        ERR_TRY(take_others_row(row, server, now, table, e));
    } else if (standing == WATERMARK_LATER) {
        ERR_TRY(take_row(watermarks, row, table, e));
    }
    return refuse_foreign(run, table, e);
}

enum err_code table_state_load(struct run *run, const struct watermarks *watermarks,
                               struct followed_table *table, struct err *e)
{
    const struct watermark *row = watermarks_find(watermarks, table->schema, table->name);
    const struct table_def *now = table->source.def; /* a checkpoint's takes its place */
    bool found = false;
    bool has_rows = false;
    enum err_code rc = take_metadata(run, table, &found, &has_rows, e);

    if (rc != ERR_OK) {
        err_wrap(e, "table %s", table->full_name);
        return rc;
    }
    bool has_mark = row != NULL && row->position.file[0] != '\0';

    if (row != NULL && row->backfill_complete) {
        table->commit.backfill_complete = true;
    }
    if (row != NULL && !found && is_begun_anew(run, table, has_rows)) {
        table->commit.backfill_complete = false;
        table->commit.stale_mark = has_mark || row->backfill_complete;
        return ERR_OK;
    }
    if (has_mark) {
        return choose_place(run, watermarks, row, now, table, found, e);
    }
    if (!found && has_rows) {
        return err_set(e, ERR_CONFIG,
                       "the Iceberg table %s has rows, but neither a checkpoint nor a watermark of "
                       "connection '%s': whose are they? Set connection-name (and "
                       "CDC_SERVER_ID) as they were, or drop the Iceberg table",
                       table->full_name, run->options->connection);
    }
    return refuse_foreign(run, table, e);
}

/* Where the catalog has put it. */
static enum err_code take_location(struct run *run, struct followed_table *table, struct err *e)
{
    struct catalog_table created = {0};

    ERR_TRY(catalog_load(run->catalog, table->ident, &created, e));
    char *location = str_dup(iceberg_metadata_location(created.metadata));

    catalog_table_deinit(&created);
    if (location == NULL) {
        return err_nomem(e);
    }
    free(table->location);
    table->location = location;
    return ERR_OK;
}

static enum err_code create(struct run *run, struct followed_table *table,
                            const struct iceberg_property *properties, uint32_t property_count,
                            struct err *e)
{
    const struct catalog_create_options options = {
        .location = table->location,
        .schema = changelog_schema(),
        .partition = changelog_partition(),
        .properties = properties,
        .property_count = property_count,
    };
    enum err_code rc = catalog_create(run->catalog, table->ident, &options, e);

    if (rc == ERR_EXISTS) {
        return err_set(e, ERR_FENCED,
                       "another process has created the Iceberg table %s meanwhile: stop one of "
                       "the two",
                       table->full_name);
    }
    table->commit.exists = rc == ERR_OK;
    table->commit.made = rc == ERR_OK;
    return rc == ERR_OK && table->location[0] == '\0' ? take_location(run, table, e) : rc;
}

static enum err_code create_at(struct run *run, struct followed_table *table,
                               const struct checkpoint *first, struct err *e)
{
    struct buf json = {0};
    char *key = checkpoint_property(run->options->connection);
    enum err_code rc = key == NULL ? err_nomem(e) : checkpoint_print(first, &json, e);
    const char *text = rc == ERR_OK ? buf_cstr(&json) : NULL;

    if (rc == ERR_OK) {
        const struct iceberg_property property = {key, text};

        rc = text == NULL ? err_nomem(e) : create(run, table, &property, 1, e);
    }
    buf_deinit(&json);
    free(key);
    return rc;
}

enum err_code table_state_create(struct run *run, struct followed_table *table,
                                 const struct checkpoint *first, struct err *e)
{
    if (table->commit.exists) {
        return ERR_OK;
    }
    return first == NULL ? create(run, table, NULL, 0, e) : create_at(run, table, first, e);
}

enum err_code table_start(struct run *run, struct watermarks *watermarks,
                          struct followed_table *table, struct err *e)
{
    const struct log_place at = checkpoint_place(&table->commit.expected);

    if (table->commit.start_due) {
        ERR_TRY(table_state_create(run, table, &table->commit.expected, e));
        table->commit.start_due = false;
    }
    log_info(run->log, "table.started", LOG_STR("table", table->full_name),
             LOG_STR("file", at.position.file), LOG_U64("pos", at.position.offset),
             LOG_STR("gtids", at.gtids));
    const struct watermark_update update = {
        .schema = table->schema,
        .table = table->name,
        .restart = table->commit.made,
    };

    return at.position.file[0] == '\0' ? ERR_OK : watermarks_owe(watermarks, &update, &at, e);
}

enum err_code table_state_watermark_lags(const struct watermarks *watermarks,
                                         const struct followed_table *table, bool *out,
                                         struct err *e)
{
    const struct checkpoint *c = &table->commit.expected;
    const struct watermark *row = watermarks_find(watermarks, table->schema, table->name);
    const struct log_place was = checkpoint_place(c);
    struct log_place at;

    *out = false;
    if (c->ordinal == 0 || c->position.file[0] == '\0') {
        return ERR_OK;
    }
    if (row == NULL || row->position.file[0] == '\0' || (c->copied && !row->backfill_complete)) {
        *out = true;
        return ERR_OK;
    }
    if (!watermarks_place(watermarks, &row->position, &at) || strcmp(at.source, was.source) == 0) {
        *out = binlog_position_compare(&c->position, &row->position) > 0;
        return ERR_OK;
    }
    bool reaches = false;
    enum err_code rc = log_place_reaches(&at, &was, &reaches, e);

    *out = !reaches;
    return rc;
}
