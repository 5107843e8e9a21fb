#include "pipeline/lane.h"

#include <stdlib.h>

#include "pipeline/changelog.h"

#define POOL_MAX        24u
#define MICROS_PER_S    1000000
#define SECONDS_PER_DAY 86400u
#define QUEUE_BYTES_MAX ((size_t)2 << 20)

enum batch_kind { BATCH_ROWS, BATCH_CUT, BATCH_DISCARD };

struct batch_msg {
    struct queue_link link;
    enum batch_kind kind;
    struct followed_table *table;
    int32_t day;
    struct column_batch *batch;
    struct cut *cut; /* not owned */
};

struct lane {
    struct lane_options options;
    struct queue *slabs;
    struct queue *batches;
    pthread_t decoder;
    pthread_t encoder;
    bool decoder_started;
    bool encoder_started;
    struct zstd_encoder *zstd; /* encoder thread */
    pthread_mutex_t mutex;     /* guards the pool */
    struct column_batch *pool[POOL_MAX];
    uint32_t pool_count;
};

void slab_free(struct slab *s)
{
    if (s != NULL) {
        buf_deinit(&s->bytes);
        free(s);
    }
}

static void batch_msg_free(struct batch_msg *m)
{
    if (m != NULL) {
        column_batch_free(m->batch);
        free(m);
    }
}

/* An emptied batch whose memory is warm, else a new one. */
static struct column_batch *pool_take(struct lane *l)
{
    struct column_batch *batch = NULL;

    (void)pthread_mutex_lock(&l->mutex);
    if (l->pool_count > 0) {
        batch = l->pool[--l->pool_count];
    }
    (void)pthread_mutex_unlock(&l->mutex);
    return batch != NULL ? batch : changelog_batch_new(changelog_schema());
}

static void pool_give(struct lane *l, struct column_batch *batch)
{
    column_batch_reset(batch);
    (void)pthread_mutex_lock(&l->mutex);
    if (l->pool_count < POOL_MAX) {
        l->pool[l->pool_count++] = batch;
        batch = NULL;
    }
    (void)pthread_mutex_unlock(&l->mutex);
    column_batch_free(batch);
}

/* ---- decoder ---- */

struct decoder {
    struct lane *lane;
    struct row_reader reader;
    size_t open_bytes; /* of payloads in open batches */
    struct err err;
};

static size_t payload_bytes(const struct column_batch *batch)
{
    return batch->columns[CHANGELOG_PAYLOAD].values.len;
}

static enum err_code push_batch(struct decoder *d, struct batch_msg *m)
{
    size_t bytes = sizeof *m + (m->batch == NULL ? 0 : column_batch_bytes(m->batch));

    if (!queue_push(d->lane->batches, &m->link, bytes)) {
        batch_msg_free(m);
        return err_set(&d->err, ERR_CANCELLED, "the run has ended");
    }
    return ERR_OK;
}

/* Takes open's batch over, also when it fails. */
static enum err_code send(struct decoder *d, enum batch_kind kind, struct followed_table *table,
                          struct open_batch *open, struct cut *cut)
{
    struct batch_msg *m = calloc(1, sizeof *m);

    if (m == NULL) {
        column_batch_free(open == NULL ? NULL : open->batch);
        return err_nomem(&d->err);
    }
    m->kind = kind;
    m->table = table;
    m->cut = cut;
    if (open != NULL) {
        m->day = open->day;
        m->batch = open->batch;
    }
    return push_batch(d, m);
}

static enum err_code flush_batch(struct decoder *d, struct followed_table *t, uint32_t i)
{
    struct open_batch open = t->decode.batches[i];

    t->decode.batches[i] = t->decode.batches[--t->decode.batch_count];
    d->open_bytes -= payload_bytes(open.batch);
    if (open.batch->row_count == 0) {
        pool_give(d->lane, open.batch);
        return ERR_OK;
    }
    enum err_code rc = column_batch_check(open.batch, &d->err);

