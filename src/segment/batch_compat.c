#include "segment/batch_compat.h"

#include "base/text.h"
#include "segment/compat.h"

#include <stdlib.h>
#include <string.h>

enum { SENTENCE_MAX = 1 << 16 };

typedef struct placed {
    char *path; /* owned; <dataset>/seg_<sample> */
    int item;
} placed;

static int by_path(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    const int order = strcmp(x->path, y->path);
    return order ? order : (x->item > y->item) - (x->item < y->item);
}

static char *path_of(const batch_item *item)
{
    const char *slash = strrchr(item->scan_path, '/');
    const compat_names names = {.folder = ".", .dataset = item->dataset, .scan_name = slash ? slash + 1 : item->scan_path};
    return compat_path(&names, "seg", "");
}

static sat_status refuse(batch_item *later, const batch_item *first, const char *path, sat_error *error)
{
    text words = text_open(SENTENCE_MAX);
    text_format(&words, "its files would overwrite those of %s: both are %s; rename one, or give it another dataset", first->scan_path,
                path + strlen("./"));
    later->refusal = text_take(&words);
    text_free(&words);
    return later->refusal ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for the list of scans");
}

sat_status batch_compat_refuse_same(batch_list *list, sat_error *error)
{
    placed *all = calloc((size_t)list->count + 1, sizeof *all);
    sat_status status = all ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for the list of scans");
    size_t count = 0;
    for (int i = 0; i < list->count && status == SAT_OK; i++) {
        if (list->items[i].refusal) continue;
        all[count] = (placed){path_of(&list->items[i]), i};
        if (all[count].path) count++;
        else status = sat_fail(error, SAT_NO_MEMORY, "no memory for the list of scans");
    }
    if (status == SAT_OK && count) qsort(all, count, sizeof *all, by_path);
    for (size_t i = 1, first = 0; i < count && status == SAT_OK; i++) {
        if (strcmp(all[i].path, all[first].path) != 0) first = i;
        else status = refuse(&list->items[all[i].item], &list->items[all[first].item], all[i].path, error);
    }
    for (size_t i = 0; i < count; i++)
        free(all[i].path);
    free(all);
    return status;
}
