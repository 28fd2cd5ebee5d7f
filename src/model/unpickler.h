/* Python's pickles, read as data. A pickle is a little program that can call any function of Python; this reader knows
 * the few names that a checkpoint of tensors needs, builds plain values for them, and refuses every other name at its
 * mention. It calls nothing, imports nothing, and its memory is bounded by the pickle's length.
 *
 * Source: Python's pickletools (opcodes of protocols 2 to 4); model.md, Checkpoint files. */
#ifndef SAT_MODEL_UNPICKLER_H
#define SAT_MODEL_UNPICKLER_H

#include "base/error.h"
#include "tensor/element.h"

#include <stddef.h>
#include <stdint.h>

enum {
    PICKLE_DIMENSIONS_MAX = 8,
    PICKLE_VALUES_MAX = 1 << 22, /* a Pro checkpoint with its moments has some 40,000 */
};

typedef enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOLEAN,
    PICKLE_INTEGER,
    PICKLE_REAL,
    PICKLE_TEXT,
    PICKLE_BYTES,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICTIONARY, /* items; a dictionary's are key, value, key, value, ...          */
    PICKLE_GLOBAL,     /* one of the names that are known, not (yet) called              */
    PICKLE_STORAGE,    /* raw elements elsewhere, known by a key                         */
    PICKLE_TENSOR,     /* a view of a storage                                            */
    PICKLE_OPAQUE,     /* stepped over: numpy scalars, integers beyond 64 bits           */
} pickle_kind;

typedef uint32_t pickle_reference; /* index into values; values are shared, and a list may even hold itself */

typedef struct pickle_tensor {
    pickle_reference storage;
    int dimensions;
    int64_t offset, shape[PICKLE_DIMENSIONS_MAX], stride[PICKLE_DIMENSIONS_MAX]; /* in elements; none negative */
} pickle_tensor;

typedef struct pickle_value {
    pickle_kind kind;
    union {
        int64_t integer; /* also booleans */
        double real;
        int global;
        struct {
            const char *data; /* borrowed from the pickle; UTF-8 as far as the writer was honest; not zero-terminated */
            size_t length;
        } text;
        struct {
            pickle_reference *items; /* owned */
            uint32_t count, room;
        } list;
        struct {
            element_type type;
            pickle_reference key; /* a text */
            int64_t elements;
        } storage;
        pickle_tensor *tensor; /* owned; fits its storage */
    };
} pickle_value;

typedef struct pickle {
    pickle_value *values; /* owned */
    size_t count, room;
    pickle_reference root;
} pickle;

/* Reads one pickle of `size` bytes at `data`, which must outlive *p. Tensors were checked against their storages' sizes.
 * Fails with SAT_BAD_INPUT (a name that is not known, which is named; damaged; too many values) and SAT_NO_MEMORY;
 * then *p is zeroed. */
sat_status pickle_parse(const void *data, size_t size, pickle *p, sat_error *error);
/* Safe on a zeroed pickle and when called twice. */
void pickle_free(pickle *p);

/* The value under `key` in a dictionary, the last if it was set twice; NULL when missing or `dictionary` is none. */
const pickle_value *pickle_lookup(const pickle *p, const pickle_value *dictionary, const char *key);

#endif
