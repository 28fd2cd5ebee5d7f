#define _POSIX_C_SOURCE 200809L /* strndup */
#include "segment/case_sink.h"

#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- what follows from the settings */

bool case_filters(const case_settings *c) { return c->minimum_volume_ml > 0 || c->largest_component; }
bool case_wants_map(const case_settings *c) { return c->label_map || c->preview || c->report; }

segment_probabilities case_wants_probabilities(const case_settings *c)
{
    if ((c->folder && c->probabilities) || (c->also && c->also->slices.probability)) return SEGMENT_EVERYWHERE;
    return case_wants_map(c) ? SEGMENT_WITHIN_MASKS : SEGMENT_NO_PROBABILITIES;
}

uint64_t case_sink_bytes(const case_settings *c, const volume *scan, const int64_t processed[3], int threads)
{
    uint64_t bytes = statistics_bytes() + (c->folder ? output_bytes(c->probabilities, threads) : 0);
    if (case_wants_map(c)) bytes += label_map_bytes(&scan->grid, c->request.prompt_count);
    if (case_filters(c)) bytes += volume_voxels(scan) + components_bytes(scan->grid.shape_ijk);
    if (c->compat_folder) bytes += compat_bytes(processed);
    return bytes;
}

/* ---------------------------------------------------------------- a label's final mask, slices at a time */

static sat_status deliver(case_sink *r, const uint8_t *mask, const float *probability, size_t voxels, sat_error *error)
{
    const int64_t slice = r->scan->grid.shape_ijk[0] * r->scan->grid.shape_ijk[1];
    statistics_add(r->measure, mask, (int64_t)voxels / slice);
    mask_watch_add(&r->watch, mask, voxels);
    if (r->map.ids && mask && probability) label_map_add(&r->map, r->label, r->position, voxels, mask, probability);
    sat_status status = output_add(&r->files, mask, probability, voxels, error);
    const restore_sink *also = r->settings->also ? &r->settings->also->slices : NULL;
    if (also && !mask && also->nothing) {
        if (status == SAT_OK) status = also->nothing(also->context, voxels, error);
    } else if (also && mask) {
        if (status == SAT_OK && also->mask) status = also->mask(also->context, mask, voxels, error);
        if (status == SAT_OK && also->probability) status = also->probability(also->context, probability, voxels, error);
    }
    r->position += voxels;
    return status;
}

static sat_status begin_label(case_sink *r, sat_error *error)
{
    const segment_sink *also = r->settings->also;
    r->position = 0;
    statistics_begin(r->measure);
    mask_watch_begin(&r->watch, &r->scan->grid);
    sat_status status = output_begin(&r->files, r->label, error);
    if (status == SAT_OK && also && also->begin) status = also->begin(also->context, r->label, error);
    return status;
}

static sat_status end_label(case_sink *r, sat_error *error)
{
    const segment_sink *also = r->settings->also;
    label_statistics *found = &r->result->labels[r->label].found;
    statistics_end(r->measure, found);
    r->result->labels[r->label].seen = mask_watch_end(&r->watch);
    sat_status status = output_end(&r->files, error);
    if (status != SAT_OK || !also || !also->end) return status;
    restore_found told = {.voxels = found->voxels};
    memcpy(told.box_ijk, found->box_ijk, sizeof told.box_ijk);
    return also->end(also->context, r->label, &told, error);
}

/* From `whole`, within the slices that hold something. */
static sat_status deliver_whole(case_sink *r, const restore_found *found, sat_error *error)
{
    const int64_t *n = r->scan->grid.shape_ijk;
    const size_t slice = (size_t)n[0] * (size_t)n[1];
    const size_t from = (size_t)found->box_ijk[2][0] * slice, to = (size_t)found->box_ijk[2][1] * slice, all = slice * (size_t)n[2];
    sat_status status = begin_label(r, error);
    if (status == SAT_OK && from > 0) status = deliver(r, NULL, NULL, from, error);
    if (status == SAT_OK && to > from) status = deliver(r, r->whole + from, NULL, to - from, error);
    if (status == SAT_OK && all > to) status = deliver(r, NULL, NULL, all - to, error);
    return status == SAT_OK ? end_label(r, error) : status;
}

/* ---------------------------------------------------------------- filters */

