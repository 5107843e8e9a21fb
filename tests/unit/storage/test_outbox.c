#include "storage/outbox.h"

#include "fake_store.h"
#include "test.h"
#include "torture.h"

#define A "s3://lake/t/a"
#define B "s3://lake/t/b"
#define C "s3://lake/t/c"

struct bed {
    struct store *inner;
    struct outbox *outbox;
    struct store *store;
    struct err e;
};

static void bed_init(struct bed *b, size_t bytes_max)
{
    *b = (struct bed){.inner = fake_store_new()};
    assert_ok(outbox_new(b->inner, bytes_max, &b->outbox, &b->e), &b->e);
    b->store = outbox_store(b->outbox);
}

static void bed_deinit(struct bed *b)
{
    outbox_free(b->outbox);
    store_free(b->inner);
}

static uint32_t held(const struct bed *b)
{
    uint32_t count;

    (void)outbox_objects(b->outbox, &count);
    return count;
}

static void assert_reads(struct bed *b, const char *location, const char *want)
{
    struct buf out = {0};

    assert_ok(store_get(b->store, location, &out, &b->e), &b->e);
    assert_true(span_eq_str(buf_span(&out), want));
    buf_deinit(&out);
}

TEST(test_outbox__holds_until_it_is_told_to_send)
{
    struct bed b;
    uint32_t count;

    bed_init(&b, 100);
    assert_ok(store_put(b.store, A, span_str("aaa"), &b.e), &b.e);
    assert_ok(store_put(b.store, B, span_str(""), &b.e), &b.e);
    assert_err(store_put(b.store, A, span_str("x"), &b.e), ERR_EXISTS, &b.e);
    assert_u64_eq(fake_store_count(b.inner, ""), 0);
    assert_reads(&b, A, "aaa");
    assert_reads(&b, B, "");
    const struct store_object *objects = outbox_objects(b.outbox, &count);

    assert_u64_eq(count, 2);
    assert_string_equal(objects[0].location, A);
    assert_true(span_eq_str(objects[0].bytes, "aaa"));
    assert_string_equal(objects[1].location, B);
    assert_ok(outbox_send(b.outbox, &b.e), &b.e);
    assert_u64_eq(held(&b), 0);
    assert_true(fake_store_has(b.inner, A) && fake_store_has(b.inner, B));
    assert_reads(&b, A, "aaa");
    assert_ok(outbox_send(b.outbox, &b.e), &b.e);
    bed_deinit(&b);
}

TEST(test_outbox__drops_what_was_not_sent)
{
    struct bed b;

    bed_init(&b, 100);
    assert_ok(store_put(b.store, A, span_str("aaa"), &b.e), &b.e);
    outbox_free(b.outbox);
    assert_u64_eq(fake_store_count(b.inner, ""), 0);
    store_free(b.inner);
}

TEST(test_outbox__sends_at_once_what_does_not_fit)
{
    struct bed b;

    bed_init(&b, 5);
    assert_ok(store_put(b.store, A, span_str("aaa"), &b.e), &b.e);
    assert_ok(store_put(b.store, B, span_str("bbb"), &b.e), &b.e);
    assert_ok(store_put(b.store, C, span_str("cc"), &b.e), &b.e);
    assert_true(fake_store_has(b.inner, B));
    assert_u64_eq(held(&b), 2);
    /* There is room again. */
    assert_ok(store_remove(b.store, A, &b.e), &b.e);
    assert_ok(store_put(b.store, A, span_str("123"), &b.e), &b.e);
    assert_u64_eq(held(&b), 2);
    bed_deinit(&b);
}

TEST(test_outbox__removes_what_it_holds_and_what_it_sent)
{
    const char *const all[] = {A, "s3://lake/t/none", B, C};
    bool removed[4];
    struct bed b;

    bed_init(&b, 100);
    assert_ok(store_put(b.inner, B, span_str("b"), &b.e), &b.e);
    assert_ok(store_put(b.store, A, span_str("a"), &b.e), &b.e);
    assert_ok(store_put(b.store, C, span_str("c"), &b.e), &b.e);
    assert_ok(store_remove_many(b.store, all, 4, removed, &b.e), &b.e);
    for (int i = 0; i < 4; i++) {
        assert_true(removed[i]);
    }
    assert_u64_eq(held(&b), 0);
    assert_u64_eq(fake_store_count(b.inner, ""), 0);
    assert_u64_eq(fake_store_calls(b.inner, FAKE_STORE_REMOVE), 2);
    /* What is held goes also when the rest cannot. */
    assert_ok(store_put(b.inner, B, span_str("b"), &b.e), &b.e);
    assert_ok(store_put(b.store, A, span_str("a"), &b.e), &b.e);
    fake_store_fail(b.inner, &(struct fake_failure){
                                 .op = FAKE_STORE_REMOVE, .nth = 1, .part = "/b", .code = ERR_IO});
    assert_err(store_remove_many(b.store, all, 4, removed, &b.e), ERR_IO, &b.e);
    assert_true(removed[0] && removed[1] && !removed[2] && removed[3]);
    assert_ok(store_remove_many(b.store, all, 4, NULL, &b.e), &b.e);
    assert_u64_eq(fake_store_count(b.inner, ""), 0);
    bed_deinit(&b);
}

