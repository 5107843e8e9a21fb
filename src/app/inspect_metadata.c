/*
 * inspect_metadata.c - what a table's metadata says, without its manifests.
 */
#include <stdlib.h>

#include "app/inspect_table_int.h"
#include "app/output.h"
#include "base/str.h"
#include "pipeline/checkpoint.h"

#define COLUMNS_MAX 100000u
#define DEPTH_MAX   32

/* ---- columns ---- */

void inspect_columns_deinit(struct inspected_columns *c)
{
    arena_deinit(&c->arena);
    *c = (struct inspected_columns){0};
}

const struct inspected_column *inspect_columns_find(const struct inspected_columns *c, int32_t id)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->items[i].id == id) {
            return &c->items[i];
        }
    }
    return NULL;
}

static enum err_code add_column(struct inspected_columns *c, struct inspected_column column,
                                struct err *e)
{
    if (c->count == c->capacity) {
        uint32_t capacity = c->capacity == 0 ? 16 : 2 * c->capacity;
        struct inspected_column *items = arena_alloc(&c->arena, capacity, sizeof *items);

        if (items == NULL) {
            return arena_fail(&c->arena, e, "the columns");
        }
        if (c->count > 0) {
            memcpy(items, c->items, c->count * sizeof *items);
        }
        c->items = items;
        c->capacity = capacity;
    }
    if (c->count >= COLUMNS_MAX) {
        return err_set(e, ERR_LIMIT, "the schema has more than %u columns", COLUMNS_MAX);
    }
    c->items[c->count++] = column;
    return ERR_OK;
}

static enum err_code add_type(struct inspected_columns *c, const char *name, int64_t id,
                              const json_t *type, bool required, int depth, struct err *e);

static enum err_code add_fields(struct inspected_columns *c, const char *parent,
                                const json_t *fields, int depth, struct err *e)
{
    size_t i;
    json_t *field;

    json_array_foreach(fields, i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        char *path =
            str_format("%s%s%s", parent, parent[0] == '\0' ? "" : ".", name == NULL ? "?" : name);
        enum err_code rc =
            path == NULL ? err_nomem(e)
                         : add_type(c, path, json_integer_value(json_object_get(field, "id")),
                                    json_object_get(field, "type"),
                                    json_is_true(json_object_get(field, "required")), depth, e);

        free(path);
        ERR_TRY(rc);
    }
    return ERR_OK;
}

/* "list", "map" and "struct" have columns of their own. */
static enum err_code add_children(struct inspected_columns *c, const char *path, const json_t *type,
                                  int depth, struct err *e)
{
    static const struct {
        const char *name;
        const char *id_key;
        const char *required_key;
    } inner[] = {{"element", "element-id", "element-required"},
                 {"key", "key-id", NULL},
                 {"value", "value-id", "value-required"}};

    if (depth >= DEPTH_MAX) {
        return err_set(e, ERR_LIMIT, "the schema is nested deeper than %d", DEPTH_MAX);
    }
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
        const json_t *inner_type = json_object_get(type, inner[i].name);

        if (inner_type == NULL) {
            continue;
        }
        bool required = inner[i].required_key == NULL ||
                        json_is_true(json_object_get(type, inner[i].required_key));
        char *name = str_format("%s.%s", path, inner[i].name);
        enum err_code rc =
            name == NULL
                ? err_nomem(e)
                : add_type(c, name, json_integer_value(json_object_get(type, inner[i].id_key)),
                           inner_type, required, depth + 1, e);

        free(name);
        ERR_TRY(rc);
    }
    return add_fields(c, path, json_object_get(type, "fields"), depth + 1, e);
}

static enum err_code add_type(struct inspected_columns *c, const char *name, int64_t id,
                              const json_t *type, bool required, int depth, struct err *e)
{
    const char *kind = json_is_object(type) ? json_string_value(json_object_get(type, "type"))
                                            : json_string_value(type);
    struct inspected_column column = {.id = id < 0 || id > INT32_MAX ? -1 : (int32_t)id,
                                      .name = arena_strdup(&c->arena, name),
                                      .type = arena_strdup(&c->arena, kind == NULL ? "?" : kind),
                                      .required = required,
                                      .depth = depth};

    if (column.name == NULL || column.type == NULL) {
        return arena_fail(&c->arena, e, "the columns");
    }
    ERR_TRY(add_column(c, column, e));
    return json_is_object(type) ? add_children(c, name, type, depth, e) : ERR_OK;
}

