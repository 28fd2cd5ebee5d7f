/* Headers that say the same as the scan's, and voxels behind them, slab by slab. */
#include "image/nifti.h"

#include "image/geometry.h"
#include "image/nifti_header.h"
#include "image/orientation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* volume_form.nifti_version of a NIfTI-1 header with the old field `regular` empty */
enum { NIFTI_BARE = -1 };
enum { FORM_SCANNER = 1, FORM_ALIGNED = 2, UNIT_MM = 2, LONGEST_NIFTI1_AXIS = 32767, DESCRIPTION_BYTES = 80 };

/* ---- forms ---- */

/* sform as given, qform as near as a rotation comes; where that is not the same thing its code is 0, so that no program
 * takes it for the truth. */
static void form_of_grid(const geometry *grid, int code, int nifti_version, volume_form *form)
{
    *form = (volume_form){.nifti_version = nifti_version, .sform_code = code, .xyzt_units = UNIT_MM};
    memcpy(form->srow_mm, grid->voxel_to_world, sizeof form->srow_mm);
    affine_spacing(grid->voxel_to_world, form->pixdim + 1);
    form->pixdim[0] = 1;
    const bool rotation = affine_to_quaternion(grid->voxel_to_world, form->quaternion_bcd, &form->pixdim[0]);
    form->qform_code = rotation && affine_shear(grid->voxel_to_world) <= NIFTI_SHEAR_LIMIT ? code : 0;
    for (int axis = 0; axis < 3; axis++)
        form->quaternion_offset_mm[axis] = grid->voxel_to_world[axis][3];
}

/* The scan's own forms if a reader of the mask will find the scan's grid in them; else that grid, as a form. They differ
 * for a scan that was not NIfTI, and for one with four axes, where the rule for repairs looks at the fourth. */
static void form_of_scan(const volume *scan, volume_form *form)
{
    if (scan->form.nifti_version != 0) {
        *form = scan->form;
    } else if (scan->warnings & VOLUME_WARNS_NO_FORM) { /* Analyze: as little known as in a NIfTI without forms */
        form_of_grid(&scan->grid, 0, 1, form);
    } else {
        form_of_grid(&scan->grid, FORM_SCANNER, 1, form);
    }
    double found[3][4];
    unsigned warnings = 0;
    const sat_status status = nifti_form_affine(form, 3, scan->grid.shape_ijk, found, &warnings, NULL);
    /* a thousandth of a millimetre: what float32 leaves of a position */
    if (status == SAT_OK && affine_corner_distance_mm(found, scan->grid.voxel_to_world, scan->grid.shape_ijk) <= 1e-3) return;
    const int code = form->sform_code ? form->sform_code : form->qform_code ? form->qform_code : FORM_ALIGNED;
    const uint8_t units = form->xyzt_units;
    form_of_grid(&scan->grid, code, form->nifti_version, form);
    form->xyzt_units = units;
}

/* ---- header bytes ---- */

typedef struct header_bytes {
    unsigned char bytes[NIFTI2_VOXELS_AT];
    size_t size; /* the voxels follow at once */
} header_bytes;

static void put_int16(header_bytes *h, size_t at, int value)
{
    const int16_t x = (int16_t)value;
    memcpy(h->bytes + at, &x, sizeof x);
}

static void put_int32(header_bytes *h, size_t at, int32_t value) { memcpy(h->bytes + at, &value, sizeof value); }
static void put_int64(header_bytes *h, size_t at, int64_t value) { memcpy(h->bytes + at, &value, sizeof value); }
static void put_float64(header_bytes *h, size_t at, double value) { memcpy(h->bytes + at, &value, sizeof value); }

static void put_float32(header_bytes *h, size_t at, double value)
{
    const float x = (float)value;
    memcpy(h->bytes + at, &x, sizeof x);
}

static int type_code(voxel_type type)
{
    switch (type) {
    case VOXEL_UINT8: return 2;
    case VOXEL_INT16: return 4;
    case VOXEL_INT32: return 8;
    case VOXEL_FLOAT32: return 16;
    case VOXEL_FLOAT64: return 64;
    case VOXEL_INT8: return 256;
    case VOXEL_UINT16: return 512;
    case VOXEL_UINT32: return 768;
    case VOXEL_INT64: return 1024;
    case VOXEL_UINT64: return 1280;
    }
    return 0;
}

