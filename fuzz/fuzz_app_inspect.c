/*
 * What `calve inspect` and `calve status` show of texts from outside. The first byte says what the
 * rest is: m: a metadata.json, b: a type, a NUL and a bound, g: a GTID set, s: a request to sign.
 */
#include <stdlib.h>

#include "app/inspect_table_int.h"
#include "app/status_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show_metadata(struct inspected_table *t)
{
    struct inspected_columns columns;

    if (inspect_columns_load(t->doc, &columns, NULL) == ERR_OK) {
        (void)!inspect_metadata_text(t, &columns, NULL);
    }
    (void)!inspect_metadata_json(t, NULL);
    inspect_columns_deinit(&columns);
}

static void fuzz_metadata(struct span text)
{
    struct inspected_table t = {.what = "s.t", .metadata_location = (char[]){"file:///m"}};

    if (iceberg_metadata_parse(text, &t.metadata, NULL) == ERR_OK) {
        t.doc = json_loadb((const char *)text.data, text.len, JSON_ALLOW_NUL, NULL);
        if (t.doc != NULL) {
            show_metadata(&t);
        }
        json_decref(t.doc);
        iceberg_metadata_free(t.metadata);
    }
    buf_deinit(&t.out);
}

static void fuzz_bound(struct span text)
{
    const uint8_t *end = text.len == 0 ? NULL : memchr(text.data, '\0', text.len);
    struct buf out = {0};

    if (end != NULL) {
        size_t type_len = (size_t)(end - text.data);

        inspect_put_bound((const char *)text.data, span_of(end + 1, text.len - type_len - 1), &out);
    }
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct span rest = span_of(data + 1, size - 1);
    struct buf out = {0};
    char *text;

    switch (data[0]) {
    case 'm':
        fuzz_metadata(rest);
        break;
    case 'b':
        fuzz_bound(rest);
        break;
    case 'g':
        text = str_ndup(rest.data, rest.len);
        if (text != NULL) {
            status_put_short_gtids(text, 1 + rest.len / 2, &out);
            inspect_put_plain(&out, text);
        }
        free(text);
        break;
    case 's':
        (void)!inspect_signature_line(rest, false, &out, NULL);
        break;
    default:
        break;
    }
    buf_deinit(&out);
    return 0;
}
