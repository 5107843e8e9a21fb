/*
 * rest_vended.c - keys for a table's files, handed out and renewed.
 *
 * They are renewed five minutes before their end, and when the store says that they were refused;
 * one thread asks, and the others go on with the keys they have for as long as these are good.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "catalog/catalog_int.h"
#include "catalog/rest_lent_int.h"

#define RENEW_AGAIN_US (INT64_C(30) * 1000000)
/* Keys this young were not known to who says that his were refused. */
#define RENEWED_US (INT64_C(5) * 1000000)

/* Asks the server for new keys of a table. */
static enum err_code ask_server(struct rest_catalog *c, struct table_ident id, struct err *e)
{
    bool offered = c->config.offers[REST_ENDPOINT_CREDENTIALS];
    struct rest_answer answer = {0};
    char table[TABLE_NAME_BYTES];
    char what[TABLE_NAME_BYTES + 32];
    json_t *json = NULL;
    char *path = rest_table_path(c, id, offered ? "/credentials" : "");

    table_ident_print(id, table);
    (void)snprintf(what, sizeof what, "renewing the keys of %s", table);
    enum err_code rc = path == NULL
                           ? err_nomem(e)
                           : rest_send(c,
                                       &(struct rest_call){
                                           .op = offered ? REST_OP_CREDENTIALS : REST_OP_LOAD,
                                           .what = what,
                                           .path = path,
                                           .query = offered ? NULL : "snapshots=refs",
                                           .lend = true,
                                           .response_bytes_max = REST_TABLE_BYTES_MAX,
                                       },
                                       &answer, e);

    if (rc == ERR_OK) {
        rc = rest_json_parse(buf_span(&answer.response.body), &json, e);
        if (rc == ERR_OK) {
            (void)pthread_mutex_lock(&c->lent.mutex);
            rc = rest_lent_replace(c, id, json, e);
            (void)pthread_mutex_unlock(&c->lent.mutex);
        }
        if (rc != ERR_OK) {
            err_wrap(e, "%s", what);
        }
    }
    json_decref(json);
    rest_answer_deinit(&answer);
    free(path);
    return rc;
}

/* What find() saw of a table, to come back to after the mutex was free. */
struct seen {
    char *ns; /* NULL: nothing to renew */
    char *name;
    uint64_t version;
    uint64_t failures;
    bool urgent; /* the keys at hand are no good */
};

static void seen_deinit(struct seen *s)
{
    free(s->ns);
    free(s->name);
}

static struct table_ident ident_of(const struct seen *s)
{
    return (struct table_ident){s->ns, s->name};
}

/* What others did since. */
enum meanwhile { MEANWHILE_NOTHING, MEANWHILE_RENEWED, MEANWHILE_FAILED };

static enum meanwhile look_back(struct rest_catalog *c, const struct seen *s)
{
    (void)pthread_mutex_lock(&c->lent.mutex);
    const struct lent_table *t = rest_lent_table(&c->lent, ident_of(s));
    enum meanwhile m = t == NULL || t->version != s->version ? MEANWHILE_RENEWED
                       : t->failures != s->failures          ? MEANWHILE_FAILED
                                                             : MEANWHILE_NOTHING;

    (void)pthread_mutex_unlock(&c->lent.mutex);
    return m;
}

static void note_failure(struct rest_catalog *c, const struct seen *s)
{
    (void)pthread_mutex_lock(&c->lent.mutex);
    struct lent_table *t = rest_lent_table(&c->lent, ident_of(s));

    if (t != NULL) {
        t->failures++;
        t->not_before_us = clock_mono_us(&c->base.clock) + RENEW_AGAIN_US;
    }
    (void)pthread_mutex_unlock(&c->lent.mutex);
}

/* The mutex for renewals is held. Who waited for one that failed does not try it once more. */
static enum err_code renew_now(struct rest_catalog *c, const struct seen *s, struct err *e)
{
    switch (look_back(c, s)) {
    case MEANWHILE_RENEWED:
        return ERR_OK;
    case MEANWHILE_FAILED:
        return err_set_retryable(e, ERR_IO, "the keys of %s.%s could not be renewed a moment ago",
                                 s->ns, s->name);
    case MEANWHILE_NOTHING:
        break;
    }
    enum err_code rc = ask_server(c, ident_of(s), e);

    if (rc != ERR_OK) {
        note_failure(c, s);
    }
    return rc;
}

/* Only one thread asks; who has keys that are still good does not wait for it. */
static enum err_code renew_keys(struct rest_catalog *c, const struct seen *s, struct err *e)
{
    struct err why = {0};

