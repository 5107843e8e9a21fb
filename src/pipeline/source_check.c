#include "pipeline/source_check.h"

#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "mysql/binlog_stream.h"
#include "mysql/snapshot.h"

#define NAMES_SHOWN 300u /* characters of transactions named in a message */
#define SEEN_MAX    65536u

#define COPY_AGAIN "Drop the Iceberg tables and copy them again"

void source_state_deinit(struct source_state *s)
{
    gtid_set_free(s->executed);
    gtid_set_free(s->purged);
    free(s->seen);
    *s = (struct source_state){.seen_count = 0};
}

/* ---- what a server says ---- */

static enum err_code take_text(void *ctx, const struct mysql_row *row, struct err *e)
{
    (void)e;
    for (unsigned i = 0; i < row->column_count; i++) {
        buf_append_str(ctx, i == 0 ? "" : ",");
        buf_append_span(ctx, row->columns[i]);
    }
    return ERR_OK;
}

static enum err_code read_set(struct mysql_conn *c, const char *sql, enum gtid_flavor flavor,
                              struct gtid_set **out, struct err *e)
{
    struct buf text = {0};
    enum err_code rc = mysql_query_rows(c, sql, take_text, &text, e);

    if (rc == ERR_OK) {
        const char *set = buf_cstr(&text);

        rc = set == NULL ? buf_check(&text, e, "GTID set") : gtid_set_parse(set, flavor, out, e);
    }
    buf_deinit(&text);
    return rc;
}

/* "0-1-100": false when it is none. */
static bool parse_mariadb_gtid(struct span text, struct gtid *out)
{
    uint64_t numbers[3];

    for (int i = 0; i < 3; i++) {
        const uint8_t *dash = text.len == 0 ? NULL : memchr(text.data, '-', text.len);
        size_t len = i == 2 || dash == NULL ? text.len : (size_t)(dash - text.data);

        if ((i < 2 && dash == NULL) || !str_to_u64(span_of(text.data, len), &numbers[i])) {
            return false;
        }
        text = i == 2 ? span_of(NULL, 0) : span_of(text.data + len + 1, text.len - len - 1);
    }
    *out = (struct gtid){.present = true,
                         .flavor = GTID_FLAVOR_MARIADB,
                         .domain = (uint32_t)numbers[0],
                         .server_id = (uint32_t)numbers[1],
                         .number = numbers[2]};
    return numbers[0] <= UINT32_MAX && numbers[1] <= UINT32_MAX;
}

/* Every transaction id of a list "0-1-100,0-2-7". */
static enum err_code parse_list(const char *text, struct gtid **out, uint32_t *count, struct err *e)
{
    uint32_t most = 1;

    for (const char *p = text; *p != '\0'; p++) {
        most += *p == ',' ? 1 : 0;
    }
    if (most > SEEN_MAX) {
        return err_set(e, ERR_LIMIT, "a GTID list of more than %u servers", SEEN_MAX);
    }
    struct gtid *list = calloc(most, sizeof *list);

    if (list == NULL) {
        return err_nomem(e);
    }
    *count = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, ",");

        if (len > 0 && !parse_mariadb_gtid(span_of(text, len), &list[(*count)++])) {
            free(list);
            return err_set(e, ERR_SOURCE, "the server's GTID list has '%.*s'",
                           (int)(len > 80 ? 80 : len), text);
        }
        text += len + (text[len] == ',' ? 1 : 0);
    }
    *out = list;
    return ERR_OK;
}

/* What is in the binlogs, and for a replica without own transactions where it stands. */
static enum err_code read_seen(struct mysql_conn *c, struct source_state *s, struct err *e)
{
    struct buf text = {0};
    enum err_code rc = mysql_query_rows(
        c, "SELECT @@GLOBAL.gtid_binlog_state, @@GLOBAL.gtid_slave_pos", take_text, &text, e);

