/* Many scans with one model: the same files as one by one, whatever overlaps; failures stop no other; a second run leaves what is
 * finished; two runs at once and an interrupted one do no harm. tests/scripts/batch.sh kills the program. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "image/nifti.h"
#include "model/convert.h"
#include "segment/batch.h"
#include "segment/batch_finished.h"
#include "segment/batch_summary.h"
#include "segment/batch_writer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROMPTS = 3, SCANS = 4 };
static const char *const prompts[PROMPTS] = {"liver", "left kidney", "spleen"};

static char folder[600], model_path[700], scans_path[700];

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK) fail_msg("%s: %s", error->file, error->message);
}

static void write_scan(const char *name, int key)
{
    const geometry grid = {.shape_ijk = {40 + key, 36, 20}, .voxel_to_world = {{1, 0, 0, -20}, {0, 1, 0, 5}, {0, 0, 3, 40}}};
    const size_t voxels = (size_t)(grid.shape_ijk[0] * 36 * 20);
    float *x = malloc(voxels * sizeof *x);
    char path[800];
    sat_error error = {0};
    assert_non_null(x);
    random_fill(x, voxels, (uint64_t)key + 1);
    for (size_t i = 0; i < voxels; i++)
        x[i] += 1.5f;
    snprintf(path, sizeof path, "%s/%s", scans_path, name);
    check(nifti_write(path, &grid, VOXEL_FLOAT32, x, NULL, NULL, &error), &error);
    free(x);
}

static int make_model_and_scans(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    snprintf(model_path, sizeof model_path, "%s/tiny.safetensors", folder);
    snprintf(scans_path, sizeof scans_path, "%s/scans", folder);
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
    sat_status status = convert_checkpoints(&o, NULL, &report, &error);
    if (status == SAT_OK) status = folder_make(scans_path, &error);
    if (status != SAT_OK) print_error("%s: %s\n", error.file, error.message);
    for (int i = 0; i < SCANS && status == SAT_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "case%d.nii.gz", i);
        write_scan(name, i);
    }
    return status == SAT_OK ? 0 : -1;
}

static segmenter *open_model(uint64_t most)
{
    segmenter *s;
    sat_error error = {0};
    const segmenter_options options = {.type = ELEMENT_FLOAT32, .threads = 2, .prompts = PROMPTS, .max_memory_bytes = most};
    check(segmenter_open(model_path, &options, &s, &error), &error);
    return s;
}

static batch_settings settings_for(const char *out)
{
    return (batch_settings){.base = {.request = {.overlap = 0.5}, .model_name = "tiny.safetensors"}, .folder = out, .volume_index = -1};
}

static batch_list list_of(const char *const *paths, int count)
{
    batch_list list;
    sat_error error = {0};
    const batch_wishes wishes = {prompts, PROMPTS, "mri", NULL, NULL};
    check(batch_list_paths(paths, count, false, NULL, &wishes, &list, &error), &error);
    return list;
}

static const char *in_folder(const char *name)
{
    static char paths[128][900];
    static int next;
    char *path = paths[next++ % 128];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void assert_same_file(const char *a, const char *b)
{
    file_map x, y;
    sat_error error = {0};
    check(file_map_open(a, &x, &error), &error);
    check(file_map_open(b, &y, &error), &error);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    file_map_close(&x);
    file_map_close(&y);
}

static void assert_same_results(const char *a, const char *b)
{
    static const char *const files[] = {"liver.nii.gz", "left_kidney.nii.gz", "spleen.nii.gz", "segmentation.json"};
    for (int i = 0; i < SCANS; i++)
        for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
            char one[900], other[900];
            snprintf(one, sizeof one, "%s/case%d/%s", a, i, files[f]);
            snprintf(other, sizeof other, "%s/case%d/%s", b, i, files[f]);
            assert_same_file(one, other);
        }
}

static batch_counts run(const batch_settings *settings, const batch_list *list, batch_outcome *outcomes)
{
    sat_error error = {0};
    segmenter *s = open_model(settings->limit_bytes);
    check(batch_run(s, settings, list, outcomes, NULL, &error), &error);
    segmenter_close(s);
    return batch_count(list, outcomes);
}

/* ---------------------------------------------------------------- the tests */

