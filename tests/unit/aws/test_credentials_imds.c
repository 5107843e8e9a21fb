#include "keys_world.h"

#define TOKEN_KEY "PUT /latest/api/token"
#define ROLES_KEY "GET /latest/meta-data/iam/security-credentials/"
#define ROLE_KEY  "GET /latest/meta-data/iam/security-credentials/etl-role"

static void imds_init(struct world *w)
{
    world_init(w);
    world_set(w, "AWS_EC2_METADATA_SERVICE_ENDPOINT", w->url);
}

TEST(test_credentials_imds__asks_for_a_token_the_role_and_its_keys)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    imds_init(&w);
    /* No proxy reaches an instance for it. */
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    world_answer(&w, TOKEN_KEY, 200, "TOKEN==");
    world_answer(&w, ROLES_KEY, 200, "etl-role\nother\n");
    world_answer_keys(&w, ROLE_KEY, "ASIA1", 6 * 3600);
    assert_ok(credentials_from_imds(&w.context, &configured, &c, &w.e), &w.e);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_true(configured);
    assert_session(&c, "ASIA1", "instance metadata (role etl-role)");
    assert_i64_eq(c.expires_us, WORLD_NOW_US + (int64_t)6 * 3600 * 1000000);
    assert_int_equal(world_requests(&w), 3);
    assert_string_equal(world_request(&w, 0).line, TOKEN_KEY);
    assert_string_equal(world_request(&w, 0).ttl, "21600");
    for (uint32_t i = 1; i < 3; i++) {
        assert_string_equal(world_request(&w, i).token, "TOKEN==");
    }
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_imds__asks_again_what_failed)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    imds_init(&w);
    world_answer_times(&w, 1, TOKEN_KEY, 503, "");
    world_answer(&w, TOKEN_KEY, 200, "TOKEN");
    world_misbehave(&w, 1, ROLES_KEY, FAKE_HTTP_RESET);
    world_answer_times(&w, 1, ROLES_KEY, 429, "");
    world_answer(&w, ROLES_KEY, 200, "etl-role");
    world_answer_times(&w, 2, ROLE_KEY, 500, "");
    world_answer_keys(&w, ROLE_KEY, "ASIA1", 3600);
    assert_ok(credentials_from_imds(&w.context, &configured, &c, &w.e), &w.e);
    assert_session(&c, "ASIA1", "instance metadata (role etl-role)");
    assert_int_equal(world_requests(&w), 8);
    assert_true(w.time.slept_us > 0);
    credentials_deinit(&c);
    world_deinit(&w);
}

/* Answers of one request after those before it went well. */
struct wrong {
    const char *token; /* NULL: status */
    const char *roles;
    const char *role;
    int status;
    bool configured;
    enum err_code code;
    const char *want;
};

