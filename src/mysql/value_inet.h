/*
 * value_inet.h - MariaDB's UUID, INET4 and INET6 to the text that the server prints.
 *
 * Spec: mariadb-server plugin/type_uuid, plugin/type_inet. Thread: any.
 */
#ifndef CALVE_MYSQL_VALUE_INET_H
#define CALVE_MYSQL_VALUE_INET_H

#include <stddef.h>
#include <stdint.h>

#define VALUE_UUID_BYTES  16u
#define VALUE_INET4_BYTES 4u
#define VALUE_INET6_BYTES 16u

#define VALUE_UUID_TEXT_BYTES  36u
#define VALUE_INET4_TEXT_BYTES 15u
#define VALUE_INET6_TEXT_BYTES 45u

/* Each writes at most the bytes named above, no NUL, and returns how many. */
size_t value_put_uuid(const uint8_t *p, char *out);
size_t value_put_inet4(const uint8_t *p, char *out);
size_t value_put_inet6(const uint8_t *p, char *out);

#endif
