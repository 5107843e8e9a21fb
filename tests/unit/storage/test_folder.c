#include "storage/folder.h"

#include <errno.h>
#include <fcntl.h>

#include "temp_folder.h"

TEST(test_folder__explains_refusals)
{
    static const struct {
        int os_errno;
        enum err_code code;
        bool retryable;
        const char *advice;
    } cases[] = {
        {ENOENT, ERR_NOT_FOUND, false, "No such file"},
        {EEXIST, ERR_EXISTS, false, "exists"},
        {ENOSPC, ERR_IO, true, "make room"},
        {EDQUOT, ERR_IO, true, "quota"},
        {EIO, ERR_IO, true, "kernel"},
        {EROFS, ERR_IO, false, "mount"},
        {EACCES, ERR_IO, false, "access"},
        {EPERM, ERR_IO, false, "access"},
        {ENOTDIR, ERR_IO, false, "is a file"},
        {ENAMETOOLONG, ERR_IO, false, "shorter"},
        {EMFILE, ERR_IO, true, "ulimit"},
        {ENFILE, ERR_IO, true, "ulimit"},
        {EISDIR, ERR_IO, false, "Is a directory"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};

        assert_err(disk_error(&e, cases[i].os_errno, "writing", "/lake/x"), cases[i].code, &e);
        assert_int_equal(e.code, cases[i].code);
        assert_int_equal(e.os_errno, cases[i].os_errno);
        assert_int_equal(e.retryable, cases[i].retryable);
        assert_ptr_equal(strstr(e.msg, "writing /lake/x: "), e.msg);
        assert_non_null(strstr(e.msg, cases[i].advice));
        assert_int_equal(disk_error(NULL, cases[i].os_errno, "writing", "/x"), cases[i].code);
    }
}

TEST(test_folder__gives_the_part_before_the_name)
{
    static const char *const cases[][2] = {
        {"/a/b/c", "/a/b"}, {"/a", "/"}, {"/", "/"}, {"/a/", "/a"}, {"/a b/\xc3\xbc", "/a b"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *folder = folder_of(cases[i][0]);

        assert_string_equal(folder, cases[i][1]);
        free(folder);
    }
}

TEST(test_folder__makes_and_syncs_the_whole_way)
{
    struct temp_folder t;
    struct err e = {0};
    char path[128];
    struct stat st;

    temp_folder_init(&t);
    (void)snprintf(path, sizeof path, "%s/a/b/c", t.path);
    assert_err(folder_sync(path, &e), ERR_NOT_FOUND, &e);
    assert_err(folder_sync_above(path, &e), ERR_NOT_FOUND, &e);
    for (int again = 0; again < 2; again++) {
        assert_ok(folder_make(path, &e), &e);
        assert_ok(folder_sync(path, &e), &e);
        assert_ok(folder_sync_above(path, &e), &e);
    }
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_ok(folder_make("/", &e), &e);
    assert_ok(folder_sync_above("/", &e), &e);
    temp_folder_deinit(&t);
}

TEST(test_folder__meets_a_file_in_the_way)
{
    struct temp_folder t;
    struct err e = {0};
    char path[128];

    temp_folder_init(&t);
    (void)snprintf(path, sizeof path, "%s/file", t.path);
    int fd = open(path, O_WRONLY | O_CREAT, 0666);

    assert_true(fd >= 0);
    (void)close(fd);
    assert_err(folder_make(path, &e), ERR_IO, &e);
    assert_int_equal(e.os_errno, ENOTDIR);
    assert_err(folder_sync(path, &e), ERR_IO, &e);
    (void)strcat(path, "/below");
    assert_err(folder_make(path, &e), ERR_IO, &e);
    assert_int_equal(e.os_errno, ENOTDIR);
    temp_folder_deinit(&t);
}

/* Folders that others made may be closed to us but for passing through. */
TEST(test_folder__passes_through_closed_folders)
{
    struct temp_folder t;
    struct err e = {0};
    char path[128];
    char closed[128];

    temp_folder_init(&t);
    (void)snprintf(path, sizeof path, "%s/closed/a/b", t.path);
    (void)snprintf(closed, sizeof closed, "%s/closed", t.path);
    assert_ok(folder_make(path, &e), &e);
    assert_int_equal(chmod(t.path, 0755), 0);
    assert_int_equal(chmod(closed, 0111), 0);
    if (!temp_become_nobody()) {
        skip();
    }
    enum err_code synced = folder_sync_above(path, &e);

    (void)strcat(path, "/c");
    enum err_code made = folder_make(path, NULL);

    temp_become_root();
    assert_int_equal(chmod(closed, 0755), 0);
    assert_int_equal(synced, ERR_OK);
    assert_int_equal(made, getuid() == 0 ? ERR_IO : ERR_OK);
    temp_folder_deinit(&t);
}

TEST(test_folder__survives_every_failed_allocation)
{
    struct temp_folder t;
    char path[128];
    enum err_code rc = ERR_OK;

    temp_folder_init(&t);
    (void)snprintf(path, sizeof path, "%s/a/b/c", t.path);
    TORTURE(nth)
    {
        struct err e = {0};

        rc = folder_make(path, &e);
        if (rc == ERR_OK) {
            rc = folder_sync_above(path, &e);
        }
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
    }
    assert_int_equal(rc, ERR_OK);
    temp_folder_deinit(&t);
}

TEST_MAIN(test_case(test_folder__explains_refusals),
          test_case(test_folder__gives_the_part_before_the_name),
          test_case(test_folder__makes_and_syncs_the_whole_way),
          test_case(test_folder__meets_a_file_in_the_way),
          test_case(test_folder__passes_through_closed_folders),
          test_case(test_folder__survives_every_failed_allocation))
