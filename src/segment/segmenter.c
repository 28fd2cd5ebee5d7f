#include "segment/segmenter.h"

#include "base/clock.h"
#include "base/memory.h"
#include "model/network.h"
#include "segment/merge.h"
#include "segment/modality.h"
#include "segment/windows.h"
#include "text/encoder.h"
#include "text/modality.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLAB_PLANES = 4, /* planes of a window whose masks a thread computes at once: [64][4][288][96] float32 is 28 MB    */
};

/* What a run takes besides what is counted: the program and its libraries, oneDNN's compiled kernels, tables, buffers of files. */
static const uint64_t program_bytes = 120u << 20;

struct segmenter {
    segmenter_options options;
    model_file *file;
    const model_description *model;
    weight_source vision, words; /* over the mapped file */
    network *net;
    bool loaded;
    text_encoder *encoder;       /* NULL until the first run */
    window_weights weights;
};

/* ---------------------------------------------------------------- opening */

sat_status segmenter_open(const char *model_path, const segmenter_options *options, segmenter **opened, sat_error *error)
{
    *opened = NULL;
    segmenter *s = calloc(1, sizeof *s);
    if (!s) return sat_fail(error, SAT_NO_MEMORY, "no memory to open a model");
    s->options = *options;
    sat_status status = model_file_open(model_path, &s->file, error);
    if (status == SAT_OK) {
        s->model = model_file_description(s->file);
        s->vision = model_file_vision(s->file);
        s->words = model_file_text(s->file);
        if (s->model->text.kind == TEXT_NONE) {
            sat_fail(error, SAT_BAD_INPUT, "the model has no text encoder; convert it again with --text and --vocab");
            status = sat_fail_in(error, model_path, SAT_BAD_INPUT);
        }
    }
    if (status == SAT_OK) {
        const network_options network_wanted = {options->type, options->threads, options->prompts, false};
        status = network_make(s->model, &s->vision, &network_wanted, &s->net, error);
        if (status != SAT_OK) sat_fail_in(error, model_path, status);
    }
    if (status == SAT_OK) *opened = s;
    else segmenter_close(s);
    return status;
}

void segmenter_close(segmenter *s)
{
    if (!s) return;
    text_encoder_close(s->encoder);
    window_weights_free(&s->weights);
    network_free(s->net);
    model_file_close(s->file);
    free(s);
}

element_type segmenter_type(const segmenter *s) { return network_type(s->net); }
int segmenter_threads(const segmenter *s) { return s->options.threads; }
const model_file *segmenter_model(const segmenter *s) { return s->file; }

/* ---------------------------------------------------------------- planning */

static size_t product(const int64_t n[3]) { return (size_t)n[0] * (size_t)n[1] * (size_t)n[2]; }

static size_t window_voxels(const segmenter *s)
{
    return (size_t)s->model->window[0] * (size_t)s->model->window[1] * (size_t)s->model->window[2];
}

/* Each thread's masks of a slab. */
static size_t slab_floats(const segmenter *s)
{
    return (size_t)network_mask_group(s->net) * SLAB_PLANES * (window_voxels(s) / (size_t)s->model->window[0]);
}

static standard_settings settings_of(const segmenter *s, const segment_request *request)
{
    standard_settings settings = {.modality = request->modality, .orientation_code = request->orientation_code,
                                  .intensity = s->model->intensity, .threads = s->options.threads};
    memcpy(settings.spacing_mm, s->model->spacing_mm, sizeof settings.spacing_mm);
    return settings;
}

static double operations(const plan *p)
{
    double sum = 0;
    for (int i = 0; i < p->step_count; i++)
        sum += p->steps[i].operations;
    return sum;
}