    if (rc != ERR_OK) {
        column_batch_free(open.batch);
        return rc;
    }
    return send(d, BATCH_ROWS, t, &open, NULL);
}

/* Many tables at once: each holds little, and all together too much. */
static enum err_code flush_largest(struct decoder *d)
{
    const struct lane_options *o = &d->lane->options;
    struct followed_table *table = NULL;
    uint32_t at = 0;
    size_t most = 0;

    for (uint32_t i = 0; i < o->table_count; i++) {
        struct followed_table *t = o->tables[i];

        for (uint32_t k = 0; t->lane == o->number && k < t->decode.batch_count; k++) {
            size_t bytes = payload_bytes(t->decode.batches[k].batch);

            if (bytes >= most) {
                most = bytes;
                table = t;
                at = k;
            }
        }
    }
    return table == NULL ? ERR_OK : flush_batch(d, table, at);
}

/* The batch that takes the next row of a day; NULL when there is none: d->err says why. */
static struct open_batch *batch_for_day(struct decoder *d, struct followed_table *t, int32_t day)
{
    uint32_t oldest = 0;

    for (uint32_t i = 0; i < t->decode.batch_count; i++) {
        if (t->decode.batches[i].day == day) {
            t->decode.batches[i].last_use = ++t->decode.uses;
            return &t->decode.batches[i];
        }
        if (t->decode.batches[i].last_use < t->decode.batches[oldest].last_use) {
            oldest = i;
        }
    }
    if (t->decode.batch_count == OPEN_BATCHES_MAX && flush_batch(d, t, oldest) != ERR_OK) {
        return NULL;
    }
    struct column_batch *batch = pool_take(d->lane);

    if (batch == NULL) {
        (void)err_nomem(&d->err);
        return NULL;
    }
    struct open_batch *open = &t->decode.batches[t->decode.batch_count++];

    *open = (struct open_batch){.day = day, .batch = batch, .last_use = ++t->decode.uses};
    return open;
}

static struct span event_type_name(enum row_change change)
{
    switch (change) {
    case ROW_INSERT:
        return (struct span){(const uint8_t *)"insert", 6};
    case ROW_UPDATE:
        return (struct span){(const uint8_t *)"update", 6};
    case ROW_DELETE:
        return (struct span){(const uint8_t *)"delete", 6};
    }
    abort();
}

/* The columns in front of the payload, which is open afterwards. */
static struct column *begin_row(const struct slab *s, const struct slab_entry *entry,
                                struct span event_type, struct column_batch *batch)
{
    struct column *payload = &batch->columns[CHANGELOG_PAYLOAD];

    column_put_bytes(&batch->columns[CHANGELOG_EVENT_TYPE], event_type);
    column_put_i64(&batch->columns[CHANGELOG_TIMESTAMP],
                   (int64_t)entry->timestamp_s * MICROS_PER_S);
    column_put_bytes(&batch->columns[CHANGELOG_LOG_FILE], span_str(s->log_file));
    column_put_i64(&batch->columns[CHANGELOG_LOG_POSITION], (int64_t)entry->log_position);
    column_begin_bytes(payload);
    return payload;
}

static void put_row(struct decoder *d, const struct slab *s, const struct slab_entry *entry,
                    struct column_batch *batch)
{
    const struct row_reader *r = &d->reader;
    struct column *payload = begin_row(s, entry, event_type_name(r->change), batch);

    json_sink_put(entry->plan->sink, r->change == ROW_DELETE ? r->before : r->after,
                  &payload->values);
    column_end_bytes(payload);
    batch->row_count++;
}

/* Sends the batch off when it is full. */
static enum err_code grown(struct decoder *d, struct followed_table *t, struct open_batch *open,
                           size_t bytes_before)
{
    d->open_bytes += payload_bytes(open->batch) - bytes_before;
    return open->batch->row_count >= COLUMN_BATCH_ROWS_MAX ||
                   payload_bytes(open->batch) >= COLUMN_BATCH_BYTES_TARGET
               ? flush_batch(d, t, (uint32_t)(open - t->decode.batches))
               : ERR_OK;
}

