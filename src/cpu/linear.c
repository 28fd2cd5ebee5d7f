/* Linear layers as products of fixed shape: ROW_BLOCK rows by COLUMN_BLOCK columns (and one narrower kernel for the
 * columns that remain). A task is one such block. Weights stay where they are, [columns][inner]: oneDNN turns a block
 * of them into its own layout in each product, which costs a tenth to a fifth of the time (docs/benchmarks.md) and
 * saves a second copy of all weights. */
#include "cpu/linear.h"

#include "base/arena.h"
#include "cpu/onednn.h"
#include "cpu/rows.h"
#include "cpu/tiling.h"

#include <stdlib.h>
#include <string.h>

/* 48 rows use oneDNN's registers well, and a prompt alone (seven tokens) still costs milliseconds. A multiple of 12: the
 * AVX2 kernel of oneDNN 2.6 takes six rows at a time and adds in another order when two remain, which would make a
 * row's bits depend on its place in the block (tests/cpu/test_linear.c under ONEDNN_MAX_CPU_ISA=AVX2 saw it with 32). */
enum { ROW_BLOCK = 48, COLUMN_BLOCK = 64 };

struct linear {
    int inner, columns, threads;
    element_type type;    /* of the weights in memory                                                */
    element_type operand; /* what is multiplied: float32 where the processor has no bfloat16 kernel  */
    row_kernels kernels;
    onednn_kernel *full, *tail; /* COLUMN_BLOCK columns; columns % COLUMN_BLOCK. NULL: none of that kind */
    size_t tile_bytes, kernel_bytes, weight_bytes, thread_bytes;
};

static int column_blocks(const linear *l) { return (l->columns + COLUMN_BLOCK - 1) / COLUMN_BLOCK; }
static int row_blocks(int rows) { return (rows + ROW_BLOCK - 1) / ROW_BLOCK; }

static sat_status make_for(linear *l, element_type operand, sat_error *error)
{
    l->operand = operand;
    sat_status status = SAT_OK;
    onednn_product_shape shape = {ROW_BLOCK, l->inner, COLUMN_BLOCK, COLUMN_BLOCK, true, true};
    if (l->columns >= COLUMN_BLOCK) status = onednn_product_make(&shape, operand, l->threads, &l->full, error);
    shape.columns = shape.out_pitch = l->columns % COLUMN_BLOCK;
    if (status == SAT_OK && shape.columns) status = onednn_product_make(&shape, operand, l->threads, &l->tail, error);
    if (status != SAT_OK) return status;
    const size_t full = l->full ? onednn_scratch_bytes(l->full) : 0, tail = l->tail ? onednn_scratch_bytes(l->tail) : 0;
    l->tile_bytes = arena_bytes(ROW_BLOCK * COLUMN_BLOCK, sizeof(float));
    l->kernel_bytes = arena_bytes(full > tail ? full : tail, 1);
    l->weight_bytes = l->operand == l->type ? 0 : arena_bytes((size_t)COLUMN_BLOCK * (size_t)l->inner, sizeof(float));
    l->thread_bytes = l->tile_bytes + l->kernel_bytes + l->weight_bytes;
    return SAT_OK;
}

sat_status linear_make(int inner, int columns, element_type type, int threads, processor_level level, linear **made,
                       sat_error *error)
{
    *made = NULL;
    if (inner < 1 || columns < 1 || threads < 1)
        return sat_fail(error, SAT_BAD_ARGUMENT, "a linear layer needs at least one thread and sizes of 1 or more");
    linear *l = calloc(1, sizeof *l);
    if (!l) return sat_fail(error, SAT_NO_MEMORY, "no memory left for a linear layer; close other programs");
    l->inner = inner;
    l->columns = columns;
    l->threads = threads;
    l->type = type;
    l->kernels = row_kernels_for(level);
    sat_status status = make_for(l, type, error);
    if (status == SAT_BAD_ARGUMENT && type == ELEMENT_BFLOAT16) status = make_for(l, ELEMENT_FLOAT32, error);
    if (status == SAT_OK)
        *made = l;
    else
        linear_free(l);
    return status;
}

void linear_free(linear *l)
{
    if (!l) return;
    onednn_free(l->full);
    onednn_free(l->tail);
    free(l);
}

static size_t staged_block_bytes(const linear *l)
{
    return arena_bytes(ROW_BLOCK * (size_t)l->inner, element_bytes(l->operand));
}

size_t linear_scratch_bytes(const linear *l, int rows)
{
    return (size_t)row_blocks(rows) * staged_block_bytes(l) + (size_t)l->threads * l->thread_bytes;
}

/* ------------------------------------------------------------------ running */

