/* What a model is: all its sizes and rules, as its file states them. Nothing here is a constant of
 * the code: tiny, Nano, Pro and models of one's own differ in these numbers only. */
#ifndef SAT_MODEL_DESCRIPTION_H
#define SAT_MODEL_DESCRIPTION_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { MODEL_STAGES_MAX = 8, MODEL_MID_HEADS_MAX = 3 };

/* The vision network; letters as in the paper's notation F, Q. */
typedef struct vision_sizes {
    int stages;                     /* resolution levels; window sizes are multiples of 2^(stages - 1) */
    int features[MODEL_STAGES_MAX]; /* F: channels of each level, finest first                          */
    int convolutions_per_stage;     /* encoder and decoder alike                                        */
    int input_channels;             /* of the first convolution (the one-channel scan is repeated)      */
    int text_width;                 /* of the incoming queries                                          */
    int query_width;                /* Q                                                                */
    int query_projection_hidden;    /* 0: queries enter as they are                                     */
    int projection_hidden;          /* pooled features -> tokens                                        */
    int query_heads, query_layers, query_feed_forward; /* the query decoder                                  */
    int mask_hidden;
    int mid_heads; /* deep supervision heads present: 0 or 3                           */
    int mid_hidden[MODEL_MID_HEADS_MAX];
} vision_sizes;

typedef enum text_kind { TEXT_NONE, TEXT_MPNET, TEXT_BERT } text_kind;

/* The text encoder (text.md). Names as they stand in the file: `prefix` + "embeddings...". */
typedef struct text_sizes {
    text_kind kind;            /* TEXT_NONE: a vision model without its text encoder      */
    int vocabulary, positions; /* rows of the word and position tables                    */
    int width, layers, heads, feed_forward;
    int projection_hidden;     /* MPNet's linear, GELU, linear after the mean; 0: none    */
    int output_width;          /* of a query                                              */
    int modality_rows;         /* of the modality table (rows 0..3 are used)              */
    int longest;               /* tokens with the frame; longer texts are cut             */
    double layer_norm_epsilon; /* 1e-5 MPNet, 1e-12 BERT                                  */
} text_sizes;

/* How intensities are brought to one scale (pipeline.md, section 5). */
typedef struct intensity_rules {
    double ct_clip_low_hu, ct_clip_high_hu; /* -500, 1000                        */
    double percentile_low, percentile_high; /* every other modality: 0.5, 99.5   */
} intensity_rules;

typedef struct model_description {
    char variant[32]; /* "tiny", "nano", "pro", "huge", or "custom"             */
    vision_sizes vision;
    text_sizes text;
    double spacing_mm[3]; /* of the standard grid, oriented axes: 1 1 3             */
    int window[3];        /* 288 288 96                                             */
    intensity_rules intensity;
    char licence[128];                                    /* SPDX expression or a sentence; empty: unknown          */
    char model_source_sha256[65], text_source_sha256[65]; /* of the converted files; empty: none */
    char model_source_name[128], text_source_name[128];   /* their file names, without folders   */
} model_description;

/* The published variants and the test networks "tiny", "tiny_wide", "nano", "pro", "huge" with the
 * release's spacing, window and rules and its MPNet text encoder's sizes; false for an unknown name.
 * Without mid heads: mid_heads is 0, but mid_hidden holds their sizes, so that mid_heads = 3 adds them.
 * Defined by the table in description.c (source: model.md, Variants). */
bool model_variant(const char *name, model_description *description);
/* The name of the variant whose vision sizes these are, with or without mid heads; "custom" when none. Static storage. */
const char *model_variant_name(const vision_sizes *vision);
/* The names that model_variant knows, in order; NULL ends the list. Static storage. */
const char *const *model_variant_names(void);

/* SAT_BAD_INPUT with the reason when the numbers can't be a network (a width that the heads do not
 * divide, a window that 2^(stages - 1) does not divide, sizes out of range). */
sat_status model_description_check(const model_description *description, sat_error *error);

#endif
