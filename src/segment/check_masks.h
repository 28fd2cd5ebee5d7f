/* Checks after a segmentation: what was not found and why, what the edge of the scan cuts, what lies on the wrong side.
 *
 *   mask_watch_begin -> mask_watch_add for each run of slices -> mask_watch_end       beside the writer of each mask
 *   check_masks                                                                       once, when all masks are known */
#ifndef SAT_SEGMENT_CHECK_MASKS_H
#define SAT_SEGMENT_CHECK_MASKS_H

#include "image/volume.h"
#include "segment/check.h"
#include "segment/check_body.h"
#include "text/wordpiece.h"

#include <stdint.h>

/* What the checks need to know of one mask. */
typedef struct mask_seen {
    int64_t voxels;
    double centroid_mm[3];        /* RAS+ world; 0 when empty                                                  */
    int64_t face_voxels[3][2];    /* on the first and the last plane along each axis of the file               */
} mask_seen;

/* Takes a mask as it passes by; 200 bytes, whatever the volume. Starts with mask_watch_begin. */
typedef struct mask_watch {
    geometry grid;
    int64_t slice;                /* that comes next                                                           */
    int64_t voxels, sum_ijk[3], face_voxels[3][2];
} mask_watch;

void mask_watch_begin(mask_watch *w, const geometry *grid);
/* The next whole slices ([k][j][i], i fastest), 0 or 1 each; NULL stands for zeros. Voxels beyond the grid are ignored. */
void mask_watch_add(mask_watch *w, const uint8_t *mask, size_t voxels);
mask_seen mask_watch_end(const mask_watch *w);

/* {"head": 812, "left": 3}: mask voxels on the faces of the scan by the patient's direction, in a fixed order, faces without any left
 * out. A new object; NULL when memory is short. */
json_t *mask_faces_json(const mask_seen *seen, const geometry *grid);

/* All but scan, prompts and seen may be NULL. Everything is borrowed. */
typedef struct check_masks_request {
    const volume *scan;
    const char *const *prompts;
    const mask_seen *seen;        /* of each prompt                                                            */
    int prompt_count;
    const check_body *body;       /* NULL: sides are compared within pairs only                                */
    const check_list *before;     /* what check_scan found: among the likely causes of an empty mask           */
    const tokenizer *words;       /* the model's: a name that it does not know is a likely cause, too          */
} check_masks_request;

/* Adds to `found`, prompt by prompt. Fails with SAT_NO_MEMORY. Thread-safe. */
sat_status check_masks(const check_masks_request *request, check_list *found, sat_error *error);

#endif
