/*
 * What the source thread makes of transactions: events are made here, the rows that arrive are read
 * back from the files of each cut.
 *
 * A script has two characters for each step:
 *   B  a transaction starts     C  it commits        R  it is rolled back
 *   t  a row of an InnoDB table m  a row of a MyISAM table
 *   Sa SAVEPOINT a              Ta ROLLBACK TO a
 *   Xa XA START a               Pa it is prepared    Oa it commits in one phase
 *   Ka XA COMMIT a              Qa XA ROLLBACK a
 *   |  a cut                    !  the connection breaks
 *   *n calve is killed; of the last cut arrived: 0 all, 1 the note, 2 the note and t, 3 nothing
 * A row's id is the number of its step.
 */
#include "pipeline/follow_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rand.h"
#include "base/str.h"
#include "fake_store.h"
#include "read_back.h"

enum { TABLES = 2, STEP_BYTES = 1000, START = 4, STEPS_MAX = 400 };

static struct column_def columns[] = {{.name = "id", .type = COLUMN_TYPE_INT}};
static const struct table_def defs[TABLES] = {
    {.schema = "s", .name = "t", .columns = columns, .column_count = 1, .engine = "InnoDB"},
    {.schema = "s", .name = "m", .columns = columns, .column_count = 1, .engine = "MyISAM"},
};

/* What is in the lake. */
struct lake {
    struct buf ids[TABLES]; /* "1 4 " */
    uint64_t at[TABLES];    /* offsets that the tables are complete up to */
    char *note;
};

struct fixture {
    struct run_options options;
    struct run run;
    struct log log;
    int null;
    struct followed_table *tables[TABLES];
    struct queue *committer;
    struct lane *lane;
    struct follow *follow;
    struct follow_join join;
    struct lake lake;       /* without the last cut */
    struct buf ids[TABLES]; /* of the last cut */
    uint64_t cut_at;
    char *cut_note; /* NULL: as it was */
    bool cut_made;
    unsigned rereads;
};

static void on_fail(void *ctx)
{
    struct fixture *f = ctx;

    queue_close(f->committer);
}

static void start_run(struct fixture *f)
{
    struct err e = {0};
    uint64_t first = f->lake.at[0] < f->lake.at[1] ? f->lake.at[0] : f->lake.at[1];
    struct follow_options options = {.run = &f->run, .tables = f->tables, .table_count = TABLES};

    f->committer = queue_new(1 << 20);
    assert_non_null(f->committer);
    for (unsigned i = 0; i < TABLES; i++) {
        char location[64];

        (void)snprintf(location, sizeof location, "file:///lake/s/%s", defs[i].name);
        assert_ok(followed_table_new("s", defs[i].name, location, &f->tables[i], &e), &e);
        f->tables[i]->source.def = &defs[i];
        f->tables[i]->source.cut_def = &defs[i];
        f->tables[i]->source.joined = true;
        f->tables[i]->source.cut_joined = true;
        f->tables[i]->source.position = (struct binlog_position){"b.000001", f->lake.at[i]};
    }
    assert_ok(lane_start(&(struct lane_options){.run = &f->run,
                                                .tables = f->tables,
                                                .table_count = TABLES,
                                                .memory_bytes = 16 << 20,
                                                .committer = f->committer},
                         &f->lane, &e),
              &e);
    options.join = &f->join;
    options.source = f->run.source;
    options.lanes = &f->lane;
    options.lane_count = 1;
    options.start = (struct binlog_position){"b.000001", first};
    options.prepared_note = f->lake.note;
    assert_ok(follow_new(&options, &f->follow, &e), &e);
    assert_ok(schema_new(&(struct schema_options){.version_number = 90700,
                                                  .default_charset = "utf8mb4",
                                                  .tables_max = 16},
                         &f->follow->schema, &e),
              &e);
    f->follow->cut_us = clock_mono_us(&f->run.clock);
}

static void end_run(struct fixture *f)
{
    struct queue_link *link;

    follow_free(f->follow);
    lane_close(f->lane);
    lane_join(f->lane);
    queue_close(f->committer);
    while ((link = queue_pop(f->committer)) != NULL) {
        cut_part_free((struct cut_part *)link);
    }
    queue_free(f->committer);
    for (unsigned i = 0; i < TABLES; i++) {
        followed_table_free(f->tables[i]);
    }
}

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){
        .options = {.zstd_level = 1,
                    .row_group_bytes = 1 << 20,
                    .target_file_bytes = 1 << 30,
                    .commit_bytes_max = UINT64_MAX,
                    .commit_interval_us = INT64_MAX,
                    .watermark_interval_us = INT64_MAX,
                    .spill_folder = "/tmp"},
        .lake = {.at = {START, START}},
    };
    f->null = open("/dev/null", O_WRONLY);
    log_init(&f->log, f->null, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    f->run.options = &f->options;
    f->run.log = &f->log;
    f->run.store = fake_store_new();
    f->run.clock = clock_system();
    f->run.on_fail = on_fail;
    f->run.on_fail_ctx = f;
    (void)snprintf(f->run.source, sizeof f->run.source, "source-1");
    assert_non_null(f->run.store);
    assert_int_equal(pthread_mutex_init(&f->run.mutex, NULL), 0);
    start_run(f);
}

