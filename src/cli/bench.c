/* sat3d bench: how fast is a window of a network on this machine? Deterministic weights: no file is needed. */
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/verbs.h"
#include "cpu/peak.h"
#include "model/network.h"
#include "model/weights.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench_settings {
    common_settings common;
    const char *variant;
    int window[3], prompts, dtype, repeats;
} bench_settings;

static const char *const dtypes[] = {"bf16", "f32", NULL};
static const element_type dtype_elements[] = {ELEMENT_BFLOAT16, ELEMENT_FLOAT32};

#define FIELD(f) offsetof(bench_settings, f)
static const option bench_options[] = {
    {.name = "variant", .kind = OPTION_TEXT, .offset = FIELD(variant), .argument = "NAME",
     .help = "tiny, tiny_wide, nano, pro or huge (default: nano)"},
    {.name = "window", .kind = OPTION_SHAPE, .offset = FIELD(window), .argument = "XxYxZ", .help = "voxels of a window (default: the variant's)"},
    {.name = "prompts", .kind = OPTION_INTEGER, .offset = FIELD(prompts), .argument = "N", .least = 1, .most = 100000,
     .help = "how many masks a window gives (default: 4)"},
    {.name = "dtype", .kind = OPTION_CHOICE, .offset = FIELD(dtype), .choices = dtypes, .help = "what the network computes in (default: bf16)"},
    {.name = "repeats", .kind = OPTION_INTEGER, .offset = FIELD(repeats), .argument = "N", .least = 1, .most = 1000,
     .help = "windows that are timed, after one that is not; the median counts (default: 3)"},
    {.name = NULL},
};
#undef FIELD

static const bench_settings bench_defaults = {.variant = "nano", .prompts = 4, .repeats = 3};

/* ---------------------------------------------------------------- one window */

typedef struct bench_work {
    model_description model;
    weight_source source;
    network *net;
    float *image, *queries, *embeddings, *rows;
    double *seconds, *layer_seconds; /* [repeats]; [steps]: median candidates' sums */
    double masks_seconds;
    double checksum;                 /* of the probabilities: the work is really done */
} bench_work;

enum { SLAB_PLANES = 4 };

static size_t plane_voxels(const bench_work *b) { return (size_t)b->model.window[1] * (size_t)b->model.window[2]; }

/* Probabilities of all prompts, slab by slab, as a segmentation computes them; only their sum is kept. */
static sat_status all_masks(bench_work *b, int threads, int prompts, sat_error *error)
{
    const int group = network_mask_group(b->net), groups = (prompts + group - 1) / group;
    const int planes = b->model.window[0], slabs = (planes + SLAB_PLANES - 1) / SLAB_PLANES;
    const size_t slab = (size_t)group * SLAB_PLANES * plane_voxels(b), width = (size_t)network_embedding_width(b->net);
    sat_status status = SAT_OK;
    double sum = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) reduction(+ : sum)
    for (int task = 0; task < slabs * groups; task++) {
        const int x0 = task / groups * SLAB_PLANES, x1 = x0 + SLAB_PLANES < planes ? x0 + SLAB_PLANES : planes;
        const int first = task % groups * group, some = prompts - first < group ? prompts - first : group;
        float *rows = b->rows + (size_t)omp_get_thread_num() * slab;
        const sat_status here = network_masks(b->net, omp_get_thread_num(), x0, x1, some, b->embeddings + (size_t)first * width, true, rows, NULL);
        if (here != SAT_OK) {
#pragma omp atomic write
            status = here;
        }
        sum += (double)rows[(size_t)(x1 - x0) * plane_voxels(b) / 2];
    }
    b->checksum = sum;
    return status == SAT_OK ? status : sat_fail(error, status, "the masks could not be computed");
}

static sat_status one_window(bench_work *b, const bench_settings *settings, const progress *watch, double *seconds, sat_error *error)
{
    const double begin = clock_seconds();
    sat_status status = network_image(b->net, b->image, watch, error);
    if (status == SAT_OK) status = network_queries(b->net, settings->prompts, b->queries, b->embeddings, error);
    const double masks = clock_seconds();
    if (status == SAT_OK) status = all_masks(b, settings->common.threads, settings->prompts, error);
    const double end = clock_seconds();
    b->masks_seconds = end - masks;
    *seconds = end - begin;
    return status;
}

