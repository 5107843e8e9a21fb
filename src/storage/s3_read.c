/*
 * s3_read.c - reads, always of ranges: the first answer tells how large the object is, and a range
 * that breaks off costs little.
 */
#include <stdlib.h>

#include "base/str.h"
#include "storage/s3_int.h"

#define RANGE_BYTES      ((size_t)8 << 20)
#define TAIL_BYTES       ((size_t)64 << 10)
#define TRUNCATED_TRIES  3u
#define STATUS_PARTIAL   206
#define STATUS_FAILED_IF 412
#define STATUS_NO_RANGE  416

/* What is asked for: len bytes at offset, or the last len bytes. */
struct range {
    uint64_t offset;
    size_t len;
    bool from_end;
    const char *etag; /* only of this version; NULL: any */
};

/* What came: bytes at `offset` of an object of `total`. */
struct piece {
    struct aws_answer answer; /* holds the bytes */
    struct span bytes;
    uint64_t offset;
    uint64_t total;
};

static bool take_number(struct bytes_reader *in, char end, uint64_t *out)
{
    const uint8_t *at = bytes_left(in) == 0 ? NULL : memchr(in->at, end, bytes_left(in));

    if (at == NULL) {
        return false;
    }
    struct span digits = bytes_span(in, (size_t)(at - in->at));

    bytes_skip(in, 1);
    return str_to_u64(digits, out);
}

/* "bytes 0-99/1234"; "bytes * /1234" (without the blank) when there is no such range. */
static bool parse_content_range(const char *text, bool *has_range, uint64_t *first, uint64_t *last,
                                uint64_t *total)
{
    struct bytes_reader in;

    if (text == NULL || !str_starts_with(text, "bytes ")) {
        return false;
    }
    bytes_reader_init(&in, span_str(text + strlen("bytes ")));
    *has_range = text[strlen("bytes ")] != '*';
    if (*has_range) {
        if (!take_number(&in, '-', first) || !take_number(&in, '/', last)) {
            return false;
        }
    } else if (!span_eq_str(bytes_span(&in, 2), "*/")) {
        return false;
    }
    return str_to_u64(bytes_rest(&in), total);
}

/* Whether a 206 is the range that was asked for, all of it. */
static bool fits(const struct range *r, struct piece *p)
{
    const char *header = http_response_header(&p->answer.response, "Content-Range");
    uint64_t last;
    bool has_range;

    if (header != NULL && p->bytes.len == 0 && r->offset == 0 && str_ends_with(header, "/0")) {
        /* MinIO has a range of an empty object: "bytes 0--1/0". */
        p->offset = 0;
        p->total = 0;
        return true;
    }
    if (!parse_content_range(header, &has_range, &p->offset, &last, &p->total) || !has_range ||
        last < p->offset || last >= p->total || p->bytes.len != last - p->offset + 1) {
        return false;
    }
    uint64_t want = r->from_end ? (p->total < r->len ? 0 : p->total - r->len) : r->offset;
    uint64_t left = p->total - p->offset;

    return p->offset == want && p->bytes.len == (left < r->len ? left : r->len);
}

/* An answer without a range: the whole object, from a server that knows no ranges. */
static bool is_whole(struct piece *p)
{
    const char *header = http_response_header(&p->answer.response, "Content-Length");
    uint64_t length;

    p->offset = 0;
    p->total = p->bytes.len;
    return header == NULL || (str_to_u64(span_str(header), &length) && length == p->bytes.len);
}

/* The object ends before the range: only an empty one has no last bytes, and none at 0. */
static enum err_code past_end(const char *location, const struct range *r, struct piece *p,
                              struct err *e)
{
    uint64_t first;
    uint64_t last;
    bool has_range;

    if (!parse_content_range(http_response_header(&p->answer.response, "Content-Range"), &has_range,
                             &first, &last, &p->total) ||
        has_range) {
        p->total = 0;
    }
    p->bytes = (struct span){NULL, 0};
    if (r->offset > 0 || p->total > 0) {
        return err_set(e, ERR_CORRUPT, "reading %s: it ends before byte %llu", location,
                       (unsigned long long)r->offset);
    }
    p->offset = 0;
    return ERR_OK;
}

