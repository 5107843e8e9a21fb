#include "fake_s3.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "torture.h"

#define FAULTS_MAX     16u
#define HEADERS_MAX    8u
#define PART_BYTES_MIN ((size_t)5 << 20)
#define NOW            "2026-01-02T03:04:05.678Z"

struct header {
    char *name;
    char *value;
};

struct part {
    unsigned number;
    struct buf bytes;
    char etag[64];
};

/* An object, or an upload that may become one. */
struct object {
    char *name; /* "bucket/key" */
    struct buf bytes;
    char etag[64];
    char time[40];
    struct header headers[HEADERS_MAX];
    unsigned header_count;
    char upload_id[32];
    struct part *parts;
    size_t part_count;
};

struct objects {
    struct object *items;
    size_t count;
};

struct seen {
    char *method;
    char *target;
};

struct fake_s3 {
    struct fake_http *http;
    char localhost[64];
    pthread_mutex_t mutex; /* guards all below */
    struct fake_s3_rules rules;
    struct fake_s3_fault faults[FAULTS_MAX];
    unsigned fault_count;
    struct objects objects;
    struct objects uploads;
    unsigned upload_number;
    struct seen *seen;
    size_t seen_count;
    char last_host[128];
    char last_authorization[512];
    char last_key_id[64];
};

/* A request that is being answered. */
struct exchange {
    struct fake_s3 *s;
    const struct fake_http_request *q;
    struct fake_http_reply *reply;
    char *bucket;
    char *key;
    char *name;
};

static void *must(void *p)
{
    if (p == NULL) {
        perror("fake_s3");
        abort();
    }
    return p;
}

/* ---- texts ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Percent-encoding resolved; malloc'd. */
static char *decoded(const char *text, size_t len)
{
    char *out = must(malloc(len + 1));
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len && hex_digit(text[i + 1]) >= 0 &&
            hex_digit(text[i + 2]) >= 0) {
            out[n++] = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            out[n++] = text[i];
        }
    }
    out[n] = '\0';
    return out;
}

/* As S3 encodes keys in lists: '/' too stays, a blank is '+'. */
static void put_encoded(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-_.~/*", c) != NULL;

        if (c == ' ') {
            buf_u8(out, '+');
        } else if (plain) {
            buf_u8(out, c);
        } else {
            buf_printf(out, "%%%02X", c);
        }
    }
}

static void put_xml(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            buf_append_str(out, "&amp;");
            break;
        case '<':
            buf_append_str(out, "&lt;");
            break;
        case '>':
            buf_append_str(out, "&gt;");
            break;
        case '"':
            buf_append_str(out, "&quot;");
            break;
        default:
            buf_u8(out, (uint8_t)*text);
        }
    }
}

/* The text with its entities resolved; malloc'd. */
static char *from_xml(const char *text, size_t len)
{
    static const struct {
        const char *entity;
        char c;
    } known[] = {{"&amp;", '&'},   {"&lt;", '<'},   {"&gt;", '>'},  {"&quot;", '"'},
                 {"&apos;", '\''}, {"&#39;", '\''}, {"&#13;", '\r'}};
    char *out = must(malloc(len + 1));
    size_t n = 0;

    for (size_t i = 0; i < len;) {
        size_t skip = 1;
        char c = text[i];

        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
            size_t entity = strlen(known[k].entity);

            if (len - i >= entity && memcmp(text + i, known[k].entity, entity) == 0) {
                skip = entity;
                c = known[k].c;
            }
        }
        out[n++] = c;
        i += skip;
    }
    out[n] = '\0';
    return out;
}

/* The text of the next such element behind *at, which moves behind it; NULL when there is none. */
static char *next_element(const char **at, const char *name)
{
    char *open = must(str_format("<%s>", name));
    char *close = must(str_format("</%s>", name));
    const char *start = strstr(*at, open);
    const char *end = start == NULL ? NULL : strstr(start, close);
    char *text = NULL;

    if (end != NULL) {
        start += strlen(open);
        text = from_xml(start, (size_t)(end - start));
        *at = end + strlen(close);
    }
    free(open);
    free(close);
    return text;
}

