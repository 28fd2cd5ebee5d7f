/* Left is left: a structure planted on the patient's left comes back on the patient's left, whatever way the file's axes run, in every
 * output. The model's weights are set by hand (tests/support/bright_model.h), so that the whole program is on trial: reader, standard form,
 * network, windows, the way back, writers. */
#include "tests/support/bright_model.h"
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/side_phantom.h"

#include "base/file.h"
#include "base/json.h"
#include "image/volume_file.h"
#include "segment/preview_layout.h"
#include "segment/preview_planes.h"
#include "segment/segmenter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRUCTURES = PHANTOM_STRUCTURES };

static char folder[600], model_path[700];

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK) fail_msg("%s: %s", error->file, error->message);
}

/* ---------------------------------------------------------------- through the library */

typedef struct masks {
    uint8_t *mask[STRUCTURES];
    size_t voxels, filled;
    int now;
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
    (void)prompt, (void)found, (void)error;
    masks *m = context;
    assert_int_equal(m->filled, m->voxels);
    return SAT_OK;
}

static segmenter *model; /* opened once for all */

static void through_the_library(const phantom *p)
{
    char path[800];
    volume scan;
    sat_error error = {0};
    segment_record record;
    phantom_write(p, folder, path);
    check(volume_read(path, -1, &scan, &error), &error);
    masks m = {.voxels = volume_voxels(&scan)};
    const segment_request request = {.prompts = phantom_prompts, .prompt_count = STRUCTURES, .modality = "mri", .overlap = 0.5};
    const segment_sink sink = {.context = &m, .begin = keep_begin, .slices = {.context = &m, .mask = keep_slices}, .end = keep_end};
    check(segmenter_run(model, &scan, &request, &sink, &record, NULL, &error), &error);
    for (int s = 0; s < STRUCTURES; s++) {
        double middle_mm[3];
        phantom_judge(p, s, m.mask[s], 1, middle_mm);
        free(m.mask[s]);
    }
    volume_free(&scan);
    remove(path);
}

static void all_48_axis_orders(void **state)
{
    (void)state;
    for (int o = 0; o < 6; o++)
        for (int flips = 0; flips < 8; flips++) {
            int order[3];
            phantom_order(o, order);
            phantom p = phantom_make(order, flips, 0, 0, (forms)((o + flips) % 3));
            p.compressed = p.which == BOTH_FORMS;
            through_the_library(&p);
        }
}

static void oblique_in_all_48_axis_orders(void **state)
{
    (void)state;
    for (int o = 0; o < 6; o++)
        for (int flips = 0; flips < 8; flips++) {
            int order[3];
            phantom_order(o, order);
            const phantom p = phantom_make(order, flips, 17, 0, (forms)((o + flips) % 3));
            through_the_library(&p);
        }
}

static void sheared(void **state)
{
    (void)state;
    for (int o = 0; o < 6; o++)
        for (int flips = 0; flips < 8; flips += 3) {
            int order[3];
            phantom_order(o, order);
            const phantom p = phantom_make(order, flips, o % 2 ? 11 : 0, 0.3, SFORM_ONLY);
            through_the_library(&p);
        }
}

static void without_forms(void **state)
{
    (void)state;
    const phantom p = phantom_make_formless();
    through_the_library(&p);
}

/* ---------------------------------------------------------------- through the program */

/* What `sat3d segment` leaves is kept in a list, so that other programs can be asked about the same files (scripts/test-clients): a row
 * for each file with its shape, the true affine, the sum of its voxels and the middle of what is 1 in it. */
static json_t *written;