/* Everything but the merge's pool, which takes what is left: with `windows` over a volume of out->grid.shape_xyz. */
static sat_status plan_bytes_of(segmenter *s, const window_list *windows, const segment_request *request, segment_plan *out,
                                sat_error *error)
{
    const uint64_t limit = s->options.max_memory_bytes ? s->options.max_memory_bytes : memory_physical_bytes() / 4 * 3;
    const size_t scan_voxels = product(out->grid.scan.shape_ijk);
    out->limit_bytes = limit ? limit : UINT64_MAX;
    out->windows = windows->count;
    out->network_bytes = network_bytes(s->net) + window_weights_bytes(s->model->window) + window_voxels(s) * sizeof(float) +
                          (uint64_t)s->options.threads * slab_floats(s) * sizeof(float);
    out->restore_bytes = restore_bytes(&out->grid, request->probabilities != SEGMENT_NO_PROBABILITIES, s->options.threads);
    out->other_bytes = program_bytes + request->beside_bytes + (uint64_t)request->prompt_count *
                                            (uint64_t)(s->model->vision.text_width + 2 * s->model->vision.features[0]) * sizeof(float);
    out->operations_per_window = operations(network_image_plan(s->net));
    /* The scan stays for the way back's statistics; the standard volume is made before the network takes its memory. */
    const uint64_t processed = (uint64_t)product(out->grid.shape_xyz) * sizeof(float);
    const uint64_t making = standard_peak_bytes(&out->grid, s->options.threads);
    const uint64_t stored = (uint64_t)scan_voxels * sizeof(float);
    out->scan_bytes = stored + (making > processed + out->network_bytes ? making : processed);
    const uint64_t fixed = out->network_bytes + out->scan_bytes + out->restore_bytes + out->other_bytes;
    merge_plan merging;
    merge_plan_make(windows, request->prompt_count, 0, &merging);
    out->least_bytes = fixed + merging.minimum_bytes;
    if (out->limit_bytes < out->least_bytes) {
        char least[MEMORY_TEXT], most[MEMORY_TEXT];
        out->total_bytes = out->least_bytes;
        return sat_fail(error, SAT_NO_MEMORY, "this scan and model need at least %s, but the limit is %s; give --max-memory %lluM or more",
                        memory_print_bytes(out->least_bytes, least), memory_print_bytes(out->limit_bytes, most),
                        (unsigned long long)(out->least_bytes / 1000000 + 1));
    }
    const uint64_t room = out->limit_bytes - fixed;
    out->merge_bytes = room < merging.dense_bytes ? room : merging.dense_bytes;
    merge_plan_make(windows, request->prompt_count, (size_t)out->merge_bytes, &merging);
    out->passes_if_dense = merging.passes_if_dense;
    out->total_bytes = fixed + out->merge_bytes;
    return SAT_OK;
}

sat_status segmenter_plan(segmenter *s, const volume *scan, const segment_request *request, segment_plan *out, sat_error *error)
{
    *out = (segment_plan){0};
    const standard_settings settings = settings_of(s, request);
    window_list windows = {0};
    sat_status status = standard_plan(&scan->grid, &settings, &out->grid, error);
    memcpy(out->window, s->model->window, sizeof out->window);
    if (status == SAT_OK) status = windows_make(out->grid.shape_xyz, s->model->window, request->overlap, &windows, error);
    if (status == SAT_OK) status = plan_bytes_of(s, &windows, request, out, error);
    windows_free(&windows);
    return status;
}

/* ---------------------------------------------------------------- running */

/* What one run owns. */
typedef struct run {
    segmenter *s;
    const segment_request *request;
    const volume *scan;
    progress *watch;
    segment_record *record;
    standard_scan standard;
    window_list windows;
    bool *skipped;       /* of each window */
    merge *merged;
    float *queries;      /* [prompts][text width]             */
    float *wanted;       /* [prompts][text width]: of this pass's prompts, gathered   */
    int *wanted_prompt;  /* which prompt each gathered row is */
    float *embeddings;   /* [prompts][F0], likewise           */
    float *patch;        /* the network's input               */
    float *slabs;        /* [threads][slab_floats]            */
    size_t shown;        /* window whose features the network holds; SIZE_MAX: none */
} run;

