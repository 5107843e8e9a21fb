#include "pipeline/cut.h"

#include <stdlib.h>

#include "base/str.h"
#include "test.h"

TEST(test_cut__frees_what_it_owns)
{
    struct cut *c = calloc(1, sizeof *c);

    assert_non_null(c);
    c->gtids = str_dup("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5");
    c->changes = calloc(2, sizeof *c->changes);
    c->change_count = 2;
    cut_free(c);
    cut_free(NULL);
}

/* Under AddressSanitizer: the files of a part that nobody took are freed with it, taken ones not.
 */
TEST(test_cut__frees_the_files_of_a_part_that_were_not_taken)
{
    struct cut cut = {0};
    struct cut_part *p = calloc(1, sizeof *p);

    assert_non_null(p);
    p->cut = &cut;
    p->tables = calloc(3, sizeof *p->tables);
    assert_non_null(p->tables);
    p->table_count = 3;
    for (uint32_t i = 0; i < 2; i++) {
        struct data_file_list *l = &p->tables[i].files;

        l->files = calloc(2, sizeof *l->files);
        assert_non_null(l->files);
        l->capacity = 2;
        for (l->count = 0; l->count < 2; l->count++) {
            struct parquet_file_info info = {0};

            l->files[l->count] = iceberg_data_file_new("file:///t/data/a.parquet", true, 1, &info);
            assert_non_null(l->files[l->count]);
        }
    }
    struct data_file_list taken = p->tables[1].files;

    p->tables[1].files = (struct data_file_list){0};
    cut_part_free(p);
    cut_part_free(NULL);
    assert_int_equal(taken.count, 2);
    assert_string_equal(taken.files[1]->path, "file:///t/data/a.parquet");
    data_file_list_deinit(&taken);
    assert_int_equal(taken.count, 0);
    data_file_list_deinit(&taken);
}

TEST_MAIN(test_case(test_cut__frees_what_it_owns),
          test_case(test_cut__frees_the_files_of_a_part_that_were_not_taken))
