/* From a scan's file and words to masks' files: against a naive merge of the network's own probabilities, and the same bytes
 * whatever the threads, the order of prompts, the number of passes, or where queries come from. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "image/volume_file.h"
#include "model/convert.h"
#include "model/network.h"
#include "segment/case.h"
#include "segment/segmenter.h"
#include "segment/windows.h"
#include "text/encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPTS = 5 };
static const char *const prompts[PROMPTS] = {"liver", "left kidney", "Right Kidney", "spleen", "aorta"};

static char folder[600], model_path[700];

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK) fail_msg("%s: %s", error->file, error->message);
}

/* The tiny network and text encoder of the goldens, made into a model file by the product itself. */
static int make_model(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    snprintf(model_path, sizeof model_path, "%s/tiny.safetensors", folder);
    convert_options o = convert_defaults();
    o.model_path = golden_path("tiny/tiny.pth");
    o.text_path = golden_path("text/tiny_text.pth");
    o.vocabulary_path = golden_path("vocab/mpnet-tiny.txt");
    o.output_path = model_path;
    o.query_heads = 4;
    const int window[3] = {64, 64, 32};
    memcpy(o.window, window, sizeof window);
    convert_report report;
    sat_error error = {0};
    const sat_status status = convert_checkpoints(&o, NULL, &report, &error);
    if (status != SAT_OK) print_error("%s: %s\n", error.file, error.message);
    return status == SAT_OK ? 0 : -1;
}

/* Voxels of 1 x 1 x 3 mm, RAS, all above 0: processed and scan grid are the same, so that masks can be checked by index. */
static void make_scan(volume *v, const int64_t shape[3])
{
    *v = (volume){.grid = {.voxel_to_world = {{1, 0, 0, -20}, {0, 1, 0, 5}, {0, 0, 3, 40}}}, .type = VOXEL_FLOAT32, .volumes_in_file = 1};
    memcpy(v->grid.shape_ijk, shape, sizeof v->grid.shape_ijk);
    float *x = malloc(volume_voxels(v) * sizeof *x);
    assert_non_null(x);
    random_fill(x, volume_voxels(v), 7);
    for (size_t i = 0; i < volume_voxels(v); i++)
        x[i] = 1.5f + x[i];
    v->stored = x;
}

typedef struct masks {
    size_t voxels;
    uint8_t *mask[PROMPTS]; /* owned; [k][j][i] */
    size_t filled;
    restore_found found[PROMPTS];
    int now;
    segment_record record;
} masks;

static sat_status keep_begin(void *context, int prompt, sat_error *error)
{
    (void)error;
    masks *m = context;
    m->now = prompt;
    m->filled = 0;
    m->mask[prompt] = malloc(m->voxels);
    return SAT_OK;
}

static sat_status keep_slices(void *context, const uint8_t *mask, size_t voxels, sat_error *error)
{
    (void)error;
    masks *m = context;
    assert_true(m->filled + voxels <= m->voxels);
    memcpy(m->mask[m->now] + m->filled, mask, voxels);
    m->filled += voxels;
    return SAT_OK;
}

static sat_status keep_end(void *context, int prompt, const restore_found *found, sat_error *error)
{
    (void)error;
    masks *m = context;
    assert_int_equal(m->filled, m->voxels);
    m->found[prompt] = *found;
    return SAT_OK;
}

static segmenter_options usual(int threads) { return (segmenter_options){.type = ELEMENT_FLOAT32, .threads = threads, .prompts = PROMPTS}; }

static masks segmented(const volume *scan, const segmenter_options *options, const char *const *words)
{
    masks m = {.voxels = volume_voxels(scan)};
    segmenter *s;
    sat_error error = {0};
    check(segmenter_open(model_path, options, &s, &error), &error);
    const segment_request request = {.prompts = words, .prompt_count = PROMPTS, .modality = "mri", .overlap = 0.5};
    const segment_sink sink = {.context = &m, .begin = keep_begin, .slices = {.context = &m, .mask = keep_slices}, .end = keep_end};
    check(segmenter_run(s, scan, &request, &sink, &m.record, NULL, &error), &error);
    segmenter_close(s);
    return m;
}

