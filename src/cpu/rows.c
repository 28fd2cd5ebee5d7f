#include "cpu/rows.h"

#include "cpu/levels.h"

static const row_kernels *const by_level[] = {
    [PROCESSOR_PLAIN] = &row_kernels_plain,
};

row_kernels row_kernels_for(processor_level level)
{
    const size_t last = sizeof by_level / sizeof by_level[0] - 1;
    return *by_level[(size_t)level < last ? (size_t)level : last];
}
