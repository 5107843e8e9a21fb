#include "storage/recent.h"

#include <pthread.h>

#include "fake_store.h"
#include "test.h"
#include "torture.h"

#define A "s3://lake/t/a"
#define B "s3://lake/t/b"
#define C "s3://lake/t/c"

struct bed {
    struct store *inner;
    struct store *store;
    struct err e;
};

static void bed_init(struct bed *b, size_t bytes_max)
{
    *b = (struct bed){.inner = fake_store_new()};
    assert_ok(store_recent_new(b->inner, bytes_max, &b->store, &b->e), &b->e);
}

static unsigned long reads(const struct bed *b)
{
    return fake_store_calls(b->inner, FAKE_STORE_GET);
}

static void assert_reads(struct bed *b, const char *location, const char *want)
{
    struct buf out = {0};

    assert_ok(store_get(b->store, location, &out, &b->e), &b->e);
    assert_true(span_eq_str(buf_span(&out), want));
    buf_deinit(&out);
}

TEST(test_recent__does_not_ask_for_what_it_put)
{
    const struct store_object both[] = {{B, span_str("b")}, {C, span_str("")}};
    struct bed b;

    bed_init(&b, 100);
    assert_ok(store_put(b.store, A, span_str("aaa"), &b.e), &b.e);
    assert_ok(store_put_many(b.store, both, 2, &b.e), &b.e);
    assert_true(fake_store_has(b.inner, A) && fake_store_has(b.inner, B));
    for (int i = 0; i < 2; i++) {
        assert_reads(&b, A, "aaa");
        assert_reads(&b, B, "b");
        assert_reads(&b, C, "");
    }
    assert_u64_eq(reads(&b), 0);
    store_free(b.store);
}

TEST(test_recent__asks_for_what_others_put)
{
    struct bed b;

    bed_init(&b, 100);
    assert_true(fake_store_set(b.inner, A, span_str("theirs")));
    assert_reads(&b, A, "theirs");
    assert_reads(&b, A, "theirs");
    assert_u64_eq(reads(&b), 2);
    store_free(b.store);
}

TEST(test_recent__keeps_nothing_that_was_not_written)
{
    const struct store_object both[] = {{A, span_str("a")}, {B, span_str("b")}};
    struct buf out = {0};
    struct bed b;

    bed_init(&b, 100);
    fake_store_fail_at(b.inner, FAKE_STORE_PUT, 1, ERR_IO);
    assert_err(store_put(b.store, A, span_str("a"), &b.e), ERR_IO, &b.e);
    assert_err(store_get(b.store, A, &out, &b.e), ERR_NOT_FOUND, &b.e);
    fake_store_fail_at(b.inner, FAKE_STORE_PUT, 2, ERR_IO);
    assert_err(store_put_many(b.store, both, 2, &b.e), ERR_IO, &b.e);
    assert_err(store_get(b.store, B, &out, &b.e), ERR_NOT_FOUND, &b.e);
    store_free(b.store);
}

TEST(test_recent__forgets_what_is_removed)
{
    const char *const both[] = {B, C};
    struct buf out = {0};
    struct bed b;

    bed_init(&b, 100);
    assert_ok(store_put(b.store, A, span_str("a"), &b.e), &b.e);
    assert_ok(store_put(b.store, B, span_str("b"), &b.e), &b.e);
    assert_ok(store_put(b.store, C, span_str("c"), &b.e), &b.e);
    assert_ok(store_remove(b.store, A, &b.e), &b.e);
    assert_ok(store_remove_many(b.store, both, 2, NULL, &b.e), &b.e);
    assert_u64_eq(fake_store_count(b.inner, ""), 0);
    assert_err(store_get(b.store, A, &out, &b.e), ERR_NOT_FOUND, &b.e);
    assert_err(store_get(b.store, B, &out, &b.e), ERR_NOT_FOUND, &b.e);
    /* Also when the removal fails: it may have taken place. */
    assert_ok(store_put(b.store, A, span_str("a"), &b.e), &b.e);
    fake_store_fail_at(b.inner, FAKE_STORE_REMOVE, 1, ERR_IO);
    assert_err(store_remove(b.store, A, &b.e), ERR_IO, &b.e);
    assert_reads(&b, A, "a");
    assert_u64_eq(reads(&b), 3);
    store_free(b.store);
}

