/*
 * binlog_type.h - what a stream does with each type of event.
 *
 * Thread: any.
 */
#ifndef CALVE_MYSQL_BINLOG_TYPE_H
#define CALVE_MYSQL_BINLOG_TYPE_H

#include <stdint.h>

enum binlog_type_use {
    BINLOG_TYPE_STOPS,       /* unless it is flagged ignorable */
    BINLOG_TYPE_PASSED_OVER, /* says nothing by itself */
    BINLOG_TYPE_HANDED_OUT,
};

struct binlog_type {
    const char *name;   /* NULL for a number nobody has used */
    const char *advice; /* what to do about an event that stops the stream, or NULL */
    enum binlog_type_use use;
};

extern const struct binlog_type binlog_types[256];

#endif
