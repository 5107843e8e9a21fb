#include "fake_tls.h"
#include "http_bed.h"
#include "temp_folder.h"

/* ---- TLS ---- */

struct tls_bed {
    struct bed plain;
    struct temp_folder folder;
    struct fake_tls *tls;
};

static void tls_bed_init(struct tls_bed *b, struct fake_tls_options options)
{
    bed_init(&b->plain, NULL);
    temp_folder_init(&b->folder);
    options.server_url = fake_http_url(b->plain.server);
    options.folder = b->folder.path;
    b->tls = fake_tls_new(&options);
}

static void tls_bed_deinit(struct tls_bed *b)
{
    http_client_free(b->plain.client);
    b->plain.client = NULL;
    fake_tls_free(b->tls);
    bed_deinit(&b->plain);
    temp_folder_deinit(&b->folder);
}

static enum err_code tls_post(struct tls_bed *b)
{
    return send_it(&b->plain, (struct http_request){.method = "POST",
                                                    .url = fake_tls_url(b->tls),
                                                    .body = span_str("x"),
                                                    .has_body = true});
}

static const struct {
    struct fake_tls_options server;
    const char *ca; /* file; NULL: the system's */
    bool insecure;
    const char *message; /* NULL: it works */
} certificates[] = {
    {{0}, "ca.pem", false, NULL},
    {{.names = "IP:127.0.0.1,DNS:other.example"}, "ca.pem", false, NULL},
    {{.names = "DNS:other.example"}, "ca.pem", true, NULL},
    {{.expired = true}, NULL, true, NULL},
    {{0},
     "other_ca.pem",
     false,
     "its certificate comes from an authority that is not known here: http.ca-bundle names a file"},
    {{0},
     NULL,
     false,
     "its certificate comes from an authority that is not known here: http.ca-bundle names a file"},
    {{.self_signed = true},
     "ca.pem",
     false,
     "its certificate is self-signed: where that is meant, put it into the file of http.ca-bundle"},
    {{.expired = true},
     "ca.pem",
     false,
     "its certificate has expired, or this machine's clock is wrong"},
    {{.not_yet_valid = true},
     "ca.pem",
     false,
     "its certificate is not valid yet, or this machine's clock is wrong"},
    {{.names = "DNS:other.example"},
     "ca.pem",
     false,
     "its certificate is for another host (SSL: no alternative certificate subject name matches"},
};

TEST(test_http_tls__looks_at_certificates)
{
    for (size_t i = 0; i < sizeof certificates / sizeof certificates[0]; i++) {
        struct tls_bed b = {0};
        const char *ca = certificates[i].ca;

        tls_bed_init(&b, certificates[i].server);
        change_client(&b.plain, &(struct http_client_options){
                                    .ca_bundle = ca == NULL ? NULL : fake_tls_file(b.tls, ca),
                                    .insecure_tls = certificates[i].insecure});
        for (int again = 0; again < 2; again++) {
            enum err_code rc = tls_post(&b);

            if (certificates[i].message == NULL) {
                assert_ok(rc, &b.plain.e);
                assert_text_eq(buf_span(&b.plain.response.body), "ok");
                continue;
            }
            assert_err(rc, ERR_IO, &b.plain.e);
            assert_false(b.plain.response.sent);
            assert_false(b.plain.e.retryable);
            assert_in(b.plain.e.msg, certificates[i].message);
            assert_int_equal(fake_http_requests(b.plain.server), 0);
        }
        tls_bed_deinit(&b);
    }
}

