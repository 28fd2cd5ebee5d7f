/* One volume that says for each voxel which label it belongs to: 0 none, n + 1 the label at index n.
 *
 * Masks may overlap; the label with the higher probability wins, the earlier one among equals, whatever the order in which labels
 * come. On the scan's grid, in the file's order; ids in the smallest type that fits. */
#ifndef SAT_SEGMENT_LABEL_MAP_H
#define SAT_SEGMENT_LABEL_MAP_H

#include "base/error.h"
#include "image/volume.h"

enum { LABEL_MAP_MOST = 65535 };

typedef struct label_map {
    voxel_type type; /* VOXEL_UINT8 up to 255 labels, else VOXEL_UINT16                 */
    void *ids;       /* owned; [k][j][i]                                                 */
    float *best;     /* owned; probability of the label that holds the voxel             */
    size_t voxels;
    int threads;
} label_map;

/* What label_map_open takes. */
size_t label_map_bytes(const geometry *grid, int labels);
/* Fails with SAT_BAD_ARGUMENT (more than LABEL_MAP_MOST labels), SAT_NO_MEMORY. */
sat_status label_map_open(const geometry *grid, int labels, int threads, label_map *m, sat_error *error);
/* Safe on a zeroed map and when called twice. */
void label_map_close(label_map *m);

/* `count` voxels of a label from voxel `first` on: where mask is 1, `probability` counts. Each voxel once for each label. */
void label_map_add(label_map *m, int label, size_t first, size_t count, const uint8_t *mask, const float *probability);

/* Voxels that each label holds in the end, into owned[labels]. */
void label_map_count(const label_map *m, int labels, int64_t *owned);

/* The ids as uint16, for pictures: nothing can be added from then on. Borrowed from the map; NULL when memory is short (it
 * takes no more than the map took, as `best` goes first). */
const uint16_t *label_map_wide(label_map *m);

/* Writes the ids on the scan's grid (nifti_writer_open_like). *warnings (may be NULL) as in nifti_writer. */
sat_status label_map_write(const label_map *m, const char *path, const volume *scan, unsigned *warnings, sat_error *error);

#endif
