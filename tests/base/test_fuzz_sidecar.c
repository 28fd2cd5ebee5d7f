/* Replays fuzz/corpus/sidecar, and damaged copies of its files, through the fuzz target. */
#include "tests/support/cmocka.h"
#include "tests/support/replay.h"

#include "fuzz/fuzz_sidecar.c"

static void corpus_and_damaged_copies_pass(void **state)
{
    (void)state;
    replay_corpus("fuzz/corpus/sidecar", LLVMFuzzerTestOneInput, 400, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(corpus_and_damaged_copies_pass)};
    return cmocka_run_group_tests_name("base/fuzz_sidecar", tests, NULL, NULL);
}
