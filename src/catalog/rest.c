#include "catalog/rest.h"

#include <stdlib.h>

#include "base/str.h"
#include "catalog/rest_int.h"
#include "net/uri.h"

#define DEADLINE_DEFAULT_US (INT64_C(120) * 1000000)
#define ATTEMPT_DEFAULT_US  (INT64_C(60) * 1000000)
#define TEXTS_BYTES_MAX     ((size_t)16 << 20)

static void rest_free(struct catalog *base)
{
    struct rest_catalog *c = (struct rest_catalog *)base;

    aws_client_free(c->aws);
    rest_lent_deinit(&c->lent);
    rest_auth_deinit(&c->auth);
    rest_config_deinit(&c->config);
    (void)pthread_mutex_destroy(&c->rand_mutex);
    arena_deinit(&c->texts);
    free(c);
}

static const struct catalog_ops rest_ops = {
    .load = rest_load,
    .create = rest_create,
    .swap = rest_swap,
    .swap_all = rest_swap_all,
    .list = rest_list,
    .drop = rest_drop,
    .free = rest_free,
};

/* The client that signs, for the URI as it is now. */
static enum err_code connect_signed(struct rest_catalog *c, const struct catalog_rest_options *o,
                                    struct err *e)
{
    char *region = NULL;
    enum err_code rc = ERR_OK;

    aws_client_free(c->aws);
    c->aws = NULL;
    if (o->signing_region == NULL || o->signing_region[0] == '\0') {
        rc = credentials_region(c->credentials, &region, e);
        if (rc == ERR_OK && region == NULL) {
            rc = err_set(e, ERR_CONFIG,
                         "the region to sign for is not known: set rest.signing-region or "
                         "client.region");
        }
    }
    if (rc == ERR_OK) {
        rc = aws_client_new(
            &(struct aws_client_options){
                .service = &c->service,
                .endpoint = c->uri,
                .region = region != NULL ? region : o->signing_region,
                .credentials = c->credentials,
                .http = c->http,
                .clock = c->base.clock,
                .log = c->base.log,
                .deadline_us = c->deadline_us,
                .attempt_us = c->attempt_us,
            },
            &c->aws, e);
    }
    free(region);
    return rc;
}

/* Settings, who we are, and the way there, as far as is known: before the server was asked and
 * after. */
static enum err_code set_up(struct rest_catalog *c, const struct catalog_rest_options *o,
                            struct err *e)
{
    ERR_TRY(rest_config_merge(c, o, e));
    ERR_TRY(rest_auth_init(c, o, e));
    return c->sigv4 ? connect_signed(c, o, e) : ERR_OK;
}

/* Whether what the server says changes how it is asked. */
static bool server_moves_us(const struct rest_config *config)
{
    static const char *const keys[] = {"uri",      "token",    "credential",       "scope",
                                       "audience", "resource", "oauth2-server-uri"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (rest_text(config->overrides, keys[i]) != NULL ||
            rest_text(config->defaults, keys[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static enum err_code ask_config(struct rest_catalog *c, const struct catalog_rest_options *o,
                                struct err *e)
{
    struct rest_answer answer = {0};
    struct buf query = {0};
    const char *warehouse = o->warehouse;

    if (warehouse != NULL && warehouse[0] != '\0') {
        uri_put_query(&query, "warehouse", warehouse);
    }
    const char *text = buf_cstr(&query);
    enum err_code rc = text == NULL ? err_nomem(e)
                                    : rest_send(c,
                                                &(struct rest_call){
                                                    .op = REST_OP_CONFIG,
                                                    .what = "asking for the configuration",
                                                    .path = "/v1/config",
                                                    .query = query.len == 0 ? NULL : text,
                                                },
                                                &answer, e);

    if (rc == ERR_OK) {
        rc = rest_config_parse(buf_span(&answer.response.body), &c->config, e);
    }
    rest_answer_deinit(&answer);
    buf_deinit(&query);
    return rc;
}

static enum err_code open_catalog(struct rest_catalog *c, const struct catalog_rest_options *o,
                                  struct err *e)
{
    if (o->sigv4 && o->credentials == NULL) {
        return err_set(e, ERR_CONFIG, "rest.sigv4 is set, and there are no AWS keys to sign with");
    }
    ERR_TRY(set_up(c, o, e));
    ERR_TRY(ask_config(c, o, e));
    return server_moves_us(&c->config) ? set_up(c, o, e) : rest_config_merge(c, o, e);
}

static enum err_code init(struct rest_catalog *c, const struct catalog_rest_options *o,
                          struct err *e)
{
    const char *name = o->signing_name;

    c->base = (struct catalog){
        .ops = &rest_ops,
        .store = o->store,
        .clock = o->clock,
        .log = o->log,
        .places_tables = true,
        .server_writes_metadata = true,
    };
    rest_lent_init(&c->lent);
    (void)pthread_mutex_init(&c->auth.mutex, NULL);
    (void)pthread_mutex_init(&c->rand_mutex, NULL);
    rand_init(&c->base.rand);
    rand_init(&c->rand);
    arena_init(&c->texts, TEXTS_BYTES_MAX);
    c->vended = o->vended;
    c->http = o->http;
    c->sigv4 = o->sigv4;
    c->credentials = o->credentials;
    c->deadline_us = o->deadline_us > 0 ? o->deadline_us : DEADLINE_DEFAULT_US;
    c->attempt_us = o->attempt_us > 0 ? o->attempt_us : ATTEMPT_DEFAULT_US;
    c->service = (struct aws_service){
        .name = arena_strdup(&c->texts, name == NULL || name[0] == '\0' ? "execute-api" : name),
        .label = "the REST catalog",
        .send_payload_hash = true,
        .read_error = rest_read_aws_error,
    };
    return c->service.name == NULL ? err_nomem(e) : ERR_OK;
}

enum err_code catalog_rest_open(const struct catalog_rest_options *options, struct catalog **out,
                                struct err *e)
{
    struct rest_catalog *c = calloc(1, sizeof *c);
    struct err why = {0};

    if (c == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = init(c, options, &why);

    if (rc == ERR_OK) {
        rc = open_catalog(c, options, &why);
    }
    if (rc != ERR_OK) {
        if (c->uri != NULL) {
            err_wrap(&why, "the catalog %s", c->uri);
        }
        rest_free(&c->base);
        if (e != NULL) {
            *e = why;
        }
        return rc;
    }
    c->base.commits_together = c->config.offers[REST_ENDPOINT_TRANSACTION];
    *out = &c->base;
    return ERR_OK;
}

struct s3_access_source catalog_rest_access(struct catalog *c)
{
    return (struct s3_access_source){rest_lent_find, c};
}

void catalog_rest_set_store(struct catalog *c, struct store *store)
{
    c->store = store;
}
