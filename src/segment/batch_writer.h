/* Files written behind the computing: one thread that compresses, writes and syncs what a bounded queue hands it, in order. */
#ifndef SAT_SEGMENT_BATCH_WRITER_H
#define SAT_SEGMENT_BATCH_WRITER_H

#include "base/error.h"
#include "image/nifti.h"

#include <stddef.h>
#include <stdint.h>

typedef struct batch_writer batch_writer;

/* The files of one case. Make it with batch_files_of; one thread adds to it. Once something of it has failed, whatever is still
 * queued for it is dropped, so that its last file, the side-car, exists only where all others do. */
typedef struct batch_files {
    batch_writer *writer; /* borrowed */
    size_t pending;       /* the rest belongs to the writer's lock */
    sat_status status;
    sat_error error;
} batch_files;

/* What the writer holds at most: queued bytes, and masks that are open. */
uint64_t batch_writer_bytes(void);

/* Starts the thread. Fails with SAT_NO_MEMORY. */
sat_status batch_writer_open(batch_writer **made, sat_error *error);
/* Waits until all is written, and ends the thread. NULL does nothing. */
void batch_writer_close(batch_writer *w);

batch_files batch_files_of(batch_writer *w);

/* Begins a mask's file, at once, so that a folder that can't be written is known now; what follows is queued. As
 * nifti_writer_open_like, whose warnings come back in *warnings. Waits while too many masks are open. */
typedef struct batch_mask batch_mask;
sat_status batch_files_mask(batch_files *files, const char *path, const volume *scan, batch_mask **begun, unsigned *warnings,
                            sat_error *error);
/* The next voxels, 0 or 1 each (copied); NULL: zeros. Waits while the queue is full. */
sat_status batch_mask_add(batch_mask *mask, const uint8_t *voxels, size_t count, sat_error *error);
/* The file is complete, or given up; `mask` is gone either way. */
void batch_mask_commit(batch_mask *mask);
void batch_mask_abandon(batch_mask *mask);

/* A whole file. Takes `bytes` over (frees them), on failure too. */
sat_status batch_files_whole(batch_files *files, const char *path, char *bytes, size_t size, sat_error *error);

/* Nothing more of this case is to be written. */
void batch_files_drop(batch_files *files);
/* Waits until all its files are there; how that went. */
sat_status batch_files_wait(batch_files *files, sat_error *error);

#endif
