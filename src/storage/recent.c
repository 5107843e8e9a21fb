#include "storage/recent.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/str.h"

#define COUNT_MAX 1024u

struct object {
    uint64_t used; /* uses of all when it was used last */
    char *location;
    size_t len;
    uint8_t bytes[];
};

struct recent {
    struct store base;
    struct store *inner;
    size_t bytes_max;
    pthread_mutex_t mutex; /* guards all below */
    struct object *items[COUNT_MAX];
    uint32_t count;
    uint64_t uses;
    size_t bytes;
};

/* ---- what is kept; the mutex is held ---- */

static void drop(struct recent *r, uint32_t i)
{
    struct object *o = r->items[i];

    r->bytes -= o->len;
    r->items[i] = r->items[--r->count];
    free(o->location);
    free(o);
}

/* Its index, or count. */
static uint32_t find(const struct recent *r, const char *location)
{
    uint32_t i = 0;

    while (i < r->count && strcmp(r->items[i]->location, location) != 0) {
        i++;
    }
    return i;
}

static uint32_t least_lately_used(const struct recent *r)
{
    uint32_t found = 0;

    for (uint32_t i = 1; i < r->count; i++) {
        found = r->items[i]->used < r->items[found]->used ? i : found;
    }
    return found;
}

static void add(struct recent *r, struct object *o)
{
    while (r->count > 0 && (r->count == COUNT_MAX || r->bytes + o->len > r->bytes_max)) {
        drop(r, least_lately_used(r));
    }
    o->used = ++r->uses;
    r->items[r->count++] = o;
    r->bytes += o->len;
}

/* ---- operations ---- */

/* Without memory it is not kept, and read when it is needed. */
static void keep(struct recent *r, const char *location, struct span bytes)
{
    if (bytes.len > RECENT_OBJECT_BYTES_MAX || bytes.len > r->bytes_max) {
        return;
    }
    struct object *o = malloc(sizeof *o + bytes.len);
    char *copy = str_dup(location);

    if (o == NULL || copy == NULL) {
        free(o);
        free(copy);
        return;
    }
    o->location = copy;
    o->len = bytes.len;
    if (bytes.len > 0) {
        memcpy(o->bytes, bytes.data, bytes.len);
    }
    (void)pthread_mutex_lock(&r->mutex);
    add(r, o);
    (void)pthread_mutex_unlock(&r->mutex);
}

static void forget(struct recent *r, const char *const *locations, uint32_t count)
{
    (void)pthread_mutex_lock(&r->mutex);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = find(r, locations[i]);

        if (at < r->count) {
            drop(r, at);
        }
    }
    (void)pthread_mutex_unlock(&r->mutex);
}

static enum err_code recent_put(struct store *base, const char *location, struct span bytes,
                                struct err *e)
{
    struct recent *r = (struct recent *)base;

    ERR_TRY(store_put(r->inner, location, bytes, e));
    keep(r, location, bytes);
    return ERR_OK;
}

static enum err_code recent_put_many(struct store *base, const struct store_object *objects,
                                     uint32_t count, struct err *e)
{
    struct recent *r = (struct recent *)base;

    ERR_TRY(store_put_many(r->inner, objects, count, e));
    for (uint32_t i = 0; i < count; i++) {
        keep(r, objects[i].location, objects[i].bytes);
    }
    return ERR_OK;
}

static enum err_code recent_get(struct store *base, const char *location, struct buf *out,
                                struct err *e)
{
    struct recent *r = (struct recent *)base;

    (void)pthread_mutex_lock(&r->mutex);
    uint32_t at = find(r, location);
    bool found = at < r->count;

    if (found) {
        struct object *o = r->items[at];

        o->used = ++r->uses;
        buf_append_span(out, span_of(o->bytes, o->len));
    }
    (void)pthread_mutex_unlock(&r->mutex);
    return found ? buf_check(out, e, location) : store_get(r->inner, location, out, e);
}

/* A file, a reader and each call about them are the inner store's. */
static enum err_code recent_create(struct store *base, const char *location,
                                   struct store_file **out, struct err *e)
{
    return store_create(((struct recent *)base)->inner, location, out, e);
}

static enum err_code recent_open(struct store *base, const char *location,
                                 struct store_reader **out, struct byte_source *source,
                                 struct err *e)
{
    return store_open(((struct recent *)base)->inner, location, out, source, e);
}

static enum err_code recent_remove(struct store *base, const char *location, struct err *e)
{
    struct recent *r = (struct recent *)base;

    forget(r, &location, 1);
    return store_remove(r->inner, location, e);
}

static enum err_code recent_remove_many(struct store *base, const char *const *locations,
                                        uint32_t count, bool *removed, struct err *e)
{
    struct recent *r = (struct recent *)base;

    forget(r, locations, count);
    return store_remove_many(r->inner, locations, count, removed, e);
}

static enum err_code recent_list(struct store *base, const char *prefix, store_list_fn *each,
                                 void *ctx, struct err *e)
{
    return store_list(((struct recent *)base)->inner, prefix, each, ctx, e);
}

static enum err_code recent_sweep(struct store *base, const char *prefix, uint32_t *removed,
                                  struct err *e)
{
    return store_sweep(((struct recent *)base)->inner, prefix, removed, e);
}

static void recent_free(struct store *base)
{
    struct recent *r = (struct recent *)base;

    while (r->count > 0) {
        drop(r, 0);
    }
    (void)pthread_mutex_destroy(&r->mutex);
    store_free(r->inner);
    free(r);
}

static const struct store_ops recent_ops = {
    .put = recent_put,
    .put_many = recent_put_many,
    .get = recent_get,
    .create = recent_create,
    .open = recent_open,
    .remove = recent_remove,
    .list = recent_list,
    .sweep = recent_sweep,
    .remove_many = recent_remove_many,
    .free = recent_free,
};

enum err_code store_recent_new(struct store *inner, size_t bytes_max, struct store **out,
                               struct err *e)
{
    struct recent *r = calloc(1, sizeof *r);

    if (r == NULL) {
        store_free(inner);
        return err_nomem(e);
    }
    r->base.ops = &recent_ops;
    r->inner = inner;
    r->bytes_max = bytes_max;
    (void)pthread_mutex_init(&r->mutex, NULL);
    *out = &r->base;
    return ERR_OK;
}