static void add_row(const phantom *p, const char *file, const char *kind, int64_t sum, const double middle_mm[3])
{
    json_t *affine = json_array();
    for (int r = 0; r < 3; r++) {
        const double *m = p->grid.voxel_to_world[r];
        json_array_append_new(affine, json_pack("[f, f, f, f]", m[0], m[1], m[2], m[3]));
    }
    const char *const forms_words[] = {"both", "sform", "qform", "none"};
    const int64_t *n = p->grid.shape_ijk;
    json_array_append_new(written, json_pack("{s:s, s:s, s:s, s:s, s:[I, I, I], s:o, s:I, s:[f, f, f]}", "file", file, "case", p->name, "kind", kind,
                                             "forms", forms_words[p->which], "shape", (json_int_t)n[0], (json_int_t)n[1], (json_int_t)n[2], "affine",
                                             affine, "sum", (json_int_t)sum, "landmark_mm", middle_mm[0], middle_mm[1], middle_mm[2]));
}

/* `more`: further options. */
static void run_program(const char *scan_path, const char *out, const char *more)
{
    char command[6000];
    const char *binary = getenv("SAT3D_BINARY");
    snprintf(command, sizeof command,
             "'%s' segment '%s' --model '%s' --modality mri -p '%s' -p '%s' -o '%s' --label-map '%s/labels.nii.gz' --dtype f32 "
             "--threads 1 --quiet --no-query-cache %s >/dev/null",
             binary ? binary : "build/sat3d", scan_path, model_path, phantom_prompts[0], phantom_prompts[1], out, out, more);
    const int code = system(command); /* NOLINT: a test */
    if (code != 0) fail_msg("%s: exit code %d", command, code);
}

/* `middle_mm` gets where each mask lies. */
static void judge_mask_files(const phantom *p, const char *out, double middle_mm[STRUCTURES][3])
{
    static const char *const names[STRUCTURES] = {"left_kidney.nii.gz", "right_kidney.nii.gz"};
    for (int s = 0; s < STRUCTURES; s++) {
        char path[1200], file[100];
        volume mask;
        sat_error error = {0};
        snprintf(path, sizeof path, "%s/%s", out, names[s]);
        snprintf(file, sizeof file, "%s_out/%s", p->name, names[s]);
        check(volume_read(path, -1, &mask, &error), &error);
        assert_int_equal(mask.type, VOXEL_UINT8);
        assert_memory_equal(mask.grid.shape_ijk, p->grid.shape_ijk, sizeof mask.grid.shape_ijk);
        const int64_t voxels = phantom_judge(p, s, mask.stored, 1, middle_mm[s]);
        add_row(p, file, "mask", voxels, middle_mm[s]);
        volume_free(&mask);
    }
}

/* In the axial picture the patient's left is on the right, and the letter at that edge says so: the left structure lies further to the right
 * than the right one. */
static void judge_picture(const phantom *p, const volume *map)
{
    const size_t voxels = volume_voxels(map);
    uint16_t *wide = malloc(voxels * sizeof *wide);
    assert_non_null(wide);
    for (size_t n = 0; n < voxels; n++)
        wide[n] = ((const uint8_t *)map->stored)[n];
    const preview_request request = {.scan = map, .label_map = wide, .label_count = STRUCTURES, .threads = 1};
    preview_frame frame;
    sat_error error = {0};
    check(preview_frame_find(&map->grid, &frame, &error), &error);
    const int across = preview_views[PREVIEW_AXIAL].across, through = preview_views[PREVIEW_AXIAL].through;
    const double right_edge[3] = {-frame.axis[across][0], -frame.axis[across][1], -frame.axis[across][2]};
    char letters[4];
    preview_letters(right_edge, letters);
    assert_int_equal(letters[0], 'L');
    double column[STRUCTURES] = {0}, count[STRUCTURES] = {0};
    for (int64_t slice = 0; slice < map->grid.shape_ijk[frame.file_axis[through]]; slice++) {
        const double step = (frame.high_mm[through] - frame.low_mm[through]) / (double)map->grid.shape_ijk[frame.file_axis[through]];
        const int64_t up = frame.flip[through] ? map->grid.shape_ijk[frame.file_axis[through]] - 1 - slice : slice;
        const preview_cut cut = {slice, frame.low_mm[through] + ((double)up + 0.5) * step};
        preview_image image;
        check(preview_image_cut(&request, &frame, PREVIEW_AXIAL, &cut, 2, &image, &error), &error);
        for (int n = 0; n < image.width * image.height; n++)
            if (image.labels[n]) {
                column[image.labels[n] - 1] += n % image.width;
                count[image.labels[n] - 1]++;
            }
        preview_image_free(&image);
    }
    assert_true(count[0] > 0 && count[1] > 0);
    if (!(column[0] / count[0] > column[1] / count[1] + 5))
        fail_msg("%s: the left structure is at column %.1f of the picture, the right one at %.1f", p->name, column[0] / count[0], column[1] / count[1]);
    free(wide);
}

