/* Tiles with AVX2: lanes are channels. A row is cut into blocks of channels whose scales and shifts (or sums) stay in
 * registers while its voxels pass by. Channels beyond the last eight go one by one, through the twin's own lines. */
#if defined(__x86_64__)
#include "cpu/avx2/vector.h"
#include "cpu/levels.h"
#include "cpu/patches.h"
#include "cpu/plain/value.h"

/* ---------------------------------------------------------------- loads */

/* Channels [first, first + 8 * vectors) of every voxel; vectors: 1, 2 or 4. */
ALWAYS_INLINE void load_block(element_type from_type, element_type to_type, int vectors, const voxel_row *row,
                              const load_rule *rule, int first)
{
    __m256 scale[4], shift[4];
    const __m256 slope = _mm256_set1_ps(rule ? rule->slope : 0.0f);
    for (int i = 0; i < vectors && rule; i++) {
        scale[i] = _mm256_loadu_ps(rule->scale + first + 8 * i);
        shift[i] = _mm256_loadu_ps(rule->shift + first + 8 * i);
    }
    ptrdiff_t at = row->from_index + first, to = row->to_index + first;
    for (int v = 0; v < row->voxels; v++, at += row->from_pitch, to += row->to_pitch) {
        __m256 x[4];
        for (int i = 0; i < vectors; i++) {
            x[i] = eight_read(from_type, row->from, at + 8 * i);
            if (i % (from_type == ELEMENT_FLOAT32 ? 2 : 4) == 0)
                fetch(from_type, row->from, at + 8 * i + row->ahead, false);
            if (rule) x[i] = rule_lanes(x[i], scale[i], shift[i], slope);
        }
        if (to_type == ELEMENT_FLOAT32)
            for (int i = 0; i < vectors; i++)
                _mm256_storeu_ps((float *)row->to + to + 8 * i, x[i]);
        else if (vectors == 1)
            _mm_storeu_si128((__m128i *)((bfloat16 *)row->to + to), round_eight(x[0]));
        else
            for (int i = 0; i < vectors; i += 2)
                _mm256_storeu_si256((__m256i *)((bfloat16 *)row->to + to + 8 * i), round_sixteen(x[i], x[i + 1]));
    }
}

ALWAYS_INLINE void load_rest(element_type from_type, element_type to_type, const voxel_row *row, const load_rule *rule,
                             int first)
{
    ptrdiff_t at = row->from_index, to = row->to_index;
    for (int v = 0; v < row->voxels; v++, at += row->from_pitch, to += row->to_pitch)
        for (int c = first; c < row->channels; c++) {
            const float x = value_read(from_type, row->from, at + c);
            value_write(to_type, row->to, to + c, rule ? rule_apply(rule, c, x) : x);
        }
}

ALWAYS_INLINE void load_channels(element_type from_type, element_type to_type, const voxel_row *row,
                                 const load_rule *rule)
{
    int c = 0;
    for (; c + 32 <= row->channels; c += 32)
        load_block(from_type, to_type, 4, row, rule, c);
    for (; c + 16 <= row->channels; c += 16)
        load_block(from_type, to_type, 2, row, rule, c);
    for (; c + 8 <= row->channels; c += 8)
        load_block(from_type, to_type, 1, row, rule, c);
    if (c < row->channels) load_rest(from_type, to_type, row, rule, c);
}

static void row_load(element_type from_type, element_type to_type, const voxel_row *row, const load_rule *rule)
{
    if (rule) {
        if (from_type == ELEMENT_BFLOAT16 && to_type == ELEMENT_BFLOAT16)
            load_channels(ELEMENT_BFLOAT16, ELEMENT_BFLOAT16, row, rule);
        else if (from_type == ELEMENT_BFLOAT16)
            load_channels(ELEMENT_BFLOAT16, ELEMENT_FLOAT32, row, rule);
        else if (to_type == ELEMENT_BFLOAT16)
            load_channels(ELEMENT_FLOAT32, ELEMENT_BFLOAT16, row, rule);
        else
            load_channels(ELEMENT_FLOAT32, ELEMENT_FLOAT32, row, rule);
    } else if (from_type == to_type) {
        row_copy(row, element_bytes(from_type));
    } else {
        const voxel_row joined = row_joined(row);
        if (from_type == ELEMENT_BFLOAT16)
            load_channels(ELEMENT_BFLOAT16, ELEMENT_FLOAT32, &joined, NULL);
        else
            load_channels(ELEMENT_FLOAT32, ELEMENT_BFLOAT16, &joined, NULL);
    }
}

/* ---------------------------------------------------------------- stores */

/* Eight channels' statistics, in registers. */
typedef struct lane_statistics {
    __m256d sum[2], square[2]; /* lanes 0 to 3, 4 to 7 */
    __m256 minimum, maximum;
} lane_statistics;

ALWAYS_INLINE lane_statistics statistics_read(const channel_statistics *s, int c)
{
    return (lane_statistics){
        .sum = {_mm256_loadu_pd(s->sum + c), _mm256_loadu_pd(s->sum + c + 4)},
        .square = {_mm256_loadu_pd(s->square + c), _mm256_loadu_pd(s->square + c + 4)},
        .minimum = _mm256_loadu_ps(s->minimum + c),
        .maximum = _mm256_loadu_ps(s->maximum + c),
    };
}

