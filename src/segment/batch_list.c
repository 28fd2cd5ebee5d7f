#define _POSIX_C_SOURCE 200809L /* opendir, lstat, strcasecmp */
#include "segment/batch_list.h"

#include "base/file.h"
#include "base/text.h"
#include "image/nifti.h"
#include "segment/batch_names.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { PATH_BYTES_MAX = 16384, DEPTH_MAX = 64 };

void batch_list_free(batch_list *list)
{
    for (int i = 0; i < list->count; i++) {
        free(list->items[i].scan_path);
        free(list->items[i].name);
        free(list->items[i].refusal);
    }
    free(list->items);
    *list = (batch_list){0};
}

static sat_status short_of_memory(sat_error *error) { return sat_fail(error, SAT_NO_MEMORY, "no memory for the list of scans"); }

/* Takes `path` and `refusal` (may be NULL) over. */
static sat_status add_item(batch_list *list, char *path, char *refusal, const batch_wishes *wishes, sat_error *error)
{
    if (list->count == list->room) {
        const int room = list->room ? 2 * list->room : 64;
        batch_item *items = realloc(list->items, (size_t)room * sizeof *items);
        if (items) {
            list->items = items;
            list->room = room;
        }
    }
    if (!path || list->count == list->room) {
        free(path);
        free(refusal);
        return short_of_memory(error);
    }
    list->items[list->count++] = (batch_item){.scan_path = path, .refusal = refusal, .prompts = wishes->prompts,
                                              .prompt_count = wishes->prompt_count, .modality = wishes->modality,
                                              .orientation_code = wishes->orientation_code, .dataset = wishes->dataset};
    return SAT_OK;
}

static char *join(const char *folder, const char *name)
{
    text path = text_open(PATH_BYTES_MAX);
    text_add(&path, folder);
    if (path.length && path.data[path.length - 1] != '/') text_add(&path, "/");
    text_add(&path, name);
    char *taken = text_take(&path);
    text_free(&path);
    return taken;
}

static sat_status name_items(batch_list *list, const char *const *datasets, sat_error *error)
{
    const size_t count = (size_t)list->count;
    const char **paths = calloc(count + 1, sizeof *paths);
    char **names = malloc((count + 1) * sizeof *names);
    sat_status status = paths && names ? SAT_OK : short_of_memory(error);
    for (size_t i = 0; i < count && status == SAT_OK; i++)
        paths[i] = list->items[i].scan_path;
    if (status == SAT_OK) status = batch_names_of(paths, datasets, list->count, names, error);
    for (size_t i = 0; i < count && status == SAT_OK; i++)
        list->items[i].name = names[i];
    free(names);
    free(paths);
    return status;
}

/* ---------------------------------------------------------------- folders */

static bool ends_with(const char *name, const char *ending)
{
    const size_t length = strlen(name), size = strlen(ending);
    return length > size && strcasecmp(name + length - size, ending) == 0;
}

/* scan.img belongs to scan.hdr, which stands for both. */
static bool is_second_half(const char *path)
{
    static const char *const seconds[] = {".img", ".img.gz"}, *const firsts[] = {".hdr", ".hdr.gz"};
    for (int i = 0; i < 2; i++) {
        if (!ends_with(path, seconds[i])) continue;
        for (int k = 0; k < 2; k++) {
            text other = text_open(PATH_BYTES_MAX);
            text_add_bytes(&other, path, strlen(path) - strlen(seconds[i]));
            text_add(&other, firsts[k]);
            const bool there = file_exists(other.data);
            text_free(&other);
            if (there) return true;
        }
    }
    return false;
}

/* Scans without a name that says so, as exports make them. */
static bool begins_as_scan(const char *path)
{
    file_map map;
    if (file_map_open(path, &map, NULL) != SAT_OK) return false;
    const bool begins = nifti_begins(map.data, map.size);
    file_map_close(&map);
    return begins;
}

static bool is_scan(const char *path)
{
    static const char *const endings[] = {".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz"};
    /* What is certainly no scan is not opened. */
    static const char *const others[] = {".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".png", ".jpg", ".html", ".pdf", ".zip"};
    if (is_second_half(path)) return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(path, endings[i])) return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (ends_with(path, others[i])) return false;
    return begins_as_scan(path);
}

typedef struct search {
    batch_list *list;
    const batch_wishes *wishes;
    bool recursive;
    const char *output;
} search;

static sat_status search_folder(const search *s, const char *folder, int depth, sat_error *error);

static bool is_results(const char *folder)
{
    char *record = join(folder, "segmentation.json");
    const bool there = record && file_exists(record);
    free(record);
    return there;
}

