#include "mysql/table_map.h"

#include <stdlib.h>

#include "mysql/wire_type.h"
#include "rows_fixture.h"

static enum err_code parse(const struct buf *body, struct arena *arena, struct table_map *map,
                           struct err *e)
{
    arena_init(arena, 0);
    return table_map_parse(buf_span(body), arena, map, e);
}

/*
 * Body of CREATE TABLE t.g1 (a VARBINARY(5), g GEOMETRY, b TEXT CHARSET latin1, c VARCHAR(10)
 * CHARSET latin1, g2 POINT, d CHAR(3) CHARSET utf8mb4, e ENUM('x','y') CHARSET latin1, y YEAR, i
 * INT UNSIGNED); metadata FULL.
 */
static const char mysql_body[] =
    "120000000000 0100 0174 00 026731 00 09 0ffffc0ffffefe0d03 0b 0500 04 02 0a00 04 fe0c f701 ff01"
    "0101c0 03063f0808fcff00 07020001 0413016101670162016302673201640165017901 69 0a0108 "
    "06050201780179"
    "0c02ff80";

TEST(test_table_map__reads_mysql_9_7)
{
    struct buf body = {0};
    struct arena arena;
    struct table_map map;
    struct err e = {0};

    put_hex(&body, mysql_body);
    assert_ok(parse(&body, &arena, &map, &e), &e);
    assert_u64_eq(map.table_id, 0x12);
    assert_u64_eq(map.flags, 1);
    assert_text_eq(map.schema, "t");
    assert_text_eq(map.name, "g1");
    assert_u64_eq(map.column_count, 9);
    assert_true(map.has_names);
    assert_text_eq(map.columns[4].name, "g2");
    assert_u64_eq(map.columns[0].meta, 5);
    assert_u64_eq(map.columns[0].collation, 63);
    assert_u64_eq(map.columns[1].collation, 0);
    assert_u64_eq(map.columns[2].collation, 8);
    assert_u64_eq(map.columns[3].collation, 8);
    assert_u64_eq(map.columns[5].collation, 255);
    assert_u64_eq(map.columns[5].meta, 12);
    assert_u64_eq(map.columns[6].type, WIRE_ENUM);
    assert_u64_eq(map.columns[6].collation, 8);
    assert_u64_eq(map.columns[6].label_count, 2);
    assert_text_eq(map.columns[6].labels[1], "y");
    assert_false(map.columns[7].has_signedness);
    assert_true(map.columns[8].has_signedness);
    assert_true(map.columns[8].is_unsigned);
    assert_true(map.columns[8].has_visibility && map.columns[8].visible);
    for (int i = 0; i < 9; i++) {
        assert_true(map.columns[i].nullable);
    }
    arena_deinit(&arena);
    buf_deinit(&body);
}

/* The same table in MariaDB 11.8, which counts GEOMETRY among the character columns. */
TEST(test_table_map__reads_mariadb_11_8)
{
    struct buf body = {0};
    struct arena arena;
    struct table_map map;
    struct err e = {0};

    put_hex(&body, "120000000000 0100 0174 00 026731 00 09 0ffffc0ffffefe0d03 0b 0500 04 02 0a00 "
                   "04 fe0c f701 ff01"
                   "0101c0 03083f3f08083ffc0009 07020001 041301610167016201630267320164016501790169"
                   "0a0108 06050201780179");
    assert_ok(parse(&body, &arena, &map, &e), &e);
    assert_u64_eq(map.columns[0].collation, 63);
    assert_u64_eq(map.columns[2].collation, 8);
    assert_u64_eq(map.columns[3].collation, 8);
    assert_u64_eq(map.columns[5].collation, 2304);
    arena_deinit(&arena);
    buf_deinit(&body);
}

/* (g GEOMETRY, b VARBINARY(5), c VARBINARY(5), d TEXT CHARSET latin1): default 63 and one
 * exception. */