static enum err_code get_once(struct s3_store *s, const char *location, const struct range *r,
                              struct piece *out, bool *truncated, struct err *e)
{
    char *text = r->from_end ? str_format("bytes=-%zu", r->len)
                             : str_format("bytes=%llu-%llu", (unsigned long long)r->offset,
                                          (unsigned long long)r->offset + r->len - 1);
    const struct http_header headers[] = {{"Range", text}, {"If-Match", r->etag}};

    *truncated = false;
    *out = (struct piece){0};
    if (text == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = s3_send(s,
                               &(struct s3_request){
                                   .operation = "GetObject",
                                   .action = "s3:GetObject",
                                   .method = "GET",
                                   .location = location,
                                   .headers = headers,
                                   .header_count = r->etag == NULL ? 1 : 2,
                               },
                               &out->answer, e);

    free(text);
    out->bytes = buf_span(&out->answer.response.body);
    if (rc != ERR_OK && out->answer.error.status == STATUS_NO_RANGE) {
        return past_end(location, r, out, e);
    }
    if (rc != ERR_OK && out->answer.error.status == STATUS_FAILED_IF) {
        return err_set(e, ERR_CORRUPT, "reading %s: it was replaced by another object meanwhile",
                       location);
    }
    if (rc == ERR_OK) {
        *truncated = out->answer.response.status == STATUS_PARTIAL ? !fits(r, out) : !is_whole(out);
    }
    return rc;
}

/* *out is initialised here. Errors: ERR_CORRUPT the object ends before the range, or it is another
 * version; ERR_IO an answer that is not what was asked for, again and again; those of s3_send(). */
static enum err_code get_piece(struct s3_store *s, const char *location, const struct range *r,
                               struct piece *out, struct err *e)
{
    bool truncated;

    for (unsigned i = 1;; i++) {
        enum err_code rc = get_once(s, location, r, out, &truncated, e);

        if (rc != ERR_OK || !truncated) {
            return rc;
        }
        if (i == TRUNCATED_TRIES) {
            const char *range = http_response_header(&out->answer.response, "Content-Range");

            return err_set_retryable(
                e, ERR_IO, "reading %s: asked for %zu bytes at %llu, S3 sent %zu (%s), %u times",
                location, r->len, (unsigned long long)r->offset, out->bytes.len,
                range == NULL ? "no Content-Range" : range, i);
        }
        aws_answer_deinit(&out->answer);
    }
}

/* That of the answer, where it is one that a condition may name. malloc'd. */
static enum err_code copy_etag(const struct piece *p, char **out, struct err *e)
{
    const char *etag = http_response_header(&p->answer.response, "ETag");

    *out = NULL;
    if (etag == NULL || etag[0] == '\0' || str_starts_with(etag, "W/")) {
        return ERR_OK;
    }
    *out = str_dup(etag);
    return *out == NULL ? err_nomem(e) : ERR_OK;
}

static enum err_code append_piece(struct buf *out, const struct piece *p, const char *location,
                                  struct err *e)
{
    if (p->bytes.len > 0) {
        /* Room for the rest as well, so that a limit is noticed early. */
        (void)buf_reserve(out, (size_t)(p->total - p->offset));
    }
    buf_append_span(out, p->bytes);
    return buf_check(out, e, location);
}

enum err_code s3_get(struct store *base, const char *location, struct buf *out, struct err *e)
{
    struct s3_store *s = (struct s3_store *)base;
    struct range r = {.len = RANGE_BYTES};
    uint64_t total = 0;
    char *etag = NULL;
    enum err_code rc;

