/* What kernel tests share: awkward values, maps of random shape, memory between guards. */
#ifndef SAT_TESTS_KERNELS_H
#define SAT_TESTS_KERNELS_H

#include "cpu/feature_map.h"

#include <stdint.h>

/* Memory between two guards of 64 bytes, every byte GUARD_BYTE at first. */
enum { GUARD_BYTE = 0xa5 };
typedef struct guarded {
    unsigned char *all, *data;
    size_t bytes;
} guarded;

guarded guarded_make(size_t bytes);
/* Fails the test when a guard was written. */
void guarded_free(guarded *g);

/* 0 to n - 1. */
int random_int(int n, uint64_t key, uint64_t counter);

/* Values over many magnitudes, with the awkward ones among them: zeros of both signs, subnormals, the largest,
 * infinities, not-a-numbers (quiet and signalling), ties of the rounding to bfloat16. */
float awkward_value(uint64_t key, uint64_t counter);
float float_from_bits(uint32_t bits);

/* A map of random shape, up to 9 voxels an axis, with gaps in all its pitches, filled with awkward values throughout;
 * `elements` of memory, to be freed as map.data. */
feature_map random_map(element_type type, int channels, uint64_t key, size_t *elements);
/* Scales and shifts in [-1, 1), sometimes a strange slope; rule_free gives them back. */
load_rule random_rule(int channels, uint64_t key);
void rule_free(load_rule *rule);

/* Equal bits, or both not-a-number: which payload an operation on two keeps is the compiler's choice. */
void assert_same_values(element_type type, const void *expected, const void *actual, size_t count);

#endif
