#include "interface/handles.h"
#include "interface/sized.h"
#include "interface/turn.h"
#include "segment/modality.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_REQUEST = 144, LEAST_PLAN = 128, MOST_PROMPTS = 1 << 20 };

static const sat_request usual = {.size = sizeof usual, .overlap = 0.5, .threshold = 0.5, .keep_masks = 1};

void sat_request_default(sat_request *request, size_t size) { sized_default(request, size, &usual, sizeof usual); }

/* ---------------------------------------------------------------- requests */

static sat_status check_request(const sat_request *r, sat_error *error)
{
    if (!r->prompts || r->prompt_count < 1 || r->prompt_count > MOST_PROMPTS)
        return sat_fail(error, SAT_BAD_ARGUMENT, "nothing to segment: give one prompt or more");
    for (int i = 0; i < r->prompt_count; i++)
        if (!r->prompts[i] || !r->prompts[i][strspn(r->prompts[i], " \t\r\n")])
            return sat_fail(error, SAT_BAD_ARGUMENT, "prompt %d of %d is empty", i + 1, r->prompt_count);
    if (!(r->overlap >= 0 && r->overlap <= 0.9))
        return sat_fail(error, SAT_BAD_ARGUMENT, "an overlap of %g can't be; use 0 to 0.9 (0.5 is the default)", r->overlap);
    if (!(r->threshold >= 0.001 && r->threshold <= 0.999))
        return sat_fail(error, SAT_BAD_ARGUMENT, "a threshold of %g makes no masks; give one from 0.001 to 0.999", r->threshold);
    if (!(r->minimum_volume_ml >= 0))
        return sat_fail(error, SAT_BAD_ARGUMENT, "a minimum volume of %g ml can't be", r->minimum_volume_ml);
    return SAT_OK;
}

static sat_status read_request(const sat_request *from, sat_request *request, sat_error *error)
{
    *request = usual;
    const sat_status status = sized_read(request, sizeof *request, LEAST_REQUEST, from, "sat_request", error);
    return status == SAT_OK ? check_request(request, error) : status;
}

/* What a result holds at most. */
static uint64_t result_bytes(const sat_request *request, const volume *scan)
{
    uint64_t bytes = 0;
    if (request->keep_masks) bytes = kept_bytes(KEPT_MASKS, scan->grid.shape_ijk, request->prompt_count);
    if (request->keep_probabilities &&
        __builtin_add_overflow(bytes, kept_bytes(KEPT_PROBABILITIES, scan->grid.shape_ijk, request->prompt_count), &bytes))
        bytes = UINT64_MAX;
    return bytes < UINT64_MAX / 4 ? bytes : UINT64_MAX / 4;
}

/* As case_run takes it. */
static sat_status make_settings(const sat_model *model, const sat_volume *v, const sat_request *request, modality_guess *guess,
                                case_settings *settings, sat_error *error)
{
    *settings = (case_settings){
        .request = {.prompts = request->prompts,
                    .prompt_count = request->prompt_count,
                    .modality = request->modality,
                    .orientation_code = request->orientation,
                    .overlap = request->overlap,
                    .skip_air = request->skip_air != 0,
                    .threshold = (float)request->threshold,
                    .beside_bytes = result_bytes(request, &v->scan)},
        .minimum_volume_ml = request->minimum_volume_ml,
        .largest_component = request->largest_component != 0,
        .folder = request->output_folder,
        .label_map = request->label_map_path,
        .statistics = request->statistics_path,
        .preview = request->preview_path,
        .scan_name = request->scan_name ? request->scan_name : v->name,
        .model_name = model->name,
    };
    if (request->modality) return SAT_OK;
    modality_guess_from_values(&v->scan, guess);
    if (!guess->is_ct)
        return sat_fail(error, SAT_BAD_ARGUMENT, "which modality is this? %s; set modality to \"ct\", \"mri\" or \"pet\"", guess->reason);
    settings->request.modality = "ct";
    settings->modality_note = guess->reason;
    return SAT_OK;
}

/* ---------------------------------------------------------------- masks as they come */

static sat_status take_begin(void *context, int label, sat_error *error)
{
    sat_result *r = context;
    (void)error;
    if (r->masks) kept_begin(r->masks, label);
    if (r->probabilities) kept_begin(r->probabilities, label);
    return SAT_OK;
}

static sat_status take_mask(void *context, const uint8_t *mask, size_t voxels, sat_error *error)
{
    sat_result *r = context;
    return r->masks ? kept_add(r->masks, mask, voxels, error) : SAT_OK;
}

static sat_status take_probability(void *context, const float *probability, size_t voxels, sat_error *error)
{
    sat_result *r = context;
    return kept_add(r->probabilities, probability, voxels, error);
}

static sat_status take_nothing(void *context, size_t voxels, sat_error *error)
{
    sat_result *r = context;
    const sat_status status = take_mask(context, NULL, voxels, error);
    return status == SAT_OK && r->probabilities ? kept_add(r->probabilities, NULL, voxels, error) : status;
}

/* ---------------------------------------------------------------- results */

