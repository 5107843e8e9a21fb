/*
 * commit_files.c - which manifests the new snapshot has, and which of them are written.
 *
 * An append writes one manifest and takes the parent's over, merged where there are many. An
 * overwrite writes one manifest for each spec, with the added files and an entry DELETED for each
 * file that was live.
 */
#include <stdlib.h>

#include "base/str.h"
#include "iceberg/commit_int.h"

static enum err_code note_partition(struct commit *c, const struct spec_view *spec,
                                    const struct iceberg_data_file *f, struct err *e)
{
    bool has_day = spec->by_day && f->has_day;
    struct partition_key key = {spec->spec_id, has_day ? 1 : 0, has_day ? f->day : 0};

    buf_append(&c->partitions, &key, sizeof key);
    return buf_check(&c->partitions, e, "list of partitions");
}

static void count_file(struct commit_sum *sum, const struct iceberg_data_file *f)
{
    sum->files++;
    sum->records += f->record_count;
    sum->bytes += f->file_bytes;
}

/* The change's files, with numbers that they inherit from the snapshot. */
static enum err_code put_added(struct manifest_out *m, const struct commit *c, struct err *e)
{
    for (uint32_t i = 0; i < c->options->change->added_count; i++) {
        const struct iceberg_manifest_entry entry = {
            .status = ICEBERG_ENTRY_ADDED,
            .snapshot_id = c->snapshot_id,
            .sequence_number = -1,
            .file_sequence_number = -1,
            .content = ICEBERG_FILE_DATA,
            .file = c->options->change->added[i],
            /* Not sorted. The field may be left out, but Trino's "$entries" fails without it. */
            .has_sort_order = true,
            .sort_order_id = 0,
        };

        ERR_TRY(iceberg_manifest_add(m->writer, &entry, e));
    }
    return ERR_OK;
}

/* Only what the writer can write again may pass through it. */
static enum err_code check_partition(const struct spec_view *spec,
                                     const struct iceberg_manifest_entry *entry, struct err *e)
{
    uint32_t count = entry->partition->u.list.count;
    bool fits =
        count == (spec->by_day ? 1u : 0u) &&
        (count == 0 || entry->file->has_day || entry->partition->u.list.items[0].type == AVRO_NULL);

    return fits ? ERR_OK
                : err_set(e, ERR_CORRUPT, "manifest: the partition of %s is not one of spec %d",
                          entry->file->path, spec->spec_id);
}

static enum err_code put_existing(void *ctx, const struct iceberg_manifest_entry *entry,
                                  struct err *e)
{
    struct manifest_out *m = ctx;
    struct iceberg_manifest_entry copy = *entry;

    if (entry->status == ICEBERG_ENTRY_DELETED) {
        /* An older snapshot's news. */
        return ERR_OK;
    }
    ERR_TRY(check_partition(&m->spec, entry, e));
    copy.status = ICEBERG_ENTRY_EXISTING;
    return iceberg_manifest_add(m->writer, &copy, e);
}

/* What put_deleted needs. */
struct deleting {
    struct manifest_out *m;
    struct commit *c;
};

static enum err_code put_deleted(void *ctx, const struct iceberg_manifest_entry *entry,
                                 struct err *e)
{
    struct deleting *d = ctx;
    struct iceberg_manifest_entry copy = *entry;

    if (entry->status == ICEBERG_ENTRY_DELETED) {
        return ERR_OK;
    }
    ERR_TRY(check_partition(&d->m->spec, entry, e));
    ERR_TRY(note_partition(d->c, &d->m->spec, entry->file, e));
    count_file(&d->c->removed, entry->file);
    copy.status = ICEBERG_ENTRY_DELETED;
    copy.snapshot_id = d->c->snapshot_id;
    return iceberg_manifest_add(d->m->writer, &copy, e);
}

static enum err_code count_entry(void *ctx, const struct iceberg_manifest_entry *entry,
                                 struct err *e)
{
    struct iceberg_manifest_counts *counts = ctx;
    int64_t rows = entry->file->record_count;

