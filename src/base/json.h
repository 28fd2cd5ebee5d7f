/* JSON as this program reads and writes it: thin helpers over Jansson, so that every wrong field is named by its
 * path and numbers come back as they were. */
#ifndef SAT_BASE_JSON_H
#define SAT_BASE_JSON_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- reading */

/* Parses `size` bytes of UTF-8 into a new reference (json_decref it). Duplicate keys, trailing text and nesting
 * beyond 2048 levels are refused. Fails with SAT_BAD_INPUT, naming line and column. On failure *root is NULL. */
sat_status json_parse(const void *bytes, size_t size, json_t **root, sat_error *error);
/* The same from a file; also SAT_IO. The error names the file. */
sat_status json_read(const char *path, json_t **root, sat_error *error);

/* Fields of an object. `where` is the path of `object` for messages, "" for the root: a field "features" of the
 * object "vision" is complained about as "vision.features". With JSON_OPTIONAL a missing field, or null, leaves *value
 * as it was; with JSON_REQUIRED it fails. All fail with SAT_BAD_INPUT. */
typedef enum json_need { JSON_REQUIRED, JSON_OPTIONAL } json_need;

/* A whole number within [least, most]. */
sat_status json_field_integer(const json_t *object, const char *where, const char *key, json_need need, int64_t least,
                              int64_t most, int64_t *value, sat_error *error);
/* The same into an int. */
sat_status json_field_int(const json_t *object, const char *where, const char *key, json_need need, int least, int most,
                          int *value, sat_error *error);
/* Any finite number, whole ones included. */
sat_status json_field_number(const json_t *object, const char *where, const char *key, json_need need, double *value,
                             sat_error *error);
sat_status json_field_boolean(const json_t *object, const char *where, const char *key, json_need need, bool *value,
                              sat_error *error);
/* Copies a text that fits `capacity` bytes with its final zero; a longer one is refused. */
sat_status json_field_text(const json_t *object, const char *where, const char *key, json_need need, char *value,
                           size_t capacity, sat_error *error);
/* Borrowed; lives as long as `object`. */
sat_status json_field_object(const json_t *object, const char *where, const char *key, json_need need,
                             const json_t **value, sat_error *error);
/* An array of least to most elements; borrowed. */
sat_status json_field_array(const json_t *object, const char *where, const char *key, json_need need, size_t least,
                            size_t most, const json_t **value, sat_error *error);
/* An array of exactly `count` numbers (whole numbers within [least, most] for the second). */
sat_status json_field_numbers(const json_t *object, const char *where, const char *key, json_need need, size_t count,
                              double *values, sat_error *error);
sat_status json_field_ints(const json_t *object, const char *where, const char *key, json_need need, size_t count,
                           int least, int most, int *values, sat_error *error);

/* ---------------------------------------------------------------- building */

/* Trees are built by Jansson's functions, whose results nobody checks field by field: these stand before those that can fail,
 * note for the calling thread that memory was short, and json_text gives NULL instead of a text with a field missing.
 * (So a tree is built and turned into text by one thread.) Texts that are not UTF-8, such as some file names, get a question
 * mark for each byte beyond ASCII. */
int json_put(json_t *object, const char *key, json_t *value);
int json_put_shared(json_t *object, const char *key, json_t *value);
int json_put_all(json_t *object, json_t *others);
int json_add(json_t *array, json_t *value);
json_t *json_words(const char *words);

#ifndef SAT_BASE_JSON_PLAIN
#define json_object_set_new(object, key, value) json_put(object, key, value)
#define json_object_set(object, key, value) json_put_shared(object, key, value)
#define json_object_update(object, others) json_put_all(object, others)
#define json_array_append_new(array, value) json_add(array, value)
#define json_string(words) json_words(words)
#endif

/* ---------------------------------------------------------------- writing */

typedef enum json_layout {
    JSON_ONE_LINE, /* for headers, JSON Lines                                     */
    JSON_PRETTY,   /* two spaces a level, arrays of plain values on one line, a final line feed */
} json_layout;
typedef enum json_order { JSON_AS_INSERTED, JSON_SORTED } json_order;

/* The text of `root`: UTF-8, numbers with the fewest digits that read back as the same double. Returns new
 * (free it) with its final zero, or NULL when memory is short or was short while the thread built trees. `length` may be
 * NULL, and so may `root`, which stands for one that could not be had. */
char *json_text(const json_t *root, json_layout layout, json_order order, size_t *length);
/* Writes it, pretty, whole or not at all. Fails with SAT_IO, SAT_NO_MEMORY. */
sat_status json_write(const char *path, const json_t *root, json_order order, sat_error *error);
/* A real with the fewest digits that read back as `value`; `words` gets it with its final zero. Finite values only. */
void json_number_text(double value, char words[32]);

#endif
