/* From checkpoints to a model file and back to tensors. The generator makes the expected values. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/pth.h"

#include "base/file.h"
#include "model/checkpoint.h"
#include "model/convert.h"
#include "model/model_file.h"
#include "model/tensors.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[1024];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    return 0;
}

static const char *in_folder(const char *name)
{
    static char paths[8][1200];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, 1200, "%s/%s", folder, name);
    return path;
}

/* The options that the golden tiny network needs (its heads and window can't be told from shapes). */
static convert_options tiny_options(const char *output)
{
    convert_options o = convert_defaults();
    o.model_path = golden_path("tiny/tiny.pth");
    o.text_path = golden_path("text/tiny_text.pth");
    o.vocabulary_path = golden_path("vocab/mpnet-tiny.txt");
    o.output_path = output;
    o.query_heads = 4;
    memcpy(o.window, (int[]){64, 64, 32}, sizeof o.window);
    return o;
}

static convert_report converted(convert_options options)
{
    convert_report report;
    sat_error error = {0};
    if (convert_checkpoints(&options, NULL, &report, &error) != SAT_OK) fail_msg("%s: %s", error.file, error.message);
    return report;
}

static model_file *opened(const char *path)
{
    model_file *file;
    sat_error error = {0};
    if (model_file_open(path, &file, &error) != SAT_OK) fail_msg("%s: %s", error.file, error.message);
    return file;
}

/* Every tensor of `list` in `source` has the generator's values, rounded where the file rounds. */
static void check_tensors(weight_source source, const model_tensor_list *list, element_type type)
{
    for (size_t i = 0; i < list->count; i++) {
        const model_tensor *t = &list->tensors[i];
        const size_t count = (size_t)model_tensor_elements(t);
        weight_view view;
        sat_error error = {0};
        if (source.find(&source, t->name, t->dimensions, t->shape, &view, &error) != SAT_OK)
            fail_msg("%s", error.message);
        assert_int_equal(view.type, t->exact ? ELEMENT_FLOAT32 : type);
        assert_int_equal((uintptr_t)view.data % element_bytes(view.type), 0);
        if (count * element_bytes(view.type) % 64 == 0) assert_int_equal((uintptr_t)view.data % 64, 0);
        float *expected = malloc(count * sizeof *expected);
        assert_non_null(expected);
        deterministic_fill(t->name, t->dimensions, t->shape, 0, count, expected);
        for (size_t k = 0; view.type == ELEMENT_BFLOAT16 && k < count; k++)
            assert_int_equal(((const bfloat16 *)view.data)[k], bfloat16_from_float(expected[k]));
        if (view.type == ELEMENT_FLOAT32) assert_memory_equal(view.data, expected, count * sizeof *expected);
        free(expected);
        source.release(&source, &view);
        assert_null(view.data);
    }
}

static void check_model(const char *path, element_type type)
{
    model_file *file = opened(path);
    const model_description *d = model_file_description(file);
    model_tensor_list list;
    sat_error error = {0};
    assert_int_equal(model_file_type(file), type);
    assert_int_equal(model_tensors_vision(&d->vision, &list, &error), SAT_OK);
    check_tensors(model_file_vision(file), &list, type);
    model_tensors_free(&list);
    assert_int_equal(model_tensors_text(&d->text, &list, &error), SAT_OK);
    check_tensors(model_file_text(file), &list, type);
    model_tensors_free(&list);
    assert_int_equal(model_file_verify(file, &error), SAT_OK);
    model_file_close(file);
}

