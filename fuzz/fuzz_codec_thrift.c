/* Thrift compact structs, walked as Parquet's footer reader does: fields, lists, structs inside. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "codec/thrift_compact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(struct bytes_reader *in, int depth);

static void walk_list(struct thrift_reader *r, int depth)
{
    enum thrift_type element;
    uint32_t count = thrift_read_list(r, &element);

    if (count > bytes_left(r->in)) {
        abort();
    }
    for (uint32_t i = 0; i < count && !bytes_failed(r->in); i++) {
        if (element == THRIFT_STRUCT) {
            walk(r->in, depth + 1);
        } else {
            thrift_skip(r, element);
        }
    }
}

static void walk(struct bytes_reader *in, int depth)
{
    struct thrift_reader r = {in, 0};
    struct thrift_field f;
    size_t before = bytes_left(in);

    if (depth > 32) {
        bytes_fail(in);
    }
    while (thrift_next(&r, &f)) {
        if (bytes_left(in) >= before || f.id != r.last) {
            abort(); /* every field takes at least a byte */
        }
        before = bytes_left(in);
        switch (f.type) {
        case THRIFT_STRUCT:
            walk(in, depth + 1);
            break;
        case THRIFT_LIST:
            walk_list(&r, depth);
            break;
        case THRIFT_BINARY:
            (void)thrift_read_binary(&r);
            break;
        case THRIFT_I16:
        case THRIFT_I32:
        case THRIFT_I64:
            (void)thrift_read_int(&r);
            break;
        case THRIFT_STOP:
            abort();
        case THRIFT_TRUE:
        case THRIFT_FALSE:
        case THRIFT_I8:
        case THRIFT_DOUBLE:
        case THRIFT_SET:
        case THRIFT_MAP:
            thrift_skip(&r, f.type);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes_reader in;

    bytes_reader_init(&in, span_of(data, size));
    walk(&in, 0);
    return 0;
}
