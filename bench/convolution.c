/* Every convolution of a network's vision part, ours and oneDNN's own full-size call by turns.
 *
 *   bench_convolution [variant=nano] [bf16|f32] [window=288x288x96] [threads=all] [rounds=3] [part of a layer's name]
 *
 * Prints for each layer: calls per window, median milliseconds, GFLOP/s, the share of the machine's peak that was
 * measured between the rounds, and oneDNN's own GFLOP/s. The share is of processor time, so that it means something on
 * a machine that others use; GFLOP/s are of the clock on the wall. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "base/clock.h"
#include "full_convolution.h"
#include "cpu/convolution.h"
#include "cpu/peak.h"
#include "model/description.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LAYERS_MAX = 128, ROUNDS_MAX = 99 };

typedef struct layer {
    char name[48];
    bool up;
    convolution_shape shape;
    int calls;
} layer;

typedef struct settings {
    const char *variant, *filter;
    element_type type;
    int window[3], threads, rounds;
    double peak;
} settings;

/* Wall and processor seconds of one run. */
typedef struct timing {
    double wall, processor;
} timing;

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static timing now(void) { return (timing){clock_seconds(), processor_seconds()}; }
static timing since(timing begin)
{
    const timing end = now();
    return (timing){end.wall - begin.wall, end.processor - begin.processor};
}

static void check(sat_status status, const sat_error *error)
{
    if (status == SAT_OK) return;
    fprintf(stderr, "bench_convolution: %s\n", error->message);
    exit(1);
}

static int by_size(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
    return values[count / 2];
}

/* ------------------------------------------------------------------ the layers of a network */

static void add_layer(layer *list, int *count, const char *name, bool up, const int window[3], int level, int first,
                      int second, int outputs, int stride)
{
    layer l = {.up = up, .calls = 1};
    l.shape = (convolution_shape){{window[0] >> level, window[1] >> level, window[2] >> level}, second ? 2 : 1, {first, second},
                                  outputs, stride};
    for (int i = 0; i < *count; i++)
        if (list[i].up == up && memcmp(&list[i].shape, &l.shape, sizeof l.shape) == 0) {
            list[i].calls++;
            return;
        }
    snprintf(l.name, sizeof l.name, "%s %d: %d%s->%d%s", name, level, first, second ? "+" : "", outputs, stride == 2 ? " /2" : "");
    if (second) snprintf(l.name, sizeof l.name, "%s %d: %d+%d->%d", name, level, first, second, outputs);
    if (*count < LAYERS_MAX) list[(*count)++] = l;
}

static int list_layers(const vision_sizes *v, const int window[3], layer *list)
{
    int count = 0;
    for (int s = 0; s < v->stages; s++)
        for (int i = 0; i < v->convolutions_per_stage; i++)
            add_layer(list, &count, "encoder", false, window, s && !i ? s - 1 : s, i ? v->features[s] : s ? v->features[s - 1] : 1,
                      0, v->features[s], s && !i ? 2 : 1);
    for (int s = v->stages - 2; s >= 0; s--) {
        add_layer(list, &count, "upsampling", true, window, s + 1, v->features[s + 1], 0, v->features[s], 1);
        for (int i = 0; i < v->convolutions_per_stage; i++)
            add_layer(list, &count, "decoder", false, window, s, v->features[s], i ? 0 : v->features[s], v->features[s], 1);
    }
    return count;
}

/* ------------------------------------------------------------------ one layer */

/* Maps, weights and scratch of a layer, filled with harmless numbers by all threads (so that memory is theirs). */
typedef struct stage {
    feature_map sources[2], out;
    load_rule rules[2];
    float *scale, *weights, *bias;
    channel_statistics statistics;
    void *packed, *scratch;
    convolution *convolver;
    upsampling *upsampler;
    double operations;
    char text[200];
} stage;

static void *take(size_t bytes)
{
    const size_t page = 4096;
    unsigned char *memory = aligned_alloc(page, (bytes + page) / page * page);
    if (!memory) {
        fprintf(stderr, "bench_convolution: %zu bytes are not there; take a smaller window\n", bytes);
        exit(1);
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < bytes / page + 1; i++) memset(memory + i * page, 0, page);
    return memory;
}