static enum err_code decode_mark(struct decoder *d, const struct slab *s,
                                 const struct slab_entry *entry, struct span body)
{
    const uint8_t *end = body.len == 0 ? NULL : memchr(body.data, '\0', body.len);
    struct open_batch *open =
        batch_for_day(d, entry->table, (int32_t)(entry->timestamp_s / SECONDS_PER_DAY));

    if (open == NULL) {
        return d->err.code;
    }
    if (end == NULL) {
        return err_set(&d->err, ERR_CORRUPT, "a mark without a name");
    }
    size_t name_bytes = (size_t)(end - body.data);
    size_t before = payload_bytes(open->batch);
    struct column *payload = begin_row(s, entry, span_of(body.data, name_bytes), open->batch);

    buf_append(&payload->values, end + 1, body.len - name_bytes - 1);
    column_end_bytes(payload);
    open->batch->row_count++;
    atomic_fetch_add_explicit(&d->lane->options.run->counters.rows_decoded, 1,
                              memory_order_relaxed);
    return grown(d, entry->table, open, before);
}

static enum err_code decode_event(struct decoder *d, const struct slab *s,
                                  const struct slab_entry *entry, struct span body)
{
    struct followed_table *t = entry->table;
    int32_t day = (int32_t)(entry->timestamp_s / SECONDS_PER_DAY);
    uint64_t rows = 0;

    if (entry->plan == NULL) {
        return decode_mark(d, s, entry, body);
    }
    d->reader.generated_optional = entry->plan->def->generated_unlogged;
    ERR_TRY(row_reader_start(&d->reader, entry->plan->rows, entry->event_type, body, &d->err));
    while (row_reader_more(&d->reader)) {
        ERR_TRY(row_reader_next(&d->reader, false, &d->err));
        if (d->reader.past) {
            continue;
        }
        struct open_batch *open = batch_for_day(d, t, day);

        if (open == NULL) {
            return d->err.code;
        }
        size_t before = payload_bytes(open->batch);

        put_row(d, s, entry, open->batch);
        rows++;
        ERR_TRY(grown(d, t, open, before));
    }
    if (d->open_bytes > d->lane->options.memory_bytes / 8) {
        ERR_TRY(flush_largest(d));
    }
    atomic_fetch_add_explicit(&d->lane->options.run->counters.rows_decoded, rows,
                              memory_order_relaxed);
    return ERR_OK;
}

static enum err_code decode_slab(struct decoder *d, const struct slab *s)
{
    struct bytes_reader in;

    bytes_reader_init(&in, buf_span(&s->bytes));
    while (bytes_left(&in) > 0) {
        struct slab_entry entry;
        const uint8_t *at = bytes_take(&in, sizeof entry);

        if (at == NULL) {
            return err_set(&d->err, ERR_CORRUPT, "slab cut short");
        }
        memcpy(&entry, at, sizeof entry);
        enum err_code rc = decode_event(d, s, &entry, bytes_span(&in, entry.body_bytes));

        if (rc != ERR_OK) {
            err_wrap(&d->err, "%s at %s:%llu", entry.table->full_name, s->log_file,
                     (unsigned long long)entry.log_position);
            return rc;
        }
    }
    return ERR_OK;
}

static enum err_code end_batches(struct decoder *d, bool discard)
{
    const struct lane_options *o = &d->lane->options;

    for (uint32_t i = 0; i < o->table_count; i++) {
        struct followed_table *t = o->tables[i];

        if (t->lane != o->number) {
            continue;
        }
        while (t->decode.batch_count > 0) {
            if (discard) {
                struct column_batch *batch = t->decode.batches[--t->decode.batch_count].batch;

                d->open_bytes -= payload_bytes(batch);
                pool_give(d->lane, batch);
            } else {
                ERR_TRY(flush_batch(d, t, 0));
            }
        }
    }
    return ERR_OK;
}

