/* The progress line on the terminal. */
#ifndef SAT_CLI_TERMINAL_H
#define SAT_CLI_TERMINAL_H

#include "base/progress.h"

#include <stdbool.h>
#include <stdio.h>

/* What the listener remembers between calls; starts as {0}. */
typedef struct terminal {
    FILE *out;         /* borrowed: standard error */
    const char *stage; /* that the line now shows; NULL when the line is empty */
    const char *prefix; /* borrowed; before the stage, such as "case 3 of 20: "; NULL: nothing */
    double started_seconds;
} terminal;

/* A progress object that draws "windows  12 of 40, 30 %, 1 min 20 s left" into `t` if `wanted` and standard
 * error is a terminal, and draws nothing otherwise. `t` outlives the progress object. */
void terminal_watch(terminal *t, progress *p, bool wanted);
/* Wipes the line, so that results and errors start on an empty one. */
void terminal_clear(terminal *t);

/* "45 s", "1 min 20 s", "2 h 05 min". Returns `words`. */
const char *terminal_duration(double seconds, char words[32]);

#endif
