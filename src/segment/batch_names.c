#define _POSIX_C_SOURCE 200809L /* strcasecmp */
#include "segment/batch_names.h"

#include "text/file_name.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORD = FILE_NAME_MAX, NAME = 2 * WORD + 1 };

typedef struct named {
    const char *path;
    int index;
    char dataset[WORD], name[WORD];
} named;

/* One component of a path from `length` bytes: no slash, no control or shell-hostile character, no leading dot. UTF-8 stays. */
static void clean(const char *bytes, size_t length, char word[WORD])
{
    size_t n = 0;
    for (; n < length && n < WORD - 16; n++) { /* room for _123456 */
        const unsigned char c = (unsigned char)bytes[n];
        word[n] = c < 0x20 || c == 0x7f || strchr("/\\:*?\"<>|", c) ? '_' : (char)c;
    }
    while (n > 0 && n < length && ((unsigned char)bytes[n] & 0xc0) == 0x80)
        n--; /* not within a character */
    word[n] = '\0';
    if (word[0] == '.') word[0] = '_';
    if (!word[0]) {
        word[0] = '_';
        word[1] = '\0';
    }
}

static size_t length_without_ending(const char *name, size_t length)
{
    static const char *const endings[] = {".nii.gz", ".nii", ".hdr", ".img.gz", ".img", ".hdr.gz"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t ending = strlen(endings[i]);
        if (length > ending && strcasecmp(name + length - ending, endings[i]) == 0) return length - ending;
    }
    return length;
}

static void stem_of(const char *path, char word[WORD])
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    clean(name, length_without_ending(name, strlen(name)), word);
}

/* "kits/case_1/imaging.nii.gz": "case_1"; empty where the path names no folder. */
static void parent_of(const char *path, char word[WORD])
{
    const char *end = strrchr(path, '/');
    while (end && end > path && end[-1] == '/')
        end--;
    const char *begin = end;
    while (begin && begin > path && begin[-1] != '/')
        begin--;
    word[0] = '\0';
    if (begin && end > begin && !(end - begin == 1 && *begin == '.')) clean(begin, (size_t)(end - begin), word);
}

static int by_name(const void *a, const void *b)
{
    const named *x = *(const named *const *)a, *y = *(const named *const *)b;
    int order = strcasecmp(x->dataset, y->dataset);
    if (!order) order = strcasecmp(x->name, y->name);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static bool same(const named *a, const named *b) { return strcasecmp(a->dataset, b->dataset) == 0 && strcasecmp(a->name, b->name) == 0; }

/* The parent folder before every name that occurs more than once. */
static void tell_apart_by_folder(named **sorted, int count)
{
    qsort(sorted, (size_t)count, sizeof *sorted, by_name);
    for (int i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && same(sorted[i], sorted[end]);)
            end++;
        for (int k = i; end - i > 1 && k < end; k++) {
            char parent[WORD], both[2 * WORD];
            parent_of(sorted[k]->path, parent);
            if (!parent[0]) continue;
            snprintf(both, sizeof both, "%s-%s", parent, sorted[k]->name);
            clean(both, strlen(both), sorted[k]->name);
        }
    }
}

static bool taken(named *const *sorted, int count, const named *wanted)
{
    for (int i = 0; i < count; i++)
        if (sorted[i] != wanted && same(sorted[i], wanted)) return true;
    return false;
}

/* _2, _3, ... after names that still are the same. */
static void tell_apart_by_number(named **sorted, int count)
{
    qsort(sorted, (size_t)count, sizeof *sorted, by_name);
    for (int i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && same(sorted[i], sorted[end]);)
            end++;
        for (int k = i + 1, n = 2; k < end; k++, n++) {
            char stem[WORD];
            snprintf(stem, sizeof stem, "%s", sorted[k]->name);
            do {
                snprintf(sorted[k]->name, WORD, "%.*s_%d", WORD - 16, stem, n);
            } while (taken(sorted, count, sorted[k]) && n++);
        }
    }
}

sat_status batch_names_of(const char *const *paths, const char *const *datasets, int count, char **names, sat_error *error)
{
    named *all = calloc((size_t)count + 1, sizeof *all), **sorted = calloc((size_t)count + 1, sizeof *sorted);
    bool failed = !all || !sorted;
    for (int i = 0; i < count && !failed; i++) {
        all[i] = (named){.path = paths[i], .index = i};
        stem_of(paths[i], all[i].name);
        if (datasets && datasets[i]) clean(datasets[i], strlen(datasets[i]), all[i].dataset);
        sorted[i] = &all[i];
    }
    if (!failed) tell_apart_by_folder(sorted, count);
    if (!failed) tell_apart_by_number(sorted, count);
    for (int i = 0; i < count; i++)
        names[i] = NULL;
    for (int i = 0; i < count && !failed; i++) {
        names[i] = malloc(NAME);
        failed = !names[i];
        if (!failed) snprintf(names[i], NAME, "%s%s%s", all[i].dataset, all[i].dataset[0] ? "/" : "", all[i].name);
    }
    for (int i = 0; i < count && failed; i++) {
        free(names[i]);
        names[i] = NULL;
    }
    free(sorted);
    free(all);
    return failed ? sat_fail(error, SAT_NO_MEMORY, "no memory for the names of %d scans", count) : SAT_OK;
}
