/* libFuzzer target for the NIfTI, Analyze and gzip readers; with -DREPLAY a program that runs files through it.
 * Input: a file as it is. It is read as a whole, volume by volume, and as a pair whose image follows the header.
 * A refusal must say why; a volume must have voxels, a position and values. */
#include "image/nifti.h"
#include "image/orientation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_and_free(sat_status status, volume *v, const sat_error *error)
{
    if (status != SAT_OK) {
        if (v->stored || v->memory || !error->message[0] || error->code != status) abort();
        return;
    }
    const int64_t *n = v->grid.shape_ijk;
    char code[4];
    if (n[0] < 1 || n[1] < 1 || n[2] < 1 || !v->stored || v->volumes_in_file < 1 || v->warnings >= VOLUME_WARNS_END) abort();
    if (orientation_code_of(v->grid.voxel_to_world, code, NULL) != SAT_OK) abort();
    float values[256];
    const size_t voxels = volume_voxels(v);
    for (size_t at = 0; at < voxels; at += 256)
        volume_values(v, at, voxels - at < 256 ? voxels - at : 256, values);
    volume_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int64_t index = -1; index < 2; index++) {
        volume v;
        sat_error error = {0};
        const sat_status status = nifti_parse(data, size, index, &v, &error);
        check_and_free(status, &v, &error);
    }
    static const size_t headers[] = {348, 540};
    for (int n = 0; n < 2; n++) {
        if (size < headers[n]) continue;
        volume v;
        sat_error error = {0};
        const sat_status status = nifti_parse_pair(data, headers[n], data + headers[n], size - headers[n], 0, &v, &error);
        check_and_free(status, &v, &error);
    }
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
