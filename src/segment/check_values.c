/* The half of check_scan.h that looks at the values. */
#include "segment/check_census.h"
#include "segment/check_scan.h"
#include "segment/modality.h"
#include "text/modality.h"

#include <math.h>
#include <string.h>

/* Air is below -700 HU, lung mostly, and the air around every patient: a CT without a voxel below this is none, or was cut or rescaled. */
static const double no_air_hu = -200;
static const double normalised_range = 30;   /* 0..1, -1..1, z-scores; no scanner's scale is so narrow       */
static const double beyond_hu = 32767;
static const double clipped_share = 0.005;   /* of voxels that sit at a bound                              */
static const double almost_empty_share = 0.001;
static const double negative_share = 0.05;
enum { LABELS_MOST = 64 };

static void check_not_finite(const check_census *c, check_list *found)
{
    if (c->not_finite && c->sampled)
        check_add(found, "not-finite", CHECK_WARNING, CHECK_SCAN,
                  "%zu of %zu voxels are not-a-number or infinite; they are taken as background (air in a ct), which is right where a mask was "
                  "applied and wrong elsewhere",
                  c->not_finite, c->voxels);
}

/* True when nothing further can be said of the values. */
static bool check_empty(const check_census *c, bool ct, check_list *found)
{
    if (c->not_finite == c->voxels) {
        check_add(found, "no-finite-value", CHECK_SERIOUS, CHECK_SCAN,
                  "no voxel has a finite value: the file is damaged, or the wrong one");
        return true;
    }
    if (!(c->least < c->most)) {
        check_add(found, "constant", CHECK_SERIOUS, CHECK_SCAN, "all voxels have the value %g: the scan is empty, or a conversion lost it",
                  (double)c->least);
        return true;
    }
    if (c->positive == 0)
        check_add(found, "no-foreground", CHECK_SERIOUS, CHECK_SCAN,
                  "no voxel is above 0 (values from %g to %g), so there is no body to crop to: %s", (double)c->least, (double)c->most,
                  ct ? "soft tissue and bone are missing; check the rescale intercept" : "check the scaling of the values");
    else if ((double)c->positive < almost_empty_share * (double)c->voxels)
        check_add(found, "almost-empty", CHECK_WARNING, CHECK_SCAN, "only %zu of %zu voxels are above 0: the scan is almost empty", c->positive,
                  c->voxels);
    return false;
}

/* A mask given for a scan: few whole numbers, most of them the same. */
static bool check_labels(const check_census *c, check_list *found)
{
    if (c->distinct == 0 || c->distinct > LABELS_MOST || c->share_most_common < 0.3) return false;
    check_add(found, "looks-like-labels", CHECK_SERIOUS, CHECK_SCAN,
              "there are only %d different values, all whole numbers from %g to %g: this looks like a mask or label map, not like a scan",
              c->distinct, (double)c->least, (double)c->most);
    return true;
}

/* ---------------------------------------------------------------- ct */

static void check_ct_clipped(const check_census *c, const intensity_rules *rules, check_list *found)
{
    const bool low = (double)c->least > rules->ct_clip_low_hu && c->share_least > 10 * clipped_share;
    const bool high = (double)c->most < rules->ct_clip_high_hu && c->share_most > clipped_share;
    if (low || high)
        check_add(found, "ct-clipped", CHECK_WARNING, CHECK_SCAN,
                  "values were cut to a window (%g to %g; %.0f %% and %.1f %% of voxels sit at its ends), while the model was shown %g to %g HU: "
                  "use the scan before windowing",
                  (double)c->least, (double)c->most, 100 * c->share_least, 100 * c->share_most, rules->ct_clip_low_hu, rules->ct_clip_high_hu);
}

