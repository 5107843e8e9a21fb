/* Avro container files: a file that is read is read to its end, and shown; and it is never a crash.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "avro/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf json;
    struct err e = {0};

    buf_init(&json, (size_t)8 << 20);
    enum err_code rc = avro_dump_json(span_of(data, size), &json, &e);

    if (json.len > ((size_t)8 << 20) || (rc != ERR_OK && e.code != rc)) {
        abort();
    }
    buf_deinit(&json);
    return 0;
}
