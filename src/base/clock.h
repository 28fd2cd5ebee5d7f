/* Time as a stopwatch shows it. */
#ifndef SAT_BASE_CLOCK_H
#define SAT_BASE_CLOCK_H

/* Seconds since some fixed moment, never going back. Thread-safe. */
double clock_seconds(void);

#endif
