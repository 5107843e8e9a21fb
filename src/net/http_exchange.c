#include "net/http_int.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/str.h"

/* Longer idle than this, a connection is not used again: firewalls forget in silence. */
#define IDLE_MAX_S 30L
/* Bytes that the kernel may hold unsent. Little, so that bytes that libcurl got rid of have left:
 * else a slow line would look like a stalled one. */
#define UNSENT_BYTES_MAX (128 << 10)
#define RECEIVE_BYTES    (64L << 10)

/* ---- what libcurl calls ---- */

/* Whether sending it twice is like sending it once, whatever the server thinks of it. */
static bool is_plain_read(const struct http_request *q)
{
    return !q->has_body && (strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0);
}

static void forget_response(struct http_exchange *x)
{
    buf_reset(&x->out->headers);
    buf_reset(&x->out->body);
    x->head_open = false;
    x->head_done = false;
}

/*
 * Called with a connection at hand, before the first byte of the request leaves. libcurl sends a
 * request again, in silence, when a kept connection turns out to be closed before an answer came;
 * the server may have done it by then. So only what reads is sent twice.
 */
static int on_send(void *ctx, char *to, char *from, int to_port, int from_port)
{
    struct http_exchange *x = ctx;

    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    if (x->sends > 0 && !is_plain_read(x->request)) {
        x->resend_refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    x->sends++;
    forget_response(x);
    return CURL_PREREQFUNC_OK;
}

static struct span trim(const char *text, size_t len)
{
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL) {
        len--;
    }
    return span_of(text, len);
}

static void keep_header(struct http_exchange *x, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);

    /* What is no header, or has a byte that would break the list, is none. */
    if (colon == NULL || memchr(line, '\0', len) != NULL) {
        return;
    }
    struct buf *out = &x->out->headers;

    buf_append_span(out, trim(line, (size_t)(colon - line)));
    buf_u8(out, 0);
    buf_append_span(out, trim(colon + 1, len - (size_t)(colon + 1 - line)));
    buf_u8(out, 0);
}

/* "HTTP/1.1 100 Continue": another head follows. */
static bool is_interim(const char *line, size_t len)
{
    const char *blank = memchr(line, ' ', len);

    return blank != NULL && blank + 1 < line + len && blank[1] == '1';
}

/* One line of a head, or of the trailers behind a body, which are left out. */
static size_t on_head(char *line, size_t size, size_t count, void *ctx)
{
    struct http_exchange *x = ctx;
    size_t len = size * count;

    if (x->head_done) {
        return len;
    }
    if (!x->head_open) {
        x->head_open = true;
        x->head_interim = is_interim(line, len);
        buf_reset(&x->out->headers);
    } else if (trim(line, len).len > 0) {
        keep_header(x, line, len);
    } else {
        x->head_open = false;
        x->head_done = !x->head_interim;
    }
    return x->out->headers.failed == ERR_OK ? len : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct http_exchange *x = ctx;

    buf_append(&x->out->body, bytes, size * count);
    return x->out->body.failed == ERR_OK ? size * count : 0;
}

/* libcurl's own sockets stay open in processes that are started meanwhile. */
static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    const int unsent = UNSENT_BYTES_MAX;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)ctx;
    (void)purpose;
    if (fd >= 0) {
        /* A socket without it works as well. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    }
    return fd;
}

/* ---- what libcurl is told ---- */

static void note(struct http_exchange *x, CURLcode code)
{
    if (x->setup == CURLE_OK) {
        x->setup = code;
    }
}

static void add_line(struct http_exchange *x, const char *line)
{
    struct curl_slist *longer = line == NULL ? NULL : curl_slist_append(x->headers, line);

    if (longer == NULL) {
        note(x, CURLE_OUT_OF_MEMORY);
    } else {
        x->headers = longer;
    }
}

static void set_headers(struct http_exchange *x)
{
    const struct http_request *q = x->request;
    bool has_type = false;

    for (uint32_t i = 0; i < q->header_count; i++) {
        const struct http_header *h = &q->headers[i];
        /* libcurl takes "Name:" for "without that header" and "Name;" for an empty one. */
        bool empty = trim(h->value, strlen(h->value)).len == 0;
        char *line = empty ? str_format("%s;", h->name) : str_format("%s: %s", h->name, h->value);

        add_line(x, line);
        free(line);
        has_type = has_type || str_ieq(h->name, "Content-Type");
    }
    if (!has_type) {
        add_line(x, "Content-Type:");
    }
    add_line(x, "Expect:");
    note(x, curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers));
}

static void set_method(struct http_exchange *x)
{
    const struct http_request *q = x->request;

    if (q->has_body) {
        const void *bytes = q->body.len == 0 ? "" : (const void *)q->body.data;

        note(x, curl_easy_setopt(x->easy, CURLOPT_POST, 1L));
        note(x, curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, bytes));
        note(x, curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.len));
    } else if (strcmp(q->method, "HEAD") == 0) {
        note(x, curl_easy_setopt(x->easy, CURLOPT_NOBODY, 1L));
    }
    note(x, curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, q->method));
}

