#include <stdlib.h>

#include "base/str.h"
#include "net/uri.h"
#include "storage/s3_int.h"

/* What follows the bucket's name in a directory bucket (S3 Express One Zone). */
#define DIRECTORY_BUCKET_SUFFIX "--x-s3"

/* Bucket and key as one, behind the scheme; data NULL when it is none of S3. */
static struct span behind_scheme(const char *location)
{
    static const char *const schemes[] = {"s3", "s3a", "s3n"};
    const char *colon = strstr(location, "://");
    size_t scheme_bytes = colon == NULL ? 0 : (size_t)(colon - location);

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (colon != NULL && span_ieq_str(span_of(location, scheme_bytes), schemes[i])) {
            return span_str(colon + strlen("://"));
        }
    }
    return (struct span){NULL, 0};
}

/* Nothing that would make another host or path of it. Old buckets have capitals and '_'. */
static bool is_bucket_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!letter && c != '-' && c != '.' && c != '_') {
            return false;
        }
    }
    return name.len > 0 && name.len <= 255 && name.data[0] != '.';
}

static bool span_ends_with(struct span text, const char *end)
{
    size_t len = strlen(end);

    return text.len >= len && memcmp(text.data + text.len - len, end, len) == 0;
}

enum err_code s3_location_split(const char *location, struct span *bucket, struct span *key,
                                struct err *e)
{
    struct span rest = behind_scheme(location);

    if (rest.data == NULL) {
        return err_set(e, ERR_CONFIG, "'%s' is not a place in S3: expected s3://bucket/key",
                       location);
    }
    const uint8_t *slash = rest.len == 0 ? NULL : memchr(rest.data, '/', rest.len);
    size_t bucket_bytes = slash == NULL ? rest.len : (size_t)(slash - rest.data);

    *bucket = span_of(rest.data, bucket_bytes);
    *key = slash == NULL ? span_of(rest.data + rest.len, 0)
                         : span_of(slash + 1, rest.len - bucket_bytes - 1);
    if (!is_bucket_name(*bucket)) {
        return err_set(e, ERR_CONFIG,
                       "'%s': '%.*s' cannot be a bucket's name: expected "
                       "s3://bucket/key",
                       location, (int)bucket_bytes, (const char *)rest.data);
    }
    if (span_ends_with(*bucket, DIRECTORY_BUCKET_SUFFIX)) {
        return err_set(e, ERR_CONFIG,
                       "'%s' is in a directory bucket (S3 Express One Zone), which calve cannot "
                       "use: name a general purpose bucket",
                       location);
    }
    return ERR_OK;
}

enum err_code s3_location_of_object(const char *location, struct span *bucket, struct span *key,
                                    struct err *e)
{
    ERR_TRY(s3_location_split(location, bucket, key, e));
    return key->len > 0 ? ERR_OK
                        : err_set(e, ERR_CONFIG,
                                  "'%s' names a bucket but no object in it: "
                                  "expected s3://bucket/key",
                                  location);
}

static bool is_aws(const char *endpoint)
{
    struct uri uri;

    if (uri_parse(endpoint, &uri, NULL) != ERR_OK) {
        return false;
    }
    return span_ends_with(uri.host, ".amazonaws.com") ||
           span_ends_with(uri.host, ".amazonaws.com.cn");
}

/* Whether the name can stand in front of a host, under a certificate for "*.host". */
static bool is_host_label(struct span bucket)
{
    for (size_t i = 0; i < bucket.len; i++) {
        uint8_t c = bucket.data[i];

        if (c == '.' || c == '_' || (c >= 'A' && c <= 'Z')) {
            return false;
        }
    }
    return bucket.len <= 63;
}

bool s3_by_path(enum s3_addressing addressing, const char *endpoint, struct span bucket)
{
    switch (addressing) {
    case S3_ADDRESSING_PATH:
        return true;
    case S3_ADDRESSING_VIRTUAL:
        return false;
    case S3_ADDRESSING_AUTO:
        return !is_aws(endpoint) || !is_host_label(bucket);
    }
    abort();
}

char *s3_endpoint_copy(const char *endpoint)
{
    size_t len = strlen(endpoint);

    while (len > 0 && endpoint[len - 1] == '/') {
        len--;
    }
    return str_ndup(endpoint, len);
}
