#include "base/arena.h"

#include <stdalign.h>

#include "test.h"

TEST(test_arena__gives_zeroed_aligned_memory_that_stays)
{
    enum { COUNT = 500 };
    struct arena a;
    uint8_t *given[COUNT];
    size_t total = 0;

    arena_init(&a, 0);
    for (size_t i = 0; i < COUNT; i++) {
        size_t len = i * 7 % 300 + 1;

        given[i] = arena_alloc(&a, len, 1);
        assert_non_null(given[i]);
        assert_u64_eq((uintptr_t)given[i] % alignof(max_align_t), 0);
        for (size_t k = 0; k < len; k++) {
            assert_int_equal(given[i][k], 0);
        }
        memset(given[i], (int)(i & 0xff), len);
        total += len;
    }
    /* Nothing that came later moved or overwrote what was given out. */
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < i * 7 % 300 + 1; k++) {
            assert_int_equal(given[i][k], i & 0xff);
        }
    }
    assert_true(a.used >= total);
    arena_deinit(&a);
    assert_null(a.head);
    assert_u64_eq(a.used, 0);
}

TEST(test_arena__gives_zeroed_memory_again_after_a_reset)
{
    struct arena a;

    arena_init(&a, 0);
    uint8_t *p = arena_alloc(&a, 100, 1);

    assert_non_null(p);
    memset(p, 0xff, 100);
    for (int i = 0; i < 20; i++) {
        assert_non_null(arena_alloc(&a, 1000, 1));
    }
    arena_reset(&a);
    assert_u64_eq(a.used, 0);
    p = arena_alloc(&a, 4000, 1);
    assert_non_null(p);
    for (size_t k = 0; k < 4000; k++) {
        assert_int_equal(p[k], 0);
    }
    arena_deinit(&a);
}

TEST(test_arena__stops_at_its_cap_and_says_so)
{
    struct arena a;
    struct err e = {0};

    arena_init(&a, 1000);
    assert_non_null(arena_alloc(&a, 100, 9));
    assert_null(arena_alloc(&a, 101, 1));
    assert_err(arena_fail(&a, &e, "labels"), ERR_LIMIT, &e);
    assert_string_equal(e.msg, "labels needs more than its limit of 1000 bytes");
    /* What still fits is given; what was refused used nothing up. */
    assert_non_null(arena_alloc(&a, 64, 1));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 1000, 1));
    assert_null(arena_alloc(&a, 1, 1));
    arena_deinit(&a);
}

TEST(test_arena__refuses_products_that_overflow)
{
    static const size_t bad[][2] = {
        {SIZE_MAX, 2}, {2, SIZE_MAX}, {SIZE_MAX / 16 + 1, 16}, {(size_t)1 << 32, (size_t)1 << 32},
        {SIZE_MAX, 1},
    };
    struct arena a = {0};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = {0};

        assert_null(arena_alloc(&a, bad[i][0], bad[i][1]));
        assert_err(arena_fail(&a, &e, "it"), ERR_LIMIT, &e);
    }
    /* Nothing at all is a pointer too: a table without a key is no failure. */
    assert_non_null(arena_alloc(&a, 0, 8));
    assert_non_null(arena_alloc(&a, 8, 0));
    arena_deinit(&a);
}

TEST(test_arena__copies_text)
{
    struct arena a = {0};
    char text[] = "orders";
    char *copy = arena_strdup(&a, text);
    char *part = arena_strndup(&a, text, 3);
    char *none = arena_strndup(&a, NULL, 0);

    text[0] = 'X';
    assert_string_equal(copy, "orders");
    assert_string_equal(part, "ord");
    assert_string_equal(none, "");
    arena_deinit(&a);
}

TEST(test_arena__survives_lack_of_memory)
{
    unsigned long failures = 0;

    TORTURE(nth)
    {
        struct arena a = {0};
        struct err e = {0};

        for (int i = 0; i < 64; i++) {
            if (arena_alloc(&a, 1, 1000) == NULL) {
                assert_err(arena_fail(&a, &e, "rows"), ERR_NOMEM, &e);
                assert_string_equal(e.msg, "rows: out of memory");
                failures++;
                break;
            }
        }
        arena_deinit(&a);
    }
    assert_true(failures >= 3);
}

TEST_MAIN(test_case(test_arena__gives_zeroed_aligned_memory_that_stays),
          test_case(test_arena__gives_zeroed_memory_again_after_a_reset),
          test_case(test_arena__stops_at_its_cap_and_says_so),
          test_case(test_arena__refuses_products_that_overflow), test_case(test_arena__copies_text),
          test_case(test_arena__survives_lack_of_memory))
