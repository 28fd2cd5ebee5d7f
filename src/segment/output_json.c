#include "segment/output_json.h"

#include "base/json.h"
#include "segment/batch_writer.h"

#include <stdlib.h>

enum { OUTPUT_SCHEMA = 1 };

static json_t *integers(const int64_t *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer(values[i]));
    return array;
}

static json_t *numbers(const double *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_real(values[i]));
    return array;
}

static json_t *box_json(const restore_found *found)
{
    if (!found->voxels) return json_null();
    json_t *box = json_array();
    for (int a = 0; a < 3; a++)
        json_array_append_new(box, integers(found->box_ijk[a], 2));
    return box;
}

static json_t *labels_json(const case_result *result)
{
    json_t *labels = json_array();
    for (int i = 0; i < result->label_count; i++) {
        const case_label *l = &result->labels[i];
        json_t *label = json_object();
        json_object_set_new(label, "id", json_integer(i + 1));
        json_object_set_new(label, "name", json_string(l->name));
        json_object_set_new(label, "file", l->file[0] ? json_string(l->file) : json_null());
        json_object_set_new(label, "voxels", json_integer(l->found.voxels));
        json_object_set_new(label, "volume_ml", json_real(l->volume_ml));
        json_object_set_new(label, "box_ijk", box_json(&l->found));
        json_array_append_new(labels, label);
    }
    return labels;
}

static json_t *warnings_json(const case_result *result)
{
    json_t *warnings = json_array();
    for (int i = 0; i < result->warning_count; i++)
        json_array_append_new(warnings, json_string(result->warnings[i]));
    return warnings;
}

static json_t *scan_json(const volume *v, const case_settings *settings, const segment_record *record)
{
    json_t *scan = json_object(), *affine = json_array();
    json_object_set_new(scan, "file", settings->scan_name ? json_string(settings->scan_name) : json_null());
    json_object_set_new(scan, "modality", json_string(settings->request.modality));
    if (settings->modality_note) json_object_set_new(scan, "modality_note", json_string(settings->modality_note));
    json_object_set_new(scan, "shape_ijk", integers(v->grid.shape_ijk, 3));
    for (int r = 0; r < 3; r++)
        json_array_append_new(affine, numbers(v->grid.voxel_to_world[r], 4));
    json_object_set_new(scan, "voxel_to_world_mm", affine);
    json_object_set_new(scan, "processed_shape_xyz", integers(record->processed_shape_xyz, 3));
    json_object_set_new(scan, "clip_low", json_real(record->statistics.clip_low));
    json_object_set_new(scan, "clip_high", json_real(record->statistics.clip_high));
    json_object_set_new(scan, "mean", json_real(record->statistics.mean));
    json_object_set_new(scan, "standard_deviation", json_real(record->statistics.std));
    return scan;
}

static json_t *model_json(const segmenter *s, const case_settings *settings)
{
    const model_description *d = model_file_description(segmenter_model(s));
    char identity[HASH_SHA256_TEXT];
    model_file_identity(segmenter_model(s), identity);
    json_t *model = json_object();
    json_object_set_new(model, "file", settings->model_name ? json_string(settings->model_name) : json_null());
    json_object_set_new(model, "variant", json_string(d->variant));
    json_object_set_new(model, "identity", json_string(identity));
    json_object_set_new(model, "computed_in", json_string(element_name(segmenter_type(s))));
    json_object_set_new(model, "spacing_mm", numbers(d->spacing_mm, 3));
    json_object_set_new(model, "window_voxels", integers((const int64_t[]){d->window[0], d->window[1], d->window[2]}, 3));
    return model;
}

static json_t *options_json(const segment_request *request)
{
    json_t *options = json_object();
    json_object_set_new(options, "orientation_code", json_string(request->orientation_code ? request->orientation_code : "RAS"));
    json_object_set_new(options, "overlap", json_real(request->overlap));
    json_object_set_new(options, "skip_air", json_boolean(request->skip_air));
    return options;
}

/* json_write's bytes, behind the masks. */
static sat_status hand_over(batch_files *behind, const char *path, const json_t *root, sat_error *error)
{
    size_t size = 0;
    char *bytes = json_text(root, JSON_PRETTY, JSON_AS_INSERTED, &size);
    return batch_files_whole(behind, path, bytes, size, error);
}

sat_status output_write_json(const char *path, const segmenter *s, const volume *scan, const case_settings *settings,
                             const case_result *result, sat_error *error)
{
    json_t *root = json_object();
    json_object_set_new(root, "schema", json_integer(OUTPUT_SCHEMA));
    json_object_set_new(root, "program", json_string("sat3d"));
    json_object_set_new(root, "version", json_string(sat_version()));
    json_object_set_new(root, "notice", json_string("For research use. Not a medical device."));
    json_object_set_new(root, "scan", scan_json(scan, settings, &result->record));
    json_object_set_new(root, "model", model_json(s, settings));
    json_object_set_new(root, "options", options_json(&settings->request));
    json_object_set_new(root, "windows", json_integer((json_int_t)result->record.windows));
    json_object_set_new(root, "windows_skipped", json_integer((json_int_t)result->record.windows_skipped));
    json_object_set_new(root, "warnings", warnings_json(result));
    json_object_set_new(root, "labels", labels_json(result));
    const sat_status status =
        settings->behind ? hand_over(settings->behind, path, root, error) : json_write(path, root, JSON_AS_INSERTED, error);
    json_decref(root);
    return status;
}
