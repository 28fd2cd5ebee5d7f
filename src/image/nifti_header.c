/* From header bytes to facts. Field offsets: nifti1.h and nifti2.h of the NIfTI standard; Analyze 7.5 has the same
 * places up to byte 148 and SPM's origin and scale factor behind. */
#include "image/nifti_header.h"

#include "image/geometry.h"
#include "image/orientation.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- fields ---- */

typedef struct fields {
    const unsigned char *bytes;
    bool swapped;
} fields;

static uint64_t field_bits(fields f, size_t at, size_t size)
{
    unsigned char order[8] = {0};
    for (size_t n = 0; n < size; n++)
        order[n] = f.bytes[at + (f.swapped ? size - 1 - n : n)];
    if (size == 2) {
        uint16_t bits;
        memcpy(&bits, order, sizeof bits);
        return bits;
    }
    if (size == 4) {
        uint32_t bits;
        memcpy(&bits, order, sizeof bits);
        return bits;
    }
    uint64_t bits;
    memcpy(&bits, order, sizeof bits);
    return bits;
}

static int16_t field_int16(fields f, size_t at) { return (int16_t)field_bits(f, at, 2); }
static int32_t field_int32(fields f, size_t at) { return (int32_t)field_bits(f, at, 4); }
static int64_t field_int64(fields f, size_t at) { return (int64_t)field_bits(f, at, 8); }

