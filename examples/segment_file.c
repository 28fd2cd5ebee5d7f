/* A scan's file and words in, masks' files and a table out. For research use. Not a medical device.
 *
 *   cc segment_file.c $(pkg-config --cflags --libs sat3d) -o segment_file
 *   ./segment_file nano.safetensors scan.nii.gz ct out/ liver "left kidney" */
#include <sat3d.h>
#include <stdio.h>

/* Draws a line that counts up; a non-zero return would cancel. */
static int show(void *context, const char *stage, uint64_t done, uint64_t total)
{
    (void)context;
    fprintf(stderr, "\r%-32s %5.1f %%", stage, total ? 100.0 * (double)done / (double)total : 0.0);
    return 0;
}

static void print_results(const sat_result *result)
{
    const char *warning;
    for (int i = 0; (warning = sat_result_warning(result, i)) != NULL; i++)
        fprintf(stderr, "warning: %s\n", warning);
    for (int i = 0; i < sat_result_labels(result); i++) {
        sat_label label;
        label.size = sizeof label;
        if (sat_result_label(result, i, &label, NULL) == SAT_OK)
            printf("%s\t%.2f ml\t%lld voxels\n", label.name, label.volume_ml, (long long)label.voxels);
    }
}

int main(int count, char **words)
{
    if (count < 6) {
        fprintf(stderr, "usage: %s MODEL SCAN MODALITY FOLDER PROMPT...\n", words[0]);
        return 2;
    }
    sat_error error = {SAT_OK, "", ""};
    sat_model *model = NULL;
    sat_volume *scan = NULL;
    sat_result *result = NULL;
    sat_request request;
    sat_request_default(&request, sizeof request);
    request.modality = words[3];
    request.output_folder = words[4];
    request.prompts = (const char *const *)words + 5;
    request.prompt_count = count - 5;
    request.keep_masks = 0; /* files are all that is wanted */
    request.progress = show;

    sat_status status = sat_model_open(words[1], NULL, &model, &error);
    if (status == SAT_OK) status = sat_volume_read(words[2], -1, &scan, &error);
    if (status == SAT_OK) status = sat_segment(model, scan, &request, &result, &error);
    fputc('\n', stderr);
    if (status == SAT_OK) print_results(result);
    else fprintf(stderr, "%s%s%s\n", error.file, error.file[0] ? ": " : "", error.message);
    sat_result_free(result);
    sat_volume_free(scan);
    sat_model_free(model);
    return sat_exit_code(status);
}
