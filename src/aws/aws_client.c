#include "aws/aws_client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_int.h"
#include "aws/sigv4.h"
#include "base/retry.h"
#include "base/str.h"

#define US_PER_S              INT64_C(1000000)
#define US_PER_MS             INT64_C(1000)
#define DEADLINE_DEFAULT_US   (120 * US_PER_S)
#define ATTEMPT_DEFAULT_US    (60 * US_PER_S)
#define FIRST_CONTACT_US      (5 * US_PER_S) /* for an endpoint that nobody has ever reached */
#define FIRST_CONTACT_WAIT_US (1 * US_PER_S)
#define SLEEP_SLICE_US        (100 * US_PER_MS)
#define CLOCK_OFF_S           120 /* less is no reason to be refused */
#define CLOCK_FIXES_MAX       2u
#define REGION_CHANGES_MAX    2u
#define RENEWALS_MAX          2u
#define QUIET_TRIES           3u /* before retries are logged for everybody */

struct aws_client {
    struct aws_service service;
    struct aws_place place;
    char home[AWS_REGION_BYTES]; /* the region of place */
    bool anonymous;
    struct credentials_source *credentials;
    struct http_client *http;
    struct clock clock;
    struct log *log;
    int64_t deadline_us;
    int64_t attempt_us;
    _Atomic int64_t clock_offset_s; /* the service's clock is this far ahead of ours */
    atomic_bool answered;           /* there is somebody at the endpoint */
    atomic_bool given_up;           /* nobody answered for as long as a first contact may take */
    pthread_mutex_t mutex;          /* guards what follows */
    char region[AWS_REGION_BYTES];
    struct rand rand;
};

static enum err_code init_client(struct aws_client *c, const struct aws_client_options *o,
                                 struct err *e)
{
    const char *region = o->region == NULL ? "" : o->region;

    if (!o->anonymous && !aws_region_is_valid(region)) {
        return err_set(e, ERR_CONFIG, "%s: '%.60s' is no region: set AWS_REGION", o->service->label,
                       region);
    }
    (void)snprintf(c->region, sizeof c->region, "%s", region);
    (void)snprintf(c->home, sizeof c->home, "%s", region);
    c->service = *o->service;
    c->anonymous = o->anonymous;
    c->credentials = o->credentials;
    c->http = o->http;
    c->clock = o->clock;
    c->log = o->log;
    c->deadline_us = o->deadline_us > 0 ? o->deadline_us : DEADLINE_DEFAULT_US;
    c->attempt_us = o->attempt_us > 0 ? o->attempt_us : ATTEMPT_DEFAULT_US;
    rand_init(&c->rand);
    return aws_place_init(&c->place, o->endpoint, e);
}

enum err_code aws_client_new(const struct aws_client_options *options, struct aws_client **out,
                             struct err *e)
{
    struct aws_client *c = calloc(1, sizeof *c);