static void close_fixture(struct fixture *f)
{
    end_run(f);
    for (unsigned i = 0; i < TABLES; i++) {
        buf_deinit(&f->ids[i]);
        buf_deinit(&f->lake.ids[i]);
    }
    free(f->lake.note);
    free(f->cut_note);
    store_free(f->run.store);
    log_deinit(&f->log);
    (void)close(f->null);
    (void)pthread_mutex_destroy(&f->run.mutex);
}

/* ---- cuts ---- */

/* How far the last cut came: 0 all, 1 the note, 2 the note and t, 3 nothing. */
static void settle(struct fixture *f, int how)
{
    if (f->cut_made && how != 3 && f->cut_note != NULL) {
        free(f->lake.note);
        f->lake.note = f->cut_note;
        f->cut_note = NULL;
    }
    for (unsigned i = 0; i < TABLES; i++) {
        if (f->cut_made && (how == 0 || (how == 2 && i == 0))) {
            buf_append_span(&f->lake.ids[i], buf_span(&f->ids[i]));
            f->lake.at[i] = f->cut_at;
        }
        buf_reset(&f->ids[i]);
    }
    free(f->cut_note);
    f->cut_note = NULL;
    f->cut_made = false;
}

static void read_ids(struct fixture *f, const struct data_file_list *files, struct buf *out)
{
    for (uint32_t i = 0; i < files->count; i++) {
        struct buf rows = {0};

        (void)read_back(f->run.store, files->files[i]->path, &rows);
        for (const char *at = buf_cstr(&rows); (at = strstr(at, "\"id\":")) != NULL; at++) {
            buf_printf(out, "%ld ", strtol(at + 5, NULL, 10));
        }
        buf_deinit(&rows);
    }
}

static void make_cut(struct fixture *f)
{
    struct err e = {0};

    settle(f, 0);
    assert_ok(follow_cut(f->follow, &e), &e);
    struct cut_part *p = (struct cut_part *)queue_pop(f->committer);

    if (p == NULL) {
        fail_msg("the run failed: %s", f->run.error.msg);
        return;
    }
    for (uint32_t i = 0; i < p->table_count; i++) {
        read_ids(f, &p->tables[i].files, &f->ids[p->tables[i].table == f->tables[0] ? 0 : 1]);
    }
    f->cut_at = p->cut->position.offset;
    f->cut_note = p->cut->notes[WATERMARK_NOTE_PREPARED];
    p->cut->notes[WATERMARK_NOTE_PREPARED] = NULL;
    f->cut_made = true;
    cut_free(p->cut);
    cut_part_free(p);
}

/* ---- events ---- */

/* Event `nth` of the two that a step has at most. */
static enum err_code give(struct fixture *f, unsigned step, unsigned nth, uint8_t type,
                          struct span body, struct err *e)
{
    struct binlog_event ev = {
        .header = {.timestamp_s = step,
                   .type = type,
                   .event_bytes = STEP_BYTES / 2,
                   .server_id = 1},
        .body = body,
        .end = {"b.000001", START + (uint64_t)step * STEP_BYTES + nth * (STEP_BYTES / 2)},
    };

    return follow_event(f->follow, &ev, e);
}

static enum err_code give_query(struct fixture *f, unsigned step, unsigned nth, const char *sql,
                                struct err *e)
{
    struct buf body = {0};

    buf_zeros(&body, 8); /* thread, time */
    buf_u8(&body, 1);
    buf_zeros(&body, 4); /* error, status variables */
    buf_append_str(&body, "s");
    buf_u8(&body, 0);
    buf_append_str(&body, sql);
    enum err_code rc = give(f, step, nth, BINLOG_EVENT_QUERY, buf_span(&body), e);

    buf_deinit(&body);
    return rc;
}

static enum err_code give_start(struct fixture *f, unsigned step, struct err *e)
{
    uint8_t body[42] = {0};

