#include "tensor/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const operation_names[GRAPH_OPERATIONS] = {
    [GRAPH_INPUT] = "input",
    [GRAPH_PARAMETER] = "parameter",
    [GRAPH_SLICE_ROWS] = "slice_rows",
    [GRAPH_CONVOLUTION3D] = "convolution3d",
    [GRAPH_TRANSPOSED_CONVOLUTION3D] = "transposed_convolution3d",
    [GRAPH_INSTANCE_NORM] = "instance_norm",
    [GRAPH_LEAKY_RELU] = "leaky_relu",
    [GRAPH_CONCATENATE] = "concatenate",
    [GRAPH_REPEAT_CHANNELS] = "repeat_channels",
    [GRAPH_AVERAGE_POOL] = "average_pool",
    [GRAPH_LINEAR] = "linear",
    [GRAPH_GELU] = "gelu",
    [GRAPH_RELU] = "relu",
    [GRAPH_LAYER_NORM] = "layer_norm",
    [GRAPH_ADD] = "add",
    [GRAPH_ATTENTION] = "attention",
    [GRAPH_POOL_ROWS] = "pool_rows",
};

const char *graph_operation_name(graph_operation operation) { return operation_names[operation]; }

int64_t graph_elements(const graph_shape *shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        count *= shape->size[i];
    return count;
}

void graph_begin(graph *g) { *g = (graph){0}; }

void graph_free(graph *g)
{
    free(g->nodes);
    free(g->outputs);
    *g = (graph){0};
}

sat_status graph_check(const graph *g, sat_error *error)
{
    if (g->status != SAT_OK && error) *error = g->failure;
    return g->status;
}

/* Marks the graph; only the first failure is kept, the others follow from it. */
static graph_value misuse(graph *g, graph_operation operation, const char *why)
{
    if (g->status == SAT_OK)
        g->status = sat_fail(&g->failure, SAT_BAD_INPUT, "the network can't be built: node %d, %s: %s", g->node_count,
                             operation_names[operation], why);
    return GRAPH_NONE;
}

static graph_value node_add(graph *g, const graph_node *node)
{
    if (g->status != SAT_OK) return GRAPH_NONE;
    if (g->node_count == g->node_room) {
        const int room = g->node_room ? 2 * g->node_room : 64;
        graph_node *grown = realloc(g->nodes, (size_t)room * sizeof *grown);
        if (!grown) {
            g->status = sat_fail(&g->failure, SAT_NO_MEMORY, "no memory for a network of %d nodes", room);
            return GRAPH_NONE;
        }
        g->nodes = grown;
        g->node_room = room;
    }
    g->nodes[g->node_count] = *node;
    return g->node_count++;
}

/* NULL for a value that an earlier failure left behind. */
static const graph_node *node_of(const graph *g, graph_value v)
{
    return v >= 0 && v < g->node_count ? &g->nodes[v] : NULL;
}

static bool is_map(const graph_node *n) { return n && n->shape.rank == 4; }
static bool is_matrix(const graph_node *n) { return n && n->shape.rank == 2; }
static bool is_vector(const graph_node *n, int64_t size) { return n && n->shape.rank == 1 && n->shape.size[0] == size; }

static graph_shape map_shape(int64_t x, int64_t y, int64_t z, int64_t c) { return (graph_shape){4, {x, y, z, c}}; }
static graph_shape matrix_shape(int64_t rows, int64_t width) { return (graph_shape){2, {rows, width}}; }

static graph_value named(graph *g, graph_operation operation, const char *name, const char *suffix, graph_shape shape)
{
    graph_node node = {.operation = operation, .shape = shape};
    for (int i = 0; i < shape.rank; i++)
        if (shape.size[i] < 1) return misuse(g, operation, "a size below 1");
    const int length = snprintf(node.name, sizeof node.name, "%s%s", name, suffix ? suffix : "");
    if (length < 0 || (size_t)length >= sizeof node.name) return misuse(g, operation, "the name is too long");
    return node_add(g, &node);
}

graph_value graph_input_map(graph *g, const char *name, const int shape_xyz[3], int channels)
{
    return named(g, GRAPH_INPUT, name, NULL, map_shape(shape_xyz[0], shape_xyz[1], shape_xyz[2], channels));
}

