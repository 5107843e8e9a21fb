/*
 * rest.h - Iceberg REST catalogs.
 *
 * Commits are sent as requirements and updates, and the server writes the metadata file
 * (docs/decisions/0013-rest-commits.md). Keys that the server lends for a table's files ("vended
 * credentials") are handed out through catalog_rest_access().
 *
 * The server's configuration counts as the specification has it: its defaults, then what the
 * options say, then its overrides. So it may place tables, name another address or prefix, give a
 * token and add headers.
 *
 * Left to the user's own keys are files that the server would have signed remotely. Tokens are not
 * exchanged, and a token that comes with a single table is not used.
 *
 * Spec: apache/iceberg open-api/rest-catalog-open-api.yaml.
 */
#ifndef CALVE_CATALOG_REST_H
#define CALVE_CATALOG_REST_H

#include "aws/aws_client.h"
#include "catalog/catalog.h"
#include "storage/s3.h"

struct catalog_rest_options {
    const char *uri;        /* http or https, without a user */
    const char *warehouse;  /* NULL or "": none */
    const char *prefix;     /* NULL or "": the server's */
    const char *token;      /* bearer; NULL or "": none. Before credential, which gets others when
                               it is refused */
    const char *credential; /* "id:secret" or "secret" for client credentials; NULL or "": none */
    const char *oauth2_server_uri; /* NULL or "": the catalog's own /v1/oauth/tokens */
    const char *scope;             /* NULL or "": "catalog" */
    const char *audience;
    const char *resource;
    const char *basic_user; /* HTTP basic, without token and credential; NULL or "": none */
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
    int64_t attempt_us;  /* longest time of one try; 0: 60 s */
};

/*
 * Asks the server for its configuration. Copies all texts.
 *
 * Errors: ERR_CONFIG a setting that is missing or wrong, who may not, an address where no catalog
 *         answers; ERR_CORRUPT what is no configuration; ERR_IO, ERR_TIMEOUT (retryable where it
 *         may pass; a server that never was reached is given up after 5 s)
 */
MUST_USE enum err_code catalog_rest_open(const struct catalog_rest_options *options,
                                         struct catalog **out, struct err *e);

/* For struct s3_options. The source lives as long as the catalog, which then has to outlive the
 * store. Thread: any. */
struct s3_access_source catalog_rest_access(struct catalog *c);

/* The store is made after the catalog, as it asks the catalog for keys. */
void catalog_rest_set_store(struct catalog *c, struct store *store);

#endif
