/* Reading and writing volumes, against zlib in one thread: a drawn CT of 512 x 512 x 300 int16 voxels, and a mask on it.
 *
 *   bench_volume_io [slices [threads]]
 *
 * Medians of alternated runs; each line names the ratio first. Files lie in $TMPDIR, else /tmp, and are read and
 * written through the page cache. */
#define _DEFAULT_SOURCE /* mkdtemp */
#include "base/clock.h"
#include "image/nifti.h"
#include "image/volume_file.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { NX = 512, NY = 512, RUNS = 5, BUFFER = 1 << 20 };

static size_t slices = 300, voxels;
static int threads;
static char folder[256];

static void die(const char *what)
{
    fprintf(stderr, "bench_volume_io: %s\n", what);
    exit(1);
}

static uint32_t noise(uint64_t n)
{
    n = (n ^ n >> 31) * 0x9e3779b97f4a7c15u;
    n = (n ^ n >> 29) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(n >> 32);
}

/* A body of water and lungs with noise of about 20 HU in air, and one compact organ; 1 for voxels of the organ. */
static void draw(int16_t *ct, unsigned char *mask)
{
#pragma omp parallel for num_threads(threads)
    for (size_t k = 0; k < slices; k++)
        for (size_t j = 0; j < NY; j++)
            for (size_t i = 0; i < NX; i++) {
                const size_t n = (k * NY + j) * NX + i;
                const double x = ((double)i - 256) / 200, y = ((double)j - 256) / 140;
                const double z = ((double)k - (double)slices / 2) / (double)slices;
                double value = -1000;
                if (x * x + y * y < 1) value = 40;
                if ((x + 0.4) * (x + 0.4) + y * y + z * z < 0.1 || (x - 0.45) * (x - 0.45) + y * y < 0.08) value = -850;
                const bool organ = (x - 0.1) * (x - 0.1) + (y - 0.5) * (y - 0.5) + 4 * z * z < 0.09;
                if (organ) value = 110;
                const uint32_t bits = noise(n);
                value += (double)(bits % 41 + bits / 41 % 41 + bits / 1681 % 41) / 1.5 - 40;
                ct[n] = (int16_t)(value < -1024 ? -1024 : value);
                mask[n] = organ;
            }
}

/* ---- what is measured ---- */

typedef struct job {
    const char *path;
    const void *voxels;
    voxel_type type;
    int level, threads;
} job;

static void write_ours(const job *j)
{
    const geometry grid = {{NX, NY, (int64_t)slices}, {{-0.8, 0, 0, 200}, {0, -0.8, 0, 200}, {0, 0, 1, -150}}};
    const nifti_write_options options = {.threads = j->threads, .level = j->level};
    sat_error error = {0};
    if (nifti_write(j->path, &grid, j->type, j->voxels, &options, NULL, &error) != SAT_OK) die(error.message);
}

static void write_zlib(const job *j)
{
    char mode[8];
    snprintf(mode, sizeof mode, "wb%d", j->level);
    gzFile file = gzopen(j->path, mode);
    gzbuffer(file, BUFFER);
    const size_t bytes = voxels * voxel_bytes(j->type);
    for (size_t at = 0; at < bytes; at += BUFFER)
        if (gzwrite(file, (const char *)j->voxels + at, (unsigned)(bytes - at < BUFFER ? bytes - at : BUFFER)) <= 0) die("gzwrite");
    gzclose(file);
}

static void read_ours(const job *j)
{
    volume v;
    sat_error error = {0};
    if (volume_read(j->path, -1, &v, &error) != SAT_OK) die(error.message);
    volume_free(&v);
}

static void read_zlib(const job *j)
{
    const size_t bytes = voxels * voxel_bytes(j->type) + 352;
    char *to = malloc(bytes);
    gzFile file = gzopen(j->path, "rb");
    gzbuffer(file, BUFFER);
    size_t at = 0;
    int got;
    while (at < bytes && (got = gzread(file, to + at, (unsigned)(bytes - at < 1u << 30 ? bytes - at : 1u << 30))) > 0)
        at += (size_t)got;
    if (at != bytes) die("gzread");
    gzclose(file);
    free(to);
}

