/* The CPU as a backend of plans (tensor/plan.h): a table of operations over the kernels of this folder. */
#ifndef SAT_CPU_BACKEND_H
#define SAT_CPU_BACKEND_H

#include "tensor/plan.h"

/* Static storage. bfloat16 is supported where the processor has instructions for it (AVX-512 BF16); elsewhere plans fall
 * back to float32: compare plan->type with what was asked for. */
const backend *cpu_backend(void);

#endif
