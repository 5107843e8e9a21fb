#include "s3_fixture.h"

struct listed {
    struct buf text; /* "location size, " each */
    uint32_t count;
    int64_t last_us;
    uint32_t stop_at; /* ends with ERR_CANCELLED at the nth; 0: never */
};

static enum err_code on_entry(void *ctx, const struct store_entry *entry, struct err *e)
{
    struct listed *l = ctx;

    buf_printf(&l->text, "%s %llu, ", entry->location, (unsigned long long)entry->size_bytes);
    l->last_us = entry->modified_us;
    return ++l->count == l->stop_at ? err_set(e, ERR_CANCELLED, "enough")
                                    : buf_check(&l->text, e, "listed");
}

static void assert_listed(struct s3_fixture *f, const char *prefix, const char *want)
{
    struct listed got = {0};

    assert_ok(store_list(f->store, prefix, on_entry, &got, &f->e), &f->e);
    assert_text_eq(buf_span(&got.text), want);
    buf_deinit(&got.text);
}

TEST(test_s3_list__lists_what_begins_with_the_prefix)
{
    struct s3_fixture f;

    s3_fixture_init(&f);
    fake_s3_put(f.server, "lake/t/a", span_str("12345"));
    fake_s3_put(f.server, "lake/t/b/c", span_str("1"));
    fake_s3_put(f.server, "lake/t2/a", span_str("12"));
    fake_s3_put(f.server, "other/t/a", span_str("123"));
    assert_listed(&f, "s3://lake/t/", "s3://lake/t/a 5, s3://lake/t/b/c 1, ");
    assert_listed(&f, "s3a://lake/t", "s3a://lake/t/a 5, s3a://lake/t/b/c 1, s3a://lake/t2/a 2, ");
    assert_listed(&f, "s3://other", "s3://other/t/a 3, ");
    assert_listed(&f, "s3://other/", "s3://other/t/a 3, ");
    assert_listed(&f, "s3://lake/t/none/", "");
    s3_fixture_deinit(&f);
}

TEST(test_s3_list__tells_when_an_object_was_written)
{
    struct s3_fixture f;
    struct listed got = {0};

    s3_fixture_init(&f);
    fake_s3_put(f.server, "lake/x", span_str("x"));
    fake_s3_set_time(f.server, "lake/x", "2026-01-02T03:04:05.678Z");
    assert_ok(store_list(f.store, "s3://lake/", on_entry, &got, &f.e), &f.e);
    assert_i64_eq(got.last_us, INT64_C(1767323045678000));
    buf_deinit(&got.text);
    s3_fixture_deinit(&f);
}

/* What consoles and Hadoop leave: a folder is no object, one with bytes is. */
TEST(test_s3_list__leaves_out_folders)
{
    struct s3_fixture f;

    s3_fixture_init(&f);
    fake_s3_put(f.server, "lake/t/", span_str(""));
    fake_s3_put(f.server, "lake/t/data/", span_str(""));
    fake_s3_put(f.server, "lake/t/data/x", span_str(""));
    fake_s3_put(f.server, "lake/t/odd/", span_str("x"));
    assert_listed(&f, "s3://lake/t/", "s3://lake/t/data/x 0, s3://lake/t/odd/ 1, ");
    s3_fixture_deinit(&f);
}

TEST(test_s3_list__reads_keys_of_all_kinds)
{
    static const char *const keys[] = {"a b+c%41&<>\"'", "gr\xc3\xbc\xc3\x9f", "/a/../b//"};

    for (int raw = 0; raw < 2; raw++) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            struct s3_fixture f;
            char name[64];
            char want[64];
            char prefix[64];

            s3_fixture_init(&f);
            fake_s3_set_rules(f.server, &(struct fake_s3_rules){.raw_keys = raw != 0});
            (void)snprintf(name, sizeof name, "lake/%s!", keys[i]);
            (void)snprintf(prefix, sizeof prefix, "s3://lake/%s", keys[i]);
            (void)snprintf(want, sizeof want, "s3://lake/%s! 1, ", keys[i]);
            fake_s3_put(f.server, name, span_str("x"));
            assert_listed(&f, prefix, want);
            s3_fixture_deinit(&f);
        }
    }
}

