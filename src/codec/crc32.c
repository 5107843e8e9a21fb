#include "codec/crc32.h"

#include <libdeflate.h>

uint32_t crc32_update(uint32_t crc, struct span bytes)
{
    return bytes.len == 0 ? crc : libdeflate_crc32(crc, bytes.data, bytes.len);
}
