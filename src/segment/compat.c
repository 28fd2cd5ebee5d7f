#include "segment/compat.h"

#include "base/file.h"
#include "base/text.h"
#include "image/nifti.h"

#include <stdlib.h>
#include <string.h>

enum { SLAB_SLICES = 8, LONGEST_PATH = 1 << 16 };

static size_t voxels_of(const int64_t shape[3]) { return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2]; }
static size_t slab_bytes(const int64_t shape[3]) { return (size_t)shape[0] * (size_t)shape[1] * SLAB_SLICES * sizeof(double); }

size_t compat_bytes(const int64_t shape[3])
{
    return voxels_of(shape) * (sizeof(uint8_t) + sizeof(uint32_t)) + slab_bytes(shape);
}

/* ---------------------------------------------------------------- names */

static bool leads_elsewhere(const char *name) { return strchr(name, '/') || strcmp(name, "..") == 0 || strcmp(name, ".") == 0; }

/* The file's name with every ".nii.gz" taken out. */
static void add_sample(const char *name, text *path)
{
    static const char ending[] = ".nii.gz";
    for (const char *found; (found = strstr(name, ending)); name = found + strlen(ending))
        text_add_bytes(path, name, (size_t)(found - name));
    text_add(path, name);
}

/* <folder>/<dataset>/<kind>_<sample><ending>, new. */
char *compat_path(const compat_names *n, const char *kind, const char *ending)
{
    text path = text_open(LONGEST_PATH);
    text_format(&path, "%s/%s%s%s_", n->folder, n->dataset ? n->dataset : "", n->dataset && n->dataset[0] ? "/" : "", kind);
    add_sample(n->scan_name, &path);
    text_add(&path, ending);
    char *made = text_take(&path);
    text_free(&path);
    return made;
}

sat_status compat_open(const compat_names *names, int threads, compat *c, sat_error *error)
{
    *c = (compat){.names = *names, .threads = threads};
    if (names->dataset && leads_elsewhere(names->dataset))
        return sat_fail(error, SAT_BAD_ARGUMENT, "the dataset '%s' is to be a folder's name, but leads elsewhere", names->dataset);
    if (strchr(names->scan_name, '/'))
        return sat_fail(error, SAT_BAD_ARGUMENT, "'%s' is to be a file's name without folders", names->scan_name);
    for (int i = 0; i < names->count; i++)
        if (strchr(names->labels[i], '/'))
            return sat_fail(error, SAT_BAD_ARGUMENT, "the label '%s' becomes a file's name with --compat, but has a '/'; rename it",
                            names->labels[i]);
    if ((int64_t)names->count * (names->count + 1) / 2 > UINT32_MAX)
        return sat_fail(error, SAT_BAD_ARGUMENT, "%d labels are too many for one sum of them with --compat", names->count);
    return SAT_OK;
}

/* ---------------------------------------------------------------- files */

/* Slices [z, z + some) of [x][y][z] voxels in the file's order, x fastest; of one type or another. */
#define TURN_SLAB(name, from_type, to_type)                                                                                      \
    static bool name(const compat *c, const from_type *voxels, int64_t z0, int64_t some, to_type *slab)                          \
    {                                                                                                                            \
        const int64_t nx = c->shape[0], ny = c->shape[1], nz = c->shape[2];                                                      \
        int any = 0;                                                                                                             \
        _Pragma("omp parallel for num_threads(c->threads) schedule(static) reduction(| : any)")                                  \
        for (int64_t y = 0; y < ny; y++)                                                                                         \
            for (int64_t x = 0; x < nx; x++)                                                                                     \
                for (int64_t z = 0; z < some; z++) {                                                                             \
                    const from_type value = voxels[(x * ny + y) * nz + z0 + z];                                                  \
                    slab[(z * ny + y) * nx + x] = (to_type)value;                                                                \
                    any |= value != 0;                                                                                           \
                }                                                                                                                \
        return any;                                                                                                              \
    }
TURN_SLAB(turn_image, float, float)
TURN_SLAB(turn_mask, uint8_t, float)
TURN_SLAB(turn_sum, uint32_t, double)

typedef enum kind { IMAGE, MASK, SUM } kind;

