/* Transposed convolution, kernel 2 and stride 2: every input voxel makes a 2x2x2 block of outputs of its own, so the
 * whole is a matrix product. For each of the four positions (a, b) along x and y, one product of a tile's voxels
 * with the weights of both positions along z gives rows of 2 * channels, which lie as the output's z rows do.
 * A task is one tile, one group of output channels and one (a, b). */
#include "cpu/convolution.h"

#include "base/arena.h"
#include "base/hash.h"
#include "cpu/onednn.h"
#include "cpu/tile.h"
#include "cpu/tiling.h"

#include <stdlib.h>

enum { POSITIONS_XY = 4 };
static const double GROUP_WEIGHT_BYTES = 0.5e6; /* of one group and position: they stay in a core's cache */
static const double TILE_BYTES = 1.2e6;         /* as in convolution.c */
static const double LOAD_WORK = 50, STORE_WORK = 100;

struct upsampling {
    element_type operand;
    int threads;
    tile_kernels kernels;
    int input_channels, output_channels;
    int input_shape[3];
    int groups, group_channels;
    tiling cut; /* of the input; axes as they are, for z pairs lie side by side */
    onednn_kernel *kernel;
    size_t packed_part_bytes, bias_bytes, input_bytes, output_bytes, thread_bytes;
};

static sat_status make_for(upsampling *u, element_type operand, sat_error *error)
{
    const size_t element = element_bytes(operand);
    u->operand = operand;
    u->group_channels = tiling_group(u->output_channels, 2.0 * u->input_channels * (double)element, GROUP_WEIGHT_BYTES);
    u->groups = u->output_channels / u->group_channels;
    const tiling_costs costs = {
        .reach = 1,
        .stride = 1,
        .input_bytes = (double)u->input_channels * (double)element,
        .output_bytes = 2.0 * u->group_channels * sizeof(float),
        .input_work = LOAD_WORK * u->input_channels,
        .output_work = STORE_WORK * 2 * POSITIONS_XY * u->output_channels,
        .multiply_work = 2.0 * 2 * POSITIONS_XY * u->input_channels * u->output_channels,
        .task_work = LOAD_WORK * 2 * u->input_channels * u->group_channels,
        .groups = u->groups * POSITIONS_XY,
        .bytes_limit = TILE_BYTES,
        .keep_axes = true,
    };
    u->cut = tiling_choose(u->input_shape, &costs);
    const size_t voxels = tiling_tile_voxels(&u->cut);
    const onednn_product_shape product = {(int)voxels, u->input_channels, 2 * u->group_channels,
                                          2 * u->group_channels, false, true};
    const sat_status status = onednn_product_make(&product, operand, u->threads, &u->kernel, error);
    if (status != SAT_OK) return status;
    u->input_bytes = arena_bytes(voxels * (size_t)u->input_channels, element);
    u->output_bytes = arena_bytes(voxels * 2 * (size_t)u->group_channels, sizeof(float));
    u->thread_bytes = u->input_bytes + u->output_bytes + arena_bytes(onednn_scratch_bytes(u->kernel), 1);
    u->packed_part_bytes = arena_bytes(onednn_packed_bytes(u->kernel), 1);
    u->bias_bytes = arena_bytes(2 * (size_t)u->output_channels, sizeof(float));
    return SAT_OK;
}

sat_status upsampling_make(const int input_shape_xyz[3], int input_channels, int output_channels, element_type type,
                           int threads, processor_level level, upsampling **made, sat_error *error)
{
    *made = NULL;
    if (input_channels < 1 || output_channels < 1 || threads < 1 || input_shape_xyz[0] < 1 || input_shape_xyz[1] < 1 ||
        input_shape_xyz[2] < 1)
        return sat_fail(error, SAT_BAD_ARGUMENT, "upsampling needs at least one thread and sizes of 1 or more");
    upsampling *u = calloc(1, sizeof *u);
    if (!u) return sat_fail(error, SAT_NO_MEMORY, "no memory left for an upsampling; close other programs");
    u->threads = threads;
    u->kernels = tile_kernels_for(level);
    u->input_channels = input_channels;
    u->output_channels = output_channels;
    for (int i = 0; i < 3; i++) u->input_shape[i] = input_shape_xyz[i];
    sat_status status = make_for(u, type, error);
    /* Where oneDNN has no bfloat16 kernel (processors before AVX-512), the same values in float32. */
    if (status == SAT_BAD_ARGUMENT && type == ELEMENT_BFLOAT16) status = make_for(u, ELEMENT_FLOAT32, error);
    if (status == SAT_OK)
        *made = u;
    else
        upsampling_free(u);
    return status;
}

void upsampling_free(upsampling *u)
{
    if (!u) return;
    onednn_free(u->kernel);
    free(u);
}

size_t upsampling_packed_bytes(const upsampling *u)
{
    return (size_t)u->groups * POSITIONS_XY * u->packed_part_bytes;
}

uint64_t upsampling_packed_form(const upsampling *u)
{
    const uint64_t form[] = {onednn_packed_form(u->kernel), (uint64_t)u->group_channels, u->operand};
    return hash_fnv1a64(HASH_FNV_START, form, sizeof form);
}

size_t upsampling_scratch_bytes(const upsampling *u) { return u->bias_bytes + (size_t)u->threads * u->thread_bytes; }

