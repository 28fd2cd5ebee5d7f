#define _POSIX_C_SOURCE 200809L /* sigaction */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

/* The handler's only way to the work; set before the handler is. */
static progress *watched;

static void stop(int signal)
{
    (void)signal;
    progress_cancel(watched);
}

void interrupt_cancels(progress *p)
{
    watched = p;
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
