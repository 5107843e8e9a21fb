/*
 * Object container file: "Obj" 1, file metadata as a map of bytes, 16 bytes of sync marker; then
 * blocks:
 *
 *   long records | long bytes | the records, compressed as one | sync marker
 *
 * Arrays and maps are blocks of a count and that many elements, ended by a count of 0. A negative
 * count stands for its amount and is followed by the block's size in bytes.
 */
#include "avro/reader.h"

#include <stdlib.h>

#include "avro/schema_int.h"
#include "base/str.h"
#include "codec/compress.h"
#include "codec/json_writer.h"

#define DEPTH_MAX        64
#define BLOCK_BYTES_MAX  ((size_t)256 << 20)
#define RECORD_BYTES_MAX ((size_t)256 << 20)
#define SCHEMA_BYTES_MAX ((size_t)16 << 20)
#define EMPTY_ITEMS_MAX  1000000u
#define SYNC_BYTES       16u

struct avro_reader {
    struct bytes_reader file;
    struct span meta; /* the header's map, as it lies in the file */
    uint8_t sync[SYNC_BYTES];
    bool deflate;
    struct avro_schema *schema;
    struct arena schema_arena;
    struct arena record_arena;
    struct buf inflated;
    struct bytes_reader block;
    uint64_t block_left;
    uint64_t empty_left;  /* values that take no bytes could be claimed without end */
    enum err_code failed; /* the first failure: what follows it cannot be trusted */
};

/* A block of an array or map: how many elements, and how many bytes when the file says so. */
struct item_block {
    uint64_t count;
    bool sized;
    size_t bytes;
    size_t start; /* the reader's offset at the first element */
};

/* False at the end of the list, and on failure of the reader. */
static bool read_item_block(struct bytes_reader *in, struct item_block *out)
{
    int64_t count = bytes_zigzag(in);

    *out = (struct item_block){.count = (uint64_t)count, .sized = count < 0};
    if (count < 0) {
        int64_t bytes = bytes_zigzag(in);

        if (count == INT64_MIN || bytes < 0 || (uint64_t)bytes > bytes_left(in)) {
            bytes_fail(in);
            return false;
        }
        out->count = (uint64_t)-count;
        out->bytes = (size_t)bytes;
    }
    out->start = bytes_offset(in);
    return !bytes_failed(in) && count != 0;
}

/* Fails the reader when the elements were not as long as the file said. */
static void end_item_block(struct bytes_reader *in, const struct item_block *block)
{
    if (block->sized && bytes_offset(in) - block->start != block->bytes) {
        bytes_fail(in);
    }
}

static struct span read_bytes(struct bytes_reader *in)
{
    int64_t len = bytes_zigzag(in);

    if (len < 0 || (uint64_t)len > bytes_left(in)) {
        bytes_fail(in);
        return (struct span){NULL, 0};
    }
    return bytes_span(in, (size_t)len);
}

static struct span read_string(struct bytes_reader *in)
{
    struct span text = read_bytes(in);

    if (!str_is_utf8(text)) {
        bytes_fail(in);
        return (struct span){NULL, 0};
    }
    return text;
}

/* Keys are text, values can be anything. */
static void put_meta_json(struct buf *json, struct span key, struct span value)
{
    json_put_string(json, key);
    buf_u8(json, ':');
    if (str_is_utf8(value)) {
        json_put_string(json, value);
    } else {
        buf_append_str(json, "{\"base64\":");
        json_put_base64(json, value);
        buf_u8(json, '}');
    }
}

/* Walks the header's metadata map; finds `key` when it is given, writes all of it to `json` when
 * that is. */
static struct span walk_meta(struct bytes_reader *in, const char *key, struct buf *json)
{
    struct span found = {NULL, 0};
    struct item_block block;
    bool first = true;

    while (read_item_block(in, &block)) {
        for (uint64_t i = 0; i < block.count && !bytes_failed(in); i++) {
            struct span k = read_string(in);
            struct span v = read_bytes(in);

            if (key != NULL && span_eq_str(k, key)) {
                found = v;
            }
            if (json != NULL) {
                buf_append_str(json, first ? "" : ",");
                put_meta_json(json, k, v);
                first = false;
            }
        }
        end_item_block(in, &block);
    }
    return bytes_failed(in) ? (struct span){NULL, 0} : found;
}

struct span avro_reader_meta(const struct avro_reader *r, const char *key)
{
    struct bytes_reader in;

