#include "pipeline/held_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

#define BLOCK_BYTES       ((size_t)256 << 10)
#define ONE_BYTES_DEFAULT ((size_t)1 << 20)
#define ALL_BYTES_DEFAULT ((size_t)8 << 20)
#define TAIL_BYTES_MIN    ((size_t)4 << 10) /* what a tail may keep is not worth a write */
#define ENTRY_BYTES_MAX   ((size_t)UINT32_MAX + sizeof(struct slab_entry))
#define SAVEPOINTS_MAX    100000u
#define UNDONE_RANGES_MAX 1000000u

struct held_store {
    size_t one_bytes;
    size_t all_bytes;
    size_t settled_bytes; /* memory of the settled ones */
    char *folder;
    int fd;        /* -1: not made yet */
    uint8_t *used; /* a byte per block of the file */
    uint32_t block_count;
    uint32_t block_capacity;
    uint32_t first_free; /* no free block lies before it */
};

/* Neighbouring blocks of the file. */
struct extent {
    uint32_t first;
    uint32_t count;
};

struct savepoint {
    char *name;
    uint64_t at;
};

/* Rows from `from` on and before `to` do not stand. */
struct range {
    uint64_t from;
    uint64_t to;
};

struct held_rows {
    struct held_store *store;
    char *file;
    struct extent *extents;
    uint32_t extent_count;
    uint32_t extent_capacity;
    uint64_t file_bytes; /* in the extents; the rest is in the tail */
    struct buf tail;
    size_t settled; /* bytes that count in the store */
    struct followed_table **tables;
    uint32_t table_count;
    uint32_t table_capacity;
    struct savepoint *savepoints; /* in the order in which they were set */
    uint32_t savepoint_count;
    bool unsure; /* two names that some servers take for one */
    uint32_t savepoint_capacity;
    struct range *undone; /* sorted, apart from each other */
    uint32_t undone_count;
    uint32_t undone_capacity;
};

/* The items with room for one more; NULL when there is no memory, and they stay as they are. */
static void *grow(void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity) {
        return items;
    }
    uint32_t more = *capacity == 0 ? 4 : *capacity * 2;
    void *grown = realloc(items, more * size);

    *capacity = grown == NULL ? *capacity : more;
    return grown;
}

/* ---- the store ---- */

enum err_code held_store_new(const struct held_store_options *options, struct held_store **out,
                             struct err *e)
{
    struct held_store *s = calloc(1, sizeof *s);

    if (s == NULL) {
        return err_nomem(e);
    }
    s->fd = -1;
    s->one_bytes = options->one_bytes == 0 ? ONE_BYTES_DEFAULT : options->one_bytes;
    s->all_bytes = options->all_bytes == 0 ? ALL_BYTES_DEFAULT : options->all_bytes;
    s->folder = str_dup(options->folder);
    if (s->folder == NULL) {
        held_store_free(s);
        return err_nomem(e);
    }
    *out = s;
    return ERR_OK;
}

void held_store_free(struct held_store *s)
{
    if (s != NULL) {
        if (s->fd >= 0) {
            (void)close(s->fd);
        }
        free(s->folder);
        free(s->used);
        free(s);
    }
}

uint64_t held_store_file_bytes(const struct held_store *s)
{
    return (uint64_t)s->block_count * BLOCK_BYTES;
}

/* A file without a name goes with the process, however that ends. */
static enum err_code open_file(struct held_store *s, struct err *e)
{
    char *path = str_format("%s/calve-held-XXXXXX", s->folder);

    if (path == NULL) {
        return err_nomem(e);
    }
    int fd = mkstemp(path);

    if (fd < 0) {
        enum err_code rc = err_set_os(e, ERR_IO, errno,
                                      "making a temporary file in %s for the rows of open "
                                      "transactions (spill-dir names the folder)",
                                      s->folder);

        free(path);
        return rc;
    }
    (void)unlink(path);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    free(path);
    s->fd = fd;
    return ERR_OK;
}

