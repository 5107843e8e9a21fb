#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "storage/store.h"
#include "temp_folder.h"

struct local {
    struct temp_folder folder;
    struct store *store;
    struct err e;
};

static void local_init(struct local *l)
{
    memset(l, 0, sizeof *l);
    temp_folder_init(&l->folder);
    assert_ok(store_local_new(&l->store, &l->e), &l->e);
}

static void local_deinit(struct local *l)
{
    store_free(l->store);
    temp_folder_deinit(&l->folder);
}

static void put(struct local *l, const char *name, const char *text)
{
    assert_ok(store_put(l->store, temp_location(&l->folder, name), span_str(text), &l->e), &l->e);
}

static void assert_holds(struct local *l, const char *location, const char *text)
{
    struct buf bytes = {0};

    assert_ok(store_get(l->store, location, &bytes, &l->e), &l->e);
    assert_text_eq(buf_span(&bytes), text);
    buf_deinit(&bytes);
}

/* Names below the test's folder, sorted, each behind a blank. */
struct listed {
    size_t cut; /* bytes of each location to leave out */
    uint32_t count;
    uint64_t bytes;
    int64_t oldest_us;
    char names[32][96];
};

static enum err_code on_entry(void *ctx, const struct store_entry *entry, struct err *e)
{
    struct listed *l = ctx;

    (void)e;
    (void)snprintf(l->names[l->count++], sizeof l->names[0], "%s", entry->location + l->cut);
    l->bytes += entry->size_bytes;
    l->oldest_us = entry->modified_us;
    return l->count == sizeof l->names / sizeof l->names[0] ? ERR_LIMIT : ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void assert_listed(struct local *l, const char *prefix, const char *want)
{
    struct listed got = {.cut = strlen("file://") + strlen(l->folder.path) + 1};
    char text[1024] = "";

    assert_ok(store_list(l->store, temp_location(&l->folder, prefix), on_entry, &got, &l->e),
              &l->e);
    qsort(got.names, got.count, sizeof got.names[0], by_name);
    for (uint32_t i = 0; i < got.count; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), " %s", got.names[i]);
    }
    assert_string_equal(text, want);
}

TEST(test_local__keeps_what_is_put)
{
    struct local l;

    local_init(&l);
    put(&l, "shop/orders/data/date=2026-01-02/0.parquet", "rows");
    put(&l, "shop/orders/empty", "");
    assert_holds(&l, temp_location(&l.folder, "shop/orders/data/date=2026-01-02/0.parquet"),
                 "rows");
    assert_holds(&l, temp_location(&l.folder, "shop/orders/empty"), "");
    assert_int_equal(temp_count(&l.folder, "shop/orders/data/date=2026-01-02"), 1);
    local_deinit(&l);
}

/* As PyIceberg and Java do: the path stands in the location as it is. */
TEST(test_local__takes_paths_literally)
{
    static const char *const names[] = {"a b/c d", "gr\xc3\xbc\xc3\x9f/\xe8\xa1\xa8", "a%20b/100%",
                                        "x'\"\\;$(y)"};
    struct local l;
    char path[256];
    struct stat st;

    local_init(&l);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        put(&l, names[i], names[i]);
        (void)snprintf(path, sizeof path, "%s/%s", l.folder.path, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_holds(&l, temp_location(&l.folder, names[i]), names[i]);
    }
    local_deinit(&l);
}

TEST(test_local__reads_every_form_of_a_location)
{
    static const char *const forms[] = {"%s/x", "file:%s/x", "file://%s/x", "file://localhost%s/x"};
    struct local l;
    char location[256];

    local_init(&l);
    put(&l, "x", "here");
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *form = forms[i];
        size_t at = strcspn(form, "%");

        (void)snprintf(location, sizeof location, "%.*s%s/x", (int)at, form, l.folder.path);
        assert_holds(&l, location, "here");
    }
    local_deinit(&l);
}

