/*
 * keys_world.h - a machine for tests of the providers of keys: a home folder, an environment, a
 * clock, and one server that is all endpoints.
 *
 *   struct world w;
 *   world_init(&w);
 *   world_set(&w, "AWS_EC2_METADATA_SERVICE_ENDPOINT", w.url);
 *   world_answer(&w, "PUT /latest/api/token", 200, "TOKEN");
 *   ...
 *   world_deinit(&w);
 */
#ifndef CALVE_KEYS_WORLD_H
#define CALVE_KEYS_WORLD_H

#include <fcntl.h>
#include <pthread.h>

#include "aws/credentials_int.h"
#include "base/buf.h"
#include "fake_clock.h"
#include "fake_http.h"
#include "temp_folder.h"
#include "test.h"

#define WORLD_NOW_US    ((int64_t)1700000000 * 1000000) /* 2023-11-14T22:13:20Z */
#define WORLD_FOR_EVER  0xffffffffu
#define WORLD_VARIABLES 40u
#define WORLD_ROUTES    24u
#define WORLD_SEEN      256u

struct world_route {
    char key[128]; /* "GET /path" */
    unsigned left; /* how often it answers */
    int status;
    char *body;
    enum fake_http_fault fault;
};

/* A request as it came. */
struct world_seen {
    char line[512]; /* "GET /path?query" */
    char body[2048];
    char authorization[512];
    char token[128];          /* of instance metadata */
    char ttl[32];             /* of instance metadata */
    char bearer[128];         /* of SSO */
    char security_token[128]; /* of a signature */
    char date[32];            /* of a signature */
    char host[64];
    char type[64];
};

struct world {
    struct temp_folder home;
    char *variables[WORLD_VARIABLES + 1];
    uint32_t variable_count;
    struct fake_clock time;
    struct log log;
    struct fake_http *server;
    const char *url;
    struct http_client *http;
    struct credentials_context context;
    struct err e;
    pthread_mutex_t mutex; /* guards all below */
    struct world_route routes[WORLD_ROUTES];
    uint32_t route_count;
    struct world_seen seen[WORLD_SEEN]; /* the later ones are only counted */
    uint32_t seen_count;
};

/* ---- the server ---- */

static inline void world_copy_header(char *out, size_t out_bytes, const struct fake_http_request *q,
                                     const char *name)
{
    const char *value = fake_http_header(q, name);

    (void)snprintf(out, out_bytes, "%s", value == NULL ? "" : value);
}

static inline void world_note(struct world *w, const struct fake_http_request *q)
{
    if (w->seen_count < WORLD_SEEN) {
        struct world_seen *s = &w->seen[w->seen_count];

        (void)snprintf(s->line, sizeof s->line, "%s %s", q->method, q->target);
        (void)snprintf(s->body, sizeof s->body, "%.*s", (int)q->body.len,
                       q->body.len == 0 ? "" : (const char *)q->body.data);
        world_copy_header(s->authorization, sizeof s->authorization, q, "Authorization");
        world_copy_header(s->token, sizeof s->token, q, "x-aws-ec2-metadata-token");
        world_copy_header(s->ttl, sizeof s->ttl, q, "x-aws-ec2-metadata-token-ttl-seconds");
        world_copy_header(s->bearer, sizeof s->bearer, q, "x-amz-sso_bearer_token");
        world_copy_header(s->security_token, sizeof s->security_token, q, "X-Amz-Security-Token");
        world_copy_header(s->date, sizeof s->date, q, "X-Amz-Date");
        world_copy_header(s->host, sizeof s->host, q, "Host");
        world_copy_header(s->type, sizeof s->type, q, "Content-Type");
    }
    w->seen_count++;
}

static inline void world_serve(void *ctx, const struct fake_http_request *q,
                               struct fake_http_reply *r)
{
    struct world *w = ctx;
    char key[128];

