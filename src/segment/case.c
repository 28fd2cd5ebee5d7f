#include "segment/case.h"

#include "image/geometry.h"
#include "segment/output.h"
#include "segment/output_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one run owns. */
typedef struct running {
    const case_settings *settings;
    const volume *scan;
    case_result *result;
    output files;
} running;

/* ---------------------------------------------------------------- results */

void case_warn(case_result *result, const char *sentence)
{
    for (int i = 0; i < result->warning_count; i++)
        if (strcmp(result->warnings[i], sentence) == 0) return;
    const size_t size = strlen(sentence) + 1;
    char *copy = result->warning_count < CASE_WARNINGS ? malloc(size) : NULL;
    if (!copy) return;
    memcpy(copy, sentence, size);
    result->warnings[result->warning_count++] = copy;
}

void case_result_free(case_result *result)
{
    for (int i = 0; i < result->warning_count; i++)
        free(result->warnings[i]);
    free(result->labels);
    free(result->record_path);
    *result = (case_result){0};
}

static sat_status result_open(const segment_request *request, case_result *result, sat_error *error)
{
    *result = (case_result){.label_count = request->prompt_count};
    result->labels = calloc((size_t)request->prompt_count, sizeof *result->labels);
    if (!result->labels) return sat_fail(error, SAT_NO_MEMORY, "no memory for the results of %d prompts", request->prompt_count);
    for (int i = 0; i < result->label_count; i++)
        result->labels[i].name = request->prompts[i];
    return SAT_OK;
}

static void gather_warnings(const running *r)
{
    const unsigned bits = r->scan->warnings | r->files.warnings;
    for (unsigned bit = 1; bit < VOLUME_WARNS_END; bit <<= 1)
        if (bits & bit) case_warn(r->result, volume_warning_text(bit));
    const segment_record *record = &r->result->record;
    for (size_t i = 0; i < sizeof record->standard_warning_texts / sizeof *record->standard_warning_texts; i++)
        if (record->standard_warning_texts[i][0]) case_warn(r->result, record->standard_warning_texts[i]);
}

/* ---------------------------------------------------------------- masks as they come */

static sat_status take_begin(void *context, int prompt, sat_error *error)
{
    running *r = context;
    return output_begin(&r->files, prompt, error);
}

static sat_status take_mask(void *context, const uint8_t *mask, size_t voxels, sat_error *error)
{
    running *r = context;
    return output_mask(&r->files, mask, voxels, error);
}

static sat_status take_nothing(void *context, size_t voxels, sat_error *error)
{
    running *r = context;
    return output_mask(&r->files, NULL, voxels, error);
}

static sat_status take_end(void *context, int prompt, const restore_found *found, sat_error *error)
{
    running *r = context;
    case_label *label = &r->result->labels[prompt];
    label->found = *found;
    label->volume_ml = (double)found->voxels * fabs(affine_determinant(r->scan->grid.voxel_to_world)) / 1000.0;
    return output_end(&r->files, error);
}

/* ---------------------------------------------------------------- the run */

sat_status case_plan(segmenter *s, const volume *scan, const case_settings *settings, segment_plan *plan, sat_error *error)
{
    return segmenter_plan(s, scan, &settings->request, plan, error);
}

static sat_status open_files(segmenter *s, running *r, sat_error *error)
{
    const segment_request *request = &r->settings->request;
    const sat_status status = output_open(r->settings->folder, request->prompts, request->prompt_count, r->scan,
                                          segmenter_threads(s), r->settings->behind, &r->files, error);
    for (int i = 0; i < r->result->label_count && status == SAT_OK && r->settings->folder; i++)
        snprintf(r->result->labels[i].file, sizeof r->result->labels[i].file, "%s", r->files.names[i]);
    return status;
}

/* After all masks: what sums them up, the side-car last. */
static sat_status write_summaries(segmenter *s, running *r, sat_error *error)
{
    if (!r->settings->folder) return SAT_OK;
    r->result->record_path = output_path_in(r->settings->folder, "segmentation.json");
    if (!r->result->record_path) return sat_fail(error, SAT_NO_MEMORY, "no memory for a file's name");
    return output_write_json(r->result->record_path, s, r->scan, r->settings, r->result, error);
}

sat_status case_run(segmenter *s, const volume *scan, const case_settings *settings, case_result *result, progress *watch,
                    sat_error *error)
{
    running r = {.settings = settings, .scan = scan, .result = result};
    sat_status status = result_open(&settings->request, result, error);
    if (status == SAT_OK) status = open_files(s, &r, error);
    const segment_sink sink = {
        .context = &r, .begin = take_begin, .slices = {.context = &r, .mask = take_mask, .nothing = take_nothing}, .end = take_end};
    if (status == SAT_OK) status = segmenter_run(s, scan, &settings->request, &sink, &result->record, watch, error);
    if (status == SAT_OK) {
        gather_warnings(&r);
        status = write_summaries(s, &r, error);
    }
    output_close(&r.files);
    return status;
}