TEST(test_outbox__holds_files_unless_they_are_too_large)
{
    struct store_file *f;
    struct bed b;

    bed_init(&b, 8);
    assert_ok(store_create(b.store, A, &f, &b.e), &b.e);
    assert_ok(store_write(f, span_str("aa"), &b.e), &b.e);
    assert_ok(store_write(f, span_str("bb"), &b.e), &b.e);
    assert_u64_eq(store_file_held_bytes(f), 4);
    assert_ok(store_finish(f, &b.e), &b.e);
    assert_u64_eq(held(&b), 1);
    assert_u64_eq(fake_store_count(b.inner, ""), 0);
    assert_reads(&b, A, "aabb");

    assert_ok(store_create(b.store, B, &f, &b.e), &b.e);
    assert_ok(store_write(f, span_str("12345678"), &b.e), &b.e);
    assert_ok(store_write(f, span_str("9"), &b.e), &b.e);
    assert_ok(store_finish(f, &b.e), &b.e);
    assert_true(fake_store_has(b.inner, B));
    assert_reads(&b, B, "123456789");

    for (int i = 0; i < 2; i++) {
        assert_ok(store_create(b.store, C, &f, &b.e), &b.e);
        assert_ok(store_write(f, span_str(i == 0 ? "1" : "123456789"), &b.e), &b.e);
        store_abandon(f);
    }
    assert_u64_eq(held(&b), 1);
    assert_u64_eq(fake_store_count(b.inner, ""), 1);
    bed_deinit(&b);
}

TEST(test_outbox__forgets_what_could_not_be_sent)
{
    struct bed b;

    bed_init(&b, 100);
    assert_ok(store_put(b.store, A, span_str("a"), &b.e), &b.e);
    assert_ok(store_put(b.store, B, span_str("b"), &b.e), &b.e);
    fake_store_fail_at(b.inner, FAKE_STORE_PUT, 2, ERR_IO);
    assert_err(outbox_send(b.outbox, &b.e), ERR_IO, &b.e);
    assert_non_null(strstr(b.e.msg, B));
    assert_u64_eq(held(&b), 0);
    assert_ok(outbox_send(b.outbox, &b.e), &b.e);
    assert_false(fake_store_has(b.inner, B));
    bed_deinit(&b);
}

static enum err_code put_and_remove(struct outbox *o, struct err *e)
{
    const char *const both[] = {A, B};
    struct store *s = outbox_store(o);
    struct store_file *f = NULL;

    ERR_TRY(store_put(s, A, span_str("a"), e));
    ERR_TRY(store_create(s, B, &f, e));
    enum err_code rc = store_write(f, span_str("b"), e);

    if (rc != ERR_OK) {
        store_abandon(f);
        return rc;
    }
    ERR_TRY(store_finish(f, e));
    ERR_TRY(store_remove_many(s, both, 1, NULL, e));
    return outbox_send(o, e);
}

TEST(test_outbox__survives_every_failed_allocation)
{
    bool again = true;

    for (unsigned long nth = 1; again; nth++) {
        struct store *inner = fake_store_new();
        struct outbox *o = NULL;
        struct err e = {0};

        torture_fail_at(nth);
        enum err_code rc = outbox_new(inner, 100, &o, &e);

        if (rc == ERR_OK) {
            rc = put_and_remove(o, &e);
        }
        outbox_free(o);
        again = torture_hit();
        torture_fail_at(0);
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        store_free(inner);
    }
}

TEST_MAIN(test_case(test_outbox__holds_until_it_is_told_to_send),
          test_case(test_outbox__drops_what_was_not_sent),
          test_case(test_outbox__sends_at_once_what_does_not_fit),
          test_case(test_outbox__removes_what_it_holds_and_what_it_sent),
          test_case(test_outbox__holds_files_unless_they_are_too_large),
          test_case(test_outbox__forgets_what_could_not_be_sent),
          test_case(test_outbox__survives_every_failed_allocation))
