#include <stdio.h>

#include "base/str.h"
#include "storage/s3_int.h"

#define STATUS_FORBIDDEN 403

static bool is_one_of(const char *code, const char *const *codes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(code, codes[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool s3_keys_refused(const struct aws_error *error)
{
    static const char *const codes[] = {
        "ExpiredToken",   "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken",
        "RequestExpired", "InvalidAccessKeyId",    "AccessDenied",         "SignatureDoesNotMatch",
    };

    /* HEAD is refused without a word. */
    return error->status != 0 && (is_one_of(error->code, codes, sizeof codes / sizeof codes[0]) ||
                                  (error->status == STATUS_FORBIDDEN && error->code[0] == '\0'));
}

static bool is_denied(const struct aws_error *error)
{
    return strcmp(error->code, "AccessDenied") == 0 ||
           (error->status == STATUS_FORBIDDEN && error->code[0] == '\0');
}

/* The part of an ARN that says which AWS it is. */
static const char *partition(const char *region)
{
    return str_starts_with(region, "cn-")       ? "aws-cn"
           : str_starts_with(region, "us-gov-") ? "aws-us-gov"
                                                : "aws";
}

/* aws_call() says which action is missing; here comes what it is missing on. */
static enum err_code explain_denied(const struct s3_store *s, const struct s3_request *r,
                                    struct span bucket, struct span key, struct err *e)
{
    bool reads = strcmp(r->action, "s3:GetObject") == 0;
    size_t key_bytes = r->of_bucket ? 0 : key.len;

    return err_set(e, ERR_CONFIG, "%s (%s on arn:%s:s3:::%.*s%s%.*s%s)", e->msg, r->action,
                   partition(s->options.region), (int)bucket.len, (const char *)bucket.data,
                   key_bytes == 0 ? "" : "/", (int)key_bytes, (const char *)key.data,
                   reads ? "; without s3:ListBucket an object that is not there looks the same"
                         : "");
}

enum err_code s3_explain(const struct s3_store *s, const struct s3_request *r,
                         const struct aws_answer *a, struct err *e)
{
    const struct aws_error *error = &a->error;
    struct span bucket;
    struct span key;

    if (error->status == 0 || s3_location_split(r->location, &bucket, &key, NULL) != ERR_OK) {
        return e->code;
    }
    if (strcmp(error->code, "NoSuchBucket") == 0) {
        return err_set(e, ERR_CONFIG,
                       "%s (there is no bucket '%.*s' at %s: make it, or name another as the "
                       "warehouse, S3_BUCKET)",
                       e->msg, (int)bucket.len, (const char *)bucket.data, s->options.endpoint);
    }
    if (is_denied(error)) {
        return explain_denied(s, r, bucket, key, e);
    }
    if (error->code[0] == '\0' && error->message[0] != '\0' && !e->retryable) {
        return err_set(e, e->code, "%s (this is no answer of S3's: is s3.endpoint right?)", e->msg);
    }
    if (str_starts_with(error->code, "KMS.")) {
        return err_set(e, ERR_CONFIG,
                       "%s (the key of the bucket's encryption cannot be used: see that it is "
                       "enabled and that its policy allows kms:GenerateDataKey and kms:Decrypt)",
                       e->msg);
    }
    return e->code;
}