static void masks_free(masks *m)
{
    for (int p = 0; p < PROMPTS; p++)
        free(m->mask[p]);
}

/* ---------------------------------------------------------------- the naive way */

/* Sums over whole volumes, one window after the other, as the reference does it. [prompt][x][y][z] probabilities. */
static float *naive_probabilities(const volume *scan)
{
    sat_error error = {0};
    model_file *file;
    check(model_file_open(model_path, &file, &error), &error);
    const model_description *d = model_file_description(file);
    const weight_source vision = model_file_vision(file), words = model_file_text(file);
    const standard_settings settings = {.modality = "mri", .spacing_mm = {1, 1, 3}, .intensity = d->intensity, .threads = 2};
    standard_scan standard;
    check(standard_make(scan, &settings, &standard, &error), &error);
    assert_memory_equal(standard.grid.shape_xyz, scan->grid.shape_ijk, sizeof standard.grid.shape_xyz);

    size_t bytes;
    const char *vocabulary = model_file_vocabulary(file, &bytes);
    const text_encoder_options text_options = {.threads = 2, .no_disk_cache = true};
    text_encoder *encoder;
    check(text_encoder_open(&d->text, &words, vocabulary, bytes, &text_options, &encoder, &error), &error);
    float *queries = malloc(PROMPTS * (size_t)d->vision.text_width * sizeof *queries);
    check(text_encoder_queries(encoder, prompts, PROMPTS, 1, queries, NULL, &error), &error);
    network *net;
    const network_options options = {ELEMENT_FLOAT32, 2, PROMPTS, false};
    check(network_make(d, &vision, &options, &net, &error), &error);
    check(network_load(net, &error), &error);

    const int64_t *n = standard.grid.shape_xyz;
    const size_t voxels = (size_t)(n[0] * n[1] * n[2]);
    const size_t patch_voxels = (size_t)(d->window[0] * d->window[1] * d->window[2]);
    window_list windows;
    window_weights weights;
    check(windows_make(n, d->window, 0.5, &windows, &error), &error);
    check(window_weights_make(d->window, 1, &weights, &error), &error);
    float *sum = calloc(PROMPTS * voxels, sizeof *sum), *total = calloc(voxels, sizeof *total);
    float *patch = malloc(patch_voxels * sizeof *patch), *out = malloc(PROMPTS * patch_voxels * sizeof *out);
    float *embeddings = malloc(PROMPTS * (size_t)network_embedding_width(net) * sizeof *embeddings);
    for (size_t w = 0; w < windows.count; w++) {
        const window_box *b = &windows.boxes[w];
        window_cut(&windows, w, standard.voxels, patch, 1);
        check(network_image(net, patch, NULL, &error), &error);
        check(network_queries(net, PROMPTS, queries, embeddings, &error), &error);
        check(network_masks(net, 0, 0, d->window[0], PROMPTS, embeddings, true, out, &error), &error);
        for (int x = b->from[0]; x < b->to[0]; x++)
            for (int y = b->from[1]; y < b->to[1]; y++)
                for (int z = b->from[2]; z < b->to[2]; z++) {
                    const int px = x - b->from[0], py = y - b->from[1], pz = z - b->from[2];
                    const float weight = window_weights_row(&weights, px, py)[pz];
                    const size_t at = ((size_t)x * (size_t)n[1] + (size_t)y) * (size_t)n[2] + (size_t)z;
                    const size_t from = ((size_t)px * (size_t)d->window[1] + (size_t)py) * (size_t)d->window[2] + (size_t)pz;
                    total[at] += weight;
                    for (size_t p = 0; p < PROMPTS; p++)
                        sum[p * voxels + at] += weight * out[p * patch_voxels + from];
                }
    }
    for (size_t p = 0; p < PROMPTS; p++)
        for (size_t i = 0; i < voxels; i++)
            sum[p * voxels + i] /= total[i];
    free(total);
    free(patch);
    free(out);
    free(embeddings);
    free(queries);
    windows_free(&windows);
    window_weights_free(&weights);
    network_free(net);
    text_encoder_close(encoder);
    standard_free(&standard);
    model_file_close(file);
    return sum;
}

