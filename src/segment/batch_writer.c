#define _POSIX_C_SOURCE 200809L /* pthread */
#include "segment/batch_writer.h"

#include "base/file.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_BYTES = 64 << 20, /* of masks as bits: half a thousand million voxels */
    OPEN_MASKS = 16,
    OPEN_MASK_BYTES = 2 << 20, /* an open file's compressor and buffers (image/gzip.h: 1 MB for one thread) */
    CHUNK_VOXELS = 1 << 15,    /* unpacked at once: 32 KB */
};

struct batch_mask {
    nifti_writer file;
    batch_files *files;
    void *end; /* the job that ends it, made beforehand so that ending cannot fail */
};

typedef enum job_kind { JOB_VOXELS, JOB_COMMIT, JOB_ABANDON, JOB_WHOLE } job_kind;

typedef struct job {
    struct job *next;
    batch_files *files;
    job_kind kind;
    batch_mask *mask; /* owned by the job that ends it */
    size_t voxels;    /* JOB_VOXELS */
    char *path;       /* JOB_WHOLE; owned */
    void *bytes;      /* owned: voxels as bits, NULL for zeros; or a whole file */
    size_t size;      /* of `bytes` */
} job;

struct batch_writer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything below */
    job *first, *last;
    size_t bytes;           /* queued, and in the thread's hand */
    int open_masks;
    bool closing;
    uint8_t *unpacked;      /* [CHUNK_VOXELS], the thread's own */
};

uint64_t batch_writer_bytes(void) { return QUEUE_BYTES + (uint64_t)OPEN_MASKS * OPEN_MASK_BYTES; }

/* ---------------------------------------------------------------- masks as bits */

static void pack(const uint8_t *voxels, size_t count, uint8_t *bits)
{
    for (size_t at = 0; at < count; at += 8) {
        const size_t some = count - at < 8 ? count - at : 8;
        unsigned byte = 0;
        for (size_t i = 0; i < some; i++)
            byte |= (unsigned)(voxels[at + i] & 1) << i;
        bits[at / 8] = (uint8_t)byte;
    }
}

static void unpack(const uint8_t *bits, size_t count, uint8_t *voxels)
{
    for (size_t i = 0; i < count; i++)
        voxels[i] = bits[i / 8] >> i % 8 & 1;
}

/* ---------------------------------------------------------------- the thread */

static sat_status write_voxels(batch_writer *w, const job *j, sat_error *error)
{
    if (!j->bytes) return nifti_writer_add(&j->mask->file, NULL, j->voxels, error);
    sat_status status = SAT_OK;
    for (size_t at = 0; at < j->voxels && status == SAT_OK; at += CHUNK_VOXELS) {
        const size_t some = j->voxels - at < CHUNK_VOXELS ? j->voxels - at : CHUNK_VOXELS;
        unpack((const uint8_t *)j->bytes + at / 8, some, w->unpacked);
        status = nifti_writer_add(&j->mask->file, w->unpacked, some, error);
    }
    return status;
}

static sat_status do_job(batch_writer *w, const job *j, sat_error *error)
{
    switch (j->kind) {
    case JOB_VOXELS: return write_voxels(w, j, error);
    case JOB_COMMIT: return nifti_writer_commit(&j->mask->file, error);
    case JOB_WHOLE: return file_write_whole(j->path, j->bytes, j->size, error);
    case JOB_ABANDON: break;
    }
    return SAT_OK;
}

static bool ends_mask(const job *j) { return j->kind == JOB_COMMIT || j->kind == JOB_ABANDON; }

static void job_free(job *j)
{
    if (ends_mask(j)) {
        nifti_writer_abandon(&j->mask->file); /* does nothing to one that is committed */
        free(j->mask);
    }
    free(j->path);
    free(j->bytes);
    free(j);
}

static void *write_jobs(void *context)
{
    batch_writer *w = context;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !w->closing)
            pthread_cond_wait(&w->changed, &w->lock);
        job *j = w->first;
        if (!j) break;
        w->first = j->next;
        if (!w->first) w->last = NULL;
        batch_files *files = j->files;
        const bool wanted = files->status == SAT_OK, end = ends_mask(j);
        const size_t size = j->size;
        pthread_mutex_unlock(&w->lock);

        sat_error error = {0};
        const sat_status status = wanted ? do_job(w, j, &error) : SAT_OK;
        job_free(j);

        pthread_mutex_lock(&w->lock);
        if (status != SAT_OK && files->status == SAT_OK) {
            files->status = status;
            files->error = error;
        }
        w->bytes -= size;
        w->open_masks -= end;
        files->pending--;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

sat_status batch_writer_open(batch_writer **made, sat_error *error)
{
    *made = NULL;
    batch_writer *w = calloc(1, sizeof *w);
    if (w) w->unpacked = malloc(CHUNK_VOXELS);
    if (!w || !w->unpacked) {
        free(w);
        return sat_fail(error, SAT_NO_MEMORY, "no memory for the queue of files");
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    const int reason = pthread_create(&w->thread, NULL, write_jobs, w);
    if (reason == 0) {
        *made = w;
        return SAT_OK;
    }
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w->unpacked);
    free(w);
    return sat_fail(error, SAT_NO_MEMORY, "the system gives no thread for writing: %s", strerror(reason));
}

