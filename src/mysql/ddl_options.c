/* ddl_options.c - table options and partitions. */
#include "base/str.h"
#include "mysql/ddl_int.h"

/* ---- charset ---- */

bool ddl_read_charset_option(struct ddl_parser *p, struct ddl_charset *out)
{
    struct ddl_token after = ddl_peek(p);
    bool collate = ddl_token_is(&after, "COLLATE");

    if (ddl_is(p, "DEFAULT")) {
        if (!collate && !ddl_token_is(&after, "CHARSET") && !ddl_token_is(&after, "CHARACTER") &&
            !ddl_token_is(&after, "CHAR")) {
            return false;
        }
        ddl_next(p);
    }
    if (ddl_accept(p, "COLLATE")) {
        (void)ddl_accept_punct(p, '=');
        const char *charset = ddl_read_collation(p);

        /* A collation of every charset leaves the charset as it is. */
        if (charset != NULL) {
            *out = (struct ddl_charset){true, charset};
        }
        return true;
    }
    if (!ddl_accept_charset_words(p)) {
        return false;
    }
    (void)ddl_accept_punct(p, '=');
    *out = (struct ddl_charset){true, ddl_read_charset_name(p)};
    return true;
}

/* ---- options ---- */

static const char *const valued_options[] = {"AUTOEXTEND_SIZE",
                                             "AUTO_INCREMENT",
                                             "AVG_ROW_LENGTH",
                                             "CHECKSUM",
                                             "TABLE_CHECKSUM",
                                             "COMMENT",
                                             "COMPRESSION",
                                             "CONNECTION",
                                             "DELAY_KEY_WRITE",
                                             "ENCRYPTION",
                                             "ENGINE_ATTRIBUTE",
                                             "INSERT_METHOD",
                                             "KEY_BLOCK_SIZE",
                                             "MAX_ROWS",
                                             "MIN_ROWS",
                                             "PACK_KEYS",
                                             "PAGE_CHECKSUM",
                                             "PASSWORD",
                                             "ROW_FORMAT",
                                             "SECONDARY_ENGINE",
                                             "SECONDARY_ENGINE_ATTRIBUTE",
                                             "SEQUENCE",
                                             "STATS_AUTO_RECALC",
                                             "STATS_PERSISTENT",
                                             "STATS_SAMPLE_PAGES",
                                             "STORAGE",
                                             "TABLESPACE",
                                             "TRANSACTIONAL",
                                             "UNION",
                                             NULL};

static bool equals_follows(const struct ddl_parser *p)
{
    struct ddl_token after = ddl_peek(p);

    return after.kind == DDL_TOKEN_PUNCT && after.text.data[0] == '=';
}

bool ddl_at_table_option(struct ddl_parser *p)
{
    static const char *const others[] = {"ENGINE", "TYPE", "DATA",    "INDEX",   "START", "DEFAULT",
                                         "WITH",   "CHAR", "CHARSET", "COLLATE", NULL};
    struct ddl_token after = ddl_peek(p);

    if (ddl_is(p, "WITH") || ddl_is(p, "WITHOUT")) {
        return ddl_token_is(&after, "SYSTEM");
    }
    if (ddl_is(p, "CHARACTER")) {
        return true;
    }
    return ddl_is_any(p, valued_options) || ddl_is_any(p, others) ||
           (ddl_is_name(p) && equals_follows(p));
}

/* As the server spells it; an unknown one as it is written. */
static const char *engine_shown(const struct ddl_parser *p, const char *name)
{
    static const char *const known[] = {
        "InnoDB",  "MyISAM",  "MEMORY", "CSV",     "ARCHIVE",     "BLACKHOLE", "FEDERATED", "Aria",
        "ROCKSDB", "CONNECT", "SPIDER", "Mroonga", "Columnstore", "S3",        NULL};

    if (str_ieq(name, "HEAP")) {
        return "MEMORY";
    }
    if (str_ieq(name, "MERGE") || str_ieq(name, "MRG_MYISAM")) {
        return p->dialect->mariadb ? "MRG_MyISAM" : "MRG_MYISAM";
    }
    if (str_ieq(name, "NDB") || str_ieq(name, "NDBCLUSTER")) {
        return "ndbcluster";
    }
    for (const char *const *engine = known; *engine != NULL; engine++) {
        if (str_ieq(name, *engine)) {
            return *engine;
        }
    }
    return name;
}

static void read_engine(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)ddl_accept_punct(p, '=');
    if (ddl_accept(p, "DEFAULT")) {
        s->engine = NULL;
    } else if (p->t.kind == DDL_TOKEN_STRING) {
        s->engine = engine_shown(p, (const char *)ddl_read_string(p).data);
    } else {
        s->engine = engine_shown(p, ddl_read_name(p));
    }
}

static void skip_value(struct ddl_parser *p)
{
    (void)ddl_accept_punct(p, '=');
    ddl_skip_value(p);
}

