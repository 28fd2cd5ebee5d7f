/* gzip (RFC 1952): reading one or several members, writing one member with many threads. */
#ifndef SAT_IMAGE_GZIP_H
#define SAT_IMAGE_GZIP_H

#include "base/error.h"
#include "base/file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the bytes begin as a gzip member does. */
bool gzip_begins(const unsigned char *data, size_t size);

/* Whether `size` compressed bytes can hold `wanted` bytes at all (deflate shrinks at most 1032 times): to be asked
 * before memory is taken because a header says so. */
bool gzip_may_hold(size_t size, uint64_t wanted);

/* The first bytes, at most `count`, of the decompressed data: enough to look at a header.
 * `bytes` has room for `count`; *found is how many there were. Fails with SAT_BAD_INPUT when the data are damaged
 * before that (a file that merely ends early gives what it has), SAT_NO_MEMORY. Thread-safe. */
sat_status gzip_peek(const unsigned char *data, size_t size, void *bytes, size_t count, size_t *found, sat_error *error);

/* Decompresses bytes [skip, skip + wanted) of the decompressed data into `bytes`; never writes more.
 *
 * data, size  all of the file, one or several members; borrowed
 * longer      out: whether there was more behind them (decompressed bytes or anything that is not gzip); an empty
 *             member, as bgzip appends one, is nothing
 *
 * The checksums of all members that were touched are verified; where a member goes on for more than 256 MiB behind what
 * is wanted, its checksum is let go. Fails with SAT_BAD_INPUT (damaged, cut off, shorter than wanted), SAT_NO_MEMORY.
 * Thread-safe. One call, one thread: deflate has no place to start in the middle. */
sat_status gzip_read(const unsigned char *data, size_t size, uint64_t skip, void *bytes, size_t wanted, bool *longer,
                     sat_error *error);

/* ---- writing ---- */

enum {
    GZIP_LEVEL_IMAGE = 1,  /* scans: level 6 buys half a point of size for several times the time */
    GZIP_LEVEL_LABELS = 6, /* masks and label maps                                                */
};

/* A gzip file in the making: ONE member (a browser's viewer refuses several) of chunks that are compressed independently
 * and in parallel. The bytes written depend on the data and the level alone: not on the number of threads, nor on how the
 * data were cut into calls. One writer, one calling thread. */
typedef struct gzip_writer gzip_writer;

/* Begins a member in `file` (borrowed until close or abandon; may hold bytes already).
 * level 1 (fast) to 9 (small); threads < 1 counts as 1. Memory: 1 MB for one thread, 2.5 MB each for more.
 * Fails with SAT_BAD_ARGUMENT (level), SAT_NO_MEMORY, or as file_write does; then *w is NULL. */
sat_status gzip_writer_open(file_writer *file, int level, int threads, gzip_writer **w, sat_error *error);
/* Appends `bytes` bytes; `data` NULL stands for zeros, which cost next to nothing however many. Fails as file_write does. */
sat_status gzip_writer_add(gzip_writer *w, const void *data, size_t bytes, sat_error *error);
/* Ends the member and frees the writer, also when it fails. The file is still to be committed. NULL is allowed. */
sat_status gzip_writer_close(gzip_writer *w, sat_error *error);
/* Frees the writer; the file holds half a member and is to be abandoned too. NULL is allowed. */
void gzip_writer_abandon(gzip_writer *w);

#endif
