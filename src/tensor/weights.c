#include "tensor/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, NAME_MAX_BYTES = 128, FORM_MAX_BYTES = 64 };

typedef struct weight_entry {
    char name[NAME_MAX_BYTES], form[FORM_MAX_BYTES];
    int dimensions;
    int64_t shape[WEIGHT_DIMENSIONS_MAX], first, rows;
    element_type type;
    size_t elements;     /* of the requested rows */
    size_t bytes;        /* of memory of ours; 0: used in place */
    weight_pack *pack;
    const void *kernel;
    const void *data;    /* NULL until loaded */
    void *owned;
} weight_entry;

struct weight_store {
    weight_source source;
    weight_entry *entries;
    int count, room;
};

sat_status weight_store_make(const weight_source *source, weight_store **store, sat_error *error)
{
    *store = calloc(1, sizeof **store);
    if (!*store) return sat_fail(error, SAT_NO_MEMORY, "no memory for the list of weights");
    (*store)->source = *source;
    return SAT_OK;
}

void weight_store_free(weight_store *store)
{
    if (!store) return;
    for (int i = 0; i < store->count; i++)
        free(store->entries[i].owned);
    free(store->entries);
    free(store);
}

static bool same_request(const weight_entry *e, const weight_request *r)
{
    return e->first == r->first && e->rows == r->rows && e->type == r->type && strcmp(e->name, r->name) == 0 &&
           strcmp(e->form, r->form ? r->form : "") == 0;
}

sat_status weight_store_add(weight_store *store, const weight_request *r, int *index, sat_error *error)
{
    for (*index = 0; *index < store->count; ++*index)
        if (same_request(&store->entries[*index], r)) return SAT_OK;
    if (store->count == store->room) {
        const int room = store->room ? 2 * store->room : 256;
        weight_entry *grown = realloc(store->entries, (size_t)room * sizeof *grown);
        if (!grown) return sat_fail(error, SAT_NO_MEMORY, "no memory for a list of %d weights", room);
        store->entries = grown;
        store->room = room;
    }
    weight_entry *e = &store->entries[store->count++];
    *e = (weight_entry){.dimensions = r->dimensions, .first = r->first, .rows = r->rows, .type = r->type,
                        .pack = r->pack, .kernel = r->kernel};
    snprintf(e->name, sizeof e->name, "%s", r->name);
    snprintf(e->form, sizeof e->form, "%s", r->form ? r->form : "");
    memcpy(e->shape, r->shape, (size_t)r->dimensions * sizeof *r->shape);
    e->elements = (size_t)r->rows;
    for (int d = 1; d < r->dimensions; d++)
        e->elements *= (size_t)r->shape[d];
    /* Vectors are small and may be stored in either type: always planned as a copy. */
    const bool in_place = !r->pack && store->source.in_place && r->dimensions > 1 && store->source.matrix_type == r->type;
    e->bytes = r->pack ? r->packed_bytes : in_place ? 0 : e->elements * element_bytes(r->type);
    return SAT_OK;
}

size_t weight_store_bytes(const weight_store *store)
{
    size_t bytes = 0;
    for (int i = 0; i < store->count; i++)
        bytes += store->entries[i].bytes;
    return bytes;
}

size_t weight_store_temporary_bytes(const weight_store *store)
{
    size_t largest = 0;
    for (int i = 0; i < store->count; i++) {
        const weight_entry *e = &store->entries[i];
        if (e->bytes > 0 && e->elements * sizeof(float) > largest) largest = e->elements * sizeof(float);
    }
    return 2 * largest; /* the source's own copy and the widened one */
}

static sat_status entry_fill(weight_entry *e, const void *from, element_type type, sat_error *error)
{
    e->owned = aligned_alloc(ALIGNMENT, (e->bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    float *widened = NULL;
    sat_status status = SAT_OK;
    if (!e->owned) status = sat_fail(error, SAT_NO_MEMORY, "%zu MB of memory for the weights could not be had", e->bytes >> 20);
    if (status == SAT_OK && type != ELEMENT_FLOAT32 && (e->pack || e->type != type)) {
        widened = malloc(e->elements * sizeof *widened);
        if (!widened) status = sat_fail(error, SAT_NO_MEMORY, "%zu MB of memory for the weights could not be had", e->elements >> 18);
        else elements_to_float(type, from, e->elements, widened);
    }
    if (status == SAT_OK) {
        const void *source = widened ? widened : from;
        if (e->pack) status = e->pack(e->kernel, source, e->elements, e->owned, error);
        else if (!widened && type == e->type) memcpy(e->owned, source, e->bytes);
        else elements_from_float(e->type, source, e->elements, e->owned);
    }
    free(widened);
    if (status == SAT_OK) e->data = e->owned;
    return status;
}

static sat_status entry_load(weight_store *store, weight_entry *e, sat_error *error)
{
    weight_view view = {0};
    sat_status status = store->source.find(&store->source, e->name, e->dimensions, e->shape, &view, error);
    if (status != SAT_OK) return status;
    const size_t row = e->elements / (size_t)e->rows * element_bytes(view.type);
    const void *from = (const unsigned char *)view.data + (size_t)e->first * row;
    if (e->bytes == 0 && view.type == e->type) {
        e->data = from; /* used where it is mapped: not released */
        return SAT_OK;
    }
    if (e->bytes == 0) e->bytes = e->elements * element_bytes(e->type); /* an odd one of another type than its file */
    status = entry_fill(e, from, view.type, error);
    store->source.release(&store->source, &view);
    return status;
}

sat_status weight_store_load(weight_store *store, sat_error *error)
{
    sat_status status = SAT_OK;
    for (int i = 0; i < store->count && status == SAT_OK; i++)
        if (!store->entries[i].data) status = entry_load(store, &store->entries[i], error);
    return status;
}

const void *weight_store_data(const weight_store *store, int index) { return store->entries[index].data; }
