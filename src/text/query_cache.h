/* Encoded prompts, kept in memory and, between runs, on disk: the vector of a text before its modality is added.
 *
 * On disk a cache is a folder <root>/<key>/ of packs, each written whole under a temporary name and renamed, so that
 * any number of runs may use it at once and any file may be deleted at any time. A run that has encoded something new
 * adds one pack; when there are many, one with everything takes their place. A pack is
 *     "sat3dqry", uint32 1 (format), uint32 width, 64 characters of the key, then for each text
 *     uint32 bytes, uint32 0, uint64 checksum, the text, width x float32
 * in the byte order of the machine, the checksum FNV-1a of bytes, text and vector. What does not check is passed over:
 * a damaged cache costs time, never a wrong query. */
#ifndef SAT_TEXT_QUERY_CACHE_H
#define SAT_TEXT_QUERY_CACHE_H

#include "base/error.h"
#include "base/hash.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct query_cache query_cache; /* not thread-safe */

/* Opens a cache of vectors of `width` numbers.
 *
 * root   the folder of all caches; need not exist; NULL: memory only
 * key    stands for everything that a vector depends on but the text: 64 hexadecimal digits (SHA-256); borrowed
 *
 * Reads what is on disk for the key; unreadable files count as missing. Fails with SAT_NO_MEMORY. */
sat_status query_cache_open(const char *root, const char key[HASH_SHA256_TEXT], int width, query_cache **made,
                            sat_error *error);

/* Safe on NULL. What was not saved is forgotten. */
void query_cache_close(query_cache *cache);

/* Copies the vector of a text to `vector`; false, and nothing written, if it is not there. */
bool query_cache_find(const query_cache *cache, const char *text, size_t bytes, float *vector);

/* Keeps a vector in memory, until query_cache_save on disk too. Fails with SAT_NO_MEMORY. */
sat_status query_cache_add(query_cache *cache, const char *text, size_t bytes, const float *vector, sat_error *error);

/* Writes what was added since the last save. Nothing to do is SAT_OK. Fails with SAT_IO or SAT_NO_MEMORY (disk full);
 * the cache goes on working in memory. */
sat_status query_cache_save(query_cache *cache, sat_error *error);

/* How many texts are there. */
size_t query_cache_count(const query_cache *cache);

/* Where a user's caches lie: $XDG_CACHE_HOME/sat3d/queries, or $HOME/.cache/sat3d/queries; false, and *path empty,
 * where the environment names neither (XDG Base Directory Specification) or the path does not fit. */
bool query_cache_default_root(char *path, size_t room);

#endif
