#include "storage/store.h"

#include <stdlib.h>

#include "fake_store.h"
#include "test.h"

#define AT "file:///t/x"

TEST(test_store__takes_null_where_it_says_so)
{
    store_free(NULL);
    store_abandon(NULL);
    store_close(NULL);
}

/* Every function reaches the backend that made the object, and gives back what that says. */
TEST(test_store__passes_on_to_the_backend)
{
    struct store *s = fake_store_new();
    struct store_file *f;
    struct store_reader *r;
    struct byte_source source;
    struct buf bytes = {0};
    struct err e = {0};
    uint8_t got[2];

    assert_ok(store_create(s, AT, &f, &e), &e);
    struct byte_sink sink = store_file_sink(f);

    assert_ok(byte_sink_write(&sink, span_str("ab"), &e), &e);
    assert_ok(store_write(f, span_str("cd"), &e), &e);
    assert_false(fake_store_has(s, AT));
    assert_ok(store_finish(f, &e), &e);
    assert_ok(store_get(s, AT, &bytes, &e), &e);
    assert_text_eq(buf_span(&bytes), "abcd");
    assert_ok(store_open(s, AT, &r, &source, &e), &e);
    assert_ok(byte_source_read(&source, 1, got, 2, &e), &e);
    assert_text_eq(span_of(got, 2), "bc");
    store_close(r);
    assert_err(store_put(s, AT, span_str("x"), &e), ERR_EXISTS, &e);
    assert_ok(store_remove(s, AT, &e), &e);
    assert_err(store_get(s, AT, &bytes, &e), ERR_NOT_FOUND, &e);
    assert_ok(store_create(s, AT, &f, &e), &e);
    store_abandon(f);
    assert_u64_eq(fake_store_count(s, ""), 0);
    buf_deinit(&bytes);
    store_free(s);
}

TEST(test_store__gives_back_failures)
{
    struct store *s = fake_store_new();
    struct store_file *f;
    struct err e = {0};

    fake_store_fail_at(s, FAKE_STORE_PUT, 1, ERR_TIMEOUT);
    assert_err(store_put(s, AT, span_str("x"), &e), ERR_TIMEOUT, &e);
    fake_store_fail_at(s, FAKE_STORE_CREATE, 1, ERR_IO);
    assert_err(store_create(s, AT, &f, &e), ERR_IO, &e);
    assert_ok(store_create(s, AT, &f, &e), &e);
    fake_store_fail_at(s, FAKE_STORE_WRITE, 1, ERR_IO);
    struct byte_sink sink = store_file_sink(f);

    assert_err(byte_sink_write(&sink, span_str("ab"), &e), ERR_IO, &e);
    fake_store_fail_at(s, FAKE_STORE_FINISH, 1, ERR_LIMIT);
    assert_err(store_finish(f, &e), ERR_LIMIT, &e);
    fake_store_fail_at(s, FAKE_STORE_REMOVE, 1, ERR_IO);
    assert_err(store_remove(s, AT, &e), ERR_IO, &e);
    assert_u64_eq(fake_store_count(s, ""), 0);
    store_free(s);
}

TEST(test_store__has_nothing_to_sweep_without_a_backend_that_leaves_things)
{
    struct store *s = fake_store_new();
    struct err e = {0};
    uint32_t removed = 7;

    assert_ok(store_sweep(s, "file:///t/", &removed, &e), &e);
    assert_int_equal(removed, 0);
    store_free(s);
}

TEST_MAIN(test_case(test_store__takes_null_where_it_says_so),
          test_case(test_store__passes_on_to_the_backend),
          test_case(test_store__gives_back_failures),
          test_case(test_store__has_nothing_to_sweep_without_a_backend_that_leaves_things))
