/*
 * s3_remove.c - removing objects: one by DeleteObject, up to a thousand of a bucket by
 * DeleteObjects.
 *
 * What DeleteObjects does not remove is tried once more alone, as then the usual retries and the
 * keys lent for that very place apply, and so is everything where a server has no such operation.
 */
#include "net/xml.h"
#include "storage/s3_int.h"

enum err_code s3_remove(struct store *base, const char *location, struct err *e)
{
    struct aws_answer a;
    enum err_code rc = s3_send((struct s3_store *)base,
                               &(struct s3_request){
                                   .operation = "DeleteObject",
                                   .action = "s3:DeleteObject",
                                   .method = "DELETE",
                                   .location = location,
                               },
                               &a, e);

    aws_answer_deinit(&a);
    /* A missing object; a missing bucket is ERR_CONFIG. */
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* Whether the key can be written in XML 1.0 and reads the same. */
static bool fits_xml(struct span key)
{
    for (size_t i = 0; i < key.len; i++) {
        if (key.data[i] < 0x20) {
            return false;
        }
    }
    return true;
}

/* Locations that go into one request: neighbours in one bucket. */
static uint32_t batch_count(const char *const *locations, uint32_t count)
{
    struct span first = {NULL, 0};
    uint32_t n = 0;

    for (; n < count && n < S3_REMOVE_MANY_MAX; n++) {
        struct span bucket;
        struct span key;

        if (s3_location_of_object(locations[n], &bucket, &key, NULL) != ERR_OK || !fits_xml(key)) {
            break;
        }
        if (n > 0 && !span_eq(bucket, first)) {
            break;
        }
        first = bucket;
    }
    return n;
}

static enum err_code put_batch(const char *const *locations, uint32_t count, struct buf *out,
                               struct err *e)
{
    buf_append_str(out, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                        "<Quiet>true</Quiet>");
    for (uint32_t i = 0; i < count; i++) {
        struct span bucket;
        struct span key;

        ERR_TRY(s3_location_of_object(locations[i], &bucket, &key, e));
        buf_append_str(out, "<Object><Key>");
        /* The key ends where its location does. */
        xml_put_text(out, (const char *)key.data);
        buf_append_str(out, "</Key></Object>");
    }
    buf_append_str(out, "</Delete>");
    return buf_check(out, e, "list of objects to remove");
}

static enum err_code send_batch(struct s3_store *s, const char *const *locations, uint32_t count,
                                struct s3_page *failed, struct aws_error *error, struct err *e)
{
    const struct http_header headers[] = {{"Content-Type", "application/xml"}};
    struct aws_answer a = {0};
    struct buf body = {0};
    enum err_code rc = put_batch(locations, count, &body, e);

    *failed = (struct s3_page){0};
    if (rc == ERR_OK) {
        rc = s3_send(s,
                     &(struct s3_request){
                         .operation = "DeleteObjects",
                         .action = "s3:DeleteObject",
                         .method = "POST",
                         .location = locations[0],
                         .of_bucket = true,
                         .query = "delete=",
                         .headers = headers,
                         .header_count = 1,
                         .body = buf_span(&body),
                         .has_body = true,
                         .needs_checksum = true,
                     },
                     &a, e);
    }
    if (rc == ERR_OK) {
        rc = s3_page_parse(buf_span(&a.response.body), S3_PAGE_REMOVED, failed, e);
    }
    *error = a.error;
    aws_answer_deinit(&a);
    buf_deinit(&body);
    return rc;
}

static bool names(const struct s3_page *page, const char *location)
{
    struct span bucket;
    struct span key;

    if (s3_location_of_object(location, &bucket, &key, NULL) != ERR_OK) {
        return true;
    }
    for (uint32_t i = 0; i < page->count; i++) {
        if (span_eq_str(key, page->items[i].key)) {
            return true;
        }
    }
    return false;
}

/* The failures so far: the first one counts. */
struct removing {
    struct s3_store *s;
    enum err_code first;
    struct err why;
};

static void note(struct removing *r, enum err_code rc, const struct err *why, const char *location)
{
    if (r->first == ERR_OK) {
        r->first = rc;
        r->why = *why;
        err_wrap(&r->why, "removing %s", location);
    }
}

static void remove_alone(struct removing *r, const char *location, bool *removed)
{
    struct err why = {0};
    enum err_code rc = s3_remove(&r->s->base, location, &why);

    *removed = rc == ERR_OK;
    if (rc != ERR_OK) {
        note(r, rc, &why, location);
    }
}

/* Whether the server said no to the operation rather than to what it was to do. */
static bool has_no_batches(const struct aws_error *error)
{
    return error->status == 400 || error->status == 404 || error->status == 405 ||
           error->status == 501;
}

static void remove_batch(struct removing *r, const char *const *locations, uint32_t count,
                         bool *removed)
{
    struct s3_page failed;
    struct aws_error error;
    struct err why = {0};
    uint32_t named = 0;
    enum err_code rc = send_batch(r->s, locations, count, &failed, &error, &why);

    if (rc != ERR_OK && (rc == ERR_CONFIG || !has_no_batches(&error))) {
        note(r, rc, &why, locations[0]);
        s3_page_deinit(&failed);
        return;
    }
    for (uint32_t i = 0; rc == ERR_OK && i < count; i++) {
        removed[i] = !names(&failed, locations[i]);
        named += removed[i] ? 0 : 1;
    }
    /* Failures of keys that nobody asked for: then it is not known which they are about. */
    bool all = rc != ERR_OK || (failed.count > 0 && named == 0);

    for (uint32_t i = 0; i < count; i++) {
        if (all || !removed[i]) {
            remove_alone(r, locations[i], &removed[i]);
        }
    }
    s3_page_deinit(&failed);
}

enum err_code s3_remove_many(struct store *base, const char *const *locations, uint32_t count,
                             bool *removed, struct err *e)
{
    struct removing r = {.s = (struct s3_store *)base};
    bool gone[S3_REMOVE_MANY_MAX];

    for (uint32_t at = 0; at < count;) {
        uint32_t n = batch_count(locations + at, count - at);

        memset(gone, 0, sizeof gone);
        if (n > 1) {
            remove_batch(&r, locations + at, n, gone);
        } else {
            n = 1;
            remove_alone(&r, locations[at], gone);
        }
        if (removed != NULL) {
            memcpy(removed + at, gone, n * sizeof *gone);
        }
        at += n;
    }
    if (r.first != ERR_OK && e != NULL) {
        *e = r.why;
    }
    return r.first;
}
