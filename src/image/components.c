#include "image/components.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_SLICES = 16 }; /* slices whose runs are joined by one thread */

/* Voxels [from, to) of a row, and while joining the number of a run of the same part that comes no later; then the part's number. */
typedef struct run {
    int32_t from, to;
    uint32_t part;
} run;

typedef struct search {
    uint8_t *mask;
    const int64_t *shape;
    int64_t first[3], size[3]; /* of the box                                              */
    size_t rows;               /* in the box: [k][j]                                      */
    uint32_t *row_runs;        /* [rows + 1]: where each row's runs begin                 */
    run *runs;
    int64_t *part_voxels;      /* of each part                                            */
    uint32_t run_count, parts;
    int threads;
} search;

static size_t most_runs(const int64_t size[3]) { return (size_t)((size[0] + 1) / 2) * (size_t)size[1] * (size_t)size[2]; }

size_t components_bytes(const int64_t size[3])
{
    /* isolated voxels are the most parts: one in each 2 x 2 x 2 */
    const size_t parts = (size_t)((size[0] + 1) / 2) * (size_t)((size[1] + 1) / 2) * (size_t)((size[2] + 1) / 2);
    return ((size_t)size[1] * (size_t)size[2] + 1) * sizeof(uint32_t) + most_runs(size) * sizeof(run) + parts * sizeof(int64_t);
}

/* ---------------------------------------------------------------- runs */

/* The first voxel at or after `i` that is (not) 0; eight at a time where they agree. */
static int64_t next_voxel(const uint8_t *row, int64_t i, int64_t count, bool set)
{
    const uint64_t same = set ? 0 : 0x0101010101010101u;
    for (uint64_t eight; i + 8 <= count; i += 8) {
        memcpy(&eight, row + i, sizeof eight);
        if (eight != same) break;
    }
    while (i < count && (row[i] != 0) != set)
        i++;
    return i;
}

static const uint8_t *row_at(const search *s, size_t row)
{
    const int64_t j = s->first[1] + (int64_t)row % s->size[1], k = s->first[2] + (int64_t)row / s->size[1];
    return s->mask + (k * s->shape[1] + j) * s->shape[0] + s->first[0];
}

/* The runs of a row, into `runs` unless that is NULL; returns how many. */
static uint32_t runs_of_row(const search *s, size_t row, run *runs)
{
    const uint8_t *voxels = row_at(s, row);
    uint32_t count = 0;
    for (int64_t from = next_voxel(voxels, 0, s->size[0], true), to; from < s->size[0]; from = next_voxel(voxels, to, s->size[0], true)) {
        to = next_voxel(voxels, from, s->size[0], false);
        if (runs) runs[count] = (run){.from = (int32_t)from, .to = (int32_t)to};
        count++;
    }
    return count;
}

static sat_status find_runs(search *s, sat_error *error)
{
    s->row_runs = malloc((s->rows + 1) * sizeof *s->row_runs);
    if (!s->row_runs) return sat_fail(error, SAT_NO_MEMORY, "no memory for the connected parts of a mask");
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (size_t row = 0; row < s->rows; row++)
        s->row_runs[row] = runs_of_row(s, row, NULL);
    for (size_t row = 0; row < s->rows; row++) {
        const uint32_t here = s->row_runs[row];
        s->row_runs[row] = s->run_count;
        s->run_count += here;
    }
    s->row_runs[s->rows] = s->run_count;
    s->runs = malloc(((size_t)s->run_count + 1) * sizeof *s->runs);
    if (!s->runs) return sat_fail(error, SAT_NO_MEMORY, "no memory for the connected parts of a mask of %u runs", (unsigned)s->run_count);
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (size_t row = 0; row < s->rows; row++) {
        runs_of_row(s, row, s->runs + s->row_runs[row]);
        for (uint32_t n = s->row_runs[row]; n < s->row_runs[row + 1]; n++)
            s->runs[n].part = n;
    }
    return SAT_OK;
}

/* ---------------------------------------------------------------- joining */

static uint32_t root_of(run *runs, uint32_t n)
{
    while (runs[n].part != n) {
        runs[n].part = runs[runs[n].part].part; /* paths halve on the way */
        n = runs[n].part;
    }
    return n;
}

static void join(run *runs, uint32_t a, uint32_t b)
{
    a = root_of(runs, a);
    b = root_of(runs, b);
    if (a < b) runs[b].part = a;
    else runs[a].part = b;
}