    *out = NULL;
    if (c == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = init_client(c, options, e);

    if (rc != ERR_OK) {
        free(c);
        return rc;
    }
    if (pthread_mutex_init(&c->mutex, NULL) != 0) {
        aws_place_deinit(&c->place);
        free(c);
        return err_nomem(e);
    }
    *out = c;
    return ERR_OK;
}

bool aws_client_signs_payloads(const struct aws_client *c)
{
    return !c->place.tls && !c->anonymous;
}

void aws_client_free(struct aws_client *c)
{
    if (c == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&c->mutex);
    aws_place_deinit(&c->place);
    free(c);
}

void aws_answer_deinit(struct aws_answer *a)
{
    http_response_deinit(&a->response);
    *a = (struct aws_answer){0};
}

/* ---- one call ---- */

struct call {
    struct aws_client *c;
    const struct aws_request *q;
    struct aws_answer *out;
    int64_t start_us; /* of the clock that never goes back, as the next */
    int64_t end_us;
    char region[AWS_REGION_BYTES]; /* signed for */
    char payload_hash[SIGV4_HASH_TEXT_BYTES];
    struct credentials keys; /* from the client's source */
    bool has_keys;
    bool renew;         /* these keys were refused */
    bool no_newer_keys; /* and there are no others: */
    struct err renewal;
    unsigned renewals;
    unsigned clock_fixes;
    unsigned region_changes;
    int64_t clock_ahead_s; /* ours, as seen in the last response */
    struct retry soon;
    struct retry later;
};

static int64_t wall_s(const struct aws_client *c)
{
    int64_t us = clock_wall_us(&c->clock);

    return us / US_PER_S - (us % US_PER_S < 0 ? 1 : 0);
}

static void call_init(struct call *call, struct aws_client *c, const struct aws_request *q,
                      struct aws_answer *out)
{
    *out = (struct aws_answer){0};
    *call = (struct call){.c = c, .q = q, .out = out};
    call->start_us = clock_mono_us(&c->clock);
    call->end_us = call->start_us + (q->deadline_us > 0 ? q->deadline_us : c->deadline_us);
    call->soon = (struct retry){100 * US_PER_MS, 5 * US_PER_S, 0};
    call->later = (struct retry){500 * US_PER_MS, 20 * US_PER_S, 0};
    if (q->region != NULL) {
        (void)snprintf(call->region, sizeof call->region, "%s", q->region);
    } else {
        (void)pthread_mutex_lock(&c->mutex);
        memcpy(call->region, c->region, sizeof call->region);
        (void)pthread_mutex_unlock(&c->mutex);
    }
    if (q->unsigned_payload && c->place.tls) {
        (void)snprintf(call->payload_hash, sizeof call->payload_hash, "%s", SIGV4_UNSIGNED_PAYLOAD);
    } else if (!c->anonymous) {
        sigv4_hash(q->body, call->payload_hash);
    }
}

/* ---- keys ---- */

static bool own_keys(const struct call *call)
{
    return !call->c->anonymous && call->q->credentials == NULL;
}

static const struct credentials *keys_of(const struct call *call)
{
    return call->c->anonymous             ? NULL
           : call->q->credentials != NULL ? call->q->credentials
                                          : &call->keys;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

static bool same_keys(const struct credentials *a, const struct credentials *b)
{
    return same_text(a->access_key_id, b->access_key_id) &&
           same_text(a->secret_access_key.text, b->secret_access_key.text) &&
           same_text(a->session_token.text, b->session_token.text);
}

/* Others than those that were refused. A source that has none is no failure of its own: what the
 * service said about the keys is. */
static enum err_code renew_keys(struct call *call, struct credentials *fresh, struct err *e)
{
    enum err_code rc = credentials_get(call->c->credentials, true, &call->keys, fresh, e);

    if (rc == ERR_OK && same_keys(fresh, &call->keys)) {
        rc = err_set(e, ERR_CONFIG, "no others are to be had there");
    }
    if (rc == ERR_CONFIG || ((rc == ERR_IO || rc == ERR_TIMEOUT) && !e->retryable)) {
        call->no_newer_keys = true;
        call->renewal = *e;
    } else if (rc != ERR_OK) {
        err_wrap(e, "%s refused the keys (%s); getting others", call->c->service.label,
                 call->out->error.code);
    }
    return rc;
}

/* Brings the keys to sign with. */
static enum err_code take_keys(struct call *call, struct err *e)
{
    struct credentials fresh = {0};

    if (!own_keys(call) || (call->has_keys && !call->renew)) {
        return ERR_OK;
    }
    if (call->c->credentials == NULL) {
        return err_set(e, ERR_CONFIG, "there are no keys to sign with");
    }
    enum err_code rc = call->renew ? renew_keys(call, &fresh, e)
                                   : credentials_get(call->c->credentials, false, NULL, &fresh, e);

    if (rc != ERR_OK) {
        credentials_deinit(&fresh);
        if (!call->renew) {
            aws_fail_keyless(&call->c->service, e);
        }
        return rc;
    }
    credentials_deinit(&call->keys);
    call->keys = fresh;
    call->has_keys = true;
    call->renew = false;
    return ERR_OK;
}

/* ---- a try ---- */

/* ERR_OK: there is a response; out->error says what is wrong with it when *refused. */
static enum err_code try_once(struct call *call, bool *refused, struct err *e)
{
    struct aws_client *c = call->c;
    struct aws_answer *out = call->out;
    int64_t left_us = call->end_us - clock_mono_us(&c->clock);
    const struct aws_try t = {.request = call->q,
                              .service = &c->service,
                              .place = &c->place,
                              .home = c->home,
                              .region = call->region,
                              .keys = keys_of(call),
                              .payload_hash = call->payload_hash,
                              .time_s = wall_s(c) + c->clock_offset_s,
                              .timeout_us = left_us < 1               ? 1
                                            : left_us < c->attempt_us ? left_us
                                                                      : c->attempt_us,
                              .http = c->http};

    *refused = false;
    http_response_deinit(&out->response);
    out->error = (struct aws_error){0};
    out->tries++;
    ERR_TRY(aws_try_send(&t, &out->response, e));
    c->answered = true;
    *refused = c->service.read_error(&out->response, &out->error) || out->response.status >= 300;
    if (!*refused) {
        out->error = (struct aws_error){0};
    } else if (strcmp(out->error.region, call->region) == 0) {
        out->error.region[0] = '\0'; /* it names no other one */
    }
    return ERR_OK;
}

/* ---- what to do about a failure ---- */

enum step {
    STEP_STOP,
    STEP_AGAIN, /* something was put right */
    STEP_SOON,
    STEP_LATER,
};

struct failure {
    enum err_code rc; /* ERR_OK: a response refused it */
    enum aws_class class;
    bool no_effect;
    bool before_sending; /* keys, memory */
};

/* The clock of the service, by its response. False when it does not say. */
static bool look_at_clock(struct call *call)
{
    const char *date = http_response_header(&call->out->response, "date");
    int64_t theirs_s;

    if (date == NULL || !aws_http_date(date, &theirs_s)) {
        return false;
    }
    call->clock_ahead_s = wall_s(call->c) - theirs_s;
    return true;
}

static bool signed_time_is_off(const struct call *call)
{
    int64_t off_s = call->clock_ahead_s + call->c->clock_offset_s;

    return off_s > CLOCK_OFF_S || off_s < -CLOCK_OFF_S;
}

/* A response to HEAD has no body that could say why. */
static enum aws_class guess_class(struct call *call, enum aws_class class)
{
    const struct aws_error *x = &call->out->error;
    const struct credentials *keys = keys_of(call);
    bool blind = x->code[0] == '\0';

    if (keys == NULL) {
        return class;
    }
    if (class == AWS_CLASS_KEYS || (class == AWS_CLASS_DENIED && blind)) {
        return look_at_clock(call) && signed_time_is_off(call) ? AWS_CLASS_SKEWED : class;
    }
    if (class == AWS_CLASS_OTHER && blind && x->status == 400 && keys->session_token.text != NULL) {
        return AWS_CLASS_EXPIRED;
    }
    return class;
}

static struct failure judge(struct call *call, enum err_code rc, const struct err *e)
{
    const struct http_response *r = &call->out->response;

    if (rc != ERR_OK) {
        bool again = e->retryable || rc == ERR_TIMEOUT;

        return (struct failure){rc, again ? AWS_CLASS_TRANSIENT : AWS_CLASS_OTHER, !r->sent, false};
    }
    struct aws_verdict v = aws_classify(&call->out->error);

    return (struct failure){ERR_OK, guess_class(call, v.class), v.no_effect, false};
}

static enum step fix_keys(struct call *call, unsigned renewals_max)
{
    if (!own_keys(call) || call->renewals >= renewals_max) {
        return STEP_STOP;
    }
    call->renewals++;
    call->renew = true;
    return STEP_AGAIN;
}

static enum step fix_clock(struct call *call)
{
    struct aws_client *c = call->c;

    if (!look_at_clock(call) || call->clock_fixes >= CLOCK_FIXES_MAX) {
        return STEP_STOP;
    }
    call->clock_fixes++;
    if (signed_time_is_off(call)) {
        c->clock_offset_s = -call->clock_ahead_s;
        log_warn(c->log, "aws.clock", LOG_STR("service", c->service.label),
                 LOG_I64("ahead_s", call->clock_ahead_s));
    }
    /* Else the request was long on its way: the next signature is a fresh one. */
    return STEP_AGAIN;
}

static enum step fix_region(struct call *call)
{
    struct aws_client *c = call->c;
    const char *region = call->out->error.region;

    if (call->region_changes >= REGION_CHANGES_MAX || !aws_region_is_valid(region)) {
        return STEP_STOP;
    }
    call->region_changes++;
    log_info(c->log, "aws.region", LOG_STR("what", call->q->what), LOG_STR("was", call->region),
             LOG_STR("region", region));
    memcpy(call->region, region, sizeof call->region);
    if (call->q->region == NULL) {
        (void)pthread_mutex_lock(&c->mutex);
        memcpy(c->region, region, sizeof c->region);
        (void)pthread_mutex_unlock(&c->mutex);
    }
    return STEP_AGAIN;
}

static enum step choose_step(struct call *call, const struct failure *f)
{
    if (!f->no_effect && !call->q->repeatable) {
        return STEP_STOP;
    }
    switch (f->class) {
    case AWS_CLASS_OTHER:
    case AWS_CLASS_DENIED:
        return STEP_STOP;
    case AWS_CLASS_TRANSIENT:
        return STEP_SOON;
    case AWS_CLASS_THROTTLED:
        return STEP_LATER;
    case AWS_CLASS_EXPIRED:
        return fix_keys(call, RENEWALS_MAX);
    case AWS_CLASS_KEYS:
        return fix_keys(call, 1); /* they may have been replaced where they come from */
    case AWS_CLASS_SKEWED:
        return fix_clock(call);
    case AWS_CLASS_REGION:
        return fix_region(call);
    }
    return STEP_STOP;
}

/* An endpoint that never was there is most likely a wrong one, which somebody waits to be told. */
static bool is_unreached(const struct call *call, const struct failure *f)
{
    return f->rc != ERR_OK && f->no_effect && !call->c->answered;
}

static int64_t wait_of(struct call *call, enum step step, const struct failure *f)
{
    struct aws_client *c = call->c;

    if (step == STEP_AGAIN) {
        return 0;
    }
    (void)pthread_mutex_lock(&c->mutex);
    int64_t wait_us = retry_next_us(step == STEP_LATER ? &call->later : &call->soon, &c->rand);

    (void)pthread_mutex_unlock(&c->mutex);
    int64_t asked_us = aws_retry_after_us(&call->out->response, wall_s(c) + c->clock_offset_s);

    if (is_unreached(call, f) && wait_us > FIRST_CONTACT_WAIT_US) {
        wait_us = FIRST_CONTACT_WAIT_US;
    }
    return asked_us > wait_us ? asked_us : wait_us;
}

/* Whether there is time for another try after the wait. */
static bool is_time_for(const struct call *call, int64_t wait_us, const struct failure *f)
{
    int64_t next_us = clock_mono_us(&call->c->clock) + wait_us;

    if (is_unreached(call, f) &&
        (call->c->given_up || next_us >= call->start_us + FIRST_CONTACT_US)) {
        call->c->given_up = true; /* tidying up, say, must not wait as long once more */
        return false;
    }
    return next_us < call->end_us;
}

/* False when the run was asked to stop meanwhile. */
static bool sleep_for(const struct call *call, int64_t wait_us)
{
    while (wait_us > 0) {
        int64_t slice_us = wait_us < SLEEP_SLICE_US ? wait_us : SLEEP_SLICE_US;

        if (http_client_cancelled(call->c->http)) {
            return false;
        }
        clock_sleep_us(&call->c->clock, slice_us);
        wait_us -= slice_us;
    }
    return true;
}

static void log_retry(const struct call *call, const struct failure *f, int64_t wait_us,
                      const struct err *e)
{
    const struct aws_error *x = &call->out->error;

    LOG_AT(call->c->log, call->out->tries < QUIET_TRIES ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
           "aws.retry", LOG_STR("what", call->q->what), LOG_I64("status", x->status),
           LOG_STR("code", x->code), LOG_STR("error", f->rc == ERR_OK ? x->message : e->msg),
           LOG_I64("wait_ms", wait_us / US_PER_MS), LOG_U64("try", call->out->tries));
}

/* ---- the end of a call ---- */

static enum err_code set_error(const struct call *call, const struct failure *f, struct err *e)
{
    const struct aws_client *c = call->c;
    const struct credentials *keys = keys_of(call);
    const struct aws_failure all = {
        .service = &c->service,
        .what = call->q->what,
        .endpoint = c->place.text,
        .region = call->region,
        .provider = keys == NULL                ? ""
                    : keys->provider[0] == '\0' ? "explicit"
                                                : keys->provider,
        .error = &call->out->error,
        .class = f->class,
        .tries = call->out->tries,
        .took_us = clock_mono_us(&c->clock) - call->start_us,
        .clock_ahead_s = call->clock_ahead_s,
        .renewal = call->renewal.msg,
    };

    if (f->rc == ERR_OK) {
        return aws_fail_answered(&all, e);
    }
    if (!f->before_sending && (f->rc == ERR_IO || f->rc == ERR_TIMEOUT)) {
        return aws_fail_unanswered(&all, !f->no_effect, e);
    }
    return err_wrap(e, "%s", call->q->what);
}

static enum err_code fail(const struct call *call, const struct failure *f, struct err *e)
{
    enum err_code rc = set_error(call, f, e);

    if (f->no_effect || call->q->repeatable) {
        return rc;
    }
    err_wrap(e, "it is not known whether this was done");
    e->code = ERR_UNKNOWN;
    e->retryable = false;
    return ERR_UNKNOWN;
}

/* Keys first, as without them nothing is sent. */
static struct failure run_try(struct call *call, bool *done, struct err *e)
{
    bool refused;
    enum err_code rc = take_keys(call, e);

    *done = false;
    if (rc != ERR_OK) {
        return call->no_newer_keys
                   ? (struct failure){ERR_OK, judge(call, ERR_OK, e).class, true, false}
                   : (struct failure){rc, e->retryable ? AWS_CLASS_TRANSIENT : AWS_CLASS_OTHER,
                                      true, true};
    }
    rc = try_once(call, &refused, e);
    *done = rc == ERR_OK && !refused;
    return judge(call, rc, e);
}

static enum err_code run_call(struct call *call, struct err *e)
{
    for (;;) {
        bool done;
        struct failure f = run_try(call, &done, e);

        if (done) {
            return ERR_OK;
        }
        call->out->maybe_done = call->out->maybe_done || !f.no_effect;
        enum step step = call->no_newer_keys ? STEP_STOP : choose_step(call, &f);
        int64_t wait_us = step == STEP_STOP ? 0 : wait_of(call, step, &f);

        if (step == STEP_STOP || !is_time_for(call, wait_us, &f)) {
            return fail(call, &f, e);
        }
        log_retry(call, &f, wait_us, e);
        if (!sleep_for(call, wait_us)) {
            return err_set(e, ERR_CANCELLED, "%s: stopped while waiting for another try",
                           call->q->what);
        }
    }
}

enum err_code aws_call(struct aws_client *c, const struct aws_request *request,
                       struct aws_answer *out, struct err *e)
{
    struct call call;
    struct err own;

    call_init(&call, c, request, out);
    enum err_code rc = run_call(&call, e == NULL ? &own : e);

    credentials_deinit(&call.keys);
    return rc;
}
