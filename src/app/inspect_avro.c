/*
 * inspect_avro.c - an Avro container file: codec, schema, metadata, records.
 */
#include <jansson.h>
#include <stdlib.h>

#include "app/inspect_int.h"
#include "app/output.h"
#include "avro/reader.h"
#include "storage/store.h"

#define FILE_BYTES_MAX ((size_t)1 << 30)
#define FLUSH_BYTES    65536u

static enum err_code put_json(const json_t *value, size_t flags, struct buf *out, struct err *e)
{
    char *text = json_dumps(value, flags | JSON_ENCODE_ANY);

    if (text == NULL) {
        return err_nomem(e);
    }
    buf_append_str(out, text);
    free(text);
    return ERR_OK;
}

/* `  key = "value"`; what is no text is an object with its base64. */
static enum err_code put_entries(json_t *metadata, struct buf *out, struct err *e)
{
    const char *key;
    json_t *value;

    json_object_foreach(metadata, key, value)
    {
        buf_append_str(out, "  ");
        inspect_put_plain(out, key);
        buf_append_str(out, " = ");
        ERR_TRY(put_json(value, 0, out, e));
        buf_u8(out, '\n');
    }
    return ERR_OK;
}

static enum err_code put_text_head(const char *codec, const json_t *schema, json_t *metadata,
                                   struct buf *out, struct err *e)
{
    buf_printf(out, "codec %s\nmetadata\n", codec);
    ERR_TRY(put_entries(metadata, out, e));
    buf_append_str(out, "schema\n");
    ERR_TRY(put_json(schema, JSON_INDENT(2), out, e));
    buf_append_str(out, "\nrecords\n");
    return ERR_OK;
}

static enum err_code put_json_head(const char *codec, const json_t *schema, const json_t *metadata,
                                   struct buf *out, struct err *e)
{
    buf_printf(out, "{\"codec\":\"%s\",\"schema\":", codec);
    ERR_TRY(put_json(schema, JSON_COMPACT, out, e));
    buf_append_str(out, ",\"metadata\":");
    ERR_TRY(put_json(metadata, JSON_COMPACT, out, e));
    buf_append_str(out, "}\n");
    return ERR_OK;
}

static enum err_code put_head(const struct avro_reader *r, bool json, struct buf *out,
                              struct err *e)
{
    /* The reader knows no other codec; without the key it is null. */
    const char *codec =
        span_eq_str(avro_reader_meta(r, "avro.codec"), "deflate") ? "deflate" : "null";
    struct span schema_text = avro_reader_meta(r, "avro.schema");
    struct buf metadata_text = {0};

    avro_reader_meta_json(r, &metadata_text);
    json_t *schema = json_loadb((const char *)schema_text.data, schema_text.len,
                                JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_t *metadata =
        json_loadb((const char *)metadata_text.data, metadata_text.len, JSON_ALLOW_NUL, NULL);
    enum err_code rc = buf_check(&metadata_text, e, "the metadata");

    if (rc == ERR_OK && (schema == NULL || metadata == NULL)) {
        rc = err_set(e, ERR_CORRUPT, "Avro file: its schema or metadata is not to be shown");
    }
    if (rc == ERR_OK) {
        (void)json_object_del(metadata, "avro.schema");
        (void)json_object_del(metadata, "avro.codec");
        rc = json ? put_json_head(codec, schema, metadata, out, e)
                  : put_text_head(codec, schema, metadata, out, e);
    }
    json_decref(schema);
    json_decref(metadata);
    buf_deinit(&metadata_text);
    return rc;
}

static enum err_code put_records(struct avro_reader *r, bool json, struct buf *out, struct err *e)
{
    const struct avro_value *record;
    uint64_t count = 0;

    for (;;) {
        ERR_TRY(avro_reader_next(r, &record, e));
        if (record == NULL) {
            break;
        }
        avro_value_json(record, out);
        buf_u8(out, '\n');
        count++;
        if (out->len >= FLUSH_BYTES || out->failed != ERR_OK) {
            ERR_TRY(output_flush(out, e));
        }
    }
    if (!json) {
        buf_printf(out, "records: %llu\n", (unsigned long long)count);
    }
    return ERR_OK;
}

enum err_code inspect_avro_show(struct span file, bool json, struct buf *out, struct err *e)
{
    struct avro_reader *reader;

    ERR_TRY(avro_reader_open(file, &reader, e));
    enum err_code rc = put_head(reader, json, out, e);

    if (rc == ERR_OK) {
        rc = put_records(reader, json, out, e);
    }
    avro_reader_free(reader);
    return rc;
}

enum err_code inspect_avro(const char *path, const struct command_args *args, struct err *e)
{
    struct buf file;
    struct buf out = {0};

    buf_init(&file, FILE_BYTES_MAX);
    enum err_code rc = inspect_read_file(path, &file, e);

    if (rc == ERR_OK) {
        rc = inspect_avro_show(buf_span(&file), args->json, &out, e);
        if (rc != ERR_OK) {
            err_wrap(e, "%s", path);
        }
    }
    /* What was read before a failure is shown too. */
    enum err_code flushed = output_flush(&out, rc == ERR_OK ? e : NULL);

    buf_deinit(&file);
    buf_deinit(&out);
    return rc == ERR_OK ? flushed : rc;
}
