#include "pipeline/source_check.h"

#include <stdlib.h>

#include "test.h"
#include "torture.h"

#define A  "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B  "3e11fa48-71ca-11e1-9e33-c80aa9429562"
#define M1 "mariadb-1-0"
#define M2 "mariadb-2-0"

/* A claim and a server in texts. */
struct meeting {
    const char *what;
    struct {
        const char *source;
        struct binlog_position position;
        const char *gtids;
        const char *known;
        bool anonymous;
    } claim;
    struct {
        const char *identity;
        bool gtid_enabled;
        struct binlog_position end;
        const char *oldest;
        const char *executed;
        const char *purged;
        const char *seen; /* MariaDB */
    } server;
    enum source_verdict verdict;
    const char *part; /* of the message */
};

static const char *const verdict_names[] = {"fits", "is behind", "has a gap", "was reset",
                                            "is foreign"};

static struct gtid_set *parse(const char *text, const char *source)
{
    struct gtid_set *set = NULL;
    struct err e = {0};

    if (text != NULL) {
        assert_ok(gtid_set_parse(text, source_flavor(source), &set, &e), &e);
    }
    return set;
}

/* "1:100 2:7": domain 0, server and number. */
static void put_seen(struct source_state *s, const char *text)
{
    s->seen = calloc(8, sizeof *s->seen);
    assert_non_null(s->seen);
    while (text != NULL && *text != '\0') {
        char *end;

        s->seen[s->seen_count].present = true;
        s->seen[s->seen_count].flavor = GTID_FLAVOR_MARIADB;
        s->seen[s->seen_count].server_id = (uint32_t)strtoul(text, &end, 10);
        s->seen[s->seen_count++].number = strtoul(end + 1, &end, 10);
        text = *end == ' ' ? end + 1 : end;
    }
}

static void set_up(const struct meeting *m, struct source_claim *claim, struct source_state *s)
{
    *claim = (struct source_claim){
        .source = m->claim.source,
        .position = m->claim.position,
        .gtids = parse(m->claim.gtids,
                       m->claim.source[0] == '\0' ? m->server.identity : m->claim.source),
        .known = parse(m->claim.known, m->claim.source),
        .anonymous = m->claim.anonymous,
    };
    *s = (struct source_state){.gtid_enabled = m->server.gtid_enabled, .end = m->server.end};
    (void)snprintf(s->identity, sizeof s->identity, "%s", m->server.identity);
    (void)snprintf(s->oldest, sizeof s->oldest, "%s", m->server.oldest);
    s->executed = parse(m->server.executed, m->server.identity);
    s->purged = parse(m->server.purged, m->server.identity);
    put_seen(s, m->server.seen);
}

static void tear_down(struct source_claim *claim, struct source_state *s)
{
    gtid_set_free((struct gtid_set *)(uintptr_t)claim->gtids);
    gtid_set_free((struct gtid_set *)(uintptr_t)claim->known);
    source_state_deinit(s);
}

