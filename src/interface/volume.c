#include "image/volume.h"

#include "image/geometry.h"
#include "image/nifti.h"
#include "image/orientation.h"
#include "image/volume_file.h"
#include "interface/handles.h"
#include "interface/sized.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_VOXELS = 160 };
#define SHEAR_LIMIT 1e-4 /* cosine between axes; as for the headers of files */

static sat_status begin(sat_volume **made, sat_error *error)
{
    if (!made) return sat_fail(error, SAT_BAD_ARGUMENT, "there is no place for the volume (NULL)");
    *made = calloc(1, sizeof **made);
    return *made ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for a scan");
}

static sat_status end(sat_volume **made, sat_status status)
{
    if (status == SAT_OK) return status;
    sat_volume_free(*made);
    *made = NULL;
    return status;
}

void sat_volume_free(sat_volume *v)
{
    if (!v) return;
    volume_free(&v->scan);
    free(v->name);
    free(v);
}

/* ---------------------------------------------------------------- from files */

sat_status sat_volume_read(const char *path, int64_t which, sat_volume **made, sat_error *error)
{
    sat_status status = begin(made, error);
    if (status != SAT_OK) return status;
    if (!path) return end(made, sat_fail(error, SAT_BAD_ARGUMENT, "the scan's path is NULL"));
    (*made)->name = base_name_copy(path);
    status = (*made)->name ? volume_read(path, which, &(*made)->scan, error) : sat_fail(error, SAT_NO_MEMORY, "no memory for a scan");
    return end(made, status);
}

sat_status sat_volume_parse(const void *data, size_t bytes, int64_t which, sat_volume **made, sat_error *error)
{
    sat_status status = begin(made, error);
    if (status != SAT_OK) return status;
    status = data ? nifti_parse(data, bytes, which, &(*made)->scan, error) : sat_fail(error, SAT_BAD_ARGUMENT, "the scan's bytes are NULL");
    return end(made, status);
}

/* ---------------------------------------------------------------- from voxels */

static const voxel_type types[] = {
    [SAT_VOXEL_UINT8] = VOXEL_UINT8,   [SAT_VOXEL_INT8] = VOXEL_INT8,     [SAT_VOXEL_UINT16] = VOXEL_UINT16,
    [SAT_VOXEL_INT16] = VOXEL_INT16,   [SAT_VOXEL_UINT32] = VOXEL_UINT32, [SAT_VOXEL_INT32] = VOXEL_INT32,
    [SAT_VOXEL_UINT64] = VOXEL_UINT64, [SAT_VOXEL_INT64] = VOXEL_INT64,   [SAT_VOXEL_FLOAT32] = VOXEL_FLOAT32,
    [SAT_VOXEL_FLOAT64] = VOXEL_FLOAT64,
};

static sat_status check_shape(const sat_voxels *from, uint64_t *bytes, sat_error *error)
{
    if (!from->voxels) return sat_fail(error, SAT_BAD_ARGUMENT, "the voxels are NULL");
    if ((int)from->type < 0 || (size_t)from->type >= sizeof types / sizeof *types)
        return sat_fail(error, SAT_BAD_ARGUMENT, "there is no voxel type %d", (int)from->type);
    *bytes = voxel_bytes(types[from->type]);
    for (int a = 0; a < 3; a++)
        if (from->shape_ijk[a] < 1 || __builtin_mul_overflow(*bytes, (uint64_t)from->shape_ijk[a], bytes) || *bytes > INT64_MAX / 2)
            return sat_fail(error, SAT_BAD_ARGUMENT, "a scan can't have %lld x %lld x %lld voxels", (long long)from->shape_ijk[0],
                            (long long)from->shape_ijk[1], (long long)from->shape_ijk[2]);
    return SAT_OK;
}

