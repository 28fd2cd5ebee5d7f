/* Convolution tile by tile. A task is one tile and one group of output channels; a thread takes a contiguous
 * run of tasks, groups of a tile side by side, and loads a tile when it comes to the first of them. */
#include "cpu/convolution.h"

#include "base/arena.h"
#include "base/hash.h"
#include "cpu/onednn.h"
#include "cpu/tile.h"
#include "cpu/tiling.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TAPS = 27,
    PATCH_CHANNELS_MAX = 4,      /* up to here: patches and one product              */
    PATCH_ROW_MULTIPLE = 32,     /* elements: whole vectors in both types            */
};
static const double GROUP_WEIGHT_BYTES = 0.9e6; /* of one group's weights: they stay in a 1 MB L2 cache        */
/* Of both tile buffers: the input stays in a 1 MB L2 cache. With stride 2 it is read for an eighth of the outputs, and
 * larger tiles with fewer voxels in common pay more than the cache. By stride; docs/benchmarks.md has the figures. */
static const double TILE_BYTES[] = {0, 1.3e6, 2.4e6};
static const double LOAD_WORK = 50;             /* operations that take as long as loading one value ...        */
static const double STORE_WORK = 100;           /* ... and as storing one and taking its statistics             */

struct convolution {
    convolution_shape shape;
    element_type type;      /* as asked                                                              */
    element_type operand;   /* what is multiplied: float32 where the processor has no bfloat16 kernel */
    int threads;
    tile_kernels kernels;
    int input_channels;     /* of all sources */
    int output_shape[3];
    bool patches;
    int patch_row;          /* elements */
    int groups, group_channels;
    tiling cut;
    int input_box[3];       /* voxels that a tile reads, tile axes */
    onednn_kernel *kernel;
    size_t packed_group_bytes, partial_bytes, input_bytes, output_bytes, thread_bytes;
};

/* ------------------------------------------------------------------ making */

static sat_status check_shape(const convolution_shape *s, int threads, sat_error *error)
{
    bool good = s->source_count >= 1 && s->source_count <= 2 && s->output_channels >= 1 && threads >= 1 &&
                (s->stride == 1 || s->stride == 2);
    for (int i = 0; i < 3; i++) good = good && s->input_shape_xyz[i] >= 1;
    for (int i = 0; good && i < s->source_count; i++) good = s->source_channels[i] >= 1;
    return good ? SAT_OK
                : sat_fail(error, SAT_BAD_ARGUMENT,
                           "a convolution needs 1 or 2 sources, stride 1 or 2, at least one thread, and sizes of 1 or more");
}

/* Everything that follows from the shape and the type of the operands, and the kernel. */
static sat_status make_for(convolution *c, element_type operand, sat_error *error)
{
    const int stride = c->shape.stride;
    const size_t element = element_bytes(operand);
    c->operand = operand;
    c->patches = c->shape.source_count == 1 && c->input_channels <= PATCH_CHANNELS_MAX;
    c->patch_row = (TAPS * c->input_channels + PATCH_ROW_MULTIPLE - 1) / PATCH_ROW_MULTIPLE * PATCH_ROW_MULTIPLE;
    c->group_channels = c->patches ? c->shape.output_channels
                                   : tiling_group(c->shape.output_channels, (double)TAPS * c->input_channels * (double)element,
                                                  GROUP_WEIGHT_BYTES);
    c->groups = c->shape.output_channels / c->group_channels;

    const int input_values = c->patches ? c->patch_row : c->input_channels;
    const tiling_costs costs = {
        .reach = c->patches ? 1 : 3,
        .stride = c->patches ? 1 : stride,
        .input_bytes = (double)input_values * (double)element,
        .output_bytes = (double)c->group_channels * sizeof(float),
        .input_work = LOAD_WORK * input_values,
        .output_work = STORE_WORK * c->shape.output_channels,
        .multiply_work = 2.0 * (c->patches ? c->patch_row : TAPS * c->input_channels) * c->shape.output_channels,
        .task_work = LOAD_WORK * (c->patches ? c->patch_row : TAPS * c->input_channels) * c->group_channels,
        .groups = c->groups,
        .bytes_limit = TILE_BYTES[stride],
    };
    c->cut = tiling_choose(c->output_shape, &costs);
    const size_t input_voxels = tiling_input_voxels(&c->cut, costs.reach, costs.stride, c->input_box);
    const size_t output_voxels = tiling_tile_voxels(&c->cut);
    c->input_bytes = arena_bytes(input_voxels * (size_t)input_values, element);
    c->output_bytes = arena_bytes(output_voxels * (size_t)c->group_channels, sizeof(float));

    sat_status status;
    if (c->patches) {
        const onednn_product_shape product = {(int)output_voxels, c->patch_row, c->group_channels, c->group_channels,
                                              false, true};
        status = onednn_product_make(&product, operand, c->threads, &c->kernel, error);
    } else {
        const onednn_convolution_shape tile = {
            {c->cut.tile_shape[0], c->cut.tile_shape[1], c->cut.tile_shape[2]}, c->input_channels, c->group_channels, stride};
        status = onednn_convolution_make(&tile, operand, c->threads, &c->kernel, error);
    }
    if (status != SAT_OK) return status;
    c->packed_group_bytes = arena_bytes(onednn_packed_bytes(c->kernel), 1);
    c->partial_bytes = arena_bytes((size_t)c->cut.tiles * (size_t)c->shape.output_channels,
                                   2 * sizeof(double) + 2 * sizeof(float));
    c->thread_bytes = c->input_bytes + c->output_bytes + arena_bytes(onednn_scratch_bytes(c->kernel), 1);
    return SAT_OK;
}

