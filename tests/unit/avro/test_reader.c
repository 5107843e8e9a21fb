#include "avro/reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "avro/writer.h"
#include "test.h"

/* A file of one block without compression around the bytes of its records. */
static void make_file(struct buf *out, const char *schema, int64_t records, struct span bytes)
{
    static const char sync[] = "0123456789abcdef";

    buf_reset(out);
    buf_append(out, "Obj\x01", 4);
    avro_put_array_start(out, 1);
    avro_put_string(out, "avro.schema");
    avro_put_string(out, schema);
    avro_put_array_end(out);
    buf_append(out, sync, 16);
    avro_put_long(out, records);
    avro_put_bytes(out, bytes);
    buf_append(out, sync, 16);
}

static void make_file_hex(struct buf *out, const char *schema, int64_t records, const char *hex)
{
    uint8_t bytes[256];
    size_t len = test_unhex(hex, bytes, sizeof bytes);

    make_file(out, schema, records, span_of(bytes, len));
}

/* How reading all of it ends, with the JSON of the records behind the first line. */
static enum err_code dump(struct span file, struct buf *json, struct err *e)
{
    buf_reset(json);
    enum err_code rc = avro_dump_json(file, json, e);

    return rc;
}

static const char *records_of(struct buf *json)
{
    const char *text = buf_cstr(json);
    const char *line = strchr(text, '\n');

    return line == NULL ? "" : line + 1;
}

static size_t load(const char *name, uint8_t *out, size_t out_bytes)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/avro_reader/%s", TEST_CORPUS_DIR, name);
    FILE *f = fopen(path, "rb");

    if (f == NULL) {
        fail_msg("%s is not there", path);
        return 0;
    }
    size_t len = fread(out, 1, out_bytes, f);

    (void)fclose(f);
    assert_true(len > 0 && len < out_bytes);
    return len;
}

/* fastavro_all_*.avro: fastavro 1.13.1, a record of every type, the second with one inside of it.
 */
static const char all_json[] =
    "{\"n\":null,\"b\":true,\"i\":0,\"l\":1700000000000000,\"f\":0.1,\"d\":0,\"y\":\"AP8A\","
    "\"s\":\"gr\xc3\xb6\xc3\x9f"
    "e 0 \xe2\x82\xac\",\"x\":\"YWJjZA==\",\"x2\":\"AAECAw==\",\"e\":\"RED\","
    "\"e2\":null,\"a\":[],\"m\":{},\"u\":null,\"r\":{},\"rs\":[],\"next\":null}\n"
    "{\"n\":null,\"b\":false,\"i\":-1000003,\"l\":1700000000000001,\"f\":0.1,\"d\":0.1,"
    "\"y\":\"AP8B\",\"s\":\"gr\xc3\xb6\xc3\x9f"
    "e 1 \xe2\x82\xac\",\"x\":\"YWJjZA==\",\"x2\":\"AAECAw==\","
    "\"e\":\"GREEN\",\"e2\":\"BLUE\",\"a\":[0],\"m\":{\"k1\":\"v1\",\"k2\":\"v\\\"2\"},"
    "\"u\":\"text\",\"r\":{},\"rs\":[{\"key\":0,\"value\":\"djA=\"}],\"next\":"
    "{\"n\":null,\"b\":true,\"i\":-2000006,\"l\":1700000000000002,\"f\":0.1,\"d\":0.2,"
    "\"y\":\"AP8C\",\"s\":\"gr\xc3\xb6\xc3\x9f"
    "e 2 \xe2\x82\xac\",\"x\":\"YWJjZA==\",\"x2\":\"AAECAw==\","
    "\"e\":\"BLUE\",\"e2\":null,\"a\":[0,1],\"m\":{\"k1\":\"v1\",\"k2\":\"v\\\"2\"},"
    "\"u\":-5,\"r\":{},\"rs\":[{\"key\":0,\"value\":\"djA=\"},{\"key\":1,\"value\":\"djE=\"}],"
    "\"next\":null}}\n"
    "{\"n\":null,\"b\":false,\"i\":-3000009,\"l\":1700000000000003,\"f\":0.1,"
    "\"d\":0.30000000000000004,\"y\":\"AP8D\",\"s\":\"gr\xc3\xb6\xc3\x9f"
    "e 3 \xe2\x82\xac\","
    "\"x\":\"YWJjZA==\",\"x2\":\"AAECAw==\",\"e\":\"RED\",\"e2\":\"BLUE\",\"a\":[0,1,2],"
    "\"m\":{\"k1\":\"v1\",\"k2\":\"v\\\"2\"},\"u\":null,\"r\":{},\"rs\":[{\"key\":0,"
    "\"value\":\"djA=\"},{\"key\":1,\"value\":\"djE=\"},{\"key\":2,\"value\":\"djI=\"}],"
    "\"next\":null}\n";