TEST(test_local__refuses_other_places)
{
    static const char *const locations[] = {"",       "x",       "s3://bucket/x", "file://host/x",
                                            "file:x", "file://", "file:"};
    struct local l;
    struct store_file *f;
    struct store_reader *r;
    struct byte_source source;
    struct listed none = {0};
    struct buf bytes = {0};
    uint32_t removed;

    local_init(&l);
    for (size_t i = 0; i < sizeof locations / sizeof locations[0]; i++) {
        const char *at = locations[i];

        assert_err(store_put(l.store, at, span_str("x"), &l.e), ERR_UNSUPPORTED, &l.e);
        assert_err(store_get(l.store, at, &bytes, &l.e), ERR_UNSUPPORTED, &l.e);
        assert_err(store_create(l.store, at, &f, &l.e), ERR_UNSUPPORTED, &l.e);
        assert_err(store_open(l.store, at, &r, &source, &l.e), ERR_UNSUPPORTED, &l.e);
        assert_err(store_remove(l.store, at, &l.e), ERR_UNSUPPORTED, &l.e);
        assert_err(store_list(l.store, at, on_entry, &none, &l.e), ERR_UNSUPPORTED, &l.e);
        assert_err(store_sweep(l.store, at, &removed, &l.e), ERR_UNSUPPORTED, &l.e);
    }
    local_deinit(&l);
}

TEST(test_local__never_replaces_an_object)
{
    struct local l;
    struct store_file *f;

    local_init(&l);
    put(&l, "d/x", "first");
    assert_err(store_put(l.store, temp_location(&l.folder, "d/x"), span_str("second"), &l.e),
               ERR_EXISTS, &l.e);
    assert_false(l.e.retryable);
    /* Taken between create and finish. */
    assert_ok(store_create(l.store, temp_location(&l.folder, "d/y"), &f, &l.e), &l.e);
    assert_ok(store_write(f, span_str("late"), &l.e), &l.e);
    put(&l, "d/y", "early");
    assert_err(store_finish(f, &l.e), ERR_EXISTS, &l.e);
    assert_holds(&l, temp_location(&l.folder, "d/x"), "first");
    assert_holds(&l, temp_location(&l.folder, "d/y"), "early");
    assert_int_equal(temp_count(&l.folder, "d"), 2);
    local_deinit(&l);
}

TEST(test_local__writes_in_pieces)
{
    struct local l;
    struct store_file *f;
    struct buf want = {0};
    struct buf got = {0};

    local_init(&l);
    assert_ok(store_create(l.store, temp_location(&l.folder, "d/big"), &f, &l.e), &l.e);
    for (uint32_t i = 0; i < 200000; i++) {
        buf_u32le(&want, i * 2654435761u);
    }
    for (size_t at = 0, step = 1; at < want.len; at += step, step = step * 3 + 1) {
        size_t len = want.len - at < step ? want.len - at : step;

        assert_ok(store_write(f, span_of(want.data + at, len), &l.e), &l.e);
    }
    assert_ok(store_write(f, span_of(NULL, 0), &l.e), &l.e);
    /* Without its name until the end, and not to be seen. */
    assert_err(store_get(l.store, temp_location(&l.folder, "d/big"), &got, &l.e), ERR_NOT_FOUND,
               &l.e);
    assert_listed(&l, "", "");
    assert_ok(store_finish(f, &l.e), &l.e);
    assert_ok(store_get(l.store, temp_location(&l.folder, "d/big"), &got, &l.e), &l.e);
    assert_bytes_eq(buf_span(&got), buf_span(&want));
    assert_int_equal(temp_count(&l.folder, "d"), 1);
    buf_deinit(&want);
    buf_deinit(&got);
    local_deinit(&l);
}

TEST(test_local__abandon_leaves_nothing)
{
    struct local l;
    struct store_file *f;

    local_init(&l);
    assert_ok(store_create(l.store, temp_location(&l.folder, "d/x"), &f, &l.e), &l.e);
    assert_ok(store_write(f, span_str("half"), &l.e), &l.e);
    assert_int_equal(temp_count(&l.folder, "d"), 1);
    store_abandon(f);
    assert_int_equal(temp_count(&l.folder, "d"), 0);
    local_deinit(&l);
}

