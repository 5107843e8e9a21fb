/* app_lake.h - a lake in a temporary folder, settings for it, and what a command prints about it.
 */
#ifndef CALVE_APP_LAKE_FIXTURE_H
#define CALVE_APP_LAKE_FIXTURE_H

#include <fcntl.h>
#include <jansson.h>

#include "app/commands.h"
#include "app/config_table.h"
#include "app/lake.h"
#include "fake_clock.h"
#include "pipeline/changelog.h"
#include "temp_folder.h"

#define LAKE_NOW_US   INT64_C(1795640905254000) /* 2026-11-25T21:08:25.254Z */
#define LAKE_SETTINGS 8

struct app_lake {
    struct temp_folder folder;
    struct fake_clock time;
    struct store *store;
    struct catalog *catalog;
    char db[128];
};

static inline void app_lake_open(struct app_lake *l)
{
    struct err e = {0};

    temp_folder_init(&l->folder);
    l->time = (struct fake_clock){.wall_us = LAKE_NOW_US};
    (void)snprintf(l->db, sizeof l->db, "%s/catalog.db", l->folder.path);
    assert_ok(store_local_new(&l->store, &e), &e);
    assert_ok(catalog_sqlite_open(&(struct catalog_sqlite_options){.path = l->db,
                                                                   .name = "default",
                                                                   .store = l->store,
                                                                   .clock = fake_clock(&l->time)},
                                  &l->catalog, &e),
              &e);
}

static inline void app_lake_close(struct app_lake *l)
{
    catalog_free(l->catalog);
    store_free(l->store);
    temp_remove(l->folder.path);
}

/* A changelog table with a checkpoint of connection c1 (NULL: none). */
static inline void app_lake_create(struct app_lake *l, const char *ns, const char *name,
                                   const char *checkpoint)
{
    char *location = str_format("file://%s/%s/%s", l->folder.path, ns, name);
    const struct iceberg_property property = {"calve.checkpoint.c1", checkpoint};
    struct err e = {0};

    assert_non_null(location);
    assert_ok(catalog_create(l->catalog, (struct table_ident){ns, name},
                             &(struct catalog_create_options){
                                 .location = location,
                                 .schema = changelog_schema(),
                                 .partition = changelog_partition(),
                                 .properties = &property,
                                 .property_count = checkpoint == NULL ? 0 : 1,
                             },
                             &e),
              &e);
    free(location);
}

/* Commits a data file that is described, not written. */
static inline void app_lake_append(struct app_lake *l, const char *ns, const char *name)
{
    int64_t timestamp = LAKE_NOW_US;
    struct parquet_column_metrics columns[] = {
        {.field_id = 1,
         .kind = COLUMN_KIND_BYTES,
         .logical = PARQUET_LOGICAL_STRING,
         .compressed_bytes = 40,
         .value_count = 7,
         .has_bounds = true,
         .lower = span_str("delete"),
         .upper = span_str("update")},
        {.field_id = 2,
         .kind = COLUMN_KIND_INT64,
         .logical = PARQUET_LOGICAL_TIMESTAMP_US,
         .compressed_bytes = 60,
         .value_count = 7,
         .has_bounds = true,
         .lower = span_of(&timestamp, sizeof timestamp),
         .upper = span_of(&timestamp, sizeof timestamp)},
        {.field_id = 5,
         .kind = COLUMN_KIND_BYTES,
         .logical = PARQUET_LOGICAL_STRING,
         .compressed_bytes = 50,
         .value_count = 7,
         .null_count = 7},
    };
    int64_t split = 4;
    const struct parquet_file_info info = {.row_count = 7,
                                           .file_bytes = 1234,
                                           .columns = columns,
                                           .column_count = 3,
                                           .split_offsets = &split,
                                           .split_count = 1};
    char *path = str_format("file://%s/%s/%s/data/x.parquet", l->folder.path, ns, name);
    struct iceberg_data_file *file =
        iceberg_data_file_new(path, true, iceberg_day_of_us(timestamp), &info);
    struct catalog_commit_result result;
    struct err e = {0};

    assert_non_null(file);
    assert_ok(catalog_commit(l->catalog, (struct table_ident){ns, name},
                             &(struct catalog_change){
                                 .change = {.added = &file,
                                            .added_count = 1,
                                            .retention = {.keep_us = 1, .keep_count = 5}}},
                             &result, &e),
              &e);
    iceberg_data_file_free(file);
    free(path);
}

/* Settings from flags alone: name, value, name, value, … NULL. */
static inline struct config *app_lake_config(const struct app_lake *l, const char *const *settings)
{
    struct config_flag flags[LAKE_SETTINGS + 2];
    static const char *const environment[] = {NULL};
    uint32_t count = 0;
    struct config *c;
    struct err e = {0};

    flags[count++] = (struct config_flag){config_find(span_str("warehouse")), l->folder.path};
    flags[count++] = (struct config_flag){config_find(span_str("connection-name")), "c1"};
    for (size_t i = 0; settings[i] != NULL; i += 2) {
        flags[count++] = (struct config_flag){config_find(span_str(settings[i])), settings[i + 1]};
    }
    const struct config_request request = {
        .flags = flags, .flag_count = count, .folder = "/", .environment = environment};

    assert_ok(config_load(&request, &c, &e), &e);
    return c;
}

typedef enum err_code app_command(const struct config *c, const struct command_args *args,
                                  struct log *log, struct err *e);

/* Runs a command; out gets what it writes to stdout. */
static inline enum err_code app_capture(app_command *command, const struct config *c,
                                        const struct command_args *args, struct buf *out,
                                        struct err *e)
{
    char path[] = "/tmp/calve-test-XXXXXX";
    int fd = mkstemp(path);
    int saved = dup(STDOUT_FILENO);

    assert_true(fd >= 0 && saved >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fflush(stdout), 0);
    assert_true(dup2(fd, STDOUT_FILENO) >= 0);
    enum err_code rc = command(c, args, NULL, e);

    (void)fflush(stdout);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    assert_int_equal(close(saved), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    for (;;) {
        uint8_t piece[4096];
        ssize_t n = read(fd, piece, sizeof piece);

        if (n <= 0) {
            break;
        }
        buf_append(out, piece, (size_t)n);
    }
    assert_int_equal(close(fd), 0);
    return rc;
}

static inline void app_assert_has(struct buf *text, const char *part)
{
    const char *all = buf_cstr(text);

    assert_non_null(all);
    if (strstr(all, part) == NULL) {
        fail_msg("no \"%s\" in:\n%s", part, all);
    }
}

static inline void app_assert_lacks(struct buf *text, const char *part)
{
    const char *all = buf_cstr(text);

    assert_non_null(all);
    if (strstr(all, part) != NULL) {
        fail_msg("\"%s\" in:\n%s", part, all);
    }
}

#endif
