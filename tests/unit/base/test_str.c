#include "base/str.h"

#include <stdlib.h>

#include "test.h"

TEST(test_str__reads_unsigned_numbers)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t want;
    } cases[] = {
        {"0", true, 0},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551620", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"+1", false, 0},
        {"-1", false, 0},
        {"0x10", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t got = 0;

        assert_int_equal(str_to_u64(span_str(cases[i].text), &got), cases[i].good);
        assert_u64_eq(got, cases[i].want);
    }
}

TEST(test_str__reads_signed_numbers)
{
    static const struct {
        const char *text;
        bool good;
        int64_t want;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"-9223372036854775808", true, INT64_MIN},
        {"-9223372036854775809", false, 0},
        {"-", false, 0},
        {"--1", false, 0},
        {"-+1", false, 0},
        {"", false, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t got = 0;

        assert_int_equal(str_to_i64(span_str(cases[i].text), &got), cases[i].good);
        assert_i64_eq(got, cases[i].want);
    }
}

TEST(test_str__prints_numbers)
{
    static const uint64_t numbers[] = {
        0,         1,   9,    10,         11,         99,          100,
        101,       999, 1000, 4294967295, 4294967296, 10000000000, UINT64_MAX - 1,
        UINT64_MAX};
    char want[32];
    char got[32];

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        size_t len = str_put_u64(got, numbers[i]);

        assert_true(len <= 20);
        got[len] = '\0';
        (void)snprintf(want, sizeof want, "%" PRIu64, numbers[i]);
        assert_string_equal(got, want);
        len = str_put_i64(got, (int64_t)numbers[i]);
        assert_true(len <= 20);
        got[len] = '\0';
        (void)snprintf(want, sizeof want, "%" PRId64, (int64_t)numbers[i]);
        assert_string_equal(got, want);
    }
    size_t len = str_put_i64(got, INT64_MIN);

    assert_text_eq(span_of(got, len), "-9223372036854775808");
}

TEST(test_str__compares_without_regard_to_ascii_case_only)
{
    assert_true(str_ieq("CREATE", "create"));
    assert_true(str_ieq("", ""));
    assert_false(str_ieq("create", "creat"));
    assert_false(str_ieq("[", "{")); /* these too are 32 apart */
    assert_false(str_ieq("@", "`"));
    assert_false(str_ieq("\xc3\x84", "\xc3\xa4")); /* A and a umlaut */
    assert_true(span_ieq_str(span_of("TABLES", 5), "table"));
    assert_true(str_starts_with("orders", "ord"));
    assert_true(str_starts_with("orders", ""));
    assert_false(str_starts_with("or", "ord"));
    assert_true(str_ends_with("a.parquet", ".parquet"));
    assert_true(str_ends_with("a", ""));
    assert_false(str_ends_with("t", "parquet"));
}

TEST(test_str__matches_globs)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool icase;
        bool want;
    } cases[] = {
        {"", "", false, true},
        {"", "a", false, false},
        {"*", "", false, true},
        {"*", "anything.at.all", false, true},
        {"**", "a", false, true},
        {"?", "", false, false},
        {"?", "a", false, true},
        {"?", "ab", false, false},
        {"?*", "", false, false},
        {"shop.*", "shop.orders", false, true},
        {"shop.*", "shop", false, false},
        {"shop.*", "shop2.orders", false, false},
        {"*.orders", "shop.orders", false, true},
        {"*.orders", "shop.orders2", false, false},
        {"a*b*c", "aXbYbZc", false, true},
        {"a*b*c", "aXbYbZ", false, false},
        {"*aab", "aaaab", false, true},
        {"a?c*", "abcdef", false, true},
        {"orders_??", "orders_01", false, true},
        {"orders_??", "orders_1", false, false},
        {"Shop.*", "shop.ORDERS", true, true},
        {"Shop.*", "shop.ORDERS", false, false},
        {"[a-z]", "b", false, false}, /* no classes: a bracket stands for itself */
        {"[a-z]", "[a-z]", false, true},
        {"a.c", "abc", false, false},
        {"a*", "b", false, false},
        {"abc", "abcd", false, false},
        {"abcd", "abc", false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (str_glob(cases[i].pattern, cases[i].text, cases[i].icase) != cases[i].want) {
            fail_msg("'%s' on '%s' is not %d", cases[i].pattern, cases[i].text, cases[i].want);
        }
    }
}

