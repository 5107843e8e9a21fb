#include "iceberg/locations.h"

#include <stdlib.h>

#include "base/str.h"
#include "test.h"

TEST(test_locations__grows_moves_and_empties)
{
    struct locations a = {0};
    struct locations b = {0};
    struct err e = {0};

    for (int i = 0; i < 100; i++) {
        char *name = str_format("n%d", i);

        assert_ok(locations_add(&a, span_of(name, strlen(name)), &e), &e);
        free(name);
    }
    assert_ok(locations_add(&b, span_of("last one", 4), &e), &e);
    assert_ok(locations_move(&a, &b, &e), &e);
    assert_u64_eq(a.count, 101);
    assert_u64_eq(b.count, 0);
    assert_string_equal(a.items[99], "n99");
    assert_string_equal(a.items[100], "last");
    assert_ok(locations_move(&a, &b, &e), &e);
    assert_ok(locations_move(&b, &a, &e), &e);
    assert_u64_eq(b.count, 101);
    locations_clear(&b);
    assert_u64_eq(b.count, 0);
    assert_ok(locations_add(&b, span_of("x", 1), &e), &e);
    assert_string_equal(b.items[0], "x");
    locations_deinit(&a);
    locations_deinit(&b);
    locations_deinit(&b);
}

TEST(test_locations__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct locations a = {0};
        struct locations b = {0};
        struct err e = {0};
        enum err_code rc = ERR_OK;

        for (int i = 0; i < 40 && rc == ERR_OK; i++) {
            rc = locations_add(i % 2 == 0 ? &a : &b, span_of("x", 1), &e);
        }
        uint32_t total = a.count + b.count;

        if (rc == ERR_OK) {
            rc = locations_move(&a, &b, &e);
        }
        assert_u64_eq(a.count + b.count, total);
        assert_true(rc == ERR_NOMEM || (rc == ERR_OK && a.count == 40));
        locations_deinit(&a);
        locations_deinit(&b);
    }
}

TEST_MAIN(test_case(test_locations__grows_moves_and_empties),
          test_case(test_locations__survives_lack_of_memory))
