#include "mysql/host_list.h"

#include <string.h>

#include "base/str.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The name's length in a piece without blanks around; *port is what follows a colon, or empty. */
static struct span split(struct span piece, struct span *port, bool *wrong)
{
    const char *text = (const char *)piece.data;
    const char *colon = memchr(text, ':', piece.len);
    bool many =
        colon != NULL && memchr(colon + 1, ':', piece.len - (size_t)(colon + 1 - text)) != NULL;

    *port = span_of(NULL, 0);
    if (piece.len > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', piece.len);
        size_t len = close == NULL ? 0 : (size_t)(close - text);

        *wrong = close == NULL || (len + 1 < piece.len && close[1] != ':');
        if (!*wrong && len + 1 < piece.len) {
            *port = span_of(close + 2, piece.len - len - 2);
            *wrong = port->len == 0;
        }
        return *wrong ? piece : span_of(text + 1, len - 1);
    }
    if (colon == NULL || many) {
        return piece; /* more than one colon: a bare IPv6 address */
    }
    size_t len = (size_t)(colon - text);

    *port = span_of(colon + 1, piece.len - len - 1);
    *wrong = port->len == 0;
    return span_of(text, len);
}

static enum err_code read_host(struct span piece, struct host *out, struct err *e)
{
    struct span port;
    bool wrong = false;
    uint64_t number = 0;
    struct span name = split(piece, &port, &wrong);

    if (wrong || name.len == 0 || name.len >= sizeof out->name) {
        return err_set(e, ERR_CONFIG,
                       "'%.*s' is no host: write name, name:port, address:port or [IPv6]:port",
                       (int)(piece.len > 100 ? 100 : piece.len), (const char *)piece.data);
    }
    if (port.len > 0 && (!str_to_u64(port, &number) || number == 0 || number > UINT16_MAX)) {
        return err_set(e, ERR_CONFIG, "the port of host '%.*s' is not a number from 1 to 65535",
                       (int)(name.len > 100 ? 100 : name.len), (const char *)name.data);
    }
    memcpy(out->name, name.data, name.len);
    out->name[name.len] = '\0';
    out->port = (uint16_t)number;
    return ERR_OK;
}

enum err_code host_list_next(const char **rest, struct host *out, bool *found, struct err *e)
{
    const char *start = *rest;

    *found = *start != '\0';
    if (!*found) {
        return ERR_OK;
    }
    size_t len = strcspn(start, ",");

    /* A comma at the very end leaves an empty name behind it, which is an error. */
    *rest = start + len;
    if (start[len] == ',') {
        (*rest)++;
        if (**rest == '\0') {
            return err_set(e, ERR_CONFIG, "the list of hosts ends with a comma");
        }
    }
    while (len > 0 && is_blank(*start)) {
        start++;
        len--;
    }
    while (len > 0 && is_blank(start[len - 1])) {
        len--;
    }
    return read_host(span_of(start, len), out, e);
}
