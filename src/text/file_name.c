#include "text/file_name.h"
#include "text/lower_case.h"
#include "text/utf8.h"
#include "text/word_map.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FOR_NUMBER = 12 }; /* "_" and the digits of an int32 */

static bool is_kept(uint32_t code)
{
    return (code >= 'a' && code <= 'z') || (code >= '0' && code <= '9') || code == '.' || code == '-';
}

static sat_status make_name(const char *label, char name[FILE_NAME_MAX], sat_error *error)
{
    char *lower;
    size_t bytes, used = 0;
    const sat_status status = lower_case(label, strlen(label), &lower, &bytes, error);
    if (status != SAT_OK) return status;
    for (size_t at = 0; at < bytes && used < FILE_NAME_MAX - 1 - ROOM_FOR_NUMBER;) {
        uint32_t code;
        at += utf8_read(lower + at, bytes - at, &code);
        name[used++] = is_kept(code) ? (char)code : '_';
    }
    name[used] = 0;
    free(lower);
    /* Nothing at all, this folder and the one above are no names. */
    if (used == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        const size_t length = used < 1 ? 1 : used;
        memset(name, '_', length);
        name[length] = 0;
    }
    return SAT_OK;
}

sat_status file_names_of(const char *const *labels, size_t count, char (*names)[FILE_NAME_MAX], sat_error *error)
{
    word_map taken = {0};
    sat_status status = word_map_reserve(&taken, count, error);
    for (size_t i = 0; i < count && status == SAT_OK; i++) {
        status = make_name(labels[i], names[i], error);
        if (status != SAT_OK) break;
        const size_t bytes = strlen(names[i]);
        for (int number = 2; word_map_find(&taken, names[i], strlen(names[i])) >= 0; number++)
            snprintf(names[i] + bytes, FILE_NAME_MAX - bytes, "_%d", number);
        status = word_map_add(&taken, names[i], strlen(names[i]), 0, NULL, error);
    }
    word_map_close(&taken);
    return status;
}
