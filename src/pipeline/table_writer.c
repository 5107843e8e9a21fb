#include "pipeline/table_writer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "codec/civil_time.h"
#include "pipeline/changelog.h"

/* Rows of more days than this at once are rare (SET TIMESTAMP); the oldest file is then finished.
 */
#define OPEN_FILES_MAX 8u

/* Files removed by one call. */
#define REMOVE_COUNT_MAX 256u

struct open_file {
    int32_t day;
    char *path;
    struct store_file *file;
    struct parquet_writer *parquet;
    uint64_t last_use;
};

struct table_writer {
    struct table_writer_options options;
    char *location;
    char *schema_json;
    struct rand rand;
    uint32_t files; /* numbers file names, so that a rolled file's order can be told */
    struct open_file open[OPEN_FILES_MAX];
    uint32_t open_count;
    uint64_t uses;
    struct data_file_list done;
};

void data_file_list_deinit(struct data_file_list *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        iceberg_data_file_free(l->files[i]);
    }
    free(l->files);
    *l = (struct data_file_list){0};
}

static enum err_code list_reserve(struct data_file_list *l, uint32_t more, struct err *e)
{
    if (l->count + more <= l->capacity) {
        return ERR_OK;
    }
    uint32_t capacity = l->capacity * 2 + more;
    struct iceberg_data_file **files = realloc(l->files, capacity * sizeof *files);

    if (files == NULL) {
        return err_nomem(e);
    }
    l->files = files;
    l->capacity = capacity;
    return ERR_OK;
}

enum err_code table_writer_new(const struct table_writer_options *options,
                               struct table_writer **out, struct err *e)
{
    struct table_writer *w = calloc(1, sizeof *w);

    if (w == NULL) {
        return err_nomem(e);
    }
    w->options = *options;
    w->location = str_dup(options->location);
    w->schema_json = iceberg_schema_json(options->schema);
    rand_seed(&w->rand, options->seed);
    if (w->location == NULL || w->schema_json == NULL) {
        table_writer_free(w);
        return err_nomem(e);
    }
    *out = w;
    return ERR_OK;
}

static void close_file(struct table_writer *w, uint32_t i)
{
    struct open_file *f = &w->open[i];

    parquet_writer_free(f->parquet);
    store_abandon(f->file);
    free(f->path);
    *f = w->open[--w->open_count];
}

void table_writer_free(struct table_writer *w)
{
    if (w == NULL) {
        return;
    }
    struct err ignored = {0};

    /* What cannot be removed is an orphan that no snapshot names. */
    (void)!table_writer_discard(w, &ignored);
    data_file_list_deinit(&w->done);
    free(w->location);
    free(w->schema_json);
    free(w);
}

static char *new_path(struct table_writer *w, int32_t day)
{
    char uuid[UUID_TEXT_BYTES];

    rand_uuid(&w->rand, uuid);
    if (!w->options.by_day) {
        return str_format("%s/data/%05u-%s.parquet", w->location, w->files++, uuid);
    }
    int64_t year;
    unsigned month;
    unsigned day_of_month;

    civil_from_days(day, &year, &month, &day_of_month);
    return str_format("%s/data/date=%04lld-%02u-%02u/%05u-%s.parquet", w->location, (long long)year,
                      month, day_of_month, w->files++, uuid);
}

static enum err_code open_new(struct table_writer *w, int32_t day, struct err *e)
{
    struct parquet_column_spec columns[WATERMARKS_COLUMNS];
    struct parquet_key_value metadata = {"iceberg.schema", w->schema_json};
    struct open_file f = {.day = day, .path = new_path(w, day)};

    if (f.path == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = store_create(w->options.store, f.path, &f.file, e);

    if (rc == ERR_OK) {
        changelog_parquet_columns(w->options.schema, columns);
        struct parquet_writer_options options = {
            .columns = columns,
            .column_count = w->options.schema->field_count,
            .metadata = &metadata,
            .metadata_count = 1,
            .codec = PARQUET_CODEC_ZSTD,
            .zstd_level = w->options.zstd_level,
            .encoder = w->options.encoder,
            .row_group_bytes_max = w->options.row_group_bytes,
        };
        rc = parquet_writer_open(&options, store_file_sink(f.file), &f.parquet, e);
    }
    if (rc != ERR_OK) {
        store_abandon(f.file);
        free(f.path);
        return rc;
    }
    w->open[w->open_count++] = f;
    return ERR_OK;
}

static enum err_code finish_file(struct table_writer *w, uint32_t i, struct err *e)
{
    struct open_file *f = &w->open[i];
    struct parquet_file_info info = {0};
    struct iceberg_data_file *data_file = NULL;
    enum err_code rc = list_reserve(&w->done, 1, e);