static void check_ct(const volume *scan, const check_census *c, const intensity_rules *rules, check_list *found)
{
    const double least = (double)c->least, most = (double)c->most;
    const double robust_range = c->percentile_99 - c->percentile_1;
    if (most - least <= normalised_range && robust_range <= normalised_range)
        check_add(found, "ct-normalised", CHECK_SERIOUS, CHECK_SCAN,
                  "values go from %.4g to %.4g, which are no Hounsfield units: they were normalised; a ct needs its original values (air -1000, water "
                  "0), so use the scan before normalisation",
                  least, most);
    else if (least >= 0 && most <= 255)
        check_add(found, "ct-picture-values", CHECK_SERIOUS, CHECK_SCAN,
                  "values go from %g to %g like a picture's, which are no Hounsfield units (air -1000, water 0): convert the scan anew from DICOM",
                  least, most);
    else if (least >= -200 && (check_looks_hounsfield(scan, 1024) || check_looks_hounsfield(scan, 1000)))
        check_add(found, "ct-shifted", CHECK_SERIOUS, CHECK_SCAN,
                  "values go from %g to %g and look like Hounsfield units plus 1024: the rescale intercept was lost; set it, or subtract 1024", least,
                  most);
    else if (least >= no_air_hu)
        check_add(found, "ct-no-air", least >= 0 ? CHECK_SERIOUS : CHECK_WARNING, CHECK_SCAN,
                  "values go from %g to %g: no voxel is below %g HU, so there is no air in this ct; %s", least, most, no_air_hu,
                  least >= 0 ? "it is not in Hounsfield units, or everything outside an organ was set to 0: use the original scan"
                             : "it was cropped to soft tissue or cut to a window: use the original scan if masks are poor");
    else if (most > beyond_hu || least < -beyond_hu - 1)
        check_add(found, "ct-out-of-range", CHECK_WARNING, CHECK_SCAN,
                  "values go from %g to %g, beyond what Hounsfield units reach: check the rescale slope", least, most);
    if (least < 0) check_ct_clipped(c, rules, found);
}

/* ---------------------------------------------------------------- the others */

static void check_not_ct(const volume *scan, const check_census *c, const char *modality, const char *word, check_list *found)
{
    if (c->least < -200 && check_looks_hounsfield(scan, 0))
        check_add(found, "looks-like-ct", CHECK_SERIOUS, CHECK_SCAN,
                  "values from %g to %g have the two peaks of a ct, air near -1000 and soft tissue near 0, but the modality given is '%s': "
                  "say --modality ct",
                  (double)c->least, (double)c->most, modality);
    else if (strcmp(word, "pet") == 0 && c->share_negative > negative_share && c->percentile_1 < -0.02 * fabs(c->percentile_99))
        check_add(found, "pet-negative", CHECK_WARNING, CHECK_SCAN,
                  "%.0f %% of voxels are negative (down to %g), but there is no negative uptake: the values were normalised, or this is another "
                  "modality",
                  100 * c->share_negative, (double)c->least);
    else if (strcmp(word, "pet") != 0 && c->share_negative > negative_share)
        check_add(found, "negative-values", CHECK_NOTE, CHECK_SCAN,
                  "%.0f %% of voxels are negative (down to %g): a normalised scan or a phase image; the model was shown magnitudes",
                  100 * c->share_negative, (double)c->least);
}

static void check_modality_word(const char *modality, const char *word, check_list *found)
{
    if (modality_row(word) < 0)
        check_add(found, "modality-unknown", CHECK_SERIOUS, CHECK_SCAN,
                  "the model knows no modality '%s'; say ct, mri, pet or us (also such as 'MRI T1')", modality);
    else if (strcmp(word, "ct") == 0 && !modality_is_hounsfield(modality))
        check_add(found, "modality-not-plain-ct", CHECK_WARNING, CHECK_SCAN,
                  "the modality '%s' is a ct for the words but not for the intensities, which are cut at percentiles instead of Hounsfield units, as "
                  "the release does it: say ct, nothing more",
                  modality);
}

sat_status check_values(const volume *scan, const char *modality, const model_description *model, int threads, check_list *found,
                        sat_error *error)
{
    check_census c;
    model_description usual; /* the release's bounds, where no model says its own */
    if (!model) {
        model_variant("nano", &usual);
        model = &usual;
    }
    char word[64] = "";
    const sat_status status = check_census_take(scan, threads, &c, error);
    if (status != SAT_OK) return status;
    if (modality) {
        modality_for_text(modality, word, sizeof word);
        check_modality_word(modality, word, found);
    }
    const bool ct = strcmp(word, "ct") == 0;
    check_not_finite(&c, found);
    if (!check_empty(&c, ct, found) && !check_labels(&c, found)) {
        if (ct) check_ct(scan, &c, &model->intensity, found);
        else if (modality) check_not_ct(scan, &c, modality, word, found);
    }
    return check_list_status(found, error);
}
