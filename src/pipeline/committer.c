#include "pipeline/committer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

struct committer {
    struct committer_options options;
    pthread_t thread;
    struct cut *waiting; /* cuts of which some lanes have not delivered, oldest first */
    struct cut_part *parts;
};

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

enum err_code commit_table(struct run *run, struct followed_table *table,
                           struct data_file_list *files, struct checkpoint *next, struct err *e)
{
    const struct run_options *o = run->options;
    struct buf json = {0};
    struct catalog_commit_result result = {0};
    char ordinal[24];
    char offset[24];
    char *key = checkpoint_property(o->connection);
    enum err_code rc = key == NULL ? err_nomem(e) : checkpoint_print(next, &json, e);
    const char *text = rc == ERR_OK ? buf_cstr(&json) : NULL;

    if (rc == ERR_OK && text == NULL) {
        rc = err_nomem(e);
    }
    if (rc == ERR_OK) {
        (void)snprintf(ordinal, sizeof ordinal, "%llu", (unsigned long long)next->ordinal);
        (void)snprintf(offset, sizeof offset, "%llu", (unsigned long long)next->position.offset);
        struct iceberg_property summary[] = {
            {"calve.connection", o->connection},
            {"calve.run", run->id},
            {"calve.ordinal", ordinal},
            {"calve.source", next->source},
            {"calve.file", next->position.file},
            {"calve.pos", offset},
            {"calve.gtid", next->gtids == NULL ? "" : next->gtids},
        };
        struct iceberg_property property = {key, text};
        struct fence fence = {o->connection, table->full_name, &table->commit.expected, next};

        rc = catalog_commit(run->catalog, table->ident,
                            &(struct catalog_change){
                                .change =
                                    {
                                        .added = files->files,
                                        .added_count = files->count,
                                        .summary = summary,
                                        .summary_count = next->gtids == NULL ? 6 : 7,
                                        .properties = &property,
                                        .property_count = 1,
                                        .retention = o->retention,
                                    },
                                .check = check_fence,
                                .check_ctx = &fence,
                                .cancelled = run_gives_up,
                                .cancelled_ctx = run,
                            },
                            &result, e);
    }
    free(key);
    buf_deinit(&json);
    if (rc != ERR_OK) {
        err_wrap(e, "committing %s", table->full_name);
        return rc;
    }
    checkpoint_deinit(&table->commit.expected);
    table->commit.expected = *next;
    *next = (struct checkpoint){0};
    log_debug(run->log, "snapshot.committed", LOG_STR("table", table->full_name),
              LOG_I64("snapshot_id", result.snapshot_id), LOG_U64("files", files->count),
              LOG_U64("attempts", result.attempts));
    return ERR_OK;
}

static struct data_file_list *files_of(struct cut_part *parts, const struct cut *cut,
                                       const struct followed_table *table)
{
    for (struct cut_part *p = parts; p != NULL; p = (struct cut_part *)p->link.next) {
        for (uint32_t i = 0; p->cut == cut && i < p->table_count; i++) {
            if (p->tables[i].table == table) {
                return &p->tables[i].files;
            }
        }
    }
    return NULL;
}

static bool def_changes(const struct cut *cut, struct followed_table *table)
{
    bool changed = false;

    for (uint32_t i = 0; i < cut->change_count; i++) {
        if (cut->changes[i].table == table) {
            table->commit.def = cut->changes[i].def;
            table->commit.gone = cut->changes[i].gone;
            changed = true;
        }
    }
    return changed;
}

static struct log_place place_of(const struct cut *cut)
{
    return (struct log_place){.source = cut->source,
                              .position = cut->position,
                              .log_created_s = cut->log_created_s,
                              .gtids = cut->gtids,
                              .anonymous = cut->anonymous};
}

/*
 * A table that was further than the others at the start has its transactions whatever the cut has:
 * another server, after a failover, may send them in another order. text is the caller's.
 */
static enum err_code add_own_gtids(struct followed_table *t, struct log_place *at, struct buf *text,
                                   struct err *e)
{
    struct gtid_set *all = NULL;
    bool by_place = source_flavor(at->source) == GTID_FLAVOR_MARIADB &&
                    strcmp(at->source, t->source.server) == 0;

    if (!t->commit.ahead || at->gtids == NULL || by_place) {
        return ERR_OK;
    }
    ERR_TRY(log_place_parse_gtids(at, &all, e));
    enum err_code rc = ERR_OK;

    if (gtid_set_is_subset(t->source.gtids, all)) {
        t->commit.ahead = false;
    } else {
        rc = gtid_set_union(all, t->source.gtids, e);
        if (rc == ERR_OK) {
            gtid_set_print(all, text);
            at->gtids = buf_cstr(text);
            rc = at->gtids == NULL ? err_nomem(e) : ERR_OK;
        }
    }
    gtid_set_free(all);
    return rc;
}

static enum err_code commit_one(struct committer *c, const struct cut *cut,
                                struct followed_table *t, struct data_file_list *files,
                                struct err *e)
{
    struct data_file_list none = {0};
    struct log_place at = place_of(cut);
    struct checkpoint next = {0};
    struct buf text = {0};
    enum err_code rc = add_own_gtids(t, &at, &text, e);

