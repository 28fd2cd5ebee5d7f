#include "cpu/rows.h"

#include "cpu/levels.h"

static const row_kernels *const by_level[] = {
    [PROCESSOR_PLAIN] = &row_kernels_plain,
#if defined(__x86_64__)
    [PROCESSOR_AVX2] = &row_kernels_avx2,
    [PROCESSOR_AVX512] = &row_kernels_avx512,
#endif
};

row_kernels row_kernels_for(processor_level level)
{
    const size_t last = sizeof by_level / sizeof by_level[0] - 1;
    return *by_level[(size_t)level < last ? (size_t)level : last];
}
