/*
 * aws_bed.h - an aws_client, its keys and its clock, in front of a server that answers by plan.
 *
 *   struct bed b = {.plans = {{.status = 503}}};
 *   bed_init(&b, NULL);
 *   assert_ok(call(&b, get_request()), &b.e);       the second try went well
 *   assert_string_equal(b.seen[1].target, "GET /lake/t/x");
 *   bed_deinit(&b);
 *
 * Thread: the test's.
 */
#ifndef CALVE_TEST_AWS_BED_H
#define CALVE_TEST_AWS_BED_H

#include <stdatomic.h>

#include "aws/aws_client.h"
#include "fake_clock.h"
#include "fake_http.h"
#include "test.h"

#define S     INT64_C(1000000)
#define MS    INT64_C(1000)
#define NOW_S INT64_C(1700000000) /* Tue, 14 Nov 2023 22:13:20 GMT */

/* Bodies of errors that are put right. */
#define EXPIRED "<Error><Code>ExpiredToken</Code><Message>It has expired.</Message></Error>"
#define SKEWED  "<Error><Code>RequestTimeTooSkewed</Code></Error>"
#define MALFORMED                                                                                \
    "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; " \
    "expecting 'eu-west-1'</Message><Region>eu-west-1</Region></Error>"

/* What the server does with its first, second, … request; behind the end it answers "ok". */
struct plan {
    enum fake_http_fault fault;
    int status;
    const char *headers;
    const char *body;
};

#define PLANS_MAX    8u
#define SEEN_MAX     12u
#define HEADER_BYTES 700u

/* What came. Written by the server while a request waits for it. */
struct seen {
    char target[200];
    char host[120];
    char authorization[HEADER_BYTES];
    char date[32];
    char hash[80];
    char token[80];
    char body[80];
};

struct bed {
    struct fake_http *server;
    struct http_client *http;
    struct credentials_source *source;
    struct aws_client *client;
    struct fake_clock time;
    struct aws_answer answer;
    struct err e;
    struct plan plans[PLANS_MAX];
    bool for_ever; /* the first plan holds for all requests */
    struct seen seen[SEEN_MAX];
    atomic_uint requests; /* without those for keys */
    atomic_uint keys_given;
    atomic_uint keys_fixed; /* no new ones after that many; 0: always new ones */
    atomic_bool stop;
    bool stop_at_request;
};

static inline void note(char *out, size_t out_bytes, const char *text)
{
    (void)snprintf(out, out_bytes, "%s", text == NULL ? "" : text);
}

static inline void note_request(struct bed *b, const struct fake_http_request *q, unsigned index)
{
    if (index >= SEEN_MAX) {
        return;
    }
    struct seen *s = &b->seen[index];

    (void)snprintf(s->target, sizeof s->target, "%s %.190s", q->method, q->target);
    note(s->host, sizeof s->host, fake_http_header(q, "host"));
    note(s->authorization, sizeof s->authorization, fake_http_header(q, "authorization"));
    note(s->date, sizeof s->date, fake_http_header(q, "x-amz-date"));
    note(s->hash, sizeof s->hash, fake_http_header(q, "x-amz-content-sha256"));
    note(s->token, sizeof s->token, fake_http_header(q, "x-amz-security-token"));
    (void)snprintf(s->body, sizeof s->body, "%.*s", (int)q->body.len, (const char *)q->body.data);
}

/* An endpoint of keys, as in a container. */
static inline void give_keys(struct bed *b, struct fake_http_reply *r)
{
    unsigned fixed = b->keys_fixed;
    unsigned n = atomic_fetch_add(&b->keys_given, 1) + 1;

    buf_printf(&r->body,
               "{\"AccessKeyId\":\"ASIA%u\",\"SecretAccessKey\":\"secret\",\"Token\":\"token\","
               "\"Expiration\":\"2023-11-15T22:13:20Z\"}",
               fixed != 0 && n > fixed ? fixed : n);
}

static inline void answer(void *ctx, const struct fake_http_request *q, struct fake_http_reply *r)
{
    struct bed *b = ctx;

    if (strcmp(q->path, "/keys") == 0) {
        give_keys(b, r);
        return;
    }
    unsigned index = atomic_fetch_add(&b->requests, 1);
    unsigned which = b->for_ever ? 0 : index;

    note_request(b, q, index);
    if (b->stop_at_request) {
        b->stop = true;
    }
    if (which < PLANS_MAX) {
        const struct plan *p = &b->plans[which];

        r->status = p->status;
        r->fault = p->fault;
        buf_append_str(&r->headers, p->headers == NULL ? "" : p->headers);
        buf_append_str(&r->body, p->body == NULL ? "ok" : p->body);
    } else {
        buf_append_str(&r->body, "ok");
    }
}

