#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_int.h"
#include "base/str.h"

#define HINT_BYTES    600u
#define MESSAGE_BYTES 240u /* of the service's own words */
#define US_PER_S      INT64_C(1000000)

/* ---- settings ---- */

/* By label: a REST catalog may sign in another service's name. */
struct settings {
    const char *label;
    const char *own; /* in front of its own settings for keys; NULL: it has none */
    const char *endpoint;
    const char *keys;
    const char *region;
};

/* The last one is for all others: REST catalogs. */
static const struct settings all_settings[] = {
    {"S3", "s3", "s3.endpoint", "s3.access-key-id", "s3.region"},
    {"Glue", "glue", "glue.endpoint", "glue.access-key-id", "glue.region"},
    {"STS", NULL, "AWS_ENDPOINT_URL_STS", "client.access-key-id", "client.region"},
    {NULL, NULL, "catalog.uri", "client.access-key-id", "rest.signing-region"},
};

static const struct settings *settings_of(const struct aws_service *service)
{
    const struct settings *s = all_settings;

    while (s->label != NULL && strcmp(s->label, service->label) != 0) {
        s++;
    }
    return s;
}

/* ---- what may be missing ---- */

struct permission {
    const char *word;
    const char *needed;
};

static const struct permission s3_permissions[] = {
    {"GET", "s3:GetObject"},
    {"HEAD", "s3:GetObject"},
    {"HeadObject", "s3:GetObject"},
    {"PUT", "s3:PutObject"},
    {"POST", "s3:PutObject"},
    {"CreateMultipartUpload", "s3:PutObject"},
    {"UploadPart", "s3:PutObject"},
    {"CompleteMultipartUpload", "s3:PutObject"},
    {"DELETE", "s3:DeleteObject"},
    {"DeleteObjects", "s3:DeleteObject"},
    {"LIST", "s3:ListBucket"},
    {"ListObjects", "s3:ListBucket"},
    {"ListObjectsV2", "s3:ListBucket"},
    {"HeadBucket", "s3:ListBucket"},
    {"ListMultipartUploads", "s3:ListBucketMultipartUploads"},
};

/* "GET s3://lake/x" gives "s3:GetObject", "GetTable shop.orders" gives "glue:GetTable". What an
 * action of a REST catalog asks for only the server knows. */
static void put_permission(const struct aws_failure *f, char *out, size_t out_bytes)
{
    struct span word = span_of(f->what, strcspn(f->what, " "));

    if (settings_of(f->service)->label == NULL) {
        bool gateway = strcmp(f->service->name, "execute-api") == 0;

        (void)snprintf(out, out_bytes, gateway ? "%s:Invoke" : "an action of %s:*",
                       f->service->name);
        return;
    }
    if (strcmp(f->service->name, "s3") == 0) {
        for (size_t i = 0; i < sizeof s3_permissions / sizeof s3_permissions[0]; i++) {
            if (span_eq_str(word, s3_permissions[i].word)) {
                (void)snprintf(out, out_bytes, "%s", s3_permissions[i].needed);
                return;
            }
        }
    }
    (void)snprintf(out, out_bytes, "%s:%.*s", f->service->name, (int)word.len,
                   (const char *)word.data);
}

static void hint_denied(const struct aws_failure *f, char *out)
{
    bool known = settings_of(f->service)->label != NULL;
    const char *blank = strchr(f->what, ' ');
    char needed[96];

    if (f->provider[0] == '\0') {
        /* A catalog may have another way to know who asks. */
        if (known) {
            (void)snprintf(out, HINT_BYTES, "it was asked without keys of AWS");
        }
        return;
    }
    put_permission(f, needed, sizeof needed);
    (void)snprintf(out, HINT_BYTES,
                   "the keys (%s) need %s %s%.150s: look at their IAM policy and at the policies "
                   "of the resource%s",
                   f->provider, needed, known ? "on " : "for this",
                   !known          ? ""
                   : blank == NULL ? "it"
                                   : blank + 1,
                   strcmp(needed, "s3:GetObject") == 0
                       ? " (without s3:ListBucket a missing object is denied too)"
                       : "");
}

static bool means_wrong_secret(const char *code)
{
    return strcmp(code, "SignatureDoesNotMatch") == 0 ||
           strcmp(code, "InvalidSignatureException") == 0;
}

/* Behind what the hint has so far: how looking for other keys went. */
static void add_renewal(const struct aws_failure *f, char *out)
{
    size_t len = strlen(out);

    if (f->renewal[0] != '\0') {
        (void)snprintf(out + len, HINT_BYTES - len, "; %.200s", f->renewal);
    }
}

static void hint_keys(const struct aws_failure *f, char *out)
{
    const struct settings *s = settings_of(f->service);

    if (means_wrong_secret(f->error->code)) {
        (void)snprintf(out, HINT_BYTES,
                       "the secret is not the one of the access key id (keys: %s; see %s, "
                       "AWS_ACCESS_KEY_ID), or the region is not the service's: it was signed for "
                       "region %s (%s)",
                       f->provider, s->keys, f->region, s->region);
    } else {
        (void)snprintf(out, HINT_BYTES,
                       "it does not know the access key id or the session token (keys: %s; see %s, "
                       "AWS_ACCESS_KEY_ID)",
                       f->provider, s->keys);
    }
    add_renewal(f, out);
}