double upsampling_operations(const upsampling *u)
{
    return 2.0 * 8 * u->input_channels * u->output_channels * u->input_shape[0] * u->input_shape[1] *
           u->input_shape[2];
}

/* Part p is group p / 4, position (a, b) = (p % 4 / 2, p % 2): the matrix [input][c][output of the group]. */
sat_status upsampling_pack(const upsampling *u, const float *weights, void *packed, sat_error *error)
{
    const size_t inputs = (size_t)u->input_channels, outputs = (size_t)u->output_channels;
    const size_t group = (size_t)u->group_channels;
    float *matrix = malloc(inputs * 2 * group * sizeof *matrix);
    if (!matrix) return sat_fail(error, SAT_NO_MEMORY, "no memory left to pack an upsampling's weights");
    sat_status status = SAT_OK;
    for (size_t part = 0; part < (size_t)u->groups * POSITIONS_XY && status == SAT_OK; part++) {
        const size_t first = part / POSITIONS_XY * group, ab = part % POSITIONS_XY;
        for (size_t i = 0; i < inputs; i++)
            for (size_t c = 0; c < 2; c++)
                for (size_t o = 0; o < group; o++)
                    matrix[(i * 2 + c) * group + o] = weights[(i * outputs + first + o) * 8 + 2 * ab + c];
        status = onednn_pack(u->kernel, matrix, (char *)packed + part * u->packed_part_bytes, error);
    }
    free(matrix);
    return status;
}

/* One run, seen by all threads. */
typedef struct upsampling_job {
    const upsampling *u;
    const feature_map *source, *out;
    const load_rule *rule;
    const char *packed;
    const float *bias; /* [group][c][channel], or NULL */
    char *thread_scratch;
} upsampling_job;

/* The rows of `out` at position (a, b) of every 2x2 block, channels of `group`. */
static feature_map part_of(const upsampling_job *job, int group, int a, int b)
{
    feature_map part = *job->out;
    const ptrdiff_t first = a * part.pitch_xyz[0] + b * part.pitch_xyz[1] + group * job->u->group_channels;
    part.data = (char *)part.data + first * (ptrdiff_t)element_bytes(part.type);
    for (int i = 0; i < 2; i++) {
        part.shape_xyz[i] = job->u->input_shape[i];
        part.pitch_xyz[i] *= 2;
    }
    part.channels = job->u->group_channels;
    return part;
}

static sat_status run_thread(const upsampling_job *job, int thread)
{
    const upsampling *u = job->u;
    char *input = job->thread_scratch + (size_t)thread * u->thread_bytes;
    float *output = (float *)(input + u->input_bytes);
    void *kernel_scratch = input + u->input_bytes + u->output_bytes;
    const int *shape = u->cut.tile_shape, output_shape[3] = {shape[0], shape[1], 2 * shape[2]};
    const int parts = u->groups * POSITIONS_XY;
    sat_status status = SAT_OK;
    int begin, end, loaded = -1;
    tiling_share(u->cut.tiles * parts, thread, u->threads, &begin, &end);
    for (int task = begin; task < end && status == SAT_OK; task++) {
        const int tile = task / parts, part = task % parts, group = part / POSITIONS_XY;
        int origin[3], inside[3];
        tiling_tile(&u->cut, tile, origin, inside);
        if (tile != loaded) u->kernels.load(job->source, job->rule, origin, shape, u->operand, input, u->input_channels, 0);
        loaded = tile;
        status = onednn_run(u->kernel, thread, input, job->packed + (size_t)part * u->packed_part_bytes,
                            job->bias ? job->bias + (ptrdiff_t)group * 2 * u->group_channels : NULL, output,
                            kernel_scratch);
        if (status != SAT_OK) break;
        feature_map to = part_of(job, group, part % POSITIONS_XY / 2, part % 2);
        origin[2] *= 2;
        inside[2] *= 2;
        u->kernels.store(output, output_shape, inside, origin, &to, NULL);
    }
    return status;
}

sat_status upsampling_run(const upsampling *u, const feature_map *source, const load_rule *rule, const void *packed,
                          const float *bias, feature_map *out, void *scratch, sat_error *error)
{
    bool good = source->channels == u->input_channels && out->channels == u->output_channels;
    for (int i = 0; i < 3; i++)
        good = good && source->shape_xyz[i] == u->input_shape[i] && out->shape_xyz[i] == 2 * u->input_shape[i];
    if (!good) return sat_fail(error, SAT_BAD_ARGUMENT, "the maps have other shapes than the upsampling was made for");

    float *twice = scratch; /* each group's bias for both positions along z */
    if (bias)
        for (int g = 0, at = 0; g < u->groups; g++)
            for (int c = 0; c < 2; c++)
                for (int o = 0; o < u->group_channels; o++) twice[at++] = bias[g * u->group_channels + o];
    const upsampling_job job = {u, source, out, rule, packed, bias ? twice : NULL, (char *)scratch + u->bias_bytes};
    int failed = 0;
#pragma omp parallel for num_threads(u->threads) schedule(static, 1) reduction(+ : failed)
    for (int thread = 0; thread < u->threads; thread++) failed += run_thread(&job, thread) != SAT_OK;
    if (failed) return sat_fail(error, SAT_BAD_ARGUMENT, "oneDNN %s failed to run an upsampling", onednn_version());
    return SAT_OK;
}
