/*
 * s3_put.c - writes that never replace an object.
 *
 *   answer                                        what it means
 *   2xx                                           ours
 *   412                                           HEAD: ours if it has our id, as earlier tries may
 *                                                 have worked whatever was said, else another's
 *   409 ConditionalRequestConflict                another write is under way, ours perhaps: again
 *   501, or a 400 that fits, before any write     the server does not know If-None-Match: HEAD, and
 *   with If-None-Match went well                  again without
 *   none, 5xx, NoSuchUpload, after a try that     HEAD: ours if it has our id, else the error
 *   may have worked
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/retry.h"
#include "base/str.h"
#include "storage/s3_int.h"

#define ROUNDS_MAX       8u
#define CONFLICT_WAIT_US 100000
#define CONFLICT_MAX_US  3000000
#define SIDE_BY_SIDE     8u

enum found { FOUND_NONE, FOUND_OURS, FOUND_OTHER };

/* What has the name now. */
static enum err_code look(struct s3_store *s, const struct s3_write *w, enum found *out,
                          struct err *e)
{
    struct aws_answer a;
    enum err_code rc = s3_send(s,
                               &(struct s3_request){
                                   .operation = "HeadObject",
                                   .action = "s3:GetObject",
                                   .method = "HEAD",
                                   .location = w->location,
                                   .deadline_us = s->options.write_deadline_us,
                               },
                               &a, e);

    if (rc == ERR_OK) {
        const char *id = http_response_header(&a.response, S3_ID_HEADER);

        *out = id != NULL && strcmp(id, w->id) == 0 ? FOUND_OURS : FOUND_OTHER;
    } else if (rc == ERR_NOT_FOUND) {
        *out = FOUND_NONE;
        rc = ERR_OK;
    }
    aws_answer_deinit(&a);
    return rc;
}

static enum err_code taken(const struct s3_write *w, struct err *e)
{
    return err_set(e, ERR_EXISTS, "%s is there already", w->location);
}

/* Whether a refusal can be that of a server which does not know If-None-Match. */
static bool may_not_know_header(const struct aws_error *error)
{
    return error->status == 501 || strcmp(error->code, "NotImplemented") == 0 ||
           (error->status == 400 && (strcmp(error->code, "InvalidArgument") == 0 ||
                                     strcmp(error->code, "InvalidRequest") == 0 ||
                                     strcmp(error->code, "UnsupportedHeader") == 0));
}

struct attempt {
    struct s3_store *s;
    const struct s3_write *w;
    bool conditional;
    bool maybe; /* some try may have worked */
    struct retry retry;
    unsigned rounds;
};

static void pause_a_while(struct attempt *t)
{
    (void)pthread_mutex_lock(&t->s->mutex);
    int64_t us = retry_next_us(&t->retry, &t->s->rand);

    (void)pthread_mutex_unlock(&t->s->mutex);
    clock_sleep_us(&t->s->options.clock, us);
}

/* Whether the object is ours after all, or somebody else's. */
static enum err_code find_out(struct attempt *t, enum err_code rc, enum found *found, struct err *e)
{
    struct err why = {0};

    if (look(t->s, t->w, found, &why) == ERR_OK) {
        return ERR_OK;
    }
    /* Not known to be somebody else's. */
    e->code = rc == ERR_EXISTS ? why.code : rc;
    return err_wrap(e, "it could not be asked whether it was written all the same (%s)", why.msg);
}

/* Whether to send it again right away, or after a pause. */
static bool goes_again(struct attempt *t, enum err_code rc, const struct aws_answer *a)
{
    if (t->conditional && may_not_know_header(&a->error) &&
        atomic_load(&t->s->condition) == S3_CONDITION_UNKNOWN) {
        t->conditional = false;
        return true;
    }
    if (rc == ERR_CONFLICT && t->rounds < ROUNDS_MAX) {
        pause_a_while(t);
        return true;
    }
    return false;
}

/* After the answer of a try that failed: ERR_OK with *done false means to try again. */
static enum err_code judge(struct attempt *t, enum err_code rc, const struct aws_answer *a,
                           bool *done, struct err *e)
{
    enum found found = FOUND_NONE;

    t->rounds++;
    *done = true;
    if (rc == ERR_NOMEM || rc == ERR_CANCELLED) {
        return rc;
    }
    if (goes_again(t, rc, a)) {
        *done = false;
        return ERR_OK;
    }
    if (t->maybe || rc == ERR_EXISTS || strcmp(a->error.code, "NoSuchUpload") == 0) {
        ERR_TRY(find_out(t, rc, &found, e));
        if (found == FOUND_OURS) {
            return ERR_OK;
        }
    }
    if (rc == ERR_EXISTS && found == FOUND_NONE && t->rounds < ROUNDS_MAX) {
        /* It was there, and is gone. */
        *done = false;
        return ERR_OK;
    }
    if (rc == ERR_EXISTS || found == FOUND_OTHER) {
        return taken(t->w, e);
    }
    if (rc == ERR_CONFLICT) {
        /* Not a conflict of ours with another commit, which is what the code says to callers. */
        return err_set_retryable(e, ERR_IO, "%s (after %u tries)", e->msg, t->rounds);
    }
    return rc;
}

