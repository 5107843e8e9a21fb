/*
 * rest_request.c - a request with its tries.
 *
 *   answer                        a question             a change
 *   no connection, 429            again, later           again, later
 *   reset, timeout, 408, 5xx      again, later           ERR_UNKNOWN
 *   401, 419                      once more with a new token
 *   others                        the error              the error
 *
 * "Later" is what Retry-After says, else backoff with jitter. A change that met a 503 with
 * Retry-After waits for that before it says ERR_UNKNOWN, as the look at the table that comes next
 * goes to the same server.
 *
 * A signed request goes through aws_client.h, which has tries of the same kind.
 */
#include <stdlib.h>

#include "base/str.h"
#include "catalog/rest_int.h"

#define WAIT_MIN_US    100000
#define WAIT_MAX_US    5000000
#define WAIT_STEP_US   50000
#define ATTEMPT_MIN_US (INT64_C(1) * 1000000)
#define OWN_HEADERS    5u

void rest_answer_deinit(struct rest_answer *a)
{
    http_response_deinit(&a->response);
    *a = (struct rest_answer){0};
}

static int64_t wait_us(struct rest_catalog *c, const char *retry_after, struct retry *backoff)
{
    uint64_t seconds;

    if (retry_after != NULL && str_to_u64(span_str(retry_after), &seconds) && seconds > 0) {
        return seconds > INT32_MAX ? (int64_t)INT32_MAX * 1000000 : (int64_t)seconds * 1000000;
    }
    (void)pthread_mutex_lock(&c->rand_mutex);
    int64_t us = retry_next_us(backoff, &c->rand);

    (void)pthread_mutex_unlock(&c->rand_mutex);
    return us;
}

int64_t rest_patience_us(const struct rest_catalog *c, bool answered)
{
    return answered || c->deadline_us < REST_FIRST_CONTACT_US ? c->deadline_us
                                                              : REST_FIRST_CONTACT_US;
}

bool rest_wait(struct rest_catalog *c, const char *retry_after, struct retry *backoff,
               int64_t until_us)
{
    int64_t left_us = wait_us(c, retry_after, backoff);

    if (clock_mono_us(&c->base.clock) > until_us - left_us) {
        return false;
    }
    while (left_us > 0) {
        int64_t step_us = left_us < WAIT_STEP_US ? left_us : WAIT_STEP_US;

        if (http_client_cancelled(c->http)) {
            return false;
        }
        clock_sleep_us(&c->base.clock, step_us);
        left_us -= step_us;
    }
    return true;
}

static void put_hex(char *out, uint64_t v, int digits)
{
    static const char hex[] = "0123456789abcdef";

    for (int i = digits - 1; i >= 0; i--) {
        out[i] = hex[v & 15];
        v >>= 4;
    }
}

/* RFC 9562, version 7: milliseconds since the epoch, then random bits. */
static void new_key(struct rest_catalog *c, char out[UUID_TEXT_BYTES])
{
    uint64_t ms = (uint64_t)(clock_wall_us(&c->base.clock) / 1000);

    (void)pthread_mutex_lock(&c->rand_mutex);
    uint64_t a = rand_u64(&c->rand);
    uint64_t b = rand_u64(&c->rand);

    (void)pthread_mutex_unlock(&c->rand_mutex);
    put_hex(out, ms >> 16, 8);
    out[8] = '-';
    put_hex(out + 9, ms & 0xffff, 4);
    out[13] = '-';
    put_hex(out + 14, 0x7000 | (a & 0xfff), 4);
    out[18] = '-';
    put_hex(out + 19, 0x8000 | ((a >> 16) & 0x3fff), 4);
    out[23] = '-';
    put_hex(out + 24, b, 12);
    out[36] = '\0';
}

const char *rest_change_key(struct rest_catalog *c, const char *path, const char *body)
{
    struct rest_key *key = &c->key;
    int64_t now_us = clock_mono_us(&c->base.clock);
    char of[2 * SIGV4_HASH_TEXT_BYTES];
    char whole[SIGV4_HASH_TEXT_BYTES];

    if (c->config.key_lifetime_us == 0) {
        return NULL;
    }
    sigv4_hash(span_str(path), of);
    sigv4_hash(span_str(body), of + SIGV4_HASH_TEXT_BYTES - 1);
    sigv4_hash(span_str(of), whole);
    if (strcmp(whole, key->of) != 0 || now_us - key->made_us >= c->config.key_lifetime_us) {
        memcpy(key->of, whole, sizeof whole);
        key->made_us = now_us;
        new_key(c, key->text);
    }
    return key->text;
}