/* Voxels as stored to physical float32: what the pipeline does first. */
static void take_values(const job *j)
{
    static volume v;
    static float *values;
    sat_error error = {0};
    if (!v.stored && volume_read(j->path, -1, &v, &error) != SAT_OK) die(error.message);
    if (!values) values = malloc(voxels * sizeof *values);
    v.scaled = j->level != 0;
    v.slope = 0.5;
    const size_t slab = (size_t)NX * NY;
#pragma omp parallel for num_threads(j->threads)
    for (size_t k = 0; k < slices; k++)
        volume_values(&v, k * slab, slab, values + k * slab);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double seconds(void (*run)(const job *), const job *j)
{
    const double start = clock_seconds();
    run(j);
    return clock_seconds() - start;
}

static void report(const char *what, const job *j, double mine, double other)
{
    const double megabytes = (double)voxels * (double)voxel_bytes(j->type) / 1e6;
    printf("%-44s", what);
    if (other > 0)
        printf("%6.2fx zlib  %7.0f MB/s  (zlib %5.0f)\n", other / mine, megabytes / mine, megabytes / other);
    else
        printf("             %7.0f MB/s\n", megabytes / mine);
}

/* Runs both in turn; medians. */
static void compare(const char *what, void (*ours)(const job *), const job *our_job, void (*theirs)(const job *),
                    const job *their_job)
{
    double mine[RUNS], other[RUNS] = {0};
    for (int n = 0; n < RUNS; n++) {
        mine[n] = seconds(ours, our_job);
        if (theirs) other[n] = seconds(theirs, their_job);
    }
    qsort(mine, RUNS, sizeof *mine, by_size);
    qsort(other, RUNS, sizeof *other, by_size);
    report(what, our_job, mine[RUNS / 2], theirs ? other[RUNS / 2] : 0);
}

static long size_of(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) die("a file is missing");
    const long size = ftell(file);
    fclose(file);
    return size;
}

static char *in_folder(const char *name)
{
    static char paths[8][300];
    static int turn;
    char *path = paths[turn++ % 8];
    snprintf(path, 300, "%s/%s", folder, name);
    return path;
}

int main(int count, char **words)
{
    if (count > 1) slices = (size_t)strtoul(words[1], NULL, 10);
    threads = count > 2 ? (int)strtol(words[2], NULL, 10) : omp_get_max_threads();
    voxels = (size_t)NX * NY * slices;
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/sat3d-bench-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) die("cannot make a temporary folder");
    int16_t *ct = malloc(2 * voxels);
    unsigned char *mask = malloc(voxels);
    if (!ct || !mask) die("no memory");
    draw(ct, mask);
    printf("%d x %d x %zu voxels, %d threads, medians of %d alternated runs\n", NX, NY, slices, threads, RUNS);

    const job plain = {in_folder("ct.nii"), ct, VOXEL_INT16, 1, threads};
    const job packed = {in_folder("ct.nii.gz"), ct, VOXEL_INT16, GZIP_LEVEL_IMAGE, threads};
    job one = packed;
    one.threads = 1;
    const job packed_zlib = {in_folder("ct_zlib.gz"), ct, VOXEL_INT16, GZIP_LEVEL_IMAGE, 1};
    compare("CT int16: write .nii", write_ours, &plain, NULL, NULL);
    compare("CT int16: read .nii", read_ours, &plain, NULL, NULL);
    compare("CT int16: write .nii.gz, level 1", write_ours, &packed, write_zlib, &packed_zlib);
    compare("CT int16: write .nii.gz, level 1, 1 thread", write_ours, &one, write_zlib, &packed_zlib);
    compare("CT int16: read .nii.gz", read_ours, &packed, read_zlib, &packed);
    printf("  size: %.4f of zlib's\n", (double)size_of(packed.path) / (double)size_of(packed_zlib.path));

    const job labels = {in_folder("mask.nii.gz"), mask, VOXEL_UINT8, GZIP_LEVEL_LABELS, threads};
    one = labels;
    one.threads = 1;
    const job labels_zlib = {in_folder("mask_zlib.gz"), mask, VOXEL_UINT8, GZIP_LEVEL_LABELS, 1};
    compare("mask uint8: write .nii.gz, level 6", write_ours, &labels, write_zlib, &labels_zlib);
    compare("mask uint8: write .nii.gz, level 6, 1 thread", write_ours, &one, write_zlib, &labels_zlib);
    compare("mask uint8: read .nii.gz", read_ours, &labels, read_zlib, &labels);
    printf("  size: %.4f of zlib's, %ld bytes\n", (double)size_of(labels.path) / (double)size_of(labels_zlib.path),
           size_of(labels.path));
    const job empty = {in_folder("empty.nii.gz"), NULL, VOXEL_UINT8, GZIP_LEVEL_LABELS, threads};
    compare("empty mask, known to be: write .nii.gz", write_ours, &empty, NULL, NULL);

    job values = {plain.path, NULL, VOXEL_INT16, 0, threads};
    compare("int16 to float32, unscaled", take_values, &values, NULL, NULL);
    values.level = 1;
    compare("int16 to float32, scaled in double", take_values, &values, NULL, NULL);

    const char *const names[] = {"ct.nii", "ct.nii.gz", "ct_zlib.gz", "mask.nii.gz", "mask_zlib.gz", "empty.nii.gz"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
        remove(in_folder(names[n]));
    rmdir(folder);
    free(ct);
    free(mask);
    return 0;
}
