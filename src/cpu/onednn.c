/* oneDNN 2.6 and 3.x behind onednn.h. The two generations differ in how memory layouts and operations are
 * described; everything that differs is in the first section.
 *
 * One thread: oneDNN asks OpenMP for its number of threads when a primitive is made, and again when it runs
 * outside a parallel region. Both are fenced by one_thread_begin/end, which change the calling thread's own
 * setting only (an OpenMP control variable belongs to the task) and put it back. */
#include "cpu/onednn.h"

#include "base/hash.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the two generations */

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t layout;             /* a handle, owned */
typedef const_dnnl_memory_desc_t layout_view;  /* borrowed        */

static layout_view layout_of(const layout *l) { return *l; }

static dnnl_status_t layout_make(layout *l, int axes, const dnnl_dims_t shape, dnnl_data_type_t type,
                                 dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(l, axes, shape, type, tag);
}

static dnnl_status_t layout_make_strided(layout *l, int axes, const dnnl_dims_t shape, dnnl_data_type_t type,
                                         const dnnl_dims_t strides)
{
    return dnnl_memory_desc_create_with_strides(l, axes, shape, type, strides);
}

static dnnl_status_t layout_copy(layout *l, layout_view from) { return dnnl_memory_desc_clone(l, from); }

static void layout_free(layout *l)
{
    if (*l) (void)dnnl_memory_desc_destroy(*l);
    *l = NULL;
}

/* Blocks of a layout, from the outermost: how long each is and of which axis. */
static int layout_blocks(const layout *l, dnnl_dim_t lengths[], dnnl_dim_t axes[])
{
    int count = 0;
    const dnnl_dims_t *length = NULL, *axis = NULL;
    if (dnnl_memory_desc_query(*l, dnnl_query_inner_nblks_s32, &count) != dnnl_success ||
        dnnl_memory_desc_query(*l, dnnl_query_inner_blks, &length) != dnnl_success ||
        dnnl_memory_desc_query(*l, dnnl_query_inner_idxs, &axis) != dnnl_success)
        return 0;
    for (int i = 0; i < count; i++) {
        lengths[i] = (*length)[i];
        axes[i] = (*axis)[i];
    }
    return count;
}

static void layout_strides(const layout *l, int count, dnnl_dim_t strides[])
{
    const dnnl_dims_t *all = NULL;
    if (dnnl_memory_desc_query(*l, dnnl_query_strides, &all) != dnnl_success) return;
    for (int i = 0; i < count; i++) strides[i] = (*all)[i];
}

static dnnl_status_t describe_convolution(dnnl_primitive_desc_t *made, dnnl_engine_t engine, const layout *source,
                                          const layout *weights, const layout *bias, const layout *out,
                                          const dnnl_dims_t strides, dnnl_primitive_attr_t attributes)
{
    const dnnl_dims_t none = {0};
    return dnnl_convolution_forward_primitive_desc_create(made, engine, dnnl_forward_inference,
                                                          dnnl_convolution_direct, *source, *weights, *bias, *out,
                                                          strides, none, none, none, attributes);
}

static dnnl_status_t describe_product(dnnl_primitive_desc_t *made, dnnl_engine_t engine, const layout *a,
                                      const layout *b, const layout *bias, const layout *out,
                                      dnnl_primitive_attr_t attributes)
{
    return dnnl_matmul_primitive_desc_create(made, engine, *a, *b, bias ? *bias : NULL, *out, attributes);
}

#else

typedef dnnl_memory_desc_t layout;
typedef const dnnl_memory_desc_t *layout_view;

static layout_view layout_of(const layout *l) { return l; }

static dnnl_status_t layout_make(layout *l, int axes, const dnnl_dims_t shape, dnnl_data_type_t type,
                                 dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(l, axes, shape, type, tag);
}

static dnnl_status_t layout_make_strided(layout *l, int axes, const dnnl_dims_t shape, dnnl_data_type_t type,
                                         const dnnl_dims_t strides)
{
    return dnnl_memory_desc_init_by_strides(l, axes, shape, type, strides);
}

static dnnl_status_t layout_copy(layout *l, layout_view from)
{
    *l = *from;
    return dnnl_success;
}

static void layout_free(layout *l) { (void)l; }

