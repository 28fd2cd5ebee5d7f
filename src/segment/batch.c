#include "segment/batch.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "segment/batch_finished.h"
#include "segment/batch_outputs.h"
#include "segment/batch_reader.h"
#include "segment/batch_writer.h"
#include "segment/modality.h"
#include "segment/output.h"

#include <stdlib.h>
#include <string.h>

/* A case that is computed and whose files may still be on their way. */
typedef struct batch_case {
    int item; /* -1: none */
    char *folder;
    char key[HASH_SHA256_TEXT];
    case_result result;
    batch_files files;
    bool behind; /* `files` is in use */
} batch_case;

typedef struct running {
    segmenter *s;
    const batch_settings *settings;
    const batch_list *list;
    batch_outcome *outcomes;
    progress *watch;
    batch_writer *writer; /* NULL: files are written at once */
    batch_reader *reader; /* of item `reading`               */
    int reading;
    batch_case cases[2];  /* the one computed and the one written, in turn */
    int now;
} running;

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---------------------------------------------------------------- outcomes */

static void ends(running *r, int item, const case_result *result)
{
    const batch_listener *l = &r->settings->listener;
    if (l->ends) l->ends(l->context, item, &r->outcomes[item], result);
}

static void fails(running *r, int item, const sat_error *error)
{
    batch_outcome *o = &r->outcomes[item];
    o->state = BATCH_FAILED;
    o->error = *error;
    sat_fail_in(&o->error, r->list->items[item].scan_path, error->code);
    ends(r, item, NULL);
}

/* Waits for a case's files, and says how the case ended. */
static void settle(running *r, batch_case *c)
{
    if (c->item < 0) return;
    batch_outcome *o = &r->outcomes[c->item];
    sat_error error = {0};
    sat_status status = c->behind ? batch_files_wait(&c->files, &error) : SAT_OK;
    if (status == SAT_OK && c->result.record_path) status = batch_case_end(c->folder, c->key, &r->settings->base, &c->result, &error);
    if (status == SAT_OK) {
        o->state = BATCH_DONE;
        for (int i = 0; i < c->result.label_count; i++)
            o->found += c->result.labels[i].found.voxels > 0;
        ends(r, c->item, &c->result);
    } else {
        fails(r, c->item, &error);
    }
    case_result_free(&c->result);
    free(c->folder);
    *c = (batch_case){.item = -1};
}

/* ---------------------------------------------------------------- what there is to do */

static case_settings settings_of(const running *r, int item)
{
    const batch_item *i = &r->list->items[item];
    case_settings settings = r->settings->base;
    settings.request.prompts = i->prompts;
    settings.request.prompt_count = i->prompt_count;
    settings.request.modality = i->modality;
    settings.request.orientation_code = i->orientation_code;
    settings.scan_path = i->scan_path;
    settings.scan_name = name_of(i->scan_path);
    settings.folder = r->settings->folder; /* the case's own is below it */
    if (settings.compat_folder) {
        settings.compat_folder = r->settings->folder;
        settings.compat_dataset = i->dataset;
        settings.folder = NULL;
    }
    return settings;
}

static bool finished(running *r, int item, const char *key)
{
    if (r->settings->overwrite || r->settings->base.compat_folder) return false;
    char *folder = output_path_in(r->settings->folder, r->list->items[item].name);
    const bool is = folder && batch_case_finished(folder, key, &r->outcomes[item].found);
    free(folder);
    return is;
}

/* The first item from `from` on that is to be computed, and its key; the others before it get their outcome. list->count: none. */
static int next_to_do(running *r, int from, char key[HASH_SHA256_TEXT])
{
    int item = from;
    for (; item < r->list->count && !progress_cancelled(r->watch); item++) {
        const batch_item *i = &r->list->items[item];
        sat_error error = {0};
        sat_status status = i->refusal ? sat_fail(&error, SAT_BAD_INPUT, "%s", i->refusal) : SAT_OK;
        const case_settings settings = settings_of(r, item);
        r->outcomes[item].prompts = i->prompt_count;
        if (status == SAT_OK) status = batch_case_key(r->s, i->scan_path, r->settings->volume_index, &settings, key, &error);
        if (status != SAT_OK) {
            fails(r, item, &error);
        } else if (finished(r, item, key)) {
            r->outcomes[item].state = BATCH_FINISHED;
            ends(r, item, NULL);
        } else {
            return item;
        }
    }
    return r->list->count;
}

