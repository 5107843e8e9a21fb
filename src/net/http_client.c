#include "net/http_client.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "net/http_int.h"

#define CONNECT_TIMEOUT_US ((int64_t)5 * 1000000)
#define STALL_TIMEOUT_US   ((int64_t)20 * 1000000)
#define REQUEST_TIMEOUT_US ((int64_t)300 * 1000000)
#define CONNECTIONS_MAX    16u

/* How often requests on their way are looked at: late, stalled, cancelled? */
#define LOOK_US       ((int64_t)100000)
#define IDLE_MS       60000
#define KEPT_PER_HOST 4L

struct http_client {
    struct http_client_options options; /* its texts are copies */
    struct clock clock;
    pthread_t thread;
    /* Of the thread: */
    CURLM *multi; /* others only wake it */
    CURLSH *share;
    struct http_exchange *waiting; /* for a connection, in order */
    struct http_exchange *active;
    int64_t look_at_us;
    pthread_mutex_t mutex;          /* guards the fields below, and `done` of exchanges */
    struct http_exchange *incoming; /* in order */
    bool stopping;
};

/* ---- lists ---- */

static void append(struct http_exchange **list, struct http_exchange *x)
{
    x->next = NULL;
    while (*list != NULL) {
        list = &(*list)->next;
    }
    *list = x;
}

static void take_out(struct http_exchange **list, const struct http_exchange *x)
{
    while (*list != x) {
        assert(*list != NULL);
        list = &(*list)->next;
    }
    *list = x->next;
}

/* ---- the client's thread ---- */

static void hand_back(struct http_client *c, struct http_exchange *x, enum err_code rc)
{
    x->out->sent = x->sends > 0;
    http_exchange_release(x);
    (void)pthread_mutex_lock(&c->mutex);
    x->rc = rc;
    x->done = true;
    /* The caller may be gone with x as soon as the mutex is free. */
    (void)pthread_cond_signal(&x->finished);
    (void)pthread_mutex_unlock(&c->mutex);
}

static void end_active(struct http_client *c, struct http_exchange *x, enum err_code rc)
{
    take_out(&c->active, x);
    (void)curl_multi_remove_handle(c->multi, x->easy);
    hand_back(c, x, rc);
}

static bool same_host(const struct http_exchange *a, const struct http_exchange *b)
{
    return span_eq(a->uri.authority, b->uri.authority) && span_eq(a->uri.scheme, b->uri.scheme);
}

static bool has_room(const struct http_client *c, const struct http_exchange *x)
{
    uint32_t busy = 0;

    for (const struct http_exchange *a = c->active; a != NULL; a = a->next) {
        busy += same_host(a, x) ? 1 : 0;
    }
    return busy < c->options.connections_max;
}

static void start(struct http_client *c, struct http_exchange *x)
{
    enum err_code rc = http_exchange_start(x, &c->options, c->share);

    if (rc != ERR_OK) {
        hand_back(c, x, rc);
        return;
    }
    CURLMcode added = curl_multi_add_handle(c->multi, x->easy);

    if (added != CURLM_OK) {
        hand_back(c, x, err_set(x->e, ERR_NOMEM, "HTTP: %s", curl_multi_strerror(added)));
        return;
    }
    append(&c->active, x);
}

/* A request never waits behind one to another host. */
static void start_waiting(struct http_client *c)
{
    for (struct http_exchange **at = &c->waiting; *at != NULL;) {
        struct http_exchange *x = *at;

        if (has_room(c, x)) {
            *at = x->next;
            start(c, x);
        } else {
            at = &x->next;
        }
    }
}

static void collect(struct http_client *c)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
        struct http_exchange *x = NULL;
        CURLcode code = m->data.result;

        if (m->msg == CURLMSG_DONE &&
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x) == CURLE_OK) {
            end_active(c, x, http_exchange_end(x, &c->options, code));
        }
    }
}

bool http_client_cancelled(const struct http_client *c)
{
    return c->options.cancelled != NULL && c->options.cancelled(c->options.cancelled_ctx);
}

