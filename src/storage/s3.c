#include <stdlib.h>

#include "base/str.h"
#include "net/uri.h"
#include "storage/s3_int.h"

#define REGION_DEFAULT     "us-east-1"
#define PART_BYTES_DEFAULT ((size_t)8 << 20)

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void s3_free(struct store *base)
{
    struct s3_store *s = (struct s3_store *)base;

    s3_uploader_deinit(&s->uploader);
    s3_access_free_all(s);
    /* Texts of its own, though the options only read them. */
    free((char *)(uintptr_t)s->options.endpoint);
    free((char *)(uintptr_t)s->options.region);
    free((char *)(uintptr_t)s->options.sse);
    free((char *)(uintptr_t)s->options.sse_kms_key_id);
    (void)pthread_cond_destroy(&s->uploader.changed);
    (void)pthread_mutex_destroy(&s->uploader.mutex);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s);
}

static const struct store_ops s3_ops = {
    .put = s3_put,
    .put_many = s3_put_many,
    .get = s3_get,
    .create = s3_create,
    .write = s3_file_write,
    .finish = s3_finish,
    .abandon = s3_abandon,
    .open = s3_open,
    .close = s3_close,
    .remove = s3_remove,
    .list = s3_list,
    .sweep = s3_sweep,
    .held_bytes = s3_held_bytes,
    .remove_many = s3_remove_many,
    .free = s3_free,
};

static enum err_code check_sse(const struct s3_options *o, struct err *e)
{
    static const char *const known[] = {"AES256", "aws:kms", "aws:kms:dsse"};
    bool found = !is_given(o->sse);

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        found = found || strcmp(o->sse, known[i]) == 0;
    }
    if (!found) {
        return err_set(e, ERR_CONFIG,
                       "s3.sse.type: server-side encryption '%s' is none of AES256, aws:kms and "
                       "aws:kms:dsse",
                       o->sse);
    }
    if (is_given(o->sse_kms_key_id) && (!is_given(o->sse) || strcmp(o->sse, "AES256") == 0)) {
        return err_set(
            e, ERR_CONFIG,
            "s3.sse.key names a KMS key, but server-side encryption is %s: set s3.sse.type "
            "to kms or dsse-kms",
            is_given(o->sse) ? o->sse : "not set");
    }
    return ERR_OK;
}

static enum err_code check_options(const struct s3_options *o, struct err *e)
{
    if (!o->anonymous && o->credentials == NULL && o->lent.find == NULL) {
        return err_set(e, ERR_CONFIG, "S3 needs keys (s3.access-key-id), or s3.anonymous");
    }
    if (o->part_bytes != 0 &&
        (o->part_bytes < S3_PART_BYTES_MIN || o->part_bytes > S3_PART_BYTES_MAX)) {
        return err_set(e, ERR_CONFIG,
                       "s3.part-size: S3 takes parts of 5 MiB to 5 GiB, not of %zu bytes",
                       o->part_bytes);
    }
    return check_sse(o, e);
}

static enum err_code choose_endpoint(struct s3_store *s, const struct s3_options *o, struct err *e)
{
    char *found = is_given(o->endpoint) ? s3_endpoint_copy(o->endpoint)
                                        : aws_endpoint("s3", s->options.region, o->environment);
    struct uri uri;

    s->options.endpoint = found;
    if (found == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = uri_parse(found, &uri, e);

    if (rc == ERR_OK && uri_default_port(uri.scheme) == 0) {
        rc = err_set(e, ERR_CONFIG, "'%s': expected http:// or https://", found);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "s3.endpoint");
    }
    return rc;
}

static enum err_code copy_text(const char *text, const char **out, struct err *e)
{
    *out = NULL;
    if (is_given(text)) {
        *out = str_dup(text);
        return *out == NULL ? err_nomem(e) : ERR_OK;
    }
    return ERR_OK;
}

static enum err_code fill(struct s3_store *s, const struct s3_options *o, struct err *e)
{
    ERR_TRY(copy_text(o->sse, &s->options.sse, e));
    ERR_TRY(copy_text(o->sse_kms_key_id, &s->options.sse_kms_key_id, e));
    ERR_TRY(copy_text(is_given(o->region) ? o->region : REGION_DEFAULT, &s->options.region, e));
    ERR_TRY(choose_endpoint(s, o, e));
    return s3_uploader_init(&s->uploader, o, e);
}

enum err_code store_s3_new(const struct s3_options *options, struct store **out, struct err *e)
{
    ERR_TRY(check_options(options, e));
    struct s3_store *s = calloc(1, sizeof *s);

    if (s == NULL) {
        return err_nomem(e);
    }
    s->base.ops = &s3_ops;
    s->options = *options;
    s->options.endpoint = NULL;
    s->options.region = NULL;
    s->options.sse = NULL;
    s->options.sse_kms_key_id = NULL;
    s->options.environment = NULL;
    s->options.part_bytes = options->part_bytes == 0 ? PART_BYTES_DEFAULT : options->part_bytes;
    atomic_init(&s->condition, S3_CONDITION_UNKNOWN);
    rand_init(&s->rand);
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_mutex_init(&s->uploader.mutex, NULL);
    (void)pthread_cond_init(&s->uploader.changed, NULL);
    enum err_code rc = fill(s, options, e);

    if (rc != ERR_OK) {
        s3_free(&s->base);
        return rc;
    }
    *out = &s->base;
    return ERR_OK;
}