static void hint_expired(const struct aws_failure *f, char *out)
{
    (void)snprintf(out, HINT_BYTES, "%s (keys: %s)",
                   f->error->code[0] == '\0' ? "a 400 without a reason is what expired keys give"
                                             : "the keys have expired",
                   f->provider);
    add_renewal(f, out);
}

static void hint_region(const struct aws_failure *f, char *out)
{
    if (f->error->region[0] == '\0') {
        (void)snprintf(out, HINT_BYTES, "it was asked for region %s: is %s (AWS_REGION) right?",
                       f->region, settings_of(f->service)->region);
    } else {
        (void)snprintf(out, HINT_BYTES, "it was asked for region %s and says %s: set %s", f->region,
                       f->error->region, settings_of(f->service)->region);
    }
}

static void hint_clock(const struct aws_failure *f, char *out)
{
    int64_t off_s = f->clock_ahead_s < 0 ? -f->clock_ahead_s : f->clock_ahead_s;

    if (off_s == 0) {
        (void)snprintf(out, HINT_BYTES, "is this machine's clock right?");
        return;
    }
    (void)snprintf(out, HINT_BYTES,
                   "this machine's clock is %lld s (%lld h %lld min) %s the service's: set it, or "
                   "start what keeps it set (NTP)",
                   (long long)off_s, (long long)off_s / 3600, (long long)off_s / 60 % 60,
                   f->clock_ahead_s > 0 ? "ahead of" : "behind");
}

/* A server that redirects is a proxy, or wants https. */
static void hint_redirect(const struct aws_failure *f, char *out)
{
    (void)snprintf(out, HINT_BYTES, "no redirect is followed: is %s right?",
                   settings_of(f->service)->endpoint);
}

static void put_hint(const struct aws_failure *f, char *out)
{
    out[0] = '\0';
    switch (f->class) {
    case AWS_CLASS_EXPIRED:
        hint_expired(f, out);
        break;
    case AWS_CLASS_SKEWED:
        hint_clock(f, out);
        break;
    case AWS_CLASS_REGION:
        hint_region(f, out);
        break;
    case AWS_CLASS_KEYS:
        hint_keys(f, out);
        break;
    case AWS_CLASS_DENIED:
        hint_denied(f, out);
        break;
    case AWS_CLASS_OTHER:
        if (f->error->status > 300 && f->error->status < 400 && f->error->status != 304) {
            hint_redirect(f, out);
        }
        break;
    case AWS_CLASS_TRANSIENT:
    case AWS_CLASS_THROTTLED:
        break;
    }
}

/* " (5 tries in 12 s)"; "" after one. */
static void put_tries(const struct aws_failure *f, char *out, size_t out_bytes)
{
    out[0] = '\0';
    if (f->tries > 1) {
        (void)snprintf(out, out_bytes, " (%u tries in %lld s)", f->tries,
                       (long long)(f->took_us / US_PER_S));
    }
}

enum err_code aws_fail_answered(const struct aws_failure *f, struct err *e)
{
    const struct aws_error *x = f->error;
    char hint[HINT_BYTES];
    char tries[64];
    enum err_code code = aws_error_code(x, f->class);

    size_t message_len = strnlen(x->message, MESSAGE_BYTES);

    message_len -= message_len > 0 && x->message[message_len - 1] == '.' ? 1 : 0;
    put_hint(f, hint);
    put_tries(f, tries, sizeof tries);
    err_set(e, code, "%.160s: %s at %.100s%s answered %d%s%s%s%.*s%s%s%s%s%s", f->what,
            f->service->label, f->endpoint, tries, x->status, x->code[0] == '\0' ? "" : " ",
            x->code, message_len == 0 ? "" : ": ", (int)message_len, x->message,
            x->request_id[0] == '\0' ? "" : " (request id ", x->request_id,
            x->request_id[0] == '\0' ? "" : ")", hint[0] == '\0' ? "" : "; ", hint);
    e->retryable = f->class == AWS_CLASS_TRANSIENT || f->class == AWS_CLASS_THROTTLED;
    return code;
}

void aws_fail_keyless(const struct aws_service *service, struct err *e)
{
    credentials_say_whose(service->label, settings_of(service)->own, e);
}

enum err_code aws_fail_unanswered(const struct aws_failure *f, bool sent, struct err *e)
{
    struct err cause = *e;
    char tries[64];

    put_tries(f, tries, sizeof tries);
    err_set(e, cause.code, "%.200s: no answer from %s at %.120s%s: %.400s%s%s%s", f->what,
            f->service->label, f->endpoint, tries, cause.msg,
            sent ? "" : "; is the endpoint right (", sent ? "" : settings_of(f->service)->endpoint,
            sent ? "" : ")?");
    e->os_errno = cause.os_errno;
    e->retryable = cause.retryable;
    return e->code;
}
