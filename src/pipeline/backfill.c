#include "pipeline/backfill.h"

#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/retry.h"
#include "mysql/snapshot.h"
#include "mysql/source_catalog.h"
#include "pipeline/changelog.h"
#include "pipeline/prepared_wait.h"
#include "pipeline/table_commit.h"
#include "pipeline/table_state.h"

#define TRIES_MAX 5u
#define POOL_MAX  8u
#define SECOND_US ((int64_t)1000000)
#define DAY_US    ((int64_t)86400 * SECOND_US)
/* Enough to keep the encoder busy: see lane.c. */
#define QUEUE_BYTES_MAX ((size_t)2 << 20)
#define POLL_ROWS       1024u

struct copy_batch {
    struct queue_link link;
    int32_t day;
    struct column_batch *batch;
};

/* One try at one table. */
struct copy {
    const struct backfill_options *options;
    struct followed_table *table;
    struct mysql_conn *conn;
    struct low_watermark mark;
    struct table_def *def; /* as of the copy; in the table's arena */
    struct json_sink *sink;
    struct table_writer *writer; /* encoder thread, then the caller's again */
    struct zstd_encoder *zstd;
    struct queue *batches; /* reader to encoder */
    struct queue *empty;   /* encoder to reader: batches whose memory is warm */
    struct data_file_list files;
    uint64_t rows;
    bool none_prepared;
    struct err encoder_err;
};

static void copy_batch_free(struct copy_batch *b)
{
    if (b != NULL) {
        column_batch_free(b->batch);
        free(b);
    }
}

static void drain(struct queue *q)
{
    struct queue_link *link;

    if (q == NULL) {
        return;
    }
    queue_close(q);
    while ((link = queue_pop(q)) != NULL) {
        copy_batch_free((struct copy_batch *)link);
    }
    queue_free(q);
}

static bool is_stopping(const struct copy *c)
{
    return atomic_load_explicit(&c->options->run->stopping, memory_order_relaxed) ||
           run_failed(c->options->run);
}

/* ---- encoder thread ---- */

static enum err_code encode_batch(struct copy *c, struct copy_batch *b, struct err *e)
{
    ERR_TRY(table_writer_write(c->writer, b->day, b->batch, e));
    /* Row groups are held until they are full: give them back before they pass the ceiling. */
    return table_writer_buffered(c->writer) > c->options->memory_bytes / 2
               ? table_writer_spill(c->writer, e)
               : ERR_OK;
}

static void *encoder_main(void *arg)
{
    struct copy *c = arg;
    struct queue_link *link;

    while ((link = queue_pop(c->batches)) != NULL) {
        struct copy_batch *b = (struct copy_batch *)link;

        if (c->encoder_err.code == ERR_OK && encode_batch(c, b, &c->encoder_err) != ERR_OK) {
            /* Closed: the reader's next push tells it. */
            queue_close(c->batches);
        }
        column_batch_reset(b->batch);
        /* Never waits for room: the reader may itself wait for this thread, or be through. */
        if (queue_bytes(c->empty) >= POOL_MAX || !queue_push(c->empty, &b->link, 1)) {
            copy_batch_free(b);
        }
    }
    return NULL;
}

/* ---- reader ---- */

/* NULL when there is no memory. */
static struct copy_batch *next_batch(struct copy *c)
{
    struct copy_batch *b = (struct copy_batch *)queue_pop_timed(c->empty, 0);

    if (b == NULL) {
        b = calloc(1, sizeof *b);
        if (b != NULL) {
            b->batch = changelog_batch_new(changelog_schema());
        }
    }
    if (b != NULL && b->batch == NULL) {
        free(b);
        b = NULL;
    }
    return b;
}

static void put_row(struct copy *c, struct column_batch *batch, int64_t now_us,
                    const struct value *values)
{
    static const struct span event_type = {(const uint8_t *)"backfill", 8};
    struct column *payload = &batch->columns[CHANGELOG_PAYLOAD];

    column_put_bytes(&batch->columns[CHANGELOG_EVENT_TYPE], event_type);
    column_put_i64(&batch->columns[CHANGELOG_TIMESTAMP], now_us);
    column_put_bytes(&batch->columns[CHANGELOG_LOG_FILE], span_str(c->mark.position.file));
    column_put_i64(&batch->columns[CHANGELOG_LOG_POSITION], (int64_t)c->mark.position.offset);
    column_begin_bytes(payload);
    json_sink_put(c->sink, values, &payload->values);
    column_end_bytes(payload);
    batch->row_count++;
}

