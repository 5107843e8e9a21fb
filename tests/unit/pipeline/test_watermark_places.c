#include "pipeline/watermark_places.h"

#include <stdlib.h>

#include "test.h"
#include "torture.h"

static void put(struct watermark_places *p, const char *source, const char *file, uint64_t offset,
                const char *gtids)
{
    struct log_place at = {.source = source, .position = {.offset = offset}, .gtids = gtids};
    struct err e = {0};

    (void)snprintf(at.position.file, sizeof at.position.file, "%s", file);
    assert_ok(watermark_places_put(p, &at, &e), &e);
}

static const char *gtids_at(const struct watermark_places *p, const char *file, uint64_t offset)
{
    struct binlog_position at = {.offset = offset};

    (void)snprintf(at.file, sizeof at.file, "%s", file);
    const struct watermark_place *found = watermark_places_find(p, &at);

    return found == NULL ? "unknown" : found->gtids == NULL ? "none" : found->gtids;
}

TEST(test_watermark_places__come_back_as_they_were_written)
{
    struct watermark_places p = {.count = 0};
    struct watermark_places back = {.count = 0};
    struct err e = {0};

    put(&p, "old", "binlog.000007", 100, "a:1-5");
    put(&p, "old", "binlog.000008", UINT64_C(5000000000), NULL);
    put(&p, "new", "binlog.000001", 4, "a:1-9");
    p.items[0].log_created_s = 1700000000;
    char *text = watermark_places_print(&p);

    assert_string_equal(text,
                        "{\"file\":\"binlog.000001\",\"pos\":4,\"source\":\"new\",\"gtid\":"
                        "\"a:1-9\",\"log-created\":1700000000,\"earlier\":[{\"file\":"
                        "\"binlog.000008\",\"pos\":5000000000,\"source\":\"old\"},{\"file\":"
                        "\"binlog.000007\",\"pos\":100,\"source\":\"old\",\"gtid\":\"a:1-5\"}]}");
    assert_ok(watermark_places_parse(text, &back, &e), &e);
    assert_int_equal(back.count, 3);
    assert_string_equal(back.items[0].source, "new");
    assert_int_equal(back.items[0].log_created_s, 1700000000);
    assert_string_equal(gtids_at(&back, "binlog.000007", 100), "a:1-5");
    assert_string_equal(gtids_at(&back, "binlog.000008", UINT64_C(5000000000)), "none");
    assert_string_equal(gtids_at(&back, "binlog.000007", 101), "unknown");
    char *again = watermark_places_print(&back);

    assert_string_equal(again, text);
    free(again);
    free(text);
    watermark_places_deinit(&p);
    watermark_places_deinit(&back);
}

/* What versions before wrote: one place. */
TEST(test_watermark_places__reads_a_single_place)
{
    struct watermark_places p = {.count = 0};
    struct err e = {0};

    assert_ok(watermark_places_parse("{\"file\":\"b.000001\",\"pos\":9,\"source\":\"s\"}", &p, &e),
              &e);
    assert_int_equal(p.count, 1);
    assert_string_equal(gtids_at(&p, "b.000001", 9), "none");
    watermark_places_deinit(&p);
}

/* Two servers have files of one name: then a position does not tell whose it is. */
TEST(test_watermark_places__does_not_guess_between_two_servers)
{
    struct watermark_places p = {.count = 0};

    put(&p, "old", "binlog.000002", 157, "a:1");
    put(&p, "new", "binlog.000002", 157, "a:1-2");
    assert_string_equal(gtids_at(&p, "binlog.000002", 157), "unknown");
    put(&p, "new", "binlog.000002", 157, "a:1-3"); /* the same place is kept once */
    assert_int_equal(p.count, 2);
    watermark_places_deinit(&p);
}

#define LONG_SOURCE                                            \
    "{\"file\":\"b.000001\",\"pos\":9,\"source\":\"0123456789" \
    "012345678901234567890123456789012345678901234567890123\"}"

static bool stands_behind_50(void *ctx, const struct binlog_position *position)
{
    (void)ctx;
    return position->offset > 50;
}

TEST(test_watermark_places__forgets_what_nobody_stands_at_and_the_oldest)
{
    struct watermark_places p = {.count = 0};

    for (uint64_t i = 0; i < WATERMARK_PLACES_MAX + 5; i++) {
        put(&p, "s", "b.000001", 40 + i, "a:1");
    }
    assert_int_equal(p.count, WATERMARK_PLACES_MAX);
    assert_string_equal(gtids_at(&p, "b.000001", 44), "unknown");
    assert_string_equal(gtids_at(&p, "b.000001", 45), "a:1");
    put(&p, "s", "b.000001", 3, "a:1"); /* the newest stays in any case */
    watermark_places_prune(&p, stands_behind_50, NULL);
    assert_string_equal(gtids_at(&p, "b.000001", 3), "a:1");
    assert_string_equal(gtids_at(&p, "b.000001", 50), "unknown");
    assert_string_equal(gtids_at(&p, "b.000001", 51), "a:1");
    watermark_places_deinit(&p);
}

TEST(test_watermark_places__refuses_what_is_none)
{
    static const char *const cases[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"file\":\"b.000001\",\"pos\":9}",
        "{\"pos\":9,\"source\":\"s\"}",
        "{\"file\":\"b.000001\",\"pos\":-1,\"source\":\"s\"}",
        "{\"file\":\"b.000001\",\"pos\":9,\"source\":7}",
        "{\"file\":\"b.000001\",\"pos\":9,\"source\":\"s\",\"log-created\":-1}",
        "{\"file\":\"b.000001\",\"pos\":9,\"source\":\"s\",\"earlier\":[{}]}",
        LONG_SOURCE,
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct watermark_places p = {.count = 0};
        struct err e = {0};

        assert_err(watermark_places_parse(cases[i], &p, &e), ERR_CORRUPT, &e);
        watermark_places_deinit(&p);
    }
}

TEST(test_watermark_places__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct watermark_places p = {.count = 0};
        enum err_code rc = watermark_places_parse(
            "{\"file\":\"b.000001\",\"pos\":9,\"source\":\"s\",\"gtid\":\"a:1\",\"earlier\":["
            "{\"file\":\"b.000002\",\"pos\":9,\"source\":\"s\",\"gtid\":\"a:1\"}]}",
            &p, NULL);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        watermark_places_deinit(&p);
    }
}

TEST_MAIN(test_case(test_watermark_places__come_back_as_they_were_written),
          test_case(test_watermark_places__reads_a_single_place),
          test_case(test_watermark_places__does_not_guess_between_two_servers),
          test_case(test_watermark_places__forgets_what_nobody_stands_at_and_the_oldest),
          test_case(test_watermark_places__refuses_what_is_none),
          test_case(test_watermark_places__survives_lack_of_memory))
