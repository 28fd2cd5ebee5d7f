#include "cpu/peak.h"

#include "base/clock.h"
#include "base/processor.h"

/* Operations of one round of each loop. */
static const struct {
    peak_loop *loop;
    double operations;
} loops[] = {
    [PROCESSOR_PLAIN] = {peak_plain, 8 * 2},
#if defined(__x86_64__)
    [PROCESSOR_AVX2] = {peak_avx2, 12 * 8 * 2},
    [PROCESSOR_AVX512] = {peak_avx512, 16 * 16 * 2},
    [PROCESSOR_AVX512_BF16] = {peak_avx512_bf16, 16 * 32 * 2},
#endif
};

/* Eight chains, so that one multiply-add needs not wait for another. */
float peak_plain(long rounds)
{
    float sum[8] = {0};
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < 8; i++)
            sum[i] = sum[i] * 0.5f + 1.0f;
    return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

double peak_flops(element_type type, int threads)
{
    processor_level level = processor_best();
    if (type == ELEMENT_FLOAT32 && level == PROCESSOR_AVX512_BF16) level = PROCESSOR_AVX512;
    enum { TRIES = 5 };
    const long rounds = 1000000;
    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        float sum = 0;
        const double begin = clock_seconds();
#pragma omp parallel for num_threads(threads) reduction(+ : sum)
        for (int t = 0; t < threads; t++)
            sum += loops[level].loop(rounds);
        const double rate = loops[level].operations * (double)rounds * threads / (clock_seconds() - begin);
        if (rate > best && sum != 0) best = rate;
    }
    return best;
}
