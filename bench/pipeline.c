/* Times of everything around the network on a synthetic CT: standard form, merging, the way back; with --files also reading the
 * scan, statistics, label map, and writing all files; and the peak memory.
 *
 *   bench_pipeline [--shape 512x512x300] [--spacing 0.8x0.8x1] [--threads 2] [--prompts 117] [--dense] [--budget 4.0]
 *                  [--runs 3] [--oblique] [--mr] [--raw FILE] [--files FOLDER] [--largest-component]
 *
 * The "network" plants an ellipsoid of 5 to 60 ml for each prompt (--dense: something everywhere); the time it takes
 * itself is not counted. --raw writes the stored voxels (int16, i fastest) for bench/preprocessing_reference.py. */
#include "base/clock.h"
#include "base/file.h"
#include "image/nifti.h"
#include "image/volume_file.h"
#include "segment/case_sink.h"
#include "segment/merge.h"
#include "segment/restore.h"
#include "segment/standardise.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct options {
    int64_t shape[3];
    double spacing[3], budget_gb;
    int threads, prompts, runs;
    bool dense, oblique, mr, largest;
    const char *raw, *files;
} options;

static void must(sat_status status, const sat_error *error)
{
    if (status == SAT_OK) return;
    fprintf(stderr, "bench_pipeline: %s\n", error->message);
    exit(1);
}

static double peak_gb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024 / 1e9;
}

static uint32_t noise(uint64_t at)
{
    at = (at + 1) * 0x9e3779b97f4a7c15u;
    at = (at ^ at >> 29) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(at >> 40);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *seconds, int runs)
{
    qsort(seconds, (size_t)runs, sizeof *seconds, by_size);
    return seconds[runs / 2];
}

/* ---------------------------------------------------------------- the scan */

/* A body of soft tissue with noise in air, LPS as most files are. */
static void make_scan(const options *o, volume *v)
{
    *v = (volume){.type = VOXEL_INT16, .slope = 1};
    const double turn = o->oblique ? 0.15 : 0, c = cos(turn), s = sin(turn);
    for (int a = 0; a < 3; a++)
        v->grid.shape_ijk[a] = o->shape[a];
    const double affine[3][4] = {{-o->spacing[0] * c, o->spacing[1] * s, 0, 200}, {-o->spacing[0] * s, -o->spacing[1] * c, 0, 180},
                                 {0, 0, o->spacing[2], -700}};
    memcpy(v->grid.voxel_to_world, affine, sizeof affine);
    int16_t *stored = malloc(volume_voxels(v) * sizeof *stored);
    if (!stored) exit(1);
    v->stored = stored;
    const int64_t ni = o->shape[0], nj = o->shape[1], nk = o->shape[2];
#pragma omp parallel for num_threads(o->threads)
    for (int64_t k = 0; k < nk; k++)
        for (int64_t j = 0; j < nj; j++)
            for (int64_t i = 0; i < ni; i++) {
                const double x = 2.0 * (double)i / (double)ni - 1, y = 2.0 * (double)j / (double)nj - 1;
                const int64_t at = (k * nj + j) * ni + i;
                const int inside = x * x / 0.9 + y * y / 0.6 < 1;
                const int16_t least = o->mr ? 0 : -1024;
                int value = (inside ? 40 : least) + (int)(noise((uint64_t)at) % 60) - 30;
                stored[at] = (int16_t)(value < least ? least : value);
            }
}

/* ---------------------------------------------------------------- the network's stand-in */

typedef struct structure {
    double centre[3], radius[3]; /* voxels of the processed volume */
} structure;

static structure structure_of(const window_list *windows, int prompt)
{
    structure s;
    const double size = 10 + 15 * (double)(noise((uint64_t)prompt * 7 + 3) % 1000) / 1000; /* mm */
    for (int a = 0; a < 3; a++) {
        s.radius[a] = a == 2 ? size / 3 : size;
        const double room = (double)windows->shape[a] - 2 * s.radius[a];
        s.centre[a] = s.radius[a] + (room > 0 ? room : 0) * (double)(noise((uint64_t)(prompt * 3 + a) + 99991) % 10000) / 10000;
    }
    return s;
}

/* Planes [x0, x1) of a window: p = logistic(4 * distance in voxels to the surface, inwards). `clean` planes hold 0 before and after
 * (the structure's box is wiped by the caller's second call with `wipe`). */
