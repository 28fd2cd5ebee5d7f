/* Whose turn it is with a model, and whether the user still wants to wait or work. */
#ifndef SAT_INTERFACE_TURN_H
#define SAT_INTERFACE_TURN_H

#include "base/progress.h"
#include "sat3d.h"

#include <pthread.h>

/* A user's callback as the library below sees it: it hears of progress, and is asked in between, at most some twenty times a
 * second, whether to go on, so that cancelling does not wait for the end of a window. Never two calls at once. */
typedef struct listening {
    progress watch; /* to be passed down; its context is this struct, which must not move */
    sat_progress_function *call;
    void *context;
    pthread_mutex_t lock;
    double ask_again; /* on clock_seconds; under the lock */
} listening;

/* call may be NULL. */
void listening_open(listening *l, sat_progress_function *call, void *context);
void listening_close(listening *l);

/* Waits until nobody computes with the model, then keeps the others out until turn_end. Fails with SAT_CANCELLED. */
sat_status turn_begin(sat_model *model, listening *l, sat_error *error);
void turn_end(sat_model *model);

#endif