static const struct meeting meetings[] = {
    {"the same server, further",
     {A, {"b.000002", 900}, A ":1-5", NULL, false},
     {A, true, {"b.000003", 100}, "b.000001", A ":1-9", "", NULL},
     SOURCE_FITS,
     NULL},
    {"the same server, at the very place",
     {A, {"b.000002", 900}, A ":1-5", A ":1-5", false},
     {A, true, {"b.000002", 900}, "b.000002", A ":1-5", A ":1-5", NULL},
     SOURCE_FITS,
     NULL},
    {"the same server lost its end",
     {A, {"b.000002", 900}, A ":1-5", NULL, false},
     {A, true, {"b.000003", 4}, "b.000001", A ":1-4", "", NULL},
     SOURCE_WAS_RESET,
     A ":5"},
    {"one table has what the server lost",
     {A, {"b.000002", 900}, A ":1-4", A ":1-8", false},
     {A, true, {"b.000003", 4}, "b.000001", A ":1-6", "", NULL},
     SOURCE_WAS_RESET,
     A ":7-8"},
    {"reset, and its numbers came again",
     {A, {"b.000005", 900}, A ":1-5", NULL, false},
     {A, true, {"b.000001", 4000}, "b.000001", A ":1-20", "", NULL},
     SOURCE_WAS_RESET,
     "b.000001:4000"},
    {"the same server purged too much",
     {A, {"b.000002", 900}, A ":1-5", NULL, false},
     {A, true, {"b.000009", 4}, "b.000009", A ":1-20", A ":1-12", NULL},
     SOURCE_HAS_GAP,
     A ":6-12"},
    {"the file is gone, and all that was in it is here",
     {A, {"b.000002", 900}, A ":1-5", NULL, false},
     {A, true, {"b.000009", 4}, "b.000009", A ":1-20", A ":1-5", NULL},
     SOURCE_FITS,
     NULL},
    {"the same server with other log names",
     {A, {"b.000009", 900}, A ":1-5", NULL, false},
     {A, true, {"log.000001", 300}, "log.000001", A ":1-7", A ":1-5", NULL},
     SOURCE_FITS,
     NULL},
    {"without GTIDs, by position",
     {A, {"b.000002", 900}, NULL, NULL, false},
     {A, false, {"b.000002", 900}, "b.000001", NULL, NULL, NULL},
     SOURCE_FITS,
     NULL},
    {"without GTIDs, shorter",
     {A, {"b.000002", 900}, NULL, NULL, false},
     {A, false, {"b.000002", 899}, "b.000001", NULL, NULL, NULL},
     SOURCE_WAS_RESET,
     "b.000002:899"},
    {"without GTIDs, purged",
     {A, {"b.000002", 900}, NULL, NULL, false},
     {A, false, {"b.000007", 4}, "b.000003", NULL, NULL, NULL},
     SOURCE_HAS_GAP,
     "b.000003"},
    {"GTIDs switched off on the same server",
     {A, {"b.000002", 900}, A ":1-5", NULL, false},
     {A, false, {"b.000003", 100}, "b.000001", NULL, NULL, NULL},
     SOURCE_FITS,
     NULL},
    {"GTIDs switched off, and the file is gone",
     {A, {"b.000002", 900}, A ":1-5", NULL, false},
     {A, false, {"b.000003", 100}, "b.000003", NULL, NULL, NULL},
     SOURCE_HAS_GAP,
     "b.000003"},
    {"GTIDs switched off, and only a set is known",
     {A, {"", 0}, A ":1-5", NULL, false},
     {A, false, {"b.000003", 100}, "b.000001", NULL, NULL, NULL},
     SOURCE_IS_FOREIGN,
     "gtid_mode"},
    {"another server without GTIDs",
     {A, {"b.000002", 900}, NULL, NULL, false},
     {B, true, {"b.000009", 900}, "b.000001", A ":1-9", "", NULL},
     SOURCE_IS_FOREIGN,
     "file and position only"},
    {"another server that has none",
     {A, {"b.000002", 900}, A ":1-5", NULL, false},
     {B, false, {"b.000009", 900}, "b.000001", NULL, NULL, NULL},
     SOURCE_IS_FOREIGN,
     "no GTIDs"},
    {"MySQL after MariaDB",
     {M1, {"b.000002", 900}, "0-1-5", NULL, false},
     {B, true, {"b.000009", 900}, "b.000001", A ":1-9", "", NULL},
     SOURCE_IS_FOREIGN,
     "differently"},
    {"another server after transactions without GTIDs",
     {A, {"b.000002", 900}, A ":1-5", NULL, true},
     {B, true, {"b.000009", 900}, "b.000001", A ":1-9", "", NULL},
     SOURCE_IS_FOREIGN,
     "without GTIDs"},
    {"failover to a replica with other file names",
     {A, {"b.000009", 900}, A ":1-5", NULL, false},
     {B, true, {"c.000001", 300}, "c.000001", A ":1-7", "", NULL},
     SOURCE_FITS,
     NULL},
    {"failover by sets with gaps, two servers and a tag",
     {A, {"b.000009", 900}, A ":1-3:5:9:t:1-2," B ":1", NULL, false},
     {B, true, {"b.000001", 300}, "b.000001", A ":1-9:t:1-2," B ":1-4", A ":1-2", NULL},
     SOURCE_FITS,
     NULL},
    {"a replica that lags",
     {A, {"b.000009", 900}, A ":1-5", NULL, false},
     {B, true, {"b.000001", 300}, "b.000001", A ":1-3:5", "", NULL},
     SOURCE_IS_BEHIND,
     A ":4"},
    {"a replica that lags behind one table",
     {A, {"b.000009", 900}, A ":1-5", A ":1-8", false},
     {B, true, {"b.000001", 300}, "b.000001", A ":1-7", "", NULL},
     SOURCE_IS_BEHIND,
     A ":8"},
    {"an errant tagged transaction",
     {A, {"b.000009", 900}, A ":1-5:t:1", NULL, false},
     {B, true, {"b.000001", 300}, "b.000001", A ":1-9", "", NULL},
     SOURCE_IS_BEHIND,
     A ":t:1"},
    {"a replica that purged",
     {A, {"b.000009", 900}, A ":1-5", NULL, false},
     {B, true, {"b.000001", 300}, "b.000001", A ":1-9", A ":1-7", NULL},
     SOURCE_HAS_GAP,
     A ":6-7"},
    {"tables of several servers",
     {"", {"", 0}, A ":1-5", NULL, false},
     {B, true, {"b.000001", 300}, "b.000001", A ":1-9", "", NULL},
     SOURCE_FITS,
     NULL},
    {"MariaDB: failover",
     {M1, {"b.000009", 900}, "0-1-5", NULL, false},
     {M2, true, {"b.000001", 300}, "b.000001", NULL, "", "1:5 2:8"},
     SOURCE_FITS,
     NULL},
    {"MariaDB: a replica that lags",
     {M1, {"b.000009", 900}, "0-1-5", NULL, false},
     {M2, true, {"b.000001", 300}, "b.000001", NULL, "", "1:4"},
     SOURCE_IS_BEHIND,
     "0-1-5"},
    {"MariaDB: another transaction has our number",
     {M1, {"b.000009", 900}, "0-1-5", NULL, false},
     {M2, true, {"b.000001", 300}, "b.000001", NULL, "", "1:4 2:7"},
     SOURCE_IS_BEHIND,
     "0-1-5"},
    {"MariaDB: a replica that purged",
     {M1, {"b.000009", 900}, "0-1-5", NULL, false},
     {M2, true, {"b.000004", 300}, "b.000004", NULL, "0-2-7", "1:5 2:9"},
     SOURCE_HAS_GAP,
     "0-2-7"},
    {"MariaDB: numbers went back on one server",
     {M1, {"b.000002", 900}, "0-2-5", NULL, false},
     {M1, true, {"b.000004", 300}, "b.000002", NULL, "0-1-9", "1:9 2:6"},
     SOURCE_FITS,
     NULL},
    {"reset, and the file of the new numbers is purged",
     {A, {"b.000001", 900}, A ":1-40", NULL, false},
     {A, true, {"b.000002", 4000}, "b.000002", A ":1-61", A ":1", NULL},
     SOURCE_WAS_RESET,
     A ":2-40"},
    {"MariaDB: reset, and the file of the new numbers is purged",
     {M1, {"b.000001", 900}, "0-1-40", NULL, false},
     {M1, true, {"b.000002", 4000}, "b.000002", NULL, "0-1-3", "1-61"},
     SOURCE_WAS_RESET,
     "b.000002"},
    {"MariaDB: reset",
     {M1, {"b.000002", 900}, "0-1-5", NULL, false},
     {M1, true, {"b.000001", 300}, "b.000001", NULL, "", ""},
     SOURCE_WAS_RESET,
     "b.000001:300"},
};

