/* The prompts of a command line: -p one by one, and --prompts FILE. */
#ifndef SAT_CLI_PROMPTS_H
#define SAT_CLI_PROMPTS_H

#include "base/error.h"
#include "base/file.h"
#include "cli/options.h"

/* Starts as {0}. */
typedef struct prompt_list {
    const char **items; /* owned; the strings are borrowed from the command line or point into `text` */
    int count;
    char *text;         /* owned: the file's contents, cut into lines */
} prompt_list;

/* The -p ones first, then the file's lines: UTF-8, one prompt a line, spaces at the ends taken off, empty lines and lines that
 * begin with # passed over. `file` may be NULL. Fails with SAT_BAD_ARGUMENT (none at all), SAT_BAD_INPUT, SAT_IO. */
sat_status prompts_gather(const option_texts *given, const char *file, prompt_list *list, sat_error *error);
void prompts_free(prompt_list *list);

#endif