/* Blocks of a layout, from the outermost: how long each is and of which axis. */
static int layout_blocks(const layout *l, dnnl_dim_t lengths[], dnnl_dim_t axes[])
{
    const dnnl_blocking_desc_t *blocking = &l->format_desc.blocking;
    for (int i = 0; i < blocking->inner_nblks; i++) {
        lengths[i] = blocking->inner_blks[i];
        axes[i] = blocking->inner_idxs[i];
    }
    return blocking->inner_nblks;
}

static void layout_strides(const layout *l, int count, dnnl_dim_t strides[])
{
    for (int i = 0; i < count; i++) strides[i] = l->format_desc.blocking.strides[i];
}

static dnnl_status_t describe_convolution(dnnl_primitive_desc_t *made, dnnl_engine_t engine, const layout *source,
                                          const layout *weights, const layout *bias, const layout *out,
                                          const dnnl_dims_t strides, dnnl_primitive_attr_t attributes)
{
    const dnnl_dims_t none = {0};
    dnnl_convolution_desc_t operation;
    const dnnl_status_t status =
        dnnl_convolution_forward_desc_init(&operation, dnnl_forward_inference, dnnl_convolution_direct, source,
                                           weights, bias, out, strides, none, none);
    return status == dnnl_success ? dnnl_primitive_desc_create(made, &operation, attributes, engine, NULL) : status;
}

static dnnl_status_t describe_product(dnnl_primitive_desc_t *made, dnnl_engine_t engine, const layout *a,
                                      const layout *b, const layout *bias, const layout *out,
                                      dnnl_primitive_attr_t attributes)
{
    dnnl_matmul_desc_t operation;
    const dnnl_status_t status = dnnl_matmul_desc_init(&operation, a, b, bias, out);
    return status == dnnl_success ? dnnl_primitive_desc_create(made, &operation, attributes, engine, NULL) : status;
}

#endif

/* ------------------------------------------------------------------ a kernel */

enum { ARGUMENTS_MAX = 5 };

/* What one thread needs to run a kernel: memory objects whose pointers are set before each run. */
typedef struct slot {
    dnnl_stream_t stream;
    dnnl_memory_t source, weights, bias, out, scratch;
    dnnl_exec_arg_t arguments[ARGUMENTS_MAX];
    int argument_count;
    char padding[64]; /* slots of two threads share no cache line */
} slot;

struct onednn_kernel {
    dnnl_engine_t engine;
    dnnl_primitive_t primitive;
    layout source, weights_plain, weights, bias, out, scratch;
    int weight_axes;
    bool has_bias;
    float *zero_bias; /* for runs without one of a kernel made with one; owned */
    size_t packed_bytes, scratch_bytes;
    char implementation[64];
    int slot_count;
    slot *slots;
};

/* What the caller's thread would use otherwise, to be given to one_thread_end. */
static int one_thread_begin(void)
{
    const int before = omp_get_max_threads();
    if (before != 1) omp_set_num_threads(1);
    return before;
}

static void one_thread_end(int before)
{
    if (before != 1) omp_set_num_threads(before);
}

static sat_status fail(sat_error *error, dnnl_status_t status, const char *what)
{
    switch (status) {
    case dnnl_success: return SAT_OK;
    case dnnl_out_of_memory:
        return sat_fail(error, SAT_NO_MEMORY, "no memory left for %s; close other programs or use fewer threads", what);
    case dnnl_unimplemented:
        return sat_fail(error, SAT_BAD_ARGUMENT, "oneDNN %s has no kernel for %s on this processor; use float32",
                        onednn_version(), what);
    default:
        return sat_fail(error, SAT_BAD_ARGUMENT, "oneDNN %s refuses %s (status %d)", onednn_version(), what,
                        (int)status);
    }
}

static dnnl_data_type_t type_of(element_type type) { return type == ELEMENT_BFLOAT16 ? dnnl_bf16 : dnnl_f32; }

