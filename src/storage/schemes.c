#include "storage/schemes.h"

#include <stdlib.h>

#include "base/str.h"

struct schemes {
    struct store base;
    struct store *local;
    struct store *s3;
};

enum store_scheme store_scheme_of(const char *location)
{
    static const char *const s3[] = {"s3", "s3a", "s3n"};
    size_t len = strcspn(location, ":/");
    struct span scheme = span_of(location, len);

    if (location[0] == '/' || (location[len] == ':' && span_ieq_str(scheme, "file"))) {
        return STORE_SCHEME_LOCAL;
    }
    for (size_t i = 0; i < sizeof s3 / sizeof s3[0]; i++) {
        if (str_starts_with(location + len, "://") && span_ieq_str(scheme, s3[i])) {
            return STORE_SCHEME_S3;
        }
    }
    return STORE_SCHEME_OTHER;
}

static enum err_code choose(struct store *base, const char *location, struct store **out,
                            struct err *e)
{
    struct schemes *s = (struct schemes *)base;

    *out = NULL;
    switch (store_scheme_of(location)) {
    case STORE_SCHEME_LOCAL:
        *out = s->local;
        break;
    case STORE_SCHEME_S3:
        *out = s->s3;
        break;
    case STORE_SCHEME_OTHER:
        return err_set(e, ERR_UNSUPPORTED,
                       "'%s': calve reads and writes file:// and s3:// (s3a://, s3n://)", location);
    }
    return *out != NULL ? ERR_OK
                        : err_set(e, ERR_CONFIG, "'%s': no store is set up for this kind of place",
                                  location);
}

static enum err_code schemes_put(struct store *base, const char *location, struct span bytes,
                                 struct err *e)
{
    struct store *s;

    ERR_TRY(choose(base, location, &s, e));
    return store_put(s, location, bytes, e);
}

/* Neighbours that belong to the same store go there together. */
static enum err_code schemes_put_many(struct store *base, const struct store_object *objects,
                                      uint32_t count, struct err *e)
{
    for (uint32_t at = 0; at < count;) {
        enum store_scheme scheme = store_scheme_of(objects[at].location);
        uint32_t n = 1;
        struct store *s;

        while (at + n < count && store_scheme_of(objects[at + n].location) == scheme) {
            n++;
        }
        ERR_TRY(choose(base, objects[at].location, &s, e));
        ERR_TRY(store_put_many(s, objects + at, n, e));
        at += n;
    }
    return ERR_OK;
}

static enum err_code schemes_get(struct store *base, const char *location, struct buf *out,
                                 struct err *e)
{
    struct store *s;

    ERR_TRY(choose(base, location, &s, e));
    return store_get(s, location, out, e);
}

/* The file is the other store's from then on, and so is each call about it. */
static enum err_code schemes_create(struct store *base, const char *location,
                                    struct store_file **out, struct err *e)
{
    struct store *s;

    ERR_TRY(choose(base, location, &s, e));
    return store_create(s, location, out, e);
}

static enum err_code schemes_open(struct store *base, const char *location,
                                  struct store_reader **out, struct byte_source *source,
                                  struct err *e)
{
    struct store *s;

    ERR_TRY(choose(base, location, &s, e));
    return store_open(s, location, out, source, e);
}

static enum err_code schemes_remove(struct store *base, const char *location, struct err *e)
{
    struct store *s;

    ERR_TRY(choose(base, location, &s, e));
    return store_remove(s, location, e);
}

static enum err_code schemes_list(struct store *base, const char *prefix, store_list_fn *each,
                                  void *ctx, struct err *e)
{
    struct store *s;

    ERR_TRY(choose(base, prefix, &s, e));
    return store_list(s, prefix, each, ctx, e);
}

static enum err_code schemes_sweep(struct store *base, const char *prefix, uint32_t *removed,
                                   struct err *e)
{
    struct store *s;

    ERR_TRY(choose(base, prefix, &s, e));
    return store_sweep(s, prefix, removed, e);
}

/* Neighbours that belong to the same store go there together. */
static enum err_code schemes_remove_many(struct store *base, const char *const *locations,
                                         uint32_t count, bool *removed, struct err *e)
{
    enum err_code first = ERR_OK;

    for (uint32_t at = 0; at < count;) {
        enum store_scheme scheme = store_scheme_of(locations[at]);
        uint32_t n = 1;
        struct err why = {0};
        struct store *s;

        while (at + n < count && store_scheme_of(locations[at + n]) == scheme) {
            n++;
        }
        enum err_code rc = choose(base, locations[at], &s, &why);

        if (rc == ERR_OK) {
            rc = store_remove_many(s, locations + at, n, removed == NULL ? NULL : removed + at,
                                   &why);
        }
        if (rc != ERR_OK && first == ERR_OK) {
            first = rc;
            if (e != NULL) {
                *e = why;
            }
        }
        at += n;
    }
    return first;
}

static void schemes_free(struct store *base)
{
    struct schemes *s = (struct schemes *)base;

    store_free(s->local);
    store_free(s->s3);
    free(s);
}

static const struct store_ops schemes_ops = {
    .put = schemes_put,
    .put_many = schemes_put_many,
    .get = schemes_get,
    .create = schemes_create,
    .open = schemes_open,
    .remove = schemes_remove,
    .list = schemes_list,
    .sweep = schemes_sweep,
    .remove_many = schemes_remove_many,
    .free = schemes_free,
};

enum err_code store_schemes_new(struct store *local, struct store *s3, struct store **out,
                                struct err *e)
{
    struct schemes *s = calloc(1, sizeof *s);

    if (s == NULL) {
        store_free(local);
        store_free(s3);
        return err_nomem(e);
    }
    *s = (struct schemes){.base.ops = &schemes_ops, .local = local, .s3 = s3};
    *out = &s->base;
    return ERR_OK;
}
