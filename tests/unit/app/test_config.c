#include "app/config.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config_help.h"
#include "app/config_value.h"
#include "test.h"

#define NAMES_MAX 8

/* A working folder, a home folder beside it, and what a case puts there. */
struct place {
    char root[64];
    char work[80];
    char home[80];
};

struct given {
    const char *flags[2 * NAMES_MAX]; /* name, value, name, value */
    const char *variables[NAMES_MAX];
    const char *yaml;
    const char *dotenv;
    const char *pyiceberg; /* in the working folder */
    const char *my_cnf;    /* in the home folder */
    const char *file;      /* -c */
    bool no_command;
};

static void put_file(const char *folder, const char *name, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)unlink(path);
    if (text != NULL) {
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
    }
}

static void place_make(struct place *p, const struct given *g)
{
    (void)snprintf(p->root, sizeof p->root, "/tmp/calve-test-XXXXXX");
    assert_non_null(mkdtemp(p->root));
    (void)snprintf(p->home, sizeof p->home, "%s/home", p->root);
    (void)snprintf(p->work, sizeof p->work, "%s/work", p->root);
    assert_int_equal(mkdir(p->home, 0700), 0);
    assert_int_equal(mkdir(p->work, 0700), 0);
    put_file(p->work, "calve.yaml", g->yaml);
    put_file(p->work, ".env", g->dotenv);
    put_file(p->work, ".pyiceberg.yaml", g->pyiceberg);
    put_file(p->work, "pw", "sesame\nsecond line\n");
    put_file(p->home, ".my.cnf", g->my_cnf);
}

static void place_remove(struct place *p)
{
    static const char *const names[] = {"calve.yaml", ".env", ".pyiceberg.yaml", "pw"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        put_file(p->work, names[i], NULL);
    }
    put_file(p->home, ".my.cnf", NULL);
    assert_int_equal(rmdir(p->work), 0);
    assert_int_equal(rmdir(p->home), 0);
    assert_int_equal(rmdir(p->root), 0);
}

static enum err_code load_at(const struct place *p, const struct given *g, struct config **out,
                             struct err *e)
{
    struct config_flag flags[NAMES_MAX];
    const char *environment[NAMES_MAX + 2] = {NULL};
    char home[128];
    uint32_t count = 0;

    (void)snprintf(home, sizeof home, "HOME=%s", p->home);
    environment[0] = home;
    for (size_t i = 0; i < NAMES_MAX && g->variables[i] != NULL; i++) {
        environment[i + 1] = g->variables[i];
    }
    for (; count < NAMES_MAX && g->flags[2 * count] != NULL; count++) {
        flags[count].setting = config_find(span_str(g->flags[2 * count]));
        flags[count].value = g->flags[2 * count + 1];
        assert_non_null(flags[count].setting);
    }
    const struct config_request request = {
        .flags = flags,
        .flag_count = count,
        .file = g->file,
        .folder = p->work,
        .environment = environment,
        .no_command = g->no_command,
    };

    return config_load(&request, out, e);
}

static enum err_code load(const struct given *g, struct config **out, struct err *e)
{
    struct place p;

    place_make(&p, g);
    enum err_code rc = load_at(&p, g, out, e);

    place_remove(&p);
    return rc;
}

static struct config *load_ok(const struct given *g)
{
    struct config *c = NULL;
    struct err e = {0};

    assert_ok(load(g, &c, &e), &e);
    return c;
}

static void assert_setting(const struct config *c, const char *name, const char *value,
                           const char *origin)
{
    struct buf text = {0};

    config_value_print(config_find(span_str(name)), c, &text);
    if (!span_eq_str(buf_span(&text), value) || strcmp(config_origin(c, name), origin) != 0) {
        fail_msg("%s is '%.*s' from '%s', not '%s' from '%s'", name, (int)text.len,
                 (const char *)text.data, config_origin(c, name), value, origin);
    }
    buf_deinit(&text);
}

TEST(test_config__has_sound_defaults)
{
    const struct given g = {0};
    struct config *c = load_ok(&g);

    assert_setting(c, "mysql.host", "127.0.0.1", "default");
    assert_setting(c, "mysql.port", "3306", "default");
    assert_setting(c, "mysql.server-id", "1", "default");
    assert_setting(c, "connection-name", "local_mysql", "default");
    assert_u64_eq(c->commit_interval_ms, 10000);
    assert_u64_eq(c->commit_max_bytes, UINT64_C(1) << 30);
    assert_u64_eq(c->memory_max_bytes, 192u << 20);
    assert_u64_eq(c->snapshots_keep_age_ms, 86400000);
    assert_int_equal(c->mysql.tls, MYSQL_TLS_PREFERRED);
    assert_int_equal(c->snapshot, RUN_SNAPSHOT_INITIAL);
    assert_int_equal(c->from.kind, RUN_POINT_CURRENT);
    assert_int_equal(c->until.kind, RUN_POINT_NONE);
    assert_int_equal(c->log_level, LOG_LEVEL_INFO);
    assert_u64_eq(c->tables.count, 0);
    assert_false(c->connection_folder);
    assert_string_equal(c->warehouse_location, "");
    assert_string_equal(c->mysql.defaults_file, "");
    assert_u64_eq(c->warnings.count, 0);
    assert_null(config_mysql_options(c).password.text);
    config_free(c);
}

/* Each default must itself be allowed, and print as it was written. */
TEST(test_config__prints_defaults_as_written)
{
    const struct given g = {0};
    struct config *c = load_ok(&g);

    for (size_t i = 0; i < config_setting_count; i++) {
        assert_setting(c, config_settings[i].name, config_settings[i].initial, "default");
    }
    config_free(c);
}

TEST(test_config__follows_precedence)
{
    struct given g = {
        .flags = {"commit.interval", "1s"},
        .variables = {"CALVE_COMMIT_INTERVAL=2s", "BATCH_SIZE=5"},
        .yaml = "commit:\n  interval: 3s\nbatch-size: 6\nwriters: 7\n",
        .dotenv =
            "CALVE_COMMIT_INTERVAL=4s\nCALVE_WRITERS=8\nCALVE_BACKFILL_WORKERS=9\nBATCH_SIZE=3\n",
    };
    struct config *c = load_ok(&g);

    assert_setting(c, "commit.interval", "1s", "--commit-interval");
    assert_setting(c, "batch-size", "5", "environment BATCH_SIZE");
    assert_setting(c, "writers", "7", "calve.yaml:4");
    assert_setting(c, "backfill.workers", "9", ".env:3");
    assert_true(config_is_set(c, "writers"));
    assert_false(config_is_set(c, "memory.max"));
    config_free(c);

    g.flags[0] = NULL;
    c = load_ok(&g);
    assert_setting(c, "commit.interval", "2s", "environment CALVE_COMMIT_INTERVAL");
    config_free(c);

    g.variables[0] = "CALVE_BATCH_SIZE=4";
    c = load_ok(&g);
    assert_setting(c, "commit.interval", "3s", "calve.yaml:2");
    assert_setting(c, "batch-size", "4", "environment CALVE_BATCH_SIZE");
    config_free(c);

    g.yaml = NULL;
    c = load_ok(&g);
    assert_setting(c, "commit.interval", "4s", ".env:1");
    config_free(c);
}

