#include "segment/preview_planes.h"

#include "image/geometry.h"
#include "image/orientation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- the frame */

const preview_view preview_views[PREVIEW_PLANES] = {
    [PREVIEW_AXIAL] = {.across = 0, .up = 1, .through = 2},
    [PREVIEW_CORONAL] = {.across = 0, .up = 2, .through = 1},
    [PREVIEW_SAGITTAL] = {.across = 1, .up = 2, .through = 0},
};

static double dot(const double a[3], const double b[3]) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

static void find_extent(const geometry *grid, preview_frame *frame)
{
    for (int a = 0; a < 3; a++) {
        frame->low_mm[a] = INFINITY;
        frame->high_mm[a] = -INFINITY;
    }
    for (int corner = 0; corner < 8; corner++) {
        double ijk[3], xyz[3];
        for (int f = 0; f < 3; f++)
            ijk[f] = corner >> f & 1 ? (double)grid->shape_ijk[f] - 0.5 : -0.5;
        affine_apply(grid->voxel_to_world, ijk, xyz);
        for (int a = 0; a < 3; a++) {
            frame->low_mm[a] = fmin(frame->low_mm[a], dot(frame->axis[a], xyz));
            frame->high_mm[a] = fmax(frame->high_mm[a], dot(frame->axis[a], xyz));
        }
    }
}

sat_status preview_frame_find(const geometry *grid, preview_frame *frame, sat_error *error)
{
    orientation turn;
    double rotation[3][4];
    const sat_status status = orientation_find(grid->voxel_to_world, "RAS", &turn, error);
    if (status != SAT_OK) return status == SAT_BAD_ARGUMENT ? SAT_BAD_INPUT : status;
    if (!affine_nearest_rotation(grid->voxel_to_world, rotation) ||
        !affine_invert(grid->voxel_to_world, frame->world_to_voxel))
        return sat_fail(error, SAT_BAD_INPUT,
                        "the scan's axes are not three independent directions: there is no picture of it");
    frame->oblique_degrees = 0;
    for (int a = 0; a < 3; a++) {
        frame->file_axis[a] = turn.source[a];
        frame->flip[a] = turn.flip[a];
        for (int w = 0; w < 3; w++)
            frame->axis[a][w] = turn.flip[a] ? -rotation[w][turn.source[a]] : rotation[w][turn.source[a]];
        const double cosine = fmin(1.0, fabs(frame->axis[a][a]));
        frame->oblique_degrees = fmax(frame->oblique_degrees, acos(cosine) * 180.0 / 3.14159265358979323846);
    }
    find_extent(grid, frame);
    for (int a = 0; a < 3; a++)
        if (!(frame->high_mm[a] > frame->low_mm[a]) || !isfinite(frame->high_mm[a] - frame->low_mm[a]))
            return sat_fail(error, SAT_BAD_INPUT, "the scan's geometry has no volume: there is no picture of it");
    return SAT_OK;
}

/* ---------------------------------------------------------------- which slices */

/* For each file axis, voxels[slice * ids + id]; where that would be large, one count for all labels together. */
typedef struct slice_counts {
    uint32_t *voxels[3];
    size_t ids;
    bool together;
} slice_counts;

static void counts_free(slice_counts *counts)
{
    for (int f = 0; f < 3; f++)
        free(counts->voxels[f]);
}

static sat_status count_slices(const preview_request *request, slice_counts *counts, sat_error *error)
{
    const int64_t *shape = request->scan->grid.shape_ijk;
    const size_t most_entries = (size_t)16 << 20;
    *counts = (slice_counts){.ids = (size_t)request->label_count + 1};
    counts->together = ((size_t)shape[0] + (size_t)shape[1] + (size_t)shape[2]) > most_entries / counts->ids;
    if (counts->together) counts->ids = 2;
    for (int f = 0; f < 3; f++) {
        counts->voxels[f] = calloc((size_t)shape[f] * counts->ids, sizeof **counts->voxels);
        if (!counts->voxels[f]) return sat_fail(error, SAT_NO_MEMORY, "no memory for choosing the preview's slices");
    }
    const uint16_t *at = request->label_map;
    for (int64_t k = 0; k < shape[2]; k++)
        for (int64_t j = 0; j < shape[1]; j++)
            for (int64_t i = 0; i < shape[0]; i++, at++) {
                if (*at == 0 || *at > request->label_count) continue;
                const size_t id = counts->together ? 1 : *at;
                counts->voxels[0][(size_t)i * counts->ids + id]++;
                counts->voxels[1][(size_t)j * counts->ids + id]++;
                counts->voxels[2][(size_t)k * counts->ids + id]++;
            }
    return SAT_OK;
}