TEST(test_s3_list__goes_on_from_page_to_page)
{
    struct s3_fixture f;

    for (unsigned page_max = 1; page_max <= 8; page_max++) {
        struct listed got = {0};

        s3_fixture_init(&f);
        fake_s3_set_rules(f.server, &(struct fake_s3_rules){.page_max = page_max});
        for (unsigned i = 0; i < 7; i++) {
            char name[32];

            (void)snprintf(name, sizeof name, "lake/t/%u + &%u", i, i);
            fake_s3_put(f.server, name, span_str("x"));
        }
        s3_fail(&f, &(struct fake_s3_fault){.status = 503, .code = "SlowDown"});
        assert_ok(store_list(f.store, "s3://lake/t/", on_entry, &got, &f.e), &f.e);
        assert_int_equal(got.count, 7);
        assert_int_equal(fake_s3_requests(f.server, NULL, NULL), (7 + page_max - 1) / page_max + 1);
        buf_deinit(&got.text);
        s3_fixture_deinit(&f);
    }
}

TEST(test_s3_list__ends_when_it_is_told_to)
{
    struct s3_fixture f;
    struct listed got = {.stop_at = 2};

    s3_fixture_init(&f);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.page_max = 1});
    fake_s3_put(f.server, "lake/a", span_str("x"));
    fake_s3_put(f.server, "lake/b", span_str("x"));
    fake_s3_put(f.server, "lake/c", span_str("x"));
    assert_err(store_list(f.store, "s3://lake/", on_entry, &got, &f.e), ERR_CANCELLED, &f.e);
    assert_int_equal(got.count, 2);
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 2);
    buf_deinit(&got.text);
    s3_fixture_deinit(&f);
}

/* A list that is not whole is none: files that are not in it would be taken for gone. */
TEST(test_s3_list__fails_rather_than_leave_out)
{
    static const struct {
        struct fake_s3_fault fault;
        enum err_code code;
    } cases[] = {
        {{.status = 200, .body = ""}, ERR_CORRUPT},
        {{.status = 200, .body = "<html/>"}, ERR_CORRUPT},
        {{.status = 200,
          .body = "<ListBucketResult><IsTruncated>true</IsTruncated>"
                  "</ListBucketResult>"},
         ERR_CORRUPT},
        {{.status = 404, .code = "NoSuchBucket"}, ERR_CONFIG},
        {{.status = 403, .code = "AccessDenied"}, ERR_CONFIG},
        {{.fault = FAKE_HTTP_RESET, .times = 1000}, ERR_IO},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct s3_fixture f;
        struct listed got = {0};

        s3_fixture_init(&f);
        s3_fail(&f, &cases[i].fault);
        assert_err(store_list(f.store, "s3://lake/", on_entry, &got, &f.e), cases[i].code, &f.e);
        assert_non_null(strstr(f.e.msg, "s3://lake/"));
        fake_s3_drop_faults(f.server);
        s3_fixture_deinit(&f);
    }
}

TEST(test_s3_list__notices_a_server_that_does_not_go_on)
{
    struct s3_fixture f;
    struct listed got = {0};

    s3_fixture_init(&f);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.page_max = 1, .forgets_page = true});
    fake_s3_put(f.server, "lake/a", span_str("x"));
    fake_s3_put(f.server, "lake/b", span_str("x"));
    assert_err(store_list(f.store, "s3://lake/", on_entry, &got, &f.e), ERR_CORRUPT, &f.e);
    assert_non_null(strstr(f.e.msg, "the same page again and again"));
    buf_deinit(&got.text);
    s3_fixture_deinit(&f);
}

