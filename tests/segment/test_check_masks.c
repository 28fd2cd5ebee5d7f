/* Checks after a segmentation: each with a mask that should trigger it and one that should not; real labels as masks. */
#define _POSIX_C_SOURCE 200809L /* strtok_r */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/vocabulary.h"

#include "base/json.h"
#include "image/volume_file.h"
#include "segment/check_masks.h"
#include "segment/check_scan.h"
#include "segment/check_side.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- a drawn body */

/* An ellipse of tissue in air, 300 mm wide, its middle at x = 10 mm; RAS, 4 mm. */
enum { N = 100, SLICES = 30, VOXELS = N * N * SLICES };
static const double body_middle_mm = 10;

static volume draw_body(double half_width_mm)
{
    volume v = {.grid = {.shape_ijk = {N, N, SLICES}, .voxel_to_world = {{4, 0, 0, -198}, {0, 4, 0, -198}, {0, 0, 4, 100}}},
                .type = VOXEL_INT16, .volumes_in_file = 1};
    int16_t *x = malloc(VOXELS * sizeof *x);
    assert_non_null(x);
    for (int n = 0; n < VOXELS; n++) {
        const double right = 4.0 * (n % N) - 198 - body_middle_mm, front = 4.0 * (n / N % N) - 198;
        x[n] = right * right / (half_width_mm * half_width_mm) + front * front / (100.0 * 100.0) < 1 ? 40 : -1000;
    }
    v.stored = x;
    return v;
}

/* A box of the mask, half-open, fed in runs of slices as the way back does. */
static mask_seen box_seen(const geometry *grid, int i0, int i1, int j0, int j1, int k0, int k1)
{
    static uint8_t slices[3 * N * N];
    mask_watch w;
    mask_watch_begin(&w, grid);
    for (int k = 0; k < SLICES; k += 3) {
        bool any = false;
        memset(slices, 0, sizeof slices);
        for (int s = 0; s < 3; s++)
            for (int j = j0; j < j1; j++)
                for (int i = i0; i < i1; i++)
                    if (k + s >= k0 && k + s < k1) {
                        any = true;
                        slices[(s * N + j) * N + i] = 1;
                    }
        mask_watch_add(&w, any ? slices : NULL, sizeof slices);
    }
    return mask_watch_end(&w);
}

static check_list masks_checked(const check_masks_request *r)
{
    check_list found = {0};
    sat_error error = {0};
    if (check_masks(r, &found, &error) != SAT_OK) fail_msg("%s", error.message);
    return found;
}

static void a_watch_counts_what_passes_by(void **state)
{
    (void)state;
    volume v = draw_body(150);
    const mask_seen seen = box_seen(&v.grid, 0, 2, 5, 8, 27, 30);
    assert_int_equal(seen.voxels, 2 * 3 * 3);
    assert_true(fabs(seen.centroid_mm[0] - (4 * 0.5 - 198)) < 1e-9);
    assert_true(fabs(seen.centroid_mm[1] - (4 * 6.0 - 198)) < 1e-9);
    assert_true(fabs(seen.centroid_mm[2] - (4 * 28.0 + 100)) < 1e-9);
    assert_int_equal(seen.face_voxels[0][0], 9);
    assert_int_equal(seen.face_voxels[0][1], 0);
    assert_int_equal(seen.face_voxels[1][0], 0);
    assert_int_equal(seen.face_voxels[2][0], 0);
    assert_int_equal(seen.face_voxels[2][1], 6);
    json_t *faces = mask_faces_json(&seen, &v.grid);
    char *words = json_dumps(faces, JSON_COMPACT);
    assert_string_equal(words, "{\"left\":9,\"head\":6}");
    free(words);
    json_decref(faces);
    volume_free(&v);
}

