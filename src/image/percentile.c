#include "image/percentile.h"

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 1 << 16, RANKS_MAX = 2 * PERCENTILES_MAX };
static const size_t block_values = (size_t)1 << 16;

/* Order of keys = order of values: negative floats reversed, below the positive ones. */
static inline uint32_t key_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}

static float value_of(uint32_t key)
{
    const uint32_t bits = key ^ (key >> 31 ? 0x80000000u : 0xffffffffu);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The wanted ranks' upper halves, at most RANKS_MAX different ones; each has a slot for its lower halves' counts. */
typedef struct selection {
    int slots;
    uint16_t upper[RANKS_MAX];
    unsigned char slot_of[BINS]; /* slot + 1 of an upper half, 0: none of ours */
} selection;

/* Counts of each thread, [threads][bins], are added up into the first's. Whole numbers: no order shows. */
static void add_threads(uint64_t *counts, size_t bins, int threads)
{
#pragma omp for schedule(static)
    for (size_t bin = 0; bin < bins; bin++)
        for (int thread = 1; thread < threads; thread++)
            counts[bin] += counts[(size_t)thread * bins + bin];
}

/* Upper halves of all values into counts[threads][BINS], or the lower halves of those in a slot of `s` into
 * counts[threads][slots][BINS]. */
static void count_halves(const float *values, size_t count, const selection *s, int threads, uint64_t *counts)
{
    const int64_t blocks = (int64_t)((count + block_values - 1) / block_values);
    const size_t bins = (size_t)(s ? s->slots : 1) * BINS;
#pragma omp parallel num_threads(threads)
    {
        uint64_t *mine = counts + (size_t)omp_get_thread_num() * bins;
#pragma omp for schedule(static)
        for (int64_t block = 0; block < blocks; block++) {
            const size_t first = (size_t)block * block_values;
            const size_t end = count - first < block_values ? count : first + block_values;
            if (!s)
                for (size_t n = first; n < end; n++)
                    mine[key_of(values[n]) >> 16]++;
            else
                for (size_t n = first; n < end; n++) {
                    const uint32_t key = key_of(values[n]);
                    const unsigned slot = s->slot_of[key >> 16];
                    if (slot) mine[(size_t)(slot - 1) * BINS + (key & 0xffff)]++;
                }
        }
        add_threads(counts, bins, threads);
    }
}

/* The bin in which `rank` (from 0) lies; *rank becomes its place within the bin. */
static uint32_t bin_of_rank(const uint64_t *counts, uint64_t *rank)
{
    uint32_t bin = 0;
    while (*rank >= counts[bin])
        *rank -= counts[bin++];
    return bin;
}

sat_status percentiles_find(const float *values, size_t count, const double *percent, int wanted, int threads, double *found,
                            sat_error *error)
{
    uint64_t rank[RANKS_MAX];
    double fraction[PERCENTILES_MAX];
    for (int n = 0; n < wanted; n++) {
        if (!(percent[n] >= 0 && percent[n] <= 100))
            return sat_fail(error, SAT_BAD_ARGUMENT, "a percentile of %g is impossible; it lies between 0 and 100", percent[n]);
        const double position = percent[n] / 100.0 * (double)(count - 1), below = floor(position);
        fraction[n] = position - below;
        rank[2 * n] = (uint64_t)below;
        rank[2 * n + 1] = (uint64_t)below + 1 < count ? (uint64_t)below + 1 : count - 1;
    }
    /* calloc: untouched bins cost no memory */
    uint64_t *upper = calloc((size_t)threads * BINS, sizeof *upper);
    uint64_t *lower = calloc((size_t)threads * (size_t)(2 * wanted) * BINS, sizeof *lower);
    selection *s = calloc(1, sizeof *s);
    sat_status status = SAT_OK;
    if (!upper || !lower || !s) {
        status = sat_fail(error, SAT_NO_MEMORY, "%.1f MB of memory for percentiles could not be had",
                          (double)threads * (1 + 2 * wanted) * BINS * sizeof *upper / 1e6);
        goto done;
    }
    count_halves(values, count, NULL, threads, upper);
    int slot_of_rank[RANKS_MAX];
    for (int r = 0; r < 2 * wanted; r++) {
        const uint32_t bin = bin_of_rank(upper, &rank[r]);
        if (!s->slot_of[bin]) {
            s->upper[s->slots] = (uint16_t)bin;
            s->slot_of[bin] = (unsigned char)++s->slots;
        }
        slot_of_rank[r] = s->slot_of[bin] - 1;
    }
    count_halves(values, count, s, threads, lower);
    for (int n = 0; n < wanted; n++) {
        double x[2];
        for (int b = 0; b < 2; b++) {
            const int slot = slot_of_rank[2 * n + b];
            const uint32_t low_half = bin_of_rank(lower + (size_t)slot * BINS, &rank[2 * n + b]);
            x[b] = value_of((uint32_t)s->upper[slot] << 16 | low_half);
        }
        found[n] = x[0] + (x[1] - x[0]) * fraction[n];
    }
done:
    free(upper);
    free(lower);
    free(s);
    return status;
}
