/* read_back.h - the rows of changelog files in a store, for the tests of their writers. */
#ifndef CALVE_READ_BACK_H
#define CALVE_READ_BACK_H

#include <stdlib.h>

#include "parquet/reader.h"
#include "pipeline/changelog.h"
#include "storage/store.h"

#include "test.h"

/* Rows as text, a line each: "insert 86400000000 binlog.000001 120 {...}". */
static inline void read_back_group(struct parquet_reader *r, uint32_t group, struct buf *out)
{
    struct column columns[CHANGELOG_COLUMNS] = {{0}};
    struct err e = {0};

    for (uint32_t i = 0; i < CHANGELOG_COLUMNS; i++) {
        assert_ok(parquet_reader_read(r, group, i, (size_t)1 << 28, &columns[i], &e), &e);
        assert_int_equal(columns[i].value_count, parquet_reader_row_group_rows(r, group));
        assert_u64_eq(columns[i].validity.len, 0);
    }
    for (uint32_t row = 0; row < parquet_reader_row_group_rows(r, group); row++) {
        int64_t numbers[2];

        memcpy(&numbers[0], columns[CHANGELOG_TIMESTAMP].values.data + (size_t)row * 8, 8);
        memcpy(&numbers[1], columns[CHANGELOG_LOG_POSITION].values.data + (size_t)row * 8, 8);
        buf_append_span(out, column_bytes_at(&columns[CHANGELOG_EVENT_TYPE], row));
        buf_printf(out, " %lld ", (long long)numbers[0]);
        buf_append_span(out, column_bytes_at(&columns[CHANGELOG_LOG_FILE], row));
        buf_printf(out, " %lld ", (long long)numbers[1]);
        buf_append_span(out, column_bytes_at(&columns[CHANGELOG_PAYLOAD], row));
        buf_u8(out, '\n');
    }
    for (uint32_t i = 0; i < CHANGELOG_COLUMNS; i++) {
        buf_deinit(&columns[i].values);
        buf_deinit(&columns[i].offsets);
        buf_deinit(&columns[i].validity);
    }
}

/* Appends the file's rows to out; returns how many there are. */
static inline uint64_t read_back(struct store *store, const char *path, struct buf *out)
{
    struct store_reader *file = NULL;
    struct parquet_reader *r = NULL;
    struct byte_source source;
    struct err e = {0};

    assert_ok(store_open(store, path, &file, &source, &e), &e);
    assert_ok(parquet_reader_open(&source, &r, &e), &e);
    for (uint32_t i = 0; i < parquet_reader_row_group_count(r); i++) {
        read_back_group(r, i, out);
    }
    uint64_t rows = parquet_reader_rows(r);
    char *schema = iceberg_schema_json(changelog_schema());

    assert_string_equal(parquet_reader_metadata(r, "iceberg.schema"), schema);
    free(schema);
    parquet_reader_free(r);
    store_close(file);
    return rows;
}

#endif
