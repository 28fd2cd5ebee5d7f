#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/sha256_blocks.h"

#include <stdio.h>
#include <string.h>

static void a_written_file_reads_back(void **state)
{
    (void)state;
    char path[1200];
    snprintf(path, sizeof path, "%s/a/b", temporary_folder());
    sat_error error = {0};
    assert_int_equal(folder_make(path, &error), SAT_OK);
    strcat(path, "/c.bin");
    assert_int_equal(file_write_whole(path, "left kidney", 11, &error), SAT_OK);
    file_map map;
    assert_int_equal(file_map_open(path, &map, &error), SAT_OK);
    assert_int_equal(map.size, 11);
    assert_memory_equal(map.data, "left kidney", 11);
    file_map_close(&map);
    file_map_close(&map);
}

static void an_abandoned_file_leaves_nothing(void **state)
{
    (void)state;
    char path[1200];
    snprintf(path, sizeof path, "%s/mask.nii", temporary_folder());
    sat_error error = {0};
    file_writer w;
    assert_int_equal(file_create(path, &w, &error), SAT_OK);
    assert_int_equal(file_write(&w, "half", 4, &error), SAT_OK);
    assert_true(file_exists(w.temporary) == w.named);
    assert_false(file_exists(path));
    char temporary[1200];
    snprintf(temporary, sizeof temporary, "%s", w.temporary);
    file_abandon(&w);
    assert_false(file_exists(path) || file_exists(temporary));
}

static void failures_name_the_file_and_the_reason(void **state)
{
    (void)state;
    file_map map;
    sat_error error = {0};
    assert_int_equal(file_map_open("/nowhere/scan.nii", &map, &error), SAT_IO);
    assert_string_equal(error.file, "/nowhere/scan.nii");
    assert_string_equal(error.message, "cannot open: No such file or directory");
    assert_int_equal(file_map_open("/", &map, &error), SAT_IO);
    assert_string_equal(error.message, "this is a folder, not a file");
    file_writer w;
    assert_int_equal(file_create("/nowhere/mask.nii", &w, &error), SAT_IO);
    file_abandon(&w);
}

/* The test vectors of FIPS 180-4's companion examples. */
static void sha256_agrees_with_the_standard(void **state)
{
    (void)state;
    const char *const texts[] = {"", "abc", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"};
    const char *const expected[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                                    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"};
    for (int i = 0; i < 3; i++) {
        hash_sha256 h;
        char text[HASH_SHA256_TEXT];
        hash_sha256_begin(&h);
        for (size_t at = 0; at < strlen(texts[i]); at++)
            hash_sha256_add(&h, texts[i] + at, 1);
        hash_sha256_end(&h, text);
        assert_string_equal(text, expected[i]);
    }
}

/* The processor's own instructions against the formulas, from any state and over any number of blocks. */
static void fast_sha256_blocks_equal_the_twin(void **state)
{
    (void)state;
    if (!sha256_blocks_fast_here()) skip();
    static float noise[64 * 16];
    random_fill(noise, sizeof noise / sizeof *noise, 5);
    for (size_t blocks = 0; blocks < 61; blocks += 1 + blocks / 2) {
        uint32_t plain[8], fast[8];
        memcpy(plain, noise + 7 * blocks, sizeof plain);
        memcpy(fast, plain, sizeof fast);
        sha256_blocks_plain(plain, (const unsigned char *)noise + 3, blocks);
        sha256_blocks_fast(fast, (const unsigned char *)noise + 3, blocks);
        assert_memory_equal(plain, fast, sizeof plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_file_reads_back),
        cmocka_unit_test(an_abandoned_file_leaves_nothing),
        cmocka_unit_test(failures_name_the_file_and_the_reason),
        cmocka_unit_test(sha256_agrees_with_the_standard),
        cmocka_unit_test(fast_sha256_blocks_equal_the_twin),
    };
    return cmocka_run_group_tests_name("base/file", tests, NULL, NULL);
}
