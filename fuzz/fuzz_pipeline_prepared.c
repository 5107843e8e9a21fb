/* The note of prepared transactions. What was read and is written again reads and writes the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "pipeline/prepared.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The note that a list which read this one writes; NULL when it cannot be read. */
static char *again(struct followed_table *table, const char *note)
{
    struct prepared_list *list = NULL;
    struct buf out = {0};
    struct err e;
    char *text = NULL;
    size_t len;

    if (prepared_list_new(&table, 1, "s", &list, &e) != ERR_OK) {
        abort();
    }
    if (prepared_list_read(list, note, &e) == ERR_OK) {
        if (prepared_list_note(list, &out, &e) != ERR_OK || buf_cstr(&out) == NULL) {
            abort();
        }
        text = (char *)buf_take(&out, &len);
    }
    prepared_list_free(list);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct followed_table *table = NULL;
    char *note = str_ndup(data, size);

    if (note == NULL || followed_table_new("s", "t", "file:///t", &table, NULL) != ERR_OK) {
        abort();
    }
    char *first = again(table, note);
    char *second = first == NULL ? NULL : again(table, first);

    if (first != NULL && (second == NULL || strcmp(first, second) != 0)) {
        abort();
    }
    free(first);
    free(second);
    free(note);
    followed_table_free(table);
    return 0;
}
