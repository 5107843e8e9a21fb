#include "app/table_choice.h"

#include "test.h"

TEST(test_table_choice__goes_by_globs)
{
    static const char *const wanted[] = {"shop.*", "crm.cust?mers"};
    static const char *const not_wanted[] = {"shop.tmp_*"};
    static const struct {
        const char *schema;
        const char *name;
        bool icase;
        bool want;
    } cases[] = {
        {"shop", "orders", false, true},   {"shop", "tmp_1", false, false},
        {"crm", "customers", false, true}, {"crm", "customer", false, false},
        {"SHOP", "orders", false, false},  {"SHOP", "orders", true, true},
        {"shop", "TMP_1", true, false},    {"shop", "TMP_1", false, true},
        {"shop2", "orders", false, false},
    };
    const struct config c = {.tables = {wanted, 2}, .excluded = {not_wanted, 1}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(table_is_chosen(&c, cases[i].schema, cases[i].name, cases[i].icase),
                         cases[i].want);
    }
}

TEST(test_table_choice__keeps_each_table_once)
{
    struct table_choice t = {0};
    struct err e = {0};

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++) {
            char name[16];

            (void)snprintf(name, sizeof name, "t%d", i);
            assert_ok(table_choice_add(&t, "s", name, &e), &e);
        }
    }
    assert_u64_eq(t.count, 100);
    assert_string_equal(t.tables[99].name, "t99");
    assert_string_equal(t.tables[99].schema, "s");
    table_choice_deinit(&t);
}

TEST_MAIN(test_case(test_table_choice__goes_by_globs),
          test_case(test_table_choice__keeps_each_table_once))