static enum err_code take_block(struct held_store *s, uint32_t *out, struct err *e)
{
    uint32_t at = s->first_free;

    if (s->fd < 0) {
        ERR_TRY(open_file(s, e));
    }
    while (at < s->block_count && s->used[at] != 0) {
        at++;
    }
    if (at == s->block_count) {
        if (at == UINT32_MAX) {
            return err_set(e, ERR_LIMIT, "the rows of open transactions fill %u blocks", at);
        }
        uint8_t *used = grow(s->used, s->block_count, &s->block_capacity, sizeof *s->used);

        if (used == NULL) {
            return err_nomem(e);
        }
        s->used = used;
        s->block_count++;
    }
    s->used[at] = 1;
    s->first_free = at + 1;
    *out = at;
    return ERR_OK;
}

static void give_block(struct held_store *s, uint32_t block)
{
    s->used[block] = 0;
    s->first_free = block < s->first_free ? block : s->first_free;
}

/* Space at the file's end goes back to the disk. */
static void trim_file(struct held_store *s)
{
    uint32_t was = s->block_count;

    while (s->block_count > 0 && s->used[s->block_count - 1] == 0) {
        s->block_count--;
    }
    s->first_free = s->first_free < s->block_count ? s->first_free : s->block_count;
    if (s->block_count < was && ftruncate(s->fd, (off_t)s->block_count * (off_t)BLOCK_BYTES) != 0) {
        /* The space is used again all the same. */
    }
}

static enum err_code write_at(struct held_store *s, uint64_t at, const uint8_t *data, size_t len,
                              struct err *e)
{
    while (len > 0) {
        ssize_t n = pwrite(s->fd, data, len, (off_t)at);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return err_set_os(e, ERR_IO, n < 0 ? errno : ENOSPC,
                              "writing the rows of an open transaction to a temporary file in %s "
                              "(spill-dir names the folder)",
                              s->folder);
        }
        data += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

static enum err_code read_at(const struct held_store *s, uint64_t at, uint8_t *out, size_t len,
                             struct err *e)
{
    while (len > 0) {
        ssize_t n = pread(s->fd, out, len, (off_t)at);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return err_set_os(e, ERR_IO, n < 0 ? errno : EIO,
                              "reading the rows of a transaction from a temporary file in %s",
                              s->folder);
        }
        out += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

/* ---- rows ---- */

enum err_code held_rows_new(struct held_store *s, const char *file, struct held_rows **out,
                            struct err *e)
{
    struct held_rows *r = calloc(1, sizeof *r);

    if (r == NULL) {
        return err_nomem(e);
    }
    r->store = s;
    r->file = str_dup(file);
    if (r->file == NULL) {
        held_rows_free(r);
        return err_nomem(e);
    }
    *out = r;
    return ERR_OK;
}

static void forget_savepoints(struct held_rows *r, uint32_t keep)
{
    while (r->savepoint_count > keep) {
        free(r->savepoints[--r->savepoint_count].name);
    }
}

void held_rows_free(struct held_rows *r)
{
    if (r == NULL) {
        return;
    }
    for (uint32_t i = 0; i < r->extent_count; i++) {
        for (uint32_t k = 0; k < r->extents[i].count; k++) {
            give_block(r->store, r->extents[i].first + k);
        }
    }
    if (r->extent_count > 0) {
        trim_file(r->store);
    }
    r->store->settled_bytes -= r->settled;
    forget_savepoints(r, 0);
    buf_deinit(&r->tail);
    free(r->file);
    free(r->extents);
    free(r->tables);
    free(r->savepoints);
    free(r->undone);
    free(r);
}

uint64_t held_rows_bytes(const struct held_rows *r)
{
    return r->file_bytes + r->tail.len;
}

const char *held_rows_file(const struct held_rows *r)
{
    return r->file;
}

struct followed_table *const *held_rows_tables(const struct held_rows *r, uint32_t *count)
{
    *count = r->table_count;
    return r->tables;
}

static enum err_code note_table(struct held_rows *r, struct followed_table *t, struct err *e)
{
    for (uint32_t i = r->table_count; i > 0; i--) {
        if (r->tables[i - 1] == t) {
            return ERR_OK;
        }
    }
    struct followed_table **tables =
        grow(r->tables, r->table_count, &r->table_capacity, sizeof(*r->tables));

