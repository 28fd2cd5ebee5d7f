/* SAT's vision network as graphs (model.md, Order of operations). Two graphs, because what one window shows is computed
 * once, whatever the number of prompts:
 *
 *   image    "image" [x][y][z][1], "position" [T][Q]  ->  "features" [x][y][z][F0], "keys.l", "values.l" [T][Q] for each layer l
 *   queries  "queries" [N][text width], "keys.l", "values.l"  ->  "embedding" [N][F0]
 *
 * A query's mask is the dot product of its embedding with the features; training joins both into one graph. */
#ifndef SAT_MODEL_SAT_GRAPH_H
#define SAT_MODEL_SAT_GRAPH_H

#include "model/description.h"
#include "tensor/graph.h"

#include <stdbool.h>

/* Appends the image's graph to `g`. taps: also outputs "encoder.s" and "decoder.s" (maps, finest first) and "tokens". */
void sat_graph_image(graph *g, const model_description *model, bool taps);

/* Appends the graph of `queries` queries. taps: also "decoded", and "embedding_mid.i" where the model has mid heads. */
void sat_graph_queries(graph *g, const model_description *model, int queries, bool taps);

/* T: tokens of a window. */
int sat_graph_tokens(const model_description *model);

/* The position code of all tokens, [T][Q], float32 (model.md, Position code). `code` has room for T * Q values. */
void sat_position_code(const int tokens_xyz[3], int width, float *code);

/* "keys.3" for ("keys.", 3): the names of numbered inputs and outputs, into name[GRAPH_NAME_MAX]. */
void sat_graph_name(char *name, const char *stem, int number);

#endif
