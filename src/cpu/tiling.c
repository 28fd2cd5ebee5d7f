#include "cpu/tiling.h"

/* Rows shorter than this leave the matrix kernel's registers idle and read its weights too often (measured:
 * a bfloat16 convolution of 768 channels makes 300 GFLOP/s with rows of 3, 480 with rows of 9). */
enum { SHORT_ROW = 24 };

/* Loads are balanced for this many threads; with fewer they are balanced at least as well. */
enum { EXPECTED_THREADS = 16 };

/* Channels: one vector of sums, and the least that keeps the matrix kernel's speed (two of them). */
enum { GROUP_MULTIPLE = 16, GROUP_CHANNELS_MIN = 32 };

static int divide_up(int a, int b) { return (a + b - 1) / b; }

/* Innermost runs the last axis, whose voxels are neighbours in memory, unless it is short and another is longer. */
static void choose_axes(const int shape[3], bool keep, int axes[3])
{
    int inner = 2;
    if (!keep && shape[2] < SHORT_ROW)
        for (int i = 1; i >= 0; i--)
            if (shape[i] > shape[inner]) inner = i;
    int next = 0;
    for (int i = 0; i < 3; i++)
        if (i != inner) axes[next++] = i;
    axes[2] = inner;
}

/* Operations (or what takes as long) for the whole map with this cut. */
static double cost_of(const tiling *t, const tiling_costs *c)
{
    double tiles = 1, output = 1, input = 1;
    for (int i = 0; i < 3; i++) {
        tiles *= t->counts[i];
        output *= t->tile_shape[i];
        input *= (double)(t->tile_shape[i] - 1) * c->stride + c->reach;
    }
    if (input * c->input_bytes + output * c->output_bytes > c->bytes_limit) return -1;
    /* Measured: rows of 3, 6 and 9 take 1.7, 1.2 and 1.08 times as long as long ones. */
    const double row = t->tile_shape[2], row_overhead = 1 + 6 / (row * row);
    const double tile_work = output * (c->multiply_work * row_overhead + c->output_work) + input * c->input_work;
    const double rounds = (double)(((long)tiles * c->groups + EXPECTED_THREADS - 1) / EXPECTED_THREADS);
    return rounds * EXPECTED_THREADS * (tile_work / c->groups + c->task_work);
}

/* The next shorter length that still needs a new number of tiles: all worthwhile lengths, longest first. */
static int next_length(int extent, int length)
{
    int pieces = divide_up(extent, length) + 1;
    while (pieces <= extent && divide_up(extent, pieces) == length) pieces++;
    return pieces <= extent ? divide_up(extent, pieces) : 0;
}

static void set_length(tiling *t, int axis, int length)
{
    t->tile_shape[axis] = length;
    t->counts[axis] = divide_up(t->map_shape[axis], length);
}

tiling tiling_choose(const int output_shape_xyz[3], const tiling_costs *costs)
{
    tiling trial = {0}, best;
    choose_axes(output_shape_xyz, costs->keep_axes, trial.axes);
    for (int i = 0; i < 3; i++) {
        trial.map_shape[i] = output_shape_xyz[trial.axes[i]];
        set_length(&trial, i, 1);
    }
    best = trial; /* single voxels: when nothing larger keeps the limit */
    double least = -1;
    const int *n = trial.map_shape;
    for (int a = n[0]; a; a = next_length(n[0], a))
        for (int b = n[1]; b; b = next_length(n[1], b))
            for (int c = n[2]; c; c = next_length(n[2], c)) {
                set_length(&trial, 0, a);
                set_length(&trial, 1, b);
                set_length(&trial, 2, c);
                const double cost = cost_of(&trial, costs);
                if (cost >= 0 && (least < 0 || cost < least)) {
                    least = cost;
                    best = trial;
                }
            }
    best.tiles = best.counts[0] * best.counts[1] * best.counts[2];
    return best;
}

int tiling_group(int channels, double channel_bytes, double bytes_limit)
{
    int group = channels;
    for (int pieces = 1; channels / pieces >= GROUP_CHANNELS_MIN; pieces++) {
        if (channels % pieces || channels / pieces % GROUP_MULTIPLE) continue;
        group = channels / pieces;
        if (group * channel_bytes <= bytes_limit) break;
    }
    return group;
}

feature_map tiling_view(const tiling *t, const feature_map *map)
{
    feature_map view = *map;
    for (int i = 0; i < 3; i++) {
        view.shape_xyz[i] = map->shape_xyz[t->axes[i]];
        view.pitch_xyz[i] = map->pitch_xyz[t->axes[i]];
    }
    return view;
}

void tiling_tile(const tiling *t, int index, int origin[3], int inside[3])
{
    const int at[3] = {index / t->counts[2] / t->counts[1], index / t->counts[2] % t->counts[1], index % t->counts[2]};
    for (int i = 0; i < 3; i++) {
        origin[i] = at[i] * t->tile_shape[i];
        const int left = t->map_shape[i] - origin[i];
        inside[i] = left < t->tile_shape[i] ? left : t->tile_shape[i];
    }
}

size_t tiling_tile_voxels(const tiling *t)
{
    return (size_t)t->tile_shape[0] * (size_t)t->tile_shape[1] * (size_t)t->tile_shape[2];
}

size_t tiling_input_voxels(const tiling *t, int reach, int stride, int shape[3])
{
    size_t voxels = 1;
    for (int i = 0; i < 3; i++) {
        shape[i] = (t->tile_shape[i] - 1) * stride + reach;
        voxels *= (size_t)shape[i];
    }
    return voxels;
}

void tiling_share(int tasks, int thread, int threads, int *begin, int *end)
{
    *begin = (int)((long long)tasks * thread / threads);
    *end = (int)((long long)tasks * (thread + 1) / threads);
}
