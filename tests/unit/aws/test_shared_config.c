#include "aws/shared_config.h"

#include <stdlib.h>

#include "base/buf.h"
#include "test.h"

#define CONFIG      SHARED_CONFIG_FILE_CONFIG
#define CREDENTIALS SHARED_CONFIG_FILE_CREDENTIALS
#define PROFILE     SHARED_CONFIG_KIND_PROFILE
#define SSO         SHARED_CONFIG_KIND_SSO_SESSION
#define SERVICES    SHARED_CONFIG_KIND_SERVICES

static void parse(struct shared_config *c, const char *text, enum shared_config_file which)
{
    struct err e = {0};

    assert_ok(shared_config_parse(c, span_str(text), which,
                                  which == CONFIG ? "the config" : "the credentials", &e),
              &e);
}

TEST(test_shared_config__reads_sections_and_values)
{
    static const struct {
        const char *text;
        enum shared_config_file which;
        enum shared_config_kind kind;
        const char *section;
        const char *name;
        const char *want; /* NULL: not there */
    } cases[] = {
        {"[default]\nregion=eu-west-1\n", CONFIG, PROFILE, "default", "region", "eu-west-1"},
        {"[default]\nregion=eu-west-1", CONFIG, PROFILE, "default", "region", "eu-west-1"},
        {"[default]\r\nregion = eu-west-1\r\n", CONFIG, PROFILE, "default", "region", "eu-west-1"},
        {"\xef\xbb\xbf[default]\nregion=x\n", CONFIG, PROFILE, "default", "region", "x"},
        {"[profile etl]\nregion=x\n", CONFIG, PROFILE, "etl", "region", "x"},
        {"[profile \t etl ]\nregion=x\n", CONFIG, PROFILE, "etl", "region", "x"},
        {"[ profile etl ]\nregion=x\n", CONFIG, PROFILE, "etl", "region", "x"},
        {"[profile 'my etl']\nregion=x\n", CONFIG, PROFILE, "my etl", "region", "x"},
        {"[profile \"my etl\"]\nregion=x\n", CONFIG, PROFILE, "my etl", "region", "x"},
        {"[profile a b]\nregion=x\n", CONFIG, PROFILE, "a b", "region", "x"},
        {"[profile default]\nregion=x\n", CONFIG, PROFILE, "default", "region", "x"},
        {"[etl]\nregion=x\n", CONFIG, PROFILE, "etl", "region", NULL},
        {"[etl]\nregion=x\n", CREDENTIALS, PROFILE, "etl", "region", "x"},
        {"[profile etl]\nregion=x\n", CREDENTIALS, PROFILE, "etl", "region", NULL},
        {"[profile etl]\nregion=x\n", CREDENTIALS, PROFILE, "profile etl", "region", "x"},
        {"[sso-session dev]\nsso_region=x\n", CONFIG, SSO, "dev", "sso_region", "x"},
        {"[sso-session dev]\nsso_region=x\n", CONFIG, PROFILE, "dev", "sso_region", NULL},
        {"[services s]\nsts =\n  endpoint_url = http://h\n", CONFIG, SERVICES, "s",
         "sts.endpoint_url", "http://h"},
        {"[profilex]\nregion=x\n", CONFIG, PROFILE, "x", "region", NULL},
        {"[default] # why\nregion=x\n", CONFIG, PROFILE, "default", "region", "x"},
        {"[default];why\nregion=x\n", CONFIG, PROFILE, "default", "region", "x"},
        {"# why\n ; why\n\n \t\n[default]\n#region=y\nregion=x\n", CONFIG, PROFILE, "default",
         "region", "x"},
        {"[default]\nRegion\t =\t x y \t\n", CONFIG, PROFILE, "default", "region", "x y"},
        {"[default]\nregion = x # why\n", CONFIG, PROFILE, "default", "region", "x"},
        {"[default]\nregion = x\t; why # why\n", CONFIG, PROFILE, "default", "region", "x"},
        {"[default]\nregion = a#b;c\n", CONFIG, PROFILE, "default", "region", "a#b;c"},
        {"[default]\nregion =#b\n", CONFIG, PROFILE, "default", "region", "#b"},
        {"[default]\nregion = # why\n", CONFIG, PROFILE, "default", "region", NULL},
        {"[default]\nregion =\n", CONFIG, PROFILE, "default", "region", NULL},
        {"[default]\nkey = a=b==\n", CONFIG, PROFILE, "default", "key", "a=b=="},
        {"[default]\nregion=x\nregion=y\n", CONFIG, PROFILE, "default", "region", "y"},
        {"[default]\nregion=x\n[profile p]\n[default]\nother=y\n", CONFIG, PROFILE, "default",
         "region", "x"},
        {"[default]\n  region=x\n  other=y\n", CONFIG, PROFILE, "default", "other", "y"},
        {"[default]\n  region=x\nother=y\n", CONFIG, PROFILE, "default", "other", "y"},
        {"[default]\nkey = a\n  b # why\n\tc\n", CONFIG, PROFILE, "default", "key", "a\nb\nc"},
        {"[default]\nkey = a\n\n  b\n", CONFIG, PROFILE, "default", "key", "a\nb"},
        {"[default]\nkey = a\n  [b]\n", CONFIG, PROFILE, "default", "key", "a\n[b]"},
        {"[default]\ns3 =\n  region = x\n  # why\n  Max = y # why\n", CONFIG, PROFILE, "default",
         "region", NULL},
        {"[default]\ns3 =\n  region = x\n  # why\n  Max = y # why\n", CONFIG, PROFILE, "default",
         "s3.region", "x"},
        {"[default]\ns3 =\n  region = x\n  # why\n  Max = y # why\n", CONFIG, PROFILE, "default",
         "s3.max", "y"},
        {"[default]\ns3 =\n  max = y\nregion = x\n", CONFIG, PROFILE, "default", "region", "x"},
        {"", CONFIG, PROFILE, "default", "region", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shared_config c;

        shared_config_init(&c);
        parse(&c, cases[i].text, cases[i].which);
        const char *got = shared_config_text(
            shared_config_find(&c, cases[i].kind, cases[i].section), cases[i].name);

        if (cases[i].want == NULL ? got != NULL : got == NULL || strcmp(got, cases[i].want) != 0) {
            fail_msg("case %zu, %s: '%s'", i, cases[i].text, got == NULL ? "(none)" : got);
        }
        shared_config_deinit(&c);
    }
}

TEST(test_shared_config__lets_the_credentials_file_win)
{
    struct shared_config c;

    shared_config_init(&c);
    parse(&c, "[default]\nregion = config\nkey = config\n[profile etl]\nkey = config\n", CONFIG);
    parse(&c, "[default]\nkey = credentials\n\n[etl]\nkey = credentials\n", CREDENTIALS);
    const struct shared_config_section *s = shared_config_find(&c, PROFILE, "default");
    const struct shared_config_value *v = shared_config_value(s, "key");

    assert_string_equal(shared_config_text(s, "region"), "config");
    assert_string_equal(v->text, "credentials");
    assert_string_equal(v->file, "the credentials");
    assert_int_equal(v->line, 2);
    assert_string_equal(shared_config_text(shared_config_find(&c, PROFILE, "etl"), "key"),
                        "credentials");
    shared_config_deinit(&c);
}

TEST(test_shared_config__prefers_profile_default_to_default)
{
    static const char *const cases[] = {
        "[default]\nkey = plain\nonly = plain\n[profile default]\nkey = named\n",
        "[profile default]\nkey = named\n[default]\nkey = plain\nonly = plain\n",
        "[default]\nkey = plain\n[profile default]\nkey = named\n[default]\nonly = plain\n",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shared_config c;

        shared_config_init(&c);
        parse(&c, cases[i], CONFIG);
        parse(&c, "[default]\nother = credentials\n", CREDENTIALS);
        const struct shared_config_section *s = shared_config_find(&c, PROFILE, "default");

        assert_string_equal(shared_config_text(s, "key"), "named");
        assert_null(shared_config_text(s, "only"));
        assert_string_equal(shared_config_text(s, "other"), "credentials");
        shared_config_deinit(&c);
    }
}

TEST(test_shared_config__names_the_line_that_is_wrong_and_shows_nothing_of_it)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {"[default]\nsesame\n", "f line 2: expected [section], name = value, or a comment"},
        {"sesame = sesame\n", "f line 1: a value stands in front of the first [section]"},
        {"  sesame = sesame\n", "f line 1: a value stands in front of the first [section]"},
        {"\n[sesame\n", "f line 2: a section's name has no ']' behind it"},
        {"[a] sesame\n", "f line 1: there is something behind a section's ']'"},
        {"[a]\n\n[ ]\n", "f line 3: a section has no name"},
        {"[profile '']\n", "f line 1: a section has no name"},
        {"[a]\n = sesame\n", "f line 2: a value has no name in front of its '='"},
        {"[a]\ns3 =\n  sesame\n", "f line 3: expected [section], name = value, or a comment"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shared_config c;
        struct err e = {0};

        shared_config_init(&c);
        assert_err(shared_config_parse(&c, span_str(cases[i].text), CONFIG, "f", &e), ERR_CONFIG,
                   &e);
        assert_string_equal(e.msg, cases[i].want);
        shared_config_deinit(&c);
    }
}

