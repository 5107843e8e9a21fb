#include "net/http_int.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

#define PEER_BYTES   300u
#define MICROS_PER_S 1000000.0

/* ---- who ---- */

/* "host:443" */
static void name_peer(char out[PEER_BYTES], const struct http_exchange *x)
{
    const struct uri *u = &x->uri;
    bool v6 = memchr(u->host.data, ':', u->host.len) != NULL;

    (void)snprintf(out, PEER_BYTES, "%s%.*s%s:%u", v6 ? "[" : "", (int)u->host.len,
                   (const char *)u->host.data, v6 ? "]" : "",
                   u->port != 0 ? u->port : uri_default_port(u->scheme));
}

static bool says(const struct http_exchange *x, const char *part)
{
    return strstr(x->curl_says, part) != NULL;
}

static const char *environment(const char *name, const char **from)
{
    const char *value = getenv(name); /* nobody sets variables while threads run */

    if (value == NULL || value[0] == '\0') {
        return NULL;
    }
    *from = name;
    return value;
}

/* What the settings or the environment say; NULL for none. no_proxy is not looked at. */
static const char *configured_proxy(const struct http_exchange *x,
                                    const struct http_client_options *options, const char **from)
{
    const char *proxy;

    if (x->request->direct) {
        return NULL;
    }
    *from = "http.proxy";
    if (options->proxy != NULL) {
        return options->proxy;
    }
    if (span_ieq_str(x->uri.scheme, "https")) {
        proxy = environment("https_proxy", from);
        proxy = proxy != NULL ? proxy : environment("HTTPS_PROXY", from);
    } else {
        proxy = environment("http_proxy", from);
    }
    proxy = proxy != NULL ? proxy : environment("all_proxy", from);
    return proxy != NULL ? proxy : environment("ALL_PROXY", from);
}

/* A proxy's host and port out of its URL, without user and password. */
static struct span proxy_host(const char *proxy)
{
    const char *scheme_end = strstr(proxy, "://");
    const char *user_end = strrchr(proxy, '@');
    const char *host = user_end != NULL     ? user_end + 1
                       : scheme_end != NULL ? scheme_end + 3
                                            : proxy;

    return span_of(host, strcspn(host, "/?#"));
}

/* The proxy's status to CONNECT; 0 when it gave none or let us through. */
static long refused_by_proxy(const struct http_exchange *x)
{
    long status = 0;

    (void)curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    return status / 100 == 2 ? 0 : status;
}

/* What libcurl wrote is about the proxy and not about the host. */
static bool is_about_proxy(const struct http_exchange *x, CURLcode code, struct span proxy)
{
    static const char tried[] = "Failed to connect to ";

    if (code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_PROXY || refused_by_proxy(x) != 0) {
        return true;
    }
    if (!str_starts_with(x->curl_says, tried)) {
        return says(x, "CONNECT");
    }
    const char *host = x->curl_says + sizeof tried - 1;
    size_t len = strcspn(host, " ");
    struct span name = span_of(proxy.data, proxy.len);

    while (name.len > 0 && name.data[name.len - 1] != ':') {
        name.len--;
    }
    name.len -= name.len > 0 ? 1 : 0; /* the port's ':' */
    return len <= proxy.len && span_eq(span_of(host, len), name.len > 0 ? name : proxy);
}

/* A proxy that has to do with a failure, or may. */
struct involved {
    struct span host; /* empty: none */
    const char *from; /* the setting or variable */
    bool to_blame;
};

static struct involved proxy_of(const struct http_exchange *x,
                                const struct http_client_options *options, CURLcode code)
{
    struct involved p = {0};
    const char *proxy = configured_proxy(x, options, &p.from);

    if (proxy != NULL) {
        p.host = proxy_host(proxy);
        p.to_blame = x->easy != NULL && is_about_proxy(x, code, p.host);
    }
    return p;
}

/* ---- what ---- */

