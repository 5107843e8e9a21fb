/*
 * aws_int.h - the parts of aws_client.h.
 *
 * Thread: any.
 */
#ifndef CALVE_AWS_AWS_INT_H
#define CALVE_AWS_AWS_INT_H

#include "aws/aws_client.h"

#define AWS_REGION_BYTES 48u

/* ---- what an error response means (aws_class.c) ---- */

enum aws_class {
    AWS_CLASS_OTHER,     /* the caller's */
    AWS_CLASS_TRANSIENT, /* may go well the next time */
    AWS_CLASS_THROTTLED, /* so may this, but later */
    AWS_CLASS_EXPIRED,   /* the keys' time is over */
    AWS_CLASS_SKEWED,    /* the signature's time is too far from the service's */
    AWS_CLASS_REGION,    /* signed for, or sent to, another region than the right one */
    AWS_CLASS_KEYS,      /* the keys are not known, or the signature is not theirs */
    AWS_CLASS_DENIED,    /* the keys are known and may not */
};

struct aws_verdict {
    enum aws_class class;
    bool no_effect; /* the service did certainly nothing */
};

struct aws_verdict aws_classify(const struct aws_error *error);

/* The code of aws_call() for a response of that class. */
enum err_code aws_error_code(const struct aws_error *error, enum aws_class class);

/* ---- headers of a response (aws_class.c) ---- */

/* "Sun, 06 Nov 1994 08:49:37 GMT" to seconds since the epoch; false for anything else. */
bool aws_http_date(const char *text, int64_t *out_s);

/* The wait that Retry-After asks for; 0 without one. wall_s: now. At most a day. */
int64_t aws_retry_after_us(const struct http_response *response, int64_t wall_s);

/* ---- endpoints (aws_endpoint.c) ---- */

/* Whether a text can be a region in a host name and in a signature's scope. */
bool aws_region_is_valid(const char *region);

/* Where requests go: an endpoint in its parts. Texts are malloc'd. */
struct aws_place {
    char *scheme;
    char *host;    /* in lower case, with the brackets of an IPv6 address */
    char *path;    /* "" or "/path", no trailing '/' */
    char *text;    /* the whole, for messages */
    uint32_t port; /* 0: the scheme's */
    bool tls;
};

/* Errors: ERR_CONFIG. */
MUST_USE enum err_code aws_place_init(struct aws_place *p, const char *endpoint, struct err *e);
void aws_place_deinit(struct aws_place *p); /* zeroed is fine */

/*
 * The host of a region when p's is `home`'s: "s3.eu-west-1.amazonaws.com" of us-east-1's. Hosts
 * that are not AWS's own, or are of one region only (VPC endpoints), stay. malloc'd; NULL without
 * memory.
 */
char *aws_place_host(const struct aws_place *p, const char *home, const char *region);

/* ---- one try (aws_try.c) ---- */

struct aws_try {
    const struct aws_request *request;
    const struct aws_service *service;
    const struct aws_place *place;
    const char *home;               /* the region of place */
    const char *region;             /* to sign for and to ask */
    const struct credentials *keys; /* NULL: signs nothing */
    const char *payload_hash;
    int64_t time_s; /* of the service's clock */
    int64_t timeout_us;
    struct http_client *http;
};

/* As http_send(); *out is initialised here. */
MUST_USE enum err_code aws_try_send(const struct aws_try *t, struct http_response *out,
                                    struct err *e);

/* ---- messages (aws_message.c) ---- */

/* All that is known about a call that failed. */
struct aws_failure {
    const struct aws_service *service;
    const char *what;
    const char *endpoint;
    const char *region;   /* signed for */
    const char *provider; /* of the keys; "" when none were used */
    const struct aws_error *error;
    enum aws_class class;
    uint32_t tries;
    int64_t took_us;
    int64_t clock_ahead_s; /* how far this machine's clock is ahead of the service's */
    const char *renewal;   /* why the provider has no other keys; "" when it was not asked */
};

/* For a response that is an error. Sets e and returns its code. */
enum err_code aws_fail_answered(const struct aws_failure *f, struct err *e);

/* There were no keys to sign with: e says why, and gets in front which settings count. */
void aws_fail_keyless(const struct aws_service *service, struct err *e);

/* For a try without a whole response: e says why, and gets the rest in front and behind. */
enum err_code aws_fail_unanswered(const struct aws_failure *f, bool sent, struct err *e);

#endif
