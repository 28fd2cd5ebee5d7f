/* A NIfTI or Analyze header, taken apart: between nifti_read.c and nifti_write.c; others include image/nifti.h. */
#ifndef SAT_IMAGE_NIFTI_HEADER_H
#define SAT_IMAGE_NIFTI_HEADER_H

#include "image/volume.h"

enum {
    NIFTI1_HEADER_BYTES = 348,
    NIFTI2_HEADER_BYTES = 540,
    NIFTI1_VOXELS_AT = 352, /* first possible place of the voxels in a single file: header and extension flag */
    NIFTI2_VOXELS_AT = 544,
};

/* Largest |cosine| between axes that counts as perpendicular: half a hundredth of a degree; a hundred times what float32
 * rounding makes of perpendicular axes, and about where ITK begins to refuse. */
#define NIFTI_SHEAR_LIMIT 1e-4

typedef enum nifti_kind { NIFTI_NONE, NIFTI_ANALYZE, NIFTI_1, NIFTI_2 } nifti_kind;

typedef struct nifti_header {
    nifti_kind kind;
    bool swapped;         /* the file's byte order is not this machine's                              */
    bool pair;            /* the voxels are in a file of their own                                    */
    int rank;             /* dim[0]                                                                   */
    geometry grid;        /* as used, after the repair                                                */
    int64_t volumes;      /* >= 1: product of the axes after the third                                */
    voxel_type type;
    bool scaled;
    double slope, intercept;
    uint64_t voxels_at;   /* byte in the (decompressed) file                                          */
    uint64_t volume_bytes; /* of one volume; volumes * volume_bytes + voxels_at fits in 63 bits       */
    volume_form form;
    unsigned warnings;    /* those that the header alone gives                                        */
} nifti_header;

/* What the bytes begin as, NIFTI_NONE for anything else; *swapped and *pair as above. Needs 348 bytes (540 for NIfTI-2). */
nifti_kind nifti_header_kind(const unsigned char *bytes, size_t size, bool *swapped, bool *pair);

/* Takes a header apart and checks all that it says. Fails with SAT_BAD_INPUT. */
sat_status nifti_header_parse(const unsigned char *bytes, size_t size, nifti_header *h, sat_error *error);

/* The affine that a reader uses for these forms: sform, qform or neither, after the repair; adds to *warnings.
 * `rank` is dim[0]: the repair looks at it. Fails with SAT_BAD_INPUT where the form that counts is not a position.
 * Source: pipeline.md, section 1. */
sat_status nifti_form_affine(const volume_form *form, int rank, const int64_t shape_ijk[3], double affine[3][4],
                             unsigned *warnings, sat_error *error);

#endif