/* A server that does not know If-None-Match: a look beforehand is the best there is. */
static enum err_code look_first(struct attempt *t, bool *done, struct err *e)
{
    enum found found;

    ERR_TRY(look(t->s, t->w, &found, e));
    if (found == FOUND_OURS) {
        *done = true;
        return ERR_OK;
    }
    return found == FOUND_NONE ? ERR_OK : taken(t->w, e);
}

/* What a write that went well tells about the server. */
static void note_condition(struct s3_store *s, bool conditional)
{
    enum s3_condition seen = conditional ? S3_CONDITION_KNOWN : S3_CONDITION_REFUSED;

    if (atomic_exchange(&s->condition, seen) != seen && !conditional) {
        log_warn(
            s->options.log, "s3.no_conditional_writes", LOG_STR("endpoint", s->options.endpoint),
            LOG_STR("effect", "before each write the store is asked whether the name is free"));
    }
}

enum err_code s3_write_new(struct s3_store *s, const struct s3_write *w, struct err *e)
{
    struct attempt t = {
        .s = s,
        .w = w,
        .conditional = atomic_load(&s->condition) != S3_CONDITION_REFUSED,
        .retry = {.min_us = CONFLICT_WAIT_US, .max_us = CONFLICT_MAX_US},
    };

    for (;;) {
        struct err why = {0};
        struct aws_answer a = {0};
        bool done = false;
        enum err_code rc = t.conditional ? ERR_OK : look_first(&t, &done, &why);

        if (rc == ERR_OK && !done) {
            rc = w->send(s, w, t.conditional, &a, &why);
            done = rc == ERR_OK;
            t.maybe = t.maybe || a.maybe_done;
            if (done) {
                note_condition(s, t.conditional);
            } else {
                rc = judge(&t, rc, &a, &done, &why);
            }
        } else {
            done = true;
        }
        aws_answer_deinit(&a);
        if (done) {
            if (rc != ERR_OK && e != NULL) {
                *e = why;
            }
            return rc;
        }
    }
}

static enum err_code send_put(struct s3_store *s, const struct s3_write *w, bool conditional,
                              struct aws_answer *out, struct err *e)
{
    struct http_header headers[S3_HEADERS_MAX];
    uint32_t count = s3_object_headers(s, w->id, headers, 0);

    if (conditional) {
        headers[count++] = (struct http_header){"If-None-Match", "*"};
    }
    enum err_code rc = s3_send(s,
                               &(struct s3_request){
                                   .operation = "PutObject",
                                   .action = "s3:PutObject",
                                   .method = "PUT",
                                   .location = w->location,
                                   .headers = headers,
                                   .header_count = count,
                                   .body = *(const struct span *)w->ctx,
                                   .has_body = true,
                                   .deadline_us = s->options.write_deadline_us,
                               },
                               out, e);

    /* A page of a gateway's, say, is no proof. */
    if (rc == ERR_OK && http_response_header(&out->response, "ETag") == NULL) {
        return err_set(e, ERR_IO,
                       "PutObject %s: the answer has no ETag, so it is none of S3's: is "
                       "s3.endpoint right?",
                       w->location);
    }
    return rc;
}

enum err_code s3_put_as(struct s3_store *s, const char *location, const char *id, struct span bytes,
                        struct err *e)
{
    return s3_write_new(
        s, &(struct s3_write){.location = location, .id = id, .send = send_put, .ctx = &bytes}, e);
}

enum err_code s3_put(struct store *base, const char *location, struct span bytes, struct err *e)
{
    struct s3_store *s = (struct s3_store *)base;
    char id[S3_ID_TEXT_BYTES];

    s3_new_id(s, id);
    return s3_put_as(s, location, id, bytes, e);
}

/* One object of several, and the thread that sends it. */
struct side_put {
    struct store *base;
    struct store_object object;
    pthread_t thread;
    bool in_thread;
    enum err_code rc;
    struct err why;
};

static void *send_side(void *ctx)
{
    struct side_put *p = ctx;

    p->rc = s3_put(p->base, p->object.location, p->object.bytes, &p->why);
    return NULL;
}

/* The last one goes in the caller's thread, and so does what gets none of its own. */
static void send_side_by_side(struct side_put *puts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        puts[i].in_thread =
            i + 1 < count && pthread_create(&puts[i].thread, NULL, send_side, &puts[i]) == 0;
        if (!puts[i].in_thread) {
            (void)send_side(&puts[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (puts[i].in_thread) {
            (void)pthread_join(puts[i].thread, NULL);
        }
    }
}

enum err_code s3_put_many(struct store *base, const struct store_object *objects, uint32_t count,
                          struct err *e)
{
    struct side_put puts[SIDE_BY_SIDE];

    for (uint32_t at = 0; at < count;) {
        uint32_t n = count - at < SIDE_BY_SIDE ? count - at : SIDE_BY_SIDE;

        for (uint32_t i = 0; i < n; i++) {
            puts[i] = (struct side_put){.base = base, .object = objects[at + i]};
        }
        send_side_by_side(puts, n);
        for (uint32_t i = 0; i < n; i++) {
            if (puts[i].rc != ERR_OK) {
                if (e != NULL) {
                    *e = puts[i].why;
                    err_wrap(e, "writing %s", objects[at + i].location);
                }
                return puts[i].rc;
            }
        }
        at += n;
    }
    return ERR_OK;
}
