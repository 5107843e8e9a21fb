#include "base/log.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "fake_clock.h"
#include "test.h"

/* A log into a file of its own, at 2026-01-02T03:04:05.678Z. */
struct fixture {
    struct log log;
    struct fake_clock time;
    FILE *file;
    char text[65536];
};

static void open_log(struct fixture *f, enum log_level level, enum log_format format)
{
    f->time = (struct fake_clock){.wall_us = 1767323045678901};
    f->file = tmpfile();
    assert_non_null(f->file);
    log_init(&f->log, fileno(f->file), level, format);
    f->log.clock = fake_clock(&f->time);
}

/* What was logged since the start. */
static const char *logged(struct fixture *f)
{
    (void)fseek(f->file, 0, SEEK_SET);
    size_t len = fread(f->text, 1, sizeof f->text - 1, f->file);

    f->text[len] = '\0';
    return f->text;
}

static void close_log(struct fixture *f)
{
    log_deinit(&f->log);
    (void)fclose(f->file);
}

TEST(test_log__writes_a_line_of_text)
{
    struct fixture f;

    open_log(&f, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_info(&f.log, "snapshot.committed", LOG_STR("table", "shop.orders"), LOG_U64("rows", 3),
             LOG_I64("lag", -1), LOG_F64("seconds", 0.25), LOG_U64("id", UINT64_MAX));
    assert_string_equal(logged(&f), "2026-01-02T03:04:05.678Z info snapshot.committed "
                                    "table=shop.orders rows=3 lag=-1 seconds=0.250 "
                                    "id=18446744073709551615\n");
    close_log(&f);
}

TEST(test_log__writes_a_line_of_json)
{
    struct fixture f;

    open_log(&f, LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_error(&f.log, "run.failed", LOG_STR("error", "say \"no\"\n\\ \x01 \x7f end"),
              LOG_I64("least", INT64_MIN), LOG_F64("ratio", 1.0 / 3), LOG_STR("none", NULL));
    assert_string_equal(
        logged(&f), "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"error\",\"event\":\"run."
                    "failed\",\"error\":\"say \\\"no\\\"\\u000a\\\\ \\u0001 \\u007f end\","
                    "\"least\":-9223372036854775808,\"ratio\":0.333,\"none\":\"\"}\n");
    close_log(&f);
}

TEST(test_log__quotes_text_only_where_it_must)
{
    static const struct {
        const char *value;
        const char *want;
    } cases[] = {
        {"plain", "plain"},
        {"a/b:c.d-e", "a/b:c.d-e"},
        {"b\xc3\xbc"
         "cher",
         "b\xc3\xbc"
         "cher"},
        {"", "\"\""},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"a\"b", "\"a\\\"b\""},
        {"a\tb", "\"a\\u0009b\""},
        {"\x1b[31m", "\"\\u001b[31m\""}, /* a terminal would turn red */
        {"a\xc2\x9b"
         "31m",
         "\"a\\u009b31m\""},          /* the same in one character */
        {"\xff", "\"\xef\xbf\xbd\""}, /* no UTF-8 */
        {"a\xc3", "\"a\xef\xbf\xbd\""},
    };
    struct fixture f;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char want[128];

        open_log(&f, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        log_warn(&f.log, "e", LOG_STR("k", cases[i].value));
        (void)snprintf(want, sizeof want, "2026-01-02T03:04:05.678Z warn e k=%s\n", cases[i].want);
        assert_string_equal(logged(&f), want);
        close_log(&f);
    }
}

/* Whatever bytes a message holds, the line is one JSON object and gives the text back. */
TEST(test_log__json_holds_any_bytes)
{
    struct fixture f;
    char all[256];

    for (size_t i = 0; i < 255; i++) {
        all[i] = (char)(i + 1);
    }
    all[255] = '\0';
    open_log(&f, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_info(&f.log, "e", LOG_STR("v", all), LOG_F64("nan", (double)NAN),
             LOG_F64("inf", (double)INFINITY));
    const char *line = logged(&f);

    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(o);
    const char *v = json_string_value(json_object_get(o, "v"));

    assert_non_null(v);
    assert_memory_equal(v, all, 127);
    assert_true(str_is_utf8(span_str(v)));
    assert_true(json_is_null(json_object_get(o, "nan")));
    assert_true(json_is_null(json_object_get(o, "inf")));
    json_decref(o);
    close_log(&f);
}

TEST(test_log__hides_secrets)
{
    struct fixture f;
    struct secret password = {str_dup("hunter2")};

    assert_non_null(password.text);
    for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        open_log(&f, LOG_LEVEL_INFO, (enum log_format)format);
        log_info(&f.log, "source.connect", LOG_STR("password", secret_show(&password)));
        assert_null(strstr(logged(&f), "hunter2"));
        assert_non_null(strstr(f.text, "***"));
        close_log(&f);
    }
    secret_wipe(&password);
}

TEST(test_log__leaves_out_lower_levels)
{
    struct fixture f;

    open_log(&f, LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    log_debug(&f.log, "a", LOG_U64("n", 1));
    log_info(&f.log, "b", LOG_U64("n", 1));
    assert_string_equal(logged(&f), "");
    log_warn(&f.log, "c", LOG_U64("n", 1));
    log_error(&f.log, "d", LOG_U64("n", 1));
    assert_string_equal(logged(&f), "2026-01-02T03:04:05.678Z warn c n=1\n"
                                    "2026-01-02T03:04:05.678Z error d n=1\n");
    f.log.fd = -1;
    log_error(&f.log, "e", LOG_U64("n", 1));
    log_error(NULL, "e", LOG_U64("n", 1));
    close_log(&f);
}

TEST(test_log__knows_times_before_the_epoch)
{
    struct fixture f;

    open_log(&f, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    f.time.wall_us = -1;
    log_info(&f.log, "e", LOG_U64("n", 1));
    assert_string_equal(logged(&f), "1969-12-31T23:59:59.999Z info e n=1\n");
    close_log(&f);
}

static void count_line(void *ctx)
{
    (*(int *)ctx)++;
}

TEST(test_log__announces_each_line)
{
    struct fixture f;
    int lines = 0;

    open_log(&f, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    f.log.before_line = count_line;
    f.log.before_ctx = &lines;
    log_info(&f.log, "e", LOG_U64("n", 1));
    log_debug(&f.log, "e", LOG_U64("n", 1));
    log_info(&f.log, "e", LOG_U64("n", 1));
    assert_int_equal(lines, 2);
    close_log(&f);
}

enum { THREADS = 4, LINES = 200 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++) {
        log_info(arg, "line", LOG_STR("a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), LOG_I64("i", i));
    }
    return NULL;
}

TEST(test_log__writes_lines_whole_from_many_threads)
{
    struct fixture f;
    pthread_t threads[THREADS];
    int lines = 0;

    open_log(&f, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &f.log), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    (void)fseek(f.file, 0, SEEK_SET);
    while (fgets(f.text, sizeof f.text, f.file) != NULL) {
        int n;
        char end;

        assert_int_equal(sscanf(f.text,
                                "2026-01-02T03:04:05.678Z info line "
                                "a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa i=%d%c",
                                &n, &end),
                         2);
        assert_int_equal(end, '\n');
        lines++;
    }
    assert_int_equal(lines, THREADS * LINES);
    close_log(&f);
}

TEST(test_log__says_at_least_what_happened_without_memory)
{
    struct fixture f;

    open_log(&f, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    torture_fail_at(1);
    log_error(&f.log, "run.failed", LOG_STR("error", "out of memory"));
    torture_fail_at(0);
    assert_string_equal(logged(&f), "error run.failed\n");
    close_log(&f);
    open_log(&f, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    torture_fail_at(1);
    log_error(&f.log, "run.failed", LOG_STR("error", "out of memory"));
    torture_fail_at(0);
    assert_string_equal(logged(&f), "{\"level\":\"error\",\"event\":\"run.failed\"}\n");
    close_log(&f);
}

TEST_MAIN(test_case(test_log__writes_a_line_of_text), test_case(test_log__writes_a_line_of_json),
          test_case(test_log__quotes_text_only_where_it_must),
          test_case(test_log__json_holds_any_bytes), test_case(test_log__hides_secrets),
          test_case(test_log__leaves_out_lower_levels),
          test_case(test_log__knows_times_before_the_epoch),
          test_case(test_log__announces_each_line),
          test_case(test_log__writes_lines_whole_from_many_threads),
          test_case(test_log__says_at_least_what_happened_without_memory))