static void tiny_converts_with_every_tensor_and_fact(void **state)
{
    (void)state;
    const char *path = in_folder("tiny.safetensors");
    const convert_report report = converted(tiny_options(path));
    assert_int_equal(report.vision_parameters, 256366);
    assert_int_equal(report.aliases, 88);
    assert_int_equal(report.other_tensors, 36 + 3); /* moments: three of each parameter, as far as kept */
    assert_int_equal(report.ignored, 5);            /* position_ids, three of atlas_tower, temperature */
    assert_int_equal(report.vision_step, 200000);
    assert_int_equal(report.damaged_storages, 0);
    assert_true(report.text_pooler && !report.modality_rows_unused);
    check_model(path, ELEMENT_FLOAT32);

    model_file *file = opened(path);
    const model_description *d = model_file_description(file);
    model_description expected;
    assert_true(model_variant("tiny", &expected));
    expected.vision.mid_heads = 3;
    assert_string_equal(d->variant, "tiny");
    assert_memory_equal(&d->vision, &expected.vision, sizeof expected.vision);
    assert_int_equal(d->text.kind, TEXT_MPNET);
    assert_int_equal(d->text.vocabulary, 496);
    assert_int_equal(d->text.heads, 4);
    assert_int_equal(d->text.modality_rows, 4);
    assert_true(d->text.layer_norm_epsilon == 1e-5);
    assert_int_equal(d->window[2], 32);
    assert_true(d->spacing_mm[2] == 3 && d->intensity.ct_clip_low_hu == -500);
    assert_string_equal(d->model_source_name, "tiny.pth");
    assert_string_equal(d->model_source_sha256, report.description.model_source_sha256);
    assert_int_equal(strlen(d->text_source_sha256), 64);

    size_t bytes;
    const char *words = model_file_vocabulary(file, &bytes);
    file_map vocabulary;
    sat_error error = {0};
    assert_int_equal(file_map_open(golden_path("vocab/mpnet-tiny.txt"), &vocabulary, &error), SAT_OK);
    assert_int_equal(bytes, vocabulary.size - 1); /* without the last line feed */
    assert_memory_equal(words, vocabulary.data, bytes);
    file_map_close(&vocabulary);
    model_file_close(file);
}

static void bfloat16_rounds_products_and_leaves_sums_alone(void **state)
{
    (void)state;
    const char *path = in_folder("tiny_bf16.safetensors");
    convert_options options = tiny_options(path);
    options.type = ELEMENT_BFLOAT16;
    converted(options);
    check_model(path, ELEMENT_BFLOAT16);
}

/* Writes the checkpoints of `d`, converts them, and expects `d` again. */
static void round_trip(const model_description *d, pth_layout layout, bool with_text)
{
    model_tensor_list vision, text;
    sat_error error = {0};
    convert_options o = convert_defaults();
    assert_int_equal(model_description_check(d, &error), SAT_OK);
    assert_int_equal(model_tensors_vision(&d->vision, &vision, &error), SAT_OK);
    assert_int_equal(model_tensors_text(&d->text, &text, &error), SAT_OK);
    o.model_path = in_folder("vision.pth");
    o.output_path = in_folder("model.safetensors");
    o.query_heads = d->vision.query_heads;
    o.licence = "CC-BY-4.0";
    memcpy(o.window, d->window, sizeof o.window);
    pth_write(o.model_path, vision.tensors, vision.count, layout);
    if (with_text) {
        o.text_path = in_folder("text.pth");
        o.vocabulary_path = in_folder("words.txt");
        o.text_heads = d->text.heads;
        pth_write(o.text_path, text.tensors, text.count, (pth_layout){0});
        FILE *words = fopen(o.vocabulary_path, "wb");
        assert_non_null(words);
        for (int i = 0; i < d->text.vocabulary; i++)
            fprintf(words, "word%d%s", i, i % 3 ? "\n" : "\r\n");
        fclose(words);
    }
    const convert_report report = converted(o);
    assert_int_equal(report.modality_rows_unused, with_text && d->text.modality_rows > 4);
    check_model(o.output_path, ELEMENT_FLOAT32);
    model_file *file = opened(o.output_path);
    const model_description *found = model_file_description(file);
    assert_string_equal(found->variant, d->variant);
    assert_string_equal(found->licence, "CC-BY-4.0");
    assert_memory_equal(&found->vision, &d->vision, sizeof d->vision);
    if (with_text) {
        assert_int_equal(found->text.kind, d->text.kind);
        assert_int_equal(found->text.longest, d->text.longest);
        assert_int_equal(found->text.projection_hidden, d->text.projection_hidden);
        assert_int_equal(found->text.heads, d->text.heads);
        assert_true(found->text.layer_norm_epsilon == d->text.layer_norm_epsilon);
    } else {
        size_t bytes;
        assert_int_equal(found->text.kind, TEXT_NONE);
        assert_null(model_file_vocabulary(file, &bytes));
    }
    model_file_close(file);
    model_tensors_free(&vision);
    model_tensors_free(&text);
}

