#include "segment/statistics.h"

#include "image/geometry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_ROWS = 32, /* rows of one slice that are summed on their own: fixed, so that sums are                    */
    PORTION = 256,   /* blocks that threads share at a time                                                       */
    VALUES = 512,    /* of a row, converted at a time                                                             */
};

/* Sums over some voxels. */
typedef struct sums {
    int64_t voxels, at[3], box[3][2];
    int64_t measured;
    double mean, squares; /* of the finite values; squares of the differences from the mean */
} sums;

struct statistics {
    const volume *scan;
    int threads;
    int64_t slice; /* the next one */
    int64_t blocks_per_slice;
    sums label, blocks[PORTION];
};

static const sums no_sums = {.box = {{INT64_MAX, 0}, {INT64_MAX, 0}, {INT64_MAX, 0}}};

double volume_voxel_ml(const volume *v) { return fabs(affine_determinant(v->grid.voxel_to_world)) / 1000.0; }

size_t statistics_bytes(void) { return sizeof(statistics); }

sat_status statistics_open(const volume *scan, int threads, statistics **opened, sat_error *error)
{
    statistics *s = calloc(1, sizeof *s);
    *opened = s;
    if (!s) return sat_fail(error, SAT_NO_MEMORY, "no memory is left");
    s->scan = scan;
    s->threads = threads;
    s->blocks_per_slice = (scan->grid.shape_ijk[1] + BLOCK_ROWS - 1) / BLOCK_ROWS;
    statistics_begin(s);
    return SAT_OK;
}

void statistics_close(statistics *s) { free(s); }

void statistics_begin(statistics *s)
{
    s->slice = 0;
    s->label = no_sums;
}

/* ---------------------------------------------------------------- one block */

/* Values of a block: mean and squares by differences from its first value, which lie close together. */
typedef struct block_values {
    double shift, sum, sum_of_squares;
    int64_t count;
} block_values;

static void add_values(const volume *scan, size_t first, int64_t count, block_values *v)
{
    float values[VALUES];
    for (int64_t n = 0; n < count; n += VALUES) {
        const int64_t some = count - n < VALUES ? count - n : VALUES;
        volume_values(scan, first + (size_t)n, (size_t)some, values);
        for (int64_t i = 0; i < some; i++) {
            if (!isfinite(values[i])) continue;
            if (v->count++ == 0) v->shift = values[i];
            const double d = (double)values[i] - v->shift;
            v->sum += d;
            v->sum_of_squares += d * d;
        }
    }
}

static void widen(sums *b, const int64_t low[3], const int64_t high[3])
{
    for (int a = 0; a < 3; a++) {
        if (low[a] < b->box[a][0]) b->box[a][0] = low[a];
        if (high[a] > b->box[a][1]) b->box[a][1] = high[a];
    }
}

/* The voxels [from, to) of row j, slice k. */
static void add_run(const volume *scan, int64_t from, int64_t to, int64_t j, int64_t k, sums *b, block_values *values)
{
    const int64_t count = to - from;
    b->voxels += count;
    b->at[0] += (from + to - 1) * count / 2;
    b->at[1] += j * count;
    b->at[2] += k * count;
    widen(b, (const int64_t[]){from, j, k}, (const int64_t[]){to, j + 1, k + 1});
    const int64_t *n = scan->grid.shape_ijk;
    add_values(scan, (size_t)((k * n[1] + j) * n[0] + from), count, values);
}

static void sum_block(const volume *scan, const uint8_t *slice, int64_t k, int64_t first_row, sums *b)
{
    const int64_t ni = scan->grid.shape_ijk[0], nj = scan->grid.shape_ijk[1];
    block_values values = {0};
    *b = no_sums;
    for (int64_t j = first_row; j < first_row + BLOCK_ROWS && j < nj; j++) {
        const uint8_t *row = slice + j * ni, *end = row + ni;
        for (const uint8_t *from = memchr(row, 1, (size_t)ni), *to; from; from = to < end ? memchr(to, 1, (size_t)(end - to)) : NULL) {
            to = memchr(from, 0, (size_t)(end - from));
            if (!to) to = end;
            add_run(scan, from - row, to - row, j, k, b, &values);
        }
    }
    if (!values.count) return;
    const double n = (double)values.count;
    b->measured = values.count;
    b->mean = values.shift + values.sum / n;
    b->squares = values.sum_of_squares - values.sum * values.sum / n;
    if (b->squares < 0) b->squares = 0;
}

/* ---------------------------------------------------------------- all blocks */

/* Chan, Golub, LeVeque 1979: sums of two sets from the sums of each. */
static void add_sums(sums *all, const sums *b)
{
    if (!b->voxels) return;
    all->voxels += b->voxels;
    for (int a = 0; a < 3; a++)
        all->at[a] += b->at[a];
    widen(all, (const int64_t[]){b->box[0][0], b->box[1][0], b->box[2][0]}, (const int64_t[]){b->box[0][1], b->box[1][1], b->box[2][1]});
    if (!b->measured) return;
    const double before = (double)all->measured, here = (double)b->measured, both = before + here, step = b->mean - all->mean;
    all->mean += step * (here / both);
    all->squares += b->squares + step * step * (before * here / both);
    all->measured += b->measured;
}

void statistics_add(statistics *s, const uint8_t *mask, int64_t slices)
{
    const int64_t slice_voxels = s->scan->grid.shape_ijk[0] * s->scan->grid.shape_ijk[1], blocks = mask ? slices * s->blocks_per_slice : 0;
    for (int64_t first = 0; first < blocks; first += PORTION) {
        const int64_t some = blocks - first < PORTION ? blocks - first : PORTION;
#pragma omp parallel for num_threads(s->threads) schedule(dynamic, 8) if (some > 8)
        for (int64_t n = 0; n < some; n++) {
            const int64_t slice = (first + n) / s->blocks_per_slice, row = (first + n) % s->blocks_per_slice * BLOCK_ROWS;
            sum_block(s->scan, mask + slice * slice_voxels, s->slice + slice, row, &s->blocks[n]);
        }
        for (int64_t n = 0; n < some; n++)
            add_sums(&s->label, &s->blocks[n]);
    }
    s->slice += slices;
}

void statistics_end(statistics *s, label_statistics *found)
{
    const sums *l = &s->label;
    *found = (label_statistics){.voxels = l->voxels};
    if (!l->voxels) return;
    const double(*affine)[4] = s->scan->grid.voxel_to_world;
    found->volume_ml = (double)l->voxels * volume_voxel_ml(s->scan);
    memcpy(found->box_ijk, l->box, sizeof found->box_ijk);
    for (int w = 0; w < 3; w++) {
        found->centroid_mm[w] = affine[w][3];
        for (int a = 0; a < 3; a++)
            found->centroid_mm[w] += affine[w][a] * ((double)l->at[a] / (double)l->voxels);
    }
    found->measured = l->measured;
    if (!l->measured) return;
    found->mean = l->mean;
    found->deviation = sqrt(l->squares / (double)l->measured);
}