TEST(test_shared_config__refuses_what_is_no_text_or_too_much)
{
    static const char nul[] = "[a]\nb = c\0d\n";
    char *large = calloc(1, SHARED_CONFIG_BYTES_MAX + 1);
    struct buf sections = {0};
    struct shared_config c;
    struct err e = {0};

    assert_non_null(large);
    shared_config_init(&c);
    assert_err(shared_config_parse(&c, span_of(nul, sizeof nul - 1), CONFIG, "f", &e), ERR_CONFIG,
               &e);
    assert_string_equal(e.msg, "f has a NUL byte: it is no text file");

    memset(large, '\n', SHARED_CONFIG_BYTES_MAX + 1);
    assert_err(
        shared_config_parse(&c, span_of(large, SHARED_CONFIG_BYTES_MAX + 1), CONFIG, "f", &e),
        ERR_LIMIT, &e);
    assert_ok(shared_config_parse(&c, span_of(large, SHARED_CONFIG_BYTES_MAX), CONFIG, "f", &e),
              &e);

    for (unsigned i = 0; i < 20000; i++) {
        buf_printf(&sections, "[%u]\n", i);
    }
    assert_err(shared_config_parse(&c, buf_span(&sections), CREDENTIALS, "f", &e), ERR_LIMIT, &e);
    shared_config_deinit(&c);
    buf_deinit(&sections);
    free(large);
}

