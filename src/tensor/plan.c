#include "tensor/plan.h"
#include "tensor/plan_memory.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

/* Work in progress: how often each node is used, and where its value went. */
typedef struct planner {
    plan *p;
    int *users;       /* per node: consumers that are needed, and outputs  */
    bool *needed;     /* per node: an output depends on it                 */
    int *step_of;     /* per node: the step that computes it, or PLAN_NONE */
    bool *is_output;
    sat_error *error;
} planner;

static const graph_node *node_at(const planner *w, graph_value v) { return &w->p->network->nodes[v]; }

static sat_status cannot(const planner *w, graph_value v, const char *why)
{
    const graph_node *n = node_at(w, v);
    return sat_fail(w->error, SAT_BAD_INPUT, "the network can't be planned: node %d, %s %s: %s", v,
                    graph_operation_name(n->operation), n->name, why);
}

/* ---------------------------------------------------------------- growing lists */

static sat_status buffer_add(planner *w, graph_shape shape, element_type type, int *index)
{
    plan *p = w->p;
    if (p->buffer_count == p->buffer_room) {
        const int room = p->buffer_room ? 2 * p->buffer_room : 64;
        plan_buffer *grown = realloc(p->buffers, (size_t)room * sizeof *grown);
        if (!grown) return sat_fail(w->error, SAT_NO_MEMORY, "no memory for the plan");
        p->buffers = grown;
        p->buffer_room = room;
    }
    *index = p->buffer_count++;
    p->buffers[*index] = (plan_buffer){.bytes = (size_t)graph_elements(&shape) * element_bytes(type),
                                       .type = type, .shape = shape, .first_step = p->step_count, .last_step = p->step_count};
    return SAT_OK;
}

static sat_status step_add(planner *w, graph_value v, plan_step **step)
{
    plan *p = w->p;
    if (p->step_count == p->step_room) {
        const int room = p->step_room ? 2 * p->step_room : 64;
        plan_step *grown = realloc(p->steps, (size_t)room * sizeof *grown);
        if (!grown) return sat_fail(w->error, SAT_NO_MEMORY, "no memory for the plan");
        p->steps = grown;
        p->step_room = room;
    }
    w->step_of[v] = p->step_count;
    *step = &p->steps[p->step_count++];
    **step = (plan_step){.node = v, .out = PLAN_NONE, .residual = PLAN_NONE, .norm = PLAN_NONE, .coefficients = PLAN_NONE,
                         .norm_gain.node = PLAN_NONE, .norm_bias.node = PLAN_NONE};
    return SAT_OK;
}

/* ---------------------------------------------------------------- pieces of a step */

static plan_view whole(int buffer) { return (plan_view){buffer, PLAN_NONE, 1.0f, 1}; }

static plan_parameter parameter_of(const planner *w, graph_value v)
{
    const graph_node *n = node_at(w, v);
    if (n->operation == GRAPH_SLICE_ROWS) return (plan_parameter){n->inputs[0], n->first, n->shape.size[0], PLAN_NONE};
    return (plan_parameter){v, 0, n->shape.size[0], PLAN_NONE};
}

static bool is_parameter(const planner *w, graph_value v)
{
    const graph_operation o = node_at(w, v)->operation;
    return o == GRAPH_PARAMETER || o == GRAPH_SLICE_ROWS;
}

/* Sources are what is computed, parameters what a checkpoint holds. A concatenation of maps is several sources. */
static sat_status step_connect(planner *w, plan_step *s)
{
    const graph_node *n = node_at(w, s->node);
    for (int i = 0; i < n->input_count; i++) {
        const graph_value v = n->inputs[i];
        if (is_parameter(w, v)) {
            if (s->parameter_count == PLAN_PARAMETERS_MAX) return cannot(w, s->node, "too many parameters");
            s->parameters[s->parameter_count++] = parameter_of(w, v);
            continue;
        }
        const graph_node *from = node_at(w, v);
        const bool several = from->operation == GRAPH_CONCATENATE && from->shape.rank == 4;
        for (int k = 0; k < (several ? from->input_count : 1); k++) {
            const plan_view view = w->p->views[several ? from->inputs[k] : v];
            if (view.buffer == PLAN_NONE) return cannot(w, s->node, "an input that is not a value");
            if (s->source_count == PLAN_SOURCES_MAX) return cannot(w, s->node, "too many inputs");
            s->sources[s->source_count++] = view;
        }
    }
    return SAT_OK;
}

