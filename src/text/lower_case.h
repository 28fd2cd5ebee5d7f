/* Lower case as the release makes it before a prompt is encoded: the full rules of Unicode (Python's str.lower). */
#ifndef SAT_TEXT_LOWER_CASE_H
#define SAT_TEXT_LOWER_CASE_H

#include "base/error.h"

#include <stddef.h>

/* Lower-cases `bytes` bytes of UTF-8. Two rules go beyond one character for one: a capital sigma that ends a word
 * becomes the final sigma, and I with dot becomes i and a combining dot. Invalid bytes become U+FFFD.
 *
 * lower  out; new, with a final zero; the caller frees it; NULL on failure
 * length out; bytes without the final zero; may be NULL
 *
 * Fails with SAT_NO_MEMORY. Thread-safe. Source: the Unicode standard, section 3.13 and SpecialCasing.txt. */
sat_status lower_case(const char *text, size_t bytes, char **lower, size_t *length, sat_error *error);

#endif