static sat_status prepare(bench_work *b, const bench_settings *settings, sat_error *error)
{
    if (!model_variant(settings->variant, &b->model))
        return sat_fail(error, SAT_BAD_ARGUMENT, "no variant '%s'; there are tiny, tiny_wide, nano, pro and huge", settings->variant);
    if (settings->window[0]) memcpy(b->model.window, settings->window, sizeof b->model.window);
    b->source = weight_source_deterministic();
    const network_options options = {dtype_elements[settings->dtype], settings->common.threads, settings->prompts, false};
    sat_status status = network_make(&b->model, &b->source, &options, &b->net, error);
    if (status != SAT_OK) return status;
    const uint64_t limit = settings->common.max_memory_bytes ? settings->common.max_memory_bytes : memory_physical_bytes();
    char need[MEMORY_TEXT], have[MEMORY_TEXT];
    if (limit && network_bytes(b->net) > limit)
        return sat_fail(error, SAT_NO_MEMORY, "this window needs %s, but the limit is %s; take a smaller --window",
                        memory_print_bytes(network_bytes(b->net), need), memory_print_bytes(limit, have));
    const int *w = b->model.window;
    const size_t voxels = (size_t)w[0] * plane_voxels(b), prompts = (size_t)settings->prompts;
    b->image = malloc(voxels * sizeof *b->image);
    b->queries = malloc(prompts * (size_t)b->model.vision.text_width * sizeof *b->queries);
    b->embeddings = malloc(prompts * (size_t)network_embedding_width(b->net) * sizeof *b->embeddings);
    b->rows = malloc((size_t)settings->common.threads * (size_t)network_mask_group(b->net) * SLAB_PLANES * plane_voxels(b) * sizeof *b->rows);
    b->seconds = calloc((size_t)settings->repeats, sizeof *b->seconds);
    b->layer_seconds = calloc((size_t)network_image_plan(b->net)->step_count, sizeof *b->layer_seconds);
    if (!b->image || !b->queries || !b->embeddings || !b->rows || !b->seconds || !b->layer_seconds)
        return sat_fail(error, SAT_NO_MEMORY, "no memory for a window of %d x %d x %d", w[0], w[1], w[2]);
    deterministic_fill("input/image", 5, (const int64_t[]){1, 1, w[0], w[1], w[2]}, 0, voxels, b->image);
    const int64_t queries[3] = {1, settings->prompts, b->model.vision.text_width};
    deterministic_fill("input/queries", 3, queries, 0, prompts * (size_t)b->model.vision.text_width, b->queries);
    return network_load(b->net, error);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---------------------------------------------------------------- what is said */

typedef struct bench_result {
    double seconds_per_window, operations, peak_flops;
    uint64_t peak_bytes;
} bench_result;

static json_t *layers_json(const bench_work *b, const bench_settings *settings, double peak_flops)
{
    const plan *p = network_image_plan(b->net);
    json_t *layers = json_array();
    for (int i = 0; i < p->step_count; i++) {
        const plan_step *s = &p->steps[i];
        const double seconds = b->layer_seconds[i] / settings->repeats, rate = s->operations / seconds;
        json_array_append_new(layers, json_pack("{s:s, s:s, s:s, s:f, s:f, s:f}", "operation",
                                                graph_operation_name(p->network->nodes[s->node].operation), "parameter",
                                                s->parameter_count ? p->network->nodes[s->parameters[0].node].name : "", "kernel",
                                                s->detail, "seconds", seconds, "gflop_per_second", rate / 1e9,
                                                "share_of_measured_peak", rate / peak_flops));
    }
    return layers;
}

static sat_status print_json(const bench_work *b, const bench_settings *settings, const bench_result *r, sat_error *error)
{
    json_t *all = json_array();
    for (int i = 0; i < settings->repeats; i++)
        json_array_append_new(all, json_real(b->seconds[i]));
    json_t *root = json_pack("{s:s, s:[i,i,i], s:i, s:s, s:i, s:f, s:o, s:I, s:I, s:f, s:f, s:f, s:f, s:o}", "variant", settings->variant,
                             "window_voxels", b->model.window[0], b->model.window[1], b->model.window[2], "prompts", settings->prompts,
                             "dtype", element_name(network_type(b->net)), "threads", settings->common.threads, "seconds_per_window",
                             r->seconds_per_window, "seconds_of_each", all, "peak_bytes", (json_int_t)r->peak_bytes, "planned_bytes",
                             (json_int_t)network_bytes(b->net), "seconds_of_masks", b->masks_seconds, "tflop_per_window",
                             r->operations / 1e12, "measured_peak_gflop_per_second", r->peak_flops / 1e9, "share_of_measured_peak",
                             r->operations / r->seconds_per_window / r->peak_flops, "layers",
                             layers_json(b, settings, r->peak_flops));
    char *lines = json_text(root, JSON_PRETTY, JSON_AS_INSERTED, NULL);
    if (lines) fputs(lines, stdout);
    json_decref(root);
    if (!lines) return sat_fail(error, SAT_NO_MEMORY, "no memory for the figures as JSON");
    free(lines);
    return SAT_OK;
}

static void print_table(const bench_work *b, const bench_settings *settings, const bench_result *r)
{
    const plan *p = network_image_plan(b->net);
    char words[MEMORY_TEXT];
    printf("%s, one window of %d x %d x %d, %d prompts, %s, %d threads\n", settings->variant, b->model.window[0], b->model.window[1],
           b->model.window[2], settings->prompts, element_name(network_type(b->net)), settings->common.threads);
    printf("%.3f s a window (median of %d), of which masks %.3f s\n", r->seconds_per_window, settings->repeats, b->masks_seconds);
    printf("%.2f TFLOP: %.0f GFLOP/s, %.0f %% of this machine's measured %.0f GFLOP/s\n", r->operations / 1e12,
           r->operations / r->seconds_per_window / 1e9, 100 * r->operations / r->seconds_per_window / r->peak_flops, r->peak_flops / 1e9);
    printf("%s of memory at most\n\n", memory_print_bytes(r->peak_bytes, words));
    printf("%9s %9s %6s  %-26s %s\n", "seconds", "GFLOP/s", "share", "operation", "kernel");
    for (int i = 0; i < p->step_count; i++) {
        const plan_step *s = &p->steps[i];
        const double seconds = b->layer_seconds[i] / settings->repeats, rate = s->operations / seconds;
        printf("%9.4f %9.1f %5.0f%%  %-26s %s\n", seconds, rate / 1e9, 100 * rate / r->peak_flops,
               graph_operation_name(p->network->nodes[s->node].operation), s->detail);
    }
}

static sat_status bench_run(verb_call *call, sat_error *error)
{
    const bench_settings *settings = call->settings;
    bench_work b = {0};
    bench_result r = {0};
    sat_status status = prepare(&b, settings, error);
    progress_begin(call->progress, "windows", (uint64_t)settings->repeats + 1);
    for (int i = -1; i < settings->repeats && status == SAT_OK; i++) {
        double seconds;
        status = one_window(&b, settings, call->progress, &seconds, error);
        const plan *p = network_image_plan(b.net);
        for (int k = 0; k < p->step_count && i >= 0; k++)
            b.layer_seconds[k] += p->steps[k].seconds;
        if (i >= 0) b.seconds[i] = seconds;
        progress_add(call->progress, 1);
    }
    if (status == SAT_OK) {
        const plan *p = network_image_plan(b.net);
        for (int k = 0; k < p->step_count; k++)
            r.operations += p->steps[k].operations;
        qsort(b.seconds, (size_t)settings->repeats, sizeof *b.seconds, ascending);
        r.seconds_per_window = b.seconds[settings->repeats / 2];
        r.peak_bytes = memory_resident_peak_bytes();
        r.peak_flops = peak_flops(network_type(b.net), settings->common.threads);
        terminal_clear(call->screen);
        if (settings->common.json) status = print_json(&b, settings, &r, error);
        else print_table(&b, settings, &r);
    }
    network_free(b.net);
    free(b.image);
    free(b.queries);
    free(b.embeddings);
    free(b.rows);
    free(b.seconds);
    free(b.layer_seconds);
    return status;
}

const verb verb_bench = {
    .name = "bench",
    .group = "Look",
    .summary = "time a network's window on this machine",
    .operands = "",
    .examples = "sat3d bench --variant nano --window 288x288x96 --prompts 4 --dtype bf16 --json\n",
    .text = "Runs one window with weights made from names: no model file is needed. Prints the median time, the memory, each layer's\n"
            "share of what the processor can do.\n",
    .options = bench_options,
    .defaults = &bench_defaults,
    .settings_bytes = sizeof(bench_settings),
    .least_operands = 0,
    .most_operands = 0,
    .run = bench_run,
};