static void plant(const window_list *windows, size_t window, const structure *s, int x0, int x1, bool wipe, float *p)
{
    const int32_t *from = windows->boxes[window].from;
    int low[3], high[3];
    for (int a = 0; a < 3; a++) {
        low[a] = (int)(s->centre[a] - s->radius[a] - 6) - from[a];
        high[a] = (int)(s->centre[a] + s->radius[a] + 6) - from[a];
        if (low[a] < 0) low[a] = 0;
        if (high[a] > windows->size[a]) high[a] = windows->size[a];
    }
    for (int x = low[0] > x0 ? low[0] : x0; x < x1 && x < high[0]; x++)
        for (int y = low[1]; y < high[1]; y++)
            for (int z = low[2]; z < high[2]; z++) {
                const double dx = (x + from[0] - s->centre[0]) / s->radius[0], dy = (y + from[1] - s->centre[1]) / s->radius[1];
                const double dz = (z + from[2] - s->centre[2]) / s->radius[2];
                const double inwards = (1 - sqrt(dx * dx + dy * dy + dz * dz)) * s->radius[0];
                p[((size_t)(x - x0) * (size_t)windows->size[1] + (size_t)y) * (size_t)windows->size[2] + (size_t)z] =
                    wipe ? 0 : (float)(1 / (1 + exp(-4 * inwards)));
            }
}

/* Seconds of merging in all windows, on the wall if all threads were equally busy. */
static double run_windows(merge *m, const window_list *windows, const options *o)
{
    enum { PLANES = 16 };
    const size_t plane = (size_t)windows->size[1] * (size_t)windows->size[2];
    const int slabs = (windows->size[0] + PLANES - 1) / PLANES;
    double adding = 0, ending = 0;
    float **buffers = calloc((size_t)o->threads, sizeof *buffers);
    for (int t = 0; t < o->threads; t++) {
        buffers[t] = calloc(PLANES * plane, sizeof **buffers);
        for (size_t n = 0; o->dense && n < PLANES * plane; n++)
            buffers[t][n] = (float)(noise(n) % 1000) / 1000;
    }
    for (size_t w = 0; w < windows->count; w++) {
#pragma omp parallel for collapse(2) num_threads(o->threads) schedule(dynamic) reduction(+ : adding)
        for (int slab = 0; slab < slabs; slab++)
            for (int prompt = 0; prompt < o->prompts; prompt++) {
                if (!merge_wants(m, prompt)) continue;
                float *p = buffers[omp_get_thread_num()];
                const int x0 = slab * PLANES, x1 = x0 + PLANES < windows->size[0] ? x0 + PLANES : windows->size[0];
                const structure s = structure_of(windows, prompt);
                if (!o->dense) plant(windows, w, &s, x0, x1, false, p);
                const double start = clock_seconds();
                merge_add(m, w, prompt, x0, x1, p);
                adding += clock_seconds() - start;
                if (!o->dense) plant(windows, w, &s, x0, x1, true, p);
            }
        const double start = clock_seconds();
        merge_window_done(m, w, o->threads);
        ending += clock_seconds() - start;
    }
    for (int t = 0; t < o->threads; t++)
        free(buffers[t]);
    free(buffers);
    return adding / o->threads + ending;
}

static sat_status ignore_mask(void *context, const uint8_t *mask, size_t voxels, sat_error *error)
{
    (void)error;
    *(size_t *)context += voxels + (mask[0] > 1);
    return SAT_OK;
}

static sat_status ignore_zeros(void *context, size_t voxels, sat_error *error)
{
    (void)error;
    *(size_t *)context += voxels;
    return SAT_OK;
}

/* Masks go to files and into a label map as in the program (segment/case.c), without a network. */
typedef struct written {
    case_settings settings;
    case_result result;
    case_sink sink;
    segment_sink slices;
    char folder[512], label_map[600];
    const char **names;
    char (*words)[32];
} written;

