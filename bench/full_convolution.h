/* The peer of bench/convolution.c: oneDNN's own convolution of a whole map in channels-last layout, zero padding 1, with
 * its own threads and its own choice of the weights' layout; result in the operands' type. oneDNN 2 only: with 3 there
 * is no peer. */
#ifndef SAT_BENCH_FULL_CONVOLUTION_H
#define SAT_BENCH_FULL_CONVOLUTION_H

#include "cpu/convolution.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>

typedef struct full_convolution {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[4]; /* source, weights, bias, out */
} full_convolution;

static inline void full_convolution_free(full_convolution *f)
{
    if (!f) return;
    for (int i = 0; i < 4; i++)
        if (f->memory[i]) (void)dnnl_memory_destroy(f->memory[i]);
    if (f->primitive) (void)dnnl_primitive_destroy(f->primitive);
    if (f->stream) (void)dnnl_stream_destroy(f->stream);
    if (f->engine) (void)dnnl_engine_destroy(f->engine);
    free(f);
}

#if DNNL_VERSION_MAJOR >= 3

static inline full_convolution *full_convolution_make(const convolution_shape *shape, element_type type, int threads)
{
    (void)shape, (void)type, (void)threads;
    return NULL;
}

#else

/* NULL when oneDNN has none or the memory is not there. `threads` have been set by the caller. */
static inline full_convolution *full_convolution_make(const convolution_shape *shape, element_type type, int threads)
{
    (void)threads;
    enum { AXES = 5 };
    const dnnl_data_type_t t = type == ELEMENT_BFLOAT16 ? dnnl_bf16 : dnnl_f32;
    const int *n = shape->input_shape_xyz, step = shape->stride;
    const int inputs = shape->source_channels[0] + (shape->source_count == 2 ? shape->source_channels[1] : 0);
    const dnnl_dims_t source = {1, inputs, n[0], n[1], n[2]}, weights = {shape->output_channels, inputs, 3, 3, 3};
    const dnnl_dims_t bias = {shape->output_channels}, strides = {step, step, step}, padding = {1, 1, 1};
    const dnnl_dims_t out = {1, shape->output_channels, (n[0] - 1) / step + 1, (n[1] - 1) / step + 1, (n[2] - 1) / step + 1};
    dnnl_memory_desc_t form[4];
    dnnl_convolution_desc_t operation;
    dnnl_primitive_desc_t description = NULL;
    full_convolution *f = calloc(1, sizeof *f);
    dnnl_status_t status = f ? dnnl_engine_create(&f->engine, dnnl_cpu, 0) : dnnl_out_of_memory;
    if (status == dnnl_success) status = dnnl_stream_create(&f->stream, f->engine, dnnl_stream_default_flags);
    if (status == dnnl_success) status = dnnl_memory_desc_init_by_tag(&form[0], AXES, source, t, dnnl_ndhwc);
    if (status == dnnl_success) status = dnnl_memory_desc_init_by_tag(&form[1], AXES, weights, t, dnnl_format_tag_any);
    if (status == dnnl_success) status = dnnl_memory_desc_init_by_tag(&form[2], 1, bias, dnnl_f32, dnnl_a);
    if (status == dnnl_success) status = dnnl_memory_desc_init_by_tag(&form[3], AXES, out, t, dnnl_ndhwc);
    if (status == dnnl_success)
        status = dnnl_convolution_forward_desc_init(&operation, dnnl_forward_inference, dnnl_convolution_direct, &form[0], &form[1],
                                                    &form[2], &form[3], strides, padding, padding);
    if (status == dnnl_success) status = dnnl_primitive_desc_create(&description, &operation, NULL, f->engine, NULL);
    if (status == dnnl_success) {
        form[1] = *dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
        status = dnnl_primitive_create(&f->primitive, description);
        (void)dnnl_primitive_desc_destroy(description);
    }
    for (int i = 0; i < 4 && status == dnnl_success; i++)
        status = dnnl_memory_create(&f->memory[i], &form[i], f->engine, DNNL_MEMORY_ALLOCATE);
    if (status != dnnl_success) {
        full_convolution_free(f);
        return NULL;
    }
    return f;
}

#endif

static inline void full_convolution_run(full_convolution *f)
{
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, f->memory[0]}, {DNNL_ARG_WEIGHTS, f->memory[1]},
                                         {DNNL_ARG_BIAS, f->memory[2]}, {DNNL_ARG_DST, f->memory[3]}};
    (void)dnnl_primitive_execute(f->primitive, f->stream, 4, arguments);
    (void)dnnl_stream_wait(f->stream);
}

#endif
