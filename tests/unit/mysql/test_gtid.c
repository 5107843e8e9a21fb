#include "mysql/gtid.h"

#include "base/rand.h"
#include "test.h"

#define A "55778904-0299-11f1-b1b8-4ef0c4956feb"
#define B "aa778904-0299-11f1-b1b8-4ef0c4956feb"

static struct gtid_set *parse(const char *text, enum gtid_flavor flavor)
{
    struct gtid_set *s = NULL;
    struct err e = {0};

    assert_ok(gtid_set_parse(text, flavor, &s, &e), &e);
    return s;
}

static void assert_prints(const struct gtid_set *s, const char *want)
{
    struct buf out = {0};

    gtid_set_print(s, &out);
    assert_text_eq(buf_span(&out), want);
    buf_deinit(&out);
}

static struct gtid mysql_gtid(uint8_t uuid_byte, const char *tag, uint64_t number)
{
    struct gtid g = {.present = true, .flavor = GTID_FLAVOR_MYSQL, .number = number};

    memset(g.uuid, uuid_byte, sizeof g.uuid);
    (void)snprintf(g.tag, sizeof g.tag, "%s", tag);
    return g;
}

#define UUID_A "11111111-1111-1111-1111-111111111111"
#define UUID_B "22222222-2222-2222-2222-222222222222"

