/*
 * What is signed, line by line:
 *
 *   canonical request: METHOD, path, sorted query, sorted headers, an empty line, names of the
 *                      headers, hash of the payload
 *   string to sign:    AWS4-HMAC-SHA256, date, date/region/service/aws4_request, hash of the above
 *   signature:         HMAC of it, with a key that the scope is hashed into step by step
 */
#include "aws/sigv4.h"

#include <limits.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "codec/civil_time.h"
#include "net/uri.h"

#define OWN_HEADERS   4u /* host and three x-amz- */
#define DATE_BYTES    8u /* of "20130524T000000Z" */
#define SECONDS_A_DAY INT64_C(86400)
#define TIME_MAX_S    INT64_C(253402300799) /* the last second of the year 9999 */

void sigv4_hash(struct span bytes, char out[SIGV4_HASH_TEXT_BYTES])
{
    static const uint8_t nothing[1] = {0};
    uint8_t digest[SHA256_DIGEST_LENGTH];

    out[0] = '\0';
    if (SHA256(bytes.len == 0 ? nothing : bytes.data, bytes.len, digest) != NULL) {
        str_hex(out, digest, sizeof digest);
    }
}

/* ---- headers ---- */

struct signed_header {
    const char *name;
    const char *value;
    uint32_t order; /* as given: headers of one name keep it */
};

static uint8_t lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : (uint8_t)c;
}

static int compare_names(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return (int)lower(*a) - (int)lower(*b);
}

static int compare_headers(const void *a, const void *b)
{
    const struct signed_header *x = a;
    const struct signed_header *y = b;
    int order = compare_names(x->name, y->name);

    return order != 0 ? order : x->order < y->order ? -1 : 1;
}

/* Proxies and tracers may change these. */
static bool is_unsigned(const char *name)
{
    static const char *const names[] = {
        "authorization",
        "baggage",
        "connection",
        "expect",
        "keep-alive",
        "te",
        "traceparent",
        "proxy-authenticate",
        "proxy-authorization",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_ieq(name, names[i])) {
            return true;
        }
    }
    return false;
}

struct signed_headers {
    struct signed_header *list;
    uint32_t count;
};

static void add_header(struct signed_headers *h, const char *name, const char *value)
{
    h->list[h->count] = (struct signed_header){name, value, h->count};
    h->count++;
}

/* All that is signed, sorted. free() the list. */
static enum err_code collect_headers(const struct sigv4_request *request,
                                     const struct sigv4_key *key, const char *date,
                                     struct signed_headers *out, struct err *e)
{
    out->count = 0;
    out->list = calloc((size_t)request->header_count + OWN_HEADERS, sizeof *out->list);
    if (out->list == NULL) {
        return err_nomem(e);
    }
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (!is_unsigned(request->headers[i].name)) {
            add_header(out, request->headers[i].name, request->headers[i].value);
        }
    }
    add_header(out, "host", request->host);
    add_header(out, "x-amz-date", date);
    if (key->send_payload_hash) {
        add_header(out, "x-amz-content-sha256", request->payload_hash);
    }
    if (key->session_token != NULL && key->session_token[0] != '\0') {
        add_header(out, "x-amz-security-token", key->session_token);
    }
    qsort(out->list, out->count, sizeof *out->list, compare_headers);
    return ERR_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without blanks at both ends; runs of them inside are one. */
static void put_header_value(struct buf *out, const char *value)
{
    bool pending = false;
    bool begun = false;

    for (const char *p = value; *p != '\0'; p++) {
        if (is_blank(*p)) {
            pending = begun;
            continue;
        }
        if (pending) {
            buf_u8(out, ' ');
        }
        buf_u8(out, (uint8_t)*p);
        pending = false;
        begun = true;
    }
}

static bool same_name_as_before(const struct signed_headers *h, uint32_t i)
{
    return i > 0 && compare_names(h->list[i - 1].name, h->list[i].name) == 0;
}

static void put_lower(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        buf_u8(out, lower(*text));
    }
}

static void put_headers(struct buf *out, const struct signed_headers *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        if (same_name_as_before(h, i)) {
            buf_u8(out, ',');
        } else {
            buf_append_str(out, i == 0 ? "" : "\n");
            put_lower(out, h->list[i].name);
            buf_u8(out, ':');
        }
        put_header_value(out, h->list[i].value);
    }
    buf_u8(out, '\n');
}

static void put_header_names(struct buf *out, const struct signed_headers *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        if (!same_name_as_before(h, i)) {
            buf_append_str(out, i == 0 ? "" : ";");
            put_lower(out, h->list[i].name);
        }
    }
}

/* ---- path and query ---- */

/* The piece of text up to `end`; *text goes behind it and `end`. */
static struct span cut_piece(const char **text, char end)
{
    const char *stop = strchr(*text, end);
    size_t len = stop == NULL ? strlen(*text) : (size_t)(stop - *text);
    struct span piece = span_of(*text, len);