/* The same corner of the patient, whatever way the file's axes run. */
static void faces_are_named_by_the_patients_directions(void **state)
{
    (void)state;
    /* i runs to the feet, j to the left, k to the back */
    const geometry turned = {.shape_ijk = {N, N, SLICES}, .voxel_to_world = {{0, -4, 0, 0}, {0, 0, -4, 0}, {-4, 0, 0, 0}}};
    const mask_seen seen = box_seen(&turned, 0, 2, 98, 100, 27, 30);
    json_t *faces = mask_faces_json(&seen, &turned);
    char *words = json_dumps(faces, JSON_COMPACT);
    assert_string_equal(words, "{\"left\":6,\"back\":4,\"head\":6}");
    free(words);
    json_decref(faces);
}

/* ---------------------------------------------------------------- names */

static void sides_in_names(void **state)
{
    (void)state;
    assert_int_equal(check_side_of_name("left kidney"), SIDE_LEFT);
    assert_int_equal(check_side_of_name("Kidney_Right"), SIDE_RIGHT);
    assert_int_equal(check_side_of_name("RIGHT lung upper lobe"), SIDE_RIGHT);
    assert_int_equal(check_side_of_name("liver"), SIDE_NONE);
    assert_int_equal(check_side_of_name("cleft"), SIDE_NONE);
    assert_int_equal(check_side_of_name("lefty"), SIDE_NONE);
    assert_int_equal(check_side_of_name("left and right kidney"), SIDE_NONE);
    assert_true(check_side_same_but_side("left kidney", "Right Kidney"));
    assert_true(check_side_same_but_side("kidney_right", "kidney_left"));
    assert_false(check_side_same_but_side("left kidney", "left kidney"));
    assert_false(check_side_same_but_side("left kidney", "right kidney cyst"));
    assert_false(check_side_same_but_side("left lung upper lobe", "right lung lower lobe"));
    assert_false(check_side_same_but_side("left", "right x"));
    assert_true(check_side_same_but_side("left", "right"));
    assert_true(check_side_of_organ("right heart ventricle"));
    assert_true(check_side_of_organ("left lobe of liver"));
    assert_false(check_side_of_organ("left kidney"));
    assert_false(check_side_of_organ("left lung upper lobe"));
}

/* ---------------------------------------------------------------- sides */

enum { LEFT_I0 = 20, RIGHT_I0 = 75 }; /* boxes of 6 voxels, about 95 mm to either side of the middle */

static check_list two_kidneys(const volume *scan, const check_body *body, const char *first, const char *second, int first_i0, int second_i0)
{
    const char *const prompts[] = {first, second};
    const mask_seen seen[] = {box_seen(&scan->grid, first_i0, first_i0 + 6, 40, 50, 10, 15),
                              box_seen(&scan->grid, second_i0, second_i0 + 6, 40, 50, 10, 15)};
    const check_masks_request r = {.scan = scan, .prompts = prompts, .seen = seen, .prompt_count = 2, .body = body};
    return masks_checked(&r);
}

static void a_structure_on_the_wrong_side_gets_a_loud_warning(void **state)
{
    (void)state;
    volume scan = draw_body(150);
    check_body body;
    assert_int_equal(check_body_find(&scan, "ct", &body, NULL), SAT_OK);
    assert_true(body.known);
    assert_true(fabs(body.midline_x_mm - body_middle_mm) < 2);
    assert_true(fabs(check_body_midline(&body, 150) - body_middle_mm) < 2);

    check_list good = two_kidneys(&scan, &body, "left kidney", "right kidney", LEFT_I0, RIGHT_I0);
    assert_int_equal(good.count, 0);
    check_list_free(&good);

    check_list exchanged = two_kidneys(&scan, &body, "left kidney", "right kidney", RIGHT_I0, LEFT_I0);
    assert_non_null(check_find(&exchanged, "wrong-side", 0));
    assert_non_null(check_find(&exchanged, "wrong-side", 1));
    assert_non_null(check_find(&exchanged, "pair-exchanged", 0));
    const check_finding *all = check_find(&exchanged, "sides-exchanged", CHECK_SCAN);
    assert_non_null(all);
    assert_int_equal(all->severity, CHECK_SERIOUS);
    assert_non_null(strstr(all->text, "WRONG SIDE"));
    check_list_free(&exchanged);

    check_list one = two_kidneys(&scan, &body, "left kidney", "right adrenal gland", RIGHT_I0, RIGHT_I0);
    assert_non_null(check_find(&one, "wrong-side", 0));
    assert_null(check_find(&one, "wrong-side", 1));
    assert_null(check_find(&one, "sides-exchanged", CHECK_SCAN));
    check_list_free(&one);
    volume_free(&scan);
}