static void overlapping_changes_no_byte(void **state)
{
    (void)state;
    const char *paths[] = {scans_path};
    batch_list list = list_of(paths, 1);
    batch_outcome outcomes[SCANS];
    assert_int_equal(list.count, SCANS);
    batch_settings settings = settings_for(in_folder("overlapped"));
    assert_int_equal(run(&settings, &list, outcomes).done, SCANS);
    settings.folder = in_folder("one by one");
    settings.one_after_another = true;
    assert_int_equal(run(&settings, &list, outcomes).done, SCANS);
    assert_same_results(in_folder("overlapped"), in_folder("one by one"));
    batch_list_free(&list);
}

/* With just enough for one scan nothing is done beside the computing, and the limit is kept. */
static void scarce_memory_gives_up_overlapping_not_the_cases(void **state)
{
    (void)state;
    const char *paths[] = {scans_path};
    batch_list list = list_of(paths, 1);
    batch_outcome outcomes[SCANS];
    batch_settings settings = settings_for(in_folder("planned"));
    settings.plan_only = true;
    assert_int_equal(run(&settings, &list, outcomes).planned, SCANS);
    assert_false(file_exists(settings.folder));
    uint64_t most = 0;
    for (int i = 0; i < SCANS; i++)
        if (outcomes[i].plan_bytes > most) most = outcomes[i].plan_bytes;
    settings.plan_only = false;
    settings.folder = in_folder("scarce");
    settings.limit_bytes = most;
    assert_int_equal(run(&settings, &list, outcomes).done, SCANS);
    assert_same_results(in_folder("overlapped"), in_folder("scarce"));
    settings.folder = in_folder("too scarce");
    settings.limit_bytes = most / 4;
    assert_int_equal(run(&settings, &list, outcomes).failed, SCANS);
    assert_int_equal(outcomes[0].error.code, SAT_NO_MEMORY);
    batch_list_free(&list);
}

static void a_failing_case_is_reported_and_stops_no_other(void **state)
{
    (void)state;
    char damaged[800], good[800], last[800];
    sat_error error = {0};
    snprintf(damaged, sizeof damaged, "%s/damaged.nii.gz", folder);
    check(file_write_whole(damaged, "no scan", 7, &error), &error);
    snprintf(good, sizeof good, "%s/case0.nii.gz", scans_path);
    snprintf(last, sizeof last, "%s/case1.nii.gz", scans_path);
    const char *paths[] = {in_folder("missing.nii.gz"), good, damaged, last};
    batch_list list = list_of(paths, 4);
    list.items[3].modality = "x-ray";
    batch_outcome outcomes[4];
    const batch_settings settings = settings_for(in_folder("failing"));
    const batch_counts n = run(&settings, &list, outcomes);
    assert_int_equal(n.failed, 3);
    assert_int_equal(n.done, 1);
    assert_int_equal(outcomes[0].error.code, SAT_IO);
    assert_int_equal(outcomes[1].state, BATCH_DONE);
    assert_int_equal(outcomes[2].error.code, SAT_BAD_INPUT);
    assert_non_null(strstr(outcomes[3].error.message, "x-ray"));
    check(batch_summary_write(settings.folder, &list, outcomes, 1.5, &error), &error);
    json_t *root;
    check(json_read(in_folder("failing/batch.json"), &root, &error), &error);
    assert_int_equal(json_integer_value(json_object_get(root, "failed")), 3);
    assert_int_equal(json_array_size(json_object_get(root, "items")), 4);
    json_decref(root);
    assert_true(file_exists(in_folder("failing/batch.csv")));
    batch_list_free(&list);
}