static bool turn(const compat *c, kind what, const void *voxels, int64_t z0, int64_t some)
{
    switch (what) {
    case IMAGE: return turn_image(c, voxels, z0, some, c->slab);
    case MASK: return turn_mask(c, voxels, z0, some, c->slab);
    default: return turn_sum(c, voxels, z0, some, c->slab);
    }
}

static sat_status write_volume(const compat *c, const char *path, kind what, const void *voxels, sat_error *error)
{
    const nifti_write_options options = {.threads = c->threads, .level = what == IMAGE ? GZIP_LEVEL_IMAGE : GZIP_LEVEL_LABELS};
    nifti_writer w = {.file = {.descriptor = -1}};
    sat_status status = nifti_writer_open_bare(path, c->shape, what == SUM ? VOXEL_FLOAT64 : VOXEL_FLOAT32, &options, &w, error);
    for (int64_t z = 0; z < c->shape[2] && status == SAT_OK; z += SLAB_SLICES) {
        const int64_t some = c->shape[2] - z < SLAB_SLICES ? c->shape[2] - z : SLAB_SLICES;
        const bool any = turn(c, what, voxels, z, some);
        status = nifti_writer_add(&w, any ? c->slab : NULL, (size_t)(some * c->shape[0] * c->shape[1]), error);
    }
    if (status == SAT_OK) status = nifti_writer_commit(&w, error);
    nifti_writer_abandon(&w);
    return status;
}

sat_status compat_processed(compat *c, const standard_scan *scan, sat_error *error)
{
    memcpy(c->shape, scan->grid.shape_xyz, sizeof c->shape);
    c->mask = malloc(voxels_of(c->shape));
    c->sum = calloc(voxels_of(c->shape), sizeof *c->sum);
    c->slab = malloc(slab_bytes(c->shape));
    c->labels_at = compat_path(&c->names, "seg", "");
    char *image = compat_path(&c->names, "img", ".nii.gz");
    sat_status status = SAT_OK;
    if (!c->mask || !c->sum || !c->slab || !c->labels_at || !image)
        status = sat_fail(error, SAT_NO_MEMORY, "no memory for masks on the processed grid");
    if (status == SAT_OK) status = folder_make(c->labels_at, error);
    if (status == SAT_OK) status = write_volume(c, image, IMAGE, scan->voxels, error);
    free(image);
    return status;
}

sat_status compat_label(compat *c, int label, const merge *merged, int64_t *voxels, sat_error *error)
{
    *voxels = merge_dense(merged, label, NULL, c->mask);
    const size_t count = voxels_of(c->shape);
    for (size_t n = 0; n < count && *voxels; n++)
        c->sum[n] += c->mask[n] * (uint32_t)(label + 1);
    text path = text_open(LONGEST_PATH);
    text_format(&path, "%s/%s.nii.gz", c->labels_at, c->names.labels[label]);
    sat_status status = text_check(&path, error);
    if (status == SAT_OK) status = write_volume(c, path.data, MASK, c->mask, error);
    text_free(&path);
    return status;
}

sat_status compat_end(compat *c, sat_error *error)
{
    char *path = compat_path(&c->names, "seg", ".nii.gz");
    const sat_status status = path ? write_volume(c, path, SUM, c->sum, error) : sat_fail(error, SAT_NO_MEMORY, "no memory for a file's name");
    free(path);
    return status;
}

void compat_close(compat *c)
{
    free(c->mask);
    free(c->sum);
    free(c->slab);
    free(c->labels_at);
    *c = (compat){0};
}

sat_status compat_copy_manifest(const char *manifest_path, const char *folder, sat_error *error)
{
    const char *slash = strrchr(manifest_path, '/');
    text path = text_open(LONGEST_PATH);
    text_format(&path, "%s/%s", folder, slash ? slash + 1 : manifest_path);
    file_map manifest = {0};
    sat_status status = text_check(&path, error);
    if (status == SAT_OK) status = file_map_open(manifest_path, &manifest, error);
    if (status == SAT_OK) status = folder_make(folder, error);
    if (status == SAT_OK && !file_same(manifest_path, path.data)) status = file_write_whole(path.data, manifest.data, manifest.size, error);
    file_map_close(&manifest);
    text_free(&path);
    return status;
}
