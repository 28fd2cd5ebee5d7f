/* One gzip member, compressed in parallel, as pigz does it: the data are cut into chunks at fixed places; each becomes
 * deflate blocks of its own that end with an empty stored block, so that they end on a byte and can be joined; the
 * checksums of the chunks are combined.
 *
 * No chunk looks back into the one before (that would gain half a per cent), so all chunks of zeros have the same bytes
 * and are compressed once: most of a mask costs no more than looking at it. */
#include "image/gzip.h"

#include <libdeflate.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    CHUNK = 256 << 10,     /* bytes: halves compress to half a per cent more, doubles to as much less          */
    SLOTS_PER_THREAD = 4,  /* chunks gathered before the threads start, so that a late one is not waited for   */
    MOST_THREADS = 256,
};

typedef struct slot {
    uint64_t zeros_before;     /* whole chunks of zeros that stand before this one */
    unsigned char *data;       /* CHUNK bytes                                      */
    size_t size;               /* of them in use; less than CHUNK in the last only */
    unsigned char *compressed; /* room for the worst case                          */
    size_t compressed_size;
    uint32_t checksum;
} slot;

struct gzip_writer {
    file_writer *file; /* borrowed */
    int threads, slot_count, filled; /* slots before `filled` are full, that one never is */
    size_t bound;                    /* worst case of a compressed chunk                         */
    slot *slots;
    z_stream *streams; /* one a thread */
    int streams_open;
    slot zeros;        /* the chunk of zeros, compressed when first met */
    uint32_t checksum;
    uint64_t total;
};

static void compress_chunk(z_stream *stream, slot *s, size_t bound)
{
    deflateReset(stream);
    stream->next_in = s->data;
    stream->avail_in = (uInt)s->size;
    stream->next_out = s->compressed;
    stream->avail_out = (uInt)bound;
    deflate(stream, Z_SYNC_FLUSH); /* cannot fail: the room is deflateBound's and nothing is allocated */
    s->compressed_size = bound - stream->avail_out;
    s->checksum = libdeflate_crc32(0, s->data, s->size);
}

static bool only_zeros(const unsigned char *data, size_t size)
{
    size_t at = 0;
    for (; at + 1024 <= size; at += 1024) {
        unsigned char any = 0;
        for (size_t n = 0; n < 1024; n++)
            any |= data[at + n];
        if (any) return false;
    }
    for (; at < size; at++)
        if (data[at]) return false;
    return true;
}

void gzip_writer_abandon(gzip_writer *w)
{
    if (!w) return;
    for (int n = 0; n < w->streams_open; n++)
        deflateEnd(&w->streams[n]);
    for (int n = 0; w->slots && n < w->slot_count; n++) {
        free(w->slots[n].data);
        free(w->slots[n].compressed);
    }
    free(w->zeros.compressed);
    free(w->slots);
    free(w->streams);
    free(w);
}

static sat_status take_memory(gzip_writer *w, int level, sat_error *error)
{
    w->slot_count = w->threads > 1 ? w->threads * SLOTS_PER_THREAD : 1;
    w->slots = calloc((size_t)w->slot_count, sizeof *w->slots);
    w->streams = calloc((size_t)w->threads, sizeof *w->streams);
    bool good = w->slots && w->streams;
    for (; good && w->streams_open < w->threads; w->streams_open++)
        /* -15: no wrapper, the largest window; 8: zlib's default memory */
        if (deflateInit2(&w->streams[w->streams_open], level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
            good = false;
            break;
        }
    if (good) w->bound = deflateBound(&w->streams[0], CHUNK) + 16; /* 16: the flush marker and pending bits */
    for (int n = 0; good && n < w->slot_count; n++) {
        w->slots[n].data = malloc(CHUNK);
        w->slots[n].compressed = malloc(w->bound);
        good = w->slots[n].data && w->slots[n].compressed;
    }
    return good ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for compressing with %d threads", w->threads);
}

sat_status gzip_writer_open(file_writer *file, int level, int threads, gzip_writer **writer, sat_error *error)
{
    *writer = NULL;
    if (level < 1 || level > 9)
        return sat_fail(error, SAT_BAD_ARGUMENT, "gzip level %d is not one of 1 (fast) to 9 (small)", level);
    gzip_writer *w = calloc(1, sizeof *w);
    if (!w) return sat_fail(error, SAT_NO_MEMORY, "no memory for compressing");
    w->file = file;
    w->threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
    sat_status status = take_memory(w, level, error);
    if (status == SAT_OK) {
        /* no name, no time: the same data give the same file; 4 and 2 as gzip marks fastest and best; 255: no system */
        const unsigned char header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, level == 1 ? 4 : level == 9 ? 2 : 0, 255};
        status = file_write(file, header, sizeof header, error);
    }
    if (status == SAT_OK)
        *writer = w;
    else
        gzip_writer_abandon(w);
    return status;
}

