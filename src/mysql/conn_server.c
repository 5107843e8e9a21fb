/* What the server says of itself. */
#include <mysqld_error.h>
#include <stdio.h>

#include "mysql/conn_int.h"

/* A variable's value; "" when this server has none of that name. */
static enum err_code read_variable(struct mysql_conn *c, const char *name, char *out,
                                   size_t out_bytes, struct err *e)
{
    char sql[128];
    struct err mine = {0};

    (void)snprintf(sql, sizeof sql, "SELECT @@%s", name);
    enum err_code rc = mysql_query_text(c, sql, out, out_bytes, &mine);

    if (rc == ERR_SOURCE && mine.source_errno == ER_UNKNOWN_SYSTEM_VARIABLE) {
        out[0] = '\0';
        return ERR_OK;
    }
    if (rc != ERR_OK && e != NULL) {
        *e = mine;
    }
    return rc;
}

static enum err_code read_number(struct mysql_conn *c, const char *name, uint64_t *out,
                                 struct err *e)
{
    char text[64];

    *out = 0;
    ERR_TRY(read_variable(c, name, text, sizeof text, e));
    if (text[0] != '\0' && !str_to_u64(span_str(text), out)) {
        return err_set(e, ERR_SOURCE, "the server's %s is '%s', not a number", name, text);
    }
    return ERR_OK;
}

static unsigned version_number(const char *version)
{
    unsigned parts[3] = {0};

    /* What MariaDB 10 puts in front for clients of old. */
    if (str_starts_with(version, "5.5.5-")) {
        version += strlen("5.5.5-");
    }
    for (int i = 0; i < 3; i++) {
        while (*version >= '0' && *version <= '9' && parts[i] < 1000) {
            parts[i] = parts[i] * 10 + (unsigned)(*version++ - '0');
        }
        if (*version != '.') {
            break;
        }
        version++;
    }
    return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

static enum err_code read_version(struct mysql_conn *c, struct err *e)
{
    struct mysql_server *s = &c->server;

    ERR_TRY(mysql_query_text(c, "SELECT VERSION()", s->version, sizeof s->version, e));
    ERR_TRY(read_variable(c, "version_comment", s->version_comment, sizeof s->version_comment, e));
    s->is_mariadb =
        str_glob("*mariadb*", s->version, true) || str_glob("*mariadb*", s->version_comment, true);
    s->version_number = version_number(s->version);
    return ERR_OK;
}

/* The variable has an old and a new name. */
static enum err_code read_logs_applied(struct mysql_conn *c, struct err *e)
{
    char text[16];

    ERR_TRY(read_variable(c, "global.log_replica_updates", text, sizeof text, e));
    if (text[0] == '\0') {
        ERR_TRY(read_variable(c, "global.log_slave_updates", text, sizeof text, e));
    }
    c->server.logs_applied = strcmp(text, "0") != 0;
    return ERR_OK;
}

static enum err_code read_binlog_settings(struct mysql_conn *c, struct err *e)
{
    struct mysql_server *s = &c->server;
    uint64_t number = 0;

    ERR_TRY(read_number(c, "global.log_bin", &number, e));
    s->log_bin = number == 1;
    ERR_TRY(read_logs_applied(c, e));
    ERR_TRY(read_variable(c, "global.binlog_format", s->binlog_format, sizeof s->binlog_format, e));
    ERR_TRY(read_variable(c, "global.binlog_row_image", s->binlog_row_image,
                          sizeof s->binlog_row_image, e));
    ERR_TRY(read_variable(c, "global.binlog_row_metadata", s->binlog_row_metadata,
                          sizeof s->binlog_row_metadata, e));
    return read_variable(c, "global.binlog_checksum", s->binlog_checksum, sizeof s->binlog_checksum,
                         e);
}

enum err_code mysql_conn_read_server(struct mysql_conn *c, struct err *e)
{
    struct mysql_server *s = &c->server;
    uint64_t number = 0;

    ERR_TRY(read_version(c, e));
    ERR_TRY(read_binlog_settings(c, e));
    ERR_TRY(read_number(c, "global.server_id", &s->server_id, e));
    ERR_TRY(read_number(c, "global.max_allowed_packet", &s->max_allowed_packet, e));
    ERR_TRY(read_number(c, "global.lower_case_table_names", &number, e));
    s->lower_case_table_names = (int)number;
    if (s->is_mariadb) {
        ERR_TRY(read_number(c, "global.gtid_domain_id", &number, e));
        s->gtid_enabled = s->log_bin;
        (void)snprintf(s->identity, sizeof s->identity, "mariadb-%llu-%llu",
                       (unsigned long long)s->server_id, (unsigned long long)number);
        return ERR_OK;
    }
    ERR_TRY(read_variable(c, "global.gtid_mode", s->gtid_mode, sizeof s->gtid_mode, e));
    s->gtid_enabled = s->log_bin && str_ieq(s->gtid_mode, "ON");
    ERR_TRY(read_variable(c, "global.server_uuid", s->server_uuid, sizeof s->server_uuid, e));
    (void)snprintf(s->identity, sizeof s->identity, "%s", s->server_uuid);
    return ERR_OK;
}
