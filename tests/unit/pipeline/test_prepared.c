#include "pipeline/prepared.h"

#include <stdlib.h>

#include "temp_folder.h"
#include "test.h"

enum { TABLES = 3 };

#define UUID "3e11fa47-71ca-11e1-9e33-c80aa9429562"

struct fixture {
    struct held_store *store;
    struct followed_table *tables[TABLES]; /* s.t0, s.t1, s.t2 */
    struct prepared_list *list;
};

/* NULL gtids: by position only; NULL place: nowhere. "binlog.000001:100" */
static void set_place(struct followed_table *t, const char *place, const char *gtids)
{
    struct err e = {0};

    gtid_set_free(t->source.gtids);
    t->source.gtids = NULL;
    t->source.position = (struct binlog_position){.offset = 0};
    if (place != NULL) {
        assert_ok(binlog_position_parse(place, &t->source.position, &e), &e);
    }
    if (gtids != NULL) {
        bool mysql = strchr(gtids, ':') != NULL;

        assert_ok(gtid_set_parse(gtids, mysql ? GTID_FLAVOR_MYSQL : GTID_FLAVOR_MARIADB,
                                 &t->source.gtids, &e),
                  &e);
    }
}

static void open_list(struct fixture *f, uint32_t tables)
{
    struct err e = {0};

    *f = (struct fixture){.list = NULL};
    assert_ok(held_store_new(&(struct held_store_options){.folder = "/tmp"}, &f->store, &e), &e);
    for (unsigned i = 0; i < TABLES; i++) {
        char name[8];

        (void)snprintf(name, sizeof name, "t%u", i);
        assert_ok(followed_table_new("s", name, "file:///lake", &f->tables[i], &e), &e);
    }
    assert_ok(prepared_list_new(f->tables, tables, "source-1", &f->list, &e), &e);
}

static void close_list(struct fixture *f)
{
    prepared_list_free(f->list);
    for (unsigned i = 0; i < TABLES; i++) {
        followed_table_free(f->tables[i]);
    }
    held_store_free(f->store);
}

static struct xid xid_of(char name)
{
    return (struct xid){.format_id = 1, .gtrid_bytes = 1, .data = {(uint8_t)name}};
}

static struct prepared_place place_of(const char *place, const char *gtid)
{
    struct prepared_place p = {.position = {.offset = 0}};
    struct err e = {0};

    if (place != NULL) {
        assert_ok(binlog_position_parse(place, &p.position, &e), &e);
    }
    (void)snprintf(p.gtid, sizeof p.gtid, "%s", gtid == NULL ? "" : gtid);
    return p;
}

/* tables: "02" for rows of s.t0 and s.t2. */
static void prepare(struct fixture *f, char name, const char *tables, const char *place,
                    const char *gtid, const char *before)
{
    struct xid xid = xid_of(name);
    struct prepared_place start = place_of(place, gtid);
    struct held_rows *rows = NULL;
    struct err e = {0};

    if (tables[0] != '\0') {
        assert_ok(held_rows_new(f->store, start.position.file, &rows, &e), &e);
    }
    for (; *tables != '\0'; tables++) {
        struct slab_entry entry;

        memset(&entry, 0, sizeof entry);
        entry.table = f->tables[*tables - '0'];
        entry.body_bytes = 1;
        assert_ok(held_rows_append(rows, &entry, span_of("x", 1), &e), &e);
    }
    assert_ok(prepared_list_add(f->list, &xid, &start, before, rows, &e), &e);
}

static struct prepared *find(const struct fixture *f, char name)
{
    struct xid xid = xid_of(name);

    return prepared_list_find(f->list, &xid);
}

static void end(struct fixture *f, char name, bool commit, const char *place, const char *gtid)
{
    struct prepared_place done = place_of(place, gtid);
    struct prepared *p = find(f, name);

    assert_non_null(p);
    prepared_list_end(f->list, p, commit, false, &done);
}

static char *note_of(const struct fixture *f)
{
    struct buf out = {0};
    struct err e = {0};
    size_t len;

    assert_ok(prepared_list_note(f->list, &out, &e), &e);
    assert_non_null(buf_cstr(&out));
    return (char *)buf_take(&out, &len);
}

