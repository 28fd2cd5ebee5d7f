/* What kind of scan it is: once for the intensities, once for the text encoder, and a guess from the values. */
#ifndef SAT_SEGMENT_MODALITY_H
#define SAT_SEGMENT_MODALITY_H

#include "image/volume.h"

#include <stdbool.h>
#include <stddef.h>

/* True for "ct" in any case and nothing else: such scans are clipped to Hounsfield bounds, all others to their own
 * percentiles (reference/README.md, Modality: "CT scan" would take percentiles). */
bool modality_is_hounsfield(const char *modality);

/* The word under which the text encoder files a modality, in lower case (ASCII), into word[size] (cut if too
 * long): contains t1, t2, mri, mr, flair or dwi: "mri"; contains ct: "ct"; contains pet: "pet"; else the text
 * itself (reference/README.md, Modality; text.md, section 2, inference). */
void modality_for_text(const char *modality, char *word, size_t size);

/* What the values alone say. */
typedef struct modality_guess {
    bool is_ct;       /* certain: Hounsfield units. False: unknown, ask                                      */
    char reason[256]; /* a sentence for the user, in either case                                            */
} modality_guess;

/* Hounsfield units are certain when the values have the two peaks of every CT, air near -1000 and soft tissue
 * near 0, a gap between them, and next to nothing beyond the range of the unit. Anything else (PET, MR, a CT cut to the
 * brain, rescaled values) is "unknown". Reads at most a few million voxels, on a fixed pattern. Thread-safe. */
void modality_guess_from_values(const volume *scan, modality_guess *guess);

#endif
