#define _POSIX_C_SOURCE 200809L /* strdup */
#include "segment/batch_outputs.h"

#include "segment/label_files.h"
#include "segment/output.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool ends_in(const char *words, const char *ending)
{
    const size_t length = strlen(words), tail = strlen(ending);
    return length > tail && strcmp(words + length - tail, ending) == 0;
}

static sat_status check_name(const char *option, const char *name, const char *ending, const char *other, const char *usual,
                             sat_error *error)
{
    if (!name) return SAT_OK;
    if (strchr(name, '/') || name[0] == '.')
        return sat_fail(error, SAT_BAD_ARGUMENT, "%s %s: where there are several scans, each gets such a file in its own folder; give a "
                        "name without folders, such as %s", option, name, usual);
    if (!ends_in(name, ending) && !ends_in(name, other))
        return sat_fail(error, SAT_BAD_ARGUMENT, "%s %s: where there are several scans the name must end in %s, such as %s", option, name,
                        ending, usual);
    return SAT_OK;
}

/* The release's folders have no place for them. */
static sat_status check_compat(const case_settings *names, sat_error *error)
{
    const char *other = names->label_map ? "--label-map" : names->statistics ? "--statistics" : names->preview ? "--preview"
                        : names->report ? "--report" : names->probabilities ? "--probabilities"
                        : names->minimum_volume_ml > 0 ? "--minimum-volume" : names->largest_component ? "--largest-component" : NULL;
    if (!names->compat_folder || !other) return SAT_OK;
    return sat_fail(error, SAT_BAD_ARGUMENT, "--compat writes for several scans what the release writes and nothing else: leave out %s, "
                    "or --compat", other);
}

sat_status batch_outputs_check(const case_settings *names, sat_error *error)
{
    if (check_compat(names, error) != SAT_OK) return SAT_BAD_ARGUMENT;
    sat_status status = check_name("--label-map", names->label_map, ".nii.gz", ".nii", "label_map.nii.gz", error);
    if (status == SAT_OK) status = check_name("--statistics", names->statistics, ".csv", ".csv", "statistics.csv", error);
    if (status == SAT_OK) status = check_name("--preview", names->preview, ".png", ".png", "preview.png", error);
    if (status == SAT_OK) status = check_name("--report", names->report, ".html", ".html", "report.html", error);
    return status;
}

/* ---------------------------------------------------------------- paths */

static sat_status place(const char **name, const char *folder, char **owned, sat_error *error)
{
    if (!*name) return SAT_OK;
    *name = *owned = output_path_in(folder, *name);
    return *owned ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for a file's name");
}

sat_status batch_outputs_place(case_settings *settings, const char *folder, batch_outputs *owned, sat_error *error)
{
    *owned = (batch_outputs){0};
    sat_status status = place(&settings->label_map, folder, &owned->label_map, error);
    if (status == SAT_OK) status = place(&settings->statistics, folder, &owned->statistics, error);
    if (status == SAT_OK) status = place(&settings->preview, folder, &owned->preview, error);
    if (status == SAT_OK) status = place(&settings->report, folder, &owned->report, error);
    return status;
}

void batch_outputs_free(batch_outputs *owned)
{
    free(owned->label_map);
    free(owned->statistics);
    free(owned->preview);
    free(owned->report);
    *owned = (batch_outputs){0};
}

/* ---------------------------------------------------------------- what is there afterwards */

sat_status batch_outputs_names(const case_settings *names, int labels, char *files[BATCH_OUTPUTS_MOST], int *count, sat_error *error)
{
    const char *const singles[] = {names->label_map, names->statistics, names->preview, names->report};
    int n = 0;
    for (size_t i = 0; i < sizeof singles / sizeof *singles; i++)
        if (singles[i]) files[n++] = strdup(singles[i]);
    if (names->label_map) files[n++] = label_files_path_beside(names->label_map, ".txt");
    if (names->label_map && labels <= LABEL_FILES_SLICER_MOST) files[n++] = label_files_path_beside(names->label_map, ".ctbl");
    bool whole = true;
    for (int i = 0; i < n; i++)
        whole = whole && files[i];
    *count = whole ? n : 0;
    for (int i = 0; i < n && !whole; i++)
        free(files[i]);
    return whole ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for the names of a case's files");
}