static double score(const uint32_t *voxels, size_t ids)
{
    double sum = 0;
    for (size_t id = 1; id < ids; id++)
        if (voxels[id]) sum += sqrt((double)voxels[id]);
    return sum;
}

/* The slice with the highest score along a file axis, and the middle of the slices with any; false where there is none. Slices are
 * gone through in the patient's direction, not the file's, so that the same scan stored another way shows the same. */
static bool best_slice(const slice_counts *counts, int file_axis, bool flip, int64_t slices, int64_t *best,
                       double *middle)
{
    const uint32_t *voxels = counts->voxels[file_axis];
    int64_t first = -1, last = -1;
    for (int64_t s = 0; s < slices; s++)
        if (score(voxels + (size_t)s * counts->ids, counts->ids) > 0) {
            if (first < 0) first = s;
            last = s;
        }
    if (first < 0) return false;
    *middle = (double)(first + last) / 2.0;
    double highest = 0;
    for (int64_t n = first; n <= last; n++) {
        const int64_t s = flip ? first + last - n : n;
        const double found = score(voxels + (size_t)s * counts->ids, counts->ids);
        const bool equal = found == highest && fabs((double)s - *middle) < fabs((double)*best - *middle);
        if (found > highest || equal) *best = s;
        highest = fmax(highest, found);
    }
    return true;
}

sat_status preview_cuts_find(const preview_request *request, const preview_frame *frame,
                             preview_cut cuts[PREVIEW_PLANES], sat_error *error)
{
    const geometry *grid = &request->scan->grid;
    slice_counts counts = {0};
    int64_t slice[3];
    double centre[3];
    sat_status status = SAT_OK;
    if (request->label_map && request->label_count > 0) status = count_slices(request, &counts, error);
    if (status != SAT_OK) goto done;
    for (int a = 0; a < 3; a++) {
        const int f = frame->file_axis[a];
        const int64_t slices = grid->shape_ijk[f];
        if (counts.voxels[f] && best_slice(&counts, f, frame->flip[a], slices, &slice[f], &centre[f])) continue;
        slice[f] = frame->flip[a] ? (slices - 1) - slices / 2 : slices / 2;
        centre[f] = (double)(slices - 1) / 2.0;
    }
    for (int p = 0; p < PREVIEW_PLANES; p++) {
        const int a = preview_views[p].through, f = frame->file_axis[a];
        double ijk[3] = {centre[0], centre[1], centre[2]}, xyz[3];
        ijk[f] = (double)slice[f];
        affine_apply(grid->voxel_to_world, ijk, xyz);
        cuts[p] = (preview_cut){.slice = slice[f], .position_mm = dot(frame->axis[a], xyz)};
    }
done:
    counts_free(&counts);
    return status;
}

/* ---------------------------------------------------------------- cutting */

/* A voxel's value, of one voxel only: a picture needs few. */
static double value_at(const volume *scan, const int64_t ijk[3])
{
    const int64_t *shape = scan->grid.shape_ijk;
    float value;
    volume_values(scan, (size_t)(ijk[0] + shape[0] * (ijk[1] + shape[1] * ijk[2])), 1, &value);
    return value;
}

/* Positions are rounded to 1e-6 voxel, so that a slice through voxel centres reads these voxels alone and rounding doesn't
 * decide which of two voxels is nearest. */
static bool position_in_scan(const geometry *grid, const double world_to_voxel[3][4], const double xyz[3],
                             double ijk[3])
{
    affine_apply(world_to_voxel, xyz, ijk);
    for (int f = 0; f < 3; f++) {
        ijk[f] = round(ijk[f] * 1e6) / 1e6;
        if (!(ijk[f] >= -0.5 && ijk[f] <= (double)grid->shape_ijk[f] - 0.5)) return false;
    }
    return true;
}

static double sample_linear(const volume *scan, const double ijk[3])
{
    int64_t low[3];
    double part[3];
    for (int f = 0; f < 3; f++) {
        const double last = (double)(scan->grid.shape_ijk[f] - 1);
        const double inside = fmin(last, fmax(0.0, ijk[f]));
        const double floor_of = fmin(floor(inside), fmax(0.0, last - 1.0));
        low[f] = (int64_t)floor_of;
        part[f] = inside - floor_of;
    }
    double sum = 0;
    for (int corner = 0; corner < 8; corner++) {
        int64_t at[3];
        double weight = 1;
        for (int f = 0; f < 3; f++) {
            at[f] = low[f] + (corner >> f & 1);
            weight *= corner >> f & 1 ? part[f] : 1.0 - part[f];
        }
        if (weight > 0) sum += weight * value_at(scan, at);
    }
    return sum;
}

