/* follow_rows.c - rows events on their way to the lanes. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "mysql/row_image.h"
#include "mysql/table_map.h"
#include "pipeline/follow_int.h"

#define SLAB_BYTES     ((size_t)256 << 10)
#define DUMMY_TABLE_ID 0xffffffu

static bool name_is(const struct follow *f, struct span logged, const char *name)
{
    return f->options.icase ? span_ieq_str(logged, name) : span_eq_str(logged, name);
}

struct followed_table *follow_find_table(const struct follow *f, struct span schema,
                                         struct span name)
{
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        if (name_is(f, name, t->name) && name_is(f, schema, t->schema)) {
            return t;
        }
    }
    return NULL;
}

/* The id's slot, or the free one that it would get; NULL when all are taken. */
static struct table_id_slot *slot_of(struct follow *f, uint64_t id)
{
    for (uint64_t i = 0; i < TABLE_IDS_MAX; i++) {
        struct table_id_slot *s = &f->ids[(id + i) % TABLE_IDS_MAX];

        if (!s->used || s->id == id) {
            return s;
        }
    }
    return NULL;
}

/* A statement's table maps come before its rows and hold to its end, as on a replica. */
static enum err_code note_table_id(struct follow *f, uint64_t id, struct followed_table *t,
                                   struct err *e)
{
    if (f->statement_ended && f->id_count >= TABLE_IDS_MAX / 2) {
        memset(f->ids, 0, sizeof f->ids);
        f->id_count = 0;
    }
    f->statement_ended = false;
    struct table_id_slot *s = slot_of(f, id);

    if (s == NULL) {
        return err_set(e, ERR_LIMIT, "a statement that changes more than %u tables", TABLE_IDS_MAX);
    }
    f->id_count += s->used ? 0 : 1;
    *s = (struct table_id_slot){.used = true, .id = id, .table = t};
    return ERR_OK;
}

/*
 * Whether to go by GTID. The sequence numbers of a MariaDB domain may go back, so there the place
 * in the log decides, if it is known and of the same server.
 */
static bool goes_by_gtid(const struct followed_table *t, const struct gtid *gtid)
{
    return t->source.gtids != NULL && gtid->present &&
           (gtid->flavor == GTID_FLAVOR_MYSQL || t->source.position.file[0] == '\0' ||
            t->source.foreign);
}

/* Whether the table has this event's transaction already, from before a restart. */
bool follow_is_in_table(struct follow *f, struct followed_table *t, const struct binlog_event *ev)
{
    if (t->source.caught_up) {
        return false;
    }
    if (t->source.skip_serial == f->txn.serial) {
        return t->source.skip_this;
    }
    bool skip;

    if (goes_by_gtid(t, &f->txn.gtid)) {
        skip = gtid_set_contains(t->source.gtids, &f->txn.gtid);
    } else {
        /* A transaction lies wholly before or wholly after the end of another. */
        skip = binlog_position_compare(&ev->end, &t->source.position) <= 0;
        t->source.caught_up = !skip;
        if (t->source.inside) {
            return skip;
        }
    }
    t->source.skip_serial = f->txn.serial;
    t->source.skip_this = skip;
    return skip;
}

static enum err_code use_table_map(struct follow *f, struct followed_table *t, struct span body,
                                   const struct binlog_position *end, struct err *e)
{
    if (!f->txn.xa) {
        ERR_TRY(follow_schema_join(f, t, e));
    }
    if (t->source.def == NULL && f->txn.xa) {
        t->source.misfit = true;
        return ERR_OK;
    }
    if (t->source.def == NULL) {
        return err_set(e, ERR_SOURCE,
                       "%s:%llu holds rows of %s, which the source did not have at that place as "
                       "far as calve knows: copy it again: drop the Iceberg table and run backfill",
                       end->file, (unsigned long long)end->offset, t->full_name);
    }
    enum err_code rc = followed_table_plan(t, body, e);

    if (rc == ERR_CONFLICT && f->txn.xa) {
        /* Its end decides whether the table has the rows already, and is past them. */
        t->source.misfit = true;
        return ERR_OK;
    }
    t->source.misfit = false;

    if (rc == ERR_CONFLICT) {
        err_wrap(
            e,
            "%s at %s:%llu does not look as calve knows it (was it altered without the "
            "statement in the binlog?). Copy it again: drop the Iceberg table and run backfill",
            t->full_name, end->file, (unsigned long long)end->offset);
    } else if (rc != ERR_OK) {
        err_wrap(e, "%s at %s:%llu", t->full_name, end->file, (unsigned long long)end->offset);
    }
    return rc;
}

/* Rows of its statement may come behind the position that the map lies in front of. */
static enum err_code pass_table_map(struct followed_table *t, struct span body, struct err *e)
{
    if (!t->source.inside) {
        return ERR_OK;
    }
    buf_reset(&t->source.passed_map);
    buf_append_span(&t->source.passed_map, body);
    return buf_check(&t->source.passed_map, e, "a table map");
}

