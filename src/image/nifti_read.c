#define _DEFAULT_SOURCE /* madvise */
/* From bytes to voxels. The header is read first, and memory taken only when it fits the data that are there. */
#include "image/nifti.h"

#include "base/file.h"
#include "image/gzip.h"
#include "image/nifti_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    ALIGNMENT = 64,            /* of the first voxel: a cache line              */
    LARGE_PAGE = 2 << 20,      /* bytes                                         */
    LARGEST_PREFIX = 1 << 20,  /* bytes before the voxels that are worth having */
};

/* ---- headers ---- */

/* The first bytes of a file, decompressed if need be: room for either header. */
typedef struct beginning {
    unsigned char bytes[NIFTI2_HEADER_BYTES];
    size_t size;
} beginning;

static sat_status peek(const unsigned char *data, size_t size, beginning *b, sat_error *error)
{
    if (gzip_begins(data, size)) return gzip_peek(data, size, b->bytes, sizeof b->bytes, &b->size, error);
    b->size = size < sizeof b->bytes ? size : sizeof b->bytes;
    if (b->size > 0) memcpy(b->bytes, data, b->size);
    return SAT_OK;
}

static nifti_kind kind_of(const unsigned char *data, size_t size, bool *pair)
{
    beginning b;
    bool swapped;
    *pair = false;
    if (peek(data, size, &b, NULL) != SAT_OK) return NIFTI_NONE;
    return nifti_header_kind(b.bytes, b.size, &swapped, pair);
}

bool nifti_begins(const unsigned char *data, size_t size)
{
    bool pair;
    return kind_of(data, size, &pair) != NIFTI_NONE;
}

static sat_status read_header(const unsigned char *data, size_t size, nifti_header *h, sat_error *error)
{
    beginning b;
    const sat_status status = peek(data, size, &b, error);
    return status == SAT_OK ? nifti_header_parse(b.bytes, b.size, h, error) : status;
}

static sat_status choose_volume(const nifti_header *h, int64_t volume_index, uint64_t *chosen, sat_error *error)
{
    *chosen = volume_index < 0 ? 0 : (uint64_t)volume_index;
    if (volume_index < 0 && h->volumes > 1)
        return sat_fail(error, SAT_BAD_INPUT,
                        "this file holds %lld volumes (moments, contrasts or components); choose one with --volume N, "
                        "N from 0 to %lld", (long long)h->volumes, (long long)h->volumes - 1);
    if (volume_index >= h->volumes)
        return sat_fail(error, SAT_BAD_ARGUMENT, "there is no volume %lld in this file: it holds %lld, counted from 0",
                        (long long)volume_index, (long long)h->volumes);
    return SAT_OK;
}

/* ---- voxels ---- */

