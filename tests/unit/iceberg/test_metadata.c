#include "iceberg/metadata.h"

#include <stdlib.h>

#include "corpus.h"
#include "iceberg/metadata_int.h"

static const char small[] =
    "{\"format-version\":2,\"table-uuid\":\"u\",\"location\":\"file:///t/\",\"last-sequence-"
    "number\":2,\"last-updated-ms\":1000,\"last-column-id\":1,\"current-schema-id\":0,\"schemas\":"
    "[{\"type\":\"struct\",\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false,"
    "\"type\":\"long\"}]}],\"default-spec-id\":0,\"partition-specs\":[{\"spec-id\":0,\"fields\":[]}"
    "],\"last-partition-id\":999,\"default-sort-order-id\":0,\"sort-orders\":[{\"order-id\":0,"
    "\"fields\":[]}],\"properties\":{\"a\":\"b\",\"n\":\"12\",\"t\":\"TRUE\"},"
    "\"current-snapshot-id\":9007199254740993,\"refs\":{\"main\":{\"snapshot-id\":"
    "9007199254740993,\"type\":\"branch\"}},\"snapshots\":[{\"sequence-number\":2,\"snapshot-id\":"
    "9007199254740993,\"parent-snapshot-id\":5,\"timestamp-ms\":1000,\"summary\":{\"operation\":"
    "\"append\",\"calve.run\":\"r\"},\"manifest-list\":\"file:///t/metadata/snap.avro\","
    "\"schema-id\":0,\"x-new\":[1.5]},{\"sequence-number\":1,\"snapshot-id\":5,\"timestamp-ms\":"
    "900,\"manifest-list\":\"file:///t/metadata/snap0.avro\"}],\"snapshot-log\":[{\"timestamp-ms\":"
    "1000,\"snapshot-id\":9007199254740993}],\"metadata-log\":[{\"timestamp-ms\":900,"
    "\"metadata-file\":\"file:///t/metadata/00000.metadata.json\"}],\"x-future\":{\"deep\":[null,"
    "true,{\"gr\xc3\xbc\":\"\\u0000\"}]}}";

static struct iceberg_metadata *parse(const char *text)
{
    struct iceberg_metadata *m;
    struct err e = {0};

    assert_ok(iceberg_metadata_parse(span_str(text), &m, &e), &e);
    return m;
}

TEST(test_metadata__answers_what_the_document_says)
{
    struct iceberg_metadata *m = parse(small);
    struct snapshot_views all;
    struct err e = {0};

    assert_string_equal(iceberg_metadata_location(m), "file:///t/");
    assert_string_equal(iceberg_metadata_uuid(m), "u");
    assert_string_equal(iceberg_metadata_property(m, "a"), "b");
    assert_null(iceberg_metadata_property(m, "b"));
    assert_i64_eq(metadata_property_int(m, "n", 7), 12);
    assert_i64_eq(metadata_property_int(m, "a", 7), 7);
    assert_i64_eq(metadata_property_int(m, "b", 7), 7);
    assert_true(metadata_property_bool(m, "t", false));
    assert_false(metadata_property_bool(m, "a", true));
    assert_true(metadata_property_bool(m, "b", true));
    assert_i64_eq(iceberg_metadata_snapshot_id(m), INT64_C(9007199254740993));
    assert_u64_eq(iceberg_metadata_snapshot_count(m), 2);
    assert_i64_eq(iceberg_metadata_last_updated_ms(m), 1000);
    assert_true(iceberg_metadata_has_snapshot(m, 5));
    assert_false(iceberg_metadata_has_snapshot(m, 6));
    assert_string_equal(iceberg_metadata_summary(m, INT64_C(9007199254740993), "calve.run"), "r");
    assert_null(iceberg_metadata_summary(m, 5, "calve.run"));
    assert_null(iceberg_metadata_summary(m, 6, "calve.run"));
    assert_true(iceberg_metadata_was_at(m, "file:///t/metadata/00000.metadata.json"));
    assert_false(iceberg_metadata_was_at(m, "file:///t/metadata/00001.metadata.json"));
    assert_ok(metadata_snapshots(m, &all, &e), &e);
    assert_u64_eq(all.count, 2);
    assert_i64_eq(all.items[0].id, 5);
    assert_i64_eq(all.items[0].parent_id, -1);
    assert_false(snapshot_is_ours(&all.items[0]));
    assert_i64_eq(all.items[1].parent_id, 5);
    assert_true(snapshot_is_ours(&all.items[1]));
    assert_string_equal(all.items[1].manifest_list, "file:///t/metadata/snap.avro");
    free(all.items);
    struct iceberg_metadata *shared = iceberg_metadata_share(m);

    iceberg_metadata_free(m);
    assert_string_equal(iceberg_metadata_uuid(shared), "u");
    iceberg_metadata_free(shared);
    iceberg_metadata_free(NULL);
}