static enum err_code decode_message(struct decoder *d, const struct slab *s)
{
    switch (s->kind) {
    case SLAB_ROWS:
        return decode_slab(d, s);
    case SLAB_CUT:
        ERR_TRY(end_batches(d, false));
        return send(d, BATCH_CUT, NULL, NULL, s->cut);
    case SLAB_DISCARD:
        ERR_TRY(end_batches(d, true));
        return send(d, BATCH_DISCARD, NULL, NULL, NULL);
    }
    abort();
}

static void *decoder_main(void *arg)
{
    struct lane *l = arg;
    struct decoder d = {.lane = l};
    struct queue_link *link;

    row_reader_init(&d.reader);
    while ((link = queue_pop(l->slabs)) != NULL) {
        struct slab *s = (struct slab *)link;

        if (!run_failed(l->options.run) && decode_message(&d, s) != ERR_OK) {
            run_fail(l->options.run, &d.err);
        }
        slab_free(s);
    }
    queue_close(l->batches);
    row_reader_deinit(&d.reader);
    return NULL;
}

/* ---- encoder ---- */

static struct followed_table *largest_buffer(const struct lane *l, uint64_t *total)
{
    struct followed_table *largest = NULL;
    uint64_t most = 0;

    *total = 0;
    for (uint32_t i = 0; i < l->options.table_count; i++) {
        struct followed_table *t = l->options.tables[i];

        if (t->lane != l->options.number || t->writer == NULL) {
            continue;
        }
        uint64_t bytes = table_writer_buffered(t->writer);

        *total += bytes;
        if (bytes >= most) {
            most = bytes;
            largest = t;
        }
    }
    return largest;
}

static enum err_code new_writer(struct lane *l, struct followed_table *t, struct err *e)
{
    const struct run_options *o = l->options.run->options;
    struct rand seed;

    rand_init(&seed);
    return table_writer_new(
        &(struct table_writer_options){
            .store = l->options.run->store,
            .location = t->location,
            .schema = changelog_schema(),
            .by_day = true,
            .zstd_level = o->zstd_level,
            .encoder = l->zstd,
            .row_group_bytes = o->row_group_bytes,
            .target_file_bytes = o->target_file_bytes,
            .seed = rand_u64(&seed),
        },
        &t->writer, e);
}

static enum err_code encode_rows(struct lane *l, struct batch_msg *m, struct err *e)
{
    struct followed_table *t = m->table;
    uint64_t total;

    if (t->writer == NULL) {
        ERR_TRY(new_writer(l, t, e));
    }
    ERR_TRY(table_writer_write(t->writer, m->day, m->batch, e));
    pool_give(l, m->batch);
    m->batch = NULL;
    struct followed_table *largest = largest_buffer(l, &total);

    /* Many tables at once: the fattest gives its memory back by ending its file early. */
    if (largest != NULL && total > l->options.memory_bytes / 2) {
        return table_writer_spill(largest->writer, e);
    }
    return ERR_OK;
}

static enum err_code encode_cut(struct lane *l, struct cut *cut, struct err *e)
{
    struct cut_part *part = calloc(1, sizeof *part);
    enum err_code rc = ERR_OK;

    if (part == NULL) {
        return err_nomem(e);
    }
    part->cut = cut;
    part->tables = calloc(l->options.table_count + 1u, sizeof *part->tables);
    if (part->tables == NULL) {
        rc = err_nomem(e);
    }
    for (uint32_t i = 0; rc == ERR_OK && i < l->options.table_count; i++) {
        struct followed_table *t = l->options.tables[i];

        if (t->lane != l->options.number || t->writer == NULL) {
            continue;
        }
        struct table_files *files = &part->tables[part->table_count];

        files->table = t;
        rc = table_writer_take(t->writer, &files->files, e);
        if (files->files.count > 0) {
            part->table_count++;
        }
    }
    if (rc == ERR_OK && !queue_push(l->options.committer, &part->link, sizeof *part)) {
        rc = err_set(e, ERR_CANCELLED, "the run has ended");
    }
    if (rc != ERR_OK) {
        cut_part_free(part);
    }
    return rc;
}

