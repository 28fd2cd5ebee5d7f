/* Rows of voxels with AVX-512: lanes are channels. A row is cut into blocks of channels whose scales and shifts (or
 * sums) stay in registers while its voxels pass by. `round` is how a level turns float32 into bfloat16. */
#ifndef SAT_CPU_AVX512_TILE_INLINE_H
#define SAT_CPU_AVX512_TILE_INLINE_H

#include "cpu/avx512/vector.h"

/* ---------------------------------------------------------------- loads */

/* Channels [first, first + 16 * vectors) of every voxel, of the last vector only the lanes `last`.
 * vectors: 1, 2 or 4; more than one: all lanes. */
ALWAYS_INLINE void load_block(element_type from_type, element_type to_type, int vectors, round_kernel *round,
                              const voxel_row *row, const load_rule *rule, int first, __mmask16 last)
{
    __m512 scale[4], shift[4];
    const __m512 slope = _mm512_set1_ps(rule ? rule->slope : 0.0f);
    for (int i = 0; i < vectors && rule; i++) {
        scale[i] = lanes_read(ELEMENT_FLOAT32, rule->scale, first + 16 * i, last);
        shift[i] = lanes_read(ELEMENT_FLOAT32, rule->shift, first + 16 * i, last);
    }
    ptrdiff_t at = row->from_index + first, to = row->to_index + first;
    for (int v = 0; v < row->voxels; v++, at += row->from_pitch, to += row->to_pitch) {
        __m512 x[4];
        for (int i = 0; i < vectors; i++) {
            x[i] = lanes_read(from_type, row->from, at + 16 * i, last);
            if (from_type == ELEMENT_FLOAT32 || i % 2 == 0)
                fetch(from_type, row->from, at + 16 * i + row->ahead, false);
            if (rule) x[i] = rule_lanes(x[i], scale[i], shift[i], slope);
        }
        if (to_type == ELEMENT_FLOAT32)
            for (int i = 0; i < vectors; i++)
                floats_write((float *)row->to + to + 16 * i, x[i], last);
        else if (vectors == 1)
            halves_write((bfloat16 *)row->to + to, _mm512_castsi512_si256(round(x[0], x[0])), last);
        else
            for (int i = 0; i < vectors; i += 2)
                _mm512_storeu_si512((bfloat16 *)row->to + to + 16 * i, round(x[i], x[i + 1]));
    }
}

ALWAYS_INLINE void load_channels(element_type from_type, element_type to_type, round_kernel *round,
                                 const voxel_row *row, const load_rule *rule)
{
    int c = 0;
    for (; c + 64 <= row->channels; c += 64)
        load_block(from_type, to_type, 4, round, row, rule, c, ALL_LANES);
    for (; c + 32 <= row->channels; c += 32)
        load_block(from_type, to_type, 2, round, row, rule, c, ALL_LANES);
    for (; c + 16 <= row->channels; c += 16)
        load_block(from_type, to_type, 1, round, row, rule, c, ALL_LANES);
    if (c < row->channels) load_block(from_type, to_type, 1, round, row, rule, c, first_lanes(row->channels - c));
}

/* row_load_kernel. */
ALWAYS_INLINE void load_row(element_type from_type, element_type to_type, round_kernel *round, const voxel_row *row,
                            const load_rule *rule)
{
    if (rule) {
        if (from_type == ELEMENT_BFLOAT16 && to_type == ELEMENT_BFLOAT16)
            load_channels(ELEMENT_BFLOAT16, ELEMENT_BFLOAT16, round, row, rule);
        else if (from_type == ELEMENT_BFLOAT16)
            load_channels(ELEMENT_BFLOAT16, ELEMENT_FLOAT32, round, row, rule);
        else if (to_type == ELEMENT_BFLOAT16)
            load_channels(ELEMENT_FLOAT32, ELEMENT_BFLOAT16, round, row, rule);
        else
            load_channels(ELEMENT_FLOAT32, ELEMENT_FLOAT32, round, row, rule);
    } else if (from_type == to_type) {
        row_copy(row, element_bytes(from_type));
    } else {
        const voxel_row joined = row_joined(row);
        if (from_type == ELEMENT_BFLOAT16)
            load_channels(ELEMENT_BFLOAT16, ELEMENT_FLOAT32, round, &joined, NULL);
        else
            load_channels(ELEMENT_FLOAT32, ELEMENT_BFLOAT16, round, &joined, NULL);
    }
}

/* ---------------------------------------------------------------- stores */

/* Sixteen channels' statistics, in registers. */
typedef struct lane_statistics {
    __m512d sum[2], square[2]; /* lanes 0 to 7, 8 to 15 */
    __m512 minimum, maximum;
} lane_statistics;

