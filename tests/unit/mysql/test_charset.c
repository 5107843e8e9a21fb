#include "mysql/charset.h"

#include <stdlib.h>

#include "test.h"

struct text_case {
    const char *charset;
    const char *bytes; /* hex */
    const char *want;  /* NULL: ERR_CORRUPT */
};

static enum err_code convert(const char *charset, struct span text, struct buf *out, struct err *e)
{
    const struct charset *cs = charset_find(charset);
    struct charset_converter c;

    assert_non_null(cs);
    charset_converter_init(&c);
    buf_reset(out);
    enum err_code rc = charset_to_utf8(cs, &c, text, out, e);

    charset_converter_deinit(&c);
    return rc;
}

/* Read from MySQL 9.7 and MariaDB 11.8: CONVERT(_charset x'...' USING utf8mb4). */
static const struct text_case cases[] = {
    {"utf8mb4", "61f09f9880", "a\xf0\x9f\x98\x80"},
    {"utf8mb4", "61c0af", NULL},
    {"utf8mb4", "eda080", NULL},
    {"utf8mb3", "c3a9", "\xc3\xa9"},
    {"utf8", "c3a9", "\xc3\xa9"},
    {"ascii", "617f", "a\x7f"},
    {"ascii", "6180", NULL},
    {"latin1", "80818d8f909d9fa0ff",
     "\xe2\x82\xac\xc2\x81\xc2\x8d\xc2\x8f\xc2\x90\xc2\x9d\xc5\xb8\xc2\xa0\xc3\xbf"},
    {"latin2", "a1", "\xc4\x84"},
    {"latin5", "d0", "\xc4\x9e"},
    {"latin7", "a8", "\xc3\x98"},
    {"cp1250", "8c81", NULL},
    {"cp1250", "8c", "\xc5\x9a"},
    {"cp1251", "c0", "\xd0\x90"},
    {"cp1256", "81", "\xd9\xbe"},
    {"cp1257", "c0", "\xc4\x84"},
    {"cp850", "82", "\xc3\xa9"},
    {"cp852", "a5", "\xc4\x85"},
    {"cp866", "80", "\xd0\x90"},
    {"koi8r", "c1", "\xd0\xb0"},
    {"koi8u", "a4", "\xd1\x94"},
    {"greek", "e1", "\xce\xb1"},
    {"hebrew", "e0", "\xd7\x90"},
    {"tis620", "a1", "\xe0\xb8\x81"},
    {"macroman", "8e", "\xc3\xa9"},
    {"macce", "84", "\xc4\x84"},
    {"armscii8", "b2", "\xd4\xb1"},
    {"geostd8", "c0", "\xe1\x83\x90"},
    {"dec8", "d7", "\xc5\x92"},
    {"hp8", "c5", "\xc3\xa9"},
    {"keybcs2", "82", "\xc3\xa9"},
    {"swe7", "407b", "\xc3\x89\xc3\xa4"},
    {"swe7", "80", NULL},
    {"gbk", "61c4e362",
     "a\xe4\xbd\xa0"
     "b"},
    {"gbk", "c4", NULL},
    {"gbk", "a2a0", NULL},
    {"gb2312", "c4e3", "\xe4\xbd\xa0"},
    {"gb18030", "c4e3", "\xe4\xbd\xa0"},
    {"gb18030", "81308130", "\xc2\x80"},
    {"gb18030", "90308130", "\xf0\x90\x80\x80"},
    {"gb18030", "a6d9", "\xee\x9e\x8d"}, /* U+E78D; iconv: U+FE10 */
    {"gb18030", "84318236", "\xef\xb8\x90"},
    {"gb18030", "813081", NULL},
    {"big5", "a741", "\xe4\xbd\xa0"},
    {"big5", "a145", "\xe2\x80\xa2"}, /* U+2022; iconv: U+2027 */
    {"big5", "61a14562a741",
     "a\xe2\x80\xa2"
     "b\xe4\xbd\xa0"},
    {"sjis", "82a05c", "\xe3\x81\x82\\"},
    {"sjis", "815f", "\\"},
    {"sjis", "b1", "\xef\xbd\xb1"},
    {"cp932", "8740", "\xe2\x91\xa0"},
    {"cp932", "815f", "\xef\xbc\xbc"},
    {"ujis", "a4a2", "\xe3\x81\x82"},
    {"ujis", "8eb1", "\xef\xbd\xb1"},
    {"ujis", "a1c0", "\\"},
    {"ujis", "f5a1", "\xee\x80\x80"}, /* U+E000 */
    {"ujis", "8ff5a1", "\xee\x8e\xac"},
    {"ujis", "8ff5", NULL},
    {"eucjpms", "ada1", "\xe2\x91\xa0"},
    {"euckr", "b0a1", "\xea\xb0\x80"},
    {"euckr", "8141", "\xea\xb0\x82"},
    {"ucs2", "006100e9", "a\xc3\xa9"},
    {"ucs2", "d83d", NULL},
    {"ucs2", "00", NULL},
    {"utf16", "0061d83dde00", "a\xf0\x9f\x98\x80"},
    {"utf16", "d83d0061", NULL},
    {"utf16", "de00", NULL},
    {"utf16le", "61003dd800de", "a\xf0\x9f\x98\x80"},
    {"utf16le", "3dd8", NULL},
    {"utf32", "000000610001f600", "a\xf0\x9f\x98\x80"},
    {"utf32", "00110000", NULL},
    {"utf32", "0000d800", NULL},
    {"utf32", "000000", NULL},
    {"binary", "ff", "\xff"},
};