TEST(test_local__get_stops_at_the_cap)
{
    struct local l;
    struct buf exact;
    struct buf less;

    local_init(&l);
    put(&l, "x", "0123456789");
    buf_init(&exact, 10);
    buf_init(&less, 9);
    assert_ok(store_get(l.store, temp_location(&l.folder, "x"), &exact, &l.e), &l.e);
    assert_text_eq(buf_span(&exact), "0123456789");
    assert_err(store_get(l.store, temp_location(&l.folder, "x"), &less, &l.e), ERR_LIMIT, &l.e);
    buf_deinit(&exact);
    buf_deinit(&less);
    local_deinit(&l);
}

TEST(test_local__says_what_is_missing)
{
    struct local l;
    struct buf bytes = {0};
    struct store_reader *r;
    struct byte_source source;
    const char *at;

    local_init(&l);
    at = temp_location(&l.folder, "no/thing");
    assert_err(store_get(l.store, at, &bytes, &l.e), ERR_NOT_FOUND, &l.e);
    assert_non_null(strstr(l.e.msg, "/no/thing"));
    assert_err(store_open(l.store, at, &r, &source, &l.e), ERR_NOT_FOUND, &l.e);
    assert_ok(store_remove(l.store, at, &l.e), &l.e);
    assert_listed(&l, "no/", "");
    put(&l, "x", "x");
    assert_err(store_get(l.store, temp_location(&l.folder, ""), &bytes, &l.e), ERR_IO, &l.e);
    assert_ok(store_remove(l.store, temp_location(&l.folder, "x/y"), &l.e), &l.e);
    assert_listed(&l, "x/", "");
    local_deinit(&l);
}

TEST(test_local__reads_any_part)
{
    struct local l;
    struct store_reader *r;
    struct byte_source source;
    uint8_t got[4] = {0};

    local_init(&l);
    put(&l, "x", "0123456789");
    assert_ok(store_open(l.store, temp_location(&l.folder, "x"), &r, &source, &l.e), &l.e);
    assert_u64_eq(source.size_bytes, 10);
    assert_ok(byte_source_read(&source, 6, got, 4, &l.e), &l.e);
    assert_text_eq(span_of(got, 4), "6789");
    assert_ok(byte_source_read(&source, 10, got, 0, &l.e), &l.e);
    assert_err(byte_source_read(&source, 7, got, 4, &l.e), ERR_CORRUPT, &l.e);
    store_close(r);
    assert_err(store_open(l.store, temp_location(&l.folder, ""), &r, &source, &l.e), ERR_IO, &l.e);
    local_deinit(&l);
}

TEST(test_local__lists_by_prefix)
{
    struct local l;
    char link_path[128];

    local_init(&l);
    put(&l, "shop/orders/data/a", "1");
    put(&l, "shop/orders/data/b", "22");
    put(&l, "shop/orders/metadata/m", "333");
    put(&l, "shop/orders2/x", "4");
    assert_listed(&l, "shop/orders/",
                  " shop/orders/data/a shop/orders/data/b shop/orders/metadata/m");
    assert_listed(&l, "shop/orders",
                  " shop/orders/data/a shop/orders/data/b shop/orders/metadata/m shop/orders2/x");
    assert_listed(&l, "shop/orders/data/a", " shop/orders/data/a");
    assert_listed(&l, "shop/x", "");
    /* A folder that is a link is not entered: it may lead out, or round. */
    (void)snprintf(link_path, sizeof link_path, "%s/shop/orders/loop", l.folder.path);
    assert_int_equal(symlink("..", link_path), 0);
    assert_listed(&l, "shop/orders/d", " shop/orders/data/a shop/orders/data/b");
    assert_listed(&l, "shop/orders/l", "");
    assert_ok(store_remove(l.store, temp_location(&l.folder, "shop/orders/data/a"), &l.e), &l.e);
    assert_listed(&l, "shop/orders/data/", " shop/orders/data/b");
    local_deinit(&l);
}