/* The names that a note has: "ab". */
static void check_note(const struct fixture *f, const char *names)
{
    char *note = note_of(f);
    char found[16] = "";
    const char *at = note;

    while ((at = strstr(at, "\"X'")) != NULL) {
        char letter[2] = {(char)strtol(at + 3, NULL, 16), '\0'};

        (void)strncat(found, letter, sizeof found - strlen(found) - 1);
        at += 3;
    }
    assert_string_equal(found, names);
    free(note);
}

/* Reads the note of one list into another, which replaces it. */
static void restart(struct fixture *f, uint32_t tables)
{
    char *note = note_of(f);
    struct err e = {0};

    prepared_list_free(f->list);
    assert_ok(prepared_list_new(f->tables, tables, "source-1", &f->list, &e), &e);
    assert_ok(prepared_list_read(f->list, note, &e), &e);
    free(note);
}

TEST(test_prepared__stays_in_the_note_until_a_cut_later)
{
    struct fixture f;

    open_list(&f, 2);
    check_note(&f, "");
    prepare(&f, 'a', "01", "b.1:100", NULL, NULL);
    prepare(&f, 'b', "", "b.1:200", NULL, NULL);
    prepare(&f, 'c', "0", "b.1:300", NULL, NULL);
    assert_int_equal(prepared_list_open(f.list), 3);
    check_note(&f, "abc");
    prepared_list_cut(f.list);
    check_note(&f, "abc");
    end(&f, 'a', true, "b.1:400", NULL);
    end(&f, 'c', false, "b.1:500", NULL);
    assert_null(find(&f, 'a'));
    /* A kill between this note and the tables needs a's rows, and none of c's. */
    check_note(&f, "ab");
    prepared_list_cut(f.list);
    check_note(&f, "b");
    end(&f, 'b', true, "b.1:600", NULL);
    check_note(&f, "b");
    prepared_list_cut(f.list);
    check_note(&f, "");
    prepared_list_cut(f.list);
    assert_int_equal(prepared_list_open(f.list), 0);
    assert_u64_eq(held_store_file_bytes(f.store), 0);
    close_list(&f);
}

/* A start from further back reads much that is in all tables already. */
TEST(test_prepared__what_all_tables_have_is_not_noted)
{
    struct fixture f;
    struct prepared_place done = place_of("b.1:300", NULL);

    open_list(&f, 1);
    prepare(&f, 'a', "0", "b.1:100", NULL, NULL);
    prepared_list_end(f.list, find(&f, 'a'), true, true, &done);
    check_note(&f, "");
    prepared_list_cut(f.list);
    assert_null(find(&f, 'a'));
    close_list(&f);
}

TEST(test_prepared__a_rewind_brings_back_what_was_at_the_cut)
{
    struct fixture f;

    open_list(&f, 2);
    prepare(&f, 'a', "0", "b.1:100", NULL, NULL);
    prepare(&f, 'b', "0", "b.1:200", NULL, NULL);
    prepared_list_cut(f.list);
    end(&f, 'a', true, "b.1:300", NULL);
    end(&f, 'b', false, "b.1:400", NULL);
    prepare(&f, 'a', "1", "b.1:500", NULL, NULL); /* the name is free again */
    prepare(&f, 'c', "1", "b.1:600", NULL, NULL);
    end(&f, 'c', true, "b.1:700", NULL);
    prepared_list_rewind(f.list);
    assert_int_equal(prepared_list_open(f.list), 2);
    assert_null(find(&f, 'c'));
    assert_u64_eq(find(&f, 'a')->start.position.offset, 100);
    assert_non_null(find(&f, 'a')->rows);
    assert_non_null(find(&f, 'b')->rows);
    check_note(&f, "ab");
    /* And again, as the stream has it. */
    end(&f, 'a', true, "b.1:300", NULL);
    end(&f, 'b', false, "b.1:400", NULL);
    prepared_list_cut(f.list);
    prepared_list_rewind(f.list);
    assert_null(find(&f, 'a'));
    assert_int_equal(prepared_list_open(f.list), 0);
    close_list(&f);
}