/* The encoded value of a parameter, and its length; NULL when the query has none. */
static const char *find_parameter(const struct fake_http_request *q, const char *name, size_t *len)
{
    size_t name_bytes = strlen(name);

    for (const char *at = q->query; *at != '\0';) {
        size_t pair = strcspn(at, "&");

        if (pair >= name_bytes && memcmp(at, name, name_bytes) == 0 &&
            (pair == name_bytes || at[name_bytes] == '=')) {
            *len = pair == name_bytes ? 0 : pair - name_bytes - 1;
            return at + pair - *len;
        }
        at += pair + (at[pair] == '&' ? 1 : 0);
    }
    return NULL;
}

/* The value; NULL when there is none. malloc'd. */
static char *parameter(const struct fake_http_request *q, const char *name)
{
    size_t len;
    const char *value = find_parameter(q, name, &len);

    return value == NULL ? NULL : decoded(value, len);
}

static bool has_parameter(const struct fake_http_request *q, const char *name)
{
    size_t len;

    return find_parameter(q, name, &len) != NULL;
}

static void md5_hex(struct span bytes, char out[33])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    (void)EVP_Digest(bytes.len == 0 ? "" : (const char *)bytes.data, bytes.len, digest, &len,
                     EVP_md5(), NULL);
    str_hex(out, digest, 16);
}

/* ---- objects ---- */

static void object_deinit(struct object *o)
{
    for (size_t i = 0; i < o->part_count; i++) {
        buf_deinit(&o->parts[i].bytes);
    }
    for (unsigned i = 0; i < o->header_count; i++) {
        free(o->headers[i].name);
        free(o->headers[i].value);
    }
    free(o->parts);
    buf_deinit(&o->bytes);
    free(o->name);
}

static struct object *find(const struct objects *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->items[i].name, name) == 0) {
            return &l->items[i];
        }
    }
    return NULL;
}

static struct object *add(struct objects *l, const char *name)
{
    l->items = must(realloc(l->items, (l->count + 1) * sizeof *l->items));
    struct object *o = &l->items[l->count++];

    *o = (struct object){.name = must(str_dup(name))};
    (void)snprintf(o->time, sizeof o->time, NOW);
    return o;
}

static void drop(struct objects *l, struct object *o)
{
    object_deinit(o);
    *o = l->items[--l->count];
}

static void set_bytes(struct object *o, struct span bytes)
{
    char hex[33];

    buf_reset(&o->bytes);
    buf_append_span(&o->bytes, bytes);
    md5_hex(bytes, hex);
    (void)snprintf(o->etag, sizeof o->etag, "\"%s\"", hex);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct object *)a)->name, ((const struct object *)b)->name);
}

/* ---- answers ---- */

static void answer_error(struct exchange *x, int status, const char *code)
{
    x->reply->status = status;
    buf_reset(&x->reply->headers);
    buf_reset(&x->reply->body);
    buf_append_str(&x->reply->headers, "Content-Type: application/xml\r\n");
    buf_printf(&x->reply->body,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"
               "<Message>as planned</Message><RequestId>R1</RequestId></Error>",
               code);
}

