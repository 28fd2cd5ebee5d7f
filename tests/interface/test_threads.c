/* Two models, four threads at once: the same masks as one after the other. Cancelling works at every moment, also while
 * another thread holds the model. Sees nothing but sat3d.h and the tests' support. Run it under TSan, too (docs/interface.md). */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "model/convert.h"
#include "sat3d.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPTS = 3, THREADS = 4, NI = 80, NJ = 70, NK = 40, VOXELS = NI * NJ * NK };
static const char *const prompts[PROMPTS] = {"liver", "left kidney", "spleen"};

static char model_path[700];

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK) fail_msg("%s: %s", error->file, error->message);
}

static int make_model(void **state)
{
    (void)state;
    snprintf(model_path, sizeof model_path, "%s/tiny.safetensors", temporary_folder());
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

static sat_model *open_model(void)
{
    sat_model_options options;
    sat_model_options_default(&options, sizeof options);
    options.dtype = SAT_FLOAT32;
    options.threads = 2;
    sat_model *model;
    sat_error error = {0};
    check(sat_model_open(model_path, &options, &model, &error), &error);
    return model;
}

/* Different for each key. */
static sat_volume *make_volume(uint64_t key)
{
    float *x = malloc(VOXELS * sizeof *x);
    assert_non_null(x);
    random_fill(x, VOXELS, key);
    for (int n = 0; n < VOXELS; n++)
        x[n] += 1.5f;
    const sat_voxels from = {.size = sizeof from, .voxels = x, .type = SAT_VOXEL_FLOAT32, .shape_ijk = {NI, NJ, NK},
                             .voxel_to_world_mm = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 3, 0}}};
    sat_volume *volume;
    sat_error error = {0};
    check(sat_volume_make(&from, &volume, &error), &error);
    free(x);
    return volume;
}

static sat_request usual(void)
{
    sat_request request;
    sat_request_default(&request, sizeof request);
    request.prompts = prompts;
    request.prompt_count = PROMPTS;
    request.modality = "mri";
    return request;
}

typedef struct job {
    sat_model *model;
    const sat_volume *volume;
    sat_status status;
    sat_error error;
    uint8_t masks[PROMPTS][VOXELS];
} job;

static void *work(void *context)
{
    job *j = context;
    const sat_request request = usual();
    sat_result *result;
    j->status = sat_segment(j->model, j->volume, &request, &result, &j->error);
    for (int p = 0; p < PROMPTS && j->status == SAT_OK; p++)
        j->status = sat_result_mask(result, p, j->masks[p], VOXELS, &j->error);
    sat_result_free(result);
    return NULL;
}

static void four_threads_with_two_models_make_the_masks_of_one(void **state)
{
    (void)state;
    sat_model *models[2] = {open_model(), open_model()};
    sat_volume *volumes[2] = {make_volume(1), make_volume(2)};
    job *serial = calloc(THREADS, sizeof *serial), *together = calloc(THREADS, sizeof *together);
    pthread_t threads[THREADS];
    assert_non_null(serial);
    assert_non_null(together);
    for (int t = 0; t < THREADS; t++) { /* each model with each volume */
        serial[t].model = together[t].model = models[t % 2];
        serial[t].volume = together[t].volume = volumes[t / 2];
    }
    for (int t = 0; t < THREADS; t++) /* before any model has run */
        assert_int_equal(pthread_create(&threads[t], NULL, work, &together[t]), 0);
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_join(threads[t], NULL), 0);
    size_t inside = 0;
    for (int t = 0; t < THREADS; t++) {
        work(&serial[t]);
        check(serial[t].status, &serial[t].error);
        check(together[t].status, &together[t].error);
        assert_memory_equal(serial[t].masks, together[t].masks, sizeof serial[t].masks);
        for (int p = 0; p < PROMPTS; p++)
            for (int n = 0; n < VOXELS; n++)
                inside += serial[t].masks[p][n];
    }
    print_message("             %zu voxels inside\n", inside);
    assert_true(inside > 1000 && inside < THREADS * PROMPTS * (size_t)VOXELS - 1000);
    assert_true(memcmp(serial[0].masks, serial[2].masks, sizeof serial[0].masks) != 0);
    free(serial);
    free(together);
    for (int n = 0; n < 2; n++) {
        sat_volume_free(volumes[n]);
        sat_model_free(models[n]);
    }
}