/* What an end without a response means. retryable: another try may go better. */
static const struct reason {
    CURLcode code;
    enum err_code rc;
    bool retryable;
    const char *text;
} reasons[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERR_IO, true,
     "the host's name could not be resolved: is it right, does DNS answer?"},
    {CURLE_COULDNT_RESOLVE_PROXY, ERR_IO, true, "the proxy's name could not be resolved"},
    {CURLE_COULDNT_CONNECT, ERR_IO, true, "could not connect"},
    {CURLE_PROXY, ERR_IO, true, "the proxy did not let us through"},
    {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT, true, "timed out"},
    {CURLE_SSL_CONNECT_ERROR, ERR_IO, true, "the TLS handshake failed"},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_IO, false, "its certificate is not accepted"},
    {CURLE_SSL_ISSUER_ERROR, ERR_IO, false, "its certificate is not accepted"},
    {CURLE_SSL_INVALIDCERTSTATUS, ERR_IO, false, "its certificate is not accepted"},
    {CURLE_SSL_CACERT_BADFILE, ERR_IO, false,
     "the file of http.ca-bundle could not be read as certificates (PEM)"},
    {CURLE_SSL_CERTPROBLEM, ERR_IO, false,
     "the files of http.client-cert and http.client-key could not be used"},
    {CURLE_SSL_CIPHER, ERR_IO, false, "there is no cipher that both sides take"},
    {CURLE_SEND_ERROR, ERR_IO, true, "the connection broke off while the request was sent"},
    {CURLE_RECV_ERROR, ERR_IO, true, "the connection broke off"},
    {CURLE_GOT_NOTHING, ERR_IO, true, "the connection was closed without an answer"},
    {CURLE_PARTIAL_FILE, ERR_IO, true, "the answer was cut off"},
    {CURLE_WEIRD_SERVER_REPLY, ERR_IO, true, "the answer is no HTTP"},
    {CURLE_URL_MALFORMAT, ERR_CONFIG, false, "the URL is not one"},
    {CURLE_OUT_OF_MEMORY, ERR_NOMEM, false, "out of memory"},
    {CURLE_ABORTED_BY_CALLBACK, ERR_IO, true, "the request was not sent again"},
    /* It takes the end of a connection for the end of a head. */
    {CURLE_OK, ERR_IO, true, "the answer was cut off in its head"},
};

static const char *certificate_problem(const struct http_exchange *x)
{
    long result = X509_V_OK;

    (void)curl_easy_getinfo(x->easy, CURLINFO_SSL_VERIFYRESULT, &result);
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "its certificate has expired, or this machine's clock is wrong";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "its certificate is not valid yet, or this machine's clock is wrong";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "its certificate is self-signed: where that is meant, put it into the file of "
               "http.ca-bundle";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "its certificate comes from an authority that is not known here: http.ca-bundle "
               "names a file with the authorities to trust";
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED:
        /* The chain is fine: libcurl compares names itself. */
        return "its certificate is for another host";
    default:
        return "its certificate is not accepted";
    }
}

static struct reason reason_of_tls(const struct http_exchange *x, struct reason r)
{
    /* With TLS 1.3 the server says so after the handshake. */
    if (says(x, "alert certificate required")) {
        r.text = "it wants a certificate of ours: see http.client-cert";
        r.retryable = false;
    } else if (r.code == CURLE_PEER_FAILED_VERIFICATION) {
        r.text = certificate_problem(x);
    } else if (r.code == CURLE_SSL_CONNECT_ERROR && says(x, "wrong version number")) {
        r.text = "it does not speak TLS: is https:// right for this port?";
        r.retryable = false;
    }
    return r;
}

static struct reason reason_of(const struct http_exchange *x, CURLcode code)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].code == code) {
            return reason_of_tls(x, reasons[i]);
        }
    }
    /* HTTP/0.9, that is bytes without a status line. */
    if (code == CURLE_UNSUPPORTED_PROTOCOL && x->sends > 0) {
        return (struct reason){code, ERR_IO, false, "the answer is no HTTP: is it the right port?"};
    }
    return (struct reason){code, ERR_IO, x->sends > 0, "the request failed"};
}

/* What was going on. */
static const char *phase(const struct http_exchange *x)
{
    curl_off_t resolved_us = 0;
    long connected = 0;
    curl_off_t sent = 0;

    if (x->started_us == 0) {
        return "it had not begun";
    }
    if (x->easy == NULL) {
        return "waiting for other requests to the host";
    }
    (void)curl_easy_getinfo(x->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
    (void)curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &connected);
    (void)curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (x->sends == 0) {
        return resolved_us == 0 ? "resolving the host's name"
               : connected == 0 ? "connecting"
                                : "in the handshake of TLS or of the proxy";
    }
    if (x->request->has_body && (uint64_t)sent < x->request->body.len) {
        return "sending the request";
    }
    return x->out->headers.len == 0 ? "waiting for the answer" : "receiving the answer";
}