static void answer_xml(struct exchange *x, const char *text)
{
    buf_append_str(&x->reply->headers, "Content-Type: application/xml\r\n");
    buf_append_str(&x->reply->body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    buf_append_str(&x->reply->body, text);
}

/* Whether the payload is what its checksums say; S3 asks for them where there is a body. */
static bool check_payload(struct exchange *x)
{
    const char *md5 = fake_http_header(x->q, "Content-MD5");
    const char *sha = fake_http_header(x->q, "x-amz-content-sha256");
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned char text[64];
    char hex[65];
    unsigned len = 0;
    const void *bytes = x->q->body.len == 0 ? (const void *)"" : x->q->body.data;

    /* The one that a signature has is not enough for the operation that wants one. */
    if (x->q->body.len > 0 && md5 == NULL && (sha == NULL || has_parameter(x->q, "delete"))) {
        answer_error(x, 400, "MissingContentMD5");
        return false;
    }
    (void)EVP_Digest(bytes, x->q->body.len, digest, &len, EVP_md5(), NULL);
    (void)EVP_EncodeBlock(text, digest, (int)len);
    if (md5 != NULL && strcmp((const char *)text, md5) != 0) {
        answer_error(x, 400, "BadDigest");
        return false;
    }
    (void)EVP_Digest(bytes, x->q->body.len, digest, &len, EVP_sha256(), NULL);
    str_hex(hex, digest, len);
    if (sha != NULL && strcmp(sha, hex) != 0) {
        answer_error(x, 400, "XAmzContentSHA256Mismatch");
        return false;
    }
    return true;
}

/* Whether a write may go on: If-None-Match is fulfilled. */
static bool check_condition(struct exchange *x)
{
    const char *none_match = fake_http_header(x->q, "If-None-Match");

    if (none_match == NULL) {
        return true;
    }
    if (x->s->rules.conditional_status != 0) {
        answer_error(x, x->s->rules.conditional_status, x->s->rules.conditional_code);
        return false;
    }
    if (strcmp(none_match, "*") != 0) {
        answer_error(x, 501, "NotImplemented");
        return false;
    }
    if (find(&x->s->objects, x->name) != NULL) {
        answer_error(x, 412, "PreconditionFailed");
        return false;
    }
    return true;
}

static void keep_headers(struct exchange *x, struct object *o)
{
    static const char *const names[] = {"x-amz-meta-calve-id", "x-amz-server-side-encryption",
                                        "x-amz-server-side-encryption-aws-kms-key-id"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = fake_http_header(x->q, names[i]);

        if (value != NULL) {
            o->headers[o->header_count++] =
                (struct header){must(str_dup(names[i])), must(str_dup(value))};
        }
    }
}

static void put_object(struct exchange *x)
{
    if (!check_payload(x) || !check_condition(x)) {
        return;
    }
    struct object *o = find(&x->s->objects, x->name);

    if (o != NULL) {
        drop(&x->s->objects, o);
    }
    o = add(&x->s->objects, x->name);
    set_bytes(o, x->q->body);
    keep_headers(x, o);
    buf_printf(&x->reply->headers, "ETag: %s\r\n", o->etag);
}

/* "bytes=3-7" or "bytes=-5" of `total`; false when there is no such range. */
static bool read_range(const char *text, size_t total, size_t *first, size_t *len)
{
    unsigned long long from = 0;
    unsigned long long to = 0;

    if (sscanf(text, "bytes=-%llu", &to) == 1) {
        *len = to < total ? (size_t)to : total;
        *first = total - *len;
        return *len > 0;
    }
    if (sscanf(text, "bytes=%llu-%llu", &from, &to) != 2 || from >= total || to < from) {
        return false;
    }
    *first = (size_t)from;
    *len = (size_t)((to < total - 1 ? to : total - 1) - from + 1);
    return true;
}

static void get_object(struct exchange *x)
{
    const struct object *o = find(&x->s->objects, x->name);
    const char *range = fake_http_header(x->q, "Range");
    const char *match = fake_http_header(x->q, "If-Match");
    size_t first = 0;

    if (o == NULL) {
        answer_error(x, 404, "NoSuchKey");
        return;
    }
    if (match != NULL && strcmp(match, o->etag) != 0) {
        answer_error(x, 412, "PreconditionFailed");
        return;
    }
    size_t len = o->bytes.len;

    if (range != NULL && !x->s->rules.no_ranges) {
        if (!read_range(range, o->bytes.len, &first, &len)) {
            answer_error(x, 416, "InvalidRange");
            buf_printf(&x->reply->headers, "Content-Range: bytes */%zu\r\n", o->bytes.len);
            return;
        }
        x->reply->status = 206;
        buf_printf(&x->reply->headers, "Content-Range: bytes %zu-%zu/%zu\r\n", first,
                   first + len - 1, o->bytes.len);
    }
    buf_append_str(&x->reply->headers, "Content-Type: binary/octet-stream\r\n");
    buf_printf(&x->reply->headers, "ETag: %s\r\n", o->etag);
    for (unsigned i = 0; i < o->header_count; i++) {
        buf_printf(&x->reply->headers, "%s: %s\r\n", o->headers[i].name, o->headers[i].value);
    }
    buf_append(&x->reply->body, o->bytes.data == NULL ? NULL : o->bytes.data + first, len);
}

static void remove_object(struct exchange *x)
{
    struct object *o = find(&x->s->objects, x->name);

    if (o != NULL) {
        drop(&x->s->objects, o);
    }
    x->reply->status = 204;
}

static void remove_batch(struct exchange *x)
{
    char *body = must(str_ndup(x->q->body.data, x->q->body.len));
    const char *at = body;
    char *key;

    if (x->s->rules.no_batches) {
        answer_error(x, 501, "NotImplemented");
        free(body);
        return;
    }
    if (!check_payload(x)) {
        free(body);
        return;
    }
    answer_xml(x, "<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    while ((key = next_element(&at, "Key")) != NULL) {
        char *name = must(str_format("%s/%s", x->bucket, key));
        struct object *o = find(&x->s->objects, name);

        if (x->s->rules.batch_fails != NULL && strstr(key, x->s->rules.batch_fails) != NULL) {
            buf_append_str(&x->reply->body, "<Error><Key>");
            put_xml(&x->reply->body, key);
            buf_append_str(&x->reply->body, "</Key><Code>InternalError</Code><Message>We "
                                            "encountered an internal error.</Message></Error>");
        } else if (o != NULL) {
            drop(&x->s->objects, o);
        }
        free(name);
        free(key);
    }
    buf_append_str(&x->reply->body, "</DeleteResult>");
    free(body);
}

/* ---- uploads ---- */

static struct object *find_upload(struct exchange *x)
{
    char *id = parameter(x->q, "uploadId");
    struct object *found = NULL;

    for (size_t i = 0; i < x->s->uploads.count; i++) {
        struct object *o = &x->s->uploads.items[i];

        if (id != NULL && strcmp(o->upload_id, id) == 0 && strcmp(o->name, x->name) == 0) {
            found = o;
        }
    }
    free(id);
    if (found == NULL) {
        answer_error(x, 404, "NoSuchUpload");
    }
    return found;
}

static struct object *begin_upload(struct fake_s3 *s, const char *name)
{
    struct object *o = add(&s->uploads, name);

    /* With what makes it differ from its encoding. */
    (void)snprintf(o->upload_id, sizeof o->upload_id, "up+%u/=", ++s->upload_number);
    return o;
}

static void create_upload(struct exchange *x)
{
    struct object *o = begin_upload(x->s, x->name);

    keep_headers(x, o);
    answer_xml(x, "<InitiateMultipartUploadResult><UploadId>");
    buf_append_str(&x->reply->body, o->upload_id);
    buf_append_str(&x->reply->body, "</UploadId></InitiateMultipartUploadResult>");
}

static void put_part(struct exchange *x)
{
    struct object *o = check_payload(x) ? find_upload(x) : NULL;
    char *number = parameter(x->q, "partNumber");
    unsigned n = number == NULL ? 0 : (unsigned)strtoul(number, NULL, 10);
    struct part *p = NULL;
    char hex[33];

    free(number);
    if (o == NULL) {
        return;
    }
    for (size_t i = 0; i < o->part_count; i++) {
        p = o->parts[i].number == n ? &o->parts[i] : p;
    }
    if (p == NULL) {
        o->parts = must(realloc(o->parts, (o->part_count + 1) * sizeof *o->parts));
        p = &o->parts[o->part_count++];
        *p = (struct part){.number = n};
    }
    buf_reset(&p->bytes);
    buf_append_span(&p->bytes, x->q->body);
    md5_hex(x->q->body, hex);
    (void)snprintf(p->etag, sizeof p->etag, "\"%s\"", hex);
    buf_printf(&x->reply->headers, "ETag: %s\r\n", p->etag);
}

static const struct part *find_part(const struct object *o, const char *number, const char *etag)
{
    unsigned n = (unsigned)strtoul(number, NULL, 10);

    for (size_t i = 0; i < o->part_count; i++) {
        if (o->parts[i].number == n && etag != NULL && strcmp(o->parts[i].etag, etag) == 0) {
            return &o->parts[i];
        }
    }
    return NULL;
}

/* Puts the parts together that are listed; the code of what is wrong with them, or NULL. */
static const char *join_parts(struct exchange *x, const struct object *o, struct buf *out,
                              unsigned *count)
{
    char *body = must(str_ndup(x->q->body.data, x->q->body.len));
    const char *at = body;
    const char *wrong = NULL;
    size_t least = x->s->rules.part_bytes_min == 0 ? PART_BYTES_MIN : x->s->rules.part_bytes_min;
    size_t last_bytes = least;
    unsigned last = 0;
    char *number;

    while (wrong == NULL && (number = next_element(&at, "PartNumber")) != NULL) {
        char *etag = next_element(&at, "ETag");
        const struct part *p = find_part(o, number, etag);

        if (p == NULL) {
            wrong = "InvalidPart";
        } else if (p->number <= last) {
            wrong = "InvalidPartOrder";
        } else if (last_bytes < least) {
            wrong = "EntityTooSmall";
        } else {
            buf_append_span(out, buf_span(&p->bytes));
            last_bytes = p->bytes.len;
            last = p->number;
            (*count)++;
        }
        free(number);
        free(etag);
    }
    free(body);
    return *count == 0 && wrong == NULL ? "MalformedXML" : wrong;
}

static void complete_upload(struct exchange *x)
{
    struct object *upload = check_payload(x) ? find_upload(x) : NULL;
    struct buf bytes = {0};
    unsigned count = 0;

    if (upload == NULL || !check_condition(x)) {
        return;
    }
    const char *wrong = join_parts(x, upload, &bytes, &count);

    if (wrong != NULL) {
        answer_error(x, 400, wrong);
        buf_deinit(&bytes);
        return;
    }
    struct object *o = find(&x->s->objects, x->name);

    if (o != NULL) {
        drop(&x->s->objects, o);
    }
    o = add(&x->s->objects, x->name);
    set_bytes(o, buf_span(&bytes));
    (void)snprintf(o->etag + strlen(o->etag) - 1, 16, "-%u\"", count);
    memcpy(o->headers, upload->headers, sizeof o->headers);
    o->header_count = upload->header_count;
    upload->header_count = 0;
    drop(&x->s->uploads, upload);
    buf_deinit(&bytes);
    answer_xml(x, "\n  <CompleteMultipartUploadResult><Key>k</Key><ETag>");
    put_xml(&x->reply->body, o->etag);
    buf_append_str(&x->reply->body, "</ETag></CompleteMultipartUploadResult>");
}

static void abort_upload(struct exchange *x)
{
    struct object *o = find_upload(x);

    if (o != NULL) {
        drop(&x->s->uploads, o);
        x->reply->status = 204;
    }
}

/* ---- lists ---- */

static void put_key(struct exchange *x, const char *element, const char *key)
{
    struct buf *out = &x->reply->body;

    buf_printf(out, "<%s>", element);
    if (x->s->rules.raw_keys) {
        put_xml(out, key);
    } else {
        put_encoded(out, key);
    }
    buf_printf(out, "</%s>", element);
}

static void put_entry(struct exchange *x, const struct object *o, bool upload)
{
    struct buf *out = &x->reply->body;
    const char *key = o->name + strlen(x->bucket) + 1;

    buf_append_str(out, upload ? "<Upload>" : "<Contents>");
    put_key(x, "Key", key);
    if (upload) {
        buf_printf(out, "<UploadId>%s</UploadId><Initiated>%s</Initiated></Upload>", o->upload_id,
                   o->time);
    } else {
        buf_printf(out,
                   "<LastModified>%s</LastModified><ETag>&quot;e&quot;</ETag><Size>%zu</Size>"
                   "<StorageClass>STANDARD</StorageClass></Contents>",
                   o->time, o->bytes.len);
    }
}

/* Where the page begins: behind this name; "" for the first. malloc'd. */
static char *page_start(struct exchange *x, bool upload)
{
    char *token = parameter(x->q, upload ? "key-marker" : "continuation-token");
    char *start = must(str_dup(""));

    /* A token is opaque: here it is the key with something around it. */
    if (token != NULL && !x->s->rules.forgets_page) {
        free(start);
        start = must(str_format("%s/%s", x->bucket, upload ? token : token + strlen("+t=")));
    }
    free(token);
    return start;
}

static void list(struct exchange *x, bool upload)
{
    struct objects *l = upload ? &x->s->uploads : &x->s->objects;
    unsigned page_max = x->s->rules.page_max == 0 ? 1000 : x->s->rules.page_max;
    char *prefix = parameter(x->q, "prefix");
    char *names = must(str_format("%s/%s", x->bucket, prefix == NULL ? "" : prefix));
    char *start = page_start(x, upload);
    const struct object *last = NULL;
    unsigned count = 0;

    if (!has_parameter(x->q, upload ? "uploads" : "list-type")) {
        answer_error(x, 501, "NotImplemented");
    } else {
        answer_xml(x, upload ? "<ListMultipartUploadsResult>" : "<ListBucketResult>");
        if (l->count > 0) {
            qsort(l->items, l->count, sizeof *l->items, by_name);
        }
        for (size_t i = 0; i < l->count; i++) {
            const struct object *o = &l->items[i];

            if (!str_starts_with(o->name, names) || strcmp(o->name, start) <= 0) {
                continue;
            }
            if (count++ == page_max) {
                break;
            }
            put_entry(x, o, upload);
            last = o;
        }
        bool more = count > page_max;

        buf_printf(&x->reply->body, "<IsTruncated>%s</IsTruncated>", more ? "true" : "false");
        if (more && upload) {
            put_key(x, "NextKeyMarker", last->name + strlen(x->bucket) + 1);
            buf_printf(&x->reply->body, "<NextUploadIdMarker>%s</NextUploadIdMarker>",
                       last->upload_id);
        } else if (more) {
            buf_append_str(&x->reply->body, "<NextContinuationToken>+t=");
            put_xml(&x->reply->body, last->name + strlen(x->bucket) + 1);
            buf_append_str(&x->reply->body, "</NextContinuationToken>");
        }
        /* Behind what it is about, as the order is not promised. */
        buf_append_str(&x->reply->body,
                       x->s->rules.raw_keys ? "" : "<EncodingType>url</EncodingType>");
        buf_append_str(&x->reply->body,
                       upload ? "</ListMultipartUploadsResult>" : "</ListBucketResult>");
    }
    free(start);
    free(names);
    free(prefix);
}

/* ---- requests ---- */

static void answer_bucket(struct exchange *x)
{
    const char *method = x->q->method;

    if (strcmp(method, "GET") == 0) {
        list(x, has_parameter(x->q, "uploads"));
    } else if (strcmp(method, "POST") == 0 && has_parameter(x->q, "delete")) {
        remove_batch(x);
    } else {
        answer_error(x, 405, "MethodNotAllowed");
    }
}

static void answer_object(struct exchange *x)
{
    const char *method = x->q->method;
    bool of_upload = has_parameter(x->q, "uploadId");

    if (strcmp(method, "PUT") == 0) {
        if (of_upload) {
            put_part(x);
        } else {
            put_object(x);
        }
    } else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
        get_object(x);
    } else if (strcmp(method, "DELETE") == 0) {
        if (of_upload) {
            abort_upload(x);
        } else {
            remove_object(x);
        }
    } else if (of_upload) {
        complete_upload(x);
    } else {
        create_upload(x);
    }
}

