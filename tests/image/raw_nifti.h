/* Headers made field by field in either byte order, so that the tests of the reader do not lean on our writer. */
#ifndef SAT_TESTS_RAW_NIFTI_H
#define SAT_TESTS_RAW_NIFTI_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct raw_nifti {
    unsigned char bytes[8192]; /* header, extension flag, voxels */
    size_t size;
    int version; /* 1 or 2 */
    bool swapped;
} raw_nifti;

static inline void raw_put(raw_nifti *r, size_t at, const void *value, size_t size)
{
    for (size_t n = 0; n < size; n++)
        r->bytes[at + (r->swapped ? size - 1 - n : n)] = ((const unsigned char *)value)[n];
}

static inline void raw_int16(raw_nifti *r, size_t at, int16_t x) { raw_put(r, at, &x, 2); }
static inline void raw_int32(raw_nifti *r, size_t at, int32_t x) { raw_put(r, at, &x, 4); }
static inline void raw_int64(raw_nifti *r, size_t at, int64_t x) { raw_put(r, at, &x, 8); }

/* A field that is float32 in version 1 and float64 in version 2. */
static inline void raw_real(raw_nifti *r, size_t at1, size_t at2, double x)
{
    const float narrow = (float)x;
    if (r->version == 2)
        raw_put(r, at2, &x, 8);
    else
        raw_put(r, at1, &narrow, 4);
}

static inline void raw_dim(raw_nifti *r, size_t n, int64_t x)
{
    if (r->version == 2)
        raw_int64(r, 16 + 8 * n, x);
    else
        raw_int16(r, 40 + 2 * n, (int16_t)x);
}

static inline void raw_pixdim(raw_nifti *r, size_t n, double x) { raw_real(r, 76 + 4 * n, 104 + 8 * n, x); }
static inline void raw_type(raw_nifti *r, int code) { raw_int16(r, r->version == 2 ? 12 : 70, (int16_t)code); }
static inline void raw_slope(raw_nifti *r, double slope, double inter)
{
    raw_real(r, 112, 176, slope);
    raw_real(r, 116, 184, inter);
}

static inline void raw_codes(raw_nifti *r, int qform, int sform)
{
    if (r->version == 2) {
        raw_int32(r, 344, qform);
        raw_int32(r, 348, sform);
    } else {
        raw_int16(r, 252, (int16_t)qform);
        raw_int16(r, 254, (int16_t)sform);
    }
}

static inline void raw_sform(raw_nifti *r, const double rows[3][4])
{
    for (size_t n = 0; n < 12; n++)
        raw_real(r, 280 + 4 * n, 400 + 8 * n, rows[n / 4][n % 4]);
}

static inline void raw_qform(raw_nifti *r, double b, double c, double d, double x, double y, double z)
{
    const double fields[6] = {b, c, d, x, y, z};
    for (size_t n = 0; n < 6; n++)
        raw_real(r, 256 + 4 * n, 352 + 8 * n, fields[n]);
}

static inline size_t raw_voxels_at(const raw_nifti *r) { return r->version == 2 ? 544 : 352; }

/* A single file of nx x ny x nz voxels of `code`, all bits 0, spacing 1 x 2 x 3 mm, sform alone: diagonal. */
static inline void raw_begin(raw_nifti *r, int version, bool swapped, int nx, int ny, int nz, int code, size_t voxel_size)
{
    *r = (raw_nifti){.version = version, .swapped = swapped};
    raw_int32(r, 0, version == 2 ? 540 : 348);
    if (version == 2)
        memcpy(r->bytes + 4, "n+2\0\r\n\032\n", 8);
    else
        memcpy(r->bytes + 344, "n+1", 4);
    const int dims[8] = {3, nx, ny, nz, 1, 1, 1, 1};
    for (size_t n = 0; n < 8; n++) {
        raw_dim(r, n, dims[n]);
        raw_pixdim(r, n, n >= 1 && n <= 3 ? (double)n : 1);
    }
    raw_type(r, code);
    if (version == 2)
        raw_int64(r, 168, 544);
    else
        raw_real(r, 108, 0, 352);
    raw_codes(r, 0, 1);
    const double sform[3][4] = {{1, 0, 0, -10}, {0, 2, 0, -20}, {0, 0, 3, -30}};
    raw_sform(r, sform);
    r->size = raw_voxels_at(r) + (size_t)nx * (size_t)ny * (size_t)nz * voxel_size;
}

#endif
