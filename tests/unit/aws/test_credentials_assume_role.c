#include "aws/sigv4.h"
#include "keys_world.h"

#define ARN "arn:aws:iam::123456789012:role/etl"

/* Keys to assume a role with. Owned by the caller. */
static struct credentials base_keys(const char *token)
{
    struct credentials c = {0};
    struct err e = {0};

    assert_ok(credentials_set(&c, "AKIDBASE", "AKIDBASE-sesame", token, INT64_MAX, &e), &e);
    credentials_set_provider(&c, "profile base");
    return c;
}

static void sts_init(struct world *w)
{
    world_init(w);
    world_set(w, "AWS_ENDPOINT_URL_STS", w->url);
}

static enum err_code assume(struct world *w, const char *token, struct credentials *out)
{
    struct credentials base = base_keys(token);
    const struct credentials_role role = {.arn = ARN, .base = &base, .region = "eu-west-1"};
    enum err_code rc = credentials_assume_role(&w->context, &role, out, &w->e);

    credentials_deinit(&base);
    return rc;
}

/* What a service would compute for the request as it came. */
static void assert_signed(const struct world_seen *seen, const struct credentials *base,
                          const char *region)
{
    const struct http_header headers[] = {{"Content-Type", "application/x-www-form-urlencoded"}};
    char hash[SIGV4_HASH_TEXT_BYTES];
    struct sigv4_headers want = {0};
    struct err e = {0};
    const struct sigv4_request request = {.method = "POST",
                                          .host = seen->host,
                                          .path = "/",
                                          .query = "",
                                          .headers = headers,
                                          .header_count = 1,
                                          .payload_hash = hash};
    const struct sigv4_key key = {.access_key_id = base->access_key_id,
                                  .secret_access_key = base->secret_access_key.text,
                                  .session_token = base->session_token.text,
                                  .region = region,
                                  .service = "sts",
                                  .time_s = WORLD_NOW_US / 1000000};

    sigv4_hash(span_str(seen->body), hash);
    assert_ok(sigv4_sign(&request, &key, &want, &e), &e);
    assert_string_equal(seen->authorization, (const char *)want.authorization.data);
    assert_string_equal(seen->date, "20231114T221320Z");
    sigv4_headers_deinit(&want);
}