TEST(test_metadata__finds_its_folder)
{
    struct iceberg_metadata *m = parse(small);
    char *folder = iceberg_metadata_folder(m);

    assert_string_equal(folder, "file:///t/metadata");
    free(folder);
    (void)json_object_set_new(json_object_get(m->root, "properties"), "write.metadata.path",
                              json_string("file:///elsewhere//"));
    folder = iceberg_metadata_folder(m);
    assert_string_equal(folder, "file:///elsewhere");
    free(folder);
    iceberg_metadata_free(m);
}

/* Everything survives, in whatever place; what is known comes in its usual order. */
TEST(test_metadata__prints_what_it_parsed)
{
    static const char *const names[] = {"java_day.json", "java_none.json", "java_odd.json",
                                        "java_v1.json", "pyiceberg.json"};
    struct buf text = {0};
    struct buf out = {0};
    struct err e = {0};
    struct iceberg_metadata *m = parse(small);

    assert_ok(iceberg_metadata_print(m, &out, &e), &e);
    assert_text_eq(buf_span(&out), small);
    iceberg_metadata_free(m);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        corpus_load("iceberg_metadata", names[i], &text);
        buf_reset(&out);
        m = parse(buf_cstr(&text));
        assert_ok(iceberg_metadata_print(m, &out, &e), &e);
        json_t *a = json_loadb((const char *)text.data, text.len, 0, NULL);
        json_t *b = json_loadb((const char *)out.data, out.len, 0, NULL);

        assert_non_null(a);
        assert_true(json_equal(a, b));
        json_decref(a);
        json_decref(b);
        iceberg_metadata_free(m);
    }
    m = parse("{\"z\":1,\"location\":\"l\",\"last-updated-ms\":1,\"schema\":{},\"last-column-id\":"
              "1,\"format-version\":1}");
    buf_reset(&out);
    assert_ok(iceberg_metadata_print(m, &out, &e), &e);
    assert_text_eq(buf_span(&out), "{\"format-version\":1,\"location\":\"l\",\"last-updated-ms\":1,"
                                   "\"last-column-id\":1,\"z\":1,\"schema\":{}}");
    iceberg_metadata_free(m);
    buf_deinit(&text);
    buf_deinit(&out);
}

TEST(test_metadata__reads_what_others_wrote)
{
    struct buf text = {0};
    struct spec_view spec;

    corpus_load("iceberg_metadata", "java_day.json", &text);
    struct iceberg_metadata *m = parse(buf_cstr(&text));

    assert_i64_eq(metadata_format_version(m), 2);
    assert_u64_eq(iceberg_metadata_snapshot_count(m), 5);
    assert_string_equal(
        iceberg_metadata_summary(m, iceberg_metadata_snapshot_id(m), "total-delete-files"), "2");
    assert_true(metadata_spec(m, 0, &spec));
    assert_true(spec.writable && spec.by_day);
    assert_i64_eq(spec.field_id, 1000);
    assert_string_equal(spec.name, "ts_day");
    assert_false(metadata_spec(m, 1, &spec));
    iceberg_metadata_free(m);

    corpus_load("iceberg_metadata", "java_odd.json", &text);
    m = parse(buf_cstr(&text));
    assert_true(metadata_spec(m, 0, &spec));
    assert_false(spec.writable);
    iceberg_metadata_free(m);

    corpus_load("iceberg_metadata", "java_none.json", &text);
    m = parse(buf_cstr(&text));
    assert_true(metadata_spec(m, 0, &spec));
    assert_true(spec.writable && !spec.by_day);
    iceberg_metadata_free(m);

    corpus_load("iceberg_metadata", "java_v1.json", &text);
    m = parse(buf_cstr(&text));
    assert_i64_eq(metadata_format_version(m), 1);
    assert_u64_eq(iceberg_metadata_snapshot_count(m), 4);
    iceberg_metadata_free(m);

    corpus_load("iceberg_metadata", "pyiceberg.json", &text);
    m = parse(buf_cstr(&text));
    assert_string_equal(iceberg_metadata_property(m, "note"), "gr\xc3\xbc\xc3\x9f"
                                                              "e");
    assert_true(metadata_spec(m, 0, &spec));
    assert_true(spec.by_day);
    assert_string_equal(spec.name, "date");
    iceberg_metadata_free(m);
    buf_deinit(&text);
}

