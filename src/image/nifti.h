/* NIfTI-1, NIfTI-2 and Analyze 7.5: .nii, .nii.gz, .hdr/.img.
 *
 * Reading follows the reference (pipeline.md, section 1) to the bit: which of sform and qform wins, the repair, scaling.
 * What no part of the program needs (description, intent, extensions: they may name the patient) is not kept. */
#ifndef SAT_IMAGE_NIFTI_H
#define SAT_IMAGE_NIFTI_H

#include "base/file.h"
#include "image/gzip.h"
#include "image/volume.h"

#define NIFTI_ONLY_VOLUME (-1) /* volume_index: the file holds one volume; refuse if there are more */

/* ---- reading ---- */

/* Whether the bytes, compressed or not, begin as a NIfTI or Analyze header does. Thread-safe. */
bool nifti_begins(const unsigned char *data, size_t size);

/* Reads a scan from the bytes of a .nii or .nii.gz.
 *
 * volume_index  which volume of a 4-D file, counted from 0, or NIFTI_ONLY_VOLUME
 * v             out; on success the caller owns it and calls volume_free; on failure it is zeroed
 *
 * Fails with SAT_BAD_INPUT (damaged, cut off, not three-dimensional, several volumes and none chosen, complex or RGB
 * voxels, a geometry without volume), SAT_BAD_ARGUMENT (no such volume), SAT_NO_MEMORY. Memory for voxels is taken only
 * after the header was found consistent with the size of the data. Thread-safe. */
sat_status nifti_parse(const unsigned char *data, size_t size, int64_t volume_index, volume *v, sat_error *error);

/* Likewise from the bytes of the two files of a pair, each compressed or not. */
sat_status nifti_parse_pair(const unsigned char *header, size_t header_size, const unsigned char *image,
                            size_t image_size, int64_t volume_index, volume *v, sat_error *error);

/* Reads `path`: a .nii, .nii.gz, or either file of a pair (the other is looked for beside it).
 * Fails as above and with SAT_IO (cannot open; a pair's other half is missing). The error names the file. Thread-safe. */
sat_status nifti_read(const char *path, int64_t volume_index, volume *v, sat_error *error);

/* ---- writing ----
 *
 * A path that ends in .gz is compressed (one gzip member). The file appears under its name only when it is whole.
 * NIfTI-1 is written unless an axis is longer than 32767 voxels or the scan that it is for was NIfTI-2. */

typedef struct nifti_write_options {
    int threads;             /* for compression; the file does not depend on it; < 1 counts as 1         */
    int level;               /* GZIP_LEVEL_IMAGE or GZIP_LEVEL_LABELS; 0: labels for uint8, else image    */
    double slope, intercept; /* physical = slope * stored + intercept; slope 0: no scaling                */
    const char *description; /* UTF-8, kept up to 79 bytes; NULL: none. Never put a person's data here    */
} nifti_write_options;       /* a zeroed one is fine; NULL means the same                                 */

/* A file that takes its voxels slab by slab; memory does not grow with the volume. Zero it or open it; abandon is always
 * safe. One writer, one calling thread. */
typedef struct nifti_writer {
    file_writer file;
    gzip_writer *gzip;      /* NULL: not compressed                      */
    size_t voxel_bytes;
    uint64_t voxels_left;   /* that the header has promised              */
    unsigned warnings;      /* VOLUME_WARNS_SHEARED, or 0: see below     */
} nifti_writer;

/* Begins a file on the grid of `scan` (borrowed for the call; its voxels are not touched and may be NULL): its dims, sform
 * and qform with their codes, and units are kept, also where they are missing, so that every program shows scan and mask
 * alike, whatever it makes of them. For a scan that was not NIfTI the forms say its grid. Nothing else is copied: no
 * description, no extension. w->warnings has VOLUME_WARNS_SHEARED where the sform is sheared: kept, but ITK refuses it; say
 * so to the user.
 * Fails with SAT_BAD_ARGUMENT (axes too long), SAT_IO, SAT_NO_MEMORY. */
sat_status nifti_writer_open_like(const char *path, const volume *scan, voxel_type type, const nifti_write_options *options,
                                  nifti_writer *w, sat_error *error);
/* Begins a file on any grid: sform as given, qform the closest rotation (its code 0 where the grid is sheared). */
sat_status nifti_writer_open(const char *path, const geometry *grid, voxel_type type, const nifti_write_options *options,
                             nifti_writer *w, sat_error *error);
/* Begins a file that says nothing of position, as nibabel writes an array with an identity matrix (--compat): spacing 1,
 * sform_code 2 with the identity, qform_code 0, no units. Every byte but the axes' lengths and the type is fixed. */
sat_status nifti_writer_open_bare(const char *path, const int64_t shape[3], voxel_type type, const nifti_write_options *options,
                                  nifti_writer *w, sat_error *error);
/* Appends `count` voxels in storage order ([k][j][i], i fastest); `voxels` NULL stands for zeros, which cost next to nothing.
 * More than the header promised is SAT_BAD_ARGUMENT. */
sat_status nifti_writer_add(nifti_writer *w, const void *voxels, size_t count, sat_error *error);
/* Ends the file and gives it its name; fewer voxels than promised are SAT_BAD_ARGUMENT. Abandons on failure. */
sat_status nifti_writer_commit(nifti_writer *w, sat_error *error);
/* Leaves no file. Safe on a zeroed, committed or failed writer. */
void nifti_writer_abandon(nifti_writer *w);

/* The above in one, for voxels that lie in memory. *warnings (may be NULL) as in nifti_writer. */
sat_status nifti_write_like(const char *path, const volume *scan, voxel_type type, const void *voxels,
                            const nifti_write_options *options, unsigned *warnings, sat_error *error);
sat_status nifti_write(const char *path, const geometry *grid, voxel_type type, const void *voxels,
                       const nifti_write_options *options, unsigned *warnings, sat_error *error);

#endif
