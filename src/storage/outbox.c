#include "storage/outbox.h"

#include <stdlib.h>

#include "base/str.h"

struct outbox {
    struct store base;
    struct store *inner;
    size_t bytes_max;
    struct store_object *items; /* both parts are owned */
    uint32_t count;
    uint32_t capacity;
    size_t bytes;
};

struct outbox_file {
    struct store_file base;
    char *location;
    struct buf bytes;
    struct store_file *inner; /* once it is too large to be held */
};

static void drop_object(const struct store_object *o)
{
    free((void *)(uintptr_t)o->location);
    free((void *)(uintptr_t)o->bytes.data);
}

static void drop_all(struct outbox *o)
{
    for (uint32_t i = 0; i < o->count; i++) {
        drop_object(&o->items[i]);
    }
    o->count = 0;
    o->bytes = 0;
}

/* Its index, or count. */
static uint32_t find(const struct outbox *o, const char *location)
{
    uint32_t i = 0;

    while (i < o->count && strcmp(o->items[i].location, location) != 0) {
        i++;
    }
    return i;
}

static enum err_code grow(struct outbox *o, struct err *e)
{
    if (o->count < o->capacity) {
        return ERR_OK;
    }
    uint32_t capacity = o->capacity == 0 ? 8 : o->capacity * 2;
    struct store_object *items = realloc(o->items, capacity * sizeof *items);

    if (items == NULL) {
        return err_nomem(e);
    }
    o->items = items;
    o->capacity = capacity;
    return ERR_OK;
}

static enum err_code hold(struct outbox *o, const char *location, struct span bytes, struct err *e)
{
    ERR_TRY(grow(o, e));
    char *name = str_dup(location);
    unsigned char *copy = malloc(bytes.len + 1);

    if (name == NULL || copy == NULL) {
        free(name);
        free(copy);
        return err_nomem(e);
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    o->items[o->count++] = (struct store_object){name, span_of(copy, bytes.len)};
    o->bytes += bytes.len;
    return ERR_OK;
}

/* ---- operations ---- */

static enum err_code outbox_put(struct store *base, const char *location, struct span bytes,
                                struct err *e)
{
    struct outbox *o = (struct outbox *)base;

    if (find(o, location) < o->count) {
        return err_set(e, ERR_EXISTS, "%s is there already", location);
    }
    return bytes.len > o->bytes_max - o->bytes ? store_put(o->inner, location, bytes, e)
                                               : hold(o, location, bytes, e);
}

static enum err_code outbox_get(struct store *base, const char *location, struct buf *out,
                                struct err *e)
{
    struct outbox *o = (struct outbox *)base;
    uint32_t at = find(o, location);

    if (at == o->count) {
        return store_get(o->inner, location, out, e);
    }
    buf_append_span(out, o->items[at].bytes);
    return buf_check(out, e, location);
}

static enum err_code outbox_create(struct store *base, const char *location,
                                   struct store_file **out, struct err *e)
{
    struct outbox_file *f = calloc(1, sizeof *f);

    if (f == NULL) {
        return err_nomem(e);
    }
    f->base.store = base;
    f->location = str_dup(location);
    if (f->location == NULL) {
        free(f);
        return err_nomem(e);
    }
    *out = &f->base;
    return ERR_OK;
}

static void free_file(struct outbox_file *f)
{
    buf_deinit(&f->bytes);
    free(f->location);
    free(f);
}

/* From here on it is a file of the inner store. */
static enum err_code pass_on(struct outbox_file *f, struct err *e)
{
    struct outbox *o = (struct outbox *)f->base.store;

    ERR_TRY(store_create(o->inner, f->location, &f->inner, e));
    enum err_code rc = store_write(f->inner, buf_span(&f->bytes), e);

    buf_deinit(&f->bytes);
    return rc;
}

static enum err_code outbox_write(struct store_file *base, struct span bytes, struct err *e)
{
    struct outbox_file *f = (struct outbox_file *)base;
    const struct outbox *o = (struct outbox *)base->store;

    if (f->inner == NULL && bytes.len > o->bytes_max - f->bytes.len) {
        ERR_TRY(pass_on(f, e));
    }
    if (f->inner != NULL) {
        return store_write(f->inner, bytes, e);
    }
    buf_append_span(&f->bytes, bytes);
    return buf_check(&f->bytes, e, f->location);
}

static enum err_code outbox_finish(struct store_file *base, struct err *e)
{
    struct outbox_file *f = (struct outbox_file *)base;
    enum err_code rc = f->inner != NULL
                           ? store_finish(f->inner, e)
                           : outbox_put(base->store, f->location, buf_span(&f->bytes), e);

