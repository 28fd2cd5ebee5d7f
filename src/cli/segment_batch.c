#define _POSIX_C_SOURCE 200809L /* stat */
#include "cli/segment_batch.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/volume.h"
#include "segment/batch_compat.h"
#include "segment/batch_summary.h"
#include "segment/compat.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What the listener knows. */
typedef struct showing {
    const verb_call *call;
    const batch_list *list;
    double begin, seconds; /* of cases that were computed */
    int computed, ended;
    char prefix[160];      /* "case 3 of 20, 5 min left in all: " */
} showing;

bool segment_batch_wanted(const verb_call *call, const char *manifest_path)
{
    struct stat about;
    return manifest_path || call->operand_count > 1 ||
           (call->operand_count == 1 && stat(call->operands[0], &about) == 0 && S_ISDIR(about.st_mode));
}

/* ---------------------------------------------------------------- while it runs */

static void case_begins(void *context, int item)
{
    showing *s = context;
    char words[32];
    const int left = s->list->count - s->ended;
    if (s->computed > 0)
        snprintf(s->prefix, sizeof s->prefix, "case %d of %d, about %s left in all: ", item + 1, s->list->count,
                 terminal_duration((clock_seconds() - s->begin) / s->computed * left, words));
    else snprintf(s->prefix, sizeof s->prefix, "case %d of %d: ", item + 1, s->list->count);
    s->call->screen->prefix = s->prefix;
    verb_say(s->call, 2, "%s: %s begins", s->list->items[item].name, s->list->items[item].scan_path);
}

static void case_ends(void *context, int item, const batch_outcome *o, const case_result *result)
{
    showing *s = context;
    const batch_item *i = &s->list->items[item];
    s->ended++;
    s->computed += o->state == BATCH_DONE;
    for (int w = 0; result && w < result->warning_count; w++)
        verb_say(s->call, 0, "%s: %s", i->name, result->warnings[w]);
    if (o->state == BATCH_FAILED) verb_say(s->call, 0, "%s: %s: %s", i->name, o->error.file, o->error.message);
    else if (o->state == BATCH_DONE)
        verb_say(s->call, 1, "%s: found %d of %d, %.1f s (waited %.1f s for the scan)", i->name, o->found, o->prompts, o->seconds,
                 o->seconds_waited);
    else verb_say(s->call, 2, "%s: %s", i->name, batch_state_text(o->state));
}

/* ---------------------------------------------------------------- afterwards */

static void print_table(const batch_list *list, const batch_outcome *outcomes, double seconds)
{
    size_t width = strlen("case");
    for (int i = 0; i < list->count; i++)
        if (strlen(list->items[i].name) > width) width = strlen(list->items[i].name);
    if (width > 60) width = 60;
    printf("%-*s  %-18s  %12s  %9s\n", (int)width, "case", "status", "labels found", "seconds");
    for (int i = 0; i < list->count; i++) {
        const batch_outcome *o = &outcomes[i];
        const bool known = o->state == BATCH_DONE || o->state == BATCH_FINISHED;
        char found[32] = "-", took[32] = "-", bytes[MEMORY_TEXT];
        if (known) snprintf(found, sizeof found, "%d of %d", o->found, o->prompts);
        if (o->state == BATCH_DONE) snprintf(took, sizeof took, "%.1f", o->seconds);
        printf("%-*s  %-18s  %12s  %9s", (int)width, list->items[i].name, batch_state_text(o->state), found, took);
        if (o->state == BATCH_FAILED) printf("  %s", o->error.message);
        if (o->state == BATCH_PLANNED) printf("  at most %s", memory_print_bytes(o->plan_bytes, bytes));
        putchar('\n');
    }
    const batch_counts n = batch_count(list, outcomes);
    char words[32];
    printf("%d cases: %d segmented, %d finished before, %d failed", n.cases, n.done, n.finished, n.failed);
    if (n.planned) printf(", %d would be segmented", n.planned);
    if (n.left) printf(", %d not reached", n.left);
    printf("; %s\n", terminal_duration(seconds, words));
}

static sat_status print_json(const batch_list *list, const batch_outcome *outcomes, double seconds, sat_error *error)
{
    json_t *root = batch_summary_json(list, outcomes, seconds);
    char *lines = root ? json_text(root, JSON_PRETTY, JSON_AS_INSERTED, NULL) : NULL;
    if (lines) fputs(lines, stdout);
    json_decref(root);
    free(lines);
    return lines ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for the batch's summary");
}

