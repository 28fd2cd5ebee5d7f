#include "segment/case_report.h"

#include "base/memory.h"
#include "image/geometry.h"
#include "segment/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 16, VALUE = 192 };

/* The rows of one section while it is being filled. */
typedef struct rows {
    report_row row[ROWS];
    char value[ROWS][VALUE];
    int count;
} rows;

__attribute__((format(printf, 3, 4))) static void add(rows *r, const char *name, const char *format, ...)
{
    if (r->count == ROWS) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->value[r->count], VALUE, format, arguments);
    va_end(arguments);
    r->row[r->count] = (report_row){name, r->value[r->count]};
    r->count++;
}

static void fill_scan(const volume *scan, const case_settings *settings, const segment_record *record, rows *r)
{
    const int64_t *n = scan->grid.shape_ijk, *p = record->processed_shape_xyz;
    double spacing_mm[3];
    affine_spacing(scan->grid.voxel_to_world, spacing_mm);
    if (settings->scan_name) add(r, "File", "%s", settings->scan_name);
    add(r, "Modality", "%s", settings->request.modality);
    if (settings->modality_note) add(r, "Modality found by", "%s", settings->modality_note);
    add(r, "Voxels", "%lld x %lld x %lld", (long long)n[0], (long long)n[1], (long long)n[2]);
    add(r, "Spacing", "%.4g x %.4g x %.4g mm", spacing_mm[0], spacing_mm[1], spacing_mm[2]);
    add(r, "Seen by the model as", "%lld x %lld x %lld voxels", (long long)p[0], (long long)p[1], (long long)p[2]);
    add(r, "Intensities clipped to", "%.6g to %.6g", record->statistics.clip_low, record->statistics.clip_high);
}

static void fill_model(const segmenter *s, const case_settings *settings, rows *r)
{
    const model_description *d = model_file_description(segmenter_model(s));
    char identity[HASH_SHA256_TEXT];
    model_file_identity(segmenter_model(s), identity);
    if (settings->model_name) add(r, "File", "%s", settings->model_name);
    add(r, "Variant", "%s", d->variant);
    add(r, "Identity", "%s", identity);
    add(r, "Spacing", "%g x %g x %g mm", d->spacing_mm[0], d->spacing_mm[1], d->spacing_mm[2]);
    add(r, "Computed in", "%s", element_name(segmenter_type(s)));
    add(r, "Program", "sat3d %s", sat_version());
}

static void fill_options(const case_settings *settings, rows *r)
{
    const segment_request *request = &settings->request;
    add(r, "Orientation", "%s", request->orientation_code ? request->orientation_code : "RAS");
    add(r, "Overlap of windows", "%g", request->overlap);
    add(r, "Windows of air", "%s", request->skip_air ? "left out" : "kept");
    add(r, "Threshold", "%g", request->threshold > 0 ? (double)request->threshold : (double)MERGE_THRESHOLD);
    if (settings->minimum_volume_ml > 0) add(r, "Parts removed below", "%g ml", settings->minimum_volume_ml);
    if (settings->largest_component) add(r, "Parts kept", "the largest of each label");
}

static void fill_work(const segmenter *s, const segment_record *record, rows *r)
{
    char planned[MEMORY_TEXT], peak[MEMORY_TEXT];
    add(r, "Windows", "%zu of %d x %d x %d voxels, %zu left out", record->windows, record->plan.window[0], record->plan.window[1],
        record->plan.window[2], record->windows_skipped);
    add(r, "Passes", "%d", record->passes);
    add(r, "Threads", "%d", segmenter_threads(s));
    add(r, "Memory", "%s planned, %s used at most", memory_print_bytes(record->plan.total_bytes, planned),
        memory_print_bytes(memory_resident_peak_bytes(), peak));
    add(r, "Preparing the scan", "%.1f s", record->seconds_standardise);
    add(r, "Prompts", "%.1f s, %d encoded", record->seconds_text, record->queries_encoded);
    add(r, "Network", "%.1f s", record->seconds_network);
    add(r, "Masks", "%.1f s", record->seconds_restore);
}

/* Hounsfield units only where the values are meant so. */
static const char *unit_of(const char *modality)
{
    return (modality[0] | 0x20) == 'c' && (modality[1] | 0x20) == 't' && modality[2] == '\0' ? "HU" : NULL;
}

/* Every label with its own sentences from the checks; `sentences` has room for all of them. */
static void fill_labels(const case_result *result, report_label *labels, const char **sentences)
{
    for (int i = 0; i < result->label_count; i++) {
        const label_statistics *f = &result->labels[i].found;
        labels[i] = (report_label){.mean = f->measured ? f->mean : NAN,
                                   .standard_deviation = f->measured ? f->deviation : NAN,
                                   .warnings = sentences};
        memcpy(labels[i].centroid_mm, f->centroid_mm, sizeof f->centroid_mm);
        for (size_t n = 0; n < result->checks.count; n++)
            if (result->checks.items[n].prompt == i) sentences[labels[i].warning_count++] = result->checks.items[n].text;
        sentences += labels[i].warning_count;
    }
}

sat_status case_report_write(const char *path, const segmenter *s, const volume *scan, const case_settings *settings,
                             const case_result *result, const preview_request *picture, sat_error *error)
{
    enum { SECTIONS = 4 };
    static const char *const titles[SECTIONS] = {"Scan", "Model", "Options", "Plan and timing"};
    report_label *labels = calloc((size_t)result->label_count + 1, sizeof *labels);
    const char **sentences = calloc(result->checks.count + 1, sizeof *sentences);
    rows *all = calloc(SECTIONS, sizeof *all);
    report_section sections[SECTIONS];
    sat_status status = SAT_OK;
    if (!labels || !sentences || !all) status = sat_fail(error, SAT_NO_MEMORY, "no memory for a report");
    if (status == SAT_OK) {
        fill_scan(scan, settings, &result->record, &all[0]);
        fill_model(s, settings, &all[1]);
        fill_options(settings, &all[2]);
        fill_work(s, &result->record, &all[3]);
        for (int i = 0; i < SECTIONS; i++)
            sections[i] = (report_section){titles[i], all[i].row, all[i].count};
        fill_labels(result, labels, sentences);
        const report r = {.preview = picture,
                          .labels = labels,
                          .intensity_unit = unit_of(settings->request.modality),
                          .warnings = (const char *const *)result->warnings,
                          .warning_count = result->warning_count,
                          .sections = sections,
                          .section_count = SECTIONS};
        status = report_write_html(path, &r, error);
    }
    free(all);
    free((void *)sentences);
    free(labels);
    return status;
}
