/* The half of check_scan.h that looks at where voxels lie. */
#include "image/geometry.h"
#include "image/orientation.h"
#include "segment/check_scan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Where a scan stops being what any model was trained with. Wide of what scanners do, so that nothing ordinary is complained about. */
static const double spacing_thick_mm = 10;     /* beyond it organs fall between slices                          */
static const double spacing_ratio_most = 16;   /* 0.5 x 0.5 x 7 mm is still ordinary                            */
static const double spacing_finer_than_model = 4;
static const double extent_small_mm = 32;      /* less shows no context to know an organ by                     */
static const double extent_across_mm = 1000;   /* wider than a scanner's bore                                   */
static const double extent_along_mm = 2500;    /* longer than a person                                          */
static const double oblique_note_degrees = 15, oblique_warning_degrees = 30;
enum { SLICES_FEW = 8, MATRIX_LOST_SPACING = 512 };

static const char *const axis_words[3] = {"left to right", "front to back", "head to feet"};

/* The grid along patient axes, as orientation_find assigns them. */
typedef struct patient_grid {
    bool known;
    double spacing_mm[3], extent_mm[3];
    int64_t voxels[3];
    double turned_degrees; /* the largest angle between a voxel axis and its patient axis */
} patient_grid;

static patient_grid patient_grid_of(const volume *scan)
{
    patient_grid g = {0};
    const double(*affine)[4] = (const double(*)[4])scan->grid.voxel_to_world;
    double spacing[3];
    orientation o;
    sat_error unused;
    if (orientation_find(affine, "RAS", &o, &unused) != SAT_OK) return g;
    affine_spacing(affine, spacing);
    for (int a = 0; a < 3; a++) {
        const int file = o.source[a];
        const double cosine = fabs(affine[a][file]) / spacing[file];
        const double degrees = acos(cosine > 1 ? 1 : cosine) * 180 / 3.14159265358979323846;
        g.spacing_mm[a] = spacing[file];
        g.voxels[a] = scan->grid.shape_ijk[file];
        g.extent_mm[a] = spacing[file] * (double)g.voxels[a];
        if (degrees > g.turned_degrees) g.turned_degrees = degrees;
    }
    g.known = true;
    return g;
}

/* ---------------------------------------------------------------- what the reader noticed */

/* Whether the header's two positions put the patient's left on different sides, or turn the scan over. */
static bool forms_disagree_on_sides(const volume *scan)
{
    const volume_form *f = &scan->form;
    double quaternion[3][4];
    char of_sform[4], of_qform[4];
    sat_error unused;
    if (!affine_from_quaternion(f->quaternion_bcd, f->quaternion_offset_mm, f->pixdim + 1, f->pixdim[0], 1e-5, quaternion)) return false;
    if (orientation_code_of((const double(*)[4])quaternion, of_qform, &unused) != SAT_OK) return false;
    if (orientation_code_of((const double(*)[4])f->srow_mm, of_sform, &unused) != SAT_OK) return false;
    return strcmp(of_sform, of_qform) != 0;
}

static void check_reader_warnings(const volume *scan, check_list *found)
{
    static const struct {
        unsigned bit;
        const char *code;
        check_severity severity;
    } rows[] = {
        {VOLUME_WARNS_NO_FORM, "header-no-position", CHECK_SERIOUS},
        {VOLUME_WARNS_FORMS_DIFFER, "header-forms-differ", CHECK_WARNING},
        {VOLUME_WARNS_FORM_REPAIRED, "header-form-repaired", CHECK_WARNING},
        {VOLUME_WARNS_SHEARED, "axes-sheared", CHECK_WARNING},
        {VOLUME_WARNS_LEFT_HANDED, "axes-mirrored", CHECK_NOTE},
        {VOLUME_WARNS_TRAILING, "file-too-long", CHECK_WARNING},
        {VOLUME_WARNS_UNITS, "header-units", CHECK_WARNING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!(scan->warnings & rows[i].bit)) continue;
        if (rows[i].bit == VOLUME_WARNS_FORMS_DIFFER && forms_disagree_on_sides(scan))
            check_add(found, "header-sides-contradict", CHECK_SERIOUS, CHECK_SCAN,
                      "the header's two positions (sform and qform) give the axes different directions, so one of them has left and right, "
                      "front and back or head and feet exchanged; the sform was used: look at the scan in a viewer, and convert it anew from its source");
        else
            check_add(found, rows[i].code, rows[i].severity, CHECK_SCAN, "%s", volume_warning_text(rows[i].bit));
    }
    if (scan->volumes_in_file > 1)
        check_add(found, "several-volumes", CHECK_WARNING, CHECK_SCAN,
                  "the file holds %lld volumes (a time series, echoes, or contrasts) and only one is looked at; choose with --volume, from 0",
                  (long long)scan->volumes_in_file);
}

/* ---------------------------------------------------------------- spacing and field of view */

