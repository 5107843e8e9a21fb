/*
 * s3_file.c - an object that is written in pieces: one PUT if it stays smaller than a part, else an
 * upload in parts that goes on while more is written.
 */
#include <stdlib.h>

#include "base/str.h"
#include "storage/s3_int.h"

static void next_buffer(struct s3_file *f)
{
    const struct s3_store *s = (const struct s3_store *)f->base.store;

    f->part_bytes = s3_part_bytes(s->options.part_bytes, f->part_count + 1);
    /* It begins small: many files are open at a time, and most never fill a part. */
    buf_init(&f->buffer, f->part_bytes);
}

static void file_free(struct s3_file *f)
{
    while (f->first != NULL) {
        struct s3_part *next = f->first->next;

        buf_deinit(&f->first->bytes);
        free(f->first->etag);
        free(f->first);
        f->first = next;
    }
    buf_deinit(&f->buffer);
    free(f->upload_id);
    free(f->location);
    free(f);
}

enum err_code s3_create(struct store *base, const char *location, struct store_file **out,
                        struct err *e)
{
    struct s3_store *s = (struct s3_store *)base;
    struct span bucket;
    struct span key;

    ERR_TRY(s3_location_of_object(location, &bucket, &key, e));
    struct s3_file *f = calloc(1, sizeof *f);

    if (f == NULL) {
        return err_nomem(e);
    }
    f->base.store = base;
    f->location = str_dup(location);
    if (f->location == NULL) {
        free(f);
        return err_nomem(e);
    }
    s3_new_id(s, f->id);
    next_buffer(f);
    *out = &f->base;
    return ERR_OK;
}

static enum err_code send_buffer(struct s3_file *f, struct err *e)
{
    if (f->part_count == S3_PART_COUNT_MAX) {
        return err_set(e, ERR_LIMIT, "writing %s: an object has at most %u parts", f->location,
                       S3_PART_COUNT_MAX);
    }
    ERR_TRY(s3_upload_push(f, e));
    next_buffer(f);
    return ERR_OK;
}

enum err_code s3_file_write(struct store_file *base, struct span bytes, struct err *e)
{
    struct s3_file *f = (struct s3_file *)base;
    struct bytes_reader in;

    bytes_reader_init(&in, bytes);
    ERR_TRY(s3_upload_check(f, e));
    while (bytes_left(&in) > 0) {
        size_t room = f->part_bytes - f->buffer.len;

        if (room == 0) {
            /* Only now, as more follows: an object of one part is a PUT, and no part is empty. */
            ERR_TRY(send_buffer(f, e));
            continue;
        }
        buf_append_span(&f->buffer,
                        bytes_span(&in, bytes_left(&in) < room ? bytes_left(&in) : room));
        ERR_TRY(buf_check(&f->buffer, e, f->location));
    }
    return ERR_OK;
}

uint64_t s3_held_bytes(const struct store_file *base)
{
    /* Parts that are handed over are bounded by buffers_max. */
    return ((const struct s3_file *)base)->buffer.cap;
}

void s3_abandon(struct store_file *base)
{
    struct s3_file *f = (struct s3_file *)base;
    struct s3_store *s = (struct s3_store *)base->store;
    struct err why = {0};

    /* A part that arrives after the end of its upload would stay. */
    s3_upload_wait(f, true);
    if (f->upload_id != NULL && s3_upload_abort(s, f->location, f->upload_id, &why) != ERR_OK) {
        log_warn(s->options.log, "s3.upload_left", LOG_STR("location", f->location),
                 LOG_STR("reason", why.msg));
    }
    file_free(f);
}

static enum err_code finish_upload(struct s3_file *f, struct err *e)
{
    ERR_TRY(send_buffer(f, e));
    s3_upload_wait(f, false);
    ERR_TRY(s3_upload_check(f, e));
    return s3_upload_complete(f, e);
}

enum err_code s3_finish(struct store_file *base, struct err *e)
{
    struct s3_file *f = (struct s3_file *)base;
    struct s3_store *s = (struct s3_store *)base->store;
    enum err_code rc = f->part_count == 0
                           ? s3_put_as(s, f->location, f->id, buf_span(&f->buffer), e)
                           : finish_upload(f, e);

    if (rc != ERR_OK) {
        s3_abandon(base);
        return rc;
    }
    file_free(f);
    return ERR_OK;
}
