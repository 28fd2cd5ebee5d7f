/* The backend's operations on feature maps and on matrices: between backend.c and its two halves. */
#ifndef SAT_CPU_BACKEND_MAPS_H
#define SAT_CPU_BACKEND_MAPS_H

#include "cpu/feature_map.h"
#include "tensor/plan.h"

extern const backend_operation cpu_convolution3d, cpu_transposed_convolution3d, cpu_average_pool;
extern const backend_operation cpu_linear, cpu_layer_norm, cpu_add, cpu_attention, cpu_pool_rows;

/* The node of a step. */
static inline const graph_node *step_node(const plan *p, const plan_step *s) { return &p->network->nodes[s->node]; }

/* How a source is to be loaded: its buffer as a map, and its rule (scale NULL where there is none). */
feature_map step_map(const plan *p, int buffer);
load_rule step_rule(const plan *p, const plan_view *view);

#endif
