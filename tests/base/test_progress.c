#include "tests/support/cmocka.h"

#include "base/clock.h"
#include "base/progress.h"

#include <string.h>

typedef struct heard {
    int calls, at_once, most_at_once;
    uint64_t done, total;
    char stage[32];
} heard;

static void listen(const progress *p, const char *stage, uint64_t done, uint64_t total)
{
    heard *h = p->context;
    h->at_once++;
    if (h->at_once > h->most_at_once) h->most_at_once = h->at_once;
    h->calls++;
    h->done = done;
    h->total = total;
    strncpy(h->stage, stage, sizeof h->stage - 1);
    h->at_once--;
}

static void stages_begin_and_end_with_a_report(void **state)
{
    (void)state;
    heard h = {0};
    progress p = {.listener = listen, .context = &h};
    progress_begin(&p, "windows", 40);
    assert_true(h.calls == 1 && h.done == 0 && h.total == 40);
    progress_add(&p, 12); /* too soon after the start: not told */
    assert_int_equal(h.calls, 1);
    progress_begin(&p, "masks", 3); /* ends the stage before it */
    assert_int_equal(h.calls, 3);
    assert_string_equal(h.stage, "masks");
    progress_add(&p, 5); /* more than there is */
    progress_end(&p);
    progress_end(&p);
    assert_true(h.calls == 4 && h.done == 3);
}

static void amounts_from_many_threads_add_up_and_one_reports_at_a_time(void **state)
{
    (void)state;
    heard h = {0};
    progress p = {.listener = listen, .context = &h};
    enum { AMOUNTS = 1000 };
    progress_begin(&p, "slices", AMOUNTS);
    const double start = clock_seconds();
#pragma omp parallel for num_threads(7)
    for (int i = 0; i < AMOUNTS; i++) {
        for (volatile int wait = 0; i % 100 == 0 && clock_seconds() - start < 0.12;)
            (void)wait;
        progress_add(&p, 1);
    }
    assert_true(atomic_load(&p.done) == AMOUNTS);
    assert_true(h.most_at_once == 1 && h.calls >= 2);
    progress_end(&p);
    assert_true(h.done == AMOUNTS);
}

static void a_cancelled_stage_stops_with_its_own_status(void **state)
{
    (void)state;
    progress p = {0};
    sat_error error = {0};
    progress_begin(&p, "windows", 2);
    assert_int_equal(progress_check(&p, &error), SAT_OK);
    progress_cancel(&p);
    assert_true(progress_cancelled(&p));
    assert_int_equal(progress_check(&p, &error), SAT_CANCELLED);
    assert_int_equal(sat_exit_code(SAT_CANCELLED), 130);
}

static void nobody_needs_to_watch(void **state)
{
    (void)state;
    progress_begin(NULL, "windows", 2);
    progress_add(NULL, 1);
    progress_end(NULL);
    progress_cancel(NULL);
    assert_false(progress_cancelled(NULL));
    assert_int_equal(progress_check(NULL, NULL), SAT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_begin_and_end_with_a_report),
        cmocka_unit_test(amounts_from_many_threads_add_up_and_one_reports_at_a_time),
        cmocka_unit_test(a_cancelled_stage_stops_with_its_own_status),
        cmocka_unit_test(nobody_needs_to_watch),
    };
    return cmocka_run_group_tests_name("base/progress", tests, NULL, NULL);
}
