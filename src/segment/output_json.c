#include "segment/output_json.h"

#include "segment/batch_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static json_t *name_or_null(const char *name) { return name && name[0] ? json_string(name) : json_null(); }

/* What a mask measures; nulls where there is nothing to measure. */
static void add_found(json_t *label, const label_statistics *found)
{
    json_t *box = found->voxels ? json_array() : json_null();
    for (int a = 0; a < 3 && found->voxels; a++)
        json_array_append_new(box, integers(found->box_ijk[a], 2));
    json_object_set_new(label, "voxels", json_integer(found->voxels));
    json_object_set_new(label, "volume_ml", json_real(found->volume_ml));
    json_object_set_new(label, "box_ijk", box);
    json_object_set_new(label, "centroid_mm", found->voxels ? numbers(found->centroid_mm, 3) : json_null());
    json_object_set_new(label, "mean", found->measured ? json_real(found->mean) : json_null());
    json_object_set_new(label, "standard_deviation", found->measured ? json_real(found->deviation) : json_null());
}

static json_t *labels_json(const volume *scan, const case_settings *settings, const case_result *result)
{
    json_t *labels = json_array();
    for (int i = 0; i < result->label_count; i++) {
        const case_label *l = &result->labels[i];
        json_t *label = json_object();
        json_object_set_new(label, "id", json_integer(i + 1));
        json_object_set_new(label, "name", json_string(l->name));
        json_object_set_new(label, "file", name_or_null(l->file));
        if (settings->probabilities) json_object_set_new(label, "probability_file", name_or_null(l->probability_file));
        add_found(label, &l->found);
        if (settings->minimum_volume_ml > 0 || settings->largest_component) {
            json_object_set_new(label, "parts", json_integer(l->parts.parts));
            json_object_set_new(label, "parts_removed", json_integer(l->parts.parts_removed));
            json_object_set_new(label, "voxels_removed", json_integer(l->parts.voxels_removed));
        }
        json_object_set_new(label, "cut_at", mask_faces_json(&l->seen, &scan->grid));
        json_object_set_new(label, "checks", check_list_json(&result->checks, i));
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
    json_object_set_new(scan, "file", name_or_null(settings->scan_name));
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
    json_object_set_new(model, "file", name_or_null(settings->model_name));
    json_object_set_new(model, "variant", json_string(d->variant));
    json_object_set_new(model, "identity", json_string(identity));
    json_object_set_new(model, "computed_in", json_string(element_name(segmenter_type(s))));
    json_object_set_new(model, "spacing_mm", numbers(d->spacing_mm, 3));
    json_object_set_new(model, "window_voxels", integers((const int64_t[]){d->window[0], d->window[1], d->window[2]}, 3));
    return model;
}

/* A float32 as the user wrote it: 0.3, not 0.300000012. */
static double shortest(float value)
{
    char words[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(words, sizeof words, "%.*g", digits, (double)value);
        if (strtof(words, NULL) == value) break;
    }
    return strtod(words, NULL);
}

static json_t *options_json(const case_settings *settings)
{
    const segment_request *request = &settings->request;
    json_t *options = json_object();
    json_object_set_new(options, "orientation_code", json_string(request->orientation_code ? request->orientation_code : "RAS"));
    json_object_set_new(options, "overlap", json_real(request->overlap));
    json_object_set_new(options, "skip_air", json_boolean(request->skip_air));
    json_object_set_new(options, "threshold", json_real(request->threshold > 0 ? shortest(request->threshold) : (double)MERGE_THRESHOLD));
    json_object_set_new(options, "minimum_volume_ml", json_real(settings->minimum_volume_ml));
    json_object_set_new(options, "largest_component", json_boolean(settings->largest_component));
    return options;
}

/* File name without folders, or null. */
static json_t *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return name_or_null(slash ? slash + 1 : path);
}

json_t *output_make_json(const segmenter *s, const volume *scan, const case_settings *settings, const case_result *result)
{
    json_t *root = json_object();
    json_object_set_new(root, "schema", json_integer(OUTPUT_SCHEMA));
    json_object_set_new(root, "program", json_string("sat3d"));
    json_object_set_new(root, "version", json_string(sat_version()));
    json_object_set_new(root, "notice", json_string("For research use. Not a medical device."));
    json_object_set_new(root, "scan", scan_json(scan, settings, &result->record));
    json_object_set_new(root, "model", model_json(s, settings));
    json_object_set_new(root, "options", options_json(settings));
    json_object_set_new(root, "windows", json_integer((json_int_t)result->record.windows));
    json_object_set_new(root, "windows_skipped", json_integer((json_int_t)result->record.windows_skipped));
    json_object_set_new(root, "label_map", base_name(settings->label_map));
    json_object_set_new(root, "warnings", warnings_json(result));
    json_object_set_new(root, "checks", check_list_json(&result->checks, CHECK_SCAN));
    json_object_set_new(root, "labels", labels_json(scan, settings, result));
    return root;
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
    json_t *root = output_make_json(s, scan, settings, result);
    const sat_status status =
        settings->behind ? hand_over(settings->behind, path, root, error) : json_write(path, root, JSON_AS_INSERTED, error);
    json_decref(root);
    return status;
}
