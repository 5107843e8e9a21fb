#include "app/source_url.h"

#include "base/str.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* Percent-decoded copy of a part. */
static enum err_code decode(struct span in, const char *what, struct arena *arena, const char **out,
                            struct err *e)
{
    char *text = arena_alloc(arena, in.len + 1, 1);
    size_t len = 0;

    if (text == NULL) {
        return arena_fail(arena, e, "settings");
    }
    for (size_t i = 0; i < in.len; i++) {
        char c = (char)in.data[i];

        if (c == '%') {
            int high = i + 2 < in.len ? hex_digit((char)in.data[i + 1]) : -1;
            int low = i + 2 < in.len ? hex_digit((char)in.data[i + 2]) : -1;

            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                return err_set(e, ERR_CONFIG,
                               "its %s has a %% that is not %%XX (write %% itself as %%25)", what);
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        text[len++] = c;
    }
    *out = text;
    return ERR_OK;
}

static size_t find_last(struct span s, char c)
{
    for (size_t i = s.len; i > 0; i--) {
        if ((char)s.data[i - 1] == c) {
            return i - 1;
        }
    }
    return SIZE_MAX;
}

static size_t find_first(struct span s, char c)
{
    const void *p = s.len == 0 ? NULL : memchr(s.data, c, s.len);

    return p == NULL ? SIZE_MAX : (size_t)((const uint8_t *)p - s.data);
}

static struct span from(struct span s, size_t offset)
{
    return span_of(s.data + offset, s.len - offset);
}

static enum err_code parse_user(struct span info, struct arena *arena, struct source_url *out,
                                struct err *e)
{
    size_t colon = find_first(info, ':');

    if (colon != SIZE_MAX) {
        ERR_TRY(decode(from(info, colon + 1), "password", arena, &out->password, e));
        info.len = colon;
    }
    return info.len == 0 ? ERR_OK : decode(info, "user", arena, &out->user, e);
}

static enum err_code parse_host(struct span authority, struct arena *arena, struct source_url *out,
                                struct err *e)
{
    struct span host = authority;
    size_t colon = find_last(authority, ':');
    bool has_port = colon != SIZE_MAX;
    uint64_t number;

    if (authority.len > 0 && authority.data[0] == '[') {
        size_t close = find_first(authority, ']');

        if (close == SIZE_MAX || (close + 1 < authority.len && authority.data[close + 1] != ':')) {
            return err_set(e, ERR_CONFIG, "an IPv6 address is written [address] or [address]:port");
        }
        host = span_of(authority.data + 1, close - 1);
        has_port = close + 1 < authority.len;
        colon = close + 1;
    } else if (has_port) {
        host.len = colon;
        if (find_first(host, ':') != SIZE_MAX) {
            return err_set(e, ERR_CONFIG, "an IPv6 address is written [address] or [address]:port");
        }
    }
    if (has_port) {
        struct span port = from(authority, colon + 1);

        if (!str_to_u64(port, &number) || number == 0 || number > 65535) {
            return err_set(
                e, ERR_CONFIG,
                "its port is not a number from 1 to 65535 (in a password, write / as %%2F, "
                "? as %%3F, # as %%23, @ as %%40)");
        }
        ERR_TRY(decode(port, "port", arena, &out->port, e));
    }
    return host.len == 0 ? ERR_OK : decode(host, "host", arena, &out->host, e);
}

/* Several: the list goes on as it is, when each of them is one. */
static enum err_code parse_hosts(struct span authority, struct arena *arena, struct source_url *out,
                                 struct err *e)
{
    struct span rest = authority;
    struct source_url one = {0};

