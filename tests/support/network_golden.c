#include "tests/support/network_golden.h"
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "model/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float *filled(const char *name, int dimensions, const int64_t *shape)
{
    size_t count = 1;
    for (int i = 0; i < dimensions; i++)
        count *= (size_t)shape[i];
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    deterministic_fill(name, dimensions, shape, 0, count, values);
    return values;
}

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK) fail_msg("%s", error->message);
}

network_run network_run_case(const golden_case *c, element_type type, int threads, bool taps)
{
    network_run r = {0};
    sat_error error = {0};
    assert_true(model_variant(c->variant, &r.model));
    if (taps && strcmp(c->variant, "tiny") == 0) r.model.vision.mid_heads = 3;
    memcpy(r.model.window, c->window, sizeof r.model.window);
    const weight_source source = weight_source_deterministic();
    const network_options options = {type, threads, c->queries, taps};
    check(network_make(&r.model, &source, &options, &r.net, &error), &error);
    check(network_load(r.net, &error), &error);

    const int *w = c->window;
    r.voxels = (size_t)w[0] * (size_t)w[1] * (size_t)w[2];
    r.image = filled("input/image", 5, (const int64_t[]){1, 1, w[0], w[1], w[2]});
    float *queries = filled("input/queries", 3, (const int64_t[]){1, c->queries, r.model.vision.text_width});
    const size_t width = (size_t)network_embedding_width(r.net), group = (size_t)network_mask_group(r.net);
    r.embeddings = malloc((size_t)c->queries * width * sizeof(float));
    r.logits = malloc((size_t)c->queries * r.voxels * sizeof(float));
    check(network_image(r.net, r.image, NULL, &error), &error);
    check(network_queries(r.net, c->queries, queries, r.embeddings, &error), &error);
    assert_true(c->queries <= (int)group);
    const size_t plane = r.voxels / (size_t)w[0];
    float *planes = malloc(group * 4 * plane * sizeof *planes);
    for (int x = 0; x < w[0]; x += 4) {
        check(network_masks(r.net, x / 4 % threads, x, x + 4, c->queries, r.embeddings, false, planes, &error), &error);
        for (size_t q = 0; q < (size_t)c->queries; q++)
            memcpy(r.logits + q * r.voxels + (size_t)x * plane, planes + q * 4 * plane, 4 * plane * sizeof *planes);
    }
    free(planes);
    free(queries);
    return r;
}

void network_run_free(network_run *r)
{
    network_free(r->net);
    free(r->image);
    free(r->embeddings);
    free(r->logits);
}

/* ---------------------------------------------------------------- against files */

void golden_compare(const golden_case *c, const char *what, const float *actual, size_t count, double bound)
{
    char name[200];
    snprintf(name, sizeof name, "%s/%s.npy", c->folder, what);
    const char *path = golden_path(name);
    if (!path) skip();
    npy_array expected = npy_read(path);
    assert_int_equal(expected.count, count);
    const double error = relative_l2(actual, npy_floats(&expected), count);
    print_message("             %s %-16s relative L2 %.2e (bound %.0e)\n", c->folder, what, error, bound);
    npy_free(&expected);
    if (!(error <= bound)) fail_msg("%s %s: relative L2 %g > %g", c->folder, what, error, bound);
}

void golden_compare_logits(const golden_case *c, const network_run *r, double bound)
{
    const size_t each = (r->voxels + (size_t)c->logits_step - 1) / (size_t)c->logits_step;
    float *thinned = malloc((size_t)c->queries * each * sizeof *thinned);
    for (size_t q = 0; q < (size_t)c->queries; q++)
        for (size_t i = 0; i < each; i++)
            thinned[q * each + i] = r->logits[q * r->voxels + i * (size_t)c->logits_step];
    golden_compare(c, "logits", thinned, (size_t)c->queries * each, bound);
    free(thinned);
}

static float value_at(const plan_value *v, size_t voxel, size_t channel)
{
    const size_t channels = (size_t)v->shape.size[v->shape.rank - 1], at = voxel * channels + channel;
    const float x = v->type == ELEMENT_BFLOAT16 ? bfloat16_to_float(((const bfloat16 *)v->data)[at]) : ((const float *)v->data)[at];
    if (!v->scale) return x;
    const float normed = fmaf(v->scale[channel], x, v->shift[channel]);
    return normed < 0 ? v->slope * normed : normed;
}

/* Every k-th value of each map, channel first as PyTorch has them, maps joined finest first. */
void golden_compare_samples(const golden_case *c, const network_run *r, const char *part, int maps, double bound)
{
    size_t count = 0;
    float *samples = NULL;
    for (int m = 0; m < maps; m++) {
        char name[GRAPH_NAME_MAX];
        snprintf(name, sizeof name, "%s.%d", part, m);
        const plan_value v = plan_output(network_image_plan(r->net), name);
        const size_t elements = (size_t)graph_elements(&v.shape), voxels = elements / (size_t)v.shape.size[3];
        samples = realloc(samples, (count + elements) * sizeof *samples);
        for (size_t i = 0; i < elements; i += (size_t)c->samples_step)
            samples[count++] = value_at(&v, i % voxels, i / voxels);
    }
    char what[40];
    snprintf(what, sizeof what, "%s_samples", part);
    golden_compare(c, what, samples, count, bound);
    free(samples);
}