    *text += len + (stop == NULL ? 0 : 1);
    return piece;
}

/* Appends the path without empty segments, "." and "..". */
static void put_resolved_path(struct buf *out, const char *path)
{
    const char *at = path;

    while (*at != '\0') {
        struct span segment = cut_piece(&at, '/');

        if (segment.len == 0 || span_eq_str(segment, ".")) {
            continue;
        }
        if (!span_eq_str(segment, "..")) {
            buf_u8(out, '/');
            buf_append_span(out, segment);
            continue;
        }
        while (out->len > 0 && out->data[--out->len] != '/') {
        }
    }
    if (out->len == 0 || str_ends_with(path, "/")) {
        buf_u8(out, '/');
    }
}

static void put_path(struct buf *out, const char *path, bool as_is)
{
    struct buf resolved = {0};

    if (as_is) {
        buf_append_str(out, path);
        return;
    }
    put_resolved_path(&resolved, path);
    uri_encode(out, buf_span(&resolved), true);
    if (resolved.failed != ERR_OK) {
        out->failed = resolved.failed;
    }
    buf_deinit(&resolved);
}

struct parameter {
    struct span name;
    struct span value;
};

static int compare_spans(struct span a, struct span b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);

    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len ? 1 : 0;
}

static int compare_parameters(const void *a, const void *b)
{
    const struct parameter *x = a;
    const struct parameter *y = b;
    int order = compare_spans(x->name, y->name);

    return order != 0 ? order : compare_spans(x->value, y->value);
}

/* Sorted by name, then by value; one without "=" gets it. */
static enum err_code put_query(struct buf *out, const char *query, struct err *e)
{
    size_t count = 1;
    size_t used = 0;

    if (query == NULL || query[0] == '\0') {
        return ERR_OK;
    }
    for (const char *p = query; *p != '\0'; p++) {
        count += *p == '&' ? 1 : 0;
    }
    struct parameter *list = calloc(count, sizeof *list);

    if (list == NULL) {
        return err_nomem(e);
    }
    for (const char *at = query; used < count; used++) {
        struct span piece = cut_piece(&at, '&');
        const uint8_t *equals = piece.len == 0 ? NULL : memchr(piece.data, '=', piece.len);
        size_t name_len = equals == NULL ? piece.len : (size_t)(equals - piece.data);
        size_t value_at = equals == NULL ? piece.len : name_len + 1;

        list[used].name = span_of(piece.data, name_len);
        list[used].value = span_of(piece.data + value_at, piece.len - value_at);
    }
    qsort(list, used, sizeof *list, compare_parameters);
    for (size_t i = 0; i < used; i++) {
        buf_append_str(out, i == 0 ? "" : "&");
        buf_append_span(out, list[i].name);
        buf_u8(out, '=');
        buf_append_span(out, list[i].value);
    }
    free(list);
    return ERR_OK;
}

/* ---- the signature ---- */

static void put_date(int64_t time_s, char out[17])
{
    int64_t year;
    unsigned month;
    unsigned day;
    int64_t s = time_s < 0 ? 0 : time_s > TIME_MAX_S ? TIME_MAX_S : time_s;
    unsigned of_day = (unsigned)(s % SECONDS_A_DAY);

    civil_from_days(s / SECONDS_A_DAY, &year, &month, &day);
    (void)snprintf(out, 17, "%04u%02u%02uT%02u%02u%02uZ", (unsigned)year % 10000, month % 100,
                   day % 100, of_day / 3600 % 100, of_day / 60 % 60, of_day % 60);
}

static enum err_code put_canonical(struct buf *out, const struct sigv4_request *request,
                                   const struct sigv4_key *key, const struct signed_headers *h,
                                   struct err *e)
{
    if (request->path[0] != '/') {
        return err_set(e, ERR_CONFIG, "signing a request: path '%.100s' does not begin with '/'",
                       request->path);
    }
    buf_append_str(out, request->method);
    buf_u8(out, '\n');
    put_path(out, request->path, key->path_as_is);
    buf_u8(out, '\n');
    ERR_TRY(put_query(out, request->query, e));
    buf_u8(out, '\n');
    put_headers(out, h);
    buf_u8(out, '\n');
    put_header_names(out, h);
    buf_u8(out, '\n');
    buf_append_str(out, request->payload_hash);
    return buf_check(out, e, "a request's canonical form");
}

enum err_code sigv4_canonical_request(const struct sigv4_request *request,
                                      const struct sigv4_key *key, struct buf *out, struct err *e)
{
    char date[17];
    struct signed_headers h;

    put_date(key->time_s, date);
    ERR_TRY(collect_headers(request, key, date, &h, e));
    enum err_code rc = put_canonical(out, request, key, &h, e);

    free(h.list);
    return rc;
}

static enum err_code hmac(struct span key, struct span text, uint8_t out[SHA256_DIGEST_LENGTH],
                          struct err *e)
{
    unsigned len = 0;