static sat_status run_standardise(run *r, sat_error *error)
{
    segmenter *s = r->s;
    const double begin = clock_seconds();
    const standard_settings settings = settings_of(s, r->request);
    progress_begin(r->watch, "preparing the scan", 0);
    sat_status status = standard_make(r->scan, &settings, &r->standard, error);
    if (status != SAT_OK) return status;
    r->record->standard_warnings = r->standard.warnings;
    for (unsigned bit = 1, n = 0; bit <= STANDARD_WARNS_NOT_FINITE; bit <<= 1, n++)
        if (r->standard.warnings & bit)
            standard_warning_text(&r->standard, bit, r->record->standard_warning_texts[n], sizeof r->record->standard_warning_texts[n]);
    memcpy(r->record->processed_shape_xyz, r->standard.grid.shape_xyz, sizeof r->record->processed_shape_xyz);
    r->record->statistics = r->standard.statistics;
    r->record->plan.grid = r->standard.grid;
    status = windows_make(r->standard.grid.shape_xyz, s->model->window, r->request->overlap, &r->windows, error);
    if (status != SAT_OK) return status;
    r->skipped = calloc(r->windows.count, sizeof *r->skipped);
    if (!r->skipped) return sat_fail(error, SAT_NO_MEMORY, "no memory for %zu windows", r->windows.count);
    for (size_t w = 0; r->request->skip_air && r->standard.hounsfield && w < r->windows.count; w++)
        r->record->windows_skipped += r->skipped[w] = window_all_at_most(&r->windows, w, r->standard.voxels, r->standard.lowest);
    r->record->windows = r->windows.count;
    r->record->seconds_standardise = clock_seconds() - begin;
    return progress_check(r->watch, error);
}

/* The row of the modality table for what the user called the scan. */
static sat_status text_row(const char *modality, int *row, sat_error *error)
{
    char word[64];
    modality_for_text(modality, word, sizeof word);
    *row = modality_row(word);
    if (*row >= 0) return SAT_OK;
    return sat_fail(error, SAT_BAD_ARGUMENT, "the model knows no modality '%s'; say ct, mri, pet or us (also such as 'MRI T1')", modality);
}

static sat_status open_encoder(segmenter *s, sat_error *error)
{
    size_t bytes;
    char identity[HASH_SHA256_TEXT];
    const char *vocabulary = model_file_vocabulary(s->file, &bytes);
    model_file_identity(s->file, identity);
    const text_encoder_options options = {
        .threads = s->options.threads, .model_identity = identity, .no_disk_cache = !s->options.query_cache};
    return text_encoder_open(&s->model->text, &s->words, vocabulary, bytes, &options, &s->encoder, error);
}

/* The encoder stays open: the next scan's prompts are the same, and come from its memory. */
static sat_status run_text(run *r, sat_error *error)
{
    segmenter *s = r->s;
    const double begin = clock_seconds();
    int row;
    sat_status status = text_row(r->request->modality, &row, error);
    if (status == SAT_OK && !s->encoder) status = open_encoder(s, error);
    const size_t before = s->encoder ? text_encoder_reported(s->encoder)->encoded : 0;
    if (status == SAT_OK)
        status = text_encoder_queries(s->encoder, r->request->prompts, (size_t)r->request->prompt_count, row, r->queries,
                                      r->watch, error);
    if (status == SAT_OK) r->record->queries_encoded = (int)(text_encoder_reported(s->encoder)->encoded - before);
    r->record->seconds_text = clock_seconds() - begin;
    return status;
}

static sat_status run_take_memory(run *r, sat_error *error)
{
    segmenter *s = r->s;
    const size_t prompts = (size_t)r->request->prompt_count, text_width = (size_t)s->model->vision.text_width;
    r->queries = malloc(prompts * text_width * sizeof *r->queries);
    r->wanted = malloc(prompts * text_width * sizeof *r->wanted);
    r->wanted_prompt = malloc(prompts * sizeof *r->wanted_prompt);
    r->embeddings = malloc(prompts * (size_t)network_embedding_width(s->net) * sizeof *r->embeddings);
    r->patch = malloc(window_voxels(s) * sizeof *r->patch);
    r->slabs = malloc((size_t)s->options.threads * slab_floats(s) * sizeof *r->slabs);
    if (!r->queries || !r->wanted || !r->wanted_prompt || !r->embeddings || !r->patch || !r->slabs)
        return sat_fail(error, SAT_NO_MEMORY, "the working memory could not be had; close other programs or lower --max-memory");
    return SAT_OK;
}

