/* Voxels in memory in, a mask in memory out: for a viewer, a server, a pipeline. No file is read but the model, none is
 * written. Draws a ball in air, as a scan that a program holds. For research use. Not a medical device.
 *
 *   cc segment_memory.c $(pkg-config --cflags --libs sat3d) -o segment_memory
 *   ./segment_memory nano.safetensors liver */
#include <sat3d.h>
#include <stdio.h>
#include <stdlib.h>

enum { NI = 90, NJ = 80, NK = 40 };

/* Hounsfield units of water in air, [k][j][i]. */
static int16_t *draw_scan(void)
{
    int16_t *voxels = malloc(sizeof *voxels * NI * NJ * NK);
    for (int k = 0; voxels && k < NK; k++)
        for (int j = 0; j < NJ; j++)
            for (int i = 0; i < NI; i++) {
                const int x = i - NI / 2, y = j - NJ / 2, z = 3 * (k - NK / 2); /* mm */
                voxels[(k * NJ + j) * NI + i] = x * x + y * y + z * z < 30 * 30 ? 40 : -1000;
            }
    return voxels;
}

int main(int count, char **words)
{
    if (count != 3) {
        fprintf(stderr, "usage: %s MODEL PROMPT\n", words[0]);
        return 2;
    }
    sat_error error = {0};
    sat_model *model = NULL;
    sat_volume *volume = NULL;
    sat_result *result = NULL;
    uint8_t *mask = NULL;
    int16_t *voxels = draw_scan();
    const char *prompts[] = {words[2]};

    const sat_voxels scan = {
        .size = sizeof scan,
        .voxels = voxels,
        .type = SAT_VOXEL_INT16,
        .shape_ijk = {NI, NJ, NK},
        /* i runs to the patient's right, j to the front, k to the head; voxels of 1 x 1 x 3 mm; the ball's centre is 0 0 0 */
        .voxel_to_world_mm = {{1, 0, 0, -NI / 2}, {0, 1, 0, -NJ / 2}, {0, 0, 3, -3 * (NK / 2)}},
    };
    sat_model_options options;
    sat_model_options_default(&options, sizeof options);
    options.usual_prompts = 1;
    sat_request request;
    sat_request_default(&request, sizeof request);
    request.modality = "ct";
    request.prompts = prompts;
    request.prompt_count = 1;

    sat_status status = sat_model_open(words[1], &options, &model, &error);
    if (status == SAT_OK) status = sat_volume_make(&scan, &volume, &error); /* copies: voxels could be freed now */
    if (status == SAT_OK) status = sat_segment(model, volume, &request, &result, &error);
    if (status == SAT_OK) status = sat_result_mask_new(result, 0, &mask, &error);
    if (status == SAT_OK) {
        long inside = 0;
        for (size_t n = 0; n < sat_volume_voxels(volume); n++)
            inside += mask[n];
        printf("%s: %ld of %zu voxels\n", prompts[0], inside, sat_volume_voxels(volume));
    } else {
        fprintf(stderr, "%s%s%s\n", error.file, error.file[0] ? ": " : "", error.message);
    }
    sat_free(mask);
    sat_result_free(result);
    sat_volume_free(volume);
    sat_model_free(model);
    free(voxels);
    return sat_exit_code(status);
}