/* small with `find` replaced by `put`; *out is to be freed. */
static void replaced(const char *find, const char *put, char **out)
{
    const char *at = strstr(small, find);

    assert_non_null(at);
    *out = malloc(sizeof small + strlen(put));
    assert_non_null(*out);
    (void)sprintf(*out, "%.*s%s%s", (int)(at - small), small, put, at + strlen(find));
}

TEST(test_metadata__refuses_what_is_missing_or_wrong)
{
    static const struct {
        const char *find;
        const char *put;
        const char *names; /* what the message must name */
        enum err_code code;
    } bad[] = {
        {"\"format-version\":2", "\"format-version\":3", "version 3", ERR_UNSUPPORTED},
        {"\"format-version\":2", "\"format-version\":0", "format-version", ERR_CORRUPT},
        {"\"format-version\":2", "\"format-version\":\"2\"", "format-version", ERR_CORRUPT},
        {"\"format-version\":2,", "", "format-version", ERR_CORRUPT},
        {"\"table-uuid\":\"u\",", "", "table-uuid", ERR_CORRUPT},
        {"\"location\":\"file:///t/\"", "\"location\":1", "location", ERR_CORRUPT},
        {"\"last-sequence-number\":2,", "", "last-sequence-number", ERR_CORRUPT},
        {"\"last-updated-ms\":1000", "\"last-updated-ms\":1.5", "last-updated-ms", ERR_CORRUPT},
        {"\"last-column-id\":1,", "", "last-column-id", ERR_CORRUPT},
        {"\"current-schema-id\":0", "\"current-schema-id\":1", "current-schema-id", ERR_CORRUPT},
        {"\"schemas\":[", "\"schemas\":[5,", "schemas", ERR_CORRUPT},
        {"\"schema-id\":0,\"fields\"", "\"fields\"", "schemas", ERR_CORRUPT},
        {"\"default-spec-id\":0", "\"default-spec-id\":4", "default-spec-id", ERR_CORRUPT},
        {"\"partition-specs\"", "\"partition-spec\"", "partition-specs", ERR_CORRUPT},
        {"\"last-partition-id\":999,", "", "last-partition-id", ERR_CORRUPT},
        {"\"sort-orders\":[{\"order-id\":0,\"fields\":[]}],", "", "sort-orders", ERR_CORRUPT},
        {"\"default-sort-order-id\":0,", "", "default-sort-order-id", ERR_CORRUPT},
        {"\"a\":\"b\"", "\"a\":1", "properties", ERR_CORRUPT},
        {"\"properties\":{", "\"properties\":[],\"x\":{", "properties", ERR_CORRUPT},
        {"\"current-snapshot-id\":9007199254740993", "\"current-snapshot-id\":9007199254740992",
         "current-snapshot-id", ERR_CORRUPT},
        {"\"current-snapshot-id\":9007199254740993", "\"current-snapshot-id\":\"5\"",
         "current-snapshot-id", ERR_CORRUPT},
        {"\"current-snapshot-id\":9007199254740993", "\"current-snapshot-id\":5", "main",
         ERR_CORRUPT},
        {"\"current-snapshot-id\":9007199254740993", "\"current-snapshot-id\":null", "main",
         ERR_CORRUPT},
        {"\"current-snapshot-id\":9007199254740993", "\"current-snapshot-id\":99999999999999999999",
         "JSON", ERR_CORRUPT},
        {"\"refs\":{", "\"refs\":[],\"x\":{", "refs", ERR_CORRUPT},
        {",\"type\":\"branch\"", "", "main", ERR_CORRUPT},
        {"\"snapshots\":[", "\"snapshots\":{},\"x\":[", "snapshots", ERR_CORRUPT},
        {"\"snapshots\":[{\"sequence-number\":2,\"snapshot-id\":9007199254740993",
         "\"snapshots\":[{\"sequence-number\":2,\"snapshot-id\":-4", "snapshot-id", ERR_CORRUPT},
        {"\"parent-snapshot-id\":5", "\"parent-snapshot-id\":\"5\"", "parent-snapshot-id",
         ERR_CORRUPT},
        {"\"timestamp-ms\":1000,\"summary\"", "\"summary\"", "timestamp-ms", ERR_CORRUPT},
        {"\"operation\":\"append\"", "\"operation\":4", "summary", ERR_CORRUPT},
        {"\"manifest-list\":\"file:///t/metadata/snap.avro\",", "", "manifest-list", ERR_CORRUPT},
        {"{\"sequence-number\":1,", "{", "sequence-number", ERR_CORRUPT},
        {"\"snapshot-log\":[{\"timestamp-ms\":1000,", "\"snapshot-log\":[{", "snapshot-log",
         ERR_CORRUPT},
        {"\"metadata-file\":\"file:///t/metadata/00000.metadata.json\"", "\"metadata-file\":null",
         "metadata-file", ERR_CORRUPT},
        {"\"metadata-log\":[{\"timestamp-ms\":900,", "\"metadata-log\":[{", "metadata-log",
         ERR_CORRUPT},
        {"\"x-future\"", "\"statistics\":[{}],\"x-future\"", "statistics", ERR_CORRUPT},
    };
    struct iceberg_metadata *m;
    struct err e = {0};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *text;

        replaced(bad[i].find, bad[i].put, &text);
        enum err_code rc = iceberg_metadata_parse(span_str(text), &m, &e);

        if (rc != bad[i].code || strstr(e.msg, bad[i].names) == NULL) {
            fail_msg("%s -> %s: %s: %s", bad[i].find, bad[i].put, err_code_name(rc), e.msg);
        }
        free(text);
    }
    assert_err(iceberg_metadata_parse(span_str("[]"), &m, &e), ERR_CORRUPT, &e);
    assert_err(iceberg_metadata_parse(span_str("{\"format-version\":1,\"location\":\"l\","
                                               "\"last-updated-ms\":1,\"last-column-id\":1}"),
                                      &m, &e),
               ERR_CORRUPT, &e);
    assert_non_null(strstr(e.msg, "schema"));
    assert_err(iceberg_metadata_parse((struct span){NULL, 0}, &m, &e), ERR_CORRUPT, &e);
}

