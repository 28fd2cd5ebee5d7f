#include "image/intensity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 16384, LANES = 8 };

/* ---------------------------------------------------------------- where something is */

/* Widens box[2] by the row's voxels > 0; true if there are any. The ends are searched only outside what is known. */
static bool widen_by_row(const float *row, int64_t n, int64_t box[2])
{
    int any = 0;
    for (int64_t z = 0; z < n; z++)
        any |= row[z] > 0;
    if (!any) return false;
    int64_t first = 0, end = n;
    while (first < box[0] && !(row[first] > 0))
        first++;
    while (end > box[1] && !(row[end - 1] > 0))
        end--;
    if (first < box[0]) box[0] = first;
    if (end > box[1]) box[1] = end;
    return true;
}

bool intensity_foreground_box(const float *volume, const int64_t shape[3], int threads, int64_t box[3][2])
{
    int64_t x0 = shape[0], x1 = 0, y0 = shape[1], y1 = 0, z0 = shape[2], z1 = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(min : x0, y0, z0) reduction(max : x1, y1, z1)
    for (int64_t x = 0; x < shape[0]; x++) {
        int64_t z[2] = {z0, z1};
        for (int64_t y = 0; y < shape[1]; y++) {
            if (!widen_by_row(volume + (x * shape[1] + y) * shape[2], shape[2], z)) continue;
            if (x < x0) x0 = x;
            if (x >= x1) x1 = x + 1;
            if (y < y0) y0 = y;
            if (y >= y1) y1 = y + 1;
        }
        if (z[0] < z0) z0 = z[0];
        if (z[1] > z1) z1 = z[1];
    }
    const bool found = x1 > 0;
    const int64_t low[3] = {x0, y0, z0}, high[3] = {x1, y1, z1};
    for (int axis = 0; axis < 3; axis++) {
        box[axis][0] = found ? low[axis] : 0;
        box[axis][1] = found ? high[axis] : shape[axis];
    }
    return found;
}

void intensity_crop(float *volume, const int64_t shape[3], int64_t box[3][2])
{
    const size_t nz = (size_t)(box[2][1] - box[2][0]);
    float *to = volume;
    for (int64_t x = box[0][0]; x < box[0][1]; x++)
        for (int64_t y = box[1][0]; y < box[1][1]; y++, to += nz) {
            const float *from = volume + (x * shape[1] + y) * shape[2] + box[2][0];
            if (from != to) memmove(to, from, nz * sizeof *to);
        }
}

/* ---------------------------------------------------------------- statistics */

/* Eight partial sums, added pairwise: a fixed tree that the compiler can hold in vectors. */
static double tree_sum(const double s[LANES])
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static double clip_block(float *x, size_t count, float low, float high, float *least, float *most)
{
    double sum[LANES] = {0};
    float small[LANES], large[LANES];
    for (int l = 0; l < LANES; l++) {
        small[l] = INFINITY;
        large[l] = -INFINITY;
    }
    size_t n = 0;
    for (; n + LANES <= count; n += LANES)
        for (int l = 0; l < LANES; l++) {
            float value = x[n + (size_t)l];
            value = value < low ? low : value;
            value = value > high ? high : value;
            x[n + (size_t)l] = value;
            sum[l] += (double)value;
            small[l] = value < small[l] ? value : small[l];
            large[l] = value > large[l] ? value : large[l];
        }
    for (int l = 0; n < count; n++, l++) {
        const float value = x[n] < low ? low : x[n] > high ? high : x[n];
        x[n] = value;
        sum[l] += (double)value;
        small[l] = value < small[l] ? value : small[l];
        large[l] = value > large[l] ? value : large[l];
    }
    for (int l = 0; l < LANES; l++) {
        if (small[l] < *least) *least = small[l];
        if (large[l] > *most) *most = large[l];
    }
    return tree_sum(sum);
}

static double squares_block(const float *x, size_t count, double mean)
{
    double sum[LANES] = {0};
    size_t n = 0;
    for (; n + LANES <= count; n += LANES)
        for (int l = 0; l < LANES; l++) {
            const double d = (double)x[n + (size_t)l] - mean;
            sum[l] += d * d;
        }
    for (int l = 0; n < count; n++, l++)
        sum[l] += ((double)x[n] - mean) * ((double)x[n] - mean);
    return tree_sum(sum);
}

static double sum_in_order(const double *sums, int64_t blocks)
{
    double total = 0;
    for (int64_t block = 0; block < blocks; block++)
        total += sums[block];
    return total;
}

static size_t block_length(size_t count, int64_t block)
{
    const size_t left = count - (size_t)block * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

sat_status intensity_clip(float *values, size_t count, float low, float high, int threads, intensity_summary *summary,
                          sat_error *error)
{
    const int64_t blocks = (int64_t)((count + BLOCK - 1) / BLOCK);
    double *sums = malloc((size_t)blocks * sizeof *sums);
    if (!sums) return sat_fail(error, SAT_NO_MEMORY, "no memory for %lld sums", (long long)blocks);
    float least = INFINITY, most = -INFINITY;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(min : least) reduction(max : most)
    for (int64_t block = 0; block < blocks; block++)
        sums[block] = clip_block(values + (size_t)block * BLOCK, block_length(count, block), low, high, &least, &most);
    const double mean = sum_in_order(sums, blocks) / (double)count;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t block = 0; block < blocks; block++)
        sums[block] = squares_block(values + (size_t)block * BLOCK, block_length(count, block), mean);
    const double variance = sum_in_order(sums, blocks) / (double)count;
    free(sums);
    *summary = (intensity_summary){mean, sqrt(variance), least, most};
    return SAT_OK;
}

void intensity_scale(float *values, size_t count, double mean, double std, int threads)
{
    const double factor = std > 0 ? 1.0 / std : 0.0;
    const int64_t blocks = (int64_t)((count + BLOCK - 1) / BLOCK);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t block = 0; block < blocks; block++) {
        float *x = values + (size_t)block * BLOCK;
        const size_t length = block_length(count, block);
        for (size_t n = 0; n < length; n++)
            x[n] = (float)(((double)x[n] - mean) * factor);
    }
}