static uint16_t sample_label(const preview_request *request, const double ijk[3])
{
    const int64_t *shape = request->scan->grid.shape_ijk;
    int64_t at[3];
    for (int f = 0; f < 3; f++) {
        at[f] = (int64_t)floor(ijk[f] + 0.5);
        if (at[f] >= shape[f]) at[f] = shape[f] - 1;
    }
    const uint16_t id = request->label_map[at[0] + shape[0] * (at[1] + shape[1] * at[2])];
    return id <= request->label_count ? id : 0;
}

/* What all pixels of a slice have in common. */
typedef struct cutting {
    const preview_request *request;
    const preview_frame *frame;
    preview_view view;
    double position_mm, mm_per_pixel;
    int samples; /* along each side of a pixel, for the scan's values */
} cutting;

/* World position of column x, row y (pixels from the top left corner of the picture). */
static void pixel_to_world(const cutting *c, double x, double y, double xyz[3])
{
    const preview_frame *frame = c->frame;
    const double across = frame->high_mm[c->view.across] - x * c->mm_per_pixel;
    const double up = frame->high_mm[c->view.up] - y * c->mm_per_pixel;
    for (int w = 0; w < 3; w++)
        xyz[w] = across * frame->axis[c->view.across][w] + up * frame->axis[c->view.up][w] +
                 c->position_mm * frame->axis[c->view.through][w];
}

static float pixel_value(const cutting *c, int x, int y)
{
    const volume *scan = c->request->scan;
    double sum = 0, count = 0, xyz[3], ijk[3];
    for (int v = 0; v < c->samples; v++)
        for (int h = 0; h < c->samples; h++) {
            pixel_to_world(c, x + (h + 0.5) / c->samples, y + (v + 0.5) / c->samples, xyz);
            if (!position_in_scan(&scan->grid, c->frame->world_to_voxel, xyz, ijk)) continue;
            sum += sample_linear(scan, ijk);
            count++;
        }
    return count > 0 ? (float)(sum / count) : NAN;
}

static uint16_t pixel_label(const cutting *c, int x, int y)
{
    double xyz[3], ijk[3];
    if (!c->request->label_map) return 0;
    pixel_to_world(c, x + 0.5, y + 0.5, xyz);
    if (!position_in_scan(&c->request->scan->grid, c->frame->world_to_voxel, xyz, ijk)) return 0;
    return sample_label(c->request, ijk);
}

/* Pixels for a length; what is left of a pixel by rounding doesn't make another one. */
static double pixels_for(double length_mm, double mm_per_pixel)
{
    return fmax(1.0, ceil(length_mm / mm_per_pixel - 0.01));
}

sat_status preview_image_cut(const preview_request *request, const preview_frame *frame, preview_plane plane,
                             const preview_cut *cut, double mm_per_pixel, preview_image *image, sat_error *error)
{
    enum { SIDE_MOST = 16384, SAMPLES_MOST = 4 };
    const preview_view view = preview_views[plane];
    const double width = pixels_for(frame->high_mm[view.across] - frame->low_mm[view.across], mm_per_pixel);
    const double height = pixels_for(frame->high_mm[view.up] - frame->low_mm[view.up], mm_per_pixel);
    *image = (preview_image){.mm_per_pixel = mm_per_pixel};
    if (!(width <= SIDE_MOST && height <= SIDE_MOST))
        return sat_fail(error, SAT_BAD_ARGUMENT, "a preview of %.0f x %.0f pixels is too large", width, height);
    image->width = (int)width;
    image->height = (int)height;
    const size_t pixels = (size_t)image->width * (size_t)image->height;
    image->values = malloc(pixels * sizeof *image->values);
    image->labels = malloc(pixels * sizeof *image->labels);
    if (!image->values || !image->labels) {
        preview_image_free(image);
        return sat_fail(error, SAT_NO_MEMORY, "no memory for a preview of %.0f x %.0f pixels", width, height);
    }
    double spacing[3];
    affine_spacing(request->scan->grid.voxel_to_world, spacing);
    const double finest = fmin(spacing[frame->file_axis[view.across]], spacing[frame->file_axis[view.up]]);
    const double samples = fmin(SAMPLES_MOST, fmax(1.0, ceil(mm_per_pixel / finest - 0.25)));
    const cutting c = {request, frame, view, cut->position_mm, mm_per_pixel, (int)samples};
    const int threads = request->threads > 1 ? request->threads : 1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            const size_t at = (size_t)y * (size_t)image->width + (size_t)x;
            image->values[at] = pixel_value(&c, x, y);
            image->labels[at] = pixel_label(&c, x, y);
        }
    return SAT_OK;
}

void preview_image_free(preview_image *image)
{
    free(image->values);
    free(image->labels);
    *image = (preview_image){0};
}
