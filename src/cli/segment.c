/* sat3d segment: a scan and words in, masks on the scan's own grid out. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/prompts.h"
#include "cli/segment_batch.h"
#include "cli/verbs.h"
#include "cpu/peak.h"
#include "image/volume_file.h"
#include "segment/batch_outputs.h"
#include "segment/case.h"
#include "segment/check_scan.h"
#include "segment/modality.h"
#include "segment/output_json.h"
#include "segment/segmenter.h"

#include <stdlib.h>
#include <string.h>

typedef struct segment_settings {
    common_settings common;
    const char *model, *modality, *prompt_file, *output, *orientation, *label_map, *statistics, *preview, *report, *dataset, *manifest;
    option_texts prompts;
    double overlap, threshold, minimum_volume_ml;
    int dtype, volume;
    bool skip_air, query_cache, probabilities, largest_component, compat, recursive, overwrite;
} segment_settings;

static const char *const dtypes[] = {"bf16", "f32", NULL};
static const element_type dtype_elements[] = {ELEMENT_BFLOAT16, ELEMENT_FLOAT32};

#define FIELD(f) offsetof(segment_settings, f)
static const option segment_options[] = {
    {.name = "model", .kind = OPTION_TEXT, .offset = FIELD(model), .argument = "FILE", .help = "the model, as sat3d convert writes it"},
    {.name = "modality", .kind = OPTION_TEXT, .offset = FIELD(modality), .argument = "WORD",
     .help = "ct, mri, pet, us, or such as 'MRI T1' (default: found from the values where they are certainly Hounsfield units)"},
    {.name = "prompt", .letter = 'p', .kind = OPTION_TEXTS, .offset = FIELD(prompts), .argument = "WORDS",
     .help = "what to segment; give it as often as you like"},
    {.name = "prompts", .kind = OPTION_TEXT, .offset = FIELD(prompt_file), .argument = "FILE", .help = "a text file with one prompt a line"},
    {.name = "output", .letter = 'o', .kind = OPTION_TEXT, .offset = FIELD(output), .argument = "FOLDER",
     .help = "where masks and segmentation.json go (default: the scan's name with _masks; none if there is a label map)"},
    {.name = "label-map", .kind = OPTION_TEXT, .offset = FIELD(label_map), .argument = "FILE",
     .help = "one .nii.gz with all labels, numbered from 1 in prompt order; names and colours for ITK-SNAP and 3D Slicer beside it"},
    {.name = "statistics", .kind = OPTION_TEXT, .offset = FIELD(statistics), .argument = "FILE",
     .help = "a .csv with volume, place and intensity of every label"},
    {.name = "preview", .kind = OPTION_TEXT, .offset = FIELD(preview), .argument = "FILE",
     .help = "a .png with three planes through what was found"},
    {.name = "report", .kind = OPTION_TEXT, .offset = FIELD(report), .argument = "FILE",
     .help = "a .html for people: pictures, table, warnings, what was done and how long it took"},
    {.name = "probabilities", .kind = OPTION_FLAG, .offset = FIELD(probabilities),
     .help = "write <label>_probability.nii.gz beside each mask"},
    {.name = "threshold", .kind = OPTION_REAL, .offset = FIELD(threshold), .argument = "P", .least = 0.001, .most = 0.999,
     .help = "a voxel belongs to a mask if its probability is above this (default: 0.5)"},
    {.name = "minimum-volume", .kind = OPTION_REAL, .offset = FIELD(minimum_volume_ml), .argument = "ML", .least = 0, .most = 1e9,
     .help = "remove connected parts of a mask that are smaller (millilitres; default: 0, nothing is removed)"},
    {.name = "largest-component", .kind = OPTION_FLAG, .offset = FIELD(largest_component),
     .help = "keep only the largest connected part of each mask"},
    {.name = "compat", .kind = OPTION_FLAG, .offset = FIELD(compat),
     .help = "write what the original release writes, on its processed grid, instead of masks on the scan's"},
    {.name = "dataset", .kind = OPTION_TEXT, .offset = FIELD(dataset), .argument = "NAME",
     .help = "with --compat: the folder in the output folder that the release names after the dataset"},
    {.name = "dtype", .kind = OPTION_CHOICE, .offset = FIELD(dtype), .choices = dtypes,
     .help = "what the network computes in (default: bf16, twice as fast where the processor has it)"},
    {.name = "orientation", .kind = OPTION_TEXT, .offset = FIELD(orientation), .argument = "CODE",
     .help = "how the model wants the scan turned (default: RAS; ASR for sagittal spine scans)"},
    {.name = "overlap", .kind = OPTION_REAL, .offset = FIELD(overlap), .argument = "SHARE", .least = 0, .most = 0.9,
     .help = "of neighbouring windows (default: 0.5, as the release)"},
    {.name = "skip-air", .kind = OPTION_FLAG, .offset = FIELD(skip_air),
     .help = "leave out windows of a ct that hold nothing but air: faster, results may change there"},
    {.name = "volume", .kind = OPTION_INTEGER, .offset = FIELD(volume), .argument = "N", .least = -1, .most = 1e6,
     .help = "which volume of a file with several, from 0"},
    {.name = "query-cache", .kind = OPTION_FLAG, .offset = FIELD(query_cache), .help = "do not keep encoded prompts for the next run"},
    {.name = "manifest", .kind = OPTION_TEXT, .offset = FIELD(manifest), .argument = "FILE",
     .help = "segment the scans of a .jsonl file, one a line: image, label, modality, dataset"},
    {.name = "recursive", .kind = OPTION_FLAG, .offset = FIELD(recursive), .help = "look for scans in the folders within a folder, too"},
    {.name = "overwrite", .kind = OPTION_FLAG, .offset = FIELD(overwrite),
     .help = "segment scans of a batch again that an earlier run has finished"},
    {.name = NULL},
};
#undef FIELD

static const segment_settings segment_defaults = {.overlap = 0.5, .threshold = 0.5, .volume = -1, .query_cache = true};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* scans/case7.nii.gz -> scans/case7_masks */
static void default_folder(const char *scan, text *folder)
{
    static const char *const endings[] = {".nii.gz", ".nii", ".hdr", ".img", ".img.gz"};
    size_t length = strlen(scan);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t ending = strlen(endings[i]);
        if (length > ending && strcmp(scan + length - ending, endings[i]) == 0) {
            length -= ending;
            break;
        }
    }
    text_add_bytes(folder, scan, length);
    text_add(folder, "_masks");
}

