/*
 * MariaDB's compressed events. First byte: which of the seven types; the rest is the body. What
 * comes out begins with the part that was not compressed, and has the size that was said.
 */
#include <stdlib.h>

#include "mysql/binlog_compressed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf plain = {.cap_max = (size_t)64 << 20};
    struct err e;
    uint8_t plain_type = 0;

    if (size == 0) {
        return 0;
    }
    uint8_t type = (uint8_t)(BINLOG_EVENT_MARIADB_QUERY_COMPRESSED + data[0] % 7);
    enum err_code rc =
        binlog_compressed_unpack(type, span_of(data + 1, size - 1), &plain, &plain_type, &e);

    if (rc == ERR_OK) {
        if (binlog_compressed_is(plain_type) || plain.len == 0 ||
            memcmp(plain.data, data + 1, 8) != 0) {
            abort();
        }
    }
    buf_deinit(&plain);
    return 0;
}
