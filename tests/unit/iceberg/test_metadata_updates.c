/* test_metadata_updates.c - a server that applies the updates has what the next metadata says. */
#include "iceberg/metadata_updates.h"

#include "lake.h"
#include "rest_updates.h"

static const struct iceberg_property server_properties[] = {
    {"write.metadata.delete-after-commit.enabled", "true"},
    {"write.metadata.previous-versions-max", "3"},
};

/* What a server does not derive is the same in both. */
static void assert_same(json_t *is, json_t *want)
{
    static const char *const derived[] = {"last-updated-ms", "metadata-log"};
    json_t *a = json_copy(is);
    json_t *b = json_copy(want);

    for (size_t i = 0; i < sizeof derived / sizeof derived[0]; i++) {
        json_object_del(a, derived[i]);
        json_object_del(b, derived[i]);
    }
    if (!json_equal(a, b)) {
        char *left = json_dumps(a, JSON_INDENT(1) | JSON_SORT_KEYS);
        char *right = json_dumps(b, JSON_INDENT(1) | JSON_SORT_KEYS);

        print_message("%s\nis not\n%s\n", left, right);
        free(left);
        free(right);
        fail();
    }
    json_decref(a);
    json_decref(b);
}

/* Sends the change to a server that has the base; gives the request. */
static json_t *assert_applies(const struct iceberg_metadata *base,
                              const struct iceberg_metadata *next)
{
    json_t *request = NULL;
    json_t *document = json_deep_copy(base->root);
    struct err e = {0};

    assert_ok(iceberg_updates_between(base, next, &request, &e), &e);
    const char *why = rest_apply(&document, request);

    if (why != NULL) {
        fail_msg("%s", why);
    }
    assert_same(document, next->root);
    /* It moved main, so the same again finds another base. */
    if (iceberg_metadata_snapshot_id(base) != iceberg_metadata_snapshot_id(next)) {
        why = rest_apply(&document, request);
        assert_non_null(why);
        assert_memory_equal(why, "409", 3);
    }
    json_decref(document);
    return request;
}

/* "add-snapshot set-snapshot-ref ". */
static const char *actions_of(const json_t *request, char *out, size_t out_bytes)
{
    size_t i;
    json_t *item;
    size_t len = 0;

    out[0] = '\0';
    json_array_foreach(json_object_get(request, "updates"), i, item)
    {
        len += (size_t)snprintf(out + len, out_bytes - len, "%s ", rest_text_of(item, "action"));
        assert_true(len < out_bytes);
    }
    return out;
}

static struct iceberg_metadata *edited(const struct iceberg_metadata *from)
{
    struct iceberg_metadata *m = calloc(1, sizeof *m);

    assert_non_null(m);
    m->root = json_deep_copy(from->root);
    return m;
}

TEST(test_metadata_updates__sends_a_commit_as_java_does)
{
    static const struct iceberg_property properties[] = {{"calve.checkpoint.a", "{\"n\":1}"}};
    static const struct iceberg_property summary[] = {{"calve.run", "r1"}};
    struct lake l;
    struct iceberg_attempt *a;
    struct err e = {0};
    char text[512];

    lake_open(&l, true, server_properties, 2);
    for (int round = 0; round < 2; round++) {
        struct iceberg_data_file *file = lake_file(&l, 5, 10);
        const struct iceberg_change change = {.added = &file,
                                              .added_count = 1,
                                              .summary = summary,
                                              .summary_count = 1,
                                              .properties = properties,
                                              .property_count = round == 0 ? 1 : 0,
                                              .retention = l.retention};
        int64_t before = iceberg_metadata_snapshot_id(l.metadata);

        assert_ok(lake_prepare(&l, &change, &a, &e), &e);
        json_t *request = assert_applies(l.metadata, a->next);
        const json_t *requirements = json_object_get(request, "requirements");
        const json_t *updates = json_object_get(request, "updates");
        const json_t *ref = json_array_get(requirements, 1);
        const json_t *s = json_object_get(json_array_get(updates, 0), "snapshot");

        assert_string_equal(actions_of(request, text, sizeof text),
                            round == 0 ? "add-snapshot set-snapshot-ref set-properties "
                                       : "add-snapshot set-snapshot-ref ");
        assert_int_equal(json_array_size(requirements), 2);
        assert_string_equal(rest_text_of(json_array_get(requirements, 0), "uuid"),
                            iceberg_metadata_uuid(l.metadata));
        assert_string_equal(rest_text_of(ref, "ref"), "main");
        /* Without a snapshot: null, which is not the same as nothing. */
        assert_true(round == 0 ? json_is_null(json_object_get(ref, "snapshot-id"))
                               : rest_number_of(ref, "snapshot-id") == before);
        assert_i64_eq(rest_number_of(s, "snapshot-id"), a->snapshot_id);
        assert_i64_eq(rest_number_of(s, "sequence-number"), round + 1);
        assert_i64_eq(rest_number_of(s, "parent-snapshot-id"), round == 0 ? -1 : before);
        assert_string_equal(rest_text_of(json_object_get(s, "summary"), "calve.run"), "r1");
        ref = json_array_get(updates, 1);
        assert_string_equal(rest_text_of(ref, "ref-name"), "main");
        assert_string_equal(rest_text_of(ref, "type"), "branch");
        assert_i64_eq(rest_number_of(ref, "snapshot-id"), a->snapshot_id);
        json_decref(request);
        lake_swap(&l, a->next);
        iceberg_attempt_free(a);
        iceberg_data_file_free(file);
    }
    lake_close(&l);
}

