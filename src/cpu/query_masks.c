/* Masks of queries: for a tile of voxels, loaded (normalised, activated, converted) once, one product for every
 * QUERY_BLOCK queries gives their rows of values, which go through the sigmoid into the output. A tile is a run of
 * whole z rows of one plane, so its values are contiguous in each query's output. */
#include "cpu/linear.h"

#include "base/arena.h"
#include "cpu/onednn.h"
#include "cpu/rows.h"
#include "cpu/tile.h"

#include <stdlib.h>
#include <string.h>

enum {
    QUERY_BLOCK = 24,  /* a multiple of 12, as in linear.c, so that a query's bits do not depend on its place */
    TILE_VOXELS = 512, /* 64 KB of 64 bfloat16 channels, 48 KB of results: near the first cache              */
};

struct query_masks {
    int shape_xyz[3], channels, queries;
    element_type operand; /* float32 where the processor has no bfloat16 kernel */
    tile_kernels tiles;
    row_kernels rows;
    int tile_y, tile_z; /* voxels */
    onednn_kernel *kernel;
    size_t embedding_bytes, tile_bytes, value_bytes, scratch_bytes;
};

static int query_blocks(const query_masks *m) { return (m->queries + QUERY_BLOCK - 1) / QUERY_BLOCK; }

static int divide_up(int a, int b) { return (a + b - 1) / b; }

static sat_status make_for(query_masks *m, element_type operand, int threads, sat_error *error)
{
    const int voxels = m->tile_y * m->tile_z;
    m->operand = operand;
    const onednn_product_shape shape = {QUERY_BLOCK, m->channels, voxels, voxels, true, false};
    const sat_status status = onednn_product_make(&shape, operand, threads, &m->kernel, error);
    if (status != SAT_OK) return status;
    const size_t element = element_bytes(operand);
    m->embedding_bytes = arena_bytes((size_t)query_blocks(m) * QUERY_BLOCK * (size_t)m->channels, element);
    m->tile_bytes = arena_bytes((size_t)voxels * (size_t)m->channels, element);
    m->value_bytes = arena_bytes(QUERY_BLOCK * (size_t)voxels, sizeof(float));
    m->scratch_bytes = m->embedding_bytes + m->tile_bytes + m->value_bytes + arena_bytes(onednn_scratch_bytes(m->kernel), 1);
    return SAT_OK;
}

sat_status query_masks_make(const int shape_xyz[3], int channels, int queries, element_type type, int threads,
                            processor_level level, query_masks **made, sat_error *error)
{
    *made = NULL;
    if (channels < 1 || queries < 1 || threads < 1 || shape_xyz[0] < 1 || shape_xyz[1] < 1 || shape_xyz[2] < 1)
        return sat_fail(error, SAT_BAD_ARGUMENT, "query masks need at least one query, one thread and sizes of 1 or more");
    query_masks *m = calloc(1, sizeof *m);
    if (!m) return sat_fail(error, SAT_NO_MEMORY, "no memory left for query masks; close other programs");
    memcpy(m->shape_xyz, shape_xyz, sizeof m->shape_xyz);
    m->channels = channels;
    m->queries = queries;
    m->tiles = tile_kernels_for(level);
    m->rows = row_kernels_for(level);
    /* Pieces of equal length, whole rows where a row fits. */
    m->tile_z = divide_up(shape_xyz[2], divide_up(shape_xyz[2], TILE_VOXELS));
    const int most_y = m->tile_z < shape_xyz[2] || m->tile_z > TILE_VOXELS / 2 ? 1 : TILE_VOXELS / m->tile_z;
    m->tile_y = divide_up(shape_xyz[1], divide_up(shape_xyz[1], most_y));
    sat_status status = make_for(m, type, threads, error);
    if (status == SAT_BAD_ARGUMENT && type == ELEMENT_BFLOAT16) status = make_for(m, ELEMENT_FLOAT32, threads, error);
    if (status == SAT_OK)
        *made = m;
    else
        query_masks_free(m);
    return status;
}

void query_masks_free(query_masks *m)
{
    if (!m) return;
    onednn_free(m->kernel);
    free(m);
}