static bool is_bucket(const char *name)
{
    return strcmp(name, "lake") == 0 || strcmp(name, "other") == 0;
}

/* Bucket and key, from the host's name or the path. */
static void find_place(struct exchange *x)
{
    const char *host = fake_http_header(x->q, "Host");
    const char *dot = host == NULL ? NULL : strchr(host, '.');
    const char *path = x->q->path + 1;

    x->bucket = must(str_ndup(host, dot == NULL ? 0 : (size_t)(dot - host)));
    if (!is_bucket(x->bucket)) {
        size_t len = strcspn(path, "/");

        free(x->bucket);
        x->bucket = decoded(path, len);
        path += len + (path[len] == '/' ? 1 : 0);
    }
    x->key = decoded(path, strlen(path));
    x->name = must(str_format("%s/%s", x->bucket, x->key));
}

static void note_request(struct fake_s3 *s, const struct fake_http_request *q)
{
    const char *authorization = fake_http_header(q, "Authorization");
    const char *host = fake_http_header(q, "Host");
    const char *id = authorization == NULL ? NULL : strstr(authorization, "Credential=");

    s->seen = must(realloc(s->seen, (s->seen_count + 1) * sizeof *s->seen));
    s->seen[s->seen_count++] = (struct seen){must(str_dup(q->method)), must(str_dup(q->target))};
    (void)snprintf(s->last_host, sizeof s->last_host, "%s", host == NULL ? "" : host);
    (void)snprintf(s->last_authorization, sizeof s->last_authorization, "%s",
                   authorization == NULL ? "" : authorization);
    s->last_key_id[0] = '\0';
    if (id != NULL) {
        id += strlen("Credential=");
        (void)snprintf(s->last_key_id, sizeof s->last_key_id, "%.*s", (int)strcspn(id, "/"), id);
    }
}

