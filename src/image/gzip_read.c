/* Two decoders: libdeflate, twice as fast, where the size is known and all is well; zlib, a piece at a time, for the
 * start of a file, for parts of it, and to find out what is wrong when libdeflate was not content. */
#include "image/gzip.h"

#include <libdeflate.h>
#include <string.h>
#include <zlib.h>

enum { PIECE = 64 << 10, FURTHER = 256 << 20, EXPANSION = 1032 };

bool gzip_begins(const unsigned char *data, size_t size)
{
    return size >= 3 && data[0] == 0x1f && data[1] == 0x8b && data[2] == 8;
}

bool gzip_may_hold(size_t size, uint64_t wanted) { return wanted / EXPANSION <= size; }

/* Where a piecewise run through all members stands. */
typedef struct run {
    z_stream z;
    const unsigned char *data;
    size_t size, at;   /* compressed bytes, and how many were handed to zlib */
    uint64_t produced; /* decompressed bytes so far                          */
    bool ended;        /* behind the last member                             */
} run;

static sat_status run_open(run *r, const unsigned char *data, size_t size, sat_error *error)
{
    *r = (run){.data = data, .size = size};
    /* 16: gzip wrapper, 15: the largest window */
    if (inflateInit2(&r->z, 16 + 15) != Z_OK) return sat_fail(error, SAT_NO_MEMORY, "no memory for decompressing");
    return SAT_OK;
}

static size_t run_position(const run *r) { return r->at - r->z.avail_in; }

/* Decompresses up to `room` bytes to `to`; *got of them. Stops early only at the end of a member; `ended` is set when
 * nothing, or nothing that is gzip, comes behind it. */
static sat_status run_step(run *r, unsigned char *to, size_t room, size_t *got, sat_error *error)
{
    z_stream *z = &r->z;
    *got = 0;
    z->next_out = to;
    while (*got < room) {
        if (z->avail_in == 0) {
            const size_t left = r->size - r->at, take = left < 1u << 30 ? left : 1u << 30;
            z->next_in = (unsigned char *)(uintptr_t)(r->data + r->at);
            z->avail_in = (uInt)take;
            r->at += take;
        }
        const size_t space = room - *got < 1u << 30 ? room - *got : 1u << 30;
        z->avail_out = (uInt)space;
        const int result = inflate(z, Z_NO_FLUSH);
        *got += space - z->avail_out;
        r->produced += space - z->avail_out;
        if (result == Z_STREAM_END) {
            const size_t next = run_position(r);
            r->ended = !gzip_begins(r->data + next, r->size - next);
            if (!r->ended) inflateReset(z);
            return SAT_OK;
        }
        if (result == Z_MEM_ERROR) return sat_fail(error, SAT_NO_MEMORY, "no memory for decompressing");
        if (result != Z_OK && result != Z_BUF_ERROR)
            return sat_fail(error, SAT_BAD_INPUT,
                            "the compressed data are damaged near byte %zu (%s); copy or download the file again",
                            run_position(r), z->msg ? z->msg : "a dictionary is asked for");
        if (z->avail_in == 0 && r->at == r->size && z->avail_out > 0)
            return sat_fail(error, SAT_BAD_INPUT,
                            "the compressed data break off after %zu bytes; was the copy or download cut off?", r->size);
    }
    return SAT_OK;
}

sat_status gzip_peek(const unsigned char *data, size_t size, void *bytes, size_t count, size_t *found, sat_error *error)
{
    run r;
    *found = 0;
    sat_status status = run_open(&r, data, size, error);
    while (status == SAT_OK && *found < count && !r.ended) {
        size_t got;
        status = run_step(&r, (unsigned char *)bytes + *found, count - *found, &got, error);
        *found += got;
        if (status == SAT_BAD_INPUT && run_position(&r) == size) {
            status = SAT_OK; /* cut off: whoever reads the header says what is missing */
            break;
        }
    }
    inflateEnd(&r.z);
    return status;
}

/* The piecewise way: any part of any file, and the precise reason for failing. */
static sat_status read_pieces(const unsigned char *data, size_t size, uint64_t skip, unsigned char *bytes, size_t wanted,
                              bool *longer, sat_error *error)
{
    unsigned char waste[PIECE];
    const uint64_t end = skip + wanted;
    run r;
    sat_status status = run_open(&r, data, size, error);
    size_t got = 0;
    while (status == SAT_OK && !r.ended && r.produced < skip) {
        const uint64_t left = skip - r.produced;
        status = run_step(&r, waste, left < PIECE ? (size_t)left : PIECE, &got, error);
    }
    while (status == SAT_OK && !r.ended && r.produced < end)
        status = run_step(&r, bytes + (r.produced - skip), (size_t)(end - r.produced), &got, error);
    if (status == SAT_OK && r.produced < end)
        status = sat_fail(error, SAT_BAD_INPUT, "the file decompresses to %llu bytes where its header promises %llu",
                          (unsigned long long)r.produced, (unsigned long long)end);
    /* On to the end of this member, for its checksum, and past empty ones. zlib's total_out starts anew with each. */
    while (status == SAT_OK && !r.ended && r.produced - end < FURTHER && !(r.produced > end && r.z.total_out == 0))
        status = run_step(&r, waste, PIECE, &got, error);
    *longer = r.produced > end || run_position(&r) < size;
    inflateEnd(&r.z);
    return status;
}

/* The fast way. False when anything at all is unusual: then the other one decides. */
static bool read_whole(const unsigned char *data, size_t size, unsigned char *bytes, size_t wanted)
{
    struct libdeflate_decompressor *decoder = libdeflate_alloc_decompressor();
    if (!decoder) return false;
    size_t at = 0, done = 0;
    bool good = true;
    while (good && at < size) {
        size_t taken = 0, made = 0;
        good = libdeflate_gzip_decompress_ex(decoder, data + at, size - at, bytes + done, wanted - done, &taken, &made)
               == LIBDEFLATE_SUCCESS;
        at += taken;
        done += made;
    }
    libdeflate_free_decompressor(decoder);
    return good && done == wanted;
}

sat_status gzip_read(const unsigned char *data, size_t size, uint64_t skip, void *bytes, size_t wanted, bool *longer,
                     sat_error *error)
{
    *longer = false;
    if (!gzip_begins(data, size)) return sat_fail(error, SAT_BAD_INPUT, "this is not gzip data");
    if (skip > UINT64_MAX - wanted || !gzip_may_hold(size, skip + wanted))
        return sat_fail(error, SAT_BAD_INPUT,
                        "the header promises more than %zu compressed bytes can hold; was the copy or download cut off?",
                        size);
    if (skip == 0 && read_whole(data, size, bytes, wanted)) return SAT_OK;
    return read_pieces(data, size, skip, bytes, wanted, longer, error);
}
