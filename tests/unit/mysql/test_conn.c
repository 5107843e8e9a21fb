#include "mysql/conn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "test.h"

TEST(test_conn__quotes_names_and_texts)
{
    struct buf out = {0};

    mysql_quote_name(&out, "a`b\\c'ü");
    assert_text_eq(buf_span(&out), "`a``b\\c'ü`");
    buf_reset(&out);
    mysql_quote_text(&out, "a`b\\c'd\"ü");
    assert_text_eq(buf_span(&out), "'a`b\\\\c''d\"ü'");
    buf_reset(&out);
    mysql_quote_text(&out, "");
    assert_text_eq(buf_span(&out), "''");
    buf_deinit(&out);
}

/* ---- a server that greets, notes what it is told, and says no ---- */

#define CALLS_MAX 4

struct greeter {
    int listener;
    uint16_t port;
    pthread_t thread;
    unsigned calls;
    size_t heard[CALLS_MAX]; /* bytes that the client sent in each call */
    uint32_t flags[CALLS_MAX];
    const char *plugin; /* asked for after the login; NULL: the login is refused */
    bool told_password;
};

/* Protocol 10, MySQL 9.0.0, CLIENT_PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH; no CLIENT_SSL. */
static const char greeting[] = "\x51\0\0\0"
                               "\x0a"
                               "9.0.0-greeter\0"
                               "\1\0\0\0"
                               "12345678\0"
                               "\1\x82\x2d\2\0\x08\0\x15"
                               "\0\0\0\0\0\0\0\0\0\0"
                               "123456789012\0"
                               "mysql_native_password";
static const char refusal[] = "\x1e\0\0\2\xff\x15\x04#28000Access denied, says I";

/* AuthSwitchRequest: fe, plugin's name, data. What comes back is looked through. */
static void ask_for(struct greeter *g, int fd)
{
    uint8_t out[128] = {0, 0, 0, 2, 0xfe};
    uint8_t in[1024];
    size_t len = 5 + strlen(g->plugin) + 1;

    memcpy(out + 5, g->plugin, strlen(g->plugin));
    memcpy(out + len, "12345678901234567890", 21);
    len += 21;
    out[0] = (uint8_t)(len - 4);
    (void)!write(fd, out, len);
    ssize_t got = read(fd, in, sizeof in);

    for (ssize_t i = 0; i + 6 <= got; i++) {
        g->told_password = g->told_password || memcmp(in + i, "secret", 6) == 0;
    }
}

static void serve(struct greeter *g, int fd)
{
    uint8_t in[1024];
    ssize_t got;
    unsigned call = g->calls;

    (void)!write(fd, greeting, sizeof greeting);
    got = read(fd, in, sizeof in);
    g->heard[call] = got > 0 ? (size_t)got : 0;
    if (got > 8) {
        memcpy(&g->flags[call], in + 4, 4);
        if (g->plugin != NULL) {
            ask_for(g, fd);
        } else {
            (void)!write(fd, refusal, sizeof refusal - 1);
        }
    }
    g->calls++;
    (void)close(fd);
}

static void *greeter_main(void *arg)
{
    struct greeter *g = arg;

    while (g->calls < CALLS_MAX) {
        int fd = accept(g->listener, NULL, NULL);

        if (fd < 0) {
            break;
        }
        serve(g, fd);
    }
    return NULL;
}

static void greeter_start_asking(struct greeter *g, const char *plugin)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;

    *g = (struct greeter){.listener = socket(AF_INET, SOCK_STREAM, 0), .plugin = plugin};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(g->listener >= 0);
    assert_int_equal(bind(g->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(g->listener, 5), 0);
    assert_int_equal(getsockname(g->listener, (struct sockaddr *)&address, &len), 0);
    g->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&g->thread, NULL, greeter_main, g), 0);
}

static void greeter_start(struct greeter *g)
{
    greeter_start_asking(g, NULL);
}

static void greeter_stop(struct greeter *g)
{
    (void)shutdown(g->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(g->thread, NULL), 0);
    (void)close(g->listener);
}

static enum err_code open_conn(uint16_t port, enum mysql_tls tls, struct err *e)
{
    char password[] = "secret";
    struct mysql_options options = {.host = "127.0.0.1",
                                    .port = port,
                                    .user = "calve",
                                    .password = {.text = password},
                                    .tls = tls};
    struct mysql_conn *c = NULL;
    enum err_code rc = mysql_conn_open(&options, &c, e);

