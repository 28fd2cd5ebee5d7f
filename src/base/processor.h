/* What this processor can do: the one place that asks. */
#ifndef SAT_BASE_PROCESSOR_H
#define SAT_BASE_PROCESSOR_H

/* Each level includes those before it. Kernels for a level live in a folder of its name
 * (plain code beside them in plain/, avx2/, avx512/, avx512_bf16/) and are compiled for it alone. */
typedef enum processor_level {
    PROCESSOR_PLAIN,       /* portable C                                           */
    PROCESSOR_AVX2,        /* AVX2, FMA, F16C                                      */
    PROCESSOR_AVX512,      /* AVX-512 F, BW, DQ, VL, CD                            */
    PROCESSOR_AVX512_BF16, /* and VNNI and BF16: vpdpwssd, vdpbf16ps, vcvtneps2bf16 */
} processor_level;

/* The best level of this machine, lowered by the environment variable SAT3D_PROCESSOR
 * (plain, avx2, avx512, avx512_bf16) so that every path can be tested on one machine.
 * Reads the environment on each call: ask once and keep the answer. Thread-safe. */
processor_level processor_best(void);

/* "plain", "avx2", ...; static storage. */
const char *processor_level_name(processor_level level);

/* How many threads this process can run at once: the processors it may use (taskset, a batch system), or fewer
 * where a control group (a container started with --cpus) grants less time. At least 1. Thread-safe. */
int processor_cores(void);

#endif
