#include "parquet/writer.h"

#include <stdlib.h>

#include "parquet/column_writer.h"

#define ROW_GROUP_BYTES_DEFAULT ((size_t)64 << 20)
#define FILE_ARENA_BYTES_MAX    ((size_t)1 << 30)
/* The ordinal of a row group is 16 bits wide. */
#define ROW_GROUPS_MAX 32767u
/* Some readers count the pages of a chunk in 16 bits. */
#define GROUP_PAGES_MAX 32767u

struct parquet_writer {
    struct parquet_writer_options options;
    struct byte_sink sink;
    struct zstd_encoder *own_encoder;
    struct parquet_column_spec *specs;
    struct column_writer *columns;
    struct arena *arena; /* specs, row groups, bounds; handed to the file info */
    struct parquet_row_group *groups;
    struct parquet_row_group *last_group;
    uint32_t group_count;
    int64_t group_rows;
    size_t group_bytes; /* uncompressed */
    uint32_t group_pages;
    int64_t file_rows;
    int64_t file_bytes;
    struct buf column_index;
    struct buf offset_index;
    struct buf scratch;
    bool finished; /* or failed: nothing can be added */
};

void parquet_file_info_deinit(struct parquet_file_info *info)
{
    if (info->arena != NULL) {
        arena_deinit(info->arena);
        free(info->arena);
    }
    *info = (struct parquet_file_info){0};
}

static enum err_code emit(struct parquet_writer *w, struct span bytes, struct err *e)
{
    if (bytes.len == 0) {
        return ERR_OK;
    }
    ERR_TRY(byte_sink_write(&w->sink, bytes, e));
    w->file_bytes += (int64_t)bytes.len;
    return ERR_OK;
}

/*
 * Readers that build Avro schemas want names of letters, digits and underscores, as Iceberg's
 * own writers make them; bytes above ASCII are taken for letters.
 */
static const char *file_name_of(struct arena *a, const char *name)
{
    struct buf out = {0};
    const char *copy = NULL;

    for (const char *p = name; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        bool digit = c >= '0' && c <= '9';

        if (digit && p == name) {
            buf_u8(&out, '_');
        }
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80 || digit) {
            buf_u8(&out, c);
        } else {
            buf_printf(&out, "_x%X", c);
        }
    }
    if (out.failed == ERR_OK) {
        copy = arena_strndup(a, out.data, out.len);
    }
    buf_deinit(&out);
    return copy;
}

static bool copy_options(struct parquet_writer *w, const struct parquet_writer_options *o)
{
    struct parquet_key_value *metadata = arena_alloc(w->arena, o->metadata_count, sizeof *metadata);

    w->specs = arena_alloc(w->arena, o->column_count, sizeof *w->specs);
    if (metadata == NULL || w->specs == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < o->column_count; i++) {
        w->specs[i] = o->columns[i];
        w->specs[i].name = file_name_of(w->arena, o->columns[i].name);
        if (w->specs[i].name == NULL) {
            return false;
        }
    }
    for (uint32_t i = 0; i < o->metadata_count; i++) {
        metadata[i].key = arena_strdup(w->arena, o->metadata[i].key);
        metadata[i].value = arena_strdup(w->arena, o->metadata[i].value);
        if (metadata[i].key == NULL || metadata[i].value == NULL) {
            return false;
        }
    }
    w->options = *o;
    w->options.columns = w->specs;
    w->options.metadata = metadata;
    if (w->options.row_group_bytes_max == 0) {
        w->options.row_group_bytes_max = ROW_GROUP_BYTES_DEFAULT;
    }
    return true;
}

static bool prepare(struct parquet_writer *w, const struct parquet_writer_options *o)
{
    w->arena = calloc(1, sizeof *w->arena);
    if (w->arena == NULL) {
        return false;
    }
    arena_init(w->arena, FILE_ARENA_BYTES_MAX);
    if (!copy_options(w, o)) {
        return false;
    }
    struct zstd_encoder *encoder = o->encoder;

    if (encoder == NULL && o->codec == PARQUET_CODEC_ZSTD) {
        encoder = w->own_encoder = zstd_encoder_new(o->zstd_level);
        if (encoder == NULL) {
            return false;
        }
    }
    w->columns = calloc(o->column_count, sizeof *w->columns);
    if (w->columns == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < o->column_count; i++) {
        column_writer_init(&w->columns[i], &w->specs[i], o->codec, encoder);
    }
    return true;
}

