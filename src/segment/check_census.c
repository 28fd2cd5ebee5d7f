#include "segment/check_census.h"

#include "image/percentile.h"
#include "segment/modality.h"

#include <math.h>
#include <stdlib.h>

enum { BLOCK = 1 << 14, RUN = 64, SAMPLE = 1 << 20, WHOLE_MOST = 4096 };

/* ---------------------------------------------------------------- all voxels */

/* Of one block; counts add up and extremes combine to the same whatever the order. */
static void look_at_block(const volume *scan, size_t first, size_t count, check_census *c)
{
    float values[BLOCK];
    volume_values(scan, first, count, values);
    size_t finite = 0, positive = 0;
    float least = INFINITY, most = -INFINITY;
    for (size_t n = 0; n < count; n++) {
        const float v = values[n];
        const bool good = v - v == 0; /* false for not-a-number and infinities; the loop stays without branches */
        finite += good;
        positive += good && v > 0;
        least = good && v < least ? v : least;
        most = good && v > most ? v : most;
    }
    c->not_finite += count - finite;
    c->positive += positive;
    if (least < c->least) c->least = least;
    if (most > c->most) c->most = most;
}

static void look_at_all(const volume *scan, int threads, check_census *c)
{
    const size_t blocks = (c->voxels + BLOCK - 1) / BLOCK;
#pragma omp parallel num_threads(threads)
    {
        check_census mine = {.least = INFINITY, .most = -INFINITY};
#pragma omp for schedule(static) nowait
        for (size_t b = 0; b < blocks; b++) {
            const size_t first = b * BLOCK, left = c->voxels - first;
            look_at_block(scan, first, left < BLOCK ? left : BLOCK, &mine);
        }
#pragma omp critical(check_census)
        {
            c->not_finite += mine.not_finite;
            c->positive += mine.positive;
            if (mine.least < c->least) c->least = mine.least;
            if (mine.most > c->most) c->most = mine.most;
        }
    }
}

/* ---------------------------------------------------------------- the sample */

/* Finite values into `sample`; returns how many. Runs are spread evenly, so that no slice is left out. */
static size_t take_sample(const volume *scan, size_t voxels, float *sample)
{
    const size_t runs = (voxels + RUN - 1) / RUN, most_runs = SAMPLE / RUN, taken = runs < most_runs ? runs : most_runs;
    size_t count = 0;
    for (size_t r = 0; r < taken; r++) {
        const size_t run = (size_t)((double)r * (double)runs / (double)taken), first = run * RUN;
        const size_t length = voxels - first < RUN ? voxels - first : RUN;
        float values[RUN];
        volume_values(scan, first, length, values);
        for (size_t n = 0; n < length; n++)
            if (isfinite(values[n])) sample[count++] = values[n];
    }
    return count;
}

/* Whole numbers in [0, 4096): how many there are, and how common the commonest is. */
static void count_distinct(const float *sample, check_census *c)
{
    size_t seen[WHOLE_MOST] = {0}, most = 0;
    for (size_t n = 0; n < c->sampled; n++) {
        const float v = sample[n];
        if (!(v >= 0 && v < WHOLE_MOST) || v != floorf(v)) return;
        seen[(int)v]++;
    }
    for (int v = 0; v < WHOLE_MOST; v++) {
        c->distinct += seen[v] > 0;
        if (seen[v] > most) most = seen[v];
    }
    c->share_most_common = (double)most / (double)c->sampled;
}

static sat_status look_at_sample(const float *sample, int threads, check_census *c, sat_error *error)
{
    static const double percents[] = {1, 50, 99};
    double found[3];
    size_t at_least = 0, at_most = 0, negative = 0;
    const sat_status status = percentiles_find(sample, c->sampled, percents, 3, threads, found, error);
    if (status != SAT_OK) return status;
    for (size_t n = 0; n < c->sampled; n++) {
        at_least += sample[n] <= c->least;
        at_most += sample[n] >= c->most;
        negative += sample[n] < 0;
    }
    const double all = (double)c->sampled;
    c->percentile_1 = found[0];
    c->median = found[1];
    c->percentile_99 = found[2];
    c->share_least = (double)at_least / all;
    c->share_most = (double)at_most / all;
    c->share_negative = (double)negative / all;
    count_distinct(sample, c);
    return SAT_OK;
}

sat_status check_census_take(const volume *scan, int threads, check_census *census, sat_error *error)
{
    *census = (check_census){.voxels = volume_voxels(scan), .least = INFINITY, .most = -INFINITY};
    float *sample = malloc(SAMPLE * sizeof *sample);
    if (!sample) return sat_fail(error, SAT_NO_MEMORY, "no memory for a sample of the scan's values");
    look_at_all(scan, threads, census);
    census->sampled = take_sample(scan, census->voxels, sample);
    const sat_status status = census->sampled ? look_at_sample(sample, threads, census, error) : SAT_OK;
    free(sample);
    return status;
}

bool check_looks_hounsfield(const volume *scan, double offset)
{
    volume moved = *scan; /* borrows the voxels */
    moved.slope = scan->scaled ? scan->slope : 1;
    moved.intercept = (scan->scaled ? scan->intercept : 0) - offset;
    moved.scaled = true;
    modality_guess guess;
    modality_guess_from_values(&moved, &guess);
    return guess.is_ct;
}