/* Field offsets as in nifti_header.c; machine's own byte order, which every reader takes. */
static void put_nifti1(header_bytes *h, const int64_t shape[3], voxel_type type, const volume_form *form,
                       const nifti_write_options *o)
{
    h->size = NIFTI1_VOXELS_AT;
    put_int32(h, 0, NIFTI1_HEADER_BYTES);
    if (form->nifti_version != NIFTI_BARE) h->bytes[38] = 'r';
    for (size_t n = 0; n < 8; n++) {
        put_int16(h, 40 + 2 * n, n == 0 ? 3 : n <= 3 ? (int)shape[n - 1] : 1);
        put_float32(h, 76 + 4 * n, n <= 3 ? form->pixdim[n] : 1);
    }
    put_int16(h, 70, type_code(type));
    put_int16(h, 72, 8 * (int)voxel_bytes(type));
    put_float32(h, 108, NIFTI1_VOXELS_AT);
    put_float32(h, 112, o->slope != 0 ? o->slope : 1);
    put_float32(h, 116, o->slope != 0 ? o->intercept : 0);
    h->bytes[123] = form->xyzt_units;
    put_int16(h, 252, form->qform_code);
    put_int16(h, 254, form->sform_code);
    for (size_t n = 0; n < 3; n++) {
        put_float32(h, 256 + 4 * n, form->quaternion_bcd[n]);
        put_float32(h, 268 + 4 * n, form->quaternion_offset_mm[n]);
        for (size_t c = 0; c < 4; c++)
            put_float32(h, 280 + 4 * (4 * n + c), form->srow_mm[n][c]);
    }
    memcpy(h->bytes + 344, "n+1", 4);
}

static void put_nifti2(header_bytes *h, const int64_t shape[3], voxel_type type, const volume_form *form,
                       const nifti_write_options *o)
{
    h->size = NIFTI2_VOXELS_AT;
    put_int32(h, 0, NIFTI2_HEADER_BYTES);
    memcpy(h->bytes + 4, "n+2\0\r\n\032\n", 8);
    put_int16(h, 12, type_code(type));
    put_int16(h, 14, 8 * (int)voxel_bytes(type));
    for (size_t n = 0; n < 8; n++) {
        put_int64(h, 16 + 8 * n, n == 0 ? 3 : n <= 3 ? shape[n - 1] : 1);
        put_float64(h, 104 + 8 * n, n <= 3 ? form->pixdim[n] : 1);
    }
    put_int64(h, 168, NIFTI2_VOXELS_AT);
    put_float64(h, 176, o->slope != 0 ? o->slope : 1);
    put_float64(h, 184, o->slope != 0 ? o->intercept : 0);
    put_int32(h, 344, form->qform_code);
    put_int32(h, 348, form->sform_code);
    for (size_t n = 0; n < 3; n++) {
        put_float64(h, 352 + 8 * n, form->quaternion_bcd[n]);
        put_float64(h, 376 + 8 * n, form->quaternion_offset_mm[n]);
        for (size_t c = 0; c < 4; c++)
            put_float64(h, 400 + 8 * (4 * n + c), form->srow_mm[n][c]);
    }
    put_int32(h, 500, form->xyzt_units);
}

/* As many bytes of the text as fit, not ending inside a UTF-8 character. */
static void put_description(header_bytes *h, size_t at, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length >= DESCRIPTION_BYTES) {
        length = DESCRIPTION_BYTES - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    if (length > 0) memcpy(h->bytes + at, text, length);
}

/* ---- the writer ---- */

static bool ends_in_gz(const char *path)
{
    const size_t length = strlen(path);
    return length >= 3 && path[length - 3] == '.' && (path[length - 2] | 0x20) == 'g' && (path[length - 1] | 0x20) == 'z';
}

static sat_status write_bytes(nifti_writer *w, const void *data, size_t bytes, sat_error *error)
{
    if (w->gzip) return gzip_writer_add(w->gzip, data, bytes, error);
    if (data) return file_write(&w->file, data, bytes, error);
    static const unsigned char zeros[64 << 10];
    sat_status status = SAT_OK;
    while (status == SAT_OK && bytes > 0) {
        const size_t part = bytes < sizeof zeros ? bytes : sizeof zeros;
        status = file_write(&w->file, zeros, part, error);
        bytes -= part;
    }
    return status;
}

static sat_status open_with_form(const char *path, const int64_t shape[3], voxel_type type, volume_form *form,
                                 const nifti_write_options *options, nifti_writer *w, sat_error *error)
{
    static const nifti_write_options defaults;
    const nifti_write_options *o = options ? options : &defaults;
    *w = (nifti_writer){.file = {.descriptor = -1}, .voxel_bytes = voxel_bytes(type)};
    uint64_t voxels = 1;
    bool fits = true;
    for (int axis = 0; axis < 3; axis++) {
        fits = fits && shape[axis] > 0 && !__builtin_mul_overflow(voxels, (uint64_t)shape[axis], &voxels);
        if (shape[axis] > LONGEST_NIFTI1_AXIS) form->nifti_version = 2;
    }
    if (!fits || voxels > INT64_MAX / 16) {
        sat_fail(error, SAT_BAD_ARGUMENT, "a volume of %lld x %lld x %lld voxels cannot be written", (long long)shape[0],
                 (long long)shape[1], (long long)shape[2]);
        return sat_fail_in(error, path, SAT_BAD_ARGUMENT);
    }
    w->voxels_left = voxels;
    if (form->sform_code != 0 && affine_shear(form->srow_mm) > NIFTI_SHEAR_LIMIT) w->warnings = VOLUME_WARNS_SHEARED;

    header_bytes header = {.size = 0};
    if (form->nifti_version == 2)
        put_nifti2(&header, shape, type, form, o);
    else
        put_nifti1(&header, shape, type, form, o);
    put_description(&header, form->nifti_version == 2 ? 240 : 148, o->description);

    const int level = o->level ? o->level : type == VOXEL_UINT8 ? GZIP_LEVEL_LABELS : GZIP_LEVEL_IMAGE;
    sat_status status = file_create(path, &w->file, error);
    if (status == SAT_OK && ends_in_gz(path)) status = gzip_writer_open(&w->file, level, o->threads, &w->gzip, error);
    if (status == SAT_OK) status = write_bytes(w, header.bytes, header.size, error);
    if (status != SAT_OK) {
        sat_fail_in(error, path, status);
        nifti_writer_abandon(w);
    }
    return status;
}