TEST(test_prepared__a_restart_awaits_what_tables_lack)
{
    struct fixture f;
    struct binlog_position position;
    struct gtid_set *none = NULL;
    struct err e = {0};

    open_list(&f, 2);
    prepare(&f, 'a', "0", "b.1:100", NULL, NULL);
    prepare(&f, 'b', "", "b.1:200", NULL, NULL);
    prepare(&f, 'c', "01", "b.1:300", NULL, NULL);
    prepared_list_cut(f.list);
    for (unsigned i = 0; i < TABLES; i++) {
        set_place(f.tables[i], "b.2:900", NULL);
    }
    restart(&f, 2);
    assert_int_equal(prepared_list_open(f.list), 3);
    assert_true(find(&f, 'a')->awaited);
    assert_false(find(&f, 'b')->awaited);
    assert_true(prepared_lacks_rows(f.list, find(&f, 'a'), f.tables[0]));
    assert_false(prepared_lacks_rows(f.list, find(&f, 'a'), f.tables[1]));
    assert_ok(binlog_position_parse("b.2:900", &position, &e), &e);
    assert_ok(prepared_list_move_start(f.list, &position, &none, &e), &e);
    assert_string_equal(position.file, "b.1");
    assert_u64_eq(position.offset, 100);
    /* Read again, each once. */
    prepare(&f, 'a', "0", "b.1:100", NULL, NULL);
    prepare(&f, 'b', "", "b.1:200", NULL, NULL);
    assert_u64_eq(prepared_list_awaited(f.list)->start.position.offset, 300);
    prepare(&f, 'c', "01", "b.1:300", NULL, NULL);
    assert_null(prepared_list_awaited(f.list));
    assert_int_equal(prepared_list_open(f.list), 3);
    check_note(&f, "abc");
    /* What was open at the place of the note survives a rewind to it. */
    prepared_list_rewind(f.list);
    assert_non_null(find(&f, 'c')->rows);
    close_list(&f);
}

/* t0 is past the commit, t1 is not: it was killed between the two tables of a cut. */
TEST(test_prepared__a_committed_one_is_awaited_for_tables_that_lag)
{
    struct fixture f;

    for (int lags = 0; lags < 2; lags++) {
        open_list(&f, 2);
        prepare(&f, 'a', "01", "b.1:100", NULL, NULL);
        prepared_list_cut(f.list);
        end(&f, 'a', true, "b.1:500", NULL);
        set_place(f.tables[0], "b.1:500", NULL);
        set_place(f.tables[1], lags ? "b.1:499" : "b.1:501", NULL);
        restart(&f, 2);
        if (lags) {
            assert_true(find(&f, 'a')->awaited);
            assert_false(prepared_lacks_rows(f.list, find(&f, 'a'), f.tables[0]));
            assert_true(prepared_lacks_rows(f.list, find(&f, 'a'), f.tables[1]));
        } else {
            assert_null(find(&f, 'a'));
            check_note(&f, "");
        }
        close_list(&f);
    }
}

/* s.t1 is left out of a run, in which the transaction commits, and comes back. */
TEST(test_prepared__is_kept_for_tables_that_a_run_leaves_out)
{
    struct fixture f;

    open_list(&f, 2);
    set_place(f.tables[0], "b.1:150", NULL);
    set_place(f.tables[1], "b.1:150", NULL);
    prepare(&f, 'a', "01", "b.1:100", NULL, NULL);
    prepare(&f, 'b', "0", "b.1:120", NULL, NULL);
    prepared_list_cut(f.list);
    restart(&f, 1);
    prepare(&f, 'a', "0", "b.1:100", NULL, NULL);
    prepare(&f, 'b', "0", "b.1:120", NULL, NULL);
    end(&f, 'a', true, "b.1:500", NULL);
    end(&f, 'b', true, "b.1:600", NULL);
    prepared_list_cut(f.list);
    check_note(&f, "a");
    prepared_list_cut(f.list);
    check_note(&f, "a");
    set_place(f.tables[0], "b.1:700", NULL);
    restart(&f, 1);
    assert_null(find(&f, 'a'));
    assert_null(prepared_list_awaited(f.list));
    check_note(&f, "a");
    restart(&f, 2);
    assert_true(find(&f, 'a')->awaited);
    assert_true(prepared_lacks_rows(f.list, find(&f, 'a'), f.tables[1]));
    assert_false(prepared_lacks_rows(f.list, find(&f, 'a'), f.tables[0]));
    close_list(&f);
}