static void written_open(const options *o, const volume *v, written *w)
{
    sat_error error = {0};
    *w = (written){.settings = {.largest_component = o->largest, .scan_name = "scan"}};
    snprintf(w->folder, sizeof w->folder, "%s/masks", o->files);
    snprintf(w->label_map, sizeof w->label_map, "%s/labels.nii.gz", o->files);
    w->settings.folder = w->folder;
    w->settings.label_map = w->label_map;
    w->names = calloc((size_t)o->prompts, sizeof *w->names);
    w->words = calloc((size_t)o->prompts, sizeof *w->words);
    w->result = (case_result){.labels = calloc((size_t)o->prompts, sizeof(case_label)), .label_count = o->prompts};
    for (int i = 0; i < o->prompts; i++) {
        snprintf(w->words[i], sizeof w->words[i], "structure %d", i + 1);
        w->names[i] = w->result.labels[i].name = w->words[i];
    }
    w->settings.request.prompts = w->names;
    w->settings.request.prompt_count = o->prompts;
    must(case_sink_open(&w->settings, v, o->threads, &w->result, &w->sink, &error), &error);
    w->slices = case_sink_slices(&w->sink);
}

static void written_take(written *w, restore *back, const merge *m, int prompt, restore_found *found)
{
    sat_error error = {0};
    do {
        must(w->slices.begin(w->slices.context, prompt, &error), &error);
        must(restore_prompt(back, m, prompt, &w->slices.slices, found, &error), &error);
        must(w->slices.end(w->slices.context, prompt, found, &error), &error);
    } while (w->slices.again(w->slices.context, prompt));
}

static void written_close(written *w, const volume *v)
{
    sat_error error = {0};
    const double start = clock_seconds();
    must(label_map_write(&w->sink.map, w->label_map, v, NULL, &error), &error);
    printf("label map written: %.3f s\n", clock_seconds() - start);
    case_sink_close(&w->sink);
    case_result_free(&w->result);
    free((void *)w->names);
    free(w->words);
}

static void time_masks(const options *o, const volume *v, const standard_scan *scan)
{
    sat_error error = {0};
    const int size[3] = {288, 288, 96};
    window_list windows;
    window_weights weights;
    must(windows_make(scan->grid.shape_xyz, size, 0.5, &windows, &error), &error);
    double start = clock_seconds();
    must(window_weights_make(size, o->threads, &weights, &error), &error);
    merge_plan plan;
    const size_t budget = (size_t)(o->budget_gb * 1e9);
    merge_plan_make(&windows, o->prompts, budget, &plan);
    merge_settings settings = {.windows = &windows, .weights = &weights, .prompts = o->prompts, .budget_bytes = budget,
                               .tolerance = MERGE_TOLERANCE, .threads = o->threads};
    merge *m;
    restore *back;
    must(merge_open(&settings, &m, &error), &error);
    must(restore_open(&scan->grid, o->files != NULL, o->threads, &back, &error), &error);
    written files;
    if (o->files) written_open(o, v, &files);
    printf("plan: %zu windows, fixed %.2f GB, dense prompt %.0f MB, dense prompts per pass %zu (%d passes if all are)\n",
           windows.count, (double)plan.fixed_bytes / 1e9, (double)plan.dense_prompt_bytes / 1e6, plan.prompts_per_pass, plan.passes_if_dense);
    printf("opening (weights, their sums, tables): %.3f s\n", clock_seconds() - start);
    double merging = 0, restoring = 0;
    int64_t voxels = 0;
    int done = 0;
    do {
        merging += run_windows(m, &windows, o);
        start = clock_seconds();
        for (int prompt = 0; prompt < o->prompts; prompt++) {
            if (!merge_complete(m, prompt)) continue;
            size_t delivered = 0;
            const restore_sink sink = {&delivered, ignore_mask, NULL, ignore_zeros};
            restore_found found;
            if (o->files) written_take(&files, back, m, prompt, &found);
            else must(restore_prompt(back, m, prompt, &sink, &found, &error), &error);
            voxels += found.voxels;
            done++;
            merge_release(m, prompt);
        }
        restoring += clock_seconds() - start;
    } while (merge_next_pass(m) > 0);
    merge_usage usage;
    merge_usage_now(m, &usage);
    printf("%d prompts (%s): merging %.3f s, way back%s %.3f s (%.1f ms each), %.1f ml each, %d passes, blocks at most %.3f GB\n", done,
           o->dense ? "dense" : "compact", merging, o->files ? ", statistics, label map, masks' files" : "", restoring, 1e3 * restoring / done,
           (double)voxels * o->spacing[0] * o->spacing[1] * o->spacing[2] / 1e3 / done, usage.passes, (double)usage.peak_bytes / 1e9);
    if (o->files) written_close(&files, v);
    restore_close(back);
    merge_close(m);
    window_weights_free(&weights);
    windows_free(&windows);
}

