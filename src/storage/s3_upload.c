/*
 * s3_upload.c - uploads in parts.
 *
 *   file's thread    hands parts over, waits, CompleteMultipartUpload
 *   upload threads   CreateMultipartUpload for the first part, UploadPart, in no order
 *
 * buffers_max counts bytes from the moment a part is handed over until it is through, so that the
 * store's memory has a ceiling however many files are open.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "net/uri.h"
#include "net/xml.h"
#include "storage/s3_int.h"

#define UPLOAD_THREADS_DEFAULT 4u
#define BUFFERS_MAX_DEFAULT    ((size_t)64 << 20)
#define PARTS_OF_A_SIZE        1000u

/* Nobody waits long for what a sweep does as well. */
#define ABORT_DEADLINE_US (15 * INT64_C(1000000))

size_t s3_part_bytes(size_t part_bytes, uint32_t number)
{
    for (uint32_t i = PARTS_OF_A_SIZE; i < number && part_bytes < S3_PART_BYTES_MAX;
         i += PARTS_OF_A_SIZE) {
        part_bytes *= 2;
    }
    return part_bytes < S3_PART_BYTES_MAX ? part_bytes : S3_PART_BYTES_MAX;
}

enum err_code s3_uploader_init(struct s3_uploader *u, const struct s3_options *options,
                               struct err *e)
{
    u->thread_count =
        options->upload_threads == 0 ? UPLOAD_THREADS_DEFAULT : options->upload_threads;
    u->buffers_max = options->buffers_max == 0 ? BUFFERS_MAX_DEFAULT : options->buffers_max;
    u->threads = calloc(u->thread_count, sizeof *u->threads);
    /* The queue never makes a push wait: s3_upload_push() does, with what is on its way counted. */
    u->parts = queue_new(SIZE_MAX);
    if (u->threads == NULL || u->parts == NULL) {
        return err_nomem(e);
    }
    return ERR_OK;
}

void s3_uploader_deinit(struct s3_uploader *u)
{
    if (u->parts != NULL) {
        queue_close(u->parts);
    }
    for (uint32_t i = 0; i < u->started; i++) {
        (void)pthread_join(u->threads[i], NULL);
    }
    queue_free(u->parts);
    free(u->threads);
}

static enum err_code malformed(const char *operation, const char *location, const char *what,
                               struct err *e)
{
    return err_set_retryable(e, ERR_IO, "%s %s: the answer %s", operation, location, what);
}

/* That a request of an upload finds none is no missing object. */
static enum err_code explain_gone(enum err_code rc, struct err *e)
{
    if (rc == ERR_NOT_FOUND && e == NULL) {
        return ERR_IO;
    }
    return rc != ERR_NOT_FOUND
               ? rc
               : err_set(e, ERR_IO,
                         "%s (its upload is gone: has the bucket a lifecycle rule that "
                         "ends uploads too early?)",
                         e->msg);
}

/* ---- one part, in an upload thread ---- */

static enum err_code send_part(const struct s3_part *p, char **etag, struct err *e)
{
    struct s3_file *f = p->file;
    struct aws_answer a;
    struct buf query = {0};
    char number[16];

    (void)snprintf(number, sizeof number, "%u", p->number);
    uri_put_query(&query, "partNumber", number);
    uri_put_query(&query, "uploadId", f->upload_id);
    const char *text = buf_cstr(&query);

    if (text == NULL) {
        buf_deinit(&query);
        return err_nomem(e);
    }
    struct s3_store *s = (struct s3_store *)f->base.store;
    enum err_code rc = s3_send(s,
                               &(struct s3_request){
                                   .operation = "UploadPart",
                                   .action = "s3:PutObject",
                                   .method = "PUT",
                                   .location = f->location,
                                   .query = text,
                                   .body = buf_span(&p->bytes),
                                   .has_body = true,
                                   .deadline_us = s->options.write_deadline_us,
                               },
                               &a, e);

    if (rc == ERR_OK) {
        const char *header = http_response_header(&a.response, "ETag");

        *etag = header == NULL ? NULL : str_dup(header);
        if (*etag == NULL) {
            rc = header == NULL ? malformed("UploadPart", f->location, "has no ETag", e)
                                : err_nomem(e);
        }
    }
    aws_answer_deinit(&a);
    buf_deinit(&query);
    return explain_gone(rc, e);
}

/* ---- the upload that it is of: the first part begins it ---- */

static enum err_code begin(const struct s3_file *f, char **upload_id, struct err *e)
{
    struct s3_store *s = (struct s3_store *)f->base.store;
    struct http_header headers[S3_HEADERS_MAX];
    struct aws_answer a;
    enum err_code rc = s3_send(s,
                               &(struct s3_request){
                                   .operation = "CreateMultipartUpload",
                                   .action = "s3:PutObject",
                                   .method = "POST",
                                   .location = f->location,
                                   .query = "uploads=",
                                   .headers = headers,
                                   .header_count = s3_object_headers(s, f->id, headers, 0),
                                   .has_body = true,
                                   .deadline_us = s->options.write_deadline_us,
                               },
                               &a, e);

