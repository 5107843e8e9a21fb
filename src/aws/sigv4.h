/*
 * sigv4.h - AWS Signature Version 4: the headers that sign a request.
 *
 * Pure functions: time, keys and the request come in, headers come out.
 *
 * Spec: AWS General Reference, "Create a signed AWS API request".
 * Thread: any.
 */
#ifndef CALVE_AWS_SIGV4_H
#define CALVE_AWS_SIGV4_H

#include "base/buf.h"
#include "net/http_client.h"

#define SIGV4_HASH_TEXT_BYTES  65u /* 64 hex digits and a NUL */
#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

struct sigv4_request {
    const char *method;
    const char *host;  /* as the Host header has it: with its port unless that is the scheme's */
    const char *path;  /* as on the wire: encoded once, with its first '/' */
    const char *query; /* as on the wire without '?', in any order; "" for none */
    /* All are signed but those that proxies may change: Connection, User-Agent and their like. */
    const struct http_header *headers;
    uint32_t header_count;
    const char *payload_hash; /* sigv4_hash() or SIGV4_UNSIGNED_PAYLOAD */
};

struct sigv4_key {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token; /* NULL or "": none */
    const char *region;
    const char *service;
    int64_t time_s; /* since the epoch: the time of signing */
    /* S3 signs the path as it is on the wire. All other services resolve "." and ".." and encode it
     * once more. */
    bool path_as_is;
    bool send_payload_hash; /* adds x-amz-content-sha256; S3 asks for it */
};

/* Headers to add to the request, each "" when it is not to be sent. Owned. */
struct sigv4_headers {
    char date[17];                            /* x-amz-date */
    char payload_hash[SIGV4_HASH_TEXT_BYTES]; /* x-amz-content-sha256 */
    const char *session_token;                /* x-amz-security-token; the key's */
    struct buf authorization;                 /* ends with a NUL that counts */
};

/*
 * *out is initialised here.
 *
 * Errors: ERR_NOMEM; ERR_CONFIG a path that is not absolute, a key or token with blanks in it.
 */
MUST_USE enum err_code sigv4_sign(const struct sigv4_request *request, const struct sigv4_key *key,
                                  struct sigv4_headers *out, struct err *e);
void sigv4_headers_deinit(struct sigv4_headers *h);

/* The texts that are hashed on the way, for tests and for explaining a mismatch. */
MUST_USE enum err_code sigv4_canonical_request(const struct sigv4_request *request,
                                               const struct sigv4_key *key, struct buf *out,
                                               struct err *e);

/* SHA-256 in lower-case hex; "" without memory, which sigv4_sign() then reports. */
void sigv4_hash(struct span bytes, char out[SIGV4_HASH_TEXT_BYTES]);

#endif
