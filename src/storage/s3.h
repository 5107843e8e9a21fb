/*
 * s3.h - objects in Amazon S3 and stores that speak like it: s3://bucket/key, s3a:// and s3n://
 * read alike.
 *
 * put and finish never replace an object (If-None-Match: *). After a try without an answer an
 * object that is "there already" is compared with ours (x-amz-meta-calve-id). Large objects are
 * uploaded in parts by the store's own threads; what a file holds in memory is bounded by
 * part_bytes, all files together by buffers_max.
 *
 * sweep aborts multipart uploads that calve began (their key lies below the prefix) and that are
 * older than a day.
 *
 * Spec: Amazon S3 API Reference, REST.
 */
#ifndef CALVE_STORAGE_S3_H
#define CALVE_STORAGE_S3_H

#include "aws/aws_client.h"
#include "storage/store.h"

enum s3_addressing {
    S3_ADDRESSING_AUTO,    /* by host name on AWS, by path at an endpoint of one's own, for buckets
                              with dots, for localhost and for addresses */
    S3_ADDRESSING_PATH,    /* https://endpoint/bucket/key */
    S3_ADDRESSING_VIRTUAL, /* https://bucket.endpoint/key */
};

/* Where the objects below a prefix are and with which keys they are reached. */
struct s3_access {
    struct credentials credentials;
    char *region;   /* NULL: the store's; malloc'd, as endpoint */
    char *endpoint; /* NULL: the store's */
    bool path_style;
};

void s3_access_deinit(struct s3_access *a);

/* Keys that a catalog lends for some prefixes ("vended credentials"). Thread: any. */
struct s3_access_source {
    /* *found is false: the store's own keys hold. renew: those given last were refused. */
    enum err_code (*find)(void *ctx, const char *location, bool renew, bool *found,
                          struct s3_access *out, struct err *e);
    void *ctx;
};

struct s3_options {
    const char *endpoint; /* NULL or "": aws_endpoint("s3", region) */
    const char *region;   /* NULL or "": "us-east-1" until the bucket says otherwise */
    enum s3_addressing addressing;
    bool anonymous;
    struct credentials_source *credentials; /* outlives it; NULL only when anonymous or lent */
    struct s3_access_source lent;           /* find may be NULL */
    struct http_client *http;               /* outlives it */
    const char *const *environment;         /* for the endpoint */
    struct clock clock;
    struct log *log;
    const char *sse;            /* x-amz-server-side-encryption: NULL or "": the bucket's rule */
    const char *sse_kms_key_id; /* NULL or "" */
    size_t part_bytes;          /* 0: 8 MiB; at least 5 MiB. It grows for very large objects, so
                                   that 10,000 parts are enough */
    uint32_t upload_threads;    /* 0: 4 */
    size_t buffers_max;         /* bytes of parts waiting or on their way; 0: 64 MiB */
    int64_t deadline_us;        /* over all tries of a request; 0: 2 minutes */
    int64_t attempt_us;         /* 0: 60 s */
};

MUST_USE enum err_code store_s3_new(const struct s3_options *options, struct store **out,
                                    struct err *e);

/* Bucket and key of a location. Spans point into it. Errors: ERR_CONFIG. */
MUST_USE enum err_code s3_location_split(const char *location, struct span *bucket,
                                         struct span *key, struct err *e);

#endif