    (void)e;
    switch (entry->status) {
    case ICEBERG_ENTRY_ADDED:
        counts->added_files++;
        counts->added_rows += rows;
        break;
    case ICEBERG_ENTRY_EXISTING:
        counts->existing_files++;
        counts->existing_rows += rows;
        break;
    case ICEBERG_ENTRY_DELETED:
        counts->deleted_files++;
        counts->deleted_rows += rows;
        break;
    }
    return ERR_OK;
}

/* Version 2 needs counts that lists of version 1 may lack. */
static enum err_code fill_counts(const struct commit *c, struct err *e)
{
    for (uint32_t i = 0; i < c->parent_list.count; i++) {
        struct iceberg_manifest_row *row = &c->parent_list.rows[i];

        if (!iceberg_manifest_counts_known(&row->counts)) {
            row->counts = (struct iceberg_manifest_counts){0};
            ERR_TRY(commit_read_manifest(c, row, count_entry, &row->counts, e));
        }
    }
    return ERR_OK;
}

static enum err_code load_parent(struct commit *c, struct err *e)
{
    struct buf file = {0};

    if (!c->has_parent) {
        return ERR_OK;
    }
    if (c->parent.manifest_list == NULL) {
        return err_set(e, ERR_UNSUPPORTED,
                       "the current snapshot has no manifest list: let another writer make a "
                       "snapshot of format version 2 first");
    }
    enum err_code rc =
        commit_fetch(c->options->store, c->parent.manifest_list, "manifest list", &file, e);

    if (rc == ERR_OK) {
        rc = iceberg_manifest_list_read(buf_span(&file), &c->parent_list, e);
        if (rc != ERR_OK) {
            err_wrap(e, "%s", c->parent.manifest_list);
        }
    }
    buf_deinit(&file);
    return rc == ERR_OK ? fill_counts(c, e) : rc;
}

static enum err_code default_spec(const struct commit *c, struct spec_view *out, struct err *e)
{
    int32_t id = (int32_t)metadata_int(c->base, "default-spec-id", 0);

    if (!metadata_spec(c->base, id, out) || !out->writable) {
        return err_set(e, ERR_UNSUPPORTED,
                       "the table's partition spec %d is neither empty nor one day() field: calve "
                       "cannot write to it",
                       id);
    }
    return ERR_OK;
}

/* A bound of a timestamp or date column as its day; false when it is neither. */
static bool bound_day(struct span bound, int32_t *day)
{
    int64_t us;

    if (bound.len == sizeof *day) {
        memcpy(day, bound.data, sizeof *day);
        return true;
    }
    if (bound.len != sizeof us) {
        return false;
    }
    memcpy(&us, bound.data, sizeof us);
    *day = iceberg_day_of_us(us);
    return true;
}

/*
 * Whether the file's day is that of its values in the spec's column, as its bounds tell: somebody
 * may have partitioned the table by another column since the file was begun, and readers would then
 * look for its rows in the wrong place. A file without metrics is believed.
 */
static bool day_is_of(const struct spec_view *spec, const struct iceberg_data_file *f)
{
    for (uint32_t i = 0; i < f->column_count && spec->by_day; i++) {
        const struct iceberg_column_metrics *column = &f->columns[i];
        int32_t low;
        int32_t high;

        if (column->field_id != spec->source_id) {
            continue;
        }
        if (!column->has_lower || !column->has_upper) {
            return !f->has_day;
        }
        return f->has_day && bound_day(column->lower, &low) && low == f->day &&
               bound_day(column->upper, &high) && high == f->day;
    }
    return !spec->by_day || f->column_count == 0;
}

static enum err_code note_added(struct commit *c, const struct spec_view *spec, struct err *e)
{
    for (uint32_t i = 0; i < c->options->change->added_count; i++) {
        const struct iceberg_data_file *f = c->options->change->added[i];

        if (!day_is_of(spec, f)) {
            return err_set(e, ERR_UNSUPPORTED,
                           "the table is partitioned by day of column %d, and %s was not made for "
                           "that",
                           spec->source_id, f->path);
        }
        count_file(&c->added, f);
        ERR_TRY(note_partition(c, spec, f, e));
    }
    return ERR_OK;
}

