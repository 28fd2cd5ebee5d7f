#include "segment/check_body.h"

#include "image/geometry.h"
#include "image/orientation.h"
#include "segment/modality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ACROSS = 128, SAMPLES_FEW = 500 };
static const double air_to_tissue_hu = -300;
static const double narrowest_body_mm = 60;
static const double least_bin_mm = 20;
static const double cut_share = 0.5; /* of the mean plane: a face with more body than that cuts the body */

/* Sums over the body's samples, whole and by height. */
typedef struct body_sums {
    double x, xx, count;
    double bin_x[CHECK_BODY_BINS], bin_count[CHECK_BODY_BINS];
    double face[2]; /* samples on the first and the last plane along the axis from left to right */
    int planes;     /* along that axis                                                          */
} body_sums;

static int64_t stride_of(int64_t n) { return (n + ACROSS - 1) / ACROSS; }

/* A share of the way from dark to bright. PET's bright spots are far above everything else. */
static double threshold_of(const volume *scan, const char *modality)
{
    char word[16] = "";
    if (modality) modality_for_text(modality, word, sizeof word);
    if (strcmp(word, "ct") == 0) return air_to_tissue_hu;
    /* The mean of what is above the mean is bright, of what is below it dark: two steps of k-means, no sorting. */
    double sum[2] = {0}, count[2] = {0}, middle = 0;
    float row[1 << 10];
    const size_t voxels = volume_voxels(scan), length = sizeof row / sizeof *row, stride = voxels / length / 512 + 1;
    for (int step = 0; step < 2; step++) {
        sum[0] = sum[1] = count[0] = count[1] = 0;
        for (size_t first = 0; first < voxels; first += stride * length) {
            const size_t some = voxels - first < length ? voxels - first : length;
            volume_values(scan, first, some, row);
            for (size_t n = 0; n < some; n++) {
                if (!isfinite(row[n])) continue;
                const int bright = step && (double)row[n] > middle;
                sum[bright] += (double)row[n];
                count[bright]++;
            }
        }
        if (step == 0) middle = count[0] ? sum[0] / count[0] : 0;
    }
    const double dark = count[0] ? sum[0] / count[0] : middle, bright = count[1] ? sum[1] / count[1] : middle;
    return dark + (strcmp(word, "pet") == 0 ? 0.05 : 0.25) * (bright - dark);
}

static void add_row(const volume *scan, const float *row, int64_t j, int64_t k, double threshold, int lateral, check_body *b, body_sums *s)
{
    const double(*m)[4] = (const double(*)[4])scan->grid.voxel_to_world;
    const int64_t *n = scan->grid.shape_ijk;
    const int64_t step[3] = {stride_of(n[0]), stride_of(n[1]), stride_of(n[2])};
    const int64_t last = (n[lateral] - 1) / step[lateral] * step[lateral];
    for (int64_t i = 0; i < n[0]; i += step[0]) {
        if (!((double)row[i] > threshold)) continue;
        const int64_t at[3] = {i, j, k};
        double xyz[3] = {(double)i, (double)j, (double)k};
        affine_apply(m, xyz, xyz);
        int bin = (int)((xyz[2] - b->lowest_z_mm) / b->bin_mm);
        bin = bin < 0 ? 0 : bin >= CHECK_BODY_BINS ? CHECK_BODY_BINS - 1 : bin;
        s->x += xyz[0];
        s->xx += xyz[0] * xyz[0];
        s->count++;
        s->bin_x[bin] += xyz[0];
        s->bin_count[bin]++;
        if (at[lateral] == 0) s->face[0]++;
        if (at[lateral] == last) s->face[1]++;
    }
}

static void span_bins(const geometry *grid, check_body *b)
{
    double low = INFINITY, high = -INFINITY;
    for (int corner = 0; corner < 8; corner++) {
        double xyz[3];
        for (int a = 0; a < 3; a++)
            xyz[a] = corner >> a & 1 ? (double)(grid->shape_ijk[a] - 1) : 0;
        affine_apply((const double(*)[4])grid->voxel_to_world, xyz, xyz);
        low = fmin(low, xyz[2]);
        high = fmax(high, xyz[2]);
    }
    b->lowest_z_mm = low;
    b->bin_mm = fmax(least_bin_mm, (high - low) / CHECK_BODY_BINS);
}

static void judge(const body_sums *s, check_body *b)
{
    const double mean_plane = s->count / s->planes;
    b->midline_x_mm = s->count > 0 ? s->x / s->count : 0;
    /* a slab of width w has a standard deviation of w / sqrt(12) */
    b->width_mm = s->count > 0 ? sqrt(12 * fmax(0, s->xx / s->count - b->midline_x_mm * b->midline_x_mm)) : 0;
    for (int i = 0; i < CHECK_BODY_BINS; i++)
        b->bin_x_mm[i] = s->bin_count[i] >= SAMPLES_FEW ? s->bin_x[i] / s->bin_count[i] : NAN;
    if (s->count < SAMPLES_FEW) b->reason = "there is too little body in the scan";
    else if (s->face[0] > cut_share * mean_plane || s->face[1] > cut_share * mean_plane)
        b->reason = "the scan does not show the body's whole width";
    else if (b->width_mm < narrowest_body_mm)
        b->reason = "what the scan shows is too narrow for a body";
    b->known = b->reason == NULL;
}

sat_status check_body_find(const volume *scan, const char *modality, check_body *body, sat_error *error)
{
    *body = (check_body){0};
    const int64_t *n = scan->grid.shape_ijk;
    orientation o;
    sat_error unused;
    if (orientation_find((const double(*)[4])scan->grid.voxel_to_world, "RAS", &o, &unused) != SAT_OK) {
        body->reason = "the header's geometry is not usable";
        return SAT_OK;
    }
    float *row = malloc((size_t)n[0] * sizeof *row);
    if (!row) return sat_fail(error, SAT_NO_MEMORY, "no memory for a row of the scan");
    const double threshold = threshold_of(scan, modality);
    body_sums s = {.planes = (int)((n[o.source[0]] - 1) / stride_of(n[o.source[0]]) + 1)};
    span_bins(&scan->grid, body);
    for (int64_t k = 0; k < n[2]; k += stride_of(n[2]))
        for (int64_t j = 0; j < n[1]; j += stride_of(n[1])) {
            volume_values(scan, (size_t)((k * n[1] + j) * n[0]), (size_t)n[0], row);
            add_row(scan, row, j, k, threshold, o.source[0], body, &s);
        }
    judge(&s, body);
    free(row);
    return SAT_OK;
}

double check_body_midline(const check_body *body, double z_mm)
{
    const double bin = floor((z_mm - body->lowest_z_mm) / body->bin_mm);
    if (!(bin >= 0 && bin < CHECK_BODY_BINS)) return body->midline_x_mm;
    const double x = body->bin_x_mm[(int)bin];
    return isnan(x) ? body->midline_x_mm : x;
}
