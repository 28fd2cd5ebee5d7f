/* Words to numbers: a hash map of byte strings, for vocabularies, file names and cached prompts. */
#ifndef SAT_TEXT_WORD_MAP_H
#define SAT_TEXT_WORD_MAP_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct word_map_entry {
    const char *word; /* borrowed; NULL: a free place */
    uint32_t bytes, hash;
    int32_t number;
} word_map_entry;

/* Starts as {0}. Open addressing, at most half full. Reading is thread-safe, adding is not. */
typedef struct word_map {
    word_map_entry *entries; /* owned; a power of two of them */
    size_t places, count;
} word_map;

/* Makes room for `count` words in all, so that adding them neither grows nor fails. Fails with SAT_NO_MEMORY. */
sat_status word_map_reserve(word_map *map, size_t count, sat_error *error);

/* Adds a word of less than 2^32 bytes, which must stay where it is as long as the map lives. A word that is there
 * already keeps its number. *held (may be NULL) is what the map then holds for the word.
 * Fails with SAT_NO_MEMORY, SAT_BAD_ARGUMENT (too long). */
sat_status word_map_add(word_map *map, const char *word, size_t bytes, int32_t number, int32_t *held, sat_error *error);

/* The number of a word, or -1. */
int32_t word_map_find(const word_map *map, const char *word, size_t bytes);

/* Safe on a zeroed map and when called twice. */
void word_map_close(word_map *map);

#endif