    (void)snprintf(key, sizeof key, "%s %s", q->method, q->path);
    (void)pthread_mutex_lock(&w->mutex);
    world_note(w, q);
    r->status = 404;
    for (uint32_t i = 0; i < w->route_count; i++) {
        struct world_route *route = &w->routes[i];

        if (route->left > 0 && strcmp(route->key, key) == 0) {
            route->left -= route->left == WORLD_FOR_EVER ? 0 : 1;
            r->status = route->status;
            r->fault = route->fault;
            buf_append_str(&r->body, route->body);
            break;
        }
    }
    (void)pthread_mutex_unlock(&w->mutex);
}

static inline void world_route_add(struct world *w, struct world_route route, const char *key,
                                   const char *body)
{
    route.body = str_dup(body);
    assert_non_null(route.body);
    (void)snprintf(route.key, sizeof route.key, "%s", key);
    (void)pthread_mutex_lock(&w->mutex);
    assert_true(w->route_count < WORLD_ROUTES);
    w->routes[w->route_count++] = route;
    (void)pthread_mutex_unlock(&w->mutex);
}

/* From now on, behind what was said before for that key. */
static inline void world_answer(struct world *w, const char *key, int status, const char *body)
{
    world_route_add(w, (struct world_route){.left = WORLD_FOR_EVER, .status = status}, key, body);
}

static inline void world_answer_times(struct world *w, unsigned times, const char *key, int status,
                                      const char *body)
{
    world_route_add(w, (struct world_route){.left = times, .status = status}, key, body);
}

static inline void world_misbehave(struct world *w, unsigned times, const char *key,
                                   enum fake_http_fault fault)
{
    world_route_add(w, (struct world_route){.left = times, .status = 200, .fault = fault}, key,
                    "{}");
}

/* Answers nothing any more, and has seen nothing. */
static inline void world_forget(struct world *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    for (uint32_t i = 0; i < w->route_count; i++) {
        free(w->routes[i].body);
    }
    w->route_count = 0;
    w->seen_count = 0;
    (void)pthread_mutex_unlock(&w->mutex);
}

static inline uint32_t world_requests(struct world *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    uint32_t count = w->seen_count;

    (void)pthread_mutex_unlock(&w->mutex);
    return count;
}

/* The one that came as the index-th. */
static inline struct world_seen world_request(struct world *w, uint32_t index)
{
    assert_true(index < WORLD_SEEN && index < world_requests(w));
    (void)pthread_mutex_lock(&w->mutex);
    struct world_seen seen = w->seen[index];

    (void)pthread_mutex_unlock(&w->mutex);
    return seen;
}

/* ---- the machine ---- */

static inline void world_set(struct world *w, const char *name, const char *value)
{
    assert_true(w->variable_count < WORLD_VARIABLES);
    w->variables[w->variable_count] = str_format("%s=%s", name, value);
    assert_non_null(w->variables[w->variable_count]);
    w->variable_count++;
}

static inline void world_unset_all(struct world *w)
{
    for (uint32_t i = 0; i < w->variable_count; i++) {
        free(w->variables[i]);
        w->variables[i] = NULL;
    }
    w->variable_count = 0;
}

/* HOME is set, and nobody else answers: no test may depend on the machine it runs on. */
static inline void world_init(struct world *w)
{
    const struct http_client_options options = {.proxy = ""};

    memset(w, 0, sizeof *w);
    (void)pthread_mutex_init(&w->mutex, NULL);
    temp_folder_init(&w->home);
    (void)snprintf(w->home.location, sizeof w->home.location, "%s/log", w->home.path);
    log_init(&w->log, open(w->home.location, O_RDWR | O_CREAT | O_CLOEXEC, 0600), LOG_LEVEL_INFO,
             LOG_FORMAT_TEXT);
    assert_true(w->log.fd >= 0);
    w->time.wall_us = WORLD_NOW_US;
    w->time.mono_us = 1000000;
    w->server = fake_http_new(world_serve, w);
    w->url = fake_http_url(w->server);
    assert_ok(http_client_new(&options, &w->http, &w->e), &w->e);
    w->context = (struct credentials_context){.environment = (const char *const *)w->variables,
                                              .http = w->http,
                                              .clock = fake_clock(&w->time),
                                              .log = &w->log};
    world_set(w, "HOME", w->home.path);
}

