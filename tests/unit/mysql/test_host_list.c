#include "mysql/host_list.h"

#include <string.h>

#include "base/buf.h"
#include "test.h"

/* "name:port " for each, or the error. */
static void read_all(const char *list, struct buf *out)
{
    struct host host;
    bool found = true;
    struct err e = {0};

    while (host_list_next(&list, &host, &found, &e) == ERR_OK && found) {
        buf_printf(out, "%s:%u ", host.name, host.port);
    }
    if (e.code != ERR_OK) {
        assert_int_equal(e.code, ERR_CONFIG);
        buf_append_str(out, "wrong");
    }
}

TEST(test_host_list__reads_names_addresses_and_ports)
{
    static const struct {
        const char *list;
        const char *want;
    } cases[] = {
        {"", ""},
        {"db1", "db1:0 "},
        {"db1:3306", "db1:3306 "},
        {"db1:3306,db2:3307,db3", "db1:3306 db2:3307 db3:0 "},
        {" db1 , db2:1 ", "db1:0 db2:1 "},
        {"::1", "::1:0 "},
        {"2001:db8::7,db2", "2001:db8::7:0 db2:0 "},
        {"[::1]", "::1:0 "},
        {"[::1]:3307,[::2]:3308", "::1:3307 ::2:3308 "},
        {"10.0.0.1:65535", "10.0.0.1:65535 "},
        {",", "wrong"},
        {"db1,", "wrong"},
        {",db1", "wrong"},
        {"db1,,db2", "db1:0 wrong"},
        {"db1:", "wrong"},
        {":3306", "wrong"},
        {"db1:0", "wrong"},
        {"db1:65536", "wrong"},
        {"db1:33x6", "wrong"},
        {"[::1", "wrong"},
        {"[::1]3306", "wrong"},
        {"[::1]:", "wrong"},
        {"[]:3306", "wrong"},
        {"[", "wrong"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};

        read_all(cases[i].list, &out);
        assert_text_eq(buf_span(&out), cases[i].want);
        buf_deinit(&out);
    }
}

TEST(test_host_list__refuses_names_that_are_too_long)
{
    char list[HOST_BYTES + 8];
    const char *rest = list;
    struct host host;
    bool found;
    struct err e = {0};

    memset(list, 'a', sizeof list);
    list[HOST_BYTES - 1] = '\0';
    assert_ok(host_list_next(&rest, &host, &found, &e), &e);
    assert_int_equal(strlen(host.name), HOST_BYTES - 1);
    list[HOST_BYTES - 1] = 'a';
    list[HOST_BYTES] = '\0';
    rest = list;
    assert_err(host_list_next(&rest, &host, &found, &e), ERR_CONFIG, &e);
}

TEST_MAIN(test_case(test_host_list__reads_names_addresses_and_ports),
          test_case(test_host_list__refuses_names_that_are_too_long))