/* Fills a batch, whose rows share their time. *done is set after the table's last row. */
static enum err_code fill_batch(struct copy *c, struct snapshot_reader *reader,
                                struct copy_batch *b, bool *done, struct err *e)
{
    int64_t now_us = clock_wall_us(&c->options->run->clock);
    struct column_batch *batch = b->batch;
    const struct buf *payload = &batch->columns[CHANGELOG_PAYLOAD].values;

    b->day = (int32_t)(now_us / DAY_US);
    while (batch->row_count < COLUMN_BATCH_ROWS_MAX && payload->len < COLUMN_BATCH_BYTES_TARGET) {
        const struct value *values;
        enum err_code rc = snapshot_reader_next(reader, &values, e);

        if (rc == ERR_NOT_FOUND) {
            *done = true;
            break;
        }
        ERR_TRY(rc);
        put_row(c, batch, now_us, values);
        if (batch->row_count % POLL_ROWS == 0 && is_stopping(c)) {
            return err_set(e, ERR_CANCELLED, "the copy of %s was stopped", c->table->full_name);
        }
    }
    return column_batch_check(batch, e);
}

static enum err_code read_table(struct copy *c, struct snapshot_reader *reader, struct err *e)
{
    bool done = false;

    while (!done) {
        struct copy_batch *b = next_batch(c);

        if (b == NULL) {
            return err_nomem(e);
        }
        enum err_code rc = fill_batch(c, reader, b, &done, e);

        if (rc != ERR_OK) {
            copy_batch_free(b);
            return rc;
        }
        uint32_t rows = b->batch->row_count;

        if (rows == 0) {
            copy_batch_free(b);
        } else if (!queue_push(c->batches, &b->link, column_batch_bytes(b->batch))) {
            copy_batch_free(b);
            return err_set(e, ERR_CANCELLED, "the writer has stopped");
        }
        c->rows += rows;
        atomic_fetch_add_explicit(&c->options->run->counters.rows_copied, rows,
                                  memory_order_relaxed);
    }
    return ERR_OK;
}

static enum err_code make_table(struct copy *c, struct err *e)
{
    struct run *run = c->options->run;

    (void)pthread_mutex_lock(&run->catalog_mutex);
    enum err_code rc = table_state_create(run, c->table, NULL, e);

    (void)pthread_mutex_unlock(&run->catalog_mutex);
    return rc;
}

static enum err_code read_and_encode(struct copy *c, struct err *e)
{
    struct snapshot_reader *reader = NULL;
    pthread_t encoder;

    ERR_TRY(snapshot_reader_open(c->conn, c->def, &reader, e));
    if (pthread_create(&encoder, NULL, encoder_main, c) != 0) {
        snapshot_reader_close(reader);
        return err_set(e, ERR_IO, "starting a writer thread failed");
    }
    enum err_code rc = read_table(c, reader, e);

    queue_close(c->batches);
    if (rc == ERR_OK) {
        rc = make_table(c, e); /* while the last rows are encoded */
    }
    (void)pthread_join(encoder, NULL);
    snapshot_reader_close(reader);
    if (c->encoder_err.code != ERR_OK) {
        /* It happened first: the reader only noticed. */
        if (e != NULL) {
            *e = c->encoder_err;
        }
        return c->encoder_err.code;
    }
    return rc;
}

/* ---- one try ---- */

/* Rows without a key cannot be told from those that the replay brings again. */
static enum err_code begin(struct copy *c, struct err *e)
{
    const struct followed_table *t = c->table;
    bool exact = t->source.def->key_count == 0;
    bool transactional = true;

    if (exact) {
        ERR_TRY(source_catalog_is_transactional(c->conn, t->schema, t->name, &transactional, e));
    }
    ERR_TRY(prepared_wait(c->options->run, c->conn, &c->none_prepared, e));
    return transactional ? snapshot_begin(c->conn, exact, &c->mark, e)
                         : snapshot_begin_locked(c->conn, t->schema, t->name, &c->mark, e);
}

/* What a name stands for. */
struct looks {
    struct table_def *def;
    char made[40];
};

static enum err_code look(const struct copy *c, struct mysql_conn *conn, struct looks *out,
                          struct err *e)
{
    struct followed_table *t = c->table;

    ERR_TRY(source_catalog_made(conn, t->schema, t->name, out->made, sizeof out->made, e));
    return source_catalog_load(conn, t->schema, t->name, &t->arena, &out->def, e);
}

/* Beside the copy's own read, in which MySQL's catalog stays what it was at the mark. */
static enum err_code look_again(const struct copy *c, struct looks *out, struct err *e)
{
    const struct mysql_server *server = mysql_conn_server(c->conn);
    const struct mysql_options here = mysql_options_at(&c->options->run->options->mysql, server);
    struct mysql_conn *conn = NULL;
    enum err_code rc = mysql_conn_open(&here, &conn, e);

