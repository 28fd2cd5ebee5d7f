#define _GNU_SOURCE /* sched_getaffinity */
#include "base/processor.h"

#include <sched.h>
#include <stdio.h>
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

/* "200000 100000" in cpu.max: two processors' time; "max 100000": no limit. Inside a container the root of the
 * mounted tree is the container's own group. */
static int granted(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "r");
    double time = 0, period = 0;
    const int read = file ? fscanf(file, "%lf %lf", &time, &period) : 0;
    if (file) fclose(file);
    if (read != 2 || !(time > 0) || !(period > 0) || time / period > 1e6) return 0;
    const int whole = (int)(time / period);
    return whole + (whole < time / period);
}

int processor_cores(void)
{
    cpu_set_t mask;
    const int allowed = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
    const int paid = granted();
    const int cores = paid > 0 && paid < allowed ? paid : allowed;
    return cores > 0 ? cores : 1;
}