static void judge_label_map(const phantom *p, const char *out)
{
    char path[1200], file[100];
    volume map;
    sat_error error = {0};
    double middle_mm[STRUCTURES][3];
    int64_t sum = 0;
    snprintf(path, sizeof path, "%s/labels.nii.gz", out);
    snprintf(file, sizeof file, "%s_out/labels.nii.gz", p->name);
    check(volume_read(path, -1, &map, &error), &error);
    assert_int_equal(map.type, VOXEL_UINT8);
    assert_memory_equal(map.grid.shape_ijk, p->grid.shape_ijk, sizeof map.grid.shape_ijk);
    for (int s = 0; s < STRUCTURES; s++)
        sum += (s + 1) * phantom_judge(p, s, map.stored, (uint8_t)(s + 1), middle_mm[s]);
    add_row(p, file, "label map", sum, middle_mm[0]);
    judge_picture(p, &map);
    volume_free(&map);
}

static json_t *read_record(const char *out)
{
    char path[1200];
    json_t *root;
    sat_error error = {0};
    snprintf(path, sizeof path, "%s/segmentation.json", out);
    check(json_read(path, &root, &error), &error);
    return root;
}

static void judge_record(const phantom *p, const char *out, double middle_mm[STRUCTURES][3])
{
    json_t *root = read_record(out);
    const json_t *labels = json_object_get(root, "labels");
    for (int s = 0; s < STRUCTURES; s++) {
        const json_t *label = json_array_get(labels, (size_t)s), *centroid = json_object_get(label, "centroid_mm");
        assert_string_equal(json_string_value(json_object_get(label, "name")), phantom_prompts[s]);
        for (size_t r = 0; r < 3; r++)
            if (fabs(json_number_value(json_array_get(centroid, r)) - middle_mm[s][r]) > 1e-3)
                fail_msg("%s: the side-car has '%s' at %g mm of axis %zu", p->name, phantom_prompts[s],
                         json_number_value(json_array_get(centroid, r)), r);
        size_t n;
        json_t *finding;
        json_array_foreach(json_object_get(label, "checks"), n, finding) /* no word about sides */
            assert_string_equal(json_string_value(json_object_get(finding, "severity")), "note");
    }
    json_decref(root);
}

static void through_the_program(const phantom *p)
{
    char scan_path[800], out[900];
    double middle_mm[STRUCTURES][3];
    phantom_write(p, folder, scan_path);
    snprintf(out, sizeof out, "%s/%s_out", folder, p->name);
    run_program(scan_path, out, "");
    judge_mask_files(p, out, middle_mm);
    judge_label_map(p, out);
    judge_record(p, out, middle_mm);
}

