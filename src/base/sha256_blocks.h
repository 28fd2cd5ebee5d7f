/* The inner loop of SHA-256 (FIPS 180-4, section 6.2.2): whole blocks of 64 bytes into the state. */
#ifndef SAT_BASE_SHA256_BLOCKS_H
#define SAT_BASE_SHA256_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The twin: the standard's formulas. */
void sha256_blocks_plain(uint32_t state[8], const unsigned char *data, size_t blocks);
/* By the processor's SHA instructions, with the same result; only where sha256_blocks_fast_here() is true. */
void sha256_blocks_fast(uint32_t state[8], const unsigned char *data, size_t blocks);
/* Asks the processor on each call: keep the answer. False where SAT3D_PROCESSOR=plain. */
bool sha256_blocks_fast_here(void);

#endif