static feature_map map_make(element_type type, const int shape_xyz[3], int channels)
{
    const size_t count = (size_t)shape_xyz[0] * (size_t)shape_xyz[1] * (size_t)shape_xyz[2] * (size_t)channels;
    return feature_map_dense(take(count * element_bytes(type)), type, shape_xyz, channels);
}

static void stage_open(const layer *l, const settings *set, stage *s)
{
    const convolution_shape *shape = &l->shape;
    sat_error error = {0};
    int inputs = 0, out_shape[3];
    *s = (stage){0};
    for (int i = 0; i < 3; i++)
        out_shape[i] = l->up ? 2 * shape->input_shape_xyz[i] : (shape->input_shape_xyz[i] - 1) / shape->stride + 1;
    for (int i = 0; i < shape->source_count; i++) {
        s->sources[i] = map_make(inputs == 0 && shape->source_channels[0] == 1 ? ELEMENT_FLOAT32 : set->type, shape->input_shape_xyz,
                                 shape->source_channels[i]);
        inputs += shape->source_channels[i];
    }
    s->out = map_make(set->type, out_shape, shape->output_channels);
    s->scale = take((size_t)inputs * sizeof(float));
    for (int i = 0; i < inputs; i++) s->scale[i] = 0.5f;
    for (int i = 0; i < shape->source_count; i++)
        s->rules[i] = inputs == 1 ? (load_rule){0} : (load_rule){s->scale, s->scale, 0.01f};
    const size_t outputs = (size_t)shape->output_channels, count = (size_t)inputs * outputs * (l->up ? 8 : 27);
    s->weights = take(count * sizeof(float));
    for (size_t i = 0; i < count; i++) s->weights[i] = (float)(i % 7) * 0.01f;
    s->bias = take(outputs * sizeof(float));
    s->statistics = (channel_statistics){take(outputs * sizeof(double)), take(outputs * sizeof(double)), take(outputs * sizeof(float)),
                                         take(outputs * sizeof(float))};
    const processor_level level = processor_best();
    if (l->up) {
        check(upsampling_make(shape->input_shape_xyz, inputs, shape->output_channels, set->type, set->threads, level, &s->upsampler,
                              &error), &error);
        s->packed = take(upsampling_packed_bytes(s->upsampler));
        s->scratch = take(upsampling_scratch_bytes(s->upsampler));
        s->operations = upsampling_operations(s->upsampler);
        check(upsampling_pack(s->upsampler, s->weights, s->packed, &error), &error);
    } else {
        check(convolution_make(shape, set->type, set->threads, level, &s->convolver, &error), &error);
        s->packed = take(convolution_packed_bytes(s->convolver));
        s->scratch = take(convolution_scratch_bytes(s->convolver));
        s->operations = convolution_operations(s->convolver);
        convolution_describe(s->convolver, s->text, sizeof s->text);
        check(convolution_pack(s->convolver, s->weights, s->packed, &error), &error);
    }
}

static void stage_run(stage *s)
{
    sat_error error = {0};
    check(s->upsampler ? upsampling_run(s->upsampler, &s->sources[0], &s->rules[0], s->packed, s->bias, &s->out, s->scratch, &error)
                        : convolution_run(s->convolver, s->sources, s->rules, s->packed, s->bias, &s->out, &s->statistics,
                                          s->scratch, &error),
          &error);
}

