#include "app/config_files.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static const char *const no_variables[] = {NULL};

/* "key=value|key=value|…" of what was read; a key alone has no '='. */
static void show(const struct config_entries *entries, struct buf *out)
{
    buf_reset(out);
    for (uint32_t i = 0; i < entries->count; i++) {
        const struct config_entry *entry = &entries->items[i];

        buf_printf(out, "%s%s", i == 0 ? "" : "|", entry->key);
        if (entry->value != NULL) {
            buf_printf(out, "=%s", entry->value);
        }
    }
}

TEST(test_dotenv__reads_what_python_dotenv_reads)
{
    static const char *const process[] = {"OUTER=outside", "A=hidden", NULL};
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {"", ""},
        {"A=1", "A=1"},
        {"A=1\nB=2\n", "A=1|B=2"},
        {"A=1\r\nB=2\r\n", "A=1|B=2"},
        {"\xef\xbb\xbf"
         "A=1",
         "A=1"},
        {"  A = 1  \n", "A=1"},
        {"export A=1", "A=1"},
        {"export=1", "export=1"},
        {"exported=1", "exported=1"},
        {"# comment\nA=1 # behind", "A=1"},
        {"A=1#not a comment", "A=1#not a comment"},
        {"A=#x", "A=#x"},
        {"A= # x", "A=# x"},
        {"A=\"C:\\dir\\\"\nB=1", "A=C:\\dir\\|B=1"},
        {"A=", "A="},
        {"A", "A"},
        {"A=''", "A="},
        {"A='a b # c'", "A=a b # c"},
        {"A='it\\'s \\n \\\\'", "A=it's \\n \\"},
        {"A=\"a\\nb\\t\\\"c\\\" \\x \\\\\"", "A=a\nb\t\"c\" \\x \\"},
        {"A=\"two\nlines\"\nB=1", "A=two\nlines|B=1"},
        {"A=\"a\" # why", "A=a"},
        {"'A'=1", "A=1"},
        {"A=a=b", "A=a=b"},
        {"A=1\nA=2", "A=1|A=2"},
        {"A=1\nB=${A}", "A=1|B=1"},
        {"B=${A}", "B=hidden"},
        {"B=\"x${OUTER}y\"", "B=xoutsidey"},
        {"B='${OUTER}'", "B=outside"},
        {"B=${NOT_SET}", "B="},
        {"B=${NOT_SET:-other}", "B=other"},
        {"B=$OUTER", "B=$OUTER"},
        {"B=${OUTER", "B=${OUTER"},
        {"PW=p@ss:w/rd$1%", "PW=p@ss:w/rd$1%"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        struct config_entries entries = {0};
        struct config_entries warnings = {0};
        struct buf text = {0};
        struct err e = {0};

        arena_init(&arena, 0);
        assert_ok(config_dotenv_parse(span_str(cases[i].text), ".env", process, &arena, &entries,
                                      &warnings, &e),
                  &e);
        show(&entries, &text);
        assert_text_eq(buf_span(&text), cases[i].want);
        assert_u64_eq(warnings.count, 0);
        buf_deinit(&text);
        arena_deinit(&arena);
    }
}

TEST(test_dotenv__names_lines_that_are_no_statement)
{
    static const char text[] = "A=1\nthis is not one\nB=\"never closed\nC=3\n=x\n'A'=2\n";
    struct arena arena;
    struct config_entries entries = {0};
    struct config_entries warnings = {0};
    struct buf shown = {0};
    struct err e = {0};

    arena_init(&arena, 0);
    assert_ok(
        config_dotenv_parse(span_str(text), ".env", no_variables, &arena, &entries, &warnings, &e),
        &e);
    show(&entries, &shown);
    assert_text_eq(buf_span(&shown), "A=1|C=3|A=2");
    assert_u64_eq(warnings.count, 3);
    assert_string_equal(warnings.items[0].where, ".env:2");
    assert_string_equal(warnings.items[1].where, ".env:3");
    assert_string_equal(warnings.items[2].where, ".env:5");
    assert_string_equal(entries.items[1].where, ".env:4");
    assert_err(config_dotenv_parse(span_of("A=1\0", 4), ".env", no_variables, &arena, &entries,
                                   &warnings, &e),
               ERR_CONFIG, &e);
    buf_deinit(&shown);
    arena_deinit(&arena);
}

static const char nasty_env[] =
    "\xef\xbb\xbf# c\nexport A='it\\'s' # x\r\nB=\"a\\n${A}\\\"\nx\" #y\n"
    "'C' = ${B:-z}${ \\\nD\nE=a #";

