/* The half of check_masks.h that looks at masks as they pass by. */
#include "image/geometry.h"
#include "image/orientation.h"
#include "segment/check_masks.h"

void mask_watch_begin(mask_watch *w, const geometry *grid) { *w = (mask_watch){.grid = *grid}; }

/* Rows of most slices are empty, so the count comes first; it is a plain sum, which the compiler makes vectors of. */
static void add_row(mask_watch *w, const uint8_t *row, int64_t j, int64_t k)
{
    const int64_t *n = w->grid.shape_ijk;
    int64_t count = 0, sum_i = 0;
    for (int64_t i = 0; i < n[0]; i++)
        count += row[i];
    if (!count) return;
    for (int64_t i = 0; i < n[0]; i++)
        sum_i += i * row[i];
    w->voxels += count;
    w->sum_ijk[0] += sum_i;
    w->sum_ijk[1] += j * count;
    w->sum_ijk[2] += k * count;
    w->face_voxels[0][0] += row[0];
    w->face_voxels[0][1] += row[n[0] - 1];
    if (j == 0) w->face_voxels[1][0] += count;
    if (j == n[1] - 1) w->face_voxels[1][1] += count;
    if (k == 0) w->face_voxels[2][0] += count;
    if (k == n[2] - 1) w->face_voxels[2][1] += count;
}

void mask_watch_add(mask_watch *w, const uint8_t *mask, size_t voxels)
{
    const int64_t *n = w->grid.shape_ijk;
    const int64_t slices = (int64_t)(voxels / (size_t)(n[0] * n[1]));
    for (int64_t s = 0; mask && s < slices && w->slice + s < n[2]; s++)
        for (int64_t j = 0; j < n[1]; j++)
            add_row(w, mask + (s * n[1] + j) * n[0], j, w->slice + s);
    w->slice += slices;
}

mask_seen mask_watch_end(const mask_watch *w)
{
    mask_seen seen = {.voxels = w->voxels};
    if (!w->voxels) return seen;
    double middle[3];
    for (int a = 0; a < 3; a++) {
        middle[a] = (double)w->sum_ijk[a] / (double)w->voxels;
        seen.face_voxels[a][0] = w->face_voxels[a][0];
        seen.face_voxels[a][1] = w->face_voxels[a][1];
    }
    affine_apply((const double(*)[4])w->grid.voxel_to_world, middle, seen.centroid_mm);
    return seen;
}

json_t *mask_faces_json(const mask_seen *seen, const geometry *grid)
{
    static const char *const words[3][2] = {{"left", "right"}, {"back", "front"}, {"feet", "head"}};
    json_t *object = json_object();
    orientation o;
    sat_error unused;
    if (!object || orientation_find((const double(*)[4])grid->voxel_to_world, "RAS", &o, &unused) != SAT_OK) return object;
    for (int a = 0; a < 3; a++)
        for (int end = 0; end < 2; end++) {
            const int64_t voxels = seen->face_voxels[o.source[a]][end ^ o.flip[a]];
            if (voxels && grid->shape_ijk[o.source[a]] > 1) json_object_set_new(object, words[a][end], json_integer(voxels));
        }
    return object;
}
