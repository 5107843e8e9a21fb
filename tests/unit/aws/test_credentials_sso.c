#include "keys_world.h"

/* sha1 of "dev" and of "https://x.awsapps.com/start", as sha1sum says. */
#define CACHE_OF_SESSION ".aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json"
#define CACHE_OF_URL     ".aws/sso/cache/3947de8b16688092197fa616c34e01335f21d256.json"

#define KEYS_KEY  "GET /federation/credentials"
#define TOKEN_KEY "POST /token"

#define SESSION_CONFIG                                                                  \
    "[profile etl]\nsso_session = dev\nsso_account_id = 123456789012\nsso_role_name = " \
    "Etl Reader\n[sso-session dev]\nsso_region = eu-west-1\nsso_start_url = "           \
    "https://x.awsapps.com/start\n"

static void sso_init(struct world *w, const char *config)
{
    world_init(w);
    world_set(w, "AWS_PROFILE", "etl");
    world_set(w, "AWS_ENDPOINT_URL_SSO", w->url);
    world_set(w, "AWS_ENDPOINT_URL_SSO_OIDC", w->url);
    (void)world_file(w, ".aws/config", config);
}

/* token_s, client_s: how long they are good; client_s 0: nothing to renew it with. */
static void put_cache(struct world *w, const char *name, int64_t token_s, int64_t client_s)
{
    char until[CREDENTIALS_TIME_TEXT_BYTES];
    char client_until[CREDENTIALS_TIME_TEXT_BYTES];
    char *text = str_format(
        "{\"startUrl\":\"https://x.awsapps.com/start\",\"region\":\"eu-west-1\","
        "\"accessToken\":\"old-sesame-t\",\"expiresAt\":\"%s\"%s%s%s}",
        world_time(w, token_s, until),
        client_s == 0 ? ""
                      : ",\"clientId\":\"client\",\"clientSecret\":\"client-sesame\","
                        "\"refreshToken\":\"refresh\\u00e4-sesame-t\",\"registrationExpiresAt\":\"",
        client_s == 0 ? "" : world_time(w, client_s, client_until), client_s == 0 ? "" : "\"");

    assert_non_null(text);
    (void)world_file(w, name, text);
    free(text);
}

static void answer_keys(struct world *w)
{
    char *text = str_format("{\"roleCredentials\":{\"accessKeyId\":\"ASIA1\",\"secretAccessKey\":"
                            "\"ASIA1-sesame\",\"sessionToken\":\"ASIA1-sesame-t\",\"expiration\":"
                            "%" PRId64 "}}",
                            w->time.wall_us / 1000 + 3600000);

    assert_non_null(text);
    world_answer(w, KEYS_KEY, 200, text);
    free(text);
}

/* The file as it is now. malloc'd. */
static char *get_file(struct world *w, const char *name)
{
    char *path = str_format("%s/%s", w->home.path, name);
    struct buf text = {0};

    assert_non_null(path);
    assert_ok(credentials_read_file(path, 65536, &text, NULL, &w->e), &w->e);
    free(path);
    return buf_take_text(&text);
}

static enum err_code get(struct world *w, struct credentials *c)
{
    bool configured = false;
    enum err_code rc = credentials_from_profile(&w->context, &configured, c, &w->e);

    assert_true(configured);
    return rc;
}

