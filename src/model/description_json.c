#include "model/description_json.h"

#include <limits.h>
#include <string.h>

static const char *const kind_names[] = {[TEXT_NONE] = "none", [TEXT_MPNET] = "mpnet", [TEXT_BERT] = "bert"};
enum { KINDS = sizeof kind_names / sizeof *kind_names };

const char *text_kind_name(text_kind kind) { return kind_names[kind]; }

/* Both ways walk one table, so that no field can be written and not read. */
typedef struct size_field {
    const char *key;
    size_t offset;
} size_field;

#define FIELD(type, name)                                                                                              \
    {                                                                                                                  \
#name, offsetof(type, name)                                                                                    \
    }
static const size_field vision_fields[] = {
    FIELD(vision_sizes, stages),
    FIELD(vision_sizes, convolutions_per_stage),
    FIELD(vision_sizes, input_channels),
    FIELD(vision_sizes, text_width),
    FIELD(vision_sizes, query_width),
    FIELD(vision_sizes, query_projection_hidden),
    FIELD(vision_sizes, projection_hidden),
    FIELD(vision_sizes, query_heads),
    FIELD(vision_sizes, query_layers),
    FIELD(vision_sizes, query_feed_forward),
    FIELD(vision_sizes, mask_hidden),
    FIELD(vision_sizes, mid_heads),
};
static const size_field text_fields[] = {
    FIELD(text_sizes, vocabulary),
    FIELD(text_sizes, positions),
    FIELD(text_sizes, width),
    FIELD(text_sizes, layers),
    FIELD(text_sizes, heads),
    FIELD(text_sizes, feed_forward),
    FIELD(text_sizes, projection_hidden),
    FIELD(text_sizes, output_width),
    FIELD(text_sizes, modality_rows),
    FIELD(text_sizes, longest),
};
#undef FIELD
enum {
    VISION_FIELDS = sizeof vision_fields / sizeof *vision_fields,
    TEXT_FIELDS = sizeof text_fields / sizeof *text_fields
};

/* ---------------------------------------------------------------- writing */

static json_t *sizes_to_json(const void *sizes, const size_field *fields, int count)
{
    json_t *object = json_object();
    for (int i = 0; i < count; i++) {
        int value;
        memcpy(&value, (const char *)sizes + fields[i].offset, sizeof value);
        json_object_set_new(object, fields[i].key, json_integer(value));
    }
    return object;
}

static json_t *ints_to_json(const int *values, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_integer(values[i]));
    return array;
}

static json_t *numbers_to_json(const double *values, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_real(values[i]));
    return array;
}

static json_t *source_to_json(const char *name, const char *sha256)
{
    return json_pack("{s:o, s:s}", "file", json_string(name), "sha256", sha256);
}

static json_t *vision_to_json(const vision_sizes *v)
{
    json_t *object = sizes_to_json(v, vision_fields, VISION_FIELDS);
    json_object_set_new(object, "features", ints_to_json(v->features, v->stages));
    json_object_set_new(object, "mid_hidden", ints_to_json(v->mid_hidden, v->mid_heads));
    return object;
}

static json_t *text_to_json(const text_sizes *t)
{
    if (t->kind == TEXT_NONE) return json_null();
    json_t *object = json_pack("{s:s}", "kind", kind_names[t->kind]),
           *sizes = sizes_to_json(t, text_fields, TEXT_FIELDS);
    json_object_update(object, sizes);
    json_decref(sizes);
    json_object_set_new(object, "layer_norm_epsilon", json_real(t->layer_norm_epsilon));
    return object;
}

json_t *model_description_to_json(const model_description *d)
{
    json_t *root = json_object(), *sources = json_object();
    const double clip[] = {d->intensity.ct_clip_low_hu, d->intensity.ct_clip_high_hu};
    const double percentiles[] = {d->intensity.percentile_low, d->intensity.percentile_high};
    int failed = 0;
    failed |= json_object_set_new(root, "schema", json_integer(MODEL_SCHEMA));
    failed |= json_object_set_new(root, "variant", json_string(d->variant));
    failed |= json_object_set_new(root, "vision", vision_to_json(&d->vision));
    failed |= json_object_set_new(root, "text", text_to_json(&d->text));
    failed |= json_object_set_new(root, "spacing_mm", numbers_to_json(d->spacing_mm, 3));
    failed |= json_object_set_new(root, "window_voxels", ints_to_json(d->window, 3));
    failed |= json_object_set_new(root, "ct_clip_hu", numbers_to_json(clip, 2));
    failed |= json_object_set_new(root, "percentiles", numbers_to_json(percentiles, 2));
    failed |= json_object_set_new(root, "licence", json_string(d->licence));
    if (d->model_source_sha256[0])
        failed |= json_object_set_new(sources, "model", source_to_json(d->model_source_name, d->model_source_sha256));
    if (d->text_source_sha256[0])
        failed |= json_object_set_new(sources, "text", source_to_json(d->text_source_name, d->text_source_sha256));
    failed |= json_object_set_new(root, "sources", sources);
    if (!failed) return root;
    json_decref(root);
    return NULL;
}

/* ---------------------------------------------------------------- reading */

