#include "image/volume.h"

#include <stdlib.h>

size_t voxel_bytes(voxel_type type)
{
    switch (type) {
    case VOXEL_UINT8:
    case VOXEL_INT8: return 1;
    case VOXEL_UINT16:
    case VOXEL_INT16: return 2;
    case VOXEL_UINT32:
    case VOXEL_INT32:
    case VOXEL_FLOAT32: return 4;
    case VOXEL_UINT64:
    case VOXEL_INT64:
    case VOXEL_FLOAT64: return 8;
    }
    return 0;
}

const char *voxel_type_name(voxel_type type)
{
    switch (type) {
    case VOXEL_UINT8: return "uint8";
    case VOXEL_INT8: return "int8";
    case VOXEL_UINT16: return "uint16";
    case VOXEL_INT16: return "int16";
    case VOXEL_UINT32: return "uint32";
    case VOXEL_INT32: return "int32";
    case VOXEL_UINT64: return "uint64";
    case VOXEL_INT64: return "int64";
    case VOXEL_FLOAT32: return "float32";
    case VOXEL_FLOAT64: return "float64";
    }
    return "unknown";
}

size_t volume_voxels(const volume *v)
{
    return (size_t)v->grid.shape_ijk[0] * (size_t)v->grid.shape_ijk[1] * (size_t)v->grid.shape_ijk[2];
}

/* One loop per type and per kind of arithmetic, without branches inside, so that the compiler makes vectors of it. */
#define CONVERT(C_TYPE)                                                            \
    do {                                                                           \
        const C_TYPE *restrict stored = (const C_TYPE *)v->stored + first;         \
        if (v->scaled)                                                             \
            for (size_t n = 0; n < count; n++)                                     \
                values[n] = (float)(slope * (double)stored[n] + intercept);        \
        else                                                                       \
            for (size_t n = 0; n < count; n++)                                     \
                values[n] = (float)stored[n];                                      \
    } while (0)

void volume_values(const volume *v, size_t first, size_t count, float *restrict values)
{
    const double slope = v->slope, intercept = v->intercept;
    switch (v->type) {
    case VOXEL_UINT8: CONVERT(uint8_t); break;
    case VOXEL_INT8: CONVERT(int8_t); break;
    case VOXEL_UINT16: CONVERT(uint16_t); break;
    case VOXEL_INT16: CONVERT(int16_t); break;
    case VOXEL_UINT32: CONVERT(uint32_t); break;
    case VOXEL_INT32: CONVERT(int32_t); break;
    case VOXEL_UINT64: CONVERT(uint64_t); break;
    case VOXEL_INT64: CONVERT(int64_t); break;
    case VOXEL_FLOAT32: CONVERT(float); break;
    case VOXEL_FLOAT64: CONVERT(double); break;
    }
}

const char *volume_warning_text(unsigned bit)
{
    switch (bit) {
    case VOLUME_WARNS_NO_FORM:
        return "the header says nothing about position or sides (no sform, no qform); taken as stored from right to "
               "left, back to front, bottom to top: check left and right before you trust them";
    case VOLUME_WARNS_FORMS_DIFFER:
        return "the header's two positions (sform and qform) contradict each other; the sform was used, other "
               "programs may use the qform";
    case VOLUME_WARNS_FORM_REPAIRED:
        return "the header's sform contradicts its voxel spacing while its qform agrees; the qform was used";
    case VOLUME_WARNS_SHEARED:
        return "the scan's axes are not perpendicular (gantry tilt or an affine registration); it was used as it is, "
               "but some programs (ITK-SNAP, 3D Slicer) refuse or straighten such files";
    case VOLUME_WARNS_LEFT_HANDED:
        return "the voxel axes are mirrored (as in LAS order); sides were taken from the header";
    case VOLUME_WARNS_NOT_FINITE:
        return "some voxels are not-a-number or infinite";
    case VOLUME_WARNS_TRAILING:
        return "the file is longer than its header promises; the rest was ignored";
    case VOLUME_WARNS_UNITS:
        return "the header gives lengths in metres or micrometres; they were taken as millimetres, as most programs do";
    default: return "unknown warning";
    }
}

void volume_free(volume *v)
{
    free(v->memory ? v->memory : v->stored);
    *v = (volume){0};
}
