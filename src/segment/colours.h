/* A colour for every label, the same in every output of a run: label map, viewer files, preview, report.
 *
 * Own computation, no table: points spread over hue, lightness and chroma of OKLCH (B. Ottosson 2020) by the generalised
 * golden ratio. A name's own colour follows from its letters alone (FNV-1a), so "liver" looks alike in every run; only where
 * two names of one list would be hard to tell apart (with normal sight; in lists of up to 16 with red-blind and green-blind
 * sight, too) one of them takes another colour, in lists of up to 64 the most similar one that will do. The result depends on
 * the set of names, not on their order.
 * The words "left" and "right" don't count for the hue: a pair shares it, left lighter, right darker. */
#ifndef SAT_SEGMENT_COLOURS_H
#define SAT_SEGMENT_COLOURS_H

#include "base/error.h"

#include <stdint.h>

typedef struct colour {
    uint8_t red, green, blue; /* sRGB */
} colour;

/* colours[n] for names[n], n < count; names equal but for ASCII case and what stands between words get equal colours. Others
 * differ for up to COLOURS_DISTINCT names (by at least 0.02, see below, for up to 500); beyond that they repeat. Never grey, black or white: a scan shows through them.
 * Fails with SAT_NO_MEMORY. Thread-safe. */
enum { COLOURS_DISTINCT = 1024 };
sat_status colours_of_names(const char *const *names, int count, colour *colours, sat_error *error);

/* How different two colours look: Euclidean distance in OKLab (black to white is 1; 0.02 is just seen side by side). */
typedef enum colour_sight { COLOUR_SIGHT_NORMAL, COLOUR_SIGHT_RED_BLIND, COLOUR_SIGHT_GREEN_BLIND } colour_sight;
double colour_distance(colour a, colour b, colour_sight sight);

#endif