static inline bool is_stopped(void *ctx)
{
    struct bed *b = ctx;

    return b->stop;
}

static const struct aws_service bed_s3 = {.name = "s3",
                                          .label = "S3",
                                          .path_as_is = true,
                                          .send_payload_hash = true,
                                          .read_error = aws_read_xml_error};
static const struct aws_service bed_rest = {.name = "glue", /* to sign for */
                                            .label = "the REST catalog",
                                            .read_error = aws_read_json_error};
static const struct aws_service bed_glue = {
    .name = "glue", .label = "Glue", .read_error = aws_read_json_error};

/* Explicit keys, or those of the server's endpoint, or none. */
static inline void make_source(struct bed *b, bool endpoint, bool none)
{
    char where[100];
    const char *const environment[] = {none ? "AWS_EC2_METADATA_DISABLED=true" : where, NULL};
    struct credentials_options o = {.environment = environment,
                                    .http = b->http,
                                    .clock = fake_clock(&b->time),
                                    .region = "us-east-1"};

    (void)snprintf(where, sizeof where, "AWS_CONTAINER_CREDENTIALS_FULL_URI=%s/keys",
                   fake_http_url(b->server));
    if (!endpoint && !none) {
        o.access_key_id = "AKIDEXAMPLE";
        o.secret_access_key = "hush";
    }
    assert_ok(credentials_source_new(&o, &b->source, &b->e), &b->e);
}

struct setup {
    const struct aws_service *service; /* NULL: bed_s3 */
    const char *endpoint;              /* NULL: the server; else the server is the proxy to it */
    struct log *log;
    bool keys_from_endpoint;
    bool no_keys; /* anywhere */
    bool anonymous;
    bool short_stall;
    int64_t attempt_us;
};

static inline void bed_init(struct bed *b, const struct setup *given)
{
    static const struct setup none;
    const struct setup *s = given == NULL ? &none : given;

    b->time.wall_us = NOW_S * S;
    b->server = fake_http_new(answer, b);
    const struct http_client_options http = {
        .proxy = s->endpoint == NULL ? "" : fake_http_url(b->server),
        .stall_timeout_us = s->short_stall ? 100 * MS : 0,
        .cancelled = is_stopped,
        .cancelled_ctx = b};

    assert_ok(http_client_new(&http, &b->http, &b->e), &b->e);
    make_source(b, s->keys_from_endpoint, s->no_keys);
    const struct aws_client_options o = {.service = s->service == NULL ? &bed_s3 : s->service,
                                         .endpoint = s->endpoint == NULL ? fake_http_url(b->server)
                                                                         : s->endpoint,
                                         .region = "us-east-1",
                                         .anonymous = s->anonymous,
                                         .credentials = s->anonymous ? NULL : b->source,
                                         .http = b->http,
                                         .clock = fake_clock(&b->time),
                                         .log = s->log,
                                         .attempt_us = s->attempt_us};

    assert_ok(aws_client_new(&o, &b->client, &b->e), &b->e);
}

static inline void bed_deinit(struct bed *b)
{
    aws_answer_deinit(&b->answer);
    aws_client_free(b->client);
    credentials_source_free(b->source);
    http_client_free(b->http);
    fake_http_free(b->server);
}

static inline struct aws_request get_request(void)
{
    return (struct aws_request){
        .what = "GET s3://lake/t/x", .method = "GET", .path = "/lake/t/x", .repeatable = true};
}

static inline struct aws_request commit_request(void)
{
    return (struct aws_request){.what = "UpdateTable shop.orders",
                                .method = "POST",
                                .path = "/",
                                .body = span_str("{}"),
                                .has_body = true};
}

static inline enum err_code call(struct bed *b, struct aws_request q)
{
    aws_answer_deinit(&b->answer);
    return aws_call(b->client, &q, &b->answer, &b->e);
}

static inline void assert_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, text);
    }
}

static inline void assert_between(int64_t v, int64_t least, int64_t most)
{
    if (v < least || v > most) {
        fail_msg("%lld is not between %lld and %lld", (long long)v, (long long)least,
                 (long long)most);
    }
}

#endif