    if (find_first(authority, ',') == SIZE_MAX) {
        return parse_host(authority, arena, out, e);
    }
    for (;;) {
        size_t comma = find_first(rest, ',');
        struct span piece = span_of(rest.data, comma == SIZE_MAX ? rest.len : comma);

        one = (struct source_url){0};
        ERR_TRY(parse_host(piece, arena, &one, e));
        if (one.host == NULL) {
            return err_set(e, ERR_CONFIG, "its list of hosts has an empty name");
        }
        if (comma == SIZE_MAX) {
            return decode(authority, "host", arena, &out->host, e);
        }
        rest = from(rest, comma + 1);
    }
}

static enum err_code parse_parameter(struct span text, struct arena *arena, struct source_url *out,
                                     struct err *e)
{
    size_t equals = find_first(text, '=');
    struct span name = text;
    struct span value = span_of(NULL, 0);

    if (text.len == 0) {
        return ERR_OK;
    }
    if (equals != SIZE_MAX) {
        name.len = equals;
        value = from(text, equals + 1);
    }
    if (span_eq_str(name, "socket")) {
        return decode(value, "socket", arena, &out->socket, e);
    }
    if (span_eq_str(name, "tls")) {
        return decode(value, "tls", arena, &out->tls, e);
    }
    return err_set(e, ERR_CONFIG, "of the parameters behind ? it may have socket and tls only");
}

static enum err_code parse_tail(struct span tail, struct arena *arena, struct source_url *out,
                                struct err *e)
{
    if (tail.len > 0 && tail.data[0] == '/') {
        tail = from(tail, 1);
    }
    if (tail.len > 0 && tail.data[0] != '?') {
        return err_set(
            e, ERR_CONFIG,
            "it ends with the host and port: name schema and tables by --table 'SCHEMA.*'");
    }
    while (tail.len > 0) {
        struct span parameter = from(tail, 1);
        size_t end = find_first(parameter, '&');

        if (end != SIZE_MAX) {
            parameter.len = end;
        }
        ERR_TRY(parse_parameter(parameter, arena, out, e));
        tail = from(tail, 1 + parameter.len);
    }
    return ERR_OK;
}

enum err_code source_url_parse(const char *text, struct arena *arena, struct source_url *out,
                               struct err *e)
{
    *out = (struct source_url){0};
    size_t scheme_len = str_starts_with(text, "mysql://")     ? strlen("mysql://")
                        : str_starts_with(text, "mariadb://") ? strlen("mariadb://")
                                                              : 0;

    if (scheme_len == 0) {
        return err_set(e, ERR_CONFIG, "it must look like mysql://user:password@host:port");
    }
    struct span rest = span_str(text + scheme_len);
    size_t authority_len = strcspn(text + scheme_len, "/?#");
    struct span authority = span_of(rest.data, authority_len);
    size_t at = find_last(authority, '@');

    if (at != SIZE_MAX) {
        ERR_TRY(parse_user(span_of(authority.data, at), arena, out, e));
        authority = from(authority, at + 1);
    }
    ERR_TRY(parse_hosts(authority, arena, out, e));
    ERR_TRY(parse_tail(from(rest, authority_len), arena, out, e));
    if (out->host == NULL && out->socket == NULL) {
        return err_set(e, ERR_CONFIG, "it names no host: mysql://user:password@host:port");
    }
    return ERR_OK;
}

bool source_url_password_at(const char *text, size_t *offset, size_t *len)
{
    const char *start = strstr(text, "://");
    const char *at = start == NULL ? NULL : strrchr(start, '@');

    if (start == NULL || at == NULL) {
        return false;
    }
    const char *colon = strchr(start + 3, ':');

    if (colon == NULL || colon > at) {
        return false;
    }
    *offset = (size_t)(colon + 1 - text);
    *len = (size_t)(at - colon - 1);
    return *len > 0;
}

char *source_url_masked(const char *text, struct arena *arena)
{
    size_t offset;
    size_t len;

    if (!source_url_password_at(text, &offset, &len)) {
        return arena_strdup(arena, text);
    }
    size_t tail = strlen(text) - offset - len;
    char *masked = arena_alloc(arena, offset + 3 + tail + 1, 1);

    if (masked != NULL) {
        memcpy(masked, text, offset);
        memcpy(masked + offset, "***", 3);
        memcpy(masked + offset + 3, text + offset + len, tail);
    }
    return masked;
}
