#include "segment/label_map.h"

#include "image/nifti.h"

#include <stdlib.h>
#include <string.h>

enum { PORTION = 1 << 16 }; /* voxels that a thread takes at a time */

static size_t voxels_of(const geometry *grid)
{
    return (size_t)grid->shape_ijk[0] * (size_t)grid->shape_ijk[1] * (size_t)grid->shape_ijk[2];
}

static voxel_type type_for(int labels) { return labels <= UINT8_MAX ? VOXEL_UINT8 : VOXEL_UINT16; }

size_t label_map_bytes(const geometry *grid, int labels)
{
    return voxels_of(grid) * (sizeof(float) + voxel_bytes(type_for(labels)));
}

sat_status label_map_open(const geometry *grid, int labels, int threads, label_map *m, sat_error *error)
{
    *m = (label_map){.type = type_for(labels), .voxels = voxels_of(grid), .threads = threads};
    if (labels > LABEL_MAP_MOST)
        return sat_fail(error, SAT_BAD_ARGUMENT, "a label map holds %d labels at most, not %d; leave out --label-map, or some prompts",
                        LABEL_MAP_MOST, labels);
    m->ids = calloc(m->voxels, voxel_bytes(m->type));
    m->best = calloc(m->voxels, sizeof *m->best); /* pages come where masks are */
    if (m->ids && m->best) return SAT_OK;
    label_map_close(m);
    return sat_fail(error, SAT_NO_MEMORY, "no memory for a label map of %.2f GB", (double)label_map_bytes(grid, labels) / 1e9);
}

void label_map_close(label_map *m)
{
    free(m->ids);
    free(m->best);
    *m = (label_map){0};
}

/* Whether a label takes a voxel from `holder`. Masks are above a threshold > 0, so nobody's 0 always loses. */
static bool takes(float probability, unsigned id, float best, unsigned holder)
{
    return probability > best || (probability == best && id < holder);
}

#define ADD_PORTION(type)                                                                                                        \
    static void add_##type(type *ids, float *best, unsigned id, size_t count, const uint8_t *mask, const float *probability)    \
    {                                                                                                                            \
        const uint8_t *end = mask + count;                                                                                       \
        for (const uint8_t *at = memchr(mask, 1, count); at; at = at < end ? memchr(at, 1, (size_t)(end - at)) : NULL)           \
            for (; at < end && *at; at++) {                                                                                      \
                const size_t n = (size_t)(at - mask);                                                                            \
                if (!takes(probability[n], id, best[n], ids[n])) continue;                                                       \
                best[n] = probability[n];                                                                                        \
                ids[n] = (type)id;                                                                                               \
            }                                                                                                                    \
    }
ADD_PORTION(uint8_t)
ADD_PORTION(uint16_t)

void label_map_add(label_map *m, int label, size_t first, size_t count, const uint8_t *mask, const float *probability)
{
    const unsigned id = (unsigned)label + 1;
    const int64_t portions = (int64_t)((count + PORTION - 1) / PORTION);
#pragma omp parallel for num_threads(m->threads) schedule(dynamic) if (portions > 4)
    for (int64_t portion = 0; portion < portions; portion++) {
        const size_t from = (size_t)portion * PORTION, some = count - from < PORTION ? count - from : PORTION;
        float *best = m->best + first + from;
        if (m->type == VOXEL_UINT8) add_uint8_t((uint8_t *)m->ids + first + from, best, id, some, mask + from, probability + from);
        else add_uint16_t((uint16_t *)m->ids + first + from, best, id, some, mask + from, probability + from);
    }
}

void label_map_count(const label_map *m, int labels, int64_t *owned)
{
    memset(owned, 0, (size_t)labels * sizeof *owned);
    for (size_t n = 0; n < m->voxels; n++) {
        const unsigned id = m->type == VOXEL_UINT8 ? ((const uint8_t *)m->ids)[n] : ((const uint16_t *)m->ids)[n];
        if (id && id <= (unsigned)labels) owned[id - 1]++;
    }
}

const uint16_t *label_map_wide(label_map *m)
{
    free(m->best);
    m->best = NULL;
    if (m->type == VOXEL_UINT16) return m->ids;
    const uint8_t *narrow = m->ids;
    uint16_t *wide = malloc(m->voxels * sizeof *wide);
    if (!wide) return NULL;
    for (size_t n = 0; n < m->voxels; n++)
        wide[n] = narrow[n];
    free(m->ids);
    m->ids = wide;
    m->type = VOXEL_UINT16;
    return wide;
}

sat_status label_map_write(const label_map *m, const char *path, const volume *scan, unsigned *warnings, sat_error *error)
{
    const nifti_write_options options = {.threads = m->threads, .level = GZIP_LEVEL_LABELS};
    return nifti_write_like(path, scan, m->type, m->ids, &options, warnings, error);
}
