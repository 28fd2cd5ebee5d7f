#include "model/state.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parts of pretraining checkpoints that segmentation does not use, and a buffer that counts 0, 1, 2, ... */
static bool is_ignored(const char *name)
{
    static const char *const parts[] = {"atlas_tower", "temperature", "embeddings.position_ids"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i])) return true;
    return false;
}

static bool same_values(const checkpoint_tensor *a, const checkpoint_tensor *b)
{
    if (a->type != b->type || a->dimensions != b->dimensions ||
        memcmp(a->shape, b->shape, (size_t)a->dimensions * sizeof *a->shape) != 0)
        return false;
    if (a->storage == b->storage && a->offset == b->offset &&
        memcmp(a->stride, b->stride, (size_t)a->dimensions * sizeof *a->stride) == 0)
        return true;
    enum { PIECE = 512 };
    unsigned char piece[2][PIECE * 8]; /* no type has more than 8 bytes */
    for (int64_t at = 0; at < a->elements; at += PIECE) {
        const size_t take = a->elements - at < PIECE ? (size_t)(a->elements - at) : PIECE;
        checkpoint_read(a, at, take, piece[0]);
        checkpoint_read(b, at, take, piece[1]);
        if (memcmp(piece[0], piece[1], take * element_bytes(a->type)) != 0) return false;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const state_tensor *)a)->name, ((const state_tensor *)b)->name);
}

sat_status state_list(const checkpoint *c, state_table *table, sat_error *error)
{
    *table = (state_table){.tensors = calloc(c->count, sizeof *table->tensors)};
    if (!table->tensors) return sat_fail(error, SAT_NO_MEMORY, "no memory for the list of tensors");
    size_t listed = 0;
    for (size_t i = 0; i < c->count; i++) {
        state_tensor *entry = &table->tensors[listed];
        entry->tensor = &c->tensors[i];
        model_name_canonical(c->tensors[i].name, entry->name); /* names that do not fit were refused at opening */
        if (is_ignored(entry->name))
            table->ignored++;
        else
            listed++;
    }
    qsort(table->tensors, listed, sizeof *table->tensors, by_name);
    for (size_t i = 0; i < listed; i++) {
        state_tensor *kept = table->count ? &table->tensors[table->count - 1] : NULL;
        if (!kept || strcmp(kept->name, table->tensors[i].name) != 0) {
            table->tensors[table->count++] = table->tensors[i];
            continue;
        }
        if (!same_values(kept->tensor, table->tensors[i].tensor))
            return sat_fail(error, SAT_BAD_INPUT, "%s and %s should be one tensor, but differ: which one is meant?",
                            kept->tensor->name, table->tensors[i].tensor->name);
        table->aliases++;
    }
    return SAT_OK;
}

void state_free(state_table *table)
{
    free(table->tensors);
    *table = (state_table){0};
}

state_tensor *state_find(const state_table *table, const char *name)
{
    state_tensor key = {.tensor = NULL};
    if (!table->count || strlen(name) >= sizeof key.name) return NULL;
    snprintf(key.name, sizeof key.name, "%s", name);
    return bsearch(&key, table->tensors, table->count, sizeof key, by_name);
}

int state_size(const state_table *table, int dimension, const char *format, ...)
{
    char name[MODEL_NAME_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const state_tensor *found = state_find(table, name);
    if (!found || dimension >= found->tensor->dimensions || found->tensor->shape[dimension] > INT_MAX) return 0;
    return (int)found->tensor->shape[dimension];
}
