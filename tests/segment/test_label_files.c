#define _POSIX_C_SOURCE 200809L /* strtok_r */

#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "base/json.h"
#include "segment/label_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 7 };
static const char *const names[NAMES] = {
    "liver", "left kidney", "a \"quoted\" 'name'", "two\nlines\tand tabs", "", "Lungenfl\303\274gel <links> & rechts",
    "#1",
};

static const char *path_of(const char *name)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", temporary_folder(), name);
    return path;
}

static char *contents(const char *path)
{
    file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), SAT_OK);
    char *words = malloc(map.size + 1);
    memcpy(words, map.data, map.size);
    words[map.size] = 0;
    file_map_close(&map);
    return words;
}

static void name_colours(colour c[NAMES]) { assert_int_equal(colours_of_names(names, NAMES, c, NULL), SAT_OK); }

/* As ColorLabelTable::LoadFromFile does: seven numbers, then what stands between two quotes, which must not be empty. */
static void itksnap_reads_its_label_descriptions(void **state)
{
    (void)state;
    colour c[NAMES];
    name_colours(c);
    const char *path = path_of("labels.txt");
    assert_int_equal(label_files_write_itksnap(path, names, c, NAMES, NULL), SAT_OK);
    char *words = contents(path), *rest = words;
    static const char *const expected[NAMES + 1] = {"Clear Label",
                                                    "liver",
                                                    "left kidney",
                                                    "a 'quoted' 'name'",
                                                    "two lines and tabs",
                                                    "label 5",
                                                    "Lungenfl\303\274gel <links> & rechts",
                                                    "#1"};
    int read = 0;
    for (char *line; (line = strtok_r(NULL, "\n", &rest)) != NULL;) {
        if (line[0] == '#') continue;
        int id, red, green, blue, visible, mesh, taken;
        float alpha;
        assert_int_equal(
            sscanf(line, "%d %d %d %d %f %d %d%n", &id, &red, &green, &blue, &alpha, &visible, &mesh, &taken), 7);
        assert_int_equal(id, read);
        char *open = strchr(line + taken, '"'), *close = open ? strchr(open + 1, '"') : NULL;
        assert_true(open && close && close > open + 1 && close[1] == 0);
        *close = 0;
        assert_string_equal(open + 1, expected[read]);
        if (id > 0) {
            assert_true(red == c[id - 1].red && green == c[id - 1].green && blue == c[id - 1].blue);
            assert_true(alpha == 1 && visible == 1 && mesh == 1);
        }
        read++;
    }
    assert_int_equal(read, NAMES + 1);
    free(words);
}

/* As vtkMRMLColorTableStorageNode does: id, name up to a blank, four numbers up to 255. */
static void slicer_reads_its_colour_table(void **state)
{
    (void)state;
    colour c[NAMES];
    name_colours(c);
    const char *path = path_of("labels.ctbl");
    assert_int_equal(label_files_write_slicer(path, names, c, NAMES, NULL), SAT_OK);
    char *words = contents(path), *rest = words;
    static const char *const expected[NAMES + 1] = {"Background",
                                                    "liver",
                                                    "left_kidney",
                                                    "a_\"quoted\"__name_",
                                                    "two_lines_and_tabs",
                                                    "label_5",
                                                    "Lungenfl\303\274gel_<links>_&_rechts",
                                                    "#1"};
    int read = 0;
    for (char *line; (line = strtok_r(NULL, "\n", &rest)) != NULL;) {
        assert_true(strlen(line) < 1023);
        if (line[0] == '#') continue;
        int id, red, green, blue, alpha, taken;
        char name[512];
        assert_int_equal(sscanf(line, "%d %511s %d %d %d %d%n", &id, name, &red, &green, &blue, &alpha, &taken), 6);
        assert_int_equal(line[taken], 0);
        assert_int_equal(id, read);
        assert_string_equal(name, expected[read]);
        if (id > 0)
            assert_true(red == c[id - 1].red && green == c[id - 1].green && blue == c[id - 1].blue && alpha == 255);
        read++;
    }
    assert_int_equal(read, NAMES + 1);
    free(words);
}