    if (tables == NULL) {
        return err_nomem(e);
    }
    r->tables = tables;
    r->tables[r->table_count++] = t;
    return ERR_OK;
}

/* One more block, next to the last where that is free. */
static enum err_code extend(struct held_rows *r, struct err *e)
{
    uint32_t block = 0;
    struct extent *extents =
        grow(r->extents, r->extent_count, &r->extent_capacity, sizeof *r->extents);

    if (extents == NULL) {
        return err_nomem(e);
    }
    r->extents = extents;
    ERR_TRY(take_block(r->store, &block, e));
    struct extent *last = r->extent_count == 0 ? NULL : &r->extents[r->extent_count - 1];

    if (last != NULL && last->first + last->count == block) {
        last->count++;
    } else {
        r->extents[r->extent_count++] = (struct extent){block, 1};
    }
    return ERR_OK;
}

static enum err_code write_out(struct held_rows *r, const uint8_t *data, size_t len, struct err *e)
{
    while (len > 0) {
        size_t in_block = (size_t)(r->file_bytes % BLOCK_BYTES);
        size_t room = BLOCK_BYTES - in_block;
        size_t n = len < room ? len : room;

        if (in_block == 0) {
            ERR_TRY(extend(r, e));
        }
        const struct extent *last = &r->extents[r->extent_count - 1];
        uint64_t block = (uint64_t)last->first + last->count - 1;

        ERR_TRY(write_at(r->store, block * BLOCK_BYTES + in_block, data, n, e));
        r->file_bytes += n;
        data += n;
        len -= n;
    }
    return ERR_OK;
}

static enum err_code spill(struct held_rows *r, struct err *e)
{
    ERR_TRY(write_out(r, r->tail.data, r->tail.len, e));
    buf_reset(&r->tail);
    return ERR_OK;
}

enum err_code held_rows_append(struct held_rows *r, const struct slab_entry *entry,
                               struct span body, struct err *e)
{
    size_t limit = r->store->one_bytes;
    size_t bytes = sizeof *entry + body.len;

    ERR_TRY(note_table(r, entry->table, e));
    if (r->tail.len + bytes > limit) {
        ERR_TRY(spill(r, e));
    }
    if (bytes > limit) {
        ERR_TRY(write_out(r, (const uint8_t *)entry, sizeof *entry, e));
        return write_out(r, body.data, body.len, e);
    }
    buf_append(&r->tail, entry, sizeof *entry);
    buf_append_span(&r->tail, body);
    return buf_check(&r->tail, e, "held rows");
}

enum err_code held_rows_settle(struct held_rows *r, struct err *e)
{
    struct held_store *s = r->store;

    s->settled_bytes -= r->settled;
    r->settled = 0;
    if (r->tail.len > 0 && (r->file_bytes > 0 || s->settled_bytes + r->tail.len > s->all_bytes)) {
        ERR_TRY(spill(r, e));
        buf_deinit(&r->tail);
    }
    /* What a small one has grown to may be far more than it needs. */
    if (r->tail.cap > TAIL_BYTES_MIN && r->tail.cap / 2 > r->tail.len) {
        struct buf exact = {0};

        buf_append_span(&exact, buf_span(&r->tail));
        ERR_TRY(buf_check(&exact, e, "held rows"));
        buf_deinit(&r->tail);
        r->tail = exact;
    }
    r->settled = r->tail.cap;
    s->settled_bytes += r->settled;
    return ERR_OK;
}

/* ---- savepoints ---- */

static bool is_ascii(const char *name)
{
    while ((unsigned char)*name - 1u < 0x7f) {
        name++;
    }
    return *name == '\0';
}

static uint32_t find_savepoint(const struct held_rows *r, const char *name)
{
    for (uint32_t i = 0; i < r->savepoint_count; i++) {
        if (str_ieq(r->savepoints[i].name, name)) {
            return i;
        }
    }
    return r->savepoint_count;
}

/* Beyond ASCII servers differ in which names are one: e with and without an accent, say. */
static bool may_be_another(const struct held_rows *r, const char *name)
{
    for (uint32_t i = 0; i < r->savepoint_count; i++) {
        if (!str_ieq(r->savepoints[i].name, name) &&
            (!is_ascii(name) || !is_ascii(r->savepoints[i].name))) {
            return true;
        }
    }
    return false;
}

enum err_code held_rows_savepoint(struct held_rows *r, const char *name, struct err *e)
{
    uint32_t at = find_savepoint(r, name);

