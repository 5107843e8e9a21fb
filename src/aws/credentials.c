#include "aws/credentials.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials_int.h"

#define RENEW_EARLY_US ((int64_t)5 * 60 * 1000000)
#define RETRY_US       ((int64_t)10 * 1000000)

static credentials_provider from_settings;

struct provider {
    credentials_provider *ask;
    bool environment; /* left out when the settings name a profile */
};

static const struct provider providers[] = {
    {from_settings, false},
    {credentials_from_environment, true},
    {credentials_from_web_identity, true},
    {credentials_from_profile, false},
    {credentials_from_container, false},
    {credentials_from_imds, false},
};

#define PROVIDERS (sizeof providers / sizeof providers[0])

struct credentials_source {
    struct credentials_context context; /* first: from_settings() finds the rest behind it */
    char **environment;
    char *profile;
    char *region;
    char *access_key_id;
    struct secret secret_access_key;
    struct secret session_token;
    char *role_arn;
    char *role_session_name;
    char *external_id;
    int64_t role_duration_us;

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    struct credentials keys; /* access_key_id NULL: none yet */
    int64_t renew_at_us;     /* wall clock */
    uint64_t generation;     /* counts new keys */
    size_t chosen;           /* the provider that gave the first keys; PROVIDERS: none yet */
    bool renewing;           /* a thread is at it, without the mutex */
    struct err failure;      /* of the last renewal; code ERR_OK: it went well */
    int64_t retry_at_us;     /* monotonic: not earlier, while the keys are good */
};

/* ---- making one ---- */

static bool copy_text(char **to, const char *from)
{
    *to = from == NULL || from[0] == '\0' ? NULL : str_dup(from);
    return *to != NULL || from == NULL || from[0] == '\0';
}

static void free_environment(char **environment)
{
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++) {
        secret_wipe(&(struct secret){environment[i]});
    }
    free(environment);
}

static bool copy_environment(char ***to, const char *const *from)
{
    size_t count = 0;

    while (from != NULL && from[count] != NULL) {
        count++;
    }
    char **copy = calloc(count + 1, sizeof *copy);

    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = str_dup(from[i]);
        if (copy[i] == NULL) {
            free_environment(copy);
            copy = NULL;
        }
    }
    *to = copy;
    return copy != NULL;
}

void credentials_source_free(struct credentials_source *s)
{
    if (s == NULL) {
        return;
    }
    free_environment(s->environment);
    free(s->profile);
    free(s->region);
    free(s->access_key_id);
    secret_wipe(&s->secret_access_key);
    secret_wipe(&s->session_token);
    free(s->role_arn);
    free(s->role_session_name);
    free(s->external_id);
    credentials_deinit(&s->keys);
    (void)pthread_cond_destroy(&s->changed);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s);
}

enum err_code credentials_source_new(const struct credentials_options *options,
                                     struct credentials_source **out, struct err *e)
{
    struct credentials_source *s = calloc(1, sizeof *s);

    if (s == NULL) {
        return err_nomem(e);
    }
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    s->chosen = PROVIDERS;
    s->role_duration_us = options->role_duration_us;
    if (!copy_environment(&s->environment, options->environment) ||
        !copy_text(&s->profile, options->profile) || !copy_text(&s->region, options->region) ||
        !copy_text(&s->access_key_id, options->access_key_id) ||
        !copy_text(&s->secret_access_key.text, options->secret_access_key) ||
        !copy_text(&s->session_token.text, options->session_token) ||
        !copy_text(&s->role_arn, options->role_arn) ||
        !copy_text(&s->role_session_name, options->role_session_name) ||
        !copy_text(&s->external_id, options->external_id)) {
        credentials_source_free(s);
        return err_nomem(e);
    }
    s->context = (struct credentials_context){.environment = (const char *const *)s->environment,
                                              .profile = s->profile,
                                              .region = s->region,
                                              .http = options->http,
                                              .clock = options->clock,
                                              .log = options->log};
    *out = s;
    return ERR_OK;
}

/* ---- finding keys ---- */

