#include "mysql/binlog_type.h"

#include "mysql/binlog_event.h"

#define STATEMENT_FORMAT "set binlog_format=ROW on the source"
#define GROUP            "the source writes events of group replication into its binlog"
#define ANCIENT          "the source is older than MySQL 5.1.16"
#define FOR_STATEMENT    NULL, BINLOG_TYPE_PASSED_OVER /* context of the QUERY event behind it */
#define OUT              NULL, BINLOG_TYPE_HANDED_OUT
#define STOPS            BINLOG_TYPE_STOPS

const struct binlog_type binlog_types[256] = {
    [0] = {"UNKNOWN", NULL, STOPS},
    [1] = {"START_V3", ANCIENT, STOPS},
    [BINLOG_EVENT_QUERY] = {"QUERY", OUT},
    [BINLOG_EVENT_STOP] = {"STOP", OUT},
    [BINLOG_EVENT_ROTATE] = {"ROTATE", OUT},
    [5] = {"INTVAR", FOR_STATEMENT},
    [6] = {"LOAD", STATEMENT_FORMAT, STOPS},
    [7] = {"SLAVE", NULL, STOPS},
    [8] = {"CREATE_FILE", STATEMENT_FORMAT, STOPS},
    [9] = {"APPEND_BLOCK", STATEMENT_FORMAT, STOPS},
    [10] = {"EXEC_LOAD", STATEMENT_FORMAT, STOPS},
    [11] = {"DELETE_FILE", STATEMENT_FORMAT, STOPS},
    [12] = {"NEW_LOAD", STATEMENT_FORMAT, STOPS},
    [13] = {"RAND", FOR_STATEMENT},
    [14] = {"USER_VAR", FOR_STATEMENT},
    [BINLOG_EVENT_FORMAT_DESCRIPTION] = {"FORMAT_DESCRIPTION", OUT},
    [BINLOG_EVENT_XID] = {"XID", OUT},
    [17] = {"BEGIN_LOAD_QUERY", STATEMENT_FORMAT, STOPS},
    [18] = {"EXECUTE_LOAD_QUERY", STATEMENT_FORMAT, STOPS},
    [BINLOG_EVENT_TABLE_MAP] = {"TABLE_MAP", OUT},
    [20] = {"PRE_GA_WRITE_ROWS", ANCIENT, STOPS},
    [21] = {"PRE_GA_UPDATE_ROWS", ANCIENT, STOPS},
    [22] = {"PRE_GA_DELETE_ROWS", ANCIENT, STOPS},
    [BINLOG_EVENT_WRITE_ROWS_V1] = {"WRITE_ROWS_V1", OUT},
    [BINLOG_EVENT_UPDATE_ROWS_V1] = {"UPDATE_ROWS_V1", OUT},
    [BINLOG_EVENT_DELETE_ROWS_V1] = {"DELETE_ROWS_V1", OUT},
    [BINLOG_EVENT_INCIDENT] = {"INCIDENT", OUT},
    [BINLOG_EVENT_HEARTBEAT] = {"HEARTBEAT", OUT},
    [28] = {"IGNORABLE", NULL, BINLOG_TYPE_PASSED_OVER},
    [BINLOG_EVENT_ROWS_QUERY] = {"ROWS_QUERY", OUT},
    [BINLOG_EVENT_WRITE_ROWS] = {"WRITE_ROWS", OUT},
    [BINLOG_EVENT_UPDATE_ROWS] = {"UPDATE_ROWS", OUT},
    [BINLOG_EVENT_DELETE_ROWS] = {"DELETE_ROWS", OUT},
    [BINLOG_EVENT_GTID] = {"GTID", OUT},
    [BINLOG_EVENT_ANONYMOUS_GTID] = {"ANONYMOUS_GTID", OUT},
    [BINLOG_EVENT_PREVIOUS_GTIDS] = {"PREVIOUS_GTIDS", OUT},
    [36] = {"TRANSACTION_CONTEXT", GROUP, STOPS},
    [37] = {"VIEW_CHANGE", GROUP, STOPS},
    [38] = {"XA_PREPARE", "the source uses XA transactions, which cannot be replicated yet", STOPS},
    [39] = {"PARTIAL_UPDATE_ROWS", "set binlog_row_value_options='' on the source", STOPS},
    [BINLOG_EVENT_TRANSACTION_PAYLOAD] = {"TRANSACTION_PAYLOAD", OUT},
    [BINLOG_EVENT_HEARTBEAT_V2] = {"HEARTBEAT_V2", OUT},
    [BINLOG_EVENT_GTID_TAGGED] = {"GTID_TAGGED", OUT},
    [43] = {"LARGE_TRANSACTION_HEADER", NULL, STOPS},
    [BINLOG_EVENT_MARIADB_ANNOTATE_ROWS] = {"ANNOTATE_ROWS", OUT},
    [BINLOG_EVENT_MARIADB_BINLOG_CHECKPOINT] = {"BINLOG_CHECKPOINT", OUT},
    [BINLOG_EVENT_MARIADB_GTID] = {"GTID (MariaDB)", OUT},
    [BINLOG_EVENT_MARIADB_GTID_LIST] = {"GTID_LIST", OUT},
    [164] = {"START_ENCRYPTION", "the file is encrypted: read it from its server", STOPS},
    [BINLOG_EVENT_MARIADB_QUERY_COMPRESSED] = {"QUERY_COMPRESSED", OUT},
    [166] = {"WRITE_ROWS_COMPRESSED_V1", OUT},
    [167] = {"UPDATE_ROWS_COMPRESSED_V1", OUT},
    [168] = {"DELETE_ROWS_COMPRESSED_V1", OUT},
    [169] = {"WRITE_ROWS_COMPRESSED", OUT},
    [170] = {"UPDATE_ROWS_COMPRESSED", OUT},
    [BINLOG_EVENT_MARIADB_DELETE_ROWS_COMPRESSED] = {"DELETE_ROWS_COMPRESSED", OUT},
    [172] = {"PARTIAL_ROW_DATA", "raise binlog_row_event_fragment_threshold on the source", STOPS},
};

const char *binlog_event_type_name(uint8_t type)
{
    const char *name = binlog_types[type].name;

    return name == NULL ? "unknown" : name;
}
