#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char nothing[1]; /* the shared empty string; never written to */

text text_open(size_t most) { return (text){.data = nothing, .most = most}; }

void text_free(text *t)
{
    if (t->room) free(t->data);
    *t = (text){.data = nothing, .most = t->most};
}

/* Room for `count` more bytes and the final zero; false, with the reason noted, when there is none. */
static bool text_reserve(text *t, size_t count)
{
    if (t->too_long || t->no_memory) return false;
    if (count > t->most - t->length) {
        t->too_long = true;
        return false;
    }
    const size_t needed = t->length + count + 1;
    if (needed <= t->room) return true;
    size_t room = t->room ? t->room : 64;
    while (room < needed)
        room = room > needed / 2 ? needed : room * 2;
    char *data = realloc(t->room ? t->data : NULL, room);
    if (!data) {
        t->no_memory = true;
        return false;
    }
    if (!t->room) data[0] = '\0';
    t->data = data;
    t->room = room;
    return true;
}

void text_add_bytes(text *t, const char *bytes, size_t count)
{
    if (count == 0 || !text_reserve(t, count)) return;
    memcpy(t->data + t->length, bytes, count);
    t->length += count;
    t->data[t->length] = '\0';
}

void text_add(text *t, const char *words) { text_add_bytes(t, words, strlen(words)); }

void text_pad(text *t, char byte, size_t count)
{
    if (count == 0 || !text_reserve(t, count)) return;
    memset(t->data + t->length, byte, count);
    t->length += count;
    t->data[t->length] = '\0';
}

void text_format(text *t, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int count = vsnprintf(NULL, 0, format, arguments);
    if (count > 0 && text_reserve(t, (size_t)count)) {
        vsnprintf(t->data + t->length, (size_t)count + 1, format, again);
        t->length += (size_t)count;
    }
    va_end(again);
    va_end(arguments);
}

sat_status text_check(const text *t, sat_error *error)
{
    if (t->too_long) return sat_fail(error, SAT_NO_MEMORY, "a text would grow beyond its limit of %zu bytes", t->most);
    if (t->no_memory) return sat_fail(error, SAT_NO_MEMORY, "no memory for a text of %zu bytes", t->length);
    return SAT_OK;
}

char *text_take(text *t)
{
    if (t->too_long || t->no_memory) return NULL;
    char *taken = t->room ? t->data : calloc(1, 1);
    *t = text_open(t->most);
    return taken;
}

int text_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    const size_t m = strlen(a), n = strlen(b);
    if (m > LONGEST || n > LONGEST) return (int)(strcmp(a, b) == 0 ? 0 : m > n ? m : n);
    /* rows[i % 3][j]: the distance of a's first i bytes to b's first j. */
    int rows[3][LONGEST + 1];
    for (size_t j = 0; j <= n; j++)
        rows[0][j] = (int)j;
    for (size_t i = 1; i <= m; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i - 1) % 3], *above_that = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= n; j++) {
            int least = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < least) least = above[j] + 1;
            if (row[j - 1] + 1 < least) least = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && above_that[j - 2] + 1 < least)
                least = above_that[j - 2] + 1;
            row[j] = least;
        }
    }
    return rows[m % 3][n];
}

const char *text_nearest(const char *word, const char *const *candidates)
{
    const size_t length = strlen(word);
    const char *nearest = NULL;
    int least = length < 6 ? 2 : (int)(length / 3) + 1; /* must be below this */
    for (; *candidates; candidates++) {
        const int distance = length >= 2 && text_begins(*candidates, word) ? 0 : text_distance(word, *candidates);
        if (distance < least) {
            least = distance;
            nearest = *candidates;
        }
    }
    return nearest;
}

bool text_begins(const char *words, const char *start) { return strncmp(words, start, strlen(start)) == 0; }