static enum err_code from_settings(const struct credentials_context *c, bool *configured,
                                   struct credentials *out, struct err *e)
{
    const struct credentials_source *s = (const struct credentials_source *)c;
    const char *secret = s->secret_access_key.text;

    *configured = s->access_key_id != NULL || secret != NULL;
    if (!*configured) {
        return ERR_OK;
    }
    if (s->access_key_id == NULL || secret == NULL) {
        return err_set(e, ERR_CONFIG,
                       "%s is set in the settings and %s is not: set both, or none of them",
                       secret == NULL ? "access-key-id" : "secret-access-key",
                       secret == NULL ? "secret-access-key" : "access-key-id");
    }
    credentials_set_provider(out, "settings");
    enum err_code rc =
        credentials_set(out, s->access_key_id, secret, s->session_token.text, INT64_MAX, e);

    if (rc != ERR_OK) {
        err_wrap(e, "the settings' access-key-id, secret-access-key, session-token");
    }
    return rc;
}

static enum err_code none_configured(const struct credentials_context *c, const struct err *imds,
                                     struct err *e)
{
    bool home = credentials_variable(c, "HOME") != NULL;

    return err_set(
        e, ERR_CONFIG,
        "there are no AWS keys. Looked at access-key-id of the settings%s, profile "
        "'%s' of the AWS config files (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, %s), "
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI, "
        "and the instance (%.300s). Set access-key-id and secret-access-key, or "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the "
        "container or instance a role",
        c->profile == NULL ? ", AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN"
                           : "",
        credentials_profile_name(c), home ? "~/.aws" : "HOME is not set", imds->msg);
}

/* The first provider that is configured; *chosen says which. */
static enum err_code search(const struct credentials_context *c, size_t *chosen,
                            struct credentials *out, struct err *e)
{
    struct err why = {0};

    for (size_t i = 0; i < PROVIDERS; i++) {
        bool configured = false;

        if (providers[i].environment && c->profile != NULL) {
            continue;
        }
        why = (struct err){0};
        enum err_code rc = providers[i].ask(c, &configured, out, &why);

        if (configured) {
            *chosen = i;
            if (rc != ERR_OK && e != NULL) {
                *e = why;
            }
            return rc;
        }
    }
    return none_configured(c, &why, e);
}

static enum err_code ask_again(const struct credentials_context *c, size_t chosen,
                               struct credentials *out, struct err *e)
{
    bool configured = false;
    enum err_code rc = providers[chosen].ask(c, &configured, out, e);

    return rc == ERR_OK && !configured
               ? err_set(e, ERR_CONFIG, "what gave the AWS keys before is not there any more")
               : rc;
}

/* Keys that have ended already would be refused with a worse message. */
static enum err_code check_end(const struct credentials_context *c, const struct credentials *keys,
                               struct err *e)
{
    char end[CREDENTIALS_TIME_TEXT_BYTES];

    if (keys->expires_us > clock_wall_us(&c->clock)) {
        return ERR_OK;
    }
    credentials_put_time(end, keys->expires_us);
    return err_set_retryable(e, ERR_IO,
                             "%s: the keys it gave ended at %s already; see also this machine's "
                             "clock",
                             keys->provider, end);
}

/* What the settings want to be assumed with the keys that were found. */
static enum err_code assume(struct credentials_source *s, size_t chosen, struct credentials *keys,
                            struct err *e)
{
    struct credentials assumed = {0};
    char *region = NULL;
    enum err_code rc = credentials_named_region(&s->context, &region, e);

    if (rc == ERR_OK && region == NULL && providers[chosen].ask == credentials_from_imds) {
        rc = credentials_imds_region(&s->context, &region, e);
    }
    const struct credentials_role role = {.arn = s->role_arn,
                                          .session_name = s->role_session_name,
                                          .external_id = s->external_id,
                                          .duration_us = s->role_duration_us,
                                          .region = region,
                                          .base = keys};

