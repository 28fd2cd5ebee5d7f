#include "segment/batch_summary.h"

#include "base/file.h"
#include "base/text.h"
#include "segment/output.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCHEMA = 1 };

static const size_t csv_bytes_max = (size_t)1 << 30;

batch_counts batch_count(const batch_list *list, const batch_outcome *outcomes)
{
    batch_counts n = {.cases = list->count};
    for (int i = 0; i < list->count; i++) {
        const batch_state state = outcomes[i].state;
        n.done += state == BATCH_DONE;
        n.finished += state == BATCH_FINISHED;
        n.planned += state == BATCH_PLANNED;
        n.failed += state == BATCH_FAILED;
        n.left += state == BATCH_LEFT;
    }
    return n;
}

const char *batch_state_text(batch_state state)
{
    switch (state) {
    case BATCH_DONE: return "segmented";
    case BATCH_FINISHED: return "finished before";
    case BATCH_PLANNED: return "would be segmented";
    case BATCH_FAILED: return "failed";
    case BATCH_LEFT: break;
    }
    return "not reached";
}

static double rounded(double seconds) { return round(seconds * 1000) / 1000; }

/* ---------------------------------------------------------------- JSON */

/* A path need not be UTF-8; JSON must. */
static json_t *words(const char *bytes)
{
    json_t *string = json_string(bytes);
    return string ? string : json_string("(not UTF-8)");
}

static json_t *item_json(const batch_item *item, const batch_outcome *o)
{
    json_t *json = json_object();
    const bool known = o->state == BATCH_DONE || o->state == BATCH_FINISHED;
    json_object_set_new(json, "name", words(item->name));
    json_object_set_new(json, "scan", words(item->scan_path));
    json_object_set_new(json, "state", json_string(batch_state_text(o->state)));
    json_object_set_new(json, "labels", json_integer(item->prompt_count));
    json_object_set_new(json, "labels_found", known ? json_integer(o->found) : json_null());
    json_object_set_new(json, "seconds", o->state == BATCH_DONE ? json_real(rounded(o->seconds)) : json_null());
    if (o->state == BATCH_PLANNED) json_object_set_new(json, "plan_bytes", json_integer((json_int_t)o->plan_bytes));
    json_object_set_new(json, "error", o->state == BATCH_FAILED ? words(o->error.message) : json_null());
    return json;
}

json_t *batch_summary_json(const batch_list *list, const batch_outcome *outcomes, double seconds)
{
    const batch_counts n = batch_count(list, outcomes);
    json_t *root = json_object(), *items = json_array();
    json_object_set_new(root, "schema", json_integer(SCHEMA));
    json_object_set_new(root, "program", json_string("sat3d"));
    json_object_set_new(root, "version", json_string(sat_version()));
    json_object_set_new(root, "notice", json_string("For research use. Not a medical device."));
    json_object_set_new(root, "cases", json_integer(n.cases));
    json_object_set_new(root, "segmented", json_integer(n.done));
    json_object_set_new(root, "finished_before", json_integer(n.finished));
    json_object_set_new(root, "would_be_segmented", json_integer(n.planned));
    json_object_set_new(root, "failed", json_integer(n.failed));
    json_object_set_new(root, "not_reached", json_integer(n.left));
    json_object_set_new(root, "seconds", json_real(rounded(seconds)));
    bool whole = true;
    for (int i = 0; i < list->count; i++)
        whole &= json_array_append_new(items, item_json(&list->items[i], &outcomes[i])) == 0;
    whole &= json_object_set_new(root, "items", items) == 0;
    if (whole) return root;
    json_decref(root);
    return NULL;
}

/* ---------------------------------------------------------------- CSV */

static void add_field(text *line, const char *field)
{
    if (!strpbrk(field, ",\"\r\n")) {
        text_add(line, field);
        return;
    }
    text_add(line, "\"");
    for (; *field; field++)
        text_add_bytes(line, *field == '"' ? "\"\"" : field, *field == '"' ? 2 : 1);
    text_add(line, "\"");
}

static void add_row(text *lines, const batch_item *item, const batch_outcome *o)
{
    add_field(lines, item->name);
    text_add(lines, ",");
    add_field(lines, item->scan_path);
    text_format(lines, ",%s,%d,", batch_state_text(o->state), item->prompt_count);
    if (o->state == BATCH_DONE || o->state == BATCH_FINISHED) text_format(lines, "%d", o->found);
    text_add(lines, ",");
    if (o->state == BATCH_DONE) text_format(lines, "%.3f", o->seconds);
    text_add(lines, ",");
    if (o->state == BATCH_FAILED) add_field(lines, o->error.message);
    text_add(lines, "\r\n");
}

static sat_status write_csv(const char *path, const batch_list *list, const batch_outcome *outcomes, sat_error *error)
{
    text lines = text_open(csv_bytes_max);
    text_add(&lines, "name,scan,state,labels,labels_found,seconds,error\r\n");
    for (int i = 0; i < list->count; i++)
        add_row(&lines, &list->items[i], &outcomes[i]);
    sat_status status = text_check(&lines, error);
    if (status == SAT_OK) status = file_write_whole(path, lines.data, lines.length, error);
    text_free(&lines);
    return status;
}

sat_status batch_summary_write(const char *folder, const batch_list *list, const batch_outcome *outcomes, double seconds,
                               sat_error *error)
{
    char *json_path = output_path_in(folder, "batch.json"), *csv_path = output_path_in(folder, "batch.csv");
    json_t *root = batch_summary_json(list, outcomes, seconds);
    sat_status status = json_path && csv_path && root ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for the batch's summary");
    if (status == SAT_OK) status = json_write(json_path, root, JSON_AS_INSERTED, error);
    if (status == SAT_OK) status = write_csv(csv_path, list, outcomes, error);
    json_decref(root);
    free(csv_path);
    free(json_path);
    return status;
}
