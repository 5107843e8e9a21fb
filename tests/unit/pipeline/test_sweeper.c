#include "pipeline/sweeper.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "test.h"
#include "torture.h"

/* A store that only sweeps, and says where. */
struct swept {
    struct store base;
    pthread_mutex_t mutex;
    char prefixes[256];
    uint32_t removed; /* of each place */
    const char *fails;
};

static enum err_code note_sweep(struct store *base, const char *prefix, uint32_t *removed,
                                struct err *e)
{
    struct swept *s = (struct swept *)base;

    (void)pthread_mutex_lock(&s->mutex);
    (void)snprintf(s->prefixes + strlen(s->prefixes), sizeof s->prefixes - strlen(s->prefixes),
                   " %s", prefix);
    (void)pthread_mutex_unlock(&s->mutex);
    *removed = s->removed;
    return s->fails != NULL && strstr(prefix, s->fails) != NULL
               ? err_set(e, ERR_IO, "the disk is on fire")
               : ERR_OK;
}

static const struct store_ops ops = {.sweep = note_sweep};

struct bed {
    struct swept store;
    struct run run;
    struct log log;
    FILE *log_file;
    struct followed_table tables[3];
    struct followed_table *list[3];
    char text[1024]; /* the log, at the end */
};

static void bed_init(struct bed *b)
{
    static const char *const locations[] = {"s3://lake/a", "", "s3://lake/c"};
    static const char *const names[] = {"shop.a", "shop.b", "shop.c"};

    memset(b, 0, sizeof *b);
    b->store.base.ops = &ops;
    (void)pthread_mutex_init(&b->store.mutex, NULL);
    b->log_file = tmpfile();
    log_init(&b->log, fileno(b->log_file), LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    b->run.store = &b->store.base;
    b->run.clock = clock_system();
    b->run.log = &b->log;
    for (int i = 0; i < 3; i++) {
        b->tables[i].location = str_dup(locations[i]);
        b->tables[i].full_name = str_dup(names[i]);
        b->list[i] = &b->tables[i];
    }
}

static void forget_tables(struct bed *b)
{
    for (int i = 0; i < 3; i++) {
        free(b->tables[i].location);
        free(b->tables[i].full_name);
        b->tables[i].location = NULL;
        b->tables[i].full_name = NULL;
    }
}

static void bed_deinit(struct bed *b)
{
    forget_tables(b);
    log_deinit(&b->log);
    (void)fclose(b->log_file);
    (void)pthread_mutex_destroy(&b->store.mutex);
}

static const char *log_of(struct bed *b)
{
    ssize_t len = pread(fileno(b->log_file), b->text, sizeof b->text - 1, 0);

    assert_true(len >= 0);
    b->text[len] = '\0';
    return b->text;
}

TEST(test_sweeper__sweeps_the_folder_of_each_table_that_has_one)
{
    struct bed b;

    bed_init(&b);
    b.store.removed = 2;
    struct sweeper *s = sweeper_start(&b.run, b.list, 3);

    assert_non_null(s);
    forget_tables(&b); /* as a table may go while the run goes on */
    sweeper_join(s);
    assert_string_equal(b.store.prefixes, " s3://lake/a/ s3://lake/c/");
    assert_non_null(strstr(log_of(&b), "sweep.done table=shop.a removed=2"));
    assert_non_null(strstr(b.text, "sweep.done table=shop.c removed=2"));
    bed_deinit(&b);
}

TEST(test_sweeper__goes_on_after_a_failure)
{
    struct bed b;

    bed_init(&b);
    b.store.fails = "/a/";
    sweeper_join(sweeper_start(&b.run, b.list, 3));
    assert_string_equal(b.store.prefixes, " s3://lake/a/ s3://lake/c/");
    assert_non_null(strstr(log_of(&b), "sweep.failed table=shop.a error=\"the disk is on fire\""));
    assert_null(strstr(b.text, "shop.c"));
    bed_deinit(&b);
}

TEST(test_sweeper__does_not_hold_up_a_run_that_fails)
{
    struct bed b;

    bed_init(&b);
    atomic_store(&b.run.failed, true);
    sweeper_join(sweeper_start(&b.run, b.list, 3));
    assert_string_equal(b.store.prefixes, "");
    sweeper_join(NULL);
    bed_deinit(&b);
}

TEST(test_sweeper__survives_every_failed_allocation)
{
    bool again = true;

    for (unsigned long nth = 1; again; nth++) {
        struct bed b;

        bed_init(&b);
        torture_fail_at(nth);
        struct sweeper *s = sweeper_start(&b.run, b.list, 3);

        again = torture_hit();
        torture_fail_at(0);
        assert_true((s == NULL) == (strstr(log_of(&b), "sweep.failed") != NULL));
        sweeper_join(s);
        bed_deinit(&b);
    }
}

TEST_MAIN(test_case(test_sweeper__sweeps_the_folder_of_each_table_that_has_one),
          test_case(test_sweeper__goes_on_after_a_failure),
          test_case(test_sweeper__does_not_hold_up_a_run_that_fails),
          test_case(test_sweeper__survives_every_failed_allocation))