static dnnl_status_t slot_make(const onednn_kernel *k, slot *s)
{
    dnnl_status_t status = dnnl_stream_create(&s->stream, k->engine, dnnl_stream_default_flags);
    struct {
        int argument;
        const layout *form;
        dnnl_memory_t *memory;
    } parts[ARGUMENTS_MAX] = {
        {DNNL_ARG_SRC, &k->source, &s->source},
        {DNNL_ARG_WEIGHTS, &k->weights, &s->weights},
        {DNNL_ARG_DST, &k->out, &s->out},
        {DNNL_ARG_SCRATCHPAD, &k->scratch, &s->scratch},
        {DNNL_ARG_BIAS, &k->bias, &s->bias},
    };
    s->argument_count = k->has_bias ? ARGUMENTS_MAX : ARGUMENTS_MAX - 1;
    for (int i = 0; i < s->argument_count && status == dnnl_success; i++) {
        status = dnnl_memory_create(parts[i].memory, layout_of(parts[i].form), k->engine, DNNL_MEMORY_NONE);
        s->arguments[i] = (dnnl_exec_arg_t){parts[i].argument, *parts[i].memory};
    }
    return status;
}

static void slot_free(slot *s)
{
    const dnnl_memory_t all[] = {s->source, s->weights, s->bias, s->out, s->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]) (void)dnnl_memory_destroy(all[i]);
    if (s->stream) (void)dnnl_stream_destroy(s->stream);
}

/* From a description to a kernel that can run: the primitive, its scratch, the slots. Takes `description`. */
static dnnl_status_t kernel_compile(onednn_kernel *k, dnnl_primitive_desc_t description, int slots)
{
    dnnl_status_t status = dnnl_primitive_create(&k->primitive, description);
    const char *name = NULL;
    if (status == dnnl_success) status = dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name);
    if (name) snprintf(k->implementation, sizeof k->implementation, "%s", name);
    if (status == dnnl_success)
        status = layout_copy(&k->weights, dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0));
    if (status == dnnl_success)
        status = layout_copy(&k->scratch, dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0));
    (void)dnnl_primitive_desc_destroy(description);
    if (status != dnnl_success) return status;
    k->packed_bytes = dnnl_memory_desc_get_size(layout_of(&k->weights));
    k->scratch_bytes = dnnl_memory_desc_get_size(layout_of(&k->scratch));
    k->slots = calloc((size_t)slots, sizeof *k->slots);
    if (!k->slots) return dnnl_out_of_memory;
    k->slot_count = slots;
    for (int i = 0; i < slots && status == dnnl_success; i++) status = slot_make(k, &k->slots[i]);
    return status;
}

static dnnl_status_t attributes_make(dnnl_primitive_attr_t *attributes)
{
    const dnnl_status_t status = dnnl_primitive_attr_create(attributes);
    return status == dnnl_success ? dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user)
                                  : status;
}

static dnnl_status_t convolution_build(onednn_kernel *k, const onednn_convolution_shape *s, dnnl_data_type_t type,
                                       int slots)
{
    enum { AXES = 5 };
    const int *o = s->output_shape_xyz, step = s->stride;
    const dnnl_dims_t source = {1, s->input_channels, (o[0] - 1) * step + 3, (o[1] - 1) * step + 3,
                                (o[2] - 1) * step + 3};
    const dnnl_dims_t weights = {s->output_channels, s->input_channels, 3, 3, 3};
    const dnnl_dims_t out = {1, s->output_channels, o[0], o[1], o[2]}, bias = {s->output_channels};
    const dnnl_dims_t strides = {step, step, step};
    layout any = {0};
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t description = NULL;
    k->has_bias = true;
    k->weight_axes = AXES;
    k->zero_bias = calloc((size_t)s->output_channels, sizeof *k->zero_bias);
    dnnl_status_t status = k->zero_bias ? dnnl_engine_create(&k->engine, dnnl_cpu, 0) : dnnl_out_of_memory;
    if (status == dnnl_success) status = layout_make(&k->source, AXES, source, type, dnnl_ndhwc);
    if (status == dnnl_success) status = layout_make(&any, AXES, weights, type, dnnl_format_tag_any);
    if (status == dnnl_success) status = layout_make(&k->weights_plain, AXES, weights, dnnl_f32, dnnl_oidhw);
    if (status == dnnl_success) status = layout_make(&k->bias, 1, bias, dnnl_f32, dnnl_a);
    if (status == dnnl_success) status = layout_make(&k->out, AXES, out, dnnl_f32, dnnl_ndhwc);
    if (status == dnnl_success) status = attributes_make(&attributes);
    if (status == dnnl_success)
        status = describe_convolution(&description, k->engine, &k->source, &any, &k->bias, &k->out, strides,
                                      attributes);
    if (status == dnnl_success) status = kernel_compile(k, description, slots);
    if (attributes) (void)dnnl_primitive_attr_destroy(attributes);
    layout_free(&any);
    return status;
}

