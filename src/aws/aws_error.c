#include <jansson.h>
#include <stdio.h>

#include "aws/aws_client.h"
#include "base/str.h"
#include "net/xml.h"

#define EXCERPT_BYTES 160u

/* Its words on one line, well-formed UTF-8, cut at a character. */
static void copy_text(char *out, size_t out_bytes, struct span text)
{
    size_t len = 0;

    while (text.len > 0) {
        size_t wide = str_utf8_char(text);
        size_t width = wide == 0 ? 1 : wide;
        bool plain = wide > 0 && text.data[0] > ' ' && text.data[0] != 0x7f;

        if (len + width >= out_bytes) {
            break;
        }
        if (plain) {
            memcpy(out + len, text.data, width);
            len += width;
        } else if (len > 0 && out[len - 1] != ' ') {
            out[len++] = ' ';
        }
        text = span_of(text.data + width, text.len - width);
    }
    while (len > 0 && out[len - 1] == ' ') {
        len--;
    }
    out[len] = '\0';
}

#define COPY(out, text) copy_text((out), sizeof(out), span_str(text))

static void read_head(const struct http_response *response, struct aws_error *out)
{
    static const char *const request_ids[] = {"x-amzn-requestid", "x-amz-request-id"};
    const char *region = http_response_header(response, "x-amz-bucket-region");

    *out = (struct aws_error){.status = response->status};
    for (size_t i = 0; i < sizeof request_ids / sizeof request_ids[0]; i++) {
        const char *id = http_response_header(response, request_ids[i]);

        if (id != NULL) {
            COPY(out->request_id, id);
        }
    }
    if (region != NULL) {
        COPY(out->region, region);
    }
}

/* A proxy's page or a redirect: enough of it to see that it is not the service that answers. */
static void read_strange_body(const struct http_response *response, struct aws_error *out)
{
    char begins[EXCERPT_BYTES];
    const char *target = http_response_header(response, "location");

    if (out->code[0] != '\0' || out->message[0] != '\0') {
        return;
    }
    if (target != NULL) {
        COPY(begins, target);
        (void)snprintf(out->message, sizeof out->message, "it points to %s", begins);
    } else if (response->body.len > 0) {
        copy_text(begins, sizeof begins, buf_span(&response->body));
        (void)snprintf(out->message, sizeof out->message,
                       "what it says is not in the form of AWS and begins with: %s", begins);
    }
}

/* ---- JSON ---- */

/* Without the namespace in front of '#' and what a gateway puts behind ':'. */
static void copy_code(struct aws_error *out, const char *text)
{
    const char *hash = strrchr(text, '#');
    const char *code = hash == NULL ? text : hash + 1;

    copy_text(out->code, sizeof out->code, span_of(code, strcspn(code, ":")));
}

static const char *first_text(const json_t *object, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_object_get(object, names[i]));

        if (text != NULL) {
            return text;
        }
    }
    return NULL;
}

static void read_json_body(const json_t *body, struct aws_error *out)
{
    static const char *const code_names[] = {"__type", "code", "Code", "type"};
    static const char *const message_names[] = {"message", "Message", "errorMessage"};
    const json_t *inner = json_object_get(body, "error"); /* Iceberg REST behind a gateway */
    const json_t *object = json_is_object(inner) ? inner : body;
    const char *code = first_text(object, code_names, sizeof code_names / sizeof code_names[0]);
    const char *message =
        first_text(object, message_names, sizeof message_names / sizeof message_names[0]);

    if (code != NULL && out->code[0] == '\0') {
        copy_code(out, code);
    }
    if (message != NULL) {
        COPY(out->message, message);
    }
}

bool aws_read_json_error(const struct http_response *response, struct aws_error *out)
{
    const char *type = http_response_header(response, "x-amzn-errortype");

    read_head(response, out);
    if (response->status < 300) {
        return false;
    }
    if (type != NULL) {
        copy_code(out, type);
    }
    json_t *body = response->body.len == 0
                       ? NULL
                       : json_loadb((const char *)response->body.data, response->body.len, 0, NULL);

    read_json_body(body, out);
    json_decref(body);
    read_strange_body(response, out);
    return true;
}