/* As a file, and back from it. */
static void read_scan(const options *o, volume *v)
{
    sat_error error = {0};
    char path[600];
    snprintf(path, sizeof path, "%s/scan.nii.gz", o->files);
    must(folder_make(o->files, &error), &error);
    const nifti_write_options how = {.threads = o->threads, .level = GZIP_LEVEL_IMAGE};
    must(nifti_write(path, &v->grid, v->type, v->stored, &how, NULL, &error), &error);
    volume_free(v);
    const double start = clock_seconds();
    must(volume_read(path, -1, v, &error), &error);
    printf("scan read from .nii.gz: %.3f s\n", clock_seconds() - start);
}

/* ---------------------------------------------------------------- options */

static bool three(const char *text, double x[3]) { return sscanf(text, "%lfx%lfx%lf", &x[0], &x[1], &x[2]) == 3; }

static bool parse(int argc, char **argv, options *o)
{
    *o = (options){.shape = {512, 512, 300}, .spacing = {0.8, 0.8, 1}, .budget_gb = 4, .threads = omp_get_max_threads(), .prompts = 117, .runs = 3};
    for (int n = 1; n < argc; n++) {
        const char *name = argv[n], *value = n + 1 < argc ? argv[n + 1] : "";
        double x[3];
        bool takes_value = true;
        if (strcmp(name, "--shape") == 0 && three(value, x))
            for (int a = 0; a < 3; a++)
                o->shape[a] = (int64_t)x[a];
        else if (strcmp(name, "--spacing") == 0 && three(value, x)) memcpy(o->spacing, x, sizeof x);
        else if (strcmp(name, "--threads") == 0) o->threads = (int)strtol(value, NULL, 10);
        else if (strcmp(name, "--prompts") == 0) o->prompts = (int)strtol(value, NULL, 10);
        else if (strcmp(name, "--runs") == 0) o->runs = (int)strtol(value, NULL, 10);
        else if (strcmp(name, "--budget") == 0) o->budget_gb = strtod(value, NULL);
        else if (strcmp(name, "--raw") == 0) o->raw = value;
        else if (strcmp(name, "--files") == 0) o->files = value;
        else {
            takes_value = false;
            if (strcmp(name, "--dense") == 0) o->dense = true;
            else if (strcmp(name, "--oblique") == 0) o->oblique = true;
            else if (strcmp(name, "--mr") == 0) o->mr = true;
            else if (strcmp(name, "--largest-component") == 0) o->largest = true;
            else return false;
        }
        n += takes_value;
    }
    return o->threads >= 1 && o->runs >= 1 && o->runs <= 99 && o->prompts >= 0;
}

int main(int argc, char **argv)
{
    options o;
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "bench_pipeline: options are described at the top of bench/pipeline.c\n");
        return 2;
    }
    sat_error error = {0};
    volume v;
    make_scan(&o, &v);
    if (o.raw) {
        FILE *file = fopen(o.raw, "wb");
        if (!file || fwrite(v.stored, 2, volume_voxels(&v), file) != volume_voxels(&v) || fclose(file) != 0) return 1;
    }
    if (o.files) read_scan(&o, &v);
    const standard_settings settings = {.modality = o.mr ? "mri" : "ct", .spacing_mm = {1, 1, 3}, .intensity = {-500, 1000, 0.5, 99.5},
                                        .threads = o.threads};
    double seconds[99];
    standard_scan scan = {0};
    for (int run = 0; run < o.runs; run++) {
        standard_free(&scan);
        const double start = clock_seconds();
        must(standard_make(&v, &settings, &scan, &error), &error);
        seconds[run] = clock_seconds() - start;
    }
    const int64_t *n = scan.grid.shape_xyz;
    printf("standard form: %lld x %lld x %lld voxels -> %lld x %lld x %lld in %.3f s (median of %d, %d threads); peak so far %.2f GB\n",
           (long long)o.shape[0], (long long)o.shape[1], (long long)o.shape[2], (long long)n[0], (long long)n[1], (long long)n[2],
           median(seconds, o.runs), o.runs, o.threads, peak_gb());
    printf("statistics: clip %.6g %.6g mean %.9g std %.9g\n", scan.statistics.clip_low, scan.statistics.clip_high, scan.statistics.mean,
           scan.statistics.std);
    if (o.prompts > 0) time_masks(&o, &v, &scan);
    printf("peak resident memory: %.2f GB\n", peak_gb());
    standard_free(&scan);
    volume_free(&v);
    return 0;
}
