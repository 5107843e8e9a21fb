#include "pipeline/held_rows.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "temp_folder.h"
#include "test.h"

enum { TABLES = 3, BLOCK = 256 << 10 };

/* Never looked into: only their addresses count. */
static const struct followed_table table_of[TABLES];

struct fixture {
    struct temp_folder folder;
    struct held_store *store;
};

static struct followed_table *table(unsigned i)
{
    return (struct followed_table *)(uintptr_t)&table_of[i];
}

static void open_store(struct fixture *f, size_t one_bytes, size_t all_bytes)
{
    struct err e = {0};

    temp_folder_init(&f->folder);
    assert_ok(held_store_new(&(struct held_store_options){.folder = f->folder.path,
                                                          .one_bytes = one_bytes,
                                                          .all_bytes = all_bytes},
                             &f->store, &e),
              &e);
}

static void close_store(struct fixture *f)
{
    assert_u64_eq(held_store_file_bytes(f->store), 0);
    held_store_free(f->store);
    temp_folder_deinit(&f->folder);
}

/* The nth event: its table, length and bytes follow from n. */
static size_t body_of(unsigned n, size_t bytes, uint8_t *out)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(n * 31 + i * 7 + (i >> 8));
    }
    return bytes;
}

static enum err_code add(struct held_rows *r, unsigned n, size_t bytes, struct err *e)
{
    uint8_t *body = malloc(bytes + 1);
    struct slab_entry entry;

    if (body == NULL) {
        return err_nomem(e);
    }
    memset(&entry, 0, sizeof entry);
    entry.table = table(n % TABLES);
    entry.log_position = n;
    entry.timestamp_s = n + 5;
    entry.body_bytes = (uint32_t)body_of(n, bytes, body);
    entry.event_type = 30;
    enum err_code rc = held_rows_append(r, &entry, span_of(body, bytes), e);

    free(body);
    return rc;
}

struct seen {
    unsigned next; /* the event that comes next */
    size_t (*bytes)(unsigned n);
    char undone[256]; /* '-' and '+' of the first events */
    unsigned stop_at; /* 0: never */
};

static enum err_code see(void *ctx, const struct slab_entry *entry, struct span body, bool undone,
                         struct err *e)
{
    struct seen *s = ctx;
    unsigned n = s->next++;
    size_t bytes = s->bytes(n);
    uint8_t *want = malloc(bytes + 1);

    if (want == NULL) {
        return err_nomem(e);
    }
    assert_ptr_equal(entry->table, table(n % TABLES));
    assert_u64_eq(entry->log_position, n);
    assert_u64_eq(entry->timestamp_s, n + 5);
    assert_int_equal(entry->event_type, 30);
    assert_bytes_eq(body, span_of(want, body_of(n, bytes, want)));
    free(want);
    if (n < sizeof s->undone - 1) {
        s->undone[n] = undone ? '-' : '+';
    }
    return s->stop_at != 0 && s->next == s->stop_at ? err_set(e, ERR_CANCELLED, "enough") : ERR_OK;
}

static void check_replay(const struct held_rows *r, unsigned count, size_t (*bytes)(unsigned n),
                         const char *undone)
{
    struct err e = {0};

    for (int again = 0; again < 2; again++) {
        struct seen s = {.bytes = bytes};

        assert_ok(held_rows_replay(r, see, &s, &e), &e);
        assert_int_equal(s.next, count);
        if (undone != NULL) {
            assert_string_equal(s.undone, undone);
        }
    }
}

static size_t small(unsigned n)
{
    return n % 50;
}

/* Around the sizes at which rows leave memory and blocks end. */
static size_t mixed(unsigned n)
{
    static const size_t sizes[] = {0,         1,         100,           4000,
                                   BLOCK - 1, BLOCK,     BLOCK + 1,     3 * BLOCK + 17,
                                   50,        BLOCK / 2, BLOCK * 5 / 4, 7};

    return sizes[n % (sizeof sizes / sizeof sizes[0])];
}

