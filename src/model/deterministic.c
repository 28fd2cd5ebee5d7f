/* Tensors made from their names: splitmix64 seeded by the hash of the canonical name (model.md, Deterministic
 * weights). The recipe is integer arithmetic, one double root and at most one rounding per value, so that
 * any machine gets the same bits. */
#include "model/weights.h"

#include "base/hash.h"
#include "model/names.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* value = offset + scale * x. Where the offset is not zero the scale is a power of two, hence the product is
 * exact and the sum rounds once, fused or not. */
typedef struct affine_rule {
    float offset, scale;
} affine_rule;

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* The number of products summed into one output value. */
static double fan_in(const char *name, int dimensions, const int64_t *shape)
{
    if (strstr(name, "transpconvs")) return (double)shape[0]; /* (in, out, 2, 2, 2), stride = kernel */
    double product = 1;
    for (int i = 1; i < dimensions; i++)
        product *= (double)shape[i];
    return product;
}

static affine_rule rule_of(const char *canonical, int dimensions, const int64_t *shape)
{
    if (strncmp(canonical, "input/", 6) == 0 || dimensions == 0) return (affine_rule){0, 1};
    if (dimensions > 1) return (affine_rule){0, (float)sqrt(3.0 / fan_in(canonical, dimensions, shape))};
    if (!ends_with(canonical, "bias")) return (affine_rule){1, 1.0f / 8};
    if (strstr(canonical, "convs.") && ends_with(canonical, "norm.bias")) return (affine_rule){0.5f, 1.0f / 16};
    if (strstr(canonical, "mask_embed_proj") && ends_with(canonical, "2.bias")) return (affine_rule){-0.25f, 1.0f / 16};
    return (affine_rule){0, 1.0f / 16};
}

/* Elements [first, first + count) of the stream of `seed`. No state: any stretch can be made by any thread. */
static void fill_stretch(uint64_t seed, affine_rule rule, uint64_t first, size_t count, float *values)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t z = seed + (first + i + 1) * 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        z = z ^ z >> 31;
        const float x = (float)((int32_t)(z >> 40) - (1 << 23)) * 0x1p-23f; /* exact, in [-1, 1) */
        values[i] = rule.offset + rule.scale * x;
    }
}

void deterministic_fill(const char *name, int dimensions, const int64_t *shape, uint64_t first, size_t count,
                        float *values)
{
    enum { STRETCH = 1 << 18 }; /* elements a thread makes at a time: 1 MB */
    char canonical[MODEL_NAME_MAX];
    if (!model_name_canonical(name, canonical)) abort(); /* a caller's mistake: no tensor has such a long name */
    const uint64_t seed = hash_fnv1a64(HASH_FNV_START, canonical, strlen(canonical));
    const affine_rule rule = rule_of(canonical, dimensions, shape);
    const int64_t stretches = (int64_t)((count + STRETCH - 1) / STRETCH);
#pragma omp parallel for schedule(static) if (stretches > 3)
    for (int64_t s = 0; s < stretches; s++) {
        const size_t from = (size_t)s * STRETCH, left = count - from;
        fill_stretch(seed, rule, first + from, left < STRETCH ? left : STRETCH, values + from);
    }
}

static sat_status deterministic_find(const weight_source *source, const char *name, int dimensions,
                                     const int64_t *shape, weight_view *view, sat_error *error)
{
    (void)source;
    *view = (weight_view){.type = ELEMENT_FLOAT32, .dimensions = dimensions};
    size_t count = 1, bytes;
    bool fits = dimensions >= 0 && dimensions <= WEIGHT_DIMENSIONS_MAX && strlen(name) < MODEL_NAME_MAX;
    for (int i = 0; fits && i < dimensions; i++) {
        view->shape[i] = shape[i];
        fits = shape[i] >= 1 && !__builtin_mul_overflow(count, (size_t)shape[i], &count);
    }
    if (!fits || count > SIZE_MAX / 8)
        return sat_fail(error, SAT_BAD_ARGUMENT, "no tensor can be made for %s: its shape is impossible", name);
    bytes = (count * sizeof(float) + 63) / 64 * 64;
    float *values = aligned_alloc(64, bytes);
    if (!values) return sat_fail(error, SAT_NO_MEMORY, "%zu MB of memory for %s could not be had", bytes >> 20, name);
    deterministic_fill(name, dimensions, shape, 0, count, values);
    view->data = view->owned = values;
    return SAT_OK;
}

static void deterministic_release(const weight_source *source, weight_view *view)
{
    (void)source;
    free(view->owned);
    *view = (weight_view){0};
}

weight_source weight_source_deterministic(void)
{
    return (weight_source){.find = deterministic_find, .release = deterministic_release};
}
