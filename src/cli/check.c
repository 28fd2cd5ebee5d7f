/* sat3d check: is a scan what it is said to be? The checks that segment makes before it begins, alone. */
#include "base/json.h"
#include "cli/verbs.h"
#include "image/volume_file.h"
#include "model/model_file.h"
#include "segment/check_scan.h"
#include "segment/modality.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct check_settings {
    common_settings common;
    const char *modality, *model;
    int volume;
} check_settings;

static const check_settings check_defaults = {.volume = -1};

/* clang-format off */
#define FIELD(f) offsetof(check_settings, f)
static const option check_options[] = {
    {.name = "modality", .kind = OPTION_TEXT, .offset = FIELD(modality), .argument = "WORD",
     .help = "ct, mri, pet, us, or such as 'MRI T1' (default: ct where the values are certainly Hounsfield units)"},
    {.name = "model", .kind = OPTION_TEXT, .offset = FIELD(model), .argument = "FILE",
     .help = "compare with this model's spacing and intensity bounds, too"},
    {.name = "volume", .kind = OPTION_INTEGER, .offset = FIELD(volume), .argument = "N", .least = -1, .most = 1e6,
     .help = "which volume of a file with several, from 0 (default: the first)"},
    {.name = NULL},
};
#undef FIELD
/* clang-format on */

static void print_findings(const char *path, const check_list *found)
{
    for (size_t i = 0; i < found->count; i++)
        printf("%s: %s: %s [%s]\n", path, check_severity_name(found->items[i].severity), found->items[i].text, found->items[i].code);
    if (!found->count) printf("%s: nothing to complain about\n", path);
}

/* One scan is shown as a readable object, several as JSON Lines. */
static sat_status print_json(const verb_call *call, const char *path, const char *modality, const check_list *found, sat_error *error)
{
    json_t *root = json_pack("{s:i, s:s, s:s?, s:s, s:o}", "schema", 1, "file", path, "modality", modality, "notice",
                             "For research use. Not a medical device.", "findings", check_list_json(found, CHECK_SCAN));
    char *lines = json_text(root, call->operand_count > 1 ? JSON_ONE_LINE : JSON_PRETTY, JSON_AS_INSERTED, NULL);
    if (lines) fputs(lines, stdout);
    if (lines && call->operand_count > 1) fputc('\n', stdout);
    json_decref(root);
    if (!lines) return sat_fail(error, SAT_NO_MEMORY, "no memory for the findings as JSON");
    free(lines);
    return SAT_OK;
}

static sat_status check_file(const verb_call *call, const char *path, const model_description *model, sat_error *error)
{
    const check_settings *settings = call->settings;
    volume scan;
    check_list found = {0};
    modality_guess guess;
    const char *modality = settings->modality;
    sat_status status = volume_read(path, settings->volume < 0 ? 0 : settings->volume, &scan, error);
    if (status != SAT_OK) return status;
    if (settings->volume >= 0) scan.volumes_in_file = 1; /* it was chosen */
    if (!modality) {
        modality_guess_from_values(&scan, &guess);
        if (guess.is_ct) modality = "ct";
        verb_say(call, 0, "%s: %s%s", path, guess.reason, modality ? "" : "; say --modality to have the values judged");
    }
    status = check_scan(&scan, modality, model, settings->common.threads, &found, error);
    if (status == SAT_OK && settings->common.json) status = print_json(call, path, modality, &found, error);
    else if (status == SAT_OK) print_findings(path, &found);
    check_list_free(&found);
    volume_free(&scan);
    return status == SAT_OK ? SAT_OK : sat_fail_in(error, path, status);
}

/* A scan that can't be read does not keep the others from being looked at. */
static sat_status check_files(verb_call *call, const model_description *model, sat_error *error)
{
    if (call->operand_count == 1) return check_file(call, call->operands[0], model, error);
    for (int i = 0; i < call->operand_count; i++) {
        sat_error mine = {0};
        if (check_file(call, call->operands[i], model, &mine) != SAT_OK) {
            terminal_clear(call->screen);
            fprintf(stderr, "sat3d %s: %s: %s\n", call->name, mine.file, mine.message);
            call->failed_cases++;
        }
    }
    return SAT_OK;
}

static sat_status check_run(verb_call *call, sat_error *error)
{
    const check_settings *settings = call->settings;
    model_file *file = NULL;
    sat_status status = settings->model ? model_file_open(settings->model, &file, error) : SAT_OK;
    if (status == SAT_OK) status = check_files(call, file ? model_file_description(file) : NULL, error);
    model_file_close(file);
    return status;
}

const verb verb_check = {
    .name = "check",
    .group = "Segment",
    .summary = "look for what spoils a segmentation before it is made",
    .operands = "SCAN...",
    .examples = "sat3d check scan.nii.gz --modality ct\n"
                "sat3d check scans/*.nii.gz --modality mri --json\n",
    .text = "Says what of a scan's header and values does not fit: values that are no Hounsfield units, contradicting\n"
            "positions, lost spacing, several volumes, a mask given for a scan. A finding is a note, a warning or serious;\n"
            "the exit code is 0 whatever is found, and 3 where a scan can't be read. docs/checks.md lists the codes.\n",
    .options = check_options,
    .defaults = &check_defaults,
    .settings_bytes = sizeof(check_settings),
    .least_operands = 1,
    .most_operands = -1,
    .run = check_run,
};
