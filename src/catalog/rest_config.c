/*
 * rest_config.c - what the server says of itself, merged with the user's settings.
 *
 *   {"defaults": {"prefix": "a"}, "overrides": {"uri": "https://other/"},
 *    "endpoints": ["GET /v1/{prefix}/namespaces"], "idempotency-key-lifetime": "PT30M"}
 */
#include <stdlib.h>

#include "base/str.h"
#include "catalog/rest_int.h"
#include "net/uri.h"

#define KEY_LIFETIME_DEFAULT_US (INT64_C(30) * 60 * 1000000)
#define HEADER_SETTING          "header."

static const char *const endpoint_names[REST_ENDPOINTS] = {
    [REST_ENDPOINT_LIST] = "GET /v1/{prefix}/namespaces/{namespace}/tables",
    [REST_ENDPOINT_CREATE] = "POST /v1/{prefix}/namespaces/{namespace}/tables",
    [REST_ENDPOINT_LOAD] = "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    [REST_ENDPOINT_COMMIT] = "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    [REST_ENDPOINT_NAMESPACE] = "POST /v1/{prefix}/namespaces",
    [REST_ENDPOINT_DROP] = "DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    [REST_ENDPOINT_TRANSACTION] = "POST /v1/{prefix}/transactions/commit",
    [REST_ENDPOINT_CREDENTIALS] =
        "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials",
};

enum err_code rest_json_parse(struct span body, json_t **out, struct err *e)
{
    json_error_t why;
    json_t *json = json_loadb((const char *)body.data, body.len, JSON_ALLOW_NUL, &why);

    /* An allocation that fails has its own code in some places, and no message in others. */
    if (json == NULL &&
        (json_error_code(&why) == json_error_out_of_memory || why.text[0] == '\0')) {
        return err_nomem(e);
    }
    if (json == NULL) {
        return err_set(e, ERR_CORRUPT,
                       "the answer is not JSON: %s (line %d, column %d); is catalog.uri the "
                       "address of an Iceberg REST catalog?",
                       why.text, why.line, why.column);
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return err_set(e, ERR_CORRUPT, "the answer is not a JSON object");
    }
    *out = json;
    return ERR_OK;
}

const char *rest_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Digits up to a letter; false when there are none. */
static bool take_part(const char **at, uint64_t *value, char *unit)
{
    size_t digits = strspn(*at, "0123456789");

    if (digits > 9 || !str_to_u64(span_of(*at, digits), value)) {
        return false;
    }
    *unit = (*at)[digits];
    *at += digits + (*unit == '\0' ? 0 : 1);
    return true;
}

static int64_t unit_seconds(char unit, bool is_time)
{
    switch (unit) {
    case 'D':
        return is_time ? 0 : 86400;
    case 'H':
        return is_time ? 3600 : 0;
    case 'M':
        return is_time ? 60 : 0; /* months have no length */
    case 'S':
        return is_time ? 1 : 0;
    default:
        return 0;
    }
}

bool rest_duration_parse(const char *text, int64_t *us)
{
    bool is_time = false;
    bool any = false;
    int64_t seconds = 0;

    if (*text++ != 'P') {
        return false;
    }
    while (*text != '\0') {
        uint64_t value;
        char unit;

        if (*text == 'T' && !is_time) {
            is_time = true;
            text++;
            continue;
        }
        if (!take_part(&text, &value, &unit) || unit_seconds(unit, is_time) == 0) {
            return false;
        }
        seconds += (int64_t)value * unit_seconds(unit, is_time);
        any = true;
    }
    *us = seconds * 1000000;
    return any;
}

/* A server that lists nothing has what the specification had before there was a list. */
static enum err_code read_endpoints(const json_t *list, bool offers[REST_ENDPOINTS], struct err *e)
{
    size_t i;
    json_t *item;
    bool listed = json_array_size(list) > 0;

