#include "mysql/binlog_dump_error.h"

#include "mysql/binlog_stream_int.h"
#include "test.h"

#define FATAL 1236u

static const struct {
    unsigned number;
    const char *text; /* the server's */
    enum err_code code;
    bool retryable;
    const char *part; /* of our message */
} cases[] = {
    {FATAL, "Could not find first log file name in binary log index file", ERR_SOURCE, false,
     "copied anew"},
    /* MySQL 8 and 9 */
    {FATAL,
     "Cannot replicate because the source purged required binary logs. Replicate the missing "
     "transactions from elsewhere, or provision a new replica from backup. Consider increasing the "
     "source's binary log expiration period. The GTID set sent by the replica is '', and the "
     "missing transactions are '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3'",
     ERR_SOURCE, false, "copied anew"},
    /* 5.7 */
    {FATAL,
     "The slave is connecting using CHANGE MASTER TO MASTER_AUTO_POSITION = 1, but the master has "
     "purged binary logs containing GTIDs that the slave requires.",
     ERR_SOURCE, false, "copied anew"},
    {FATAL,
     "Could not find GTID state requested by slave in any binlog files. Probably the slave state "
     "is too old and required binlog files have been purged.",
     ERR_SOURCE, false, "copied anew"},
    {FATAL,
     "Replica has more GTIDs than the source has, using the source's SERVER_UUID. This may "
     "indicate that the the last binary log file was truncated or lost, e.g., after a power "
     "failure when sync_binlog != 1.",
     ERR_SOURCE, false, "which side is right"},
    {FATAL,
     "Slave has more GTIDs than the master has, using the master's SERVER_UUID. This may indicate "
     "that the end of the binary log was truncated or that the last binary log file was lost",
     ERR_SOURCE, false, "which side is right"},
    {FATAL, "Client requested source to start replication from position > file size", ERR_SOURCE,
     false, "shorter than"},
    {FATAL, "Client requested master to start replication from position > file size", ERR_SOURCE,
     false, "shorter than"},
    {FATAL, "Client requested master to start replication from impossible position", ERR_SOURCE,
     false, "shorter than"},
    {FATAL, "Client requested source to start replication from position < 4", ERR_SOURCE, false,
     "first event is at 4"},
    {FATAL,
     "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on source; the "
     "first event 'binlog.000001' at 4, the last event read from './binlog.000001' at 126",
     ERR_SOURCE, false, "raise max_allowed_packet"},
    {FATAL, "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master",
     ERR_SOURCE, false, "raise max_allowed_packet"},
    {FATAL, "bogus data in log event; the first event 'binlog.000001' at 4", ERR_CORRUPT, true,
     "damaged"},
    {FATAL, "binlog truncated in the middle of event; consider out of disk space on master",
     ERR_CORRUPT, true, "damaged"},
    {FATAL, "binlog truncated in the middle of event; consider out of disk space", ERR_CORRUPT,
     true, "damaged"},
    {FATAL, "event read from binlog did not pass crc check", ERR_CORRUPT, true, "damaged"},
    {FATAL, "unknown error reading log event on the master", ERR_CORRUPT, true, "damaged"},
    {FATAL, "I/O error reading log event", ERR_CORRUPT, true, "damaged"},
    {FATAL, "Could not find format_description_event in binlog file", ERR_CORRUPT, true, "damaged"},
    {FATAL, "memory allocation failed reading log event", ERR_SOURCE, true, "no memory"},
    {FATAL, "Failed to open the crashed binlog file when source server is recovering it.",
     ERR_SOURCE, true, "is starting"},
    {FATAL,
     "Slave can not handle replication events with the checksum that master is configured to log; "
     "the first event 'binlog.000001' at 4",
     ERR_SOURCE, false, "proxy"},
    {FATAL,
     "Replica can not handle replication events with the checksum that source is configured to log",
     ERR_SOURCE, false, "proxy"},
    {FATAL,
     "The replication sender thread cannot start in AUTO_POSITION mode: this server has GTID_MODE "
     "= ON_PERMISSIVE instead of ON.",
     ERR_CONFLICT, true, "gtid_mode"},
    {FATAL,
     "Cannot replicate anonymous transaction when AUTO_POSITION = 1, at file ./binlog.000002, "
     "position 197.",
     ERR_CONFLICT, true, "without GTIDs"},
    {FATAL,
     "Cannot replicate anonymous transaction when @@GLOBAL.GTID_MODE = ON, at file "
     "./binlog.000002, position 197.",
     ERR_SOURCE, false, "ON_PERMISSIVE"},
    {FATAL,
     "Cannot replicate GTID-transaction when @@GLOBAL.GTID_MODE = OFF, at file ./binlog.000002, "
     "position 197.",
     ERR_SOURCE, false, "OFF_PERMISSIVE"},
    {FATAL, "Binary log is not open", ERR_SOURCE, false, "--log-bin"},
    {FATAL, "Misconfigured source - server_id was not set", ERR_SOURCE, false, "set server_id"},
    {FATAL, "Misconfigured master - server_id was not set", ERR_SOURCE, false, "set server_id"},
    {FATAL, "Misconfigured master - server id was not set", ERR_SOURCE, false, "set server_id"},
    {FATAL,
     "A replica with the same server_uuid/server_id as this replica has connected to the source; "
     "the first event '' at 4",
     ERR_FENCED, false, "mysql.server-id"},
    {FATAL, "A slave with the same server_uuid/server_id as this slave has connected to the master",
     ERR_FENCED, false, "mysql.server-id"},
    {FATAL, "A slave with the same server_uuid as this slave has connected to the master",
     ERR_FENCED, false, "mysql.server-id"},
    {FATAL, "A slave with the same server_id as this slave has connected to the master", ERR_FENCED,
     false, "mysql.server-id"},
    {FATAL, "A slave with the same server_id is already connected", ERR_FENCED, false,
     "mysql.server-id"},
    {FATAL, "could not find next log; the first event 'binlog.000001' at 4", ERR_SOURCE, false,
     "removed by hand"},
    {1945,
     "Connecting slave requested to start from GTID 0-1-9, which is not in the master's "
     "binlog",
     ERR_SOURCE, false, "never had"},
    {1955,
     "Connecting slave requested to start from GTID 0-1-9, which is not in the master's binlog. "
     "Since the master's binlog contains GTIDs with higher sequence numbers, it probably means "
     "that the slave has diverged due to executing extra erroneous transactions",
     ERR_SOURCE, false, "never had"},
    {1951,
     "The binlog on the master is missing the GTID 0-1-9 requested by the slave (even though a "
     "subsequent sequence number does exist), and GTID strict mode is enabled",
     ERR_SOURCE, false, "gtid_strict_mode"},
    {4246, "whatever MariaDB 12.3 says", ERR_SOURCE, false, "inside InnoDB"},
    {4248, "whatever MariaDB 12.3 says", ERR_SOURCE, false, "inside InnoDB"},
};

