/* Linear layers as the text towers and the query decoder use them, and the masks of queries over a whole window.
 *
 *   bench_matrices [bf16|f32] [threads=all] [rounds=3]
 *
 * Prints median milliseconds and GFLOP/s on the wall's clock, the share of the measured peak per processor second, and
 * for masks what reading the features alone costs (a copy of the map's bytes). */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "base/clock.h"
#include "base/processor.h"
#include "cpu/linear.h"
#include "cpu/peak.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 99 };

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
    return values[count / 2];
}

static void *take(size_t bytes)
{
    const size_t page = 4096;
    unsigned char *memory = aligned_alloc(page, (bytes + page) / page * page);
    if (!memory) {
        fprintf(stderr, "bench_matrices: %zu bytes are not there\n", bytes);
        exit(1);
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < bytes / page + 1; i++) memset(memory + i * page, 0, page);
    return memory;
}

static void check(sat_status status, const sat_error *error)
{
    if (status == SAT_OK) return;
    fprintf(stderr, "bench_matrices: %s\n", error->message);
    exit(1);
}

static void bench_linear(int rows, int inner, int columns, activation act, element_type type, int threads, int rounds, double peak)
{
    sat_error error = {0};
    linear *l;
    check(linear_make(inner, columns, type, threads, processor_best(), &l, &error), &error);
    const size_t in = (size_t)rows * (size_t)inner, out_count = (size_t)rows * (size_t)columns;
    float *x = take(in * sizeof *x), *out = take(out_count * sizeof *out);
    void *weights = take((size_t)inner * (size_t)columns * element_bytes(type)), *scratch = take(linear_scratch_bytes(l, rows));
    double wall[ROUNDS_MAX], processor[ROUNDS_MAX];
    const double operations = 2.0 * rows * inner * columns;
    const int repeats = 1 + (int)(5e9 / operations);
    for (int r = -1; r < rounds; r++) {
        const double begin = clock_seconds(), begin_processor = processor_seconds();
        for (int i = 0; i < repeats; i++)
            check(linear_run(l, rows, x, inner, weights, NULL, act, NULL, out, columns, scratch, &error), &error);
        if (r < 0) continue;
        wall[r] = (clock_seconds() - begin) / repeats;
        processor[r] = (processor_seconds() - begin_processor) / repeats / threads;
    }
    const double seconds = median(wall, rounds);
    printf("linear %5d x %4d -> %4d %-5s %8.3f ms %7.0f GFLOP/s %4.0f %% of peak\n", rows, inner, columns,
           act == ACTIVATION_GELU ? "gelu" : "", 1e3 * seconds, 1e-9 * operations / seconds,
           100 * operations / median(processor, rounds) / peak);
    free(x), free(out), free(weights), free(scratch);
    linear_free(l);
}

static void bench_masks(const int shape[3], int channels, int queries, element_type type, int threads, int rounds)
{
    sat_error error = {0};
    query_masks *m;
    check(query_masks_make(shape, channels, queries, type, threads, processor_best(), &m, &error), &error);
    const size_t plane = (size_t)shape[1] * (size_t)shape[2], count = plane * (size_t)shape[0] * (size_t)channels;
    void *features = take(count * element_bytes(type));
    const feature_map map = feature_map_dense(features, type, shape, channels);
    float *scale = take((size_t)channels * sizeof *scale), *embeddings = take((size_t)(queries * channels) * sizeof *embeddings);
    const load_rule rule = {scale, scale, 0.01f};
    /* Each thread has room for a plane of all queries, as the merging of windows takes them. */
    const size_t scratch_bytes = (query_masks_scratch_bytes(m) + 4095) / 4096 * 4096, plane_values = (size_t)queries * plane;
    char *scratch = take(scratch_bytes * (size_t)threads);
    float *out = take(plane_values * (size_t)threads * sizeof *out);
    double wall[ROUNDS_MAX], processor[ROUNDS_MAX], reading[ROUNDS_MAX];
    for (int r = -1; r < rounds; r++) {
        double begin = clock_seconds();
        const double begin_processor = processor_seconds();
        int failed = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : failed)
        for (int x = 0; x < shape[0]; x++) {
            const int t = omp_get_thread_num();
            failed += query_masks_run(m, t, &map, &rule, x, x + 1, embeddings, true, out + (size_t)t * plane_values,
                                      scratch + (size_t)t * scratch_bytes, NULL) != SAT_OK;
        }
        if (r < 0 || failed) continue;
        wall[r] = clock_seconds() - begin;
        processor[r] = (processor_seconds() - begin_processor) / threads;
        begin = clock_seconds();
        double sum = 0;
        const double *all = features;
#pragma omp parallel for simd num_threads(threads) schedule(static) reduction(+ : sum)
        for (size_t i = 0; i < count * element_bytes(type) / sizeof *all; i++) sum += all[i];
        reading[r] = clock_seconds() - begin + (sum == 1 ? 1 : 0);
    }
    printf("masks %dx%dx%d x %d channels, %3d queries: %7.3f s (processor %7.3f s for each thread, reading alone %6.3f s)\n", shape[0],
           shape[1], shape[2], channels, queries, median(wall, rounds), median(processor, rounds), median(reading, rounds));
    free(features), free(scale), free(embeddings), free(scratch), free(out);
    query_masks_free(m);
}

int main(int argc, char **argv)
{
    const element_type type = argc > 1 && strcmp(argv[1], "f32") == 0 ? ELEMENT_FLOAT32 : ELEMENT_BFLOAT16;
    const int threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : processor_cores();
    const int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 3;
    if (threads < 1 || rounds < 1 || rounds > ROUNDS_MAX) return 2;
    double peak = 0; /* of all threads: the most that one was seen to do, for each */
    for (int i = 0; i < 10; i++) {
        const double seen = peak_flops(type, 1) * threads;
        peak = seen > peak ? seen : peak;
    }
    printf("%s, %d threads, peak %.0f GFLOP/s\n", element_name(type), threads, 1e-9 * peak);
    /* The text tower of 497 prompts of 7 tokens, of one prompt; the query decoder of one and of 117 queries. */
    static const int rows[] = {497 * 7, 7, 117, 1}, layers[][2] = {{768, 768}, {768, 3072}, {3072, 768}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
            bench_linear(rows[r], layers[i][0], layers[i][1], i == 1 ? ACTIVATION_GELU : ACTIVATION_NONE, type, threads, rounds, peak);
    const int window[3] = {288, 288, 96};
    bench_masks(window, 64, 1, type, threads, rounds);
    bench_masks(window, 64, 117, type, threads, rounds);
    return 0;
}
