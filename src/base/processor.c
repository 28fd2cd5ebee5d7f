#include "base/processor.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"plain", "avx2", "avx512", "avx512_bf16"};

static processor_level processor_found(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return PROCESSOR_PLAIN;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512cd"))
        return PROCESSOR_AVX2;
    if (!__builtin_cpu_supports("avx512vnni") || !__builtin_cpu_supports("avx512bf16")) return PROCESSOR_AVX512;
    return PROCESSOR_AVX512_BF16;
#else
    return PROCESSOR_PLAIN;
#endif
}

processor_level processor_best(void)
{
    const processor_level found = processor_found();
    const char *wanted = getenv("SAT3D_PROCESSOR");
    for (processor_level level = PROCESSOR_PLAIN; wanted && level < found; level++)
        if (strcmp(wanted, names[level]) == 0) return level;
    return found;
}

const char *processor_level_name(processor_level level) { return names[level]; }