ALWAYS_INLINE void statistics_write(channel_statistics *s, int c, const lane_statistics *from)
{
    _mm256_storeu_pd(s->sum + c, from->sum[0]);
    _mm256_storeu_pd(s->sum + c + 4, from->sum[1]);
    _mm256_storeu_pd(s->square + c, from->square[0]);
    _mm256_storeu_pd(s->square + c + 4, from->square[1]);
    _mm256_storeu_ps(s->minimum + c, from->minimum);
    _mm256_storeu_ps(s->maximum + c, from->maximum);
}

/* The square of a float is exact in double, so the fused form has the bits of the separate one. min and max give
 * their second operand when one is not-a-number: then the old value stays, as in the twin. */
ALWAYS_INLINE void statistics_take(lane_statistics *s, __m256 value)
{
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(value));
    const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(value, 1));
    s->sum[0] = _mm256_add_pd(s->sum[0], low);
    s->sum[1] = _mm256_add_pd(s->sum[1], high);
    s->square[0] = _mm256_fmadd_pd(low, low, s->square[0]);
    s->square[1] = _mm256_fmadd_pd(high, high, s->square[1]);
    s->minimum = _mm256_min_ps(value, s->minimum);
    s->maximum = _mm256_max_ps(value, s->maximum);
}

/* Channels [first, first + 8 * vectors), vectors 1 or 2. */
ALWAYS_INLINE void store_block(element_type to_type, int vectors, const voxel_row *row, channel_statistics *statistics,
                               int first)
{
    lane_statistics taken[2];
    for (int i = 0; i < vectors; i++)
        taken[i] = statistics_read(statistics, first + 8 * i);
    ptrdiff_t at = row->from_index + first, to = row->to_index + first;
    for (int v = 0; v < row->voxels; v++, at += row->from_pitch, to += row->to_pitch) {
        __m256 x[2];
        for (int i = 0; i < vectors; i++)
            x[i] = eight_read(ELEMENT_FLOAT32, row->from, at + 8 * i);
        fetch(to_type, row->to, to + row->ahead, true);
        if (to_type == ELEMENT_FLOAT32) {
            for (int i = 0; i < vectors; i++)
                _mm256_storeu_ps((float *)row->to + to + 8 * i, x[i]);
        } else {
            const __m256i bits = round_sixteen(x[0], x[vectors - 1]);
            x[0] = widen(_mm256_castsi256_si128(bits));
            if (vectors == 2) {
                x[1] = widen(_mm256_extracti128_si256(bits, 1));
                _mm256_storeu_si256((__m256i *)((bfloat16 *)row->to + to), bits);
            } else {
                _mm_storeu_si128((__m128i *)((bfloat16 *)row->to + to), _mm256_castsi256_si128(bits));
            }
        }
        for (int i = 0; i < vectors; i++)
            statistics_take(&taken[i], x[i]);
    }
    for (int i = 0; i < vectors; i++)
        statistics_write(statistics, first + 8 * i, &taken[i]);
}

ALWAYS_INLINE void store_rest(element_type to_type, const voxel_row *row, channel_statistics *statistics, int first)
{
    ptrdiff_t at = row->from_index, to = row->to_index;
    for (int v = 0; v < row->voxels; v++, at += row->from_pitch, to += row->to_pitch)
        for (int c = first; c < row->channels; c++) {
            value_write(to_type, row->to, to + c, ((const float *)row->from)[at + c]);
            statistics_add(statistics, c, value_read(to_type, row->to, to + c));
        }
}

ALWAYS_INLINE void store_channels(element_type to_type, const voxel_row *row, channel_statistics *statistics)
{
    int c = 0;
    for (; c + 16 <= row->channels; c += 16)
        store_block(to_type, 2, row, statistics, c);
    for (; c + 8 <= row->channels; c += 8)
        store_block(to_type, 1, row, statistics, c);
    if (c < row->channels) store_rest(to_type, row, statistics, c);
}

static void row_store(element_type to_type, const voxel_row *row, channel_statistics *statistics)
{
    if (to_type == ELEMENT_BFLOAT16)
        store_channels(ELEMENT_BFLOAT16, row, statistics);
    else
        store_channels(ELEMENT_FLOAT32, row, statistics);
}

/* ---------------------------------------------------------------- the table */

static void load(const feature_map *from, const load_rule *rule, const int origin_xyz[3], const int shape_xyz[3],
                 element_type type, void *tile, int tile_channels, int channel_offset)
{
    box_load(row_load, from, rule, origin_xyz, shape_xyz, type, tile, tile_channels, channel_offset);
}

static void load_patches(const feature_map *from, const load_rule *rule, const int origin_xyz[3],
                         const int shape_xyz[3], int stride, element_type type, void *rows, int row_length)
{
    patches_by_boxes(load, tile_kernels_plain.load_patches, from, rule, origin_xyz, shape_xyz, stride, type, rows,
                     row_length);
}

static void store(const float *tile, const int tile_shape_xyz[3], const int shape_xyz[3], const int origin_xyz[3],
                  feature_map *to, channel_statistics *statistics)
{
    box_store(row_store, row_load, tile, tile_shape_xyz, shape_xyz, origin_xyz, to, statistics);
}

const tile_kernels tile_kernels_avx2 = {load, load_patches, store};

#endif
