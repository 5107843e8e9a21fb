/*
 * inspect_table_int.h - the parts of `calve inspect table`: finding the table (inspect_table.c),
 * its metadata (inspect_metadata.c), its manifests and files (inspect_manifests.c).
 *
 * The metadata document is shown from its JSON, which iceberg_metadata_parse() has looked through.
 *
 * Thread: main.
 */
#ifndef CALVE_APP_INSPECT_TABLE_INT_H
#define CALVE_APP_INSPECT_TABLE_INT_H

#include <jansson.h>

#include "app/inspect_int.h"
#include "app/lake.h"
#include "iceberg/metadata.h"

struct inspected_table {
    const char *what; /* as the user names it */
    struct lake lake; /* the catalog is there when the table was named */
    struct iceberg_metadata *metadata;
    char *metadata_location;
    json_t *doc; /* the same metadata */
    bool json;
    struct buf out;
};

/* A column of the current schema, nested ones by their dotted path. */
struct inspected_column {
    int32_t id;
    const char *name;
    const char *type; /* "timestamp", "decimal(9, 2)"; of a list, map or struct its JSON */
    bool required;
    int depth; /* 0: not nested */
};

struct inspected_columns {
    struct inspected_column *items;
    uint32_t count;
    uint32_t capacity;
    struct arena arena;
};

/* Errors: ERR_NOMEM, ERR_LIMIT (nesting, or too many). *out is to be deinit'ed in any case. */
MUST_USE enum err_code inspect_columns_load(const json_t *doc, struct inspected_columns *out,
                                            struct err *e);
void inspect_columns_deinit(struct inspected_columns *c);

/* The column with that id; NULL when the current schema has none. */
const struct inspected_column *inspect_columns_find(const struct inspected_columns *c, int32_t id);

/* Members "metadata" and "checkpoints" of the JSON object. */
MUST_USE enum err_code inspect_metadata_json(struct inspected_table *t, struct err *e);

/* Place, schema, partitions, properties, checkpoints, snapshots. */
MUST_USE enum err_code inspect_metadata_text(struct inspected_table *t,
                                             const struct inspected_columns *columns,
                                             struct err *e);

/* Manifests and live files of the current snapshot: members of the JSON object, or text. */
MUST_USE enum err_code inspect_manifests(struct inspected_table *t,
                                         const struct inspected_columns *columns, struct err *e);

#endif
