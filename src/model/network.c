#include "model/network.h"

#include "base/arena.h"
#include "base/processor.h"
#include "cpu/backend.h"
#include "cpu/linear.h"
#include "model/sat_graph.h"

#include <stdlib.h>
#include <string.h>

enum {
    QUERY_GROUP_MAX = 128, /* rows of the query plan: K and V are read once a group                                    */
    MASK_GROUP_MAX = 64,   /* masks computed from one load of the features; [64] planes of a large window are 7 MB     */
};

struct network {
    model_description model;
    network_options options;
    int query_group, mask_group;
    graph image_graph, query_graph;
    weight_store *weights;
    plan *image_plan, *query_plan;
    query_masks *masks;
    arena memory;              /* all working memory; taken by network_load         */
    float *position;           /* [T][Q]                                            */
    float *query_rows;         /* [query_group][text width]: a padded group         */
    float *mask_rows;          /* [threads][mask_group][F0]: likewise, for each slot */
    unsigned char *mask_scratch; /* threads times mask_scratch_bytes                 */
    size_t mask_scratch_bytes;
};

/* `total` in the fewest groups of at most `most`, all equally large. */
static int even_group(int total, int most)
{
    const int groups = (total + most - 1) / most;
    return (total + groups - 1) / groups;
}

static size_t position_bytes(const network *n)
{
    return arena_bytes((size_t)sat_graph_tokens(&n->model) * (size_t)n->model.vision.query_width, sizeof(float));
}
static size_t query_rows_bytes(const network *n)
{
    return arena_bytes((size_t)n->query_group * (size_t)n->model.vision.text_width, sizeof(float));
}
static size_t mask_rows_bytes(const network *n)
{
    return arena_bytes((size_t)n->options.threads * (size_t)n->mask_group * (size_t)n->model.vision.features[0], sizeof(float));
}

static size_t working_bytes(const network *n)
{
    return position_bytes(n) + query_rows_bytes(n) + mask_rows_bytes(n) +
           arena_bytes((size_t)n->options.threads, n->mask_scratch_bytes) + arena_bytes(plan_bytes(n->image_plan), 1) +
           arena_bytes(plan_bytes(n->query_plan), 1);
}

sat_status network_make(const model_description *model, const weight_source *source, const network_options *options,
                        network **made, sat_error *error)
{
    *made = NULL;
    sat_status status = model_description_check(model, error);
    if (status != SAT_OK) return status;
    network *n = calloc(1, sizeof *n);
    if (!n) return sat_fail(error, SAT_NO_MEMORY, "no memory for the network");
    n->model = *model;
    n->options = *options;
    n->query_group = even_group(options->queries, QUERY_GROUP_MAX);
    n->mask_group = even_group(options->queries, MASK_GROUP_MAX);
    graph_begin(&n->image_graph);
    graph_begin(&n->query_graph);
    sat_graph_image(&n->image_graph, model, options->taps);
    sat_graph_queries(&n->query_graph, model, n->query_group, options->taps);
    status = weight_store_make(source, &n->weights, error);
    if (status == SAT_OK)
        status = plan_build(&n->image_graph, cpu_backend(), n->weights, options->type, options->threads, &n->image_plan, error);
    if (status == SAT_OK)
        status = plan_build(&n->query_graph, cpu_backend(), n->weights, options->type, options->threads, &n->query_plan, error);
    if (status == SAT_OK)
        status = query_masks_make(model->window, model->vision.features[0], n->mask_group, n->image_plan->type, options->threads,
                                  processor_best(), &n->masks, error);
    if (status == SAT_OK) n->mask_scratch_bytes = arena_bytes(query_masks_scratch_bytes(n->masks), 1);
    if (status == SAT_OK) *made = n;
    else network_free(n);
    return status;
}

void network_free(network *n)
{
    if (!n) return;
    plan_free(n->image_plan);
    plan_free(n->query_plan);
    query_masks_free(n->masks);
    weight_store_free(n->weights);
    graph_free(&n->image_graph);
    graph_free(&n->query_graph);
    arena_close(&n->memory);
    free(n);
}