TEST(test_config__gathers_lists)
{
    const struct given g = {
        .flags = {"table", "a.b, c.*", "table", "d.e"},
        .yaml = "table: [x.y]\nexclude-table:\n  - s.t\n  - u.v\n",
    };
    struct config *c = load_ok(&g);

    assert_setting(c, "table", "a.b,c.*,d.e", "--table");
    assert_u64_eq(c->tables.count, 3);
    assert_string_equal(c->tables.items[1], "c.*");
    assert_setting(c, "exclude-table", "s.t,u.v", "calve.yaml:4");
    config_free(c);
}

/* Setting, text, whether it is allowed. */
TEST(test_config__knows_the_bounds_of_each_type)
{
    static const struct {
        const char *name;
        const char *text;
        const char *want; /* as printed; NULL: refused */
    } cases[] = {
        {"mysql.port", "1", "1"},
        {"mysql.port", "65535", "65535"},
        {"mysql.port", "0", NULL},
        {"mysql.port", "65536", NULL},
        {"mysql.port", "-1", NULL},
        {"mysql.port", "3306x", NULL},
        {"mysql.port", "18446744073709551616", NULL},
        {"mysql.server-id", "4294967295", "4294967295"},
        {"mysql.server-id", "4294967296", NULL},
        {"mysql.server-id", "0", NULL},
        {"commit.interval", "100ms", "100ms"},
        {"commit.interval", "99ms", NULL},
        {"commit.interval", "60m", "1h"},
        {"commit.interval", "61m", NULL},
        {"commit.interval", "10", NULL},
        {"commit.interval", "10 s", "10s"},
        {"commit.interval", "s", NULL},
        {"commit.interval", "1.5s", NULL},
        {"commit.interval", "99999999999999999999s", NULL},
        {"commit.interval", "999999999999999999h", NULL},
        {"snapshots.keep-age", "0", "0s"},
        {"snapshots.keep-age", "90m", "90m"},
        {"snapshots.keep-age", "7d", "7d"},
        {"memory.max", "64MiB", "64MiB"},
        {"memory.max", "67108863", NULL},
        {"memory.max", "64 mib", "64MiB"},
        {"memory.max", "64M", "64MiB"},
        {"memory.max", "100MB", "100MB"},
        {"memory.max", "1g", "1GiB"},
        {"memory.max", "1PiB", NULL},
        {"memory.max", "99999999TiB", NULL},
        {"mysql.tls", "VERIFY-CA", "verify-ca"},
        {"mysql.tls", "verify", NULL},
        {"log.format", "json", "json"},
        {"connection-folder", "yes", "true"},
        {"connection-folder", "OFF", "false"},
        {"connection-folder", "2", NULL},
        {"compression.level", "19", "19"},
        {"compression.level", "20", NULL},
        {"connection-name", "shop db-1", "shop db-1"},
        {"connection-name", "a/b", NULL},
        {"connection-name", "..", NULL},
        {"connection-name", "a\nb", NULL},
        {"table", "orders", NULL},
        {"table", "shop.", NULL},
        {"table", ".orders", NULL},
        {"ddl.accept", "binlog.000003:4,all", "binlog.000003:4,all"},
        {"ddl.accept", "some", NULL},
        {"from", "EARLIEST", "EARLIEST"},
        {"from", "never", NULL},
        {"until", "earliest", NULL},
        {"until", "binlog.000003", NULL},
        {"until", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-x", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct given g = {.flags = {cases[i].name, cases[i].text}};
        struct config *c = NULL;
        struct err e = {0};
        enum err_code rc = load(&g, &c, &e);
        char flag[CONFIG_NAME_BYTES];

        config_flag_name(config_find(span_str(cases[i].name)), flag);
        if (cases[i].want != NULL) {
            assert_ok(rc, &e);
            assert_setting(c, cases[i].name, cases[i].want, flag);
        } else if (rc != ERR_CONFIG || strncmp(e.msg, cases[i].name, strlen(cases[i].name)) != 0 ||
                   strstr(e.msg, flag) == NULL || strstr(e.msg, "must be") == NULL) {
            fail_msg("%s = %s gives '%s'", cases[i].name, cases[i].text, e.msg);
        }
        config_free(c);
    }
}

TEST(test_config__names_setting_value_origin_and_what_is_allowed)
{
    const struct given g = {.yaml = "\ncommit:\n  interval: 5 parsecs\n"};
    struct config *c = NULL;
    struct err e = {0};

    assert_err(load(&g, &c, &e), ERR_CONFIG, &e);
    assert_string_equal(e.msg,
                        "commit.interval: '5 parsecs' (calve.yaml:3) must be a time from 100ms "
                        "to 1h, such as 30s or 5m");
    assert_null(c);
}

TEST(test_config__takes_only_the_winning_value_to_court)
{
    /* Kubernetes sets MYSQL_PORT to tcp://… where a service is called mysql. */
    const struct given g = {.flags = {"mysql.port", "3307"},
                            .variables = {"MYSQL_PORT=tcp://1.2.3.4:3306"}};
    struct config *c = load_ok(&g);

    assert_u64_eq(c->mysql.port, 3307);
    config_free(c);
}

TEST(test_config__names_the_nearest_setting)
{
    static const struct {
        const char *yaml;
        const char *want;
    } cases[] = {
        {"comit.interval: 5s\n",
         "calve.yaml:1: there is no setting 'comit.interval'; do you mean commit.interval?"},
        {"mysql:\n  hots: x\n",
         "calve.yaml:2: there is no setting 'mysql.hots'; do you mean mysql.host?"},
        {"tables: [a.b]\n", "do you mean table?"},
        {"port: 1\n", "do you mean mysql.port?"},
        {"batch_size: 1\n", "do you mean batch-size?"},
        {"frobnicate: 1\n", "there is no setting 'frobnicate' (calve config lists them)"},
        {"mysqll:\n", "there is no setting 'mysqll'"},
        {"mysql: {host: [a]}\n", "mysql.host is one value, not a list"},
        {"warehouse: ${NOPE}\n", "calve.yaml:1: warehouse: ${NOPE} is not set"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct given g = {.yaml = cases[i].yaml};
        struct config *c = NULL;
        struct err e = {0};

        assert_err(load(&g, &c, &e), ERR_CONFIG, &e);
        if (strstr(e.msg, cases[i].want) == NULL) {
            fail_msg("'%s' gives '%s'", cases[i].yaml, e.msg);
        }
    }
}

TEST(test_config__warns_of_variables_that_are_no_setting)
{
    const struct given g = {
        .variables = {"CALVE_COMIT_INTERVAL=5s", "CALVE_=x", "CALVESQUE=1"},
        .dotenv = "CALVE_TABEL=a.b\nnot a statement\n",
    };
    struct config *c = load_ok(&g);

    assert_u64_eq(c->warnings.count, 3);
    assert_string_equal(c->warnings.items[0], ".env:2: not NAME=value, left out");
    assert_string_equal(c->warnings.items[1],
                        ".env:1: CALVE_TABEL is no setting, left out; do you mean CALVE_TABLE?");
    assert_string_equal(c->warnings.items[2],
                        "environment: CALVE_COMIT_INTERVAL is no setting, left out; "
                        "do you mean CALVE_COMMIT_INTERVAL?");
    config_free(c);
}

TEST(test_config__takes_the_source_url_apart)
{
    const struct given g = {
        .flags = {"source", "mysql://u:s%40same@[::1]:3307/?tls=required", "mysql.user", "v"},
        .variables = {"MYSQL_HOST=other", "MYSQL_PORT=1", "MYSQL_PASSWD=weak",
                      "CALVE_MYSQL_SOCKET=/s"},
    };
    struct config *c = load_ok(&g);
    struct mysql_options o = config_mysql_options(c);

    assert_setting(c, "mysql.host", "::1", "--source");
    assert_setting(c, "mysql.port", "3307", "--source");
    assert_setting(c, "mysql.user", "v", "--mysql-user");
    assert_setting(c, "mysql.socket", "", "--source");
    assert_setting(c, "mysql.tls", "required", "--source");
    assert_setting(c, "mysql.password", "***", "--source");
    assert_setting(c, "source", "mysql://u:***@[::1]:3307/?tls=required", "--source");
    assert_string_equal(o.password.text, "s@same");
    assert_int_equal(o.port, 3307);
    assert_null(o.socket);
    assert_null(o.defaults_file);
    config_free(c);
}

TEST(test_config__lets_stronger_places_correct_a_source_url)
{
    const struct given g = {.variables = {"MYSQL_HOST=replica"},
                            .yaml = "source: mysql://u:p@primary:1\n"};
    struct config *c = load_ok(&g);

    assert_setting(c, "mysql.host", "replica", "environment MYSQL_HOST");
    assert_setting(c, "mysql.port", "1", "calve.yaml:1");
    config_free(c);
}

TEST(test_config__never_prints_a_password)
{
    static const struct given cases[] = {
        {.flags = {"source", "mysql://u:sesame@h"}},
        {.variables = {"MYSQL_PASSWD=sesame"}},
        {.yaml = "mysql: {password: sesame}\nsource: mysql://u:sesame@h\n"},
        {.flags = {"mysql.password-file", "pw"}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *c = load_ok(&cases[i]);
        struct buf text = {0};

        config_print(c, &text);
        assert_null(strstr(buf_cstr(&text), "sesame"));
        assert_non_null(strstr(buf_cstr(&text), "***"));
        assert_string_equal(config_mysql_options(c).password.text, "sesame");
        buf_deinit(&text);
        config_free(c);
    }
}

TEST(test_config__never_prints_secrets_in_urls_and_headers)
{
    static const struct {
        const char *name;
        const char *text;
        const char *shown;
    } cases[] = {
        {"http.proxy", "http://user:sesame@proxy:3128", "http://***@proxy:3128"},
        {"http.proxy", "user:sesame@proxy:3128", "***@proxy:3128"},
        {"catalog.uri", "https://u:sesame@h/x", "https://***@h/x"},
        {"catalog.uri", "postgresql://u:sesame@h/d", "postgresql://***@h/d"},
        {"s3.endpoint", "https://u:sesame@h", "https://***@h"},
        {"glue.endpoint", "https://u:sesame@h", "https://***@h"},
        {"rest.oauth2-server-uri", "https://h/token?key=sesame", "https://h/token?***"},
        {"warehouse", "s3n://ID:sesame@bucket/x", "s3n://***@bucket/x"},
        {"rest.warehouse", "s3://ID:sesame@bucket", "s3://***@bucket"},
        {"rest.header", "Authorization: Bearer sesame", "Authorization: ***"},
        {"rest.header", "X-Tenant: sesame, Cookie:a=sesame", "X-Tenant: ***,Cookie: ***"},
        /* A name and a folder are no URL. */
        {"rest.warehouse", "shop@example.com", "shop@example.com"},
        {"warehouse", "a:b@c?d", "a:b@c?d"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct given g = {.flags = {cases[i].name, cases[i].text}};
        struct config *c = load_ok(&g);
        struct buf text = {0};
        struct err e = {0};

        assert_setting(c, cases[i].name, cases[i].shown, config_origin(c, cases[i].name));
        config_print(c, &text);
        assert_null(strstr(buf_cstr(&text), "sesame"));
        (void)!config_require(c, CONFIG_NEED_LAKE, &e);
        assert_null(strstr(e.msg, "sesame"));
        buf_deinit(&text);
        config_free(c);
    }
}

TEST(test_config__keeps_passwords_out_of_errors)
{
    const struct given g = {.flags = {"source", "mysql://u:sesa/me@h"}};
    struct config *c = NULL;
    struct err e = {0};

    assert_err(load(&g, &c, &e), ERR_CONFIG, &e);
    assert_non_null(strstr(e.msg, "source (--source): "));
    assert_null(strstr(e.msg, "sesa"));
}

TEST(test_config__reads_password_files)
{
    struct given g = {.flags = {"mysql.password-file", "pw"}, .variables = {"MYSQL_PASSWD=weaker"}};
    struct config *c = load_ok(&g);
    struct err e = {0};

    assert_string_equal(config_mysql_options(c).password.text, "sesame");
    config_free(c);

    g.variables[0] = "CALVE_MYSQL_PASSWORD_FILE=pw";
    g.flags[0] = NULL;
    g.yaml = "mysql.password: weaker\n";
    c = load_ok(&g);
    assert_string_equal(config_mysql_options(c).password.text, "sesame");
    config_free(c);

    g.yaml = "mysql.password: x\nmysql.password-file: pw\n";
    g.variables[0] = NULL;
    assert_err(load(&g, &c, &e), ERR_CONFIG, &e);
    assert_non_null(strstr(e.msg, "are both set"));
    g.yaml = "mysql.password-file: nope\n";
    assert_err(load(&g, &c, &e), ERR_CONFIG, &e);
    assert_non_null(
        strstr(e.msg, "mysql.password-file (calve.yaml:1): there is no such file: nope"));
}

TEST(test_config__falls_back_to_the_users_my_cnf)
{
    struct given g = {.flags = {"source", "mysql://u@h"}, .my_cnf = "[client]\n"};
    struct config *c = load_ok(&g);

    assert_non_null(config_mysql_options(c).defaults_file);
    assert_true(str_ends_with(c->mysql.defaults_file, "/home/.my.cnf"));
    assert_string_equal(config_mysql_options(c).host, "h");
    config_free(c);

    g.flags[1] = "mysql://u:p@h";
    c = load_ok(&g);
    assert_null(config_mysql_options(c).defaults_file);
    config_free(c);

    /* An empty password is one. */
    g.flags[1] = "mysql://u:@h";
    c = load_ok(&g);
    assert_null(config_mysql_options(c).defaults_file);
    assert_string_equal(config_mysql_options(c).password.text, "");
    config_free(c);

    /* A file that was asked for says what nobody else said. */
    g.flags[0] = "mysql.defaults-file";
    g.flags[1] = "/etc/x.cnf";
    c = load_ok(&g);
    assert_null(config_mysql_options(c).host);
    assert_int_equal(config_mysql_options(c).port, 0);
    assert_int_equal(config_require(c, CONFIG_NEED_SOURCE, NULL), ERR_OK);
    config_free(c);
}

TEST(test_config__parses_points)
{
    static const struct {
        const char *text;
        enum run_point_kind kind;
    } cases[] = {
        {"current", RUN_POINT_CURRENT},
        {"binlog.000003:4711", RUN_POINT_POSITION},
        {"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", RUN_POINT_GTIDS},
        {"3E11FA47-71CA-11E1-9E33-C80AA9429562:23", RUN_POINT_GTIDS},
        {"0-1-100", RUN_POINT_GTIDS},
        {"0-1-100,1-2-55", RUN_POINT_GTIDS},
        {"mysql-bin.000001:4", RUN_POINT_POSITION},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct given g = {.flags = {"from", cases[i].text, "until", cases[i].text}};
        struct config *c = load_ok(&g);

        assert_int_equal(c->from.kind, cases[i].kind);
        assert_int_equal(c->until.kind, cases[i].kind);
        if (cases[i].kind == RUN_POINT_GTIDS) {
            assert_string_equal(c->until.gtids, cases[i].text);
        }
        if (i == 1) {
            assert_string_equal(c->from.position.file, "binlog.000003");
            assert_u64_eq(c->from.position.offset, 4711);
        }
        config_free(c);
    }
}

TEST(test_config__makes_locations_absolute)
{
    static const struct {
        const char *warehouse;
        const char *want; /* %w: working folder, %h: home */
    } cases[] = {
        {"lake", "file://%w/lake"},
        {"./lake/", "file://%w/lake"},
        {"../lake//x/.", "file://%r/lake/x"},
        {"/srv/lake", "file:///srv/lake"},
        {"file:///srv/lake/", "file:///srv/lake"},
        {"file:/srv/lake", "file:///srv/lake"},
        {"~/lake", "file://%h/lake"},
        {"/../../srv", "file:///srv"},
        {".", "file://%w"},
    };
    struct place p;
    struct given g = {0};

    place_make(&p, &g);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *c = NULL;
        struct err e = {0};
        char want[256];
        const char *mark = strchr(cases[i].want, '%');
        const char *stands = mark == NULL     ? ""
                             : mark[1] == 'w' ? p.work
                             : mark[1] == 'h' ? p.home
                                              : p.root;

        g.flags[0] = "warehouse";
        g.flags[1] = cases[i].warehouse;
        assert_ok(load_at(&p, &g, &c, &e), &e);
        if (mark == NULL) {
            (void)snprintf(want, sizeof want, "%s", cases[i].want);
        } else {
            (void)snprintf(want, sizeof want, "%.*s%s%s", (int)(mark - cases[i].want),
                           cases[i].want, stands, mark + 2);
        }
        assert_string_equal(c->warehouse_location, want);
        assert_true(str_starts_with(c->catalog_path, want + strlen("file://")));
        assert_true(str_ends_with(c->catalog_path, "/catalog.db"));
        assert_int_equal(config_require(c, CONFIG_NEED_LAKE, NULL), ERR_OK);
        config_free(c);
    }
    place_remove(&p);
}

TEST(test_config__finds_the_sqlite_catalog)
{
    static const struct {
        const char *name;
        const char *text;
        const char *want; /* NULL: no such file */
    } cases[] = {
        {"catalog.uri", "sqlite:////c/x.db", "/c/x.db"},
        {"catalog.uri", "sqlite+pysqlite:////c/x.db", "/c/x.db"},
        {"catalog.uri", "jdbc:sqlite:/c/x.db", "/c/x.db"},
        {"catalog.uri", "jdbc:sqlite:file:/c/x.db", "/c/x.db"},
        {"catalog.path", "/c/y.db", "/c/y.db"},
        {"catalog.uri", "sqlite:///:memory:", NULL},
        {"catalog.uri", "sqlite://", NULL},
        {"catalog.uri", "sqlite:////c/x.db?mode=ro", NULL},
        {"catalog.uri", "postgresql://h/db", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct given g = {.flags = {"warehouse", "/w", cases[i].name, cases[i].text}};
        struct config *c = load_ok(&g);
        struct err e = {0};

        if (cases[i].want != NULL) {
            assert_string_equal(c->catalog_path, cases[i].want);
            assert_ok(config_require(c, CONFIG_NEED_LAKE, &e), &e);
        } else {
            assert_err(config_require(c, CONFIG_NEED_LAKE, &e), ERR_UNSUPPORTED, &e);
            assert_non_null(strstr(e.msg, cases[i].name));
        }
        config_free(c);
    }
}

TEST(test_config__reads_pyiceberg_yaml_as_a_whole)
{
    struct given g = {.pyiceberg =
                          "catalog:\n  default:\n    type: sql\n    uri: sqlite:////c/p.db\n"
                          "    warehouse: file:///w/p\n"};
    struct config *c = load_ok(&g);

    assert_string_equal(c->warehouse_location, "file:///w/p");
    assert_string_equal(c->catalog_path, "/c/p.db");
    assert_string_equal(c->catalog_name, "default");
    assert_true(str_ends_with(config_origin(c, "warehouse"), "/.pyiceberg.yaml:5"));
    config_free(c);

    g.flags[0] = "warehouse";
    g.flags[1] = "/mine";
    c = load_ok(&g);
    assert_string_equal(c->warehouse_location, "file:///mine");
    assert_string_equal(c->catalog_path, "/mine/catalog.db");
    config_free(c);

    g.flags[0] = "catalog.name";
    g.flags[1] = "other";
    g.pyiceberg = "catalog: {other: {uri: 'sqlite:////c/o.db', warehouse: /w/o}}\n";
    c = load_ok(&g);
    assert_string_equal(c->warehouse_location, "file:///w/o");
    assert_setting(c, "catalog.name", "other", "--catalog-name");
    config_free(c);
}

TEST(test_config__finds_the_kind_of_catalog)
{
    static const struct {
        struct given given;
        enum config_catalog type;
        const char *warehouse;
        const char *path;
    } cases[] = {
        {{.flags = {"warehouse", "/w"}}, CONFIG_CATALOG_SQLITE, "file:///w", "/w/catalog.db"},
        {{.flags = {"warehouse", "s3://b"}}, CONFIG_CATALOG_GLUE, "s3://b", ""},
        {{.flags = {"warehouse", "s3a://b/f/"}}, CONFIG_CATALOG_GLUE, "s3://b/f", ""},
        {{.flags = {"warehouse", "s3n://b/f//g"}}, CONFIG_CATALOG_GLUE, "s3://b/f//g", ""},
        {{.flags = {"warehouse", "s3://b", "catalog.path", "/c.db"}},
         CONFIG_CATALOG_SQLITE,
         "s3://b",
         "/c.db"},
        {{.flags = {"warehouse", "s3://b", "catalog.uri", "https://h/x"}},
         CONFIG_CATALOG_REST,
         "s3://b",
         ""},
        {{.flags = {"catalog.uri", "http://h"}}, CONFIG_CATALOG_REST, "", ""},
        {{.variables = {"S3_BUCKET=b"}}, CONFIG_CATALOG_GLUE, "s3://b", ""},
        {{.dotenv = "S3_BUCKET=b\n"}, CONFIG_CATALOG_GLUE, "s3://b", ""},
        {{.pyiceberg = "catalog: {default: {type: glue, warehouse: 's3://b/w'}}"},
         CONFIG_CATALOG_GLUE,
         "s3://b/w",
         ""},
        {{.pyiceberg = "catalog: {default: {uri: 'http://h', warehouse: wh}}"},
         CONFIG_CATALOG_REST,
         "",
         ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *c = load_ok(&cases[i].given);
        struct err e = {0};

        assert_ok(config_require(c, CONFIG_NEED_LAKE, &e), &e);
        assert_int_equal(c->catalog_type, cases[i].type);
        assert_string_equal(c->warehouse_location, cases[i].warehouse);
        assert_string_equal(c->catalog_path, cases[i].path);
        config_free(c);
    }
}

TEST(test_config__says_what_is_no_lake)
{
    static const struct {
        struct given given;
        enum err_code code;
        const char *want;
    } cases[] = {
        {{.pyiceberg = "catalog: {default: {type: hive}}"}, ERR_UNSUPPORTED, "hive"},
        {{.pyiceberg = "catalog: {default: {type: sql, uri: 'postgresql://h/d', warehouse: /w}}"},
         ERR_UNSUPPORTED,
         "must name a SQLite file"},
        {{.flags = {"warehouse", "gs://b"}}, ERR_UNSUPPORTED, "s3://BUCKET"},
        {{.flags = {"warehouse", "gs://u:sesame@b"}},
         ERR_UNSUPPORTED,
         "'gs://***@b' (--warehouse)"},
        {{.flags = {"warehouse", "s3a://ID:sesame@b"}}, ERR_CONFIG, "keys have settings of their"},
        {{.flags = {"catalog.type", "rest", "catalog.uri", "thrift://u:sesame@h"}},
         ERR_CONFIG,
         "'thrift://***@h' (--catalog-uri) is none"},
        {{.flags = {"warehouse", "s3://"}}, ERR_CONFIG, "s3://BUCKET"},
        {{.flags = {"warehouse", "/w", "catalog.type", "glue"}}, ERR_CONFIG, "needs tables on S3"},
        {{.flags = {"warehouse", "/w", "catalog.type", "rest"}}, ERR_CONFIG, "needs catalog.uri"},
        {{.flags = {"warehouse", "s3://b", "catalog.type", "sqlite"}},
         ERR_CONFIG,
         "set catalog.path"},
        {{.flags = {"catalog.type", "glue"}}, ERR_CONFIG, "no warehouse"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *c = load_ok(&cases[i].given);
        struct err e = {0};

        assert_err(config_require(c, CONFIG_NEED_LAKE, &e), cases[i].code, &e);
        if (strstr(e.msg, cases[i].want) == NULL) {
            fail_msg("no '%s' in '%s'", cases[i].want, e.msg);
        }
        config_free(c);
    }
}

TEST(test_config__takes_the_bucket_of_the_service)
{
    struct given g = {.dotenv = "S3_BUCKET=b\nAWS_REGION=eu-west-1\nAWS_ACCESS_KEY_ID=AK\n",
                      .variables = {"AWS_ACCESS_KEY_ID=mine"},
                      .pyiceberg = "catalog: {default: {type: glue, warehouse: 's3://other'}}"};
    struct config *c = load_ok(&g);
    uint32_t keys = 0;

    assert_setting(c, "warehouse", "s3://b", ".env:1");
    assert_setting(c, "connection-folder", "true", ".env:1");
    assert_setting(c, "client.region", "eu-west-1", ".env:2");
    assert_int_equal(c->catalog_type, CONFIG_CATALOG_GLUE);
    /* The process hides .env, as for all that reads the environment. */
    for (const char *const *p = c->environment; *p != NULL && keys == 0; p++) {
        if (str_starts_with(*p, "AWS_ACCESS_KEY_ID=")) {
            assert_string_equal(*p, "AWS_ACCESS_KEY_ID=mine");
            keys++;
        }
    }
    assert_int_equal(keys, 1);
    config_free(c);

    g.flags[0] = "warehouse";
    g.flags[1] = "/w";
    c = load_ok(&g);
    assert_setting(c, "warehouse", "/w", "--warehouse");
    assert_setting(c, "connection-folder", "false", "default");
    assert_int_equal(c->catalog_type, CONFIG_CATALOG_SQLITE);
    assert_int_equal(c->warnings.count, 1);
    assert_string_equal(c->warnings.items[0],
                        ".env:1: S3_BUCKET is not used: warehouse (--warehouse) says where");
    config_free(c);
}

TEST(test_config__knows_the_properties_of_catalogs)
{
    static const struct {
        const char *property;
        const char *setting;
        const char *value;
    } cases[] = {
        {"s3.endpoint: http://h:9000", "s3.endpoint", "http://h:9000"},
        {"s3.region: eu-west-1", "s3.region", "eu-west-1"},
        {"s3.access-key-id: AK, s3.secret-access-key: S", "s3.access-key-id", "AK"},
        {"s3.access-key-id: AK, s3.secret-access-key: S", "s3.secret-access-key", "***"},
        {"s3.session-token: T", "s3.session-token", "***"},
        {"s3.path-style-access: true", "s3.addressing", "path"},
        {"s3.path-style-access: false", "s3.addressing", "auto"},
        {"s3.force-virtual-addressing: True", "s3.addressing", "virtual"},
        {"s3.connect-timeout: 2.5", "http.connect-timeout", "2500ms"},
        {"s3.request-timeout: 60", "http.request-timeout", "1m"},
        {"s3.proxy-uri: http://p", "http.proxy", "http://p"},
        {"s3.role-arn: r, s3.role-session-name: n", "s3.role-arn", "r"},
        {"s3.anonymous: true", "s3.anonymous", "true"},
        {"s3.sse.type: kms, s3.sse.key: k", "s3.sse.type", "kms"},
        {"client.region: r", "client.region", "r"},
        {"client.profile-name: p", "client.profile-name", "p"},
        {"client.assume-role.arn: a", "client.role-arn", "a"},
        {"glue.id: '1'", "glue.id", "1"},
        {"glue.skip-archive: false", "glue.skip-archive", "false"},
        {"glue.endpoint: http://g", "glue.endpoint", "http://g"},
        {"profile_name: old", "client.profile-name", "old"},
        {"type: rest, uri: 'http://h', warehouse: wh", "rest.warehouse", "wh"},
        {"type: rest, uri: 'http://h', token: t", "rest.token", "***"},
        {"type: rest, uri: 'http://h', credential: 'a:b', scope: s", "rest.scope", "s"},
        {"type: rest, uri: 'http://h', header.X-A: b, header.X-C: d", "rest.header",
         "x-a: ***,x-c: ***"},
        {"type: rest, uri: 'http://h', rest.sigv4-enabled: true, rest.signing-name: glue",
         "rest.sigv4", "true"},
        {"type: rest, uri: 'http://h', auth: {type: basic, basic: {username: u, password: p}}",
         "rest.user", "u"},
        {"ssl.cabundle: /ca.pem", "http.ca-bundle", "/ca.pem"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        const struct given g = {.pyiceberg = text};

        (void)snprintf(text, sizeof text, "catalog: {default: {%s}}\n", cases[i].property);
        struct config *c = load_ok(&g);
        struct buf value = {0};

        config_value_print(config_find(span_str(cases[i].setting)), c, &value);
        assert_string_equal(buf_cstr(&value), cases[i].value);
        assert_int_equal(c->warnings.count, 0);
        assert_true(str_ends_with(config_origin(c, cases[i].setting), "/.pyiceberg.yaml:1"));
        buf_deinit(&value);
        config_free(c);
    }

    const struct given headers = {
        .pyiceberg = "catalog: {default: {type: rest, uri: 'http://h', header.X-A: b}}\n"};
    struct config *c = load_ok(&headers);

    assert_int_equal(c->rest.headers.count, 1);
    assert_string_equal(c->rest.headers.items[0], "x-a: b");
    config_free(c);
}

TEST(test_config__warns_of_properties_it_does_not_know)
{
    const struct given g = {.pyiceberg = "catalog: {default: {type: glue, s3.odd: x}}"};
    struct config *c = load_ok(&g);

    assert_int_equal(c->warnings.count, 1);
    assert_non_null(strstr(c->warnings.items[0], "the catalog's property s3.odd is not used"));
    config_free(c);
}

TEST(test_config__refuses_halves_of_pairs)
{
    static const struct {
        struct given given;
        const char *want;
    } cases[] = {
        {{.flags = {"s3.access-key-id", "a"}}, "s3.secret-access-key is not"},
        {{.variables = {"CALVE_GLUE_SECRET_ACCESS_KEY=a"}}, "glue.access-key-id is not"},
        {{.flags = {"http.client-key", "a"}}, "http.client-cert is not"},
        {{.flags = {"rest.user", "a"}}, "rest.password is not"},
        {{.flags = {"rest.header", "X"}}, "NAME: VALUE"},
        {{.pyiceberg = "catalog: {default: {s3.connect-timeout: soon}}"}, "number of seconds"},
        {{.pyiceberg = "catalog: {default: {auth: {type: google}, auth.google.x: y}}"},
         "does not know auth.google.x"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *c = NULL;
        struct err e = {0};

        assert_int_not_equal(load(&cases[i].given, &c, &e), ERR_OK);
        if (strstr(e.msg, cases[i].want) == NULL) {
            fail_msg("no '%s' in '%s'", cases[i].want, e.msg);
        }
    }
}

TEST(test_config__says_what_is_missing)
{
    const struct given g = {0};
    struct config *c = load_ok(&g);
    struct err e = {0};

    assert_ok(config_require(c, 0, &e), &e);
    assert_err(config_require(c, CONFIG_NEED_SOURCE, &e), ERR_CONFIG, &e);
    assert_non_null(strstr(e.msg, "--source"));
    assert_err(config_require(c, CONFIG_NEED_TABLES, &e), ERR_CONFIG, &e);
    assert_non_null(strstr(e.msg, "--table"));
    assert_err(config_require(c, CONFIG_NEED_LAKE, &e), ERR_CONFIG, &e);
    assert_non_null(strstr(e.msg, "--warehouse"));
    config_free(c);
}

TEST(test_config__stands_in_for_the_service)
{
    struct given g = {
        .no_command = true,
        .dotenv = "CDC_MODE=cdc\nCDC_SCHEMA=shop,crm\nCDC_TABLE=orders, cust*\nMYSQL_PASSWD=''\n"
                  "CONNECTION_NAME=prod\nCDC_SERVER_ID=17\nBATCH_SIZE=200\n",
        .variables = {"CDC_TABLE=o*"},
        .pyiceberg = "catalog: {default: {type: sql, uri: 'sqlite:////c.db', warehouse: /w}}\n",
        .my_cnf = "[client]\n",
    };
    struct config *c = load_ok(&g);

    assert_int_equal(c->cdc_mode, CONFIG_CDC_STREAM);
    assert_setting(c, "table", "shop.o*,crm.o*", "environment CDC_TABLE");
    assert_setting(c, "mysql.host", "db", "default without a command");
    assert_setting(c, "mysql.user", "root", "default without a command");
    assert_setting(c, "mysql.password", "", ".env:4");
    assert_setting(c, "connection-name", "prod", ".env:5");
    assert_setting(c, "mysql.server-id", "17", ".env:6");
    assert_setting(c, "batch-size", "200", ".env:7");
    assert_int_equal(c->snapshot, RUN_SNAPSHOT_NEVER);
    assert_true(c->connection_folder);
    assert_null(config_mysql_options(c).defaults_file);
    assert_string_equal(config_mysql_options(c).password.text, "");
    assert_int_equal(
        config_require(c, CONFIG_NEED_SOURCE | CONFIG_NEED_TABLES | CONFIG_NEED_LAKE, NULL),
        ERR_OK);
    config_free(c);

    /* Names may have blanks inside. */
    g.variables[0] = NULL;
    g.dotenv = "CDC_SCHEMA=' a b , c,,'\nCDC_TABLE='my table\t,x'\n";
    c = load_ok(&g);
    assert_setting(c, "table", "a b.my table,a b.x,c.my table,c.x", ".env:1");
    config_free(c);

    g.variables[0] = "CDC_MODE=backfill";
    g.dotenv = NULL;
    c = load_ok(&g);
    assert_int_equal(c->cdc_mode, CONFIG_CDC_BACKFILL);
    assert_setting(c, "table", "cdc_database.users", "default without a command");
    assert_setting(c, "batch-size", "1000", "default without a command");
    assert_string_equal(config_mysql_options(c).password.text, "password");
    config_free(c);
}

/* `calve status` beside a `calve` of the same .env must look at the same Glue. */
TEST(test_config__has_the_services_region_for_every_command)
{
    static const struct {
        struct given given;
        const char *region;
        const char *where;
    } cases[] = {
        {{.dotenv = "CDC_MODE=cdc\nS3_BUCKET=b\n"}, "us-east-1", "default beside .env:2"},
        {{.dotenv = "CDC_SCHEMA=s\nCDC_TABLE=t\nS3_BUCKET=b\n"},
         "us-east-1",
         "default beside .env:3"},
        {{.dotenv = "CDC_MODE=cdc\n", .variables = {"S3_BUCKET=b"}},
         "us-east-1",
         "default beside environment S3_BUCKET"},
        {{.dotenv = "CDC_MODE=cdc\n",
          .pyiceberg = "catalog: {default: {type: glue, warehouse: 's3://b'}}"},
         "us-east-1",
         "default beside .env:1"},
        {{.dotenv = "CDC_MODE=cdc\nS3_BUCKET=b\nAWS_REGION=eu-west-1\n"}, "eu-west-1", ".env:3"},
        {{.dotenv = "CDC_MODE=cdc\nS3_BUCKET=b\n", .variables = {"AWS_REGION=eu-west-1"}},
         "eu-west-1",
         "environment AWS_REGION"},
        {{.dotenv = "CDC_MODE=cdc\nS3_BUCKET=b\n", .variables = {"AWS_DEFAULT_REGION=eu-west-1"}},
         "",
         "default"},
        {{.dotenv = "CDC_SCHEMA=s\nCDC_TABLE=t\n", .flags = {"warehouse", "s3://b"}},
         "",
         "default"},
    };

    for (size_t i = 0; i < 2 * (sizeof cases / sizeof cases[0]); i++) {
        struct given g = cases[i / 2].given;

        g.no_command = i % 2 == 1;
        struct config *c = load_ok(&g);

        assert_setting(c, "client.region", cases[i / 2].region, cases[i / 2].where);
        config_free(c);
    }
}

/* AWS_DEFAULT_REGION, a profile and the instance may say it. */
TEST(test_config__leaves_the_region_of_other_lakes_open)
{
    static const struct given cases[] = {
        {.flags = {"warehouse", "s3://b"}},
        {.flags = {"warehouse", "s3://b"}, .dotenv = "S3_BUCKET=other\n"},
        {.flags = {"warehouse", "s3://b"}, .dotenv = "CDC_SCHEMA=s\nCDC_TABLE=t\n"},
        {.flags = {"warehouse", "s3://b"}, .dotenv = "CDC_MODE=\n"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *c = load_ok(&cases[i]);

        assert_setting(c, "client.region", "", "default");
        config_free(c);
    }
}

TEST(test_config__needs_a_reason_to_stand_in_for_the_service)
{
    struct given g = {.no_command = true, .dotenv = "MYSQL_HOST=x\nCDC_MODE=\n"};
    struct config *c = NULL;
    struct err e = {0};

    assert_err(load(&g, &c, &e), ERR_NOT_FOUND, &e);
    g.dotenv = "CDC_MODE=sideways\n";
    assert_err(load(&g, &c, &e), ERR_CONFIG, &e);
    assert_string_equal(e.msg, "CDC_MODE: 'sideways' (.env:1) must be cdc or backfill");
    g.dotenv = "cdc_table=t\n";
    assert_ok(load(&g, &c, &e), &e);
    assert_setting(c, "table", "cdc_database.t", ".env:1");
    config_free(c);
}

TEST(test_config__uses_the_services_variables_with_a_command)
{
    struct given g = {.dotenv = "CDC_SCHEMA=s\nCDC_TABLE=t\nCDC_MODE=cdc\nMYSQL_HOST=h\n"};
    struct config *c = load_ok(&g);
    struct err e = {0};

    assert_setting(c, "table", "s.t", ".env:1");
    assert_setting(c, "mysql.host", "h", ".env:4");
    assert_setting(c, "batch-size", "0", "default");
    assert_int_equal(c->snapshot, RUN_SNAPSHOT_INITIAL);
    config_free(c);

    g.yaml = "table: a.b\n";
    c = load_ok(&g);
    assert_setting(c, "table", "a.b", "calve.yaml:1");
    config_free(c);

    g.yaml = NULL;
    g.dotenv = "CDC_TABLE=t\n";
    assert_err(load(&g, &c, &e), ERR_CONFIG, &e);
    assert_string_equal(
        e.msg,
        "CDC_SCHEMA and CDC_TABLE go together, and CDC_SCHEMA is not set (CDC_TABLE: .env:1)");
}

TEST(test_config__reads_the_file_that_is_named)
{
    struct given g = {.file = "pw", .yaml = "writers: 3\n"};
    struct config *c = NULL;
    struct err e = {0};

    /* It is there, and no mapping. */
    assert_err(load(&g, &c, &e), ERR_CONFIG, &e);
    assert_non_null(strstr(e.msg, "pw:1: the file must be a mapping"));
    g.file = "nope.yaml";
    assert_err(load(&g, &c, &e), ERR_CONFIG, &e);
    assert_string_equal(e.msg, "there is no file nope.yaml (named by -c)");
    g.file = "calve.yaml";
    assert_ok(load(&g, &c, &e), &e);
    assert_u64_eq(c->writers, 3);
    config_free(c);
}

TEST(test_config__survives_lack_of_memory)
{
    const struct given g = {
        .flags = {"source", "mysql://u:p@h:1", "table", "a.b", "table", "c.d", "from", "0-1-2"},
        .variables = {"BATCH_SIZE=5", "CALVE_X=1"},
        .dotenv = "CDC_SCHEMA=a\nCDC_TABLE=b,c\nx y\n",
        .yaml = "mysql.password-file: pw\nexclude-table: [a.b]\n",
        .pyiceberg = "catalog: {default: {type: sql, uri: 'sqlite:////c.db', warehouse: /w}}\n",
    };
    struct place p;

    place_make(&p, &g);
    TORTURE(nth)
    {
        struct config *c = NULL;
        struct err e = {0};
        enum err_code rc = load_at(&p, &g, &c, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        assert_true((c != NULL) == (rc == ERR_OK));
        config_free(c);
    }
    place_remove(&p);
}

static void assert_lines_fit(const struct buf *text, size_t columns_max)
{
    size_t columns = 0;

    for (size_t i = 0; i < text->len; i++) {
        uint8_t c = text->data[i];

        columns = c == '\n' ? 0 : columns + ((c & 0xc0u) == 0x80u ? 0 : 1);
        if (columns > columns_max) {
            fail_msg("a line is longer than %zu columns: %.*s", columns_max, 40,
                     (const char *)text->data + i - columns + 1);
        }
    }
}

TEST(test_config__documents_every_setting)
{
    struct buf help = {0};
    struct buf markdown = {0};

    config_put_help((1u << CONFIG_GROUPS) - 1, &help);
    config_put_markdown(&markdown);
    assert_lines_fit(&help, HELP_COLUMNS);
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *s = &config_settings[i];
        char name[CONFIG_NAME_BYTES];
        char row[CONFIG_NAME_BYTES + 8];

        config_flag_name(s, name);
        (void)snprintf(row, sizeof row, "  %s ", name);
        assert_int_equal(strstr(buf_cstr(&help), row) != NULL, s->type != CONFIG_SECRET);
        (void)snprintf(row, sizeof row, "| `%s` |", s->name);
        assert_non_null(strstr(buf_cstr(&markdown), row));
    }
    buf_deinit(&help);
    buf_deinit(&markdown);
}

TEST(test_config__finds_settings_by_every_name)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *s = &config_settings[i];
        char name[CONFIG_NAME_BYTES];

        assert_true(strlen(s->name) + sizeof "CALVE_" < CONFIG_NAME_BYTES);
        assert_ptr_equal(config_find(span_str(s->name)), s);
        assert_ptr_equal(config_find_flag(span_str(s->name)), s);
        config_flag_name(s, name);
        assert_ptr_equal(config_find_flag(span_str(name + 2)), s);
        config_variable_name(s, name);
        assert_ptr_equal(config_find_variable(span_str(name)), s);
        assert_ptr_equal(config_nearest(span_str(s->name)), s);
    }
    assert_null(config_find(span_str("mysql")));
    assert_null(config_find_flag(span_str("commit_interval")));
    assert_null(config_nearest(span_str("")));
}

TEST_MAIN(test_case(test_config__has_sound_defaults),
          test_case(test_config__prints_defaults_as_written),
          test_case(test_config__follows_precedence), test_case(test_config__gathers_lists),
          test_case(test_config__knows_the_bounds_of_each_type),
          test_case(test_config__names_setting_value_origin_and_what_is_allowed),
          test_case(test_config__takes_only_the_winning_value_to_court),
          test_case(test_config__names_the_nearest_setting),
          test_case(test_config__warns_of_variables_that_are_no_setting),
          test_case(test_config__takes_the_source_url_apart),
          test_case(test_config__lets_stronger_places_correct_a_source_url),
          test_case(test_config__never_prints_a_password),
          test_case(test_config__never_prints_secrets_in_urls_and_headers),
          test_case(test_config__keeps_passwords_out_of_errors),
          test_case(test_config__reads_password_files),
          test_case(test_config__falls_back_to_the_users_my_cnf),
          test_case(test_config__parses_points), test_case(test_config__makes_locations_absolute),
          test_case(test_config__finds_the_sqlite_catalog),
          test_case(test_config__reads_pyiceberg_yaml_as_a_whole),
          test_case(test_config__finds_the_kind_of_catalog),
          test_case(test_config__says_what_is_no_lake),
          test_case(test_config__takes_the_bucket_of_the_service),
          test_case(test_config__knows_the_properties_of_catalogs),
          test_case(test_config__warns_of_properties_it_does_not_know),
          test_case(test_config__refuses_halves_of_pairs),
          test_case(test_config__says_what_is_missing),
          test_case(test_config__stands_in_for_the_service),
          test_case(test_config__has_the_services_region_for_every_command),
          test_case(test_config__leaves_the_region_of_other_lakes_open),
          test_case(test_config__needs_a_reason_to_stand_in_for_the_service),
          test_case(test_config__uses_the_services_variables_with_a_command),
          test_case(test_config__reads_the_file_that_is_named),
          test_case(test_config__survives_lack_of_memory),
          test_case(test_config__documents_every_setting),
          test_case(test_config__finds_settings_by_every_name))
