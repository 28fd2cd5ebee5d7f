#include "model/names.h"

#include <string.h>

/* Every occurrence of `from`, left to right, becomes `to`, which is no longer. */
static void replace_all(char *text, const char *from, const char *to)
{
    const size_t from_length = strlen(from), to_length = strlen(to);
    for (char *at = text; (at = strstr(at, from)) != NULL; at += to_length) {
        memcpy(at, to, to_length);
        memmove(at + to_length, at + from_length, strlen(at + from_length) + 1);
    }
}

bool model_name_canonical(const char *name, char canonical[MODEL_NAME_MAX])
{
    if (strncmp(name, "module.", 7) == 0) name += 7;
    const size_t length = strlen(name);
    if (length >= MODEL_NAME_MAX) return false;
    memcpy(canonical, name, length + 1);
    replace_all(canonical, "decoder.encoder.", "encoder.");
    replace_all(canonical, "all_modules.0.", "conv.");
    replace_all(canonical, "all_modules.1.", "norm.");
    return true;
}
