/*
 * store.h - objects by location: "file:///lake/shop/orders/data/x.parquet" on local disk,
 * "s3://lake/shop/orders/data/x.parquet" in S3 (s3.h); schemes.h has both.
 *
 * Objects are written once and never changed. When a write function returns ERR_OK the object is
 * durable: on local disk its bytes, its name and the names of the folders above it are synced.
 *
 * Thread: any; a store_file belongs to one.
 */
#ifndef CALVE_STORAGE_STORE_H
#define CALVE_STORAGE_STORE_H

#include "base/buf.h"
#include "base/byte_sink.h"

struct store;
struct store_file;
struct store_reader;

struct store_entry {
    const char *location;
    uint64_t size_bytes;
    int64_t modified_us; /* since the epoch */
};

struct store_object {
    const char *location;
    struct span bytes;
};

typedef enum err_code store_list_fn(void *ctx, const struct store_entry *entry, struct err *e);

struct store_ops {
    enum err_code (*put)(struct store *s, const char *location, struct span bytes, struct err *e);
    /* NULL: one after the other. */
    enum err_code (*put_many)(struct store *s, const struct store_object *objects, uint32_t count,
                              struct err *e);
    enum err_code (*get)(struct store *s, const char *location, struct buf *out, struct err *e);
    enum err_code (*create)(struct store *s, const char *location, struct store_file **out,
                            struct err *e);
    enum err_code (*write)(struct store_file *f, struct span bytes, struct err *e);
    enum err_code (*finish)(struct store_file *f, struct err *e);
    void (*abandon)(struct store_file *f);
    enum err_code (*open)(struct store *s, const char *location, struct store_reader **out,
                          struct byte_source *source, struct err *e);
    void (*close)(struct store_reader *r);
    enum err_code (*remove)(struct store *s, const char *location, struct err *e);
    enum err_code (*list)(struct store *s, const char *prefix, store_list_fn *each, void *ctx,
                          struct err *e);
    /* NULL: a backend whose unfinished objects vanish by themselves. */
    enum err_code (*sweep)(struct store *s, const char *prefix, uint32_t *removed, struct err *e);
    /* NULL: one that keeps nothing of an unfinished file in memory. */
    uint64_t (*held_bytes)(const struct store_file *f);
    /* removed[i] is false before; it becomes true when object i is gone. NULL: one by one. */
    enum err_code (*remove_many)(struct store *s, const char *const *locations, uint32_t count,
                                 bool *removed, struct err *e);
    void (*free)(struct store *s);
};

/* A backend's struct starts with this. */
struct store {
    const struct store_ops *ops;
};

struct store_file {
    struct store *store;
};

struct store_reader {
    struct store *store;
};

/* Local disk; locations are file:///abs/path (file:/abs/path and plain absolute paths are read
 * too). */
MUST_USE enum err_code store_local_new(struct store **out, struct err *e);
void store_free(struct store *s);

/* Writes a whole new object. Errors: ERR_EXISTS when it is there already; ERR_IO. */
MUST_USE enum err_code store_put(struct store *s, const char *location, struct span bytes,
                                 struct err *e);

/*
 * Writes several new objects, side by side where that is faster. After a failure some of them may
 * be there; *e has the first one and names its location. Errors: as store_put().
 */
MUST_USE enum err_code store_put_many(struct store *s, const struct store_object *objects,
                                      uint32_t count, struct err *e);

/* Appends the whole object to out, up to out's cap. Errors: ERR_NOT_FOUND, ERR_LIMIT, ERR_IO. */
MUST_USE enum err_code store_get(struct store *s, const char *location, struct buf *out,
                                 struct err *e);

/* A new object written in pieces. It gets its name only at finish; abandon leaves nothing. */
MUST_USE enum err_code store_create(struct store *s, const char *location, struct store_file **out,
                                    struct err *e);
MUST_USE enum err_code store_write(struct store_file *f, struct span bytes, struct err *e);
/* Frees f, also on failure (then nothing is left behind). */
MUST_USE enum err_code store_finish(struct store_file *f, struct err *e);
void store_abandon(struct store_file *f); /* frees f; NULL is fine */

/* Bytes of memory that an unfinished file keeps; finishing it gives them back. */
uint64_t store_file_held_bytes(const struct store_file *f);

/* A byte_sink over a store_file. */
struct byte_sink store_file_sink(struct store_file *f);

MUST_USE enum err_code store_open(struct store *s, const char *location, struct store_reader **out,
                                  struct byte_source *source, struct err *e);
void store_close(struct store_reader *r);

/* A missing object is ERR_OK. */
MUST_USE enum err_code store_remove(struct store *s, const char *location, struct err *e);

/*
 * Removes many objects, with as few requests as the backend can. After a failure the others are
 * tried all the same; *e has the first one and names its location. removed may be NULL; else it is
 * filled: whether each object is gone now.
 */
MUST_USE enum err_code store_remove_many(struct store *s, const char *const *locations,
                                         uint32_t count, bool *removed, struct err *e);

/* Every object whose location starts with prefix (a folder's location with a trailing '/'). */
MUST_USE enum err_code store_list(struct store *s, const char *prefix, store_list_fn *each,
                                  void *ctx, struct err *e);

/*
 * Removes what killed writers left unfinished below prefix (as for store_list, which does not show
 * it) and counts it; leaves alone what a living process is still writing.
 */
MUST_USE enum err_code store_sweep(struct store *s, const char *prefix, uint32_t *removed,
                                   struct err *e);

#endif