/* Without --modality the values must make it certain. */
static sat_status find_modality(verb_call *call, const volume *scan, const char **modality, modality_guess *guess, sat_error *error)
{
    const segment_settings *settings = call->settings;
    *modality = settings->modality;
    guess->reason[0] = '\0';
    if (*modality) return SAT_OK;
    modality_guess_from_values(scan, guess);
    if (!guess->is_ct)
        return sat_fail(error, SAT_BAD_ARGUMENT, "which modality is this? %s; give --modality ct, mri or pet", guess->reason);
    *modality = "ct";
    verb_say(call, 0, "taken for a ct: %s (--modality says otherwise)", guess->reason);
    return SAT_OK;
}

/* What the checks found, from the finding `first` on. Notes are for those who ask (-v); of many empty masks the first are told. */
static void say_findings(const verb_call *call, const check_list *found, size_t first)
{
    enum { EMPTY_TOLD = 5 };
    int empty = 0;
    for (size_t i = first; i < found->count; i++) {
        const check_finding *f = &found->items[i];
        if (strcmp(f->code, "found-nothing") == 0 && ++empty > EMPTY_TOLD) continue;
        verb_say(call, f->severity == CHECK_NOTE ? 1 : 0, "%s: %s", call->operands[0], f->text);
    }
    if (empty > EMPTY_TOLD)
        verb_say(call, 0, "%s: %d more found nothing; segmentation.json says the likely causes of each", call->operands[0], empty - EMPTY_TOLD);
}

/* ---------------------------------------------------------------- --dry-run */

/* What a window's arithmetic reaches of the processor's peak, and what everything around it takes, as measured (docs/benchmarks.md). */
static const double usual_share_of_peak = 0.75, usual_seconds_around = 5;

static double expected_seconds(const segmenter *s, const segment_plan *plan, int threads)
{
    return usual_seconds_around +
           (double)plan->windows * plan->operations_per_window / (usual_share_of_peak * peak_flops(segmenter_type(s), threads));
}

