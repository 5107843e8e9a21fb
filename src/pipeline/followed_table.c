#include "pipeline/followed_table.h"

#include <stdlib.h>

#include "base/str.h"
#include "mysql/table_map.h"

#define TABLE_ID_BYTES      6u
#define MAP_ARENA_BYTES_MAX ((size_t)64 << 20)

enum err_code followed_table_new(const char *schema, const char *name, const char *location,
                                 struct followed_table **out, struct err *e)
{
    struct followed_table *t = calloc(1, sizeof *t);

    if (t == NULL) {
        return err_nomem(e);
    }
    t->schema = str_dup(schema);
    t->name = str_dup(name);
    t->full_name = str_format("%s.%s", schema, name);
    t->location = str_dup(location);
    if (t->schema == NULL || t->name == NULL || t->full_name == NULL || t->location == NULL) {
        followed_table_free(t);
        return err_nomem(e);
    }
    t->ident = (struct table_ident){t->schema, t->name};
    *out = t;
    return ERR_OK;
}

static void plan_free(struct table_plan *p)
{
    if (p != NULL) {
        json_sink_free(p->sink);
        row_plan_free(p->rows);
        buf_deinit(&p->map_body);
        free(p);
    }
}

void followed_table_free(struct followed_table *t)
{
    if (t == NULL) {
        return;
    }
    while (t->source.plans != NULL) {
        struct table_plan *next = t->source.plans->next;

        plan_free(t->source.plans);
        t->source.plans = next;
    }
    for (uint32_t i = 0; i < t->decode.batch_count; i++) {
        column_batch_free(t->decode.batches[i].batch);
    }
    gtid_set_free(t->source.gtids);
    buf_deinit(&t->source.passed_map);
    table_writer_free(t->writer);
    checkpoint_deinit(&t->commit.expected);
    arena_deinit(&t->arena);
    free(t->schema);
    free(t->name);
    free(t->full_name);
    free(t->location);
    free(t);
}

static enum err_code plan_new(struct followed_table *t, struct span body, struct span key,
                              struct table_plan **out, struct err *e)
{
    struct table_plan *p = calloc(1, sizeof *p);
    struct arena arena;
    struct table_map map;

    if (p == NULL) {
        return err_nomem(e);
    }
    arena_init(&arena, MAP_ARENA_BYTES_MAX);
    enum err_code rc = table_map_parse(body, &arena, &map, e);

    if (rc == ERR_OK) {
        rc = row_plan_new(&map, t->source.def, &p->rows, e);
    }
    if (rc == ERR_OK) {
        p->def = t->source.def;
        p->sink = json_sink_new(row_plan_def(p->rows));
        buf_append_span(&p->map_body, key);
        rc = p->sink == NULL || p->map_body.failed != ERR_OK ? err_nomem(e) : ERR_OK;
    }
    arena_deinit(&arena);
    if (rc != ERR_OK) {
        plan_free(p);
        return rc;
    }
    *out = p;
    return ERR_OK;
}

enum err_code followed_table_plan(struct followed_table *t, struct span map_event_body,
                                  struct err *e)
{
    if (map_event_body.len < TABLE_ID_BYTES) {
        return err_set(e, ERR_CORRUPT, "table map event of %zu bytes", map_event_body.len);
    }
    /* The id changes when the server opens the table again; all else decides the plan. */
    struct span key =
        span_of(map_event_body.data + TABLE_ID_BYTES, map_event_body.len - TABLE_ID_BYTES);
    struct table_plan *p = t->source.plan;

    if (p != NULL && p->def == t->source.def && span_eq(buf_span(&p->map_body), key)) {
        return ERR_OK;
    }
    for (p = t->source.plans; p != NULL; p = p->next) {
        if (p->def == t->source.def && span_eq(buf_span(&p->map_body), key)) {
            t->source.plan = p;
            return ERR_OK;
        }
    }
    enum err_code rc = plan_new(t, map_event_body, key, &p, e);

    if (rc != ERR_OK || p == NULL) {
        return rc;
    }
    p->next = t->source.plans;
    t->source.plans = p;
    t->source.plan = p;
    return ERR_OK;
}