/* Takes `path` over. Links to files are followed, links to folders are not: they could lead in circles. */
static sat_status search_entry(const search *s, char *path, int depth, sat_error *error)
{
    struct stat here, there;
    sat_status status = SAT_OK;
    if (!path) return short_of_memory(error);
    if (lstat(path, &here) == 0 && S_ISDIR(here.st_mode)) {
        const bool enter = s->recursive && depth < DEPTH_MAX && !(s->output && file_same(path, s->output)) && !is_results(path);
        if (enter) status = search_folder(s, path, depth + 1, error);
    } else if (stat(path, &there) == 0 && S_ISREG(there.st_mode) && is_scan(path)) {
        return add_item(s->list, path, NULL, s->wishes, error);
    }
    free(path);
    return status;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The names in a folder but for hidden ones, sorted. */
static sat_status names_in(const char *folder, char ***names, size_t *count, sat_error *error)
{
    *names = NULL;
    *count = 0;
    size_t room = 0;
    DIR *d = opendir(folder);
    if (!d) return sat_fail_system(error, folder, "open the folder", errno);
    sat_status status = SAT_OK;
    for (struct dirent *e; status == SAT_OK && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        if (*count == room) {
            room = room ? 2 * room : 64;
            char **more = realloc(*names, room * sizeof *more);
            if (!more) {
                status = short_of_memory(error);
                break;
            }
            *names = more;
        }
        (*names)[*count] = strdup(e->d_name);
        if (!(*names)[*count]) status = short_of_memory(error);
        else ++*count;
    }
    closedir(d);
    if (*count) qsort(*names, *count, sizeof **names, by_bytes);
    return status;
}

static sat_status search_folder(const search *s, const char *folder, int depth, sat_error *error)
{
    char **names;
    size_t count;
    sat_status status = names_in(folder, &names, &count, error);
    for (size_t i = 0; i < count; i++) {
        if (status == SAT_OK) status = search_entry(s, join(folder, names[i]), depth, error);
        free(names[i]);
    }
    free(names);
    return status;
}

static bool is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

sat_status batch_list_paths(const char *const *paths, int count, bool recursive, const char *output, const batch_wishes *wishes,
                            batch_list *list, sat_error *error)
{
    *list = (batch_list){0};
    const search s = {list, wishes, recursive, output};
    sat_status status = SAT_OK;
    for (int i = 0; i < count && status == SAT_OK; i++) {
        if (!is_folder(paths[i])) {
            status = add_item(list, strdup(paths[i]), NULL, wishes, error);
            continue;
        }
        const int before = list->count;
        status = search_folder(&s, paths[i], 0, error);
        if (status == SAT_OK && list->count == before) {
            sat_fail(error, SAT_BAD_INPUT, "no scan in this folder%s", recursive ? "" : "; --recursive looks into the folders within, too");
            status = sat_fail_in(error, paths[i], SAT_BAD_INPUT);
        }
    }
    return status == SAT_OK ? name_items(list, NULL, error) : status;
}

/* ---------------------------------------------------------------- manifests */

/* Where a line's image is; a new path. */
static char *find_image(const char *image, const char *manifest_path, int *from_working_folder)
{
    const char *slash = strrchr(manifest_path, '/');
    if (image[0] == '/' || !slash) return strdup(image); /* a manifest in the working folder */
    text folder = text_open(PATH_BYTES_MAX);
    text_add_bytes(&folder, manifest_path, (size_t)(slash - manifest_path) + 1);
    char *beside = join(folder.data, image);
    text_free(&folder);
    if (!beside || file_exists(beside) || !file_exists(image)) return beside;
    free(beside);
    ++*from_working_folder;
    return strdup(image);
}

static sat_status add_line(batch_list *list, const manifest_line *line, const char *path, const batch_wishes *wishes, sat_error *error)
{
    if (line->refusal) {
        char name[32];
        snprintf(name, sizeof name, "line_%d", line->number);
        return add_item(list, strdup(name), strdup(line->refusal), wishes, error);
    }
    batch_wishes own = *wishes;
    if (!own.prompt_count) {
        own.prompts = (const char *const *)line->labels;
        own.prompt_count = line->label_count;
    }
    if (!own.modality) own.modality = line->modality;
    if (!own.dataset) own.dataset = line->dataset;
    if (!own.orientation_code) own.orientation_code = line->orientation_code;
    char *refusal = NULL;
    if (!own.prompt_count) {
        char sentence[96];
        snprintf(sentence, sizeof sentence, "line %d: label is missing; give -p to segment the same in every scan", line->number);
        refusal = strdup(sentence);
        if (!refusal) return short_of_memory(error);
    }
    return add_item(list, find_image(line->image, path, &list->from_working_folder), refusal, &own, error);
}

sat_status batch_list_manifest(const manifest *m, const char *path, const batch_wishes *wishes, batch_list *list, sat_error *error)
{
    *list = (batch_list){0};
    const char **datasets = calloc((size_t)m->count + 1, sizeof *datasets);
    sat_status status = datasets ? SAT_OK : short_of_memory(error);
    for (int i = 0; i < m->count && status == SAT_OK; i++) {
        status = add_line(list, &m->lines[i], path, wishes, error);
        datasets[i] = m->lines[i].dataset;
    }
    if (status == SAT_OK) status = name_items(list, datasets, error);
    free(datasets);
    return status;
}
