/* The description of a model as the JSON text that its file carries (docs/model-files.md). */
#ifndef SAT_MODEL_DESCRIPTION_JSON_H
#define SAT_MODEL_DESCRIPTION_JSON_H

#include "base/json.h"
#include "model/description.h"

enum { MODEL_SCHEMA = 1 }; /* a reader refuses larger numbers: it would misunderstand them */

/* Returns a new reference, or NULL when memory is short or a text is not UTF-8. */
json_t *model_description_to_json(const model_description *description);

/* Fails with SAT_BAD_INPUT when a field is missing or wrong, or when the numbers can't be a network (the description was
 * checked by model_description_check on success). */
sat_status model_description_from_json(const json_t *root, model_description *description, sat_error *error);

/* "mpnet", "bert", "none"; static storage. */
const char *text_kind_name(text_kind kind);

#endif
