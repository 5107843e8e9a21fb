/* The body of a QUERY event. */
#include <stdlib.h>

#include "mysql/binlog_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct binlog_query query;
    struct err e;

    if (binlog_event_query(span_of(data, size), &query, &e) == ERR_OK) {
        /* Both lie inside of the event. */
        if (query.sql.len > size || query.schema.len > size ||
            (query.sql.len > 0 && query.sql.data + query.sql.len != data + size)) {
            abort();
        }
    }
    return 0;
}
