#include "pipeline/followed_table.h"

#include <stdlib.h>

#include "test.h"

/* Table maps of shop.t: (INT) under two ids, (INT, INT), and (VARCHAR). */
#define MAP_INT       "690000000000 0100 04 73686f70 00 01 74 00 01 03 00 00"
#define MAP_INT_AGAIN "6a0000000000 0100 04 73686f70 00 01 74 00 01 03 00 00"
#define MAP_INT_FLAGS "690000000000 0200 04 73686f70 00 01 74 00 01 03 00 00"
#define MAP_TWO       "690000000000 0100 04 73686f70 00 01 74 00 02 0303 00 00"
#define MAP_VARCHAR   "690000000000 0100 04 73686f70 00 01 74 00 01 0f 02 5000 00"

static struct column_def columns[] = {{.name = "id", .type = COLUMN_TYPE_INT},
                                      {.name = "n", .type = COLUMN_TYPE_INT}};
static const struct table_def one = {
    .schema = "shop", .name = "t", .columns = columns, .column_count = 1};
static const struct table_def same = {
    .schema = "shop", .name = "t", .columns = columns, .column_count = 1};
static const struct table_def two = {
    .schema = "shop", .name = "t", .columns = columns, .column_count = 2};

static enum err_code plan(struct followed_table *t, const char *hex, struct err *e)
{
    uint8_t body[64];

    return followed_table_plan(t, span_of(body, test_unhex(hex, body, sizeof body)), e);
}

static struct followed_table *open_table(void)
{
    struct followed_table *t = NULL;
    struct err e = {0};

    assert_ok(followed_table_new("shop", "t", "file:///lake/shop/t", &t, &e), &e);
    t->source.def = &one;
    return t;
}

TEST(test_followed_table__has_its_names)
{
    struct followed_table *t = open_table();

    assert_string_equal(t->schema, "shop");
    assert_string_equal(t->name, "t");
    assert_string_equal(t->full_name, "shop.t");
    assert_string_equal(t->location, "file:///lake/shop/t");
    assert_false(followed_table_has_position(t));
    (void)snprintf(t->source.position.file, sizeof t->source.position.file, "binlog.000001");
    assert_true(followed_table_has_position(t));
    followed_table_free(t);
    followed_table_free(NULL);
}

TEST(test_followed_table__keeps_plans_of_table_maps)
{
    struct followed_table *t = open_table();
    struct err e = {0};

    assert_ok(plan(t, MAP_INT, &e), &e);
    const struct table_plan *first = t->source.plan;

    assert_non_null(first);
    assert_ptr_equal(first->def, &one);
    assert_string_equal(row_plan_def(first->rows)->columns[0].name, "id");
    /* The server opened the table again: another id, the same plan. */
    assert_ok(plan(t, MAP_INT_AGAIN, &e), &e);
    assert_ptr_equal(t->source.plan, first);
    /* Anything else in the map makes another plan, and both are kept. */
    assert_ok(plan(t, MAP_INT_FLAGS, &e), &e);
    assert_ptr_not_equal(t->source.plan, first);
    assert_ok(plan(t, MAP_INT, &e), &e);
    assert_ptr_equal(t->source.plan, first);
    followed_table_free(t);
}

TEST(test_followed_table__plans_anew_for_another_definition)
{
    struct followed_table *t = open_table();
    struct err e = {0};

    assert_ok(plan(t, MAP_INT, &e), &e);
    const struct table_plan *first = t->source.plan;

    /* The same columns, read again: rows on their way still use the plan from before. */
    t->source.def = &same;
    assert_ok(plan(t, MAP_INT, &e), &e);
    assert_ptr_not_equal(t->source.plan, first);
    assert_ptr_equal(t->source.plan->def, &same);
    assert_ptr_equal(first->def, &one);
    t->source.def = &two;
    assert_ok(plan(t, MAP_TWO, &e), &e);
    assert_int_equal(row_plan_def(t->source.plan->rows)->column_count, 2);
    t->source.def = &one;
    assert_ok(plan(t, MAP_INT, &e), &e);
    assert_ptr_equal(t->source.plan, first);
    followed_table_free(t);
}

TEST(test_followed_table__refuses_a_map_that_does_not_fit)
{
    struct followed_table *t = open_table();
    struct err e = {0};

    assert_ok(plan(t, MAP_INT, &e), &e);
    assert_err(plan(t, MAP_TWO, &e), ERR_CONFLICT, &e);
    assert_err(plan(t, MAP_VARCHAR, &e), ERR_CONFLICT, &e);
    /* Again, not only the first time. */
    assert_err(plan(t, MAP_VARCHAR, &e), ERR_CONFLICT, &e);
    t->source.def = &two;
    assert_err(plan(t, MAP_INT, &e), ERR_CONFLICT, &e);
    followed_table_free(t);
}

TEST(test_followed_table__rejects_every_truncation_of_a_map)
{
    uint8_t body[64];
    size_t len = test_unhex(MAP_INT, body, sizeof body);

    for (size_t cut = 0; cut < len; cut++) {
        struct followed_table *t = open_table();
        struct err e = {0};

        assert_int_not_equal(followed_table_plan(t, span_of(body, cut), &e), ERR_OK);
        assert_null(t->source.plan);
        followed_table_free(t);
    }
}

TEST(test_followed_table__survives_lack_of_memory)
{
    unsigned long failures = 0;

    TORTURE(nth)
    {
        struct followed_table *t = NULL;
        struct err e = {0};
        enum err_code rc = followed_table_new("shop", "t", "file:///lake/shop/t", &t, &e);

        if (rc == ERR_OK) {
            t->source.def = &one;
            rc = plan(t, MAP_INT, &e);
        }
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        failures += rc == ERR_OK ? 0 : 1;
        followed_table_free(t);
    }
    assert_true(failures > 8);
}

TEST_MAIN(test_case(test_followed_table__has_its_names),
          test_case(test_followed_table__keeps_plans_of_table_maps),
          test_case(test_followed_table__plans_anew_for_another_definition),
          test_case(test_followed_table__refuses_a_map_that_does_not_fit),
          test_case(test_followed_table__rejects_every_truncation_of_a_map),
          test_case(test_followed_table__survives_lack_of_memory))
