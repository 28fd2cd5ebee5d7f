/* Files: read or mapped whole, written whole or not at all. Paths are UTF-8 and borrowed. */
#ifndef SAT_BASE_FILE_H
#define SAT_BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* A file's bytes, mapped read-only. Pages come in when they are touched, so opening costs nothing. */
typedef struct file_map {
    const unsigned char *data; /* owned; NULL for an empty file */
    size_t size;               /* bytes */
} file_map;

/* Maps `path`. On failure *map is zeroed. Fails with SAT_IO. Thread-safe. */
sat_status file_map_open(const char *path, file_map *map, sat_error *error);
/* Safe on a zeroed map and when called twice. */
void file_map_close(file_map *map);
/* Tells the system that [from, from + bytes) of the mapping is not needed for now (it is read again
 * from the file if touched): keeps a model's raw weights out of the resident memory once packed. */
void file_map_forget(const file_map *map, const void *from, size_t bytes);

/* A file in the making: written into the target's folder without a name, or where the system has no such files under a
 * temporary one; flushed to disk and renamed by file_commit; nothing is left behind by file_abandon. */
typedef struct file_writer {
    int descriptor;      /* -1 when closed */
    char *path;          /* owned; the final name */
    char *temporary;     /* owned; <folder>/.<name>.<random>.part */
    bool named;          /* whether the file has that name; else none at all until it is committed */
    unsigned long long written_bytes;
} file_writer;

/* Fails with SAT_IO (folder missing, read-only) or SAT_NO_MEMORY (disk full). On failure *w is safe to abandon. */
sat_status file_create(const char *path, file_writer *w, sat_error *error);
sat_status file_write(file_writer *w, const void *data, size_t bytes, sat_error *error);
/* Overwrites bytes that were written already: for a header that sums up what follows it. */
sat_status file_write_at(file_writer *w, unsigned long long offset, const void *data, size_t bytes, sat_error *error);
/* fsync, rename to the final name, fsync of the folder. On failure the temporary file is removed. */
sat_status file_commit(file_writer *w, sat_error *error);
/* Safe on a zeroed, committed or failed writer. */
void file_abandon(file_writer *w);

/* The three above in one. */
sat_status file_write_whole(const char *path, const void *data, size_t bytes, sat_error *error);

/* Makes `path` and its parents as needed. */
sat_status folder_make(const char *path, sat_error *error);

bool file_exists(const char *path);
/* Whether both names lead to one existing file. */
bool file_same(const char *a, const char *b);

#endif
