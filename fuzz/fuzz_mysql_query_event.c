/* The body of a QUERY event; the same bytes as that of an EXECUTE_LOAD_QUERY. */
#include <stdlib.h>

#include "mysql/binlog_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Both lie inside of the event. */
static void check(const struct binlog_query *query, const uint8_t *data, size_t size)
{
    if (query->sql.len > size || query->schema.len > size ||
        (query->sql.len > 0 && query->sql.data + query->sql.len != data + size)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct binlog_query query;
    struct err e;

    if (binlog_event_query(span_of(data, size), &query, &e) == ERR_OK) {
        check(&query, data, size);
    }
    if (binlog_event_execute_load_query(span_of(data, size), &query, &e) == ERR_OK) {
        check(&query, data, size);
    }
    return 0;
}
