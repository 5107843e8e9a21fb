#include "model/table_def.h"

#include <stdlib.h>

#include "base/str.h"
#include "test.h"

static const char *labels[] = {"new", "paid", "z\xc3\xbcrich"};
static uint32_t key[] = {1, 0};

static struct column_def columns[] = {
    {.name = "id", .type = COLUMN_TYPE_BIGINT, .is_unsigned = true, .type_text = "bigint unsigned"},
    {.name = "total",
     .type = COLUMN_TYPE_DECIMAL,
     .precision = 12,
     .scale = 2,
     .nullable = true,
     .type_text = "decimal(12,2)"},
    {.name = "state",
     .type = COLUMN_TYPE_ENUM,
     .charset = "utf8mb4",
     .labels = labels,
     .label_count = 3,
     .type_text = "enum('new','paid','z\xc3\xbcrich')"},
    {.name = "at", .type = COLUMN_TYPE_DATETIME, .fsp = 6, .generated = true, .type_text = NULL},
    {.name = "memo",
     .type = COLUMN_TYPE_VARCHAR,
     .length = 20,
     .charset = "latin1",
     .type_text = "varchar(20)"},
};

static const struct table_def def = {.schema = "shop",
                                     .name = "orders",
                                     .columns = columns,
                                     .column_count = 5,
                                     .key = key,
                                     .key_count = 2,
                                     .charset = "utf8mb4",
                                     .engine = "InnoDB"};

TEST(test_table_def__names_every_type_once)
{
    for (int type = COLUMN_TYPE_TINYINT; type <= COLUMN_TYPE_INET6; type++) {
        const char *name = column_type_name((enum column_type)type);
        enum column_type back;

        assert_non_null(name);
        assert_true(column_type_from_name(name, &back));
        assert_int_equal(back, type);
    }
    enum column_type untouched = COLUMN_TYPE_JSON;

    assert_false(column_type_from_name("integer", &untouched));
    assert_false(column_type_from_name("", &untouched));
    assert_false(column_type_from_name("INT", &untouched));
    assert_int_equal(untouched, COLUMN_TYPE_JSON);
}

TEST(test_table_def__copies_to_the_last_string)
{
    struct arena a = {0};
    struct table_def *copy = table_def_copy(&def, &a);
    char why[200] = "";

    assert_non_null(copy);
    assert_false(table_def_differ(&def, copy, why, sizeof why));
    assert_string_equal(copy->schema, "shop");
    assert_string_equal(copy->name, "orders");
    assert_string_equal(copy->charset, "utf8mb4");
    assert_ptr_not_equal(copy->charset, def.charset);
    assert_string_equal(copy->engine, "InnoDB");
    assert_ptr_not_equal(copy->engine, def.engine);
    assert_int_equal(copy->key_count, 2);
    assert_memory_equal(copy->key, key, sizeof key);
    for (uint32_t i = 0; i < def.column_count; i++) {
        assert_int_equal(copy->columns[i].nullable, columns[i].nullable);
        assert_int_equal(copy->columns[i].generated, columns[i].generated);
        assert_ptr_not_equal(copy->columns[i].name, columns[i].name);
    }
    assert_null(copy->columns[3].type_text);
    assert_null(copy->columns[0].charset);
    assert_string_equal(copy->columns[4].type_text, "varchar(20)");
    assert_ptr_not_equal(copy->columns[2].labels, labels);
    assert_ptr_not_equal(copy->columns[2].labels[0], labels[0]);
    assert_string_equal(copy->columns[2].labels[2], labels[2]);
    arena_deinit(&a);
}

TEST(test_table_def__copies_a_table_without_key)
{
    struct arena a = {0};
    struct table_def keyless = def;

    keyless.key = NULL;
    keyless.key_count = 0;
    struct table_def *copy = table_def_copy(&keyless, &a);

    assert_non_null(copy);
    assert_int_equal(copy->key_count, 0);
    arena_deinit(&a);
}

