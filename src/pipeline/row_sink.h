/*
 * row_sink.h - a row's values to its JSON payload.
 *
 * The form of every type is a contract with users: docs/types.md. Keys come in column order, the
 * text is compact UTF-8, and the same row gives the same bytes whichever way it was read.
 *
 * Owns:   a sink owns its prepared keys. Thread: read-only after it was made.
 */
#ifndef CALVE_PIPELINE_ROW_SINK_H
#define CALVE_PIPELINE_ROW_SINK_H

#include "base/buf.h"
#include "model/table_def.h"
#include "model/value.h"

struct json_sink;

/* def must outlive the sink. NULL when there is no memory. */
struct json_sink *json_sink_new(const struct table_def *def);
void json_sink_free(struct json_sink *s);

/* Appends the row as one JSON object. Failures are sticky in out. */
void json_sink_put(const struct json_sink *s, const struct value *values, struct buf *out);

#endif