/* The one consumer of `v` if it is of this operation and nothing else wants the value; else PLAN_NONE. */
static graph_value only_consumer(const planner *w, graph_value v, graph_operation operation)
{
    if (w->users[v] != 1 || w->is_output[v]) return PLAN_NONE;
    for (graph_value c = v + 1; c < w->p->network->node_count; c++)
        for (int i = 0; w->needed[c] && i < node_at(w, c)->input_count; i++)
            if (node_at(w, c)->inputs[i] == v) return node_at(w, c)->operation == operation ? c : PLAN_NONE;
    return PLAN_NONE;
}

/* ---------------------------------------------------------------- one node at a time */

/* An instance norm anywhere among a convolution's consumers is computed by the convolution's step. */
static graph_value norm_of(const planner *w, graph_value convolution)
{
    for (graph_value c = convolution + 1; c < w->p->network->node_count; c++)
        if (w->needed[c] && node_at(w, c)->operation == GRAPH_INSTANCE_NORM && node_at(w, c)->inputs[0] == convolution) return c;
    return PLAN_NONE;
}

static sat_status plan_convolution(planner *w, graph_value v)
{
    plan_step *s = NULL;
    sat_status status = step_add(w, v, &s);
    if (status == SAT_OK) status = step_connect(w, s);
    const int at = w->p->step_count - 1;
    int out = PLAN_NONE, coefficients = PLAN_NONE;
    if (status == SAT_OK) status = buffer_add(w, node_at(w, v)->shape, w->p->type, &out);
    const graph_value norm = node_at(w, v)->operation == GRAPH_CONVOLUTION3D ? norm_of(w, v) : PLAN_NONE;
    if (status == SAT_OK && norm != PLAN_NONE) {
        const graph_shape pair = {2, {2, node_at(w, v)->shape.size[3]}};
        status = buffer_add(w, pair, ELEMENT_FLOAT32, &coefficients);
    }
    if (status != SAT_OK) return status;
    s = &w->p->steps[at];
    s->out = out;
    s->norm = norm;
    s->coefficients = coefficients;
    w->p->buffers[out].first_step = at;
    if (norm != PLAN_NONE) {
        w->p->buffers[coefficients].first_step = at;
        s->norm_gain = parameter_of(w, node_at(w, norm)->inputs[1]);
        s->norm_bias = parameter_of(w, node_at(w, norm)->inputs[2]);
        w->p->views[norm] = (plan_view){out, coefficients, 1.0f, 1};
    }
    w->p->views[v] = whole(out);
    return SAT_OK;
}

/* A step that writes a matrix. `fused`: the last node of a chain whose value the step gives. */
static sat_status plan_matrix_step(planner *w, graph_value v, graph_value fused, plan_activation activation, graph_value residual)
{
    plan_step *s = NULL;
    sat_status status = step_add(w, v, &s);
    if (status == SAT_OK) status = step_connect(w, s);
    if (status != SAT_OK) return status;
    const int at = w->p->step_count - 1;
    int out = PLAN_NONE, column = 0;
    /* Pooled maps that are concatenated write their columns of one matrix. */
    const graph_value joined = node_at(w, v)->operation == GRAPH_AVERAGE_POOL ? only_consumer(w, v, GRAPH_CONCATENATE) : PLAN_NONE;
    if (joined != PLAN_NONE) {
        const graph_node *c = node_at(w, joined);
        for (int i = 0; c->inputs[i] != v; i++)
            column += (int)node_at(w, c->inputs[i])->shape.size[1];
        out = w->p->views[joined].buffer;
        fused = joined;
    }
    if (out == PLAN_NONE) status = buffer_add(w, node_at(w, fused)->shape, ELEMENT_FLOAT32, &out);
    if (status != SAT_OK) return status;
    s = &w->p->steps[at];
    s->out = out;
    s->out_column = column;
    s->activation = activation;
    if (w->p->buffers[out].first_step > at) w->p->buffers[out].first_step = at;
    if (joined == PLAN_NONE) w->p->buffers[out].first_step = at;
    if (residual != PLAN_NONE) s->residual = w->p->views[residual].buffer;
    w->p->views[fused] = whole(out);
    if (joined != PLAN_NONE) w->p->views[v] = whole(PLAN_NONE);
    return SAT_OK;
}

