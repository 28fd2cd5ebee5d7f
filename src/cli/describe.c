#include "cli/describe.h"

#include "base/file.h"
#include "image/nifti.h"
#include "image/orientation.h"
#include "image/volume_file.h"
#include "model/checkpoint.h"
#include "model/description_json.h"
#include "model/model_file.h"
#include "model/tensors.h"

#include <string.h>

static json_t *ints(const int64_t *values, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_integer(values[i]));
    return array;
}

static json_t *tensor_row(const char *name, element_type type, const int64_t *shape, int dimensions)
{
    return json_pack("{s:s, s:s, s:o}", "name", name, "type", element_name(type), "shape", ints(shape, dimensions));
}

/* ---------------------------------------------------------------- a model file */

/* Parameters of each part that the model has, and of all. */
static sat_status count_parameters(const model_description *d, json_t *counts, sat_error *error)
{
    model_tensor_list lists[2] = {{0}, {0}};
    int64_t total = 0;
    sat_status status = model_tensors_vision(&d->vision, &lists[0], error);
    if (status == SAT_OK) status = model_tensors_text(&d->text, &lists[1], error);
    for (int i = 0; status == SAT_OK && i < 2; i++)
        for (model_part part = 0; part < MODEL_PARTS; part++) {
            const int64_t count = model_tensors_parameters(&lists[i], part);
            if (count) json_object_set_new(counts, model_part_name(part), json_integer(count));
            total += count;
        }
    json_object_set_new(counts, "total", json_integer(total));
    model_tensors_free(&lists[0]);
    model_tensors_free(&lists[1]);
    return status;
}

static void list_tensors(const safetensors *tensors, json_t *out)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < tensors->count; i++) {
        const safetensors_tensor *t = &tensors->tensors[i];
        json_array_append_new(rows, tensor_row(t->name, t->type, t->shape, t->dimensions));
    }
    json_object_set_new(out, "tensors", rows);
}

static sat_status describe_model(const char *path, const describe_options *options, json_t *out, sat_error *error)
{
    model_file *file = NULL;
    char identity[HASH_SHA256_TEXT];
    sat_status status = model_file_open(path, &file, error);
    if (status != SAT_OK) return status;
    const model_description *d = model_file_description(file);
    json_t *counts = json_object(), *facts = model_description_to_json(d);
    json_object_set_new(out, "kind", json_string("model"));
    json_object_set_new(out, "bytes", json_integer((json_int_t)model_file_tensors(file)->size));
    json_object_set_new(out, "type", json_string(element_name(model_file_type(file))));
    status = count_parameters(d, counts, error);
    json_object_set_new(out, "parameters", counts);
    json_object_update(out, facts); /* variant, sizes, spacing, window, licence, sources */
    json_decref(facts);
    model_file_identity(file, identity);
    json_object_set_new(out, "identity", json_string(identity));
    if (options->tensors) list_tensors(model_file_tensors(file), out);
    if (status == SAT_OK && options->verify) {
        status = model_file_verify(file, error);
        if (status == SAT_OK)
            json_object_set_new(out, "verified", json_true());
        else
            sat_fail_in(error, path, status);
    }
    model_file_close(file);
    return status;
}

/* ---------------------------------------------------------------- a checkpoint */

static sat_status describe_checkpoint(const char *path, json_t *out, sat_error *error)
{
    checkpoint c;
    const sat_status status = checkpoint_open(path, &c, error);
    if (status != SAT_OK) return status;
    int64_t elements = 0;
    json_t *rows = json_array();
    for (size_t i = 0; i < c.count; i++) {
        const checkpoint_tensor *t = &c.tensors[i];
        json_array_append_new(rows, tensor_row(t->name, t->type, t->shape, t->dimensions));
        elements += t->elements;
    }
    json_object_set_new(out, "kind", json_string("PyTorch checkpoint"));
    json_object_set_new(out, "bytes", json_integer((json_int_t)c.map.size));
    json_object_set_new(out, "step", c.step >= 0 ? json_integer(c.step) : json_null());
    json_object_set_new(out, "tensor_count", json_integer((json_int_t)c.count));
    json_object_set_new(out, "elements", json_integer(elements));
    json_object_set_new(out, "other_tensors", json_integer((json_int_t)c.other_tensors));
    json_object_set_new(out, "tensors", rows);
    checkpoint_close(&c);
    return SAT_OK;
}

/* ---------------------------------------------------------------- a scan */

static sat_status describe_scan(const char *path, json_t *out, sat_error *error)
{
    volume v;
    char code[4] = "";
    double spacing_mm[3];
    sat_error unused;
    /* The first of several is as good as any to show the grid; how many there are is said. */
    const sat_status status = volume_read(path, 0, &v, error);
    if (status != SAT_OK) return status;
    affine_spacing((const double(*)[4])v.grid.voxel_to_world, spacing_mm);
    json_t *affine = json_array(), *warnings = json_array(), *spacing = json_array();
    for (int i = 0; i < 3; i++) {
        const double *row = v.grid.voxel_to_world[i];
        json_array_append_new(affine, json_pack("[f, f, f, f]", row[0], row[1], row[2], row[3]));
        json_array_append_new(spacing, json_real(spacing_mm[i]));
    }
    for (unsigned bit = 1; bit < VOLUME_WARNS_END; bit <<= 1)
        if (v.warnings & bit) json_array_append_new(warnings, json_string(volume_warning_text(bit)));
    const bool oriented = orientation_code_of((const double(*)[4])v.grid.voxel_to_world, code, &unused) == SAT_OK;
    json_object_set_new(out, "kind", json_string("scan"));
    json_object_set_new(out, "shape", ints(v.grid.shape_ijk, 3));
    json_object_set_new(out, "volumes", json_integer(v.volumes_in_file));
    json_object_set_new(out, "spacing_mm", spacing);
    json_object_set_new(out, "orientation", oriented ? json_string(code) : json_null());
    json_object_set_new(out, "type", json_string(voxel_type_name(v.type)));
    if (v.scaled) {
        json_object_set_new(out, "slope", json_real(v.slope));
        json_object_set_new(out, "intercept", json_real(v.intercept));
    }
    json_object_set_new(out, "voxel_to_world", affine);
    json_object_set_new(out, "warnings", warnings);
    volume_free(&v);
    return SAT_OK;
}

/* ---------------------------------------------------------------- which of them */

sat_status describe_file(const char *path, const describe_options *options, json_t **description, sat_error *error)
{
    file_map map;
    *description = NULL;
    sat_status status = file_map_open(path, &map, error);
    if (status != SAT_OK) return status;
    const bool zip = map.size > 4 && memcmp(map.data, "PK\3\4", 4) == 0;
    const bool old = map.size > 2 && map.data[0] == 0x80 && map.data[1] == 2; /* the old container */
    const bool model = map.size > 8 && map.data[8] == '{';
    file_map_close(&map);
    json_t *out = json_object();
    if (!out) return sat_fail(error, SAT_NO_MEMORY, "no memory for the description");
    json_object_set_new(out, "file", json_string(path));
    if (zip || old)
        status = describe_checkpoint(path, out, error);
    else if (model)
        status = describe_model(path, options, out, error);
    else
        status = describe_scan(path, out, error);
    if (status == SAT_OK)
        *description = out;
    else
        json_decref(out);
    return status;
}