static void the_midline_is_given_some_room(void **state)
{
    (void)state;
    volume scan = draw_body(150);
    check_body body;
    assert_int_equal(check_body_find(&scan, "ct", &body, NULL), SAT_OK);
    /* box middles: i0 + 2.5 -> x = 4 (i0 + 2.5) - 198; the midline is at 10 mm, the tolerance at least 10 mm */
    check_list within = two_kidneys(&scan, &body, "left crus", "right colon", 51, RIGHT_I0); /* 6 mm beyond */
    check_list beyond = two_kidneys(&scan, &body, "left crus", "right colon", 56, RIGHT_I0); /* 26 mm beyond */
    assert_null(check_find(&within, "wrong-side", 0));
    assert_non_null(check_find(&beyond, "wrong-side", 0));
    check_list_free(&within);
    check_list_free(&beyond);
    volume_free(&scan);
}

/* "Left" of the heart is not left of the body: only the pair is compared. */
static void sides_of_an_organ_are_compared_within_the_pair(void **state)
{
    (void)state;
    volume scan = draw_body(150);
    check_body body;
    assert_int_equal(check_body_find(&scan, "ct", &body, NULL), SAT_OK);
    check_list good = two_kidneys(&scan, &body, "right heart ventricle", "left heart ventricle", 30, 20);
    assert_int_equal(good.count, 0);
    check_list bad = two_kidneys(&scan, &body, "right heart ventricle", "left heart ventricle", 20, 30);
    assert_non_null(check_find(&bad, "pair-exchanged", 1));
    check_list_free(&good);
    check_list_free(&bad);
    volume_free(&scan);
}

/* A scan of one side, as of a shoulder: its middle says nothing of the body's. */
static void a_cropped_body_has_no_midline(void **state)
{
    (void)state;
    volume scan = draw_body(1000);
    check_body body;
    assert_int_equal(check_body_find(&scan, "ct", &body, NULL), SAT_OK);
    assert_false(body.known);
    assert_non_null(body.reason);
    check_list found = two_kidneys(&scan, &body, "left lung", "left rib 5", RIGHT_I0, RIGHT_I0);
    assert_int_equal(found.count, 0);
    check_list_free(&found);
    volume_free(&scan);
}

/* ---------------------------------------------------------------- cut, and nothing */

static void a_mask_at_the_edge_is_marked_as_cut(void **state)
{
    (void)state;
    volume scan = draw_body(150);
    const char *const prompts[] = {"liver", "spleen"};
    const mask_seen seen[] = {box_seen(&scan.grid, 40, 50, 40, 50, 20, SLICES), box_seen(&scan.grid, 40, 50, 40, 50, 20, SLICES - 1)};
    const check_masks_request r = {.scan = &scan, .prompts = prompts, .seen = seen, .prompt_count = 2};
    check_list found = masks_checked(&r);
    const check_finding *f = check_find(&found, "cut-by-edge", 0);
    assert_non_null(f);
    assert_non_null(strstr(f->text, "head (100 voxels)"));
    assert_null(check_find(&found, "cut-by-edge", 1));
    check_list_free(&found);
    volume_free(&scan);
}

