#define _DEFAULT_SOURCE /* mkdtemp */
#include "tests/support/golden.h"
#include "tests/support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *next_buffer(void)
{
    static char buffers[8][1024];
    static int turn;
    turn = (turn + 1) % 8;
    return buffers[turn];
}

const char *shared_path(const char *name)
{
    const char *shared = getenv("SAT3D_SHARED");
    char *path = next_buffer();
    snprintf(path, 1024, "%s/%s", shared ? shared : "../shared", name);
    return access(path, R_OK) == 0 ? path : NULL;
}

const char *golden_path(const char *name)
{
    char *path = next_buffer();
    snprintf(path, 1024, "tests/golden/%s", name);
    if (access(path, R_OK) == 0) return path;
    char below_shared[512];
    snprintf(below_shared, sizeof below_shared, "golden/%s", name);
    const char *shared = shared_path(below_shared);
    if (!shared) print_message("[  SKIPPED ] golden/%s: neither in tests/ nor in ../shared\n", name);
    return shared;
}

npy_array npy_read(const char *path)
{
    npy_array a = {0};
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (!file) fail_msg("cannot open %s", path ? path : "(no file)");
    unsigned char start[12];
    char header[4096] = {0};
    if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY", 6) != 0) fail_msg("%s is not a .npy file", path);
    size_t length = start[8] + 256u * start[9];
    if (start[6] > 1) {
        if (fread(start + 10, 1, 2, file) != 2) fail_msg("%s is cut off", path);
        length += 65536u * start[10];
    }
    if (length >= sizeof header || fread(header, 1, length, file) != length) fail_msg("%s has a bad header", path);
    const char *type = strstr(header, "'descr': '"), *shape = strstr(header, "'shape': (");
    if (!type || !shape || strstr(header, "'fortran_order': True")) fail_msg("%s: header not understood", path);
    sscanf(type + 10, "%7[^']", a.type);
    a.count = 1;
    for (char *at = (char *)(uintptr_t)shape + 10; *at && *at != ')';) {
        char *end;
        const long long n = strtoll(at, &end, 10);
        if (end == at) {
            at++;
            continue;
        }
        a.shape[a.dimensions++] = n;
        a.count *= (size_t)n;
        at = end;
    }
    const size_t bytes = a.count * (size_t)atoi(a.type + 2);
    a.data = malloc(bytes ? bytes : 1);
    if (!a.data || fread(a.data, 1, bytes, file) != bytes) fail_msg("%s is cut off", path);
    fclose(file);
    return a;
}

void npy_free(npy_array *a)
{
    free(a->data);
    *a = (npy_array){0};
}

const float *npy_floats(const npy_array *a)
{
    assert_string_equal(a->type, "<f4");
    return a->data;
}

double relative_l2(const float *actual, const float *expected, size_t count)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        const double d = (double)actual[i] - (double)expected[i];
        difference += d * d;
        norm += (double)expected[i] * (double)expected[i];
    }
    return sqrt(difference / (norm > 0 ? norm : 1));
}

double largest_difference(const float *actual, const float *expected, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        const double d = fabs((double)actual[i] - (double)expected[i]);
        if (!(d <= largest)) largest = d; /* not-a-number counts as the largest */
    }
    return largest;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void random_fill(float *x, size_t count, uint64_t key)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((int64_t)(mix(mix(key) + (i + 1) * 0x9e3779b97f4a7c15u) >> 40) - (1 << 23)) * 0x1p-23f;
}

uint64_t random_below(uint64_t n, uint64_t key, uint64_t counter)
{
    return (mix(mix(key) + (counter + 1) * 0x9e3779b97f4a7c15u) >> 11) % n;
}

const char *temporary_folder(void)
{
    char *path = next_buffer();
    const char *base = getenv("TMPDIR");
    snprintf(path, 1024, "%s/sat3d-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path)) fail_msg("cannot make %s", path);
    return path;
}