static void masks_equal_a_naive_merge_of_the_network(void **state)
{
    (void)state;
    volume scan;
    make_scan(&scan, (const int64_t[]){90, 70, 40});
    const segmenter_options options = usual(2);
    masks m = segmented(&scan, &options, prompts);
    float *expected = naive_probabilities(&scan);
    const int64_t *n = scan.grid.shape_ijk;
    size_t inside = 0, undecided = 0;
    for (size_t p = 0; p < PROMPTS; p++) {
        int64_t voxels = 0;
        for (int64_t i = 0; i < n[0]; i++)
            for (int64_t j = 0; j < n[1]; j++)
                for (int64_t k = 0; k < n[2]; k++) {
                    const float probability = expected[(((int64_t)p * n[0] + i) * n[1] + j) * n[2] + k];
                    const uint8_t mask = m.mask[p][(k * n[1] + j) * n[0] + i];
                    voxels += mask;
                    inside += mask;
                    if (fabsf(probability - 0.5f) <= 1e-5f) undecided++;
                    else assert_int_equal(mask, probability > 0.5f);
                }
        assert_int_equal(voxels, m.found[p].voxels);
    }
    print_message("             %zu voxels inside, %zu within 1e-5 of the threshold\n", inside, undecided);
    assert_true(inside > 1000 && inside < PROMPTS * m.voxels - 1000 && undecided < 100);
    free(expected);
    masks_free(&m);
    volume_free(&scan);
}

/* ---------------------------------------------------------------- what must not matter */

static void assert_same_masks(const masks *a, const masks *b)
{
    for (int p = 0; p < PROMPTS; p++)
        assert_memory_equal(a->mask[p], b->mask[p], a->voxels);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    volume scan;
    make_scan(&scan, (const int64_t[]){80, 70, 40});
    const segmenter_options one = usual(1), seven = usual(7);
    masks a = segmented(&scan, &one, prompts), b = segmented(&scan, &seven, prompts);
    assert_same_masks(&a, &b);
    masks_free(&a);
    masks_free(&b);
    volume_free(&scan);
}

static void the_order_of_prompts_does_not_matter(void **state)
{
    (void)state;
    volume scan;
    make_scan(&scan, (const int64_t[]){70, 66, 33});
    const segmenter_options options = usual(2);
    const char *const turned[PROMPTS] = {prompts[3], prompts[1], prompts[4], prompts[0], prompts[2]};
    static const int where[PROMPTS] = {3, 1, 4, 0, 2};
    masks a = segmented(&scan, &options, prompts), b = segmented(&scan, &options, turned);
    for (int p = 0; p < PROMPTS; p++)
        assert_memory_equal(b.mask[p], a.mask[where[p]], a.voxels);
    masks_free(&a);
    masks_free(&b);
    volume_free(&scan);
}

/* Dense masks and little memory: prompts wait for further passes, and come out the same. */
static void passes_do_not_matter_and_the_limit_is_kept_or_refused(void **state)
{
    (void)state;
    volume scan;
    make_scan(&scan, (const int64_t[]){100, 90, 40});
    segmenter_options options = usual(2);
    masks plenty = segmented(&scan, &options, prompts);
    assert_int_equal(plenty.record.passes, 1);
    options.max_memory_bytes = plenty.record.plan.least_bytes + 1000;
    masks scarce = segmented(&scan, &options, prompts);
    print_message("             %d passes within %.0f MB\n", scarce.record.passes, (double)options.max_memory_bytes / 1e6);
    assert_true(scarce.record.passes > 1 && scarce.record.passes <= scarce.record.plan.passes_if_dense);
    assert_true(scarce.record.plan.total_bytes <= options.max_memory_bytes);
    assert_same_masks(&plenty, &scarce);

    options.max_memory_bytes = plenty.record.plan.least_bytes / 2;
    segmenter *s;
    sat_error error = {0};
    segment_plan refused;
    check(segmenter_open(model_path, &options, &s, &error), &error);
    const segment_request request = {.prompts = prompts, .prompt_count = PROMPTS, .modality = "mri", .overlap = 0.5};
    assert_int_equal(segmenter_plan(s, &scan, &request, &refused, &error), SAT_NO_MEMORY);
    assert_non_null(strstr(error.message, "--max-memory"));
    segmenter_close(s);
    masks_free(&plenty);
    masks_free(&scarce);
    volume_free(&scan);
}

