/*
 * corpus.h - files of tests/corpus/iceberg_*, which other writers made.
 *
 * java_*: Iceberg 1.11.0 core, format version 2 (java_v1: 1). Columns id long required, ts
 * timestamp, name string, amount decimal(10,2), x double; spec day(ts) (none: none; odd: bucket,
 * truncate and identity). newAppend f0 f1; newFastAppend f2; newAppend f3 (merges); newDelete f1;
 * but for v1 newRowDelta with a position and an equality delete file; tag first, branch audit.
 * *_plain.avro: the same with codec null and without the rest of the file's metadata.
 *
 * pyiceberg*: PyIceberg 0.12.0. Columns id, ts, name, x; spec day(ts) as "date"; append of 3 rows
 * and of 2, delete where id = 2, overwrite with 2 rows.
 */
#ifndef CALVE_TEST_CORPUS_H
#define CALVE_TEST_CORPUS_H

#include "base/buf.h"
#include "test.h"

/* Replaces out's content by the file tests/corpus/<folder>/<name>. */
static inline void corpus_load(const char *folder, const char *name, struct buf *out)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s/%s", TEST_CORPUS_DIR, folder, name);
    FILE *f = fopen(path, "rb");

    buf_reset(out);
    if (f == NULL) {
        fail_msg("%s is not there", path);
        return;
    }
    uint8_t piece[4096];
    size_t n;

    while ((n = fread(piece, 1, sizeof piece, f)) > 0) {
        buf_append(out, piece, n);
    }
    (void)fclose(f);
    assert_true(out->len > 0);
}

#endif