    if (key.len > INT_MAX) {
        return err_set(e, ERR_LIMIT, "signing a request: a secret of %zu bytes", key.len);
    }
    return HMAC(EVP_sha256(), key.data, (int)key.len, text.data, text.len, out, &len) == NULL
               ? err_nomem(e)
               : ERR_OK;
}

/* The secret, then date, region, service and a constant, hashed one into the other. */
static enum err_code signing_key(const struct sigv4_key *key, const char *date,
                                 uint8_t out[SHA256_DIGEST_LENGTH], struct err *e)
{
    struct span steps[] = {span_of(date, DATE_BYTES), span_str(key->region), span_str(key->service),
                           span_str("aws4_request")};
    struct secret secret = {str_format("AWS4%s", key->secret_access_key)};
    uint8_t last[SHA256_DIGEST_LENGTH];

    if (secret.text == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = hmac(span_str(secret.text), steps[0], out, e);

    for (size_t i = 1; rc == ERR_OK && i < sizeof steps / sizeof steps[0]; i++) {
        memcpy(last, out, sizeof last);
        rc = hmac(span_of(last, sizeof last), steps[i], out, e);
    }
    secret_wipe(&secret);
    OPENSSL_cleanse(last, sizeof last);
    return rc;
}

static enum err_code put_signature(struct buf *out, const struct sigv4_key *key, const char *date,
                                   const char *scope, struct span canonical, struct err *e)
{
    char hash[SIGV4_HASH_TEXT_BYTES];
    char hex[SIGV4_HASH_TEXT_BYTES];
    uint8_t secret[SHA256_DIGEST_LENGTH];
    uint8_t signature[SHA256_DIGEST_LENGTH];
    struct buf text = {0};

    sigv4_hash(canonical, hash);
    if (hash[0] == '\0') {
        return err_nomem(e);
    }
    buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hash);
    enum err_code rc = buf_check(&text, e, "the text to sign");

    if (rc == ERR_OK) {
        rc = signing_key(key, date, secret, e);
    }
    if (rc == ERR_OK) {
        rc = hmac(span_of(secret, sizeof secret), buf_span(&text), signature, e);
    }
    if (rc == ERR_OK) {
        str_hex(hex, signature, sizeof signature);
        buf_append_str(out, hex);
    }
    OPENSSL_cleanse(secret, sizeof secret);
    buf_deinit(&text);
    return rc;
}

static enum err_code put_authorization(const struct sigv4_request *request,
                                       const struct sigv4_key *key, struct sigv4_headers *out,
                                       struct err *e)
{
    struct signed_headers h;
    struct buf canonical = {0};
    char *scope = str_format("%.*s/%s/%s/aws4_request", (int)DATE_BYTES, out->date, key->region,
                             key->service);

    if (scope == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = collect_headers(request, key, out->date, &h, e);

    if (rc == ERR_OK) {
        rc = put_canonical(&canonical, request, key, &h, e);
    }
    if (rc == ERR_OK) {
        buf_printf(&out->authorization,
                   "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", key->access_key_id, scope);
        put_header_names(&out->authorization, &h);
        buf_append_str(&out->authorization, ", Signature=");
        rc = put_signature(&out->authorization, key, out->date, scope, buf_span(&canonical), e);
    }
    if (rc == ERR_OK) {
        buf_u8(&out->authorization, '\0');
        rc = buf_check(&out->authorization, e, "a request's signature");
    }
    buf_deinit(&canonical);
    free(h.list);
    free(scope);
    return rc;
}

/* A line end that came along from a file would break the header that the text goes into. */
static bool is_word(const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if ((uint8_t)*text <= ' ' || (uint8_t)*text >= 0x7f) {
            return false;
        }
    }
    return true;
}

enum err_code sigv4_sign(const struct sigv4_request *request, const struct sigv4_key *key,
                         struct sigv4_headers *out, struct err *e)
{
    *out = (struct sigv4_headers){.session_token = ""};
    if (request->payload_hash[0] == '\0') {
        return err_nomem(e); /* sigv4_hash() had none */
    }
    if (!is_word(key->access_key_id) || !is_word(key->session_token)) {
        return err_set(
            e, ERR_CONFIG,
            "signing a request: the %s has a blank or another character that none has; is "
            "there a line end at its end?",
            is_word(key->access_key_id) ? "session token" : "access key id");
    }
    put_date(key->time_s, out->date);
    if (key->send_payload_hash) {
        (void)snprintf(out->payload_hash, sizeof out->payload_hash, "%s", request->payload_hash);
    }
    if (key->session_token != NULL) {
        out->session_token = key->session_token;
    }
    return put_authorization(request, key, out, e);
}

void sigv4_headers_deinit(struct sigv4_headers *h)
{
    buf_deinit(&h->authorization);
    *h = (struct sigv4_headers){.session_token = ""};
}
