/* From the release's PyTorch checkpoints to one self-describing model file (docs/model-files.md). */
#ifndef SAT_MODEL_CONVERT_H
#define SAT_MODEL_CONVERT_H

#include "base/error.h"
#include "base/progress.h"
#include "model/description.h"
#include "tensor/element.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What to convert. convert_defaults sets what the tensors can't tell to the release's values. */
typedef struct convert_options {
    const char *model_path;      /* vision checkpoint; borrowed, as all texts here                   */
    const char *text_path;       /* text encoder's checkpoint; NULL: a model without one             */
    const char *vocabulary_path; /* one token a line; given if and only if text_path is              */
    const char *output_path;
    element_type type;         /* ELEMENT_FLOAT32 or ELEMENT_BFLOAT16 (model/tensors.h says for which) */
    int query_heads;           /* 8                                                                */
    int text_heads;            /* 0: MPNet's own table tells, BERT has 12; else it must agree      */
    int window[3];             /* 288 288 96                                                       */
    double spacing_mm[3];      /* 1 1 3                                                            */
    intensity_rules intensity; /* -500 1000, 0.5 99.5                                              */
    const char *licence;       /* NULL or "": unknown                                              */
    bool check_only;           /* find out all that the report says, but hash and write nothing    */
} convert_options;

convert_options convert_defaults(void);

enum { CONVERT_PROBLEMS_MAX = 10 };

/* What was found; plain data. */
typedef struct convert_report {
    model_description description;
    int64_t vision_parameters, text_parameters;
    int64_t vision_step, text_step;         /* of the trainings that wrote the checkpoints, or -1           */
    size_t aliases, ignored, other_tensors; /* left out: second names; parts of pretraining; optimiser state */
    bool modality_rows_unused;              /* the table has more than the four rows that segmentation uses */
    bool text_pooler;                       /* kept, though never used, so that the encoder can be trained on */
    char variant_but_heads[32]; /* a known variant that differs in its query heads alone; else empty          */
    int variant_query_heads;
    int damaged_storages; /* whose check sums are wrong: damage, or a writer without check sums */
    uint64_t output_bytes;
    /* Why a conversion failed: tensors that are missing, unexpected or misshapen, the first ten of them. */
    size_t problem_count;
    char problems[CONVERT_PROBLEMS_MAX][320];
} convert_report;

/* Converts. The output appears under its name only when it is whole; memory stays below some 100 MB whatever the checkpoints'
 * size. `report` is filled as far as the conversion came; `watch` may be NULL.
 * Fails with SAT_BAD_ARGUMENT (options that contradict each other or the tensors), SAT_BAD_INPUT (the checkpoints, see
 * report->problems; tensors with values that are not numbers; a vocabulary of another size), SAT_IO, SAT_NO_MEMORY,
 * SAT_CANCELLED. */
sat_status convert_checkpoints(const convert_options *options, progress *watch, convert_report *report,
                               sat_error *error);

/* Lines of a vocabulary: `bytes` bytes of UTF-8 at `text` become lines joined by single line feeds, without carriage returns
 * and without a final line feed. *joined is new (free it). Fails with SAT_BAD_INPUT (empty, an empty line, not UTF-8) and
 * SAT_NO_MEMORY. */
sat_status convert_vocabulary(const char *text, size_t bytes, char **joined, size_t *joined_bytes, int64_t *lines,
                              sat_error *error);

#endif
