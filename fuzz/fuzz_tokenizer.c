/* libFuzzer target for the tokenizer; with -DREPLAY a program that runs files through it.
 * Input: a byte that chooses the encoder kind (odd: MPNet), a byte for the longest sequence, the vocabulary up to the
 * first zero byte, and the text. A vocabulary that is refused must say why; a good one must give a framed sequence
 * of known numbers, the same from a copy cut to the same length. */
#include "text/lower_case.h"
#include "text/wordpiece.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const tokenizer *t, const char *text, size_t bytes, int longest)
{
    int32_t ids[258], again[258];
    const int count = tokenizer_ids(t, text, bytes, longest, ids);
    if (count < 2 || count > longest) abort();
    if (ids[0] != tokenizer_find(t, "[CLS]") || ids[count - 1] != tokenizer_find(t, "[SEP]")) abort();
    for (int i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= tokenizer_size(t)) abort();
    if (tokenizer_ids(t, text, bytes, count, again) != count || memcmp(ids, again, (size_t)count * sizeof *ids) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    const text_kind kind = data[0] & 1 ? TEXT_MPNET : TEXT_BERT;
    const int longest = 2 + data[1];
    const char *vocabulary = (const char *)data + 2, *zero = memchr(vocabulary, 0, size - 2);
    const size_t vocabulary_bytes = zero ? (size_t)(zero - vocabulary) : size - 2;
    const char *text = zero ? zero + 1 : vocabulary + vocabulary_bytes;
    const size_t bytes = size - 2 - vocabulary_bytes - (zero ? 1 : 0);

    sat_error error = {0};
    tokenizer *t = NULL;
    if (tokenizer_open(kind, vocabulary, vocabulary_bytes, &t, &error) != SAT_OK) {
        if (t || !error.message[0]) abort();
        return 0;
    }
    char *lower = NULL;
    size_t lower_bytes = 0;
    check(t, text, bytes, longest);
    if (lower_case(text, bytes, &lower, &lower_bytes, &error) != SAT_OK || strlen(lower) > lower_bytes) abort();
    check(t, lower, lower_bytes, longest);
    free(lower);
    tokenizer_close(t);
    return 0;
}

#ifdef REPLAY
int main(int count, char **paths)
{
    static uint8_t data[1 << 20];
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(paths[i], "rb");
        if (!file) return 1;
        const size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        uint8_t *exact = malloc(size ? size : 1); /* so that reading past the end is seen by a sanitizer */
        if (!exact) return 1;
        memcpy(exact, data, size);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
    return 0;
}
#endif