TEST(test_source_check__tells_who_can_go_on)
{
    for (size_t i = 0; i < sizeof meetings / sizeof meetings[0]; i++) {
        const struct meeting *m = &meetings[i];
        struct source_claim claim;
        struct source_state s;
        enum source_verdict verdict;
        struct err why = {0};

        set_up(m, &claim, &s);
        assert_ok(source_judge(&claim, &s, &verdict, &why), &why);
        if (verdict != m->verdict) {
            fail_msg("%s: %s, expected that it %s (%s)", m->what, verdict_names[verdict],
                     verdict_names[m->verdict], why.msg);
        }
        if (m->part != NULL && strstr(why.msg, m->part) == NULL) {
            fail_msg("%s: '%s' does not say '%s'", m->what, why.msg, m->part);
        }
        assert_int_equal(why.code, verdict == SOURCE_FITS ? ERR_OK : ERR_SOURCE);
        assert_false(why.retryable);
        tear_down(&claim, &s);
    }
}

TEST(test_source_check__refuses_a_replica_that_does_not_log)
{
    struct source_claim claim = {.source = A, .position = {"b.000001", 4}};
    struct source_state s = {.end = {"b.000001", 4}, .applies_unlogged = true};
    enum source_verdict verdict;
    struct err why = {0};

    (void)snprintf(s.identity, sizeof s.identity, "%s", A);
    assert_ok(source_judge(&claim, &s, &verdict, &why), &why);
    assert_int_equal(verdict, SOURCE_IS_FOREIGN);
    assert_non_null(strstr(why.msg, "log_replica_updates"));
}