void rest_key_used(struct rest_catalog *c, enum err_code rc)
{
    if (rc != ERR_OK && rc != ERR_UNKNOWN) {
        c->key.of[0] = '\0';
    }
}

/* One try, while it is made. */
struct attempt {
    struct rest_catalog *c;
    const struct rest_call *call;
    struct secret who; /* the value of Authorization */
    struct http_header *headers;
    uint32_t header_count;
    int64_t start_us;
};

/* When to give up. */
static int64_t until_us(const struct attempt *a)
{
    return a->start_us + rest_patience_us(a->c, a->c->answered);
}

/* Of the names that both have, the user's and the server's headers count. */
static void put_own(struct attempt *a, const char *name, const char *value)
{
    const struct rest_catalog *c = a->c;

    for (uint32_t i = 0; i < c->header_count; i++) {
        if (str_ieq(c->headers[i].name, name)) {
            return;
        }
    }
    a->headers[a->header_count++] = (struct http_header){name, value};
}

static enum err_code make_headers(struct attempt *a, struct err *e)
{
    const struct rest_catalog *c = a->c;

    a->headers = calloc((size_t)c->header_count + OWN_HEADERS, sizeof *a->headers);
    if (a->headers == NULL) {
        return err_nomem(e);
    }
    put_own(a, "Accept", "application/json");
    if (a->call->body != NULL) {
        put_own(a, "Content-Type", "application/json");
    }
    if (a->call->lend) {
        put_own(a, "X-Iceberg-Access-Delegation", "vended-credentials");
    }
    if (a->call->key != NULL) {
        put_own(a, "Idempotency-Key", a->call->key);
    }
    if (a->who.text != NULL) {
        /* The signature takes the place of Authorization. */
        put_own(a, c->sigv4 ? "Original-Authorization" : "Authorization", a->who.text);
    }
    memcpy(a->headers + a->header_count, c->headers, c->header_count * sizeof *c->headers);
    a->header_count += c->header_count;
    return ERR_OK;
}

static const char *method_of(const struct rest_call *call)
{
    return call->method != NULL ? call->method : call->body == NULL ? "GET" : "POST";
}

static struct span body_of(const struct rest_call *call)
{
    return call->body == NULL ? (struct span){NULL, 0} : span_str(call->body);
}

static enum err_code send_plain(struct attempt *a, struct rest_answer *out, enum rest_class *class,
                                struct err *e)
{
    const struct rest_call *call = a->call;
    int64_t left_us = until_us(a) - clock_mono_us(&a->c->base.clock);
    char *url = str_format("%s%s%s%s", a->c->uri, call->path, call->query == NULL ? "" : "?",
                           call->query == NULL ? "" : call->query);

    *class = REST_REFUSED;
    if (url == NULL) {
        return err_nomem(e);
    }
    left_us = left_us < ATTEMPT_MIN_US ? ATTEMPT_MIN_US : left_us;
    enum err_code rc =
        http_send(a->c->http,
                  &(struct http_request){
                      .method = method_of(call),
                      .url = url,
                      .headers = a->headers,
                      .header_count = a->header_count,
                      .body = body_of(call),
                      .has_body = call->body != NULL,
                      .timeout_us = left_us < a->c->attempt_us ? left_us : a->c->attempt_us,
                      .response_bytes_max = call->response_bytes_max,
                  },
                  &out->response, e);

    free(url);
    if (rc == ERR_OK) {
        out->status = out->response.status;
        *class = rest_class_of(out->status);
    } else if (out->response.sent && call->changes) {
        *class = REST_OPEN;
    } else if (e->retryable) {
        *class = out->response.sent ? REST_OPEN : REST_AGAIN_LATER;
        if (!a->c->answered) {
            rest_doubt_address(e, "catalog.uri");
        }
    }
    return rc;
}

static enum err_code send_signed(struct attempt *a, struct rest_answer *out, enum rest_class *class,
                                 struct err *e)
{
    const struct rest_call *call = a->call;
    struct aws_answer answer;
    enum err_code rc = aws_call(a->c->aws,
                                &(struct aws_request){
                                    .what = call->what,
                                    .method = method_of(call),
                                    .path = call->path,
                                    .query = call->query,
                                    .headers = a->headers,
                                    .header_count = a->header_count,
                                    .body = body_of(call),
                                    .has_body = call->body != NULL,
                                    .repeatable = !call->changes,
                                    .response_bytes_max = call->response_bytes_max,
                                },
                                &answer, e);

