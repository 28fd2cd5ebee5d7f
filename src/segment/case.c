#include "segment/case.h"

#include "segment/case_checks.h"
#include "segment/case_files.h"
#include "segment/case_sink.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- results */

void case_warn(case_result *result, const char *sentence)
{
    for (int i = 0; i < result->warning_count; i++)
        if (strcmp(result->warnings[i], sentence) == 0) return;
    const size_t count = (size_t)result->warning_count, size = strlen(sentence) + 1;
    char *copy = malloc(size), **more = copy ? realloc(result->warnings, (count + 1) * sizeof *more) : NULL;
    if (more) {
        memcpy(copy, sentence, size);
        result->warnings = more;
        result->warnings[result->warning_count++] = copy;
    } else {
        free(copy);
        result->warning_lost = true;
    }
}

void case_result_free(case_result *result)
{
    for (int i = 0; i < result->warning_count; i++)
        free(result->warnings[i]);
    free((void *)result->warnings);
    check_list_free(&result->checks);
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

static void gather_warnings(const case_sink *r)
{
    /* what check_scan says of the same, in the order of the STANDARD_WARNS_ bits */
    static const char *const said_as[] = {"no-foreground", "constant", "not-finite"};
    for (unsigned bit = 1; bit < VOLUME_WARNS_END; bit <<= 1)
        if (r->files.warnings & bit) case_warn(r->result, volume_warning_text(bit));
    const segment_record *record = &r->result->record;
    for (size_t i = 0; i < sizeof record->standard_warning_texts / sizeof *record->standard_warning_texts; i++)
        if (record->standard_warning_texts[i][0] && !check_find(&r->result->checks, said_as[i], CHECK_SCAN))
            case_warn(r->result, record->standard_warning_texts[i]);
}

/* ---------------------------------------------------------------- the plan */

static sat_status check_settings(const case_settings *c, sat_error *error)
{
    if (c->compat_folder && case_filters(c))
        return sat_fail(error, SAT_BAD_ARGUMENT, "--compat writes what the release writes, which removes nothing: leave out "
                        "--minimum-volume and --largest-component, or --compat");
    if (c->probabilities && !c->folder)
        return sat_fail(error, SAT_BAD_ARGUMENT, "--probabilities needs a folder for its files; give -o");
    if (c->compat_folder && !c->scan_name) return sat_fail(error, SAT_BAD_ARGUMENT, "--compat needs the scan's name");
    return SAT_OK;
}

/* The request with what this level holds beside the scan. `processed` as planned, an upper bound. */
static segment_request full_request(const segmenter *s, const volume *scan, const case_settings *c, const int64_t processed[3])
{
    segment_request request = c->request;
    request.probabilities = case_wants_probabilities(c);
    request.beside_bytes += case_sink_bytes(c, scan, processed, segmenter_threads(s));
    return request;
}

sat_status case_plan(segmenter *s, const volume *scan, const case_settings *settings, segment_plan *plan, sat_error *error)
{
    sat_status status = check_settings(settings, error);
    if (status != SAT_OK) return status;
    if (segmenter_plan(s, scan, &settings->request, plan, NULL) == SAT_BAD_INPUT) /* for the grid */
        return segmenter_plan(s, scan, &settings->request, plan, error);
    const segment_request request = full_request(s, scan, settings, plan->grid.shape_xyz);
    return segmenter_plan(s, scan, &request, plan, error);
}

/* ---------------------------------------------------------------- the run */

sat_status case_run(segmenter *s, const volume *scan, const case_settings *settings, case_result *result, progress *watch,
                    sat_error *error)
{
    case_sink sink = {0};
    segment_plan plan;
    sat_status status = result_open(&settings->request, result, error);
    if (status == SAT_OK) status = case_plan(s, scan, settings, &plan, error);
    if (status == SAT_OK) status = case_check_scan(s, scan, settings, result, error);
    if (status == SAT_OK) status = case_sink_open(settings, scan, segmenter_threads(s), result, &sink, error);
    if (status == SAT_OK) {
        const segment_request request = full_request(s, scan, settings, plan.grid.shape_xyz);
        const segment_sink slices = case_sink_slices(&sink);
        status = segmenter_run(s, scan, &request, &slices, &result->record, watch, error);
    }
    if (status == SAT_OK && settings->compat_folder) status = compat_end(&sink.release, error);
    if (status == SAT_OK) status = case_check_masks(s, scan, settings, result, error);
    if (status == SAT_OK) gather_warnings(&sink);
    if (status == SAT_OK) status = case_files_write(s, scan, settings, &sink.map, result, error);
    case_sink_close(&sink);
    return status;
}