static sat_status print_plan(const verb_call *call, const segmenter *s, const segment_plan *plan, int prompts, sat_error *error)
{
    const common_settings *common = call->settings;
    const double seconds = expected_seconds(s, plan, common->threads);
    char words[6][MEMORY_TEXT], duration[32];
    if (common->json) {
        json_t *root = json_pack("{s:I, s:[i,i,i], s:[I,I,I], s:i, s:i, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}",
                                 "windows_at_most", (json_int_t)plan->windows, "window_voxels", plan->window[0], plan->window[1],
                                 plan->window[2], "processed_shape_at_most_xyz", (json_int_t)plan->grid.shape_xyz[0],
                                 (json_int_t)plan->grid.shape_xyz[1], (json_int_t)plan->grid.shape_xyz[2], "prompts", prompts,
                                 "passes_at_most", plan->passes_if_dense, "type", element_name(segmenter_type(s)), "threads",
                                 common->threads, "network_bytes", (json_int_t)plan->network_bytes, "scan_bytes",
                                 (json_int_t)plan->scan_bytes, "merge_bytes", (json_int_t)plan->merge_bytes, "restore_bytes",
                                 (json_int_t)plan->restore_bytes, "other_bytes", (json_int_t)plan->other_bytes, "total_bytes",
                                 (json_int_t)plan->total_bytes, "least_bytes", (json_int_t)plan->least_bytes, "limit_bytes",
                                 (json_int_t)plan->limit_bytes, "operations_per_window", plan->operations_per_window, "expected_seconds",
                                 seconds);
        char *lines = json_text(root, JSON_PRETTY, JSON_AS_INSERTED, NULL);
        if (lines) fputs(lines, stdout);
        json_decref(root);
        if (!lines) return sat_fail(error, SAT_NO_MEMORY, "no memory for the plan as JSON");
        free(lines);
        return SAT_OK;
    }
    printf("windows   at most %zu of %d x %d x %d voxels (before the crop to the body)\n", plan->windows, plan->window[0],
           plan->window[1], plan->window[2]);
    printf("prompts   %d, in one pass; in at most %d if every one is found everywhere\n", prompts, plan->passes_if_dense);
    printf("computed  in %s with %d threads, %.1f TFLOP a window\n", element_name(segmenter_type(s)), common->threads,
           plan->operations_per_window / 1e12);
    printf("time      about %s a pass\n", terminal_duration(seconds, duration));
    printf("memory    %s at most: network %s, scan %s, merging %s, the way back %s\n",
           memory_print_bytes(plan->total_bytes, words[0]), memory_print_bytes(plan->network_bytes, words[1]),
           memory_print_bytes(plan->scan_bytes, words[2]), memory_print_bytes(plan->merge_bytes, words[3]),
           memory_print_bytes(plan->restore_bytes, words[4]));
    printf("limit     %s; the least that would do is %s\n", memory_print_bytes(plan->limit_bytes, words[0]),
           memory_print_bytes(plan->least_bytes, words[1]));
    return SAT_OK;
}

/* ---------------------------------------------------------------- results */

static sat_status print_record(const segmenter *s, const volume *scan, const case_settings *settings, const case_result *result,
                               sat_error *error)
{
    json_t *root = output_make_json(s, scan, settings, result);
    char *lines = json_text(root, JSON_PRETTY, JSON_AS_INSERTED, NULL);
    json_decref(root);
    if (!lines) return sat_fail(error, SAT_NO_MEMORY, "no memory for the result as JSON");
    fputs(lines, stdout);
    free(lines);
    return SAT_OK;
}

static void print_table(const case_result *result)
{
    size_t width = strlen("label");
    for (int i = 0; i < result->label_count; i++)
        if (strlen(result->labels[i].name) > width) width = strlen(result->labels[i].name);
    if (width > 48) width = 48;
    printf("%-*s  %12s  %12s  %s\n", (int)width, "label", "volume (ml)", "voxels", "file");
    for (int i = 0; i < result->label_count; i++) {
        const case_label *l = &result->labels[i];
        printf("%-*s  %12.2f  %12lld  %s%s\n", (int)width, l->name, l->found.volume_ml, (long long)l->found.voxels, l->file,
               l->found.voxels ? "" : "  (nothing found)");
    }
}

