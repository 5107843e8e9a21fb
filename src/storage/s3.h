/*
 * s3.h - objects in Amazon S3 and stores that speak like it: s3://bucket/key, s3a:// and s3n://
 * read alike.
 *
 * put and finish never replace an object (If-None-Match: *). After a try without an answer an
 * object that is "there already" is compared with ours (x-amz-meta-calve-id). A server that does
 * not know the header is asked first whether the object is there; that is noted in the log, once.
 *
 * An unfinished file keeps at most the bytes of one part in memory, little at first. Large objects
 * are uploaded in parts by the store's own threads, which are started when the first part is full;
 * buffers_max bounds the parts of all files that wait or are on their way. A write waits for them.
 *
 * Bytes are checked on their way: Content-MD5 with each object and part; over plain http, and where
 * OpenSSL may not use MD5, the payload is signed (SHA-256). What comes back must have the length
 * and the range that was asked for, of the version (ETag) that was seen first. Nothing is concluded
 * from an ETag's value: it is no MD5 with SSE-KMS or for an upload in parts.
 *
 * list gives the location in the scheme of the prefix. An empty object whose key ends in '/' is
 * what consoles make of a folder, and is left out.
 *
 * sweep aborts multipart uploads whose key lies below the prefix, ends in .parquet, .avro or
 * .metadata.json, and that are older than a day. The list of uploads does not show who began one,
 * so this is the rule that hurts nobody: below a table's location such names are written by
 * writers of the table, and none of them takes a day for a file.
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
    struct s3_access_source lent;           /* find may be NULL; ctx outlives it */
    struct http_client *http;               /* outlives it */
    const char *const *environment;         /* for the endpoint; may be NULL */
    struct clock clock;
    struct log *log;
    const char *sse;            /* x-amz-server-side-encryption: NULL or "": the bucket's rule */
    const char *sse_kms_key_id; /* NULL or "" */
    size_t part_bytes;          /* 0: 8 MiB; at least 5 MiB. It grows for very large objects, so
                                   that 10,000 parts are enough */
    uint32_t upload_threads;    /* 0: 4 */
    size_t buffers_max;         /* bytes of parts waiting or on their way; 0: 64 MiB */
    int64_t deadline_us;        /* over all tries of a request; 0: 2 minutes */
    int64_t write_deadline_us;  /* the same of one that writes an object; 0: deadline_us */
    int64_t attempt_us;         /* 0: 60 s */
};

/*
 * Copies all texts; asks nobody yet.
 *
 * Errors: ERR_CONFIG an option that cannot be. The store's functions give ERR_CONFIG for a bucket
 *         that is not there, keys that are wrong and what they may not do (with the action to
 *         allow), besides the codes that store.h names.
 */
MUST_USE enum err_code store_s3_new(const struct s3_options *options, struct store **out,
                                    struct err *e);

/* Bucket and key of a location, which is taken byte by byte: nothing is decoded or resolved. The
 * key is empty for s3://bucket and s3://bucket/. Spans point into the location. Errors: ERR_CONFIG.
 */
MUST_USE enum err_code s3_location_split(const char *location, struct span *bucket,
                                         struct span *key, struct err *e);

#endif