void batch_writer_close(batch_writer *w)
{
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w->unpacked);
    free(w);
}

/* ---------------------------------------------------------------- the queue */

/* Appends; `room`: wait until its bytes fit, or nothing else is queued. */
static void append(job *j, bool room)
{
    batch_writer *w = j->files->writer;
    pthread_mutex_lock(&w->lock);
    while (room && w->bytes > 0 && w->bytes + j->size > QUEUE_BYTES)
        pthread_cond_wait(&w->changed, &w->lock);
    w->bytes += j->size;
    j->files->pending++;
    if (w->last) w->last->next = j;
    else w->first = j;
    w->last = j;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* How the case stands: what failed behind is learnt here. */
static sat_status standing(batch_files *files, sat_error *error)
{
    pthread_mutex_lock(&files->writer->lock);
    const sat_status status = files->status;
    if (status != SAT_OK && error) *error = files->error;
    pthread_mutex_unlock(&files->writer->lock);
    return status;
}

batch_files batch_files_of(batch_writer *w) { return (batch_files){.writer = w}; }

static sat_status no_room(sat_error *error) { return sat_fail(error, SAT_NO_MEMORY, "no memory for masks that wait to be written"); }

/* Waits until a further mask may be open. */
static void take_open_mask(batch_writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->open_masks >= OPEN_MASKS)
        pthread_cond_wait(&w->changed, &w->lock);
    w->open_masks++;
    pthread_mutex_unlock(&w->lock);
}

static void give_open_mask(batch_writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->open_masks--;
    pthread_mutex_unlock(&w->lock);
}

sat_status batch_files_mask(batch_files *files, const char *path, const volume *scan, batch_mask **begun, unsigned *warnings,
                            sat_error *error)
{
    static const nifti_write_options options = {.threads = 1, .level = GZIP_LEVEL_LABELS};
    *begun = NULL;
    batch_mask *made = calloc(1, sizeof *made);
    job *end = calloc(1, sizeof *end);
    sat_status status = made && end ? standing(files, error) : no_room(error);
    if (status == SAT_OK) {
        take_open_mask(files->writer);
        status = nifti_writer_open_like(path, scan, VOXEL_UINT8, &options, &made->file, error);
        if (status != SAT_OK) give_open_mask(files->writer);
    }
    if (status != SAT_OK) {
        free(made);
        free(end);
        return status;
    }
    made->files = files;
    made->end = end;
    *end = (job){.files = files, .mask = made};
    *warnings |= made->file.warnings;
    *begun = made;
    return SAT_OK;
}

sat_status batch_mask_add(batch_mask *mask, const uint8_t *voxels, size_t count, sat_error *error)
{
    const sat_status status = standing(mask->files, error);
    if (status != SAT_OK) return status;
    job *j = calloc(1, sizeof *j);
    if (!j) return no_room(error);
    *j = (job){.files = mask->files, .kind = JOB_VOXELS, .mask = mask, .voxels = count};
    if (voxels && count && memchr(voxels, 1, count)) {
        j->size = count / 8 + 1;
        j->bytes = malloc(j->size);
        if (!j->bytes) {
            free(j);
            return no_room(error);
        }
        pack(voxels, count, j->bytes);
    }
    append(j, true);
    return SAT_OK;
}

static void end_mask(batch_mask *mask, job_kind kind)
{
    job *end = mask->end;
    end->kind = kind;
    append(end, false);
}

void batch_mask_commit(batch_mask *mask) { end_mask(mask, JOB_COMMIT); }
void batch_mask_abandon(batch_mask *mask) { end_mask(mask, JOB_ABANDON); }

sat_status batch_files_whole(batch_files *files, const char *path, char *bytes, size_t size, sat_error *error)
{
    job *j = calloc(1, sizeof *j);
    char *copy = malloc(strlen(path) + 1);
    if (!j || !copy || !bytes) {
        free(j);
        free(copy);
        free(bytes);
        return no_room(error);
    }
    memcpy(copy, path, strlen(path) + 1);
    *j = (job){.files = files, .kind = JOB_WHOLE, .path = copy, .bytes = bytes, .size = size};
    append(j, true);
    return SAT_OK;
}

void batch_files_drop(batch_files *files)
{
    pthread_mutex_lock(&files->writer->lock);
    if (files->status == SAT_OK) files->status = sat_fail(&files->error, SAT_CANCELLED, "not written");
    pthread_mutex_unlock(&files->writer->lock);
}

sat_status batch_files_wait(batch_files *files, sat_error *error)
{
    batch_writer *w = files->writer;
    pthread_mutex_lock(&w->lock);
    while (files->pending > 0)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return standing(files, error);
}