static void print_results(const verb_call *call, const case_result *result)
{
    const segment_record *record = &result->record;
    print_table(result);
    verb_say(call, 1, "%zu windows, %d passes; preparing %.1f s, prompts %.1f s (%d encoded), network %.1f s, masks %.1f s",
             record->windows - record->windows_skipped, record->passes, record->seconds_standardise, record->seconds_text,
             record->queries_encoded, record->seconds_network, record->seconds_restore);
}

/* ---------------------------------------------------------------- the run */

typedef struct segment_work {
    volume scan;
    prompt_list prompts;
    segmenter *model;
    case_result result;
    text folder;
    check_list checked;
} segment_work;

/* What the case warns of, but for what the checks found: that is said by say_findings. */
static void say_case_warnings(const verb_call *call, const case_result *result)
{
    for (int i = 0; i < result->warning_count; i++) {
        bool said = false;
        for (size_t f = 0; f < result->checks.count; f++)
            said |= strcmp(result->checks.items[f].text, result->warnings[i]) == 0;
        if (!said) verb_say(call, 0, "%s: %s", call->operands[0], result->warnings[i]);
    }
}

/* Where the masks go, into `folder`: only what was asked for, and masks if nothing was. */
static sat_status choose_folder(const verb_call *call, text *folder, case_settings *wanted, sat_error *error)
{
    const segment_settings *settings = call->settings;
    if (settings->output) text_add(folder, settings->output);
    else default_folder(call->operands[0], folder);
    if (settings->compat) wanted->compat_folder = folder->data;
    else if (settings->output || settings->probabilities || !settings->label_map) wanted->folder = folder->data;
    return text_check(folder, error);
}

/* What holds for every scan. */
static case_settings common_wanted(const segment_settings *settings)
{
    return (case_settings){
        .request = {.overlap = settings->overlap, .skip_air = settings->skip_air, .threshold = (float)settings->threshold},
        .minimum_volume_ml = settings->minimum_volume_ml,
        .largest_component = settings->largest_component,
        .probabilities = settings->probabilities,
        .model_name = base_name(settings->model),
    };
}

static case_settings wanted_of(const verb_call *call, const prompt_list *prompts)
{
    const segment_settings *settings = call->settings;
    case_settings wanted = common_wanted(settings);
    wanted.request.prompts = prompts->items;
    wanted.request.prompt_count = prompts->count;
    wanted.request.orientation_code = settings->orientation;
    wanted.label_map = settings->label_map;
    wanted.statistics = settings->statistics;
    wanted.preview = settings->preview;
    wanted.report = settings->report;
    wanted.compat_dataset = settings->dataset;
    wanted.scan_path = call->operands[0];
    wanted.scan_name = base_name(call->operands[0]);
    return wanted;
}

static sat_status segment_scan(verb_call *call, segment_work *work, sat_error *error)
{
    const common_settings *common = call->settings;
    modality_guess guess;
    segment_plan plan;
    case_settings wanted = wanted_of(call, &work->prompts);
    sat_status status = find_modality(call, &work->scan, &wanted.request.modality, &guess, error);
    if (guess.reason[0]) wanted.modality_note = guess.reason;
    if (status == SAT_OK) status = choose_folder(call, &work->folder, &wanted, error);
    if (status == SAT_OK)
        status = check_scan(&work->scan, wanted.request.modality, model_file_description(segmenter_model(work->model)), common->threads,
                            &work->checked, error);
    if (status == SAT_OK) say_findings(call, &work->checked, 0); /* before the long wait, which they may spare */
    wanted.checked = &work->checked;
    if (status == SAT_OK && common->dry_run) {
        status = case_plan(work->model, &work->scan, &wanted, &plan, error);
        if (status == SAT_OK) status = print_plan(call, work->model, &plan, wanted.request.prompt_count, error);
        return status;
    }
    if (status == SAT_OK) status = case_run(work->model, &work->scan, &wanted, &work->result, call->progress, error);
    if (status != SAT_OK) return sat_fail_in(error, call->operands[0], status);
    say_findings(call, &work->result.checks, work->checked.count);
    say_case_warnings(call, &work->result);
    terminal_clear(call->screen);
    if (common->json) return print_record(work->model, &work->scan, &wanted, &work->result, error);
    print_results(call, &work->result);
    return SAT_OK;
}

