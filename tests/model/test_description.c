#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "model/description.h"
#include "model/tensors.h"

#include <string.h>

/* model.md, Variants: parameters per part, and totals without and with mid heads. */
static void parameter_counts_are_those_of_the_paper(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t encoder, decoder, projection, query_decoder, query_projection, mask_head, mid_heads, total, entries;
    } expected[] = {
        {"tiny", 61944, 77446, 5288, 105120, 0, 1376, 5192, 251174, 192},
        {"nano", 40824384, 33094656, 1967616, 33094656, 0, 213312, 1082944, 109194624, 192},
        {"pro", 265021056, 170414080, 6686976, 33094656, 0, 344576, 1526016, 475561344, 236},
        {"huge", 578688768, 454069248, 22024704, 94488576, 3542016, 1377280, 6099456, 1154190592, 240},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        model_description d;
        model_tensor_list list;
        sat_error error = {0};
        assert_true(model_variant(expected[i].name, &d));
        assert_int_equal(model_description_check(&d, &error), SAT_OK);
        assert_int_equal(model_tensors_vision(&d.vision, &list, &error), SAT_OK);
        assert_int_equal(model_tensors_parameters(&list, PART_MID_HEADS), 0);
        assert_int_equal(model_tensors_parameters(&list, MODEL_PARTS), expected[i].total);
        assert_int_equal(list.count, expected[i].entries);
        model_tensors_free(&list);

        d.vision.mid_heads = 3;
        assert_int_equal(model_description_check(&d, &error), SAT_OK);
        assert_int_equal(model_tensors_vision(&d.vision, &list, &error), SAT_OK);
        assert_int_equal(model_tensors_parameters(&list, PART_ENCODER), expected[i].encoder);
        assert_int_equal(model_tensors_parameters(&list, PART_DECODER), expected[i].decoder);
        assert_int_equal(model_tensors_parameters(&list, PART_TOKEN_PROJECTION), expected[i].projection);
        assert_int_equal(model_tensors_parameters(&list, PART_QUERY_DECODER), expected[i].query_decoder);
        assert_int_equal(model_tensors_parameters(&list, PART_QUERY_PROJECTION), expected[i].query_projection);
        assert_int_equal(model_tensors_parameters(&list, PART_MASK_HEAD), expected[i].mask_head);
        assert_int_equal(model_tensors_parameters(&list, PART_MID_HEADS), expected[i].mid_heads);
        assert_int_equal(model_tensors_parameters(&list, MODEL_PARTS), expected[i].total + expected[i].mid_heads);
        model_tensors_free(&list);
        model_tensors_free(&list);
        assert_string_equal(model_variant_name(&d.vision), expected[i].name);
    }
}

/* text.md, section 8. */
static void text_encoders_have_the_counts_of_the_release(void **state)
{
    (void)state;
    model_description d;
    model_tensor_list list;
    sat_error error = {0};
    assert_true(model_variant("nano", &d));
    assert_int_equal(model_tensors_text(&d.text, &list, &error), SAT_OK);
    assert_int_equal(list.count, 204); /* 205 with position_ids, which is no parameter */
    assert_int_equal(model_tensors_parameters(&list, PART_TEXT_TOWER), 109486464);
    assert_int_equal(model_tensors_parameters(&list, PART_TEXT_PROJECTION), 1181184);
    assert_int_equal(model_tensors_parameters(&list, MODEL_PARTS), 110670720);
    model_tensors_free(&list);
    d.text = (text_sizes){.kind = TEXT_BERT,
                          .vocabulary = 30522,
                          .positions = 512,
                          .width = 768,
                          .layers = 12,
                          .heads = 12,
                          .feed_forward = 3072,
                          .output_width = 768,
                          .modality_rows = 4,
                          .longest = 64,
                          .layer_norm_epsilon = 1e-12};
    assert_int_equal(model_description_check(&d, &error), SAT_OK);
    assert_int_equal(model_tensors_text(&d.text, &list, &error), SAT_OK);
    assert_int_equal(list.count, 200);
    assert_int_equal(model_tensors_parameters(&list, PART_TEXT_TOWER), 109482240);
    assert_int_equal(model_tensors_parameters(&list, MODEL_PARTS), 109485312);
    model_tensors_free(&list);
}

static void every_listed_variant_is_a_network(void **state)
{
    (void)state;
    int count = 0;
    for (const char *const *name = model_variant_names(); *name; name++, count++) {
        model_description d;
        sat_error error = {0};
        assert_true(model_variant(*name, &d));
        assert_string_equal(d.variant, *name);
        assert_int_equal(model_description_check(&d, &error), SAT_OK);
        assert_string_equal(model_variant_name(&d.vision), *name);
    }
    assert_int_equal(count, 5);
    model_description d;
    assert_false(model_variant("giant", &d));
    assert_true(model_variant("tiny_wide", &d));
    assert_int_equal(d.window[0], 96);
    d.vision.mask_hidden++;
    assert_string_equal(model_variant_name(&d.vision), "custom");
}

static void impossible_numbers_are_refused_with_the_reason(void **state)
{
    (void)state;
    model_description good;
    assert_true(model_variant("nano", &good));
    sat_error error = {0};
#define REFUSED(change, says)                                                                                          \
    do {                                                                                                               \
        model_description d = good;                                                                                    \
        change;                                                                                                        \
        assert_int_equal(model_description_check(&d, &error), SAT_BAD_INPUT);                                          \
        if (!strstr(error.message, says)) fail_msg("%s", error.message);                                               \
    } while (0)
    REFUSED(d.vision.query_heads = 7, "--query-heads");
    REFUSED(d.vision.query_heads = 0, "query heads");
    REFUSED(d.vision.stages = 9, "stages");
    REFUSED(d.vision.features[3] = -1, "channels");
    REFUSED(d.vision.mid_heads = 2, "mid heads");
    REFUSED(d.vision.text_width = 512, "query projection");
    REFUSED(d.text.heads = 11, "--text-heads");
    REFUSED(d.text.modality_rows = 3, "modality rows");
    REFUSED(d.text.longest = 513, "longest text");
    REFUSED(d.text.output_width = 512, "not trained together");
    REFUSED(d.text.layer_norm_epsilon = 0, "epsilon");
    REFUSED(d.window[2] = 100, "multiple of 32");
    REFUSED(d.spacing_mm[1] = 0, "spacing");
    REFUSED(d.spacing_mm[1] = 0.0 / 0.0, "spacing");
    REFUSED(d.intensity.ct_clip_low_hu = 1000, "CT range");
    REFUSED(d.intensity.percentile_high = 101, "percentiles");
#undef REFUSED
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameter_counts_are_those_of_the_paper),
        cmocka_unit_test(text_encoders_have_the_counts_of_the_release),
        cmocka_unit_test(every_listed_variant_is_a_network),
        cmocka_unit_test(impossible_numbers_are_refused_with_the_reason),
    };
    return cmocka_run_group_tests_name("model/description", tests, NULL, NULL);
}