    if (rc == ERR_OK) {
        rc = s3_answer_text(buf_span(&a.response.body), "InitiateMultipartUploadResult/UploadId",
                            upload_id, e);
        if (rc == ERR_CORRUPT || (rc == ERR_OK && *upload_id == NULL)) {
            rc = malformed("CreateMultipartUpload", f->location, "names no upload", e);
        }
    }
    aws_answer_deinit(&a);
    return rc;
}

static enum err_code begin_upload(struct s3_uploader *u, struct s3_file *f, struct err *e)
{
    char *upload_id = NULL;
    enum err_code rc = begin(f, &upload_id, e);

    (void)pthread_mutex_lock(&u->mutex);
    f->upload_id = upload_id;
    (void)pthread_cond_broadcast(&u->changed);
    (void)pthread_mutex_unlock(&u->mutex);
    return rc;
}

/* The first part was taken by a thread before this one, as they come in order. False: it failed. */
static bool wait_for_upload(struct s3_uploader *u, const struct s3_file *f)
{
    (void)pthread_mutex_lock(&u->mutex);
    while (f->upload_id == NULL && f->failed.code == ERR_OK) {
        (void)pthread_cond_wait(&u->changed, &u->mutex);
    }
    bool begun = f->failed.code == ERR_OK;

    (void)pthread_mutex_unlock(&u->mutex);
    return begun;
}

/* A part whose upload has failed goes nowhere, and is no failure of its own. */
static enum err_code begin_and_send(struct s3_uploader *u, struct s3_part *p, char **etag,
                                    struct err *e)
{
    if (p->number == 1) {
        ERR_TRY(begin_upload(u, p->file, e));
    }
    return wait_for_upload(u, p->file) ? send_part(p, etag, e) : ERR_OK;
}

static void send_part_unless_failed(struct s3_uploader *u, struct s3_part *p)
{
    struct err why = {0};
    char *etag = NULL;

    (void)pthread_mutex_lock(&u->mutex);
    bool failed = p->file->failed.code != ERR_OK;

    (void)pthread_mutex_unlock(&u->mutex);
    enum err_code rc = failed ? ERR_OK : begin_and_send(u, p, &etag, &why);
    size_t bytes = p->bytes.cap;

    buf_deinit(&p->bytes);
    (void)pthread_mutex_lock(&u->mutex);
    p->etag = etag;
    if (rc != ERR_OK && p->file->failed.code == ERR_OK) {
        p->file->failed = why;
    }
    u->bytes -= bytes;
    /* From here on part and file may be gone. */
    p->file->pending--;
    (void)pthread_cond_broadcast(&u->changed);
    (void)pthread_mutex_unlock(&u->mutex);
}

static void *upload_main(void *arg)
{
    struct s3_uploader *u = arg;
    struct queue_link *link;

    while ((link = queue_pop(u->parts)) != NULL) {
        send_part_unless_failed(u, (struct s3_part *)link);
    }
    return NULL;
}

/* ---- in the file's thread ---- */

/* Under the mutex. Fewer threads than wanted will do. */
static enum err_code start_threads(struct s3_uploader *u, struct err *e)
{
    while (u->started < u->thread_count) {
        int failed = pthread_create(&u->threads[u->started], NULL, upload_main, u);

        if (failed != 0 && u->started == 0) {
            return err_set_os(e, ERR_IO, failed, "starting a thread that uploads to S3");
        }
        if (failed != 0) {
            u->thread_count = u->started;
            return ERR_OK;
        }
        u->started++;
    }
    return ERR_OK;
}

/* Under the mutex. */
static enum err_code failure_of(const struct s3_file *f, struct err *e)
{
    if (f->failed.code != ERR_OK && e != NULL) {
        *e = f->failed;
    }
    return f->failed.code;
}

enum err_code s3_upload_push(struct s3_file *f, struct err *e)
{
    struct s3_uploader *u = &((struct s3_store *)f->base.store)->uploader;
    struct s3_part *p = calloc(1, sizeof *p);

    if (p == NULL) {
        return err_nomem(e);
    }
    size_t bytes = f->buffer.cap;

    (void)pthread_mutex_lock(&u->mutex);
    enum err_code rc = start_threads(u, e);

    while (rc == ERR_OK && f->failed.code == ERR_OK && u->bytes > 0 &&
           (bytes > u->buffers_max || u->bytes > u->buffers_max - bytes)) {
        (void)pthread_cond_wait(&u->changed, &u->mutex);
    }
    if (rc == ERR_OK) {
        rc = failure_of(f, e);
    }
    if (rc == ERR_OK) {
        f->pending++;
        u->bytes += bytes;
    }
    (void)pthread_mutex_unlock(&u->mutex);
    if (rc != ERR_OK) {
        free(p);
        return rc;
    }
    *p = (struct s3_part){.file = f, .number = ++f->part_count, .bytes = f->buffer};
    f->buffer = (struct buf){0};
    if (f->last == NULL) {
        f->first = p;
    } else {
        f->last->next = p;
    }
    f->last = p;
    /* The queue is open: it is closed when the store is freed, which has no open files then. */
    (void)!queue_push(u->parts, &p->link, bytes);
    return ERR_OK;
}

