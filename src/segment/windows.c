#include "segment/windows.h"

#include "tensor/element.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOWS_MAX = 1000000 };

/* ---------------------------------------------------------------- the list */

/* Windows along one axis of n voxels. */
static int64_t count_along(int64_t n, int size, int step, bool release_rule)
{
    if (release_rule) {
        const int64_t count = (n + step - 1) / step - 1;
        return count > 1 ? count : 1;
    }
    return n <= size ? 1 : 1 + (n - size + step - 1) / step;
}

static void span(int64_t n, int size, int step, int64_t number, int32_t *from, int32_t *to)
{
    int64_t start = number * step, end = start + size;
    if (end > n) {
        start = n > size ? n - size : 0;
        end = n;
    }
    *from = (int32_t)start;
    *to = (int32_t)end;
}

sat_status windows_make(const int64_t shape[3], const int size[3], double overlap, window_list *list, sat_error *error)
{
    *list = (window_list){0};
    if (!(overlap >= 0 && overlap < 1))
        return sat_fail(error, SAT_BAD_ARGUMENT, "an overlap of %g is impossible; it is a fraction from 0 to below 1", overlap);
    int step[3];
    int64_t total = 1;
    for (int axis = 0; axis < 3; axis++) {
        if (size[axis] < 1 || shape[axis] < 1 || shape[axis] > INT32_MAX)
            return sat_fail(error, SAT_BAD_ARGUMENT, "windows of %d x %d x %d voxels cannot be laid over %lld x %lld x %lld",
                            size[0], size[1], size[2], (long long)shape[0], (long long)shape[1], (long long)shape[2]);
        /* 1e-9: 1 - 0.9 is a little less than 0.1, and 10 voxels of 100 must stay 10 */
        const bool release_rule = overlap == 0.5 && size[axis] > 1;
        const int wanted = release_rule ? size[axis] / 2 : (int)floor(size[axis] * (1 - overlap) + 1e-9);
        step[axis] = wanted > 1 ? wanted : 1;
        const int64_t along = count_along(shape[axis], size[axis], step[axis], release_rule);
        if (along > WINDOWS_MAX || (total *= along) > WINDOWS_MAX)
            return sat_fail(error, SAT_BAD_ARGUMENT, "an overlap of %g makes more than a million windows; take less", overlap);
        list->along[axis] = (int)along;
        list->size[axis] = size[axis];
        list->shape[axis] = shape[axis];
    }
    list->boxes = malloc((size_t)total * sizeof *list->boxes);
    if (!list->boxes) return sat_fail(error, SAT_NO_MEMORY, "no memory for a list of %lld windows", (long long)total);
    list->count = (size_t)total;
    size_t at = 0;
    for (int x = 0; x < list->along[0]; x++)
        for (int y = 0; y < list->along[1]; y++)
            for (int z = 0; z < list->along[2]; z++, at++) {
                const int number[3] = {x, y, z};
                for (int axis = 0; axis < 3; axis++)
                    span(shape[axis], size[axis], step[axis], number[axis], &list->boxes[at].from[axis],
                         &list->boxes[at].to[axis]);
            }
    return SAT_OK;
}

void windows_free(window_list *list)
{
    free(list->boxes);
    *list = (window_list){0};
}

/* ---------------------------------------------------------------- voxels of a window */

static const float *volume_row(const window_list *list, const float *volume, int64_t x, int64_t y, int64_t z)
{
    return volume + (x * list->shape[1] + y) * list->shape[2] + z;
}

void window_cut(const window_list *list, size_t window, const float *volume, float *patch, int threads)
{
    const window_box box = list->boxes[window];
    const int sx = list->size[0], sy = list->size[1], sz = list->size[2];
    const int nx = box.to[0] - box.from[0], ny = box.to[1] - box.from[1], nz = box.to[2] - box.from[2];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int x = 0; x < sx; x++)
        for (int y = 0; y < sy; y++) {
            float *row = patch + ((size_t)x * (size_t)sy + (size_t)y) * (size_t)sz;
            const int filled = x < nx && y < ny ? nz : 0;
            if (filled)
                memcpy(row, volume_row(list, volume, box.from[0] + x, box.from[1] + y, box.from[2]), (size_t)nz * sizeof *row);
            memset(row + filled, 0, (size_t)(sz - filled) * sizeof *row);
        }
}

bool window_all_at_most(const window_list *list, size_t window, const float *volume, float level)
{
    const window_box box = list->boxes[window];
    for (int x = box.from[0]; x < box.to[0]; x++)
        for (int y = box.from[1]; y < box.to[1]; y++) {
            const float *row = volume_row(list, volume, x, y, 0);
            for (int z = box.from[2]; z < box.to[2]; z++)
                if (!(row[z] <= level)) return false;
        }
    return true;
}
