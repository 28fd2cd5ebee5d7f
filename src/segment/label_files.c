#include "segment/label_files.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LABELS_MOST = 65535,        /* ids of a uint16 map                                                              */
    NAME_BYTES = 400,           /* of a name in a line: Slicer reads lines of 1023 bytes                            */
    LINE_BYTES = NAME_BYTES + 64,
};

static sat_status check_count(int count, int most, sat_error *error)
{
    if (count < 0 || count > most)
        return sat_fail(error, SAT_BAD_ARGUMENT, "%d labels: this file can name 0 to %d", count, most);
    return SAT_OK;
}

/* A name cut to NAME_BYTES (at the start of a character) with what the format can't hold replaced; "label N" where nothing
 * is left, because both readers stumble over an empty name. */
static void write_name(text *out, const char *name, int id, char (*replace)(char))
{
    size_t length = strlen(name);
    if (length > NAME_BYTES) {
        length = NAME_BYTES;
        while (length > 0 && ((unsigned char)name[length] & 0xC0) == 0x80)
            length--;
    }
    if (length == 0) {
        char words[24];
        const int made = snprintf(words, sizeof words, "label %d", id);
        for (int n = 0; n < made; n++)
            text_add_bytes(out, &(char){replace(words[n])}, 1);
    }
    for (size_t n = 0; n < length; n++)
        text_add_bytes(out, &(char){replace(name[n])}, 1);
}

static sat_status write_text(const char *path, text *out, sat_error *error)
{
    sat_status status = text_check(out, error);
    if (status == SAT_OK) status = file_write_whole(path, out->data, out->length, error);
    text_free(out);
    return status;
}

/* ---------------------------------------------------------------- ITK-SNAP */

/* ColorLabelTable::LoadFromFile: numbers in columns, then everything between two quotes; there is no way to write a quote. */
static char for_itksnap(char c)
{
    if (c == '"') return '\'';
    return (unsigned char)c < 0x20 || c == 0x7F ? ' ' : c;
}

sat_status label_files_write_itksnap(const char *path, const char *const *names, const colour *colours, int count,
                                     sat_error *error)
{
    const sat_status status = check_count(count, LABELS_MOST, error);
    if (status != SAT_OK) return status;
    text out = text_open(4096 + (size_t)count * LINE_BYTES);
    text_add(&out, "################################################\n"
                   "# ITK-SnAP Label Description File\n"
                   "# File format: \n"
                   "# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL\n"
                   "# Fields: \n"
                   "#    IDX:   Zero-based index \n"
                   "#    -R-:   Red color component (0..255)\n"
                   "#    -G-:   Green color component (0..255)\n"
                   "#    -B-:   Blue color component (0..255)\n"
                   "#    -A-:   Label transparency (0.00 .. 1.00)\n"
                   "#    VIS:   Label visibility (0 or 1)\n"
                   "#    IDX:   Label mesh visibility (0 or 1)\n"
                   "#  LABEL:   Label description \n"
                   "################################################\n"
                   "    0     0    0    0        0  0  0    \"Clear Label\"\n");
    for (int n = 0; n < count; n++) {
        text_format(&out, "%5d   %3d  %3d  %3d        1  1  1    \"", n + 1, colours[n].red, colours[n].green,
                    colours[n].blue);
        write_name(&out, names[n], n + 1, for_itksnap);
        text_add(&out, "\"\n");
    }
    return write_text(path, &out, error);
}

/* ---------------------------------------------------------------- 3D Slicer */

/* vtkMRMLColorTableStorageNode: "id name r g b a", the name up to the next blank; apostrophes around a name are cut off, so
 * there are none. */
static char for_slicer(char c) { return (unsigned char)c <= 0x20 || c == 0x7F || c == '\'' ? '_' : c; }

sat_status label_files_write_slicer(const char *path, const char *const *names, const colour *colours, int count,
                                    sat_error *error)
{
    const sat_status status = check_count(count, LABEL_FILES_SLICER_MOST, error);
    if (status != SAT_OK) return status;
    text out = text_open(4096 + (size_t)count * LINE_BYTES);
    text_format(&out, "# Color table file by sat3d\n# %d values\n0 Background 0 0 0 0\n", count + 1);
    for (int n = 0; n < count; n++) {
        text_format(&out, "%d ", n + 1);
        write_name(&out, names[n], n + 1, for_slicer);
        text_format(&out, " %d %d %d 255\n", colours[n].red, colours[n].green, colours[n].blue);
    }
    return write_text(path, &out, error);
}

/* ---------------------------------------------------------------- JSON */

static json_t *rgb_json(colour c) { return json_pack("[i,i,i]", c.red, c.green, c.blue); }

/* One array of NiiVue's colormap: a value for the background, then one for each label. */
static json_t *channel_json(int background, const colour *colours, int count, int channel)
{
    json_t *array = json_array();
    json_array_append_new(array, json_integer(background));
    for (int n = 0; n < count; n++) {
        const int values[5] = {colours[n].red, colours[n].green, colours[n].blue, 255, n + 1};
        json_array_append_new(array, json_integer(values[channel]));
    }
    return array;
}

sat_status label_files_write_json(const char *path, const char *const *names, const colour *colours, int count,
                                  sat_error *error)
{
    enum { SCHEMA = 1 };
    sat_status status = check_count(count, LABELS_MOST, error);
    if (status != SAT_OK) return status;
    json_t *root = json_object(), *labels = json_array(), *niivue = json_object(), *shown = json_array();
    bool made = root && labels && niivue && shown && json_array_append_new(shown, json_string("background")) == 0;
    for (int n = 0; n < count && made; n++) {
        json_t *label = json_object();
        made = label && json_object_set_new(label, "id", json_integer(n + 1)) == 0 &&
               json_object_set_new(label, "name", json_string(names[n])) == 0 &&
               json_object_set_new(label, "rgb", rgb_json(colours[n])) == 0 && json_array_append(labels, label) == 0 &&
               json_array_append_new(shown, json_string(names[n])) == 0;
        json_decref(label);
    }
    static const char *const channels[5] = {"R", "G", "B", "A", "I"};
    for (int channel = 0; channel < 5 && made; channel++)
        made = json_object_set_new(niivue, channels[channel], channel_json(0, colours, count, channel)) == 0;
    made = made && json_object_set_new(root, "schema", json_integer(SCHEMA)) == 0 &&
           json_object_set(root, "labels", labels) == 0 && json_object_set(niivue, "labels", shown) == 0 &&
           json_object_set(root, "niivue", niivue) == 0;
    if (made)
        status = json_write(path, root, JSON_AS_INSERTED, error);
    else
        status = sat_fail(error, SAT_NO_MEMORY, "no memory for the names of %d labels (or a name is not UTF-8)", count);
    json_decref(root);
    json_decref(labels);
    json_decref(niivue);
    json_decref(shown);
    return status;
}

/* ---------------------------------------------------------------- names of files */

static bool cut_ending(const char *path, size_t *length, const char *ending)
{
    const size_t size = strlen(ending);
    if (*length <= size || memcmp(path + *length - size, ending, size) != 0) return false;
    if (path[*length - size - 1] == '/') return false; /* ".gz" alone is a name */
    *length -= size;
    return true;
}

char *label_files_path_beside(const char *label_map_path, const char *extension)
{
    size_t length = strlen(label_map_path);
    (void)cut_ending(label_map_path, &length, ".gz");
    (void)cut_ending(label_map_path, &length, ".nii");
    const size_t size = length + strlen(extension) + 1;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%.*s%s", (int)length, label_map_path, extension);
    return path;
}
