/* Checks before a segmentation: is this scan what the user says, and what the model knows? (docs/checks.md) */
#ifndef SAT_SEGMENT_CHECK_SCAN_H
#define SAT_SEGMENT_CHECK_SCAN_H

#include "image/volume.h"
#include "model/description.h"
#include "segment/check.h"

/* Looks at a scan's header and values and adds what it finds to `found`.
 *
 * scan      as volume_read left it; borrowed
 * modality  as for segmenter_run ("ct", "MRI T1", ...); NULL: not known, so values are compared with none
 * model     whose spacing, window and intensity rules count; NULL: checks that need none are still made
 * threads   changes nothing in what is found
 *
 * Each check adds at most one finding, all with prompt CHECK_SCAN. Reads all voxels once (least, most, not finite) and a
 * sample of a million for the rest: well below a second for 512 x 512 x 300.
 * Fails with SAT_NO_MEMORY only. Thread-safe. */
sat_status check_scan(const volume *scan, const char *modality, const model_description *model, int threads, check_list *found,
                      sat_error *error);

/* The two halves: the header (no voxel is touched), the values. */
sat_status check_header(const volume *scan, const model_description *model, check_list *found, sat_error *error);
sat_status check_values(const volume *scan, const char *modality, const model_description *model, int threads, check_list *found,
                        sat_error *error);

#endif
