#include "segment/merge_rows.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Four vectors stay in registers while the rows pass. max returns its second operand where one is not a number. */
void merge_largest_of_rows_avx2(const float *p, size_t pitch, int rows, int count, float *most)
{
    int z = 0;
    for (; z + 32 <= count; z += 32) {
        __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
        const float *at = p + z;
        for (int y = 0; y < rows; y++, at += pitch) {
            a = _mm256_max_ps(_mm256_loadu_ps(at), a);
            b = _mm256_max_ps(_mm256_loadu_ps(at + 8), b);
            c = _mm256_max_ps(_mm256_loadu_ps(at + 16), c);
            d = _mm256_max_ps(_mm256_loadu_ps(at + 24), d);
        }
        _mm256_storeu_ps(most + z, a);
        _mm256_storeu_ps(most + z + 8, b);
        _mm256_storeu_ps(most + z + 16, c);
        _mm256_storeu_ps(most + z + 24, d);
    }
    if (z < count) merge_largest_of_rows_plain(p + z, pitch, rows, count - z, most + z);
}
#endif