enum err_code parquet_writer_open(const struct parquet_writer_options *options,
                                  struct byte_sink sink, struct parquet_writer **out, struct err *e)
{
    struct parquet_writer *w = calloc(1, sizeof *w);

    if (w == NULL) {
        return err_nomem(e);
    }
    w->sink = sink;
    enum err_code rc = prepare(w, options) ? emit(w, span_str("PAR1"), e) : err_nomem(e);

    if (rc != ERR_OK) {
        parquet_writer_free(w);
        return rc;
    }
    *out = w;
    return ERR_OK;
}

void parquet_writer_free(struct parquet_writer *w)
{
    if (w == NULL) {
        return;
    }
    for (uint32_t i = 0; w->columns != NULL && i < w->options.column_count; i++) {
        column_writer_deinit(&w->columns[i]);
    }
    free(w->columns);
    zstd_encoder_free(w->own_encoder);
    buf_deinit(&w->column_index);
    buf_deinit(&w->offset_index);
    buf_deinit(&w->scratch);
    if (w->arena != NULL) {
        arena_deinit(w->arena);
        free(w->arena);
    }
    free(w);
}

uint64_t parquet_writer_rows(const struct parquet_writer *w)
{
    return (uint64_t)(w->file_rows + w->group_rows);
}

uint64_t parquet_writer_buffered(const struct parquet_writer *w)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < w->options.column_count; i++) {
        bytes += w->columns[i].pages.cap + w->columns[i].dictionary.values.cap +
                 w->columns[i].dictionary.slots.cap + w->columns[i].body.cap +
                 w->columns[i].packed.cap;
    }
    return bytes;
}

uint64_t parquet_writer_bytes(const struct parquet_writer *w)
{
    uint64_t bytes = (uint64_t)w->file_bytes;

    for (uint32_t i = 0; i < w->options.column_count; i++) {
        bytes += w->columns[i].pages.len;
    }
    return bytes;
}

static enum err_code end_column(struct parquet_writer *w, uint32_t i,
                                struct parquet_row_group *group, struct err *e)
{
    struct column_writer *c = &w->columns[i];

    ERR_TRY(column_writer_end_group(c, w->file_bytes, &w->scratch, &w->column_index,
                                    &w->offset_index, w->arena, e));
    ERR_TRY(emit(w, buf_span(&w->scratch), e));
    ERR_TRY(emit(w, buf_span(&c->pages), e));
    group->chunks[i] = c->chunk;
    column_writer_next_group(c);
    return ERR_OK;
}

static enum err_code end_group(struct parquet_writer *w, struct err *e)
{
    if (w->group_rows == 0) {
        return ERR_OK;
    }
    if (w->group_count == ROW_GROUPS_MAX) {
        return err_set(e, ERR_LIMIT, "Parquet: more than %u row groups", ROW_GROUPS_MAX);
    }
    struct parquet_row_group *group = arena_alloc(w->arena, 1, sizeof *group);

    if (group == NULL) {
        return arena_fail(w->arena, e, "Parquet row groups");
    }
    group->chunks = arena_alloc(w->arena, w->options.column_count, sizeof *group->chunks);
    if (group->chunks == NULL) {
        return arena_fail(w->arena, e, "Parquet row groups");
    }
    group->row_count = w->group_rows;
    group->file_offset = w->file_bytes;
    for (uint32_t i = 0; i < w->options.column_count; i++) {
        ERR_TRY(end_column(w, i, group, e));
    }
    if (w->last_group == NULL) {
        w->groups = group;
    } else {
        w->last_group->next = group;
    }
    w->last_group = group;
    w->group_count++;
    w->file_rows += w->group_rows;
    w->group_rows = 0;
    w->group_bytes = 0;
    w->group_pages = 0;
    return ERR_OK;
}

static enum err_code write_batch(struct parquet_writer *w, const struct column_batch *batch,
                                 struct err *e)
{
    for (uint32_t i = 0; i < batch->column_count; i++) {
        ERR_TRY(column_writer_page(&w->columns[i], &batch->columns[i], batch->row_count,
                                   w->group_rows, e));
    }
    w->group_rows += batch->row_count;
    w->group_bytes += column_batch_bytes(batch);
    w->group_pages++;
    return w->group_bytes >= w->options.row_group_bytes_max || w->group_pages == GROUP_PAGES_MAX
               ? end_group(w, e)
               : ERR_OK;
}

