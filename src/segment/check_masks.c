#include "segment/check_masks.h"

#include "base/text.h"
#include "segment/check_side.h"
#include "text/lower_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double side_tolerance_mm = 10;     /* bodies lean, heads turn, tables weigh           */
static const double side_tolerance_share = 0.04; /* of the body's width                             */
static const double pieces_per_word_odd = 3;    /* tokens: an ordinary anatomical word takes one or two */
enum { CAUSES_TEXT = CHECK_TEXT - 120 };

/* ---------------------------------------------------------------- found nothing */

static void add_cause(text *causes, const char *words)
{
    if (causes->length + strlen(words) + 2 > CAUSES_TEXT) return; /* the likeliest come first */
    if (causes->length) text_add(causes, "; ");
    text_add(causes, words);
}

/* A name in strange letters, or one that is spelt piece by piece: the model was hardly ever shown it. */
static sat_status add_unknown_words(const tokenizer *words, const char *prompt, text *causes, sat_error *error)
{
    enum { LONGEST = 256 };
    int32_t ids[LONGEST];
    char cause[128];
    size_t bytes = 0;
    char *lower = NULL;
    const sat_status status = lower_case(prompt, strlen(prompt), &lower, &bytes, error);
    if (status != SAT_OK) return status;
    const int tokens = tokenizer_ids(words, lower, bytes, LONGEST, ids) - 2;
    const int32_t unknown_id = tokenizer_find(words, "[UNK]");
    int unknown = 0, spaces = 1;
    for (int t = 1; t <= tokens; t++)
        unknown += ids[t] == unknown_id;
    for (size_t n = 1; n < bytes; n++)
        spaces += (lower[n] == ' ' || lower[n] == '_' || lower[n] == '-') && lower[n - 1] != lower[n];
    free(lower);
    if (unknown) {
        snprintf(cause, sizeof cause, "the model's vocabulary can't spell %d of the name's %d parts", unknown, tokens);
        add_cause(causes, cause);
    } else if ((double)tokens > pieces_per_word_odd * spaces) {
        snprintf(cause, sizeof cause, "the name is spelt in %d pieces, as words unknown to the model are: check the spelling", tokens);
        add_cause(causes, cause);
    }
    return SAT_OK;
}

/* What was odd about the scan, in a few words for each code; the whole sentence was said before. */
static void add_causes_in_scan(const check_list *before, text *causes)
{
    for (int severity = CHECK_SERIOUS; severity >= CHECK_WARNING; severity--)
        for (size_t i = 0; before && i < before->count; i++) {
            if ((int)before->items[i].severity != severity || before->items[i].prompt != CHECK_SCAN) continue;
            char cause[96];
            snprintf(cause, sizeof cause, "see %s: %s", check_severity_name(before->items[i].severity), before->items[i].code);
            add_cause(causes, cause);
        }
}

/* The other half of a pair was found, or everything else was: the scan is fine and the structure may not be there. */
static void add_causes_among_masks(const check_masks_request *r, int prompt, text *causes)
{
    int others = 0, cut = 0;
    for (int p = 0; p < r->prompt_count; p++) {
        if (p == prompt || !r->seen[p].voxels) continue;
        others++;
        for (int a = 0; a < 3; a++)
            cut += r->seen[p].face_voxels[a][0] + r->seen[p].face_voxels[a][1] > 0;
        if (check_side_same_but_side(r->prompts[prompt], r->prompts[p])) {
            char cause[160];
            snprintf(cause, sizeof cause, "its other half, '%.60s', was found: the structure may have been removed, or both be taken for one side",
                     r->prompts[p]);
            add_cause(causes, cause);
        }
    }
    if (cut) add_cause(causes, "it lies outside the scan, whose edge cuts other structures");
    else if (others) add_cause(causes, "it is not in this scan's field of view, or not in this person");
}

static sat_status check_found_nothing(const check_masks_request *r, int prompt, check_list *found, sat_error *error)
{
    text causes = text_open(CAUSES_TEXT);
    sat_status status = SAT_OK;
    add_causes_in_scan(r->before, &causes);
    if (r->words) status = add_unknown_words(r->words, r->prompts[prompt], &causes, error);
    add_causes_among_masks(r, prompt, &causes);
    if (!causes.length) add_cause(&causes, "it is not in this scan's field of view, the modality is another one, or the model does not know it by this name");
    check_add(found, "found-nothing", CHECK_WARNING, prompt, "'%.80s' found nothing; likely causes: %s", r->prompts[prompt], causes.data);
    if (status == SAT_OK) status = text_check(&causes, error);
    text_free(&causes);
    return status;
}

/* ---------------------------------------------------------------- cut by the edge */

