/* Exact percentiles of many floats, without sorting them. */
#ifndef SAT_IMAGE_PERCENTILE_H
#define SAT_IMAGE_PERCENTILE_H

#include "base/error.h"

#include <stddef.h>

enum { PERCENTILES_MAX = 4 };

/* found[n] = percentile percent[n] (0 .. 100) of values[0 .. count): of the sorted values x, position
 * percent / 100 * (count - 1), linear interpolation in float64 (NumPy's default). `wanted` <= PERCENTILES_MAX, count >= 1,
 * values finite. Selection by counting: the upper 16 bits of each value first, then the lower 16 where a wanted rank
 * fell. Same bits for every number of threads. Takes 0.5 MB for each thread, and for two percentiles up to 2 MB more, while it works; fails with SAT_NO_MEMORY,
 * SAT_BAD_ARGUMENT (a percent out of range). */
sat_status percentiles_find(const float *values, size_t count, const double *percent, int wanted, int threads, double *found,
                            sat_error *error);

#endif