TEST(test_reader__reads_every_type_of_another_writer)
{
    static const char *const names[] = {"fastavro_all_null.avro", "fastavro_all_deflate.avro"};
    uint8_t file[4096];
    struct buf json = {0};
    struct err e = {0};

    for (size_t i = 0; i < 2; i++) {
        size_t len = load(names[i], file, sizeof file);

        assert_ok(dump(span_of(file, len), &json, &e), &e);
        assert_string_equal(records_of(&json), all_json);
    }
    assert_memory_equal(json.data, "{\"format-version\":\"2\",\"schema\":\"{\\\"type\\\":\\\"", 44);
    buf_deinit(&json);
}

TEST(test_reader__keeps_ids_and_logical_types)
{
    uint8_t file[4096];
    size_t len = load("fastavro_all_null.avro", file, sizeof file);
    struct avro_reader *r;
    const struct avro_value *v;
    struct err e = {0};

    assert_ok(avro_reader_open(span_of(file, len), &r, &e), &e);
    assert_ok(avro_reader_next(r, &v, &e), &e);
    assert_ok(avro_reader_next(r, &v, &e), &e);
    assert_string_equal(avro_logical_type(avro_field(v, 4)), "timestamp-micros");
    assert_null(avro_logical_type(avro_field(v, 3)));
    assert_i64_eq(avro_element_id(avro_field(v, 13)), 20);
    assert_i64_eq(avro_element_id(avro_field(v, 17)), -1);
    assert_string_equal(avro_logical_type(avro_field(v, 17)), "map");
    assert_i64_eq(avro_key_id(avro_field(v, 14)), 21);
    assert_i64_eq(avro_value_id(avro_field(v, 14)), 22);
    assert_i64_eq(avro_key_id(avro_field(v, 13)), -1);
    /* A map's keys are values without a schema. */
    assert_null(avro_logical_type(&avro_field(v, 14)->u.list.items[0]));
    assert_i64_eq(avro_element_id(&avro_field(v, 14)->u.list.items[0]), -1);
    assert_string_equal(avro_enum_symbol(avro_field(v, 11)), "GREEN");
    assert_null(avro_enum_symbol(avro_field(v, 3)));
    const struct avro_value *pair = &avro_field(v, 17)->u.list.items[0];

    assert_text_eq(avro_field(pair, 32)->u.bytes, "v0");
    assert_string_equal(avro_field_name(pair, 1), "value");
    assert_i64_eq(avro_field_id(pair, 1), 32);
    avro_reader_free(r);
}

TEST(test_reader__finds_fields_by_id_and_name)
{
    uint8_t file[4096];
    size_t len = load("fastavro_manifest.avro", file, sizeof file);
    struct avro_reader *r;
    const struct avro_value *v;
    struct err e = {0};

    assert_ok(avro_reader_open(span_of(file, len), &r, &e), &e);
    assert_text_eq(avro_reader_meta(r, "content"), "data");
    assert_null(avro_reader_meta(r, "content ").data);
    assert_ok(avro_reader_next(r, &v, &e), &e);
    assert_ok(avro_reader_next(r, &v, &e), &e);
    assert_i64_eq(avro_field(v, 0)->u.i64, 1);
    assert_i64_eq(avro_field(v, 1)->u.i64, 7);
    assert_u64_eq(avro_field(v, 3)->type, AVRO_NULL);
    const struct avro_value *data_file = avro_field(v, 2);

    assert_ptr_equal(data_file, avro_field_named(v, "data_file"));
    assert_text_eq(avro_field(data_file, 100)->u.bytes, "s3://b/data/1.parquet");
    assert_i64_eq(avro_field(avro_field(data_file, 102), 1000)->u.i64, 1);
    assert_i64_eq(avro_field_named(data_file, "record_count")->u.i64, 10);
    assert_null(avro_field(data_file, 999));
    assert_null(avro_field(data_file, -1));
    assert_null(avro_field_named(data_file, "file"));
    assert_null(avro_field(avro_field(data_file, 100), 1)); /* not a record */
    assert_null(avro_field(NULL, 1));
    assert_null(avro_field_named(NULL, "x"));
    avro_reader_free(r);
}

