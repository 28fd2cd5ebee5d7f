#define _DEFAULT_SOURCE /* scandir */
#include "text/query_cache.h"
#include "text/word_map.h"

#include "base/file.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_DIGITS = HASH_SHA256_TEXT - 1,
    PACK_HEADER = 8 + 4 + 4 + KEY_DIGITS,
    RECORD_HEADER = 4 + 4 + 8,
    PACK_FORMAT = 1,
    PACKS_MANY = 16,       /* from here on a save writes one pack in place of all          */
    PACK_NAME_DIGITS = 32, /* of the SHA-256 of its content                                */
};
static const char pack_magic[8] = {'s', 'a', 't', '3', 'd', 'q', 'r', 'y'};
static const char pack_ending[] = ".pack";

typedef struct entry {
    const char *text;            /* borrowed from a block */
    const unsigned char *vector; /* likewise; width floats, not aligned */
    uint32_t bytes;
    bool saved;
} entry;

struct query_cache {
    int width;
    char key[HASH_SHA256_TEXT];
    char *folder;   /* owned; NULL: memory only */
    word_map index; /* text -> its place in entries */
    entry *entries; /* owned */
    size_t count, room;
    void **blocks; /* owned, and what they point to: packs as read, and texts as added */
    size_t block_count, block_room;
    char **packs; /* owned; paths of the packs that were read */
    size_t pack_count;
};

/* ---------------------------------------------------------------- in memory */

static bool grow(void **array, size_t count, size_t *room, size_t size)
{
    if (count < *room) return true;
    const size_t larger = *room ? 2 * *room : 64;
    void *grown = realloc(*array, larger * size);
    if (!grown) return false;
    *array = grown;
    *room = larger;
    return true;
}

static sat_status out_of_memory(sat_error *error)
{
    return sat_fail(error, SAT_NO_MEMORY, "no memory for the cache of queries");
}

/* Takes `block`, also on failure. */
static sat_status keep_block(query_cache *c, void *block, sat_error *error)
{
    void *blocks = c->blocks;
    if (!block || !grow(&blocks, c->block_count, &c->block_room, sizeof *c->blocks)) {
        free(block);
        return out_of_memory(error);
    }
    c->blocks = blocks;
    c->blocks[c->block_count++] = block;
    return SAT_OK;
}

static sat_status keep_entry(query_cache *c, entry e, sat_error *error)
{
    void *entries = c->entries;
    int32_t held;
    if (c->count >= INT32_MAX || !grow(&entries, c->count, &c->room, sizeof *c->entries)) return out_of_memory(error);
    c->entries = entries;
    const sat_status status = word_map_add(&c->index, e.text, e.bytes, (int32_t)c->count, &held, error);
    if (status == SAT_OK && (size_t)held == c->count) c->entries[c->count++] = e;
    return status;
}

bool query_cache_find(const query_cache *c, const char *text, size_t bytes, float *vector)
{
    const int32_t at = word_map_find(&c->index, text, bytes);
    if (at >= 0) memcpy(vector, c->entries[at].vector, (size_t)c->width * sizeof *vector);
    return at >= 0;
}

sat_status query_cache_add(query_cache *c, const char *text, size_t bytes, const float *vector, sat_error *error)
{
    const size_t vector_bytes = (size_t)c->width * sizeof *vector;
    if (bytes > UINT32_MAX) return sat_fail(error, SAT_BAD_ARGUMENT, "a prompt of %zu bytes is too long", bytes);
    if (word_map_find(&c->index, text, bytes) >= 0) return SAT_OK;
    unsigned char *block = malloc(vector_bytes + bytes + 1);
    if (block) {
        memcpy(block, vector, vector_bytes);
        if (bytes) memcpy(block + vector_bytes, text, bytes);
    }
    const sat_status status = keep_block(c, block, error);
    if (status != SAT_OK) return status;
    return keep_entry(c, (entry){.text = (char *)block + vector_bytes, .vector = block, .bytes = (uint32_t)bytes},
                      error);
}

size_t query_cache_count(const query_cache *c) { return c->count; }