sat_status convolution_make(const convolution_shape *shape, element_type type, int threads, processor_level level,
                            convolution **made, sat_error *error)
{
    *made = NULL;
    sat_status status = check_shape(shape, threads, error);
    if (status != SAT_OK) return status;
    convolution *c = calloc(1, sizeof *c);
    if (!c) return sat_fail(error, SAT_NO_MEMORY, "no memory left for a convolution; close other programs");
    c->shape = *shape;
    c->type = type;
    c->threads = threads;
    c->kernels = tile_kernels_for(level);
    c->input_channels = shape->source_channels[0] + (shape->source_count == 2 ? shape->source_channels[1] : 0);
    for (int i = 0; i < 3; i++) c->output_shape[i] = (shape->input_shape_xyz[i] - 1) / shape->stride + 1;
    status = make_for(c, type, error);
    /* Where oneDNN has no bfloat16 kernel (processors before AVX-512), the same values in float32. */
    if (status == SAT_BAD_ARGUMENT && type == ELEMENT_BFLOAT16) status = make_for(c, ELEMENT_FLOAT32, error);
    if (status == SAT_OK)
        *made = c;
    else
        convolution_free(c);
    return status;
}

void convolution_free(convolution *c)
{
    if (!c) return;
    onednn_free(c->kernel);
    free(c);
}

size_t convolution_packed_bytes(const convolution *c) { return (size_t)c->groups * c->packed_group_bytes; }

uint64_t convolution_packed_form(const convolution *c)
{
    const uint64_t form[] = {onednn_packed_form(c->kernel), c->patches, (uint64_t)c->group_channels,
                             (uint64_t)(c->cut.axes[0] + 4 * c->cut.axes[1] + 16 * c->cut.axes[2]), c->operand};
    return hash_fnv1a64(HASH_FNV_START, form, sizeof form);
}

size_t convolution_scratch_bytes(const convolution *c)
{
    return c->partial_bytes + (size_t)c->threads * c->thread_bytes;
}

double convolution_operations(const convolution *c)
{
    return 2.0 * TAPS * c->input_channels * c->shape.output_channels * c->output_shape[0] * c->output_shape[1] *
           c->output_shape[2];
}

void convolution_describe(const convolution *c, char *text, size_t size)
{
    static const char axis_names[] = "xyz";
    const tiling *t = &c->cut;
    snprintf(text, size, "%s %s, %d tiles [%c%c%c] %dx%dx%d, %d group%s of %d channels, %s",
             element_name(c->operand), c->patches ? "patches" : "direct", t->tiles, axis_names[t->axes[0]],
             axis_names[t->axes[1]], axis_names[t->axes[2]], t->tile_shape[0], t->tile_shape[1], t->tile_shape[2],
             c->groups, c->groups == 1 ? "" : "s", c->group_channels, onednn_implementation(c->kernel));
}

/* ------------------------------------------------------------------ weights */