static inline void world_deinit(struct world *w)
{
    http_client_free(w->http);
    fake_http_free(w->server);
    (void)close(w->log.fd);
    log_deinit(&w->log);
    world_forget(w);
    world_unset_all(w);
    temp_folder_deinit(&w->home);
    (void)pthread_mutex_destroy(&w->mutex);
}

/* Writes a file below HOME and makes the folders on the way. Returns its path, until the next call.
 */
static inline const char *world_file(struct world *w, const char *name, const char *text)
{
    char *path = w->home.location;

    (void)snprintf(path, sizeof w->home.location, "%s/%s", w->home.path, name);
    for (char *p = path + strlen(w->home.path) + 1; *p != '\0'; p++) {
        if (*p == '/') {
            *p = '\0';
            (void)mkdir(path, 0755);
            *p = '/';
        }
    }
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    return path;
}

/* How many lines of the log have that text. */
static inline unsigned world_logged(struct world *w, const char *text)
{
    static const size_t most = 65536;
    char *all = calloc(1, most);
    unsigned count = 0;

    assert_non_null(all);
    assert_true(pread(w->log.fd, all, most - 1, 0) >= 0);
    for (const char *p = strstr(all, text); p != NULL; p = strstr(p + 1, text)) {
        count++;
    }
    free(all);
    return count;
}

/* "2023-11-14T23:13:20Z": so many seconds from now. Until the next call with the same buffer. */
static inline const char *world_time(struct world *w, int64_t from_now_s, char *out)
{
    credentials_put_time(out, w->time.wall_us + from_now_s * 1000000);
    return out;
}

/* ---- what endpoints say ---- */

/* As containers (and instances, which have a Code) say it. malloc'd. */
static inline char *world_json_keys(struct world *w, const char *id, int64_t valid_s)
{
    char until[CREDENTIALS_TIME_TEXT_BYTES];
    char *text = str_format("{\"Code\":\"Success\",\"AccessKeyId\":\"%s\",\"SecretAccessKey\":"
                            "\"%s-sesame\",\"Token\":\"%s-sesame-t\",\"Expiration\":\"%s\"}",
                            id, id, id, world_time(w, valid_s, until));

    assert_non_null(text);
    return text;
}

static inline void world_answer_keys(struct world *w, const char *key, const char *id,
                                     int64_t valid_s)
{
    char *text = world_json_keys(w, id, valid_s);

    world_answer(w, key, 200, text);
    free(text);
}

/* As STS says it. */
static inline void world_answer_sts(struct world *w, const char *action, const char *id,
                                    int64_t valid_s)
{
    char until[CREDENTIALS_TIME_TEXT_BYTES];
    char *text = str_format(
        "<%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><%sResult>"
        "<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/calve</Arn></AssumedRoleUser>"
        "<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s-sesame</SecretAccessKey>"
        "<SessionToken>%s-sesame-t</SessionToken><Expiration>%s</Expiration></Credentials>"
        "</%sResult></%sResponse>",
        action, action, id, id, id, world_time(w, valid_s, until), action, action);

    assert_non_null(text);
    world_answer_times(w, 1, "POST /", 200, text);
    free(text);
}

static inline void assert_keys(const struct credentials *c, const char *id, const char *provider)
{
    char *secret = str_format("%s-sesame", id);

    assert_non_null(secret);
    assert_string_equal(c->access_key_id, id);
    assert_string_equal(c->secret_access_key.text, secret);
    assert_string_equal(c->provider, provider);
    free(secret);
}

/* As assert_keys, with a session token. */
static inline void assert_session(const struct credentials *c, const char *id, const char *provider)
{
    char *token = str_format("%s-sesame-t", id);

    assert_keys(c, id, provider);
    assert_non_null(token);
    assert_non_null(c->session_token.text);
    assert_string_equal(c->session_token.text, token);
    free(token);
}

static inline void assert_says(const struct err *e, const char *part)
{
    if (strstr(e->msg, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", e->msg, part);
    }
}

/* All keys and tokens of these tests have it in them. */
static inline void assert_no_secret(const struct err *e)
{
    if (strstr(e->msg, "sesame") != NULL) {
        fail_msg("\"%s\" shows a secret", e->msg);
    }
}

#endif