/* ---------------------------------------------------------------- packs */

static uint64_t record_checksum(uint32_t bytes, const void *text, const void *vector, size_t vector_bytes)
{
    uint64_t hash = hash_fnv1a64(HASH_FNV_START, &bytes, sizeof bytes);
    hash = hash_fnv1a64(hash, text, bytes);
    return hash_fnv1a64(hash, vector, vector_bytes);
}

static void write_pack_header(const query_cache *c, unsigned char *to)
{
    const uint32_t numbers[2] = {PACK_FORMAT, (uint32_t)c->width};
    memcpy(to, pack_magic, 8);
    memcpy(to + 8, numbers, 8);
    memcpy(to + 16, c->key, KEY_DIGITS);
}

/* Takes over the records of a pack, up to the first that does not check. `data` stays where it is. */
static sat_status read_records(query_cache *c, const unsigned char *data, size_t size, sat_error *error)
{
    const size_t vector_bytes = (size_t)c->width * sizeof(float);
    unsigned char header[PACK_HEADER];
    write_pack_header(c, header);
    if (size < PACK_HEADER || memcmp(data, header, PACK_HEADER) != 0) return SAT_OK;
    sat_status status = SAT_OK;
    for (size_t at = PACK_HEADER; status == SAT_OK && size - at >= RECORD_HEADER;) {
        uint32_t bytes;
        uint64_t checksum;
        memcpy(&bytes, data + at, 4);
        memcpy(&checksum, data + at + 8, 8);
        at += RECORD_HEADER;
        if (bytes > size - at || vector_bytes > size - at - bytes) break;
        const entry e = {.text = (const char *)data + at, .vector = data + at + bytes, .bytes = bytes, .saved = true};
        if (record_checksum(bytes, e.text, e.vector, vector_bytes) != checksum) break;
        status = keep_entry(c, e, error);
        at += bytes + vector_bytes;
    }
    return status;
}

/* A file's bytes, read, not mapped: on a network folder a mapping dies when another machine deletes the file. */
static unsigned char *read_file(const char *path, size_t *size)
{
    unsigned char *data = NULL;
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    const long end = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (end >= 0 && fseek(file, 0, SEEK_SET) == 0) data = malloc((size_t)end + 1);
    *size = data ? fread(data, 1, (size_t)end, file) : 0;
    fclose(file);
    return data;
}

static int is_pack(const struct dirent *file)
{
    const size_t length = strlen(file->d_name);
    return length == PACK_NAME_DIGITS + sizeof pack_ending - 1 &&
           strcmp(file->d_name + PACK_NAME_DIGITS, pack_ending) == 0;
}

static char *path_of(const char *folder, const char *name)
{
    const size_t room = strlen(folder) + strlen(name) + 2;
    char *path = malloc(room);
    if (path) snprintf(path, room, "%s/%s", folder, name);
    return path;
}

static sat_status read_packs(query_cache *c, sat_error *error)
{
    struct dirent **files = NULL;
    const int count = scandir(c->folder, &files, is_pack, alphasort); /* -1: no such folder, which is an empty cache */
    sat_status status = SAT_OK;
    if (count > 0 && !(c->packs = calloc((size_t)count, sizeof *c->packs))) status = out_of_memory(error);
    for (int i = 0; i < count; i++) {
        size_t size;
        char *path = status == SAT_OK ? path_of(c->folder, files[i]->d_name) : NULL;
        unsigned char *data = path ? read_file(path, &size) : NULL;
        if (data) {
            status = keep_block(c, data, error);
            if (status == SAT_OK) status = read_records(c, data, size, error);
            c->packs[c->pack_count++] = path;
        } else {
            free(path);
        }
        free(files[i]);
    }
    free(files);
    return status;
}

