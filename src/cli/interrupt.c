#define _XOPEN_SOURCE 700 /* sigaction, SIGXFSZ */
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
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow further is a failing write, with a message, like a full disk */
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction before;
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN) continue; /* as in "sat3d ... &" */
        sigaction(signals[i], &action, NULL);
    }
}
