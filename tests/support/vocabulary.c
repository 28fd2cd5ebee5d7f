#include "tests/support/vocabulary.h"
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"

#include <stdio.h>

tokenizer *open_vocabulary(text_kind kind, const char *name)
{
    char below[256];
    file_map map;
    sat_error error = {0};
    tokenizer *t = NULL;
    snprintf(below, sizeof below, "vocab/%s", name);
    const char *path = golden_path(below);
    if (!path || file_map_open(path, &map, &error) != SAT_OK) fail_msg("%s: %s", name, error.message);
    if (tokenizer_open(kind, map.data, map.size, &t, &error) != SAT_OK) fail_msg("%s: %s", name, error.message);
    file_map_close(&map);
    return t;
}
