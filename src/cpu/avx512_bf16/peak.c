#include "cpu/peak.h"

#include <immintrin.h>

/* The instruction adds two products of bfloat16 pairs to each float32: 32 multiply-adds. */
float peak_avx512_bf16(long rounds)
{
    __m512 sum[16];
    const __m512bh one = (__m512bh)_mm512_set1_epi32(0x3f803f80);
    for (int i = 0; i < 16; i++)
        sum[i] = _mm512_setzero_ps();
    for (long r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], one, one);
    for (int i = 1; i < 16; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    return _mm512_cvtss_f32(sum[0]);
}