    out->response = answer.response;
    out->status = answer.response.status;
    out->maybe_done = answer.maybe_done;
    answer.response = (struct http_response){0};
    aws_answer_deinit(&answer);
    if (rc == ERR_OK) {
        *class = REST_DONE;
    } else if (rc == ERR_UNKNOWN) {
        *class = REST_OPEN;
    } else {
        /* It has tried what may be tried: only another token could help. */
        *class = rest_class_of(out->status) == REST_WHO ? REST_WHO : REST_REFUSED;
    }
    return rc;
}

static enum err_code try_call(struct attempt *a, struct rest_answer *out, enum rest_class *class,
                              struct err *e)
{
    struct rest_catalog *c = a->c;
    enum err_code rc = make_headers(a, e);

    *class = REST_REFUSED;
    if (rc != ERR_OK) {
        return rc;
    }
    rc = c->sigv4 ? send_signed(a, out, class, e) : send_plain(a, out, class, e);
    if (out->status != 0) {
        c->answered = true;
    }
    bool may_pass = rc != ERR_OK && e->retryable;

    if (*class != REST_DONE && out->status >= 300 && !may_pass) {
        const char *space = a->who.text == NULL ? NULL : strchr(a->who.text, ' ');

        rest_problem_read(buf_span(&out->response.body), &out->problem);
        rest_problem_hide(&out->problem, space == NULL ? NULL : space + 1);
        rc = rest_explain(c, a->call->op, out->status, &out->problem, e);
    }
    return rc;
}

/* Whether there is another try after one that ended with this; may wait. */
static bool tries_again(const struct attempt *a, const struct rest_answer *answer,
                        enum rest_class class, struct retry *backoff)
{
    struct rest_catalog *c = a->c;
    const char *retry_after = http_response_header(&answer->response, "Retry-After");

    if (class == REST_OPEN && a->call->changes) {
        if (answer->status == 503 && retry_after != NULL) {
            (void)rest_wait(c, retry_after, backoff, until_us(a));
        }
        return false;
    }
    return (class == REST_AGAIN_LATER || class == REST_OPEN) && !c->sigv4 &&
           rest_wait(c, retry_after, backoff, until_us(a));
}

/* The token was not taken: gets another, once. */
static enum err_code renew_once(struct rest_catalog *c, uint64_t generation, bool *renewed,
                                bool *again, struct err *e)
{
    struct err why = {0};

    if (*renewed) {
        return ERR_OK;
    }
    *renewed = true;
    enum err_code rc = rest_auth_renew(c, generation, again, &why);

    if (rc != ERR_OK) {
        *again = false;
        *e = why;
    }
    return rc;
}

static enum err_code send_until_done(struct rest_catalog *c, const struct rest_call *call,
                                     struct rest_answer *out, struct err *e)
{
    struct retry backoff = {WAIT_MIN_US, c->answered ? WAIT_MAX_US : REST_FIRST_WAIT_US, 0};
    struct attempt a = {.c = c, .call = call, .start_us = clock_mono_us(&c->base.clock)};
    bool renewed = false;
    bool maybe_done = false;

    for (;;) {
        uint64_t generation;
        enum rest_class class = REST_REFUSED;
        bool again = false;

        rest_answer_deinit(out);
        *e = (struct err){0};
        enum err_code rc = rest_auth_header(c, &a.who, &generation, e);

        if (rc == ERR_OK) {
            rc = try_call(&a, out, &class, e);
        }
        out->maybe_done = out->maybe_done || maybe_done;
        maybe_done = out->maybe_done || class == REST_OPEN;
        secret_wipe(&a.who);
        free(a.headers);
        a.headers = NULL;
        a.header_count = 0;
        if (class == REST_WHO) {
            enum err_code renewal = renew_once(c, generation, &renewed, &again, e);

            rc = renewal != ERR_OK ? renewal : rc;
        } else if (class != REST_DONE) {
            again = tries_again(&a, out, class, &backoff);
        }
        if (again) {
            log_info(c->base.log, "catalog.retry", LOG_STR("request", call->what),
                     LOG_STR("reason", e->msg));
            continue;
        }
        if (class == REST_OPEN && call->changes) {
            e->code = ERR_UNKNOWN;
            e->retryable = false;
            return ERR_UNKNOWN;
        }
        return rc;
    }
}

enum err_code rest_send(struct rest_catalog *c, const struct rest_call *call,
                        struct rest_answer *out, struct err *e)
{
    struct err why = {0};

    *out = (struct rest_answer){0};
    enum err_code rc = send_until_done(c, call, out, &why);

    if (rc != ERR_OK) {
        err_wrap(&why, "%s", call->what);
        if (e != NULL) {
            *e = why;
        }
    }
    return rc;
}
