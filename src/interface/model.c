#include "base/processor.h"
#include "interface/handles.h"
#include "interface/sized.h"
#include "model/model_file.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 4096 };

void sat_free(void *memory) { free(memory); }

char *text_copy(const char *words)
{
    const size_t size = strlen(words) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, words, size) : NULL;
}

char *base_name_copy(const char *path)
{
    const char *slash = strrchr(path, '/');
    return text_copy(slash ? slash + 1 : path);
}

/* ---------------------------------------------------------------- options */

static const sat_model_options usual = {.size = sizeof usual, .dtype = SAT_BFLOAT16, .usual_prompts = 8};

/* What the first version had: structs may only grow. */
enum { LEAST_OPTIONS = 32, LEAST_DESCRIPTION = 160 };

void sat_model_options_default(sat_model_options *options, size_t size) { sized_default(options, size, &usual, sizeof usual); }

static sat_status read_options(const sat_model_options *from, sat_model_options *options, sat_error *error)
{
    *options = usual;
    sat_status status = from ? sized_read(options, sizeof *options, LEAST_OPTIONS, from, "sat_model_options", error) : SAT_OK;
    if (status != SAT_OK) return status;
    if (options->dtype != SAT_BFLOAT16 && options->dtype != SAT_FLOAT32)
        return sat_fail(error, SAT_BAD_ARGUMENT, "there is no dtype %d; use SAT_BFLOAT16 or SAT_FLOAT32", (int)options->dtype);
    if (options->threads < 0 || options->threads > MOST_THREADS)
        return sat_fail(error, SAT_BAD_ARGUMENT, "%d threads can't be; use 0 for all processors, or up to %d", options->threads, MOST_THREADS);
    if (options->threads == 0) options->threads = processor_cores();
    if (options->usual_prompts < 1) options->usual_prompts = usual.usual_prompts;
    return SAT_OK;
}

/* ---------------------------------------------------------------- opening */

static sat_status open_parts(sat_model *model, const char *path, const sat_model_options *options, sat_error *error)
{
    const segmenter_options wanted = {
        .type = options->dtype == SAT_FLOAT32 ? ELEMENT_FLOAT32 : ELEMENT_BFLOAT16,
        .threads = options->threads,
        .prompts = options->usual_prompts,
        .max_memory_bytes = options->max_memory_bytes,
        .query_cache = options->query_cache != 0,
    };
    model->threads = options->threads;
    model->name = base_name_copy(path);
    if (!model->name) return sat_fail(error, SAT_NO_MEMORY, "no memory to open a model");
    return segmenter_open(path, &wanted, &model->segmenter, error);
}

sat_status sat_model_open(const char *path, const sat_model_options *options, sat_model **opened, sat_error *error)
{
    if (!opened) return sat_fail(error, SAT_BAD_ARGUMENT, "there is no place for the model (NULL)");
    *opened = NULL;
    if (!path) return sat_fail(error, SAT_BAD_ARGUMENT, "the model's path is NULL");
    sat_model_options mine;
    sat_status status = read_options(options, &mine, error);
    if (status != SAT_OK) return status;
    sat_model *model = calloc(1, sizeof *model);
    if (!model) return sat_fail(error, SAT_NO_MEMORY, "no memory to open a model");
    pthread_mutex_init(&model->lock, NULL);
    pthread_cond_init(&model->free_again, NULL);
    status = open_parts(model, path, &mine, error);
    if (status == SAT_OK) *opened = model;
    else sat_model_free(model);
    return status;
}

void sat_model_free(sat_model *model)
{
    if (!model) return;
    segmenter_close(model->segmenter);
    pthread_cond_destroy(&model->free_again);
    pthread_mutex_destroy(&model->lock);
    free(model->name);
    free(model);
}

sat_status sat_model_describe(const sat_model *model, sat_model_description *description, sat_error *error)
{
    if (!model) return sat_fail(error, SAT_BAD_ARGUMENT, "the model is NULL");
    const model_file *file = segmenter_model(model->segmenter);
    const model_description *d = model_file_description(file);
    sat_model_description mine = {.dtype = segmenter_type(model->segmenter) == ELEMENT_FLOAT32 ? SAT_FLOAT32 : SAT_BFLOAT16,
                                  .threads = model->threads};
    _Static_assert(sizeof mine.variant == sizeof d->variant && sizeof mine.identity == HASH_SHA256_TEXT, "texts fit");
    memcpy(mine.variant, d->variant, sizeof mine.variant);
    model_file_identity(file, mine.identity);
    memcpy(mine.spacing_mm, d->spacing_mm, sizeof mine.spacing_mm);
    memcpy(mine.window_voxels, d->window, sizeof mine.window_voxels);
    return sized_write(description, &mine, sizeof mine, LEAST_DESCRIPTION, "sat_model_description", error);
}