TEST(test_str__matches_any_glob)
{
    static const char *const globs[] = {"shop.*", "*.orders"};

    assert_true(str_glob_any(globs, 2, "shop.items", false));
    assert_true(str_glob_any(globs, 2, "x.Orders", true));
    assert_false(str_glob_any(globs, 2, "x.Orders", false));
    assert_false(str_glob_any(NULL, 0, "shop.items", false));
}

TEST(test_str__globs_in_time_that_does_not_explode)
{
    char text[2001];

    memset(text, 'a', 2000);
    text[2000] = '\0';
    assert_false(str_glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text, false));
}

TEST(test_str__counts_edits)
{
    char longer[101];

    memset(longer, 'x', 100);
    longer[100] = '\0';
    assert_u64_eq(str_distance("", ""), 0);
    assert_u64_eq(str_distance("abc", ""), 3);
    assert_u64_eq(str_distance("", "abc"), 3);
    assert_u64_eq(str_distance("kitten", "sitting"), 3);
    assert_u64_eq(str_distance("commit.intervall", "commit.interval"), 1);
    assert_u64_eq(str_distance("MEMORY", "memory"), 0);
    assert_u64_eq(str_distance("ab", "ba"), 2);
    assert_u64_eq(str_distance("flaw", "lawn"), str_distance("lawn", "flaw"));
    assert_u64_eq(str_distance(longer, ""), 64);
    assert_u64_eq(str_distance(longer, longer), 0);
}

TEST(test_str__accepts_well_formed_utf8)
{
    static const char *const good[] = {
        "",
        "plain ascii that is longer than one word of eight",
        "\x7f",
        "\xc2\x80",         /* U+0080 */
        "\xdf\xbf",         /* U+07FF */
        "\xe0\xa0\x80",     /* U+0800 */
        "\xed\x9f\xbf",     /* U+D7FF, in front of the surrogates */
        "\xee\x80\x80",     /* U+E000, behind them */
        "\xef\xbf\xbf",     /* U+FFFF */
        "\xf0\x90\x80\x80", /* U+10000 */
        "\xf4\x8f\xbf\xbf", /* U+10FFFF */
        "1234567\xc3\xa4",  /* a character across the border of a word */
        "12345678\xf0\x9f\x98\x80zzzzzzzz\xc3\xa4",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!str_is_utf8(span_str(good[i]))) {
            fail_msg("case %zu", i);
        }
    }
    assert_true(str_is_utf8(span_of("a\0b", 3)));
    assert_true(str_is_utf8((struct span){NULL, 0}));
}

TEST(test_str__refuses_malformed_utf8)
{
    static const char *const bad[] = {
        "\x80", /* a tail without a lead */
        "\xbf",
        "\xc0\x80", /* NUL in two bytes */
        "\xc1\xbf",
        "\xc2", /* cut short */
        "\xc2"
        "a",
        "\xe0\x9f\xbf", /* longer than needed */
        "\xe0\xa0",
        "\xe1\x80"
        "a",
        "\xed\xa0\x80",     /* U+D800 */
        "\xed\xbf\xbf",     /* U+DFFF */
        "\xf0\x8f\xbf\xbf", /* longer than needed */
        "\xf0\x90\x80",
        "\xf4\x90\x80\x80", /* U+110000 */
        "\xf5\x80\x80\x80",
        "\xfe",
        "\xff",
        "12345678\xff",
        "1234567\xc3",
        "ok\xe2\x82\xac\xe2\x82",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (str_is_utf8(span_str(bad[i]))) {
            fail_msg("case %zu", i);
        }
    }
}