TEST(test_dotenv__survives_every_truncation)
{
    for (size_t len = 0; len < sizeof nasty_env; len++) {
        struct arena arena;
        struct config_entries entries = {0};
        struct config_entries warnings = {0};
        struct err e = {0};
        /* A copy of exactly this length, so that a sanitizer sees a read past it. */
        char *copy = malloc(len == 0 ? 1 : len);

        assert_non_null(copy);
        memcpy(copy, nasty_env, len);
        arena_init(&arena, 0);
        enum err_code rc = config_dotenv_parse(span_of(copy, len), ".env", no_variables, &arena,
                                               &entries, &warnings, &e);

        assert_true(rc == ERR_OK || (rc == ERR_CONFIG && len == sizeof nasty_env));
        free(copy);
        arena_deinit(&arena);
    }
}

TEST(test_env__process_goes_before_dotenv)
{
    static const char *const process[] = {"A=process", "AB=longer", NULL};
    struct config_entry items[] = {{.key = "A", .value = "file", .where = ".env:1"},
                                   {.key = "b", .value = "file", .where = ".env:2"},
                                   {.key = "N", .where = ".env:3"}};
    struct config_entries dotenv = {.items = items, .count = 3};
    struct config_env env = {.process = process, .dotenv = &dotenv};
    const char *where = NULL;
    struct arena arena;

    arena_init(&arena, 0);
    assert_string_equal(config_env_get(&env, "A", &arena, &where), "process");
    assert_string_equal(where, "environment A");
    assert_string_equal(config_env_get(&env, "B", &arena, &where), "file");
    assert_string_equal(where, ".env:2");
    assert_null(config_env_get(&env, "N", &arena, &where));
    assert_null(config_env_get(&env, "C", &arena, NULL));
    arena_deinit(&arena);
}

TEST(test_expand__replaces_variables)
{
    static const char *const process[] = {"A=1", "EMPTY=", NULL};
    static const struct {
        const char *text;
        const char *want; /* NULL: an error */
    } cases[] = {
        {"", ""},
        {"x${A}y${A}", "x1y1"},
        {"${EMPTY}", ""},
        {"${NOPE}", NULL},
        {"${NOPE:-d e}", "d e"},
        {"${A:-d}", "1"},
        {"$A ${A", "$A ${A"},
        {"${EMPTY:-d}", ""},
        {"$${A}", "$1"},
    };
    struct config_env env = {.process = process};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        struct err e = {0};
        const char *out = NULL;

        arena_init(&arena, 0);
        enum err_code rc = config_expand(&env, cases[i].text, false, &arena, &out, &e);

        assert_int_equal(rc, cases[i].want == NULL ? ERR_CONFIG : ERR_OK);
        if (cases[i].want == NULL) {
            assert_non_null(strstr(e.msg, "NOPE"));
        } else {
            assert_string_equal(out, cases[i].want);
        }
        arena_deinit(&arena);
    }
}

static const char good_yaml[] = "# settings\n"
                                "source: 'mysql://h'\n"
                                "mysql:\n"
                                "  host: db   # why\n"
                                "  tls-ca: \"a\\tb\"\n"
                                "  port:\n"
                                "commit.interval: 5s\n"
                                "table: [shop.*, 'crm.a']\n"
                                "exclude-table:\n"
                                "  - a.b\n"
                                "  - |\n"
                                "    c.d\n"
                                "empty: {}\n"
                                "log: {level: debug, format: ~}\n";

TEST(test_yaml__flattens)
{
    struct arena arena;
    struct config_entries entries = {0};
    struct buf shown = {0};
    struct err e = {0};

    arena_init(&arena, 0);
    assert_ok(config_yaml_parse(span_str(good_yaml), "f", '.', &arena, &entries, &e), &e);
    show(&entries, &shown);
    assert_text_eq(buf_span(&shown),
                   "source=mysql://h|mysql.host=db|mysql.tls-ca=a\tb|mysql.port|commit.interval=5s|"
                   "table=shop.*|table=crm.a|exclude-table=a.b|exclude-table=c.d\n|"
                   "log.level=debug|log.format");
    assert_string_equal(entries.items[1].where, "f:4");
    assert_true(entries.items[5].item);
    assert_false(entries.items[4].item);
    buf_deinit(&shown);
    arena_deinit(&arena);
}

TEST(test_yaml__accepts_files_with_nothing)
{
    static const char *const texts[] = {"", "\n", "# only a comment\n", "---\n", "{}", "~"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arena arena;
        struct config_entries entries = {0};
        struct err e = {0};

        arena_init(&arena, 0);
        assert_ok(config_yaml_parse(span_str(texts[i]), "f", '.', &arena, &entries, &e), &e);
        assert_u64_eq(entries.count, 0);
        arena_deinit(&arena);
    }
}

