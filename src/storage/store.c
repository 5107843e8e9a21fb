#include "storage/store.h"

void store_free(struct store *s)
{
    if (s != NULL) {
        s->ops->free(s);
    }
}

enum err_code store_put(struct store *s, const char *location, struct span bytes, struct err *e)
{
    return s->ops->put(s, location, bytes, e);
}

enum err_code store_put_many(struct store *s, const struct store_object *objects, uint32_t count,
                             struct err *e)
{
    if (s->ops->put_many != NULL) {
        return s->ops->put_many(s, objects, count, e);
    }
    for (uint32_t i = 0; i < count; i++) {
        enum err_code rc = store_put(s, objects[i].location, objects[i].bytes, e);

        if (rc != ERR_OK) {
            err_wrap(e, "writing %s", objects[i].location);
            return rc;
        }
    }
    return ERR_OK;
}

enum err_code store_get(struct store *s, const char *location, struct buf *out, struct err *e)
{
    return s->ops->get(s, location, out, e);
}

enum err_code store_create(struct store *s, const char *location, struct store_file **out,
                           struct err *e)
{
    return s->ops->create(s, location, out, e);
}

enum err_code store_write(struct store_file *f, struct span bytes, struct err *e)
{
    return f->store->ops->write(f, bytes, e);
}

enum err_code store_finish(struct store_file *f, struct err *e)
{
    return f->store->ops->finish(f, e);
}

void store_abandon(struct store_file *f)
{
    if (f != NULL) {
        f->store->ops->abandon(f);
    }
}

uint64_t store_file_held_bytes(const struct store_file *f)
{
    const struct store_ops *ops = f->store->ops;

    return ops->held_bytes == NULL ? 0 : ops->held_bytes(f);
}

static enum err_code sink_write(void *ctx, struct span bytes, struct err *e)
{
    return store_write(ctx, bytes, e);
}

struct byte_sink store_file_sink(struct store_file *f)
{
    return (struct byte_sink){sink_write, f};
}

enum err_code store_open(struct store *s, const char *location, struct store_reader **out,
                         struct byte_source *source, struct err *e)
{
    return s->ops->open(s, location, out, source, e);
}

void store_close(struct store_reader *r)
{
    if (r != NULL) {
        r->store->ops->close(r);
    }
}

enum err_code store_remove(struct store *s, const char *location, struct err *e)
{
    return s->ops->remove(s, location, e);
}

static enum err_code remove_each(struct store *s, const char *const *locations, uint32_t count,
                                 bool *removed, struct err *e)
{
    enum err_code first = ERR_OK;

    for (uint32_t i = 0; i < count; i++) {
        struct err why = {0};
        enum err_code rc = store_remove(s, locations[i], &why);

        if (removed != NULL) {
            removed[i] = rc == ERR_OK;
        }
        if (rc != ERR_OK && first == ERR_OK) {
            first = rc;
            err_wrap(&why, "removing %s", locations[i]);
            if (e != NULL) {
                *e = why;
            }
        }
    }
    return first;
}

enum err_code store_remove_many(struct store *s, const char *const *locations, uint32_t count,
                                bool *removed, struct err *e)
{
    if (s->ops->remove_many == NULL) {
        return remove_each(s, locations, count, removed, e);
    }
    for (uint32_t i = 0; removed != NULL && i < count; i++) {
        removed[i] = false;
    }
    return s->ops->remove_many(s, locations, count, removed, e);
}

enum err_code store_list(struct store *s, const char *prefix, store_list_fn *each, void *ctx,
                         struct err *e)
{
    return s->ops->list(s, prefix, each, ctx, e);
}

enum err_code store_sweep(struct store *s, const char *prefix, uint32_t *removed, struct err *e)
{
    *removed = 0;
    return s->ops->sweep == NULL ? ERR_OK : s->ops->sweep(s, prefix, removed, e);
}
