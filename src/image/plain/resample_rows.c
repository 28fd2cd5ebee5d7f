/* The definition of the resampling kernels. */
#include "image/resample.h"

/* Nearest integer, ties to even, for |x| < 2^51: adding 1.5 * 2^52 leaves no room for a fraction. Written so because rint is a
 * function call on a processor without SSE 4.1. */
static double nearest(double x)
{
    const double shift = 6755399441055744.0;
    return x + shift - shift;
}

static void blend_floats(double *restrict out, const float *a, const float *b, double f, size_t count)
{
    const double e = 1.0 - f;
    if (f == 0)
        for (size_t i = 0; i < count; i++)
            out[i] = a[i];
    else
        for (size_t i = 0; i < count; i++)
            out[i] = e * (double)a[i] + f * (double)b[i];
}

static void blend_doubles(double *restrict out, const double *a, const double *b, double f, size_t count)
{
    const double e = 1.0 - f;
    for (size_t i = 0; i < count; i++)
        out[i] = e * a[i] + f * b[i];
}

static void sample_row(float *out, const double *line, const int32_t *low, const int32_t *high, const double *f, int count)
{
    for (int i = 0; i < count; i++)
        out[i] = (float)((1.0 - f[i]) * line[low[i]] + f[i] * line[high[i]]);
}

static void sample_points(float *out, const float *values, const resample_points *p, int count)
{
    for (int n = 0; n < count; n++) {
        double o[3] = {p->start[0], p->start[1], p->start[2]}, fraction[3];
        o[p->row_axis] += n * p->step;
        int32_t at[3][2]; /* by array axis: offsets of the low and the high neighbour */
        for (int axis = 0; axis < 3; axis++) {
            const double *m = p->matrix[axis];
            double x = m[0] * o[0] + m[1] * o[1] + m[2] * o[2] + m[3];
            const double near = nearest(x);
            if (x - near <= 1e-9 && near - x <= 1e-9) x = near;
            x = x < 0 ? 0 : x > p->last[axis] ? p->last[axis] : x;
            const int q = p->array_axis[axis];
            const int32_t last = (int32_t)p->last[axis], low = (int32_t)x;
            fraction[q] = x - low;
            const int32_t high = fraction[q] > 0 && low < last ? low + 1 : low;
            at[q][0] = ((p->flip[axis] ? last - low : low) - p->first[q]) * p->pitch[q];
            at[q][1] = ((p->flip[axis] ? last - high : high) - p->first[q]) * p->pitch[q];
        }
        double column[2], row[2];
        for (int r = 0; r < 2; r++) {
            for (int c = 0; c < 2; c++) {
                const float *v = values + at[0][r] + at[1][c];
                column[c] = (1.0 - fraction[2]) * (double)v[at[2][0]] + fraction[2] * (double)v[at[2][1]];
            }
            row[r] = (1.0 - fraction[1]) * column[0] + fraction[1] * column[1];
        }
        out[n] = (float)((1.0 - fraction[0]) * row[0] + fraction[0] * row[1]);
    }
}

const resample_kernels resample_kernels_plain = {"plain", blend_floats, blend_doubles, sample_row, sample_points};