enum err_code parquet_writer_write(struct parquet_writer *w, const struct column_batch *batch,
                                   struct err *e)
{
    if (w->finished) {
        return err_set(e, ERR_CORRUPT, "Parquet: rows after the file's end");
    }
    if (batch->row_count == 0) {
        return ERR_OK;
    }
    if (batch->column_count != w->options.column_count) {
        return err_set(e, ERR_CORRUPT, "Parquet: a batch of %u columns for a file of %u",
                       batch->column_count, w->options.column_count);
    }
    enum err_code rc = write_batch(w, batch, e);

    /* Some columns have the batch now, others not. */
    w->finished = rc != ERR_OK;
    return rc;
}

/* The index structures go behind the pages; their places become known here. */
static enum err_code emit_indexes(struct parquet_writer *w, struct err *e)
{
    int64_t column_index_at = w->file_bytes;
    int64_t offset_index_at = column_index_at + (int64_t)w->column_index.len;

    for (struct parquet_row_group *g = w->groups; g != NULL; g = g->next) {
        for (uint32_t i = 0; i < w->options.column_count; i++) {
            g->chunks[i].column_index_offset += column_index_at;
            g->chunks[i].offset_index_offset += offset_index_at;
        }
    }
    ERR_TRY(emit(w, buf_span(&w->column_index), e));
    return emit(w, buf_span(&w->offset_index), e);
}

static enum err_code emit_footer(struct parquet_writer *w, struct err *e)
{
    struct parquet_footer footer = {
        .columns = w->specs,
        .column_count = w->options.column_count,
        .metadata = w->options.metadata,
        .metadata_count = w->options.metadata_count,
        .row_count = w->file_rows,
        .row_groups = w->groups,
        .row_group_count = w->group_count,
    };

    buf_reset(&w->scratch);
    parquet_footer_print(&footer, &w->scratch);
    buf_u32le(&w->scratch, (uint32_t)w->scratch.len);
    buf_append_str(&w->scratch, "PAR1");
    ERR_TRY(buf_check(&w->scratch, e, "Parquet footer"));
    return emit(w, buf_span(&w->scratch), e);
}

static enum err_code fill_info(struct parquet_writer *w, struct parquet_file_info *out,
                               struct err *e)
{
    struct arena *arena = w->arena;
    uint32_t n = 0;

    out->row_count = (uint64_t)w->file_rows;
    out->file_bytes = (uint64_t)w->file_bytes;
    out->column_count = w->options.column_count;
    out->split_count = w->group_count;
    out->columns = arena_alloc(arena, out->column_count, sizeof *out->columns);
    out->split_offsets = arena_alloc(arena, out->split_count, sizeof *out->split_offsets);
    if (out->columns == NULL || out->split_offsets == NULL) {
        return arena_fail(arena, e, "Parquet metrics");
    }
    for (const struct parquet_row_group *g = w->groups; g != NULL; g = g->next) {
        out->split_offsets[n++] = g->file_offset;
    }
    for (uint32_t i = 0; i < out->column_count; i++) {
        const struct column_writer *c = &w->columns[i];
        struct parquet_column_metrics *m = &out->columns[i];

        *m = c->metrics;
        m->has_bounds = c->file_range.known;
        if (m->has_bounds) {
            const char *lower = arena_strndup(arena, c->file_range.min.data, c->file_range.min.len);
            const char *upper = arena_strndup(arena, c->file_range.max.data, c->file_range.max.len);

            if (lower == NULL || upper == NULL) {
                return arena_fail(arena, e, "Parquet metrics");
            }
            m->lower = span_of(lower, c->file_range.min.len);
            m->upper = span_of(upper, c->file_range.max.len);
        }
    }
    return ERR_OK;
}

enum err_code parquet_writer_finish(struct parquet_writer *w, struct parquet_file_info *out,
                                    struct err *e)
{
    *out = (struct parquet_file_info){0};
    if (w->finished) {
        return err_set(e, ERR_CORRUPT, "Parquet: the file was finished, or given up, before");
    }
    w->finished = true;
    ERR_TRY(end_group(w, e));
    ERR_TRY(emit_indexes(w, e));
    ERR_TRY(emit_footer(w, e));
    ERR_TRY(fill_info(w, out, e));
    out->arena = w->arena;
    w->arena = NULL;
    return ERR_OK;
}
