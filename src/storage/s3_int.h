/*
 * s3_int.h - the S3 store, inside the storage folder.
 *
 *   s3.c            options and table of operations
 *   s3_location.c   bucket, key, and how a bucket is addressed
 *   s3_access.c     which keys, endpoint and client a location has
 *   s3_request.c    one request
 *   s3_error.c      what S3 said, with what to do about it
 *   s3_put.c        writes that never replace
 *   s3_file.c       create, write, finish
 *   s3_upload.c     the parts of a large object, and the threads that send them
 *   s3_read.c       get, open, read_at
 *   s3_list.c       list, sweep
 *   s3_remove.c     one object, many objects
 *   s3_page.c       the XML of lists
 */
#ifndef CALVE_STORAGE_S3_INT_H
#define CALVE_STORAGE_S3_INT_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/queue.h"
#include "storage/s3.h"

#define S3_ID_TEXT_BYTES   33u /* 32 hex digits and a NUL */
#define S3_ID_HEADER       "x-amz-meta-calve-id"
#define S3_REMOVE_MANY_MAX 1000u
#define S3_PART_COUNT_MAX  10000u
#define S3_PART_BYTES_MIN  ((size_t)5 << 20)
#define S3_PART_BYTES_MAX  ((size_t)5 << 30)

/* Asks one endpoint; kept until the store is freed. */
struct s3_client {
    struct s3_client *next;
    struct aws_client *aws;
    char *endpoint;
    char *region;
    bool anonymous;
};

struct s3_part;

/* Threads that send parts. */
struct s3_uploader {
    struct queue *parts;
    size_t buffers_max;
    uint32_t thread_count; /* how many there are to be */
    pthread_cond_t changed;
    pthread_mutex_t mutex; /* guards all below, and those fields of files that say so */
    pthread_t *threads;
    uint32_t started;
    size_t bytes; /* of parts that wait or are on their way */
};

/* What the server makes of If-None-Match. */
enum s3_condition { S3_CONDITION_UNKNOWN, S3_CONDITION_KNOWN, S3_CONDITION_REFUSED };

struct s3_store {
    struct store base;
    struct s3_options options; /* with texts of its own */
    _Atomic enum s3_condition condition;
    struct s3_uploader uploader;
    pthread_mutex_t mutex; /* guards all below */
    struct rand rand;
    struct s3_client *clients;
};

/* ---- s3_location.c ---- */

/* A location with a key. Errors: ERR_CONFIG. */
MUST_USE enum err_code s3_location_of_object(const char *location, struct span *bucket,
                                             struct span *key, struct err *e);

/* Whether the bucket is part of the path rather than of the host's name. */
bool s3_by_path(enum s3_addressing addressing, const char *endpoint, struct span bucket);

/* "https://host", without '/' at the end. NULL without memory. */
char *s3_endpoint_copy(const char *endpoint);

/* ---- s3_access.c ---- */

/* Where and with which keys a location is reached. Zeroed is empty. */
struct s3_route {
    struct s3_access access; /* lent only */
    bool lent;
    struct aws_client *client; /* the store's */
    char *host_prefix;         /* NULL: the bucket is in the path */
    char *path;                /* encoded */
};

/* renew: the keys lent last were refused. *out is initialised here, also on failure. */
MUST_USE enum err_code s3_route_find(struct s3_store *s, const char *location, bool of_bucket,
                                     bool renew, struct s3_route *out, struct err *e);
void s3_route_deinit(struct s3_route *r);

void s3_access_free_all(struct s3_store *s);

/* ---- s3_request.c ---- */

struct s3_request {
    const char *operation; /* "PutObject", for messages */
    const char *action;    /* what policies call it: "s3:PutObject" */
    const char *method;
    const char *location;
    bool of_bucket;    /* asks the bucket, not the key */
    const char *query; /* encoded; NULL: none */
    const struct http_header *headers;
    uint32_t header_count;
    struct span body;
    bool has_body;
    bool needs_checksum; /* the operation asks for one that is not the signature */
    size_t response_bytes_max;
    int64_t deadline_us; /* 0: the store's */
};

#define S3_HEADERS_MAX 8u

/* *out is initialised here. Every request is one that may be sent twice. Errors: s3_explain(). */
MUST_USE enum err_code s3_send(struct s3_store *s, const struct s3_request *r,
                               struct aws_answer *out, struct err *e);

struct s3_checksum {
    struct http_header header;
    char text[32];
};

/*
 * A checksum of the bytes as a header of requests: true for Content-MD5. OpenSSL in FIPS mode has
 * no MD5: then it is a CRC-32, which parts of an upload cannot have, and the payload is signed.
 */
bool s3_checksum_of(struct span bytes, struct s3_checksum *out);

/* A new random id. */
void s3_new_id(struct s3_store *s, char out[S3_ID_TEXT_BYTES]);

/* Adds the headers of a new object to those given: its id and its encryption. */
uint32_t s3_object_headers(const struct s3_store *s, const char *id, struct http_header *headers,
                           uint32_t count);

/* ---- s3_error.c ---- */

/* Whether keys were refused that a renewal may mend. */
bool s3_keys_refused(const struct aws_error *error);

/* Puts what to do about it behind the message of a failed aws_call(), and chooses the code. */
enum err_code s3_explain(const struct s3_store *s, const struct s3_request *r,
                         const struct aws_answer *a, struct err *e);

/* ---- s3_put.c ---- */

/* A write that makes one object and must not replace one. */
struct s3_write {
    const char *location;
    const char *id; /* which the object has if it is ours */
    /* Sends it once. */
    enum err_code (*send)(struct s3_store *s, const struct s3_write *w, bool conditional,
                          struct aws_answer *out, struct err *e);
    const void *ctx;
};