TEST(test_metadata__allows_what_may_be_absent)
{
    static const struct {
        const char *find;
        const char *put;
    } good[] = {
        {"\"properties\":{\"a\":\"b\",\"n\":\"12\",\"t\":\"TRUE\"},", ""},
        {"\"metadata-log\"", "\"x\""},
        {"\"snapshot-log\"", "\"x\""},
        {"\"refs\"", "\"x\""},
        {"\"manifest-list\":\"file:///t/metadata/snap0.avro\"", "\"manifests\":[\"a.avro\"]"},
        {"\"x-future\":{", "\"statistics\":null,\"x-future\":{"},
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char *text;

        replaced(good[i].find, good[i].put, &text);
        iceberg_metadata_free(parse(text));
        free(text);
    }
}

TEST(test_metadata__rejects_every_truncation)
{
    struct iceberg_metadata *m;
    struct err e = {0};

    for (size_t len = 0; len < sizeof small - 1; len++) {
        char *copy = malloc(len + 1);

        memcpy(copy, small, len);
        assert_err(iceberg_metadata_parse(span_of(copy, len), &m, &e), ERR_CORRUPT, &e);
        free(copy);
    }
}

/* The JSON library's own allocations fail only while printing: its parser does not survive that. */
TEST(test_metadata__survives_lack_of_memory)
{
    struct iceberg_metadata *whole = parse(small);

    TORTURE(nth)
    {
        struct iceberg_metadata *m = NULL;
        struct err e = {0};
        enum err_code rc = iceberg_metadata_parse(span_str(small), &m, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        iceberg_metadata_free(m);
    }
    json_set_alloc_funcs(malloc, free);
    TORTURE(nth)
    {
        struct snapshot_views all = {0};
        struct buf out = {0};
        struct err e = {0};
        struct iceberg_metadata *shared = iceberg_metadata_share(whole);
        enum err_code rc = shared == NULL ? ERR_NOMEM : iceberg_metadata_print(shared, &out, &e);

        if (rc == ERR_OK) {
            rc = metadata_snapshots(shared, &all, &e);
        }
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        free(all.items);
        iceberg_metadata_free(shared);
        buf_deinit(&out);
    }
    iceberg_metadata_free(whole);
}

TEST(test_metadata__limits_what_it_prints)
{
    struct iceberg_metadata *m = parse(small);
    struct buf out;
    struct err e = {0};

    buf_init(&out, 100);
    assert_err(iceberg_metadata_print(m, &out, &e), ERR_LIMIT, &e);
    buf_deinit(&out);
    iceberg_metadata_free(m);
}

TEST_MAIN(test_case(test_metadata__answers_what_the_document_says),
          test_case(test_metadata__finds_its_folder),
          test_case(test_metadata__prints_what_it_parsed),
          test_case(test_metadata__reads_what_others_wrote),
          test_case(test_metadata__refuses_what_is_missing_or_wrong),
          test_case(test_metadata__allows_what_may_be_absent),
          test_case(test_metadata__rejects_every_truncation),
          test_case(test_metadata__survives_lack_of_memory),
          test_case(test_metadata__limits_what_it_prints))
