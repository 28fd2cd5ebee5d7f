/* A scan or a label map in memory: voxels as stored, and where they lie in the patient. */
#ifndef SAT_IMAGE_VOLUME_H
#define SAT_IMAGE_VOLUME_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where voxels lie in the patient.
 * World axes are RAS+ in millimetres: x to the patient's right, y to the front, z to the head.
 * Voxel (i, j, k) has its CENTRE at  voxel_to_world * (i, j, k, 1). */
typedef struct geometry {
    int64_t shape_ijk[3];        /* voxels along the file's axes; each >= 1              */
    double voxel_to_world[3][4]; /* mm; the last column is the centre of voxel (0, 0, 0) */
} geometry;

typedef enum voxel_type {
    VOXEL_UINT8, VOXEL_INT8, VOXEL_UINT16, VOXEL_INT16, VOXEL_UINT32, VOXEL_INT32,
    VOXEL_UINT64, VOXEL_INT64, VOXEL_FLOAT32, VOXEL_FLOAT64,
} voxel_type;

/* Bytes of one voxel. */
size_t voxel_bytes(voxel_type type);

/* What a NIfTI header says about position, kept so that a mask goes back into the file's own
 * geometry unchanged. For scans from elsewhere it is filled to mean the same (sform only). */
typedef struct volume_form {
    int nifti_version;               /* 1 or 2: what follows was in a file; 0: not from NIfTI, nothing follows   */
    int qform_code, sform_code;      /* 0 to 5; anything else in a file counts as 0                              */
    double quaternion_bcd[3], quaternion_offset_mm[3];
    double srow_mm[3][4];            /* NIfTI-1's float32 numbers, widened, so that they go back unchanged       */
    double pixdim[8];                /* [0] is qfac, -1 or 1; [1..3] spacing, never negative or 0                */
    uint8_t xyzt_units;
} volume_form;

/* Things worth telling the user that did not stop the reading; a bit set. */
enum {
    VOLUME_WARNS_NO_FORM = 1 << 0,       /* neither sform nor qform: position and side are guessed  */
    VOLUME_WARNS_FORMS_DIFFER = 1 << 1,  /* sform and qform contradict each other                   */
    VOLUME_WARNS_FORM_REPAIRED = 1 << 2, /* the sform contradicted the spacing; the qform was taken */
    VOLUME_WARNS_SHEARED = 1 << 3,       /* axes not perpendicular                                  */
    VOLUME_WARNS_LEFT_HANDED = 1 << 4,   /* mirrored axes (legal, and common for LAS)               */
    VOLUME_WARNS_NOT_FINITE = 1 << 5,    /* NaN or infinite voxels                                  */
    VOLUME_WARNS_TRAILING = 1 << 6,      /* more bytes in the file than the header promises         */
    VOLUME_WARNS_UNITS = 1 << 7,         /* the header says metres or micrometres; taken as mm      */
    VOLUME_WARNS_END = 1 << 8,           /* no warning: one past the last, for loops over all bits  */
};

/* Voxels as the file stores them. A physical value is, in double, slope * stored + intercept,
 * rounded to float32; no arithmetic at all where `scaled` is false. */
typedef struct volume {
    geometry grid;           /* voxel_to_world as used (after the repair of pipeline.md, section 1) */
    voxel_type type;
    void *stored;            /* owned; [k][j][i], i fastest; native byte order; aligned for its type */
    void *memory;            /* owned; the block that `stored` lies in; NULL: `stored` is the block */
    bool scaled;
    double slope, intercept;
    volume_form form;
    unsigned warnings;       /* VOLUME_WARNS_...                                                    */
    int64_t volumes_in_file; /* length of the fourth axis; 1 for an ordinary scan                   */
} volume;

/* i * j * k. */
size_t volume_voxels(const volume *v);

/* "int16", "float32", ...; static storage. */
const char *voxel_type_name(voxel_type type);

/* Physical values of voxels [first, first + count), in storage order (i fastest). Thread-safe: threads share the
 * work by taking ranges. Source of the arithmetic: pipeline.md, section 1 (product and sum in double, one rounding). */
void volume_values(const volume *v, size_t first, size_t count, float *values);

/* One sentence for the user about a VOLUME_WARNS_ bit; static storage. To say all that a volume warns of:
 *     for (unsigned bit = 1; bit < VOLUME_WARNS_END; bit <<= 1)
 *         if (v.warnings & bit) say(volume_warning_text(bit)); */
const char *volume_warning_text(unsigned bit);

/* Frees the voxels. Safe on a zeroed volume and when called twice. */
void volume_free(volume *v);

#endif