TEST(test_reader__rejects_every_truncation)
{
    static const char *const names[] = {"fastavro_all_null.avro", "fastavro_manifest.avro"};
    uint8_t file[4096];
    struct buf json = {0};
    struct err e = {0};

    for (size_t i = 0; i < 2; i++) {
        size_t len = load(names[i], file, sizeof file);
        struct avro_reader *r;
        size_t whole = 0; /* a file may end after its header and after each block */

        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *copy = malloc(cut + 1);

            memcpy(copy, file, cut);
            enum err_code rc = dump(span_of(copy, cut), &json, &e);

            assert_true(rc == ERR_OK || rc == ERR_CORRUPT);
            whole += rc == ERR_OK ? 1 : 0;
            free(copy);
        }
        assert_u64_eq(whole, 1);
        assert_ok(avro_reader_open(span_of(file, len), &r, &e), &e);
        avro_reader_free(r);
    }
    buf_deinit(&json);
}

/* Truncated inside a block whose length is right: the records end too early, or too late. */
TEST(test_reader__rejects_records_that_do_not_fill_their_block)
{
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"t\",\"fields\":["
        "{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"d\",\"type\":\"double\"},"
        "{\"name\":\"a\",\"type\":{\"type\":\"map\",\"values\":\"long\"}}]}";
    uint8_t bytes[64];
    size_t len = test_unhex("04 6869 0000000000000440 02 02 61 8001 00", bytes, sizeof bytes);
    struct buf file = {0};
    struct buf json = {0};
    struct err e = {0};

    make_file(&file, schema, 1, span_of(bytes, len));
    assert_ok(dump(buf_span(&file), &json, &e), &e);
    assert_string_equal(records_of(&json), "{\"s\":\"hi\",\"d\":2.5,\"a\":{\"a\":64}}\n");
    for (size_t cut = 0; cut < len; cut++) {
        make_file(&file, schema, 1, span_of(bytes, cut));
        assert_err(dump(buf_span(&file), &json, &e), ERR_CORRUPT, &e);
    }
    bytes[len] = 0;
    make_file(&file, schema, 1, span_of(bytes, len + 1));
    assert_err(dump(buf_span(&file), &json, &e), ERR_CORRUPT, &e);
    make_file(&file, schema, 2, span_of(bytes, len));
    assert_err(dump(buf_span(&file), &json, &e), ERR_CORRUPT, &e);
    make_file(&file, schema, 0, span_of(bytes, len));
    assert_err(dump(buf_span(&file), &json, &e), ERR_CORRUPT, &e);
    make_file(&file, schema, -1, span_of(bytes, len));
    assert_err(dump(buf_span(&file), &json, &e), ERR_CORRUPT, &e);
    buf_deinit(&file);
    buf_deinit(&json);
}

static const char array_schema[] = "{\"type\":\"array\",\"items\":\"int\"}";
static const char map_schema[] = "{\"type\":\"map\",\"values\":\"int\"}";
static const char nulls_schema[] = "{\"type\":\"array\",\"items\":\"null\"}";