/* Sets of any size are named in a message of bounded length. */
TEST(test_source_check__names_no_more_than_a_message_holds)
{
    struct gtid_set *ours = gtid_set_new(GTID_FLAVOR_MYSQL);
    struct source_claim claim = {.source = A, .position = {"b.000001", 4}, .gtids = ours};
    struct source_state s = {
        .gtid_enabled = true, .end = {"b.000001", 4}, .executed = gtid_set_new(GTID_FLAVOR_MYSQL)};
    enum source_verdict verdict;
    struct err why = {0};

    for (uint64_t n = 1; n < 2000; n += 2) {
        struct gtid g = {.present = true, .number = n};

        assert_ok(gtid_set_add(ours, &g, &why), &why);
    }
    (void)snprintf(s.identity, sizeof s.identity, "%s", B);
    assert_ok(source_judge(&claim, &s, &verdict, &why), &why);
    assert_int_equal(verdict, SOURCE_IS_BEHIND);
    assert_non_null(strstr(why.msg, "..."));
    assert_non_null(strstr(why.msg, "copy them again"));
    gtid_set_free(ours);
    source_state_deinit(&s);
}

TEST(test_source_check__survives_lack_of_memory)
{
    for (size_t i = 0; i < sizeof meetings / sizeof meetings[0]; i++) {
        struct source_claim claim;
        struct source_state s;

        set_up(&meetings[i], &claim, &s);
        TORTURE(nth)
        {
            enum source_verdict verdict;
            enum err_code rc = source_judge(&claim, &s, &verdict, NULL);

            assert_true(rc == ERR_NOMEM || (rc == ERR_OK && verdict == meetings[i].verdict));
        }
        tear_down(&claim, &s);
    }
}

TEST_MAIN(test_case(test_source_check__tells_who_can_go_on),
          test_case(test_source_check__refuses_a_replica_that_does_not_log),
          test_case(test_source_check__names_no_more_than_a_message_holds),
          test_case(test_source_check__survives_lack_of_memory))