/* ---- XML ---- */

/* "b.s3.eu-west-1.amazonaws.com", or of old "b.s3-eu-west-1.…": where a bucket is. */
static void read_region_of_host(const char *host, struct aws_error *out)
{
    const char *end = strstr(host, ".amazonaws.");
    const char *at = end;

    while (at != NULL && at > host && at[-1] != '.') {
        at--;
    }
    if (at == NULL || out->region[0] != '\0' || strncmp(at, "s3.", 3) == 0) {
        return; /* "s3.amazonaws.com" has none */
    }
    if (strncmp(at, "s3-", 3) == 0) {
        at += 3;
    }
    copy_text(out->region, sizeof out->region, span_of(at, (size_t)(end - at)));
}

static enum err_code on_close(void *ctx, const char *path, const char *text, struct err *e)
{
    struct aws_error *out = ctx;
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? "" : slash + 1;

    (void)e;
    if (strcmp(name, "Code") == 0) {
        COPY(out->code, text);
    } else if (strcmp(name, "Message") == 0) {
        COPY(out->message, text);
    } else if (strcmp(name, "RequestId") == 0) {
        COPY(out->request_id, text);
    } else if (strcmp(name, "Region") == 0) {
        COPY(out->region, text);
    } else if (strcmp(name, "Endpoint") == 0) {
        read_region_of_host(text, out);
    }
    return ERR_OK;
}

/* "the region 'us-east-1' is wrong; expecting 'eu-west-1'" */
static void read_expected_region(struct aws_error *out)
{
    static const char marker[] = "expecting '";
    const char *at = strstr(out->message, marker);
    const char *region = at == NULL ? NULL : at + sizeof marker - 1;
    const char *end = region == NULL ? NULL : strchr(region, '\'');

    if (out->region[0] == '\0' && end != NULL) {
        copy_text(out->region, sizeof out->region, span_of(region, (size_t)(end - region)));
    }
}

static struct span skip_blanks(struct span text)
{
    while (text.len > 0 && text.data[0] <= ' ') {
        text = span_of(text.data + 1, text.len - 1);
    }
    return text;
}

static bool begins_with(struct span text, const char *start)
{
    size_t len = strlen(start);

    return text.len >= len && memcmp(text.data, start, len) == 0;
}

/*
 * Some actions of S3 begin with a 200, keep the connection alive with blanks, and end in an error.
 * An object that is read must not be taken for one, so it has to look like one from outside; what
 * looks like one is one, also if it cannot be read.
 */
static bool is_late_error(const struct http_response *response)
{
    const char *type = http_response_header(response, "content-type");
    struct span body = skip_blanks(buf_span(&response->body));

    if (response->status != 200 || (type != NULL && strstr(type, "xml") == NULL)) {
        return false;
    }
    if (begins_with(body, "<?xml")) {
        const uint8_t *end = memchr(body.data, '>', body.len);

        body = end == NULL
                   ? span_of(NULL, 0)
                   : skip_blanks(span_of(end + 1, body.len - (size_t)(end + 1 - body.data)));
    }
    return begins_with(body, "<Error>") || begins_with(body, "<Error ");
}

bool aws_read_xml_error(const struct http_response *response, struct aws_error *out)
{
    const struct xml_handler handler = {.close = on_close, .ctx = out};
    /* expat would refuse blanks in front of "<?xml". */
    struct span body = skip_blanks(buf_span(&response->body));

    read_head(response, out);
    if (response->status < 300 && !is_late_error(response)) {
        return false;
    }
    /* What comes before a mistake in the document counts. */
    if (body.len > 0) {
        (void)!xml_parse(body, &handler, NULL);
    }
    read_expected_region(out);
    read_strange_body(response, out);
    return true;
}