    if (rc == ERR_OK) {
        const char *list = buf_cstr(&text);

        rc = list == NULL ? buf_check(&text, e, "GTID list")
                          : parse_list(list, &s->seen, &s->seen_count, e);
    }
    buf_deinit(&text);
    return rc;
}

/* MariaDB: what comes before its oldest file. */
static enum err_code read_before_oldest(struct mysql_conn *c, struct source_state *s, struct err *e)
{
    struct buf sql = {0};

    buf_append_str(&sql, "SELECT BINLOG_GTID_POS(");
    mysql_quote_text(&sql, s->oldest);
    buf_append_str(&sql, ", 4)");
    const char *text = buf_cstr(&sql);
    enum err_code rc = text == NULL ? buf_check(&sql, e, "a query")
                                    : read_set(c, text, GTID_FLAVOR_MARIADB, &s->purged, e);

    buf_deinit(&sql);
    return rc;
}

static enum err_code count_row(void *ctx, const struct mysql_row *row, struct err *e)
{
    (void)row;
    (void)e;
    (*(unsigned *)ctx)++;
    return ERR_OK;
}

/* What such a replica applies comes by no binlog of its own. */
static enum err_code read_replication(struct mysql_conn *c, struct source_state *s, struct err *e)
{
    unsigned channels = 0;
    struct err mine = {0};

    if (mysql_conn_server(c)->logs_applied) {
        return ERR_OK;
    }
    enum err_code rc = mysql_query_rows(c, "SHOW REPLICA STATUS", count_row, &channels, &mine);

    if (rc == ERR_SOURCE && mine.source_errno == ER_PARSE_ERROR) {
        rc = mysql_query_rows(c, "SHOW SLAVE STATUS", count_row, &channels, &mine);
    }
    if (rc != ERR_OK && rc != ERR_SOURCE) {
        return err_set(e, rc, "%s", mine.msg);
    }
    /* An account may lack the privilege to ask: then it is taken for what most servers are. */
    s->applies_unlogged = rc == ERR_OK && channels > 0;
    return ERR_OK;
}

static enum err_code read_gtids(struct mysql_conn *c, struct source_state *s, struct err *e)
{
    if (mysql_conn_server(c)->is_mariadb) {
        ERR_TRY(read_seen(c, s, e));
        return read_before_oldest(c, s, e);
    }
    if (!s->gtid_enabled) {
        return ERR_OK;
    }
    /* In this order: what is purged between the two was executed. */
    ERR_TRY(read_set(c, "SELECT @@GLOBAL.gtid_purged", GTID_FLAVOR_MYSQL, &s->purged, e));
    return read_set(c, "SELECT @@GLOBAL.gtid_executed", GTID_FLAVOR_MYSQL, &s->executed, e);
}

enum err_code source_look(struct mysql_conn *c, struct source_state *out, struct err *e)
{
    const struct mysql_server *server = mysql_conn_server(c);
    struct low_watermark mark = {.gtids = NULL};

    (void)snprintf(out->identity, sizeof out->identity, "%s", server->identity);
    out->gtid_enabled = server->gtid_enabled;
    ERR_TRY(snapshot_earliest_position(c, &mark, e));
    (void)snprintf(out->oldest, sizeof out->oldest, "%s", mark.position.file);
    low_watermark_deinit(&mark);
    ERR_TRY(read_gtids(c, out, e));
    ERR_TRY(read_replication(c, out, e));
    ERR_TRY(snapshot_current_position(c, &mark, e));
    out->end = mark.position;
    low_watermark_deinit(&mark);
    return ERR_OK;
}

/* ---- what that means ---- */

static size_t base_name_bytes(const char *file)
{
    const char *dot = strrchr(file, '.');

    return dot == NULL ? strlen(file) : (size_t)(dot - file);
}

/* With another log_bin the files start anew and their numbers mean nothing to the old ones. */
static bool same_base_name(const char *a, const char *b)
{
    return base_name_bytes(a) == base_name_bytes(b) && memcmp(a, b, base_name_bytes(a)) == 0;
}