static void any_sizes_are_inferred(void **state)
{
    (void)state;
    model_description d;
    assert_true(model_variant("tiny_wide", &d));
    memset(d.vision.mid_hidden, 0, sizeof d.vision.mid_hidden); /* heads that are not there have no size */
    round_trip(&d, (pth_layout){0}, true);

    snprintf(d.variant, sizeof d.variant, "custom");
    d.vision = (vision_sizes){.stages = 5,
                              .features = {3, 5, 7, 9, 10},
                              .convolutions_per_stage = 3,
                              .input_channels = 1,
                              .text_width = 30,
                              .query_width = 30,
                              .projection_hidden = 11,
                              .query_heads = 5,
                              .query_layers = 2,
                              .query_feed_forward = 13,
                              .mask_hidden = 6,
                              .mid_heads = 3,
                              .mid_hidden = {4, 5, 6}};
    d.text = (text_sizes){.kind = TEXT_BERT,
                          .vocabulary = 17,
                          .positions = 40,
                          .width = 30,
                          .layers = 3,
                          .heads = 6,
                          .feed_forward = 21,
                          .output_width = 30,
                          .modality_rows = 5,
                          .longest = 40,
                          .layer_norm_epsilon = 1e-12};
    round_trip(&d, (pth_layout){.prefix = ""}, true);
    round_trip(&d, (pth_layout){0}, false);
}

static void refused(convert_options options, sat_status status, const char *says, const char *problem)
{
    convert_report report;
    sat_error error = {0};
    assert_int_equal(convert_checkpoints(&options, NULL, &report, &error), status);
    if (!strstr(error.message, says)) fail_msg("%s", error.message);
    assert_false(file_exists(options.output_path) && !file_same(options.output_path, options.model_path));
    bool found = !problem;
    for (size_t i = 0; i < report.problem_count && i < CONVERT_PROBLEMS_MAX; i++)
        found = found || strstr(report.problems[i], problem);
    if (!found) fail_msg("no problem \"%s\"; the first: %s", problem, report.problems[0]);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    const char *path = in_folder("never.safetensors");
    convert_options o;
#define REFUSED(change, status, says)                                                                                  \
    do {                                                                                                               \
        o = tiny_options(path);                                                                                        \
        change;                                                                                                        \
        refused(o, status, says, NULL);                                                                                \
    } while (0)
    REFUSED(o.query_heads = 7, SAT_BAD_INPUT, "--query-heads");
    REFUSED(o.text_heads = 12, SAT_BAD_ARGUMENT, "--text-heads 12 contradicts");
    REFUSED(o.window[1] = 50, SAT_BAD_INPUT, "multiple of 32");
    REFUSED(o.vocabulary_path = NULL, SAT_BAD_ARGUMENT, "--vocab");
    REFUSED(o.vocabulary_path = golden_path("vocab/medcpt-standin.txt"), SAT_BAD_INPUT, "4096 lines");
    REFUSED(o.model_path = o.text_path, SAT_BAD_INPUT, "belongs to --text");
    REFUSED(o.text_path = o.model_path, SAT_BAD_INPUT, "belongs to --model");
    REFUSED(o.model_path = golden_path("tiny/hostile.pth"), SAT_BAD_INPUT, "posix.system");
    REFUSED(o.model_path = "/nowhere.pth", SAT_IO, "No such file");
    REFUSED(o.output_path = "/nowhere/x.safetensors", SAT_IO, "No such file");
    REFUSED(o.type = ELEMENT_FLOAT16, SAT_BAD_ARGUMENT, "float16");
    REFUSED(o.licence = "\xff", SAT_BAD_ARGUMENT, "UTF-8");
#undef REFUSED
}

/* A vision checkpoint of tiny with one mistake. */
static void refused_checkpoint(void (*spoil)(model_tensor_list *), pth_layout layout, const char *says,
                               const char *problem)
{
    model_description d;
    model_tensor_list list;
    sat_error error = {0};
    convert_options o = tiny_options(in_folder("never.safetensors"));
    assert_true(model_variant("tiny", &d));
    assert_int_equal(model_tensors_vision(&d.vision, &list, &error), SAT_OK);
    if (spoil) spoil(&list);
    o.model_path = in_folder("spoilt.pth");
    pth_write(o.model_path, list.tensors, list.count, layout);
    refused(o, SAT_BAD_INPUT, says, problem);
    model_tensors_free(&list);
}

