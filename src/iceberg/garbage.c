/*
 * garbage.c - which files nobody needs any more once a snapshot is expired.
 *
 * Snapshots go one by one, oldest first. While history is a line (lineage.c), a manifest is part of
 * a run of snapshots without holes, and so is a file's life; what the nearest snapshots that remain
 * on both sides do not have, nobody has. Where that is not known, all that remain are asked. Files
 * are looked for only when something but appends lies between a snapshot and the next: after an
 * append everything lives on.
 */
#include <stdlib.h>

#include "iceberg/commit_int.h"

/* More manifest lists are not read for one commit: then the files stay. */
#define LISTS_MAX 1000u

enum slot_state { SLOT_NEW, SLOT_READ, SLOT_UNREADABLE };

/* A snapshot's manifests. */
struct slot {
    enum slot_state state;
    bool gone;
    struct iceberg_manifest_list list;
    const struct iceberg_manifest_row **rows; /* by path */
    uint32_t count;
};

struct garbage {
    struct commit *c;
    const struct expiry *x;
    struct slot *slots; /* one for each snapshot of the base, and the new one behind */
    uint32_t count;
    struct lineage lineage; /* of the newest */
};

/* Rows, later files, that may go. */
struct candidates {
    const struct iceberg_manifest_row **rows;
    uint32_t count;
    struct arena arena;
    char **files; /* by name */
    uint32_t file_count;
    uint32_t file_capacity;
    bool *needed; /* for each file */
};

static int by_path(const void *a, const void *b)
{
    const struct iceberg_manifest_row *const *x = a;
    const struct iceberg_manifest_row *const *y = b;

    return strcmp((*x)->path, (*y)->path);
}

static bool slot_has(const struct slot *s, const struct iceberg_manifest_row *row)
{
    return s->count > 0 &&
           bsearch(&row, s->rows, s->count, sizeof(struct iceberg_manifest_row *), by_path) != NULL;
}

static enum err_code index_slot(struct slot *s, const struct iceberg_manifest_row *const *rows,
                                uint32_t count, struct err *e)
{
    s->rows = calloc(count + (size_t)1, sizeof *s->rows);
    if (s->rows == NULL) {
        return err_nomem(e);
    }
    for (uint32_t i = 0; i < count; i++) {
        s->rows[i] = rows != NULL ? rows[i] : &s->list.rows[i];
    }
    s->count = count;
    qsort(s->rows, count, sizeof(struct iceberg_manifest_row *), by_path);
    s->state = SLOT_READ;
    return ERR_OK;
}

/* Whether a failure says something of the file, and not of us. */
static bool is_ours(enum err_code rc)
{
    return rc == ERR_NOMEM;
}

/* Reads a snapshot's list unless it was; *readable says whether there is one to look at. */
static enum err_code load(struct garbage *g, uint32_t i, bool *readable, struct err *e)
{
    struct slot *s = &g->slots[i];

    if (s->state == SLOT_NEW && i < g->x->all.count) {
        const char *location = g->x->all.items[i].manifest_list;
        struct buf file = {0};
        enum err_code rc = location == NULL ? ERR_UNSUPPORTED
                                            : commit_fetch(g->c->options->store, location,
                                                           "manifest list", &file, e);

        if (rc == ERR_OK) {
            rc = iceberg_manifest_list_read(buf_span(&file), &s->list, e);
        }
        buf_deinit(&file);
        if (is_ours(rc)) {
            return rc;
        }
        s->state = SLOT_UNREADABLE;
        if (rc == ERR_OK) {
            ERR_TRY(index_slot(s, NULL, s->list.count, e));
        }
    }
    *readable = s->state == SLOT_READ;
    return ERR_OK;
}

static void slot_deinit(struct slot *s)
{
    iceberg_manifest_list_deinit(&s->list);
    free(s->rows);
    s->rows = NULL;
    s->count = 0;
}

/* The nearest that remain beside snapshot i; -1: none. */
struct neighbours {
    int64_t before;
    int64_t after;
};

static struct neighbours neighbours_of(const struct garbage *g, uint32_t i)
{
    struct neighbours n = {(int64_t)i - 1, (int64_t)i + 1};

    while (n.before >= 0 && g->slots[n.before].gone) {
        n.before--;
    }
    while (n.after < g->count && g->slots[n.after].gone) {
        n.after++;
    }
    n.after = n.after < g->count ? n.after : -1;
    return n;
}

static int64_t sequence_of(const struct garbage *g, int64_t i)
{
    return i < g->x->all.count ? g->x->all.items[i].sequence_number : g->c->sequence_number;
}

/* Whether snapshot i and the one before it lie where history has this property. */
static bool is_within(const struct garbage *g, uint32_t i, struct neighbours n, int64_t since)
{
    return sequence_of(g, i) >= since && (n.before < 0 || sequence_of(g, n.before) >= since);
}

static void drop_shared(struct candidates *m, const struct slot *s)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < m->count; i++) {
        if (!slot_has(s, m->rows[i])) {
            m->rows[kept++] = m->rows[i];
        }
    }
    m->count = kept;
}