void ddl_read_table_option(struct ddl_parser *p, struct ddl_statement *s)
{
    if (ddl_read_charset_option(p, &s->charset)) {
        return;
    }
    if (ddl_accept(p, "ENGINE") || (p->dialect->mariadb && ddl_accept(p, "TYPE"))) {
        read_engine(p, s);
    } else if (ddl_accept_two(p, "DATA", "DIRECTORY") || ddl_accept_two(p, "INDEX", "DIRECTORY")) {
        skip_value(p);
    } else if (ddl_accept_two(p, "START", "TRANSACTION")) {
        s->has_rows = true; /* MySQL 8.0.21: how CREATE ... SELECT is logged */
    } else if (ddl_accept_two(p, "WITH", "SYSTEM") || ddl_accept_two(p, "WITHOUT", "SYSTEM")) {
        ddl_expect(p, "VERSIONING");
    } else if (ddl_is(p, "SEQUENCE")) {
        ddl_next(p);
        s->sequence = true;
        skip_value(p);
    } else if (ddl_is_any(p, valued_options) || (ddl_is_name(p) && equals_follows(p))) {
        ddl_next(p);
        skip_value(p);
    } else {
        ddl_fail(p, "a table option");
    }
}

/* ---- partitions ---- */

static void read_partition_method(struct ddl_parser *p)
{
    (void)ddl_accept(p, "LINEAR");
    if (ddl_accept(p, "KEY")) {
        if (ddl_accept(p, "ALGORITHM")) {
            (void)ddl_accept_punct(p, '=');
            (void)ddl_read_number(p);
        }
        ddl_skip_parens(p);
    } else if (ddl_accept(p, "HASH")) {
        ddl_skip_parens(p);
    } else if (ddl_accept(p, "RANGE") || ddl_accept(p, "LIST")) {
        (void)ddl_accept(p, "COLUMNS");
        ddl_skip_parens(p);
    } else {
        ddl_expect(p, "SYSTEM_TIME");
    }
}

/* MariaDB: SYSTEM_TIME INTERVAL 1 MONTH STARTS '...' AUTO, SYSTEM_TIME LIMIT 1000. */
static void read_history_limits(struct ddl_parser *p)
{
    for (;;) {
        if (ddl_accept(p, "INTERVAL")) {
            ddl_skip_value(p);
            (void)ddl_read_name(p);
        } else if (ddl_accept(p, "STARTS") || ddl_accept(p, "LIMIT")) {
            ddl_skip_value(p);
        } else if (!ddl_accept(p, "AUTO")) {
            return;
        }
    }
}

static void read_partition_options(struct ddl_parser *p)
{
    static const char *const options[] = {"ENGINE",     "COMMENT",   "MAX_ROWS", "MIN_ROWS",
                                          "TABLESPACE", "NODEGROUP", NULL};

    for (;;) {
        (void)ddl_accept(p, "STORAGE");
        if (ddl_is_any(p, options)) {
            ddl_next(p);
            skip_value(p);
        } else if (ddl_accept_two(p, "DATA", "DIRECTORY") ||
                   ddl_accept_two(p, "INDEX", "DIRECTORY")) {
            skip_value(p);
        } else if (p->dialect->mariadb && ddl_is_name(p) && equals_follows(p)) {
            ddl_next(p);
            skip_value(p);
        } else {
            return;
        }
    }
}

static void read_partition_values(struct ddl_parser *p)
{
    if (ddl_accept(p, "VALUES")) {
        if (ddl_accept_two(p, "LESS", "THAN")) {
            if (!ddl_accept(p, "MAXVALUE")) {
                ddl_skip_parens(p);
            }
        } else {
            ddl_expect(p, "IN");
            ddl_skip_parens(p);
        }
    } else if (p->dialect->mariadb && !ddl_accept(p, "HISTORY") && !ddl_accept(p, "CURRENT")) {
        (void)ddl_accept(p, "DEFAULT");
    }
}

void ddl_read_partition_list(struct ddl_parser *p)
{
    ddl_expect_punct(p, '(');
    do {
        if (!p->dialect->mariadb) {
            ddl_expect(p, "PARTITION");
        } else {
            (void)ddl_accept(p, "PARTITION");
        }
        (void)ddl_read_name(p);
        read_partition_values(p);
        read_partition_options(p);
        if (ddl_is_punct(p, '(')) { /* SUBPARTITION a, ... */
            ddl_skip_parens(p);
        }
    } while (ddl_accept_punct(p, ','));
    ddl_expect_punct(p, ')');
}

void ddl_read_partitioning(struct ddl_parser *p)
{
    ddl_expect(p, "BY");
    read_partition_method(p);
    read_history_limits(p);
    if (ddl_accept(p, "PARTITIONS")) {
        (void)ddl_read_number(p);
    }
    if (ddl_accept_two(p, "SUBPARTITION", "BY")) {
        read_partition_method(p);
        if (ddl_accept(p, "SUBPARTITIONS")) {
            (void)ddl_read_number(p);
        }
    }
    if (ddl_is_punct(p, '(')) {
        struct ddl_token after = ddl_peek(p);

        if (after.kind != DDL_TOKEN_PUNCT && !ddl_token_is(&after, "SELECT") &&
            !ddl_token_is(&after, "WITH") && !ddl_token_is(&after, "VALUES")) {
            ddl_read_partition_list(p); /* else a SELECT in parentheses */
        }
    }
}