/* Runs of two rows that touch: [a.from, a.to) and [b.from, b.to) at most one voxel apart. */
static void join_rows(search *s, size_t one, size_t other)
{
    uint32_t a = s->row_runs[one], b = s->row_runs[other];
    while (a < s->row_runs[one + 1] && b < s->row_runs[other + 1]) {
        if (s->runs[a].from <= s->runs[b].to && s->runs[b].from <= s->runs[a].to) join(s->runs, a, b);
        if (s->runs[a].to < s->runs[b].to) a++;
        else b++;
    }
}

/* Slice k with the slice before it. */
static void join_slices(search *s, int64_t k)
{
    for (int64_t j = 0; j < s->size[1]; j++)
        for (int64_t before = j > 0 ? j - 1 : 0; before <= j + 1 && before < s->size[1]; before++)
            join_rows(s, (size_t)(k * s->size[1] + j), (size_t)((k - 1) * s->size[1] + before));
}

/* Chunks of slices each for itself, then where they meet: roots are the parts' first runs either way. */
static void join_all(search *s)
{
    const int64_t slices = s->size[2], chunks = (slices + CHUNK_SLICES - 1) / CHUNK_SLICES;
#pragma omp parallel for num_threads(s->threads) schedule(dynamic)
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        for (int64_t k = chunk * CHUNK_SLICES; k < (chunk + 1) * CHUNK_SLICES && k < slices; k++) {
            for (int64_t j = 1; j < s->size[1]; j++)
                join_rows(s, (size_t)(k * s->size[1] + j), (size_t)(k * s->size[1] + j - 1));
            if (k > chunk * CHUNK_SLICES) join_slices(s, k);
        }
    for (int64_t k = CHUNK_SLICES; k < slices; k += CHUNK_SLICES)
        join_slices(s, k);
}

/* Parts get numbers in the file's order (a root comes before all that point to it), and their voxels are counted. */
static sat_status number_parts(search *s, sat_error *error)
{
    for (uint32_t n = 0; n < s->run_count; n++)
        s->runs[n].part = s->runs[n].part == n ? s->parts++ : s->runs[s->runs[n].part].part;
    s->part_voxels = calloc((size_t)s->parts + 1, sizeof *s->part_voxels);
    if (!s->part_voxels) return sat_fail(error, SAT_NO_MEMORY, "no memory for the %u connected parts of a mask", (unsigned)s->parts);
    for (uint32_t n = 0; n < s->run_count; n++)
        s->part_voxels[s->runs[n].part] += s->runs[n].to - s->runs[n].from;
    return SAT_OK;
}

/* ---------------------------------------------------------------- removing */

/* Unwanted parts get 0 voxels. */
static void judge_parts(search *s, const components_rule *rule, components_report *report)
{
    uint32_t largest = 0;
    for (uint32_t p = 1; p < s->parts; p++)
        if (s->part_voxels[p] > s->part_voxels[largest]) largest = p;
    for (uint32_t p = 0; p < s->parts; p++) {
        report->parts++;
        report->voxels += s->part_voxels[p];
        if (s->part_voxels[p] >= rule->least_voxels && (!rule->largest || p == largest)) continue;
        report->parts_removed++;
        report->voxels_removed += s->part_voxels[p];
        s->part_voxels[p] = 0;
    }
}

static void remove_runs(const search *s)
{
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (size_t row = 0; row < s->rows; row++) {
        uint8_t *voxels = s->mask + (row_at(s, row) - s->mask);
        for (uint32_t n = s->row_runs[row]; n < s->row_runs[row + 1]; n++)
            if (s->part_voxels[s->runs[n].part] == 0) memset(voxels + s->runs[n].from, 0, (size_t)(s->runs[n].to - s->runs[n].from));
    }
}

sat_status components_filter(uint8_t *mask, const int64_t shape[3], const int64_t box[3][2], const components_rule *rule, int threads,
                             components_report *report, sat_error *error)
{
    search s = {.mask = mask, .shape = shape, .threads = threads};
    *report = (components_report){0};
    for (int a = 0; a < 3; a++) {
        s.first[a] = box[a][0];
        s.size[a] = box[a][1] - box[a][0];
        if (s.size[a] < 1) return SAT_OK;
    }
    s.rows = (size_t)s.size[1] * (size_t)s.size[2];
    if (most_runs(s.size) >= UINT32_MAX)
        return sat_fail(error, SAT_NO_MEMORY, "a mask of %lld x %lld x %lld voxels is too large to look for connected parts",
                        (long long)s.size[0], (long long)s.size[1], (long long)s.size[2]);
    sat_status status = find_runs(&s, error);
    if (status == SAT_OK) {
        join_all(&s);
        status = number_parts(&s, error);
    }
    if (status == SAT_OK) {
        judge_parts(&s, rule, report);
        if (report->parts_removed) remove_runs(&s);
    }
    free(s.row_runs);
    free(s.runs);
    free(s.part_voxels);
    return status;
}