TEST(test_charset__converts_like_the_server)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[64];
        size_t len = test_unhex(cases[i].bytes, bytes, sizeof bytes);
        uint8_t *exact = malloc(len);
        struct buf out = {0};
        struct err e = {0};

        memcpy(exact, bytes, len);
        enum err_code rc = convert(cases[i].charset, span_of(exact, len), &out, &e);

        if (cases[i].want == NULL) {
            if (rc != ERR_CORRUPT || strstr(e.msg, cases[i].charset) == NULL) {
                fail_msg("%s %s: code %d %s", cases[i].charset, cases[i].bytes, rc, e.msg);
            }
        } else if (rc != ERR_OK || !span_eq_str(buf_span(&out), cases[i].want)) {
            fail_msg("%s %s: \"%.*s\" %s", cases[i].charset, cases[i].bytes, (int)out.len,
                     (char *)out.data, e.msg);
        }
        free(exact);
        buf_deinit(&out);
    }
}

/* All pairs of bytes in all charsets: an error or UTF-8 of no more than three times the size. */
TEST(test_charset__gives_utf8_or_an_error)
{
    static const char *const names[] = {"big5",   "cp932",   "eucjpms", "euckr",  "gb18030",
                                        "gb2312", "gbk",     "sjis",    "ujis",   "latin1",
                                        "swe7",   "geostd8", "ucs2",    "utf16le"};
    struct buf out = {0};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct charset *cs = charset_find(names[i]);
        struct charset_converter c;
        unsigned valid = 0;

        charset_converter_init(&c);
        for (unsigned n = 0; n < 0x10000; n++) {
            uint8_t bytes[2] = {(uint8_t)(n >> 8), (uint8_t)n};

            buf_reset(&out);
            enum err_code rc = charset_to_utf8(cs, &c, span_of(bytes, 2), &out, NULL);

            assert_true(rc == ERR_OK || rc == ERR_CORRUPT);
            if (rc == ERR_OK) {
                uint8_t *exact = malloc(out.len);

                memcpy(exact, out.data, out.len);
                if (out.len == 0 || out.len > charset_utf8_bytes_max(2)) {
                    fail_msg("%s %04x: %zu bytes", names[i], n, out.len);
                }
                free(exact);
                valid++;
            }
        }
        charset_converter_deinit(&c);
        assert_true(valid >= 127 * 127);
    }
    buf_deinit(&out);
}

