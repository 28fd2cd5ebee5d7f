/* What a user gets around a mask, end to end through files: label map, probabilities, filters, statistics, side-car, table,
 * the release's files; the same bytes for every number of threads; no trace of a patient. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "base/json.h"
#include "image/gzip.h"
#include "image/volume_file.h"
#include "model/convert.h"
#include "segment/case.h"
#include "segment/label_map.h"
#include "segment/output_json.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PROMPTS = 4, PATH = 1200 };
/* The third is the first again: their probabilities tie everywhere. */
static const char *const prompts[PROMPTS] = {"liver", "left \"big\", kidney", "Liver", "spleen"};
static const char *const files[PROMPTS] = {"liver", "left__big___kidney", "liver_2", "spleen"};

static char folder[600], model_path[700], scan_path[700];
static segmenter *model;
static volume scan;

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK) fail_msg("%s: %s", error->file, error->message);
}

static segmenter *open_model(int threads)
{
    const segmenter_options options = {.type = ELEMENT_FLOAT32, .threads = threads, .prompts = PROMPTS};
    segmenter *s;
    sat_error error = {0};
    check(segmenter_open(model_path, &options, &s, &error), &error);
    return s;
}

/* Oblique, so that the way back resamples; values that a mask can be recognised by. */
static void write_scan(void)
{
    const geometry grid = {.shape_ijk = {42, 36, 20}, .voxel_to_world = {{1.3, 0.05, 0.1, -20}, {-0.04, 1.25, 0.1, 5}, {-0.1, -0.1, 2.6, 40}}};
    int16_t *voxels = malloc(42 * 36 * 20 * sizeof *voxels);
    for (uint64_t n = 0; n < 42 * 36 * 20; n++)
        voxels[n] = (int16_t)(100 + n / 42 % 36 * 10 + random_below(200, 3, n));
    sat_error error = {0};
    check(nifti_write(scan_path, &grid, VOXEL_INT16, voxels, NULL, NULL, &error), &error);
    free(voxels);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    snprintf(model_path, sizeof model_path, "%s/tiny.safetensors", folder);
    snprintf(scan_path, sizeof scan_path, "%s/scan.nii", folder);
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
    check(convert_checkpoints(&o, NULL, &report, &error), &error);
    write_scan();
    check(volume_read(scan_path, -1, &scan, &error), &error);
    model = open_model(2);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    segmenter_close(model);
    volume_free(&scan);
    return 0;
}

static case_settings usual(const char *to)
{
    return (case_settings){.request = {.prompts = prompts, .prompt_count = PROMPTS, .modality = "mri", .overlap = 0.5},
                           .folder = to,
                           .scan_path = scan_path,
                           .scan_name = "scan.nii",
                           .model_name = "tiny.safetensors"};
}

static const char *in_folder(const char *name)
{
    static char paths[8][PATH];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, PATH, "%s/%s", folder, name);
    return path;
}

static const char *in(const char *where, const char *name, const char *ending)
{
    static char paths[8][PATH];
    static int next;
    char *path = paths[next++ % 8];
    const int length = snprintf(path, PATH, "%s/%s%s", where, name, ending);
    assert_in_range(length, 1, PATH - 1);
    return path;
}

static case_result run(segmenter *s, const volume *v, const case_settings *settings)
{
    case_result result;
    sat_error error = {0};
    check(case_run(s, v, settings, &result, NULL, &error), &error);
    return result;
}

static volume read_volume(const char *path)
{
    volume v;
    sat_error error = {0};
    check(volume_read(path, -1, &v, &error), &error);
    return v;
}

/* What one run with everything left: read back from its files. */
typedef struct everything {
    char to[PATH];
    case_result result;
    volume map, masks[PROMPTS], probabilities[PROMPTS];
} everything;