    return give(f, step, 1, BINLOG_EVENT_ANONYMOUS_GTID, span_of(body, 25), e);
}

static enum err_code give_row(struct fixture *f, unsigned step, bool myisam, struct err *e)
{
    uint8_t bytes[64];
    int32_t id = (int32_t)step;
    size_t len = test_unhex(myisam ? "6a0000000000 0100 01 73 00 01 6d 00 01 03 00 00"
                                   : "690000000000 0100 01 73 00 01 74 00 01 03 00 00",
                            bytes, sizeof bytes);

    ERR_TRY(give(f, step, 1, BINLOG_EVENT_TABLE_MAP, span_of(bytes, len), e));
    len = test_unhex(myisam ? "6a0000000000 0100 0200 01 ff 00" : "690000000000 0100 0200 01 ff 00",
                     bytes, sizeof bytes);
    memcpy(bytes + len, &id, sizeof id);
    return give(f, step, 2, BINLOG_EVENT_WRITE_ROWS, span_of(bytes, len + sizeof id), e);
}

static enum err_code give_prepare(struct fixture *f, unsigned step, char name, bool one_phase,
                                  struct err *e)
{
    uint8_t body[] = {one_phase, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, (uint8_t)name};
    char sql[64];

    (void)snprintf(sql, sizeof sql, "XA END X'%02x',X'',1", (unsigned)name);
    ERR_TRY(give_query(f, step, 1, sql, e));
    return give(f, step, 2, BINLOG_EVENT_XA_PREPARE, span_of(body, sizeof body), e);
}

static enum err_code give_xa(struct fixture *f, unsigned step, const char *verb, char name,
                             struct err *e)
{
    char sql[64];

    (void)snprintf(sql, sizeof sql, "XA %s X'%02x',X'',1", verb, (unsigned)name);
    ERR_TRY(give_start(f, step, e));
    return give_query(f, step, 2, sql, e);
}

static enum err_code give_step(struct fixture *f, unsigned step, const char *what, struct err *e)
{
    uint8_t xid[8] = {0};
    char sql[32];

    switch (what[0]) {
    case 'B':
        ERR_TRY(give_start(f, step, e));
        return give_query(f, step, 2, "BEGIN", e);
    case 'C':
        return give(f, step, 2, BINLOG_EVENT_XID, span_of(xid, sizeof xid), e);
    case 'R':
        return give_query(f, step, 2, "ROLLBACK", e);
    case 't':
    case 'm':
        return give_row(f, step, what[0] == 'm', e);
    case 'S':
    case 'T':
        (void)snprintf(sql, sizeof sql, "%s `%c`", what[0] == 'S' ? "SAVEPOINT" : "ROLLBACK TO",
                       what[1]);
        return give_query(f, step, 2, sql, e);
    case 'X':
        return give_xa(f, step, "START", what[1], e);
    case 'P':
    case 'O':
        return give_prepare(f, step, what[1], what[0] == 'O', e);
    case 'K':
        return give_xa(f, step, "COMMIT", what[1], e);
    case 'Q':
        return give_xa(f, step, "ROLLBACK", what[1], e);
    default:
        fail_msg("no step: %.2s", what);
        return ERR_OK;
    }
}

/* ---- scripts ---- */

static bool is_event(char step)
{
    return strchr("|!*", step) == NULL;
}

/* What is no event happens once, however often the stream comes by. */
static void disturb(struct fixture *f, const char *what)
{
    struct err e = {0};

    if (what[0] == '|') {
        make_cut(f);
    } else if (what[0] == '!') {
        assert_ok(follow_leave(f->follow, &e), &e);
    } else {
        settle(f, what[1] - '0');
        end_run(f);
        start_run(f);
    }
}

static unsigned resume(const struct fixture *f)
{
    return (unsigned)((f->follow->end.offset - START) / STEP_BYTES);
}

/* Runs it to the end, and cuts there; or to the error that it leads to. */
static enum err_code run_script(struct fixture *f, const char *script, struct err *e)
{
    bool done[STEPS_MAX] = {false};
    unsigned steps = (unsigned)strlen(script) / 2;
    unsigned turns = 0;

    for (unsigned i = 0; i < steps; turns++) {
        const char *what = script + 2 * (size_t)i;

        if (turns > 100 * steps) {
            fail_msg("it never ends: %s", script);
        }
        if (!is_event(what[0])) {
            if (!done[i]) {
                done[i] = true;
                disturb(f, what);
                i = what[0] == '|' ? i + 1 : resume(f);
            } else {
                i++;
            }
            continue;
        }
        enum err_code rc = give_step(f, i, what, e);

        if (rc != ERR_OK && e->retryable && f->follow->rereads) {
            f->follow->rereads = false;
            f->rereads++;
            assert_ok(follow_leave(f->follow, e), e);
            i = resume(f);
        } else if (rc != ERR_OK) {
            return rc;
        } else {
            i++;
        }
    }
    make_cut(f);
    settle(f, 0);
    return ERR_OK;
}