    if (rc == ERR_OK) {
        mysql_conn_close(c);
    }
    return rc;
}

/* The library itself would go on without TLS and send the password. */
TEST(test_conn__tells_nothing_to_a_server_without_tls_when_tls_is_required)
{
    static const enum mysql_tls modes[] = {MYSQL_TLS_REQUIRED, MYSQL_TLS_VERIFY_CA,
                                           MYSQL_TLS_VERIFY_IDENTITY};

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct greeter g;
        struct err e = {0};

        greeter_start(&g);
        assert_err(open_conn(g.port, modes[i], &e), ERR_SOURCE, &e);
        greeter_stop(&g);
        assert_u64_eq(e.source_errno, 2026);
        assert_false(e.retryable);
        assert_non_null(strstr(e.msg, "mysql.tls"));
        assert_u64_eq(g.calls, 1);
        assert_u64_eq(g.heard[0], 0);
    }
}

TEST(test_conn__goes_on_without_tls_where_it_is_only_preferred)
{
    struct greeter g;
    struct err e = {0};

    greeter_start(&g);
    assert_err(open_conn(g.port, MYSQL_TLS_PREFERRED, &e), ERR_SOURCE, &e);
    greeter_stop(&g);
    assert_u64_eq(e.source_errno, 1045);
    assert_non_null(strstr(e.msg, "Access denied, says I"));
    assert_null(strstr(e.msg, "secret"));
    assert_u64_eq(g.calls, 2);
    assert_u64_eq(g.heard[0], 0);
    assert_true(g.heard[1] > 0);
}

#define CLIENT_LOCAL_FILES_FLAG 0x80u
#define CLIENT_SSL_FLAG         0x800u

TEST(test_conn__offers_no_local_files)
{
    struct greeter g;
    struct err e = {0};

    greeter_start(&g);
    assert_err(open_conn(g.port, MYSQL_TLS_DISABLED, &e), ERR_SOURCE, &e);
    greeter_stop(&g);
    assert_u64_eq(g.calls, 1);
    assert_u64_eq(g.flags[0] & (CLIENT_LOCAL_FILES_FLAG | CLIENT_SSL_FLAG), 0);
}

TEST(test_conn__says_where_it_could_not_connect)
{
    struct greeter g;
    struct mysql_options options = {.socket = "/nonexistent/mysql.sock"};
    struct mysql_conn *c = NULL;
    struct err e = {0};
    char where[64];

    greeter_start(&g);
    greeter_stop(&g);
    (void)snprintf(where, sizeof where, "source 127.0.0.1:%u: connecting: ", g.port);
    assert_err(open_conn(g.port, MYSQL_TLS_PREFERRED, &e), ERR_IO, &e);
    assert_true(e.retryable);
    assert_non_null(strstr(e.msg, where));
    assert_err(mysql_conn_open(&options, &c, &e), ERR_IO, &e);
    assert_true(e.retryable);
    assert_non_null(strstr(e.msg, "source /nonexistent/mysql.sock: connecting: "));
}

/* Whoever answers on the port may ask for it: without TLS nobody gets it. */
TEST(test_conn__sends_no_password_in_clear_text_without_tls)
{
    static const char *const plugins[] = {"mysql_clear_password", "dialog", "mysql_old_password"};
    static const enum mysql_tls modes[] = {MYSQL_TLS_DISABLED, MYSQL_TLS_PREFERRED};

    for (size_t i = 0; i < 6; i++) {
        struct greeter g;
        struct err e = {0};

        greeter_start_asking(&g, plugins[i / 2]);
        assert_err(open_conn(g.port, modes[i % 2], &e), ERR_SOURCE, &e);
        greeter_stop(&g);
        assert_false(g.told_password);
        assert_u64_eq(e.source_errno, 5010);
        assert_non_null(strstr(e.msg, "in clear text"));
        assert_null(strstr(e.msg, "secret"));
    }
}