    if (rc == ERR_OK) {
        rc = parquet_writer_finish(f->parquet, &info, e);
    }
    if (rc == ERR_OK) {
        data_file = iceberg_data_file_new(f->path, w->options.by_day, f->day, &info);
        rc = data_file == NULL ? err_nomem(e) : ERR_OK;
    }
    if (rc == ERR_OK) {
        struct store_file *file = f->file;

        f->file = NULL;
        rc = store_finish(file, e);
    }
    if (rc == ERR_OK) {
        w->done.files[w->done.count++] = data_file;
    } else {
        iceberg_data_file_free(data_file);
        err_wrap(e, "writing %s", f->path);
    }
    parquet_file_info_deinit(&info);
    close_file(w, i);
    return rc;
}

static uint32_t least_used(const struct table_writer *w)
{
    uint32_t oldest = 0;

    for (uint32_t i = 1; i < w->open_count; i++) {
        if (w->open[i].last_use < w->open[oldest].last_use) {
            oldest = i;
        }
    }
    return oldest;
}

enum err_code table_writer_write(struct table_writer *w, int32_t day,
                                 const struct column_batch *batch, struct err *e)
{
    uint32_t i = 0;

    while (i < w->open_count && w->open[i].day != day) {
        i++;
    }
    if (i == w->open_count) {
        if (w->open_count == OPEN_FILES_MAX) {
            ERR_TRY(finish_file(w, least_used(w), e));
        }
        ERR_TRY(open_new(w, day, e));
        i = w->open_count - 1;
    }
    w->open[i].last_use = ++w->uses;
    enum err_code rc = parquet_writer_write(w->open[i].parquet, batch, e);

    if (rc != ERR_OK) {
        err_wrap(e, "writing %s", w->open[i].path);
        return rc;
    }
    if (parquet_writer_bytes(w->open[i].parquet) >= w->options.target_file_bytes) {
        return finish_file(w, i, e);
    }
    return ERR_OK;
}

uint64_t table_writer_buffered(const struct table_writer *w)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < w->open_count; i++) {
        bytes +=
            parquet_writer_buffered(w->open[i].parquet) + store_file_held_bytes(w->open[i].file);
    }
    return bytes;
}

enum err_code table_writer_spill(struct table_writer *w, struct err *e)
{
    while (w->open_count > 0) {
        ERR_TRY(finish_file(w, 0, e));
    }
    return ERR_OK;
}

enum err_code table_writer_take(struct table_writer *w, struct data_file_list *out, struct err *e)
{
    ERR_TRY(table_writer_spill(w, e));
    if (w->done.count > 0) {
        ERR_TRY(list_reserve(out, w->done.count, e));
        memcpy(out->files + out->count, w->done.files, w->done.count * sizeof *out->files);
        out->count += w->done.count;
        w->done.count = 0;
    }
    return ERR_OK;
}

/* Removes what was finished. The first failure counts; the others are removed all the same. */
static enum err_code remove_done(struct table_writer *w, struct err *e)
{
    const char *paths[REMOVE_COUNT_MAX];
    enum err_code first = ERR_OK;

    for (uint32_t at = 0; at < w->done.count;) {
        struct err why = {0};
        uint32_t count = 0;

        while (count < REMOVE_COUNT_MAX && at < w->done.count) {
            paths[count++] = w->done.files[at++]->path;
        }
        enum err_code rc =
            store_remove_many(w->options.store, paths, count, NULL, first == ERR_OK ? e : &why);

        first = first == ERR_OK ? rc : first;
    }
    return first;
}

enum err_code table_writer_discard(struct table_writer *w, struct err *e)
{
    while (w->open_count > 0) {
        close_file(w, 0);
    }
    enum err_code rc = remove_done(w, e);

    for (uint32_t i = 0; i < w->done.count; i++) {
        iceberg_data_file_free(w->done.files[i]);
    }
    w->done.count = 0;
    return rc;
}