static sat_status check_cut(const check_masks_request *r, int prompt, check_list *found, sat_error *error)
{
    text faces = text_open(CHECK_TEXT / 2);
    json_t *object = mask_faces_json(&r->seen[prompt], &r->scan->grid), *count;
    const char *face;
    if (!object) return sat_fail(error, SAT_NO_MEMORY, "no memory for the faces of a mask");
    json_object_foreach(object, face, count)
        text_format(&faces, "%s%s (%lld voxels)", faces.length ? ", " : "", face, (long long)json_integer_value(count));
    if (faces.length)
        check_add(found, "cut-by-edge", CHECK_NOTE, prompt,
                  "'%.80s' reaches the edge of the scan towards: %s; it is cut there, and its volume is that of the part inside",
                  r->prompts[prompt], faces.data);
    const sat_status status = text_check(&faces, error);
    json_decref(object);
    text_free(&faces);
    return status;
}

/* ---------------------------------------------------------------- sides */

/* How far to the wrong side of the midline, in mm; negative: on its own side. */
static double across_midline_mm(const check_body *body, const mask_seen *seen, check_side side)
{
    const double away = seen->centroid_mm[0] - check_body_midline(body, seen->centroid_mm[2]); /* > 0: to the patient's right */
    return side == SIDE_LEFT ? away : -away;
}

/* Those too near to the midline to tell count for neither. */
typedef struct side_count {
    int judged, wrong;
} side_count;

static void check_midline(const check_masks_request *r, int prompt, check_side side, side_count *sides, check_list *found)
{
    if (!r->body || !r->body->known || check_side_of_organ(r->prompts[prompt])) return;
    const double across = across_midline_mm(r->body, &r->seen[prompt], side);
    if (fabs(across) <= fmax(side_tolerance_mm, side_tolerance_share * r->body->width_mm)) return;
    sides->judged++;
    if (across < 0) return;
    sides->wrong++;
    check_add(found, "wrong-side", CHECK_SERIOUS, prompt,
              "'%.80s' lies %.0f mm to the %s of the body's midline, which is the WRONG SIDE: left and right may be exchanged in the scan's "
              "header or by the model; do not use this mask before you have looked at it",
              r->prompts[prompt], across, side == SIDE_LEFT ? "right" : "left");
}

/* A left half must not lie to the right of its right half. */
static void check_pair(const check_masks_request *r, int left, int right, side_count *sides, check_list *found)
{
    const double apart = r->seen[left].centroid_mm[0] - r->seen[right].centroid_mm[0];
    sides->judged++;
    if (!(apart > 0)) return;
    sides->wrong++;
    check_add(found, "pair-exchanged", CHECK_SERIOUS, left,
              "'%.80s' lies %.0f mm to the RIGHT of '%.80s': the two are exchanged; left and right may be wrong in the scan's header, or the "
              "model took one for the other; do not use them before you have looked at them",
              r->prompts[left], apart, r->prompts[right]);
}

static void check_sides(const check_masks_request *r, check_list *found)
{
    side_count sides = {0};
    for (int p = 0; p < r->prompt_count; p++) {
        const check_side side = check_side_of_name(r->prompts[p]);
        if (side == SIDE_NONE || !r->seen[p].voxels) continue;
        check_midline(r, p, side, &sides, found);
        for (int q = 0; side == SIDE_LEFT && q < r->prompt_count; q++)
            if (r->seen[q].voxels && check_side_same_but_side(r->prompts[p], r->prompts[q])) check_pair(r, p, q, &sides, found);
    }
    if (sides.judged >= 2 && sides.wrong == sides.judged)
        check_add(found, "sides-exchanged", CHECK_SERIOUS, CHECK_SCAN,
                  "ALL structures with a side in their name lie on the WRONG SIDE of the body: left and right of this scan are most probably "
                  "exchanged, by its header or by a conversion (or this person's organs are mirrored): compare with the original before using any mask");
}

/* ---------------------------------------------------------------- all of it */

sat_status check_masks(const check_masks_request *r, check_list *found, sat_error *error)
{
    int empty = 0;
    for (int p = 0; p < r->prompt_count; p++) {
        const sat_status status = r->seen[p].voxels ? check_cut(r, p, found, error) : check_found_nothing(r, p, found, error);
        if (status != SAT_OK) return status;
        empty += r->seen[p].voxels == 0;
    }
    check_sides(r, found);
    if (empty >= 2 && empty == r->prompt_count)
        check_add(found, "found-nothing-at-all", CHECK_SERIOUS, CHECK_SCAN,
                  "nothing was found for any of %d prompts: the scan is probably not what the model takes it for; run sat3d check with its modality",
                  r->prompt_count);
    return check_list_status(found, error);
}
