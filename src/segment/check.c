#include "segment/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 16 };

static bool make_room(check_list *list)
{
    if (list->count < list->room) return true;
    const size_t room = list->room ? 2 * list->room : FIRST_ROOM;
    check_finding *items = realloc(list->items, room * sizeof *items);
    if (!items) return false;
    list->items = items;
    list->room = room;
    return true;
}

void check_add(check_list *list, const char *code, check_severity severity, int prompt, const char *format, ...)
{
    if (!make_room(list)) {
        list->no_memory = true;
        return;
    }
    check_finding *f = &list->items[list->count++];
    *f = (check_finding){.code = code, .severity = severity, .prompt = prompt};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->text, sizeof f->text, format, arguments);
    va_end(arguments);
}

sat_status check_list_status(const check_list *list, sat_error *error)
{
    return list->no_memory ? sat_fail(error, SAT_NO_MEMORY, "no memory for a list of %zu findings", list->count) : SAT_OK;
}

const check_finding *check_find(const check_list *list, const char *code, int prompt)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].prompt == prompt && strcmp(list->items[i].code, code) == 0) return &list->items[i];
    return NULL;
}

size_t check_count(const check_list *list, check_severity least)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += list->items[i].severity >= least;
    return count;
}

void check_list_free(check_list *list)
{
    free(list->items);
    *list = (check_list){0};
}

const char *check_severity_name(check_severity severity)
{
    static const char *const names[] = {"note", "warning", "serious"};
    return names[severity];
}

json_t *check_list_json(const check_list *list, int prompt)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < list->count; i++) {
        const check_finding *f = &list->items[i];
        if (f->prompt != prompt) continue;
        json_t *row = json_pack("{s:s, s:s, s:s}", "code", f->code, "severity", check_severity_name(f->severity), "text", f->text);
        if (json_array_append_new(array, row) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}
