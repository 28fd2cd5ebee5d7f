#define _DEFAULT_SOURCE /* scandir, setenv, fork */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "text/query_cache.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WIDTH = 5 };
static const char key[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static query_cache *open_cache(const char *root)
{
    query_cache *c;
    sat_error error = {0};
    if (query_cache_open(root, key, WIDTH, &c, &error) != SAT_OK) fail_msg("%s", error.message);
    return c;
}

/* The vector that belongs to a text in these tests. */
static void vector_of(const char *text, float *vector)
{
    random_fill(vector, WIDTH, 1000u * strlen(text) + (unsigned char)text[0]);
}

static void add(query_cache *c, const char *text)
{
    float vector[WIDTH];
    vector_of(text, vector);
    assert_int_equal(query_cache_add(c, text, strlen(text), vector, NULL), SAT_OK);
}

static void holds(const query_cache *c, const char *text, bool expected)
{
    float vector[WIDTH], right[WIDTH];
    vector_of(text, right);
    if (query_cache_find(c, text, strlen(text), vector) != expected)
        fail_msg("'%s' is %s", text, expected ? "missing" : "there");
    if (expected) assert_memory_equal(vector, right, sizeof right);
}

static int is_visible(const struct dirent *file) { return file->d_name[0] != '.'; }

/* The number of files for the key; the path of the first goes to `path`. */
static int files_of(const char *root, char path[1024])
{
    struct dirent **files;
    char folder[700];
    snprintf(folder, sizeof folder, "%.500s/%s", root, key);
    const int count = scandir(folder, &files, is_visible, alphasort);
    for (int i = 0; i < count; i++) {
        if (i == 0 && path) snprintf(path, 1024, "%s/%.100s", folder, files[i]->d_name);
        free(files[i]);
    }
    if (count >= 0) free(files);
    return count;
}

static void vectors_come_back_from_memory_and_from_disk(void **state)
{
    (void)state;
    const char *root = temporary_folder();
    query_cache *c = open_cache(root);
    holds(c, "liver", false);
    add(c, "liver");
    add(c, "left kidney");
    add(c, "");
    add(c, "liver"); /* again: nothing happens */
    holds(c, "liver", true);
    assert_int_equal(query_cache_count(c), 3);
    assert_int_equal(query_cache_save(c, NULL), SAT_OK);
    assert_int_equal(query_cache_save(c, NULL), SAT_OK);
    query_cache_close(c);
    assert_int_equal(files_of(root, NULL), 1);

    c = open_cache(root);
    holds(c, "liver", true);
    holds(c, "left kidney", true);
    holds(c, "", true);
    holds(c, "spleen", false);
    assert_int_equal(query_cache_count(c), 3);
    query_cache_close(c);
}

static void what_is_not_saved_is_forgotten(void **state)
{
    (void)state;
    const char *root = temporary_folder();
    query_cache *c = open_cache(root);
    add(c, "liver");
    query_cache_close(c);
    assert_true(files_of(root, NULL) <= 0);
    c = open_cache(NULL); /* memory only: saving does nothing */
    add(c, "liver");
    assert_int_equal(query_cache_save(c, NULL), SAT_OK);
    holds(c, "liver", true);
    query_cache_close(c);
}

static void another_key_or_width_sees_nothing(void **state)
{
    (void)state;
    const char *root = temporary_folder();
    char other[] = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    query_cache *c = open_cache(root);
    add(c, "liver");
    assert_int_equal(query_cache_save(c, NULL), SAT_OK);
    query_cache_close(c);
    assert_int_equal(query_cache_open(root, other, WIDTH, &c, NULL), SAT_OK);
    holds(c, "liver", false);
    query_cache_close(c);
    assert_int_equal(query_cache_open(root, key, WIDTH + 1, &c, NULL), SAT_OK);
    assert_int_equal(query_cache_count(c), 0);
    query_cache_close(c);
}

/* Whatever byte is changed and wherever a file ends: a text is there with its right vector, or not there. */
static void damage_is_noticed(void **state)
{
    (void)state;
    const char *root = temporary_folder();
    char path[1024];
    query_cache *c = open_cache(root);
    add(c, "liver");
    add(c, "left kidney");
    assert_int_equal(query_cache_save(c, NULL), SAT_OK);
    query_cache_close(c);
    assert_int_equal(files_of(root, path), 1);

    file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), SAT_OK);
    unsigned char *bytes = malloc(map.size);
    assert_non_null(bytes);
    const size_t size = map.size;
    int lost = 0;
    memcpy(bytes, map.data, size);
    file_map_close(&map);
    for (size_t at = 0; at < 2 * size; at++) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        if (at < size) bytes[at] ^= 0x40;
        fwrite(bytes, 1, at < size ? size : at - size, file);
        fclose(file);
        if (at < size) bytes[at] ^= 0x40;

        c = open_cache(root);
        float vector[WIDTH];
        if (query_cache_find(c, "liver", 5, vector)) holds(c, "liver", true);
        if (query_cache_find(c, "left kidney", 11, vector)) holds(c, "left kidney", true);
        assert_true(query_cache_count(c) <= (at < size ? 2 : 1));
        lost += query_cache_count(c) < 2;
        query_cache_close(c);
    }
    assert_true(lost > (int)size); /* all but the unused four bytes of each record */
    free(bytes);
}

