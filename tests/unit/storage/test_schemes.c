#include "fake_store.h"
#include "storage/schemes.h"
#include "temp_folder.h"
#include "test.h"

TEST(test_schemes__tells_kinds_of_places)
{
    static const struct {
        const char *location;
        enum store_scheme scheme;
    } cases[] = {
        {"file:///lake/x", STORE_SCHEME_LOCAL},
        {"file:/lake/x", STORE_SCHEME_LOCAL},
        {"FILE:///lake/x", STORE_SCHEME_LOCAL},
        {"/lake/x", STORE_SCHEME_LOCAL},
        {"/s3://lake/x", STORE_SCHEME_LOCAL},
        {"s3://lake/x", STORE_SCHEME_S3},
        {"s3a://lake/x", STORE_SCHEME_S3},
        {"s3n://lake/x", STORE_SCHEME_S3},
        {"S3A://lake/x", STORE_SCHEME_S3},
        {"s3://", STORE_SCHEME_S3},
        {"s3:/lake/x", STORE_SCHEME_OTHER},
        {"s3", STORE_SCHEME_OTHER},
        {"s3b://lake/x", STORE_SCHEME_OTHER},
        {"gs://lake/x", STORE_SCHEME_OTHER},
        {"lake/x", STORE_SCHEME_OTHER},
        {"file", STORE_SCHEME_OTHER},
        {"", STORE_SCHEME_OTHER},
        {"://", STORE_SCHEME_OTHER},
        {"files3://x", STORE_SCHEME_OTHER},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (store_scheme_of(cases[i].location) != cases[i].scheme) {
            fail_msg("%s", cases[i].location);
        }
    }
}

static enum err_code count_entry(void *ctx, const struct store_entry *entry, struct err *e)
{
    (void)entry;
    (void)e;
    (*(unsigned *)ctx)++;
    return ERR_OK;
}

/* Every operation about a place reaches the one store and not the other. */
static void use(struct store *all, struct store *own, struct store *other, const char *at,
                const char *prefix)
{
    struct store_file *file;
    struct store_reader *r;
    struct byte_source source;
    struct buf got = {0};
    struct err e = {0};
    uint32_t swept = 1;
    unsigned listed = 0;
    bool removed = false;

    assert_ok(store_put(all, at, span_str("rows"), &e), &e);
    assert_true(fake_store_has(own, at));
    assert_ok(store_get(all, at, &got, &e), &e);
    assert_text_eq(buf_span(&got), "rows");
    assert_ok(store_open(all, at, &r, &source, &e), &e);
    assert_u64_eq(source.size_bytes, 4);
    store_close(r);
    assert_ok(store_list(all, prefix, count_entry, &listed, &e), &e);
    assert_int_equal(listed, 1);
    assert_ok(store_remove(all, at, &e), &e);
    assert_false(fake_store_has(own, at));
    assert_ok(store_create(all, at, &file, &e), &e);
    fake_store_hold(own, true);
    assert_ok(store_write(file, span_str("rows"), &e), &e);
    assert_true(store_file_held_bytes(file) > 0);
    assert_ok(store_finish(file, &e), &e);
    assert_ok(store_create(all, at, &file, &e), &e);
    store_abandon(file);
    assert_ok(store_remove_many(all, &at, 1, &removed, &e), &e);
    assert_true(removed);
    assert_u64_eq(fake_store_count(own, ""), 0);
    assert_ok(store_sweep(all, prefix, &swept, &e), &e);
    assert_int_equal(swept, 0);
    for (int op = 0; op < FAKE_STORE_OPS; op++) {
        assert_u64_eq(fake_store_calls(other, (enum fake_store_op)op), 0);
    }
    buf_deinit(&got);
}

TEST(test_schemes__hands_each_place_to_its_store)
{
    struct store *local = fake_store_new();
    struct store *s3 = fake_store_new();
    struct store *all;
    struct err e = {0};

    assert_ok(store_schemes_new(local, s3, &all, &e), &e);
    use(all, local, s3, "file:///lake/x", "file:///lake/");
    store_free(all);
    local = fake_store_new();
    s3 = fake_store_new();
    assert_ok(store_schemes_new(local, s3, &all, &e), &e);
    use(all, s3, local, "s3a://lake/x", "s3a://lake/");
    store_free(all);
}