size_t network_bytes(const network *n)
{
    /* While weights are packed the working memory is still untouched. */
    const size_t working = working_bytes(n), temporary = weight_store_temporary_bytes(n->weights);
    return weight_store_bytes(n->weights) + (working > temporary ? working : temporary);
}

element_type network_type(const network *n) { return n->image_plan->type; }

/* What the image's plan leaves is the query plan's input, where it lies. */
static void bind_keys_and_values(network *n)
{
    for (int l = 0; l < n->model.vision.query_layers; l++) {
        char name[GRAPH_NAME_MAX];
        sat_graph_name(name, "keys.", l);
        plan_bind(n->query_plan, name, plan_output(n->image_plan, name).data);
        sat_graph_name(name, "values.", l);
        plan_bind(n->query_plan, name, plan_output(n->image_plan, name).data);
    }
}

sat_status network_load(network *n, sat_error *error)
{
    sat_status status = weight_store_load(n->weights, error);
    if (status == SAT_OK) status = arena_open(&n->memory, working_bytes(n), error);
    if (status != SAT_OK) return status;
    arena *a = &n->memory;
    n->position = arena_take(a, position_bytes(n), 1);
    n->query_rows = arena_take(a, query_rows_bytes(n), 1);
    n->mask_rows = arena_take(a, mask_rows_bytes(n), 1);
    n->mask_scratch = arena_take(a, (size_t)n->options.threads, n->mask_scratch_bytes);
    plan_attach(n->image_plan, arena_take(a, plan_bytes(n->image_plan), 1));
    plan_attach(n->query_plan, arena_take(a, plan_bytes(n->query_plan), 1));
    int tokens_xyz[3];
    for (int i = 0; i < 3; i++)
        tokens_xyz[i] = n->model.window[i] >> (n->model.vision.stages - 1);
    sat_position_code(tokens_xyz, n->model.vision.query_width, n->position);
    plan_bind(n->image_plan, "position", n->position);
    plan_bind(n->query_plan, "queries", n->query_rows);
    bind_keys_and_values(n);
    return SAT_OK;
}

sat_status network_image(network *n, const float *image, const progress *watch, sat_error *error)
{
    plan_bind(n->image_plan, "image", image);
    return plan_run(n->image_plan, watch, error);
}

int network_embedding_width(const network *n) { return n->model.vision.features[0]; }

sat_status network_queries(network *n, int count, const float *queries, float *embeddings, sat_error *error)
{
    const size_t text_width = (size_t)n->model.vision.text_width, width = (size_t)network_embedding_width(n);
    for (int first = 0; first < count; first += n->query_group) {
        const size_t rows = (size_t)(count - first < n->query_group ? count - first : n->query_group);
        memset(n->query_rows, 0, query_rows_bytes(n)); /* rows beyond the last prompt: computed, not used */
        memcpy(n->query_rows, queries + (size_t)first * text_width, rows * text_width * sizeof *queries);
        const sat_status status = plan_run(n->query_plan, NULL, error);
        if (status != SAT_OK) return status;
        memcpy(embeddings + (size_t)first * width, plan_output(n->query_plan, "embedding").data, rows * width * sizeof *embeddings);
    }
    return SAT_OK;
}

int network_mask_group(const network *n) { return n->mask_group; }

sat_status network_masks(network *n, int slot, int x_begin, int x_end, int count, const float *embeddings, bool as_probability,
                         float *out, sat_error *error)
{
    const plan_value features = plan_output(n->image_plan, "features");
    const feature_map map = feature_map_dense((void *)(uintptr_t)features.data, features.type, n->model.window, network_embedding_width(n));
    const load_rule rule = {features.scale, features.shift, features.slope};
    const size_t group = (size_t)n->mask_group * (size_t)network_embedding_width(n);
    float *rows = n->mask_rows + (size_t)slot * group;
    memset(rows, 0, group * sizeof *rows);
    memcpy(rows, embeddings, (size_t)count * (size_t)network_embedding_width(n) * sizeof *rows);
    return query_masks_run(n->masks, slot, &map, &rule, x_begin, x_end, rows, as_probability, out,
                           n->mask_scratch + (size_t)slot * n->mask_scratch_bytes, error);
}

const plan *network_image_plan(const network *n) { return n->image_plan; }
const plan *network_query_plan(const network *n) { return n->query_plan; }