TEST(test_credentials_assume_role__signs_and_asks)
{
    static const char *const tokens[] = {NULL, "BASE-sesame-t"};

    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        struct world w;
        struct credentials c = {0};
        struct credentials base = base_keys(tokens[i]);

        sts_init(&w);
        world_answer_sts(&w, "AssumeRole", "ASIA1", 3600);
        assert_ok(assume(&w, tokens[i], &c), &w.e);
        assert_session(&c, "ASIA1", "profile base then role " ARN);
        assert_i64_eq(c.expires_us, WORLD_NOW_US + (int64_t)3600 * 1000000);
        struct world_seen seen = world_request(&w, 0);

        assert_string_equal(seen.line, "POST /");
        assert_string_equal(seen.type, "application/x-www-form-urlencoded");
        assert_string_equal(seen.body,
                            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A"
                            "123456789012%3Arole%2Fetl&RoleSessionName=calve&DurationSeconds=3600");
        assert_string_equal(seen.security_token, tokens[i] == NULL ? "" : tokens[i]);
        assert_signed(&seen, &base, "eu-west-1");
        credentials_deinit(&base);
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

TEST(test_credentials_assume_role__sends_what_it_is_told)
{
    struct world w;
    struct credentials c = {0};
    struct credentials base = base_keys(NULL);
    const struct credentials_role role = {.arn = "arn:aws-cn:iam::1:role/a b",
                                          .session_name = "me@home",
                                          .external_id = "x&y=z",
                                          .duration_us = (int64_t)900 * 1000000,
                                          .base = &base};

    sts_init(&w);
    world_answer_sts(&w, "AssumeRole", "ASIA1", 900);
    assert_ok(credentials_assume_role(&w.context, &role, &c, &w.e), &w.e);
    struct world_seen seen = world_request(&w, 0);

    assert_string_equal(seen.body,
                        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws-cn%3Aiam%3A%3A1"
                        "%3Arole%2Fa%20b&RoleSessionName=me%40home&DurationSeconds=900"
                        "&ExternalId=x%26y%3Dz");
    assert_signed(&seen, &base, "cn-north-1");
    credentials_deinit(&c);
    credentials_deinit(&base);
    world_deinit(&w);
}

TEST(test_credentials_assume_role__signs_for_the_region_that_is_named)
{
    static const struct {
        const char *setting;
        const char *variable;
        const char *profile;
        const char *arn;
        const char *want;
    } cases[] = {
        {"eu-west-1", "eu-west-2", "eu-west-3", ARN, "/eu-west-1/sts/"},
        {NULL, "eu-west-2", "eu-west-3", ARN, "/eu-west-2/sts/"},
        {NULL, NULL, "eu-west-3", ARN, "/eu-west-3/sts/"},
        {NULL, NULL, NULL, ARN, "/us-east-1/sts/"},
        {NULL, NULL, NULL, "arn:aws-us-gov:iam::1:role/r", "/us-gov-west-1/sts/"},
        {NULL, NULL, NULL, "arn:aws-cn:iam::1:role/r", "/cn-north-1/sts/"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        struct credentials base = base_keys(NULL);
        const struct credentials_role role = {.arn = cases[i].arn, .base = &base};

        sts_init(&w);
        w.context.region = cases[i].setting;
        if (cases[i].variable != NULL) {
            world_set(&w, "AWS_REGION", cases[i].variable);
        }
        if (cases[i].profile != NULL) {
            char *text = str_format("[default]\nregion = %s\n", cases[i].profile);

            assert_non_null(text);
            (void)world_file(&w, ".aws/config", text);
            free(text);
        }
        world_answer_sts(&w, "AssumeRole", "ASIA1", 3600);
        assert_ok(credentials_assume_role(&w.context, &role, &c, &w.e), &w.e);
        struct world_seen seen = world_request(&w, 0);

        assert_non_null(strstr(seen.authorization, cases[i].want));
        credentials_deinit(&c);
        credentials_deinit(&base);
        world_deinit(&w);
    }
}

TEST(test_credentials_assume_role__asks_below_the_path_of_an_endpoint)
{
    struct world w;
    struct credentials c = {0};
    char *url;

    world_init(&w);
    url = str_format("%s/services/sts/", w.url);
    assert_non_null(url);
    world_set(&w, "AWS_ENDPOINT_URL", url);
    free(url);
    assert_err(assume(&w, NULL, &c), ERR_CONFIG, &w.e);
    assert_string_equal(world_request(&w, 0).line, "POST /services/sts/");
    world_deinit(&w);
}

TEST(test_credentials_assume_role__tells_wrong_answers)
{
#define ERROR(code, message)                                                          \
    "<ErrorResponse><Error><Type>Sender</Type><Code>" code "</Code><Message>" message \
    "</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    static const struct {
        int status;
        const char *body;
        enum err_code code;
        unsigned requests;
        const char *want;
    } cases[] = {
        {403, ERROR("AccessDenied", "User x may not"), ERR_CONFIG, 1,
         "the answer is 403 AccessDenied: User x may not; see the role's trust policy, and"},
        {403, ERROR("SignatureDoesNotMatch", "no"), ERR_CONFIG, 1, "this machine's clock"},
        {403, ERROR("ExpiredToken", "no"), ERR_CONFIG, 1, "assumed with have ended"},
        {400, ERROR("ValidationError", "no"), ERR_CONFIG, 1, "session name, external id"},
        {404, "", ERR_CONFIG, 1, "for " ARN ": the answer is 404; "},
        {403, "<html>sesame", ERR_CONFIG, 1, "the answer is 403; "},
        {500, "", ERR_IO, 3, "the answer is 500"},
        {503, ERROR("Throttling", "slower"), ERR_IO, 3, "the answer is 503 Throttling: slower"},
        {200, "", ERR_IO, 1, "asking STS at http://127.0.0.1"},
        {200, "sesame", ERR_IO, 1, "asking STS at http://127.0.0.1"},
        {200, "<a/>", ERR_IO, 1, "no Credentials with an Expiration"},
        {200,
         "<AssumeRoleResponse><AssumeRoleResult><Credentials><Expiration>soon</Expiration>"
         "</Credentials></AssumeRoleResult></AssumeRoleResponse>",
         ERR_IO, 1, "no Credentials with an Expiration"},
        {200,
         "<AssumeRoleResponse><AssumeRoleResult><Credentials><Expiration>2024-01-01T00:00:00Z"
         "</Expiration><AccessKeyId>A</AccessKeyId></Credentials></AssumeRoleResult>"
         "</AssumeRoleResponse>",
         ERR_IO, 1, "the secret access key is missing"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};

        sts_init(&w);
        world_answer(&w, "POST /", cases[i].status, cases[i].body);
        assert_err(assume(&w, NULL, &c), cases[i].code, &w.e);
        assert_int_equal(w.e.code, cases[i].code);
        assert_says(&w.e, cases[i].want);
        assert_no_secret(&w.e);
        assert_int_equal(world_requests(&w), cases[i].requests);
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

TEST(test_credentials_assume_role__refuses_an_answer_without_end)
{
    char *large = malloc(CREDENTIALS_ANSWER_BYTES_MAX + 2);
    struct world w;
    struct credentials c = {0};

    assert_non_null(large);
    memset(large, '<', CREDENTIALS_ANSWER_BYTES_MAX + 1);
    large[CREDENTIALS_ANSWER_BYTES_MAX + 1] = '\0';
    sts_init(&w);
    world_answer(&w, "POST /", 200, large);
    assert_err(assume(&w, NULL, &c), ERR_IO, &w.e);
    assert_false(w.e.retryable);
    credentials_deinit(&c);
    world_deinit(&w);
    free(large);
}

TEST(test_credentials_assume_role__refuses_what_sts_would)
{
    static const int64_t durations_s[] = {1, 899, 43201, 86400};

    for (size_t i = 0; i < sizeof durations_s / sizeof durations_s[0]; i++) {
        struct world w;
        struct credentials c = {0};
        struct credentials base = base_keys(NULL);
        const struct credentials_role role = {
            .arn = ARN, .base = &base, .duration_us = durations_s[i] * 1000000};

        sts_init(&w);
        assert_err(credentials_assume_role(&w.context, &role, &c, &w.e), ERR_CONFIG, &w.e);
        assert_says(&w.e, "expected 900 s to 43200 s");
        assert_int_equal(world_requests(&w), 0);
        credentials_deinit(&base);
        world_deinit(&w);
    }
}

TEST(test_credentials_assume_role__refuses_endpoints_and_regions_that_are_none)
{
    static const struct {
        const char *name;
        const char *value;
        const char *want;
    } cases[] = {
        {"AWS_ENDPOINT_URL_STS", "sts.example.com", "AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL"},
        {"AWS_ENDPOINT_URL", "ftp://sts.example.com", "AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL"},
        {"AWS_REGION", "eu west", "the region of AWS_REGION is 'eu west'"},
        {"AWS_DEFAULT_REGION", "eu/west", "the region of AWS_DEFAULT_REGION is 'eu/west'"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        struct credentials base = base_keys(NULL);
        const struct credentials_role role = {.arn = ARN, .base = &base};

        world_init(&w);
        world_set(&w, cases[i].name, cases[i].value);
        assert_err(credentials_assume_role(&w.context, &role, &c, &w.e), ERR_CONFIG, &w.e);
        assert_says(&w.e, cases[i].want);
        credentials_deinit(&base);
        world_deinit(&w);
    }
}

TEST(test_credentials_assume_role__survives_without_memory)
{
    struct world w;

    sts_init(&w);
    TORTURE(nth)
    {
        struct credentials c = {0};

        torture_fail_at(0);
        world_forget(&w);
        world_answer_sts(&w, "AssumeRole", "ASIA1", 3600);
        struct credentials base = base_keys("BASE-sesame-t");
        const struct credentials_role role = {.arn = ARN, .base = &base, .external_id = "x"};

        torture_fail_at(nth);
        enum err_code rc = credentials_assume_role(&w.context, &role, &c, &w.e);

        assert_true(rc == ERR_OK || (rc == ERR_NOMEM && w.e.code == ERR_NOMEM));
        credentials_deinit(&base);
        credentials_deinit(&c);
    }
    world_deinit(&w);
}

/* ---- web identity ---- */

static void web_init(struct world *w)
{
    sts_init(w);
    world_set(w, "AWS_ROLE_ARN", ARN);
    world_set(w, "AWS_WEB_IDENTITY_TOKEN_FILE", world_file(w, "token", "first.sesame\n"));
}

TEST(test_credentials_web_identity__reads_the_token_each_time_and_signs_nothing)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    web_init(&w);
    world_set(&w, "AWS_ROLE_SESSION_NAME", "pod-1");
    world_answer_sts(&w, "AssumeRoleWithWebIdentity", "ASIA1", 3600);
    world_answer_sts(&w, "AssumeRoleWithWebIdentity", "ASIA2", 3600);
    assert_ok(credentials_from_web_identity(&w.context, &configured, &c, &w.e), &w.e);
    assert_true(configured);
    assert_session(&c, "ASIA1", "web identity (role " ARN ")");
    (void)world_file(&w, "token", "second");
    assert_ok(credentials_from_web_identity(&w.context, &configured, &c, &w.e), &w.e);
    assert_session(&c, "ASIA2", "web identity (role " ARN ")");
    assert_string_equal(world_request(&w, 0).body,
                        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws"
                        "%3Aiam%3A%3A123456789012%3Arole%2Fetl&RoleSessionName=pod-1"
                        "&DurationSeconds=3600&WebIdentityToken=first.sesame");
    assert_non_null(strstr(world_request(&w, 1).body, "&WebIdentityToken=second"));
    assert_string_equal(world_request(&w, 0).authorization, "");
    assert_string_equal(world_request(&w, 0).date, "");
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_web_identity__asks_again_while_sts_cannot_see_the_issuer)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    web_init(&w);
    world_answer_times(&w, 2, "POST /", 400, ERROR("IDPCommunicationError", "slow"));
    world_answer_sts(&w, "AssumeRoleWithWebIdentity", "ASIA1", 3600);
    assert_ok(credentials_from_web_identity(&w.context, &configured, &c, &w.e), &w.e);
    assert_int_equal(world_requests(&w), 3);
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_web_identity__says_what_is_missing)
{
    static const struct {
        const char *arn;
        const char *file; /* below HOME */
        bool configured;
        const char *want; /* NULL: fine */
    } cases[] = {
        {NULL, NULL, false, NULL},
        {ARN, NULL, false, NULL},
        {NULL, "token", true, "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN"},
        {ARN, "nothing", true, "the token of the web identity: reading "},
        {ARN, "empty", true, "is empty: expected a token"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = !cases[i].configured;

        sts_init(&w);
        (void)world_file(&w, "token", "sesame");
        (void)world_file(&w, "empty", "\n");
        if (cases[i].arn != NULL) {
            world_set(&w, "AWS_ROLE_ARN", cases[i].arn);
        }
        if (cases[i].file != NULL) {
            char *path = str_format("%s/%s", w.home.path, cases[i].file);

            assert_non_null(path);
            world_set(&w, "AWS_WEB_IDENTITY_TOKEN_FILE", path);
            free(path);
        }
        enum err_code rc = credentials_from_web_identity(&w.context, &configured, &c, &w.e);

        assert_int_equal(configured, cases[i].configured);
        if (cases[i].want == NULL) {
            assert_ok(rc, &w.e);
        } else {
            assert_err(rc, ERR_CONFIG, &w.e);
            assert_says(&w.e, cases[i].want);
        }
        assert_int_equal(world_requests(&w), 0);
        world_deinit(&w);
    }
}

TEST(test_credentials_web_identity__says_whom_to_ask_when_it_is_refused)
{
    static const struct {
        const char *body;
        const char *want;
    } cases[] = {
        {ERROR("ExpiredTokenException", "Token expired"), "does anybody still renew"},
        {ERROR("AccessDenied", "no"), "sts:AssumeRoleWithWebIdentity to the token's issuer"},
        {ERROR("InvalidIdentityToken", "no"), "issuer, subject and audience"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = false;

        web_init(&w);
        world_answer(&w, "POST /", 403, cases[i].body);
        assert_err(credentials_from_web_identity(&w.context, &configured, &c, &w.e), ERR_CONFIG,
                   &w.e);
        assert_true(configured);
        assert_says(&w.e, cases[i].want);
        assert_no_secret(&w.e);
        world_deinit(&w);
    }
}

TEST_MAIN(test_case(test_credentials_assume_role__signs_and_asks),
          test_case(test_credentials_assume_role__sends_what_it_is_told),
          test_case(test_credentials_assume_role__signs_for_the_region_that_is_named),
          test_case(test_credentials_assume_role__asks_below_the_path_of_an_endpoint),
          test_case(test_credentials_assume_role__tells_wrong_answers),
          test_case(test_credentials_assume_role__refuses_an_answer_without_end),
          test_case(test_credentials_assume_role__refuses_what_sts_would),
          test_case(test_credentials_assume_role__refuses_endpoints_and_regions_that_are_none),
          test_case(test_credentials_assume_role__survives_without_memory),
          test_case(test_credentials_web_identity__reads_the_token_each_time_and_signs_nothing),
          test_case(test_credentials_web_identity__asks_again_while_sts_cannot_see_the_issuer),
          test_case(test_credentials_web_identity__says_what_is_missing),
          test_case(test_credentials_web_identity__says_whom_to_ask_when_it_is_refused))