static dnnl_status_t product_build(onednn_kernel *k, const onednn_product_shape *s, dnnl_data_type_t type, int slots)
{
    enum { AXES = 2 };
    const dnnl_dims_t a = {s->rows, s->inner}, b = {s->inner, s->columns}, out = {s->rows, s->columns};
    const dnnl_dims_t one_row = {1, s->columns}, out_strides = {s->out_pitch, 1}, b_strides = {1, s->inner};
    layout given = {0};
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t description = NULL;
    k->has_bias = s->with_bias;
    k->weight_axes = AXES;
    k->zero_bias = calloc((size_t)s->columns, sizeof *k->zero_bias);
    dnnl_status_t status = k->zero_bias ? dnnl_engine_create(&k->engine, dnnl_cpu, 0) : dnnl_out_of_memory;
    if (status == dnnl_success) status = layout_make(&k->source, AXES, a, type, dnnl_ab);
    if (status == dnnl_success)
        status = s->transposed ? layout_make_strided(&given, AXES, b, type, b_strides)
                               : layout_make(&given, AXES, b, type, dnnl_format_tag_any);
    if (status == dnnl_success) status = layout_make(&k->weights_plain, AXES, b, dnnl_f32, dnnl_ab);
    if (status == dnnl_success) status = layout_make(&k->bias, AXES, one_row, dnnl_f32, dnnl_ab);
    if (status == dnnl_success) status = layout_make_strided(&k->out, AXES, out, dnnl_f32, out_strides);
    if (status == dnnl_success) status = attributes_make(&attributes);
    if (status == dnnl_success)
        status = describe_product(&description, k->engine, &k->source, &given, k->has_bias ? &k->bias : NULL, &k->out,
                                  attributes);
    if (status == dnnl_success) status = kernel_compile(k, description, slots);
    if (s->transposed) k->packed_bytes = 0;
    if (attributes) (void)dnnl_primitive_attr_destroy(attributes);
    layout_free(&given);
    return status;
}

/* ------------------------------------------------------------------ the door */

sat_status onednn_convolution_make(const onednn_convolution_shape *shape, element_type type, int slots,
                                   onednn_kernel **kernel, sat_error *error)
{
    char what[160];
    snprintf(what, sizeof what, "a %s convolution of %d to %d channels, stride %d, tile %d x %d x %d",
             element_name(type), shape->input_channels, shape->output_channels, shape->stride,
             shape->output_shape_xyz[0], shape->output_shape_xyz[1], shape->output_shape_xyz[2]);
    *kernel = calloc(1, sizeof **kernel);
    if (!*kernel) return fail(error, dnnl_out_of_memory, what);
    const int before = one_thread_begin();
    const dnnl_status_t status = convolution_build(*kernel, shape, type_of(type), slots);
    one_thread_end(before);
    if (status != dnnl_success) {
        onednn_free(*kernel);
        *kernel = NULL;
    }
    return fail(error, status, what);
}

sat_status onednn_product_make(const onednn_product_shape *shape, element_type type, int slots,
                               onednn_kernel **kernel, sat_error *error)
{
    char what[160];
    snprintf(what, sizeof what, "a %s product of %d x %d by %d x %d%s", element_name(type), shape->rows, shape->inner,
             shape->inner, shape->columns, shape->transposed ? " (transposed)" : "");
    *kernel = calloc(1, sizeof **kernel);
    if (!*kernel) return fail(error, dnnl_out_of_memory, what);
    const int before = one_thread_begin();
    const dnnl_status_t status = product_build(*kernel, shape, type_of(type), slots);
    one_thread_end(before);
    if (status != dnnl_success) {
        onednn_free(*kernel);
        *kernel = NULL;
    }
    return fail(error, status, what);
}