/* ERR_OK when x may go on. */
static enum err_code judge(const struct http_client *c, struct http_exchange *x, bool cancelled,
                           int64_t now_us)
{
    if (cancelled) {
        return http_exchange_cancelled(x);
    }
    if (now_us >= x->deadline_us) {
        return http_exchange_late(x, &c->options, false, now_us - x->started_us);
    }
    if (x->sends == 0) { /* libcurl minds the time for connecting */
        return ERR_OK;
    }
    uint64_t bytes = http_exchange_bytes(x);

    if (bytes != x->moved_bytes || x->moved_us == 0) {
        x->moved_bytes = bytes;
        x->moved_us = now_us;
    }
    if (now_us - x->moved_us >= c->options.stall_timeout_us) {
        return http_exchange_late(x, &c->options, true, now_us - x->moved_us);
    }
    return ERR_OK;
}

static void look(struct http_client *c)
{
    int64_t now_us = clock_mono_us(&c->clock);

    if (now_us < c->look_at_us || (c->active == NULL && c->waiting == NULL)) {
        return;
    }
    bool cancelled = http_client_cancelled(c);
    struct http_exchange *next;

    c->look_at_us = now_us + LOOK_US;
    for (struct http_exchange *x = c->active; x != NULL; x = next) {
        enum err_code rc = judge(c, x, cancelled, now_us);

        next = x->next;
        if (rc != ERR_OK) {
            end_active(c, x, rc);
        }
    }
    for (struct http_exchange *x = c->waiting; x != NULL; x = next) {
        enum err_code rc = judge(c, x, cancelled, now_us);

        next = x->next;
        if (rc != ERR_OK) {
            take_out(&c->waiting, x);
            hand_back(c, x, rc);
        }
    }
}

static void fail_all(struct http_client *c, CURLMcode code)
{
    while (c->active != NULL) {
        struct http_exchange *x = c->active;
        enum err_code rc = code == CURLM_OUT_OF_MEMORY ? ERR_NOMEM : ERR_IO;

        end_active(c, x, err_set(x->e, rc, "HTTP: %s", curl_multi_strerror(code)));
    }
}

/* True when the client is to end. */
static bool take_incoming(struct http_client *c)
{
    (void)pthread_mutex_lock(&c->mutex);
    struct http_exchange *x = c->incoming;
    bool stopping = c->stopping;

    c->incoming = NULL;
    (void)pthread_mutex_unlock(&c->mutex);
    while (x != NULL) {
        struct http_exchange *next = x->next;

        append(&c->waiting, x);
        x = next;
    }
    return stopping;
}

static void *drive(void *arg)
{
    struct http_client *c = arg;

    while (!take_incoming(c)) {
        int running;

        start_waiting(c);
        bool busy = c->active != NULL || c->waiting != NULL;
        CURLMcode rc =
            curl_multi_poll(c->multi, NULL, 0, busy ? (int)(LOOK_US / 1000) : IDLE_MS, NULL);

        if (rc == CURLM_OK) {
            rc = curl_multi_perform(c->multi, &running);
        }
        collect(c);
        look(c);
        if (rc != CURLM_OK) {
            fail_all(c, rc);
            clock_sleep_us(&c->clock, LOOK_US);
        }
    }
    /* Here, as closing writes and may raise SIGPIPE. */
    (void)curl_multi_cleanup(c->multi);
    c->multi = NULL;
    return NULL;
}

/* ---- life ---- */

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* "" becomes NULL. */
static bool copy_text(const char **at)
{
    const char *text = *at;

    *at = is_set(text) ? str_dup(text) : NULL;
    return *at != NULL || !is_set(text);
}

static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

static void free_client(struct http_client *c)
{
    /* In this order: a multi handle's connections put their sessions into the share. */
    if (c->multi != NULL) {
        (void)curl_multi_cleanup(c->multi);
    }
    if (c->share != NULL) {
        (void)curl_share_cleanup(c->share);
    }
    (void)pthread_mutex_destroy(&c->mutex);
    free_text(c->options.proxy);
    free_text(c->options.ca_bundle);
    free_text(c->options.client_cert);
    free_text(c->options.client_key);
    free_text(c->options.user_agent);
    free(c);
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value == 0 ? otherwise : value;
}

/* The file that libcurl would take, or NULL. Named, so that it is the only place to look: libcurl
 * then reads it once and not for each connection. */