TEST(test_recent__has_a_ceiling)
{
    static const char big[RECENT_OBJECT_BYTES_MAX + 1];
    char name[32];
    struct bed b;

    bed_init(&b, 10);
    assert_ok(store_put(b.store, A, span_str("aaaa"), &b.e), &b.e);
    assert_ok(store_put(b.store, B, span_str("bbbb"), &b.e), &b.e);
    assert_reads(&b, A, "aaaa"); /* B is what was used least lately */
    assert_ok(store_put(b.store, C, span_str("cccc"), &b.e), &b.e);
    assert_reads(&b, A, "aaaa");
    assert_reads(&b, C, "cccc");
    assert_u64_eq(reads(&b), 0);
    assert_reads(&b, B, "bbbb");
    assert_u64_eq(reads(&b), 1);
    assert_ok(store_put(b.store, "s3://lake/more", span_str("more than ten"), &b.e), &b.e);
    assert_reads(&b, "s3://lake/more", "more than ten");
    assert_u64_eq(reads(&b), 2);
    assert_reads(&b, A, "aaaa");
    assert_u64_eq(reads(&b), 2);
    store_free(b.store);

    bed_init(&b, SIZE_MAX);
    struct buf out = {0};

    assert_ok(store_put(b.store, A, span_of(big, sizeof big), &b.e), &b.e);
    assert_ok(store_get(b.store, A, &out, &b.e), &b.e);
    assert_u64_eq(reads(&b), 1);
    buf_deinit(&out);
    for (int i = 0; i < 1025; i++) {
        (void)snprintf(name, sizeof name, "s3://lake/%d", i);
        assert_ok(store_put(b.store, name, span_str("x"), &b.e), &b.e);
    }
    assert_reads(&b, "s3://lake/1", "x");
    assert_u64_eq(reads(&b), 1);
    assert_reads(&b, "s3://lake/0", "x");
    assert_u64_eq(reads(&b), 2);
    store_free(b.store);
}

TEST(test_recent__keeps_to_the_reader_s_limit)
{
    struct buf out;
    struct bed b;

    bed_init(&b, 100);
    assert_ok(store_put(b.store, A, span_str("aaaa"), &b.e), &b.e);
    buf_init(&out, 3);
    assert_err(store_get(b.store, A, &out, &b.e), ERR_LIMIT, &b.e);
    buf_deinit(&out);
    store_free(b.store);
}

/* A caller's store of objects and files; without memory it only reads more. */
TEST(test_recent__survives_every_failed_allocation)
{
    bool again = true;

    for (unsigned long nth = 1; again; nth++) {
        struct bed b = {.inner = fake_store_new()};
        struct buf out = {0};

        torture_fail_at(nth);
        enum err_code rc = store_recent_new(b.inner, 100, &b.store, &b.e);

        if (rc == ERR_OK) {
            rc = store_put(b.store, A, span_str("a"), &b.e);
            rc = rc == ERR_OK ? store_get(b.store, A, &out, &b.e) : rc;
        }
        again = torture_hit();
        torture_fail_at(0);
        assert_true(rc == ERR_NOMEM || (rc == ERR_OK && span_eq_str(buf_span(&out), "a")));
        buf_deinit(&out);
        store_free(b.store);
    }
}

static void *put_and_get(void *ctx)
{
    struct bed *b = ctx;
    struct err e = {0};

    for (int i = 0; i < 200; i++) {
        struct buf out = {0};
        char name[64];

        (void)snprintf(name, sizeof name, "s3://lake/%p/%d", (void *)&e, i);
        assert_ok(store_put(b->store, name, span_str(name), &e), &e);
        assert_ok(store_get(b->store, name, &out, &e), &e);
        assert_true(span_eq_str(buf_span(&out), name));
        assert_ok(store_remove(b->store, name, &e), &e);
        buf_deinit(&out);
    }
    return NULL;
}

TEST(test_recent__may_be_called_by_several_threads)
{
    struct bed b;
    pthread_t threads[3];

    bed_init(&b, 200);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_get, &b), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_u64_eq(fake_store_count(b.inner, ""), 0);
    store_free(b.store);
}

TEST_MAIN(test_case(test_recent__does_not_ask_for_what_it_put),
          test_case(test_recent__asks_for_what_others_put),
          test_case(test_recent__keeps_nothing_that_was_not_written),
          test_case(test_recent__forgets_what_is_removed), test_case(test_recent__has_a_ceiling),
          test_case(test_recent__keeps_to_the_reader_s_limit),
          test_case(test_recent__survives_every_failed_allocation),
          test_case(test_recent__may_be_called_by_several_threads))