/* One group's weights in the kernel's order: [output][input][tile axes], or for patches the matrix
 * [tap and input][output] with zero rows up to patch_row. */
static void arrange_weights(const convolution *c, const float *weights, int first, float *arranged)
{
    const int inputs = c->input_channels, outputs = c->group_channels, *axes = c->cut.axes;
    if (c->patches) memset(arranged, 0, (size_t)c->patch_row * (size_t)outputs * sizeof *arranged);
    for (int o = 0; o < outputs; o++)
        for (int i = 0; i < inputs; i++)
            for (int tap = 0; tap < TAPS; tap++) {
                int at_xyz[3];
                at_xyz[axes[0]] = tap / 9;
                at_xyz[axes[1]] = tap / 3 % 3;
                at_xyz[axes[2]] = tap % 3;
                const size_t from = ((size_t)(first + o) * (size_t)inputs + (size_t)i) * TAPS +
                                    (size_t)(9 * at_xyz[0] + 3 * at_xyz[1] + at_xyz[2]);
                const size_t to = c->patches ? (size_t)(tap * inputs + i) * (size_t)outputs + (size_t)o
                                             : ((size_t)o * (size_t)inputs + (size_t)i) * TAPS + (size_t)tap;
                arranged[to] = weights[from];
            }
}

sat_status convolution_pack(const convolution *c, const float *weights, void *packed, sat_error *error)
{
    const size_t rows = c->patches ? (size_t)c->patch_row : (size_t)TAPS * (size_t)c->input_channels;
    float *arranged = malloc(rows * (size_t)c->group_channels * sizeof *arranged);
    if (!arranged) return sat_fail(error, SAT_NO_MEMORY, "no memory left to pack a convolution's weights");
    sat_status status = SAT_OK;
    for (int g = 0; g < c->groups && status == SAT_OK; g++) {
        arrange_weights(c, weights, g * c->group_channels, arranged);
        status = onednn_pack(c->kernel, arranged, (char *)packed + (size_t)g * c->packed_group_bytes, error);
    }
    free(arranged);
    return status;
}

/* ------------------------------------------------------------------ running */

/* One run, seen by all threads. */
typedef struct convolution_job {
    const convolution *c;
    feature_map sources[2], out; /* in tile axes */
    const load_rule *rules;
    const char *packed;
    const float *bias;
    channel_statistics partials; /* [tile][output channel], or all NULL */
    char *thread_scratch;
} convolution_job;

static void load_tile(const convolution_job *job, const int origin[3], void *tile)
{
    const convolution *c = job->c;
    if (c->patches) {
        c->kernels.load_patches(&job->sources[0], job->rules, origin, c->cut.tile_shape, c->shape.stride, c->operand,
                                tile, c->patch_row);
        return;
    }
    const int first[3] = {origin[0] * c->shape.stride - 1, origin[1] * c->shape.stride - 1,
                          origin[2] * c->shape.stride - 1};
    int offset = 0;
    for (int i = 0; i < c->shape.source_count; i++) {
        c->kernels.load(&job->sources[i], job->rules ? &job->rules[i] : NULL, first, c->input_box, c->operand, tile,
                        c->input_channels, offset);
        offset += job->sources[i].channels;
    }
}

/* Statistics of `tile` for the channels from `channel` on, set to those of no value at all. */
static channel_statistics begin_partial(const convolution_job *job, int tile, int channel)
{
    const size_t at = (size_t)tile * (size_t)job->c->shape.output_channels + (size_t)channel;
    const channel_statistics p = {job->partials.sum + at, job->partials.square + at, job->partials.minimum + at,
                                  job->partials.maximum + at};
    for (int i = 0; i < job->c->group_channels; i++) {
        p.sum[i] = p.square[i] = 0;
        p.minimum[i] = FLT_MAX;
        p.maximum[i] = -FLT_MAX;
    }
    return p;
}

static void store_tile(const convolution_job *job, int tile, int group, const int origin[3], const int inside[3],
                       const float *values)
{
    const convolution *c = job->c;
    const int channel = group * c->group_channels;
    feature_map to = job->out;
    to.channels = c->group_channels;
    to.data = (char *)to.data + (size_t)channel * element_bytes(to.type);
    channel_statistics partial;
    if (job->partials.sum) partial = begin_partial(job, tile, channel);
    c->kernels.store(values, c->cut.tile_shape, inside, origin, &to, job->partials.sum ? &partial : NULL);
}

