/* The Gaussian weights of pipeline.md, section 7: rounded to half precision in one step from double. */
#include "segment/windows.h"

#include "tensor/element.h"

#include <math.h>
#include <stdlib.h>

/* exp(-(d / sigma)^2 / 2) at distance d from the centre voxel, sigma = n / 8, 0 beyond int(4 sigma + 0.5). */
static double line_weight(int n, int distance)
{
    const double sigma = n / 8.0;
    if (distance > (int)(4.0 * sigma + 0.5)) return 0;
    const double t = distance / sigma;
    return exp(-0.5 * (t * t));
}

size_t window_weights_bytes(const int size[3])
{
    return ((size_t)size[0] / 2 + 1) * ((size_t)size[1] / 2 + 1) * (size_t)size[2] * sizeof(float);
}

/* Of one (dx, dy): the row's values; returns the smallest above 0, or INFINITY. */
static float fill_row(const int size[3], const double *line_z, double plane, float *row)
{
    const int cz = size[2] / 2;
    float smallest = INFINITY;
    for (int dz = 0; dz <= cz; dz++) {
        const float value = float16_to_float(float16_from_double(plane * line_z[dz]));
        if (value > 0 && value < smallest) smallest = value;
        row[cz - dz] = value;
        if (cz + dz < size[2]) row[cz + dz] = value;
    }
    return smallest;
}

sat_status window_weights_make(const int size[3], int threads, window_weights *weights, sat_error *error)
{
    *weights = (window_weights){0};
    for (int axis = 0; axis < 3; axis++) {
        if (size[axis] < 1 || size[axis] > 4096)
            return sat_fail(error, SAT_BAD_ARGUMENT, "a window of %d x %d x %d voxels is out of range", size[0], size[1], size[2]);
        weights->size[axis] = size[axis];
    }
    const int rows_x = size[0] / 2 + 1, rows_y = size[1] / 2 + 1;
    float *values = malloc(window_weights_bytes(size));
    double *line_z = malloc(((size_t)size[2] / 2 + 1) * sizeof *line_z);
    if (!values || !line_z) {
        free(values);
        free(line_z);
        return sat_fail(error, SAT_NO_MEMORY, "%.1f MB of memory for the weights of a window could not be had",
                        (double)window_weights_bytes(size) / 1e6);
    }
    for (int dz = 0; dz <= size[2] / 2; dz++)
        line_z[dz] = line_weight(size[2], dz);
    float smallest = INFINITY;
    /* a minimum does not depend on the order in which threads bring it */
#pragma omp parallel for num_threads(threads) schedule(static) reduction(min : smallest)
    for (int dx = 0; dx < rows_x; dx++)
        for (int dy = 0; dy < rows_y; dy++) {
            const double plane = 10.0 * line_weight(size[0], dx) * line_weight(size[1], dy);
            const float least =
                fill_row(size, line_z, plane, values + ((size_t)dx * (size_t)rows_y + (size_t)dy) * (size_t)size[2]);
            if (least < smallest) smallest = least;
        }
    const size_t count = window_weights_bytes(size) / sizeof *values;
    for (size_t i = 0; i < count; i++)
        if (values[i] == 0) values[i] = smallest;
    free(line_z);
    weights->values = values;
    return SAT_OK;
}

void window_weights_free(window_weights *weights)
{
    free(weights->values);
    *weights = (window_weights){0};
}
