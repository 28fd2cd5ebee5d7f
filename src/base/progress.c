#include "base/progress.h"
#include "base/clock.h"

#include <stddef.h>

enum { REPORT_EVERY_MS = 100 };

static uint64_t now_ms(void) { return (uint64_t)(clock_seconds() * 1e3); }

static void tell(progress *p)
{
    const uint64_t done = atomic_load(&p->done);
    if (p->listener) p->listener(p, p->stage, p->total && done > p->total ? p->total : done, p->total);
}

void progress_begin(progress *p, const char *stage, uint64_t total)
{
    if (!p) return;
    progress_end(p);
    p->stage = stage;
    p->total = total;
    atomic_store(&p->done, 0);
    tell(p);
    atomic_store(&p->next_report_ms, now_ms() + REPORT_EVERY_MS);
}

void progress_add(progress *p, uint64_t amount)
{
    if (!p) return;
    atomic_fetch_add(&p->done, amount);
    if (!p->listener) return;
    /* Whoever moves the next report's time to "never" reports, alone, and sets it again afterwards. */
    uint_fast64_t due = atomic_load(&p->next_report_ms);
    if (now_ms() < due || !atomic_compare_exchange_strong(&p->next_report_ms, &due, UINT_FAST64_MAX)) return;
    tell(p);
    atomic_store(&p->next_report_ms, now_ms() + REPORT_EVERY_MS);
}

void progress_end(progress *p)
{
    if (!p || !p->stage) return;
    if (!progress_cancelled(p) && p->total) atomic_store(&p->done, p->total);
    tell(p);
    p->stage = NULL;
}

void progress_cancel(progress *p)
{
    if (p) atomic_store(&p->cancelled, true);
}

bool progress_cancelled(const progress *p)
{
    return p && (atomic_load(&p->cancelled) || (p->wants_stop && p->wants_stop(p)));
}

sat_status progress_check(const progress *p, sat_error *error)
{
    return progress_cancelled(p) ? sat_fail(error, SAT_CANCELLED, "interrupted; nothing half-done was left behind")
                                 : SAT_OK;
}
