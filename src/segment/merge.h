/* The windows' probabilities become one map for each prompt: sum(weight * probability) / sum(weight), float32 in
 * window order (pipeline.md, section 7), held only where something was found.
 *
 * A prompt's sums live in blocks of 16 x 16 x 8 voxels from a pool of fixed size. A plane of a block (1 x 16 x 8)
 * in which a window says nothing above `tolerance` adds nothing; a block exists once some plane of it added
 * something. So memory grows with the volume of what was found, and no probability is off by more than the tolerance:
 * what is left out is sum over some windows of w * p with p <= tolerance, over sum over all windows of w, which is at most
 * tolerance. (The rule looks at whole planes of one window only, so it depends neither on the order in which slabs
 * arrive nor on threads.)
 *
 * When the pool is full, prompts are deferred to a next pass, the highest-numbered first. After each window the
 * prompts left are the longest run 0 .. m of this pass's prompts whose blocks fit together, whatever the order in which
 * threads delivered: a prompt is only dropped while all below it are held, so a fitting run is never touched, and a
 * run that does not fit cannot stay.
 *
 * A pass:   for each window, in order:
 *               threads: merge_add(m, window, prompt, x0, x1, rows) for every prompt that merge_wants and every x once
 *               one thread: merge_window_done(m, window, threads)
 *           for each prompt that merge_complete: the way back (restore.h), then merge_release
 *           merge_next_pass: how many prompts are still to be done, 0 when finished */
#ifndef SAT_SEGMENT_MERGE_H
#define SAT_SEGMENT_MERGE_H

#include "base/error.h"
#include "segment/windows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MERGE_BLOCK_X = 16, MERGE_BLOCK_Y = 16, MERGE_BLOCK_Z = 8, MERGE_BLOCK_VOXELS = 2048 };
#define MERGE_TOLERANCE 1e-5f
#define MERGE_THRESHOLD 0.5f /* strictly above is mask, unless the settings say otherwise */

typedef struct merge_settings {
    const window_list *windows;      /* borrowed until merge_close                                              */
    const window_weights *weights;   /* likewise                                                                */
    const bool *skipped;             /* NULL, or for each window whether it is left out: it then has no say and its
                                        weight is not counted; voxels that no window covers are 0. Copied       */
    int prompts;
    size_t budget_bytes;             /* of everything below merge_open, pool and tables; from merge_plan_make   */
    float tolerance;                 /* MERGE_TOLERANCE; 0 keeps every probability > 0                          */
    float threshold;                 /* strictly above is mask; 0: MERGE_THRESHOLD                              */
    bool keep_probabilities;         /* false: only masks are wanted, and probabilities within them, so blocks
                                        that cannot reach one are freed                                         */
    int threads;
} merge_settings;

typedef struct merge merge;

/* What a merge of these windows and prompts needs. */
typedef struct merge_plan {
    size_t fixed_bytes;        /* sums of weights and tables                                        */
    size_t dense_prompt_bytes; /* one prompt with something everywhere                              */
    size_t minimum_bytes;      /* the least budget: fixed + one dense prompt; every pass ends with
                                  at least one prompt done                                          */
    size_t dense_bytes;        /* all prompts dense in one pass: more is never used                 */
    size_t prompts_per_pass;   /* dense prompts that fit the budget; 0 when below the minimum       */
    int passes_if_dense;       /* upper bound of passes; structures that fit take one               */
} merge_plan;

void merge_plan_make(const window_list *windows, int prompts, size_t budget_bytes, merge_plan *plan);

/* Takes the memory (address space at once, pages as blocks come) and starts the first pass.
 * Fails with SAT_NO_MEMORY below minimum_bytes, naming it; SAT_BAD_ARGUMENT. */
sat_status merge_open(const merge_settings *settings, merge **opened, sat_error *error);
/* Safe on NULL. */
void merge_close(merge *m);

/* False once the prompt is done or deferred: then its probabilities need not be computed. Thread-safe. */
bool merge_wants(const merge *m, int prompt);

/* Adds planes [x0, x1) of a window's probabilities for a prompt.
 *
 * x0, x1       in the window, 0 <= x0 <= x1 <= size[0]; planes beyond a short window are ignored
 * probability  [x1 - x0][size y][size z] of the full window, padding included and ignored; 0 .. 1 (not-a-number
 *              counts as 0)
 * From any number of threads at once, as long as no two bring the same plane of the same prompt; each plane once for
 * each window. Does not allocate. Does nothing for prompts that are not wanted. */
void merge_add(merge *m, size_t window, int prompt, int x0, int x1, const float *probability);

/* All planes of all wanted prompts of this window were added (or it is skipped). Windows end in order; not to be
 * called while merge_add runs. Turns sums into probabilities where no further window comes, and frees blocks. */
void merge_window_done(merge *m, size_t window, int threads);

/* After the last window: true for prompts whose map is whole. */
bool merge_complete(const merge *m, int prompt);

/* Frees a complete prompt's blocks; it stays done. */
void merge_release(merge *m, int prompt);

/* Starts the next pass with the deferred prompts; complete ones that were not released are. Returns how many there
 * are. Windows start from the first again. */
int merge_next_pass(merge *m);

typedef struct merge_usage {
    size_t fixed_bytes, pool_bytes; /* taken                                       */
    size_t used_bytes, peak_bytes;  /* of the pool's blocks, now and at most       */
    int passes;                     /* begun                                       */
    int deferred;                   /* prompts waiting for the next pass           */
} merge_usage;
void merge_usage_now(const merge *m, merge_usage *usage);

/* Blocks along each axis. */
void merge_blocks(const merge *m, int64_t blocks[3]);
/* A complete prompt's probabilities in block (bx, by, bz): [16][16][8], x y z; NULL: nothing above the tolerance, or
 * nothing that can reach a mask. Voxels beyond the volume are 0. */
const float *merge_block(const merge *m, int prompt, int64_t bx, int64_t by, int64_t bz);
/* What is mask: strictly above. */
float merge_threshold(const merge *m);
/* The volume's shape, as in the window list. */
const int64_t *merge_shape(const merge *m);

/* A complete prompt on the processed grid, dense, [x][y][z] (--compat and tests). Either may be NULL. Returns the
 * number of mask voxels. */
int64_t merge_dense(const merge *m, int prompt, float *probability, uint8_t *mask);

#endif