/* Nobody looked whether a table that is new has rows in it. */
TEST(test_prepared__awaits_for_tables_that_are_new)
{
    struct fixture f;

    open_list(&f, 1);
    prepare(&f, 'a', "", "b.1:100", NULL, NULL);
    prepared_list_cut(f.list);
    set_place(f.tables[0], "b.1:200", NULL);
    set_place(f.tables[1], "b.1:300", NULL);
    char *note = note_of(&f);

    for (int none = 0; none < 2; none++) {
        struct err e = {0};

        f.tables[1]->source.none_prepared = none != 0;
        prepared_list_free(f.list);
        assert_ok(prepared_list_new(f.tables, 2, "source-1", &f.list, &e), &e);
        assert_ok(prepared_list_read(f.list, note, &e), &e);
        assert_int_equal(find(&f, 'a')->awaited, none == 0);
        assert_int_equal(prepared_lacks_rows(f.list, find(&f, 'a'), f.tables[1]), none == 0);
        assert_false(prepared_lacks_rows(f.list, find(&f, 'a'), f.tables[0]));
    }
    free(note);
    close_list(&f);
}

static void check_start(const struct fixture *f, const char *flavor_gtids, const char *place,
                        const char *want_gtids, const char *want_place)
{
    struct binlog_position position;
    struct binlog_position want;
    struct gtid_set *gtids = NULL;
    struct buf text = {0};
    struct err e = {0};
    bool mysql = strchr(flavor_gtids, ':') != NULL;

    assert_ok(
        gtid_set_parse(flavor_gtids, mysql ? GTID_FLAVOR_MYSQL : GTID_FLAVOR_MARIADB, &gtids, &e),
        &e);
    assert_ok(binlog_position_parse(place, &position, &e), &e);
    assert_ok(binlog_position_parse(want_place, &want, &e), &e);
    assert_ok(prepared_list_move_start(f->list, &position, &gtids, &e), &e);
    gtid_set_print(gtids, &text);
    assert_string_equal(buf_cstr(&text), want_gtids);
    assert_int_equal(binlog_position_compare(&position, &want), 0);
    buf_deinit(&text);
    gtid_set_free(gtids);
}

TEST(test_prepared__mysql_is_asked_for_the_groups_again)
{
    struct fixture f;

    open_list(&f, 1);
    prepare(&f, 'a', "0", "b.1:100", UUID ":5", NULL);
    prepare(&f, 'b', "", "b.1:200", UUID ":6", NULL);
    prepare(&f, 'c', "0", "b.1:300", UUID ":9", NULL);
    prepared_list_cut(f.list);
    set_place(f.tables[0], "b.1:900", UUID ":1-20");
    restart(&f, 1);
    check_start(&f, UUID ":1-20", "b.1:900", UUID ":1-4:6-8:10-20", "b.1:900");
    close_list(&f);
}

TEST(test_prepared__mariadb_goes_back_to_the_position_before)
{
    struct fixture f;

    open_list(&f, 1);
    prepare(&f, 'a', "0", "b.1:100", "0-1-6", "0-1-5,7-1-3");
    prepare(&f, 'b', "0", "b.1:300", "7-1-4", "0-1-6,7-1-3");
    prepared_list_cut(f.list);
    set_place(f.tables[0], "b.1:900", "0-1-20,7-1-30");
    restart(&f, 1);
    check_start(&f, "0-1-20,7-1-30", "b.1:900", "0-1-5,7-1-3", "b.1:100");
    /* A table that lags more is not moved. */
    check_start(&f, "0-1-2", "b.1:50", "0-1-2", "b.1:50");
    close_list(&f);
}