/* The planned failure that this request meets; *out is it. */
static bool strikes(struct fake_s3 *s, const struct fake_http_request *q, struct fake_s3_fault *out)
{
    for (unsigned i = 0; i < s->fault_count; i++) {
        struct fake_s3_fault *f = &s->faults[i];

        if ((f->method != NULL && strcmp(f->method, q->method) != 0) ||
            (f->part != NULL && strstr(q->target, f->part) == NULL)) {
            continue;
        }
        if (f->nth > 1) {
            f->nth--;
            continue;
        }
        *out = *f;
        if (f->times > 1) {
            f->times--;
        } else {
            memmove(f, f + 1, (s->fault_count - i - 1) * sizeof *f);
            s->fault_count--;
        }
        return true;
    }
    return false;
}

static void apply_fault(struct exchange *x, const struct fake_s3_fault *f)
{
    if (f->code != NULL) {
        answer_error(x, f->status, f->code);
    } else if (f->status != 0) {
        x->reply->status = f->status;
    }
    if (f->body != NULL) {
        buf_reset(&x->reply->body);
        buf_append_str(&x->reply->body, f->body);
    }
    if (f->headers != NULL) {
        buf_append_str(&x->reply->headers, f->headers);
    }
    x->reply->fault = f->fault;
}

static void answer_request(struct exchange *x)
{
    const char *refused = x->s->rules.refused_key_id;

    if (refused != NULL && strcmp(x->s->last_key_id, refused) == 0) {
        answer_error(x, 400, "ExpiredToken");
    } else if (!is_bucket(x->bucket)) {
        answer_error(x, 404, "NoSuchBucket");
    } else if (x->key[0] == '\0') {
        answer_bucket(x);
    } else {
        answer_object(x);
    }
}