/* ---- what it should come to ---- */

struct txn {
    bool open;
    unsigned rows[STEPS_MAX];
    bool myisam[STEPS_MAX];
    bool undone[STEPS_MAX];
    unsigned count;
    unsigned savepoint[26];
};

static void undo(struct txn *t, unsigned from)
{
    for (unsigned i = from; i < t->count; i++) {
        t->undone[i] = t->undone[i] || !t->myisam[i];
    }
}

static void stand(struct txn *t, struct buf ids[TABLES])
{
    for (unsigned i = 0; i < t->count; i++) {
        if (!t->undone[i]) {
            buf_printf(&ids[t->myisam[i]], "%u ", t->rows[i]);
        }
    }
    t->open = false;
}

static void expect(const char *script, struct buf ids[TABLES])
{
    static struct txn now;
    static struct txn prepared[26];

    for (unsigned i = 0; script[2 * (size_t)i] != '\0'; i++) {
        const char *what = script + 2 * (size_t)i;
        unsigned name = (unsigned)(what[1] - 'a') % 26;

        switch (what[0]) {
        case 'B':
        case 'X':
            memset(&now, 0, sizeof now);
            break;
        case 't':
        case 'm':
            now.rows[now.count] = i;
            now.myisam[now.count++] = what[0] == 'm';
            break;
        case 'S':
            now.savepoint[name] = now.count;
            break;
        case 'T':
            undo(&now, now.savepoint[name]);
            break;
        case 'R':
            undo(&now, 0);
            stand(&now, ids);
            break;
        case 'C':
        case 'O':
            stand(&now, ids);
            break;
        case 'P':
            prepared[name] = now;
            break;
        case 'K':
            stand(&prepared[name], ids);
            break;
        default:
            break;
        }
    }
}

static unsigned check_script(const char *script)
{
    struct fixture f;
    struct buf want[TABLES] = {{0}};
    struct err e = {0};

    open_fixture(&f);
    enum err_code rc = run_script(&f, script, &e);

    if (rc != ERR_OK) {
        fail_msg("%s: %s", script, e.msg);
    }
    expect(script, want);
    for (unsigned i = 0; i < TABLES; i++) {
        const char *have = buf_cstr(&f.lake.ids[i]);

        if (have == NULL || strcmp(have, buf_cstr(&want[i])) != 0) {
            fail_msg("%s: %s has \"%s\" instead of \"%s\"", script, defs[i].name, have,
                     buf_cstr(&want[i]));
        }
        buf_deinit(&want[i]);
    }
    unsigned rereads = f.rereads;

    close_fixture(&f);
    return rereads;
}

/* ---- tests ---- */

TEST(test_follow__takes_back_what_engines_take_back)
{
    static const struct {
        const char *script;
        unsigned rereads;
    } cases[] = {
        {"B t C ", 0},
        {"B t m R ", 1},
        {"B m R ", 1},
        {"B R B t C ", 0},
        {"B t Sat Tat C ", 1},
        {"B Sat m Tam t C ", 1},
        {"B t SaSbt Tbt Tat C ", 1},
        {"B t Sat Sat TaC ", 1},
        {"B t C B t R B t R B t Sat TaC ", 1}, /* from the second on it knows */
        {"B t C | B t R | B t R ", 1},
        {"B t m R | B t R ! B t ! Sam TaC B t C ", 1},
        {"B t C B t R *0B t R *1B t R *2", 4},
        {"B t Sam TaR B t C ", 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned rereads = check_script(cases[i].script);

        if (rereads != cases[i].rereads) {
            fail_msg("%s: read again %u times, not %u", cases[i].script, rereads, cases[i].rereads);
        }
    }
}

TEST(test_follow__holds_prepared_transactions)
{
    static const char *const scripts[] = {
        "Xat PaKa",
        "Xat PaQa",
        "Xat Oa",
        "XaPaKaXat PaQa",
        "Xat PaB t C Xbt PbB t C KbKa",
        "Xat Pa| B t C KaB t C ",
        "Xat Pa! KaXat ! PaKa",
        "Xat Sat Tat PaB t C Ka",
        "Xat Pa| Ka! B t C ",
        "Xat Pa| KaXat PaB t ! C Ka",
        "Xat Pa| QaXat PaB t ! C Ka",
        "Xat Pa*3Ka",
        "Xat Pa| *0Ka",
        "Xat Pa| *1Ka",
        "Xat m Pa| *2Ka*0",
        "Xat m Pa| B t m C Ka| *2B t C ",
        "Xat m Pa| Ka| *1B t C ",
        "Xat m Pa| Ka| *3B t C ",
        "Xat m Pa| Ka| | *2B t C ",
        "Xat Pa| Qa| *1B t C | *0Xat PaKa",
        "XaPa| *0B t C | *0Ka",
        "Xat PaXbt Pb| KbB t C | *2KaB t C ",
    };

    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        (void)check_script(scripts[i]);
    }
}

