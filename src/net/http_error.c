#include "net/http_int.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

#define PEER_BYTES 300u
#define WHY_BYTES  600u

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

static const char *environment(const char *name, const char **from)
{
    const char *value = getenv(name); /* nobody sets variables while threads run */

    if (value == NULL || value[0] == '\0') {
        return NULL;
    }
    *from = name;
    return value;
}

const char *http_proxy_of(const struct http_exchange *x, const struct http_client_options *options,
                          const char **from)
{
    const char *proxy;

    *from = "http.proxy";
    if (options->proxy != NULL) {
        return options->proxy[0] == '\0' ? NULL : options->proxy;
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

/* What libcurl wrote is about the proxy and not about the host. */
static bool is_about_proxy(const struct http_exchange *x, CURLcode code, struct span proxy)
{
    static const char tried[] = "Failed to connect to ";
    long answered = 0;

    (void)curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &answered);
    if (code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_PROXY ||
        (answered != 0 && answered / 100 != 2)) {
        return true;
    }
    if (!str_starts_with(x->curl_says, tried)) {
        return strstr(x->curl_says, "CONNECT") != NULL;
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

/* ": the proxy p:3128 (http.proxy)", or "; …" behind a reason that need not be its fault. */
static void name_proxy(char *out, size_t out_bytes, const struct http_exchange *x,
                       const struct http_client_options *options, CURLcode code, bool *to_blame)
{
    const char *from;
    const char *proxy = http_proxy_of(x, options, &from);

    out[0] = '\0';
    *to_blame = false;
    if (proxy != NULL) {
        struct span host = proxy_host(proxy);

        *to_blame = x->easy != NULL && is_about_proxy(x, code, host);
        (void)snprintf(out, out_bytes, "%s%.*s (%s)",
                       *to_blame ? "by the proxy " : "; a proxy is set: ", (int)host.len,
                       (const char *)host.data, from);
    }
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
    {CURLE_HTTP2, ERR_IO, true, "HTTP/2 failed"},
    {CURLE_HTTP2_STREAM, ERR_IO, true, "HTTP/2 failed"},
    {CURLE_WEIRD_SERVER_REPLY, ERR_IO, true, "the answer is no HTTP"},
    {CURLE_URL_MALFORMAT, ERR_CONFIG, false, "the URL is not one"},
    {CURLE_OUT_OF_MEMORY, ERR_NOMEM, false, "out of memory"},
};

static struct reason reason_of(const struct http_exchange *x, CURLcode code)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].code == code) {
            return reasons[i];
        }
    }
    /* HTTP/0.9, that is bytes without a status line. */
    if (code == CURLE_UNSUPPORTED_PROTOCOL && x->sends > 0) {
        return (struct reason){code, ERR_IO, false, "the answer is no HTTP: is it the right port?"};
    }
    return (struct reason){code, ERR_IO, x->sends > 0, "the request failed"};
}

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
        /* The chain is fine: libcurl compares names itself. */
        return "its certificate is for another host";
    default:
        return "its certificate is not accepted";
    }
}

/* What was going on. */
static const char *phase(const struct http_exchange *x)
{
    curl_off_t name = 0;
    curl_off_t connect = 0;
    curl_off_t sent = 0;

    if (x->easy == NULL) {
        return "waiting for other requests to the host";
    }
    (void)curl_easy_getinfo(x->easy, CURLINFO_NAMELOOKUP_TIME_T, &name);
    (void)curl_easy_getinfo(x->easy, CURLINFO_CONNECT_TIME_T, &connect);
    (void)curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (x->sends == 0) {
        return name == 0      ? "resolving the host's name"
               : connect == 0 ? "connecting"
                              : "in the handshake of TLS or of the proxy";
    }
    if (x->request->has_body && (uint64_t)sent < x->request->body.len) {
        return "sending the request";
    }
    return x->out->headers.len == 0 ? "waiting for the answer" : "receiving the answer";
}

