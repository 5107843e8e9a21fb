/*
 * table_map.h - the TABLE_MAP event: wire types, metadata and optional metadata of the rows that
 * follow.
 *
 * Spec: mysql-server libs/mysql/binlog/event/rows_event.h, class Table_map_event.
 * Owns:   a parsed map lives in the arena it was made in; spans inside point into that arena too.
 * Thread: any (read only).
 */
#ifndef CALVE_MYSQL_TABLE_MAP_H
#define CALVE_MYSQL_TABLE_MAP_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

struct table_map_column {
    uint8_t type;  /* wire type; STRING is resolved to STRING, ENUM (247) or SET (248) */
    uint16_t meta; /* as the type needs it; see table_map.c */
    bool nullable;
    bool has_signedness;
    bool is_unsigned;
    uint16_t collation;      /* 0 when not logged */
    uint16_t collation_wide; /* as another server counts columns; 0 when that is no reading */
    struct span name;        /* empty when not logged */
    struct span *labels;     /* ENUM, SET: in the column's charset; NULL when not logged */
    uint32_t label_count;
    bool has_visibility;
    bool visible;
};

struct table_map {
    uint64_t table_id;
    uint16_t flags;
    struct span schema;
    struct span name;
    struct table_map_column *columns;
    uint32_t column_count;
    bool has_names;
    uint32_t *key; /* column indexes, key order; when logged */
    uint32_t key_count;
};

/* Only id, schema and table: for looking up whether anybody wants it. */
MUST_USE enum err_code table_map_peek(struct span body, uint64_t *table_id, struct span *schema,
                                      struct span *name, struct err *e);

MUST_USE enum err_code table_map_parse(struct span body, struct arena *arena, struct table_map *out,
                                       struct err *e);

#endif
