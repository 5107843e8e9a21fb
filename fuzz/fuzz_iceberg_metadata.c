/* Table metadata: what is parsed prints, and what is printed parses to the same again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "iceberg/metadata_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Questions that any caller may ask of any table. */
static void look_at(const struct iceberg_metadata *m)
{
    struct snapshot_views all;
    struct spec_view spec;
    struct err e = {0};

    if (metadata_snapshots(m, &all, &e) != ERR_OK) {
        abort();
    }
    for (uint32_t i = 0; i < all.count; i++) {
        struct snapshot_view s;

        if (!metadata_snapshot(m, all.items[i].id, &s)) {
            abort();
        }
        (void)snapshot_is_ours(&s);
        (void)iceberg_metadata_summary(m, s.id, "operation");
    }
    free(all.items);
    (void)metadata_spec(m, (int32_t)metadata_int(m, "default-spec-id", 0), &spec);
    (void)metadata_schema(m);
    (void)metadata_property_int(m, "write.metadata.previous-versions-max", 100);
    (void)iceberg_metadata_was_at(m, "file:///x");
    free(iceberg_metadata_folder(m));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct iceberg_metadata *m;
    struct iceberg_metadata *again;
    struct buf first = {0};
    struct buf second = {0};
    struct err e = {0};
    enum err_code rc = iceberg_metadata_parse(span_of(data, size), &m, &e);

    if (rc != ERR_OK) {
        if (rc != e.code || (rc != ERR_CORRUPT && rc != ERR_UNSUPPORTED)) {
            abort();
        }
        return 0;
    }
    look_at(m);
    if (iceberg_metadata_print(m, &first, &e) != ERR_OK ||
        iceberg_metadata_parse(buf_span(&first), &again, &e) != ERR_OK ||
        iceberg_metadata_print(again, &second, &e) != ERR_OK ||
        !span_eq(buf_span(&first), buf_span(&second))) {
        abort();
    }
    iceberg_metadata_free(again);
    iceberg_metadata_free(m);
    buf_deinit(&first);
    buf_deinit(&second);
    return 0;
}
