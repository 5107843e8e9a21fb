/*
 * What S3 answers to lists and removals. The first byte chooses which of them; the rest is the
 * document. An entry that is taken has all that it must have, and a page that is followed by
 * another says where that begins.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "storage/s3_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void read_page(struct span document, enum s3_page_kind kind)
{
    struct s3_page p;
    struct err e = {0};
    enum err_code rc = s3_page_parse(document, kind, &p, &e);

    check(rc == ERR_OK || rc == e.code);
    for (uint32_t i = 0; rc == ERR_OK && i < p.count; i++) {
        check(p.items[i].key != NULL);
        check(kind != S3_PAGE_UPLOADS || p.items[i].upload_id != NULL);
    }
    check(rc != ERR_OK || !p.truncated || (p.next != NULL && p.next[0] != '\0'));
    s3_page_deinit(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0) {
        return 0;
    }
    struct span document = span_of(data + 1, size - 1);

    switch (data[0] % 4) {
    case 0:
        read_page(document, S3_PAGE_OBJECTS);
        break;
    case 1:
        read_page(document, S3_PAGE_UPLOADS);
        break;
    case 2:
        read_page(document, S3_PAGE_REMOVED);
        break;
    default:
        if (s3_answer_text(document, "InitiateMultipartUploadResult/UploadId", &text, NULL) ==
            ERR_OK) {
            free(text);
        }
        break;
    }
    return 0;
}
