#include "app/check_int.h"

#include "app_lake.h"

static const char *const no_settings[] = {NULL};

static void check(const struct app_lake *l, const char *const *settings, struct findings *f)
{
    struct config *c = app_lake_config(l, settings);
    struct err e = {0};

    assert_ok(check_lake(c, NULL, f, &e), &e);
    config_free(c);
}

static void put_file(const char *folder, const char *name, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

TEST(test_check__finding_is_a_line_or_an_object)
{
    struct findings f = {0};

    finding_add(&f, FINDING_OK, "gtid", "%s", "on");
    finding_add(&f, FINDING_NOTE, "x", "a \"b\"");
    finding_add(&f, FINDING_WRONG, "y", "%d", 7);
    assert_text_eq(buf_span(&f.out), "ok    gtid: on\nnote  x: a \"b\"\nWRONG y: 7\n");
    assert_u64_eq(f.count, 3);
    assert_u64_eq(f.wrong_count, 1);
    buf_deinit(&f.out);
    f = (struct findings){.json = true};
    finding_add(&f, FINDING_OK, "gtid", "%s", "on");
    finding_add(&f, FINDING_WRONG, "x", "a \"b\"");
    assert_text_eq(buf_span(&f.out),
                   "{\"state\":\"ok\",\"subject\":\"gtid\",\"text\":\"on\"},\n"
                   "{\"state\":\"wrong\",\"subject\":\"x\",\"text\":\"a \\\"b\\\"\"}");
    buf_deinit(&f.out);
}

TEST(test_check__lake_that_is_there_is_fine)
{
    struct app_lake l;
    struct findings f = {0};

    app_lake_open(&l);
    check(&l, no_settings, &f);
    assert_u64_eq(f.wrong_count, 0);
    app_assert_has(&f.out, " can be written\n");
    app_assert_has(&f.out, "catalog.db, catalog name 'default'\n");
    /* Only the catalog is in the folder: what was written is gone. */
    assert_int_equal(temp_count(&l.folder, ""), 1);
    buf_deinit(&f.out);
    app_lake_close(&l);
}

TEST(test_check__lake_that_is_not_there_can_be_made)
{
    struct app_lake l;
    struct findings f = {0};
    char warehouse[128];

    app_lake_open(&l);
    (void)snprintf(warehouse, sizeof warehouse, "%s/a/b", l.folder.path);
    const char *const settings[] = {"warehouse", warehouse, NULL};

    check(&l, settings, &f);
    assert_u64_eq(f.wrong_count, 0);
    app_assert_has(&f.out, "/a/b does not exist yet and can be made\n");
    app_assert_has(&f.out, "/a/b/catalog.db does not exist yet and can be made\n");
    assert_int_equal(temp_count(&l.folder, "a"), -1);
    buf_deinit(&f.out);
    app_lake_close(&l);
}

TEST(test_check__tells_what_is_no_lake)
{
    struct app_lake l;
    struct findings f = {0};
    char file[128];
    char text_file[128];

    app_lake_open(&l);
    put_file(l.folder.path, "file", "");
    put_file(l.folder.path, "text", "this is a text file, and no database at all");
    (void)snprintf(file, sizeof file, "%s/file", l.folder.path);
    (void)snprintf(text_file, sizeof text_file, "%s/text", l.folder.path);
    const char *const settings[] = {"warehouse", file, "catalog.path", text_file, NULL};

    check(&l, settings, &f);
    assert_u64_eq(f.wrong_count, 2);
    app_assert_has(&f.out, "WRONG warehouse: ");
    app_assert_has(&f.out, "/file is no folder: name one by --warehouse\n");
    app_assert_has(&f.out, "WRONG catalog: ");
    app_assert_has(&f.out, ": name another file by --catalog-path\n");
    buf_deinit(&f.out);
    app_lake_close(&l);
}

TEST(test_check__makes_no_catalog_in_a_file_without_one)
{
    struct app_lake l;
    struct findings f = {0};
    struct stat st;
    char file[128];

    app_lake_open(&l);
    put_file(l.folder.path, "empty.db", "");
    (void)snprintf(file, sizeof file, "%s/empty.db", l.folder.path);
    const char *const settings[] = {"catalog.path", file, NULL};

    check(&l, settings, &f);
    assert_u64_eq(f.wrong_count, 0);
    app_assert_has(&f.out, "/empty.db has no catalog yet, and one can be made in it\n");
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_size, 0);
    buf_deinit(&f.out);
    app_lake_close(&l);
}

TEST(test_check__tells_what_permissions_are_missing)
{
    struct app_lake l;
    struct findings f = {0};

    app_lake_open(&l);
    assert_int_equal(chmod(l.folder.path, 0755), 0);
    assert_int_equal(chmod(l.db, 0644), 0);
    if (!temp_become_nobody()) {
        skip();
    }
    check(&l, no_settings, &f);
    temp_become_root();
    assert_u64_eq(f.wrong_count, 2);
    app_assert_has(&f.out, "WRONG warehouse: ");
    app_assert_has(&f.out, ": let this user write there\n");
    app_assert_has(&f.out, "catalog.db: let this user read and write it\n");
    buf_deinit(&f.out);
    app_lake_close(&l);
}

TEST(test_check__tells_whose_keys_are_missing)
{
    static const char *const environment[] = {"AWS_EC2_METADATA_DISABLED=true", NULL};
    static const char *const settings[] = {
        "catalog.type", "glue",          "glue.endpoint", "http://127.0.0.1:1",
        "warehouse",    "s3://lake/cdc", "s3.endpoint",   "http://127.0.0.1:1",
        NULL,
    };
    struct app_lake l;
    struct findings f = {0};
    struct err e = {0};

    app_lake_open(&l);
    struct config *c = app_lake_config(&l, settings);

    c->environment = environment;
    assert_ok(check_lake(c, NULL, &f, &e), &e);
    app_assert_has(&f.out, "WRONG glue region: keys for Glue (settings glue.*, client.*): finding");
    app_assert_has(&f.out,
                   "WRONG glue keys: keys for Glue (settings glue.*, client.*): AWS keys: ");
    app_assert_has(&f.out, "WRONG s3 keys: keys for S3 (settings s3.*, client.*): AWS keys: there");
    config_free(c);
    buf_deinit(&f.out);
    app_lake_close(&l);
}

TEST(test_check__survives_missing_memory)
{
    struct app_lake l;

    app_lake_open(&l);
    struct config *c = app_lake_config(&l, no_settings);

    TORTURE(nth)
    {
        struct findings f = {.json = (nth & 1) == 0};
        struct err e = {0};
        enum err_code rc = check_lake(c, NULL, &f, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        buf_deinit(&f.out);
    }
    config_free(c);
    app_lake_close(&l);
}

TEST_MAIN(test_case(test_check__finding_is_a_line_or_an_object),
          test_case(test_check__lake_that_is_there_is_fine),
          test_case(test_check__lake_that_is_not_there_can_be_made),
          test_case(test_check__tells_what_is_no_lake),
          test_case(test_check__makes_no_catalog_in_a_file_without_one),
          test_case(test_check__tells_what_permissions_are_missing),
          test_case(test_check__tells_whose_keys_are_missing),
          test_case(test_check__survives_missing_memory))