TEST(test_http_tls__shows_a_certificate_of_its_own)
{
    struct tls_bed b = {0};
    char cert[128];
    char key[128];
    char ca[128];

    tls_bed_init(&b, (struct fake_tls_options){.wants_client = true});
    (void)snprintf(cert, sizeof cert, "%s", fake_tls_file(b.tls, "client.pem"));
    (void)snprintf(key, sizeof key, "%s", fake_tls_file(b.tls, "client.key"));
    (void)snprintf(ca, sizeof ca, "%s", fake_tls_file(b.tls, "ca.pem"));
    change_client(&b.plain, &(struct http_client_options){.ca_bundle = ca});
    assert_err(tls_post(&b), ERR_IO, &b.plain.e);
    assert_in(b.plain.e.msg, "it wants a certificate of ours: see http.client-cert");
    assert_false(b.plain.e.retryable);
    assert_int_equal(fake_http_requests(b.plain.server), 0);
    change_client(&b.plain, &(struct http_client_options){
                                .ca_bundle = ca, .client_cert = cert, .client_key = key});
    assert_ok(tls_post(&b), &b.plain.e);
    change_client(&b.plain, &(struct http_client_options){
                                .ca_bundle = ca, .client_cert = cert, .client_key = ca});
    assert_err(tls_post(&b), ERR_IO, &b.plain.e);
    assert_in(b.plain.e.msg, "the files of http.client-cert and http.client-key could not be used");
    assert_false(b.plain.e.retryable);
    assert_false(b.plain.response.sent);
    tls_bed_deinit(&b);
}

TEST(test_http_tls__says_when_a_bundle_is_none)
{
    struct tls_bed b = {0};

    tls_bed_init(&b, (struct fake_tls_options){0});
    change_client(&b.plain,
                  &(struct http_client_options){.ca_bundle = fake_tls_file(b.tls, "client.key")});
    assert_err(tls_post(&b), ERR_IO, &b.plain.e);
    assert_in(b.plain.e.msg,
              ": the file of http.ca-bundle could not be read as certificates (PEM)");
    assert_false(b.plain.e.retryable);
    assert_false(b.plain.response.sent);
    tls_bed_deinit(&b);
}

TEST(test_http_tls__says_when_a_port_speaks_no_tls)
{
    struct bed b = {0};
    char url[100];

    bed_init(&b, NULL);
    (void)snprintf(url, sizeof url, "https%s", fake_http_url(b.server) + strlen("http"));
    assert_err(send_it(&b, (struct http_request){.method = "DELETE", .url = url}), ERR_IO, &b.e);
    assert_false(b.response.sent);
    assert_in(b.e.msg, ": it does not speak TLS: is https:// right for this port?");
    bed_deinit(&b);
}

TEST(test_http_tls__sends_nothing_twice_over_tls)
{
    struct tls_bed b = {.plain = {.plans = {{0}, {.fault = FAKE_HTTP_CLOSE}}}};

    tls_bed_init(&b, (struct fake_tls_options){0});
    change_client(&b.plain,
                  &(struct http_client_options){.ca_bundle = fake_tls_file(b.tls, "ca.pem")});
    assert_ok(tls_post(&b), &b.plain.e);
    assert_err(tls_post(&b), ERR_IO, &b.plain.e);
    assert_true(b.plain.response.sent);
    assert_true(b.plain.e.retryable);
    assert_int_equal(fake_http_requests(b.plain.server), 2);
    assert_ok(tls_post(&b), &b.plain.e);
    tls_bed_deinit(&b);
}

TEST(test_http_tls__notices_a_cut_over_tls)
{
    struct tls_bed b = {.plain = {.plans = {{.fault = FAKE_HTTP_TRUNCATE, .body = "two halves"}}}};

    tls_bed_init(&b, (struct fake_tls_options){0});
    change_client(&b.plain,
                  &(struct http_client_options){.ca_bundle = fake_tls_file(b.tls, "ca.pem")});
    assert_err(tls_post(&b), ERR_IO, &b.plain.e);
    assert_in(b.plain.e.msg, ": the answer was cut off (");
    tls_bed_deinit(&b);
}

TEST_MAIN(test_case(test_http_tls__looks_at_certificates),
          test_case(test_http_tls__shows_a_certificate_of_its_own),
          test_case(test_http_tls__says_when_a_bundle_is_none),
          test_case(test_http_tls__says_when_a_port_speaks_no_tls),
          test_case(test_http_tls__sends_nothing_twice_over_tls),
          test_case(test_http_tls__notices_a_cut_over_tls))
