/* Convolution, transposed convolution and pooling as steps of a plan. */
#include "cpu/backend_maps.h"

#include "base/arena.h"
#include "base/processor.h"
#include "cpu/convolution.h"
#include "cpu/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

feature_map step_map(const plan *p, int buffer)
{
    const plan_buffer *b = &p->buffers[buffer];
    const int shape_xyz[3] = {(int)b->shape.size[0], (int)b->shape.size[1], (int)b->shape.size[2]};
    return feature_map_dense(plan_buffer_data(p, buffer), b->type, shape_xyz, (int)b->shape.size[3]);
}

load_rule step_rule(const plan *p, const plan_view *view)
{
    if (view->coefficients == PLAN_NONE) return (load_rule){0};
    const float *scale = plan_buffer_data(p, view->coefficients);
    return (load_rule){scale, scale + p->buffers[view->coefficients].shape.size[1], view->slope};
}

static sat_status no_memory(sat_error *error) { return sat_fail(error, SAT_NO_MEMORY, "no memory for a kernel"); }

/* ---------------------------------------------------------------- convolution */

typedef struct convolution_kernel {
    convolution *run;
    int repeat; /* equal input channels whose weights are summed */
    int output_channels;
} convolution_kernel;

/* Equal input channels: x w1 + x w2 + x w3 = x (w1 + w2 + w3), summed before any rounding (model.md, traps). */
static sat_status pack_convolution(const void *kernel, const float *values, size_t count, void *packed, sat_error *error)
{
    const convolution_kernel *k = kernel;
    if (k->repeat == 1) return convolution_pack(k->run, values, packed, error);
    const size_t outputs = (size_t)k->output_channels, repeat = (size_t)k->repeat;
    float *summed = calloc(count / repeat, sizeof *summed);
    if (!summed) return no_memory(error);
    for (size_t o = 0; o < outputs; o++)
        for (size_t tap = 0; tap < 27; tap++) {
            double sum = 0;
            for (size_t i = 0; i < repeat; i++)
                sum += values[(o * repeat + i) * 27 + tap];
            summed[o * 27 + tap] = (float)sum;
        }
    const sat_status status = convolution_pack(k->run, summed, packed, error);
    free(summed);
    return status;
}

static size_t statistics_bytes(int channels)
{
    return 2 * arena_bytes((size_t)channels, sizeof(double)) + 2 * arena_bytes((size_t)channels, sizeof(float));
}

static void convolution_kernel_free(void *kernel)
{
    convolution_kernel *k = kernel;
    convolution_free(k->run);
    free(k);
}

static sat_status convolution_prepare(const plan *p, plan_step *s, sat_error *error)
{
    const graph_node *n = step_node(p, s);
    const int64_t *in = p->buffers[s->sources[0].buffer].shape.size;
    convolution_shape shape = {
        .input_shape_xyz = {(int)in[0], (int)in[1], (int)in[2]},
        .source_count = s->source_count,
        .output_channels = (int)n->shape.size[3],
        .stride = n->stride,
    };
    if (s->source_count > 2) return sat_fail(error, SAT_BAD_INPUT, "a convolution of more than two maps");
    for (int i = 0; i < s->source_count; i++)
        shape.source_channels[i] = (int)p->buffers[s->sources[i].buffer].shape.size[3];
    convolution_kernel *k = calloc(1, sizeof *k);
    if (!k) return no_memory(error);
    s->kernel = k;
    k->repeat = s->sources[0].repeat;
    k->output_channels = shape.output_channels;
    sat_status status = convolution_make(&shape, p->type, p->threads, processor_best(), &k->run, error);
    if (status != SAT_OK) return status;
    convolution_describe(k->run, s->detail, sizeof s->detail);
    s->operations = convolution_operations(k->run);
    s->scratch_bytes = arena_bytes(convolution_scratch_bytes(k->run), 1) + statistics_bytes(shape.output_channels);
    char form[64];
    snprintf(form, sizeof form, "c%d/%016llx", k->repeat, (unsigned long long)convolution_packed_form(k->run));
    status = plan_want_packed(p, &s->parameters[0], form, convolution_packed_bytes(k->run), pack_convolution, k, error);
    if (status == SAT_OK) status = plan_want_plain(p, &s->parameters[1], ELEMENT_FLOAT32, error);
    if (status == SAT_OK && s->norm != PLAN_NONE) {
        status = plan_want_plain(p, &s->norm_gain, ELEMENT_FLOAT32, error);
        if (status == SAT_OK) status = plan_want_plain(p, &s->norm_bias, ELEMENT_FLOAT32, error);
    }
    return status;
}

/* scale x + shift = (x - mean) / sqrt(variance + epsilon) * gain + bias, the variance with divisor N. */
static void norm_coefficients(const plan *p, const plan_step *s, const channel_statistics *of, double voxels)
{
    const float epsilon = p->network->nodes[s->norm].epsilon;
    const float *gain = plan_parameter_data(p, &s->norm_gain), *bias = plan_parameter_data(p, &s->norm_bias);
    const int channels = (int)step_node(p, s)->shape.size[3];
    float *scale = plan_buffer_data(p, s->coefficients), *shift = scale + channels;
    for (int c = 0; c < channels; c++) {
        const double mean = of->sum[c] / voxels, variance = fmax(of->square[c] / voxels - mean * mean, 0.0);
        const double factor = (double)gain[c] / sqrt(variance + (double)epsilon);
        scale[c] = (float)factor;
        shift[c] = (float)((double)bias[c] - mean * factor);
    }
}