/* On another server positions say nothing, and GTIDs what they always do. */
TEST(test_prepared__goes_by_gtid_on_another_server)
{
    struct fixture f;
    struct err e = {0};
    struct binlog_position position = {"x.000001", 4};
    struct gtid_set *none = NULL;

    open_list(&f, 1);
    prepare(&f, 'a', "0", "b.9:100", UUID ":5", NULL);
    prepare(&f, 'b', "0", "b.9:200", UUID ":6", NULL);
    end(&f, 'b', true, "b.9:300", UUID ":7");
    char *note = note_of(&f);

    prepared_list_free(f.list);
    set_place(f.tables[0], "x.000001:4", UUID ":1-7");
    assert_ok(prepared_list_new(f.tables, 1, "source-2", &f.list, &e), &e);
    assert_ok(prepared_list_read(f.list, note, &e), &e);
    assert_null(find(&f, 'b'));
    check_start(&f, UUID ":1-7", "x.000001:4", UUID ":1-4:6-7", "x.000001:4");
    assert_err(prepared_list_move_start(f.list, &position, &none, &e), ERR_SOURCE, &e);
    assert_non_null(strstr(e.msg, "X'61',X'',1"));
    free(note);
    close_list(&f);
}

TEST(test_prepared__finds_each_of_thousands)
{
    enum { MANY = 5000 };
    struct fixture f;
    struct err e = {0};

    open_list(&f, 1);
    for (uint32_t i = 0; i < MANY; i++) {
        struct xid xid = {.format_id = 1, .gtrid_bytes = 4};
        struct prepared_place start = place_of("b.1:100", NULL);

        memcpy(xid.data, &i, sizeof i);
        assert_ok(prepared_list_add(f.list, &xid, &start, NULL, NULL, &e), &e);
    }
    assert_int_equal(prepared_list_open(f.list), MANY);
    restart(&f, 1);
    assert_int_equal(prepared_list_open(f.list), MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        struct xid xid = {.format_id = 1, .gtrid_bytes = 4};
        struct prepared_place done = place_of("b.1:900", NULL);

        memcpy(xid.data, &i, sizeof i);
        struct prepared *p = prepared_list_find(f.list, &xid);

        assert_non_null(p);
        prepared_list_end(f.list, p, (i & 1) != 0, false, &done);
        assert_null(prepared_list_find(f.list, &xid));
    }
    prepared_list_cut(f.list);
    prepared_list_cut(f.list);
    check_note(&f, "");
    close_list(&f);
}