TEST(test_reader__reads_values_in_every_form)
{
    static const struct {
        const char *schema;
        const char *hex;
        const char *json;
    } known[] = {
        {"\"int\"", "feffffff0f", "2147483647\n"},
        {"\"int\"", "ffffffff0f", "-2147483648\n"},
        {"\"long\"", "ffffffffffffffffff01", "-9223372036854775808\n"},
        {"\"null\"", "", "null\n"},
        {"\"boolean\"", "01", "true\n"},
        {"\"float\"", "0000c03f", "1.5\n"},
        {"\"float\"", "cdcccc3d", "0.1\n"},
        {"\"double\"", "000000000000f87f", "null\n"},
        {"{\"type\":\"int\",\"logicalType\":\"date\"}", "02", "1\n"},
        {"{\"type\":{\"type\":\"int\"}}", "02", "1\n"},
        {"{\"type\":\"fixed\",\"name\":\"f\",\"size\":0}", "", "\"\"\n"},
        {array_schema, "04 02 04 00", "[1,2]\n"},
        {array_schema, "00", "[]\n"},
        {array_schema, "02 02 02 04 00", "[1,2]\n"},               /* in two blocks */
        {array_schema, "03 04 02 04 00", "[1,2]\n"},               /* -2 elements in 2 bytes */
        {array_schema, "01 02 02 02 04 01 02 06 00", "[1,2,3]\n"}, /* all mixed */
        {map_schema, "04 02 61 02 02 62 04 00", "{\"a\":1,\"b\":2}\n"},
        {map_schema, "01 06 02 61 02 02 02 62 04 00", "{\"a\":1,\"b\":2}\n"},
        {nulls_schema, "06 00", "[null,null,null]\n"},
        {"[\"string\",\"null\",\"int\"]", "00 02 61", "\"a\"\n"},
        {"[\"string\",\"null\",\"int\"]", "02", "null\n"},
        {"[\"string\",\"null\",\"int\"]", "04 01", "-1\n"},
        {"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}", "02", "\"B\"\n"},
    };
    struct buf file = {0};
    struct buf json = {0};
    struct err e = {0};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        make_file_hex(&file, known[i].schema, 1, known[i].hex);
        assert_ok(dump(buf_span(&file), &json, &e), &e);
        assert_string_equal(records_of(&json), known[i].json);
    }
    buf_deinit(&file);
    buf_deinit(&json);
}

TEST(test_reader__rejects_bad_values)
{
    static const struct {
        const char *schema;
        const char *hex;
    } bad[] = {
        {"\"int\"", "808080 8010"},             /* 2^31 */
        {"\"int\"", "81808080 10"},             /* -2^31 - 1 */
        {"\"long\"", "ffffffffffffffffff02"},   /* more than 64 bits */
        {"\"long\"", "ffffffffffffffffffff01"}, /* eleven bytes */
        {"\"boolean\"", "02"},
        {"\"string\"", "01"},                   /* length -1 */
        {"\"string\"", "ffffffffffffffffff01"}, /* length INT64_MIN */
        {"\"string\"", "feffffffffffffffff01"},
        {"\"string\"", "04 c328"}, /* not UTF-8 */
        {"\"bytes\"", "04 00"},
        {"{\"type\":\"fixed\",\"name\":\"f\",\"size\":3}", "0000"},
        {"{\"type\":\"fixed\",\"name\":\"f\",\"size\":2147483647}", "0000"},
        {"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}", "04"},
        {"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}", "01"},
        {"{\"type\":\"enum\",\"name\":\"e\"}", "00"},
        {"[\"null\",\"int\"]", "04 00"},
        {"[\"null\",\"int\"]", "01 00"},
        {array_schema, "feffffffffffffffff01 00"},    /* 2^63 - 1 elements */
        {array_schema, "ffffffffffffffffff01 00 00"}, /* -2^63 elements */
        {array_schema, "c0843d 00"},                  /* 500000 elements in one byte */
        {array_schema, "03 02 02 04 00"},             /* 2 elements in 1 byte */
        {array_schema, "03 06 02 04 00"},             /* in 3 bytes */
        {array_schema, "03 01 02 04 00"},             /* in -1 bytes */
        {map_schema, "feffffffffffffffff01 00"},
        {map_schema, "02 02 ff 02 00"}, /* a key that is not UTF-8 */
        {map_schema, "01 08 02 61 02 00"},
        {nulls_schema, "feffffffffffffffff01 00"},
    };
    struct buf file = {0};
    struct buf json = {0};
    struct err e = {0};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        make_file_hex(&file, bad[i].schema, 1, bad[i].hex);
        enum err_code rc = dump(buf_span(&file), &json, &e);

        if (rc != ERR_CORRUPT) {
            fail_msg("%s %s: %s", bad[i].schema, bad[i].hex, err_code_name(rc));
        }
    }
    buf_deinit(&file);
    buf_deinit(&json);
}