TEST(test_local__list_gives_size_and_time_and_stops_when_told)
{
    struct local l;
    struct listed got = {0};
    int64_t before_us = (int64_t)time(NULL) * 1000000 - 2000000;

    local_init(&l);
    put(&l, "a", "12345");
    assert_ok(store_list(l.store, temp_location(&l.folder, ""), on_entry, &got, &l.e), &l.e);
    assert_u64_eq(got.bytes, 5);
    assert_true(got.oldest_us > before_us);
    got.count = sizeof got.names / sizeof got.names[0] - 1;
    assert_err(store_list(l.store, temp_location(&l.folder, ""), on_entry, &got, &l.e), ERR_LIMIT,
               &l.e);
    local_deinit(&l);
}

/* Writes half an object and dies. */
static void die_writing(struct local *l, const char *name)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        struct store_file *f;
        struct err e = {0};

        if (store_create(l->store, temp_location(&l->folder, name), &f, &e) == ERR_OK &&
            store_write(f, span_str("half"), &e) == ERR_OK) {
            _exit(0);
        }
        _exit(1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

TEST(test_local__sweeps_after_the_dead_and_spares_the_living)
{
    struct local l;
    struct store_file *f;
    uint32_t removed = 77;

    local_init(&l);
    put(&l, "t/data/whole", "w");
    die_writing(&l, "t/data/x");
    die_writing(&l, "t/metadata/y");
    die_writing(&l, "other/z");
    assert_ok(store_create(l.store, temp_location(&l.folder, "t/data/living"), &f, &l.e), &l.e);
    assert_int_equal(temp_count(&l.folder, "t/data"), 3);
    assert_listed(&l, "t/", " t/data/whole");
    assert_ok(store_sweep(l.store, temp_location(&l.folder, "t/"), &removed, &l.e), &l.e);
    assert_int_equal(removed, 2);
    assert_int_equal(temp_count(&l.folder, "t/data"), 2);
    assert_int_equal(temp_count(&l.folder, "t/metadata"), 0);
    assert_int_equal(temp_count(&l.folder, "other"), 1);
    assert_ok(store_finish(f, &l.e), &l.e);
    assert_ok(store_sweep(l.store, temp_location(&l.folder, "none/"), &removed, &l.e), &l.e);
    assert_int_equal(removed, 0);
    assert_listed(&l, "t/", " t/data/living t/data/whole");
    local_deinit(&l);
}

TEST(test_local__makes_a_removed_folder_again)
{
    struct local l;
    struct store_file *f;
    char path[128];

    local_init(&l);
    put(&l, "d/x", "x");
    assert_ok(store_remove(l.store, temp_location(&l.folder, "d/x"), &l.e), &l.e);
    (void)snprintf(path, sizeof path, "%s/d", l.folder.path);
    assert_int_equal(rmdir(path), 0);
    put(&l, "d/y", "y");
    /* While a file is being written there. */
    assert_ok(store_create(l.store, temp_location(&l.folder, "e/z"), &f, &l.e), &l.e);
    (void)snprintf(path, sizeof path, "%s/e", l.folder.path);
    temp_remove(path);
    assert_err(store_finish(f, &l.e), ERR_IO, &l.e);
    assert_false(l.e.retryable);
    assert_non_null(strstr(l.e.msg, "removed"));
    local_deinit(&l);
}

TEST(test_local__names_what_is_too_long_or_in_the_way)
{
    struct local l;
    char name[400];
    char path[6000];

    local_init(&l);
    memset(name, 'n', 300);
    name[300] = '\0';
    assert_err(store_put(l.store, temp_location(&l.folder, name), span_str("x"), &l.e), ERR_IO,
               &l.e);
    assert_int_equal(l.e.os_errno, ENAMETOOLONG);
    assert_non_null(strstr(l.e.msg, "shorter"));
    assert_int_equal(temp_count(&l.folder, ""), 0);
    (void)snprintf(path, sizeof path, "file://%s", l.folder.path);
    while (strlen(path) < 5000) {
        (void)strcat(path, "/folder");
    }
    assert_err(store_put(l.store, path, span_str("x"), &l.e), ERR_IO, &l.e);
    assert_int_equal(l.e.os_errno, ENAMETOOLONG);
    put(&l, "file", "x");
    assert_err(store_put(l.store, temp_location(&l.folder, "file/below"), span_str("x"), &l.e),
               ERR_IO, &l.e);
    assert_int_equal(l.e.os_errno, ENOTDIR);
    assert_false(l.e.retryable);
    assert_non_null(strstr(l.e.msg, "/file"));
    local_deinit(&l);
}

TEST(test_local__says_who_may_not_write)
{
    struct local l;
    struct buf bytes = {0};
    enum err_code put_rc;
    enum err_code get_rc;
    enum err_code remove_rc;
    struct err put_e = {0};

    local_init(&l);
    put(&l, "d/x", "x");
    char path[128];

    (void)snprintf(path, sizeof path, "%s/d/x", l.folder.path);
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(chmod(l.folder.path, 0755), 0);
    (void)snprintf(path, sizeof path, "%s/d", l.folder.path);
    assert_int_equal(chmod(path, 0555), 0);
    if (!temp_become_nobody()) {
        skip();
    }
    put_rc = store_put(l.store, temp_location(&l.folder, "d/y"), span_str("y"), &put_e);
    get_rc = store_get(l.store, temp_location(&l.folder, "d/x"), &bytes, NULL);
    remove_rc = store_remove(l.store, temp_location(&l.folder, "d/x"), NULL);
    temp_become_root();
    assert_int_equal(put_rc, ERR_IO);
    assert_int_equal(put_e.os_errno, EACCES);
    assert_false(put_e.retryable);
    assert_non_null(strstr(put_e.msg, "/d"));
    assert_non_null(strstr(put_e.msg, "give the user"));
    assert_int_equal(get_rc, ERR_IO);
    assert_int_equal(remove_rc, ERR_IO);
    assert_int_equal(chmod(path, 0755), 0);
    local_deinit(&l);
}

/* A write that fails in the middle, as on a full disk. */
TEST(test_local__a_failed_write_leaves_nothing)
{
    struct local l;
    struct rlimit old;
    static uint8_t bytes[100000];

    local_init(&l);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {.rlim_cur = 50000, .rlim_max = old.rlim_max};

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err_code rc =
        store_put(l.store, temp_location(&l.folder, "d/x"), span_of(bytes, sizeof bytes), &l.e);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, ERR_IO);
    assert_int_equal(l.e.os_errno, EFBIG);
    assert_int_equal(temp_count(&l.folder, "d"), 0);
    local_deinit(&l);
}

