/* Strings that grow, and small things done with words. */
#ifndef SAT_BASE_TEXT_H
#define SAT_BASE_TEXT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* A string in the making. It has a maximum that its creator states, so that no input can make it grow
 * without end; the first failure stays and later additions do nothing, so that a caller adds freely and
 * asks once, with text_check. Starts as text_open leaves it; not thread-safe. */
typedef struct text {
    char *data;    /* owned; zero-terminated, "" while empty (never NULL after text_open) */
    size_t length; /* bytes without the final zero */
    size_t room;   /* bytes allocated; 0 while `data` is the shared empty string */
    size_t most;   /* `length` never exceeds this */
    bool too_long; /* more than `most` was asked for */
    bool no_memory;
} text;

/* An empty string that may grow to `most` bytes. Allocates nothing yet. */
text text_open(size_t most);
/* Safe on a zeroed text and when called twice. */
void text_free(text *t);

void text_add(text *t, const char *words);
void text_add_bytes(text *t, const char *bytes, size_t count);
void text_format(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `count` copies of `byte`. */
void text_pad(text *t, char byte, size_t count);
/* SAT_NO_MEMORY when an addition failed, saying which limit; SAT_OK otherwise. */
sat_status text_check(const text *t, sat_error *error);
/* The string, owned by the caller now (free); the text is empty again. NULL when text_check would fail. */
char *text_take(text *t);

/* How many insertions, deletions, replacements and swaps of neighbours turn `a` into `b` (optimal string
 * alignment distance, Damerau 1964), in bytes. Words longer than 63 bytes count as different altogether
 * (the longer length is returned). Thread-safe. */
int text_distance(const char *a, const char *b);

/* The candidate that `word` was probably meant to be, or NULL: one that it begins, or the nearest within
 * a third of its length (at least one edit). The first wins among equals. `candidates` ends with NULL. */
const char *text_nearest(const char *word, const char *const *candidates);

bool text_begins(const char *words, const char *start);

#endif