bool source_is_same(const struct source_claim *claim, const struct source_state *s)
{
    return claim->position.file[0] != '\0' && strcmp(claim->source, s->identity) == 0 &&
           same_base_name(claim->position.file, s->end.file);
}

bool source_has_file(const struct source_claim *claim, const struct source_state *s)
{
    struct binlog_position oldest = {.offset = 0};

    memcpy(oldest.file, s->oldest, sizeof oldest.file);
    return binlog_position_compare(&claim->position, &oldest) >= 0;
}

struct names {
    char text[NAMES_SHOWN];
};

static enum err_code print_names(const struct gtid_set *set, struct names *out, struct err *e)
{
    struct buf text = {0};

    gtid_set_print(set, &text);
    const char *all = buf_cstr(&text);
    bool cut = all != NULL && strlen(all) >= sizeof out->text;

    if (all != NULL) {
        (void)snprintf(out->text, sizeof out->text, "%.*s%s", (int)(sizeof out->text - 5), all,
                       cut ? "..." : "");
    }
    enum err_code rc = all == NULL ? err_nomem(e) : ERR_OK;

    buf_deinit(&text);
    return rc;
}

static bool has_seen(const struct source_state *s, const struct gtid *g)
{
    for (uint32_t i = 0; i < s->seen_count; i++) {
        const struct gtid *seen = &s->seen[i];

        if (seen->domain == g->domain && seen->server_id == g->server_id &&
            seen->number >= g->number) {
            return true;
        }
    }
    return false;
}

/* Those of a MariaDB set whose very transaction the server has not seen. */
static enum err_code unseen_of(const struct gtid_set *ours, const struct source_state *s,
                               struct gtid_set *out, struct err *e)
{
    struct buf text = {0};
    struct gtid *list = NULL;
    uint32_t count = 0;

    gtid_set_print(ours, &text);
    const char *all = buf_cstr(&text);
    enum err_code rc = all == NULL ? err_nomem(e) : parse_list(all, &list, &count, e);

    for (uint32_t i = 0; i < count && rc == ERR_OK; i++) {
        if (!has_seen(s, &list[i])) {
            rc = gtid_set_add(out, &list[i], e);
        }
    }
    free(list);
    buf_deinit(&text);
    return rc;
}

/* What the lake has of `ours` and the server has not. */
static enum err_code missing_of(const struct gtid_set *ours, const struct source_state *s,
                                struct gtid_set *into, struct err *e)
{
    if (ours == NULL) {
        return ERR_OK;
    }
    if (gtid_set_flavor(ours) == GTID_FLAVOR_MARIADB) {
        return unseen_of(ours, s, into, e);
    }
    struct gtid_set *more = gtid_set_subtract(ours, s->executed);
    enum err_code rc = more == NULL ? err_nomem(e) : gtid_set_union(into, more, e);

    gtid_set_free(more);
    return rc;
}

static enum err_code judge_missing(const struct source_claim *claim, const struct source_state *s,
                                   enum source_verdict *out, struct err *why)
{
    struct gtid_set *missing = gtid_set_new(gtid_set_flavor(claim->gtids));
    struct names names;
    enum err_code rc = missing == NULL ? err_nomem(why) : missing_of(claim->gtids, s, missing, why);

    if (rc == ERR_OK) {
        rc = missing_of(claim->known, s, missing, why);
    }
    if (rc == ERR_OK && !gtid_set_is_empty(missing)) {
        rc = print_names(missing, &names, why);
        if (rc == ERR_OK && strcmp(claim->source, s->identity) == 0) {
            *out = SOURCE_WAS_RESET;
            (void)err_set(
                why, ERR_SOURCE,
                "the lake holds transactions that the source does not have any more "
                "(%s): it was restored from an older backup, its binlogs were reset, or "
                "it lost its end in a crash. Following on would mix two histories. " COPY_AGAIN,
                names.text);
        } else if (rc == ERR_OK) {
            *out = SOURCE_IS_BEHIND;
            (void)err_set(why, ERR_SOURCE,
                          "the lake holds transactions that this server (%s; the lake follows %s) "
                          "does not have: %s. If it is a replica that is still catching up, wait. "
                          "If they were lost in a failover, the lake has rows that exist nowhere "
                          "else: bring them to this server, or drop the Iceberg tables and copy "
                          "them again",
                          s->identity, claim->source[0] == '\0' ? "others" : claim->source,
                          names.text);
        }
    }
    gtid_set_free(missing);
    return rc;
}