    r->unsure = r->unsure || may_be_another(r, name);
    if (at < r->savepoint_count) {
        struct savepoint moved = r->savepoints[at];

        r->savepoint_count--;
        memmove(&r->savepoints[at], &r->savepoints[at + 1],
                (r->savepoint_count - at) * sizeof *r->savepoints);
        moved.at = held_rows_bytes(r);
        r->savepoints[r->savepoint_count++] = moved;
        return ERR_OK;
    }
    if (r->savepoint_count == SAVEPOINTS_MAX) {
        return err_set(e, ERR_LIMIT, "a transaction with more than %u savepoints", SAVEPOINTS_MAX);
    }
    struct savepoint *savepoints =
        grow(r->savepoints, r->savepoint_count, &r->savepoint_capacity, sizeof *r->savepoints);

    if (savepoints == NULL) {
        return err_nomem(e);
    }
    r->savepoints = savepoints;
    char *copy = str_dup(name);

    if (copy == NULL) {
        return err_nomem(e);
    }
    r->savepoints[r->savepoint_count++] = (struct savepoint){copy, held_rows_bytes(r)};
    return ERR_OK;
}

/* Ranges end at the rows that are the last so far, so a new one can only swallow the last of them.
 */
static enum err_code undo(struct held_rows *r, uint64_t from, struct err *e)
{
    uint64_t to = held_rows_bytes(r);

    while (r->undone_count > 0 && r->undone[r->undone_count - 1].to >= from) {
        const struct range *last = &r->undone[--r->undone_count];

        from = last->from < from ? last->from : from;
    }
    if (from == to) {
        return ERR_OK;
    }
    if (r->undone_count == UNDONE_RANGES_MAX) {
        return err_set(e, ERR_LIMIT, "a transaction with more than %u rollbacks to savepoints",
                       UNDONE_RANGES_MAX);
    }
    struct range *undone = grow(r->undone, r->undone_count, &r->undone_capacity, sizeof *r->undone);

    if (undone == NULL) {
        return err_nomem(e);
    }
    r->undone = undone;
    r->undone[r->undone_count++] = (struct range){from, to};
    return ERR_OK;
}

enum err_code held_rows_rollback_to(struct held_rows *r, const char *name, struct err *e)
{
    if (name == NULL) {
        forget_savepoints(r, 0);
        return undo(r, 0, e);
    }
    uint32_t at = find_savepoint(r, name);

    if (at == r->savepoint_count || r->unsure || may_be_another(r, name)) {
        return err_set(e, ERR_NOT_FOUND, "no savepoint '%.80s' is known", name);
    }
    forget_savepoints(r, at + 1);
    return undo(r, r->savepoints[at].at, e);
}

/* ---- replay ---- */

struct replay {
    const struct held_rows *rows;
    struct buf window;    /* what was read of the file and not yet taken */
    size_t taken;         /* of the window */
    uint64_t read;        /* bytes of the file that were read so far */
    uint32_t extent;      /* that the next byte is in */
    uint64_t extent_read; /* bytes read of it */
    uint64_t at;          /* bytes given out */
    uint32_t range;       /* first undone range that does not end before `at` */
};

/* Reads on, as far as the extent goes. */
static enum err_code read_more(struct replay *p, size_t want, struct err *e)
{
    const struct held_rows *r = p->rows;
    const struct extent *x = &r->extents[p->extent];
    uint64_t in_extent = (uint64_t)x->count * BLOCK_BYTES - p->extent_read;
    uint64_t left = r->file_bytes - p->read;
    uint64_t n = want;

