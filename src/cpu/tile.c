#include "cpu/tile.h"

#include "cpu/levels.h"

static const tile_kernels *const by_level[] = {
    [PROCESSOR_PLAIN] = &tile_kernels_plain,
#if defined(__x86_64__)
    [PROCESSOR_AVX2] = &tile_kernels_avx2,
    [PROCESSOR_AVX512] = &tile_kernels_avx512,
    [PROCESSOR_AVX512_BF16] = &tile_kernels_avx512_bf16,
#endif
};

tile_kernels tile_kernels_for(processor_level level)
{
    const size_t last = sizeof by_level / sizeof by_level[0] - 1;
    return *by_level[(size_t)level < last ? (size_t)level : last];
}