/* Drops what snapshot j needs from m. *decided turns false when that cannot be told. */
static enum err_code ask(struct garbage *g, int64_t j, struct candidates *m, bool *decided,
                         struct err *e)
{
    bool readable = true;

    if (j < 0 || m->count == 0 || !*decided) {
        return ERR_OK;
    }
    ERR_TRY(load(g, (uint32_t)j, &readable, e));
    *decided = readable;
    if (readable) {
        drop_shared(m, &g->slots[j]);
    }
    return ERR_OK;
}

static bool all_are_new(const struct candidates *m, int64_t since)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->rows[i]->sequence_number < since) {
            return false;
        }
    }
    return true;
}

/* Leaves in m the manifests that only snapshot i has. */
static enum err_code find_manifests(struct garbage *g, uint32_t i, struct candidates *m,
                                    bool *decided, struct err *e)
{
    struct neighbours n = neighbours_of(g, i);
    uint32_t remaining = 0;

    ERR_TRY(ask(g, n.after, m, decided, e));
    ERR_TRY(ask(g, n.before, m, decided, e));
    int64_t since = g->lineage.linear_since;

    if (is_within(g, i, n, since) || (sequence_of(g, i) >= since && all_are_new(m, since))) {
        return ERR_OK;
    }
    for (uint32_t j = 0; j < g->count; j++) {
        remaining += g->slots[j].gone ? 0 : 1;
    }
    if (remaining > LISTS_MAX && m->count > 0) {
        *decided = false;
    }
    for (uint32_t j = 0; j < g->count; j++) {
        if (j != i && !g->slots[j].gone) {
            ERR_TRY(ask(g, j, m, decided, e));
        }
    }
    return ERR_OK;
}

/* Whether each file that is live in snapshot i is so in the next: only appends lie between. */
static bool lives_on(const struct garbage *g, uint32_t i)
{
    int64_t next = neighbours_of(g, i).after;
    struct lineage l = g->lineage;

    if (next < 0 ||
        (next < g->x->all.count && !lineage_of(g->c->base, &g->x->all.items[next], &l))) {
        return false;
    }
    return l.linear_since <= sequence_of(g, i) && l.appends_since <= sequence_of(g, i) + 1;
}

static enum err_code read_manifest(const struct garbage *g, const struct iceberg_manifest_row *row,
                                   iceberg_entry_fn *each, void *ctx, bool *decided, struct err *e)
{
    struct buf file = {0};
    enum err_code rc = commit_fetch(g->c->options->store, row->path, "manifest", &file, e);

    if (rc == ERR_OK) {
        rc = iceberg_manifest_read(buf_span(&file), row, each, ctx, e);
    }
    buf_deinit(&file);
    if (rc != ERR_OK && !is_ours(rc)) {
        *decided = false;
        rc = ERR_OK;
    }
    return rc;
}

static enum err_code add_file(void *ctx, const struct iceberg_manifest_entry *entry, struct err *e)
{
    struct candidates *m = ctx;

    if (entry->status == ICEBERG_ENTRY_DELETED) {
        return ERR_OK;
    }
    if (m->file_count == m->file_capacity) {
        uint32_t capacity = m->file_capacity == 0 ? 64 : m->file_capacity * 2;
        char **files = arena_alloc(&m->arena, capacity, sizeof *files);

        if (files == NULL) {
            return arena_fail(&m->arena, e, "list of files");
        }
        if (m->file_count > 0) {
            memcpy(files, m->files, m->file_count * sizeof *files);
        }
        m->files = files;
        m->file_capacity = capacity;
    }
    m->files[m->file_count] = arena_strdup(&m->arena, entry->file->path);
    if (m->files[m->file_count] == NULL) {
        return arena_fail(&m->arena, e, "list of files");
    }
    m->file_count++;
    return ERR_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum err_code need_file(void *ctx, const struct iceberg_manifest_entry *entry, struct err *e)
{
    struct candidates *m = ctx;
    const char *path = entry->file->path;

    (void)e;
    if (entry->status == ICEBERG_ENTRY_DELETED) {
        return ERR_OK;
    }
    char **found = bsearch(&path, m->files, m->file_count, sizeof *m->files, by_text);

    /* The same file may be listed twice. */
    for (char **at = found; at != NULL && at >= m->files && strcmp(*at, path) == 0; at--) {
        m->needed[at - m->files] = true;
    }
    for (char **at = found; at != NULL && at < m->files + m->file_count && strcmp(*at, path) == 0;
         at++) {
        m->needed[at - m->files] = true;
    }
    return ERR_OK;
}

/* Marks the files that snapshot j needs, but for those in manifests that `known` has too. */
static enum err_code ask_files(struct garbage *g, int64_t j, const struct slot *known,
                               struct candidates *m, bool *decided, struct err *e)
{
    bool readable = true;

