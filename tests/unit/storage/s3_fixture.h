/* s3_fixture.h - the S3 store on S3 in memory, with a clock that only sleeping moves. */
#ifndef CALVE_S3_FIXTURE_H
#define CALVE_S3_FIXTURE_H

#include <stdlib.h>

#include "base/str.h"
#include "fake_clock.h"
#include "fake_s3.h"
#include "storage/s3_int.h"
#include "test.h"

#define FIXTURE_WALL_US (INT64_C(1767322800) * 1000000) /* 2026-01-02T03:00:00Z */
#define MIB             ((size_t)1 << 20)

struct s3_fixture {
    struct fake_s3 *server;
    struct fake_clock time;
    struct http_client *http;
    struct credentials_source *keys;
    struct s3_options options;
    struct store *store;
    struct err e;
};

/* Everything but the store: the options may still be changed. */
static inline void s3_fixture_prepare(struct s3_fixture *f)
{
    *f = (struct s3_fixture){.server = fake_s3_new()};
    f->time.wall_us = FIXTURE_WALL_US;
    assert_ok(http_client_new(&(struct http_client_options){.proxy = ""}, &f->http, &f->e), &f->e);
    assert_ok(credentials_source_new(
                  &(struct credentials_options){
                      .access_key_id = "OWN",
                      .secret_access_key = "secret",
                      .http = f->http,
                      .clock = fake_clock(&f->time),
                  },
                  &f->keys, &f->e),
              &f->e);
    f->options = (struct s3_options){
        .endpoint = fake_s3_url(f->server),
        .region = "eu-west-1",
        .credentials = f->keys,
        .http = f->http,
        .clock = fake_clock(&f->time),
    };
}

static inline void s3_fixture_open(struct s3_fixture *f)
{
    assert_ok(store_s3_new(&f->options, &f->store, &f->e), &f->e);
}

static inline void s3_fixture_init(struct s3_fixture *f)
{
    s3_fixture_prepare(f);
    s3_fixture_open(f);
}

static inline void s3_fixture_deinit(struct s3_fixture *f)
{
    /* Each failure that a test planned has happened. */
    assert_int_equal(fake_s3_planned(f->server), 0);
    store_free(f->store);
    credentials_source_free(f->keys);
    http_client_free(f->http);
    fake_s3_free(f->server);
}

static inline void s3_fail(struct s3_fixture *f, const struct fake_s3_fault *fault)
{
    fake_s3_fail(f->server, fault);
}

/* "lake/x" holds this. */
static inline void assert_object(struct s3_fixture *f, const char *name, const char *text)
{
    struct span bytes = fake_s3_peek(f->server, name);

    assert_non_null(bytes.data);
    assert_text_eq(bytes, text);
}

/* Bytes of which no two pieces of a file look alike. */
static inline uint8_t *s3_pattern(size_t len)
{
    uint8_t *bytes = malloc(len + 1);
    uint32_t x = 1;

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(x >> 24);
    }
    return bytes;
}

#endif
