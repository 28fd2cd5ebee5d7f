/* What is behind the opaque types of sat3d.h. */
#ifndef SAT_INTERFACE_HANDLES_H
#define SAT_INTERFACE_HANDLES_H

#include "image/volume.h"
#include "interface/kept.h"
#include "segment/case.h"
#include "segment/segmenter.h"

#include <pthread.h>
#include <stdbool.h>

/* A segmenter must not run twice at once: who comes second waits for its turn (turn.h). */
struct sat_model {
    segmenter *segmenter; /* owned */
    char *name;           /* owned; the file's name without folders */
    int threads;
    uint64_t limit_bytes;
    pthread_mutex_t lock; /* of `busy` alone, held for moments */
    pthread_cond_t free_again;
    bool busy;
};

/* Never changed once made, so that threads may share it. */
struct sat_volume {
    volume scan;
    char *name; /* owned; the file's name without folders, or NULL */
};

/* Likewise. */
struct sat_result {
    volume grid;       /* of the scan, without its voxels */
    char **names;      /* owned */
    case_result found; /* its labels' names are those above */
    kept *masks;       /* owned; NULL: none were wanted */
    kept *probabilities;
};

/* Copies; NULL when memory is short. base_name_copy leaves out folders. */
char *text_copy(const char *words);
char *base_name_copy(const char *path);

#endif