graph_value graph_input_matrix(graph *g, const char *name, int64_t rows, int64_t width)
{
    return named(g, GRAPH_INPUT, name, NULL, matrix_shape(rows, width));
}

graph_value graph_input_attention_bias(graph *g, const char *name, int groups, int heads, int rows, int keys)
{
    return named(g, GRAPH_INPUT, name, NULL, map_shape(groups, heads, rows, keys));
}

graph_value graph_parameter(graph *g, const char *name, const char *suffix, int rank, const int64_t *size)
{
    graph_shape shape = {.rank = rank};
    memcpy(shape.size, size, (size_t)rank * sizeof *size);
    return named(g, GRAPH_PARAMETER, name, suffix, shape);
}

graph_value graph_slice_rows(graph *g, graph_value parameter, int first, int rows)
{
    const graph_node *p = node_of(g, parameter);
    if (!p || p->operation != GRAPH_PARAMETER) return misuse(g, GRAPH_SLICE_ROWS, "only parameters can be sliced");
    if (first < 0 || rows < 1 || first + rows > p->shape.size[0]) return misuse(g, GRAPH_SLICE_ROWS, "rows out of range");
    graph_node node = {.operation = GRAPH_SLICE_ROWS, .input_count = 1, .inputs = {parameter}, .shape = p->shape, .first = first};
    node.shape.size[0] = rows;
    return node_add(g, &node);
}

graph_value graph_convolution3d(graph *g, graph_value map, graph_value weight, graph_value bias, int stride)
{
    const graph_node *m = node_of(g, map), *w = node_of(g, weight);
    if (!is_map(m) || !w || w->shape.rank != 5) return misuse(g, GRAPH_CONVOLUTION3D, "a map and a rank-5 weight are needed");
    const int64_t *s = m->shape.size, *k = w->shape.size;
    if (k[1] != s[3] || k[2] != 3 || k[3] != 3 || k[4] != 3 || !is_vector(node_of(g, bias), k[0]))
        return misuse(g, GRAPH_CONVOLUTION3D, "weight or bias don't fit the map");
    if (stride != 1 && stride != 2) return misuse(g, GRAPH_CONVOLUTION3D, "strides are 1 or 2");
    const graph_node node = {
        .operation = GRAPH_CONVOLUTION3D,
        .input_count = 3,
        .inputs = {map, weight, bias},
        .shape = map_shape((s[0] - 1) / stride + 1, (s[1] - 1) / stride + 1, (s[2] - 1) / stride + 1, k[0]),
        .stride = stride,
    };
    return node_add(g, &node);
}

graph_value graph_transposed_convolution3d(graph *g, graph_value map, graph_value weight, graph_value bias)
{
    const graph_node *m = node_of(g, map), *w = node_of(g, weight);
    if (!is_map(m) || !w || w->shape.rank != 5)
        return misuse(g, GRAPH_TRANSPOSED_CONVOLUTION3D, "a map and a rank-5 weight are needed");
    const int64_t *s = m->shape.size, *k = w->shape.size;
    if (k[0] != s[3] || k[2] != 2 || k[3] != 2 || k[4] != 2 || !is_vector(node_of(g, bias), k[1]))
        return misuse(g, GRAPH_TRANSPOSED_CONVOLUTION3D, "weight or bias don't fit the map");
    const graph_node node = {
        .operation = GRAPH_TRANSPOSED_CONVOLUTION3D,
        .input_count = 3,
        .inputs = {map, weight, bias},
        .shape = map_shape(2 * s[0], 2 * s[1], 2 * s[2], k[1]),
    };
    return node_add(g, &node);
}

graph_value graph_instance_norm(graph *g, graph_value map, graph_value gain, graph_value bias, float epsilon)
{
    const graph_node *m = node_of(g, map);
    if (!is_map(m) || !is_vector(node_of(g, gain), m->shape.size[3]) || !is_vector(node_of(g, bias), m->shape.size[3]))
        return misuse(g, GRAPH_INSTANCE_NORM, "gain or bias don't fit the map");
    const graph_node node = {
        .operation = GRAPH_INSTANCE_NORM, .input_count = 3, .inputs = {map, gain, bias}, .shape = m->shape, .epsilon = epsilon};
    return node_add(g, &node);
}