TEST(test_held_rows__gives_back_what_was_put_in)
{
    static const struct {
        unsigned count;
        size_t (*bytes)(unsigned n);
        size_t one_bytes;
        bool in_file;
    } cases[] = {
        {0, small, 0, false},     {1, small, 0, false},     {500, small, 0, false},
        {500, small, 1000, true}, {60, mixed, 0, true},     {60, mixed, 1, true},
        {60, mixed, 300, true},   {60, mixed, BLOCK, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        struct held_rows *r = NULL;
        struct err e = {0};
        uint32_t tables;

        open_store(&f, cases[i].one_bytes, 0);
        assert_ok(held_rows_new(f.store, "binlog.000009", &r, &e), &e);
        assert_string_equal(held_rows_file(r), "binlog.000009");
        for (unsigned n = 0; n < cases[i].count; n++) {
            assert_ok(add(r, n, cases[i].bytes(n), &e), &e);
        }
        assert_int_equal(held_store_file_bytes(f.store) > 0, cases[i].in_file);
        check_replay(r, cases[i].count, cases[i].bytes, NULL);
        assert_ok(held_rows_settle(r, &e), &e);
        check_replay(r, cases[i].count, cases[i].bytes, NULL);
        (void)held_rows_tables(r, &tables);
        assert_int_equal(tables, cases[i].count < TABLES ? cases[i].count : TABLES);
        /* Nobody else sees the file. */
        assert_int_equal(temp_count(&f.folder, ""), 0);
        held_rows_free(r);
        close_store(&f);
    }
}

/* Blocks of those that ended are used again, and the file ends with the last that is in use. */
TEST(test_held_rows__shares_one_file)
{
    enum { MANY = 40 };
    struct fixture f;
    struct held_rows *rows[MANY] = {NULL};
    unsigned count[MANY] = {0};
    struct err e = {0};
    uint32_t random = 1;
    uint64_t most = 0;

    open_store(&f, 1000, 0);
    for (int step = 0; step < 4000; step++) {
        random = random * 1103515245 + 12345;
        unsigned i = (random >> 16) % MANY;

        if (rows[i] == NULL) {
            assert_ok(held_rows_new(f.store, "b.1", &rows[i], &e), &e);
            count[i] = 0;
        } else if (count[i] > 30) {
            check_replay(rows[i], count[i], mixed, NULL);
            held_rows_free(rows[i]);
            rows[i] = NULL;
        } else {
            assert_ok(add(rows[i], count[i], mixed(count[i]), &e), &e);
            count[i]++;
        }
        most = most > held_store_file_bytes(f.store) ? most : held_store_file_bytes(f.store);
    }
    /* 30 events are 21 blocks at most, and some more for those not full. */
    assert_in_range(most, (uint64_t)100 * BLOCK, (uint64_t)MANY * 30 * BLOCK);
    for (unsigned i = 0; i < MANY; i++) {
        if (rows[i] != NULL) {
            check_replay(rows[i], count[i], mixed, NULL);
        }
        held_rows_free(rows[i]);
    }
    close_store(&f);
}

/* Thousands of small ones stay in memory until that is full; then they go to the file. */
TEST(test_held_rows__keeps_many_within_memory)
{
    enum { MANY = 3000 };
    static struct held_rows *rows[MANY];
    struct fixture f;
    struct err e = {0};

    open_store(&f, 0, 100000);
    for (unsigned i = 0; i < MANY; i++) {
        assert_ok(held_rows_new(f.store, "b.1", &rows[i], &e), &e);
        for (unsigned n = 0; n < 3; n++) {
            assert_ok(add(rows[i], n, small(n), &e), &e);
        }
        if (i == 20) {
            assert_u64_eq(held_store_file_bytes(f.store), 0);
        }
        assert_ok(held_rows_settle(rows[i], &e), &e);
    }
    assert_true(held_store_file_bytes(f.store) > (uint64_t)MANY / 2 * BLOCK);
    for (unsigned i = 0; i < MANY; i++) {
        check_replay(rows[i], 3, small, NULL);
    }
    for (unsigned i = 0; i < MANY; i++) {
        held_rows_free(rows[i]);
    }
    close_store(&f);
}

/* '0'..'9' adds a row, 'a'.. sets a savepoint, 'A'.. goes back to it, '!' undoes all. */
TEST(test_held_rows__undoes_rows_behind_savepoints)
{
    static const struct {
        const char *steps;
        const char *undone;
    } cases[] = {
        {"0a1A2", "+-+"},     {"0a1b2A3", "+--+"}, {"0a1b2B3A4", "+---+"}, {"a0A1A2", "--+"},
        {"0a1A2A3A", "+---"}, {"0a1a2A3", "++-+"}, {"0aA1bB2", "+++"},     {"0a1A2b3B4", "+-+-+"},
        {"012!", "---"},      {"0a1A2!3", "---+"}, {"!0!", "-"},           {"0a1b2c3B4C", "++--+?"},
        {"0aX", "+?"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        struct held_rows *r = NULL;
        struct err e = {0};
        unsigned count = 0;
        char want[16];

        open_store(&f, i % 2 == 0 ? 0 : 1, 0);
        assert_ok(held_rows_new(f.store, "b.1", &r, &e), &e);
        (void)snprintf(want, sizeof want, "%s", cases[i].undone);
        for (const char *step = cases[i].steps; *step != '\0'; step++) {
            char name[2] = {*step, '\0'};

            if (*step >= '0' && *step <= '9') {
                assert_ok(add(r, count, small(count), &e), &e);
                count++;
            } else if (*step >= 'a' && *step <= 'z') {
                assert_ok(held_rows_savepoint(r, name, &e), &e);
            } else if (*step == '!') {
                assert_ok(held_rows_rollback_to(r, NULL, &e), &e);
            } else if (step[1] == '\0' && want[strlen(want) - 1] == '?') {
                assert_err(held_rows_rollback_to(r, name, &e), ERR_NOT_FOUND, &e);
                want[strlen(want) - 1] = '\0';
            } else {
                assert_ok(held_rows_rollback_to(r, name, &e), &e);
            }
        }
        check_replay(r, count, small, want);
        held_rows_free(r);
        close_store(&f);
    }
}

TEST(test_held_rows__knows_no_savepoint_by_letters_that_servers_differ_in)
{
    static const struct {
        const char *set[2];
        const char *back;
        bool known;
    } cases[] = {
        {{"a", "B"}, "A", true},          {{"\xc3\xa9", NULL}, "\xc3\xa9", true},
        {{"e", "\xc3\xa9"}, "e", false},  {{"e", NULL}, "\xc3\x89", false},
        {{"\xc3\xa9", NULL}, "E", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        struct held_rows *r = NULL;
        struct err e = {0};

        open_store(&f, 0, 0);
        assert_ok(held_rows_new(f.store, "b.1", &r, &e), &e);
        for (unsigned k = 0; k < 2 && cases[i].set[k] != NULL; k++) {
            assert_ok(held_rows_savepoint(r, cases[i].set[k], &e), &e);
            assert_ok(add(r, k, small(k), &e), &e);
        }
        assert_int_equal(held_rows_rollback_to(r, cases[i].back, &e),
                         cases[i].known ? ERR_OK : ERR_NOT_FOUND);
        held_rows_free(r);
        close_store(&f);
    }
}

TEST(test_held_rows__ends_a_replay_that_its_taker_ends)
{
    struct fixture f;
    struct held_rows *r = NULL;
    struct err e = {0};

    open_store(&f, 1000, 0);
    assert_ok(held_rows_new(f.store, "b.1", &r, &e), &e);
    for (unsigned n = 0; n < 20; n++) {
        assert_ok(add(r, n, mixed(n), &e), &e);
    }
    for (unsigned stop = 1; stop <= 20; stop++) {
        struct seen s = {.bytes = mixed, .stop_at = stop};

        assert_err(held_rows_replay(r, see, &s, &e), ERR_CANCELLED, &e);
        assert_int_equal(s.next, stop);
    }
    held_rows_free(r);
    close_store(&f);
}

/* The file's size is limited as a disk is: a write that crosses the limit is cut short first. */
TEST(test_held_rows__says_when_the_disk_is_full)
{
    struct rlimit was;
    struct rlimit limit;
    struct fixture f;
    struct held_rows *r = NULL;
    struct held_rows *other = NULL;
    struct err e = {0};
    unsigned n = 0;
    enum err_code rc = ERR_OK;

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    limit = was;
    limit.rlim_cur = 10 * BLOCK + 12345;
    open_store(&f, 1000, 0);
    assert_ok(held_rows_new(f.store, "b.1", &r, &e), &e);
    assert_ok(held_rows_new(f.store, "b.1", &other, &e), &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    while (rc == ERR_OK && n < 100) {
        rc = add(r, n, mixed(n), &e);
        n++;
    }
    assert_err(rc, ERR_IO, &e);
    assert_non_null(strstr(e.msg, "spill-dir"));
    assert_true(e.os_errno != 0);
    assert_in_range(n, 8, 30);
    /* What one cannot have is there again for others when it is gone. */
    held_rows_free(r);
    for (n = 0; n < 8; n++) {
        assert_ok(add(other, n, mixed(n), &e), &e);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    check_replay(other, 8, mixed, NULL);
    held_rows_free(other);
    close_store(&f);
}

TEST(test_held_rows__says_when_there_is_no_folder)
{
    struct held_store *s = NULL;
    struct held_rows *r = NULL;
    struct err e = {0};

    assert_ok(
        held_store_new(&(struct held_store_options){.folder = "/no/such/folder", .one_bytes = 1},
                       &s, &e),
        &e);
    assert_ok(held_rows_new(s, "b.1", &r, &e), &e);
    assert_err(add(r, 0, 100, &e), ERR_IO, &e);
    assert_non_null(strstr(e.msg, "/no/such/folder"));
    held_rows_free(r);
    held_store_free(s);
}

static enum err_code use_all(const char *folder, struct err *e)
{
    struct held_store *s = NULL;
    struct held_rows *r = NULL;
    struct held_rows *two = NULL;
    struct seen seen = {.bytes = mixed};
    enum err_code rc = held_store_new(
        &(struct held_store_options){.folder = folder, .one_bytes = 1000, .all_bytes = 100}, &s, e);

    if (rc == ERR_OK) {
        rc = held_rows_new(s, "b.1", &r, e);
    }
    if (rc == ERR_OK) {
        rc = held_rows_new(s, "b.1", &two, e);
    }
    for (unsigned n = 0; rc == ERR_OK && n < 12; n++) {
        rc = add(n % 2 == 0 ? r : two, n / 2, mixed(n / 2), e);
        if (rc == ERR_OK) {
            rc = held_rows_savepoint(r, n % 2 == 0 ? "x" : "y", e);
        }
    }
    if (rc == ERR_OK) {
        rc = held_rows_rollback_to(r, "x", e);
    }
    if (rc == ERR_OK) {
        rc = held_rows_settle(r, e);
    }
    if (rc == ERR_OK) {
        rc = held_rows_settle(two, e);
    }
    if (rc == ERR_OK) {
        rc = held_rows_replay(r, see, &seen, e);
    }
    held_rows_free(two);
    held_rows_free(r);
    held_store_free(s);
    return rc;
}

TEST(test_held_rows__survives_failing_allocations)
{
    struct temp_folder folder;
    struct err e;
    enum err_code rc = ERR_OK;

    temp_folder_init(&folder);
    TORTURE(nth)
    {
        rc = use_all(folder.path, &e);
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
    }
    assert_int_equal(rc, ERR_OK);
    temp_folder_deinit(&folder);
}

TEST_MAIN(test_case(test_held_rows__gives_back_what_was_put_in),
          test_case(test_held_rows__shares_one_file),
          test_case(test_held_rows__keeps_many_within_memory),
          test_case(test_held_rows__undoes_rows_behind_savepoints),
          test_case(test_held_rows__knows_no_savepoint_by_letters_that_servers_differ_in),
          test_case(test_held_rows__ends_a_replay_that_its_taker_ends),
          test_case(test_held_rows__says_when_the_disk_is_full),
          test_case(test_held_rows__says_when_there_is_no_folder),
          test_case(test_held_rows__survives_failing_allocations))