struct racer {
    struct local *l;
    pthread_t thread;
    char name;
    unsigned won;
};

#define RACES 50

static void *race(void *ctx)
{
    struct racer *r = ctx;

    for (int i = 0; i < RACES; i++) {
        char location[128];
        struct err e = {0};

        (void)snprintf(location, sizeof location, "file://%s/race/%d", r->l->folder.path, i);
        r->won += store_put(r->l->store, location, span_of(&r->name, 1), &e) == ERR_OK;
    }
    return NULL;
}

TEST(test_local__one_of_two_threads_gets_a_name)
{
    struct local l;
    struct racer racers[2] = {{.l = &l, .name = 'a'}, {.l = &l, .name = 'b'}};

    local_init(&l);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
    }
    assert_int_equal(racers[0].won + racers[1].won, RACES);
    assert_int_equal(temp_count(&l.folder, "race"), RACES);
    local_deinit(&l);
}

/* More folders than are remembered as synced. */
TEST(test_local__writes_to_many_folders)
{
    struct local l;
    char name[32];

    local_init(&l);
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "day=%d/x", i);
        put(&l, name, "x");
    }
    assert_int_equal(temp_count(&l.folder, ""), 300);
    local_deinit(&l);
}

static enum err_code use_everything(struct temp_folder *folder, unsigned long run, struct err *e)
{
    struct store *s = NULL;
    struct store_file *f = NULL;
    struct store_reader *r = NULL;
    struct byte_source source;
    struct buf bytes = {0};
    struct listed listed = {0};
    char name[32];
    uint32_t removed;
    enum err_code rc = store_local_new(&s, e);

