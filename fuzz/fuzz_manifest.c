/* libFuzzer target for manifests. Input: the file's bytes. A refusal must say why; every line must be good or say why not. */
#include "segment/manifest.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    manifest m;
    sat_error error = {0};
    if (manifest_parse(data, size, &m, &error) != SAT_OK) {
        if (!error.message[0] || m.lines || m.count) abort();
        return 0;
    }
    int bad = 0, number = 0;
    for (int i = 0; i < m.count; i++) {
        const manifest_line *l = &m.lines[i];
        if (l->number <= number) abort();
        number = l->number;
        bad += l->refusal != NULL;
        if (l->refusal ? l->image != NULL : !l->image || !l->image[0]) abort();
        for (int k = 0; k < l->label_count; k++)
            if (!l->labels[k] || !l->labels[k][0] || strlen(l->labels[k]) >= MANIFEST_TEXT_MAX) abort();
    }
    if (bad != m.bad_count || bad == m.count) abort();
    manifest_free(&m);
    return 0;
}
