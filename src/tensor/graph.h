/* A network as data: a list of nodes, each an operation on earlier ones. Building never computes; a planner
 * (plan.h) turns a graph into steps for a backend, and graph_gradient will append the backward nodes.
 *
 * Values are feature maps [x][y][z][c] (rank 4, channels last; one sample: instance norm is per sample, so a
 * batch is a loop) or matrices [rows][width] (rank 2). Every value is inferred when its node is added.
 * Builder functions never fail one by one: a misuse (shapes that don't fit) or lack of memory marks the graph, and
 * graph_check tells. A value handed on after a failure is harmless. */
#ifndef SAT_TENSOR_GRAPH_H
#define SAT_TENSOR_GRAPH_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef int graph_value; /* a node's index */
enum { GRAPH_NONE = -1, GRAPH_INPUTS_MAX = 8, GRAPH_NAME_MAX = 96, GRAPH_RANK_MAX = 5 };

typedef enum graph_operation {
    GRAPH_INPUT,                    /* bound to memory by name before a run                                    */
    GRAPH_PARAMETER,                /* a checkpoint's tensor, by name                                          */
    GRAPH_SLICE_ROWS,               /* of a parameter: rows [first, first + rows)                              */
    GRAPH_CONVOLUTION3D,            /* map, weight (out, in, 3, 3, 3), bias; zero padding 1; stride            */
    GRAPH_TRANSPOSED_CONVOLUTION3D, /* map, weight (in, out, 2, 2, 2), bias; kernel and stride 2               */
    GRAPH_INSTANCE_NORM,            /* map, gain, bias; epsilon                                                */
    GRAPH_LEAKY_RELU,               /* map; slope                                                              */
    GRAPH_CONCATENATE,              /* maps of one grid, or matrices of one row count, along channels          */
    GRAPH_REPEAT_CHANNELS,          /* a one-channel map shown `count` times                                   */
    GRAPH_AVERAGE_POOL,             /* map -> matrix [cells][c]: mean of kernel^3 voxels, cells in x, y, z order */
    GRAPH_LINEAR,                   /* matrix, weight (out, in), bias                                          */
    GRAPH_GELU,                     /* exact, by erf                                                           */
    GRAPH_RELU,
    GRAPH_LAYER_NORM,               /* matrix, gain, bias; epsilon                                             */
    GRAPH_ADD,                      /* matrix + matrix                                                         */
    GRAPH_ATTENTION,                /* queries, keys, values (, bias); heads, groups                           */
    GRAPH_POOL_ROWS,                /* matrix [groups * n][width], weights [groups][n] -> [groups][width]      */
} graph_operation;
enum { GRAPH_OPERATIONS = GRAPH_POOL_ROWS + 1 };

typedef struct graph_shape {
    int rank;
    int64_t size[GRAPH_RANK_MAX];
} graph_shape;

typedef struct graph_node {
    graph_operation operation;
    int input_count;
    graph_value inputs[GRAPH_INPUTS_MAX];
    graph_shape shape;
    /* Attributes; each operation uses those that its line above names. */
    int stride, kernel, count, heads, groups, first;
    float epsilon, slope;
    char name[GRAPH_NAME_MAX]; /* of inputs and parameters; of others for reports, may be empty */
} graph_node;

typedef struct graph_named_output {
    char name[GRAPH_NAME_MAX];
    graph_value value;
} graph_named_output;

typedef struct graph {
    graph_node *nodes; /* owned */
    int node_count, node_room;
    graph_named_output *outputs; /* owned */
    int output_count, output_room;
    sat_status status; /* of the first failure */
    sat_error failure;
} graph;

void graph_begin(graph *g);
void graph_free(graph *g); /* safe on a zeroed graph and when called twice */
/* SAT_OK, or what the first failing builder said. */
sat_status graph_check(const graph *g, sat_error *error);

graph_value graph_input_map(graph *g, const char *name, const int shape_xyz[3], int channels);
graph_value graph_input_matrix(graph *g, const char *name, int64_t rows, int64_t width);
/* A bias of attention scores: [groups or 1][heads or 1][rows of a group][keys of a group], rank 4. */
graph_value graph_input_attention_bias(graph *g, const char *name, int groups, int heads, int rows, int keys);
/* The checkpoint's name, `suffix` appended when not NULL. */
graph_value graph_parameter(graph *g, const char *name, const char *suffix, int rank, const int64_t *size);
graph_value graph_slice_rows(graph *g, graph_value parameter, int first, int rows);

graph_value graph_convolution3d(graph *g, graph_value map, graph_value weight, graph_value bias, int stride);
graph_value graph_transposed_convolution3d(graph *g, graph_value map, graph_value weight, graph_value bias);
graph_value graph_instance_norm(graph *g, graph_value map, graph_value gain, graph_value bias, float epsilon);
graph_value graph_leaky_relu(graph *g, graph_value map, float slope);
graph_value graph_concatenate(graph *g, const graph_value *values, int count);
graph_value graph_repeat_channels(graph *g, graph_value map, int count);
graph_value graph_average_pool(graph *g, graph_value map, int kernel);
graph_value graph_linear(graph *g, graph_value matrix, graph_value weight, graph_value bias);
graph_value graph_gelu(graph *g, graph_value matrix);
graph_value graph_relu(graph *g, graph_value matrix);
graph_value graph_layer_norm(graph *g, graph_value matrix, graph_value gain, graph_value bias, float epsilon);
graph_value graph_add(graph *g, graph_value a, graph_value b);
/* Multi-head attention. The rows of queries and of keys (= values) are cut into `groups` equal runs; a run of queries sees
 * its run of keys only. Scores are divided by sqrt(width / heads); bias (or GRAPH_NONE) is added to them. */
graph_value graph_attention(graph *g, graph_value queries, graph_value keys, graph_value values, graph_value bias,
                            int heads, int groups);
graph_value graph_pool_rows(graph *g, graph_value matrix, graph_value weights);

/* Keeps `value` after a run, under `name`. */
void graph_output(graph *g, const char *name, graph_value value);

/* Product of the sizes. */
int64_t graph_elements(const graph_shape *shape);
/* "convolution3d", ...; static storage. */
const char *graph_operation_name(graph_operation operation);

#endif
