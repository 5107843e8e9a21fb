#include "codec/civil_time.h"
#include "keys_world.h"

TEST(test_credentials_answer__prints_times_that_read_back)
{
    static const int64_t seconds[] = {0, 1, -1, 86399, 86400, -86400, 1700000000, 253402300799};

    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        char text[CREDENTIALS_TIME_TEXT_BYTES];
        int64_t back_us;

        credentials_put_time(text, seconds[i] * 1000000);
        assert_true(civil_time_parse(text, &back_us));
        assert_i64_eq(back_us, seconds[i] * 1000000);
    }
    char text[CREDENTIALS_TIME_TEXT_BYTES];

    credentials_put_time(text, WORLD_NOW_US);
    assert_string_equal(text, "2023-11-14T22:13:20Z");
}

TEST(test_credentials_answer__takes_only_texts_that_can_go_into_a_header)
{
    static const struct {
        const char *id;
        const char *secret;
        const char *token;
        const char *want; /* of the message; NULL: fine */
    } cases[] = {
        {"AKID", "sesame", NULL, NULL},
        {"AKID", "sesame", "", NULL},
        {"AKID", "ses/am+e=", "sesame==", NULL},
        {NULL, "sesame", NULL, "the access key id is missing"},
        {"AKID", "", NULL, "the secret access key is missing"},
        {"AK ID", "sesame", NULL, "strange character in the access key id"},
        {"AKID", "sesame\n", NULL, "strange character in the secret access key"},
        {"AKID", "sesame", "ses\xc3\xa4me", "strange character in the session token"},
        {"AKID", "sesame", "sesame\r\nX: y", "strange character in the session token"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct credentials c = {0};
        struct err e = {0};
        enum err_code rc =
            credentials_set(&c, cases[i].id, cases[i].secret, cases[i].token, INT64_MAX, &e);

        if (cases[i].want == NULL) {
            assert_ok(rc, &e);
            assert_int_equal(c.session_token.text == NULL,
                             cases[i].token == NULL || cases[i].token[0] == '\0');
        } else {
            assert_err(rc, ERR_CONFIG, &e);
            assert_says(&e, cases[i].want);
            assert_no_secret(&e);
        }
        credentials_deinit(&c);
        assert_null(c.access_key_id);
    }
}

TEST(test_credentials_answer__says_what_is_wrong_with_json_and_shows_none)
{
    static const struct {
        const char *json;
        const char *want;
    } cases[] = {
        {"", "expected JSON, found 0 bytes"},
        {"sesame", "expected JSON, found 6 bytes that are not (line 1"},
        {"{\"AccessKeyId\": sesame", "expected JSON"},
        {"[]", "expected a JSON object"},
        {"{}", "no text \"AccessKeyId\""},
        {"{\"AccessKeyId\":\"A\"}", "no text \"SecretAccessKey\""},
        {"{\"AccessKeyId\":1,\"SecretAccessKey\":\"sesame\"}", "no text \"AccessKeyId\""},
        {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"sesame\",\"Token\":1}",
         "a \"Token\" that is no text"},
        {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"sesame\",\"Expiration\":1}",
         "an \"Expiration\" that is no time"},
        {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"sesame\",\"Expiration\":\"soon\"}",
         "an \"Expiration\" that is no time"},
        {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"sesame\\n\"}",
         "the JSON is wrong: there is a blank"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct credentials c = {0};
        struct err e = {0};
        json_t *answer;
        enum err_code rc = credentials_parse_json(span_str(cases[i].json), &answer, &e);

        if (rc == ERR_OK) {
            rc = credentials_from_json(answer, "Token", &c, &e);
            json_decref(answer);
        }
        assert_err(rc, ERR_IO, &e);
        assert_int_equal(e.code, ERR_IO);
        assert_says(&e, cases[i].want);
        assert_no_secret(&e);
        credentials_deinit(&c);
    }
}

TEST(test_credentials_answer__lets_token_and_end_be_missing)
{
    static const char *const cases[] = {
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"A-sesame\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"A-sesame\",\"Token\":null,"
        "\"Expiration\":null}",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct credentials c = {0};
        struct err e = {0};
        json_t *answer;

        assert_ok(credentials_parse_json(span_str(cases[i]), &answer, &e), &e);
        assert_ok(credentials_from_json(answer, "Token", &c, &e), &e);
        json_decref(answer);
        assert_null(c.session_token.text);
        assert_i64_eq(c.expires_us, INT64_MAX);
        credentials_deinit(&c);
    }
}

TEST(test_credentials_answer__tells_a_refusal_in_one_clean_line)
{
    static const struct {
        int status;
        const char *code;
        const char *message;
        const char *hint;
        enum err_code want_code;
        const char *want;
    } cases[] = {
        {403, "AccessDenied", "not you", "see the policy", ERR_CONFIG,
         "asking: the answer is 403 AccessDenied: not you; see the policy"},
        {404, NULL, NULL, NULL, ERR_CONFIG, "asking: the answer is 404"},
        {400, NULL, "a\x1b[31m\nb\xff", NULL, ERR_CONFIG, "asking: the answer is 400: a [31m b "},
        {503, "SlowDown", NULL, "see the policy", ERR_IO, "asking: the answer is 503 SlowDown"},
        {429, NULL, NULL, NULL, ERR_IO, "asking: the answer is 429"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};

        assert_err(credentials_refused("asking", cases[i].status, cases[i].code, cases[i].message,
                                       cases[i].hint, &e),
                   cases[i].want_code, &e);
        assert_string_equal(e.msg, cases[i].want);
        assert_int_equal(e.retryable, cases[i].want_code == ERR_IO);
    }
}

TEST_MAIN(test_case(test_credentials_answer__prints_times_that_read_back),
          test_case(test_credentials_answer__takes_only_texts_that_can_go_into_a_header),
          test_case(test_credentials_answer__says_what_is_wrong_with_json_and_shows_none),
          test_case(test_credentials_answer__lets_token_and_end_be_missing),
          test_case(test_credentials_answer__tells_a_refusal_in_one_clean_line))