    if (rc == ERR_OK) {
        rc = checkpoint_next(c->options.run, t, &at, cut->time_us, files != NULL, &next, e);
    }
    if (rc == ERR_OK) {
        rc = commit_table(c->options.run, t, files == NULL ? &none : files, &next, e);
    }
    checkpoint_deinit(&next);
    buf_deinit(&text);
    return rc;
}

static enum err_code commit_tables(struct committer *c, const struct cut *cut, struct err *e)
{
    for (uint32_t i = 0; i < c->options.table_count; i++) {
        struct followed_table *t = c->options.tables[i];
        struct data_file_list *files = files_of(c->parts, cut, t);
        bool new_def = def_changes(cut, t);

        if (files != NULL || new_def) {
            ERR_TRY(commit_one(c, cut, t, files, e));
        }
    }
    return ERR_OK;
}

static enum err_code commit_watermarks(struct committer *c, const struct cut *cut, struct err *e)
{
    uint32_t count = c->options.table_count;
    struct watermark_update *updates = calloc(count + 1u, sizeof *updates);

    if (updates == NULL) {
        return err_nomem(e);
    }
    for (uint32_t i = 0; i < count; i++) {
        updates[i].schema = c->options.tables[i]->schema;
        updates[i].table = c->options.tables[i]->name;
    }
    const struct log_place at = place_of(cut);
    enum err_code rc = watermarks_commit(c->options.watermarks, updates, count, &at, e);

    free(updates);
    return rc;
}

static void drop_parts(struct committer *c, const struct cut *cut)
{
    struct cut_part **at = &c->parts;

    while (*at != NULL) {
        struct cut_part *p = *at;

        if (cut == NULL || p->cut == cut) {
            *at = (struct cut_part *)p->link.next;
            cut_part_free(p);
        } else {
            at = (struct cut_part **)(void *)&p->link.next;
        }
    }
}

static enum err_code commit_cut(struct committer *c, const struct cut *cut, struct err *e)
{
    struct run *run = c->options.run;
    int64_t start_us = clock_mono_us(&run->clock);

    (void)pthread_mutex_lock(&run->catalog_mutex);
    enum err_code rc =
        watermarks_put_notes(c->options.watermarks, (const char *const *)cut->notes, e);

    if (rc == ERR_OK) {
        rc = commit_tables(c, cut, e);
    }
    if (rc == ERR_OK) {
        rc = commit_watermarks(c, cut, e);
    }
    (void)pthread_mutex_unlock(&run->catalog_mutex);
    if (rc == ERR_OK) {
        (void)pthread_mutex_lock(&run->mutex);
        run->committed = cut->position;
        (void)pthread_mutex_unlock(&run->mutex);
        atomic_fetch_add(&run->counters.cuts_committed, 1);
        log_info(run->log, "cut.committed", LOG_STR("file", cut->position.file),
                 LOG_U64("pos", cut->position.offset),
                 LOG_U64("rows_total", atomic_load(&run->counters.rows_decoded)),
                 LOG_F64("seconds", (double)(clock_mono_us(&run->clock) - start_us) / 1e6));
    }
    return rc;
}

/* Takes a lane's part; commits the cut when it was the last one missing. */
static enum err_code take_part(struct committer *c, struct cut_part *part, struct err *e)
{
    struct cut *cut = part->cut;
    struct cut **at = &c->waiting;

    while (*at != NULL && *at != cut) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        cut->parts_missing = c->options.lane_count;
        cut->next = NULL;
        *at = cut;
    }
    part->link.next = (struct queue_link *)c->parts;
    c->parts = part;
    if (--cut->parts_missing > 0) {
        return ERR_OK;
    }
    /* Lanes deliver cuts in order, so a complete cut is the oldest one. */
    c->waiting = cut->next;
    enum err_code rc = commit_cut(c, cut, e);

    drop_parts(c, cut);
    cut_free(cut);
    return rc;
}

static void *committer_main(void *arg)
{
    struct committer *c = arg;
    struct queue_link *link;

    while ((link = queue_pop(c->options.parts)) != NULL) {
        struct err err = {0};

        if (run_failed(c->options.run)) {
            cut_part_free((struct cut_part *)link);
        } else if (take_part(c, (struct cut_part *)link, &err) != ERR_OK) {
            run_fail(c->options.run, &err);
        }
    }
    return NULL;
}

enum err_code committer_start(const struct committer_options *options, struct committer **out,
                              struct err *e)
{
    struct committer *c = calloc(1, sizeof *c);

    if (c == NULL) {
        return err_nomem(e);
    }
    c->options = *options;
    if (pthread_create(&c->thread, NULL, committer_main, c) != 0) {
        free(c);
        return err_set(e, ERR_IO, "starting the commit thread failed");
    }
    *out = c;
    return ERR_OK;
}

void committer_join(struct committer *c)
{
    if (c == NULL) {
        return;
    }
    (void)pthread_join(c->thread, NULL);
    drop_parts(c, NULL);
    while (c->waiting != NULL) {
        struct cut *next = c->waiting->next;

        cut_free(c->waiting);
        c->waiting = next;
    }
    free(c);
}
