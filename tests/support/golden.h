/* Golden values: where they lie, and NumPy's .npy files. */
#ifndef SAT_TESTS_GOLDEN_H
#define SAT_TESTS_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The path of tests/golden/<name>, else of ../shared/golden/<name> (or $SAT3D_SHARED/golden/<name>), in one
 * of a few static buffers; NULL when neither is there: then skip the test, loudly. */
const char *golden_path(const char *name);
/* Likewise for any other file of the shared material: ../shared/<name>. */
const char *shared_path(const char *name);

/* An array from a .npy file, version 1 or 2, C order. */
typedef struct npy_array {
    char type[8];     /* as NumPy spells it: "<f4", "<f8", "|u1", ... */
    int dimensions;
    int64_t shape[8];
    size_t count;     /* elements */
    void *data;       /* owned; elements as in the file */
} npy_array;

/* Fails the running test with a message when the file can't be read. */
npy_array npy_read(const char *path);
void npy_free(npy_array *a);
/* Elements as float32, of a "<f4" array; fails the test for another type. */
const float *npy_floats(const npy_array *a);

/* Norm of the difference over norm of `expected`. */
double relative_l2(const float *actual, const float *expected, size_t count);
double largest_difference(const float *actual, const float *expected, size_t count);

/* `count` floats in [-1, 1), the same for the same key on every machine. */
void random_fill(float *x, size_t count, uint64_t key);
/* One number in [0, n) for (key, counter). */
uint64_t random_below(uint64_t n, uint64_t key, uint64_t counter);

/* A fresh folder below the system's temporary folder, in a static buffer. */
const char *temporary_folder(void);

#endif
