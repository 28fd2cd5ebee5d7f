/* Runs of the vision network with deterministic weights, and their comparison with goldens: for tests. */
#ifndef SAT_TESTS_NETWORK_GOLDEN_H
#define SAT_TESTS_NETWORK_GOLDEN_H

#include "model/network.h"

#include <stdbool.h>
#include <stddef.h>

/* Where the numbers of model.md come from: variant, window, how the goldens were thinned out. */
typedef struct golden_case {
    const char *variant, *folder;
    int window[3], queries, logits_step, samples_step;
    double bf16_bound; /* relative L2 of the logits; float32: FLOAT32_BOUND */
} golden_case;

#define FLOAT32_BOUND 1e-4 /* the issue's; measured 1e-6 to 1e-5 */

typedef struct network_run {
    model_description model;
    network *net;
    size_t voxels;
    float *image, *embeddings, *logits; /* logits [queries][x][y][z] */
} network_run;

/* One window of the case's network, image and queries; fails the test when anything fails. */
network_run network_run_case(const golden_case *c, element_type type, int threads, bool taps);
void network_run_free(network_run *r);

/* Fails the test when the relative L2 distance from <folder>/<what>.npy is beyond the bound; says it in any case. */
void golden_compare(const golden_case *c, const char *what, const float *actual, size_t count, double bound);
/* The logits, thinned out as the golden ones are. */
void golden_compare_logits(const golden_case *c, const network_run *r, double bound);
/* The maps tapped as "<part>.0", "<part>.1", ...: every samples_step-th value, channels first as PyTorch has them, maps
 * joined finest first. */
void golden_compare_samples(const golden_case *c, const network_run *r, const char *part, int maps, double bound);

#endif