/* The network, once; the merge, with what the limit leaves now that the crop is known. */
static sat_status run_open_merge(run *r, sat_error *error)
{
    segmenter *s = r->s;
    sat_status status = SAT_OK;
    if (!s->loaded) {
        progress_begin(r->watch, "loading the model", 0);
        status = network_load(s->net, error);
        s->loaded = status == SAT_OK;
    }
    if (status == SAT_OK && !s->weights.values) status = window_weights_make(s->model->window, s->options.threads, &s->weights, error);
    if (status == SAT_OK) status = plan_bytes_of(s, &r->windows, r->request, &r->record->plan, error);
    const merge_settings settings = {
        .windows = &r->windows,
        .weights = &s->weights,
        .skipped = r->skipped,
        .prompts = r->request->prompt_count,
        .budget_bytes = (size_t)r->record->plan.merge_bytes,
        .tolerance = MERGE_TOLERANCE,
        .threshold = r->request->threshold,
        .keep_probabilities = r->request->probabilities == SEGMENT_EVERYWHERE,
        .threads = s->options.threads,
    };
    if (status == SAT_OK) status = merge_open(&settings, &r->merged, error);
    return status;
}

/* Gathers the prompts that this pass still wants; returns how many. */
static int gather_wanted(run *r)
{
    const size_t width = (size_t)r->s->model->vision.text_width;
    int count = 0;
    for (int p = 0; p < r->request->prompt_count; p++)
        if (merge_wants(r->merged, p)) {
            memcpy(r->wanted + (size_t)count * width, r->queries + (size_t)p * width, width * sizeof *r->wanted);
            r->wanted_prompt[count++] = p;
        }
    return count;
}

/* Masks of all wanted prompts from the features of one window, slab by slab: never all at once. */
static sat_status merge_masks(run *r, size_t window, int count, sat_error *error)
{
    segmenter *s = r->s;
    const int group = network_mask_group(s->net), groups = (count + group - 1) / group;
    const size_t plane = window_voxels(s) / (size_t)s->model->window[0];
    const size_t width = (size_t)network_embedding_width(s->net);
    const window_box *box = &r->windows.boxes[window];
    const int planes = box->to[0] - box->from[0], slabs = (planes + SLAB_PLANES - 1) / SLAB_PLANES;
    sat_status status = SAT_OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->options.threads)
    for (int task = 0; task < slabs * groups; task++) {
        const int thread = omp_get_thread_num();
        const int x0 = task / groups * SLAB_PLANES, x1 = x0 + SLAB_PLANES < planes ? x0 + SLAB_PLANES : planes;
        const int first = task % groups * group, some = count - first < group ? count - first : group;
        float *rows = r->slabs + (size_t)thread * slab_floats(s);
        sat_error mine = {0};
        const sat_status here =
            network_masks(s->net, thread, x0, x1, some, r->embeddings + (size_t)first * width, true, rows, &mine);
        if (here != SAT_OK) {
#pragma omp critical(segmenter_failure)
            {
                status = here;
                if (error) *error = mine;
            }
            continue;
        }
        for (int q = 0; q < some; q++)
            merge_add(r->merged, window, r->wanted_prompt[first + q], x0, x1, rows + (size_t)q * (size_t)(x1 - x0) * plane);
    }
    return status;
}

static sat_status run_window(run *r, size_t window, sat_error *error)
{
    segmenter *s = r->s;
    sat_status status = SAT_OK;
    const int count = gather_wanted(r);
    if (!r->skipped[window] && count > 0) {
        if (r->shown != window) { /* a scan of one window keeps its features over all passes */
            window_cut(&r->windows, window, r->standard.voxels, r->patch, s->options.threads);
            status = network_image(s->net, r->patch, r->watch, error);
            r->shown = status == SAT_OK ? window : SIZE_MAX;
        }
        if (status == SAT_OK) status = network_queries(s->net, count, r->wanted, r->embeddings, error);
        if (status == SAT_OK) status = merge_masks(r, window, count, error);
    }
    if (status == SAT_OK) merge_window_done(r->merged, window, s->options.threads);
    if (status == SAT_OK) progress_add(r->watch, 1);
    return status == SAT_OK ? progress_check(r->watch, error) : status;
}

