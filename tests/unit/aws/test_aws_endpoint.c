#include <stdlib.h>

#include "aws/aws_int.h"
#include "test.h"

TEST(test_aws_endpoint__knows_partitions_and_settings)
{
    static const struct {
        const char *service;
        const char *region;
        const char *environment[4];
        const char *want;
    } cases[] = {
        {"glue", "eu-west-1", {NULL}, "https://glue.eu-west-1.amazonaws.com"},
        {"s3", "us-east-1", {NULL}, "https://s3.us-east-1.amazonaws.com"},
        {"s3", "cn-north-1", {NULL}, "https://s3.cn-north-1.amazonaws.com.cn"},
        {"sts", "us-gov-west-1", {NULL}, "https://sts.us-gov-west-1.amazonaws.com"},
        {"s3", "us-iso-east-1", {NULL}, "https://s3.us-iso-east-1.c2s.ic.gov"},
        {"s3", "us-isob-east-1", {NULL}, "https://s3.us-isob-east-1.sc2s.sgov.gov"},
        {"s3", "eu-isoe-west-1", {NULL}, "https://s3.eu-isoe-west-1.cloud.adc-e.uk"},
        {"s3", "us-isof-south-1", {NULL}, "https://s3.us-isof-south-1.csp.hci.ic.gov"},
        {"s3", "eusc-de-east-1", {NULL}, "https://s3.eusc-de-east-1.amazonaws.eu"},
        {"s3", "r", {"AWS_ENDPOINT_URL=http://all:1/"}, "http://all:1"},
        {"s3",
         "r",
         {"AWS_ENDPOINT_URL=http://all", "AWS_ENDPOINT_URL_S3=http://s3//"},
         "http://s3"},
        {"glue", "r", {"AWS_ENDPOINT_URL_S3=http://s3"}, "https://glue.r.amazonaws.com"},
        {"s3", "r", {"AWS_ENDPOINT_URL_S3="}, "https://s3.r.amazonaws.com"},
        {"execute-api", "r", {"AWS_ENDPOINT_URL_EXECUTE_API=http://x/y"}, "http://x/y"},
        /* The first one counts. */
        {"s3", "r", {"AWS_ENDPOINT_URL=http://a", "AWS_ENDPOINT_URL=http://b"}, "http://a"},
        {"s3",
         "r",
         {"AWS_ENDPOINT_URL=http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=True"},
         "https://s3.r.amazonaws.com"},
        {"s3",
         "r",
         {"AWS_ENDPOINT_URL=http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false"},
         "http://a"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *got = aws_endpoint(cases[i].service, cases[i].region, cases[i].environment);

        assert_non_null(got);
        assert_string_equal(got, cases[i].want);
        free(got);
    }
    char *got = aws_endpoint("s3", "r", NULL);

    assert_string_equal(got, "https://s3.r.amazonaws.com");
    free(got);
}

TEST(test_aws_endpoint__takes_places_apart)
{
    static const struct {
        const char *endpoint;
        const char *scheme;
        const char *host;
        const char *path;
        uint32_t port;
        bool tls;
    } cases[] = {
        {"https://S3.eu-west-1.AmazonAWS.com", "https", "s3.eu-west-1.amazonaws.com", "", 0, true},
        {"https://h:443/", "https", "h", "", 0, true},
        {"http://h:80", "http", "h", "", 0, false},
        {"HTTP://h:443", "http", "h", "", 443, false},
        {"https://h:8443/iceberg/v1/", "https", "h", "/iceberg/v1", 8443, true},
        {"http://[::1]:9000", "http", "[::1]", "", 9000, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct aws_place p;
        struct err e = {0};

        assert_ok(aws_place_init(&p, cases[i].endpoint, &e), &e);
        assert_string_equal(p.scheme, cases[i].scheme);
        assert_string_equal(p.host, cases[i].host);
        assert_string_equal(p.path, cases[i].path);
        assert_string_equal(p.text, cases[i].endpoint);
        assert_int_equal(p.port, cases[i].port);
        assert_int_equal(p.tls, cases[i].tls);
        aws_place_deinit(&p);
    }
}

TEST(test_aws_endpoint__refuses_what_is_none)
{
    static const struct {
        const char *endpoint;
        const char *message;
    } cases[] = {
        {"", "an endpoint: "},
        {"minio:9000/", "an endpoint: "},
        {"ftp://h", "http or https is needed"},
        {"s3://bucket", "http or https is needed"},
        {"https://user:hush@h", "an endpoint with a user's name in front of its host"},
        {"https://h/?hush=1", "no query and no fragment"},
        {"https://h/#x", "no query and no fragment"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct aws_place p;
        struct err e = {0};

        assert_err(aws_place_init(&p, cases[i].endpoint, &e), ERR_CONFIG, &e);
        if (strstr(e.msg, cases[i].message) == NULL) {
            fail_msg("%s: %s", cases[i].endpoint, e.msg);
        }
        assert_null(strstr(e.msg, "hush"));
    }
}

TEST(test_aws_endpoint__moves_its_own_hosts_to_another_region)
{
    static const struct {
        const char *endpoint;
        const char *home;
        const char *want; /* for eu-west-1 */
    } cases[] = {
        {"https://s3.us-east-1.amazonaws.com", "us-east-1", "s3.eu-west-1.amazonaws.com"},
        {"https://s3.dualstack.us-east-1.amazonaws.com", "us-east-1",
         "s3.dualstack.eu-west-1.amazonaws.com"},
        {"https://s3-us-east-1.amazonaws.com", "us-east-1", "s3-eu-west-1.amazonaws.com"},
        {"https://s3.amazonaws.com", "us-east-1", "s3.eu-west-1.amazonaws.com"},
        {"https://s3.us-east-1.amazonaws.com", "us-east", "s3.us-east-1.amazonaws.com"},
        {"https://us-east-1.s3.us-east-1.amazonaws.com", "us-east-1",
         "us-east-1.s3.eu-west-1.amazonaws.com"},
        /* others stay */
        {"https://s3.us-east-1.amazonaws.com", "", "s3.us-east-1.amazonaws.com"},
        {"https://s3.us-east-1.amazonaws.com", "eu-west-1", "s3.us-east-1.amazonaws.com"},
        {"https://vpce-1.s3.us-east-1.vpce.amazonaws.com", "us-east-1",
         "vpce-1.s3.us-east-1.vpce.amazonaws.com"},
        {"http://127.0.0.1:9000", "us-east-1", "127.0.0.1"},
        {"https://s3.us-east-1.example.org", "us-east-1", "s3.us-east-1.example.org"},
        {"https://evilamazonaws.com", "us-east-1", "evilamazonaws.com"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct aws_place p;
        struct err e = {0};

        assert_ok(aws_place_init(&p, cases[i].endpoint, &e), &e);
        char *host = aws_place_host(&p, cases[i].home, "eu-west-1");

        assert_non_null(host);
        assert_string_equal(host, cases[i].want);
        free(host);
        aws_place_deinit(&p);
    }
}

TEST(test_aws_endpoint__knows_what_a_region_looks_like)
{
    static const char *const good[] = {"us-east-1", "auto", "eu_x", "R1",
                                       "0123456789-0123456789-0123456789-0123456789-012"};
    static const char *const bad[] = {"",
                                      "us-east-1/x",
                                      "a.b",
                                      "a b",
                                      "a\n",
                                      "é",
                                      "0123456789-0123456789-0123456789-0123456789-0123"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(aws_region_is_valid(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(aws_region_is_valid(bad[i]));
    }
}

TEST(test_aws_endpoint__survives_failing_allocations)
{
    static const char *const environment[] = {"AWS_ENDPOINT_URL=http://[::1]:9000/a", NULL};

    TORTURE(nth)
    {
        struct aws_place p;
        struct err e = {0};
        char *url = aws_endpoint("s3", "us-east-1", environment);
        enum err_code rc = url == NULL ? ERR_NOMEM : aws_place_init(&p, url, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        if (rc == ERR_OK) {
            free(aws_place_host(&p, "us-east-1", "eu-west-1"));
            aws_place_deinit(&p);
        }
        free(url);
    }
}

TEST_MAIN(test_case(test_aws_endpoint__knows_partitions_and_settings),
          test_case(test_aws_endpoint__takes_places_apart),
          test_case(test_aws_endpoint__refuses_what_is_none),
          test_case(test_aws_endpoint__moves_its_own_hosts_to_another_region),
          test_case(test_aws_endpoint__knows_what_a_region_looks_like),
          test_case(test_aws_endpoint__survives_failing_allocations))
