#include "aws/credentials.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "keys_world.h"

#define ARN       "arn:aws:iam::123456789012:role/etl"
#define CONTAINER "GET /v1/credentials"
#define TOKEN_KEY "PUT /latest/api/token"
#define ROLES_KEY "GET /latest/meta-data/iam/security-credentials/"

#define SECOND_US ((int64_t)1000000)
#define HOUR_S    ((int64_t)3600)

/* As the world is now, with more options. */
static struct credentials_source *source_of(struct world *w, struct credentials_options options)
{
    struct credentials_source *s = NULL;

    options.environment = w->context.environment;
    options.http = w->http;
    options.clock = fake_clock(&w->time);
    options.log = &w->log;
    assert_ok(credentials_source_new(&options, &s, &w->e), &w->e);
    return s;
}

static struct credentials_source *source_new(struct world *w)
{
    return source_of(w, (struct credentials_options){0});
}

static void assert_get(struct world *w, struct credentials_source *s, const char *id,
                       const char *provider)
{
    struct credentials c;

    assert_ok(credentials_get(s, false, NULL, &c, &w->e), &w->e);
    assert_keys(&c, id, provider);
    credentials_deinit(&c);
}

static void assert_get_err(struct world *w, struct credentials_source *s, enum err_code code,
                           const char *part)
{
    struct credentials c;

    assert_err(credentials_get(s, false, NULL, &c, &w->e), code, &w->e);
    assert_null(c.access_key_id);
    assert_says(&w->e, part);
    assert_no_secret(&w->e);
}

