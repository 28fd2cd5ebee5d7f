#include "segment/check_side.h"

#include <string.h>

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static bool is_letter(char c) { return (lower(c) >= 'a' && lower(c) <= 'z') || (unsigned char)c >= 0x80; }

/* Where `word` (lower case) stands in `name` as a whole word, or NULL. */
static const char *find_word(const char *name, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = name; *at; at++) {
        if (at > name && is_letter(at[-1])) continue;
        size_t n = 0;
        while (n < length && lower(at[n]) == word[n])
            n++;
        if (n == length && !is_letter(at[n])) return at;
    }
    return NULL;
}

check_side check_side_of_name(const char *name)
{
    const bool left = find_word(name, "left") != NULL, right = find_word(name, "right") != NULL;
    if (left == right) return SIDE_NONE;
    return left ? SIDE_LEFT : SIDE_RIGHT;
}

bool check_side_same_but_side(const char *a, const char *b)
{
    const check_side of_a = check_side_of_name(a), of_b = check_side_of_name(b);
    if (of_a == SIDE_NONE || of_b == SIDE_NONE || of_a == of_b) return false;
    const char *word_a = find_word(a, of_a == SIDE_LEFT ? "left" : "right"), *word_b = find_word(b, of_b == SIDE_LEFT ? "left" : "right");
    const size_t left = strlen("left"), right = strlen("right");
    while (a != word_a && b != word_b && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    if (a != word_a || b != word_b) return false;
    a += of_a == SIDE_LEFT ? left : right;
    b += of_b == SIDE_LEFT ? left : right;
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == '\0' && *b == '\0';
}

bool check_side_of_organ(const char *name)
{
    static const char *const words[] = {"heart",     "cardiac", "atrium",  "atria",  "atrial",      "auricle", "auricular",
                                        "ventricle", "ventricular", "coronary", "liver", "hepatic", "portal"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (find_word(name, words[i])) return true;
    return false;
}
