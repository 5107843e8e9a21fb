#include "fake_store.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/str.h"

struct object {
    char *location;
    uint8_t *bytes;
    size_t len;
    int64_t modified_us;
};

struct fake_store {
    struct store base;
    pthread_mutex_t mutex; /* guards all below */
    struct object *objects;
    size_t count;
    size_t capacity;
    struct fake_failure failures[FAKE_STORE_OPS];
    bool failed[FAKE_STORE_OPS];
    unsigned long calls[FAKE_STORE_OPS];
    const struct clock *clock;
    bool holds;
};

struct fake_file {
    struct store_file base;
    char *location;
    struct buf bytes;
};

struct fake_reader {
    struct store_reader base;
    char *location;
    uint8_t *bytes;
    size_t len;
};

/* Queries take a const store: the lock is no part of what they look at. */
static struct fake_store *lock(const struct store *s)
{
    struct fake_store *f = (struct fake_store *)(uintptr_t)s;

    (void)pthread_mutex_lock(&f->mutex);
    return f;
}

static void unlock(struct fake_store *f)
{
    (void)pthread_mutex_unlock(&f->mutex);
}

/* Counts a call; whether it is one that is to fail. */
static bool strikes(struct fake_store *f, enum fake_store_op op, const char *location)
{
    struct fake_failure *plan = &f->failures[op];

    f->calls[op]++;
    if (plan->nth == 0 || (plan->part != NULL && strstr(location, plan->part) == NULL)) {
        return false;
    }
    if (plan->nth > 1) {
        plan->nth--;
        return false;
    }
    f->failed[op] = true;
    if (plan->times > 1) {
        plan->times--;
    } else {
        plan->nth = 0;
    }
    return true;
}

static enum err_code strike(const struct fake_failure *plan, const char *location, struct err *e)
{
    return plan->retryable ? err_set_retryable(e, plan->code, "%s: planned failure", location)
                           : err_set(e, plan->code, "%s: planned failure", location);
}

