/* Replays fuzz/corpus/tokenizer, and random changes of its files, through the fuzz target. */
#define _DEFAULT_SOURCE /* scandir */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "fuzz/fuzz_tokenizer.c"

#include <dirent.h>

static void replay(const char *path, int changes)
{
    file_map map;
    sat_error error = {0};
    if (file_map_open(path, &map, &error) != SAT_OK) fail_msg("%s: %s", path, error.message);
    uint8_t *copy = malloc(map.size ? map.size : 1);
    assert_non_null(copy);
    if (map.size) memcpy(copy, map.data, map.size);
    LLVMFuzzerTestOneInput(copy, map.size);
    for (int i = 0; i < changes && map.size > 0; i++) {
        const size_t at = (size_t)random_below(map.size, 71, 2 * (uint64_t)i);
        copy[at] = (uint8_t)random_below(256, 71, 2 * (uint64_t)i + 1);
        LLVMFuzzerTestOneInput(copy, map.size);
        if (i % 5 == 4) memcpy(copy, map.data, map.size);
    }
    free(copy);
    file_map_close(&map);
}

static void corpus_and_damaged_copies_pass(void **state)
{
    (void)state;
    struct dirent **entries;
    const int count = scandir("fuzz/corpus/tokenizer", &entries, NULL, alphasort);
    int replayed = 0;
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, "fuzz/corpus/tokenizer/%s", entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            replay(path, 300);
            replayed++;
        }
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    assert_true(replayed >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(corpus_and_damaged_copies_pass)};
    return cmocka_run_group_tests_name("text/fuzz_tokenizer", tests, NULL, NULL);
}