    bytes_reader_init(&in, r->meta);
    return walk_meta(&in, key, NULL);
}

static enum err_code read_codec(struct avro_reader *r, struct err *e)
{
    struct span codec = avro_reader_meta(r, "avro.codec");

    r->deflate = span_eq_str(codec, "deflate");
    if (r->deflate || codec.len == 0 || span_eq_str(codec, "null")) {
        return ERR_OK;
    }
    if (codec.len > 40 || !str_is_utf8(codec)) {
        codec = span_str("of another name");
    }
    return err_set(e, ERR_UNSUPPORTED, "Avro file: codec %.*s: only null and deflate can be read",
                   (int)codec.len, (const char *)codec.data);
}

static enum err_code read_header(struct avro_reader *r, struct span file, struct err *e)
{
    if (!span_eq_str(bytes_span(&r->file, 4), "Obj\x01")) {
        return err_set(e, ERR_CORRUPT, "not an Avro file: the magic is missing");
    }
    struct bytes_reader meta;
    size_t start = bytes_offset(&r->file);

    (void)walk_meta(&r->file, NULL, NULL);
    size_t end = bytes_offset(&r->file);
    const uint8_t *sync = bytes_take(&r->file, SYNC_BYTES);

    if (sync == NULL) {
        return err_set(e, ERR_CORRUPT, "Avro file: the header is cut short or not well-formed");
    }
    memcpy(r->sync, sync, SYNC_BYTES);
    bytes_reader_init(&meta, file);
    bytes_skip(&meta, start);
    r->meta = bytes_span(&meta, end - start);
    ERR_TRY(read_codec(r, e));
    struct span schema = avro_reader_meta(r, "avro.schema");

    if (schema.data == NULL) {
        return err_set(e, ERR_CORRUPT, "Avro file: the header has no avro.schema");
    }
    return avro_schema_parse(schema, &r->schema_arena, &r->schema, e);
}

enum err_code avro_reader_open(struct span file, struct avro_reader **out, struct err *e)
{
    struct avro_reader *r = calloc(1, sizeof *r);

    *out = NULL;
    if (r == NULL) {
        return err_nomem(e);
    }
    bytes_reader_init(&r->file, file);
    bytes_reader_init(&r->block, (struct span){NULL, 0});
    arena_init(&r->schema_arena, SCHEMA_BYTES_MAX);
    arena_init(&r->record_arena, RECORD_BYTES_MAX);
    buf_init(&r->inflated, BLOCK_BYTES_MAX);
    r->empty_left = EMPTY_ITEMS_MAX;
    enum err_code rc = read_header(r, file, e);