enum err_code s3_upload_check(struct s3_file *f, struct err *e)
{
    struct s3_uploader *u = &((struct s3_store *)f->base.store)->uploader;

    (void)pthread_mutex_lock(&u->mutex);
    enum err_code rc = failure_of(f, e);

    (void)pthread_mutex_unlock(&u->mutex);
    return rc;
}

void s3_upload_wait(struct s3_file *f, bool stop)
{
    struct s3_uploader *u = &((struct s3_store *)f->base.store)->uploader;

    (void)pthread_mutex_lock(&u->mutex);
    if (stop && f->failed.code == ERR_OK) {
        (void)err_set(&f->failed, ERR_CANCELLED, "writing %s was given up", f->location);
        (void)pthread_cond_broadcast(&u->changed);
    }
    while (f->pending > 0) {
        (void)pthread_cond_wait(&u->changed, &u->mutex);
    }
    (void)pthread_mutex_unlock(&u->mutex);
}

static void put_parts(const struct s3_file *f, struct buf *out)
{
    buf_append_str(out, "<CompleteMultipartUpload "
                        "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (const struct s3_part *p = f->first; p != NULL; p = p->next) {
        buf_printf(out, "<Part><PartNumber>%u</PartNumber><ETag>", p->number);
        xml_put_text(out, p->etag);
        buf_append_str(out, "</ETag></Part>");
    }
    buf_append_str(out, "</CompleteMultipartUpload>");
}

struct completion {
    struct span parts;
    const char *query;
};

static enum err_code send_complete(struct s3_store *s, const struct s3_write *w, bool conditional,
                                   struct aws_answer *out, struct err *e)
{
    const struct completion *c = w->ctx;
    const struct http_header headers[] = {{"Content-Type", "application/xml"},
                                          {"If-None-Match", "*"}};
    char *etag = NULL;
    enum err_code rc = s3_send(s,
                               &(struct s3_request){
                                   .operation = "CompleteMultipartUpload",
                                   .action = "s3:PutObject",
                                   .method = "POST",
                                   .location = w->location,
                                   .query = c->query,
                                   .headers = headers,
                                   .header_count = conditional ? 2 : 1,
                                   .body = c->parts,
                                   .has_body = true,
                                   .deadline_us = s->options.write_deadline_us,
                               },
                               out, e);

    if (rc != ERR_OK) {
        return rc;
    }
    /* The status comes before the work is done; what became of it is in the document. */
    rc = s3_answer_text(buf_span(&out->response.body), "CompleteMultipartUploadResult/ETag", &etag,
                        e);
    if (rc == ERR_CORRUPT || (rc == ERR_OK && etag == NULL)) {
        out->maybe_done = true;
        rc = malformed("CompleteMultipartUpload", w->location, "does not say that it was done", e);
    }
    free(etag);
    return rc;
}

enum err_code s3_upload_complete(struct s3_file *f, struct err *e)
{
    struct buf parts = {0};
    struct buf query = {0};

    put_parts(f, &parts);
    uri_put_query(&query, "uploadId", f->upload_id);
    const struct completion c = {buf_span(&parts), buf_cstr(&query)};
    enum err_code rc = buf_check(&parts, e, "list of parts");

    if (rc == ERR_OK && c.query == NULL) {
        rc = err_nomem(e);
    }
    if (rc == ERR_OK) {
        rc = s3_write_new(
            (struct s3_store *)f->base.store,
            &(struct s3_write){
                .location = f->location, .id = f->id, .send = send_complete, .ctx = &c},
            e);
    }
    buf_deinit(&query);
    buf_deinit(&parts);
    return explain_gone(rc, e);
}

enum err_code s3_upload_abort(struct s3_store *s, const char *location, const char *upload_id,
                              struct err *e)
{
    struct buf query = {0};
    struct aws_answer a;

    uri_put_query(&query, "uploadId", upload_id);
    const char *text = buf_cstr(&query);

    if (text == NULL) {
        buf_deinit(&query);
        return err_nomem(e);
    }
    enum err_code rc = s3_send(s,
                               &(struct s3_request){
                                   .operation = "AbortMultipartUpload",
                                   .action = "s3:AbortMultipartUpload",
                                   .method = "DELETE",
                                   .location = location,
                                   .query = text,
                                   .deadline_us = ABORT_DEADLINE_US,
                               },
                               &a, e);

    aws_answer_deinit(&a);
    buf_deinit(&query);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}