TEST(test_yaml__refuses)
{
    static const struct {
        const char *text;
        const char *want; /* in the message */
    } cases[] = {
        {"a: 1\n\tb: 2\n", "f:2: not YAML"},
        {"a: 1\na: 2\n", "f:2: 'a' is here a second time"},
        {"a: [1]\na: [2]\n", "f:2: this list is here a second time"},
        {"a.b: 1\na:\n  b: 2\n", "f:3: 'a.b' is here a second time"},
        {"a: &x 1\nb: *x\n", "f:1: anchors"},
        {"a: &x [1]\n", "f:1: anchors"},
        {"a: *x\n", "anchors"},
        {"- a\n", "must be a mapping"},
        {"just text\n", "must be a mapping"},
        {"[a, b]: 1\n", "a key must be a text"},
        {"a: [[1]]\n", "a list here holds texts"},
        {"a: [{b: 1}]\n", "a list here holds texts"},
        {"a: 1\n---\nb: 2\n", "only one document"},
        {"'': 1\n", "this key cannot be"},
        {"a: \"x\\0y\"\n", "NUL"},
        {"a: {b: {c: {d: {e: {f: {g: {h: {i: 1}}}}}}}}\n", "nested too deep"},
        {"a: \xff\xfe\n", "not YAML"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        struct config_entries entries = {0};
        struct err e = {0};

        arena_init(&arena, 0);
        enum err_code rc =
            config_yaml_parse(span_str(cases[i].text), "f", '.', &arena, &entries, &e);

        if (rc != ERR_CONFIG || strstr(e.msg, cases[i].want) == NULL) {
            fail_msg("'%s': no '%s' in '%s'", cases[i].text, cases[i].want, e.msg);
        }
        arena_deinit(&arena);
    }
}

TEST(test_yaml__survives_every_truncation)
{
    for (size_t len = 0; len < sizeof good_yaml; len++) {
        struct arena arena;
        struct config_entries entries = {0};
        struct err e = {0};
        char *copy = malloc(len == 0 ? 1 : len);

        assert_non_null(copy);
        memcpy(copy, good_yaml, len);
        arena_init(&arena, 0);
        enum err_code rc = config_yaml_parse(span_of(copy, len), "f", '.', &arena, &entries, &e);

        assert_true(rc == ERR_OK || rc == ERR_CONFIG);
        free(copy);
        arena_deinit(&arena);
    }
}

TEST(test_yaml__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct arena arena;
        struct config_entries entries = {0};
        struct err e = {0};

        arena_init(&arena, 0);
        enum err_code rc = config_yaml_parse(span_str(good_yaml), "f", '.', &arena, &entries, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        arena_deinit(&arena);
    }
}

struct folders {
    char root[64];
    char home[80];
    char work[80];
};

static void folders_make(struct folders *f)
{
    (void)snprintf(f->root, sizeof f->root, "/tmp/calve-test-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    (void)snprintf(f->home, sizeof f->home, "%s/home", f->root);
    (void)snprintf(f->work, sizeof f->work, "%s/work", f->root);
    assert_int_equal(mkdir(f->home, 0700), 0);
    assert_int_equal(mkdir(f->work, 0700), 0);
}

static void put_file(const char *folder, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/.pyiceberg.yaml", folder);
    if (text == NULL) {
        (void)unlink(path);
        return;
    }
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void folders_remove(struct folders *f)
{
    put_file(f->home, NULL);
    put_file(f->work, NULL);
    assert_int_equal(rmdir(f->home), 0);
    assert_int_equal(rmdir(f->work), 0);
    assert_int_equal(rmdir(f->root), 0);
}

static void assert_text(const char *have, const char *want)
{
    if (want == NULL) {
        assert_null(have);
    } else {
        assert_non_null(have);
        assert_string_equal(have, want);
    }
}

struct pyiceberg_case {
    const char *home_file;
    const char *work_file;
    const char *variables[4];
    const char *ask; /* catalog name, or NULL */
    bool found;
    const char *name;
    const char *type;
    const char *uri;
    const char *warehouse;
};

static void check_pyiceberg(const struct folders *f, const struct pyiceberg_case *c)
{
    char home[128];
    const char *process[6] = {
        home, c->variables[0], c->variables[1], c->variables[2], c->variables[3], NULL};
    struct config_env env = {.process = process};
    struct pyiceberg_catalog p;
    struct arena arena;
    struct err e = {0};
    bool found;

    (void)snprintf(home, sizeof home, "HOME=%s", f->home);
    put_file(f->home, c->home_file);
    put_file(f->work, c->work_file);
    arena_init(&arena, 0);
    assert_ok(pyiceberg_catalog_load(&env, f->work, c->ask, &arena, &p, &found, &e), &e);
    assert_int_equal(found, c->found);
    assert_text(p.name, c->name);
    assert_text(p.type, c->type);
    assert_text(p.uri, c->uri);
    const struct config_entry *warehouse = config_entries_find(&p.properties, "warehouse");

    assert_text(warehouse == NULL ? NULL : warehouse->value, c->warehouse);
    arena_deinit(&arena);
}

#define SQL_FILE \
    "catalog:\n  default:\n    type: sql\n    uri: sqlite:////l/c.db\n    warehouse: file:///l\n"

TEST(test_pyiceberg__finds_the_catalog)
{
    static const struct pyiceberg_case cases[] = {
        {.found = false, .name = "default"},
        {.work_file = SQL_FILE,
         .found = true,
         .name = "default",
         .type = "sql",
         .uri = "sqlite:////l/c.db",
         .warehouse = "file:///l"},
        /* The home folder goes first, and nothing is merged. */
        {.home_file = "catalog: {default: {type: glue}}",
         .work_file = SQL_FILE,
         .found = true,
         .name = "default",
         .type = "glue"},
        {.home_file = "# empty\n",
         .work_file = SQL_FILE,
         .found = true,
         .name = "default",
         .type = "sql",
         .uri = "sqlite:////l/c.db",
         .warehouse = "file:///l"},
        /* Keys in any case, the type by the URI, the default catalog by name. */
        {.work_file = "Catalog:\n  Prod:\n    URI: https://h\ndefault-catalog: Prod\n",
         .found = true,
         .name = "Prod",
         .type = "rest",
         .uri = "https://h"},
        {.work_file = "catalog: {prod: {uri: 'sqlite:///c.db'}}",
         .ask = "prod",
         .found = true,
         .name = "prod",
         .type = "sql",
         .uri = "sqlite:///c.db"},
        {.work_file = SQL_FILE,
         .variables = {"PYICEBERG_DEFAULT_CATALOG=other"},
         .found = false,
         .name = "other"},
        /* Variables hide the file, empty ones do not. */
        {.work_file = SQL_FILE,
         .variables = {"PYICEBERG_CATALOG__DEFAULT__WAREHOUSE=file:///m",
                       "PYICEBERG_CATALOG__DEFAULT__URI="},
         .found = true,
         .name = "default",
         .type = "sql",
         .uri = "sqlite:////l/c.db",
         .warehouse = "file:///m"},
        {.variables = {"PYICEBERG_CATALOG__MY_LAKE__TYPE=sql",
                       "PYICEBERG_CATALOG__MY_LAKE__S3__REGION=x",
                       "PYICEBERG_DEFAULT_CATALOG=my-lake"},
         .found = true,
         .name = "my-lake",
         .type = "sql"},
        {.work_file = "catalog: {default: {type: sql, warehouse: '${LAKE}/w'}}",
         .variables = {"LAKE=file:///lake"},
         .found = true,
         .name = "default",
         .type = "sql",
         .warehouse = "file:///lake/w"},
    };
    struct folders f;

    folders_make(&f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_pyiceberg(&f, &cases[i]);
    }
    folders_remove(&f);
}

TEST(test_pyiceberg__names_what_is_wrong)
{
    struct folders f;
    struct config_env env = {.process = no_variables};
    struct pyiceberg_catalog p;
    struct arena arena;
    struct err e = {0};
    bool found;

    folders_make(&f);
    arena_init(&arena, 0);
    put_file(f.work, "catalog:\n  default: {uri: '${NOT_THERE}'}\n");
    assert_err(pyiceberg_catalog_load(&env, f.work, NULL, &arena, &p, &found, &e), ERR_CONFIG, &e);
    assert_non_null(strstr(e.msg, ".pyiceberg.yaml:2: ${NOT_THERE} is not set"));
    put_file(f.work, "catalog: [\n");
    assert_err(pyiceberg_catalog_load(&env, f.work, NULL, &arena, &p, &found, &e), ERR_CONFIG, &e);
    assert_non_null(strstr(e.msg, "not YAML"));
    arena_deinit(&arena);
    folders_remove(&f);
}

TEST_MAIN(test_case(test_dotenv__reads_what_python_dotenv_reads),
          test_case(test_dotenv__names_lines_that_are_no_statement),
          test_case(test_dotenv__survives_every_truncation),
          test_case(test_env__process_goes_before_dotenv),
          test_case(test_expand__replaces_variables), test_case(test_yaml__flattens),
          test_case(test_yaml__accepts_files_with_nothing), test_case(test_yaml__refuses),
          test_case(test_yaml__survives_every_truncation),
          test_case(test_yaml__survives_lack_of_memory),
          test_case(test_pyiceberg__finds_the_catalog),
          test_case(test_pyiceberg__names_what_is_wrong))