static enum err_code reserve_rows(struct commit *c, struct err *e)
{
    c->rows = arena_alloc(&c->arena, c->parent_list.count + (size_t)1, sizeof *c->rows);
    return c->rows == NULL ? arena_fail(&c->arena, e, "manifest list") : ERR_OK;
}

/* Ends a manifest, stores it and makes it one of the new snapshot's. */
static enum err_code add_manifest(struct manifest_out *m, struct commit *c, struct err *e)
{
    struct iceberg_manifest_row *row;

    ERR_TRY(manifest_out_finish(m, c, &row, e));
    ERR_TRY(manifest_out_store(m, c, row, e));
    c->rows[c->row_count++] = row;
    return ERR_OK;
}

/* An overwrite: one manifest for this spec with all that its manifests held. */
static enum err_code replace_spec(struct commit *c, const struct spec_view *spec, bool with_added,
                                  struct err *e)
{
    struct manifest_out m;
    struct deleting deleting = {&m, c};
    enum err_code rc = manifest_out_open(&m, c, spec, e);

    if (rc == ERR_OK && with_added) {
        rc = put_added(&m, c, e);
    }
    int64_t was = c->removed.files;

    for (uint32_t i = 0; i < c->parent_list.count && rc == ERR_OK; i++) {
        const struct iceberg_manifest_row *from = &c->parent_list.rows[i];

        if (from->spec_id == spec->spec_id && from->content == ICEBERG_MANIFEST_DATA &&
            iceberg_manifest_live_files(from) > 0) {
            rc = commit_read_manifest(c, from, put_deleted, &deleting, e);
        }
    }
    if (rc == ERR_OK && ((with_added && c->added.files > 0) || c->removed.files > was)) {
        rc = add_manifest(&m, c, e);
    }
    manifest_out_deinit(&m);
    return rc;
}

/* Whether a manifest before row i of the parent has the same spec. */
static bool spec_is_done(const struct commit *c, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++) {
        if (c->parent_list.rows[j].spec_id == c->parent_list.rows[i].spec_id) {
            return true;
        }
    }
    return false;
}

static enum err_code make_overwrite(struct commit *c, const struct spec_view *spec, struct err *e)
{
    ERR_TRY(commit_refuse_deletes(&c->parent_list, e));
    ERR_TRY(replace_spec(c, spec, true, e));
    for (uint32_t i = 0; i < c->parent_list.count; i++) {
        struct spec_view other;
        int32_t id = c->parent_list.rows[i].spec_id;

        if (id == spec->spec_id || spec_is_done(c, i)) {
            continue;
        }
        if (!metadata_spec(c->base, id, &other) || !other.writable) {
            return err_set(e, ERR_UNSUPPORTED,
                           "the table has files of partition spec %d, which is neither empty nor "
                           "one day() field: calve cannot replace them",
                           id);
        }
        ERR_TRY(replace_spec(c, &other, false, e));
    }
    return ERR_OK;
}

/* The parent's manifests behind the new one, as items to be merged. */
struct append_plan {
    struct merge_item *items; /* 0: the new manifest; i: row i - 1 of the kept ones */
    const struct iceberg_manifest_row **kept;
    uint32_t kept_count;
};

static enum err_code plan_append(struct commit *c, const struct iceberg_manifest_row *new,
                                 struct append_plan *p, struct err *e)
{
    size_t most = c->parent_list.count + (size_t)1;

