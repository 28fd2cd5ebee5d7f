/* Replays fuzz/corpus/nifti, and random changes of its files, through the fuzz target. */
#define _DEFAULT_SOURCE /* scandir */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"

#include "fuzz/fuzz_nifti.c"

#include <dirent.h>

static void replay(const char *path, int changes)
{
    file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), SAT_OK);
    uint8_t *copy = malloc(map.size ? map.size : 1);
    assert_non_null(copy);
    for (int n = 0; n <= changes; n++) {
        size_t size = map.size;
        if (size > 0) memcpy(copy, map.data, size);
        if (n > 0 && size > 0) { /* the first time as it is */
            const uint64_t key = (uint64_t)n;
            for (uint64_t c = 0; c < 1 + key % 3; c++)
                copy[random_below(size, key, 2 * c)] ^= (uint8_t)(1 + random_below(255, key, 2 * c + 1));
            if (key % 4 == 0) size = random_below(size, key, 99);
        }
        LLVMFuzzerTestOneInput(copy, size);
    }
    free(copy);
    file_map_close(&map);
}

static void the_corpus_and_its_neighbours_keep_the_promises(void **state)
{
    (void)state;
    struct dirent **entries = NULL;
    const int count = scandir("fuzz/corpus/nifti", &entries, NULL, alphasort);
    int replayed = 0;
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, "fuzz/corpus/nifti/%s", entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            replay(path, 300);
            replayed++;
        }
        free(entries[i]);
    }
    free(entries);
    assert_true(replayed >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_corpus_and_its_neighbours_keep_the_promises)};
    return cmocka_run_group_tests_name("image/fuzz_nifti", tests, NULL, NULL);
}