/* ---------------------------------------------------------------- files */

static void files_appear_whole_and_say_what_was_done(void **state)
{
    (void)state;
    volume scan, mask;
    make_scan(&scan, (const int64_t[]){66, 64, 33});
    const segmenter_options options = usual(2);
    char out_folder[700], path[1000];
    snprintf(out_folder, sizeof out_folder, "%s/masks/of scan", folder);
    const case_settings settings = {
        .request = {.prompts = (const char *const[]){"Left Kidney", "left kidney", "../liver"}, .prompt_count = 3, .modality = "mri",
                    .overlap = 0.5},
        .folder = out_folder,
        .scan_name = "scan.nii.gz",
        .model_name = "tiny.safetensors",
    };
    segmenter *s;
    case_result result;
    sat_error error = {0};
    check(segmenter_open(model_path, &options, &s, &error), &error);
    check(case_run(s, &scan, &settings, &result, NULL, &error), &error);
    static const char *const names[] = {"left_kidney.nii.gz", "left_kidney_2.nii.gz", ".._liver.nii.gz"};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(result.labels[i].file, names[i]);
        snprintf(path, sizeof path, "%s/%s", out_folder, names[i]);
        check(volume_read(path, -1, &mask, &error), &error);
        assert_memory_equal(&mask.grid, &scan.grid, sizeof mask.grid);
        int64_t voxels = 0;
        for (size_t v = 0; v < volume_voxels(&mask); v++)
            voxels += ((const uint8_t *)mask.stored)[v];
        assert_int_equal(voxels, result.labels[i].found.voxels);
        volume_free(&mask);
    }
    file_map record_file;
    check(file_map_open(result.record_path, &record_file, &error), &error);
    assert_true(record_file.size > 500);
    file_map_close(&record_file);
    case_result_free(&result);
    segmenter_close(s);
    volume_free(&scan);
}

static void an_unknown_modality_is_refused(void **state)
{
    (void)state;
    volume scan;
    make_scan(&scan, (const int64_t[]){20, 20, 20});
    const segmenter_options options = usual(1);
    segmenter *s;
    sat_error error = {0};
    check(segmenter_open(model_path, &options, &s, &error), &error);
    const segment_request request = {.prompts = prompts, .prompt_count = PROMPTS, .modality = "x-ray", .overlap = 0.5};
    masks m = {.voxels = volume_voxels(&scan)};
    const segment_sink sink = {.context = &m, .begin = keep_begin, .slices = {.context = &m, .mask = keep_slices}, .end = keep_end};
    assert_int_equal(segmenter_run(s, &scan, &request, &sink, &m.record, NULL, &error), SAT_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "no modality 'x-ray'"));
    masks_free(&m);
    segmenter_close(s);
    volume_free(&scan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_equal_a_naive_merge_of_the_network),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(the_order_of_prompts_does_not_matter),
        cmocka_unit_test(passes_do_not_matter_and_the_limit_is_kept_or_refused),
        cmocka_unit_test(files_appear_whole_and_say_what_was_done),
        cmocka_unit_test(an_unknown_modality_is_refused),
    };
    return cmocka_run_group_tests_name("segment/segmenter", tests, make_model, NULL);
}