    p->items = arena_alloc(&c->arena, most, sizeof *p->items);
    p->kept = arena_alloc(&c->arena, most, sizeof *p->kept);
    if (p->items == NULL || p->kept == NULL) {
        return arena_fail(&c->arena, e, "manifest list");
    }
    p->items[0] = (struct merge_item){new->length_bytes, new->spec_id, true, 0};
    for (uint32_t i = 0; i < c->parent_list.count; i++) {
        const struct iceberg_manifest_row *row = &c->parent_list.rows[i];
        struct spec_view spec;

        if (iceberg_manifest_live_files(row) == 0) {
            /* Nothing but what an older snapshot deleted. */
            continue;
        }
        p->kept[p->kept_count++] = row;
        p->items[p->kept_count] = (struct merge_item){
            .length_bytes = row->length_bytes,
            .spec_id = row->spec_id,
            .may_merge = row->content == ICEBERG_MANIFEST_DATA &&
                         metadata_spec(c->base, row->spec_id, &spec) && spec.writable,
        };
    }
    struct merge_settings settings = merge_settings_of(c->base);

    merge_plan(p->items, p->kept_count + 1, &settings);
    return ERR_OK;
}

/* Writes the run that starts at item `first` as one manifest. */
static enum err_code write_run(struct commit *c, const struct append_plan *p, uint32_t first,
                               struct err *e)
{
    uint32_t run = p->items[first].run;
    struct manifest_out m;
    struct spec_view spec;

    if (!metadata_spec(c->base, p->items[first].spec_id, &spec)) {
        return err_set(e, ERR_CORRUPT, "table metadata: no partition spec %d",
                       p->items[first].spec_id);
    }
    enum err_code rc = manifest_out_open(&m, c, &spec, e);

    for (uint32_t i = first; i <= p->kept_count && rc == ERR_OK; i++) {
        if (p->items[i].run == run) {
            rc = i == 0 ? put_added(&m, c, e)
                        : commit_read_manifest(c, p->kept[i - 1], put_existing, &m, e);
        }
    }
    if (rc == ERR_OK) {
        rc = add_manifest(&m, c, e);
    }
    manifest_out_deinit(&m);
    return rc;
}

static bool run_is_done(const struct append_plan *p, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++) {
        if (p->items[j].run == p->items[i].run) {
            return true;
        }
    }
    return false;
}

static enum err_code make_append(struct commit *c, const struct spec_view *spec, struct err *e)
{
    struct append_plan p = {0};
    struct manifest_out m;
    struct iceberg_manifest_row *new;
    enum err_code rc = manifest_out_open(&m, c, spec, e);

    if (rc == ERR_OK) {
        rc = put_added(&m, c, e);
    }
    if (rc == ERR_OK) {
        rc = manifest_out_finish(&m, c, &new, e);
    }
    if (rc == ERR_OK) {
        rc = plan_append(c, new, &p, e);
    }
    if (rc == ERR_OK && p.items[0].run == 0) {
        rc = manifest_out_store(&m, c, new, e);
        c->rows[c->row_count++] = new;
    }
    manifest_out_deinit(&m);
    for (uint32_t i = 0; i <= p.kept_count && rc == ERR_OK; i++) {
        if (p.items[i].run == 0 && i > 0) {
            c->rows[c->row_count++] = p.kept[i - 1];
        } else if (p.items[i].run != 0 && !run_is_done(&p, i)) {
            rc = write_run(c, &p, i, e);
        }
    }
    return rc;
}

/* A snapshot without news: the parent's manifests. */
static enum err_code keep_all(struct commit *c, struct err *e)
{
    ERR_TRY(load_parent(c, e));
    ERR_TRY(reserve_rows(c, e));
    for (uint32_t i = 0; i < c->parent_list.count; i++) {
        if (iceberg_manifest_live_files(&c->parent_list.rows[i]) > 0) {
            c->rows[c->row_count++] = &c->parent_list.rows[i];
        }
    }
    return ERR_OK;
}

enum err_code commit_make_files(struct commit *c, struct err *e)
{
    const struct iceberg_change *change = c->options->change;
    struct spec_view spec;

    if (change->added_count == 0 && !change->replace_all) {
        return c->options->always_snapshot ? keep_all(c, e) : ERR_OK;
    }
    ERR_TRY(load_parent(c, e));
    ERR_TRY(default_spec(c, &spec, e));
    ERR_TRY(note_added(c, &spec, e));
    ERR_TRY(reserve_rows(c, e));
    return change->replace_all ? make_overwrite(c, &spec, e) : make_append(c, &spec, e);
}
