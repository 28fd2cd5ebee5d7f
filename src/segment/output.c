#include "segment/output.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char mask_ending[] = ".nii.gz", probability_ending[] = "_probability.nii.gz";

char *output_path_in(const char *folder, const char *name)
{
    const size_t length = strlen(folder), size = length + strlen(name) + 2;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
    return path;
}

size_t output_bytes(bool probabilities, int threads)
{
    /* gzip.h: 1 MB for one thread, 2.5 MB each for more */
    const size_t writer = threads > 1 ? (size_t)threads * 2500000 : 1000000;
    return writer * (probabilities ? 2 : 1);
}

/* "Lung" with probabilities and a label "lung probability" want one name: rather than overwrite, say so. */
static sat_status check_names(const output *out, int count, sat_error *error)
{
    static const char ending[] = "_probability";
    for (int i = 0; i < count && out->probabilities; i++) {
        const size_t length = strlen(out->names[i]), tail = strlen(ending);
        if (length <= tail || strcmp(out->names[i] + length - tail, ending) != 0) continue;
        for (int k = 0; k < count; k++)
            if (strlen(out->names[k]) == length - tail && strncmp(out->names[k], out->names[i], length - tail) == 0)
                return sat_fail(error, SAT_BAD_ARGUMENT, "the mask of one label and the probabilities of another would both be "
                                "%s.nii.gz; rename one, or leave out --probabilities", out->names[i]);
    }
    return SAT_OK;
}

sat_status output_open(const char *folder, bool probabilities, const char *const *labels, int count, const volume *scan, int threads,
                       batch_files *behind, output *out, sat_error *error)
{
    *out = (output){.folder = folder, .scan = scan, .threads = threads, .behind = behind, .probabilities = folder && probabilities};
    if (!folder) return SAT_OK;
    out->names = malloc((size_t)count * sizeof *out->names);
    sat_status status = SAT_OK;
    if (!out->names) status = sat_fail(error, SAT_NO_MEMORY, "no memory for the names of %d masks", count);
    if (status == SAT_OK) status = file_names_of(labels, (size_t)count, out->names, error);
    if (status == SAT_OK) status = check_names(out, count, error);
    if (status == SAT_OK) status = folder_make(folder, error);
    if (status != SAT_OK) output_close(out);
    return status;
}

void output_close(output *out)
{
    if (out->queued) batch_mask_abandon(out->queued);
    out->queued = NULL;
    nifti_writer_abandon(&out->mask);
    nifti_writer_abandon(&out->probability);
    free(out->names);
    out->names = NULL;
}

void output_names(const output *out, int label, char mask[OUTPUT_NAME_MAX], char probability[OUTPUT_NAME_MAX])
{
    mask[0] = probability[0] = '\0';
    if (!out->folder) return;
    snprintf(mask, OUTPUT_NAME_MAX, "%s%s", out->names[label], mask_ending);
    if (out->probabilities) snprintf(probability, OUTPUT_NAME_MAX, "%s%s", out->names[label], probability_ending);
}

static sat_status begin_mask(output *out, const char *name, sat_error *error)
{
    char *path = output_path_in(out->folder, name);
    if (!path) return sat_fail(error, SAT_NO_MEMORY, "no memory for a file's name");
    const nifti_write_options options = {.threads = out->threads, .level = GZIP_LEVEL_LABELS};
    const sat_status status =
        out->behind ? batch_files_mask(out->behind, path, out->scan, &out->queued, &out->warnings, error)
                    : nifti_writer_open_like(path, out->scan, VOXEL_UINT8, &options, &out->mask, error);
    free(path);
    return status;
}

static sat_status begin_probability(output *out, const char *name, sat_error *error)
{
    char *path = output_path_in(out->folder, name);
    if (!path) return sat_fail(error, SAT_NO_MEMORY, "no memory for a file's name");
    const nifti_write_options options = {.threads = out->threads, .level = GZIP_LEVEL_IMAGE};
    const sat_status status = nifti_writer_open_like(path, out->scan, VOXEL_FLOAT32, &options, &out->probability, error);
    free(path);
    return status;
}

sat_status output_begin(output *out, int label, sat_error *error)
{
    if (!out->folder) return SAT_OK;
    char mask[OUTPUT_NAME_MAX], probability[OUTPUT_NAME_MAX];
    output_names(out, label, mask, probability);
    const sat_status status = begin_mask(out, mask, error);
    return status == SAT_OK && out->probabilities ? begin_probability(out, probability, error) : status;
}

sat_status output_add(output *out, const uint8_t *mask, const float *probability, size_t voxels, sat_error *error)
{
    if (!out->folder) return SAT_OK;
    sat_status status = out->queued ? batch_mask_add(out->queued, mask, voxels, error) : nifti_writer_add(&out->mask, mask, voxels, error);
    if (status == SAT_OK && out->probabilities) status = nifti_writer_add(&out->probability, probability, voxels, error);
    return status;
}

sat_status output_end(output *out, sat_error *error)
{
    if (!out->folder) return SAT_OK;
    const sat_status status = out->probabilities ? nifti_writer_commit(&out->probability, error) : SAT_OK;
    if (status != SAT_OK) return status;
    if (out->queued) {
        batch_mask_commit(out->queued);
        out->queued = NULL;
        return SAT_OK;
    }
    out->warnings |= out->mask.warnings;
    return nifti_writer_commit(&out->mask, error);
}
