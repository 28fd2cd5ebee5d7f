/* Blocks given out, taken back, and what happens when there are none left (merge.h says why the outcome does
 * not depend on threads). */
#include "segment/merge_state.h"

#include <stdlib.h>
#include <string.h>

sat_status pool_open(block_pool *pool, uint32_t capacity, sat_error *error)
{
    *pool = (block_pool){.capacity = capacity};
    const size_t bytes = (size_t)capacity * BLOCK_BYTES;
    const sat_status status = arena_open(&pool->memory, bytes, error);
    if (status != SAT_OK) return status;
    pool->blocks = arena_take(&pool->memory, bytes, 1);
    pool->stack = malloc((size_t)capacity * sizeof *pool->stack);
    if (!pool->stack) {
        arena_close(&pool->memory);
        return sat_fail(error, SAT_NO_MEMORY, "no memory for a list of %u blocks", (unsigned)capacity);
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->reclaimed, NULL);
    return SAT_OK;
}

void pool_close(block_pool *pool)
{
    if (!pool->stack) return;
    pthread_cond_destroy(&pool->reclaimed);
    pthread_mutex_destroy(&pool->lock);
    free(pool->stack);
    arena_close(&pool->memory);
    *pool = (block_pool){0};
}

/* ---------------------------------------------------------------- with the lock held */

static void give_back(merge *m, _Atomic uint32_t *entry)
{
    const uint32_t number = atomic_load_explicit(entry, memory_order_relaxed) & ENTRY_NUMBER;
    if (!number) return;
    m->pool.stack[m->pool.returned++] = number;
    atomic_store_explicit(entry, 0, memory_order_relaxed);
}

static void give_back_all(merge *m, int prompt)
{
    _Atomic uint32_t *entries = prompt_entries(m, prompt);
    for (size_t block = 0; block < m->block_count; block++)
        give_back(m, &entries[block]);
}

/* A deferred prompt's blocks go back as soon as no thread is adding to it. */
static void reclaim_if_idle(merge *m, int prompt)
{
    prompt_state *state = &m->prompts[prompt];
    if (!state->to_reclaim || atomic_load(&state->busy) != 0) return;
    give_back_all(m, prompt);
    state->to_reclaim = false;
    m->pool.reclaims_waiting--;
    pthread_cond_broadcast(&m->pool.reclaimed);
}

/* Defers the highest-numbered prompt of this pass. */
static void defer_one(merge *m)
{
    int prompt = m->settings.prompts - 1;
    while (prompt > 0 && atomic_load(&m->prompts[prompt].stage) != PROMPT_WANTED)
        prompt--;
    atomic_store(&m->prompts[prompt].stage, PROMPT_DEFERRED);
    m->prompts[prompt].to_reclaim = true;
    m->pool.reclaims_waiting++;
    reclaim_if_idle(m, prompt);
}

/* A zeroed block's number + 1, or 0 if there is none. */
static uint32_t take_block(block_pool *pool)
{
    uint32_t number = 0;
    if (pool->returned) {
        number = pool->stack[--pool->returned];
        memset(pool->blocks + (size_t)(number - 1) * MERGE_BLOCK_VOXELS, 0, BLOCK_BYTES);
    } else if (pool->fresh < pool->capacity) {
        number = ++pool->fresh;
    }
    const uint32_t used = pool->fresh - pool->returned;
    if (used > pool->peak) pool->peak = used;
    return number;
}

/* ---------------------------------------------------------------- for merge.c and merge_add.c */

bool pool_enter(merge *m, int prompt)
{
    prompt_state *state = &m->prompts[prompt];
    if (atomic_load(&state->stage) != PROMPT_WANTED) return false;
    atomic_fetch_add(&state->busy, 1);
    if (atomic_load(&state->stage) == PROMPT_WANTED) return true;
    pool_leave(m, prompt); /* deferred in between: who deferred it saw us, or we see it */
    return false;
}

void pool_leave(merge *m, int prompt)
{
    prompt_state *state = &m->prompts[prompt];
    if (atomic_fetch_sub(&state->busy, 1) > 1 || atomic_load(&state->stage) != PROMPT_DEFERRED) return;
    pthread_mutex_lock(&m->pool.lock);
    reclaim_if_idle(m, prompt);
    pthread_mutex_unlock(&m->pool.lock);
}

/* Nobody waits for ever: a thread waits only for prompts deferred before, which lie above its own, and threads
 * of a deferred prompt leave without waiting. */
float *pool_need(merge *m, int prompt, _Atomic uint32_t *entry)
{
    uint32_t known = atomic_load_explicit(entry, memory_order_acquire);
    if (known) return pool_block(m, known);
    float *block = NULL;
    pthread_mutex_lock(&m->pool.lock);
    while (atomic_load(&m->prompts[prompt].stage) == PROMPT_WANTED) {
        known = atomic_load_explicit(entry, memory_order_relaxed);
        if (!known && (known = take_block(&m->pool))) atomic_store_explicit(entry, known, memory_order_release);
        if (known) {
            block = pool_block(m, known);
            break;
        }
        if (m->pool.reclaims_waiting) pthread_cond_wait(&m->pool.reclaimed, &m->pool.lock);
        else defer_one(m);
    }
    pthread_mutex_unlock(&m->pool.lock);
    return block;
}

void pool_return(merge *m, int prompt, const int32_t *list, size_t count)
{
    _Atomic uint32_t *entries = prompt_entries(m, prompt);
    pthread_mutex_lock(&m->pool.lock);
    for (size_t n = 0; n < count; n++)
        give_back(m, &entries[list[n]]);
    pthread_mutex_unlock(&m->pool.lock);
}

void pool_return_all(merge *m, int prompt)
{
    pthread_mutex_lock(&m->pool.lock);
    give_back_all(m, prompt);
    pthread_mutex_unlock(&m->pool.lock);
}