static sat_status sizes_from_json(const json_t *object, const char *where, void *sizes, const size_field *fields,
                                  int count, sat_error *error)
{
    sat_status status = SAT_OK;
    for (int i = 0; status == SAT_OK && i < count; i++) {
        int value = 0;
        status = json_field_int(object, where, fields[i].key, JSON_REQUIRED, 0, INT_MAX, &value, error);
        memcpy((char *)sizes + fields[i].offset, &value, sizeof value);
    }
    return status;
}

static sat_status vision_from_json(const json_t *root, vision_sizes *v, sat_error *error)
{
    const json_t *object = NULL;
    sat_status status = json_field_object(root, "", "vision", JSON_REQUIRED, &object, error);
    if (status == SAT_OK) status = sizes_from_json(object, "vision", v, vision_fields, VISION_FIELDS, error);
    if (status != SAT_OK) return status;
    if (v->stages > MODEL_STAGES_MAX || v->mid_heads > MODEL_MID_HEADS_MAX)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the model has %d stages and %d mid heads, but at most %d and %d are supported", v->stages,
                        v->mid_heads, MODEL_STAGES_MAX, MODEL_MID_HEADS_MAX);
    status =
        json_field_ints(object, "vision", "features", JSON_REQUIRED, (size_t)v->stages, 1, INT_MAX, v->features, error);
    if (status != SAT_OK) return status;
    return json_field_ints(object, "vision", "mid_hidden", JSON_REQUIRED, (size_t)v->mid_heads, 1, INT_MAX,
                           v->mid_hidden, error);
}

static sat_status text_from_json(const json_t *root, text_sizes *t, sat_error *error)
{
    const json_t *object = NULL;
    char kind[16] = "";
    sat_status status = json_field_object(root, "", "text", JSON_OPTIONAL, &object, error);
    if (status != SAT_OK || !object) return status;
    status = json_field_text(object, "text", "kind", JSON_REQUIRED, kind, sizeof kind, error);
    for (int i = TEXT_MPNET; i < KINDS; i++)
        if (strcmp(kind, kind_names[i]) == 0) t->kind = (text_kind)i;
    if (status == SAT_OK && t->kind == TEXT_NONE)
        return sat_fail(error, SAT_BAD_INPUT, "the text encoder's kind \"%s\" is unknown to this version", kind);
    if (status == SAT_OK) status = sizes_from_json(object, "text", t, text_fields, TEXT_FIELDS, error);
    if (status != SAT_OK) return status;
    return json_field_number(object, "text", "layer_norm_epsilon", JSON_REQUIRED, &t->layer_norm_epsilon, error);
}

static sat_status source_from_json(const json_t *sources, const char *key, char name[128], char sha256[65],
                                   sat_error *error)
{
    const json_t *object = NULL;
    sat_status status = json_field_object(sources, "sources", key, JSON_OPTIONAL, &object, error);
    if (status != SAT_OK || !object) return status;
    status = json_field_text(object, key, "file", JSON_REQUIRED, name, 128, error);
    return status == SAT_OK ? json_field_text(object, key, "sha256", JSON_REQUIRED, sha256, 65, error) : status;
}

static sat_status rules_from_json(const json_t *root, model_description *d, sat_error *error)
{
    double clip[2] = {0}, percentiles[2] = {0};
    sat_status status = json_field_numbers(root, "", "spacing_mm", JSON_REQUIRED, 3, d->spacing_mm, error);
    if (status == SAT_OK)
        status = json_field_ints(root, "", "window_voxels", JSON_REQUIRED, 3, 1, INT_MAX, d->window, error);
    if (status == SAT_OK) status = json_field_numbers(root, "", "ct_clip_hu", JSON_REQUIRED, 2, clip, error);
    if (status == SAT_OK) status = json_field_numbers(root, "", "percentiles", JSON_REQUIRED, 2, percentiles, error);
    d->intensity = (intensity_rules){clip[0], clip[1], percentiles[0], percentiles[1]};
    return status;
}

sat_status model_description_from_json(const json_t *root, model_description *d, sat_error *error)
{
    const json_t *sources = NULL;
    int schema = 0;
    *d = (model_description){0};
    sat_status status = json_field_int(root, "", "schema", JSON_REQUIRED, 1, INT_MAX, &schema, error);
    if (status == SAT_OK && schema > MODEL_SCHEMA)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the model was written by a newer version of sat3d (schema %d, this one reads %d); "
                        "update sat3d",
                        schema, MODEL_SCHEMA);
    if (status == SAT_OK)
        status = json_field_text(root, "", "variant", JSON_REQUIRED, d->variant, sizeof d->variant, error);
    if (status == SAT_OK) status = vision_from_json(root, &d->vision, error);
    if (status == SAT_OK) status = text_from_json(root, &d->text, error);
    if (status == SAT_OK) status = rules_from_json(root, d, error);
    if (status == SAT_OK)
        status = json_field_text(root, "", "licence", JSON_OPTIONAL, d->licence, sizeof d->licence, error);
    if (status == SAT_OK) status = json_field_object(root, "", "sources", JSON_OPTIONAL, &sources, error);
    if (status == SAT_OK && sources) {
        status = source_from_json(sources, "model", d->model_source_name, d->model_source_sha256, error);
        if (status == SAT_OK)
            status = source_from_json(sources, "text", d->text_source_name, d->text_source_sha256, error);
    }
    return status == SAT_OK ? model_description_check(d, error) : status;
}