static void check_spacing(const patient_grid *g, const model_description *model, check_list *found)
{
    int thick = 0, thin = 0;
    for (int a = 1; a < 3; a++) {
        if (g->spacing_mm[a] > g->spacing_mm[thick]) thick = a;
        if (g->spacing_mm[a] < g->spacing_mm[thin]) thin = a;
    }
    const double most = g->spacing_mm[thick], least = g->spacing_mm[thin];
    if (most > spacing_thick_mm)
        check_add(found, "spacing-thick", CHECK_WARNING, CHECK_SCAN,
                  "voxels are %.3g mm apart from %s; beyond %.0f mm small structures fall between slices and masks get coarse: use the thin-slice "
                  "series of this examination if there is one",
                  most, axis_words[thick], spacing_thick_mm);
    else if (most > spacing_ratio_most * least)
        check_add(found, "spacing-anisotropic", CHECK_WARNING, CHECK_SCAN,
                  "voxels are %.3g mm apart from %s but %.3g mm from %s, %.0f times as far; check that the spacing in the header is right", most,
                  axis_words[thick], least, axis_words[thin], most / least);
    int exactly_one = 0, large = 0;
    for (int a = 0; a < 3; a++) {
        exactly_one += g->spacing_mm[a] == 1;
        large += g->voxels[a] >= MATRIX_LOST_SPACING;
    }
    if (exactly_one == 3 && large >= 2)
        check_add(found, "spacing-default", CHECK_WARNING, CHECK_SCAN,
                  "the spacing is exactly 1 x 1 x 1 mm although the slices have %lld x %lld voxels, which usually means that a conversion lost the "
                  "true spacing; a model that sees a body of the wrong size finds little: convert the scan anew from DICOM",
                  (long long)g->voxels[0], (long long)g->voxels[1]);
    if (!model) return;
    for (int a = 0; a < 3; a++)
        if (g->voxels[a] > 1 && g->spacing_mm[a] * spacing_finer_than_model <= model->spacing_mm[a]) {
            check_add(found, "finer-than-model", CHECK_NOTE, CHECK_SCAN,
                      "the scan has a voxel every %.3g mm from %s, the model looks every %.3g mm; masks come back on the scan's grid, but show no "
                      "finer detail than the model's",
                      g->spacing_mm[a], axis_words[a], model->spacing_mm[a]);
            break;
        }
}

/* Thick slices that are not axial: the model's coarse axis is another one. */
static void check_slice_direction(const patient_grid *g, check_list *found)
{
    for (int a = 0; a < 2; a++) {
        const double other = fmax(g->spacing_mm[1 - a], g->spacing_mm[2]);
        if (g->spacing_mm[a] < 2 * other) continue;
        if (a == 0)
            check_add(found, "slices-sagittal", CHECK_NOTE, CHECK_SCAN,
                      "slices are sagittal (%.3g mm apart from left to right); for sagittal spine scans try --orientation ASR",
                      g->spacing_mm[a]);
        else
            check_add(found, "slices-coronal", CHECK_NOTE, CHECK_SCAN,
                      "slices are coronal (%.3g mm apart from front to back); the model was mostly shown axial slices", g->spacing_mm[a]);
    }
}

static void check_extent(const patient_grid *g, check_list *found)
{
    int small = 0, few = 0;
    for (int a = 1; a < 3; a++) {
        if (g->extent_mm[a] < g->extent_mm[small]) small = a;
        if (g->voxels[a] < g->voxels[few]) few = a;
    }
    if (g->voxels[few] == 1)
        check_add(found, "single-slice", CHECK_SERIOUS, CHECK_SCAN,
                  "there is one voxel only from %s: this is a picture, not a volume, and the model knows volumes", axis_words[few]);
    else if (g->voxels[few] < SLICES_FEW)
        check_add(found, "few-slices", CHECK_WARNING, CHECK_SCAN,
                  "there are only %lld slices from %s; the model needs the surroundings to know a structure by", (long long)g->voxels[few],
                  axis_words[few]);
    if (g->extent_mm[small] < extent_small_mm && g->voxels[small] >= SLICES_FEW)
        check_add(found, "extent-small", CHECK_WARNING, CHECK_SCAN,
                  "the scan covers only %.3g mm from %s; below %.0f mm the model lacks the surroundings to know a structure by: give it the "
                  "uncropped scan, and check that the spacing is in millimetres",
                  g->extent_mm[small], axis_words[small], extent_small_mm);
    for (int a = 0; a < 3; a++)
        if (g->extent_mm[a] > (a < 2 ? extent_across_mm : extent_along_mm)) {
            check_add(found, "extent-huge", CHECK_SERIOUS, CHECK_SCAN,
                      "the scan covers %.0f mm from %s, more than a scanner holds; the spacing in the header is probably wrong: convert the scan "
                      "anew from its source",
                      g->extent_mm[a], axis_words[a]);
            break;
        }
}

static void check_turned(const patient_grid *g, check_list *found)
{
    if (g->turned_degrees >= oblique_warning_degrees)
        check_add(found, "axes-oblique", CHECK_WARNING, CHECK_SCAN,
                  "the voxel axes are turned by %.0f degrees against the patient's; which way is up is close to a guess, and the model was shown "
                  "upright patients: resample the scan to upright axes if masks look wrong",
                  g->turned_degrees);
    else if (g->turned_degrees >= oblique_note_degrees)
        check_add(found, "axes-oblique", CHECK_NOTE, CHECK_SCAN, "the voxel axes are turned by %.0f degrees against the patient's",
                  g->turned_degrees);
}

sat_status check_header(const volume *scan, const model_description *model, check_list *found, sat_error *error)
{
    check_reader_warnings(scan, found);
    const patient_grid g = patient_grid_of(scan);
    if (g.known) {
        check_spacing(&g, model, found);
        check_slice_direction(&g, found);
        check_extent(&g, found);
        check_turned(&g, found);
    }
    return check_list_status(found, error);
}
