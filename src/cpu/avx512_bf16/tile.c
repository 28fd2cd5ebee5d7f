/* Tiles with AVX-512 and its bfloat16 conversion. */
#if defined(__x86_64__)
#include "cpu/avx512/tile_inline.h"
#include "cpu/levels.h"
#include "cpu/patches.h"

/* vcvtne2ps2bf16 is bfloat16_from_float but for subnormal values, which it takes for zero. A zero in its result is
 * therefore looked at again, by integers; after a norm there is hardly ever one. */
ALWAYS_INLINE __m512i round_by_instruction(__m512 low, __m512 high)
{
    const __m512i bits = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    const __mmask32 zeros = _mm512_testn_epi16_mask(bits, _mm512_set1_epi16(0x7fff));
    if (__builtin_expect(zeros != 0, 0)) return round_by_integers(low, high);
    return bits;
}

static void row_load(element_type from_type, element_type to_type, const voxel_row *row, const load_rule *rule)
{
    load_row(from_type, to_type, round_by_instruction, row, rule);
}

static void row_store(element_type to_type, const voxel_row *row, channel_statistics *statistics)
{
    store_row(to_type, round_by_instruction, row, statistics);
}

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

const tile_kernels tile_kernels_avx512_bf16 = {load, load_patches, store};

#endif