static double field_float32(fields f, size_t at)
{
    const uint32_t bits = (uint32_t)field_bits(f, at, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double field_float64(fields f, size_t at)
{
    const uint64_t bits = field_bits(f, at, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- what is it ---- */

nifti_kind nifti_header_kind(const unsigned char *bytes, size_t size, bool *swapped, bool *pair)
{
    *swapped = *pair = false;
    if (size < NIFTI1_HEADER_BYTES) return NIFTI_NONE;
    const int32_t plain = field_int32((fields){bytes, false}, 0), turned = field_int32((fields){bytes, true}, 0);
    if ((plain == NIFTI2_HEADER_BYTES || turned == NIFTI2_HEADER_BYTES) && size >= NIFTI2_HEADER_BYTES
        && (memcmp(bytes + 4, "n+2", 4) == 0 || memcmp(bytes + 4, "ni2", 4) == 0)) {
        *swapped = turned == NIFTI2_HEADER_BYTES;
        *pair = bytes[5] == 'i';
        return NIFTI_2;
    }
    const bool single = memcmp(bytes + 344, "n+1", 4) == 0;
    const bool magic = single || memcmp(bytes + 344, "ni1", 4) == 0;
    if (plain == NIFTI1_HEADER_BYTES || turned == NIFTI1_HEADER_BYTES) {
        *swapped = turned == NIFTI1_HEADER_BYTES;
    } else if (magic) { /* a wrong size field is harmless; the byte order shows in dim[0], which is 1 to 7 */
        const int16_t rank = field_int16((fields){bytes, false}, 40);
        *swapped = rank < 1 || rank > 7;
    } else {
        return NIFTI_NONE;
    }
    *pair = !single;
    return magic ? NIFTI_1 : NIFTI_ANALYZE;
}

/* ---- voxel types ---- */

static sat_status type_from_code(int code, voxel_type *type, sat_error *error)
{
    static const struct {
        int code;
        voxel_type type;
    } known[] = {{2, VOXEL_UINT8},   {4, VOXEL_INT16},    {8, VOXEL_INT32},    {16, VOXEL_FLOAT32},  {64, VOXEL_FLOAT64},
                 {256, VOXEL_INT8},  {512, VOXEL_UINT16}, {768, VOXEL_UINT32}, {1024, VOXEL_INT64}, {1280, VOXEL_UINT64}};
    static const struct {
        int code;
        const char *name;
    } refused[] = {{1, "single bits"},          {32, "complex numbers (complex64)"}, {128, "RGB colours"},
                   {1536, "128-bit floats"},    {1792, "complex numbers (complex128)"},
                   {2048, "complex numbers (complex256)"}, {2304, "RGBA colours"}};
    for (size_t n = 0; n < sizeof known / sizeof known[0]; n++)
        if (known[n].code == code) {
            *type = known[n].type;
            return SAT_OK;
        }
    for (size_t n = 0; n < sizeof refused / sizeof refused[0]; n++)
        if (refused[n].code == code)
            return sat_fail(error, SAT_BAD_INPUT,
                            "the voxels are %s (datatype %d), not a scan's single values; convert the file to an integer "
                            "or float type", refused[n].name, code);
    return sat_fail(error, SAT_BAD_INPUT, "the header's datatype %d is unknown; the file is damaged or not NIfTI", code);
}

/* ---- where ---- */

static void form_lengths(const double affine[3][4], int rank, double lengths[4])
{
    affine_spacing(affine, lengths);
    /* With four dimensions the comparison of the release takes in the translation column with its 1 below. */
    lengths[3] = rank < 4 ? 1 : sqrt(affine[0][3] * affine[0][3] + affine[1][3] * affine[1][3]
                                     + affine[2][3] * affine[2][3] + 1);
}

/* numpy.allclose(a, b), whose tolerance leans on b. */
static bool all_close(const double *a, const double *b, int count)
{
    for (int n = 0; n < count; n++)
        if (!(fabs(a[n] - b[n]) <= 1e-8 + 1e-5 * fabs(b[n]))) return false;
    return true;
}

static bool all_finite(const double affine[3][4])
{
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            if (!isfinite(affine[r][c])) return false;
    return true;
}

/* No position in the header: the first axis runs from right to left, world 0 is the volume's centre. */
static void guessed_affine(const volume_form *form, const int64_t shape_ijk[3], double affine[3][4])
{
    memset(affine, 0, 3 * sizeof *affine);
    for (int axis = 0; axis < 3; axis++) {
        affine[axis][axis] = axis == 0 ? -form->pixdim[1] : form->pixdim[axis + 1];
        affine[axis][3] = -((double)(shape_ijk[axis] - 1) / 2.0) * affine[axis][axis];
    }
}

sat_status nifti_form_affine(const volume_form *form, int rank, const int64_t shape_ijk[3], double affine[3][4],
                             unsigned *warnings, sat_error *error)
{
    const double(*sform)[4] = form->srow_mm;
    const double epsilon = form->nifti_version == 2 ? DBL_EPSILON : (double)FLT_EPSILON;
    double qform[3][4] = {{0}};
    const bool qform_sound = affine_from_quaternion(form->quaternion_bcd, form->quaternion_offset_mm, form->pixdim + 1,
                                                    form->pixdim[0], 3 * epsilon, qform);
    if (form->sform_code != 0) {
        memcpy(affine, sform, 3 * sizeof *affine);
    } else if (form->qform_code != 0) {
        if (!qform_sound)
            return sat_fail(error, SAT_BAD_INPUT,
                            "the header's qform (%g, %g, %g) is not a rotation; export the scan again or set its position",
                            form->quaternion_bcd[0], form->quaternion_bcd[1], form->quaternion_bcd[2]);
        memcpy(affine, qform, sizeof qform);
    } else {
        guessed_affine(form, shape_ijk, affine);
        *warnings |= VOLUME_WARNS_NO_FORM;
    }

    double used[4], of_sform[4], of_qform[4];
    form_lengths(affine, rank, used);
    form_lengths(sform, rank, of_sform);
    form_lengths(qform, rank, of_qform);
    const double *pixdim = form->pixdim + 1;
    /* The comparison over three axes is ours: with four, an empty qform would "agree" (its translation column has the
     * length 1, as pixdim[4] often is) and replace a good sform, sides and all. */
    const bool repaired = form->sform_code != 0 && rank < 5 && !all_close(pixdim, used, rank)
                          && !all_close(of_sform, pixdim, rank) && !all_close(of_sform, pixdim, 3) && qform_sound
                          && all_close(of_qform, pixdim, rank);
    if (repaired) {
        *warnings |= VOLUME_WARNS_FORM_REPAIRED;
        for (int r = 0; r < 3; r++)
            for (int c = 0; c < 4; c++)
                affine[r][c] = (double)(float)qform[r][c];
    } else if (form->sform_code != 0 && form->qform_code != 0 && qform_sound) {
        /* A tenth of a voxel at the far corner: float32 quaternions stay a hundred times below, registrations above. */
        const double apart = affine_corner_distance_mm(sform, qform, shape_ijk);
        if (!(apart <= 0.1 * fmin(used[0], fmin(used[1], used[2])))) *warnings |= VOLUME_WARNS_FORMS_DIFFER;
    }
    /* Flat: less than a millionth of the box that perpendicular axes of these lengths would span. */
    if (!all_finite(affine) || !(fabs(affine_determinant(affine)) > 1e-6 * used[0] * used[1] * used[2]))
        return sat_fail(error, SAT_BAD_INPUT,
                        "the header's %s puts all voxels into a plane or nowhere; export the scan again or set its position",
                        form->sform_code ? "sform" : form->qform_code ? "qform" : "voxel spacing");
    if (affine_shear(affine) > NIFTI_SHEAR_LIMIT) *warnings |= VOLUME_WARNS_SHEARED;
    if (affine_determinant(affine) < 0) *warnings |= VOLUME_WARNS_LEFT_HANDED;
    return SAT_OK;
}

/* SPM keeps the voxel of world 0 in the Analyze header, counted from 1. */
static void use_spm_origin(fields f, nifti_header *h)
{
    const int64_t *n = h->grid.shape_ijk;
    int origin[3];
    bool any = false, sensible = true;
    for (int axis = 0; axis < 3; axis++) {
        origin[axis] = field_int16(f, 253 + 2 * (size_t)axis);
        any |= origin[axis] != 0;
        sensible &= origin[axis] > -n[axis] && origin[axis] < 2 * n[axis];
    }
    for (int axis = 0; any && sensible && axis < 3; axis++)
        h->grid.voxel_to_world[axis][3] = -(origin[axis] - 1.0) * h->grid.voxel_to_world[axis][axis];
}

/* ---- the parts of a header ---- */

static sat_status parse_dimensions(fields f, nifti_header *h, sat_error *error)
{
    int64_t dim[8];
    for (size_t n = 0; n < 8; n++)
        dim[n] = h->kind == NIFTI_2 ? field_int64(f, 16 + 8 * n) : field_int16(f, 40 + 2 * n);
    if (dim[0] < 1 || dim[0] > 7)
        return sat_fail(error, SAT_BAD_INPUT, "the header claims %lld dimensions (1 to 7 are possible); the file is damaged",
                        (long long)dim[0]);
    if (dim[0] < 3)
        return sat_fail(error, SAT_BAD_INPUT, "this is a flat image (%lld dimensions); a scan needs three",
                        (long long)dim[0]);
    h->rank = (int)dim[0];
    h->volumes = 1;
    uint64_t total = voxel_bytes(h->type);
    for (int n = 1; n <= h->rank; n++) {
        if (dim[n] < 1)
            return sat_fail(error, SAT_BAD_INPUT, "the header claims %lld voxels along axis %d; the file is damaged",
                            (long long)dim[n], n);
        if (n == 4) h->volume_bytes = total;
        if (__builtin_mul_overflow(total, (uint64_t)dim[n], &total) || total > INT64_MAX / 2)
            return sat_fail(error, SAT_BAD_INPUT, "the header claims more voxels than any file can hold; the file is damaged");
        if (n <= 3)
            h->grid.shape_ijk[n - 1] = dim[n];
        else
            h->volumes *= dim[n];
    }
    if (h->rank == 3) h->volume_bytes = total;
    return SAT_OK;
}

static sat_status parse_scaling(fields f, nifti_header *h, sat_error *error)
{
    double slope = h->kind == NIFTI_2 ? field_float64(f, 176) : field_float32(f, 112);
    double intercept = h->kind == NIFTI_2 ? field_float64(f, 184) : field_float32(f, 116);
    if (h->kind == NIFTI_ANALYZE) { /* SPM: an own factor, or calibrated against stored extremes */
        const double calibrated = (float)(field_float32(f, 124) - field_float32(f, 128));
        const double stored = (double)field_int32(f, 140) - (double)field_int32(f, 144);
        if (!isfinite(intercept)) intercept = 0;
        if ((slope == 0 || !isfinite(slope)) && calibrated != 0 && stored != 0) {
            slope = calibrated / stored;
            intercept = field_float32(f, 128) - slope * field_int32(f, 144);
        }
    }
    h->slope = 1;
    h->intercept = 0;
    if (slope == 0 || !isfinite(slope)) return SAT_OK;
    if (!isfinite(intercept))
        return sat_fail(error, SAT_BAD_INPUT, "the header scales values by %g but adds %g; set scl_inter to a number", slope,
                        intercept);
    h->slope = slope;
    h->intercept = intercept;
    h->scaled = slope != 1 || intercept != 0;
    return SAT_OK;
}

static sat_status parse_place(fields f, nifti_header *h, sat_error *error)
{
    const uint64_t first = h->pair ? 0 : h->kind == NIFTI_2 ? NIFTI2_VOXELS_AT : NIFTI1_VOXELS_AT;
    const double at = h->kind == NIFTI_2 ? (double)field_int64(f, 168) : field_float32(f, 108);
    if (!(at >= 0 && at <= 0x1p62) || at != floor(at))
        return sat_fail(error, SAT_BAD_INPUT, "the header puts the voxels at byte %g; the file is damaged", at);
    h->voxels_at = h->kind == NIFTI_2 ? (uint64_t)field_int64(f, 168) : (uint64_t)at;
    if (h->voxels_at == 0) h->voxels_at = first;
    if (!h->pair && h->voxels_at < first - 4) /* -4: old writers left the extension flag out */
        return sat_fail(error, SAT_BAD_INPUT, "the header puts the voxels at byte %g, inside itself; the file is damaged", at);
    return SAT_OK;
}

static void parse_form(fields f, nifti_header *h)
{
    volume_form *form = &h->form;
    const bool two = h->kind == NIFTI_2;
    for (size_t n = 0; n < 8; n++)
        form->pixdim[n] = two ? field_float64(f, 104 + 8 * n) : field_float32(f, 76 + 4 * n);
    if (form->pixdim[0] != -1) form->pixdim[0] = 1;
    for (size_t n = 1; n <= 3; n++)
        form->pixdim[n] = form->pixdim[n] == 0 ? 1 : fabs(form->pixdim[n]);
    if (h->kind == NIFTI_ANALYZE) return;

    form->nifti_version = two ? 2 : 1;
    form->qform_code = two ? field_int32(f, 344) : field_int16(f, 252);
    form->sform_code = two ? field_int32(f, 348) : field_int16(f, 254);
    if (form->qform_code < 0 || form->qform_code > 5) form->qform_code = 0;
    if (form->sform_code < 0 || form->sform_code > 5) form->sform_code = 0;
    for (size_t n = 0; n < 3; n++) {
        form->quaternion_bcd[n] = two ? field_float64(f, 352 + 8 * n) : field_float32(f, 256 + 4 * n);
        form->quaternion_offset_mm[n] = two ? field_float64(f, 376 + 8 * n) : field_float32(f, 268 + 4 * n);
        for (size_t c = 0; c < 4; c++)
            form->srow_mm[n][c] = two ? field_float64(f, 400 + 8 * (4 * n + c)) : field_float32(f, 280 + 4 * (4 * n + c));
    }
    form->xyzt_units = two ? (uint8_t)field_int32(f, 500) : f.bytes[123];
    const int length_unit = form->xyzt_units & 7; /* 1 metre, 2 mm, 3 micrometre */
    if (length_unit == 1 || length_unit == 3) h->warnings |= VOLUME_WARNS_UNITS;
}

sat_status nifti_header_parse(const unsigned char *bytes, size_t size, nifti_header *h, sat_error *error)
{
    *h = (nifti_header){0};
    h->kind = nifti_header_kind(bytes, size, &h->swapped, &h->pair);
    if (h->kind == NIFTI_NONE)
        return sat_fail(error, SAT_BAD_INPUT, size < NIFTI1_HEADER_BYTES
                                                  ? "the file ends after %zu bytes, inside its header; was the copy or download cut off?"
                                                  : "this does not begin as a NIfTI or Analyze file does (%zu bytes)", size);
    if (h->kind == NIFTI_2 && memcmp(bytes + 8, "\r\n\032\n", 4) != 0)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the file was damaged by a transfer in text mode; copy it again in binary mode");
    const fields f = {bytes, h->swapped};
    sat_status status = type_from_code(field_int16(f, h->kind == NIFTI_2 ? 12 : 70), &h->type, error);
    if (status == SAT_OK) status = parse_dimensions(f, h, error);
    if (status == SAT_OK) status = parse_scaling(f, h, error);
    if (status == SAT_OK) status = parse_place(f, h, error);
    if (status != SAT_OK) return status;
    parse_form(f, h);
    status = nifti_form_affine(&h->form, h->rank, h->grid.shape_ijk, h->grid.voxel_to_world, &h->warnings, error);
    if (status == SAT_OK && h->kind == NIFTI_ANALYZE) use_spm_origin(f, h);
    return status;
}
