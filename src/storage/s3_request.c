#include <openssl/evp.h>
#include <stdio.h>

#include "base/str.h"
#include "codec/crc32.h"
#include "storage/s3_int.h"

#define MD5_BYTES 16u

/*
 * Content-MD5 is what every server knows. An object's bytes go through it once, at 800 MB/s and
 * more (SHA-256: 550 MB/s, or 1900 with a processor's instructions for it), which is a few per cent
 * of the time that compressing them took.
 */
bool s3_checksum_of(struct span bytes, struct s3_checksum *out)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    bool is_md5 = EVP_Digest(bytes.data, bytes.len, digest, &digest_bytes, EVP_md5(), NULL) == 1 &&
                  digest_bytes == MD5_BYTES;

    if (!is_md5) {
        uint32_t crc = crc32_update(0, bytes);

        for (digest_bytes = 0; digest_bytes < sizeof crc; digest_bytes++) {
            digest[digest_bytes] = (uint8_t)(crc >> (24 - 8 * digest_bytes));
        }
    }
    (void)EVP_EncodeBlock((unsigned char *)out->text, digest, (int)digest_bytes);
    out->header = (struct http_header){is_md5 ? "Content-MD5" : "x-amz-checksum-crc32", out->text};
    return is_md5;
}

void s3_new_id(struct s3_store *s, char out[S3_ID_TEXT_BYTES])
{
    (void)pthread_mutex_lock(&s->mutex);
    uint64_t high = rand_u64(&s->rand);
    uint64_t low = rand_u64(&s->rand);

    (void)pthread_mutex_unlock(&s->mutex);
    (void)snprintf(out, S3_ID_TEXT_BYTES, "%016llx%016llx", (unsigned long long)high,
                   (unsigned long long)low);
}

uint32_t s3_object_headers(const struct s3_store *s, const char *id, struct http_header *headers,
                           uint32_t count)
{
    headers[count++] = (struct http_header){S3_ID_HEADER, id};
    if (s->options.sse != NULL) {
        headers[count++] = (struct http_header){"x-amz-server-side-encryption", s->options.sse};
    }
    if (s->options.sse_kms_key_id != NULL) {
        headers[count++] = (struct http_header){"x-amz-server-side-encryption-aws-kms-key-id",
                                                s->options.sse_kms_key_id};
    }
    return count;
}

static enum err_code send_by(const struct s3_route *route, const struct s3_request *r,
                             struct aws_answer *out, struct err *e)
{
    struct http_header headers[S3_HEADERS_MAX + 1];
    struct s3_checksum checksum;
    uint32_t count = 0;
    char *what = str_format("%s %s", r->operation, r->location);

    *out = (struct aws_answer){0};
    if (what == NULL) {
        return err_nomem(e);
    }
    while (count < r->header_count) {
        headers[count] = r->headers[count];
        count++;
    }
    /* A signed payload is a checksum already. */
    bool wanted =
        r->needs_checksum || (r->body.len > 0 && !aws_client_signs_payloads(route->client));
    bool is_md5 = wanted && s3_checksum_of(r->body, &checksum);

    if (is_md5 || r->needs_checksum) {
        headers[count++] = checksum.header;
    }
    enum err_code rc = aws_call(route->client,
                                &(struct aws_request){
                                    .what = what,
                                    .method = r->method,
                                    .host_prefix = route->host_prefix,
                                    .path = route->path,
                                    .query = r->query,
                                    .headers = headers,
                                    .header_count = count,
                                    .body = r->body,
                                    .has_body = r->has_body,
                                    .unsigned_payload = is_md5,
                                    .repeatable = true,
                                    .credentials = route->access.credentials.access_key_id == NULL
                                                       ? NULL
                                                       : &route->access.credentials,
                                    .region = route->access.region,
                                    .deadline_us = r->deadline_us,
                                    .response_bytes_max = r->response_bytes_max,
                                },
                                out, e);
    free(what);
    return rc;
}

enum err_code s3_send(struct s3_store *s, const struct s3_request *r, struct aws_answer *out,
                      struct err *e)
{
    bool renew = false;
    bool maybe_done = false;
    struct err why = {0};
    enum err_code rc;

    for (;;) {
        struct s3_route route;

        *out = (struct aws_answer){0};
        rc = s3_route_find(s, r->location, r->of_bucket, renew, &route, &why);
        if (rc != ERR_OK) {
            break;
        }
        bool lent = route.lent;

        rc = send_by(&route, r, out, &why);
        s3_route_deinit(&route);
        maybe_done = maybe_done || out->maybe_done;
        if (rc == ERR_OK) {
            break;
        }
        if (!lent || renew || !s3_keys_refused(&out->error)) {
            rc = s3_explain(s, r, out, &why);
            break;
        }
        renew = true;
        aws_answer_deinit(out);
    }
    out->maybe_done = maybe_done;
    if (rc != ERR_OK && e != NULL) {
        *e = why;
    }
    return rc;
}