TEST(test_metadata_updates__keeps_what_main_says_about_retention)
{
    struct lake l;
    struct iceberg_attempt *a;
    struct err e = {0};

    lake_open(&l, true, server_properties, 2);
    (void)lake_add(&l, 1, 1, false);
    struct iceberg_metadata *with_rule = edited(l.metadata);
    json_t *main_ref = json_object_get(json_object_get(with_rule->root, "refs"), "main");

    json_object_set_new(main_ref, "min-snapshots-to-keep", json_integer(7));
    lake_swap(&l, with_rule);
    iceberg_metadata_free(with_rule);
    struct iceberg_data_file *file = lake_file(&l, 5, 10);

    assert_ok(lake_prepare(&l,
                           &(struct iceberg_change){
                               .added = &file, .added_count = 1, .retention = l.retention},
                           &a, &e),
              &e);
    json_t *request = assert_applies(l.metadata, a->next);
    const json_t *set = json_array_get(json_object_get(request, "updates"), 1);

    assert_i64_eq(rest_number_of(set, "min-snapshots-to-keep"), 7);
    json_decref(request);
    iceberg_attempt_free(a);
    iceberg_data_file_free(file);
    lake_close(&l);
}

TEST(test_metadata_updates__sends_properties_alone)
{
    struct lake l;
    char text[256];

    lake_open(&l, true, server_properties, 2);
    (void)lake_add(&l, 1, 1, false);
    struct iceberg_metadata *next = edited(l.metadata);
    json_t *properties = json_object_get(next->root, "properties");

    json_object_set_new(properties, "a", json_string("\xc3\xa4"));
    json_object_set_new(properties, "write.metadata.previous-versions-max", json_string("4"));
    json_object_del(properties, "write.metadata.delete-after-commit.enabled");
    json_t *request = assert_applies(l.metadata, next);

    assert_string_equal(actions_of(request, text, sizeof text),
                        "set-properties remove-properties ");
    /* Only what is different. */
    assert_int_equal(json_object_size(json_object_get(
                         json_array_get(json_object_get(request, "updates"), 0), "updates")),
                     2);
    json_decref(request);
    iceberg_metadata_free(next);
    lake_close(&l);
}

/* Snapshots that expire go one by one, and statistics of them before. */
TEST(test_metadata_updates__sends_what_expired)
{
    struct lake l;
    struct iceberg_attempt *a;
    struct err e = {0};
    char text[512];

    lake_open(&l, true, server_properties, 2);
    for (int i = 0; i < 4; i++) {
        l.now_ms += 1000;
        (void)lake_add(&l, 1, i, false);
    }
    struct iceberg_metadata *with_statistics = edited(l.metadata);

    for (size_t i = 0; i < 4; i++) {
        static const char *const keys[] = {"statistics", "partition-statistics"};
        json_t *s = json_array_get(json_object_get(with_statistics->root, "snapshots"), i);

        for (size_t k = 0; k < 2; k++) {
            json_array_append_new(json_object_get(with_statistics->root, keys[k]),
                                  json_pack("{s:O, s:s}", "snapshot-id",
                                            json_object_get(s, "snapshot-id"), "statistics-path",
                                            i < 2 ? "file:///lake/old" : "file:///lake/new"));
        }
    }
    lake_swap(&l, with_statistics);
    iceberg_metadata_free(with_statistics);
    l.now_ms += 1000;
    struct iceberg_data_file *file = lake_file(&l, 5, 10);

    assert_ok(lake_prepare(
                  &l,
                  &(struct iceberg_change){.added = &file, .added_count = 1, .retention = {1, 3}},
                  &a, &e),
              &e);
    json_t *request = assert_applies(l.metadata, a->next);

    assert_string_equal(actions_of(request, text, sizeof text),
                        "add-snapshot set-snapshot-ref remove-statistics remove-statistics "
                        "remove-partition-statistics remove-partition-statistics "
                        "remove-snapshots remove-snapshots ");
    json_decref(request);
    iceberg_attempt_free(a);
    iceberg_data_file_free(file);
    lake_close(&l);
}

