#include "interface/kept.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    kept_kind kind;
    size_t slice_voxels, slices;
    int labels, label; /* the latter at hand */
    size_t next;       /* slice of it        */
    void **slice;      /* [label][k]; owned; NULL: zeros. Bits, lowest first, or float */
};

static size_t slice_bytes(kept_kind kind, size_t voxels)
{
    return kind == KEPT_MASKS ? (voxels + 7) / 8 : voxels * sizeof(float);
}

uint64_t kept_bytes(kept_kind kind, const int64_t shape[3], int labels)
{
    uint64_t bytes = slice_bytes(kind, (size_t)shape[0] * (size_t)shape[1]) + sizeof(void *);
    return __builtin_mul_overflow(bytes, (uint64_t)shape[2], &bytes) || __builtin_mul_overflow(bytes, (uint64_t)labels, &bytes)
               ? UINT64_MAX : bytes;
}

sat_status kept_open(kept_kind kind, const int64_t shape[3], int labels, kept **opened, sat_error *error)
{
    *opened = NULL;
    kept *k = calloc(1, sizeof *k);
    if (k) {
        *k = (kept){.kind = kind, .slice_voxels = (size_t)shape[0] * (size_t)shape[1], .slices = (size_t)shape[2], .labels = labels};
        k->slice = calloc((size_t)labels * k->slices, sizeof *k->slice);
    }
    if (!k || !k->slice) {
        kept_close(k);
        return sat_fail(error, SAT_NO_MEMORY, "no memory for the results of %d prompts", labels);
    }
    *opened = k;
    return SAT_OK;
}

void kept_close(kept *k)
{
    if (!k) return;
    for (size_t n = 0; k->slice && n < (size_t)k->labels * k->slices; n++)
        free(k->slice[n]);
    free(k->slice);
    free(k);
}

void kept_begin(kept *k, int label)
{
    k->label = label;
    k->next = 0;
    for (size_t n = 0; n < k->slices; n++) {
        void **at = &k->slice[(size_t)label * k->slices + n];
        free(*at);
        *at = NULL;
    }
}

static void pack(const uint8_t *mask, size_t voxels, uint8_t *bits)
{
    for (size_t n = 0; n < voxels / 8; n++) {
        unsigned byte = 0;
        for (unsigned b = 0; b < 8; b++)
            byte |= (unsigned)(mask[8 * n + b] != 0) << b;
        bits[n] = (uint8_t)byte;
    }
    if (voxels % 8) bits[voxels / 8] = 0;
    for (size_t n = voxels / 8 * 8; n < voxels; n++)
        bits[n / 8] = (uint8_t)(bits[n / 8] | (unsigned)(mask[n] != 0) << n % 8);
}

static void unpack(const uint8_t *bits, size_t voxels, uint8_t *mask)
{
    for (size_t n = 0; n < voxels; n++)
        mask[n] = bits[n / 8] >> n % 8 & 1;
}

/* Whether any of the bytes is not 0 (a probability of -0 does not come). */
static int any(const unsigned char *bytes, size_t count) { return count && (bytes[0] || memcmp(bytes, bytes + 1, count - 1) != 0); }

sat_status kept_add(kept *k, const void *values, size_t voxels, sat_error *error)
{
    const size_t unit = k->kind == KEPT_MASKS ? 1 : sizeof(float), bytes = k->slice_voxels * unit;
    const unsigned char *from = values;
    for (size_t slices = voxels / k->slice_voxels; slices > 0 && k->next < k->slices; slices--, k->next++) {
        if (!from) continue;
        if (any(from, bytes)) {
            void *slice = malloc(slice_bytes(k->kind, k->slice_voxels));
            if (!slice) return sat_fail(error, SAT_NO_MEMORY, "no memory is left for the masks; ask for fewer prompts at a time");
            if (k->kind == KEPT_MASKS) pack(from, k->slice_voxels, slice);
            else memcpy(slice, from, bytes);
            k->slice[(size_t)k->label * k->slices + k->next] = slice;
        }
        from += bytes;
    }
    return SAT_OK;
}

void kept_copy(const kept *k, int label, void *values)
{
    const size_t bytes = k->slice_voxels * (k->kind == KEPT_MASKS ? 1 : sizeof(float));
    unsigned char *to = values;
    for (size_t n = 0; n < k->slices; n++, to += bytes) {
        const void *slice = k->slice[(size_t)label * k->slices + n];
        if (!slice) memset(to, 0, bytes);
        else if (k->kind == KEPT_MASKS) unpack(slice, k->slice_voxels, to);
        else memcpy(to, slice, bytes);
    }
}