static enum err_code judge_purged(const struct source_claim *claim, const struct source_state *s,
                                  enum source_verdict *out, struct err *why)
{
    struct gtid_set *gap = s->purged == NULL ? NULL : gtid_set_subtract(s->purged, claim->gtids);
    struct names names;
    enum err_code rc = s->purged != NULL && gap == NULL ? err_nomem(why) : ERR_OK;

    if (gap != NULL && !gtid_set_is_empty(gap)) {
        rc = print_names(gap, &names, why);
        if (rc == ERR_OK) {
            *out = SOURCE_HAS_GAP;
            (void)err_set(why, ERR_SOURCE,
                          "the source has purged transactions that the lake lacks: %s (its oldest "
                          "binlog is %s). Name a server that still has them, or the tables must be "
                          "copied anew: drop the Iceberg tables. Let the source keep its binlogs "
                          "longer (binlog_expire_logs_seconds)",
                          names.text, s->oldest);
        }
    }
    gtid_set_free(gap);
    return rc;
}

static void say_foreign(const struct source_claim *claim, const struct source_state *s,
                        const char *reason, struct err *why)
{
    (void)err_set(why, ERR_SOURCE,
                  "this is another server (%s) than the one that was followed (%s), and %s: its "
                  "positions do not continue those. Connect to that server again, or give this one "
                  "a connection-name and a warehouse of its own",
                  s->identity, claim->source[0] == '\0' ? "not known" : claim->source, reason);
}

static enum err_code judge_other(const struct source_claim *claim, const struct source_state *s,
                                 enum source_verdict *out, struct err *why)
{
    const char *reason = NULL;

    if (claim->gtids != NULL && !s->gtid_enabled && strcmp(claim->source, s->identity) == 0) {
        *out = SOURCE_IS_FOREIGN;
        (void)err_set(why, ERR_SOURCE,
                      "the lake knows its place on the source as a GTID set only, and gtid_mode is "
                      "not ON any more: set it back");
        return ERR_OK;
    }
    if (claim->gtids == NULL) {
        reason = "what the lake has is known by file and position only";
    } else if (!s->gtid_enabled) {
        reason = "this one has no GTIDs (gtid_mode must be ON on both)";
    } else if (gtid_set_flavor(claim->gtids) != source_flavor(s->identity)) {
        reason = "MySQL and MariaDB count transactions differently";
    } else if (claim->anonymous) {
        reason = "transactions without GTIDs were read of that one since";
    }
    if (reason != NULL) {
        *out = SOURCE_IS_FOREIGN;
        say_foreign(claim, s, reason, why);
        return ERR_OK;
    }
    ERR_TRY(judge_purged(claim, s, out, why));
    return *out == SOURCE_FITS ? judge_missing(claim, s, out, why) : ERR_OK;
}

static void say_ended_before(const struct source_claim *claim, const struct source_state *s,
                             struct err *why)
{
    (void)err_set(why, ERR_SOURCE,
                  "the lake is at %s:%llu, and the source's binlog ends at %s:%llu: its binlogs "
                  "were reset, or it lost its end in a crash. " COPY_AGAIN,
                  claim->position.file, (unsigned long long)claim->position.offset, s->end.file,
                  (unsigned long long)s->end.offset);
}

/*
 * A file of this server that it has purged went with all that the lake has of the file and of those
 * before it. Where less is purged, the numbers began anew since, and the same GTIDs are of others.
 */
