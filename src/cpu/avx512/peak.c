#include "cpu/peak.h"

#include <immintrin.h>

float peak_avx512(long rounds)
{
    __m512 sum[16];
    const __m512 half = _mm512_set1_ps(0.5f), one = _mm512_set1_ps(1.0f);
    for (int i = 0; i < 16; i++)
        sum[i] = _mm512_setzero_ps();
    for (long r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            sum[i] = _mm512_fmadd_ps(sum[i], half, one);
    for (int i = 1; i < 16; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    return _mm512_cvtss_f32(sum[0]);
}