    if (rc == ERR_OK && strcmp(mysql_conn_server(conn)->identity, server->identity) != 0) {
        rc = err_set_retryable(e, ERR_SOURCE, "another server answers than the one that is copied");
    }
    if (rc == ERR_OK) {
        rc = look(c, conn, out, e);
    }
    mysql_conn_close(conn);
    return rc;
}

/* Begins the read, and holds the table, if the name stood for it from before the mark on. */
static enum err_code begin_with_table(struct copy *c, struct err *e)
{
    struct looks was;
    struct looks is;
    char why[256];

    ERR_TRY(look(c, c->conn, &was, e));
    ERR_TRY(begin(c, e));
    log_info(c->options->run->log, "copy.started", LOG_STR("table", c->table->full_name),
             LOG_STR("file", c->mark.position.file), LOG_U64("pos", c->mark.position.offset));
    ERR_TRY(snapshot_hold_table(c->conn, c->table->schema, c->table->name, e));
    ERR_TRY(look_again(c, &is, e));
    if (table_def_differ(was.def, is.def, why, sizeof why)) {
        /* Whether it was altered before the mark or after it cannot be told. */
        return err_set_retryable(e, ERR_SOURCE, "it was altered as the copy began: %s", why);
    }
    if (strcmp(was.made, is.made) != 0) {
        /* A twin looks the same, and has other rows. */
        return err_set_retryable(e, ERR_SOURCE,
                                 "another table came to its name as the copy began: made at %s, "
                                 "was %s",
                                 is.made, was.made);
    }
    c->def = is.def;
    return ERR_OK;
}

static enum err_code prepare(struct copy *c, struct err *e)
{
    const struct run *run = c->options->run;
    const struct run_options *o = run->options;
    struct rand seed;

    ERR_TRY(mysql_conn_open(&o->mysql, &c->conn, e));
    ERR_TRY(begin_with_table(c, e));
    if (run->catalog->places_tables) {
        /* Files need a place, and perhaps keys to it, that come with the table only. */
        ERR_TRY(make_table(c, e));
    }
    rand_init(&seed);
    c->sink = json_sink_new(c->def);
    c->zstd = zstd_encoder_new(o->zstd_level);
    c->batches = queue_new(QUEUE_BYTES_MAX);
    c->empty = queue_new(POOL_MAX);
    if (c->sink == NULL || c->zstd == NULL || c->batches == NULL || c->empty == NULL) {
        return err_nomem(e);
    }
    return table_writer_new(
        &(struct table_writer_options){
            .store = run->store,
            .location = c->table->location,
            .schema = changelog_schema(),
            .by_day = true,
            .zstd_level = o->zstd_level,
            .encoder = c->zstd,
            .row_group_bytes = o->row_group_bytes,
            .target_file_bytes = o->target_file_bytes,
            .seed = rand_u64(&seed),
        },
        &c->writer, e);
}

/*
 * The place that following starts from is the copy's. A table that was followed before keeps its
 * own: what lies between the two is still due.
 */
static enum err_code set_start(struct copy *c, struct err *e)
{
    struct followed_table *t = c->table;

    if (followed_table_has_position(t)) {
        return ERR_OK;
    }
    if (c->mark.gtids != NULL) {
        t->source.gtids = gtid_set_copy(c->mark.gtids);
        if (t->source.gtids == NULL) {
            return err_nomem(e);
        }
    }
    t->source.position = c->mark.position;
    t->source.none_prepared = c->none_prepared;
    (void)snprintf(t->source.server, sizeof t->source.server, "%s",
                   mysql_conn_server(c->conn)->identity);
    if (c->options->run->options->backfill_only) {
        return ERR_OK; /* the account may not be one that reads binlogs */
    }
    const struct mysql_options here =
        mysql_options_at(&c->options->run->options->mysql, mysql_conn_server(c->conn));

    ERR_TRY(binlog_log_created(&here, &t->source.position, &t->source.log_created_s, e));
    t->source.def = c->def;
    t->source.assumed = false;
    t->commit.def = c->def;
    t->commit.gone = false;
    return ERR_OK;
}

static enum err_code next_checkpoint(const struct copy *c, struct checkpoint *out, struct err *e)
{
    struct run *run = c->options->run;
    const struct followed_table *t = c->table;
    struct buf gtids = {0};
    struct log_place at = {.source = t->source.server,
                           .position = t->source.position,
                           .log_created_s = t->source.log_created_s};
    enum err_code rc = ERR_OK;