static void warn_if_all_went(const case_sink *r, const case_label *l)
{
    if (!l->parts.voxels || l->parts.voxels != l->parts.voxels_removed) return;
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%.200s: all that was found, %lld voxels in %lld parts, was smaller than --minimum-volume %g and "
             "was removed", l->name, (long long)l->parts.voxels, (long long)l->parts.parts, r->settings->minimum_volume_ml);
    case_warn(r->result, sentence);
}

static sat_status filter(case_sink *r, const restore_found *found, sat_error *error)
{
    case_label *l = &r->result->labels[r->label];
    const double voxel_ml = volume_voxel_ml(r->scan), least = r->settings->minimum_volume_ml / voxel_ml;
    const components_rule rule = {.least_voxels = least < 1e18 ? (int64_t)ceil(least * (1 - 1e-12)) : INT64_MAX,
                                  .largest = r->settings->largest_component};
    const sat_status status = components_filter(r->whole, r->scan->grid.shape_ijk, found->box_ijk, &rule, r->threads, &l->parts, error);
    if (status == SAT_OK) warn_if_all_went(r, l);
    return status;
}

/* ---------------------------------------------------------------- slices as they come */

static sat_status take_begin(void *context, int prompt, sat_error *error)
{
    case_sink *r = context;
    r->label = prompt;
    r->gathering = r->whole && !r->look_again;
    r->look_again = false;
    r->position = 0;
    return r->gathering ? SAT_OK : begin_label(r, error);
}

static sat_status take_mask(void *context, const uint8_t *mask, size_t voxels, sat_error *error)
{
    case_sink *r = context;
    if (r->gathering) {
        memcpy(r->whole + r->position, mask, voxels);
        r->position += voxels;
        return SAT_OK;
    }
    const uint8_t *final = r->whole ? r->whole + r->position : mask;
    r->pending = final;
    return case_wants_probabilities(r->settings) == SEGMENT_NO_PROBABILITIES ? deliver(r, final, NULL, voxels, error) : SAT_OK;
}

/* Follows take_mask of the same slices. */
static sat_status take_probability(void *context, const float *probability, size_t voxels, sat_error *error)
{
    case_sink *r = context;
    return r->gathering ? SAT_OK : deliver(r, r->pending, probability, voxels, error);
}

static sat_status take_nothing(void *context, size_t voxels, sat_error *error)
{
    case_sink *r = context;
    if (!r->gathering) return deliver(r, NULL, NULL, voxels, error);
    memset(r->whole + r->position, 0, voxels);
    r->position += voxels;
    return SAT_OK;
}

static sat_status take_end(void *context, int prompt, const restore_found *found, sat_error *error)
{
    (void)prompt;
    case_sink *r = context;
    if (!r->gathering) return end_label(r, error);
    const sat_status status = filter(r, found, error);
    r->look_again = case_wants_probabilities(r->settings) != SEGMENT_NO_PROBABILITIES;
    return status == SAT_OK && !r->look_again ? deliver_whole(r, found, error) : status;
}

static bool take_again(void *context, int prompt)
{
    (void)prompt;
    return ((const case_sink *)context)->look_again;
}

static sat_status take_processed(void *context, const standard_scan *scan, sat_error *error)
{
    case_sink *r = context;
    return compat_processed(&r->release, scan, error);
}

static sat_status take_merged(void *context, int prompt, const merge *merged, sat_error *error)
{
    case_sink *r = context;
    int64_t voxels;
    return compat_label(&r->release, prompt, merged, &voxels, error);
}

segment_sink case_sink_slices(case_sink *r)
{
    segment_sink sink = {.context = r,
                         .begin = take_begin,
                         .slices = {.context = r, .mask = take_mask, .nothing = take_nothing},
                         .end = take_end,
                         .again = take_again};
    if (case_wants_probabilities(r->settings) != SEGMENT_NO_PROBABILITIES) sink.slices.probability = take_probability;
    if (r->settings->compat_folder) {
        sink.processed = take_processed;
        sink.merged = take_merged;
    }
    return sink;
}

/* ---------------------------------------------------------------- opening */

/* An output that would take the scan's place, or another output's, is refused. */
static sat_status check_path(const case_settings *c, const char *path, sat_error *error)
{
    if (!path || !c->scan_path || !file_same(path, c->scan_path)) return SAT_OK;
    return sat_fail(error, SAT_BAD_ARGUMENT, "%s is the scan itself; choose another name or folder for what is to be written", path);
}