static void stage_close(stage *s)
{
    convolution_free(s->convolver);
    upsampling_free(s->upsampler);
    void *const all[] = {s->sources[0].data, s->sources[1].data, s->out.data, s->scale, s->weights, s->bias, s->statistics.sum,
                         s->statistics.square, s->statistics.minimum, s->statistics.maximum, s->packed, s->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Operations per second of all threads at the peak: the most that one thread was seen to do since the program began (its
 * runs are short enough to find a moment without others), for each. */
static double peak_so_far(settings *set)
{
    const double now_seen = peak_flops(set->type, 1) * set->threads;
    if (now_seen > set->peak) set->peak = now_seen;
    return set->peak;
}

static double bench_layer(const layer *l, settings *set, double *operations, double *peer_seconds)
{
    stage s;
    double wall[ROUNDS_MAX], processor[ROUNDS_MAX], full[ROUNDS_MAX];
    stage_open(l, set, &s);
    full_convolution *peer = l->up || s.sources[0].channels == 1
                                 ? NULL
                                 : full_convolution_make(&l->shape, set->type, set->threads);
    stage_run(&s);
    /* Small layers are repeated, so that a round lasts long enough to be timed. */
    timing begin = now();
    stage_run(&s);
    const int repeats = 1 + (int)(0.1 / (since(begin).wall + 1e-6));
    for (int r = 0; r < set->rounds; r++) {
        (void)peak_so_far(set);
        begin = now();
        for (int i = 0; i < repeats; i++) stage_run(&s);
        const timing t = since(begin);
        wall[r] = t.wall / repeats;
        processor[r] = t.processor / repeats / set->threads;
        if (!peer) continue;
        begin = now();
        for (int i = 0; i < repeats; i++) full_convolution_run(peer);
        full[r] = since(begin).wall / repeats;
    }
    const double seconds = median(wall, set->rounds), share = s.operations / median(processor, set->rounds) / set->peak;
    *peer_seconds = peer ? median(full, set->rounds) : 0;
    printf("%-26s %4dx%3dx%3d  x%d %9.2f ms %7.0f GFLOP/s  %4.0f %% of peak  ", l->name, l->shape.input_shape_xyz[0],
           l->shape.input_shape_xyz[1], l->shape.input_shape_xyz[2], l->calls, 1e3 * seconds, 1e-9 * s.operations / seconds, 100 * share);
    if (peer)
        printf("oneDNN %7.0f  ratio %5.2f  ", 1e-9 * s.operations / *peer_seconds, *peer_seconds / seconds);
    else
        printf("oneDNN       -  ratio     -  ");
    printf("%s\n", s.text);
    fflush(stdout);
    full_convolution_free(peer);
    *operations = s.operations;
    stage_close(&s);
    return seconds;
}

int main(int argc, char **argv)
{
    settings set = {.variant = argc > 1 ? argv[1] : "nano", .filter = argc > 6 ? argv[6] : "", .rounds = 3};
    model_description model;
    if (!model_variant(set.variant, &model)) {
        fprintf(stderr, "bench_convolution: no variant is called %s\n", set.variant);
        return 2;
    }
    set.type = argc > 2 && strcmp(argv[2], "f32") == 0 ? ELEMENT_FLOAT32 : ELEMENT_BFLOAT16;
    memcpy(set.window, model.window, sizeof set.window);
    if (argc > 3 && sscanf(argv[3], "%dx%dx%d", &set.window[0], &set.window[1], &set.window[2]) != 3) return 2;
    set.threads = argc > 4 ? (int)strtol(argv[4], NULL, 10) : processor_cores();
    if (argc > 5) set.rounds = (int)strtol(argv[5], NULL, 10);
    if (set.threads < 1 || set.rounds < 1 || set.rounds > ROUNDS_MAX) return 2;
    omp_set_num_threads(set.threads);

    static layer layers[LAYERS_MAX];
    const int count = list_layers(&model.vision, set.window, layers);
    printf("%s, %s, %d threads, peak %.0f GFLOP/s\n", set.variant, element_name(set.type), set.threads, 1e-9 * peak_so_far(&set));
    double total = 0, operations = 0;
    for (int i = 0; i < count; i++) {
        if (!strstr(layers[i].name, set.filter)) continue;
        double o, peer;
        total += layers[i].calls * bench_layer(&layers[i], &set, &o, &peer);
        operations += layers[i].calls * o;
    }
    printf("together %.3f s, %.0f GFLOP, %.0f GFLOP/s\n", total, 1e-9 * operations, 1e-9 * operations / total);
    return 0;
}
