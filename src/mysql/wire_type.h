/*
 * wire_type.h - column types as binlog events number them.
 *
 * Spec: mysql-server include/field_types.h; MariaDB include/mysql_com.h for 140 and 141.
 * Thread: any.
 */
#ifndef CALVE_MYSQL_WIRE_TYPE_H
#define CALVE_MYSQL_WIRE_TYPE_H

enum wire_type {
    WIRE_DECIMAL = 0,
    WIRE_TINY = 1,
    WIRE_SHORT = 2,
    WIRE_LONG = 3,
    WIRE_FLOAT = 4,
    WIRE_DOUBLE = 5,
    WIRE_NULL = 6,
    WIRE_TIMESTAMP = 7,
    WIRE_LONGLONG = 8,
    WIRE_INT24 = 9,
    WIRE_DATE = 10,
    WIRE_TIME = 11,
    WIRE_DATETIME = 12,
    WIRE_YEAR = 13,
    WIRE_NEWDATE = 14,
    WIRE_VARCHAR = 15,
    WIRE_BIT = 16,
    WIRE_TIMESTAMP2 = 17,
    WIRE_DATETIME2 = 18,
    WIRE_TIME2 = 19,
    WIRE_BLOB_COMPRESSED = 140,
    WIRE_VARCHAR_COMPRESSED = 141,
    WIRE_VECTOR = 242,
    WIRE_JSON = 245,
    WIRE_NEWDECIMAL = 246,
    WIRE_ENUM = 247,
    WIRE_SET = 248,
    WIRE_BLOB = 252,
    WIRE_VAR_STRING = 253,
    WIRE_STRING = 254,
    WIRE_GEOMETRY = 255,
};

#endif