sat_status nifti_writer_open_like(const char *path, const volume *scan, voxel_type type, const nifti_write_options *options,
                                  nifti_writer *w, sat_error *error)
{
    volume_form form;
    form_of_scan(scan, &form);
    return open_with_form(path, scan->grid.shape_ijk, type, &form, options, w, error);
}

sat_status nifti_writer_open(const char *path, const geometry *grid, voxel_type type, const nifti_write_options *options,
                             nifti_writer *w, sat_error *error)
{
    volume_form form;
    form_of_grid(grid, FORM_SCANNER, 1, &form);
    return open_with_form(path, grid->shape_ijk, type, &form, options, w, error);
}

sat_status nifti_writer_open_bare(const char *path, const int64_t shape[3], voxel_type type, const nifti_write_options *options,
                                  nifti_writer *w, sat_error *error)
{
    volume_form form = {.nifti_version = NIFTI_BARE, .sform_code = FORM_ALIGNED, .srow_mm = {{1}, {0, 1}, {0, 0, 1}}, .pixdim = {1, 1, 1, 1}};
    return open_with_form(path, shape, type, &form, options, w, error);
}

sat_status nifti_writer_add(nifti_writer *w, const void *voxels, size_t count, sat_error *error)
{
    if (count > w->voxels_left) {
        sat_fail(error, SAT_BAD_ARGUMENT, "%zu voxels were to be written where the header leaves room for %llu", count,
                 (unsigned long long)w->voxels_left);
        return sat_fail_in(error, w->file.path, SAT_BAD_ARGUMENT);
    }
    w->voxels_left -= count;
    const sat_status status = write_bytes(w, voxels, count * w->voxel_bytes, error);
    return status == SAT_OK ? SAT_OK : sat_fail_in(error, w->file.path, status);
}

sat_status nifti_writer_commit(nifti_writer *w, sat_error *error)
{
    sat_status status = SAT_OK;
    if (w->voxels_left > 0)
        status = sat_fail(error, SAT_BAD_ARGUMENT, "%llu of the voxels that the header promises were not written",
                          (unsigned long long)w->voxels_left);
    if (status == SAT_OK) {
        status = gzip_writer_close(w->gzip, error);
        w->gzip = NULL;
    }
    if (status != SAT_OK) sat_fail_in(error, w->file.path, status);
    if (status == SAT_OK) status = file_commit(&w->file, error);
    nifti_writer_abandon(w);
    return status;
}

void nifti_writer_abandon(nifti_writer *w)
{
    gzip_writer_abandon(w->gzip);
    file_abandon(&w->file);
    *w = (nifti_writer){.file = {.descriptor = -1}, .warnings = w->warnings};
}

/* ---- all at once ---- */

static sat_status write_all(nifti_writer *w, sat_status opened, const void *voxels, unsigned *warnings, sat_error *error)
{
    if (opened != SAT_OK) return opened;
    if (warnings) *warnings = w->warnings;
    sat_status status = nifti_writer_add(w, voxels, (size_t)w->voxels_left, error);
    if (status == SAT_OK) status = nifti_writer_commit(w, error);
    nifti_writer_abandon(w);
    return status;
}

sat_status nifti_write_like(const char *path, const volume *scan, voxel_type type, const void *voxels,
                            const nifti_write_options *options, unsigned *warnings, sat_error *error)
{
    nifti_writer w;
    const sat_status opened = nifti_writer_open_like(path, scan, type, options, &w, error);
    return write_all(&w, opened, voxels, warnings, error);
}

sat_status nifti_write(const char *path, const geometry *grid, voxel_type type, const void *voxels,
                       const nifti_write_options *options, unsigned *warnings, sat_error *error)
{
    nifti_writer w;
    const sat_status opened = nifti_writer_open(path, grid, type, options, &w, error);
    return write_all(&w, opened, voxels, warnings, error);
}