static const char *system_bundle(void)
{
    const char *path = curl_version_info(CURLVERSION_NOW)->cainfo;

    return path != NULL && access(path, R_OK) == 0 ? path : NULL;
}

static bool copy_options(struct http_client *c, const struct http_client_options *given)
{
    struct http_client_options *o = &c->options;
    const char **texts[] = {&o->proxy, &o->ca_bundle, &o->client_cert, &o->client_key,
                            &o->user_agent};
    bool ok = true;

    *o = *given;
    o->ca_bundle = is_set(o->ca_bundle) ? o->ca_bundle : system_bundle();
    o->connect_timeout_us = or_default(o->connect_timeout_us, CONNECT_TIMEOUT_US);
    o->stall_timeout_us = or_default(o->stall_timeout_us, STALL_TIMEOUT_US);
    o->connections_max = o->connections_max == 0 ? CONNECTIONS_MAX : o->connections_max;
    o->user_agent = is_set(o->user_agent) ? o->user_agent : "calve";
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        /* What was not copied must not be freed. */
        ok = ok && copy_text(texts[i]);
        *texts[i] = ok ? *texts[i] : NULL;
    }
    return ok;
}

static bool make_handles(struct http_client *c)
{
    long kept = (long)c->options.connections_max * KEPT_PER_HOST;

    c->multi = curl_multi_init();
    c->share = curl_share_init();
    return c->multi != NULL && c->share != NULL &&
           curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, kept) == CURLM_OK &&
           curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK;
}

/* With all signals blocked: they are for the main thread, and SIGPIPE is for nobody. */
static int start_thread(struct http_client *c)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&c->thread, NULL, drive, c);

    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static enum err_code check_file(const char *path, const char *setting, struct err *e)
{
    if (is_set(path) && access(path, R_OK) != 0) {
        return err_set(e, ERR_CONFIG, "%s: %s cannot be read", setting, path);
    }
    return ERR_OK;
}

static enum err_code check_proxy(const char *proxy, struct err *e)
{
    static const char *const schemes[] = {"http",    "https",  "socks4",
                                          "socks4a", "socks5", "socks5h"};
    struct uri u;

    if (!is_set(proxy)) {
        return ERR_OK;
    }
    char *text = str_format("%s%s", strstr(proxy, "://") == NULL ? "http://" : "", proxy);

    if (text == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = uri_parse(text, &u, e);
    bool known = false;

    for (size_t i = 0; rc == ERR_OK && i < sizeof schemes / sizeof schemes[0]; i++) {
        known = known || span_ieq_str(u.scheme, schemes[i]);
    }
    if (rc != ERR_OK) {
        (void)err_wrap(e, "http.proxy");
    } else if (!known) {
        rc = err_set(e, ERR_CONFIG,
                     "http.proxy: scheme \"%.*s\" is none of http, https, socks4, "
                     "socks4a, socks5 and socks5h",
                     (int)u.scheme.len, (const char *)u.scheme.data);
    }
    free(text);
    return rc;
}

enum err_code http_client_new(const struct http_client_options *options, struct http_client **out,
                              struct err *e)
{
    *out = NULL;
    ERR_TRY(check_file(options->ca_bundle, "http.ca-bundle", e));
    ERR_TRY(check_file(options->client_cert, "http.client-cert", e));
    ERR_TRY(check_file(options->client_key, "http.client-key", e));
    ERR_TRY(check_proxy(options->proxy, e));
    /* Counted, and safe between threads from libcurl 7.84 on. */
    CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);

    if (global != CURLE_OK) {
        return err_set(e, ERR_IO, "starting libcurl: %s", curl_easy_strerror(global));
    }
    struct http_client *c = calloc(1, sizeof *c);

    if (c == NULL) {
        curl_global_cleanup();
        return err_nomem(e);
    }
    c->clock = clock_system();
    (void)pthread_mutex_init(&c->mutex, NULL);
    enum err_code rc = ERR_OK;