/* ---------------------------------------------------------------- memory */

/* The plan of an item with `beside` bytes taken otherwise, from its header alone. */
static sat_status plan_item(running *r, int item, uint64_t beside, segment_plan *plan, uint64_t *scan_bytes, sat_error *error)
{
    volume header;
    case_settings settings = settings_of(r, item);
    settings.request.beside_bytes = beside;
    if (!settings.request.modality) settings.request.modality = "ct"; /* the size does not depend on it */
    *plan = (segment_plan){0};
    const sat_status status = batch_scan_peek(r->list->items[item].scan_path, &header, scan_bytes, error);
    return status == SAT_OK ? case_plan(r->s, &header, &settings, plan, error) : status;
}

/* More passes over the windows cost more than reading ahead saves. */
static bool fits_as_well(const segment_plan *plan, const segment_plan *alone)
{
    return plan->passes_if_dense <= alone->passes_if_dense || plan->merge_bytes >= alone->merge_bytes / 4 * 3;
}

/* What is done beside computing `item`: reading `next`, writing behind. In that order it is given up where memory is scarce. */
typedef struct beside {
    bool ahead, behind;
    uint64_t bytes;
} beside;

static beside choose_beside(running *r, int item, int next)
{
    segment_plan alone, plan;
    uint64_t scan_bytes, next_bytes = 0;
    beside b = {0};
    if (!r->writer || plan_item(r, item, 0, &alone, &scan_bytes, NULL) != SAT_OK) return b;
    const uint64_t queue = batch_writer_bytes();
    if (plan_item(r, item, queue, &plan, &scan_bytes, NULL) == SAT_OK && fits_as_well(&plan, &alone))
        b = (beside){.behind = true, .bytes = queue};
    volume header;
    if (!b.behind || next >= r->list->count || batch_scan_peek(r->list->items[next].scan_path, &header, &next_bytes, NULL) != SAT_OK)
        return b;
    const uint64_t both = queue + next_bytes;
    if (both >= queue && plan_item(r, item, both, &plan, &scan_bytes, NULL) == SAT_OK && fits_as_well(&plan, &alone))
        b = (beside){.ahead = true, .behind = true, .bytes = both};
    return b;
}

/* ---------------------------------------------------------------- one case */

static sat_status find_modality(const volume *scan, case_settings *settings, modality_guess *guess, sat_error *error)
{
    if (settings->request.modality) return SAT_OK;
    modality_guess_from_values(scan, guess);
    if (!guess->is_ct)
        return sat_fail(error, SAT_BAD_ARGUMENT, "which modality is this? %s; say ct, mri or pet", guess->reason);
    settings->request.modality = "ct";
    settings->modality_note = guess->reason;
    return SAT_OK;
}

static sat_status compute(running *r, batch_case *c, const volume *scan, beside b, sat_error *error)
{
    modality_guess guess;
    batch_outputs outputs = {0};
    case_settings settings = settings_of(r, c->item);
    sat_status status = find_modality(scan, &settings, &guess, error);
    c->behind = b.behind;
    c->files = batch_files_of(r->writer);
    settings.request.beside_bytes = b.bytes;
    settings.behind = b.behind ? &c->files : NULL;
    c->folder = output_path_in(r->settings->folder, r->list->items[c->item].name);
    if (status == SAT_OK && !c->folder) status = sat_fail(error, SAT_NO_MEMORY, "no memory for a folder's name");
    if (!settings.compat_folder) {
        settings.folder = c->folder;
        if (status == SAT_OK) status = batch_outputs_place(&settings, c->folder, &outputs, error);
        if (status == SAT_OK) status = batch_case_begin(c->folder, error);
    }
    if (status == SAT_OK) status = case_run(r->s, scan, &settings, &c->result, r->watch, error);
    batch_outputs_free(&outputs);
    return status;
}

/* A case that failed or was interrupted: nothing more of it is written. */
static void give_up(running *r, batch_case *c, sat_status status, const sat_error *error)
{
    if (c->behind) {
        batch_files_drop(&c->files);
        batch_files_wait(&c->files, NULL);
    }
    if (status != SAT_CANCELLED) fails(r, c->item, error);
    case_result_free(&c->result);
    free(c->folder);
    *c = (batch_case){.item = -1};
}

