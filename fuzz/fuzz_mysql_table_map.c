/* TABLE_MAP bodies: what parses must agree with the quick look at its head. */
#include <stdlib.h>

#include "mysql/table_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct table_map map;
    uint64_t id;
    struct span schema;
    struct span name;

    arena_init(&arena, (size_t)64 << 20);
    if (table_map_parse(span_of(data, size), &arena, &map, NULL) == ERR_OK &&
        (table_map_peek(span_of(data, size), &id, &schema, &name, NULL) != ERR_OK ||
         id != map.table_id || !span_eq(schema, map.schema) || !span_eq(name, map.name))) {
        abort();
    }
    arena_deinit(&arena);
    return 0;
}
