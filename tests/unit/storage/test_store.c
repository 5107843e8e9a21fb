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

/* One by one where the backend knows no better: each is tried, the first failure is told. */
TEST(test_store__removes_many)
{
    static const char *const at[] = {"file:///t/a", "file:///t/b", "file:///t/none", "file:///t/c"};
    struct store *s = fake_store_new();
    bool removed[4] = {true, true, true, true};
    struct err e = {0};

    for (unsigned i = 0; i < 4; i++) {
        assert_true(i == 2 || fake_store_set(s, at[i], span_str("x")));
    }
    assert_ok(store_remove_many(s, at, 0, NULL, &e), &e);
    fake_store_fail(s, &(struct fake_failure){
                           .op = FAKE_STORE_REMOVE, .nth = 2, .times = 2, .code = ERR_TIMEOUT});
    assert_err(store_remove_many(s, at, 4, removed, &e), ERR_TIMEOUT, &e);
    assert_string_equal(e.msg, "removing file:///t/b: file:///t/b: planned failure");
    assert_true(removed[0] && !removed[1] && !removed[2] && removed[3]);
    assert_u64_eq(fake_store_count(s, ""), 1);
    fake_store_fail_at(s, FAKE_STORE_REMOVE, 1, ERR_IO);
    assert_err(store_remove_many(s, at, 4, NULL, NULL), ERR_IO, &e);
    assert_u64_eq(fake_store_count(s, ""), 0);
    assert_ok(store_remove_many(s, at, 4, removed, &e), &e);
    assert_true(removed[0] && removed[1] && removed[2] && removed[3]);
    store_free(s);
}

TEST(test_store__tells_what_an_unfinished_file_holds)
{
    struct store *s = fake_store_new();
    struct store_file *f;
    struct err e = {0};

    assert_ok(store_create(s, AT, &f, &e), &e);
    assert_ok(store_write(f, span_str("some bytes"), &e), &e);
    assert_u64_eq(store_file_held_bytes(f), 0);
    fake_store_hold(s, true);
    assert_true(store_file_held_bytes(f) >= 10);
    store_abandon(f);
    store_free(s);
}

TEST_MAIN(test_case(test_store__takes_null_where_it_says_so),
          test_case(test_store__passes_on_to_the_backend),
          test_case(test_store__gives_back_failures),
          test_case(test_store__has_nothing_to_sweep_without_a_backend_that_leaves_things),
          test_case(test_store__removes_many),
          test_case(test_store__tells_what_an_unfinished_file_holds))
