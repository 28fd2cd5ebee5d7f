#define _POSIX_C_SOURCE 200809L /* clock_gettime, pthread_cond_timedwait */
#include "interface/turn.h"

#include "base/clock.h"
#include "interface/handles.h"

#include <time.h>

enum { WAIT_NS = 20 * 1000 * 1000 };
static const double ask_every_seconds = 0.05;

/* ---------------------------------------------------------------- the callback */

static void call_user(listening *l, const char *stage, uint64_t done, uint64_t total)
{
    if (!atomic_load(&l->watch.cancelled) && l->call(l->context, stage, done, total)) progress_cancel(&l->watch);
    l->ask_again = clock_seconds() + ask_every_seconds;
}

static void hear(const progress *p, const char *stage, uint64_t done, uint64_t total)
{
    listening *l = p->context;
    pthread_mutex_lock(&l->lock);
    call_user(l, stage, done, total);
    pthread_mutex_unlock(&l->lock);
}

/* Who comes while another asks does not wait for the answer: it will be there next time. */
static bool wants_stop(const progress *p)
{
    listening *l = p->context;
    if (pthread_mutex_trylock(&l->lock) != 0) return false;
    if (p->stage && clock_seconds() >= l->ask_again) {
        const uint64_t done = atomic_load(&p->done);
        call_user(l, p->stage, p->total && done > p->total ? p->total : done, p->total);
    }
    pthread_mutex_unlock(&l->lock);
    return atomic_load(&p->cancelled);
}

void listening_open(listening *l, sat_progress_function *call, void *context)
{
    *l = (listening){.call = call, .context = context};
    pthread_mutex_init(&l->lock, NULL);
    l->watch.context = l;
    if (!call) return;
    l->watch.listener = hear;
    l->watch.wants_stop = wants_stop;
}

void listening_close(listening *l) { pthread_mutex_destroy(&l->lock); }

/* ---------------------------------------------------------------- turns */

static struct timespec soon(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += WAIT_NS;
    if (t.tv_nsec >= 1000 * 1000 * 1000) {
        t.tv_nsec -= 1000 * 1000 * 1000;
        t.tv_sec++;
    }
    return t;
}

/* The lock is let go while the callback runs: it may take its time. */
sat_status turn_begin(sat_model *model, listening *l, sat_error *error)
{
    bool told = false, stop = false;
    pthread_mutex_lock(&model->lock);
    while (model->busy && !stop) {
        if (!l->call) {
            pthread_cond_wait(&model->free_again, &model->lock);
            continue;
        }
        const struct timespec until = soon();
        pthread_cond_timedwait(&model->free_again, &model->lock, &until);
        if (!model->busy) break;
        pthread_mutex_unlock(&model->lock);
        if (!told) progress_begin(&l->watch, "waiting", 0);
        told = true;
        stop = progress_cancelled(&l->watch);
        pthread_mutex_lock(&model->lock);
    }
    if (!stop) model->busy = true;
    pthread_mutex_unlock(&model->lock);
    return stop ? progress_check(&l->watch, error) : SAT_OK;
}

void turn_end(sat_model *model)
{
    pthread_mutex_lock(&model->lock);
    model->busy = false;
    pthread_cond_signal(&model->free_again);
    pthread_mutex_unlock(&model->lock);
}