static void finished_cases_are_left_and_changed_ones_redone(void **state)
{
    (void)state;
    const char *paths[] = {scans_path};
    batch_list list = list_of(paths, 1);
    batch_outcome outcomes[SCANS];
    batch_settings settings = settings_for(in_folder("again"));
    assert_int_equal(run(&settings, &list, outcomes).done, SCANS);
    const int found = outcomes[2].found;
    assert_int_equal(run(&settings, &list, outcomes).finished, SCANS);
    assert_int_equal(outcomes[2].found, found);

    /* A mask is gone, another is cut off, a side-car is another's. */
    sat_error error = {0};
    assert_int_equal(unlink(in_folder("again/case0/liver.nii.gz")), 0);
    check(file_write_whole(in_folder("again/case1/spleen.nii.gz"), "x", 1, &error), &error);
    check(file_write_whole(in_folder("again/case2/segmentation.json"), "{}", 2, &error), &error);
    batch_counts n = run(&settings, &list, outcomes);
    assert_int_equal(n.done, 3);
    assert_int_equal(n.finished, 1);
    assert_same_results(in_folder("overlapped"), in_folder("again"));

    settings.overwrite = true;
    assert_int_equal(run(&settings, &list, outcomes).done, SCANS);
    settings.overwrite = false;
    settings.base.request.overlap = 0.25;
    assert_int_equal(run(&settings, &list, outcomes).done, SCANS);
    list.items[1].prompt_count = 2;
    n = run(&settings, &list, outcomes);
    assert_int_equal(n.done, 1);
    assert_int_equal(outcomes[1].state, BATCH_DONE);
    batch_list_free(&list);
}

static void key_of(const segmenter *s, const case_settings *settings, int volume_index, char key[HASH_SHA256_TEXT])
{
    sat_error error = {0};
    char scan[800];
    snprintf(scan, sizeof scan, "%s/case0.nii.gz", scans_path);
    check(batch_case_key(s, scan, volume_index, settings, key, &error), &error);
}

/* Whatever changes a file of the case, changes its key; what does not, leaves it. */
static void every_option_that_changes_results_is_in_the_key(void **state)
{
    (void)state;
    static const char *const others[PROMPTS] = {"liver", "left kidney", "Spleen"};
    enum { CHANGES = 18 };
    case_settings base = settings_for(NULL).base, c[CHANGES];
    base.request.prompts = prompts;
    base.request.prompt_count = PROMPTS;
    base.request.modality = "mri";
    base.request.threshold = 0.5F;
    for (int i = 0; i < CHANGES; i++)
        c[i] = base;
    c[0].request.prompts = others;
    c[1].request.prompt_count = 2;
    c[2].request.modality = "ct";
    c[3].request.modality = NULL;
    c[4].request.orientation_code = "ASR";
    c[5].request.overlap = 0.25;
    c[6].request.skip_air = true;
    c[7].request.threshold = 0.25F;
    c[8].minimum_volume_ml = 0.5;
    c[9].largest_component = true;
    c[10].probabilities = true;
    c[11].label_map = "label_map.nii.gz";
    c[12].statistics = "statistics.csv";
    c[13].preview = "preview.png";
    c[14].report = "report.html";
    c[15].compat_folder = "anywhere";
    c[16].compat_dataset = "KiTS";
    c[17].model_name = "other.safetensors";
    segmenter *s = open_model(0);
    char plain[HASH_SHA256_TEXT], keys[CHANGES][HASH_SHA256_TEXT], key[HASH_SHA256_TEXT];
    key_of(s, &base, -1, plain);
    for (int i = 0; i < CHANGES; i++) {
        key_of(s, &c[i], -1, keys[i]);
        if (strcmp(keys[i], plain) == 0) fail_msg("change %d is not in the key", i);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(keys[i], keys[k]);
    }
    key_of(s, &base, 0, key);
    assert_string_not_equal(key, plain);
    base.request.beside_bytes = 12345; /* no file tells it */
    key_of(s, &base, -1, key);
    assert_string_equal(key, plain);
    segmenter_close(s);
}

static void another_threshold_does_the_cases_again(void **state)
{
    (void)state;
    const char *paths[] = {scans_path};
    batch_list list = list_of(paths, 1);
    batch_outcome outcomes[SCANS];
    batch_settings settings = settings_for(in_folder("threshold"));
    settings.base.request.threshold = 0.5F;
    assert_int_equal(run(&settings, &list, outcomes).done, SCANS);
    assert_int_equal(run(&settings, &list, outcomes).finished, SCANS);
    settings.base.request.threshold = 0.25F;
    assert_int_equal(run(&settings, &list, outcomes).done, SCANS);
    assert_int_equal(run(&settings, &list, outcomes).finished, SCANS);
    batch_list_free(&list);
}

typedef struct thread_run {
    const batch_list *list;
    const char *out;
    batch_outcome outcomes[SCANS];
    sat_status status;
    sat_error error;
} thread_run;