    if (rc == ERR_OK) {
        rc = credentials_assume_role(&s->context, &role, &assumed, e);
    }
    if (rc == ERR_OK) {
        credentials_move(keys, &assumed);
        rc = check_end(&s->context, keys, e);
    }
    credentials_deinit(&assumed);
    free(region);
    return rc;
}

static enum err_code fetch(struct credentials_source *s, size_t *chosen, struct credentials *out,
                           struct err *e)
{
    enum err_code rc = *chosen == PROVIDERS ? search(&s->context, chosen, out, e)
                                            : ask_again(&s->context, *chosen, out, e);

    if (rc == ERR_OK) {
        rc = check_end(&s->context, out, e);
    }
    if (rc == ERR_OK && s->role_arn != NULL) {
        rc = assume(s, *chosen, out, e);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "AWS keys");
    }
    return rc;
}

/* ---- renewing ---- */

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

/* Takes new keys over. */
static void keep(struct credentials_source *s, struct credentials *keys, size_t chosen)
{
    int64_t now_us = clock_wall_us(&s->context.clock);
    bool same = same_keys(keys, &s->keys);
    bool first = s->keys.access_key_id == NULL;
    int64_t left_us = keys->expires_us - now_us;
    int64_t early_us = left_us / 2 < RENEW_EARLY_US ? left_us / 2 : RENEW_EARLY_US;

    s->chosen = chosen;
    s->failure = (struct err){0};
    s->renew_at_us = keys->expires_us == INT64_MAX ? INT64_MAX : keys->expires_us - early_us;
    s->retry_at_us = 0;
    if (same) {
        /* An instance has its next keys only minutes before the end of these. */
        s->retry_at_us = clock_mono_us(&s->context.clock) + RETRY_US;
    } else {
        s->generation++;
    }
    credentials_move(&s->keys, keys);
    if (!same && !first) {
        log_info(
            s->context.log, "credentials.renewed", LOG_STR("provider", s->keys.provider),
            LOG_I64("seconds_valid", s->keys.expires_us == INT64_MAX ? -1 : left_us / 1000000));
    }
}

/* One attempt by this thread; others wait or go on with what is there. Called with the mutex. */
static enum err_code renew(struct credentials_source *s, struct err *e)
{
    struct credentials keys = {0};
    size_t chosen = s->chosen;
    struct err why = {0};

    s->renewing = true;
    (void)pthread_mutex_unlock(&s->mutex);
    enum err_code rc = fetch(s, &chosen, &keys, &why);

    (void)pthread_mutex_lock(&s->mutex);
    s->renewing = false;
    if (rc == ERR_OK) {
        keep(s, &keys, chosen);
    } else {
        s->failure = why;
        s->retry_at_us = clock_mono_us(&s->context.clock) + RETRY_US;
        if (e != NULL) {
            *e = why;
        }
    }
    credentials_deinit(&keys);
    (void)pthread_cond_broadcast(&s->changed);
    return rc;
}

enum need {
    NEED_NOTHING,
    NEED_SOON, /* the keys are good, and not for long */
    NEED_NOW,  /* there are none, or they have ended */
    NEED_OTHER /* the caller's were refused, and these are the same */
};

struct asking {
    bool renew;
    const struct credentials *refused;
    uint64_t generation; /* when the caller came */
};

static enum need need_of(const struct credentials_source *s, const struct asking *a)
{
    int64_t now_us = clock_wall_us(&s->context.clock);

    if (s->keys.access_key_id == NULL || now_us >= s->keys.expires_us) {
        return NEED_NOW;
    }
    if (a->renew &&
        (a->refused == NULL ? s->generation == a->generation : same_keys(a->refused, &s->keys))) {
        return NEED_OTHER;
    }
    return now_us >= s->renew_at_us ? NEED_SOON : NEED_NOTHING;
}

static enum err_code refused_again(const struct credentials_source *s, struct err *e)
{
    if (s->failure.code != ERR_OK) {
        if (e != NULL) {
            *e = s->failure;
        }
        return s->failure.code;
    }
    return err_set(
        e, ERR_CONFIG,
        "AWS keys: those of %s were refused as ended, revoked or unknown, and it gives no "
        "others: replace them there",
        s->keys.provider);
}