static void on_request(void *ctx, const struct fake_http_request *q, struct fake_http_reply *reply)
{
    struct fake_s3 *s = ctx;
    struct exchange x = {.s = s, .q = q, .reply = reply};
    struct fake_s3_fault fault;

    (void)pthread_mutex_lock(&s->mutex);
    note_request(s, q);
    find_place(&x);
    bool struck = strikes(s, q, &fault);

    if (!struck || fault.done || (fault.status == 0 && fault.fault == FAKE_HTTP_TRUNCATE) ||
        (fault.status == 0 && fault.fault == FAKE_HTTP_ANSWER)) {
        answer_request(&x);
    }
    if (struck) {
        apply_fault(&x, &fault);
    }
    (void)pthread_mutex_unlock(&s->mutex);
    free(x.bucket);
    free(x.key);
    free(x.name);
}

/* ---- for the test ---- */

struct fake_s3 *fake_s3_new(void)
{
    struct fake_s3 *s = must(calloc(1, sizeof *s));

    (void)pthread_mutex_init(&s->mutex, NULL);
    s->http = fake_http_new(on_request, s);
    (void)snprintf(s->localhost, sizeof s->localhost, "http://localhost%s",
                   strrchr(fake_http_url(s->http), ':'));
    return s;
}

static void objects_deinit(struct objects *l)
{
    for (size_t i = 0; i < l->count; i++) {
        object_deinit(&l->items[i]);
    }
    free(l->items);
}