static void check_wrong(const struct wrong *k)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    imds_init(&w);
    world_answer(&w, TOKEN_KEY, k->token == NULL ? k->status : 200,
                 k->token == NULL ? "" : k->token);
    if (k->token != NULL) {
        world_answer(&w, ROLES_KEY, k->roles == NULL ? k->status : 200,
                     k->roles == NULL ? "{\"message\":\"no, no\"}" : k->roles);
    }
    if (k->token != NULL && k->roles != NULL) {
        world_answer(&w, ROLE_KEY, k->role == NULL ? k->status : 200,
                     k->role == NULL ? "" : k->role);
    }
    enum err_code rc = credentials_from_imds(&w.context, &configured, &c, &w.e);

    assert_err(rc, k->code, &w.e);
    assert_int_equal(configured, k->configured);
    assert_says(&w.e, k->want);
    assert_no_secret(&w.e);
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_imds__tells_wrong_answers)
{
    static const struct wrong cases[] = {
        {.status = 403, .code = ERR_CONFIG, .want = "/latest/api/token: the answer is 403; "},
        {.status = 404, .code = ERR_CONFIG, .want = "/latest/api/token: the answer is 404; "},
        {.status = 302, .code = ERR_CONFIG, .want = "/latest/api/token: the answer is 302; "},
        {.status = 500, .configured = true, .code = ERR_IO, .want = "token: the answer is 500"},
        {.token = "", .configured = true, .code = ERR_IO, .want = "the token in the answer is"},
        {.token = "sesame sesame", .configured = true, .code = ERR_IO, .want = "a blank"},
        {.token = "T", .status = 404, .code = ERR_CONFIG, .want = "none is attached"},
        {.token = "T", .roles = "", .code = ERR_CONFIG, .want = "none is attached"},
        {.token = "T", .roles = "\n", .code = ERR_CONFIG, .want = "none is attached"},
        {.token = "T",
         .status = 401,
         .configured = true,
         .code = ERR_CONFIG,
         .want = "security-credentials/: the answer is 401: no, no"},
        {.token = "T",
         .status = 500,
         .configured = true,
         .code = ERR_IO,
         .want = "security-credentials/: the answer is 500: no, no"},
        {.token = "T",
         .roles = "../../latest",
         .configured = true,
         .code = ERR_IO,
         .want = "a role that cannot be one"},
        {.token = "T",
         .roles = "<html>\n",
         .configured = true,
         .code = ERR_IO,
         .want = "a role that cannot be one"},
        {.token = "T",
         .roles = "etl-role",
         .status = 404,
         .configured = true,
         .code = ERR_CONFIG,
         .want = "security-credentials/etl-role: the answer is 404"},
        {.token = "T",
         .roles = "etl-role",
         .role = "",
         .configured = true,
         .code = ERR_IO,
         .want = "role etl-role: expected JSON"},
        {.token = "T",
         .roles = "etl-role",
         .role = "sesame",
         .configured = true,
         .code = ERR_IO,
         .want = "role etl-role: expected JSON"},
        {.token = "T",
         .roles = "etl-role",
         .role = "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"EC2 cannot\"}",
         .configured = true,
         .code = ERR_CONFIG,
         .want = "AssumeRoleUnauthorizedAccess: EC2 cannot; see whether the instance may"},
        {.token = "T",
         .roles = "etl-role",
         .role = "{\"Code\":\"Success\",\"AccessKeyId\":\"A\"}",
         .configured = true,
         .code = ERR_IO,
         .want = "no text \"SecretAccessKey\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_wrong(&cases[i]);
    }
}

TEST(test_credentials_imds__refuses_an_answer_without_end)
{
    char *large = malloc(CREDENTIALS_ANSWER_BYTES_MAX + 2);

    assert_non_null(large);
    memset(large, 'x', CREDENTIALS_ANSWER_BYTES_MAX + 1);
    large[CREDENTIALS_ANSWER_BYTES_MAX + 1] = '\0';
    check_wrong(&(struct wrong){.token = "T",
                                .roles = "etl-role",
                                .role = large,
                                .configured = true,
                                .code = ERR_IO,
                                .want = "security-credentials/etl-role"});
    free(large);
}

/* Time is real here, as it is the client's; what is counted are tries, each of at most a second. */
TEST(test_credentials_imds__gives_up_soon_where_nobody_answers)
{
    struct world w;
    struct credentials c = {0};
    bool configured = true;

    imds_init(&w);
    world_misbehave(&w, WORLD_FOR_EVER, TOKEN_KEY, FAKE_HTTP_STALL);
    assert_err(credentials_from_imds(&w.context, &configured, &c, &w.e), ERR_TIMEOUT, &w.e);
    assert_false(configured);
    assert_says(&w.e, "asking the instance metadata service: PUT http://127.0.0.1");
    assert_int_equal(world_requests(&w), 2);
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_imds__is_not_there_when_nobody_listens)
{
    struct world w;
    struct credentials c = {0};
    bool configured = true;

    world_init(&w);
    world_set(&w, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1/");
    assert_err(credentials_from_imds(&w.context, &configured, &c, &w.e), ERR_IO, &w.e);
    assert_false(configured);
    assert_says(&w.e, "PUT http://127.0.0.1:1/latest/api/token");
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_imds__can_be_switched_off)
{
    static const char *const cases[] = {"true", "TRUE", "True"};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = true;

        imds_init(&w);
        world_set(&w, "AWS_EC2_METADATA_DISABLED", cases[i]);
        assert_err(credentials_from_imds(&w.context, &configured, &c, &w.e), ERR_CONFIG, &w.e);
        assert_false(configured);
        assert_says(&w.e, "AWS_EC2_METADATA_DISABLED");
        assert_int_equal(world_requests(&w), 0);
        world_deinit(&w);
    }
}

TEST(test_credentials_imds__refuses_endpoints_that_are_none)
{
    static const struct {
        const char *name;
        const char *value;
        const char *want;
    } cases[] = {
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT", "169.254.169.254",
         "AWS_EC2_METADATA_SERVICE_ENDPOINT"},
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv5", "expected IPv4 or IPv6"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = false;

        world_init(&w);
        world_set(&w, cases[i].name, cases[i].value);
        assert_err(credentials_from_imds(&w.context, &configured, &c, &w.e), ERR_CONFIG, &w.e);
        assert_true(configured);
        assert_says(&w.e, cases[i].want);
        world_deinit(&w);
    }
}

