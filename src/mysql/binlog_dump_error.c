#include "mysql/binlog_dump_error.h"

#include <string.h>

enum {
    /* MariaDB 12.3: its binlog is inside InnoDB, where only GTIDs name a place. */
    ENGINE_BINLOG_FIRST = 4246,
    ENGINE_BINLOG_LAST = 4248,
};

struct dump_error {
    const char *part; /* of the server's text */
    enum err_code code;
    bool retryable;
    const char *advice;
};

#define DAMAGED "the source's binlog is damaged there, or the position is not the start of an event"
#define COPY_AGAIN                                                            \
    "the tables must be copied anew; let the source keep its binlogs longer " \
    "(binlog_expire_logs_seconds)"
#define SHORTER                                                                                  \
    "the source's binlog is shorter than what was read of it: it was reset, or it lost its end " \
    "in a crash"

/* The first that fits counts. */
static const struct dump_error dump_errors[] = {
    {"same server_", ERR_FENCED, false,
     "another replica with this server id follows the source: stop it, or give this one another "
     "mysql.server-id"},
    {"first log file", ERR_SOURCE, false, COPY_AGAIN},
    {"purged", ERR_SOURCE, false, COPY_AGAIN},
    {"GTID state requested", ERR_SOURCE, false, COPY_AGAIN},
    {"ould not find next log", ERR_SOURCE, false,
     "the source's next binlog file is missing: its binlogs were reset, or a file was removed by "
     "hand; copy the tables anew"},
    {"which is not in the master's binlog", ERR_SOURCE, false,
     "this source never had these transactions: it was reset, or it is another server"},
    {"is missing the GTID", ERR_SOURCE, false,
     "the source never had this transaction, though it has later ones (gtid_strict_mode): it lost "
     "it in a failover, or it is another server"},
    {"more GTIDs than", ERR_SOURCE, false,
     "transactions were read that this source does not have; a failover lost them, or it is "
     "another server: decide by hand which side is right"},
    {"position > file size", ERR_SOURCE, false, SHORTER},
    {"impossible position", ERR_SOURCE, false, SHORTER},
    {"position < 4", ERR_SOURCE, false, "the position is none: a file's first event is at 4"},
    {"max_allowed_packet", ERR_SOURCE, false,
     "raise max_allowed_packet on the source; or the position is not the start of an event"},
    {"when source server is recovering it", ERR_SOURCE, true, "the source is starting"},
    {"memory allocation failed", ERR_SOURCE, true, "the source has no memory left"},
    {"with the checksum that", ERR_SOURCE, false,
     "the session's @source_binlog_checksum was lost on its way: is there a proxy between? Connect "
     "to the server itself"},
    {"bogus data in log event", ERR_CORRUPT, true, DAMAGED},
    {"did not pass crc check", ERR_CORRUPT, true, DAMAGED},
    {"binlog truncated", ERR_CORRUPT, true, DAMAGED},
    {"I/O error reading", ERR_CORRUPT, true, DAMAGED},
    {"reading log event", ERR_CORRUPT, true, DAMAGED},
    {"log event entry", ERR_CORRUPT, true, DAMAGED},
    {"format_description_event", ERR_CORRUPT, true, "the source's binlog is damaged there"},
    {"AUTO_POSITION", ERR_CONFLICT, true,
     "gtid_mode is not ON any more, or the log has transactions without GTIDs"},
    {"anonymous transaction when", ERR_SOURCE, false,
     "the log has transactions without GTIDs, from before gtid_mode was ON; a source sends them "
     "only while it is ON_PERMISSIVE or lower: set it back until calve is past them"},
    {"transaction when @@GLOBAL.GTID_MODE = OFF", ERR_SOURCE, false,
     "the log has transactions with GTIDs, from before gtid_mode was OFF; a source sends them only "
     "while it is OFF_PERMISSIVE or higher: set it back until calve is past them"},
    {"server_id was not set", ERR_SOURCE, false, "set server_id on the source"},
    {"server id was not set", ERR_SOURCE, false, "set server_id on the source"},
    {"inary log is not open", ERR_SOURCE, false, "start the source with --log-bin"},
};

static const struct dump_error engine_binlog = {
    "", ERR_SOURCE, false,
    "its binlog is inside InnoDB (binlog_storage_engine), where only GTIDs name a place, and "
    "no GTID set is known: copy the tables anew"};

static const struct dump_error *find(unsigned number, const char *text, bool is_mariadb)
{
    if (binlog_dump_wants_gtids(number, is_mariadb)) {
        return &engine_binlog;
    }
    for (size_t i = 0; i < sizeof dump_errors / sizeof dump_errors[0]; i++) {
        if (strstr(text, dump_errors[i].part) != NULL) {
            return &dump_errors[i];
        }
    }
    return NULL;
}

enum err_code binlog_dump_explain(unsigned number, const char *text, bool is_mariadb, struct err *e)
{
    const struct dump_error *found = find(number, text, is_mariadb);

    if (found == NULL) {
        return ERR_OK;
    }
    /* The advice first: some servers' texts are longer than a message may be. */
    (void)err_set(e, found->code, "the source ended the binlog dump: %s; it said: %s (error %u)",
                  found->advice, text, number);
    if (e != NULL) {
        e->source_errno = number;
        e->retryable = found->retryable;
    }
    return found->code;
}

bool binlog_dump_wants_gtids(unsigned number, bool is_mariadb)
{
    return is_mariadb && number >= ENGINE_BINLOG_FIRST && number <= ENGINE_BINLOG_LAST;
}
