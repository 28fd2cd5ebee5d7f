/* --compat: the files that the original release writes for a line of its manifest, so that programs made for those go on
 * working (reference/README.md of the shared material, "What the release writes").
 *
 *   <folder>/<manifest's name>                     a copy of the manifest (compat_copy_manifest)
 *   <folder>/<dataset>/img_<sample>.nii.gz         the processed volume, float32
 *   <folder>/<dataset>/seg_<sample>/<label>.nii.gz 0 or 1, float32
 *   <folder>/<dataset>/seg_<sample>.nii.gz         sum over labels j = 1, 2, ... of j * mask_j, float64: overlaps add up
 *
 * All on the processed grid, respaced and cropped; headers say nothing of position, byte for byte as the release's. */
#ifndef SAT_SEGMENT_COMPAT_H
#define SAT_SEGMENT_COMPAT_H

#include "base/error.h"
#include "segment/merge.h"
#include "segment/standardise.h"

typedef struct compat_names {
    const char *folder;        /* made if need be                                                         */
    const char *dataset;       /* a folder in it; NULL or "": none                                        */
    const char *scan_name;     /* the scan's file name without folders: <sample> is it without ".nii.gz"  */
    const char *const *labels; /* as the manifest spells them                                             */
    int count;
} compat_names;

typedef struct compat {
    compat_names names; /* borrowed                                                            */
    char *labels_at;    /* owned: <folder>/<dataset>/seg_<sample>                              */
    int64_t shape[3];   /* of the processed volume, x y z                                      */
    uint8_t *mask;      /* owned: of the label at hand, [x][y][z]                              */
    uint32_t *sum;      /* owned: likewise, of all                                             */
    void *slab;         /* owned: some slices as the files have them                           */
    int threads;
} compat;

/* <folder>/<dataset>/<kind>_<sample><ending>; returns new (free it), NULL when memory is short. */
char *compat_path(const compat_names *names, const char *kind, const char *ending);

/* Bytes that a case takes at most, for a processed volume of this shape. */
size_t compat_bytes(const int64_t shape_xyz[3]);

/* Checks the names. Fails with SAT_BAD_ARGUMENT: a '/' in a label or a dataset would lead out of the folder. Does nothing else. */
sat_status compat_open(const compat_names *names, int threads, compat *c, sat_error *error);
/* In this order: the processed scan, each label once it is complete, the sum. Each makes one file, whole or not at all.
 * Fail with SAT_IO, SAT_NO_MEMORY. */
sat_status compat_processed(compat *c, const standard_scan *scan, sat_error *error);
sat_status compat_label(compat *c, int label, const merge *merged, int64_t *voxels, sat_error *error);
sat_status compat_end(compat *c, sat_error *error);
/* Safe on a zeroed one and when called twice. */
void compat_close(compat *c);

/* Copies the manifest into the folder, under its own name. */
sat_status compat_copy_manifest(const char *manifest_path, const char *folder, sat_error *error);

#endif