static size_t write_record(const query_cache *c, const entry *e, unsigned char *to)
{
    const size_t vector_bytes = (size_t)c->width * sizeof(float);
    const uint32_t numbers[2] = {e->bytes, 0};
    const uint64_t checksum = record_checksum(e->bytes, e->text, e->vector, vector_bytes);
    memcpy(to, numbers, 8);
    memcpy(to + 8, &checksum, 8);
    memcpy(to + RECORD_HEADER, e->text, e->bytes);
    memcpy(to + RECORD_HEADER + e->bytes, e->vector, vector_bytes);
    return RECORD_HEADER + e->bytes + vector_bytes;
}

/* Writes a pack named after its content, so that the same texts written twice are one file. *path: new. */
static sat_status write_pack(const query_cache *c, bool everything, char **path, sat_error *error)
{
    size_t size = PACK_HEADER;
    for (size_t i = 0; i < c->count; i++)
        if (everything || !c->entries[i].saved)
            size += RECORD_HEADER + c->entries[i].bytes + (size_t)c->width * sizeof(float);
    unsigned char *data = malloc(size), *at = data;
    if (!data) return out_of_memory(error);
    write_pack_header(c, at);
    at += PACK_HEADER;
    for (size_t i = 0; i < c->count; i++)
        if (everything || !c->entries[i].saved) at += write_record(c, &c->entries[i], at);

    hash_sha256 hash;
    char name[HASH_SHA256_TEXT];
    hash_sha256_begin(&hash);
    hash_sha256_add(&hash, data, size);
    hash_sha256_end(&hash, name);
    memcpy(name + PACK_NAME_DIGITS, pack_ending, sizeof pack_ending);
    *path = path_of(c->folder, name);
    const sat_status status = *path ? file_write_whole(*path, data, size, error) : out_of_memory(error);
    free(data);
    return status;
}

sat_status query_cache_save(query_cache *c, sat_error *error)
{
    size_t unsaved = 0;
    for (size_t i = 0; i < c->count; i++)
        unsaved += !c->entries[i].saved;
    if (!c->folder || unsaved == 0) return SAT_OK;

    const bool everything = c->pack_count >= PACKS_MANY;
    char *path = NULL;
    sat_status status = folder_make(c->folder, error);
    if (status == SAT_OK) status = write_pack(c, everything, &path, error);
    for (size_t i = 0; i < c->count && status == SAT_OK; i++)
        c->entries[i].saved = true;
    /* What the new pack holds too may go. Another run that does the same meanwhile loses nothing: its own new pack
     * holds all that it had read. */
    for (size_t i = 0; i < c->pack_count && status == SAT_OK && everything; i++) {
        if (strcmp(c->packs[i], path) != 0) remove(c->packs[i]);
        free(c->packs[i]);
    }
    if (status == SAT_OK && everything) c->pack_count = 0;
    free(path);
    return status;
}

/* ---------------------------------------------------------------- opening and closing */

sat_status query_cache_open(const char *root, const char key[HASH_SHA256_TEXT], int width, query_cache **made,
                            sat_error *error)
{
    sat_status status = SAT_OK;
    query_cache *c = calloc(1, sizeof *c);
    *made = NULL;
    if (!c) return out_of_memory(error);
    c->width = width;
    snprintf(c->key, sizeof c->key, "%s", key);
    if (root) {
        c->folder = path_of(root, c->key);
        status = c->folder ? read_packs(c, error) : out_of_memory(error);
    }
    if (status == SAT_OK)
        *made = c;
    else
        query_cache_close(c);
    return status;
}

void query_cache_close(query_cache *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->block_count; i++)
        free(c->blocks[i]);
    for (size_t i = 0; i < c->pack_count; i++)
        free(c->packs[i]);
    free(c->blocks);
    free(c->packs);
    free(c->entries);
    free(c->folder);
    word_map_close(&c->index);
    free(c);
}

bool query_cache_default_root(char *path, size_t room)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = -1;
    if (cache && cache[0] == '/') /* the specification says to pass over a relative one */
        length = snprintf(path, room, "%s/sat3d/queries", cache);
    else if (home && home[0] == '/')
        length = snprintf(path, room, "%s/.cache/sat3d/queries", home);
    if (length >= 0 && (size_t)length < room) return true;
    if (room) path[0] = 0;
    return false;
}