/* That a file can be written is known before an hour of computing, not after it: its folder is made, a file is begun and let go. */
static sat_status try_path(const char *path, sat_error *error)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    char *folder = slash && slash > path ? strndup(path, (size_t)(slash - path)) : NULL;
    sat_status status = SAT_OK;
    if (slash && slash > path) status = folder ? folder_make(folder, error) : sat_fail(error, SAT_NO_MEMORY, "no memory for a folder's name");
    free(folder);
    if (!path || status != SAT_OK) return status;
    file_writer w = {.descriptor = -1};
    status = file_create(path, &w, error);
    file_abandon(&w);
    return status;
}

static bool ends_in(const char *words, const char *ending)
{
    const size_t length = strlen(words), tail = strlen(ending);
    return length >= tail && strcmp(words + length - tail, ending) == 0;
}

static sat_status check_paths(const case_sink *r, sat_error *error)
{
    const case_settings *c = r->settings;
    const char *const singles[] = {c->label_map, c->statistics, c->preview, c->report};
    sat_status status = SAT_OK;
    for (size_t i = 0; i < sizeof singles / sizeof *singles && status == SAT_OK; i++)
        status = check_path(c, singles[i], error);
    if (status == SAT_OK && c->label_map && !ends_in(c->label_map, ".nii") && !ends_in(c->label_map, ".nii.gz"))
        status = sat_fail(error, SAT_BAD_ARGUMENT, "the label map %s is NIfTI: give it a name that ends in .nii.gz or .nii", c->label_map);
    for (int i = 0; i < r->result->label_count && status == SAT_OK && c->folder; i++) {
        char *path = output_path_in(c->folder, r->result->labels[i].file);
        if (!path) return sat_fail(error, SAT_NO_MEMORY, "no memory for a file's name");
        status = check_path(c, path, error);
        if (status == SAT_OK && c->label_map && (strcmp(path, c->label_map) == 0 || file_same(path, c->label_map)))
            status = sat_fail(error, SAT_BAD_ARGUMENT, "%s would be a label's mask and the label map; rename the label map", path);
        free(path);
    }
    for (size_t i = 0; i < sizeof singles / sizeof *singles && status == SAT_OK; i++)
        status = try_path(singles[i], error);
    return status;
}

static sat_status open_parts(case_sink *r, sat_error *error)
{
    const case_settings *c = r->settings;
    const segment_request *request = &c->request;
    sat_status status = SAT_OK;
    if (c->compat_folder) {
        const compat_names names = {c->compat_folder, c->compat_dataset, c->scan_name, request->prompts, request->prompt_count};
        status = compat_open(&names, r->threads, &r->release, error);
    }
    if (status == SAT_OK)
        status = output_open(c->folder, c->probabilities, request->prompts, request->prompt_count, r->scan, r->threads, c->behind, &r->files, error);
    for (int i = 0; i < r->result->label_count && status == SAT_OK; i++)
        output_names(&r->files, i, r->result->labels[i].file, r->result->labels[i].probability_file);
    if (status == SAT_OK) status = check_paths(r, error);
    if (status == SAT_OK) status = statistics_open(r->scan, r->threads, &r->measure, error);
    if (status == SAT_OK && case_wants_map(c)) status = label_map_open(&r->scan->grid, request->prompt_count, r->threads, &r->map, error);
    if (status == SAT_OK && case_filters(c)) {
        r->whole = malloc(volume_voxels(r->scan));
        if (!r->whole) status = sat_fail(error, SAT_NO_MEMORY, "no memory for a whole mask");
    }
    return status;
}

sat_status case_sink_open(const case_settings *settings, const volume *scan, int threads, case_result *result, case_sink *sink,
                          sat_error *error)
{
    *sink = (case_sink){.settings = settings, .scan = scan, .threads = threads, .result = result};
    const sat_status status = open_parts(sink, error);
    if (status != SAT_OK) case_sink_close(sink);
    return status;
}

void case_sink_close(case_sink *r)
{
    output_close(&r->files);
    label_map_close(&r->map);
    statistics_close(r->measure);
    compat_close(&r->release);
    free(r->whole);
    *r = (case_sink){0};
}