static enum err_code encode_discard(struct lane *l, struct err *e)
{
    for (uint32_t i = 0; i < l->options.table_count; i++) {
        struct followed_table *t = l->options.tables[i];

        if (t->lane == l->options.number && t->writer != NULL) {
            ERR_TRY(table_writer_discard(t->writer, e));
        }
    }
    return ERR_OK;
}

static enum err_code encode_message(struct lane *l, struct batch_msg *m, struct err *e)
{
    switch (m->kind) {
    case BATCH_ROWS:
        return encode_rows(l, m, e);
    case BATCH_CUT:
        return encode_cut(l, m->cut, e);
    case BATCH_DISCARD:
        return encode_discard(l, e);
    }
    abort();
}

static void *encoder_main(void *arg)
{
    struct lane *l = arg;
    struct queue_link *link;

    while ((link = queue_pop(l->batches)) != NULL) {
        struct batch_msg *m = (struct batch_msg *)link;
        struct err err = {0};

        if (!run_failed(l->options.run) && encode_message(l, m, &err) != ERR_OK) {
            run_fail(l->options.run, &err);
        }
        batch_msg_free(m);
    }
    return NULL;
}

/* ---- lane ---- */

/*
 * A few messages are enough to keep the next thread busy. With more the threads in front, whose
 * work is the lesser, run ahead on processors that the encoder could have had, and leave it alone
 * at the end.
 */
static size_t queue_bytes_max(size_t share)
{
    return share < QUEUE_BYTES_MAX ? share : QUEUE_BYTES_MAX;
}

enum err_code lane_start(const struct lane_options *options, struct lane **out, struct err *e)
{
    struct lane *l = calloc(1, sizeof *l);

    if (l == NULL) {
        return err_nomem(e);
    }
    l->options = *options;
    (void)pthread_mutex_init(&l->mutex, NULL);
    l->slabs = queue_new(queue_bytes_max(options->memory_bytes / 4));
    l->batches = queue_new(queue_bytes_max(options->memory_bytes / 8));
    l->zstd = zstd_encoder_new(options->run->options->zstd_level);
    if (l->slabs == NULL || l->batches == NULL || l->zstd == NULL) {
        lane_join(l);
        return err_nomem(e);
    }
    l->encoder_started = pthread_create(&l->encoder, NULL, encoder_main, l) == 0;
    l->decoder_started =
        l->encoder_started && pthread_create(&l->decoder, NULL, decoder_main, l) == 0;
    if (!l->decoder_started) {
        queue_close(l->batches);
        lane_join(l);
        return err_set(e, ERR_IO, "starting a writer thread failed");
    }
    *out = l;
    return ERR_OK;
}

bool lane_push(struct lane *l, struct slab *s)
{
    if (!queue_push(l->slabs, &s->link, s->bytes.len + sizeof *s)) {
        slab_free(s);
        return false;
    }
    return true;
}

void lane_close(struct lane *l)
{
    queue_close(l->slabs);
}

void lane_abort(struct lane *l)
{
    queue_close(l->slabs);
    queue_close(l->batches);
}

void lane_join(struct lane *l)
{
    if (l == NULL) {
        return;
    }
    if (l->decoder_started) {
        (void)pthread_join(l->decoder, NULL);
    }
    if (l->encoder_started) {
        (void)pthread_join(l->encoder, NULL);
    }
    for (uint32_t i = 0; i < l->pool_count; i++) {
        column_batch_free(l->pool[i]);
    }
    queue_free(l->slabs);
    queue_free(l->batches);
    zstd_encoder_free(l->zstd);
    (void)pthread_mutex_destroy(&l->mutex);
    free(l);
}