    if (t->source.gtids != NULL) {
        gtid_set_print(t->source.gtids, &gtids);
        at.gtids = buf_cstr(&gtids);
        rc = at.gtids == NULL ? err_nomem(e) : ERR_OK;
    }
    if (rc == ERR_OK) {
        rc = checkpoint_next(run, t, &at, clock_wall_us(&run->clock), c->rows > 0, out, e);
    }
    if (rc == ERR_OK) {
        out->copied = true;
        out->started = true;
        out->inside = t->source.inside;
    }
    buf_deinit(&gtids);
    return rc;
}

/* Caller holds run->catalog_mutex. */
static enum err_code commit_locked(struct copy *c, struct checkpoint *next, struct err *e)
{
    struct run *run = c->options->run;
    struct followed_table *t = c->table;

    const struct watermark_update update = {
        .schema = t->schema,
        .table = t->name,
        .backfill_complete = true,
        .restart = t->commit.made,
    };
    const struct log_place at = checkpoint_place(next);
    struct rows_commit rows = {
        .watermarks = c->options->watermarks,
        .move = {.updates = &update, .update_count = 1, .at = &at},
    };

    ERR_TRY(table_commit_one(run, t, &c->files, next, &rows, e));
    t->commit.backfill_complete = true;
    return ERR_OK;
}

static enum err_code commit_copy(struct copy *c, struct err *e)
{
    struct run *run = c->options->run;
    struct checkpoint next = {0};
    enum err_code rc = table_writer_take(c->writer, &c->files, e);

    if (rc == ERR_OK) {
        rc = set_start(c, e);
    }
    if (rc == ERR_OK) {
        rc = next_checkpoint(c, &next, e);
    }
    if (rc == ERR_OK) {
        (void)pthread_mutex_lock(&run->catalog_mutex);
        rc = commit_locked(c, &next, e);
        (void)pthread_mutex_unlock(&run->catalog_mutex);
    }
    checkpoint_deinit(&next);
    if (rc != ERR_OK && e != NULL) {
        /* The copy may be in the table: whatever is left is for the next start to find out. */
        e->retryable = false;
    }
    return rc;
}

/* What a statement that alters, renames or drops the table does to a read of it. */
static bool was_altered(unsigned number)
{
    return number == ER_TABLE_DEF_CHANGED || number == ER_BAD_FIELD_ERROR ||
           number == ER_NO_SUCH_TABLE;
}

static enum err_code copy_once(const struct backfill_options *options, struct followed_table *table,
                               struct err *e)
{
    struct copy c = {.options = options, .table = table};
    struct log *log = options->run->log;
    int64_t start_us = clock_mono_us(&options->run->clock);
    enum err_code rc = prepare(&c, e);

    if (rc == ERR_OK) {
        rc = read_and_encode(&c, e);
    }
    if (rc == ERR_OK) {
        rc = commit_copy(&c, e);
    }
    if (rc == ERR_OK) {
        int64_t took_us = clock_mono_us(&options->run->clock) - start_us;

        log_info(log, "copy.done", LOG_STR("table", table->full_name), LOG_U64("rows", c.rows),
                 LOG_F64("seconds", (double)took_us / 1e6));
    } else {
        if (e != NULL && was_altered(e->source_errno)) {
            e->retryable = true;
        }
        /* They are tried again, or never. */
        atomic_fetch_sub_explicit(&options->run->counters.rows_copied, c.rows,
                                  memory_order_relaxed);
    }
    drain(c.batches);
    drain(c.empty);
    data_file_list_deinit(&c.files);
    table_writer_free(c.writer);
    zstd_encoder_free(c.zstd);
    json_sink_free(c.sink);
    low_watermark_deinit(&c.mark);
    mysql_conn_close(c.conn);
    return rc;
}

enum err_code backfill_table(const struct backfill_options *options, struct followed_table *table,
                             struct err *e)
{
    struct run *run = options->run;
    struct retry retry = {.min_us = SECOND_US / 5, .max_us = 10 * SECOND_US};
    struct rand rand;
    enum err_code rc;

    rand_init(&rand);
    for (;;) {
        rc = copy_once(options, table, e);
        if (rc == ERR_OK || rc == ERR_CANCELLED || (e != NULL && !e->retryable) ||
            retry.tries + 1 >= TRIES_MAX || atomic_load(&run->stopping) || run_failed(run)) {
            break;
        }
        int64_t wait_us = retry_next_us(&retry, &rand);

        log_warn(run->log, "copy.retry", LOG_STR("table", table->full_name),
                 LOG_STR("error", e == NULL ? "" : e->msg),
                 LOG_F64("retry_s", (double)wait_us / 1e6));
        clock_sleep_us(&run->clock, wait_us);
    }
    if (rc != ERR_OK && rc != ERR_CANCELLED) {
        err_wrap(e, "copying %s", table->full_name);
    }
    return rc;
}