TEST(test_gtid__prints_canonically_what_it_parses)
{
    static const struct {
        enum gtid_flavor flavor;
        const char *text;
        const char *want;
    } cases[] = {
        {GTID_FLAVOR_MYSQL, "", ""},
        {GTID_FLAVOR_MYSQL, A ":1", A ":1"},
        {GTID_FLAVOR_MYSQL, A ":1-3:5:7-9", A ":1-3:5:7-9"},
        {GTID_FLAVOR_MYSQL, A ":5:7-9:1-3:4", A ":1-5:7-9"},
        {GTID_FLAVOR_MYSQL, A ":1-10:3-5:8-20", A ":1-20"},
        {GTID_FLAVOR_MYSQL, " \n" B " : 1 - 9 ,\r\n" A ":2,", A ":2," B ":1-9"},
        {GTID_FLAVOR_MYSQL, "55778904-0299-11F1-B1B8-4EF0C4956FEB:1", A ":1"},
        {GTID_FLAVOR_MYSQL, "55778904029911f1b1b84ef0c4956feb:1", A ":1"},
        {GTID_FLAVOR_MYSQL, A ":1," A ":2-3", A ":1-3"},
        {GTID_FLAVOR_MYSQL, A ":1-3:tag_a:1-5:7:tag_b:1", A ":1-3:tag_a:1-5:7:tag_b:1"},
        {GTID_FLAVOR_MYSQL, A ":TAG_B:1:tag_a:2," A ":9", A ":9:tag_a:2:tag_b:1"},
        {GTID_FLAVOR_MYSQL, A ":_:1", A ":_:1"},
        {GTID_FLAVOR_MYSQL, A ":9223372036854775806", A ":9223372036854775806"},
        {GTID_FLAVOR_MARIADB, "", ""},
        {GTID_FLAVOR_MARIADB, "0-1-100,1-2-55", "0-1-100,1-2-55"},
        {GTID_FLAVOR_MARIADB, " 7-1-1 ,\n0-4294967295-18446744073709551615",
         "0-4294967295-18446744073709551615,7-1-1"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gtid_set *s = parse(cases[i].text, cases[i].flavor);
        struct gtid_set *copy = gtid_set_copy(s);

        assert_prints(s, cases[i].want);
        assert_prints(copy, cases[i].want);
        assert_int_equal(gtid_set_is_empty(s), cases[i].want[0] == '\0');
        assert_int_equal(gtid_set_flavor(copy), cases[i].flavor);
        gtid_set_free(s);
        gtid_set_free(copy);
    }
}

TEST(test_gtid__rejects_bad_text)
{
    static const struct {
        enum gtid_flavor flavor;
        const char *text;
    } cases[] = {
        {GTID_FLAVOR_MYSQL, A},
        {GTID_FLAVOR_MYSQL, A ":"},
        {GTID_FLAVOR_MYSQL, A ":0"},
        {GTID_FLAVOR_MYSQL, A ":3-2"},
        {GTID_FLAVOR_MYSQL, A ":1-"},
        {GTID_FLAVOR_MYSQL, A ":-1"},
        {GTID_FLAVOR_MYSQL, A ":1-2-3"},
        {GTID_FLAVOR_MYSQL, A ":9223372036854775807"},
        {GTID_FLAVOR_MYSQL, A ":99999999999999999999"},
        {GTID_FLAVOR_MYSQL, A ":1::2"},
        {GTID_FLAVOR_MYSQL, A ":1:tag"},
        {GTID_FLAVOR_MYSQL, A ":9tag:1"},
        {GTID_FLAVOR_MYSQL, A ":ta-g:1"},
        {GTID_FLAVOR_MYSQL, A ":a2345678901234567890123456789012x:1"},
        {GTID_FLAVOR_MYSQL, "55778904-0299-11f1-b1b8-4ef0c4956fe:1"},
        {GTID_FLAVOR_MYSQL, "55778904-0299-11f1-b1b8-4ef0c4956febb:1"},
        {GTID_FLAVOR_MYSQL, "-55778904-0299-11f1-b1b8-4ef0c4956feb:1"},
        {GTID_FLAVOR_MYSQL, "5577890-40299-11f1-b1b8-4ef0c4956feb:1"},
        {GTID_FLAVOR_MYSQL, "55778904--0299-11f1-b1b8-4ef0c4956feb:1"},
        {GTID_FLAVOR_MYSQL, "g5778904-0299-11f1-b1b8-4ef0c4956feb:1"},
        {GTID_FLAVOR_MYSQL, "0-1-100"},
        {GTID_FLAVOR_MARIADB, A ":1"},
        {GTID_FLAVOR_MARIADB, "0-1"},
        {GTID_FLAVOR_MARIADB, "0-1-"},
        {GTID_FLAVOR_MARIADB, "0-1-2-"},
        {GTID_FLAVOR_MARIADB, "0-1-2-3"},
        {GTID_FLAVOR_MARIADB, "4294967296-1-2"},
        {GTID_FLAVOR_MARIADB, "0-4294967296-2"},
        {GTID_FLAVOR_MARIADB, "0-1-18446744073709551616"},
        {GTID_FLAVOR_MARIADB, "0-1-2,0-2-3"},
        {GTID_FLAVOR_MARIADB, "a-1-2"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gtid_set *s = NULL;
        struct err e = {0};

        if (gtid_set_parse(cases[i].text, cases[i].flavor, &s, &e) != ERR_CORRUPT) {
            fail_msg("case %zu was taken: %s", i, cases[i].text);
        }
    }
}

TEST(test_gtid__a_tag_has_at_most_32_characters)
{
    struct gtid_set *s = parse(A ":a2345678901234567890123456789012:1", GTID_FLAVOR_MYSQL);

    assert_prints(s, A ":a2345678901234567890123456789012:1");
    gtid_set_free(s);
}

/* PREVIOUS_GTIDS of a file that MySQL 9.6.0 wrote. */
TEST(test_gtid__decodes_the_tagged_form)
{
    uint8_t bytes[256];
    size_t len = test_unhex("0102000000000001"
                            "55778904029911f1b1b84ef0c4956feb 00 0100000000000000"
                            "0100000000000000 0e00000000000000"
                            "55778904029911f1b1b84ef0c4956feb 0a 6d79746167 0100000000000000"
                            "0100000000000000 0300000000000000",
                            bytes, sizeof bytes);
    struct gtid_set *s = NULL;
    struct buf again = {0};
    struct err e = {0};

    assert_ok(gtid_set_decode(span_of(bytes, len), &s, &e), &e);
    assert_prints(s, A ":1-13:mytag:1-2");
    gtid_set_encode(s, &again);
    assert_bytes_eq(buf_span(&again), span_of(bytes, len));
    buf_deinit(&again);
    gtid_set_free(s);
}

TEST(test_gtid__round_trips_on_the_wire_and_rejects_every_truncation)
{
    static const char *const texts[] = {"", A ":1-3:5", A ":1-3:5:7-9," B ":4",
                                        A ":1-3:tag_a:1-5:7:tag_b:1," B ":x:2"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct gtid_set *s = parse(texts[i], GTID_FLAVOR_MYSQL);
        struct gtid_set *again = NULL;
        struct buf wire = {0};
        struct err e = {0};

        gtid_set_encode(s, &wire);
        assert_ok(gtid_set_decode(buf_span(&wire), &again, &e), &e);
        assert_prints(again, texts[i]);
        gtid_set_free(again);
        for (size_t len = 0; len < wire.len; len++) {
            assert_err(gtid_set_decode(span_of(wire.data, len), &again, &e), ERR_CORRUPT, &e);
        }
        buf_u8(&wire, 0);
        assert_err(gtid_set_decode(buf_span(&wire), &again, &e), ERR_CORRUPT, &e);
        buf_deinit(&wire);
        gtid_set_free(s);
    }
}

TEST(test_gtid__rejects_bad_wire_sets)
{
    static const char *const sets[] = {
        /* more sources than bytes; more intervals than bytes */
        "ffffffffffffff00",
        "0100000000000000 55778904029911f1b1b84ef0c4956feb ffffffffffffff0f",
        /* 0, an empty one, backwards, overlapping, touching */
        "0100000000000000 55778904029911f1b1b84ef0c4956feb 0100000000000000 0000000000000000 "
        "0200000000000000",
        "0100000000000000 55778904029911f1b1b84ef0c4956feb 0100000000000000 0200000000000000 "
        "0200000000000000",
        "0100000000000000 55778904029911f1b1b84ef0c4956feb 0200000000000000 0500000000000000 "
        "0600000000000000 0100000000000000 0200000000000000",
        "0100000000000000 55778904029911f1b1b84ef0c4956feb 0200000000000000 0100000000000000 "
        "0600000000000000 0500000000000000 0900000000000000",
        "0100000000000000 55778904029911f1b1b84ef0c4956feb 0200000000000000 0100000000000000 "
        "0600000000000000 0600000000000000 0900000000000000",
        "0100000000000000 55778904029911f1b1b84ef0c4956feb 0100000000000000 0100000000000000 "
        "0000000000000080",
        /* a tag of odd length code, with a bad character, with a NUL, of 33 bytes */
        "0101000000000001 55778904029911f1b1b84ef0c4956feb 03 61 0000000000000000",
        "0101000000000001 55778904029911f1b1b84ef0c4956feb 02 2d 0000000000000000",
        "0101000000000001 55778904029911f1b1b84ef0c4956feb 04 6100 0000000000000000",
        "0101000000000001 55778904029911f1b1b84ef0c4956feb 42 "
        "616161616161616161616161616161616161616161616161616161616161616161 0000000000000000",
    };

    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        uint8_t bytes[256];
        size_t len = test_unhex(sets[i], bytes, sizeof bytes);
        struct gtid_set *s = NULL;
        struct err e = {0};

        if (gtid_set_decode(span_of(bytes, len), &s, &e) != ERR_CORRUPT) {
            fail_msg("set %zu was taken", i);
        }
    }
}

TEST(test_gtid__a_source_without_intervals_is_not_in_the_set)
{
    uint8_t bytes[64];
    size_t len = test_unhex("0100000000000000 55778904029911f1b1b84ef0c4956feb 0000000000000000",
                            bytes, sizeof bytes);
    struct gtid_set *s = NULL;
    struct err e = {0};

    assert_ok(gtid_set_decode(span_of(bytes, len), &s, &e), &e);
    assert_true(gtid_set_is_empty(s));
    gtid_set_free(s);
}

/* Against a plain bitmap: any order of adding gives the same set. */
TEST(test_gtid__adds_numbers_in_any_order)
{
    enum { SOURCES = 3, NUMBERS = 200 };
    static const char *const tags[SOURCES] = {"", "", "t"};
    static const uint8_t uuids[SOURCES] = {1, 2, 2};
    bool model[SOURCES][NUMBERS + 2] = {{false}};
    struct gtid_set *s = gtid_set_new(GTID_FLAVOR_MYSQL);
    struct rand rand;
    struct err e = {0};

    rand_seed(&rand, 42);
    for (int i = 0; i < 700; i++) {
        size_t source = (size_t)rand_below(&rand, SOURCES);
        size_t number = 1 + (size_t)rand_below(&rand, NUMBERS);
        struct gtid g = mysql_gtid(uuids[source], tags[source], number);

        model[source][number] = true;
        assert_ok(gtid_set_add(s, &g, &e), &e);
        for (size_t k = 0; k < SOURCES; k++) {
            size_t probe = 1 + (size_t)rand_below(&rand, NUMBERS + 1);
            struct gtid p = mysql_gtid(uuids[k], tags[k], probe);

            assert_int_equal(gtid_set_contains(s, &p), model[k][probe]);
        }
    }
    gtid_set_free(s);
}

TEST(test_gtid__adds_the_next_number_quickly)
{
    struct gtid_set *s = gtid_set_new(GTID_FLAVOR_MYSQL);
    struct err e = {0};

    for (uint64_t n = 1; n <= 300000; n++) {
        struct gtid a = mysql_gtid(1, "", n);
        struct gtid b = mysql_gtid(2, "", 2 * n);

        assert_ok(gtid_set_add(s, &a, &e), &e);
        assert_ok(gtid_set_add(s, &b, &e), &e);
    }
    struct gtid odd = mysql_gtid(2, "", 299999);
    struct gtid even = mysql_gtid(2, "", 300000);

    assert_false(gtid_set_contains(s, &odd));
    assert_true(gtid_set_contains(s, &even));
    gtid_set_free(s);
}

TEST(test_gtid__knows_intersections)
{
    static const struct {
        enum gtid_flavor flavor;
        const char *a;
        const char *b;
        const char *both;
    } cases[] = {
        {GTID_FLAVOR_MYSQL, UUID_A ":1-100:102", UUID_A ":1-101", UUID_A ":1-100"},
        {GTID_FLAVOR_MYSQL, UUID_A ":1-10:20-30:50", UUID_A ":5-25:50-60", UUID_A ":5-10:20-25:50"},
        {GTID_FLAVOR_MYSQL, UUID_A ":1-5," UUID_B ":1", UUID_B ":1-9", UUID_B ":1"},
        {GTID_FLAVOR_MYSQL, UUID_A ":1-5", UUID_A ":6-9", ""},
        {GTID_FLAVOR_MYSQL, UUID_A ":1-5", "", ""},
        {GTID_FLAVOR_MARIADB, "0-1-100,1-2-55", "0-3-90,2-1-1", "0-3-90"},
        {GTID_FLAVOR_MARIADB, "0-1-10", "0-3-90", "0-1-10"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int swap = 0; swap < 2; swap++) {
            struct gtid_set *a = NULL;
            struct gtid_set *b = NULL;
            struct buf text = {0};
            struct err e = {0};

            assert_ok(gtid_set_parse(swap ? cases[i].b : cases[i].a, cases[i].flavor, &a, &e), &e);
            assert_ok(gtid_set_parse(swap ? cases[i].a : cases[i].b, cases[i].flavor, &b, &e), &e);
            struct gtid_set *both = gtid_set_intersect(a, b);

            assert_non_null(both);
            gtid_set_print(both, &text);
            assert_string_equal(buf_cstr(&text), cases[i].both);
            buf_deinit(&text);
            gtid_set_free(a);
            gtid_set_free(b);
            gtid_set_free(both);
        }
    }
}

TEST(test_gtid__knows_differences)
{
    static const struct {
        enum gtid_flavor flavor;
        const char *a;
        const char *b;
        const char *rest;
    } cases[] = {
        {GTID_FLAVOR_MYSQL, "", A ":1", ""},
        {GTID_FLAVOR_MYSQL, A ":1", "", A ":1"},
        {GTID_FLAVOR_MYSQL, A ":1-9", A ":1-9", ""},
        {GTID_FLAVOR_MYSQL, A ":2-3", A ":1-9", ""},
        {GTID_FLAVOR_MYSQL, A ":1-9", A ":2-3:5", A ":1:4:6-9"},
        {GTID_FLAVOR_MYSQL, A ":1-9", A ":1:9", A ":2-8"},
        {GTID_FLAVOR_MYSQL, A ":1-3:5-7:10-20", A ":3-5:12-30", A ":1-2:6-7:10-11"},
        {GTID_FLAVOR_MYSQL, A ":1-3:5:7-9", A ":2:4-8", A ":1:3:9"},
        {GTID_FLAVOR_MYSQL, A ":1-5," B ":1-5", B ":3", A ":1-5," B ":1-2:4-5"},
        {GTID_FLAVOR_MYSQL, A ":1-5:t:1-5", A ":1-9:t:2", A ":t:1:3-5"},
        {GTID_FLAVOR_MYSQL, A ":t:1", A ":1", A ":t:1"},
        {GTID_FLAVOR_MYSQL, A ":1-9223372036854775806", A ":2", A ":1:3-9223372036854775806"},
        {GTID_FLAVOR_MYSQL, A ":1-9223372036854775806", A ":2-9223372036854775806", A ":1"},
        {GTID_FLAVOR_MARIADB, "0-1-5,1-2-8", "0-3-5,1-1-7", "1-2-8"},
        {GTID_FLAVOR_MARIADB, "0-1-5,1-2-8", "0-3-6", "1-2-8"},
        {GTID_FLAVOR_MARIADB, "0-1-18446744073709551615,3-1-0", "",
         "0-1-18446744073709551615,3-1-0"},
        {GTID_FLAVOR_MARIADB, "", "0-3-6", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gtid_set *a = parse(cases[i].a, cases[i].flavor);
        struct gtid_set *b = parse(cases[i].b, cases[i].flavor);
        struct gtid_set *rest = gtid_set_subtract(a, b);

        assert_non_null(rest);
        assert_prints(rest, cases[i].rest);
        assert_int_equal(gtid_set_is_empty(rest), gtid_set_is_subset(a, b));
        gtid_set_free(a);
        gtid_set_free(b);
        gtid_set_free(rest);
    }
}

/* Against plain bitmaps. */
TEST(test_gtid__differences_have_what_they_should)
{
    enum { NUMBERS = 40, ROUNDS = 400 };
    struct rand rand;
    struct err e = {0};

    rand_seed(&rand, 7);
    for (int round = 0; round < ROUNDS; round++) {
        bool in[2][NUMBERS + 1] = {{false}};
        struct gtid_set *sets[2] = {gtid_set_new(GTID_FLAVOR_MYSQL),
                                    gtid_set_new(GTID_FLAVOR_MYSQL)};

        for (int i = 0; i < round % 50; i++) {
            unsigned which = (unsigned)rand_below(&rand, 2);
            size_t number = 1 + (size_t)rand_below(&rand, NUMBERS);
            struct gtid g = mysql_gtid(1, "", number);

            in[which][number] = true;
            assert_ok(gtid_set_add(sets[which], &g, &e), &e);
        }
        struct gtid_set *rest = gtid_set_subtract(sets[0], sets[1]);

        assert_non_null(rest);
        for (size_t n = 1; n <= NUMBERS; n++) {
            struct gtid g = mysql_gtid(1, "", n);

            assert_int_equal(gtid_set_contains(rest, &g), in[0][n] && !in[1][n]);
        }
        gtid_set_free(sets[0]);
        gtid_set_free(sets[1]);
        gtid_set_free(rest);
    }
}

TEST(test_gtid__knows_subsets_and_unions)
{
    static const struct {
        enum gtid_flavor flavor;
        const char *a;
        const char *b;
        bool a_in_b;
        const char *both;
    } cases[] = {
        {GTID_FLAVOR_MYSQL, "", A ":1", true, A ":1"},
        {GTID_FLAVOR_MYSQL, A ":1", "", false, A ":1"},
        {GTID_FLAVOR_MYSQL, A ":2-3", A ":1-9", true, A ":1-9"},
        {GTID_FLAVOR_MYSQL, A ":2-3:8", A ":1-5:7-9", true, A ":1-5:7-9"},
        {GTID_FLAVOR_MYSQL, A ":2-6", A ":1-5:7-9", false, A ":1-9"},
        {GTID_FLAVOR_MYSQL, A ":5-7", A ":1-5:7-9", false, A ":1-9"},
        {GTID_FLAVOR_MYSQL, A ":10", A ":1-9", false, A ":1-10"},
        {GTID_FLAVOR_MYSQL, A ":1", A ":t:1", false, A ":1:t:1"},
        {GTID_FLAVOR_MYSQL, B ":1", A ":1-2," B ":1", true, A ":1-2," B ":1"},
        {GTID_FLAVOR_MARIADB, "0-1-5", "0-2-7", true, "0-2-7"},
        {GTID_FLAVOR_MARIADB, "0-1-8", "0-2-7", false, "0-1-8"},
        {GTID_FLAVOR_MARIADB, "0-1-5,1-1-1", "0-2-7", false, "0-2-7,1-1-1"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gtid_set *a = parse(cases[i].a, cases[i].flavor);
        struct gtid_set *b = parse(cases[i].b, cases[i].flavor);
        struct err e = {0};

        assert_int_equal(gtid_set_is_subset(a, b), cases[i].a_in_b);
        assert_ok(gtid_set_union(a, b, &e), &e);
        assert_prints(a, cases[i].both);
        assert_true(gtid_set_is_subset(b, a));
        gtid_set_free(a);
        gtid_set_free(b);
    }
}

TEST(test_gtid__mariadb_keeps_the_newest_in_log_order)
{
    struct gtid_set *s = parse("0-1-100", GTID_FLAVOR_MARIADB);
    struct gtid g = {.present = true, .flavor = GTID_FLAVOR_MARIADB, .server_id = 2, .number = 7};
    struct err e = {0};

    assert_ok(gtid_set_add(s, &g, &e), &e);
    assert_prints(s, "0-2-7");
    assert_true(gtid_set_contains(s, &g));
    g.number = 8;
    assert_false(gtid_set_contains(s, &g));
    g.domain = 3;
    assert_false(gtid_set_contains(s, &g));
    gtid_set_free(s);
}

TEST(test_gtid__prints_one_transaction)
{
    struct gtid g = mysql_gtid(0xab, "", 7);
    char text[128];

    gtid_print(&g, text, sizeof text);
    assert_string_equal(text, "abababab-abab-abab-abab-abababababab:7");
    g = mysql_gtid(0xab, "t1", 7);
    gtid_print(&g, text, sizeof text);
    assert_string_equal(text, "abababab-abab-abab-abab-abababababab:t1:7");
    g = (struct gtid){.present = true, .flavor = GTID_FLAVOR_MARIADB, .server_id = 1, .number = 7};
    gtid_print(&g, text, sizeof text);
    assert_string_equal(text, "0-1-7");
    g.present = false;
    gtid_print(&g, text, sizeof text);
    assert_string_equal(text, "anonymous");
}

TEST(test_gtid__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct gtid_set *s = NULL;
        struct gtid_set *copy = NULL;
        struct gtid_set *decoded = NULL;
        struct buf wire = {0};
        struct err e = {0};

        if (gtid_set_parse(A ":1-3:5:9:t:1," B ":4", GTID_FLAVOR_MYSQL, &s, &e) == ERR_OK) {
            struct gtid g = mysql_gtid(3, "", 12);

            copy = gtid_set_copy(s);
            if (gtid_set_add(s, &g, &e) != ERR_OK) {
                assert_int_equal(e.code, ERR_NOMEM);
                assert_false(gtid_set_contains(s, &g));
            }
            gtid_set_encode(s, &wire);
            if (wire.failed == ERR_OK && gtid_set_decode(buf_span(&wire), &decoded, &e) != ERR_OK) {
                assert_int_equal(e.code, ERR_NOMEM);
            }
            if (copy != NULL && decoded != NULL) {
                gtid_set_free(gtid_set_intersect(s, decoded));
                gtid_set_free(gtid_set_subtract(s, decoded));
                (void)!gtid_set_union(copy, decoded, &e);
            }
        } else {
            assert_int_equal(e.code, ERR_NOMEM);
        }
        buf_deinit(&wire);
        gtid_set_free(s);
        gtid_set_free(copy);
        gtid_set_free(decoded);
    }
}

TEST_MAIN(test_case(test_gtid__prints_canonically_what_it_parses),
          test_case(test_gtid__rejects_bad_text),
          test_case(test_gtid__a_tag_has_at_most_32_characters),
          test_case(test_gtid__decodes_the_tagged_form),
          test_case(test_gtid__round_trips_on_the_wire_and_rejects_every_truncation),
          test_case(test_gtid__rejects_bad_wire_sets),
          test_case(test_gtid__a_source_without_intervals_is_not_in_the_set),
          test_case(test_gtid__adds_numbers_in_any_order),
          test_case(test_gtid__adds_the_next_number_quickly),
          test_case(test_gtid__knows_intersections), test_case(test_gtid__knows_differences),
          test_case(test_gtid__differences_have_what_they_should),
          test_case(test_gtid__knows_subsets_and_unions),
          test_case(test_gtid__mariadb_keeps_the_newest_in_log_order),
          test_case(test_gtid__prints_one_transaction),
          test_case(test_gtid__survives_lack_of_memory))
