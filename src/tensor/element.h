/* Types of tensor elements, and the conversions between them. */
#ifndef SAT_TENSOR_ELEMENT_H
#define SAT_TENSOR_ELEMENT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum element_type {
    ELEMENT_FLOAT32,
    ELEMENT_BFLOAT16, /* the upper half of a float32 */
    ELEMENT_FLOAT16,
    ELEMENT_FLOAT64,
    ELEMENT_INT64,
    ELEMENT_INT32,
    ELEMENT_INT16,
    ELEMENT_INT8,
    ELEMENT_UINT8,
    ELEMENT_BOOL,
} element_type;

typedef uint16_t bfloat16; /* bits */
typedef uint16_t float16;  /* bits */

size_t element_bytes(element_type type);
/* "float32", "bfloat16", ...; static storage. */
const char *element_name(element_type type);

static inline float bfloat16_to_float(bfloat16 bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Nearest, ties to even; not-a-number stays one. */
static inline bfloat16 bfloat16_from_float(float value)
{
    uint32_t wide;
    memcpy(&wide, &value, sizeof wide);
    if ((wide & 0x7fffffffu) > 0x7f800000u) return (bfloat16)(wide >> 16 | 0x40u);
    return (bfloat16)((wide + 0x7fffu + (wide >> 16 & 1u)) >> 16);
}

/* IEEE half precision, subnormals included. */
float float16_to_float(float16 bits);
/* From double in one rounding: nearest, ties to even. */
float16 float16_from_double(double value);

/* `count` elements of any type to float32 / from float32 to float32 or bfloat16. Vectorised by the compiler. */
void elements_to_float(element_type type, const void *from, size_t count, float *to);
void elements_from_float(element_type type, const float *from, size_t count, void *to);

#endif