    free_file(f);
    return rc;
}

static void outbox_abandon(struct store_file *base)
{
    struct outbox_file *f = (struct outbox_file *)base;

    store_abandon(f->inner);
    free_file(f);
}

static uint64_t outbox_held_bytes(const struct store_file *base)
{
    const struct outbox_file *f = (const struct outbox_file *)base;

    return f->inner != NULL ? store_file_held_bytes(f->inner) : f->bytes.len;
}

/* A reader and the calls about it are the inner store's. */
static enum err_code outbox_open(struct store *base, const char *location,
                                 struct store_reader **out, struct byte_source *source,
                                 struct err *e)
{
    return store_open(((struct outbox *)base)->inner, location, out, source, e);
}

/* Whether it was held. */
static bool take_out(struct outbox *o, const char *location)
{
    uint32_t at = find(o, location);

    if (at == o->count) {
        return false;
    }
    o->bytes -= o->items[at].bytes.len;
    drop_object(&o->items[at]);
    o->count--;
    memmove(&o->items[at], &o->items[at + 1], (o->count - at) * sizeof o->items[0]);
    return true;
}

static enum err_code outbox_remove(struct store *base, const char *location, struct err *e)
{
    struct outbox *o = (struct outbox *)base;

    return take_out(o, location) ? ERR_OK : store_remove(o->inner, location, e);
}

static enum err_code outbox_remove_many(struct store *base, const char *const *locations,
                                        uint32_t count, bool *removed, struct err *e)
{
    struct outbox *o = (struct outbox *)base;
    const char **others = calloc((size_t)count + 1, sizeof *others);
    uint32_t *places = calloc((size_t)count + 1, sizeof *places);
    bool *gone = calloc((size_t)count + 1, sizeof *gone);
    bool *now = calloc((size_t)count + 1, sizeof *now);
    enum err_code rc = ERR_OK;
    uint32_t left = 0;

    if (others == NULL || places == NULL || gone == NULL || now == NULL) {
        rc = err_nomem(e);
    }
    for (uint32_t i = 0; rc == ERR_OK && i < count; i++) {
        if (take_out(o, locations[i])) {
            gone[i] = true;
        } else {
            places[left] = i;
            others[left++] = locations[i];
        }
    }
    if (rc == ERR_OK && left > 0) {
        rc = store_remove_many(o->inner, others, left, now, e);
        for (uint32_t i = 0; i < left; i++) {
            gone[places[i]] = now[i];
        }
    }
    if (removed != NULL && gone != NULL) {
        memcpy(removed, gone, count * sizeof *gone);
    }
    free(others);
    free(places);
    free(gone);
    free(now);
    return rc;
}

static enum err_code outbox_list(struct store *base, const char *prefix, store_list_fn *each,
                                 void *ctx, struct err *e)
{
    return store_list(((struct outbox *)base)->inner, prefix, each, ctx, e);
}

static enum err_code outbox_sweep(struct store *base, const char *prefix, uint32_t *removed,
                                  struct err *e)
{
    return store_sweep(((struct outbox *)base)->inner, prefix, removed, e);
}

static void outbox_free_store(struct store *base)
{
    outbox_free((struct outbox *)base);
}

static const struct store_ops outbox_ops = {
    .put = outbox_put,
    .get = outbox_get,
    .create = outbox_create,
    .write = outbox_write,
    .finish = outbox_finish,
    .abandon = outbox_abandon,
    .open = outbox_open,
    .remove = outbox_remove,
    .list = outbox_list,
    .sweep = outbox_sweep,
    .held_bytes = outbox_held_bytes,
    .remove_many = outbox_remove_many,
    .free = outbox_free_store,
};

enum err_code outbox_new(struct store *inner, size_t bytes_max, struct outbox **out, struct err *e)
{
    struct outbox *o = calloc(1, sizeof *o);

    if (o == NULL) {
        return err_nomem(e);
    }
    o->base.ops = &outbox_ops;
    o->inner = inner;
    o->bytes_max = bytes_max;
    *out = o;
    return ERR_OK;
}

void outbox_free(struct outbox *o)
{
    if (o != NULL) {
        drop_all(o);
        free(o->items);
        free(o);
    }
}

struct store *outbox_store(struct outbox *o)
{
    return &o->base;
}

const struct store_object *outbox_objects(const struct outbox *o, uint32_t *count)
{
    *count = o->count;
    return o->items;
}

enum err_code outbox_send(struct outbox *o, struct err *e)
{
    enum err_code rc = o->count == 0 ? ERR_OK : store_put_many(o->inner, o->items, o->count, e);

    drop_all(o);
    return rc;
}
