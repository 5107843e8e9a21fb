#include "pipeline/committer.h"

#include <stdlib.h>

#include "pipeline/table_commit.h"
#include "pipeline/table_state.h"

struct committer {
    struct committer_options options;
    pthread_t thread;
    struct cut *waiting; /* cuts of which some lanes have not delivered, oldest first */
    struct cut_part *parts;
};

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

/* Tables of a cut that go into the lake together. */
struct batch {
    struct table_commit items[TABLE_COMMITS_MAX];
    uint32_t count;
};

static void batch_drop(struct batch *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        checkpoint_deinit(&b->items[i].next);
    }
    b->count = 0;
}

static enum err_code batch_commit(struct committer *c, struct batch *b, struct rows_commit *rows,
                                  struct err *e)
{
    enum err_code rc = table_commit_all(c->options.run, b->items, b->count, rows, e);

    batch_drop(b);
    return rc;
}

static enum err_code batch_add(struct committer *c, struct batch *b, const struct cut *cut,
                               struct followed_table *t, struct data_file_list *files,
                               struct err *e)
{
    struct log_place at = place_of(cut);
    struct buf text = {0};
    enum err_code rc = b->count == TABLE_COMMITS_MAX ? batch_commit(c, b, NULL, e) : ERR_OK;

    if (rc == ERR_OK) {
        rc = add_own_gtids(t, &at, &text, e);
    }
    if (rc == ERR_OK) {
        struct table_commit *item = &b->items[b->count++];

        *item = (struct table_commit){.table = t, .files = files};
        rc = checkpoint_next(c->options.run, t, &at, cut->time_us, files != NULL, &item->next, e);
    }
    buf_deinit(&text);
    return rc;
}

/*
 * Another program's row is about to be moved: what it says of the checkpoint, that its definition
 * is out of date, the table's own next one has to say.
 */
static bool overtakes(const struct cut *cut, struct followed_table *t)
{
    bool due =
        t->commit.outrun && binlog_position_compare(&cut->position, &t->source.position) >= 0;

    t->commit.outrun = t->commit.outrun && !due;
    return due;
}

/* All tables that have something new, and behind them the rows of all. */
static enum err_code commit_tables(struct committer *c, const struct cut *cut,
                                   struct rows_commit *rows, struct err *e)
{
    struct batch b = {.count = 0};
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < c->options.table_count; i++) {
        struct followed_table *t = c->options.tables[i];
        struct data_file_list *files = files_of(c->parts, cut, t);
        bool new_def = def_changes(cut, t);
        bool overtaken = overtakes(cut, t);

        if (files != NULL || new_def || overtaken) {
            rc = batch_add(c, &b, cut, t, files, e);
        }
    }
    if (rc == ERR_OK) {
        rc = batch_commit(c, &b, rows, e);
    }
    batch_drop(&b);
    return rc;
}

static enum err_code commit_all(struct committer *c, const struct cut *cut, struct err *e)
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
    struct rows_commit rows = {
        .watermarks = c->options.watermarks,
        .move = {.updates = updates, .update_count = count, .at = &at},
    };
    enum err_code rc = commit_tables(c, cut, &rows, e);

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
        rc = commit_all(c, cut, e);
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

/* Tables that start now are made, and after them their rows and what is noted of the start. */
static enum err_code commit_due(struct committer *c, struct err *e)
{
    for (uint32_t i = 0; i < c->options.table_count; i++) {
        struct followed_table *t = c->options.tables[i];

        if (t->commit.start_due) {
            ERR_TRY(table_start(c->options.run, c->options.watermarks, t, e));
        }
    }
    return watermarks_commit_due(c->options.watermarks, e);
}

static void begin(struct committer *c)
{
    struct run *run = c->options.run;
    struct err err = {0};

    (void)pthread_mutex_lock(&run->catalog_mutex);
    enum err_code rc = commit_due(c, &err);

    (void)pthread_mutex_unlock(&run->catalog_mutex);
    if (rc != ERR_OK) {
        run_fail(run, &err);
    }
}

static void *committer_main(void *arg)
{
    struct committer *c = arg;
    struct queue_link *link;

    begin(c);
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