static sat_status restore_one(run *r, restore *back, int prompt, const segment_sink *sink, sat_error *error)
{
    sat_status status = sink->merged ? sink->merged(sink->context, prompt, r->merged, error) : SAT_OK;
    if (!sink->begin) return status;
    do {
        restore_found found = {0};
        if (status == SAT_OK) status = sink->begin(sink->context, prompt, error);
        if (status == SAT_OK) status = restore_prompt(back, r->merged, prompt, &sink->slices, &found, error);
        if (status == SAT_OK) status = sink->end(sink->context, prompt, &found, error);
    } while (status == SAT_OK && sink->again && sink->again(sink->context, prompt));
    return status;
}

static sat_status run_restore(run *r, const segment_sink *sink, sat_error *error)
{
    const double begin = clock_seconds();
    restore *back = NULL;
    sat_status status = restore_open(&r->standard.grid, sink->slices.probability != NULL, r->s->options.threads, &back, error);
    progress_begin(r->watch, "writing masks", (uint64_t)r->request->prompt_count);
    for (int p = 0; p < r->request->prompt_count && status == SAT_OK; p++) {
        if (!merge_complete(r->merged, p)) continue;
        status = restore_one(r, back, p, sink, error);
        merge_release(r->merged, p);
        progress_add(r->watch, 1);
        if (status == SAT_OK) status = progress_check(r->watch, error);
    }
    restore_close(back);
    r->record->seconds_restore += clock_seconds() - begin;
    return status;
}

static sat_status run_passes(run *r, const segment_sink *sink, sat_error *error)
{
    sat_status status = SAT_OK;
    int left = r->request->prompt_count;
    while (left > 0 && status == SAT_OK) {
        const double begin = clock_seconds();
        r->record->passes++;
        progress_begin(r->watch, r->record->passes == 1 ? "windows" : "windows again, for more prompts", r->windows.count);
        for (size_t w = 0; w < r->windows.count && status == SAT_OK; w++)
            status = run_window(r, w, error);
        r->record->seconds_network += clock_seconds() - begin;
        if (status == SAT_OK) status = run_restore(r, sink, error);
        if (status == SAT_OK) left = merge_next_pass(r->merged);
    }
    return status;
}

sat_status segmenter_run(segmenter *s, const volume *scan, const segment_request *request, const segment_sink *sink,
                         segment_record *record, progress *watch, sat_error *error)
{
    *record = (segment_record){0};
    if (request->threshold != 0 && !(request->threshold >= 0.001f && request->threshold <= 0.999f))
        return sat_fail(error, SAT_BAD_ARGUMENT, "a threshold of %g makes no masks; give one from 0.001 to 0.999", (double)request->threshold);
    run r = {.s = s, .request = request, .scan = scan, .watch = watch, .record = record, .shown = SIZE_MAX};
    sat_status status = segmenter_plan(s, scan, request, &record->plan, error);
    if (status == SAT_OK) status = run_take_memory(&r, error);
    if (status == SAT_OK) status = run_text(&r, error);
    if (status == SAT_OK) status = run_standardise(&r, error);
    if (status == SAT_OK && sink->processed) status = sink->processed(sink->context, &r.standard, error);
    if (status == SAT_OK) status = run_open_merge(&r, error);
    if (status == SAT_OK) status = run_passes(&r, sink, error);
    progress_end(watch);
    merge_close(r.merged);
    windows_free(&r.windows);
    standard_free(&r.standard);
    free(r.skipped);
    free(r.queries);
    free(r.wanted);
    free(r.wanted_prompt);
    free(r.embeddings);
    free(r.patch);
    free(r.slabs);
    return status;
}
