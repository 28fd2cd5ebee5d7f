/* Offsets by lifetime: inside the planner. */
#ifndef SAT_TENSOR_PLAN_MEMORY_H
#define SAT_TENSOR_PLAN_MEMORY_H

#include "tensor/plan.h"

/* Gives every buffer that is not an input an offset such that buffers alive at the same step don't overlap,
 * largest first, each at the lowest free place. Returns the bytes of the whole, 64-byte granular; SIZE_MAX without memory. */
size_t plan_assign_offsets(plan_buffer *buffers, int count);

#endif
