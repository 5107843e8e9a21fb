#include "pipeline/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "pipeline/def_json_int.h"

#define CHECKPOINT_VERSION 1

void checkpoint_deinit(struct checkpoint *c)
{
    free(c->gtids);
    arena_deinit(&c->arena);
    *c = (struct checkpoint){0};
}

struct log_place checkpoint_place(const struct checkpoint *c)
{
    return (struct log_place){.source = c->source,
                              .position = c->position,
                              .log_created_s = c->log_created_s,
                              .gtids = c->gtids,
                              .anonymous = c->anonymous};
}

char *checkpoint_property(const char *connection)
{
    return str_format("%s%s", CHECKPOINT_PROPERTY_PREFIX, connection);
}

enum err_code checkpoint_print(const struct checkpoint *c, struct buf *out, struct err *e)
{
    struct json_fields_out p = {0};
    json_t *o = json_object();

    json_fields_set_uint(&p, o, "version", CHECKPOINT_VERSION);
    json_fields_set_uint(&p, o, "ordinal", c->ordinal);
    json_fields_set_uint(&p, o, "data-ordinal", c->data_ordinal);
    json_fields_set_text(&p, o, "run", c->run);
    json_fields_set_text(&p, o, "source", c->source);
    json_fields_set_text(&p, o, "file", c->position.file);
    json_fields_set_uint(&p, o, "pos", c->position.offset);
    json_fields_set_uint(&p, o, "log-created", c->log_created_s);
    json_fields_set_text(&p, o, "gtid", c->gtids);
    json_fields_set_uint(&p, o, "anonymous", c->anonymous);
    json_fields_set_uint(&p, o, "time-us", c->time_us < 0 ? 0 : (uint64_t)c->time_us);
    json_fields_set_uint(&p, o, "copied", c->copied);
    json_fields_set_uint(&p, o, "started", c->started);
    json_fields_set_uint(&p, o, "inside", c->inside);
    json_fields_set_uint(&p, o, "gone", c->gone);
    if (c->def != NULL) {
        p.failed |= json_object_set_new(o, "table", def_to_json(&p, c->def)) != 0;
    }
    char *text = p.failed ? NULL : json_dumps(o, JSON_COMPACT);

    json_decref(o);
    if (p.not_utf8 != NULL) {
        free(text);
        return err_set(e, ERR_CORRUPT, "checkpoint: '%s' is not UTF-8", p.not_utf8);
    }
    if (text == NULL) {
        return err_nomem(e);
    }
    buf_append_str(out, text);
    free(text);
    return buf_check(out, e, "checkpoint");
}

static enum err_code read_fields(const json_t *o, struct checkpoint *out, struct err *e)
{
    struct json_fields_in p = {.arena = &out->arena};
    const json_t *table = json_object_get(o, "table");
    uint64_t version = json_fields_uint(&p, o, "version", INT64_MAX);

    if (version != CHECKPOINT_VERSION) {
        return err_set(e, ERR_UNSUPPORTED, "checkpoint version %llu is not one this calve knows",
                       (unsigned long long)version);
    }
    out->ordinal = json_fields_uint(&p, o, "ordinal", INT64_MAX);
    out->data_ordinal = json_fields_uint(&p, o, "data-ordinal", INT64_MAX);
    out->position.offset = json_fields_uint(&p, o, "pos", INT64_MAX);
    out->log_created_s = (uint32_t)json_fields_uint(&p, o, "log-created", UINT32_MAX);
    out->anonymous = json_fields_uint(&p, o, "anonymous", 1) != 0;
    out->time_us = (int64_t)json_fields_uint(&p, o, "time-us", INT64_MAX);
    out->copied = json_fields_uint(&p, o, "copied", 1) != 0;
    out->started = json_fields_uint(&p, o, "started", 1) != 0;
    out->inside = json_fields_uint(&p, o, "inside", 1) != 0;
    out->gone = json_fields_uint(&p, o, "gone", 1) != 0;
    json_fields_copy_text(&p, out->run, sizeof out->run, o, "run");
    json_fields_copy_text(&p, out->source, sizeof out->source, o, "source");
    json_fields_copy_text(&p, out->position.file, sizeof out->position.file, o, "file");
    const char *gtids = json_fields_peek_text(&p, o, "gtid");

    if (gtids != NULL) {
        out->gtids = str_dup(gtids);
        if (out->gtids == NULL) {
            return err_nomem(e);
        }
    }
    if (table != NULL) {
        out->def = def_from_json(&p, table);
    }
    if (p.no_room) {
        return arena_fail(&out->arena, e, "checkpoint");
    }
    if (p.wrong != NULL) {
        return err_set(e, ERR_CORRUPT, "checkpoint: '%s' is missing or wrong", p.wrong);
    }
    bool has_file = out->position.file[0] != '\0';

    if (out->ordinal == 0 || out->run[0] == '\0' || (!has_file && out->gtids == NULL) ||
        (has_file && out->position.offset == 0)) {
        return err_set(e, ERR_CORRUPT, "checkpoint: ordinal, run or position is missing");
    }
    return ERR_OK;
}

enum err_code checkpoint_parse(const char *json, struct checkpoint *out, struct err *e)
{
    json_error_t why;
    json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, &why);

    if (o == NULL) {
        return err_set(e, ERR_CORRUPT, "checkpoint: %s at column %d", why.text, why.column);
    }
    enum err_code rc = read_fields(o, out, e);

    json_decref(o);
    return rc;
}

enum err_code checkpoint_load(const struct iceberg_metadata *metadata, const char *connection,
                              struct checkpoint *out, bool *found, struct err *e)
{
    char *key = checkpoint_property(connection);

    *found = false;
    if (key == NULL) {
        return err_nomem(e);
    }
    const char *json = iceberg_metadata_property(metadata, key);
    enum err_code rc = ERR_OK;

    if (json != NULL) {
        *found = true;
        rc = checkpoint_parse(json, out, e);
        if (rc != ERR_OK) {
            err_wrap(e, "table property %s", key);
        }
    }
    free(key);
    return rc;
}
