/* A case's checks (check_scan.h, check_masks.h): before the run, after it, and as warnings. Between case.c and case_checks.c. */
#ifndef SAT_SEGMENT_CASE_CHECKS_H
#define SAT_SEGMENT_CASE_CHECKS_H

#include "segment/case.h"

/* Looks at the scan, unless settings->checked says what was found; adds to result->checks. Fails with SAT_NO_MEMORY. */
sat_status case_check_scan(const segmenter *s, const volume *scan, const case_settings *settings, case_result *result,
                           sat_error *error);

/* Looks at what was found, when all labels are done; adds to result->checks and makes warnings of what concerns the whole case or is
 * serious. Fails with SAT_NO_MEMORY. */
sat_status case_check_masks(const segmenter *s, const volume *scan, const case_settings *settings, case_result *result,
                            sat_error *error);

#endif
