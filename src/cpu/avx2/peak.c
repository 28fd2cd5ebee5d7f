#include "cpu/peak.h"

#include <immintrin.h>

/* Twelve chains: two units of four cycles each would do with eight. */
float peak_avx2(long rounds)
{
    __m256 sum[12];
    const __m256 half = _mm256_set1_ps(0.5f), one = _mm256_set1_ps(1.0f);
    for (int i = 0; i < 12; i++)
        sum[i] = _mm256_setzero_ps();
    for (long r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            sum[i] = _mm256_fmadd_ps(sum[i], half, one);
    for (int i = 1; i < 12; i++)
        sum[0] = _mm256_add_ps(sum[0], sum[i]);
    return _mm256_cvtss_f32(sum[0]);
}