TEST(test_charset__shows_where_text_is_bad)
{
    static const struct {
        const char *charset;
        const char *bytes;
        const char *want;
    } bad[] = {
        {"utf8mb4", "c3a9ff30", "not valid utf8mb4 from byte 2 of 4 on: 0xff30"},
        {"utf8mb4", "61e28261", "not valid utf8mb4 from byte 1 of 4 on: 0xe28261"},
        {"ascii", "6162e9", "not valid ascii from byte 2 of 3 on: 0xe9"},
        {"geostd8", "61ff0102030405060708",
         "not valid geostd8 from byte 1 of 10 on: 0xff01020304050607..."},
        {"gbk", "61c4e3ff", "not valid gbk from byte 3 of 4 on: 0xff"},
        {"gbk", "61c4e3ffff", "not valid gbk from byte 3 of 5 on: 0xffff"},
        {"utf16", "0061dc000061", "not valid utf16 from byte 2 of 6 on: 0xdc000061"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[64];
        size_t len = test_unhex(bad[i].bytes, bytes, sizeof bytes);
        struct buf out = {0};
        struct err e = {0};

        assert_err(convert(bad[i].charset, span_of(bytes, len), &out, &e), ERR_CORRUPT, &e);
        assert_string_equal(e.msg, bad[i].want);
        buf_deinit(&out);
    }
}

TEST(test_charset__knows_names)
{
    assert_non_null(charset_find("UTF8MB4"));
    assert_null(charset_find("utf9"));
    assert_string_equal(charset_name(charset_find("GBK")), "gbk");
    assert_true(charset_same("utf8", "utf8mb3"));
    assert_true(charset_same("UTF8", "utf8"));
    assert_false(charset_same("utf8", "utf8mb4"));
    assert_true(charset_is_utf8mb(charset_find("utf8")));
    assert_false(charset_is_utf8mb(charset_find("ascii")));
    assert_true(charset_is_binary(charset_find("binary")));
    assert_true(charset_has_ascii(charset_find("sjis")));
    assert_true(charset_has_ascii(charset_find("latin1")));
    assert_false(charset_has_ascii(charset_find("swe7")));
    assert_false(charset_has_ascii(charset_find("utf16")));
}

TEST(test_charset__knows_collations)
{
    static const struct {
        uint32_t id;
        const char *charset;
    } ids[] = {
        {1, "big5"},       {8, "latin1"},     {33, "utf8mb3"},  {45, "utf8mb4"},  {46, "utf8mb4"},
        {54, "utf16"},     {56, "utf16le"},   {60, "utf32"},    {63, "binary"},   {83, "utf8mb3"},
        {128, "ucs2"},     {249, "gb18030"},  {255, "utf8mb4"}, {309, "utf8mb4"}, {323, "utf8mb4"},
        {2048, "utf8mb3"}, {2304, "utf8mb4"}, {1034, "swe7"},
    };

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const char *name = charset_of_collation(ids[i].id);

        if (name == NULL || strcmp(name, ids[i].charset) != 0) {
            fail_msg("%u is %s, not %s", ids[i].id, name == NULL ? "unknown" : name,
                     ids[i].charset);
        }
    }
    assert_null(charset_of_collation(0));
    assert_null(charset_of_collation(100000));
    for (uint32_t id = 0; id < 5000; id++) {
        const char *name = charset_of_collation(id);

        assert_true(name == NULL || charset_find(name) != NULL);
    }
}

TEST(test_charset__reports_a_full_buffer)
{
    static const char *const names[] = {"utf8mb4", "latin1", "gbk", "utf32"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct charset_converter c;
        struct buf out;
        struct err e = {0};
        uint8_t text[100] = {0};

        charset_converter_init(&c);
        buf_init(&out, 50);
        assert_err(
            charset_to_utf8(charset_find(names[i]), &c, span_of(text, sizeof text), &out, &e),
            ERR_LIMIT, &e);
        buf_deinit(&out);
        charset_converter_deinit(&c);
    }
}

TEST_MAIN(test_case(test_charset__converts_like_the_server),
          test_case(test_charset__gives_utf8_or_an_error),
          test_case(test_charset__shows_where_text_is_bad), test_case(test_charset__knows_names),
          test_case(test_charset__knows_collations), test_case(test_charset__reports_a_full_buffer))
