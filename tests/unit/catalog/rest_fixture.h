/* rest_fixture.h - a REST catalog of ours on a fake server, with a clock that stands still. */
#ifndef CALVE_REST_FIXTURE_H
#define CALVE_REST_FIXTURE_H

#include "catalog/rest.h"
#include "fake_rest.h"

struct rest_fixture {
    struct fake_rest fake;
    struct store *store;
    struct http_client *http;
    struct fake_clock time;
    struct log log;
    FILE *log_file;
    struct catalog_rest_options options; /* for the next rest_fixture_open() */
    struct catalog *catalog;
    unsigned opened;
    struct err e;
};

static inline void rest_fixture_init(struct rest_fixture *x)
{
    memset(x, 0, sizeof *x);
    x->store = fake_store_new();
    fake_rest_init(&x->fake, x->store);
    x->time.wall_us = 1700000000000000;
    x->log_file = tmpfile();
    log_init(&x->log, fileno(x->log_file), LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    assert_ok(http_client_new(&(struct http_client_options){.proxy = NULL}, &x->http, &x->e),
              &x->e);
    x->options = (struct catalog_rest_options){
        .uri = fake_http_url(x->fake.server),
        .http = x->http,
        .store = x->store,
        .clock = fake_clock(&x->time),
        .log = &x->log,
    };
}

static inline void rest_fixture_open(struct rest_fixture *x)
{
    assert_ok(catalog_rest_open(&x->options, &x->catalog, &x->e), &x->e);
    rand_seed(&x->catalog->rand, ++x->opened);
}

static inline void rest_fixture_deinit(struct rest_fixture *x)
{
    catalog_free(x->catalog);
    http_client_free(x->http);
    assert_no_complaint(&x->fake);
    fake_rest_deinit(&x->fake);
    store_free(x->store);
    log_deinit(&x->log);
    (void)fclose(x->log_file);
}

static inline void assert_log(struct rest_fixture *x, const char *part, bool is_there)
{
    char text[16384];
    ssize_t len = pread(fileno(x->log_file), text, sizeof text - 1, 0);

    assert_true(len >= 0);
    text[len] = '\0';
    if ((strstr(text, part) != NULL) != is_there) {
        fail_msg("'%s' is %s the log:\n%s", part, is_there ? "not in" : "in", text);
    }
}

static inline void assert_says(const struct err *e, const char *part)
{
    if (strstr(e->msg, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, e->msg);
    }
}

#endif
