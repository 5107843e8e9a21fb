#include <stdlib.h>

#include "base/str.h"
#include "net/uri.h"
#include "storage/s3_int.h"

/* Endpoints and regions of one run; a catalog that lends ever new ones would fill the memory. */
#define CLIENTS_MAX 256u

void s3_access_deinit(struct s3_access *a)
{
    credentials_deinit(&a->credentials);
    free(a->region);
    free(a->endpoint);
    *a = (struct s3_access){0};
}

void s3_route_deinit(struct s3_route *r)
{
    s3_access_deinit(&r->access);
    free(r->host_prefix);
    free(r->path);
    *r = (struct s3_route){0};
}

static void client_free(struct s3_client *c)
{
    if (c != NULL) {
        aws_client_free(c->aws);
        free(c->endpoint);
        free(c->region);
        free(c);
    }
}

void s3_access_free_all(struct s3_store *s)
{
    while (s->clients != NULL) {
        struct s3_client *next = s->clients->next;

        client_free(s->clients);
        s->clients = next;
    }
}

static enum err_code client_new(const struct s3_store *s, const char *endpoint, const char *region,
                                bool anonymous, struct s3_client **out, struct err *e)
{
    static const struct aws_service service = {
        .name = "s3",
        .label = "S3",
        .path_as_is = true,
        .send_payload_hash = true,
        .read_error = aws_read_xml_error,
    };
    struct s3_client *c = calloc(1, sizeof *c);

    if (c == NULL) {
        return err_nomem(e);
    }
    c->endpoint = str_dup(endpoint);
    c->region = str_dup(region);
    c->anonymous = anonymous;
    enum err_code rc = c->endpoint == NULL || c->region == NULL ? err_nomem(e) : ERR_OK;

    if (rc == ERR_OK) {
        rc = aws_client_new(
            &(struct aws_client_options){
                .service = &service,
                .endpoint = endpoint,
                .region = region,
                .anonymous = anonymous,
                .credentials = s->options.credentials,
                .http = s->options.http,
                .clock = s->options.clock,
                .log = s->options.log,
                .deadline_us = s->options.deadline_us,
                .attempt_us = s->options.attempt_us,
            },
            &c->aws, e);
    }
    if (rc != ERR_OK) {
        client_free(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

/* Under the mutex. */
static enum err_code find_client(struct s3_store *s, const char *endpoint, const char *region,
                                 bool anonymous, struct aws_client **out, struct err *e)
{
    struct s3_client *c = s->clients;
    uint32_t count = 0;

    while (c != NULL && (c->anonymous != anonymous || strcmp(c->endpoint, endpoint) != 0 ||
                         strcmp(c->region, region) != 0)) {
        c = c->next;
        count++;
    }
    if (c == NULL) {
        if (count == CLIENTS_MAX) {
            return err_set(e, ERR_LIMIT, "the catalog named more than %u endpoints and regions",
                           CLIENTS_MAX);
        }
        ERR_TRY(client_new(s, endpoint, region, anonymous, &c, e));
        c->next = s->clients;
        s->clients = c;
    }
    *out = c->aws;
    return ERR_OK;
}

/* The client, and what it signs for. */
static enum err_code choose_client(struct s3_store *s, const char *location, struct s3_route *r,
                                   struct err *e)
{
    const struct s3_access *a = &r->access;
    bool own_keys = a->credentials.access_key_id == NULL;
    char *endpoint = a->endpoint == NULL ? NULL : s3_endpoint_copy(a->endpoint);

    if (own_keys && !s->options.anonymous && s->options.credentials == NULL) {
        free(endpoint);
        return err_set(e, ERR_CONFIG, "the catalog lends no keys for %s, and no others are set up",
                       location);
    }
    if (a->endpoint != NULL && endpoint == NULL) {
        return err_nomem(e);
    }
    (void)pthread_mutex_lock(&s->mutex);
    /* An endpoint of one's own is in the region that comes with it; the store's knows its own, and
     * where another region is asked. */
    enum err_code rc =
        find_client(s, endpoint == NULL ? s->options.endpoint : endpoint,
                    endpoint == NULL || a->region == NULL ? s->options.region : a->region,
                    own_keys && s->options.anonymous, &r->client, e);

    (void)pthread_mutex_unlock(&s->mutex);
    free(endpoint);
    return rc;
}

static enum err_code address(const struct s3_store *s, struct span bucket, struct span key,
                             struct s3_route *r, struct err *e)
{
    const char *endpoint = r->access.endpoint == NULL ? s->options.endpoint : r->access.endpoint;
    enum s3_addressing addressing =
        r->access.path_style ? S3_ADDRESSING_PATH : s->options.addressing;
    struct buf path = {0};

    if (s3_by_path(addressing, endpoint, bucket)) {
        buf_u8(&path, '/');
        buf_append_span(&path, bucket);
    } else {
        r->host_prefix = str_ndup(bucket.data, bucket.len);
        if (r->host_prefix == NULL) {
            return err_nomem(e);
        }
    }
    if (key.len > 0 || r->host_prefix != NULL) {
        buf_u8(&path, '/');
        uri_encode(&path, key, true);
    }
    r->path = buf_take_text(&path);
    return r->path == NULL ? err_nomem(e) : ERR_OK;
}

enum err_code s3_route_find(struct s3_store *s, const char *location, bool of_bucket, bool renew,
                            struct s3_route *out, struct err *e)
{
    const struct s3_access_source *lent = &s->options.lent;
    struct span bucket;
    struct span key;

    *out = (struct s3_route){0};
    ERR_TRY(of_bucket ? s3_location_split(location, &bucket, &key, e)
                      : s3_location_of_object(location, &bucket, &key, e));
    enum err_code rc = ERR_OK;

    if (lent->find != NULL) {
        rc = lent->find(lent->ctx, location, renew, &out->lent, &out->access, e);
        if (rc != ERR_OK) {
            err_wrap(e, "the keys that the catalog lends for %s", location);
        }
    }
    if (rc == ERR_OK && !out->lent) {
        /* What was not found is not ours to use. */
        s3_access_deinit(&out->access);
    }
    if (rc == ERR_OK) {
        rc = choose_client(s, location, out, e);
    }
    if (rc == ERR_OK) {
        rc = address(s, bucket, of_bucket ? span_of(key.data, 0) : key, out, e);
    }
    if (rc != ERR_OK) {
        s3_route_deinit(out);
    }
    return rc;
}
