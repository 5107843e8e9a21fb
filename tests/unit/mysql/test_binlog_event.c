#include "mysql/binlog_event.h"

#include "mysql/xid.h"
#include "test.h"

static struct span unhex(const char *hex, uint8_t *bytes, size_t room)
{
    return span_of(bytes, test_unhex(hex, bytes, room));
}

TEST(test_binlog_event__reads_headers_and_rejects_every_truncation)
{
    uint8_t bytes[32];
    struct span in = unhex("00f15365 1e 0b000000 33000000 6c070000 8000", bytes, sizeof bytes);
    struct bytes_reader r;
    struct binlog_event_header h;
    struct err e = {0};

    bytes_reader_init(&r, in);
    assert_ok(binlog_event_read_header(&r, &h, &e), &e);
    assert_u64_eq(h.timestamp_s, 1700000000);
    assert_u64_eq(h.type, BINLOG_EVENT_WRITE_ROWS);
    assert_u64_eq(h.server_id, 11);
    assert_u64_eq(h.event_bytes, 51);
    assert_u64_eq(h.log_pos, 1900);
    assert_u64_eq(h.flags, BINLOG_FLAG_IGNORABLE);
    assert_u64_eq(bytes_left(&r), 0);
    for (size_t len = 0; len < in.len; len++) {
        bytes_reader_init(&r, span_of(in.data, len));
        assert_err(binlog_event_read_header(&r, &h, &e), ERR_CORRUPT, &e);
    }
    bytes[9] = 18;
    bytes_reader_init(&r, in);
    assert_err(binlog_event_read_header(&r, &h, &e), ERR_CORRUPT, &e);
}

/* "use `shop`; create table ..." as MySQL 9.7.4 logs it: every kind of status variable, then
 * made-up ones. */
#define QUERY_FIXED "08000000 00000000 04 0000"

