#include "base/hash.h"

#include "base/sha256_blocks.h"

#include <stdio.h>
#include <string.h>

uint64_t hash_fnv1a64(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}

void hash_sha256_begin(hash_sha256 *h)
{
    *h = (hash_sha256){
        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
        .blocks = sha256_blocks_fast_here() ? sha256_blocks_fast : sha256_blocks_plain};
}

void hash_sha256_add(hash_sha256 *h, const void *data, size_t bytes)
{
    const unsigned char *from = data;
    while (bytes > 0) {
        const size_t at = h->total_bytes % 64, room = 64 - at;
        size_t take = bytes < room ? bytes : room;
        if (take == 64) {
            take = bytes / 64 * 64;
            h->blocks(h->state, from, take / 64);
        } else {
            memcpy(h->pending + at, from, take);
            if (take == room) h->blocks(h->state, h->pending, 1);
        }
        h->total_bytes += take;
        from += take;
        bytes -= take;
    }
}

void hash_sha256_end(hash_sha256 *h, char text[HASH_SHA256_TEXT])
{
    const uint64_t bits = h->total_bytes * 8;
    unsigned char tail[72] = {0x80};
    const size_t zeros = (119 - h->total_bytes % 64) % 64; /* after the 0x80, up to 8 bytes before a block's end */
    for (int i = 0; i < 8; i++)
        tail[1 + zeros + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
    hash_sha256_add(h, tail, 1 + zeros + 8);
    for (int i = 0; i < 8; i++)
        snprintf(text + 8 * i, 9, "%08x", h->state[i]);
}