static void set_container(struct world *w)
{
    char *url = str_format("%s/v1/credentials", w->url);

    assert_non_null(url);
    world_set(w, "AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    free(url);
}

/* ---- order ---- */

enum place {
    IN_SETTINGS = 1,
    IN_ENVIRONMENT = 2,
    IN_WEB_IDENTITY = 4,
    IN_PROFILE = 8,
    IN_CONTAINER = 16,
    IN_INSTANCE = 32,
    IN_ALL = 63,
};

static struct credentials_source *furnish(struct world *w, unsigned places, const char *profile)
{
    world_set(w, "AWS_ENDPOINT_URL", w->url);
    if (places & IN_ENVIRONMENT) {
        world_set(w, "AWS_ACCESS_KEY_ID", "AKIDENV");
        world_set(w, "AWS_SECRET_ACCESS_KEY", "AKIDENV-sesame");
        world_set(w, "AWS_SESSION_TOKEN", "AKIDENV-sesame-t");
    }
    if (places & IN_WEB_IDENTITY) {
        world_set(w, "AWS_ROLE_ARN", ARN);
        world_set(w, "AWS_WEB_IDENTITY_TOKEN_FILE", world_file(w, "token", "T"));
        world_answer_sts(w, "AssumeRoleWithWebIdentity", "ASIAWEB", HOUR_S);
    }
    if (places & IN_PROFILE) {
        (void)world_file(w, ".aws/credentials",
                         "[default]\naws_access_key_id=AKIDPRO\naws_secret_access_key="
                         "AKIDPRO-sesame\n[etl]\naws_access_key_id=AKIDETL\n"
                         "aws_secret_access_key=AKIDETL-sesame\n");
    }
    if (places & IN_CONTAINER) {
        set_container(w);
        world_answer_keys(w, CONTAINER, "ASIACON", HOUR_S);
    }
    world_set(w, "AWS_EC2_METADATA_SERVICE_ENDPOINT", w->url);
    if (places & IN_INSTANCE) {
        world_answer(w, TOKEN_KEY, 200, "T");
        world_answer(w, ROLES_KEY, 200, "r");
        world_answer_keys(w, ROLES_KEY "r", "ASIAINS", HOUR_S);
        world_answer(w, "GET /latest/meta-data/placement/region", 200, "eu-north-1");
    }
    return source_of(w, (struct credentials_options){
                            .access_key_id = places & IN_SETTINGS ? "AKIDSET" : NULL,
                            .secret_access_key = places & IN_SETTINGS ? "AKIDSET-sesame" : "",
                            .profile = profile,
                        });
}

TEST(test_credentials__takes_the_first_provider_that_is_configured)
{
    static const struct {
        unsigned places;
        const char *profile; /* of the settings */
        const char *id;
        const char *provider;
    } cases[] = {
        {IN_ALL, NULL, "AKIDSET", "settings"},
        {IN_ALL, "etl", "AKIDSET", "settings"},
        {IN_ALL - IN_SETTINGS, NULL, "AKIDENV", "environment"},
        {IN_ALL - IN_SETTINGS, "", "AKIDENV", "environment"},
        {IN_ALL - IN_SETTINGS, "etl", "AKIDETL", "profile etl"},
        {IN_ALL - IN_SETTINGS, "default", "AKIDPRO", "profile default"},
        {IN_WEB_IDENTITY | IN_PROFILE | IN_CONTAINER | IN_INSTANCE, NULL, "ASIAWEB",
         "web identity (role " ARN ")"},
        {IN_PROFILE | IN_CONTAINER | IN_INSTANCE, NULL, "AKIDPRO", "profile default"},
        {IN_CONTAINER | IN_INSTANCE, NULL, "ASIACON", "container"},
        {IN_INSTANCE, NULL, "ASIAINS", "instance metadata (role r)"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;

        world_init(&w);
        struct credentials_source *s = furnish(&w, cases[i].places, cases[i].profile);

        assert_get(&w, s, cases[i].id, cases[i].provider);
        credentials_source_free(s);
        world_deinit(&w);
    }
}

TEST(test_credentials__fails_where_the_first_one_fails)
{
    static const struct {
        const char *name;
        const char *value;
        enum err_code code;
        const char *want;
    } cases[] = {
        {"AWS_ACCESS_KEY_ID", "AKID1", ERR_CONFIG,
         "AWS keys: AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not: set both, or none"},
        {"AWS_SECRET_ACCESS_KEY", "sesame", ERR_CONFIG,
         "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not"},
        {"AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/t", ERR_CONFIG, "AWS_ROLE_ARN"},
        {"AWS_PROFILE", "nobody", ERR_CONFIG, "profile 'nobody' is neither"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com", ERR_CONFIG, "example.com"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;

        world_init(&w);
        world_set(&w, cases[i].name, cases[i].value);
        struct credentials_source *s = furnish(&w, IN_INSTANCE, NULL);

        assert_get_err(&w, s, cases[i].code, cases[i].want);
        assert_int_equal(world_requests(&w), 0);
        credentials_source_free(s);
        world_deinit(&w);
    }
}

TEST(test_credentials__refuses_half_of_the_settings)
{
    static const struct credentials_options cases[] = {
        {.access_key_id = "AKID1"},
        {.secret_access_key = "sesame"},
        {.access_key_id = "AKID1", .secret_access_key = "ses ame"},
    };
    static const char *const want[] = {
        "access-key-id is set in the settings and secret-access-key is not",
        "secret-access-key is set in the settings and access-key-id is not",
        "the settings' access-key-id, secret-access-key, session-token: there is a blank",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;

        world_init(&w);
        struct credentials_source *s = source_of(&w, cases[i]);

        assert_get_err(&w, s, ERR_CONFIG, want[i]);
        credentials_source_free(s);
        world_deinit(&w);
    }
}

TEST(test_credentials__says_what_was_looked_for_when_there_is_nothing)
{
    static const char *const want[] = {
        "AWS keys: there are no AWS keys",
        "Looked at access-key-id of the settings, AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "profile 'default'",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "the instance (asking the instance metadata service: PUT http://127.0.0.1:1/latest",
        "or AWS_PROFILE, or give the container or instance a role",
    };
    struct world w;

    world_init(&w);
    world_set(&w, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    struct credentials_source *s = source_new(&w);

    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_get_err(&w, s, ERR_CONFIG, want[i]);
    }
    credentials_source_free(s);

    /* A profile that the settings name keeps the environment's keys out. */
    (void)world_file(&w, ".aws/config", "[profile etl]\nregion = x\n");
    world_set(&w, "AWS_ACCESS_KEY_ID", "AKIDENV");
    s = source_of(&w, (struct credentials_options){.profile = "etl"});
    assert_get_err(&w, s, ERR_CONFIG, "Looked at access-key-id of the settings, profile 'etl'");
    credentials_source_free(s);
    world_deinit(&w);
}

TEST(test_credentials__takes_the_earlier_of_two_variables)
{
    struct world w;

    world_init(&w);
    world_set(&w, "AWS_ACCESS_KEY_ID", "AKID1");
    world_set(&w, "AWS_ACCESS_KEY_IDS", "AKID3");
    world_set(&w, "AWS_ACCESS_KEY_ID", "AKID2");
    world_set(&w, "AWS_SECRET_ACCESS_KEY", "AKID1-sesame");
    struct credentials_source *s = source_new(&w);

    assert_get(&w, s, "AKID1", "environment");
    credentials_source_free(s);
    world_deinit(&w);
}

TEST(test_credentials__copies_what_it_is_given)
{
    struct world w;
    char id[] = "AKID1";

    world_init(&w);
    world_set(&w, "AWS_REGION", "eu-west-1");
    struct credentials_source *s = source_of(
        &w, (struct credentials_options){.access_key_id = id, .secret_access_key = "AKID1-sesame"});
    char *region = NULL;

    memset(id, 'x', 5);
    world_unset_all(&w);
    assert_get(&w, s, "AKID1", "settings");
    assert_ok(credentials_region(s, &region, &w.e), &w.e);
    assert_string_equal(region, "eu-west-1");
    free(region);
    credentials_source_free(s);
    world_deinit(&w);
}

/* ---- a role of the settings ---- */

TEST(test_credentials__assumes_the_role_of_the_settings_with_what_it_finds)
{
    struct world w;

    world_init(&w);
    world_set(&w, "AWS_ENDPOINT_URL_STS", w.url);
    world_set(&w, "AWS_ACCESS_KEY_ID", "AKIDENV");
    world_set(&w, "AWS_SECRET_ACCESS_KEY", "AKIDENV-sesame");
    world_answer_sts(&w, "AssumeRole", "ASIA1", 1800);
    struct credentials_source *s =
        source_of(&w, (struct credentials_options){.role_arn = ARN,
                                                   .role_session_name = "me",
                                                   .external_id = "7",
                                                   .role_duration_us = 1800 * SECOND_US,
                                                   .region = "eu-west-1"});

    assert_get(&w, s, "ASIA1", "environment then role " ARN);
    struct world_seen seen = world_request(&w, 0);

    assert_non_null(strstr(seen.body, "RoleSessionName=me&DurationSeconds=1800&ExternalId=7"));
    assert_non_null(strstr(seen.authorization, "/eu-west-1/sts/"));
    credentials_source_free(s);
    world_deinit(&w);
}

TEST(test_credentials__asks_for_a_role_in_the_region_of_the_instance)
{
    struct world w;

    world_init(&w);
    world_answer_sts(&w, "AssumeRole", "ASIA1", HOUR_S);
    credentials_source_free(furnish(&w, IN_INSTANCE, NULL));
    struct credentials_source *s = source_of(&w, (struct credentials_options){.role_arn = ARN});

    assert_get(&w, s, "ASIA1", "instance metadata (role r) then role " ARN);
    assert_non_null(
        strstr(world_request(&w, world_requests(&w) - 1).authorization, "/eu-north-1/sts/"));
    credentials_source_free(s);
    world_deinit(&w);
}

TEST(test_credentials__renews_a_role_with_keys_that_are_found_anew)
{
    struct world w;

    world_init(&w);
    world_set(&w, "AWS_ENDPOINT_URL_STS", w.url);
    set_container(&w);
    world_answer_keys(&w, CONTAINER, "ASIACON", 10 * HOUR_S);
    world_answer_sts(&w, "AssumeRole", "ASIA1", HOUR_S);
    struct credentials_source *s = source_of(&w, (struct credentials_options){.role_arn = ARN});

    assert_get(&w, s, "ASIA1", "container then role " ARN);
    fake_clock_advance(&w.time, (HOUR_S - 200) * SECOND_US);
    world_forget(&w);
    world_answer_keys(&w, CONTAINER, "ASIACON2", 10 * HOUR_S);
    world_answer_sts(&w, "AssumeRole", "ASIA2", HOUR_S);
    assert_get(&w, s, "ASIA2", "container then role " ARN);
    assert_non_null(strstr(world_request(&w, 1).authorization, "Credential=ASIACON2/"));
    credentials_source_free(s);
    world_deinit(&w);
}

/* ---- renewal ---- */

/* A source whose keys ASIA1 a container gave for valid_s. */
static struct credentials_source *container_source(struct world *w, int64_t valid_s)
{
    world_init(w);
    set_container(w);
    world_answer_keys(w, CONTAINER, "ASIA1", valid_s);
    struct credentials_source *s = source_new(w);

    assert_get(w, s, "ASIA1", "container");
    world_forget(w);
    return s;
}

TEST(test_credentials__renews_before_the_end)
{
    static const struct {
        int64_t valid_s;
        int64_t renew_s;
    } cases[] = {{HOUR_S, HOUR_S - 300}, {600, 300}, {599, 300}, {60, 30}, {6 * HOUR_S, 21300}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials_source *s = container_source(&w, cases[i].valid_s);

        world_answer_keys(&w, CONTAINER, "ASIA2", 10 * HOUR_S);
        fake_clock_advance(&w.time, (cases[i].renew_s - 1) * SECOND_US);
        assert_get(&w, s, "ASIA1", "container");
        assert_int_equal(world_requests(&w), 0);
        fake_clock_advance(&w.time, SECOND_US);
        assert_get(&w, s, "ASIA2", "container");
        assert_get(&w, s, "ASIA2", "container");
        assert_int_equal(world_requests(&w), 1);
        assert_int_equal(world_logged(&w, "credentials.renewed provider=container seconds_valid="),
                         1);
        credentials_source_free(s);
        world_deinit(&w);
    }
}

TEST(test_credentials__keeps_old_keys_until_their_end_when_renewing_fails)
{
    struct world w;
    struct credentials_source *s = container_source(&w, HOUR_S);

    world_answer(&w, CONTAINER, 403, "");
    fake_clock_advance(&w.time, (HOUR_S - 300) * SECOND_US);
    assert_get(&w, s, "ASIA1", "container");
    assert_int_equal(world_requests(&w), 1);
    assert_int_equal(world_logged(&w, "credentials.renewal_failed provider=container "
                                      "seconds_left=300"),
                     1);
    assert_int_equal(world_logged(&w, "the answer is 403"), 1);

    /* Not more often than every 10 s. */
    fake_clock_advance(&w.time, 9 * SECOND_US);
    assert_get(&w, s, "ASIA1", "container");
    assert_int_equal(world_requests(&w), 1);
    fake_clock_advance(&w.time, SECOND_US);
    assert_get(&w, s, "ASIA1", "container");
    assert_int_equal(world_requests(&w), 2);

    /* After the end there is no other way: each one asks. */
    fake_clock_advance(&w.time, 289 * SECOND_US);
    assert_get(&w, s, "ASIA1", "container");
    fake_clock_advance(&w.time, SECOND_US);
    assert_get_err(&w, s, ERR_CONFIG, "AWS keys: asking the container's endpoint");
    assert_get_err(&w, s, ERR_CONFIG, "the answer is 403");
    world_forget(&w);
    world_answer_keys(&w, CONTAINER, "ASIA2", HOUR_S);
    assert_get(&w, s, "ASIA2", "container");
    credentials_source_free(s);
    world_deinit(&w);
}

TEST(test_credentials__does_not_take_others_than_the_first_provider_later)
{
    struct world w;

    world_init(&w);
    (void)world_file(&w, ".aws/credentials",
                     "[default]\naws_access_key_id=A\naws_secret_access_key=A-sesame\n");
    struct credentials_source *s = furnish(&w, IN_CONTAINER, NULL);
    struct credentials c;

    assert_get(&w, s, "A", "profile default");
    (void)world_file(&w, ".aws/credentials", "");
    assert_err(credentials_get(s, true, NULL, &c, &w.e), ERR_CONFIG, &w.e);
    assert_says(&w.e, "what gave the AWS keys before is not there any more");
    assert_int_equal(world_requests(&w), 0);
    credentials_source_free(s);
    world_deinit(&w);
}

TEST(test_credentials__refuses_keys_that_have_ended)
{
    struct world w;

    world_init(&w);
    set_container(&w);
    world_answer_keys(&w, CONTAINER, "ASIA1", 0);
    struct credentials_source *s = source_new(&w);

    assert_get_err(&w, s, ERR_IO,
                   "container: the keys it gave ended at 2023-11-14T22:13:20Z already");
    credentials_source_free(s);
    world_deinit(&w);
}

TEST(test_credentials__does_not_ask_without_end_for_keys_that_stay_the_same)
{
    struct world w;
    struct credentials_source *s = container_source(&w, HOUR_S);

    /* As an instance does: the same keys until shortly before their end. */
    world_answer_keys(&w, CONTAINER, "ASIA1", HOUR_S);
    fake_clock_advance(&w.time, (HOUR_S - 200) * SECOND_US);
    for (unsigned i = 0; i < 100; i++) {
        assert_get(&w, s, "ASIA1", "container");
    }
    assert_int_equal(world_requests(&w), 1);
    assert_int_equal(world_logged(&w, "credentials."), 0);
    credentials_source_free(s);
    world_deinit(&w);
}

/* ---- keys that were refused ---- */

TEST(test_credentials__gets_others_for_keys_that_were_refused)
{
    struct world w;
    struct credentials_source *s = container_source(&w, HOUR_S);
    struct credentials old;
    struct credentials c;

    assert_ok(credentials_get(s, false, NULL, &old, &w.e), &w.e);
    world_answer_keys(&w, CONTAINER, "ASIA2", HOUR_S);
    assert_ok(credentials_get(s, true, &old, &c, &w.e), &w.e);
    assert_session(&c, "ASIA2", "container");
    credentials_deinit(&c);
    /* Another one with the same refused keys finds that they were replaced. */
    assert_ok(credentials_get(s, true, &old, &c, &w.e), &w.e);
    assert_session(&c, "ASIA2", "container");
    credentials_deinit(&c);
    assert_int_equal(world_requests(&w), 1);
    /* Who does not say which were refused means those of now. */
    world_forget(&w);
    world_answer_keys(&w, CONTAINER, "ASIA3", HOUR_S);
    assert_ok(credentials_get(s, true, NULL, &c, &w.e), &w.e);
    assert_session(&c, "ASIA3", "container");
    credentials_deinit(&c);
    credentials_deinit(&old);
    credentials_source_free(s);
    world_deinit(&w);
}

TEST(test_credentials__says_when_there_are_no_others)
{
    struct world w;
    struct credentials_source *s = container_source(&w, HOUR_S);
    struct credentials old;
    struct credentials c;

    assert_ok(credentials_get(s, false, NULL, &old, &w.e), &w.e);
    world_answer_keys(&w, CONTAINER, "ASIA1", HOUR_S);
    for (unsigned i = 0; i < 5; i++) {
        assert_err(credentials_get(s, true, i % 2 == 0 ? &old : NULL, &c, &w.e), ERR_CONFIG, &w.e);
        assert_says(&w.e, "those of container were refused as ended, revoked or unknown");
        assert_no_secret(&w.e);
    }
    assert_int_equal(world_requests(&w), 1);
    /* 10 s later it is worth asking. */
    world_forget(&w);
    world_answer(&w, CONTAINER, 500, "");
    fake_clock_advance(&w.time, 10 * SECOND_US);
    for (unsigned i = 0; i < 5; i++) {
        assert_err(credentials_get(s, true, &old, &c, &w.e), ERR_IO, &w.e);
        assert_says(&w.e, "the answer is 500");
        assert_true(w.e.retryable);
    }
    assert_int_equal(world_requests(&w), 3); /* the tries of one */
    fake_clock_advance(&w.time, 10 * SECOND_US);
    world_forget(&w);
    world_answer_keys(&w, CONTAINER, "ASIA2", HOUR_S);
    assert_ok(credentials_get(s, true, &old, &c, &w.e), &w.e);
    assert_session(&c, "ASIA2", "container");
    credentials_deinit(&c);
    credentials_deinit(&old);
    credentials_source_free(s);
    world_deinit(&w);
}

TEST(test_credentials__reads_files_again_for_keys_that_were_refused)
{
    struct world w;
    struct credentials c;

    world_init(&w);
    (void)world_file(&w, ".aws/credentials",
                     "[default]\naws_access_key_id=A\naws_secret_access_key=A-sesame\n");
    struct credentials_source *s = source_new(&w);

    assert_get(&w, s, "A", "profile default");
    (void)world_file(&w, ".aws/credentials",
                     "[default]\naws_access_key_id=B\naws_secret_access_key=B-sesame\n");
    assert_get(&w, s, "A", "profile default");
    assert_ok(credentials_get(s, true, NULL, &c, &w.e), &w.e);
    assert_keys(&c, "B", "profile default");
    assert_int_equal(world_logged(&w, "credentials.renewed"), 1);
    credentials_deinit(&c);
    credentials_source_free(s);
    world_deinit(&w);
}

/* ---- region ---- */

TEST(test_credentials__finds_the_region)
{
    static const struct {
        const char *setting;
        const char *variable;
        const char *second_variable;
        const char *profile; /* its region */
        unsigned places;
        const char *want; /* NULL: nobody says it */
        unsigned requests;
    } cases[] = {
        {"eu-west-1", "eu-west-2", "eu-west-3", "eu-west-4", IN_INSTANCE, "eu-west-1", 0},
        {NULL, "eu-west-2", "eu-west-3", "eu-west-4", IN_INSTANCE, "eu-west-2", 0},
        {NULL, NULL, "eu-west-3", "eu-west-4", IN_INSTANCE, "eu-west-3", 0},
        {NULL, NULL, NULL, "eu-west-4", IN_INSTANCE, "eu-west-4", 0},
        {NULL, NULL, NULL, NULL, IN_INSTANCE, "eu-north-1", 5},
        {NULL, NULL, NULL, NULL, IN_INSTANCE | IN_ENVIRONMENT, NULL, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        char *region = NULL;

        world_init(&w);
        if (cases[i].variable != NULL) {
            world_set(&w, "AWS_REGION", cases[i].variable);
        }
        if (cases[i].second_variable != NULL) {
            world_set(&w, "AWS_DEFAULT_REGION", cases[i].second_variable);
        }
        if (cases[i].profile != NULL) {
            char *text = str_format("[default]\nregion = %s\n", cases[i].profile);

            assert_non_null(text);
            (void)world_file(&w, ".aws/config", text);
            free(text);
        }
        credentials_source_free(furnish(&w, cases[i].places, NULL));
        struct credentials_source *s =
            source_of(&w, (struct credentials_options){.region = cases[i].setting});

        assert_ok(credentials_region(s, &region, &w.e), &w.e);
        if (cases[i].want == NULL) {
            assert_null(region);
        } else {
            assert_non_null(region);
            assert_string_equal(region, cases[i].want);
        }
        assert_int_equal(world_requests(&w), cases[i].requests);
        free(region);
        credentials_source_free(s);
        world_deinit(&w);
    }
}

TEST(test_credentials__refuses_a_region_that_cannot_be_one)
{
    struct world w;
    char *region = NULL;

    world_init(&w);
    (void)world_file(&w, ".aws/config", "[default]\nregion = eu west\n");
    struct credentials_source *s = source_new(&w);

    assert_err(credentials_region(s, &region, &w.e), ERR_CONFIG, &w.e);
    assert_null(region);
    assert_says(&w.e, "finding the AWS region: the region of /");
    assert_says(&w.e, "/.aws/config is 'eu west'");
    credentials_source_free(s);
    world_deinit(&w);
}

TEST(test_credentials__says_why_the_instance_cannot_be_asked_for_the_region)
{
    struct world w;
    char *region = NULL;

    world_init(&w);
    world_set(&w, "AWS_EC2_METADATA_DISABLED", "true");
    struct credentials_source *s = source_new(&w);

    assert_err(credentials_region(s, &region, &w.e), ERR_CONFIG, &w.e);
    assert_null(region);
    assert_says(&w.e, "finding the AWS region: AWS keys: there are no AWS keys");
    credentials_source_free(s);
    world_deinit(&w);
}

/* ---- several threads ---- */

/* A container's endpoint that numbers its keys and can hold a request back. */
struct gate {
    struct world *world;
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    bool closed;
    bool gave_up; /* nobody opened it in time */
    bool fails;
    _Atomic unsigned arrived;
    unsigned given;
};

static void gate_serve(void *ctx, const struct fake_http_request *q, struct fake_http_reply *r)
{
    struct gate *g = ctx;
    char until[CREDENTIALS_TIME_TEXT_BYTES];
    struct timespec end;

    (void)q;
    g->arrived++;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    (void)pthread_mutex_lock(&g->mutex);
    while (g->closed && !g->gave_up) {
        g->gave_up = pthread_cond_timedwait(&g->opened, &g->mutex, &end) != 0;
    }
    g->given++;
    r->status = g->fails ? 403 : 200;
    buf_printf(&r->body,
               "{\"AccessKeyId\":\"ASIA%u\",\"SecretAccessKey\":\"x\",\"Expiration\":\"%s\"}",
               g->given, world_time(g->world, HOUR_S, until));
    (void)pthread_mutex_unlock(&g->mutex);
}

static void gate_set(struct gate *g, bool closed, bool fails)
{
    (void)pthread_mutex_lock(&g->mutex);
    g->closed = closed;
    g->fails = fails;
    (void)pthread_cond_broadcast(&g->opened);
    (void)pthread_mutex_unlock(&g->mutex);
}

/* Waits until so many requests have come. */
static void gate_await(struct gate *g, unsigned arrived)
{
    time_t start = time(NULL);

    while (g->arrived < arrived) {
        assert_true(time(NULL) - start < 60);
        (void)sched_yield();
    }
}

struct gated {
    struct world world;
    struct gate gate;
    struct fake_http *server;
    struct credentials_source *source;
};

static void gated_init(struct gated *g)
{
    world_init(&g->world);
    g->gate = (struct gate){.world = &g->world};
    (void)pthread_mutex_init(&g->gate.mutex, NULL);
    (void)pthread_cond_init(&g->gate.opened, NULL);
    g->server = fake_http_new(gate_serve, &g->gate);
    world_set(&g->world, "AWS_CONTAINER_CREDENTIALS_FULL_URI", fake_http_url(g->server));
    g->source = source_new(&g->world);
}

static void gated_deinit(struct gated *g)
{
    credentials_source_free(g->source);
    http_client_free(g->world.http);
    g->world.http = NULL;
    fake_http_free(g->server);
    assert_false(g->gate.gave_up);
    (void)pthread_cond_destroy(&g->gate.opened);
    (void)pthread_mutex_destroy(&g->gate.mutex);
    world_deinit(&g->world);
}

/* What a thread asks once. */
struct asker {
    struct gated *gated;
    pthread_t thread;
    const struct credentials *refused;
    enum err_code rc;
    struct credentials got;
    struct err e;
};

static void *ask(void *arg)
{
    struct asker *a = arg;

    a->rc = credentials_get(a->gated->source, a->refused != NULL, a->refused, &a->got, &a->e);
    return NULL;
}

static void asker_start(struct asker *a, struct gated *g, const struct credentials *refused)
{
    *a = (struct asker){.gated = g, .refused = refused};
    assert_int_equal(pthread_create(&a->thread, NULL, ask, a), 0);
}

static void asker_expect(struct asker *a, const char *id)
{
    assert_int_equal(pthread_join(a->thread, NULL), 0);
    assert_ok(a->rc, &a->e);
    assert_string_equal(a->got.access_key_id, id);
    credentials_deinit(&a->got);
}

static void gated_expect(struct gated *g, const char *id)
{
    struct credentials c;

    assert_ok(credentials_get(g->source, false, NULL, &c, &g->world.e), &g->world.e);
    assert_string_equal(c.access_key_id, id);
    credentials_deinit(&c);
}

TEST(test_credentials__lets_others_go_on_with_good_keys_while_one_renews)
{
    struct gated g;
    struct asker a;

    gated_init(&g);
    gated_expect(&g, "ASIA1");
    fake_clock_advance(&g.world.time, (HOUR_S - 300) * SECOND_US);
    gate_set(&g.gate, true, false);
    asker_start(&a, &g, NULL);
    gate_await(&g.gate, 2);
    for (unsigned i = 0; i < 10; i++) {
        gated_expect(&g, "ASIA1"); /* would wait for the gate for ever */
    }
    gate_set(&g.gate, false, false);
    asker_expect(&a, "ASIA2");
    gated_expect(&g, "ASIA2");
    assert_int_equal(g.gate.arrived, 2);
    gated_deinit(&g);
}

#define ASKERS 6

TEST(test_credentials__lets_all_wait_for_the_one_that_asks_when_there_are_no_good_keys)
{
    static const int64_t later_s[] = {0, HOUR_S, HOUR_S + 1};

    for (size_t i = 0; i < sizeof later_s / sizeof later_s[0]; i++) {
        struct gated g;
        struct asker askers[ASKERS];
        unsigned before = later_s[i] == 0 ? 0 : 1;

        gated_init(&g);
        if (before > 0) {
            gated_expect(&g, "ASIA1");
        }
        fake_clock_advance(&g.world.time, later_s[i] * SECOND_US);
        gate_set(&g.gate, true, false);
        asker_start(&askers[0], &g, NULL);
        gate_await(&g.gate, before + 1);
        for (unsigned k = 1; k < ASKERS; k++) {
            asker_start(&askers[k], &g, NULL);
        }
        gate_set(&g.gate, false, false);
        for (unsigned k = 0; k < ASKERS; k++) {
            asker_expect(&askers[k], before == 0 ? "ASIA1" : "ASIA2");
        }
        assert_int_equal(g.gate.arrived, before + 1);
        gated_deinit(&g);
    }
}

TEST(test_credentials__gets_others_once_for_all_whose_keys_were_refused)
{
    struct gated g;
    struct asker askers[ASKERS];
    struct credentials old;

    gated_init(&g);
    assert_ok(credentials_get(g.source, false, NULL, &old, &g.world.e), &g.world.e);
    gate_set(&g.gate, true, false);
    asker_start(&askers[0], &g, &old);
    gate_await(&g.gate, 2);
    for (unsigned k = 1; k < ASKERS; k++) {
        asker_start(&askers[k], &g, &old);
    }
    gate_set(&g.gate, false, false);
    for (unsigned k = 0; k < ASKERS; k++) {
        asker_expect(&askers[k], "ASIA2");
    }
    assert_int_equal(g.gate.arrived, 2);
    credentials_deinit(&old);
    gated_deinit(&g);
}

TEST(test_credentials__tells_all_who_waited_that_it_failed)
{
    struct gated g;
    struct asker askers[ASKERS];

    gated_init(&g);
    gate_set(&g.gate, true, true);
    asker_start(&askers[0], &g, NULL);
    gate_await(&g.gate, 1);
    for (unsigned k = 1; k < ASKERS; k++) {
        asker_start(&askers[k], &g, NULL);
    }
    gate_set(&g.gate, false, true);
    for (unsigned k = 0; k < ASKERS; k++) {
        assert_int_equal(pthread_join(askers[k].thread, NULL), 0);
        assert_err(askers[k].rc, ERR_CONFIG, &askers[k].e);
        assert_says(&askers[k].e, "AWS keys: asking the container's endpoint");
    }
    gate_set(&g.gate, false, false);
    struct credentials c;

    assert_ok(credentials_get(g.source, false, NULL, &c, &g.world.e), &g.world.e);
    credentials_deinit(&c);
    gated_deinit(&g);
}

struct worker {
    struct gated *gated;
    pthread_t thread;
    _Atomic bool *stop;
    unsigned failed;
    unsigned ended; /* keys that had ended before they were asked for */
};

static void *work(void *arg)
{
    struct worker *me = arg;

    while (!*me->stop) {
        int64_t asked_us = me->gated->world.time.wall_us;
        struct credentials c;
        struct err e;

        if (credentials_get(me->gated->source, false, NULL, &c, &e) != ERR_OK) {
            me->failed++;
        } else if (c.expires_us <= asked_us) {
            me->ended++;
        }
        credentials_deinit(&c);
    }
    return NULL;
}

TEST(test_credentials__renews_once_each_time_for_many_threads)
{
    enum { WORKERS = 4, ROUNDS = 20 };
    struct gated g;
    struct worker workers[WORKERS];
    _Atomic bool stop = false;

    gated_init(&g);
    gated_expect(&g, "ASIA1");
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.gated = &g, .stop = &stop};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned round = 1; round <= ROUNDS; round++) {
        char id[16];

        (void)snprintf(id, sizeof id, "ASIA%u", round + 1);
        fake_clock_advance(&g.world.time, (round % 2 == 0 ? HOUR_S : HOUR_S - 300) * SECOND_US);
        gate_await(&g.gate, round + 1);
        for (bool done = false; !done;) {
            struct credentials c;

            assert_ok(credentials_get(g.source, false, NULL, &c, &g.world.e), &g.world.e);
            done = strcmp(c.access_key_id, id) == 0;
            credentials_deinit(&c);
        }
    }
    stop = true;
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].failed, 0);
        assert_int_equal(workers[i].ended, 0);
    }
    assert_int_equal(g.gate.arrived, ROUNDS + 1);
    gated_deinit(&g);
}