TEST(test_table_map__keeps_both_readings_of_default_charset)
{
    static const struct {
        const char *pair;
        unsigned plain[4];
        unsigned wide[4];
    } cases[] = {
        {"02 033f0208", {0, 63, 63, 8}, {63, 63, 8, 63}}, /* MySQL */
        {"02 033f0308", {0, 63, 63, 8}, {0, 0, 0, 0}},    /* MariaDB: no fourth character column */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf body = {0};
        struct arena arena;
        struct table_map map;
        struct err e = {0};

        put_map(&body, "ff0f0ffc", "04 0500 0500 02", "0f", cases[i].pair);
        assert_ok(parse(&body, &arena, &map, &e), &e);
        for (size_t k = 0; k < 4; k++) {
            assert_u64_eq(map.columns[k].collation, cases[i].plain[k]);
            assert_u64_eq(map.columns[k].collation_wide, cases[i].wide[k]);
        }
        arena_deinit(&arena);
        buf_deinit(&body);
    }
}

/*
 * As MySQL 9.7 logs CREATE TABLE live.v2 (v VECTOR(3), a, b, c, d VARCHAR(5) CHARSET latin1, w
 * VECTOR(3)), and with one column less in latin1 its collations one by one.
 */
TEST(test_table_map__counts_vectors_among_character_columns)
{
    static const struct {
        const char *optional;
        unsigned plain[6];
        unsigned wide[6];
    } cases[] = {
        /* Index 5 is no column when VECTOR is not counted. */
        {"0205 08003f053f", {0, 8, 8, 8, 8, 0}, {0}},
        {"0203 08003f", {0, 63, 8, 8, 8, 0}, {63, 8, 8, 8, 8, 8}},
        {"0306 3f080821083f", {63, 8, 8, 33, 8, 63}, {0}},
        {"0304 08082108", {0, 8, 8, 33, 8, 0}, {0}}, /* an older server */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf body = {0};
        struct arena arena;
        struct table_map map;
        struct err e = {0};

        put_map(&body, "f20f0f0f0ff2", "04 0500 0500 0500 0500 04", "3f", cases[i].optional);
        assert_ok(parse(&body, &arena, &map, &e), &e);
        for (size_t k = 0; k < 6; k++) {
            assert_u64_eq(map.columns[k].collation, cases[i].plain[k]);
            assert_u64_eq(map.columns[k].collation_wide, cases[i].wide[k]);
        }
        arena_deinit(&arena);
        buf_deinit(&body);
    }
}

/* binlog-invisible-columns: 4 numeric columns of 6, bits from the highest. */
TEST(test_table_map__reads_signedness_and_visibility_from_the_highest_bit)
{
    static const bool is_unsigned[] = {true, true, false, false, false, true};
    static const bool visible[] = {false, false, true, true, true, false};
    struct buf body = {0};
    struct arena arena;
    struct table_map map;
    struct err e = {0};

    put_map(&body, "030303fcfc08", "0202", "3f", "0c0138 0101d0");
    assert_ok(parse(&body, &arena, &map, &e), &e);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(map.columns[i].is_unsigned, is_unsigned[i]);
        assert_int_equal(map.columns[i].visible, visible[i]);
    }
    arena_deinit(&arena);
    buf_deinit(&body);
}

