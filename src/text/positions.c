#include "text/positions.h"

#include <float.h>
#include <stddef.h>

enum { MPNET_PADDING = 1 }; /* by number, as the tower was trained; MPNet's vocabularies call it <pad> */

void position_rows(text_kind kind, const int32_t *ids, int count, int32_t *rows)
{
    int32_t real = 0;
    for (int i = 0; i < count; i++) {
        if (kind == TEXT_BERT) {
            rows[i] = i;
        } else {
            const bool padding = ids[i] == MPNET_PADDING;
            real += !padding;
            rows[i] = padding ? MPNET_PADDING : MPNET_PADDING + real;
        }
    }
}

int position_row_limit(text_kind kind, int count) { return kind == TEXT_BERT ? count - 1 : MPNET_PADDING + count; }

int position_bucket(int distance)
{
    const int half = POSITION_BUCKETS / 2, exact = half / 2; /* 0 ... 7 have buckets of their own */
    const int64_t size = distance < 0 ? -(int64_t)distance : distance;
    int bucket = (int)(size < exact ? size : exact);
    /* From 8 on bucket b begins where size^2 >= 64 * 2^(b - 8): buckets double in width every two. */
    while (size >= exact && bucket < half - 1 && size * size >= (int64_t)exact * exact << (bucket + 1 - exact))
        bucket++;
    return bucket + (distance > 0 ? half : 0);
}

bool position_counts(text_kind kind, int32_t id) { return kind != TEXT_MPNET || id != 0; }

void position_bias(const float *table, int heads, const int32_t *ids, int count, float *bias)
{
    for (int h = 0; h < heads; h++)
        for (int query = 0; query < count; query++)
            for (int key = 0; key < count; key++) {
                const bool counts = !ids || position_counts(TEXT_MPNET, ids[key]);
                *bias++ = counts ? table[position_bucket(key - query) * heads + h] : -FLT_MAX;
            }
}