    if (s->urgent) {
        (void)pthread_mutex_lock(&c->lent.renewal);
    } else if (pthread_mutex_trylock(&c->lent.renewal) != 0) {
        return ERR_OK;
    }
    enum err_code rc = renew_now(c, s, &why);

    (void)pthread_mutex_unlock(&c->lent.renewal);
    if (rc != ERR_OK && !s->urgent) {
        log_warn(c->base.log, "catalog.keys", LOG_STR("reason", why.msg));
        return ERR_OK;
    }
    if (rc != ERR_OK && e != NULL) {
        *e = why;
    }
    return rc;
}

static enum err_code copy_keys(const struct lent_keys *k, struct s3_access *out, struct err *e)
{
    *out = (struct s3_access){.path_style = k->path_style};
    out->credentials.expires_us = k->expires_us;
    (void)snprintf(out->credentials.provider, sizeof out->credentials.provider, "%s", "catalog");
    bool copied =
        rest_lent_copy(k->access_key_id, &out->credentials.access_key_id) &&
        rest_lent_copy(k->secret_access_key.text, &out->credentials.secret_access_key.text) &&
        rest_lent_copy(k->session_token.text, &out->credentials.session_token.text) &&
        rest_lent_copy(k->region, &out->region) && rest_lent_copy(k->endpoint, &out->endpoint);

    if (!copied) {
        s3_access_deinit(out);
        return err_nomem(e);
    }
    return ERR_OK;
}

/* Copies the keys, or notes the table whose keys are to be renewed first or beside. */
static enum err_code look(struct rest_catalog *c, const char *location, bool renew, bool *found,
                          struct s3_access *out, struct seen *seen, struct err *e)
{
    struct lent_table *t = rest_lent_around(&c->lent, location);
    const struct lent_keys *k = t == NULL ? NULL : rest_lent_keys(t, location);

    *found = k != NULL;
    if (t == NULL || k == NULL) {
        return ERR_OK;
    }
    int64_t left_us = k->expires_us - clock_wall_us(&c->base.clock);
    int64_t now_us = clock_mono_us(&c->base.clock);
    bool refused = renew && now_us - t->renewed_us > RENEWED_US;

    t->used = ++c->lent.uses;
    seen->urgent = refused || left_us <= 0;
    if (seen->urgent || (left_us <= k->early_us && now_us >= t->not_before_us)) {
        seen->version = t->version;
        seen->failures = t->failures;
        seen->ns = str_dup(t->ns);
        seen->name = str_dup(t->name);
        if (seen->ns == NULL || seen->name == NULL) {
            return err_nomem(e);
        }
    }
    return seen->urgent ? ERR_OK : copy_keys(k, out, e);
}

static enum err_code look_locked(struct rest_catalog *c, const char *location, bool renew,
                                 bool *found, struct s3_access *out, struct seen *seen,
                                 struct err *e)
{
    (void)pthread_mutex_lock(&c->lent.mutex);
    enum err_code rc = look(c, location, renew, found, out, seen, e);

    (void)pthread_mutex_unlock(&c->lent.mutex);
    return rc;
}

/* The second look, which takes what a renewal brought as it is. */
static enum err_code look_again(struct rest_catalog *c, const char *location, bool *found,
                                struct s3_access *out, struct err *e)
{
    struct seen seen = {0};
    enum err_code rc = look_locked(c, location, false, found, out, &seen, e);

    if (rc == ERR_OK && seen.urgent) {
        rc = err_set_retryable(e, ERR_IO,
                               "the keys that the catalog lends for %s have ended already: is this "
                               "machine's clock right?",
                               location);
    }
    seen_deinit(&seen);
    return rc;
}

enum err_code rest_lent_find(void *ctx, const char *location, bool renew, bool *found,
                             struct s3_access *out, struct err *e)
{
    struct rest_catalog *c = ctx;
    struct seen seen = {0};

    *out = (struct s3_access){0};
    enum err_code rc = look_locked(c, location, renew, found, out, &seen, e);

    if (rc == ERR_OK && seen.ns != NULL) {
        s3_access_deinit(out);
        *out = (struct s3_access){0};
        rc = renew_keys(c, &seen, e);
        if (rc == ERR_OK) {
            rc = look_again(c, location, found, out, e);
        }
    }
    seen_deinit(&seen);
    if (rc != ERR_OK) {
        s3_access_deinit(out);
        *out = (struct s3_access){0};
    }
    return rc;
}
