/* Ctrl-C and termination. */
#ifndef SAT_CLI_INTERRUPT_H
#define SAT_CLI_INTERRUPT_H

#include "base/progress.h"

/* From now on the first SIGINT or SIGTERM cancels `p` (borrowed until the program ends), so that the work stops
 * where nothing is half-written; the second ends the program at once, as the system does it. A signal that was ignored when the program
 * started (a shell does that for jobs in the background) stays ignored. */
void interrupt_cancels(progress *p);

#endif