static segmenter_options options_of(const segment_settings *settings, int prompts)
{
    return (segmenter_options){
        .type = dtype_elements[settings->dtype],
        .threads = settings->common.threads,
        .prompts = prompts,
        .max_memory_bytes = settings->common.max_memory_bytes,
        .query_cache = settings->query_cache,
    };
}

static sat_status segment_many(verb_call *call, sat_error *error)
{
    const segment_settings *settings = call->settings;
    prompt_list prompts = {0};
    case_settings base = common_wanted(settings);
    base.label_map = settings->label_map;
    base.statistics = settings->statistics;
    base.preview = settings->preview;
    base.report = settings->report;
    if (settings->compat) base.compat_folder = settings->output;
    sat_status status = batch_outputs_check(&base, error);
    if (status == SAT_OK && (!settings->manifest || settings->prompts.count || settings->prompt_file))
        status = prompts_gather(&settings->prompts, settings->prompt_file, &prompts, error);
    const segment_batch wanted = {
        .model = settings->model,
        .manifest = settings->manifest,
        .output = settings->output,
        .recursive = settings->recursive,
        .overwrite = settings->overwrite,
        .volume = settings->volume,
        .prompts = &prompts,
        .modality = settings->modality,
        .orientation = settings->orientation,
        .dataset = settings->dataset,
        .options = options_of(settings, 0),
        .base = base,
    };
    if (status == SAT_OK) status = segment_batch_run(call, &wanted, error);
    prompts_free(&prompts);
    return status;
}

static sat_status segment_one(verb_call *call, sat_error *error)
{
    const segment_settings *settings = call->settings;
    segment_work work = {.folder = text_open(8192)};
    sat_status status = prompts_gather(&settings->prompts, settings->prompt_file, &work.prompts, error);
    const segmenter_options options = options_of(settings, work.prompts.count);
    if (status == SAT_OK) status = segmenter_open(settings->model, &options, &work.model, error);
    if (status == SAT_OK && segmenter_type(work.model) != options.type)
        verb_say(call, 0, "this processor has no bfloat16 instructions: computing in float32, which takes twice as long");
    if (status == SAT_OK) status = volume_read(call->operands[0], settings->volume, &work.scan, error);
    if (settings->volume >= 0) work.scan.volumes_in_file = 1; /* it was chosen: nothing to warn of */
    if (status == SAT_OK) status = segment_scan(call, &work, error);
    case_result_free(&work.result);
    check_list_free(&work.checked);
    segmenter_close(work.model);
    prompts_free(&work.prompts);
    volume_free(&work.scan);
    text_free(&work.folder);
    return status;
}

static sat_status segment_run(verb_call *call, sat_error *error)
{
    const segment_settings *settings = call->settings;
    if (!settings->model) return sat_fail(error, SAT_BAD_ARGUMENT, "--model is missing; make one of a published checkpoint with sat3d convert");
    if (!settings->manifest && call->operand_count == 0)
        return sat_fail(error, SAT_BAD_ARGUMENT, "SCAN is missing, for example: sat3d segment scan.nii.gz --model nano.safetensors -p liver -o out/");
    return segment_batch_wanted(call, settings->manifest) ? segment_many(call, error) : segment_one(call, error);
}

const verb verb_segment = {
    .name = "segment",
    .group = "Segment",
    .summary = "segment a scan from words",
    .operands = "SCAN...",
    .examples = "sat3d segment scan.nii.gz --model nano.safetensors --modality ct -p liver -p \"left kidney\" -o out/\n"
                "sat3d segment scan.nii.gz --model nano.safetensors --prompts names.txt --max-memory 8G --dry-run\n"
                "sat3d segment scans/ --model nano.safetensors -p liver -o out/\n"
                "sat3d segment --manifest scans.jsonl --model nano.safetensors -o out/\n",
    .text = "Writes one mask for each prompt on the scan's own grid, and segmentation.json with what was done.\n"
            "Several scans, a folder or a manifest: each scan gets a folder of its own in the output folder; those that an earlier run has\n"
            "finished are left; one that fails does not stop the others. batch.json and batch.csv sum up.\n",
    .options = segment_options,
    .defaults = &segment_defaults,
    .settings_bytes = sizeof(segment_settings),
    .least_operands = 0,
    .most_operands = -1,
    .run = segment_run,
};