/* Sets x->e. The detail is libcurl's, and left out where it may show a password. */
static enum err_code set(struct http_exchange *x, enum err_code rc, bool retryable, const char *why,
                         const char *detail)
{
    char peer[PEER_BYTES];
    bool shown = detail != NULL && detail[0] != '\0' && strchr(detail, '@') == NULL;

    name_peer(peer, x);
    (void)err_set(x->e, rc, "%s: %s%s%s%s", peer, why, shown ? " (" : "", shown ? detail : "",
                  shown ? ")" : "");
    if (x->e != NULL) {
        x->e->retryable = retryable;
    }
    return rc;
}

/* ---- ends ---- */

static enum err_code end_unsent(struct http_exchange *x, const struct http_client_options *options,
                                struct reason r)
{
    char why[WHY_BYTES + 2 * PEER_BYTES];
    char proxy[PEER_BYTES];
    bool blame;
    long os_errno = 0;
    long answered = 0;

    name_proxy(proxy, sizeof proxy, x, options, r.code, &blame);
    (void)curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os_errno);
    (void)curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &answered);
    if (answered / 100 == 4) { /* asking the proxy again gives the same */
        r.retryable = false;
    }
    (void)snprintf(why, sizeof why, "%s%s%s%s", blame ? proxy : "", blame ? ": " : "", r.text,
                   blame ? "" : proxy);
    enum err_code rc = set(x, r.rc, r.retryable, why, x->curl_says);

    if (x->e != NULL) {
        x->e->os_errno = (int)os_errno;
    }
    return rc;
}

static enum err_code too_large(struct http_exchange *x)
{
    struct buf *full = x->out->body.failed != ERR_OK ? &x->out->body : &x->out->headers;
    char peer[PEER_BYTES];

    name_peer(peer, x);
    enum err_code rc =
        buf_check(full, x->e, full == &x->out->body ? "the answer" : "the head of the answer");

    (void)err_wrap(x->e, "%s", peer);
    return rc;
}

enum err_code http_exchange_end(struct http_exchange *x, const struct http_client_options *options,
                                CURLcode code)
{
    if (code == CURLE_OK) {
        long status = 0;

        (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
        x->out->status = (int)status;
        return ERR_OK;
    }
    if (x->out->body.failed != ERR_OK || x->out->headers.failed != ERR_OK) {
        return too_large(x);
    }
    if (x->resend_refused) {
        return set(x, ERR_IO, true,
                   "the kept connection broke off before an answer came; the request may have been "
                   "done all the same, so it was not sent again",
                   NULL);
    }
    struct reason r = reason_of(x, code);
    char why[WHY_BYTES];

    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        r.text = certificate_problem(x);
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        (void)snprintf(why, sizeof why, "no connection in %.3g s, while %s (http.connect-timeout)",
                       (double)options->connect_timeout_us / MICROS_PER_S, phase(x));
        r.text = why;
        x->curl_says[0] = '\0';
    }
    if (x->sends == 0) {
        return end_unsent(x, options, r);
    }
    return set(x, r.rc, r.retryable, r.text, x->curl_says);
}

enum err_code http_exchange_late(struct http_exchange *x, const struct http_client_options *options,
                                 bool stalled, int64_t after_us)
{
    char why[WHY_BYTES];
    char proxy[PEER_BYTES];
    bool blame;

    name_proxy(proxy, sizeof proxy, x, options, CURLE_OK, &blame);
    (void)snprintf(why, sizeof why, "%s %.3g s, while %s%s%s",
                   stalled ? "no byte came or went for" : "not done in",
                   (double)after_us / MICROS_PER_S, phase(x), blame ? " " : "", proxy);
    return set(x, ERR_TIMEOUT, true, why, NULL);
}

enum err_code http_exchange_cancelled(struct http_exchange *x)
{
    char why[WHY_BYTES];

    (void)snprintf(why, sizeof why, "stopped on request while %s", phase(x));
    return set(x, ERR_CANCELLED, false, why, NULL);
}