/* Whatever calve makes of a table in a long time, a server makes the same of it. */
TEST(test_metadata_updates__make_a_server_have_the_same)
{
    struct lake l;
    struct err e = {0};
    const int rounds = LAKE_LONG_RUN(600);

    lake_open(&l, true, server_properties, 2);
    l.retention = (struct iceberg_retention){.keep_us = 600 * INT64_C(1000000), .keep_count = 5};
    for (int i = 0; i < rounds; i++) {
        char value[24];
        uint32_t count = (uint32_t)rand_below(&l.rand, 3);
        struct iceberg_data_file *files[2] = {NULL, NULL};
        const struct iceberg_property property = {"n", value};
        struct iceberg_attempt *a;

        l.now_ms += (int64_t)rand_below(&l.rand, 60000);
        (void)snprintf(value, sizeof value, "%d", i);
        for (uint32_t k = 0; k < count; k++) {
            files[k] = lake_file(&l, (int32_t)rand_below(&l.rand, 4), 10);
        }
        const struct iceberg_change change = {
            .added = files,
            .added_count = count,
            .replace_all = rand_below(&l.rand, 5) == 0,
            .properties = &property,
            .property_count = (uint32_t)rand_below(&l.rand, 2),
            .retention = l.retention,
        };
        struct iceberg_attempt_options options = {
            .store = l.store,
            .rand = &l.rand,
            .now_ms = l.now_ms,
            .base_location = l.location,
            .base = l.metadata,
            .change = &change,
            .server_writes_metadata = true,
            .always_snapshot = rand_below(&l.rand, 2) == 0,
        };

        assert_ok(iceberg_attempt_prepare(&options, &a, &e), &e);
        assert_true(a->snapshot_id >= 0 || !options.always_snapshot);
        json_decref(assert_applies(l.metadata, a->next));
        lake_swap(&l, a->next);
        assert_ok(iceberg_attempt_clean(a, l.store, &e), &e);
        iceberg_attempt_free(a);
        iceberg_data_file_free(files[0]);
        iceberg_data_file_free(files[1]);
    }
    lake_close(&l);
}

static void edit_remove(json_t *root, const char *key)
{
    json_object_del(root, key);
}

static void edit_add(json_t *root, const char *key)
{
    json_object_set_new(root, key, json_string("x"));
}

/* The last snapshot says something else than before. */
static void edit_snapshot(json_t *root, const char *key)
{
    json_t *list = json_object_get(root, "snapshots");

    (void)key;
    json_object_set_new(json_array_get(list, json_array_size(list) - 1), "timestamp-ms",
                        json_integer(1));
}

/* A new snapshot whose parent is not the current one. */
static void edit_parent(json_t *root, const char *key)
{
    json_t *list = json_object_get(root, "snapshots");
    json_t *s = json_deep_copy(json_array_get(list, 0));

    (void)key;
    json_object_set_new(s, "snapshot-id", json_integer(77));
    json_object_set_new(s, "parent-snapshot-id", json_integer(5));
    json_array_append_new(list, s);
}

static void edit_number(json_t *root, const char *key)
{
    json_object_set_new(root, key, json_integer(123456));
}

static void edit_tag(json_t *root, const char *key)
{
    json_object_set_new(json_object_get(root, "refs"), "audit",
                        json_pack("{s:i, s:s}", "snapshot-id", 1, "type", "tag"));
    (void)key;
}

static void edit_main(json_t *root, const char *key)
{
    json_object_set_new(json_object_get(json_object_get(root, "refs"), "main"), "max-ref-age-ms",
                        json_integer(1));
    (void)key;
}

static void edit_statistics(json_t *root, const char *key)
{
    json_array_append_new(json_object_get(root, key), json_pack("{s:i}", "snapshot-id", 1));
}

