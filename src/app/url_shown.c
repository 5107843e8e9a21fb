#include "app/url_shown.h"

#include "base/str.h"

static bool is_any(const char *text, const char *const *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_starts_with(text, prefixes[i])) {
            return true;
        }
    }
    return false;
}

/* Names of folders follow, which may have any character. */
static bool is_place(const char *text)
{
    static const char *const prefixes[] = {
        "s3://", "s3a://", "s3n://", "file:", "/", "./", "../", "~"};

    return is_any(text, prefixes, sizeof prefixes / sizeof prefixes[0]);
}

/* No server, and so nobody who signs in: jdbc:sqlite:/path, sqlite:////path, /path, s3://bucket. */
static bool has_no_user(const char *text, const char *rest)
{
    size_t len = strcspn(rest, "/");

    if (str_starts_with(text, "jdbc:sqlite:") || (rest != text && len == 0)) {
        return true;
    }
    /* Hadoop once had keys in front of a bucket, perhaps with a slash in the secret. */
    return is_place(text) &&
           (rest == text || (memchr(rest, '@', len) == NULL && memchr(rest, ':', len) == NULL));
}

struct url_secrets url_secrets(const char *text)
{
    struct url_secrets found = {.user = {NULL, 0}};
    const char *scheme_end = strstr(text, "://");
    const char *rest = scheme_end == NULL ? text : scheme_end + 3;
    /* The last one: a password that was not encoded may have others, and slashes. */
    const char *at = has_no_user(text, rest) ? NULL : strrchr(rest, '@');

    if (at != NULL) {
        found.user = span_of(rest, (size_t)(at - rest));
        rest = at;
    }
    const char *tail = is_place(text) ? NULL : strpbrk(rest, "?;#");

    if (tail != NULL) {
        found.tail = span_str(tail + 1);
    }
    return found;
}

void url_put_shown(struct buf *out, const char *text)
{
    const struct url_secrets secrets = url_secrets(text);
    const uint8_t *p = (const uint8_t *)text;
    const struct span hidden[] = {secrets.user, secrets.tail};

    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (hidden[i].len > 0) {
            buf_append_span(out, span_of(p, (size_t)(hidden[i].data - p)));
            buf_append_str(out, "***");
            p = hidden[i].data + hidden[i].len;
        }
    }
    buf_append_str(out, (const char *)p);
}
