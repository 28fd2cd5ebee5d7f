#include "tensor/plan.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t plan_bytes(const plan *p) { return p->activation_bytes + p->scratch_bytes; }

void plan_attach(plan *p, void *memory) { p->memory = memory; }

static _Noreturn void unknown_name(const char *what, const char *name)
{
    fprintf(stderr, "sat3d: internal error: a plan has no %s '%s'\n", what, name);
    abort();
}

void plan_bind(plan *p, const char *input, const void *data)
{
    for (graph_value v = 0; v < p->network->node_count; v++) {
        const graph_node *n = &p->network->nodes[v];
        if (n->operation != GRAPH_INPUT || strcmp(n->name, input) != 0) continue;
        const int buffer = p->views[v].buffer;
        if (buffer == PLAN_NONE) return; /* an input that no output needs */
        p->buffers[buffer].external = (void *)(uintptr_t)data;
        return;
    }
    unknown_name("input", input);
}

void *plan_buffer_data(const plan *p, int buffer)
{
    const plan_buffer *b = &p->buffers[buffer];
    return b->is_input ? b->external : p->memory + b->offset;
}

const float *plan_parameter_data(const plan *p, const plan_parameter *parameter)
{
    return weight_store_data(p->weights, parameter->weight);
}

static weight_request request_of(const plan *p, const plan_parameter *parameter)
{
    const graph_node *n = &p->network->nodes[parameter->node];
    return (weight_request){.name = n->name, .dimensions = n->shape.rank, .shape = n->shape.size,
                            .first = parameter->first, .rows = parameter->rows};
}

sat_status plan_want_plain(const plan *p, plan_parameter *parameter, element_type type, sat_error *error)
{
    weight_request r = request_of(p, parameter);
    r.type = type;
    return weight_store_add(p->weights, &r, &parameter->weight, error);
}

sat_status plan_want_packed(const plan *p, plan_parameter *parameter, const char *form, size_t packed_bytes, weight_pack *pack,
                            const void *kernel, sat_error *error)
{
    weight_request r = request_of(p, parameter);
    r.type = p->type;
    r.form = form;
    r.packed_bytes = packed_bytes;
    r.pack = pack;
    r.kernel = kernel;
    return weight_store_add(p->weights, &r, &parameter->weight, error);
}

sat_status plan_run(plan *p, const progress *watch, sat_error *error)
{
    for (int i = 0; i < p->step_count; i++) {
        plan_step *s = &p->steps[i];
        if (progress_cancelled(watch)) return progress_check(watch, error);
        const double begin = clock_seconds();
        const backend_operation *o = p->target->operations[p->network->nodes[s->node].operation];
        const sat_status status = o->run(p, s, p->memory + p->activation_bytes, error);
        if (status != SAT_OK) return status;
        s->seconds = clock_seconds() - begin;
    }
    return SAT_OK;
}

plan_value plan_output(const plan *p, const char *name)
{
    for (int i = 0; i < p->network->output_count; i++) {
        if (strcmp(p->network->outputs[i].name, name) != 0) continue;
        const plan_view view = p->views[p->network->outputs[i].value];
        const plan_buffer *b = &p->buffers[view.buffer];
        plan_value value = {.data = plan_buffer_data(p, view.buffer), .type = b->type, .shape = b->shape, .slope = view.slope};
        if (view.coefficients != PLAN_NONE) {
            value.scale = plan_buffer_data(p, view.coefficients);
            value.shift = value.scale + b->shape.size[b->shape.rank - 1];
        }
        return value;
    }
    unknown_name("output", name);
}
