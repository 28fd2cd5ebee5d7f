/* From a scan as its file has it to what the network sees: oriented, respaced, cropped, with intensities on
 * one scale (pipeline.md, sections 2 to 5), and the record of how, for the way back (restore.h).
 *
 *   file's grid (i, j, k)   --orientation-->  oriented grid  --pull/push-->  spaced grid  --box-->  processed grid
 *
 * Oriented, spaced and processed arrays are [x][y][z], z fastest, where x, y, z stand for the oriented axes
 * 0, 1, 2 (H, W, D of the reference). */
#ifndef SAT_SEGMENT_STANDARDISE_H
#define SAT_SEGMENT_STANDARDISE_H

#include "image/orientation.h"
#include "image/regrid.h"
#include "image/volume.h"
#include "model/description.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct standard_settings {
    const char *modality;         /* the whole text: "ct" clips to Hounsfield bounds (modality.h); borrowed      */
    const char *orientation_code; /* NULL: "RAS"; "ASR" for sagittal spine scans; borrowed                       */
    double spacing_mm[3];         /* of the oriented axes, from the model's description                          */
    intensity_rules intensity;    /* likewise                                                                    */
    int threads;                  /* >= 1; changes no bit of the result                                          */
} standard_settings;

/* How processed voxels lie in the scan: plain numbers, free to copy. */
typedef struct standard_grid {
    geometry scan;                 /* the file's grid                                                          */
    orientation orient;            /* oriented axis a = file axis orient.source[a], reversed where orient.flip[a] */
    int64_t oriented_shape[3];
    double oriented_affine[3][4];  /* rounded to float32                                                       */
    regrid spaced;                 /* spaced.pull: spaced index -> oriented index; spaced.push: back           */
    int64_t box[3][2];             /* the crop within the spaced grid, half-open; the whole grid until cropped */
    int64_t shape_xyz[3];          /* of the processed volume                                                  */
    double affine[3][4];           /* processed index -> world mm                                              */
} standard_grid;

typedef struct intensity_statistics {
    double clip_low, clip_high; /* in the scan's units                                         */
    double mean, std;           /* of the clipped volume; std with divisor N                   */
} intensity_statistics;

/* Things worth telling the user that did not stop the work; a bit set. */
enum {
    STANDARD_WARNS_NO_FOREGROUND = 1 << 0, /* no voxel > 0: the whole volume was kept                    */
    STANDARD_WARNS_CONSTANT = 1 << 1,      /* all voxels equal after clipping: the network sees zeros    */
    STANDARD_WARNS_NOT_FINITE = 1 << 2,    /* NaN or infinite voxels were taken as background            */
};

typedef struct standard_scan {
    float *voxels;          /* owned; processed volume [x][y][z]                                            */
    standard_grid grid;
    intensity_statistics statistics;
    bool hounsfield;        /* clipped to Hounsfield bounds                                                 */
    float lowest;           /* smallest normalised value; for ct it is air (at or below the low clip bound) */
    unsigned warnings;      /* STANDARD_WARNS_...                                                           */
    int64_t not_finite;     /* voxels that were NaN or infinite                                             */
    int64_t first_not_finite_ijk[3];
} standard_scan;

/* The grids alone, without a look at the voxels; box, shape_xyz and affine are those of the whole spaced grid, so
 * the shape is an upper bound of what comes out. For plans.
 * Fails with SAT_BAD_ARGUMENT (orientation code, spacing) or SAT_BAD_INPUT (an affine that is no affine, a grid too
 * large). Thread-safe. */
sat_status standard_plan(const geometry *scan, const standard_settings *settings, standard_grid *grid, sat_error *error);

/* Peak bytes of standard_make beyond the scan itself: the spaced volume and the threads' scratch. */
size_t standard_peak_bytes(const standard_grid *grid, int threads);

/* The processed volume.
 *
 * NaN and infinite voxels count as background: 0, or the low clip bound for ct (air, after clipping); they are
 * counted, the first is named, and STANDARD_WARNS_NOT_FINITE is set (masked MR scans carry NaN outside the head).
 * A scan without one finite voxel fails.
 * No voxel > 0: the whole volume is kept. A constant volume becomes zeros. An axis of one voxel stays one voxel.
 *
 * scan    borrowed; read slab by slab, never copied whole
 * made    out; the caller frees it with standard_free, safe on failure too
 * Fails with SAT_BAD_ARGUMENT, SAT_BAD_INPUT (as standard_plan; no finite voxel), SAT_NO_MEMORY. */
sat_status standard_make(const volume *scan, const standard_settings *settings, standard_scan *made, sat_error *error);

/* A sentence for the user about one STANDARD_WARNS_ bit, into text[size]. */
void standard_warning_text(const standard_scan *scan, unsigned bit, char *text, size_t size);

/* Safe on a zeroed scan and when called twice. */
void standard_free(standard_scan *scan);

#endif