static void rename_column(struct column_def *c)
{
    c->name = "other";
}
static void change_type(struct column_def *c)
{
    c->type = COLUMN_TYPE_JSON;
}
static void change_sign(struct column_def *c)
{
    c->is_unsigned = !c->is_unsigned;
}
static void change_length(struct column_def *c)
{
    c->length++;
}
static void change_precision(struct column_def *c)
{
    c->precision++;
}
static void change_scale(struct column_def *c)
{
    c->scale++;
}
static void change_row_end(struct column_def *c)
{
    c->row_end = !c->row_end;
}
static void change_fsp(struct column_def *c)
{
    c->fsp++;
}
static void change_charset(struct column_def *c)
{
    c->charset = "gbk";
}
static void drop_label(struct column_def *c)
{
    c->label_count--;
}
static void change_label(struct column_def *c)
{
    static const char *swapped[] = {"paid", "new", "z\xc3\xbcrich"};

    c->labels = swapped;
}

TEST(test_table_def__sees_what_decoding_depends_on)
{
    static const struct {
        void (*change)(struct column_def *c);
        uint32_t column;
    } cases[] = {
        {rename_column, 0},    {change_type, 0},  {change_sign, 0},  {change_length, 4},
        {change_precision, 1}, {change_scale, 1}, {change_fsp, 3},   {change_charset, 4},
        {change_charset, 0},   {drop_label, 2},   {change_label, 2}, {change_row_end, 3},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct column_def changed[5];
        struct table_def is = def;
        char want[32];
        char why[200] = "";

        memcpy(changed, columns, sizeof changed);
        is.columns = changed;
        cases[i].change(&changed[cases[i].column]);
        assert_true(table_def_differ(&def, &is, why, sizeof why));
        (void)snprintf(want, sizeof want, "column %u is ", cases[i].column + 1);
        assert_true(str_starts_with(why, want));
        assert_true(table_def_differ(&is, &def, why, sizeof why));
    }
}

TEST(test_table_def__says_where_definitions_differ)
{
    struct column_def changed[5];
    struct table_def is = def;
    char why[200];

    is.versioned = true;
    assert_true(table_def_differ(&def, &is, why, sizeof why));
    assert_string_equal(why, "it is a system-versioned table, was none");
    assert_true(table_def_differ(&is, &def, why, sizeof why));
    assert_string_equal(why, "it is not a system-versioned table, was one");
    is.versioned = false;

    memcpy(changed, columns, sizeof changed);
    is.columns = changed;
    changed[4].name = "note";
    assert_true(table_def_differ(&def, &is, why, sizeof why));
    assert_string_equal(why, "column 5 is 'note' varchar(20), was 'memo' varchar(20)");
    /* A type that nobody wrote down is named by what it is. */
    changed[3].name = "when";
    assert_true(table_def_differ(&def, &is, why, sizeof why));
    assert_string_equal(why, "column 4 is 'when' datetime, was 'at' datetime");
    is.column_count = 4;
    assert_true(table_def_differ(&def, &is, why, sizeof why));
    assert_string_equal(why, "4 columns, were 5");
    char small[10];

    assert_true(table_def_differ(&def, &is, small, sizeof small));
    assert_string_equal(small, "4 columns");
}

TEST(test_table_def__ignores_what_decoding_does_not_depend_on)
{
    struct column_def changed[5];
    struct table_def is = def;
    char why[200] = "untouched";

    memcpy(changed, columns, sizeof changed);
    is.columns = changed;
    is.key_count = 0;
    is.name = "renamed";
    changed[0].nullable = true;
    changed[0].type_text = "bigint(20) unsigned";
    assert_false(table_def_differ(&def, &is, why, sizeof why));
    assert_string_equal(why, "untouched");
}

TEST(test_table_def__copy_survives_lack_of_room)
{
    size_t caps_failed = 0;

    for (size_t cap = 1;; cap += 16) {
        struct arena a;

        arena_init(&a, cap);
        struct table_def *copy = table_def_copy(&def, &a);

        arena_deinit(&a);
        if (copy != NULL) {
            break;
        }
        caps_failed++;
    }
    assert_true(caps_failed > 10);
    TORTURE(nth)
    {
        struct arena a = {0};

        (void)table_def_copy(&def, &a);
        arena_deinit(&a);
    }
}

TEST_MAIN(test_case(test_table_def__names_every_type_once),
          test_case(test_table_def__copies_to_the_last_string),
          test_case(test_table_def__copies_a_table_without_key),
          test_case(test_table_def__sees_what_decoding_depends_on),
          test_case(test_table_def__says_where_definitions_differ),
          test_case(test_table_def__ignores_what_decoding_does_not_depend_on),
          test_case(test_table_def__copy_survives_lack_of_room))