/* Any order of things, disturbed at any place, comes to what the log says. */
TEST(test_follow__comes_to_the_same_however_it_is_disturbed)
{
    struct rand rand;

    rand_seed(&rand, 11);
    for (int round = 0; round < 1000; round++) {
        char script[2 * STEPS_MAX + 1] = "";
        size_t len = 0;
        char open = 0; /* 'B', 'X' */
        char name = 'a';
        bool prepared[5] = {false};
        unsigned set[2] = {0}; /* savepoints: when, 0 is not */
        unsigned sets = 0;

        while (len < 120 || open != 0) {
            uint64_t r = rand_u64(&rand) % 100;
            char step[3] = "  ";

            if (r < 4 || (r < 8 && open == 0)) {
                static const char *const disturbances[] = {"! ", "*0", "*1", "*2",
                                                           "*3", "| ", "| "};
                unsigned last = open == 0 ? 7 : 5;

                memcpy(step, disturbances[rand_u64(&rand) % last], 2);
            } else if (open == 0) {
                step[1] = (char)('a' + rand_u64(&rand) % 5);
                bool *is = &prepared[step[1] - 'a'];

                step[0] = *is ? (r % 3 == 0 ? 'Q' : 'K') : (r % 2 == 0 ? 'B' : 'X');
                open = *is ? 0 : step[0];
                *is = false;
                name = step[1];
                set[0] = set[1] = 0;
            } else if (r < 60) {
                step[0] = r % 3 == 0 && open == 'B' ? 'm' : 't';
            } else if (r < 72) {
                step[0] = 'S';
                step[1] = (char)('a' + r % 2);
                set[r % 2] = ++sets;
            } else if (r < 82 && set[r % 2] != 0) {
                step[0] = 'T';
                step[1] = (char)('a' + r % 2);
                set[1 - r % 2] = set[1 - r % 2] > set[r % 2] ? 0 : set[1 - r % 2];
            } else if (open == 'B') {
                step[0] = r % 4 == 0 ? 'R' : 'C';
                open = 0;
            } else {
                step[0] = r % 5 == 0 ? 'O' : 'P';
                step[1] = name;
                prepared[name - 'a'] = step[0] == 'P';
                open = 0;
            }
            if (step[0] == 'B') {
                step[1] = ' ';
            }
            memcpy(script + len, step, 2);
            len += 2;
        }
        (void)check_script(script);
    }
}

TEST(test_follow__stops_at_what_cannot_be_known)
{
    static const struct {
        const char *script;
        enum err_code want;
        const char *part;
    } cases[] = {
        {"Ka", ERR_SOURCE, "X'61',X'',1"},
        {"Xat PaKaKa", ERR_SOURCE, "prepared before the place"},
        {"B t m TaC ", ERR_UNSUPPORTED, "ROLLBACK TO 'a'"},
        {"B t Pa", ERR_CORRUPT, "XA_PREPARE"},
        {"Xat Pb", ERR_CORRUPT, "XA_PREPARE"},
        {"Xat Xb", ERR_CORRUPT, "while another is open"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        struct err e = {0};

        open_fixture(&f);
        assert_err(run_script(&f, cases[i].script, &e), cases[i].want, &e);
        if (strstr(e.msg, cases[i].part) == NULL) {
            fail_msg("%s: no '%s' in: %s", cases[i].script, cases[i].part, e.msg);
        }
        close_fixture(&f);
    }
    /* A rollback of what is not known changes nothing; nor does one to a savepoint without rows. */
    (void)check_script("QaB t C B m TaC ");
}

TEST_MAIN(test_case(test_follow__takes_back_what_engines_take_back),
          test_case(test_follow__holds_prepared_transactions),
          test_case(test_follow__comes_to_the_same_however_it_is_disturbed),
          test_case(test_follow__stops_at_what_cannot_be_known))
