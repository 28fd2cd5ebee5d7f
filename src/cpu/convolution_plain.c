/* The definitions of the convolutions. */
#include "cpu/convolution.h"

/* A value of a map after its load rule; 0 outside. */
static double loaded(const feature_map *map, const load_rule *rule, int x, int y, int z, int channel)
{
    const int *n = map->shape_xyz;
    if (x < 0 || y < 0 || z < 0 || x >= n[0] || y >= n[1] || z >= n[2]) return 0;
    const ptrdiff_t at = x * map->pitch_xyz[0] + y * map->pitch_xyz[1] + z * map->pitch_xyz[2] + channel;
    float value = map->type == ELEMENT_BFLOAT16 ? bfloat16_to_float(((const bfloat16 *)map->data)[at])
                                                : ((const float *)map->data)[at];
    if (rule && rule->scale) {
        value = __builtin_fmaf(rule->scale[channel], value, rule->shift[channel]);
        if (value < 0) value *= rule->slope;
    }
    return value;
}

static void stored(feature_map *map, int x, int y, int z, int channel, double value)
{
    const ptrdiff_t at = x * map->pitch_xyz[0] + y * map->pitch_xyz[1] + z * map->pitch_xyz[2] + channel;
    if (map->type == ELEMENT_BFLOAT16)
        ((bfloat16 *)map->data)[at] = bfloat16_from_float((float)value);
    else
        ((float *)map->data)[at] = (float)value;
}

void convolution_plain(const convolution_shape *shape, const feature_map *sources, const load_rule *rules,
                       const float *weights, const float *bias, feature_map *out)
{
    const int stride = shape->stride, *n = out->shape_xyz;
    for (int x = 0; x < n[0]; x++)
        for (int y = 0; y < n[1]; y++)
            for (int z = 0; z < n[2]; z++)
                for (int o = 0; o < shape->output_channels; o++) {
                    double sum = bias ? bias[o] : 0;
                    const float *w = weights;
                    int all_channels = 0;
                    for (int s = 0; s < shape->source_count; s++) all_channels += shape->source_channels[s];
                    w += (size_t)o * (size_t)all_channels * 27;
                    for (int s = 0; s < shape->source_count; s++)
                        for (int c = 0; c < shape->source_channels[s]; c++, w += 27)
                            for (int tap = 0; tap < 27; tap++)
                                sum += w[tap] * loaded(&sources[s], rules ? &rules[s] : NULL,
                                                       stride * x + tap / 9 - 1, stride * y + tap / 3 % 3 - 1,
                                                       stride * z + tap % 3 - 1, c);
                    stored(out, x, y, z, o, sum);
                }
}

void upsampling_plain(const feature_map *source, const load_rule *rule, const float *weights, const float *bias,
                      feature_map *out)
{
    const int *n = out->shape_xyz;
    for (int x = 0; x < n[0]; x++)
        for (int y = 0; y < n[1]; y++)
            for (int z = 0; z < n[2]; z++)
                for (int o = 0; o < out->channels; o++) {
                    double sum = bias ? bias[o] : 0;
                    for (int i = 0; i < source->channels; i++)
                        sum += loaded(source, rule, x / 2, y / 2, z / 2, i) *
                               weights[((size_t)i * (size_t)out->channels + (size_t)o) * 8 +
                                       (size_t)(x % 2 * 4 + y % 2 * 2 + z % 2)];
                    stored(out, x, y, z, o, sum);
                }
}