static sat_status run_thread(const convolution_job *job, int thread)
{
    const convolution *c = job->c;
    char *input = job->thread_scratch + (size_t)thread * c->thread_bytes;
    float *output = (float *)(input + c->input_bytes);
    void *kernel_scratch = input + c->input_bytes + c->output_bytes;
    sat_status status = SAT_OK;
    int begin, end, loaded = -1;
    tiling_share(c->cut.tiles * c->groups, thread, c->threads, &begin, &end);
    for (int task = begin; task < end && status == SAT_OK; task++) {
        const int tile = task / c->groups, group = task % c->groups;
        int origin[3], inside[3];
        tiling_tile(&c->cut, tile, origin, inside);
        if (tile != loaded) load_tile(job, origin, input);
        loaded = tile;
        status = onednn_run(c->kernel, thread, input, job->packed + (size_t)group * c->packed_group_bytes,
                            job->bias ? job->bias + (size_t)group * (size_t)c->group_channels : NULL, output,
                            kernel_scratch);
        if (status == SAT_OK) store_tile(job, tile, group, origin, inside, output);
    }
    return status;
}

/* All tiles' statistics, added in index order. */
static void reduce_statistics(const convolution *c, const channel_statistics *partials, channel_statistics *all)
{
    const size_t channels = (size_t)c->shape.output_channels;
    for (size_t o = 0; o < channels; o++) {
        all->sum[o] = all->square[o] = 0;
        all->minimum[o] = FLT_MAX;
        all->maximum[o] = -FLT_MAX;
    }
    for (int tile = 0; tile < c->cut.tiles; tile++)
        for (size_t o = 0; o < channels; o++) {
            const size_t at = (size_t)tile * channels + o;
            all->sum[o] += partials->sum[at];
            all->square[o] += partials->square[at];
            if (partials->minimum[at] < all->minimum[o]) all->minimum[o] = partials->minimum[at];
            if (partials->maximum[at] > all->maximum[o]) all->maximum[o] = partials->maximum[at];
        }
}

static sat_status check_maps(const convolution *c, const feature_map *sources, const feature_map *out,
                             sat_error *error)
{
    bool good = out->channels == c->shape.output_channels;
    for (int i = 0; i < 3; i++) {
        good = good && out->shape_xyz[i] == c->output_shape[i];
        for (int s = 0; s < c->shape.source_count; s++)
            good = good && sources[s].shape_xyz[i] == c->shape.input_shape_xyz[i];
    }
    for (int s = 0; s < c->shape.source_count; s++) good = good && sources[s].channels == c->shape.source_channels[s];
    return good ? SAT_OK : sat_fail(error, SAT_BAD_ARGUMENT, "the maps have other shapes than the convolution was made for");
}

sat_status convolution_run(const convolution *c, const feature_map *sources, const load_rule *rules,
                           const void *packed, const float *bias, feature_map *out,
                           channel_statistics *statistics, void *scratch, sat_error *error)
{
    sat_status status = check_maps(c, sources, out, error);
    if (status != SAT_OK) return status;
    convolution_job job = {.c = c, .rules = rules, .packed = packed, .bias = bias, .out = tiling_view(&c->cut, out),
                           .thread_scratch = (char *)scratch + c->partial_bytes};
    for (int i = 0; i < c->shape.source_count; i++) job.sources[i] = tiling_view(&c->cut, &sources[i]);
    if (statistics) {
        const size_t count = (size_t)c->cut.tiles * (size_t)c->shape.output_channels;
        job.partials.sum = scratch;
        job.partials.square = job.partials.sum + count;
        job.partials.minimum = (float *)(job.partials.square + count);
        job.partials.maximum = job.partials.minimum + count;
    }
    int failed = 0;
#pragma omp parallel for num_threads(c->threads) schedule(static, 1) reduction(+ : failed)
    for (int thread = 0; thread < c->threads; thread++) failed += run_thread(&job, thread) != SAT_OK;
    if (failed) return sat_fail(error, SAT_BAD_ARGUMENT, "oneDNN %s failed to run a convolution", onednn_version());
    if (statistics) reduce_statistics(c, &job.partials, statistics);
    return SAT_OK;
}