ALWAYS_INLINE lane_statistics statistics_read(const channel_statistics *s, int c, __mmask16 lanes)
{
    const __mmask8 low = (__mmask8)lanes, high = (__mmask8)(lanes >> 8);
    return (lane_statistics){
        .sum = {_mm512_maskz_loadu_pd(low, s->sum + c), _mm512_maskz_loadu_pd(high, s->sum + c + 8)},
        .square = {_mm512_maskz_loadu_pd(low, s->square + c), _mm512_maskz_loadu_pd(high, s->square + c + 8)},
        .minimum = _mm512_maskz_loadu_ps(lanes, s->minimum + c),
        .maximum = _mm512_maskz_loadu_ps(lanes, s->maximum + c),
    };
}

ALWAYS_INLINE void statistics_write(channel_statistics *s, int c, __mmask16 lanes, const lane_statistics *from)
{
    const __mmask8 low = (__mmask8)lanes, high = (__mmask8)(lanes >> 8);
    _mm512_mask_storeu_pd(s->sum + c, low, from->sum[0]);
    _mm512_mask_storeu_pd(s->sum + c + 8, high, from->sum[1]);
    _mm512_mask_storeu_pd(s->square + c, low, from->square[0]);
    _mm512_mask_storeu_pd(s->square + c + 8, high, from->square[1]);
    _mm512_mask_storeu_ps(s->minimum + c, lanes, from->minimum);
    _mm512_mask_storeu_ps(s->maximum + c, lanes, from->maximum);
}

/* The square of a float is exact in double, so the fused form has the bits of the separate one. min and max give
 * their second operand when one is not-a-number: then the old value stays, as in the twin. */
ALWAYS_INLINE void statistics_take(lane_statistics *s, __m512 value)
{
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(value));
    const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(value, 1));
    s->sum[0] = _mm512_add_pd(s->sum[0], low);
    s->sum[1] = _mm512_add_pd(s->sum[1], high);
    s->square[0] = _mm512_fmadd_pd(low, low, s->square[0]);
    s->square[1] = _mm512_fmadd_pd(high, high, s->square[1]);
    s->minimum = _mm512_min_ps(value, s->minimum);
    s->maximum = _mm512_max_ps(value, s->maximum);
}

/* Channels [first, first + 16 * vectors), vectors 1 or 2; one: only the lanes `last`. */
ALWAYS_INLINE void store_block(element_type to_type, int vectors, round_kernel *round, const voxel_row *row,
                               channel_statistics *statistics, int first, __mmask16 last)
{
    lane_statistics taken[2];
    for (int i = 0; i < vectors; i++)
        taken[i] = statistics_read(statistics, first + 16 * i, last);
    ptrdiff_t at = row->from_index + first, to = row->to_index + first;
    for (int v = 0; v < row->voxels; v++, at += row->from_pitch, to += row->to_pitch) {
        __m512 x[2];
        for (int i = 0; i < vectors; i++) {
            x[i] = lanes_read(ELEMENT_FLOAT32, row->from, at + 16 * i, last);
            if (to_type == ELEMENT_FLOAT32 || i == 0) fetch(to_type, row->to, to + 16 * i + row->ahead, true);
        }
        if (to_type == ELEMENT_FLOAT32) {
            for (int i = 0; i < vectors; i++)
                floats_write((float *)row->to + to + 16 * i, x[i], last);
        } else {
            const __m512i bits = round(x[0], x[vectors - 1]);
            x[0] = widen(_mm512_castsi512_si256(bits));
            if (vectors == 2) {
                x[1] = widen(_mm512_extracti64x4_epi64(bits, 1));
                _mm512_storeu_si512((bfloat16 *)row->to + to, bits);
            } else {
                halves_write((bfloat16 *)row->to + to, _mm512_castsi512_si256(bits), last);
            }
        }
        for (int i = 0; i < vectors; i++)
            statistics_take(&taken[i], x[i]);
    }
    for (int i = 0; i < vectors; i++)
        statistics_write(statistics, first + 16 * i, last, &taken[i]);
}

ALWAYS_INLINE void store_channels(element_type to_type, round_kernel *round, const voxel_row *row,
                                  channel_statistics *statistics)
{
    int c = 0;
    for (; c + 32 <= row->channels; c += 32)
        store_block(to_type, 2, round, row, statistics, c, ALL_LANES);
    for (; c < row->channels; c += 16)
        store_block(to_type, 1, round, row, statistics, c, first_lanes(row->channels - c));
}

/* row_store_kernel. */
ALWAYS_INLINE void store_row(element_type to_type, round_kernel *round, const voxel_row *row,
                             channel_statistics *statistics)
{
    if (to_type == ELEMENT_BFLOAT16)
        store_channels(ELEMENT_BFLOAT16, round, row, statistics);
    else
        store_channels(ELEMENT_FLOAT32, round, row, statistics);
}

#endif
