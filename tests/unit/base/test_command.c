#include "base/command.h"

#include <time.h>

#include "test.h"

static const struct command_options quick = {.timeout_us = 10000000, .output_bytes_max = 1000};

TEST(test_command__splits_words_without_a_shell)
{
    static const struct {
        const char *command;
        const char *want;
    } cases[] = {
        {"printf %s|a 'b c' \"d e\"", "b c|ad e|a"},
        {"printf %s, a\\ b c", "a b,c,"},
        {"printf %s, 'a\\b' \"c\\\"d\" e'f'g", "a\\b,c\"d,efg,"},
        {"printf %s, $HOME `id` a;b > x", "$HOME,`id`,a;b,>,x,"},
        {"  printf\t%s, ''  ", ","},
        {"cat", ""}, /* nothing to read */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};
        struct err e = {0};

        assert_ok(command_output(cases[i].command, &quick, &out, &e), &e);
        assert_text_eq(buf_span(&out), cases[i].want);
        buf_deinit(&out);
    }
}

TEST(test_command__refuses_what_is_no_command)
{
    static const char *const cases[] = {"", "   ", "a 'b", "a \"b", "a b\\", "a '\\'b'"};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};
        struct err e = {0};

        assert_err(command_check(cases[i], &e), ERR_CONFIG, &e);
        assert_err(command_output(cases[i], &quick, &out, &e), ERR_CONFIG, &e);
        buf_deinit(&out);
    }
}

TEST(test_command__tells_how_it_failed_and_nothing_of_its_arguments)
{
    static const struct {
        const char *command;
        enum err_code code;
        const char *part;
    } cases[] = {
        {"/nowhere/program sesame", ERR_CONFIG, "starting /nowhere/program"},
        {"sh -c 'echo sesame; exit 3'", ERR_IO, "sh ended with status 3"},
        {"sh -c 'kill -9 $$; sesame'", ERR_IO, "sh was ended by signal 9"},
        {"sh -c 'while :; do echo sesame sesame; done'", ERR_LIMIT, "more than 1000 bytes"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};
        struct err e = {0};

        assert_err(command_output(cases[i].command, &quick, &out, &e), cases[i].code, &e);
        assert_non_null(strstr(e.msg, cases[i].part));
        assert_null(strstr(e.msg, "sesame"));
        buf_deinit(&out);
    }
}

TEST(test_command__ends_one_that_takes_too_long)
{
    static const char *const cases[] = {"sleep 60", "sh -c 'sleep 60 & sleep 60'",
                                        "sh -c 'exec >&-; sleep 60'"};
    const struct command_options short_time = {.timeout_us = 300000, .output_bytes_max = 10};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};
        struct err e = {0};
        time_t start = time(NULL);

        assert_err(command_output(cases[i], &short_time, &out, &e), ERR_TIMEOUT, &e);
        assert_true(time(NULL) - start < 20);
        buf_deinit(&out);
    }
}

TEST(test_command__gives_the_environment)
{
    static const char *const environment[] = {"CALVE_HOST=db1", "CALVE_PORT=3307", NULL};
    const struct command_options o = {
        .environment = environment, .timeout_us = 10000000, .output_bytes_max = 100};
    struct buf out = {0};
    struct err e = {0};

    assert_ok(
        command_output("sh -c 'echo $CALVE_HOST:$CALVE_PORT; test -n \"$PATH\"'", &o, &out, &e),
        &e);
    assert_text_eq(buf_span(&out), "db1:3307\n");
    buf_deinit(&out);
}

TEST_MAIN(test_case(test_command__splits_words_without_a_shell),
          test_case(test_command__refuses_what_is_no_command),
          test_case(test_command__tells_how_it_failed_and_nothing_of_its_arguments),
          test_case(test_command__ends_one_that_takes_too_long),
          test_case(test_command__gives_the_environment))
