/*
 * lake_remote.h - what a lake beyond this machine is made of: HTTP, keys, the S3 store and the Glue
 * and REST catalogs.
 *
 * Thread: main.
 */
#ifndef CALVE_APP_LAKE_REMOTE_H
#define CALVE_APP_LAKE_REMOTE_H

#include <stdatomic.h>

#include "app/lake.h"
#include "aws/aws_client.h"

/* Zeroed is closed. */
struct lake_remote {
    _Atomic int64_t stop_us; /* when a stop was first seen, monotonic; 0: never */
    struct http_client *http;
    struct credentials_source *client_keys; /* of client.*; made when somebody needs them */
    struct credentials_source *s3_keys;     /* of s3.*; NULL: client_keys */
    struct credentials_source *glue_keys;   /* of glue.*; NULL: client_keys */
    struct aws_client *glue;
};

MUST_USE enum err_code lake_remote_open(const struct config *c, struct log *log,
                                        struct lake_remote **out, struct err *e);
void lake_remote_close(struct lake_remote *r); /* after the store and the catalog; NULL is fine */

/* lent: keys that a catalog gives for its tables; may be NULL. for_run: a write waits for a store
 * that is away far longer than somebody would who looks. */
MUST_USE enum err_code lake_remote_store(struct lake_remote *r, const struct config *c,
                                         struct log *log, const struct s3_access_source *lent,
                                         bool for_run, struct store **out, struct err *e);
MUST_USE enum err_code lake_remote_glue(struct lake_remote *r, const struct config *c,
                                        struct log *log, struct store *store, struct catalog **out,
                                        struct err *e);
/* The store comes later, by catalog_rest_set_store(). */
MUST_USE enum err_code lake_remote_rest(struct lake_remote *r, const struct config *c,
                                        struct log *log, struct catalog **out, struct err *e);

/* Keys for "s3" or "glue", and the region; malloc'd, NULL when nothing says it. */
struct credentials_source *lake_remote_keys(const struct lake_remote *r, const char *service);
MUST_USE enum err_code lake_remote_region(const struct lake_remote *r, const struct config *c,
                                          const char *service, char **out, struct err *e);
/* Puts in front of an error of such keys whose they are, and which settings count. */
void lake_remote_say_whose(const char *service, struct err *e);

#endif