/* The member of an array of objects whose key has that value; NULL when there is none. */
static const json_t *find_by_id(const json_t *array, const char *key, int64_t id)
{
    size_t i;
    json_t *item;

    json_array_foreach(array, i, item)
    {
        if (json_integer_value(json_object_get(item, key)) == id) {
            return item;
        }
    }
    return NULL;
}

static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static const json_t *current_schema(const json_t *doc)
{
    const json_t *schema =
        find_by_id(json_object_get(doc, "schemas"), "schema-id", int_of(doc, "current-schema-id"));

    return schema == NULL ? json_object_get(doc, "schema") : schema;
}

enum err_code inspect_columns_load(const json_t *doc, struct inspected_columns *out, struct err *e)
{
    *out = (struct inspected_columns){0};
    arena_init(&out->arena, 0);
    return add_fields(out, "", json_object_get(current_schema(doc), "fields"), 0, e);
}

/* ---- the document ---- */

static enum err_code put_json(struct buf *out, const json_t *value, struct err *e)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    if (text == NULL) {
        return err_nomem(e);
    }
    buf_append_str(out, text);
    free(text);
    return ERR_OK;
}

/* Calls each for the checkpoint of every connection. */
static enum err_code each_checkpoint(struct inspected_table *t,
                                     enum err_code (*each)(struct inspected_table *t,
                                                           const char *connection, const char *text,
                                                           bool first, struct err *e),
                                     struct err *e)
{
    json_t *properties = json_object_get(t->doc, "properties");
    const char *key;
    json_t *value;
    bool first = true;

    json_object_foreach(properties, key, value)
    {
        if (str_starts_with(key, CHECKPOINT_PROPERTY_PREFIX)) {
            ERR_TRY(each(t, key + strlen(CHECKPOINT_PROPERTY_PREFIX), json_string_value(value),
                         first, e));
            first = false;
        }
    }
    return ERR_OK;
}

static enum err_code checkpoint_as_json(struct inspected_table *t, const char *connection,
                                        const char *text, bool first, struct err *e)
{
    json_t *key = json_string(connection);
    json_t *value = json_loads(text, 0, NULL);
    enum err_code rc = key == NULL ? err_nomem(e) : ERR_OK;

    buf_append_str(&t->out, first ? "" : ",");
    if (rc == ERR_OK) {
        rc = put_json(&t->out, key, e);
    }
    buf_u8(&t->out, ':');
    if (rc == ERR_OK && value != NULL) {
        rc = put_json(&t->out, value, e);
    } else {
        buf_append_str(&t->out, "null");
    }
    json_decref(key);
    json_decref(value);
    return rc;
}

enum err_code inspect_metadata_json(struct inspected_table *t, struct err *e)
{
    buf_append_str(&t->out, ",\"metadata\":");
    ERR_TRY(put_json(&t->out, t->doc, e));
    buf_append_str(&t->out, ",\"checkpoints\":{");
    ERR_TRY(each_checkpoint(t, checkpoint_as_json, e));
    buf_u8(&t->out, '}');
    return ERR_OK;
}

/* `label   value`, escaped where it must be. */
static void put_line(struct buf *out, const char *label, const char *value)
{
    buf_printf(out, "%-12s ", label);
    inspect_put_plain(out, value == NULL ? "" : value);
    buf_u8(out, '\n');
}

static void put_head(struct inspected_table *t)
{
    struct buf *out = &t->out;
    int64_t snapshot_id = iceberg_metadata_snapshot_id(t->metadata);

    put_line(out, "table", t->what);
    put_line(out, "metadata", t->metadata_location);
    put_line(out, "location", iceberg_metadata_location(t->metadata));
    put_line(out, "uuid", iceberg_metadata_uuid(t->metadata));
    buf_printf(out, "%-12s %lld\n", "format", (long long)int_of(t->doc, "format-version"));
    buf_printf(out, "%-12s ", "updated");
    output_put_time_ms(out, iceberg_metadata_last_updated_ms(t->metadata));
    if (snapshot_id < 0) {
        buf_printf(out, "\n%-12s none\n", "snapshot");
    } else {
        buf_printf(out, "\n%-12s %lld\n", "snapshot", (long long)snapshot_id);
    }
}

