/* Manifests as the release writes them; bad lines named by number; names of scans' folders. The fuzz corpus is replayed. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "segment/batch_names.h"
#include "segment/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sat_status parse(const char *words, manifest *m, sat_error *error) { return manifest_parse(words, strlen(words), m, error); }

static void the_releases_fields_are_read_and_others_passed_over(void **state)
{
    (void)state;
    manifest m;
    sat_error error = {0};
    assert_int_equal(parse("\xef\xbb\xbf{\"image\": \"a/b.nii.gz\", \"mask\": \"m.nii.gz\", \"label\": [\"liver\", \"Left Kidney\"], \"modality\": \"MRI T1\", "
                           "\"dataset\": \"D\", \"official_split\": \"train\", \"patient_id\": \"7\", \"chwd\": [1, 2, 3, 4]}\r\n"
                           "\n"
                           "{\"image\": \"c.nii.gz\", \"label\": [\"spine\"], \"modality\": \"ct\", \"dataset\": \"E\", \"orientation_code\": \"ASR\"}",
                           &m, &error), SAT_OK);
    assert_int_equal(m.count, 2);
    assert_int_equal(m.bad_count, 0);
    assert_string_equal(m.lines[0].image, "a/b.nii.gz");
    assert_int_equal(m.lines[0].label_count, 2);
    assert_string_equal(m.lines[0].labels[1], "Left Kidney");
    assert_string_equal(m.lines[0].modality, "MRI T1");
    assert_string_equal(m.lines[0].dataset, "D");
    assert_null(m.lines[0].orientation_code);
    assert_int_equal(m.lines[1].number, 3);
    assert_string_equal(m.lines[1].orientation_code, "ASR");
    manifest_free(&m);
    manifest_free(&m);
}

static void bad_lines_are_named_by_number_and_stop_no_other(void **state)
{
    (void)state;
    static const struct { const char *line, *complaint; } bad[] = {
        {"{\"label\": [\"liver\"]}", "image"},
        {"{\"image\": \"\", \"label\": [\"liver\"]}", "image is empty"},
        {"{\"image\": 3}", "image"},
        {"{\"image\": \"a\", \"label\": \"liver\"}", "label"},
        {"{\"image\": \"a\", \"label\": [\"liver\", 3]}", "label[1]"},
        {"{\"image\": \"a\", \"label\": [\"\"]}", "label[0]"},
        {"[1, 2]", "expected an object"},
        {"{\"image\": \"a\",", "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char words[400];
        snprintf(words, sizeof words, "{\"image\": \"good\"}\n\n%s\n{\"image\": \"good\"}\n", bad[i].line);
        manifest m;
        sat_error error = {0};
        assert_int_equal(parse(words, &m, &error), SAT_OK);
        assert_int_equal(m.count, 3);
        assert_int_equal(m.bad_count, 1);
        assert_non_null(m.lines[1].refusal);
        assert_true(strncmp(m.lines[1].refusal, "line 3: ", 8) == 0);
        if (!strstr(m.lines[1].refusal, bad[i].complaint)) fail_msg("%s does not say %s", m.lines[1].refusal, bad[i].complaint);
        assert_null(strstr(m.lines[1].refusal, "line 1"));
        assert_null(m.lines[1].image);
        manifest_free(&m);
    }
    manifest m;
    sat_error error = {0};
    assert_int_equal(parse("{}\n{}\n", &m, &error), SAT_BAD_INPUT);
    assert_true(strncmp(error.message, "line 1: ", 8) == 0);
    assert_int_equal(parse(" \n\t\n", &m, &error), SAT_BAD_INPUT);
    assert_int_equal(manifest_parse(NULL, 0, &m, &error), SAT_BAD_INPUT);
    assert_int_equal(manifest_read("tests/golden/no such manifest", &m, &error), SAT_IO);
}

static void the_fuzz_corpus_is_read_or_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const files[] = {"plain", "mixed", "bad"};
    static const sat_status expected[] = {SAT_OK, SAT_OK, SAT_BAD_INPUT};
    for (size_t i = 0; i < 3; i++) {
        char path[100];
        manifest m;
        sat_error error = {0};
        snprintf(path, sizeof path, "fuzz/corpus/manifest/%s", files[i]);
        assert_int_equal(manifest_read(path, &m, &error), expected[i]);
        assert_true((error.message[0] != '\0') == (expected[i] != SAT_OK));
        manifest_free(&m);
    }
}

static void check_names(const char *const *paths, const char *const *datasets, const char *const *expected, int count)
{
    char *names[16];
    sat_error error = {0};
    assert_int_equal(batch_names_of(paths, datasets, count, names, &error), SAT_OK);
    for (int i = 0; i < count; i++) {
        assert_string_equal(names[i], expected[i]);
        free(names[i]);
    }
}

static void names_come_from_the_scans_and_never_twice(void **state)
{
    (void)state;
    check_names((const char *const[]){"scans/Case7.nii.gz", "b.NII", "c.hdr", ".hidden.nii", "d", "a\\b:c.nii"}, NULL,
                (const char *const[]){"Case7", "b", "c", "_hidden", "d", "a_b_c"}, 6);
    check_names((const char *const[]){"kits/case_1/imaging.nii.gz", "kits/case_2/imaging.nii.gz", "x/other.nii.gz"}, NULL,
                (const char *const[]){"case_1-imaging", "case_2-imaging", "other"}, 3);
    check_names((const char *const[]){"a.nii", "a.nii.gz", "A.nii", "a_2.nii"}, NULL, (const char *const[]){"a", "a_3", "A_4", "a_2"}, 4);
    check_names((const char *const[]){"x/a.nii", "y/a.nii", "z/a.nii"}, (const char *const[]){"One", "../Two", NULL},
                (const char *const[]){"One/a", "_._Two/a", "a"}, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_releases_fields_are_read_and_others_passed_over),
        cmocka_unit_test(bad_lines_are_named_by_number_and_stop_no_other),
        cmocka_unit_test(the_fuzz_corpus_is_read_or_refused_with_a_sentence),
        cmocka_unit_test(names_come_from_the_scans_and_never_twice),
    };
    return cmocka_run_group_tests_name("segment/manifest", tests, NULL, NULL);
}
