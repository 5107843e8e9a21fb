/*
 * inspect_signature.c - how a request is signed: for comparing with what a service says it expected
 * (SignatureDoesNotMatch), and with other signers.
 *
 * Each line of the input is an object:
 *
 *   method, host, path, access_key_id, secret_access_key, region, service
 *   time                          of signing, seconds since the epoch
 *   query, session_token          may be left out
 *   headers                       [[name, value], …]; may be left out
 *   payload, or payload_hash      text, or 64 hex digits; without both the payload is empty
 *   path_as_is, send_payload_hash sigv4.h; else true for s3 and false for all others
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/inspect_int.h"
#include "app/output.h"
#include "aws/sigv4.h"
#include "codec/json_writer.h"

#define HEADERS_MAX 64u
#define FLUSH_BYTES 65536u

struct signature_input {
    struct sigv4_request request;
    struct sigv4_key key;
    struct http_header headers[HEADERS_MAX];
    char payload_hash[SIGV4_HASH_TEXT_BYTES];
};

static enum err_code read_headers(json_t *list, struct signature_input *out, struct err *e)
{
    size_t i;
    json_t *pair;

    json_array_foreach(list, i, pair)
    {
        struct http_header *h = &out->headers[i < HEADERS_MAX ? i : 0];

        if (i == HEADERS_MAX) {
            return err_set(e, ERR_CONFIG, "more than %u headers", HEADERS_MAX);
        }
        if (json_unpack(pair, "[ss!]", &h->name, &h->value) != 0) {
            return err_set(e, ERR_CONFIG, "headers: %zu is no pair of texts", i + 1);
        }
        out->request.header_count = (uint32_t)i + 1;
    }
    out->request.headers = out->headers;
    return ERR_OK;
}

/* Texts stay the object's. */
static enum err_code read_input(json_t *object, struct signature_input *out, struct err *e)
{
    json_error_t wrong;
    json_int_t time_s;
    json_t *headers = NULL;
    const char *payload = "";

    *out = (struct signature_input){.request = {.query = ""}};
    struct sigv4_request *q = &out->request;
    struct sigv4_key *k = &out->key;
    int as_is = -1;
    int send_hash = -1;

    if (json_unpack_ex(object, &wrong, JSON_STRICT,
                       "{ss, ss, ss, ss, ss, ss, ss, sI, s?s, s?s, s?o, s?s, s?s, s?b, s?b}",
                       "method", &q->method, "host", &q->host, "path", &q->path, "access_key_id",
                       &k->access_key_id, "secret_access_key", &k->secret_access_key, "region",
                       &k->region, "service", &k->service, "time", &time_s, "query", &q->query,
                       "session_token", &k->session_token, "headers", &headers, "payload", &payload,
                       "payload_hash", &q->payload_hash, "path_as_is", &as_is, "send_payload_hash",
                       &send_hash) != 0) {
        return err_set(e, ERR_CONFIG, "%s", wrong.text);
    }
    bool s3 = strcmp(k->service, "s3") == 0;

    k->time_s = time_s;
    k->path_as_is = as_is < 0 ? s3 : as_is != 0;
    k->send_payload_hash = send_hash < 0 ? s3 : send_hash != 0;
    if (q->payload_hash == NULL || q->payload_hash[0] == '\0') {
        sigv4_hash(span_str(payload), out->payload_hash);
        q->payload_hash = out->payload_hash;
    }
    return read_headers(headers, out, e);
}

static enum err_code put_signature(const struct signature_input *in, bool json, struct buf *out,
                                   struct err *e)
{
    struct sigv4_headers h;
    struct buf canonical = {0};
    enum err_code rc = sigv4_sign(&in->request, &in->key, &h, e);

    if (rc == ERR_OK) {
        rc = sigv4_canonical_request(&in->request, &in->key, &canonical, e);
    }
    if (rc == ERR_OK && json) {
        buf_append_str(out, "{\"canonical_request\":");
        json_put_string(out, buf_span(&canonical));
        buf_append_str(out, ",\"authorization\":");
        json_put_string(out, span_str((const char *)h.authorization.data));
        buf_append_str(out, "}\n");
    } else if (rc == ERR_OK) {
        buf_append_span(out, buf_span(&canonical));
        buf_printf(out, "\n\nAuthorization: %s\n\n", (const char *)h.authorization.data);
    }
    buf_deinit(&canonical);
    sigv4_headers_deinit(&h);
    return rc;
}

enum err_code inspect_signature_line(struct span line, bool json, struct buf *out, struct err *e)
{
    json_error_t wrong;
    struct signature_input in;
    json_t *object = json_loadb((const char *)line.data, line.len, 0, &wrong);

    if (object == NULL) {
        return err_set(e, ERR_CONFIG, "%s at byte %d", wrong.text, wrong.position);
    }
    enum err_code rc = read_input(object, &in, e);

    if (rc == ERR_OK) {
        rc = put_signature(&in, json, out, e);
    }
    json_decref(object);
    return rc;
}

static enum err_code read_lines(FILE *file, bool json, struct buf *out, struct err *e)
{
    char *line = NULL;
    size_t room = 0;
    unsigned long number = 0;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK) {
        ssize_t len = getline(&line, &room, file);

        if (len < 0) {
            break;
        }
        number++;
        rc = inspect_signature_line(span_of(line, (size_t)len), json, out, e);
        if (rc != ERR_OK) {
            err_wrap(e, "line %lu", number);
        } else if (out->len >= FLUSH_BYTES) {
            rc = output_flush(out, e);
        }
    }
    if (rc == ERR_OK && ferror(file)) {
        rc = err_set_os(e, ERR_IO, errno, "reading line %lu", number + 1);
    }
    free(line);
    return rc;
}

enum err_code inspect_signature(const char *path, const struct command_args *args, struct err *e)
{
    struct buf out = {0};
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "r");

    if (file == NULL) {
        return err_set_os(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "opening %s", path);
    }
    enum err_code rc = read_lines(file, args->json, &out, e);
    enum err_code flushed = output_flush(&out, rc == ERR_OK ? e : NULL);

    if (!standard) {
        (void)fclose(file);
    }
    buf_deinit(&out);
    return rc == ERR_OK ? flushed : err_wrap(e, "%s", standard ? "standard input" : path);
}
