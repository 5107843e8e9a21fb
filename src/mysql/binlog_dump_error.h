/*
 * binlog_dump_error.h - why a server ended a dump: its texts, what they mean, what to do.
 *
 * Servers send nearly all of them as error 1236, so the text tells them apart. Texts are those of
 * MySQL 5.7 to 9 ("master" and "slave", later "source" and "replica") and of MariaDB.
 *
 * Thread: any.
 */
#ifndef CALVE_MYSQL_BINLOG_DUMP_ERROR_H
#define CALVE_MYSQL_BINLOG_DUMP_ERROR_H

#include "base/err.h"

/*
 * Fills e and returns its code; ERR_OK, and e stays as it is, for an error that is not of dumps.
 *
 * ERR_FENCED   another client with our id
 * ERR_SOURCE   the source's settings, or what it does not have: final; or a server that is not
 *              ready yet: retryable
 * ERR_CORRUPT  its log cannot be read there: retryable, but not twice at one place
 * ERR_CONFLICT the dump was asked for by GTID and has to be by file and position: retryable
 */
enum err_code binlog_dump_explain(unsigned number, const char *text, bool is_mariadb,
                                  struct err *e);

/* Whether it says that files and positions are nothing that this server knows (MariaDB 12.3). */
bool binlog_dump_wants_gtids(unsigned number, bool is_mariadb);

#endif
