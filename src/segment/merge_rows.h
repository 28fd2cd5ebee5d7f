/* The look through a window's probabilities for anything at all: what merging spends its time on, as nearly
 * all of them are nothing. */
#ifndef SAT_SEGMENT_MERGE_ROWS_H
#define SAT_SEGMENT_MERGE_ROWS_H

#include <stddef.h>

/* most[z] = the largest of 0 and p[y * pitch + z] for y in [0, rows), z in [0, count); not-a-number never is. */
typedef void merge_largest_of_rows(const float *p, size_t pitch, int rows, int count, float *most);

merge_largest_of_rows merge_largest_of_rows_plain;
#if defined(__x86_64__)
merge_largest_of_rows merge_largest_of_rows_avx2;
merge_largest_of_rows merge_largest_of_rows_avx512;
#endif
/* The fastest of this machine; all give the same. */
merge_largest_of_rows *merge_largest_of_rows_best(void);

#endif