static void set_tls(struct http_exchange *x, const struct http_client_options *o)
{
    note(x, curl_easy_setopt(x->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
    if (o->insecure_tls) {
        note(x, curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYPEER, 0L));
        note(x, curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYHOST, 0L));
        note(x, curl_easy_setopt(x->easy, CURLOPT_PROXY_SSL_VERIFYPEER, 0L));
        note(x, curl_easy_setopt(x->easy, CURLOPT_PROXY_SSL_VERIFYHOST, 0L));
    }
    if (o->ca_bundle != NULL) {
        note(x, curl_easy_setopt(x->easy, CURLOPT_CAINFO, o->ca_bundle));
        note(x, curl_easy_setopt(x->easy, CURLOPT_CAPATH, NULL));
        note(x, curl_easy_setopt(x->easy, CURLOPT_PROXY_CAINFO, o->ca_bundle));
        note(x, curl_easy_setopt(x->easy, CURLOPT_PROXY_CAPATH, NULL));
    }
    if (o->client_cert != NULL) {
        note(x, curl_easy_setopt(x->easy, CURLOPT_SSLCERT, o->client_cert));
    }
    if (o->client_key != NULL) {
        note(x, curl_easy_setopt(x->easy, CURLOPT_SSLKEY, o->client_key));
    }
}

static void set_connection(struct http_exchange *x, const struct http_client_options *o)
{
    int64_t connect_ms = (o->connect_timeout_us + 999) / 1000;

    note(x, curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS,
                             (long)(connect_ms > INT_MAX ? INT_MAX : connect_ms)));
    note(x, curl_easy_setopt(x->easy, CURLOPT_MAXAGE_CONN, IDLE_MAX_S));
    note(x, curl_easy_setopt(x->easy, CURLOPT_TCP_KEEPALIVE, 1L));
    note(x, curl_easy_setopt(x->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket));
    /* Else giving up a name that is being looked up would wait for the resolver, and with it all
     * other requests. */
    note(x, curl_easy_setopt(x->easy, CURLOPT_QUICK_EXIT, 1L));
    if (x->request->direct) {
        note(x, curl_easy_setopt(x->easy, CURLOPT_PROXY, ""));
    } else if (o->proxy != NULL) {
        note(x, curl_easy_setopt(x->easy, CURLOPT_PROXY, o->proxy));
    }
}

static void set_options(struct http_exchange *x, const struct http_client_options *o, CURLSH *share)
{
    CURL *easy = x->easy;

    note(x, curl_easy_setopt(easy, CURLOPT_PRIVATE, x));
    note(x, curl_easy_setopt(easy, CURLOPT_SHARE, share));
    note(x, curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->curl_says));
    note(x, curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    note(x, curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https"));
    /* libcurl 7.88 loses requests over HTTP/2 when a server closes a connection politely. */
    note(x, curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    note(x, curl_easy_setopt(easy, CURLOPT_URL, x->request->url));
    note(x, curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L));
    note(x, curl_easy_setopt(easy, CURLOPT_USERAGENT, o->user_agent));
    note(x, curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L));
    note(x, curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L));
    note(x, curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES));
    note(x, curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send));
    note(x, curl_easy_setopt(easy, CURLOPT_PREREQDATA, x));
    note(x, curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head));
    note(x, curl_easy_setopt(easy, CURLOPT_HEADERDATA, x));
    note(x, curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body));
    note(x, curl_easy_setopt(easy, CURLOPT_WRITEDATA, x));
    set_connection(x, o);
    set_tls(x, o);
    set_method(x);
    set_headers(x);
}

enum err_code http_exchange_start(struct http_exchange *x,
                                  const struct http_client_options *options, CURLSH *share)
{
    x->easy = curl_easy_init();
    if (x->easy == NULL) {
        return err_nomem(x->e);
    }
    set_options(x, options, share);
    return x->setup == CURLE_OK ? ERR_OK : http_exchange_end(x, options, x->setup);
}

void http_exchange_release(struct http_exchange *x)
{
    curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->headers);
    x->easy = NULL;
    x->headers = NULL;
}

uint64_t http_exchange_bytes(const struct http_exchange *x)
{
    long head_out = 0;
    long head_in = 0;
    curl_off_t out = 0;
    curl_off_t in = 0;

    (void)curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &head_out);
    (void)curl_easy_getinfo(x->easy, CURLINFO_HEADER_SIZE, &head_in);
    (void)curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &out);
    (void)curl_easy_getinfo(x->easy, CURLINFO_SIZE_DOWNLOAD_T, &in);
    return (uint64_t)head_out + (uint64_t)head_in + (uint64_t)out + (uint64_t)in;
}
