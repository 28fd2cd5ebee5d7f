#include "segment/output.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *output_path_in(const char *folder, const char *name)
{
    const size_t length = strlen(folder), size = length + strlen(name) + 2;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
    return path;
}

sat_status output_open(const char *folder, const char *const *labels, int count, const volume *scan, int threads,
                       batch_files *behind, output *out, sat_error *error)
{
    *out = (output){.folder = folder, .scan = scan, .behind = behind, .threads = threads};
    if (!folder) return SAT_OK;
    char(*names)[FILE_NAME_MAX] = malloc((size_t)count * sizeof *names);
    out->names = calloc((size_t)count, sizeof *out->names);
    sat_status status = SAT_OK;
    if (!names || !out->names) status = sat_fail(error, SAT_NO_MEMORY, "no memory for the names of %d masks", count);
    if (status == SAT_OK) status = folder_make(folder, error);
    if (status == SAT_OK) status = file_names_of(labels, (size_t)count, names, error);
    for (int i = 0; i < count && status == SAT_OK; i++)
        snprintf(out->names[i], sizeof out->names[i], "%s.nii.gz", names[i]);
    free(names);
    if (status != SAT_OK) output_close(out);
    return status;
}

void output_close(output *out)
{
    if (out->queued) batch_mask_abandon(out->queued);
    out->queued = NULL;
    nifti_writer_abandon(&out->mask);
    free(out->names);
    out->names = NULL;
}

sat_status output_begin(output *out, int label, sat_error *error)
{
    if (!out->folder) return SAT_OK;
    char *path = output_path_in(out->folder, out->names[label]);
    if (!path) return sat_fail(error, SAT_NO_MEMORY, "no memory for a file's name");
    const nifti_write_options options = {.threads = out->threads, .level = GZIP_LEVEL_LABELS};
    const sat_status status =
        out->behind ? batch_files_mask(out->behind, path, out->scan, &out->queued, &out->warnings, error)
                    : nifti_writer_open_like(path, out->scan, VOXEL_UINT8, &options, &out->mask, error);
    free(path);
    return status;
}

sat_status output_mask(output *out, const uint8_t *mask, size_t voxels, sat_error *error)
{
    if (out->queued) return batch_mask_add(out->queued, mask, voxels, error);
    return out->folder ? nifti_writer_add(&out->mask, mask, voxels, error) : SAT_OK;
}

sat_status output_end(output *out, sat_error *error)
{
    if (!out->folder) return SAT_OK;
    if (out->queued) {
        batch_mask_commit(out->queued);
        out->queued = NULL;
        return SAT_OK;
    }
    out->warnings |= out->mask.warnings;
    return nifti_writer_commit(&out->mask, error);
}