/* Where the location is, or where it belongs. */
static size_t find(const struct fake_store *f, const char *location, bool *found)
{
    size_t low = 0;
    size_t high = f->count;

    *found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(f->objects[mid].location, location);

        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void object_deinit(struct object *o)
{
    free(o->location);
    free(o->bytes);
}

static uint8_t *copy_bytes(struct span in)
{
    uint8_t *copy = malloc(in.len + 1);

    if (copy != NULL && in.len > 0) {
        memcpy(copy, in.data, in.len);
    }
    return copy;
}

static bool insert(struct fake_store *f, size_t at, const char *location, struct span bytes)
{
    if (f->count == f->capacity) {
        size_t capacity = f->capacity == 0 ? 64 : f->capacity * 2;
        struct object *objects = realloc(f->objects, capacity * sizeof *objects);

        if (objects == NULL) {
            return false;
        }
        f->objects = objects;
        f->capacity = capacity;
    }
    struct object new = {
        .location = str_dup(location),
        .bytes = copy_bytes(bytes),
        .len = bytes.len,
        .modified_us = f->clock == NULL ? 0 : clock_wall_us(f->clock),
    };

    if (new.location == NULL || new.bytes == NULL) {
        object_deinit(&new);
        return false;
    }
    memmove(f->objects + at + 1, f->objects + at, (f->count - at) * sizeof new);
    f->objects[at] = new;
    f->count++;
    return true;
}

static void erase(struct fake_store *f, size_t at)
{
    object_deinit(&f->objects[at]);
    f->count--;
    memmove(f->objects + at, f->objects + at + 1, (f->count - at) * sizeof *f->objects);
}

static enum err_code put_locked(struct fake_store *f, enum fake_store_op op, const char *location,
                                struct span bytes, struct err *e)
{
    struct fake_failure plan = f->failures[op];
    bool strikes_now = strikes(f, op, location);
    bool found;
    size_t at = find(f, location, &found);

    if (strikes_now && !plan.done) {
        return strike(&plan, location, e);
    }
    if (found) {
        return err_set(e, ERR_EXISTS, "%s is there already", location);
    }
    if (!insert(f, at, location, bytes)) {
        return err_nomem(e);
    }
    return strikes_now ? strike(&plan, location, e) : ERR_OK;
}

static enum err_code fake_put(struct store *s, const char *location, struct span bytes,
                              struct err *e)
{
    struct fake_store *f = lock(s);
    enum err_code rc = put_locked(f, FAKE_STORE_PUT, location, bytes, e);

    unlock(f);
    return rc;
}

/* Counts a call that has no effect to be kept or not; its failure if it is to fail. */
static enum err_code count_call(struct store *s, enum fake_store_op op, const char *location,
                                struct err *e)
{
    struct fake_store *f = lock(s);
    struct fake_failure plan = f->failures[op];
    bool strikes_now = strikes(f, op, location);

    unlock(f);
    return strikes_now ? strike(&plan, location, e) : ERR_OK;
}

static enum err_code fake_get(struct store *s, const char *location, struct buf *out, struct err *e)
{
    bool found;
    enum err_code rc = count_call(s, FAKE_STORE_GET, location, e);

    if (rc != ERR_OK) {
        return rc;
    }
    struct fake_store *f = lock(s);
    size_t at = find(f, location, &found);

    if (found) {
        buf_append(out, f->objects[at].bytes, f->objects[at].len);
        rc = buf_check(out, e, location);
    } else {
        rc = err_set(e, ERR_NOT_FOUND, "%s is not there", location);
    }
    unlock(f);
    return rc;
}

static void fake_abandon(struct store_file *base)
{
    struct fake_file *file = (struct fake_file *)base;

    buf_deinit(&file->bytes);
    free(file->location);
    free(file);
}

static enum err_code fake_create(struct store *s, const char *location, struct store_file **out,
                                 struct err *e)
{
    enum err_code rc = count_call(s, FAKE_STORE_CREATE, location, e);

    if (rc != ERR_OK) {
        return rc;
    }
    struct fake_file *file = calloc(1, sizeof *file);

    if (file == NULL) {
        return err_nomem(e);
    }
    file->base.store = s;
    file->location = str_dup(location);
    if (file->location == NULL) {
        fake_abandon(&file->base);
        return err_nomem(e);
    }
    *out = &file->base;
    return ERR_OK;
}

static enum err_code fake_write(struct store_file *base, struct span bytes, struct err *e)
{
    struct fake_file *file = (struct fake_file *)base;
    enum err_code rc = count_call(base->store, FAKE_STORE_WRITE, file->location, e);

    if (rc != ERR_OK) {
        return rc;
    }
    buf_append_span(&file->bytes, bytes);
    return buf_check(&file->bytes, e, file->location);
}

static uint64_t fake_held_bytes(const struct store_file *base)
{
    const struct fake_file *file = (const struct fake_file *)base;
    struct fake_store *f = lock(base->store);
    bool holds = f->holds;

    unlock(f);
    return holds ? file->bytes.cap : 0;
}

static enum err_code fake_finish(struct store_file *base, struct err *e)
{
    struct fake_file *file = (struct fake_file *)base;
    struct fake_store *f = lock(base->store);
    enum err_code rc = put_locked(f, FAKE_STORE_FINISH, file->location, buf_span(&file->bytes), e);

    unlock(f);
    fake_abandon(base);
    return rc;
}

static void fake_close(struct store_reader *base)
{
    struct fake_reader *r = (struct fake_reader *)base;

    free(r->location);
    free(r->bytes);
    free(r);
}

static enum err_code fake_read_at(void *ctx, uint64_t offset, uint8_t *out, size_t len,
                                  struct err *e)
{
    struct fake_reader *r = ctx;
    enum err_code rc = count_call(r->base.store, FAKE_STORE_READ, r->location, e);

    if (rc != ERR_OK) {
        return rc;
    }
    if (offset > r->len || len > r->len - offset) {
        return err_set(e, ERR_IO, "%s ends before that", r->location);
    }
    memcpy(out, r->bytes + offset, len);
    return ERR_OK;
}

static enum err_code fake_open(struct store *s, const char *location, struct store_reader **out,
                               struct byte_source *source, struct err *e)
{
    bool found;
    enum err_code rc = count_call(s, FAKE_STORE_OPEN, location, e);

    if (rc != ERR_OK) {
        return rc;
    }
    struct fake_reader *r = calloc(1, sizeof *r);

    if (r == NULL) {
        return err_nomem(e);
    }
    struct fake_store *f = lock(s);
    size_t at = find(f, location, &found);

    if (found) {
        r->base.store = s;
        r->location = str_dup(location);
        r->bytes = copy_bytes(span_of(f->objects[at].bytes, f->objects[at].len));
        r->len = f->objects[at].len;
    }
    unlock(f);
    if (!found || r->location == NULL || r->bytes == NULL) {
        rc = found ? err_nomem(e) : err_set(e, ERR_NOT_FOUND, "%s is not there", location);
        fake_close(&r->base);
        return rc;
    }
    *out = &r->base;
    *source = (struct byte_source){r->len, fake_read_at, r};
    return ERR_OK;
}

static enum err_code fake_remove(struct store *s, const char *location, struct err *e)
{
    struct fake_store *f = lock(s);
    struct fake_failure plan = f->failures[FAKE_STORE_REMOVE];
    bool strikes_now = strikes(f, FAKE_STORE_REMOVE, location);
    bool found;
    size_t at = find(f, location, &found);

    if (found && (!strikes_now || plan.done)) {
        erase(f, at);
    }
    unlock(f);
    return strikes_now ? strike(&plan, location, e) : ERR_OK;
}

/* The entry as it is now, its location copied: each() may call the store. */
static bool entry_at(struct store *s, const char *after, const char *prefix, char **location,
                     struct store_entry *entry)
{
    bool found;
    struct fake_store *f = lock(s);
    size_t at = find(f, after == NULL ? prefix : after, &found);

    at += after != NULL && found ? 1 : 0;
    found = at < f->count && str_starts_with(f->objects[at].location, prefix);
    if (found) {
        *location = str_dup(f->objects[at].location);
        *entry = (struct store_entry){*location, f->objects[at].len, f->objects[at].modified_us};
    }
    unlock(f);
    return found;
}

static enum err_code fake_list(struct store *s, const char *prefix, store_list_fn *each, void *ctx,
                               struct err *e)
{
    struct store_entry entry;
    char *location = NULL;
    char *last = NULL;
    enum err_code rc = count_call(s, FAKE_STORE_LIST, prefix, e);

    while (rc == ERR_OK && entry_at(s, last, prefix, &location, &entry)) {
        free(last);
        last = location;
        rc = location == NULL ? err_nomem(e) : each(ctx, &entry, e);
    }
    free(last);
    return rc;
}

static void fake_free(struct store *s)
{
    struct fake_store *f = (struct fake_store *)s;

    while (f->count > 0) {
        object_deinit(&f->objects[--f->count]);
    }
    free(f->objects);
    (void)pthread_mutex_destroy(&f->mutex);
    free(f);
}

struct store *fake_store_new(void)
{
    static const struct store_ops ops = {
        .put = fake_put,
        .get = fake_get,
        .create = fake_create,
        .write = fake_write,
        .finish = fake_finish,
        .abandon = fake_abandon,
        .open = fake_open,
        .close = fake_close,
        .remove = fake_remove,
        .list = fake_list,
        .held_bytes = fake_held_bytes,
        .free = fake_free,
    };
    struct fake_store *f = calloc(1, sizeof *f);

    if (f == NULL) {
        return NULL;
    }
    f->base.ops = &ops;
    (void)pthread_mutex_init(&f->mutex, NULL);
    return &f->base;
}

void fake_store_set_clock(struct store *s, const struct clock *clock)
{
    struct fake_store *f = lock(s);

    f->clock = clock;
    unlock(f);
}

void fake_store_hold(struct store *s, bool holds)
{
    struct fake_store *f = lock(s);

    f->holds = holds;
    unlock(f);
}

void fake_store_fail(struct store *s, const struct fake_failure *failure)
{
    struct fake_store *f = lock(s);

    f->failures[failure->op] = *failure;
    f->failed[failure->op] = false;
    unlock(f);
}

void fake_store_fail_at(struct store *s, enum fake_store_op op, unsigned nth, enum err_code code)
{
    fake_store_fail(s, &(struct fake_failure){.op = op, .nth = nth, .code = code});
}

bool fake_store_failed(const struct store *s, enum fake_store_op op)
{
    struct fake_store *f = lock(s);
    bool failed = f->failed[op];

    unlock(f);
    return failed;
}

unsigned long fake_store_calls(const struct store *s, enum fake_store_op op)
{
    struct fake_store *f = lock(s);
    unsigned long calls = f->calls[op];

    unlock(f);
    return calls;
}

size_t fake_store_count(const struct store *s, const char *prefix)
{
    struct fake_store *f = lock(s);
    size_t n = 0;

    for (size_t i = 0; i < f->count; i++) {
        n += str_starts_with(f->objects[i].location, prefix) ? 1 : 0;
    }
    unlock(f);
    return n;
}

bool fake_store_has(const struct store *s, const char *location)
{
    return fake_store_peek(s, location).data != NULL;
}

const char *fake_store_name(const struct store *s, size_t i)
{
    struct fake_store *f = lock(s);
    const char *name = i < f->count ? f->objects[i].location : NULL;

    unlock(f);
    return name;
}

struct span fake_store_peek(const struct store *s, const char *location)
{
    struct fake_store *f = lock(s);
    bool found;
    size_t at = find(f, location, &found);
    struct span bytes = {NULL, 0};

    if (found) {
        bytes = span_of(f->objects[at].bytes, f->objects[at].len);
    }
    unlock(f);
    return bytes;
}

bool fake_store_set(struct store *s, const char *location, struct span bytes)
{
    struct fake_store *f = lock(s);
    bool found;
    size_t at = find(f, location, &found);

    if (found) {
        erase(f, at);
    }
    bool ok = insert(f, at, location, bytes);

    unlock(f);
    return ok;
}

uint64_t fake_store_bytes(const struct store *s)
{
    struct fake_store *f = lock(s);
    uint64_t bytes = 0;

    for (size_t i = 0; i < f->count; i++) {
        bytes += f->objects[i].len;
    }
    unlock(f);
    return bytes;
}