static everything run_everything(segmenter *s, const char *name, float threshold, double minimum_ml, bool largest)
{
    everything e = {.result = {0}};
    snprintf(e.to, sizeof e.to, "%s", in_folder(name));
    char map[PATH + 32], table[PATH + 32];
    snprintf(map, sizeof map, "%s/map/labels.nii.gz", e.to);
    snprintf(table, sizeof table, "%s/map/statistics.csv", e.to);
    case_settings settings = usual(e.to);
    settings.request.threshold = threshold;
    settings.minimum_volume_ml = minimum_ml;
    settings.largest_component = largest;
    settings.label_map = map;
    settings.statistics = table;
    settings.probabilities = true;
    e.result = run(s, &scan, &settings);
    e.map = read_volume(map);
    for (int p = 0; p < PROMPTS; p++) {
        e.masks[p] = read_volume(in(e.to, files[p], ".nii.gz"));
        e.probabilities[p] = read_volume(in(e.to, files[p], "_probability.nii.gz"));
        assert_int_equal(e.probabilities[p].type, VOXEL_FLOAT32);
        assert_memory_equal(&e.probabilities[p].grid, &scan.grid, sizeof scan.grid);
        assert_memory_equal(&e.masks[p].grid, &scan.grid, sizeof scan.grid);
    }
    assert_memory_equal(&e.map.grid, &scan.grid, sizeof scan.grid);
    return e;
}

static void everything_free(everything *e)
{
    case_result_free(&e->result);
    volume_free(&e->map);
    for (int p = 0; p < PROMPTS; p++) {
        volume_free(&e->masks[p]);
        volume_free(&e->probabilities[p]);
    }
}

static const uint8_t *bytes_of(const volume *v) { return v->stored; }
static const float *floats_of(const volume *v) { return v->stored; }

/* ---------------------------------------------------------------- masks, probabilities, label map */

/* The masks are what the probabilities say, the map is their argmax, ties go to the earlier prompt. */
static void label_maps_equal_a_naive_argmax(void **state)
{
    (void)state;
    static const float thresholds[] = {0, 0.35f};
    for (int t = 0; t < 2; t++) {
        everything e = run_everything(model, t ? "argmax" : "argmax half", thresholds[t], 0, false);
        const float threshold = t ? 0.35f : 0.5f;
        int64_t overlaps = 0, held[PROMPTS + 1] = {0};
        for (size_t v = 0; v < volume_voxels(&scan); v++) {
            int best = -1, above = 0;
            for (int p = 0; p < PROMPTS; p++) {
                const float probability = floats_of(&e.probabilities[p])[v];
                assert_int_equal(bytes_of(&e.masks[p])[v], probability > threshold);
                if (!(probability > threshold)) continue;
                above++;
                if (best < 0 || probability > floats_of(&e.probabilities[best])[v]) best = p;
            }
            assert_int_equal(bytes_of(&e.map)[v], best + 1);
            overlaps += above > 1;
            held[best + 1]++;
        }
        if (t) assert_true(overlaps > 5000 && held[0] > 500 && held[1] > 500 && held[2] > 500);
        assert_int_equal(held[3], 0); /* "Liver" ties with "liver" */
        for (int p = 0; p < PROMPTS; p++)
            assert_string_equal(e.result.labels[p].name, prompts[p]);
        assert_true(file_exists(in(e.to, "map/labels", ".txt")) && file_exists(in(e.to, "map/labels", ".ctbl")));
        everything_free(&e);
    }
}

/* Without probability files blocks are freed early: the label map and the masks are the same; nor do they need a folder. */
static void a_label_map_alone_is_the_same(void **state)
{
    (void)state;
    everything e = run_everything(model, "with", 0.36f, 0, false);
    case_settings settings = usual(NULL);
    settings.request.threshold = 0.36f;
    settings.label_map = in_folder("alone.nii.gz");
    case_result result = run(model, &scan, &settings);
    volume map = read_volume(settings.label_map);
    assert_memory_equal(map.stored, e.map.stored, volume_voxels(&scan));
    assert_string_equal(result.record_path, in_folder("alone.json"));
    assert_true(file_exists(result.record_path));
    assert_string_equal(result.labels[0].file, "");
    for (int p = 0; p < PROMPTS; p++)
        assert_memory_equal(&result.labels[p].found, &e.result.labels[p].found, sizeof result.labels[p].found);
    volume_free(&map);
    case_result_free(&result);
    everything_free(&e);
}

/* ---------------------------------------------------------------- filters */

