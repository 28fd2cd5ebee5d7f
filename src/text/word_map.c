#include "text/word_map.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_of(const char *word, size_t bytes)
{
    const uint64_t hash = hash_fnv1a64(HASH_FNV_START, word, bytes);
    return (uint32_t)(hash ^ hash >> 32);
}

/* The entry of a word, or the free one where it would go. */
static word_map_entry *place_of(const word_map *map, const char *word, size_t bytes, uint32_t hash)
{
    for (size_t at = hash;; at++) {
        word_map_entry *entry = &map->entries[at & (map->places - 1)];
        if (!entry->word || (entry->hash == hash && entry->bytes == bytes && memcmp(entry->word, word, bytes) == 0))
            return entry;
    }
}

sat_status word_map_reserve(word_map *map, size_t count, sat_error *error)
{
    size_t places = 16;
    while (places / 2 < count && places < SIZE_MAX / 4)
        places *= 2;
    if (places <= map->places) return SAT_OK;
    word_map_entry *entries = calloc(places, sizeof *entries);
    if (!entries) return sat_fail(error, SAT_NO_MEMORY, "%zu words do not fit into memory", count);

    const word_map larger = {.entries = entries, .places = places, .count = map->count};
    for (size_t i = 0; i < map->places; i++) {
        const word_map_entry *entry = &map->entries[i];
        if (entry->word) *place_of(&larger, entry->word, entry->bytes, entry->hash) = *entry;
    }
    free(map->entries);
    *map = larger;
    return SAT_OK;
}

sat_status word_map_add(word_map *map, const char *word, size_t bytes, int32_t number, int32_t *held, sat_error *error)
{
    if (bytes > UINT32_MAX) return sat_fail(error, SAT_BAD_ARGUMENT, "a text of %zu bytes is too long", bytes);
    const sat_status status = word_map_reserve(map, map->count + 1, error);
    if (status != SAT_OK) return status;
    const uint32_t hash = hash_of(word, bytes);
    word_map_entry *entry = place_of(map, word, bytes, hash);
    if (!entry->word) {
        *entry = (word_map_entry){.word = word, .bytes = (uint32_t)bytes, .hash = hash, .number = number};
        map->count++;
    }
    if (held) *held = entry->number;
    return SAT_OK;
}

int32_t word_map_find(const word_map *map, const char *word, size_t bytes)
{
    if (map->count == 0 || bytes > UINT32_MAX) return -1;
    const word_map_entry *entry = place_of(map, word, bytes, hash_of(word, bytes));
    return entry->word ? entry->number : -1;
}

void word_map_close(word_map *map)
{
    free(map->entries);
    *map = (word_map){0};
}