size_t query_masks_scratch_bytes(const query_masks *m) { return m->scratch_bytes; }

/* One call: pointers into its scratch and its output. */
typedef struct masks_job {
    const query_masks *m;
    int slot;
    const char *embeddings; /* [query blocks * QUERY_BLOCK][channels] of the operand type, zero rows at the end */
    const void *tile;
    float *values;          /* [QUERY_BLOCK][tile voxels] */
    void *kernel_scratch;
    bool as_probability;
    float *out;             /* [query][plane][y][z] */
    size_t query_pitch;
} masks_job;

static void stage_embeddings(const query_masks *m, const float *embeddings, char *staged)
{
    const size_t count = (size_t)m->queries * (size_t)m->channels, bytes = count * element_bytes(m->operand);
    elements_from_float(m->operand, embeddings, count, staged);
    memset(staged + bytes, 0, (size_t)query_blocks(m) * QUERY_BLOCK * (size_t)m->channels * element_bytes(m->operand) - bytes);
}

/* All queries' values of the loaded tile; `count` of its voxels, from `at` on in each query's output. */
static sat_status mask_tile(const masks_job *job, size_t at, size_t count)
{
    const query_masks *m = job->m;
    const size_t voxels = (size_t)m->tile_y * (size_t)m->tile_z;
    sat_status status = SAT_OK;
    for (int first = 0; first < m->queries && status == SAT_OK; first += QUERY_BLOCK) {
        const char *embeddings = job->embeddings + (size_t)first * (size_t)m->channels * element_bytes(m->operand);
        status = onednn_run(m->kernel, job->slot, embeddings, job->tile, NULL, job->values, job->kernel_scratch);
        for (int q = first; q < m->queries && q < first + QUERY_BLOCK && status == SAT_OK; q++) {
            const float *from = job->values + (size_t)(q - first) * voxels;
            float *to = job->out + (size_t)q * job->query_pitch + at;
            if (job->as_probability)
                m->rows.sigmoid(count, from, to);
            else
                memcpy(to, from, count * sizeof *to);
        }
    }
    return status;
}

sat_status query_masks_run(const query_masks *m, int slot, const feature_map *features, const load_rule *rule,
                           int x_begin, int x_end, const float *embeddings, bool as_probability, float *out,
                           void *scratch, sat_error *error)
{
    const int *n = m->shape_xyz;
    if (memcmp(features->shape_xyz, n, sizeof m->shape_xyz) != 0 || features->channels != m->channels || x_begin < 0 ||
        x_end > n[0])
        return sat_fail(error, SAT_BAD_ARGUMENT, "the feature map has another shape than the query masks were made for");
    char *staged = scratch, *tile = staged + m->embedding_bytes, *values = tile + m->tile_bytes;
    const size_t plane = (size_t)n[1] * (size_t)n[2];
    const masks_job job = {m, slot, staged, tile, (float *)values, values + m->value_bytes, as_probability, out,
                           plane * (size_t)(x_end > x_begin ? x_end - x_begin : 0)};
    const int tile_shape[3] = {1, m->tile_y, m->tile_z};
    stage_embeddings(m, embeddings, staged);
    sat_status status = SAT_OK;
    for (int x = x_begin; x < x_end; x++)
        for (int y = 0; y < n[1]; y += m->tile_y)
            for (int z = 0; z < n[2] && status == SAT_OK; z += m->tile_z) {
                const int origin[3] = {x, y, z}, rows = n[1] - y < m->tile_y ? n[1] - y : m->tile_y;
                const int length = n[2] - z < m->tile_z ? n[2] - z : m->tile_z;
                m->tiles.load(features, rule, origin, tile_shape, m->operand, tile, m->channels, 0);
                status = mask_tile(&job, (size_t)(x - x_begin) * plane + (size_t)y * (size_t)n[2] + (size_t)z,
                                   (size_t)rows * (size_t)length);
            }
    if (status != SAT_OK) return sat_fail(error, status, "oneDNN %s failed to run query masks", onednn_version());
    return SAT_OK;
}
