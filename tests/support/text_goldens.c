#include "tests/support/text_goldens.h"
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include <jansson.h>
#include <string.h>

#define SMALL .width = 48, .layers = 2, .heads = 4, .feed_forward = 96, .output_width = 48, .modality_rows = 4
#define FULL .width = 768, .layers = 12, .heads = 12, .feed_forward = 3072, .output_width = 768, .modality_rows = 4
#define MPNET .kind = TEXT_MPNET, .positions = 514, .longest = 256, .layer_norm_epsilon = 1e-5
#define BERT .kind = TEXT_BERT, .positions = 512, .longest = 64, .layer_norm_epsilon = 1e-12

const golden_encoder golden_encoders[GOLDEN_ENCODERS] = {
    {"ours_small", "mpnet-base.txt", {MPNET, SMALL, .vocabulary = 30527, .projection_hidden = 48}, 1e-5},
    {"basebert_small", "bert-base-uncased.txt", {BERT, SMALL, .vocabulary = 30522}, 1e-5},
    {"medcpt_small", "medcpt-standin.txt", {BERT, SMALL, .vocabulary = 4096}, 1e-5},
    {"tiny_text", "mpnet-tiny.txt", {MPNET, SMALL, .vocabulary = 496, .projection_hidden = 48}, 1e-5},
    {"ours_full", "mpnet-base.txt", {MPNET, FULL, .vocabulary = 30527, .projection_hidden = 768}, 5e-5},
    {"basebert_full", "bert-base-uncased.txt", {BERT, FULL, .vocabulary = 30522}, 5e-5},
    {"medcpt_full", "medcpt-standin.txt", {BERT, FULL, .vocabulary = 4096}, 5e-5},
};

static const char *texts[GOLDEN_TEXTS], *stages_text;

static void read_texts(void)
{
    static json_t *file; /* kept to the end of the program: the strings live in it */
    json_error_t problem;
    if (file) return;
    const char *path = golden_path("text/texts.json");
    file = json_load_file(path ? path : "", 0, &problem);
    if (!file) fail_msg("text/texts.json: %s", problem.text);
    json_t *list = json_object_get(file, "texts");
    assert_int_equal(json_array_size(list), GOLDEN_TEXTS);
    for (size_t i = 0; i < GOLDEN_TEXTS; i++)
        texts[i] = json_string_value(json_array_get(list, i));
    stages_text = json_string_value(json_object_get(file, "stages_text"));
}

const char *const *golden_texts(void)
{
    read_texts();
    return texts;
}

const char *golden_stages_text(void)
{
    read_texts();
    return stages_text;
}