TEST(test_metadata_updates__refuses_what_has_no_form)
{
    static const struct {
        const char *key;
        void (*edit)(json_t *root, const char *key);
    } rows[] = {
        {"table-uuid", edit_add},
        {"location", edit_add},
        {"schemas", edit_remove},
        {"current-schema-id", edit_number},
        {"partition-specs", edit_add},
        {"default-spec-id", edit_number},
        {"sort-orders", edit_add},
        {"last-column-id", edit_number},
        {"format-version", edit_number},
        {"something-new", edit_add},
        {"snapshots", edit_snapshot},
        {"snapshots", edit_parent},
        {"current-snapshot-id", edit_number},
        {"last-sequence-number", edit_number},
        {"refs", edit_tag},
        {"refs", edit_main},
        {"statistics", edit_statistics},
        {"partition-statistics", edit_statistics},
    };
    struct lake l;

    lake_open(&l, true, server_properties, 2);
    (void)lake_add(&l, 1, 1, false);
    (void)lake_add(&l, 1, 2, false);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct iceberg_metadata *next = edited(l.metadata);
        json_t *request = NULL;
        struct err e = {0};
        char quoted[64];

        rows[i].edit(next->root, rows[i].key);
        (void)snprintf(quoted, sizeof quoted, "'%s'", rows[i].key);
        assert_err(iceberg_updates_between(l.metadata, next, &request, &e), ERR_UNSUPPORTED, &e);
        if (strstr(e.msg, quoted) == NULL) {
            fail_msg("%s is not named: %s", quoted, e.msg);
        }
        assert_null(request);
        iceberg_metadata_free(next);
    }
    lake_close(&l);
}

TEST(test_metadata_updates__ask_for_a_table_like_the_first_metadata)
{
    struct lake l;
    json_t *request = NULL;
    struct err e = {0};

    lake_open(&l, true, server_properties, 2);
    assert_ok(iceberg_create_request("orders", l.metadata, &request, &e), &e);
    const json_t *spec = json_object_get(request, "partition-spec");
    const json_t *field = json_array_get(json_object_get(spec, "fields"), 0);

    assert_string_equal(rest_text_of(request, "name"), "orders");
    assert_string_equal(rest_text_of(request, "location"), LAKE_ROOT);
    assert_true(json_equal(json_object_get(request, "schema"), metadata_schema(l.metadata)));
    assert_i64_eq(rest_number_of(spec, "spec-id"), 0);
    assert_string_equal(rest_text_of(field, "transform"), "day");
    assert_i64_eq(rest_number_of(field, "source-id"), 2);
    assert_string_equal(rest_text_of(json_object_get(request, "properties"),
                                     "write.metadata.previous-versions-max"),
                        "3");
    assert_string_equal(rest_text_of(json_object_get(request, "properties"), "format-version"),
                        "2");
    json_decref(request);

    /* No location: the server's choice. */
    struct iceberg_metadata *nowhere = edited(l.metadata);

    json_object_set_new(nowhere->root, "location", json_string(""));
    assert_ok(iceberg_create_request("orders", nowhere, &request, &e), &e);
    assert_null(json_object_get(request, "location"));
    json_decref(request);
    iceberg_metadata_free(nowhere);
    (void)lake_add(&l, 1, 1, false);
    assert_err(iceberg_create_request("orders", l.metadata, &request, &e), ERR_UNSUPPORTED, &e);
    lake_close(&l);
}

TEST(test_metadata_updates__survive_lack_of_memory)
{
    struct lake l;
    struct iceberg_attempt *a;
    struct err e = {0};

    lake_open(&l, true, server_properties, 2);
    struct iceberg_metadata *first = iceberg_metadata_share(l.metadata);

    (void)lake_add(&l, 1, 1, false);
    (void)lake_add(&l, 1, 2, false);
    struct iceberg_data_file *file = lake_file(&l, 5, 10);

    assert_ok(lake_prepare(&l,
                           &(struct iceberg_change){.added = &file,
                                                    .added_count = 1,
                                                    .properties = server_properties + 1,
                                                    .property_count = 1,
                                                    .retention = {1, 1}},
                           &a, &e),
              &e);
    json_set_alloc_funcs(malloc, free);
    TORTURE(nth)
    {
        json_t *request = NULL;
        enum err_code rc = iceberg_updates_between(l.metadata, a->next, &request, &e);

        assert_true(rc == ERR_NOMEM || rc == ERR_OK);
        assert_true(rc != ERR_OK || request != NULL);
        json_decref(request);
        request = NULL;
        rc = iceberg_create_request("orders", first, &request, &e);
        assert_true(rc == ERR_NOMEM || rc == ERR_OK);
        assert_true(rc != ERR_OK || json_object_size(request) == 5);
        json_decref(request);
    }
    iceberg_metadata_free(first);
    iceberg_attempt_free(a);
    iceberg_data_file_free(file);
    lake_close(&l);
}

TEST_MAIN(test_case(test_metadata_updates__sends_a_commit_as_java_does),
          test_case(test_metadata_updates__keeps_what_main_says_about_retention),
          test_case(test_metadata_updates__sends_properties_alone),
          test_case(test_metadata_updates__sends_what_expired),
          test_case(test_metadata_updates__make_a_server_have_the_same),
          test_case(test_metadata_updates__refuses_what_has_no_form),
          test_case(test_metadata_updates__ask_for_a_table_like_the_first_metadata),
          test_case(test_metadata_updates__survive_lack_of_memory))
