/* The golden texts (tests/golden/text) and the encoders that they were encoded with: weights made from names. */
#ifndef SAT_TESTS_TEXT_GOLDENS_H
#define SAT_TESTS_TEXT_GOLDENS_H

#include "model/description.h"

enum { GOLDEN_TEXTS = 12, GOLDEN_MODALITIES = 3 }; /* ct, mri, pet */

typedef struct golden_encoder {
    const char *name;       /* "ours_small": the files are <name>_queries.npy and, if small, <name>_stages.npy */
    const char *vocabulary; /* in tests/golden/vocab */
    text_sizes sizes;
    double tolerance; /* largest absolute difference of a float32 program */
} golden_encoder;

/* ours_small, basebert_small, medcpt_small, tiny_text, ours_full, basebert_full, medcpt_full. */
enum { GOLDEN_ENCODERS = 7, GOLDEN_ENCODERS_SMALL = 4, GOLDEN_ENCODERS_WITH_STAGES = 3 };
extern const golden_encoder golden_encoders[GOLDEN_ENCODERS];

/* The 12 texts as they are in texts.json, and the one that the stages were made of; static storage, read once.
 * Fails the running test when they can't be had. */
const char *const *golden_texts(void);
const char *golden_stages_text(void);

#endif