/* Puts in front whose fault the failure in x->e is, or behind it who else may be. */
static enum err_code blame(struct http_exchange *x, enum err_code rc, bool retryable,
                           struct involved p)
{
    char peer[PEER_BYTES];
    int len = (int)p.host.len;
    const char *host = (const char *)p.host.data;

    if (x->e == NULL) {
        return rc;
    }
    if (p.host.len > 0 && p.to_blame) {
        (void)err_wrap(x->e, "by the proxy %.*s (%s)", len, host, p.from);
    } else if (p.host.len > 0) {
        int os_errno = x->e->os_errno;

        (void)err_set(x->e, rc, "%s; by way of the proxy %.*s (%s) unless no_proxy has the host",
                      x->e->msg, len, host, p.from);
        x->e->os_errno = os_errno;
    }
    name_peer(peer, x);
    (void)err_wrap(x->e, "%s", peer);
    x->e->retryable = retryable;
    return rc;
}

/* libcurl's words in brackets, unless they may show a password or are beside the point. */
static void explain(struct http_exchange *x, enum err_code rc, const char *why)
{
    if (x->curl_says[0] != '\0' && !says(x, "@") && !says(x, "getpeername()")) {
        (void)err_set(x->e, rc, "%s (%s)", why, x->curl_says);
    } else {
        (void)err_set(x->e, rc, "%s", why);
    }
}

/* ---- ends ---- */

static enum err_code end_unsent(struct http_exchange *x, const struct http_client_options *options,
                                struct reason r)
{
    long os_errno = 0;
    long status = refused_by_proxy(x);

    (void)curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (status != 0) {
        (void)err_set(x->e, r.rc, "it answered %ld to CONNECT%s", status,
                      status == 407 ? ": its URL has to bring user and password" : "");
        r.retryable = status >= 500 || status == 408 || status == 429;
    } else if (r.code == CURLE_OPERATION_TIMEDOUT) {
        (void)err_set(x->e, r.rc, "no connection in %.3g s, while %s (http.connect-timeout)",
                      (double)options->connect_timeout_us / MICROS_PER_S, phase(x));
    } else if (r.code == CURLE_COULDNT_CONNECT && os_errno != 0) {
        (void)err_set_os(x->e, r.rc, (int)os_errno, "%s", r.text);
    } else {
        explain(x, r.rc, r.text);
    }
    return blame(x, r.rc, r.retryable, proxy_of(x, options, r.code));
}

static enum err_code too_large(struct http_exchange *x)
{
    struct buf *body = &x->out->body;
    enum err_code rc = body->failed != ERR_OK
                           ? buf_check(body, x->e, "the answer")
                           : buf_check(&x->out->headers, x->e, "the head of the answer");

    return blame(x, rc, false, (struct involved){0});
}

static enum err_code end_sent(struct http_exchange *x, const struct http_client_options *options,
                              struct reason r)
{
    if (x->resend_refused) {
        (void)err_set(x->e, r.rc,
                      "the kept connection broke off before an answer came; the request may have "
                      "been done all the same, so it was not sent again");
    } else {
        explain(x, r.rc, r.text);
    }
    return blame(x, r.rc, r.retryable, proxy_of(x, options, r.code));
}

enum err_code http_exchange_end(struct http_exchange *x, const struct http_client_options *options,
                                CURLcode code)
{
    if (code == CURLE_OK && x->head_done) {
        long status = 0;

        (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
        x->out->status = (int)status;
        return ERR_OK;
    }
    if (x->out->body.failed != ERR_OK || x->out->headers.failed != ERR_OK) {
        return too_large(x);
    }
    struct reason r = reason_of(x, code);

    return x->sends == 0 ? end_unsent(x, options, r) : end_sent(x, options, r);
}

enum err_code http_exchange_late(struct http_exchange *x, const struct http_client_options *options,
                                 bool stalled, int64_t after_us)
{
    (void)err_set(x->e, ERR_TIMEOUT, "%s %.3g s, while %s",
                  stalled ? "no byte came or went for" : "not done in",
                  (double)after_us / MICROS_PER_S, phase(x));
    return blame(x, ERR_TIMEOUT, true, proxy_of(x, options, CURLE_OK));
}

enum err_code http_exchange_cancelled(struct http_exchange *x)
{
    (void)err_set(x->e, ERR_CANCELLED, "stopped on request while %s", phase(x));
    return blame(x, ERR_CANCELLED, false, (struct involved){0});
}
