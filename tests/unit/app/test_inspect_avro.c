#include <unistd.h>

#include "app/inspect_int.h"
#include "app/output.h"
#include "avro/writer.h"
#include "base/rand.h"
#include "test.h"

#define SCHEMA                                                                           \
    "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"id\", \"type\": " \
    "\"long\", \"field-id\": 1}, {\"name\": \"s\", \"type\": \"string\"}]}"

static void make_file(enum avro_codec codec, struct buf *out)
{
    static const struct avro_meta meta[] = {{"content", "data"}, {"a b", "x\"\x1b"}};
    struct avro_writer w;
    struct rand rand;
    struct err e = {0};

    rand_init(&rand);
    avro_writer_init(&w, out, SCHEMA, meta, 2, codec, &rand);
    for (int64_t i = -1; i <= 1; i++) {
        avro_put_long(&w.block, i);
        avro_put_long(&w.block, 2);
        buf_append_str(&w.block, "\xc3\xbc");
        assert_ok(avro_writer_end_record(&w, &e), &e);
    }
    assert_ok(avro_writer_finish(&w, &e), &e);
    avro_writer_deinit(&w);
}

TEST(test_inspect_avro__shows_text)
{
    struct buf file = {0};
    struct buf out = {0};
    struct err e = {0};

    make_file(AVRO_CODEC_DEFLATE, &file);
    assert_ok(inspect_avro_show(buf_span(&file), false, &out, &e), &e);
    assert_text_eq(buf_span(&out), "codec deflate\n"
                                   "metadata\n"
                                   "  content = \"data\"\n"
                                   "  \"a b\" = \"x\\\"\\u001B\"\n"
                                   "schema\n"
                                   "{\n"
                                   "  \"type\": \"record\",\n"
                                   "  \"name\": \"r\",\n"
                                   "  \"fields\": [\n"
                                   "    {\n"
                                   "      \"name\": \"id\",\n"
                                   "      \"type\": \"long\",\n"
                                   "      \"field-id\": 1\n"
                                   "    },\n"
                                   "    {\n"
                                   "      \"name\": \"s\",\n"
                                   "      \"type\": \"string\"\n"
                                   "    }\n"
                                   "  ]\n"
                                   "}\n"
                                   "records\n"
                                   "{\"id\":-1,\"s\":\"\xc3\xbc\"}\n"
                                   "{\"id\":0,\"s\":\"\xc3\xbc\"}\n"
                                   "{\"id\":1,\"s\":\"\xc3\xbc\"}\n"
                                   "records: 3\n");
    buf_deinit(&file);
    buf_deinit(&out);
}

TEST(test_inspect_avro__shows_json_lines)
{
    struct buf file = {0};
    struct buf out = {0};
    struct err e = {0};

    make_file(AVRO_CODEC_NULL, &file);
    assert_ok(inspect_avro_show(buf_span(&file), true, &out, &e), &e);
    assert_text_eq(buf_span(&out),
                   "{\"codec\":\"null\",\"schema\":{\"type\":\"record\",\"name\":\"r\",\"fields\":"
                   "[{\"name\":\"id\",\"type\":\"long\",\"field-id\":1},{\"name\":\"s\",\"type\":"
                   "\"string\"}]},\"metadata\":{\"content\":\"data\",\"a b\":\"x\\\"\\u001B\"}}\n"
                   "{\"id\":-1,\"s\":\"\xc3\xbc\"}\n"
                   "{\"id\":0,\"s\":\"\xc3\xbc\"}\n"
                   "{\"id\":1,\"s\":\"\xc3\xbc\"}\n");
    buf_deinit(&file);
    buf_deinit(&out);
}

TEST(test_inspect_avro__rejects_every_truncation)
{
    struct buf file = {0};
    struct err e = {0};
    size_t fine = 0;

    make_file(AVRO_CODEC_NULL, &file);
    for (size_t len = 0; len < file.len; len++) {
        struct buf out = {0};
        enum err_code rc = inspect_avro_show(span_of(file.data, len), true, &out, &e);

        /* The header alone is a file without records. */
        fine += rc == ERR_OK ? 1 : 0;
        assert_true(rc == ERR_OK || rc == ERR_CORRUPT);
        buf_deinit(&out);
    }
    assert_u64_eq(fine, 1);
    buf_deinit(&file);
}

TEST(test_inspect_avro__survives_missing_memory)
{
    struct buf file = {0};

    make_file(AVRO_CODEC_DEFLATE, &file);
    TORTURE(nth)
    {
        struct buf out = {0};
        struct err e = {0};
        enum err_code rc = inspect_avro_show(buf_span(&file), (nth & 1) == 0, &out, &e);

        if (rc == ERR_OK) {
            rc = buf_check(&out, &e, "the output");
        }
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        buf_deinit(&out);
    }
    buf_deinit(&file);
}

TEST(test_inspect_avro__names_the_file_that_is_not_there)
{
    const struct command_args args = {.json = true};
    struct err e = {0};

    assert_err(inspect_avro("/nowhere/x.avro", &args, &e), ERR_NOT_FOUND, &e);
    assert_string_equal(e.msg, "opening /nowhere/x.avro: No such file or directory");
    assert_err(inspect_avro("s3://bucket/x.avro", &args, &e), ERR_UNSUPPORTED, &e);
    assert_err(inspect_avro("file:///nowhere/x.avro", &args, &e), ERR_NOT_FOUND, &e);
}

TEST_MAIN(test_case(test_inspect_avro__shows_text), test_case(test_inspect_avro__shows_json_lines),
          test_case(test_inspect_avro__rejects_every_truncation),
          test_case(test_inspect_avro__survives_missing_memory),
          test_case(test_inspect_avro__names_the_file_that_is_not_there))
