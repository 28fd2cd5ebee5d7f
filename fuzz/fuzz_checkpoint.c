/* libFuzzer target for PyTorch checkpoints: zip directory, pickle, tensors. Input: the file's bytes. A file that is refused
 * must say why; one that is accepted must give every tensor's first and last elements without reading outside its storage. */
#include "model/checkpoint.h"
#include "model/state.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SAMPLE = 16 };
    checkpoint c;
    state_table state = {0};
    sat_error error = {0};
    if (checkpoint_parse(data, size, &c, &error) != SAT_OK) {
        if (!error.message[0] || c.tensors) abort();
        return 0;
    }
    for (size_t i = 0; i < c.count; i++) {
        uint64_t sample[SAMPLE];
        const checkpoint_tensor *t = &c.tensors[i];
        const int64_t take = t->elements < SAMPLE ? t->elements : SAMPLE;
        checkpoint_read(t, 0, (size_t)take, sample);
        checkpoint_read(t, t->elements - take, (size_t)take, sample);
    }
    if (state_list(&c, &state, &error) != SAT_OK && !error.message[0]) abort();
    state_free(&state);
    checkpoint_close(&c);
    return 0;
}
