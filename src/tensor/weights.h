/* Where a network's tensors come from (a model file, or a generator), and the memory that holds them in the forms
 * that kernels want. */
#ifndef SAT_TENSOR_WEIGHTS_H
#define SAT_TENSOR_WEIGHTS_H

#include "base/error.h"
#include "tensor/element.h"

#include <stdbool.h>
#include <stdint.h>

enum { WEIGHT_DIMENSIONS_MAX = 5 };

/* One tensor, C order, read-only. */
typedef struct weight_view {
    element_type type;                       /* float32 or bfloat16 in model files                     */
    int dimensions;
    int64_t shape[WEIGHT_DIMENSIONS_MAX];
    const void *data;                        /* borrowed: valid until release (in_place: until the source closes) */
    void *owned;                             /* the source's own note for release, or NULL             */
} weight_view;

/* A source of tensors under the release's names without "module." (model.md, Tensor names; text.md, section 8).
 * Thread-safe as long as the source lives. */
typedef struct weight_source {
    /* Finds `name` and checks its shape. Fails with SAT_BAD_INPUT, naming the tensor and both shapes,
     * when it is missing or has another shape. */
    sat_status (*find)(const struct weight_source *source, const char *name, int dimensions,
                       const int64_t *shape, weight_view *view, sat_error *error);
    /* The view's data are not needed for now: a generator frees, a mapping lets its pages go. */
    void (*release)(const struct weight_source *source, weight_view *view);
    bool in_place;            /* a mapping: data stay valid without release, and cost no memory of ours */
    element_type matrix_type; /* of tensors with two or more dimensions                                 */
    const void *context;
} weight_source;

/* The packed weights of one model, shared by all plans that use them: a tensor (or rows of one) is packed once
 * for each form that kernels ask for. */
typedef struct weight_store weight_store;

/* Packs `count` float32 elements into `packed`. `kernel`: whatever the request named. */
typedef sat_status weight_pack(const void *kernel, const float *values, size_t count, void *packed, sat_error *error);

/* What a step wants: rows [first, first + rows) of the first dimension of a tensor, in a form. */
typedef struct weight_request {
    const char *name;
    int dimensions;
    const int64_t *shape;       /* of the whole tensor                                                     */
    int64_t first, rows;
    const char *form;           /* names the layout: equal forms of equal tensors are shared; NULL: plain  */
    element_type type;          /* plain: elements of this type in C order, used in place where they lie so */
    size_t packed_bytes;        /* of a form                                                               */
    weight_pack *pack;
    const void *kernel;         /* borrowed until the request is loaded                                    */
} weight_request;

sat_status weight_store_make(const weight_source *source, weight_store **store, sat_error *error);
void weight_store_free(weight_store *store); /* NULL does nothing */
/* Registers a request; *index finds the data later. Nothing is read yet. */
sat_status weight_store_add(weight_store *store, const weight_request *request, int *index, sat_error *error);
/* Bytes of memory of ours that all requests so far take once loaded, and the largest temporary beside them. */
size_t weight_store_bytes(const weight_store *store);
size_t weight_store_temporary_bytes(const weight_store *store);
/* Reads and packs what is not loaded yet. */
sat_status weight_store_load(weight_store *store, sat_error *error);
/* The packed or plain data of a loaded request. */
const void *weight_store_data(const weight_store *store, int index);

#endif
