/* What a REST server answers. The first byte chooses what the rest is taken for. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"
#include "catalog/rest_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static void try_config(struct span body)
{
    struct rest_config c;
    struct err e = {0};
    enum err_code rc = rest_config_parse(body, &c, &e);

    expect(rc == ERR_OK || rc == ERR_CORRUPT);
    if (rc == ERR_OK) {
        const char *prefix = rest_setting(&c, "prefix", NULL);
        char *path = rest_prefix_path(prefix == NULL ? "" : prefix);

        expect(path != NULL && c.key_lifetime_us >= 0);
        for (const char *at = path; *at != '\0'; at++) {
            expect(*at > ' ' && *at < 0x7f && *at != '?' && *at != '#');
        }
        free(path);
    }
    rest_config_deinit(&c);
}

static void try_token(struct span body)
{
    struct rest_token t;
    struct err e = {0};
    enum err_code rc = rest_token_parse(body, &t, &e);

    expect(rc == ERR_OK || rc == ERR_CORRUPT);
    expect(rc != ERR_OK || (t.text[0] != '\0' && t.lifetime_us >= -1));
    rest_token_deinit(&t);
}

static void try_problem(struct span body)
{
    static const int statuses[] = {200, 302, 400, 401, 403, 404, 409, 419, 429, 500, 503};
    const struct rest_catalog c = {.uri = "http://h"};
    struct rest_problem p;

    rest_problem_read(body, &p);
    rest_problem_hide(&p, "secret-secret-secret");
    expect(str_is_utf8(span_str(p.type)) && str_is_utf8(span_str(p.message)));
    expect(strlen(p.message) < sizeof p.message && strchr(p.message, '\n') == NULL);
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        for (int op = REST_OP_CONFIG; op <= REST_OP_CREDENTIALS; op++) {
            struct err e = {0};
            enum err_code rc = rest_explain(&c, (enum rest_op)op, statuses[i], &p, &e);

            expect((rc == ERR_OK) == (statuses[i] == 200) && rc == e.code);
        }
    }
}

static void try_table(struct span body)
{
    struct rest_table t;
    struct err e = {0};
    enum err_code rc = rest_table_parse(body, true, &t, &e);

    expect(rc == ERR_OK || rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED);
    expect(rc != ERR_OK || (t.metadata != NULL && t.metadata_location != NULL));
    rest_table_deinit(&t);
}

static void try_list(struct span body)
{
    struct locations names = {0};
    struct err e = {0};
    char *next;
    enum err_code rc = rest_list_parse(body, "shop", &names, &next, &e);

    expect(rc == ERR_OK || rc == ERR_CORRUPT);
    locations_deinit(&names);
    free(next);
}

/* Keys of a table, and those for some of its files. */
static void try_keys(struct span body)
{
    static const char *const files[] = {"s3://lake/shop/orders/data/x", "s3a://lake/x", "file:///x",
                                        ""};
    struct rest_catalog c = {.vended = true, .base = {.clock = clock_system()}};
    json_t *json = NULL;
    struct err e = {0};

    if (rest_json_parse(body, &json, &e) != ERR_OK) {
        return;
    }
    rest_lent_init(&c.lent);
    expect(rest_lent_note(&c, (struct table_ident){"shop", "orders"}, json, &e) == ERR_OK);
    /* Keys that have ended would be asked for. */
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct s3_access access;
        bool found;

        if (!rest_lent_wanted(&c, (struct table_ident){"shop", "orders"})) {
            expect(rest_lent_find(&c, files[i], false, &found, &access, &e) == ERR_OK);
            s3_access_deinit(&access);
        }
    }
    rest_lent_deinit(&c.lent);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parsers[])(struct span) = {try_config, try_token, try_problem,
                                                   try_table,  try_list,  try_keys};

    if (size > 0) {
        parsers[data[0] % (sizeof parsers / sizeof parsers[0])](span_of(data + 1, size - 1));
    }
    return 0;
}
