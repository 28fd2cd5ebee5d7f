/* The windows that the network looks through, and how much each voxel of a window counts: pipeline.md, sections 6 and 7. */
#ifndef SAT_SEGMENT_WINDOWS_H
#define SAT_SEGMENT_WINDOWS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Half-open box in the processed volume; along a short axis smaller than the window. */
typedef struct window_box {
    int32_t from[3], to[3];
} window_box;

typedef struct window_list {
    int size[3];          /* voxels of a full window, x y z                                     */
    int64_t shape[3];     /* of the processed volume                                            */
    int along[3];         /* windows along each axis; count = along[0] * along[1] * along[2]    */
    size_t count;
    window_box *boxes;    /* owned; the z axis running fastest                                  */
} window_list;

/* Windows overlap by `overlap` (0 <= overlap < 1) of their size along each axis. 0.5 is the release's rule exactly:
 * step = size / 2 in integers, max(ceil(n / step) - 1, 1) windows. Otherwise step = max(1, floor(size * (1 - overlap))),
 * 1 + ceil((n - size) / step) windows (the same for even sizes). A window that would run over the end is moved back
 * to end there, but not before 0. No window leaves the volume.
 * Fails with SAT_BAD_ARGUMENT (overlap, sizes < 1, more than a million windows), SAT_NO_MEMORY. */
sat_status windows_make(const int64_t shape[3], const int size[3], double overlap, window_list *list, sat_error *error);
/* Safe on a zeroed list and when called twice. */
void windows_free(window_list *list);

/* The network's input for one window, one channel: the box's voxels, zeros (= the mean) appended at the far ends.
 * volume [shape x][y][z], borrowed; patch [size x][y][z], out. */
void window_cut(const window_list *list, size_t window, const float *volume, float *patch, int threads);

/* True where every voxel of the box is <= level. With a ct's standard_scan.lowest as level: nothing but air.
 * Skipping such windows changes results only where the network would have found something in pure air. */
bool window_all_at_most(const window_list *list, size_t window, const float *volume, float level);

/* Gaussian weight of each voxel of a full window: float32 that hold float16 values, 10 at the centre voxel.
 * Symmetric about size / 2, so only distances from there are stored: [|x - cx|][|y - cy|][z]. */
typedef struct window_weights {
    int size[3];
    float *values; /* owned; [size x / 2 + 1][size y / 2 + 1][size z] */
} window_weights;

/* Fails with SAT_NO_MEMORY, SAT_BAD_ARGUMENT (sizes < 1, or no weight above 0). */
sat_status window_weights_make(const int size[3], int threads, window_weights *weights, sat_error *error);
void window_weights_free(window_weights *weights);
size_t window_weights_bytes(const int size[3]);

/* Weights of the row (x, y, 0 ... size z - 1) of a window. A window cut short uses the low-index corner. */
static inline const float *window_weights_row(const window_weights *w, int x, int y)
{
    const int cx = w->size[0] / 2, cy = w->size[1] / 2;
    const size_t dx = (size_t)(x < cx ? cx - x : x - cx), dy = (size_t)(y < cy ? cy - y : y - cy);
    return w->values + (dx * (size_t)(cy + 1) + dy) * (size_t)w->size[2];
}

#endif