TEST(test_credentials__survives_without_memory)
{
    struct world w;

    world_init(&w);
    world_set(&w, "AWS_ENDPOINT_URL_STS", w.url);
    set_container(&w);
    world_answer_keys(&w, CONTAINER, "ASIACON", 10 * HOUR_S);
    TORTURE(nth)
    {
        torture_fail_at(0);
        world_forget(&w);
        world_answer_keys(&w, CONTAINER, "ASIACON", 10 * HOUR_S);
        world_answer_sts(&w, "AssumeRole", "ASIA1", HOUR_S);
        const struct credentials_options options = {.environment = w.context.environment,
                                                    .http = w.http,
                                                    .clock = fake_clock(&w.time),
                                                    .role_arn = ARN,
                                                    .external_id = "7",
                                                    .region = "eu-west-1"};
        struct credentials_source *s = NULL;
        struct credentials c = {0};
        char *region = NULL;

        torture_fail_at(nth);
        enum err_code rc = credentials_source_new(&options, &s, &w.e);

        if (rc == ERR_OK) {
            rc = credentials_get(s, false, NULL, &c, &w.e);
        }
        if (rc == ERR_OK) {
            rc = credentials_region(s, &region, &w.e);
        }
        assert_true(rc == ERR_OK || (rc == ERR_NOMEM && w.e.code == ERR_NOMEM));
        free(region);
        credentials_deinit(&c);
        credentials_source_free(s);
    }
    world_deinit(&w);
}

