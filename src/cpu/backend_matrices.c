/* Linear layers, layer norm, sums, attention and row pooling as steps of a plan. Matrices are dense float32. */
#include "cpu/backend_maps.h"

#include "base/arena.h"
#include "base/processor.h"
#include "cpu/linear.h"
#include "cpu/rows.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>

/* Rows that one thread takes at a time: small enough to share out a few prompts, large enough to be worth it. */
enum { ROW_BLOCK = 16 };

static const float *source_matrix(const plan *p, const plan_step *s, int i) { return plan_buffer_data(p, s->sources[i].buffer); }
static const int64_t *source_size(const plan *p, const plan_step *s, int i) { return p->buffers[s->sources[i].buffer].shape.size; }

/* ---------------------------------------------------------------- linear */

static void linear_kernel_free(void *kernel) { linear_free(kernel); }

static sat_status linear_prepare(const plan *p, plan_step *s, sat_error *error)
{
    const int64_t *in = source_size(p, s, 0), *out = step_node(p, s)->shape.size;
    linear *l;
    sat_status status = linear_make((int)in[1], (int)out[1], p->type, p->threads, processor_best(), &l, error);
    if (status != SAT_OK) return status;
    s->kernel = l;
    s->operations = 2.0 * (double)in[0] * (double)in[1] * (double)out[1];
    s->scratch_bytes = linear_scratch_bytes(l, (int)in[0]);
    snprintf(s->detail, sizeof s->detail, "%lld x %lld x %lld", (long long)in[0], (long long)in[1], (long long)out[1]);
    status = plan_want_plain(p, &s->parameters[0], p->type, error);
    if (status == SAT_OK) status = plan_want_plain(p, &s->parameters[1], ELEMENT_FLOAT32, error);
    return status;
}

static sat_status linear_step(const plan *p, const plan_step *s, void *scratch, sat_error *error)
{
    static const activation activations[] = {
        [PLAN_LINEAR] = ACTIVATION_NONE, [PLAN_GELU] = ACTIVATION_GELU, [PLAN_RELU] = ACTIVATION_RELU};
    const int64_t *in = source_size(p, s, 0), *out = step_node(p, s)->shape.size;
    return linear_run(s->kernel, (int)in[0], source_matrix(p, s, 0), in[1], plan_parameter_data(p, &s->parameters[0]),
                      plan_parameter_data(p, &s->parameters[1]), activations[s->activation],
                      s->residual == PLAN_NONE ? NULL : plan_buffer_data(p, s->residual), plan_buffer_data(p, s->out), out[1],
                      scratch, error);
}

const backend_operation cpu_linear = {linear_prepare, linear_step, linear_kernel_free};

/* ---------------------------------------------------------------- layer norm */

static sat_status layer_norm_prepare(const plan *p, plan_step *s, sat_error *error)
{
    sat_status status = SAT_OK;
    for (int i = 0; i < s->parameter_count && status == SAT_OK; i++)
        status = plan_want_plain(p, &s->parameters[i], ELEMENT_FLOAT32, error);
    return status;
}

static sat_status layer_norm_step(const plan *p, const plan_step *s, void *scratch, sat_error *error)
{
    (void)scratch;
    (void)error;
    const row_kernels kernels = row_kernels_for(processor_best());
    const int64_t *size = source_size(p, s, 0);
    const int rows = (int)size[0], width = (int)size[1];
    const float epsilon = step_node(p, s)->epsilon;
    const float *x = source_matrix(p, s, 0), *gain = plan_parameter_data(p, &s->parameters[0]),
                *bias = plan_parameter_data(p, &s->parameters[1]);
    float *out = plan_buffer_data(p, s->out);
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int r = 0; r < rows; r += ROW_BLOCK)
        kernels.layer_norm(rows - r < ROW_BLOCK ? rows - r : ROW_BLOCK, width, x + (size_t)r * (size_t)width, gain, bias,
                           epsilon, out + (size_t)r * (size_t)width);
    return SAT_OK;
}

const backend_operation cpu_layer_norm = {layer_norm_prepare, layer_norm_step, NULL};

/* ---------------------------------------------------------------- sums */

static sat_status nothing_to_prepare(const plan *p, plan_step *s, sat_error *error)
{
    (void)p;
    (void)s;
    (void)error;
    return SAT_OK;
}

