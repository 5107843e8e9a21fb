#include "pipeline/table_commit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

#define SUMMARY_KEYS 7u
#define NUMBER_BYTES 24u

enum err_code checkpoint_next(const struct run *run, const struct followed_table *table,
                              const struct log_place *at, int64_t time_us, bool with_rows,
                              struct checkpoint *out, struct err *e)
{
    const struct checkpoint *was = &table->commit.expected;

    *out = (struct checkpoint){
        .ordinal = was->ordinal + 1,
        .data_ordinal = with_rows ? was->ordinal + 1 : was->data_ordinal,
        .position = at->position,
        .log_created_s = at->log_created_s,
        .anonymous = at->anonymous,
        .time_us = time_us,
        .copied = was->copied,
        .gone = table->commit.gone,
    };
    (void)snprintf(out->run, sizeof out->run, "%s", run->id);
    (void)snprintf(out->source, sizeof out->source, "%s", at->source);
    if (at->gtids != NULL) {
        out->gtids = str_dup(at->gtids);
    }
    if (table->commit.def != NULL) {
        out->def = table_def_copy(table->commit.def, &out->arena);
    }
    if ((at->gtids != NULL && out->gtids == NULL) ||
        (table->commit.def != NULL && out->def == NULL)) {
        checkpoint_deinit(out);
        return err_nomem(e);
    }
    return ERR_OK;
}

/* What the check of a commit attempt compares. */
struct fence {
    const char *connection;
    const char *table;
    const struct checkpoint *expected;
    const struct checkpoint *next;
};

static bool same_checkpoint(const struct checkpoint *a, const struct checkpoint *b)
{
    return a->ordinal == b->ordinal && strcmp(a->run, b->run) == 0;
}

static enum commit_verdict check_fence(void *ctx, const struct iceberg_metadata *current,
                                       struct err *e)
{
    const struct fence *f = ctx;
    struct checkpoint found = {0};
    bool is_there;
    enum commit_verdict verdict = COMMIT_REFUSE;

    if (checkpoint_load(current, f->connection, &found, &is_there, e) != ERR_OK) {
        checkpoint_deinit(&found);
        return COMMIT_REFUSE;
    }
    if (is_there && same_checkpoint(&found, f->next)) {
        verdict = COMMIT_ALREADY_DONE;
    } else if (is_there ? same_checkpoint(&found, f->expected) : f->expected->ordinal == 0) {
        verdict = COMMIT_PROCEED;
    } else {
        (void)err_set(e, ERR_FENCED,
                      "another process writes %s as connection '%s' (run %s, commit %llu; this run "
                      "expected commit %llu). Stop one of the two, or give it another "
                      "connection-name",
                      f->table, f->connection, is_there ? found.run : "none",
                      (unsigned long long)found.ordinal, (unsigned long long)f->expected->ordinal);
    }
    checkpoint_deinit(&found);
    return verdict;
}

/* What a catalog_change points to. */
struct change_parts {
    struct buf json;
    char ordinal[NUMBER_BYTES];
    char offset[NUMBER_BYTES];
    struct iceberg_property summary[SUMMARY_KEYS];
    struct iceberg_property property;
    struct fence fence;
    struct catalog_change change;
};

static enum err_code make_change(struct run *run, const struct table_commit *t, const char *key,
                                 struct change_parts *p, struct err *e)
{
    const struct run_options *o = run->options;
    const struct checkpoint *next = &t->next;

    ERR_TRY(checkpoint_print(next, &p->json, e));
    const char *text = buf_cstr(&p->json);

    if (text == NULL) {
        return err_nomem(e);
    }
    (void)snprintf(p->ordinal, NUMBER_BYTES, "%llu", (unsigned long long)next->ordinal);
    (void)snprintf(p->offset, NUMBER_BYTES, "%llu", (unsigned long long)next->position.offset);
    const struct iceberg_property summary[SUMMARY_KEYS] = {
        {"calve.connection", o->connection},
        {"calve.run", run->id},
        {"calve.ordinal", p->ordinal},
        {"calve.source", next->source},
        {"calve.file", next->position.file},
        {"calve.pos", p->offset},
        {"calve.gtid", next->gtids == NULL ? "" : next->gtids},
    };

