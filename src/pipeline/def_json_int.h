/*
 * def_json_int.h - a table's definition as JSON, as checkpoints and notes carry it.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_PIPELINE_DEF_JSON_INT_H
#define CALVE_PIPELINE_DEF_JSON_INT_H

#include "model/table_def.h"
#include "pipeline/json_fields_int.h"

json_t *def_to_json(struct json_fields_out *p, const struct table_def *def);

/* In the arena of p; NULL when p has failed. */
struct table_def *def_from_json(struct json_fields_in *p, const json_t *o);

#endif