static void nothing_found_says_so_with_likely_causes(void **state)
{
    (void)state;
    volume scan = draw_body(150);
    tokenizer *words = open_vocabulary(TEXT_MPNET, "mpnet-tiny.txt");
    const char *const prompts[] = {"liver", "left kidney", "right kidney", "\xe8\x82\x9d\xe8\x87\x93"};
    const mask_seen some = box_seen(&scan.grid, RIGHT_I0, RIGHT_I0 + 5, 40, 50, 20, 25);
    const mask_seen seen[] = {some, {0}, some, {0}};
    check_list before = {0};
    check_add(&before, "ct-shifted", CHECK_SERIOUS, CHECK_SCAN, "values are shifted");
    check_masks_request r = {.scan = &scan, .prompts = prompts, .seen = seen, .prompt_count = 4, .before = &before, .words = words};
    check_list found = masks_checked(&r);
    assert_null(check_find(&found, "found-nothing", 0));
    assert_null(check_find(&found, "found-nothing-at-all", CHECK_SCAN));
    const check_finding *half = check_find(&found, "found-nothing", 1), *strange = check_find(&found, "found-nothing", 3);
    assert_true(half && strange);
    assert_non_null(strstr(half->text, "ct-shifted"));
    assert_non_null(strstr(half->text, "its other half, 'right kidney', was found"));
    assert_non_null(strstr(strange->text, "vocabulary can't spell"));
    assert_null(strstr(half->text, "vocabulary can't spell"));
    check_list_free(&found);

    const mask_seen none[4] = {{0}};
    r.seen = none;
    r.before = NULL;
    found = masks_checked(&r);
    assert_non_null(check_find(&found, "found-nothing-at-all", CHECK_SCAN));
    assert_non_null(strstr(check_find(&found, "found-nothing", 0)->text, "field of view"));
    check_list_free(&found);
    check_list_free(&before);
    tokenizer_close(words);
    volume_free(&scan);
}

/* ---------------------------------------------------------------- real labels as masks */

enum { NAMES_MOST = 160 };

/* Names and masks of a label file; returns how many. Table: {"1": "spleen", ...}. */
static int real_masks(const volume *labels, const json_t *table, const char **names, mask_seen *seen)
{
    const size_t voxels = volume_voxels(labels), slice = (size_t)(labels->grid.shape_ijk[0] * labels->grid.shape_ijk[1]);
    float *values = malloc(voxels * sizeof *values);
    uint8_t *mask = malloc(slice);
    assert_true(values && mask);
    volume_values(labels, 0, voxels, values);
    int count = 0;
    const char *key;
    json_t *name;
    json_object_foreach((json_t *)table, key, name)
    {
        const float id = (float)atoi(key);
        mask_watch w;
        mask_watch_begin(&w, &labels->grid);
        for (size_t at = 0; at < voxels; at += slice) {
            for (size_t n = 0; n < slice; n++)
                mask[n] = values[at + n] == id;
            mask_watch_add(&w, mask, slice);
        }
        seen[count] = mask_watch_end(&w);
        names[count] = json_string_value(name);
        if (seen[count].voxels && count < NAMES_MOST - 1) count++;
    }
    free(values);
    free(mask);
    return count;
}

typedef struct side_result {
    int sided, wrong;
    bool all;
} side_result;

static side_result judge_sides(const volume *scan, const check_body *body, const char *const *names, const mask_seen *seen, int count, bool tell)
{
    const check_masks_request r = {.scan = scan, .prompts = names, .seen = seen, .prompt_count = count, .body = body};
    check_list found = masks_checked(&r);
    side_result result = {.all = check_find(&found, "sides-exchanged", CHECK_SCAN) != NULL};
    for (int p = 0; p < count; p++)
        result.sided += check_side_of_name(names[p]) != SIDE_NONE;
    for (size_t i = 0; i < found.count; i++) {
        if (strcmp(found.items[i].code, "wrong-side") != 0 && strcmp(found.items[i].code, "pair-exchanged") != 0) continue;
        result.wrong++;
        if (tell) print_message("             %s\n", found.items[i].text);
    }
    check_list_free(&found);
    return result;
}