void fake_s3_free(struct fake_s3 *s)
{
    fake_http_free(s->http);
    objects_deinit(&s->objects);
    objects_deinit(&s->uploads);
    for (size_t i = 0; i < s->seen_count; i++) {
        free(s->seen[i].method);
        free(s->seen[i].target);
    }
    free(s->seen);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s);
}

const char *fake_s3_url(const struct fake_s3 *s)
{
    return fake_http_url(s->http);
}

const char *fake_s3_localhost(const struct fake_s3 *s)
{
    return s->localhost;
}

void fake_s3_set_rules(struct fake_s3 *s, const struct fake_s3_rules *rules)
{
    (void)pthread_mutex_lock(&s->mutex);
    s->rules = *rules;
    (void)pthread_mutex_unlock(&s->mutex);
}

void fake_s3_fail(struct fake_s3 *s, const struct fake_s3_fault *fault)
{
    (void)pthread_mutex_lock(&s->mutex);
    if (s->fault_count == FAULTS_MAX) {
        abort();
    }
    s->faults[s->fault_count++] = *fault;
    (void)pthread_mutex_unlock(&s->mutex);
}

unsigned fake_s3_planned(struct fake_s3 *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    unsigned count = s->fault_count;

    (void)pthread_mutex_unlock(&s->mutex);
    return count;
}

