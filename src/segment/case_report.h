/* --report: what a case found and how, as one HTML file for people (report.h). */
#ifndef SAT_SEGMENT_CASE_REPORT_H
#define SAT_SEGMENT_CASE_REPORT_H

#include "segment/case.h"
#include "segment/preview.h"

/* `picture` has scan, label map and labels of the same case. The only output that tells times. Fails as report_write_html. */
sat_status case_report_write(const char *path, const segmenter *s, const volume *scan, const case_settings *settings,
                             const case_result *result, const preview_request *picture, sat_error *error);

#endif