TEST(test_credentials_sso__shows_the_token_of_the_session)
{
    struct world w;
    struct credentials c = {0};

    sso_init(&w, SESSION_CONFIG);
    put_cache(&w, CACHE_OF_SESSION, 3600, 0);
    world_answer_times(&w, 1, KEYS_KEY, 500, "");
    answer_keys(&w);
    assert_ok(get(&w, &c), &w.e);
    assert_session(&c, "ASIA1", "profile etl (sso)");
    assert_i64_eq(c.expires_us, WORLD_NOW_US + (int64_t)3600 * 1000000);
    assert_int_equal(world_requests(&w), 2);
    assert_string_equal(
        world_request(&w, 1).line,
        "GET /federation/credentials?role_name=Etl%20Reader&account_id=123456789012");
    assert_string_equal(world_request(&w, 1).bearer, "old-sesame-t");
    assert_string_equal(world_request(&w, 1).authorization, "");
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_sso__knows_the_older_form)
{
    struct world w;
    struct credentials c = {0};

    sso_init(&w, "[profile etl]\nsso_start_url = https://x.awsapps.com/start\nsso_region = "
                 "eu-west-1\nsso_account_id = 1\nsso_role_name = R\n");
    put_cache(&w, CACHE_OF_URL, 3600, 0);
    answer_keys(&w);
    assert_ok(get(&w, &c), &w.e);
    assert_session(&c, "ASIA1", "profile etl (sso)");
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_sso__says_what_is_missing)
{
    static const struct {
        const char *config;
        const char *want;
    } cases[] = {
        {"[profile etl]\nsso_session = dev\n", "has no section [sso-session dev]"},
        {"[profile etl]\nsso_session = dev\n[sso-session dev]\nsso_region = x\n",
         "sso_start_url is missing in [sso-session dev]"},
        {"[profile etl]\nsso_session = dev\n[sso-session dev]\nsso_start_url = x\n",
         "sso_region is missing in [sso-session dev]"},
        {"[profile etl]\nsso_session = dev\nsso_role_name = x\n[sso-session dev]\n"
         "sso_start_url = x\nsso_region = x\n",
         "sso_account_id is missing in [profile etl]"},
        {"[profile etl]\nsso_session = dev\nsso_account_id = x\n[sso-session dev]\n"
         "sso_start_url = x\nsso_region = x\n",
         "sso_role_name is missing in [profile etl]"},
        {"[profile etl]\nsso_account_id = x\n", "sso_start_url is missing in [profile etl]"},
        {"[profile etl]\nsso_start_url = x\n", "sso_region is missing in [profile etl]"},
        {SESSION_CONFIG, "nobody has signed in yet: run `aws sso login --profile etl`"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};

        sso_init(&w, cases[i].config);
        assert_err(get(&w, &c), ERR_CONFIG, &w.e);
        assert_says(&w.e, cases[i].want);
        assert_int_equal(world_requests(&w), 0);
        world_deinit(&w);
    }
}

TEST(test_credentials_sso__asks_for_a_sign_in_when_the_token_has_ended)
{
    static const struct {
        const char *cache; /* NULL: as put_cache() makes it */
        int64_t token_s;
        int64_t client_s;
        const char *want;
    } cases[] = {
        {NULL, 0, 0, "the SSO token has ended: run `aws sso login --profile etl`"},
        {NULL, -1, 0, "the SSO token has ended: run `aws sso login --profile etl`"},
        {NULL, -1, -1, "the SSO token has ended: run `aws sso login --profile etl`"},
        {"{}", 0, 0, "the SSO token has ended: run `aws sso login --profile etl`"},
        {"{\"accessToken\":1,\"expiresAt\":\"2030-01-01T00:00:00Z\"}", 0, 0, "run `aws sso login"},
        {"{\"accessToken\":\"sesame\",\"expiresAt\":\"soon\"}", 0, 0, "run `aws sso login"},
        {"{\"accessToken\":\"sesame\"}", 0, 0, "run `aws sso login"},
        {"sesame", 0, 0, ".json: expected JSON"},
        {"", 0, 0, ".json: expected JSON"},
        {"[]", 0, 0, ".json: expected a JSON object"},
        {"{\"accessToken\":\"ses ame\",\"expiresAt\":\"2030-01-01T00:00:00Z\"}", 0, 0,
         "strange character in the SSO token"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};

        sso_init(&w, SESSION_CONFIG);
        if (cases[i].cache == NULL) {
            put_cache(&w, CACHE_OF_SESSION, cases[i].token_s, cases[i].client_s);
        } else {
            (void)world_file(&w, CACHE_OF_SESSION, cases[i].cache);
        }
        assert_err(get(&w, &c), ERR_CONFIG, &w.e);
        assert_int_equal(w.e.code, ERR_CONFIG);
        assert_says(&w.e, cases[i].want);
        assert_no_secret(&w.e);
        assert_int_equal(world_requests(&w), 0);
        world_deinit(&w);
    }
}

