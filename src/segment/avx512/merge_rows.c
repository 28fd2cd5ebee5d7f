#include "segment/merge_rows.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* As in avx2/, with masks for the rest of a row. */
void merge_largest_of_rows_avx512(const float *p, size_t pitch, int rows, int count, float *most)
{
    int z = 0;
    for (; z + 48 <= count; z += 48) { /* half a row of the usual windows */
        __m512 a = _mm512_setzero_ps(), b = a, c = a;
        const float *at = p + z;
        for (int y = 0; y < rows; y++, at += pitch) {
            a = _mm512_max_ps(_mm512_loadu_ps(at), a);
            b = _mm512_max_ps(_mm512_loadu_ps(at + 16), b);
            c = _mm512_max_ps(_mm512_loadu_ps(at + 32), c);
        }
        _mm512_storeu_ps(most + z, a);
        _mm512_storeu_ps(most + z + 16, b);
        _mm512_storeu_ps(most + z + 32, c);
    }
    for (; z < count; z += 16) {
        const __mmask16 inside = count - z < 16 ? (__mmask16)((1u << (count - z)) - 1) : (__mmask16)0xffff;
        __m512 a = _mm512_setzero_ps();
        const float *at = p + z;
        for (int y = 0; y < rows; y++, at += pitch)
            a = _mm512_max_ps(_mm512_maskz_loadu_ps(inside, at), a);
        _mm512_mask_storeu_ps(most + z, inside, a);
    }
}
#endif