TEST(test_conn__has_the_password_from_a_command)
{
    struct greeter g;
    struct mysql_options options = {
        .host = "127.0.0.1", .user = "calve", .tls = MYSQL_TLS_DISABLED};
    struct mysql_conn *c = NULL;
    struct err e = {0};

    greeter_start(&g);
    options.port = g.port;
    options.password_command = "sh -c 'echo \"$CALVE_USER@$CALVE_HOST\"; test $CALVE_PORT -gt 0'";
    assert_err(mysql_conn_open(&options, &c, &e), ERR_SOURCE, &e);
    assert_u64_eq(e.source_errno, 1045);
    options.password_command = "sh -c 'echo secret; exit 4'";
    assert_err(mysql_conn_open(&options, &c, &e), ERR_IO, &e);
    assert_non_null(strstr(e.msg, "mysql.password-command: sh ended with status 4"));
    assert_null(strstr(e.msg, "secret"));
    greeter_stop(&g);
    assert_u64_eq(g.calls, 1);
}

static bool gives_up(void *ctx)
{
    return *(bool *)ctx;
}

/* Nobody listens on the first, the second says no: both are tried, and both reasons told. */
TEST(test_conn__tries_hosts_in_order_and_tells_each_ones_reason)
{
    struct greeter gone;
    struct greeter g;
    char hosts[128];
    char where[64];
    bool enough = false;
    struct mysql_options options = {.host = hosts,
                                    .user = "calve",
                                    .tls = MYSQL_TLS_DISABLED,
                                    .gives_up = gives_up,
                                    .ctx = &enough};
    struct mysql_conn *c = NULL;
    struct err e = {0};

    greeter_start(&gone);
    greeter_stop(&gone);
    greeter_start(&g);
    options.port = g.port;
    (void)snprintf(hosts, sizeof hosts, "127.0.0.1:%u, 127.0.0.1", gone.port);
    assert_err(mysql_conn_open(&options, &c, &e), ERR_SOURCE, &e);
    assert_true(e.retryable); /* the first may come back */
    (void)snprintf(where, sizeof where, "source 127.0.0.1:%u: connecting: Can't", gone.port);
    assert_non_null(strstr(e.msg, where));
    (void)snprintf(where, sizeof where, "; source 127.0.0.1:%u: connecting: Access", g.port);
    assert_non_null(strstr(e.msg, where));
    enough = true;
    assert_err(mysql_conn_open(&options, &c, &e), ERR_CANCELLED, &e);
    options.host = "a,,b";
    assert_err(mysql_conn_open(&options, &c, &e), ERR_CONFIG, &e);
    greeter_stop(&g);
    assert_u64_eq(g.calls, 1);
}

TEST(test_conn__takes_from_the_defaults_file_what_is_not_set)
{
    char path[] = "/tmp/calve-my-cnf.XXXXXX";
    struct greeter g;
    struct mysql_options options = {.defaults_file = path, .tls = MYSQL_TLS_DISABLED};
    struct mysql_conn *c = NULL;
    struct err e = {0};
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");

    greeter_start(&g);
    assert_non_null(file);
    (void)fprintf(file,
                  "[mysqld]\nport=1\n[client]\nhost=127.0.0.1\nport=%u\nuser=me\npassword=\"p w\"\n"
                  "socket=/nonexistent/x\n",
                  g.port);
    assert_int_equal(fclose(file), 0);
    assert_err(mysql_conn_open(&options, &c, &e), ERR_IO, &e);
    assert_non_null(strstr(e.msg, "source /nonexistent/x: "));
    options.host = "127.0.0.1"; /* a place that is set makes the file's places void */
    assert_err(mysql_conn_open(&options, &c, &e), ERR_SOURCE, &e);
    assert_u64_eq(e.source_errno, 1045);
    options.port = 1;
    assert_err(mysql_conn_open(&options, &c, &e), ERR_IO, &e);
    assert_non_null(strstr(e.msg, "source 127.0.0.1:1: "));
    greeter_stop(&g);
    assert_u64_eq(g.calls, 1);
    assert_int_equal(unlink(path), 0);
    assert_err(mysql_conn_open(&options, &c, &e), ERR_CONFIG, &e);
}

TEST_MAIN(test_case(test_conn__quotes_names_and_texts),
          test_case(test_conn__tells_nothing_to_a_server_without_tls_when_tls_is_required),
          test_case(test_conn__goes_on_without_tls_where_it_is_only_preferred),
          test_case(test_conn__offers_no_local_files),
          test_case(test_conn__says_where_it_could_not_connect),
          test_case(test_conn__sends_no_password_in_clear_text_without_tls),
          test_case(test_conn__has_the_password_from_a_command),
          test_case(test_conn__tries_hosts_in_order_and_tells_each_ones_reason),
          test_case(test_conn__takes_from_the_defaults_file_what_is_not_set))
