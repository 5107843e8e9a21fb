/* schema_int.h - a parsed Avro schema, inside the avro folder. */
#ifndef CALVE_AVRO_SCHEMA_INT_H
#define CALVE_AVRO_SCHEMA_INT_H

#include "avro/reader.h"

struct avro_schema_field {
    const char *name;
    int32_t id; /* field-id, -1 when there is none */
    struct avro_schema *type;
};

struct avro_schema {
    enum avro_type type;
    const char *name;    /* full name of a named type, NULL else */
    const char *logical; /* logicalType, NULL when there is none */
    uint32_t fixed_bytes;
    bool takes_no_bytes; /* every value of it is encoded as nothing */
    int32_t element_id;  /* ARRAY; these three -1 when there is none */
    int32_t key_id;      /* MAP */
    int32_t value_id;
    struct avro_schema *items;     /* ARRAY elements, MAP values */
    struct avro_schema **branches; /* UNION */
    struct avro_schema_field *fields;
    const char **symbols; /* ENUM */
    uint32_t count;       /* branches, fields, or symbols */
};

/*
 * Everything lives in arena. A named type may be referred to inside itself, so the tree can have
 * cycles. Errors: ERR_CORRUPT, ERR_NOMEM, ERR_LIMIT.
 */
MUST_USE enum err_code avro_schema_parse(struct span json, struct arena *arena,
                                         struct avro_schema **out, struct err *e);

#endif
