/* What overlapping reading, computing and writing gains in a batch, against one after the other.
 *
 *   bench_batch MODEL OUTPUT THREADS SCAN...       every scan as a ct, three prompts, window overlap 0, three runs each way, in turn
 *
 * Prints the medians. OUTPUT is left behind with the masks of the last run. */
#include "base/clock.h"
#include "segment/batch.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUNS = 3, PROMPTS = 3 };

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *seconds)
{
    qsort(seconds, RUNS, sizeof *seconds, by_size);
    return seconds[RUNS / 2];
}

static sat_status time_run(segmenter *s, batch_settings *settings, const batch_list *list, batch_outcome *outcomes, double *seconds,
                           sat_error *error)
{
    const double begin = clock_seconds();
    sat_status status = batch_run(s, settings, list, outcomes, NULL, error);
    *seconds = clock_seconds() - begin;
    for (int i = 0; i < list->count && status == SAT_OK; i++)
        if (outcomes[i].state != BATCH_DONE) {
            *error = outcomes[i].error;
            status = SAT_BAD_INPUT;
        }
    return status;
}

int main(int argc, char **argv)
{
    static const char *const prompts[PROMPTS] = {"liver", "left kidney", "spleen"};
    if (argc < 5) {
        fprintf(stderr, "bench_batch: how it is called is said at the top of bench/batch.c\n");
        return 2;
    }
    const segmenter_options options = {.type = ELEMENT_FLOAT32, .threads = atoi(argv[3]), .prompts = PROMPTS};
    const batch_wishes wishes = {.prompts = prompts, .prompt_count = PROMPTS, .modality = "ct"};
    batch_settings settings = {.folder = argv[2], .volume_index = -1, .overwrite = true};
    double overlapped[RUNS], apart[RUNS];
    sat_error error = {0};
    batch_list list = {0};
    segmenter *s = NULL;
    sat_status status = batch_list_paths((const char *const *)argv + 4, argc - 4, false, NULL, &wishes, &list, &error);
    batch_outcome *outcomes = calloc((size_t)list.count + 1, sizeof *outcomes);
    if (status == SAT_OK && !outcomes) status = sat_fail(&error, SAT_NO_MEMORY, "no memory for %d scans", list.count);
    if (status == SAT_OK) status = segmenter_open(argv[1], &options, &s, &error);
    for (int run = 0; run < RUNS && status == SAT_OK; run++) {
        settings.one_after_another = true;
        status = time_run(s, &settings, &list, outcomes, &apart[run], &error);
        settings.one_after_another = false;
        if (status == SAT_OK) status = time_run(s, &settings, &list, outcomes, &overlapped[run], &error);
    }
    if (status == SAT_OK)
        printf("%d scans, %d threads: one after the other %.2f s, overlapped %.2f s (medians of %d, in turn)\n", list.count, options.threads,
               median(apart), median(overlapped), RUNS);
    else fprintf(stderr, "bench_batch: %s: %s\n", error.file, error.message);
    segmenter_close(s);
    batch_list_free(&list);
    free(outcomes);
    return status == SAT_OK ? 0 : 1;
}
