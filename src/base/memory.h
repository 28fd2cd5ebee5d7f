/* How much memory there is, how much is used, and how people write such amounts. */
#ifndef SAT_BASE_MEMORY_H
#define SAT_BASE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Reads "8G", "900M", "1.5GB", "512 MiB", "4096": a number and K, M, G, T (powers of 1000, as the program
 * prints them) or Ki, Mi, Gi, Ti (powers of 1024), either with B. False, and *bytes untouched, for
 * anything else, a negative amount, or 2^63 bytes and more. Thread-safe. */
bool memory_parse_bytes(const char *words, uint64_t *bytes);

/* "812 bytes", "3.42 MB", "12.0 GB": three digits, powers of 1000. Returns `words`. */
enum { MEMORY_TEXT = 24 };
const char *memory_print_bytes(uint64_t bytes, char words[MEMORY_TEXT]);

/* What this process may use at most: the machine's memory, or less where a control group (a container, a
 * batch system's job) limits it. 0 when the system does not tell. Thread-safe. */
uint64_t memory_physical_bytes(void);
/* What could be taken now without pushing anything out, within the same limits; 0 when not told. */
uint64_t memory_available_bytes(void);

/* What this process has in memory now, and had at most since it started; 0 when not told. Thread-safe. */
uint64_t memory_resident_bytes(void);
uint64_t memory_resident_peak_bytes(void);

/* Below the functions above, for tests: the value in bytes of a line "<key>:  1234 kB", as /proc has
 * them; 0 when missing. */
uint64_t memory_proc_field(const char *contents, const char *key);

#endif
