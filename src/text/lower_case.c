#include "text/lower_case.h"
#include "text/utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SIGMA = 0x3a3, FINAL_SIGMA = 0x3c2, I_WITH_DOT = 0x130, DOT_ABOVE = 0x307 };

typedef struct range {
    uint32_t first, last;
} range;

static bool inside(const range *ranges, size_t count, uint32_t code)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last) return true;
    return false;
}

/* Stands between letters without ending a word: property Case_Ignorable. */
static bool is_ignorable(uint32_t code)
{
    static const range also[] = {{0x27, 0x27},     {0x2e, 0x2e},     {0x3a, 0x3a},     {0xb7, 0xb7},
                                 {0x387, 0x387},   {0x55f, 0x55f},   {0x5f4, 0x5f4},   {0x2018, 0x2019},
                                 {0x2024, 0x2024}, {0x2027, 0x2027}, {0xfe13, 0xfe13}, {0xfe52, 0xfe52},
                                 {0xfe55, 0xfe55}, {0xff07, 0xff07}, {0xff0e, 0xff0e}, {0xff1a, 0xff1a}};
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return inside(also, sizeof also / sizeof *also, code);
    }
}

/* Property Cased, of characters that are not ignorable: letters with case, ª º, Roman numerals, letters in circles. */
static bool is_cased(uint32_t code)
{
    static const range also[] = {{0xaa, 0xaa},       {0xba, 0xba},       {0x2160, 0x217f},  {0x24b6, 0x24e9},
                                 {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189}};
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT: return true;
    default: return inside(also, sizeof also / sizeof *also, code);
    }
}

/* The sigma whose bytes are followed by `after`: a cased letter before it (`letter_before`), none after it. */
static bool sigma_ends_word(bool letter_before, const char *after, size_t bytes)
{
    uint32_t code;
    if (!letter_before) return false;
    for (size_t at = 0; at < bytes;) {
        at += utf8_read(after + at, bytes - at, &code);
        if (!is_ignorable(code)) return !is_cased(code);
    }
    return true;
}

sat_status lower_case(const char *text, size_t bytes, char **lower, size_t *length, sat_error *error)
{
    /* No character grows more than threefold: an invalid byte becomes the three of U+FFFD. */
    *lower = bytes < SIZE_MAX / 3 - 1 ? malloc(3 * bytes + 1) : NULL;
    if (!*lower) return sat_fail(error, SAT_NO_MEMORY, "a text of %zu bytes does not fit into memory", bytes);

    char *out = *lower;
    bool letter_before = false; /* the last character that is not ignorable is a cased letter */
    for (size_t at = 0; at < bytes;) {
        uint32_t code;
        at += utf8_read(text + at, bytes - at, &code);
        if (code == SIGMA && sigma_ends_word(letter_before, text + at, bytes - at))
            out += utf8_write(FINAL_SIGMA, out);
        else
            out += utf8_write(code == I_WITH_DOT ? 'i' : (uint32_t)utf8proc_tolower((utf8proc_int32_t)code), out);
        if (code == I_WITH_DOT) out += utf8_write(DOT_ABOVE, out);
        if (!is_ignorable(code)) letter_before = is_cased(code);
    }
    *out = 0;
    if (length) *length = (size_t)(out - *lower);
    return SAT_OK;
}
