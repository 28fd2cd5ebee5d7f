/* How far long work has come, and whether the user still wants it.
 *
 * Whoever starts the work makes one progress object and passes it down; workers report amounts and look
 * at the cancel flag. Nothing here prints: a listener may (src/cli/terminal.c draws a line with the time
 * left, if standard error is a terminal). A NULL progress is allowed everywhere and means: nobody watches. */
#ifndef SAT_BASE_PROGRESS_H
#define SAT_BASE_PROGRESS_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct progress progress;

/* Hears of a stage's start (done 0), of amounts (at most ten times a second, from whichever worker comes
 * by, never two at once) and of its end. `done` never exceeds `total`; total 0 means not known. */
typedef void progress_listener(const progress *p, const char *stage, uint64_t done, uint64_t total);

struct progress {
    atomic_bool cancelled;       /* set by anyone, signal handlers included */
    progress_listener *listener; /* may be NULL */
    void *context;               /* the listener's */
    bool (*wants_stop)(const progress *p); /* may be NULL; progress_cancelled asks it, from whichever worker comes by, at times
                                              several at once: for those who are asked rather than told (src/interface/turn.c) */
    const char *stage;           /* borrowed, static text such as "windows"; NULL between stages */
    uint64_t total;
    atomic_uint_fast64_t done;
    atomic_uint_fast64_t next_report_ms; /* on clock_seconds */
};

/* A stage of `total` units (windows, slices, bytes) begins; the one before it, if still open, ends.
 * Called by one thread, outside parallel regions. */
void progress_begin(progress *p, const char *stage, uint64_t total);
/* `amount` more units are done. Thread-safe, wait-free but for the listener's own work. */
void progress_add(progress *p, uint64_t amount);
/* The stage is done. As progress_begin. */
void progress_end(progress *p);

/* Asks the work to stop; it does at the next window, slice or file. Thread-safe, signal-safe. */
void progress_cancel(progress *p);
/* Workers ask this once per unit of work. Thread-safe. */
bool progress_cancelled(const progress *p);
/* The same at the end of a stage: SAT_CANCELLED with "interrupted", or SAT_OK. */
sat_status progress_check(const progress *p, sat_error *error);

#endif