static void filters_remove_and_say_what(void **state)
{
    (void)state;
    everything e = run_everything(model, "unfiltered", 0.4f, 0, false);
    int64_t removed = 0;
    for (int kind = 0; kind < 3; kind++) { /* by volume; the largest; with the label map (two looks) and without (one) */
        const double voxel_ml = volume_voxel_ml(&scan), minimum = kind == 1 ? 0 : 20 * voxel_ml;
        const bool largest = kind == 1;
        everything f = run_everything(model, kind == 0 ? "minimum" : kind == 1 ? "largest" : "plain", 0.4f, minimum, largest);
        case_settings settings = usual(in_folder("filtered"));
        settings.request.threshold = 0.4f;
        settings.minimum_volume_ml = minimum;
        settings.largest_component = largest;
        case_result once = run(model, &scan, &settings);
        for (int p = 0; p < PROMPTS; p++) {
            uint8_t *expected = malloc(volume_voxels(&scan));
            memcpy(expected, e.masks[p].stored, volume_voxels(&scan));
            components_report report;
            const components_rule rule = {kind == 1 ? 0 : 20, largest};
            const int64_t box[3][2] = {{0, scan.grid.shape_ijk[0]}, {0, scan.grid.shape_ijk[1]}, {0, scan.grid.shape_ijk[2]}};
            sat_error error = {0};
            check(components_filter(expected, scan.grid.shape_ijk, box, &rule, 1, &report, &error), &error);
            assert_memory_equal(f.masks[p].stored, expected, volume_voxels(&scan));
            assert_memory_equal(f.probabilities[p].stored, e.probabilities[p].stored, volume_voxels(&scan) * sizeof(float));
            assert_memory_equal(&f.result.labels[p].parts, &report, sizeof report);
            assert_int_equal(f.result.labels[p].found.voxels, report.voxels - report.voxels_removed);
            assert_memory_equal(&once.labels[p].found, &f.result.labels[p].found, sizeof once.labels[p].found);
            volume mask = read_volume(in(in_folder("filtered"), files[p], ".nii.gz"));
            assert_memory_equal(mask.stored, expected, volume_voxels(&scan));
            for (size_t v = 0; v < volume_voxels(&scan); v++) /* what was removed is in no map */
                if (bytes_of(&f.map)[v] == p + 1) assert_int_equal(expected[v], 1);
            removed += report.voxels_removed;
            volume_free(&mask);
            free(expected);
        }
        case_result_free(&once);
        everything_free(&f);
    }
    print_message("             %lld voxels removed\n", (long long)removed);
    assert_true(removed > 0);

    case_settings settings = usual(NULL);
    settings.minimum_volume_ml = 1e6;
    case_result nothing = run(model, &scan, &settings);
    for (int p = 0; p < PROMPTS; p++)
        assert_int_equal(nothing.labels[p].found.voxels, 0);
    bool said = false;
    for (int i = 0; i < nothing.warning_count; i++)
        said |= strstr(nothing.warnings[i], "--minimum-volume") != NULL;
    assert_true(said);
    case_result_free(&nothing);
    everything_free(&e);
}

/* ---------------------------------------------------------------- what is told */

static double real_at(const json_t *array, size_t n) { return json_number_value(json_array_get(array, n)); }

