#include "app/lake_remote.h"

#include <stdlib.h>

#include "app/signals.h"
#include "base/str.h"
#include "catalog/glue.h"
#include "catalog/rest.h"
#include "storage/s3.h"
#include "storage/schemes.h"

#define STOP_PATIENCE_US INT64_C(10000000)
/* Of a run's writes: an hour by default. Rows that cannot be written are read again from the source
 * after a restart; waiting costs less. */
#define WRITE_PATIENCE   30
#define US_PER_MS        INT64_C(1000)
#define REST_HEADERS_MAX 64u

/* ---- keys ---- */

static const char *first_of(const char *own, const char *shared)
{
    return own[0] != '\0' ? own : shared;
}

/* Where one of these is set, the service has an identity of its own. */
static bool has_identity(const struct config_keys *k)
{
    return k->access_key_id[0] != '\0' || k->profile_name[0] != '\0' || k->role_arn[0] != '\0';
}

/* Key, secret and token go together, so they come from one place. */
static enum err_code new_source(struct lake_remote *r, const struct config *c,
                                const struct config_keys *own, struct log *log,
                                struct credentials_source **out, struct err *e)
{
    const struct config_keys *pair = own->access_key_id[0] != '\0' ? own : &c->client;
    const struct config_keys *role = own->role_arn[0] != '\0' ? own : &c->client;
    bool other_profile = own->profile_name[0] != '\0' && own->access_key_id[0] == '\0';
    const struct credentials_options options = {
        .access_key_id = other_profile ? "" : pair->access_key_id,
        .secret_access_key = other_profile ? NULL : pair->secret_access_key.text,
        .session_token = other_profile ? NULL : pair->session_token.text,
        .profile = first_of(own->profile_name, c->client.profile_name),
        .role_arn = role->role_arn,
        .role_session_name = role->role_session_name,
        .external_id = role->external_id,
        .region = first_of(own->region, c->client.region),
        .environment = c->environment,
        .http = r->http,
        .clock = clock_system(),
        .log = log,
    };

    return credentials_source_new(&options, out, e);
}

static enum err_code open_keys(struct lake_remote *r, const struct config *c, struct log *log,
                               struct err *e)
{
    ERR_TRY(new_source(r, c, &c->client, log, &r->client_keys, e));
    if (has_identity(&c->s3.keys)) {
        ERR_TRY(new_source(r, c, &c->s3.keys, log, &r->s3_keys, e));
    }
    if (has_identity(&c->glue.keys)) {
        ERR_TRY(new_source(r, c, &c->glue.keys, log, &r->glue_keys, e));
    }
    return ERR_OK;
}

struct credentials_source *lake_remote_keys(const struct lake_remote *r, const char *service)
{
    struct credentials_source *own = strcmp(service, "s3") == 0     ? r->s3_keys
                                     : strcmp(service, "glue") == 0 ? r->glue_keys
                                                                    : NULL;

    return own != NULL ? own : r->client_keys;
}

void lake_remote_say_whose(const char *service, struct err *e)
{
    if (strcmp(service, "s3") == 0) {
        credentials_say_whose("S3", service, e);
    } else if (strcmp(service, "glue") == 0) {
        credentials_say_whose("Glue", service, e);
    } else {
        credentials_say_whose("the REST catalog", NULL, e);
    }
}

enum err_code lake_remote_region(const struct lake_remote *r, const struct config *c,
                                 const char *service, char **out, struct err *e)
{
    const char *own = strcmp(service, "s3") == 0     ? c->s3.keys.region
                      : strcmp(service, "glue") == 0 ? c->glue.keys.region
                                                     : "";
    const char *set = first_of(own, c->client.region);

    if (set[0] == '\0') {
        enum err_code rc = credentials_region(lake_remote_keys(r, service), out, e);

        if (rc != ERR_OK) {
            lake_remote_say_whose(service, e);
        }
        return rc;
    }
    *out = str_dup(set);
    return *out == NULL ? err_nomem(e) : ERR_OK;
}

/* ---- connections ---- */

static const char *or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

