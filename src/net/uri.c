#include "net/uri.h"

#include "base/str.h"

#define SHOWN_BYTES 160u
#define PORT_MAX    65535u

static bool is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* RFC 3986, 2.3: what never needs an escape. */
static bool is_unreserved(uint8_t c)
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static size_t show_text(char out[SHOWN_BYTES], size_t at, struct span text, size_t most)
{
    for (size_t i = 0, len = 0; i < text.len; i += len) {
        const uint8_t *c = text.data + i;
        bool whole = (len = str_utf8_char(span_of(c, text.len - i))) != 0;

        len = whole ? len : 1;
        if (at + len + 1 > most) {
            break;
        }
        memcpy(out + at, c, len);
        if (!whole || *c < 0x20 || *c == 0x7f) {
            out[at] = '?';
        }
        at += len;
    }
    out[at] = '\0';
    return at;
}

/* What a message may show of a URI: no user and password, no query, as keys may be in them. */
static void show(char out[SHOWN_BYTES], const char *text)
{
    const char *rest = text;
    const char *scheme_end = strstr(text, "://");
    const char *user_end = strrchr(text, '@');
    size_t at = 0;

    if (user_end != NULL) {
        rest = user_end + 1;
        if (scheme_end != NULL && scheme_end < user_end) {
            struct span scheme = span_of(text, (size_t)(scheme_end - text) + 3);

            at = show_text(out, at, scheme, SHOWN_BYTES / 4);
        }
        at = show_text(out, at, span_str("***@"), SHOWN_BYTES);
    }
    (void)show_text(out, at, span_of(rest, strcspn(rest, "?#")), SHOWN_BYTES);
}

static enum err_code refuse(struct err *e, const char *text, const char *why)
{
    char shown[SHOWN_BYTES];

    show(shown, text);
    return err_set(e, ERR_CONFIG, "\"%s\" is no URI: %s", shown, why);
}

static bool find(struct span text, uint8_t c, size_t *at)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == c) {
            *at = i;
            return true;
        }
    }
    return false;
}

static struct span cut(struct span text, size_t from, size_t to)
{
    return span_of(text.data + from, to - from);
}

/* "8020" behind the host's ':'. */
static bool read_port(struct span digits, uint32_t *out)
{
    uint64_t port;

    if (!str_to_u64(digits, &port) || port == 0 || port > PORT_MAX) {
        return false;
    }
    *out = (uint32_t)port;
    return true;
}

/* Host and port of an authority without its user. NULL, or what is wrong. */
static const char *read_host(struct span text, struct uri *out)
{
    size_t colon = text.len;

    if (text.len > 0 && text.data[0] == '[') {
        size_t end;

        if (!find(text, ']', &end)) {
            return "its host has no ']'";
        }
        out->host = cut(text, 1, end);
        colon = end + 1;
        if (colon < text.len && text.data[colon] != ':') {
            return "after the ']' of its host there may only be a port";
        }
    } else {
        size_t again;

        if (find(text, ':', &colon) && find(cut(text, colon + 1, text.len), ':', &again)) {
            return "an IPv6 address has to stand in brackets";
        }
        out->host = cut(text, 0, colon);
    }
    if (out->host.len == 0) {
        return "it has no host";
    }
    if (colon < text.len && !read_port(cut(text, colon + 1, text.len), &out->port)) {
        return "its port is no number from 1 to 65535";
    }
    return NULL;
}

/* What stands before "://". */
static bool read_scheme(const char *text, struct span *out)
{
    size_t len = strcspn(text, ":/?#");

    if (len == 0 || !is_alpha((uint8_t)text[0]) || !str_starts_with(text + len, "://")) {
        return false;
    }
    for (size_t i = 1; i < len; i++) {
        uint8_t c = (uint8_t)text[i];

        if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') {
            return false;
        }
    }
    *out = span_of(text, len);
    return true;
}

enum err_code uri_parse(const char *text, struct uri *out, struct err *e)
{
    *out = (struct uri){0};
    for (const char *p = text; *p != '\0'; p++) {
        if ((uint8_t)*p <= 0x20 || *p == 0x7f) {
            return refuse(e, text, "it has a blank or a control character");
        }
    }
    if (!read_scheme(text, &out->scheme)) {
        return refuse(e, text, "it does not start with a scheme and \"://\"");
    }
    const char *rest = text + out->scheme.len + 3;

    out->authority = span_of(rest, strcspn(rest, "/?#"));
    rest += out->authority.len;
    out->path = span_of(rest, strcspn(rest, "?#"));
    rest += out->path.len;
    if (*rest == '?') {
        out->query = span_of(rest + 1, strcspn(rest + 1, "#"));
    }

    struct span host = out->authority;
    size_t at;

    if (find(host, '@', &at)) {
        host = cut(host, at + 1, host.len);
    }
    const char *wrong =
        find(host, '@', &at) ? "of two '@' one has to be written as %40" : read_host(host, out);

    return wrong == NULL ? ERR_OK : refuse(e, text, wrong);
}

uint32_t uri_default_port(struct span scheme)
{
    return span_ieq_str(scheme, "https") ? 443 : span_ieq_str(scheme, "http") ? 80 : 0;
}

void uri_encode(struct buf *out, struct span text, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (is_unreserved(c) || (keep_slash && c == '/')) {
            buf_u8(out, c);
        } else {
            buf_u8(out, '%');
            buf_u8(out, (uint8_t)digits[c >> 4]);
            buf_u8(out, (uint8_t)digits[c & 15]);
        }
    }
}

/* 16 for what is no hex digit. */
static uint8_t hex_value(uint8_t c)
{
    if (is_digit(c)) {
        return (uint8_t)(c - '0');
    }
    uint8_t lower = c | 0x20;

    return lower >= 'a' && lower <= 'f' ? (uint8_t)(lower - 'a' + 10) : 16;
}

bool uri_decode(struct buf *out, struct span text)
{
    struct bytes_reader in;

    bytes_reader_init(&in, text);
    while (bytes_left(&in) > 0) {
        uint8_t c = bytes_u8(&in);

        if (c == '%') {
            uint8_t high = hex_value(bytes_u8(&in));
            uint8_t low = hex_value(bytes_u8(&in));

            if (bytes_failed(&in) || high > 15 || low > 15) {
                return false;
            }
            c = (uint8_t)(high << 4 | low);
        }
        buf_u8(out, c);
    }
    return true;
}

void uri_put_query(struct buf *out, const char *name, const char *value)
{
    if (out->len > 0) {
        buf_u8(out, '&');
    }
    uri_encode(out, span_str(name), false);
    buf_u8(out, '=');
    uri_encode(out, span_str(value), false);
}
