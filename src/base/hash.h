/* Hashes: FNV-1a for names, SHA-256 for contents. */
#ifndef SAT_BASE_HASH_H
#define SAT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_FNV_START 0xcbf29ce484222325u

/* 64-bit FNV-1a of `bytes` bytes, going on from `hash` (HASH_FNV_START for a new one). */
uint64_t hash_fnv1a64(uint64_t hash, const void *data, size_t bytes);

/* SHA-256 (FIPS 180-4), streamed: begin, add any number of times, end. */
typedef struct hash_sha256 {
    uint32_t state[8];
    uint64_t total_bytes;
    unsigned char pending[64];
    void (*blocks)(uint32_t state[8], const unsigned char *data, size_t blocks); /* base/sha256_blocks.h */
} hash_sha256;
#define HASH_SHA256_TEXT 65 /* characters of the hexadecimal form with its final zero */

void hash_sha256_begin(hash_sha256 *h);
void hash_sha256_add(hash_sha256 *h, const void *data, size_t bytes);
/* Writes 64 lower-case hexadecimal digits and a zero. */
void hash_sha256_end(hash_sha256 *h, char text[HASH_SHA256_TEXT]);

#endif
