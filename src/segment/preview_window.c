/* Which values of a scan are shown black and which white. */
#include "segment/preview_planes.h"

#include "image/percentile.h"
#include "segment/modality.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values on a fixed pattern: of every voxel, or of those with a label. */
typedef struct sample {
    float *values; /* owned */
    size_t count;
} sample;

enum { SAMPLE_MOST = 2000000, SAMPLE_FEW = 20 };

/* Prime steps do not fall in step with the rows of a scan. */
static size_t sample_step(size_t voxels)
{
    static const size_t primes[] = {1,   2,   3,   5,   7,   11,  17,   29,   41,   67,
                                    101, 151, 251, 397, 599, 997, 1999, 3989, 7993, 15991};
    const size_t count = sizeof primes / sizeof *primes;
    size_t n = 0;
    while (n + 1 < count && voxels / primes[n] > SAMPLE_MOST)
        n++;
    return voxels / primes[n] > SAMPLE_MOST ? voxels / SAMPLE_MOST : primes[n];
}

/* Finite values; `labelled`: only where a label is, else only those other than 0. */
static sat_status sample_take(const preview_request *request, bool labelled, sample *taken, sat_error *error)
{
    const volume *scan = request->scan;
    const size_t voxels = volume_voxels(scan);
    const size_t step = sample_step(voxels);
    *taken = (sample){.values = malloc((voxels / step + 1) * sizeof *taken->values)};
    if (!taken->values) return sat_fail(error, SAT_NO_MEMORY, "no memory for the preview's grey window");
    for (size_t v = 0; v < voxels; v += step) {
        if (labelled && (request->label_map[v] == 0 || request->label_map[v] > request->label_count)) continue;
        float value;
        volume_values(scan, v, 1, &value);
        if (isfinite(value) && (labelled || value != 0)) taken->values[taken->count++] = value;
    }
    return SAT_OK;
}

static void words_for(preview_window *w, const char *name, const char *unit)
{
    char ends[2][24];
    for (int n = 0; n < 2; n++) {
        const double end = n ? w->high : w->low;
        snprintf(ends[n], sizeof ends[n], fabs(end) >= 100 && fabs(end) < 1e7 ? "%.0f" : "%.3g", end);
    }
    snprintf(w->words, sizeof w->words, "%s, %s to %s%s%s", name, ends[0], ends[1], *unit ? " " : "", unit);
}

/* Black and white by percentiles of the scan's own values. */
static sat_status by_percentiles(const preview_request *request, bool pet, preview_window *w, sat_error *error)
{
    sample all;
    double found[2] = {0, 1};
    sat_status status = sample_take(request, false, &all, error);
    if (status == SAT_OK && all.count > 0)
        status = percentiles_find(all.values, all.count, (const double[]){1.0, 99.5}, 2, 1, found, error);
    free(all.values);
    if (status != SAT_OK) return status;
    w->low = pet && found[0] >= 0 ? 0 : found[0];
    w->high = found[1] > w->low ? found[1] : w->low + 1;
    w->dark_is_high = pet;
    words_for(w, pet ? "window from 0 to the 99.5th percentile" : "window from the 1st to the 99.5th percentile", "");
    return SAT_OK;
}

/* The presets of CT viewers, as centre and width in HU. */
typedef struct preset {
    const char *name;
    double centre, width;
} preset;
static const preset soft_tissue = {"soft tissue window", 40, 400}, lung = {"lung window", -600, 1500},
                    bone = {"bone window", 400, 1800};

static sat_status by_hounsfield(const preview_request *request, preview_window *w, bool *is_hounsfield,
                                sat_error *error)
{
    sample taken = {0};
    const preset *chosen = &soft_tissue;
    double found[2] = {0, 0}, median = 0;
    sat_status status = sample_take(request, false, &taken, error);
    if (status == SAT_OK && taken.count > 0)
        status = percentiles_find(taken.values, taken.count, (const double[]){0.5, 99.5}, 2, 1, found, error);
    /* a soft tissue window of what has no contrast in it, such as values from 0 to 1, shows one even grey */
    *is_hounsfield = found[0] < 240 && found[1] > -160 && found[1] - found[0] > 20;
    free(taken.values);
    taken = (sample){0};
    if (status == SAT_OK && request->label_map) status = sample_take(request, true, &taken, error);
    if (status == SAT_OK && taken.count >= SAMPLE_FEW) {
        status = percentiles_find(taken.values, taken.count, (const double[]){50.0}, 1, 1, &median, error);
        chosen = median < -400 ? &lung : median > 250 ? &bone : &soft_tissue;
    }
    free(taken.values);
    w->low = chosen->centre - chosen->width / 2;
    w->high = chosen->centre + chosen->width / 2;
    words_for(w, chosen->name, "HU");
    return status;
}

sat_status preview_window_find(const preview_request *request, preview_window *w, sat_error *error)
{
    *w = (preview_window){0};
    char word[16];
    modality_for_text(request->modality ? request->modality : "", word, sizeof word);
    const bool pet = strcmp(word, "pet") == 0;
    if (request->window_low < request->window_high) {
        *w = (preview_window){.low = request->window_low, .high = request->window_high, .dark_is_high = pet};
        words_for(w, "window", strcmp(word, "ct") == 0 ? "HU" : "");
        return SAT_OK;
    }
    if (strcmp(word, "ct") == 0) {
        bool is_hounsfield;
        const sat_status status = by_hounsfield(request, w, &is_hounsfield, error);
        if (status != SAT_OK || is_hounsfield) return status;
    }
    return by_percentiles(request, pet, w, error);
}