void fake_s3_drop_faults(struct fake_s3 *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    s->fault_count = 0;
    (void)pthread_mutex_unlock(&s->mutex);
}

void fake_s3_put(struct fake_s3 *s, const char *name, struct span bytes)
{
    (void)pthread_mutex_lock(&s->mutex);
    struct object *o = find(&s->objects, name);

    set_bytes(o == NULL ? add(&s->objects, name) : o, bytes);
    (void)pthread_mutex_unlock(&s->mutex);
}

void fake_s3_remove(struct fake_s3 *s, const char *name)
{
    (void)pthread_mutex_lock(&s->mutex);
    struct object *o = find(&s->objects, name);

    if (o != NULL) {
        drop(&s->objects, o);
    }
    (void)pthread_mutex_unlock(&s->mutex);
}

void fake_s3_set_time(struct fake_s3 *s, const char *name, const char *modified)
{
    (void)pthread_mutex_lock(&s->mutex);
    struct object *o = must(find(&s->objects, name));

    (void)snprintf(o->time, sizeof o->time, "%s", modified);
    (void)pthread_mutex_unlock(&s->mutex);
}

bool fake_s3_has(struct fake_s3 *s, const char *name)
{
    (void)pthread_mutex_lock(&s->mutex);
    bool has = find(&s->objects, name) != NULL;

    (void)pthread_mutex_unlock(&s->mutex);
    return has;
}

size_t fake_s3_count(struct fake_s3 *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    size_t count = s->objects.count;

    (void)pthread_mutex_unlock(&s->mutex);
    return count;
}

struct span fake_s3_peek(struct fake_s3 *s, const char *name)
{
    (void)pthread_mutex_lock(&s->mutex);
    const struct object *o = find(&s->objects, name);
    struct span bytes = {NULL, 0};

    if (o != NULL) {
        bytes = o->bytes.len == 0 ? span_of("", 0) : buf_span(&o->bytes);
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return bytes;
}

const char *fake_s3_header(struct fake_s3 *s, const char *name, const char *header)
{
    (void)pthread_mutex_lock(&s->mutex);
    const struct object *o = find(&s->objects, name);
    const char *value = NULL;

    for (unsigned i = 0; o != NULL && i < o->header_count; i++) {
        value = strcmp(o->headers[i].name, header) == 0 ? o->headers[i].value : value;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return value;
}

size_t fake_s3_uploads(struct fake_s3 *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    size_t count = s->uploads.count;

    (void)pthread_mutex_unlock(&s->mutex);
    return count;
}

void fake_s3_begin_upload(struct fake_s3 *s, const char *name, const char *initiated)
{
    (void)pthread_mutex_lock(&s->mutex);
    struct object *o = begin_upload(s, name);

    (void)snprintf(o->time, sizeof o->time, "%s", initiated);
    (void)pthread_mutex_unlock(&s->mutex);
}

unsigned fake_s3_requests(struct fake_s3 *s, const char *method, const char *part)
{
    unsigned count = 0;

    (void)pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->seen_count; i++) {
        count += (method == NULL || strcmp(s->seen[i].method, method) == 0) &&
                 (part == NULL || strstr(s->seen[i].target, part) != NULL);
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return count;
}

const char *fake_s3_last_target(struct fake_s3 *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    const char *target = s->seen_count == 0 ? "" : s->seen[s->seen_count - 1].target;

    (void)pthread_mutex_unlock(&s->mutex);
    return target;
}

const char *fake_s3_last_key_id(struct fake_s3 *s)
{
    return s->last_key_id;
}

const char *fake_s3_last_authorization(struct fake_s3 *s)
{
    return s->last_authorization;
}

const char *fake_s3_last_host(struct fake_s3 *s)
{
    return s->last_host;
}