static void side_cars_tell_what_was_measured(void **state)
{
    (void)state;
    everything e = run_everything(model, "told", 0.4f, 0.01, true);
    json_t *root;
    sat_error error = {0};
    check(json_read(e.result.record_path, &root, &error), &error);
    assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
    assert_string_equal(json_string_value(json_object_get(root, "label_map")), "labels.nii.gz");
    const json_t *options = json_object_get(root, "options"), *labels = json_object_get(root, "labels");
    assert_true(json_number_value(json_object_get(options, "threshold")) == 0.4);
    assert_true(json_number_value(json_object_get(options, "minimum_volume_ml")) == 0.01);
    assert_true(json_is_true(json_object_get(options, "largest_component")));
    assert_int_equal(json_array_size(labels), PROMPTS);
    float *values = malloc(volume_voxels(&scan) * sizeof *values);
    volume_values(&scan, 0, volume_voxels(&scan), values);
    const int64_t *n = scan.grid.shape_ijk;
    for (size_t p = 0; p < PROMPTS; p++) {
        const json_t *l = json_array_get(labels, p);
        int64_t voxels = 0;
        double at[3] = {0}, sum = 0, squares = 0;
        for (size_t v = 0; v < volume_voxels(&scan); v++)
            if (bytes_of(&e.masks[p])[v]) {
                voxels++;
                at[0] += (double)((int64_t)v % n[0]);
                at[1] += (double)((int64_t)v / n[0] % n[1]);
                at[2] += (double)((int64_t)v / (n[0] * n[1]));
                sum += (double)values[v];
            }
        for (size_t v = 0; v < volume_voxels(&scan); v++)
            if (bytes_of(&e.masks[p])[v]) squares += ((double)values[v] - sum / (double)voxels) * ((double)values[v] - sum / (double)voxels);
        assert_true(voxels > 0);
        assert_int_equal(json_integer_value(json_object_get(l, "id")), p + 1);
        assert_string_equal(json_string_value(json_object_get(l, "name")), prompts[p]);
        assert_int_equal(json_integer_value(json_object_get(l, "voxels")), voxels);
        assert_true(fabs(json_number_value(json_object_get(l, "volume_ml")) - (double)voxels * volume_voxel_ml(&scan)) < 1e-9);
        assert_true(fabs(json_number_value(json_object_get(l, "mean")) - sum / (double)voxels) < 1e-9);
        assert_true(fabs(json_number_value(json_object_get(l, "standard_deviation")) - sqrt(squares / (double)voxels)) < 1e-9);
        assert_int_equal(json_array_size(json_object_get(l, "box_ijk")), 3);
        assert_true(json_is_integer(json_object_get(l, "parts_removed")));
        for (size_t w = 0; w < 3; w++) {
            double expected = scan.grid.voxel_to_world[w][3];
            for (int a = 0; a < 3; a++)
                expected += scan.grid.voxel_to_world[w][a] * at[a] / (double)voxels;
            assert_true(fabs(real_at(json_object_get(l, "centroid_mm"), w) - expected) < 1e-9);
        }
    }
    free(values);
    json_decref(root);
    everything_free(&e);
}

static char *read_text(const char *path)
{
    file_map file;
    sat_error error = {0};
    check(file_map_open(path, &file, &error), &error);
    char *words = malloc(file.size + 1);
    memcpy(words, file.data, file.size);
    words[file.size] = '\0';
    assert_int_equal(strlen(words), file.size);
    file_map_close(&file);
    return words;
}

static void tables_are_rfc_4180(void **state)
{
    (void)state;
    everything e = run_everything(model, "table", 0, 0, false);
    char *words = read_text(in(e.to, "map/statistics", ".csv")), *line = words;
    int lines = 0, fields_of_header = 0;
    for (; *line; lines++) {
        char *end = strstr(line, "\r\n");
        assert_non_null(end);
        int fields = 1;
        bool quoted = false;
        for (const char *c = line; c < end; c++) {
            if (*c == '"') quoted = !quoted;
            fields += *c == ',' && !quoted;
        }
        assert_false(quoted);
        if (lines == 0) fields_of_header = fields;
        assert_int_equal(fields, fields_of_header);
        line = end + 2;
    }
    assert_int_equal(lines, PROMPTS + 1);
    assert_non_null(strstr(words, "\r\nscan.nii,2,\"left \"\"big\"\", kidney\",left__big___kidney.nii.gz,"));
    char expected[64];
    snprintf(expected, sizeof expected, "liver.nii.gz,%lld,", (long long)e.result.labels[0].found.voxels);
    assert_non_null(strstr(words, expected));
    free(words);
    everything_free(&e);
}

/* ---------------------------------------------------------------- what must not matter */

/* Calls `look` with every file below `where`. */
static int walk(const char *where, void (*look)(const char *path, void *context), void *context)
{
    int count = 0;
    DIR *list = opendir(where);
    assert_non_null(list);
    for (const struct dirent *d; (d = readdir(list));) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) continue;
        char path[PATH + 300];
        struct stat about;
        const int length = snprintf(path, sizeof path, "%s/%s", where, d->d_name);
        assert_in_range(length, 1, (int)sizeof path - 1);
        assert_int_equal(stat(path, &about), 0);
        if (S_ISDIR(about.st_mode)) {
            count += walk(path, look, context);
        } else {
            look(path, context);
            count++;
        }
    }
    closedir(list);
    return count;
}