/* A commit under way may end, but not wait for ever for those who do not answer. */
static bool gives_up(void *ctx)
{
    struct lake_remote *r = ctx;
    const struct clock clock = clock_system();
    int64_t never = 0;

    if (!signals_stop_requested(NULL)) {
        return false;
    }
    int64_t now_us = clock_mono_us(&clock);

    (void)atomic_compare_exchange_strong(&r->stop_us, &never, now_us);
    return now_us - atomic_load(&r->stop_us) > STOP_PATIENCE_US;
}

enum err_code lake_remote_open(const struct config *c, struct log *log, struct lake_remote **out,
                               struct err *e)
{
    struct lake_remote *r = calloc(1, sizeof *r);
    const struct http_client_options options = {
        .connect_timeout_us = (int64_t)c->http.connect_timeout_ms * US_PER_MS,
        .proxy = or_null(c->http.proxy),
        .ca_bundle = or_null(c->http.ca_bundle),
        .client_cert = or_null(c->http.client_cert),
        .client_key = or_null(c->http.client_key),
        .user_agent = "calve/" CALVE_VERSION,
        .cancelled = gives_up,
        .cancelled_ctx = r,
    };

    if (r == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = http_client_new(&options, &r->http, e);

    if (rc == ERR_OK) {
        rc = open_keys(r, c, log, e);
    }
    if (rc != ERR_OK) {
        lake_remote_close(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

void lake_remote_close(struct lake_remote *r)
{
    if (r == NULL) {
        return;
    }
    aws_client_free(r->glue);
    credentials_source_free(r->client_keys);
    credentials_source_free(r->s3_keys);
    credentials_source_free(r->glue_keys);
    http_client_free(r->http);
    free(r);
}

static const char *sse_name(enum config_sse sse)
{
    switch (sse) {
    case CONFIG_SSE_NONE:
        return NULL;
    case CONFIG_SSE_S3:
        return "AES256";
    case CONFIG_SSE_KMS:
        return "aws:kms";
    case CONFIG_SSE_DSSE_KMS:
        return "aws:kms:dsse";
    } /* no default: a new kind breaks the build here */
    abort();
}

enum err_code lake_remote_store(struct lake_remote *r, const struct config *c, struct log *log,
                                const struct s3_access_source *lent, bool for_run,
                                struct store **out, struct err *e)
{
    char *region = NULL;
    struct store *local = NULL;
    struct store *s3 = NULL;

    /* At an endpoint of one's own any region will do, and nobody is asked for it. */
    if (c->s3.endpoint[0] == '\0' || c->s3.keys.region[0] != '\0' || c->client.region[0] != '\0') {
        ERR_TRY(lake_remote_region(r, c, "s3", &region, e));
    }
    const struct s3_options options = {
        .endpoint = c->s3.endpoint,
        .region = region,
        .addressing = c->s3.addressing,
        .anonymous = c->s3.anonymous,
        .credentials = lake_remote_keys(r, "s3"),
        .lent = lent == NULL ? (struct s3_access_source){NULL, NULL} : *lent,
        .http = r->http,
        .environment = c->environment,
        .clock = clock_system(),
        .log = log,
        .sse = sse_name(c->s3.sse),
        .sse_kms_key_id = c->s3.sse_key,
        .part_bytes = c->s3.part_bytes,
        .upload_threads = (uint32_t)c->s3.upload_threads,
        .deadline_us = (int64_t)c->http.retry_timeout_ms * US_PER_MS,
        .write_deadline_us =
            for_run ? WRITE_PATIENCE * (int64_t)c->http.retry_timeout_ms * US_PER_MS : 0,
        .attempt_us = (int64_t)c->http.request_timeout_ms * US_PER_MS,
    };
    enum err_code rc = store_local_new(&local, e);

    if (rc == ERR_OK) {
        rc = store_s3_new(&options, &s3, e);
    }
    if (rc == ERR_OK) {
        rc = store_schemes_new(local, s3, out, e);
    }
    if (rc != ERR_OK) {
        store_free(local);
        store_free(s3);
    }
    free(region);
    return rc;
}

/* ---- catalogs ---- */

enum err_code lake_remote_glue(struct lake_remote *r, const struct config *c, struct log *log,
                               struct store *store, struct catalog **out, struct err *e)
{
    char *region = NULL;
    char *endpoint = NULL;

    ERR_TRY(lake_remote_region(r, c, "glue", &region, e));
    if (region == NULL) {
        return err_set(e, ERR_CONFIG,
                       "no region for Glue: set client.region (AWS_REGION) or glue.region");
    }
    endpoint = c->glue.endpoint[0] != '\0' ? str_dup(c->glue.endpoint)
                                           : aws_endpoint("glue", region, c->environment);
    enum err_code rc = endpoint == NULL ? err_nomem(e) : ERR_OK;

    if (rc == ERR_OK) {
        rc = aws_client_new(
            &(struct aws_client_options){
                .service = catalog_glue_service(),
                .endpoint = endpoint,
                .region = region,
                .credentials = lake_remote_keys(r, "glue"),
                .http = r->http,
                .clock = clock_system(),
                .log = log,
                .deadline_us = (int64_t)c->http.retry_timeout_ms * US_PER_MS,
                .attempt_us = (int64_t)c->http.request_timeout_ms * US_PER_MS,
            },
            &r->glue, e);
    }
    if (rc == ERR_OK) {
        rc = catalog_glue_open(
            &(struct catalog_glue_options){
                .client = r->glue,
                .catalog_id = c->glue.id,
                .keep_versions = !c->glue.skip_archive,
                .any_name = c->glue.skip_name_validation,
                .database_location = or_null(c->warehouse_location),
                .store = store,
                .clock = clock_system(),
                .log = log,
            },
            out, e);
    }
    free(region);
    free(endpoint);
    return rc;
}

/* "NAME: VALUE" as two texts; the copies are in *texts. */
static enum err_code split_headers(const struct config_list *list, struct http_header *out,
                                   char **texts, struct err *e)
{
    if (list->count > REST_HEADERS_MAX) {
        return err_set(e, ERR_LIMIT, "rest.header: at most %u headers", REST_HEADERS_MAX);
    }
    for (uint32_t i = 0; i < list->count; i++) {
        texts[i] = str_dup(list->items[i]);
        if (texts[i] == NULL) {
            return err_nomem(e);
        }
        char *colon = strchr(texts[i], ':'); /* the settings were checked for it */

        *colon = '\0';
        out[i] = (struct http_header){texts[i], colon + 1 + strspn(colon + 1, " \t")};
    }
    return ERR_OK;
}

enum err_code lake_remote_rest(struct lake_remote *r, const struct config *c, struct log *log,
                               struct catalog **out, struct err *e)
{
    struct http_header headers[REST_HEADERS_MAX];
    char *texts[REST_HEADERS_MAX] = {NULL};
    const struct config_rest *rest = &c->rest;
    char *region = NULL;
    enum err_code rc = split_headers(&rest->headers, headers, texts, e);

    if (rc == ERR_OK && rest->sigv4 && rest->signing_region[0] == '\0') {
        rc = lake_remote_region(r, c, "rest", &region, e);
    }
    if (rc == ERR_OK) {
        rc = catalog_rest_open(
            &(struct catalog_rest_options){
                .uri = c->catalog_uri,
                .warehouse = rest->warehouse,
                .prefix = rest->prefix,
                .token = rest->token.text,
                .credential = rest->credential.text,
                .oauth2_server_uri = rest->oauth2_server_uri,
                .scope = rest->scope,
                .audience = rest->audience,
                .resource = rest->resource,
                .basic_user = rest->user,
                .basic_password = rest->password.text,
                .headers = headers,
                .header_count = rest->headers.count,
                .sigv4 = rest->sigv4,
                .signing_name = rest->signing_name,
                .signing_region = region != NULL ? region : rest->signing_region,
                .vended = rest->vended_credentials,
                .credentials = lake_remote_keys(r, "rest"),
                .http = r->http,
                .clock = clock_system(),
                .log = log,
                .deadline_us = (int64_t)c->http.retry_timeout_ms * US_PER_MS,
                .attempt_us = (int64_t)c->http.request_timeout_ms * US_PER_MS,
            },
            out, e);
    }
    for (size_t i = 0; i < REST_HEADERS_MAX; i++) {
        free(texts[i]);
    }
    free(region);
    return rc;
}
