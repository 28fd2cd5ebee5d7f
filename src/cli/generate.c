/* The hidden verb `sat3d generate`: writes manual pages and shell completion into a folder (scripts/man). */
#include "base/file.h"
#include "cli/help.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_BYTES_MAX = 1 << 20 };

typedef struct generate_settings {
    common_settings common;
} generate_settings;

static const option generate_options[] = {{.name = NULL}};

static sat_status write_page(const char *folder, const char *name, text *page, sat_error *error)
{
    text path = text_open(4096);
    text_format(&path, "%s/%s", folder, name);
    sat_status status = text_check(page, error);
    if (status == SAT_OK) status = text_check(&path, error);
    if (status == SAT_OK) status = file_write_whole(path.data, page->data, page->length, error);
    text_free(&path);
    text_free(page);
    return status;
}

static sat_status generate_run(verb_call *call, sat_error *error)
{
    const char *folder = call->operands[0];
    text completion = text_open(4096), page = text_open(PAGE_BYTES_MAX);
    text_format(&completion, "%s/completion", folder);
    sat_status status = folder_make(completion.data, error);
    text_free(&completion);
    if (status != SAT_OK) return status;
    manual_program(&page);
    status = write_page(folder, "sat3d.1", &page, error);
    for (const verb *const *v = verbs; *v && status == SAT_OK; v++) {
        if (!(*v)->group) continue;
        char name[80];
        snprintf(name, sizeof name, "sat3d-%s.1", (*v)->name);
        manual_verb(&page, *v);
        status = write_page(folder, name, &page, error);
    }
    if (status != SAT_OK) return status;
    completion_bash(&page);
    status = write_page(folder, "completion/sat3d.bash", &page, error);
    if (status != SAT_OK) return status;
    completion_zsh(&page);
    return write_page(folder, "completion/_sat3d", &page, error);
}

const verb verb_generate = {
    .name = "generate",
    .summary = "write the manual pages and shell completion",
    .operands = "FOLDER",
    .examples = "sat3d generate man\n",
    .options = generate_options,
    .settings_bytes = sizeof(generate_settings),
    .least_operands = 1,
    .most_operands = 1,
    .run = generate_run,
};
