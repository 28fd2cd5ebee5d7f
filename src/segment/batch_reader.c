#define _POSIX_C_SOURCE 200809L /* pthread */
#include "segment/batch_reader.h"

#include "base/clock.h"
#include "base/file.h"
#include "image/gzip.h"
#include "image/nifti_header.h"
#include "image/volume_file.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct batch_reader {
    pthread_t thread;
    bool threaded;
    const char *path;
    int volume_index;
    volume scan;
    sat_status status;
    sat_error error;
};

static sat_status first_bytes(const file_map *map, unsigned char bytes[NIFTI2_HEADER_BYTES], size_t *size, sat_error *error)
{
    if (gzip_begins(map->data, map->size)) return gzip_peek(map->data, map->size, bytes, NIFTI2_HEADER_BYTES, size, error);
    *size = map->size < NIFTI2_HEADER_BYTES ? map->size : NIFTI2_HEADER_BYTES;
    if (*size) memcpy(bytes, map->data, *size);
    return SAT_OK;
}

sat_status batch_scan_peek(const char *path, volume *v, uint64_t *bytes, sat_error *error)
{
    *v = (volume){.grid = {.shape_ijk = {1, 1, 1}, .voxel_to_world = {{1}, {0, 1}, {0, 0, 1}}}, .volumes_in_file = 1};
    *bytes = 0;
    file_map map;
    sat_status status = file_map_open(path, &map, error);
    if (status != SAT_OK) return status;
    unsigned char begin[NIFTI2_HEADER_BYTES];
    size_t size = 0;
    bool swapped, pair;
    nifti_header header;
    status = first_bytes(&map, begin, &size, error);
    if (status == SAT_OK && nifti_header_kind(begin, size, &swapped, &pair) == NIFTI_NONE) {
        *bytes = map.size;
    } else if (status == SAT_OK) {
        status = nifti_header_parse(begin, size, &header, error);
        if (status == SAT_OK) {
            *bytes = header.volume_bytes;
            v->grid = header.grid;
            v->type = header.type;
            v->volumes_in_file = header.volumes;
        }
    }
    file_map_close(&map);
    return status == SAT_OK ? status : sat_fail_in(error, path, status);
}

static void *read_scan(void *context)
{
    batch_reader *r = context;
    r->status = volume_read(r->path, r->volume_index, &r->scan, &r->error);
    return NULL;
}

sat_status batch_reader_start(const char *path, int volume_index, batch_reader **started, sat_error *error)
{
    batch_reader *r = calloc(1, sizeof *r);
    *started = r;
    if (!r) return sat_fail(error, SAT_NO_MEMORY, "no memory to read a scan");
    r->path = path;
    r->volume_index = volume_index;
    r->threaded = pthread_create(&r->thread, NULL, read_scan, r) == 0;
    return SAT_OK;
}

sat_status batch_reader_take(batch_reader **reader, volume *v, double *waited, sat_error *error)
{
    batch_reader *r = *reader;
    const double begin = clock_seconds();
    if (r->threaded) pthread_join(r->thread, NULL);
    else read_scan(r);
    if (waited) *waited = clock_seconds() - begin;
    *v = r->scan;
    const sat_status status = r->status;
    if (status != SAT_OK && error) *error = r->error;
    free(r);
    *reader = NULL;
    return status;
}

void batch_reader_drop(batch_reader **reader)
{
    if (!*reader) return;
    batch_reader *r = *reader;
    if (r->threaded) pthread_join(r->thread, NULL);
    volume_free(&r->scan);
    free(r);
    *reader = NULL;
}