/* A patient whose sides the header has exchanged: masks come back where the voxels are, and the program says aloud that it can't be right. */
static void exchanged_sides_are_noticed(void **state)
{
    (void)state;
    phantom p = phantom_make((const int[]){0, 1, 2}, 1, 0, 0, BOTH_FORMS);
    char scan_path[800], out[900];
    p.exchanged = true;
    snprintf(p.name, sizeof p.name, "exchanged");
    phantom_write(&p, folder, scan_path);
    snprintf(out, sizeof out, "%s/%s_out", folder, p.name);
    char report[1200], page_path[1000];
    snprintf(page_path, sizeof page_path, "%s/exchanged.html", folder);
    snprintf(report, sizeof report, "--report '%s'", page_path);
    run_program(scan_path, out, report);
    json_t *root = read_record(out);
    const json_t *checks = json_object_get(json_array_get(json_object_get(root, "labels"), 0), "checks");
    assert_int_equal(json_array_size(checks), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(checks, 0), "code")), "pair-exchanged");
    bool warned = false;
    size_t n;
    json_t *warning;
    json_array_foreach(json_object_get(root, "warnings"), n, warning)
        warned |= strstr(json_string_value(warning), "RIGHT of") != NULL;
    assert_true(warned);
    json_decref(root);
    /* The report says it twice: at its top, and with the label. */
    file_map page;
    sat_error error = {0};
    check(file_map_open(page_path, &page, &error), &error);
    int said = 0;
    const char sentence[] = "to the RIGHT of";
    for (size_t at = 0; at + sizeof sentence <= page.size; at++)
        said += memcmp((const char *)page.data + at, sentence, sizeof sentence - 1) == 0;
    assert_int_equal(said, 2);
    file_map_close(&page);
}

/* Every patient axis first, second and third in the file, upwards and downwards; compressed and not; then the odd ones. */
static void every_output_of_the_program(void **state)
{
    (void)state;
    static const int flips_of[12] = {0, 7, 1, 6, 2, 5, 4, 3, 0, 7, 6, 1};
    written = json_array();
    for (int n = 0; n < 12; n++) {
        int order[3];
        phantom_order(n % 6, order);
        phantom p = phantom_make(order, flips_of[n], 0, 0, (forms)(n % 3));
        p.compressed = p.which == BOTH_FORMS;
        through_the_program(&p);
    }
    for (int n = 0; n < 2; n++) {
        int order[3];
        phantom_order(n ? 0 : 3, order);
        phantom oblique = phantom_make(order, n ? 1 : 4, 17, 0, BOTH_FORMS), sheared_one = phantom_make(order, n ? 1 : 4, 0, 0.3, SFORM_ONLY);
        snprintf(oblique.name, sizeof oblique.name, "oblique_%d", n + 1);
        snprintf(sheared_one.name, sizeof sheared_one.name, "sheared_%d", n + 1);
        through_the_program(&oblique);
        through_the_program(&sheared_one);
    }
    const phantom formless = phantom_make_formless();
    through_the_program(&formless);
    char list[700];
    sat_error error = {0};
    snprintf(list, sizeof list, "%s/written.json", folder);
    check(json_write(list, written, JSON_AS_INSERTED, &error), &error);
    json_decref(written);
}

/* ---------------------------------------------------------------- */

static int open_model(void **state)
{
    (void)state;
    sat_error error = {0};
    const char *kept = getenv("SAT3D_CLIENT_FILES"); /* where the files shall stay */
    snprintf(folder, sizeof folder, "%s", kept ? kept : temporary_folder());
    snprintf(model_path, sizeof model_path, "%s/bright.safetensors", folder);
    bright_model_write(model_path, 1);
    const segmenter_options options = {.type = ELEMENT_FLOAT32, .threads = 1, .prompts = STRUCTURES};
    const sat_status status = segmenter_open(model_path, &options, &model, &error);
    if (status != SAT_OK) print_error("%s: %s\n", error.file, error.message);
    return status == SAT_OK ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    double worst_mm, worst_dice;
    phantom_worst(&worst_mm, &worst_dice);
    print_message("             at worst %.2f mm off, Dice %.3f with what was planted\n", worst_mm, worst_dice);
    segmenter_close(model);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_48_axis_orders),
        cmocka_unit_test(oblique_in_all_48_axis_orders),
        cmocka_unit_test(sheared),
        cmocka_unit_test(without_forms),
        cmocka_unit_test(every_output_of_the_program),
        cmocka_unit_test(exchanged_sides_are_noticed),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