/* ---------------------------------------------------------------- the run */

static sat_status make_list(const verb_call *call, const segment_batch *b, manifest *lines, batch_list *list, sat_error *error)
{
    const batch_wishes wishes = {b->prompts->items, b->prompts->count, b->modality, b->orientation, b->dataset};
    if (!b->manifest) return batch_list_paths(call->operands, call->operand_count, b->recursive, b->output, &wishes, list, error);
    sat_status status = manifest_read(b->manifest, lines, error);
    if (status == SAT_OK) status = batch_list_manifest(lines, b->manifest, &wishes, list, error);
    if (status == SAT_OK && list->from_working_folder)
        verb_say(call, 0, "%s: %d relative paths are not beside the manifest and were taken from the working folder", b->manifest,
                 list->from_working_folder);
    return status;
}

static sat_status open_model(const verb_call *call, const segment_batch *b, const batch_list *list, segmenter **model, sat_error *error)
{
    segmenter_options options = b->options;
    options.prompts = 1;
    for (int i = 0; i < list->count; i++)
        if (list->items[i].prompt_count > options.prompts) options.prompts = list->items[i].prompt_count;
    const sat_status status = segmenter_open(b->model, &options, model, error);
    if (status == SAT_OK && segmenter_type(*model) != options.type)
        verb_say(call, 0, "this processor has no bfloat16 instructions: computing in float32, which takes twice as long");
    return status;
}

/* The table, the files, the exit code; also of a batch that was interrupted. */
static sat_status report(verb_call *call, const segment_batch *b, const batch_list *list, const batch_outcome *outcomes, double seconds,
                         sat_error *error)
{
    const common_settings *common = call->settings;
    terminal_clear(call->screen);
    call->failed_cases = batch_count(list, outcomes).failed;
    sat_status status = common->dry_run ? SAT_OK : batch_summary_write(b->output, list, outcomes, seconds, error);
    if (common->json) return status == SAT_OK ? print_json(list, outcomes, seconds, error) : status;
    print_table(list, outcomes, seconds);
    return status;
}

sat_status segment_batch_run(verb_call *call, const segment_batch *b, sat_error *error)
{
    const common_settings *common = call->settings;
    if (!b->output) return sat_fail(error, SAT_BAD_ARGUMENT, "where should the masks of all scans go? give -o FOLDER");
    if (b->manifest && call->operand_count)
        return sat_fail(error, SAT_BAD_ARGUMENT, "%s: the manifest says which scans; give scans or --manifest", call->operands[0]);
    manifest lines = {0};
    batch_list list = {0};
    batch_outcome *outcomes = NULL;
    segmenter *model = NULL;
    showing s = {.call = call, .list = &list};
    sat_status status = make_list(call, b, &lines, &list, error);
    if (status == SAT_OK && b->base.compat_folder) status = batch_compat_refuse_same(&list, error);
    if (status == SAT_OK) status = open_model(call, b, &list, &model, error);
    if (status == SAT_OK && b->base.compat_folder && b->manifest && !common->dry_run)
        status = compat_copy_manifest(b->manifest, b->output, error);
    if (status == SAT_OK) {
        outcomes = calloc((size_t)list.count, sizeof *outcomes);
        if (!outcomes) status = sat_fail(error, SAT_NO_MEMORY, "no memory for %d cases", list.count);
    }
    if (status == SAT_OK) {
        const batch_settings settings = {.base = b->base, .folder = b->output, .volume_index = b->volume,
                                         .limit_bytes = common->max_memory_bytes, .overwrite = b->overwrite,
                                         .plan_only = common->dry_run, .listener = {&s, case_begins, case_ends}};
        sat_error ignored;
        s.begin = clock_seconds();
        status = batch_run(model, &settings, &list, outcomes, call->progress, error);
        const double seconds = clock_seconds() - s.begin;
        if (status == SAT_OK) status = report(call, b, &list, outcomes, seconds, error);
        else if (status == SAT_CANCELLED) (void)report(call, b, &list, outcomes, seconds, &ignored);
    }
    call->screen->prefix = NULL;
    segmenter_close(model);
    free(outcomes);
    batch_list_free(&list);
    manifest_free(&lines);
    return status;
}