/* Errors: ERR_EXISTS; those of s3_send(). */
MUST_USE enum err_code s3_write_new(struct s3_store *s, const struct s3_write *w, struct err *e);

/* A whole object, which gets this id. */
MUST_USE enum err_code s3_put_as(struct s3_store *s, const char *location, const char *id,
                                 struct span bytes, struct err *e);
MUST_USE enum err_code s3_put(struct store *base, const char *location, struct span bytes,
                              struct err *e);

MUST_USE enum err_code s3_put_many(struct store *base, const struct store_object *objects,
                                   uint32_t count, struct err *e);

/* ---- s3_file.c ---- */

struct s3_file {
    struct store_file base;
    char *location;
    char id[S3_ID_TEXT_BYTES];
    struct buf buffer; /* the next part, or the whole object */
    size_t part_bytes; /* how large the next part is to be */
    char *upload_id;   /* uploader's mutex while parts are on their way; NULL: none has begun */
    uint32_t part_count;
    struct s3_part *first; /* all parts that were handed to the uploader, in order */
    struct s3_part *last;
    uint32_t pending;  /* uploader's mutex: parts that are not through yet */
    struct err failed; /* uploader's mutex: the first failure */
};

MUST_USE enum err_code s3_create(struct store *base, const char *location, struct store_file **out,
                                 struct err *e);
MUST_USE enum err_code s3_file_write(struct store_file *base, struct span bytes, struct err *e);
MUST_USE enum err_code s3_finish(struct store_file *base, struct err *e);
void s3_abandon(struct store_file *base);
uint64_t s3_held_bytes(const struct store_file *base);

/* ---- s3_upload.c ---- */

/* A part; it belongs to its file, and to the uploader until it is through. */
struct s3_part {
    struct queue_link link;
    struct s3_part *next;
    struct s3_file *file;
    uint32_t number; /* from 1 */
    struct buf bytes;
    char *etag; /* uploader's mutex */
};

/* How many bytes part `number` has, so that S3_PART_COUNT_MAX parts make the largest object. */
size_t s3_part_bytes(size_t part_bytes, uint32_t number);

MUST_USE enum err_code s3_uploader_init(struct s3_uploader *u, const struct s3_options *options,
                                        struct err *e);
void s3_uploader_deinit(struct s3_uploader *u); /* zeroed is fine */

/* Makes a part of what the file's buffer holds and hands it over; waits while too many bytes are on
 * their way. */
MUST_USE enum err_code s3_upload_push(struct s3_file *f, struct err *e);

/* The first failure of a part so far. */
MUST_USE enum err_code s3_upload_check(struct s3_file *f, struct err *e);

/* Waits until no part is on its way. stop: those that wait are not sent any more. */
void s3_upload_wait(struct s3_file *f, bool stop);

/* Makes the object of its parts, of which none is on its way. */
MUST_USE enum err_code s3_upload_complete(struct s3_file *f, struct err *e);

/* Forgets the parts that the server has. An upload that is not there any more is ERR_OK. */
MUST_USE enum err_code s3_upload_abort(struct s3_store *s, const char *location,
                                       const char *upload_id, struct err *e);

/* ---- s3_read.c ---- */

MUST_USE enum err_code s3_get(struct store *base, const char *location, struct buf *out,
                              struct err *e);
MUST_USE enum err_code s3_open(struct store *base, const char *location, struct store_reader **out,
                               struct byte_source *source, struct err *e);
void s3_close(struct store_reader *base);

/* ---- s3_list.c ---- */

MUST_USE enum err_code s3_list(struct store *base, const char *prefix, store_list_fn *each,
                               void *ctx, struct err *e);
MUST_USE enum err_code s3_sweep(struct store *base, const char *prefix, uint32_t *removed,
                                struct err *e);

/* ---- s3_remove.c ---- */

MUST_USE enum err_code s3_remove(struct store *base, const char *location, struct err *e);
MUST_USE enum err_code s3_remove_many(struct store *base, const char *const *locations,
                                      uint32_t count, bool *removed, struct err *e);

/* ---- s3_page.c ---- */

enum s3_page_kind {
    S3_PAGE_OBJECTS, /* ListBucketResult */
    S3_PAGE_UPLOADS, /* ListMultipartUploadsResult */
    S3_PAGE_REMOVED, /* DeleteResult: only what failed */
};

struct s3_page_item {
    char *key;
    uint64_t size_bytes; /* OBJECTS */
    int64_t time_us;     /* OBJECTS: last modified; UPLOADS: initiated */
    char *upload_id;     /* UPLOADS */
    bool has_size;       /* inside s3_page.c */
    bool has_time;       /* inside s3_page.c */
};

struct s3_page {
    struct arena arena; /* holds all below */
    struct s3_page_item *items;
    uint32_t count;
    uint32_t capacity;
    bool truncated;
    char *next;        /* where the next page begins; NULL: not told */
    char *next_upload; /* UPLOADS */
};

/* *out is initialised here. Errors: ERR_CORRUPT another document, or what an entry must have is
 * missing or wrong; ERR_NOMEM. */
MUST_USE enum err_code s3_page_parse(struct span document, enum s3_page_kind kind,
                                     struct s3_page *out, struct err *e);
void s3_page_deinit(struct s3_page *p); /* zeroed is fine */

/* The only text that an answer's document has at `path`, malloc'd; NULL when it has none. */
MUST_USE enum err_code s3_answer_text(struct span document, const char *path, char **out,
                                      struct err *e);

#endif