graph_value graph_leaky_relu(graph *g, graph_value map, float slope)
{
    const graph_node *m = node_of(g, map);
    if (!is_map(m)) return misuse(g, GRAPH_LEAKY_RELU, "a map is needed");
    const graph_node node = {.operation = GRAPH_LEAKY_RELU, .input_count = 1, .inputs = {map}, .shape = m->shape, .slope = slope};
    return node_add(g, &node);
}

graph_value graph_concatenate(graph *g, const graph_value *values, int count)
{
    graph_node node = {.operation = GRAPH_CONCATENATE, .input_count = count};
    if (count < 1 || count > GRAPH_INPUTS_MAX) return misuse(g, GRAPH_CONCATENATE, "too many or no inputs");
    for (int i = 0; i < count; i++) {
        const graph_node *n = node_of(g, values[i]);
        if (!is_map(n) && !is_matrix(n)) return misuse(g, GRAPH_CONCATENATE, "maps or matrices are needed");
        const int last = n->shape.rank - 1;
        if (i == 0) {
            node.shape = n->shape;
        } else {
            if (n->shape.rank != node.shape.rank || memcmp(n->shape.size, node.shape.size, (size_t)last * sizeof *n->shape.size) != 0)
                return misuse(g, GRAPH_CONCATENATE, "the inputs' grids differ");
            node.shape.size[last] += n->shape.size[last];
        }
        node.inputs[i] = values[i];
    }
    return node_add(g, &node);
}

graph_value graph_repeat_channels(graph *g, graph_value map, int count)
{
    const graph_node *m = node_of(g, map);
    if (!is_map(m) || m->shape.size[3] != 1 || count < 1) return misuse(g, GRAPH_REPEAT_CHANNELS, "a one-channel map is needed");
    graph_node node = {.operation = GRAPH_REPEAT_CHANNELS, .input_count = 1, .inputs = {map}, .shape = m->shape, .count = count};
    node.shape.size[3] = count;
    return node_add(g, &node);
}

graph_value graph_average_pool(graph *g, graph_value map, int kernel)
{
    const graph_node *m = node_of(g, map);
    if (!is_map(m) || kernel < 1) return misuse(g, GRAPH_AVERAGE_POOL, "a map and a kernel of at least 1 are needed");
    const int64_t *s = m->shape.size;
    if (s[0] % kernel || s[1] % kernel || s[2] % kernel) return misuse(g, GRAPH_AVERAGE_POOL, "the kernel doesn't divide the map");
    const graph_node node = {
        .operation = GRAPH_AVERAGE_POOL,
        .input_count = 1,
        .inputs = {map},
        .shape = matrix_shape(s[0] / kernel * (s[1] / kernel) * (s[2] / kernel), s[3]),
        .kernel = kernel,
    };
    return node_add(g, &node);
}

graph_value graph_linear(graph *g, graph_value matrix, graph_value weight, graph_value bias)
{
    const graph_node *m = node_of(g, matrix), *w = node_of(g, weight);
    if (!is_matrix(m) || !is_matrix(w) || w->shape.size[1] != m->shape.size[1] || !is_vector(node_of(g, bias), w->shape.size[0]))
        return misuse(g, GRAPH_LINEAR, "matrix, weight and bias don't fit");
    const graph_node node = {
        .operation = GRAPH_LINEAR,
        .input_count = 3,
        .inputs = {matrix, weight, bias},
        .shape = matrix_shape(m->shape.size[0], w->shape.size[0]),
    };
    return node_add(g, &node);
}

static graph_value elementwise(graph *g, graph_operation operation, graph_value matrix)
{
    const graph_node *m = node_of(g, matrix);
    if (!is_matrix(m)) return misuse(g, operation, "a matrix is needed");
    const graph_node node = {.operation = operation, .input_count = 1, .inputs = {matrix}, .shape = m->shape};
    return node_add(g, &node);
}

graph_value graph_gelu(graph *g, graph_value matrix) { return elementwise(g, GRAPH_GELU, matrix); }
graph_value graph_relu(graph *g, graph_value matrix) { return elementwise(g, GRAPH_RELU, matrix); }

