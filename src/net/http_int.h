/*
 * http_int.h - one request on its way: shared by http_client.c, which decides when it starts and
 * ends, http_exchange.c, which tells libcurl about it, and http_error.c, which says what went
 * wrong.
 *
 * Thread: the client's, except where a field says otherwise.
 */
#ifndef CALVE_NET_HTTP_INT_H
#define CALVE_NET_HTTP_INT_H

#include <curl/curl.h>
#include <pthread.h>

#include "net/http_client.h"
#include "net/uri.h"

#define HTTP_HEAD_BYTES_MAX ((size_t)256 << 10)

/* On the stack of the caller, who touches nothing of it between handing it over and `done`. */
struct http_exchange {
    struct http_exchange *next;
    const struct http_request *request;
    struct http_response *out;
    struct err *e;
    struct uri uri;
    enum err_code rc;
    pthread_cond_t finished;
    bool done; /* guarded by the client's mutex */

    CURL *easy; /* NULL until it starts */
    struct curl_slist *headers;
    CURLcode setup; /* the first option that failed */
    char curl_says[CURL_ERROR_SIZE];
    int64_t started_us;
    int64_t deadline_us;
    int64_t moved_us; /* when bytes moved last; counts from `sends` 1 on */
    uint64_t moved_bytes;
    uint32_t sends;      /* how often libcurl began to send it */
    bool resend_refused; /* libcurl wanted to send it again */
    bool head_open;      /* in the lines of a response's head */
    bool head_interim;   /* of one that another follows */
    bool head_done;      /* the final response's head is complete */
};

/* Makes x->easy ready for a multi handle. */
MUST_USE enum err_code http_exchange_start(struct http_exchange *x,
                                           const struct http_client_options *options,
                                           CURLSH *share);
/* Out of the multi handle before. */
void http_exchange_release(struct http_exchange *x);

/* Bytes in either direction so far, heads included. */
uint64_t http_exchange_bytes(const struct http_exchange *x);

/* Judges the end that libcurl reports: ERR_OK with a whole response, or what went wrong. */
enum err_code http_exchange_end(struct http_exchange *x, const struct http_client_options *options,
                                CURLcode code);
/* It took too long: stalled, or in all. */
enum err_code http_exchange_late(struct http_exchange *x, const struct http_client_options *options,
                                 bool stalled, int64_t after_us);
enum err_code http_exchange_cancelled(struct http_exchange *x);

#endif
