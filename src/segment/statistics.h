/* What a mask measures: how many voxels, where, and how bright the scan is within. Fed slice by slice as masks come. */
#ifndef SAT_SEGMENT_STATISTICS_H
#define SAT_SEGMENT_STATISTICS_H

#include "base/error.h"
#include "image/volume.h"

typedef struct label_statistics {
    int64_t voxels;
    double volume_ml;              /* voxels times the affine's determinant                                          */
    int64_t box_ijk[3][2];         /* half-open, in the file's grid; all 0 when empty                                */
    double centroid_mm[3];         /* mean of the voxels' centres, RAS+ world; 0 when empty                          */
    double mean, deviation;        /* of the scan's values within, deviation with divisor N; 0 when there are none   */
    int64_t measured;              /* voxels whose value is finite: those that mean and deviation are of             */
} label_statistics;

/* A voxel's volume in millilitres: the affine's determinant. */
double volume_voxel_ml(const volume *v);

/* Sums of one label after the other. Voxels are added up in blocks of fixed size, in double, block after block in the file's
 * order, so that no bit depends on threads or on how slices were cut into calls. */
typedef struct statistics statistics;

size_t statistics_bytes(void);
/* scan is borrowed until statistics_close. Fails with SAT_NO_MEMORY. */
sat_status statistics_open(const volume *scan, int threads, statistics **opened, sat_error *error);
void statistics_close(statistics *s); /* NULL does nothing */

/* A label: begin, its slices in the file's order, end. `mask` NULL: none of its voxels is there. `slices` whole ones. */
void statistics_begin(statistics *s);
void statistics_add(statistics *s, const uint8_t *mask, int64_t slices);
void statistics_end(statistics *s, label_statistics *found);

#endif