    if (list != NULL && !json_is_null(list) && !json_is_array(list)) {
        return err_set(e, ERR_CORRUPT, "'endpoints' is not a list");
    }
    for (int k = 0; k < REST_ENDPOINTS; k++) {
        offers[k] = !listed && k != REST_ENDPOINT_CREDENTIALS && k != REST_ENDPOINT_TRANSACTION;
    }
    json_array_foreach(list, i, item)
    {
        for (int k = 0; k < REST_ENDPOINTS; k++) {
            const char *text = json_string_value(item);

            offers[k] = offers[k] || (text != NULL && strcmp(text, endpoint_names[k]) == 0);
        }
    }
    return ERR_OK;
}

static enum err_code take_map(const json_t *json, const char *key, json_t **out, struct err *e)
{
    json_t *map = json_object_get(json, key);

    if (map == NULL || json_is_null(map)) {
        return ERR_OK;
    }
    if (!json_is_object(map)) {
        return err_set(e, ERR_CORRUPT, "'%s' is not an object", key);
    }
    *out = json_incref(map);
    return ERR_OK;
}

static enum err_code read_config(const json_t *json, struct rest_config *out, struct err *e)
{
    const char *lifetime = rest_text(json, "idempotency-key-lifetime");

    ERR_TRY(take_map(json, "defaults", &out->defaults, e));
    ERR_TRY(take_map(json, "overrides", &out->overrides, e));
    if (lifetime != NULL &&
        (!rest_duration_parse(lifetime, &out->key_lifetime_us) || out->key_lifetime_us == 0)) {
        out->key_lifetime_us = KEY_LIFETIME_DEFAULT_US;
    }
    return read_endpoints(json_object_get(json, "endpoints"), out->offers, e);
}

enum err_code rest_config_parse(struct span body, struct rest_config *out, struct err *e)
{
    json_t *json = NULL;

    *out = (struct rest_config){0};
    ERR_TRY(rest_json_parse(body, &json, e));
    enum err_code rc = read_config(json, out, e);

    if (rc != ERR_OK) {
        rest_config_deinit(out);
    }
    json_decref(json);
    return rc;
}