/* Nothing is claimed without end: neither in one array, nor in many, nor by records. */
TEST(test_reader__counts_what_takes_no_bytes)
{
    struct buf file = {0};
    struct buf json = {0};
    struct buf bytes = {0};
    struct err e = {0};
    struct avro_reader *r;
    const struct avro_value *v;

    make_file(&file, "\"null\"", 1000000, (struct span){NULL, 0});
    assert_ok(avro_reader_open(buf_span(&file), &r, &e), &e);
    for (int i = 0; i < 1000000; i++) {
        assert_ok(avro_reader_next(r, &v, &e), &e);
        assert_non_null(v);
    }
    assert_ok(avro_reader_next(r, &v, &e), &e);
    assert_null(v);
    avro_reader_free(r);
    make_file(&file, "\"null\"", 1000001, (struct span){NULL, 0});
    assert_err(dump(buf_span(&file), &json, &e), ERR_CORRUPT, &e);
    /* Three arrays of 400,000 nulls each. */
    for (int i = 0; i < 3; i++) {
        avro_put_array_start(&bytes, 400000);
        avro_put_array_end(&bytes);
    }
    make_file(&file, nulls_schema, 3, buf_span(&bytes));
    assert_err(dump(buf_span(&file), &json, &e), ERR_CORRUPT, &e);
    /* Records in records, two of each in the one around: 2^30 values of nothing. */
    buf_reset(&bytes);
    for (int i = 30; i > 0; i--) {
        buf_printf(
            &bytes,
            "{\"type\":\"record\",\"name\":\"r%d\",\"fields\":[{\"name\":\"a\",\"type\":", i);
    }
    buf_append_str(&bytes, "\"null\"");
    for (int i = 1; i <= 30; i++) {
        if (i == 1) {
            buf_append_str(&bytes, "},{\"name\":\"b\",\"type\":\"null\"}]}");
        } else {
            buf_printf(&bytes, "},{\"name\":\"b\",\"type\":\"r%d\"}]}", i - 1);
        }
    }
    make_file(&file, buf_cstr(&bytes), 1, (struct span){NULL, 0});
    assert_err(dump(buf_span(&file), &json, &e), ERR_LIMIT, &e);
    buf_deinit(&file);
    buf_deinit(&json);
    buf_deinit(&bytes);
}

TEST(test_reader__limits_the_nesting_of_records)
{
    static const char schema[] = "{\"type\":\"record\",\"name\":\"l\",\"fields\":["
                                 "{\"name\":\"next\",\"type\":[\"null\",\"l\"]}]}";
    uint8_t bytes[200];
    struct buf file = {0};
    struct buf json = {0};
    struct err e = {0};

    memset(bytes, 2, sizeof bytes);
    bytes[20] = 0;
    make_file(&file, schema, 1, span_of(bytes, 21));
    assert_ok(dump(buf_span(&file), &json, &e), &e);
    bytes[20] = 2;
    bytes[199] = 0;
    make_file(&file, schema, 1, span_of(bytes, 200));
    assert_err(dump(buf_span(&file), &json, &e), ERR_LIMIT, &e);
    /* A record right inside itself has no end at all. */
    make_file(&file,
              "{\"type\":\"record\",\"name\":\"l\",\"fields\":[{\"name\":\"n\",\"type\":\"l\"}]}",
              1, span_of(bytes, 1));
    assert_err(dump(buf_span(&file), &json, &e), ERR_LIMIT, &e);
    buf_deinit(&file);
    buf_deinit(&json);
}

TEST(test_reader__reads_an_array_of_many_small_blocks)
{
    struct buf bytes = {0};
    struct buf file = {0};
    struct avro_reader *r;
    const struct avro_value *v;
    struct err e = {0};

    for (int i = 0; i < 100000; i++) {
        avro_put_array_start(&bytes, 1);
        avro_put_int(&bytes, i);
    }
    avro_put_array_end(&bytes);
    make_file(&file, array_schema, 1, buf_span(&bytes));
    assert_ok(avro_reader_open(buf_span(&file), &r, &e), &e);
    assert_ok(avro_reader_next(r, &v, &e), &e);
    assert_u64_eq(v->u.list.count, 100000);
    for (int i = 0; i < 100000; i++) {
        assert_i64_eq(v->u.list.items[i].u.i64, i);
    }
    avro_reader_free(r);
    buf_deinit(&bytes);
    buf_deinit(&file);
}