static enum err_code put_columns(struct buf *out, const struct inspected_columns *columns,
                                 const json_t *schema, struct err *e)
{
    static const char *const headers[] = {"  ID", "COLUMN", "TYPE", "REQUIRED"};
    struct output_table table = {.headers = headers, .column_count = 4};

    buf_printf(out, "\nschema %lld\n", (long long)int_of(schema, "schema-id"));
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct inspected_column *c = &columns->items[i];
        struct buf cell = {0};

        buf_printf(&cell, "  %d", c->id);
        output_table_add(&table, buf_cstr(&cell));
        buf_reset(&cell);
        inspect_put_plain(&cell, c->name);
        output_table_add(&table, buf_cstr(&cell));
        buf_reset(&cell);
        inspect_put_plain(&cell, c->type);
        output_table_add(&table, buf_cstr(&cell));
        output_table_add(&table, c->required ? "yes" : "no");
        buf_deinit(&cell);
    }
    enum err_code rc = output_table_print(&table, out, e);

    output_table_deinit(&table);
    return rc;
}

static void put_spec(struct inspected_table *t, const struct inspected_columns *columns)
{
    const json_t *spec = find_by_id(json_object_get(t->doc, "partition-specs"), "spec-id",
                                    int_of(t->doc, "default-spec-id"));
    const json_t *fields =
        spec == NULL ? json_object_get(t->doc, "partition-spec") : json_object_get(spec, "fields");
    size_t i;
    json_t *field;

    buf_printf(&t->out, "\npartitions, spec %lld%s\n", (long long)int_of(t->doc, "default-spec-id"),
               json_array_size(fields) == 0 ? ": none" : "");
    json_array_foreach(fields, i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        const char *transform = json_string_value(json_object_get(field, "transform"));
        const struct inspected_column *source =
            inspect_columns_find(columns, (int32_t)int_of(field, "source-id"));

        buf_append_str(&t->out, "  ");
        inspect_put_plain(&t->out, name == NULL ? "" : name);
        buf_append_str(&t->out, " = ");
        inspect_put_plain(&t->out, transform == NULL ? "" : transform);
        buf_u8(&t->out, '(');
        inspect_put_plain(&t->out, source == NULL ? "?" : source->name);
        buf_printf(&t->out, "), field %lld\n", (long long)int_of(field, "field-id"));
    }
}

static void put_properties(struct inspected_table *t)
{
    json_t *properties = json_object_get(t->doc, "properties");
    const char *key;
    json_t *value;

    buf_append_str(&t->out, "\nproperties\n");
    json_object_foreach(properties, key, value)
    {
        if (!str_starts_with(key, CHECKPOINT_PROPERTY_PREFIX)) {
            buf_append_str(&t->out, "  ");
            inspect_put_plain(&t->out, key);
            buf_append_str(&t->out, " = ");
            inspect_put_plain(&t->out, json_string_value(value));
            buf_u8(&t->out, '\n');
        }
    }
}

static void put_source_columns(struct buf *out, const struct table_def *def)
{
    buf_append_str(out, "  columns    ");
    for (uint32_t i = 0; i < def->column_count; i++) {
        const struct column_def *c = &def->columns[i];

        buf_append_str(out, i == 0 ? "" : ", ");
        inspect_put_plain(out, c->name);
        buf_u8(out, ' ');
        buf_append_str(out, c->type_text == NULL ? column_type_name(c->type) : c->type_text);
    }
    buf_append_str(out, "\n  key        ");
    for (uint32_t i = 0; i < def->key_count; i++) {
        buf_append_str(out, i == 0 ? "" : ", ");
        inspect_put_plain(out, def->columns[def->key[i]].name);
    }
    buf_append_str(out, def->key_count == 0 ? "none\n" : "\n");
}