static sat_status plan_linear(planner *w, graph_value v)
{
    graph_value last = v;
    plan_activation activation = PLAN_LINEAR;
    const graph_value gelu = only_consumer(w, v, GRAPH_GELU), relu = only_consumer(w, v, GRAPH_RELU);
    if (gelu != PLAN_NONE) last = gelu, activation = PLAN_GELU;
    if (relu != PLAN_NONE) last = relu, activation = PLAN_RELU;
    /* A sum with a value that is there already is the linear layer's residual. */
    const graph_value sum = only_consumer(w, last, GRAPH_ADD);
    if (sum != PLAN_NONE) {
        const graph_node *a = node_at(w, sum);
        const graph_value other = a->inputs[0] == last ? a->inputs[1] : a->inputs[0];
        if (other != last && w->p->views[other].buffer != PLAN_NONE && node_at(w, other)->shape.rank == 2)
            return plan_matrix_step(w, v, sum, activation, other);
    }
    return plan_matrix_step(w, v, last, activation, PLAN_NONE);
}

static sat_status plan_node(planner *w, graph_value v)
{
    const graph_node *n = node_at(w, v);
    plan_view *views = w->p->views;
    if (views[v].buffer != PLAN_NONE) return SAT_OK; /* fused into an earlier step */
    int buffer;
    sat_status status;
    switch (n->operation) {
    case GRAPH_PARAMETER:
    case GRAPH_SLICE_ROWS: return SAT_OK;
    case GRAPH_INPUT:
        status = buffer_add(w, n->shape, ELEMENT_FLOAT32, &buffer);
        if (status != SAT_OK) return status;
        w->p->buffers[buffer].is_input = true;
        views[v] = whole(buffer);
        return SAT_OK;
    case GRAPH_REPEAT_CHANNELS:
        views[v] = views[n->inputs[0]];
        views[v].repeat = n->count;
        return SAT_OK;
    case GRAPH_LEAKY_RELU:
        if (views[n->inputs[0]].coefficients == PLAN_NONE || views[n->inputs[0]].slope != 1.0f)
            return cannot(w, v, "it must follow an instance norm");
        views[v] = views[n->inputs[0]];
        views[v].slope = n->slope;
        return SAT_OK;
    case GRAPH_CONCATENATE:
        if (n->shape.rank == 2) return cannot(w, v, "only pooled maps join into a matrix");
        return SAT_OK; /* several sources of its consumer */
    case GRAPH_AVERAGE_POOL: {
        /* The matrix that all of a concatenation's pools fill is made with the first of them. */
        const graph_value joined = only_consumer(w, v, GRAPH_CONCATENATE);
        if (joined != PLAN_NONE && views[joined].buffer == PLAN_NONE) {
            const graph_node *c = node_at(w, joined);
            for (int i = 0; i < c->input_count; i++)
                if (node_at(w, c->inputs[i])->operation != GRAPH_AVERAGE_POOL || only_consumer(w, c->inputs[i], GRAPH_CONCATENATE) != joined)
                    return cannot(w, joined, "only pooled maps used nowhere else join into a matrix");
            status = buffer_add(w, c->shape, ELEMENT_FLOAT32, &buffer);
            if (status != SAT_OK) return status;
            views[joined] = whole(buffer);
        }
        return plan_matrix_step(w, v, v, PLAN_LINEAR, PLAN_NONE);
    }
    case GRAPH_CONVOLUTION3D:
    case GRAPH_TRANSPOSED_CONVOLUTION3D: return plan_convolution(w, v);
    case GRAPH_LINEAR: return plan_linear(w, v);
    case GRAPH_LAYER_NORM:
    case GRAPH_ADD:
    case GRAPH_ATTENTION:
    case GRAPH_POOL_ROWS: return plan_matrix_step(w, v, v, PLAN_LINEAR, PLAN_NONE);
    case GRAPH_INSTANCE_NORM: return cannot(w, v, "it must follow a convolution");
    case GRAPH_GELU:
    case GRAPH_RELU: return cannot(w, v, "it must follow a linear layer used nowhere else");
    }
    return cannot(w, v, "an unknown operation");
}

/* ---------------------------------------------------------------- the whole */

/* A pool's step comes when its map is there, not when the graph mentions it: so that a map that only the tokens
 * still want doesn't stay alive. Steps are in graph order; builders add pools right after their maps. */
