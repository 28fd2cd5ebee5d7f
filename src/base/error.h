/* How functions fail inside the library: one object, one sentence, one exit.
 * The level that knows the file names it; no level prints or exits. */
#ifndef SAT_BASE_ERROR_H
#define SAT_BASE_ERROR_H

#include "sat3d.h"

/* Fills *error (may be NULL) and returns `code`, so that a failing line reads
 *     return sat_fail(error, SAT_BAD_INPUT, "the header promises ...");
 * The sentence says: which value, what is wrong, what would help. A file named by an earlier
 * sat_fail_in on the same object is forgotten. */
sat_status sat_fail(sat_error *error, sat_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Names the file, at the level that knows it; the first (innermost) name stays.
 * Returns `code`, so that a line reads  return sat_fail_in(error, path, status); */
sat_status sat_fail_in(sat_error *error, const char *path, sat_status code);

/* SAT_IO with the system's reason for `number` (an errno value): "cannot <what>: <reason>";
 * SAT_NO_MEMORY for a full disk or quota, because the remedy is room. */
sat_status sat_fail_system(sat_error *error, const char *path, const char *what, int number);

#endif