    n = n < in_extent ? n : in_extent;
    n = n < left ? n : left;
    uint8_t *out = buf_reserve(&p->window, (size_t)n);

    if (out == NULL) {
        return buf_check(&p->window, e, "held rows");
    }
    ERR_TRY(
        read_at(r->store, (uint64_t)x->first * BLOCK_BYTES + p->extent_read, out, (size_t)n, e));
    p->window.len += (size_t)n;
    p->read += n;
    p->extent_read += n;
    if (n == in_extent) {
        p->extent++;
        p->extent_read = 0;
    }
    return ERR_OK;
}

/* Has `need` bytes in the window. Entries do not straddle file and tail. */
static enum err_code fill(struct replay *p, size_t need, struct err *e)
{
    if (p->taken > 0 && p->window.len - p->taken < need) {
        memmove(p->window.data, p->window.data + p->taken, p->window.len - p->taken);
        p->window.len -= p->taken;
        p->taken = 0;
    }
    while (p->window.len - p->taken < need) {
        size_t missing = need - (p->window.len - p->taken);

        if (p->read == p->rows->file_bytes) {
            return err_set(e, ERR_CORRUPT, "held rows are cut short");
        }
        ERR_TRY(read_more(p, missing > BLOCK_BYTES ? missing : BLOCK_BYTES, e));
    }
    return ERR_OK;
}

static bool is_undone(struct replay *p)
{
    const struct held_rows *r = p->rows;

    while (p->range < r->undone_count && r->undone[p->range].to <= p->at) {
        p->range++;
    }
    return p->range < r->undone_count && r->undone[p->range].from <= p->at;
}

static enum err_code give(struct replay *p, const struct slab_entry *entry, struct span body,
                          held_rows_emit *emit, void *ctx, struct err *e)
{
    bool undone = is_undone(p);

    p->at += sizeof *entry + body.len;
    return emit(ctx, entry, body, undone, e);
}

static enum err_code replay_file(struct replay *p, held_rows_emit *emit, void *ctx, struct err *e)
{
    while (p->at < p->rows->file_bytes) {
        struct slab_entry entry;

        ERR_TRY(fill(p, sizeof entry, e));
        memcpy(&entry, p->window.data + p->taken, sizeof entry);
        ERR_TRY(fill(p, sizeof entry + entry.body_bytes, e));
        struct span body = span_of(p->window.data + p->taken + sizeof entry, entry.body_bytes);

        p->taken += sizeof entry + entry.body_bytes;
        ERR_TRY(give(p, &entry, body, emit, ctx, e));
    }
    return ERR_OK;
}

static enum err_code replay_tail(struct replay *p, held_rows_emit *emit, void *ctx, struct err *e)
{
    struct bytes_reader in;

    bytes_reader_init(&in, buf_span(&p->rows->tail));
    while (bytes_left(&in) > 0) {
        struct slab_entry entry;
        const uint8_t *at = bytes_take(&in, sizeof entry);

        if (at == NULL) {
            return err_set(e, ERR_CORRUPT, "held rows are cut short");
        }
        memcpy(&entry, at, sizeof entry);
        ERR_TRY(give(p, &entry, bytes_span(&in, entry.body_bytes), emit, ctx, e));
    }
    return ERR_OK;
}

enum err_code held_rows_replay(const struct held_rows *r, held_rows_emit *emit, void *ctx,
                               struct err *e)
{
    struct replay p = {.rows = r, .window = {.cap_max = ENTRY_BYTES_MAX + BLOCK_BYTES}};
    enum err_code rc = replay_file(&p, emit, ctx, e);

    if (rc == ERR_OK) {
        rc = replay_tail(&p, emit, ctx, e);
    }
    buf_deinit(&p.window);
    return rc;
}
