#include "image/nifti.h"
#include "interface/handles.h"
#include "interface/sized.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_LABEL = 120 };

int sat_result_labels(const sat_result *r) { return r ? r->found.label_count : 0; }

const char *sat_result_warning(const sat_result *r, int index)
{
    return r && index >= 0 && index < r->found.warning_count ? r->found.warnings[index] : NULL;
}

static sat_status check_index(const sat_result *r, int index, sat_error *error)
{
    if (!r) return sat_fail(error, SAT_BAD_ARGUMENT, "the result is NULL");
    if (index >= 0 && index < r->found.label_count) return SAT_OK;
    return sat_fail(error, SAT_BAD_ARGUMENT, "there is no label %d: the result has %d, counted from 0", index, r->found.label_count);
}

sat_status sat_result_label(const sat_result *r, int index, sat_label *label, sat_error *error)
{
    const sat_status status = check_index(r, index, error);
    if (status != SAT_OK) return status;
    const label_statistics *found = &r->found.labels[index].found;
    sat_label mine = {.name = r->names[index],
                      .voxels = found->voxels,
                      .volume_ml = found->volume_ml,
                      .mean = found->mean,
                      .deviation = found->deviation};
    memcpy(mine.box_ijk, found->box_ijk, sizeof mine.box_ijk);
    memcpy(mine.centroid_mm, found->centroid_mm, sizeof mine.centroid_mm);
    return sized_write(label, &mine, sizeof mine, LEAST_LABEL, "sat_label", error);
}

/* ---------------------------------------------------------------- voxels */

static sat_status check_kept(const sat_result *r, int index, const kept *of, const char *what, sat_error *error)
{
    const sat_status status = check_index(r, index, error);
    if (status != SAT_OK || of) return status;
    return sat_fail(error, SAT_BAD_ARGUMENT, "the result holds no %s: set keep_%s in the request", what, what);
}

static sat_status copy(const sat_result *r, int index, const kept *of, const char *what, size_t unit, void *to, size_t bytes,
                       sat_error *error)
{
    const sat_status status = check_kept(r, index, of, what, error);
    if (status != SAT_OK) return status;
    const size_t needed = volume_voxels(&r->grid) * unit;
    if (!to || bytes < needed)
        return sat_fail(error, SAT_BAD_ARGUMENT, "%zu bytes are needed, there are %zu", needed, to ? bytes : 0);
    kept_copy(of, index, to);
    return SAT_OK;
}

static sat_status copy_new(const sat_result *r, int index, const kept *of, const char *what, size_t unit, void **to, sat_error *error)
{
    const sat_status status = check_kept(r, index, of, what, error);
    *to = NULL;
    if (status != SAT_OK) return status;
    *to = malloc(volume_voxels(&r->grid) * unit);
    if (!*to) return sat_fail(error, SAT_NO_MEMORY, "%zu MB could not be had", volume_voxels(&r->grid) * unit >> 20);
    kept_copy(of, index, *to);
    return SAT_OK;
}

sat_status sat_result_mask(const sat_result *r, int index, uint8_t *mask, size_t bytes, sat_error *error)
{
    return copy(r, index, r ? r->masks : NULL, "masks", sizeof *mask, mask, bytes, error);
}

sat_status sat_result_probability(const sat_result *r, int index, float *probability, size_t bytes, sat_error *error)
{
    return copy(r, index, r ? r->probabilities : NULL, "probabilities", sizeof *probability, probability, bytes, error);
}

sat_status sat_result_mask_new(const sat_result *r, int index, uint8_t **mask, sat_error *error)
{
    void *made = NULL;
    if (!mask) return sat_fail(error, SAT_BAD_ARGUMENT, "there is no place for the mask (NULL)");
    const sat_status status = copy_new(r, index, r ? r->masks : NULL, "masks", sizeof **mask, &made, error);
    *mask = made;
    return status;
}

sat_status sat_result_probability_new(const sat_result *r, int index, float **probability, sat_error *error)
{
    void *made = NULL;
    if (!probability) return sat_fail(error, SAT_BAD_ARGUMENT, "there is no place for the probabilities (NULL)");
    const sat_status status = copy_new(r, index, r ? r->probabilities : NULL, "probabilities", sizeof **probability, &made, error);
    *probability = made;
    return status;
}

sat_status sat_result_write_mask(const sat_result *r, int index, const char *path, sat_error *error)
{
    uint8_t *mask;
    if (!path) return sat_fail(error, SAT_BAD_ARGUMENT, "the mask's path is NULL");
    sat_status status = sat_result_mask_new(r, index, &mask, error);
    if (status == SAT_OK) status = nifti_write_like(path, &r->grid, VOXEL_UINT8, mask, NULL, NULL, error);
    free(mask);
    return status;
}
