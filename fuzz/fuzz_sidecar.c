/* libFuzzer target for JSON as side-cars have it (docs/segmentation-json.md). Input: the text. What is refused must say why;
 * what is accepted is read field by field as the printing of results does, and written and read again must be the same. */
#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK && !error->message[0]) abort();
}

static void read_label(const json_t *label)
{
    sat_error error = {0};
    char name[64] = "";
    int64_t voxels = 0;
    double volume = 0, centre[3];
    int box[3];
    bool cut = false;
    check(json_field_text(label, "labels", "name", JSON_REQUIRED, name, sizeof name, &error), &error);
    check(json_field_integer(label, "labels", "voxels", JSON_REQUIRED, 0, INT64_MAX, &voxels, &error), &error);
    check(json_field_number(label, "labels", "volume_ml", JSON_OPTIONAL, &volume, &error), &error);
    check(json_field_numbers(label, "labels", "centroid_mm", JSON_OPTIONAL, 3, centre, &error), &error);
    check(json_field_ints(label, "labels", "colour", JSON_OPTIONAL, 3, 0, 255, box, &error), &error);
    check(json_field_boolean(label, "labels", "cut", JSON_OPTIONAL, &cut, &error), &error);
}

static void read_fields(const json_t *root)
{
    sat_error error = {0};
    const json_t *scan = NULL, *labels = NULL;
    int schema = 0;
    check(json_field_int(root, "", "schema", JSON_REQUIRED, 1, 1, &schema, &error), &error);
    check(json_field_object(root, "", "scan", JSON_OPTIONAL, &scan, &error), &error);
    if (json_field_array(root, "", "labels", JSON_OPTIONAL, 0, 1000, &labels, &error) == SAT_OK && labels)
        for (size_t i = 0; i < json_array_size(labels); i++)
            read_label(json_array_get(labels, i));
}

static void write_and_read(const json_t *root, json_layout layout, json_order order)
{
    sat_error error = {0};
    size_t length = 0;
    json_t *again = NULL;
    char *words = json_text(root, layout, order, &length);
    if (!words || json_parse(words, length, &again, &error) != SAT_OK || !json_equal(root, again)) abort();
    json_decref(again);
    free(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *root = NULL;
    sat_error error = {0};
    if (json_parse(data, size, &root, &error) != SAT_OK) {
        if (root || !error.message[0]) abort();
        return 0;
    }
    read_fields(root);
    write_and_read(root, JSON_PRETTY, JSON_SORTED);
    write_and_read(root, JSON_ONE_LINE, JSON_AS_INSERTED);
    json_decref(root);
    return 0;
}
