#include "tensor/element.h"

#include <math.h>
#include <stdbool.h>

static const struct {
    const char *name;
    size_t bytes;
} elements[] = {
    [ELEMENT_FLOAT32] = {"float32", 4}, [ELEMENT_BFLOAT16] = {"bfloat16", 2}, [ELEMENT_FLOAT16] = {"float16", 2},
    [ELEMENT_FLOAT64] = {"float64", 8}, [ELEMENT_INT64] = {"int64", 8},       [ELEMENT_INT32] = {"int32", 4},
    [ELEMENT_INT16] = {"int16", 2},     [ELEMENT_INT8] = {"int8", 1},         [ELEMENT_UINT8] = {"uint8", 1},
    [ELEMENT_BOOL] = {"bool", 1},
};

size_t element_bytes(element_type type) { return elements[type].bytes; }
const char *element_name(element_type type) { return elements[type].name; }

/* The fraction and exponent of a half, moved up, are a float32 that is 2^112 times too small, subnormal halves
 * included; the product is exact. No branch, so that the compiler makes vectors of it: checkpoints are converted so. */
static inline float half_to_float(float16 bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x8000) << 16, magnitude = (uint32_t)(bits & 0x7fff) << 13;
    const uint32_t special = magnitude >= 0x7c00u << 13 ? 0x7f800000 : 0; /* infinite or not-a-number */
    float value;
    uint32_t wide;
    memcpy(&value, &magnitude, sizeof value);
    value *= 0x1p112f;
    memcpy(&wide, &value, sizeof wide);
    wide |= sign | special;
    memcpy(&value, &wide, sizeof value);
    return value;
}

float float16_to_float(float16 bits) { return half_to_float(bits); }

float16 float16_from_double(double value)
{
    const float16 sign = signbit(value) ? 0x8000 : 0;
    if (isnan(value)) return sign | 0x7e00;
    const double magnitude = fabs(value);
    if (magnitude == 0.0) return sign;              /* frexp gives no exponent to work with */
    if (magnitude >= 65520.0) return sign | 0x7c00; /* halfway between the largest half, 65504, and 65536 */
    int exponent;
    frexp(magnitude, &exponent);                                /* magnitude = m * 2^exponent, m in [0.5, 1) */
    const int unit = exponent - 11 < -24 ? -24 : exponent - 11; /* exponent of the last kept bit */
    const long steps = (long)rint(ldexp(magnitude, -unit));     /* rint: ties to even */
    if (unit == -24) return sign | (float16)steps;              /* subnormal, or the first normal one */
    return sign | (float16)(((unit + 25) << 10) + (steps - 1024));
}

void elements_to_float(element_type type, const void *from, size_t count, float *to)
{
#define CONVERT(kind, value)                                                                                           \
    do {                                                                                                               \
        const kind *x = from;                                                                                          \
        for (size_t i = 0; i < count; i++)                                                                             \
            to[i] = (float)(value);                                                                                    \
    } while (false)
    switch (type) {
    case ELEMENT_FLOAT32: memcpy(to, from, count * sizeof *to); break;
    case ELEMENT_BFLOAT16: CONVERT(bfloat16, bfloat16_to_float(x[i])); break;
    case ELEMENT_FLOAT16: CONVERT(float16, half_to_float(x[i])); break;
    case ELEMENT_FLOAT64: CONVERT(double, x[i]); break;
    case ELEMENT_INT64: CONVERT(int64_t, x[i]); break;
    case ELEMENT_INT32: CONVERT(int32_t, x[i]); break;
    case ELEMENT_INT16: CONVERT(int16_t, x[i]); break;
    case ELEMENT_INT8: CONVERT(int8_t, x[i]); break;
    case ELEMENT_UINT8:
    case ELEMENT_BOOL: CONVERT(uint8_t, x[i]); break;
    }
#undef CONVERT
}

void elements_from_float(element_type type, const float *from, size_t count, void *to)
{
    if (type == ELEMENT_FLOAT32) {
        memcpy(to, from, count * sizeof *from);
        return;
    }
    bfloat16 *out = to;
    for (size_t i = 0; i < count; i++)
        out[i] = bfloat16_from_float(from[i]);
}
