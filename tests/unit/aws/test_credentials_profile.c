#include "keys_world.h"

#define ARN "arn:aws:iam::123456789012:role/etl"

/* Keys in a credentials file. */
#define KEYS(id) "aws_access_key_id = " id "\naws_secret_access_key = " id "-sesame\n"

struct profile_case {
    const char *config;
    const char *credentials;
    const char *profile; /* AWS_PROFILE; NULL: unset */
    const char *id;      /* NULL: not configured */
    const char *provider;
    const char *token;
};

static void profile_init(struct world *w, const char *config, const char *credentials)
{
    world_init(w);
    world_set(w, "AWS_ENDPOINT_URL", w->url);
    if (config != NULL) {
        (void)world_file(w, ".aws/config", config);
    }
    if (credentials != NULL) {
        (void)world_file(w, ".aws/credentials", credentials);
    }
}

TEST(test_credentials_profile__finds_keys)
{
    static const struct profile_case cases[] = {
        {NULL, NULL, NULL, NULL, NULL, NULL},
        {NULL, NULL, "default", NULL, NULL, NULL},
        {"[default]\nregion = eu-west-1\n", NULL, NULL, NULL, NULL, NULL},
        {"[profile etl]\nregion = eu-west-1\n", NULL, "etl", NULL, NULL, NULL},
        {NULL, "[default]\n" KEYS("AKID1"), NULL, "AKID1", "profile default", NULL},
        {"[default]\n" KEYS("AKID1"), NULL, NULL, "AKID1", "profile default", NULL},
        {"[profile etl]\n" KEYS("AKID1"), NULL, "etl", "AKID1", "profile etl", NULL},
        {NULL, "[etl]\n" KEYS("AKID1") "aws_session_token = T\n", "etl", "AKID1", "profile etl",
         "T"},
        {"[profile etl]\n" KEYS("AKID1"), "[etl]\n" KEYS("AKID2"), "etl", "AKID2", "profile etl",
         NULL},
        /* A token of one file does not fit to the keys of the other. */
        {"[profile etl]\naws_session_token = T\n", "[etl]\n" KEYS("AKID2"), "etl", "AKID2",
         "profile etl", NULL},
        /* Keys are preferred to a program, and keys that are there to a role's. */
        {"[profile etl]\ncredential_process = false\n", "[etl]\n" KEYS("AKID1"), "etl", "AKID1",
         "profile etl", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct profile_case *k = &cases[i];
        struct world w;
        struct credentials c = {0};
        bool configured = k->id == NULL;

        profile_init(&w, k->config, k->credentials);
        if (k->profile != NULL) {
            world_set(&w, "AWS_PROFILE", k->profile);
        }
        assert_ok(credentials_from_profile(&w.context, &configured, &c, &w.e), &w.e);
        assert_int_equal(configured, k->id != NULL);
        if (k->id != NULL) {
            assert_keys(&c, k->id, k->provider);
            assert_i64_eq(c.expires_us, INT64_MAX);
            assert_int_equal(c.session_token.text == NULL, k->token == NULL);
        }
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

TEST(test_credentials_profile__takes_the_name_and_the_files_that_are_set)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    profile_init(&w, "[profile x]\n" KEYS("WRONG"), "[x]\n" KEYS("WRONG"));
    world_set(&w, "AWS_CONFIG_FILE", world_file(&w, "a/config", "[profile b]\n" KEYS("AKIDB")));
    world_set(&w, "AWS_SHARED_CREDENTIALS_FILE", "~/a/credentials");
    (void)world_file(&w, "a/credentials", "[c]\n" KEYS("AKIDC") "[x]\n" KEYS("AKIDX"));
    world_set(&w, "AWS_PROFILE", "x");
    assert_ok(credentials_from_profile(&w.context, &configured, &c, &w.e), &w.e);
    assert_keys(&c, "AKIDX", "profile x");
    w.context.profile = "b";
    assert_ok(credentials_from_profile(&w.context, &configured, &c, &w.e), &w.e);
    assert_keys(&c, "AKIDB", "profile b");
    w.context.profile = "c";
    assert_ok(credentials_from_profile(&w.context, &configured, &c, &w.e), &w.e);
    assert_keys(&c, "AKIDC", "profile c");
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_profile__reads_no_file_where_home_is_not_set)
{
    struct world w;
    struct credentials c = {0};
    bool configured = true;

    profile_init(&w, NULL, "[default]\n" KEYS("AKID1"));
    world_unset_all(&w);
    assert_ok(credentials_from_profile(&w.context, &configured, &c, &w.e), &w.e);
    assert_false(configured);
    world_set(&w, "AWS_PROFILE", "etl");
    assert_err(credentials_from_profile(&w.context, &configured, &c, &w.e), ERR_CONFIG, &w.e);
    assert_says(&w.e, "HOME is not set");
    world_set(&w, "AWS_CONFIG_FILE", "~/config");
    assert_err(credentials_from_profile(&w.context, &configured, &c, &w.e), ERR_CONFIG, &w.e);
    assert_says(&w.e, "~/config cannot be found, as HOME is not set");
    world_deinit(&w);
}

TEST(test_credentials_profile__says_what_is_wrong)
{
    static const struct {
        const char *config;
        const char *credentials;
        const char *want;
    } cases[] = {
        {NULL, NULL, "profile 'etl' is neither in ~/.aws/config nor in ~/.aws/credentials"},
        {"[etl]\n" KEYS("AKID1"), NULL, "profile 'etl' is neither in"},
        {"[profile etl]\nsesame\n", NULL, "/.aws/config line 2: expected"},
        {NULL, "[etl]\naws_access_key_id = AKID1\n", "profile 'etl': /"},
        {NULL, "[etl]\naws_access_key_id = AKID1\n",
         "credentials has aws_access_key_id and not the aws_secret_access_key that belongs"},
        {NULL, "[etl]\naws_secret_access_key = sesame\n",
         "credentials has aws_secret_access_key and not the aws_access_key_id that belongs"},
        {"[profile etl]\naws_secret_access_key = sesame\n", "[etl]\naws_access_key_id = AKID1\n",
         "credentials has aws_access_key_id and not the aws_secret_access_key that belongs"},
        {NULL, "[etl]\naws_access_key_id = AKID1\naws_secret_access_key = sesame sesame\n",
         "strange character in the secret access key"},
        {"[profile etl]\nrole_arn = " ARN "\n", NULL,
         "profile 'etl': role_arn needs one of source_profile, credential_source and"},
        {"[profile etl]\nrole_arn = " ARN "\nsource_profile = a\ncredential_source = Environment\n",
         NULL, "role_arn needs one of"},
        {"[profile etl]\nsource_profile = a\n", NULL, "role_arn, the role to assume, is missing"},
        {"[profile etl]\ncredential_source = Environment\n", NULL,
         "role_arn, the role to assume, is missing"},
        {"[profile etl]\nweb_identity_token_file = /x\n", NULL,
         "role_arn, the role to assume, is missing"},
        {"[profile etl]\nrole_arn = " ARN "\nsource_profile = none\n", NULL,
         "profile 'etl': source_profile of 'etl': profile 'none' is neither in"},
        {"[profile etl]\nrole_arn = " ARN "\nsource_profile = a\n[profile a]\nregion = x\n", NULL,
         "source_profile 'a' has no keys"},
        {"[profile etl]\nrole_arn = " ARN "\nsource_profile = a\nmfa_serial = m\n", NULL,
         "mfa_serial is set, and a program that runs by itself cannot ask for a code"},
        {"[profile etl]\nrole_arn = " ARN "\nsource_profile = a\nduration_seconds = 1h\n", NULL,
         "config line 4: duration_seconds is '1h': expected a number"},
        {"[profile etl]\nrole_arn = " ARN "\nsource_profile = a\nduration_seconds = 0\n", NULL,
         "duration_seconds is '0'"},
        {"[profile etl]\nrole_arn = " ARN
         "\nsource_profile = a\nduration_seconds = 99999999999999999999\n",
         NULL, "duration_seconds is '9999"},
        {"[profile etl]\nrole_arn = " ARN "\ncredential_source = environment\n", NULL,
         "credential_source is 'environment': expected Environment, Ec2InstanceMetadata or"},
        {"[profile etl]\nrole_arn = " ARN "\ncredential_source = Environment\n", NULL,
         "credential_source = Environment: there are no keys"},
        {"[profile etl]\nrole_arn = " ARN "\ncredential_source = EcsContainer\n", NULL,
         "credential_source = EcsContainer: there are no keys"},
        {"[profile etl]\nrole_arn = " ARN "\ncredential_source = Ec2InstanceMetadata\n", NULL,
         "credential_source = Ec2InstanceMetadata: the instance metadata service is switched off"},
        {"[profile etl]\nlogin_session = arn:x\n", "[etl]\n" KEYS("AKID1"),
         "login_session (aws login) is not supported"},
        {"[profile etl]\ncredential_process = /nonexistent/keys sesame\n", NULL,
         "config line 2): starting /nonexistent/keys: "},
        {"[profile etl]\nrole_arn = " ARN "\nweb_identity_token_file = ~/nothing\n", NULL,
         "the token of the web identity: reading /"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = false;

        profile_init(&w, cases[i].config, cases[i].credentials);
        world_set(&w, "AWS_PROFILE", "etl");
        world_set(&w, "AWS_EC2_METADATA_DISABLED", "true");
        assert_err(credentials_from_profile(&w.context, &configured, &c, &w.e), ERR_CONFIG, &w.e);
        assert_true(configured);
        assert_says(&w.e, cases[i].want);
        assert_no_secret(&w.e);
        assert_int_equal(world_requests(&w), 0);
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

TEST(test_credentials_profile__tells_files_that_cannot_be_read)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    profile_init(&w, NULL, NULL);
    world_set(&w, "AWS_CONFIG_FILE", w.home.path); /* a folder */
    assert_err(credentials_from_profile(&w.context, &configured, &c, &w.e), ERR_CONFIG, &w.e);
    assert_true(configured);
    assert_says(&w.e, "reading /");
    world_unset_all(&w);
    world_set(&w, "AWS_CONFIG_FILE", world_file(&w, "config", "[default]\n"));
    assert_int_equal(chmod(w.home.location, 0), 0);
    if (temp_become_nobody()) {
        enum err_code rc = credentials_from_profile(&w.context, &configured, &c, &w.e);

        temp_become_root();
        assert_err(rc, ERR_CONFIG, &w.e);
        assert_says(&w.e, "/config: Permission denied");
    }
    world_deinit(&w);
}

/* ---- roles ---- */

TEST(test_credentials_profile__assumes_roles)
{
    static const struct {
        const char *config;
        const char *credentials;
        unsigned roles; /* how often STS is asked */
        const char *provider;
        const char *first_key; /* that asks STS first */
    } cases[] = {
        {"[profile etl]\nrole_arn = " ARN "\nsource_profile = base\n", "[base]\n" KEYS("AKIDB"), 1,
         "profile base then role " ARN, "AKIDB"},
        /* Itself, for its keys. */
        {"[profile etl]\nrole_arn = " ARN "\nsource_profile = etl\n", "[etl]\n" KEYS("AKIDE"), 1,
         "profile etl then role " ARN, "AKIDE"},
        {"[profile etl]\nrole_arn = " ARN "\ncredential_source = Environment\n", NULL, 1,
         "environment then role " ARN, "AKIDENV"},
        {"[profile etl]\nrole_arn = arn:2\nsource_profile = mid\n"
         "[profile mid]\nrole_arn = arn:1\nsource_profile = base\n",
         "[base]\n" KEYS("AKIDB"), 2, "profile base then role arn:1 then role arn:2", "AKIDB"},
        /* A source with keys gives these, though it has a role. */
        {"[profile etl]\nrole_arn = arn:2\nsource_profile = mid\n"
         "[profile mid]\nrole_arn = arn:1\nsource_profile = base\n",
         "[base]\n" KEYS("AKIDB") "[mid]\n" KEYS("AKIDM"), 1, "profile mid then role arn:2",
         "AKIDM"},
        {"[profile etl]\nrole_arn = arn:5\nsource_profile = p4\n"
         "[profile p4]\nrole_arn = arn:4\nsource_profile = p3\n"
         "[profile p3]\nrole_arn = arn:3\nsource_profile = p2\n"
         "[profile p2]\nrole_arn = arn:2\nsource_profile = p1\n",
         "[p1]\n" KEYS("AKIDB"), 4,
         "profile p1 then role arn:2 then role arn:3 then role arn:4 then role arn:5", "AKIDB"},
        /* A role is preferred to SSO and keys. */
        {"[profile etl]\nrole_arn = " ARN "\nsource_profile = base\nsso_session = x\n",
         "[base]\n" KEYS("AKIDB") "[etl]\n" KEYS("AKIDE"), 1, "profile base then role " ARN,
         "AKIDB"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = false;

        profile_init(&w, cases[i].config, cases[i].credentials);
        world_set(&w, "AWS_PROFILE", "etl");
        world_set(&w, "AWS_ACCESS_KEY_ID", "AKIDENV");
        world_set(&w, "AWS_SECRET_ACCESS_KEY", "AKIDENV-sesame");
        for (unsigned role = 1; role <= cases[i].roles; role++) {
            char id[16];

            (void)snprintf(id, sizeof id, "ASIA%u", role);
            world_answer_sts(&w, "AssumeRole", id, 3600);
        }
        assert_ok(credentials_from_profile(&w.context, &configured, &c, &w.e), &w.e);
        assert_true(configured);
        assert_string_equal(c.provider, cases[i].provider);
        assert_int_equal(world_requests(&w), cases[i].roles);
        assert_non_null(strstr(world_request(&w, 0).authorization, cases[i].first_key));
        for (unsigned role = 1; role < cases[i].roles; role++) {
            char credential[32];

            (void)snprintf(credential, sizeof credential, "Credential=ASIA%u/", role);
            assert_non_null(strstr(world_request(&w, role).authorization, credential));
        }
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

TEST(test_credentials_profile__sends_what_the_profile_says_of_its_role)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    profile_init(&w,
                 "[profile etl]\nregion = eu-west-3\nrole_arn = " ARN
                 "\nsource_profile = base\nrole_session_name = me\nexternal_id = 7\n"
                 "duration_seconds = 1800\n[profile base]\nregion = eu-west-1\n",
                 "[base]\n" KEYS("AKIDB"));
    world_set(&w, "AWS_PROFILE", "etl");
    world_answer_sts(&w, "AssumeRole", "ASIA1", 1800);
    assert_ok(credentials_from_profile(&w.context, &configured, &c, &w.e), &w.e);
    struct world_seen seen = world_request(&w, 0);

    assert_non_null(strstr(seen.body, "&RoleSessionName=me&DurationSeconds=1800&ExternalId=7"));
    assert_non_null(strstr(seen.authorization, "/eu-west-3/sts/"));
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_profile__assumes_a_role_with_keys_of_the_instance_or_container)
{
    static const char *const sources[] = {"Ec2InstanceMetadata", "EcsContainer"};
    static const char *const providers[] = {"instance metadata (role r) then role " ARN,
                                            "container then role " ARN};

    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = false;
        char *config =
            str_format("[profile etl]\nrole_arn = %s\ncredential_source = %s\n", ARN, sources[i]);

        assert_non_null(config);
        profile_init(&w, config, NULL);
        free(config);
        world_set(&w, "AWS_PROFILE", "etl");
        world_set(&w, "AWS_EC2_METADATA_SERVICE_ENDPOINT", w.url);
        world_set(&w, "AWS_CONTAINER_CREDENTIALS_FULL_URI", w.url);
        world_answer(&w, "PUT /latest/api/token", 200, "T");
        world_answer(&w, "GET /latest/meta-data/iam/security-credentials/", 200, "r");
        world_answer_keys(&w, "GET /latest/meta-data/iam/security-credentials/r", "ASIAB", 3600);
        world_answer_keys(&w, "GET /", "ASIAB", 3600);
        world_answer_sts(&w, "AssumeRole", "ASIA1", 3600);
        assert_ok(credentials_from_profile(&w.context, &configured, &c, &w.e), &w.e);
        assert_session(&c, "ASIA1", providers[i]);
        struct world_seen seen = world_request(&w, world_requests(&w) - 1);

        assert_non_null(strstr(seen.authorization, "Credential=ASIAB/"));
        assert_string_equal(seen.security_token, "ASIAB-sesame-t");
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

TEST(test_credentials_profile__shows_the_token_of_a_web_identity)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    profile_init(&w,
                 "[profile etl]\nrole_arn = " ARN "\nweb_identity_token_file = ~/token\n"
                 "role_session_name = me\n",
                 NULL);
    (void)world_file(&w, "token", "sesame");
    world_set(&w, "AWS_PROFILE", "etl");
    world_answer_sts(&w, "AssumeRoleWithWebIdentity", "ASIA1", 3600);
    assert_ok(credentials_from_profile(&w.context, &configured, &c, &w.e), &w.e);
    assert_session(&c, "ASIA1", "profile etl (web identity, role " ARN ")");
    assert_non_null(strstr(world_request(&w, 0).body, "RoleSessionName=me"));
    assert_non_null(strstr(world_request(&w, 0).body, "WebIdentityToken=sesame"));
    assert_string_equal(world_request(&w, 0).authorization, "");
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_profile__finds_circles_and_chains_without_end)
{
    static const struct {
        const char *config;
        const char *want;
    } cases[] = {
        {"[profile etl]\nrole_arn = a\nsource_profile = etl\n",
         "source_profile 'etl' leads in a circle"},
        {"[profile etl]\nrole_arn = a\nsource_profile = b\n"
         "[profile b]\nrole_arn = a\nsource_profile = etl\n",
         "source_profile 'etl' leads in a circle"},
        {"[profile etl]\nrole_arn = a\nsource_profile = b\n"
         "[profile b]\nrole_arn = a\nsource_profile = c\n"
         "[profile c]\nrole_arn = a\nsource_profile = b\n",
         "source_profile 'b' leads in a circle"},
        /* Keys help only the one that names itself. */
        {"[profile etl]\nrole_arn = a\nsource_profile = b\n" KEYS(
             "AKID1") "[profile b]\nrole_arn = a\nsource_profile = etl\n",
         "source_profile 'etl' leads in a circle"},
        {"[profile etl]\nrole_arn = a\nsource_profile = p2\n"
         "[profile p2]\nrole_arn = a\nsource_profile = p3\n"
         "[profile p3]\nrole_arn = a\nsource_profile = p4\n"
         "[profile p4]\nrole_arn = a\nsource_profile = p5\n"
         "[profile p5]\nrole_arn = a\nsource_profile = p6\n[profile p6]\n" KEYS("AKID1"),
         "more than 5 profiles name each other"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = false;

        profile_init(&w, cases[i].config, NULL);
        world_set(&w, "AWS_PROFILE", "etl");
        assert_err(credentials_from_profile(&w.context, &configured, &c, &w.e), ERR_CONFIG, &w.e);
        assert_says(&w.e, cases[i].want);
        assert_int_equal(world_requests(&w), 0);
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

/* ---- credential_process ---- */

TEST(test_credentials_process__takes_what_a_program_prints)
{
    static const struct {
        const char *json;
        int64_t expires_us;
        bool token;
    } cases[] = {
        {"{\"Version\":1,\"AccessKeyId\":\"AKID1\",\"SecretAccessKey\":\"AKID1-sesame\"}",
         INT64_MAX, false},
        {"{\"Version\":1,\"AccessKeyId\":\"AKID1\",\"SecretAccessKey\":\"AKID1-sesame\","
         "\"SessionToken\":\"AKID1-sesame-t\",\"Expiration\":\"2023-11-15T00:13:20.5+02:00\"}\n",
         WORLD_NOW_US + 500000, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = false;

        profile_init(&w, NULL, NULL);
        char *config = str_format("[profile etl]\ncredential_process = cat '%s'\n",
                                  world_file(&w, "printed", cases[i].json));

        assert_non_null(config);
        (void)world_file(&w, ".aws/config", config);
        free(config);
        world_set(&w, "AWS_PROFILE", "etl");
        assert_ok(credentials_from_profile(&w.context, &configured, &c, &w.e), &w.e);
        assert_keys(&c, "AKID1", "profile etl (process)");
        assert_i64_eq(c.expires_us, cases[i].expires_us);
        assert_int_equal(c.session_token.text != NULL, cases[i].token);
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

TEST(test_credentials_process__gives_the_program_our_environment)
{
    struct world w;
    struct credentials c = {0};

    world_init(&w);
    world_set(&w, "KEYS_ID", "AKID1");
    assert_ok(credentials_from_process(&w.context,
                                       "sh -c 'echo \"{\\\"Version\\\":1,\\\"AccessKeyId\\\":"
                                       "\\\"$KEYS_ID\\\",\\\"SecretAccessKey\\\":\\\"x\\\"}\"'",
                                       &c, &w.e),
              &w.e);
    assert_string_equal(c.access_key_id, "AKID1");
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_process__says_what_is_wrong)
{
    static const struct {
        const char *command;
        enum err_code code;
        const char *want;
    } cases[] = {
        {"echo sesame", ERR_IO, "what it prints: expected JSON"},
        {"true", ERR_IO, "what it prints: expected JSON"},
        {"echo {}", ERR_IO, "no \"Version\": 1"},
        {"echo '{\"Version\":2}'", ERR_IO, "no \"Version\": 1"},
        {"echo '{\"Version\":\"1\"}'", ERR_IO, "no \"Version\": 1"},
        {"echo '{\"Version\":1}'", ERR_IO, "no text \"AccessKeyId\""},
        {"sh -c 'echo sesame; exit 1'", ERR_IO, "sh ended with status 1"},
        {"sh -c 'while :; do echo sesame sesame sesame; done'", ERR_LIMIT, "more than 65536"},
        {"/nonexistent/keys sesame", ERR_CONFIG, "starting /nonexistent/keys"},
        {"'keys", ERR_CONFIG, "quotes"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};

        world_init(&w);
        assert_err(credentials_from_process(&w.context, cases[i].command, &c, &w.e), cases[i].code,
                   &w.e);
        assert_says(&w.e, cases[i].want);
        assert_no_secret(&w.e);
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

TEST(test_credentials_profile__survives_without_memory)
{
    struct world w;

    profile_init(&w,
                 "[profile etl]\nregion = eu-west-3\nrole_arn = " ARN
                 "\nsource_profile = base\n[profile base]\ncredential_process = echo "
                 "'{\"Version\":1,\"AccessKeyId\":\"AKID1\",\"SecretAccessKey\":\"x\"}'\n",
                 NULL);
    world_set(&w, "AWS_PROFILE", "etl");
    TORTURE(nth)
    {
        struct credentials c = {0};
        bool configured = false;

        torture_fail_at(0);
        world_forget(&w);
        world_answer_sts(&w, "AssumeRole", "ASIA1", 3600);
        torture_fail_at(nth);
        enum err_code rc = credentials_from_profile(&w.context, &configured, &c, &w.e);

        assert_true(rc == ERR_OK || (rc == ERR_NOMEM && w.e.code == ERR_NOMEM));
        assert_true(configured);
        credentials_deinit(&c);
    }
    world_deinit(&w);
}

TEST_MAIN(
    test_case(test_credentials_profile__finds_keys),
    test_case(test_credentials_profile__takes_the_name_and_the_files_that_are_set),
    test_case(test_credentials_profile__reads_no_file_where_home_is_not_set),
    test_case(test_credentials_profile__says_what_is_wrong),
    test_case(test_credentials_profile__tells_files_that_cannot_be_read),
    test_case(test_credentials_profile__assumes_roles),
    test_case(test_credentials_profile__sends_what_the_profile_says_of_its_role),
    test_case(test_credentials_profile__assumes_a_role_with_keys_of_the_instance_or_container),
    test_case(test_credentials_profile__shows_the_token_of_a_web_identity),
    test_case(test_credentials_profile__finds_circles_and_chains_without_end),
    test_case(test_credentials_process__takes_what_a_program_prints),
    test_case(test_credentials_process__gives_the_program_our_environment),
    test_case(test_credentials_process__says_what_is_wrong),
    test_case(test_credentials_profile__survives_without_memory))