TEST(test_binlog_dump_error__says_what_each_text_means)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};
        enum err_code rc = binlog_dump_explain(cases[i].number, cases[i].text, true, &e);

        if (rc != cases[i].code || e.code != rc || e.retryable != cases[i].retryable ||
            strstr(e.msg, cases[i].part) == NULL) {
            fail_msg("'%s': %s%s: %s", cases[i].text, err_code_name(rc),
                     e.retryable ? ", tried again" : "", e.msg);
        }
        assert_u64_eq(e.source_errno, cases[i].number);
        assert_int_equal(binlog_dump_explain(cases[i].number, cases[i].text, true, NULL), rc);
    }
}

TEST(test_binlog_dump_error__leaves_other_errors_to_others)
{
    struct err e = {0};

    assert_int_equal(binlog_dump_explain(1317, "Query execution was interrupted", false, &e),
                     ERR_OK);
    assert_int_equal(e.code, ERR_OK);
    /* The numbers of MariaDB mean something else on MySQL. */
    assert_int_equal(binlog_dump_explain(4246, "something else", false, &e), ERR_OK);
    assert_false(binlog_dump_wants_gtids(4246, false));
    assert_false(binlog_dump_wants_gtids(4245, true));
    assert_true(binlog_dump_wants_gtids(4247, true));
}

/* An event of 23 bytes, alone or behind the two bytes of a semi-synchronous source. */
TEST(test_binlog_dump__takes_semi_synchronous_marks_off)
{
    uint8_t packet[2 + 23] = {0xef, 1};

    packet[2 + 9] = 23;
    struct span event = binlog_packet_event(span_of(packet, sizeof packet));

    assert_ptr_equal(event.data, packet + 2);
    assert_u64_eq(event.len, 23);
    packet[1] = 0;
    assert_u64_eq(binlog_packet_event(span_of(packet, sizeof packet)).len, 23);
    /* An event whose time begins with the same bytes. */
    packet[2 + 9] = 0;
    packet[9] = sizeof packet;
    assert_u64_eq(binlog_packet_event(span_of(packet, sizeof packet)).len, sizeof packet);
    packet[1] = 2;
    packet[2 + 9] = 23;
    assert_u64_eq(binlog_packet_event(span_of(packet, sizeof packet)).len, sizeof packet);
    packet[1] = 1;
    for (size_t len = 0; len < sizeof packet; len++) {
        assert_u64_eq(binlog_packet_event(span_of(packet, len)).len, len);
    }
}

TEST_MAIN(test_case(test_binlog_dump__takes_semi_synchronous_marks_off),
          test_case(test_binlog_dump_error__says_what_each_text_means),
          test_case(test_binlog_dump_error__leaves_other_errors_to_others))