static sat_status convolution_step(const plan *p, const plan_step *s, void *scratch, sat_error *error)
{
    const convolution_kernel *k = s->kernel;
    feature_map sources[2], out = step_map(p, s->out);
    load_rule rules[2];
    for (int i = 0; i < s->source_count; i++) {
        sources[i] = step_map(p, s->sources[i].buffer);
        rules[i] = step_rule(p, &s->sources[i]);
    }
    const size_t channels = (size_t)out.channels;
    unsigned char *at = scratch;
    channel_statistics statistics = {(double *)at, NULL, NULL, NULL};
    at += arena_bytes(channels, sizeof(double));
    statistics.square = (double *)at;
    at += arena_bytes(channels, sizeof(double));
    statistics.minimum = (float *)at;
    at += arena_bytes(channels, sizeof(float));
    statistics.maximum = (float *)at;
    at += arena_bytes(channels, sizeof(float));
    const bool normed = s->norm != PLAN_NONE;
    const sat_status status =
        convolution_run(k->run, sources, rules, plan_parameter_data(p, &s->parameters[0]),
                        plan_parameter_data(p, &s->parameters[1]), &out, normed ? &statistics : NULL, at, error);
    if (status == SAT_OK && normed)
        norm_coefficients(p, s, &statistics, (double)out.shape_xyz[0] * out.shape_xyz[1] * out.shape_xyz[2]);
    return status;
}

const backend_operation cpu_convolution3d = {convolution_prepare, convolution_step, convolution_kernel_free};

/* ---------------------------------------------------------------- transposed convolution */

static sat_status pack_upsampling(const void *kernel, const float *values, size_t count, void *packed, sat_error *error)
{
    (void)count;
    return upsampling_pack(kernel, values, packed, error);
}

static void upsampling_kernel_free(void *kernel) { upsampling_free(kernel); }

static sat_status upsampling_prepare(const plan *p, plan_step *s, sat_error *error)
{
    const int64_t *in = p->buffers[s->sources[0].buffer].shape.size;
    const int shape_xyz[3] = {(int)in[0], (int)in[1], (int)in[2]};
    upsampling *u;
    sat_status status = upsampling_make(shape_xyz, (int)in[3], (int)step_node(p, s)->shape.size[3], p->type, p->threads,
                                        processor_best(), &u, error);
    if (status != SAT_OK) return status;
    s->kernel = u;
    s->operations = upsampling_operations(u);
    s->scratch_bytes = upsampling_scratch_bytes(u);
    snprintf(s->detail, sizeof s->detail, "transposed, one product of 8 columns a channel");
    char form[64];
    snprintf(form, sizeof form, "u/%016llx", (unsigned long long)upsampling_packed_form(u));
    status = plan_want_packed(p, &s->parameters[0], form, upsampling_packed_bytes(u), pack_upsampling, u, error);
    if (status == SAT_OK) status = plan_want_plain(p, &s->parameters[1], ELEMENT_FLOAT32, error);
    return status;
}

static sat_status upsampling_step(const plan *p, const plan_step *s, void *scratch, sat_error *error)
{
    const feature_map source = step_map(p, s->sources[0].buffer);
    const load_rule rule = step_rule(p, &s->sources[0]);
    feature_map out = step_map(p, s->out);
    return upsampling_run(s->kernel, &source, &rule, plan_parameter_data(p, &s->parameters[0]),
                          plan_parameter_data(p, &s->parameters[1]), &out, scratch, error);
}

const backend_operation cpu_transposed_convolution3d = {upsampling_prepare, upsampling_step, upsampling_kernel_free};

/* ---------------------------------------------------------------- pooling */

static sat_status pool_prepare(const plan *p, plan_step *s, sat_error *error)
{
    (void)p;
    (void)s;
    (void)error;
    return SAT_OK;
}

static sat_status pool_step(const plan *p, const plan_step *s, void *scratch, sat_error *error)
{
    (void)scratch;
    (void)error;
    const row_kernels kernels = row_kernels_for(processor_best());
    const feature_map source = step_map(p, s->sources[0].buffer);
    const load_rule rule = step_rule(p, &s->sources[0]);
    const int kernel = step_node(p, s)->kernel, planes = source.shape_xyz[0] / kernel;
    const ptrdiff_t pitch = (ptrdiff_t)p->buffers[s->out].shape.size[1];
    float *out = (float *)plan_buffer_data(p, s->out) + s->out_column;
#pragma omp parallel for schedule(dynamic, 1) num_threads(p->threads)
    for (int x = 0; x < planes; x++)
        kernels.average_pool(&source, &rule, kernel, x, x + 1, out, pitch);
    return SAT_OK;
}

const backend_operation cpu_average_pool = {pool_prepare, pool_step, NULL};
