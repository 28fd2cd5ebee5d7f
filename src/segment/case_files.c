#include "segment/case_files.h"

#include "segment/case_report.h"
#include "segment/colours.h"
#include "segment/label_files.h"
#include "segment/output_csv.h"
#include "segment/output_json.h"
#include "segment/preview.h"

#include <stdlib.h>

/* Names and colours as the writers of label files and pictures take them. */
typedef struct palette {
    const char **names;
    colour *colours;
    int count;
} palette;

static void palette_close(palette *p)
{
    free((void *)p->names);
    free(p->colours);
}

static sat_status palette_open(const case_result *result, palette *p, sat_error *error)
{
    *p = (palette){.count = result->label_count};
    p->names = malloc((size_t)p->count * sizeof *p->names);
    p->colours = malloc((size_t)p->count * sizeof *p->colours);
    if (!p->names || !p->colours) return sat_fail(error, SAT_NO_MEMORY, "no memory for the colours of %d labels", p->count);
    for (int i = 0; i < p->count; i++)
        p->names[i] = result->labels[i].name;
    return colours_of_names(p->names, p->count, p->colours, error);
}

/* ---------------------------------------------------------------- the label map and what belongs to it */

typedef sat_status label_writer(const char *path, const char *const *names, const colour *colours, int count, sat_error *error);

static sat_status write_beside(const char *map_path, const char *extension, label_writer *write, const palette *p, sat_error *error)
{
    char *path = label_files_path_beside(map_path, extension);
    const sat_status status =
        path ? write(path, p->names, p->colours, p->count, error) : sat_fail(error, SAT_NO_MEMORY, "no memory for a file's name");
    free(path);
    return status;
}

/* Names first: who finds the map finds them, too. */
static sat_status write_label_map(const label_map *map, const char *path, const volume *scan, const palette *p, case_result *result,
                                  sat_error *error)
{
    unsigned warnings = 0;
    sat_status status = write_beside(path, ".txt", label_files_write_itksnap, p, error);
    if (status == SAT_OK && p->count <= LABEL_FILES_SLICER_MOST) status = write_beside(path, ".ctbl", label_files_write_slicer, p, error);
    if (p->count > LABEL_FILES_SLICER_MOST) case_warn(result, "3D Slicer reads ids up to 32768: no colour table was written for it");
    if (status == SAT_OK) status = label_map_write(map, path, scan, &warnings, error);
    if (warnings & VOLUME_WARNS_SHEARED) case_warn(result, volume_warning_text(VOLUME_WARNS_SHEARED));
    return status;
}

/* ---------------------------------------------------------------- pictures */

static sat_status write_pictures(const segmenter *s, const volume *scan, const case_settings *settings, label_map *map, const palette *p,
                                 const case_result *result, sat_error *error)
{
    preview_label *labels = calloc((size_t)p->count, sizeof *labels);
    const preview_request picture = {.scan = scan,
                                     .label_map = label_map_wide(map),
                                     .labels = labels,
                                     .label_count = p->count,
                                     .modality = settings->request.modality,
                                     .threads = segmenter_threads(s)};
    sat_status status = SAT_OK;
    if (!labels || !picture.label_map) status = sat_fail(error, SAT_NO_MEMORY, "no memory for a picture");
    for (int i = 0; i < p->count && status == SAT_OK; i++)
        labels[i] = (preview_label){p->names[i], result->labels[i].found.voxels, result->labels[i].found.volume_ml, p->colours[i]};
    if (status == SAT_OK && settings->preview) status = preview_write_png(settings->preview, &picture, error);
    if (status == SAT_OK && settings->report)
        status = case_report_write(settings->report, s, scan, settings, result, &picture, error);
    free(labels);
    return status;
}

/* ---------------------------------------------------------------- all */

static sat_status find_record_path(const case_settings *settings, case_result *result, sat_error *error)
{
    if (settings->folder) result->record_path = output_path_in(settings->folder, "segmentation.json");
    else if (settings->label_map) result->record_path = label_files_path_beside(settings->label_map, ".json");
    else return SAT_OK;
    return result->record_path ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for a file's name");
}

sat_status case_files_write(const segmenter *s, const volume *scan, const case_settings *settings, label_map *map,
                            case_result *result, sat_error *error)
{
    palette p;
    sat_status status = palette_open(result, &p, error);
    if (status == SAT_OK && settings->label_map) status = write_label_map(map, settings->label_map, scan, &p, result, error);
    if (status == SAT_OK && settings->statistics) status = output_write_csv(settings->statistics, settings, result, error);
    if (status == SAT_OK && (settings->preview || settings->report)) status = write_pictures(s, scan, settings, map, &p, result, error);
    if (status == SAT_OK && result->warning_lost) status = sat_fail(error, SAT_NO_MEMORY, "no memory for what the user is to be warned of");
    if (status == SAT_OK) status = find_record_path(settings, result, error);
    if (status == SAT_OK && result->record_path) status = output_write_json(result->record_path, s, scan, settings, result, error);
    palette_close(&p);
    return status;
}