static sat_status check_affine(const double affine[3][4], unsigned *warnings, sat_error *error)
{
    double spacing[3];
    bool finite = true;
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            finite &= isfinite(affine[r][c]) != 0;
    affine_spacing(affine, spacing);
    const double determinant = affine_determinant(affine);
    if (!finite || !(fabs(determinant) > 1e-6 * spacing[0] * spacing[1] * spacing[2]))
        return sat_fail(error, SAT_BAD_ARGUMENT, "voxel_to_world_mm puts all voxels into a plane or nowhere; it is a 3 x 4 matrix, row by "
                        "row, from voxel indices to RAS+ millimetres");
    if (affine_shear(affine) > SHEAR_LIMIT) *warnings |= VOLUME_WARNS_SHEARED;
    if (determinant < 0) *warnings |= VOLUME_WARNS_LEFT_HANDED;
    return SAT_OK;
}

static bool all_finite(const volume *v)
{
    if (v->type != VOXEL_FLOAT32 && v->type != VOXEL_FLOAT64) return true;
    const size_t count = volume_voxels(v);
    for (size_t n = 0; n < count; n++)
        if (!isfinite(v->type == VOXEL_FLOAT32 ? (double)((const float *)v->stored)[n] : ((const double *)v->stored)[n])) return false;
    return true;
}

static sat_status copy_voxels(const sat_voxels *from, volume *v, sat_error *error)
{
    uint64_t bytes = 0;
    sat_status status = check_shape(from, &bytes, error);
    if (status == SAT_OK) status = check_affine(from->voxel_to_world_mm, &v->warnings, error);
    if (status == SAT_OK && (!isfinite(from->slope) || !isfinite(from->intercept)))
        status = sat_fail(error, SAT_BAD_ARGUMENT, "slope and intercept must be numbers, not %g and %g", from->slope, from->intercept);
    if (status != SAT_OK) return status;
    memcpy(v->grid.shape_ijk, from->shape_ijk, sizeof v->grid.shape_ijk);
    memcpy(v->grid.voxel_to_world, from->voxel_to_world_mm, sizeof v->grid.voxel_to_world);
    v->type = types[from->type];
    v->scaled = from->slope != 0 && (from->slope != 1 || from->intercept != 0);
    v->slope = v->scaled ? from->slope : 1;
    v->intercept = v->scaled ? from->intercept : 0;
    v->volumes_in_file = 1;
    v->stored = malloc((size_t)bytes);
    if (!v->stored) return sat_fail(error, SAT_NO_MEMORY, "%llu MB for the scan's voxels could not be had", (unsigned long long)(bytes >> 20));
    memcpy(v->stored, from->voxels, (size_t)bytes);
    if (!all_finite(v)) v->warnings |= VOLUME_WARNS_NOT_FINITE;
    return SAT_OK;
}

sat_status sat_volume_make(const sat_voxels *from, sat_volume **made, sat_error *error)
{
    sat_voxels mine = {0};
    sat_status status = begin(made, error);
    if (status != SAT_OK) return status;
    status = sized_read(&mine, sizeof mine, LEAST_VOXELS, from, "sat_voxels", error);
    if (status == SAT_OK) status = copy_voxels(&mine, &(*made)->scan, error);
    return end(made, status);
}

/* ---------------------------------------------------------------- looking */

void sat_volume_grid(const sat_volume *v, int64_t shape_ijk[3], double voxel_to_world_mm[3][4])
{
    if (shape_ijk) memcpy(shape_ijk, v->scan.grid.shape_ijk, sizeof v->scan.grid.shape_ijk);
    if (voxel_to_world_mm) memcpy(voxel_to_world_mm, v->scan.grid.voxel_to_world, sizeof v->scan.grid.voxel_to_world);
}

size_t sat_volume_voxels(const sat_volume *v) { return volume_voxels(&v->scan); }

const char *sat_volume_warning(const sat_volume *v, int index)
{
    for (unsigned bit = 1; index >= 0 && bit < VOLUME_WARNS_END; bit <<= 1)
        if (v->scan.warnings & bit && index-- == 0) return volume_warning_text(bit);
    return NULL;
}
