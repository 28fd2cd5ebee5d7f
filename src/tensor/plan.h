/* From a graph to steps and one arena: what is fused, in which order, in which memory.
 *
 * Fusion: instance norm and LeakyReLU become a rule (scale, shift, slope per channel) that the next operation applies
 * when it loads; their statistics are written by the convolution that produces the values; a concatenation of maps is two
 * sources of the next convolution, one of matrices is columns of one matrix; activation and residual join a linear layer;
 * three equal input channels are one channel and summed weights. Offsets are assigned by lifetime: the peak is known
 * before anything is allocated. */
#ifndef SAT_TENSOR_PLAN_H
#define SAT_TENSOR_PLAN_H

#include "base/error.h"
#include "base/progress.h"
#include "tensor/element.h"
#include "tensor/graph.h"
#include "tensor/weights.h"

#include <stddef.h>

enum { PLAN_SOURCES_MAX = 4, PLAN_PARAMETERS_MAX = 4, PLAN_NONE = -1 };

/* A region of memory with a lifetime in steps. */
typedef struct plan_buffer {
    size_t bytes, offset;      /* in the arena                                                   */
    element_type type;
    graph_shape shape;
    int first_step, last_step; /* inclusive; outputs live to the end                             */
    void *external;            /* of inputs: bound by the caller                                 */
    bool is_input;
} plan_buffer;

/* How a step reads a value: a buffer, through a rule when `coefficients` names a buffer of scale[c] then shift[c]. */
typedef struct plan_view {
    int buffer, coefficients;
    float slope;
    int repeat; /* a one-channel map standing for this many equal channels; else 1 */
} plan_view;

/* Rows of a checkpoint's tensor. */
typedef struct plan_parameter {
    graph_value node; /* a GRAPH_PARAMETER; PLAN_NONE: none */
    int64_t first, rows;
    int weight;       /* index in the weight store, set by the backend's prepare */
} plan_parameter;

typedef enum plan_activation { PLAN_LINEAR, PLAN_GELU, PLAN_RELU } plan_activation;

typedef struct plan_step {
    graph_value node;                 /* the operation: its attributes and shapes              */
    int source_count, parameter_count;
    plan_view sources[PLAN_SOURCES_MAX];
    plan_parameter parameters[PLAN_PARAMETERS_MAX]; /* weight or gain, then bias               */
    int out;                          /* buffer                                                */
    int out_column;                   /* first column of a matrix that several steps fill      */
    /* Fused into a linear layer: */
    plan_activation activation;
    int residual;                     /* buffer, or PLAN_NONE                                  */
    /* Fused into a convolution: the instance norm that follows. */
    graph_value norm;                 /* node, or PLAN_NONE                                    */
    plan_parameter norm_gain, norm_bias;
    int coefficients;                 /* buffer written after the convolution, or PLAN_NONE    */
    /* Set by the backend's prepare: */
    void *kernel;                     /* owned by the backend                                  */
    size_t scratch_bytes;
    double operations;                /* 2 * multiply-accumulates, for reports                 */
    char detail[96];                  /* which kernel, which tile, for reports                 */
    /* Measured by plan_run: */
    double seconds;                   /* of the last run                                       */
} plan_step;

typedef struct backend backend;

typedef struct plan {
    const graph *network;   /* borrowed */
    const backend *target;  /* borrowed */
    weight_store *weights;  /* borrowed */
    element_type type;      /* of feature maps and of products' operands; matrices are float32 */
    int threads;
    plan_step *steps;       /* owned */
    int step_count, step_room;
    plan_buffer *buffers;   /* owned */
    int buffer_count, buffer_room;
    plan_view *views;       /* owned; of each node: how it is read */
    size_t activation_bytes, scratch_bytes;
    unsigned char *memory;  /* of plan_attach; borrowed */
} plan;

/* What a backend does for one operation. */
typedef struct backend_operation {
    /* Chooses a kernel for the step and fills its last block of fields; registers its weights in plan->weights. */
    sat_status (*prepare)(const plan *p, plan_step *step, sat_error *error);
    /* Runs it. `scratch`: step->scratch_bytes, 64-byte aligned. */
    sat_status (*run)(const plan *p, const plan_step *step, void *scratch, sat_error *error);
    void (*free_kernel)(void *kernel); /* NULL: nothing to free */
} backend_operation;

struct backend {
    const char *name;
    /* The type that this machine computes in when `wanted` is asked for (bfloat16 falls back to float32). */
    element_type (*supported_type)(element_type wanted);
    const backend_operation *operations[GRAPH_OPERATIONS]; /* NULL for those that are always fused */
};

/* Plans `network` for `target`. The graph, backend and store must outlive the plan. Nothing big is allocated: plan_bytes and
 * weight_store_bytes say what a run will take. Fails with SAT_BAD_INPUT for what the backend can't do, SAT_NO_MEMORY. */
sat_status plan_build(const graph *network, const backend *target, weight_store *weights, element_type type, int threads,
                      plan **made, sat_error *error);
void plan_free(plan *p); /* NULL does nothing */

/* Bytes of working memory (activations by lifetime, and scratch) that plan_attach wants. */
size_t plan_bytes(const plan *p);
/* Lends working memory, 64-byte aligned, for all following runs; contents need not be kept between runs. */
void plan_attach(plan *p, void *memory);
/* Binds an input by name; float32. The memory must stay until the run ends. Aborts for an unknown name. */
void plan_bind(plan *p, const char *input, const void *data);
/* Runs all steps. The store must be loaded. Between steps `watch` (may be NULL) is asked whether to stop: SAT_CANCELLED. */
sat_status plan_run(plan *p, const progress *watch, sat_error *error);

/* An output after a run: memory, and the rule to read it by (scale NULL: none). Valid until the next run. */
typedef struct plan_value {
    const void *data;
    element_type type;
    graph_shape shape;
    const float *scale, *shift;
    float slope;
} plan_value;
/* Aborts for an unknown name. */
plan_value plan_output(const plan *p, const char *name);

/* For backends: where a buffer, a view's coefficients, a parameter's data are. */
void *plan_buffer_data(const plan *p, int buffer);
const float *plan_parameter_data(const plan *p, const plan_parameter *parameter);
/* Registers a parameter in the store as plain elements of `type`; or packed, when `pack` is not NULL. */
sat_status plan_want_plain(const plan *p, plan_parameter *parameter, element_type type, sat_error *error);
sat_status plan_want_packed(const plan *p, plan_parameter *parameter, const char *form, size_t packed_bytes, weight_pack *pack,
                            const void *kernel, sat_error *error);

#endif