    do {
        struct piece p;

        rc = get_piece(s, location, &r, &p, e);
        if (rc == ERR_OK && r.offset == 0) {
            total = p.total;
            rc = copy_etag(&p, &etag, e);
            r.etag = etag;
        }
        if (rc == ERR_OK && (p.total != total || p.offset != r.offset)) {
            rc = err_set(e, ERR_CORRUPT, "reading %s: it was replaced by another object meanwhile",
                         location);
        }
        if (rc == ERR_OK) {
            rc = append_piece(out, &p, location, e);
            r.offset += p.bytes.len;
        }
        aws_answer_deinit(&p.answer);
    } while (rc == ERR_OK && r.offset < total);
    free(etag);
    return rc;
}

struct s3_reader {
    struct store_reader base;
    char *location;
    char *etag;           /* NULL: the server tells none */
    struct aws_answer at; /* of the first range: it holds the bytes of `tail` */
    struct span tail;     /* the object's last bytes, where footers are */
    uint64_t total;
};

void s3_close(struct store_reader *base)
{
    struct s3_reader *r = (struct s3_reader *)base;

    aws_answer_deinit(&r->at);
    free(r->etag);
    free(r->location);
    free(r);
}

/* len > 0 bytes that begin `skip` bytes into the piece. */
static enum err_code copy_piece(struct span bytes, uint64_t skip, uint8_t *out, size_t len,
                                struct err *e)
{
    struct bytes_reader in;

    bytes_reader_init(&in, bytes);
    bytes_skip(&in, (size_t)skip);
    const uint8_t *from = bytes_take(&in, len);

    if (from == NULL) {
        return err_set(e, ERR_CORRUPT, "an answer of %zu bytes does not reach to byte %llu",
                       bytes.len, (unsigned long long)skip + len);
    }
    memcpy(out, from, len);
    return ERR_OK;
}

static enum err_code read_range(struct s3_reader *reader, uint64_t offset, uint8_t *out, size_t len,
                                struct err *e)
{
    const struct range r = {.offset = offset, .len = len, .etag = reader->etag};
    struct piece p;
    enum err_code rc =
        get_piece((struct s3_store *)reader->base.store, reader->location, &r, &p, e);

    if (rc == ERR_OK && p.total != reader->total) {
        rc = err_set(e, ERR_CORRUPT, "reading %s: it was replaced by another object meanwhile",
                     reader->location);
    }
    if (rc == ERR_OK) {
        /* A server without ranges sends more than that. */
        rc = copy_piece(p.bytes, offset - p.offset, out, len, e);
    }
    aws_answer_deinit(&p.answer);
    return rc;
}

static enum err_code read_at(void *ctx, uint64_t offset, uint8_t *out, size_t len, struct err *e)
{
    struct s3_reader *r = ctx;
    uint64_t tail_at = r->total - r->tail.len;

    if (offset > r->total || len > r->total - offset) {
        return err_set(e, ERR_CORRUPT, "reading %s: it ends before byte %llu", r->location,
                       (unsigned long long)offset + len);
    }
    while (len > 0 && offset < tail_at) {
        size_t step = len < RANGE_BYTES ? len : RANGE_BYTES;

        step = tail_at - offset < step ? (size_t)(tail_at - offset) : step;
        ERR_TRY(read_range(r, offset, out, step, e));
        out += step;
        offset += step;
        len -= step;
    }
    return len == 0 ? ERR_OK : copy_piece(r->tail, offset - tail_at, out, len, e);
}

enum err_code s3_open(struct store *base, const char *location, struct store_reader **out,
                      struct byte_source *source, struct err *e)
{
    struct s3_store *s = (struct s3_store *)base;
    const struct range range = {.len = TAIL_BYTES, .from_end = true};
    struct s3_reader *r = calloc(1, sizeof *r);
    struct piece p = {0};

    if (r == NULL) {
        return err_nomem(e);
    }
    r->base.store = base;
    r->location = str_dup(location);
    enum err_code rc = r->location == NULL ? err_nomem(e) : get_piece(s, location, &range, &p, e);

    /* The answer's bytes stay where they are. */
    r->at = p.answer;
    r->tail = p.bytes;
    r->total = p.total;
    if (rc == ERR_OK) {
        rc = copy_etag(&p, &r->etag, e);
    }
    if (rc != ERR_OK) {
        s3_close(&r->base);
        return rc;
    }
    *source = (struct byte_source){r->total, read_at, r};
    *out = &r->base;
    return ERR_OK;
}