static enum err_code judge_numbers(const struct source_claim *claim, const struct source_state *s,
                                   enum source_verdict *out, struct err *why)
{
    struct gtid_set *kept = gtid_set_subtract(claim->gtids, s->purged);
    struct names names;
    enum err_code rc = kept == NULL ? err_nomem(why) : ERR_OK;

    if (kept != NULL && !gtid_set_is_empty(kept)) {
        rc = print_names(kept, &names, why);
        if (rc == ERR_OK) {
            *out = SOURCE_WAS_RESET;
            (void)err_set(why, ERR_SOURCE,
                          "the source has purged the binlog that the lake goes on from (%s; its "
                          "oldest is %s), and yet not %s, which the lake has: its binlogs were "
                          "reset, and these are other transactions. " COPY_AGAIN,
                          claim->position.file, s->oldest, names.text);
        }
    }
    gtid_set_free(kept);
    return rc;
}

static enum err_code judge_same(const struct source_claim *claim, const struct source_state *s,
                                enum source_verdict *out, struct err *why)
{
    bool by_sets = claim->gtids != NULL && s->executed != NULL;

    if (by_sets) {
        ERR_TRY(judge_missing(claim, s, out, why));
    }
    if (*out == SOURCE_FITS && binlog_position_compare(&claim->position, &s->end) > 0) {
        *out = SOURCE_WAS_RESET;
        say_ended_before(claim, s, why);
    }
    if (*out != SOURCE_FITS) {
        return ERR_OK;
    }
    bool file_purged = !source_has_file(claim, s);

    if (claim->gtids != NULL && s->purged != NULL && file_purged) {
        ERR_TRY(judge_numbers(claim, s, out, why));
    }
    if (*out != SOURCE_FITS) {
        return ERR_OK;
    }
    if (by_sets || (claim->gtids != NULL && s->purged != NULL && file_purged)) {
        return judge_purged(claim, s, out, why);
    }
    if (file_purged) {
        *out = SOURCE_HAS_GAP;
        (void)err_set(why, ERR_SOURCE,
                      "the source has purged the binlog that the lake goes on from (%s; its oldest "
                      "is %s): the tables must be copied anew: drop the Iceberg tables. Let the "
                      "source keep its binlogs longer (binlog_expire_logs_seconds)",
                      claim->position.file, s->oldest);
    }
    return ERR_OK;
}

enum err_code source_judge(const struct source_claim *claim, const struct source_state *s,
                           enum source_verdict *out, struct err *why)
{
    bool by_set_only = claim->source[0] == '\0' || claim->position.file[0] == '\0';

    *out = SOURCE_FITS;
    if (s->applies_unlogged) {
        *out = SOURCE_IS_FOREIGN;
        (void)err_set(why, ERR_SOURCE,
                      "this server is a replica that does not log what it applies: set "
                      "log_replica_updates=ON there (log_slave_updates), or follow its source");
        return ERR_OK;
    }
    if (source_is_same(claim, s)) {
        return judge_same(claim, s, out, why);
    }
    if (by_set_only && claim->gtids == NULL) {
        return ERR_OK; /* a place that was given by hand */
    }
    return judge_other(claim, s, out, why);
}

enum err_code source_check_log(const struct source_claim *claim, const struct source_state *s,
                               const struct mysql_options *here, struct err *e)
{
    uint32_t created_s = 0;

    if (claim->log_created_s == 0 || !source_is_same(claim, s) || !source_has_file(claim, s)) {
        return ERR_OK;
    }
    ERR_TRY(binlog_log_created(here, &claim->position, &created_s, e));
    if (created_s == 0 || created_s == claim->log_created_s) {
        return ERR_OK;
    }
    return err_set(e, ERR_SOURCE,
                   "the source's %s is not the file that the lake has read up to %llu, but one "
                   "that was begun anew: its binlogs were reset, or it was restored from a backup. "
                   "Following on would mix two histories. " COPY_AGAIN,
                   claim->position.file, (unsigned long long)claim->position.offset);
}
