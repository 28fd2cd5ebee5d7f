#include "cpu/backend.h"

#include "base/processor.h"
#include "cpu/backend_maps.h"

static element_type cpu_supported_type(element_type wanted)
{
    return wanted == ELEMENT_BFLOAT16 && processor_best() >= PROCESSOR_AVX512_BF16 ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32;
}

/* What is missing is always fused: norms and activations into loads, repeats and concatenations into sources. */
static const backend table = {
    .name = "CPU",
    .supported_type = cpu_supported_type,
    .operations =
        {
            [GRAPH_CONVOLUTION3D] = &cpu_convolution3d,
            [GRAPH_TRANSPOSED_CONVOLUTION3D] = &cpu_transposed_convolution3d,
            [GRAPH_AVERAGE_POOL] = &cpu_average_pool,
            [GRAPH_LINEAR] = &cpu_linear,
            [GRAPH_LAYER_NORM] = &cpu_layer_norm,
            [GRAPH_ADD] = &cpu_add,
            [GRAPH_ATTENTION] = &cpu_attention,
            [GRAPH_POOL_ROWS] = &cpu_pool_rows,
        },
};

const backend *cpu_backend(void) { return &table; }
