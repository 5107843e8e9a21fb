/*
 * aws_client.h - signed requests to one AWS service (or one that speaks like it), with the retries
 * that are right for each class of failure.
 *
 *   class                                        what happens
 *   no connection, reset, stall, 5xx             again with backoff and jitter, until the deadline
 *   429, SlowDown, Throttling…, TooManyRequests  again, with longer waits; Retry-After is kept
 *   ExpiredToken and its kin                     new keys, again
 *   RequestTimeTooSkewed and its kin             our offset is taken from the Date header, again
 *   another region is named                      signs for that region from now on, again
 *   anything else                                the caller's error
 *
 * A request that is not repeatable is tried again only after failures that certainly had no effect;
 * otherwise the answer is ERR_UNKNOWN. Where nobody has ever answered, trying ends after 5 s, and
 * from then on after one try.
 *
 * Thread: any; several callers at a time.
 */
#ifndef CALVE_AWS_AWS_CLIENT_H
#define CALVE_AWS_AWS_CLIENT_H

#include "aws/credentials.h"
#include "base/rand.h"

/* What a service said in an error response. Texts are cut to fit. */
struct aws_error {
    int status;    /* 0: no response */
    char code[96]; /* "NoSuchKey", without the prefix up to '#'; "" when there was none */
    char message[512];
    char region[48]; /* "" unless it names another one */
    char request_id[80];
};

/* Its texts outlive the client. */
struct aws_service {
    const char *name;       /* of the signature: "s3", "glue", "sts", "execute-api" */
    const char *label;      /* for messages: "S3", "Glue", "STS", which have their own settings; any
                               other is a REST catalog's */
    bool path_as_is;        /* sigv4.h */
    bool send_payload_hash; /* sigv4.h */
    /* Reads code, message, region and request id of a response with status 300 and above, or of a
     * 200 that is an error after all (true). */
    bool (*read_error)(const struct http_response *response, struct aws_error *out);
};

struct aws_client_options {
    const struct aws_service *service;
    const char *endpoint;                   /* "https://host[:port][/path]", no trailing '/' */
    const char *region;                     /* to sign for */
    bool anonymous;                         /* signs nothing */
    struct credentials_source *credentials; /* outlives it; NULL only when anonymous, or when
                                               requests bring their own */
    struct http_client *http;               /* outlives it */
    struct clock clock;
    struct log *log;     /* may be NULL: retries are logged there */
    int64_t deadline_us; /* longest time over all tries of a request; 0: 2 minutes */
    int64_t attempt_us;  /* longest time of one try; 0: 60 s */
};

struct aws_client;

MUST_USE enum err_code aws_client_new(const struct aws_client_options *options,
                                      struct aws_client **out, struct err *e);
void aws_client_free(struct aws_client *c); /* NULL is fine */

/* Whether each request's payload is signed, also where unsigned_payload is asked for: not over TLS,
 * and not without keys. */
bool aws_client_signs_payloads(const struct aws_client *c);

struct aws_request {
    const char *what; /* for messages: "PUT s3://lake/t/x.parquet", "GetTable shop.orders" */
    const char *method;
    const char *host_prefix; /* NULL or "": none; "bucket" asks bucket.<host of the endpoint> */
    const char *path;        /* encoded, with its first '/'; put behind the endpoint's path */
    const char *query;       /* encoded; NULL or "": none */
    const struct http_header *headers;
    uint32_t header_count;
    struct span body;
    bool has_body;
    bool unsigned_payload; /* over TLS only: elsewhere the payload is signed all the same */
    bool repeatable;       /* doing it twice is like doing it once */
    const struct credentials *credentials; /* NULL: the client's source */
    const char *region;                    /* NULL: the client's, as corrected */
    int64_t deadline_us;                   /* 0: the client's */
    size_t response_bytes_max;
};

struct aws_answer {
    struct http_response response; /* of the last try */
    struct aws_error error;        /* filled when the status is 300 or above */
    uint32_t tries;                /* 1: the first one */
    bool maybe_done; /* a try that failed may have had its effect all the same: an error like
                        "exists" can be an earlier one's, and after no answer it may be there */
};

void aws_answer_deinit(struct aws_answer *a); /* zeroed is fine */

/*
 * *out is initialised here. ERR_OK is a response below 300 that read_error does not call an error.
 *
 * Errors: by status and code of the last response, with the service's message, the request id and,
 *         where the cause is known, the setting to look at:
 *         ERR_NOT_FOUND 404; ERR_EXISTS 412; ERR_CONFLICT 409; ERR_CONFIG wrong keys, region,
 *         denied, clock; ERR_IO others (retryable when tries ran out); ERR_TIMEOUT; ERR_CANCELLED;
 *         ERR_LIMIT the answer is too large
 *         ERR_NOT_FOUND, ERR_EXISTS, ERR_CONFLICT also for Glue's EntityNotFoundException,
 *         AlreadyExistsException and ConcurrentModificationException, which come with a 400
 *         ERR_UNKNOWN not repeatable, and it may have been done (also when cancelled on the way)
 */
MUST_USE enum err_code aws_call(struct aws_client *c, const struct aws_request *request,
                                struct aws_answer *out, struct err *e);

/* read_error of services with JSON 1.0 and 1.1 ("__type") and with REST JSON. */
bool aws_read_json_error(const struct http_response *response, struct aws_error *out);
/* read_error of S3 and of query APIs like STS: <Error>, <ErrorResponse><Error>. */
bool aws_read_xml_error(const struct http_response *response, struct aws_error *out);

/* "https://glue.eu-west-1.amazonaws.com" in the region's partition (aws, aws-cn, aws-us-gov), or
 * what AWS_ENDPOINT_URL_<SERVICE>, else AWS_ENDPOINT_URL says. malloc'd; NULL without memory. */
char *aws_endpoint(const char *service, const char *region, const char *const *environment);

#endif
