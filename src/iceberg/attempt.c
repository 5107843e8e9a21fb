/* attempt.c - the steps of an attempt, and what is left to do after it. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/str.h"
#include "iceberg/commit_int.h"

/* JavaScript readers keep numbers as doubles: beyond this an id would change in their hands. */
#define SNAPSHOT_ID_MAX ((UINT64_C(1) << 53) - 1)

#define ARENA_BYTES_MAX ((size_t)512 << 20)

/* Files removed by one call: what S3 takes in one request. */
#define REMOVE_COUNT_MAX 1000u

enum err_code commit_fetch(struct store *store, const char *location, const char *what,
                           struct buf *out, struct err *e)
{
    enum err_code rc = store_get(store, location, out, e);

    if (rc != ERR_OK) {
        err_wrap(e, "reading %s %s", what, location);
    }
    return rc;
}

enum err_code commit_put(struct commit *c, const char *location, struct span bytes, struct err *e)
{
    /* Noted first: a write that fails may still have left something. */
    ERR_TRY(locations_add(&c->attempt->written, span_str(location), e));
    enum err_code rc = store_put(c->options->store, location, bytes, e);

    if (rc != ERR_OK) {
        err_wrap(e, "writing %s", location);
    }
    return rc;
}

static int64_t new_snapshot_id(const struct iceberg_metadata *base, struct rand *rand)
{
    int64_t id;

    do {
        id = (int64_t)rand_below(rand, SNAPSHOT_ID_MAX) + 1;
    } while (iceberg_metadata_has_snapshot(base, id));
    return id;
}

static int64_t latest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static enum err_code check_base(const struct iceberg_metadata *base, struct err *e)
{
    int32_t version = metadata_format_version(base);

    if (version != 2) {
        return err_set(e, ERR_UNSUPPORTED,
                       "the table has Iceberg format version %d; calve writes version 2. Upgrade "
                       "the table: ALTER TABLE ... SET TBLPROPERTIES ('format-version' = '2')",
                       version);
    }
    if (metadata_int(base, "last-sequence-number", 0) == INT64_MAX) {
        return err_set(e, ERR_LIMIT, "the table has no sequence number left");
    }
    return ERR_OK;
}

static enum err_code start(struct commit *c, struct err *e)
{
    const struct iceberg_attempt_options *o = c->options;

    ERR_TRY(check_base(c->base, e));
    rand_uuid(o->rand, c->uuid);
    c->folder = iceberg_metadata_folder(c->base);
    c->schema_json = json_dumps(metadata_schema(c->base), JSON_COMPACT);
    if (c->folder == NULL || c->schema_json == NULL) {
        return err_nomem(e);
    }
    c->snapshot_id = new_snapshot_id(c->base, o->rand);
    c->sequence_number = metadata_int(c->base, "last-sequence-number", 0) + 1;
    c->has_parent = metadata_snapshot(c->base, iceberg_metadata_snapshot_id(c->base), &c->parent);
    /* Readers that ask for a time need times that do not go back. */
    c->now_ms = latest(o->now_ms, iceberg_metadata_last_updated_ms(c->base));
    if (c->has_parent) {
        c->now_ms = latest(c->now_ms, c->parent.timestamp_ms);
    }
    return ERR_OK;
}

static enum err_code write_list(struct commit *c, struct err *e)
{
    const struct iceberg_manifest_list_head head = {
        .snapshot_id = c->snapshot_id,
        .parent_snapshot_id = c->has_parent ? c->parent.id : -1,
        .sequence_number = c->sequence_number,
        .rand = c->options->rand,
    };
    char *path = str_format("%s/snap-%" PRId64 "-1-%s.avro", c->folder, c->snapshot_id, c->uuid);
    struct buf file = {0};
    enum err_code rc = path == NULL ? err_nomem(e) : ERR_OK;

    if (rc == ERR_OK) {
        c->manifest_list = arena_strdup(&c->arena, path);
        rc = c->manifest_list == NULL ? arena_fail(&c->arena, e, "manifest list") : ERR_OK;
    }
    if (rc == ERR_OK) {
        rc = iceberg_manifest_list_write(&head, c->rows, c->row_count, &file, e);
    }
    if (rc == ERR_OK) {
        rc = commit_put(c, path, buf_span(&file), e);
    }
    buf_deinit(&file);
    free(path);
    return rc;
}

static enum err_code make(struct commit *c, struct err *e)
{
    struct expiry x = {0};

    ERR_TRY(start(c, e));
    ERR_TRY(commit_make_files(c, e));
    if (commit_has_snapshot(c)) {
        ERR_TRY(write_list(c, e));
        c->attempt->snapshot_id = c->snapshot_id;
    }
    enum err_code rc = expiry_choose(c->base, &c->options->change->retention, c->now_ms,
                                     commit_has_snapshot(c), &x, e);

    if (rc == ERR_OK) {
        rc = commit_make_next(c, &x, e);
    }
    if (rc == ERR_OK) {
        rc = commit_collect_garbage(c, &x, e);
    }
    expiry_deinit(&x);
    return rc;
}

static void commit_deinit(struct commit *c)
{
    iceberg_manifest_list_deinit(&c->parent_list);
    arena_deinit(&c->arena);
    buf_deinit(&c->partitions);
    free(c->schema_json);
    free(c->folder);
}

enum err_code iceberg_attempt_prepare(const struct iceberg_attempt_options *options,
                                      struct iceberg_attempt **out, struct err *e)
{
    struct commit c = {.options = options, .base = options->base};

    c.attempt = calloc(1, sizeof *c.attempt);
    if (c.attempt == NULL) {
        return err_nomem(e);
    }
    c.attempt->snapshot_id = -1;
    arena_init(&c.arena, ARENA_BYTES_MAX);
    enum err_code rc = make(&c, e);

    commit_deinit(&c);
    if (rc != ERR_OK) {
        struct err ignored = {0};

        /* The first failure is the one that matters; what stays behind is named nowhere. */
        (void)!iceberg_attempt_undo(c.attempt, options->store, &ignored);
        iceberg_attempt_free(c.attempt);
        return rc;
    }
    *out = c.attempt;
    return ERR_OK;
}

/* Removes each; those that cannot be removed stay in the list. */
static enum err_code remove_all(struct locations *l, struct store *store, struct err *e)
{
    bool removed[REMOVE_COUNT_MAX];
    enum err_code first = ERR_OK;
    uint32_t kept = 0;

    for (uint32_t at = 0; at < l->count; at += REMOVE_COUNT_MAX) {
        uint32_t count = l->count - at < REMOVE_COUNT_MAX ? l->count - at : REMOVE_COUNT_MAX;
        struct err why = {0};
        enum err_code rc = store_remove_many(store, (const char *const *)l->items + at, count,
                                             removed, first == ERR_OK ? e : &why);

        first = first == ERR_OK ? rc : first;
        for (uint32_t i = at; i < at + count; i++) {
            if (removed[i - at]) {
                free(l->items[i]);
            } else {
                l->items[kept++] = l->items[i];
            }
        }
    }
    l->count = kept;
    return first;
}

enum err_code iceberg_attempt_undo(struct iceberg_attempt *a, struct store *store, struct err *e)
{
    return remove_all(&a->written, store, e);
}

enum err_code iceberg_attempt_clean(struct iceberg_attempt *a, struct store *store, struct err *e)
{
    return remove_all(&a->expired, store, e);
}

void iceberg_attempt_free(struct iceberg_attempt *a)
{
    if (a != NULL) {
        iceberg_metadata_free(a->next);
        locations_deinit(&a->written);
        locations_deinit(&a->expired);
        free(a);
    }
}