    if (rc != ERR_OK) {
        avro_reader_free(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

void avro_reader_free(struct avro_reader *r)
{
    if (r != NULL) {
        arena_deinit(&r->schema_arena);
        arena_deinit(&r->record_arena);
        buf_deinit(&r->inflated);
        free(r);
    }
}

/* How many values of this type can still come; each takes at least a byte or is counted one by one.
 */
static uint64_t most_items(const struct avro_reader *r, const struct avro_schema *s)
{
    return s->takes_no_bytes ? r->empty_left : bytes_left(&r->block);
}

static enum err_code next_block(struct avro_reader *r, struct err *e)
{
    int64_t count = bytes_zigzag(&r->file);
    struct span content = read_bytes(&r->file);
    const uint8_t *sync = bytes_take(&r->file, SYNC_BYTES);

    if (count < 0 || sync == NULL) {
        return err_set(e, ERR_CORRUPT, "Avro file: a block is cut short");
    }
    if (memcmp(sync, r->sync, SYNC_BYTES) != 0) {
        return err_set(e, ERR_CORRUPT, "Avro file: the sync marker after a block is wrong");
    }
    if (r->deflate) {
        buf_reset(&r->inflated);
        ERR_TRY(deflate_decompress(content, &r->inflated, e));
        content = buf_span(&r->inflated);
    }
    bytes_reader_init(&r->block, content);
    r->empty_left += content.len;
    if ((uint64_t)count > most_items(r, r->schema)) {
        return err_set(e, ERR_CORRUPT, "Avro file: a block of %zu bytes claims %lld records",
                       content.len, (long long)count);
    }
    r->block_left = (uint64_t)count;
    return ERR_OK;
}

static enum err_code bad_record(struct err *e)
{
    return err_set(e, ERR_CORRUPT, "Avro file: a record does not follow its schema");
}

static enum err_code decode(struct avro_reader *r, const struct avro_schema *s, int depth,
                            struct avro_value *out, struct err *e);

/* Makes room for `more` slots in a list that lives in the arena. */
static enum err_code grow(struct avro_reader *r, struct avro_value *list, uint64_t more,
                          uint64_t *capacity, struct err *e)
{
    uint64_t need = list->u.list.count + more;

    if (need <= *capacity) {
        return ERR_OK;
    }
    /* A list may come in many small blocks. */
    uint64_t room = need < *capacity * 2 ? *capacity * 2 : need;
    struct avro_value *items = arena_alloc(&r->record_arena, (size_t)room, sizeof *items);

    if (items == NULL) {
        return arena_fail(&r->record_arena, e, "Avro record");
    }
    if (list->u.list.count > 0) {
        memcpy(items, list->u.list.items, list->u.list.count * sizeof *items);
    }
    list->u.list.items = items;
    *capacity = room;
    return ERR_OK;
}

static enum err_code decode_array(struct avro_reader *r, const struct avro_schema *s, int depth,
                                  struct avro_value *out, struct err *e)
{
    struct item_block block;
    uint64_t capacity = 0;

    while (read_item_block(&r->block, &block)) {
        if (block.count > most_items(r, s->items)) {
            return err_set(e, ERR_CORRUPT, "Avro file: an array claims %llu elements",
                           (unsigned long long)block.count);
        }
        ERR_TRY(grow(r, out, block.count, &capacity, e));
        for (uint64_t i = 0; i < block.count; i++) {
            ERR_TRY(decode(r, s->items, depth + 1, &out->u.list.items[out->u.list.count], e));
            out->u.list.count++;
        }
        end_item_block(&r->block, &block);
    }
    return bytes_failed(&r->block) ? bad_record(e) : ERR_OK;
}

static enum err_code decode_map(struct avro_reader *r, const struct avro_schema *s, int depth,
                                struct avro_value *out, struct err *e)
{
    struct item_block block;
    uint64_t capacity = 0;

    while (read_item_block(&r->block, &block)) {
        if (block.count > bytes_left(&r->block)) {
            return err_set(e, ERR_CORRUPT, "Avro file: a map claims %llu entries",
                           (unsigned long long)block.count);
        }
        ERR_TRY(grow(r, out, block.count * 2, &capacity, e));
        for (uint64_t i = 0; i < block.count; i++) {
            struct avro_value *entry = &out->u.list.items[out->u.list.count];

            entry[0] = (struct avro_value){.type = AVRO_STRING};
            entry[0].u.bytes = read_string(&r->block);
            ERR_TRY(decode(r, s->items, depth + 1, &entry[1], e));
            out->u.list.count += 2;
        }
        end_item_block(&r->block, &block);
    }
    return bytes_failed(&r->block) ? bad_record(e) : ERR_OK;
}

static enum err_code decode_record(struct avro_reader *r, const struct avro_schema *s, int depth,
                                   struct avro_value *out, struct err *e)
{
    out->u.list.count = s->count;
    out->u.list.items = arena_alloc(&r->record_arena, s->count, sizeof *out->u.list.items);
    if (out->u.list.items == NULL) {
        return arena_fail(&r->record_arena, e, "Avro record");
    }
    for (uint32_t i = 0; i < s->count; i++) {
        enum err_code rc = decode(r, s->fields[i].type, depth + 1, &out->u.list.items[i], e);

        if (rc != ERR_OK) {
            (void)err_wrap(e, "field %s", s->fields[i].name);
            return rc;
        }
    }
    return ERR_OK;
}

static enum err_code decode_union(struct avro_reader *r, const struct avro_schema *s, int depth,
                                  struct avro_value *out, struct err *e)
{
    int64_t branch = bytes_zigzag(&r->block);

    if (bytes_failed(&r->block) || branch < 0 || branch >= (int64_t)s->count) {
        return err_set(e, ERR_CORRUPT, "Avro file: a union of %u has no branch %lld", s->count,
                       (long long)branch);
    }
    const struct avro_schema *chosen = s->branches[branch];

    if (chosen->type == AVRO_NULL) {
        *out = (struct avro_value){.type = AVRO_NULL, .schema = chosen};
        return ERR_OK; /* the branch number took a byte: not to be counted as empty */
    }
    return decode(r, chosen, depth + 1, out, e);
}

static double read_float(struct bytes_reader *in)
{
    uint32_t bits = bytes_u32le(in);
    float f;

    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static double read_double(struct bytes_reader *in)
{
    uint64_t bits = bytes_u64le(in);
    double f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

/* A whole number that the type limits to low..high. */
static int64_t read_within(struct bytes_reader *in, int64_t v, int64_t low, int64_t high)
{
    if (v < low || v > high) {
        bytes_fail(in);
        return 0;
    }
    return v;
}

static enum err_code decode(struct avro_reader *r, const struct avro_schema *s, int depth,
                            struct avro_value *out, struct err *e)
{
    struct bytes_reader *in = &r->block;

    if (depth > DEPTH_MAX) {
        return err_set(e, ERR_LIMIT, "Avro file: a record is nested deeper than %d", DEPTH_MAX);
    }
    if (s->takes_no_bytes && r->empty_left-- == 0) {
        r->empty_left = 0;
        return err_set(e, ERR_LIMIT, "Avro file: too many values that take no bytes");
    }
    *out = (struct avro_value){.type = s->type, .schema = s};
    switch (s->type) {
    case AVRO_NULL:
        break;
    case AVRO_BOOLEAN:
        out->u.i64 = read_within(in, bytes_u8(in), 0, 1);
        break;
    case AVRO_INT:
        out->u.i64 = read_within(in, bytes_zigzag(in), INT32_MIN, INT32_MAX);
        break;
    case AVRO_LONG:
        out->u.i64 = bytes_zigzag(in);
        break;
    case AVRO_ENUM:
        out->u.i64 = read_within(in, bytes_zigzag(in), 0, (int64_t)s->count - 1);
        break;
    case AVRO_FLOAT:
        out->u.f64 = read_float(in);
        break;
    case AVRO_DOUBLE:
        out->u.f64 = read_double(in);
        break;
    case AVRO_BYTES:
        out->u.bytes = read_bytes(in);
        break;
    case AVRO_STRING:
        out->u.bytes = read_string(in);
        break;
    case AVRO_FIXED:
        out->u.bytes = bytes_span(in, s->fixed_bytes);
        break;
    case AVRO_ARRAY:
        return decode_array(r, s, depth, out, e);
    case AVRO_MAP:
        return decode_map(r, s, depth, out, e);
    case AVRO_RECORD:
        return decode_record(r, s, depth, out, e);
    case AVRO_UNION:
        return decode_union(r, s, depth, out, e);
    }
    return bytes_failed(in) ? bad_record(e) : ERR_OK;
}

static enum err_code next_record(struct avro_reader *r, const struct avro_value **out,
                                 struct err *e)
{
    while (r->block_left == 0) {
        if (bytes_left(&r->block) != 0) {
            return err_set(e, ERR_CORRUPT, "Avro file: %zu bytes after a block's last record",
                           bytes_left(&r->block));
        }
        if (bytes_left(&r->file) == 0) {
            return ERR_OK;
        }
        ERR_TRY(next_block(r, e));
    }
    arena_reset(&r->record_arena);
    struct avro_value *v = arena_alloc(&r->record_arena, 1, sizeof *v);

    if (v == NULL) {
        return arena_fail(&r->record_arena, e, "Avro record");
    }
    ERR_TRY(decode(r, r->schema, 0, v, e));
    r->block_left--;
    *out = v;
    return ERR_OK;
}

enum err_code avro_reader_next(struct avro_reader *r, const struct avro_value **out, struct err *e)
{
    *out = NULL;
    if (r->failed != ERR_OK) {
        return err_set(e, r->failed, "Avro file: read on after a failure");
    }
    r->failed = next_record(r, out, e);
    return r->failed;
}

void avro_reader_meta_json(const struct avro_reader *r, struct buf *out)
{
    struct bytes_reader in;

    bytes_reader_init(&in, r->meta);
    buf_u8(out, '{');
    (void)walk_meta(&in, NULL, out);
    buf_u8(out, '}');
}

enum err_code avro_dump_json(struct span file, struct buf *out, struct err *e)
{
    struct avro_reader *r;
    const struct avro_value *record;

    ERR_TRY(avro_reader_open(file, &r, e));
    avro_reader_meta_json(r, out);
    buf_u8(out, '\n');
    enum err_code rc;

    while ((rc = avro_reader_next(r, &record, e)) == ERR_OK && record != NULL &&
           out->failed == ERR_OK) {
        avro_value_json(record, out);
        buf_u8(out, '\n');
    }
    avro_reader_free(r);
    return rc == ERR_OK ? buf_check(out, e, "Avro dump") : rc;
}