size_t onednn_packed_bytes(const onednn_kernel *kernel) { return kernel->packed_bytes; }
uint64_t onednn_packed_form(const onednn_kernel *kernel)
{
    struct {
        dnnl_dim_t strides[DNNL_MAX_NDIMS], lengths[DNNL_MAX_NDIMS], axes[DNNL_MAX_NDIMS], bytes;
    } form = {.bytes = (dnnl_dim_t)kernel->packed_bytes};
    layout_strides(&kernel->weights, kernel->weight_axes, form.strides);
    (void)layout_blocks(&kernel->weights, form.lengths, form.axes);
    return hash_fnv1a64(HASH_FNV_START, &form, sizeof form);
}

size_t onednn_scratch_bytes(const onednn_kernel *kernel) { return kernel->scratch_bytes; }
const char *onednn_implementation(const onednn_kernel *kernel) { return kernel->implementation; }

const char *onednn_version(void)
{
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
    return TEXT(DNNL_VERSION_MAJOR) "." TEXT(DNNL_VERSION_MINOR) "." TEXT(DNNL_VERSION_PATCH);
#undef TEXT
#undef TEXT_OF
}

sat_status onednn_pack(const onednn_kernel *kernel, const float *weights, void *packed, sat_error *error)
{
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_stream_t stream = NULL;
    const int before = one_thread_begin();
    const layout_view plain = layout_of(&kernel->weights_plain), wanted = layout_of(&kernel->weights);
    /* oneDNN takes no pointer to const; the source of a reorder is only read. */
    dnnl_status_t status = dnnl_memory_create(&from, plain, kernel->engine, (void *)(size_t)weights);
    if (status == dnnl_success) status = dnnl_memory_create(&to, wanted, kernel->engine, packed);
    if (status == dnnl_success)
        status = dnnl_reorder_primitive_desc_create(&description, plain, kernel->engine, wanted, kernel->engine, NULL);
    if (status == dnnl_success) status = dnnl_primitive_create(&reorder, description);
    if (status == dnnl_success) status = dnnl_stream_create(&stream, kernel->engine, dnnl_stream_default_flags);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
        status = dnnl_primitive_execute(reorder, stream, 2, arguments);
    }
    if (status == dnnl_success) status = dnnl_stream_wait(stream);
    if (stream) (void)dnnl_stream_destroy(stream);
    if (reorder) (void)dnnl_primitive_destroy(reorder);
    if (description) (void)dnnl_primitive_desc_destroy(description);
    if (to) (void)dnnl_memory_destroy(to);
    if (from) (void)dnnl_memory_destroy(from);
    one_thread_end(before);
    return fail(error, status, "packing weights");
}

sat_status onednn_run(const onednn_kernel *kernel, int slot_index, const void *source, const void *weights,
                      const float *bias, float *out, void *scratch)
{
    const slot *s = &kernel->slots[slot_index];
    const int before = one_thread_begin();
    dnnl_status_t status = dnnl_memory_set_data_handle(s->source, (void *)(size_t)source);
    if (status == dnnl_success) status = dnnl_memory_set_data_handle(s->weights, (void *)(size_t)weights);
    if (status == dnnl_success) status = dnnl_memory_set_data_handle(s->out, out);
    if (status == dnnl_success) status = dnnl_memory_set_data_handle(s->scratch, scratch);
    if (status == dnnl_success && kernel->has_bias)
        status = dnnl_memory_set_data_handle(s->bias, (void *)(size_t)(bias ? bias : kernel->zero_bias));
    if (status == dnnl_success)
        status = dnnl_primitive_execute(kernel->primitive, s->stream, s->argument_count, s->arguments);
    one_thread_end(before);
    return status == dnnl_success ? SAT_OK : SAT_BAD_ARGUMENT;
}

void onednn_free(onednn_kernel *kernel)
{
    if (!kernel) return;
    for (int i = 0; i < kernel->slot_count; i++) slot_free(&kernel->slots[i]);
    free(kernel->slots);
    if (kernel->primitive) (void)dnnl_primitive_destroy(kernel->primitive);
    layout *const all[] = {&kernel->source, &kernel->weights_plain, &kernel->weights,
                           &kernel->bias,   &kernel->out,           &kernel->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) layout_free(all[i]);
    if (kernel->engine) (void)dnnl_engine_destroy(kernel->engine);
    free(kernel->zero_bias);
    free(kernel);
}