    if (j < 0) {
        return ERR_OK;
    }
    ERR_TRY(load(g, (uint32_t)j, &readable, e));
    *decided = *decided && readable;
    for (uint32_t k = 0; k < g->slots[j].count && *decided; k++) {
        if (known == NULL || !slot_has(known, g->slots[j].rows[k])) {
            ERR_TRY(read_manifest(g, g->slots[j].rows[k], need_file, m, decided, e));
        }
    }
    return ERR_OK;
}

static enum err_code find_files(struct garbage *g, uint32_t i, struct candidates *m, bool *decided,
                                struct err *e)
{
    struct neighbours n = neighbours_of(g, i);

    for (uint32_t k = 0; k < m->count && *decided; k++) {
        ERR_TRY(read_manifest(g, m->rows[k], add_file, m, decided, e));
    }
    if (m->file_count == 0 || !*decided) {
        return ERR_OK;
    }
    qsort(m->files, m->file_count, sizeof *m->files, by_text);
    m->needed = arena_alloc(&m->arena, m->file_count, sizeof *m->needed);
    if (m->needed == NULL) {
        return arena_fail(&m->arena, e, "list of files");
    }
    if (is_within(g, i, n, g->lineage.ours_since)) {
        ERR_TRY(ask_files(g, n.before, &g->slots[i], m, decided, e));
        return ask_files(g, n.after, &g->slots[i], m, decided, e);
    }
    /* Another writer may name a file twice, or once more after it was gone. */
    for (uint32_t j = 0; j < g->count && *decided; j++) {
        if (j != i && !g->slots[j].gone) {
            ERR_TRY(ask_files(g, j, NULL, m, decided, e));
        }
    }
    return ERR_OK;
}

static enum err_code add_candidates(struct garbage *g, const struct candidates *m, struct err *e)
{
    struct locations *expired = &g->c->attempt->expired;

    for (uint32_t k = 0; k < m->count; k++) {
        ERR_TRY(locations_add(expired, span_str(m->rows[k]->path), e));
    }
    for (uint32_t k = 0; k < m->file_count; k++) {
        bool again = k > 0 && strcmp(m->files[k - 1], m->files[k]) == 0;

        if (!m->needed[k] && !again) {
            ERR_TRY(locations_add(expired, span_str(m->files[k]), e));
        }
    }
    return ERR_OK;
}

static enum err_code expire_content(struct garbage *g, uint32_t i, struct err *e)
{
    struct candidates m = {0};
    bool decided;

    ERR_TRY(load(g, i, &decided, e));
    m.rows = calloc(g->slots[i].count + (size_t)1, sizeof *m.rows);
    if (m.rows == NULL) {
        return err_nomem(e);
    }
    arena_init(&m.arena, 0);
    for (uint32_t k = 0; k < g->slots[i].count; k++) {
        m.rows[m.count++] = g->slots[i].rows[k];
    }
    enum err_code rc = find_manifests(g, i, &m, &decided, e);

    if (rc == ERR_OK && decided && m.count > 0 && !lives_on(g, i)) {
        rc = find_files(g, i, &m, &decided, e);
    }
    if (rc == ERR_OK && decided) {
        rc = add_candidates(g, &m, e);
    }
    g->c->attempt->cleanup_skipped += decided ? 0 : 1;
    arena_deinit(&m.arena);
    free(m.rows);
    return rc;
}

static enum err_code expire_list(struct garbage *g, uint32_t i, struct err *e)
{
    const char *location = g->x->all.items[i].manifest_list;

    for (uint32_t j = 0; j < g->x->all.count; j++) {
        const char *other = g->x->all.items[j].manifest_list;

        if (location == NULL ||
            (j != i && !g->slots[j].gone && other != NULL && strcmp(other, location) == 0)) {
            return ERR_OK;
        }
    }
    return locations_add(&g->c->attempt->expired, span_str(location), e);
}

static enum err_code expire_all(struct garbage *g, struct err *e)
{
    for (uint32_t i = 0; i < g->x->all.count; i++) {
        if (g->x->expired[i]) {
            ERR_TRY(expire_list(g, i, e));
            ERR_TRY(expire_content(g, i, e));
            g->slots[i].gone = true;
            slot_deinit(&g->slots[i]);
        }
    }
    return ERR_OK;
}

enum err_code commit_collect_garbage(struct commit *c, const struct expiry *x, struct err *e)
{
    struct garbage g = {.c = c, .x = x};
    bool has_new = commit_has_snapshot(c);
    struct err why = {0};
    enum err_code rc = ERR_OK;

    if (x->expired_count == 0) {
        return ERR_OK;
    }
    g.count = x->all.count + (has_new ? 1 : 0);
    g.lineage =
        has_new ? lineage_next(c->base, c->removed.files == 0) : lineage_of_current(c->base);
    g.slots = calloc(x->all.count + (size_t)1, sizeof *g.slots);
    if (g.slots == NULL) {
        return err_nomem(e);
    }
    if (has_new) {
        rc = index_slot(&g.slots[x->all.count], c->rows, c->row_count, &why);
    }
    if (rc == ERR_OK) {
        rc = expire_all(&g, &why);
    }
    if (rc != ERR_OK && e != NULL) {
        *e = why;
    }
    for (uint32_t i = 0; i < g.count; i++) {
        slot_deinit(&g.slots[i]);
    }
    free(g.slots);
    return rc;
}