TEST(test_reader__checks_the_container)
{
    struct buf file = {0};
    struct buf json = {0};
    struct err e = {0};

    make_file_hex(&file, "\"int\"", 1, "02");
    assert_ok(dump(buf_span(&file), &json, &e), &e);
    file.data[file.len - 1] ^= 1;
    assert_err(dump(buf_span(&file), &json, &e), ERR_CORRUPT, &e);
    assert_string_equal(e.msg, "Avro file: the sync marker after a block is wrong");
    assert_err(dump(span_str("Obj\x02"), &json, &e), ERR_CORRUPT, &e);
    assert_err(dump(span_str("PAR1"), &json, &e), ERR_CORRUPT, &e);
    assert_err(dump((struct span){NULL, 0}, &json, &e), ERR_CORRUPT, &e);
    assert_string_equal(e.msg, "not an Avro file: the magic is missing");
    /* No schema. */
    assert_err(dump(span_of("Obj\x01\x00"
                            "0123456789abcdef",
                            21),
                    &json, &e),
               ERR_CORRUPT, &e);
    /* A codec of others. */
    buf_reset(&file);
    buf_append_str(&file, "Obj\x01\x02\x14"
                          "avro.codec"
                          "\x0c"
                          "snappy");
    buf_append(&file,
               "\0"
               "0123456789abcdef",
               17);
    assert_err(dump(buf_span(&file), &json, &e), ERR_UNSUPPORTED, &e);
    assert_string_equal(e.msg, "Avro file: codec snappy: only null and deflate can be read");
    buf_deinit(&file);
    buf_deinit(&json);
}

TEST(test_reader__does_not_read_on_after_a_failure)
{
    struct buf file = {0};
    struct avro_reader *r;
    const struct avro_value *v;
    struct err e = {0};

    /* What follows the branch that does not exist would be a record again. */
    make_file_hex(&file, "[\"null\",\"int\"]", 3, "00 04 00");
    assert_ok(avro_reader_open(buf_span(&file), &r, &e), &e);
    assert_ok(avro_reader_next(r, &v, &e), &e);
    assert_err(avro_reader_next(r, &v, &e), ERR_CORRUPT, &e);
    assert_null(v);
    assert_err(avro_reader_next(r, &v, &e), ERR_CORRUPT, &e);
    assert_null(v);
    avro_reader_free(r);
    buf_deinit(&file);
}

TEST(test_reader__shows_metadata_that_is_no_text)
{
    struct buf file = {0};
    struct buf json = {0};
    struct err e = {0};

    buf_append(&file, "Obj\x01", 4);
    avro_put_array_start(&file, 2);
    avro_put_string(&file, "avro.schema");
    avro_put_string(&file, "\"int\"");
    avro_put_string(&file, "raw");
    avro_put_bytes(&file, span_of("\xff\x00", 2));
    avro_put_array_end(&file);
    buf_append_str(&file, "0123456789abcdef");
    assert_ok(dump(buf_span(&file), &json, &e), &e);
    assert_text_eq(buf_span(&json),
                   "{\"avro.schema\":\"\\\"int\\\"\",\"raw\":{\"base64\":\"/wA=\"}}\n");
    buf_deinit(&file);
    buf_deinit(&json);
}

TEST(test_reader__survives_lack_of_memory)
{
    uint8_t file[4096];
    size_t len = load("fastavro_all_deflate.avro", file, sizeof file);

    TORTURE(nth)
    {
        struct buf json = {0};
        struct err e = {0};
        enum err_code rc = avro_dump_json(span_of(file, len), &json, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        buf_deinit(&json);
    }
}

TEST_MAIN(test_case(test_reader__reads_every_type_of_another_writer),
          test_case(test_reader__keeps_ids_and_logical_types),
          test_case(test_reader__finds_fields_by_id_and_name),
          test_case(test_reader__rejects_every_truncation),
          test_case(test_reader__rejects_records_that_do_not_fill_their_block),
          test_case(test_reader__reads_values_in_every_form),
          test_case(test_reader__rejects_bad_values),
          test_case(test_reader__counts_what_takes_no_bytes),
          test_case(test_reader__limits_the_nesting_of_records),
          test_case(test_reader__reads_an_array_of_many_small_blocks),
          test_case(test_reader__checks_the_container),
          test_case(test_reader__does_not_read_on_after_a_failure),
          test_case(test_reader__shows_metadata_that_is_no_text),
          test_case(test_reader__survives_lack_of_memory))