TEST(test_schemes__refuses_what_it_has_no_store_for)
{
    static const struct {
        const char *location;
        enum err_code code;
        const char *says;
    } cases[] = {
        {"gs://lake/x", ERR_UNSUPPORTED, "'gs://lake/x': calve reads and writes file:// and s3://"},
        {"lake/x", ERR_UNSUPPORTED, "'lake/x'"},
        {"s3://lake/x", ERR_CONFIG, "'s3://lake/x': no store is set up"},
    };
    struct store *all;
    struct store_file *file;
    struct store_reader *r;
    struct byte_source source;
    struct buf got = {0};
    struct err e = {0};
    uint32_t swept;
    bool removed = true;

    assert_ok(store_schemes_new(fake_store_new(), NULL, &all, &e), &e);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *at = cases[i].location;
        enum err_code code = cases[i].code;

        assert_err(store_put(all, at, span_str("x"), &e), code, &e);
        assert_err(store_get(all, at, &got, &e), code, &e);
        assert_err(store_create(all, at, &file, &e), code, &e);
        assert_err(store_open(all, at, &r, &source, &e), code, &e);
        assert_err(store_remove(all, at, &e), code, &e);
        assert_err(store_list(all, at, NULL, NULL, &e), code, &e);
        assert_err(store_sweep(all, at, &swept, &e), code, &e);
        assert_err(store_remove_many(all, &at, 1, &removed, &e), code, &e);
        assert_false(removed);
        assert_non_null(strstr(e.msg, cases[i].says));
    }
    store_free(all);
}

/* A list across both: neighbours go together, and a failure keeps nobody else from going. */
TEST(test_schemes__removes_from_both_stores)
{
    static const char *const at[] = {"file:///lake/a", "file:///lake/b", "gs://lake/c",
                                     "s3://lake/d", "file:///lake/e"};
    struct store *local = fake_store_new();
    struct store *s3 = fake_store_new();
    struct store *all;
    struct err e = {0};
    bool removed[5];

    assert_ok(store_schemes_new(local, s3, &all, &e), &e);
    for (size_t i = 0; i < 5; i++) {
        assert_true(fake_store_set(i == 3 ? s3 : local, at[i], span_str("x")));
    }
    fake_store_fail_at(local, FAKE_STORE_REMOVE, 2, ERR_TIMEOUT);
    assert_err(store_remove_many(all, at, 5, removed, &e), ERR_TIMEOUT, &e);
    assert_true(str_starts_with(e.msg, "removing file:///lake/b: "));
    assert_true(removed[0] && !removed[1] && !removed[2] && removed[3] && removed[4]);
    assert_u64_eq(fake_store_count(s3, ""), 0);
    assert_err(store_remove_many(all, at, 5, NULL, &e), ERR_UNSUPPORTED, &e);
    assert_false(fake_store_has(local, at[1]));
    store_free(all);
}

TEST(test_schemes__works_on_the_disk)
{
    struct temp_folder folder;
    struct store *local;
    struct store *all;
    struct buf got = {0};
    struct err e = {0};

    temp_folder_init(&folder);
    assert_ok(store_local_new(&local, &e), &e);
    assert_ok(store_schemes_new(local, NULL, &all, &e), &e);
    assert_ok(store_put(all, temp_location(&folder, "t/x"), span_str("rows"), &e), &e);
    assert_ok(store_get(all, temp_location(&folder, "t/x") + strlen("file://"), &got, &e), &e);
    assert_text_eq(buf_span(&got), "rows");
    buf_deinit(&got);
    store_free(all);
    temp_folder_deinit(&folder);
}

/* The stores are its own even when it cannot be made: nothing leaks. */
TEST(test_schemes__survives_lack_of_memory)
{
    struct store *all;
    struct err e = {0};
    struct store *local = fake_store_new();
    struct store *s3 = fake_store_new();

    torture_fail_at(1);
    assert_err(store_schemes_new(local, s3, &all, &e), ERR_NOMEM, &e);
    torture_fail_at(0);
}

TEST_MAIN(test_case(test_schemes__tells_kinds_of_places),
          test_case(test_schemes__hands_each_place_to_its_store),
          test_case(test_schemes__refuses_what_it_has_no_store_for),
          test_case(test_schemes__removes_from_both_stores),
          test_case(test_schemes__works_on_the_disk),
          test_case(test_schemes__survives_lack_of_memory))