static void *run_in_thread(void *context)
{
    thread_run *t = context;
    segmenter *s;
    const segmenter_options options = {.type = ELEMENT_FLOAT32, .threads = 1, .prompts = PROMPTS};
    const batch_settings settings = settings_for(t->out);
    t->status = segmenter_open(model_path, &options, &s, &t->error);
    if (t->status == SAT_OK) t->status = batch_run(s, &settings, t->list, t->outcomes, NULL, &t->error);
    segmenter_close(s);
    return NULL;
}

static void two_runs_into_one_folder_do_no_harm(void **state)
{
    (void)state;
    const char *paths[] = {scans_path};
    batch_list list = list_of(paths, 1);
    thread_run runs[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        runs[i] = (thread_run){.list = &list, .out = in_folder("twice")};
        assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, &runs[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        check(runs[i].status, &runs[i].error);
    }
    /* Whatever they said of each other's files, a further run completes, and what is there is right. */
    batch_outcome outcomes[SCANS];
    const batch_settings settings = settings_for(in_folder("twice"));
    assert_int_equal(run(&settings, &list, outcomes).failed, 0);
    assert_same_results(in_folder("overlapped"), in_folder("twice"));
    batch_list_free(&list);
}

static void cancel_at_second(void *context, int item)
{
    if (item == 1) progress_cancel(context);
}

static void an_interrupted_batch_keeps_what_was_computed(void **state)
{
    (void)state;
    const char *paths[] = {scans_path};
    batch_list list = list_of(paths, 1);
    batch_outcome outcomes[SCANS];
    progress watch = {0};
    batch_settings settings = settings_for(in_folder("interrupted"));
    settings.listener = (batch_listener){.context = &watch, .begins = cancel_at_second};
    segmenter *s = open_model(0);
    sat_error error = {0};
    assert_int_equal(batch_run(s, &settings, &list, outcomes, &watch, &error), SAT_CANCELLED);
    segmenter_close(s);
    const batch_counts n = batch_count(&list, outcomes);
    assert_int_equal(n.done, 1);
    assert_int_equal(n.left, SCANS - 1);
    assert_false(file_exists(in_folder("interrupted/case1/segmentation.json")));
    settings.listener = (batch_listener){0};
    const batch_counts rest = run(&settings, &list, outcomes);
    assert_int_equal(rest.finished, 1);
    assert_int_equal(rest.done, SCANS - 1);
    assert_same_results(in_folder("overlapped"), in_folder("interrupted"));
    batch_list_free(&list);
}

/* ---------------------------------------------------------------- lists */

static void folders_are_searched_by_name_and_content(void **state)
{
    (void)state;
    char path[900];
    sat_error error = {0};
    const char *tree = in_folder("tree");
    check(folder_make(in_folder("tree/deep/results"), &error), &error);
    static const char *const files[] = {"b.nii", "a.nii.gz", "notes.txt", "pair.hdr", "pair.img", ".hidden.nii", "deep/c.nii.gz",
                                        "deep/results/segmentation.json", "deep/results/liver.nii.gz"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", tree, files[i]);
        check(file_write_whole(path, "", 0, &error), &error);
    }
    char content[900];
    snprintf(content, sizeof content, "%s/case0.nii.gz", scans_path);
    file_map map;
    check(file_map_open(content, &map, &error), &error);
    snprintf(path, sizeof path, "%s/export", tree);
    check(file_write_whole(path, map.data, map.size, &error), &error);
    file_map_close(&map);

    batch_list list = list_of(&tree, 1);
    static const char *const expected[] = {"a", "b", "export", "pair"};
    assert_int_equal(list.count, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(list.items[i].name, expected[i]);
    batch_list_free(&list);
    const batch_wishes wishes = {prompts, PROMPTS, NULL, NULL, NULL};
    check(batch_list_paths(&tree, 1, true, NULL, &wishes, &list, &error), &error);
    assert_int_equal(list.count, 5);
    batch_list_free(&list);
    const char *none = in_folder("tree/deep/results/none");
    check(folder_make(none, &error), &error);
    assert_int_equal(batch_list_paths(&none, 1, false, NULL, &wishes, &list, &error), SAT_BAD_INPUT);
    batch_list_free(&list);
}

static void lines_of_a_manifest_become_cases(void **state)
{
    (void)state;
    static const char lines[] = "{\"image\": \"scans/case0.nii.gz\", \"label\": [\"liver\"], \"modality\": \"mri\", \"dataset\": \"One\"}\n"
                                "{\"image\": \n"
                                "{\"image\": \"scans/case0.nii.gz\", \"label\": [\"spleen\", \"liver\"], \"modality\": \"pet\", \"dataset\": \"Two\"}\n"
                                "{\"image\": \"README.md\", \"modality\": \"mri\"}\n";
    manifest m;
    batch_list list;
    batch_outcome outcomes[4];
    sat_error error = {0};
    check(manifest_parse(lines, sizeof lines - 1, &m, &error), &error);
    check(batch_list_manifest(&m, in_folder("scans.jsonl"), &(batch_wishes){0}, &list, &error), &error);
    assert_int_equal(list.count, 4);
    assert_int_equal(list.from_working_folder, 1);
    const batch_settings settings = settings_for(in_folder("manifest"));
    const batch_counts n = run(&settings, &list, outcomes);
    assert_int_equal(n.done, 2);
    assert_int_equal(n.failed, 2);
    assert_non_null(strstr(outcomes[1].error.message, "line 2"));
    assert_non_null(strstr(outcomes[3].error.message, "label is missing"));
    assert_true(file_exists(in_folder("manifest/One/case0/liver.nii.gz")));
    assert_false(file_exists(in_folder("manifest/One/case0/spleen.nii.gz")));
    assert_true(file_exists(in_folder("manifest/Two/case0/spleen.nii.gz")));
    batch_list_free(&list);
    /* What the command line says goes first. */
    check(batch_list_manifest(&m, in_folder("scans.jsonl"), &(batch_wishes){prompts, PROMPTS, "ct", "ASR", NULL}, &list, &error), &error);
    assert_int_equal(list.items[0].prompt_count, PROMPTS);
    assert_string_equal(list.items[0].modality, "ct");
    assert_string_equal(list.items[0].orientation_code, "ASR");
    assert_null(list.items[3].refusal);
    batch_list_free(&list);
    manifest_free(&m);
}

/* ---------------------------------------------------------------- the writer */

static void a_failure_behind_drops_what_follows_of_the_case(void **state)
{
    (void)state;
    batch_writer *w;
    sat_error error = {0};
    check(batch_writer_open(&w, &error), &error);
    batch_files files = batch_files_of(w), others = batch_files_of(w);
    char *bytes = malloc(4), *more = malloc(4), *third = malloc(4);
    memcpy(bytes, "abc", 4);
    memcpy(more, "def", 4);
    memcpy(third, "ghi", 4);
    check(batch_files_whole(&files, in_folder("no/such/folder"), bytes, 3, &error), &error);
    check(batch_files_whole(&files, in_folder("dropped"), more, 3, &error), &error);
    check(batch_files_whole(&others, in_folder("kept"), third, 3, &error), &error);
    assert_int_equal(batch_files_wait(&files, &error), SAT_IO);
    check(batch_files_wait(&others, &error), &error);
    assert_false(file_exists(in_folder("dropped")));
    assert_true(file_exists(in_folder("kept")));
    batch_writer_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlapping_changes_no_byte),
        cmocka_unit_test(scarce_memory_gives_up_overlapping_not_the_cases),
        cmocka_unit_test(a_failing_case_is_reported_and_stops_no_other),
        cmocka_unit_test(finished_cases_are_left_and_changed_ones_redone),
        cmocka_unit_test(every_option_that_changes_results_is_in_the_key),
        cmocka_unit_test(another_threshold_does_the_cases_again),
        cmocka_unit_test(two_runs_into_one_folder_do_no_harm),
        cmocka_unit_test(an_interrupted_batch_keeps_what_was_computed),
        cmocka_unit_test(folders_are_searched_by_name_and_content),
        cmocka_unit_test(lines_of_a_manifest_become_cases),
        cmocka_unit_test(a_failure_behind_drops_what_follows_of_the_case),
    };
    return cmocka_run_group_tests_name("segment/batch", tests, make_model_and_scans, NULL);
}
