/* slow: one window of the published size. */
/* One window of the published size, 288 x 288 x 96, of Nano: what users run. Takes 7 GB and a minute: skipped, loudly, where memory is
 * short or a sanitizer multiplies it. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/network_golden.h"

#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* The golden tokens are thinned out by 7, so they are compared in the smaller window's test alone. */
static const golden_case window = {"nano", "nano/window_288x288x96", {288, 288, 96}, 4, 499, 1, 3e-2};

static void compare_type(element_type type, double bound)
{
    enum { NEEDED_GB = 9 };
    if (SANITIZED || memory_available_bytes() < NEEDED_GB * 1000000000ull) {
        print_message("[  SKIPPED ] the full window needs %d GB of free memory and no sanitizer\n", NEEDED_GB);
        skip();
    }
    network_run r = network_run_case(&window, type, 2, false);
    golden_compare_logits(&window, &r, bound);
    network_run_free(&r);
}

static void float32_agrees(void **state)
{
    (void)state;
    compare_type(ELEMENT_FLOAT32, FLOAT32_BOUND);
}

static void bfloat16_stays_within_its_bound(void **state)
{
    (void)state;
    compare_type(ELEMENT_BFLOAT16, window.bf16_bound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float32_agrees),
        cmocka_unit_test(bfloat16_stays_within_its_bound),
    };
    return cmocka_run_group_tests_name("model/network_window", tests, NULL, NULL);
}
