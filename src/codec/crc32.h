/* crc32.h - the zlib CRC-32 (binlog checksums, Parquet pages), by libdeflate. Thread: any. */
#ifndef CALVE_CODEC_CRC32_H
#define CALVE_CODEC_CRC32_H

#include "base/bytes.h"

/* Start with crc 0; feed pieces in order. */
uint32_t crc32_update(uint32_t crc, struct span bytes);

#endif
