/* Left and right in the names of structures. */
#ifndef SAT_SEGMENT_CHECK_SIDE_H
#define SAT_SEGMENT_CHECK_SIDE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum check_side { SIDE_NONE, SIDE_LEFT, SIDE_RIGHT } check_side;

/* The side that a name states: it has the word "left" or "right" in any case, and not both. Words end at anything but a
 * letter: "Left Kidney", "kidney_left". Thread-safe. */
check_side check_side_of_name(const char *name);

/* Whether both names are the same but for the side. */
bool check_side_same_but_side(const char *a, const char *b);

/* Whether left and right in this name may be the organ's own, not the body's: chambers of the heart, lobes and vessels of the
 * liver, coronary arteries. A "right ventricle" lies left of the midline in most people. Such names are compared with their
 * other half only. */
bool check_side_of_organ(const char *name);

#endif
