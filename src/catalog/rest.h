/*
 * rest.h - Iceberg REST catalogs.
 *
 * Commits are sent as requirements and updates, and the server writes the metadata file. Keys that
 * the server lends for a table's files ("vended credentials") are handed out through
 * catalog_rest_access().
 *
 * Spec: apache/iceberg open-api/rest-catalog-open-api.yaml.
 */
#ifndef CALVE_CATALOG_REST_H
#define CALVE_CATALOG_REST_H

#include "aws/aws_client.h"
#include "catalog/catalog.h"
#include "storage/s3.h"

/* "header.X-Tenant" and the like: what the user's catalog properties say beyond the fields below;
 * also what the server's defaults and overrides are merged with. */
struct catalog_rest_options {
    const char *uri;
    const char *warehouse;  /* NULL or "": none */
    const char *prefix;     /* NULL or "": the server's */
    const char *token;      /* bearer; NULL or "": none */
    const char *credential; /* "id:secret" or "secret" for client credentials; NULL or "": none */
    const char *oauth2_server_uri; /* NULL or "": the catalog's own /v1/oauth/tokens */
    const char *scope;             /* NULL or "": "catalog" */
    const char *audience;
    const char *resource;
    const char *basic_user; /* HTTP basic; NULL or "": none */
    const char *basic_password;
    const struct http_header *headers; /* on every request */
    uint32_t header_count;
    bool sigv4;                 /* signs; then signing_name and signing_region count */
    const char *signing_name;   /* NULL or "": "execute-api" */
    const char *signing_region; /* NULL or "": the credentials' */
    bool vended;                /* asks for X-Iceberg-Access-Delegation: vended-credentials */
    struct credentials_source *credentials; /* for sigv4; outlives it */
    struct http_client *http;               /* outlives it */
    struct store *store; /* for manifests; may be set later by catalog_rest_set_store() */
    struct clock clock;
    struct log *log;
    int64_t deadline_us; /* over all tries of a request; 0: 2 minutes */
};

/* Asks the server for its configuration. */
MUST_USE enum err_code catalog_rest_open(const struct catalog_rest_options *options,
                                         struct catalog **out, struct err *e);

/* As store.h's users need it; the source lives as long as the catalog. Thread: any. */
struct s3_access_source catalog_rest_access(struct catalog *c);

/* The store is made after the catalog, as it asks the catalog for keys. */
void catalog_rest_set_store(struct catalog *c, struct store *store);

#endif
