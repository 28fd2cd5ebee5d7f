/* libFuzzer target for safetensors files and the models in them. Input: the file's bytes. A file that is refused must say
 * why; the tensors of one that is accepted must fill it exactly, and a model's views must lie within it. */
#include "model/model_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    safetensors file;
    model_file *model = NULL;
    sat_error error = {0};
    if (safetensors_parse(data, size, &file, &error) != SAT_OK) {
        if (!error.message[0] || file.tensors) abort();
    } else {
        uint64_t bytes = 0;
        for (size_t i = 0; i < file.count; i++) {
            const safetensors_tensor *t = &file.tensors[i];
            if (t->offset < file.header_bytes || t->offset > size || t->bytes > size - t->offset) abort();
            if (safetensors_find(&file, t->name) != t) abort();
            bytes += t->bytes;
        }
        if (file.header_bytes + bytes != size) abort();
        safetensors_free(&file);
    }
    error = (sat_error){0};
    if (model_file_parse(data, size, &model, &error) != SAT_OK) {
        if (!error.message[0] || model) abort();
        return 0;
    }
    char identity[HASH_SHA256_TEXT];
    size_t words;
    model_file_identity(model, identity);
    const char *vocabulary = model_file_vocabulary(model, &words);
    if (vocabulary && ((const uint8_t *)vocabulary < data || words > size)) abort();
    model_file_close(model);
    return 0;
}