enum err_code follow_table_map(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    uint64_t id;
    struct span schema;
    struct span name;

    ERR_TRY(table_map_peek(ev->body, &id, &schema, &name, e));
    struct followed_table *t = follow_find_table(f, schema, name);

    ERR_TRY(note_table_id(f, id, t, e));
    if (t == NULL) {
        return ERR_OK;
    }
    return !f->txn.xa && follow_is_in_table(f, t, ev) ? pass_table_map(t, ev->body, e)
                                                      : use_table_map(f, t, ev->body, &ev->end, e);
}

static struct slab *slab_for(struct follow *f, unsigned lane, const char *file)
{
    struct slab *s = f->slabs[lane];

    if (s == NULL) {
        s = calloc(1, sizeof *s);
        if (s != NULL) {
            s->kind = SLAB_ROWS;
            (void)snprintf(s->log_file, sizeof s->log_file, "%s", file);
            f->slabs[lane] = s;
        }
    }
    return s;
}

static enum err_code send_slab(struct follow *f, unsigned lane, struct err *e)
{
    struct slab *s = f->slabs[lane];

    f->slabs[lane] = NULL;
    if (s == NULL) {
        return ERR_OK;
    }
    enum err_code rc = buf_check(&s->bytes, e, "rows events");

    if (rc != ERR_OK) {
        slab_free(s);
        return rc;
    }
    return lane_push(f->options.lanes[lane], s) ? ERR_OK
                                                : err_set(e, ERR_CANCELLED, "the run has ended");
}

enum err_code follow_send_slabs(struct follow *f, struct err *e)
{
    for (unsigned i = 0; i < f->options.lane_count; i++) {
        ERR_TRY(send_slab(f, i, e));
    }
    return ERR_OK;
}

enum err_code follow_route(struct follow *f, const char *file, const struct slab_entry *entry,
                           struct span body, struct err *e)
{
    unsigned lane = entry->table->lane;
    struct slab *s = f->slabs[lane];

    if (s != NULL && strcmp(s->log_file, file) != 0) {
        ERR_TRY(send_slab(f, lane, e));
    }
    s = slab_for(f, lane, file);
    if (s == NULL) {
        return err_nomem(e);
    }
    buf_append(&s->bytes, entry, sizeof *entry);
    buf_append_span(&s->bytes, body);
    f->txn.routed = true;
    f->rows_since_cut = true;
    return s->bytes.len >= SLAB_BYTES || s->bytes.failed != ERR_OK ? send_slab(f, lane, e) : ERR_OK;
}

static enum err_code put_rows(struct follow *f, struct followed_table *t,
                              const struct binlog_event *ev, struct err *e)
{
    const struct slab_entry entry = {
        .table = t,
        .plan = t->source.misfit ? &follow_misfit : t->source.plan,
        .log_position = ev->end.offset,
        .timestamp_s = ev->header.timestamp_s,
        .body_bytes = (uint32_t)ev->body.len,
        .event_type = ev->header.type,
    };

    return follow_put(f, ev->end.file, &entry, ev->body, e);
}

enum err_code follow_put_mark(struct follow *f, struct followed_table *t,
                              const struct binlog_event *ev, const char *event_type,
                              struct span payload, struct err *e)
{
    struct buf body = {0};
    struct slab_entry entry = {
        .table = t,
        .log_position = ev->end.offset,
        .timestamp_s = ev->header.timestamp_s,
    };

    buf_append(&body, event_type, strlen(event_type) + 1);
    buf_append_span(&body, payload);
    enum err_code rc = buf_check(&body, e, "a statement");

    if (rc == ERR_OK) {
        entry.body_bytes = (uint32_t)body.len;
        rc = follow_put(f, ev->end.file, &entry, buf_span(&body), e);
    }
    buf_deinit(&body);
    return rc;
}

enum err_code follow_rows(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    uint64_t id;

    ERR_TRY(rows_event_table_id(ev->header.type, ev->body, &id, &f->statement_ended, e));
    const struct table_id_slot *slot = slot_of(f, id);

    if (id == DUMMY_TABLE_ID) {
        return ERR_OK;
    }
    if (slot == NULL || !slot->used) {
        return err_set(e, ERR_CORRUPT,
                       "rows event at %s:%llu for table id %llu without a table map", ev->end.file,
                       (unsigned long long)ev->end.offset, (unsigned long long)id);
    }
    if (!f->txn.open) {
        return err_set(e, ERR_CORRUPT, "rows event at %s:%llu outside a transaction", ev->end.file,
                       (unsigned long long)ev->end.offset);
    }
    struct followed_table *t = slot->table;
    bool was_caught_up = t == NULL || t->source.caught_up;

    if (t == NULL || (!f->txn.xa && follow_is_in_table(f, t, ev))) {
        return ERR_OK;
    }
    if (!was_caught_up && t->source.inside && !f->txn.xa) {
        ERR_TRY(use_table_map(f, t, buf_span(&t->source.passed_map), &ev->end, e));
    }
    if (follow_passes_until(f, &ev->end)) {
        f->done = true;
        return ERR_OK;
    }
    return put_rows(f, t, ev, e);
}
