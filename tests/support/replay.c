#define _DEFAULT_SOURCE /* scandir */
#include "tests/support/replay.h"

#include "base/file.h"
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run_copy(int (*target)(const uint8_t *, size_t), const uint8_t *data, size_t size, uint64_t change)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size) memcpy(copy, data, size);
    for (uint64_t i = 0; size && i < change % 4; i++)
        copy[random_below(size, change, 2 * i)] = (uint8_t)random_below(256, change, 2 * i + 1);
    target(copy, size);
    free(copy);
}

static void replay_file(const char *path, int (*target)(const uint8_t *, size_t), int changes)
{
    file_map map;
    sat_error error = {0};
    if (file_map_open(path, &map, &error) != SAT_OK) fail_msg("%s: %s", path, error.message);
    run_copy(target, map.data, map.size, 0);
    for (int i = 1; i <= changes && map.size > 0; i++)
        run_copy(target, map.data, i % 8 ? map.size : (size_t)random_below(map.size, (uint64_t)i, 99), (uint64_t)i);
    file_map_close(&map);
}

void replay_corpus(const char *folder, int (*target)(const uint8_t *data, size_t size), int changes, int least)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, NULL, alphasort);
    int replayed = 0;
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            replay_file(path, target, changes);
            replayed++;
        }
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    if (replayed < least) fail_msg("%s has %d files, expected at least %d", folder, replayed, least);
}
