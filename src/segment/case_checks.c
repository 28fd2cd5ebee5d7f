#include "segment/case_checks.h"

#include "segment/check_body.h"
#include "segment/check_scan.h"
#include "text/wordpiece.h"

#include <stdlib.h>

sat_status case_check_scan(const segmenter *s, const volume *scan, const case_settings *settings, case_result *result,
                           sat_error *error)
{
    const check_list *known = settings->checked;
    if (!known)
        return check_scan(scan, settings->request.modality, model_file_description(segmenter_model(s)), segmenter_threads(s),
                          &result->checks, error);
    for (size_t i = 0; i < known->count; i++) {
        const check_finding *f = &known->items[i];
        check_add(&result->checks, f->code, f->severity, f->prompt, "%s", f->text);
    }
    return check_list_status(&result->checks, error);
}

/* The model's tokenizer, where a name is in question: only empty masks ask for it. */
static sat_status open_words(const segmenter *s, const case_result *result, tokenizer **words, sat_error *error)
{
    size_t bytes = 0;
    const char *vocabulary = model_file_vocabulary(segmenter_model(s), &bytes);
    *words = NULL;
    for (int i = 0; i < result->label_count; i++)
        if (!result->labels[i].seen.voxels && vocabulary)
            return tokenizer_open(model_file_description(segmenter_model(s))->text.kind, vocabulary, bytes, words, error);
    return SAT_OK;
}

/* Of a prompt's findings the side-car tells with the prompt; among the case's warnings stands what must not be missed. */
static void warn_of_findings(case_result *result)
{
    for (size_t i = 0; i < result->checks.count; i++) {
        const check_finding *f = &result->checks.items[i];
        if (f->severity == CHECK_SERIOUS || (f->severity == CHECK_WARNING && f->prompt == CHECK_SCAN)) case_warn(result, f->text);
    }
}

sat_status case_check_masks(const segmenter *s, const volume *scan, const case_settings *settings, case_result *result,
                            sat_error *error)
{
    check_body body;
    tokenizer *words = NULL;
    check_list found = {0};
    mask_seen *seen = calloc((size_t)result->label_count, sizeof *seen);
    sat_status status = seen ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for the checks of %d masks", result->label_count);
    if (status == SAT_OK) status = open_words(s, result, &words, error);
    if (status == SAT_OK) status = check_body_find(scan, settings->request.modality, &body, error);
    if (status == SAT_OK) {
        for (int i = 0; i < result->label_count; i++)
            seen[i] = result->labels[i].seen;
        const check_masks_request request = {.scan = scan,
                                             .prompts = settings->request.prompts,
                                             .seen = seen,
                                             .prompt_count = result->label_count,
                                             .body = &body,
                                             .before = &result->checks,
                                             .words = words};
        status = check_masks(&request, &found, error);
    }
    for (size_t i = 0; i < found.count; i++)
        check_add(&result->checks, found.items[i].code, found.items[i].severity, found.items[i].prompt, "%s", found.items[i].text);
    if (status == SAT_OK) status = check_list_status(&result->checks, error);
    if (status == SAT_OK) warn_of_findings(result);
    check_list_free(&found);
    tokenizer_close(words);
    free(seen);
    return status;
}