/* Only what a table's writers name so, only below the prefix, only when it is old. */
TEST(test_s3_list__sweeps_old_uploads)
{
    static const char old[] = "2026-01-01T02:59:59.000Z";
    static const char young[] = "2026-01-01T03:00:01.000Z";
    struct s3_fixture f;
    uint32_t removed = 99;

    for (unsigned page_max = 1; page_max <= 9; page_max += 4) {
        s3_fixture_init(&f);
        fake_s3_set_rules(f.server, &(struct fake_s3_rules){.page_max = page_max});
        fake_s3_begin_upload(f.server, "lake/t/data/date=2026-01-01/a b+&.parquet", old);
        fake_s3_begin_upload(f.server, "lake/t/metadata/m.avro", old);
        fake_s3_begin_upload(f.server, "lake/t/metadata/v1.metadata.json", old);
        fake_s3_begin_upload(f.server, "lake/t/data/young.parquet", young);
        fake_s3_begin_upload(f.server, "lake/t/data/video.mp4", old);
        fake_s3_begin_upload(f.server, "lake/t/data/parquet", old);
        fake_s3_begin_upload(f.server, "lake/t2/data/other.parquet", old);
        fake_s3_begin_upload(f.server, "other/t/data/other.parquet", old);
        assert_ok(store_sweep(f.store, "s3://lake/t/", &removed, &f.e), &f.e);
        assert_int_equal(removed, 3);
        assert_int_equal(fake_s3_uploads(f.server), 5);
        assert_ok(store_sweep(f.store, "s3a://lake/t/", &removed, &f.e), &f.e);
        assert_int_equal(removed, 0);
        s3_fixture_deinit(&f);
    }
}

/* One that cannot be aborted does not keep the others. */
TEST(test_s3_list__sweeps_what_it_can)
{
    static const char old[] = "2025-12-01T00:00:00.000Z";
    struct s3_fixture f;
    uint32_t removed;

    s3_fixture_init(&f);
    fake_s3_begin_upload(f.server, "lake/t/a.parquet", old);
    fake_s3_begin_upload(f.server, "lake/t/b.parquet", old);
    fake_s3_begin_upload(f.server, "lake/t/c.parquet", old);
    s3_fail(&f,
            &(struct fake_s3_fault){
                .method = "DELETE", .part = "/a.parquet", .status = 403, .code = "AccessDenied"});
    s3_fail(&f,
            &(struct fake_s3_fault){
                .method = "DELETE", .part = "/b.parquet", .status = 404, .code = "NoSuchUpload"});
    assert_err(store_sweep(f.store, "s3://lake/t/", &removed, &f.e), ERR_CONFIG, &f.e);
    assert_non_null(strstr(f.e.msg, "AbortMultipartUpload s3://lake/t/a.parquet"));
    assert_int_equal(removed, 2);
    /* What is gone already is as good as aborted; only c really was. */
    assert_int_equal(fake_s3_uploads(f.server), 2);
    s3_fixture_deinit(&f);
}

TEST(test_s3_list__survives_lack_of_memory)
{
    struct s3_fixture f;
    unsigned failures = 0;

    s3_fixture_init(&f);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.page_max = 1});
    fake_s3_put(f.server, "lake/t/a", span_str("x"));
    fake_s3_put(f.server, "lake/t/b", span_str("x"));
    fake_s3_begin_upload(f.server, "lake/t/young.parquet", "2026-01-02T00:00:00Z");
    TORTURE(run)
    {
        struct listed got = {0};
        uint32_t removed;
        enum err_code rc = store_list(f.store, "s3://lake/t/", on_entry, &got, &f.e);

        if (rc == ERR_OK) {
            assert_text_eq(buf_span(&got.text), "s3://lake/t/a 1, s3://lake/t/b 1, ");
            rc = store_sweep(f.store, "s3://lake/t/", &removed, &f.e);
        }
        failures += rc == ERR_OK ? 0 : 1;
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        buf_deinit(&got.text);
    }
    assert_true(failures > 20);
    s3_fixture_deinit(&f);
}

TEST_MAIN(test_case(test_s3_list__lists_what_begins_with_the_prefix),
          test_case(test_s3_list__tells_when_an_object_was_written),
          test_case(test_s3_list__leaves_out_folders),
          test_case(test_s3_list__reads_keys_of_all_kinds),
          test_case(test_s3_list__goes_on_from_page_to_page),
          test_case(test_s3_list__ends_when_it_is_told_to),
          test_case(test_s3_list__fails_rather_than_leave_out),
          test_case(test_s3_list__notices_a_server_that_does_not_go_on),
          test_case(test_s3_list__sweeps_old_uploads), test_case(test_s3_list__sweeps_what_it_can),
          test_case(test_s3_list__survives_lack_of_memory))