static const char whole[] = "\xef\xbb\xbf# why\n[default]\r\nregion = eu-west-1 ; why\n"
                            "s3 =\n  max = 3\n  addressing = path\n"
                            "[profile \"etl x\"] # why\ncredential_process = a\n  b\n"
                            "[sso-session dev]\nsso_region = x\n[services s]\nsts =\n\turl = y\n"
                            "[profile default]\nregion = z\n";

TEST(test_shared_config__survives_every_truncation)
{
    for (size_t len = 0; len < sizeof whole; len++) {
        struct shared_config c;
        struct err e = {0};
        char *text = malloc(len + 1); /* exactly as long, for sanitizers */

        assert_non_null(text);
        memcpy(text, whole, len);
        shared_config_init(&c);
        enum err_code rc = shared_config_parse(&c, span_of(text, len), CONFIG, "f", &e);

        assert_true(rc == ERR_OK || rc == ERR_CONFIG);
        shared_config_deinit(&c);
        free(text);
    }
}

TEST(test_shared_config__survives_without_memory)
{
    TORTURE(nth)
    {
        struct shared_config c;
        struct err e = {0};

        shared_config_init(&c);
        enum err_code rc = shared_config_parse(&c, span_str(whole), CONFIG, "f", &e);

        if (rc == ERR_OK) {
            rc = shared_config_parse(&c, span_str("[default]\nregion = y\n"), CREDENTIALS, "g", &e);
        }
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        if (rc == ERR_OK) {
            assert_string_equal(
                shared_config_text(shared_config_find(&c, PROFILE, "default"), "region"), "y");
        }
        shared_config_deinit(&c);
    }
}

TEST_MAIN(test_case(test_shared_config__reads_sections_and_values),
          test_case(test_shared_config__lets_the_credentials_file_win),
          test_case(test_shared_config__prefers_profile_default_to_default),
          test_case(test_shared_config__names_the_line_that_is_wrong_and_shows_nothing_of_it),
          test_case(test_shared_config__refuses_what_is_no_text_or_too_much),
          test_case(test_shared_config__survives_every_truncation),
          test_case(test_shared_config__survives_without_memory))