    (void)snprintf(name, sizeof name, "r%lu/x", run);
    if (rc == ERR_OK) {
        rc = store_put(s, temp_location(folder, name), span_str("text"), e);
    }
    if (rc == ERR_OK) {
        rc = store_get(s, temp_location(folder, name), &bytes, e);
    }
    if (rc == ERR_OK) {
        rc = store_open(s, temp_location(folder, name), &r, &source, e);
        store_close(rc == ERR_OK ? r : NULL);
    }
    (void)snprintf(name, sizeof name, "r%lu/y", run);
    if (rc == ERR_OK) {
        rc = store_create(s, temp_location(folder, name), &f, e);
    }
    if (rc == ERR_OK) {
        rc = store_finish(f, e);
    }
    (void)snprintf(name, sizeof name, "r%lu/", run);
    if (rc == ERR_OK) {
        rc = store_list(s, temp_location(folder, name), on_entry, &listed, e);
    }
    if (rc == ERR_OK) {
        rc = store_sweep(s, temp_location(folder, name), &removed, e);
    }
    if (rc == ERR_OK && listed.count != 2) {
        rc = ERR_DIFFERENT;
    }
    buf_deinit(&bytes);
    store_free(s);
    return rc;
}

TEST(test_local__survives_every_failed_allocation)
{
    struct temp_folder folder;
    enum err_code rc = ERR_OK;
    unsigned long runs = 0;

    temp_folder_init(&folder);
    TORTURE(nth)
    {
        struct err e = {0};

        rc = use_everything(&folder, nth, &e);
        torture_fail_at(0);
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        runs = nth;
    }
    assert_int_equal(rc, ERR_OK);
    assert_true(runs > 10);
    /* No half-written file of any run is left. */
    for (unsigned long i = 1; i <= runs; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "r%lu", i);
        struct local l = {.folder = folder};
        struct listed listed = {0};

        assert_ok(store_local_new(&l.store, &l.e), &l.e);
        (void)snprintf(name, sizeof name, "r%lu/", i);
        assert_ok(store_list(l.store, temp_location(&folder, name), on_entry, &listed, &l.e), &l.e);
        int real = temp_count(&folder, name);

        assert_true(real == (int)listed.count || (real == -1 && listed.count == 0));
        store_free(l.store);
    }
    temp_folder_deinit(&folder);
}

TEST_MAIN(test_case(test_local__keeps_what_is_put), test_case(test_local__takes_paths_literally),
          test_case(test_local__reads_every_form_of_a_location),
          test_case(test_local__refuses_other_places),
          test_case(test_local__never_replaces_an_object), test_case(test_local__writes_in_pieces),
          test_case(test_local__abandon_leaves_nothing),
          test_case(test_local__get_stops_at_the_cap), test_case(test_local__says_what_is_missing),
          test_case(test_local__reads_any_part), test_case(test_local__lists_by_prefix),
          test_case(test_local__list_gives_size_and_time_and_stops_when_told),
          test_case(test_local__sweeps_after_the_dead_and_spares_the_living),
          test_case(test_local__makes_a_removed_folder_again),
          test_case(test_local__names_what_is_too_long_or_in_the_way),
          test_case(test_local__says_who_may_not_write),
          test_case(test_local__a_failed_write_leaves_nothing),
          test_case(test_local__one_of_two_threads_gets_a_name),
          test_case(test_local__writes_to_many_folders),
          test_case(test_local__survives_every_failed_allocation))
