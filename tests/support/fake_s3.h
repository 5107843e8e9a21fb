/*
 * fake_s3.h - S3 in memory, over fake_http.h: what is there, what was asked, and which request
 * fails how.
 *
 *   struct fake_s3 *s = fake_s3_new();
 *   fake_s3_fail(s, &(struct fake_s3_fault){.method = "PUT", .status = 503, .code = "SlowDown"});
 *   ... the store under test, with fake_s3_url(s) as its endpoint
 *   assert_true(fake_s3_has(s, "lake/t/x.parquet"));
 *   fake_s3_free(s);
 *
 * It has the buckets "lake" and "other", which are asked by path or, at http://localhost:PORT, by
 * host name. It knows objects with their metadata and ranges, conditional writes, uploads in parts,
 * lists in pages, and removals in batches. Like S3 it refuses a payload without its checksum or
 * with a wrong one, parts below 5 MiB but for the last, and a name that is taken when that is asked
 * for. Signatures are not checked.
 *
 * Thread: any.
 */
#ifndef CALVE_FAKE_S3_H
#define CALVE_FAKE_S3_H

#include "fake_http.h"

struct fake_s3;

struct fake_s3 *fake_s3_new(void);
void fake_s3_free(struct fake_s3 *s);
const char *fake_s3_url(const struct fake_s3 *s);       /* by 127.0.0.1 */
const char *fake_s3_localhost(const struct fake_s3 *s); /* by name */

/* How it differs from S3. Set it before requests come. */
struct fake_s3_rules {
    size_t part_bytes_min;  /* of all parts but the last; 0: 5 MiB */
    unsigned page_max;      /* entries of a list; 0: 1000 */
    int conditional_status; /* of the answer to If-None-Match; 0: it is understood */
    const char *conditional_code;
    bool no_batches;            /* DeleteObjects is not implemented */
    bool no_ranges;             /* Range is ignored */
    bool raw_keys;              /* encoding-type is ignored */
    bool forgets_page;          /* each page of a list is the first one */
    const char *batch_fails;    /* DeleteObjects leaves keys that contain this; NULL: none */
    const char *refused_key_id; /* requests signed with this key are ExpiredToken; NULL: none */
};

void fake_s3_set_rules(struct fake_s3 *s, const struct fake_s3_rules *rules);

struct fake_s3_fault {
    const char *method; /* NULL: any */
    const char *part;   /* only targets that contain this; NULL: all. Must outlive the fault */
    unsigned nth;       /* 1 (and 0): the next request that fits */
    unsigned times;     /* how many in a row; 0 means 1 */
    bool done;          /* it has its effect all the same */
    enum fake_http_fault fault;
    int status;       /* 0: the answer stays as it is */
    const char *code; /* of an <Error>; NULL: the body stays as it is, or is empty without effect */
    const char *body; /* instead of the body; NULL: as above */
    const char *headers; /* added: "Name: value\r\n"; NULL: none */
};

/* Adds to what is planned; the first that fits strikes. */
void fake_s3_fail(struct fake_s3 *s, const struct fake_s3_fault *fault);

/* Planned failures that have not all happened yet. */
unsigned fake_s3_planned(struct fake_s3 *s);

/* Forgets what is planned. */
void fake_s3_drop_faults(struct fake_s3 *s);

/* Objects by "bucket/key". */
void fake_s3_put(struct fake_s3 *s, const char *name, struct span bytes);
void fake_s3_remove(struct fake_s3 *s, const char *name);
void fake_s3_set_time(struct fake_s3 *s, const char *name, const char *modified);
bool fake_s3_has(struct fake_s3 *s, const char *name);
size_t fake_s3_count(struct fake_s3 *s);

/* Bytes of an object; data NULL when it is not there. Valid until it is replaced. */
struct span fake_s3_peek(struct fake_s3 *s, const char *name);

/* A header that the object was written with; NULL when there was none. Valid as the object is. */
const char *fake_s3_header(struct fake_s3 *s, const char *name, const char *header);

/* Uploads that are neither completed nor aborted. */
size_t fake_s3_uploads(struct fake_s3 *s);
void fake_s3_begin_upload(struct fake_s3 *s, const char *name, const char *initiated);

/* Requests so far whose method is this (NULL: any) and whose target contains part (NULL: any). */
unsigned fake_s3_requests(struct fake_s3 *s, const char *method, const char *part);

/* Of the last request: its target, its headers Host and Authorization, and the access key id in
 * that; "" for none. Valid until the next request. */
const char *fake_s3_last_target(struct fake_s3 *s);
const char *fake_s3_last_host(struct fake_s3 *s);
const char *fake_s3_last_authorization(struct fake_s3 *s);
const char *fake_s3_last_key_id(struct fake_s3 *s);

#endif
