/* responses.h - an HTTP response made by hand. */
#ifndef CALVE_TEST_RESPONSES_H
#define CALVE_TEST_RESPONSES_H

#include "net/http_client.h"

/* headers: "name: value\n" each. */
static inline struct http_response make_response(int status, const char *headers, struct span body)
{
    struct http_response r = {.status = status, .sent = true};

    while (*headers != '\0') {
        size_t name_len = strcspn(headers, ":");
        const char *value = headers + name_len + 2;
        size_t value_len = strcspn(value, "\n");

        buf_append(&r.headers, headers, name_len);
        buf_u8(&r.headers, '\0');
        buf_append(&r.headers, value, value_len);
        buf_u8(&r.headers, '\0');
        headers = value + value_len + 1;
    }
    buf_append_span(&r.body, body);
    return r;
}

#endif