/* Keys are good, and not for long: who finds nobody at it gets new ones; a failure costs nothing
 * yet. */
static void renew_soon(struct credentials_source *s)
{
    struct err why = {0};

    if (s->renewing || clock_mono_us(&s->context.clock) < s->retry_at_us ||
        renew(s, &why) == ERR_OK) {
        return;
    }
    log_warn(
        s->context.log, "credentials.renewal_failed", LOG_STR("provider", s->keys.provider),
        LOG_I64("seconds_left", (s->keys.expires_us - clock_wall_us(&s->context.clock)) / 1000000),
        LOG_STR("reason", why.msg));
}

/* Waits for the thread that renews. Errors: its. */
static enum err_code wait_for_other(struct credentials_source *s, struct err *e)
{
    while (s->renewing) {
        (void)pthread_cond_wait(&s->changed, &s->mutex);
    }
    if (s->failure.code != ERR_OK && e != NULL) {
        *e = s->failure;
    }
    return s->failure.code;
}

/* Brings s->keys to what the caller can use. Called with the mutex. */
static enum err_code ready(struct credentials_source *s, const struct asking *a, struct err *e)
{
    bool soon_done = false;
    bool other_done = false;

    for (;;) {
        enum need need = need_of(s, a);

        if (need == NEED_NOTHING || (need == NEED_SOON && soon_done)) {
            return ERR_OK;
        }
        if (need == NEED_SOON) {
            renew_soon(s);
            soon_done = true;
            continue;
        }
        if (need == NEED_OTHER &&
            (other_done || (!s->renewing && clock_mono_us(&s->context.clock) < s->retry_at_us))) {
            return refused_again(s, e);
        }
        bool own = !s->renewing;

        ERR_TRY(own ? renew(s, e) : wait_for_other(s, e));
        if (own && need == NEED_NOW) {
            return ERR_OK;
        }
        other_done = true;
    }
}

static enum err_code copy_keys(const struct credentials *from, struct credentials *out,
                               struct err *e)
{
    ERR_TRY(credentials_set(out, from->access_key_id, from->secret_access_key.text,
                            from->session_token.text, from->expires_us, e));
    memcpy(out->provider, from->provider, sizeof out->provider);
    return ERR_OK;
}

enum err_code credentials_get(struct credentials_source *s, bool renew,
                              const struct credentials *refused, struct credentials *out,
                              struct err *e)
{
    struct asking a = {.renew = renew, .refused = refused};

    *out = (struct credentials){0};
    (void)pthread_mutex_lock(&s->mutex);
    a.generation = s->generation;
    enum err_code rc = ready(s, &a, e);

    if (rc == ERR_OK) {
        rc = copy_keys(&s->keys, out, e);
    }
    (void)pthread_mutex_unlock(&s->mutex);
    if (rc != ERR_OK) {
        credentials_deinit(out);
    }
    return rc;
}

void credentials_say_whose(const char *label, const char *own, struct err *e)
{
    err_wrap(e, "keys for %s (settings %s%sclient.*)", label, own == NULL ? "" : own,
             own == NULL ? "" : ".*, ");
}

/* ---- region ---- */

/* The instance's, when the keys are its. */
static enum err_code ask_instance(struct credentials_source *s, char **out, struct err *e)
{
    struct credentials keys = {0};
    enum err_code rc = credentials_get(s, false, NULL, &keys, e);

    credentials_deinit(&keys);
    (void)pthread_mutex_lock(&s->mutex);
    bool instance = s->chosen != PROVIDERS && providers[s->chosen].ask == credentials_from_imds;

    (void)pthread_mutex_unlock(&s->mutex);
    return rc == ERR_OK && instance ? credentials_imds_region(&s->context, out, e) : rc;
}

enum err_code credentials_region(struct credentials_source *s, char **out, struct err *e)
{
    enum err_code rc = credentials_named_region(&s->context, out, e);

    if (rc == ERR_OK && *out == NULL) {
        rc = ask_instance(s, out, e);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "finding the AWS region");
    }
    return rc;
}