void rest_config_deinit(struct rest_config *c)
{
    json_decref(c->defaults);
    json_decref(c->overrides);
    *c = (struct rest_config){0};
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

const char *rest_setting(const struct rest_config *c, const char *key, const char *client)
{
    const char *override = rest_text(c->overrides, key);
    const char *other = rest_text(c->defaults, key);

    if (is_given(override)) {
        return override;
    }
    return is_given(client) ? client : is_given(other) ? other : NULL;
}

enum err_code rest_check_uri(const char *uri, const char *setting, struct err *e)
{
    struct uri parts;
    enum err_code rc = uri_parse(uri, &parts, e);

    if (rc != ERR_OK) {
        err_wrap(e, "%s", setting);
        return rc;
    }
    if (!span_ieq_str(parts.scheme, "http") && !span_ieq_str(parts.scheme, "https")) {
        return err_set(e, ERR_CONFIG, "%s has the scheme %.*s: it must be http or https", setting,
                       (int)parts.scheme.len, (const char *)parts.scheme.data);
    }
    if (memchr(parts.authority.data, '@', parts.authority.len) != NULL) {
        /* Not printed: it may have a password in it. */
        return err_set(e, ERR_CONFIG, "%s names a user: use rest.user and rest.password", setting);
    }
    return ERR_OK;
}

char *rest_prefix_path(const char *prefix)
{
    struct buf out = {0};
    size_t len = strlen(prefix);

    while (len > 0 && prefix[len - 1] == '/') {
        len--;
    }
    while (len > 0 && *prefix == '/') {
        prefix++;
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        static const char hex[] = "0123456789abcdefABCDEF";
        char c = prefix[i];
        bool is_escape = c == '%' && len - i > 2 && strchr(hex, prefix[i + 1]) != NULL &&
                         strchr(hex, prefix[i + 2]) != NULL;

        if (is_escape || strchr("/:@!$&'()*+,;=", c) != NULL) {
            buf_u8(&out, (uint8_t)c);
        } else {
            uri_encode(&out, span_of(&c, 1), false);
        }
    }
    if (len > 0) {
        buf_u8(&out, '/');
    }
    return buf_take_text(&out);
}

static void put_namespace(const struct rest_catalog *c, struct buf *out, const char *ns)
{
    buf_append_str(out, "/v1/");
    buf_append_str(out, c->prefix);
    buf_append_str(out, "namespaces/");
    uri_encode(out, span_str(ns), false);
}

char *rest_namespace_path(const struct rest_catalog *c, const char *ns, const char *more)
{
    struct buf out = {0};

    put_namespace(c, &out, ns);
    buf_append_str(&out, more);
    return buf_take_text(&out);
}

char *rest_table_path(const struct rest_catalog *c, struct table_ident id, const char *more)
{
    struct buf out = {0};

    put_namespace(c, &out, id.ns);
    buf_append_str(&out, "/tables/");
    uri_encode(&out, span_str(id.name), false);
    buf_append_str(&out, more);
    return buf_take_text(&out);
}

static const char *keep(struct rest_catalog *c, const char *text)
{
    return text == NULL ? "" : arena_strdup(&c->texts, text);
}

static enum err_code out_of_texts(const struct rest_catalog *c, struct err *e)
{
    return arena_fail(&c->texts, e, "settings of the catalog");
}

/* Replaces a header of the same name, or adds it. There is room. */
static enum err_code put_header(struct rest_catalog *c, const char *name, const char *value,
                                bool replaces, struct err *e)
{
    uint32_t at = 0;

    while (at < c->header_count && !str_ieq(c->headers[at].name, name)) {
        at++;
    }
    if (at < c->header_count && !replaces) {
        return ERR_OK;
    }
    struct http_header h = {keep(c, name), keep(c, value)};

    if (h.name == NULL || h.value == NULL) {
        return out_of_texts(c, e);
    }
    c->headers[at] = h;
    c->header_count += at == c->header_count ? 1 : 0;
    return ERR_OK;
}

static enum err_code put_server_headers(struct rest_catalog *c, json_t *map, bool replaces,
                                        struct err *e)
{
    const char *key;
    json_t *value;

    json_object_foreach(map, key, value)
    {
        if (str_starts_with(key, HEADER_SETTING) && json_is_string(value)) {
            ERR_TRY(
                put_header(c, key + strlen(HEADER_SETTING), json_string_value(value), replaces, e));
        }
    }
    return ERR_OK;
}

static enum err_code merge_headers(struct rest_catalog *c,
                                   const struct catalog_rest_options *options, struct err *e)
{
    size_t most = options->header_count + json_object_size(c->config.defaults) +
                  json_object_size(c->config.overrides) + 1;

    c->header_count = 0;
    c->headers = arena_alloc(&c->texts, most, sizeof *c->headers);
    if (c->headers == NULL) {
        return out_of_texts(c, e);
    }
    for (uint32_t i = 0; i < options->header_count; i++) {
        ERR_TRY(put_header(c, options->headers[i].name, options->headers[i].value, true, e));
    }
    ERR_TRY(put_server_headers(c, c->config.defaults, false, e));
    return put_server_headers(c, c->config.overrides, true, e);
}

enum err_code rest_config_merge(struct rest_catalog *c, const struct catalog_rest_options *options,
                                struct err *e)
{
    const char *uri = rest_setting(&c->config, "uri", options->uri);
    const char *prefix = rest_setting(&c->config, "prefix", options->prefix);
    size_t len = uri == NULL ? 0 : strlen(uri);

    if (len == 0) {
        return err_set(e, ERR_CONFIG, "catalog.uri is missing: the address of the REST catalog");
    }
    ERR_TRY(rest_check_uri(uri, "catalog.uri", e));
    if (strpbrk(uri, "?#") != NULL) {
        return err_set(e, ERR_CONFIG, "catalog.uri has a '?' or '#', and a path only is expected");
    }
    while (len > 0 && uri[len - 1] == '/') {
        len--;
    }
    char *path = rest_prefix_path(prefix == NULL ? "" : prefix);

    c->uri = arena_strndup(&c->texts, uri, len);
    c->prefix = path == NULL ? NULL : keep(c, path);
    free(path);
    if (c->uri == NULL || c->prefix == NULL) {
        return out_of_texts(c, e);
    }
    return merge_headers(c, options, e);
}