static sat_status add_step(const plan *p, const plan_step *s, void *scratch, sat_error *error)
{
    (void)scratch;
    (void)error;
    const float *a = source_matrix(p, s, 0), *b = source_matrix(p, s, 1);
    float *out = plan_buffer_data(p, s->out);
    const int64_t count = graph_elements(&step_node(p, s)->shape);
#pragma omp parallel for simd schedule(static) num_threads(p->threads)
    for (int64_t i = 0; i < count; i++)
        out[i] = a[i] + b[i];
    return SAT_OK;
}

const backend_operation cpu_add = {nothing_to_prepare, add_step, NULL};

/* ---------------------------------------------------------------- attention */

static sat_status attention_prepare(const plan *p, plan_step *s, sat_error *error)
{
    (void)error;
    const int64_t *q = source_size(p, s, 0), *k = source_size(p, s, 1);
    s->scratch_bytes = (size_t)p->threads * arena_bytes((size_t)k[0], sizeof(float));
    s->operations = 4.0 * (double)q[0] * (double)k[0] / step_node(p, s)->groups * (double)q[1];
    snprintf(s->detail, sizeof s->detail, "%lld x %lld, %d heads", (long long)q[0], (long long)k[0], step_node(p, s)->heads);
    return SAT_OK;
}

/* Task t is one head of ROW_BLOCK rows of one group. */
static sat_status attention_step(const plan *p, const plan_step *s, void *scratch, sat_error *error)
{
    (void)error;
    const row_kernels kernels = row_kernels_for(processor_best());
    const graph_node *n = step_node(p, s);
    const int64_t width = n->shape.size[1], rows = n->shape.size[0] / n->groups, tokens = source_size(p, s, 1)[0] / n->groups;
    const int head_width = (int)width / n->heads, blocks = (int)(rows + ROW_BLOCK - 1) / ROW_BLOCK;
    const float scale = 1.0f / sqrtf((float)head_width);
    const float *q = source_matrix(p, s, 0), *k = source_matrix(p, s, 1), *v = source_matrix(p, s, 2);
    const float *bias = s->source_count > 3 ? source_matrix(p, s, 3) : NULL;
    const int64_t *bias_size = bias ? source_size(p, s, 3) : NULL;
    float *out = plan_buffer_data(p, s->out);
    const size_t scratch_bytes = arena_bytes((size_t)tokens * (size_t)n->groups, sizeof(float));
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int t = 0; t < n->groups * n->heads * blocks; t++) {
        const int64_t block = t % blocks, head = t / blocks % n->heads, group = t / blocks / n->heads;
        const int64_t first = block * ROW_BLOCK, count = rows - first < ROW_BLOCK ? rows - first : ROW_BLOCK;
        const int64_t query = (group * rows + first) * width + head * head_width;
        const int64_t key = group * tokens * width + head * head_width;
        const float *scores_bias = NULL;
        if (bias) {
            const int64_t g = bias_size[0] == 1 ? 0 : group, h = bias_size[1] == 1 ? 0 : head;
            scores_bias = bias + ((g * bias_size[1] + h) * rows + first) * tokens;
        }
        kernels.attention((int)count, (int)tokens, head_width, q + query, width, k + key, width, v + key, width, scale,
                          scores_bias, tokens, out + query, width,
                          (float *)((unsigned char *)scratch + (size_t)omp_get_thread_num() * scratch_bytes));
    }
    return SAT_OK;
}

const backend_operation cpu_attention = {attention_prepare, attention_step, NULL};

/* ---------------------------------------------------------------- pooling of rows */

static sat_status pool_rows_step(const plan *p, const plan_step *s, void *scratch, sat_error *error)
{
    (void)scratch;
    (void)error;
    const int64_t *size = step_node(p, s)->shape.size;
    const int64_t groups = size[0], width = size[1], rows = source_size(p, s, 0)[0] / groups;
    const float *x = source_matrix(p, s, 0), *weights = source_matrix(p, s, 1);
    float *out = plan_buffer_data(p, s->out);
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int64_t g = 0; g < groups; g++)
        for (int64_t c = 0; c < width; c++) {
            double sum = 0;
            for (int64_t r = 0; r < rows; r++)
                sum += (double)weights[g * rows + r] * (double)x[(g * rows + r) * width + c];
            out[g * width + c] = (float)sum;
        }
    return SAT_OK;
}

const backend_operation cpu_pool_rows = {nothing_to_prepare, pool_rows_step, NULL};