TEST(test_credentials_imds__has_the_instance_s_region)
{
    static const struct {
        int status;
        const char *body;
        enum err_code code;
        const char *want; /* the region, or a part of the message */
    } cases[] = {
        {200, "eu-central-1", ERR_OK, "eu-central-1"},
        {404, "", ERR_CONFIG, "placement/region: the answer is 404"},
        {200, "", ERR_IO, "a region that cannot be one"},
        {200, "<html>", ERR_IO, "a region that cannot be one"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        char *region = NULL;

        imds_init(&w);
        world_answer(&w, TOKEN_KEY, 200, "TOKEN");
        world_answer(&w, "GET /latest/meta-data/placement/region", cases[i].status, cases[i].body);
        enum err_code rc = credentials_imds_region(&w.context, &region, &w.e);

        assert_err(rc, cases[i].code, &w.e);
        if (rc == ERR_OK) {
            assert_string_equal(region, cases[i].want);
        } else {
            assert_null(region);
            assert_says(&w.e, cases[i].want);
        }
        assert_string_equal(world_request(&w, 1).token, "TOKEN");
        free(region);
        world_deinit(&w);
    }
}

TEST(test_credentials_imds__survives_without_memory)
{
    struct world w;

    imds_init(&w);
    world_answer(&w, TOKEN_KEY, 200, "TOKEN");
    world_answer(&w, ROLES_KEY, 200, "etl-role");
    world_answer(&w, "GET /latest/meta-data/placement/region", 200, "eu-west-1");
    world_answer_keys(&w, ROLE_KEY, "ASIA1", 3600);
    TORTURE(nth)
    {
        struct credentials c = {0};
        char *region = NULL;
        bool configured = false;
        enum err_code rc = credentials_from_imds(&w.context, &configured, &c, &w.e);

        if (rc == ERR_OK) {
            rc = credentials_imds_region(&w.context, &region, &w.e);
        }
        assert_true(rc == ERR_OK || (rc == ERR_NOMEM && w.e.code == ERR_NOMEM));
        assert_true(configured);
        free(region);
        credentials_deinit(&c);
    }
    world_deinit(&w);
}

TEST_MAIN(test_case(test_credentials_imds__asks_for_a_token_the_role_and_its_keys),
          test_case(test_credentials_imds__asks_again_what_failed),
          test_case(test_credentials_imds__tells_wrong_answers),
          test_case(test_credentials_imds__refuses_an_answer_without_end),
          test_case(test_credentials_imds__gives_up_soon_where_nobody_answers),
          test_case(test_credentials_imds__is_not_there_when_nobody_listens),
          test_case(test_credentials_imds__can_be_switched_off),
          test_case(test_credentials_imds__refuses_endpoints_that_are_none),
          test_case(test_credentials_imds__has_the_instance_s_region),
          test_case(test_credentials_imds__survives_without_memory))
