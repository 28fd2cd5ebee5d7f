/* Zip archives as PyTorch writes them: entries stored as they are, beyond 4 GB if need be. Names, sizes and offsets come
 * from the central directory (PKWARE APPNOTE 6.3.10, sections 4.3.12 to 4.3.16 and 4.5.3); nothing is decompressed. */
#ifndef SAT_MODEL_ZIP_H
#define SAT_MODEL_ZIP_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct zip_entry {
    const char *name; /* borrowed from the bytes; not zero-terminated */
    size_t name_length;
    uint64_t header_offset, bytes; /* of the local header; of the contents */
    uint32_t crc32;
    bool plain; /* neither compressed nor encrypted */
} zip_entry;

typedef struct zip_archive {
    const unsigned char *data; /* borrowed: the whole file */
    size_t size;
    zip_entry *entries; /* owned; sorted by name */
    size_t count;
} zip_archive;

/* Reads the central directory of `size` bytes at `data`, which must outlive *archive. Fails with SAT_BAD_INPUT (no zip
 * archive, cut off, damaged, two entries of one name) and SAT_NO_MEMORY; then *archive is zeroed. */
sat_status zip_parse(const void *data, size_t size, zip_archive *archive, sat_error *error);
/* Safe on a zeroed archive and when called twice. */
void zip_free(zip_archive *archive);

/* NULL when there is none of that name. Thread-safe. */
const zip_entry *zip_find(const zip_archive *archive, const char *name, size_t name_length);
/* The contents of `entry`: entry->bytes bytes, borrowed, at any alignment. Fails with SAT_BAD_INPUT when they are compressed
 * or do not lie within the file. Thread-safe. */
sat_status zip_contents(const zip_archive *archive, const zip_entry *entry, const unsigned char **contents,
                        sat_error *error);

#endif