TEST(test_binlog_event__reads_queries_behind_all_status_variables)
{
    static const struct {
        const char *vars;
        uint16_t vars_bytes;
        uint64_t sql_mode;
        uint16_t collation;
    } cases[] = {
        {"", 0, 0, 0},
        {"00 00000000 01 2000a04500000000 04 ff00ff002d00", 21, 0x45a00020, 255},
        {"03 01000200 01 0400000000000000 04 08000800ff00", 21, 4, 8},
        {"02 03 737464 00 04 2d00 2d00 2d00", 13, 0, 45},
        {"06 03 737464 05 06 2b30303a3030 04 2d00 2d00 2d00", 20, 0, 45},
        {"07 0000 08 2100 09 0100000000000000 0a 00000000 04 2d00 2d00 2d00", 27, 0, 45},
        {"0b 01 61 02 6262 04 2d00 2d00 2d00", 13, 0, 45},
        {"0c 02 6100 626200 0d 010203 04 2d00 2d00 2d00", 18, 0, 45},
        {"0c fe 0d 010203 04 2d00 2d00 2d00", 13, 0, 45},
        {"10 01 11 0100000000000000 12 ff00 13 00 14 00 04 2d00 2d00 2d00", 25, 0, 45},
        {"80 010203 81 0100000000000000 04 2d00 2d00 2d00", 20, 0, 45},
        {"82 00 04 2d00 2d00 2d00", 9, 0, 45},
        {"82 04 0100000000000000 04 2d00 2d00 2d00", 17, 0, 45},
        {"83 02 08000900 21002200 04 2d00 2d00 2d00", 17, 0, 45},
        /* Behind an unknown variable nothing is read. */
        {"c8 04 2d00 2d00 2d00", 8, 0, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hex[512];
        uint8_t bytes[256];
        struct binlog_query q;
        struct err e = {0};

        (void)snprintf(hex, sizeof hex, QUERY_FIXED "%02x00 %s 73686f70 00 424547494e",
                       cases[i].vars_bytes, cases[i].vars);
        struct span body = unhex(hex, bytes, sizeof bytes);
        enum err_code rc = binlog_event_query(body, &q, &e);

        if (rc != ERR_OK || q.sql_mode != cases[i].sql_mode ||
            q.client_collation != cases[i].collation) {
            fail_msg("case %zu: %s %s mode %llx collation %u", i, err_code_name(rc), e.msg,
                     (unsigned long long)q.sql_mode, q.client_collation);
        }
        assert_u64_eq(q.thread_id, 8);
        assert_u64_eq(q.error_code, 0);
        assert_text_eq(q.schema, "shop");
        assert_text_eq(q.sql, "BEGIN");
        /* The statement's text has no length of its own; everything before it must be there. */
        for (size_t len = 0; len < body.len - 5; len++) {
            assert_err(binlog_event_query(span_of(bytes, len), &q, &e), ERR_CORRUPT, &e);
        }
    }
}

TEST(test_binlog_event__reads_the_collations_of_a_statement)
{
    static const struct {
        const char *vars;
        uint16_t server;
        uint16_t database;
        uint16_t utf8mb4;
        int explicit_timestamps;
        enum binlog_alter_phase phase;
    } cases[] = {
        {"", 0, 0, 0, -1, BINLOG_ALTER_WHOLE},
        {"04 2d00 ff00 0801", 264, 0, 0, -1, BINLOG_ALTER_WHOLE},
        {"08 2100", 0, 33, 0, -1, BINLOG_ALTER_WHOLE},
        {"12 ff00", 0, 0, 255, -1, BINLOG_ALTER_WHOLE},
        {"10 00", 0, 0, 0, 0, BINLOG_ALTER_WHOLE},
        {"10 01", 0, 0, 0, 1, BINLOG_ALTER_WHOLE},
        {"82 00", 0, 0, 0, -1, BINLOG_ALTER_WHOLE},
        {"82 02", 0, 0, 0, -1, BINLOG_ALTER_START},
        {"82 04 0700000000000000 10 01", 0, 0, 0, 1, BINLOG_ALTER_COMMIT},
        {"82 08 0700000000000000 10 01", 0, 0, 0, 1, BINLOG_ALTER_ROLLBACK},
        /* All at once, MariaDB's own in front of the old ones. */
        {"83 01 08000900 00 00000000 01 2000a04500000000 04 2d00 ff00 0801 06 03 737464 08 2100 "
         "10 01 12 ff00 13 00 14 00 82 02",
         264, 33, 255, 1, BINLOG_ALTER_START},
        /* Nothing is read behind one of unknown length. */
        {"04 2d00 ff00 0801 c8 08 2100 12 ff00 10 01", 264, 0, 0, -1, BINLOG_ALTER_WHOLE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hex[512];
        uint8_t vars[128];
        uint8_t bytes[256];
        struct binlog_query q;
        struct err e = {0};

        (void)snprintf(hex, sizeof hex, QUERY_FIXED "%02x00 %s 73686f70 00 424547494e",
                       (unsigned)test_unhex(cases[i].vars, vars, sizeof vars), cases[i].vars);
        assert_ok(binlog_event_query(unhex(hex, bytes, sizeof bytes), &q, &e), &e);
        if (q.server_collation != cases[i].server || q.database_collation != cases[i].database ||
            q.utf8mb4_collation != cases[i].utf8mb4 ||
            q.explicit_timestamps != cases[i].explicit_timestamps || q.phase != cases[i].phase) {
            fail_msg("case %zu: server %u database %u utf8mb4 %u timestamps %d phase %d", i,
                     q.server_collation, q.database_collation, q.utf8mb4_collation,
                     q.explicit_timestamps, (int)q.phase);
        }
        assert_text_eq(q.sql, "BEGIN");
    }
}

TEST(test_binlog_event__reads_load_data_logged_as_a_statement)
{
    uint8_t bytes[128];
    struct binlog_query q;
    struct err e = {0};
    struct span body = unhex("08000000 00000000 04 0000 0900 01000000 09000000 1c000000 02"
                             "01 2000a04500000000 73686f70 00 4c4f4144",
                             bytes, sizeof bytes);

    assert_ok(binlog_event_execute_load_query(body, &q, &e), &e);
    assert_u64_eq(q.thread_id, 8);
    assert_u64_eq(q.sql_mode, 0x45a00020);
    assert_text_eq(q.schema, "shop");
    assert_text_eq(q.sql, "LOAD");
    for (size_t len = 0; len < body.len - 4; len++) {
        assert_err(binlog_event_execute_load_query(span_of(bytes, len), &q, &e), ERR_CORRUPT, &e);
    }
}

TEST(test_binlog_event__rejects_status_variables_that_are_cut)
{
    static const char *const cut[] = {"01 20",         "04 ff00",  "06 03 73", "0b 01 61 02 62",
                                      "0c 02 6100 62", "82 04 01", "83 02 00", "0b",
                                      "11 00",         "0c 05 00"};

    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        char hex[256];
        uint8_t vars[64];
        uint8_t bytes[128];
        struct binlog_query q;
        struct err e = {0};

        (void)snprintf(hex, sizeof hex, QUERY_FIXED "%02x00 %s 73686f70 00 424547494e",
                       (unsigned)test_unhex(cut[i], vars, sizeof vars), cut[i]);
        if (binlog_event_query(unhex(hex, bytes, sizeof bytes), &q, &e) != ERR_CORRUPT) {
            fail_msg("case %zu was taken", i);
        }
    }
}

static enum err_code read_gtid(uint8_t type, struct span body, struct binlog_transaction_start *out)
{
    struct err e = {0};
    struct binlog_event ev = {.header = {.type = type, .server_id = 12}, .body = body};

    return binlog_event_gtid(&ev, out, &e);
}

#define UUID_AND_7 "01 55778904029911f1b1b84ef0c4956feb 0700000000000000"

TEST(test_binlog_event__reads_mysql_gtids_of_every_age)
{
    static const struct {
        const char *rest;
        uint64_t transaction_bytes;
    } cases[] = {
        {"", 0},                                                             /* 5.6 */
        {"02 0000000000000000 0100000000000000", 0},                         /* 5.7 */
        {"02 0000000000000000 0100000000000000 7cf3b814244a06", 0},          /* 8.0.1 */
        {"02 0000000000000000 0100000000000000 7cf3b814244a06 fc2801", 296}, /* 8.0.2 */
        {"02 0000000000000000 0100000000000000 7cf3b814244a86 7cf3b814244a06 fd280001 e8610100",
         65576},
        {"02 0000000000000000 0100000000000000 7cf3b814244a06 4f e8610180 e8610100 "
         "0100000000000000",
         79},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hex[256];
        uint8_t bytes[128];
        struct binlog_transaction_start t;
        char text[64];

        (void)snprintf(hex, sizeof hex, UUID_AND_7 "%s", cases[i].rest);
        struct span body = unhex(hex, bytes, sizeof bytes);

        assert_int_equal(read_gtid(BINLOG_EVENT_GTID, body, &t), ERR_OK);
        gtid_print(&t.gtid, text, sizeof text);
        assert_string_equal(text, "55778904-0299-11f1-b1b8-4ef0c4956feb:7");
        assert_u64_eq(t.transaction_bytes, cases[i].transaction_bytes);
        assert_false(t.standalone);
        for (size_t len = 0; len < 25; len++) {
            assert_int_equal(read_gtid(BINLOG_EVENT_GTID, span_of(bytes, len), &t), ERR_CORRUPT);
        }
        for (size_t len = 25; len < body.len; len++) {
            uint8_t exact[128];

            /* Copied, so that a read behind the end would be seen. */
            memcpy(exact + sizeof exact - len, bytes, len);
            (void)read_gtid(BINLOG_EVENT_GTID, span_of(exact + sizeof exact - len, len), &t);
        }
    }
}

/* ---- tagged GTIDs ---- */

/* MySQL 9.6.0, SET gtid_next = 'AUTOMATIC:mytag'. */
#define TAGGED_HEAD "02 78 00"
#define TAGGED_UUID "02 aaee25020804650222c503c502e1029cc10311035502dead03"
#define TAGGED_REST "0800 0a04 0c7f1cf3b814244a06 10a104 12430f0b"
#define TAGGED      TAGGED_HEAD "0000" TAGGED_UUID "040c 060a6d79746167" TAGGED_REST

TEST(test_binlog_event__reads_a_tagged_gtid_and_rejects_every_truncation)
{
    static const size_t ends[] = {40, 42, 44, 53, 56, 60}; /* of fields from the tag on */
    uint8_t bytes[64];
    struct binlog_transaction_start t;
    char text[96];
    struct span body = unhex(TAGGED, bytes, sizeof bytes);

    assert_u64_eq(body.len, 60);
    assert_int_equal(read_gtid(BINLOG_EVENT_GTID_TAGGED, body, &t), ERR_OK);
    gtid_print(&t.gtid, text, sizeof text);
    assert_string_equal(text, "55778904-0299-11f1-b1b8-4ef0c4956feb:mytag:3");
    assert_true(t.gtid.present);
    assert_u64_eq(t.gtid.flavor, GTID_FLAVOR_MYSQL);
    assert_u64_eq(t.transaction_bytes, 296);
    assert_false(t.standalone);
    for (size_t len = 0; len < body.len; len++) {
        bool whole = false;

        assert_int_equal(read_gtid(BINLOG_EVENT_GTID_TAGGED, span_of(bytes, len), &t), ERR_CORRUPT);
        /* The same with a length that fits. */
        bytes[1] = (uint8_t)(len << 1);
        for (size_t k = 0; k < sizeof ends / sizeof ends[0]; k++) {
            whole = whole || len == ends[k];
        }
        assert_int_equal(read_gtid(BINLOG_EVENT_GTID_TAGGED, span_of(bytes, len), &t),
                         whole ? ERR_OK : ERR_CORRUPT);
        bytes[1] = 60 << 1;
    }
}

/* `fields` behind a head of the right length; *must_know goes into it. */
static enum err_code read_tagged(const char *fields, unsigned must_know,
                                 struct binlog_transaction_start *out)
{
    uint8_t body[300];
    uint8_t rest[256];
    size_t rest_bytes = test_unhex(fields, rest, sizeof rest);
    size_t head = rest_bytes + 3 < 128 ? 3 : 4;
    size_t bytes = head + rest_bytes;

    body[0] = 2;
    if (head == 3) {
        body[1] = (uint8_t)(bytes << 1);
    } else {
        body[1] = (uint8_t)(bytes << 2 | 1);
        body[2] = (uint8_t)(bytes >> 6);
    }
    body[head - 1] = (uint8_t)(must_know << 1);
    memcpy(body + head, rest, rest_bytes);
    return read_gtid(BINLOG_EVENT_GTID_TAGGED, span_of(body, bytes), out);
}

TEST(test_binlog_event__reads_every_form_of_a_tagged_gtid)
{
    static const struct {
        const char *fields;
        unsigned must_know;
        enum err_code want;
        const char *gtid;
    } cases[] = {
        {TAGGED_UUID "040c 06026d", 0, ERR_OK, "m:3"},
        {TAGGED_UUID "040c 06025f", 11, ERR_OK, "_:3"},
        /* Upper case, 32 characters, none at all. */
        {TAGGED_UUID "040c 06045441", 0, ERR_OK, "ta:3"},
        {TAGGED_UUID "040c 0640 6161616161616161616161616161616161616161616161616161616161616161",
         0, ERR_OK, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:3"},
        {TAGGED_UUID "040c 0600", 0, ERR_OK, "3"},
        /* The largest number, of which only 9 bytes can tell. */
        {TAGGED_UUID "04ff fcffffffffffffff 06026d", 0, ERR_OK, "m:9223372036854775806"},
        {TAGGED_UUID "047f 00000000000080 06026d", 0, ERR_OK, "m:18014398509481984"},
        {TAGGED_UUID "04ff feffffffffffffff 06026d", 0, ERR_CORRUPT, NULL},
        {TAGGED_UUID "0400 06026d", 0, ERR_CORRUPT, NULL},
        {TAGGED_UUID "0402 06026d", 0, ERR_CORRUPT, NULL}, /* -1 */
        /* Every field, each number as long as can be: 133 bytes and more. */
        {"00ff0100000000000000" TAGGED_UUID
         "040c 06026d 08ff0000000000000000 0aff0400000000000000 0cff0400000000000000 "
         "0eff0400000000000000 10ff2801000000000000 12ff0400000000000000 14ff0400000000000000 "
         "16ff0400000000000000",
         11, ERR_OK, "m:3"},
        /* A field of a later version: behind the ones that are known, and not one to know. */
        {TAGGED_UUID "040c 06026d 18ffffff", 11, ERR_OK, "m:3"},
        {TAGGED_UUID "040c 06026d 18ffffff", 12, ERR_UNSUPPORTED, NULL},
        {"18ffffff", 12, ERR_UNSUPPORTED, NULL},
        {"18ffffff", 0, ERR_CORRUPT, NULL},
        /* No uuid, no number, no tag. */
        {"040c 06026d", 0, ERR_CORRUPT, NULL},
        {TAGGED_UUID "06026d", 0, ERR_CORRUPT, NULL},
        {TAGGED_UUID "040c", 0, ERR_CORRUPT, NULL},
        /* Twice, and backwards. */
        {TAGGED_UUID "040c 040c 06026d", 0, ERR_CORRUPT, NULL},
        {TAGGED_UUID "06026d 040c", 0, ERR_CORRUPT, NULL},
        /* A byte of 256; tags with a dash, a NUL, a digit in front, of 33 characters, too long. */
        {"02 0104 ee25020804650222c503c502e1029cc10311035502dead03 040c 06026d", 0, ERR_CORRUPT,
         NULL},
        {TAGGED_UUID "040c 06022d", 0, ERR_CORRUPT, NULL},
        {TAGGED_UUID "040c 06046100", 0, ERR_CORRUPT, NULL},
        {TAGGED_UUID "040c 06023161", 0, ERR_CORRUPT, NULL},
        {TAGGED_UUID "040c 0642 616161616161616161616161616161616161616161616161616161616161616161",
         0, ERR_CORRUPT, NULL},
        {TAGGED_UUID "040c 06ffffffffffffffffff", 0, ERR_CORRUPT, NULL},
        {"", 0, ERR_CORRUPT, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct binlog_transaction_start t;
        char text[128];
        enum err_code rc = read_tagged(cases[i].fields, cases[i].must_know, &t);

        if (rc != cases[i].want) {
            fail_msg("case %zu: %s", i, err_code_name(rc));
        }
        if (rc == ERR_OK) {
            gtid_print(&t.gtid, text, sizeof text);
            assert_string_equal(text + 37, cases[i].gtid);
        }
    }
}

TEST(test_binlog_event__stops_at_later_formats_of_tagged_gtids)
{
    uint8_t bytes[64];
    struct binlog_transaction_start t;

    assert_int_equal(
        read_gtid(BINLOG_EVENT_GTID_TAGGED, unhex("04 06 00", bytes, sizeof bytes), &t),
        ERR_UNSUPPORTED);
}

TEST(test_binlog_event__anonymous_transactions_have_no_gtid)
{
    uint8_t bytes[64];
    struct binlog_transaction_start t;
    struct span body =
        unhex("01 00000000000000000000000000000000 0000000000000000", bytes, sizeof bytes);

    assert_int_equal(read_gtid(BINLOG_EVENT_ANONYMOUS_GTID, body, &t), ERR_OK);
    assert_false(t.gtid.present);
    assert_int_equal(read_gtid(BINLOG_EVENT_GTID, body, &t), ERR_CORRUPT);
    memset(bytes + 17, 0xff, 8);
    assert_int_equal(read_gtid(BINLOG_EVENT_GTID, body, &t), ERR_CORRUPT);
}

/* The first is MariaDB 10.5's own; XA and commit id parts are independent of each other. */
TEST(test_binlog_event__reads_mariadb_gtids)
{
    static const struct {
        const char *body;
        size_t needed;
        bool standalone;
        const char *xid; /* NULL: none */
        bool prepared;
    } cases[] = {
        {"0100000000000000 00000000 0c 000000000000", 13, false, NULL, false},
        {"0100000000000000 00000000 29 000000000000", 13, true, NULL, false},
        {"0100000000000000 00000000 02 0500000000000000", 21, false, NULL, false},
        {"0100000000000000 00000000 40 01000000 01 00 78", 20, false, "X'78',X'',1", true},
        {"0100000000000000 00000000 82 0500000000000000 07000000 01 01 78 79", 29, false,
         "X'78',X'79',7", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[64];
        struct binlog_transaction_start t;
        char text[64];
        struct span body = unhex(cases[i].body, bytes, sizeof bytes);

        assert_int_equal(read_gtid(BINLOG_EVENT_MARIADB_GTID, body, &t), ERR_OK);
        gtid_print(&t.gtid, text, sizeof text);
        assert_string_equal(text, "0-12-1");
        assert_int_equal(t.standalone, cases[i].standalone);
        assert_int_equal(t.xa_prepared, cases[i].prepared);
        assert_int_equal(t.xa_completed, cases[i].xid != NULL && !cases[i].prepared);
        if (cases[i].xid != NULL) {
            char xid[XID_TEXT_BYTES];

            xid_print(&t.xid, xid);
            assert_string_equal(xid, cases[i].xid);
        }
        for (size_t len = 0; len < cases[i].needed; len++) {
            assert_int_equal(read_gtid(BINLOG_EVENT_MARIADB_GTID, span_of(bytes, len), &t),
                             ERR_CORRUPT);
        }
    }
}

/* From 10.6 on; what else the extra flags have comes in their order. */
TEST(test_binlog_event__reads_the_phase_of_an_alter)
{
    static const struct {
        const char *body;
        size_t needed; /* all before is cut short, but for the part without extra flags */
        enum binlog_alter_phase phase;
    } cases[] = {
        {"0100000000000000 00000000 0c 000000000000", 13, BINLOG_ALTER_WHOLE},
        {"0100000000000000 00000000 0c", 13, BINLOG_ALTER_WHOLE},
        {"0100000000000000 00000000 29 02 0000000000", 14, BINLOG_ALTER_START},
        {"0100000000000000 00000000 29 04 0900000000000000", 22, BINLOG_ALTER_COMMIT},
        {"0100000000000000 00000000 29 08 0900000000000000", 22, BINLOG_ALTER_ROLLBACK},
        {"0100000000000000 00000000 2b 0500000000000000 14 0900000000000000 11000000", 30,
         BINLOG_ALTER_COMMIT},
        {"0100000000000000 00000000 29 03 02", 15, BINLOG_ALTER_START},
        {"0100000000000000 00000000 29 05 02 0900000000000000", 23, BINLOG_ALTER_COMMIT},
        {"0100000000000000 00000000 29 10 11000000", 14, BINLOG_ALTER_WHOLE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[64];
        struct binlog_transaction_start t;
        struct span body = unhex(cases[i].body, bytes, sizeof bytes);
        size_t plain = (bytes[12] & 2) != 0 ? 21 : 13;

        assert_int_equal(read_gtid(BINLOG_EVENT_MARIADB_GTID, body, &t), ERR_OK);
        if (t.phase != cases[i].phase) {
            fail_msg("case %zu: phase %d", i, (int)t.phase);
        }
        for (size_t len = 0; len < cases[i].needed; len++) {
            enum err_code want = len == plain ? ERR_OK : ERR_CORRUPT;

            if (read_gtid(BINLOG_EVENT_MARIADB_GTID, span_of(bytes, len), &t) != want) {
                fail_msg("case %zu cut at %zu", i, len);
            }
        }
    }
}

TEST(test_binlog_event__reads_incidents)
{
    uint8_t bytes[16];
    uint16_t type;
    struct span message;
    struct err e = {0};
    struct span body = unhex("0100 04 6c6f7374", bytes, sizeof bytes);

    assert_ok(binlog_event_incident(body, &type, &message, &e), &e);
    assert_u64_eq(type, 1);
    assert_text_eq(message, "lost");
    assert_ok(binlog_event_incident(span_of(bytes, 2), &type, &message, &e), &e);
    assert_u64_eq(message.len, 0);
    for (size_t len = 0; len < body.len; len++) {
        if (len != 2) {
            assert_err(binlog_event_incident(span_of(bytes, len), &type, &message, &e), ERR_CORRUPT,
                       &e);
        }
    }
}

TEST(test_binlog_event__names_types)
{
    assert_string_equal(binlog_event_type_name(BINLOG_EVENT_WRITE_ROWS), "WRITE_ROWS");
    assert_string_equal(binlog_event_type_name(38), "XA_PREPARE");
    assert_string_equal(binlog_event_type_name(172), "PARTIAL_ROW_DATA");
    assert_string_equal(binlog_event_type_name(255), "unknown");
}

TEST_MAIN(test_case(test_binlog_event__reads_headers_and_rejects_every_truncation),
          test_case(test_binlog_event__reads_queries_behind_all_status_variables),
          test_case(test_binlog_event__reads_the_collations_of_a_statement),
          test_case(test_binlog_event__reads_the_phase_of_an_alter),
          test_case(test_binlog_event__reads_load_data_logged_as_a_statement),
          test_case(test_binlog_event__rejects_status_variables_that_are_cut),
          test_case(test_binlog_event__reads_mysql_gtids_of_every_age),
          test_case(test_binlog_event__reads_a_tagged_gtid_and_rejects_every_truncation),
          test_case(test_binlog_event__reads_every_form_of_a_tagged_gtid),
          test_case(test_binlog_event__stops_at_later_formats_of_tagged_gtids),
          test_case(test_binlog_event__anonymous_transactions_have_no_gtid),
          test_case(test_binlog_event__reads_mariadb_gtids),
          test_case(test_binlog_event__reads_incidents), test_case(test_binlog_event__names_types))