static void many_packs_become_one(void **state)
{
    (void)state;
    const char *root = temporary_folder();
    char text[32];
    for (int i = 0; i < 40; i++) {
        query_cache *c = open_cache(root);
        snprintf(text, sizeof text, "%c structure", 'a' + i);
        add(c, text);
        assert_int_equal(query_cache_save(c, NULL), SAT_OK);
        query_cache_close(c);
        assert_true(files_of(root, NULL) <= 17);
    }
    query_cache *c = open_cache(root);
    assert_int_equal(query_cache_count(c), 40);
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "%c structure", 'a' + i);
        holds(c, text, true);
    }
    query_cache_close(c);
}

static void runs_at_the_same_time_lose_nothing(void **state)
{
    (void)state;
    const char *root = temporary_folder();
    enum { PROCESSES = 4, ROUNDS = 25 };
    char text[32];
    for (int process = 0; process < PROCESSES; process++)
        if (fork() == 0) {
            for (int i = 0; i < ROUNDS; i++) {
                query_cache *c;
                float vector[WIDTH];
                snprintf(text, sizeof text, "%c%.*s", 'A' + process, i, "-------------------------");
                vector_of(text, vector);
                const bool good = query_cache_open(root, key, WIDTH, &c, NULL) == SAT_OK &&
                                  query_cache_add(c, text, strlen(text), vector, NULL) == SAT_OK &&
                                  query_cache_save(c, NULL) == SAT_OK;
                if (!good) _exit(1);
                query_cache_close(c);
            }
            _exit(0);
        }
    for (int process = 0; process < PROCESSES; process++) {
        int result;
        assert_true(wait(&result) > 0);
        assert_int_equal(result, 0);
    }
    query_cache *c = open_cache(root);
    for (int process = 0; process < PROCESSES; process++)
        for (int i = 0; i < ROUNDS; i++) {
            snprintf(text, sizeof text, "%c%.*s", 'A' + process, i, "-------------------------");
            holds(c, text, true);
        }
    query_cache_close(c);
}

static void a_folder_that_cannot_be_written_is_reported(void **state)
{
    (void)state;
    char path[1200];
    snprintf(path, sizeof path, "%s/file", temporary_folder());
    assert_int_equal(file_write_whole(path, "x", 1, NULL), SAT_OK);
    query_cache *c = open_cache(path); /* a file where the folder should be */
    sat_error error = {0};
    add(c, "liver");
    assert_int_equal(query_cache_save(c, &error), SAT_IO);
    assert_true(error.message[0]);
    holds(c, "liver", true);
    query_cache_close(c);
}

static void the_place_follows_the_environment(void **state)
{
    (void)state;
    char path[64];
    setenv("HOME", "/people/a", 1);
    setenv("XDG_CACHE_HOME", "/scratch", 1);
    assert_true(query_cache_default_root(path, sizeof path));
    assert_string_equal(path, "/scratch/sat3d/queries");
    setenv("XDG_CACHE_HOME", "relative", 1);
    assert_true(query_cache_default_root(path, sizeof path));
    assert_string_equal(path, "/people/a/.cache/sat3d/queries");
    assert_false(query_cache_default_root(path, 10));
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_false(query_cache_default_root(path, sizeof path));
    assert_string_equal(path, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_come_back_from_memory_and_from_disk),
        cmocka_unit_test(what_is_not_saved_is_forgotten),
        cmocka_unit_test(another_key_or_width_sees_nothing),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(many_packs_become_one),
        cmocka_unit_test(runs_at_the_same_time_lose_nothing),
        cmocka_unit_test(a_folder_that_cannot_be_written_is_reported),
        cmocka_unit_test(the_place_follows_the_environment),
    };
    return cmocka_run_group_tests_name("text/query_cache", tests, NULL, NULL);
}