TEST(test_credentials_sso__reads_times_as_older_clis_wrote_them)
{
    struct world w;
    struct credentials c = {0};

    sso_init(&w, SESSION_CONFIG);
    (void)world_file(&w, CACHE_OF_SESSION,
                     "{\"accessToken\":\"x\",\"expiresAt\":\"2023-11-15T22:13:20UTC\"}");
    answer_keys(&w);
    assert_ok(get(&w, &c), &w.e);
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_sso__renews_the_token_and_writes_it_back)
{
    static const int64_t token_s[] = {-86400, 0, 299};

    for (size_t i = 0; i < sizeof token_s / sizeof token_s[0]; i++) {
        struct world w;
        struct credentials c = {0};
        struct stat st;

        sso_init(&w, SESSION_CONFIG);
        put_cache(&w, CACHE_OF_SESSION, token_s[i], 86400);
        world_answer(
            &w, TOKEN_KEY, 200,
            "{\"accessToken\":\"new-sesame-t\",\"expiresIn\":3600,\"refreshToken\":\"next\","
            "\"tokenType\":\"Bearer\"}");
        answer_keys(&w);
        assert_ok(get(&w, &c), &w.e);
        assert_session(&c, "ASIA1", "profile etl (sso)");
        struct world_seen seen = world_request(&w, 0);

        assert_string_equal(seen.line, TOKEN_KEY);
        assert_string_equal(seen.type, "application/json");
        assert_string_equal(seen.body, "{\"grantType\":\"refresh_token\",\"clientId\":\"client\","
                                       "\"clientSecret\":\"client-sesame\",\"refreshToken\":"
                                       "\"refresh\xc3\xa4-sesame-t\"}");
        assert_string_equal(world_request(&w, 1).bearer, "new-sesame-t");

        char *text = get_file(&w, CACHE_OF_SESSION);
        json_t *cache = json_loads(text, 0, NULL);

        assert_non_null(cache);
        assert_string_equal(json_string_value(json_object_get(cache, "accessToken")),
                            "new-sesame-t");
        assert_string_equal(json_string_value(json_object_get(cache, "refreshToken")), "next");
        assert_string_equal(json_string_value(json_object_get(cache, "expiresAt")),
                            "2023-11-14T23:13:20Z");
        assert_string_equal(json_string_value(json_object_get(cache, "clientId")), "client");
        json_decref(cache);
        free(text);
        char *path = str_format("%s/%s", w.home.path, CACHE_OF_SESSION);

        assert_non_null(path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        free(path);
        assert_int_equal(temp_count(&w.home, ".aws/sso/cache"), 1); /* no leftover beside it */
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

TEST(test_credentials_sso__leaves_a_token_alone_that_lasts)
{
    struct world w;
    struct credentials c = {0};

    sso_init(&w, SESSION_CONFIG);
    put_cache(&w, CACHE_OF_SESSION, 301, 86400);
    answer_keys(&w);
    assert_ok(get(&w, &c), &w.e);
    assert_int_equal(world_requests(&w), 1);
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_sso__goes_on_with_a_good_token_when_renewing_fails)
{
    struct world w;
    struct credentials c = {0};

    sso_init(&w, SESSION_CONFIG);
    put_cache(&w, CACHE_OF_SESSION, 200, 86400);
    world_answer(&w, TOKEN_KEY, 400, "{\"error\":\"invalid_grant\"}");
    answer_keys(&w);
    assert_ok(get(&w, &c), &w.e);
    assert_int_equal(world_requests(&w), 2);
    assert_string_equal(world_request(&w, 1).bearer, "old-sesame-t");
    assert_true(world_logged(&w, "credentials.sso_token_not_renewed profile=etl"));
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_sso__says_why_a_token_could_not_be_renewed)
{
    static const struct {
        int status;
        const char *body;
        enum err_code code;
        const char *want;
    } cases[] = {
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"too old\"}", ERR_CONFIG,
         "the answer is 400 invalid_grant: too old: run `aws sso login --profile etl`"},
        {500, "", ERR_IO, "/token: the answer is 500"},
        {200, "", ERR_IO, "/token: expected JSON"},
        {200, "{}", ERR_IO, "no \"accessToken\" with an \"expiresIn\""},
        {200, "{\"accessToken\":\"sesame\"}", ERR_IO, "no \"accessToken\" with an \"expiresIn\""},
        {200, "{\"accessToken\":\"sesame\",\"expiresIn\":0}", ERR_IO, "with an \"expiresIn\""},
        {200, "{\"accessToken\":\"sesame\",\"expiresIn\":\"3600\"}", ERR_IO, "with an"},
        {200, "{\"accessToken\":\"sesame\",\"expiresIn\":9223372036854775807}", ERR_IO, "with an"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};

        sso_init(&w, SESSION_CONFIG);
        put_cache(&w, CACHE_OF_SESSION, -1, 86400);
        world_answer(&w, TOKEN_KEY, cases[i].status, cases[i].body);
        assert_err(get(&w, &c), cases[i].code, &w.e);
        assert_says(&w.e, cases[i].want);
        assert_no_secret(&w.e);
        char *text = get_file(&w, CACHE_OF_SESSION);

        assert_non_null(strstr(text, "old-sesame-t")); /* as it was */
        free(text);
        world_deinit(&w);
    }
}

TEST(test_credentials_sso__goes_on_when_the_cache_cannot_be_written)
{
    struct world w;
    struct credentials c = {0};

    sso_init(&w, SESSION_CONFIG);
    put_cache(&w, CACHE_OF_SESSION, -1, 86400);
    world_answer(&w, TOKEN_KEY, 200, "{\"accessToken\":\"new-sesame-t\",\"expiresIn\":3600}");
    answer_keys(&w);
    char *folder = str_format("%s/.aws/sso/cache", w.home.path);

    assert_non_null(folder);
    assert_int_equal(chmod(w.home.path, 0755), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    if (temp_become_nobody()) {
        enum err_code rc = get(&w, &c);

        temp_become_root();
        assert_ok(rc, &w.e);
        assert_string_equal(world_request(&w, 1).bearer, "new-sesame-t");
        assert_true(world_logged(&w, "credentials.sso_cache_not_written profile=etl"));
        char *text = get_file(&w, CACHE_OF_SESSION);

        assert_non_null(strstr(text, "old-sesame-t"));
        free(text);
    }
    assert_int_equal(chmod(folder, 0755), 0);
    free(folder);
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_sso__tells_wrong_answers)
{
    static const struct {
        int status;
        const char *body;
        enum err_code code;
        unsigned requests;
        const char *want;
    } cases[] = {
        {401, "{\"message\":\"Session token not found or invalid\"}", ERR_CONFIG, 1,
         "the SSO token is no longer accepted: run `aws sso login --profile etl`"},
        {403, "{\"message\":\"No access\",\"__type\":\"ForbiddenException\"}", ERR_CONFIG, 1,
         "the answer is 403 ForbiddenException: No access; see sso_account_id and sso_role_name"},
        {404, "", ERR_CONFIG, 1, "the answer is 404; see sso_account_id"},
        {429, "", ERR_IO, 3, "the answer is 429"},
        {500, "", ERR_IO, 3, "the answer is 500"},
        {200, "", ERR_IO, 1, "expected JSON"},
        {200, "<html>sesame", ERR_IO, 1, "expected JSON"},
        {200, "{}", ERR_IO, 1, "no \"roleCredentials\" with an \"expiration\""},
        {200, "{\"roleCredentials\":{\"expiration\":\"x\"}}", ERR_IO, 1, "with an"},
        {200, "{\"roleCredentials\":{\"expiration\":-1}}", ERR_IO, 1, "with an"},
        {200, "{\"roleCredentials\":{\"expiration\":9223372036854775807}}", ERR_IO, 1, "with an"},
        {200, "{\"roleCredentials\":{\"expiration\":1800000000000,\"accessKeyId\":\"A\"}}", ERR_IO,
         1, "the secret access key is missing"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};

        sso_init(&w, SESSION_CONFIG);
        put_cache(&w, CACHE_OF_SESSION, 3600, 0);
        world_answer(&w, KEYS_KEY, cases[i].status, cases[i].body);
        assert_err(get(&w, &c), cases[i].code, &w.e);
        assert_says(&w.e, cases[i].want);
        assert_no_secret(&w.e);
        assert_int_equal(world_requests(&w), cases[i].requests);
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

TEST(test_credentials_sso__survives_without_memory)
{
    struct world w;

    sso_init(&w, SESSION_CONFIG);
    world_answer(&w, TOKEN_KEY, 200, "{\"accessToken\":\"new-sesame-t\",\"expiresIn\":3600}");
    answer_keys(&w);
    TORTURE(nth)
    {
        struct credentials c = {0};
        bool configured = false;

        torture_fail_at(0);
        put_cache(&w, CACHE_OF_SESSION, -1, 86400);
        torture_fail_at(nth);
        enum err_code rc = credentials_from_profile(&w.context, &configured, &c, &w.e);

        assert_true(rc == ERR_OK || (rc == ERR_NOMEM && w.e.code == ERR_NOMEM));
        assert_true(configured);
        credentials_deinit(&c);
    }
    world_deinit(&w);
}

TEST_MAIN(test_case(test_credentials_sso__shows_the_token_of_the_session),
          test_case(test_credentials_sso__knows_the_older_form),
          test_case(test_credentials_sso__says_what_is_missing),
          test_case(test_credentials_sso__asks_for_a_sign_in_when_the_token_has_ended),
          test_case(test_credentials_sso__reads_times_as_older_clis_wrote_them),
          test_case(test_credentials_sso__renews_the_token_and_writes_it_back),
          test_case(test_credentials_sso__leaves_a_token_alone_that_lasts),
          test_case(test_credentials_sso__goes_on_with_a_good_token_when_renewing_fails),
          test_case(test_credentials_sso__says_why_a_token_could_not_be_renewed),
          test_case(test_credentials_sso__goes_on_when_the_cache_cannot_be_written),
          test_case(test_credentials_sso__tells_wrong_answers),
          test_case(test_credentials_sso__survives_without_memory))
