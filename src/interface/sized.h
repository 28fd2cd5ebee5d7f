/* Structs that begin with their size and may grow at their end (docs/interface.md). */
#ifndef SAT_INTERFACE_SIZED_H
#define SAT_INTERFACE_SIZED_H

#include "base/error.h"

#include <stddef.h>

/* Takes over what the caller's struct has; what it lacks, because its program is older, keeps the value that `ours` has.
 * What it has beyond ours, because its program is newer, must be zero: nothing that we don't know was asked for.
 *
 * least  bytes that the first version had; `name` for the message
 *
 * Fails with SAT_BAD_ARGUMENT. */
sat_status sized_read(void *ours, size_t our_bytes, size_t least, const void *theirs, const char *name, sat_error *error);

/* Fills the caller's struct, as far as it goes, but for its size; what it has beyond ours becomes 0. Fails likewise. */
sat_status sized_write(void *theirs, const void *ours, size_t our_bytes, size_t least, const char *name, sat_error *error);

/* Fills it with defaults and sets its size to `their_bytes`. */
void sized_default(void *theirs, size_t their_bytes, const void *ours, size_t our_bytes);

#endif