/* A decoder of another make: every two and three byte sequence, and the borders of four. */
static bool slow_is_utf8(const uint8_t *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        unsigned lead = s[i];
        unsigned need = lead < 0x80 ? 0 : (lead >> 5) == 6 ? 1 : (lead >> 4) == 14 ? 2 : 3;
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        uint32_t code = need == 0 ? lead : lead & (0x3fu >> need);

        if (lead >= 0x80 && (lead < 0xc0 || lead >= 0xf8)) {
            return false;
        }
        if (len - i - 1 < need) {
            return false;
        }
        for (size_t k = 1; k <= need; k++) {
            if ((s[i + k] >> 6) != 2) {
                return false;
            }
            code = code << 6 | (s[i + k] & 0x3fu);
        }
        if (code < least[need] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
        i += need + 1;
    }
    return true;
}

TEST(test_str__agrees_with_a_slow_utf8_decoder)
{
    static const uint8_t tails[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90,
                                    0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    enum { TAILS = sizeof tails };

    for (unsigned lead = 0; lead < 256; lead++) {
        for (unsigned n = 0; n < TAILS * TAILS * TAILS; n++) {
            uint8_t s[4] = {(uint8_t)lead, tails[n % TAILS], tails[n / TAILS % TAILS],
                            tails[n / TAILS / TAILS]};

            for (size_t len = 1; len <= 4; len++) {
                if (str_is_utf8(span_of(s, len)) != slow_is_utf8(s, len)) {
                    fail_msg("%02x %02x %02x %02x (%zu)", s[0], s[1], s[2], s[3], len);
                }
            }
        }
    }
}

TEST(test_str__measures_one_utf8_character)
{
    assert_u64_eq(str_utf8_char(span_str("")), 0);
    assert_u64_eq(str_utf8_char(span_str("ab")), 1);
    assert_u64_eq(str_utf8_char(span_of("\0", 1)), 1);
    assert_u64_eq(str_utf8_char(span_str("\xc3\xa4z")), 2);
    assert_u64_eq(str_utf8_char(span_str("\xe2\x82\xac")), 3);
    assert_u64_eq(str_utf8_char(span_str("\xf0\x9f\x98\x80\x80")), 4);
    assert_u64_eq(str_utf8_char(span_str("\xe2\x82")), 0);
}

TEST(test_str__copies_and_formats)
{
    char *copy = str_dup("abc");
    char *part = str_ndup("abc", 2);
    char *none = str_ndup(NULL, 0);
    char *text = str_format("%s/%05u", "data", 7u);
    char hex[9];

    assert_string_equal(copy, "abc");
    assert_string_equal(part, "ab");
    assert_string_equal(none, "");
    assert_string_equal(text, "data/00007");
    str_hex(hex, (const uint8_t *)"\x00\x7f\xa0\xff", 4);
    assert_string_equal(hex, "007fa0ff");
    free(copy);
    free(part);
    free(none);
    free(text);
    TORTURE(nth)
    {
        free(str_dup("x"));
        free(str_format("%d", 1));
    }
}

TEST(test_str__shows_no_secret)
{
    struct secret s = {0};

    assert_string_equal(secret_show(&s), "");
    s.text = str_dup("");
    assert_string_equal(secret_show(&s), "");
    secret_wipe(&s);
    s.text = str_dup("hunter2");
    assert_string_equal(secret_show(&s), "***");
    secret_wipe(&s);
    assert_null(s.text);
    secret_wipe(&s);
}

TEST_MAIN(test_case(test_str__reads_unsigned_numbers), test_case(test_str__reads_signed_numbers),
          test_case(test_str__prints_numbers),
          test_case(test_str__compares_without_regard_to_ascii_case_only),
          test_case(test_str__matches_globs), test_case(test_str__matches_any_glob),
          test_case(test_str__globs_in_time_that_does_not_explode),
          test_case(test_str__counts_edits), test_case(test_str__accepts_well_formed_utf8),
          test_case(test_str__refuses_malformed_utf8),
          test_case(test_str__agrees_with_a_slow_utf8_decoder),
          test_case(test_str__measures_one_utf8_character), test_case(test_str__copies_and_formats),
          test_case(test_str__shows_no_secret))
