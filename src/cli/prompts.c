#include "cli/prompts.h"

#include <stdlib.h>
#include <string.h>

void prompts_free(prompt_list *list)
{
    free(list->items);
    free(list->text);
    *list = (prompt_list){0};
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* Without blanks at its ends, cut in place. */
static char *trimmed(char *line)
{
    while (is_blank(*line))
        line++;
    size_t length = strlen(line);
    while (length > 0 && is_blank(line[length - 1]))
        line[--length] = '\0';
    return line;
}

static sat_status read_text(const char *path, char **text, sat_error *error)
{
    file_map map;
    sat_status status = file_map_open(path, &map, error);
    if (status != SAT_OK) return status;
    *text = malloc(map.size + 1);
    if (!*text) {
        status = sat_fail(error, SAT_NO_MEMORY, "no memory for %zu bytes of prompts", map.size);
    } else if (map.size && memchr(map.data, '\0', map.size)) {
        status = sat_fail(error, SAT_BAD_INPUT, "this is not a text file; expected one prompt a line in UTF-8");
    } else {
        if (map.size) memcpy(*text, map.data, map.size);
        (*text)[map.size] = '\0';
    }
    file_map_close(&map);
    return status == SAT_OK ? status : sat_fail_in(error, path, status);
}

static size_t count_lines(const char *text)
{
    size_t lines = 1;
    for (; text && *text; text++)
        lines += *text == '\n';
    return lines;
}

sat_status prompts_gather(const option_texts *given, const char *file, prompt_list *list, sat_error *error)
{
    *list = (prompt_list){0};
    sat_status status = file ? read_text(file, &list->text, error) : SAT_OK;
    if (status != SAT_OK) return status;
    list->items = malloc(((size_t)given->count + count_lines(list->text)) * sizeof *list->items);
    if (!list->items) return sat_fail(error, SAT_NO_MEMORY, "no memory for the prompts");
    for (int i = 0; i < given->count; i++)
        list->items[list->count++] = given->items[i];
    char *line = list->text;
    if (line && strncmp(line, "\xef\xbb\xbf", 3) == 0) line += 3; /* a byte-order mark */
    while (line && *line) {
        char *end = strchr(line, '\n');
        if (end) *end = '\0';
        char *prompt = trimmed(line);
        if (*prompt && *prompt != '#') list->items[list->count++] = prompt;
        line = end ? end + 1 : NULL;
    }
    if (list->count > 0) return SAT_OK;
    status = sat_fail(error, SAT_BAD_ARGUMENT, file ? "no prompt in this file; write one a line" : "what to segment is missing; give -p liver, or --prompts FILE");
    return file ? sat_fail_in(error, file, status) : status;
}