/* ---------------------------------------------------------------- cancelling */

typedef struct stopper {
    const char *stage;  /* cancels in this stage ... */
    uint64_t from;      /* ... once so much is done  */
    atomic_int inside;  /* calls at this moment: never two */
    int calls, overlaps, seen_after_stop;
    bool stopped;
} stopper;

static int stop_there(void *context, const char *stage, uint64_t done, uint64_t total)
{
    stopper *s = context;
    if (atomic_fetch_add(&s->inside, 1)) s->overlaps++;
    s->calls++;
    s->seen_after_stop += s->stopped;
    assert_true(total == 0 || done <= total);
    if (s->stage && strcmp(stage, s->stage) == 0 && done >= s->from) s->stopped = true;
    atomic_fetch_sub(&s->inside, 1);
    return s->stopped;
}

static void a_callback_cancels_in_every_stage(void **state)
{
    (void)state;
    static const struct { const char *stage; uint64_t from; } places[] = {
        {"prompts", 0}, {"preparing the scan", 0}, {"loading the model", 0}, {"windows", 0}, {"windows", 1}, {"writing masks", 0}};
    sat_volume *volume = make_volume(3);
    for (size_t n = 0; n < sizeof places / sizeof *places; n++) {
        sat_model *model = open_model();
        stopper s = {.stage = places[n].stage, .from = places[n].from};
        sat_request request = usual();
        request.progress = stop_there;
        request.progress_context = &s;
        sat_result *result = (sat_result *)&s; /* to be NULL afterwards */
        sat_error error = {0};
        assert_int_equal(sat_segment(model, volume, &request, &result, &error), SAT_CANCELLED);
        assert_null(result);
        assert_true(s.stopped && error.code == SAT_CANCELLED);
        assert_int_equal(s.overlaps + s.seen_after_stop, 0);
        request.progress = NULL; /* and the model is as good as new */
        check(sat_segment(model, volume, &request, &result, &error), &error);
        sat_result_free(result);
        sat_model_free(model);
    }
    sat_volume_free(volume);
}

/* Holds the model in its callback until told to go on. */
typedef struct holder {
    atomic_bool holding, go_on, over;
} holder;

static int hold(void *context, const char *stage, uint64_t done, uint64_t total)
{
    holder *h = context;
    (void)done;
    (void)total;
    if (strcmp(stage, "windows") != 0) return 0;
    atomic_store(&h->holding, true);
    while (!atomic_load(&h->go_on))
        sched_yield();
    return 0;
}

typedef struct holding_job {
    sat_model *model;
    const sat_volume *volume;
    holder held;
    sat_status status;
} holding_job;

static void *work_and_hold(void *context)
{
    holding_job *j = context;
    sat_request request = usual();
    request.progress = hold;
    request.progress_context = &j->held;
    sat_result *result;
    j->status = sat_segment(j->model, j->volume, &request, &result, NULL);
    sat_result_free(result);
    atomic_store(&j->held.over, true);
    return NULL;
}

static void who_waits_for_the_model_can_cancel(void **state)
{
    (void)state;
    holding_job first = {.model = open_model(), .volume = make_volume(4)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work_and_hold, &first), 0);
    while (!atomic_load(&first.held.holding) && !atomic_load(&first.held.over))
        sched_yield();
    assert_true(atomic_load(&first.held.holding));
    stopper s = {.stage = "waiting"};
    sat_request request = usual();
    request.progress = stop_there;
    request.progress_context = &s;
    sat_result *result;
    sat_error error = {0};
    assert_int_equal(sat_segment(first.model, first.volume, &request, &result, &error), SAT_CANCELLED);
    assert_false(atomic_load(&first.held.go_on)); /* the first still works */
    atomic_store(&first.held.go_on, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(first.status, SAT_OK);
    s.stage = NULL;
    s.stopped = false;
    check(sat_segment(first.model, first.volume, &request, &result, &error), &error);
    assert_int_equal(s.overlaps, 0);
    assert_true(s.calls > 5);
    sat_result_free(result);
    sat_volume_free((sat_volume *)first.volume);
    sat_model_free(first.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_threads_with_two_models_make_the_masks_of_one),
        cmocka_unit_test(a_callback_cancels_in_every_stage),
        cmocka_unit_test(who_waits_for_the_model_can_cancel),
    };
    return cmocka_run_group_tests(tests, make_model, NULL);
}