static model_tensor *named(model_tensor_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->tensors[i].name, name) == 0) return &list->tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void drop_a_norm(model_tensor_list *list)
{
    *named(list, "transformer_decoder.norm.bias") = list->tensors[--list->count];
}
static void drop_the_mask_head(model_tensor_list *list)
{
    *named(list, "mask_embed_proj.0.weight") = list->tensors[--list->count];
}
static void reshape_a_bias(model_tensor_list *list)
{
    named(list, "backbone.decoder.transpconvs.2.bias")->shape[0] = 13;
}
static void rename_a_tensor(model_tensor_list *list)
{
    snprintf(named(list, "backbone.decoder.stages.3.convs.1.norm.weight")->name, MODEL_NAME_MAX,
             "backbone.extra.weight");
}
static void contradict_an_alias(model_tensor_list *list)
{
    /* another seed under a name that folds to the first tensor's: values differ */
    snprintf(list->tensors[5].name, MODEL_NAME_MAX, "backbone.encoder.stages.0.0.convs.0.conv.bias");
    list->tensors[5].shape[0] = list->tensors[1].shape[0];
    snprintf(list->tensors[6].name, MODEL_NAME_MAX, "backbone.encoder.stages.0.0.convs.0.norm.bias");
    list->tensors[6] = list->tensors[5];
    list->tensors[6].shape[0] -= 1;
}

static void mistakes_are_reported_by_tensor(void **state)
{
    (void)state;
    const pth_layout plain = {0};
    refused_checkpoint(drop_a_norm, plain, "1 problem,", "missing: transformer_decoder.norm.bias (48)");
    refused_checkpoint(drop_the_mask_head, plain, "lacks the tensor mask_embed_proj.0.weight", NULL);
    refused_checkpoint(reshape_a_bias, plain, "1 problem,",
                       "misshapen: backbone.decoder.transpconvs.2.bias is (13) instead of (12)");
    refused_checkpoint(rename_a_tensor, plain, "2 problems,",
                       "missing: backbone.decoder.stages.3.convs.1.norm.weight (8)");
    refused_checkpoint(rename_a_tensor, plain, "2 problems,", "unexpected: backbone.extra.weight (8)");
    refused_checkpoint(contradict_an_alias, plain, "should be one tensor, but differ", NULL);
    refused_checkpoint(NULL, (pth_layout){.poison = NAN}, "not numbers", NULL);
    refused_checkpoint(NULL, (pth_layout){.poison = INFINITY}, "not numbers", NULL);
}

static void a_checkpoint_is_never_replaced_by_its_conversion(void **state)
{
    (void)state;
    model_description d;
    model_tensor_list list;
    sat_error error = {0};
    assert_true(model_variant("tiny", &d));
    assert_int_equal(model_tensors_vision(&d.vision, &list, &error), SAT_OK);
    convert_options o = tiny_options(in_folder("precious.pth"));
    o.model_path = o.output_path;
    pth_write(o.model_path, list.tensors, list.count, (pth_layout){0});
    refused(o, SAT_BAD_ARGUMENT, "would replace", NULL);
    model_tensors_free(&list);
}

static void a_wrong_check_sum_is_said(void **state)
{
    (void)state;
    file_map map;
    sat_error error = {0};
    assert_int_equal(file_map_open(golden_path("tiny/tiny.pth"), &map, &error), SAT_OK);
    unsigned char *copy = malloc(map.size);
    assert_non_null(copy);
    memcpy(copy, map.data, map.size);
    checkpoint c;
    assert_int_equal(checkpoint_parse(copy, map.size, &c, &error), SAT_OK);
    copy[c.tensors[0].storage - copy] ^= 1; /* the last bit of a number: still a number */
    checkpoint_close(&c);
    convert_options options = tiny_options(in_folder("changed.safetensors"));
    options.model_path = in_folder("changed.pth");
    assert_int_equal(file_write_whole(options.model_path, copy, map.size, &error), SAT_OK);
    assert_int_equal(converted(options).damaged_storages, 1);
    free(copy);
    file_map_close(&map);
}