/* Room for `prefix` bytes that are of no further use, and `bytes` of voxels behind them that begin at a cache line. */
static sat_status take_memory(volume *v, uint64_t prefix, uint64_t bytes, sat_error *error)
{
    const uint64_t front = (prefix + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    const uint64_t unit = bytes < 4 * LARGE_PAGE ? ALIGNMENT : LARGE_PAGE;
    const uint64_t total = (front + bytes + unit - 1) / unit * unit;
    v->memory = total <= SIZE_MAX / 2 ? aligned_alloc((size_t)unit, (size_t)total) : NULL;
    if (!v->memory)
        return sat_fail(error, SAT_NO_MEMORY, "%llu MB of memory for the scan's voxels could not be had",
                        (unsigned long long)(total >> 20));
    if (unit == LARGE_PAGE) (void)madvise(v->memory, (size_t)total, MADV_HUGEPAGE); /* fewer faults: a wish, not a need */
    v->stored = (unsigned char *)v->memory + front;
    return SAT_OK;
}

static sat_status too_short(const nifti_header *h, size_t size, sat_error *error)
{
    const int64_t *n = h->grid.shape_ijk;
    return sat_fail(error, SAT_BAD_INPUT,
                    "the header promises %lld x %lld x %lld voxels of %s in %lld volume(s), but the file ends after %zu "
                    "bytes; was the copy or download cut off?",
                    (long long)n[0], (long long)n[1], (long long)n[2], voxel_type_name(h->type), (long long)h->volumes, size);
}

/* Fills v->stored with volume `chosen` from the file that holds voxels. */
static sat_status read_voxels(const nifti_header *h, const unsigned char *data, size_t size, uint64_t chosen, volume *v,
                              sat_error *error)
{
    const uint64_t from = h->voxels_at + chosen * h->volume_bytes, bytes = h->volume_bytes;
    const uint64_t promised = h->voxels_at + (uint64_t)h->volumes * bytes;
    sat_status status;
    if (!gzip_begins(data, size)) {
        if (promised > size) return too_short(h, size, error);
        status = take_memory(v, 0, bytes, error);
        if (status == SAT_OK) memcpy(v->stored, data + from, (size_t)bytes);
        if (size > promised) v->warnings |= VOLUME_WARNS_TRAILING;
        return status;
    }
    if (!gzip_may_hold(size, promised)) return too_short(h, size, error);
    /* Decompressing all from the first byte is fastest; a few header bytes then stand before the voxels. */
    const bool whole = h->volumes == 1 && from <= LARGEST_PREFIX;
    const uint64_t prefix = whole ? from : 0;
    bool longer = false;
    status = take_memory(v, prefix, bytes, error);
    if (status == SAT_OK)
        status = gzip_read(data, size, from - prefix, (unsigned char *)v->stored - prefix, (size_t)(prefix + bytes), &longer,
                           error);
    if (longer && chosen + 1 == (uint64_t)h->volumes) v->warnings |= VOLUME_WARNS_TRAILING;
    return status;
}

static void swap_bytes(volume *v)
{
    const size_t count = volume_voxels(v);
    if (voxel_bytes(v->type) == 2) {
        uint16_t *x = v->stored;
        for (size_t n = 0; n < count; n++)
            x[n] = __builtin_bswap16(x[n]);
    } else if (voxel_bytes(v->type) == 4) {
        uint32_t *x = v->stored;
        for (size_t n = 0; n < count; n++)
            x[n] = __builtin_bswap32(x[n]);
    } else if (voxel_bytes(v->type) == 8) {
        uint64_t *x = v->stored;
        for (size_t n = 0; n < count; n++)
            x[n] = __builtin_bswap64(x[n]);
    }
}

/* Exponent bits all set: infinite or not a number. Looked for in the bits, in blocks that the compiler makes vectors of. */
static bool all_finite(const volume *v)
{
    const size_t count = volume_voxels(v), block = 4096;
    for (size_t first = 0; first < count; first += block) {
        const size_t end = first + block < count ? first + block : count;
        unsigned bad = 0;
        if (v->type == VOXEL_FLOAT32) {
            const uint32_t *x = v->stored;
            for (size_t n = first; n < end; n++)
                bad |= (x[n] & 0x7f800000u) == 0x7f800000u;
        } else if (v->type == VOXEL_FLOAT64) {
            const uint64_t *x = v->stored;
            for (size_t n = first; n < end; n++)
                bad |= (x[n] & 0x7ff0000000000000u) == 0x7ff0000000000000u;
        }
        if (bad) return false;
    }
    return true;
}

static sat_status read_volume(const nifti_header *h, const unsigned char *data, size_t size, int64_t volume_index,
                              volume *v, sat_error *error)
{
    uint64_t chosen;
    sat_status status = choose_volume(h, volume_index, &chosen, error);
    if (status != SAT_OK) return status;
    *v = (volume){.grid = h->grid,
                  .type = h->type,
                  .scaled = h->scaled,
                  .slope = h->slope,
                  .intercept = h->intercept,
                  .form = h->form,
                  .warnings = h->warnings,
                  .volumes_in_file = h->volumes};
    status = read_voxels(h, data, size, chosen, v, error);
    if (status != SAT_OK) {
        volume_free(v);
        return status;
    }
    if (h->swapped) swap_bytes(v);
    if (!all_finite(v)) v->warnings |= VOLUME_WARNS_NOT_FINITE;
    return SAT_OK;
}

sat_status nifti_parse(const unsigned char *data, size_t size, int64_t volume_index, volume *v, sat_error *error)
{
    nifti_header h;
    *v = (volume){0};
    const sat_status status = read_header(data, size, &h, error);
    if (status != SAT_OK) return status;
    if (h.pair)
        return sat_fail(error, SAT_BAD_INPUT,
                        "this is the header of a pair (.hdr and .img) without its voxels; keep both files side by side");
    return read_volume(&h, data, size, volume_index, v, error);
}

sat_status nifti_parse_pair(const unsigned char *header, size_t header_size, const unsigned char *image,
                            size_t image_size, int64_t volume_index, volume *v, sat_error *error)
{
    nifti_header h;
    *v = (volume){0};
    const sat_status status = read_header(header, header_size, &h, error);
    if (status != SAT_OK) return status;
    if (!h.pair) return sat_fail(error, SAT_BAD_INPUT, "this header belongs to a single file (.nii), not to a pair");
    return read_volume(&h, image, image_size, volume_index, v, error);
}

/* ---- files ---- */

static bool ends_with(const char *path, const char *ending)
{
    const size_t length = strlen(path), tail = strlen(ending);
    return length >= tail && strcmp(path + length - tail, ending) == 0;
}

static const char *const header_endings[2] = {".hdr", ".HDR"}, *const image_endings[2] = {".img", ".IMG"};

/* Whether `path` is called as one half of a pair is, maybe compressed; then its bytes before that ending. */
static bool is_half(const char *path, const char *const endings[2], size_t *stem)
{
    static const char *const packed[2] = {"", ".gz"};
    for (int n = 0; n < 4; n++) {
        char ending[16];
        snprintf(ending, sizeof ending, "%s%s", endings[n / 2], packed[n % 2]);
        *stem = strlen(path) - strlen(ending);
        if (ends_with(path, ending)) return true;
    }
    return false;
}

/* The name of the other half, if it is there. Returns new, or NULL. */
static char *other_half(const char *path, size_t stem, const char *const endings[2])
{
    static const char *const packed[2] = {"", ".gz"};
    const size_t room = stem + 16;
    char *other = malloc(room);
    for (int n = 0; other && n < 4; n++) {
        snprintf(other, room, "%.*s%s%s", (int)stem, path, endings[n / 2], packed[n % 2]);
        if (file_exists(other)) return other;
    }
    free(other);
    return NULL;
}

static sat_status read_pair(const char *header_path, const char *image_path, int64_t volume_index, volume *v,
                            sat_error *error)
{
    file_map header = {0}, image = {0};
    sat_status status = file_map_open(header_path, &header, error);
    if (status == SAT_OK) status = file_map_open(image_path, &image, error);
    if (status == SAT_OK) {
        status = nifti_parse_pair(header.data, header.size, image.data, image.size, volume_index, v, error);
        if (status != SAT_OK) sat_fail_in(error, header_path, status);
    }
    file_map_close(&image);
    file_map_close(&header);
    return status;
}

sat_status nifti_read(const char *path, int64_t volume_index, volume *v, sat_error *error)
{
    file_map map;
    char *other = NULL;
    bool pair;
    *v = (volume){0};
    sat_status status = file_map_open(path, &map, error);
    if (status != SAT_OK) return status;
    const nifti_kind kind = kind_of(map.data, map.size, &pair);
    size_t stem;
    if (kind != NIFTI_NONE && !pair) {
        status = nifti_parse(map.data, map.size, volume_index, v, error);
    } else if (is_half(path, image_endings, &stem)) { /* before the next: voxels can look like a header */
        other = other_half(path, stem, header_endings);
        status = other ? read_pair(other, path, volume_index, v, error)
                       : sat_fail(error, SAT_IO, "these are a pair's voxels, but there is no .hdr file of the same name beside them");
    } else if (kind != NIFTI_NONE && is_half(path, header_endings, &stem)) {
        other = other_half(path, stem, image_endings);
        status = other ? read_pair(path, other, volume_index, v, error)
                       : sat_fail(error, SAT_IO, "this is a pair's header, but there is no .img file of the same name beside it");
    } else {
        status = nifti_parse(map.data, map.size, volume_index, v, error);
    }
    if (status != SAT_OK) sat_fail_in(error, path, status);
    free(other);
    file_map_close(&map);
    return status;
}