static void put_checkpoint(struct buf *out, const struct checkpoint *c)
{
    buf_append_str(out, "  position   ");
    inspect_put_plain(out, c->position.file);
    buf_printf(out, ":%llu\n", (unsigned long long)c->position.offset);
    if (c->gtids != NULL) {
        buf_append_str(out, "  gtids      ");
        inspect_put_plain(out, c->gtids);
        buf_u8(out, '\n');
    }
    buf_append_str(out, "  source     ");
    inspect_put_plain(out, c->source);
    buf_append_str(out, "\n  cut        ");
    output_put_time(out, c->time_us);
    buf_printf(out,
               "\n  copied     %s\n  commits    %llu, the last with rows was %llu\n  run        ",
               c->copied ? "yes" : "no", (unsigned long long)c->ordinal,
               (unsigned long long)c->data_ordinal);
    inspect_put_plain(out, c->run);
    buf_u8(out, '\n');
    if (c->def != NULL) {
        put_source_columns(out, c->def);
    }
}

static enum err_code checkpoint_as_text(struct inspected_table *t, const char *connection,
                                        const char *text, bool first, struct err *e)
{
    struct checkpoint checkpoint = {0};
    struct err why = {0};

    (void)first;
    buf_append_str(&t->out, "\ncheckpoint of connection ");
    inspect_put_plain(&t->out, connection);
    buf_u8(&t->out, '\n');
    enum err_code rc = checkpoint_parse(text, &checkpoint, &why);

    if (rc == ERR_OK) {
        put_checkpoint(&t->out, &checkpoint);
    } else if (rc != ERR_NOMEM) {
        /* The rest of the table can still be looked at. */
        buf_printf(&t->out, "  not readable: %s\n  ", why.msg);
        inspect_put_plain(&t->out, text);
        buf_u8(&t->out, '\n');
        rc = ERR_OK;
    } else {
        rc = err_nomem(e);
    }
    checkpoint_deinit(&checkpoint);
    return rc;
}

static void put_summary(struct buf *out, json_t *summary)
{
    const char *key;
    json_t *value;
    bool first = true;

    json_object_foreach(summary, key, value)
    {
        if (strcmp(key, "operation") != 0) {
            buf_append_str(out, first ? "" : " ");
            inspect_put_plain(out, key);
            buf_u8(out, '=');
            inspect_put_plain(out, json_string_value(value));
            first = false;
        }
    }
}

static void add_snapshot(struct output_table *table, const json_t *snapshot, bool current)
{
    json_t *summary = json_object_get(snapshot, "summary");
    const char *operation = json_string_value(json_object_get(summary, "operation"));
    struct buf cell = {0};

    buf_printf(&cell, "%s%lld", current ? "* " : "  ", (long long)int_of(snapshot, "snapshot-id"));
    output_table_add(table, buf_cstr(&cell));
    buf_reset(&cell);
    output_put_time_ms(&cell, int_of(snapshot, "timestamp-ms"));
    output_table_add(table, buf_cstr(&cell));
    buf_reset(&cell);
    inspect_put_plain(&cell, operation == NULL ? "" : operation);
    output_table_add(table, buf_cstr(&cell));
    buf_reset(&cell);
    put_summary(&cell, summary);
    output_table_add(table, buf_cstr(&cell));
    buf_deinit(&cell);
}

static enum err_code put_snapshots(struct inspected_table *t, struct err *e)
{
    static const char *const headers[] = {"  ID", "TIME", "OPERATION", "SUMMARY"};
    struct output_table table = {.headers = headers, .column_count = 4};
    int64_t current = iceberg_metadata_snapshot_id(t->metadata);
    const json_t *snapshots = json_object_get(t->doc, "snapshots");
    size_t i;
    json_t *snapshot;

    buf_printf(&t->out, "\nsnapshots: %zu\n", json_array_size(snapshots));
    json_array_foreach(snapshots, i, snapshot)
    {
        add_snapshot(&table, snapshot, int_of(snapshot, "snapshot-id") == current);
    }
    enum err_code rc = i == 0 ? ERR_OK : output_table_print(&table, &t->out, e);

    output_table_deinit(&table);
    return rc;
}

enum err_code inspect_metadata_text(struct inspected_table *t,
                                    const struct inspected_columns *columns, struct err *e)
{
    put_head(t);
    ERR_TRY(put_columns(&t->out, columns, current_schema(t->doc), e));
    put_spec(t, columns);
    put_properties(t);
    ERR_TRY(each_checkpoint(t, checkpoint_as_text, e));
    return put_snapshots(t, e);
}