graph_value graph_layer_norm(graph *g, graph_value matrix, graph_value gain, graph_value bias, float epsilon)
{
    const graph_node *m = node_of(g, matrix);
    if (!is_matrix(m) || !is_vector(node_of(g, gain), m->shape.size[1]) || !is_vector(node_of(g, bias), m->shape.size[1]))
        return misuse(g, GRAPH_LAYER_NORM, "gain or bias don't fit the matrix");
    const graph_node node = {
        .operation = GRAPH_LAYER_NORM, .input_count = 3, .inputs = {matrix, gain, bias}, .shape = m->shape, .epsilon = epsilon};
    return node_add(g, &node);
}

graph_value graph_add(graph *g, graph_value a, graph_value b)
{
    const graph_node *m = node_of(g, a), *n = node_of(g, b);
    if (!is_matrix(m) || !is_matrix(n) || memcmp(m->shape.size, n->shape.size, 2 * sizeof *m->shape.size) != 0)
        return misuse(g, GRAPH_ADD, "two matrices of one shape are needed");
    const graph_node node = {.operation = GRAPH_ADD, .input_count = 2, .inputs = {a, b}, .shape = m->shape};
    return node_add(g, &node);
}

graph_value graph_attention(graph *g, graph_value queries, graph_value keys, graph_value values, graph_value bias, int heads,
                            int groups)
{
    const graph_node *q = node_of(g, queries), *k = node_of(g, keys), *v = node_of(g, values), *b = node_of(g, bias);
    if (!is_matrix(q) || !is_matrix(k) || !is_matrix(v)) return misuse(g, GRAPH_ATTENTION, "three matrices are needed");
    const int64_t width = q->shape.size[1], rows = q->shape.size[0], tokens = k->shape.size[0];
    if (k->shape.size[1] != width || v->shape.size[1] != width || v->shape.size[0] != tokens)
        return misuse(g, GRAPH_ATTENTION, "queries, keys and values don't fit");
    if (heads < 1 || width % heads || groups < 1 || rows % groups || tokens % groups)
        return misuse(g, GRAPH_ATTENTION, "heads don't divide the width, or groups the rows");
    if (b && (b->shape.rank != 4 || (b->shape.size[0] != groups && b->shape.size[0] != 1) ||
              (b->shape.size[1] != heads && b->shape.size[1] != 1) || b->shape.size[2] != rows / groups ||
              b->shape.size[3] != tokens / groups))
        return misuse(g, GRAPH_ATTENTION, "the bias doesn't fit the scores");
    const graph_node node = {
        .operation = GRAPH_ATTENTION,
        .input_count = b ? 4 : 3,
        .inputs = {queries, keys, values, bias},
        .shape = q->shape,
        .heads = heads,
        .groups = groups,
    };
    return node_add(g, &node);
}

graph_value graph_pool_rows(graph *g, graph_value matrix, graph_value weights)
{
    const graph_node *m = node_of(g, matrix), *w = node_of(g, weights);
    if (!is_matrix(m) || !is_matrix(w) || w->shape.size[0] * w->shape.size[1] != m->shape.size[0])
        return misuse(g, GRAPH_POOL_ROWS, "one weight a row is needed");
    const graph_node node = {
        .operation = GRAPH_POOL_ROWS,
        .input_count = 2,
        .inputs = {matrix, weights},
        .shape = matrix_shape(w->shape.size[0], m->shape.size[1]),
        .groups = (int)w->shape.size[0],
    };
    return node_add(g, &node);
}

void graph_output(graph *g, const char *name, graph_value value)
{
    if (!node_of(g, value)) {
        misuse(g, GRAPH_INPUT, "an output without a value");
        return;
    }
    if (g->output_count == g->output_room) {
        const int room = g->output_room ? 2 * g->output_room : 16;
        graph_named_output *grown = realloc(g->outputs, (size_t)room * sizeof *grown);
        if (!grown) {
            g->status = sat_fail(&g->failure, SAT_NO_MEMORY, "no memory for a network of %d outputs", room);
            return;
        }
        g->outputs = grown;
        g->output_room = room;
    }
    graph_named_output *out = &g->outputs[g->output_count++];
    out->value = value;
    snprintf(out->name, sizeof out->name, "%s", name);
}