    if (!copy_options(c, options) || !make_handles(c)) {
        rc = err_nomem(e);
    } else {
        int failed = start_thread(c);

        rc = failed == 0 ? ERR_OK : err_set_os(e, ERR_IO, failed, "starting a thread for HTTP");
    }
    if (rc != ERR_OK) {
        free_client(c);
        curl_global_cleanup();
        return rc;
    }
    *out = c;
    return ERR_OK;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&c->mutex);
    assert(c->incoming == NULL);
    c->stopping = true;
    /* Before the thread can see it: it takes the multi handle with it. */
    (void)curl_multi_wakeup(c->multi);
    (void)pthread_mutex_unlock(&c->mutex);
    (void)pthread_join(c->thread, NULL);
    assert(c->active == NULL && c->waiting == NULL);
    free_client(c);
    curl_global_cleanup();
}

/* ---- requests ---- */

/* RFC 9110, 5.6.2 */
static bool is_token(const char *text)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return text[0] != '\0' && text[strspn(text, token)] == '\0';
}

static enum err_code check_header(const struct http_header *h, struct err *e)
{
    if (!is_token(h->name)) {
        return err_set(e, ERR_CONFIG, "\"%s\" cannot be the name of an HTTP header", h->name);
    }
    for (const char *p = h->value; *p != '\0'; p++) {
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f) {
            return err_set(e, ERR_CONFIG, "the value of the HTTP header %s has a control character",
                           h->name);
        }
    }
    return ERR_OK;
}

static enum err_code check_request(struct http_exchange *x)
{
    const struct http_request *q = x->request;

    if (!is_token(q->method)) {
        return err_set(x->e, ERR_CONFIG, "\"%s\" cannot be an HTTP method", q->method);
    }
    if (q->has_body && strcmp(q->method, "HEAD") == 0) {
        return err_set(x->e, ERR_CONFIG, "a HEAD request cannot have a body");
    }
    ERR_TRY(uri_parse(q->url, &x->uri, x->e));
    if (uri_default_port(x->uri.scheme) == 0) {
        return err_set(x->e, ERR_CONFIG, "a URL has to start with http:// or https://, not %.*s://",
                       (int)x->uri.scheme.len, (const char *)x->uri.scheme.data);
    }
    for (uint32_t i = 0; i < q->header_count; i++) {
        ERR_TRY(check_header(&q->headers[i], x->e));
    }
    return ERR_OK;
}

static void wait_for(struct http_client *c, struct http_exchange *x)
{
    (void)pthread_mutex_lock(&c->mutex);
    append(&c->incoming, x);
    (void)pthread_mutex_unlock(&c->mutex);
    (void)curl_multi_wakeup(c->multi);
    (void)pthread_mutex_lock(&c->mutex);
    while (!x->done) {
        (void)pthread_cond_wait(&x->finished, &c->mutex);
    }
    (void)pthread_mutex_unlock(&c->mutex);
}

enum err_code http_send(struct http_client *c, const struct http_request *request,
                        struct http_response *out, struct err *e)
{
    struct http_exchange x = {.request = request, .out = out, .e = e};

    *out = (struct http_response){0};
    buf_init(&out->headers, HTTP_HEAD_BYTES_MAX);
    buf_init(&out->body, request->response_bytes_max == 0 ? HTTP_RESPONSE_BYTES_DEFAULT
                                                          : request->response_bytes_max);
    ERR_TRY(check_request(&x));
    if (http_client_cancelled(c)) {
        return http_exchange_cancelled(&x);
    }
    x.started_us = clock_mono_us(&c->clock);
    x.deadline_us = x.started_us + or_default(request->timeout_us, REQUEST_TIMEOUT_US);
    (void)pthread_cond_init(&x.finished, NULL);
    wait_for(c, &x);
    (void)pthread_cond_destroy(&x.finished);
    return x.rc;
}

void http_response_deinit(struct http_response *r)
{
    buf_deinit(&r->headers);
    buf_deinit(&r->body);
    r->status = 0;
}

const char *http_response_header(const struct http_response *r, const char *name)
{
    const char *found = NULL;
    const char *at = (const char *)r->headers.data;
    const char *end = at == NULL ? NULL : at + r->headers.len;

    while (at != end) {
        const char *value = at + strlen(at) + 1;

        if (str_ieq(at, name)) {
            found = value;
        }
        at = value + strlen(value) + 1;
    }
    return found;
}