static void compare_with(const char *path, void *context)
{
    const char *const *roots = context;
    char other[PATH + 300];
    snprintf(other, sizeof other, "%s%s", roots[1], path + strlen(roots[0]));
    file_map a, b;
    sat_error error = {0};
    check(file_map_open(path, &a, &error), &error);
    check(file_map_open(other, &b, &error), &error);
    if (a.size != b.size || memcmp(a.data, b.data, a.size) != 0) fail_msg("%s and %s differ", path, other);
    file_map_close(&a);
    file_map_close(&b);
}

static void the_same_bytes_for_every_number_of_threads(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 7};
    static const char *const names[] = {"threads1", "threads2", "threads7"};
    for (int n = 0; n < 3; n++) {
        segmenter *s = open_model(threads[n]);
        everything e = run_everything(s, names[n], 0.4f, 0.01, n >= 0);
        everything_free(&e);
        segmenter_close(s);
        if (n == 0) continue;
        const char *roots[2] = {in_folder(names[0]), in_folder(names[n])};
        assert_int_equal(walk(roots[0], compare_with, (void *)roots), 2 * PROMPTS + 1 + 3 + 1);
    }
}

/* ---------------------------------------------------------------- privacy */

static const char secret[] = "DOE^JANE";

/* A scan whose every free text names the patient, and so does an extension. */
static void write_named_scan(const char *path)
{
    file_map plain;
    sat_error error = {0};
    check(file_map_open(scan_path, &plain, &error), &error);
    enum { EXTENSION = 64 };
    unsigned char *bytes = calloc(1, plain.size + EXTENSION);
    memcpy(bytes, plain.data, 352);
    memcpy(bytes + 352 + EXTENSION, plain.data + 352, plain.size - 352);
    static const size_t places[] = {4, 14, 148, 228, 328}; /* data_type, db_name, descrip, aux_file, intent_name */
    for (size_t n = 0; n < sizeof places / sizeof *places; n++)
        memcpy(bytes + places[n], secret, strlen(secret));
    const float voxels_at = 352 + EXTENSION;
    const int32_t size = EXTENSION, code = 6; /* 6: a comment */
    memcpy(bytes + 108, &voxels_at, sizeof voxels_at);
    bytes[348] = 1;
    memcpy(bytes + 352, &size, sizeof size);
    memcpy(bytes + 356, &code, sizeof code);
    memcpy(bytes + 360, secret, strlen(secret));
    check(file_write_whole(path, bytes, plain.size + EXTENSION, &error), &error);
    free(bytes);
    file_map_close(&plain);
}

static bool holds_secret(const unsigned char *bytes, size_t size)
{
    const size_t length = strlen(secret);
    for (size_t n = 0; n + length <= size; n++)
        if (memcmp(bytes + n, secret, length) == 0) return true;
    return false;
}

static void look_for_secret(const char *path, void *context)
{
    (void)context;
    file_map file;
    sat_error error = {0};
    check(file_map_open(path, &file, &error), &error);
    assert_false(holds_secret(file.data, file.size));
    if (gzip_begins(file.data, file.size)) {
        uint32_t length;
        memcpy(&length, file.data + file.size - 4, sizeof length);
        unsigned char *bytes = malloc(length);
        bool longer;
        check(gzip_read(file.data, file.size, 0, bytes, length, &longer, &error), &error);
        assert_true(length > 352);
        assert_false(holds_secret(bytes, length));
        free(bytes);
    }
    file_map_close(&file);
}