static void count_users(planner *w)
{
    const graph *g = w->p->network;
    for (int i = 0; i < g->output_count; i++) {
        w->needed[g->outputs[i].value] = true;
        w->is_output[g->outputs[i].value] = true;
    }
    for (graph_value v = g->node_count - 1; v >= 0; v--)
        for (int i = 0; w->needed[v] && i < g->nodes[v].input_count; i++) {
            w->needed[g->nodes[v].inputs[i]] = true;
            w->users[g->nodes[v].inputs[i]]++;
        }
}

static void live_until(plan *p, int buffer, int step)
{
    if (buffer != PLAN_NONE && p->buffers[buffer].last_step < step) p->buffers[buffer].last_step = step;
}

static sat_status find_lifetimes(planner *w)
{
    plan *p = w->p;
    for (int i = 0; i < p->step_count; i++) {
        const plan_step *s = &p->steps[i];
        live_until(p, s->out, i);
        live_until(p, s->coefficients, i);
        live_until(p, s->residual, i);
        for (int k = 0; k < s->source_count; k++) {
            live_until(p, s->sources[k].buffer, i);
            live_until(p, s->sources[k].coefficients, i);
        }
    }
    for (int i = 0; i < p->network->output_count; i++) {
        const graph_value v = p->network->outputs[i].value;
        if (p->views[v].buffer == PLAN_NONE) return cannot(w, v, "an output that is fused away");
        live_until(p, p->views[v].buffer, p->step_count);
        live_until(p, p->views[v].coefficients, p->step_count);
    }
    return SAT_OK;
}

static sat_status prepare_steps(plan *p, sat_error *error)
{
    for (int i = 0; i < p->step_count; i++) {
        plan_step *s = &p->steps[i];
        const graph_node *n = &p->network->nodes[s->node];
        const backend_operation *o = p->target->operations[n->operation];
        if (!o)
            return sat_fail(error, SAT_BAD_INPUT, "the %s backend has no %s", p->target->name, graph_operation_name(n->operation));
        const sat_status status = o->prepare(p, s, error);
        if (status != SAT_OK) return status;
        if (s->scratch_bytes > p->scratch_bytes) p->scratch_bytes = s->scratch_bytes;
    }
    return SAT_OK;
}

sat_status plan_build(const graph *network, const backend *target, weight_store *weights, element_type type, int threads,
                      plan **made, sat_error *error)
{
    *made = NULL;
    sat_status status = graph_check(network, error);
    if (status != SAT_OK) return status;
    const size_t n = (size_t)network->node_count;
    plan *p = calloc(1, sizeof *p);
    planner w = {p, calloc(n, sizeof *w.users), calloc(n, sizeof *w.needed), calloc(n, sizeof *w.step_of),
                 calloc(n, sizeof *w.is_output), error};
    if (p) p->views = calloc(n, sizeof *p->views);
    if (!p || !p->views || !w.users || !w.needed || !w.step_of || !w.is_output) {
        status = sat_fail(error, SAT_NO_MEMORY, "no memory for the plan of %zu nodes", n);
        goto done;
    }
    p->network = network;
    p->target = target;
    p->weights = weights;
    p->type = target->supported_type(type);
    p->threads = threads;
    for (size_t v = 0; v < n; v++) {
        p->views[v] = whole(PLAN_NONE);
        w.step_of[v] = PLAN_NONE;
    }
    count_users(&w);
    for (graph_value v = 0; v < network->node_count && status == SAT_OK; v++)
        if (w.needed[v]) status = plan_node(&w, v);
    if (status == SAT_OK) status = find_lifetimes(&w);
    if (status == SAT_OK) status = prepare_steps(p, error);
    if (status == SAT_OK) {
        p->activation_bytes = plan_assign_offsets(p->buffers, p->buffer_count);
        p->scratch_bytes = arena_bytes(p->scratch_bytes, 1);
        if (p->activation_bytes == SIZE_MAX) status = sat_fail(error, SAT_NO_MEMORY, "no memory for the plan of %zu nodes", n);
    }
done:
    free(w.users);
    free(w.needed);
    free(w.step_of);
    free(w.is_output);
    if (status == SAT_OK) *made = p;
    else plan_free(p);
    return status;
}

void plan_free(plan *p)
{
    if (!p) return;
    for (int i = 0; i < p->step_count; i++) {
        const backend_operation *o = p->target->operations[p->network->nodes[p->steps[i].node].operation];
        if (o && o->free_kernel && p->steps[i].kernel) o->free_kernel(p->steps[i].kernel);
    }
    free(p->steps);
    free(p->buffers);
    free(p->views);
    free(p);
}