/* The scan of `item`, read ahead or now. */
static sat_status take_scan(running *r, int item, volume *scan, sat_error *error)
{
    sat_status status = SAT_OK;
    if (r->reader && r->reading != item) batch_reader_drop(&r->reader);
    if (!r->reader) {
        segment_plan plan;
        uint64_t bytes;
        /* Too large for the limit is known before it is read. */
        status = plan_item(r, item, 0, &plan, &bytes, error);
        if (status == SAT_OK && r->settings->limit_bytes && bytes > r->settings->limit_bytes) {
            char words[MEMORY_TEXT];
            status = sat_fail(error, SAT_NO_MEMORY, "its voxels alone take %s, more than --max-memory",
                              memory_print_bytes(bytes, words));
        }
        if (status == SAT_OK) status = batch_reader_start(r->list->items[item].scan_path, r->settings->volume_index, &r->reader, error);
    }
    if (status == SAT_OK) {
        progress_begin(r->watch, "reading the scan", 0);
        status = batch_reader_take(&r->reader, scan, &r->outcomes[item].seconds_waited, error);
        progress_end(r->watch);
    }
    return status;
}

static sat_status do_item(running *r, int item, const char *key, int next)
{
    batch_case *c = &r->cases[r->now], *before = &r->cases[1 - r->now];
    const batch_listener *l = &r->settings->listener;
    volume scan = {0};
    sat_error error = {0};
    if (l->begins) l->begins(l->context, item);
    sat_status status = take_scan(r, item, &scan, &error);
    if (status != SAT_OK) {
        fails(r, item, &error);
        return SAT_OK;
    }
    const beside b = choose_beside(r, item, next);
    if (!b.behind) settle(r, before);
    if (b.ahead && batch_reader_start(r->list->items[next].scan_path, r->settings->volume_index, &r->reader, NULL) == SAT_OK)
        r->reading = next;
    const double begin = clock_seconds();
    *c = (batch_case){.item = item};
    memcpy(c->key, key, sizeof c->key);
    status = compute(r, c, &scan, b, &error);
    volume_free(&scan);
    r->outcomes[item].seconds = clock_seconds() - begin;
    settle(r, before);
    if (status != SAT_OK) give_up(r, c, status, &error);
    else if (!b.behind) settle(r, c);
    else r->now = 1 - r->now;
    return status == SAT_CANCELLED ? status : SAT_OK;
}

/* ---------------------------------------------------------------- the run */

static void plan_all(running *r)
{
    char key[HASH_SHA256_TEXT];
    for (int item = next_to_do(r, 0, key); item < r->list->count; item = next_to_do(r, item + 1, key)) {
        segment_plan plan;
        uint64_t bytes;
        sat_error error = {0};
        if (plan_item(r, item, 0, &plan, &bytes, &error) != SAT_OK) {
            fails(r, item, &error);
            continue;
        }
        r->outcomes[item].state = BATCH_PLANNED;
        r->outcomes[item].plan_bytes = plan.total_bytes;
        ends(r, item, NULL);
    }
}

static sat_status run_all(running *r, sat_error *error)
{
    char key[HASH_SHA256_TEXT], next_key[HASH_SHA256_TEXT] = "";
    sat_status status = folder_make(r->settings->folder, error);
    if (status == SAT_OK && !r->settings->one_after_another) status = batch_writer_open(&r->writer, error);
    if (status != SAT_OK) return status;
    for (int item = next_to_do(r, 0, key); item < r->list->count && status == SAT_OK;) {
        const int next = next_to_do(r, item + 1, next_key);
        status = progress_check(r->watch, error);
        if (status == SAT_OK && do_item(r, item, key, next) != SAT_OK) status = progress_check(r->watch, error);
        memcpy(key, next_key, sizeof key);
        item = next;
    }
    batch_reader_drop(&r->reader);
    settle(r, &r->cases[1 - r->now]);
    settle(r, &r->cases[r->now]);
    batch_writer_close(r->writer);
    return status == SAT_OK ? progress_check(r->watch, error) : status;
}

sat_status batch_run(segmenter *s, const batch_settings *settings, const batch_list *list, batch_outcome *outcomes, progress *watch,
                     sat_error *error)
{
    running r = {.s = s, .settings = settings, .list = list, .outcomes = outcomes, .watch = watch,
                 .cases = {{.item = -1}, {.item = -1}}};
    memset(outcomes, 0, (size_t)list->count * sizeof *outcomes);
    if (!settings->plan_only) return run_all(&r, error);
    plan_all(&r);
    return progress_check(watch, error);
}