/* The chunk of zeros, from the first time that one is met. */
static sat_status prepare_zeros(gzip_writer *w, sat_error *error)
{
    if (w->zeros.compressed) return SAT_OK;
    slot s = {.data = calloc(1, CHUNK), .size = CHUNK, .compressed = malloc(w->bound)};
    if (!s.data || !s.compressed) {
        free(s.data);
        free(s.compressed);
        return sat_fail(error, SAT_NO_MEMORY, "no memory for compressing");
    }
    compress_chunk(&w->streams[0], &s, w->bound);
    free(s.data);
    s.data = NULL;
    w->zeros = s;
    return SAT_OK;
}

static sat_status write_chunk(gzip_writer *w, const slot *s, sat_error *error)
{
    w->checksum = (uint32_t)crc32_combine(w->checksum, s->checksum, (z_off_t)s->size);
    w->total += s->size;
    return file_write(w->file, s->compressed, s->compressed_size, error);
}

/* Compresses the first `count` slots in parallel, writes them in order, and empties them. */
static sat_status write_slots(gzip_writer *w, int count, sat_error *error)
{
    slot *const slots = w->slots;
    const int threads = count < w->threads ? count : w->threads;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (int n = 0; n < count; n++)
        if (slots[n].size > 0) compress_chunk(&w->streams[omp_get_thread_num()], &slots[n], w->bound);

    sat_status status = SAT_OK;
    for (int n = 0; n < count; n++) {
        slot *s = &slots[n];
        if (status == SAT_OK && s->zeros_before > 0) status = prepare_zeros(w, error);
        for (uint64_t z = 0; status == SAT_OK && z < s->zeros_before; z++)
            status = write_chunk(w, &w->zeros, error);
        if (status == SAT_OK && s->size > 0) status = write_chunk(w, s, error);
        s->zeros_before = 0;
        s->size = 0;
    }
    w->filled = 0;
    return status;
}

sat_status gzip_writer_add(gzip_writer *w, const void *data, size_t bytes, sat_error *error)
{
    const unsigned char *from = data;
    sat_status status = SAT_OK;
    while (status == SAT_OK && bytes > 0) {
        slot *s = &w->slots[w->filled];
        const size_t room = CHUNK - s->size, take = bytes < room ? bytes : room;
        if (take == CHUNK && (!from || only_zeros(from, CHUNK))) {
            s->zeros_before++;
        } else {
            if (from)
                memcpy(s->data + s->size, from, take);
            else
                memset(s->data + s->size, 0, take);
            s->size += take;
            if (s->size == CHUNK && take < CHUNK && only_zeros(s->data, CHUNK)) {
                s->zeros_before++;
                s->size = 0;
            } else if (s->size == CHUNK && ++w->filled == w->slot_count) {
                status = write_slots(w, w->slot_count, error);
            }
        }
        bytes -= take;
        if (from) from += take;
    }
    return status;
}

sat_status gzip_writer_close(gzip_writer *w, sat_error *error)
{
    if (!w) return SAT_OK;
    sat_status status = write_slots(w, w->filled + 1, error); /* + 1: the chunk that is not full, or zeros before it */
    if (status == SAT_OK) {
        unsigned char end[10] = {3, 0}; /* an empty block that is the last: 1, 01, and the seven zeros of its end */
        for (int n = 0; n < 4; n++) {
            end[2 + n] = (unsigned char)(w->checksum >> 8 * n);
            end[6 + n] = (unsigned char)(w->total >> 8 * n); /* modulo 2^32, as RFC 1952 has it */
        }
        status = file_write(w->file, end, sizeof end, error);
    }
    gzip_writer_abandon(w);
    return status;
}