/* Labels as they are raise no alarm; with the scan's left and right exchanged, all of them do. */
static void real_labels_are_on_their_side_and_mirrored_ones_are_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *image, *labels, *names, *table, *modality;
    } cases[] = {
        {"torso/images/ct_a", "torso/labels/ct_a", "torso/labels.json", "tables/ct", "ct"},
        {"torso/images/ct_c", "torso/labels/ct_c", "torso/labels.json", "tables/ct", "ct"},
        {"torso/images/ct_f", "torso/labels/ct_f", "torso/labels.json", "tables/thorax", "ct"},
        {"torso/images/mr_e", "torso/labels/mr_e", "torso/labels.json", "tables/mr", "mri"},
        {"heads/t1/image", "heads/t1/labels", "heads/labels.json", "labels", "mri"},
        {"heads/labels/head_01", "heads/labels/head_01", "heads/labels.json", "labels", "mri"},
        {"heads/labels/head_07", "heads/labels/head_07", "heads/labels.json", "labels", "mri"},
        {"spine/images/ct_lumbar", "spine/labels_part/ct_lumbar", "spine/labels.json", "labels_part", "ct"},
        {"spine/images/mr_spine", "spine/labels_part/mr_spine", "spine/labels.json", "labels_part", "mri"},
    };
    int done = 0;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char image_name[128], labels_name[128], names_name[128];
        snprintf(image_name, sizeof image_name, "data/%s.nii.gz", cases[c].image);
        snprintf(labels_name, sizeof labels_name, "data/%s.nii.gz", cases[c].labels);
        snprintf(names_name, sizeof names_name, "data/%s", cases[c].names);
        if (!shared_path(image_name) || !shared_path(labels_name) || !shared_path(names_name)) continue;
        volume scan, labels;
        json_t *root;
        sat_error error = {0};
        assert_int_equal(volume_read(shared_path(image_name), 0, &scan, &error), SAT_OK);
        assert_int_equal(volume_read(shared_path(labels_name), 0, &labels, &error), SAT_OK);
        assert_int_equal(json_read(shared_path(names_name), &root, &error), SAT_OK);
        const json_t *table = root;
        char way[64], *rest = way;
        snprintf(way, sizeof way, "%s", cases[c].table);
        for (char *key = strtok_r(way, "/", &rest); key; key = strtok_r(NULL, "/", &rest))
            table = json_object_get(table, key);
        const char *names[NAMES_MOST];
        mask_seen seen[NAMES_MOST];
        check_body body;
        const int count = real_masks(&labels, table, names, seen);
        assert_int_equal(check_body_find(&scan, cases[c].modality, &body, NULL), SAT_OK);
        const side_result right = judge_sides(&scan, &body, names, seen, count, true);
        const double true_midline = body.midline_x_mm;
        for (int a = 0; a < 4; a++)
            scan.grid.voxel_to_world[0][a] *= -1;
        for (int p = 0; p < count; p++)
            seen[p].centroid_mm[0] *= -1;
        assert_int_equal(check_body_find(&scan, cases[c].modality, &body, NULL), SAT_OK);
        const side_result mirrored = judge_sides(&scan, &body, names, seen, count, false);
        print_message("             %-24s %3d structures, %2d sided; wrong: %d, mirrored: %d%s; midline x %.0f mm, width %.0f mm %s\n",
                      cases[c].image, count, right.sided, right.wrong, mirrored.wrong, mirrored.all ? " (all)" : "", true_midline, body.width_mm,
                      body.known ? "" : body.reason);
        if (right.wrong) fail_msg("%s: %d false alarms", image_name, right.wrong);
        if (body.known && right.sided >= 2) assert_true(mirrored.all);
        json_decref(root);
        volume_free(&labels);
        volume_free(&scan);
        done++;
    }
    if (!done) {
        print_message("             SKIPPED: no real scans here (../shared/data)\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watch_counts_what_passes_by),
        cmocka_unit_test(faces_are_named_by_the_patients_directions),
        cmocka_unit_test(sides_in_names),
        cmocka_unit_test(a_structure_on_the_wrong_side_gets_a_loud_warning),
        cmocka_unit_test(the_midline_is_given_some_room),
        cmocka_unit_test(sides_of_an_organ_are_compared_within_the_pair),
        cmocka_unit_test(a_cropped_body_has_no_midline),
        cmocka_unit_test(a_mask_at_the_edge_is_marked_as_cut),
        cmocka_unit_test(nothing_found_says_so_with_likely_causes),
        cmocka_unit_test(real_labels_are_on_their_side_and_mirrored_ones_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