    memcpy(p->summary, summary, sizeof summary);
    p->property = (struct iceberg_property){key, text};
    p->fence = (struct fence){o->connection, t->table->full_name, &t->table->commit.expected, next};
    p->change = (struct catalog_change){
        .change =
            {
                .added = t->files == NULL ? NULL : t->files->files,
                .added_count = t->files == NULL ? 0 : t->files->count,
                .summary = p->summary,
                .summary_count = next->gtids == NULL ? SUMMARY_KEYS - 1 : SUMMARY_KEYS,
                .properties = &p->property,
                .property_count = 1,
                .retention = o->retention,
            },
        .check = check_fence,
        .check_ctx = &p->fence,
        .cancelled = run_gives_up,
        .cancelled_ctx = run,
    };
    return ERR_OK;
}

static void note_committed(struct run *run, struct table_commit *t,
                           const struct catalog_commit_result *result)
{
    checkpoint_deinit(&t->table->commit.expected);
    t->table->commit.expected = t->next;
    t->next = (struct checkpoint){0};
    log_debug(run->log, "snapshot.committed", LOG_STR("table", t->table->full_name),
              LOG_I64("snapshot_id", result->snapshot_id),
              LOG_U64("files", t->files == NULL ? 0 : t->files->count),
              LOG_U64("attempts", result->attempts));
}

static enum err_code make_items(struct run *run, struct table_commit *tables, uint32_t count,
                                const char *key, struct change_parts *parts,
                                struct catalog_commit_item *items, struct err *e)
{
    for (uint32_t i = 0; i < count; i++) {
        enum err_code rc = make_change(run, &tables[i], key, &parts[i], e);

        if (rc != ERR_OK) {
            err_wrap(e, "committing %s", tables[i].table->full_name);
            return rc;
        }
        items[i] =
            (struct catalog_commit_item){.id = tables[i].table->ident, .change = &parts[i].change};
    }
    return ERR_OK;
}

/* The first table that is not committed; NULL: all are. */
static const struct followed_table *take_results(struct run *run, struct table_commit *tables,
                                                 uint32_t count,
                                                 const struct catalog_commit_item *items)
{
    const struct followed_table *first = NULL;

    for (uint32_t i = 0; i < count; i++) {
        if (items[i].committed) {
            note_committed(run, &tables[i], &items[i].result);
        } else if (first == NULL) {
            first = tables[i].table;
        }
    }
    return first;
}

static enum err_code commit_items(struct run *run, struct table_commit *tables, uint32_t count,
                                  struct catalog_commit_item *items, struct rows_commit *rows,
                                  struct err *e)
{
    bool with_rows = rows != NULL && watermarks_item(&rows->move, &items[count]);
    uint32_t total = with_rows ? count + 1 : count;
    enum err_code rc = total == 0 ? ERR_OK : catalog_commit_all(run->catalog, items, total, e);
    const struct followed_table *failed = take_results(run, tables, count, items);

    if (failed != NULL) {
        err_wrap(e, "committing %s", failed->full_name);
        return rc;
    }
    return with_rows ? watermarks_settle(rows->watermarks, &rows->move, &items[count], rc, e) : rc;
}

enum err_code table_commit_all(struct run *run, struct table_commit *tables, uint32_t count,
                               struct rows_commit *rows, struct err *e)
{
    struct catalog_commit_item items[TABLE_COMMITS_MAX + 1];
    struct change_parts *parts = calloc((size_t)count + 1, sizeof *parts);
    char *key = checkpoint_property(run->options->connection);
    enum err_code rc = parts == NULL || key == NULL ? err_nomem(e) : ERR_OK;

    assert(count <= TABLE_COMMITS_MAX);
    if (rc == ERR_OK) {
        rc = make_items(run, tables, count, key, parts, items, e);
    }
    if (rc == ERR_OK && rows != NULL) {
        rc = watermarks_prepare(rows->watermarks, &rows->move, e);
    }
    if (rc == ERR_OK) {
        rc = commit_items(run, tables, count, items, rows, e);
    }
    if (rows != NULL) {
        watermarks_give_up(&rows->move);
    }
    for (uint32_t i = 0; parts != NULL && i < count; i++) {
        buf_deinit(&parts[i].json);
    }
    free(parts);
    free(key);
    return rc;
}

enum err_code table_commit_one(struct run *run, struct followed_table *table,
                               struct data_file_list *files, struct checkpoint *next,
                               struct rows_commit *rows, struct err *e)
{
    struct table_commit one = {.table = table, .files = files, .next = *next};
    enum err_code rc = table_commit_all(run, &one, 1, rows, e);

    *next = one.next;
    return rc;
}