static sat_status result_open(const sat_request *request, const sat_volume *v, sat_result **made, sat_error *error)
{
    sat_result *r = calloc(1, sizeof *r);
    if (!r) return sat_fail(error, SAT_NO_MEMORY, "no memory for a result");
    *made = r;
    r->grid = v->scan;
    r->grid.stored = r->grid.memory = NULL;
    const int64_t *n = v->scan.grid.shape_ijk;
    sat_status status = SAT_OK;
    if (request->keep_masks) status = kept_open(KEPT_MASKS, n, request->prompt_count, &r->masks, error);
    if (status == SAT_OK && request->keep_probabilities)
        status = kept_open(KEPT_PROBABILITIES, n, request->prompt_count, &r->probabilities, error);
    return status;
}

/* The labels' names are the request's; the result outlives it. */
static sat_status own_names(sat_result *r, sat_error *error)
{
    r->names = calloc((size_t)r->found.label_count, sizeof *r->names);
    bool whole = r->names;
    for (int i = 0; whole && i < r->found.label_count; i++) {
        r->found.labels[i].name = r->names[i] = text_copy(r->found.labels[i].name);
        whole = r->names[i];
    }
    return whole ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for a result");
}

void sat_result_free(sat_result *r)
{
    if (!r) return;
    for (int i = 0; r->names && i < r->found.label_count; i++)
        free(r->names[i]);
    free(r->names);
    case_result_free(&r->found);
    kept_close(r->masks);
    kept_close(r->probabilities);
    free(r);
}

/* ---------------------------------------------------------------- the run */

static sat_status check_handles(const sat_model *model, const sat_volume *v, sat_error *error)
{
    return model && v ? SAT_OK : sat_fail(error, SAT_BAD_ARGUMENT, "the %s is NULL", model ? "volume" : "model");
}

static sat_status run(sat_model *model, const sat_volume *v, const sat_request *request, case_settings *settings, sat_result *r,
                      sat_error *error)
{
    segment_sink sink = {.context = r, .begin = take_begin, .slices = {.context = r, .mask = take_mask, .nothing = take_nothing}};
    if (request->keep_probabilities) sink.slices.probability = take_probability;
    settings->also = &sink;
    listening l;
    listening_open(&l, request->progress, request->progress_context);
    sat_status status = turn_begin(model, &l, error);
    if (status == SAT_OK) {
        status = case_run(model->segmenter, &v->scan, settings, &r->found, &l.watch, error);
        turn_end(model);
    }
    progress_end(&l.watch);
    listening_close(&l);
    settings->also = NULL;
    return status == SAT_OK ? own_names(r, error) : status;
}

sat_status sat_segment(sat_model *model, const sat_volume *v, const sat_request *from, sat_result **made, sat_error *error)
{
    if (!made) return sat_fail(error, SAT_BAD_ARGUMENT, "there is no place for the result (NULL)");
    *made = NULL;
    sat_request request;
    case_settings settings;
    modality_guess guess;
    sat_result *r = NULL;
    sat_status status = check_handles(model, v, error);
    if (status == SAT_OK) status = read_request(from, &request, error);
    if (status == SAT_OK) status = make_settings(model, v, &request, &guess, &settings, error);
    if (status == SAT_OK) status = result_open(&request, v, &r, error);
    if (status == SAT_OK) status = run(model, v, &request, &settings, r, error);
    if (status == SAT_OK) *made = r;
    else sat_result_free(r);
    if (status != SAT_OK && v && v->name) sat_fail_in(error, v->name, status);
    return status;
}

/* ---------------------------------------------------------------- plans */

sat_status sat_segment_plan(sat_model *model, const sat_volume *v, const sat_request *from, sat_plan *plan, sat_error *error)
{
    sat_request request;
    case_settings settings;
    modality_guess guess;
    segment_plan found = {0};
    sat_status status = check_handles(model, v, error);
    if (status == SAT_OK) status = read_request(from, &request, error);
    if (status == SAT_OK) status = make_settings(model, v, &request, &guess, &settings, error);
    if (status != SAT_OK) return status;
    listening l;
    listening_open(&l, request.progress, request.progress_context);
    status = turn_begin(model, &l, error);
    if (status == SAT_OK) {
        status = case_plan(model->segmenter, &v->scan, &settings, &found, error);
        turn_end(model);
    }
    progress_end(&l.watch);
    listening_close(&l);
    const uint64_t kept_at_most = settings.request.beside_bytes;
    sat_plan mine = {.windows = found.windows,
                     .passes_if_dense = found.passes_if_dense,
                     .operations_per_window = found.operations_per_window,
                     .network_bytes = found.network_bytes,
                     .scan_bytes = found.scan_bytes,
                     .merge_bytes = found.merge_bytes,
                     .restore_bytes = found.restore_bytes,
                     .result_bytes = kept_at_most,
                     .other_bytes = found.other_bytes > kept_at_most ? found.other_bytes - kept_at_most : 0,
                     .total_bytes = found.total_bytes,
                     .limit_bytes = found.limit_bytes,
                     .least_bytes = found.least_bytes};
    memcpy(mine.processed_shape_xyz, found.grid.shape_xyz, sizeof mine.processed_shape_xyz);
    const sat_status written = sized_write(plan, &mine, sizeof mine, LEAST_PLAN, "sat_plan", status == SAT_OK ? error : NULL);
    return status == SAT_OK ? written : status;
}