static void no_output_names_the_patient(void **state)
{
    (void)state;
    char named_path[PATH], to[PATH], release[PATH + 32], map[PATH + 32], table[PATH + 32], picture[PATH + 32], page[PATH + 32];
    snprintf(named_path, sizeof named_path, "%s", in_folder("named.nii"));
    snprintf(to, sizeof to, "%s", in_folder("private"));
    snprintf(release, sizeof release, "%s/release", to);
    snprintf(map, sizeof map, "%s/labels.nii.gz", to);
    snprintf(table, sizeof table, "%s/table.csv", to);
    snprintf(picture, sizeof picture, "%s/picture.png", to);
    snprintf(page, sizeof page, "%s/page.html", to);
    write_named_scan(named_path);
    volume named = read_volume(named_path);
    assert_memory_equal(named.stored, scan.stored, volume_voxels(&scan) * voxel_bytes(scan.type));
    case_settings settings = usual(to);
    settings.scan_path = named_path;
    settings.scan_name = "named.nii";
    settings.probabilities = true;
    settings.label_map = map;
    settings.statistics = table;
    settings.preview = picture;
    settings.report = page;
    settings.compat_folder = release;
    case_result result = run(model, &named, &settings);
    const int expected = 2 * PROMPTS + 1 + 3 + 1 + 2 + PROMPTS + 2; /* masks, side-car, map, table, pictures, release */
    assert_int_equal(walk(to, look_for_secret, NULL), expected);
    case_result_free(&result);
    volume_free(&named);
}

/* ---------------------------------------------------------------- the plan, refusals */

static void what_is_held_is_in_the_plan(void **state)
{
    (void)state;
    sat_error error = {0};
    segment_plan without, with;
    case_settings settings = usual(NULL);
    check(case_plan(model, &scan, &settings, &without, &error), &error);
    settings.label_map = in_folder("planned.nii.gz");
    check(case_plan(model, &scan, &settings, &with, &error), &error);
    const uint64_t map = label_map_bytes(&scan.grid, PROMPTS);
    assert_int_equal(map, volume_voxels(&scan) * 5);
    assert_int_equal(with.other_bytes - without.other_bytes, map);
    assert_true(with.restore_bytes > without.restore_bytes); /* probabilities of a slab */
    assert_int_equal(with.least_bytes - without.least_bytes, map + with.restore_bytes - without.restore_bytes);
    settings.largest_component = true;
    segment_plan filtered;
    check(case_plan(model, &scan, &settings, &filtered, &error), &error);
    assert_int_equal(filtered.other_bytes - with.other_bytes, volume_voxels(&scan) + components_bytes(scan.grid.shape_ijk));
}

static void expect_refused(const case_settings *settings, const char *words)
{
    case_result result;
    sat_error error = {0};
    assert_int_equal(case_run(model, &scan, settings, &result, NULL, &error), SAT_BAD_ARGUMENT);
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
    case_result_free(&result);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    case_settings settings = usual(NULL);
    settings.probabilities = true;
    expect_refused(&settings, "-o");
    settings = usual(NULL);
    settings.compat_folder = in_folder("never");
    settings.largest_component = true;
    expect_refused(&settings, "--compat");
    settings = usual(NULL);
    settings.label_map = in_folder("map.png");
    expect_refused(&settings, ".nii.gz");
    settings = usual(NULL);
    settings.label_map = scan_path;
    expect_refused(&settings, "the scan itself");
    settings = usual(folder);
    settings.label_map = in_folder("liver.nii.gz");
    expect_refused(&settings, "rename");
    settings = usual(NULL);
    settings.statistics = in(scan_path, "below a file", ".csv");
    case_result result;
    sat_error error = {0};
    assert_int_equal(case_run(model, &scan, &settings, &result, NULL, &error), SAT_IO);
    assert_int_equal(result.record.windows, 0); /* before anything was computed */
    case_result_free(&result);
    settings = usual(NULL);
    settings.request.threshold = 1;
    expect_refused(&settings, "threshold");
    settings = usual(in_folder("never"));
    settings.probabilities = true;
    settings.request.prompts = (const char *const[]){"lung", "lung probability"};
    settings.request.prompt_count = 2;
    expect_refused(&settings, "lung_probability.nii.gz");
    assert_false(file_exists(in_folder("never")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(label_maps_equal_a_naive_argmax),
        cmocka_unit_test(a_label_map_alone_is_the_same),
        cmocka_unit_test(filters_remove_and_say_what),
        cmocka_unit_test(side_cars_tell_what_was_measured),
        cmocka_unit_test(tables_are_rfc_4180),
        cmocka_unit_test(the_same_bytes_for_every_number_of_threads),
        cmocka_unit_test(no_output_names_the_patient),
        cmocka_unit_test(what_is_held_is_in_the_plan),
        cmocka_unit_test(contradictions_are_refused),
    };
    return cmocka_run_group_tests_name("segment/case", tests, set_up, tear_down);
}