static void cancelling_leaves_nothing_behind(void **state)
{
    (void)state;
    const char *path = in_folder("cancelled.safetensors");
    convert_options options = tiny_options(path);
    convert_report report;
    sat_error error = {0};
    progress watch = {0};
    progress_cancel(&watch);
    assert_int_equal(convert_checkpoints(&options, &watch, &report, &error), SAT_CANCELLED);
    assert_false(file_exists(path));
}

static void vocabularies_are_brought_to_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *joined;
        int64_t lines;
    } good[] = {{"a\nb\n", "a\nb", 2}, {"a\nb", "a\nb", 2}, {"a\r\n##é\r\n", "a\n##é", 2}, {"a", "a", 1}};
    sat_error error = {0};
    char *joined;
    size_t bytes;
    int64_t lines;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(convert_vocabulary(good[i].text, strlen(good[i].text), &joined, &bytes, &lines, &error),
                         SAT_OK);
        assert_int_equal(bytes, strlen(good[i].joined));
        assert_memory_equal(joined, good[i].joined, bytes);
        assert_int_equal(lines, good[i].lines);
        free(joined);
    }
    const char *const bad[] = {"", "a\n\nb\n", "a\n\xff\n", "\n", "a\nb\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(convert_vocabulary(bad[i], strlen(bad[i]), &joined, &bytes, &lines, &error), SAT_BAD_INPUT);
        assert_null(joined);
    }
}

static void a_model_has_an_identity_and_notices_damage(void **state)
{
    (void)state;
    const char *path = in_folder("tiny.safetensors"), *damaged = in_folder("damaged.safetensors");
    char one[HASH_SHA256_TEXT], two[HASH_SHA256_TEXT];
    sat_error error = {0};
    converted(tiny_options(path));
    model_file *file = opened(path);
    model_file_identity(file, one);
    model_file_close(file);
    file = opened(path);
    model_file_identity(file, two);
    assert_string_equal(one, two);
    model_file_close(file);

    file_map map;
    assert_int_equal(file_map_open(path, &map, &error), SAT_OK);
    unsigned char *copy = malloc(map.size);
    assert_non_null(copy);
    memcpy(copy, map.data, map.size);
    copy[map.size / 2] ^= 1;
    assert_int_equal(file_write_whole(damaged, copy, map.size, &error), SAT_OK);
    file = opened(damaged);
    assert_int_equal(model_file_verify(file, &error), SAT_BAD_INPUT);
    model_file_close(file);
    free(copy);
    file_map_close(&map);

    convert_options other = tiny_options(in_folder("other.safetensors"));
    other.spacing_mm[2] = 4;
    converted(other);
    file = opened(other.output_path);
    model_file_identity(file, two);
    assert_string_not_equal(one, two);
    model_file_close(file);
}

static void what_is_no_model_is_refused_with_a_hint(void **state)
{
    (void)state;
    model_file *file;
    sat_error error = {0};
    assert_int_equal(model_file_open(golden_path("tiny/tiny.pth"), &file, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.message, "sat3d convert"));
    assert_null(file);
    const char plain[] = "\x0e\0\0\0\0\0\0\0{\"a\":{\"x\":\"\"}}";
    assert_int_equal(model_file_parse(plain, sizeof plain - 1, &file, &error), SAT_BAD_INPUT);
    assert_int_equal(model_file_parse("", 0, &file, &error), SAT_BAD_INPUT);
    const char empty[] = "\x02\0\0\0\0\0\0\0{}";
    assert_int_equal(model_file_parse(empty, sizeof empty - 1, &file, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.message, "no description"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiny_converts_with_every_tensor_and_fact),
        cmocka_unit_test(bfloat16_rounds_products_and_leaves_sums_alone),
        cmocka_unit_test(any_sizes_are_inferred),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(mistakes_are_reported_by_tensor),
        cmocka_unit_test(a_checkpoint_is_never_replaced_by_its_conversion),
        cmocka_unit_test(a_wrong_check_sum_is_said),
        cmocka_unit_test(cancelling_leaves_nothing_behind),
        cmocka_unit_test(vocabularies_are_brought_to_one_form),
        cmocka_unit_test(a_model_has_an_identity_and_notices_damage),
        cmocka_unit_test(what_is_no_model_is_refused_with_a_hint),
    };
    return cmocka_run_group_tests_name("model/convert", tests, make_folder, NULL);
}
