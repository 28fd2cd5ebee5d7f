/* The definitions of cpu/rows.h. Sums along a row have a fixed tree, that of sixteen lanes: lane l adds elements l,
 * l + 16, l + 32, ... in this order, then lanes l and l + 8 are added, then l and l + 4, l + 2, l + 1. Every level
 * adds in this tree, so every level gives the same bits. */
#include "cpu/levels.h"
#include "cpu/plain/value.h"
#include "cpu/transcendental.h"

enum { LANES = 16 };

static double lanes_sum(double lane[LANES])
{
    for (int step = LANES / 2; step; step /= 2)
        for (int l = 0; l < step; l++)
            lane[l] += lane[l + step];
    return lane[0];
}

static float lanes_sum_float(float lane[LANES])
{
    for (int step = LANES / 2; step; step /= 2)
        for (int l = 0; l < step; l++)
            lane[l] += lane[l + step];
    return lane[0];
}

static void layer_norm(int rows, int width, const float *x, const float *gain, const float *bias, float epsilon,
                       float *out)
{
    for (int r = 0; r < rows; r++, x += width, out += width) {
        double sum[LANES] = {0}, square[LANES] = {0};
        for (int i = 0; i < width; i++)
            sum[i % LANES] += (double)x[i];
        const double mean = lanes_sum(sum) / width;
        for (int i = 0; i < width; i++) {
            const double deviation = (double)x[i] - mean;
            square[i % LANES] += deviation * deviation;
        }
        const double scale = 1.0 / sqrt(lanes_sum(square) / width + (double)epsilon);
        for (int i = 0; i < width; i++)
            out[i] = fmaf((float)(((double)x[i] - mean) * scale), gain[i], bias[i]);
    }
}

static void gelu(size_t count, const float *x, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = gelu_float(x[i]);
}

static void sigmoid(size_t count, const float *x, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = sigmoid_float(x[i]);
}

/* Lanes beyond the width take part with zeros, as masked lanes of a register do: they turn a sum of -0 into 0. */
static float dot_product(int width, const float *a, const float *b)
{
    float lane[LANES] = {0};
    for (int i = 0; i < (width + LANES - 1) / LANES * LANES; i++)
        lane[i % LANES] = i < width ? fmaf(a[i], b[i], lane[i % LANES]) : fmaf(0.0f, 0.0f, lane[i % LANES]);
    return lanes_sum_float(lane);
}

/* Scores of one query to weights that still have to be divided by their sum, which is returned. */
static float softmax_weights(int tokens, float *scores)
{
    float largest = -INFINITY, lane[LANES] = {0};
    for (int t = 0; t < tokens; t++)
        largest = scores[t] > largest ? scores[t] : largest;
    for (int t = 0; t < tokens; t++) {
        scores[t] = exp_float(scores[t] - largest);
        lane[t % LANES] += scores[t];
    }
    return lanes_sum_float(lane);
}

static void attention(int rows, int tokens, int head_width, const float *q, ptrdiff_t q_pitch, const float *k,
                      ptrdiff_t k_pitch, const float *v, ptrdiff_t v_pitch, float scale, const float *bias,
                      ptrdiff_t bias_pitch, float *out, ptrdiff_t out_pitch, float *scratch)
{
    for (int r = 0; r < rows; r++, q += q_pitch, out += out_pitch) {
        for (int t = 0; t < tokens; t++) {
            const float product = dot_product(head_width, q, k + t * k_pitch);
            scratch[t] = bias ? fmaf(product, scale, bias[r * bias_pitch + t]) : product * scale;
        }
        const float sum = softmax_weights(tokens, scratch);
        for (int c = 0; c < head_width; c++) {
            float value = 0.0f;
            for (int t = 0; t < tokens; t++)
                value = fmaf(scratch[t], v[t * v_pitch + c], value);
            out[c] = value / sum;
        }
    }
}

/* The mean of one channel over the cell whose first voxel is (x, y, z): a sum in double, in the order x, y, z. */
static float cell_mean(const feature_map *from, const load_rule *rule, int kernel, int x, int y, int z, int c)
{
    double sum = 0.0;
    for (int i = 0; i < kernel; i++)
        for (int j = 0; j < kernel; j++)
            for (int k = 0; k < kernel; k++) {
                const float value = value_read(from->type, from->data, voxel_index(from, x + i, y + j, z + k) + c);
                sum += (double)(rule && rule->scale ? rule_apply(rule, c, value) : value);
            }
    return (float)(sum / ((double)kernel * kernel * kernel));
}

static void average_pool(const feature_map *from, const load_rule *rule, int kernel, int x_begin, int x_end, float *out,
                         ptrdiff_t out_pitch)
{
    const int ny = from->shape_xyz[1] / kernel, nz = from->shape_xyz[2] / kernel;
    for (int x = x_begin; x < x_end; x++)
        for (int y = 0; y < ny; y++)
            for (int z = 0; z < nz; z++) {
                float *row = out + (((ptrdiff_t)x * ny + y) * nz + z) * out_pitch;
                for (int c = 0; c < from->channels; c++)
                    row[c] = cell_mean(from, rule, kernel, kernel * x, kernel * y, kernel * z, c);
            }
}

const row_kernels row_kernels_plain = {layer_norm, gelu, sigmoid, attention, average_pool};
