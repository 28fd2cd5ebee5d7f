#include "segment/output.h"

#include "base/file.h"
#include "base/json.h"
#include "image/geometry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_SCHEMA = 1 };

/* ---------------------------------------------------------------- masks */

sat_status output_open(const char *folder, const segment_request *request, const volume *scan, int threads, output *out,
                       sat_error *error)
{
    *out = (output){.folder = folder, .request = request, .scan = scan, .threads = threads};
    const size_t count = (size_t)request->prompt_count;
    char(*names)[FILE_NAME_MAX] = malloc(count * sizeof *names);
    out->labels = calloc(count, sizeof *out->labels);
    sat_status status = SAT_OK;
    if (!names || !out->labels) status = sat_fail(error, SAT_NO_MEMORY, "no memory for the names of %zu masks", count);
    if (status == SAT_OK) status = folder_make(folder, error);
    if (status == SAT_OK) status = file_names_of(request->prompts, count, names, error);
    for (size_t i = 0; i < count && status == SAT_OK; i++)
        snprintf(out->labels[i].file, sizeof out->labels[i].file, "%s.nii.gz", names[i]);
    free(names);
    if (status != SAT_OK) output_close(out);
    return status;
}

void output_close(output *out)
{
    nifti_writer_abandon(&out->writer);
    free(out->labels);
    out->labels = NULL;
}

/* folder/name, new. */
static char *path_in(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    const size_t length = strlen(folder);
    if (path) snprintf(path, size, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
    return path;
}

static sat_status mask_begin(void *context, int prompt, sat_error *error)
{
    output *out = context;
    char *path = path_in(out->folder, out->labels[prompt].file);
    if (!path) return sat_fail(error, SAT_NO_MEMORY, "no memory for a file's name");
    const nifti_write_options options = {.threads = out->threads, .level = GZIP_LEVEL_LABELS};
    const sat_status status = nifti_writer_open_like(path, out->scan, VOXEL_UINT8, &options, &out->writer, error);
    free(path);
    return status;
}

static sat_status mask_slices(void *context, const uint8_t *mask, size_t voxels, sat_error *error)
{
    output *out = context;
    return nifti_writer_add(&out->writer, mask, voxels, error);
}

/* Slices without a voxel of the mask: the compressor knows how zeros look. */
static sat_status mask_nothing(void *context, size_t voxels, sat_error *error)
{
    output *out = context;
    return nifti_writer_add(&out->writer, NULL, voxels, error);
}

static sat_status mask_end(void *context, int prompt, const restore_found *found, sat_error *error)
{
    output *out = context;
    out->labels[prompt].found = *found;
    out->warnings |= out->writer.warnings;
    return nifti_writer_commit(&out->writer, error);
}

segment_sink output_sink(output *out)
{
    return (segment_sink){.context = out, .begin = mask_begin, .slices = {.context = out, .mask = mask_slices, .nothing = mask_nothing}, .end = mask_end};
}

/* ---------------------------------------------------------------- the side-car */

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

double output_volume_ml(const output *out, int prompt)
{
    return (double)out->labels[prompt].found.voxels * fabs(affine_determinant(out->scan->grid.voxel_to_world)) / 1000.0;
}

static json_t *labels_json(const output *out)
{
    json_t *labels = json_array();
    for (int i = 0; i < out->request->prompt_count; i++) {
        const output_label *l = &out->labels[i];
        json_t *label = json_object();
        json_object_set_new(label, "name", json_string(out->request->prompts[i]));
        json_object_set_new(label, "file", json_string(l->file));
        json_object_set_new(label, "voxels", json_integer(l->found.voxels));
        json_object_set_new(label, "volume_ml", json_real(output_volume_ml(out, i)));
        json_t *box = l->found.voxels ? json_array() : json_null();
        for (int a = 0; a < 3 && l->found.voxels; a++)
            json_array_append_new(box, integers(l->found.box_ijk[a], 2));
        json_object_set_new(label, "box_ijk", box);
        json_array_append_new(labels, label);
    }
    return labels;
}

static json_t *warnings_json(const output *out, const segment_record *record)
{
    json_t *warnings = json_array();
    const unsigned of_scan = out->scan->warnings | out->warnings;
    for (unsigned bit = 1; bit && bit <= of_scan; bit <<= 1)
        if (of_scan & bit) json_array_append_new(warnings, json_string(volume_warning_text(bit)));
    for (size_t i = 0; i < sizeof record->standard_warning_texts / sizeof *record->standard_warning_texts; i++)
        if (record->standard_warning_texts[i][0]) json_array_append_new(warnings, json_string(record->standard_warning_texts[i]));
    return warnings;
}

static json_t *scan_json(const output *out, const segment_record *record, const output_provenance *from)
{
    json_t *scan = json_object(), *affine = json_array();
    json_object_set_new(scan, "file", json_string(from->scan_name));
    json_object_set_new(scan, "modality", json_string(out->request->modality));
    if (from->modality_note) json_object_set_new(scan, "modality_note", json_string(from->modality_note));
    json_object_set_new(scan, "shape_ijk", integers(out->scan->grid.shape_ijk, 3));
    for (int r = 0; r < 3; r++)
        json_array_append_new(affine, numbers(out->scan->grid.voxel_to_world[r], 4));
    json_object_set_new(scan, "voxel_to_world_mm", affine);
    json_object_set_new(scan, "processed_shape_xyz", integers(record->processed_shape_xyz, 3));
    json_object_set_new(scan, "clip_low", json_real(record->statistics.clip_low));
    json_object_set_new(scan, "clip_high", json_real(record->statistics.clip_high));
    json_object_set_new(scan, "mean", json_real(record->statistics.mean));
    json_object_set_new(scan, "standard_deviation", json_real(record->statistics.std));
    return scan;
}

static json_t *model_json(const segmenter *s, const output_provenance *from)
{
    const model_description *d = model_file_description(segmenter_model(s));
    char identity[HASH_SHA256_TEXT];
    model_file_identity(segmenter_model(s), identity);
    json_t *model = json_object();
    json_object_set_new(model, "file", json_string(from->model_name));
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

sat_status output_write_record(const output *out, const segmenter *s, const segment_record *record,
                               const output_provenance *from, sat_error *error)
{
    json_t *root = json_object();
    char *path = path_in(out->folder, "segmentation.json");
    sat_status status;
    json_object_set_new(root, "schema", json_integer(OUTPUT_SCHEMA));
    json_object_set_new(root, "program", json_string("sat3d"));
    json_object_set_new(root, "version", json_string(sat_version()));
    json_object_set_new(root, "notice", json_string("For research use. Not a medical device."));
    json_object_set_new(root, "scan", scan_json(out, record, from));
    json_object_set_new(root, "model", model_json(s, from));
    json_object_set_new(root, "options", options_json(out->request));
    json_object_set_new(root, "windows", json_integer((json_int_t)record->windows));
    json_object_set_new(root, "windows_skipped", json_integer((json_int_t)record->windows_skipped));
    json_object_set_new(root, "warnings", warnings_json(out, record));
    if (!root || !path || json_object_set_new(root, "labels", labels_json(out)) != 0)
        status = sat_fail(error, SAT_NO_MEMORY, "no memory for segmentation.json");
    else
        status = json_write(path, root, JSON_AS_INSERTED, error);
    json_decref(root);
    free(path);
    return status;
}
