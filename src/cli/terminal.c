#define _POSIX_C_SOURCE 200809L /* isatty, fileno */
#include "cli/terminal.h"
#include "base/clock.h"

#include <unistd.h>

const char *terminal_duration(double seconds, char words[32])
{
    const long long s = seconds < 1e9 ? (long long)(seconds + 0.5) : 1000000000;
    if (s < 60)
        snprintf(words, 32, "%lld s", s);
    else if (s < 3600)
        snprintf(words, 32, "%lld min %02lld s", s / 60, s % 60);
    else
        snprintf(words, 32, "%lld h %02lld min", s / 3600, s / 60 % 60);
    return words;
}

static void draw(const progress *p, const char *stage, uint64_t done, uint64_t total)
{
    terminal *t = p->context;
    const double now = clock_seconds();
    if (done == 0 || t->stage != stage) t->started_seconds = now;
    t->stage = stage;
    const double elapsed = now - t->started_seconds;
    char words[32];
    fprintf(t->out, "\r\033[K%s%s", t->prefix ? t->prefix : "", stage);
    if (total > 0)
        fprintf(t->out, "  %llu of %llu, %.0f %%", (unsigned long long)done, (unsigned long long)total,
                100.0 * (double)done / (double)total);
    /* A guess from the first moments would mislead. */
    if (total > 0 && done > 0 && done < total && elapsed > 1)
        fprintf(t->out, ", %s left", terminal_duration(elapsed / (double)done * (double)(total - done), words));
    fflush(t->out);
}

void terminal_watch(terminal *t, progress *p, bool wanted)
{
    *t = (terminal){.out = stderr};
    p->context = t;
    p->listener = wanted && isatty(fileno(stderr)) ? draw : NULL;
}

void terminal_clear(terminal *t)
{
    if (t->stage) fputs("\r\033[K", t->out);
    if (t->stage) fflush(t->out);
    t->stage = NULL;
}