TEST(test_table_map__reads_metadata)
{
    static const struct {
        const char *type;
        const char *meta;
        uint8_t want_type;
        uint16_t want;
    } cases[] = {
        {"fe", "de00", WIRE_STRING, 512},
        {"fe", "fe30", WIRE_STRING, 48},
        {"fe", "cefc", WIRE_STRING, 1020},
        {"fe", "f702", WIRE_ENUM, 2},
        {"fe", "f808", WIRE_SET, 8},
        {"10", "0300", WIRE_BIT, 3},
        {"10", "0001", WIRE_BIT, 8},
        {"10", "0008", WIRE_BIT, 64},
        {"f6", "0c02", WIRE_NEWDECIMAL, 0x020c},
        {"0f", "fd02", WIRE_VARCHAR, 765},
        {"12", "06", WIRE_DATETIME2, 6},
        {"f5", "04", WIRE_JSON, 4},
        {"f2", "04", WIRE_VECTOR, 4},
        {"8d", "2900", WIRE_VARCHAR_COMPRESSED, 41},
        {"8c", "02", WIRE_BLOB_COMPRESSED, 2},
        {"0c", "", WIRE_DATETIME, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf body = {0};
        struct arena arena;
        struct table_map map;
        struct err e = {0};

        put_map(&body, cases[i].type, cases[i].meta, "01", "");
        assert_ok(parse(&body, &arena, &map, &e), &e);
        assert_u64_eq(map.columns[0].type, cases[i].want_type);
        assert_u64_eq(map.columns[0].meta, cases[i].want);
        arena_deinit(&arena);
        buf_deinit(&body);
    }
}

TEST(test_table_map__refuses_what_cannot_be)
{
    static const struct {
        const char *types;
        const char *metas;
        const char *optional;
        enum err_code want;
    } cases[] = {
        {"14", "03", "", ERR_UNSUPPORTED},         /* TYPED_ARRAY */
        {"c8", "", "", ERR_UNSUPPORTED},           /* no such type */
        {"10", "0900", "", ERR_CORRUPT},           /* 9 bits beside whole bytes */
        {"10", "0000", "", ERR_CORRUPT},           /* BIT(0) */
        {"10", "0108", "", ERR_CORRUPT},           /* BIT(65) */
        {"f6", "420a", "", ERR_CORRUPT},           /* DECIMAL(66,10) */
        {"f6", "0506", "", ERR_CORRUPT},           /* scale above precision */
        {"12", "07", "", ERR_CORRUPT},             /* DATETIME(7) */
        {"fc", "05", "", ERR_CORRUPT},             /* 5 bytes of length */
        {"fe", "f703", "", ERR_CORRUPT},           /* ENUM of 3 bytes */
        {"fe", "f805", "", ERR_CORRUPT},           /* SET of 5 bytes */
        {"fe", "f901", "", ERR_CORRUPT},           /* neither */
        {"03", "00", "", ERR_CORRUPT},             /* metadata left over */
        {"04", "08", "", ERR_CORRUPT},             /* FLOAT of 8 bytes */
        {"03", "", "010100 05", ERR_CORRUPT},      /* ends within an optional field */
        {"03", "", "01020000", ERR_CORRUPT},       /* more bits than columns */
        {"03", "", "0402 0161 0162", ERR_CORRUPT}, /* two names, one column, a byte too many */
        {"03", "", "0400", ERR_CORRUPT},           /* no name */
        {"03", "", "080101", ERR_CORRUPT},         /* key of a second column */
        {"03", "", "08020000", ERR_CORRUPT},       /* more key columns than columns */
        {"fc", "02", "0301 00", ERR_CORRUPT},      /* collation 0 */
        {"fc", "02", "02033f0108", ERR_CORRUPT},   /* collation of a second column */
        {"fef7", "f701", "", ERR_CORRUPT},
        {"fe", "f701", "0602 ff01", ERR_CORRUPT},     /* 0xff is no count */
        {"fe", "f701", "0604 fdffff00", ERR_CORRUPT}, /* more labels than bytes */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf body = {0};
        struct arena arena;
        struct table_map map;
        struct err e = {0};

        if (strcmp(cases[i].types, "fef7") == 0) { /* ENUM's own number never stands in the types */
            put_map(&body, "f7", "01", "00", "");
            assert_err(parse(&body, &arena, &map, &e), ERR_UNSUPPORTED, &e);
        } else {
            put_map(&body, cases[i].types, cases[i].metas, "00", cases[i].optional);
            assert_err(parse(&body, &arena, &map, &e), cases[i].want, &e);
        }
        assert_non_null(strstr(e.msg, "shop.t"));
        arena_deinit(&arena);
        buf_deinit(&body);
    }
}

TEST(test_table_map__reads_keys_in_key_order)
{
    struct buf body = {0};
    struct arena arena;
    struct table_map map;
    struct err e = {0};

    put_map(&body, "030303", "", "00", "08020200");
    assert_ok(parse(&body, &arena, &map, &e), &e);
    assert_u64_eq(map.key_count, 2);
    assert_u64_eq(map.key[0], 2);
    assert_u64_eq(map.key[1], 0);
    arena_deinit(&arena);
    buf_reset(&body);
    put_map(&body, "0303fc", "02", "00", "0904 0205 0000");
    assert_ok(parse(&body, &arena, &map, &e), &e);
    assert_u64_eq(map.key_count, 2);
    assert_u64_eq(map.key[0], 2);
    assert_u64_eq(map.key[1], 0);
    arena_deinit(&arena);
    buf_deinit(&body);
}

TEST(test_table_map__reads_4096_columns_and_no_more)
{
    for (unsigned extra = 0; extra < 2; extra++) {
        struct buf body = {0};
        struct arena arena;
        struct table_map map;
        struct err e = {0};

        put_hex(&body, "690000000000 0100 01 61 00 01 74 00");
        buf_lenenc(&body, 4096 + extra);
        for (unsigned i = 0; i < 4096 + extra; i++) {
            buf_u8(&body, WIRE_LONG);
        }
        buf_u8(&body, 0);
        buf_zeros(&body, 513);
        body.len -= extra == 0 ? 1 : 0;
        assert_int_equal(parse(&body, &arena, &map, &e), extra == 0 ? ERR_OK : ERR_CORRUPT);
        assert_u64_eq(map.column_count, extra == 0 ? 4096 : 0);
        arena_deinit(&arena);
        buf_deinit(&body);
    }
}

TEST(test_table_map__peeks)
{
    struct buf body = {0};
    struct err e = {0};
    uint64_t id;
    struct span schema;
    struct span name;

    put_map(&body, "03", "", "00", "");
    assert_ok(table_map_peek(buf_span(&body), &id, &schema, &name, &e), &e);
    assert_u64_eq(id, 0x69);
    assert_text_eq(schema, "shop");
    assert_text_eq(name, "t");
    for (size_t len = 0; len < 17; len++) {
        assert_err(table_map_peek(span_of(body.data, len), &id, &schema, &name, &e), ERR_CORRUPT,
                   &e);
    }
    buf_deinit(&body);
}

/* Shorter bodies fail, but those that end before an optional field are whole. */
TEST(test_table_map__rejects_every_truncation)
{
    static const size_t whole[] = {16 + 9 + 1 + 11 + 2,
                                   16 + 9 + 1 + 11 + 2 + 3,
                                   16 + 9 + 1 + 11 + 2 + 3 + 8,
                                   16 + 9 + 1 + 11 + 2 + 3 + 8 + 4,
                                   16 + 9 + 1 + 11 + 2 + 3 + 8 + 4 + 21,
                                   16 + 9 + 1 + 11 + 2 + 3 + 8 + 4 + 21 + 3,
                                   16 + 9 + 1 + 11 + 2 + 3 + 8 + 4 + 21 + 3 + 7,
                                   16 + 9 + 1 + 11 + 2 + 3 + 8 + 4 + 21 + 3 + 7 + 4};
    struct buf body = {0};
    size_t next = 0;

    put_hex(&body, mysql_body);
    for (size_t len = 0; len <= body.len; len++) {
        struct arena arena;
        struct table_map map;
        struct err e = {0};
        uint8_t *exact = malloc(len > 0 ? len : 1);

        memcpy(exact, body.data, len);
        arena_init(&arena, 0);
        enum err_code rc = table_map_parse(span_of(exact, len), &arena, &map, &e);
        if (next < sizeof whole / sizeof whole[0] && len == whole[next]) {
            assert_ok(rc, &e);
            next++;
        } else {
            assert_int_equal(rc, ERR_CORRUPT);
        }
        arena_deinit(&arena);
        free(exact);
    }
    assert_u64_eq(next, sizeof whole / sizeof whole[0]);
    buf_deinit(&body);
}

TEST(test_table_map__survives_failing_allocations)
{
    struct buf body = {0};
    bool passed = false;

    put_hex(&body, mysql_body);
    TORTURE(run)
    {
        struct arena arena;
        struct table_map map;
        struct err e = {0};
        enum err_code rc = parse(&body, &arena, &map, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        passed = rc == ERR_OK;
        arena_deinit(&arena);
    }
    assert_true(passed);
    buf_deinit(&body);
}

TEST_MAIN(test_case(test_table_map__reads_mysql_9_7), test_case(test_table_map__reads_mariadb_11_8),
          test_case(test_table_map__keeps_both_readings_of_default_charset),
          test_case(test_table_map__counts_vectors_among_character_columns),
          test_case(test_table_map__reads_signedness_and_visibility_from_the_highest_bit),
          test_case(test_table_map__reads_metadata),
          test_case(test_table_map__refuses_what_cannot_be),
          test_case(test_table_map__reads_keys_in_key_order),
          test_case(test_table_map__reads_4096_columns_and_no_more),
          test_case(test_table_map__peeks), test_case(test_table_map__rejects_every_truncation),
          test_case(test_table_map__survives_failing_allocations))