TEST_MAIN(
    test_case(test_credentials__takes_the_first_provider_that_is_configured),
    test_case(test_credentials__fails_where_the_first_one_fails),
    test_case(test_credentials__refuses_half_of_the_settings),
    test_case(test_credentials__says_what_was_looked_for_when_there_is_nothing),
    test_case(test_credentials__takes_the_earlier_of_two_variables),
    test_case(test_credentials__copies_what_it_is_given),
    test_case(test_credentials__assumes_the_role_of_the_settings_with_what_it_finds),
    test_case(test_credentials__asks_for_a_role_in_the_region_of_the_instance),
    test_case(test_credentials__renews_a_role_with_keys_that_are_found_anew),
    test_case(test_credentials__renews_before_the_end),
    test_case(test_credentials__keeps_old_keys_until_their_end_when_renewing_fails),
    test_case(test_credentials__does_not_take_others_than_the_first_provider_later),
    test_case(test_credentials__refuses_keys_that_have_ended),
    test_case(test_credentials__does_not_ask_without_end_for_keys_that_stay_the_same),
    test_case(test_credentials__gets_others_for_keys_that_were_refused),
    test_case(test_credentials__says_when_there_are_no_others),
    test_case(test_credentials__reads_files_again_for_keys_that_were_refused),
    test_case(test_credentials__finds_the_region),
    test_case(test_credentials__refuses_a_region_that_cannot_be_one),
    test_case(test_credentials__says_why_the_instance_cannot_be_asked_for_the_region),
    test_case(test_credentials__lets_others_go_on_with_good_keys_while_one_renews),
    test_case(test_credentials__lets_all_wait_for_the_one_that_asks_when_there_are_no_good_keys),
    test_case(test_credentials__gets_others_once_for_all_whose_keys_were_refused),
    test_case(test_credentials__tells_all_who_waited_that_it_failed),
    test_case(test_credentials__renews_once_each_time_for_many_threads),
    test_case(test_credentials__survives_without_memory))