static void programs_read_the_json(void **state)
{
    (void)state;
    colour c[NAMES];
    name_colours(c);
    const char *path = path_of("labels.json");
    assert_int_equal(label_files_write_json(path, names, c, NAMES, NULL), SAT_OK);
    json_t *root;
    assert_int_equal(json_read(path, &root, NULL), SAT_OK);
    assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
    json_t *labels = json_object_get(root, "labels"), *niivue = json_object_get(root, "niivue");
    assert_int_equal(json_array_size(labels), NAMES);
    for (size_t n = 0; n < NAMES; n++) {
        json_t *label = json_array_get(labels, n), *rgb = json_object_get(label, "rgb");
        assert_int_equal(json_integer_value(json_object_get(label, "id")), n + 1);
        assert_string_equal(json_string_value(json_object_get(label, "name")), names[n]);
        assert_int_equal(json_integer_value(json_array_get(rgb, 1)), c[n].green);
        assert_int_equal(json_integer_value(json_array_get(json_object_get(niivue, "I"), n + 1)), n + 1);
        assert_int_equal(json_integer_value(json_array_get(json_object_get(niivue, "B"), n + 1)), c[n].blue);
        assert_string_equal(json_string_value(json_array_get(json_object_get(niivue, "labels"), n + 1)), names[n]);
    }
    static const char *const channels[] = {"R", "G", "B", "A", "I", "labels"};
    for (size_t k = 0; k < 6; k++)
        assert_int_equal(json_array_size(json_object_get(niivue, channels[k])), NAMES + 1);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(niivue, "A"), 0)), 0);
    json_decref(root);
}

/* Slicer's lines hold 1023 bytes; a character is never cut in two. */
static void long_names_are_cut_between_characters(void **state)
{
    (void)state;
    char name[2001];
    for (size_t n = 0; n < 2000; n += 2)
        memcpy(name + n, "\303\244", 2);
    name[2000] = 0;
    memmove(name + 1, name, 1999);
    name[0] = 'x';
    name[1999] = 0;
    const char *const one[] = {name};
    colour c;
    assert_int_equal(colours_of_names(one, 1, &c, NULL), SAT_OK);
    const char *path = path_of("long.ctbl");
    assert_int_equal(label_files_write_slicer(path, one, &c, 1, NULL), SAT_OK);
    char *words = contents(path), found[1024];
    assert_int_equal(sscanf(strstr(words, "\n1 x") + 3, "%1023s", found), 1);
    assert_int_equal(strlen(found), 399);
    free(words);
}

static void paths_lie_beside_the_label_map(void **state)
{
    (void)state;
    static const char *const cases[][3] = {{"out/labels.nii.gz", ".txt", "out/labels.txt"},
                                           {"labels.nii", ".ctbl", "labels.ctbl"},
                                           {"a.b/seg", ".json", "a.b/seg.json"},
                                           {"x/.nii.gz", ".txt", "x/.nii.txt"},
                                           {"seg.v2.nii.gz", ".txt", "seg.v2.txt"}};
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        char *path = label_files_path_beside(cases[n][0], cases[n][1]);
        assert_string_equal(path, cases[n][2]);
        free(path);
    }
}

static void what_cannot_be_written_is_refused(void **state)
{
    (void)state;
    sat_error error = {0};
    assert_int_equal(label_files_write_slicer("unused", NULL, NULL, 40000, &error), SAT_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "32768"));
    assert_int_equal(label_files_write_itksnap("unused", NULL, NULL, 70000, &error), SAT_BAD_ARGUMENT);
    assert_int_equal(label_files_write_json("unused", NULL, NULL, -1, &error), SAT_BAD_ARGUMENT);
    colour c = {0};
    assert_int_equal(label_files_write_itksnap("/nowhere/x.txt", names, &c, 1, &error), SAT_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(itksnap_reads_its_label_descriptions),
        cmocka_unit_test(slicer_reads_its_colour_table),
        cmocka_unit_test(programs_read_the_json),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(paths_lie_beside_the_label_map),
        cmocka_unit_test(what_cannot_be_written_is_refused),
    };
    return cmocka_run_group_tests_name("segment/label_files", tests, NULL, NULL);
}