TEST(test_prepared__rejects_notes_that_say_nothing)
{
    static const struct {
        const char *note;
        enum err_code want;
    } cases[] = {
        {"x", ERR_CORRUPT},
        {"[]", ERR_CORRUPT},
        {"{}", ERR_CORRUPT},
        {"{\"version\":2}", ERR_UNSUPPORTED},
        {"{\"version\":1}", ERR_CORRUPT},
        {"{\"version\":1,\"source\":\"s\"}", ERR_CORRUPT},
        {"{\"version\":1,\"source\":\"s\",\"open\":{}}", ERR_CORRUPT},
        {"{\"version\":1,\"source\":\"s\",\"open\":[]}", ERR_OK},
        {"{\"version\":1,\"source\":\"s\",\"open\":[1]}", ERR_CORRUPT},
        {"{\"version\":1,\"source\":\"s\",\"open\":[{}]}", ERR_CORRUPT},
        {"{\"version\":1,\"source\":\"s\",\"open\":[{\"xid\":\"X'61'\"}]}", ERR_CORRUPT},
        {"{\"version\":1,\"source\":\"s\",\"open\":[{\"xid\":\"X'61',X'',1\"}]}", ERR_OK},
        {"{\"version\":1,\"source\":\"s\",\"open\":[{\"xid\":\"X'61',X'',1\",\"pos\":-1}]}",
         ERR_CORRUPT},
        {"{\"version\":1,\"source\":\"s\",\"open\":[{\"xid\":\"X'61',X'',1\",\"file\":1}]}",
         ERR_CORRUPT},
        {"{\"version\":1,\"source\":\"s\",\"open\":[{\"xid\":\"X'61',X'',1\",\"tables\":[[\"s\"]]}]"
         "}",
         ERR_CORRUPT},
        {"{\"version\":1,\"source\":\"s\",\"tables\":[\"s\"],\"open\":[]}", ERR_CORRUPT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        struct err e = {0};

        open_list(&f, 1);
        assert_err(prepared_list_read(f.list, cases[i].note, &e), cases[i].want, &e);
        close_list(&f);
    }
}

TEST(test_prepared__rejects_every_truncation_of_a_note)
{
    struct fixture f;
    struct err e = {0};

    open_list(&f, 1);
    prepare(&f, 'a', "0", "b.1:100", "0-1-6", "0-1-5");
    char *note = note_of(&f);

    for (size_t len = 1; len < strlen(note); len++) {
        char *cut = str_ndup(note, len);
        struct prepared_list *list = NULL;

        assert_non_null(cut);
        assert_ok(prepared_list_new(f.tables, 1, "source-1", &list, &e), &e);
        assert_err(prepared_list_read(list, cut, &e), ERR_CORRUPT, &e);
        prepared_list_free(list);
        free(cut);
    }
    free(note);
    close_list(&f);
}

static enum err_code use_all(struct fixture *f, const char *note, struct err *e)
{
    struct prepared_list *list = NULL;
    struct xid xid = xid_of('z');
    struct prepared_place start = {.position = {"b.1", 100}, .gtid = "0-1-6"};
    struct buf text = {0};
    struct binlog_position position = {"b.1", 900};
    struct gtid_set *gtids = NULL;
    struct held_rows *rows = NULL;
    enum err_code rc = prepared_list_new(f->tables, 2, "source-1", &list, e);

    if (rc == ERR_OK) {
        rc = prepared_list_read(list, note, e);
    }
    if (rc == ERR_OK) {
        rc = gtid_set_parse("0-1-9", GTID_FLAVOR_MARIADB, &gtids, e);
    }
    if (rc == ERR_OK) {
        rc = prepared_list_move_start(list, &position, &gtids, e);
    }
    if (rc == ERR_OK) {
        rc = held_rows_new(f->store, "b.1", &rows, e);
    }
    if (rc == ERR_OK) {
        rc = prepared_list_add(list, &xid, &start, "0-1-5", rows, e);
    }
    if (rc == ERR_OK) {
        rc = prepared_list_note(list, &text, e);
    }
    if (rc == ERR_OK) {
        prepared_list_cut(list);
        prepared_list_end(list, prepared_list_find(list, &xid), true, false, &start);
        prepared_list_cut(list);
        prepared_list_rewind(list);
    }
    buf_deinit(&text);
    gtid_set_free(gtids);
    prepared_list_free(list);
    return rc;
}

TEST(test_prepared__survives_failing_allocations)
{
    struct fixture f;
    struct err e;
    enum err_code rc = ERR_OK;

    open_list(&f, 3);
    set_place(f.tables[0], "b.1:500", NULL);
    set_place(f.tables[1], "b.1:500", NULL);
    prepare(&f, 'a', "02", "b.1:100", "0-1-6", "0-1-5");
    prepare(&f, 'b', "1", "b.1:200", "0-1-7", "0-1-6");
    char *note = note_of(&f);

    TORTURE(nth)
    {
        rc = use_all(&f, note, &e);
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
    }
    assert_int_equal(rc, ERR_OK);
    free(note);
    close_list(&f);
}

TEST_MAIN(test_case(test_prepared__stays_in_the_note_until_a_cut_later),
          test_case(test_prepared__what_all_tables_have_is_not_noted),
          test_case(test_prepared__a_rewind_brings_back_what_was_at_the_cut),
          test_case(test_prepared__a_restart_awaits_what_tables_lack),
          test_case(test_prepared__a_committed_one_is_awaited_for_tables_that_lag),
          test_case(test_prepared__is_kept_for_tables_that_a_run_leaves_out),
          test_case(test_prepared__awaits_for_tables_that_are_new),
          test_case(test_prepared__mysql_is_asked_for_the_groups_again),
          test_case(test_prepared__mariadb_goes_back_to_the_position_before),
          test_case(test_prepared__goes_by_gtid_on_another_server),
          test_case(test_prepared__finds_each_of_thousands),
          test_case(test_prepared__rejects_notes_that_say_nothing),
          test_case(test_prepared__rejects_every_truncation_of_a_note),
          test_case(test_prepared__survives_failing_allocations))