/* One run, seen by all threads. */
typedef struct linear_job {
    const linear *l;
    int rows;
    const float *x;
    ptrdiff_t x_pitch;
    const char *weights;
    const float *bias;
    activation act;
    const float *residual;
    float *out;
    ptrdiff_t out_pitch;
    char *staged, *thread_scratch;
} linear_job;

/* Whole blocks of dense float32 rows are multiplied where they lie; others are brought into the staging area. */
static bool lies_ready(const linear_job *job, int block)
{
    return job->l->operand == ELEMENT_FLOAT32 && job->x_pitch == job->l->inner &&
           (block + 1) * ROW_BLOCK <= job->rows;
}

static const void *rows_of(const linear_job *job, int block)
{
    if (lies_ready(job, block)) return job->x + (ptrdiff_t)block * ROW_BLOCK * job->x_pitch;
    return job->staged + (size_t)block * staged_block_bytes(job->l);
}

static void stage_rows(const linear_job *job, int block)
{
    const size_t row_bytes = (size_t)job->l->inner * element_bytes(job->l->operand);
    char *to = job->staged + (size_t)block * staged_block_bytes(job->l);
    for (int r = block * ROW_BLOCK; r < (block + 1) * ROW_BLOCK; r++, to += row_bytes) {
        if (r < job->rows)
            elements_from_float(job->l->operand, job->x + r * job->x_pitch, (size_t)job->l->inner, to);
        else
            memset(to, 0, row_bytes);
    }
}

/* Activation in the tile, residual and store. */
static void finish_block(const linear_job *job, int row, int column, int width, float *tile)
{
    const int rows = job->rows - row < ROW_BLOCK ? job->rows - row : ROW_BLOCK;
    if (job->act == ACTIVATION_GELU) job->l->kernels.gelu((size_t)(rows * width), tile, tile);
    for (int r = 0; r < rows; r++) {
        const float *from = tile + r * width;
        const ptrdiff_t at = (row + r) * job->out_pitch + column;
        float *to = job->out + at;
        const float *residual = job->residual ? job->residual + at : NULL;
        const bool relu = job->act == ACTIVATION_RELU;
        for (int c = 0; c < width; c++) {
            const float value = relu && !(from[c] > 0) ? 0 : from[c];
            to[c] = residual ? residual[c] + value : value;
        }
    }
}

static sat_status run_thread(const linear_job *job, int thread)
{
    const linear *l = job->l;
    char *mine = job->thread_scratch + (size_t)thread * l->thread_bytes;
    float *tile = (float *)mine, *wide_weights = (float *)(mine + l->tile_bytes + l->kernel_bytes);
    void *kernel_scratch = mine + l->tile_bytes;
    const int blocks = row_blocks(job->rows);
    sat_status status = SAT_OK;
    int begin, end, widened = -1;
    tiling_share(column_blocks(l) * blocks, thread, l->threads, &begin, &end);
    for (int task = begin; task < end && status == SAT_OK; task++) {
        const int block = task % blocks, column_block = task / blocks, column = column_block * COLUMN_BLOCK;
        const int width = l->columns - column < COLUMN_BLOCK ? l->columns - column : COLUMN_BLOCK;
        const void *weights = job->weights + (size_t)column * (size_t)l->inner * element_bytes(l->type);
        if (l->operand != l->type) {
            if (column_block != widened) elements_to_float(l->type, weights, (size_t)width * (size_t)l->inner, wide_weights);
            widened = column_block;
            weights = wide_weights;
        }
        status = onednn_run(width == COLUMN_BLOCK ? l->full : l->tail, thread, rows_of(job, block), weights,
                            job->bias ? job->bias + column : NULL, tile, kernel_scratch);
        if (status == SAT_OK) finish_block(job, block * ROW_BLOCK, column, width, tile);
    }
    return status;
}

sat_status linear_run(const linear *l, int rows, const float *x, ptrdiff_t x_pitch, const void *weights,
                      const float *bias, activation act, const float *residual, float *out, ptrdiff_t out_pitch,
                      void *scratch, sat_error *error)
{
    const int blocks = row_blocks(rows);
    char *staged = scratch;
    const linear_job job = {l, rows, x, x_pitch, weights, bias, act, residual, out, out_pitch, staged,
                            staged + (size_t)blocks * staged_block_bytes(l)};
    int failed = 0;
#pragma omp parallel num_threads(l->threads) reduction(+ : failed)
    {
#pragma omp for schedule(static)
        for (int block = 0; block < blocks; block++)
            if (!lies_ready(&job, block)) stage_rows(&job, block);
#pragma omp for schedule(static, 1)
        for (int thread = 0; thread < l->threads; thread++) failed += run_thread(&job, thread) != SAT_OK;
    }
    if (failed) return sat_fail(error, SAT_BAD_ARGUMENT, "oneDNN %s failed to run a linear layer", onednn_version());
    return SAT_OK;
}
