/* What merge.c, merge_add.c and merge_pool.c share; nobody else includes this. */
#ifndef SAT_SEGMENT_MERGE_STATE_H
#define SAT_SEGMENT_MERGE_STATE_H

#include "base/arena.h"
#include "segment/merge.h"
#include "segment/merge_rows.h"

#include <pthread.h>
#include <stdatomic.h>

enum { BLOCK_BYTES = MERGE_BLOCK_VOXELS * (int)sizeof(float) };

/* A block's entry of a prompt: 0 for none, else its number in the pool + 1, and a bit for "some voxel above the threshold", set
 * when the block's last window is done. */
#define ENTRY_HOT 0x80000000u
#define ENTRY_NUMBER 0x7fffffffu

typedef enum prompt_stage {
    PROMPT_WANTED,   /* in this pass                        */
    PROMPT_DEFERRED, /* dropped; waits for the next pass    */
    PROMPT_COMPLETE, /* its map is whole                    */
    PROMPT_DONE,     /* released                            */
} prompt_stage;

typedef struct prompt_state {
    atomic_int stage;
    atomic_int busy;   /* threads within merge_add                                            */
    bool to_reclaim;   /* deferred, but its blocks are still in use; guarded by the pool's lock */
} prompt_state;

/* Blocks of 8 KiB from one piece of memory. Fresh ones are zero as the system gives them; returned ones are zeroed
 * when they are given out again. */
typedef struct block_pool {
    arena memory;
    float *blocks;
    uint32_t capacity, fresh, returned; /* blocks: in all; given out at least once; on the stack */
    uint32_t *stack;                    /* numbers of returned blocks                            */
    uint32_t peak;
    int reclaims_waiting;               /* prompts with to_reclaim                               */
    pthread_mutex_t lock;
    pthread_cond_t reclaimed;
} block_pool;

struct merge {
    merge_settings settings;
    merge_largest_of_rows *largest_of_rows;
    bool *skipped;           /* owned; of each window                                           */
    int64_t blocks[3];
    size_t block_count;
    float *weight_sum;       /* [x][y][z] of the volume                                         */
    int32_t *final_window;   /* of each block: after this window its sums are whole; -1: no window */
    int32_t *settled_window; /* of each block: after this one its 26 neighbours' are, too       */
    int32_t *final_list, *settled_list; /* working lists of merge_window_done                   */
    _Atomic uint32_t *entries;          /* [prompt][block]                                      */
    prompt_state *prompts;
    block_pool pool;
    size_t fixed_bytes;
    size_t windows_done;
    int passes;
};

static inline float *pool_block(const merge *m, uint32_t entry)
{
    return m->pool.blocks + (size_t)((entry & ENTRY_NUMBER) - 1) * MERGE_BLOCK_VOXELS;
}

static inline _Atomic uint32_t *prompt_entries(const merge *m, int prompt)
{
    return m->entries + (size_t)prompt * m->block_count;
}

/* `capacity` blocks. Fails with SAT_NO_MEMORY. */
sat_status pool_open(block_pool *pool, uint32_t capacity, sat_error *error);
void pool_close(block_pool *pool);

/* merge_add of `prompt` begins: false if it is not wanted. Each true is followed by one pool_leave. */
bool pool_enter(merge *m, int prompt);
void pool_leave(merge *m, int prompt);
/* The prompt's block behind `entry`, made if there is none; NULL when the prompt was deferred instead. Between
 * pool_enter and pool_leave. */
float *pool_need(merge *m, int prompt, _Atomic uint32_t *entry);

/* Takes back the listed blocks of a prompt; no other thread may use them. */
void pool_return(merge *m, int prompt, const int32_t *list, size_t count);
/* Takes back all blocks of a prompt. */
void pool_return_all(merge *m, int prompt);

#endif
